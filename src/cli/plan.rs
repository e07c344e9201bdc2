//! `squall plan`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::accounts::Pace;
use super::predict::{PredictArgs, predicted, write};
use super::twin::Twin;
use super::{Context, Ended, Exit, Failure, check, margin, named, prepare};
use crate::document::prices::{Cost, Prices};
use crate::document::{Document, page, written};
use crate::graph::Graph;
use crate::plan::Plan;
use crate::planner::{self, show};
use crate::predict::vary::Vary;
use crate::units::Span;
use crate::yaml::Source;

/// Show what a run of an experiment would do, without running it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The account is read and not changed. Exit code 3 when the run would be refused, 2 when a file has findings. The hash \
covers everything the plan resolves to: `squall run FILE --plan HASH` runs exactly this plan, or refuses.

Examples:
  squall plan experiments/payment-worker-throttled.yaml
  squall plan experiments/payment-worker-throttled.yaml --predict --html plan.html
  squall plan experiments/payment-worker-throttled.yaml --margin faults.0.for=5m..15m --within 10s
  squall plan experiments/payment-worker-throttled.yaml --predict --markdown - | gh pr comment 12 --body-file -
  squall plan experiments/payment-worker-throttled.yaml --json | jq '.plan.changes'")]
pub struct Args {
    /// The experiment's file
    #[arg(value_parser = named::file)]
    file: PathBuf,
    #[command(flatten)]
    asked: prepare::PlanArgs,
    /// Also predict how it would end: 200 runs in virtual time, as `squall predict` does
    #[arg(long)]
    predict: bool,
    /// Also find the value at which it stops holding, as `squall margin` does
    #[arg(long, value_name = "WHAT=FROM..TO")]
    margin: Option<Vary>,
    /// Time limit for the prediction, and for the margin; each ends with what is known by then
    #[arg(long, value_name = "TIME")]
    within: Option<Span>,
    /// Write the plan as an HTML page to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the plan as Markdown to this file; `-` prints it instead of the text
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Do not mask account ids in Markdown
    #[arg(long, requires = "markdown")]
    full: bool,
    /// Use the prices in this file
    #[arg(long, value_name = "FILE", value_parser = named::file)]
    prices: Option<PathBuf>,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let prices = prices(args.prices.as_deref(), context)?;
    let mut prepared = prepare::prepare(&args.file, &args.asked, Pace::Max, context)?;
    let plan = prepared.plan.clone();
    let twin = Twin::of(&prepared.files, &prepared.experiment, context);
    let (prediction, not_predicted) = match (&twin, args.predict) {
        (_, false) => (None, None),
        (Ok(twin), true) => (Some(predicted(twin, &PredictArgs::usual(args.within), context)?), None),
        (Err(failure), true) => (None, Some(told(failure))),
    };
    let margin = match (&twin, &args.margin) {
        (_, None) => None,
        (Ok(twin), Some(vary)) => Some(margin::usual(vary, args.within, twin, context)?),
        (Err(failure), Some(_)) => return Err(Failure::refused(told(failure), "remove --margin")),
    };
    let documents = args.html.is_some() || args.markdown.is_some();
    let permitted = match documents {
        true => planner::permitted(&plan, prepared.account.account.as_mut(), false).unwrap_or_default(),
        false => Vec::new(),
    };
    let cost = Cost::of(&plan, prediction.as_ref(), prices);
    let graph = twin.ok().map(|twin| Graph::of(&twin.app));
    let refused = prepared.refusals.to_vec();
    let document = Document { plan: &plan, refused, graph, prediction, not_predicted, margin, cost, permitted };
    print(args, &document, &plan, context)?;
    prepared.refused.map_or(Ok(Exit::Fine), Err)
}

fn print(args: &Args, document: &Document<'_>, plan: &Plan, context: &mut Context) -> Result<(), Failure> {
    let out = &mut context.output.out;
    let markdown = || document.markdown(args.full);
    let to_stdout = args.markdown.as_deref().is_some_and(|file| file == Path::new("-"));
    match (context.json, to_stdout) {
        (true, _) => out.json(&json!(written::Document::of(document))),
        (false, true) => out.text(markdown()),
        (false, false) => {
            // A command may hold a document of many lines.
            show::lines(plan).into_iter().for_each(|line| out.text(line + "\n"));
            beyond(document).into_iter().for_each(|line| out.line(line));
        }
    }
    if let Some(file) = args.markdown.as_deref().filter(|_| !to_stdout) {
        write(file, &markdown())?;
        context.output.err.line(format!("Markdown: {}", file.display()));
    }
    if let Some(file) = &args.html {
        write(file, &page(document))?;
        context.output.err.line(format!("page: {}", file.display()));
    }
    Ok(())
}

/// What the document knows beyond the plan itself.
fn beyond(document: &Document<'_>) -> Vec<String> {
    const BEYOND: [&str; 6] = [
        "Blast radius",
        "Will it hold?",
        "Where it breaks",
        "What it costs",
        "Calls to AWS",
        "What a rollback cannot restore",
    ];
    let mut lines = Vec::new();
    for section in document.sections().into_iter().filter(|section| BEYOND.contains(&section.title)) {
        lines.extend([String::new(), section.title.to_owned()]);
        lines.extend(section.lines.into_iter().map(|line| format!("  {line}")));
    }
    lines.extend([String::new(), "Run exactly this".into(), format!("  {}", document.command())]);
    lines
}

fn told(failure: &Failure) -> String {
    match &failure.next {
        Some(next) => format!("{}; next: {next}", failure.what),
        None => failure.what.clone(),
    }
}

fn prices(file: Option<&Path>, context: &mut Context) -> Result<Prices, Failure> {
    let source = match file.map(Source::open) {
        None => Ok(Prices::shipped()),
        Some(source) => source.map_err(|finding| (*finding).into()),
    };
    source.and_then(|source| Prices::read(&source)).map_err(|findings| {
        let err = &mut context.output.err;
        findings.iter().for_each(|finding| err.text(finding.render(check::style(err.colour())) + "\n\n"));
        Failure { exit: Exit::Findings, what: "the prices cannot be used".into(), next: None }
    })
}
