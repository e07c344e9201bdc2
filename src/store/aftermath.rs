//! What came after a closed run: later rollbacks, and people who took care of what it left. Each has a journal of its own; the
//! run's own is never changed.

use std::collections::BTreeMap;

use super::{JournalKind, LookAgain, RunRow};
use crate::account::Resource;
use crate::ids::RunId;
use crate::run::event::Left;

/// A run with all that came after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aftermath {
    /// Its own row; none where its journal is not here, and only rollbacks from locks are.
    pub run: Option<RunRow>,
    /// Oldest first.
    pub rollbacks: Vec<RunRow>,
    /// Oldest first.
    pub acknowledgements: Vec<RunRow>,
    /// What is left now: of the run, of the latest rollback of each resource, without what was acknowledged.
    pub left: Vec<Left>,
    /// The newest closed journal that knows what was done to each of these resources.
    pub known_from: BTreeMap<Resource, RunId>,
    /// Journals with a write that had no answer, and what to look at once more; none that a later rollback looked at in time.
    pub look_again: Vec<(RunId, LookAgain)>,
}

impl Aftermath {
    /// Of each run, newest first, as the store lists them.
    pub fn of_all(rows: &[RunRow]) -> Vec<Aftermath> {
        let mut order: Vec<&RunId> = Vec::new();
        for row in rows {
            if !order.contains(&row.origin()) {
                order.push(row.origin());
            }
        }
        order.into_iter().map(|run| Aftermath::of(rows, run)).collect()
    }

    /// Of one run.
    pub fn of(rows: &[RunRow], run: &RunId) -> Aftermath {
        let mut aftermath = Aftermath::default();
        for row in rows.iter().rev().filter(|row| row.origin() == run) {
            match &row.kind {
                JournalKind::Run => aftermath.begin(row),
                JournalKind::Rollback { covers, .. } => {
                    if row.is_closed() {
                        aftermath.left.retain(|left| !covers.contains(&left.resource));
                        aftermath.left.extend(row.left.iter().cloned());
                        aftermath.known_from.extend(covers.iter().map(|resource| (resource.clone(), row.run.clone())));
                        let looked = |again: &LookAgain| {
                            again.resources.is_subset(covers)
                                && row.started.is_some_and(|started| started >= again.from)
                        };
                        aftermath.look_again.retain(|(_, again)| !looked(again));
                        aftermath.look_again.extend(row.look_again.clone().map(|again| (row.run.clone(), again)));
                    }
                    aftermath.rollbacks.push(row.clone());
                }
                JournalKind::Acknowledgement { left: acknowledged, .. } => {
                    aftermath.left.retain(|left| !acknowledged.contains(left));
                    aftermath.acknowledgements.push(row.clone());
                }
            }
        }
        aftermath
    }

    fn begin(&mut self, row: &RunRow) {
        self.left.clone_from(&row.left);
        self.known_from = row.left.iter().map(|left| (left.resource.clone(), row.run.clone())).collect();
        self.look_again = row.look_again.clone().map(|again| (row.run.clone(), again)).into_iter().collect();
        self.run = Some(row.clone());
    }

    /// The run that it is about.
    pub fn origin(&self) -> Option<&RunId> {
        let first = || self.rollbacks.first().or(self.acknowledgements.first());
        self.run.as_ref().or_else(first).map(RunRow::origin)
    }

    /// Journals of it that have no last event: of the run, or of a later rollback.
    pub fn open(&self) -> impl Iterator<Item = &RunRow> {
        self.run.iter().chain(&self.rollbacks).filter(|row| !row.is_closed())
    }

    /// The name of its next rollback's journal.
    pub fn next_rollback(rows: &[RunRow], run: &RunId) -> RunId {
        let is_one = |row: &&RunRow| row.origin() == run && matches!(row.kind, JournalKind::Rollback { .. });
        free(rows, run, "rollback", rows.iter().filter(is_one).count())
    }

    /// The name of its next acknowledgement's journal.
    pub fn next_acknowledgement(rows: &[RunRow], run: &RunId) -> RunId {
        let is_one = |row: &&RunRow| row.origin() == run && matches!(row.kind, JournalKind::Acknowledgement { .. });
        free(rows, run, "acknowledged", rows.iter().filter(is_one).count())
    }
}

