//! The events of a journal: how the store keeps them, and how `squall log --json` and `squall run --json` print them.

use serde::{Deserialize, Serialize};

use super::account::{CallError, Query, Resource, Sample, SendOutcome, Value, Window};
use super::plan::Plan;
use super::{Convert, VERSION, v1, written};
use crate::account::{self, switch};
use crate::ids::RunId;
use crate::judge::verdict;
use crate::plan::ChangeId;
use crate::run::event::{self, Recorded};
use crate::units::Time;

/// One line of `squall log --json`, and of `squall run --json` while it goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Version of this form.
    pub format: u32,
    pub run: RunId,
    /// From 1, without gaps.
    pub seq: u64,
    /// By the account's clock.
    pub at: Time,
    pub event: Event,
}

impl Line {
    /// An event of a run.
    pub fn of(run: &RunId, recorded: &Recorded) -> Line {
        let event = recorded.event.clone().convert();
        Line { format: VERSION, run: run.clone(), seq: recorded.seq, at: recorded.at, event }
    }
}

/// An event as the store keeps it; its number and time are in columns of their own.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    format: u32,
    event: Event,
}

/// An event that this squall cannot read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A newer squall wrote it.
    #[error("it has format {format}; this version of squall reads formats up to {VERSION}")]
    Newer {
        format: u32,
        /// Whether rolling back can do without it: no kind of event that this squall knows.
        skippable: bool,
    },
    /// It is no event of squall's.
    #[error(transparent)]
    Malformed(#[from] serde_json::Error),
}

/// How the store writes an event.
///
/// # Errors
/// None is known: an event has no maps with other keys than texts.
pub fn body(event: &event::Event) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Body { format: VERSION, event: event.clone().convert() })
}

/// Reads what the store holds: of this version, or of squall 0.1.0.
///
/// # Errors
/// A newer squall wrote it, or it is no event.
pub fn read(body: &str) -> Result<event::Event, Unreadable> {
    // What this version writes begins so; everything else is rare, and may be read twice.
    if body.starts_with(r#"{"format":2,"#) {
        return Ok(serde_json::from_str::<Body>(body)?.event.convert());
    }
    let Some(format) = format_of(body)? else {
        return Ok(serde_json::from_str::<v1::Event>(body)?.convert());
    };
    if format == VERSION {
        return Ok(serde_json::from_str::<Body>(body)?.event.convert());
    }
    if format < VERSION {
        let wrong = serde::de::Error::custom(format!("there is no format {format}"));
        return Err(Unreadable::Malformed(wrong));
    }
    // What did not change since is read as it is; so a run that a newer squall began can be rolled back by this one.
    let newer: serde_json::Value = serde_json::from_str(body)?;
    let event = newer.get("event").cloned().unwrap_or_default();
    let kind = event.get("kind").and_then(|kind| kind.as_str()).unwrap_or_default().to_owned();
    match serde_json::from_value::<Event>(event) {
        Ok(event) => Ok(event.convert()),
        Err(_) => {
            let skippable = !kind.is_empty() && !KINDS.contains(&kind.as_str());
            Err(Unreadable::Newer { format, skippable })
        }
    }
}

/// The version that a body names; none in version 1, where an event is a word or an object with the event's name as key.
fn format_of(body: &str) -> Result<Option<u32>, serde_json::Error> {
    let value: serde_json::Value = serde_json::from_str(body)?;
    let format = value.get("format").filter(|_| value.get("event").is_some());
    Ok(format.and_then(serde_json::Value::as_u64).map(|format| u32::try_from(format).unwrap_or(u32::MAX)))
}

/// The kinds of events of this version. A newer event of one of these is needed to roll back, or may be.
const KINDS: [&str; 33] = [
    "started",
    "entered",
    "sampled",
    "unmeasured",
    "blind",
    "sighted",
    "extended",
    "arming",
    "armed",
    "switch_ended",
    "step_begins",
    "changing",
    "changed",
    "sending",
    "sent",
    "effective",
    "not_effective",
    "loaded",
    "signal_broken",
    "stopping",
    "restoring",
    "restored",
    "found_again",
    "hindered",
    "settled",
    "sweeping",
    "swept",
    "accounted",
    "fault_gone",
    "taken_over",
    "look_again",
    "acknowledged",
    "closed",
];

