//! One event of a calendar: its start, its length, its repetition.

use std::ops::Range;
use std::sync::Arc;

use super::Unfolded;
use crate::outside::one_line;
use crate::schedule::closed::Closed;
use crate::schedule::zone::{DAY, Local, Zone, date_from_days, days_from_date, days_in_month, seconds};
use crate::units::{Span, Time};

/// A property: `DTSTART;TZID=Europe/Berlin:20261224T180000`.
pub(super) struct Line {
    pub name: String,
    parameters: Vec<(String, String)>,
    pub value: String,
    pub at: Range<usize>,
}

/// A part of an event that was not understood.
pub(super) struct Misread {
    pub at: Range<usize>,
    pub what: String,
}

impl Line {
    /// `None`: it has no colon, or no name.
    pub fn read(line: &Unfolded) -> Option<Line> {
        let mut quoted = false;
        let colon = line.text.find(|c| {
            quoted ^= c == '"';
            c == ':' && !quoted
        })?;
        let (left, value) = (&line.text[..colon], &line.text[colon + 1..]);
        let mut parts = left.split(';');
        let name = parts.next().filter(|name| !name.trim().is_empty())?.trim().to_ascii_uppercase();
        let pair = |part: &str| {
            let (key, value) = part.split_once('=')?;
            Some((key.to_ascii_uppercase(), value.trim_matches('"').to_owned()))
        };
        let parameters = parts.filter_map(pair).collect();
        Some(Line { name, parameters, value: value.to_owned(), at: line.at.clone() })
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A time of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    local: Local,
    /// A whole day.
    date: bool,
    zone: Where,
}

/// Which wall clock a time is read on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Where {
    Zone(Arc<Zone>),
    /// On the clock of the schedule's zone.
    Floating,
    /// Of a zone that nobody knows.
    Unknown,
}

/// An event that closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    name: Arc<str>,
    start: Stamp,
    /// On the wall clock for whole days, else as time passes.
    length: i64,
    repeats: Repeats,
    except: Vec<Local>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Repeats {
    Once,
    Rule(Rule),
    /// By a rule that is not understood: closed from the start on.
    Misunderstood,
}

/// The part of RRULE that is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    every: Every,
    interval: i64,
    count: Option<i64>,
    until: Option<Stamp>,
    /// Of a week, bit 0 is Monday; 0 for the start's own.
    weekdays: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Every {
    Day,
    Week,
    Month,
    Year,
}

impl Event {
    /// Closed at all times: an event whose start nobody knows.
    pub(super) fn always() -> Event {
        let start = Stamp { local: Local(0), date: false, zone: Where::Unknown };
        let name = "an event without a start".into();
        Event { name, start, length: 0, repeats: Repeats::Misunderstood, except: Vec::new() }
    }

    /// Reads an event. One that was cancelled is none.
    pub(super) fn read(lines: &[Line]) -> Result<(Option<Event>, Vec<Misread>), String> {
        let find = |name: &str| lines.iter().find(|line| line.name == name);
        if find("STATUS").is_some_and(|line| line.value.trim().eq_ignore_ascii_case("CANCELLED")) {
            return Ok((None, Vec::new()));
        }
        let first = find("DTSTART").ok_or("an event without `DTSTART` closes everything")?;
        let start = Stamp::read(first, &first.value).ok_or_else(|| {
            format!("`{}` is not a start that is understood; the event closes everything", first.value)
        })?;
        let mut misread = Vec::new();
        if start.zone == Where::Unknown {
            let name = first.parameter("TZID").unwrap_or_default();
            let what = format!("the zone `{name}` is not known; the event closes a day more on both sides");
            misread.push(Misread { at: first.at.clone(), what });
        }
        let mut repeats = Repeats::Once;
        let mut misunderstood = |line: &Line, what: &str| {
            let what = format!("{what} is not understood; the event closes everything from its start on");
            misread.push(Misread { at: line.at.clone(), what });
            Repeats::Misunderstood
        };
        let length = match (find("DTEND"), find("DURATION")) {
            (Some(line), _) => Stamp::read(line, &line.value).and_then(|end| start.until(&end)).ok_or(line),
            (None, Some(line)) => duration(&line.value).ok_or(line),
            (None, None) => Ok(if start.date { DAY } else { 0 }),
        };
        if let Err(line) = length {
            repeats = misunderstood(line, &format!("the end `{}`", line.value));
        }
        for line in lines.iter().filter(|line| line.name == "RRULE") {
            repeats = match (Rule::read(line), &repeats) {
                (Some(rule), Repeats::Once) => Repeats::Rule(rule),
                _ => misunderstood(line, &format!("the rule `{}`", line.value)),
            };
        }
        for line in lines.iter().filter(|line| line.name == "RDATE" || line.name == "EXRULE") {
            repeats = misunderstood(line, &format!("`{}`", line.name));
        }
        // An exception that is not understood takes nothing away.
        let exceptions = lines.iter().filter(|line| line.name == "EXDATE");
        let exceptions = exceptions.flat_map(|line| line.value.split(',').map(move |value| (line, value)));
        let same = |stamp: &Stamp| stamp.zone == start.zone && stamp.date == start.date;
        let except = exceptions
            .filter_map(|(line, value)| Stamp::read(line, value))
            .filter(same)
            .map(|stamp| stamp.local)
            .collect();
        let name = find("SUMMARY").map_or_else(|| "an event".to_owned(), |line| plain(&line.value));
        Ok((Some(Event { name: name.into(), start, length: length.unwrap_or(0), repeats, except }), misread))
    }

