//! What the locks in an account say is outstanding.

use std::collections::{BTreeMap, BTreeSet};

use super::{Args, Task};
use crate::account::{Account, Call, CallError, Location, Reply, Resource, Setting, Value, ask};
use crate::cli::accounts::{Opened, Pace};
use crate::cli::{Context, Exit, Failure};
use crate::faults::listed;
use crate::guard::{OPT_OUT, opt_out};
use crate::ids::{AccountName, RunId};
use crate::project::{AccountSpec, Writing};
use crate::report::words;
use crate::run::event::Event;
use crate::run::lock::{Lock, journal_of};
use crate::store::Store;
use crate::store::aftermath::Aftermath;
use crate::units::Span;

/// The marks of one run, read and as they stand there.
#[derive(Default)]
struct Locked {
    locks: BTreeMap<Resource, Lock>,
    texts: BTreeMap<Resource, String>,
}

/// What there is to do in an account: about the runs that have locks there, and about what the journals say is outstanding
/// there. The exit code is for locks that cannot be acted on, which are named.
pub fn tasks(
    name: &AccountName,
    args: &Args,
    store: &mut dyn Store,
    context: &mut Context,
) -> Result<(Vec<Task>, Exit), Failure> {
    let mut opened = super::open(name, Pace::Max, context)?;
    let listed = list(&mut opened, name)?;
    let mut worst = Exit::Fine;
    let mut runs: BTreeMap<RunId, Locked> = BTreeMap::new();
    for (resource, text) in listed {
        match Lock::parse(&resource, &text) {
            Ok(lock) => {
                let locked = runs.entry(lock.run.clone()).or_default();
                locked.locks.insert(resource.clone(), lock);
                locked.texts.insert(resource, text);
            }
            Err(error) => {
                context.output.err.line(format!("{error}; look at it and remove it by hand"));
                worst = Exit::Left;
            }
        }
    }
    let rows = store.runs().unwrap_or_default();
    let chosen = |run: &RunId| args.run.as_deref().is_none_or(|chosen| run.0.contains(chosen));
    let mut tasks = Vec::new();
    for (run, locked) in runs.iter().filter(|(run, _)| chosen(run)) {
        let aftermath = Aftermath::of(&rows, run);
        if let Some(task) = from_here(run, locked, &aftermath, store) {
            tasks.push(task);
            continue;
        }
        let key = Aftermath::next_rollback(&rows, run);
        match from_locks((run, key), locked, name, args, &mut opened, context) {
            Ok(task) => tasks.push(task),
            Err(failure) => {
                crate::cli::print_failure(&failure, &mut context.output);
                worst = Exit::Left;
            }
        }
    }
    let here = opened.locations.get(name).cloned();
    for aftermath in Aftermath::of_all(&rows) {
        let Some(origin) = aftermath.origin().filter(|run| chosen(run) && !runs.contains_key(*run)) else { continue };
        if here.as_ref().is_some_and(|here| is_in(here, origin, &aftermath, store)) {
            tasks.extend(super::of_run(&aftermath, store)?);
        }
    }
    Ok((tasks, worst))
}

/// What this project's own journal says to do about a run that has locks in the account. A journal that is not here, cannot
/// be read, or ended without having made these very locks says nothing.
fn from_here(run: &RunId, locked: &Locked, aftermath: &Aftermath, store: &dyn Store) -> Option<Task> {
    if let Some(live) = aftermath.open().find(|row| row.alive) {
        return Some(Task::Live(live.run.clone()));
    }
    let readable = |run: &RunId| store.to_roll_back(run).ok().map(|readable| readable.events).unwrap_or_default();
    if let Some(open) = aftermath.open().find(|row| row.started.is_some()) {
        return (!readable(&open.run).is_empty()).then(|| Task::Journal(open.run.clone()));
    }
    // The account decides: a lock that came late is there, whatever the journal says.
    let events = if aftermath.run.is_some() { readable(run) } else { Vec::new() };
    let Some(Event::Started { plan, .. }) = events.first().map(|first| &first.event) else { return None };
    let ours = |resource: &Resource, text: &String| {
        let setting = Setting::Lock { resource: resource.clone() };
        plan.changes.values().any(|change| change.setting == setting && change.after == Value::Text(text.clone()))
    };
    let all_ours = locked.texts.iter().all(|(resource, text)| ours(resource, text));
    let resources = || locked.texts.keys().cloned().collect();
    all_ours.then(|| Task::Closed { source: run.clone(), resources: resources() })
}

