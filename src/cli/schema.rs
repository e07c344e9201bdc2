//! `squall schema`.

use super::{Context, Ended, Exit};
use crate::document;
use crate::format::schema as written;
use crate::predict;
use crate::report;
use crate::schedule::list;
use crate::spec::schema;
use crate::template::written::Document;

/// Print the JSON Schema of a file that squall reads (for editors), or of its output (for programs)
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An editor with a YAML language server completes and checks as you type if the file begins with
  # yaml-language-server: $schema=../experiment.schema.json

Examples:
  squall schema experiment > experiment.schema.json
  squall schema journal        a line of `squall log --json`")]
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
    /// A file in schedules/
    Schedule,
    /// A line of `squall log --json` and `squall run --json`
    Journal,
    /// What `squall plan --json` prints
    Plan,
    /// What `squall predict --json` prints
    Prediction,
    /// What `squall margin --json` prints
    Margin,
    /// The JSON report
    Report,
    /// What `squall status --json` prints
    Status,
    /// What `squall board --json` prints
    Board,
    /// What `squall compare --json` prints
    Comparison,
    /// What `squall schedule --json` prints
    Occurrences,
    /// What `squall schedule explain --json` prints
    Explanation,
    /// A line of `squall schedule history --json` and `squall serve --json`
    Occurrence,
    /// What `squall undo RUN --change N --json` prints
    Change,
    /// What `squall template --json` prints
    Template,
    /// A line of `squall gameday run --json`, `rehearse --json` and `report --json`
    Gameday,
    /// What `squall gameday status --json` prints
    GamedayStatus,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let schema = match args.format {
        Format::Experiment => schema::experiment(),
        Format::Hypothesis => schema::hypothesis(),
        Format::Project => schema::project(),
        Format::Schedule => schema::schedule(),
        Format::Journal => written::journal(),
        Format::Plan => written::of::<document::written::Document>(),
        Format::Prediction => written::of::<predict::written::Document>(),
        Format::Margin => written::of::<predict::margin_show::Document>(),
        Format::Report => report::json::schema(),
        Format::Status => written::status(),
        Format::Board => written::of::<report::board::Document>(),
        Format::Comparison => written::of::<report::compare::Comparison>(),
        Format::Occurrences => written::of::<list::Document>(),
        Format::Occurrence => written::of::<list::Decided>(),
        Format::Explanation => written::of::<list::Explanation>(),
        Format::Change => written::change(),
        Format::Template => written::of::<Document>(),
        Format::Gameday => written::of::<crate::format::day::Line>(),
        Format::GamedayStatus => written::of::<crate::gameday::view::View>(),
    };
    context.output.out.line(format!("{schema:#}"));
    Ok(Exit::Fine)
}
