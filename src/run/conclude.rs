//! What a run's events add up to: the verdict, and what is left behind. Pure, so that a report says the same.

use super::event::{Left, MessageAccount, Settled, Stop, WriteOutcome};
use super::judging::Case;
use super::state::{Life, State};
use crate::judge::held::NOT_AT_WORK;
use crate::judge::verdict::{Verdict, VerdictKind};
use crate::plan::{Change, ChangeId, Cleanup};

/// The verdict of a run, with every reason for it.
pub fn verdict(state: &State) -> Verdict {
    let stopped = state.stopping.as_ref().map_or_else(Verdict::held, |(_, why)| because_of_stop(state, why));
    let steps = state.plan.steps.iter().zip(&state.steps).map(|(planned, step)| match step.effective {
        Some(_) => Verdict::held(),
        None => Verdict::unknown(format!("{} was not seen to take effect", planned.fault)),
    });
    let signals = Case::judged(state).map(|case| signal(&case)).filter(|found| !is_consequence(found, state));
    // A run that was stopped has too little data everywhere: the stop says it all, but for what was seen to break.
    let says_more = |found: &Verdict| stopped == Verdict::held() || found.kind == VerdictKind::Broken;
    steps.chain(signals).filter(says_more).fold(stopped.clone(), Verdict::merge)
}

/// Whether a signal says nothing because no fault had an effect, which is said of the faults themselves.
fn is_consequence(found: &Verdict, state: &State) -> bool {
    let said = !state.plan.steps.is_empty() && state.steps.iter().all(|step| step.effective.is_none());
    said && found.kind == VerdictKind::Unknown && found.reasons.iter().all(|reason| reason.ends_with(NOT_AT_WORK))
}

/// How far the clock of this machine is off the account's, in words.
pub fn clock_off(by_secs: i64) -> String {
    let side = if by_secs > 0 { "ahead of" } else { "behind" };
    format!("the clock of this machine is {} s {side} the account's", by_secs.abs())
}

fn because_of_stop(state: &State, why: &Stop) -> Verdict {
    let change = |id: &ChangeId| state.plan.changes.get(id).map_or_else(String::new, |c| c.setting.describe());
    match why {
        Stop::Broken { .. } => Verdict::held(),
        Stop::Suspected { signal, .. } => {
            let title = state.plan.signals.get(*signal).map_or("a signal", |signal| signal.title.as_str());
            Verdict::unknown(format!(
                "stopped because `{title}` seemed to break by provisional values; the final values do not confirm it"
            ))
        }
        Stop::Baseline { why } | Stop::BeganBefore { why } => Verdict::unknown(why.clone()),
        Stop::AbortCondition { title, value } => {
            let at = state.plan.met_at(title, *value);
            Verdict::unknown(format!("stopped by the abort condition `{title}` at {at}"))
        }
        Stop::Blind { what, since } => {
            Verdict::unknown(format!("stopped because {what} could not be measured since {since}"))
        }
        Stop::TooLong => {
            Verdict::unknown(format!("stopped after {}, the longest the run may take", state.plan.longest))
        }
        Stop::Signal { name } => Verdict::unknown(format!("stopped by {name}")),
        Stop::Asked { by } => Verdict::unknown(format!("stopped by {by}")),
        Stop::Failed { change: id, why } => Verdict::unknown(format!("{} could not be changed: {why}", change(id))),
        Stop::NotArmed { why } => Verdict::unknown(format!("the dead-man switch could not be armed: {why}")),
        Stop::Drifted { change: id, .. } => {
            Verdict::unknown(format!("others changed the {} during the run", change(id)))
        }
        Stop::Overslept { late_secs } => Verdict::unknown(format!("squall was suspended for {late_secs} s")),
        Stop::ClockJumped { by_secs } => {
            Verdict::unknown(format!("this machine's clock jumped by {by_secs} s during the run"))
        }
        Stop::ClockOff { by_secs } => Verdict::unknown(clock_off(*by_secs)),
        Stop::LeaseLost { since } => {
            Verdict::unknown(format!("stopped because the lease on its locks could not be renewed since {since}"))
        }
        Stop::Journal { why } => Verdict::unknown(format!("the journal could not be written: {why}")),
        Stop::NotEffective { step } => {
            let fault = state.plan.steps.get(*step).map(|s| s.fault.to_string()).unwrap_or_default();
            Verdict::unknown(format!("{fault} was not seen to take effect"))
        }
        Stop::RollsBack { run } => Verdict::unknown(format!("a later rollback of {run}, without a verdict")),
        Stop::Died => Verdict::unknown("the process running it ended unexpectedly"),
    }
}

