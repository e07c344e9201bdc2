//! CloudWatch: what services count, minute by minute, and what can be read of it.
//!
//! Invariant: a minute in which a service published nothing has no bucket, and reads as `None`, never as zero.

use std::collections::VecDeque;
use std::sync::Arc;

use super::lambda::by_layer;
use super::sketch::Sketch;
use super::world::World;
use crate::account::{CallError, Metric, Outcome, Query, RefusedBy, Reply, ResourceKind, Sample, Window};
use crate::template::app::Quiet;
use crate::units::{Span, Time};

/// The period of service metrics (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html>).
pub use crate::account::signal::METRIC_PERIOD as PERIOD;
/// A minute's values can be read so long after its end. AWS gives no number; one to three minutes are usual, and
/// [`Metric::delay`] waits for 120 s.
pub const PUBLISHED_AFTER: Span = Span::from_secs(90);
/// How far back can be asked, and longer where an alarm looks further back. A run asks for no more than the longest
/// time-out of a function, 15 minutes, and a few minutes for publication.
const KEPT: Span = Span::from_mins(60);

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
pub(super) trait Minute: Clone + Default {
    /// A metric by its CloudWatch name, as it can be read now; `None` when it was not published.
    fn datum(&self, metric: &str, now: Time) -> Option<Datum>;

    /// Adds the durations of the minute that can be read now, where the service measures any.
    fn durations(&self, _now: Time, _to: &mut Sketch) {}
}

/// The minutes of one resource. Clones share those that are over.
#[derive(Clone, Debug, Default)]
pub(super) struct Minutes<M> {
    /// Start of the minute, in order.
    buckets: VecDeque<(Time, Arc<M>)>,
}

impl<M: Minute> Minutes<M> {
    /// The minute that holds `time`.
    pub fn at(&mut self, time: Time) -> &mut M {
        // Nearly always the newest; an invocation counts in the minute when it began.
        let after = self.buckets.iter().rev().take_while(|(start, _)| *start > time).count();
        let index = self.buckets.len() - after;
        if index == 0 || time >= self.buckets[index - 1].0 + PERIOD {
            self.buckets.insert(index, (time.window_start(PERIOD), Arc::default()));
            return Arc::make_mut(&mut self.buckets[index].1);
        }
        Arc::make_mut(&mut self.buckets[index - 1].1)
    }

    /// Every minute that is kept, by its start.
    pub fn each(&self) -> impl Iterator<Item = (Time, &M)> {
        self.buckets.iter().map(|(start, minute)| (*start, &**minute))
    }

    /// Forgets the minutes that began before this.
    pub fn forget(&mut self, before: Time) {
        while self.buckets.front().is_some_and(|(start, _)| *start < before) {
            self.buckets.pop_front();
        }
    }

    fn within(&self, window: Window, now: Time) -> impl Iterator<Item = &M> {
        let first = self.buckets.partition_point(|(start, _)| *start < window.from);
        let end = window.to.min(now - PUBLISHED_AFTER);
        self.buckets.range(first..).take_while(move |(start, _)| *start + PERIOD <= end).map(|(_, minute)| &**minute)
    }

    /// A metric over the whole minutes of a window, as far as it is published by now.
    pub fn datum(&self, metric: &str, window: Window, now: Time) -> Option<Datum> {
        self.within(window, now).filter_map(|minute| minute.datum(metric, now)).reduce(Datum::merge)
    }

