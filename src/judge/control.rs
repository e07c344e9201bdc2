//! Bounds against a concurrent control: something that feels no fault, at the same time. What hits both, such as a slow
//! dependency or a busy hour, cancels out, so these need no representative baseline.

use super::betting::Badness;
use super::special::{ln_beta, ln_beta_tails, share_lower};

/// One window of the two arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arms {
    pub treated_failed: u64,
    pub treated_requests: u64,
    pub control_failed: u64,
    pub control_requests: u64,
}

impl Arms {
    /// The window as a bet against an untouched resource: of the failures of both, the part that is the treated one's, and
    /// what part is tolerated when its share of failures may be `ratio` times the control's. `None` when nothing failed, or
    /// one of them had no requests.
    pub fn badness(&self, ratio: f64) -> Option<Badness> {
        let failed = self.treated_failed + self.control_failed;
        let says = failed > 0 && self.treated_requests > 0 && self.control_requests > 0;
        says.then(|| Badness::full(self.treated_failed as f64 / failed as f64, self.tolerated(ratio)))
    }

    /// The expected part of the failures that is the treated one's, when its share of them is `ratio` times the control's.
    /// Of failures that come one by one, or in bunches as requests come, that is its part of the requests. Of bunches that
    /// take most of a window's requests with them it is `ratio` to one, whoever has more requests. Nobody knows which of
    /// these a dependency will do, so the greater is tolerated.
    fn tolerated(&self, ratio: f64) -> f64 {
        let exposed = ratio * self.treated_requests as f64;
        (exposed / (exposed + self.control_requests as f64)).max(ratio / (1.0 + ratio))
    }

    /// Whether the treated one fails no more often than is tolerated, as far as chance lets one see: in the windows
    /// together, wrongly refused with the probability `level`.
    pub(super) fn kept(windows: impl Iterator<Item = Arms>, ratio: f64, level: f64) -> bool {
        let nothing = Arms { treated_failed: 0, treated_requests: 0, control_failed: 0, control_requests: 0 };
        let all = windows.fold(nothing, |all, one| Arms {
            treated_failed: all.treated_failed + one.treated_failed,
            treated_requests: all.treated_requests + one.treated_requests,
            control_failed: all.control_failed + one.control_failed,
            control_requests: all.control_requests + one.control_requests,
        });
        let failed = (all.treated_failed + all.control_failed) as f64;
        failed == 0.0 || share_lower(all.treated_failed as f64, failed, level) <= all.tolerated(ratio)
    }
}

/// Evidence from an alias that sends each request to one of two versions by lot. No fault of the catalogue hits one version
/// of an alias alone, so runs have no such control yet. Because the lot is drawn for each
/// request, each failure counts by itself, however failures cluster in time (Lindon and Malek 2022, "Anytime-valid
/// inference for multinomial count data"): a mixture of likelihood ratios over all shares above what is tolerated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Labels {
    tolerated: f64,
    treated: u64,
    failed: u64,
}

impl Labels {
    /// The treated version gets this share of the requests, above 0 and below 1, and may fail `ratio` times as often.
    pub fn of(weight: f64, ratio: f64) -> Labels {
        let exposed = ratio * weight;
        Labels { tolerated: exposed / (exposed + 1.0 - weight), treated: 0, failed: 0 }
    }

    /// Takes in the failures of one window and returns the evidence.
    pub fn observe(&mut self, treated_failed: u64, control_failed: u64) -> f64 {
        self.treated += treated_failed;
        self.failed += treated_failed + control_failed;
        self.evidence()
    }

    /// Evidence that the treated version fails more often than is tolerated: 1 at the start, finite always.
    pub fn evidence(&self) -> f64 {
        // Beyond this it says nothing more, and could overflow.
        one_sided(self.treated, self.failed, self.tolerated).min(1e200_f64.ln()).exp()
    }
}

/// The prior of the mixture: Jeffreys's.
const PRIOR: f64 = 0.5;

/// ln of the likelihood ratio of `hits` in `of`, mixed over all shares, against the share `m`.
fn two_sided(hits: u64, of: u64, m: f64) -> f64 {
    let (hits, misses) = (hits as f64, (of - hits) as f64);
    ln_beta(PRIOR + hits, PRIOR + misses) - ln_beta(PRIOR, PRIOR) - hits * m.ln() - misses * (-m).ln_1p()
}

