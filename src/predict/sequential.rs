//! A test that may be looked at after every run: whether a probability is above a level or below it.
//!
//! The evidence for a side is the likelihood of what was seen, averaged over a distribution on that side, against the best
//! likelihood of the other side. It never exceeds 1 / alpha with more probability than alpha when the other side is true,
//! however often one looks (Ville's inequality; Wasserman, Ramdas and Balakrishnan, "Universal inference", PNAS 2020).

use super::share::Counted;
use crate::judge::special::ln_beta;

/// The probability of a wrong side, for each point and side.
const ALPHA: f64 = 0.02;

/// On which side of a level a probability is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Above,
    Below,
    /// Not to be told from so many runs.
    Open,
}

/// What counts say of a probability and a level.
pub fn side(seen: Counted, level: f64) -> Side {
    let decides = (1.0 / ALPHA).ln();
    // The distributions lie where the other side is: near one, beyond the level; and anywhere.
    if evidence(seen, level, (3.0 / (1.0 - level).max(1e-9), 1.0), f64::min) >= decides {
        Side::Above
    } else if evidence(seen, level, (1.0, 1.0), f64::max) >= decides {
        Side::Below
    } else {
        Side::Open
    }
}

/// The logarithm of the evidence for a beta distribution against the level or what lies beyond it.
fn evidence(seen: Counted, level: f64, (a, b): (f64, f64), beyond: fn(f64, f64) -> f64) -> f64 {
    let (hits, misses) = (seen.hits as f64, (seen.of - seen.hits) as f64);
    let average = ln_beta(a + hits, b + misses) - ln_beta(a, b);
    let best = beyond(seen.share(), level);
    let term = |count: f64, share: f64| if count == 0.0 { 0.0 } else { count * share.ln() };
    average - term(hits, best) - term(misses, 1.0 - best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_cases_are_decided_soon_and_near_ones_stay_open() {
        let side = |hits, of| side(Counted { hits, of }, 0.95);
        assert_eq!(side(0, 0), Side::Open);
        assert_eq!(side(0, 4), Side::Below);
        assert_eq!(side(60, 60), Side::Open);
        assert_eq!(side(95, 95), Side::Above);
        assert_eq!(side(100, 200), Side::Below);
        assert_eq!(side(190, 200), Side::Open, "at the level itself");
    }

    /// Looked at after every run, a side that is wrong is taken in at most the stated share of sequences.
    #[test]
    fn a_wrong_side_is_rarely_taken_however_often_one_looks() {
        let mut state = 7_u64;
        let mut unit = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut wrong = [0, 0];
        for _ in 0..2_000 {
            let mut seen = Counted::default();
            for _ in 0..300 {
                seen = Counted { hits: seen.hits + usize::from(unit() < 0.95), of: seen.of + 1 };
                match side(seen, 0.95) {
                    Side::Above => wrong[0] += 1,
                    Side::Below => wrong[1] += 1,
                    Side::Open => continue,
                }
                break;
            }
        }
        // 2 % of 2,000 are 40, and three standard errors 19.
        assert!(wrong.iter().all(|wrong| *wrong < 59), "{wrong:?}");
        assert!(wrong[0] + wrong[1] > 0, "a test that never errs is not looked at");
    }
}
