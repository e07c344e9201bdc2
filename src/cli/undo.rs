//! `squall undo`.

mod change;
mod locks;
mod signed;
mod wait;

use std::collections::{BTreeMap, BTreeSet};

use super::accounts::{self, NamedBy, Opened, Pace};
use super::project::pick_run;
use super::screen::Screen;
use super::signals::Signals;
use super::{Context, Ended, Exit, Failure, named, report, run, status as listed};
use crate::account::{Location, Resource};
use crate::driver::supervise::Supervised;
use crate::driver::supervise::supervise;
use crate::driver::{Driver, Ending, Surroundings};
use crate::env::Env as _;
use crate::ids::AccountName;
use crate::ids::RunId;
use crate::plan::Plan;
use crate::report::words;
use crate::run::Recorded;
use crate::run::event::Event;
use crate::run::later;
use crate::run::state::State;
use crate::spec::load::ProjectFiles;
use crate::store::aftermath::Aftermath;
use crate::store::memory::MemoryStore;
use crate::store::{JournalKind, LookAgain, Store, StoreError};
use crate::units::Time;

/// Roll back what runs changed: one run, or all
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without a run, everything outstanding is rolled back. A live run is asked to stop, and waited for. What others \
changed in the meantime is left alone and named. Safe to run again at any time; exit code 6 as long as something is \
left behind.

With --account the marks in the account itself are read, not the journal: for when the machine that ran it is gone. What is \
known from marks alone is listed first and asked for, within what squall.yaml allows for the account.

Examples:
  squall undo
  squall undo 3f9k2m
  squall undo --account staging
  squall undo 3f9k2m --take-over     its process hangs
  squall undo 3f9k2m --change 2      what one change was, and how to put it back by hand")]
pub struct Args {
    /// The run, or part of its id [default: every run with something outstanding]
    run: Option<String>,
    /// Take a run over from a process that is live but does not react, or that may be live elsewhere
    #[arg(long)]
    take_over: bool,
    /// With --account: roll back without confirmation what is known only from the locks in the account
    #[arg(long, short)]
    yes: bool,
    /// With --account: restore a limit even if that lowers it below what the run set, or a delay even if that raises it
    #[arg(long)]
    restore_lower: bool,
    /// With --account: write to this account although squall.yaml says `writing: refused`
    #[arg(long, value_name = "ACCOUNT")]
    allow_writing: Vec<String>,
    /// With --account: write to this production account
    #[arg(long, value_name = "ACCOUNT")]
    open_production: Vec<String>,
    /// Show one change: its value before, its value now, and the command that restores it by hand. Nothing is written
    #[arg(long, value_name = "N", requires = "run")]
    change: Option<u32>,
    /// How fast the sandbox's time passes: `1x`, `60x` or `max` [default: 60x on a terminal, else max]
    #[arg(long, value_parser = accounts::pace)]
    pace: Option<Pace>,
}

/// One journal that has to be worked off, or begun.
enum Task {
    /// A run, or a later rollback, that has no end yet.
    Journal(RunId),
    /// A process is at work on it.
    Live(RunId),
    /// What is known from the closed journal `source` to be, or to be found again, on these resources.
    Closed { source: RunId, resources: BTreeSet<Resource> },
    /// A write of this closed journal had no answer; its settings are read once more from then on.
    LookAgain { source: RunId, again: LookAgain },
    /// From what a run's locks say: the beginning of the journal.
    Locks(Vec<Recorded>),
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let pace = args.pace.unwrap_or_else(|| run::default_pace(context));
    named::somewhere(&context.project)?;
    let (mut store, unusable) = open_store(context)?;
    if let Some(number) = args.change {
        let run = pick_run(store.as_ref(), args.run.as_deref())?;
        return change::show(&run, number, store.as_ref(), context);
    }
    let (tasks, mut worst) = match context.account.clone() {
        Some(account) => locks::tasks(&account, args, store.as_mut(), context)?,
        None => (journals(args, store.as_mut())?, Exit::Fine),
    };
    if let Some(why) = unusable {
        context.output.err.line(format!("the journal cannot be used, so nothing is recorded: {why}"));
    }
    if tasks.is_empty() && worst == Exit::Fine {
        // A journal that was lost knows nothing; the account's locks do.
        if args.run.is_none() && listed::locks_without_journal(&store.runs()?, context)? {
            return Ok(Exit::Left);
        }
        nothing_outstanding(store.as_ref(), context);
    }
    for task in tasks {
        let ended = one(task, args.take_over, pace, store.as_mut(), context);
        let exit = ended.unwrap_or_else(|failure| {
            super::print_failure(&failure, &mut context.output);
            failure.exit
        });
        // One that fails never stops the others.
        worst = worst.max(exit);
    }
    Ok(worst)
}

