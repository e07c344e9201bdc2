//! Work of one minute: invocations of a function, requests of an api. It is stamped with the time when it began, and
//! published when it has ended, all its metrics together: Lambda sends the metrics of an invocation when the function has
//! finished (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics.html>), and their timestamp is that of the
//! invocation, which may be minutes before (.../monitoring-metrics-view.html).
//!
//! So a minute that is read soon after its end lacks what still runs, and has it when it is read again later.

use std::borrow::Cow;

use super::metrics::{Datum, PERIOD, PUBLISHED_AFTER};
use super::sketch::Sketch;
use crate::units::{Span, Time};

/// What ends after its minute is published in steps of this, so that a minute of slow work is a few parts and not one
/// for each invocation.
const STEP: Span = Span::from_secs(10);

/// Work that has ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended {
    pub count: u32,
    pub failed: u32,
    pub took: Sketch,
}

impl Ended {
    fn add(&mut self, failed: bool, took: Span) {
        self.count += 1;
        self.failed += u32::from(failed);
        self.took.add(u32::try_from(took.micros()).unwrap_or(u32::MAX));
    }

    fn merge(&mut self, other: &Ended) {
        self.count += other.count;
        self.failed += other.failed;
        self.took.merge(&other.took);
    }

    /// The statistics of the durations, in milliseconds as CloudWatch has them.
    pub fn millis(&self) -> Option<Datum> {
        let (min, max) = self.took.range()?;
        let millis = |micros: f64| micros / 1e3;
        Some(Datum {
            sum: millis(self.took.sum() as f64),
            min: millis(f64::from(min)),
            max: millis(f64::from(max)),
            count: self.took.count() as f64,
        })
    }
}

/// The work that began in one minute, as far as it has ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Work {
    /// What ended within the minute, and what was late and can be read by now.
    known: Ended,
    /// What ended later, and from when on it can be read, in order.
    late: Vec<(Time, Ended)>,
}

impl Work {
    /// Counts work that began in the minute and ends now.
    pub fn ended(&mut self, began: Time, now: Time, failed: bool, took: Span) {
        while self.late.first().is_some_and(|(readable, _)| *readable <= now) {
            let (_, late) = self.late.remove(0);
            self.known.merge(&late);
        }
        if now <= began.window_start(PERIOD) + PERIOD {
            return self.known.add(failed, took);
        }
        let readable = now.window_start(STEP) + STEP + PUBLISHED_AFTER;
        match self.late.last_mut() {
            Some((at, late)) if *at == readable => late.add(failed, took),
            _ => {
                let mut late = Ended::default();
                late.add(failed, took);
                self.late.push((readable, late));
            }
        }
    }

    /// What can be read by now, of a minute that can be read.
    pub fn published(&self, now: Time) -> Cow<'_, Ended> {
        let mut published = Cow::Borrowed(&self.known);
        for (_, late) in self.late.iter().filter(|(readable, _)| *readable <= now) {
            published.to_mut().merge(late);
        }
        published
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Time {
        Time::from_micros(secs * 1_000_000)
    }

    #[test]
    fn what_ends_after_its_minute_is_read_ninety_to_a_hundred_seconds_after_its_end() {
        let mut work = Work::default();
        work.ended(at(1), at(2), false, Span::from_secs(1));
        work.ended(at(59), at(60), true, Span::from_secs(1));
        work.ended(at(59), at(305), true, Span::from_secs(246));
        let read = |secs| (work.published(at(secs)).count, work.published(at(secs)).failed);
        assert_eq!(read(150), (2, 1));
        assert_eq!(read(399), (2, 1));
        assert_eq!(read(400), (3, 2));
    }

    #[test]
    fn late_work_is_kept_in_as_many_parts_as_are_not_readable_yet() {
        let mut work = Work::default();
        // For a quarter of an hour, a hundred invocations of the first minute end each second.
        for hundredth in 0..90_000 {
            let now = Time::from_micros(60_000_001 + hundredth * 10_000);
            work.ended(at(30), now, false, now.since(at(30)));
            assert!(work.late.len() <= 11, "{}", work.late.len());
        }
        assert_eq!(work.published(at(2000)).count, 90_000);
        assert_eq!(work.published(at(2000)).took.count(), 90_000);
    }
}
