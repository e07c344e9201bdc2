//! Rules that other tools judge by, to stand beside squall's in one table.

use super::grid::{Cell, Rule, TOLERATED};

/// Alarms at so many breached windows, in a row or in all. One in all is a plain threshold; four in all is Argo
/// Rollouts with `failureLimit: 3`.
pub struct Breaches {
    wanted: u32,
    in_a_row: bool,
    seen: u32,
}

impl Breaches {
    pub fn in_all(wanted: u32) -> Breaches {
        Breaches { wanted, in_a_row: false, seen: 0 }
    }

    pub fn in_a_row(wanted: u32) -> Breaches {
        Breaches { wanted, in_a_row: true, seen: 0 }
    }
}

impl Rule for Breaches {
    fn alarms(&mut self, x: Option<f64>, _: u32) -> bool {
        match x {
            Some(x) if x > TOLERATED => self.seen += 1,
            Some(_) if self.in_a_row => self.seen = 0,
            _ => {}
        }
        self.seen >= self.wanted
    }
}

/// The Mann-Whitney test of the windows so far against thirty of a baseline, one-sided at 1 %, made again at every window
/// as canary judges do: normal approximation with corrections for ties and continuity.
pub struct MannWhitney {
    baseline: Vec<f64>,
    windows: Vec<f64>,
    /// Pairs in which the window is the higher one, ties half.
    higher: f64,
}

impl MannWhitney {
    pub fn new(_: &Cell, draw: &mut dyn FnMut() -> f64) -> MannWhitney {
        MannWhitney { baseline: (0..30).map(|_| draw()).collect(), windows: Vec::new(), higher: 0.0 }
    }
}

impl Rule for MannWhitney {
    fn alarms(&mut self, x: Option<f64>, _: u32) -> bool {
        /// The standard normal quantile of 99 %.
        const CRITICAL: f64 = 2.326_347_874;
        let Some(x) = x else { return false };
        self.windows.push(x);
        for b in &self.baseline {
            self.higher += if x > *b { 1.0 } else { f64::from(u8::from(x == *b)) / 2.0 };
        }
        let mut all: Vec<f64> = self.baseline.iter().chain(&self.windows).copied().collect();
        all.sort_unstable_by(f64::total_cmp);
        let ties: f64 = all.chunk_by(|a, b| a == b).map(|tied| (tied.len() as f64).powi(3) - tied.len() as f64).sum();
        let (n, m, total) = (self.baseline.len() as f64, self.windows.len() as f64, all.len() as f64);
        let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
        let above = self.higher - n * m / 2.0 - 0.5;
        self.windows.len() >= 2 && variance > 0.0 && above > CRITICAL * variance.sqrt()
    }
}
