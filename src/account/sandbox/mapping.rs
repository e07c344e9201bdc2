//! Event source mappings: Lambda's pollers between a queue and a function.
//!
//! Sources: <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html> (five batches at first, 300 more a
//! minute, 1,250 at the most), .../services-sqs-errorhandling.html (back-off under throttles and errors; not with partial
//! batch responses), <https://repost.aws/knowledge-center/lambda-sqs-scaling> (pollers do not know reserved concurrency:
//! they receive, are throttled, and receive counts rise).

use super::app::{Mapping, OnMalformed};
use super::event::{Event, MessageId};
use super::invocation::{Ending, Origin, Readable};
use super::lambda::Throttled;
use super::slab::{Key, Slab};
use super::world::World;
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

/// A mapping as it is now.
#[derive(Clone, Debug)]
pub(super) struct MappingState {
    /// How many batches it would have at one time.
    concurrency: f64,
    running: u32,
    last_trouble: Option<Time>,
    /// Messages received and waiting for the batch to fill, when there is a batch window.
    gathering: Vec<BatchMessage>,
    gathering_since: Time,
    /// Tells a window that ended early from the one that is open.
    window: u32,
    growth_planned: bool,
    look_planned: bool,
}

/// One message of a batch.
#[derive(Clone, Copy, Debug)]
struct BatchMessage {
    id: MessageId,
    /// Names the receive that may delete it.
    receive: u32,
    malformed: bool,
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
    /// Moves `at` on to the next message that the handler works on; failed ones are passed over.
    pub fn next_readable(&mut self, key: Key, at: &mut u32, malformed: OnMalformed) -> Readable {
        let Some(batch) = self.batches.get_mut(key) else { return Readable::NoMore };
        while let Some(message) = batch.messages.get(*at as usize) {
            match (message.failed, message.malformed, malformed) {
                (false, false, _) => return Readable::Next,
                (false, true, OnMalformed::Fail) if !batch.partial => return Readable::Raises,
                (false, true, OnMalformed::Fail) => batch.fail(*at),
                (true, _, _) | (false, true, OnMalformed::Discard) => {}
            }
            *at += 1;
        }
        Readable::NoMore
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
            let state = &mut self.mappings[mapping];
            if state.running >= state.cap(&of.spec) {
                self.plan_growth(mapping);
                return;
            }
            if !self.allowed(of.role, "sqs:ReceiveMessage", &of.queue_arn) {
                self.look_again(mapping);
                return;
            }
            let want = of.spec.batch_size as usize - self.mappings[mapping].gathering.len();
            let visibility = model.queues[of.queue].spec.visibility;
            let ids = self.receive(of.queue, want, visibility);
            if ids.is_empty() {
                return;
            }
            let held = &self.queues.queues[of.queue].messages;
            let received = ids.iter().filter_map(|id| {
                let held = held.get(id)?;
                Some(BatchMessage { id: *id, receive: held.received, malformed: held.malformed, failed: false })
            });
            let state = &mut self.mappings[mapping];
            let was_empty = state.gathering.is_empty();
            if was_empty {
                state.gathering_since = self.now;
            }
            state.gathering.extend(received);
            if of.spec.batch_window == Span::ZERO || state.gathering.len() >= of.spec.batch_size as usize {
                self.send_batch(mapping);
            } else if was_empty {
                let at = self.now + of.spec.batch_window;
                self.agenda.at(at, Event::WindowEnds { mapping: mapping as u32, window: state.window });
            }
        }
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
        let messages = std::mem::take(&mut state.gathering);
        state.running += 1;
        let batch = Batch {
            mapping,
            messages,
            until: state.gathering_since + queue.visibility,
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
        if self.invoke(function, Origin::Batch(key)) == Err(Throttled) {
            if let Some(batch) = self.batches.batches.get_mut(key) {
                batch.backs_off = (backs_off * 2).min(RETRY_AT_MOST);
            }
            self.mappings[mapping].back_off(self.now);
            self.agenda.at((self.now + backs_off).min(until), Event::Batch(key));
        }
    }

