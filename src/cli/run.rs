//! `squall run`.

mod series;

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use super::accounts::{self, Pace};
use super::prepare::{self, Prepared};
use super::screen::Screen;
use super::signals::Signals;
use super::{Context, Ended, Exit, Failure, named, report};
use crate::account::Reason;
use crate::driver::supervise::{Supervised, supervise};
use crate::driver::{Driver, Ending, NotBegun, Surroundings};
use crate::env::Env as _;
use crate::ids::RunId;
use crate::plan::Plan;
use crate::planner::show;
use crate::store::{Store, StoreError};

/// Run an experiment: plan, baseline, faults, rollback, recovery, verdict, report
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Everything that is changed is rolled back however the run ends: normally, by a broken hypothesis, by Ctrl-C, by a \
closed terminal. After a crash or a power loss, run `squall undo`. The run's log goes to standard output, everything \
else to standard error.

Several experiments run one after the other; all files are checked first. A summary follows, and the exit code is the worst \
of all. When a run leaves something behind, or a signal stops one, the others do not start.

Examples:
  squall run experiments/payment-worker-throttled.yaml
  squall run experiments/payment-worker-throttled.yaml --pace max --seed 7
  squall run experiments/payment-worker-throttled.yaml --plan plan.json
  squall run experiments/ --junit results.xml
  squall run experiments/payment-worker-throttled.yaml --json | jq -c .event")]
pub struct Args {
    /// The experiment's file; several, or a folder, run all experiments in them
    #[arg(required = true, value_name = "FILE|FOLDER", value_parser = named::file_or_folder)]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) asked: prepare::PlanArgs,
    /// How fast the sandbox's time passes: `1x`, `60x` or `max` [default: 60x on a terminal, else max]
    #[arg(long, value_parser = accounts::pace)]
    pub(super) pace: Option<Pace>,
    /// Run exactly the plan with this hash, or in this file from `squall plan --json`; refuse if anything resolves
    /// differently
    #[arg(long, value_name = "HASH|FILE")]
    pub(super) plan: Option<String>,
    /// Write the results of all runs to this file, as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    /// Continue with the sandbox as the last run left it, clock included [default: each run starts with a new one]
    #[arg(long, conflicts_with = "start")]
    pub(super) keep: bool,
    /// Do not ask for confirmation before changing an AWS account
    #[arg(long, short)]
    pub(super) yes: bool,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    match args.files.as_slice() {
        [file] if !file.is_dir() => {
            series::begin_junit(args.junit.as_deref(), std::slice::from_ref(file))?;
            let how = one(file, args, context);
            series::write_junit(
                args.junit.as_deref(),
                &[series::Ran { file: file.clone(), how: how.clone() }],
                context,
            );
            how.map(|done| done.exit)
        }
        several => series::execute(several, args, context),
    }
}

/// A run that was begun and has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) run: RunId,
    pub(super) exit: Exit,
    /// A signal asked it to stop.
    pub(super) interrupted: bool,
}

/// Runs one experiment. The failure is that it did not begin, or cannot be told.
pub(super) fn one(file: &Path, args: &Args, context: &mut Context) -> Result<Done, Failure> {
    let pace = args.pace.unwrap_or_else(|| default_pace(context));
    let asked = args.asked.afresh(!args.keep);
    let mut prepared = prepare::prepare(file, &asked, pace, context)?;
    for line in show::brief(&prepared.plan) {
        context.output.err.line(line);
    }
    context.output.err.line("");
    if let Some(refused) = prepared.refused.take() {
        return Err(refused);
    }
    if let Some(agreed) = &args.plan {
        super::agreed::check(agreed, &prepared.plan, context)?;
    }
    if prepared.account.real && !args.yes {
        prepared = confirmed(prepared, file, args, pace, context)?;
    }
    let mut store = context.project.store()?;
    let run = prepared.plan.run.clone();
    let (ended, interrupted) = drive(prepared, &mut store, context)?;
    let exit = conclude(&ended, context);
    report::write_all(&run, &store, context);
    if interrupted {
        context.output.err.line(format!("stopped by a signal; `squall log {run}` shows the run's log"));
    }
    Ok(Done { run, exit, interrupted })
}

