//! What the test of a fault's effect could show at the best, asked before anything is done: the same test, on windows in which
//! everything happens as expected.
//!
//! A test of a level can only show what at least about triples the failures of the baseline, and few calls show little: after six
//! good calls eight must fail, after thirty three. So a run of which this says no ends unknown, whatever the fault does.

use super::ask::Reading;
use super::effectiveness::{ENOUGH, LEVEL, looks, rise};
use crate::units::{Span, Time};

/// A window.
const MINUTE: Span = Span::from_mins(1);
/// Lengths of a fault that are tried, in minutes.
const LENGTHS: [usize; 14] = [10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1440];
/// How many times the traffic is tried.
const TRAFFIC: [f64; 9] = [2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0, 100.0, 200.0];

/// A share of calls, without a fault and with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Calls a minute.
    pub calls: f64,
    /// The share that fails, or is slow, without the fault and with it: 0 to 1.
    pub before: f64,
    pub after: f64,
}

/// The windows of a run in which the two are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looked {
    /// Minutes of the baseline.
    pub baseline: usize,
    /// Minutes of the fault, after it has begun to work.
    pub fault: usize,
    /// Indicators of the run that are tested.
    pub tests: usize,
}

impl Expected {
    /// Whether the test would show the fault if everything happened as expected.
    pub fn is_shown(&self, looked: Looked) -> bool {
        if looked.baseline < ENOUGH {
            return false;
        }
        let level = LEVEL / (looked.tests.max(1) * looks(looked.fault)) as f64;
        let baseline = self.windows(0, looked.baseline, self.before);
        let fault = self.windows(looked.baseline, looked.fault, self.after);
        rise(&baseline, &fault, level).is_some()
    }

    /// The shortest fault of those tried that is shown, with a baseline at least as long where there are few calls.
    pub fn length(&self, looked: Looked) -> Option<Span> {
        let longer = LENGTHS.into_iter().filter(|minutes| *minutes > looked.fault);
        let shows = |fault: &usize| {
            let baseline = looked.baseline.max(if self.calls < 1.0 { *fault } else { 0 });
            self.is_shown(Looked { baseline, fault: *fault, ..looked })
        };
        let minutes = longer.take_while(|minutes| *minutes as f64 * self.calls < 1e6).find(shows)?;
        Some(MINUTE * i64::try_from(minutes + 1).ok()?)
    }

    /// The least traffic of those tried, in calls a minute, at which it is shown.
    pub fn traffic(&self, looked: Looked) -> Option<f64> {
        let more = TRAFFIC.into_iter().map(|times| Expected { calls: self.calls * times, ..*self });
        more.filter(|more| more.calls <= 1e5).find(|more| more.is_shown(looked)).map(|more| more.calls)
    }

    /// What it costs the application to see it: another way that is known already, a longer fault, more traffic.
    pub fn remedy(&self, looked: Looked, other: Option<String>) -> String {
        let longer = self.length(looked).map(|length| match self.calls < 1.0 {
            true => format!("a fault of {length} with a baseline of the same length"),
            false => format!("a fault of {length}"),
        });
        let busier = self.traffic(looked).map(|calls| format!("{} calls a minute", a_minute(calls)));
        let ways: Vec<String> = [other, longer, busier].into_iter().flatten().collect();
        match ways.as_slice() {
            [] => "the fault must at least about triple what fails anyway".to_owned(),
            ways => format!("it takes {}", ways.join(", or ")),
        }
    }

    /// Windows in which so many calls come as evenly as whole numbers can.
    fn windows(&self, first: usize, count: usize, share: f64) -> Vec<Reading> {
        let whole = |value: f64| (value + 0.5).floor();
        let calls = |windows: usize| whole(windows as f64 * self.calls);
        let bad = |windows: usize| whole(calls(windows) * share);
        let window = |number: usize| {
            let of = calls(number + 1) - calls(number);
            let from = Time::EPOCH + MINUTE * i64::try_from(first + number).unwrap_or(i64::MAX);
            Reading {
                value: (of > 0.0).then(|| (bad(number + 1) - bad(number)) / of),
                of: (of > 0.0).then_some(of as u64),
                ..Reading::missing(from, MINUTE)
            }
        };
        (0..count).map(window).collect()
    }
}

/// A rate as it reads.
pub fn a_minute(calls: f64) -> String {
    if calls >= 10.0 { format!("{calls:.0}") } else { crate::numbers::tidy(calls).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(baseline: usize, fault: usize) -> Looked {
        Looked { baseline, fault, tests: 1 }
    }

    /// The rule of thumb of the documentation, with the test itself.
    #[test]
    fn a_rise_must_triple_the_failures() {
        let rise = |before: f64, after: f64| Expected { calls: 300.0, before, after };
        assert!(!rise(0.02, 0.0396).is_shown(looked(8, 10)), "2 % beside 2 %");
        assert!(!rise(0.02, 0.0396).is_shown(looked(8, 200)), "however long");
        assert_eq!(rise(0.02, 0.0396).length(looked(8, 10)), None);
        assert!(rise(0.02, 0.0788).is_shown(looked(8, 10)), "6 % beside 2 %");
        assert!(rise(0.0, 0.02).is_shown(looked(8, 10)));
        assert!(!rise(1.0, 1.0).is_shown(looked(8, 10)), "what is slow anyway");
    }

    #[test]
    fn few_calls_take_time_or_traffic() {
        let few = Expected { calls: 0.1, before: 0.0, after: 1.0 };
        assert!(!few.is_shown(looked(60, 40)), "six calls and four");
        let enough = few.length(looked(60, 40)).unwrap();
        assert!(enough > Span::from_mins(40) && enough <= Span::from_mins(121), "{enough}");
        let traffic = few.traffic(looked(60, 40)).unwrap();
        assert!((0.2..=0.5).contains(&traffic), "{traffic}");
        // No baseline, nothing to compare with.
        assert!(!Expected { calls: 300.0, before: 0.0, after: 1.0 }.is_shown(looked(4, 10)));
    }
}