    /// The durations of a window, as far as they are published by now.
    pub fn durations(&self, window: Window, now: Time) -> Sketch {
        let mut all = Sketch::default();
        self.within(window, now).for_each(|minute| minute.durations(now, &mut all));
        all
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

    /// The durations behind a metric.
    pub(super) fn durations(&self, of: Series, window: Window) -> Sketch {
        match of.kind {
            ResourceKind::Function => self.lambda.functions[of.index].minutes.durations(window, self.now),
            ResourceKind::Api => self.http.apis[of.index].durations(window, self.now),
            _ => Sketch::default(),
        }
    }

    /// How far back a metric can be asked.
    fn kept(&self, of: Series) -> Span {
        let looks_back = self.model.alarms.iter().filter_map(|(_, alarm)| alarm.looks_back(of));
        looks_back.map(|span| span + PUBLISHED_AFTER + PERIOD).fold(KEPT, Span::max)
    }

    /// A minute ends: forgets those that can no longer be asked for.
    pub(super) fn forget_old_minutes(&mut self) {
        use ResourceKind as K;
        let now = self.now;
        let before = |world: &World, kind, index| now - world.kept(Series { kind, index });
        for index in 0..self.lambda.functions.len() {
            let before = before(self, K::Function, index);
            self.lambda.functions[index].minutes.forget(before);
        }
        for index in 0..self.queues.queues.len() {
            let before = before(self, K::Queue, index);
            self.queues.queues[index].minutes.forget(before);
        }
        for index in 0..self.http.apis.len() {
            let before = before(self, K::Api, index);
            self.http.apis[index].forget(before);
        }
        for index in 0..self.tables.tables.len() {
            let before = before(self, K::Table, index);
            self.tables.tables[index].minutes.forget(before);
        }
        for index in 0..self.topics.minutes.len() {
            let before = before(self, K::Topic, index);
            self.topics.minutes[index].forget(before);
        }
    }

    /// Whether an alarm has its actions disabled.
    fn is_silent(&self, alarm: &str) -> bool {
        self.model.app.alarms.get(alarm).is_some_and(|alarm| alarm.quiet.contains(&Quiet::Disabled))
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
        let kept = self.kept(of);
        if is_published(query.metric) && window.from >= self.born && window.from < self.now - kept {
            let message = format!("{query}: the sandbox keeps metrics for {kept}; ask for a later window");
            return Err(CallError::Refused { by: RefusedBy::Invalid, message });
        }
        let (minute, length) = (PERIOD.micros(), window.to.since(window.from));
        if is_published(query.metric) && (window.from.micros() % minute != 0 || length.micros() % minute != 0) {
            let message = format!(
                "CloudWatch keeps the {query} by the minute: it cannot be measured every {length}; set `every` to whole minutes"
            );
            return Err(CallError::Refused { by: RefusedBy::Unsupported, message });
        }
        let plain = |value: Option<f64>| Sample { value, of: None };
        let sum = |metric: &str| self.datum(of, metric, window).map(|datum| datum.sum);
        let max = |metric: &str| self.datum(of, metric, window).map(|datum| datum.max);
        let (calls, errors, duration) = names(kind);
        Ok(Reply::Sample(match query.metric {
            Metric::Depth => plain(Some(self.queues.queues[index].depth() as f64)),
            Metric::InFlight => plain(Some(f64::from(self.queues.queues[index].in_flight))),
            Metric::Delayed => plain(Some(f64::from(self.queues.queues[index].delayed))),
            Metric::AlarmState if self.is_silent(&query.resource.name) => {
                let message =
                    format!("the actions of {} are disabled: nothing is notified, whatever its state", query.resource);
                return Err(CallError::Refused { by: RefusedBy::Unsupported, message });
            }
            Metric::AlarmState => plain(self.alarms.value(index)),
            Metric::Value { .. } => plain(None),
            Metric::OldestMessage => plain(max("ApproximateAgeOfOldestMessage")),
            Metric::MessagesDone => plain(sum("NumberOfMessagesDeleted")),
            Metric::Calls => plain(sum(calls)),
            Metric::Errors => plain(sum(errors)),
            Metric::UndoneShare => {
                let done = sum("NumberOfMessagesDeleted").unwrap_or(0.0);
                let sent = sum(calls);
                share((sent.unwrap_or(0.0) - done).max(0.0), sent)
            }
            Metric::Throttles => plain(sum("Throttles")),
            Metric::Concurrency => plain(max("ConcurrentExecutions")),
            Metric::EventsDropped => plain(sum("AsyncEventsDropped").or(sum("AsyncEventsReceived").map(|_| 0.0))),
            Metric::FaultsInjected { fault } => plain(sum(by_layer(fault))),
            Metric::Writes => plain(sum("ConsumedWriteCapacityUnits")),
            Metric::FailedShare if kind == ResourceKind::Function => {
                // Throttled calls are neither invocations nor errors, and failed for their caller.
                let throttled = sum("Throttles").unwrap_or(0.0);
                match (sum(calls).unwrap_or(0.0), sum(errors)) {
                    (called, None) if called > 0.0 => plain(None),
                    (called, failed) => share(failed.unwrap_or(0.0) + throttled, Some(called + throttled)),
                }
            }
            Metric::FailedShare => share(sum(errors).unwrap_or(0.0), sum(calls)),
            Metric::SlowShare { limit } => {
                let durations = self.durations(of, window);
                share(durations.longer_than(limit.micros()) as f64, Some(durations.count() as f64))
            }
            Metric::Duration => match self.datum(of, duration, window) {
                // Both services publish milliseconds.
                Some(datum) => Sample { value: Some(datum.sum / datum.count / 1e3), of: Some(datum.count as u64) },
                None => plain(None),
            },
        }))
    }
}

/// Whether a metric is read from CloudWatch, minute by minute, and not from the service itself.
fn is_published(metric: Metric) -> bool {
    use Metric as M;
    !matches!(metric, M::Depth | M::InFlight | M::Delayed | M::AlarmState | M::Value { .. })
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

    #[derive(Clone, Default)]
    struct Count(f64);

    impl Minute for Count {
        fn datum(&self, _: &str, _: Time) -> Option<Datum> {
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

    #[test]
    fn what_is_older_than_the_sandbox_keeps_is_refused_and_never_read_as_nothing() {
        use crate::account::sandbox::testing::{at, resource, world};
        use crate::account::sandbox::{shop_like, world::World};

        let mut app = shop_like();
        app.mappings.clear();
        let mut world = world(&app);
        let ask = |world: &World, metric, from: Time| {
            let query = Query { metric, resource: resource(ResourceKind::Queue, "orders") };
            let window = Window { from, to: from + PERIOD };
            match world.measure(&query, window) {
                Ok(Reply::Sample(sample)) => Ok(sample.value),
                Ok(other) => panic!("{other:?}"),
                Err(error) => Err(error.to_string()),
            }
        };
        world.send_to("orders", &["{}"]);
        world.run_until(at(3 * 3600));
        assert_eq!(ask(&world, Metric::Calls, at(2 * 3600)), Ok(Some(0.0)));
        let refused = ask(&world, Metric::Calls, at(0)).unwrap_err();
        assert!(refused.contains("the sandbox keeps metrics for 1h"), "{refused}");
        assert_eq!(ask(&world, Metric::Calls, at(0) - PERIOD), Ok(None), "before the sandbox began there was nothing");
        assert_eq!(ask(&world, Metric::Depth, at(0)), Ok(Some(1.0)), "counts are read from the queue itself");
        assert!(world.queues.queues[0].minutes.buckets.len() <= 61);
    }

    #[test]
    fn minutes_are_kept_for_as_long_as_an_alarm_looks_back() {
        use crate::account::sandbox::app::Watches;
        use crate::account::sandbox::shop_like;
        use crate::account::sandbox::testing::{at, world};

        let mut app = shop_like();
        app.mappings.clear();
        let Watches::Threshold(alarm) = &mut app.alarms.get_mut("orders-dlq-alarm").unwrap().watches else { panic!() };
        (alarm.period, alarm.evaluation_periods) = (Span::from_mins(60), 3);
        let mut world = world(&app);
        world.send_to("orders", &["{}"]);
        world.send_to("orders-dlq", &["{}"]);
        world.run_until(at(6 * 3600 - 60));
        let kept = [0, 1].map(|queue| world.queues.queues[queue].minutes.buckets.len());
        assert_eq!(kept, [60, 302], "five periods of an hour, a minute and the delay of publication");
    }

    #[test]
    fn clones_share_the_minutes_that_are_over() {
        let mut minutes = Minutes::<Count>::default();
        (0..60).for_each(|minute| minutes.at(at(minute * 60)).0 += 1.0);
        let mut clone = minutes.clone();
        clone.at(at(59 * 60 + 1)).0 += 1.0;
        let shared = minutes.buckets.iter().zip(&clone.buckets).filter(|((_, a), (_, b))| Arc::ptr_eq(a, b)).count();
        assert_eq!(shared, 59);
        let last = Window { from: at(59 * 60), to: at(60 * 60) };
        let read = |minutes: &Minutes<Count>| minutes.datum("", last, at(10_000)).map(|datum| datum.sum);
        assert_eq!((read(&minutes), read(&clone)), (Some(1.0), Some(2.0)));
    }
}
