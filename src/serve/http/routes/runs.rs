//! Runs and their events.

use schemars::JsonSchema;
use serde::Serialize;

use super::halt::Why;
use crate::format::{Convert as _, journal};
use crate::ids::RunId;
use crate::report::jsonl;
use crate::serve::http::{Answer, App, Asked, Feed, Message, Refusal};
use crate::store::aftermath::Aftermath;
use crate::store::{JournalKind, RunRow, StoreError};
use crate::units::{Span, Time};

/// Runs of the project.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Runs {
    /// Newest first.
    pub runs: Vec<Run>,
    /// Whether there are older ones: ask again with `before`.
    pub more: bool,
}

/// One run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    pub run: String,
    pub title: String,
    /// Of its first event; nothing while its plan is being made.
    pub started: Option<Time>,
    /// Who runs it, and where.
    pub owner: String,
    /// Whether a process is at work on it.
    pub alive: bool,
    /// Whether its journal has its last event.
    pub closed: bool,
    pub verdict: Option<journal::Verdict>,
    /// What it left in the account, in words, and was neither rolled back nor acknowledged since.
    pub left: Vec<String>,
}

/// A run that was asked to stop.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stopping {
    pub run: String,
    /// Who asked first.
    pub asked_by: String,
}

/// No run is planned, and waits, for longer.
const PLANNED_FOR: Span = Span::from_mins(7 * 1_440);

const USUAL: usize = 100;
const MOST: usize = 1_000;

/// `GET /api/v1/runs`.
pub fn list(app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let limit = asked.parameter("limit")?.unwrap_or(USUAL);
    if limit == 0 || limit > MOST {
        return Err(Refusal::new(400, format!("`limit` is 1 to {MOST}")));
    }
    let before: Option<RunId> = asked.parameter("before")?;
    let rows = app.with_store(|store| store.runs())?;
    let mut newest_first = rows.iter().filter(|row| row.kind == JournalKind::Run);
    if let Some(before) = before
        && !newest_first.any(|row| row.run == before)
    {
        return Err(Refusal::new(404, format!("there is no run {before}")));
    }
    let runs: Vec<Run> = newest_first.by_ref().take(limit).map(|row| written(row, &rows)).collect();
    Answer::json(&Runs { runs, more: newest_first.next().is_some() })
}

fn written(row: &RunRow, rows: &[RunRow]) -> Run {
    // What rolled it back later is younger, and so are acknowledgements: they are among the rows.
    let left = Aftermath::of(rows, &row.run).left;
    Run {
        run: row.run.0.clone(),
        title: row.title.clone(),
        started: row.started,
        owner: row.owner.clone(),
        alive: row.alive,
        closed: row.is_closed(),
        verdict: row.verdict.clone().convert(),
        left: left.iter().map(|left| format!("{}: {}", left.resource, left.what)).collect(),
    }
}

/// The run that the path names.
fn named(asked: &Asked) -> Result<RunId, Refusal> {
    let unknown = |error: String| Refusal::new(404, error).next("GET /api/v1/runs");
    asked.part("run").parse().map_err(unknown)
}

fn missing(run: &RunId) -> Refusal {
    Refusal::new(404, format!("there is no run {run}")).next("GET /api/v1/runs")
}

/// `GET /api/v1/runs/{run}`.
pub fn one(app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let run = named(asked)?;
    let rows = app.with_store(|store| store.runs())?;
    match rows.iter().find(|row| row.run == run) {
        Some(row) => Answer::json(&written(row, &rows)),
        None => Answer::json(&begins(app, run)?),
    }
}

/// A run that is decided, and whose journal has not begun: its plan is being made, or waits at a gate.
fn begins(app: &App, run: RunId) -> Result<Run, Refusal> {
    let since = app.env.now() - PLANNED_FOR;
    let rows = app.with_store(|store| store.occurrences(since))?;
    let row = rows.into_iter().find(|row| row.fate.run() == Some(&run)).ok_or_else(|| missing(&run))?;
    Ok(Run {
        run: run.0,
        title: String::new(),
        started: None,
        owner: row.by,
        alive: false,
        closed: false,
        verdict: None,
        left: Vec::new(),
    })
}

/// `POST /api/v1/runs/{run}/stop`.
pub fn stop(app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let run = named(asked)?;
    let reason = asked.body::<Why>()?.on_one_line()?;
    let rows = app.with_store(|store| store.runs())?;
    let row = rows.iter().find(|row| row.run == run).ok_or_else(|| missing(&run))?;
    if !row.alive || row.is_closed() {
        return Err(Refusal::new(409, format!("no process is at work on {run}")).next(format!("squall undo {run}")));
    }
    let by = format!("{}: {reason}", asked.by());
    // Stopping comes first: a note that cannot be written must not keep it off.
    app.with_store(|store| store.ask_to_stop(&run, &by))?;
    app.note(asked, "stop", format!("{run}: {reason}"))?;
    let asked_by = app.with_store(|store| store.stop_asked(&run))?.unwrap_or(by);
    Answer::json(&Stopping { run: run.0, asked_by })
}

/// `GET /api/v1/runs/{run}/events`.
pub fn events(app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let run = named(asked)?;
    let heard = match asked.heard.as_deref().filter(|heard| !heard.is_empty()) {
        None => 0,
        Some(heard) => heard.parse().map_err(|_| Refusal::new(400, "`Last-Event-ID` is the number of an event"))?,
    };
    // An unknown run is an error now, and not within the feed.
    match app.with_store(|store| Ok(store.is_alive(&run)))? {
        Err(StoreError::NoSuchRun(_)) => drop(begins(app, run.clone())?),
        alive => drop(alive?),
    }
    Ok(Answer::Feed(Box::new(Following { run, heard, over: false })))
}

/// Someone who follows a run.
struct Following {
    run: RunId,
    heard: u64,
    over: bool,
}

/// So many events are read at a time.
const AT_ONCE: usize = 50;

impl Feed for Following {
    fn at(&self) -> String {
        self.heard.to_string()
    }

    fn next(&mut self, app: &App) -> Result<Vec<Message>, Refusal> {
        let events = match app.with_store(|store| Ok(store.events_after(&self.run, self.heard, AT_ONCE)))? {
            Err(StoreError::NoSuchRun(_)) => {
                // It has not begun. One that never will is over.
                self.over = begins(app, self.run.clone()).is_err();
                return Ok(Vec::new());
            }
            events => events?,
        };
        let Some(last) = events.last() else {
            // A reader that comes back after the last event has heard all there is.
            let ended = |row: &RunRow| row.run == self.run && row.is_closed();
            self.over = app.with_store(|store| store.runs())?.iter().any(ended);
            return Ok(Vec::new());
        };
        self.heard = last.seq;
        self.over = last.event.is_last();
        let message = |recorded: &crate::run::Recorded| Message {
            id: recorded.seq.to_string(),
            event: "event",
            data: jsonl::line(&self.run, recorded),
        };
        Ok(events.iter().map(message).collect())
    }

    fn is_over(&self) -> bool {
        self.over
    }
}
