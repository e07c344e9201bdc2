//! Why calls failed and messages died: a count for each reason and resource. There are only so many of both, so that the
//! counts stay small however long the sandbox runs.

use std::collections::BTreeMap;

use super::world::World;
use crate::account::ResourceKind;
pub use crate::account::reason::{GivenUp, Reached, Reason, Why};
use crate::units::Time;

#[derive(Clone, Copy, Debug)]
struct Tally {
    count: u64,
    first: Time,
    last: Time,
}

/// Every reason so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Reasons(BTreeMap<(ResourceKind, usize, Why), Tally>);

impl World {
    /// Counts a reason at a resource.
    pub(super) fn because(&mut self, kind: ResourceKind, index: usize, why: Why) {
        self.because_of(kind, index, why, 1);
    }

    /// Counts a reason that held so many times at once.
    pub(super) fn because_of(&mut self, kind: ResourceKind, index: usize, why: Why, times: u64) {
        if times == 0 {
            return;
        }
        let now = self.now;
        let fresh = Tally { count: 0, first: now, last: now };
        let tally = self.reasons.0.entry((kind, index, why)).or_insert(fresh);
        tally.count += times;
        tally.last = now;
    }

    /// Why calls failed and messages died since this world began: those that happened most first.
    pub fn reason_counts(&self) -> Vec<Reason> {
        let reason = |(&(kind, index, why), tally): (&(ResourceKind, usize, Why), &Tally)| {
            let names = match kind {
                ResourceKind::Queue => self.model.queues.names(),
                ResourceKind::Api => self.model.apis.names(),
                _ => self.model.functions.names(),
            };
            let name = names.get(index).cloned().unwrap_or_default();
            Reason { kind, name, why, count: tally.count, first: tally.first, last: tally.last }
        };
        let mut reasons: Vec<Reason> = self.reasons.0.iter().map(reason).collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        reasons
    }

    /// How often something happened for a reason at the resource of this name.
    #[cfg(test)]
    pub(super) fn count_of(&self, name: &str, why: Why) -> u64 {
        self.reason_counts().iter().filter(|reason| reason.name == name && reason.why == why).map(|r| r.count).sum()
    }
}
