//! The words of sentences: metrics, comparisons, and what a metric's number counts.

use crate::account::Metric;
use crate::judge::bound::Bound;
use crate::units::{Share, Span};

/// The words of each metric that stand before `of` and a name. The first of each metric is the usual one.
pub(super) const METRICS: &[(&str, Metric)] = &[
    ("depth", Metric::Depth),
    ("messages in flight", Metric::InFlight),
    ("delayed messages", Metric::Delayed),
    ("age", Metric::OldestMessage),
    ("age of the oldest message", Metric::OldestMessage),
    ("messages done", Metric::MessagesDone),
    ("calls", Metric::Calls),
    ("requests", Metric::Calls),
    ("invocations", Metric::Calls),
    ("errors", Metric::Errors),
    ("failed share", Metric::FailedShare),
    ("share", Metric::SlowShare { limit: Span::ZERO }),
    ("duration", Metric::Duration),
    ("throttles", Metric::Throttles),
    ("concurrency", Metric::Concurrency),
    ("dropped events", Metric::EventsDropped),
    ("writes", Metric::Writes),
    ("value", Metric::Value { settles: Span::ZERO }),
];

/// What others call a metric.
pub(super) const SYNONYMS: &[(&str, &str)] = &[
    ("latency", "duration"),
    ("response time", "duration"),
    ("length", "depth"),
    ("size", "depth"),
    ("backlog", "depth"),
    ("error rate", "failed share"),
    ("error share", "failed share"),
    ("failures", "errors"),
    ("5xx", "errors"),
    ("traffic", "calls"),
    ("slow share", "share"),
];

/// Makes a bound of a number.
pub(super) type Compare = fn(f64) -> Bound;

/// The words of a comparison. Each may follow `is`, `are`, `stays` or `stay`.
pub(super) const COMPARISONS: &[(&[&str], Compare)] = &[
    (&["at", "most"], Bound::AtMost),
    (&["at", "least"], Bound::AtLeast),
    (&["no", "more", "than"], Bound::AtMost),
    (&["no", "less", "than"], Bound::AtLeast),
    (&["below"], Bound::Below),
    (&["above"], Bound::Above),
    (&["<="], Bound::AtMost),
    (&[">="], Bound::AtLeast),
    (&["<"], Bound::Below),
    (&[">"], Bound::Above),
];

/// What follows a number that counts times the baseline.
pub(super) const TIMES_BASELINE: [&str; 3] = ["x baseline", "times the baseline", "x the baseline"];

/// What follows a number that counts times a control, before `that of`.
pub(super) const TIMES: [&str; 2] = ["x", "times"];

/// What a metric's number counts, and so how it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    Share,
    Time,
}

impl Unit {
    pub(super) fn of(metric: Metric) -> Unit {
        match metric {
            _ if metric.is_share() => Unit::Share,
            Metric::OldestMessage | Metric::Duration => Unit::Time,
            _ => Unit::Count,
        }
    }

    pub(super) fn describe(self) -> (&'static str, &'static str) {
        match self {
            Unit::Count => ("a number", "5000"),
            Unit::Share => ("a share", "1 %"),
            Unit::Time => ("a duration", "5m"),
        }
    }

    pub(super) fn read(self, text: &str) -> Option<f64> {
        match self {
            Unit::Count => {
                let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && text.len() <= 18;
                text.parse().ok().filter(|_| plain)
            }
            Unit::Share => text.parse::<Share>().ok().map(Share::get),
            Unit::Time => text.parse::<Span>().ok().map(Span::secs_f64),
        }
    }
}
