//! A model of an account, in virtual time: what it knows beside what can be measured. A prediction asks it.

use super::{Account, Window};
use crate::units::Time;

/// An account that is a model.
pub trait Modelled: Account + Send {
    /// How many messages waited in each queue at the end of each minute: visible, in flight and delayed together.
    fn backlogs(&self) -> Vec<Backlog>;

    /// What the application used in the whole minutes of a window.
    fn usage(&self, window: Window) -> Usage;
}

/// One queue's messages over time, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    pub queue: String,
    /// Whether messages come here from another queue that gave them up.
    pub is_dead_letter: bool,
    /// The end of each minute, and how many messages waited then.
    pub minutes: Vec<(Time, u32)>,
}

/// What an application used, in the units that AWS bills.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Lambda: requests, and gigabytes times seconds.
    pub invocations: f64,
    pub gb_seconds: f64,
    /// API Gateway: requests, and those of them that were answered with a 5xx or a 429.
    pub api_requests: f64,
    pub api_failed: f64,
    /// SQS: sends, receives and deletes. A receive that found nothing is not modelled.
    pub queue_requests: f64,
    /// DynamoDB: write request units.
    pub table_writes: f64,
    /// SNS: messages published.
    pub published: f64,
}

impl std::ops::Add for Usage {
    type Output = Usage;

    fn add(self, other: Usage) -> Usage {
        Usage {
            invocations: self.invocations + other.invocations,
            gb_seconds: self.gb_seconds + other.gb_seconds,
            api_requests: self.api_requests + other.api_requests,
            api_failed: self.api_failed + other.api_failed,
            queue_requests: self.queue_requests + other.queue_requests,
            table_writes: self.table_writes + other.table_writes,
            published: self.published + other.published,
        }
    }
}

impl std::ops::Mul<f64> for Usage {
    type Output = Usage;

    fn mul(self, times: f64) -> Usage {
        Usage {
            invocations: self.invocations * times,
            gb_seconds: self.gb_seconds * times,
            api_requests: self.api_requests * times,
            api_failed: self.api_failed * times,
            queue_requests: self.queue_requests * times,
            table_writes: self.table_writes * times,
            published: self.published * times,
        }
    }
}
