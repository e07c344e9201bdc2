//! One scheduled run in a thread of its own: planned, guarded and driven as `squall run` does it.

use std::io::{self, Write};
use std::sync::mpsc::Sender;

use crate::cli::accounts::Pace;
use crate::cli::output::{Output, Pipe};
use crate::cli::prepare::{Allowed, Looked, PlanArgs, Prepared, look_and_plan};
use crate::cli::project::Project;
use crate::cli::tell::Teller;
use crate::cli::{Context, Exit, Failure, report, run};
use crate::driver::Surroundings;
use crate::env::{Env as _, Interrupts, RealEnv};
use crate::ids::RunId;
use crate::plan::{self, Plan};
use crate::run::Recorded;
use crate::run::event::Event;
use crate::schedule::Schedule;
use crate::spec::load::ProjectFiles;
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
    pub interrupts: Interrupts,
    pub news: Sender<News>,
}

/// What a run tells the server.
pub enum News {
    /// A line for people.
    Line(String),
    /// It did not begin after all, and why is recorded.
    Settled(OccurrenceRow),
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
    let exit = match begin(job, &mut context) {
        Ok(exit) => exit,
        Err(why) => {
            // After that the journal tells what it can: the occurrence keeps its run.
            if why.exit != Exit::Left {
                settle(job, key, Fate::Skipped(why.what), &mut context);
            }
            why.exit
        }
    };
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

fn begin(job: &Job, context: &mut Context) -> Result<Exit, Failure> {
    let skipped = |what: String| Failure { exit: Exit::Refused, what, next: None };
    let (files, findings) = ProjectFiles::open(&context.project.root);
    let files = files.ok_or_else(|| skipped(format!("squall.yaml cannot be used: {}", findings.count())))?;
    let file = files.experiment(&job.schedule.experiment);
    let asked = PlanArgs::unattended(job.run.clone(), &job.allowed);
    let Prepared { plan, refusals, refused, account: mut opened, .. } =
        match look_and_plan(&file, &asked, job.pace, context)? {
            Looked::Planned(prepared) => *prepared,
            Looked::Refused(reasons, _) => return Err(skipped(reasons.join("; "))),
        };
    if refused.is_some() {
        return Err(skipped(refusals.join("; ")));
    }
    fits(&plan, job, context)?;
    if let Some(signal) = job.interrupts.get() {
        return Err(skipped(format!("squall serve was stopped by {}", signal.name())));
    }
    let mut store = context.project.store()?;
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
