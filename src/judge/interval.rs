//! An interval for a signal's mean badness that is right at every time at once, not only at the end: the predictable
//! plug-in empirical-Bernstein confidence sequence (Waudby-Smith and Ramdas 2023, theorem 2), intersected as it goes.

/// Contains the mean at all times with probability `1 - alpha`.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfidenceSequence {
    alpha: f64,
    count: u32,
    sum: f64,
    squares: f64,
    mean: f64,
    variance: f64,
    weights: f64,
    weighted: f64,
    penalty: f64,
    interval: (f64, f64),
}

impl ConfidenceSequence {
    /// Nothing known yet: from 0 to 1.
    pub fn at(alpha: f64) -> ConfidenceSequence {
        ConfidenceSequence {
            alpha,
            count: 0,
            sum: 0.0,
            squares: 0.25,
            mean: 0.5,
            variance: 0.25,
            weights: 0.0,
            weighted: 0.0,
            penalty: 0.0,
            interval: (0.0, 1.0),
        }
    }

    /// Takes in one window's badness, from 0 to 1, and returns the interval.
    pub fn observe(&mut self, x: f64) -> (f64, f64) {
        let x = x.clamp(0.0, 1.0);
        self.count = self.count.saturating_add(1);
        let t = f64::from(self.count);
        let log = (2.0 / self.alpha).ln();
        let weight = (2.0 * log / (self.variance * t * (1.0 + t).ln())).sqrt().min(0.5);
        self.penalty += 4.0 * (x - self.mean).powi(2) * (-(-weight).ln_1p() - weight) / 4.0;
        self.weights += weight;
        self.weighted += weight * x;
        let (centre, radius) = (self.weighted / self.weights, (log + self.penalty) / self.weights);
        let (low, high) = self.interval;
        self.interval = (low.max(centre - radius), high.min(centre + radius));
        self.sum += x;
        self.mean = (0.5 + self.sum) / (t + 1.0);
        self.squares += (x - self.mean).powi(2);
        self.variance = self.squares / (t + 1.0);
        self.interval
    }

    /// The interval so far. Its ends may cross when the mean has moved: then no single mean explains the windows.
    pub fn interval(&self) -> (f64, f64) {
        self.interval
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::simulate::{Counts, Stream};

    // Expected values are those of a separate implementation of the formulas, in Python.
    #[test]
    fn it_agrees_with_reference_values() {
        let mut sequence = ConfidenceSequence::at(0.05);
        let mut last = (0.0, 0.0);
        for i in 0..200_u32 {
            last = sequence.observe(f64::from(i * 37 % 100) / 100.0);
            let want = match i {
                9 => (0.0, 1.0),
                49 => (0.305_771_544_637_243, 0.668_758_556_073_755),
                199 => (0.422_984_170_099_425, 0.565_905_944_890_326),
                _ => continue,
            };
            assert!((last.0 - want.0).abs() < 1e-12 && (last.1 - want.1).abs() < 1e-12, "{i} {last:?}");
        }
        assert_eq!(sequence.interval(), last);
        let mut rare = ConfidenceSequence::at(0.05);
        for i in 0..500 {
            rare.observe(if i % 3 == 0 { 0.0 } else { 0.01 });
        }
        assert!((rare.interval().1 - 0.021_734_663_778_120).abs() < 1e-12, "{rare:?}");
    }

    #[test]
    fn it_covers_the_mean_at_all_times() {
        let mut missed = 0;
        let (counts, mut stream) = (Counts::new(60, 0.05, 0.02), Stream::numbered(11));
        for _ in 0..2000 {
            let mut sequence = ConfidenceSequence::at(0.1);
            let covered = (0..120).all(|_| {
                let (low, high) = sequence.observe(f64::from(counts.draw(&mut stream)) / 60.0);
                low <= 0.05 && 0.05 <= high
            });
            missed += u32::from(!covered);
        }
        // Four standard errors above what is promised.
        assert!(missed <= 200 + 54, "{missed} of 2000");
    }

    #[test]
    fn it_stays_finite_for_a_month_of_minutes() {
        let mut sequence = ConfidenceSequence::at(0.01);
        for i in 0..43_200 {
            let (low, high) = sequence.observe(if i % 100 == 0 { 1.0 } else { 0.0 });
            assert!(low.is_finite() && high.is_finite() && low <= high);
        }
        let (low, high) = sequence.interval();
        assert!(low > 0.005 && high < 0.02, "{low} {high}");
    }
}
