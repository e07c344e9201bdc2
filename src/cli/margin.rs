//! `squall margin`.

use std::cell::RefCell;
use std::ops::Range;
use std::path::PathBuf;

use super::predict::{not_predicted, write};
use super::signals::Signals;
use super::twin::Twin;
use super::{Context, Ended, Exit, Failure, named, prepare};
use crate::env::Env as _;
use crate::inputs::Given;
use crate::predict::margin::{self, Bench, Effort, Map, Margin, Point};
use crate::predict::margin_show::{self as show, Document};
use crate::predict::outcome::Outcome;
use crate::predict::vary::Vary;
use crate::predict::{self, NotPredicted};
use crate::units::{Share, Span};

/// Find the value at which an experiment stops holding: its breaking point
#[derive(Debug, clap::Args)]
#[command(after_help = "\
WHAT is a path: into the experiment (faults.0.for, faults.0.inject.lambda.throttle.concurrency, recovers_within), into the \
traffic file (traffic.*.rate, functions.PaymentWorker.errors), or a setting of the template (functions.NAME.reserved, \
.timeout, .memory; queues.NAME.visibility, .delay, .retention, .max_receive_count; mappings.NAME.batch_size, .batch_window, \
.maximum_concurrency; tables.NAME.writes; account.concurrency). `*` is every name or item, and `x1..x100` multiplies what \
is there. Each value is run with the same seeds until it is clear whether the experiment holds often enough.

With two --vary it draws a map. An experiment with `faults: []` is a load test in virtual time. Nothing is touched.

Examples:
  squall margin experiments/payment-worker-throttled.yaml --vary faults.0.for=2m..20m
  squall margin experiments/payment-worker-throttled.yaml --vary 'traffic.*.rate=x1..x100' --level 90%
  squall margin experiments/payment-worker-throttled.yaml --vary queues.OrdersQueue.visibility=1m..5m --html margin.html
  squall margin experiments/payment-worker-throttled.yaml --vary faults.0.for=5m..15m --vary 'traffic.*.rate=x1..x8'")]
pub struct Args {
    /// The experiment's file
    #[arg(value_parser = named::file)]
    file: PathBuf,
    /// The value of an input that the experiment declares; repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    with: Vec<Given>,
    /// What to vary, and its range; give it twice for a map
    #[arg(long, value_name = "WHAT=FROM..TO", required = true)]
    vary: Vec<Vary>,
    /// How often it must hold
    #[arg(long, value_name = "SHARE", default_value_t = LEVEL)]
    level: Share,
    /// The most runs of one value
    #[arg(long, default_value_t = RUNS, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// The seed of the first run; every value gets the same seeds
    #[arg(long, default_value_t = SEED, value_name = "N")]
    seed: u64,
    /// Time limit; ends with what is known by then
    #[arg(long, value_name = "TIME")]
    within: Option<Span>,
    /// Also write a page with the curve to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    if !(0.0..1.0).contains(&args.level.get()) || args.level == Share::NONE {
        return Err(Failure::usage("--level must be between 0 % and 100 %", "write for example --level 95%"));
    }
    let prepare::Read { files, experiment, .. } = prepare::read(&args.file, &args.with, context)?;
    let twin = Twin::of(&files, &experiment, context)?;
    let title = experiment.experiment.value.title.clone();
    match args.vary.as_slice() {
        [vary] => {
            let margin =
                found(args, &twin, context, |effort, bench, heard| margin::search(vary, effort, bench, heard))?;
            print(&title, &margin, args, context)
        }
        [across, down] => {
            let map =
                found(args, &twin, context, |effort, bench, heard| margin::map((across, down), effort, bench, heard))?;
            print_map(&title, &map, context)
        }
        _ => Err(Failure::usage("give --vary once or twice", "remove one")),
    }
}

