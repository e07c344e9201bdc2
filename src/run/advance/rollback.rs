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
use crate::account::kind::Absence;
use crate::account::{Call, CallError, Observed, Outcome, RefusedBy, Reply, Resource, Value};
use crate::plan::{Change, ChangeId, ROLLBACK_PATIENCE};
use crate::units::{Span, Time};

/// How long a service may show an older value after a write that it acknowledged.
const STALE: Span = Span::from_secs(15);
/// Before an acknowledged rollback is read back, and between looks at what should not be there.
const LOOK_AGAIN: Span = Span::from_secs(2);
/// A foreign value counts when it is seen again after this time: a single read may be stale.
const SEEN_AGAIN_AFTER: Span = STALE;
/// After so many turns of a value that others change, it is theirs.
const TURNS: u32 = 5;
/// A change is not given up before so many tries in a row failed: after a sleep the first ones fail for want of a network.
const FEWEST_TRIES: u32 = 5;
/// How often it is said that the rollback cannot go on.
const SAID_EVERY: Span = Span::from_mins(1);

/// What the machine remembers of a change that goes out.
#[derive(Clone, Debug)]
pub(in crate::run) struct RollingBack {
    /// The first look, and the inverse if it was needed, are behind it.
    issued: bool,
    not_before: Time,
    tries: u32,
    /// When it became due.
    since: Time,
    /// The tries that failed in a row.
    failing: Option<Failing>,
    foreign: Option<(Value, Time)>,
    /// How often the value before was written.
    writes: u32,
    /// Since when the resource is not there.
    gone: Option<Time>,
    /// How often the value turned to another one of a third party's, or back to ours after it had been put back.
    turns: u32,
    /// The other value that was seen, where it turns.
    other: Option<Value>,
}

impl RollingBack {
    fn from(now: Time) -> RollingBack {
        RollingBack {
            issued: false,
            not_before: now,
            tries: 0,
            since: now,
            failing: None,
            foreign: None,
            writes: 0,
            gone: None,
            turns: 0,
            other: None,
        }
    }

    /// The value was another one at the look before.
    fn turn(&mut self, other: &Value) {
        self.turns += 1;
        self.other = Some(other.clone());
    }

    /// How a change ends whose value others go on changing.
    fn contested(&self, found: &Value) -> Option<Settled> {
        let other = self.other.clone().filter(|_| self.turns >= TURNS)?;
        Some(Settled::Contested { found: found.clone(), other })
    }
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
            let rolling_back = self.rolling_back.entry(id).or_insert_with(|| RollingBack::from(now));
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

    /// A change that was settled is to be rolled back once more, with a patience of its own; how often its value turned
    /// still counts.
    pub(super) fn rolls_back_again(&mut self, id: ChangeId) {
        let now = self.now;
        if let Some(rolling_back) = self.rolling_back.get_mut(&id) {
            let turns = rolling_back.turns + 1;
            *rolling_back = RollingBack { turns, other: rolling_back.other.take(), ..RollingBack::from(now) };
        }
    }

    /// Changes that are to be rolled back now, newest first; a lock when nothing else of its resource is open, or must stay
    /// locked. One look at everything, for there may be hundreds.
    fn due_for_rollback(&self) -> Vec<ChangeId> {
        let (plan, rolling_back) = (&self.state.plan, self.state.rolling_back());
        let mut due: Vec<ChangeId> = self.state.outstanding().collect();
        if !rolling_back {
            let over = plan.steps.iter().enumerate().filter(|(index, _)| self.step_is_over(*index));
            let over: BTreeSet<ChangeId> = over.flat_map(|(_, step)| step.changes.iter().copied()).collect();
            due.retain(|id| over.contains(id));
        }
        due.retain(|id| !self.calls.contains(&CallPurpose::Inject(*id)));
        let is_lock = |id: &ChangeId| plan.changes.get(id).is_some_and(|change| change.setting.is_lock());
        if due.iter().any(is_lock) {
            let open = self.resources_of(|life| life.outstanding() || life.is_left());
            let held =
                |resource: &Resource| !rolling_back || open.contains(resource) || emission::owes(&self.state, resource);
            due.retain(|id| {
                let change = plan.changes.get(id);
                change.is_some_and(|change| !change.setting.is_lock() || !held(change.setting.resource()))
            });
        }
        due.reverse();
        due
    }

