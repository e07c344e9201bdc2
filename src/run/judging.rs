//! The signals of a run as the judge sees them: which windows count, by what criterion, with which part of alpha. Pure: live
//! and replayed, the same events give the same judgement.

use std::ops::Range;

use super::event::Phase;
use super::state::{SignalState, SignalWindow, State};
use crate::account::{Metric, Sample, Window};
use crate::judge::abort::AbortThreshold;
use crate::judge::ask::{Ask, Reading, RequestShare};
use crate::judge::baseline::{
    LAST, Pool, Steadiness, began_before, full_window, relative_level, relative_share, steadiness,
};
use crate::judge::bound::Bound;
use crate::judge::criterion::Criterion;
use crate::judge::detection::{Alarms, Expected, Fired, fired};
use crate::judge::invariant::{Certainty, discounted};
use crate::judge::judgement::{Judgement, SignalReadings};
use crate::judge::recovery::{Recovered, Recovery, STEADY, watched_after};
use crate::judge::verdict::VerdictKind;
use crate::judge::weighing::{Alpha, Rule, Weighing};
use crate::numbers::percent;
use crate::plan::{DuringFault, Plan, SignalPlan};
use crate::units::Time;

/// The alarms of a run that were expected, and those that fired all the same.
pub fn alarms(state: &State) -> Alarms {
    let mut alarms = Alarms::default();
    for case in Case::all(state).filter(|case| case.planned.query.metric == Metric::AlarmState) {
        let name = case.planned.query.resource.name.clone();
        match case.planned.bound {
            Bound::FiresWithin(_) => {
                let readings = case.judged_readings();
                match case.expected().map_or(Fired::CannotTell, |expected| fired(&readings, &expected)) {
                    Fired::InTime { .. } => alarms.fired.push(name),
                    Fired::Late { .. } | Fired::NotInTime => alarms.silent.push(name),
                    Fired::NotDue | Fired::CannotTell => alarms.unknown.push(name),
                }
            }
            _ if case.rang() => alarms.others.push(name),
            _ if case.is_blank() => alarms.unknown.push(name),
            _ => alarms.quiet.push(name),
        }
    }
    alarms
}

/// Why a baseline is not steady.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsteady {
    pub why: String,
    /// Whether only its last windows are, so that more of them may be good.
    pub at_its_end: bool,
}

/// How far a baseline was outside of a bound.
fn outside(ask: &Ask, badness: f64) -> String {
    match ask.is_share() {
        true => format!("with {} on the average", percent(badness)),
        false => format!("with {} of its windows outside", percent(badness)),
    }
}

/// One signal of a run.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    state: &'a State,
    planned: &'a SignalPlan,
    known: &'a SignalState,
}

impl SignalPlan {
    /// Whether it is judged by evidence, and so has a part of alpha.
    pub fn is_weighed(&self) -> bool {
        self.bound.is_weighed(self.tolerating)
    }

    /// How a single reading can be believed: a queue's counts are estimates of a distributed system.
    fn certainty(&self) -> Certainty {
        match self.query.metric {
            Metric::Depth | Metric::InFlight | Metric::Delayed => Certainty::NeedsConfirmation,
            _ => Certainty::Final,
        }
    }
}

impl Plan {
    /// What each signal with a tolerance has of the run's alpha.
    pub fn alpha_of_each(&self) -> Alpha {
        self.alpha.among(self.signals.iter().filter(|signal| signal.is_weighed()).count())
    }

    /// How many windows of a signal are planned after the baseline.
    fn horizon(&self, signal: &SignalPlan) -> u32 {
        let judged = self.timeline() + self.recovers_within + watched_after(signal.every);
        u32::try_from(judged.micros() / signal.every.micros().max(1)).unwrap_or(u32::MAX)
    }
}

