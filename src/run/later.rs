//! A later rollback of a closed run: what its journal begins with. The run's own journal is never changed.

use std::collections::BTreeSet;

use super::event::{Event, Recorded, WriteOutcome};
use super::state::{State, StepState};
use crate::account::{Resource, SendOutcome};
use crate::ids::RunId;
use crate::plan::{ChangeId, Evidence, Plan, Step};
use crate::units::{Span, Time};

/// The beginning of the journal `key`: the run's changes and messages on these resources that may be in the account, by what is
/// known after the run. Each is in doubt as of its last write. Changes keep their numbers.
pub fn journal_of(key: RunId, state: &State, resources: &BTreeSet<Resource>, by: &str, now: Time) -> Vec<Recorded> {
    let plan = plan_of(key, state, resources, now);
    let mut events = Vec::new();
    for id in plan.changes.keys() {
        let Some(life) = state.lives.get(id) else { continue };
        let at = life.last_write().unwrap_or(now);
        events.push((at, Event::Changing { change: *id }));
        if life.may_land().is_none() {
            events.push((at, Event::Changed { change: *id, outcome: WriteOutcome::Applied }));
        }
    }
    for (switch, armed) in plan.switches.iter().enumerate() {
        events.push((now, Event::Arming { switch }));
        events.push((now, Event::Armed { switch, until: armed.until }));
    }
    for (step, (planned, known)) in plan.steps.iter().zip(&state.steps).enumerate() {
        if planned.emission.is_some() {
            messages(step, known, now, &mut events);
        }
    }
    let started = Event::Started { by: by.to_owned(), version: env!("CARGO_PKG_VERSION").into(), plan: Box::new(plan) };
    let numbered = std::iter::once((now, started)).chain(events).zip(1_u64..);
    numbered.map(|((at, event), seq)| Recorded { seq, at, event }).collect()
}

fn plan_of(key: RunId, state: &State, resources: &BTreeSet<Resource>, now: Time) -> Plan {
    let origin = state.plan.origin().clone();
    let may_be_there = |id: &ChangeId| {
        let life = state.lives.get(id);
        life.is_some_and(|life| life.intended.is_some() && (life.settled.is_some() || life.outstanding()))
    };
    let mut plan = Plan::clone(&state.plan);
    plan.changes.retain(|id, change| resources.contains(change.setting.resource()) && may_be_there(id));
    // A switch is stopped when nothing is left for it: what is not rolled back here has to be out.
    let out = |id: &ChangeId| {
        let life = state.lives.get(id);
        plan.changes.contains_key(id) || !life.is_some_and(|life| life.outstanding() || life.is_left())
    };
    let switches = plan.switches.iter().zip(&state.switches);
    let switches = switches.filter(|(switch, known)| known.is_out() && switch.changes.iter().all(out));
    plan.switches = switches.map(|(switch, _)| switch.clone()).collect();
    let sought = |step: &Step, known: &StepState| {
        let emission = step.emission.as_ref().filter(|emission| resources.contains(&emission.queue))?;
        let account = known.sends.accounted.as_ref();
        let missing = account.is_some_and(|account| account.left > 0 || !account.not_found.is_empty());
        (missing || known.sends.owed()).then(|| emission.clone())
    };
    let steps = plan.steps.iter().zip(&state.steps).map(|(step, known)| Step {
        changes: step.changes.iter().copied().filter(|id| plan.changes.contains_key(id)).collect(),
        emission: sought(step, known),
        evidence: Evidence { expect: String::new(), any: Vec::new(), logs: None, within: Span::ZERO },
        ..step.clone()
    });
    let steps = steps.collect();
    Plan {
        run: key,
        because: format!("a later rollback of {origin}"),
        rolls_back: Some(origin),
        made_at: now,
        steps,
        signals: Vec::new(),
        stops: Vec::new(),
        load: Vec::new(),
        watches: Vec::new(),
        warnings: Vec::new(),
        ..plan
    }
}

/// Each message that the run sent, or may have, with what is known of it.
fn messages(step: usize, known: &StepState, now: Time, events: &mut Vec<(Time, Event)>) {
    let sends = &known.sends;
    let at = sends.last_at.unwrap_or(now);
    let numbers: BTreeSet<u32> = sends.accepted.union(&sends.unknown).copied().collect();
    for number in numbers {
        events.push((at, Event::Sending { step, first: number, last: number }));
        if sends.accepted.contains(&number) {
            let outcomes = Ok(vec![SendOutcome::Accepted]);
            events.push((at, Event::Sent { step, first: number, last: number, outcomes }));
        }
        if sends.sweeping.contains(&number) {
            events.push((at, Event::Sweeping { step, number }));
        }
        if sends.swept.contains(&number) {
            events.push((at, Event::Swept { step, number }));
        }
    }
}
