//! Time zones: what a wall clock shows at an instant, and at which instant it shows a time.

use crate::units::Time;

/// A reading of a wall clock: seconds since 1970-01-01T00:00 as that clock counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Local(pub i64);

/// Seconds of a day on a wall clock.
pub const DAY: i64 = 86_400;
/// Seconds of a week on a wall clock.
pub const WEEK: i64 = 7 * DAY;

/// When a wall clock shows a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    Once(Time),
    /// The clock is put back over it: it shows it twice.
    Twice(Time, Time),
    /// The clock is put forward over it: it never shows it, and jumps at this instant.
    Never(Time),
}

impl Reading {
    /// The one instant that a schedule takes: the first of two; of none, the jump.
    pub fn first(self) -> Time {
        match self {
            Reading::Once(at) | Reading::Twice(at, _) | Reading::Never(at) => at,
        }
    }
}

/// A zone of the IANA database, as a table of offsets from 2000 to 2100. After 2100 the last offset stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: String,
    /// From when on each offset holds, in seconds since the Unix epoch; the first is `i64::MIN`.
    from: Vec<i64>,
    /// Seconds east of UTC.
    offsets: Vec<i64>,
}

const FIRST: i64 = 946_684_800;
const LAST: i64 = 4_102_444_800;
/// No two offsets of a zone lie further apart, the day that Samoa left out included.
const WIDEST: i64 = 26 * 3_600;

impl Zone {
    /// The zone with an IANA name such as `Europe/Berlin`; `None` when the database has none of that name.
    pub fn named(name: &str) -> Option<Zone> {
        let zone = jiff::tz::TimeZone::get(name).ok()?;
        let first = jiff::Timestamp::from_second(FIRST).ok()?;
        let mut from = vec![i64::MIN];
        let mut offsets = vec![i64::from(zone.to_offset(first).seconds())];
        for transition in zone.following(first) {
            let (at, offset) = (transition.timestamp().as_second(), i64::from(transition.offset().seconds()));
            if at > LAST {
                break;
            }
            // Only the name or the daylight flag changes.
            if offsets.last() != Some(&offset) {
                from.push(at);
                offsets.push(offset);
            }
        }
        Some(Zone { name: zone.iana_name().unwrap_or(name).to_owned(), from, offsets })
    }

    /// Coordinated universal time.
    pub fn utc() -> Zone {
        Zone { name: "UTC".into(), from: vec![i64::MIN], offsets: vec![0] }
    }

    /// Its name in the IANA database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the wall clock shows, to the second.
    pub fn local(&self, at: Time) -> Local {
        let seconds = seconds(at);
        Local(seconds + self.offsets[self.period(seconds)])
    }

    /// When the wall clock shows `local`.
    pub fn at(&self, local: Local) -> Reading {
        let (first, last) = (self.period(local.0 - WIDEST), self.period(local.0 + WIDEST));
        if first == last {
            return Reading::Once(time(local.0 - self.offsets[first]));
        }
        let mut found: Option<Time> = None;
        for period in first..=last {
            let at = local.0 - self.offsets[period];
            if self.from[period] <= at && at < self.end(period) {
                if let Some(earlier) = found {
                    return Reading::Twice(earlier, time(at));
                }
                found = Some(time(at));
            }
        }
        if let Some(at) = found {
            return Reading::Once(at);
        }
        // In no period: after the end of one and before the start of the next.
        let jump = (first + 1..=last).find(|period| local.0 - self.offsets[*period] < self.from[*period]);
        Reading::Never(time(self.from[jump.unwrap_or(last)]))
    }

    /// The offset that holds at an instant, in seconds, and the instant at which it ends, in seconds since the Unix epoch.
    pub fn offset(&self, at: Time) -> (i64, i64) {
        let period = self.period(seconds(at));
        (self.offsets[period], self.end(period))
    }

    fn end(&self, period: usize) -> i64 {
        self.from.get(period + 1).copied().unwrap_or(i64::MAX)
    }

