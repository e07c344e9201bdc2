//! Quantities with their units: instants, spans of time, shares and rates.
//!
//! A bare number never stands for a quantity, neither in a file (`5m`, `800ms`, `1 %`, `20/s`) nor in the code.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Sub};

use serde::{Deserialize, Serialize};

/// An instant: microseconds since the Unix epoch. In the sandbox it is virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

/// A length of time in microseconds, never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(i64);

/// A part of a whole, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(f64);

/// Happenings per second, never negative and always finite.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(f64);

/// Why a text is not a quantity. Its text says what would be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAQuantity(pub String);

impl Time {
    /// The Unix epoch.
    pub const EPOCH: Time = Time(0);
    /// Later than every instant that a run can reach.
    pub const NEVER: Time = Time(i64::MAX);

    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Time {
        Time(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// From the standard library's; one before the Unix epoch becomes that.
    pub fn from_system(time: std::time::SystemTime) -> Time {
        let since = time.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
        Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// For the standard library.
    pub fn to_system(self) -> std::time::SystemTime {
        let since = std::time::Duration::from_micros(u64::try_from(self.0).unwrap_or(0));
        std::time::SystemTime::UNIX_EPOCH + since
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    pub fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0).max(0))
    }

    /// The start of the clock-aligned window of length `every` that holds this instant.
    pub fn window_start(self, every: Span) -> Time {
        Time(self.0 - self.0.rem_euclid(every.0.max(1)))
    }

    fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::MAX)
    }
}

impl From<jiff::Timestamp> for Time {
    fn from(value: jiff::Timestamp) -> Time {
        Time(value.as_microsecond())
    }
}

/// RFC 3339 in UTC with milliseconds: `2026-03-02T09:00:00.000Z`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.timestamp().strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }
}

