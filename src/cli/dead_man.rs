//! `squall dead-man`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::accounts::Pace;
use super::{Context, Ended, Exit, Failure, named, prepare};
use crate::account::switch::{self, in_input};
use crate::account::{Location, Resource, Setting};
use crate::deadman::branch::Branch;
use crate::deadman::template::Deployment;
use crate::deadman::{Place, Reach};
use crate::plan::Plan;

/// The dead-man switch: what rolls an experiment back when this machine is gone
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Template(TemplateArgs),
}

/// Print the CloudFormation template of the switch for these experiments
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The account is read, because the template lists the resources that the switch may change: those of the experiments \
given, and no others. Nothing is changed. The experiments must be in one region of one account. Deploy the template \
again \
when an experiment changes other resources, or with another version of squall; `squall doctor` says when.

Examples:
  squall dead-man template experiments/*.yaml --account staging > dead-man.json
  aws cloudformation deploy --template-file dead-man.json --stack-name squall-dead-man \\
    --capabilities CAPABILITY_NAMED_IAM --parameter-overrides Email=you@example.com")]
struct TemplateArgs {
    /// The experiments' files
    #[arg(required = true, value_parser = named::file)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    asked: prepare::PlanArgs,
    /// The ARN of a customer-managed KMS key: it encrypts what executions hold, and lets the switch restore variables of functions
    #[arg(long, value_name = "ARN")]
    key: Option<String>,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    match &args.what {
        What::Template(args) => template(args, context),
    }
}

fn template(args: &TemplateArgs, context: &mut Context) -> Ended {
    let mut touched: BTreeMap<Resource, ()> = BTreeMap::new();
    let mut reads_variables = false;
    for file in &args.files {
        let plan = prepare::prepare(file, &args.asked, Pace::Max, context)?.plan;
        reads_variables |= needs_variables(&plan);
        touched.extend(plan.stays_alone().map(|(_, change)| (change.setting.resource().clone(), ())));
    }
    if reads_variables && args.key.is_none() {
        return Err(Failure::refused(
            "an experiment changes a function's environment variables, and the switch would write all of them into \
             its execution history",
            "name a customer-managed key with --key, or leave that experiment out and run it with --without-dead-man",
        ));
    }
    let place = place(touched.keys().map(|resource| &resource.location))?;
    let reach: Reach = touched.keys().map(|resource| (in_input(resource), Setting::lock_parameter(resource))).collect();
    let arns = touched.keys().map(|resource| (in_input(resource), arn(&place, resource))).collect();
    let branches: Vec<Branch> =
        Setting::branches().into_iter().filter(|branch| args.key.is_some() || !branch.reads_variables).collect();
    let deployment =
        Deployment { place: &place, branches: &branches, reach: &reach, arns: &arns, key: args.key.as_deref() };
    context.output.out.line(format!("{:#}", deployment.to_json()));
    Ok(Exit::Fine)
}

fn needs_variables(plan: &Plan) -> bool {
    plan.stays_alone().any(|(_, change)| change.setting.branch().is_some_and(|branch| branch.reads_variables))
}

fn arn(place: &Place, resource: &Resource) -> String {
    let Place { partition, region, account } = place;
    resource.kind.descriptor().arn.of(partition, region, account, &resource.name)
}

/// The one place that all of the resources are in.
fn place<'a>(locations: impl Iterator<Item = &'a Location>) -> Result<Place, Failure> {
    let mut locations: Vec<&Location> = locations.collect();
    locations.dedup();
    match locations.as_slice() {
        [] => Err(Failure::refused(
            "these experiments need no dead-man switch",
            "every change they make expires by itself",
        )),
        [location] => switch::place(location).ok_or_else(|| {
            Failure::refused("the sandbox has a dead-man switch of its own", "name an AWS account: --account NAME")
        }),
        _ => Err(Failure::refused(
            "these experiments change resources in more than one region or account",
            "print one template for each region and account",
        )),
    }
}
