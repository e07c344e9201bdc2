//! Simulated windows: how many of a window's requests fail, when they fail alone or in clusters.
//!
//! Not a source of chance: the generator is PCG XSL RR 128/64 with a fixed state, so that the same numbers come on every
//! machine and at every replay.

use rand::Rng as _;
use rand_pcg::Pcg64;

/// A stream of numbers that is fixed by its name.
#[derive(Clone, Debug)]
pub struct Stream(Pcg64);

impl Stream {
    /// The stream with this number. Streams with different numbers have nothing to do with one another.
    pub fn numbered(number: u64) -> Stream {
        // Digits of pi, for want of a reason for others.
        Stream(Pcg64::new(0x243f_6a88_85a3_08d3_1319_8a2e_0370_7344, u128::from(number)))
    }

    /// Uniform in 0..1, never 1.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }
}

/// The beta-binomial distribution: of so many requests of a window, how many fail.
#[derive(Clone, Debug)]
pub struct Counts {
    /// The probability of at most so many.
    at_most: Vec<f64>,
    /// For each 1/256 of the unit interval, where a search begins.
    begin: Vec<u32>,
}

impl Counts {
    /// `share` of them fail on the average, and two requests of one window share their fate with correlation
    /// `clustering`; 0 is the binomial distribution.
    pub fn new(of: u32, share: f64, clustering: f64) -> Counts {
        let n = f64::from(of);
        let usual = (n * share).round().min(n);
        // Each number's weight follows from its neighbour's. Starting at the usual one, none overflows or vanishes early.
        let ratio = |k: f64| -> f64 {
            let (a, b) = match clustering > 0.0 {
                // The parameters of the beta distribution, both divided by the smaller scale to allow no clustering.
                true => {
                    let scale = (1.0 - clustering) / clustering;
                    (share * scale + k, (1.0 - share) * scale + n - k - 1.0)
                }
                false => (share, 1.0 - share),
            };
            (n - k) / (k + 1.0) * a / b
        };
        let mut weights = vec![0.0; of as usize + 1];
        let usual_at = usual as usize;
        weights[usual_at] = 1.0;
        for k in usual_at..of as usize {
            weights[k + 1] = weights[k] * ratio(k as f64);
        }
        for k in (0..usual_at).rev() {
            weights[k] = weights[k + 1] / ratio(k as f64);
        }
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let at_most: Vec<f64> = weights
            .iter()
            .map(|weight| {
                sum += weight / total;
                sum
            })
            .collect();
        let begin = (0..256).map(|part| at_most.partition_point(|p| *p <= f64::from(part) / 256.0) as u32).collect();
        Counts { at_most, begin }
    }

    /// Draws one window's number of failures.
    pub fn draw(&self, stream: &mut Stream) -> u32 {
        let unit = stream.unit();
        let mut k = self.begin[(unit * 256.0) as usize] as usize;
        while k + 1 < self.at_most.len() && self.at_most[k] <= unit {
            k += 1;
        }
        k as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_same_everywhere() {
        let mut stream = Stream::numbered(1);
        let first: Vec<u64> = (0..3).map(|_| (stream.unit() * 1e9) as u64).collect();
        assert_eq!(first, [388_419_219, 759_124_820, 762_868_996]);
        assert_ne!(Stream::numbered(1).unit(), Stream::numbered(2).unit());
    }

    /// Mean and variance of many draws.
    fn moments(of: u32, share: f64, clustering: f64) -> (f64, f64) {
        let (counts, mut stream) = (Counts::new(of, share, clustering), Stream::numbered(7));
        let n = 400_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..n {
            let k = f64::from(counts.draw(&mut stream));
            sum += k;
            squares += k * k;
        }
        let mean = sum / f64::from(n);
        (mean, squares / f64::from(n) - mean * mean)
    }

    #[test]
    fn counts_have_their_mean_and_variance() {
        for (of, share, clustering) in
            [(1, 0.3, 0.0), (10, 0.01, 0.0), (60, 0.05, 0.02), (600, 0.01, 0.1), (600, 0.5, 0.0), (10, 0.2, 0.1)]
        {
            let (mean, variance) = moments(of, share, clustering);
            let n = f64::from(of);
            let expected = n * share * (1.0 - share) * (1.0 + (n - 1.0) * clustering);
            let margin = 5.0 * (expected / 400_000.0).sqrt();
            assert!((mean - n * share).abs() < margin, "{of} {share} {clustering}: {mean}");
            assert!((variance / expected - 1.0).abs() < 0.05, "{of} {share} {clustering}: {variance} {expected}");
        }
    }

    #[test]
    fn what_is_certain_is_certain() {
        let mut stream = Stream::numbered(1);
        assert_eq!(Counts::new(10, 0.0, 0.0).draw(&mut stream), 0);
        assert_eq!(Counts::new(10, 1.0, 0.0).draw(&mut stream), 10);
        assert_eq!(Counts::new(10, 1.0, 0.1).draw(&mut stream), 10);
        assert_eq!(Counts::new(0, 0.5, 0.1).draw(&mut stream), 0);
    }
}