fn print(title: &str, margin: &Margin, args: &Args, context: &mut Context) -> Ended {
    let out = &mut context.output.out;
    match context.json {
        true => out.json(&serde_json::json!(Document::of(title, margin))),
        false => show::lines(title, margin).iter().for_each(|line| out.line(line)),
    }
    if let Some(file) = &args.html {
        write(file, &show::page(title, margin))?;
        context.output.err.line(format!("page: {}", file.display()));
    }
    Ok(Exit::Fine)
}

fn print_map(title: &str, map: &Map, context: &mut Context) -> Ended {
    let out = &mut context.output.out;
    match context.json {
        true => out.json(&serde_json::json!(Document::of_map(title, map))),
        false => show::map_lines(title, map).iter().for_each(|line| out.line(line)),
    }
    Ok(Exit::Fine)
}

/// How hard is looked without any arguments.
const LEVEL: Share = Share::percent(95);
const RUNS: u32 = 200;
const SEED: u64 = 1;

/// The breaking point as it is looked for without any arguments but the range.
pub fn usual(vary: &Vary, within: Option<Span>, twin: &Twin, context: &mut Context) -> Result<Margin, Failure> {
    let args = Args {
        file: PathBuf::new(),
        with: Vec::new(),
        vary: vec![vary.clone()],
        level: LEVEL,
        runs: RUNS,
        seed: SEED,
        within,
        html: None,
    };
    found(&args, twin, context, |effort, bench, heard| margin::search(vary, effort, bench, heard))
}

/// Searches, with its progress on a terminal.
fn found<T>(
    args: &Args,
    twin: &Twin,
    context: &mut Context,
    search: impl FnOnce(Effort, &dyn Bench, &mut dyn FnMut(&Point)) -> Result<T, NotPredicted>,
) -> Result<T, Failure> {
    let signals = Signals::listen(|| {}).map_err(|error| super::run::no_signals(&error))?;
    let env = context.env;
    let until = args.within.map(|within| env.monotonic() + within);
    let enough = || signals.interrupts.get().is_some() || until.is_some_and(|until| env.monotonic() >= until);
    // A path that leads nowhere is said before anything is run.
    let ends: Vec<f64> = args.vary.iter().map(|vary| vary.to).collect();
    twin.varied(&args.vary, &ends).map_err(|what| Failure::usage(what, "squall margin --help"))?;
    let threads = env.cores();
    let bench = OnTwin { twin, vary: &args.vary, threads, enough: &enough, last: RefCell::default() };
    let effort = Effort { level: args.level, seed: args.seed, runs: args.runs as usize, batch: (threads * 2).max(4) };
    let err = &mut context.output.err;
    let shows = err.is_terminal();
    let mut heard = |point: &Point| {
        if shows {
            let values: Vec<String> =
                args.vary.iter().zip(&point.values).map(|(vary, value)| vary.shown(*value)).collect();
            err.control("\r\u{1b}[K");
            err.text(show::progress(&values.join(", "), point));
        }
    };
    let found = search(effort, &bench, &mut heard);
    if shows {
        err.control("\r\u{1b}[K");
    }
    found.map_err(|error| not_predicted(error, twin, context))
}

/// Runs at other values.
struct OnTwin<'a> {
    twin: &'a Twin,
    vary: &'a [Vary],
    threads: usize,
    enough: &'a dyn Fn() -> bool,
    /// A point is asked for in several batches, and its files need to be read once.
    last: RefCell<Option<(Vec<f64>, Twin)>>,
}

impl Bench for OnTwin<'_> {
    fn runs(&self, values: &[f64], seeds: Range<u64>) -> Result<Vec<Outcome>, NotPredicted> {
        let mut last = self.last.borrow_mut();
        let twin = match last.take() {
            Some((of, twin)) if of == values => twin,
            _ => self.twin.varied(self.vary, values).map_err(NotPredicted::Model)?,
        };
        let (_, twin) = last.insert((values.to_vec(), twin));
        twin.predicted(|subject| predict::outcomes(subject, seeds, self.threads, self.enough))
    }

    fn enough(&self) -> bool {
        (self.enough)()
    }
}
