//! The lease on a run's locks: as long as the run lives, it says so on one lock in each place every minute, so that another machine
//! can tell a live owner from one that is gone.
//!
//! A renewal never makes a lock. It is not in the journal: it goes with the lock that it is on.

use std::collections::BTreeMap;

use super::super::event::{Stop, WriteOutcome};
use super::super::in_flight::CallPurpose;
use super::super::machine::{Machine, Precondition};
use crate::account::{Call, CallError, Location, Outcome};
use crate::clock::{RENEW_EVERY, RENEWED_WITHIN};
use crate::plan::ChangeId;
use crate::units::{Span, Time};

/// Between two tries to renew.
const TRY_AGAIN: Span = Span::from_secs(10);

/// The lease in one place.
#[derive(Clone, Copy, Debug)]
pub(in crate::run) struct Lease {
    /// The lock that carries it.
    on: ChangeId,
    renewed: Time,
    due: Time,
    /// When the renewal under way was sent.
    sent: Time,
    /// The last answer was that the lock is not there.
    gone: bool,
}

impl Machine {
    /// Renews what is due, and stops a run that could not renew for too long.
    pub(in crate::run) fn advance_leases(&mut self) {
        if self.state.t0().is_none() && !self.state.rolling_back() {
            return;
        }
        let (plan, may_inject) = (self.state.plan.clone(), self.may_inject());
        for (location, id) in self.carriers() {
            let made = self.state.lives.get(&id).and_then(|life| life.intended).unwrap_or(self.now);
            let first = Lease { on: id, renewed: made, due: made + RENEW_EVERY, sent: made, gone: false };
            let lease = self.leases.entry(location).or_insert(first);
            if lease.on != id {
                // The lock that carried it is removed, and the next one was not renewed so far.
                (lease.on, lease.due, lease.gone) = (id, self.now, false);
            }
            let (due, stops) = (lease.due, lease.renewed + RENEWED_WITHIN);
            if may_inject {
                if self.now >= stops {
                    let since = lease.renewed;
                    return self.stop(Stop::LeaseLost { since });
                }
                self.wake_by(stops);
            }
            if self.calls.contains(&CallPurpose::Renew(id)) {
                continue;
            }
            if self.now < due {
                self.wake_by(due);
                continue;
            }
            let Some(change) = plan.changes.get(&id) else { continue };
            if let Some(lease) = self.leases.get_mut(change.setting.location()) {
                lease.sent = self.now;
            }
            let call = Call::Renew { resource: change.setting.resource().clone(), at: self.now };
            self.call(CallPurpose::Renew(id), call, Precondition::Tried);
        }
    }

    pub(in crate::run) fn lease_renewed(&mut self, id: ChangeId, outcome: Outcome) {
        let now = self.now;
        let Some(lease) = self.leases.values_mut().find(|lease| lease.on == id) else { return };
        let was_gone = lease.gone;
        lease.gone = matches!(outcome, Err(CallError::Gone(_)));
        match outcome {
            Ok(_) => (lease.renewed, lease.due) = (lease.sent, lease.sent + RENEW_EVERY),
            Err(_) => lease.due = now + TRY_AGAIN,
        }
        let (gone, since) = (lease.gone, lease.renewed);
        // One such answer may be a service's stale view. After the second, others have removed the lock, and may lock the
        // resource for themselves.
        if gone && was_gone && self.may_inject() {
            self.stop(Stop::LeaseLost { since });
        }
    }

    /// The lock that carries the lease in each place: the first of those that are there.
    fn carriers(&self) -> BTreeMap<Location, ChangeId> {
        let mut carriers = BTreeMap::new();
        for (id, change) in self.state.plan.changes.iter().filter(|(_, change)| change.setting.is_lock()) {
            let is_there = self.state.lives.get(id).is_some_and(|life| {
                let made = life.outcome == Some(WriteOutcome::Applied) || self.only_rolls_back();
                made && life.outstanding() && life.restoring.is_none()
            });
            if is_there {
                carriers.entry(change.setting.location().clone()).or_insert(*id);
            }
        }
        carriers
    }
}
