//! The calls that are under way, and what each is for.

use std::collections::BTreeMap;

use crate::account::CallId;
use crate::plan::ChangeId;

/// What a call in flight is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    ReadBeforeDo(ChangeId),
    Do(ChangeId),
    ReadAfterDo(ChangeId),
    ReadInHold(ChangeId),
    ReadForUndo(ChangeId),
    Undo(ChangeId),
    Signal(usize),
    Provisional(usize),
    Probe { step: usize, probe: usize },
    Guard(usize),
    Send { step: usize, first: u32, last: u32 },
    Inspect(usize),
    Receive(usize),
    DeleteMessage { step: usize, number: u32 },
    ReleaseMessage(usize),
    SourceCount(usize),
    Load { load: usize, requests: u32 },
}

/// Calls under way. There may be hundreds, and each step asks for many of them.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight {
    calls: BTreeMap<CallId, Asked>,
    /// How many of each there are.
    counts: BTreeMap<Asked, u32>,
}

impl InFlight {
    /// A call goes out.
    pub(super) fn insert(&mut self, id: CallId, asked: Asked) {
        *self.counts.entry(asked.clone()).or_default() += 1;
        self.calls.insert(id, asked);
    }

    /// A call is over, or never went out.
    pub(super) fn remove(&mut self, id: CallId) -> Option<Asked> {
        let asked = self.calls.remove(&id)?;
        if let Some(count) = self.counts.get_mut(&asked) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&asked);
            }
        }
        Some(asked)
    }

    /// Whether there is a call for this.
    pub(super) fn contains(&self, asked: &Asked) -> bool {
        self.counts.contains_key(asked)
    }

    /// What all of them are for.
    pub(super) fn values(&self) -> impl Iterator<Item = &Asked> {
        self.calls.values()
    }
}
