//! Lambda: functions, how many of them may run at once, and the instances that they run in.
//!
//! An invocation takes the newest idle instance, else a new one, else it is throttled. Instances that nobody looks at do
//! not need an event to expire: when the next invocation looks, the clock tells which ones are gone.

use std::collections::BinaryHeap;
use std::sync::Arc;

use super::app::Loops;
use super::chain::Chain;
use super::chance::Chance;
use super::invocation::{Invocation, Origin};
use super::limit::TokenBucket;
use super::metrics::{Datum, Minute, Minutes};
use super::model::Model;
use super::reasons::Why;
use super::sketch::Sketch;
use super::slab::Slab;
use super::work::Work;
use super::world::World;
use super::wrapper::Flags;
use crate::account::ResourceKind;
use crate::units::{Span, Time};

/// An idle instance is kept so long. AWS documents none; ten minutes were measured most often, and SimFaaS takes them.
const KEEP_ALIVE: Span = Span::from_secs(600);
/// A function may start so many instances at once, and then [`SCALING_PER_SECOND`] (1,000 every ten seconds, refilled
/// continuously, unused ones do not add up): <https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html>
const SCALING_BURST: f64 = 1000.0;
const SCALING_PER_SECOND: f64 = 100.0;

/// Too many run already, or too many were started just now: `TooManyRequestsException`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Throttled;

/// Why Lambda did not invoke a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotInvoked {
    Throttled,
    /// It is in a loop: `RecursiveInvocationException`.
    Loop,
}

/// An execution environment.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    /// Counts a function's instances; the newest one is taken first.
    number: u32,
    born: Time,
    idle_since: Time,
    /// What the fault wrapper read last, and when.
    pub flags: Option<(Time, Arc<Flags>)>,
}

impl PartialEq for Instance {
    fn eq(&self, other: &Instance) -> bool {
        self.number == other.number
    }
}

impl Eq for Instance {}

impl PartialOrd for Instance {
    fn partial_cmp(&self, other: &Instance) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Instance {
    fn cmp(&self, other: &Instance) -> std::cmp::Ordering {
        self.number.cmp(&other.number)
    }
}

impl Instance {
    fn dies(&self) -> Time {
        self.idle_since + KEEP_ALIVE
    }
}

/// What a function did so far, for known answers and benches; CloudWatch shows less.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FunctionTotals {
    /// Invocations that were asked for.
    pub requests: u64,
    /// Of them, those that were throttled.
    pub throttled: u64,
    /// Those that began in a new instance.
    pub cold: u64,
    /// Those that ended, well or not.
    pub ended: u64,
    pub errors: u64,
    /// Seconds from invocation to end, summed over those that ended.
    pub sojourn_secs: f64,
    /// The integral over time of the number that run.
    pub running_secs: f64,
    /// The integral over time of the number of instances, idle ones too.
    pub instance_secs: f64,
}

/// What Lambda publishes about a function for one minute
/// (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>): invocations, errors and durations by the
/// time of the invocation and at its end; throttles are counted apart, and at once.
#[derive(Clone, Debug, Default)]
pub(super) struct FunctionMinute {
    pub work: Work,
    pub throttles: u32,
    pub concurrency: u32,
    pub asynchronous: AsyncMinute,
    pub loops_stopped: u32,
}

/// What Lambda publishes about a function's asynchronous events for one minute.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AsyncMinute {
    pub received: u32,
    pub dropped: u32,
    /// From the acceptance of an event to each of its invocations, in milliseconds.
    pub age: Option<Datum>,
    pub dead_letter_errors: u32,
    pub destination_failures: u32,
}

impl Minute for FunctionMinute {
    fn datum(&self, metric: &str, now: Time) -> Option<Datum> {
        let ended = self.work.published(now);
        let count = |count: u32| Datum::ones(count, count);
        match metric {
            "Invocations" => count(ended.count),
            // One sample an invocation, 0 or 1: the average is the error rate.
            "Errors" => Datum::ones(ended.failed, ended.count),
            "Throttles" => Datum::ones(self.throttles, ended.count + self.throttles),
            "ConcurrentExecutions" => (self.concurrency > 0).then(|| Datum::of(f64::from(self.concurrency))),
            "Duration" => ended.millis(),
            "AsyncEventsReceived" => count(self.asynchronous.received),
            "AsyncEventAge" => self.asynchronous.age,
            "AsyncEventsDropped" => count(self.asynchronous.dropped),
            "DeadLetterErrors" => count(self.asynchronous.dead_letter_errors),
            "DestinationDeliveryFailures" => count(self.asynchronous.destination_failures),
            "RecursiveInvocationsDropped" => count(self.loops_stopped),
            _ => None,
        }
    }

