//! What the signals said: every window, what each phase looked like, and how long the recovery took.

use serde::Serialize;

use super::Times;
use crate::account::{Metric, Window};
use crate::plan::{Bound, DuringFault, SignalPlan};
use crate::report::words;
use crate::run::event::Phase;
use crate::run::state::{Seen, SignalState, State};
use crate::run::verdict::Finding;
use crate::units::{Span, Time};

/// One signal of a hypothesis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SignalStory {
    /// From 1.
    pub number: usize,
    pub hypothesis: String,
    /// One sentence: `failed share of shop-api at most 1 %`.
    pub title: String,
    pub finding: Finding,
    /// Why it was found so.
    pub why: String,
    pub metric: Metric,
    /// `failed share of shop-api`.
    pub query: String,
    pub bound: Bound,
    /// `at most 1 %`.
    pub expected: String,
    pub every: Span,
    pub breaks_at: u32,
    pub out_of: u32,
    pub during_fault: DuringFault,
    /// The window that decided that it is broken.
    pub broken: Option<Window>,
    /// Baseline, fault, recovery; those that have a window.
    pub phases: Vec<PhaseStory>,
    pub windows: Vec<Point>,
}

/// One closed window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    pub phase: Phase,
    pub from: Time,
    pub to: Time,
    /// Absent when there was no data, which is not zero.
    pub value: Option<f64>,
    /// Of how many requests, where the metric is a share or a mean.
    pub of: Option<u64>,
    pub breaks: bool,
}

/// What a signal looked like in one phase.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PhaseStory {
    pub phase: Phase,
    pub windows: usize,
    pub with_data: usize,
    pub breaking: usize,
    pub lowest: Option<f64>,
    pub highest: Option<f64>,
}

/// How the signals came back after the fault was gone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recovery {
    pub gone: Option<Time>,
    pub within: Span,
    pub found: Recovered,
    /// Of each signal, in the order of the plan.
    pub signals: Vec<Recovered>,
}

/// Whether something is steady again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovered {
    /// No fault is known to be gone, so there is nothing to count from.
    NotCounted,
    /// No window with data since.
    NoData,
    /// Still outside of its bound when last seen.
    NotSteady,
    /// From the last breaking window's end on: so long after the fault was gone.
    Steady { after: Span },
}

/// The signals, in the order of the plan.
pub fn of(state: &State) -> Vec<SignalStory> {
    let tell = |(index, (plan, seen)): (usize, (&SignalPlan, &SignalState))| {
        let (finding, why) = finding(state, plan, seen);
        SignalStory {
            number: index + 1,
            hypothesis: plan.hypothesis.clone(),
            title: words::one_line(&plan.title),
            finding,
            why,
            metric: plan.query.metric,
            query: plan.query.to_string(),
            bound: plan.bound,
            expected: words::bound(plan.query.metric, plan.bound),
            every: plan.every,
            breaks_at: plan.breaks_at,
            out_of: plan.out_of,
            during_fault: plan.during_fault,
            broken: seen.broken,
            phases: [Phase::Baseline, Phase::Fault, Phase::Undo, Phase::Recovery]
                .into_iter()
                .filter_map(|phase| phase_story(phase, &seen.windows))
                .collect(),
            windows: seen.windows.iter().map(point).collect(),
        }
    };
    state.plan.signals.iter().zip(&state.signals).enumerate().map(tell).collect()
}

fn point(seen: &Seen) -> Point {
    Point {
        phase: seen.phase,
        from: seen.window.from,
        to: seen.window.to,
        value: words::finite(seen.sample.value),
        of: seen.sample.of,
        breaks: seen.breaks,
    }
}

fn phase_story(phase: Phase, windows: &[Seen]) -> Option<PhaseStory> {
    let of_phase: Vec<&Seen> = windows.iter().filter(|seen| seen.phase == phase).collect();
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

fn finding(state: &State, plan: &SignalPlan, seen: &SignalState) -> (Finding, String) {
    let _ = (state, plan);
    match seen.broken {
        Some(_) => (Finding::Broken, String::new()),
        None => (Finding::Unknown, String::new()),
    }
}

/// How long the signals took to be steady after the fault was gone; the slowest counts.
pub fn recovery(state: &State) -> Recovery {
    let signals: Vec<Recovered> = state.signals.iter().map(|seen| recovered(state.gone, &seen.windows)).collect();
    let found = signals.iter().copied().max_by_key(|one| one.weight()).unwrap_or(Recovered::NotCounted);
    Recovery { gone: state.gone, within: state.plan.recovers_within, found, signals }
}

fn recovered(gone: Option<Time>, windows: &[Seen]) -> Recovered {
    let Some(gone) = gone else { return Recovered::NotCounted };
    let after: Vec<&Seen> = windows
        .iter()
        .filter(|seen| seen.phase == Phase::Recovery && words::finite(seen.sample.value).is_some())
        .collect();
    match after.last() {
        None => Recovered::NoData,
        Some(last) if last.breaks => Recovered::NotSteady,
        Some(_) => {
            let last_bad = after.iter().rev().find(|seen| seen.breaks);
            Recovered::Steady { after: last_bad.map_or(Span::ZERO, |seen| seen.window.to.since(gone)) }
        }
    }
}

impl Recovered {
    /// The greatest of several is the one to tell.
    fn weight(self) -> (u8, Span) {
        match self {
            Recovered::Steady { after } => (0, after),
            Recovered::NotCounted => (1, Span::ZERO),
            Recovered::NoData => (2, Span::ZERO),
            Recovered::NotSteady => (3, Span::ZERO),
        }
    }

    /// In a few words.
    pub fn sentence(self) -> String {
        match self {
            Recovered::NotCounted => "not counted: no fault was seen gone".into(),
            Recovered::NoData => "no data since the fault was gone".into(),
            Recovered::NotSteady => "not steady when last seen".into(),
            Recovered::Steady { after: Span::ZERO } => "steady from the first window on".into(),
            Recovered::Steady { after } => format!("steady {} after the fault was gone", words::span(after)),
        }
    }
}

impl SignalStory {
    /// The value furthest on the wrong side, or nearest to it, with its window: what a reader asks for first.
    pub fn worst(&self) -> Option<Point> {
        let with_data = self.windows.iter().filter(|point| point.value.is_some());
        let sign = if self.wants_more() { -1.0 } else { 1.0 };
        let badness = |point: &Point| point.value.unwrap_or(0.0) * sign;
        // Of equals, the first: a reader looks for when it began.
        with_data.rev().max_by(|a, b| badness(a).total_cmp(&badness(b))).copied()
    }

    /// Whether the steady side is the upper one.
    fn wants_more(&self) -> bool {
        matches!(self.bound, Bound::AtLeast(_) | Bound::Above(_))
    }

    /// What a reader asks for first: when it was outside and how far, or how near it came; for an alarm, when it fired.
    pub fn note(&self, times: &Times) -> String {
        let offset = |at| words::offset(times.started, at);
        if self.metric == Metric::AlarmState {
            let in_alarm = |point: &&Point| point.value.is_some_and(|value| value >= 0.5);
            let fault = times.first_fault.unwrap_or(times.started);
            return match (self.windows.iter().filter(|point| point.to > fault).find(in_alarm), times.first_effect) {
                (None, _) => "never seen in ALARM since the fault went in".into(),
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
                format!("outside from {}, at worst {}", offset(first.from), self.shown(&worst))
            }
            (None, Some(nearest)) => {
                let side = if self.wants_more() { "lowest" } else { "highest" };
                format!("never outside; {side} {}", self.shown(&nearest))
            }
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
