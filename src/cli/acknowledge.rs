//! `squall acknowledge`.

use std::collections::BTreeSet;

use super::accounts::Pace;
use super::project::pick_run;
use super::{Context, Ended, Exit, Failure, undo};
use crate::account::{Call, ask};
use crate::env::Env as _;
use crate::judge::verdict::{Verdict, VerdictKind};
use crate::plan::Plan;
use crate::report::words;
use crate::run::conclude::left_behind;
use crate::run::event::{Event, Left, Recorded};
use crate::run::state::State;
use crate::store::aftermath::Aftermath;
use crate::store::sqlite::SqliteStore;
use crate::store::{RunRow, Store as _};

/// Record that you handled what a run left behind
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Commands exit with 6 until what a run left behind is rolled back or acknowledged. Nothing is read or written in the \
account: look there
first. Who acknowledged what, when and why is recorded in a journal of its own, and `squall status` shows it; the run's own
journal and report stay as they are. What is found there later and is not the same is outstanding again.

Examples:
  squall acknowledge 3f9k2m --reason \"deleted on purpose, ticket OPS-123\"
  squall acknowledge 3f9k2m --resource payment-worker --reason \"our deploy set it\"
  squall acknowledge 3f9k2m --unreachable --reason \"the test account was closed\"")]
pub struct Args {
    /// The run, or part of its id
    run: String,
    /// Only what is left on this resource, by its name; repeatable [default: everything]
    #[arg(long, value_name = "NAME")]
    resource: Vec<String>,
    /// Its account is gone for good: also end a run whose process died, with all that its journal says may be left
    #[arg(long, conflicts_with = "resource")]
    unreachable: bool,
    /// Why nothing more needs to be done
    #[arg(long, value_parser = reason)]
    reason: String,
}

/// Spaces are no reason.
fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why in words".into()),
        reason => Ok(reason.to_owned()),
    }
}

/// Whether an account of the run answers: then what was changed there can be rolled back.
fn answers(plan: &Plan, context: &mut Context) -> bool {
    let Ok(mut opened) = undo::open_of(plan, Pace::Max, context) else { return false };
    let locations = plan.accounts.iter().cloned();
    locations.into_iter().any(|location| ask(opened.account.as_mut(), Call::ListLocks { location }).is_ok())
}

/// Gives a journal without an end the one that is known: unknown, with all that may be left.
fn end(open: &RunRow, store: &mut SqliteStore, context: &mut Context) -> Result<(), Failure> {
    let readable = store.to_roll_back(&open.run)?;
    let state = State::replay(readable.events.iter().map(|recorded| (recorded.at, &recorded.event)));
    // Without a plan nothing was changed, and nothing is to be said.
    let Some(state) = state else { return Ok(()) };
    if answers(&state.plan, context) {
        return Err(Failure {
            exit: Exit::Left,
            what: format!("the account of {} answers, so what it changed can be rolled back", open.run),
            next: Some(format!("squall undo {}", state.plan.origin())),
        });
    }
    let by = context.env.who();
    let epoch = store.take_over(&open.run, &by)?;
    let why =
        format!("the process running it ended unexpectedly, and {by} recorded that its account cannot be reached");
    let verdict = Verdict { kind: VerdictKind::Unknown, reasons: BTreeSet::from([why]) };
    let taken = Event::TakenOver { by, epoch: epoch.0 };
    let closed = Event::Closed { verdict, left: left_behind(&state) };
    let at = context.env.now().max(state.last);
    let events: Vec<Recorded> =
        (readable.last + 1..).zip([taken, closed]).map(|(seq, event)| Recorded { seq, at, event }).collect();
    Ok(store.append(&open.run, epoch, &events)?)
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let mut store = context.project.store()?;
    let mut rows = store.runs()?;
    let picked = pick_run(&store, Some(&args.run))?;
    let run = rows.iter().find(|row| row.run == picked).map_or(picked.clone(), |row| row.origin().clone());
    let mut aftermath = Aftermath::of(&rows, &run);
    if args.unreachable {
        for open in aftermath.open().filter(|row| !row.alive) {
            end(open, &mut store, context)?;
        }
        rows = store.runs()?;
        aftermath = Aftermath::of(&rows, &run);
    }
    if let Some(open) = aftermath.open().next() {
        return Err(Failure {
            exit: Exit::Left,
            what: format!("{} has not ended: what it leaves behind is not known yet", open.run),
            next: Some(format!("squall undo {run}")),
        });
    }
    if let Some(unknown) =
        args.resource.iter().find(|name| !aftermath.left.iter().any(|left| left.resource.name == **name))
    {
        return Err(Failure::usage(format!("{run} left nothing behind on `{unknown}`"), "squall status"));
    }
    let named = |left: &&Left| args.resource.is_empty() || args.resource.contains(&left.resource.name);
    let left: Vec<Left> = aftermath.left.iter().filter(named).cloned().collect();
    if left.is_empty() {
        context.output.err.line(format!("{run} left nothing behind; there is nothing to acknowledge"));
        return Ok(Exit::Fine);
    }
    let key = Aftermath::next_acknowledgement(&rows, &run);
    let by = context.env.who();
    let (named, count) = (left.clone(), left.len());
    let event = Event::Acknowledged { run: run.clone(), by: by.clone(), reason: args.reason.clone(), left };
    let recorded = Recorded { seq: 1, at: context.env.now(), event };
    let epoch = store.create(&key, &by)?;
    store.append(&key, epoch, std::slice::from_ref(&recorded))?;
    if context.json {
        context.output.out.line(crate::report::jsonl::line(&key, &recorded));
    } else {
        for left in &named {
            context.output.out.line(words::one_line(&format!("acknowledged: {}: {}", left.resource, left.what)));
        }
    }
    match aftermath.left.len() - count {
        0 => Ok(Exit::Fine),
        more => {
            let more = words::plural(more, "thing", "things");
            context.output.err.line(format!("{more} of {run} left behind and not acknowledged: squall status"));
            Ok(Exit::Left)
        }
    }
}
