//! The machine of a run: `step(now, input) -> effects`. No clock, no IO, no randomness.
//!
//! Everything that must survive a crash is in [`State`], which changes by events alone; what else the machine holds
//! (calls in flight, when to look again) may be lost at any moment.
//!
//! Invariant: a call that changes the account follows the event that announces it, in the same list of effects.

use std::collections::BTreeMap;

use super::advance::doing::Doing;
use super::advance::emission::Sweep;
use super::advance::undo::Undoing;
use super::advance::watch::Watch;
use super::asked::{Asked, InFlight};
use super::event::{Event, Phase, Stop};
use super::state::State;
use crate::account::{Call, CallId, Outcome, Resource};
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
    /// Make a call.
    Call { id: CallId, call: Call, need: Need },
}

/// What a call needs before it may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: it changes nothing.
    Nothing,
    /// Every record before it durable, the epoch still ours, the process awake.
    Durable,
    /// Every record before it tried: an undo goes out even when the journal cannot be written.
    Tried,
}

/// One run, live.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(super) state: State,
    pub(super) now: Time,
    pub(super) asked: InFlight,
    pub(super) wake: Time,
    pub(super) doing: BTreeMap<ChangeId, Doing>,
    pub(super) undoing: BTreeMap<ChangeId, Undoing>,
    pub(super) undo_since: Option<Time>,
    pub(super) sweeps: Vec<Sweep>,
    pub(super) watch: Watch,
    /// Whether this process may still put faults in; one that only undoes may not.
    only_undo: bool,
    journal_failed: bool,
    /// Somebody waits for the end: the recovery is not watched.
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

    /// A run that another process began, to be undone and nothing else. The caller has taken the run over.
    pub fn resume(mut state: State, by: String, epoch: u64, now: Time) -> Machine {
        let taken = Event::TakenOver { by, epoch };
        state.apply(now, &taken);
        let mut machine = Machine::over(state, now, true);
        machine.effects.push(Effect::Record(taken));
        machine.stop(Stop::Died);
        machine
    }

    fn over(state: State, now: Time, only_undo: bool) -> Machine {
        let steps = state.plan.steps.len();
        Machine {
            watch: Watch::over(&state),
            state,
            now,
            asked: InFlight::default(),
            wake: Time::NEVER,
            doing: BTreeMap::new(),
            undoing: BTreeMap::new(),
            undo_since: None,
            sweeps: vec![Sweep::default(); steps],
            only_undo,
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
                if let Some(asked) = self.asked.remove(id) {
                    self.reply(asked, outcome);
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
            }
            Input::JournalFailed { why } => {
                self.journal_failed = true;
                self.stop(Stop::Journal { why });
            }
            Input::NotSent(id) => {
                if let Some(asked) = self.asked.remove(id) {
                    self.not_sent(asked);
                }
            }
        }
        for (id, outcome) in std::mem::take(&mut self.kept) {
            if let Some(asked) = self.asked.remove(id) {
                self.reply(asked, outcome);
            }
        }
    }

    fn reply(&mut self, asked: Asked, outcome: Outcome) {
        match asked {
            Asked::ReadBeforeDo(id) => self.read_before_do(id, outcome),
            Asked::Do(id) => self.done(id, outcome),
            Asked::ReadAfterDo(id) => self.read_after_do(id, outcome),
            Asked::ReadInHold(id) => self.read_in_hold(id, outcome),
            Asked::ReadForUndo(id) => self.read_for_undo(id, outcome),
            Asked::Undo(id) => self.undone(id, outcome),
            Asked::Signal(signal) => self.measured(signal, outcome),
            Asked::Provisional(signal) => self.seen_ahead(signal, outcome),
            Asked::Probe { step, probe } => self.probed(step, probe, outcome),
            Asked::Guard(guard) => self.guard_measured(guard, outcome),
            Asked::Send { step, first, last } => self.sent(step, first, last, outcome),
            Asked::Inspect(step) => self.inspected(step, outcome),
            Asked::Receive(step) => self.received(step, outcome),
            Asked::DeleteMessage { step, number } => self.message_deleted(step, number, outcome),
            // A message that was not released comes back by itself.
            Asked::ReleaseMessage(_) => {}
            Asked::SourceCount(step) => self.source_counted(step, outcome),
            Asked::Load { load, requests } => self.loaded(load, requests, outcome),
        }
    }

    /// Goes through every concern until none of them has anything more to do: what one does may be what another waits for.
    fn advance(&mut self) {
        loop {
            let before = self.effects.len();
            self.wake = Time::NEVER;
            if !self.state.undoing() {
                self.keep_to_the_longest();
            }
            if !self.state.undoing() {
                self.advance_baseline();
                self.advance_faults();
            }
            self.advance_undo();
            self.advance_emissions();
            self.advance_watch();
            self.advance_load();
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
    pub(super) fn call(&mut self, asked: Asked, call: Call, need: Need) {
        let id = CallId(self.next_call);
        self.next_call += 1;
        self.asked.insert(id, asked);
        self.effects.push(Effect::Call { id, call, need });
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
        self.enter_undo();
    }

    pub(super) fn enter_undo(&mut self) {
        if !self.state.undoing() {
            self.record(Event::Entered { phase: Phase::Undo });
        }
        self.undo_since.get_or_insert(self.now);
    }

    /// Whether a fault may still go in.
    pub(super) fn may_do(&self) -> bool {
        !self.only_undo && !self.journal_failed && self.state.stopping.is_none() && !self.state.undoing()
    }

    /// Whether the recovery is worth watching: not when no fault ever went in, when somebody wants the run to end, or when
    /// its end was lost sight of.
    pub(super) fn watches_recovery(&self) -> bool {
        let cut_short = matches!(
            self.state.stopping,
            Some((
                _,
                Stop::Signal { .. }
                    | Stop::Asked { .. }
                    | Stop::Overslept { .. }
                    | Stop::Died
                    | Stop::Journal { .. }
                    | Stop::Baseline { .. }
                    | Stop::BeganBefore { .. }
            ))
        );
        let began = self.state.steps.iter().any(|step| step.began.is_some());
        !self.only_undo && !self.hurried && !cut_short && began
    }

    /// Changes for which a call of the do or the undo is in flight; there is one at a time on a resource, marks apart.
    pub(super) fn in_flight(&self) -> impl Iterator<Item = ChangeId> + '_ {
        self.asked.values().filter_map(|asked| match asked {
            Asked::ReadBeforeDo(id)
            | Asked::Do(id)
            | Asked::ReadAfterDo(id)
            | Asked::ReadForUndo(id)
            | Asked::Undo(id) => Some(*id),
            _ => None,
        })
    }

    /// Whether one is in flight on a resource.
    pub(super) fn is_busy(&self, resource: &Resource) -> bool {
        let changes = self.in_flight().filter_map(|id| self.state.plan.changes.get(&id));
        changes.filter(|change| !change.setting.is_mark()).any(|change| change.setting.resource() == resource)
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