written! {
    /// One thing that happened, or is about to.
    pub enum Event = event::Event {
        /// The first event: all that the run will do.
        Started { plan: Box<Plan>, by: String, version: String },
        Entered { phase: Phase },
        /// A window of a signal closed. Signals are counted from 0, as in the plan.
        Sampled { signal: usize, phase: Phase, window: Window, sample: Sample, breaks: bool },
        Unmeasured { query: Query, window: Window, error: CallError },
        /// A guard, a changed setting or the evidence of a step cannot be seen, since then.
        Blind { what: String, since: Time, why: String },
        Sighted { what: String },
        /// The baseline goes on until its last windows hold, at most to `until`.
        Extended { until: Time, why: String },
        /// An execution of the dead-man switch is about to be started. Switches are counted from 0, as in the plan.
        Arming { switch: usize },
        /// The account has it.
        Armed { switch: usize, until: Time },
        SwitchEnded { switch: usize, how: SwitchEnd },
        StepBegins { step: usize },
        /// The change's `after` is about to be written.
        Changing { change: ChangeId },
        Changed { change: ChangeId, outcome: WriteOutcome },
        /// The messages with these numbers are about to be sent.
        Sending { step: usize, first: u32, last: u32 },
        Sent { step: usize, first: u32, last: u32, outcomes: Sent },
        /// The first evidence that a step's fault works.
        Effective { step: usize, since: Time, seen: String },
        NotEffective { step: usize },
        /// squall's own requests of one second.
        Loaded { load: usize, requests: u32, failed: u32 },
        SignalBroken { signal: usize, window: Window },
        /// The run stops early, for the first reason.
        Stopping { why: Stop },
        /// The change's `before` is about to be written, over what was found.
        Restoring { change: ChangeId, found: Value },
        Restored { change: ChangeId, outcome: WriteOutcome },
        /// The run's value was read again after the change was settled.
        FoundAgain { change: ChangeId },
        /// The rollback cannot go on, and is tried again.
        Hindered { why: String },
        /// A change has ended, verified.
        Settled { change: ChangeId, how: Settled },
        Sweeping { step: usize, number: u32 },
        Swept { step: usize, number: u32 },
        Accounted { step: usize, account: MessageAccount, why: String },
        /// Every change is restored and works nowhere any more.
        FaultGone,
        TakenOver { by: String, epoch: u64 },
        /// These changes are to be read once more, from then on.
        LookAgain { changes: Vec<ChangeId>, from: Time },
        /// A person took care of what a run left; the only event of its journal.
        Acknowledged { run: RunId, by: String, reason: String, left: Vec<Left> },
        /// The last event.
        Closed { verdict: Verdict, left: Vec<Left> },
    }

    /// A part of a run.
    pub words Phase = event::Phase {
        Baseline,
        Fault,
        #[serde(rename = "undo")]
        Rollback,
        Recovery,
    }

    /// What came of a write.
    pub enum WriteOutcome = event::WriteOutcome {
        Applied,
        Refused(error: CallError),
        /// It may still land.
        Unknown(why: String),
    }

    /// How a change ended.
    pub enum Settled = event::Settled {
        Restored,
        AlreadyBefore,
        /// Others changed the setting; their value was left alone.
        Theirs { found: Value },
        /// Something else goes on changing the setting: both values that were seen.
        Contested { found: Value, other: Value },
        /// Rolled back; but these versions, published meanwhile, hold the run's value.
        Published { versions: Vec<String> },
        ResourceGone,
        /// Others deleted the resource.
        Deleted,
        Left { why: String },
    }

    /// Why a run stops before its timeline ends.
    pub enum Stop = event::Stop {
        Broken { signal: usize },
        /// Values that are not final yet say that it is broken.
        Suspected { signal: usize, window: Window },
        Baseline { why: String },
        /// Final values say that it was broken before the faults went in.
        BeganBefore { why: String },
        #[serde(rename = "guard")]
        AbortCondition { title: String, value: f64 },
        /// A guard, a changed setting or the evidence of a step could not be seen since then.
        Blind { what: String, since: Time },
        TooLong,
        Signal { name: String },
        Asked { by: String },
        Failed { change: ChangeId, why: String },
        /// The dead-man switch could not be armed.
        NotArmed { why: String },
        Drifted { change: ChangeId, found: Value },
        Overslept {
            #[serde(rename = "late_seconds")]
            late_secs: u64,
        },
        ClockJumped {
            #[serde(rename = "by_seconds")]
            by_secs: i64,
        },
        ClockOff {
            #[serde(rename = "by_seconds")]
            by_secs: i64,
        },
        /// The lease on the run's locks could not be renewed since then.
        LeaseLost { since: Time },
        Journal { why: String },
        NotEffective { step: usize },
        Died,
        /// It is a later rollback of this run.
        RollsBack { run: RunId },
    }

    /// What became of an execution of the dead-man switch.
    pub enum SwitchEnd = event::SwitchEnd {
        Stopped,
        /// It woke: what it did about each resource.
        Acted { resources: Vec<Acted> },
        /// It woke and could not do all of its work.
        Failed { why: String },
        /// It was announced, and there is none.
        NeverArmed,
        /// It could not be stopped, or not be asked.
        Unstopped { why: String },
    }

    /// What the dead-man switch did about a resource.
    pub struct Acted = switch::Acted {
        /// Kind and name.
        resource: String,
        /// How its changes ended, newest first.
        ends: Vec<String>,
    }

    /// How the messages of an emission were accounted for.
    pub struct MessageAccount = event::MessageAccount {
        accepted: u32,
        refused: u32,
        unknown: u32,
        swept: u32,
        left: u32,
        consumed: Vec<u32>,
        not_found: Vec<u32>,
        foreign: u32,
    }

    /// Something that a run leaves behind, and what to do about it.
    pub struct Left = event::Left {
        resource: Resource,
        what: String,
        remedy: String,
    }

    /// What a run found, and every reason for it.
    pub struct Verdict = verdict::Verdict {
        #[serde(rename = "finding")]
        kind: VerdictKind,
        reasons: std::collections::BTreeSet<String>,
    }

    /// Held, broken, or unknown.
    pub words VerdictKind = verdict::VerdictKind {
        Held,
        Unknown,
        Broken,
    }
}

