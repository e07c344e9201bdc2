//! One scheduled run in a thread of its own: planned, guarded and driven as `squall run` does it.

use std::io::{self, Write};
use std::sync::mpsc::Sender;

use super::gates::{self, Passed};
use crate::cli::accounts::Pace;
use crate::cli::output::{Output, Pipe};
use crate::cli::prepare::{Allowed, Prepared};
use crate::cli::project::Project;
use crate::cli::tell::Teller;
use crate::cli::{Context, Exit, Failure, report, run};
use crate::driver::Surroundings;
use crate::env::{Env as _, Interrupts, RealEnv};
use crate::ids::{RunId, ScheduleName};
use crate::plan::{self, Plan};
use crate::run::Recorded;
use crate::run::event::Event;
use crate::schedule::Schedule;
use crate::schedule::gates::{RetryUnknown, WhenClosed};
use crate::store::Store as _;
use crate::store::occurrences::{Fate, OccurrenceKey, OccurrenceRow};
use crate::units::Span;

/// What a run is made of.
pub struct Job {
    pub run: RunId,
    pub schedule: Schedule,
    pub project: Project,
    pub allowed: Allowed,
    pub pace: Pace,
    /// Although hours, a blackout or a calendar say no: a person said so.
    pub anyway: bool,
    /// The person who asked for it, if one did.
    pub asked_by: Option<String>,
    /// It is a second try of a run whose verdict was unknown.
    pub again: bool,
    pub interrupts: Interrupts,
    pub news: Sender<News>,
}

/// What a run tells the server.
pub enum News {
    /// A line for people.
    Line(String),
    /// It did not begin after all, and why is recorded.
    Settled(OccurrenceRow),
    /// It waits for a gate to open.
    Waits(OccurrenceRow),
    /// Its verdict is unknown, and its schedule wants it to be run once more.
    Again { schedule: ScheduleName, of: RunId },
    /// Its changes were rolled back and verified, in so long.
    RolledBack(Span),
    /// It is over.
    Ended(Exit),
}

/// Runs to the end. Where it does not begin, the occurrence gets the reason.
pub fn perform(job: &Job, key: &OccurrenceKey) {
    let output = || Pipe::plain(Lines { run: job.run.clone(), news: job.news.clone(), begun: Vec::new() });
    let mut context = Context {
        env: RealEnv,
        output: Output { out: output(), err: output() },
        project: job.project.clone(),
        named_project: None,
        account: None,
        json: false,
        quiet: true,
        strict: false,
    };
    let exit = match begin(job, key, &mut context) {
        Ok(exit) => exit,
        Err(NotBegun { failure, fails }) => {
            // After that the journal tells what it can: the occurrence keeps its run.
            if failure.exit != Exit::Left {
                let fate = if fails { Fate::Failed(failure.what) } else { Fate::Skipped(failure.what) };
                settle(job, key, fate, &mut context);
            }
            failure.exit
        }
    };
    if exit == Exit::Unknown && !job.again && job.schedule.retry_unknown == RetryUnknown::Once {
        let _ = job.news.send(News::Again { schedule: job.schedule.name.clone(), of: job.run.clone() });
    }
    // A server that is gone does not listen.
    let _ = job.news.send(News::Ended(exit));
}

/// Records why it did not begin.
fn settle(job: &Job, key: &OccurrenceKey, fate: Fate, context: &mut Context) {
    let settled = context.project.store().and_then(|mut store| store.settle_occurrence(key, &fate));
    if let Err(error) = settled {
        context.output.err.line(format!("why it did not begin cannot be recorded: {error}"));
    }
    let row = OccurrenceRow { key: key.clone(), decided: context.env.now(), by: context.who(), fate };
    let _ = job.news.send(News::Settled(row));
}

/// Why no run began.
struct NotBegun {
    failure: Failure,
    /// It counts as a failure.
    fails: bool,
}

impl<E: Into<Failure>> From<E> for NotBegun {
    fn from(why: E) -> NotBegun {
        NotBegun { failure: why.into(), fails: false }
    }
}

/// Why it is skipped.
pub fn skipped(what: impl Into<String>) -> Failure {
    Failure { exit: Exit::Refused, what: what.into(), next: None }
}

