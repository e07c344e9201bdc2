//! Signals and panics at every place. What is checked here is checked on planted faults as well: a driver that does not hear
//! the signal, and one that nobody supervises.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use squall::account::sandbox::World;
use squall::account::{Account, Call, CallId, Outcome};
use squall::driver::supervise::supervise;
use squall::driver::{Driver, Surroundings};
use squall::env::{FixedEnv, Interrupt, Interrupts};
use squall::plan::{ChangeId, Plan};
use squall::run::event::{Event, Recorded};
use squall::run::state::State;
use squall::store::memory::MemoryStore;
use squall::units::{Span, Time};

use super::family::{self, start};
use super::tap::{StoreTap, scene};
use super::ways_out::{run_with, world};

/// Whether a call puts a fault in: the value after of a change, or a message.
fn injects(plan: &Plan, call: &Call) -> bool {
    match call {
        Call::Write(write) => plan
            .changes
            .values()
            .any(|change| !change.setting.is_lock() && change.setting == write.setting && change.after == write.value),
        Call::Send { .. } => true,
        _ => false,
    }
}

/// How many faults go in without an interrupt.
fn injections(plan: &Plan) -> usize {
    let mut count = 0;
    run_with(plan.clone(), world(), &mut MemoryStore::new(), &FixedEnv::at(start()), Interrupts::none(), |_, call| {
        count += usize::from(injects(plan, call));
    });
    count
}

/// Raises a signal at the call of this number that changes something, counted from 1; with `deaf` the driver does not hear
/// it. Says how many faults had gone in by then, or what is wrong.
fn interrupt_at(plan: &Plan, number: usize, deaf: bool) -> Result<Option<usize>, String> {
    let heard = Interrupts::none();
    let signal = if deaf { Interrupts::none() } else { heard.clone() };
    let raised: Rc<RefCell<Option<Time>>> = Rc::default();
    let (when, before, after) = (raised.clone(), Cell::new(0), Cell::new(0));
    let mut calls = 0;
    let ran = run_with(plan.clone(), world(), &mut MemoryStore::new(), &FixedEnv::at(start()), heard, |world, call| {
        if injects(plan, call) {
            let counted = if when.borrow().is_some() { &after } else { &before };
            counted.set(counted.get() + 1);
        }
        calls += usize::from(call.changes_something());
        if calls == number && when.borrow().is_none() {
            *when.borrow_mut() = Some(world.now());
            signal.raise(Interrupt::Terminate);
        }
    });
    let Some(raised) = *raised.borrow() else { return Ok(None) };
    if after.get() > 0 {
        return Err(format!("{} faults went in after the signal at call {number}", after.get()));
    }
    // What was changed at that moment, locks apart, goes out at once.
    let until = ran.events.iter().take_while(|recorded| recorded.at <= raised);
    let state = State::replay(until.map(|recorded| (recorded.at, &recorded.event))).expect("it had begun");
    let is_fault = |id: &ChangeId| plan.changes.get(id).is_some_and(|change| !change.setting.is_lock());
    let in_by_then = state.outstanding().any(|id| is_fault(&id) && state.lives[&id].restoring.is_none());
    let inverses =
        ran.events.iter().filter(|recorded| recorded.at >= raised).find_map(|recorded| match &recorded.event {
            Event::Restoring { change, .. } if is_fault(change) => Some(recorded.at),
            _ => None,
        });
    if in_by_then && inverses.is_none_or(|at| at > raised + Span::from_secs(1)) {
        return Err(format!("after the signal at call {number} the first inverse went out at {inverses:?}"));
    }
    match ran.picture == world().picture() {
        true => Ok(Some(before.get())),
        false => Err(format!("something is left after the signal at call {number}")),
    }
}