impl<'a> Case<'a> {
    /// The case of a signal; `None` for a number that the plan does not have.
    pub fn of(state: &'a State, signal: usize) -> Option<Case<'a>> {
        Some(Case { state, planned: state.plan.signals.get(signal)?, known: state.signals.get(signal)? })
    }

    /// The cases of all signals that have a bound, in the order of the plan.
    pub fn judged(state: &'a State) -> impl Iterator<Item = Case<'a>> {
        Case::all(state).filter(|case| case.planned.is_judged())
    }

    /// The cases of all signals, in the order of the plan.
    pub fn all(state: &'a State) -> impl Iterator<Item = Case<'a>> {
        (0..state.plan.signals.len()).filter_map(move |signal| Case::of(state, signal))
    }

    /// The signal as planned.
    pub fn planned(&self) -> &'a SignalPlan {
        self.planned
    }

    /// Its windows so far.
    pub fn windows(&self) -> &'a [SignalWindow] {
        &self.known.windows
    }

    /// How many windows the baseline has: the first ones.
    pub(super) fn baseline_windows(&self) -> usize {
        self.known.windows.partition_point(|seen| seen.phase == Phase::Baseline)
    }

    /// The reading of a window. That of a signal with a control is there once the control's is, which has the same windows.
    pub(super) fn reading(&self, window: usize) -> Option<Reading> {
        let seen = self.known.windows.get(window)?;
        let Some(control) = self.planned.control.and_then(|number| self.state.signals.get(number)) else {
            return Some(Reading::from(seen));
        };
        let Sample { value, of } = control.windows.get(window).filter(|beside| beside.window == seen.window)?.sample;
        let control = value.zip(of).map(|(share, of)| RequestShare { share, of });
        Some(Reading { control, ..Reading::from(seen) })
    }

    /// The readings of these windows, in order, as far as they are there.
    fn readings(&self, windows: Range<usize>) -> Vec<Reading> {
        windows.map_while(|window| self.reading(window)).collect()
    }

    /// Before any fault. Windows of calls that may still have run when the faults went in are neither here nor there.
    fn baseline(&self) -> Vec<Reading> {
        let clean = match self.state.t0() {
            None => self.baseline_windows(),
            Some(t0) => {
                let ended = |seen: &SignalWindow| seen.window.to + self.planned.slowest_call() <= t0;
                self.known.windows.partition_point(ended)
            }
        };
        self.readings(0..clean)
    }

    /// From the first fault on.
    fn judged_readings(&self) -> Vec<Reading> {
        self.readings(self.baseline_windows()..self.known.windows.len())
    }

    /// Since the faults were gone.
    fn recovery_readings(&self) -> Vec<Reading> {
        let first = self.known.windows.partition_point(|seen| seen.phase != Phase::Recovery);
        self.readings(first..self.known.windows.len())
    }

    /// For each window that is judged, whether a fault was seen to work in it. A pause between two steps does not count. A
    /// plan without faults is a test of the load alone, which works all the time.
    fn with_fault(&self) -> Vec<bool> {
        let steps = 0..self.state.steps.len();
        let works = |seen: &SignalWindow| {
            steps.is_empty() || steps.clone().any(|step| self.state.works_throughout(step, seen.window))
        };
        self.known.windows.iter().filter(|seen| seen.phase != Phase::Baseline).map(works).collect()
    }

    fn must_hold(&self) -> bool {
        self.planned.during_fault == DuringFault::MustHold
    }

    /// How it is judged. A bound that is relative to the baseline is known only once that is over.
    pub fn criterion(&self) -> Criterion {
        let (plan, planned) = (&self.state.plan, self.planned);
        let alpha = plan.alpha_of_each();
        let horizon = plan.horizon(planned);
        let tolerating = planned.tolerating.get();
        let full = full_window(&self.baseline());
        let tolerance = |ask: Ask, alpha: Alpha| Criterion::Tolerance(Rule { ask, alpha, horizon, full });
        let never = Criterion::Invariant { bound: planned.bound, certainty: planned.certainty() };
        match planned.bound {
            Bound::FiresWithin(_) | Bound::StaysQuiet => never,
            Bound::Spends { part, objective } => {
                Criterion::Budget { objective, allowed: part.get(), usual_traffic: self.baseline_traffic() }
            }
            Bound::Watched => Criterion::Nothing,
            Bound::TimesControl(ratio) => tolerance(Ask::TimesControl { ratio }, alpha),
            Bound::KeepsComing => tolerance(Ask::Fresh { tolerated: tolerating }, alpha),
            Bound::TimesBaseline(ratio) => self.relative(ratio, alpha.among(2)).map_or(Criterion::NoBaseline, |ask| {
                // Half of its alpha is in the bound, and half in the evidence.
                tolerance(ask, alpha.among(2))
            }),
            _ if tolerating <= 0.0 => never,
            Bound::AtMost(_) | Bound::Below(_) if planned.query.metric.is_share() => {
                tolerance(Ask::ShareAtMost(tolerating), alpha)
            }
            Bound::AtLeast(_) | Bound::Above(_) if planned.query.metric.is_share() => {
                tolerance(Ask::ShareAtLeast(1.0 - tolerating), alpha)
            }
            bound => tolerance(Ask::Level { bound, tolerated: tolerating }, alpha),
        }
    }

    fn relative(&self, ratio: f64, alpha: Alpha) -> Option<Ask> {
        let baseline = self.baseline();
        if self.planned.query.metric.is_share() {
            let pool = Pool::of(&Ask::ShareAtMost(1.0), &baseline);
            return relative_share(&pool, ratio, alpha.get()).map(Ask::ShareAtMost);
        }
        let (limit, tolerated) = relative_level(&baseline, ratio, alpha.get())?;
        Some(Ask::Level { bound: Bound::AtMost(limit), tolerated })
    }

    /// Requests a second in the baseline.
    fn baseline_traffic(&self) -> f64 {
        let baseline = self.baseline();
        let with_data = || baseline.iter().filter_map(|reading| Some((reading, reading.of?)));
        let seconds: f64 = with_data().map(|(reading, _)| reading.to.since(reading.from).secs_f64()).sum();
        let requests: f64 = with_data().map(|(_, of)| of as f64).sum();
        if seconds > 0.0 { requests / seconds } else { 0.0 }
    }

    /// Whether its windows may decide that it is broken while the run goes on. What may break is decided at the end, and an
    /// alarm by [`Case::did_not_fire`].
    pub(super) fn is_decided_early(&self) -> bool {
        self.must_hold() && !matches!(self.planned.bound, Bound::FiresWithin(_))
    }

    /// The window at which an alarm that has to fire had not fired in time, once that is sure.
    pub(super) fn did_not_fire(&self) -> Option<Window> {
        let expected = self.expected()?;
        if self.began_before().is_some() {
            return None;
        }
        // What decides is the first window that ends after the limit; those after that change nothing.
        let limit = expected.effective + expected.fires_within;
        let until = self.known.windows.partition_point(|seen| seen.window.from < limit + self.planned.every);
        let judged = self.readings(self.baseline_windows()..until);
        let late = matches!(fired(&judged, &expected), Fired::Late { .. } | Fired::NotInTime);
        judged.last().filter(|_| late).map(|reading| Window { from: reading.from, to: reading.to })
    }

    /// Whether an alarm began to ring after the first fault went in. One that rang before is not about it.
    fn rang(&self) -> bool {
        let Some(began) = self.state.steps.iter().filter_map(|step| step.began).min() else { return false };
        let mut before = false;
        self.known.windows.iter().filter(|seen| seen.sample.value.is_some()).any(|seen| {
            let rings = seen.sample.value.is_some_and(|value| value > 0.0);
            let began_to = rings && !before && seen.window.to > began;
            before = rings;
            began_to
        })
    }

    /// Whether an alarm has no state since the first fault went in.
    fn is_blank(&self) -> bool {
        let began = self.state.steps.iter().filter_map(|step| step.began).min().unwrap_or(Time::EPOCH);
        !self.known.windows.iter().any(|seen| seen.window.to > began && seen.sample.value.is_some())
    }

    /// What is expected of an alarm that has to fire, once a fault was seen to work.
    fn expected(&self) -> Option<Expected> {
        let Bound::FiresWithin(fires_within) = self.planned.bound else { return None };
        let began = self.state.steps.iter().filter_map(|step| step.began).min();
        let effective = self.state.first_effect()?;
        Some(Expected {
            from: began.map_or(effective, |began| began.min(effective)),
            effective,
            fires_within,
            until: self.state.entered.get(&Phase::Rollback).copied(),
            gone: self.state.gone,
            quiet_within: self.state.plan.recovers_within,
        })
    }

    /// Whether an alarm that has to fire did; nothing of any other signal, or while no fault was seen to work.
    pub fn fired(&self) -> Option<Fired> {
        Some(fired(&self.judged_readings(), &self.expected()?))
    }

    /// Whether the newest window is beyond the hard limit of the signal.
    pub fn is_beyond_the_rail(&self) -> Option<f64> {
        self.beyond_the_rail(&Reading::from(self.known.windows.last()?))
    }

    /// Whether a window is beyond the hard limit of the signal; gives its value.
    pub fn beyond_the_rail(&self, reading: &Reading) -> Option<f64> {
        let at = self.planned.stop_at?;
        let beyond = match self.criterion() {
            Criterion::Tolerance(Rule { ask, .. }) if ask.is_share() => match ask {
                Ask::ShareAtLeast(_) => AbortThreshold::at(1.0 - at).is_hit(&ask, reading),
                _ => AbortThreshold::at(at).is_hit(&Ask::ShareAtMost(at), reading),
            },
            _ => reading.value.is_some_and(|value| match self.planned.bound {
                Bound::AtLeast(_) | Bound::Above(_) => value <= at,
                _ => value >= at,
            }),
        };
        reading.value.filter(|_| beyond)
    }

    /// Why the baseline is not steady, if it is not. Only what has no tolerance is known before the baseline is over.
    pub fn unsteady(&self, over: bool) -> Option<Unsteady> {
        let baseline = self.baseline();
        let (found, at_its_end) = match self.criterion() {
            criterion @ Criterion::Invariant { .. } => {
                let broken = criterion.broken(&baseline)?;
                (format!("at {}", baseline.get(broken)?.from), false)
            }
            Criterion::Tolerance(rule) if over && !matches!(self.planned.bound, Bound::TimesBaseline(_)) => {
                match steadiness(&rule.ask, &baseline) {
                    Steadiness::Unsteady { badness } => (outside(&rule.ask, badness), false),
                    Steadiness::EndsUnsteady { badness } => {
                        (format!("{} in its last {LAST} windows", outside(&rule.ask, badness)), true)
                    }
                    Steadiness::Steady | Steadiness::NoData => return None,
                }
            }
            _ => return None,
        };
        let why = format!("`{}` did not hold before any fault: {found}", self.planned.title);
        Some(Unsteady { why, at_its_end })
    }

    /// Whether it was broken before any fault, by the last windows of the baseline, which are all final some time after
    /// it. What began then is not the faults' doing.
    pub fn began_before(&self) -> Option<String> {
        self.state.t0()?;
        let baseline = self.baseline();
        let found = match self.criterion() {
            criterion @ Criterion::Invariant { .. } => {
                let broken = criterion.broken(&baseline)?;
                format!("at {}", baseline.get(broken)?.from)
            }
            Criterion::Tolerance(rule) if !matches!(self.planned.bound, Bound::TimesBaseline(_)) => {
                let badness = began_before(&rule.ask, &baseline)?;
                format!("{} in the {LAST} windows before them", outside(&rule.ask, badness))
            }
            _ => return None,
        };
        Some(format!(
            "`{}` did not hold when the faults started, {found}: it began before any fault",
            self.planned.title
        ))
    }

    fn asked_of_recovery(&self, gone: Time) -> Recovery {
        let limit = gone + self.state.plan.recovers_within;
        let criterion = match self.planned.bound {
            Bound::FiresWithin(_) => Criterion::Invariant { bound: Bound::StaysQuiet, certainty: Certainty::Final },
            _ => self.criterion(),
        };
        let must_hold = self.must_hold() && !matches!(self.planned.bound, Bound::FiresWithin(_));
        Recovery { criterion, limit, must_hold, must_catch: self.planned.must_catch.get() }
    }

    /// How it comes out of the recovery, which counts from `gone`.
    pub fn recovered(&self, gone: Time) -> Recovered {
        self.asked_of_recovery(gone).of(&self.recovery_readings())
    }

    /// What is found of it, as far as the run has come.
    pub fn judgement(&self) -> Judgement {
        if !self.planned.is_judged() {
            return Judgement::plain(VerdictKind::Held, "");
        }
        if self.began_before().is_some() {
            return Judgement::plain(
                VerdictKind::Unknown,
                "did not hold when the faults started: it began before any fault",
            );
        }
        let found = match (self.planned.bound, self.state.gone) {
            (Bound::FiresWithin(_), _) => self.detection(),
            (_, Some(gone)) if !self.must_hold() => {
                Judgement::of_recovery(&self.asked_of_recovery(gone), gone, &self.baseline(), &self.recovery_readings())
            }
            _ if !self.must_hold() => Judgement::plain(VerdictKind::Held, ""),
            _ => self.held_throughout(),
        };
        let found = found.and(self.enough_around());
        match (found.kind, &self.state.stopping) {
            (VerdictKind::Unknown, Some(_)) => {
                found.and(Judgement::plain(VerdictKind::Unknown, "the run was stopped early"))
            }
            _ => found,
        }
    }

    fn held_throughout(&self) -> Judgement {
        let (baseline, judged, with_fault) = (self.baseline(), self.judged_readings(), self.with_fault());
        let evidence = SignalReadings { baseline: &baseline, judged: &judged, with_fault: &with_fault };
        let found = Judgement::of(&self.criterion(), self.planned.must_catch.get(), evidence);
        let Some(gone) = self.state.gone else { return found };
        let recovery = self.asked_of_recovery(gone);
        match recovery.of(&self.recovery_readings()) {
            Recovered::NotSteady => {
                let seen = recovery.seen_in_look(&self.recovery_readings());
                let why = format!("was not steady at the end of its recovery time: {seen}");
                found.and(Judgement::plain(VerdictKind::Unknown, why))
            }
            Recovered::NotYet | Recovered::CannotTell => {
                found.and(Judgement::plain(VerdictKind::Unknown, "was not seen steady after the faults ended"))
            }
            Recovered::Steady { .. } | Recovered::NotInTime { .. } => found,
        }
    }

    fn detection(&self) -> Judgement {
        match self.expected() {
            Some(expected) => Judgement::of_detection(&self.judged_readings(), &expected),
            None if self.state.steps.is_empty() => {
                Judgement::plain(VerdictKind::Unknown, "there was no fault for it to fire on")
            }
            None => Judgement::plain(VerdictKind::Unknown, "not judged: no fault was seen to take effect"),
        }
    }

    /// Whether there is enough of a baseline and of a recovery to say anything.
    fn enough_around(&self) -> Judgement {
        let with_data = self.baseline().iter().filter(|reading| reading.value.is_some()).count();
        let mut found = Judgement::plain(VerdictKind::Held, "");
        if with_data < STEADY {
            let why = format!("has data in {with_data} windows of the baseline; {STEADY} are needed");
            found = found.and(Judgement::plain(VerdictKind::Unknown, why));
        }
        match self.state.gone {
            Some(_) => found,
            None => found.and(Judgement::plain(VerdictKind::Unknown, "had no recovery phase to be judged in")),
        }
    }

    /// The evidence against the bound after each window, where it is judged by evidence: for the picture of a report.
    pub fn evidence(&self) -> Vec<Option<f64>> {
        let nothing = || vec![None; self.known.windows.len()];
        let Criterion::Tolerance(rule) = self.criterion() else { return nothing() };
        let recovery = self.state.gone.map(|gone| self.asked_of_recovery(gone));
        let (rule, from) =
            match (self.must_hold(), recovery.and_then(|recovery| Some((recovery.rule()?, recovery.limit)))) {
                (true, _) => (rule, Time::EPOCH),
                (false, Some((rule, limit))) => (rule, limit),
                (false, None) => return nothing(),
            };
        let windows = &self.known.windows;
        let first = self.baseline_windows().max(windows.partition_point(|seen| seen.window.from < from));
        let weighing = Weighing::of(rule, &self.readings(first..windows.len()));
        let before = std::iter::repeat_n(None, first);
        let evidence = weighing.evidence().iter().copied().map(Some).chain(std::iter::repeat(None));
        before.chain(evidence).take(windows.len()).collect()
    }
}

impl From<&SignalWindow> for Reading {
    /// Without what squall did itself: its own messages are not the application's.
    fn from(seen: &SignalWindow) -> Reading {
        let own = f64::from(seen.own);
        Reading {
            from: seen.window.from,
            to: seen.window.to,
            value: seen.sample.value.map(|value| discounted(value, own)),
            of: seen.sample.of,
            control: None,
        }
    }
}
