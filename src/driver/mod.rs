//! The driver: performs the machine's effects and feeds it what happens. The only place that writes to an account.

pub mod supervise;

use crate::account::{Account, Call, CallId, Dispatch, Owner, Resource};
use crate::clock::{INJECT_AT_ONCE, OFF_ACCOUNT, Ticks, Trouble};
use crate::env::{Env, Interrupts};
use crate::ids::RunId;
use crate::judge::verdict::Verdict;
use crate::plan::Plan;
use crate::run::event::{Left, Recorded};
use crate::run::machine::{Effect, Input, Machine, Precondition};
use crate::run::state::State;
use crate::store::{Conflict, Epoch, Readable, Store, StoreError};
use crate::units::{Span, Time};

/// How often the store is asked whether the run is asked to stop.
const LOOK_FOR_ASKS: Span = Span::from_millis(100);
/// How often the store is asked whether the run is still this process's, as long as nothing else tells.
const LOOK_FOR_OWNER: Span = Span::from_secs(1);
/// So many events are written at once at the latest; fewer when a write, or real time, waits for them.
const BATCH: usize = 256;

/// How a run ended for this process.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// The run is closed.
    Closed {
        verdict: Verdict,
        left: Vec<Left>,
        /// Why the journal lacks events, if it does.
        journal: Option<String>,
    },
    /// Another process took the run over; this one wrote nothing since.
    TakenOver { by: String },
}

/// Why a run did not begin. Nothing was touched.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NotBegun {
    /// The halt switch was pulled.
    #[error("halted by {0}; `squall halt --lift` allows runs again")]
    Halted(String),
    /// What the plan read is too old, and what ends by itself would end too early.
    #[error("the plan was made at {made_at} and could be begun until {start_by}")]
    TooLate { made_at: Time, start_by: Time },
    /// Another run changes or watches the same resources.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The journal cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a driver works with.
pub struct Surroundings<'a> {
    pub account: &'a mut dyn Account,
    pub store: &'a mut dyn Store,
    pub env: &'a dyn Env,
    pub interrupts: Interrupts,
    /// Whether time passes for real while the account waits, so that others should see each event at once.
    pub live: bool,
}

impl Surroundings<'_> {
    /// The same surroundings for a shorter time.
    pub fn again(&mut self) -> Surroundings<'_> {
        Surroundings {
            account: self.account,
            store: self.store,
            env: self.env,
            interrupts: self.interrupts.clone(),
            live: self.live,
        }
    }
}

/// Drives one run.
pub struct Driver<'a> {
    around: Surroundings<'a>,
    machine: Machine,
    /// What the machine gets next.
    next: Input,
    run: RunId,
    epoch: Epoch,
    seq: u64,
    pending: Vec<Recorded>,
    /// How many of the pending ones were told already.
    told: usize,
    journal: Option<String>,
    /// Who took a run over whose journal could not be written then; what happens is kept until it can.
    unrecorded: Option<String>,
    told_interrupt: bool,
    told_ask: bool,
    /// Who asked this process to stop the run, until the machine knows.
    asked: Option<String>,
    last_ask: Option<Span>,
    last_owned: Span,
    owner: Owner,
    ticks: Ticks,
    told_clock: bool,
    /// The account's clock when the machine last looked; it never goes back.
    now: Time,
}

/// Whatever still waits for its turn must not go out when the driver is gone, after a panic for example.
impl Drop for Driver<'_> {
    fn drop(&mut self) {
        self.owner.lose();
    }
}

