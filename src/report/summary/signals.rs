//! What the signals said: every window, what each phase looked like, and how long the recovery took.

use super::Times;
use crate::account::{Metric, Window};
use crate::judge::bound::Bound;
use crate::judge::judgement::Judgement;
use crate::judge::recovery as judge;
use crate::judge::verdict::{Verdict, VerdictKind};
use crate::numbers::{percent, thousands};
use crate::plan::{DuringFault, SignalPlan};
use crate::report::words;
use crate::run::event::Phase;
use crate::run::judging::Case;
use crate::run::state::{SignalWindow, State};
use crate::units::{Share, Span, Time};

/// One signal of a hypothesis.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalStory {
    /// From 1.
    pub number: usize,
    pub hypothesis: String,
    /// One sentence: `failed share of shop-api at most 1 %`.
    pub title: String,
    /// None of what is observed only.
    pub verdict: Option<VerdictKind>,
    /// Why it was found so.
    pub why: String,
    pub metric: Metric,
    /// `failed share of shop-api`.
    pub query: String,
    /// What its values are: `share` of 1, `count`, `seconds`, or `alarm`, which is 1 in ALARM.
    pub unit: &'static str,
    pub bound: Bound,
    /// `at most 1 %`.
    pub expected: String,
    /// The number in it, where there is one.
    pub limit: Option<f64>,
    pub every: Span,
    /// The share that may be outside of the bound: of requests where it is a share of them, else of windows.
    pub tolerating: Share,
    /// The rise that a verdict of held had to be able to catch.
    pub must_catch: Share,
    pub during_fault: DuringFault,
    /// The number of the signal that is its control, from 1.
    pub control: Option<usize>,
    /// What the judge found of this signal alone, with its numbers.
    pub judgement: Judgement,
    /// The window that decided that it is broken.
    pub broken: Option<Window>,
    /// Baseline, fault, recovery; those that have a window.
    pub phases: Vec<PhaseStory>,
    pub windows: Vec<Point>,
}

/// One closed window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub phase: Phase,
    pub from: Time,
    pub to: Time,
    /// Absent when there was no data, which is not zero.
    pub value: Option<f64>,
    /// Of how many requests, where the metric is a share or a mean.
    pub of: Option<u64>,
    /// How many of what was counted may be messages of this run, which are not held against the bound.
    pub own: u32,
    pub breaks: bool,
    /// The evidence against the bound after this window, as odds against one, where it is judged by evidence.
    pub odds: Option<f64>,
}

/// What a signal looked like in one phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhaseStory {
    pub phase: Phase,
    pub windows: usize,
    pub with_data: usize,
    pub breaking: usize,
    pub lowest: Option<f64>,
    pub highest: Option<f64>,
}

/// How the signals came back after the fault was gone.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovery {
    pub gone: Option<Time>,
    pub within: Span,
    pub found: Recovered,
    /// Of each signal, in the order of the plan.
    pub signals: Vec<Recovered>,
}

/// Whether something is steady again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// It never left its bound.
    Throughout,
    /// Steady for good from a window on that began so long after the fault was gone.
    Steady { after: Span },
    /// No fault is known to be gone, so there is nothing to count from.
    NotCounted,
    /// The run goes on, or died, before it was decided.
    Undecided,
    /// It has no bound to be back in.
    Watched,
    /// Too few windows with data to say.
    NoData,
    /// Out of its bound when it should have been steady again.
    NotSteady,
}

