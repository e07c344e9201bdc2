//! `squall log`.

use std::path::{Path, PathBuf};

use super::project::pick_run;
use super::{Context, Ended, Exit, Failure, named, tell};
use crate::env::Env as _;
use crate::private;
use crate::report::transfer;
use crate::store::Store as _;

/// Show a run's log, from its journal: the same lines that it printed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A journal can be carried to another machine, such as from a CI job that was killed: export it there, import it here, and \
`squall undo`, `squall report` and `squall compare` work with it. A rollback writes what the journal says was there before, so \
import only journals of machines that you trust.

Examples:
  squall log                       the newest run
  squall log run-20260302-3f9k2m
  squall log 3f9k2m                a part of the name is enough
  squall log --json | jq -r .event
  squall log 3f9k2m --export run.jsonl
  squall log --import run.jsonl")]
pub struct Args {
    /// The run, or part of its id [default: the newest]
    run: Option<String>,
    /// Write the journal to this file, to import it on another machine
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Add the journal in this file to this project
    #[arg(long, value_name = "FILE", value_parser = named::file, conflicts_with_all = ["run", "export"])]
    import: Option<PathBuf>,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    if let Some(file) = &args.import {
        return import(file, context);
    }
    let Some(store) = context.project.store_to_read()? else {
        return Err(Failure::usage("no runs yet in this project", "squall run FILE"));
    };
    let run = pick_run(&store, args.run.as_deref())?;
    let events = store.events(&run)?;
    if let Some(file) = &args.export {
        if store.is_alive(&run)? {
            let next = format!("wait for it to end, or stop it: squall undo {run}");
            return Err(Failure::refused(format!("{run} is running"), next));
        }
        // Values from before may be secret.
        private::write(file, &transfer::write(&run, &events))
            .map_err(|error| Failure::refused(format!("{}: {error}", file.display()), "name another file"))?;
        context.output.err.line(format!("{} events of {run}: {}", events.len(), file.display()));
        return Ok(Exit::Fine);
    }
    let mut teller = tell::Teller::new(&run, context.json);
    for recorded in &events {
        teller.tell(recorded, &mut context.output.out);
    }
    super::project::tell_aftermath(&run, &store, context);
    Ok(Exit::Fine)
}

fn import(file: &Path, context: &mut Context) -> Ended {
    let refused = |why: String| {
        Failure::refused(format!("{}: {why}", file.display()), "export it again: squall log RUN --export")
    };
    let text = std::fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
    let (run, events) = transfer::read(&text).map_err(|error| refused(error.to_string()))?;
    let mut store = context.project.store()?;
    if store.is_alive(&run).is_ok() {
        return match store.events(&run)? == events {
            true => {
                context.output.err.line(format!("{run} is here already, event for event"));
                Ok(Exit::Fine)
            }
            false => Err(Failure::refused(
                format!("there is a run {run} already, with other events"),
                "squall log shows the one that is here; a journal is never replaced",
            )),
        };
    }
    let epoch = store.create(&run, &context.env.who())?;
    store.append(&run, epoch, &events)?;
    let closed = events.last().is_some_and(|last| last.event.is_last());
    let err = &mut context.output.err;
    err.line(format!("{} events of {run} imported", events.len()));
    if !closed {
        err.line(format!("  it did not end; to roll back what it changed, run `squall undo {run}`"));
    }
    Ok(Exit::Fine)
}
