//! What is said of one signal: held, broken or unknown, why, and how sure that is, in words for an engineer who never
//! heard of any of this.

use std::cmp::Ordering;

use super::ask::{Ask, Reading};
use super::baseline::Pool;
use super::bound::Bound;
use super::budget::{Kept, Objective, Spent};
use super::criterion::Criterion;
use super::effect::Effect;
use super::held;
use super::invariant::{Certainty, Upheld, examine};
use super::power::Power;
use super::verdict::VerdictKind;
use super::weighing::{Rule, Weighing, Weight};
use crate::numbers::{percent, thousands, tidy};
use crate::units::Time;

/// How many windows are named as those that weigh most.
const NAMED: usize = 3;

/// What was found of one signal, and how sure that is.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub kind: VerdictKind,
    /// What follows the signal's title: `broke at 2026-03-02T09:14:00.000Z: ...`.
    pub why: String,
    /// The evidence against the bound, where it is judged by evidence.
    pub odds: Option<Odds>,
    /// When it was found broken.
    pub broken_at: Option<Time>,
    /// Since when it was, as far as the windows show.
    pub since: Option<Time>,
    /// The windows that weigh most against the bound.
    pub weightiest: Vec<Weighty>,
    /// How much the signal moved from its baseline, in its own unit.
    pub effect: Option<Effect>,
    /// What would have been caught; only of a signal that is not broken.
    pub power: Option<Power>,
    /// What was spent of an error budget.
    pub spent: Option<Spent>,
}

/// Evidence as odds against one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Odds {
    /// Those of the decision, or the highest of the run.
    pub against: f64,
    /// Those at which the bound is called broken.
    pub decides_at: f64,
}

/// A window that weighs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighty {
    pub from: Time,
    pub to: Time,
    /// By how much it raised the evidence.
    pub times: f64,
}

/// The readings of one signal, in order.
#[derive(Clone, Copy, Debug)]
pub struct SignalReadings<'a> {
    /// Before any fault.
    pub baseline: &'a [Reading],
    /// Those that are judged.
    pub judged: &'a [Reading],
    /// For each of those that are judged, whether a fault was in.
    pub with_fault: &'a [bool],
}

/// The rise that a verdict of held must be able to have caught, where the experiment does not say: ten times what is
/// tolerated, and a tenth at least. Six windows of 300 requests show that, and so do nine of 60 (`docs/judge.md`).
pub fn usual_rise(of_requests: bool, tolerated: f64) -> f64 {
    // Windows are few: a level must at least be seen when it is wrong all the time.
    if of_requests { (10.0 * tolerated).clamp(0.1, 1.0) } else { 1.0 }
}

impl Judgement {
    /// Only a finding and its reason.
    pub fn plain(kind: VerdictKind, why: impl Into<String>) -> Judgement {
        Judgement {
            kind,
            why: why.into(),
            odds: None,
            broken_at: None,
            since: None,
            weightiest: Vec::new(),
            effect: None,
            power: None,
            spent: None,
        }
    }

    /// Judges a signal that must hold all the time. `must_catch` is the rise that a verdict of held must be able to have
    /// caught, where there is a tolerance.
    pub fn of(criterion: &Criterion, must_catch: f64, evidence: SignalReadings<'_>) -> Judgement {
        match criterion {
            Criterion::Tolerance(rule) => of_tolerance(*rule, must_catch, evidence),
            Criterion::Invariant { bound, certainty } => of_invariant(*bound, *certainty, evidence.judged),
            Criterion::Budget { objective, allowed, usual_traffic } => {
                of_budget(objective, *allowed, *usual_traffic, evidence.judged)
            }
            Criterion::Nothing => Judgement::plain(VerdictKind::Held, ""),
            Criterion::NoBaseline => {
                Judgement::plain(VerdictKind::Unknown, "is compared with the baseline, which has no data")
            }
        }
    }

    /// The first sentence of the reason.
    pub fn brief(&self) -> &str {
        self.why.split_once(". ").map_or(self.why.as_str(), |(first, _)| first)
    }

