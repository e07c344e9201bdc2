//! The breaking point: at which value of something an experiment stops holding.
//!
//! First a coarse look at the whole range, so that more than one crossing is seen; then each crossing is halved until it is
//! narrow, or the noise is in the way. Every point is run with the same seeds, and only until it is clear on which side of
//! the level its probability is ([`sequential`](super::sequential)). A point that holds in all of its first runs is taken to be
//! above for as long as it is next to no crossing; the ends of a crossing are always sure.

use std::ops::Range;

use super::NotPredicted;
use super::outcome::{Outcome, first_limits};
use super::prediction::Verdicts;
use super::sequential::{Side, side};
use super::share::Counted;
use super::show;
use super::vary::Vary;
use crate::judge::verdict::VerdictKind;
use crate::units::Share;

/// So many points are looked at first, the ends included.
const COARSE: usize = 9;
/// A crossing narrower than this part of the range is narrow enough.
const NARROW: f64 = 0.008;
/// So often a crossing is halved at the most.
const HALVINGS: usize = 8;

/// Where the experiment is run at some values.
pub trait Bench {
    /// The outcomes of some seeds at these values, one for each thing that is varied. Fewer than asked for: there is no
    /// time left.
    ///
    /// # Errors
    /// It cannot be planned or modelled there.
    fn runs(&self, values: &[f64], seeds: Range<u64>) -> Result<Vec<Outcome>, NotPredicted>;

    /// Whether to end with what is known.
    fn enough(&self) -> bool;
}

/// How hard is looked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    pub level: Share,
    pub seed: u64,
    /// The most runs of one point.
    pub runs: usize,
    /// How many runs are made before a point is looked at again.
    pub batch: usize,
}

/// The probability of holding at one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Where in the range, 0 to 1.
    pub part: f64,
    pub values: Vec<f64>,
    pub verdicts: Verdicts,
    pub side: Side,
    /// It held in all of its few runs, and was looked at no closer: it is next to no crossing.
    pub seems_above: bool,
    /// Why there is no plan at this value, where there is none.
    pub refused: Option<String>,
    /// What ran out first, and which signals broke, in most runs.
    pub why: Vec<String>,
}

/// Where the probability crosses the level: somewhere between two values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crossing {
    pub from: f64,
    pub to: f64,
    /// The straight line between the points around it.
    pub about: f64,
    /// Whether it holds below and not above.
    pub falls: bool,
}

/// What was found over one range.
#[derive(Clone, Debug, PartialEq)]
pub struct Margin {
    pub vary: Vary,
    pub effort: Effort,
    /// In rising order of their values.
    pub points: Vec<Point>,
    pub crossings: Vec<Crossing>,
    /// It was ended before the crossings were narrow.
    pub cut_short: bool,
}

/// Looks for the breaking point. `heard` is told each point as it is known, and again when it was looked at more closely.
///
/// # Errors
/// The application cannot be modelled, or the experiment cannot be planned at any value.
pub fn search(
    vary: &Vary,
    effort: Effort,
    bench: &dyn Bench,
    heard: &mut dyn FnMut(&Point),
) -> Result<Margin, NotPredicted> {
    let mut search = Search { vary, effort, bench, points: Vec::new(), heard };
    for step in 0..COARSE {
        search.look(step as f64 / (COARSE - 1) as f64)?;
    }
    let mut halvings = 0;
    loop {
        while let Some(part) = search.next_part().filter(|_| !bench.enough() && halvings < HALVINGS * MOST_CROSSINGS) {
            search.look(part)?;
            halvings += 1;
        }
        // A point that moves a crossing when it is looked at closely makes another gap to halve.
        if bench.enough() || !search.confirm()? {
            break;
        }
    }
    let cut_short = bench.enough();
    let crossings = search.crossings();
    let points = search.points.into_iter().map(|looked| looked.point).collect();
    Ok(Margin { vary: vary.clone(), effort, crossings, points, cut_short })
}

/// More crossings than this are noise, or a range that needs another picture.
const MOST_CROSSINGS: usize = 3;
/// A point whose first runs all hold seems to be above the level: at the level itself so few as this part of the points do.
/// Only those next to a crossing are run until it is sure, which takes four times as many.
const SEEMS: f64 = 0.3;

