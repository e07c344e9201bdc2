//! What a run would have caught. A verdict of held is worth something only when a rise that matters would have been seen,
//! so the same rule is played on the volumes that the run had, with a rise in the windows in which the faults were in.
//!
//! The windows are simulated from a stream with a fixed number: the same readings give the same statement everywhere.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::OnceLock;

use serde::Serialize;

use super::betting::{Badness, Wager};
use super::control::Arms;
use super::simulate::{Counts, Stream};
use super::special::{binomial_at_most, share_lower};

/// The probability with which a rise must be caught.
pub const SURE: f64 = 0.95;

/// Simulated runs for each rise, and the fewest of them, for runs of months. The share that is caught must be above [`SURE`]
/// by more than the simulation's own error, at 99 %.
const RUNS: u32 = 1000;
const FEWEST_RUNS: u32 = 200;

/// Simulated windows for each rise, where that leaves runs enough.
const WINDOWS: usize = 5_000_000;

/// So many answers are kept.
const KEPT: usize = 32;

/// A window's share hardly varies by chance beyond so many requests, and larger tables would take time.
const MOST_REQUESTS: u64 = 2000;

/// The rises that are tried, in words that read well.
const RISES: [f64; 26] = [
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35,
    0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0,
];

/// One window of a run, as far as chance goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Volume {
    /// How many requests it had, 1 where the window itself counts; `None` without data.
    pub of: Option<u64>,
    /// Whether the faults were in.
    pub with_fault: bool,
    /// How many requests its control had.
    pub control: u64,
}

/// The rule that would have had to catch it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stakes {
    pub tolerated: f64,
    pub horizon: u32,
    pub alpha: f64,
    /// The badness of windows without a rise.
    pub usual: f64,
    /// How requests of one window share their fate.
    pub clustering: f64,
    /// The requests of a full window, where requests are counted.
    pub full: Option<f64>,
    /// What it is compared with, where it is.
    pub control: Option<Beside>,
}

/// A control beside a signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beside {
    /// How many times the control's share of failures is tolerated.
    pub ratio: f64,
    /// The control's share of failures.
    pub usual: f64,
}

/// What would have been caught.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Power {
    /// The smallest rise of those tried that would have been caught with a probability of 95 %; `None` when not even a
    /// rise to all would have been.
    pub caught: Option<f64>,
}

impl Power {
    /// What the rule would have caught in these windows. A run asks this several times of the same windows, and many runs of
    /// the same experiment ask it of windows that are alike, so the last answers are kept.
    pub fn of(stakes: &Stakes, volumes: &[Volume]) -> Power {
        thread_local! {
            static LAST: RefCell<VecDeque<(Stakes, Vec<Volume>, Power)>> = const { RefCell::new(VecDeque::new()) };
        }
        let known = LAST.with_borrow(|last| {
            let mut last = last.iter();
            last.find(|(of, over, _)| of == stakes && over == volumes).map(|(_, _, power)| *power)
        });
        known.unwrap_or_else(|| {
            let power = Power::simulated(stakes, volumes);
            LAST.with_borrow_mut(|last| {
                last.truncate(KEPT - 1);
                last.push_front((*stakes, volumes.to_vec(), power));
            });
            power
        })
    }

    fn simulated(stakes: &Stakes, volumes: &[Volume]) -> Power {
        let tolerated = stakes.control.map_or(stakes.tolerated, |beside| beside.ratio * beside.usual);
        let candidates: Vec<f64> = RISES.into_iter().filter(|rise| *rise > tolerated).collect();
        // A greater rise is caught more surely.
        let first = candidates.partition_point(|rise| !stakes.catches(*rise, volumes));
        Power { caught: candidates.get(first).copied() }
    }

    /// What one look at so many requests or windows rules out, which fails from `fails_from` bad ones on: the smallest rise
    /// that would have passed it with a probability of 5 % at most.
    pub fn of_look(tolerated: f64, fails_from: u64, of: u64) -> Power {
        let passes = |rise: f64| binomial_at_most(fails_from.saturating_sub(1), of, rise);
        let rules_out = |rise: &f64| *rise > tolerated && passes(*rise) <= 1.0 - SURE;
        Power { caught: RISES.into_iter().find(rules_out).filter(|_| of >= fails_from) }
    }

