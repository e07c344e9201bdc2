//! Taps between a driver and its surroundings: at each effect that writes, the whole world is cloned, in the states in
//! which a crash at that effect could leave it.

use std::cell::RefCell;
use std::fmt::{Debug, Write};
use std::rc::Rc;

use squall::access::Act;
use squall::access::token::TokenRow;
use squall::account::sandbox::World;
use squall::account::sandbox::weather::Fate;
use squall::account::{Account, Call, CallId, Location, Outcome, Resource};
use squall::driver::{Driver, Ending, Surroundings};
use squall::env::{FixedEnv, Interrupts};
use squall::ids::{RunId, ScheduleName};
use squall::plan::Plan;
use squall::run::event::{Event, Left, Recorded};
use squall::store::approvals::ApprovalRow;
use squall::store::memory::MemoryStore;
use squall::store::occurrences::{self, OccurrenceKey, OccurrenceRow};
use squall::store::outbox::{Outgoing, Tried, WaitingMail};
use squall::store::prune::Pruned;
use squall::store::{Conflict, Epoch, RunRow, Store, StoreError};
use squall::units::{Span, Time};

/// A run, its crash and two rollbacks are over long before.
const NEVER_ENDS: Span = Span::from_mins(6 * 60);

/// Where a run crashed: the world and the journal as they were then.
pub struct Point {
    pub what: String,
    pub world: World,
    pub store: MemoryStore,
    /// So many effects in a row leave this very state when they crash: what is tried once is tried for all of them.
    pub effects: usize,
}

/// What two taps share.
pub struct Scene {
    pub world: World,
    pub store: MemoryStore,
    pub points: Vec<Point>,
    pub tapping: bool,
    /// The last thing that happened is an append.
    appended: bool,
}

pub type Shared = Rc<RefCell<Scene>>;

pub fn scene(world: World, store: MemoryStore, tapping: bool) -> Shared {
    Rc::new(RefCell::new(Scene { world, store, points: Vec::new(), tapping, appended: false }))
}

impl Scene {
    fn crash(&mut self, what: String, world: World) {
        let mut store = self.store.clone();
        store.crash();
        self.points.push(Point { what, world, store, effects: 1 });
    }

    /// A crash at an effect that leaves what the crash before left: neither the world nor the store was touched since.
    fn crash_again(&mut self) {
        if let Some(point) = self.points.last_mut() {
            point.effects += 1;
        }
    }

    /// The same crash with the call lost, with its reply lost, and with the write landing late.
    fn crash_at_call(&mut self, id: CallId, call: &Call) {
        let fates =
            [Fate::LostBefore, Fate::LostReply, Fate::LateBy(Span::from_secs(3)), Fate::LateBy(Span::from_secs(29))];
        for fate in fates {
            let mut world = self.world.clone();
            world.force_fate(0, fate);
            world.submit(id, call.clone());
            world.forget_caller();
            self.crash(format!("{fate:?} at {}", name(call)), world);
        }
    }

    /// The process goes on, but nobody will tell it what became of this call.
    fn neighbours(&mut self, what: String) {
        let mut world = self.world.clone();
        world.forget_caller();
        self.crash(what, world);
    }
}

fn name(call: &Call) -> String {
    match call {
        Call::Write(write) => format!("write of {} = {}", write.setting, write.value),
        other => short(other),
    }
}

/// The beginning of what something looks like; a plan with all that is in it is not written out for each point.
fn short(what: &dyn Debug) -> String {
    struct Beginning(String);
    impl Write for Beginning {
        fn write_str(&mut self, more: &str) -> std::fmt::Result {
            self.0.extend(more.chars().take(60 - self.0.len().min(60)));
            if self.0.len() < 60 { Ok(()) } else { Err(std::fmt::Error) }
        }
    }
    let mut beginning = Beginning(String::new());
    // It errs when it has enough.
    let _ = write!(beginning, "{what:?}");
    beginning.0
}

pub struct AccountTap(pub Shared);

impl Account for AccountTap {
    fn now(&self) -> Time {
        self.0.borrow().world.now()
    }

