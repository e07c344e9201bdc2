//! The evidence against a bound, gathered window by window: a bet on every window, that its badness is above what is
//! tolerated. Somebody who bets so on a bound that holds makes no money in the long run; wealth is evidence.
//!
//! The rule is the mixture of bets of Waudby-Smith and Ramdas (2023, arXiv 2010.09686), half of the money put down at the
//! start and half of it spread over restarts at every window (Shiryaev-Roberts, as in Shin, Ramdas and Rinaldo, arXiv
//! 2203.03532), so that a fault late in a long run is found as well.
//!
//! Invariant: while the expected badness of each window, given the past, is at most what is tolerated, the evidence is a
//! nonnegative supermartingale that starts at 1. By Ville's inequality it ever reaches 1/alpha with probability alpha at
//! most: however often one looks, whenever one stops, and however requests depend on one another within a window.

/// The bets, as parts of the highest that cannot lose everything, which is 1/m. A bet above 1/m would have a negative
/// factor, and the guarantee would be gone.
const BETS: [f64; 5] = [0.02, 0.1, 0.3, 0.6, 0.95];

/// Evidence beyond this says nothing more, and could overflow in a run of months. Cutting off is on the safe side.
const MOST: f64 = 1e200;

/// Below this a wealth is lost for good: taken as nothing, which is on the safe side, and keeps numbers normal.
const LEAST: f64 = 1e-200;

/// The smallest mean that can be tolerated. Nothing at all is an invariant's matter.
const LEAST_TOLERATED: f64 = 1e-9;

/// How bad one window was, and how bad it may be on the average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Badness {
    /// From 0 to 1.
    pub x: f64,
    /// The mean that the bound tolerates, above 0 and at most 1; known before the window.
    pub tolerated: f64,
    /// How much of a full window it was, from 0 to 1: a window of few requests moves the evidence less.
    pub weight: f64,
}

impl Badness {
    /// A full window.
    pub fn full(x: f64, tolerated: f64) -> Badness {
        Badness { x, tolerated, weight: 1.0 }
    }

    /// What a bet of 1/m gains on it, at least -1.
    fn gain(&self) -> f64 {
        let tolerated = self.tolerated.clamp(LEAST_TOLERATED, 1.0);
        self.weight.clamp(0.0, 1.0) * (self.x.clamp(0.0, 1.0) - tolerated) / tolerated
    }

    /// The factor by which a bet of `part`/m multiplies its wealth.
    pub fn factor(&self, part: f64) -> f64 {
        1.0 + part * self.gain()
    }
}

/// Evidence that a bound does not hold, so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Wager {
    /// Planned number of windows: the restarts are spread over so many.
    horizon: u32,
    windows: u32,
    /// The wealth of each bet that was put down at the start.
    from_start: [f64; BETS.len()],
    /// The wealth of each bet over all of its restarts.
    from_restarts: [f64; BETS.len()],
}

impl Wager {
    /// No evidence yet. `horizon` is the planned number of windows; a run may be longer or shorter than that.
    pub fn over(horizon: u32) -> Wager {
        Wager { horizon: horizon.max(1), windows: 0, from_start: [1.0; BETS.len()], from_restarts: [0.0; BETS.len()] }
    }

    /// Takes in the next closed window, `None` when it has no data, and returns the evidence.
    pub fn observe(&mut self, badness: Option<Badness>) -> f64 {
        self.windows = self.windows.saturating_add(1);
        // After the planned end no bet is restarted: the money for that is used up.
        let restart = if self.windows <= self.horizon { 1.0 } else { 0.0 };
        // Without data nothing is won or lost.
        let gain = badness.map_or(0.0, |badness| badness.gain());
        for (bet, wealth) in BETS.iter().zip(&mut self.from_start) {
            *wealth = kept_finite(*wealth * (1.0 + bet * gain));
        }
        for (bet, wealth) in BETS.iter().zip(&mut self.from_restarts) {
            *wealth = kept_finite((*wealth + restart) * (1.0 + bet * gain));
        }
        self.evidence()
    }

    /// How much more likely it is, as betting odds against one, that the bound is broken than that it holds: 1 at the
    /// start, finite always.
    pub fn evidence(&self) -> f64 {
        let mean = |wealths: &[f64; BETS.len()]| wealths.iter().sum::<f64>() / BETS.len() as f64;
        let not_yet_bet = f64::from(self.horizon.saturating_sub(self.windows));
        0.5 * mean(&self.from_start) + 0.5 * (mean(&self.from_restarts) + not_yet_bet) / f64::from(self.horizon)
    }

    /// How many windows were taken in, with data or without.
    pub fn windows(&self) -> u32 {
        self.windows
    }
}

