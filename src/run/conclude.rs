//! What a run's events add up to: recovery, verdict, and what is left behind. Pure, so that a report says the same.

use super::event::{Left, MessageAccount, Phase, Settled, Stop, WriteOutcome};
use super::state::{Life, Seen, SignalState, State};
use super::verdict::Verdict;
use crate::plan::{Bound, Change, ChangeId, DuringFault, SignalPlan};
use crate::units::Time;

/// A phase says something about a signal from this many windows with data on.
pub const WINDOWS_TO_HOLD: usize = 5;

/// How a signal came out of the recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// There is more to see.
    NotYet,
    /// Steady from this instant on, for [`WINDOWS_TO_HOLD`] windows with data.
    Since(Time),
    /// Out of bounds when it should have been steady again.
    Broken,
    /// Too few windows with data to say.
    NoData,
}

/// How a signal comes out of the recovery, which counts from `gone`.
pub fn recovery(state: &State, planned: &SignalPlan, known: &SignalState, gone: Time) -> Recovered {
    let limit = gone + state.plan.recovers_within;
    let windows = || known.windows.iter().filter(|seen| seen.phase == Phase::Recovery);
    let mut steady: Vec<&Seen> = Vec::new();
    let mut since = None;
    for seen in windows().filter(|seen| seen.sample.value.is_some()) {
        if seen.breaks {
            steady.clear();
        } else {
            steady.push(seen);
        }
        if steady.len() == WINDOWS_TO_HOLD && since.is_none() {
            since = steady.first().map(|first| first.window.from);
        }
    }
    // The last window that can be the fifth steady one after the limit, with one to spare for alignment.
    let needed = i64::try_from(WINDOWS_TO_HOLD + 1).unwrap_or(6);
    let last = limit + planned.every * needed;
    let seen_all = windows().next_back().is_some_and(|seen| seen.window.to >= last);
    let must_hold = planned.during_fault == DuringFault::MustHold;
    let late_breaks = windows().any(|seen| seen.breaks && seen.window.from >= limit);
    match since {
        Some(since) if since <= limit || must_hold => Recovered::Since(since),
        Some(_) => Recovered::Broken,
        None if !seen_all => Recovered::NotYet,
        None if late_breaks => Recovered::Broken,
        None => Recovered::NoData,
    }
}

/// The verdict of a run, with every reason for it.
pub fn verdict(state: &State) -> Verdict {
    let stopped = state.stopping.as_ref().map_or_else(Verdict::held, |(_, why)| because_of_stop(state, why));
    let steps = state.plan.steps.iter().zip(&state.steps).map(|(planned, step)| match step.effective {
        Some(_) => Verdict::held(),
        None => Verdict::unknown(format!("{} was not seen to take effect", planned.fault)),
    });
    let signals = state.plan.signals.iter().zip(&state.signals).map(|(planned, known)| signal(state, planned, known));
    steps.chain(signals).fold(stopped, Verdict::merge)
}

fn because_of_stop(state: &State, why: &Stop) -> Verdict {
    let change = |id: &ChangeId| state.plan.changes.get(id).map_or_else(String::new, |c| c.setting.describe());
    match why {
        Stop::Broken { .. } => Verdict::held(),
        Stop::Baseline { why } => Verdict::unknown(why.clone()),
        Stop::Guard { title, value } => Verdict::unknown(format!("stopped by the guard `{title}` at {value}")),
        Stop::TooLong => Verdict::unknown(format!("stopped after {}, the longest it may take", state.plan.longest)),
        Stop::Signal { name } => Verdict::unknown(format!("stopped by {name}")),
        Stop::Asked { by } => Verdict::unknown(format!("stopped by {by}")),
        Stop::Failed { change: id, why } => Verdict::unknown(format!("{} could not be changed: {why}", change(id))),
        Stop::Drifted { change: id, .. } => {
            Verdict::unknown(format!("somebody else changed the {} meanwhile", change(id)))
        }
        Stop::Overslept { late_secs } => Verdict::unknown(format!("squall did not run for {late_secs} s")),
        Stop::Journal { why } => Verdict::unknown(format!("the journal could not be written: {why}")),
        Stop::NotEffective { step } => {
            let fault = state.plan.steps.get(*step).map(|s| s.fault.to_string()).unwrap_or_default();
            Verdict::unknown(format!("{fault} was not seen to take effect"))
        }
        Stop::Died => Verdict::unknown("the process that ran it died"),
    }
}

