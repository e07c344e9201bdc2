//! The betting rule once more, with its mistakes to choose from: what the grid is there to catch.

use super::grid::{ALPHA, Cell, Rule, TOLERATED, full_window};

/// What is wrong with a mutant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mistake {
    /// Nothing: the rule as it should be.
    None,
    /// The highest bet is this many times 1/m.
    Bet(f64),
    /// The restarts are not divided by the horizon.
    RestartsNotDivided,
    /// What is not yet bet is left out.
    NotYetBetDropped,
    /// A window without data counts as the worst.
    MissingIsWorst,
    /// A window of more requests than a full one weighs more than that.
    LargerNotScaled,
}

pub struct Mutant {
    mistake: Mistake,
    horizon: f64,
    windows: f64,
    full: f64,
    bets: [f64; 5],
    from_start: [f64; 5],
    from_restarts: [f64; 5],
    decides_at: f64,
}

impl Mutant {
    pub fn new(cell: &Cell, mistake: Mistake) -> Mutant {
        let mut bets = [0.02, 0.1, 0.3, 0.6, 0.95];
        if let Mistake::Bet(highest) = mistake {
            bets[4] = highest;
        }
        Mutant {
            mistake,
            horizon: f64::from(cell.windows),
            windows: 0.0,
            full: full_window(cell),
            bets,
            from_start: [1.0; 5],
            from_restarts: [0.0; 5],
            decides_at: f64::from(cell.signals) / ALPHA,
        }
    }

    pub fn observe(&mut self, x: Option<f64>, of: u32) -> f64 {
        let x = if self.mistake == Mistake::MissingIsWorst { x.or(Some(1.0)) } else { x };
        self.windows += 1.0;
        let weight = match self.mistake {
            Mistake::LargerNotScaled => f64::from(of) / self.full,
            _ => (f64::from(of) / self.full).min(1.0),
        };
        let gain = x.map_or(0.0, |x| weight * (x - TOLERATED) / TOLERATED);
        for bet in 0..5 {
            let factor = 1.0 + self.bets[bet] * gain;
            self.from_start[bet] *= factor;
            self.from_restarts[bet] = (self.from_restarts[bet] + 1.0) * factor;
        }
        let mean = |wealths: &[f64; 5]| wealths.iter().sum::<f64>() / 5.0;
        let left = match self.mistake {
            Mistake::NotYetBetDropped => 0.0,
            _ => (self.horizon - self.windows) / self.horizon,
        };
        let divisor = if self.mistake == Mistake::RestartsNotDivided { 1.0 } else { self.horizon };
        0.5 * mean(&self.from_start) + 0.5 * (mean(&self.from_restarts) / divisor + left)
    }
}

impl Rule for Mutant {
    fn alarms(&mut self, x: Option<f64>, of: u32) -> bool {
        self.observe(x, of) >= self.decides_at
    }
}
