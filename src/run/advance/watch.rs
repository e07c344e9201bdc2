//! Watching: signals window by window, guards, and the evidence that a fault works.
//!
//! A window is measured once it is over and published, and closes at its watermark; one without a value is no data, never
//! zero.

use super::super::event::{Event, Phase, Stop};
use super::super::in_flight::CallPurpose;
use super::super::judging::Case;
use super::super::machine::{Machine, Precondition};
use super::super::progress::Progress;
use super::super::state::{SignalWindow, State};
use super::evidence::Looking;
use super::guards::Guarding;
use super::logged::Searching;
use super::provisional::Provisional;
use super::sight::Sight;
pub(super) use crate::account::signal::METRIC_PERIOD;
use crate::account::{Call, CallError, Outcome, Reply, Sample, Window};
use crate::judge::ask::Reading;
use crate::judge::bound::Bound;
use crate::judge::watermark::Watermark;
use crate::units::{Span, Time};

/// How many times a measurement is tried before its window counts as one without data.
pub(super) const TRIES: u32 = 3;
/// Between two tries.
pub(super) const TRY_AGAIN: Span = Span::from_secs(5);
/// How long after it should be there a metric is waited for; then its window closes without data.
pub(super) const PUBLICATION_SLACK: Span = Span::from_secs(60);
/// Between two looks at a metric that is not there yet.
pub(super) const LOOK_AGAIN: Span = Span::from_secs(20);
/// A count that is read directly belongs to its moment; later than this it is another moment's.
pub(super) const DIRECT_TOLERANCE: Span = Span::from_secs(5);

/// What the machine remembers of what it watches.
#[derive(Clone, Debug, Default)]
pub(in crate::run) struct Watch {
    signals: Vec<Closing>,
    pub(super) provisional: Vec<Provisional>,
    pub(super) guards: Vec<Guarding>,
    /// What the windows so far say against each signal.
    pub(super) progress: Vec<Progress>,
    /// How well the evidence of each step is seen: by any of its indicators.
    pub(super) evidence: Vec<Sight>,
    indicators: Vec<Vec<Looking>>,
    /// The search of the logs for each step.
    pub(super) searches: Vec<Searching>,
    /// The end of a baseline that goes on for longer than planned.
    baseline_until: Option<Time>,
}

/// The windows of one signal, closed one after another.
#[derive(Clone, Debug, Default)]
struct Closing {
    /// None before the first look.
    watermark: Option<Watermark>,
    tries: u32,
    not_before: Time,
}

impl Watch {
    /// Watches everything of a run's plan from now on.
    pub(in crate::run) fn over(state: &State) -> Watch {
        let plan = &state.plan;
        Watch {
            signals: vec![Closing::default(); plan.signals.len()],
            provisional: vec![Provisional::default(); plan.signals.len()],
            guards: vec![Guarding::default(); plan.stops.len()],
            progress: vec![Progress::default(); plan.signals.len()],
            evidence: vec![Sight::default(); plan.steps.len()],
            indicators: plan.steps.iter().map(|step| vec![Looking::default(); step.evidence.any.len()]).collect(),
            searches: vec![Searching::default(); plan.steps.len()],
            baseline_until: None,
        }
    }
}

impl Watch {
    /// What an indicator has seen.
    pub(super) fn indicator(&self, step: usize, indicator: usize) -> Option<&Looking> {
        self.indicators.get(step)?.get(indicator)
    }

    /// Whether none of a step's indicators is seen.
    pub(super) fn evidence_is_blind(&self, step: usize) -> bool {
        let indicators = self.indicators.get(step).map(Vec::as_slice).unwrap_or_default();
        !indicators.is_empty() && indicators.iter().all(|looking| looking.sight.blind().is_some())
    }

    /// The same, to look further.
    pub(super) fn indicator_mut(&mut self, step: usize, indicator: usize) -> Option<&mut Looking> {
        self.indicators.get_mut(step)?.get_mut(indicator)
    }

    /// Lets the baseline go on.
    pub(super) fn lengthen(&mut self, until: Time) {
        self.baseline_until = Some(until);
    }
}

