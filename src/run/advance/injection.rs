//! Putting a change in: re-read, announce, write, and be sure of the outcome; then look at it while it holds.

use super::super::event::{Event, Stop, WriteOutcome};
use super::super::in_flight::CallPurpose;
use super::super::lock::Lock;
use super::super::machine::{Machine, Precondition};
use super::backoff;
use super::sight::{Look, Sight};
use crate::account::{Call, CallError, Observed, Outcome, RefusedBy, Reply, Value, Write};
use crate::plan::{Change, ChangeId};
use crate::units::{Span, Time};

/// How many times an injection is tried against throttling or a busy resource.
const TRIES: u32 = 6;
/// How often a changed setting is re-read while it holds.
const HOLD_EVERY: Span = Span::from_secs(30);
/// A foreign value counts when it is seen again after this time: a single read may be stale.
const SEEN_AGAIN_AFTER: Span = Span::from_secs(10);

/// What the machine remembers of a change that goes in, or is in.
#[derive(Clone, Debug, Default)]
pub(in crate::run) struct Injecting {
    not_before: Time,
    tries: u32,
    next_hold: Time,
    foreign: Option<Value>,
    sight: Sight,
}

/// What was refused by the service for a reason that passes by itself.
pub(super) fn passes(error: &CallError) -> bool {
    matches!(error, CallError::Throttled | CallError::Refused { by: RefusedBy::Busy, .. })
}

/// The write that takes a setting from what was just read to `value`.
pub(super) fn write_over(change: &Change, observed: &Observed, value: &Value) -> Result<Write, String> {
    Write::over(&change.setting, observed, value, change.whole_before.as_deref())
}

impl Machine {
    /// Takes a change one step further; true when it is in.
    pub(super) fn advance_injection(&mut self, id: ChangeId) -> bool {
        let Some(life) = self.state.lives.get(&id) else { return true };
        if life.holds() {
            self.advance_hold(id);
            return true;
        }
        if life.settled.is_some() || life.restoring.is_some() || self.flying(id) || !self.may_inject() {
            return false;
        }
        let doubtful = matches!(life.outcome, Some(WriteOutcome::Unknown(_)));
        let injecting = self.injecting.entry(id).or_default();
        if self.now < injecting.not_before {
            let at = injecting.not_before;
            self.wake_by(at);
            return false;
        }
        let Some(change) = self.state.plan.changes.get(&id) else { return true };
        if self.is_busy(change.setting.resource()) {
            return false;
        }
        let call = Call::Read { setting: change.setting.clone() };
        let purpose = if doubtful { CallPurpose::ReadAfterInject(id) } else { CallPurpose::ReadBeforeInject(id) };
        self.call(purpose, call, Precondition::Nothing);
        false
    }

    /// When the step of a change ends.
    fn end_of(&self, id: ChangeId) -> Time {
        let step = self.state.plan.steps.iter().find(|step| step.changes.contains(&id));
        step.and_then(|step| Some(self.state.t0()? + step.at + step.lasts)).unwrap_or(self.now)
    }

    fn flying(&self, id: ChangeId) -> bool {
        let of = [
            CallPurpose::ReadBeforeInject(id),
            CallPurpose::Inject(id),
            CallPurpose::ReadAfterInject(id),
            CallPurpose::ReadInHold(id),
        ];
        of.iter().any(|purpose| self.calls.contains(purpose))
    }

    pub(in crate::run) fn read_before_inject(&mut self, id: ChangeId, outcome: Outcome) {
        let plan = self.state.plan.clone();
        let Some(change) = plan.changes.get(&id) else { return };
        if !self.may_inject() {
            return;
        }
        if let Some(expires) = change.expires.filter(|expires| *expires < self.end_of(id)) {
            let why = format!("it would expire at {expires}, before its step ends: the run started too late");
            return self.stop(Stop::Failed { change: id, why });
        }
        match outcome {
            Ok(Reply::Observed(observed)) if change.setting.same(&observed.value, &change.before) => {
                match write_over(change, &observed, &change.after) {
                    Ok(write) => {
                        self.record(Event::Changing { change: id });
                        self.call(CallPurpose::Inject(id), Call::Write(write), Precondition::Durable);
                    }
                    Err(why) => self.stop(Stop::Failed { change: id, why }),
                }
            }
            Ok(Reply::Observed(observed)) if change.setting.is_lock() => {
                self.taken(id, &observed.value.to_string());
            }
            Ok(Reply::Observed(observed)) => self.stop(Stop::Drifted { change: id, found: observed.value }),
            Ok(_) => {
                self.stop(Stop::Failed { change: id, why: "the account gave an unexpected kind of answer".into() })
            }
            Err(error @ (CallError::Throttled | CallError::Unknown(_))) => self.try_again(id, &error),
            Err(error) => self.stop(Stop::Failed { change: id, why: error.to_string() }),
        }
    }

