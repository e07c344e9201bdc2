use super::super::app::App;
use super::super::message::Body;
use super::super::shop_like;
use super::super::testing::{at, world};
use super::*;
use crate::account::Metric;
use crate::account::ResourceKind::Queue;

/// The small shop without its consumer; `orders` is queue 0, its dead-letter queue 1.
fn app(change: impl Fn(&mut super::super::app::Queue)) -> App {
    let mut app = shop_like();
    app.mappings.clear();
    change(app.queues.get_mut("orders").unwrap());
    app
}

fn places(world: &World) -> [f64; 3] {
    [Metric::Depth, Metric::InFlight, Metric::Delayed].map(|m| world.value(m, Queue, "orders", 0..1).unwrap())
}

#[test]
fn a_message_is_delayed_visible_hidden_visible_again_and_then_too_old() {
    let mut world = world(&app(|queue| {
        queue.delay = Span::from_secs(10);
        queue.retention = Span::from_secs(120);
    }));
    world.enqueue(0, New::default());
    assert_eq!(places(&world), [0.0, 0.0, 1.0]);
    world.run_until(at(10));
    assert_eq!(places(&world), [1.0, 0.0, 0.0]);
    assert_eq!(world.receive(0, 10, Span::from_secs(30)).len(), 1);
    assert_eq!(places(&world), [0.0, 1.0, 0.0]);
    world.run_until(at(40));
    assert_eq!(places(&world), [1.0, 0.0, 0.0]);
    world.run_until(at(119));
    assert_eq!(places(&world), [1.0, 0.0, 0.0]);
    world.run_until(at(120));
    assert_eq!(places(&world), [0.0, 0.0, 0.0]);
}

#[test]
fn a_changed_delay_counts_for_what_is_sent_while_it_is_in() {
    use crate::account::{Setting, Value, Write};
    let mut world = world(&app(|_| {}));
    let setting = Setting::QueueDelay { queue: super::super::testing::resource(Queue, "orders") };
    let delay = |seconds| Write { setting: setting.clone(), value: Value::Number(seconds), whole: None };
    world.enqueue(0, New::default());
    world.set(&delay(90)).unwrap();
    world.enqueue(0, New::default());
    assert_eq!(places(&world), [1.0, 0.0, 1.0], "what was there before is not held up");
    world.run_until(at(60));
    world.set(&delay(0)).unwrap();
    world.enqueue(0, New::default());
    assert_eq!(places(&world), [2.0, 0.0, 1.0], "a message stays hidden after the delay is gone");
    world.run_until(at(90));
    assert_eq!(places(&world), [3.0, 0.0, 0.0]);
    assert!(world.set(&delay(901)).is_err());
}

#[test]
fn a_dead_message_keeps_its_time_of_sending() {
    let mut world = world(&app(|queue| queue.redrive.as_mut().unwrap().max_receive_count = 1));
    world.enqueue(0, New::default());
    world.run_until(at(100));
    assert_eq!(world.receive(0, 1, Span::ZERO).len(), 1);
    world.run_until(at(101));
    assert_eq!(world.receive(0, 1, Span::ZERO).len(), 0, "the second receive is one too many");
    let dead = world.queues.queues[1].messages.values().next().unwrap();
    assert_eq!(dead.sent, at(0));
    // Fourteen days would be usual; here it is four, and they count from the sending.
    world.run_until(at(4 * 86_400 - 1));
    assert_eq!(world.queues.queues[1].messages.len(), 1);
    world.run_until(at(4 * 86_400));
    assert_eq!(world.queues.queues[1].messages.len(), 0);
}

#[test]
fn the_age_of_the_oldest_message_does_not_see_what_was_received_three_times() {
    let mut world = world(&app(|_| {}));
    world.enqueue(0, New { body: Body::Own, ..New::default() });
    for _ in 0..3 {
        world.receive(0, 1, Span::from_secs(1));
        world.run_until(world.now + Span::from_secs(2));
    }
    world.run_until(at(30));
    world.enqueue(0, New::default());
    world.run_until(at(180));
    let age = |minute: i64| world.value(Metric::OldestMessage, Queue, "orders", minute..minute + 1);
    assert_eq!(age(0), Some(30.0), "the poisoned one is 60 s old");
    assert_eq!(world.value(Metric::Calls, Queue, "orders", 0..1), Some(2.0));
}

