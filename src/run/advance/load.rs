//! squall's own requests: a bounded, marked stream through every phase until the run ends.

use super::super::event::{Event, Phase};
use super::super::in_flight::CallPurpose;
use super::super::machine::{Machine, Precondition};
use crate::account::{Call, Outcome, Reply, RunMarker};
use crate::plan::LoadPlan;
use crate::units::{Span, Time};

/// Requests of one call are spread over this time.
const SLICE: Span = Span::from_secs(5);

impl Machine {
    /// Makes the requests of the slice that begins now.
    pub(in crate::run) fn advance_load(&mut self) {
        if !self.watches_load() {
            return;
        }
        let plan = self.state.plan.clone();
        for (load, planned) in plan.load.iter().enumerate() {
            if self.calls.values().any(|a| matches!(a, CallPurpose::Load { load: l, .. } if *l == load)) {
                continue;
            }
            let from = self.state.baseline_from();
            if self.now < from {
                self.wake_by(from);
                continue;
            }
            let made = self.state.loaded.get(load).copied().unwrap_or(0);
            let due = self.due_by(planned, from, self.now + SLICE).min(f64::from(planned.at_most));
            // Truncated: the fraction is made up for in a later slice.
            let requests = (due - f64::from(made)).max(0.0) as u32;
            if requests == 0 {
                if made < planned.at_most {
                    self.wake_by(self.now + SLICE);
                }
                continue;
            }
            let marker = RunMarker { run: plan.run.clone(), number: made + 1 };
            let call = Call::Load { target: planned.target.clone(), requests, spread: SLICE, marker };
            self.call(CallPurpose::Load { load, requests }, call, Precondition::Durable);
        }
    }

    fn watches_load(&self) -> bool {
        !self.state.plan.load.is_empty() && (self.may_inject() || self.watches_recovery())
    }

    /// How many requests should have been made by `until`: the area under the straight line between the two rates.
    fn due_by(&self, load: &LoadPlan, from: Time, until: Time) -> f64 {
        let length = self.state.plan.length().secs_f64().max(1.0);
        let t = until.since(from).secs_f64();
        let ramp = t.min(length);
        let slope = (load.to.get() - load.from.get()) / length;
        load.from.get() * ramp + slope * ramp * ramp / 2.0 + load.to.get() * (t - ramp)
    }

    pub(in crate::run) fn loaded(&mut self, load: usize, requests: u32, outcome: Outcome) {
        let failed = match outcome {
            Ok(Reply::Loaded { failed, .. }) => failed,
            _ => requests,
        };
        if !self.state.entered.contains_key(&Phase::Baseline) {
            return;
        }
        self.record(Event::Loaded { load, requests, failed });
    }
}
