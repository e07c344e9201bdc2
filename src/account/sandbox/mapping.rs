//! Event source mappings: Lambda's pollers between a queue and a function.
//!
//! Sources: <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html> (five batches at first, 300 more a
//! minute, 1,250 at the most), .../services-sqs-errorhandling.html (back-off under throttles and errors; not with partial
//! batch responses), <https://repost.aws/knowledge-center/lambda-sqs-scaling> (pollers do not know reserved concurrency:
//! they receive, are throttled, and receive counts rise).

use super::app::{Mapping, OnPayload, OnPayloads};
use super::chain::Chain;
use super::event::{Event, MessageId};
use super::invocation::{Ending, Origin, Readable};
use super::lambda::NotInvoked;
use super::message::Body;
use super::reasons::Why;
use super::slab::{Key, Slab};
use super::world::World;
use crate::account::ResourceKind;
use crate::units::{Span, Time};

/// Batches at one time at the beginning.
const AT_FIRST: f64 = 5.0;
/// The least that a mapping backs off to; AWS: an idle one may go down to two.
const AT_LEAST: f64 = 2.0;
/// The most.
const AT_MOST: f64 = 1250.0;
/// 300 a minute, while there is a backlog.
const GROWTH_PER_SECOND: f64 = 5.0;
/// AWS says "gradually": a throttle or an error takes this part of the batches away. A guess.
const BACKS_OFF_BY: f64 = 0.2;
/// After one, a mapping does not grow for so long. A guess.
const CAUTIOUS: Span = Span::from_secs(60);
/// A throttled batch is tried again after this, then after twice as long each time, up to [`RETRY_AT_MOST`], until its
/// visibility ends. A guess: AWS gives no numbers.
const RETRY_FIRST: Span = Span::from_secs(1);
const RETRY_AT_MOST: Span = Span::from_secs(10);
/// Pollers without permission look again so often. A guess.
const DENIED_AGAIN: Span = Span::from_secs(20);
/// The most bytes of the messages of one batch: the payload of a synchronous invocation
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const LARGEST_BATCH: u32 = 6 * 1024 * 1024;

/// A mapping as it is now.
#[derive(Clone, Debug)]
pub(super) struct MappingState {
    /// How many batches it would have at one time.
    concurrency: f64,
    running: u32,
    last_trouble: Option<Time>,
    /// Messages received and waiting for the batch to fill, when there is a batch window.
    gathering: Vec<BatchMessage>,
    gathering_bytes: u32,
    gathering_since: Time,
    /// Tells a window that ended early from the one that is open.
    window: u32,
    growth_planned: bool,
    look_planned: bool,
}

/// One message of a batch.
#[derive(Clone, Debug)]
struct BatchMessage {
    id: MessageId,
    /// Names the receive that may delete it.
    receive: u32,
    body: Body,
    size: u32,
    chain: Chain,
    failed: bool,
}

/// Messages that go to one invocation.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    mapping: usize,
    messages: Vec<BatchMessage>,
    /// When the visibility of its first message ends.
    until: Time,
    /// How long to wait after the next throttle.
    backs_off: Span,
    /// `ReportBatchItemFailures`: messages fail one by one.
    partial: bool,
    /// In a FIFO queue what follows a failed message fails too.
    fifo: bool,
}

/// Every batch.
#[derive(Clone, Debug, Default)]
pub(super) struct Batches {
    batches: Slab<Batch>,
}

impl Batches {
    /// Moves `at` on to the next message that the handler works on; failed ones are passed over. What it did with bad ones
    /// on the way is told to `met`.
    pub fn next_readable(
        &mut self,
        key: Key,
        at: &mut u32,
        on: &OnPayloads,
        mut met: impl FnMut(OnPayload),
    ) -> Readable {
        let Some(batch) = self.batches.get_mut(key) else { return Readable::NoMore };
        while let Some(message) = batch.messages.get(*at as usize) {
            if !message.failed {
                let taken = message.body.taken(on);
                match taken {
                    OnPayload::Handle => return Readable::Next,
                    OnPayload::Fail if !batch.partial => {
                        met(taken);
                        return Readable::Raises;
                    }
                    OnPayload::Fail => batch.fail(*at),
                    OnPayload::Discard => {}
                }
                met(taken);
            }
            *at += 1;
        }
        Readable::NoMore
    }

