//! Lines in functions' logs that show a fault at work: what is searched for, in which logs, and what was found.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Location;
use super::target::Resource;
use crate::units::Time;

/// The longest list of log groups in one query (CloudWatch Logs quotas).
pub const MOST_GROUPS: usize = 50;

/// A search of the logs of some functions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSearch {
    pub at: Location,
    /// At most [`MOST_GROUPS`].
    pub logs: Vec<FunctionLog>,
    pub trace: Trace,
}

/// The log of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionLog {
    pub function: Resource,
    /// The name of its log group.
    pub group: String,
}

/// What a fault leaves in a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trace {
    /// failure-lambda says that it injects.
    Injected { fault: Injected },
    /// A service refused one of these actions because of an explicit deny. `*` and `?` stand for any characters.
    Denied { actions: Vec<String> },
}

/// A fault that a wrapper injects into an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Injected {
    Latency,
    Error,
    /// Another response; squall's layer alone.
    Response,
    /// A response held until the timeout; squall's layer alone.
    Hang,
}

impl Injected {
    /// All of them.
    pub const ALL: [Injected; 4] = [Injected::Latency, Injected::Error, Injected::Response, Injected::Hang];

    /// The key of its order in the document of squall's layer, and of its flag in that of failure-lambda 1.x; the layer counts by it.
    pub fn key(self) -> &'static str {
        match self {
            Injected::Latency => "latency",
            Injected::Error => "exception",
            Injected::Response => "response",
            Injected::Hang => "hang",
        }
    }
}

/// A minute of the clock in which lines were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedMinute {
    pub from: Time,
    pub lines: u64,
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trace::Injected { fault: Injected::Latency } => f.write_str("lines of the wrapper that injects latency"),
            Trace::Injected { fault: Injected::Error } => f.write_str("lines of the wrapper that injects errors"),
            Trace::Injected { fault: Injected::Response } => {
                f.write_str("lines of the wrapper that replaces responses")
            }
            Trace::Injected { fault: Injected::Hang } => f.write_str("lines of the wrapper that holds responses"),
            Trace::Denied { actions } => write!(f, "lines of an explicit deny of {}", actions.join(", ")),
        }
    }
}

/// The log group of a function that names no other
/// (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html>).
pub fn usual_log_group(function: &str) -> String {
    format!("/aws/lambda/{function}")
}

impl LogSearch {
    /// Where the logs are.
    pub fn location(&self) -> &Location {
        &self.at
    }

    /// The names of the functions whose logs are searched.
    pub fn functions(&self) -> String {
        let names: Vec<&str> = self.logs.iter().map(|log| log.function.name.as_str()).collect();
        names.join(", ")
    }
}
