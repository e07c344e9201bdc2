//! `squall predict`.

use std::path::{Path, PathBuf};

use super::signals::Signals;
use super::twin::Twin;
use super::{Context, Ended, Exit, Failure, named, prepare};
use crate::env::Env as _;
use crate::inputs::Given;
use crate::judge::verdict::VerdictKind;
use crate::predict::prediction::Prediction;
use crate::predict::share::Counted;
use crate::predict::written::Document;
use crate::predict::{self, Asked, NotPredicted, Progress, page, show};
use crate::units::{Share, Span};

/// Predict how a run of an experiment would end, from many runs in virtual time
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every run is a complete one in a model of the application: the same plan, state machine and judge as in `squall run`. \
Nothing is \
touched and nothing is written. For an AWS account, the sandbox that squall.yaml names as its `twin` is used. The \
same seeds give the same figures; to look into one run, use `squall run FILE --account sandbox --seed N`.

Ctrl-C and --within end it early, with what is known by then. With --at-least the exit code is 0 when the interval lies \
above the level, 4 when it lies below, 5 when it cannot be told.

Examples:
  squall predict experiments/payment-worker-throttled.yaml
  squall predict experiments/payment-worker-throttled.yaml --runs 1000 --html prediction.html
  squall predict experiments/payment-worker-throttled.yaml --within 5s --at-least 80%
  squall predict experiments/payment-worker-throttled.yaml --json | jq .prediction.as_written.held")]
pub struct Args {
    /// The experiment's file
    #[arg(value_parser = named::file)]
    file: PathBuf,
    /// The value of an input that the experiment declares; repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    with: Vec<Given>,
    #[command(flatten)]
    asked: PredictArgs,
    /// Also write a page with charts to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Require this probability of holding
    #[arg(long, value_name = "SHARE")]
    at_least: Option<Share>,
}

/// How much is predicted, for every command that predicts.
#[derive(Clone, Debug, clap::Args)]
pub struct PredictArgs {
    /// How many runs
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
    /// The seed of the first run; the others count up from it
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// How inaccurate the figures of the traffic file may be; `0%` uses them as they are [default: what the file says,
    /// else 20 %]
    #[arg(long, value_name = "SHARE")]
    uncertainty: Option<Share>,
    /// Time limit; ends with what is known by then
    #[arg(long, value_name = "TIME")]
    within: Option<Span>,
}

impl PredictArgs {
    /// As without any arguments.
    pub fn usual(within: Option<Span>) -> PredictArgs {
        PredictArgs { runs: 200, seed: 1, uncertainty: None, within }
    }
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let prepare::Read { files, experiment, .. } = prepare::read(&args.file, &args.with, context)?;
    let twin = Twin::of(&files, &experiment, context)?;
    let prediction = predicted(&twin, &args.asked, context)?;
    match context.json {
        true => context.output.out.json(&serde_json::json!(Document::of(&prediction))),
        false => show::lines(&prediction).iter().for_each(|line| context.output.out.line(line)),
    }
    if let Some(file) = &args.html {
        write(file, &page::page(&prediction))?;
        context.output.err.line(format!("page: {}", file.display()));
    }
    Ok(args.at_least.map_or(Exit::Fine, |level| asked_for(prediction.best().held, level)))
}

fn asked_for(held: Counted, level: Share) -> Exit {
    let (low, high) = held.interval();
    match level.get() {
        level if low >= level => Exit::Fine,
        level if high < level => Exit::Broken,
        _ => Exit::Unknown,
    }
}

/// Predicts, with its progress on a terminal.
pub fn predicted(twin: &Twin, asked: &PredictArgs, context: &mut Context) -> Result<Prediction, Failure> {
    let signals = Signals::listen(|| {}).map_err(|error| super::run::no_signals(&error))?;
    let env = context.env;
    let began = env.monotonic();
    let until = asked.within.map(|within| began + within);
    let enough = || signals.interrupts.get().is_some() || until.is_some_and(|until| env.monotonic() >= until);
    let uncertainty = asked.uncertainty.unwrap_or(twin.app.uncertainty);
    let whole = Asked { seed: asked.seed, runs: asked.runs as usize, uncertainty, threads: env.cores() };
    let err = &mut context.output.err;
    let shows = err.is_terminal();
    let mut shown = None;
    let mut heard = |progress: &Progress<'_>| {
        let now = env.monotonic();
        if shows && !progress.so_far.is_empty() && shown.is_none_or(|shown| now - shown >= REDRAWN) {
            shown = Some(now);
            let held = Counted::among(progress.so_far, |run| run.verdict.kind == VerdictKind::Held);
            err.control("\r\u{1b}[K");
            err.text(show::progress(progress.so_far.len(), progress.runs, held));
        }
    };
    let found = twin.predicted(|subject| predict::predict(subject, &whole, &enough, &mut heard));
    if shown.is_some() {
        err.control("\r\u{1b}[K");
    }
    let prediction = found.map_err(|error| not_predicted(error, twin, context))?;
    if prediction.is_partial() {
        let runs = prediction.as_written.runs();
        context
            .output
            .err
            .line(format!("ended early: {runs} of {} runs; the intervals are wider because of it", asked.runs));
    }
    Ok(prediction)
}

/// Between two looks of a person.
const REDRAWN: Span = Span::from_millis(100);

/// Prints why a plan is refused on the model.
pub fn not_predicted(error: NotPredicted, twin: &Twin, context: &mut Context) -> Failure {
    match error {
        NotPredicted::NoPlan(objections) => {
            let refused = prepare::refused(&objections, &twin.experiment, context);
            Failure { what: "not predicted: the experiment cannot be planned on the model".into(), ..refused }
        }
        NotPredicted::Model(what) => Failure::refused(what, "squall check"),
    }
}

/// Writes a document for people.
pub fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text)
        .map_err(|error| Failure::refused(format!("{}: {error}", file.display()), "name another file"))
}
