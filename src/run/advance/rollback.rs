//! Taking changes out: compare first, issue every inverse, then verify each by reading it back (DESIGN rules 2 to 5).
//!
//! On one resource the newest change goes first; resources go side by side. A lock goes last, when everything on its
//! resource is accounted for.

use std::collections::BTreeSet;

use super::super::event::{Event, Settled, WriteOutcome};
use super::super::in_flight::CallPurpose;
use super::super::machine::{Machine, Precondition};
use super::super::state::Life;
use super::injection::{passes, write_over};
use super::{backoff, emission};
use crate::account::{Call, CallError, Observed, Outcome, RefusedBy, Reply, Resource, Value};
use crate::plan::{Change, ChangeId, ROLLBACK_PATIENCE};
use crate::units::{Span, Time};

/// How long a service may show an older value after a write that it acknowledged.
const STALE: Span = Span::from_secs(15);
/// Before an acknowledged rollback is read back, and between looks at what should not be there.
const LOOK_AGAIN: Span = Span::from_secs(2);
/// A foreign value counts when it is seen again after this time: a single read may be stale.
const SEEN_AGAIN_AFTER: Span = STALE;

/// No change is given up before so many tries in a row failed: after a sleep the first ones fail for want of a network.
const LEAST_TRIES: u32 = 5;

/// What the machine remembers of a change that goes out.
#[derive(Clone, Debug)]
pub(in crate::run) struct RollingBack {
    /// The first look, and the inverse if it was needed, are behind it.
    issued: bool,
    not_before: Time,
    tries: u32,
    /// The tries that failed in a row.
    failing: Option<Failing>,
    foreign: Option<(Value, Time)>,
}

/// Tries in a row that failed at the same thing.
#[derive(Clone, Copy, Debug)]
struct Failing {
    at: Attempt,
    since: Time,
    tries: u32,
}

/// What a try is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Read,
    Write,
}

impl RollingBack {
    /// Forgets the failures so far, and tries again at once.
    pub(in crate::run) fn be_patient_again(&mut self) {
        self.failing = None;
        self.tries = 0;
        self.not_before = Time::EPOCH;
    }
}

/// What one look at a setting says about its rollback.
#[derive(Debug, PartialEq)]
enum NextStep {
    Settle(Settled),
    Restore,
    LookAt(Time),
}

impl Machine {
    /// Takes every change whose time is over one step further out.
    pub(in crate::run) fn advance_rollback(&mut self) {
        let due = self.due_for_rollback();
        if due.is_empty() {
            return;
        }
        let plan = self.state.plan.clone();
        let busy = self.in_flight().filter_map(|id| plan.changes.get(&id)).filter(|change| !change.setting.is_lock());
        let mut busy: BTreeSet<&Resource> = busy.map(|change| change.setting.resource()).collect();
        let issuing = due.iter().any(|id| !self.rolling_back.get(id).is_some_and(|u| u.issued || u.tries > 0));
        let mut blocked: BTreeSet<&Resource> = BTreeSet::new();
        let in_flight: BTreeSet<ChangeId> = self.in_flight().collect();
        for id in due {
            let Some(change) = plan.changes.get(&id) else { continue };
            let resource = change.setting.resource();
            let now = self.now;
            let rolling_back = self.rolling_back.entry(id).or_insert_with(|| RollingBack {
                issued: false,
                not_before: now,
                tries: 0,
                failing: None,
                foreign: None,
            });
            // Newest first on one resource: an older change waits until the newer one's inverse is out.
            let waits_for_newer = blocked.contains(resource);
            if !rolling_back.issued {
                blocked.insert(resource);
            }
            // Verification waits until every inverse was tried once.
            let waits_for_others = rolling_back.issued && issuing;
            let due_at = rolling_back.not_before;
            if waits_for_newer || waits_for_others || busy.contains(resource) || in_flight.contains(&id) {
                continue;
            }
            if now < due_at {
                self.wake_by(due_at);
                continue;
            }
            busy.insert(resource);
            self.call(
                CallPurpose::ReadForRollback(id),
                Call::Read { setting: change.setting.clone() },
                Precondition::Nothing,
            );
        }
    }

