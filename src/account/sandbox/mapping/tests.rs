use std::sync::Arc;

use super::super::app::{App, Arrivals, Duration, Traffic, TrafficTarget};
use super::super::message::{Body, New};
use super::super::shop_like;
use super::super::testing::{at, world};
use super::*;
use crate::account::ResourceKind::{Function, Queue};
use crate::account::{Metric, Value};
use crate::units::Rate;

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
        for number in 0..10 {
            let body = if number == 4 { Body::Own } else { Body::Ordinary };
            assert!(world.enqueue(0, New { body, ..New::default() }));
        }
        world.run_until(at(2));
        assert_eq!(world.value(Metric::InFlight, Queue, "orders", 0..1), Some(left), "{partial}");
    }
}

#[test]
fn a_batch_goes_when_it_is_full_or_its_window_ends() {
    let mut app = shop(Span::from_millis(100));
    mapping(&mut app).batch_window = Span::from_secs(5);
    let mut world = world(&app);
    world.enqueue_many(0, 3);
    let began = world.now;
    world.run_until(began + Span::from_millis(4_900));
    assert_eq!(world.function_totals("payment-worker").unwrap().requests, 0);
    world.run_until(began + Span::from_millis(5_000));
    assert_eq!(world.function_totals("payment-worker").unwrap().requests, 1);
    world.enqueue_many(0, 10);
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
    // The queue has more than one group as soon as something names some.
    let (to, arrivals) = (TrafficTarget::Queue("orders".into()), Arrivals::Even);
    app.traffic =
        vec![Traffic { to, rate: Rate::per_sec(0.0).unwrap(), arrivals, groups: vec!["a".into(), "b".into()] }];
    let mut world = world(&app);
    for (number, group) in [(0, "a"), (1, "a"), (2, "b"), (3, "a"), (4, "b")] {
        let body = if number == 0 { Body::Own } else { Body::Ordinary };
        assert!(world.enqueue(0, New { body, group: Some(Arc::from(group)), ..New::default() }));
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
    pub fn held(&self) -> Vec<usize> {
        let all = |state: &super::super::queue::QueueState| state.depth() + (state.in_flight + state.delayed) as usize;
        self.queues.queues.iter().map(all).collect()
    }

    /// Good messages, all at once.
    fn enqueue_many(&mut self, queue: usize, number: usize) {
        (0..number).for_each(|_| assert!(self.enqueue(queue, New::default())));
    }
}
