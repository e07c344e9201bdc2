//! Counts and what they say: a share with its interval, and the spread of a number over the runs.

use std::fmt;

use crate::judge::special::{share_lower, share_upper};
use crate::numbers::percent;

/// One in twenty intervals does not hold its share.
const CONFIDENCE: f64 = 0.95;

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub hits: usize,
    pub of: usize,
}

impl Counted {
    /// How many of some meet a condition.
    pub fn among<T>(all: &[T], meets: impl Fn(&T) -> bool) -> Counted {
        Counted { hits: all.iter().filter(|one| meets(one)).count(), of: all.len() }
    }

    /// The share itself; of nothing it is none.
    pub fn share(self) -> f64 {
        if self.of == 0 { 0.0 } else { self.hits as f64 / self.of as f64 }
    }

    /// The 95 % interval of Clopper and Pearson, which holds the true share at least so often.
    pub fn interval(self) -> (f64, f64) {
        if self.of == 0 {
            return (0.0, 1.0);
        }
        let (hits, of, tail) = (self.hits as f64, self.of as f64, (1.0 - CONFIDENCE) / 2.0);
        let lower = if self.hits == 0 { 0.0 } else { share_lower(hits, of, tail) };
        (lower, share_upper(hits, of, tail))
    }
}

/// `97 % (94 to 99 %)`.
impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.interval();
        let bare = |share: f64| percent(share).trim_end_matches(" %").to_owned();
        write!(f, "{} ({} to {})", percent(self.share()), bare(low), percent(high))
    }
}

/// Where a number lies in 5, in 50 and in 95 of 100 runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub low: f64,
    pub mid: f64,
    pub high: f64,
}

impl Spread {
    /// Of some values; of none there is none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| quantile(&values, share);
        Some(Spread { low: at(0.05)?, mid: at(0.5)?, high: at(0.95)? })
    }
}

/// A quantile of sorted values, between two of them in proportion (Hyndman and Fan's definition 7).
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let below = sorted.get(place.floor() as usize)?;
    let above = sorted.get(place.ceil() as usize)?;
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_hold_the_share_and_say_so() {
        assert_eq!(Counted { hits: 194, of: 200 }.to_string(), "97 % (93.6 to 98.9 %)");
        assert_eq!(Counted { hits: 0, of: 50 }.to_string(), "0 % (0 to 7.11 %)");
        assert_eq!(Counted { hits: 50, of: 50 }.to_string(), "100 % (92.9 to 100 %)");
        assert_eq!(Counted::default().interval(), (0.0, 1.0));
    }

    #[test]
    fn a_spread_is_of_the_values_in_order() {
        let spread = Spread::of((0..=100).rev().map(f64::from)).unwrap();
        assert_eq!(spread, Spread { low: 5.0, mid: 50.0, high: 95.0 });
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([f64::NAN, 2.0]), Some(Spread { low: 2.0, mid: 2.0, high: 2.0 }));
    }
}
