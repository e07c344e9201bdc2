//! Messages: sent once each, announced before; afterwards swept from the dead-letter queue and accounted for.
//!
//! Invariant: a number that was announced is never sent again. Never is a message received from a source queue.

use std::collections::BTreeSet;

use super::super::event::{Event, MessageAccount};
use super::super::in_flight::CallPurpose;
use super::super::machine::{Machine, Precondition};
use super::super::state::{Sends, State, StepState};
use crate::account::description::QueueDescription;
use crate::account::{
    Call, CallError, Description, Handle, Message, Metric, Outcome, Query, Received, Reply, Resource, RunMarker,
    Sample, Window,
};
use crate::plan::{Cleanup, Emission, LATE_SEND};
use crate::units::{Span, Time};

/// For how long a received message is hidden while the sweep decides about it.
const HIDE: Span = Span::from_secs(30);
/// Between two looks at a dead-letter queue that was empty.
const LOOK_AGAIN: Span = Span::from_secs(15);
/// How long after the last message should have arrived the sweep goes on while the source queue is not empty.
const PATIENCE: Span = Span::from_mins(10);

/// What the machine remembers of a sweep.
#[derive(Clone, Debug, Default)]
pub(in crate::run) struct Sweep {
    not_before: Time,
    inspected: bool,
    /// Received, and not yet deleted or released.
    pending: Vec<Received>,
    foreign: BTreeSet<String>,
    /// A look goes on: it ends when nothing visible is left. A look that stopped at the first messages would find the same
    /// ones again, and never what lies behind them.
    looking: bool,
    /// Whether this look found a message of ours.
    found: bool,
    /// Others' messages, hidden until this look is over.
    held: Vec<Handle>,
    /// Looks in a row that found nothing of ours.
    empty: u32,
    /// Until then a look without an answer may still land and hide messages.
    doubt: Time,
    /// What the queues hold that a message can come from, one count each, as far as asked.
    counts: Vec<f64>,
}

/// Where a message of ours can be besides visible in the dead-letter queue: three times in the source queue, and hidden in
/// the dead-letter queue by a sweep that died.
const ELSEWHERE: usize = 4;

fn elsewhere(emission: &Emission, dead_letter: &Resource, nth: usize) -> Option<Query> {
    let (metric, resource) = match nth {
        0 => (Metric::Depth, &emission.queue),
        1 => (Metric::InFlight, &emission.queue),
        2 => (Metric::Delayed, &emission.queue),
        3 => (Metric::InFlight, dead_letter),
        _ => return None,
    };
    Some(Query { metric, resource: resource.clone() })
}

/// Whether messages sent to, or swept from, this resource are still to be accounted for, or were left.
pub(super) fn owes(state: &State, resource: &Resource) -> bool {
    state.plan.steps.iter().zip(&state.steps).any(|(planned, step)| {
        let Some(emission) = &planned.emission else { return false };
        let swept = matches!(&emission.cleanup, Cleanup::Sweep { dead_letter, .. } if dead_letter == resource);
        (&emission.queue == resource || swept) && (step.sends.owed() || lost(step))
    })
}

/// Whether messages of any step were not found again.
pub(super) fn lost_some(state: &State) -> bool {
    state.steps.iter().any(lost)
}

fn lost(step: &StepState) -> bool {
    step.sends.accounted.as_ref().is_some_and(|account| !account.not_found.is_empty())
}

impl Machine {
    /// Sends what is due of a step's messages.
    pub(super) fn advance_sends(&mut self, step: usize) {
        let plan = self.state.plan.clone();
        let Some(emission) = plan.steps.get(step).and_then(|s| s.emission.as_ref()) else { return };
        let Some(known) = self.state.steps.get(step) else { return };
        let sent = known.sends.next.saturating_sub(emission.first);
        let count = u32::try_from(emission.bodies.len()).unwrap_or(u32::MAX);
        if sent >= count
            || !self.may_inject()
            || self.calls.values().any(|a| matches!(a, CallPurpose::Send { step: s, .. } if *s == step))
        {
            return;
        }
        let due = known.began.unwrap_or(self.now) + emission.interval * i64::from(sent);
        if self.now < due {
            return self.wake_by(due);
        }
        let at_once = if emission.interval == Span::ZERO { 10.min(count - sent) } else { 1 };
        let (first, last) = (known.sends.next, known.sends.next + at_once - 1);
        let messages = (first..=last).filter_map(|number| self.message(emission, number)).collect();
        self.record(Event::Sending { step, first, last });
        let call = Call::Send { queue: emission.queue.clone(), messages };
        self.call(CallPurpose::Send { step, first, last }, call, Precondition::Durable);
    }

