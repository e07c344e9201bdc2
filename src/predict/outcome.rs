//! What is kept of one run: its verdict, its signals as numbers, and what the model knows of the damage.

use std::collections::BTreeMap;

use crate::account::modelled::{Backlog, Usage};
use crate::account::{Limit, Modelled, ResourceKind, Why, Window};
use crate::judge::detection::Fired;
use crate::judge::recovery::Recovered;
use crate::judge::verdict::{Verdict, VerdictKind};
use crate::run::event::Phase;
use crate::run::judging::Case;
use crate::run::state::State;
use crate::units::{Span, Time};

const MINUTE: Span = Span::from_mins(1);

/// One run, folded.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub seed: u64,
    pub verdict: Verdict,
    /// In the order of the plan.
    pub signals: Vec<SignalOutcome>,
    /// From the moment when the faults were due to go in, until the first was seen to work.
    pub effect: Option<Span>,
    /// From there until the first alarm that has to fire did.
    pub detected: Option<Span>,
    /// From the last fault gone until the slowest signal was steady for good.
    pub recovered: Option<Span>,
    /// The queue with the most messages, dead-letter queues apart.
    pub backlog: Option<BacklogOutcome>,
    /// Messages that came to a dead-letter queue, without those that the run sent itself.
    pub dead_lettered: u64,
    /// Messages and events that expired, or that nothing took.
    pub lost: u64,
    pub usage: UsageOutcome,
    /// Every limit that was reached, in the order of time.
    pub limits: Vec<Reached>,
}

/// One signal of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalOutcome {
    pub kind: VerdictKind,
    /// When it was sure to be broken, in seconds from when the faults go in.
    pub broken_at: Option<f64>,
    /// The end of each window, in whole seconds from when the faults go in, and its value.
    pub windows: Vec<(i32, Option<f64>)>,
}

/// The largest backlog of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct BacklogOutcome {
    pub queue: String,
    pub peak: u32,
    /// From the last fault gone until no more messages waited than before any fault; `None` when that did not come.
    pub drained: Option<Span>,
}

/// What the application used, for each minute of a phase; and in the whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UsageOutcome {
    pub before: Usage,
    pub during: Usage,
    pub whole: Usage,
}

/// A limit that a resource reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Reached {
    pub kind: ResourceKind,
    pub name: String,
    pub limit: Limit,
    /// The first time, in seconds from when the faults go in.
    pub first: f64,
    pub times: u64,
}

impl Outcome {
    /// What a run that has ended comes to.
    pub fn of(seed: u64, verdict: Verdict, state: &State, model: &dyn Modelled) -> Outcome {
        let t0 = state.t0().unwrap_or_else(|| state.baseline_until());
        let signals = Case::all(state).map(|case| signal(&case, t0)).collect();
        let effect = state.first_effect();
        let detected = Case::all(state).filter_map(|case| match case.fired() {
            Some(Fired::InTime { after } | Fired::Late { after }) => Some(after),
            _ => None,
        });
        let reasons = model.reasons();
        let count = |why: &dyn Fn(Why) -> bool| reasons.iter().filter(|of| why(of.why)).map(|of| of.count).sum::<u64>();
        let own: u64 = state
            .steps
            .iter()
            .filter_map(|step| step.sends.accounted.as_ref())
            .map(|sent| u64::from(sent.swept) + u64::from(sent.left))
            .sum();
        let mut limits: Vec<Reached> = reasons
            .iter()
            .filter_map(|reason| {
                let first = after(t0, reason.first);
                Some(Reached {
                    kind: reason.kind,
                    name: reason.name.clone(),
                    limit: reason.why.limit()?,
                    first,
                    times: reason.count,
                })
            })
            .collect();
        limits.sort_by(|a, b| a.first.total_cmp(&b.first));
        Outcome {
            seed,
            signals,
            effect: effect.map(|effect| effect.since(t0)),
            detected: detected.min(),
            recovered: recovered(state),
            backlog: backlog(model, state, t0),
            dead_lettered: count(&|why| why == Why::ReceivedTooOften).saturating_sub(own),
            lost: count(&Why::is_loss),
            usage: usage(model, state, t0),
            limits,
            verdict,
        }
    }
}

