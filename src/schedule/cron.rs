//! Cron expressions: the five fields of crontab(5), with names of months and days.
//!
//! A day fits when its date or its weekday fits, if neither of the two fields is `*`; that is crontab's rule
//! (<https://man7.org/linux/man-pages/man5/crontab.5.html>).

use std::str::FromStr;

use super::zone::{DAY, Local, date_from_days, days_from_date, days_in_month};

/// A cron expression. It knows wall clocks and no zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    /// Bit n: minute n. The other fields likewise.
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    /// Bit 0 is Sunday.
    weekdays: u64,
    any_day: bool,
    any_weekday: bool,
}

/// Why a text is no cron expression, and what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCron {
    /// The part of the text that is wrong, in bytes.
    pub at: (usize, usize),
    pub what: String,
    pub help: String,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59, words: &[] },
    Field { name: "hour", least: 0, most: 23, words: &[] },
    Field { name: "day of the month", least: 1, most: 31, words: &[] },
    Field { name: "month", least: 1, most: 12, words: &MONTHS },
    Field { name: "weekday", least: 0, most: 7, words: &WEEKDAYS },
];

struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    words: &'static [&'static str],
}

impl FromStr for Cron {
    type Err = NotCron;

    fn from_str(text: &str) -> Result<Cron, NotCron> {
        let start = |field: &str| field.as_ptr() as usize - text.as_ptr() as usize;
        let parts: Vec<&str> = text.split_ascii_whitespace().collect();
        if parts.len() != FIELDS.len() {
            let what = match text.trim().starts_with('@') {
                true => format!("`{text}` is not one of the five-field cron expressions"),
                false => format!("a cron expression has five fields, and there are {}", parts.len()),
            };
            let help = "write minute, hour, day of the month, month and weekday, such as `30 9 * * tue`".into();
            return Err(NotCron { at: (0, text.len()), what, help });
        }
        let mut bits = [0; 5];
        for ((bits, part), field) in bits.iter_mut().zip(&parts).zip(&FIELDS) {
            *bits = field.read(part).map_err(|(what, help)| NotCron {
                at: (start(part), start(part) + part.len()),
                what,
                help,
            })?;
        }
        let [minutes, hours, days, months, weekdays] = bits;
        // 7 is Sunday as well.
        let weekdays = (weekdays | weekdays >> 7) & 0x7f;
        let cron =
            Cron { minutes, hours, days, months, weekdays, any_day: parts[2] == "*", any_weekday: parts[4] == "*" };
        if cron.any_weekday && !cron.has_a_date() {
            return Err(NotCron {
                at: (start(parts[2]), start(parts[3]) + parts[3].len()),
                what: "none of these months has that day".into(),
                help: "write a day that exists in the month, such as `28 2`".into(),
            });
        }
        Ok(cron)
    }
}

impl Field {
    /// The bits of a field: a list of ranges with steps.
    fn read(&self, text: &str) -> Result<u64, (String, String)> {
        let mut bits = 0;
        for item in text.split(',') {
            let (range, step) = match item.split_once('/') {
                Some((range, step)) => (range, Some(step)),
                None => (item, None),
            };
            let stepping = step.is_some();
            let step = match step.map(str::parse::<u32>) {
                None => 1,
                Some(Ok(step)) if (1..=self.most).contains(&step) => step,
                Some(_) => return Err(self.wrong(item)),
            };
            let (from, to) = match range.split_once('-') {
                // Sunday is 0; in a list or range it may also be the last day.
                _ if range == "*" => (self.least, if self.most == 7 { 6 } else { self.most }),
                None if stepping => (self.value(range).ok_or_else(|| self.wrong(item))?, self.most.min(self.last())),
                None => {
                    let value = self.value(range).ok_or_else(|| self.wrong(item))?;
                    (value, value)
                }
                Some((from, to)) => {
                    let (from, to) = (self.value(from), self.value(to));
                    let (from, to) = from.zip(to).ok_or_else(|| self.wrong(item))?;
                    // `fri-sun`
                    (from, if self.most == 7 && to == 0 && from > 0 { 7 } else { to })
                }
            };
            if from > to {
                let help = format!("write the smaller {} first, or two ranges: `22-23,0-5`", self.name);
                return Err((format!("`{item}` runs backwards"), help));
            }
            bits |= (from..=to).step_by(step as usize).fold(0, |bits, value| bits | 1 << value);
        }
        Ok(bits)
    }

    fn last(&self) -> u32 {
        if self.most == 7 { 6 } else { self.most }
    }

    fn value(&self, text: &str) -> Option<u32> {
        if let Some(index) = self.words.iter().position(|word| text.eq_ignore_ascii_case(word)) {
            return u32::try_from(index).ok().map(|index| index + self.least);
        }
        let digits = !text.is_empty() && text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|value| digits && (self.least..=self.most).contains(value))
    }

    fn wrong(&self, item: &str) -> (String, String) {
        let what = format!("`{item}` is not a valid {} in a cron expression", self.name);
        let words = match self.words {
            [first, .., last] => format!(", `{first}` to `{last}`"),
            _ => String::new(),
        };
        (
            what,
            format!("write `*`, {} to {}{words}, a range `a-b`, a list `a,b` or a step `*/n`", self.least, self.most),
        )
    }
}

