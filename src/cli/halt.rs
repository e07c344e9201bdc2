//! `squall halt`.

use super::{Context, Ended, Exit, named};
use crate::env::Env as _;
use crate::store::Store as _;

/// Stop and roll back every run of this project, and let none start
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every live run sees the halt within a second, starts no new fault, rolls back what it changed and ends. `squall \
status` shows their progress.

Examples:
  squall halt
  squall halt --lift")]
pub struct Args {
    /// Allow runs again
    #[arg(long)]
    lift: bool,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    named::somewhere(&context.project)?;
    let mut store = context.project.store()?;
    let by = context.env.who();
    store.set_halt((!args.lift).then_some(by.as_str()))?;
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