impl Machine {
    /// Measures what is due.
    pub(in crate::run) fn advance_watch(&mut self) {
        if self.may_inject() || self.watches_recovery() {
            for signal in 0..self.state.plan.signals.len() {
                self.look_at_signal(signal);
            }
        }
        if self.may_inject() {
            (0..self.state.plan.stops.len()).for_each(|guard| self.look_at_guard(guard));
            (0..self.state.plan.signals.len()).for_each(|signal| self.look_ahead(signal));
        }
        if self.may_inject() || self.watches_recovery() {
            self.advance_evidence();
        }
    }

    fn look_at_signal(&mut self, signal: usize) {
        if self.calls.contains(&CallPurpose::Signal(signal)) {
            return;
        }
        let first = self.state.first_window(self.state.plan.signals.get(signal).map_or(METRIC_PERIOD, |s| s.every));
        let (Some(planned), Some(closing)) = (self.state.plan.signals.get(signal), self.watch.signals.get_mut(signal))
        else {
            return;
        };
        let (delay, every) = (planned.settles, planned.every);
        // A count that is read directly is there at once, or it is another moment's.
        let patience = if delay == Span::ZERO { every.max(DIRECT_TOLERANCE) } else { delay + PUBLICATION_SLACK };
        let watermark = closing.watermark.get_or_insert_with(|| Watermark::from(first, every, patience));
        let window = Window { from: watermark.next(), to: watermark.next() + every };
        let due = (window.to + delay).max(closing.not_before);
        if self.now < due {
            return self.wake_by(due);
        }
        if self.now >= watermark.closes_at() && (delay == Span::ZERO || closing.tries > 0) {
            return self.close_windows(signal);
        }
        let call = Call::Measure { query: planned.query.clone(), window };
        self.call(CallPurpose::Signal(signal), call, Precondition::Nothing);
    }

    pub(in crate::run) fn measured(&mut self, signal: usize, outcome: Outcome) {
        let now = self.now;
        let plan = self.state.plan.clone();
        let (Some(planned), Some(closing)) = (plan.signals.get(signal), self.watch.signals.get_mut(signal)) else {
            return;
        };
        let Some(watermark) = &mut closing.watermark else { return };
        let window = Window { from: watermark.next(), to: watermark.next() + planned.every };
        closing.tries += 1;
        let late = planned.settles > Span::ZERO && now < watermark.closes_at();
        match outcome {
            // Nothing is published yet, or nothing will be: the watermark tells.
            Ok(Reply::Sample(Sample { value: None, .. })) if late => closing.not_before = now + LOOK_AGAIN,
            Ok(Reply::Sample(sample)) => watermark.arrives(window.from, sample.value, sample.of),
            _ if closing.tries < TRIES => closing.not_before = now + TRY_AGAIN,
            outcome => {
                watermark.arrives(window.from, None, None);
                let error = outcome.err().unwrap_or(CallError::Unknown("a wrong kind of answer".into()));
                self.record(Event::Unmeasured { query: planned.query.clone(), window, error });
            }
        }
        self.close_windows(signal);
    }

    /// Takes in the windows that are closed, in order.
    fn close_windows(&mut self, signal: usize) {
        let now = self.now;
        let Some(closing) = self.watch.signals.get_mut(signal) else { return };
        let Some(watermark) = &mut closing.watermark else { return };
        let closed = watermark.close(now);
        if !closed.is_empty() {
            closing.tries = 0;
            closing.not_before = Time::EPOCH;
        }
        for reading in closed {
            let sample = Sample { value: reading.value, of: reading.of };
            self.take_sample(signal, Window { from: reading.from, to: reading.to }, sample);
        }
    }

    fn take_sample(&mut self, signal: usize, window: Window, sample: Sample) {
        let phase = self.phase_of(window);
        let breaks = self.is_outside(signal, phase, window, sample);
        self.record(Event::Sampled { signal, phase, window, sample, breaks });
        if phase == Phase::Baseline {
            return self.look_back(signal, window);
        }
        self.judge(signal);
        // What is compared with this one waited for its window.
        let compared = |other: &usize| self.state.plan.signals.get(*other).is_some_and(|o| o.control == Some(signal));
        (0..self.state.plan.signals.len()).filter(compared).collect::<Vec<_>>().into_iter().for_each(|o| self.judge(o));
        let Some(case) = Case::of(&self.state, signal) else { return };
        if let Some(value) = case.is_beyond_the_rail()
            && self.may_inject()
        {
            let title = case.planned().title.clone();
            self.stop(Stop::AbortCondition { title, value });
        }
    }