/// A name that no journal has. One that was made and got no event yet is taken, too.
fn free(rows: &[RunRow], run: &RunId, what: &str, known: usize) -> RunId {
    let taken = |name: &RunId| rows.iter().any(|row| row.run == *name);
    let mut number = known + 1;
    loop {
        let name = RunId(format!("{run}-{what}-{number}"));
        if !taken(&name) {
            return name;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::account::{Location, ResourceKind};
    use crate::judge::verdict::Verdict;
    use crate::store::Epoch;
    use crate::units::Time;

    fn queue(name: &str) -> Resource {
        Resource::new(&Location::sandbox(), ResourceKind::Queue, name)
    }

    fn left(name: &str, what: &str) -> Left {
        Left { resource: queue(name), what: what.into(), remedy: String::new() }
    }

    fn row(run: &str, kind: JournalKind, left: Vec<Left>) -> RunRow {
        let row = RunRow::empty(RunId(run.into()), "ana".into(), Epoch(1), false);
        RunRow { kind, left, verdict: Some(Verdict::held()), ..row }
    }

    /// A write without an answer may still take effect: only a look at its resource, late enough, settles it.
    #[test]
    fn a_reminder_stays_until_its_resources_were_looked_at_late_enough() {
        let of = RunId("run-1".into());
        let at = |text: &str| text.parse::<Time>().unwrap();
        let from = at("2026-03-02T10:00:00Z");
        let again = LookAgain { resources: BTreeSet::from([queue("b")]), from };
        let run = RunRow { look_again: Some(again), ..row("run-1", JournalKind::Run, vec![left("a", "theirs")]) };
        let reminders = |covers: &[&str], started: &str| {
            let covers = covers.iter().map(|name| queue(name)).collect();
            let kind = JournalKind::Rollback { of: of.clone(), covers };
            let rollback = RunRow { started: Some(at(started)), ..row("run-1-rollback-1", kind, vec![]) };
            Aftermath::of(&[rollback, run.clone()], &of).look_again.len()
        };
        assert_eq!(reminders(&["a"], "2026-03-02T11:00:00Z"), 1, "it looked at something else");
        assert_eq!(reminders(&["a", "b"], "2026-03-02T09:59:00Z"), 1, "it looked too early");
        assert_eq!(reminders(&["a", "b"], "2026-03-02T10:00:00Z"), 0);
    }

    #[test]
    fn a_rollback_speaks_for_what_it_looked_at_and_an_acknowledgement_for_what_it_names() {
        let of = RunId("run-1".into());
        let rollback = |covers: &[&str]| JournalKind::Rollback {
            of: of.clone(),
            covers: covers.iter().map(|name| queue(name)).collect::<BTreeSet<_>>(),
        };
        let acknowledged =
            |left| JournalKind::Acknowledgement { of: of.clone(), by: "bo".into(), reason: "x".into(), left };
        let mut rows = vec![row("run-1", JournalKind::Run, vec![left("a", "theirs"), left("b", "theirs")])];
        assert_eq!(Aftermath::of(&rows, &of).left.len(), 2);
        rows.insert(0, row("run-1-rollback-1", rollback(&["a"]), vec![left("a", "still theirs")]));
        let after = Aftermath::of(&rows, &of);
        assert_eq!(after.left, [left("b", "theirs"), left("a", "still theirs")]);
        assert_eq!(after.known_from[&queue("a")].0, "run-1-rollback-1");
        assert_eq!(Aftermath::next_rollback(&rows, &of).0, "run-1-rollback-2");
        // What is acknowledged is what was seen, and not whatever is found there later.
        rows.insert(
            0,
            row("run-1-acknowledged-1", acknowledged(vec![left("a", "theirs"), left("b", "theirs")]), vec![]),
        );
        assert_eq!(Aftermath::of(&rows, &of).left, [left("a", "still theirs")]);
        rows.insert(0, row("run-1-acknowledged-2", acknowledged(vec![left("a", "still theirs")]), vec![]));
        let after = Aftermath::of_all(&rows);
        assert_eq!((after.len(), after[0].left.len(), after[0].acknowledgements.len()), (1, 0, 2));
    }
}
