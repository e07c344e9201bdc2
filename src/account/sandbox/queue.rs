//! SQS queues: visibility, receive counts, redrive to a dead-letter queue, delay, retention, message groups.
//!
//! Invariant: a message is in exactly one queue, and there visible, in flight or delayed. It moves to the dead-letter
//! queue at the receive that would be one too many, keeping its id and the time it was first sent.
//!
//! What waits and was never received is kept in the `backlog`, without ids.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::backlog::{Backlog, Block};
use super::event::{Event, MessageId};
use super::limit::TokenBucket;
use super::message::{Held, New, Place};
use super::metrics::{Datum, Minute, Minutes, PERIOD};
use super::model::{Model, QueueModel};
use super::reasons::Why;
use super::world::World;
use crate::account::ResourceKind;
use crate::units::{Span, Time};

/// SQS publishes a queue's metrics for so long after its last use, and then nothing
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/monitoring-using-cloudwatch.html>).
const ACTIVE: Span = Span::from_secs(6 * 3600);
/// So many messages of a queue may be in flight; then nothing is received
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html>).
const IN_FLIGHT_AT_MOST: u32 = 120_000;
/// A message received so often goes to the back of the queue, and the age of the oldest message does not see it.
const HIDES_FROM_AGE: u32 = 3;

/// What SQS publishes about a queue for one minute. Counts are of the minute, gauges of its end.
#[derive(Clone, Debug, Default)]
pub(super) struct QueueMinute {
    sent: u32,
    received: u32,
    deleted: u32,
    gauges: Option<Gauges>,
}

#[derive(Clone, Copy, Debug)]
struct Gauges {
    visible: u32,
    in_flight: u32,
    delayed: u32,
    oldest_secs: f64,
}

impl QueueMinute {
    /// Messages at the end of the minute, whatever their state.
    pub fn waiting(&self) -> Option<u32> {
        self.gauges.map(|gauges| gauges.visible + gauges.in_flight + gauges.delayed)
    }
}

impl Minute for QueueMinute {
    fn datum(&self, metric: &str, _: Time) -> Option<Datum> {
        Some(Datum::of(match metric {
            "NumberOfMessagesSent" => f64::from(self.sent),
            "NumberOfMessagesReceived" => f64::from(self.received),
            "NumberOfMessagesDeleted" => f64::from(self.deleted),
            "ApproximateNumberOfMessagesVisible" => f64::from(self.gauges?.visible),
            "ApproximateNumberOfMessagesNotVisible" => f64::from(self.gauges?.in_flight),
            "ApproximateNumberOfMessagesDelayed" => f64::from(self.gauges?.delayed),
            "ApproximateAgeOfOldestMessage" => self.gauges?.oldest_secs,
            _ => return None,
        }))
    }
}

/// A message group: while one of its messages is in flight, no other one is received.
#[derive(Clone, Debug, Default)]
struct Group {
    /// Turns of its visible messages.
    visible: BTreeSet<u64>,
    in_flight: u32,
}

impl Group {
    /// The turn under which it may be received from.
    fn free_at(&self) -> Option<u64> {
        if self.in_flight == 0 { self.visible.first().copied() } else { None }
    }
}

/// An attribute as it was written, and as the queue works with it by now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attribute<T> {
    pub written: T,
    pub works: T,
}

impl<T: Copy> Attribute<T> {
    /// One that nobody changed for long.
    pub fn settled(value: T) -> Attribute<T> {
        Attribute { written: value, works: value }
    }
}

/// A queue as it is now.
#[derive(Clone, Debug, Default)]
pub(super) struct QueueState {
    pub messages: BTreeMap<MessageId, Held>,
    /// Turn to message.
    visible: BTreeMap<u64, MessageId>,
    /// Visible ones that are in neither of these.
    backlog: Backlog,
    turns: u64,
    pub in_flight: u32,
    pub delayed: u32,
    /// How long a new message is hidden.
    pub delay: Attribute<Span>,
    /// Message groups of a FIFO queue that have messages, visible or in flight.
    groups: BTreeMap<Arc<str>, Group>,
    /// Of them those that may be received from, by the turn of their first visible message.
    free_groups: BTreeMap<u64, Arc<str>>,
    retention_planned: bool,
    last_used: Option<Time>,
    /// What is left of the sends that a FIFO queue takes; none for a queue without a limit.
    sends: Option<TokenBucket>,
    pub minutes: Minutes<QueueMinute>,
    /// Messages that came, went or changed since the file was written, when there is one. One that came and went again
    /// meanwhile is not among them.
    touched: Option<BTreeSet<MessageId>>,
}

