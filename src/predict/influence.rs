//! Which figures decide: how much the verdict depends on each, among runs whose figures were drawn.

use super::figures::{Figure, Figures};
use super::outcome::Outcome;
use super::share::Counted;
use crate::judge::special::student_exceeds;
use crate::judge::verdict::VerdictKind;
use crate::template::app::App;
use crate::units::Share;

/// A dependence is told when it would come by chance once in so many predictions, all figures together.
const ONCE_IN: f64 = 20.0;

/// A figure on which the verdict depends.
#[derive(Clone, Debug, PartialEq)]
pub struct Influence {
    pub figure: Figure,
    /// How often the experiment held in the third of the runs with the lowest values of the figure, and with the highest.
    pub lowest: Counted,
    pub highest: Counted,
}

/// The figures that decide, the one that matters most first. `held` of a run against the drawn factor: the correlation,
/// tested by Student's t, with Bonferroni's correction for the number of figures.
pub fn deciding(app: &App, uncertainty: Share, changed: &[Outcome]) -> Vec<Influence> {
    let figures = super::figures::all(app);
    let limit = 1.0 / ONCE_IN / figures.len().max(1) as f64;
    let mut found: Vec<(f64, Influence)> = figures
        .into_iter()
        .filter_map(|figure| {
            let mut seen: Vec<(f64, bool)> = changed
                .iter()
                .map(|run| {
                    let factor = Figures::drawn(uncertainty, run.seed).factor(&figure);
                    (factor, run.verdict.kind == VerdictKind::Held)
                })
                .collect();
            let correlation = correlation(&seen)?;
            if by_chance(correlation, seen.len()) > limit {
                return None;
            }
            seen.sort_by(|a, b| a.0.total_cmp(&b.0));
            let third = seen.len() / 3;
            let held = |runs: &[(f64, bool)]| Counted::among(runs, |(_, held)| *held);
            let (lowest, highest) = (held(&seen[..third]), held(&seen[seen.len() - third..]));
            Some((correlation.abs(), Influence { figure, lowest, highest }))
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().map(|(_, influence)| influence).collect()
}

/// Pearson's correlation of a number with a yes or no; nothing where one of them is always the same.
fn correlation(seen: &[(f64, bool)]) -> Option<f64> {
    let n = seen.len() as f64;
    let yes = |held: bool| if held { 1.0 } else { 0.0 };
    let mean = |of: &dyn Fn(&(f64, bool)) -> f64| seen.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(&|one| one.0), mean(&|one| yes(one.1)));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (factor, held) in seen {
        let (dx, dy) = (factor - x, yes(*held) - y);
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    (seen.len() > 2 && xx > 0.0 && yy > 0.0).then(|| xy / (xx * yy).sqrt())
}

/// How often a correlation as strong as this comes of nothing, on either side.
fn by_chance(correlation: f64, runs: usize) -> f64 {
    let freedom = runs as f64 - 2.0;
    let t = correlation.abs() * (freedom / (1.0 - correlation * correlation).max(1e-12)).sqrt();
    2.0 * student_exceeds(t, freedom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correlation_is_that_of_the_formula() {
        let seen = [(1.0, false), (2.0, false), (3.0, true), (4.0, true)];
        // scipy.stats.pearsonr([1, 2, 3, 4], [0, 0, 1, 1]) = 0.894427, p = 0.105573.
        let found = correlation(&seen).unwrap();
        assert!((found - 0.894_427).abs() < 1e-6);
        assert!((by_chance(found, 4) - 0.105_573).abs() < 1e-5);
        assert_eq!(correlation(&[(1.0, true), (2.0, true), (3.0, true)]), None);
    }
}
