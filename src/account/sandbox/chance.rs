//! Chance in the sandbox: a generator for each component, and what is drawn from it.

use rand::Rng;
use rand_pcg::Pcg64;

use super::app::Duration;
use crate::units::{Share, Span};

/// A component's own source of chance. Each has its own, so that one more draw in one component shifts no other.
#[derive(Clone, Debug)]
pub(super) struct Chance(Pcg64);

impl Chance {
    /// The source of the component called `name`, in the world of `seed`.
    pub fn of(seed: u64, name: &str) -> Chance {
        // FNV-1a over the name gives the stream; the seed gives the state.
        let stream =
            name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        let mix = u128::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) ^ u128::from(stream);
        Chance(Pcg64::new(mix, u128::from(stream)))
    }

    /// Uniform in 0..1, never 1.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Whether something of this probability happens. Draws nothing when it is certain either way.
    pub fn happens(&mut self, share: Share) -> bool {
        share.get() > 0.0 && (share.get() >= 1.0 || self.unit() < share.get())
    }

    /// One of several, all alike. Draws nothing when there is no choice.
    pub fn one_of<'a, T>(&mut self, several: &'a [T]) -> Option<&'a T> {
        match several {
            [] | [_] => several.first(),
            _ => several.get(((self.unit() * several.len() as f64) as usize).min(several.len() - 1)),
        }
    }

    /// Uniform between two lengths of time.
    pub fn between(&mut self, from: Span, to: Span) -> Span {
        from + Span::from_secs_f64((to - from).secs_f64() * self.unit())
    }

    /// Exponential with this mean, in seconds.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Standard normal, by Box and Muller's transform.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// One length of time from a distribution.
    pub fn draw(&mut self, duration: &Duration) -> Span {
        match duration {
            Duration::Constant(span) => *span,
            Duration::Exponential(mean) => Span::from_secs_f64(self.exponential(mean.secs_f64())),
            Duration::Lognormal { median, sigma } => {
                Span::from_secs_f64(median.secs_f64() * (sigma * self.normal()).exp())
            }
            Duration::Uniform { from, to } => self.between(*from, *to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean of many draws, in seconds.
    fn mean(duration: &Duration) -> f64 {
        let mut chance = Chance::of(7, "test");
        let n = 200_000;
        (0..n).map(|_| chance.draw(duration).secs_f64()).sum::<f64>() / f64::from(n)
    }

    #[test]
    fn distributions_have_their_means() {
        // Four standard errors of the mean: sd / sqrt(200,000) * 4.
        let close = |got: f64, want: f64, sd: f64| assert!((got - want).abs() < 4.0 * sd / 447.2, "{got} {want}");
        close(mean(&Duration::Exponential(Span::from_secs(2))), 2.0, 2.0);
        close(mean(&Duration::Uniform { from: Span::from_secs(1), to: Span::from_secs(3) }), 2.0, 0.577);
        // Lognormal: mean = median * exp(sigma^2 / 2), sd = mean * sqrt(exp(sigma^2) - 1).
        let want = 2.0 * (0.5_f64 * 0.5 / 2.0).exp();
        let sd = want * (0.25_f64.exp() - 1.0).sqrt();
        close(mean(&Duration::Lognormal { median: Span::from_secs(2), sigma: 0.5 }), want, sd);
        assert_eq!(mean(&Duration::Constant(Span::from_secs(2))), 2.0);
    }

    #[test]
    fn components_do_not_share_their_chance() {
        let draw = |seed, name| Chance::of(seed, name).unit();
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
    }
}
