//! Watching: signals window by window, guards, and the evidence that a fault works.
//!
//! A window is measured once it is closed and published; one without a value is no data, never zero.

use super::super::event::{Event, Phase, Stop};
use super::super::machine::{Asked, Machine, Need};
use super::super::state::{Seen, SignalState, State};
use crate::account::{Call, CallError, Outcome, Query, Reply, Sample, Window};
use crate::plan::{Bound, DuringFault, Probe, ProbeTest, SignalPlan};
use crate::units::{Span, Time};

/// How many times a measurement is tried before its window counts as one without data.
const TRIES: u32 = 3;
/// Between two tries.
const TRY_AGAIN: Span = Span::from_secs(5);
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
    signals: Vec<Looking>,
    guards: Vec<Looking>,
    probes: Vec<Vec<Looking>>,
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
            signals: vec![Looking::default(); plan.signals.len()],
            guards: vec![Looking::default(); plan.stops.len()],
            probes: plan.steps.iter().map(|step| vec![Looking::default(); step.evidence.any.len()]).collect(),
        }
    }
}

fn period(query: &Query) -> Span {
    if query.metric.delay() == Span::ZERO { DIRECT_PERIOD } else { METRIC_PERIOD }
}

impl Machine {
    /// Measures what is due.
    pub(in crate::run) fn advance_watch(&mut self) {
        if self.may_do() || self.watches_recovery() {
            for signal in 0..self.state.plan.signals.len() {
                self.look_at_signal(signal);
                self.expect_alarm(signal);
            }
        }
        if self.may_do() {
            (0..self.state.plan.stops.len()).for_each(|guard| self.look_at_guard(guard));
            for step in 0..self.state.plan.steps.len() {
                self.look_for_evidence(step);
            }
        }
    }

    fn look_at_signal(&mut self, signal: usize) {
        if self.asked.values().any(|asked| *asked == Asked::Signal(signal)) {
            return;
        }
        let first = self.state.baseline_from();
        let (Some(planned), Some(looking)) = (self.state.plan.signals.get(signal), self.watch.signals.get_mut(signal))
        else {
            return;
        };
        let from = *looking.next.get_or_insert(first);
        let window = Window { from, to: from + planned.every };
        let due = (window.to + planned.query.metric.delay()).max(looking.not_before);
        if self.now < due {
            return self.wake_by(due);
        }
        let direct = planned.query.metric.delay() == Span::ZERO;
        if direct && self.now >= window.to + planned.every.max(DIRECT_TOLERANCE) {
            return self.take_sample(signal, window, Sample { value: None, of: None });
        }
        let call = Call::Measure { query: planned.query.clone(), window };
        self.call(Asked::Signal(signal), call, Need::Nothing);
    }

    pub(in crate::run) fn measured(&mut self, signal: usize, outcome: Outcome) {
        let now = self.now;
        let plan = self.state.plan.clone();
        let (Some(planned), Some(looking)) = (plan.signals.get(signal), self.watch.signals.get_mut(signal)) else {
            return;
        };
        let from = looking.next.unwrap_or(now);
        let window = Window { from, to: from + planned.every };
        match outcome {
            Ok(Reply::Sample(sample)) => self.take_sample(signal, window, sample),
            outcome => {
                looking.tries += 1;
                looking.not_before = now + TRY_AGAIN;
                if looking.tries >= TRIES {
                    let error = outcome.err().unwrap_or(CallError::Unknown("a wrong kind of answer".into()));
                    self.record(Event::Unmeasured { query: planned.query.clone(), window, error });
                    self.take_sample(signal, window, Sample { value: None, of: None });
                }
            }
        }
    }

    fn take_sample(&mut self, signal: usize, window: Window, sample: Sample) {
        let plan = self.state.plan.clone();
        let (Some(planned), Some(looking)) = (plan.signals.get(signal), self.watch.signals.get_mut(signal)) else {
            return;
        };
        looking.next = Some(window.to);
        looking.tries = 0;
        looking.not_before = Time::EPOCH;
        let phase = self.phase_of(window);
        let breaks = sample.value.is_some_and(|value| self.breaks(planned, phase, value));
        self.record(Event::Sampled { signal, phase, window, sample, breaks });
        self.judge(signal);
    }

    fn phase_of(&self, window: Window) -> Phase {
        let undo = self.state.entered.get(&Phase::Undo).copied();
        match (self.state.t0(), self.state.gone, undo) {
            (None, _, _) => Phase::Baseline,
            (Some(t0), _, _) if window.to <= t0 => Phase::Baseline,
            (_, Some(gone), _) if window.from >= gone => Phase::Recovery,
            (_, _, Some(undo)) if window.to > undo => Phase::Undo,
            _ => Phase::Fault,
        }
    }

