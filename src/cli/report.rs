//! `squall report`.

use std::fs;
use std::path::{Path, PathBuf};

use super::project::pick_run;
use super::{Context, Ended, Exit, Failure};
use crate::ids::RunId;
use crate::private;
use crate::report::{self, Format};
use crate::run::Recorded;
use crate::spec::load::ProjectFiles;
use crate::store::Store;

/// Report on a run, from its journal: HTML with charts, Markdown, JUnit, JSON
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --format, all formats are written to the project's report folder, as at the end of a run. The same journal \
gives the same bytes.

Examples:
  squall report                              the newest run
  squall report 3f9k2m --format markdown     one format, to standard output
  squall report --format junit > junit.xml
  squall report --to public/")]
pub struct Args {
    /// The run, or part of its id [default: the newest]
    run: Option<String>,
    /// Print this format to standard output instead
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write the files to this folder
    #[arg(long, value_name = "DIR", conflicts_with = "format")]
    to: Option<PathBuf>,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let Some(store) = context.project.store_to_read()? else {
        return Err(Failure::usage("no runs yet in this project", "squall run FILE"));
    };
    let run = pick_run(&store, args.run.as_deref())?;
    let events = store.events(&run)?;
    let format = args.format.or(context.json.then_some(Format::Json));
    let refused = |error: report::NoPlan| Failure::refused(error.to_string(), "squall status --all");
    match format {
        Some(format) => context.output.out.text(report::render(format, &events).map_err(refused)?),
        None => {
            let folder = args.to.clone().unwrap_or_else(|| folder(&run, context));
            for file in write(&folder, &events, context)? {
                context.output.out.line(file.display().to_string());
            }
        }
    }
    super::project::tell_aftermath(&run, &store, context);
    Ok(Exit::Fine)
}

/// Writes every format at the end of a run. That it fails, as on a full disk, does not change how the run ended.
pub fn write_all(run: &RunId, store: &dyn Store, context: &mut Context) {
    let folder = folder(run, context);
    let written = store.events(run).map_err(Failure::from).and_then(|events| write(&folder, &events, context));
    let err = &mut context.output.err;
    match written {
        Ok(files) => err.line(format!("report: {}", files.first().unwrap_or(&folder).display())),
        Err(failure) => {
            err.line(format!("no report was written: {}; to try again, run `squall report {run}`", failure.what))
        }
    }
}

/// Where the project wants its reports.
fn folder(run: &RunId, context: &Context) -> PathBuf {
    let project = ProjectFiles::open(&context.project.root).0.map(|files| files.project).unwrap_or_default();
    context.project.path(project.reports).join(&run.0)
}

/// In `.squall` only the owner may read them; a folder named on the command line keeps its rights.
fn write(folder: &Path, events: &[Recorded], context: &Context) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::refused(format!("{}: {error}", folder.display()), "name another folder with --to DIR")
    };
    let own = folder.starts_with(context.project.folder());
    match own {
        true => private::folder(&context.project.folder()).and_then(|()| private::folder(folder)).map_err(failed)?,
        false => fs::create_dir_all(folder).map_err(failed)?,
    }
    let mut files = Vec::new();
    for format in Format::ALL {
        let text =
            report::render(format, events).map_err(|error| Failure::refused(error.to_string(), "squall status"))?;
        let file = folder.join(format!("report.{}", format.extension()));
        let written = if own { private::write(&file, &text) } else { private::write_for_others(&file, &text) };
        written.map_err(failed)?;
        files.push(file);
    }
    Ok(files)
}