/// Asks until a plan that may still be begun is confirmed. One that waited too long is made again, and what
/// became different is shown.
fn confirmed(
    prepared: Prepared,
    file: &Path,
    args: &Args,
    pace: Pace,
    context: &mut Context,
) -> Result<Prepared, Failure> {
    let late = |prepared: &Prepared| prepared.account.account.now() > prepared.plan.start_by();
    until_in_time(prepared, late, |step| match step {
        Step::Ask => confirm(context).map(|()| None),
        Step::Again(old) => {
            let asked = args.asked.again(&old.plan);
            let mut new = prepare::prepare(file, &asked, pace, context)?;
            let err = &mut context.output.err;
            err.line(format!("the plan of {} was too old to run, so it was made again", old.plan.made_at));
            for line in show::differences(&old.plan, &new.plan) {
                err.line(line);
            }
            match new.refused.take() {
                Some(refused) => Err(refused),
                None => Ok(Some(new)),
            }
        }
    })
}

/// What has to be done on the way to a plan that was confirmed in time.
enum Step<'p, P> {
    Ask,
    /// Make the plan again.
    Again(&'p P),
}

fn until_in_time<P>(
    mut plan: P,
    late: impl Fn(&P) -> bool,
    mut take: impl FnMut(Step<'_, P>) -> Result<Option<P>, Failure>,
) -> Result<P, Failure> {
    loop {
        take(Step::Ask)?;
        if !late(&plan) {
            return Ok(plan);
        }
        if let Some(new) = take(Step::Again(&plan))? {
            plan = new;
        }
    }
}

/// Asks for confirmation on a terminal; without one, `--yes` must have been given.
pub fn confirm(context: &mut Context) -> Result<(), Failure> {
    let said_no = |what: &str| Failure::refused(what, "confirm with --yes");
    if !io::stdin().is_terminal() || !context.output.err.is_terminal() {
        return Err(said_no("no terminal to ask for confirmation"));
    }
    context.output.err.text("Go ahead? [y/N] ");
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    match (read, answer.trim()) {
        (Ok(_), "y" | "Y" | "yes") => Ok(()),
        _ => Err(said_no("not confirmed")),
    }
}

/// A person wants to see time pass; a program does not.
pub fn default_pace(context: &Context) -> Pace {
    if context.output.out.is_terminal() { Pace::Times(60.0) } else { Pace::Max }
}

/// Runs to the end. The failure is that it did not begin, or that the journal cannot be read after a panic.
fn drive(prepared: Prepared, store: &mut dyn Store, context: &mut Context) -> Result<(Supervised, bool), Failure> {
    let Prepared { plan, account: mut opened, .. } = prepared;
    let (run, by) = (plan.run.clone(), context.env.who());
    let screen = Screen::over(&mut context.output, &run, context.json);
    let told = screen.clone();
    let signals = Signals::listen(move || told.say_progress()).map_err(|error| no_signals(&error))?;
    let around = Surroundings {
        account: opened.account.as_mut(),
        store,
        env: &context.env,
        interrupts: signals.interrupts.clone(),
        live: opened.live,
    };
    let ended = perform(around, plan, &by, &mut |recorded| screen.tell(recorded));
    let (asked_to_stop, count) = (signals.interrupts.get().is_some(), signals.count());
    screen.end(&mut context.output, || signals.count() > count);
    tell_reasons(&opened.account.reasons(), context);
    Ok((ended?, asked_to_stop))
}

/// Runs a plan under the supervisor, to its end. The failure is that it did not begin, or that the journal cannot be read after
/// a panic.
pub fn perform(
    around: Surroundings<'_>,
    plan: Plan,
    by: &str,
    tell: &mut dyn FnMut(&crate::run::Recorded),
) -> Result<Supervised, Failure> {
    let run = plan.run.clone();
    let mut not_begun = None;
    let begin = |around: Surroundings<'_>, tell: &mut dyn FnMut(&crate::run::Recorded)| match Driver::begin(
        around,
        plan,
        by.to_owned(),
    ) {
        Ok(mut driver) => driver.run(tell),
        Err(error) => {
            let failed = StoreError::Failed(error.to_string());
            not_begun = Some(error);
            Err(failed)
        }
    };
    let ended = supervise(around, &run, by, begin, tell);
    match (ended, not_begun) {
        (_, Some(error)) => Err(refuse(error)),
        (Ok(ended), None) => Ok(ended),
        (Err(error), None) => Err(lost(&run, &error)),
    }
}