    fn breaks(&self, planned: &SignalPlan, phase: Phase, value: f64) -> bool {
        let own = f64::from(self.state.own_part(planned));
        let value = if own > 0.0 { (value - own).max(value.min(0.0)) } else { value };
        match (&planned.bound, phase) {
            (Bound::FiresWithin(_), Phase::Fault | Phase::Undo) => false,
            (bound, _) => !bound.holds(value),
        }
    }

    /// Decides a signal that must hold while the fault is in. The others are decided at the end of the recovery.
    fn judge(&mut self, signal: usize) {
        let plan = self.state.plan.clone();
        let (Some(planned), Some(known)) = (plan.signals.get(signal), self.state.signals.get(signal)) else { return };
        if planned.during_fault == DuringFault::MayBreak || matches!(planned.bound, Bound::FiresWithin(_)) {
            return;
        }
        if known.broken.is_none()
            && let Some(window) = known.broken_by(planned, |seen| seen.phase != Phase::Baseline)
        {
            self.record(Event::SignalBroken { signal, window });
            self.stop(Stop::Broken { signal });
        }
    }

    /// An alarm that should have fired by now, and did not, breaks its hypothesis.
    fn expect_alarm(&mut self, signal: usize) {
        let (Some(planned), Some(known)) = (self.state.plan.signals.get(signal), self.state.signals.get(signal)) else {
            return;
        };
        let (Bound::FiresWithin(within), Some(effect)) = (planned.bound, self.state.first_effect()) else { return };
        let limit = effect + within;
        let stopped_before = self.state.entered.get(&Phase::Undo).is_some_and(|undo| *undo < limit);
        if stopped_before || known.broken.is_some() || known.fired_by(limit).is_some() {
            return;
        }
        match known.windows.last() {
            Some(last) if last.window.to >= limit && last.phase != Phase::Baseline => {
                let window = last.window;
                self.record(Event::SignalBroken { signal, window });
                self.stop(Stop::Broken { signal });
            }
            // Past the limit the next window decides, and its own time wakes.
            _ if self.now < limit => self.wake_by(limit),
            _ => {}
        }
    }

    fn look_at_guard(&mut self, guard: usize) {
        if self.asked.values().any(|asked| *asked == Asked::Guard(guard)) {
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
        self.call(Asked::Guard(guard), call, Need::Nothing);
    }

    pub(in crate::run) fn guard_measured(&mut self, guard: usize, outcome: Outcome) {
        let plan = self.state.plan.clone();
        let Some(planned) = plan.stops.get(guard) else { return };
        if let Ok(Reply::Sample(Sample { value: Some(value), .. })) = outcome
            && planned.bound.holds(value)
            && self.may_do()
        {
            self.stop(Stop::Guard { title: planned.title.clone(), value });
        }
    }

    fn look_for_evidence(&mut self, step: usize) {
        let plan = self.state.plan.clone();
        let (Some(planned), Some(known)) = (plan.steps.get(step), self.state.steps.get(step)) else { return };
        let Some(began) = known.began else {
            (0..planned.evidence.any.len()).for_each(|probe| self.look_at_probe_baseline(step, probe));
            return;
        };
        if known.effective.is_some() || known.not_effective || self.step_is_over(step) {
            return;
        }
        let limit = began + planned.evidence.within;
        for (probe, asked) in planned.evidence.any.iter().enumerate() {
            self.look_at_probe(step, probe, asked, began);
        }
        let waits = self.asked.values().any(|a| matches!(a, Asked::Probe { step: s, .. } if *s == step));
        if self.now >= limit && !waits {
            self.record(Event::NotEffective { step });
            self.stop(Stop::NotEffective { step });
        } else if !waits {
            self.wake_by(limit);
        }
    }

    fn look_at_probe(&mut self, step: usize, probe: usize, asked: &Probe, began: Time) {
        let this = Asked::Probe { step, probe };
        if self.asked.values().any(|other| *other == this) {
            return;
        }
        let length = period(&asked.query);
        let delay = asked.query.metric.delay();
        let Some(looking) = self.watch.probes.get_mut(step).and_then(|probes| probes.get_mut(probe)) else { return };
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
        self.call(this, call, Need::Nothing);
    }

    pub(in crate::run) fn probed(&mut self, step: usize, probe: usize, outcome: Outcome) {
        let plan = self.state.plan.clone();
        let now = self.now;
        let Some(asked) = plan.steps.get(step).and_then(|s| s.evidence.any.get(probe)) else { return };
        let Some(looking) = self.watch.probes.get_mut(step).and_then(|probes| probes.get_mut(probe)) else { return };
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
            && self.may_do()
        {
            let since = if direct { now } else { from };
            let seen = format!("{} is {}", asked.query, tidy(value));
            self.record(Event::Effective { step, since, seen });
        }
    }

    /// A probe that compares needs to know what is usual: asked for at the end of the baseline.
    fn look_at_probe_baseline(&mut self, step: usize, probe: usize) {
        let this = Asked::ProbeBaseline { step, probe };
        if self.state.t0().is_some() || self.asked.values().any(|other| *other == this) {
            return;
        }
        let until = self.state.baseline_until();
        let Some(asked) = self.state.plan.steps.get(step).and_then(|s| s.evidence.any.get(probe)) else { return };
        let Some(looking) = self.watch.probes.get(step).and_then(|probes| probes.get(probe)) else { return };
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
        self.call(this, call, Need::Nothing);
    }

    pub(in crate::run) fn probed_baseline(&mut self, step: usize, probe: usize, outcome: Outcome) {
        let now = self.now;
        let Some(looking) = self.watch.probes.get_mut(step).and_then(|probes| probes.get_mut(probe)) else { return };
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
        let probes = plan.steps.iter().flat_map(|s| s.evidence.any.iter().map(|p| p.query.metric.delay()));
        self.state.baseline_until() + signals.chain(probes).max().unwrap_or(Span::ZERO)
    }

    /// Whether every window of the baseline, and every probe's usual value, has been asked for.
    pub(in crate::run) fn baseline_is_measured(&self) -> bool {
        let until = self.state.baseline_until();
        let plan = &self.state.plan;
        let signals = self.watch.signals.iter().zip(&plan.signals);
        let steps = self.watch.probes.iter().zip(&plan.steps);
        signals.into_iter().all(|(looking, planned)| looking.next.is_some_and(|next| next + planned.every > until))
            && steps.into_iter().all(|(probes, step)| {
                probes.iter().zip(&step.evidence.any).all(|(looking, asked)| looking.baseline_is_known(asked))
            })
    }

    /// Why the baseline is not steady, if it is not.
    pub(in crate::run) fn baseline_breaks(&self) -> Option<String> {
        let plan = &self.state.plan;
        plan.signals.iter().zip(&self.state.signals).find_map(|(planned, known)| {
            let window = known.broken_by(planned, |seen| seen.phase == Phase::Baseline)?;
            Some(format!("`{}` did not hold before any fault, at {}", planned.title, window.from))
        })
    }

    /// Why the baseline says nothing, if it does.
    pub(in crate::run) fn baseline_is_empty(&self) -> Option<String> {
        let plan = &self.state.plan;
        plan.signals.iter().zip(&self.state.signals).find_map(|(planned, known)| {
            let silent = known.windows.iter().all(|seen| seen.sample.value.is_none());
            silent.then(|| format!("`{}` has no data in the baseline: is there any traffic?", planned.title))
        })
    }
}

impl Looking {
    fn mean(&self) -> Option<f64> {
        let count = self.baseline.len();
        (count > 0).then(|| self.baseline.iter().sum::<f64>() / count as f64)
    }