/// Whether a run that has something outstanding has, or may have, changed something in an account.
fn is_in(here: &Location, origin: &RunId, aftermath: &Aftermath, store: &dyn Store) -> bool {
    let done = aftermath.left.is_empty() && aftermath.look_again.is_empty();
    let journals = aftermath
        .open()
        .map(|row| &row.run)
        .chain((!done).then_some(origin))
        .chain(aftermath.left.iter().filter_map(|left| aftermath.known_from.get(&left.resource)));
    let mut locations = journals.flat_map(|run| {
        let events = store.to_roll_back(run).map(|readable| readable.events).unwrap_or_default();
        match events.into_iter().next().map(|first| first.event) {
            Some(Event::Started { plan, .. }) => {
                let touched = plan.touched().into_iter().map(|resource| resource.location);
                plan.accounts.iter().cloned().chain(touched).collect::<Vec<_>>()
            }
            _ => Vec::new(),
        }
    });
    locations.any(|location| location.account == here.account)
}

/// A rollback of which nothing is known but marks, which anybody may have written who may write parameters: what it would
/// do is within the account's guards, shown, and agreed to.
fn from_locks(
    (run, key): (&RunId, RunId),
    locked: &Locked,
    name: &AccountName,
    args: &Args,
    opened: &mut Opened,
    context: &mut Context,
) -> Result<Task, Failure> {
    let left = |what: String, next: String| Failure { exit: Exit::Left, what, next: Some(next) };
    if !args.take_over
        && let Some(lock) = may_be_live(&locked.locks, opened.account.as_ref())
    {
        return Err(left(
            format!("{run} by {} may be live elsewhere until {}", lock.by, lock.latest_end),
            format!("when it is not: squall undo {run} --account {name} --take-over"),
        ));
    }
    guards(run, name, args, context)?;
    let opted_out = opted_out(&locked.locks, opened)?;
    if !opted_out.is_empty() {
        let (key, value) = OPT_OUT;
        return Err(left(
            format!("{run} is not rolled back from marks: {} carries the tag {key}={value}", listed(&opted_out)),
            "look at the mark, and put the value back by hand or take the tag away".into(),
        ));
    }
    let changes = || locked.locks.values().flat_map(|lock| &lock.changes);
    if let Some(change) = changes().find(|change| change.lowers())
        && !args.restore_lower
    {
        return Err(left(
            format!(
                "the mark of {run} would lower the {} from {} to {}, and no fault of squall raises a limit",
                change.setting, change.after, change.before
            ),
            format!("if that is right: squall undo {run} --account {name} --restore-lower"),
        ));
    }
    let err = &mut context.output.err;
    err.line(format!("{run} is known from its marks alone; where these values are still there, it rolls back:"));
    for change in changes() {
        let [before, after] = [&change.before, &change.after].map(|value| words::one_line(&value.to_string()));
        err.line(format!("  {}: {after} -> {before}", words::one_line(&change.setting.to_string())));
    }
    for (resource, _) in locked.locks.iter().filter(|(_, lock)| !lock.sends.is_empty()) {
        err.line(format!("  messages of {run} are looked for behind {}", words::one_line(&resource.to_string())));
    }
    if !args.yes {
        crate::cli::run::confirm(context).map_err(super::left)?;
    }
    Ok(Task::Locks(journal_of(key, &locked.locks, &locked.texts, opened.account.now())))
}

