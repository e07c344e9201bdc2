//! Provisional values: those of a window two minutes after its end, of a signal whose values are final only later. They can
//! make a run stop sooner and nothing else: verdict, baseline and recovery rest on final values. They are no events, so
//! that a replay needs none of them.

use std::collections::BTreeMap;

use super::super::event::Stop;
use super::super::in_flight::CallPurpose;
use super::super::judging::Case;
use super::super::machine::{Machine, Precondition};
use super::super::progress::Progress;
use super::watch::{LOOK_AGAIN, PUBLICATION_SLACK};
use crate::account::{Call, Outcome, Reply, Sample, Window};
use crate::judge::ask::Reading;
use crate::units::{Span, Time};

/// The provisional windows of one signal.
#[derive(Clone, Debug, Default)]
pub(in crate::run) struct Provisional {
    /// Start of the next window; none before the first look.
    next: Option<Time>,
    not_before: Time,
    /// Those that are not final yet.
    windows: BTreeMap<Time, Reading>,
}

impl Machine {
    /// Looks at the newest window of a signal before it is final.
    pub(super) fn look_ahead(&mut self, signal: usize) {
        let this = CallPurpose::Provisional(signal);
        let Some(t0) = self.state.t0() else { return };
        let (Some(planned), false) = (self.state.plan.signals.get(signal), self.calls.contains(&this)) else { return };
        let (delay, every) = (planned.query.metric.delay(), planned.every);
        if delay == Span::ZERO || planned.settles <= delay || !planned.is_judged() {
            return;
        }
        let query = planned.query.clone();
        let first = self.state.first_window(every);
        let Some(looking) = self.watch.provisional.get_mut(signal) else { return };
        // The first window that ends after the baseline.
        let from =
            looking.next.unwrap_or_else(|| first + every * t0.since(first).micros().div_euclid(every.micros().max(1)));
        looking.next = Some(from);
        let due = (from + every + delay).max(looking.not_before);
        if self.now < due {
            return self.wake_by(due);
        }
        let window = Window { from, to: from + every };
        self.call(this, Call::Measure { query, window }, Precondition::Nothing);
    }

    pub(in crate::run) fn seen_ahead(&mut self, signal: usize, outcome: Outcome) {
        let now = self.now;
        let Some(planned) = self.state.plan.signals.get(signal) else { return };
        let (delay, every) = (planned.query.metric.delay(), planned.every);
        let Some(looking) = self.watch.provisional.get_mut(signal) else { return };
        let Some(from) = looking.next else { return };
        let window = Window { from, to: from + every };
        match outcome {
            Ok(Reply::Sample(Sample { value: Some(value), of })) => {
                let reading = Reading { value: Some(value), of, ..Reading::missing(window.from, every) };
                looking.windows.insert(from, reading);
            }
            _ if now < window.to + delay + PUBLICATION_SLACK => {
                looking.not_before = now + LOOK_AGAIN;
                return;
            }
            _ => {}
        }
        (looking.next, looking.not_before) = (Some(from + every), Time::EPOCH);
        let known = self.state.signals.get(signal).and_then(|known| known.windows.last());
        if let (Some(known), Some(looking)) = (known, self.watch.provisional.get_mut(signal)) {
            looking.windows = looking.windows.split_off(&known.window.to);
        }
        let ahead: Vec<Reading> = self
            .watch
            .provisional
            .get(signal)
            .map(|looking| looking.windows.values().copied().collect())
            .unwrap_or_default();
        let Some(case) = Case::of(&self.state, signal).filter(|_| self.may_inject()) else { return };
        // What has a control waits for it.
        let breaks = |progress: &Progress| case.planned().control.is_none() && progress.is_broken_with(&case, &ahead);
        if self.watch.progress.get(signal).is_some_and(breaks) {
            self.stop(Stop::Suspected { signal, window });
        } else if let Some(value) = ahead.last().and_then(|reading| case.beyond_the_rail(reading)) {
            let title = case.planned().title.clone();
            self.stop(Stop::AbortCondition { title, value });
        }
    }
}