    fn baseline_is_known(&self, probe: &Probe) -> bool {
        let looks = match (&probe.test, probe.query.metric.delay() == Span::ZERO) {
            (ProbeTest::Above(_), _) => 0,
            (_, true) => 1,
            (_, false) => PROBE_BASELINE,
        };
        self.baseline_looks >= looks
    }
}

impl ProbeTest {
    /// Whether a value shows the fault at work. A comparison without a baseline shows nothing.
    pub fn shows(&self, value: f64, baseline: Option<f64>) -> bool {
        match (self, baseline) {
            (ProbeTest::Above(limit), _) => value > *limit,
            (ProbeTest::FallsTo(limit), Some(mean)) => mean > *limit && value <= *limit,
            (ProbeTest::RisesBy(rise), Some(mean)) => value >= mean + rise,
            (_, None) => false,
        }
    }
}

impl SignalState {
    /// The window at which `breaks_at` of the last `out_of` windows with data broke the bound, among those of `phases`.
    pub fn broken_by(&self, planned: &SignalPlan, phases: impl Fn(&Seen) -> bool) -> Option<Window> {
        let with_data: Vec<&Seen> =
            self.windows.iter().filter(|seen| phases(seen) && seen.sample.value.is_some()).collect();
        let (breaks_at, out_of) = (planned.breaks_at.max(1) as usize, planned.out_of.max(1) as usize);
        (0..with_data.len()).find_map(|last| {
            let recent = &with_data[(last + 1).saturating_sub(out_of)..=last];
            let broken = recent.iter().filter(|seen| seen.breaks).count();
            (broken >= breaks_at).then(|| recent[recent.len() - 1].window)
        })
    }

    /// When an alarm was first seen to be in ALARM after the baseline, if by `limit`.
    pub fn fired_by(&self, limit: Time) -> Option<Time> {
        let fired = |seen: &&Seen| {
            seen.phase != Phase::Baseline && seen.window.to <= limit && seen.sample.value.is_some_and(|v| v > 0.0)
        };
        self.windows.iter().find(fired).map(|seen| seen.window.to)
    }
}

/// A value in few digits.
fn tidy(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