    /// Changes that are to be rolled back now, newest first; a lock when nothing else of its resource is open, or must stay
    /// locked. One look at everything, for there may be hundreds.
    fn due_for_rollback(&self) -> Vec<ChangeId> {
        let (plan, rolling_back) = (&self.state.plan, self.state.rolling_back());
        let over = plan.steps.iter().enumerate().filter(|(index, _)| self.step_is_over(*index));
        let over: BTreeSet<ChangeId> = over.flat_map(|(_, step)| step.changes.iter().copied()).collect();
        let injecting = self.calls.values().filter_map(|purpose| match purpose {
            CallPurpose::Inject(id) => Some(*id),
            _ => None,
        });
        let injecting: BTreeSet<ChangeId> = injecting.collect();
        let open = self.resources_of(|life| life.outstanding() || life.is_left());
        let ready = |id: &ChangeId| {
            let Some(change) = plan.changes.get(id) else { return false };
            let resource = change.setting.resource();
            match change.setting.is_lock() {
                true => rolling_back && !open.contains(resource) && !emission::owes(&self.state, resource),
                false => rolling_back || over.contains(id),
            }
        };
        let outstanding: BTreeSet<ChangeId> = self.state.outstanding().collect();
        outstanding.into_iter().rev().filter(|id| ready(id) && !injecting.contains(id)).collect()
    }

    /// Locks that stay because something on their resource was left: nobody waits for them.
    pub(in crate::run) fn locks_that_stay(&self) -> Vec<ChangeId> {
        if self.state.unaccounted().next().is_some() {
            return Vec::new();
        }
        let (open, left) = (self.resources_of(Life::outstanding), self.resources_of(Life::is_left));
        let stays = |id: &ChangeId| {
            self.state.plan.changes.get(id).filter(|change| change.setting.is_lock()).is_some_and(|lock| {
                let resource = lock.setting.resource();
                !open.contains(resource) && (left.contains(resource) || emission::owes(&self.state, resource))
            })
        };
        self.state.outstanding().filter(stays).collect()
    }

    /// The resources of the changes, locks apart, of which something is true.
    fn resources_of(&self, which: impl Fn(&Life) -> bool) -> BTreeSet<&Resource> {
        let lives = self.state.lives.iter().filter(|(_, life)| which(life));
        let changes = lives.filter_map(|(id, _)| self.state.plan.changes.get(id));
        changes.filter(|change| !change.setting.is_lock()).map(|change| change.setting.resource()).collect()
    }

    pub(in crate::run) fn read_for_rollback(&mut self, id: ChangeId, outcome: Outcome) {
        let plan = self.state.plan.clone();
        let Some(change) = plan.changes.get(&id) else { return };
        if matches!(outcome, Ok(Reply::Observed(_))) {
            self.succeeded(id, Attempt::Read);
        }
        match outcome {
            Ok(Reply::Observed(observed)) => match self.compare(id, change, &observed) {
                NextStep::Settle(how) => self.record(Event::Settled { change: id, how }),
                NextStep::LookAt(at) => {
                    if let Some(rolling_back) = self.rolling_back.get_mut(&id) {
                        rolling_back.issued = true;
                        rolling_back.not_before = at;
                    }
                }
                NextStep::Restore => self.restore(id, change, &observed),
            },
            Ok(_) => self.postpone(id, Attempt::Read, "the account gave a wrong kind of answer"),
            Err(CallError::Gone(_)) => self.record(Event::Settled { change: id, how: Settled::ResourceGone }),
            Err(error) => self.postpone(id, Attempt::Read, &format!("it cannot be read: {error}")),
        }
    }

    fn restore(&mut self, id: ChangeId, change: &Change, observed: &Observed) {
        match write_over(change, observed, &change.before) {
            Ok(write) => {
                self.record(Event::Restoring { change: id, found: observed.value.clone() });
                self.call(CallPurpose::Rollback(id), Call::Write(write), Precondition::Tried);
            }
            Err(why) => self.postpone(id, Attempt::Write, &why),
        }
    }