    /// Locks that stay because something on their resource was left: they are not waited for.
    pub(in crate::run) fn locks_that_stay(&self) -> Vec<ChangeId> {
        if self.state.unaccounted().next().is_some() {
            return Vec::new();
        }
        // Asked at each step, and nearly always nothing was left.
        if !self.state.lives.values().any(Life::is_left) && !emission::lost_some(&self.state) {
            return Vec::new();
        }
        let left = self.resources_of(Life::is_left);
        let open = self.resources_of(Life::outstanding);
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
            Ok(_) => self.postpone(id, Attempt::Read, "the account gave an unexpected kind of answer"),
            Err(CallError::Gone(_)) => self.not_there(id, change),
            Err(error) => {
                let why = format!("{} cannot be read: {error}", change.setting);
                self.hinder(id, &error, &why);
                self.postpone(id, Attempt::Read, &why);
            }
        }
    }

    /// One answer that there is no such resource may be a service's stale view; two of them count.
    fn not_there(&mut self, id: ChangeId, change: &Change) {
        let now = self.now;
        let settles = self.state.settles_from(id);
        let Some(rolling_back) = self.rolling_back.get_mut(&id) else { return };
        let again = (*rolling_back.gone.get_or_insert(now) + SEEN_AGAIN_AFTER).max(settles);
        if now < again {
            rolling_back.issued = true;
            rolling_back.not_before = again;
            return;
        }
        let how = match change.setting.absence() {
            Absence::Settles => Settled::ResourceGone,
            Absence::IsNamed => Settled::Deleted,
        };
        self.record(Event::Settled { change: id, how });
    }

    fn restore(&mut self, id: ChangeId, change: &Change, observed: &Observed) {
        let now = self.now;
        let given_up = self.rolling_back.get_mut(&id).is_some_and(|rolling_back| {
            rolling_back.writes += 1;
            rolling_back.writes > FEWEST_TRIES && now.since(rolling_back.since) >= ROLLBACK_PATIENCE
        });
        if given_up {
            let why = format!("its rollback did not take effect within {ROLLBACK_PATIENCE}");
            return self.record(Event::Settled { change: id, how: Settled::Left { why } });
        }
        match write_over(change, observed, &change.before) {
            Ok(write) => {
                self.record(Event::Restoring { change: id, found: observed.value.clone() });
                self.call(CallPurpose::Rollback(id), Call::Write(write), Precondition::Tried);
            }
            Err(why) => self.postpone(id, Attempt::Write, &why),
        }
    }

    /// Still `after`: restore. Already `before`, and nothing of ours can land any more: done. Anything else, twice:
    /// another party's.
    fn compare(&mut self, id: ChangeId, change: &Change, observed: &Observed) -> NextStep {
        let now = self.now;
        let settles = self.state.settles_from(id);
        let (Some(life), Some(rolling_back)) = (self.state.lives.get(&id), self.rolling_back.get_mut(&id)) else {
            return NextStep::LookAt(now + LOOK_AGAIN);
        };
        let wrote = life.restored.is_some() || life.restoring.is_some();
        rolling_back.gone = None;
        if change.setting.same(&observed.value, &change.before) {
            rolling_back.foreign = None;
            return match (now >= settles, wrote) {
                (false, _) => NextStep::LookAt(settles),
                (true, true) => NextStep::Settle(Settled::Restored),
                (true, false) => NextStep::Settle(Settled::AlreadyBefore),
            };
        }
        if change.setting.same(&observed.value, &change.after) {
            if let Some((seen, _)) = rolling_back.foreign.take() {
                rolling_back.turn(&seen);
            }
            let trust_from = match &life.restored {
                Some(WriteOutcome::Applied) => life.restoring.map(|at| at + STALE),
                // Deleting a lock twice could hit the lock of the next run.
                Some(WriteOutcome::Unknown(_)) if change.setting.is_lock() => {
                    life.restoring.map(|at| at + change.setting.quiet())
                }
                _ => None,
            };
            return match trust_from {
                Some(from) if now < from => NextStep::LookAt((now + LOOK_AGAIN).min(from)),
                _ => {
                    // The service acknowledged the value before, and shows ours again.
                    if matches!(life.restored, Some(WriteOutcome::Applied)) {
                        rolling_back.turn(&change.before);
                    }
                    rolling_back.contested(&observed.value).map_or(NextStep::Restore, NextStep::Settle)
                }
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
            other => {
                let seen = other.as_ref().map(|(seen, _)| seen.clone());
                if let Some(seen) = seen {
                    rolling_back.turn(&seen);
                }
                if let Some(contested) = rolling_back.contested(&observed.value) {
                    return NextStep::Settle(contested);
                }
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
            Err(error) => {
                let why = refusal(&error);
                self.hinder(id, &error, &why);
                self.postpone(id, Attempt::Write, &why);
            }
        }
    }

    /// A read that succeeds says nothing of whether the write is permitted by now.
    fn succeeded(&mut self, id: ChangeId, at: Attempt) {
        if let Some(rolling_back) = self.rolling_back.get_mut(&id) {
            rolling_back.failing = rolling_back.failing.filter(|failing| failing.at != at);
        }
    }

    /// Says that the rollback cannot go on: a refusal at once, what may pass after some tries, and once a minute.
    fn hinder(&mut self, id: ChangeId, error: &CallError, why: &str) {
        let tries = self.rolling_back.get(&id).map_or(0, |rolling_back| rolling_back.tries);
        let refused = matches!(error, CallError::Refused { .. }) && !passes(error);
        let said = self.state.hindered.as_ref().is_some_and(|(at, _)| self.now < *at + SAID_EVERY);
        if (refused || tries >= FEWEST_TRIES) && !said {
            self.record(Event::Hindered { why: why.to_owned() });
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
        if now.since(failing.since) >= ROLLBACK_PATIENCE && failing.tries >= FEWEST_TRIES {
            self.record(Event::Settled { change: id, how: Settled::Left { why: why.to_owned() } });
        }
    }
}

fn refusal(error: &CallError) -> String {
    match error {
        CallError::Refused { by: RefusedBy::Permission, message } => {
            format!("the permission to roll back is missing: {message}")
        }
        error if passes(error) => "the service keeps throttling the rollback".into(),
        error => format!("the service refuses the rollback: {error}"),
    }
}
