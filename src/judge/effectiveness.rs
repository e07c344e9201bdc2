//! Whether a fault works: a test of its indicators against the baseline's own noise and trend, at 1 % for the whole run, over
//! all steps, indicators and looks.
//!
//! An indicator counts failures of calls, window by window: errors of invocations, calls slower than a delay, messages left
//! rolled back. Those of the windows with the fault are compared with those of the baseline by Fisher's exact test, pooled.
//! Failures of one window have causes in common, so the test's normal score is divided by the square root of the design
//! effect (Kish), as Rao and Scott (1981) do with clustered counts.
//!
//! Beside it, with half of the level, stands a test that needs to know nothing of clustering, because it takes each
//! window as one: the exact rank test of Mann and Whitney. It counts only where the failures are at least three times those of
//! the baseline and that shows no trend, because neighbouring windows resemble one another.
//!
//! An indicator may also count what there is at the end of a window, which is no part of anything: delayed messages. One such count
//! is compared with those of the baseline by Student's prediction of one value more, whose spread is at least that of a
//! Poisson count, and shared out over the windows with the fault (Bonferroni).
//!
//! What such tests can show at the best: after six good calls eight must fail, after thirty three.

use super::ask::{Ask, Reading};
use super::baseline::Pool;
use super::special::{ln_choose, normal_quantile, student_exceeds};

/// The probability that a run takes chance for the effect of any of its faults.
pub const LEVEL: f64 = 0.01;
/// Windows of a baseline that an indicator must have looked at: fewer show no noise.
pub const ENOUGH: usize = 5;
/// A slope of the baseline below this many standard errors is noise (one-sided 95 %).
const TREND_SHOWN: f64 = 1.645;
/// The rank test counts from this many times the baseline's failures on.
const CLEARLY: f64 = 3.0;
/// Windows that the rank test takes of each side, the newest of the baseline and the first of the fault.
const RANKED: usize = 30;
/// A score beyond this says nothing more, and its probability has no digits.
const HIGHEST_SCORE: f64 = 37.0;

/// Whether a look is due after so many windows with the fault, of `planned`: after 1, 2, 4, 8 and so on, and at the end.
pub fn is_look(windows: usize, planned: usize) -> bool {
    windows > 0 && (windows.is_power_of_two() || windows == planned)
}

/// How many looks there are in so many windows, one at the end among them.
pub fn looks(planned: usize) -> usize {
    planned.max(1).ilog2() as usize + 2
}

/// Failures that the fault added, as far as they are more than chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rise {
    /// Of the windows of the fault, the number of the first in which they are seen.
    pub from: usize,
    /// Failed calls in the windows with the fault, of so many.
    pub failed: f64,
    pub of: f64,
    /// The share of failures before it.
    pub usual: f64,
}

/// Whether more calls failed in the windows with the fault than the baseline explains, at this level.
pub fn rise(baseline: &[Reading], fault: &[Reading], level: f64) -> Option<Rise> {
    let (before, after) = (pool(baseline), pool(fault));
    if baseline.len() < ENOUGH || before.of <= 0.0 || after.of <= 0.0 {
        return None;
    }
    let trend = trend(baseline, fault, 1.0);
    let expected = (before.bad * trend).ceil().min(before.of);
    // Each of the two tests has half of the level.
    let by_calls = score(&before, expected, &after) >= normal_quantile(1.0 - level / 2.0);
    let clearly = trend <= 1.0 && after.bad / after.of >= CLEARLY * before.bad / before.of && after.bad > 0.0;
    let by_windows = || clearly && rank_chance(baseline, fault) <= level / 2.0;
    if !by_calls && !by_windows() {
        return None;
    }
    Some(Rise { from: onset(&before, expected, fault), failed: after.bad, of: after.of, usual: before.bad / before.of })
}

/// A count that is higher than what the baseline explains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Of the windows of the fault, the number of the first that is.
    pub from: usize,
    /// What was counted in it.
    pub now: f64,
    /// The mean of the baseline.
    pub usual: f64,
}