#[test]
fn a_queue_that_nobody_uses_publishes_nothing() {
    let mut world = world(&app(|_| {}));
    world.run_until(at(300));
    assert_eq!(world.value(Metric::MessagesDone, Queue, "orders", 0..1), None);
    world.enqueue(0, New::default());
    world.run_until(at(600));
    assert_eq!(world.value(Metric::MessagesDone, Queue, "orders", 6..7), Some(0.0));
}

#[test]
fn a_backlog_is_received_in_its_turn_between_other_messages() {
    let mut world = world(&app(|_| {}));
    world.enqueue_plain(3);
    world.enqueue(0, New { body: Body::Own, ..New::default() });
    world.enqueue_plain(30);
    assert_eq!(places(&world), [34.0, 0.0, 0.0]);
    assert_eq!(world.queues.queues[0].messages.len(), 1, "what waits has no place of its own");
    let first = world.receive(0, 10, Span::from_secs(30));
    let own = first.iter().position(|id| world.queues.queues[0].messages[id].body == Body::Own);
    assert_eq!(own, Some(3));
    assert_eq!(places(&world), [24.0, 10.0, 0.0]);
    world.run_until(at(30));
    let second = world.receive(0, 30, Span::from_secs(30));
    assert_eq!(second.len(), 30);
    assert!(second[..24].iter().all(|id| !first.contains(id)), "what was received goes to the back");
    assert!(second[24..].iter().all(|id| first.contains(id)));
}

#[test]
fn a_backlog_is_as_old_as_its_oldest_message_and_ends_with_its_retention() {
    let mut world = world(&app(|queue| queue.retention = Span::from_secs(600)));
    world.enqueue_plain(5);
    world.run_until(at(200));
    world.enqueue_plain(5);
    world.run_until(at(400));
    assert_eq!(world.value(Metric::OldestMessage, Queue, "orders", 3..4), Some(240.0));
    world.run_until(at(600));
    assert_eq!(places(&world), [5.0, 0.0, 0.0]);
    world.run_until(at(800));
    assert_eq!(places(&world), [0.0, 0.0, 0.0]);
}

#[test]
fn no_more_than_120_000_messages_are_in_flight() {
    let mut world = world(&app(|_| {}));
    world.enqueue_plain(120_100);
    while !world.receive(0, 1_000, Span::from_secs(30)).is_empty() {}
    assert_eq!(places(&world), [100.0, 120_000.0, 0.0]);
    world.run_until(at(30));
    assert_eq!(world.receive(0, 1_000, Span::from_secs(30)).len(), 1_000);
}

#[test]
fn what_came_and_went_between_two_saves_is_forgotten() {
    let mut world = world(&app(|_| {}));
    world.messages_saved();
    let changed = |world: &World| world.changed_messages().map(|(id, now)| (id, now.is_some())).collect::<Vec<_>>();
    for _ in 0..1_000 {
        world.enqueue_plain(10);
        for id in world.receive(0, 10, Span::from_secs(30)) {
            assert!(world.delete_message(0, id, 1));
        }
    }
    assert_eq!(changed(&world), []);
    world.enqueue_plain(1);
    let kept = world.receive(0, 1, Span::from_secs(30))[0];
    assert_eq!(changed(&world), [(kept, true)]);
    world.messages_saved();
    assert_eq!(changed(&world), []);
    assert!(world.delete_message(0, kept, 1));
    assert_eq!(changed(&world), [(kept, false)], "the file has it still");
}

#[test]
fn a_message_that_moves_is_saved_where_it_is() {
    let mut world = world(&app(|queue| queue.redrive.as_mut().unwrap().max_receive_count = 1));
    world.messages_saved();
    world.enqueue_plain(1);
    let id = world.receive(0, 1, Span::ZERO)[0];
    world.messages_saved();
    world.run_until(at(1));
    assert!(world.receive(0, 1, Span::ZERO).is_empty());
    let changes: Vec<_> = world.changed_messages().map(|(id, now)| (id, now.map(|now| now.queue))).collect();
    assert_eq!(changes, [(id, None), (id, Some("orders-dlq".into()))]);
}

impl World {
    /// Good messages for `orders`.
    fn enqueue_plain(&mut self, number: usize) {
        (0..number).for_each(|_| assert!(self.enqueue(0, New::default())));
    }
}