#[test]
fn from_a_signal_on_no_fault_goes_in_and_the_first_inverse_is_out_within_a_second() {
    let (mut cut_short, mut all) = (0, 0);
    for seed in 0..12 {
        let plan = family::plan(seed, start());
        let whole = injections(&plan);
        for number in 1.. {
            match interrupt_at(&plan, number, false) {
                Ok(Some(before)) => {
                    all += 1;
                    cut_short += usize::from(before < whole);
                }
                Ok(None) => break,
                Err(why) => panic!("seed {seed}: {why}"),
            }
        }
    }
    assert!(cut_short >= 20 && all >= 40, "{cut_short} of {all} signals came before the last fault");
}

#[test]
fn a_driver_that_does_not_hear_the_signal_is_seen() {
    let plan = family::plan(5, start());
    let seen = (1..=plan.changes.len()).filter(|number| interrupt_at(&plan, *number, true).is_err()).count();
    assert!(seen > 0, "the check of signals cannot fail");
}

/// Where the bug of squall is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// When a call is submitted, read or write.
    Submit,
    /// When a reply is taken.
    Next,
    /// When an event is told.
    Tell,
    /// When events are appended.
    Append,
}

/// Panics at the n-th visit of a place, once.
#[derive(Clone)]
struct Bug {
    place: Place,
    left: Rc<Cell<usize>>,
}

impl Bug {
    fn visit(&self, place: &Place) {
        if std::mem::discriminant(&self.place) != std::mem::discriminant(place) || self.left.get() == 0 {
            return;
        }
        self.left.set(self.left.get() - 1);
        assert!(self.left.get() != 0, "a bug of squall");
    }
}

struct Panics {
    world: World,
    bug: Bug,
}

impl Account for Panics {
    fn now(&self) -> Time {
        self.world.now()
    }
    fn submit(&mut self, id: CallId, call: Call) {
        self.bug.visit(&Place::Submit);
        self.world.submit(id, call);
    }
    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)> {
        self.bug.visit(&Place::Next);
        self.world.next(until)
    }
}

/// Runs with a bug at the n-th visit of a place. Whether it was met; what is wrong otherwise.
fn panic_at(place: Place, number: usize, supervised: bool) -> Result<bool, String> {
    let plan = family::throttle();
    let bug = Bug { place, left: Rc::new(Cell::new(number)) };
    let mut account = Panics { world: world(), bug: bug.clone() };
    let shared = scene(world(), MemoryStore::new(), false);
    let mut store = StoreTap::over(shared);
    let env = FixedEnv::at(start());
    let (run, appended) = (plan.run.clone(), bug.clone());
    store.on_append(move || appended.visit(&Place::Append));
    let around = Surroundings {
        account: &mut account,
        store: &mut store,
        env: &env,
        interrupts: Interrupts::none(),
        live: true,
    };
    let begin = |around: Surroundings<'_>, tell: &mut dyn FnMut(&Recorded)| {
        Driver::begin(around, plan, "one".into()).expect("it begins").run(tell)
    };
    let mut tell = |_: &Recorded| bug.visit(&Place::Tell);
    let met = match supervised {
        true => {
            supervise(around, &run, "supervisor", begin, &mut tell).map(|ended| ended.panic.or(ended.mute).is_some())
        }
        false => Ok(catch_unwind(AssertUnwindSafe(|| begin(around, &mut tell))).is_err()),
    };
    let met = met.map_err(|error| format!("{place:?} {number}: {error}"))?;
    match account.world.picture() == world().picture() {
        true => Ok(met),
        false => Err(format!("something is left after a panic at {place:?} {number}")),
    }
}

#[test]
fn a_panic_anywhere_ends_in_the_undo() {
    for place in [Place::Submit, Place::Next, Place::Tell, Place::Append] {
        let mut met = 0;
        while panic_at(place, met + 1, true).unwrap_or_else(|why| panic!("{why}")) {
            met += 1;
        }
        assert!(met >= 8, "{place:?} was visited {met} times only");
    }
}

#[test]
fn a_panic_that_nobody_supervises_is_seen() {
    let seen = (1..20).filter(|number| panic_at(Place::Submit, *number, false).is_err()).count();
    assert!(seen > 0, "the check of panics cannot fail");
}
