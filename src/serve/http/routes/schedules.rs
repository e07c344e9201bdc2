//! Schedules and their occurrences.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::halt::Why;
use crate::ids::ScheduleName;
use crate::schedule::{Schedule, list as listed};
use crate::serve::http::{Answer, App, Asked, Refusal};
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
}

/// A run that was begun.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Started {
    /// Its name. It may still be refused by its guards: see its occurrence.
    pub run: String,
}

/// A body without anything in it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

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
    let RunNow { reason, anyway } = asked.body()?;
    let reason = Why { reason }.on_one_line()?;
    let schedules = app.backend.schedules();
    let schedule = find(&schedules, asked)?.name.clone();
    app.note(asked, "run now", format!("{schedule}{}: {reason}", if anyway { ", anyway" } else { "" }))?;
    let run = app.backend.run_now(&crate::serve::http::RunNow { schedule, by: asked.by(), anyway })?;
    Answer::json(&Started { run: run.0 })
}

/// `POST /api/v1/schedules/{schedule}/plan`.
pub fn plan(app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let Nothing {} = asked.body()?;
    let schedules = app.backend.schedules();
    let name: ScheduleName = find(&schedules, asked)?.name.clone();
    Ok(Answer::Json(app.backend.plan(&name)?))
}