    fn message(&self, emission: &Emission, number: u32) -> Option<Message> {
        let body = emission.bodies.get(usize::try_from(number - emission.first).ok()?)?.clone();
        let marker = RunMarker { run: self.state.plan.run.clone(), number };
        Some(Message { marker, body, group: emission.group.clone() })
    }

    pub(in crate::run) fn sent(&mut self, step: usize, first: u32, last: u32, outcome: Outcome) {
        let outcomes = match outcome {
            Ok(Reply::Sent(outcomes)) => Ok(outcomes),
            Ok(_) => Err(CallError::Unknown("the account gave an unexpected kind of answer".into())),
            Err(error) => Err(error),
        };
        self.record(Event::Sent { step, first, last, outcomes });
    }

    /// Accounts for the messages of every step that is over.
    pub(in crate::run) fn advance_emissions(&mut self) {
        for step in self.state.unaccounted().collect::<Vec<_>>() {
            let sending = self.calls.values().any(|a| matches!(a, CallPurpose::Send { step: s, .. } if *s == step));
            if self.step_is_over(step) && !sending {
                self.advance_sweep(step);
            }
        }
    }

    fn advance_sweep(&mut self, step: usize) {
        let plan = self.state.plan.clone();
        let Some(emission) = plan.steps.get(step).and_then(|s| s.emission.as_ref()) else { return };
        let dead_letter = match &emission.cleanup {
            Cleanup::LeaveInQueue => {
                return self.account_for(step, false, "the experiment lets them remain in the queue");
            }
            Cleanup::Sweep { dead_letter, .. } => dead_letter,
        };
        if self.calls.values().any(|purpose| purpose.sweeps(step)) {
            return;
        }
        let (now, Some(sweep)) = (self.now, self.sweeps.get_mut(step)) else { return };
        if let Some(received) = sweep.pending.pop() {
            return self.decide_about(step, dead_letter, received);
        }
        if !sweep.looking
            && let Some(handle) = sweep.held.pop()
        {
            return self.release(step, dead_letter.clone(), handle);
        }
        let due = sweep.not_before;
        if now < due {
            return self.wake_by(due);
        }
        if !sweep.inspected {
            return self.call(
                CallPurpose::Inspect(step),
                Call::Describe { resource: dead_letter.clone() },
                Precondition::Nothing,
            );
        }
        let ends = self.sweep_ends(step, emission);
        let Some(sweep) = self.sweeps.get_mut(step) else { return };
        match ends {
            Some(_) if !sweep.held.is_empty() => {
                sweep.looking = false;
                return self.advance_sweep(step);
            }
            Some((whole, why)) => return self.account_for(step, whole, &why),
            None => {}
        }
        let counting = !sweep.looking && now >= sweep.doubt && (sweep.empty >= 1 || !sweep.counts.is_empty());
        match elsewhere(emission, dead_letter, sweep.counts.len()) {
            Some(query) if counting && self.late(step, emission) => {
                let window = Window { from: now - Span::from_secs(1), to: now };
                self.call(CallPurpose::SourceCount(step), Call::Measure { query, window }, Precondition::Nothing);
            }
            _ => {
                let call = Call::Receive { queue: dead_letter.clone(), hide: HIDE };
                self.call(CallPurpose::Receive(step), call, Precondition::Nothing);
            }
        }
    }

    /// A message of this run is deleted; any other is kept aside, to be made visible again when the look is over.
    fn decide_about(&mut self, step: usize, dead_letter: &Resource, received: Received) {
        let queue = dead_letter.clone();
        match received.marker {
            Some(RunMarker { run, number }) if run == *self.state.plan.origin() => {
                let owner = self.step_of(number).unwrap_or(step);
                self.record(Event::Sweeping { step: owner, number });
                let call = Call::DeleteMessage { queue, handle: received.handle };
                self.call(CallPurpose::DeleteMessage { step, number }, call, Precondition::Tried);
            }
            _ => {
                if let Some(sweep) = self.sweeps.get_mut(step) {
                    sweep.foreign.insert(received.id);
                    sweep.held.push(received.handle);
                }
                self.advance_sweep(step);
            }
        }
    }

    fn release(&mut self, step: usize, queue: Resource, handle: Handle) {
        self.call(CallPurpose::ReleaseMessage(step), Call::ReleaseMessage { queue, handle }, Precondition::Tried);
    }

    fn step_of(&self, number: u32) -> Option<usize> {
        self.state.plan.steps.iter().position(|step| {
            step.emission
                .as_ref()
                .is_some_and(|e| number >= e.first && u64::from(number) < u64::from(e.first) + e.bodies.len() as u64)
        })
    }

