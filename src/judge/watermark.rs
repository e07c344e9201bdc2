//! Windows in order, out of samples that come late, twice, in any order, or not at all.
//!
//! Invariant: windows come out in order, each once, and what comes out depends on which samples came before their window's
//! watermark, on nothing else about their order. A window that has closed is never revised, so a replay of what came out
//! gives the live verdict.

use std::collections::BTreeMap;

use super::ask::Reading;
use crate::units::{Span, Time};

/// Puts the samples of one signal in order. A window closes when its sample is there and those before it have closed; at its
/// watermark it closes without.
#[derive(Clone, Debug, PartialEq)]
pub struct Watermark {
    every: Span,
    /// How long after a window's end its samples are waited for.
    patience: Span,
    /// Start of the next window to close.
    next: Time,
    waiting: BTreeMap<Time, (Option<f64>, Option<u64>)>,
}

impl Watermark {
    /// Windows of length `every` from `first` on, each closed so long after its end at the latest.
    pub fn from(first: Time, every: Span, patience: Span) -> Watermark {
        let every = every.max(Span::from_micros(1));
        Watermark { every, patience, next: first, waiting: BTreeMap::new() }
    }

    /// Takes in what was measured of the window that starts at `from`, `None` where it is sure that there is nothing. Of
    /// two samples of one window the first counts. A sample of no window of this signal is dropped, and so is one whose
    /// window has closed.
    pub fn arrives(&mut self, from: Time, value: Option<f64>, of: Option<u64>) {
        if from >= self.next && from.since(self.next).micros() % self.every.micros() == 0 {
            self.waiting.entry(from).or_insert((value, of));
        }
    }

    /// The windows that close by `now`, in order. One without a sample is one without data.
    pub fn close(&mut self, now: Time) -> Vec<Reading> {
        let mut closed = Vec::new();
        while self.closes_at() <= now || self.waiting.contains_key(&self.next) {
            let mut reading = Reading::missing(self.next, self.every);
            if let Some((value, of)) = self.waiting.remove(&self.next) {
                (reading.value, reading.of) = (value, of);
            }
            closed.push(reading);
            self.next += self.every;
        }
        closed
    }

    /// Start of the next window to close.
    pub fn next(&self) -> Time {
        self.next
    }

    /// When the next window closes at the latest.
    pub fn closes_at(&self) -> Time {
        self.next + self.every + self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::ask::Ask;
    use crate::judge::betting::Wager;
    use proptest::prelude::*;

    const EVERY: Span = Span::from_mins(1);
    const PATIENCE: Span = Span::from_mins(3);

    fn minute(number: i64) -> Time {
        Time::EPOCH + EVERY * number
    }

    #[test]
    fn a_window_waits_for_those_before_it_and_is_never_revised() {
        let values = |closed: Vec<Reading>| closed.iter().map(|reading| reading.value).collect::<Vec<_>>();
        let mut watermark = Watermark::from(minute(0), EVERY, PATIENCE);
        watermark.arrives(minute(1), Some(0.2), Some(60));
        watermark.arrives(minute(1), Some(0.3), Some(60));
        watermark.arrives(minute(0) + Span::from_secs(1), Some(0.9), None);
        assert_eq!(watermark.closes_at(), minute(4));
        assert_eq!(watermark.close(minute(4) - Span::from_micros(1)), []);
        assert_eq!(values(watermark.close(minute(4))), [None, Some(0.2)]);
        watermark.arrives(minute(0), Some(0.1), None);
        assert_eq!((watermark.close(minute(4)), watermark.next()), (Vec::new(), minute(2)));
        watermark.arrives(minute(2), Some(0.4), None);
        watermark.arrives(minute(3), None, None);
        assert_eq!(values(watermark.close(minute(4))), [Some(0.4), None]);
    }

    /// The evidence after each window, when these samples come in this order, a second apart, and time passes meanwhile.
    fn live(samples: &[(i64, Option<f64>)], windows: i64) -> Vec<f64> {
        let mut watermark = Watermark::from(minute(0), EVERY, PATIENCE);
        let mut wager = Wager::over(30);
        let ask = Ask::ShareAtMost(0.05);
        let mut evidence = Vec::new();
        for &(number, value) in samples {
            watermark.arrives(minute(number), value, None);
            let closed = watermark.close(minute(number) + EVERY);
            evidence.extend(closed.iter().map(|reading| wager.observe(ask.badness(reading))));
        }
        let rest = watermark.close(minute(windows) + PATIENCE);
        evidence.extend(rest.iter().map(|reading| wager.observe(ask.badness(reading))));
        evidence
    }

    proptest! {
        /// Samples that come up to two windows late, with some missing, judge as those that come in order.
        #[test]
        fn out_of_order_is_judged_as_in_order(
            samples in proptest::collection::vec((proptest::option::of(0.0..=1.0_f64), 0_i64..=2, 0..5), 1..40),
        ) {
            let windows = i64::try_from(samples.len()).unwrap();
            let in_order: Vec<(i64, i64, Option<f64>)> = (0..)
                .zip(&samples)
                .filter(|(_, (_, _, gone))| *gone != 0)
                .map(|(number, (value, late, _))| (number, *late, *value))
                .collect();
            let mut shuffled = in_order.clone();
            shuffled.sort_by_key(|(number, late, _)| number + late);
            let strip = |samples: Vec<(i64, i64, Option<f64>)>| -> Vec<(i64, Option<f64>)> {
                samples.into_iter().map(|(number, _, value)| (number, value)).collect()
            };
            prop_assert_eq!(live(&strip(shuffled), windows), live(&strip(in_order), windows));
        }
    }
}