/// More reasons are not shown.
const MOST_REASONS: usize = 12;

/// Prints why calls failed and messages died, where the account knows.
fn tell_reasons(reasons: &[Reason], context: &mut Context) {
    let reasons: Vec<&Reason> = reasons.iter().filter(|reason| reason.why.is_failure()).collect();
    if reasons.is_empty() {
        return;
    }
    let err = &mut context.output.err;
    err.line("why calls failed and messages were dead-lettered in the sandbox:");
    reasons.iter().take(MOST_REASONS).for_each(|reason| err.line(format!("  {reason}")));
    if let more @ 1.. = reasons.len().saturating_sub(MOST_REASONS) {
        err.line(format!("  and {more} more"));
    }
}

/// Prints what the events do not say, and gives the exit code.
pub fn conclude(supervised: &Supervised, context: &mut Context) -> Exit {
    let err = &mut context.output.err;
    if let Some(panic) = &supervised.panic {
        err.line(format!(
            "bug: squall panicked ({panic}); what it had changed was rolled back from the journal. Please report this."
        ));
    }
    if let Some(panic) = &supervised.mute {
        err.line(format!(
            "bug: the code that prints events panicked ({panic}); the run continued without it, and `squall log` \
             shows all events. Please report this."
        ));
    }
    match &supervised.ending {
        Ending::TakenOver { by } => {
            err.line(format!("{by} took the run over; this process has written nothing since"));
            Exit::Unknown
        }
        Ending::Closed { verdict, left, journal } => {
            if let Some(why) = journal {
                err.line(format!("the journal lacks the last events: {why}"));
            }
            match (Exit::of_run(verdict, !left.is_empty()), &supervised.panic) {
                (Exit::Left, _) => Exit::Left,
                (_, Some(_)) => Exit::Bug,
                (exit, None) => exit,
            }
        }
    }
}

/// Without its signals a run could be ended without an undo.
pub fn no_signals(error: &io::Error) -> Failure {
    Failure::refused(
        format!("signals cannot be caught: {error}"),
        "check the limits of the process, such as `ulimit -n`",
    )
}

fn refuse(error: NotBegun) -> Failure {
    match error {
        NotBegun::Store(error) => error.into(),
        NotBegun::Halted(_) => Failure::refused(error.to_string(), "squall halt --lift"),
        NotBegun::TooLate { .. } => Failure::refused(error.to_string(), "make the plan again: squall run FILE"),
        NotBegun::Conflict(conflict) => {
            let next = format!("wait for it to end, or stop it: squall undo {}", conflict.run);
            Failure::refused(format!("another {conflict}"), next)
        }
    }
}

/// Something may be changed and the journal cannot tell.
pub fn lost(run: &RunId, error: &StoreError) -> Failure {
    Failure {
        exit: Exit::Left,
        what: format!("{run} could not be rolled back from its journal: {error}"),
        next: Some("roll back from the locks in the account: squall undo --account NAME".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plans by their number; each yes takes as long as the list says.
    fn asked(takes: &[bool], refuse: Option<u32>) -> (Result<u32, Failure>, Vec<String>) {
        let said = std::cell::RefCell::new(Vec::new());
        let late = |plan: &u32| takes[*plan as usize];
        let ended = until_in_time(0, late, |step| match step {
            Step::Ask => {
                said.borrow_mut().push("ask".to_owned());
                Ok(None)
            }
            Step::Again(old) if Some(*old) == refuse => Err(Failure::refused("locked", "wait")),
            Step::Again(old) => {
                said.borrow_mut().push(format!("again {old}"));
                Ok(Some(old + 1))
            }
        });
        (ended, said.into_inner())
    }

    #[test]
    fn a_plan_that_is_confirmed_too_late_is_made_again_and_asked_for_again() {
        let (plan, said) = asked(&[false], None);
        assert_eq!((plan, said.join(", ").as_str()), (Ok(0), "ask"));
        let (plan, said) = asked(&[true, true, false], None);
        assert_eq!((plan, said.join(", ").as_str()), (Ok(2), "ask, again 0, ask, again 1, ask"));
        let (plan, said) = asked(&[true, true], Some(1));
        assert_eq!(
            (plan.map_err(|failure| failure.what), said.join(", ").as_str()),
            (Err("locked".into()), "ask, again 0, ask")
        );
    }
}