    /// An invocation with a batch has ended: what went well is deleted, the rest waits for its visibility to end.
    pub(super) fn batch_ended(&mut self, key: Key, ending: Ending) {
        let model = self.model.clone();
        let Some(batch) = self.batches.batches.get(key) else { return };
        let (mapping, messages, partial) = (batch.mapping, batch.messages.clone(), batch.partial);
        let of = &model.mappings[mapping];
        if ending.failed() {
            if !partial {
                self.mappings[mapping].back_off(self.now);
            }
        } else if self.allowed(of.role, "sqs:DeleteMessage", &of.queue_arn) {
            for message in messages.iter().filter(|message| !message.failed) {
                self.delete_message(of.queue, message.id, message.receive);
            }
        }
        self.batch_over(key);
    }

    fn batch_over(&mut self, key: Key) {
        let Some(batch) = self.batches.batches.remove(key) else { return };
        let state = &mut self.mappings[batch.mapping];
        state.running -= 1;
        self.poll(batch.mapping);
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
mod tests {
    use super::super::app::{App, Duration};
    use super::super::shop_like;
    use super::super::testing::{at, world};
    use super::*;
    use crate::account::ResourceKind::{Function, Queue};
    use crate::account::{Metric, Value};

    /// The small shop, its worker taking exactly so long for a batch and calling nobody.
    fn shop(work: Span) -> App {
        let mut app = shop_like();
        if let Some(worker) = app.functions.get_mut("payment-worker") {
            worker.duration = Duration::Constant(work);
            worker.cold_start = Duration::Constant(Span::ZERO);
            worker.calls.clear();
            worker.environment.clear();
        }
        app
    }

    fn mapping(app: &mut App) -> &mut Mapping {
        app.mappings.get_mut("payment-worker-orders").unwrap()
    }

    const ORDERS: [&str; 10] = ["{}"; 10];

    #[test]
    fn a_poisoned_message_is_dead_after_five_receives_at_150_seconds() {
        for partial in [true, false] {
            let mut app = shop(Span::from_millis(100));
            mapping(&mut app).partial_batch = partial;
            let mut world = world(&app);
            world.send_to("orders", &["no object"]);
            let sent = world.queues.queues[0].messages.values().next().unwrap().sent;
            world.run_until(sent + Span::from_millis(149_999));
            assert_eq!(world.value(Metric::Depth, Queue, "orders-dlq", 0..1), Some(0.0));
            assert_eq!(world.queues.queues[0].messages.values().next().unwrap().received, 5);
            world.run_until(sent + Span::from_secs(150));
            assert_eq!(world.value(Metric::Depth, Queue, "orders-dlq", 0..1), Some(1.0));
            assert_eq!(world.function_totals("payment-worker").unwrap().ended, 5);
        }
    }

    #[test]
    fn one_bad_message_fails_alone_with_partial_responses_and_with_all_others_without() {
        for (partial, left) in [(true, 1.0), (false, 10.0)] {
            let mut app = shop(Span::from_millis(100));
            mapping(&mut app).batch_window = Span::from_secs(1);
            mapping(&mut app).partial_batch = partial;
            let mut world = world(&app);
            let mut bodies = ORDERS;
            bodies[4] = "[]";
            world.send_to("orders", &bodies);
            world.run_until(at(2));
            assert_eq!(world.value(Metric::InFlight, Queue, "orders", 0..1), Some(left), "{partial}");
        }
    }

    #[test]
    fn a_batch_goes_when_it_is_full_or_its_window_ends() {
        let mut app = shop(Span::from_millis(100));
        mapping(&mut app).batch_window = Span::from_secs(5);
        let mut world = world(&app);
        world.send_to("orders", &ORDERS[..3]);
        let began = world.now;
        world.run_until(began + Span::from_millis(4_900));
        assert_eq!(world.function_totals("payment-worker").unwrap().requests, 0);
        world.run_until(began + Span::from_millis(5_000));
        assert_eq!(world.function_totals("payment-worker").unwrap().requests, 1);
        world.send_to("orders", &ORDERS);
        assert_eq!(world.function_totals("payment-worker").unwrap().requests, 2);
        world.run_until(began + Span::from_secs(60));
        assert_eq!(world.function_totals("payment-worker").unwrap().requests, 2, "the window of a full batch is over");
        assert_eq!(world.held(), [0, 0]);
    }

    #[test]
    fn pollers_start_at_five_and_grow_by_300_a_minute() {
        let mut app = shop(Span::from_secs(600));
        app.account_concurrency = 10_000;
        mapping(&mut app).batch_size = 1;
        app.queues.get_mut("orders").unwrap().visibility = Span::from_secs(3600);
        app.functions.get_mut("payment-worker").unwrap().timeout = Span::from_secs(900);
        let mut world = world(&app);
        for _ in 0..200 {
            world.enqueue_many(0, 10);
        }
        assert_eq!(world.lambda.functions[0].running, 5);
        world.run_until(at(60));
        assert_eq!(world.lambda.functions[0].running, 305);
        world.run_until(at(300));
        assert_eq!(world.lambda.functions[0].running, 1250);
    }

    #[test]
    fn maximum_concurrency_caps_a_mapping_without_throttles() {
        let mut app = shop(Span::from_secs(2));
        mapping(&mut app).batch_size = 1;
        mapping(&mut app).maximum_concurrency = Some(2);
        let mut world = world(&app);
        world.enqueue_many(0, 10);
        world.run_until(at(9));
        let totals = world.function_totals("payment-worker").unwrap();
        assert_eq!((totals.ended, totals.throttled), (8, 0));
    }

    #[test]
    fn throttled_pollers_keep_receiving_back_off_and_recover() {
        let mut world = world(&shop(Span::from_millis(100)));
        world.reserve("payment-worker", Value::Number(0));
        world.enqueue_many(0, 100);
        world.run_until(at(120));
        let totals = world.function_totals("payment-worker").unwrap();
        assert_eq!(totals.ended, 0);
        assert!(totals.throttled > 20, "{totals:?}");
        // Receive counts rise though nothing runs: the pollers do not know why they are throttled.
        let state = &world.queues.queues[0];
        assert!(state.messages.values().any(|held| held.received >= 1));
        assert!(world.mappings[0].concurrency < AT_FIRST);
        world.reserve("payment-worker", Value::Unset);
        world.run_until(at(180));
        assert_eq!(world.held(), [0, 0]);
        assert_eq!(world.value(Metric::Throttles, Function, "payment-worker", 0..1).map(|n| n > 10.0), Some(true));
    }

    #[test]
    fn a_long_throttle_sends_good_messages_to_the_dead_letter_queue() {
        let mut world = world(&shop(Span::from_millis(100)));
        world.reserve("payment-worker", Value::Number(0));
        world.enqueue_many(0, 5);
        world.run_until(at(600));
        assert_eq!(world.value(Metric::Depth, Queue, "orders-dlq", 0..1), Some(5.0));
        assert_eq!(world.function_totals("payment-worker").unwrap().ended, 0);
    }

    #[test]
    fn a_failing_group_blocks_itself_only() {
        let mut app = shop(Span::from_millis(100));
        app.queues.values_mut().for_each(|queue| queue.fifo = true);
        mapping(&mut app).batch_size = 10;
        let mut world = world(&app);
        for (number, group) in [(0, "a"), (1, "a"), (2, "b"), (3, "a"), (4, "b")] {
            world.enqueue(0, number == 0, None, Some(group.into()));
        }
        world.run_until(at(2));
        let left = |world: &World| world.queues.queues[0].messages.keys().copied().collect::<Vec<_>>();
        assert_eq!(left(&world), [0, 1, 3], "the group b is done, a waits behind its first");
        world.run_until(at(200));
        assert_eq!(left(&world), Vec::<MessageId>::new());
        assert_eq!(world.queues.queues[1].messages.keys().copied().collect::<Vec<_>>(), [0]);
    }

    impl World {
        /// The messages of each queue, wherever they are in it.
        fn held(&self) -> Vec<usize> {
            let all =
                |state: &super::super::queue::QueueState| state.depth() + (state.in_flight + state.delayed) as usize;
            self.queues.queues.iter().map(all).collect()
        }

        /// Good messages, all at once.
        fn enqueue_many(&mut self, queue: usize, number: usize) {
            (0..number).for_each(|_| self.enqueue(queue, false, None, None));
        }
    }
}
