//! What a verdict of held takes of a signal with a tolerance: that it kept its bound while the faults worked, as measured,
//! and that a rise that matters would have been caught.

use super::ask::{Ask, Reading};
use super::baseline::Pool;
use super::control::Arms;
use super::judgement::{SignalReadings, shown_share};
use super::power::{Beside, Power, Stakes, Volume};
use super::verdict::VerdictKind;
use super::weighing::Rule;
use crate::numbers::{percent, thousands};

/// Why a signal says nothing where no fault had an effect.
pub const NOT_AT_WORK: &str = "not judged: no fault was seen to take effect in any of its windows";

/// What is said of a signal that was not found broken.
pub(super) fn not_broken(rule: &Rule, must_catch: f64, evidence: &SignalReadings<'_>) -> (VerdictKind, String, Power) {
    let power = power(*rule, evidence);
    let (kind, why) = match outside_on_the_whole(&rule.ask, evidence) {
        Some(why) => (VerdictKind::Unknown, why),
        None => caught(&rule.ask, power, must_catch, evidence),
    };
    (kind, why, power)
}

/// What the rule would have caught in the windows of the run.
fn power(rule: Rule, evidence: &SignalReadings<'_>) -> Power {
    let baseline = Pool::of(&rule.ask, evidence.baseline);
    let control = match rule.ask {
        Ask::TimesControl { ratio } => {
            let readings = [evidence.baseline, evidence.judged].concat();
            Some(Beside { ratio, usual: Pool::of_control(&readings).badness() })
        }
        _ => None,
    };
    let stakes = Stakes {
        tolerated: rule.ask.tolerated(),
        horizon: rule.horizon,
        alpha: rule.alpha.get(),
        usual: baseline.badness(),
        clustering: baseline.likely_clustering(),
        full: rule.full,
        control,
    };
    let with_fault = evidence.with_fault.iter().copied().chain(std::iter::repeat(false));
    let volumes: Vec<Volume> = evidence
        .judged
        .iter()
        .zip(with_fault)
        .map(|(reading, with_fault)| Volume {
            of: rule.ask.size(reading),
            with_fault,
            control: reading.control.map_or(0, |control| control.of),
        })
        .collect();
    Power::of(&stakes, &volumes)
}

/// What was measured while the faults worked, where that is itself outside of the bound: not held, though it is too little
/// evidence to be broken. Of the windows of a level one may always be outside.
fn outside_on_the_whole(ask: &Ask, evidence: &SignalReadings<'_>) -> Option<String> {
    let pairs = evidence.judged.iter().zip(evidence.with_fault);
    let readings: Vec<Reading> = pairs.filter(|(_, with_fault)| **with_fault).map(|(reading, _)| *reading).collect();
    let pool = Pool::of(ask, &readings);
    if pool.windows == 0 || pool.badness() <= ask.tolerated() * (1.0 + 1e-9) {
        return None;
    }
    let reading = "too much to call it held, and too little evidence to call it broken";
    match ask {
        Ask::TimesControl { ratio } => {
            if Arms::kept(readings.iter().filter_map(Reading::arms), *ratio, 0.1) {
                return None;
            }
            let (seen, control) = (percent(pool.badness()), percent(Pool::of_control(&readings).badness()));
            Some(format!("was {seen} during the faults, its control {control}: {reading}"))
        }
        _ if ask.is_share() => {
            let (seen, tolerated) = (shown_share(ask, pool.badness()), shown_share(ask, ask.tolerated()));
            Some(format!("was {seen} during the faults, where {tolerated} is tolerated: {reading}"))
        }
        _ if pool.bad.round() <= 1.0 => None,
        _ => Some(format!(
            "was outside its bound in {} of {} windows during the faults, where {} are tolerated: {reading}",
            pool.bad.round(),
            pool.windows,
            percent(ask.tolerated())
        )),
    }
}

/// What would have been caught, against what must be.
fn caught(ask: &Ask, power: Power, must_catch: f64, evidence: &SignalReadings<'_>) -> (VerdictKind, String) {
    let pairs = || evidence.judged.iter().zip(evidence.with_fault).filter(|(_, with_fault)| **with_fault);
    let sizes: Vec<u64> = pairs().filter_map(|(reading, _)| ask.size(reading)).collect();
    let (windows, with_data) = (pairs().count(), sizes.len());
    if windows == 0 {
        return (VerdictKind::Unknown, NOT_AT_WORK.to_owned());
    }
    if with_data == 0 {
        let beside = if matches!(ask, Ask::TimesControl { .. }) { ", or its control has none" } else { "" };
        return (VerdictKind::Unknown, format!("has no data in the {windows} windows during the faults{beside}"));
    }
    let usual = sizes.iter().sum::<u64>() / with_data as u64;
    let count = |number: usize| format!("{number} {}", if number == 1 { "window" } else { "windows" });
    let seen = match ask.is_share() {
        true => format!("{} during the faults, of {} requests each", count(with_data), thousands(usual as f64)),
        false => format!("{} during the faults", count(with_data)),
    };
    let worse = |to: f64| match ask {
        Ask::ShareAtLeast(_) => format!("a fall to {}", shown_share(ask, to)),
        Ask::ShareAtMost(_) | Ask::TimesControl { .. } => format!("a rise to {}", shown_share(ask, to)),
        _ => format!("a breach in {} of the windows", percent(to)),
    };
    match power.caught {
        Some(caught) if power.is_enough(must_catch) => {
            (VerdictKind::Held, format!("held: {} would have been caught 95 times in 100 ({seen})", worse(caught)))
        }
        caught => {
            let caught = caught.map_or("nothing".to_owned(), |caught| format!("only {} or worse", worse(caught)));
            let wanted = worse(must_catch);
            let why = format!(
                "did not break, but there is too little data to call it held: in {seen}, {caught} would have been \
                 caught 95 times in 100; the limit is {wanted}. Use more traffic or a longer fault"
            );
            (VerdictKind::Unknown, why)
        }
    }
}
