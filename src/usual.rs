//! What an application does before any fault, as far as a model of it says: how often a function is called, how many of its calls
//! fail, how long they take. What a fault could show is compared with it before anything is run.

use std::collections::BTreeMap;

use crate::account::Metric;
use crate::ids::ResourceKind;
use crate::units::Span;

/// An application as it is without a fault.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usual {
    pub functions: BTreeMap<String, UsualFunction>,
    /// Requests of APIs and messages sent to queues and topics, a minute, by name. Other resources have none.
    pub arrivals: BTreeMap<(ResourceKind, String), f64>,
    /// Logical ids whose resource has another name: id to name.
    pub ids: BTreeMap<String, String>,
}

/// A function as it is without a fault.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UsualFunction {
    /// Invocations a minute.
    pub calls: f64,
    /// The share of them that fails, 0 to 1.
    pub failed: f64,
    /// How long invocations take: a sample, from the shortest to the longest.
    pub durations: Vec<Span>,
    pub timeout: Span,
    pub role: String,
    /// The permissions that its calls use.
    pub uses: Vec<Use>,
    /// The queues that it consumes.
    pub consumes: Vec<String>,
}

/// A permission that a function's handler uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// `dynamodb:PutItem`.
    pub action: &'static str,
    pub arn: String,
    /// The handler does without an answer.
    pub optional: bool,
}

impl Usual {
    /// A function by its name or logical id.
    pub fn function(&self, name: &str) -> Option<&UsualFunction> {
        self.functions.get(name).or_else(|| self.functions.get(self.ids.get(name)?))
    }

    /// Calls, requests or messages a minute of a resource, by its name or logical id.
    pub fn calls(&self, kind: ResourceKind, name: &str) -> Option<f64> {
        let of = |name: &str| match kind {
            ResourceKind::Function => self.functions.get(name).map(|function| function.calls),
            _ => self.arrivals.get(&(kind, name.to_owned())).copied(),
        };
        of(name).or_else(|| of(self.ids.get(name)?))
    }
}

impl UsualFunction {
    /// The usual value of a share; nothing of any other metric.
    pub fn share(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::FailedShare => Some(self.failed),
            Metric::SlowShare { limit } => {
                let slow = self.durations.iter().filter(|duration| **duration > limit).count();
                Some(slow as f64 / self.durations.len().max(1) as f64)
            }
            _ => None,
        }
    }

    /// How many run at one time, on the average (Little's law).
    pub fn running(&self) -> f64 {
        let total: f64 = self.durations.iter().map(|duration| duration.secs_f64()).sum();
        self.calls / 60.0 * total / self.durations.len().max(1) as f64
    }
}