/// Every queue, in the order of the model.
#[derive(Clone, Debug, Default)]
pub(super) struct Queues {
    pub queues: Vec<QueueState>,
    pub next_message: MessageId,
}

impl Queues {
    /// Empty queues.
    pub fn new(model: &Model) -> Queues {
        let sends = |limit: u32| TokenBucket::full(f64::from(limit), f64::from(limit), Time::EPOCH);
        let empty = |of: &QueueModel| QueueState {
            delay: Attribute::settled(of.spec.delay),
            sends: of.spec.sends_per_second.map(sends),
            ..QueueState::default()
        };
        Queues { queues: model.queues.iter().map(|(_, of)| empty(of)).collect(), next_message: 0 }
    }
}

impl QueueState {
    /// How many messages are visible.
    pub fn depth(&self) -> usize {
        self.visible.len() + self.backlog.len()
    }

    /// What SQS says of the queue at the end of a minute.
    fn gauges(&self, now: Time) -> Gauges {
        let oldest = |but: u32| self.messages.values().filter(|held| held.received < but).map(|held| held.sent).min();
        let oldest =
            [oldest(HIDES_FROM_AGE), self.backlog.oldest()].into_iter().flatten().min().or_else(|| oldest(u32::MAX));
        Gauges {
            visible: self.depth() as u32,
            in_flight: self.in_flight,
            delayed: self.delayed,
            oldest_secs: oldest.map_or(0.0, |sent| now.since(sent).secs_f64()),
        }
    }

    /// The minute that holds `now`, for a use of the queue.
    fn used(&mut self, now: Time) -> &mut QueueMinute {
        self.last_used = Some(now);
        self.minutes.at(now)
    }

    fn touch(&mut self, id: MessageId) {
        if let Some(touched) = &mut self.touched {
            touched.insert(id);
        }
    }

    /// Changes a message group, if the message has one.
    fn regroup(&mut self, group: Option<&Arc<str>>, change: impl FnOnce(&mut Group)) {
        let Some(name) = group else { return };
        let group = self.groups.entry(name.clone()).or_default();
        if let Some(turn) = group.free_at() {
            self.free_groups.remove(&turn);
        }
        change(group);
        if let Some(turn) = group.free_at() {
            self.free_groups.insert(turn, name.clone());
        } else if group.in_flight == 0 {
            self.groups.remove(name);
        }
    }

    fn next_turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    fn show(&mut self, id: MessageId, turn: Option<u64>) {
        self.touch(id);
        let turn = turn.unwrap_or_else(|| self.next_turn());
        self.visible.insert(turn, id);
        let Some(held) = self.messages.get_mut(&id) else { return };
        held.place = Place::Visible(turn);
        let group = held.group.clone();
        self.regroup(group.as_ref(), |group| {
            group.visible.insert(turn);
        });
    }

    /// Takes a message out of the place where it is, so that it is in none.
    fn lift(&mut self, id: MessageId) {
        let Some(held) = self.messages.get(&id) else { return };
        let (place, group) = (held.place, held.group.clone());
        match place {
            Place::Visible(turn) => {
                self.visible.remove(&turn);
                self.regroup(group.as_ref(), |group| {
                    group.visible.remove(&turn);
                });
            }
            Place::Delayed(_) => self.delayed -= 1,
            Place::InFlight { .. } => {
                self.in_flight -= 1;
                self.regroup(group.as_ref(), |group| group.in_flight -= 1);
            }
        }
    }

    /// Counts a message in flight, lifted from where it was.
    fn hide(&mut self, id: MessageId, until: Time, turn: u64) -> u32 {
        self.touch(id);
        let Some(held) = self.messages.get_mut(&id) else { return 0 };
        held.place = Place::InFlight { until, turn };
        held.received += 1;
        let (received, group) = (held.received, held.group.clone());
        self.in_flight += 1;
        self.regroup(group.as_ref(), |group| group.in_flight += 1);
        received
    }