/// Rolls back every run whose process is dead. Runs that are live, and what closed runs left, are not touched.
pub fn dead(pace: Pace, store: &mut dyn Store, context: &mut Context) -> Result<Exit, Failure> {
    let rows = store.runs()?;
    let mut worst = Exit::Fine;
    for aftermath in Aftermath::of_all(&rows) {
        for task in of_run(&aftermath, store)? {
            let Task::Journal(run) = task else { continue };
            let ended = one(Task::Journal(run), false, pace, store, context);
            worst = worst.max(ended.unwrap_or_else(|failure| {
                super::print_failure(&failure, &mut context.output);
                failure.exit
            }));
        }
    }
    Ok(worst)
}

/// Nothing is to be done. What a person took care of is said: it is no rollback.
fn nothing_outstanding(store: &dyn Store, context: &mut Context) {
    let err = &mut context.output.err;
    err.line("nothing is outstanding");
    for row in store.runs().unwrap_or_default() {
        if let JournalKind::Acknowledgement { of, by, reason, .. } = &row.kind {
            err.line(format!("  what {of} left was acknowledged by {by}: {reason}"));
        }
    }
}

/// The journal; with --account, where the marks are enough, one in memory in place of a journal that cannot be used.
fn open_store(context: &Context) -> Result<(Box<dyn Store>, Option<StoreError>), Failure> {
    match (context.project.store(), &context.account) {
        (Ok(store), _) => Ok((Box::new(store), None)),
        (Err(error), Some(_)) => Ok((Box::new(MemoryStore::new()), Some(error))),
        (Err(error), None) => Err(cannot_tell(error)),
    }
}

/// Without its journal nothing tells what is outstanding.
pub fn cannot_tell(error: StoreError) -> Failure {
    Failure {
        exit: Exit::Left,
        what: format!("what is outstanding could not be determined: {error}"),
        next: Some("roll back from the locks in the account: squall undo --account NAME".into()),
    }
}

/// Every mark that stands in an account, with its text.
pub fn locks_in(name: &AccountName, context: &mut Context) -> Result<Vec<(Resource, String)>, Failure> {
    let mut opened = open(name, Pace::Max, context)?;
    locks::list(&mut opened, name)
}

/// What the journals say has to be done: of one run, or of all.
fn journals(args: &Args, store: &mut dyn Store) -> Result<Vec<Task>, Failure> {
    let rows = store.runs()?;
    let chosen = args.run.as_deref().map(|name| pick_run(store, Some(name))).transpose()?;
    let chosen =
        chosen.map(|run| rows.iter().find(|row| row.run == run).map_or(run.clone(), |row| row.origin().clone()));
    let mut tasks = Vec::new();
    for aftermath in Aftermath::of_all(&rows) {
        if chosen.is_none() || aftermath.origin() == chosen.as_ref() {
            tasks.extend(of_run(&aftermath, store)?);
        }
    }
    Ok(tasks)
}

