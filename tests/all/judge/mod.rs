//! The judge keeps what it promises about false alarms, and these tests would see it if it did not.

mod grid;
mod mutants;
mod runs;

use grid::{Betting, Cell, Fault, TOLERATED, Traffic, cells, delay, full_window, limit};
use mutants::{Mistake, Mutant};
use squall::judge::betting::{Badness, Wager};

/// Runs of each cell. With these a rule that is right stays below the limit of five standard errors in every cell.
const RUNS: u32 = 1500;
const STANDARD_ERRORS: f64 = 5.0;

/// Every cell in which a rule raises more false alarms than chance explains.
fn cells_over_the_limit(cells: &[Cell], make: impl Fn(&Cell) -> Mutant) -> Vec<(Cell, f64)> {
    let over = |cell: &Cell| {
        let alarms = cell.false_alarms(RUNS, |cell, _| make(cell));
        (alarms > limit(RUNS, STANDARD_ERRORS)).then_some((*cell, alarms))
    };
    cells.iter().filter_map(over).collect()
}

fn assert_within_the_limit(cells: &[Cell]) {
    for cell in cells {
        let alarms = cell.false_alarms(RUNS, Betting::new);
        assert!(alarms <= limit(RUNS, STANDARD_ERRORS), "{alarms} {cell:?}");
    }
}

#[test]
fn false_alarms_stay_below_alpha() {
    assert_within_the_limit(&cells());
}

#[test]
fn false_alarms_stay_below_alpha_with_a_fifth_of_the_windows_missing() {
    let missing: Vec<Cell> = cells().into_iter().map(|cell| Cell { missing: 0.2, ..cell }).collect();
    assert_within_the_limit(&missing);
}

#[test]
fn ten_signals_together_stay_below_alpha() {
    let at_the_bound = cells().into_iter().filter(|cell| cell.truth == TOLERATED);
    for missing in [0.0, 0.2] {
        let together: Vec<Cell> = at_the_bound.clone().map(|cell| Cell { signals: 10, missing, ..cell }).collect();
        assert_within_the_limit(&together);
    }
}

#[test]
fn false_alarms_stay_below_alpha_when_windows_differ_in_size() {
    let uneven: Vec<Cell> = cells().into_iter().map(|cell| Cell { traffic: Traffic::Uneven, ..cell }).collect();
    assert_within_the_limit(&uneven);
}

#[test]
fn the_mutant_without_a_mistake_is_the_rule_itself() {
    let cell = cells()[40];
    let (mut mutant, mut wager) = (Mutant::new(&cell, Mistake::None), Wager::over(cell.windows));
    for window in 0..cell.windows {
        let x = (window % 4 != 3).then_some(f64::from(window % 7) / 100.0);
        let of = cell.rate * (1 + window % 3) / 2;
        let weight = (f64::from(of) / full_window(&cell)).min(1.0);
        let evidence = wager.observe(x.map(|x| Badness { x, tolerated: TOLERATED, weight }));
        assert!((mutant.observe(x, of) / evidence - 1.0).abs() < 1e-9, "{window}");
    }
}

/// What the reference values of the method tell apart: evidence after a window of nothing, and then one of a tenth.
fn reference_values(mistake: Mistake) -> (f64, f64) {
    let cell = Cell {
        rate: 60,
        clustering: 0.0,
        truth: TOLERATED,
        windows: 60,
        signals: 1,
        missing: 0.0,
        traffic: Traffic::Even,
    };
    let mut mutant = Mutant::new(&cell, mistake);
    // The published values are those of full windows.
    let full = full_window(&cell) as u32;
    (mutant.observe(Some(0.0), full), mutant.observe(Some(0.1), full))
}

#[test]
fn mistakes_are_caught() {
    let all = cells();
    assert_eq!(cells_over_the_limit(&all, |cell| Mutant::new(cell, Mistake::None)), []);
    for mistake in [Mistake::Bet(2.0), Mistake::Bet(3.0), Mistake::RestartsNotDivided] {
        let caught = cells_over_the_limit(&all, |cell| Mutant::new(cell, mistake));
        println!("{mistake:?}: caught in {} of {} cells", caught.len(), all.len());
        assert!(!caught.is_empty(), "{mistake:?}");
    }
    let missing: Vec<Cell> = all.iter().map(|cell| Cell { missing: 0.2, ..*cell }).collect();
    assert!(!cells_over_the_limit(&missing, |cell| Mutant::new(cell, Mistake::MissingIsWorst)).is_empty());

    let uneven: Vec<Cell> = all.iter().map(|cell| Cell { traffic: Traffic::Uneven, ..*cell }).collect();
    assert_eq!(cells_over_the_limit(&uneven, |cell| Mutant::new(cell, Mistake::None)), []);
    assert!(!cells_over_the_limit(&uneven, |cell| Mutant::new(cell, Mistake::LargerNotScaled)).is_empty());

    let is_reference =
        |(first, second): (f64, f64)| (first - 0.799_717).abs() < 5e-7 && (second - 1.384_763).abs() < 5e-7;
    assert!(is_reference(reference_values(Mistake::None)));
    assert!(!is_reference(reference_values(Mistake::NotYetBetDropped)));
}

#[test]
fn a_fault_is_found_as_soon_as_is_promised() {
    let cell = Cell {
        rate: 60,
        clustering: 0.0,
        truth: 0.3 * TOLERATED,
        windows: 60,
        signals: 1,
        missing: 0.0,
        traffic: Traffic::Even,
    };
    for (share, median) in [(0.05, 6), (0.2, 3)] {
        let fault = Fault { at: 0, share };
        let found = delay(&cell.play(RUNS, Some(fault), Betting::new), fault);
        assert!(found.median.is_some_and(|windows| windows <= median), "{share}: {found:?}");
    }
}