    fn remove(&mut self, id: MessageId) -> Option<Held> {
        self.lift(id);
        let held = self.messages.remove(&id)?;
        if let Some(touched) = &mut self.touched {
            match held.saved {
                true => touched.insert(id),
                false => touched.remove(&id),
            };
        }
        Some(held)
    }

    /// Gives ids to the first messages of the backlog, so that the next `max` visible ones all have one.
    fn surface(&mut self, max: usize, next: &mut MessageId) {
        let Some(first) = self.backlog.first_turn() else { return };
        for _ in self.visible.range(..first).take(max).count()..max {
            let Some((turn, sent)) = self.backlog.take_first() else { return };
            let id = *next;
            *next += 1;
            self.messages.insert(id, Held::plain(sent, Place::Visible(turn)));
            self.visible.insert(turn, id);
            self.touch(id);
        }
    }

    /// The messages that changed since the file was written; those that are gone come with nothing.
    pub fn changed(&self) -> impl Iterator<Item = (MessageId, Option<&Held>)> {
        self.touched.iter().flatten().map(|id| (*id, self.messages.get(id)))
    }

    /// The file knows of every message from now on. The first call begins to keep track of changes.
    pub fn all_saved(&mut self) {
        for id in self.touched.replace(BTreeSet::new()).into_iter().flatten() {
            if let Some(held) = self.messages.get_mut(&id) {
                held.saved = true;
            }
        }
    }

    /// The backlog, to be kept.
    pub fn waiting(&self) -> Vec<Block> {
        self.backlog.blocks()
    }

    /// The next visible messages, at most `max`; none of a group that has others in flight. A FIFO queue gives as many of
    /// one group as it has before it goes on to the next
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html>).
    fn next_visible(&self, max: usize) -> Vec<MessageId> {
        if self.groups.is_empty() {
            return self.visible.values().take(max).copied().collect();
        }
        let groups = self.free_groups.values().filter_map(|name| self.groups.get(name));
        let turns = groups.flat_map(|group| group.visible.iter());
        turns.filter_map(|turn| self.visible.get(turn)).take(max).copied().collect()
    }
}

impl World {
    /// Sends a message in a call of its own. `false`: the queue throttles it, or it is larger than the queue takes.
    pub(super) fn send_message(&mut self, queue: usize, new: New) -> bool {
        let now = self.now;
        let sends = self.queues.queues[queue].sends.as_mut();
        if sends.is_some_and(|sends| !sends.take(now)) {
            self.because(ResourceKind::Queue, queue, Why::SendThrottled);
            return false;
        }
        self.enqueue(queue, new)
    }

    /// Puts a new message into a queue. `false`: it is larger than the queue takes.
    pub(super) fn enqueue(&mut self, queue: usize, new: New) -> bool {
        let of = &self.model.queues[queue];
        if new.size > of.spec.largest {
            self.because(ResourceKind::Queue, queue, Why::RefusedAsTooLarge);
            return false;
        }
        let plain = new.is_plain() && !of.spec.fifo && self.queues.queues[queue].delay.works == Span::ZERO;
        let group = of.group(new.group);
        let state = &mut self.queues.queues[queue];
        state.used(self.now).sent += 1;
        if plain {
            let turn = state.next_turn();
            state.backlog.push(turn, self.now);
            self.plan_retention(queue);
            self.poll_all(queue);
            return true;
        }
        let id = self.queues.next_message;
        self.queues.next_message += 1;
        let New { body, size, marker, chain, .. } = new;
        let place = Place::Delayed(self.now);
        let held = Held { body, size, chain, marker, group, ..Held::plain(self.now, place) };
        self.queues.queues[queue].messages.insert(id, held);
        self.plan_retention(queue);
        match self.queues.queues[queue].delay.works {
            Span::ZERO => self.make_visible(queue, id, None),
            delay => {
                let due = self.now + delay;
                let state = &mut self.queues.queues[queue];
                state.delayed += 1;
                state.touch(id);
                if let Some(held) = state.messages.get_mut(&id) {
                    held.place = Place::Delayed(due);
                }
                self.agenda.at(due, Event::Due { queue: queue as u32, message: id });
            }
        }
        true
    }

