//! Dates and times as people write them in files: `2026-12-24`, `2026-12-24T18:00`, and `12-24` for every year.

use std::fmt;
use std::str::FromStr;

use super::hours::time_of_day;
use super::zone::{DAY, Local, Zone, days_from_date, days_in_month};
use crate::units::Time;

/// A date or a time on a wall clock, of one year or of every year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// `None`: of every year.
    pub year: Option<i64>,
    pub month: u8,
    pub day: u8,
    /// Seconds since midnight; `None`: the whole day.
    pub time: Option<i64>,
}

/// Which end of a day a date without a time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    Begin,
    End,
}

/// Why a text is no date and no time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAMoment(pub String);

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Moment, NotAMoment> {
        let wrong = || NotAMoment(format!("`{text}` is neither a date nor a time"));
        let (date, time) = match text.trim().split_once(['T', ' ']) {
            Some((date, time)) => (date, Some(time_of_day(time.trim()).filter(|time| *time < DAY).ok_or_else(wrong)?)),
            None => (text.trim(), None),
        };
        let number =
            |part: &str, digits: usize| match part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()) {
                true => part.parse::<i64>().map_err(|_| wrong()),
                false => Err(wrong()),
            };
        let parts: Vec<&str> = date.split('-').collect();
        let (year, month, day) = match parts.as_slice() {
            [year, month, day] => (Some(number(year, 4)?), number(month, 2)?, number(day, 2)?),
            [month, day] => (None, number(month, 2)?, number(day, 2)?),
            _ => return Err(wrong()),
        };
        // Of every year: there may be a 29th of February.
        let days = match month {
            1..=12 => days_in_month(year.unwrap_or(2028), month as u8),
            _ => return Err(NotAMoment(format!("`{date}` has no month {month}"))),
        };
        match day {
            day if (1..=i64::from(days)).contains(&day) => {
                Ok(Moment { year, month: month as u8, day: day as u8, time })
            }
            _ => Err(NotAMoment(format!("there is no {date}: that month has {days} days"))),
        }
    }
}

impl Moment {
    /// Its instant in a year. A 29th of February that the year does not have is the end of its 28th.
    pub fn at(self, year: i64, zone: &Zone, edge: Edge) -> Time {
        let year = self.year.unwrap_or(year);
        let midnight = days_from_date(year, self.month, self.day.min(days_in_month(year, self.month))) * DAY;
        let missing = self.day > days_in_month(year, self.month);
        let second = match (self.time, edge) {
            _ if missing => DAY,
            (Some(second), _) => second,
            (None, Edge::Begin) => 0,
            (None, Edge::End) => DAY,
        };
        zone.at(Local(midnight + second)).first()
    }
}

/// As it is written.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(year) = self.year {
            write!(f, "{year:04}-")?;
        }
        write!(f, "{:02}-{:02}", self.month, self.day)?;
        match self.time {
            Some(time) => write!(f, "T{:02}:{:02}", time / 3_600, time / 60 % 60),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_read() {
        for text in ["2026-12-24", "2026-12-24T18:00", "12-24", "02-29", "12-24T06:30"] {
            assert_eq!(text.parse::<Moment>().unwrap().to_string(), text);
        }
        for (text, what) in [
            ("2026-02-30", "there is no 2026-02-30: that month has 28 days"),
            ("2026-13-01", "`2026-13-01` has no month 13"),
            ("2026-1-1", "`2026-1-1` is neither a date nor a time"),
            ("2026-12-24T24:00", "`2026-12-24T24:00` is neither a date nor a time"),
            ("tomorrow", "`tomorrow` is neither a date nor a time"),
        ] {
            assert_eq!(text.parse::<Moment>().unwrap_err().0, what);
        }
    }
}
