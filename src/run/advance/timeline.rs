//! The timeline: from the baseline over the steps to the rollback of everything.

use super::super::event::{Event, Phase, Stop};
use super::super::judging::{Case, Unsteady};
use super::super::machine::Machine;
use super::watch::METRIC_PERIOD;
use crate::plan::ChangeId;
use crate::units::Time;

impl Machine {
    /// Ends the baseline when its last window is closed: it held, or the run stops with nothing touched.
    pub(in crate::run) fn advance_baseline(&mut self) {
        if self.state.t0().is_some() || self.state.rolling_back() {
            return;
        }
        let closed = self.baseline_closes();
        let over = self.now >= closed && self.baseline_is_measured();
        let unsteady: Vec<Unsteady> = Case::all(&self.state).filter_map(|case| case.unsteady(over)).collect();
        match unsteady.iter().find(|found| !found.at_its_end).or(unsteady.first()) {
            Some(Unsteady { why, at_its_end: true }) if self.extend_baseline(why) => {
                return self.wake_by(self.baseline_closes());
            }
            Some(Unsteady { why, .. }) => return self.stop(Stop::Baseline { why: why.clone() }),
            None => {}
        }
        if !over {
            // After that, what is still missing wakes this up: its answer, or the end of the wait for it.
            if self.now < closed {
                self.wake_by(closed);
            }
            return;
        }
        // The next look of the guard wakes this up.
        if self.guards_are_blind() {
            return;
        }
        match self.baseline_is_empty() {
            Some(why) => self.stop(Stop::Baseline { why }),
            None => self.record(Event::Entered { phase: Phase::Fault }),
        }
    }

    /// Watches for one window more, because the end of the baseline did not hold. False when it may not last longer.
    fn extend_baseline(&mut self, why: &str) -> bool {
        let plan = &self.state.plan;
        let every = plan.signals.iter().map(|signal| signal.every).max().unwrap_or(METRIC_PERIOD);
        let limit = self.state.baseline_from() + plan.baseline.max(plan.baseline_at_most);
        let until = self.baseline_until() + every;
        if until > limit {
            return false;
        }
        if self.state.extended.is_none() {
            self.record(Event::Extended { until: limit, why: why.to_owned() });
        }
        self.watch.lengthen(until);
        true
    }

    /// The dead-man switch first; then the locks, all of them; then each step in its time.
    pub(in crate::run) fn advance_faults(&mut self) {
        let Some(t0) = self.state.t0() else { return };
        if !self.may_inject() {
            return;
        }
        if !self.advance_arming() {
            return;
        }
        let locks: Vec<ChangeId> =
            self.state.plan.changes.iter().filter(|(_, c)| c.setting.is_lock()).map(|(id, _)| *id).collect();
        let mut locked = true;
        for id in locks {
            locked &= self.advance_injection(id);
        }
        if !locked {
            return;
        }
        let mut over = true;
        for step in 0..self.state.plan.steps.len() {
            over &= self.advance_step(step, t0);
        }
        if over && self.may_inject() {
            self.enter_rollback();
        }
    }

    /// Whether the step is over.
    fn advance_step(&mut self, step: usize, t0: Time) -> bool {
        let plan = self.state.plan.clone();
        let Some(planned) = plan.steps.get(step) else { return true };
        let (begins, ends) = (t0 + planned.at, t0 + planned.at + planned.lasts);
        if self.now < begins {
            self.wake_by(begins);
            return false;
        }
        if self.now >= ends {
            return true;
        }
        self.wake_by(ends);
        if self.state.steps.get(step).is_some_and(|s| s.began.is_none()) {
            self.record(Event::StepBegins { step });
        }
        let mut done = true;
        for id in &planned.changes {
            done &= self.advance_injection(*id);
        }
        if done && planned.emission.is_some() {
            self.advance_sends(step);
        }
        false
    }

    /// Whether a step's time is over, so that its changes are to be rolled back.
    pub(in crate::run) fn step_is_over(&self, step: usize) -> bool {
        match (self.state.t0(), self.state.plan.steps.get(step)) {
            (Some(t0), Some(planned)) => self.state.rolling_back() || self.now >= t0 + planned.at + planned.lasts,
            _ => self.state.rolling_back(),
        }
    }
}