    /// A delayed message becomes visible.
    pub(super) fn message_due(&mut self, queue: usize, id: MessageId) {
        let state = &mut self.queues.queues[queue];
        if state.messages.get(&id).is_some_and(|held| matches!(held.place, Place::Delayed(_))) {
            state.lift(id);
            self.make_visible(queue, id, None);
        }
    }

    fn make_visible(&mut self, queue: usize, id: MessageId, turn: Option<u64>) {
        self.queues.queues[queue].show(id, turn);
        self.poll_all(queue);
    }

    /// Something is visible: every mapping of the queue looks.
    fn poll_all(&mut self, queue: usize) {
        let model = self.model.clone();
        for mapping in &model.queues[queue].consumers {
            self.poll(*mapping);
        }
    }

    /// Receives up to `max` messages and hides them for `hide`. What was received too often already moves to the
    /// dead-letter queue in its stead: on the receive after `maxReceiveCount` of them.
    pub(super) fn receive(&mut self, queue: usize, max: usize, hide: Span) -> Vec<MessageId> {
        let model = self.model.clone();
        let spec = &model.queues[queue];
        let limit = spec.spec.redrive.as_ref().map(|redrive| redrive.max_receive_count);
        let room = IN_FLIGHT_AT_MOST.saturating_sub(self.queues.queues[queue].in_flight);
        let max = max.min(room as usize);
        let mut batch = Vec::new();
        while batch.len() < max {
            // A group whose messages move away may free the next one, so look again until nothing is found.
            let Queues { queues, next_message } = &mut self.queues;
            queues[queue].surface(max - batch.len(), next_message);
            let found = queues[queue].next_visible(max - batch.len());
            let mut moved = false;
            for id in &found {
                let state = &mut self.queues.queues[queue];
                let Some(received) = state.messages.get(id).map(|held| held.received) else { continue };
                match (spec.dead_letter, limit) {
                    (Some(dead_letter), Some(limit)) if received >= limit => {
                        self.move_to(queue, dead_letter, *id);
                        moved = true;
                    }
                    _ => batch.push(*id),
                }
            }
            for id in &batch {
                self.hide(queue, *id, hide);
            }
            if !moved || found.is_empty() {
                break;
            }
        }
        self.queues.queues[queue].used(self.now).received += batch.len() as u32;
        batch
    }

    /// Hides a visible message as received; one that is hidden already stays so.
    fn hide(&mut self, queue: usize, id: MessageId, hide: Span) {
        let until = self.now + hide;
        let state = &mut self.queues.queues[queue];
        let Some(Place::Visible(turn)) = state.messages.get(&id).map(|held| held.place) else { return };
        state.lift(id);
        let receive = state.hide(id, until, turn);
        self.agenda.at(until, Event::Visible { queue: queue as u32, message: id, receive });
    }

    /// The visibility of a receive ends: unless deleted or received again, the message is visible again. In a FIFO queue
    /// it keeps its turn, in a standard one it goes to the back.
    pub(super) fn visible_again(&mut self, queue: usize, id: MessageId, receive: u32) {
        let fifo = self.model.queues[queue].spec.fifo;
        let state = &mut self.queues.queues[queue];
        let Some(held) = state.messages.get(&id) else { return };
        if let Place::InFlight { turn, .. } = held.place
            && held.received == receive
        {
            state.lift(id);
            self.make_visible(queue, id, fifo.then_some(turn));
        }
    }

    /// Deletes a message by one of its receives. An old receive deletes nothing (SQS DeleteMessage). Whether it did.
    pub(super) fn delete_message(&mut self, queue: usize, id: MessageId, receive: u32) -> bool {
        let state = &mut self.queues.queues[queue];
        if state.messages.get(&id).is_none_or(|held| held.received != receive) {
            return false;
        }
        state.used(self.now).deleted += 1;
        state.remove(id).is_some()
    }

