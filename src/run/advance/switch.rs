//! The dead-man switch: armed before the first fault, stopped when everything is verified to be as before.
//!
//! It is told all that it has to know when it is armed, its end included; nothing makes that later. One that cannot be stopped does
//! no harm: the locks are gone, and it writes nothing without the run's lock. Where a change was left, it stays armed: it is the
//! next who tries.

use super::super::event::{Event, Stop, SwitchEnd};
use super::super::in_flight::CallPurpose;
use super::super::machine::{Machine, Precondition};
use super::super::switch::order;
use super::backoff;
use crate::account::switch::SwitchState;
use crate::account::{Call, CallError, Outcome, Reply};
use crate::units::Time;

/// How often it is tried to arm or to stop one.
const TRIES: u32 = 6;

/// What the machine remembers of a switch.
#[derive(Clone, Debug, Default)]
pub(in crate::run) struct Switching {
    not_before: Time,
    tries: u32,
}

impl Machine {
    /// Arms every switch of the plan; true when all are.
    pub(super) fn advance_arming(&mut self) -> bool {
        let plan = self.state.plan.clone();
        let mut all = true;
        for (number, switch) in plan.switches.iter().enumerate() {
            let known = self.state.switches.get(number);
            if known.is_some_and(|known| known.armed.is_some()) {
                continue;
            }
            all = false;
            let due = self.switching.entry(number).or_default().not_before;
            if self.calls.contains(&CallPurpose::Arm(number)) {
                continue;
            }
            if self.now < due {
                self.wake_by(due);
                continue;
            }
            if known.is_some_and(|known| known.announced.is_none()) {
                self.record(Event::Arming { switch: number });
            }
            // Starting it twice under one name and with the same input is starting it once.
            self.call(CallPurpose::Arm(number), Call::Arm(order(&plan, switch)), Precondition::Durable);
        }
        all
    }

    pub(in crate::run) fn armed(&mut self, switch: usize, outcome: Outcome) {
        let Some(until) = self.state.plan.switches.get(switch).map(|switch| switch.until) else { return };
        let now = self.now;
        let switching = self.switching.entry(switch).or_default();
        match outcome {
            Ok(_) => {
                *switching = Switching::default();
                self.record(Event::Armed { switch, until });
            }
            Err(CallError::Throttled | CallError::Unknown(_)) if switching.tries < TRIES => {
                switching.not_before = now + backoff(switching.tries);
                switching.tries += 1;
            }
            Err(_) if !self.may_inject() => {}
            Err(error) => self.stop(Stop::NotArmed { why: error.to_string() }),
        }
    }

    /// Stops every switch that is armed, or may be, and whose changes are all out; true when there is nothing more to do.
    pub(super) fn advance_disarming(&mut self) -> bool {
        let plan = self.state.plan.clone();
        let mut all = true;
        for (number, switch) in plan.switches.iter().enumerate() {
            let is_out = self.state.switches.get(number).is_some_and(|known| known.is_out());
            let is_left = |id| self.state.lives.get(id).is_some_and(|life| life.is_left());
            if !is_out || switch.changes.iter().any(is_left) {
                continue;
            }
            all = false;
            let due = self.switching.entry(number).or_default().not_before;
            if self.calls.contains(&CallPurpose::Disarm(number)) {
                continue;
            }
            if self.now < due {
                self.wake_by(due);
                continue;
            }
            let call = Call::Disarm { location: switch.location.clone(), name: switch.name.clone() };
            self.call(CallPurpose::Disarm(number), call, Precondition::Tried);
        }
        all
    }

    pub(in crate::run) fn disarmed(&mut self, switch: usize, outcome: Outcome) {
        let how = match outcome {
            Ok(Reply::Switch(SwitchState::Stopped)) => Ok(SwitchEnd::Stopped),
            Ok(Reply::Switch(SwitchState::Acted(resources))) => Ok(SwitchEnd::Acted { resources }),
            Ok(Reply::Switch(SwitchState::Failed(why))) => Ok(SwitchEnd::Failed { why }),
            Ok(Reply::Switch(SwitchState::Missing)) => Ok(SwitchEnd::NeverArmed),
            Ok(Reply::Switch(SwitchState::Armed)) => Err("it still exists after it was stopped".to_owned()),
            Ok(_) => Err("the account gave an unexpected kind of answer".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let now = self.now;
        let switching = self.switching.entry(switch).or_default();
        match how {
            Ok(how) => self.record(Event::SwitchEnded { switch, how }),
            Err(why) if switching.tries >= TRIES => {
                self.record(Event::SwitchEnded { switch, how: SwitchEnd::Unstopped { why } });
            }
            Err(_) => {
                switching.not_before = now + backoff(switching.tries);
                switching.tries += 1;
            }
        }
    }
}
