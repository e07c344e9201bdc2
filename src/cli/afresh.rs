//! A run in a sandbox begins with an untouched one: what the run before left in its queues would decide how this one ends.

use std::collections::BTreeSet;
use std::path::Path;

use super::accounts::{self, Pace};
use super::{Context, Failure};
use crate::account::sandbox::Sandbox;
use crate::account::{Call, Location, Reply, ask};
use crate::env::Env as _;
use crate::ids::AccountName;
use crate::project::AccountSpec;
use crate::run::event::Event;
use crate::run::lock::Lock;
use crate::spec::load::ProjectFiles;
use crate::store::aftermath::Aftermath;
use crate::store::{RunRow, Store};
use crate::units::Span;

/// Forgets the past of each sandbox among these accounts. Its id stays, by which journals know it.
///
/// # Errors
/// A run is under way there, or something that one changed is not rolled back.
pub fn begin(files: &ProjectFiles, names: &BTreeSet<AccountName>, context: &Context) -> Result<(), Failure> {
    for name in names {
        let file = accounts::sandbox_file(name, files, &context.project);
        let is_sandbox = matches!(files.project.accounts.get(name), Some(AccountSpec::Sandbox(_)));
        if !is_sandbox || !file.exists() {
            continue;
        }
        forget(&file, || in_the_way(files, name, context), context)?;
    }
    Ok(())
}

/// A command that only looks into a sandbox is done after a moment.
const LOOK: Span = Span::from_millis(50);
const LOOKS: u32 = 40;

/// Forgets the past of the sandbox in a file, once it is not open and nothing is in the way.
fn forget(
    file: &Path,
    in_the_way: impl Fn() -> Result<Option<Failure>, Failure>,
    context: &Context,
) -> Result<(), Failure> {
    for _ in 0..LOOKS {
        if let Some(failure) = in_the_way()? {
            return Err(failure);
        }
        let forgotten = Sandbox::forget(file).map_err(|error| {
            Failure::refused(error.to_string(), "free space on the disk, or continue with the sandbox as it is: --keep")
        })?;
        if forgotten {
            return Ok(());
        }
        context.env.sleep(LOOK);
    }
    let what = "another process is using the sandbox, so it cannot be reset now";
    Err(Failure::refused(what, "wait for it to end, or run beside it: --keep"))
}

/// Why a sandbox has to stay as it is.
fn in_the_way(files: &ProjectFiles, name: &AccountName, context: &Context) -> Result<Option<Failure>, Failure> {
    let opening = accounts::opening(Pace::Max, &context.env);
    let mut opened = accounts::open(files, &BTreeSet::from([name.clone()]), &context.project, &opening)?;
    let Some(location) = opened.locations.get(name).cloned() else { return Ok(None) };
    if let Some(store) = context.project.store_to_read()? {
        let rows = store.runs()?;
        if let Some(row) = rows.iter().find(|row| row.alive && touches(row, &location, &store)) {
            let what = format!("{} is running in the sandbox, so it cannot be reset now", row.run);
            return Ok(Some(Failure::refused(what, "wait for it to end, or run beside it: --keep")));
        }
        for after in Aftermath::of_all(&rows) {
            let open = after.open().any(|row| touches(row, &location, &store));
            if open || after.left.iter().any(|left| left.resource.location == location) {
                return Ok(after.origin().map(|run| outstanding(&run.to_string(), &format!("squall undo {run}"))));
            }
        }
    }
    // Of a run whose journal is not here.
    match ask(opened.account.as_mut(), Call::ListLocks { location }) {
        Ok(Reply::Locks(locks)) => Ok(locks.first().map(|(resource, text)| {
            let run = Lock::parse(resource, text).map_or_else(|_| "a run".to_owned(), |lock| lock.run.to_string());
            outstanding(&run, &format!("squall undo --account {name}"))
        })),
        _ => Ok(None),
    }
}

fn outstanding(run: &str, undo: &str) -> Failure {
    let what = format!("what {run} changed in the sandbox is not rolled back yet, so the sandbox cannot be reset");
    Failure::refused(what, format!("{undo}, or continue with the sandbox as it is: --keep"))
}

/// Whether an open journal is about this place; one that cannot be read may be.
fn touches(row: &RunRow, location: &Location, store: &dyn Store) -> bool {
    if row.started.is_none() || row.is_closed() {
        return false;
    }
    let Ok(events) = store.events(&row.run) else { return true };
    match events.first().map(|first| &first.event) {
        Some(Event::Started { plan, .. }) => plan.accounts.contains(location),
        _ => true,
    }
}
