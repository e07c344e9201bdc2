//! Guards: conditions at which the run stops. A guard that cannot see is worse than none, because people rely on it: no
//! fault goes in meanwhile, and after [`BLIND_FOR`](super::sight::BLIND_FOR) the run stops.

use super::super::event::Stop;
use super::super::in_flight::CallPurpose;
use super::super::machine::{Machine, Precondition};
use super::sight::{Look, Sight};
use super::watch::{LOOK_AGAIN, METRIC_PERIOD, PUBLICATION_SLACK, TRY_AGAIN};
use crate::account::{Call, CallError, Outcome, Reply, Sample, Window};
use crate::units::{Span, Time};

/// Queue counts and alarm states are looked at this often.
const DIRECT_PERIOD: Span = Span::from_secs(10);

/// What a guard has seen.
#[derive(Clone, Debug, Default)]
pub(in crate::run) struct Guarding {
    /// Start of the next window; none before the first look.
    next: Option<Time>,
    not_before: Time,
    sight: Sight,
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
        let look = match (seen, &error) {
            (_, Some(_)) => Look::Failed,
            (Some(_), None) => Look::Seen,
            // It may be published yet.
            (None, None) if late => return,
            (None, None) => Look::Empty,
        };
        let change = looking.sight.take(look, now, baseline);
        if let Some(value) = seen.filter(|value| planned.bound.holds(*value))
            && self.may_inject()
        {
            self.stop(Stop::AbortCondition { title: planned.title.clone(), value });
        }
        let why = error.map_or_else(|| "it had no data".to_owned(), |error| error.to_string());
        self.note_sight(change, || format!("the guard `{}`", planned.title), &why);
    }

    /// Whether a guard cannot be seen now: no fault goes in without it.
    pub(super) fn guards_are_blind(&self) -> bool {
        self.watch.guards.iter().any(|looking| looking.sight.blind().is_some())
    }
}