    /// Both at once: the worse finding wins, and equal ones are told together.
    #[must_use]
    pub fn and(mut self, other: Judgement) -> Judgement {
        match self.kind.cmp(&other.kind) {
            Ordering::Greater => self,
            Ordering::Less => {
                Judgement { odds: other.odds.or(self.odds), effect: other.effect.or(self.effect), ..other }
            }
            Ordering::Equal => {
                self.why =
                    [self.why, other.why].into_iter().filter(|why| !why.is_empty()).collect::<Vec<_>>().join("; ");
                self.power = self.power.or(other.power);
                self.odds = self.odds.or(other.odds);
                self.effect = self.effect.or(other.effect);
                self
            }
        }
    }
}

fn of_tolerance(rule: Rule, must_catch: f64, evidence: SignalReadings<'_>) -> Judgement {
    let mut judgement = weighed(rule, &evidence);
    if judgement.broken_at.is_some() {
        judgement.kind = VerdictKind::Broken;
        judgement.why = why_broken(&judgement, &rule.ask, evidence.judged);
    } else {
        let (kind, why, power) = held::not_broken(&rule, must_catch, &evidence);
        judgement = Judgement { kind, why, power: Some(power), ..judgement };
    }
    judgement
}

/// The numbers of a judgement by evidence, without finding and reason.
pub(super) fn weighed(rule: Rule, evidence: &SignalReadings<'_>) -> Judgement {
    let weighing = Weighing::of(rule, evidence.judged);
    let until = weighing.broken().map_or(evidence.judged.len(), |window| window + 1);
    let window = |number: usize| evidence.judged.get(number);
    let weighty = |weight: Weight| {
        window(weight.window).map(|reading| Weighty { from: reading.from, to: reading.to, times: weight.times })
    };
    Judgement {
        odds: Some(Odds { against: weighing.odds(), decides_at: rule.alpha.decides_at() }),
        broken_at: weighing.broken().and_then(window).map(|reading| reading.to),
        since: weighing.onset(evidence.judged).and_then(window).map(|reading| reading.from),
        weightiest: weighing.weightiest(NAMED).into_iter().filter_map(weighty).collect(),
        effect: Effect::between(&values(evidence.baseline), &values(&evidence.judged[..until])),
        ..Judgement::plain(VerdictKind::Unknown, "")
    }
}

/// How a bound with a tolerance was found broken.
pub(super) fn why_broken(found: &Judgement, ask: &Ask, judged: &[Reading]) -> String {
    let (Some(at), Some(since), Some(odds)) = (found.broken_at, found.since, found.odds) else { return String::new() };
    let spell: Vec<Reading> =
        judged.iter().filter(|reading| reading.from >= since && reading.to <= at).copied().collect();
    let pool = Pool::of(ask, &spell);
    let seen = match ask {
        Ask::TimesControl { ratio } => {
            let (seen, control) = (percent(pool.badness()), percent(Pool::of_control(&spell).badness()));
            let tolerated = if *ratio == 1.0 { "as much".to_owned() } else { format!("{ratio} times as much") };
            format!("since {since} it was {seen}, its control {control}, where {tolerated} is tolerated")
        }
        _ if ask.is_share() => {
            let (seen, tolerated) = (shown_share(ask, pool.badness()), shown_share(ask, ask.tolerated()));
            format!("since {since} it was {seen}, where {tolerated} is tolerated")
        }
        _ => {
            let (bad, windows, tolerated) = (pool.bad.round(), pool.windows, percent(ask.tolerated()));
            format!("{bad} of {windows} windows since {since} were outside the bound, where {tolerated} may be")
        }
    };
    let named = found.weightiest.iter().map(|weighty| weighty.from.to_string()).collect::<Vec<_>>();
    let named = match named.as_slice() {
        [] => String::new(),
        [one] => format!(". The window with the most evidence is {one}"),
        several => format!(". The windows with the most evidence are {}", several.join(", ")),
    };
    format!(
        "broke at {at}: {seen}. If the bound were kept, fewer than 1 run in {} would look as bad as this; it is called \
         broken at 1 in {}{named}{}",
        thousands(odds.against),
        thousands(odds.decides_at),
        found.effect.map_or(String::new(), |effect| against_baseline(ask, &effect)),
    )
}