/// How many runs in a row must hold, so that a point seems to be above a level: 24 at 95 %.
fn first_look(level: f64) -> usize {
    (SEEMS.ln() / level.ln()).ceil().max(4.0) as usize
}

struct Search<'a> {
    vary: &'a Vary,
    effort: Effort,
    bench: &'a dyn Bench,
    points: Vec<Looked>,
    heard: &'a mut dyn FnMut(&Point),
}

/// A point, and its runs.
struct Looked {
    point: Point,
    outcomes: Vec<Outcome>,
}

impl Looked {
    /// On which side it seems to be.
    fn seems(&self) -> Side {
        if self.point.seems_above { Side::Above } else { self.point.side }
    }
}

impl Search<'_> {
    /// Measures a point, unless its value is known.
    fn look(&mut self, part: f64) -> Result<(), NotPredicted> {
        let value = self.vary.at(part);
        if self.bench.enough() || self.points.iter().any(|looked| looked.point.values == [value]) {
            return Ok(());
        }
        let mut outcomes = Vec::new();
        let point = measure(part, vec![value], &mut outcomes, Until::Seems, self.effort, self.bench)?;
        if let Some(point) = point {
            (self.heard)(&point);
            self.points.push(Looked { point, outcomes });
            self.points.sort_by(|a, b| a.point.part.total_cmp(&b.point.part));
        }
        Ok(())
    }

    /// Looks closely at a point next to a crossing, or where there is none at one of all, that only seems to hold. Gives
    /// whether there was one.
    fn confirm(&mut self) -> Result<bool, NotPredicted> {
        let brackets = self.brackets();
        let ends = brackets.into_iter().take(MOST_CROSSINGS).flat_map(|(from, to)| [from, to]);
        let mut wanted: Vec<usize> = ends.collect();
        if wanted.is_empty() {
            wanted = (0..self.points.len()).collect();
        }
        let Some(index) = wanted.into_iter().find(|index| self.points[*index].point.seems_above) else {
            return Ok(false);
        };
        let Looked { point, mut outcomes } = self.points.remove(index);
        let measured = measure(point.part, point.values.clone(), &mut outcomes, Until::Sure, self.effort, self.bench)?;
        let point = measured.unwrap_or(point);
        (self.heard)(&point);
        self.points.insert(index, Looked { point, outcomes });
        Ok(true)
    }

    /// The points around each change of side: the last one before it and the first one after it that seem decided.
    fn brackets(&self) -> Vec<(usize, usize)> {
        self.changes(Looked::seems)
    }

    fn changes(&self, side: impl Fn(&Looked) -> Side) -> Vec<(usize, usize)> {
        let sides: Vec<Side> = self.points.iter().map(side).collect();
        let decided: Vec<usize> = (0..sides.len()).filter(|index| sides[*index] != Side::Open).collect();
        let pairs = decided.windows(2).map(|pair| (pair[0], pair[1]));
        pairs.filter(|(from, to)| sides[*from] != sides[*to]).collect()
    }

    /// The middle of the widest gap in a crossing that is not narrow yet.
    fn next_part(&self) -> Option<f64> {
        let mut widest: Option<(f64, f64)> = None;
        for (from, to) in self.brackets().into_iter().take(MOST_CROSSINGS) {
            // Between open points nothing is learnt; next to the decided ones the crossing gets narrower.
            for gap in [(from, from + 1), (to - 1, to)] {
                let (low, high) = (self.points[gap.0].point.part, self.points[gap.1].point.part);
                let middle = (low + high) / 2.0;
                let known = |part: f64| self.points.iter().any(|looked| looked.point.values == [self.vary.at(part)]);
                if high - low > NARROW && !known(middle) && widest.is_none_or(|(width, _)| high - low > width) {
                    widest = Some((high - low, middle));
                }
            }
        }
        widest.map(|(_, middle)| middle)
    }

    /// The crossings between points whose side is sure.
    fn crossings(&self) -> Vec<Crossing> {
        let crossing = |(from, to): (usize, usize)| {
            let (low, high) = (&self.points[from].point, &self.points[to].point);
            Crossing {
                from: low.values[0],
                to: high.values[0],
                about: self.about(from, to),
                falls: low.side == Side::Above,
            }
        };
        self.changes(|looked| looked.point.side).into_iter().map(crossing).collect()
    }

    /// Where the straight line between the two points around the level meets it.
    fn about(&self, from: usize, to: usize) -> f64 {
        let level = self.effort.level.get();
        let share = |index: usize| self.points[index].point.verdicts.held.share();
        let around = (from..to).find(|index| (share(*index) >= level) != (share(index + 1) >= level));
        let (a, b) = around.map_or((from, to), |index| (index, index + 1));
        let (at, next) = (&self.points[a].point, &self.points[b].point);
        let slope = share(b) - share(a);
        let part = if slope == 0.0 { 0.5 } else { ((level - share(a)) / slope).clamp(0.0, 1.0) };
        self.vary.at(at.part + (next.part - at.part) * part)
    }
}