    /// The last window before the faults is known only after they went in. What it and those before it show broken is not
    /// the faults' doing, and nothing that is judged from here on could be.
    fn look_back(&mut self, signal: usize, window: Window) {
        let (Some(t0), Some(case)) = (self.state.t0(), Case::of(&self.state, signal)) else { return };
        if window.to + case.planned().every > t0
            && let Some(why) = case.began_before()
        {
            self.stop(Stop::BeganBefore { why });
        }
    }

    fn phase_of(&self, window: Window) -> Phase {
        let undo = self.state.entered.get(&Phase::Rollback).copied();
        match (self.state.t0(), self.state.gone, undo) {
            (None, _, _) => Phase::Baseline,
            (Some(t0), _, _) if window.to <= t0 => Phase::Baseline,
            (_, Some(gone), _) if window.from >= gone => Phase::Recovery,
            (_, _, Some(undo)) if window.to > undo => Phase::Rollback,
            _ => Phase::Fault,
        }
    }

    /// Whether a window alone is outside its bound. That does not decide, and a reader wants to see it.
    fn is_outside(&self, signal: usize, phase: Phase, window: Window, sample: Sample) -> bool {
        let Some(planned) = self.state.plan.signals.get(signal) else { return false };
        let seen =
            SignalWindow { phase, window, sample, own: self.state.own_part(planned, sample.value), breaks: false };
        let reading = Reading::from(&seen);
        match planned.bound {
            Bound::FiresWithin(_) if matches!(phase, Phase::Fault | Phase::Rollback) => false,
            Bound::TimesBaseline(_) | Bound::TimesControl(_) | Bound::Spends { .. } | Bound::KeepsComing => {
                let outside = |case: Case<'_>| case.criterion().is_outside(&reading);
                phase != Phase::Baseline && Case::of(&self.state, signal).is_some_and(outside)
            }
            bound => reading.value.is_some_and(|value| !bound.holds(value)),
        }
    }

    /// Decides a signal that is broken for sure. What may break while the faults are in is decided at the end.
    fn judge(&mut self, signal: usize) {
        let Some(case) = Case::of(&self.state, signal) else { return };
        if self.state.signals.get(signal).is_none_or(|known| known.broken.is_some()) {
            return;
        }
        let broken = match case.planned().bound {
            Bound::FiresWithin(_) => case.did_not_fire(),
            _ => self.watch.progress.get_mut(signal).and_then(|progress| progress.take_in(&case)),
        };
        if let Some(window) = broken {
            self.record(Event::SignalBroken { signal, window });
            self.stop(Stop::Broken { signal });
        }
    }

    /// When the baseline ends, if it holds.
    pub(super) fn baseline_until(&self) -> Time {
        self.watch.baseline_until.unwrap_or_else(|| self.state.baseline_until())
    }

    /// When everything about the baseline is published.
    pub(in crate::run) fn baseline_closes(&self) -> Time {
        self.baseline_until() + self.state.plan.baseline_settles()
    }

    /// Whether every window of the baseline, and of every indicator, has been asked for.
    pub(in crate::run) fn baseline_is_measured(&self) -> bool {
        let until = self.baseline_until();
        let mut signals = self.watch.signals.iter().zip(&self.state.plan.signals);
        signals.all(|(closing, planned)| {
            closing.watermark.as_ref().is_some_and(|watermark| watermark.next() + planned.every > until)
        }) && self.indicators_have_seen(until)
    }

    /// Why the baseline says nothing, if it does.
    pub(in crate::run) fn baseline_is_empty(&self) -> Option<String> {
        let plan = &self.state.plan;
        plan.signals.iter().zip(&self.state.signals).filter(|(planned, _)| planned.is_judged()).find_map(
            |(planned, known)| {
                let silent = known.windows.iter().all(|seen| seen.sample.value.is_none());
                silent.then(|| format!("`{}` has no data in the baseline: is there traffic?", planned.title))
            },
        )
    }
}