    /// The resource that was to be locked bears another run's lock, of which this is the text.
    fn taken(&mut self, id: ChangeId, lock: &str) {
        let Some(change) = self.state.plan.changes.get(&id) else { return };
        let resource = change.setting.resource();
        let why = format!("{resource} is locked by {}", Lock::holder(resource, lock));
        self.stop(Stop::Failed { change: id, why });
    }

    fn try_again(&mut self, id: ChangeId, error: &CallError) {
        let now = self.now;
        let injecting = self.injecting.entry(id).or_default();
        injecting.not_before = now + backoff(injecting.tries);
        injecting.tries += 1;
        if injecting.tries > TRIES {
            self.stop(Stop::Failed { change: id, why: error.to_string() });
        }
    }

    pub(in crate::run) fn done(&mut self, id: ChangeId, outcome: Outcome) {
        match outcome {
            Ok(_) => self.record(Event::Changed { change: id, outcome: WriteOutcome::Applied }),
            Err(CallError::Unknown(why)) => {
                self.record(Event::Changed { change: id, outcome: WriteOutcome::Unknown(why) });
            }
            Err(error) => {
                self.record(Event::Changed { change: id, outcome: WriteOutcome::Refused(error.clone()) });
                match error {
                    CallError::Refused { by: RefusedBy::LockExists, message } => self.taken(id, &message),
                    error if passes(&error) => self.try_again(id, &error),
                    error => self.stop(Stop::Failed { change: id, why: error.to_string() }),
                }
            }
        }
    }

    /// The injection had no answer: the account is asked until it shows the new value, or nothing can land any more.
    pub(in crate::run) fn read_after_inject(&mut self, id: ChangeId, outcome: Outcome) {
        let plan = self.state.plan.clone();
        let Some(change) = plan.changes.get(&id) else { return };
        let now = self.now;
        let settles = self.state.settles_from(id);
        if let Ok(Reply::Observed(observed)) = outcome {
            if change.setting.same(&observed.value, &change.after) {
                return self.record(Event::Changed { change: id, outcome: WriteOutcome::Applied });
            }
            if !change.setting.same(&observed.value, &change.before) {
                return match change.setting.is_lock() {
                    true => self.taken(id, &observed.value.to_string()),
                    false => self.stop(Stop::Drifted { change: id, found: observed.value }),
                };
            }
        }
        if now >= settles {
            return self.stop(Stop::Failed { change: id, why: "the write got no answer and had no effect".into() });
        }
        self.injecting.entry(id).or_default().not_before = now + Span::from_secs(2);
    }

    fn advance_hold(&mut self, id: ChangeId) {
        let Some(change) = self.state.plan.changes.get(&id) else { return };
        if change.setting.is_lock() || self.flying(id) {
            return;
        }
        let call = Call::Read { setting: change.setting.clone() };
        let now = self.now;
        let injecting = self.injecting.entry(id).or_default();
        if injecting.next_hold == Time::EPOCH {
            injecting.next_hold = now + HOLD_EVERY;
        }
        let due = injecting.next_hold;
        if now < due {
            return self.wake_by(due);
        }
        injecting.next_hold = now + HOLD_EVERY;
        self.call(CallPurpose::ReadInHold(id), call, Precondition::Nothing);
    }

