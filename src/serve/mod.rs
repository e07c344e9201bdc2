//! Scheduled runs, without IO of its own: what has come, which of it starts, and why the rest does not.
//!
//! Invariant: an occurrence is decided once, by the process that claims it in the store, and the next one is counted from it.

pub mod gate;
pub mod gates;
#[cfg(feature = "serve")]
pub mod http;
pub mod notify;

use std::collections::BTreeMap;

use self::gate::{Gate, Limits};
use crate::ids::{RunId, ScheduleName};
use crate::schedule::Schedule;
use crate::schedule::due::{self, Due, Todo};
use crate::schedule::list::{self, Decided};
use crate::store::occurrences::{Fate, OccurrenceKey, OccurrenceRow};
use crate::store::{Store, StoreError};
use crate::units::{Span, Time};

/// A run that is to begin now: its occurrence is claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    pub key: OccurrenceKey,
    pub run: RunId,
}

/// The schedules of one process, and how far each is.
pub struct Turns {
    schedules: Vec<Schedule>,
    gate: Gate,
    /// Who decides, for the store.
    by: String,
    ahead: BTreeMap<ScheduleName, Ahead>,
}

/// How far a schedule is.
struct Ahead {
    /// The last occurrence that was dealt with.
    last: Time,
    /// When to look again.
    look: Time,
    /// The occurrence that waits before a closed gate, and why.
    waits: Option<(Time, String)>,
}

/// How long a closed gate is left alone.
const AGAIN: Span = Span::from_secs(1);

impl Turns {
    /// For these schedules, as of now. Those that are switched off are left alone.
    pub fn new(
        schedules: Vec<Schedule>,
        limits: Limits,
        by: String,
        store: &mut dyn Store,
        now: Time,
    ) -> Result<Turns, StoreError> {
        let gate = Gate::new(limits, store, now)?;
        let mut turns = Turns { schedules, gate, by, ahead: BTreeMap::new() };
        turns.schedules.retain(|schedule| schedule.enabled);
        for schedule in &turns.schedules {
            let last = store.counted_from(&schedule.name, &schedule.definition, now)?;
            let ahead = Ahead { last, look: next(schedule, last), waits: None };
            turns.ahead.insert(schedule.name.clone(), ahead);
        }
        Ok(turns)
    }

    /// Goes on with other schedules and limits. One whose text is as before goes on where it is.
    pub fn reload(
        &mut self,
        schedules: Vec<Schedule>,
        limits: Limits,
        store: &mut dyn Store,
        now: Time,
    ) -> Result<(), StoreError> {
        let fresh = Turns::new(schedules, limits, self.by.clone(), store, now)?;
        (self.schedules, self.ahead) = (fresh.schedules, fresh.ahead);
        self.gate.set_limits(limits);
        Ok(())
    }

    /// When the next occurrence comes, if any does.
    pub fn next(&self) -> Option<Time> {
        self.ahead.values().map(|ahead| ahead.look).min().filter(|look| *look != Time::NEVER)
    }

    /// A scheduled run has ended.
    pub fn ended(&mut self, now: Time) {
        self.gate.ended(now);
    }

    /// A run that was to begin never will: it does not count as at work, even where the store could not be told.
    pub fn never_begins(&mut self, run: RunId) {
        self.gate.never_begins(run);
    }

    /// Why no run may start now, if none may.
    pub fn closed(&self, store: &dyn Store, now: Time) -> Result<Option<String>, StoreError> {
        self.gate.closed(store, now)
    }

    /// Decides whatever has come. Each decision is in the store before it is returned; `fresh` names a run.
    pub fn turn(
        &mut self,
        store: &mut dyn Store,
        now: Time,
        fresh: &mut dyn FnMut() -> RunId,
    ) -> Result<Vec<OccurrenceRow>, StoreError> {
        let mut decided = Vec::new();
        for schedule in &self.schedules {
            let Some(ahead) = self.ahead.get_mut(&schedule.name).filter(|ahead| ahead.look <= now) else { continue };
            let (due, _) = due::due(schedule, ahead.last, now);
            for Due { at, what } in due {
                let makes_up = what == Todo::MakeUp;
                let fate = match of(what, at, ahead) {
                    Some(fate) => fate,
                    None => match self.gate.closed(store, now)? {
                        None => Fate::Run(fresh()),
                        Some(why) if makes_up => Fate::Skipped(why),
                        Some(why) => {
                            ahead.waits = Some((at, why));
                            break;
                        }
                    },
                };
                let key = OccurrenceKey { schedule: schedule.name.clone(), at, by_hand: false };
                let row = OccurrenceRow { key, decided: now, by: self.by.clone(), fate };
                if store.claim_occurrence(&row)? {
                    decided.push(row);
                }
                (ahead.last, ahead.waits) = (at, None);
            }
            ahead.look = match ahead.waits {
                Some(_) => now + AGAIN,
                None => next(schedule, ahead.last),
            };
        }
        Ok(decided)
    }
}

/// An occurrence that was decided, for programs.
pub fn decided(row: &OccurrenceRow) -> Decided {
    Decided {
        format: list::VERSION,
        schedule: row.key.schedule.0.clone(),
        at: list::second(row.key.at),
        by_hand: row.key.by_hand,
        decided: row.decided.to_string(),
        by: row.by.clone(),
        fate: row.fate.word().to_owned(),
        detail: row.fate.detail(),
    }
}

/// The runs that are to begin, of what was decided.
pub fn starts(decided: &[OccurrenceRow]) -> Vec<Start> {
    let start = |row: &OccurrenceRow| match &row.fate {
        Fate::Run(run) => Some(Start { key: row.key.clone(), run: run.clone() }),
        _ => None,
    };
    decided.iter().filter_map(start).collect()
}

/// Says of occurrences whose run never began, because the process that claimed them ended before, that they failed. Nothing of
/// them is in any account. Only for a process that knows that no other one serves this store.
pub fn settle_unbegun(store: &mut dyn Store, now: Time) -> Result<(), StoreError> {
    let begun = store.runs()?.into_iter().filter(|row| row.started.is_some());
    let known: Vec<RunId> = begun.map(|row| row.run).collect();
    for row in store.occurrences(now - gate::WEEK)? {
        if let Some(run) = row.fate.run()
            && !known.contains(run)
        {
            store.settle_occurrence(&row.key, &Fate::Failed("squall ended before the run began".into()))?;
        }
    }
    Ok(())
}

fn next(schedule: &Schedule, last: Time) -> Time {
    schedule.ticks(last).next().unwrap_or(Time::NEVER)
}

/// What becomes of an occurrence; `None`: it starts, if the gate is open.
fn of(what: Todo, at: Time, ahead: &Ahead) -> Option<Fate> {
    let waited = || ahead.waits.as_ref().filter(|(waiting, _)| *waiting == at).map(|(_, why)| why.clone());
    match what {
        Todo::Start | Todo::MakeUp => None,
        Todo::Skip(why) => Some(Fate::Skipped(why.to_string())),
        Todo::Superseded => {
            Some(Fate::Skipped(waited().unwrap_or_else(|| "the next occurrence came before it could start".into())))
        }
        Todo::Missed => Some(match waited() {
            Some(why) => Fate::Skipped(why),
            None => Fate::Missed("squall serve was not running at its time".into()),
        }),
        Todo::MissedFailed => Some(match waited() {
            Some(why) => Fate::Skipped(why),
            None => Fate::Failed("squall serve was not running at its time".into()),
        }),
    }
}

#[cfg(test)]
mod tests;