    /// Whether every message should have arrived by now.
    fn late(&self, step: usize, emission: &Emission) -> bool {
        let Some(sends) = self.state.steps.get(step).map(|s| &s.sends) else { return true };
        let Cleanup::Sweep { arrives_within, .. } = &emission.cleanup else { return true };
        let slack = if sends.unknown.is_empty() { Span::ZERO } else { LATE_SEND };
        self.now >= sends.last_at.unwrap_or(self.now) + *arrives_within + slack
    }

    /// Whether the sweep ends here; `true` when the source queue was seen empty, so that what is missing was consumed.
    fn sweep_ends(&self, step: usize, emission: &Emission) -> Option<(bool, String)> {
        let Cleanup::Sweep { foreign_limit, arrives_within, .. } = &emission.cleanup else { return None };
        let (sends, sweep) = (&self.state.steps.get(step)?.sends, self.sweeps.get(step)?);
        let missing = missing(sends);
        if missing.is_empty() {
            return Some((true, "every message was found and deleted".into()));
        }
        // A message without an answer counts as one that may never have been sent, once nothing can arrive any more.
        if sweep.foreign.len() > usize::try_from(*foreign_limit).unwrap_or(usize::MAX) {
            return Some((false, format!("the dead-letter queue holds more than {foreign_limit} messages of others")));
        }
        let empty = sweep.counts.iter().all(|count| *count <= 0.0);
        // Counted empty, and looked for twice since: what was on its way then would be visible now.
        if empty && sweep.counts.len() == ELSEWHERE && sweep.empty >= 2 {
            return Some((true, "the source queue ran empty".into()));
        }
        if !empty && self.now >= self.looked_long_enough(sends, *arrives_within) {
            return Some((false, "the source queue did not run empty in time".into()));
        }
        None
    }

    /// When a sweep that did not find everything ends; one that another process began begins anew.
    fn looked_long_enough(&self, sends: &Sends, arrives_within: Span) -> Time {
        let arrived = sends.last_at.unwrap_or(self.state.started) + arrives_within;
        arrived.max(self.rollback_since.unwrap_or(Time::EPOCH)) + LATE_SEND + PATIENCE
    }

    pub(in crate::run) fn inspected(&mut self, step: usize, outcome: Outcome) {
        let now = self.now;
        let found = match outcome {
            Ok(Reply::Description(description)) => match *description {
                Description::Queue(queue) => Some(queue),
                _ => None,
            },
            Err(CallError::Gone(_)) => return self.account_for(step, false, "the dead-letter queue does not exist"),
            _ => None,
        };
        let Some(sweep) = self.sweeps.get_mut(step) else { return };
        match found.as_ref().map(unsafe_to_sweep) {
            None => sweep.not_before = now + Span::from_secs(5),
            Some(None) => sweep.inspected = true,
            Some(Some(why)) => self.account_for(step, false, why),
        }
        self.give_up_sweep(step);
    }

    pub(in crate::run) fn received(&mut self, step: usize, outcome: Outcome) {
        let now = self.now;
        let Some(sweep) = self.sweeps.get_mut(step) else { return };
        match outcome {
            Ok(Reply::Received(messages)) if messages.is_empty() => {
                sweep.empty = if sweep.found { 0 } else { sweep.empty + 1 };
                (sweep.looking, sweep.found) = (false, false);
                sweep.not_before = (now + LOOK_AGAIN).max(sweep.doubt);
            }
            Ok(Reply::Received(messages)) => {
                sweep.looking = true;
                if messages.iter().any(|m| m.marker.as_ref().is_some_and(|k| k.run == *self.state.plan.origin())) {
                    sweep.found = true;
                    sweep.counts.clear();
                }
                sweep.pending = messages;
                sweep.pending.reverse();
                sweep.not_before = now;
            }
            Err(CallError::Throttled | CallError::Refused { .. }) => sweep.not_before = now + Span::from_secs(5),
            // Without an answer it may have hidden messages from the next looks: what was counted says nothing any more.
            _ => {
                sweep.empty = 0;
                sweep.counts.clear();
                sweep.doubt = now + LATE_SEND + HIDE;
                sweep.not_before = now + Span::from_secs(5);
            }
        }
        self.give_up_sweep(step);
    }

    /// A sweep ends even when the dead-letter queue cannot be read or never stops giving.
    fn give_up_sweep(&mut self, step: usize) {
        let plan = self.state.plan.clone();
        let Some(Cleanup::Sweep { arrives_within, .. }) =
            plan.steps.get(step).and_then(|s| s.emission.as_ref()).map(|e| &e.cleanup)
        else {
            return;
        };
        let Some(known) = self.state.steps.get(step) else { return };
        if known.sends.owed() && self.now >= self.looked_long_enough(&known.sends, *arrives_within) + PATIENCE {
            self.account_for(step, false, "the dead-letter queue could not be swept in time");
        }
    }

