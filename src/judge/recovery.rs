//! Recovery: whether a signal is steady again after the faults are gone, and in time.

use serde::Serialize;

use super::ask::{Ask, Reading};
use super::baseline::Pool;
use super::control::Arms;
use super::criterion::Criterion;
use super::judgement::{Judgement, SignalReadings, shown_share, weighed, why_broken};
use super::power::Power;
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
    /// Steady from this instant on, which is in time where a time is set.
    Steady { since: Time },
    /// Steady from this instant on, and its time was over before. The windows between are too few to call that broken.
    Late { since: Time },
    /// Not steady when its time was over, by the evidence of the windows after that.
    NotInTime { sure: Time },
    /// Not seen steady, and not seen to break either.
    CannotTell,
}

/// What is asked of a recovery.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recovery {
    pub criterion: Criterion,
    /// By when the signal is to be steady again. `None` where it had to hold all the time, so that only the evidence
    /// against it counts, and that is weighed elsewhere.
    pub limit: Option<Time>,
    /// When nobody looks any longer.
    pub until: Time,
}

/// How long a recovery is watched after its time is over: as long as it takes to see a signal steady, or to be sure that
/// it is not.
pub fn watched_after(every: Span) -> Span {
    every * i64::try_from(STEADY + 1).unwrap_or(6)
}

impl Recovery {
    /// How the readings since the faults are gone, in order, come out.
    pub fn of(&self, readings: &[Reading]) -> Recovered {
        let since = self.criterion.steady(readings).map(|windows| windows[0].from);
        let in_time = |since: Time| self.limit.is_none_or(|limit| since <= limit);
        if let Some(since) = since.filter(|since| in_time(*since)) {
            return Recovered::Steady { since };
        }
        if let Some(sure) = self.sure(readings) {
            return Recovered::NotInTime { sure };
        }
        match since {
            Some(since) => Recovered::Late { since },
            None if readings.last().is_some_and(|last| last.to >= self.until) => Recovered::CannotTell,
            None => Recovered::NotYet,
        }
    }

    /// The readings after the time was over.
    pub fn late<'a>(&self, readings: &'a [Reading]) -> &'a [Reading] {
        let first = self.limit.map_or(readings.len(), |limit| readings.partition_point(|r| r.from < limit));
        &readings[first..]
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
    /// What a recovery says of a signal that may break while the faults are in. `gone` is when they were gone, `rise` what a
    /// verdict of held must be able to rule out.
    pub fn of_recovery(
        recovery: &Recovery,
        rise: f64,
        gone: Time,
        baseline: &[Reading],
        readings: &[Reading],
    ) -> Judgement {
        let limit = recovery.limit.unwrap_or(gone);
        match recovery.of(readings) {
            Recovered::Steady { since } => steady_again(recovery, rise, since.since(gone), readings),
            Recovered::Late { since } => Judgement::plain(
                VerdictKind::Unknown,
                format!(
                    "was steady again {} after the faults were gone, which is late; the few windows between are too little \
                     to be sure that it was not chance",
                    since.since(gone).rounded()
                ),
            ),
            Recovered::NotInTime { sure } => {
                let late = recovery.late(readings);
                let nothing = vec![false; late.len()];
                let evidence = SignalReadings { baseline, judged: late, with_fault: &nothing };
                let missed = format!("was not steady again within {}", limit.since(gone).rounded());
                match recovery.rule() {
                    Some(rule) => {
                        let found = weighed(rule, &evidence);
                        let why = format!("{missed}: it {}", why_broken(&found, &rule.ask, late));
                        Judgement { kind: VerdictKind::Broken, why, ..found }
                    }
                    None => Judgement {
                        broken_at: Some(sure),
                        ..Judgement::plain(
                            VerdictKind::Broken,
                            format!("{missed}: it was outside of its bound at {sure}"),
                        )
                    },
                }
            }
            Recovered::NotYet | Recovered::CannotTell => Judgement::plain(
                VerdictKind::Unknown,
                format!(
                    "was not seen steady after the faults were gone, nor for long enough outside of its bound: {} windows with \
                     data",
                    readings.iter().filter(|reading| reading.value.is_some()).count()
                ),
            ),
        }
    }
}

