//! Hours of the week in which runs may be at work: `mon-fri 09:00-17:00`.

use std::str::FromStr;

use super::zone::{DAY, Local, Reading, WEEK, Zone};
use crate::units::Time;

/// One entry of `hours:`: some days of the week, and a part of each. A part that ends before it begins goes over midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayHours {
    /// Bit 0 is Monday.
    days: u8,
    /// Seconds of the day; the end may lie in the next one.
    from: i64,
    to: i64,
}

/// Why a text does not name hours, and what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotHours(pub String);

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl FromStr for DayHours {
    type Err = NotHours;

    fn from_str(text: &str) -> Result<DayHours, NotHours> {
        let wrong = |what: String| NotHours(what);
        let (days, part) = match text.trim().split_once(char::is_whitespace) {
            Some((days, part)) => (days, Some(part.trim())),
            None => (text.trim(), None),
        };
        let days = read_days(days).ok_or_else(|| wrong(format!("`{days}` names no days of the week")))?;
        let Some(part) = part else { return Ok(DayHours { days, from: 0, to: DAY }) };
        let times = part.split_once('-').and_then(|(from, to)| time_of_day(from.trim()).zip(time_of_day(to.trim())));
        let (from, to) = times.ok_or_else(|| wrong(format!("`{part}` is not a part of a day")))?;
        match () {
            () if from == to || from == DAY => Err(wrong(format!("`{part}` is empty"))),
            () if to < from => Ok(DayHours { days, from, to: to + DAY }),
            () => Ok(DayHours { days, from, to }),
        }
    }
}

/// `mon`, `mon-fri`, `sat,sun`, `daily`.
fn read_days(text: &str) -> Option<u8> {
    let text = text.to_ascii_lowercase();
    if text == "daily" {
        return Some(0x7f);
    }
    let index = |word: &str| DAYS.iter().position(|day| *day == word);
    let mut days = 0_u8;
    for item in text.split(',') {
        let (from, to) = match item.split_once('-') {
            Some((from, to)) => (index(from)?, index(to)?),
            None => (index(item)?, index(item)?),
        };
        // `sat-mon` goes over the end of the week.
        let length = (to + 7 - from) % 7;
        days = (0..=length).fold(days, |days, step| days | 1 << ((from + step) % 7));
    }
    Some(days)
}

/// Seconds since midnight of `09:00`, at most of `24:00`.
pub fn time_of_day(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| match text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<i64>().ok(),
        false => None,
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let seconds = hour * 3_600 + minute * 60;
    (minute < 60 && seconds <= DAY).then_some(seconds)
}

impl DayHours {
    /// Its parts of the week, in seconds from Monday; those over the end of the week are cut there.
    fn parts(&self) -> impl Iterator<Item = (i64, i64)> {
        let (days, from, to) = (self.days, self.from, self.to);
        (0..7).filter(move |day| days >> day & 1 == 1).flat_map(move |day| {
            let (from, to) = (day * DAY + from, day * DAY + to);
            let over = (to > WEEK).then_some((0, to - WEEK));
            [(from, to.min(WEEK))].into_iter().chain(over)
        })
    }

    /// Whether two entries have a moment in common.
    pub fn overlaps(&self, other: &DayHours) -> bool {
        self.parts().any(|(from, to)| other.parts().any(|(other, end)| from < end && other < to))
    }
}

/// The hours of the week in which runs may be at work; none at all means always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hours {
    /// In seconds from Monday, in order; they do not touch each other.
    open: Vec<(i64, i64)>,
}

