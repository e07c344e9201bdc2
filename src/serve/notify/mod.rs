//! What people and programs are told of scheduled runs.
//!
//! Messages follow from what the store holds: of occurrences and of the runs that they became. Each has a key, and is queued once under
//! it, so that it is asked for again after a crash without being told twice. Delivery is from the queue in the store (the outbox), in a
//! thread of its own: it delays no run, and fails none.

#[cfg(feature = "serve")]
mod send;

#[cfg(feature = "serve")]
pub use self::send::{Reply, Request, TIMEOUT, exchange, send, signature};

use serde::Serialize;

use crate::channel::Level;
use crate::judge::verdict::VerdictKind;
use crate::outside::one_line;
use crate::schedule::list::second;
use crate::store::RunRow;
use crate::store::aftermath::Aftermath;
use crate::store::occurrences::{Fate, OccurrenceRow};
use crate::units::{Span, Time};

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A run is to begin.
    Before,
    /// It begins.
    Start,
    /// A run waits for a gate to open.
    Waits,
    /// No run began.
    NoRun,
    /// Its changes were rolled back and verified.
    RolledBack,
    /// It ended.
    End,
    /// It left something changed.
    LeftOver,
}

/// One message, as generic webhooks get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Version of this form.
    pub format: u32,
    /// Names the message: one that comes twice has the same.
    pub id: String,
    pub kind: Kind,
    pub level: Level,
    /// When it happened, or was first seen to have happened; of a message before a run, when that is to begin.
    pub at: String,
    pub schedule: String,
    pub run: Option<String>,
    /// All of it in a sentence.
    pub text: String,
}

impl Message {
    fn new(kind: Kind, level: Level, row: &OccurrenceRow, at: Time, text: String) -> Message {
        let run = row.fate.run().map(|run| run.0.clone());
        let word = match kind {
            Kind::Before => "before",
            Kind::Start => "start",
            Kind::Waits => "waits",
            Kind::NoRun => "no-run",
            Kind::RolledBack => "rolled-back",
            Kind::End => "end",
            Kind::LeftOver => "left-over",
        };
        let (schedule, of) = (row.key.schedule.0.clone(), second(row.key.at));
        Message {
            format: 1,
            id: format!("{schedule}/{of}/{word}"),
            kind,
            level,
            at: second(at),
            schedule,
            run,
            text: one_line(&text),
        }
    }
}

/// A run that is to begin at an occurrence, unless something stands against it by then.
pub fn before(row: &OccurrenceRow, experiment: &str, now: Time) -> Message {
    let (at, schedule) = (row.key.at, &row.key.schedule);
    let text = format!("{schedule}: {experiment} runs in {} at {}", at.since(now).rounded(), second(at));
    Message::new(Kind::Before, Level::Info, row, at, text)
}

/// Everything there is to tell of an occurrence that was decided, as far as its run has come by now.
pub fn of(row: &OccurrenceRow, rows: &[RunRow], now: Time) -> Vec<Message> {
    let schedule = &row.key.schedule;
    let run = match &row.fate {
        Fate::Run(run) => run,
        Fate::Waits(run, why) => {
            let text = format!("{schedule}: {run} waits: {why}");
            return vec![Message::new(Kind::Waits, Level::Warning, row, row.decided, text)];
        }
        Fate::Skipped(why) | Fate::Missed(why) => {
            let text = format!("{schedule}: no run at {}: {why}", second(row.key.at));
            return vec![Message::new(Kind::NoRun, Level::Info, row, row.decided, text)];
        }
        Fate::Failed(why) => {
            let text = format!("{schedule}: no run at {}: {why}", second(row.key.at));
            return vec![Message::new(Kind::NoRun, Level::Warning, row, row.decided, text)];
        }
    };
    let asked = if row.key.by_hand { format!(", asked for by {}", row.by) } else { String::new() };
    let mut messages = Vec::new();
    let Some(found) = rows.iter().find(|found| found.run == *run) else { return messages };
    let Some(started) = found.started else { return messages };
    let text = format!("{schedule}: {run} began ({}){asked}", found.title);
    messages.push(Message::new(Kind::Start, Level::Info, row, started, text));
    let Some(verdict) = &found.verdict else { return messages };
    let level = match verdict.kind {
        VerdictKind::Held => Level::Info,
        VerdictKind::Broken | VerdictKind::Unknown => Level::Warning,
    };
    let word = match verdict.kind {
        VerdictKind::Held => "held",
        VerdictKind::Broken => "broken",
        VerdictKind::Unknown => "unknown",
    };
    let text = format!("{schedule}: {run} ended: {word} ({})", found.title);
    messages.push(Message::new(Kind::End, level, row, now, text));
    let left = Aftermath::of(rows, run).left;
    let names: Vec<String> = left.iter().map(|left| left.resource.to_string()).collect();
    let (kind, level, text) = match names.is_empty() {
        true => (Kind::RolledBack, Level::Info, format!("{schedule}: {run} is rolled back and verified")),
        false => {
            let text =
                format!("{schedule}: {run} LEFT something changed: {}; run `squall undo {run}`", names.join(", "));
            (Kind::LeftOver, Level::Alert, text)
        }
    };
    messages.push(Message::new(kind, level, row, now, text));
    messages
}

/// A message that is older than this is not queued when a process begins.
pub const LOOK_BACK: Span = Span::from_mins(1_440);

/// A squall that was built without the feature `serve` has no HTTP client.
///
/// # Errors
/// Always.
#[cfg(not(feature = "serve"))]
pub async fn send(
    _: &crate::channel::Channel,
    _: &str,
    _: &str,
    _: &[crate::channel::address::InnerAddress],
    _: Time,
    _: &dyn crate::env::Env,
) -> Result<(), String> {
    Err("this squall was built without an HTTP client (the feature `serve`)".into())
}

#[cfg(test)]
mod tests;