/// How long a point is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Until its side is sure, or seems to be above.
    Seems,
    /// Until its side is sure.
    Sure,
}

/// Runs a point until its side is clear, beyond the runs that it has. `None`: the time was over before a run ended.
fn measure(
    part: f64,
    values: Vec<f64>,
    outcomes: &mut Vec<Outcome>,
    until: Until,
    effort: Effort,
    bench: &dyn Bench,
) -> Result<Option<Point>, NotPredicted> {
    let level = effort.level.get();
    loop {
        let held = Verdicts::of(outcomes, |run| run.verdict.kind).held;
        if side(held, level) != Side::Open
            || (until == Until::Seems && seems_above(held, level))
            || outcomes.len() >= effort.runs
            || bench.enough()
        {
            break;
        }
        let from = effort.seed + outcomes.len() as u64;
        let batch = effort.batch.min(effort.runs - outcomes.len()) as u64;
        match bench.runs(&values, from..from + batch) {
            Ok(more) if more.is_empty() => break,
            Ok(more) => outcomes.extend(more),
            Err(NotPredicted::NoPlan(objections)) => {
                let why = objections.first().map_or_else(String::new, |objection| objection.refusal.what.clone());
                let none = Verdicts::of(&[], |(): &()| VerdictKind::Unknown);
                let (verdicts, side) = (none, Side::Open);
                let (refused, why) = (Some(why), Vec::new());
                return Ok(Some(Point { part, values, verdicts, side, seems_above: false, refused, why }));
            }
            Err(error) => return Err(error),
        }
    }
    if outcomes.is_empty() {
        return Ok(None);
    }
    let verdicts = Verdicts::of(outcomes, |run| run.verdict.kind);
    let side = side(verdicts.held, level);
    let seems_above = side == Side::Open && until == Until::Seems && seems_above(verdicts.held, level);
    Ok(Some(Point { part, values, verdicts, side, seems_above, refused: None, why: why(outcomes) }))
}

fn seems_above(held: Counted, level: f64) -> bool {
    held.hits == held.of && held.of >= first_look(level)
}

/// What ran out first, and what the verdicts that did not hold say.
fn why(outcomes: &[Outcome]) -> Vec<String> {
    let mut why = Vec::new();
    if let Some((reached, runs)) = first_limits(outcomes).first() {
        why.push(show::ran_out(reached, Counted { hits: *runs, of: outcomes.len() }));
    }
    for kind in [VerdictKind::Broken, VerdictKind::Unknown] {
        if let Some(run) = outcomes.iter().find(|run| run.verdict.kind == kind) {
            let reasons = run.verdict.reasons.iter().cloned().collect::<Vec<_>>().join("; ");
            why.push(format!("seed {} is {kind}: {reasons}", run.seed));
        }
    }
    why
}

/// What was found over two ranges.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    pub across: Vary,
    pub down: Vary,
    pub effort: Effort,
    /// A row for each value of `down`, with a point for each value of `across`; shorter where the time was over.
    pub rows: Vec<Vec<Point>>,
}

/// A map has so many points to a side.
pub const MAP_SIDE: usize = 7;

