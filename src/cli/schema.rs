//! `squall schema`.

use super::{Context, Ended, Exit};
use crate::spec::schema;

/// Print the JSON Schema of a file format, for editors
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An editor with a YAML language server completes and checks as you type when the file begins with
  # yaml-language-server: $schema=../experiment.schema.json

Examples:
  squall schema experiment > experiment.schema.json")]
pub struct Args {
    /// The format
    #[arg(value_enum)]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// A file in experiments/
    Experiment,
    /// A file in hypotheses/
    Hypothesis,
    /// squall.yaml
    Project,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let schema = match args.format {
        Format::Experiment => schema::experiment(),
        Format::Hypothesis => schema::hypothesis(),
        Format::Project => schema::project(),
    };
    context.output.out.line(format!("{schema:#}"));
    Ok(Exit::Fine)
}