    /// Whether that is enough, when a rise to `wanted` had to be caught.
    pub fn is_enough(&self, wanted: f64) -> bool {
        self.caught.is_some_and(|caught| caught <= wanted * (1.0 + 1e-9))
    }
}

/// In how many of so many simulated runs a rise must be caught, so that it is caught with a probability of [`SURE`].
fn enough_of(runs: u32) -> u32 {
    // Nearly every question is about this many.
    static OF_ALL: OnceLock<u32> = OnceLock::new();
    let search = || {
        let (mut too_few, mut enough) = (0, runs + 1);
        while too_few + 1 < enough {
            let middle = (too_few + enough) / 2;
            match share_lower(f64::from(middle), f64::from(runs), 0.01) >= SURE {
                true => enough = middle,
                false => too_few = middle,
            }
        }
        enough
    };
    if runs == RUNS { *OF_ALL.get_or_init(search) } else { search() }
}

impl Stakes {
    /// Whether a rise to this badness in the windows with the fault would be caught with a probability of [`SURE`].
    pub fn catches(&self, rise: f64, volumes: &[Volume]) -> bool {
        let runs = u32::try_from(WINDOWS / volumes.len().max(1)).unwrap_or(RUNS).clamp(FEWEST_RUNS, RUNS);
        let enough = enough_of(runs);
        enough <= runs && self.caught_in(enough, rise, volumes, runs)
    }

    /// Whether such a rise is caught in `enough` of so many runs. It ends as soon as that is clear.
    fn caught_in(&self, enough: u32, rise: f64, volumes: &[Volume], runs: u32) -> bool {
        let size = |of: u64| of.min(MOST_REQUESTS) as u32;
        let mut tables: BTreeMap<(u32, Arm), Counts> = BTreeMap::new();
        let sizes: Vec<Option<[(u32, Arm); 2]>> = volumes
            .iter()
            .map(|volume| {
                let arm = if volume.with_fault { Arm::Faulty } else { Arm::Calm };
                Some([(size(volume.of?), arm), (size(volume.control), Arm::Control)])
            })
            .collect();
        for &(of, arm) in sizes.iter().flatten().flatten() {
            let badness = match arm {
                Arm::Faulty => rise,
                Arm::Calm => self.usual.min(self.control.map_or(self.tolerated, |beside| beside.ratio * beside.usual)),
                Arm::Control => self.control.map_or(0.0, |beside| beside.usual),
            };
            let clustering = if of > 1 { self.clustering } else { 0.0 };
            tables.entry((of, arm)).or_insert_with(|| Counts::new(of, badness.clamp(0.0, 1.0), clustering));
        }
        let windows: Vec<Option<Drawn<'_>>> = sizes
            .iter()
            .map(|window| {
                let [own, control] = window.as_ref()?;
                Some(Drawn { own: (tables.get(own)?, own.0), control: (tables.get(control)?, control.0) })
            })
            .collect();
        let weights: Vec<f64> = volumes.iter().map(|volume| self.weight(volume)).collect();
        let mut stream = Stream::numbered(0);
        let catches = |stream: &mut Stream| {
            let mut wager = Wager::over(self.horizon);
            windows.iter().zip(&weights).any(|(window, weight)| {
                let badness = window.as_ref().and_then(|window| window.badness(self, stream));
                wager.observe(badness.map(|badness| Badness { weight: *weight, ..badness })) * self.alpha >= 1.0
            })
        };
        let (mut caught, mut missed) = (0, 0);
        while caught < enough && missed <= runs - enough {
            match catches(&mut stream) {
                true => caught += 1,
                false => missed += 1,
            }
        }
        caught >= enough
    }

    /// How much of a full window it is; beside a control every window counts alike.
    fn weight(&self, volume: &Volume) -> f64 {
        match (self.full.filter(|_| self.control.is_none()), volume.of) {
            (Some(full), Some(of)) => (of as f64 / full).min(1.0),
            _ => 1.0,
        }
    }
}

