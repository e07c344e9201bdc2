//! Recovery: whether a signal is steady again after the faults are gone, and in time.

use serde::Serialize;

use super::ask::{Ask, Reading};
use super::baseline::{Pool, UNSTEADY, ends_above};
use super::control::Arms;
use super::criterion::Criterion;
use super::judgement::{Judgement, SignalReadings, shown_share, weighed, why_broken};
use super::power::Power;
use super::special::share_lower;
use super::verdict::VerdictKind;
use super::weighing::{Rule, Weighing};
use crate::numbers::percent;
use crate::units::{Span, Time};

/// So many windows in a row, with data, in which the bound is kept on the whole: steady.
pub const STEADY: usize = 5;

/// How a signal came out of the recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovered {
    /// There is more to see.
    NotYet,
    /// Steady when its time was over. `since` is an estimate: the start of the first steady windows.
    Steady { since: Time },
    /// Not steady when its time was over, by too little evidence to call it broken.
    NotSteady,
    /// Not steady when its time was over, by the evidence of the windows after that.
    NotInTime { sure: Time },
    /// The windows at the end of its time have no data.
    CannotTell,
}

/// What is asked of a recovery.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recovery {
    pub criterion: Criterion,
    /// By when the signal is to be steady again.
    pub limit: Time,
    /// Whether it had to hold all the time, so that the evidence against it is weighed elsewhere.
    pub must_hold: bool,
    /// The rise that must be ruled out.
    pub must_catch: f64,
}

/// How long a recovery is watched after its time is over: the windows of the look, the first of which may begin late.
pub fn watched_after(every: Span) -> Span {
    every * i64::try_from(STEADY + 1).unwrap_or(6)
}

/// Evidence at which a recovery is over before its time: that it is still at the rise that must be caught.
const EARLY: f64 = 20.0;

/// How many clean windows rule out that a signal is still at the rise that must be caught, so that its recovery is over
/// before its time.
pub fn over_early_after(must_catch: f64) -> i64 {
    let windows = (EARLY.ln() / -(1.0 - must_catch.min(STILL)).ln()).ceil();
    (windows as i64).max(STEADY as i64)
}

/// A rise to everything would be ruled out by a single call.
const STILL: f64 = 0.95;

impl Recovery {
    /// How the readings since the faults are gone, in order, come out: by one look at a fixed time, at the first windows
    /// after the limit together. The first good five of many would pass a signal that has not recovered, in 12 to 70 % of
    /// runs (`docs/judge.md`). Before that only evidence that is valid at any time ends it.
    pub fn of(&self, readings: &[Reading]) -> Recovered {
        let since = || self.criterion.steady(readings).and_then(|windows| windows.first().map(|first| first.from));
        // What must hold throughout is weighed over all of its windows; here it is only looked at.
        if !self.must_hold
            && let Some(sure) = self.sure(readings)
        {
            return Recovered::NotInTime { sure };
        }
        if self.is_over_early(readings)
            && let Some(since) = since()
        {
            return Recovered::Steady { since };
        }
        let look = self.look(readings);
        if look.len() < STEADY {
            return Recovered::NotYet;
        }
        match self.passes(look) {
            None => Recovered::CannotTell,
            Some(false) => Recovered::NotSteady,
            Some(true) => Recovered::Steady { since: since().unwrap_or(look[0].from) },
        }
    }

