//! Alarms of an application, as CloudWatch has them.

use std::collections::BTreeMap;
use std::fmt;

use crate::units::Span;

/// A CloudWatch alarm.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    pub watches: Watches,
    /// Why its actions may not run. Its state changes all the same; a hypothesis judges the state.
    pub quiet: Vec<Quiet>,
}

/// Why the actions of an alarm that changes its state may not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quiet {
    /// `ActionsEnabled: false`.
    Disabled,
    /// An alarm mute rule mutes it by the clock, in words: `cron(0 2 * * *) for PT4H`.
    Muted { rule: String, schedule: String },
    /// `ActionsSuppressor`: while another alarm is in ALARM.
    Suppressed { by: String },
}

impl fmt::Display for Quiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Quiet::Disabled => write!(f, "its actions are disabled"),
            Quiet::Muted { rule, schedule } => write!(f, "the rule {rule} mutes its actions ({schedule})"),
            Quiet::Suppressed { by } => write!(f, "its actions are suppressed while {by} is in ALARM"),
        }
    }
}

/// What an alarm looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Watches {
    /// A metric, or an expression of metrics, against a threshold.
    Threshold(Threshold),
    /// Other alarms, by a rule such as `ALARM(a) AND NOT ALARM(b)`.
    Alarms { rule: String },
    /// Something else, in words that end "the alarm watches ...".
    Other(String),
}

/// An alarm's metric and what is asked of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    pub values: Values,
    pub period: Span,
    pub evaluation_periods: u32,
    pub datapoints_to_alarm: u32,
    pub threshold: f64,
    pub comparison: Comparison,
    pub missing: MissingData,
}

/// Where an alarm's data points come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    Metric(AlarmMetric),
    /// Metrics by their ids, and expressions of them; `returns` is the id of the one that is compared.
    Math {
        metrics: BTreeMap<String, AlarmMetric>,
        expressions: BTreeMap<String, String>,
        returns: String,
    },
}

/// A metric as an alarm names it: CloudWatch keeps a series for each namespace, name, exact set of dimensions and unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmMetric {
    /// `AWS/SQS`.
    pub namespace: String,
    /// `ApproximateNumberOfMessagesVisible`.
    pub name: String,
    /// `QueueName` to `orders`.
    pub dimensions: BTreeMap<String, String>,
    /// `Sum`, `Average`, `Maximum`, `Minimum`, `SampleCount`, `p99`.
    pub statistic: String,
    /// `Seconds`, where the alarm asks for one unit only.
    pub unit: Option<String>,
}

/// How an alarm compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// What an alarm makes of a period without data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingData {
    Missing,
    NotBreaching,
    Breaching,
    Ignore,
}