/// What one signal says, whatever becomes of the run.
fn signal(case: &Case<'_>) -> Verdict {
    let judgement = case.judgement();
    let reason = || format!("`{}` {}", case.planned().title, judgement.why);
    match judgement.kind {
        VerdictKind::Held => Verdict::held(),
        VerdictKind::Unknown => Verdict::unknown(reason()),
        VerdictKind::Broken => Verdict::broken(reason()),
    }
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
            what: match &emission.cleanup {
                Cleanup::Sweep { dead_letter, .. } => {
                    format!("messages {} of this run may still be in it or in {dead_letter}", numbers(&not_found))
                }
                Cleanup::LeaveInQueue => format!("messages {} of this run may still be in it", numbers(&not_found)),
            },
            remedy: format!(
                "search for messages with the attribute squall-run={}, then run `squall undo {}`",
                state.plan.origin(),
                state.plan.origin()
            ),
        })
    });
    changes.chain(messages).collect()
}

fn left_change(state: &State, id: ChangeId, change: &Change, life: &Life) -> Option<Left> {
    let what = match &life.settled {
        Some((_, Settled::Restored | Settled::AlreadyBefore | Settled::ResourceGone)) => return None,
        Some((_, Settled::Theirs { found })) => {
            format!("{}: others set it to {found}; left alone", change.setting)
        }
        Some((_, Settled::Contested { found, other })) => {
            let [found, other] = [found, other].map(|value| change.setting.shown(value));
            format!("{}: something else keeps changing it, between {found} and {other}", change.setting)
        }
        Some((_, Settled::Published { versions: found })) => {
            format!(
                "{} are rolled back, but {}, published by others during the run, keeps them",
                change.setting,
                versions(found)
            )
        }
        Some((_, Settled::Deleted)) => {
            let before = change.setting.shown(&change.before);
            format!("{}: its resource was deleted by others; it was {before} before", change.setting)
        }
        Some((_, Settled::Left { why })) => format!("{}: {why}", change.setting),
        None if !life.outstanding() => return None,
        None => format!("{}: not rolled back", change.setting),
    };
    if let Some((_, Settled::Published { .. })) = &life.settled {
        let remedy = format!(
            "publish a version without them, move the aliases to it and delete this one; then squall acknowledge {} \
             --reason TEXT",
            state.plan.origin()
        );
        return Some(Left { resource: change.setting.resource().clone(), what, remedy });
    }
    let remedy = match change.setting.is_lock() || matches!(life.outcome, Some(WriteOutcome::Unknown(_))) {
        true => format!("squall undo {}", state.plan.origin()),
        false => format!("squall undo {} --change {}", state.plan.run, id.0),
    };
    Some(Left { resource: change.setting.resource().clone(), what, remedy })
}

