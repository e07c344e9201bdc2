//! `squall prune`.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Context, Ended, Exit, Failure, board};
use crate::env::Env as _;
use crate::ids::RunId;
use crate::report::board::{HALF_LIFE, board as rows_of};
use crate::store::Store as _;
use crate::store::prune::{Choice, LEAST, Pruned, choose};
use crate::units::Span;

/// Remove journals of runs that ended long ago
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Removed are runs that began longer ago than --keep, with their later rollbacks and acknowledgements, and what became of older \
occurrences of schedules. Always kept: runs that have not ended, or whose changes are outstanding; the newest run of each \
experiment; the run by which a hypothesis was last proven or broken; the audit; written reports. Make a backup first if you may \
need them: docs/formats.md.

Examples:
  squall prune --keep 90d --dry-run
  squall prune --keep 90d")]
pub struct Args {
    /// Keep what is younger than this; at least 8 days
    #[arg(long, value_name = "TIME")]
    keep: Span,
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    if args.keep < LEAST {
        let what = format!("--keep must be at least {LEAST}: limits of a week count what is in the store");
        return Err(Failure::usage(what, "write for example --keep 90d"));
    }
    let now = context.env.now();
    let before = now - args.keep;
    let proofs = proofs(context)?;
    let mut store = context.project.store()?;
    let choice = choose(&store.runs()?, before, &proofs);
    let pruned = match args.dry_run {
        true => None,
        false => {
            store.forget_mail(before)?;
            Some(store.prune(&choice.remove, before)?)
        }
    };
    print(&choice, pruned, context);
    Ok(Exit::Fine)
}

/// The runs by which hypotheses were last proven or broken. A journal that cannot be read could be one of them.
fn proofs(context: &mut Context) -> Result<BTreeSet<RunId>, Failure> {
    let (findings, unreadable) = board::findings(context)?;
    let now = context.env.now();
    let seen = rows_of(&[], &findings, now, HALF_LIFE).into_iter().flat_map(|row| [row.proven, row.broken]);
    Ok(seen.flatten().map(|seen| seen.run).chain(unreadable).collect())
}

fn print(choice: &Choice, pruned: Option<Pruned>, context: &mut Context) {
    let out = &mut context.output.out;
    if context.json {
        let stay = choice.stay.iter().map(|(run, because)| json!({ "run": run.0, "because": because.word() }));
        let removed = pruned.map(|pruned| {
            let Pruned { journals, events, occurrences, approvals } = pruned;
            json!({ "journals": journals, "events": events, "occurrences": occurrences, "approvals": approvals })
        });
        out.json(&json!({
            "format": 1,
            "journals": choice.remove.iter().map(|run| &run.0).collect::<Vec<_>>(),
            "stay": stay.collect::<Vec<_>>(),
            "removed": removed,
        }));
        return;
    }
    let verb = if pruned.is_some() { "removed" } else { "would be removed" };
    choice.remove.iter().for_each(|run| out.line(format!("{verb}: {run}")));
    choice.stay.iter().for_each(|(run, because)| out.line(format!("kept: {run}: {}", because.sentence())));
    match pruned {
        Some(Pruned { journals, events, occurrences, approvals }) => out.line(format!(
            "removed {journals} journals with {events} events, {occurrences} occurrences and {approvals} approvals"
        )),
        None => out.line(format!("{} journals would be removed; nothing was", choice.remove.len())),
    }
}