    fn durations(&self, now: Time, to: &mut Sketch) {
        to.merge(&self.work.published(now).took);
    }
}

/// A function as it is now.
#[derive(Clone, Debug)]
pub(super) struct FunctionState {
    /// Reserved concurrency as it was written.
    pub reserved: Option<u32>,
    /// Reserved concurrency as it works.
    pub limit: Option<u32>,
    pub chance: Chance,
    pub minutes: Minutes<FunctionMinute>,
    pub running: u32,
    running_since: Time,
    idle: BinaryHeap<Instance>,
    instances: u32,
    scaling: TokenBucket,
    totals: FunctionTotals,
}

impl FunctionState {
    fn new(name: &str, reserved: Option<u32>, seed: u64, now: Time) -> FunctionState {
        FunctionState {
            reserved,
            limit: reserved,
            chance: Chance::of(seed, &format!("function {name}")),
            minutes: Minutes::default(),
            running: 0,
            running_since: now,
            idle: BinaryHeap::new(),
            instances: 0,
            scaling: TokenBucket::full(SCALING_BURST, SCALING_PER_SECOND, now),
            totals: FunctionTotals::default(),
        }
    }

    /// The newest idle instance that is still there. Expired ones on the way are buried with the time of their death.
    fn warm(&mut self, now: Time) -> Option<Instance> {
        while let Some(instance) = self.idle.pop() {
            if instance.dies() > now {
                return Some(instance);
            }
            self.totals.instance_secs += instance.dies().since(instance.born).secs_f64();
        }
        None
    }

    fn new_instance(&mut self, now: Time) -> Option<Instance> {
        if !self.scaling.take(now) {
            return None;
        }
        self.instances += 1;
        Some(Instance { number: self.instances, born: now, idle_since: now, flags: None })
    }

    fn count_running(&mut self, now: Time, change: i32) {
        self.totals.running_secs += f64::from(self.running) * now.since(self.running_since).secs_f64();
        self.running_since = now;
        self.running = self.running.saturating_add_signed(change);
    }
}

/// Every function, in the order of the model.
#[derive(Clone, Debug)]
pub(super) struct Lambda {
    pub functions: Vec<FunctionState>,
    pub invocations: Slab<Invocation>,
    /// What functions without reserved concurrency share, and how many of them run.
    unreserved: u32,
    unreserved_running: u32,
    account: u32,
}

impl Lambda {
    pub fn new(model: &Model, seed: u64, now: Time) -> Lambda {
        let functions = model.functions.iter();
        let functions = functions.map(|(name, of)| FunctionState::new(name, of.spec.reserved, seed, now)).collect();
        let account = model.app.account_concurrency;
        let mut lambda =
            Lambda { functions, invocations: Slab::default(), unreserved: 0, unreserved_running: 0, account };
        lambda.divide();
        lambda
    }

    /// What all the functions but this one reserve.
    pub fn reserved_by_others(&self, index: usize) -> u32 {
        let others = self.functions.iter().enumerate().filter(|(i, _)| *i != index);
        others.filter_map(|(_, function)| function.reserved).sum()
    }

    /// What all the functions reserve.
    pub fn reserved(&self) -> u32 {
        self.functions.iter().filter_map(|function| function.reserved).sum()
    }

    /// The reserved concurrency of a function begins to work as it was written.
    pub fn apply_reserved(&mut self, index: usize) {
        self.functions[index].limit = self.functions[index].reserved;
        self.divide();
    }

    /// Divides the account's concurrency between those with a reservation and the others.
    fn divide(&mut self) {
        let reserved: u32 = self.functions.iter().filter_map(|function| function.limit).sum();
        self.unreserved = self.account.saturating_sub(reserved);
        let others = self.functions.iter().filter(|function| function.limit.is_none());
        self.unreserved_running = others.map(|function| function.running).sum();
    }

    /// An instance for one more invocation of a function, and whether it is new.
    fn admit(&mut self, index: usize, now: Time) -> Result<(Instance, bool), Throttled> {
        let state = &mut self.functions[index];
        let room = match state.limit {
            Some(limit) => state.running < limit,
            None => self.unreserved_running < self.unreserved,
        };
        if !room {
            return Err(Throttled);
        }
        let (instance, cold) = match state.warm(now) {
            Some(instance) => (instance, false),
            None => (state.new_instance(now).ok_or(Throttled)?, true),
        };
        state.count_running(now, 1);
        if state.limit.is_none() {
            self.unreserved_running += 1;
        }
        Ok((instance, cold))
    }

    /// An invocation has ended; its instance is idle now, or gone after a time-out.
    pub fn release(&mut self, index: usize, mut instance: Instance, keep: bool, now: Time) {
        let state = &mut self.functions[index];
        state.count_running(now, -1);
        if state.limit.is_none() {
            self.unreserved_running -= 1;
        }
        if keep {
            instance.idle_since = now;
            state.idle.push(instance);
        } else {
            state.totals.instance_secs += now.since(instance.born).secs_f64();
        }
    }
}

