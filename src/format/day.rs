//! The events of a game day, and what others ask of one: how the store keeps them, and how `squall gameday report --json` prints
//! them.

use serde::{Deserialize, Serialize};

use super::{Convert, Seconds, written};
use crate::gameday::{command, event, role};
use crate::ids::{DayId, RunId};
use crate::judge::verdict;
use crate::units::Time;

/// The version of the forms in this file.
pub const VERSION: u32 = 1;

/// One line of `squall gameday report --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Version of this form.
    pub format: u32,
    pub day: String,
    /// From 1, without gaps.
    pub seq: u64,
    /// By the clock of the account that the day takes place in.
    pub at: Time,
    pub event: Event,
}

impl Line {
    /// An event of a day.
    pub fn of(day: &DayId, recorded: &event::Recorded) -> Line {
        let event = recorded.event.clone().convert();
        Line { format: VERSION, day: day.0.clone(), seq: recorded.seq, at: recorded.at, event }
    }
}

/// An event as the store keeps it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    format: u32,
    event: Event,
}

/// Something asked, as the store keeps it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskBody {
    format: u32,
    by: Actor,
    command: Command,
}

/// A text of the store that this squall cannot read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A newer squall wrote it.
    #[error("it has format {0}, and this squall knows formats up to {VERSION}; use the squall that wrote it")]
    Newer(u64),
    /// It is nothing of squall's.
    #[error(transparent)]
    Malformed(#[from] serde_json::Error),
}

/// How the store writes an event.
///
/// # Errors
/// None is known.
pub fn body(event: &event::Event) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Body { format: VERSION, event: event.clone().convert() })
}

/// Reads what the store holds.
///
/// # Errors
/// A newer squall wrote it, or it is no event.
pub fn read(body: &str) -> Result<event::Event, Unreadable> {
    known(body)?;
    Ok(serde_json::from_str::<Body>(body)?.event.convert())
}

/// How the store writes something asked.
///
/// # Errors
/// None is known.
pub fn ask(ask: &command::Ask) -> Result<String, serde_json::Error> {
    let (by, command) = (ask.by.clone().convert(), ask.command.clone().convert());
    serde_json::to_string(&AskBody { format: VERSION, by, command })
}

/// Reads something asked.
///
/// # Errors
/// A newer squall wrote it, or nobody can ask that.
pub fn read_ask(body: &str) -> Result<command::Ask, Unreadable> {
    known(body)?;
    let AskBody { by, command, .. } = serde_json::from_str(body)?;
    Ok(command::Ask { by: by.convert(), command: command.convert() })
}

fn known(body: &str) -> Result<(), Unreadable> {
    let value: serde_json::Value = serde_json::from_str(body)?;
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(format) if format > u64::from(VERSION) => Err(Unreadable::Newer(format)),
        _ => Ok(()),
    }
}

macro_rules! text_inside {
    ($($type:ident),+) => {
        $(
            impl Convert<role::$type> for String {
                fn convert(self) -> role::$type {
                    role::$type(self)
                }
            }

            impl Convert<String> for role::$type {
                fn convert(self) -> String {
                    self.0
                }
            }
        )+
    };
}

text_inside!(Person, ItemName);

written! {
    /// What a person does on the day.
    pub words Role = role::Role { Facilitator, Responder, Observer, Scribe, SafetyMonitor }

    /// What a responder says.
    pub words Statement = role::Statement {
        Noticed, Acknowledged, Command, Cause, Mitigating, Recovered, HandOver, Status,
    }

    /// A person with a role, or an agent in their place.
    pub struct Actor = role::Actor { person: String, role: Role, agent: bool }

    /// Where a day stands.
    pub words Phase = event::Phase {
        Briefing, Readiness, GoNoGo, Scenarios, AllClear, Debrief, Actions, Closed,
    }

    /// What a pause does about faults.
    pub words Faults = event::Faults { GoOn, HoldBack }

    /// What a readiness check found.
    pub words Finding = event::Finding { Passed, Failed, Unknown }

    /// Why something was released.
    pub words Cause = event::Cause { Moment, ByHand }

    /// What became of an item or an expectation.
    pub words Outcome = event::Outcome { Succeeded, Failed, Completed, Expired, Skipped }

    /// How a scenario ended.
    pub words ScenarioEnd = event::ScenarioEnd { Done, ByHand, TimeIsUp, Skipped, Aborted }

    /// Why a fault had to go before its time.
    pub words StopReason = event::StopReason { Asked, Paused, ScenarioOver, Aborted }

    /// How a run ended.
    pub words DayVerdict = verdict::VerdictKind { Held, Unknown, Broken }

    /// Something that a team wants to do after the day.
    pub struct Action = event::Action {
        text: String,
        owner: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ticket: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retest: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scenario: Option<usize>,
    }

    /// One thing that happened. Scenarios and hints are counted from 0.
    pub enum Event = event::Event {
        /// The first event, with the whole text of the runbook.
        Opened { file: String, text: String, people: Vec<Actor>, by: String, rehearsal: bool },
        Entered { phase: Phase },
        Checked { check: String, finding: Finding, detail: String, by: String },
        Decided { go: bool, why: String, by: String },
        ScenarioBegan { scenario: usize },
        ScenarioEnded { scenario: usize, how: ScenarioEnd },
        /// `late_seconds` is how much later than its moment.
        Released { scenario: usize, item: String, cause: Cause, #[serde(rename = "late_seconds")] late: Seconds },
        Hinted { scenario: usize, hint: usize, by: String },
        Tested { scenario: usize, item: String, by: String },
        Settled {
            scenario: usize,
            name: String,
            outcome: Outcome,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            by: Option<String>,
        },
        Said { statement: Statement, text: String, by: Actor },
        Noted { text: String, by: Actor },
        /// The note is the event of this number.
        Corrected { note: u64, text: String, by: Actor },
        Paused { faults: Faults, by: String },
        Resumed { by: String },
        Shifted { #[serde(rename = "by_seconds")] by: Seconds, who: String },
        FaultDue { scenario: usize, run: RunId },
        FaultRefused { scenario: usize, why: String },
        /// Known to `within_seconds`.
        FaultEffective { scenario: usize, since: Time, #[serde(rename = "within_seconds")] within: Seconds, seen: String },
        FaultStopping { scenario: usize, why: StopReason },
        FaultGone { scenario: usize, at: Time },
        RunEnded {
            scenario: usize,
            verdict: DayVerdict,
            why: Vec<String>,
            left: Vec<String>,
            #[serde(rename = "recovered_seconds", default, skip_serializing_if = "Option::is_none")]
            recovered: Option<Seconds>,
        },
        AlarmChanged { alarm: String, firing: bool, at: Time },
        EndedEarly { why: String, by: String },
        Aborted { why: String, by: Actor },
        Agreed { action: Action, by: String },
        Answered { question: String, answer: String, by: Actor },
        Refused { asked: String, why: String, by: Actor },
    }

    /// What a person asks of a day.
    enum Command = command::Command {
        Next,
        Go { go: bool, why: String },
        Check { check: String, finding: Finding, detail: String },
        Release { item: String },
        Skip { item: String },
        Hint,
        Test { scenario: usize, item: String },
        Settle { item: String, outcome: Outcome },
        SkipScenario,
        Pause { faults: Faults },
        Resume,
        Shift { #[serde(rename = "by_seconds")] by: Seconds },
        StopFault,
        EndEarly { why: String },
        Abort { why: String },
        Say { statement: Statement, text: String },
        Note { text: String },
        Correct { note: u64, text: String },
        Answer { question: String, answer: String },
        Agree { action: Action },
    }
}