    /// What it closes between two instants. `own` is the zone of times that name none.
    pub fn closed(&self, own: &Zone, from: Time, to: Time) -> Vec<Closed> {
        let zone = match &self.start.zone {
            Where::Zone(zone) => zone,
            Where::Floating => own,
            Where::Unknown => &Zone::utc(),
        };
        let margin = if self.start.zone == Where::Unknown { Span::from_secs(DAY) } else { Span::ZERO };
        let name = || self.name.clone();
        if self.repeats == Repeats::Misunderstood {
            let begins = zone.at(self.start.local).first() - margin;
            return vec![Closed { from: begins, to: Time::NEVER, name: name() }];
        }
        let mut closed = Vec::new();
        for local in self.starts(zone, to) {
            if self.except.contains(&local) {
                continue;
            }
            let begins = zone.at(local).first();
            let ends = match self.start.date {
                true => zone.at(Local(local.0 + self.length)).first(),
                false => begins + Span::from_secs(self.length),
            };
            if from < ends + margin && begins < to + margin {
                closed.push(Closed { from: begins - margin, to: ends + margin, name: name() });
            }
        }
        closed
    }

    /// Its starts up to an instant.
    fn starts(&self, zone: &Zone, to: Time) -> Vec<Local> {
        let Repeats::Rule(rule) = &self.repeats else { return vec![self.start.local] };
        let last = Local(zone.local(to).0 + DAY);
        let mut starts = Vec::new();
        for step in 0.. {
            let in_step = rule.step(self.start.local, step * rule.interval);
            let begin = in_step.begin;
            for local in in_step.starts.into_iter().filter(|local| *local >= self.start.local) {
                let counted = rule.count.is_some_and(|count| starts.len() as i64 >= count);
                let over = rule.until.as_ref().is_some_and(|until| until.is_before(local, zone));
                if counted || over || local > last {
                    return starts;
                }
                starts.push(local);
            }
            if begin > last {
                break;
            }
        }
        starts
    }
}

/// What a rule gives in one of its days, weeks, months or years.
struct Step {
    /// No later start of this step or of one after it is before.
    begin: Local,
    starts: Vec<Local>,
}

impl Rule {
    fn read(line: &Line) -> Option<Rule> {
        let mut rule = Rule { every: Every::Day, interval: 1, count: None, until: None, weekdays: 0 };
        let mut every = None;
        for part in line.value.split(';').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=')?;
            match key.to_ascii_uppercase().as_str() {
                "FREQ" => {
                    every = Some(match value.to_ascii_uppercase().as_str() {
                        "DAILY" => Every::Day,
                        "WEEKLY" => Every::Week,
                        "MONTHLY" => Every::Month,
                        "YEARLY" => Every::Year,
                        _ => return None,
                    });
                }
                "INTERVAL" => rule.interval = value.parse().ok().filter(|interval| (1..=1_000).contains(interval))?,
                "COUNT" => rule.count = Some(value.parse().ok().filter(|count| *count > 0)?),
                "UNTIL" => rule.until = Some(Stamp::read(line, value)?),
                "BYDAY" => rule.weekdays = weekdays(value)?,
                // Weeks are counted from Monday here; another first day matters when weeks are left out.
                "WKST" if value.eq_ignore_ascii_case("MO") => {}
                _ => return None,
            }
        }
        rule.every = every?;
        let weekdays_fit = rule.weekdays == 0 || rule.every == Every::Week;
        weekdays_fit.then_some(rule)
    }

    fn step(&self, start: Local, step: i64) -> Step {
        let (day, second) = start.split();
        let at = |day: i64| Local(day * DAY + second);
        let (year, month, date) = date_from_days(day);
        match self.every {
            Every::Day => Step { begin: at(day + step), starts: vec![at(day + step)] },
            Every::Week => {
                let monday = day - (day + 3).rem_euclid(7) + 7 * step;
                let own = 1 << (day + 3).rem_euclid(7);
                let days = if self.weekdays == 0 { own } else { self.weekdays };
                let starts = (0..7).filter(|weekday| days >> weekday & 1 == 1).map(|weekday| at(monday + weekday));
                Step { begin: at(monday), starts: starts.collect() }
            }
            Every::Month | Every::Year => {
                let months = if self.every == Every::Year { 12 * step } else { step };
                let months = year * 12 + i64::from(month) - 1 + months;
                let (year, month) = (months.div_euclid(12), months.rem_euclid(12) as u8 + 1);
                let begin = at(days_from_date(year, month, 1));
                let has = date <= days_in_month(year, month);
                Step { begin, starts: has.then(|| at(days_from_date(year, month, date))).into_iter().collect() }
            }
        }
    }
}

