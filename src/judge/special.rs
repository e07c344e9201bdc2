//! The few functions of probability that the judge needs, in logarithms where numbers get small. Checked against scipy.

/// ln Γ(x) for x > 0: Stirling's series, after x is moved up to where ten terms give all digits (Abramowitz and Stegun
/// 6.1.41).
pub fn ln_gamma(x: f64) -> f64 {
    const SERIES: [f64; 7] =
        [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0, 1.0 / 156.0];
    let mut moved = x;
    let mut product = 1.0;
    while moved < 12.0 {
        product *= moved;
        moved += 1.0;
    }
    let inverse = 1.0 / moved;
    let series = SERIES.iter().rev().fold(0.0, |sum, term| sum * inverse * inverse + term) * inverse;
    (moved - 0.5) * moved.ln() - moved + 0.5 * std::f64::consts::TAU.ln() + series - product.ln()
}

/// ln B(a, b) for a, b > 0.
pub fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// ln of the number of ways to take `some` of `all`, 0 <= some <= all; nothing is possible outside of that.
pub fn ln_choose(all: f64, some: f64) -> f64 {
    if some < 0.0 || some > all {
        return f64::NEG_INFINITY;
    }
    ln_gamma(all + 1.0) - ln_gamma(some + 1.0) - ln_gamma(all - some + 1.0)
}

/// ln(1 - e^x) for x < 0.
fn ln_one_minus_exp(x: f64) -> f64 {
    if x > -std::f64::consts::LN_2 { (-x.exp_m1()).ln() } else { (-x.exp()).ln_1p() }
}

/// The logarithms of both tails of the beta distribution at x: ln I_x(a, b) and ln(1 - I_x(a, b)), for a, b > 0.
pub fn ln_beta_tails(x: f64, a: f64, b: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (f64::NEG_INFINITY, 0.0);
    }
    if x >= 1.0 {
        return (0.0, f64::NEG_INFINITY);
    }
    let front = a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b);
    // The continued fraction is quick on the side of the mean where the tail is.
    if x < (a + 1.0) / (a + b + 2.0) {
        let lower = (front - a.ln() + beta_fraction(x, a, b).ln()).min(0.0);
        (lower, ln_one_minus_exp(lower))
    } else {
        let upper = (front - b.ln() + beta_fraction(1.0 - x, b, a).ln()).min(0.0);
        (ln_one_minus_exp(upper), upper)
    }
}

/// The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method.
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    // It takes some multiples of the square root of the larger parameter.
    for step in 1..100_000_u32 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + term * d);
            c = away_from_zero(1.0 + term / c);
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

/// The smallest point of 0..1 at which a rising test is met, to the last digits.
fn first_point(met: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if met(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// The upper end of an exact one-sided interval for a share, after Clopper and Pearson: `hits` of `of` would be as few as
/// they are with probability `alpha` if the share were this. Fractions are allowed, for counts that a design effect
/// has reduced.
pub fn share_upper(hits: f64, of: f64, alpha: f64) -> f64 {
    if hits >= of {
        return 1.0;
    }
    first_point(|share| ln_beta_tails(share, hits + 1.0, of - hits).1 <= alpha.ln())
}

/// The lower end of an exact one-sided interval for a share.
pub fn share_lower(hits: f64, of: f64, alpha: f64) -> f64 {
    1.0 - share_upper(of - hits, of, alpha)
}

/// The probability of at most `hits` in `of` independent tries.
pub fn binomial_at_most(hits: u64, of: u64, share: f64) -> f64 {
    if hits >= of {
        return 1.0;
    }
    ln_beta_tails(share, hits as f64 + 1.0, (of - hits) as f64).1.exp()
}

/// The standard normal quantile, to 1e-9 relative (P. Acklam's rational approximation).
pub fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 5] =
        [7.784_695_709_041_462e-3, 3.224_671_290_700_398e-1, 2.445_134_137_142_996, 3.754_408_661_907_416, 1.0];
    let horner = |terms: &[f64], x: f64| terms.iter().fold(0.0, |sum, term| sum * x + term);
    let tail = |p: f64| {
        let q = (-2.0 * p.ln()).sqrt();
        horner(&C, q) / horner(&D, q)
    };
    match p {
        p if p < 0.024_25 => tail(p),
        p if p > 1.0 - 0.024_25 => -tail(1.0 - p),
        p => {
            let q = p - 0.5;
            horner(&A, q * q) * q / horner(&B, q * q)
        }
    }
}

