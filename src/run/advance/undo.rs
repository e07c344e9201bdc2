//! Taking changes out: compare first, issue every inverse, then verify each by reading it back (DESIGN rules 2 to 5).
//!
//! On one resource the newest change goes first; resources go side by side. A mark goes last, when everything on its
//! resource is accounted for.

use super::super::event::{Event, Settled, WriteOutcome};
use super::super::machine::{Asked, Machine, Need};
use super::doing::{passes, write_over};
use super::{backoff, emission};
use crate::account::{Call, CallError, Observed, Outcome, RefusedBy, Reply, Resource, Value};
use crate::plan::{Change, ChangeId, UNDO_PATIENCE};
use crate::units::{Span, Time};

/// How long a service may show an older value after a write that it acknowledged.
const STALE: Span = Span::from_secs(15);
/// Before an acknowledged undo is read back, and between looks at what should not be there.
const LOOK_AGAIN: Span = Span::from_secs(2);
/// A foreign value counts when it is seen again after this time: a single read may be stale.
const SEEN_AGAIN_AFTER: Span = STALE;

/// What the machine remembers of a change that goes out.
#[derive(Clone, Debug)]
pub(in crate::run) struct Undoing {
    /// The first look, and the inverse if it was needed, are behind it.
    issued: bool,
    not_before: Time,
    tries: u32,
    since: Time,
    foreign: Option<(Value, Time)>,
}

/// What one look at a setting says about its undo.
#[derive(Debug, PartialEq)]
enum Verdict {
    Settle(Settled),
    Restore,
    LookAt(Time),
}

impl Machine {
    /// Takes every change whose time is over one step further out.
    pub(in crate::run) fn advance_undo(&mut self) {
        let due = self.due_for_undo();
        if due.is_empty() {
            return;
        }
        let mut busy = self.busy();
        let issuing = due.iter().any(|id| !self.undoing.get(id).is_some_and(|u| u.issued || u.tries > 0));
        let mut blocked: Vec<Resource> = Vec::new();
        let plan = self.state.plan.clone();
        for id in due {
            let Some(change) = plan.changes.get(&id) else { continue };
            let resource = change.setting.resource();
            let now = self.now;
            let undoing = self.undoing.entry(id).or_insert_with(|| Undoing {
                issued: false,
                not_before: now,
                tries: 0,
                since: now,
                foreign: None,
            });
            // Newest first on one resource: an older change waits until the newer one's inverse is out.
            let waits_for_newer = blocked.contains(resource);
            if !undoing.issued {
                blocked.push(resource.clone());
            }
            // Verification waits until every inverse was tried once.
            let waits_for_others = undoing.issued && issuing;
            let due_at = undoing.not_before;
            if waits_for_newer || waits_for_others || busy.contains(resource) || self.writing(id) {
                continue;
            }
            if self.asked.values().any(|a| matches!(a, Asked::ReadForUndo(other) if *other == id)) {
                continue;
            }
            if now < due_at {
                self.wake_by(due_at);
                continue;
            }
            busy.insert(resource.clone());
            self.call(Asked::ReadForUndo(id), Call::Read { setting: change.setting.clone() }, Need::Nothing);
        }
    }

    /// Changes that are to be undone now, newest first; a mark when nothing else of its resource is open.
    fn due_for_undo(&self) -> Vec<ChangeId> {
        let plan = &self.state.plan;
        let over = |id: &ChangeId| {
            self.state.undoing()
                || plan
                    .steps
                    .iter()
                    .enumerate()
                    .any(|(index, step)| step.changes.contains(id) && self.step_is_over(index))
        };
        let outstanding: Vec<ChangeId> = self.state.outstanding().collect();
        let mut due = Vec::new();
        for id in outstanding.iter().rev() {
            let Some(change) = plan.changes.get(id) else { continue };
            let ready = match change.setting.is_mark() {
                true => self.state.undoing() && !self.owes(*id, change.setting.resource(), &outstanding),
                false => over(id),
            };
            if ready && !self.asked.values().any(|asked| matches!(asked, Asked::Do(other) if other == id)) {
                due.push(*id);
            }
        }
        due
    }

    /// Whether something else than its mark is still open on a resource, or must stay marked.
    fn owes(&self, mark: ChangeId, resource: &Resource, outstanding: &[ChangeId]) -> bool {
        let plan = &self.state.plan;
        let here = |id: &ChangeId| plan.changes.get(id).is_some_and(|c| c.setting.resource() == resource);
        let open = outstanding.iter().any(|id| *id != mark && here(id));
        let left = self
            .state
            .lives
            .iter()
            .any(|(id, life)| *id != mark && here(id) && matches!(life.settled, Some((_, Settled::Left { .. }))));
        open || left || emission::owes(&self.state, resource)
    }

