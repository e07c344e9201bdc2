//! Detection: whether an alarm told of a fault in time, and was quiet again in time. An alarm's state is not a matter of
//! chance, so this is exact and spends no alpha; a reading that is missing where it counts makes it unknown.

use serde::Serialize;

use super::ask::Reading;
use super::judgement::Judgement;
use super::recovery::STEADY;
use super::verdict::VerdictKind;
use crate::units::{Span, Time};

/// What is expected of an alarm. A reading above 0 is an alarm that rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// When the fault began to go in: whatever rings before that is not about it.
    pub from: Time,
    /// When the fault was seen to work. The time to fire counts from here.
    pub effective: Time,
    pub fires_within: Span,
    /// When the faults began to be put back, once they were: what was not due by then need not fire any more.
    pub until: Option<Time>,
    /// When the fault was gone, once it is. The time to be quiet again counts from here.
    pub gone: Option<Time>,
    pub quiet_within: Span,
}

/// Whether an alarm fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fired {
    /// In time; so long after the fault worked.
    InTime { after: Span },
    /// Too late.
    Late { after: Span },
    /// Quiet at every reading until it was due.
    NotInTime,
    /// The faults were put back before its time was over, and it had not fired.
    NotDue,
    /// Its time is not over, a reading is missing in it, or it ends between the last quiet reading and the first that
    /// rings.
    CannotTell,
}

/// Whether an alarm was quiet again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quiet {
    /// In time; so long after the fault was gone.
    InTime { after: Span },
    /// It rang after it should have been quiet.
    RangOn,
    /// The fault is not gone yet; or it was not quiet for long enough to end the run, and nothing was read after its time.
    CannotTell,
}

/// Whether the alarm fired in time, from its readings in order.
pub fn fired(readings: &[Reading], expected: &Expected) -> Fired {
    let limit = expected.effective + expected.fires_within;
    let counts = || readings.iter().filter(|reading| reading.to > expected.from);
    let first = counts().find(|reading| reading.value.is_some_and(|value| value > 0.0));
    let seen_until = counts().map(|reading| reading.to).max();
    let missing = counts().any(|reading| reading.to <= limit && reading.value.is_none());
    match first {
        Some(first) if first.to <= limit => Fired::InTime { after: first.to.since(expected.effective) },
        _ if expected.until.is_some_and(|until| until < limit) => Fired::NotDue,
        // What a missing reading would have said is not known: it may have fired in time.
        _ if missing => Fired::CannotTell,
        Some(first) if first.from >= limit => Fired::Late { after: first.to.since(expected.effective) },
        // It fired between two readings of which one is before the limit and one after.
        Some(_) => Fired::CannotTell,
        None if seen_until.is_some_and(|until| until >= limit) => Fired::NotInTime,
        None => Fired::CannotTell,
    }
}

/// Whether the alarm was quiet again in time, from its readings in order.
pub fn quiet_again(readings: &[Reading], expected: &Expected) -> Quiet {
    let Some(gone) = expected.gone else { return Quiet::CannotTell };
    let limit = gone + expected.quiet_within;
    let rings = |reading: &&Reading| reading.value.is_some_and(|value| value > 0.0);
    let after_the_limit = || readings.iter().filter(|reading| reading.to >= limit);
    if after_the_limit().any(|reading| rings(&reading)) {
        return Quiet::RangOn;
    }
    let last = readings.iter().filter(|reading| reading.to > gone).rfind(rings).map_or(gone, |last| last.to);
    // A run that is steady before the limit ends there.
    let quiet = readings.iter().filter(|reading| reading.from >= last && reading.value.is_some()).count();
    match quiet >= STEADY || after_the_limit().any(|reading| reading.value.is_some()) {
        true => Quiet::InTime { after: last.since(gone) },
        false => Quiet::CannotTell,
    }
}

/// Why it cannot be said whether an alarm fired.
fn cannot_tell(readings: &[Reading], expected: &Expected) -> String {
    let within = expected.fires_within;
    let limit = expected.effective + within;
    let counts = readings.iter().filter(|reading| reading.to > expected.from && reading.to <= limit);
    let missing = counts.filter(|reading| reading.value.is_none()).count();
    match missing {
        0 => format!("may or may not have fired within {within}: its readings end before that"),
        _ => format!(
            "may or may not have alerted within {within}: in {missing} of its readings it had too little data, was \
             warming up, or had its actions disabled or muted"
        ),
    }
}

impl Judgement {
    /// What the readings of an alarm say. That it is quiet again is part of it once the fault is gone.
    pub fn of_detection(readings: &[Reading], expected: &Expected) -> Judgement {
        let within = expected.fires_within;
        let (kind, why) = match fired(readings, expected) {
            Fired::InTime { after } => (
                VerdictKind::Held,
                format!("held: it fired {} after the fault took effect; the limit is {within}", after.rounded()),
            ),
            Fired::Late { after } => (
                VerdictKind::Broken,
                format!("broke: it fired {} after the fault took effect; the limit is {within}", after.rounded()),
            ),
            Fired::NotInTime => {
                (VerdictKind::Broken, format!("broke: it did not fire within {within} of the fault taking effect"))
            }
            Fired::NotDue => (
                VerdictKind::Unknown,
                format!("had not fired when the faults were rolled back, before its {within} were over"),
            ),
            Fired::CannotTell => (VerdictKind::Unknown, cannot_tell(readings, expected)),
        };
        let fired = Judgement::plain(kind, why);
        let Some(gone) = expected.gone else { return fired };
        let quiet = expected.quiet_within;
        fired.and(match quiet_again(readings, expected) {
            Quiet::InTime { after } => {
                Judgement::plain(VerdictKind::Held, format!("it was OK again after {}", after.rounded()))
            }
            Quiet::RangOn => Judgement::plain(
                VerdictKind::Broken,
                format!("broke: it was still in ALARM at {}, {quiet} after the fault ended", gone + quiet),
            ),
            Quiet::CannotTell => Judgement::plain(
                VerdictKind::Unknown,
                format!(
                    "may or may not have been OK again {quiet} after the fault ended: its readings end before that"
                ),
            ),
        })
    }
}