/// Whether a window with the fault has more than every window of the baseline, at least so many times its mean, and more
/// than its noise and trend explain, at this level.
pub fn level(baseline: &[Reading], fault: &[Reading], times: f64, level: f64) -> Option<Level> {
    let before: Vec<f64> = baseline.iter().filter_map(|reading| reading.value).collect();
    if before.len() < ENOUGH {
        return None;
    }
    let count = before.len() as f64;
    let mean = before.iter().sum::<f64>() / count;
    let spread = before.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let error = (spread.max(mean) * (1.0 + 1.0 / count)).sqrt();
    let highest = before.iter().copied().fold(0.0, f64::max);
    let expected = mean * trend(baseline, fault, f64::INFINITY);
    let chance = level / fault.len().max(1) as f64;
    let shows = |value: f64| {
        // Where the baseline has none at all there is no noise to exceed.
        let rare = mean <= 0.0 || student_exceeds((value - expected) / error, count - 1.0) <= chance;
        value > highest && value >= mean * times && rare
    };
    let shown = |(from, reading): (usize, &Reading)| {
        reading.value.filter(|value| shows(*value)).map(|now| Level { from, now, usual: mean })
    };
    fault.iter().enumerate().find_map(shown)
}

/// How many calls of a fault must fail at the least to show it after so many calls of a baseline without failures, at
/// one call a window, with so many tests in the run.
pub fn least_failures(baseline_calls: u64, tests: usize) -> u64 {
    let level = LEVEL / tests.max(1) as f64;
    (1..=1000)
        .find(|failed| {
            let (all, failed) = (baseline_calls + failed, *failed);
            -ln_choose(all as f64, failed as f64) <= level.ln()
        })
        .unwrap_or(1000)
}

fn pool(readings: &[Reading]) -> Pool {
    Pool::of(&Ask::ShareAtMost(1.0), readings)
}

/// The normal score of the failures after a fault, against those expected.
fn score(before: &Pool, expected: f64, after: &Pool) -> f64 {
    let windows = |pool: &Pool| pool.of / pool.windows.max(1) as f64;
    let usual = windows(before).max(windows(after));
    let effect = 1.0 + (usual - 1.0).max(0.0) * before.likely_clustering();
    let ln_chance = ln_fisher(expected.round(), before.of.round(), after.bad.round(), after.of.round());
    let chance = ln_chance.exp();
    let plain = if chance < 1e-290 { HIGHEST_SCORE } else { -normal_quantile(chance.clamp(1e-300, 1.0 - 1e-12)) };
    plain / effect.sqrt()
}

/// ln of the probability that so many or more of the failures of both fall to the second sample, if they fall by chance
/// (Fisher's exact test, one-sided: the upper tail of the hypergeometric distribution).
fn ln_fisher(failed_before: f64, of_before: f64, failed_after: f64, of_after: f64) -> f64 {
    let failed = failed_before + failed_after;
    let all = ln_choose(of_before + of_after, failed);
    let most = failed.min(of_after);
    let (mut sum, mut term, mut hits) = (0.0, 1.0, failed_after);
    while hits <= most && term > 1e-18 * sum {
        sum += term;
        let misses = failed - hits;
        // The ratio of one term to the next; no term of it is negative within the support.
        term *= (of_after - hits) * misses / ((hits + 1.0) * (of_before - misses + 1.0)).max(f64::MIN_POSITIVE);
        hits += 1.0;
    }
    let first = ln_choose(of_after, failed_after) + ln_choose(of_before, failed_before) - all;
    (first + sum.ln()).min(0.0)
}