impl std::str::FromStr for Time {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Time, NotAQuantity> {
        text.parse::<jiff::Timestamp>()
            .map(Time::from)
            .map_err(|_| NotAQuantity(format!("`{text}` is not an instant such as 2026-03-02T09:00:00Z")))
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Full microseconds: a journal must give back the instant that was written.
        serializer.collect_str(&self.timestamp().strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Add<Span> for Time {
    type Output = Time;
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Time {
    type Output = Time;
    fn sub(self, span: Span) -> Time {
        Time(self.0.saturating_sub(span.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// From microseconds; a negative number becomes zero.
    pub const fn from_micros(micros: i64) -> Span {
        Span(if micros < 0 { 0 } else { micros })
    }

    /// From milliseconds.
    pub const fn from_millis(millis: i64) -> Span {
        Span::from_micros(millis.saturating_mul(1_000))
    }

    /// To the nearest whole second, for people.
    #[must_use]
    pub fn rounded(self) -> Span {
        Span::from_secs((self.0.saturating_add(500_000)) / 1_000_000)
    }

    /// From whole seconds.
    pub const fn from_secs(secs: i64) -> Span {
        Span::from_micros(secs.saturating_mul(1_000_000))
    }

    /// From whole minutes.
    pub const fn from_mins(mins: i64) -> Span {
        Span::from_secs(mins.saturating_mul(60))
    }

    /// From seconds with a fraction; what is negative or not finite becomes zero.
    pub fn from_secs_f64(secs: f64) -> Span {
        Span::from_micros((secs * 1e6).round() as i64)
    }

    /// In microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// In whole milliseconds, rounded down.
    pub const fn millis(self) -> i64 {
        self.0 / 1_000
    }

    /// In seconds.
    pub fn secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// For the standard library's clocks and sleeps.
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_micros(self.0 as u64)
    }
}

impl From<std::time::Duration> for Span {
    fn from(value: std::time::Duration) -> Span {
        Span(i64::try_from(value.as_micros()).unwrap_or(i64::MAX))
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Span;
    fn sub(self, other: Span) -> Span {
        Span::from_micros(self.0.saturating_sub(other.0))
    }
}

impl Mul<i64> for Span {
    type Output = Span;
    fn mul(self, times: i64) -> Span {
        Span::from_micros(self.0.saturating_mul(times))
    }
}

impl std::iter::Sum for Span {
    fn sum<I: Iterator<Item = Span>>(spans: I) -> Span {
        spans.fold(Span::ZERO, Add::add)
    }
}

/// Compact and exact to the millisecond: `1h30m`, `5m`, `2.5s`, `800ms`, `0s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.saturating_add(500) / 1_000;
        let (hours, rest) = (millis / 3_600_000, millis % 3_600_000);
        let (mins, rest) = (rest / 60_000, rest % 60_000);
        let (secs, ms) = (rest / 1_000, rest % 1_000);
        let mut text = String::new();
        if hours > 0 {
            text += &format!("{hours}h");
        }
        if mins > 0 {
            text += &format!("{mins}m");
        }
        match (secs, ms, text.is_empty()) {
            (0, 0, true) => text += "0s",
            (0, 0, false) => {}
            (0, ms, true) => text += &format!("{ms}ms"),
            (secs, 0, _) => text += &format!("{secs}s"),
            (secs, ms, _) => text += format!("{secs}.{ms:03}").trim_end_matches('0').to_string().as_str(),
        }
        if ms > 0 && !text.ends_with("ms") {
            text += "s";
        }
        f.pad(&text)
    }
}

impl std::str::FromStr for Span {
    type Err = NotAQuantity;

    /// Numbers with the units `ms`, `s`, `m`, `h`, `d`, largest first: `90s`, `1h30m`, `1.5 h`.
    fn from_str(text: &str) -> Result<Span, NotAQuantity> {
        let wrong = || NotAQuantity(format!("`{text}` is not a valid duration; write `30s`, `5m`, `1h30m` or `800ms`"));
        let mut rest = text.trim();
        let mut micros = 0.0_f64;
        let mut last = f64::INFINITY;
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(wrong)?;
            let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
            rest = rest[digits..].trim_start();
            let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            let unit = match &rest[..letters] {
                "ms" => 1e3,
                "s" | "sec" | "second" | "seconds" => 1e6,
                "m" | "min" | "minute" | "minutes" => 60e6,
                "h" | "hour" | "hours" => 3600e6,
                "d" | "day" | "days" => 86_400e6,
                _ => return Err(wrong()),
            };
            if unit >= last {
                return Err(wrong());
            }
            last = unit;
            micros += number * unit;
            rest = rest[letters..].trim_start();
        }
        // A hundred years: more is a slip, and stays far from overflow.
        if !(0.0..=3.2e15).contains(&micros) {
            return Err(wrong());
        }
        Ok(Span(micros.round() as i64))
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        i64::deserialize(deserializer).map(Span::from_micros)
    }
}

impl Share {
    /// Nothing of it.
    pub const NONE: Share = Share(0.0);
    /// One of two.
    pub const HALF: Share = Share(0.5);
    /// All of it.
    pub const ALL: Share = Share(1.0);

    /// From 0 to 1; outside of that, or not a number: `None`.
    pub fn new(value: f64) -> Option<Share> {
        (0.0..=1.0).contains(&value).then_some(Share(value))
    }

    /// From whole percents, at most a hundred of them.
    pub const fn percent(percents: u8) -> Share {
        Share(if percents > 100 { 1.0 } else { percents as f64 / 100.0 })
    }

    /// From 0 to 1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// As a percentage: `1 %`, `0.05 %`.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", (self.0 * 1e8).round() / 1e6)
    }
}

impl std::str::FromStr for Share {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Share, NotAQuantity> {
        let wrong = || NotAQuantity(format!("`{text}` is not a share; write a percentage such as `1 %` or `0.5 %`"));
        let number = text.trim().strip_suffix('%').ok_or_else(wrong)?.trim_end();
        let percent: f64 = number.parse().map_err(|_| wrong())?;
        Share::new(percent / 100.0)
            .ok_or_else(|| NotAQuantity(format!("`{text}` is not a share; shares are between `0 %` and `100 %`")))
    }
}

impl Rate {
    /// Per second; negative or not finite: `None`.
    pub fn per_sec(value: f64) -> Option<Rate> {
        (value.is_finite() && value >= 0.0).then_some(Rate(value))
    }

    /// Per second.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// Per second, or per minute when that reads better: `20/s`, `6/min`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tidy = |x: f64| (x * 1e6).round() / 1e6;
        match self.0 > 0.0 && self.0 < 1.0 {
            true => write!(f, "{}/min", tidy(self.0 * 60.0)),
            false => write!(f, "{}/s", tidy(self.0)),
        }
    }
}

impl std::str::FromStr for Rate {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Rate, NotAQuantity> {
        let wrong = || NotAQuantity(format!("`{text}` is not a rate; write `20/s`, `5 per minute` or `100/h`"));
        let (number, unit) = match text.split_once('/') {
            Some(parts) => parts,
            None => text.split_once(" per ").ok_or_else(wrong)?,
        };
        let number: f64 = number.trim().parse().map_err(|_| wrong())?;
        let seconds = match unit.trim() {
            "s" | "sec" | "second" => 1.0,
            "m" | "min" | "minute" => 60.0,
            "h" | "hour" => 3600.0,
            _ => return Err(wrong()),
        };
        Rate::per_sec(number / seconds).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_read_and_print() {
        for (text, shown) in [
            ("5m", "5m"),
            ("90s", "1m30s"),
            ("1h 30m", "1h30m"),
            ("1.5h", "1h30m"),
            ("800ms", "800ms"),
            ("2.5s", "2.5s"),
            ("1m2.5s", "1m2.5s"),
            ("0s", "0s"),
            ("5 minutes", "5m"),
        ] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), shown, "{text}");
        }
        assert!(Span::from_secs_f64(1e300).to_string().ends_with('s'), "the longest span prints too");
        for text in ["", "5", "-5m", "5mm", "m", "1.2.3s", "5m1h", "5m5m", "NaNs", "9e99d", "999999999999d"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn shares_and_rates_read_and_print() {
        assert_eq!("1 %".parse::<Share>().unwrap(), Share(0.01));
        assert_eq!("0.05%".parse::<Share>().unwrap().to_string(), "0.05 %");
        assert!("101 %".parse::<Share>().is_err());
        assert!("0.5".parse::<Share>().is_err());
        assert_eq!("20/s".parse::<Rate>().unwrap().to_string(), "20/s");
        assert_eq!("6 per minute".parse::<Rate>().unwrap().to_string(), "6/min");
        assert!("20".parse::<Rate>().is_err());
        assert!("-1/s".parse::<Rate>().is_err());
    }

    #[test]
    fn an_instant_prints_in_utc_and_reads_back() {
        let time: Time = "2026-03-02T09:00:00.123456Z".parse().unwrap();
        assert_eq!(time.to_string(), "2026-03-02T09:00:00.123Z");
        assert_eq!(time.window_start(Span::from_mins(1)).to_string(), "2026-03-02T09:00:00.000Z");
    }

    proptest! {
        #[test]
        fn a_span_prints_as_what_it_reads(millis in 0_i64..10_000_000_000) {
            let span = Span::from_millis(millis);
            prop_assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
        }

        #[test]
        fn an_instant_survives_the_journal(micros in 0_i64..4_000_000_000_000_000) {
            let time = Time::from_micros(micros);
            let json = serde_json::to_string(&time).unwrap();
            prop_assert_eq!(serde_json::from_str::<Time>(&json).unwrap(), time);
        }
    }
}