    /// Marks that stay because something on their resource was left: nobody waits for them.
    pub(in crate::run) fn stays_marked(&self, id: ChangeId) -> bool {
        let Some(change) = self.state.plan.changes.get(&id) else { return false };
        let outstanding: Vec<ChangeId> = self.state.outstanding().collect();
        let others_open = outstanding.iter().any(|other| {
            *other != id
                && self.state.plan.changes.get(other).is_some_and(|c| c.setting.resource() == change.setting.resource())
        });
        change.setting.is_mark()
            && !others_open
            && self.state.unaccounted().next().is_none()
            && self.owes(id, change.setting.resource(), &outstanding)
    }

    pub(in crate::run) fn read_for_undo(&mut self, id: ChangeId, outcome: Outcome) {
        let plan = self.state.plan.clone();
        let Some(change) = plan.changes.get(&id) else { return };
        match outcome {
            Ok(Reply::Observed(observed)) => match self.compare(id, change, &observed) {
                Verdict::Settle(how) => self.record(Event::Settled { change: id, how }),
                Verdict::LookAt(at) => {
                    if let Some(undoing) = self.undoing.get_mut(&id) {
                        undoing.issued = true;
                        undoing.not_before = at;
                    }
                }
                Verdict::Restore => self.restore(id, change, &observed),
            },
            Ok(_) => self.postpone(id, "the account gave a wrong kind of answer"),
            Err(CallError::Gone(_)) => self.record(Event::Settled { change: id, how: Settled::ResourceGone }),
            Err(error) => self.postpone(id, &format!("it cannot be read: {error}")),
        }
    }

    fn restore(&mut self, id: ChangeId, change: &Change, observed: &Observed) {
        match write_over(change, observed, &change.before) {
            Ok(write) => {
                self.record(Event::Restoring { change: id, found: observed.value.clone() });
                self.call(Asked::Undo(id), Call::Write(write), Need::Tried);
            }
            Err(why) => self.postpone(id, &why),
        }
    }

    /// Still `after`: restore. Already `before`, and nothing of ours can land any more: done. Anything else, twice:
    /// somebody else's.
    fn compare(&mut self, id: ChangeId, change: &Change, observed: &Observed) -> Verdict {
        let now = self.now;
        let settles = self.state.settles_from(id);
        let (Some(life), Some(undoing)) = (self.state.lives.get(&id), self.undoing.get_mut(&id)) else {
            return Verdict::LookAt(now + LOOK_AGAIN);
        };
        let wrote = life.restored.is_some() || life.restoring.is_some();
        if observed.value.same_as(&change.before) {
            undoing.foreign = None;
            return match (now >= settles, wrote) {
                (false, _) => Verdict::LookAt(settles),
                (true, true) => Verdict::Settle(Settled::Restored),
                (true, false) => Verdict::Settle(Settled::AlreadyBefore),
            };
        }
        if observed.value.same_as(&change.after) {
            undoing.foreign = None;
            let trust_from = match &life.restored {
                Some(WriteOutcome::Applied) => life.restoring.map(|at| at + STALE),
                // Deleting a mark twice could hit the mark of whoever comes next.
                Some(WriteOutcome::Unknown(_)) if change.setting.is_mark() => {
                    life.restoring.map(|at| at + change.setting.quiet())
                }
                _ => None,
            };
            return match trust_from {
                Some(from) if now < from => Verdict::LookAt((now + LOOK_AGAIN).min(from)),
                _ => Verdict::Restore,
            };
        }
        if change.setting.is_mark() {
            // Another run's mark: ours is gone, and a create-only write of ours cannot land over it.
            return Verdict::Settle(Settled::AlreadyBefore);
        }
        match &undoing.foreign {
            Some((seen, at)) if seen.same_as(&observed.value) && now >= (*at + SEEN_AGAIN_AFTER).max(settles) => {
                Verdict::Settle(Settled::Theirs { found: observed.value.clone() })
            }
            Some((seen, at)) if seen.same_as(&observed.value) => Verdict::LookAt((*at + SEEN_AGAIN_AFTER).max(settles)),
            _ => {
                undoing.foreign = Some((observed.value.clone(), now));
                Verdict::LookAt((now + SEEN_AGAIN_AFTER).max(settles))
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
                if let Some(undoing) = self.undoing.get_mut(&id) {
                    undoing.issued = true;
                    undoing.not_before = now + LOOK_AGAIN;
                }
            }
            Err(error) => self.postpone(id, &refusal(&error)),
        }
    }

    /// Tries again later, or gives the change up as left behind.
    fn postpone(&mut self, id: ChangeId, why: &str) {
        let now = self.now;
        let Some(undoing) = self.undoing.get_mut(&id) else { return };
        undoing.not_before = now + backoff(undoing.tries);
        undoing.tries += 1;
        if now.since(undoing.since) >= UNDO_PATIENCE {
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
