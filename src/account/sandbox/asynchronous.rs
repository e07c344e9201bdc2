//! Lambda's asynchronous invocations: its internal queue, retries, and what becomes of events that fail for good
//! (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html>).

use super::event::Event;
use super::invocation::{Ending, Origin};
use super::lambda::Throttled;
use super::model::Target;
use super::slab::{Key, Slab};
use super::world::World;
use crate::units::{Span, Time};

/// Between an error and the first retry, and between that one's error and the second.
const RETRY_AFTER: [Span; 2] = [Span::from_mins(1), Span::from_mins(2)];
/// A throttled event is tried again after this, then after twice as long each time, up to [`THROTTLED_AT_MOST`].
const THROTTLED_FIRST: Span = Span::from_secs(1);
const THROTTLED_AT_MOST: Span = Span::from_mins(5);
/// Then Lambda gives it up.
const OLDEST: Span = Span::from_secs(6 * 3600);

/// An event that waits in Lambda's internal queue, or is being worked on.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    function: usize,
    since: Time,
    errors: u32,
    /// How long to wait after the next throttle.
    backs_off: Span,
}

/// Every such event.
pub(super) type Asynchronous = Slab<Waiting>;

impl World {
    /// Accepts an event for a function. Lambda accepts it whatever happens to it later.
    pub(super) fn invoke_asynchronously(&mut self, function: usize) {
        let event = Waiting { function, since: self.now, errors: 0, backs_off: THROTTLED_FIRST };
        let key = self.asynchronous.insert(event);
        self.try_asynchronous(key);
    }

    /// Tries to run an event.
    pub(super) fn try_asynchronous(&mut self, key: Key) {
        let Some(event) = self.asynchronous.get(key) else { return };
        let (function, since, backs_off) = (event.function, event.since, event.backs_off);
        // With reserved concurrency 0, events go to the dead-letter queue at once, without retries.
        if self.lambda.functions[function].limit == Some(0) {
            return self.give_up(key);
        }
        if self.invoke(function, Origin::Asynchronous(key)) == Err(Throttled) {
            if self.now.since(since) + backs_off > OLDEST {
                return self.give_up(key);
            }
            if let Some(event) = self.asynchronous.get_mut(key) {
                event.backs_off = (backs_off * 2).min(THROTTLED_AT_MOST);
            }
            self.agenda.at(self.now + backs_off, Event::Asynchronous(key));
        }
    }

    /// An attempt has ended.
    pub(super) fn asynchronous_ended(&mut self, key: Key, ending: Ending) {
        let Some(event) = self.asynchronous.get_mut(key) else { return };
        if !ending.failed() {
            self.asynchronous.remove(key);
            return;
        }
        let retries = self.model.functions[event.function].spec.async_retries;
        let wait = RETRY_AFTER.get(event.errors as usize).copied();
        event.errors += 1;
        match wait {
            Some(wait) if event.errors <= retries => self.agenda.at(self.now + wait, Event::Asynchronous(key)),
            _ => self.give_up(key),
        }
    }

    /// Hands an event to the function's on-failure destination, as its role may, or drops it.
    fn give_up(&mut self, key: Key) {
        let Some(event) = self.asynchronous.remove(key) else { return };
        let model = self.model.clone();
        let of = &model.functions[event.function];
        let Some(destination) = &of.on_failure else { return };
        if !self.allowed(of.role, destination.action, &destination.arn) {
            return;
        }
        match destination.target {
            Target::Queue(queue) => self.enqueue(queue, false, None, None),
            Target::Topic(topic) => {
                self.publish(topic);
            }
            Target::FunctionAsync(function) => self.invoke_asynchronously(function),
            Target::Table(_) | Target::Function(_) | Target::External => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::app::{App, Duration};
    use super::super::shop_like;
    use super::super::testing::{at, world};
    use super::*;
    use crate::account::Value;
    use crate::units::Share;

    /// A function that fails, as often as it is tried; its dead events go to `orders-dlq`.
    fn app(errors: Share) -> App {
        let mut app = shop_like();
        app.mappings.clear();
        if let Some(worker) = app.functions.get_mut("payment-worker") {
            worker.duration = Duration::Constant(Span::from_secs(1));
            worker.cold_start = Duration::Constant(Span::ZERO);
            worker.calls.clear();
            worker.environment.clear();
            worker.errors = errors;
            worker.on_failure = Some("orders-dlq".into());
        }
        let role = app.roles.get_mut("payment-worker-role").unwrap();
        role.managed.push("arn:aws:iam::aws:policy/AmazonSQSFullAccess".into());
        app
    }

    fn dead(world: &World) -> usize {
        world.queues.queues[1].depth()
    }

    fn ended(world: &World) -> u64 {
        world.function_totals("payment-worker").unwrap().ended
    }

    #[test]
    fn an_error_is_retried_after_one_minute_and_after_two_and_then_given_up() {
        let mut world = world(&app(Share::ALL));
        world.invoke_asynchronously(0);
        for (secs, attempts, lost) in [(1, 1, 0), (61, 1, 0), (62, 2, 0), (182, 2, 0), (183, 3, 1), (4000, 3, 1)] {
            world.run_until(at(secs));
            assert_eq!((ended(&world), dead(&world)), (attempts, lost), "after {secs} s");
        }
    }

    #[test]
    fn a_throttled_event_waits_and_is_not_lost() {
        let mut world = world(&app(Share::NONE));
        world.reserve("payment-worker", Value::Number(1));
        world.invoke_asynchronously(0);
        world.invoke_asynchronously(0);
        world.run_until(at(1));
        assert_eq!(ended(&world), 1);
        world.run_until(at(2));
        assert_eq!((ended(&world), dead(&world)), (2, 0));
        assert_eq!(world.function_totals("payment-worker").unwrap().throttled, 1);
    }

    #[test]
    fn with_reserved_concurrency_zero_events_are_dead_at_once() {
        let mut world = world(&app(Share::NONE));
        world.reserve("payment-worker", Value::Number(0));
        world.invoke_asynchronously(0);
        assert_eq!((ended(&world), dead(&world)), (0, 1));
    }
}