    /// The windows of the look, as far as they are there.
    pub fn look<'a>(&self, readings: &'a [Reading]) -> &'a [Reading] {
        let late = self.late(readings);
        &late[..late.len().min(STEADY)]
    }

    /// What the windows of the look showed, in words.
    pub fn seen_in_look(&self, readings: &[Reading]) -> String {
        let Criterion::Tolerance(rule) = self.criterion else { return "it was outside its bound".to_owned() };
        let badness = Pool::of(&rule.ask, self.look(readings)).badness();
        match rule.ask.is_share() {
            true => format!("it was {} in the {STEADY} windows after that", shown_share(&rule.ask, badness)),
            false => format!("{} of the {STEADY} windows after that were outside", (badness * STEADY as f64).round()),
        }
    }

    /// Whether the bound is kept in the look, by the same rule as in a baseline; `None` where it has no data.
    fn passes(&self, look: &[Reading]) -> Option<bool> {
        match &self.criterion {
            Criterion::Tolerance(rule) => {
                let says = look.iter().any(|reading| rule.ask.size(reading).is_some());
                says.then(|| !ends_above(&rule.ask, look))
            }
            Criterion::Invariant { bound, .. } => {
                let mut values = look.iter().filter_map(|reading| reading.value);
                let all = values.clone().count() == look.len();
                match values.all(|value| bound.holds(value)) {
                    false => Some(false),
                    true => all.then_some(true),
                }
            }
            Criterion::Budget { .. } | Criterion::NoBaseline | Criterion::Nothing => Some(true),
        }
    }

    /// Whether the windows so far rule out that the signal is still at the rise that must be caught: a likelihood ratio
    /// whose mean is 1 at the most while it is, window by window (Ville's inequality), so that it holds at any time.
    fn is_over_early(&self, readings: &[Reading]) -> bool {
        let Criterion::Tolerance(rule) = self.criterion else { return false };
        let still = self.must_catch.min(STILL);
        let badness: Vec<f64> = readings.iter().filter_map(|r| rule.ask.badness(r)).map(|b| b.x).collect();
        let evidence: f64 = badness.iter().map(|x| (1.0 - x) / (1.0 - still)).product();
        badness.len() >= STEADY && evidence >= EARLY && !matches!(rule.ask, Ask::TimesControl { .. })
    }

    /// The readings after the time was over.
    pub fn late<'a>(&self, readings: &'a [Reading]) -> &'a [Reading] {
        &readings[readings.partition_point(|reading| reading.from < self.limit)..]
    }

    /// The rule by which the windows after the limit are weighed: it has only these few.
    pub fn rule(&self) -> Option<Rule> {
        let Criterion::Tolerance(rule) = self.criterion else { return None };
        Some(Rule { horizon: u32::try_from(STEADY + 1).unwrap_or(6), ..rule })
    }

    /// When it was sure that the signal was not steady after its time, if it was.
    fn sure(&self, readings: &[Reading]) -> Option<Time> {
        let late = self.late(readings);
        let window = match self.rule() {
            Some(rule) => Weighing::of(rule, late).broken(),
            None => self.criterion.violated(late),
        };
        window.and_then(|window| late.get(window)).map(|reading| reading.to)
    }
}

impl Judgement {
    /// What a recovery says of a signal that may break while the faults are in. `gone` is when they were gone.
    pub fn of_recovery(recovery: &Recovery, gone: Time, baseline: &[Reading], readings: &[Reading]) -> Judgement {
        let missed = format!("did not recover within {}", recovery.limit.since(gone).rounded());
        match recovery.of(readings) {
            Recovered::Steady { since } => steady_again(recovery, since.since(gone), readings),
            Recovered::NotSteady => {
                let why = format!(
                    "{missed}: {}, but the evidence is too weak to call it broken",
                    recovery.seen_in_look(readings)
                );
                Judgement::plain(VerdictKind::Unknown, why)
            }
            Recovered::NotInTime { sure } => {
                let late = recovery.late(readings);
                let nothing = vec![false; late.len()];
                let evidence = SignalReadings { baseline, judged: late, with_fault: &nothing };
                match recovery.rule() {
                    Some(rule) => {
                        let found = weighed(rule, &evidence);
                        let why = format!("{missed}: it {}", why_broken(&found, &rule.ask, late));
                        Judgement { kind: VerdictKind::Broken, why, ..found }
                    }
                    None => Judgement {
                        broken_at: Some(sure),
                        ..Judgement::plain(VerdictKind::Broken, format!("{missed}: it was outside its bound at {sure}"))
                    },
                }
            }
            Recovered::CannotTell => Judgement::plain(
                VerdictKind::Unknown,
                format!(
                    "has no data in the {STEADY} windows after {}, in which it had to be steady again",
                    recovery.limit
                ),
            ),
            Recovered::NotYet => Judgement::plain(
                VerdictKind::Unknown,
                format!("was not measured until {}, when it had to be steady again", recovery.limit),
            ),
        }
    }
}

fn steady_again(recovery: &Recovery, after: Span, readings: &[Reading]) -> Judgement {
    let when = match after {
        Span::ZERO => "steady as soon as the faults ended".to_owned(),
        after => format!("steady again about {} after the faults ended", after.rounded()),
    };
    let Criterion::Tolerance(rule) = recovery.criterion else {
        return Judgement::plain(VerdictKind::Held, format!("held: {when}"));
    };
    let look = recovery.look(readings);
    if look.len() < STEADY {
        // Over before its time, by evidence of its own: 20 to one is 95 times in 100.
        let power = Power { caught: Some(recovery.must_catch) };
        let why = format!("held: {when}{}", had_it_not(&rule.ask, power));
        return Judgement { power: Some(power), ..Judgement::plain(VerdictKind::Held, why) };
    }
    let requests = look.iter().filter_map(|reading| rule.ask.size(reading)).sum();
    let power = Power::of_look(rule.ask.tolerated(), fails_from(&rule.ask, requests), requests);
    let (kind, why) = match power.is_enough(recovery.must_catch) {
        true => (VerdictKind::Held, format!("held: {when}{}", had_it_not(&rule.ask, power))),
        false => (
            VerdictKind::Unknown,
            format!(
                "seemed {when}, but the {STEADY} windows that decide have too little traffic: {requests} requests in \
                 all"
            ),
        ),
    };
    Judgement { power: Some(power), ..Judgement::plain(kind, why) }
}

