//! Guards: conditions at which the run stops. A guard that cannot see is worse than none, because somebody relies on it:
//! after [`BLIND_FOR`] the run stops.

use super::super::event::{Event, Stop};
use super::super::in_flight::CallPurpose;
use super::super::machine::{Machine, Precondition};
use super::watch::{LOOK_AGAIN, METRIC_PERIOD, PUBLICATION_SLACK, TRY_AGAIN};
use crate::account::{Call, CallError, Outcome, Reply, Sample, Window};
use crate::units::{Span, Time};

/// How long a guard, or the look at a changed setting, may see nothing before the run stops.
pub(super) const BLIND_FOR: Span = Span::from_mins(3);
/// Queue counts and alarm states are looked at this often.
const DIRECT_PERIOD: Span = Span::from_secs(10);

/// What a guard has seen.
#[derive(Clone, Debug, Default)]
pub(in crate::run) struct Guarding {
    /// Start of the next window; none before the first look.
    next: Option<Time>,
    not_before: Time,
    /// Since when it sees nothing.
    blind: Option<Time>,
    /// Whether a window of the baseline had no data, so that none is no sign of blindness.
    may_be_empty: bool,
}

impl Machine {
    pub(super) fn look_at_guard(&mut self, guard: usize) {
        if self.calls.contains(&CallPurpose::AbortCondition(guard)) {
            return;
        }
        let first = self.state.baseline_from();
        let (now, plan) = (self.now, self.state.plan.clone());
        let (Some(planned), Some(looking)) = (plan.stops.get(guard), self.watch.guards.get_mut(guard)) else { return };
        let delay = planned.query.metric.delay();
        let (due, window) = match delay == Span::ZERO {
            true => (looking.not_before, Window { from: now - DIRECT_PERIOD, to: now }),
            false => {
                let from = *looking.next.get_or_insert(first.window_start(METRIC_PERIOD));
                let window = Window { from, to: from + METRIC_PERIOD };
                ((window.to + delay).max(looking.not_before), window)
            }
        };
        if now < due {
            return self.wake_by(due);
        }
        self.call(
            CallPurpose::AbortCondition(guard),
            Call::Measure { query: planned.query.clone(), window },
            Precondition::Nothing,
        );
    }

    /// Takes in what a guard sees. A window that is not there yet is asked for again; an error is blindness, and so is an
    /// empty answer where the baseline always had data.
    pub(in crate::run) fn guard_measured(&mut self, guard: usize, outcome: Outcome) {
        let (now, plan, baseline) = (self.now, self.state.plan.clone(), self.state.t0().is_none());
        let (Some(planned), Some(looking)) = (plan.stops.get(guard), self.watch.guards.get_mut(guard)) else { return };
        let delay = planned.query.metric.delay();
        let direct = delay == Span::ZERO;
        let window = match looking.next.filter(|_| !direct) {
            Some(from) => Window { from, to: from + METRIC_PERIOD },
            None => Window { from: now - DIRECT_PERIOD, to: now },
        };
        let late = !direct && now < window.to + delay + PUBLICATION_SLACK;
        let (seen, error) = match outcome {
            Ok(Reply::Sample(Sample { value, .. })) => (value, None),
            Ok(_) => (None, Some(CallError::Unknown("a wrong kind of answer".into()))),
            Err(error) => (None, Some(error)),
        };
        if seen.is_none() && late {
            looking.not_before = now + if error.is_some() { TRY_AGAIN } else { LOOK_AGAIN };
        } else {
            looking.not_before = if direct { now + planned.every } else { Time::EPOCH };
            looking.next = looking.next.map(|from| from + METRIC_PERIOD);
        }
        let empty = seen.is_none() && error.is_none() && !late;
        looking.may_be_empty |= baseline && empty;
        let blind = error.is_some() || empty && !looking.may_be_empty && !baseline;
        let began = looking.blind.is_none() && blind;
        looking.blind =
            if blind { looking.blind.or(Some(now)) } else { looking.blind.filter(|_| seen.is_none() && !empty) };
        let since = looking.blind;
        if let (Some(error), true) = (error, began) {
            self.record(Event::Unmeasured { query: planned.query.clone(), window, error });
        }
        if !self.may_inject() {
            return;
        }
        if let Some(value) = seen.filter(|value| planned.bound.holds(*value)) {
            self.stop(Stop::AbortCondition { title: planned.title.clone(), value });
        } else if let Some(since) = since.filter(|since| now >= *since + BLIND_FOR) {
            self.stop(Stop::Blind { what: format!("the guard `{}`", planned.title), since });
        }
    }
}