fn of_invariant(bound: Bound, certainty: Certainty, judged: &[Reading]) -> Judgement {
    let shown = |number: usize| match (bound, judged.get(number).and_then(|reading| reading.value)) {
        (Bound::StaysQuiet | Bound::FiresWithin(_), _) => "in ALARM".to_owned(),
        (_, value) => value.map(tidy).unwrap_or_default().to_string(),
    };
    let at = |number: usize| judged.get(number).map(|reading| reading.to).unwrap_or_default();
    match examine(bound, certainty, judged) {
        Upheld::Held => Judgement::plain(
            VerdictKind::Held,
            format!("held: none of its {} windows was outside the bound", thousands(judged.len() as f64)),
        ),
        Upheld::Violated { at: first, confirmed } => {
            let sure = match first == confirmed {
                true => String::new(),
                false => format!(", confirmed by {} at {}", shown(confirmed), at(confirmed)),
            };
            Judgement {
                broken_at: Some(at(confirmed)),
                since: judged.get(first).map(|reading| reading.from),
                ..Judgement::plain(
                    VerdictKind::Broken,
                    format!(
                        "broke: it was {} at {}{sure}. No window may be outside the bound",
                        shown(first),
                        at(first)
                    ),
                )
            }
        }
        Upheld::Unconfirmed { at: first } => Judgement::plain(
            VerdictKind::Unknown,
            format!(
                "was {} at {}, not confirmed by another reading: a queue's counts are estimates",
                shown(first),
                at(first)
            ),
        ),
        Upheld::Missing { windows } => Judgement::plain(
            VerdictKind::Unknown,
            format!(
                "has no data in {windows} of its {} windows, any of which may have been outside the bound",
                judged.len()
            ),
        ),
        Upheld::NoData => Judgement::plain(VerdictKind::Unknown, "has no data since the baseline"),
    }
}

fn of_budget(objective: &Objective, allowed: f64, usual_traffic: f64, judged: &[Reading]) -> Judgement {
    let Some(spent) = objective.spent(judged, usual_traffic) else {
        return Judgement::plain(VerdictKind::Unknown, "has no traffic in the baseline to count its error budget by");
    };
    let budget = objective;
    let burned = format!(
        "it burned {} times as fast as that allows, and {} times in the worst window",
        tidy(spent.burn_rate),
        tidy(spent.highest_burn_rate)
    );
    let criterion = Criterion::Budget { objective: *objective, allowed, usual_traffic };
    let broken_at = criterion.broken(judged).and_then(|window| judged.get(window)).map(|reading| reading.to);
    let when = || broken_at.map_or(String::new(), |at| format!(" at {at}"));
    let (kind, why) = match spent.within(allowed) {
        Kept::Yes => (
            VerdictKind::Held,
            format!("held: {} of {budget} was spent, of {}; {burned}", percent(spent.at_worst), percent(allowed)),
        ),
        Kept::No => (
            VerdictKind::Broken,
            format!(
                "broke{}: {} of {budget} was spent, of {}; {burned}",
                when(),
                percent(spent.share),
                percent(allowed)
            ),
        ),
        Kept::CannotTell => (
            VerdictKind::Unknown,
            format!(
                "spent {} of {budget}, of {}, and up to {} if all failed in the windows without data",
                percent(spent.share),
                percent(allowed),
                percent(spent.at_worst)
            ),
        ),
    };
    Judgement { spent: Some(spent), broken_at, ..Judgement::plain(kind, why) }
}

fn values(readings: &[Reading]) -> Vec<f64> {
    readings.iter().filter_map(|reading| reading.value).collect()
}

/// What a share's badness is in the words of its bound: a share that is at least something is bad where it is missing.
pub(super) fn shown_share(ask: &Ask, badness: f64) -> String {
    percent(if matches!(ask, Ask::ShareAtLeast(_)) { 1.0 - badness } else { badness })
}

