//! `squall halt`.

use super::{Context, Ended, Exit, named};
use crate::access::Act;
use crate::env::Env as _;
use crate::outside::one_line;
use crate::store::Store as _;

/// Stop and roll back every run of this project, and let none start
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every live run sees the halt within a second, starts no new fault, rolls back what it changed and ends. `squall \
status` shows their progress.

Examples:
  squall halt --reason 'checkout is failing'
  squall halt --lift --reason 'it was the cache'")]
pub struct Args {
    /// Allow runs again
    #[arg(long)]
    lift: bool,
    /// Why, in a sentence: it is noted, and runs that stop say it
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
}

fn reason(text: &str) -> Result<String, String> {
    let text = one_line(text);
    match (1..=200).contains(&text.chars().count()) {
        true => Ok(text),
        false => Err("a reason has 1 to 200 characters".into()),
    }
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    named::somewhere(&context.project)?;
    let mut store = context.project.store()?;
    let who = context.env.who();
    let by = args.reason.as_ref().map_or(who.clone(), |reason| format!("{who}: {reason}"));
    let detail = args.reason.clone().unwrap_or_default();
    let act = Act { at: context.env.now(), by: who, what: if args.lift { "lift" } else { "halt" }.into(), detail };
    match args.lift {
        true => {
            store.note(&act)?;
            store.set_halt(None)?;
        }
        // Stopping comes first: a note that cannot be written must not keep it off.
        false => {
            store.set_halt(Some(&by))?;
            store.note(&act)?;
        }
    }
    let alive = store.runs()?.into_iter().filter(|row| row.alive).map(|row| row.run.0).collect::<Vec<_>>();
    let out = &mut context.output.out;
    match (context.json, args.lift) {
        (true, lifted) => {
            let halted_by = (!lifted).then_some(by);
            out.json(&serde_json::json!({ "halted_by": halted_by, "live_runs": alive }));
        }
        (false, true) => out.line("halt lifted: runs may start again"),
        (false, false) if alive.is_empty() => {
            out.line("halted: no run is live, and no run can start until `squall halt --lift`")
        }
        (false, false) => out.line(format!(
            "halted: {} told to stop and roll back; no run can start until `squall halt --lift`",
            alive.join(", ")
        )),
    }
    Ok(Exit::Fine)
}