fn signal(state: &State, planned: &SignalPlan, known: &SignalState) -> Verdict {
    let title = &planned.title;
    if let Some(window) = known.broken {
        return Verdict::broken(match planned.bound {
            Bound::FiresWithin(within) => format!("`{title}`: it did not fire within {within}"),
            _ => format!("`{title}` broke at {}", window.from),
        });
    }
    let count = |test: &dyn Fn(&Seen) -> bool| {
        known.windows.iter().filter(|seen| seen.sample.value.is_some() && test(seen)).count()
    };
    let effect = state.first_effect();
    let baseline = count(&|seen| seen.phase == Phase::Baseline && seen.window.to <= state.baseline_until());
    let fault = count(&|seen| seen.phase == Phase::Fault && effect.is_some_and(|at| seen.window.from >= at));
    let mut verdict = Verdict::held();
    for (phase, windows) in [("the baseline", baseline), ("the fault", fault)] {
        if windows < WINDOWS_TO_HOLD {
            verdict = verdict.merge(Verdict::unknown(format!(
                "`{title}` has data in {windows} windows of {phase}, and it takes {WINDOWS_TO_HOLD} to say that it held"
            )));
        }
    }
    if let (Bound::FiresWithin(within), Some(effect)) = (planned.bound, effect)
        && known.fired_by(effect + within).is_none()
    {
        verdict = verdict.merge(Verdict::unknown(format!("`{title}`: the run ended before it had to fire")));
    }
    let Some(gone) = state.gone else {
        return verdict.merge(Verdict::unknown(format!("`{title}`: the recovery was not watched")));
    };
    verdict.merge(match recovery(state, planned, known, gone) {
        Recovered::Since(_) => Verdict::held(),
        Recovered::Broken => {
            let within = state.plan.recovers_within;
            Verdict::broken(format!("`{title}` did not recover within {within} of the fault being gone"))
        }
        Recovered::NotYet | Recovered::NoData => {
            Verdict::unknown(format!("`{title}` has too few windows with data after the fault was gone"))
        }
    })
}

/// Everything of the run that may still be in the account, with what to do about it.
pub fn left_behind(state: &State) -> Vec<Left> {
    let changes = state.lives.iter().filter_map(|(id, life)| {
        let change = state.plan.changes.get(id)?;
        left_change(state, *id, change, life)
    });
    let messages = state.plan.steps.iter().zip(&state.steps).filter_map(|(planned, step)| {
        let emission = planned.emission.as_ref()?;
        let account = step.sends.accounted.as_ref();
        let MessageAccount { not_found, .. } = account.cloned().unwrap_or_else(|| MessageAccount {
            not_found: if step.sends.owed() {
                step.sends.accepted.union(&step.sends.unknown).copied().collect()
            } else {
                Vec::new()
            },
            ..MessageAccount::default()
        });
        (!not_found.is_empty()).then(|| Left {
            resource: emission.queue.clone(),
            what: format!("messages {} of this run may still be in a queue", numbers(&not_found)),
            remedy: format!(
                "look for the message attribute squall-run={}, then `squall undo {}`",
                state.plan.run, state.plan.run
            ),
        })
    });
    changes.chain(messages).collect()
}

fn left_change(state: &State, id: ChangeId, change: &Change, life: &Life) -> Option<Left> {
    let what = match &life.settled {
        Some((_, Settled::Restored | Settled::AlreadyBefore | Settled::ResourceGone)) => return None,
        Some((_, Settled::Theirs { found })) => {
            format!("{}: somebody else set it to {found}; it was left alone", change.setting)
        }
        Some((_, Settled::Left { why })) => format!("{}: {why}", change.setting),
        None if !life.outstanding() => return None,
        None => format!("{}: its undo is not done", change.setting),
    };
    let remedy = match change.setting.is_mark() || matches!(life.outcome, Some(WriteOutcome::Unknown(_))) {
        true => format!("squall undo {}", state.plan.run),
        false => format!("squall undo {} --change {}", state.plan.run, id.0),
    };
    Some(Left { resource: change.setting.resource().clone(), what, remedy })
}

/// `1-3, 7`.
fn numbers(numbers: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let text = |(first, last): (u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    runs.into_iter().map(text).collect::<Vec<_>>().join(", ")
}
