//! Times at which no run may be at work: blackouts of `squall.yaml` and of schedules, and the events of calendars.

use std::sync::Arc;

use super::moment::{Edge, Moment};
use super::zone::{DAY, Zone, date_from_days, seconds, time};
use crate::units::Time;

/// A stretch of time that is closed, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Closed {
    pub from: Time,
    /// The first moment that is open again; [`Time::NEVER`] for what nobody can tell.
    pub to: Time,
    pub name: Arc<str>,
}

/// A blackout as it is written: from a moment to another, once or every year.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    pub name: Arc<str>,
    pub from: Moment,
    pub to: Moment,
}

impl Stretch {
    /// What it closes between two instants.
    pub fn closed(&self, zone: &Zone, from: Time, to: Time) -> Vec<Closed> {
        let year = |at: Time| date_from_days(zone.local(at).split().0).0;
        // One that goes over the end of the year began in the year before.
        let years = match self.from.year {
            Some(year) => year..=year,
            None => year(from) - 1..=year(to),
        };
        let mut closed = Vec::new();
        for year in years {
            let begins = self.from.at(year, zone, Edge::Begin);
            let mut ends = self.to.at(self.to.year.unwrap_or(year), zone, Edge::End);
            if self.from.year.is_none() && self.goes_over_new_year() {
                ends = self.to.at(year + 1, zone, Edge::End);
            }
            if begins < ends && begins < to && from < ends {
                closed.push(Closed { from: begins, to: ends, name: self.name.clone() });
            }
        }
        closed
    }
}

impl Stretch {
    /// Of every year: it ends earlier in the year than it begins.
    fn goes_over_new_year(&self) -> bool {
        let (from, to) = (self.from, self.to);
        (to.month, to.day, to.time.unwrap_or(DAY)) <= (from.month, from.day, from.time.unwrap_or(0))
    }
}

/// Closed times up to a horizon, in order and apart from each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closures {
    list: Vec<Closed>,
}

/// More stretches than this are not kept: from there on everything is closed.
const MOST: usize = 100_000;

impl Closures {
    /// All of these together. Where two overlap, the one that began first gives the name.
    pub fn of(mut closed: Vec<Closed>) -> Closures {
        closed.retain(|closed| closed.from < closed.to);
        closed.sort();
        let mut list: Vec<Closed> = Vec::new();
        for mut next in closed {
            if let Some(last) = list.last() {
                next.from = next.from.max(last.to);
            }
            if next.from >= next.to {
                continue;
            }
            if list.len() == MOST {
                list.push(Closed { from: next.from, to: Time::NEVER, name: "more than 100,000 closed times".into() });
                break;
            }
            list.push(next);
        }
        Closures { list }
    }

    /// The closed time at an instant, or else the next one after it.
    pub fn at_or_after(&self, at: Time) -> Option<&Closed> {
        self.list.get(self.list.partition_point(|closed| closed.to <= at))
    }

    /// Every closed time, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Closed> {
        self.list.iter()
    }
}

/// Ten years: how far ahead closed times are worked out, and schedules looked at.
pub fn horizon(now: Time) -> Time {
    time(seconds(now) + 3_653 * DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn stretch(from: &str, to: &str) -> Vec<String> {
        let stretch = Stretch { name: "freeze".into(), from: from.parse().unwrap(), to: to.parse().unwrap() };
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let closed = stretch.closed(&berlin, at("2027-01-03T00:00:00Z"), at("2028-12-24T00:00:00Z"));
        let short = |time: Time| time.to_string()[..16].to_owned();
        closed.iter().map(|closed| format!("{} {}", short(closed.from), short(closed.to))).collect()
    }

    #[test]
    fn dates_close_whole_days_and_yearly_ones_come_again() {
        assert_eq!(stretch("2027-03-27", "2027-03-28"), ["2027-03-26T23:00 2027-03-28T22:00"]);
        assert_eq!(stretch("2027-06-01T18:00", "2027-06-02T06:00"), ["2027-06-01T16:00 2027-06-02T04:00"]);
        assert_eq!(stretch("2026-06-01", "2026-06-02"), Vec::<String>::new());
        assert_eq!(
            stretch("12-20", "01-06"),
            [
                "2026-12-19T23:00 2027-01-06T23:00",
                "2027-12-19T23:00 2028-01-06T23:00",
                "2028-12-19T23:00 2029-01-06T23:00"
            ]
        );
        // Not in a year without it.
        assert_eq!(stretch("02-29", "02-29"), ["2028-02-28T23:00 2028-02-29T23:00"]);
    }

    #[test]
    fn overlapping_times_are_put_together() {
        let closed = |from: i64, to: i64, name: &str| Closed {
            from: Time::from_micros(from),
            to: Time::from_micros(to),
            name: name.into(),
        };
        let closures = Closures::of(vec![closed(5, 9, "b"), closed(0, 6, "a"), closed(2, 3, "c"), closed(20, 20, "d")]);
        assert_eq!(closures.list, [closed(0, 6, "a"), closed(6, 9, "b")]);
        assert_eq!(closures.at_or_after(Time::from_micros(6)).map(|closed| &*closed.name), Some("b"));
        assert_eq!(closures.at_or_after(Time::from_micros(9)), None);
    }
}