fn kept_finite(wealth: f64) -> f64 {
    if wealth < LEAST { 0.0 } else { wealth.min(MOST) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn evidence(tolerated: f64, horizon: u32, xs: &[f64]) -> f64 {
        let mut wager = Wager::over(horizon);
        xs.iter().fold(1.0, |_, &x| wager.observe(Some(Badness::full(x, tolerated))))
    }

    /// Windows until the evidence reaches 100 when every window is equally bad.
    fn windows_until_100(tolerated: f64, x: f64) -> Option<usize> {
        let mut wager = Wager::over(60);
        (1..=60).find(|_| wager.observe(Some(Badness::full(x, tolerated))) >= 100.0)
    }

    #[test]
    fn it_agrees_with_the_reference_values() {
        assert_eq!(Wager::over(60).evidence(), 1.0);
        assert!((evidence(0.01, 60, &[0.0]) - 0.799_717).abs() < 5e-7);
        assert!((evidence(0.01, 60, &[0.0, 0.1]) - 1.384_763).abs() < 5e-7);
    }

    #[test]
    fn it_takes_as_many_windows_as_published() {
        for (tolerated, x, windows) in [
            (0.001, 1.0, Some(1)),
            (0.001, 0.5, Some(1)),
            (0.01, 1.0, Some(2)),
            (0.01, 0.5, Some(2)),
            (0.01, 0.2, Some(3)),
            (0.05, 1.0, Some(3)),
            (0.05, 0.5, Some(3)),
            (0.05, 0.2, Some(5)),
            (0.1, 1.0, Some(3)),
            (0.1, 0.5, Some(5)),
            (0.1, 0.2, Some(11)),
            (0.2, 1.0, Some(5)),
            (0.2, 0.5, Some(8)),
            (0.2, 0.2, None),
        ] {
            assert_eq!(windows_until_100(tolerated, x), windows, "{tolerated} {x}");
        }
    }

    #[test]
    fn a_window_of_few_requests_moves_it_little() {
        // One window of 60,000 good requests and two of one failed request each: 2 of 60,002 is no breach of 1 %.
        let after = |weights: [f64; 3]| {
            let mut wager = Wager::over(60);
            let windows = [0.0, 1.0, 1.0].into_iter().zip(weights);
            windows.fold(1.0, |_, (x, weight)| wager.observe(Some(Badness { x, tolerated: 0.01, weight })))
        };
        assert!(after([1.0, 1.0, 1.0]) > 100.0);
        assert!(after([0.8, 1.0 / 75_000.0, 1.0 / 75_000.0]) < 1.0);
    }

    #[test]
    fn a_month_of_minutes_stays_finite_and_still_finds_a_fault() {
        let mut wager = Wager::over(43_200);
        for _ in 0..43_140 {
            let evidence = wager.observe(Some(Badness::full(0.0, 0.01)));
            assert!(evidence.is_finite() && evidence < 1.0);
        }
        let found = (1..=60).find(|_| wager.observe(Some(Badness::full(0.2, 0.01))) >= 100.0);
        assert!(found.is_some_and(|windows| windows <= 8), "{found:?}");
        let mut all_bad = Wager::over(43_200);
        for _ in 0..100_000 {
            assert!(all_bad.observe(Some(Badness::full(1.0, 1e-9))).is_finite());
        }
    }

    #[test]
    fn no_bet_can_lose_everything() {
        let mut wager = Wager::over(1);
        wager.observe(Some(Badness::full(0.0, 0.01)));
        let wealths = wager.from_start.iter().chain(&wager.from_restarts);
        assert!(wealths.clone().all(|wealth| *wealth > 0.0 && *wealth < 1.0), "{wager:?}");
    }

    #[test]
    fn an_overrun_makes_no_new_bets() {
        let mut wager = Wager::over(2);
        (0..2).for_each(|_| {
            wager.observe(None);
        });
        // Nothing was won or lost, and all of the money is on the table.
        assert_eq!(wager.evidence(), 1.0);
        wager.observe(None);
        assert_eq!(wager.evidence(), 1.0);
    }

    proptest! {
        /// The property that the guarantee rests on: whatever happened before, a window that is as bad on the average as
        /// is tolerated does not raise the evidence on the average.
        #[test]
        fn a_fair_window_wins_nothing(
            before in proptest::collection::vec(proptest::option::of(0.0..=1.0_f64), 0..80),
            tolerated in 0.001..0.9_f64,
            horizon in 1_u32..100,
            weight in 0.0..=1.0_f64,
            low in 0.0..=1.0_f64,
            high in 0.0..=1.0_f64,
        ) {
            let mut wager = Wager::over(horizon);
            for x in before {
                wager.observe(x.map(|x| Badness::full(x, tolerated)));
            }
            // Two points around the mean, weighted so that their mean is what is tolerated.
            let (low, high) = (tolerated * low, tolerated + (1.0 - tolerated) * high);
            let share_high = if high > low { (tolerated - low) / (high - low) } else { 0.0 };
            let after = |x: f64| wager.clone().observe(Some(Badness { x, tolerated, weight }));
            let mean = share_high * after(high) + (1.0 - share_high) * after(low);
            prop_assert!(mean <= wager.evidence() * (1.0 + 1e-9), "{mean} {}", wager.evidence());
            prop_assert!(wager.clone().observe(None) <= wager.evidence() * (1.0 + 1e-9));
        }

        #[test]
        fn worse_windows_are_more_evidence(
            xs in proptest::collection::vec(0.0..=1.0_f64, 1..60),
            tolerated in 0.001..0.9_f64,
        ) {
            let worse: Vec<f64> = xs.iter().map(|x| x + (1.0 - x) / 2.0).collect();
            prop_assert!(evidence(tolerated, 60, &worse) >= evidence(tolerated, 60, &xs));
        }
    }
}
