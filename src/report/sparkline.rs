//! A signal on one line of block characters, for terminals and for Markdown.

use super::summary::signals::{Point, thinned};
use super::words::limit;
use crate::judge::bound::Bound;

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Stands where there was no data, which is not a low value.
const NO_DATA: char = '·';

/// One character a window, at most `width`; of several windows that share a character, the worst by `bound` is shown.
/// The lowest block is zero, or the lowest value where that is below zero; the highest is the highest value, or the
/// bound's limit where that is higher, so that a small stir looks small.
pub fn sparkline(windows: &[Point], bound: Bound, width: usize) -> String {
    let values: Vec<Option<f64>> = thinned(windows, bound, width).iter().map(|point| point.value).collect();
    let lowest = values.iter().flatten().copied().fold(0.0, f64::min);
    let highest = values.iter().flatten().copied().fold(lowest, f64::max);
    let highest = limit(bound).filter(|limit| limit.is_finite()).map_or(highest, |limit| limit.max(highest));
    let block = |value: &Option<f64>| match value {
        None => NO_DATA,
        Some(_) if highest <= lowest => BLOCKS[0],
        Some(value) => {
            let height = (value - lowest) / (highest - lowest) * (BLOCKS.len() - 1) as f64;
            // What is not zero is seen to be not zero.
            let least = usize::from(*value > lowest);
            BLOCKS[(height.round() as usize).clamp(least, BLOCKS.len() - 1)]
        }
    };
    values.iter().map(block).collect()
}

/// The newest windows alone, where a live view has no room for all.
pub fn newest(windows: &[Point], bound: Bound, width: usize) -> String {
    sparkline(&windows[windows.len().saturating_sub(width)..], bound, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::event::Phase;
    use crate::units::Time;
    use proptest::prelude::*;

    fn points(values: &[Option<f64>]) -> Vec<Point> {
        let point = |value: &Option<f64>| Point {
            phase: Phase::Baseline,
            from: Time::EPOCH,
            to: Time::EPOCH,
            value: *value,
            of: None,
            own: 0,
            breaks: false,
            odds: None,
        };
        values.iter().map(point).collect()
    }

    #[test]
    fn heights_follow_values_and_gaps_are_seen() {
        let values = [Some(0.0), Some(1.0), None, Some(50.0), Some(100.0), Some(0.1)];
        assert_eq!(sparkline(&points(&values), Bound::AtMost(1.0), 80), "▁▂·▅█▂");
        assert_eq!(sparkline(&points(&[Some(0.0), Some(0.0)]), Bound::AtMost(0.0), 80), "▁▁");
        assert_eq!(sparkline(&[], Bound::AtMost(0.0), 80), "");
        assert_eq!(sparkline(&points(&[Some(1.0), Some(2.0)]), Bound::AtMost(4.0), 80), "▃▅", "half way to the limit");
    }

    #[test]
    fn a_short_line_keeps_the_worst() {
        let values: Vec<Option<f64>> = (0..100).map(|i| Some(if i == 57 { 9.0 } else { 1.0 })).collect();
        let line = sparkline(&points(&values), Bound::AtMost(2.0), 10);
        assert_eq!(line.chars().filter(|c| *c == '█').count(), 1, "{line}");
        let line = sparkline(&points(&values), Bound::AtLeast(0.0), 10);
        assert!(line.chars().all(|c| c == '█'), "the lowest of each ten is 1: {line}");
        assert_eq!(newest(&points(&values), Bound::AtMost(1.0), 30), "█".repeat(30));
    }

    proptest! {
        #[test]
        fn it_is_as_wide_as_asked(values in proptest::collection::vec(proptest::option::of(proptest::num::f64::NORMAL), 0..200), width in 0_usize..100) {
            let line = sparkline(&points(&values), Bound::AtMost(1.0), width);
            prop_assert_eq!(line.chars().count(), values.len().min(width));
        }
    }
}
