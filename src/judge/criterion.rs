//! The kinds of hypotheses, by what it takes to find one broken.

use super::ask::Reading;
use super::bound::Bound;
use super::budget::{Kept, Objective};
use super::invariant::{Certainty, Upheld, examine};
use super::weighing::{Rule, Weighing};

/// How one signal is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Criterion {
    /// A mean with a tolerance: by evidence, with a part of alpha.
    Tolerance(Rule),
    /// Nothing is tolerated: one sure reading decides.
    Invariant { bound: Bound, certainty: Certainty },
    /// A part of an error budget: by book-keeping. The usual traffic is in requests a second.
    Budget { objective: Objective, allowed: f64, usual_traffic: f64 },
    /// It compares with a baseline that there is not.
    NoBaseline,
    /// It has no bound.
    Nothing,
}

impl Criterion {
    /// The window at which the bound is found broken, among readings in order.
    pub fn broken(&self, readings: &[Reading]) -> Option<usize> {
        match self {
            Criterion::Tolerance(rule) => Weighing::of(*rule, readings).broken(),
            Criterion::Invariant { .. } => self.violated(readings),
            Criterion::Budget { objective, allowed, usual_traffic } => {
                let spends = |until: &usize| {
                    let spent = objective.spent(&readings[..=*until], *usual_traffic);
                    spent.is_some_and(|spent| spent.within(*allowed) == Kept::No)
                };
                // What is spent stays spent: found by halving.
                let last = readings.len().checked_sub(1).filter(spends)?;
                let (mut low, mut high) = (0, last);
                while low < high {
                    let middle = low + (high - low) / 2;
                    if spends(&middle) { high = middle } else { low = middle + 1 }
                }
                Some(low)
            }
            Criterion::NoBaseline | Criterion::Nothing => None,
        }
    }

    /// The reading at which a violation of an invariant was sure.
    pub(super) fn violated(&self, readings: &[Reading]) -> Option<usize> {
        let Criterion::Invariant { bound, certainty } = self else { return None };
        match examine(*bound, *certainty, readings) {
            Upheld::Violated { confirmed, .. } => Some(confirmed),
            _ => None,
        }
    }

    /// Whether a single window is outside of the bound, which does not decide.
    pub fn is_outside(&self, reading: &Reading) -> bool {
        match self {
            Criterion::Tolerance(rule) => rule.ask.is_outside(reading),
            Criterion::Invariant { bound, .. } => reading.value.is_some_and(|value| !bound.holds(value)),
            Criterion::Budget { objective, .. } => reading.value.is_some_and(|value| objective.burn_rate(value) > 1.0),
            Criterion::NoBaseline | Criterion::Nothing => false,
        }
    }
}
