//! What the baseline says: whether it is steady, how requests cluster, and what a bound relative to it comes to.

use super::ask::{Ask, Reading};
use super::control::Arms;
use super::special::{share_lower, share_upper};

/// A baseline is unsteady when its share is above the bound at this level: when the lower end of its exact one-sided
/// 90 % interval (Clopper and Pearson) is. It is not the run's alpha: no hypothesis is called broken by it.
pub(super) const UNSTEADY: f64 = 0.1;
/// The level of the last look at the windows that end where the faults begin: by then a fault is in, and stopping costs
/// a run.
const BEGAN_BEFORE: f64 = 0.01;
/// The windows at the end of a baseline that are looked at by themselves: what breaks there is still broken when the
/// fault goes in.
pub const LAST: usize = 5;

/// Requests of one window are taken to share their fate at least so much (intra-class correlation) where the uncertainty
/// of a baseline is counted, because some windows with few failures cannot show that they do not. It is the strongest
/// that the guarantee is measured at (`docs/judge.md`).
const LEAST_CLUSTERING: f64 = 0.1;

/// Failures of one window have causes in common, if only a little: a baseline without failures does not show that they
/// are independent.
pub const USUAL_CLUSTERING: f64 = 0.02;
/// With fewer failures than this the estimate of their clustering is mostly noise.
const FAILURES_THAT_SHOW: f64 = 20.0;

/// The badness of some windows, pooled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pool {
    /// Windows with data.
    pub windows: usize,
    /// Requests, or windows where the window itself counts.
    pub of: f64,
    /// How many of them were bad.
    pub bad: f64,
    /// Correlation of two requests of one window, from 0 to 1.
    pub clustering: f64,
}

/// Whether hypotheses hold before any fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Steadiness {
    Steady,
    /// No window has data.
    NoData,
    /// The mean badness is above what is tolerated, by more than chance.
    Unsteady {
        badness: f64,
    },
    /// It is in the last windows, and not over the whole.
    EndsUnsteady {
        badness: f64,
    },
}

impl Pool {
    /// Pools the readings of a signal; of one with a control, the share of its own requests that failed.
    pub fn of(ask: &Ask, readings: &[Reading]) -> Pool {
        let ask = if matches!(ask, Ask::TimesControl { .. }) { &Ask::ShareAtMost(1.0) } else { ask };
        Pool::from(readings.iter().filter_map(|reading| Some((ask.badness(reading)?.x, ask.size(reading)? as f64))))
    }

    /// Pools the control of a signal.
    pub fn of_control(readings: &[Reading]) -> Pool {
        Pool::from(
            readings.iter().filter_map(|reading| reading.control).map(|control| (control.share, control.of as f64)),
        )
    }

    fn from(windows: impl Iterator<Item = (f64, f64)>) -> Pool {
        let windows: Vec<(f64, f64)> = windows.collect();
        let of: f64 = windows.iter().map(|(_, n)| n).sum();
        let bad = windows.iter().map(|(x, n)| x * n).sum();
        Pool { windows: windows.len(), of, bad, clustering: clustering(&windows) }
    }

    /// The mean badness; nothing when there is no data.
    pub fn badness(&self) -> f64 {
        if self.of > 0.0 { self.bad / self.of } else { 0.0 }
    }

    /// The clustering to reckon with when something is foreseen: what these windows show, where they have failures enough
    /// to show it, and [`USUAL_CLUSTERING`] at least.
    pub fn likely_clustering(&self) -> f64 {
        let shown = if self.bad >= FAILURES_THAT_SHOW { self.clustering } else { 0.0 };
        shown.max(USUAL_CLUSTERING)
    }

    /// By how much clustering widens what is known (Kish's design effect): 1 + (n - 1) times the correlation, for n
    /// requests in a usual window.
    pub fn design_effect(&self) -> f64 {
        let usual = self.of / self.windows.max(1) as f64;
        1.0 + (usual - 1.0).max(0.0) * self.clustering.max(LEAST_CLUSTERING)
    }
}

