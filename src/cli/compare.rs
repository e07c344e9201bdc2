//! `squall compare`.

use serde_json::json;

use super::project::pick_run;
use super::{Context, Ended, Exit, Failure};
use crate::ids::RunId;
use crate::plan::Plan;
use crate::report::compare;
use crate::report::summary::Summary;
use crate::run::event::Event;
use crate::store::sqlite::SqliteStore;
use crate::store::{JournalKind, Store as _};

/// Compare two runs: their plans, verdicts, times and signals
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Lines that begin with `*` differ. Exit code 0 whatever differs.

Examples:
  squall compare                     the newest run, with the run of the same experiment before it
  squall compare 3f9k2m              this run, with the run of the same experiment before it
  squall compare 3f9k2m b916ne
  squall compare --json | jq '.signals[] | select(.differs)'")]
pub struct Args {
    /// A run, or part of its id [default: the newest]
    run: Option<String>,
    /// The run to compare with [default: the run of the same experiment before it]
    with: Option<String>,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let Some(store) = context.project.store_to_read()? else {
        return Err(Failure::usage("no runs yet in this project", "squall run FILE"));
    };
    let run = pick_run(&store, args.run.as_deref())?;
    let other = match &args.with {
        Some(with) => pick_run(&store, Some(with))?,
        None => before(&run, &store)?,
    };
    let (one, two) = (read(&run, &store)?, read(&other, &store)?);
    let (first, second) = if one.1.times.started <= two.1.times.started { (one, two) } else { (two, one) };
    let comparison = compare::compare((&first.0, &first.1), (&second.0, &second.1));
    match context.json {
        true => context.output.out.json(&json!(comparison)),
        false => comparison.text().into_iter().for_each(|line| context.output.out.line(line)),
    }
    Ok(Exit::Fine)
}

/// The newest run of the same experiment, by its title, that began before this one.
fn before(run: &RunId, store: &SqliteStore) -> Result<RunId, Failure> {
    let rows = store.runs()?;
    let of = rows.iter().find(|row| row.run == *run);
    let earlier = rows.iter().filter(|row| {
        row.kind == JournalKind::Run
            && of.is_some_and(|of| row.run != of.run && row.title == of.title && row.started < of.started)
    });
    let newest = earlier.filter(|row| row.started.is_some()).max_by_key(|row| row.started);
    newest.map(|row| row.run.clone()).ok_or_else(|| {
        Failure::usage(
            format!("{run} is the first run of its experiment here"),
            "name two runs; `squall status` lists them",
        )
    })
}

fn read(run: &RunId, store: &SqliteStore) -> Result<(Plan, Summary), Failure> {
    let events = store.events(run)?;
    let plan = events.first().and_then(|first| match &first.event {
        Event::Started { plan, .. } => Some((**plan).clone()),
        _ => None,
    });
    plan.zip(Summary::of(&events))
        .ok_or_else(|| Failure::usage(format!("{run} never began, or is no run"), "`squall status` lists runs"))
}
