//! The calls that are under way, and what each is for.

use std::collections::BTreeMap;

use crate::account::{CallId, Lane};
use crate::plan::ChangeId;

/// What a call in flight is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CallPurpose {
    ReadBeforeInject(ChangeId),
    Inject(ChangeId),
    ReadAfterInject(ChangeId),
    ReadInHold(ChangeId),
    ReadForRollback(ChangeId),
    Rollback(ChangeId),
    LastLook(ChangeId),
    /// Of the switch with this number in the plan.
    Arm(usize),
    Disarm(usize),
    Signal(usize),
    Provisional(usize),
    Indicator {
        step: usize,
        indicator: usize,
    },
    /// For the evidence of this step.
    SearchLogs(usize),
    AbortCondition(usize),
    Send {
        step: usize,
        first: u32,
        last: u32,
    },
    Inspect(usize),
    Receive(usize),
    DeleteMessage {
        step: usize,
        number: u32,
    },
    ReleaseMessage(usize),
    SourceCount(usize),
    Load {
        load: usize,
        requests: u32,
    },
    /// Of the account with this number in the plan.
    Lever(usize),
    /// On this lock.
    Renew(ChangeId),
    /// Which hold this change.
    Versions(ChangeId),
}

impl CallPurpose {
    /// Whose turn comes first when calls have to wait: what takes something out, and the looks that that needs; and what says that
    /// the run is alive.
    pub(super) fn lane(&self) -> Lane {
        match self {
            CallPurpose::ReadForRollback(_)
            | CallPurpose::Rollback(_)
            | CallPurpose::Renew(_)
            | CallPurpose::Disarm(_)
            | CallPurpose::Versions(_)
            | CallPurpose::Inspect(_)
            | CallPurpose::Receive(_)
            | CallPurpose::DeleteMessage { .. }
            | CallPurpose::ReleaseMessage(_)
            | CallPurpose::SourceCount(_) => Lane::Rollback,
            CallPurpose::ReadBeforeInject(_)
            | CallPurpose::Inject(_)
            | CallPurpose::ReadAfterInject(_)
            | CallPurpose::ReadInHold(_)
            | CallPurpose::Signal(_)
            | CallPurpose::Provisional(_)
            | CallPurpose::Indicator { .. }
            | CallPurpose::SearchLogs(_)
            | CallPurpose::AbortCondition(_)
            | CallPurpose::Lever(_)
            | CallPurpose::LastLook(_)
            | CallPurpose::Arm(_)
            | CallPurpose::Send { .. }
            | CallPurpose::Load { .. } => Lane::Ordinary,
        }
    }
}

/// Calls under way. There may be hundreds, and each step asks for many of them.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight {
    calls: BTreeMap<CallId, CallPurpose>,
    /// How many of each there are.
    counts: BTreeMap<CallPurpose, u32>,
}

impl InFlight {
    /// A call goes out.
    pub(super) fn insert(&mut self, id: CallId, purpose: CallPurpose) {
        *self.counts.entry(purpose.clone()).or_default() += 1;
        self.calls.insert(id, purpose);
    }

    /// A call is over, or never went out.
    pub(super) fn remove(&mut self, id: CallId) -> Option<CallPurpose> {
        let purpose = self.calls.remove(&id)?;
        if let Some(count) = self.counts.get_mut(&purpose) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&purpose);
            }
        }
        Some(purpose)
    }

    /// Whether there is a call for this.
    pub(super) fn contains(&self, purpose: &CallPurpose) -> bool {
        self.counts.contains_key(purpose)
    }

    /// What all of them are for.
    pub(super) fn values(&self) -> impl Iterator<Item = &CallPurpose> {
        self.calls.values()
    }
}
