//! Why calls failed and messages died, as a model of an account knows it: a closed list, each of one kind of resource.

use std::fmt;

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
    /// Of a queue: as many pollers as its consumer may have were busy, and messages waited.
    PollersBusy,
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
            Why::PollersBusy => "every poller that the consumer may have is busy",
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

impl Why {
    /// Whether a call failed or a message died of it. The other reasons are only a limit that was reached.
    pub fn is_failure(self) -> bool {
        self != Why::PollersBusy
    }

    /// Whether a message or an event is lost by it: nothing holds it any more.
    pub fn is_loss(self) -> bool {
        matches!(self, Why::Expired | Why::EventGivenUp(_, Reached::Nothing | Reached::Undelivered))
    }

    /// The limit that was reached, where it is one; a handler that fails by itself reaches none.
    pub fn limit(self) -> Option<Limit> {
        Some(match self {
            Why::Throttled | Why::EventGivenUp(GivenUp::NoConcurrency, _) => Limit::Concurrency,
            Why::PollersBusy => Limit::Pollers,
            Why::CallThrottled => Limit::WriteUnits,
            Why::TimedOut | Why::GatewayTimedOut => Limit::TimeOut,
            Why::ReceivedTooOften => Limit::Receives,
            Why::Expired | Why::EventGivenUp(GivenUp::TooOld, _) => Limit::Retention,
            Why::OverApiLimit | Why::SendThrottled => Limit::Requests,
            _ => return None,
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

/// What a resource can run out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Invocations at one time: reserved concurrency, or the account's.
    Concurrency,
    /// Batches that an event source mapping has in hand at one time.
    Pollers,
    /// A table's provisioned writes.
    WriteUnits,
    /// A function's time-out, or how long a gateway waits.
    TimeOut,
    /// How often a message may be received: `maxReceiveCount` times the visibility timeout.
    Receives,
    /// How long a message or an event is kept.
    Retention,
    /// Requests a second that an API or a FIFO queue takes.
    Requests,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::Concurrency => "concurrency",
            Limit::Pollers => "pollers",
            Limit::WriteUnits => "write units",
            Limit::TimeOut => "its time-out",
            Limit::Receives => "receives (maxReceiveCount times the visibility timeout)",
            Limit::Retention => "retention",
            Limit::Requests => "requests a second",
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
