//! The account's operator: a lever in the account itself that stops every experiment there. It is looked at as long as a fault
//! may go in.

use super::super::event::Stop;
use super::super::in_flight::CallPurpose;
use super::super::machine::{Machine, Precondition};
use super::sight::{Look, Sight, SightChange};
use crate::account::{Call, Outcome, Reply};
use crate::units::{Span, Time};

/// How often it is looked at.
const EVERY: Span = Span::from_secs(30);

/// What was seen of one account's lever.
#[derive(Clone, Debug, Default)]
pub(in crate::run) struct Lever {
    not_before: Time,
    /// It could be seen before; one that cannot be seen from the start is named in the plan.
    seen: bool,
    sight: Sight,
}

impl Machine {
    /// Looks at the levers that are due.
    pub(in crate::run) fn advance_levers(&mut self) {
        if !self.may_inject() {
            return;
        }
        let plan = self.state.plan.clone();
        for (account, location) in plan.accounts.iter().enumerate().filter(|(_, location)| location.may_be_halted()) {
            let purpose = CallPurpose::Lever(account);
            if self.calls.contains(&purpose) {
                continue;
            }
            let due = self.levers.entry(account).or_default().not_before;
            if self.now < due {
                self.wake_by(due);
                continue;
            }
            self.call(purpose, Call::Halted { location: location.clone() }, Precondition::Nothing);
        }
    }

    pub(in crate::run) fn lever_seen(&mut self, account: usize, outcome: Outcome) {
        let now = self.now;
        let lever = self.levers.entry(account).or_default();
        lever.not_before = now + EVERY;
        let look = if matches!(outcome, Ok(Reply::Halted(_))) { Look::Seen } else { Look::Failed };
        lever.seen |= look == Look::Seen;
        let change = if lever.seen { lever.sight.take(look, now, false) } else { SightChange::Nothing };
        if !self.may_inject() {
            return;
        }
        match outcome {
            Ok(Reply::Halted(Some(by))) => self.stop(Stop::Asked { by }),
            other => {
                let why = other.err().map_or_else(String::new, |error| error.to_string());
                self.note_sight(change, || "whether the account's operator has stopped experiments".into(), &why);
            }
        }
    }
}
