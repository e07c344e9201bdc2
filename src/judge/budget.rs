//! Service-level objectives: how much of its error budget a run spends. This is book-keeping of what was counted, not a
//! guess about a mean, so it is exact and spends no alpha.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ask::Reading;
use crate::units::Span;

/// `99.9 % over 30d`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// The share of requests that are to be good, below 1.
    pub good: f64,
    /// The time over which that counts.
    pub over: Span,
}

/// `the budget of 99.9 % over 30d`.
impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = Span::from_mins(24 * 60);
        let over = match self.over.micros() % days.micros() {
            0 => format!("{}d", self.over.micros() / days.micros()),
            _ => self.over.to_string(),
        };
        write!(f, "the budget of {} % over {over}", (self.good * 1e8).round() / 1e6)
    }
}

/// What a run spent of a budget. Shares may be above 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spent {
    /// The part of the whole budget that is gone.
    pub share: f64,
    /// The part that would be gone if every request had failed in the windows without data.
    pub at_worst: f64,
    /// How many times as fast as the objective allows, on the average over the windows with data.
    pub burn_rate: f64,
    /// The same, in the worst window.
    pub highest_burn_rate: f64,
}

/// Whether a run kept to its part of the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    Yes,
    No,
    /// It depends on windows without data.
    CannotTell,
}

impl Objective {
    /// How many times as fast as the objective allows a budget goes at this share of failures: 1 spends all of it just in
    /// its time.
    pub fn burn_rate(&self, failed_share: f64) -> f64 {
        failed_share / (1.0 - self.good).max(1e-12)
    }

    /// What these readings of a failed share spend. A budget is a number of failures, so it takes the usual traffic, in
    /// requests per second; `None` when that is nothing.
    pub fn spent(&self, readings: &[Reading], usual_traffic: f64) -> Option<Spent> {
        let budget = (1.0 - self.good) * usual_traffic * self.over.secs_f64();
        if budget.is_nan() || budget <= 0.0 {
            return None;
        }
        let (mut failed, mut requests, mut unseen, mut highest) = (0.0, 0.0, 0.0, 0.0_f64);
        for reading in readings {
            let usual = usual_traffic * reading.to.since(reading.from).secs_f64();
            match reading.value.filter(|share| (0.0..=1.0).contains(share)) {
                Some(share) => {
                    let of = reading.of.map_or(usual, |of| of as f64);
                    failed += share * of;
                    requests += of;
                    highest = highest.max(share);
                }
                None => unseen += usual,
            }
        }
        let mean = if requests > 0.0 { failed / requests } else { 0.0 };
        Some(Spent {
            share: failed / budget,
            at_worst: (failed + unseen) / budget,
            burn_rate: self.burn_rate(mean),
            highest_burn_rate: self.burn_rate(highest),
        })
    }
}

impl Spent {
    /// Whether that is within the part of the budget that the run may spend.
    pub fn within(&self, allowed: f64) -> Kept {
        if self.share > allowed {
            Kept::No
        } else if self.at_worst > allowed {
            Kept::CannotTell
        } else {
            Kept::Yes
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Time;

    const THIRTY_DAYS: Objective = Objective { good: 0.999, over: Span::from_mins(30 * 24 * 60) };

    fn minutes(count: usize, share: Option<f64>) -> Vec<Reading> {
        let missing = Reading::missing(Time::EPOCH, Span::from_mins(1));
        vec![Reading { value: share, of: share.map(|_| 600), ..missing }; count]
    }

    #[test]
    fn it_agrees_with_the_sre_workbook() {
        // The workbook's page: 14.4 times for an hour is 2 % of 30 days' budget; 6 times for 6 hours is 5 %.
        let spent = |rate: f64, count| {
            let spent = THIRTY_DAYS.spent(&minutes(count, Some(rate * 0.001)), 10.0).unwrap();
            assert!((spent.burn_rate - rate).abs() < 1e-9);
            spent.share
        };
        assert!((spent(14.4, 60) - 0.02).abs() < 1e-12);
        assert!((spent(6.0, 360) - 0.05).abs() < 1e-12);
        assert!((spent(1.0, 30 * 24 * 60) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_was_not_seen_may_have_been_spent() {
        // A minute of nothing but failures is 1000 times too fast: 2.3 % of a month's budget.
        let mut readings = minutes(10, Some(0.0));
        readings.extend(minutes(1, None));
        let spent = THIRTY_DAYS.spent(&readings, 10.0).unwrap();
        assert_eq!(spent.share, 0.0);
        assert!((spent.at_worst - 1000.0 / 43_200.0).abs() < 1e-9);
        assert_eq!((spent.within(0.05), spent.within(0.02)), (Kept::Yes, Kept::CannotTell));
        readings.extend(minutes(3, Some(1.0)));
        let spent = THIRTY_DAYS.spent(&readings, 10.0).unwrap();
        assert_eq!(spent.within(0.05), Kept::No);
        assert!((spent.highest_burn_rate - 1000.0).abs() < 1e-6);
        assert_eq!(THIRTY_DAYS.spent(&readings, 0.0), None);
    }
}