/// What there is to do about one run and its later rollbacks.
fn of_run(aftermath: &Aftermath, store: &mut dyn Store) -> Result<Vec<Task>, Failure> {
    let mut tasks = Vec::new();
    for row in aftermath.open() {
        match (row.alive, row.started) {
            (true, _) => tasks.push(Task::Live(row.run.clone())),
            // It died before its first event, and still claims what it was to change.
            (false, None) => store.release(&row.run)?,
            // Not closed: its claims stand in the way of others, even when nothing is outstanding.
            (false, Some(_)) => tasks.push(Task::Journal(row.run.clone())),
        }
    }
    if !tasks.is_empty() {
        return Ok(tasks);
    }
    let mut by_source: BTreeMap<RunId, BTreeSet<Resource>> = BTreeMap::new();
    for left in &aftermath.left {
        if let Some(source) = aftermath.known_from.get(&left.resource) {
            by_source.entry(source.clone()).or_default().insert(left.resource.clone());
        }
    }
    tasks.extend(by_source.into_iter().map(|(source, resources)| Task::Closed { source, resources }));
    let again = aftermath
        .look_again
        .iter()
        .map(|(source, again)| Task::LookAgain { source: source.clone(), again: again.clone() });
    tasks.extend(again);
    Ok(tasks)
}

fn one(task: Task, take_over: bool, pace: Pace, store: &mut dyn Store, context: &mut Context) -> Ended {
    match task {
        Task::Live(run) if !take_over => match wait::until_closed(&run, store, context)? {
            wait::Waited::Closed(exit) => Ok(exit),
            wait::Waited::Died => from_journal(&run, pace, store, context),
        },
        Task::Live(run) | Task::Journal(run) => from_journal(&run, pace, store, context),
        Task::Closed { source, resources } => from_closed(&source, &resources, None, pace, store, context),
        Task::LookAgain { source, again } => {
            from_closed(&source, &again.resources, Some(again.from), pace, store, context)
        }
        Task::Locks(events) => from_locks(events, pace, store, context),
    }
}

fn from_journal(run: &RunId, pace: Pace, store: &mut dyn Store, context: &mut Context) -> Ended {
    let readable = store.to_roll_back(run).map_err(|error| run::lost(run, &error))?;
    if readable.skipped > 0 {
        let events = words::plural(readable.skipped, "event", "events");
        context
            .output
            .err
            .line(format!("{run}: {events} of a newer version of squall cannot be read; rolling back without them"));
    }
    let events = readable.events;
    let Some(Event::Started { plan, .. }) = events.first().map(|first| &first.event) else { return Ok(Exit::Fine) };
    let opened = open_of(plan, pace, context)?;
    let by = context.env.who();
    drive(run, &events, opened, store, context, |around| Driver::take_over(around, run, by))
}

/// A later rollback of what a closed journal left, in a journal of its own. With `not_before` it is only a look, for which
/// the time must have come.
fn from_closed(
    source: &RunId,
    resources: &BTreeSet<Resource>,
    not_before: Option<Time>,
    pace: Pace,
    store: &mut dyn Store,
    context: &mut Context,
) -> Ended {
    let events = store.to_roll_back(source).map_err(|error| run::lost(source, &error))?.events;
    let state = State::replay(events.iter().map(|recorded| (recorded.at, &recorded.event)));
    let Some(state) = state else { return Ok(Exit::Fine) };
    let opened = open_of(&state.plan, pace, context)?;
    let (now, by, origin) = (opened.account.now(), context.env.who(), state.plan.origin());
    if let Some(from) = not_before.filter(|from| now < *from) {
        let again = format!("after {}: squall undo {origin}", words::instant(from));
        context.output.err.line(format!("{origin}: one of its writes got no answer; check again {again}"));
        return Ok(Exit::Fine);
    }
    let key = Aftermath::next_rollback(&store.runs()?, origin);
    let events = later::journal_of(key.clone(), &state, resources, &by, now);
    drive(&key, &[], opened, store, context, |around| Driver::roll_back(around, events, by))
}

