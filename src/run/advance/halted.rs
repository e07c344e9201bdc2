//! The account's operator: a lever in the account itself that stops every experiment there. It is looked at as long as a fault
//! may go in.

use super::super::event::Stop;
use super::super::in_flight::CallPurpose;
use super::super::machine::{Machine, Precondition};
use super::sight::BLIND_FOR;
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
    /// Since when it cannot be seen.
    blind: Option<Time>,
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
        let blind_since = match &outcome {
            Ok(Reply::Halted(_)) => {
                (lever.seen, lever.blind) = (true, None);
                None
            }
            _ => Some(*lever.blind.get_or_insert(now)).filter(|_| lever.seen),
        };
        if !self.may_inject() {
            return;
        }
        match (outcome, blind_since) {
            (Ok(Reply::Halted(Some(by))), _) => self.stop(Stop::Asked { by }),
            (_, Some(since)) if now >= since + BLIND_FOR => {
                self.stop(Stop::Blind { what: "whether the account's operator stops experiments".into(), since });
            }
            _ => {}
        }
    }
}
