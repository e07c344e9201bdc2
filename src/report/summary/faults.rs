//! What the faults did: their steps on the timeline, the messages they sent, and the requests that squall made.

use std::collections::BTreeMap;

use crate::account::Resource;
use crate::ids::FaultName;
use crate::plan::{ChangeId, Cleanup};
use crate::report::words;
use crate::run::event::{Event, MessageAccount};
use crate::run::state::{Sends, State};
use crate::units::{Rate, Span, Time};

/// One fault on the timeline: planned, and done.
#[derive(Clone, Debug, PartialEq)]
pub struct StepStory {
    /// From 1.
    pub number: usize,
    pub fault: FaultName,
    pub summary: String,
    /// Everything that feels it.
    pub hits: Vec<Resource>,
    pub changes: Vec<ChangeId>,
    /// From the end of the accepted baseline.
    pub planned_at: Span,
    pub planned_to_last: Span,
    pub began: Option<Time>,
    /// When its rollback began: its first inverse, or the end of its sends.
    pub undo_began: Option<Time>,
    /// When its last change was settled, or its messages accounted for.
    pub undone: Option<Time>,
    pub evidence: EvidenceStory,
}

/// Whether a fault was seen to work.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceStory {
    /// What would show it.
    pub expect: String,
    pub within: Span,
    pub found: Effect,
    pub seen: Option<String>,
    pub since: Option<Time>,
}

/// What the evidence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The fault never went in.
    NotTried,
    /// It is in, and nothing was seen yet.
    Waiting,
    Seen,
    /// There is nothing more to see.
    NotSeen,
}

/// The messages of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageStory {
    pub step: usize,
    pub queue: Resource,
    pub planned: usize,
    /// Where they are looked for afterwards, and `None` when they may stay.
    pub dead_letter: Option<Resource>,
    pub account: MessageAccount,
    /// How the sweep ended; absent while it has not.
    pub ended: Option<String>,
}

/// Requests that squall made.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadStory {
    pub target: Resource,
    pub from: Rate,
    pub to: Rate,
    pub at_most: u32,
    pub requests: u64,
    pub failed: u64,
}

/// What the state does not keep of the events.
#[derive(Debug, Default)]
pub struct Tries {
    seen: BTreeMap<usize, String>,
    inverse: BTreeMap<ChangeId, Time>,
    last_send: BTreeMap<usize, Time>,
    accounted: BTreeMap<usize, (Time, String)>,
    load: BTreeMap<usize, (u64, u64)>,
}

impl Tries {
    /// Takes in an event; those that are not about a fault or a load do nothing.
    pub fn take(&mut self, at: Time, event: &Event) {
        match event {
            Event::Effective { step, seen, .. } => {
                self.seen.entry(*step).or_insert_with(|| words::one_line(seen));
            }
            Event::Restoring { change, .. } => {
                self.inverse.entry(*change).or_insert(at);
            }
            Event::Sent { step, .. } => {
                self.last_send.insert(*step, at);
            }
            Event::Accounted { step, why, .. } => {
                self.accounted.insert(*step, (at, words::one_line(why)));
            }
            Event::Loaded { load, requests, failed } => {
                let (all, bad) = self.load.entry(*load).or_default();
                *all += u64::from(*requests);
                *bad += u64::from(*failed);
            }
            _ => {}
        }
    }
}

/// The steps, in the order of the plan.
pub fn steps(state: &State, tries: &Tries) -> Vec<StepStory> {
    let tell = |(index, (plan, lived)): (usize, (&crate::plan::Step, &crate::run::state::StepState))| {
        let settled: Vec<Option<Time>> = plan
            .changes
            .iter()
            .filter_map(|id| state.lives.get(id))
            .filter(|life| life.intended.is_some())
            .map(|life| life.settled.as_ref().map(|(at, _)| *at))
            .collect();
        // Nought changes are not yet rolled back changes.
        let changes_undone = if settled.is_empty() { None } else { settled.into_iter().collect::<Option<Vec<_>>>() };
        let accounted = tries.accounted.get(&index).map(|(at, _)| *at).filter(|_| !lived.sends.owed());
        let first_inverse = plan.changes.iter().filter_map(|id| tries.inverse.get(id)).min().copied();
        let sends_ended = plan.emission.as_ref().and_then(|_| tries.last_send.get(&index)).copied();
        StepStory {
            number: index + 1,
            fault: plan.fault.clone(),
            summary: words::one_line(&plan.summary),
            hits: plan.hits.clone(),
            changes: plan.changes.clone(),
            planned_at: plan.at,
            planned_to_last: plan.lasts,
            began: lived.began,
            undo_began: first_inverse.or(sends_ended),
            undone: changes_undone.and_then(|times| times.into_iter().max()).max(accounted),
            evidence: EvidenceStory {
                expect: words::one_line(&plan.evidence.expect),
                within: plan.evidence.within,
                found: match (lived.effective, lived.not_effective || state.closed.is_some(), lived.began) {
                    (Some(_), ..) => Effect::Seen,
                    (None, true, Some(_)) => Effect::NotSeen,
                    (None, true, None) if lived.not_effective => Effect::NotSeen,
                    (None, false, Some(_)) => Effect::Waiting,
                    (None, _, None) => Effect::NotTried,
                },
                seen: tries.seen.get(&index).cloned(),
                since: lived.effective,
            },
        }
    };
    state.plan.steps.iter().zip(&state.steps).enumerate().map(tell).collect()
}

/// The messages of every step that sends some.
pub fn messages(state: &State, tries: &Tries) -> Vec<MessageStory> {
    let steps = state.plan.steps.iter().zip(&state.steps).enumerate();
    steps
        .filter_map(|(index, (plan, lived))| {
            let emission = plan.emission.as_ref()?;
            Some(MessageStory {
                step: index + 1,
                queue: emission.queue.clone(),
                planned: emission.bodies.len(),
                dead_letter: match &emission.cleanup {
                    Cleanup::Sweep { dead_letter, .. } => Some(dead_letter.clone()),
                    Cleanup::LeaveInQueue => None,
                },
                account: lived.sends.accounted.clone().unwrap_or_else(|| so_far(&lived.sends)),
                ended: tries.accounted.get(&index).map(|(_, why)| why.clone()),
            })
        })
        .collect()
}

/// What is known of messages that nobody has accounted for yet.
fn so_far(sends: &Sends) -> MessageAccount {
    let count = |numbers: &std::collections::BTreeSet<u32>| u32::try_from(numbers.len()).unwrap_or(u32::MAX);
    MessageAccount {
        accepted: count(&sends.accepted),
        refused: count(&sends.refused),
        unknown: count(&sends.unknown),
        swept: count(&sends.swept),
        ..MessageAccount::default()
    }
}

/// The loads, in the order of the plan.
pub fn load(state: &State, tries: &Tries) -> Vec<LoadStory> {
    let tell = |(index, plan): (usize, &crate::plan::LoadPlan)| {
        let (requests, failed) = tries.load.get(&index).copied().unwrap_or_default();
        LoadStory { target: plan.target.clone(), from: plan.from, to: plan.to, at_most: plan.at_most, requests, failed }
    };
    state.plan.load.iter().enumerate().map(tell).collect()
}
