//! CloudWatch: what services count, minute by minute, and what can be read of it.
//!
//! Invariant: a minute in which a service published nothing has no bucket, and reads as `None`, never as zero.

use std::collections::VecDeque;

use super::world::World;
use crate::account::{CallError, Metric, Outcome, Query, RefusedBy, Reply, ResourceKind, Sample, Window};
use crate::units::{Span, Time};

/// The period of service metrics (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html>).
pub const PERIOD: Span = Span::from_mins(1);
/// A minute's values can be read so long after its end. AWS gives no number; one to three minutes are usual, and
/// [`Metric::delay`] waits for 120 s.
pub const PUBLISHED_AFTER: Span = Span::from_secs(90);
/// How long minutes are kept here; a run reads only recent ones.
pub(super) const KEPT: Span = Span::from_secs(6 * 3600);

/// The statistics of one metric over a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Datum {
    pub sum: f64,
    pub min: f64,
    pub max: f64,
    /// The number of values.
    pub count: f64,
}

impl Datum {
    /// One value.
    pub fn of(value: f64) -> Datum {
        Datum { sum: value, min: value, max: value, count: 1.0 }
    }

    /// As many samples as there are `of`, each of them 1 or 0: an average is a rate, as Lambda and API Gateway publish it.
    pub fn ones(ones: u32, of: u32) -> Option<Datum> {
        let truth = |holds: bool| if holds { 1.0 } else { 0.0 };
        let (min, max) = (truth(ones == of), truth(ones > 0));
        (of > 0).then(|| Datum { sum: f64::from(ones), min, max, count: f64::from(of) })
    }

    /// One more value.
    pub fn with(self, value: f64) -> Datum {
        self.merge(Datum::of(value))
    }

    fn merge(self, other: Datum) -> Datum {
        Datum {
            sum: self.sum + other.sum,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            count: self.count + other.count,
        }
    }
}

/// What one service publishes about one resource for one minute.
pub(super) trait Minute: Default {
    /// A metric by its CloudWatch name; `None` when it was not published.
    fn datum(&self, metric: &str) -> Option<Datum>;

    /// The durations of the minute in microseconds, where the service measures any.
    fn durations(&self) -> &[u32] {
        &[]
    }
}

/// The minutes of one resource.
#[derive(Clone, Debug, Default)]
pub(super) struct Minutes<M> {
    /// Start of the minute, in order.
    buckets: VecDeque<(Time, M)>,
}

impl<M: Minute> Minutes<M> {
    /// The minute that holds `time`.
    pub fn at(&mut self, time: Time) -> &mut M {
        // Nearly always the newest; an invocation counts in the minute when it began.
        let after = self.buckets.iter().rev().take_while(|(start, _)| *start > time).count();
        let index = self.buckets.len() - after;
        if index == 0 || time >= self.buckets[index - 1].0 + PERIOD {
            self.buckets.insert(index, (time.window_start(PERIOD), M::default()));
            while self.buckets.front().is_some_and(|(start, _)| time.since(*start) > KEPT) {
                self.buckets.pop_front();
            }
            let index = self.buckets.partition_point(|(start, _)| *start <= time);
            return &mut self.buckets[index - 1].1;
        }
        &mut self.buckets[index - 1].1
    }

    fn within(&self, window: Window, now: Time) -> impl Iterator<Item = &M> {
        let shown = move |start: Time| {
            start >= window.from && start + PERIOD <= window.to && start + PERIOD + PUBLISHED_AFTER <= now
        };
        self.buckets.iter().filter(move |(start, _)| shown(*start)).map(|(_, minute)| minute)
    }

    /// A metric over the whole minutes of a window that are published by now.
    pub fn datum(&self, metric: &str, window: Window, now: Time) -> Option<Datum> {
        self.within(window, now).filter_map(|minute| minute.datum(metric)).reduce(Datum::merge)
    }

    /// The durations of a window, in microseconds.
    pub fn durations(&self, window: Window, now: Time) -> Vec<u32> {
        self.within(window, now).flat_map(|minute| minute.durations().iter().copied()).collect()
    }
}

/// A resource whose metrics can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Series {
    pub kind: ResourceKind,
    pub index: usize,
}

impl World {
    /// A metric by its CloudWatch name over whole minutes that are published by now.
    pub(super) fn datum(&self, of: Series, metric: &str, window: Window) -> Option<Datum> {
        let now = self.now;
        match of.kind {
            ResourceKind::Function => self.lambda.functions[of.index].minutes.datum(metric, window, now),
            ResourceKind::Queue => self.queues.queues[of.index].minutes.datum(metric, window, now),
            ResourceKind::Api => self.http.apis[of.index].datum(metric, window, now),
            ResourceKind::Table => self.tables.tables[of.index].minutes.datum(metric, window, now),
            ResourceKind::Topic => self.topics.minutes[of.index].datum(metric, window, now),
            ResourceKind::Role | ResourceKind::Parameter | ResourceKind::Alarm | ResourceKind::Probe => None,
        }
    }

