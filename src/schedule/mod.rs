//! Schedules: when experiments run without a person, and why they do not.
//!
//! Invariant: nothing here reads a clock, a file or chance. The occurrences of a schedule follow from its text, the project's
//! rules and its calendars, so what `squall schedule` lists is what `squall serve` does.

pub mod closed;
pub mod compile;
pub mod cron;
pub mod draw;
pub mod due;
pub mod gates;
pub mod hours;
pub mod ical;
pub mod list;
pub mod moment;
pub mod rhythm;
pub mod spec;
pub mod zone;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::closed::Closures;
use self::gates::{Approval, Gate, RetryUnknown, WhenClosed};
use self::hours::Hours;
use self::rhythm::{Around, Rhythm, Ticks};
use self::zone::Zone;
use crate::channel::{ChannelName, Level};
pub use crate::ids::ScheduleName;
use crate::inputs::Given;
use crate::units::{Span, Time};

/// A schedule with all that decides about its occurrences.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub name: ScheduleName,
    /// The experiment: `experiments/NAME.yaml`.
    pub experiment: String,
    /// The values of its inputs, as written.
    pub with: Vec<Given>,
    pub enabled: bool,
    pub zone: Arc<Zone>,
    pub rhythm: Rhythm,
    pub seed: u32,
    /// Nothing comes before it.
    pub starting: Option<Time>,
    /// The longest that a run takes, with its rollback.
    pub length: Span,
    pub hours: Hours,
    /// The parts of the week in which a run of that length can begin.
    pub starts: Vec<(i64, i64)>,
    pub closed: Arc<Closures>,
    /// Up to where `closed` is worked out; nothing is planned beyond.
    pub horizon: Time,
    pub missed: Missed,
    /// A start that is later than this is a missed one.
    pub late_by_at_most: Span,
    /// Which channels it tells, in place of the usual ones.
    pub notify: Option<BTreeMap<ChannelName, Level>>,
    /// What must be so at the start of a run.
    pub gates: Vec<Gate>,
    pub when_closed: WhenClosed,
    pub retry_unknown: RetryUnknown,
    /// Changes when the schedule's text or its zone does.
    pub definition: String,
}

/// What is done about an occurrence at which squall was not running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    Skip,
    RunOnce,
    Fail,
}

/// One time at which a schedule comes round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    pub at: Time,
    /// Why no run starts then, if none does.
    pub skipped: Option<Why>,
}

/// Why no run starts at a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// `enabled: false`.
    #[error("the schedule is switched off")]
    Disabled,
    /// Outside of the hours of the week.
    #[error("outside the hours in which runs are allowed")]
    OutOfHours,
    /// A blackout or an event of a calendar.
    #[error("closed by {name} until {}", until(to))]
    Closed { name: Arc<str>, to: Time },
    /// The hours end before the run is over for sure.
    #[error("a run takes up to {needs} with its rollback, but the hours end at {closes}")]
    HoursEnd { needs: Span, closes: Time },
    /// A blackout or an event begins before the run is over for sure.
    #[error("a run takes up to {needs} with its rollback, but {name} begins at {closes}")]
    ClosesSoon { needs: Span, name: Arc<str>, closes: Time },
}

fn until(to: &Time) -> String {
    if *to == Time::NEVER { "further notice".into() } else { to.to_string() }
}

impl Why {
    /// For programs: `out_of_hours`.
    pub fn code(&self) -> &'static str {
        match self {
            Why::Disabled => "disabled",
            Why::OutOfHours => "out_of_hours",
            Why::Closed { .. } => "closed",
            Why::HoursEnd { .. } => "hours_end",
            Why::ClosesSoon { .. } => "closes_soon",
        }
    }
}

impl Schedule {
    /// The times after an instant at which it comes round, in order, up to the horizon.
    pub fn ticks(&self, after: Time) -> impl Iterator<Item = Time> + '_ {
        let after = self.starting.map_or(after, |starting| after.max(starting - Span::from_micros(1)));
        let around = Around {
            name: &self.name.0,
            seed: self.seed,
            zone: &self.zone,
            starts: &self.starts,
            apart: self.length.micros() / 1_000_000 + 1,
        };
        let horizon = self.horizon;
        Ticks::new(&self.rhythm, around, after).take_while(move |at| *at <= horizon)
    }

    /// The same, each with what becomes of it.
    pub fn occurrences(&self, after: Time) -> impl Iterator<Item = Occurrence> + '_ {
        self.ticks(after).map(|at| Occurrence { at, skipped: self.why_not(at, self.length) })
    }

    /// The approval that its runs need, if they need any.
    pub fn approval(&self) -> Option<&Approval> {
        self.gates.iter().find_map(|gate| match gate {
            Gate::Approval(approval) => Some(approval),
            _ => None,
        })
    }

    /// Why a run that takes so long cannot start at an instant, if it cannot.
    pub fn why_not(&self, at: Time, needs: Span) -> Option<Why> {
        if !self.enabled {
            return Some(Why::Disabled);
        }
        self.closed_at(at, needs).or_else(|| self.out_of_hours(at, needs))
    }

    /// What blackouts and calendars have against it.
    pub fn closed_at(&self, at: Time, needs: Span) -> Option<Why> {
        let closed = self.closed.at_or_after(at).filter(|closed| closed.from < at + needs)?;
        let name = closed.name.clone();
        Some(match closed.from <= at {
            true => Why::Closed { name, to: closed.to },
            false => Why::ClosesSoon { needs, name, closes: closed.from },
        })
    }

    /// What the hours of the week have against it.
    pub fn out_of_hours(&self, at: Time, needs: Span) -> Option<Why> {
        match self.hours.closes(at, &self.zone) {
            None => Some(Why::OutOfHours),
            Some(closes) if at + needs > closes => Some(Why::HoursEnd { needs, closes }),
            Some(_) => None,
        }
    }
}