/// The alarms of a run, by what they did while the faults were in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Alarms {
    /// Expected, and fired in time.
    pub fired: Vec<String>,
    /// Expected, and did not fire in time, or too late.
    pub silent: Vec<String>,
    /// Not expected, and fired all the same.
    pub others: Vec<String>,
    /// Not expected, and did not fire.
    pub quiet: Vec<String>,
    /// Of which it cannot be said.
    pub unknown: Vec<String>,
}

impl Alarms {
    /// Those of each kind that has any, with what it is called.
    pub fn rows(&self) -> Vec<(&'static str, &[String])> {
        let rows = [
            ("expected, and fired in time", self.fired.as_slice()),
            ("expected, and did not fire in time", &self.silent),
            ("could not be determined", &self.unknown),
            ("fired unexpectedly", &self.others),
            ("watched; stayed OK", &self.quiet),
        ];
        rows.into_iter().filter(|(_, names)| !names.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(number: usize) -> Time {
        Time::EPOCH + Span::from_mins(1) * i64::try_from(number).unwrap()
    }

    /// One reading a minute: `.` quiet, `!` rings, `?` missing.
    fn readings(states: &str) -> Vec<Reading> {
        let value = |state| match state {
            '!' => Some(1.0),
            '.' => Some(0.0),
            _ => None,
        };
        let reading =
            |(number, state)| Reading { value: value(state), ..Reading::missing(minute(number), Span::from_mins(1)) };
        states.chars().enumerate().map(reading).collect()
    }

    /// The fault goes in at minute 3, works from minute 4 on, and is gone at minute 10.
    const EXPECTED: Expected = Expected {
        from: Time::from_micros(180_000_000),
        effective: Time::from_micros(240_000_000),
        fires_within: Span::from_mins(4),
        until: None,
        gone: Some(Time::from_micros(600_000_000)),
        quiet_within: Span::from_mins(3),
    };

    #[test]
    fn an_alarm_fires_in_time_or_not() {
        let after = |minutes| Span::from_mins(minutes);
        for (states, want) in [
            // It rang before, and not for this.
            ("!!......", Fired::NotInTime),
            ("...!", Fired::InTime { after: after(0) }),
            (".......!", Fired::InTime { after: after(4) }),
            ("..?..?.!", Fired::InTime { after: after(4) }),
            ("........!", Fired::Late { after: after(5) }),
            (".....?..!", Fired::CannotTell),
            (".......", Fired::CannotTell),
            ("?.......", Fired::NotInTime),
            ("...?....", Fired::CannotTell),
            ("........?", Fired::NotInTime),
            ("", Fired::CannotTell),
        ] {
            assert_eq!(fired(&readings(states), &EXPECTED), want, "{states}");
        }
    }

    #[test]
    fn an_alarm_is_quiet_again_or_not() {
        for (states, want) in [
            ("......!!!!!!.", Quiet::InTime { after: Span::from_mins(2) }),
            ("......!!.....", Quiet::InTime { after: Span::ZERO }),
            ("......!!!!!!!", Quiet::RangOn),
            ("......!!......!", Quiet::RangOn),
            ("......!!!!!!", Quiet::CannotTell),
            ("......!!!!!!?", Quiet::CannotTell),
            ("......!!!!!!?.", Quiet::InTime { after: Span::from_mins(2) }),
        ] {
            assert_eq!(quiet_again(&readings(states), &EXPECTED), want, "{states}");
        }
        let patient = Expected { quiet_within: Span::from_mins(30), ..EXPECTED };
        for (states, want) in [
            ("......!!!!!!.....", Quiet::InTime { after: Span::from_mins(2) }),
            ("......!!!!!!..?...", Quiet::InTime { after: Span::from_mins(2) }),
            ("......!!!!!!....", Quiet::CannotTell),
            ("......!!!!.......!....", Quiet::CannotTell),
        ] {
            assert_eq!(quiet_again(&readings(states), &patient), want, "{states}");
        }
        let there = Expected { gone: None, ..EXPECTED };
        assert_eq!(quiet_again(&readings("............."), &there), Quiet::CannotTell);
    }

    #[test]
    fn readings_are_only_as_fine_as_they_are() {
        let stopped = |at| Expected { until: Some(minute(at)), ..EXPECTED };
        assert_eq!(fired(&readings(".......!"), &stopped(7)), Fired::InTime { after: Span::from_mins(4) });
        assert_eq!(fired(&readings(".........."), &stopped(7)), Fired::NotDue);
        assert_eq!(fired(&readings(".........."), &stopped(8)), Fired::NotInTime);
        let expected = Expected { fires_within: Span::from_secs(210), ..EXPECTED };
        assert_eq!(fired(&readings(".......!"), &expected), Fired::CannotTell);
        assert_eq!(fired(&readings("........!"), &expected), Fired::Late { after: Span::from_mins(5) });
    }
}