/// The intra-class correlation of failures within windows, by the analysis of variance; 0 where it cannot be told.
fn clustering(windows: &[(f64, f64)]) -> f64 {
    let count = windows.len() as f64;
    let total: f64 = windows.iter().map(|(_, n)| n).sum();
    if count < 2.0 || total <= count {
        return 0.0;
    }
    let mean = windows.iter().map(|(x, n)| x * n).sum::<f64>() / total;
    let between = windows.iter().map(|(x, n)| n * (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let within = windows.iter().map(|(x, n)| n * x * (1.0 - x)).sum::<f64>() / (total - count);
    let usual = (total - windows.iter().map(|(_, n)| n * n).sum::<f64>() / total) / (count - 1.0);
    let spread = between + (usual - 1.0) * within;
    if spread > 0.0 { ((between - within) / spread).clamp(0.0, 1.0) } else { 0.0 }
}

/// A full window is this many times the largest of the baseline: ordinary windows stay below it.
pub const ROOM: f64 = 1.25;

/// The requests of a full window, known before any fault. `None` where no window of the baseline says how many it had.
pub fn full_window(baseline: &[Reading]) -> Option<f64> {
    let largest = baseline.iter().filter_map(|reading| reading.of).max()?;
    Some(ROOM * largest.max(1) as f64)
}

/// Whether the readings before any fault keep the bound: all of them together, and again the last ones.
pub fn steadiness(ask: &Ask, readings: &[Reading]) -> Steadiness {
    let says = |reading: &&Reading| ask.size(reading).is_some();
    let said: Vec<Reading> = readings.iter().filter(says).copied().collect();
    if said.is_empty() {
        return Steadiness::NoData;
    }
    let last = &said[said.len().saturating_sub(LAST)..];
    let badness = |readings: &[Reading]| Pool::of(ask, readings).badness();
    if is_above(ask, &said, UNSTEADY) {
        Steadiness::Unsteady { badness: badness(&said) }
    } else if ends_above(ask, last) {
        Steadiness::EndsUnsteady { badness: badness(last) }
    } else {
        Steadiness::Steady
    }
}

/// Whether the bound was broken before any fault, by the windows that end where the faults begin, once all of them are
/// final. Gives their badness.
pub fn began_before(ask: &Ask, readings: &[Reading]) -> Option<f64> {
    let says = |reading: &&Reading| ask.size(reading).is_some();
    let mut last: Vec<Reading> = readings.iter().rev().filter(says).take(LAST).copied().collect();
    last.reverse();
    is_above(ask, &last, BEGAN_BEFORE).then(|| Pool::of(ask, &last).badness())
}

/// Whether these readings are above the bound, at this level.
fn is_above(ask: &Ask, readings: &[Reading], level: f64) -> bool {
    if let Ask::TimesControl { ratio } = ask {
        return !Arms::kept(readings.iter().filter_map(Reading::arms), *ratio, level);
    }
    let pool = Pool::of(ask, readings);
    pool.of > 0.0 && share_lower(pool.bad, pool.of, level) > ask.tolerated()
}

/// The same for the last windows of a baseline. Of a level one of them may be outside, or as many as are tolerated.
pub(super) fn ends_above(ask: &Ask, last: &[Reading]) -> bool {
    match ask {
        Ask::Level { .. } | Ask::Fresh { .. } => {
            let outside = last.iter().filter(|reading| ask.is_outside(reading)).count() as f64;
            outside > (ask.tolerated() * last.len() as f64).max(1.0)
        }
        _ => is_above(ask, last, UNSTEADY),
    }
}

/// The share that is tolerated when a share may be at most `ratio` times that of the baseline: `ratio` times an upper
/// bound of the baseline's share, wrong with probability `alpha`. `None` without a baseline.
///
/// The guarantee of the run is then that of `alpha` for this and of the bets on it together, as long as the baseline is
/// representative: drift is not in it.
pub fn relative_share(baseline: &Pool, ratio: f64, alpha: f64) -> Option<f64> {
    let effect = baseline.design_effect();
    (baseline.of > 0.0).then(|| (ratio * share_upper(baseline.bad / effect, baseline.of / effect, alpha)).min(1.0))
}

/// The same for a level: at most `ratio` times the highest window of the baseline, and the share of windows that may be
/// above that all the same. Of n windows the highest is above all but a share 1 - alpha^(1/n) of what the baseline would
/// show in the long run, wrong with probability `alpha` (the order statistic X(n); n windows, each at most the quantile).
/// A short baseline tolerates many windows, and so sees little.
pub fn relative_level(baseline: &[Reading], ratio: f64, alpha: f64) -> Option<(f64, f64)> {
    let values = || baseline.iter().filter_map(|reading| reading.value).filter(|value| value.is_finite());
    let highest = values().reduce(f64::max)?;
    Some((ratio * highest, 1.0 - alpha.powf(1.0 / values().count() as f64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::bound::Bound;
    use crate::judge::simulate::{Counts, Stream};
    use crate::units::{Span, Time};

    fn readings(windows: &[(f64, u64)]) -> Vec<Reading> {
        let missing = Reading::missing(Time::EPOCH, Span::from_mins(1));
        windows.iter().map(|(bad, of)| Reading { value: Some(bad / *of as f64), of: Some(*of), ..missing }).collect()
    }

    #[test]
    fn clustering_is_that_of_the_analysis_of_variance() {
        let ask = Ask::ShareAtMost(0.01);
        let pool = Pool::of(&ask, &readings(&[(1.0, 100), (0.0, 120), (12.0, 90), (2.0, 110), (30.0, 100)]));
        assert!((pool.clustering - 0.189_804_634_679).abs() < 1e-9, "{pool:?}");
        assert_eq!((pool.windows, pool.of), (5, 520.0));
        assert!((pool.bad - 45.0).abs() < 1e-9);
        assert!((pool.design_effect() - (1.0 + 103.0 * pool.clustering)).abs() < 1e-9);
        let even = Pool::of(&ask, &readings(&[(3.0, 101), (3.0, 101), (3.0, 101)]));
        assert_eq!((even.clustering, even.design_effect()), (0.0, 11.0));
        assert_eq!(Pool::of(&ask, &readings(&[(3.0, 100)])).clustering, 0.0);
    }

    #[test]
    fn a_baseline_is_refused_for_what_it_shows_and_not_for_one_odd_window() {
        let share = Ask::ShareAtMost(0.01);
        let level = Ask::Level { bound: Bound::Below(5000.0), tolerated: 0.05 };
        let queue = |depths: &[f64]| readings(&depths.iter().map(|depth| (*depth, 1)).collect::<Vec<_>>());
        assert_eq!(steadiness(&share, &readings(&[(2.0, 300); 5])), Steadiness::Steady);
        assert_eq!(steadiness(&share, &readings(&[(6.0, 300); 5])), Steadiness::Unsteady { badness: 0.02 });
        assert_eq!(steadiness(&share, &readings(&[(0.0, 300), (300.0, 300)])), Steadiness::Unsteady { badness: 0.5 });
        // One failure too many in the first window of five is chance.
        assert_eq!(steadiness(&share, &readings(&[(1.0, 60), (0.0, 60), (1.0, 60), (0.0, 60)])), Steadiness::Steady);
        assert_eq!(steadiness(&share, &[]), Steadiness::NoData);
        assert_eq!(steadiness(&level, &queue(&[1.0, 1.0, 9000.0, 1.0, 1.0])), Steadiness::Steady);
        let twice = queue(&[1.0, 9000.0, 9000.0, 1.0, 1.0]);
        assert_eq!(steadiness(&level, &twice), Steadiness::Unsteady { badness: 0.4 });
    }

    #[test]
    fn a_baseline_that_ends_badly_is_refused_for_its_end() {
        let share = Ask::ShareAtMost(0.05);
        // 21 good windows and nine in which every sixth call fails: within 5 % on the whole.
        let windows = [[(0.0, 360); 21].as_slice(), &[(15.0, 360); 9]].concat();
        assert!(matches!(steadiness(&share, &readings(&windows)), Steadiness::Steady));
        let windows = [[(0.0, 360); 21].as_slice(), &[(55.0, 360); 9]].concat();
        let badly = readings(&windows);
        assert!(matches!(steadiness(&share, &badly), Steadiness::EndsUnsteady { badness } if badness > 0.15));
        assert!(began_before(&share, &badly).is_some() && began_before(&share, &badly[..21]).is_none());
        let level = Ask::Level { bound: Bound::AtMost(20.0), tolerated: 0.2 };
        let rising: Vec<(f64, u64)> = (0..30).map(|window| (f64::from((window - 26).max(0)) * 15.0, 1)).collect();
        assert_eq!(steadiness(&level, &readings(&rising)), Steadiness::EndsUnsteady { badness: 0.4 });
        assert_eq!(steadiness(&level, &readings(&rising[..29])), Steadiness::Steady, "one is chance");
    }

    /// The share of baselines of ten windows that are refused at this truth.
    fn refused(truth: f64, of: u32) -> f64 {
        let (counts, mut stream) = (Counts::new(of, truth, 0.0), Stream::numbered(u64::from(of)));
        let runs = 2000;
        let mut refused = 0;
        for _ in 0..runs {
            let windows: Vec<(f64, u64)> =
                (0..10).map(|_| (f64::from(counts.draw(&mut stream)), u64::from(of))).collect();
            refused += u32::from(steadiness(&Ask::ShareAtMost(0.01), &readings(&windows)) != Steadiness::Steady);
        }
        f64::from(refused) / f64::from(runs)
    }

    #[test]
    fn good_baselines_are_accepted_and_bad_ones_refused() {
        for of in [10, 60, 300] {
            let [good, fair, bad] = [0.003, 0.005, 0.05].map(|truth| refused(truth, of));
            println!("{of} a minute: {good:.4} refused at 0.3 %, {fair:.4} at 0.5 %, {bad:.4} at 5 %");
            // Four standard errors above what is expected.
            assert!(good <= 0.01 + 0.009 && fair <= 0.03 + 0.016, "{of} a minute: {good} {fair}");
            assert!(bad >= if of == 10 { 0.72 } else { 0.99 }, "{of} a minute: {bad}");
        }
    }

    #[test]
    fn a_relative_bound_takes_the_uncertainty_in() {
        let ask = Ask::ShareAtMost(0.01);
        let long = Pool::of(&ask, &readings(&[(6.0, 600); 30]));
        let short = Pool::of(&ask, &readings(&[(6.0, 600); 3]));
        let (long, short) = (relative_share(&long, 2.0, 0.005).unwrap(), relative_share(&short, 2.0, 0.005).unwrap());
        assert!(0.02 < long && long < short && short <= 1.0, "{long} {short}");
        assert_eq!(relative_share(&Pool::of(&ask, &[]), 2.0, 0.005), None);
        let depth = readings(&[(3.0, 1), (7.0, 1), (5.0, 1)]);
        let (limit, tolerated) = relative_level(&depth, 1.5, 0.008).unwrap();
        assert!((limit - 10.5).abs() < 1e-12 && (tolerated - 0.8).abs() < 1e-12, "{tolerated}");
        assert_eq!(relative_level(&[], 1.5, 0.01), None);
    }

    /// How often the upper bound of a baseline's share lies below the truth, in clustered traffic.
    #[test]
    fn the_upper_bound_is_wrong_as_rarely_as_promised() {
        for (of, clustering) in [(10, 0.0), (60, 0.02), (600, 0.02), (600, 0.1)] {
            let (counts, mut stream) = (Counts::new(of, 0.01, clustering), Stream::numbered(3));
            let mut wrong = 0;
            for _ in 0..1000 {
                let windows: Vec<(f64, u64)> =
                    (0..30).map(|_| (f64::from(counts.draw(&mut stream)), u64::from(of))).collect();
                let pool = Pool::of(&Ask::ShareAtMost(0.01), &readings(&windows));
                wrong += u32::from(relative_share(&pool, 1.0, 0.02).unwrap() < 0.01);
            }
            // 20 of 1000 are promised; four standard errors above that.
            assert!(wrong <= 20 + 18, "{of} {clustering}: {wrong} of 1000");
        }
    }
}
