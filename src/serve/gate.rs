//! What stands against every scheduled run at its start. What is only known with a plan in hand, such as a hypothesis that does
//! not hold or FIS's safety lever, is the run's own.

use std::collections::BTreeSet;

use crate::ids::RunId;
use crate::schedule::spec::Scheduling;
use crate::store::aftermath::Aftermath;
use crate::store::{Store, StoreError};
use crate::units::{Span, Time};

/// What the project allows of scheduled runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// So many are at work at a time.
    pub runs_at_a_time: u32,
    /// So many begin within seven days.
    pub runs_a_week: Option<u32>,
    /// Nothing begins for so long after one has ended.
    pub rest: Span,
}

impl From<&Scheduling> for Limits {
    fn from(scheduling: &Scheduling) -> Limits {
        let Scheduling { runs_at_a_time, runs_a_week, rest, .. } = *scheduling;
        Limits { runs_at_a_time, runs_a_week, rest }
    }
}

/// Seven days.
pub const WEEK: Span = Span::from_mins(7 * 1_440);
/// A run of the day before may have ended just before this process began.
const DAY: Span = Span::from_mins(1_440);

/// The gate before every scheduled run.
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    /// When the last scheduled run ended.
    ended: Option<Time>,
    /// Runs that were to begin and never will.
    never: BTreeSet<RunId>,
}

impl Gate {
    /// Counts the rest from now when a scheduled run began within the last day: when it ended is not known.
    pub fn new(limits: Limits, store: &dyn Store, now: Time) -> Result<Gate, StoreError> {
        let recent = store.occurrences(now - DAY)?.into_iter().any(|row| row.fate.run().is_some());
        Ok(Gate { limits, ended: recent.then_some(now), never: BTreeSet::new() })
    }

    /// Other limits hold from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// A scheduled run has ended.
    pub fn ended(&mut self, now: Time) {
        self.ended = Some(now);
    }

    /// A run that was to begin never will.
    pub fn never_begins(&mut self, run: RunId) {
        self.never.insert(run);
    }

    /// Why no scheduled run may start now, if none may.
    pub fn closed(&self, store: &dyn Store, now: Time) -> Result<Option<String>, StoreError> {
        if let Some(by) = store.halted()? {
            return Ok(Some(format!("halted by {by}")));
        }
        let rows = store.runs()?;
        for aftermath in Aftermath::of_all(&rows) {
            if let Some(run) = aftermath.origin()
                && !aftermath.left.is_empty()
            {
                return Ok(Some(format!("{run} left something changed; run `squall undo {run}`")));
            }
        }
        if let Some(dead) = rows.iter().find(|row| !row.is_closed() && !row.alive && row.started.is_some()) {
            return Ok(Some(format!("the process running {0} ended unexpectedly; run `squall undo {0}`", dead.run)));
        }
        let closed: BTreeSet<&RunId> = rows.iter().filter(|row| row.is_closed()).map(|row| &row.run).collect();
        let mut scheduled = Vec::new();
        for row in store.occurrences(now - WEEK)? {
            if let Some(run) = row.fate.run()
                && !self.never.contains(run)
            {
                scheduled.push(run.clone());
            }
        }
        // One that is not in the store yet is about to begin.
        let at_work: Vec<&RunId> = scheduled.iter().filter(|run| !closed.contains(run)).collect();
        if at_work.len() >= self.limits.runs_at_a_time as usize {
            let names: Vec<&str> = at_work.iter().map(|run| run.0.as_str()).collect();
            return Ok(Some(format!(
                "`runs_at_a_time: {}`: {} is running",
                self.limits.runs_at_a_time,
                names.join(", ")
            )));
        }
        if let Some(most) = self.limits.runs_a_week.filter(|most| scheduled.len() >= *most as usize) {
            return Ok(Some(format!("`runs_a_week: {most}`: {} started within seven days", scheduled.len())));
        }
        let until = self.ended.map(|ended| ended + self.limits.rest).filter(|until| *until > now);
        Ok(until.map(|until| format!("`rest: {}`: the last run has just ended; wait until {until}", self.limits.rest)))
    }
}
