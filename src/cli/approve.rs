//! `squall approve`.

use super::accounts::Pace;
use super::prepare::{Allowed, Looked, PlanArgs, look_and_plan};
use super::project::short;
use super::{Context, Ended, Exit, Failure, agreed, run, schedule};
use crate::access::token::person;
use crate::access::{Act, Permission, Person};
use crate::env::Env as _;
use crate::ids::RunId;
use crate::inputs::Given;
use crate::planner::fingerprint::PlanHash;
use crate::planner::show;
use crate::serve::gates::{approvals, approved, open_seed};
use crate::spec::load::ProjectFiles;
use crate::store::Store as _;
use crate::store::approvals::ApprovalRow;

/// Approve what a schedule's next run would do
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Makes the plan of the schedule's experiment and shows it. Your approval counts for exactly this plan, for one run, and until it \
expires: `gates: approval` of the schedule says how many people must approve, and for how long that holds. If anything resolves \
differently when the run is to begin, it does not begin. You are who your token says: put it into SQUALL_TOKEN; it needs the role \
approver.

Examples:
  squall approve nightly
  squall approve nightly --plan 3f9a2c81be02-0c1d2e3f4a5b-...  exactly what you reviewed before
  squall approve nightly --yes --json")]
pub struct Args {
    /// The schedule
    name: String,
    /// Approve only the plan with this hash
    #[arg(long, value_name = "HASH")]
    plan: Option<String>,
    /// Values of inputs, for a run that is asked for with them; repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    with: Vec<Given>,
    #[command(flatten)]
    allowed: Allowed,
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
}

/// The variable of the environment that has the token. An argument would be in the list of processes.
const TOKEN: &str = "SQUALL_TOKEN";

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let now = context.env.now();
    let who = approver(context)?;
    let (schedules, _) = schedule::load(now, context)?;
    let schedule = schedule::find(&schedules, &args.name)?.clone();
    let Some(rule) = schedule.approval().cloned() else {
        let what = format!("the runs of {} need no approval", schedule.name);
        return Err(Failure::refused(what, "add `approval` to its `gates`, or run it: squall schedule run"));
    };
    let mut store = context.project.store()?;
    let seed = open_seed(&approvals(&store, &schedule.name)?, &rule, now).unwrap_or_else(|| context.env.entropy());
    let (files, _) = ProjectFiles::open(&context.project.root);
    let file = files.map(|files| files.experiment(&schedule.experiment)).unwrap_or_default();
    let run = RunId::fresh(now, context.env.entropy());
    let asked = PlanArgs::unattended(run, &args.allowed).afresh(false).seeded(seed);
    let asked = asked.with(&args.with).with(&schedule.with);
    let plan = match look_and_plan(&file, &asked, Pace::Max, context)? {
        Looked::Planned(prepared) => prepared.plan,
        Looked::Refused(_, refused) => return Err(refused),
    };
    let hash = PlanHash::of(&plan);
    for line in show::brief(&plan) {
        context.output.err.line(line);
    }
    context.output.err.line(format!("plan {hash}"));
    match &args.plan {
        Some(agreed) => agreed::check(agreed, &plan, context)?,
        None if !args.yes => run::confirm(context)?,
        None => {}
    }
    let by = who.name.to_string();
    let detail = format!("{}: plan {hash}", schedule.name);
    store.note(&Act { at: now, by: by.clone(), what: "approve".into(), detail })?;
    let row = ApprovalRow { schedule: schedule.name.clone(), plan: hash.to_string(), seed, by, at: now, used: None };
    store.approve(&row)?;
    let found = approved(&approvals(&store, &schedule.name)?, &rule, None, now);
    let have = found.filter(|found| found.plan == row.plan).map(|found| found.by).unwrap_or_default();
    let expires = now + rule.expires;
    let out = &mut context.output.out;
    match context.json {
        true => out.json(&serde_json::json!({
            "format": 1,
            "schedule": schedule.name.0,
            "plan": row.plan,
            "seed": seed,
            "by": row.by,
            "expires": expires.to_string(),
            "approved_by": have,
            "approvers": rule.approvers,
        })),
        false => out.line(format!(
            "approved by {}: {} of {} approvals for one run of {} until {}",
            row.by,
            have.len(),
            rule.approvers,
            schedule.name,
            short(expires)
        )),
    }
    Ok(Exit::Fine)
}

/// Who approves, by their token.
fn approver(context: &Context) -> Result<Person, Failure> {
    let next = "squall token create NAME --role approver, then put it into SQUALL_TOKEN";
    let token = context.env.var(TOKEN).ok_or_else(|| Failure::refused("approving needs a token", next))?;
    let rows = context.project.store()?.tokens()?;
    let known = person(&rows, token.trim(), context.env.now());
    let known = known.ok_or_else(|| {
        Failure::refused(format!("the token in {TOKEN} is not known, has expired or was revoked"), "squall token list")
    })?;
    match Permission::Approve.given_to(Some(&known)) {
        true => Ok(known),
        false => Err(Failure::refused(format!("{} is {}, and may not approve", known.name, known.role), next)),
    }
}
