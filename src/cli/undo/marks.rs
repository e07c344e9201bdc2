//! What the marks in an account say is outstanding.

use std::collections::BTreeMap;

use super::Task;
use crate::account::{Account, Call, CallError, Location, Reply, Resource, ask};
use crate::cli::accounts::{Opened, Pace};
use crate::cli::{Context, Exit, Failure};
use crate::run::RunId;
use crate::run::mark::{Mark, journal_of};
use crate::spec::project::AccountName;
use crate::store::{Store, StoreError};
use crate::units::Span;

/// The marks of one run, read and as they stand there.
#[derive(Default)]
struct Marked {
    marks: BTreeMap<Resource, Mark>,
    texts: BTreeMap<Resource, String>,
}

/// The runs that have marks in an account. The exit code is for marks that cannot be acted on, which are named.
pub fn tasks(
    name: &AccountName,
    meant: Option<&str>,
    take_over: bool,
    store: &dyn Store,
    context: &mut Context,
) -> Result<(Vec<Task>, Exit), Failure> {
    let mut opened = super::open(name, Pace::Max, context)?;
    let listed = list(&mut opened, name)?;
    let account = opened.account;
    let mut worst = Exit::Fine;
    let mut runs: BTreeMap<RunId, Marked> = BTreeMap::new();
    for (resource, text) in listed {
        match Mark::parse(&resource, &text) {
            Ok(mark) => {
                let marked = runs.entry(mark.run.clone()).or_default();
                marked.marks.insert(resource.clone(), mark);
                marked.texts.insert(resource, text);
            }
            Err(error) => {
                context.output.err.line(format!("{error}; look at it and remove it by hand"));
                worst = Exit::Left;
            }
        }
    }
    let mut tasks = Vec::new();
    for (run, Marked { marks, texts }) in runs {
        if meant.is_some_and(|meant| !run.0.contains(meant)) {
            continue;
        }
        match store.is_alive(&run) {
            Ok(true) => tasks.push(Task::Live(run)),
            Ok(false) if store.events(&run).is_ok_and(|events| !events.is_empty()) => tasks.push(Task::Journal(run)),
            Ok(false) | Err(StoreError::NoSuchRun(_) | StoreError::Damaged { .. } | StoreError::Failed(_)) => {
                match may_be_live(&marks, account.as_ref()).filter(|_| !take_over) {
                    None => tasks.push(Task::Marks(journal_of(&marks, &texts, account.now()))),
                    Some(mark) => {
                        worst = Exit::Left;
                        context.output.err.line(format!(
                            "{run} by {} may be live elsewhere until {}; when it is not: squall undo {run} --account {name} --take-over",
                            mark.by, mark.latest_end
                        ));
                    }
                }
            }
            Err(error @ StoreError::EpochLost { .. }) => return Err(error.into()),
        }
    }
    Ok((tasks, worst))
}

/// A run of another machine that is not past its latest end may still be undoing by itself.
fn may_be_live<'a>(marks: &'a BTreeMap<Resource, Mark>, account: &dyn Account) -> Option<&'a Mark> {
    let last = marks.values().max_by_key(|mark| mark.latest_end)?;
    (account.now() < last.latest_end).then_some(last)
}

/// Every mark of an account: of its region, and of the one in which marks on what is global are.
pub fn list(opened: &mut Opened, name: &AccountName) -> Result<Vec<(Resource, String)>, Failure> {
    let Some(location) = opened.locations.get(name).cloned() else { return Ok(Vec::new()) };
    let mut marks = list_at(opened.account.as_mut(), name, &location)?;
    if location.global() != location {
        marks.extend(list_at(opened.account.as_mut(), name, &location.global())?);
    }
    Ok(marks)
}

/// The marks in one region, asked for again when there is no answer.
fn list_at(account: &mut dyn Account, name: &AccountName, at: &Location) -> Result<Vec<(Resource, String)>, Failure> {
    let mut pause = Span::from_secs(1);
    loop {
        match ask(account, Call::ListMarks { location: at.clone() }) {
            Ok(Reply::Marks(marks)) => return Ok(marks),
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