/// The probability that the windows with the fault would rank so high among all of them if nothing had changed (the
/// Mann-Whitney test, one-sided and exact; equal windows count against it).
fn rank_chance(baseline: &[Reading], fault: &[Reading]) -> f64 {
    let before: Vec<f64> = baseline.iter().rev().filter_map(|reading| reading.value).take(RANKED).collect();
    let after: Vec<f64> = fault.iter().filter_map(|reading| reading.value).take(RANKED).collect();
    let higher = after.iter().flat_map(|a| before.iter().map(move |b| usize::from(a > b))).sum::<usize>();
    // For each pair of sample sizes the distribution of the number of pairs in which the second is the higher one:
    // the highest of all values is of the second with probability m / (n + m), and then above all n of the first.
    let mut rows: Vec<Vec<f64>> = vec![vec![1.0]; after.len() + 1];
    for n in 1..=before.len() {
        let mut row: Vec<Vec<f64>> = vec![vec![1.0]];
        for m in 1..=after.len() {
            let (of_second, all) = (m as f64 / (n + m) as f64, n * m + 1);
            let chances = (0..all).map(|pairs| {
                let second = pairs.checked_sub(n).and_then(|rest| row.get(m - 1)?.get(rest)).copied().unwrap_or(0.0);
                let first = rows.get(m).and_then(|row| row.get(pairs)).copied().unwrap_or(0.0);
                of_second * second + (1.0 - of_second) * first
            });
            row.push(chances.collect());
        }
        rows = row;
    }
    rows.get(after.len()).map_or(1.0, |chances| chances.iter().skip(higher).sum())
}

/// How many times the baseline's failures its own trend lets expect in the windows of the fault: 1 where none is shown.
/// A line through the windows of the baseline, weighted by their calls, drawn on; its slope must be more than noise,
/// and it ends at the most that a value can be.
fn trend(baseline: &[Reading], fault: &[Reading], most: f64) -> f64 {
    let points: Vec<(f64, f64, f64)> = baseline
        .iter()
        .filter_map(|reading| {
            let of = reading.of.unwrap_or(1) as f64;
            Some((reading.from.since(baseline.first()?.from).secs_f64(), reading.value?, of))
        })
        .collect();
    let total: f64 = points.iter().map(|(_, _, n)| n).sum();
    if points.len() < ENOUGH || total <= 0.0 {
        return 1.0;
    }
    let mean = |of: &dyn Fn(&(f64, f64, f64)) -> f64| points.iter().map(|p| p.2 * of(p)).sum::<f64>() / total;
    let (at, share) = (mean(&|p| p.0), mean(&|p| p.1));
    let spread = mean(&|p| (p.0 - at).powi(2));
    if spread <= 0.0 || share <= 0.0 {
        return 1.0;
    }
    let slope = mean(&|p| (p.0 - at) * (p.1 - share)) / spread;
    let left = mean(&|p| (p.1 - share - slope * (p.0 - at)).powi(2));
    let error = (left / spread / (points.len() as f64 - 2.0)).sqrt();
    if slope <= TREND_SHOWN * error {
        return 1.0;
    }
    let (mut calls, mut later) = (0.0, 0.0);
    for reading in fault {
        let of = reading.of.unwrap_or(1) as f64;
        calls += of;
        later += of * baseline.first().map_or(0.0, |first| reading.from.since(first.from).secs_f64());
    }
    let drawn_on = share + (slope + error) * (later / f64::max(calls, 1.0) - at);
    (drawn_on.min(most) / share).max(1.0)
}