fn steady_again(recovery: &Recovery, rise: f64, after: Span, readings: &[Reading]) -> Judgement {
    let when = match after {
        Span::ZERO => "steady as soon as the faults were gone".to_owned(),
        after => format!("steady again {} after the faults were gone", after.rounded()),
    };
    let Criterion::Tolerance(rule) = recovery.criterion else {
        return Judgement::plain(VerdictKind::Held, format!("held: {when}"));
    };
    let windows = recovery.criterion.steady(readings).unwrap_or_default();
    let requests = windows.iter().filter_map(|reading| rule.ask.size(reading)).sum();
    let power = Power::of_steady(rule.ask.tolerated(), requests);
    let (kind, why) = match power.is_enough(rise) {
        true => (VerdictKind::Held, format!("held: {when}{}", had_it_not(&rule.ask, power))),
        false => (
            VerdictKind::Unknown,
            format!("seemed {when}, but its {STEADY} windows are too quiet to tell: {requests} requests in all"),
        ),
    };
    Judgement { power: Some(power), ..Judgement::plain(kind, why) }
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
                Arms::kept(readings.iter().filter_map(Reading::arms), *ratio)
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
        Criterion::Tolerance(Rule { ask, alpha: Alpha::USUAL, horizon: 20 })
    }

    const NEVER: Criterion = Criterion::Invariant { bound: Bound::AtMost(5.0), certainty: Certainty::Final };

    /// The faults are gone at minute 0, and there are three minutes.
    fn found(criterion: Criterion, states: &str) -> Recovered {
        let recovery = Recovery { criterion, limit: Some(minute(3)), until: minute(3) + watched_after(EVERY) };
        recovery.of(&readings(states))
    }

    #[test]
    fn a_signal_recovers_in_time_or_late_or_not() {
        let (steady, late, not) = (
            |minutes| Recovered::Steady { since: minute(minutes) },
            |minutes| Recovered::Late { since: minute(minutes) },
            |minutes| Recovered::NotInTime { sure: minute(minutes) },
        );
        for (states, tolerant, exact) in [
            (".....", steady(0), steady(0)),
            ("!!!.....", steady(3), steady(3)),
            ("!!.?.?...", steady(2), steady(2)),
            ("!!!!", Recovered::NotYet, not(4)),
            ("!!!!.....", late(4), not(4)),
            ("!!!!!!", not(6), not(4)),
            ("!!!!!!!!!", not(6), not(4)),
            ("???......", steady(3), steady(3)),
            ("?????????", Recovered::CannotTell, Recovered::CannotTell),
            ("!!????", Recovered::NotYet, Recovered::NotYet),
            ("", Recovered::NotYet, Recovered::NotYet),
        ] {
            assert_eq!(found(level(), states), tolerant, "{states}");
            assert_eq!(found(NEVER, states), exact, "{states}");
        }
    }

    #[test]
    fn what_had_to_hold_all_the_time_is_only_watched_until_it_is_steady() {
        let recovery = Recovery { criterion: level(), limit: None, until: minute(9) };
        assert_eq!(recovery.of(&readings("!!!!!!.....")), Recovered::Steady { since: minute(6) });
        assert_eq!(recovery.of(&readings("!!!!!!")), Recovered::NotYet);
        assert_eq!(recovery.of(&readings("!!!!!!!!!!")), Recovered::CannotTell);
    }

    #[test]
    fn a_share_is_steady_when_the_windows_together_keep_it() {
        let rule = Rule { ask: Ask::ShareAtMost(0.01), alpha: Alpha::USUAL, horizon: 20 };
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