/// The signals, in the order of the plan.
pub fn of(state: &State) -> Vec<SignalStory> {
    let tell = |(index, case): (usize, Case<'_>)| {
        let plan = case.planned();
        let windows = case.windows();
        let judgement = case.judgement();
        let (kind, why) = kind(state, plan, &judgement);
        SignalStory {
            number: index + 1,
            hypothesis: plan.hypothesis.clone(),
            title: words::one_line(&plan.title),
            verdict: plan.is_judged().then_some(kind),
            why,
            metric: plan.query.metric,
            query: plan.query.to_string(),
            unit: words::unit(plan.query.metric),
            limit: words::limit(plan.bound),
            bound: plan.bound,
            expected: words::bound(plan.query.metric, plan.bound),
            every: plan.every,
            tolerating: plan.tolerating,
            must_catch: plan.must_catch,
            during_fault: plan.during_fault,
            control: plan.control.map(|index| index + 1),
            judgement: Judgement { why: words::reason(state, &judgement.why), ..judgement },
            broken: state.signals.get(index).and_then(|seen| seen.broken),
            phases: [Phase::Baseline, Phase::Fault, Phase::Rollback, Phase::Recovery]
                .into_iter()
                .filter_map(|phase| phase_story(phase, windows))
                .collect(),
            windows: windows
                .iter()
                .zip(case.evidence())
                .map(|(seen, odds)| Point { odds: words::finite(odds), ..Point::from(seen) })
                .collect(),
        }
    };
    Case::all(state).enumerate().map(tell).collect()
}

impl From<&SignalWindow> for Point {
    fn from(seen: &SignalWindow) -> Point {
        Point {
            phase: seen.phase,
            from: seen.window.from,
            to: seen.window.to,
            value: words::finite(seen.sample.value),
            of: seen.sample.of,
            own: seen.own,
            breaks: seen.breaks,
            odds: None,
        }
    }
}

fn phase_story(phase: Phase, windows: &[SignalWindow]) -> Option<PhaseStory> {
    let of_phase: Vec<&SignalWindow> = windows.iter().filter(|seen| seen.phase == phase).collect();
    let values: Vec<f64> = of_phase.iter().filter_map(|seen| words::finite(seen.sample.value)).collect();
    (!of_phase.is_empty()).then(|| PhaseStory {
        phase,
        windows: of_phase.len(),
        with_data: values.len(),
        breaking: of_phase.iter().filter(|seen| seen.breaks).count(),
        lowest: values.iter().copied().reduce(f64::min),
        highest: values.iter().copied().reduce(f64::max),
    })
}

/// A signal's own verdict. A run that held says so of every signal; while the run as a whole says nothing, a bound that
/// was kept says nothing either: under a fault that never worked it was not tested.
fn kind(state: &State, plan: &SignalPlan, judgement: &Judgement) -> (VerdictKind, String) {
    let of_the_run = |run: &Verdict| {
        let name = words::quoted(&plan.title);
        // It stands beside the signal, which need not be named again.
        let bare = |reason: String| reason.strip_prefix(&name).map_or(reason.clone(), |rest| rest.trim().to_owned());
        let reasons = run.reasons.iter().map(|reason| bare(words::reason(state, reason)));
        reasons.collect::<Vec<_>>().join("; ")
    };
    match (&state.closed, judgement.kind) {
        (Some(run), VerdictKind::Held) if run.kind == VerdictKind::Unknown => (VerdictKind::Unknown, of_the_run(run)),
        (None, VerdictKind::Held) => (VerdictKind::Unknown, "the run is not finished".into()),
        (_, found) => (found, words::reason(state, &judgement.why)),
    }
}

/// How long the signals took to be steady after the fault was gone; the slowest counts.
pub fn recovery(state: &State) -> Recovery {
    let tell = |case: Case<'_>| match state.gone {
        _ if !case.planned().is_judged() => Recovered::Watched,
        None => Recovered::NotCounted,
        Some(gone) => recovered(state, &case, gone),
    };
    let signals: Vec<Recovered> = Case::all(state).map(tell).collect();
    let judged = signals.iter().copied().filter(|one| *one != Recovered::Watched);
    let found = judged.max_by_key(|one| one.weight()).unwrap_or(Recovered::NotCounted);
    Recovery { gone: state.gone, within: state.plan.recovers_within, found, signals }
}