/// What `squall.yaml` says of the account counts for what comes from its marks, too.
fn guards(run: &RunId, name: &AccountName, args: &Args, context: &Context) -> Result<(), Failure> {
    let files = super::project(context)?;
    let Some(AccountSpec::Aws(account)) = files.project.accounts.get(name) else { return Ok(()) };
    let said = |names: &[String]| names.contains(&name.0);
    let refused = |why: &str, flag: &str| Failure {
        exit: Exit::Left,
        what: format!("{run} is not rolled back from marks: {why}"),
        next: Some(format!("if it may be: squall undo {run} --account {name} {flag} {name}")),
    };
    if account.writing == Writing::Refused && !said(&args.allow_writing) {
        return Err(refused(&format!("squall.yaml says `writing: refused` for {name}"), "--allow-writing"));
    }
    if account.production && !said(&args.open_production) {
        return Err(refused(&format!("{name} is a production account"), "--open-production"));
    }
    Ok(())
}

/// The marked resources whose owner says that no experiment may touch them.
fn opted_out(locks: &BTreeMap<Resource, Lock>, opened: &mut Opened) -> Result<Vec<Resource>, Failure> {
    let places: BTreeSet<_> = locks.keys().map(|resource| (resource.location.clone(), resource.kind)).collect();
    let mut found = Vec::new();
    for (location, kind) in places {
        match ask(opened.account.as_mut(), Call::Resolve { location: location.clone(), selector: opt_out(kind) }) {
            Ok(Reply::Resources(resources)) => found.extend(resources.into_iter().filter(|r| locks.contains_key(r))),
            other => {
                let why = other.map_or_else(|error| error.to_string(), |reply| format!("{reply:?}"));
                return Err(Failure {
                    exit: Exit::Left,
                    what: format!("the tags in {location} cannot be looked at: {why}"),
                    next: Some("run it again, with permission to look at tags".into()),
                });
            }
        }
    }
    Ok(found)
}

/// A run of another machine that is not past its latest end may still be undoing by itself.
fn may_be_live<'a>(locks: &'a BTreeMap<Resource, Lock>, account: &dyn Account) -> Option<&'a Lock> {
    let last = locks.values().max_by_key(|lock| lock.latest_end)?;
    (account.now() < last.latest_end).then_some(last)
}

/// Every mark of an account: of its region, and of the one in which marks on what is global are.
pub fn list(opened: &mut Opened, name: &AccountName) -> Result<Vec<(Resource, String)>, Failure> {
    let Some(location) = opened.locations.get(name).cloned() else { return Ok(Vec::new()) };
    let mut locks = list_at(opened.account.as_mut(), name, &location)?;
    if location.global() != location {
        // What else is locked in that region belongs to another account of `squall.yaml`.
        let global = list_at(opened.account.as_mut(), name, &location.global())?;
        locks.extend(global.into_iter().filter(|(resource, _)| resource.kind.is_global()));
    }
    Ok(locks)
}

/// The marks in one region, asked for again when there is no answer.
fn list_at(account: &mut dyn Account, name: &AccountName, at: &Location) -> Result<Vec<(Resource, String)>, Failure> {
    let mut pause = Span::from_secs(1);
    loop {
        match ask(account, Call::ListLocks { location: at.clone() }) {
            Ok(Reply::Locks(locks)) => return Ok(locks),
            Err(CallError::Throttled | CallError::Unknown(_)) if pause < Span::from_secs(60) => {
                let until = account.now() + pause;
                while account.now() < until {
                    let _ = account.next(until);
                }
                pause = pause * 2;
            }
            Ok(other) => return Err(unlisted(name, at, &format!("{other:?}"))),
            Err(error) => return Err(unlisted(name, at, &error.to_string())),
        }
    }
}

fn unlisted(name: &AccountName, at: &Location, why: &str) -> Failure {
    Failure {
        exit: Exit::Left,
        what: format!("the marks in {name} ({at}) cannot be listed: {why}"),
        next: Some(format!("squall doctor --account {name}")),
    }
}
