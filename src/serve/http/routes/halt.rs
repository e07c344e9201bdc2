//! The halt, and the audit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schedules::since;
use crate::outside::one_line;
use crate::serve::http::{Answer, App, Asked, Refusal};
use crate::units::Time;

/// Why something is done.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Why {
    /// In a sentence, up to 200 characters. It is kept in the audit.
    pub reason: String,
}

/// Whether everything is halted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Halt {
    /// Who halted, and why.
    pub halted_by: Option<String>,
    /// The runs that are at work now: after a halt, those that roll back.
    pub live_runs: Vec<String>,
}

/// What was done.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// In the order in which it was noted.
    pub acts: Vec<Act>,
}

/// An act of a person.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Act {
    pub at: Time,
    pub by: String,
    pub what: String,
    pub detail: String,
}

impl Why {
    /// The reason, on one line.
    pub fn on_one_line(&self) -> Result<String, Refusal> {
        let reason = one_line(&self.reason);
        match (1..=200).contains(&reason.chars().count()) {
            true => Ok(reason),
            false => Err(Refusal::new(400, "`reason` has 1 to 200 characters")),
        }
    }
}

/// `GET /api/v1/halt`.
pub fn look(app: &App, _: &Asked) -> Result<Answer, Refusal> {
    let (halted_by, rows) = app.with_store(|store| Ok((store.halted()?, store.runs()?)))?;
    let live_runs = rows.into_iter().filter(|row| row.alive).map(|row| row.run.0).collect();
    Answer::json(&Halt { halted_by, live_runs })
}

/// `POST /api/v1/halt`.
pub fn halt(app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let reason = asked.body::<Why>()?.on_one_line()?;
    let by = format!("{}: {reason}", asked.by());
    // Stopping comes first: a note that cannot be written must not keep it off.
    app.with_store(|store| store.set_halt(Some(&by)))?;
    app.note(asked, "halt", reason)?;
    look(app, asked)
}

/// `POST /api/v1/halt/lift`.
pub fn lift(app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let reason = asked.body::<Why>()?.on_one_line()?;
    if app.with_store(|store| store.halted())?.is_none() {
        return Err(Refusal::new(409, "nothing is halted"));
    }
    app.note(asked, "lift", reason)?;
    app.with_store(|store| store.set_halt(None))?;
    look(app, asked)
}

/// `GET /api/v1/audit`.
pub fn audit(app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let since = since(app, asked)?;
    let acts = app.with_store(|store| store.acts(since))?;
    let act = |act: crate::access::Act| Act { at: act.at, by: act.by, what: act.what, detail: act.detail };
    Answer::json(&Audit { acts: acts.into_iter().map(act).collect() })
}
