//! One signal with a tolerance, weighed window by window until it is decided or the run is over.

use serde::{Deserialize, Serialize};

use super::ask::{Ask, Reading};
use super::betting::{Badness, Wager};

/// The probability that is allowed to a false alarm: of a whole run, or of one signal's part in it.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Alpha(f64);

impl Alpha {
    /// One run in a hundred.
    pub const USUAL: Alpha = Alpha(0.01);

    /// Above 0 and below 1; otherwise `None`.
    pub fn new(probability: f64) -> Option<Alpha> {
        (probability > 0.0 && probability < 1.0).then_some(Alpha(probability))
    }

    /// A probability.
    pub fn get(self) -> f64 {
        self.0
    }

    /// Shared equally: when each of `signals` is wrong with its part at most, any of them is with the whole at most (the
    /// union bound, which asks for no independence).
    #[must_use]
    pub fn among(self, signals: usize) -> Alpha {
        Alpha(self.0 / signals.max(1) as f64)
    }

    /// The evidence at which a bound is called broken.
    pub fn decides_at(self) -> f64 {
        1.0 / self.0
    }
}

/// How a signal with a tolerance is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    pub ask: Ask,
    /// This signal's part of the run's.
    pub alpha: Alpha,
    /// Planned number of windows.
    pub horizon: u32,
    /// The requests of a full window ([`full_window`](super::baseline::full_window)), where requests are counted.
    pub full: Option<f64>,
}

impl Rule {
    /// How bad a window was and how much it weighs. A bound on a share of requests is about requests, not about
    /// windows: with c requests in a full window, fixed before the fault, a window of n with `failed` of them changes a
    /// bet of g/m by the factor 1 + (g/m) (failed - m n) / c; one of more than c is scaled down to c.
    pub fn badness(&self, reading: &Reading) -> Option<Badness> {
        let badness = self.ask.badness(reading)?;
        let counts_requests = matches!(self.ask, Ask::ShareAtMost(_) | Ask::ShareAtLeast(_));
        match (self.full.filter(|_| counts_requests), reading.of) {
            (Some(full), Some(of)) => Some(Badness { weight: (of as f64 / full).min(1.0), ..badness }),
            _ => Some(badness),
        }
    }
}

/// The evidence against one signal's bound, so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighing {
    rule: Rule,
    wager: Wager,
    /// After each window.
    evidence: Vec<f64>,
    broken: Option<usize>,
}

/// A window and what it did to the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Weight {
    /// The number of the window, from 0.
    pub window: usize,
    /// By how much the evidence rose with it.
    pub times: f64,
}

impl Weighing {
    /// Nothing seen yet.
    pub fn by(rule: Rule) -> Weighing {
        Weighing { rule, wager: Wager::over(rule.horizon), evidence: Vec::new(), broken: None }
    }

    /// The weighing of all these readings, in order.
    pub fn of(rule: Rule, readings: &[Reading]) -> Weighing {
        let mut weighing = Weighing::by(rule);
        for reading in readings {
            weighing.observe(reading);
        }
        weighing
    }

    /// Takes in the next closed window. True when that decides that the bound is broken, for the first time.
    pub fn observe(&mut self, reading: &Reading) -> bool {
        let evidence = self.wager.observe(self.rule.badness(reading));
        self.evidence.push(evidence);
        let decides = self.broken.is_none() && evidence >= self.rule.alpha.decides_at();
        if decides {
            self.broken = Some(self.evidence.len() - 1);
        }
        decides
    }

    /// The rule that it is weighed by.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The window at which the bound was found broken. It stays so, whatever comes after.
    pub fn broken(&self) -> Option<usize> {
        self.broken
    }

    /// The evidence after each window.
    pub fn evidence(&self) -> &[f64] {
        &self.evidence
    }

    /// The evidence that a verdict rests on: that of the decision, or the highest so far. Its inverse is a p-value that is
    /// valid at any time.
    pub fn odds(&self) -> f64 {
        match self.broken.and_then(|window| self.evidence.get(window)) {
            Some(evidence) => *evidence,
            None => self.evidence.iter().copied().fold(1.0, f64::max),
        }
    }

    /// The windows that raised the evidence most before the decision, at most `count` of them, in the order of time.
    pub fn weightiest(&self, count: usize) -> Vec<Weight> {
        let until = self.broken.map_or(self.evidence.len(), |window| window + 1);
        let before = [1.0].into_iter().chain(self.evidence.iter().copied());
        let rises = self.evidence[..until].iter().zip(before).enumerate();
        let mut weights: Vec<Weight> = rises
            .map(|(window, (after, before))| Weight { window, times: after / before.max(f64::MIN_POSITIVE) })
            .filter(|weight| weight.times > 1.0)
            .collect();
        weights.sort_by(|a, b| b.times.total_cmp(&a.times));
        weights.truncate(count);
        weights.sort_by_key(|weight| weight.window);
        weights
    }

