//! Last looks: every setting is read again at the end of a recovery, for others may put our value back; and where a write had no
//! answer, once more five minutes after the last moment at which it may have been sent.
//!
//! A run that watches its recovery waits for that. Any other closes and says when to look again ([`Event::LookAgain`]).

use std::collections::BTreeMap;

use super::super::event::{Event, Settled};
use super::super::in_flight::CallPurpose;
use super::super::machine::{Machine, Precondition};
use crate::account::{Call, CallError, Outcome, Reply};
use crate::plan::ChangeId;
use crate::units::{Span, Time};

/// How long after the last moment at which a write without an answer may have been sent its setting is read once more.
/// Longer than the quiet time of every setting, which is an estimate; no service says how late a request can take effect.
pub const LOOK_AGAIN_AFTER: Span = Span::from_mins(5);
/// A last look that fails is tried so often.
const TRIES: u32 = 3;
/// Between two of them.
const TRY_AGAIN: Span = Span::from_secs(5);

/// What the machine remembers of its last looks, by change.
#[derive(Clone, Debug, Default)]
pub(in crate::run) struct LastLooks {
    looked: BTreeMap<ChangeId, Time>,
    failed: BTreeMap<ChangeId, (u32, Time)>,
}

impl Machine {
    /// Closes the run when the settings of all writes without an answer were read for the last time, or cannot be.
    pub(super) fn close_after_last_looks(&mut self) {
        let mut waits = false;
        for (id, sent) in self.settled_as_out() {
            let Some(last) =
                sent.map(|sent| sent + LOOK_AGAIN_AFTER).or(self.watches_recovery().then_some(Time::EPOCH))
            else {
                continue;
            };
            // A run that watches its recovery has the time to wait.
            let due = if self.watches_recovery() { last } else { self.now.min(last) };
            let (tries, not_before) = self.last_looks.failed.get(&id).copied().unwrap_or((0, Time::EPOCH));
            let looked = self.last_looks.looked.get(&id).is_some_and(|at| *at >= last || !self.watches_recovery());
            if looked || tries >= TRIES {
                continue;
            }
            waits = true;
            let due = due.max(not_before);
            if self.now < due {
                self.wake_by(due);
            } else if !self.calls.contains(&CallPurpose::LastLook(id))
                && let Some(change) = self.state.plan.changes.get(&id)
            {
                let call = Call::Read { setting: change.setting.clone() };
                self.call(CallPurpose::LastLook(id), call, Precondition::Nothing);
            }
        }
        if waits {
            return;
        }
        let versions_are_pending = self.versions_are_pending();
        if !self.advance_disarming() || versions_are_pending {
            return;
        }
        self.say_when_to_look_again();
        self.close();
    }

    /// Changes that are settled as out; where a write of one may take effect all the same, until when it may have been sent.
    fn settled_as_out(&self) -> Vec<(ChangeId, Option<Time>)> {
        let settled = |how: &Settled| matches!(how, Settled::Restored | Settled::AlreadyBefore);
        let lives =
            self.state.lives.iter().filter(|(_, life)| life.settled.as_ref().is_some_and(|(_, how)| settled(how)));
        lives.map(|(id, life)| (*id, life.may_land())).collect()
    }

    fn say_when_to_look_again(&mut self) {
        let early = |(id, sent): &(ChangeId, Time)| {
            self.last_looks.looked.get(id).is_none_or(|looked| *looked < *sent + LOOK_AGAIN_AFTER)
        };
        let sent = self.settled_as_out().into_iter().filter_map(|(id, sent)| Some((id, sent?)));
        let early: Vec<(ChangeId, Time)> = sent.filter(early).collect();
        if let Some(sent) = early.iter().map(|(_, sent)| *sent).max() {
            let changes = early.into_iter().map(|(id, _)| id).collect();
            self.record(Event::LookAgain { changes, from: sent + LOOK_AGAIN_AFTER });
        }
    }

    /// Ours again: roll it back once more. Anything else is nothing of this run's.
    pub(in crate::run) fn looked_at_last(&mut self, id: ChangeId, outcome: Outcome) {
        let plan = self.state.plan.clone();
        let (now, Some(change)) = (self.now, plan.changes.get(&id)) else { return };
        match outcome {
            Ok(Reply::Observed(observed)) if change.setting.same(&observed.value, &change.after) => {
                self.last_looks.looked.remove(&id);
                self.rolls_back_again(id);
                self.record(Event::FoundAgain { change: id });
            }
            Ok(Reply::Observed(_)) | Err(CallError::Gone(_)) => {
                self.last_looks.looked.insert(id, now);
            }
            Ok(_) | Err(_) => {
                let (tries, _) = self.last_looks.failed.get(&id).copied().unwrap_or_default();
                self.last_looks.failed.insert(id, (tries + 1, now + TRY_AGAIN));
            }
        }
    }
}