    pub(in crate::run) fn message_deleted(&mut self, step: usize, number: u32, outcome: Outcome) {
        // Without an answer the message is either gone or seen again, and then deleted again.
        if outcome.is_ok() {
            let owner = self.step_of(number).unwrap_or(step);
            self.record(Event::Swept { step: owner, number });
            self.message_is_evidence(owner, format!("message {number} of this run was in the dead-letter queue"));
        }
    }

    pub(in crate::run) fn source_counted(&mut self, step: usize, outcome: Outcome) {
        let plan = self.state.plan.clone();
        let now = self.now;
        let Some(emission) = plan.steps.get(step).and_then(|s| s.emission.as_ref()) else { return };
        let Some(sweep) = self.sweeps.get_mut(step) else { return };
        match outcome {
            Ok(Reply::Sample(Sample { value: Some(count), .. })) => sweep.counts.push(count),
            _ => sweep.not_before = now + LOOK_AGAIN,
        }
        let full = sweep.counts.iter().any(|count| *count > 0.0);
        if full || sweep.counts.len() == ELSEWHERE {
            sweep.empty = 0;
            sweep.not_before = now + LOOK_AGAIN;
        }
        if full && let Some((whole, why)) = self.sweep_ends(step, emission) {
            return self.account_for(step, whole, &why);
        }
        if full && let Some(sweep) = self.sweeps.get_mut(step) {
            sweep.counts.clear();
        }
        self.give_up_sweep(step);
    }

    /// Ends the sweep of a step with its account. `whole`: nothing of it can be in a queue any more.
    fn account_for(&mut self, step: usize, whole: bool, why: &str) {
        let plan = self.state.plan.clone();
        let Some(emission) = plan.steps.get(step).and_then(|s| s.emission.as_ref()) else { return };
        let (Some(known), Some(sweep)) = (self.state.steps.get(step), self.sweeps.get(step)) else { return };
        let sends = &known.sends;
        let leaves = matches!(emission.cleanup, Cleanup::LeaveInQueue);
        let count = |set: &BTreeSet<u32>| u32::try_from(set.len()).unwrap_or(u32::MAX);
        // Announced for deletion, no answer, and not seen again: deleted.
        let swept: BTreeSet<u32> = match whole {
            true => sends.swept.union(&sends.sweeping).copied().collect(),
            false => sends.swept.clone(),
        };
        let missing: Vec<u32> =
            sends.accepted.union(&sends.unknown).filter(|number| !swept.contains(number)).copied().collect();
        let mut account = MessageAccount {
            accepted: count(&sends.accepted),
            refused: count(&sends.refused),
            unknown: count(&sends.unknown),
            swept: count(&swept),
            foreign: u32::try_from(sweep.foreign.len()).unwrap_or(u32::MAX),
            ..MessageAccount::default()
        };
        match (leaves, whole) {
            (true, _) => account.left = u32::try_from(missing.len()).unwrap_or(u32::MAX),
            (false, true) => account.consumed = missing,
            (false, false) => account.not_found = missing,
        }
        let taken = !account.consumed.is_empty();
        self.record(Event::Accounted { step, account, why: why.to_owned() });
        if taken {
            self.message_is_evidence(
                step,
                "the queue ran empty after the last message was sent: they were taken".into(),
            );
        }
    }
}

/// Messages that were, or may have been, sent and not yet swept.
fn missing(sends: &Sends) -> BTreeSet<u32> {
    sends.accepted.union(&sends.unknown).filter(|number| !sends.swept.contains(number)).copied().collect()
}

fn unsafe_to_sweep(queue: &QueueDescription) -> Option<&'static str> {
    if !queue.consumers.is_empty() {
        Some("the dead-letter queue has a consumer that a sweep would race: stop it, then run `squall undo` again")
    } else if queue.dead_letter.is_some() {
        Some("the dead-letter queue has its own redrive policy, so a sweep would move messages on")
    } else if queue.move_task_running {
        Some("a move task is running on the dead-letter queue: wait until it is done, then run `squall undo` again")
    } else {
        None
    }
}

impl CallPurpose {
    fn sweeps(&self, step: usize) -> bool {
        match self {
            CallPurpose::Inspect(s)
            | CallPurpose::Receive(s)
            | CallPurpose::ReleaseMessage(s)
            | CallPurpose::SourceCount(s) => *s == step,
            CallPurpose::DeleteMessage { step: s, .. } => *s == step,
            _ => false,
        }
    }
}
