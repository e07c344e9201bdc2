//! Occurrences of schedules as the store keeps them: each is decided once, by whoever claims it first.

use crate::ids::{RunId, ScheduleName};
use crate::units::Time;

/// Names an occurrence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OccurrenceKey {
    pub schedule: ScheduleName,
    /// The time that it was scheduled for, or at which a person asked for it.
    pub at: Time,
    /// A person asked for it: it does not count for the schedule's own rhythm.
    pub by_hand: bool,
}

/// An occurrence that was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OccurrenceRow {
    pub key: OccurrenceKey,
    /// When it was decided, by the clock of the process that did.
    pub decided: Time,
    /// Who decided.
    pub by: String,
    pub fate: Fate,
}

/// What becomes of an occurrence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// This run is to begin, has begun or has ended: its journal tells.
    Run(RunId),
    /// This run waits for a gate to open, for this reason.
    Waits(RunId, String),
    /// No run began, by the schedule's rules or at a closed gate.
    Skipped(String),
    /// squall was not running at its time, or could not begin.
    Missed(String),
    /// The same, and it counts as a failure.
    Failed(String),
}

impl Fate {
    /// As it is stored and printed: `run`, `waits`, `skipped`, `missed`, `failed`.
    pub fn word(&self) -> &'static str {
        match self {
            Fate::Run(_) => "run",
            Fate::Waits(..) => "waits",
            Fate::Skipped(_) => "skipped",
            Fate::Missed(_) => "missed",
            Fate::Failed(_) => "failed",
        }
    }

    /// The run's name, or the reason; of a run that waits both.
    pub fn detail(&self) -> String {
        match self {
            Fate::Run(run) => run.0.clone(),
            // A name of a run has no blanks.
            Fate::Waits(run, why) => format!("{run}: {why}"),
            Fate::Skipped(why) | Fate::Missed(why) | Fate::Failed(why) => why.clone(),
        }
    }

    /// The run that is to begin, waits, has begun or has ended.
    pub fn run(&self) -> Option<&RunId> {
        match self {
            Fate::Run(run) | Fate::Waits(run, _) => Some(run),
            Fate::Skipped(_) | Fate::Missed(_) | Fate::Failed(_) => None,
        }
    }

    /// From what is stored. `None`: no fate that this squall knows.
    pub(super) fn read(word: &str, detail: String) -> Option<Fate> {
        Some(match word {
            "run" => Fate::Run(RunId(detail)),
            "waits" => {
                let (run, why) = detail.split_once(": ")?;
                Fate::Waits(RunId(run.to_owned()), why.to_owned())
            }
            "skipped" => Fate::Skipped(detail),
            "missed" => Fate::Missed(detail),
            "failed" => Fate::Failed(detail),
            _ => return None,
        })
    }
}