impl Cron {
    /// Whether it names every hour: then it counts time as it passes, and otherwise what the wall clock shows.
    pub fn is_every_hour(&self) -> bool {
        self.hours == (1 << 24) - 1
    }

    /// Whether any of its months has one of its days.
    fn has_a_date(&self) -> bool {
        // 2028 is a leap year.
        (1..=12_u8).any(|month| {
            self.months >> month & 1 == 1 && (1..=days_in_month(2028, month)).any(|day| self.days >> day & 1 == 1)
        })
    }

    fn fits(&self, days: i64, day: u8) -> bool {
        let date = self.days >> day & 1 == 1;
        // 1970-01-01 was a Thursday.
        let weekday = self.weekdays >> (days + 4).rem_euclid(7) & 1 == 1;
        match (self.any_day, self.any_weekday) {
            (true, _) => weekday,
            (false, true) => date,
            (false, false) => date || weekday,
        }
    }

    /// The first reading after `after` that fits, to the minute. Looks ten years ahead, which holds two leap days.
    pub fn next(&self, after: Local) -> Option<Local> {
        let (mut days, second) = after.split();
        // The first minute that is later.
        let mut minute = second / 60 + 1;
        let (mut year, mut month, mut day) = date_from_days(days);
        let end = days + 3_660;
        while days < end {
            if self.months >> month & 1 == 0 {
                (year, month, day) = if month == 12 { (year + 1, 1, 1) } else { (year, month + 1, 1) };
                (days, minute) = (days_from_date(year, month, 1), 0);
                continue;
            }
            if self.fits(days, day)
                && let Some(found) = self.in_day(minute)
            {
                return Some(Local(days * DAY + found * 60));
            }
            (days, minute) = (days + 1, 0);
            if day < 28 || day < days_in_month(year, month) {
                day += 1;
            } else {
                (year, month, day) = if month == 12 { (year + 1, 1, 1) } else { (year, month + 1, 1) };
            }
        }
        None
    }

    /// The first minute of a day from `from` on that fits.
    fn in_day(&self, from: i64) -> Option<i64> {
        let (hour, minute) = (from / 60, from % 60);
        if hour > 23 {
            return None;
        }
        if self.hours >> hour & 1 == 1 {
            let left = self.minutes >> minute << minute;
            if left != 0 {
                return Some(hour * 60 + i64::from(left.trailing_zeros()));
            }
        }
        let later = self.hours >> (hour + 1) << (hour + 1);
        (later != 0).then(|| i64::from(later.trailing_zeros()) * 60 + i64::from(self.minutes.trailing_zeros()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(text: &str, times: usize) -> Vec<String> {
        let cron: Cron = text.parse().unwrap();
        let mut at = Local::midnight(2027, 2, 26);
        let mut found = Vec::new();
        for _ in 0..times {
            at = cron.next(at).unwrap();
            found.push(at.to_string()[..16].to_owned());
        }
        found
    }

    #[test]
    fn the_next_times_are_found() {
        assert_eq!(next("30 9 * * tue", 2), ["2027-03-02T09:30", "2027-03-09T09:30"]);
        assert_eq!(
            next("*/20 23 28-31 * *", 4),
            ["2027-02-28T23:00", "2027-02-28T23:20", "2027-02-28T23:40", "2027-03-28T23:00"]
        );
        assert_eq!(next("0 0 29 2 *", 2), ["2028-02-29T00:00", "2032-02-29T00:00"]);
        // The date or the weekday.
        assert_eq!(next("0 12 1 * mon", 2), ["2027-03-01T12:00", "2027-03-08T12:00"]);
        assert_eq!(next("59 23 31 DEC 7", 2), ["2027-12-05T23:59", "2027-12-12T23:59"]);
        assert_eq!(next("5 4 * * fri-sun", 3), ["2027-02-26T04:05", "2027-02-27T04:05", "2027-02-28T04:05"]);
        assert_eq!(next("0 0 1 1-6/5 *", 2), ["2027-06-01T00:00", "2028-01-01T00:00"]);
    }

    #[test]
    fn what_is_no_cron_expression_is_said_with_its_place() {
        for (text, at, what) in [
            ("0 9 * *", (0, 7), "a cron expression has five fields, and there are 4"),
            ("@daily", (0, 6), "`@daily` is not one of the five-field cron expressions"),
            ("60 9 * * *", (0, 2), "`60` is not a valid minute in a cron expression"),
            ("0 9 * * mun", (8, 11), "`mun` is not a valid weekday in a cron expression"),
            ("0 22-5 * * *", (2, 6), "`22-5` runs backwards"),
            ("0 9 30 2 *", (4, 8), "none of these months has that day"),
            ("*/0 9 * * *", (0, 3), "`*/0` is not a valid minute in a cron expression"),
            ("0 +9 * * *", (2, 4), "`+9` is not a valid hour in a cron expression"),
            ("0 9 L * *", (4, 5), "`L` is not a valid day of the month in a cron expression"),
            ("0,,1 9 * * *", (0, 4), "`` is not a valid minute in a cron expression"),
        ] {
            let wrong = text.parse::<Cron>().unwrap_err();
            assert_eq!((wrong.at, wrong.what.as_str()), (at, what), "{text}");
        }
    }
}
