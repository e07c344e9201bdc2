//! Watching: signals window by window, guards, and the evidence that a fault works.
//!
//! A window is measured once it is over and published, and closes at its watermark; one without a value is no data, never
//! zero.

use super::super::event::{Event, Phase, Stop};
use super::super::in_flight::CallPurpose;
use super::super::judging::Case;
use super::super::machine::{Machine, Precondition};
use super::super::state::{SignalWindow, State};
use crate::account::{Call, CallError, Outcome, Query, Reply, Sample, Window};
use crate::judge::ask::Reading;
use crate::judge::bound::Bound;
use crate::judge::watermark::Watermark;
use crate::plan::{Indicator, IndicatorTest};
use crate::units::{Span, Time};

/// How many times a measurement is tried before its window counts as one without data.
const TRIES: u32 = 3;
/// Between two tries.
const TRY_AGAIN: Span = Span::from_secs(5);
/// How long after it should be there a metric is waited for; then its window closes without data.
const PUBLICATION_SLACK: Span = Span::from_secs(60);
/// Between two looks at a metric that is not there yet.
const LOOK_AGAIN: Span = Span::from_secs(20);
/// Service metrics have periods of a minute.
const METRIC_PERIOD: Span = Span::from_secs(60);
/// Queue counts and alarm states are looked at this often for evidence.
const DIRECT_PERIOD: Span = Span::from_secs(10);
/// A count that is read directly belongs to its moment; later than this it is another moment's.
const DIRECT_TOLERANCE: Span = Span::from_secs(5);
/// Windows of the baseline that a probe's mean is taken over.
const PROBE_BASELINE: usize = 5;

/// What the machine remembers of what it watches.
#[derive(Clone, Debug, Default)]
pub(in crate::run) struct Watch {
    signals: Vec<Closing>,
    guards: Vec<Looking>,
    indicators: Vec<Vec<Looking>>,
}

/// The windows of one signal, closed one after another.
#[derive(Clone, Debug, Default)]
struct Closing {
    /// None before the first look.
    watermark: Option<Watermark>,
    tries: u32,
    not_before: Time,
}

/// The next window of one query.
#[derive(Clone, Debug, Default)]
struct Looking {
    /// Start of the next window; none before the first look.
    next: Option<Time>,
    tries: u32,
    not_before: Time,
    /// For a probe: what the baseline's windows showed, and how many were looked at.
    baseline: Vec<f64>,
    baseline_looks: usize,
}

impl Watch {
    /// Watches everything of a run's plan from now on.
    pub(in crate::run) fn over(state: &State) -> Watch {
        let plan = &state.plan;
        Watch {
            signals: vec![Closing::default(); plan.signals.len()],
            guards: vec![Looking::default(); plan.stops.len()],
            indicators: plan.steps.iter().map(|step| vec![Looking::default(); step.evidence.any.len()]).collect(),
        }
    }
}

