//! What the locks in an account say is outstanding.

use std::collections::{BTreeMap, BTreeSet};

use super::{Args, Task, signed};
use crate::account::{Account, Call, CallError, Location, Reply, Resource, Setting, Value, ask};
use crate::cli::accounts::{Opened, Pace};
use crate::cli::{Context, Exit, Failure};
use crate::clock::{LEASE_SEEN_AGAIN, LEASE_TOLERANCE};
use crate::faults::listed;
use crate::guard::{OPT_OUT, opt_out};
use crate::ids::{AccountName, RunId};
use crate::project::{AccountSpec, Writing};
use crate::report::words;
use crate::run::event::Event;
use crate::run::lock::{Lock, NotALock, journal_of};
use crate::store::Store;
use crate::store::aftermath::Aftermath;
use crate::units::{Span, Time};

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
    let key = super::project(context)?.project.accounts.get(name).and_then(AccountSpec::mark_key).cloned();
    let mut worst = Exit::Fine;
    let mut runs: BTreeMap<RunId, Locked> = BTreeMap::new();
    for (resource, text) in listed {
        let signed = |lock: Lock| match &key {
            Some(key) => signed::check(&text, &resource.location, key, opened.account.as_mut())
                .map_err(|why| NotALock { resource: Box::new(resource.clone()), why })
                .map(|()| lock),
            None => Ok(lock),
        };
        match Lock::parse(&resource, &text).and_then(signed) {
            Ok(lock) => {
                let locked = runs.entry(lock.run.clone()).or_default();
                locked.locks.insert(resource.clone(), lock);
                locked.texts.insert(resource, text);
            }
            Err(error) => {
                context.output.err.line(format!("{error}; inspect it and remove it by hand"));
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

/// A rollback of which only the locks are known, which any caller with `ssm:PutParameter` may have written: what it
/// would
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
        && let Some((by, until)) = may_be_live(&locked.locks, opened.account.as_mut()).map_err(super::left)?
    {
        return Err(left(
            format!("{run} by {by} may be live elsewhere until {until}"),
            format!(
                "run this again after that; or, if you are sure its process is gone: squall undo {run} --account {name} --take-over"
            ),
        ));
    }
    guards(run, name, args, context)?;
    let opted_out = opted_out(&locked.locks, opened)?;
    if !opted_out.is_empty() {
        let (key, value) = OPT_OUT;
        return Err(left(
            format!("{run} is not rolled back from locks: {} has the tag {key}={value}", listed(&opted_out)),
            "inspect the lock, and restore the value by hand or remove the tag".into(),
        ));
    }
    let changes = || locked.locks.values().flat_map(|lock| &lock.changes);
    if let Some(change) = changes().find(|change| change.is_against_faults())
        && !args.restore_lower
    {
        return Err(left(
            format!(
                "the lock of {run} would {} the {} from {} to {}, which undoes no fault of squall",
                if change.setting.faults_raise() { "raise" } else { "lower" },
                change.setting,
                change.after,
                change.before
            ),
            format!("if that is correct: squall undo {run} --account {name} --restore-lower"),
        ));
    }
    let err = &mut context.output.err;
    err.line(format!("{run} is known only from its locks; where these values are still set, the rollback writes:"));
    for change in changes() {
        let [before, after] = [&change.before, &change.after].map(|value| words::one_line(&value.to_string()));
        err.line(format!("  {}: {after} -> {before}", words::one_line(&change.setting.to_string())));
    }
    for (resource, _) in locked.locks.iter().filter(|(_, lock)| !lock.sends.is_empty()) {
        err.line(format!("  messages of {run} are searched for behind {}", words::one_line(&resource.to_string())));
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
        what: format!("{run} is not rolled back from locks: {why}"),
        next: Some(format!("to allow it: squall undo {run} --account {name} {flag} {name}")),
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
                    what: format!("the tags in {location} cannot be read: {why}"),
                    next: Some("run this again with permission to read tags".into()),
                });
            }
        }
    }
    Ok(found)
}

/// Whose run may still be rolling back by itself on another machine, and until when: up to its latest end, unless the lease on its
/// locks is over. That is looked at twice, because an owner that is rolling back renews the next lock only when it has removed the
/// one before.
fn may_be_live(locks: &BTreeMap<Resource, Lock>, account: &mut dyn Account) -> Result<Option<(String, Time)>, Failure> {
    let Some(last) = locks.values().max_by_key(|lock| lock.latest_end) else { return Ok(None) };
    for look in 0..2 {
        if look > 0 {
            wait(account, LEASE_SEEN_AGAIN);
        }
        let until = lease_ends(locks, account)?.min(last.latest_end);
        if account.now() < until {
            return Ok(Some((last.by.clone(), until)));
        }
        if until == last.latest_end {
            break;
        }
    }
    Ok(None)
}