/// `MO,WE,FR`; a number before a day is not understood.
fn weekdays(text: &str) -> Option<u8> {
    const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
    text.split(',').try_fold(0, |days, word| {
        let day = DAYS.iter().position(|day| word.trim().eq_ignore_ascii_case(day))?;
        Some(days | 1 << day)
    })
}

impl Stamp {
    fn read(line: &Line, value: &str) -> Option<Stamp> {
        let value = value.trim();
        let number = |range: Range<usize>| {
            let digits = value.get(range)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<i64>().ok())?
        };
        let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
        if !(1..=12).contains(&month) || !(1..=i64::from(days_in_month(year, month as u8))).contains(&day) {
            return None;
        }
        let midnight = days_from_date(year, month as u8, day as u8) * DAY;
        if value.len() == 8 {
            return Some(Stamp { local: Local(midnight), date: true, zone: Where::Floating });
        }
        let (hour, minute, second) = (number(9..11)?, number(11..13)?, number(13..15)?);
        if !value[8..].starts_with('T') || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let zone = match (&value[15..], line.parameter("TZID")) {
            ("Z", _) => Where::Zone(Arc::new(Zone::utc())),
            ("", None) => Where::Floating,
            ("", Some(name)) => Zone::named(name).map_or(Where::Unknown, |zone| Where::Zone(Arc::new(zone))),
            _ => return None,
        };
        Some(Stamp { local: Local(midnight + hour * 3_600 + minute * 60 + second), date: false, zone })
    }

    /// Seconds from here to an end. `None` when that is earlier, or cannot be told.
    fn until(&self, end: &Stamp) -> Option<i64> {
        let length = match (&self.zone, &end.zone) {
            _ if self.date != end.date => return None,
            (Where::Zone(one), Where::Zone(other)) => {
                seconds(other.at(end.local).first()) - seconds(one.at(self.local).first())
            }
            (one, other) if one == other => end.local.0 - self.local.0,
            _ => return None,
        };
        (length >= 0).then_some(length)
    }

    /// Whether this end of a rule lies before a start. One whose zone is not known lies a day later.
    fn is_before(&self, start: Local, zone: &Zone) -> bool {
        match &self.zone {
            _ if self.date => self.local.0 + DAY <= start.0,
            Where::Zone(own) => own.at(self.local).first() < zone.at(start).first(),
            Where::Floating => self.local < start,
            Where::Unknown => self.local.0 + DAY < start.0,
        }
    }
}

/// Seconds of `P1D`, `PT1H30M`, `P2W`.
fn duration(text: &str) -> Option<i64> {
    let mut rest = text.trim().strip_prefix('P')?;
    let (mut total, mut in_time) = (0_i64, false);
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            (rest, in_time) = (time, true);
            continue;
        }
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| (1..=6).contains(digits))?;
        let number: i64 = rest[..digits].parse().ok()?;
        let unit = match (rest.as_bytes()[digits], in_time) {
            (b'W', false) => 7 * DAY,
            (b'D', false) => DAY,
            (b'H', true) => 3_600,
            (b'M', true) => 60,
            (b'S', true) => 1,
            _ => return None,
        };
        total += number * unit;
        rest = &rest[digits + 1..];
    }
    Some(total)
}

/// A summary without its escapes, on one line, and not longer than a line.
fn plain(text: &str) -> String {
    let text = text.replace("\\n", " ").replace("\\N", " ").replace('\\', "");
    let text: String = one_line(&text).chars().take(60).collect();
    match text.trim() {
        "" => "an event".into(),
        text => text.to_owned(),
    }
}