/// The same, mixed over the shares above `m` alone.
fn one_sided(hits: u64, of: u64, m: f64) -> f64 {
    let after = ln_beta_tails(m, PRIOR + hits as f64, PRIOR + (of - hits) as f64).1;
    two_sided(hits, of, m) + after - ln_beta_tails(m, PRIOR, PRIOR).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::betting::Wager;
    use crate::judge::simulate::{Counts, Stream};

    #[test]
    fn mixtures_agree_with_reference_values() {
        // The first is published with the method; the others are scipy's.
        assert!((two_sided(3, 20, 0.01).exp() - 44.172_76).abs() < 1e-5);
        assert!((one_sided(3, 20, 0.01).exp() - 47.171_323_480_375).abs() < 1e-8);
        for (hits, of, m, want) in [
            (30, 40, 0.5, 3.847_136_877_158_4),
            (10, 40, 0.5, -3.531_384_402_419_9),
            (700, 1000, 0.5, 79.296_074_947_543_8),
        ] {
            assert!((one_sided(hits, of, m) - want).abs() < 1e-8, "{hits} of {of}");
        }
        assert!((one_sided(0, 0, 0.3)).abs() < 1e-12);
    }

    #[test]
    fn it_stays_finite_for_millions_of_failures() {
        let mut labels = Labels::of(0.1, 1.0);
        (0..43_200).for_each(|_| assert!(labels.observe(60, 60).is_finite()));
        let mut fair = Labels::of(0.1, 1.0);
        (0..43_200).for_each(|_| assert!(fair.observe(10, 90).is_finite()));
        assert!(labels.evidence() > 1e100 && fair.evidence() < 1.0);
    }

    /// The share of 2,000 runs of 60 windows in which the evidence reaches 100, when the arms fail alike except that the
    /// treated one fails `ratio` times as often as the control; the hour itself is bad in every tenth window.
    fn found(ratio: f64, labels: bool, clustering: f64) -> f64 {
        let mut stream = Stream::numbered(5);
        let arm = |share: f64| Counts::new(60, share, clustering);
        let (calm, storm) = ((arm(0.02), arm(0.02 * ratio)), (arm(0.2), arm(0.2 * ratio)));
        let runs = 2000;
        let found = (0..runs).filter(|_| {
            let (mut lots, mut wager) = (Labels::of(0.5, 1.0), Wager::over(60));
            (0..60).any(|minute| {
                let (control, treated) = if minute % 10 == 9 { &storm } else { &calm };
                let (control, treated) = (u64::from(control.draw(&mut stream)), u64::from(treated.draw(&mut stream)));
                let arms = Arms {
                    treated_failed: treated,
                    treated_requests: 60,
                    control_failed: control,
                    control_requests: 60,
                };
                let evidence = if labels { lots.observe(treated, control) } else { wager.observe(arms.badness(1.0)) };
                evidence >= 100.0
            })
        });
        found.count() as f64 / f64::from(runs)
    }

    /// The share of runs of 60 windows with a false alarm, when the treated arm fails just as often as is tolerated.
    fn false_alarms(treated: u32, control: u32, share: f64, ratio: f64, clustering: f64) -> f64 {
        let mut stream = Stream::numbered(u64::from(treated) << 20 | u64::from(control));
        let arms = (Counts::new(treated, share * ratio, clustering), Counts::new(control, share, clustering));
        let runs = 1000;
        let alarms = (0..runs).filter(|_| {
            let mut wager = Wager::over(60);
            (0..60).any(|_| {
                let drawn = Arms {
                    treated_failed: arms.0.draw(&mut stream).into(),
                    treated_requests: treated.into(),
                    control_failed: arms.1.draw(&mut stream).into(),
                    control_requests: control.into(),
                };
                wager.observe(drawn.badness(ratio)) >= 100.0
            })
        });
        alarms.count() as f64 / f64::from(runs)
    }

    #[test]
    fn whoever_has_more_requests_and_however_they_cluster_false_alarms_stay_below_alpha() {
        let limit = 0.01 + 5.0 * (0.01_f64 * 0.99 / 1000.0).sqrt();
        for (treated, control) in [(60, 60), (5, 600), (600, 5), (60, 300), (300, 60)] {
            for clustering in [0.0, 0.02, 0.1, 0.5] {
                for (share, ratio) in [(0.01, 1.0), (0.05, 1.0), (0.01, 3.0)] {
                    let alarms = false_alarms(treated, control, share, ratio, clustering);
                    assert!(alarms <= limit, "{treated} {control} {share} x {ratio}, {clustering}: {alarms}");
                }
            }
        }
    }

    #[test]
    fn alike_arms_are_not_told_apart_and_unlike_ones_are() {
        // Four standard errors above 1 %.
        let limit = 0.01 + 4.0 * (0.01_f64 * 0.99 / 2000.0).sqrt();
        assert!(found(1.0, true, 0.0) <= limit, "lots {}", found(1.0, true, 0.0));
        for clustering in [0.0, 0.1] {
            assert!(found(1.0, false, clustering) <= limit, "bets {clustering} {}", found(1.0, false, clustering));
        }
        assert!(found(4.0, true, 0.0) > 0.99, "lots {}", found(4.0, true, 0.0));
        assert!(found(4.0, false, 0.0) > 0.95, "bets {}", found(4.0, false, 0.0));
    }

    #[test]
    fn a_window_without_failures_or_without_control_says_nothing() {
        let arms = Arms { treated_failed: 0, treated_requests: 10, control_failed: 0, control_requests: 30 };
        assert_eq!(arms.badness(1.0), None);
        assert_eq!(Arms { treated_failed: 3, control_requests: 0, ..arms }.badness(1.0), None);
        let badness = Arms { treated_failed: 3, ..arms }.badness(1.5).unwrap();
        assert!((badness.x - 1.0).abs() < 1e-12 && (badness.tolerated - 0.6).abs() < 1e-12);
        let busy = Arms { treated_failed: 3, treated_requests: 80, ..arms }.badness(1.5).unwrap();
        assert!((busy.tolerated - 120.0 / 150.0).abs() < 1e-12);
    }
}