    /// The chain of one message of a batch, or of all of them together.
    pub fn chain(&self, key: Key, at: Option<u32>) -> Chain {
        let Some(batch) = self.batches.get(key) else { return Chain::default() };
        match at {
            Some(at) => batch.messages.get(at as usize).map(|message| message.chain.clone()).unwrap_or_default(),
            None => batch.messages.iter().fold(Chain::default(), |chain, message| chain.merged(&message.chain)),
        }
    }

    /// Whether a batch is still there.
    pub fn has(&self, key: Key) -> bool {
        self.batches.get(key).is_some()
    }

    /// One message of a batch fails; `false` when that fails the whole batch.
    pub fn fail_message(&mut self, key: Key, at: u32) -> bool {
        match self.batches.get_mut(key) {
            Some(batch) if batch.partial => {
                batch.fail(at);
                true
            }
            _ => false,
        }
    }
}

impl Batch {
    fn fail(&mut self, at: u32) {
        let at = at as usize;
        let last = if self.fifo { self.messages.len() } else { at + 1 };
        self.messages[at..last].iter_mut().for_each(|message| message.failed = true);
    }
}

impl MappingState {
    pub fn new() -> MappingState {
        MappingState {
            concurrency: AT_FIRST,
            running: 0,
            last_trouble: None,
            gathering: Vec::new(),
            gathering_bytes: 0,
            gathering_since: Time::EPOCH,
            window: 0,
            growth_planned: false,
            look_planned: false,
        }
    }

    /// How many batches it may have at one time.
    fn cap(&self, spec: &Mapping) -> u32 {
        (self.concurrency as u32).min(spec.maximum_concurrency.unwrap_or(u32::MAX))
    }

    fn back_off(&mut self, now: Time) {
        self.concurrency = (self.concurrency * (1.0 - BACKS_OFF_BY)).max(AT_LEAST);
        self.last_trouble = Some(now);
    }
}

impl World {
    /// Takes messages from the queue of a mapping as long as there are some and it has pollers for them.
    pub(super) fn poll(&mut self, mapping: usize) {
        let model = self.model.clone();
        let of = &model.mappings[mapping];
        if !of.spec.enabled {
            return;
        }
        while self.queues.queues[of.queue].depth() > 0 {
            let state = &self.mappings[mapping];
            if state.running >= state.cap(&of.spec) {
                if state.running >= of.spec.maximum_concurrency.unwrap_or(AT_MOST as u32) {
                    self.because(ResourceKind::Queue, of.queue, Why::PollersBusy);
                }
                self.plan_growth(mapping);
                return;
            }
            if !self.allowed(of.role, "sqs:ReceiveMessage", &of.queue_arn) {
                self.because(ResourceKind::Function, of.function, Why::NotAllowed("sqs:ReceiveMessage"));
                self.look_again(mapping);
                return;
            }
            let want = of.spec.batch_size as usize - self.mappings[mapping].gathering.len();
            let ids = self.receive(of.queue, want, of.hidden_for);
            if ids.is_empty() {
                return;
            }
            for id in ids {
                self.gather(mapping, id);
            }
            let state = &self.mappings[mapping];
            if of.spec.batch_window == Span::ZERO || state.gathering.len() >= of.spec.batch_size as usize {
                self.send_batch(mapping);
            }
        }
    }

    /// Puts a received message to those that wait for the batch; a batch that it would make too large goes out first.
    fn gather(&mut self, mapping: usize, id: MessageId) {
        let of = &self.model.mappings[mapping];
        let (queue, window) = (of.queue, of.spec.batch_window);
        let Some(held) = self.queues.queues[queue].messages.get(&id) else { return };
        let (body, size, chain) = (held.body, held.size, held.chain.clone());
        let message = BatchMessage { id, receive: held.received, body, size, chain, failed: false };
        let state = &self.mappings[mapping];
        if !state.gathering.is_empty() && state.gathering_bytes + message.size > LARGEST_BATCH {
            self.send_batch(mapping);
        }
        let state = &mut self.mappings[mapping];
        if state.gathering.is_empty() {
            state.gathering_since = self.now;
            if window > Span::ZERO {
                let at = self.now + window;
                self.agenda.at(at, Event::WindowEnds { mapping: mapping as u32, window: state.window });
            }
        }
        state.gathering_bytes += message.size;
        state.gathering.push(message);
    }

    /// A batch window ends: what was gathered goes out as it is.
    pub(super) fn window_ends(&mut self, mapping: usize, window: u32) {
        if self.mappings[mapping].window == window {
            self.send_batch(mapping);
        }
    }