    pub(in crate::run) fn read_in_hold(&mut self, id: ChangeId, outcome: Outcome) {
        let plan = self.state.plan.clone();
        let Some(change) = plan.changes.get(&id) else { return };
        if !self.state.lives.get(&id).is_some_and(|life| life.holds()) {
            return;
        }
        let now = self.now;
        let injecting = self.injecting.entry(id).or_default();
        // A read that fails says nothing, and the next one may; but not for long.
        let (look, why) = match &outcome {
            Ok(_) => (Look::Seen, String::new()),
            Err(error) => (Look::Failed, error.to_string()),
        };
        let sight = injecting.sight.take(look, now, false);
        let what = || format!("the changed {}", change.setting.describe());
        match outcome {
            Ok(Reply::Observed(observed)) if change.setting.same(&observed.value, &change.after) => {
                injecting.foreign = None
            }
            Ok(Reply::Observed(observed)) => match injecting.foreign.take() {
                Some(seen) if change.setting.same(&seen, &observed.value) => {
                    self.stop(Stop::Drifted { change: id, found: observed.value });
                }
                _ => {
                    injecting.foreign = Some(observed.value);
                    injecting.next_hold = now + SEEN_AGAIN_AFTER;
                }
            },
            Err(CallError::Gone(what)) => {
                self.stop(Stop::Failed { change: id, why: format!("{what} no longer exists") });
            }
            _ => {}
        }
        self.note_sight(sight, what, &why);
    }

    /// A call never left this process.
    pub(in crate::run) fn not_sent(&mut self, purpose: CallPurpose) {
        let refused = CallError::Refused { by: RefusedBy::NotSent, message: "the call was never sent".into() };
        match purpose {
            CallPurpose::Inject(change) => {
                self.record(Event::Changed { change, outcome: WriteOutcome::Refused(refused) })
            }
            CallPurpose::Send { step, first, last } => {
                self.record(Event::Sent { step, first, last, outcomes: Err(refused) });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::account::setting::with_key;
    use crate::account::{Location, Resource, ResourceKind, Setting};

    fn flag(key: &str, before: Value, after: Value, whole: &str) -> Change {
        let parameter = Resource::new(&Location::sandbox(), ResourceKind::Parameter, "/faults");
        Change {
            setting: Setting::FaultFlag { parameter, key: key.into() },
            before,
            after,
            whole_before: Some(whole.into()),
            expires: None,
            takes_effect_within: Span::ZERO,
            lasts_after: Span::ZERO,
        }
    }

    fn written(change: &Change, whole: &str, value: &Value) -> String {
        let Some(key) = change.setting.key() else { unreachable!() };
        let observed = Observed::key_in(whole, key).unwrap();
        write_over(change, &observed, value).unwrap().whole.unwrap()
    }

    proptest! {
        /// The inverse of the inverse is the change, and the inverse of the change is the very bytes from before.
        #[test]
        fn a_flag_goes_in_and_out_and_leaves_the_bytes(
            others in proptest::collection::btree_map("[a-e]", 0_u32..9, 0..4),
            had in proptest::option::of(0_u32..9),
            spaces in 0_usize..3,
        ) {
            let mut entries: Vec<String> = others.iter().map(|(key, value)| format!("\"{key}\":{}{value}", " ".repeat(spaces))).collect();
            entries.extend(had.map(|value| format!("\"latency\": {value}")));
            let original = format!("{{ {} }}", entries.join(", "));
            let before = had.map_or(Value::Unset, |value| Value::Text(value.to_string()));
            let after = Value::Text(r#"{"enabled":true}"#.into());
            let change = flag("latency", before.clone(), after.clone(), &original);
            let inside = written(&change, &original, &after);
            prop_assert_eq!(Observed::key_in(&inside, "latency").unwrap().value, after.clone());
            prop_assert_eq!(&written(&change, &inside, &before), &original);
            prop_assert_eq!(written(&change, &original, &after), inside);
        }

        /// Two flags in one document go out in any order, and keys of others stay.
        #[test]
        fn only_our_key_goes_when_others_changed_the_document(first_out in any::<bool>()) {
            let original = "{}";
            let on = |n: u32| Value::Text(format!("{{\"enabled\":true,\"n\":{n}}}"));
            let (one, two) = (flag("latency", Value::Unset, on(1), original), flag("exception", Value::Unset, on(2), original));
            let both = written(&two, &written(&one, original, &on(1)), &on(2));
            let theirs = with_key(&both, "theirs", &Value::Number(7)).unwrap();
            let (a, b) = if first_out { (&one, &two) } else { (&two, &one) };
            let out = written(b, &written(a, &theirs, &Value::Unset), &Value::Unset);
            prop_assert_eq!(out, r#"{"theirs":7}"#);
            prop_assert_eq!(written(b, &written(a, &both, &Value::Unset), &Value::Unset), original);
        }
    }
}