fn recovered(state: &State, case: &Case<'_>, gone: Time) -> Recovered {
    let broke = || case.windows().iter().any(|window| window.breaks && window.phase != Phase::Baseline);
    match case.recovered(gone) {
        judge::Recovered::Steady { .. } if !broke() => Recovered::Throughout,
        judge::Recovered::Steady { since } => Recovered::Steady { after: since.since(gone) },
        judge::Recovered::NotSteady | judge::Recovered::NotInTime { .. } => Recovered::NotSteady,
        judge::Recovered::NotYet if state.closed.is_none() => Recovered::Undecided,
        judge::Recovered::NotYet | judge::Recovered::CannotTell => Recovered::NoData,
    }
}

impl Recovery {
    /// In sentences, once the fault is gone.
    pub fn told(&self, started: Time, gone: Time) -> String {
        let found = match self.found {
            Recovered::Throughout => "No signal left its bound, so there was nothing to recover from.".into(),
            Recovered::Steady { after } => format!("The slowest signal was steady again after {}.", words::span(after)),
            found => format!("The slowest signal: {}.", found.sentence()),
        };
        let gone = words::offset(started, gone);
        format!("The last fault ended at {gone}; the signals had {} to be steady again. {found}", self.within)
    }
}

impl Recovered {
    /// The greatest of several is the one to tell.
    fn weight(self) -> (u8, Span) {
        match self {
            Recovered::Throughout => (0, Span::ZERO),
            Recovered::Steady { after } => (1, after),
            Recovered::NotCounted => (2, Span::ZERO),
            Recovered::Watched => (0, Span::ZERO),
            Recovered::Undecided => (3, Span::ZERO),
            Recovered::NoData => (4, Span::ZERO),
            Recovered::NotSteady => (6, Span::ZERO),
        }
    }

    /// In a word or two, for a table of figures.
    pub fn short(self) -> String {
        match self {
            Recovered::Throughout => "not needed".into(),
            Recovered::Steady { after } => words::span(after),
            Recovered::NotCounted => "not counted".into(),
            Recovered::Watched => "observed only".into(),
            Recovered::Undecided => "not decided".into(),
            Recovered::NoData => "no data".into(),
            Recovered::NotSteady => "not steady".into(),
        }
    }

    /// In a sentence without its full stop.
    pub fn sentence(self) -> String {
        match self {
            Recovered::Throughout => "never outside its bound".into(),
            Recovered::Steady { after } => format!("steady again {} after the fault ended", words::span(after)),
            Recovered::NotCounted => "not judged: no fault was seen to end".into(),
            Recovered::Watched => "observed only".into(),
            Recovered::Undecided => "undecided at the end of the journal".into(),
            Recovered::NoData => "no data in the windows in which it had to be steady".into(),
            Recovered::NotSteady => "not steady again in time".into(),
        }
    }
}

impl SignalStory {
    /// The value furthest on the wrong side, or nearest to it, with its window: what a reader asks for first.
    pub fn worst(&self) -> Option<Point> {
        worst_of(&self.windows, self.bound).filter(|point| point.value.is_some())
    }

    /// Whether the steady side is the upper one.
    fn wants_more(&self) -> bool {
        matches!(self.bound, Bound::AtLeast(_) | Bound::Above(_) | Bound::KeepsComing)
    }

