//! `squall plan`.

use std::path::PathBuf;

use serde_json::json;

use super::accounts::Pace;
use super::{Context, Ended, Exit, prepare};
use crate::format::plan::Document;
use crate::planner::show;

/// Show what a run of an experiment would do, and do nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The account is looked at and not changed. Exit code 3 when the run would be refused, 2 when a file has findings.

Examples:
  squall plan experiments/payment-worker-throttled.yaml
  squall plan experiments/payment-worker-throttled.yaml --json | jq '.plan.changes'")]
pub struct Args {
    /// The experiment's file
    file: PathBuf,
    #[command(flatten)]
    asked: prepare::PlanArgs,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let prepared = prepare::prepare(&args.file, &args.asked, Pace::Max, context)?;
    let plan = &prepared.plan;
    let out = &mut context.output.out;
    match context.json {
        true => out.line(json!(Document::of(plan)).to_string()),
        false => show::lines(plan).into_iter().for_each(|line| out.line(line)),
    }
    prepared.refused.map_or(Ok(Exit::Fine), Err)
}