/// Measures a map of two things that vary.
///
/// # Errors
/// The application cannot be modelled.
pub fn map(
    (across, down): (&Vary, &Vary),
    effort: Effort,
    bench: &dyn Bench,
    heard: &mut dyn FnMut(&Point),
) -> Result<Map, NotPredicted> {
    let values = |vary: &Vary| {
        let mut values: Vec<f64> = (0..MAP_SIDE).map(|step| vary.at(step as f64 / (MAP_SIDE - 1) as f64)).collect();
        values.dedup();
        values
    };
    let mut rows = Vec::new();
    for low in values(down) {
        let mut row = Vec::new();
        for value in values(across) {
            let mut outcomes = Vec::new();
            if let Some(point) = measure(0.0, vec![value, low], &mut outcomes, Until::Sure, effort, bench)? {
                heard(&point);
                row.push(point);
            }
        }
        rows.push(row);
    }
    Ok(Map { across: across.clone(), down: down.clone(), effort, rows })
}

impl Margin {
    /// The first point beyond the first crossing: it says why.
    pub fn beyond(&self) -> Option<&Point> {
        let wanted = match self.crossings.first() {
            Some(crossing) if crossing.falls => self.points.iter().find(|point| point.values[0] >= crossing.to),
            Some(crossing) => self.points.iter().rfind(|point| point.values[0] <= crossing.from),
            None => self.points.iter().find(|point| point.side == Side::Below),
        };
        wanted.filter(|point| point.refused.is_none())
    }

    /// How many runs it took.
    pub fn runs(&self) -> usize {
        self.points.iter().map(|point| point.verdicts.runs()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::verdict::Verdict;
    use std::collections::BTreeSet;

    /// Holds with a probability that depends on the value; each seed has its own luck, the same at every value.
    struct Coin<F: Fn(f64) -> f64>(F, usize);

    impl<F: Fn(f64) -> f64> Bench for Coin<F> {
        fn runs(&self, values: &[f64], seeds: Range<u64>) -> Result<Vec<Outcome>, NotPredicted> {
            let outcome = |seed: u64| {
                let mut state = seed.wrapping_add(self.1 as u64 * 7_919).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                state ^= state >> 31;
                state = state.wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let luck = (state >> 11) as f64 / (1_u64 << 53) as f64;
                let held = luck < self.0(values[0]);
                let kind = if held { VerdictKind::Held } else { VerdictKind::Broken };
                let verdict = Verdict { kind, reasons: BTreeSet::new() };
                Outcome {
                    seed,
                    verdict,
                    signals: Vec::new(),
                    effect: None,
                    detected: None,
                    recovered: None,
                    backlog: None,
                    dead_lettered: 0,
                    lost: 0,
                    usage: Default::default(),
                    limits: Vec::new(),
                }
            };
            Ok(seeds.map(outcome).collect())
        }

        fn enough(&self) -> bool {
            false
        }
    }

    const EFFORT: Effort = Effort { level: Share::percent(95), seed: 1, runs: 300, batch: 8 };

    fn found(range: &str, bench: &dyn Bench) -> Margin {
        search(&range.parse().unwrap(), EFFORT, bench, &mut |_| {}).unwrap()
    }

    #[test]
    fn a_sharp_edge_is_found_exactly() {
        let margin = found("x=0..100", &Coin(|value| if value < 62.5 { 1.0 } else { 0.0 }, 0));
        let [crossing] = margin.crossings.as_slice() else { panic!("{margin:?}") };
        assert_eq!((crossing.from, crossing.to, crossing.falls), (62.0, 63.0, true));
        assert_eq!(margin.beyond().unwrap().values, [63.0]);
    }

    #[test]
    fn the_interval_holds_the_truth() {
        // 1 / (1 + e^(x - 55)) is 95 % at 55 - ln 19.
        let truth = 55.0 - 19.0_f64.ln();
        let holds = |round: usize| {
            let margin = found("x=10.5..90.5", &Coin(|value| 1.0 / (1.0 + (value - 55.0).exp()), round));
            margin.crossings.iter().any(|crossing| (crossing.from..=crossing.to).contains(&truth))
        };
        let held = (0..60).filter(|round| holds(*round)).count();
        assert!(held >= 54, "{held} of 60");
    }

    #[test]
    fn two_crossings_are_told_and_none_is_said_to_be_none() {
        let island = found("x=0..100", &Coin(|value| if (30.0..70.0).contains(&value) { 1.0 } else { 0.0 }, 0));
        assert_eq!(island.crossings.len(), 2);
        assert!(!island.crossings[0].falls && island.crossings[1].falls);
        assert_eq!(found("x=0..100", &Coin(|_| 1.0, 0)).crossings, []);
    }
}
