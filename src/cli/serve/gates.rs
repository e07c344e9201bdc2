//! The gates of one scheduled run, looked at with the account, the store, commands and webhooks.

use super::scheduled::{Job, skipped};
use crate::cli::prepare::{Looked, PlanArgs, Prepared, look_and_plan};
use crate::cli::{Context, Failure};
use crate::env::{Env, Interrupts};
use crate::planner::fingerprint::PlanHash;
use crate::project::Project;
use crate::schedule::gates::{Approval, Gate};
use crate::serve::gates::{Approved, Question, Week, approvals, approved, command, loud, too_few};
use crate::spec::load::ProjectFiles;
use crate::units::Span;

/// A plan whose gates are open.
pub struct Passed {
    pub prepared: Prepared,
    /// The hash that was approved, where an approval is needed.
    pub approved: Option<String>,
}

/// A plan, and nothing against it; or why a gate is closed. The failure is what no gate can help.
pub fn pass(job: &Job, context: &mut Context) -> Result<Result<Passed, String>, Failure> {
    let (files, findings) = ProjectFiles::open(&context.project.root);
    let files = files.ok_or_else(|| skipped(format!("squall.yaml cannot be used: {}", findings.count())))?;
    // What needs no account comes first.
    let week = match needs_history(job) {
        true => Some(Week::of(&context.project.store()?, context.env.now())?),
        false => None,
    };
    for gate in &job.schedule.gates {
        if let (Gate::RunsAWeek(most), Some(week)) = (gate, &week)
            && let Some(why) = week.too_many_runs(*most)
        {
            return Ok(Err(why));
        }
    }
    let agreed = match job.schedule.approval() {
        None => None,
        Some(rule) => match approval(job, rule, context)? {
            Ok(approved) => Some(approved),
            Err(why) => return Ok(Err(why)),
        },
    };
    let mut asked = PlanArgs::unattended(job.run.clone(), &job.allowed).with(&job.schedule.with);
    if let Some(approved) = &agreed {
        asked = asked.seeded(approved.seed);
    }
    let mut prepared = match look_and_plan(&files.experiment(&job.schedule.experiment), &asked, job.pace, context)? {
        Looked::Planned(prepared) => *prepared,
        Looked::Refused(reasons, _) => return Err(skipped(reasons.join("; "))),
    };
    if prepared.refused.is_some() {
        return Err(skipped(prepared.refusals.join("; ")));
    }
    let hash = PlanHash::of(&prepared.plan);
    if let Some(why) = agreed.as_ref().and_then(|approved| resolves_differently(approved, &hash)) {
        return Ok(Err(why));
    }
    for gate in &job.schedule.gates {
        if let Some(why) = closed(gate, job, &files.project, week.as_ref(), &mut prepared, context) {
            return Ok(Err(why));
        }
    }
    Ok(Ok(Passed { prepared, approved: agreed.map(|approved| approved.plan) }))
}

fn needs_history(job: &Job) -> bool {
    job.schedule.gates.iter().any(|gate| matches!(gate, Gate::RunsAWeek(_) | Gate::InjectedAWeek(_)))
}

/// The plan that enough people approved.
fn approval(job: &Job, rule: &Approval, context: &Context) -> Result<Result<Approved, String>, Failure> {
    let rows = approvals(&context.project.store()?, &job.schedule.name)?;
    let found = approved(&rows, rule, job.asked_by.as_deref(), context.env.now());
    Ok(match (too_few(found.as_ref(), rule), found) {
        (None, Some(found)) => Ok(found),
        (why, _) => Err(why.unwrap_or_else(|| "no plan is approved".into())),
    })
}

fn resolves_differently(approved: &Approved, now: &PlanHash) -> Option<String> {
    let differs: Vec<String> = match approved.plan.parse::<PlanHash>() {
        Ok(then) => then.differs_in(now).iter().map(ToString::to_string).collect(),
        Err(error) => vec![error],
    };
    (!differs.is_empty()).then(|| {
        format!(
            "`approval`: the plan that was approved now resolves differently in its {}; approve it again with `squall \
             approve`",
            differs.join(", ")
        )
    })
}

/// Why one gate is closed, with a plan in hand.
fn closed(
    gate: &Gate,
    job: &Job,
    project: &Project,
    week: Option<&Week>,
    prepared: &mut Prepared,
    context: &Context,
) -> Option<String> {
    let question = || Question {
        schedule: job.schedule.name.0.clone(),
        experiment: job.schedule.experiment.clone(),
        run: job.run.clone(),
        plan: PlanHash::of(&prepared.plan).to_string(),
    };
    match gate {
        // These were looked at without a plan.
        Gate::RunsAWeek(_) | Gate::Approval(_) => None,
        Gate::InjectedAWeek(most) => week?.too_much_injected(*most, &prepared.plan),
        Gate::AlarmsQuiet(alarms) => {
            let location = prepared.account.locations.get(&prepared.experiment.account).cloned();
            let Some(location) = location else { return Some("`alarms_quiet`: its account is not known".into()) };
            let account = prepared.account.account.as_mut();
            alarms.iter().find_map(|alarm| loud(account, &location, alarm))
        }
        Gate::Command(name) => {
            let Some(spec) = project.gates.commands.get(name) else {
                return Some(format!("`command`: there is no command {}", name.0));
            };
            let closed = command::closed(spec, &question(), &context.project.root, &job.interrupts, &context.env);
            closed.map(|why| format!("`command: {}`: {why}", name.0))
        }
        Gate::Webhook(name) => {
            let Some(spec) = project.gates.webhooks.get(name) else {
                return Some(format!("`webhook`: there is no webhook {}", name.0));
            };
            webhook(spec, &question(), project, &context.env).map(|why| format!("`webhook: {}`: {why}", name.0))
        }
    }
}

#[cfg(feature = "serve")]
fn webhook(
    spec: &crate::schedule::gates::GateWebhook,
    question: &Question,
    project: &Project,
    env: &dyn Env,
) -> Option<String> {
    crate::serve::gates::webhook::closed(spec, question, &project.notifications.addresses, env)
}

#[cfg(not(feature = "serve"))]
fn webhook(_: &crate::schedule::gates::GateWebhook, _: &Question, _: &Project, _: &dyn Env) -> Option<String> {
    Some("this squall was built without HTTP (the feature `serve`)".into())
}

/// The longest pause between two looks at closed gates, and the shortest: some sixty looks within the time that a run waits.
const LONGEST: Span = Span::from_secs(30);
const SHORTEST: Span = Span::from_millis(200);
/// How soon an interrupt is seen.
const LOOK: Span = Span::from_millis(50);

/// Waits until the gates are worth another look.
pub fn pause(patience: Span, left: Span, interrupts: &Interrupts, env: &dyn Env) {
    let pause = Span::from_micros(patience.micros() / 60).clamp(SHORTEST, LONGEST).min(left);
    let until = env.monotonic() + pause;
    while env.monotonic() < until && interrupts.get().is_none() {
        env.sleep(LOOK);
    }
}
