//! The axes of a chart: where a time or a value lies, and where the ticks stand.

use super::words;
use crate::account::Metric;
use crate::units::{Span, Time};

/// The time axis, the same for every chart of a report so that they can be read down the page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeAxis {
    pub from: Time,
    pub to: Time,
    /// Where the axis begins and ends, in the units of the picture.
    pub left: f64,
    pub right: f64,
}

impl TimeAxis {
    /// Where an instant lies; what is outside lies on the edge.
    pub fn x(&self, at: Time) -> f64 {
        let whole = self.to.since(self.from).secs_f64().max(1e-6);
        let part = (at.since(self.from).secs_f64() / whole).clamp(0.0, 1.0);
        self.left + part * (self.right - self.left)
    }

    /// Ticks at round times since the start, at most nine.
    pub fn ticks(&self) -> Vec<(Time, String)> {
        const STEPS: [i64; 19] = [
            1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400, 604_800,
            31_536_000,
        ];
        let whole = self.to.since(self.from).micros() / 1_000_000;
        let Some(step) = STEPS.into_iter().find(|step| whole / step <= 8) else { return Vec::new() };
        (0..=whole / step)
            .map(|tick| self.from + Span::from_secs(tick * step))
            .map(|at| (at, words::offset(self.from, at)))
            .collect()
    }
}

/// A value axis from zero, or from below it where a value is.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueAxis {
    pub lowest: f64,
    pub highest: f64,
    pub step: f64,
    pub top: f64,
    pub bottom: f64,
    metric: Metric,
}

/// A limit further away than so many times the greatest value is not drawn: it would press the values flat.
const FAR: f64 = 4.0;

impl ValueAxis {
    /// An axis that holds every value, and the limit where that is not far off.
    pub fn over(
        metric: Metric,
        values: impl Iterator<Item = f64> + Clone,
        limit: Option<f64>,
        (top, bottom): (f64, f64),
    ) -> ValueAxis {
        // Far from where a sum of two of them would be infinite.
        let values = values.map(|value| value.clamp(-1e300, 1e300));
        let greatest = values.clone().fold(0.0, f64::max);
        let least = values.fold(0.0, f64::min);
        let limit = limit.filter(|limit| limit.is_finite() && (greatest <= 0.0 || *limit <= greatest * FAR));
        // A little room above, so that neither a value nor the limit lies on the edge.
        let wanted = greatest.max(limit.unwrap_or(0.0)) * 1.08;
        let floor = if metric.is_share() { 0.001 } else { 1.0 };
        let step = step(metric, wanted.max(floor) - least);
        let highest = (wanted.max(floor) / step).ceil() * step;
        let lowest = (least / step).floor() * step;
        ValueAxis { lowest, highest, step, top, bottom, metric }
    }

    /// Where a value lies; what is outside lies on the edge.
    pub fn y(&self, value: f64) -> f64 {
        let part = ((value - self.lowest) / (self.highest - self.lowest)).clamp(0.0, 1.0);
        self.bottom - part * (self.bottom - self.top)
    }

    /// Whether a value lies between the ends.
    pub fn holds(&self, value: f64) -> bool {
        (self.lowest..=self.highest).contains(&value)
    }

    /// Ticks at round values, at most six.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        let steps = ((self.highest - self.lowest) / self.step).round().min(8.0) as i32;
        (0..=steps)
            .map(|tick| self.lowest + f64::from(tick) * self.step)
            .map(|value| (value, words::level(self.metric, value)))
            .collect()
    }
}

/// A round step that makes at most five of a range.
fn step(metric: Metric, range: f64) -> f64 {
    if !(range.is_finite() && range > 0.0) {
        return 1.0;
    }
    if metric == Metric::OldestMessage {
        // Ages are read in seconds, minutes and hours.
        const SECONDS: [f64; 14] =
            [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 14_400.0, 86_400.0];
        if let Some(step) = SECONDS.into_iter().find(|step| range / step <= 5.0) {
            return step;
        }
    }
    let power = 10_f64.powf((range / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| range / step <= 5.0);
    let step = step.unwrap_or(power * 10.0);
    let counted = !metric.is_share() && !matches!(metric, Metric::Duration | Metric::OldestMessage);
    if counted { step.max(1.0) } else { step }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(metric: Metric, values: &[f64], limit: f64) -> Vec<String> {
        let axis = ValueAxis::over(metric, values.iter().copied(), Some(limit), (0.0, 100.0));
        axis.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(Metric::FailedShare, &[0.0, 0.124], 0.01), ["0 %", "5 %", "10 %", "15 %"]);
        assert_eq!(labels(Metric::Depth, &[0.0], 0.0), ["0", "1"]);
        assert_eq!(labels(Metric::OldestMessage, &[617.0], 120.0), ["0s", "5m", "10m", "15m"]);
        assert_eq!(
            labels(Metric::Depth, &[40.0], 5000.0),
            ["0", "10", "20", "30", "40", "50"],
            "a far limit is left out"
        );
    }

    #[test]
    fn the_time_axis_has_round_offsets() {
        let axis = TimeAxis { from: Time::EPOCH, to: Time::EPOCH + Span::from_secs(1507), left: 0.0, right: 100.0 };
        let labels: Vec<String> = axis.ticks().into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["+00:00", "+05:00", "+10:00", "+15:00", "+20:00", "+25:00"]);
    }

    proptest! {
        #[test]
        fn every_value_lies_inside(values in proptest::collection::vec(0.0..1e12_f64, 0..20), limit in 0.0..1e12_f64) {
            for metric in [Metric::FailedShare, Metric::Depth, Metric::OldestMessage, Metric::Duration] {
                let axis = ValueAxis::over(metric, values.iter().copied(), Some(limit), (10.0, 110.0));
                for value in &values {
                    prop_assert!(axis.holds(*value));
                    prop_assert!((10.0..=110.0).contains(&axis.y(*value)));
                }
                let ticks = axis.ticks();
                prop_assert!((2..=9).contains(&ticks.len()), "{metric:?} {ticks:?}");
            }
        }

        #[test]
        fn the_time_axis_is_never_crowded(from in 0_i64..1 << 50, length in 0_i64..1 << 50) {
            let from = Time::from_micros(from);
            let axis = TimeAxis { from, to: from + Span::from_micros(length), left: 0.0, right: 100.0 };
            prop_assert!(axis.ticks().len() <= 9);
        }
    }
}