fn from_locks(events: Vec<Recorded>, pace: Pace, store: &mut dyn Store, context: &mut Context) -> Ended {
    let Some(Event::Started { plan, .. }) = events.first().map(|first| &first.event) else { return Ok(Exit::Fine) };
    let key = plan.run.clone();
    let opened = open_of(plan, pace, context)?;
    let by = context.env.who();
    drive(&key, &[], opened, store, context, |around| Driver::roll_back(around, events, by))
}

/// Undoes one run. `before` is what was told of it already.
fn drive(
    run: &RunId,
    before: &[Recorded],
    mut opened: Opened,
    store: &mut dyn Store,
    context: &mut Context,
    begin: impl FnOnce(Surroundings<'_>) -> Result<Driver<'_>, StoreError>,
) -> Ended {
    let by = context.env.who();
    let screen = Screen::over(&mut context.output, run, context.json);
    screen.catch_up(before);
    let told = screen.clone();
    let signals = Signals::listen(move || told.say_progress()).map_err(|error| run::no_signals(&error))?;
    let around = Surroundings {
        account: opened.account.as_mut(),
        store,
        env: &context.env,
        interrupts: signals.interrupts.clone(),
        live: opened.live,
    };
    let begin = |around: Surroundings<'_>, tell: &mut dyn FnMut(&Recorded)| begin(around)?.run(tell);
    let ended = supervise(around, run, &by, begin, &mut |recorded| screen.tell(recorded));
    let count = signals.count();
    screen.end(&mut context.output, || signals.count() > count);
    let ended = ended.map_err(|error| run::lost(run, &error))?;
    run::conclude(&ended, context);
    report::write_all(run, store, context);
    Ok(exit(&ended))
}

/// The undo did what it was asked when nothing is left, whatever the run's verdict.
fn exit(ended: &Supervised) -> Exit {
    match (&ended.ending, &ended.panic) {
        (Ending::Closed { left, .. }, None) if left.is_empty() => Exit::Fine,
        (Ending::Closed { left, .. }, Some(_)) if left.is_empty() => Exit::Bug,
        (Ending::Closed { .. }, _) => Exit::Left,
        (Ending::TakenOver { .. }, _) => Exit::Left,
    }
}

/// The account with a nickname.
fn open(name: &AccountName, pace: Pace, context: &mut Context) -> Result<Opened, Failure> {
    let files = project(context)?;
    let opening = accounts::opening(pace, &context.env);
    accounts::open(&files, &BTreeSet::from([name.clone()]), &context.project, &opening).map_err(left)
}

/// The accounts that a run changed something in: those with the same identity, whatever they are called now.
pub fn open_of(plan: &Plan, pace: Pace, context: &mut Context) -> Result<Opened, Failure> {
    let changed = plan.changed_resources().into_iter().map(|resource| resource.location);
    let locations: BTreeSet<Location> = plan.accounts.iter().cloned().chain(changed).collect();
    open_at(&locations, plan, pace, context)
}

fn open_at(locations: &BTreeSet<Location>, plan: &Plan, pace: Pace, context: &mut Context) -> Result<Opened, Failure> {
    let files = project(context)?;
    let named_by = NamedBy::arns(plan.permissions.iter().map(|permission| permission.resource.as_str()));
    let opening = accounts::opening(pace, &context.env);
    accounts::open_at(&files, locations, &named_by, &context.project, &opening).map_err(left)
}

fn left(failure: Failure) -> Failure {
    Failure { exit: Exit::Left, ..failure }
}

fn project(context: &Context) -> Result<ProjectFiles, Failure> {
    let (files, findings) = ProjectFiles::open(&context.project.root);
    files.ok_or_else(|| Failure {
        exit: Exit::Left,
        what: format!("squall.yaml cannot be used: {}", findings.count()),
        next: Some("squall check".into()),
    })
}
