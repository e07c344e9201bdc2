//! `squall acknowledge`.

use super::project::pick_run;
use super::{Context, Ended, Exit, Failure};
use crate::env::Env as _;
use crate::report::words;
use crate::run::event::{Event, Left, Recorded};
use crate::store::Store as _;
use crate::store::aftermath::Aftermath;

/// Record that you handled what a run left behind
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Commands exit with 6 until what a run left behind is rolled back or acknowledged. Nothing is read or written in the \
account: look there
first. Who acknowledged what, when and why is recorded in a journal of its own, and `squall status` shows it; the run's own
journal and report stay as they are. What is found there later and is not the same is outstanding again.

Examples:
  squall acknowledge 3f9k2m --reason \"deleted on purpose, ticket OPS-123\"
  squall acknowledge 3f9k2m --resource payment-worker --reason \"our deploy set it\"")]
pub struct Args {
    /// The run, or part of its id
    run: String,
    /// Only what is left on this resource, by its name; repeatable [default: everything]
    #[arg(long, value_name = "NAME")]
    resource: Vec<String>,
    /// Why nothing more needs to be done
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reason: String,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let mut store = context.project.store()?;
    let rows = store.runs()?;
    let picked = pick_run(&store, Some(&args.run))?;
    let run = rows.iter().find(|row| row.run == picked).map_or(picked.clone(), |row| row.origin().clone());
    let aftermath = Aftermath::of(&rows, &run);
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