    /// The window from which on the readings speak most strongly against the bound, looking back from the decision: the
    /// restart whose bets have won most. `None` before a decision.
    pub fn onset(&self, readings: &[Reading]) -> Option<usize> {
        let broken = self.broken?;
        let mut best = (broken, 0.0);
        // ln of the wealth of a middling bet that began at each window; the bets differ in how much they win, and hardly in
        // where they win.
        let mut wealth = 0.0;
        for (window, reading) in readings.iter().enumerate().take(broken + 1).rev() {
            if let Some(badness) = self.rule.badness(reading) {
                wealth += badness.factor(0.3).ln();
            }
            if wealth > best.1 {
                best = (window, wealth);
            }
        }
        Some(best.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Span, Time};
    use proptest::prelude::*;

    fn readings(values: &[f64]) -> Vec<Reading> {
        let every = Span::from_mins(1);
        let at = |number: usize| Time::EPOCH + every * i64::try_from(number).unwrap();
        let reading =
            |(number, value): (usize, &f64)| Reading { value: Some(*value), ..Reading::missing(at(number), every) };
        values.iter().enumerate().map(reading).collect()
    }

    fn rule(alpha: f64) -> Rule {
        Rule { ask: Ask::ShareAtMost(0.01), alpha: Alpha::new(alpha).unwrap(), horizon: 60, full: None }
    }

    #[test]
    fn a_fault_in_mid_run_is_found_dated_and_weighed() {
        let mut values = vec![0.0; 20];
        values.extend([0.2; 10]);
        let readings = readings(&values);
        let weighing = Weighing::of(rule(0.01), &readings);
        assert_eq!(weighing.broken(), Some(23), "{:?}", weighing.evidence());
        assert_eq!(weighing.onset(&readings), Some(20));
        let weightiest: Vec<usize> = weighing.weightiest(3).iter().map(|weight| weight.window).collect();
        assert_eq!(weightiest, [21, 22, 23]);
        assert!(weighing.odds() >= 100.0 && weighing.odds() == weighing.evidence()[23]);
        // The rest of the run does not change it.
        assert!(weighing.evidence()[29] > weighing.odds());
    }

    #[test]
    fn a_share_of_requests_is_over_requests() {
        let of = |value, of| Reading { value: Some(value), of: Some(of), ..readings(&[0.0])[0] };
        let windows = [of(0.0, 60_000), of(1.0, 1), of(1.0, 1)];
        let by = |full| Weighing::of(Rule { full, ..rule(0.01) }, &windows).broken();
        assert_eq!((by(Some(75_000.0)), by(None)), (None, Some(2)));
        // As many requests as usual, and all of them failed: that is one.
        let outage = [of(0.0, 60), of(1.0, 60), of(1.0, 60), of(1.0, 600)];
        assert_eq!(Weighing::of(Rule { full: Some(75.0), ..rule(0.01) }, &outage).broken(), Some(2));
    }

    #[test]
    fn a_quiet_signal_is_not_decided() {
        let readings = readings(&[0.0; 60]);
        let weighing = Weighing::of(rule(0.01), &readings);
        assert_eq!((weighing.broken(), weighing.onset(&readings)), (None, None));
        assert!(weighing.weightiest(3).is_empty());
        assert_eq!(weighing.odds(), 1.0);
    }

    #[test]
    fn alpha_is_shared() {
        assert!((Alpha::USUAL.among(10).decides_at() - 1000.0).abs() < 1e-9);
        assert_eq!(Alpha::USUAL.among(0), Alpha::USUAL);
        assert_eq!((Alpha::new(0.0), Alpha::new(1.0), Alpha::new(f64::NAN)), (None, None, None));
    }

    proptest! {
        #[test]
        fn what_is_broken_stays_broken_and_live_is_replay(
            values in proptest::collection::vec(0.0..=1.0_f64, 1..80),
            alpha in 0.001..0.5_f64,
        ) {
            let readings = readings(&values);
            let mut live = Weighing::by(rule(alpha));
            let mut decided = None;
            for (window, reading) in readings.iter().enumerate() {
                if live.observe(reading) {
                    decided = decided.or(Some(window));
                }
            }
            prop_assert_eq!(live.broken(), decided);
            prop_assert_eq!(&live, &Weighing::of(rule(alpha), &readings));
            if let (Some(broken), Some(onset)) = (decided, live.onset(&readings)) {
                prop_assert!(onset <= broken);
            }
        }
    }
}