    fn period(&self, seconds: i64) -> usize {
        self.from.partition_point(|from| *from <= seconds).saturating_sub(1)
    }
}

/// Whole seconds since the Unix epoch.
pub fn seconds(at: Time) -> i64 {
    at.micros().div_euclid(1_000_000)
}

/// The instant so many seconds after the Unix epoch.
pub fn time(seconds: i64) -> Time {
    Time::from_micros(seconds.saturating_mul(1_000_000))
}

impl Local {
    /// Midnight of a date.
    pub fn midnight(year: i64, month: u8, day: u8) -> Local {
        Local(days_from_date(year, month, day) * DAY)
    }

    /// The number of its day, and the second in it.
    pub fn split(self) -> (i64, i64) {
        (self.0.div_euclid(DAY), self.0.rem_euclid(DAY))
    }

    /// The second of its week, which begins on Monday.
    pub fn second_of_week(self) -> i64 {
        // 1970-01-01 was a Thursday.
        (self.0 + 3 * DAY).rem_euclid(WEEK)
    }
}

/// `2026-03-02T09:00:00`.
impl std::fmt::Display for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (day, second) = self.split();
        let (year, month, date) = date_from_days(day);
        write!(f, "{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
    }
}

/// The number of a date's day, counted from 1970-01-01
/// (<https://howardhinnant.github.io/date_algorithms.html#days_from_civil>).
pub fn days_from_date(year: i64, month: u8, day: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let month = (i64::from(month) + 9) % 12;
    let of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day's number (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
pub fn date_from_days(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month as u8, day as u8)
}

/// How many days a month has.
pub fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn local(year: i64, month: u8, day: u8, hour: i64, minute: i64) -> Local {
        Local(Local::midnight(year, month, day).0 + hour * 3_600 + minute * 60)
    }

    #[test]
    fn a_clock_change_gives_one_time_twice_and_another_never() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        assert_eq!(berlin.at(local(2027, 3, 28, 2, 30)), Reading::Never(at("2027-03-28T01:00:00Z")));
        assert_eq!(
            berlin.at(local(2027, 10, 31, 2, 30)),
            Reading::Twice(at("2027-10-31T00:30:00Z"), at("2027-10-31T01:30:00Z"))
        );
        assert_eq!(berlin.at(local(2027, 7, 1, 12, 0)), Reading::Once(at("2027-07-01T10:00:00Z")));
        // Half an hour.
        let lord_howe = Zone::named("Australia/Lord_Howe").unwrap();
        assert_eq!(lord_howe.at(local(2027, 10, 3, 2, 15)), Reading::Never(at("2027-10-02T15:30:00Z")));
        // A whole day that never was.
        let apia = Zone::named("Pacific/Apia").unwrap();
        assert_eq!(apia.at(local(2011, 12, 30, 12, 0)), Reading::Never(at("2011-12-30T10:00:00Z")));
        assert_eq!(Zone::named("Mars/Olympus"), None);
    }

    proptest! {
        #[test]
        fn what_a_clock_shows_leads_back_to_the_instant(seconds in 946_684_800_i64..4_000_000_000, zone in 0_usize..5) {
            let names = ["Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia", "UTC"];
            let zone = Zone::named(names[zone]).unwrap();
            let at = time(seconds);
            let back = match zone.at(zone.local(at)) {
                Reading::Once(one) => one == at,
                Reading::Twice(one, two) => one == at || two == at,
                Reading::Never(_) => false,
            };
            prop_assert!(back, "{at} in {}", zone.name());
        }

        #[test]
        fn dates_and_day_numbers_agree(days in -200_000_i64..400_000) {
            let (year, month, day) = date_from_days(days);
            prop_assert_eq!(days_from_date(year, month, day), days);
            let known = jiff::civil::Date::new(year as i16, month as i8, day as i8).unwrap();
            prop_assert_eq!(known.weekday().to_monday_zero_offset() as i64, (days + 3).rem_euclid(7));
            prop_assert_eq!(known.days_in_month() as u8, days_in_month(year, month));
        }
    }
}