    /// What a reader asks for first: when it was outside and how far, or how near it came; for an alarm, when it fired.
    pub fn note(&self, times: &Times) -> String {
        let offset = |at| words::offset(times.started, at);
        if self.metric == Metric::AlarmState {
            let in_alarm = |point: &&Point| point.value.is_some_and(|value| value >= 0.5);
            let fault = times.first_fault.unwrap_or(times.started);
            return match (self.windows.iter().filter(|point| point.to > fault).find(in_alarm), times.first_effect) {
                (None, _) => "not in ALARM since the fault started".into(),
                (Some(point), Some(effect)) if point.to >= effect => format!(
                    "in ALARM by {}, {} after the first effect",
                    offset(point.to),
                    words::span(point.to.since(effect))
                ),
                (Some(point), _) => format!("in ALARM by {}", offset(point.to)),
            };
        }
        match (self.first_breach(), self.worst()) {
            (_, None) => "no data".into(),
            (Some(first), Some(worst)) => {
                format!("outside from {}, at worst {}{}", offset(first.from), self.shown(&worst), own_part(&worst))
            }
            (None, Some(nearest)) => {
                let side = if self.wants_more() { "lowest" } else { "highest" };
                let never = if self.has_outside() { "never outside; " } else { "" };
                format!("{never}{side} {}{}", self.shown(&nearest), own_part(&nearest))
            }
        }
    }

    /// Whether a single window can be outside: not of what is observed only, nor of what is compared window by window.
    pub fn has_outside(&self) -> bool {
        !matches!(self.bound, Bound::Watched | Bound::TimesControl(_))
    }

    /// Whether any window may have counted messages of this run.
    pub fn counts_own(&self) -> bool {
        self.windows.iter().any(|point| point.own > 0 && point.value.is_some_and(|value| value > 0.0))
    }

    /// How it is judged, in a few words; nothing of an alarm that has to fire.
    pub fn judged(&self) -> String {
        let alone = format!("windows of {}", self.every);
        match (self.bound, self.judgement.odds) {
            (Bound::FiresWithin(_) | Bound::Watched, _) => String::new(),
            (Bound::Spends { .. }, _) => format!("counted, in {alone}"),
            (_, None) => format!("exactly, in {alone}"),
            (_, Some(odds)) if self.metric.is_share() => {
                format!("on the whole, in {alone}; broken at 1 in {}", thousands(odds.decides_at))
            }
            (_, Some(odds)) => {
                format!(
                    "in all but {} of {alone}; broken at 1 in {}",
                    percent(self.tolerating.get()),
                    thousands(odds.decides_at)
                )
            }
        }
    }

    /// What it has to do while the fault is in, in words.
    pub fn asked(&self) -> &'static str {
        match self.bound {
            Bound::FiresWithin(_) => "counted from the first effect; OK again afterwards",
            Bound::Watched => "does not decide",
            _ => words::during(self.during_fault),
        }
    }

    /// The first window that broke the bound.
    pub fn first_breach(&self) -> Option<&Point> {
        self.windows.iter().find(|point| point.breaks)
    }

    /// A point's value as it is printed.
    pub fn shown(&self, point: &Point) -> String {
        match point.value {
            None => "no data".into(),
            Some(value) => words::value_beside(self.metric, self.bound, value, point.breaks),
        }
    }
}

/// `, up to 20 of them squall's own`.
fn own_part(point: &Point) -> String {
    words::own(point.own, point.value)
}

/// At most so many points: where there are more windows, each point is the worst of its neighbours by `bound`, and one
/// without a value where none of them has one.
pub fn thinned(windows: &[Point], bound: Bound, most: usize) -> Vec<Point> {
    let cells = windows.len().min(most);
    let edge = |cell: usize| cell * windows.len() / cells.max(1);
    (0..cells).filter_map(|cell| worst_of(&windows[edge(cell)..edge(cell + 1)], bound)).collect()
}

fn worst_of(windows: &[Point], bound: Bound) -> Option<Point> {
    let lowest = matches!(bound, Bound::AtLeast(_) | Bound::Above(_) | Bound::KeepsComing);
    let sign = if lowest { -1.0 } else { 1.0 };
    let badness = |point: &Point| point.value.map(|value| value * sign);
    let worse = |a: &&Point, b: &&Point| match (badness(a), badness(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    };
    // Of equals, the first: a reader looks for when it began.
    windows.iter().rev().max_by(worse).copied()
}