/// From how many bad ones of so many on a look says that a signal is not steady.
pub fn fails_from(ask: &Ask, of: u64) -> u64 {
    let tolerated = ask.tolerated();
    match ask {
        Ask::Level { .. } | Ask::Fresh { .. } => (tolerated * of as f64).max(1.0) as u64 + 1,
        _ => {
            let above = |bad: &u64| share_lower(*bad as f64, of as f64, UNSTEADY) > tolerated;
            // The lower limit is below the share itself.
            ((tolerated * of as f64) as u64..=of).find(above).unwrap_or(of + 1)
        }
    }
}

/// What a steady signal cannot have been.
fn had_it_not(ask: &Ask, power: Power) -> String {
    let Some(caught) = power.caught else { return String::new() };
    let worse = match ask {
        Ask::ShareAtMost(_) | Ask::TimesControl { .. } => format!("at {} or more", shown_share(ask, caught)),
        Ask::ShareAtLeast(_) => format!("at {} or less", shown_share(ask, caught)),
        _ => format!("outside in {} of the windows or more", percent(caught)),
    };
    format!("; had it still been {worse}, that would have shown 95 times in 100")
}

impl Criterion {
    /// The first [`STEADY`] readings with data in a row in which the bound is kept: on the whole where it has a tolerance,
    /// in each where it has none. The first of them is itself within the bound.
    pub fn steady(&self, readings: &[Reading]) -> Option<Vec<Reading>> {
        let with_data: Vec<Reading> = readings.iter().filter(|reading| self.says(reading)).copied().collect();
        with_data.windows(STEADY).find(|windows| self.kept(&windows[..1]) && self.kept(windows)).map(<[_]>::to_vec)
    }

    fn says(&self, reading: &Reading) -> bool {
        match self {
            Criterion::Tolerance(rule) => rule.ask.size(reading).is_some(),
            _ => reading.value.is_some(),
        }
    }

