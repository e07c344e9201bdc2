//! By how much this machine's clock is ahead of a service's, from the dates of its answers.

use crate::units::{Span, Time};

/// The date of an answer has whole seconds.
const DATES_ARE_OF: Span = Span::from_secs(1);

/// Bounds of the difference: the more answers, the closer they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// In microseconds; negative when this machine's clock is behind.
    least: i64,
    most: i64,
}

impl Offset {
    /// From one answer. The service dated it between `sent` and `came`, and its clock was up to a second further than the date
    /// says.
    pub fn of(date: Time, sent: Time, came: Time) -> Offset {
        Offset { least: sent.micros() - (date + DATES_ARE_OF).micros(), most: came.micros() - date.micros() }
    }

    /// Both measurements together. Where they exclude each other a clock was set in between, and the newer one counts.
    #[must_use]
    pub fn and(self, newer: Offset) -> Offset {
        let both = Offset { least: self.least.max(newer.least), most: self.most.min(newer.most) };
        if both.least <= both.most { both } else { newer }
    }

    /// What the account's clock shows when this machine's shows `local`, as the best guess: the middle of what is possible.
    pub fn correct(self, local: Time) -> Time {
        Time::from_micros(local.micros() - self.ahead())
    }

    /// By how many seconds, begun ones included, this machine's clock is ahead at the least; negative when it is behind, and zero as long as the two
    /// may be equal.
    pub fn apart_secs(self) -> i64 {
        let apart = self.least.max(0) + self.most.min(0);
        apart.signum() * apart.abs().div_euclid(1_000_000).saturating_add(i64::from(apart % 1_000_000 != 0))
    }

    /// The same, without its sign.
    pub fn apart(self) -> Span {
        Span::from_micros(self.least.max(0) - self.most.min(0))
    }

    /// In microseconds.
    fn ahead(self) -> i64 {
        self.least.midpoint(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Time {
        Time::from_micros(1_700_000_000_000_000 + millis * 1000)
    }

    /// An answer that the service gave at `service`, by its clock, to a call that took 40 ms.
    fn answer(service: i64, ahead: i64) -> Offset {
        let date = at(service.div_euclid(1000) * 1000);
        Offset::of(date, at(service + ahead - 20), at(service + ahead + 20))
    }

    #[test]
    fn answers_close_in_on_the_difference() {
        for ahead in [-200_000, -3_000, 0, 700, 180_000] {
            let mut known = answer(123_456, ahead);
            for step in 1..20 {
                known = known.and(answer(123_456 + step * 1_370, ahead));
            }
            let off = known.ahead() / 1000 - ahead;
            assert!(off.abs() < 60, "{ahead}: {known:?}");
            assert!((known.apart().millis() - ahead.abs()).abs() < 120, "{ahead}: {known:?}");
        }
    }

    #[test]
    fn a_second_that_is_begun_counts() {
        for (least, most, secs) in
            [(5_100_000, 5_900_000, 6), (-5_900_000, -5_100_000, -6), (5_000_000, 6_000_000, 5), (-1, 1, 0)]
        {
            assert_eq!(Offset { least, most }.apart_secs(), secs, "{least} {most}");
        }
    }

    #[test]
    fn a_clock_that_is_set_is_measured_again() {
        let before = answer(1_500, 0).and(answer(2_500, 0));
        let after = before.and(answer(60_500, -1_200_000));
        assert!(after.apart() > Span::from_mins(19), "{after:?}");
    }
}