/// `version 7`, `versions 7, 8`.
pub fn versions(names: &[String]) -> String {
    format!("version{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", "))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::account::{Location, Metric, Query, Resource, ResourceKind, Sample, Window};
    use crate::ids::RunId;
    use crate::judge::bound::Bound;
    use crate::judge::weighing::Alpha;
    use crate::plan::{DuringFault, Plan, SignalPlan};
    use crate::run::event::Phase;
    use crate::run::state::{SignalState, SignalWindow, StepState};
    use crate::units::{Share, Span, Time};

    const MINUTE: Span = Span::from_mins(1);

    fn minute(n: i64) -> Time {
        Time::EPOCH + MINUTE * n
    }

    fn planned(bound: Bound, during_fault: DuringFault) -> SignalPlan {
        let resource = Resource::new(&Location::sandbox(), ResourceKind::Queue, "orders");
        SignalPlan {
            hypothesis: "steady".into(),
            title: "depth of orders".into(),
            query: Query { metric: Metric::Depth, resource },
            settles: Span::ZERO,
            bound,
            every: MINUTE,
            tolerating: Share::percent(5),
            must_catch: Share::ALL,
            stop_at: None,
            control: None,
            during_fault,
        }
    }

    /// Baseline minutes 0 to 5, fault from 5 to 10, gone at 10; one value a minute.
    fn state(signal: SignalPlan, values: &[Option<f64>]) -> State {
        let seen = |(n, value): (i64, &Option<f64>)| {
            let phase = match n {
                0..5 => Phase::Baseline,
                5..10 => Phase::Fault,
                _ => Phase::Recovery,
            };
            let breaks = value.is_some_and(|value| !signal.bound.holds(value));
            let window = Window { from: minute(n), to: minute(n + 1) };
            SignalWindow { phase, window, sample: Sample { value: *value, of: None }, own: 0, breaks }
        };
        let windows = (0..).zip(values).map(seen).collect();
        let plan = Plan {
            run: RunId("run".into()),
            rolls_back: None,
            title: String::new(),
            because: String::new(),
            file: String::new(),
            file_hash: String::new(),
            inputs: BTreeMap::new(),
            accounts: Vec::new(),
            made_at: Time::EPOCH,
            seed: 0,
            baseline: MINUTE * 5,
            baseline_at_most: MINUTE * 15,
            recovers_within: MINUTE * 3,
            alpha: Alpha::USUAL,
            longest: MINUTE * 60,
            changes: BTreeMap::new(),
            steps: Vec::new(),
            signals: vec![signal],
            stops: Vec::new(),
            load: Vec::new(),
            watches: Vec::new(),
            switches: Vec::new(),
            permissions: Vec::new(),
            warnings: Vec::new(),
        };
        let effective = StepState { effective: Some(minute(5)), ..Default::default() };
        State {
            plan: Arc::new(plan),
            started: Time::EPOCH,
            entered: BTreeMap::from([
                (Phase::Baseline, minute(0)),
                (Phase::Fault, minute(5)),
                (Phase::Rollback, minute(10)),
            ]),
            lives: BTreeMap::new(),
            steps: vec![effective],
            signals: vec![SignalState { windows, broken: None }],
            switches: Vec::new(),
            loaded: Vec::new(),
            stopping: None,
            hindered: None,
            extended: None,
            look_again: None,
            gone: Some(minute(10)),
            closed: None,
            last: minute(30),
        }
    }

    fn values(fault: &[Option<f64>; 5], recovery: &[f64]) -> Vec<Option<f64>> {
        let recovery = recovery.iter().map(|value| Some(*value));
        [Some(0.0); 5].into_iter().chain(*fault).chain(recovery).collect()
    }

    #[test]
    fn held_takes_enough_windows_with_data() {
        let at = |fault: &[Option<f64>; 5], recovery: &[f64]| {
            verdict(&state(planned(Bound::AtMost(5.0), DuringFault::MustHold), &values(fault, recovery)))
        };
        assert_eq!(at(&[Some(1.0); 5], &[0.0; 8]), Verdict::held());
        let (some, none) = (Some(1.0), None);
        for (fault, recovery, why) in [
            ([none; 5], 8, "has no data in the 5 windows during the faults"),
            ([some, some, none, none, none], 8, "too little data to call it held"),
            ([some; 5], 2, "was not seen steady after the faults ended"),
        ] {
            let unknown = at(&fault, &vec![0.0; recovery]);
            assert_eq!(unknown.kind, VerdictKind::Unknown);
            assert!(unknown.reasons.iter().any(|reason| reason.contains(why)), "{why}: {unknown:?}");
        }
    }

    #[test]
    fn what_may_break_must_recover_in_time() {
        let at = |recovery: &[f64]| {
            let signal = planned(Bound::AtMost(5.0), DuringFault::MayBreak);
            verdict(&state(signal, &values(&[Some(99.0); 5], recovery))).kind
        };
        // Steady from minute 12 on: two minutes after the fault was gone, of three.
        assert_eq!(at(&[99.0, 99.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]), VerdictKind::Held);
        assert_eq!(at(&[99.0; 10]), VerdictKind::Broken);
        // Still outside in two of the windows after that, which is too little evidence of either.
        assert_eq!(at(&[99.0, 99.0, 99.0, 99.0, 99.0, 0.0, 0.0, 0.0, 0.0, 0.0]), VerdictKind::Unknown);
        // Not watched to the end: it is not known.
        assert_eq!(at(&[99.0, 99.0]), VerdictKind::Unknown);
    }

    #[test]
    fn a_fault_that_was_not_seen_is_never_a_pass() {
        let signal = planned(Bound::AtMost(5.0), DuringFault::MustHold);
        let mut state = state(signal, &values(&[Some(1.0); 5], &[0.0; 5]));
        state.steps[0].effective = None;
        assert_eq!(verdict(&state).kind, VerdictKind::Unknown);
    }

    #[test]
    fn numbers_read_as_ranges() {
        assert_eq!(numbers(&[1, 2, 3, 7, 9, 10]), "1-3, 7, 9-10");
    }
}
