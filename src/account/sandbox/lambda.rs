//! Lambda: functions, how many of them may run at once, and the instances that they run in.
//!
//! An invocation takes the newest idle instance, else a new one, else it is throttled. Instances that are not looked at do
//! not need an event to expire: when the next invocation looks, the clock tells which ones are gone.

use std::collections::BinaryHeap;
use std::sync::Arc;

use super::app::{Function, Loops};
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
use crate::account::{Injected, ResourceKind};
use crate::units::{Span, Time};

/// The metric `FaultsInjected` of squall's layer (`layer/src/report.rs`), by the fault, in the order of [`Injected::ALL`].
const BY_LAYER: [&str; 4] = [
    "FaultsInjected of latency",
    "FaultsInjected of exception",
    "FaultsInjected of response",
    "FaultsInjected of hang",
];

/// The name under which the layer's count of a fault is kept.
pub(super) fn by_layer(fault: Injected) -> &'static str {
    let [delayed, failed, answered, held] = BY_LAYER;
    match fault {
        Injected::Latency => delayed,
        Injected::Error => failed,
        Injected::Response => answered,
        Injected::Hang => held,
    }
}
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
    /// One of provisioned concurrency: there from the start, and for as long as the model runs.
    provisioned: bool,
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
        if self.provisioned { Time::NEVER } else { self.idle_since + KEEP_ALIVE }
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
    /// What squall's layer counts: invocations by the fault that it injected, in the order of [`Injected::ALL`].
    layer: [u32; 4],
}

impl FunctionMinute {
    /// The layer injects a fault into an invocation.
    pub fn injected(&mut self, fault: Injected) {
        for (known, count) in Injected::ALL.into_iter().zip(&mut self.layer) {
            *count += u32::from(known == fault);
        }
    }
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
            _ => {
                let injected = BY_LAYER.iter().zip(self.layer).find(|(name, _)| **name == metric);
                injected.and_then(|(_, of)| count(of))
            }
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
    /// Provisioned concurrency of its versions and aliases together.
    provisioned: u32,
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
    fn new(name: &str, spec: &Function, seed: u64, now: Time) -> FunctionState {
        let Function { reserved, provisioned, .. } = *spec;
        // The newest is taken first: those that are provisioned, before any other.
        let ready = |number| Instance { number, born: now, idle_since: now, provisioned: true, flags: None };
        FunctionState {
            reserved,
            limit: reserved,
            provisioned,
            chance: Chance::of(seed, &format!("function {name}")),
            minutes: Minutes::default(),
            running: 0,
            running_since: now,
            idle: (0..provisioned).map(|number| ready(u32::MAX - number)).collect(),
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
        Some(Instance { number: self.instances, born: now, idle_since: now, provisioned: false, flags: None })
    }

    /// Concurrency that it takes from what the others share, used or not.
    fn set_aside(&self) -> u32 {
        self.reserved.unwrap_or(self.provisioned)
    }

    /// How many of those that run take from what functions without a reservation share.
    fn shared_running(&self) -> u32 {
        if self.limit.is_some() { 0 } else { self.running.saturating_sub(self.provisioned) }
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
        let functions = functions.map(|(name, of)| FunctionState::new(name, &of.spec, seed, now)).collect();
        let account = model.app.account_concurrency;
        let mut lambda =
            Lambda { functions, invocations: Slab::default(), unreserved: 0, unreserved_running: 0, account };
        lambda.divide();
        lambda
    }

    /// What all the functions but this one set aside.
    pub fn reserved_by_others(&self, index: usize) -> u32 {
        let others = self.functions.iter().enumerate().filter(|(i, _)| *i != index);
        others.map(|(_, function)| function.set_aside()).sum()
    }

    /// What all the functions set aside.
    pub fn reserved(&self) -> u32 {
        self.functions.iter().map(FunctionState::set_aside).sum()
    }

    /// The reserved concurrency of a function begins to work as it was written.
    pub fn apply_reserved(&mut self, index: usize) {
        self.functions[index].limit = self.functions[index].reserved;
        self.divide();
    }

    /// Divides the account's concurrency between those with a reservation and the others.
    fn divide(&mut self) {
        let aside = self.functions.iter().map(|function| function.limit.unwrap_or(function.provisioned));
        self.unreserved = self.account.saturating_sub(aside.sum());
        self.unreserved_running = self.functions.iter().map(FunctionState::shared_running).sum();
    }

    /// An instance for one more invocation of a function, and whether it is new.
    fn admit(&mut self, index: usize, now: Time) -> Result<(Instance, bool), Throttled> {
        let state = &mut self.functions[index];
        let room = match state.limit {
            Some(limit) => state.running < limit,
            None => state.running < state.provisioned || self.unreserved_running < self.unreserved,
        };
        if !room {
            return Err(Throttled);
        }
        let (instance, cold) = match state.warm(now) {
            Some(instance) => (instance, false),
            None => (state.new_instance(now).ok_or(Throttled)?, true),
        };
        let shared = state.shared_running();
        state.count_running(now, 1);
        self.unreserved_running += state.shared_running() - shared;
        Ok((instance, cold))
    }

    /// An invocation has ended; its instance is idle now, or gone after a time-out. One that is provisioned is replaced
    /// at once.
    pub fn release(&mut self, index: usize, mut instance: Instance, keep: bool, now: Time) {
        let state = &mut self.functions[index];
        let shared = state.shared_running();
        state.count_running(now, -1);
        self.unreserved_running -= shared - state.shared_running();
        if keep || instance.provisioned {
            instance.flags = instance.flags.filter(|_| keep);
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
mod tests;