    fn kept(&self, readings: &[Reading]) -> bool {
        match self {
            Criterion::Tolerance(Rule { ask: Ask::TimesControl { ratio }, .. }) => {
                Arms::kept(readings.iter().filter_map(Reading::arms), *ratio, 0.1)
            }
            // Sums of shares differ from what is tolerated in the last digit.
            Criterion::Tolerance(rule) => {
                Pool::of(&rule.ask, readings).badness() <= rule.ask.tolerated() * (1.0 + 1e-9)
            }
            Criterion::Invariant { bound, .. } => {
                readings.iter().all(|r| r.value.is_some_and(|value| bound.holds(value)))
            }
            Criterion::Budget { .. } | Criterion::NoBaseline | Criterion::Nothing => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::bound::Bound;
    use crate::judge::invariant::Certainty;
    use crate::judge::simulate::{Counts, Stream};
    use crate::judge::weighing::Alpha;

    const EVERY: Span = Span::from_mins(1);

    fn minute(number: usize) -> Time {
        Time::EPOCH + EVERY * i64::try_from(number).unwrap()
    }

    /// One reading a minute: `.` within the bound, `!` outside, `?` without data.
    fn readings(states: &str) -> Vec<Reading> {
        let value = |state| match state {
            '!' => Some(9.0),
            '.' => Some(0.0),
            _ => None,
        };
        let reading = |(number, state)| Reading { value: value(state), ..Reading::missing(minute(number), EVERY) };
        states.chars().enumerate().map(reading).collect()
    }

    fn level() -> Criterion {
        let ask = Ask::Level { bound: Bound::AtMost(5.0), tolerated: 0.05 };
        Criterion::Tolerance(Rule { ask, alpha: Alpha::USUAL, horizon: 20, full: None })
    }

    const NEVER: Criterion = Criterion::Invariant { bound: Bound::AtMost(5.0), certainty: Certainty::Final };

    /// The faults are gone at minute 0, and there are three minutes.
    fn recovery(criterion: Criterion) -> Recovery {
        Recovery { criterion, limit: minute(3), must_hold: false, must_catch: 0.2 }
    }

    #[test]
    fn a_signal_is_looked_at_once_when_its_time_is_over() {
        let steady = |minutes| Recovered::Steady { since: minute(minutes) };
        let not = |minutes| Recovered::NotInTime { sure: minute(minutes) };
        for (states, tolerant, exact) in [
            (".....", Recovered::NotYet, Recovered::NotYet),
            ("........", steady(0), steady(0)),
            ("!!!.....", steady(3), steady(3)),
            ("!!.!....", steady(3), not(4)),
            // Good at first is not good in time.
            (".....!!.", Recovered::NotSteady, not(6)),
            ("......!!!!", not(9), not(7)),
            ("!!!!", Recovered::NotYet, not(4)),
            ("!!!!!!", not(6), not(4)),
            ("???.....", steady(3), steady(3)),
            ("...?????", Recovered::CannotTell, Recovered::CannotTell),
            ("...?....", steady(0), Recovered::CannotTell),
            ("", Recovered::NotYet, Recovered::NotYet),
        ] {
            assert_eq!(recovery(level()).of(&readings(states)), tolerant, "{states}");
            assert_eq!(recovery(NEVER).of(&readings(states)), exact, "{states}");
        }
    }

    #[test]
    fn it_is_over_early_only_by_evidence_that_is_valid_at_any_time() {
        let long = Recovery { limit: minute(60), ..recovery(level()) };
        let clean = |windows: usize| ".".repeat(windows);
        // Fourteen clean windows rule out 20 %, and 29 rule out 10 %.
        assert_eq!(long.of(&readings(&clean(13))), Recovered::NotYet);
        assert_eq!(long.of(&readings(&clean(14))), Recovered::Steady { since: minute(0) });
        let tenth = Recovery { must_catch: 0.1, ..long };
        assert_eq!(tenth.of(&readings(&clean(28))), Recovered::NotYet);
        assert_eq!(tenth.of(&readings(&clean(29))), Recovered::Steady { since: minute(0) });
        assert_eq!(long.of(&readings(&format!("!{}", clean(20)))), Recovered::NotYet);
    }

    #[test]
    fn what_had_to_hold_all_the_time_is_weighed_elsewhere() {
        let held = Recovery { must_hold: true, ..recovery(level()) };
        assert_eq!(held.of(&readings("!!!!!!!!")), Recovered::NotSteady);
        assert_eq!(held.of(&readings("!!!.....")), Recovered::Steady { since: minute(3) });
    }

    #[test]
    fn a_look_fails_from_what_chance_does_not_explain() {
        let level = Ask::Level { bound: Bound::AtMost(5.0), tolerated: 0.05 };
        assert_eq!(fails_from(&level, 5), 2);
        assert_eq!(fails_from(&Ask::ShareAtMost(0.01), 300), 6);
        assert!(share_lower(6.0, 300.0, UNSTEADY) > 0.01 && share_lower(5.0, 300.0, UNSTEADY) <= 0.01);
    }

    /// The share of recoveries that are passed although the signal is still at this rise, of 30 calls a window.
    fn passed(rise: f64, minutes: i64) -> f64 {
        let rule = Rule { ask: Ask::ShareAtMost(0.01), alpha: Alpha::USUAL, horizon: 60, full: None };
        let recovery =
            Recovery { criterion: Criterion::Tolerance(rule), limit: minute(0) + EVERY * minutes, ..recovery(NEVER) };
        let (counts, mut stream) = (Counts::new(30, rise, 0.0), Stream::numbered(9));
        let mut passed = 0;
        for _ in 0..1000 {
            let reading = |number: usize, failed: u32| Reading {
                value: Some(f64::from(failed) / 30.0),
                of: Some(30),
                ..Reading::missing(minute(number), EVERY)
            };
            let windows = usize::try_from(minutes).unwrap() + STEADY;
            let readings: Vec<Reading> = (0..windows).map(|number| reading(number, counts.draw(&mut stream))).collect();
            passed += u32::from(matches!(recovery.of(&readings), Recovered::Steady { .. }));
        }
        f64::from(passed) / 1000.0
    }

    #[test]
    fn a_signal_that_is_still_broken_does_not_pass_however_long_it_has_time() {
        // 150 calls show 6 % 95 times in 100, however long it is watched.
        let shown = Power::of_look(0.01, fails_from(&Ask::ShareAtMost(0.01), 150), 150).caught.unwrap();
        for minutes in [5, 15, 30, 60] {
            let passed = passed(shown, minutes);
            assert!(passed <= 0.05 + 4.0 * (0.05_f64 * 0.95 / 1000.0).sqrt(), "{minutes} minutes: {passed}");
        }
    }

    #[test]
    fn a_share_is_steady_when_the_windows_together_keep_it() {
        let rule = Rule { ask: Ask::ShareAtMost(0.01), alpha: Alpha::USUAL, horizon: 20, full: None };
        let reading = |(number, bad): (usize, &f64)| Reading {
            value: Some(bad / 60.0),
            of: Some(60),
            ..Reading::missing(minute(number), EVERY)
        };
        let readings: Vec<Reading> = [9.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0].iter().enumerate().map(reading).collect();
        // One failure of 60 is above 1 %, but chance; with it, two of the 300 of five windows are not.
        let steady = Criterion::Tolerance(rule).steady(&readings).unwrap();
        assert_eq!(steady[0].from, minute(2));
    }
}