/// What came of a call that sends messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Sent {
    /// One outcome a message, in order.
    Each { messages: Vec<SendOutcome> },
    /// The call as a whole failed.
    Failed { error: CallError },
}

impl Convert<Result<Vec<account::SendOutcome>, account::CallError>> for Sent {
    fn convert(self) -> Result<Vec<account::SendOutcome>, account::CallError> {
        match self {
            Sent::Each { messages } => Ok(messages.convert()),
            Sent::Failed { error } => Err(error.convert()),
        }
    }
}

impl Convert<Sent> for Result<Vec<account::SendOutcome>, account::CallError> {
    fn convert(self) -> Sent {
        match self {
            Ok(messages) => Sent::Each { messages: messages.convert() },
            Err(error) => Sent::Failed { error: error.convert() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn kinds(schema: &serde_json::Value) -> BTreeSet<&str> {
        let forms = schema["$defs"]["Event"]["oneOf"].as_array().unwrap();
        forms.iter().map(|form| form["properties"]["kind"]["const"].as_str().unwrap()).collect()
    }

    #[test]
    fn every_kind_of_event_is_known_to_be_needed() {
        assert_eq!(kinds(&crate::format::schema::journal()), KINDS.into_iter().collect());
    }

    #[test]
    fn an_event_is_an_object_with_its_kind_and_the_version() {
        let body = |event: event::Event| body(&event).unwrap();
        assert_eq!(
            body(event::Event::Changing { change: ChangeId(1) }),
            r#"{"format":2,"event":{"kind":"changing","change":1}}"#
        );
        assert_eq!(body(event::Event::FaultGone), r#"{"format":2,"event":{"kind":"fault_gone"}}"#);
        let late = event::Event::Stopping { why: event::Stop::Overslept { late_secs: 40 } };
        assert_eq!(
            body(late),
            r#"{"format":2,"event":{"kind":"stopping","why":{"kind":"overslept","late_seconds":40}}}"#
        );
    }

    #[test]
    fn version_1_is_read() {
        let changing = event::Event::Changing { change: ChangeId(1) };
        assert_eq!(read(r#"{"changing":{"change":1}}"#).unwrap(), changing);
        assert_eq!(read(r#""fault_gone""#).unwrap(), event::Event::FaultGone);
        let refused = read(r#"{"sent":{"step":0,"first":1,"last":1,"outcomes":{"Ok":[{"refused":"full"}]}}}"#).unwrap();
        let outcomes = Ok(vec![account::SendOutcome::Refused("full".into())]);
        assert_eq!(refused, event::Event::Sent { step: 0, first: 1, last: 1, outcomes });
    }

    #[test]
    fn of_a_newer_version_what_is_the_same_is_read_and_what_is_unknown_may_be_skipped() {
        let of = |event: &str| read(&format!(r#"{{"format":3,"event":{event}}}"#));
        assert!(matches!(of(r#"{"kind":"changing","change":1}"#), Ok(event::Event::Changing { .. })));
        for (event, may_skip) in [
            (r#"{"kind":"pondered","depth":4}"#, true),
            (r#"{"kind":"changing","change":1,"gently":true}"#, false),
            (r#"{"kind":"settled","change":1,"how":{"kind":"forgotten"}}"#, false),
            (r#"{}"#, false),
            (r#"[1]"#, false),
        ] {
            match of(event) {
                Err(Unreadable::Newer { format: 3, skippable }) => assert_eq!(skippable, may_skip, "{event}"),
                other => panic!("{event}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for wrong in [
            "",
            "{}",
            "1",
            r#""changing""#,
            r#"{"format":2}"#,
            r#"{"format":2,"event":{"kind":"changing"}}"#,
            r#"{"format":2,"event":{"kind":"changing","change":1},"more":1}"#,
            r#"{"format":1,"event":{"kind":"changing","change":1}}"#,
            r#"{"changing":{"change":1,"more":2}}"#,
        ] {
            assert!(matches!(read(wrong), Err(Unreadable::Malformed(_))), "{wrong}");
        }
    }
}