impl Hours {
    /// All of these together.
    pub fn of(entries: &[DayHours]) -> Hours {
        let mut parts: Vec<(i64, i64)> = entries.iter().flat_map(DayHours::parts).collect();
        parts.sort_unstable();
        let mut open: Vec<(i64, i64)> = Vec::new();
        for (from, to) in parts {
            match open.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => open.push((from, to)),
            }
        }
        if open == [(0, WEEK)] {
            open.clear();
        }
        Hours { open }
    }

    /// Whether every moment is open.
    pub fn is_always(&self) -> bool {
        self.open.is_empty()
    }

    /// When the hours end that are open at `at`; `None` when they are closed then. Always open: [`Time::NEVER`].
    pub fn closes(&self, at: Time, zone: &Zone) -> Option<Time> {
        if self.open.is_empty() {
            return Some(Time::NEVER);
        }
        let local = zone.local(at);
        let second = local.second_of_week();
        let index = self.open.partition_point(|(_, to)| *to <= second);
        let (_, to) = *self.open.get(index).filter(|(from, _)| *from <= second)?;
        let mut left = to - second;
        // Sunday night and Monday morning are one.
        if to == WEEK
            && let Some((0, morning)) = self.open.first()
        {
            left += morning;
        }
        Some(match zone.at(Local(local.0 + left)) {
            Reading::Once(end) | Reading::Never(end) => end,
            Reading::Twice(first, second) => {
                if first > at {
                    first
                } else {
                    second
                }
            }
        })
    }

    /// The parts of the week in which something of this length, in seconds, can begin: in order, in seconds from Monday.
    pub fn starts(&self, length: i64) -> Vec<(i64, i64)> {
        if self.open.is_empty() {
            return vec![(0, WEEK)];
        }
        let morning = self.open.first().filter(|(from, _)| *from == 0).map_or(0, |(_, to)| *to);
        let mut parts: Vec<(i64, i64)> = Vec::new();
        for (from, to) in &self.open {
            let end = if *to == WEEK { WEEK + morning } else { *to };
            // Up to and with the last second at which it fits.
            let last = (end - length + 1).min(*to);
            if *from < last {
                parts.push((*from, last));
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(entries: &[&str]) -> Hours {
        Hours::of(&entries.iter().map(|text| text.parse().unwrap()).collect::<Vec<DayHours>>())
    }

    fn closes(hours: &Hours, at: &str) -> Option<String> {
        let end = hours.closes(at.parse().unwrap(), &Zone::named("Europe/Berlin").unwrap());
        end.map(|end| end.to_string()[..16].to_owned())
    }

    #[test]
    fn hours_close_when_the_wall_clock_says_so() {
        let work = hours(&["mon-fri 09:00-17:00"]);
        assert_eq!(closes(&work, "2027-03-01T07:59:59Z"), None);
        assert_eq!(closes(&work, "2027-03-01T08:00:00Z").as_deref(), Some("2027-03-01T16:00"));
        assert_eq!(closes(&work, "2027-03-01T16:00:00Z"), None);
        assert_eq!(closes(&work, "2027-03-06T10:00:00Z"), None, "Saturday");
        // Over midnight, and over the end of the week.
        let night = hours(&["daily 22:00-05:00"]);
        assert_eq!(closes(&night, "2027-03-07T22:00:00Z").as_deref(), Some("2027-03-08T04:00"));
        assert_eq!(closes(&night, "2027-03-08T02:00:00Z").as_deref(), Some("2027-03-08T04:00"));
        // The night in which the clock is put back has an hour more, and the other one less.
        assert_eq!(closes(&night, "2027-10-30T20:00:00Z").as_deref(), Some("2027-10-31T04:00"));
        assert_eq!(closes(&night, "2027-03-27T21:00:00Z").as_deref(), Some("2027-03-28T03:00"));
        // They end within the hour that comes twice: the first time, and for what begins after that, the second.
        let early = hours(&["sun 00:00-02:30"]);
        assert_eq!(closes(&early, "2027-10-31T00:10:00Z").as_deref(), Some("2027-10-31T00:30"));
        assert_eq!(closes(&early, "2027-10-31T01:10:00Z").as_deref(), Some("2027-10-31T01:30"));
    }

    #[test]
    fn entries_that_touch_are_one() {
        assert!(hours(&["daily"]).is_always());
        assert!(hours(&["mon-sun 00:00-24:00"]).is_always());
        let two = hours(&["fri 12:00-24:00", "sat 00:00-06:00"]);
        assert_eq!(two.starts(0), [(4 * DAY + DAY / 2, 5 * DAY + 6 * 3_600)]);
        assert_eq!(two.starts(18 * 3_600), [(4 * DAY + DAY / 2, 4 * DAY + DAY / 2 + 1)]);
        assert_eq!(two.starts(18 * 3_600 + 1), []);
        let entry = |text: &str| text.parse::<DayHours>().unwrap();
        assert!(entry("sun 22:00-04:00").overlaps(&entry("mon 03:00-05:00")));
        assert!(!entry("sun 22:00-04:00").overlaps(&entry("mon 04:00-05:00")));
    }

    #[test]
    fn what_names_no_hours_is_refused() {
        for (text, what) in [
            ("weekdays", "`weekdays` names no days of the week"),
            ("mon 9-17", "`9-17` is not a part of a day"),
            ("mon 09:00-25:00", "`09:00-25:00` is not a part of a day"),
            ("mon 09:00-09:00", "`09:00-09:00` is empty"),
            ("", "`` names no days of the week"),
        ] {
            assert_eq!(text.parse::<DayHours>().unwrap_err().0, what);
        }
    }
}
