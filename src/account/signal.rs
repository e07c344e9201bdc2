//! What can be measured, and what a measurement says.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::logs::Injected;
use super::target::Resource;
use crate::account::ResourceKind;
use crate::units::{Span, Time};

/// Services keep their metrics by the whole minute of the clock
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html>).
pub const METRIC_PERIOD: Span = Span::from_mins(1);

/// A kind of measurement. Each is about one resource and one window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Messages visible in a queue at the end of the window.
    Depth,
    /// Messages received and neither deleted nor back yet, at the end of the window.
    InFlight,
    /// Messages not yet due, at the end of the window.
    Delayed,
    /// Age in seconds of a queue's oldest message (CloudWatch; blind to a message received three times).
    OldestMessage,
    /// Messages deleted from a queue by its consumers in the window.
    MessagesDone,
    /// Requests of an api, invocations of a function, or messages sent to a queue or topic in the window.
    Calls,
    /// Server-side failures in the window: 5xx of an api, errors of a function.
    Errors,
    /// Errors as a part of calls, 0 to 1. Of a function throttled calls are calls that failed.
    FailedShare,
    /// The part of calls that took longer than a limit, 0 to 1.
    SlowShare { limit: Span },
    /// Mean duration in seconds of a function's invocations or of an api's requests.
    Duration,
    /// The part of the messages sent to a queue in the window that was not deleted in it, 0 to 1.
    UndoneShare,
    /// Throttled invocations in the window.
    Throttles,
    /// The greatest number of invocations at one time in the window.
    Concurrency,
    /// Asynchronous events of a function that were dropped in the window. Where events were received and none was dropped,
    /// it is 0.
    EventsDropped,
    /// Invocations of a function into which squall's layer injected such a fault in the window.
    FaultsInjected { fault: Injected },
    /// Successful writes to a table in the window.
    Writes,
    /// 1 when the alarm is in ALARM at the end of the window, 0 when it is OK.
    AlarmState,
    /// The number that a probe gives. How long after a window's end it is final is the probe's own, and known once its
    /// account was looked at.
    Value { settles: Span },
}

impl Metric {
    /// Whether the metric can be measured on a resource of this kind.
    pub fn applies_to(self, kind: ResourceKind) -> bool {
        use ResourceKind as K;
        match self {
            Metric::Depth
            | Metric::InFlight
            | Metric::Delayed
            | Metric::OldestMessage
            | Metric::MessagesDone
            | Metric::UndoneShare => kind == K::Queue,
            Metric::Calls => matches!(kind, K::Api | K::Function | K::Queue | K::Topic),
            Metric::Errors | Metric::FailedShare | Metric::SlowShare { .. } | Metric::Duration => {
                matches!(kind, K::Api | K::Function)
            }
            Metric::Throttles | Metric::Concurrency | Metric::EventsDropped | Metric::FaultsInjected { .. } => {
                kind == K::Function
            }
            Metric::Writes => kind == K::Table,
            Metric::AlarmState => kind == K::Alarm,
            Metric::Value { .. } => kind == K::Probe,
        }
    }

    /// How long after a window's end its value is final. Queue counts are read from the queue itself and are there at
    /// once; service metrics arrive in 1 to 3 minutes (facts: AWS publication delay), an alarm's state is read directly.
    pub fn delay(self) -> Span {
        match self {
            Metric::Depth | Metric::InFlight | Metric::Delayed | Metric::AlarmState => Span::ZERO,
            Metric::Value { settles } => settles,
            _ => Span::from_secs(120),
        }
    }

    /// Whether the value is a part of a whole, to be shown as a percentage.
    pub fn is_share(self) -> bool {
        matches!(self, Metric::FailedShare | Metric::SlowShare { .. } | Metric::UndoneShare)
    }
}

/// A metric of a resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Query {
    pub metric: Metric,
    pub resource: Resource,
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.resource.name;
        match self.metric {
            Metric::Depth => write!(f, "depth of {name}"),
            Metric::InFlight => write!(f, "messages in flight of {name}"),
            Metric::Delayed => write!(f, "delayed messages of {name}"),
            Metric::OldestMessage => write!(f, "age of {name}"),
            Metric::MessagesDone => write!(f, "messages done of {name}"),
            Metric::Calls => write!(f, "calls of {name}"),
            Metric::Errors => write!(f, "errors of {name}"),
            Metric::FailedShare => write!(f, "failed share of {name}"),
            Metric::SlowShare { limit } => write!(f, "share of {name} slower than {limit}"),
            Metric::Duration => write!(f, "duration of {name}"),
            Metric::UndoneShare => write!(f, "share of messages of {name} left unprocessed"),
            Metric::Throttles => write!(f, "throttles of {name}"),
            Metric::Concurrency => write!(f, "concurrency of {name}"),
            Metric::EventsDropped => write!(f, "dropped events of {name}"),
            Metric::FaultsInjected { fault: Injected::Latency } => {
                write!(f, "invocations of {name} that its layer delayed")
            }
            Metric::FaultsInjected { fault: Injected::Error } => {
                write!(f, "invocations of {name} that its layer failed")
            }
            Metric::FaultsInjected { fault: Injected::Response } => {
                write!(f, "invocations of {name} whose response its layer replaced")
            }
            Metric::FaultsInjected { fault: Injected::Hang } => {
                write!(f, "invocations of {name} that its layer held until the timeout")
            }
            Metric::Writes => write!(f, "writes to {name}"),
            Metric::AlarmState => write!(f, "alarm {name}"),
            Metric::Value { .. } => write!(f, "value of {name}"),
        }
    }
}

/// A stretch of time that starts at `from` and ends before `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    pub from: Time,
    pub to: Time,
}

/// What a measurement of one closed window found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The value, or `None` when there is none: no requests, nothing published. Never to be read as zero.
    pub value: Option<f64>,
    /// Of how many requests a share or a mean was taken, where the metric is one.
    pub of: Option<u64>,
}
