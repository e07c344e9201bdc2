//! `squall policy`.

use std::path::PathBuf;

use super::accounts::Pace;
use super::{Context, Ended, Exit, named, prepare};
use crate::planner::show;

/// Print the least-privilege IAM policy for an experiment: what its run, its rollback and its signals need
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The account is read, because the policy names resources. Nothing is changed. If squall has no read access yet, plan \
against the sandbox first and put your account id into the ARNs.

Examples:
  squall policy experiments/payment-worker-throttled.yaml > policy.json
  squall policy experiments/payment-worker-throttled.yaml --account staging")]
pub struct Args {
    /// The experiment's file
    #[arg(value_parser = named::file)]
    file: PathBuf,
    #[command(flatten)]
    asked: prepare::PlanArgs,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let prepared = prepare::prepare(&args.file, &args.asked, Pace::Max, context)?;
    context.output.out.line(format!("{:#}", show::policy(&prepared.plan)));
    // What stands against a run does not stand against its policy.
    Ok(Exit::Fine)
}
