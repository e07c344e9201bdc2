//! Lambda's asynchronous invocations: its internal queue, retries, and what becomes of events that fail for good
//! (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html>).

use super::chain::Chain;
use super::event::Event;
use super::invocation::{Ending, Origin};
use super::lambda::NotInvoked;
use super::metrics::Datum;
use super::model::CallModel;
use super::reasons::{GivenUp, Reached, Why};
use super::slab::{Key, Slab};
use super::world::World;
use crate::account::ResourceKind;
use crate::units::{Span, Time};

/// Between an error and the first retry, and between that one's error and the second.
const RETRY_AFTER: [Span; 2] = [Span::from_mins(1), Span::from_mins(2)];
/// A throttled event is tried again after this, then after twice as long each time, up to [`THROTTLED_AT_MOST`].
const THROTTLED_FIRST: Span = Span::from_secs(1);
const THROTTLED_AT_MOST: Span = Span::from_mins(5);

/// An event that waits in Lambda's internal queue, or is being worked on.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    function: usize,
    since: Time,
    errors: u32,
    /// How long to wait after the next throttle.
    backs_off: Span,
    chain: Chain,
}

/// Every such event.
pub(super) type Asynchronous = Slab<Waiting>;

impl World {
    /// Accepts an event for a function: always, whatever happens to it later.
    pub(super) fn invoke_asynchronously(&mut self, function: usize, chain: Chain) -> bool {
        let event = Waiting { function, since: self.now, errors: 0, backs_off: THROTTLED_FIRST, chain };
        let key = self.asynchronous.insert(event);
        self.lambda.functions[function].minutes.at(self.now).asynchronous.received += 1;
        self.try_asynchronous(key);
        true
    }

    /// Tries to run an event.
    pub(super) fn try_asynchronous(&mut self, key: Key) {
        let Some(event) = self.asynchronous.get(key) else { return };
        let (function, since, backs_off, chain) = (event.function, event.since, event.backs_off, event.chain.clone());
        // With reserved concurrency 0, events go to the dead-letter queue at once, without retries.
        if self.lambda.functions[function].limit == Some(0) {
            return self.give_up(key, GivenUp::NoConcurrency);
        }
        let oldest = self.model.functions[function].spec.asynchronous.oldest;
        let age = self.now.since(since);
        if age > oldest {
            return self.give_up(key, GivenUp::TooOld);
        }
        match self.invoke(function, Origin::Asynchronous(key), chain) {
            Ok(()) => {
                let millis = age.micros() as f64 / 1e3;
                let minute = &mut self.lambda.functions[function].minutes.at(self.now).asynchronous;
                minute.age = Some(minute.age.map_or(Datum::of(millis), |datum| datum.with(millis)));
            }
            Err(NotInvoked::Loop) => self.give_up(key, GivenUp::Loop),
            Err(NotInvoked::Throttled) => {
                if let Some(event) = self.asynchronous.get_mut(key) {
                    event.backs_off = (backs_off * 2).min(THROTTLED_AT_MOST);
                }
                // An event is dropped when it becomes too old, even between two attempts.
                let next = (self.now + backs_off).min(since + oldest + Span::from_micros(1));
                self.agenda.at(next, Event::Asynchronous(key));
            }
        }
    }

    /// An attempt has ended.
    pub(super) fn asynchronous_ended(&mut self, key: Key, ending: Ending) {
        let Some(event) = self.asynchronous.get_mut(key) else { return };
        let function = event.function;
        let model = self.model.clone();
        let of = &model.functions[function];
        if !ending.failed() {
            let chain = self.asynchronous.remove(key).map(|event| event.chain).unwrap_or_default();
            if let Some(to) = &of.on_success
                && !self.deliver_to(function, to, chain.through_if(of.in_loop, function))
            {
                self.lambda.functions[function].minutes.at(self.now).asynchronous.destination_failures += 1;
            }
            return;
        }
        let wait = RETRY_AFTER.get(event.errors as usize).copied();
        event.errors += 1;
        match wait {
            Some(wait) if event.errors <= of.spec.asynchronous.retries => {
                self.agenda.at(self.now + wait, Event::Asynchronous(key));
            }
            _ => self.give_up(key, GivenUp::LastRetry),
        }
    }

    /// Gives an event up: it goes to the function's dead-letter queue, and its record to the on-failure destination, as
    /// far as there are any and the function's role allows it.
    fn give_up(&mut self, key: Key, given_up: GivenUp) {
        let Some(Waiting { function, chain, .. }) = self.asynchronous.remove(key) else { return };
        let model = self.model.clone();
        let of = &model.functions[function];
        self.lambda.functions[function].minutes.at(self.now).asynchronous.dropped += 1;
        let chain = chain.through_if(of.in_loop, function);
        let mut send = |to: &Option<CallModel>| to.as_ref().map(|to| self.deliver_to(function, to, chain.clone()));
        let (dead_letter, on_failure) = (send(&of.dead_letter), send(&of.on_failure));
        let minute = &mut self.lambda.functions[function].minutes.at(self.now).asynchronous;
        minute.dead_letter_errors += u32::from(dead_letter == Some(false));
        minute.destination_failures += u32::from(on_failure == Some(false));
        let reached = match (dead_letter, on_failure) {
            (Some(true), Some(true)) => Reached::Both,
            (Some(true), _) => Reached::DeadLetterQueue,
            (_, Some(true)) => Reached::Destination,
            (None, None) => Reached::Nothing,
            _ => Reached::Undelivered,
        };
        self.because(ResourceKind::Function, function, Why::EventGivenUp(given_up, reached));
    }
}

#[cfg(test)]
mod tests {
    use super::super::app::{App, Destination, Duration};
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
            worker.asynchronous.dead_letter = Some(Destination::Queue("orders-dlq".into()));
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
        world.invoke_asynchronously(0, Chain::default());
        for (secs, attempts, lost) in [(1, 1, 0), (61, 1, 0), (62, 2, 0), (182, 2, 0), (183, 3, 1), (4000, 3, 1)] {
            world.run_until(at(secs));
            assert_eq!((ended(&world), dead(&world)), (attempts, lost), "after {secs} s");
        }
    }

    #[test]
    fn a_throttled_event_waits_and_is_not_lost() {
        let mut world = world(&app(Share::NONE));
        world.reserve("payment-worker", Value::Number(1));
        world.invoke_asynchronously(0, Chain::default());
        world.invoke_asynchronously(0, Chain::default());
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
        world.invoke_asynchronously(0, Chain::default());
        assert_eq!((ended(&world), dead(&world)), (0, 1));
    }
}