impl<'a> Driver<'a> {
    /// Begins a run: the store knows it, its resources are claimed, nothing in the account is touched yet.
    pub fn begin(around: Surroundings<'a>, plan: Plan, by: String) -> Result<Driver<'a>, NotBegun> {
        if let Some(by) = around.store.halted()? {
            return Err(NotBegun::Halted(by));
        }
        if around.account.now() > plan.start_by() {
            return Err(NotBegun::TooLate { made_at: plan.made_at, start_by: plan.start_by() });
        }
        let run = plan.run.clone();
        let epoch = around.store.create(&run, &by)?;
        let changes: Vec<Resource> = plan.changes.values().map(|change| change.setting.resource().clone()).collect();
        around.store.claim(&run, &changes, &plan.watches)??;
        let machine = Machine::new(plan, by, around.account.now());
        Ok(Driver::over(around, machine, run, epoch, 0))
    }

    /// Takes over a run that another process began, to roll it back. That process must be dead, or is forced out.
    pub fn take_over(around: Surroundings<'a>, run: &RunId, by: String) -> Result<Driver<'a>, StoreError> {
        // A rollback goes out even when the journal can be read but not written (DESIGN rule 1): then no other process can be forced
        // out, and nothing is recorded.
        let (epoch, unwritable) = match around.store.take_over(run, &by) {
            Ok(epoch) => (epoch, None),
            Err(StoreError::Failed(why)) => (Epoch(0), Some(why)),
            Err(other) => return Err(other),
        };
        let Readable { events, last: seq, skipped: _ } = around.store.to_roll_back(run)?;
        let state = State::replay(events.iter().map(|recorded| (recorded.at, &recorded.event))).ok_or_else(|| {
            StoreError::Damaged { run: run.clone(), seq: 1, why: "its first event is not the start of a run".into() }
        })?;
        let machine = Machine::resume(state, by.clone(), epoch.0, around.account.now());
        let mut driver = Driver::over(around, machine, run.clone(), epoch, seq);
        driver.unrecorded = unwritable.is_some().then_some(by);
        driver.journal = unwritable;
        Ok(driver)
    }

    /// Rolls back what a closed run left, or a run of which only the locks in the account are left. `events` say what may be
    /// in the account: [`later::journal_of`](crate::run::later::journal_of) a state, or
    /// [`lock::journal_of`](crate::run::lock::journal_of) locks. They become a journal of its own, if it can be written.
    pub fn roll_back(around: Surroundings<'a>, events: Vec<Recorded>, by: String) -> Result<Driver<'a>, StoreError> {
        let state = State::replay(events.iter().map(|recorded| (recorded.at, &recorded.event)));
        let state = state.ok_or_else(|| StoreError::Failed("there is nothing to roll back from".into()))?;
        let run = state.plan.run.clone();
        let (epoch, unwritable) = match around.store.create(&run, &by) {
            Ok(epoch) => (epoch, None),
            Err(error) => (Epoch(0), Some(error.to_string())),
        };
        // What looks like the fault of the closed run may be that of another one, which changes the same now.
        let touched: Vec<Resource> = state.plan.touched().into_iter().collect();
        // A run whose own journal cannot be read is still open: its claims are no conflict, and keep all others away.
        if let Ok(Err(conflict)) = around.store.claim(&run, &[], &touched)
            && conflict.run != *state.plan.origin()
        {
            around.store.release(&run)?;
            return Err(StoreError::Failed(conflict.to_string()));
        }
        let machine = Machine::roll_back(state, around.account.now());
        let seq = events.last().map_or(0, |last| last.seq);
        let mut driver = Driver::over(around, machine, run, epoch, seq);
        driver.journal = unwritable;
        driver.pending = events;
        Ok(driver)
    }

    fn over(around: Surroundings<'a>, machine: Machine, run: RunId, epoch: Epoch, seq: u64) -> Driver<'a> {
        let monotonic = around.env.monotonic();
        let ticks = Ticks::from(around.env.now(), monotonic);
        Driver {
            owner: Owner::since(monotonic),
            last_owned: monotonic,
            ticks,
            told_clock: false,
            now: Time::EPOCH,
            around,
            machine,
            next: Input::Tick,
            run,
            epoch,
            seq,
            pending: Vec::new(),
            told: 0,
            journal: None,
            unrecorded: None,
            told_interrupt: false,
            told_ask: false,
            asked: None,
            last_ask: None,
        }
    }

    /// Runs to the end. `tell` hears each event once, in order, after it is durable (or could not be made so).
    pub fn run(&mut self, tell: &mut dyn FnMut(&Recorded)) -> Result<Ending, StoreError> {
        loop {
            if let Some(ending) = self.advance(tell)? {
                return Ok(ending);
            }
        }
    }

    /// One step of [`Driver::run`]: what happened is taken in, and the next thing waited for. For a caller that may leave a
    /// run where it is, because it runs in a model.
    pub fn advance(&mut self, tell: &mut dyn FnMut(&Recorded)) -> Result<Option<Ending>, StoreError> {
        let input = std::mem::replace(&mut self.next, Input::Tick);
        if let Err(lost) = self.turn(input, tell).and_then(|()| self.still_owns()) {
            // What waits for its turn must not go out under another's term, no inverse either.
            self.owner.lose();
            return match lost {
                StoreError::EpochLost { by, .. } => Ok(Some(Ending::TakenOver { by })),
                other => Err(other),
            };
        }
        if self.machine.closed() {
            return Ok(Some(self.ending()));
        }
        self.next = self.wait();
        Ok(None)
    }

    /// Asks this run to stop and roll back: what its owner does without a way over the store.
    pub fn ask_to_stop(&mut self, by: &str) {
        if !self.told_ask {
            self.asked = Some(by.to_owned());
        }
    }

    /// The account's clock when the run was looked at last.
    pub fn now(&self) -> Time {
        self.now
    }

    /// What is known of the run so far.
    pub fn state(&self) -> &State {
        self.machine.state()
    }

    fn ending(&mut self) -> Ending {
        // A claim that stays does no harm: claims of closed runs do not count.
        let _ = self.around.store.release(&self.run);
        let state = self.machine.state();
        Ending::Closed {
            verdict: state.closed.clone().unwrap_or_else(|| crate::run::conclude::verdict(state)),
            left: crate::run::conclude::left_behind(state),
            journal: self.journal.clone(),
        }
    }

    /// Gives the machine one input and performs what it wants. Errs only when the epoch is lost.
    fn turn(&mut self, input: Input, tell: &mut dyn FnMut(&Recorded)) -> Result<(), StoreError> {
        let mut inputs = std::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            // One reading for the machine and for what it records, so that a replay sees what the machine saw.
            self.now = self.now.max(self.around.account.now());
            let now = self.now;
            let effects = self.machine.step(now, input);
            if !self.machine.may_inject() {
                self.owner.stop();
            }
            for effect in effects {
                match effect {
                    Effect::Record(event) => {
                        self.seq += 1;
                        self.pending.push(Recorded { seq: self.seq, at: now, event });
                    }
                    Effect::Call { id, call, precondition, lane, deadline } => {
                        let owner = call.ends_with_the_faults().then(|| self.owner.clone());
                        let dispatch = Dispatch { lane, deadline, owner };
                        inputs.extend(self.perform(id, call, precondition, dispatch, tell)?);
                    }
                }
            }
            let must = self.around.live || self.machine.closed() || self.pending.len() >= BATCH;
            if must && let Err(why) = self.flush(tell)? {
                inputs.push_back(Input::JournalFailed { why });
            }
        }
        Ok(())
    }

    fn perform(
        &mut self,
        id: CallId,
        call: Call,
        precondition: Precondition,
        dispatch: Dispatch,
        tell: &mut dyn FnMut(&Recorded),
    ) -> Result<Vec<Input>, StoreError> {
        let mut more = Vec::new();
        if precondition != Precondition::Nothing {
            let before = self.around.env.monotonic();
            if let Err(why) = self.flush(tell)? {
                more.push(Input::JournalFailed { why });
            }
            self.check_owner()?;
            let monotonic = self.around.env.monotonic();
            let late = monotonic - before > INJECT_AT_ONCE;
            let trouble = self.ticks.look(self.around.env.now(), monotonic).is_some();
            let interrupted = self.around.interrupts.get().is_some();
            let stopped = self.journal.is_some() || late || trouble || interrupted;
            if precondition == Precondition::Durable && stopped {
                more.push(Input::NotSent(id));
                return Ok(more);
            }
        }
        self.around.account.submit_with(id, call, dispatch);
        Ok(more)
    }

    /// Makes what is pending durable. The outer error is a lost epoch, the inner one a journal that fails for the first time.
    fn flush(&mut self, tell: &mut dyn FnMut(&Recorded)) -> Result<Result<(), String>, StoreError> {
        if self.pending.is_empty() {
            return Ok(Ok(()));
        }
        self.take_what_was_locked()?;
        // Without an epoch of our own nothing may be appended.
        let appended = match self.epoch {
            Epoch(0) => Ok(()),
            epoch => self.around.store.append(&self.run, epoch, &self.pending),
        };
        if let Err(lost @ StoreError::EpochLost { .. }) = appended {
            return Err(lost);
        }
        // What could not be made durable is heard all the same, and tried again with what comes next.
        self.pending.iter().skip(self.told).for_each(tell);
        self.told = self.pending.len();
        match appended {
            Ok(()) if self.unrecorded.is_some() => Ok(Ok(())),
            Ok(()) => {
                self.pending.clear();
                self.told = 0;
                if self.epoch != Epoch(0) {
                    self.journal = None;
                    self.owned();
                }
                Ok(Ok(()))
            }
            Err(failed) => {
                let why = failed.to_string();
                let first = self.journal.is_none();
                self.journal.get_or_insert(why.clone());
                Ok(if first { Err(why) } else { Ok(()) })
            }
        }
    }

    /// A journal that could not be written when the run was taken over may be by now: then everything since is recorded.
    fn take_what_was_locked(&mut self) -> Result<(), StoreError> {
        let Some(by) = &self.unrecorded else { return Ok(()) };
        match self.around.store.take_over(&self.run, by) {
            Ok(epoch) => {
                // Without the last number nothing can be appended: it is tried again with what comes next.
                let Ok(readable) = self.around.store.to_roll_back(&self.run) else { return Ok(()) };
                for (seq, recorded) in (readable.last + 1..).zip(&mut self.pending) {
                    recorded.seq = seq;
                    self.seq = seq;
                }
                self.epoch = epoch;
                self.unrecorded = None;
                Ok(())
            }
            Err(lost @ StoreError::EpochLost { .. }) => Err(lost),
            Err(_) => Ok(()),
        }
    }

    /// Whether the run is still this process's. A store that cannot be read now says nothing.
    fn check_owner(&mut self) -> Result<(), StoreError> {
        match self.epoch {
            Epoch(0) => Ok(()),
            epoch => match self.around.store.append(&self.run, epoch, &[]) {
                Err(lost @ StoreError::EpochLost { .. }) => Err(lost),
                Err(_) => Ok(()),
                Ok(()) => {
                    self.owned();
                    Ok(())
                }
            },
        }
    }

    /// The store says now that the run is this process's.
    fn owned(&mut self) {
        self.last_owned = self.around.env.monotonic();
        self.owner.confirm(self.last_owned);
    }

    fn wait(&mut self) -> Input {
        if let Some(input) = self.asked_from_outside() {
            return input;
        }
        let reply = self.around.account.next(self.machine.wake_at());
        let trouble = self.ticks.tick(self.around.env.now(), self.around.env.monotonic());
        let input = match trouble {
            Some(Trouble::Overslept(span)) => Some(Input::Overslept(span)),
            Some(Trouble::Jumped { by_secs }) => Some(Input::ClockJumped { by_secs }),
            None => self.clock_is_off().map(|by_secs| Input::ClockOff { by_secs }),
        };
        match (input, reply) {
            (Some(input), reply) => {
                // The reply, if there is one, was to a call made before; it is taken in after what the clocks say.
                if let Some((id, outcome)) = reply {
                    self.machine.keep(id, outcome);
                }
                input
            }
            (None, Some((id, outcome))) => Input::Reply(id, outcome),
            (None, None) => Input::Tick,
        }
    }

    /// How far this machine's clock is off the account's, said once, when that is too much.
    fn clock_is_off(&mut self) -> Option<i64> {
        let off = self.around.account.clock_is_off().filter(|_| !self.told_clock);
        let off = off.filter(|by_secs| Span::from_secs(by_secs.abs()) > OFF_ACCOUNT)?;
        self.told_clock = true;
        Some(off)
    }

    /// Asks the store now and then whether the run is still this process's: calls that wait for their turn ask no store.
    fn still_owns(&mut self) -> Result<(), StoreError> {
        let now = self.around.env.monotonic();
        if self.epoch == Epoch(0) || now - self.last_owned < LOOK_FOR_OWNER {
            return Ok(());
        }
        self.last_owned = now;
        self.check_owner()
    }

    fn asked_from_outside(&mut self) -> Option<Input> {
        if let Some(interrupt) = self.around.interrupts.get().filter(|_| !self.told_interrupt) {
            self.told_interrupt = true;
            return Some(Input::Interrupted(interrupt));
        }
        if self.told_ask {
            return None;
        }
        if let Some(by) = self.asked.take() {
            self.told_ask = true;
            return Some(Input::AskedToStop { by });
        }
        let now = self.around.env.monotonic();
        if self.last_ask.is_some_and(|last| now - last < LOOK_FOR_ASKS) {
            return None;
        }
        self.last_ask = Some(now);
        // A store that cannot be read now says nothing; the journal's own failure is told by its writes.
        let by = self.around.store.stop_asked(&self.run).ok().flatten()?;
        self.told_ask = true;
        Some(Input::AskedToStop { by })
    }
}
