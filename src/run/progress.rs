//! What is known against one signal while the run goes on, taken in window by window: each window costs the same, however
//! many came before it. What is decided here is what [`Criterion::broken`] finds in all of the windows.

use super::judging::Case;
use crate::account::Window;
use crate::judge::ask::Reading;
use crate::judge::betting::Wager;
use crate::judge::bound::Bound;
use crate::judge::criterion::Criterion;
use crate::judge::invariant::Certainty;
use crate::judge::weighing::Rule;

/// The windows of one signal from the first fault on, as far as they are judged.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// How many windows of the signal were taken in, those of the baseline among them.
    taken: usize,
    /// `None` before the first window that is judged: a bound may follow from the baseline.
    gathered: Option<Gathered>,
}

/// What the windows so far add up to.
#[derive(Clone, Debug)]
enum Gathered {
    /// Nothing that could be decided before the end.
    Nothing,
    Weighed {
        rule: Rule,
        wager: Wager,
    },
    /// Whether the last window with data was outside of the bound.
    Exact {
        bound: Bound,
        certainty: Certainty,
        suspect: bool,
    },
    /// The share of an error budget that is spent.
    Budget {
        criterion: Criterion,
        spent: f64,
    },
}

impl Progress {
    /// Takes in the windows that are new. Gives the one that decides that the signal is broken.
    pub(super) fn take_in(&mut self, case: &Case<'_>) -> Option<Window> {
        let first = case.baseline_windows();
        if case.windows().len() <= first {
            return None;
        }
        let gathered = self.gathered.get_or_insert_with(|| Gathered::of(case));
        self.taken = self.taken.max(first);
        while let Some(reading) = case.reading(self.taken) {
            self.taken += 1;
            if gathered.decides(&reading) {
                return Some(Window { from: reading.from, to: reading.to });
            }
        }
        None
    }

    /// Whether the signal would be broken, if values that are not final yet were so: those of the windows after the last
    /// one that was taken in.
    pub(super) fn is_broken_with(&self, case: &Case<'_>, ahead: &[Reading]) -> bool {
        let mut gathered = match &self.gathered {
            Some(gathered) => gathered.clone(),
            None => Gathered::of(case),
        };
        ahead.iter().any(|reading| gathered.decides(reading))
    }
}

impl Gathered {
    fn of(case: &Case<'_>) -> Gathered {
        if !case.is_decided_early() || case.began_before().is_some() {
            return Gathered::Nothing;
        }
        match case.criterion() {
            Criterion::Tolerance(rule) => Gathered::Weighed { rule, wager: Wager::over(rule.horizon) },
            Criterion::Invariant { bound, certainty } => Gathered::Exact { bound, certainty, suspect: false },
            criterion @ Criterion::Budget { .. } => Gathered::Budget { criterion, spent: 0.0 },
            Criterion::NoBaseline | Criterion::Nothing => Gathered::Nothing,
        }
    }

    /// Takes in the next window; true when it decides that the bound is broken.
    fn decides(&mut self, reading: &Reading) -> bool {
        match self {
            Gathered::Nothing => false,
            Gathered::Weighed { rule, wager } => wager.observe(rule.badness(reading)) >= rule.alpha.decides_at(),
            Gathered::Exact { bound, certainty, suspect } => {
                let Some(value) = reading.value else { return false };
                let (outside, before) = (!bound.holds(value), *suspect);
                *suspect = outside;
                outside && (*certainty == Certainty::Final || before)
            }
            Gathered::Budget { criterion, spent } => {
                let Criterion::Budget { objective, allowed, usual_traffic } = criterion else { return false };
                let more = objective.spent(std::slice::from_ref(reading), *usual_traffic);
                *spent += more.map_or(0.0, |more| more.share);
                *spent > *allowed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::judge::ask::Ask;
    use crate::judge::budget::Objective;
    use crate::judge::weighing::Alpha;
    use crate::units::{Span, Time};

    fn criteria() -> [Criterion; 4] {
        let ask = Ask::ShareAtMost(0.01);
        let objective = Objective { good: 0.999, over: Span::from_mins(600) };
        let invariant = |certainty| Criterion::Invariant { bound: Bound::AtMost(0.2), certainty };
        [
            Criterion::Tolerance(Rule { ask, alpha: Alpha::USUAL, horizon: 30, full: Some(75.0) }),
            invariant(Certainty::Final),
            invariant(Certainty::NeedsConfirmation),
            Criterion::Budget { objective, allowed: 0.3, usual_traffic: 1.0 },
        ]
    }

    fn gathered(criterion: Criterion) -> Gathered {
        match criterion {
            Criterion::Tolerance(rule) => Gathered::Weighed { rule, wager: Wager::over(rule.horizon) },
            Criterion::Invariant { bound, certainty } => Gathered::Exact { bound, certainty, suspect: false },
            criterion => Gathered::Budget { criterion, spent: 0.0 },
        }
    }

    proptest! {
        #[test]
        fn window_by_window_it_is_what_all_of_them_show(
            values in proptest::collection::vec(proptest::option::weighted(0.8, 0.0..0.5_f64), 1..60),
            scale in 0.01..1.0_f64,
        ) {
            let every = Span::from_mins(1);
            let at = |number: usize| Time::EPOCH + every * i64::try_from(number).unwrap();
            let readings: Vec<Reading> = values
                .iter()
                .enumerate()
                .map(|(number, value)| Reading {
                    value: value.map(|value| value * scale),
                    of: Some(60),
                    ..Reading::missing(at(number), every)
                })
                .collect();
            for criterion in criteria() {
                let mut gathered = gathered(criterion);
                let decided = readings.iter().position(|reading| gathered.decides(reading));
                prop_assert_eq!(decided, criterion.broken(&readings), "{:?}", criterion);
            }
        }
    }
}