    /// Still `after`: restore. Already `before`, and nothing of ours can land any more: done. Anything else, twice:
    /// somebody else's.
    fn compare(&mut self, id: ChangeId, change: &Change, observed: &Observed) -> NextStep {
        let now = self.now;
        let settles = self.state.settles_from(id);
        let (Some(life), Some(rolling_back)) = (self.state.lives.get(&id), self.rolling_back.get_mut(&id)) else {
            return NextStep::LookAt(now + LOOK_AGAIN);
        };
        let wrote = life.restored.is_some() || life.restoring.is_some();
        if change.setting.same(&observed.value, &change.before) {
            rolling_back.foreign = None;
            return match (now >= settles, wrote) {
                (false, _) => NextStep::LookAt(settles),
                (true, true) => NextStep::Settle(Settled::Restored),
                (true, false) => NextStep::Settle(Settled::AlreadyBefore),
            };
        }
        if change.setting.same(&observed.value, &change.after) {
            rolling_back.foreign = None;
            let trust_from = match &life.restored {
                Some(WriteOutcome::Applied) => life.restoring.map(|at| at + STALE),
                // Deleting a lock twice could hit the lock of whoever comes next.
                Some(WriteOutcome::Unknown(_)) if change.setting.is_lock() => {
                    life.restoring.map(|at| at + change.setting.quiet())
                }
                _ => None,
            };
            return match trust_from {
                Some(from) if now < from => NextStep::LookAt((now + LOOK_AGAIN).min(from)),
                _ => NextStep::Restore,
            };
        }
        if change.setting.is_lock() {
            // Another run's lock: ours is gone, and a create-only write of ours cannot land over it.
            return NextStep::Settle(Settled::AlreadyBefore);
        }
        match &rolling_back.foreign {
            Some((seen, at))
                if change.setting.same(seen, &observed.value) && now >= (*at + SEEN_AGAIN_AFTER).max(settles) =>
            {
                NextStep::Settle(Settled::Theirs { found: observed.value.clone() })
            }
            Some((seen, at)) if change.setting.same(seen, &observed.value) => {
                NextStep::LookAt((*at + SEEN_AGAIN_AFTER).max(settles))
            }
            _ => {
                rolling_back.foreign = Some((observed.value.clone(), now));
                NextStep::LookAt((now + SEEN_AGAIN_AFTER).max(settles))
            }
        }
    }

    pub(in crate::run) fn undone(&mut self, id: ChangeId, outcome: Outcome) {
        let now = self.now;
        let after = match &outcome {
            Ok(_) => WriteOutcome::Applied,
            Err(CallError::Unknown(why)) => WriteOutcome::Unknown(why.clone()),
            Err(error) => WriteOutcome::Refused(error.clone()),
        };
        self.record(Event::Restored { change: id, outcome: after });
        match outcome {
            Ok(_) | Err(CallError::Unknown(_)) => {
                self.succeeded(id, Attempt::Write);
                if let Some(rolling_back) = self.rolling_back.get_mut(&id) {
                    rolling_back.issued = true;
                    rolling_back.not_before = now + LOOK_AGAIN;
                }
            }
            Err(error) => self.postpone(id, Attempt::Write, &refusal(&error)),
        }
    }

    /// A read that succeeds says nothing of whether the write is permitted by now.
    fn succeeded(&mut self, id: ChangeId, at: Attempt) {
        if let Some(rolling_back) = self.rolling_back.get_mut(&id) {
            rolling_back.failing = rolling_back.failing.filter(|failing| failing.at != at);
        }
    }

    /// Tries again later, or gives the change up as left behind.
    fn postpone(&mut self, id: ChangeId, at: Attempt, why: &str) {
        let now = self.now;
        let Some(rolling_back) = self.rolling_back.get_mut(&id) else { return };
        rolling_back.not_before = now + backoff(rolling_back.tries);
        rolling_back.tries += 1;
        let failing = rolling_back.failing.filter(|failing| failing.at == at);
        let failing = failing.unwrap_or(Failing { at, since: now, tries: 0 });
        let failing = Failing { tries: failing.tries + 1, ..failing };
        rolling_back.failing = Some(failing);
        if now.since(failing.since) >= ROLLBACK_PATIENCE && failing.tries >= LEAST_TRIES {
            self.record(Event::Settled { change: id, how: Settled::Left { why: why.to_owned() } });
        }
    }
}

fn refusal(error: &CallError) -> String {
    match error {
        CallError::Refused { by: RefusedBy::Permission, message } => {
            format!("the permission to undo is missing: {message}")
        }
        error if passes(error) => "the service keeps throttling the undo".into(),
        error => format!("the service refuses the undo: {error}"),
    }
}