    /// The durations behind a metric, in microseconds, not ordered.
    pub(super) fn durations(&self, of: Series, window: Window) -> Vec<u32> {
        match of.kind {
            ResourceKind::Function => self.lambda.functions[of.index].minutes.durations(window, self.now),
            ResourceKind::Api => self.http.apis[of.index].durations(window, self.now),
            _ => Vec::new(),
        }
    }

    /// Measures a signal: queue counts and alarms are read from the service itself, the rest from CloudWatch.
    pub(super) fn measure(&self, query: &Query, window: Window) -> Outcome {
        let index = self.index_of(&query.resource)?;
        let kind = query.resource.kind;
        if !query.metric.applies_to(kind) {
            let message = format!("{query}: there is no such metric of a {}", kind.word());
            return Err(CallError::Refused { by: RefusedBy::Invalid, message });
        }
        let of = Series { kind, index };
        let plain = |value: Option<f64>| Sample { value, of: None };
        let sum = |metric: &str| self.datum(of, metric, window).map(|datum| datum.sum);
        let max = |metric: &str| self.datum(of, metric, window).map(|datum| datum.max);
        let (calls, errors, duration) = names(kind);
        Ok(Reply::Sample(match query.metric {
            Metric::Depth => plain(Some(self.queues.queues[index].depth() as f64)),
            Metric::InFlight => plain(Some(f64::from(self.queues.queues[index].in_flight))),
            Metric::Delayed => plain(Some(f64::from(self.queues.queues[index].delayed))),
            Metric::AlarmState => plain(self.alarms.value(index)),
            Metric::Value { .. } => plain(None),
            Metric::OldestMessage => plain(max("ApproximateAgeOfOldestMessage")),
            Metric::MessagesDone => plain(sum("NumberOfMessagesDeleted")),
            Metric::Calls => plain(sum(calls)),
            Metric::Errors => plain(sum(errors)),
            Metric::Throttles => plain(sum("Throttles")),
            Metric::Concurrency => plain(max("ConcurrentExecutions")),
            Metric::EventsDropped => plain(sum("AsyncEventsDropped").or(sum("AsyncEventsReceived").map(|_| 0.0))),
            Metric::Writes => plain(sum("ConsumedWriteCapacityUnits")),
            Metric::FailedShare => share(sum(errors).unwrap_or(0.0), sum(calls)),
            Metric::SlowShare { limit } => {
                let durations = self.durations(of, window);
                let slow = durations.iter().filter(|micros| i64::from(**micros) > limit.micros()).count();
                share(slow as f64, (!durations.is_empty()).then_some(durations.len() as f64))
            }
            Metric::Duration => match self.datum(of, duration, window) {
                // Both services publish milliseconds.
                Some(datum) => Sample { value: Some(datum.sum / datum.count / 1e3), of: Some(datum.count as u64) },
                None => plain(None),
            },
        }))
    }
}

/// The CloudWatch names of a kind's requests, failures and durations.
fn names(kind: ResourceKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        ResourceKind::Api => ("Count", "5xx", "Latency"),
        ResourceKind::Queue => ("NumberOfMessagesSent", "", ""),
        ResourceKind::Topic => ("NumberOfMessagesPublished", "NumberOfNotificationsFailed", ""),
        _ => ("Invocations", "Errors", "Duration"),
    }
}

fn share(part: f64, whole: Option<f64>) -> Sample {
    match whole {
        Some(whole) if whole > 0.0 => Sample { value: Some(part / whole), of: Some(whole as u64) },
        _ => Sample { value: None, of: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Count(f64);

    impl Minute for Count {
        fn datum(&self, _: &str) -> Option<Datum> {
            Some(Datum::of(self.0))
        }
    }

    fn at(secs: i64) -> Time {
        Time::from_micros(secs * 1_000_000)
    }

    #[test]
    fn minutes_are_clock_aligned_and_late_counts_find_theirs() {
        let mut minutes = Minutes::<Count>::default();
        for secs in [30, 59, 60, 119, 125, 58, 61] {
            minutes.at(at(secs)).0 += 1.0;
        }
        let read = |from, to| minutes.datum("", Window { from: at(from), to: at(to) }, at(1000)).map(|datum| datum.sum);
        assert_eq!(read(0, 60), Some(3.0));
        assert_eq!(read(60, 120), Some(3.0));
        assert_eq!(read(0, 180), Some(7.0));
        assert_eq!(read(180, 240), None);
        assert_eq!(read(30, 60), None, "half a minute is not published");
    }

    #[test]
    fn a_minute_is_not_there_before_it_is_published() {
        let mut minutes = Minutes::<Count>::default();
        minutes.at(at(10)).0 += 1.0;
        let window = Window { from: at(0), to: at(60) };
        assert_eq!(minutes.datum("", window, at(149)), None);
        assert!(minutes.datum("", window, at(150)).is_some());
    }
}