    fn submit(&mut self, id: CallId, call: Call) {
        assert!(!call.changes_something() || *call.location() == Location::sandbox(), "a foreign account: {call:?}");
        let mut scene = self.0.borrow_mut();
        scene.appended = false;
        // A renewal leaves nothing that a crash beside it would not leave too.
        if scene.tapping && call.changes_something() && !matches!(call, Call::Renew { .. }) {
            scene.crash_at_call(id, &call);
        }
        scene.world.submit(id, call);
    }

    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)> {
        let mut scene = self.0.borrow_mut();
        scene.appended = false;
        let now = scene.world.now();
        let limit = super::family::start() + NEVER_ENDS;
        assert!(now < limit, "the run never ends; it waits for {until}");
        scene.world.next(until.min(limit))
    }
}

pub struct StoreTap {
    shared: Shared,
    on_append: Box<dyn Fn()>,
}

impl StoreTap {
    pub fn over(shared: Shared) -> StoreTap {
        StoreTap { shared, on_append: Box::new(|| {}) }
    }

    /// Something happens before each append.
    pub fn on_append(&mut self, happens: impl Fn() + 'static) {
        self.on_append = Box::new(happens);
    }
}

impl Store for StoreTap {
    fn append(&mut self, run: &RunId, epoch: Epoch, events: &[Recorded]) -> Result<(), StoreError> {
        (self.on_append)();
        let mut scene = self.shared.borrow_mut();
        if !scene.tapping {
            return scene.store.append(run, epoch, events);
        }
        // Who asks whether the run is still its own appends nothing. Right after an append this is no other state.
        let nothing = events.is_empty() && std::mem::replace(&mut scene.appended, !events.is_empty());
        let what = short(&events.last().map(|last| &last.event));
        match nothing {
            true => scene.crash_again(),
            false => scene.neighbours(format!("before the append of {what}")),
        }
        scene.store.append(run, epoch, events)?;
        match events.is_empty() {
            true => scene.crash_again(),
            false => scene.neighbours(format!("after the append of {what}")),
        }
        Ok(())
    }

    fn create(&mut self, run: &RunId, owner: &str) -> Result<Epoch, StoreError> {
        self.shared.borrow_mut().store.create(run, owner)
    }
    fn events(&self, run: &RunId) -> Result<Vec<Recorded>, StoreError> {
        self.shared.borrow().store.events(run)
    }
    fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        self.shared.borrow().store.runs()
    }
    fn is_alive(&self, run: &RunId) -> Result<bool, StoreError> {
        self.shared.borrow().store.is_alive(run)
    }
    fn take_over(&mut self, run: &RunId, owner: &str) -> Result<Epoch, StoreError> {
        self.shared.borrow_mut().store.take_over(run, owner)
    }
    fn ask_to_stop(&mut self, run: &RunId, by: &str) -> Result<(), StoreError> {
        self.shared.borrow_mut().store.ask_to_stop(run, by)
    }
    fn stop_asked(&self, run: &RunId) -> Result<Option<String>, StoreError> {
        self.shared.borrow().store.stop_asked(run)
    }
    fn claim(
        &mut self,
        run: &RunId,
        changes: &[Resource],
        watches: &[Resource],
    ) -> Result<Result<(), Conflict>, StoreError> {
        self.shared.borrow_mut().store.claim(run, changes, watches)
    }
    fn release(&mut self, run: &RunId) -> Result<(), StoreError> {
        self.shared.borrow_mut().store.release(run)
    }
    fn set_halt(&mut self, by: Option<&str>) -> Result<(), StoreError> {
        self.shared.borrow_mut().store.set_halt(by)
    }
    fn halted(&self) -> Result<Option<String>, StoreError> {
        self.shared.borrow().store.halted()
    }
    fn counted_from(&mut self, schedule: &ScheduleName, definition: &str, now: Time) -> Result<Time, StoreError> {
        self.shared.borrow_mut().store.counted_from(schedule, definition, now)
    }
    fn claim_occurrence(&mut self, row: &OccurrenceRow) -> Result<bool, StoreError> {
        self.shared.borrow_mut().store.claim_occurrence(row)
    }
    fn settle_occurrence(&mut self, key: &OccurrenceKey, fate: &occurrences::Fate) -> Result<(), StoreError> {
        self.shared.borrow_mut().store.settle_occurrence(key, fate)
    }
    fn occurrences(&self, since: Time) -> Result<Vec<OccurrenceRow>, StoreError> {
        self.shared.borrow().store.occurrences(since)
    }
    fn put_token(&mut self, row: &TokenRow) -> Result<(), StoreError> {
        self.shared.borrow_mut().store.put_token(row)
    }
    fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        self.shared.borrow().store.tokens()
    }
    fn note(&mut self, act: &Act) -> Result<(), StoreError> {
        self.shared.borrow_mut().store.note(act)
    }
    fn acts(&self, since: Time) -> Result<Vec<Act>, StoreError> {
        self.shared.borrow().store.acts(since)
    }
    fn queue(&mut self, messages: &[Outgoing]) -> Result<usize, StoreError> {
        self.shared.borrow_mut().store.queue(messages)
    }
    fn due(&self, now: Time, most: usize) -> Result<Vec<Outgoing>, StoreError> {
        self.shared.borrow().store.due(now, most)
    }
    fn tried(&mut self, number: i64, tried: &Tried) -> Result<(), StoreError> {
        self.shared.borrow_mut().store.tried(number, tried)
    }
    fn mail(&self) -> Result<WaitingMail, StoreError> {
        self.shared.borrow().store.mail()
    }
    fn approve(&mut self, row: &ApprovalRow) -> Result<(), StoreError> {
        self.shared.borrow_mut().store.approve(row)
    }
    fn approvals(&self, schedule: &ScheduleName) -> Result<Vec<ApprovalRow>, StoreError> {
        self.shared.borrow().store.approvals(schedule)
    }
    fn use_approvals(&mut self, schedule: &ScheduleName, plan: &str, run: &RunId) -> Result<(), StoreError> {
        self.shared.borrow_mut().store.use_approvals(schedule, plan, run)
    }
    fn prune(&mut self, runs: &[RunId], before: Time) -> Result<Pruned, StoreError> {
        self.shared.borrow_mut().store.prune(runs, before)
    }
    fn forget_mail(&mut self, before: Time) -> Result<usize, StoreError> {
        self.shared.borrow_mut().store.forget_mail(before)
    }
}

