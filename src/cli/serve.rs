//! `squall serve`.

mod scheduled;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use self::scheduled::{Job, News};
use super::accounts::{self, Pace};
use super::prepare::Allowed;
use super::project::short;
use super::signals::Signals;
use super::{Context, Ended, Exit, Failure, run, schedule, undo};
use crate::env::Env as _;
use crate::ids::RunId;
use crate::serve::gate::Limits;
use crate::serve::{Start, Turns, settle_unbegun, starts};
use crate::spec::load::ProjectFiles;
use crate::store::StoreError;
use crate::store::occurrences::OccurrenceRow;
use crate::store::sqlite::SqliteStore;
use crate::units::Span;

/// Run scheduled experiments until stopped
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What a dead process left behind is rolled back first. Each occurrence is decided once, and recorded with its outcome: \
`squall schedule history`. On SIGTERM, SIGHUP and Ctrl-C it rolls back what is running, then ends. `squall halt` \
stops runs and starts none. \
Files are read at the start: after a change, start it again.

Examples:
  squall serve
  squall serve --json | jq -r 'select(.fate == \"skipped\") | .detail'
  squall serve --open-production shop-eu")]
pub struct Args {
    #[command(flatten)]
    allowed: Allowed,
    /// How fast the sandbox's time passes in a run: `1x`, `60x` or `max` [default: 60x on a terminal, else max]
    #[arg(long, value_parser = accounts::pace)]
    pace: Option<Pace>,
}

/// How often it looks whether something has come.
const LOOK: Span = Span::from_millis(50);

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let pace = args.pace.unwrap_or_else(|| run::default_pace(context));
    let mut store = context.project.store()?;
    let Some(_alone) = store.serve_alone()? else {
        return Err(Failure::refused("another `squall serve` is running in this project", "stop it first"));
    };
    let signals = Signals::listen(|| {}).map_err(|error| run::no_signals(&error))?;
    let rolled_back = roll_back(pace, &mut store, context)?;
    settle_unbegun(&mut store, context.env.now())?;
    let now = context.env.now();
    let (schedules, exit) = schedule::load(now, context)?;
    if exit != Exit::Fine {
        let next = "fix the errors above, then run `squall check`".to_owned();
        return Err(Failure { exit, what: "a schedule has errors".into(), next: Some(next) });
    }
    let project = ProjectFiles::open(&context.project.root).0.map(|files| files.project).unwrap_or_default();
    let limits = Limits::from(&project.scheduling);
    let turns = Turns::new(schedules, limits, context.env.who(), &mut store, now)?;
    let next = turns.next().map_or_else(|| "nothing scheduled".to_owned(), |at| format!("next at {}", short(at)));
    context.output.err.line(format!("serving this project's schedules; {next}"));
    let (news, heard) = channel();
    let server = Server {
        turns,
        store,
        signals,
        allowed: args.allowed.clone(),
        pace,
        news,
        heard,
        at_work: Vec::new(),
        worst: rolled_back,
    };
    Ok(server.serve(context))
}

/// Rolls back what dead processes left. For programs, standard output has decisions only: the journal tells the rollback.
fn roll_back(pace: Pace, store: &mut SqliteStore, context: &mut Context) -> Ended {
    let json = std::mem::take(&mut context.json);
    let out = json.then(|| context.output.out.take());
    let rolled_back = undo::dead(pace, store, context);
    context.json = json;
    if let Some(out) = out {
        context.output.out = out;
    }
    rolled_back
}

/// One process that serves schedules.
struct Server {
    turns: Turns,
    store: SqliteStore,
    signals: Signals,
    allowed: Allowed,
    pace: Pace,
    news: Sender<News>,
    heard: Receiver<News>,
    at_work: Vec<(RunId, JoinHandle<()>)>,
    worst: Exit,
}

impl Server {
    /// Until a signal comes and everything is rolled back. The exit code says whether something was left.
    fn serve(mut self, context: &mut Context) -> Exit {
        let mut trouble: Option<StoreError> = None;
        while self.signals.interrupts.get().is_none() {
            let now = context.env.now();
            let mut fresh = || RunId::fresh(context.env.now(), context.env.entropy());
            match self.turns.turn(&mut self.store, now, &mut fresh) {
                Ok(decided) => {
                    trouble = None;
                    decided.iter().for_each(|row| tell(row, context));
                    starts(&decided).into_iter().for_each(|start| self.start(start, context));
                }
                // What is at work goes on and is rolled back; nothing starts that cannot be recorded. Said once, not each time.
                Err(error) => {
                    if trouble.as_ref() != Some(&error) {
                        context.output.err.line(format!("nothing starts while the store cannot be used: {error}"));
                    }
                    trouble = Some(error);
                }
            }
            self.hear(context);
            context.env.sleep(LOOK);
        }
        if let Some(signal) = self.signals.interrupts.get() {
            let runs = self.at_work.len();
            context.output.err.line(format!("{}: rolling back what is running ({runs}), then ending", signal.name()));
        }
        while !self.at_work.is_empty() {
            self.hear(context);
            context.env.sleep(LOOK);
        }
        self.hear(context);
        match self.worst {
            Exit::Left => Exit::Left,
            _ => Exit::Fine,
        }
    }

    fn start(&mut self, start: Start, context: &mut Context) {
        let Some(schedule) = self.turns.schedule(&start.key.schedule) else { return };
        let job = Job {
            run: start.run.clone(),
            schedule: schedule.clone(),
            project: context.project.clone(),
            allowed: self.allowed.clone(),
            pace: self.pace,
            interrupts: self.signals.interrupts.clone(),
            news: self.news.clone(),
        };
        let key = start.key;
        let name = format!("run {}", start.run);
        match std::thread::Builder::new().name(name).spawn(move || scheduled::perform(&job, &key)) {
            Ok(thread) => self.at_work.push((start.run, thread)),
            Err(error) => context.output.err.line(format!("{} cannot be started: {error}", start.run)),
        }
    }

    /// Prints what runs say, and takes note of those that have ended.
    fn hear(&mut self, context: &mut Context) {
        while let Ok(news) = self.heard.try_recv() {
            match news {
                News::Line(line) if !context.json => context.output.out.line(line),
                News::Line(_) => {}
                News::Settled(row) => tell(&row, context),
                News::Ended(exit) => {
                    self.worst = if exit == Exit::Left { exit } else { self.worst };
                    self.turns.ended(context.env.now());
                }
            }
        }
        let (ended, going): (Vec<_>, Vec<_>) = self.at_work.drain(..).partition(|(_, thread)| thread.is_finished());
        self.at_work = going;
        for (run, thread) in ended {
            // The driver's panics are caught below; this is one of what is around it.
            if thread.join().is_err() {
                self.worst = Exit::Left;
                context
                    .output
                    .err
                    .line(format!("bug: {run} panicked; run `squall undo {run}`, and please report this"));
            }
        }
    }
}

/// Prints what became of an occurrence.
fn tell(row: &OccurrenceRow, context: &mut Context) {
    let out = &mut context.output.out;
    match context.json {
        true => out.json(&schedule::as_json(row)),
        false => out.line(schedule::as_line(row)),
    }
}