    /// A minute ends: gauges are read of every queue that is in use, or that somebody polls.
    pub(super) fn read_gauges(&mut self) {
        let now = self.now;
        for (state, (_, of)) in self.queues.queues.iter_mut().zip(self.model.queues.iter()) {
            let used = state.last_used.is_some_and(|at| now.since(at) < ACTIVE);
            let polled = of.consumers.iter().any(|mapping| self.model.mappings[*mapping].spec.enabled);
            if used || polled {
                let gauges = state.gauges(now);
                state.minutes.at(now - PERIOD).gauges = Some(gauges);
            }
        }
    }

    fn move_to(&mut self, from: usize, to: usize, id: MessageId) {
        let Some(mut held) = self.queues.queues[from].remove(id) else { return };
        self.because(ResourceKind::Queue, from, Why::ReceivedTooOften);
        held.received = 0;
        held.group = self.model.queues[to].group(held.group);
        let state = &mut self.queues.queues[to];
        state.messages.insert(id, held);
        state.last_used = Some(self.now);
        self.make_visible(to, id, None);
        self.plan_retention(to);
    }

    /// Puts a message back where a former process left it.
    pub(super) fn put_message(&mut self, queue: usize, id: MessageId, mut held: Held) {
        held.group = self.model.queues[queue].group(held.group);
        let state = &mut self.queues.queues[queue];
        state.last_used = Some(self.now);
        let (place, receive, group) = (held.place, held.received, held.group.clone());
        state.messages.insert(id, held);
        match place {
            Place::Visible(turn) => {
                state.turns = state.turns.max(turn);
                state.show(id, Some(turn));
            }
            Place::InFlight { until, turn } => {
                state.turns = state.turns.max(turn);
                state.in_flight += 1;
                state.regroup(group.as_ref(), |group| group.in_flight += 1);
                self.agenda.at(until, Event::Visible { queue: queue as u32, message: id, receive });
            }
            Place::Delayed(due) => {
                state.delayed += 1;
                self.agenda.at(due, Event::Due { queue: queue as u32, message: id });
            }
        }
        self.plan_retention(queue);
    }

    /// Puts a backlog back.
    pub(super) fn put_backlog(&mut self, queue: usize, blocks: &[Block]) {
        let state = &mut self.queues.queues[queue];
        state.last_used = Some(self.now);
        state.backlog = Backlog::of(blocks);
        state.turns = state.turns.max(state.backlog.last_turn().unwrap_or(0));
        self.plan_retention(queue);
    }

    fn plan_retention(&mut self, queue: usize) {
        let retention = self.model.queues[queue].spec.retention;
        let state = &mut self.queues.queues[queue];
        if state.retention_planned {
            return;
        }
        let oldest = state.messages.values().map(|held| held.sent).chain(state.backlog.oldest()).min();
        if let Some(oldest) = oldest {
            state.retention_planned = true;
            self.agenda.at(oldest + retention, Event::Retention { queue: queue as u32 });
        }
    }

    /// Drops what is older than the queue keeps.
    pub(super) fn retention_ends(&mut self, queue: usize) {
        let kept_since = self.now - self.model.queues[queue].spec.retention;
        let state = &mut self.queues.queues[queue];
        let over = state.messages.iter().filter(|(_, held)| held.sent <= kept_since).map(|(id, _)| *id);
        let over: Vec<MessageId> = over.collect();
        for id in &over {
            state.remove(*id);
        }
        let waiting = state.backlog.len();
        state.backlog.drop_sent_until(kept_since);
        let expired = over.len() + waiting - state.backlog.len();
        state.retention_planned = false;
        self.because_of(ResourceKind::Queue, queue, Why::Expired, expired as u64);
        self.plan_retention(queue);
    }

    /// Whether a message is where an event finds it: in flight since this receive, or not due yet.
    pub(super) fn waits_for(&self, queue: usize, id: MessageId, receive: Option<u32>) -> bool {
        let held = self.queues.queues[queue].messages.get(&id);
        held.is_some_and(|held| match held.place {
            Place::Visible(_) => false,
            Place::InFlight { .. } => receive == Some(held.received),
            Place::Delayed(_) => receive.is_none(),
        })
    }
}

#[cfg(test)]
mod tests;