impl World {
    /// Invokes a function, at the end of a chain of requests. The end of it is told to `origin`, if it is invoked.
    pub(super) fn invoke(&mut self, function: usize, origin: Origin, chain: Chain) -> Result<(), NotInvoked> {
        let now = self.now;
        let stops = self.model.functions[function].spec.loops == Loops::Stopped;
        let state = &mut self.lambda.functions[function];
        state.totals.requests += 1;
        if stops && chain.is_loop(function) {
            state.minutes.at(now).loops_stopped += 1;
            self.because(ResourceKind::Function, function, Why::LoopStopped);
            return Err(NotInvoked::Loop);
        }
        match self.lambda.admit(function, now) {
            Err(Throttled) => {
                let state = &mut self.lambda.functions[function];
                state.totals.throttled += 1;
                state.minutes.at(now).throttles += 1;
                self.because(ResourceKind::Function, function, Why::Throttled);
                Err(NotInvoked::Throttled)
            }
            Ok((instance, cold)) => {
                let state = &mut self.lambda.functions[function];
                state.totals.cold += u64::from(cold);
                let minute = state.minutes.at(now);
                minute.concurrency = minute.concurrency.max(state.running);
                self.begin(function, origin, instance, cold, chain);
                Ok(())
            }
        }
    }

    /// Counts an invocation that ended.
    pub(super) fn count_ended(&mut self, function: usize, invoked: Time, took: Span, failed: bool) {
        let state = &mut self.lambda.functions[function];
        state.totals.ended += 1;
        state.totals.errors += u64::from(failed);
        state.totals.sojourn_secs += self.now.since(invoked).secs_f64();
        state.minutes.at(invoked).work.ended(invoked, self.now, failed, took);
    }

    /// What a function did so far; `None` when there is none of this name.
    pub fn function_totals(&self, name: &str) -> Option<FunctionTotals> {
        let index = self.model.functions.index(name)?;
        let state = &self.lambda.functions[index];
        let mut totals = state.totals;
        totals.running_secs += f64::from(state.running) * self.now.since(state.running_since).secs_f64();
        let idle = state.idle.iter().map(|instance| instance.dies().min(self.now).since(instance.born));
        let busy = self.lambda.invocations.iter().filter(|invocation| invocation.function == index);
        let busy = busy.map(|invocation| self.now.since(invocation.instance.born));
        totals.instance_secs += idle.chain(busy).map(Span::secs_f64).sum::<f64>();
        Some(totals)
    }