/// A plan whose gates are open. Before a closed one it waits, if the schedule says so.
fn let_through(job: &Job, key: &OccurrenceKey, context: &mut Context) -> Result<Passed, NotBegun> {
    let began = context.env.monotonic();
    let mut said = None;
    loop {
        let why = match gates::pass(job, context)? {
            Ok(passed) => return Ok(passed),
            Err(why) => why,
        };
        let patience = match job.schedule.when_closed {
            WhenClosed::Skip => return Err(skipped(why).into()),
            WhenClosed::Fail => return Err(NotBegun { failure: skipped(why), fails: true }),
            WhenClosed::Wait(patience) => patience,
        };
        let waited = context.env.monotonic() - began;
        if waited >= patience {
            return Err(skipped(format!("waited {patience}: {why}")).into());
        }
        if said.as_ref() != Some(&why) {
            waits(job, key, why.clone(), context)?;
            said = Some(why);
        }
        gates::pause(patience, patience - waited, &job.interrupts, &context.env);
        if let Some(signal) = job.interrupts.get() {
            return Err(skipped(format!("squall serve was stopped by {}", signal.name())).into());
        }
    }
}

/// Records why it waits.
fn waits(job: &Job, key: &OccurrenceKey, why: String, context: &mut Context) -> Result<(), Failure> {
    let fate = Fate::Waits(job.run.clone(), why);
    context.project.store()?.settle_occurrence(key, &fate)?;
    let row = OccurrenceRow { key: key.clone(), decided: context.env.now(), by: context.who(), fate };
    // A server that is gone does not listen.
    let _ = job.news.send(News::Waits(row));
    Ok(())
}

fn begin(job: &Job, key: &OccurrenceKey, context: &mut Context) -> Result<Exit, NotBegun> {
    let Passed { prepared: Prepared { plan, account: mut opened, .. }, approved } = let_through(job, key, context)?;
    fits(&plan, job, context)?;
    if let Some(signal) = job.interrupts.get() {
        return Err(skipped(format!("squall serve was stopped by {}", signal.name())).into());
    }
    let mut store = context.project.store()?;
    // It may have waited.
    store.settle_occurrence(key, &Fate::Run(job.run.clone()))?;
    if let Some(approved) = approved {
        store.use_approvals(&job.schedule.name, &approved, &job.run)?;
    }
    let (by, run) = (context.env.who(), plan.run.clone());
    let around = Surroundings {
        account: opened.account.as_mut(),
        store: &mut store,
        env: &context.env,
        interrupts: job.interrupts.clone(),
        live: opened.live,
    };
    let mut teller = Teller::new(&run, false);
    let out = &mut context.output.out;
    let ended = run::perform(around, plan, &by, &mut |recorded| teller.tell(recorded, out))?;
    let exit = run::conclude(&ended, context);
    if let Some(took) = store.events(&run).ok().and_then(|events| rollback(&events)) {
        let _ = job.news.send(News::RolledBack(took));
    }
    report::write_all(&run, &store, context);
    Ok(exit)
}

/// How long a rollback took: from its first intent to the last change that was verified, in the account's time.
fn rollback(events: &[Recorded]) -> Option<Span> {
    let first = events.iter().find(|recorded| matches!(recorded.event, Event::Restoring { .. }))?;
    let last = events.iter().rfind(|recorded| matches!(recorded.event, Event::Settled { .. }))?;
    Some(last.at.since(first.at))
}

/// The plan knows better than the list how long its rollback takes.
fn fits(plan: &Plan, job: &Job, context: &Context) -> Result<(), Failure> {
    if job.anyway {
        return Ok(());
    }
    let needs = plan::with_rollback(plan.longest, plan.rolled_back_within());
    match job.schedule.why_not(context.env.now(), needs) {
        None => Ok(()),
        Some(why) => Err(Failure { exit: Exit::Refused, what: why.to_string(), next: None }),
    }
}

/// Sends whole lines, each with the run's name.
struct Lines {
    run: RunId,
    news: Sender<News>,
    begun: Vec<u8>,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.extend(bytes);
        while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.begun.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if !line.is_empty() && self.news.send(News::Line(format!("{}: {line}", self.run))).is_err() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
