//! The machine of a run: `step(now, input) -> effects`. No clock, no IO, no randomness.
//!
//! Everything that must survive a crash is in [`State`], which changes by events alone; what else the machine holds
//! (calls in flight, when to look again) may be lost at any moment.
//!
//! Invariant: a call that changes the account follows the event that announces it, in the same list of effects.

use std::collections::{BTreeMap, BTreeSet};

use super::advance::emission::Sweep;
use super::advance::halted::Lever;
use super::advance::injection::Injecting;
use super::advance::late::LastLooks;
use super::advance::lease::Lease;
use super::advance::rollback::RollingBack;
use super::advance::switch::Switching;
use super::advance::versions::Versions;
use super::advance::watch::Watch;
use super::event::{Event, Phase, Stop};
use super::in_flight::{CallPurpose, InFlight};
use super::state::State;
use crate::account::{Call, CallId, Lane, Location, Outcome, Resource};
use crate::env::Interrupt;
use crate::plan::{ChangeId, Plan};
use crate::units::{Span, Time};

/// What happened outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Time passed.
    Tick,
    /// A call was answered.
    Reply(CallId, Outcome),
    /// A signal to stop.
    Interrupted(Interrupt),
    /// `squall halt`, or `squall undo` of this run elsewhere.
    AskedToStop { by: String },
    /// The process did not run for so long.
    Overslept(Span),
    /// The wall clock was set by so many seconds; negative when it went back.
    ClockJumped { by_secs: i64 },
    /// The wall clock is so many seconds ahead of the account's; negative when it is behind.
    ClockOff { by_secs: i64 },
    /// The journal cannot be written; what was announced since is not durable.
    JournalFailed { why: String },
    /// The driver did not send a call, because its announcement is not durable, or came too late.
    NotSent(CallId),
}

/// What is to be done outside, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Append to the journal.
    Record(Event),
    /// Make a call; one that changes something, not later than at `deadline`.
    Call { id: CallId, call: Call, precondition: Precondition, lane: Lane, deadline: Time },
}

/// What a call needs before it may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing: it changes nothing.
    Nothing,
    /// Every record before it durable, the epoch still ours, the process awake.
    Durable,
    /// Every record before it tried: a rollback goes out even when the journal cannot be written.
    Tried,
}

/// One run, live.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(super) state: State,
    pub(super) now: Time,
    pub(super) calls: InFlight,
    pub(super) wake: Time,
    pub(super) injecting: BTreeMap<ChangeId, Injecting>,
    pub(super) rolling_back: BTreeMap<ChangeId, RollingBack>,
    pub(super) rollback_since: Option<Time>,
    pub(super) last_looks: LastLooks,
    /// By the switch's number in the plan.
    pub(super) switching: BTreeMap<usize, Switching>,
    pub(super) sweeps: Vec<Sweep>,
    pub(super) watch: Watch,
    /// By the account's number in the plan.
    pub(super) levers: BTreeMap<usize, Lever>,
    pub(super) leases: BTreeMap<Location, Lease>,
    /// In so many places there are locks.
    pub(super) locked_places: usize,
    pub(super) versions: BTreeMap<ChangeId, Versions>,
    /// Whether this process may still put faults in; one that only rolls back may not.
    only_rollback: bool,
    journal_failed: bool,
    /// A person waits for the end: the recovery is not watched.
    hurried: bool,
    next_call: u64,
    effects: Vec<Effect>,
    kept: Vec<(CallId, Outcome)>,
}

impl Machine {
    /// A new run. Its first effects, out of the next [`Machine::step`], record the plan.
    pub fn new(plan: Plan, by: String, now: Time) -> Machine {
        let started = Event::Started { plan: Box::new(plan), by, version: env!("CARGO_PKG_VERSION").into() };
        let state = State::start(now, &started).unwrap_or_else(|| unreachable!("the event is Started"));
        let mut machine = Machine::over(state, now, false);
        machine.effects.push(Effect::Record(started));
        machine.record(Event::Entered { phase: Phase::Baseline });
        machine
    }

    /// A run that another process began, to be rolled back and nothing else. The caller has taken the run over.
    pub fn resume(mut state: State, by: String, epoch: u64, now: Time) -> Machine {
        let taken = Event::TakenOver { by, epoch };
        state.apply(now, &taken);
        let mut machine = Machine::over(state, now, true);
        // A driver before, in this process, may still get answers from the account: no number means two calls.
        machine.next_call = epoch << 32;
        machine.effects.push(Effect::Record(taken));
        machine.stop(Stop::Died);
        machine
    }

    /// A later rollback of a closed run: `state` is of a journal of its own, which says what may be in the account.
    pub fn roll_back(state: State, now: Time) -> Machine {
        let run = state.plan.origin().clone();
        let mut machine = Machine::over(state, now, true);
        machine.stop(Stop::RollsBack { run });
        machine
    }

