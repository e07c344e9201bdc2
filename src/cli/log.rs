//! `squall log`.

use super::project::pick_run;
use super::{Context, Ended, Exit, Failure, tell};
use crate::store::Store as _;

/// Show a run's log, from its journal: the same lines that it printed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  squall log                       the newest run
  squall log run-20260302-3f9k2m
  squall log 3f9k2m                a part of the name is enough
  squall log --json | jq -r .event")]
pub struct Args {
    /// The run, or part of its id [default: the newest]
    run: Option<String>,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let Some(store) = context.project.store_to_read()? else {
        return Err(Failure::usage("no runs yet in this project", "squall run FILE"));
    };
    let run = pick_run(&store, args.run.as_deref())?;
    let mut teller = tell::Teller::new(&run, context.json);
    for recorded in store.events(&run)? {
        teller.tell(&recorded, &mut context.output.out);
    }
    super::project::tell_aftermath(&run, &store, context);
    Ok(Exit::Fine)
}