/// The window from which on the failures speak most strongly for the fault.
fn onset(before: &Pool, expected: f64, fault: &[Reading]) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for from in 0..fault.len() {
        let score = score(before, expected, &pool(&fault[from..]));
        // A later start must say clearly more: a window that is let go is not seen to be without the fault.
        if score > best.1 + 0.1 {
            best = (from, score);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::simulate::{Counts, Stream};
    use crate::units::{Span, Time};

    fn readings(from: usize, windows: &[(f64, u64)]) -> Vec<Reading> {
        let every = Span::from_mins(1);
        let at = |number: usize| Time::EPOCH + every * i64::try_from(number).unwrap();
        let reading = |(number, (failed, of)): (usize, &(f64, u64))| Reading {
            value: (*of > 0).then(|| failed / *of as f64),
            of: Some(*of).filter(|of| *of > 0),
            ..Reading::missing(at(from + number), every)
        };
        windows.iter().enumerate().map(reading).collect()
    }

    #[test]
    fn fisher_agrees_with_exact_sums() {
        for (a, n, b, m, want) in [
            (0.0, 6.0, 8.0, 8.0, -(3003_f64.ln())),
            (0.0, 30.0, 3.0, 3.0, -(5456_f64.ln())),
            // Sums of exact integers.
            (5.0, 300.0, 20.0, 300.0, 0.001_687_978_115_334_f64.ln()),
            (5.0, 300.0, 5.0, 300.0, 0.624_084_387_358_65_f64.ln()),
        ] {
            let got = ln_fisher(a, n, b, m);
            assert!((got - want).abs() < 1e-9, "{a} of {n}, {b} of {m}: {} instead of {}", got.exp(), want.exp());
        }
        assert_eq!(ln_fisher(3.0, 10.0, 0.0, 10.0), 0.0);
    }

    #[test]
    fn ranks_agree_with_exact_counts() {
        let windows =
            |shares: &[f64]| readings(0, &shares.iter().map(|share| (share * 100.0, 100)).collect::<Vec<_>>());
        let chance = |before: &[f64], after: &[f64]| rank_chance(&windows(before), &windows(after));
        // All above all: one order of C(n + m, m).
        assert!((chance(&[0.01; 6], &[0.5; 8]) - 1.0 / 3003.0).abs() < 1e-12);
        assert!((chance(&[0.01; 5], &[0.5; 5]) - 1.0 / 252.0).abs() < 1e-12);
        assert!((chance(&[0.1, 0.2], &[0.15, 0.3]) - 2.0 / 6.0).abs() < 1e-12);
        assert!((chance(&[0.1; 4], &[0.1; 4]) - 1.0).abs() < 1e-12, "ties show nothing");
        // 2 % beside 0.2 %, of 300 calls a window, though failures may cluster.
        let before = readings(0, &[(1.0, 300), (0.0, 300), (0.0, 300), (2.0, 300), (0.0, 300), (1.0, 300)]);
        let after = readings(6, &[(6.0, 300), (5.0, 300), (8.0, 300), (4.0, 300), (7.0, 300), (6.0, 300), (9.0, 300)]);
        assert!(rise(&before, &after, LEVEL / 5.0).is_some());
    }

    #[test]
    fn few_calls_show_what_they_can() {
        // Three indicators and ten looks.
        assert_eq!([6, 30].map(|calls| least_failures(calls, 30)), [8, 3]);
        let baseline = readings(0, &[[(0.0, 1)].as_slice(), &[(0.0, 0); 9]].concat().repeat(6));
        let fault = |failed: usize| readings(60, &[[(1.0, 1)].as_slice(), &[(0.0, 0); 9]].concat().repeat(failed));
        assert_eq!(rise(&baseline, &fault(7), LEVEL / 15.0), None);
        assert!(rise(&baseline, &fault(8), LEVEL / 15.0).is_some());
    }

    #[test]
    fn a_rise_is_dated() {
        let baseline = readings(0, &[(3.0, 300); 6]);
        let fault = readings(6, &[(3.0, 300), (2.0, 300), (90.0, 300), (80.0, 300)]);
        let rise = rise(&baseline, &fault, 0.001).unwrap();
        assert_eq!((rise.from, rise.failed, rise.of), (2, 175.0, 1200.0));
        assert!((rise.usual - 0.01).abs() < 1e-12);
    }

    #[test]
    fn a_trend_that_goes_on_is_no_effect() {
        let rising = |from: i32, windows: i32| -> Vec<(f64, u64)> {
            (from..from + windows).map(|window| (2.0 * f64::from(window), 300)).collect()
        };
        let baseline = readings(0, &rising(0, 10));
        assert_eq!(rise(&baseline, &readings(10, &rising(10, 10)), 0.001), None);
        // Without the line it would be taken for one.
        assert!(rise(&readings(0, &[(9.0, 300); 10]), &readings(10, &rising(10, 10)), 0.001).is_some());
    }

    fn counts(from: usize, values: &[f64]) -> Vec<Reading> {
        let every = Span::from_mins(1);
        let at = |number: usize| Time::EPOCH + every * i64::try_from(from + number).unwrap();
        let reading =
            |(number, value): (usize, &f64)| Reading { value: Some(*value), ..Reading::missing(at(number), every) };
        values.iter().enumerate().map(reading).collect()
    }

    #[test]
    fn a_count_rises_to_a_level() {
        let usual = counts(0, &[148.0, 155.0, 139.0, 160.0, 151.0]);
        let risen = level(&usual, &counts(5, &[150.0, 290.0, 450.0]), 2.0, LEVEL / 5.0).unwrap();
        assert_eq!((risen.from, risen.now), (2, 450.0), "290 is not twice the mean");
        assert_eq!(level(&usual, &counts(5, &[170.0, 180.0]), 1.0, LEVEL / 5.0), None, "noise explains it");
        // None before: one is enough. Too little of a baseline shows nothing.
        assert_eq!(level(&counts(0, &[0.0; 5]), &counts(5, &[0.0, 1.0]), 1.0, LEVEL).map(|risen| risen.from), Some(1));
        assert_eq!(level(&counts(0, &[0.0; 4]), &counts(5, &[9.0; 9]), 1.0, LEVEL), None);
        // Single messages have a noise that five windows need not show.
        assert_eq!(level(&counts(0, &[1.0; 5]), &counts(5, &[2.0, 3.0]), 1.0, LEVEL), None);
        // A ramp that goes on.
        let ramp = |from: i32, many: i32| (from..from + many).map(|n| f64::from(10 + 10 * n)).collect::<Vec<_>>();
        assert_eq!(level(&counts(0, &ramp(0, 10)), &counts(10, &ramp(10, 10)), 1.0, LEVEL / 5.0), None);
    }

    #[test]
    fn a_count_that_is_as_ever_is_rarely_taken_for_an_effect() {
        let chance = LEVEL / looks(10) as f64;
        for (of, share, clustering) in [(300, 0.01, 0.0), (300, 0.1, 0.0), (300, 0.1, 0.02), (1000, 0.3, 0.05)] {
            let (drawn, mut stream) = (Counts::new(of, share, clustering), Stream::numbered(u64::from(of) + 17));
            let mut draw =
                |windows: usize| (0..windows).map(|_| f64::from(drawn.draw(&mut stream))).collect::<Vec<_>>();
            let run = |_: &i32| {
                let (baseline, fault) = (counts(0, &draw(6)), counts(6, &draw(10)));
                (1..=10).any(|now| is_look(now, 10) && level(&baseline, &fault[..now], 1.0, chance).is_some())
            };
            let mistaken = (0..1000).filter(run).count();
            // Ten are allowed; five standard errors above that.
            assert!(mistaken <= 10 + 16, "{of}, {share}, {clustering}: {mistaken} of 1000");
        }
    }

    /// In how many of a thousand runs without an effect a fault is taken to work, at every look of ten windows.
    fn mistaken(of: u32, share: f64, clustering: f64) -> usize {
        let (counts, mut stream) = (Counts::new(of, share, clustering), Stream::numbered(u64::from(of) + 11));
        let level = LEVEL / looks(10) as f64;
        let mut draw = |windows: usize| -> Vec<(f64, u64)> {
            (0..windows).map(|_| (f64::from(counts.draw(&mut stream)), u64::from(of))).collect()
        };
        let run = |_: &i32| {
            let (baseline, fault) = (readings(0, &draw(6)), readings(6, &draw(10)));
            (1..=10).any(|now| is_look(now, 10) && rise(&baseline, &fault[..now], level).is_some())
        };
        (0..1000).filter(run).count()
    }

    #[test]
    fn chance_is_taken_for_an_effect_as_rarely_as_is_said() {
        for of in [1, 10, 60, 300] {
            for share in [0.01, 0.05] {
                for clustering in [0.0, 0.02] {
                    let mistaken = mistaken(of, share, clustering);
                    // Ten are allowed; five standard errors above that.
                    assert!(mistaken <= 10 + 16, "{of} a minute, {share}, {clustering}: {mistaken} of 1000");
                }
            }
        }
    }
}