fn period(query: &Query) -> Span {
    if query.metric.delay() == Span::ZERO { DIRECT_PERIOD } else { METRIC_PERIOD }
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
            for step in 0..self.state.plan.steps.len() {
                self.look_for_evidence(step);
            }
        }
    }

    fn look_at_signal(&mut self, signal: usize) {
        if self.calls.contains(&CallPurpose::Signal(signal)) {
            return;
        }
        let first = self.state.baseline_from();
        let (Some(planned), Some(closing)) = (self.state.plan.signals.get(signal), self.watch.signals.get_mut(signal))
        else {
            return;
        };
        let (delay, every) = (planned.query.metric.delay(), planned.every);
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
        let late = planned.query.metric.delay() > Span::ZERO && now < watermark.closes_at();
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
            return;
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

    /// Whether a window alone is outside of its bound. That decides nothing, and a reader wants to see it.
    fn is_outside(&self, signal: usize, phase: Phase, window: Window, sample: Sample) -> bool {
        let Some(planned) = self.state.plan.signals.get(signal) else { return false };
        let seen = SignalWindow { phase, window, sample, own: self.state.own_part(planned), breaks: false };
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
        let decided = self.state.signals.get(signal).is_none_or(|known| known.broken.is_some());
        if !decided && let Some(window) = case.broken() {
            self.record(Event::SignalBroken { signal, window });
            self.stop(Stop::Broken { signal });
        }
    }

    fn look_at_guard(&mut self, guard: usize) {
        if self.calls.contains(&CallPurpose::AbortCondition(guard)) {
            return;
        }
        let (Some(planned), Some(looking)) = (self.state.plan.stops.get(guard), self.watch.guards.get_mut(guard))
        else {
            return;
        };
        if self.now < looking.not_before {
            let at = looking.not_before;
            return self.wake_by(at);
        }
        looking.not_before = self.now + planned.every;
        let delay = planned.query.metric.delay();
        let length = period(&planned.query);
        let to = if delay == Span::ZERO { self.now } else { (self.now - delay).window_start(length) };
        let call = Call::Measure { query: planned.query.clone(), window: Window { from: to - length, to } };
        self.call(CallPurpose::AbortCondition(guard), call, Precondition::Nothing);
    }

    pub(in crate::run) fn guard_measured(&mut self, guard: usize, outcome: Outcome) {
        let plan = self.state.plan.clone();
        let Some(planned) = plan.stops.get(guard) else { return };
        if let Ok(Reply::Sample(Sample { value: Some(value), .. })) = outcome
            && planned.bound.holds(value)
            && self.may_inject()
        {
            self.stop(Stop::AbortCondition { title: planned.title.clone(), value });
        }
    }

    fn look_for_evidence(&mut self, step: usize) {
        let plan = self.state.plan.clone();
        let (Some(planned), Some(known)) = (plan.steps.get(step), self.state.steps.get(step)) else { return };
        let Some(began) = known.began else {
            (0..planned.evidence.any.len()).for_each(|indicator| self.look_at_probe_baseline(step, indicator));
            return;
        };
        if known.effective.is_some() || known.not_effective || self.step_is_over(step) {
            return;
        }
        let limit = began + planned.evidence.within;
        for (indicator, asked) in planned.evidence.any.iter().enumerate() {
            self.look_at_indicator(step, indicator, asked, began);
        }
        let mut indicators =
            (0..planned.evidence.any.len()).map(|indicator| CallPurpose::Indicator { step, indicator });
        let waits = indicators.any(|asked| self.calls.contains(&asked));
        if self.now >= limit && !waits {
            self.record(Event::NotEffective { step });
            self.stop(Stop::NotEffective { step });
        } else if !waits {
            self.wake_by(limit);
        }
    }

    fn look_at_indicator(&mut self, step: usize, indicator: usize, asked: &Indicator, began: Time) {
        let this = CallPurpose::Indicator { step, indicator };
        if self.calls.contains(&this) {
            return;
        }
        let length = period(&asked.query);
        let delay = asked.query.metric.delay();
        let Some(looking) = self.watch.indicators.get_mut(step).and_then(|indicators| indicators.get_mut(indicator))
        else {
            return;
        };
        // Only windows that lie wholly after the fault went in can show it.
        let aligned =
            if delay == Span::ZERO { began } else { (began + length - Span::from_micros(1)).window_start(length) };
        let from = looking.next.map_or(aligned, |next| next.max(aligned));
        looking.next = Some(from);
        let due = from + length + delay;
        if self.now < due {
            return self.wake_by(due);
        }
        let to = if delay == Span::ZERO { self.now } else { from + length };
        let call = Call::Measure { query: asked.query.clone(), window: Window { from, to } };
        self.call(this, call, Precondition::Nothing);
    }

    pub(in crate::run) fn probed(&mut self, step: usize, indicator: usize, outcome: Outcome) {
        let plan = self.state.plan.clone();
        let now = self.now;
        let Some(asked) = plan.steps.get(step).and_then(|s| s.evidence.any.get(indicator)) else { return };
        let Some(looking) = self.watch.indicators.get_mut(step).and_then(|indicators| indicators.get_mut(indicator))
        else {
            return;
        };
        let direct = asked.query.metric.delay() == Span::ZERO;
        let from = looking.next.unwrap_or(now);
        let Ok(Reply::Sample(sample)) = outcome else {
            looking.next = Some(from + Span::from_millis(1)).filter(|_| direct).or(Some(from));
            looking.tries += 1;
            if looking.tries >= TRIES {
                looking.tries = 0;
                looking.next = Some(if direct { now } else { from + METRIC_PERIOD });
            }
            return;
        };
        looking.tries = 0;
        looking.next = Some(if direct { now } else { from + METRIC_PERIOD });
        let baseline = looking.mean();
        let Some(known) = self.state.steps.get(step) else { return };
        if let Some(value) = sample.value
            && asked.test.shows(value, baseline)
            && known.effective.is_none()
            && self.may_inject()
        {
            let since = if direct { now } else { from };
            let seen = format!("{} is {}", asked.query, tidy(value));
            self.record(Event::Effective { step, since, seen });
        }
    }

    /// A probe that compares needs to know what is usual: asked for at the end of the baseline.
    fn look_at_probe_baseline(&mut self, step: usize, indicator: usize) {
        let this = CallPurpose::IndicatorBaseline { step, indicator };
        if self.state.t0().is_some() || self.calls.contains(&this) {
            return;
        }
        let until = self.state.baseline_until();
        let Some(asked) = self.state.plan.steps.get(step).and_then(|s| s.evidence.any.get(indicator)) else { return };
        let Some(looking) = self.watch.indicators.get(step).and_then(|indicators| indicators.get(indicator)) else {
            return;
        };
        if looking.baseline_is_known(asked) {
            return;
        }
        let due = (until + asked.query.metric.delay()).max(looking.not_before);
        if self.now < due {
            return self.wake_by(due);
        }
        let length = period(&asked.query);
        let back = i64::try_from(looking.baseline_looks).unwrap_or(0);
        let direct = asked.query.metric.delay() == Span::ZERO;
        let to = if direct { self.now } else { until.window_start(length) - length * back };
        let call = Call::Measure { query: asked.query.clone(), window: Window { from: to - length, to } };
        self.call(this, call, Precondition::Nothing);
    }

    pub(in crate::run) fn probed_baseline(&mut self, step: usize, indicator: usize, outcome: Outcome) {
        let now = self.now;
        let Some(looking) = self.watch.indicators.get_mut(step).and_then(|indicators| indicators.get_mut(indicator))
        else {
            return;
        };
        let tried_enough = looking.tries + 1 >= TRIES;
        match outcome {
            Ok(Reply::Sample(sample)) => {
                looking.baseline.extend(sample.value);
                looking.baseline_looks += 1;
                looking.tries = 0;
            }
            _ if tried_enough => {
                looking.baseline_looks += 1;
                looking.tries = 0;
            }
            _ => {
                looking.tries += 1;
                looking.not_before = now + TRY_AGAIN;
            }
        }
    }

    /// When everything about the baseline is published.
    pub(in crate::run) fn baseline_closes(&self) -> Time {
        let plan = &self.state.plan;
        let signals = plan.signals.iter().map(|s| s.query.metric.delay());
        let indicators = plan.steps.iter().flat_map(|s| s.evidence.any.iter().map(|p| p.query.metric.delay()));
        self.state.baseline_until() + signals.chain(indicators).max().unwrap_or(Span::ZERO)
    }

    /// Whether every window of the baseline, and every probe's usual value, has been asked for.
    pub(in crate::run) fn baseline_is_measured(&self) -> bool {
        let until = self.state.baseline_until();
        let plan = &self.state.plan;
        let signals = self.watch.signals.iter().zip(&plan.signals);
        let steps = self.watch.indicators.iter().zip(&plan.steps);
        signals.into_iter().all(|(closing, planned)| {
            closing.watermark.as_ref().is_some_and(|watermark| watermark.next() + planned.every > until)
        }) && steps.into_iter().all(|(indicators, step)| {
            indicators.iter().zip(&step.evidence.any).all(|(looking, asked)| looking.baseline_is_known(asked))
        })
    }

    /// Why the baseline says nothing, if it does.
    pub(in crate::run) fn baseline_is_empty(&self) -> Option<String> {
        let plan = &self.state.plan;
        plan.signals.iter().zip(&self.state.signals).filter(|(planned, _)| planned.is_judged()).find_map(
            |(planned, known)| {
                let silent = known.windows.iter().all(|seen| seen.sample.value.is_none());
                silent.then(|| format!("`{}` has no data in the baseline: is there any traffic?", planned.title))
            },
        )
    }
}

impl Looking {
    fn mean(&self) -> Option<f64> {
        let count = self.baseline.len();
        (count > 0).then(|| self.baseline.iter().sum::<f64>() / count as f64)
    }

    fn baseline_is_known(&self, indicator: &Indicator) -> bool {
        let looks = match (&indicator.test, indicator.query.metric.delay() == Span::ZERO) {
            (IndicatorTest::Above(_), _) => 0,
            (_, true) => 1,
            (_, false) => PROBE_BASELINE,
        };
        self.baseline_looks >= looks
    }
}

impl IndicatorTest {
    /// Whether a value shows the fault at work. A comparison without a baseline shows nothing.
    pub fn shows(&self, value: f64, baseline: Option<f64>) -> bool {
        match (self, baseline) {
            (IndicatorTest::Above(limit), _) => value > *limit,
            (IndicatorTest::FallsTo(limit), Some(mean)) => mean > *limit && value <= *limit,
            (IndicatorTest::RisesBy(rise), Some(mean)) => value >= mean + rise,
            (IndicatorTest::RisesTo { times }, Some(mean)) => value > mean && value >= mean * times,
            (_, None) => false,
        }
    }
}

/// A value in few digits.
fn tidy(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
