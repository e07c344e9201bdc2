//! Why calls failed and messages died: a count for each reason and resource. There are only so many of both, so that the
//! counts stay small however long the sandbox runs.

use std::collections::BTreeMap;
use std::fmt;

use super::world::World;
use crate::account::ResourceKind;
use crate::units::Time;

/// Why something did not go well at a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Of a function: an invocation found no free concurrency.
    Throttled,
    /// Of a function: the handler failed by itself.
    HandlerFailed,
    /// Of a function: the fault wrapper answered in the handler's place.
    FaultInjected,
    /// Of a function: its time was over.
    TimedOut,
    /// Of a function: a handler failed on a bad message.
    BadMessage,
    /// Of a function: a handler discarded a bad message.
    BadMessageDiscarded,
    /// Of a function: its role does not allow an action.
    NotAllowed(&'static str),
    /// Of a function: a call failed by itself, as the traffic file says.
    CallFailed,
    /// Of a function: a service that the handler called throttled it.
    CallThrottled,
    /// Of a function: what a handler sent was larger than the service takes.
    TooLarge,
    /// Of a function: Lambda stopped it in a loop.
    LoopStopped,
    /// Of a function: Lambda gave up an asynchronous event.
    EventGivenUp(GivenUp, Reached),
    /// Of a queue: a message was received too often and went to the dead-letter queue.
    ReceivedTooOften,
    /// Of a queue: a message was older than the queue keeps.
    Expired,
    /// Of a queue: a message was larger than the queue takes.
    RefusedAsTooLarge,
    /// Of a FIFO queue: it takes only so many sends a second.
    SendThrottled,
    /// Of an API: the account's limit of requests was reached.
    OverApiLimit,
    /// Of an API: the function took longer than the gateway waits.
    GatewayTimedOut,
    /// Of an API: the function failed, or was throttled.
    IntegrationFailed,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Throttled => "throttled: no free concurrency",
            Why::HandlerFailed => "the handler failed by itself",
            Why::FaultInjected => "the fault wrapper injected an error",
            Why::TimedOut => "the function's timeout was reached",
            Why::BadMessage => "the handler failed on a bad message",
            Why::BadMessageDiscarded => "the handler discarded a bad message",
            Why::NotAllowed(action) => return write!(f, "the role does not allow {action}"),
            Why::CallFailed => "a call to a dependency failed",
            Why::CallThrottled => "a call was throttled by the service called",
            Why::TooLarge => "a call sent more than the service accepts",
            Why::LoopStopped => "Lambda stopped a recursive loop",
            Why::EventGivenUp(given_up, reached) => {
                return write!(f, "an asynchronous event {given_up} and {reached}");
            }
            Why::ReceivedTooOften => "received too often, moved to the dead-letter queue",
            Why::Expired => "expired: older than the retention period",
            Why::RefusedAsTooLarge => "refused: larger than the queue's maximum message size",
            Why::SendThrottled => "throttled: over the 300 sends a second of a FIFO queue without high throughput",
            Why::OverApiLimit => "429: over the account's request limit",
            Why::GatewayTimedOut => "504: the function took longer than the gateway waits",
            Why::IntegrationFailed => "5xx: the function failed or was throttled",
        })
    }
}

/// Why Lambda gave up an asynchronous event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GivenUp {
    /// Its last retry failed.
    LastRetry,
    /// It was older than the function's configuration allows.
    TooOld,
    /// The function's reserved concurrency is 0.
    NoConcurrency,
    /// Lambda stopped it in a loop.
    Loop,
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GivenUp::LastRetry => "failed its last retry",
            GivenUp::TooOld => "exceeded its maximum age",
            GivenUp::NoConcurrency => "found reserved concurrency 0",
            GivenUp::Loop => "was stopped in a recursive loop",
        })
    }
}

/// What an asynchronous event that was given up reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    DeadLetterQueue,
    Destination,
    Both,
    /// It has neither: the event is lost.
    Nothing,
    /// It has one or both, which could not be reached: the event is lost.
    Undelivered,
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reached::DeadLetterQueue => "was sent to the dead-letter queue",
            Reached::Destination => "was sent to the on-failure destination",
            Reached::Both => "was sent to the dead-letter queue and the on-failure destination",
            Reached::Nothing => "was lost: the function has no dead-letter queue and no on-failure destination",
            Reached::Undelivered => "was lost: it could not be sent to the dead-letter queue or on-failure destination",
        })
    }
}

/// How often something happened for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub kind: ResourceKind,
    pub name: String,
    pub why: Why,
    pub count: u64,
    /// The first and the last time.
    pub first: Time,
    pub last: Time,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reason { kind, name, why, count, first, last } = self;
        write!(f, "{} {name}: {why} ({count} times, {first} to {last})", kind.word())
    }
}

#[derive(Clone, Copy, Debug)]
struct Tally {
    count: u64,
    first: Time,
    last: Time,
}

/// Every reason so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Reasons(BTreeMap<(ResourceKind, usize, Why), Tally>);

impl World {
    /// Counts a reason at a resource.
    pub(super) fn because(&mut self, kind: ResourceKind, index: usize, why: Why) {
        self.because_of(kind, index, why, 1);
    }

    /// Counts a reason that held so many times at once.
    pub(super) fn because_of(&mut self, kind: ResourceKind, index: usize, why: Why, times: u64) {
        if times == 0 {
            return;
        }
        let now = self.now;
        let fresh = Tally { count: 0, first: now, last: now };
        let tally = self.reasons.0.entry((kind, index, why)).or_insert(fresh);
        tally.count += times;
        tally.last = now;
    }

    /// Why calls failed and messages died since this world began, by resource.
    pub fn reason_counts(&self) -> Vec<Reason> {
        let reason = |(&(kind, index, why), tally): (&(ResourceKind, usize, Why), &Tally)| {
            let names = match kind {
                ResourceKind::Queue => self.model.queues.names(),
                ResourceKind::Api => self.model.apis.names(),
                _ => self.model.functions.names(),
            };
            let name = names.get(index).cloned().unwrap_or_default();
            Reason { kind, name, why, count: tally.count, first: tally.first, last: tally.last }
        };
        self.reasons.0.iter().map(reason).collect()
    }

    /// The reasons as lines, those that happened most first.
    pub(super) fn told_reasons(&self) -> Vec<String> {
        let mut reasons = self.reason_counts();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        reasons.iter().map(ToString::to_string).collect()
    }

    /// How often something happened for a reason at the resource of this name.
    #[cfg(test)]
    pub(super) fn count_of(&self, name: &str, why: Why) -> u64 {
        self.reason_counts().iter().filter(|reason| reason.name == name && reason.why == why).map(|r| r.count).sum()
    }
}
