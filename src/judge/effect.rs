//! How much a signal moved: the Hodges-Lehmann estimate, which is the median of all differences between a window with the
//! fault and one of the baseline, with the exact interval that belongs to it, and how often a window with the fault is
//! the higher one (common-language effect size).

use serde::Serialize;

use super::special::normal_quantile;

/// Up to this many windows on a side the interval is exact; beyond, from the normal approximation, which then differs by
/// one place at the most.
const EXACT: usize = 50;

/// A difference between two groups of windows, in the signal's own unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Effect {
    /// The median of all pairwise differences, after minus before.
    pub shift: f64,
    /// 95 % interval of the shift. `None` when there are too few windows for an end.
    pub from: Option<f64>,
    pub to: Option<f64>,
    /// The probability that a window after is higher than one before, ties half.
    pub higher: f64,
}

impl Effect {
    /// The effect between the values before and those after. `None` when either is empty. Values must be finite; others
    /// are left out.
    pub fn between(before: &[f64], after: &[f64]) -> Option<Effect> {
        let (before, after) = (sorted(before), sorted(after));
        let pairs = before.len() * after.len();
        if pairs == 0 {
            return None;
        }
        let nth = |number: usize| nth_difference(&before, &after, number);
        let shift = (nth((pairs - 1) / 2) + nth(pairs / 2)) / 2.0;
        let outside = outside(before.len(), after.len(), 0.025);
        let end = |number: usize| (outside > 0).then(|| nth(number));
        let not_higher = pairs_at_most(&before, &after, 0.0);
        let lower = not_higher - ties(&before, &after);
        Some(Effect {
            shift,
            from: end(outside.saturating_sub(1)),
            to: end(pairs - outside.max(1)),
            higher: 1.0 - (not_higher as f64 + lower as f64) / (2.0 * pairs as f64),
        })
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// How many pairs differ by at most `limit`. Both sides are sorted, so that one pass is enough.
fn pairs_at_most(before: &[f64], after: &[f64], limit: f64) -> usize {
    let mut beyond = 0;
    before
        .iter()
        .map(|b| {
            while after.get(beyond).is_some_and(|a| a - b <= limit) {
                beyond += 1;
            }
            beyond
        })
        .sum()
}

/// How many pairs are equal.
fn ties(before: &[f64], after: &[f64]) -> usize {
    let equal = |b: &f64| after.partition_point(|a| a <= b) - after.partition_point(|a| a < b);
    before.iter().map(equal).sum()
}

/// The pairwise difference with this number, from 0, in rising order: by halving the range of numbers, without making
/// all pairs, of which a long run has billions.
fn nth_difference(before: &[f64], after: &[f64], number: usize) -> f64 {
    // Ordered like the numbers that they stand for.
    let key = |value: f64| {
        let bits = value.to_bits() as i64;
        bits ^ (((bits >> 63) as u64) >> 1) as i64
    };
    let value = |key: i64| f64::from_bits((key ^ (((key >> 63) as u64) >> 1) as i64) as u64);
    let (mut low, mut high) = (key(f64::MIN), key(f64::MAX));
    while low < high {
        let middle = low + ((i128::from(high) - i128::from(low)) / 2) as i64;
        if pairs_at_most(before, after, value(middle)) > number {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    // Never -0.
    value(low) + 0.0
}

/// How many differences lie outside of the interval on each side: the largest number such that the rank sum statistic U
/// of two groups of these sizes is below it with probability `tail` at the most.
fn outside(n: usize, m: usize, tail: f64) -> usize {
    if n > EXACT || m > EXACT {
        let (n, m) = (n as f64, m as f64);
        return (n * m / 2.0 + normal_quantile(tail) * (n * m * (n + m + 1.0) / 12.0).sqrt()).max(0.0) as usize;
    }
    let mut sum = 0.0;
    let below = |p: &&f64| {
        sum += **p;
        sum <= tail * (1.0 + 1e-12)
    };
    rank_sum_distribution(n, m).iter().take_while(below).count()
}

/// The probabilities of U = 0, 1, ... when both groups come from the same distribution, by the recursion over which group
/// the highest value belongs to (Mann and Whitney 1947).
fn rank_sum_distribution(n: usize, m: usize) -> Vec<f64> {
    let mut rows: Vec<Vec<f64>> = vec![vec![1.0]; m + 1];
    for i in 1..=n {
        for j in 1..=m {
            let share = i as f64 / (i + j) as f64;
            let mut row = vec![0.0; i * j + 1];
            // rows[j] is still that of i - 1, and rows[j - 1] already that of i.
            for (u, p) in rows[j].iter().enumerate() {
                row[u + j] += share * p;
            }
            for (u, p) in rows[j - 1].iter().enumerate() {
                row[u] += (1.0 - share) * p;
            }
            rows[j] = row;
        }
    }
    rows.pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(before: &[f64], after: &[f64], shift: f64, from: Option<f64>, to: Option<f64>, higher: f64) {
        let effect = Effect::between(before, after).unwrap();
        let close = |a: Option<f64>, b: Option<f64>| a.unwrap_or(f64::MIN) - b.unwrap_or(f64::MIN);
        assert!((effect.shift - shift).abs() < 1e-12, "{effect:?}");
        assert!(close(effect.from, from).abs() < 1e-12 && close(effect.to, to).abs() < 1e-12, "{effect:?}");
        assert!((effect.higher - higher).abs() < 1e-12, "{effect:?}");
    }

    #[test]
    fn it_agrees_with_the_textbook() {
        // Hollander and Wolfe (1973), table 4.1, which is also the example of R's wilcox.test.
        let x = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let y = [1.15, 0.88, 0.90, 0.74, 1.21];
        check(&y, &x, 0.305, Some(-0.15), Some(0.76), 0.7);
        check(&x, &y, -0.305, Some(-0.76), Some(0.15), 0.3);
    }

    #[test]
    fn ties_and_small_groups() {
        check(&[0.0, 0.0, 0.0, 1.0, 0.0, 2.0], &[0.0, 1.0, 3.0, 3.0, 2.0], 1.0, Some(0.0), Some(3.0), 0.8);
        // Two windows against one cannot be 95 % sure of anything.
        check(&[0.2, 0.0], &[5.0], 4.9, None, None, 1.0);
        assert_eq!(Effect::between(&[], &[1.0]), None);
        assert_eq!(Effect::between(&[1.0], &[f64::NAN]), None);
    }

    #[test]
    fn the_interval_cuts_off_as_many_as_tables_say() {
        for (n, m, want) in [(3, 3, 0), (4, 4, 1), (5, 5, 3), (5, 10, 9), (20, 20, 128), (30, 10, 88), (50, 50, 966)] {
            assert_eq!(outside(n, m, 0.025), want, "{n} {m}");
        }
        assert_eq!(outside(60, 80, 0.025), 1934, "one less than exact, on the safe side");
    }

    #[test]
    fn a_month_of_windows_takes_no_time_and_no_memory() {
        let before: Vec<f64> = (0..30).map(f64::from).collect();
        let after: Vec<f64> = (0..43_200).map(|i| f64::from(i % 30) + 7.0).collect();
        let effect = Effect::between(&before, &after).unwrap();
        assert_eq!(effect.shift, 7.0);
        assert!(effect.from.is_some_and(|from| from < 7.0) && effect.to.is_some_and(|to| to > 7.0));
    }

    proptest! {
        #[test]
        fn it_is_the_median_of_all_pairs(
            before in proptest::collection::vec(-100.0..100.0_f64, 1..15),
            after in proptest::collection::vec(-100.0..100.0_f64, 1..15),
        ) {
            let mut all: Vec<f64> = before.iter().flat_map(|b| after.iter().map(move |a| a - b)).collect();
            all.sort_by(f64::total_cmp);
            let effect = Effect::between(&before, &after).unwrap();
            let median = (all[(all.len() - 1) / 2] + all[all.len() / 2]) / 2.0;
            prop_assert_eq!(effect.shift, median);
            let higher = all.iter().filter(|d| **d > 0.0).count() as f64 / all.len() as f64;
            prop_assert!((effect.higher - higher).abs() < 1e-9);
            if let (Some(from), Some(to)) = (effect.from, effect.to) {
                prop_assert!(from <= median && median <= to);
            }
        }

        #[test]
        fn a_shift_of_everything_is_found(
            before in proptest::collection::vec(-100.0..100.0_f64, 1..15),
            shift in -50.0..50.0_f64,
        ) {
            let after: Vec<f64> = before.iter().map(|b| b + shift).collect();
            prop_assert!((Effect::between(&before, &after).unwrap().shift - shift).abs() < 1e-9);
        }
    }
}