    fn send_batch(&mut self, mapping: usize) {
        let of = &self.model.mappings[mapping];
        let queue = &self.model.queues[of.queue].spec;
        let state = &mut self.mappings[mapping];
        state.window += 1;
        state.gathering_bytes = 0;
        let messages = std::mem::take(&mut state.gathering);
        state.running += 1;
        let batch = Batch {
            mapping,
            messages,
            until: state.gathering_since + of.hidden_for,
            backs_off: RETRY_FIRST,
            partial: of.spec.partial_batch,
            fifo: queue.fifo,
        };
        let key = self.batches.batches.insert(batch);
        self.try_batch(key);
    }

    /// Invokes the function with a batch. Throttled, the poller keeps the batch and tries again until its visibility ends.
    pub(super) fn try_batch(&mut self, key: Key) {
        let Some(batch) = self.batches.batches.get_mut(key) else { return };
        let (mapping, until, backs_off) = (batch.mapping, batch.until, batch.backs_off);
        if self.now >= until {
            return self.batch_over(key);
        }
        let function = self.model.mappings[mapping].function;
        let chain = self.batches.chain(key, None);
        match self.invoke(function, Origin::Batch(key), chain) {
            Ok(()) => {}
            // Its messages come back and are tried again, until they have been received too often.
            Err(NotInvoked::Loop) => self.batch_over(key),
            Err(NotInvoked::Throttled) => {
                if let Some(batch) = self.batches.batches.get_mut(key) {
                    batch.backs_off = (backs_off * 2).min(RETRY_AT_MOST);
                }
                self.mappings[mapping].back_off(self.now);
                self.agenda.at((self.now + backs_off).min(until), Event::Batch(key));
            }
        }
    }

    /// An invocation with a batch has ended: what went well is deleted, the rest waits for its visibility to end.
    pub(super) fn batch_ended(&mut self, key: Key, ending: Ending) {
        let model = self.model.clone();
        let Some(batch) = self.batches.batches.remove(key) else { return };
        let of = &model.mappings[batch.mapping];
        if ending.failed() {
            if !batch.partial {
                self.mappings[batch.mapping].back_off(self.now);
            }
        } else if self.allowed(of.role, "sqs:DeleteMessage", &of.queue_arn) {
            for message in batch.messages.iter().filter(|message| !message.failed) {
                self.delete_message(of.queue, message.id, message.receive);
            }
        } else {
            self.because(ResourceKind::Function, of.function, Why::NotAllowed("sqs:DeleteMessage"));
        }
        self.poller_is_free(batch.mapping);
    }

    fn batch_over(&mut self, key: Key) {
        if let Some(batch) = self.batches.batches.remove(key) {
            self.poller_is_free(batch.mapping);
        }
    }

    fn poller_is_free(&mut self, mapping: usize) {
        self.mappings[mapping].running -= 1;
        self.poll(mapping);
    }

    /// More batches in a second, while there is a backlog.
    fn plan_growth(&mut self, mapping: usize) {
        let state = &mut self.mappings[mapping];
        if !state.growth_planned {
            state.growth_planned = true;
            self.agenda.at(self.now + Span::from_secs(1), Event::Growth { mapping: mapping as u32 });
        }
    }

    /// A mapping whose pollers are all busy gets more of them; one that has nothing to do goes back to the first five.
    pub(super) fn grow(&mut self, mapping: usize) {
        let state = &mut self.mappings[mapping];
        state.growth_planned = false;
        let calm = state.last_trouble.is_none_or(|at| self.now.since(at) >= CAUTIOUS);
        let busy = state.running >= state.cap(&self.model.mappings[mapping].spec);
        if calm && busy {
            state.concurrency = (state.concurrency + GROWTH_PER_SECOND).min(AT_MOST);
        } else if calm && state.running == 0 {
            state.concurrency = AT_FIRST;
        }
        self.poll(mapping);
    }

    fn look_again(&mut self, mapping: usize) {
        let state = &mut self.mappings[mapping];
        if !state.look_planned {
            state.look_planned = true;
            self.agenda.at(self.now + DENIED_AGAIN, Event::LookAgain { mapping: mapping as u32 });
        }
    }

    /// Pollers that were denied try again.
    pub(super) fn looks_again(&mut self, mapping: usize) {
        self.mappings[mapping].look_planned = false;
        self.poll(mapping);
    }
}

#[cfg(test)]
mod tests;