/// Whose requests are drawn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Arm {
    Calm,
    Faulty,
    Control,
}

/// The requests of one window, to be drawn: the signal's own and its control's, with their numbers.
struct Drawn<'a> {
    own: (&'a Counts, u32),
    control: (&'a Counts, u32),
}

impl Drawn<'_> {
    fn badness(&self, stakes: &Stakes, stream: &mut Stream) -> Option<Badness> {
        let (counts, of) = self.own;
        let failed = counts.draw(stream);
        let Some(beside) = stakes.control else {
            return Some(Badness::full(f64::from(failed) / f64::from(of.max(1)), stakes.tolerated));
        };
        let (counts, control_of) = self.control;
        let arms = Arms {
            treated_failed: failed.into(),
            treated_requests: of.into(),
            control_failed: counts.draw(stream).into(),
            control_requests: control_of.into(),
        };
        arms.badness(beside.ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stakes(tolerated: f64) -> Stakes {
        Stakes { tolerated, horizon: 60, alpha: 0.01, usual: 0.0, clustering: 0.0, full: None, control: None }
    }

    fn hour(of: u64, fault_from: usize) -> Vec<Volume> {
        (0..60).map(|window| Volume { of: Some(of), with_fault: window >= fault_from, control: 0 }).collect()
    }

    #[test]
    fn more_requests_show_smaller_rises() {
        let caught = |of| Power::of(&stakes(0.01), &hour(of, 0)).caught.unwrap();
        assert!(caught(10) > caught(60) && caught(60) >= caught(600), "{} {} {}", caught(10), caught(60), caught(600));
        // Published: at 60 a minute 95 % of the runs find 5 % within nine windows, and at 10 a minute within 42.
        assert!(stakes(0.01).catches(0.05, &hour(60, 0)[..10]));
        assert!(!stakes(0.01).catches(0.05, &hour(60, 0)[..7]));
        assert!(!stakes(0.01).catches(0.05, &hour(10, 0)[..30]));
        // Whole windows over a level, with one in twenty tolerated.
        assert!(stakes(0.05).catches(1.0, &hour(1, 0)[..3]));
        assert!(!stakes(0.05).catches(1.0, &hour(1, 0)[..2]));
    }

    #[test]
    fn without_data_nothing_is_caught() {
        let blind = vec![Volume { of: None, with_fault: true, control: 0 }; 60];
        assert_eq!(Power::of(&stakes(0.01), &blind), Power { caught: None });
        assert!(!Power { caught: None }.is_enough(1.0));
        assert_eq!(Power::of(&stakes(0.01), &[]), Power { caught: None });
        // A window with zero requests is one without a failure.
        assert_eq!(Power::of(&stakes(0.01), &hour(0, 0)), Power { caught: None });
    }

    #[test]
    fn what_clusters_is_harder_to_see() {
        let clustered = Stakes { clustering: 0.3, ..stakes(0.01) };
        let volumes = &hour(60, 0)[..20];
        let (alone, together) = (Power::of(&stakes(0.01), volumes), Power::of(&clustered, volumes));
        assert!(alone.caught < together.caught, "{alone:?} {together:?}");
    }

    #[test]
    fn one_look_rules_out_what_it_can() {
        // Of five windows one may be outside: a level that is in two of three is caught 95 times in 100.
        assert_eq!(Power::of_look(0.05, 2, 5).caught, Some(0.7));
        // 1,500 requests, of which the 21st failure is too much.
        assert_eq!(Power::of_look(0.01, 21, 1500).caught, Some(0.02));
        assert_eq!(Power::of_look(0.01, 1, 0).caught, None);
        assert!(Power { caught: Some(0.05) }.is_enough(0.05));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12 * crate::effort::effort()))]
        #[test]
        fn a_statement_is_the_same_each_time(of in 1_u64..100, clustering in 0.0..0.2_f64, windows in 1_usize..40) {
            let stakes = Stakes { clustering, ..stakes(0.02) };
            let volumes = &hour(of, 0)[..windows];
            prop_assert_eq!(Power::of(&stakes, volumes), Power::of(&stakes, volumes));
        }
    }
}