fn against_baseline(ask: &Ask, effect: &Effect) -> String {
    let unit = |value: f64| if ask.is_share() { tidy(value * 100.0) } else { tidy(value) };
    let points = if ask.is_share() { " points" } else { "" };
    let range = match (effect.from, effect.to) {
        (Some(from), Some(to)) => format!(" (95 % confidence: {} to {})", unit(from), unit(to)),
        _ => " (too few windows for an interval)".to_owned(),
    };
    format!(". Against the baseline it moved by {}{points}{range}", unit(effect.shift))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::weighing::Alpha;
    use crate::units::Span;

    const NINE: &str = "2026-03-02T09:00:00Z";

    fn readings(from: usize, windows: &[(f64, u64)]) -> Vec<Reading> {
        let start: Time = NINE.parse().unwrap();
        let every = Span::from_mins(1);
        let at = |number: usize| start + every * i64::try_from(from + number).unwrap();
        let reading = |(number, (value, of)): (usize, &(f64, u64))| Reading {
            value: Some(*value).filter(|value| !value.is_nan()),
            of: Some(*of),
            ..Reading::missing(at(number), every)
        };
        windows.iter().enumerate().map(reading).collect()
    }

    fn judge(ask: Ask, signals: usize, baseline: &[(f64, u64)], judged: &[(f64, u64)], with_fault: usize) -> Judgement {
        let rule = Rule { ask, alpha: Alpha::USUAL.among(signals), horizon: 20, full: None };
        let with_fault: Vec<bool> = (0..judged.len()).map(|window| window < with_fault).collect();
        let (baseline, judged) = (readings(0, baseline), readings(baseline.len(), judged));
        Judgement::of(
            &Criterion::Tolerance(rule),
            usual_rise(ask.is_share(), ask.tolerated()),
            SignalReadings { baseline: &baseline, judged: &judged, with_fault: &with_fault },
        )
    }

    #[test]
    fn a_broken_share_is_explained() {
        let mut fault = vec![(0.002, 300); 3];
        fault.extend([(0.234, 300); 5]);
        let found = judge(Ask::ShareAtMost(0.01), 4, &[(0.0, 300), (0.003, 300), (0.001, 300), (0.0, 300)], &fault, 8);
        assert_eq!(found.kind, VerdictKind::Broken);
        insta::assert_snapshot!(found.why, @"broke at 2026-03-02T09:11:00.000Z: since 2026-03-02T09:07:00.000Z it was \
                                             23.4 %, where 1 % is tolerated. If the bound were kept, fewer than 1 run \
                                             in 3,281 would look as bad as this; it is called broken at 1 in 400. The \
                                             windows with the most evidence are 2026-03-02T09:08:00.000Z, \
                                             2026-03-02T09:09:00.000Z, 2026-03-02T09:10:00.000Z. Against the baseline \
                                             it moved by 23.1 points (95 % confidence: 0.1 to 23.4)");
    }

    #[test]
    fn a_broken_level_is_explained() {
        let ask = Ask::Level { bound: Bound::Below(5000.0), tolerated: 0.05 };
        let found =
            judge(ask, 1, &[(3.0, 1); 5], &[(4000.0, 1), (5200.0, 1), (6100.0, 1), (7300.0, 1), (7300.0, 1)], 5);
        assert_eq!(found.kind, VerdictKind::Broken);
        insta::assert_snapshot!(found.why, @"broke at 2026-03-02T09:09:00.000Z: 3 of 3 windows since \
                                             2026-03-02T09:06:00.000Z were outside the bound, where 5 % may be. If the \
                                             bound were kept, fewer than 1 run in 190 would look as bad as this; it is \
                                             called broken at 1 in 100. The windows with the most evidence are \
                                             2026-03-02T09:06:00.000Z, 2026-03-02T09:07:00.000Z, \
                                             2026-03-02T09:08:00.000Z. Against the baseline it moved by 5647 (95 % \
                                             confidence: 3997 to 7297)");
    }

    #[test]
    fn held_says_what_would_have_been_caught() {
        let found = judge(Ask::ShareAtMost(0.01), 4, &[(0.0, 300); 5], &[(0.002, 300); 18], 10);
        assert_eq!(found.kind, VerdictKind::Held);
        insta::assert_snapshot!(found.why, @"held: a rise to 5 % would have been caught 95 times in 100 (10 windows during the faults, of 300 requests each)");
        let level = Ask::Level { bound: Bound::AtLeast(150.0), tolerated: 0.05 };
        insta::assert_snapshot!(judge(level, 4, &[(300.0, 1); 5], &[(290.0, 1); 18], 10).why, @"held: a breach in 80 % of the windows would have been caught 95 times in 100 (10 windows during the faults)");
        insta::assert_snapshot!(judge(Ask::ShareAtLeast(0.99), 1, &[(1.0, 300); 5], &[(1.0, 300); 18], 10).why, @"held: a fall to 95 % would have been caught 95 times in 100 (10 windows during the faults, of 300 requests each)");
    }

    #[test]
    fn a_share_outside_of_its_bound_is_never_held() {
        // 2 % of 360 requests is no evidence against 1 %, and no sign of it either.
        let windows = [(0.0, 60), (1.0 / 30.0, 60), (1.0 / 60.0, 60), (1.0 / 30.0, 60), (0.0, 60), (1.0 / 30.0, 60)];
        let found = judge(Ask::ShareAtMost(0.01), 1, &[(0.0, 60); 5], &windows, 6);
        assert_eq!(found.kind, VerdictKind::Unknown);
        insta::assert_snapshot!(found.why, @"was 1.94 % during the faults, where 1 % is tolerated: too much to \
                                             call it held, and too little evidence to call it broken");
        // The same before and after the faults is none of their doing.
        let around = [&windows[1..4], &[(0.0, 60); 14], &windows[1..3]].concat();
        let rule = Ask::ShareAtMost(0.05);
        assert_eq!(judge(rule, 1, &[(0.0, 60); 5], &around, 14).kind, VerdictKind::Held);
        let level = Ask::Level { bound: Bound::AtMost(5.0), tolerated: 0.05 };
        let mut windows = [(0.0, 1); 12];
        windows[3].0 = 9.0;
        assert_eq!(judge(level, 1, &[(0.0, 1); 5], &windows, 12).kind, VerdictKind::Held, "one may always be outside");
        windows[9].0 = 9.0;
        insta::assert_snapshot!(judge(level, 1, &[(0.0, 1); 5], &windows, 12).why, @"was outside its bound in 2 of 12 windows during the faults, where 5 % are tolerated: too much to call it held, and too little evidence to call it broken");
    }

    #[test]
    fn too_little_is_unknown_and_says_why() {
        let quiet = judge(Ask::ShareAtMost(0.01), 4, &[(0.0, 3); 5], &[(0.0, 3); 18], 5);
        assert_eq!(quiet.kind, VerdictKind::Unknown);
        insta::assert_snapshot!(quiet.why, @"did not break, but there is too little data to call it held: in 5 windows during the faults, of 3 requests each, only a rise to 50 % or worse would have been caught 95 times in 100; the limit is a rise to 10 %. Use more traffic or a longer fault");
        let blind = judge(Ask::ShareAtMost(0.01), 4, &[(0.0, 3); 5], &[(f64::NAN, 0); 6], 5);
        assert_eq!(blind.kind, VerdictKind::Unknown);
        insta::assert_snapshot!(blind.why, @"has no data in the 5 windows during the faults");
        let short = judge(Ask::ShareAtMost(0.01), 4, &[(0.0, 300); 5], &[(0.0, 300); 2], 2);
        insta::assert_snapshot!(short.why, @"did not break, but there is too little data to call it held: in 2 windows during the faults, of 300 requests each, only a rise to 70 % or worse would have been caught 95 times in 100; the limit is a rise to 10 %. Use more traffic or a longer fault");
    }
}
