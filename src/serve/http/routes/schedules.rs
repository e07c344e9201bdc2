//! Schedules and their occurrences.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::halt::Why;
use crate::ids::ScheduleName;
use crate::inputs::Given;
use crate::outside::one_line;
use crate::planner::fingerprint::PlanHash;
use crate::schedule::{Schedule, list as listed};
use crate::serve::gates::approved;
use crate::serve::http::{Answer, App, Asked, Refusal};
use crate::store::approvals::ApprovalRow;
use crate::units::{Span, Time};

/// What became of occurrences.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Occurrences {
    /// In the order of their times.
    pub occurrences: Vec<listed::Decided>,
}

/// A run that a person asks for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunNow {
    /// In a sentence, up to 200 characters. It is kept in the audit.
    pub reason: String,
    /// Run although the hours, a blackout or a calendar say no.
    #[serde(default)]
    pub anyway: bool,
    /// Values of the experiment's inputs, by name: a number, or a text such as `10m`, `50 %` or a word. They replace those of the
    /// schedule.
    #[serde(default)]
    pub with: BTreeMap<String, InputValue>,
}

/// The value of an input in a request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Json")]
#[schemars(with = "Json")]
pub struct InputValue(String);

impl TryFrom<Json> for InputValue {
    type Error = String;

    fn try_from(value: Json) -> Result<InputValue, String> {
        match value {
            Json::Number(number) => Ok(InputValue(number.to_string())),
            Json::String(text) if text.len() <= 100 => Ok(InputValue(text)),
            _ => Err("the value of an input is a number or a text of up to 100 bytes".into()),
        }
    }
}

/// The values of a request, checked no further.
fn given(with: BTreeMap<String, InputValue>) -> Vec<Given> {
    with.into_iter().map(|(name, value)| Given { name, value: value.0 }).collect()
}

/// A run that was begun.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Started {
    /// Its name. It may still be refused by its guards: see its occurrence.
    pub run: String,
}

/// A plan that a person asks for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanNow {
    /// Values of the experiment's inputs, by name. They replace those of the schedule.
    #[serde(default)]
    pub with: BTreeMap<String, InputValue>,
}

const MONTH: Span = Span::from_mins(30 * 1_440);

/// The parameter `since`.
pub fn since(app: &App, asked: &Asked) -> Result<Time, Refusal> {
    Ok(asked.parameter("since")?.unwrap_or_else(|| app.env.now() - MONTH))
}

/// The schedule that the path names.
fn find<'s>(schedules: &'s Arc<Vec<Schedule>>, asked: &Asked) -> Result<&'s Schedule, Refusal> {
    let name = asked.part("schedule");
    let missing = || Refusal::new(404, "there is no schedule of this name").next("GET /api/v1/schedules");
    schedules.iter().find(|schedule| schedule.name.0 == name).ok_or_else(missing)
}

/// `GET /api/v1/schedules`.
pub fn list(app: &App, _: &Asked) -> Result<Answer, Refusal> {
    Answer::json(&listed::document(&app.backend.schedules(), app.env.now()))
}

/// `GET /api/v1/schedules/{schedule}`.
pub fn explain(app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let schedules = app.backend.schedules();
    let at = asked.parameter("at")?.unwrap_or_else(|| app.env.now());
    Answer::json(&listed::explain(find(&schedules, asked)?, at))
}

/// `GET /api/v1/occurrences`.
pub fn history(app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let since = since(app, asked)?;
    let rows = app.with_store(|store| store.occurrences(since))?;
    Answer::json(&Occurrences { occurrences: rows.iter().map(crate::serve::decided).collect() })
}

/// `POST /api/v1/schedules/{schedule}/run`.
pub fn run(app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let RunNow { reason, anyway, with } = asked.body()?;
    let reason = Why { reason }.on_one_line()?;
    let schedules = app.backend.schedules();
    let schedule = find(&schedules, asked)?.name.clone();
    let with = given(with);
    let mut detail = format!("{schedule}{}", if anyway { ", anyway" } else { "" });
    with.iter().for_each(|given| detail += &format!(", with {}", one_line(&given.to_string())));
    app.note(asked, "run now", format!("{detail}: {reason}"))?;
    let order = crate::serve::http::RunNow { schedule, by: asked.by(), anyway, with };
    match app.backend.run_now(&order) {
        Ok(run) => Answer::json(&Started { run: run.0 }),
        Err(refusal) => {
            app.note(asked, "run now refused", format!("{}: {}", order.schedule, refusal.what))?;
            Err(refusal)
        }
    }
}

/// `POST /api/v1/schedules/{schedule}/plan`.
pub fn plan(app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let PlanNow { with } = asked.body()?;
    let schedules = app.backend.schedules();
    let name: ScheduleName = find(&schedules, asked)?.name.clone();
    Ok(Answer::Json(app.backend.plan(&name, &given(with), None)?))
}

/// An approval.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// The hash of the plan that was reviewed.
    pub plan: String,
    /// Its seed.
    pub seed: u64,
    /// In a sentence, up to 200 characters. It is kept in the audit.
    pub reason: String,
    /// The values of inputs that the plan was made with, beside those of the schedule.
    #[serde(default)]
    pub with: BTreeMap<String, InputValue>,
}

/// The approvals of a plan.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    pub plan: String,
    /// Who approved it.
    pub approved_by: Vec<String>,
    /// So many people must.
    pub approvers: u32,
    /// When the approval that was just given expires.
    pub expires: Time,
}

/// `POST /api/v1/schedules/{schedule}/approve`.
pub fn approve(app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let Approve { plan, seed, reason, with } = asked.body()?;
    let reason = Why { reason }.on_one_line()?;
    let schedules = app.backend.schedules();
    let schedule = find(&schedules, asked)?;
    let name = schedule.name.clone();
    let needless = || Refusal::new(409, format!("the runs of {name} need no approval"));
    let rule = schedule.approval().cloned().ok_or_else(needless)?;
    let hash: PlanHash = plan.parse().map_err(|error: String| Refusal::new(400, error))?;
    // Nobody approves what is not so.
    let now = app.backend.plan(&name, &given(with), Some(seed))?;
    if now["hash"].as_str() != Some(plan.as_str()) {
        let what = "the plan resolves differently now, or has another seed";
        return Err(Refusal::new(409, what).next(format!("POST /api/v1/schedules/{name}/plan")));
    }
    app.note(asked, "approve", format!("{name}: plan {hash}: {reason}"))?;
    let at = app.env.now();
    let row = ApprovalRow { schedule: name.clone(), plan: hash.to_string(), seed, by: asked.by(), at, used: None };
    let rows = app.with_store(|store| {
        store.approve(&row)?;
        store.approvals(&name)
    })?;
    let found = approved(&rows, &rule, None, at).filter(|found| found.plan == row.plan);
    let approved_by = found.map(|found| found.by.into_iter().collect()).unwrap_or_default();
    Answer::json(&Approvals { plan: row.plan, approved_by, approvers: rule.approvers, expires: at + rule.expires })
}
