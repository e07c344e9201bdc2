//! What a bound asks of a window, whatever its kind, as one number: how bad was it, from 0 to 1, and what is tolerated.

use super::betting::Badness;
use super::bound::Bound;
use super::control::Arms;
use crate::units::{Span, Time};

/// One closed window of a signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    pub from: Time,
    pub to: Time,
    /// The value, or `None` when there is none, which is never zero.
    pub value: Option<f64>,
    /// Of how many requests a share was taken, where it is one and the number is known.
    pub of: Option<u64>,
    /// What the signal's control showed in the same window, where it has one that had requests.
    pub control: Option<RequestShare>,
}

/// A share of so many requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RequestShare {
    pub share: f64,
    pub of: u64,
}

/// A bound with a tolerance: the mean badness of the windows is at most so much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ask {
    /// At most this share of all requests: failed ones, or those slower than a limit (a bound on a percentile is one on
    /// the share that is slower: p95 below 800 ms is 5 % slower than 800 ms).
    ShareAtMost(f64),
    /// At least this share of all requests.
    ShareAtLeast(f64),
    /// The share of the requests that fail is at most so many times that of a control, window by window.
    TimesControl { ratio: f64 },
    /// A level, a count or a rate on one side of a limit in all windows but a tolerated share of them.
    Level { bound: Bound, tolerated: f64 },
    /// Data in all windows but a tolerated share of them. Here a window without data is the bad one.
    Fresh { tolerated: f64 },
}

impl Ask {
    /// How bad a window was. `None` when it says nothing.
    pub fn badness(&self, reading: &Reading) -> Option<Badness> {
        let value = reading.value.filter(|value| !value.is_nan());
        let x = match self {
            Ask::TimesControl { ratio } => return reading.arms()?.badness(*ratio),
            Ask::ShareAtMost(_) => value?,
            Ask::ShareAtLeast(_) => 1.0 - value?,
            Ask::Level { bound, .. } => f64::from(u8::from(!bound.holds(value?))),
            Ask::Fresh { .. } => f64::from(u8::from(value.is_none())),
        };
        Some(Badness::full(x.clamp(0.0, 1.0), self.tolerated()))
    }

    /// The mean badness that is tolerated; against a control, the least that is in any window.
    pub fn tolerated(&self) -> f64 {
        match self {
            Ask::ShareAtMost(share) => *share,
            Ask::ShareAtLeast(share) => 1.0 - share,
            Ask::TimesControl { ratio } => ratio / (1.0 + ratio),
            Ask::Level { tolerated, .. } | Ask::Fresh { tolerated } => *tolerated,
        }
    }

    /// Whether the badness of a window is a share of its requests, so that more requests say more. Otherwise the window
    /// itself is what counts, as good or bad.
    pub fn is_share(&self) -> bool {
        matches!(self, Ask::ShareAtMost(_) | Ask::ShareAtLeast(_) | Ask::TimesControl { .. })
    }

    /// Whether a single window is outside of the bound, which does not decide.
    pub fn is_outside(&self, reading: &Reading) -> bool {
        let counts_windows = matches!(self, Ask::Level { .. } | Ask::Fresh { .. });
        let limit = |badness: Badness| if counts_windows { 0.0 } else { badness.tolerated };
        self.badness(reading).is_some_and(|badness| badness.x > limit(badness))
    }

    /// The number of things that a window's badness is a share of.
    pub(super) fn size(&self, reading: &Reading) -> Option<u64> {
        match self {
            // Where nothing failed nothing is bad, though the failures cannot be shared out.
            Ask::TimesControl { .. } => drop(reading.arms()?),
            _ => drop(self.badness(reading)?),
        }
        match self.is_share() {
            // Of a share with an unknown number of requests, as of a window, one is known.
            true => Some(reading.of.unwrap_or(1)).filter(|of| *of > 0),
            false => Some(1),
        }
    }
}

impl Reading {
    /// A window without data.
    pub fn missing(from: Time, every: Span) -> Reading {
        Reading { from, to: from + every, value: None, of: None, control: None }
    }

    /// The signal beside its control. `None` when either has no requests.
    pub(super) fn arms(&self) -> Option<Arms> {
        let (share, of, control) = (self.value?, self.of.filter(|of| *of > 0)?, self.control.filter(|c| c.of > 0)?);
        let failed = |share: f64, of: u64| (share.clamp(0.0, 1.0) * of as f64).round() as u64;
        Some(Arms {
            treated_failed: failed(share, of),
            treated_requests: of,
            control_failed: failed(control.share, control.of),
            control_requests: control.of,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_kind_of_bound_becomes_a_badness() {
        let level = Ask::Level { bound: Bound::Below(5000.0), tolerated: 0.05 };
        let rate = Ask::Level { bound: Bound::AtLeast(100.0), tolerated: 0.05 };
        for (ask, value, x, tolerated) in [
            (Ask::ShareAtMost(0.01), Some(0.2), Some(0.2), 0.01),
            (Ask::ShareAtMost(0.01), None, None, 0.01),
            (Ask::ShareAtLeast(0.99), Some(0.8), Some(0.2), 0.01),
            (level, Some(4999.0), Some(0.0), 0.05),
            (level, Some(5000.0), Some(1.0), 0.05),
            (level, None, None, 0.05),
            (rate, Some(99.0), Some(1.0), 0.05),
            (rate, Some(f64::NAN), None, 0.05),
            (Ask::Fresh { tolerated: 0.1 }, None, Some(1.0), 0.1),
            (Ask::Fresh { tolerated: 0.1 }, Some(0.0), Some(0.0), 0.1),
        ] {
            let badness = ask.badness(&Reading { value, ..Reading::missing(Time::EPOCH, Span::from_mins(1)) });
            assert!(
                badness.is_none() && x.is_none() || badness.is_some_and(|b| (b.x - x.unwrap()).abs() < 1e-12),
                "{ask:?} {value:?} {badness:?}"
            );
            assert!((ask.tolerated() - tolerated).abs() < 1e-12);
        }
    }

    proptest! {
        #[test]
        fn badness_lies_between_none_and_all(value in proptest::num::f64::ANY, limit in 0.001..0.999_f64) {
            for ask in [
                Ask::ShareAtMost(limit),
                Ask::ShareAtLeast(limit),
                Ask::TimesControl { ratio: 10.0 * limit },
                Ask::Level { bound: Bound::Above(limit), tolerated: limit },
                Ask::Fresh { tolerated: limit },
            ] {
                let control = Some(RequestShare { share: limit, of: 100 });
                let missing = Reading::missing(Time::EPOCH, Span::from_mins(1));
                let badness = ask.badness(&Reading { value: Some(value), of: Some(50), control, ..missing });
                prop_assert!(badness.is_none_or(|b| (0.0..=1.0).contains(&b.x)), "{ask:?} {badness:?}");
            }
        }
    }
}