/// The probability that Student's t with so many degrees of freedom is greater than `t`, by the incomplete beta function
/// (Abramowitz and Stegun 26.7.1).
pub fn student_exceeds(t: f64, freedom: f64) -> f64 {
    let (both, _) = ln_beta_tails(freedom / (freedom + t * t), freedom / 2.0, 0.5);
    let half = both.exp() / 2.0;
    if t > 0.0 { half } else { 1.0 - half }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn students_tails_agree_with_tables() {
        for (t, freedom, tail) in [(2.132, 4.0, 0.05), (4.604, 4.0, 0.005), (7.173, 4.0, 0.001), (3.250, 9.0, 0.005)] {
            assert!((student_exceeds(t, freedom) - tail).abs() < tail * 0.002, "{t} of {freedom}");
            assert!((student_exceeds(-t, freedom) - (1.0 - tail)).abs() < 1e-3);
        }
        assert!((student_exceeds(0.0, 4.0) - 0.5).abs() < 1e-12);
    }

    #[track_caller]
    fn close(got: f64, want: f64, relative: f64) {
        assert!((got - want).abs() <= relative * want.abs().max(1e-12), "{got} instead of {want}");
    }

    // The expected values of these tests are those of scipy 1.17 and mpmath with 40 digits.

    #[test]
    fn ln_gamma_agrees_with_mpmath() {
        for (x, want) in [
            (0.1, 2.252_712_651_734_206),
            (0.5, 0.572_364_942_924_700_1),
            (3.7, 1.428_072_326_665_388),
            (100.0, 359.134_205_369_575_4),
            (1_000_000.5, 12_815_511.476_902_766),
        ] {
            close(ln_gamma(x), want, 1e-14);
        }
        assert!(ln_gamma(1.0).abs() < 1e-14);
    }

    #[test]
    fn both_tails_agree_with_mpmath() {
        for (x, a, b, lower, upper) in [
            (0.5, 2.0, 3.0, -0.374_693_449_441_411, -1.163_150_809_805_68),
            (0.01, 0.5, 20.0, -0.752_112_067_592_832, -0.637_466_402_691_543),
            (0.3, 50.0, 70.0, -5.636_272_901_043_87, -0.003_572_508_823_170_92),
            (0.02, 5.0, 996.0, -1.485_453_123_481_44e-5, -11.117_213_032_858_3),
            (0.9, 1000.0, 200.0, -7.171_068_577_339_68e-13, -27.963_551_530_919_5),
            (0.011, 11_001.0, 989_000.0, -0.698_231_791_154_546, -0.688_088_292_496_32),
        ] {
            let (l, u) = ln_beta_tails(x, a, b);
            close(l, lower, 1e-8);
            close(u, upper, 1e-8);
        }
        close(ln_beta_tails(0.0115, 11_001.0, 989_000.0).1, -13.638_277_668_976_354, 1e-8);
    }

    #[test]
    fn exact_intervals_agree_with_scipy() {
        for (hits, of, alpha, upper, lower) in [
            (0.0, 300.0, 0.005, 0.017_506_015_484_986_3, 0.0),
            (3.0, 300.0, 0.005, 0.036_108_259_750_851_9, 0.001_129_344_267_994),
            (15.0, 1500.0, 0.0005, 0.021_538_976_326_850_1, 0.003_611_822_366_994),
            (10.0, 10.0, 0.01, 1.0, 0.630_957_344_480_193),
            (2.5, 40.5, 0.01, 0.209_882_094_336_442, 0.006_949_087_486_271),
        ] {
            close(share_upper(hits, of, alpha), upper, 1e-9);
            close(share_lower(hits, of, alpha), lower, 1e-9);
        }
    }

    #[test]
    fn binomial_and_normal_agree_with_tables() {
        close(binomial_at_most(0, 50, 0.2), 0.8_f64.powi(50), 1e-10);
        close(binomial_at_most(4, 8, 0.5), 163.0 / 256.0, 1e-12);
        assert_eq!(binomial_at_most(3, 3, 0.5), 1.0);
        for (p, z) in [(0.975, 1.959_963_984_540_054), (0.01, -2.326_347_874_040_841), (1e-9, -5.997_807_015_007_687)] {
            close(normal_quantile(p), z, 2e-9);
        }
    }

    proptest! {
        #[test]
        fn tails_are_probabilities(x in 0.0..=1.0_f64, a in 0.01..5000.0_f64, b in 0.01..5000.0_f64) {
            let (lower, upper) = ln_beta_tails(x, a, b);
            prop_assert!((lower.exp() + upper.exp() - 1.0).abs() < 1e-9, "{lower} {upper}");
        }

        #[test]
        fn an_interval_holds_what_was_counted(hits in 0_u32..100, more in 1_u32..1000, alpha in 1e-6..0.4_f64) {
            let (hits, of) = (f64::from(hits), f64::from(hits + more));
            prop_assert!(share_lower(hits, of, alpha) <= hits / of + 1e-12);
            prop_assert!(share_upper(hits, of, alpha) >= hits / of - 1e-12);
        }
    }
}