/// What came of a driver's work.
pub struct Driven {
    pub world: World,
    pub points: Vec<Point>,
    pub ending: Ending,
    pub store: MemoryStore,
    /// The journal that was written.
    pub run: RunId,
}

/// How a driver comes to a run.
pub enum Comes<'a> {
    Begins(&'a Plan),
    Undoes(RunId),
    /// The run is closed, or its journal is lost: what is known begins a journal of its own.
    Later(Vec<Recorded>),
}

/// Drives a run to its end; with `tapping`, every effect is a point to crash at.
pub fn drive(comes: Comes<'_>, world: World, store: MemoryStore, tapping: bool) -> Driven {
    let shared = scene(world, store, tapping);
    let (mut account, mut tapped) = (AccountTap(shared.clone()), StoreTap::over(shared.clone()));
    let env = FixedEnv::at(super::family::start());
    let run = match &comes {
        Comes::Begins(plan) => plan.run.clone(),
        Comes::Undoes(run) => run.clone(),
        Comes::Later(events) => events.first().map_or(RunId(String::new()), journal_named_by),
    };
    let ending = {
        let around = Surroundings {
            account: &mut account,
            store: &mut tapped,
            env: &env,
            interrupts: Interrupts::none(),
            live: false,
        };
        let mut driver = match comes {
            Comes::Begins(plan) => Driver::begin(around, plan.clone(), "grid".into()).expect("it begins"),
            Comes::Undoes(run) => Driver::take_over(around, &run, "undo".into()).expect("it is taken over"),
            Comes::Later(events) => Driver::roll_back(around, events, "undo".into()).expect("it begins"),
        };
        driver.run(&mut |_| {}).expect("it ends")
    };
    drop((account, tapped));
    let scene = Rc::try_unwrap(shared).ok().expect("no tap is left").into_inner();
    Driven { world: scene.world, points: scene.points, ending, store: scene.store, run }
}

fn journal_named_by(first: &Recorded) -> RunId {
    match &first.event {
        Event::Started { plan, .. } => plan.run.clone(),
        other => panic!("no start: {other:?}"),
    }
}

impl Driven {
    pub fn events(&self) -> Vec<Recorded> {
        self.store.events(&self.run).expect("a journal")
    }

    pub fn left(&self) -> &[Left] {
        match &self.ending {
            Ending::Closed { left, .. } => left,
            Ending::TakenOver { by } => panic!("taken over by {by}"),
        }
    }
}