/// When the lease on these locks is over for others. A lock without one says nothing before its latest end.
fn lease_ends(locks: &BTreeMap<Resource, Lock>, account: &mut dyn Account) -> Result<Time, Failure> {
    let mut ends = Time::EPOCH;
    for (resource, lock) in locks {
        let Some(lease) = lock.lease else { return Ok(Time::NEVER) };
        ends = ends.max(alive(resource, account)? + lease + LEASE_TOLERANCE);
    }
    Ok(ends)
}

/// When the owner of a lock last showed that it was alive. A lock that is gone by now was removed by a live owner.
fn alive(resource: &Resource, account: &mut dyn Account) -> Result<Time, Failure> {
    let mut pause = Span::from_secs(1);
    loop {
        match ask(account, Call::Lease { resource: resource.clone() }) {
            Ok(Reply::Alive(at)) => return Ok(at),
            Err(CallError::Gone(_)) => return Ok(account.now()),
            Err(CallError::Throttled | CallError::Unknown(_)) if pause < Span::from_secs(60) => {
                wait(account, pause);
                pause = pause * 2;
            }
            other => {
                let why = other.map_or_else(|error| error.to_string(), |reply| format!("{reply:?}"));
                return Err(Failure {
                    exit: Exit::Left,
                    what: format!("the lease on the lock of {resource} cannot be read: {why}"),
                    next: Some("if you are sure its owner is gone, add --take-over".into()),
                });
            }
        }
    }
}

/// Lets time pass.
pub(super) fn wait(account: &mut dyn Account, span: Span) {
    let until = account.now() + span;
    while account.now() < until {
        let _ = account.next(until);
    }
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
                wait(account, pause);
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
        what: format!("the locks in {name} ({at}) cannot be listed: {why}"),
        next: Some(format!("squall doctor --account {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::sandbox::{World, shop_like};
    use crate::account::{ResourceKind, Write};
    use crate::clock::LEASE;

    const END: Span = Span::from_mins(40);

    fn start() -> Time {
        "2026-03-02T09:00:00Z".parse().unwrap()
    }

    fn locked(lease: Option<Span>) -> (World, BTreeMap<Resource, Lock>) {
        let mut world = World::new(&shop_like(), 7, start()).unwrap();
        let mut locks = BTreeMap::new();
        for name in ["payment-worker", "order-api"] {
            let resource = Resource::new(&Location::sandbox(), ResourceKind::Function, name);
            let write = Write {
                setting: Setting::Lock { resource: resource.clone() },
                value: Value::Text(name.into()),
                whole: None,
            };
            ask(&mut world, Call::Write(write)).unwrap();
            let lock = Lock {
                run: RunId("run-1".into()),
                title: "t".into(),
                by: "ana@laptop".into(),
                made_at: start(),
                latest_end: start() + END,
                lease,
                changes: Vec::new(),
                sends: Vec::new(),
            };
            locks.insert(resource, lock);
        }
        (world, locks)
    }

    fn until(world: &mut World, locks: &BTreeMap<Resource, Lock>) -> Option<Span> {
        may_be_live(locks, world).ok().unwrap().map(|(_, until)| until.since(start()))
    }

    #[test]
    fn an_owner_is_gone_when_its_lease_is_over() {
        let (mut world, locks) = locked(Some(LEASE));
        let over = LEASE + LEASE_TOLERANCE;
        assert!(until(&mut world, &locks).is_some_and(|until| until < over + Span::from_secs(1)));
        // One lock carries the lease of all.
        world.run_until(start() + Span::from_mins(2));
        let resource = locks.keys().next_back().unwrap().clone();
        let at = world.now();
        ask(&mut world, Call::Renew { resource, at }).unwrap();
        world.run_until(start() + Span::from_mins(5));
        assert!(until(&mut world, &locks).is_some_and(|until| until > Span::from_mins(5)));
        world.run_until(start() + Span::from_mins(2) + over);
        let before = world.now();
        assert_eq!(until(&mut world, &locks), None);
        assert!(world.now().since(before) >= LEASE_SEEN_AGAIN, "it is looked at twice");
    }

    /// An owner that rolls back removes the lock that carried the lease, and renews the next one a moment later.
    #[test]
    fn an_owner_that_removes_its_locks_is_alive() {
        let (mut world, locks) = locked(Some(LEASE));
        world.run_until(start() + Span::from_mins(10));
        let setting = Setting::Lock { resource: locks.keys().next().unwrap().clone() };
        ask(&mut world, Call::Write(Write { setting, value: Value::Unset, whole: None })).unwrap();
        assert!(until(&mut world, &locks).is_some());
    }

    #[test]
    fn a_lock_without_a_lease_counts_until_its_latest_end() {
        let (mut world, locks) = locked(None);
        world.run_until(start() + END - Span::from_secs(1));
        assert_eq!(until(&mut world, &locks), Some(END));
        world.run_until(start() + END);
        assert_eq!(until(&mut world, &locks), None);
        // And no lease counts for longer than that.
        let (mut world, locks) = locked(Some(LEASE));
        world.run_until(start() + END);
        let (resource, at) = (locks.keys().next().unwrap().clone(), world.now());
        ask(&mut world, Call::Renew { resource, at }).unwrap();
        assert_eq!(until(&mut world, &locks), None);
    }
}
