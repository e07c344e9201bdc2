//! What a store need not keep: journals of runs that ended long ago and that nothing depends on any more.

use std::collections::{BTreeMap, BTreeSet};

use super::aftermath::Aftermath;
use super::{JournalKind, RunRow};
use crate::ids::RunId;
use crate::units::{Span, Time};

/// Nothing younger is removed: limits of a week count what is in the store.
pub const LEAST: Span = Span::from_mins(8 * 1_440);

/// Why an old run stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// It, or a later rollback of it, has not ended.
    NotEnded,
    /// Something that it left is neither rolled back nor acknowledged, or must be looked at once more.
    Outstanding,
    /// It is the newest run of its experiment.
    Newest,
    /// A hypothesis was last proven or broken by it.
    Proves,
}

impl Because {
    /// In a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Because::NotEnded => "it has not ended",
            Because::Outstanding => "what it left is outstanding",
            Because::Newest => "it is the newest run of its experiment",
            Because::Proves => "a hypothesis was last proven or broken by it",
        }
    }

    /// For programs.
    pub fn word(self) -> &'static str {
        match self {
            Because::NotEnded => "not_ended",
            Because::Outstanding => "outstanding",
            Because::Newest => "newest",
            Because::Proves => "proves",
        }
    }
}

/// Which of the runs that began before a time go, and which stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Journals to remove: runs with their later rollbacks and acknowledgements.
    pub remove: Vec<RunId>,
    /// Old runs that stay.
    pub stay: Vec<(RunId, Because)>,
}

/// Chooses among the rows of a store, newest first as it lists them. `proves`: the runs by which hypotheses were last proven or broken.
pub fn choose(rows: &[RunRow], before: Time, proves: &BTreeSet<RunId>) -> Choice {
    let mut choice = Choice::default();
    // By when they began: an imported journal is listed as it came.
    let mut last: BTreeMap<&str, Option<Time>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.kind == JournalKind::Run) {
        let known = last.entry(row.title.as_str()).or_default();
        *known = (*known).max(row.started);
    }
    for aftermath in Aftermath::of_all(rows) {
        let newest = aftermath.run.as_ref().is_some_and(|run| last.get(run.title.as_str()) == Some(&run.started));
        let journals = || aftermath.run.iter().chain(&aftermath.rollbacks).chain(&aftermath.acknowledgements);
        let Some(origin) = aftermath.origin() else { continue };
        if journals().any(|row| row.started.is_some_and(|started| started >= before)) {
            continue;
        }
        let because = if journals().any(|row| row.alive || !row.is_closed()) {
            Because::NotEnded
        } else if !aftermath.left.is_empty() || !aftermath.look_again.is_empty() {
            Because::Outstanding
        } else if newest {
            Because::Newest
        } else if proves.contains(origin) {
            Because::Proves
        } else {
            choice.remove.extend(journals().map(|row| row.run.clone()));
            continue;
        };
        choice.stay.push((origin.clone(), because));
    }
    choice
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Journals of runs, of later rollbacks and of acknowledgements.
    pub journals: usize,
    pub events: usize,
    /// Occurrences of schedules; the last one of each schedule stays.
    pub occurrences: usize,
    pub approvals: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Location, Resource, ResourceKind};
    use crate::judge::verdict::Verdict;
    use crate::run::event::Left;
    use crate::store::{Epoch, JournalKind};

    fn row(run: &str, title: &str, day: i64) -> RunRow {
        let started = Some(Time::from_micros(day * 86_400_000_000));
        let row = RunRow::empty(RunId(run.into()), "ana".into(), Epoch(1), false);
        RunRow { title: title.into(), started, verdict: Some(Verdict::held()), ..row }
    }

    fn left() -> Vec<Left> {
        let resource = Resource::new(&Location::sandbox(), ResourceKind::Queue, "orders");
        vec![Left { resource, what: "changed".into(), remedy: "look".into() }]
    }

    fn chosen(rows: &[RunRow], proves: &[&str]) -> (Vec<String>, Vec<String>) {
        let proves = proves.iter().map(|run| RunId((*run).into())).collect();
        let Choice { remove, stay } = choose(rows, Time::from_micros(10 * 86_400_000_000), &proves);
        let stay = stay.into_iter().map(|(run, because)| format!("{run} {}", because.word())).collect();
        (remove.into_iter().map(|run| run.0).collect(), stay)
    }

    #[test]
    fn what_something_depends_on_stays() {
        let of = |run: &str| RunId(run.into());
        let rollback = |run: &str, origin: &str, day| RunRow {
            kind: JournalKind::Rollback { of: of(origin), covers: BTreeSet::from([left()[0].resource.clone()]) },
            ..row(run, "", day)
        };
        let acknowledged = |run: &str, origin: &str, day| RunRow {
            kind: JournalKind::Acknowledgement {
                of: of(origin),
                by: "ana".into(),
                reason: "done".into(),
                left: left(),
            },
            verdict: None,
            ..row(run, "", day)
        };
        // Newest first.
        let rows = [
            row("young", "a", 10),
            rollback("f-rollback-1", "f", 11),
            acknowledged("e-acknowledged-1", "e", 5),
            rollback("d-rollback-1", "d", 5),
            RunRow { left: left(), ..row("f", "a", 4) },
            RunRow { left: left(), ..row("e", "a", 4) },
            RunRow { left: left(), ..row("d", "a", 4) },
            RunRow { left: left(), ..row("outstanding", "a", 4) },
            RunRow { verdict: None, ..row("open", "a", 3) },
            row("newest-of-b", "b", 2),
            row("old-of-b", "b", 1),
            row("proof", "b", 1),
        ];
        let (remove, stay) = chosen(&rows, &["proof"]);
        assert_eq!(remove, ["e", "e-acknowledged-1", "d", "d-rollback-1", "old-of-b"]);
        assert_eq!(stay, ["outstanding outstanding", "open not_ended", "newest-of-b newest", "proof proves"]);
    }

    #[test]
    fn a_run_that_a_process_holds_stays_whatever_its_journal_says() {
        let rows = [row("b", "a", 2), RunRow { alive: true, ..row("a", "a", 1) }];
        assert_eq!(chosen(&rows, &[]), (vec![], vec!["b newest".into(), "a not_ended".into()]));
    }
}
