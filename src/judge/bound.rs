//! What a signal is held against.

use serde::{Deserialize, Serialize};

use super::budget::Objective;
use crate::units::{Share, Span};

/// The side of a limit that is steady.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
    Below(f64),
    Above(f64),
    /// An alarm: quiet in the baseline, in ALARM within this time of the first fault being effective, and quiet again
    /// by the end of the recovery.
    FiresWithin(Span),
    /// An alarm that must not be in ALARM.
    StaysQuiet,
    /// At most so many times the baseline.
    TimesBaseline(f64),
    /// At most so many times what the same metric is of an untouched resource at the same time.
    TimesControl(f64),
    /// Of the error budget of an objective the run spends at most this part.
    Spends {
        part: Share,
        objective: Objective,
    },
    /// There is data in every window.
    KeepsComing,
    /// Only watched: a control, or an alarm that is not expected to fire. It has no bound and does not decide.
    Watched,
}

impl Bound {
    /// Whether a signal with this bound, of which so much may be outside, is judged by evidence, and so has a part of a
    /// run's alpha.
    pub fn is_weighed(&self, tolerating: Share) -> bool {
        match self {
            Bound::FiresWithin(_) | Bound::StaysQuiet | Bound::Spends { .. } | Bound::Watched => false,
            Bound::TimesBaseline(_) | Bound::TimesControl(_) | Bound::KeepsComing => true,
            Bound::AtMost(_) | Bound::AtLeast(_) | Bound::Below(_) | Bound::Above(_) => tolerating.get() > 0.0,
        }
    }

    /// Whether a value is on the steady side. An alarm's state is 1 in ALARM and 0 otherwise.
    pub fn holds(&self, value: f64) -> bool {
        match self {
            Bound::AtMost(limit) => value <= *limit,
            Bound::AtLeast(limit) => value >= *limit,
            Bound::Below(limit) => value < *limit,
            Bound::Above(limit) => value > *limit,
            Bound::FiresWithin(_) | Bound::StaysQuiet => value <= 0.0,
            // No single value is outside of these.
            Bound::TimesBaseline(_)
            | Bound::TimesControl(_)
            | Bound::Spends { .. }
            | Bound::KeepsComing
            | Bound::Watched => true,
        }
    }
}