    /// What runs over the turn of a minute counts in both.
    pub(super) fn note_concurrency(&mut self) {
        for state in &mut self.lambda.functions {
            if state.running > 0 {
                state.minutes.at(self.now).concurrency = state.running;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::app::{App, Duration};
    use super::super::shop_like;
    use super::super::testing::{at, world};
    use super::*;
    use crate::account::ResourceKind::Function;
    use crate::account::{Metric, Value};

    /// One function that takes exactly so long and calls nobody.
    fn app(takes: Span) -> App {
        let mut app = shop_like();
        app.mappings.clear();
        app.account_concurrency = 100_000;
        if let Some(worker) = app.functions.get_mut("payment-worker") {
            worker.duration = Duration::Constant(takes);
            worker.cold_start = Duration::Constant(Span::from_millis(100));
            worker.calls.clear();
            worker.environment.clear();
        }
        app
    }

    fn totals(world: &World) -> FunctionTotals {
        world.function_totals("payment-worker").unwrap()
    }

    fn invoke(world: &mut World, times: u32) -> usize {
        (0..times).filter(|_| world.invoke(0, Origin::Outside, Chain::default()).is_ok()).count()
    }

    #[test]
    fn a_thousand_instances_start_at_once_and_a_hundred_a_second_after_that() {
        let mut app = app(Span::from_secs(600));
        app.functions.get_mut("payment-worker").unwrap().timeout = Span::from_secs(900);
        let mut world = world(&app);
        assert_eq!(invoke(&mut world, 3000), 1000);
        world.run_until(at(1));
        assert_eq!(invoke(&mut world, 3000), 100);
        world.run_until(at(60));
        assert_eq!(invoke(&mut world, 3000), 1000, "what is not used does not add up");
    }

    #[test]
    fn an_idle_instance_is_taken_again_for_ten_minutes() {
        let mut world = world(&app(Span::from_secs(1)));
        invoke(&mut world, 1);
        world.run_until(at(600));
        invoke(&mut world, 1);
        assert_eq!(totals(&world).cold, 1);
        world.run_until(at(601 + 600));
        invoke(&mut world, 1);
        assert_eq!(totals(&world).cold, 2);
        world.run_until(at(2000));
        // Two lives: until 601 + 600, and 600 s longer than the last invocation took with its cold start.
        let want = 1201.0 + 601.1;
        assert!((totals(&world).instance_secs - want).abs() < 1e-6, "{}", totals(&world).instance_secs);
    }

    #[test]
    fn an_invocation_ends_at_the_time_out_and_its_instance_with_it() {
        let mut world = world(&app(Span::from_secs(60)));
        invoke(&mut world, 1);
        world.run_until(at(5));
        assert_eq!(totals(&world).ended, 0);
        world.run_until(at(6));
        let FunctionTotals { ended, errors, sojourn_secs, .. } = totals(&world);
        assert_eq!((ended, errors, sojourn_secs), (1, 1, 5.1));
        invoke(&mut world, 1);
        assert_eq!(totals(&world).cold, 2);
    }

    #[test]
    fn reserved_concurrency_is_a_cap_and_zero_stops_everything() {
        let mut world = world(&app(Span::from_secs(1)));
        world.reserve("payment-worker", Value::Number(2));
        assert_eq!(invoke(&mut world, 5), 2);
        world.reserve("payment-worker", Value::Number(0));
        world.run_until(at(10));
        assert_eq!(totals(&world).ended, 2, "what runs is not stopped");
        assert_eq!(invoke(&mut world, 5), 0);
        world.reserve("payment-worker", Value::Unset);
        assert_eq!(invoke(&mut world, 5), 5);
    }

    #[test]
    fn throttles_are_neither_invocations_nor_errors() {
        let mut world = world(&app(Span::from_secs(1)));
        world.reserve("payment-worker", Value::Number(2));
        invoke(&mut world, 5);
        world.run_until(at(300));
        let value = |metric| world.value(metric, Function, "payment-worker", 0..1);
        assert_eq!(value(Metric::Calls), Some(2.0));
        assert_eq!(value(Metric::Errors), Some(0.0));
        assert_eq!(value(Metric::Throttles), Some(3.0));
        assert_eq!(value(Metric::Concurrency), Some(2.0));
        assert_eq!(value(Metric::Duration), Some(1.0));
        assert_eq!(value(Metric::SlowShare { limit: Span::from_millis(999) }), Some(1.0));
        assert_eq!(value(Metric::SlowShare { limit: Span::from_secs(1) }), Some(0.0));
        assert_eq!(value(Metric::FailedShare), Some(0.6), "what is throttled failed for its caller");
    }

    #[test]
    fn slow_failures_come_late_and_count_in_the_minute_in_which_they_began() {
        let mut app = app(Span::from_secs(400));
        app.functions.get_mut("payment-worker").unwrap().timeout = Span::from_secs(250);
        let mut world = world(&app);
        world.run_until(at(10));
        invoke(&mut world, 3);
        world.reserve("payment-worker", Value::Number(0));
        invoke(&mut world, 2);
        let read = |world: &World| {
            let value = |metric| world.value(metric, Function, "payment-worker", 0..1);
            [Metric::Calls, Metric::Errors, Metric::Throttles, Metric::Duration].map(value)
        };
        world.run_until(at(60 + 120));
        assert_eq!(read(&world), [None, None, Some(2.0), None], "two minutes after its end");
        // They end at 260.1 s, after a cold start of 100 ms.
        world.run_until(at(359));
        assert_eq!(read(&world), [None, None, Some(2.0), None]);
        world.run_until(at(360));
        assert_eq!(read(&world), [Some(3.0), Some(3.0), Some(2.0), Some(250.0)]);
        world.run_until(at(60 + 120 + 250));
        let later = world.value(Metric::Calls, Function, "payment-worker", 1..6);
        assert_eq!(later, None, "nothing is counted where it ended");
    }

    #[test]
    fn a_minute_without_invocations_has_no_numbers() {
        let mut world = world(&app(Span::from_secs(1)));
        world.run_until(at(300));
        for metric in [Metric::Calls, Metric::Errors, Metric::FailedShare, Metric::Throttles, Metric::Duration] {
            assert_eq!(world.value(metric, Function, "payment-worker", 0..1), None, "{metric:?}");
        }
    }

    #[test]
    fn slow_settings_work_later_than_they_are_written() {
        let weather = super::super::Weather { slow_settings: Span::from_secs(5), ..super::super::Weather::calm() };
        let mut world = world(&app(Span::from_secs(1))).with_weather(weather);
        world.reserve("payment-worker", Value::Number(0));
        assert_eq!(invoke(&mut world, 1), 1);
        world.run_until(at(6));
        assert_eq!(invoke(&mut world, 1), 0);
    }
}
