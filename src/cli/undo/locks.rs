//! What the locks in an account say is outstanding.

use std::collections::{BTreeMap, BTreeSet};

use super::{Args, Task};
use crate::account::{Account, Call, CallError, Location, Reply, Resource, ask};
use crate::cli::accounts::{Opened, Pace};
use crate::cli::{Context, Exit, Failure};
use crate::faults::listed;
use crate::guard::{OPT_OUT, opt_out};
use crate::ids::{AccountName, RunId};
use crate::project::{AccountSpec, Writing};
use crate::report::words;
use crate::run::lock::{Lock, journal_of};
use crate::store::{Store, StoreError};
use crate::units::Span;

/// The marks of one run, read and as they stand there.
#[derive(Default)]
struct Locked {
    locks: BTreeMap<Resource, Lock>,
    texts: BTreeMap<Resource, String>,
}

/// The runs that have marks in an account. The exit code is for marks that cannot be acted on, which are named.
pub fn tasks(
    name: &AccountName,
    args: &Args,
    store: &dyn Store,
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
    let mut tasks = Vec::new();
    for (run, locked) in runs {
        if args.run.as_deref().is_some_and(|meant| !run.0.contains(meant)) {
            continue;
        }
        match store.is_alive(&run) {
            Ok(true) => tasks.push(Task::Live(run)),
            Ok(false) if store.to_roll_back(&run).is_ok_and(|readable| !readable.events.is_empty()) => {
                tasks.push(Task::Journal(run))
            }
            Ok(false)
            | Err(
                StoreError::NoSuchRun(_)
                | StoreError::Damaged { .. }
                | StoreError::Newer { .. }
                | StoreError::Failed(_),
            ) => match from_locks(&run, &locked, name, args, &mut opened, context) {
                Ok(task) => tasks.push(task),
                Err(failure) => {
                    crate::cli::print_failure(&failure, &mut context.output);
                    worst = Exit::Left;
                }
            },
            Err(error @ StoreError::EpochLost { .. }) => return Err(error.into()),
        }
    }
    Ok((tasks, worst))
}

/// A rollback of which nothing is known but marks, which anybody may have written who may write parameters: what it would
/// do is within the account's guards, shown, and agreed to.
fn from_locks(
    run: &RunId,
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
    Ok(Task::Locks(journal_of(&locked.locks, &locked.texts, opened.account.now())))
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