/// Seconds from one instant to another, which may come first.
fn after(t0: Time, at: Time) -> f64 {
    (at.micros() - t0.micros()) as f64 / 1e6
}

fn signal(case: &Case<'_>, t0: Time) -> SignalOutcome {
    let judgement = case.judgement();
    let windows = case.windows().iter();
    SignalOutcome {
        kind: judgement.kind,
        broken_at: judgement.broken_at.filter(|_| judgement.kind == VerdictKind::Broken).map(|at| after(t0, at)),
        windows: windows.map(|seen| (after(t0, seen.window.to).round() as i32, seen.sample.value)).collect(),
    }
}

/// From the last fault gone until the slowest signal that broke was steady for good; `None` where one was not.
pub fn recovered(state: &State) -> Option<Span> {
    let gone = state.gone?;
    let mut slowest = Span::ZERO;
    for case in Case::judged(state) {
        let broke = case.windows().iter().any(|seen| seen.breaks && seen.phase != Phase::Baseline);
        match case.recovered(gone) {
            Recovered::Steady { since } if broke => slowest = slowest.max(since.since(gone)),
            Recovered::Steady { .. } => {}
            _ => return None,
        }
    }
    Some(slowest)
}

fn backlog(model: &dyn Modelled, state: &State, t0: Time) -> Option<BacklogOutcome> {
    let peak = |backlog: &Backlog| backlog.minutes.iter().map(|(_, waiting)| *waiting).max();
    let largest = model.backlogs().into_iter().filter(|backlog| !backlog.is_dead_letter).max_by_key(peak)?;
    let usual = largest.minutes.iter().filter(|(at, _)| *at <= t0).map(|(_, waiting)| *waiting).max().unwrap_or(0);
    let peak = peak(&largest)?;
    let drained = state.gone.and_then(|gone| {
        let (at, _) = largest.minutes.iter().find(|(at, waiting)| *at >= gone && *waiting <= usual.max(1))?;
        Some(at.since(gone))
    });
    Some(BacklogOutcome { queue: largest.queue, peak, drained })
}

fn usage(model: &dyn Modelled, state: &State, t0: Time) -> UsageOutcome {
    let a_minute = |from: Time, to: Time| {
        let (from, to) = ((from + MINUTE - Span::from_micros(1)).window_start(MINUTE), to.window_start(MINUTE));
        let minutes = to.since(from).secs_f64() / 60.0;
        if minutes > 0.0 { model.usage(Window { from, to }) * (1.0 / minutes) } else { Usage::default() }
    };
    let gone = state.entered.get(&Phase::Rollback).copied().unwrap_or(state.last);
    UsageOutcome {
        before: a_minute(state.baseline_from(), t0),
        during: if state.t0().is_some() { a_minute(t0, gone) } else { Usage::default() },
        whole: model.usage(Window { from: state.started.window_start(MINUTE), to: state.last }),
    }
}

/// How many runs reached a limit first, the most frequent one first.
pub fn first_limits(outcomes: &[Outcome]) -> Vec<(Reached, usize)> {
    let mut counted: BTreeMap<(ResourceKind, String, Limit), Vec<&Reached>> = BTreeMap::new();
    for outcome in outcomes {
        if let Some(first) = outcome.limits.first() {
            counted.entry((first.kind, first.name.clone(), first.limit)).or_default().push(first);
        }
    }
    let mut found: Vec<(Reached, usize)> = counted
        .into_values()
        .filter_map(|mut reached| {
            reached.sort_by(|a, b| a.first.total_cmp(&b.first));
            Some((Reached::clone(reached.get(reached.len() / 2)?), reached.len()))
        })
        .collect();
    found.sort_by_key(|(_, runs)| std::cmp::Reverse(*runs));
    found
}