    fn over(state: State, now: Time, only_rollback: bool) -> Machine {
        let steps = state.plan.steps.len();
        let locks = state.plan.changes.values().filter(|change| change.setting.is_lock());
        let places: BTreeSet<Location> = locks.map(|lock| lock.setting.location().clone()).collect();
        Machine {
            watch: Watch::over(&state),
            state,
            now,
            calls: InFlight::default(),
            wake: Time::NEVER,
            injecting: BTreeMap::new(),
            rolling_back: BTreeMap::new(),
            rollback_since: None,
            levers: BTreeMap::new(),
            leases: BTreeMap::new(),
            locked_places: places.len(),
            versions: BTreeMap::new(),
            last_looks: LastLooks::default(),
            switching: BTreeMap::new(),
            sweeps: vec![Sweep::default(); steps],
            only_rollback,
            journal_failed: false,
            hurried: false,
            next_call: 0,
            effects: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Takes in what happened and says what to do. To be called again at [`Machine::wake_at`] at the latest.
    pub fn step(&mut self, now: Time, input: Input) -> Vec<Effect> {
        self.now = self.now.max(now);
        if self.state.closed.is_none() {
            self.take(input);
            self.advance();
        }
        std::mem::take(&mut self.effects)
    }

    /// When the machine wants to be called, if nothing happens before.
    pub fn wake_at(&self) -> Time {
        self.wake
    }

    /// Whether the run is over and nothing more comes.
    pub fn closed(&self) -> bool {
        self.state.closed.is_some()
    }

    /// What is known of the run.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Keeps a reply for the next step, to be taken in after that step's input.
    pub fn keep(&mut self, id: CallId, outcome: Outcome) {
        self.kept.push((id, outcome));
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Tick => {}
            Input::Reply(id, outcome) => {
                if let Some(purpose) = self.calls.remove(id) {
                    self.reply(purpose, outcome);
                }
            }
            Input::Interrupted(interrupt) => {
                self.hurried = true;
                self.stop(Stop::Signal { name: interrupt.name().into() });
            }
            Input::AskedToStop { by } => {
                self.hurried = true;
                self.stop(Stop::Asked { by });
            }
            Input::Overslept(span) => {
                self.stop(Stop::Overslept { late_secs: u64::try_from(span.micros() / 1_000_000).unwrap_or(0) });
                self.woke();
            }
            Input::ClockJumped { by_secs } => {
                self.stop(Stop::ClockJumped { by_secs });
                self.woke();
            }
            Input::ClockOff { by_secs } => self.stop(Stop::ClockOff { by_secs }),
            Input::JournalFailed { why } => {
                self.journal_failed = true;
                self.stop(Stop::Journal { why });
            }
            Input::NotSent(id) => {
                if let Some(purpose) = self.calls.remove(id) {
                    self.not_sent(purpose);
                }
            }
        }
        for (id, outcome) in std::mem::take(&mut self.kept) {
            if let Some(purpose) = self.calls.remove(id) {
                self.reply(purpose, outcome);
            }
        }
    }

    fn reply(&mut self, purpose: CallPurpose, outcome: Outcome) {
        match purpose {
            CallPurpose::ReadBeforeInject(id) => self.read_before_inject(id, outcome),
            CallPurpose::Inject(id) => self.done(id, outcome),
            CallPurpose::ReadAfterInject(id) => self.read_after_inject(id, outcome),
            CallPurpose::ReadInHold(id) => self.read_in_hold(id, outcome),
            CallPurpose::ReadForRollback(id) => self.read_for_rollback(id, outcome),
            CallPurpose::Rollback(id) => self.undone(id, outcome),
            CallPurpose::LastLook(id) => self.looked_at_last(id, outcome),
            CallPurpose::Arm(switch) => self.armed(switch, outcome),
            CallPurpose::Disarm(switch) => self.disarmed(switch, outcome),
            CallPurpose::Signal(signal) => self.measured(signal, outcome),
            CallPurpose::Provisional(signal) => self.seen_ahead(signal, outcome),
            CallPurpose::Indicator { step, indicator } => self.indicator_measured(step, indicator, outcome),
            CallPurpose::SearchLogs(step) => self.logs_searched(step, outcome),
            CallPurpose::AbortCondition(guard) => self.guard_measured(guard, outcome),
            CallPurpose::Send { step, first, last } => self.sent(step, first, last, outcome),
            CallPurpose::Inspect(step) => self.inspected(step, outcome),
            CallPurpose::Receive(step) => self.received(step, outcome),
            CallPurpose::DeleteMessage { step, number } => self.message_deleted(step, number, outcome),
            // A message that was not released comes back by itself.
            CallPurpose::ReleaseMessage(_) => {}
            CallPurpose::SourceCount(step) => self.source_counted(step, outcome),
            CallPurpose::Lever(account) => self.lever_seen(account, outcome),
            CallPurpose::Versions(id) => self.versions_seen(id, outcome),
            CallPurpose::Renew(id) => self.lease_renewed(id, outcome),
            CallPurpose::Load { load, requests } => self.loaded(load, requests, outcome),
        }
    }

    /// Goes through every concern until none of them has anything more to do: what one does may be what another waits for.
    fn advance(&mut self) {
        loop {
            let before = self.effects.len();
            self.wake = Time::NEVER;
            if !self.state.rolling_back() {
                self.keep_to_the_longest();
            }
            if !self.state.rolling_back() {
                self.advance_baseline();
                self.advance_faults();
            }
            self.advance_rollback();
            self.advance_emissions();
            self.advance_watch();
            self.advance_load();
            self.advance_levers();
            self.advance_leases();
            self.advance_end();
            if self.effects.len() == before || self.closed() {
                return;
            }
        }
    }

    /// Records an event and takes it in.
    pub(super) fn record(&mut self, event: Event) {
        self.state.apply(self.now, &event);
        self.effects.push(Effect::Record(event));
    }

    /// Makes a call.
    pub(super) fn call(&mut self, purpose: CallPurpose, call: Call, precondition: Precondition) {
        let id = CallId(self.next_call);
        self.next_call += 1;
        let (lane, deadline) = (purpose.lane(), self.no_later_than(&purpose));
        self.calls.insert(id, purpose);
        self.effects.push(Effect::Call { id, call, precondition, lane, deadline });
    }

    /// Asks to be woken at `time`.
    pub(super) fn wake_by(&mut self, time: Time) {
        // A time that has come and did not lead to anything now would spin; the next look is a moment later.
        self.wake = self.wake.min(time.max(self.now + Span::from_millis(1)));
    }

    /// Stops the run, for its first reason; later ones change nothing.
    pub(super) fn stop(&mut self, why: Stop) {
        if self.state.stopping.is_none() {
            self.record(Event::Stopping { why });
        }
        self.enter_rollback();
    }

    pub(super) fn enter_rollback(&mut self) {
        if !self.state.rolling_back() {
            self.record(Event::Entered { phase: Phase::Rollback });
        }
        self.rollback_since.get_or_insert(self.now);
    }

    /// What failed while the process slept says nothing of the account: patience begins again.
    fn woke(&mut self) {
        self.rolling_back.values_mut().for_each(RollingBack::be_patient_again);
        self.rollback_since = self.rollback_since.map(|_| self.now);
    }

    /// When a call for this is of no use any more: a fault after its end, and anything that is no inverse after the longest
    /// that the run may take.
    fn no_later_than(&self, purpose: &CallPurpose) -> Time {
        let longest = self.state.started + self.state.plan.longest;
        let step = match purpose {
            CallPurpose::Inject(id) => self.state.plan.steps.iter().find(|step| step.changes.contains(id)),
            CallPurpose::Send { step, .. } => self.state.plan.steps.get(*step),
            CallPurpose::Load { .. } | CallPurpose::Arm(_) => None,
            _ => return Time::NEVER,
        };
        let ends = step.and_then(|step| Some(self.state.t0()? + step.ends()));
        ends.map_or(longest, |ends| ends.min(longest))
    }

    /// Whether this process only rolls back what another one changed.
    pub(super) fn only_rolls_back(&self) -> bool {
        self.only_rollback
    }

    /// Whether a fault may still go in.
    pub fn may_inject(&self) -> bool {
        !self.only_rollback && !self.journal_failed && self.state.stopping.is_none() && !self.state.rolling_back()
    }

    /// Whether the recovery is worth watching: not when no fault ever went in, when the run is asked to end, or when
    /// its end was lost sight of.
    pub(super) fn watches_recovery(&self) -> bool {
        let cut_short = matches!(
            self.state.stopping,
            Some((
                _,
                Stop::Signal { .. }
                    | Stop::Asked { .. }
                    | Stop::Overslept { .. }
                    | Stop::ClockJumped { .. }
                    | Stop::ClockOff { .. }
                    | Stop::LeaseLost { .. }
                    | Stop::Died
                    | Stop::Journal { .. }
                    | Stop::NotArmed { .. }
                    | Stop::Baseline { .. }
                    | Stop::BeganBefore { .. }
            ))
        );
        // A plan without faults is watched as one whose faults are gone.
        let began = self.state.steps.is_empty() || self.state.steps.iter().any(|step| step.began.is_some());
        !self.only_rollback && !self.hurried && !cut_short && began
    }

    /// Changes for which a call of the injection or the rollback is in flight; there is one at a time on a resource, locks apart.
    pub(super) fn in_flight(&self) -> impl Iterator<Item = ChangeId> + '_ {
        self.calls.values().filter_map(|purpose| match purpose {
            CallPurpose::ReadBeforeInject(id)
            | CallPurpose::Inject(id)
            | CallPurpose::ReadAfterInject(id)
            | CallPurpose::ReadForRollback(id)
            | CallPurpose::Rollback(id) => Some(*id),
            _ => None,
        })
    }

    /// Whether one is in flight on a resource.
    pub(super) fn is_busy(&self, resource: &Resource) -> bool {
        let changes = self.in_flight().filter_map(|id| self.state.plan.changes.get(&id));
        changes.filter(|change| !change.setting.is_lock()).any(|change| change.setting.resource() == resource)
    }

    fn keep_to_the_longest(&mut self) {
        let limit = self.state.started + self.state.plan.longest;
        if self.now >= limit {
            self.stop(Stop::TooLong);
        } else {
            self.wake_by(limit);
        }
    }
}
