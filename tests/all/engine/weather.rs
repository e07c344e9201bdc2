//! Weather of time for the crash grid: clocks that are set, a machine that sleeps, credentials that end, and calls that wait in a
//! queue with lanes. Each befalls a run at every call that it makes; afterwards everything is as before, or what is left is
//! named.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use squall::account::gateway::{Dispatch, Lane, Ticket, Turn, Turns};
use squall::account::sandbox::{World, shop_like};
use squall::account::{Account, Call, CallError, CallId, Outcome, RefusedBy};
use squall::clock::AccountClock;
use squall::driver::{Driver, Ending, Surroundings};
use squall::env::{Env, Interrupt, Interrupts};
use squall::ids::RunId;
use squall::plan::Plan;
use squall::run::event::{Event, Phase, Recorded, Stop};
use squall::store::Store as _;
use squall::store::memory::MemoryStore;
use squall::units::{Span, Time};

use super::family::{self, start};
use crate::effort::effort;

/// The grid is worth nothing when it quietly shrinks.
const FLOOR: usize = 2_000;
/// Later than any write in doubt, and any message, can still land.
const ALL_LANDED: Span = Span::from_mins(10);
/// After it wakes a machine has no network for so long.
const NO_NETWORK: Span = Span::from_secs(12);

/// What befalls the machine, or its credentials.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Befalls {
    /// The wall clock is set by so many seconds.
    ClockSet(i64),
    Sleeps(Span),
    /// Every call is refused for so long.
    CredentialsEnd(Span),
}

const EVENTS: [Befalls; 7] = [
    Befalls::ClockSet(-20 * 60),
    Befalls::ClockSet(-8),
    Befalls::ClockSet(20 * 60),
    Befalls::Sleeps(Span::from_secs(8)),
    Befalls::Sleeps(Span::from_mins(20)),
    Befalls::CredentialsEnd(Span::from_mins(5)),
    Befalls::CredentialsEnd(Span::from_mins(60 * 12)),
];

/// The clocks of a machine.
#[derive(Default)]
struct Clocks {
    wall: AtomicI64,
    monotonic: AtomicI64,
}

impl Env for Clocks {
    fn now(&self) -> Time {
        Time::from_micros(self.wall.load(Ordering::SeqCst))
    }
    fn monotonic(&self) -> Span {
        Span::from_micros(self.monotonic.load(Ordering::SeqCst))
    }
    fn sleep(&self, _: Span) {}
    fn entropy(&self) -> u64 {
        0
    }
    fn var(&self, _: &str) -> Option<String> {
        None
    }
    fn who(&self) -> String {
        "tester@here".into()
    }
}

/// A world that is reached from such a machine: its time is the true one.
struct Machine {
    world: World,
    env: Arc<Clocks>,
    clock: RefCell<AccountClock>,
    befalls: Option<(usize, Befalls)>,
    /// When it befell, by the world's clock.
    befell: Option<Time>,
    calls: usize,
    /// By how many microseconds the wall clock is wrong.
    wrong: i64,
    slept: Span,
    no_network_until: Time,
    refused_until: Time,
    own: VecDeque<(CallId, Outcome)>,
}

impl Machine {
    fn new(world: World, befalls: Option<(usize, Befalls)>) -> Machine {
        let machine = Machine {
            world,
            env: Arc::default(),
            clock: RefCell::default(),
            befalls,
            befell: None,
            calls: 0,
            wrong: 0,
            slept: Span::ZERO,
            no_network_until: Time::EPOCH,
            refused_until: Time::EPOCH,
            own: VecDeque::new(),
        };
        machine.show();
        machine
    }

    /// The clocks of the machine show what they show now.
    fn show(&self) {
        let world = self.world.now();
        self.env.wall.store(world.micros() + self.wrong, Ordering::SeqCst);
        self.env.monotonic.store((world.since(start()) - self.slept).micros(), Ordering::SeqCst);
    }

    fn befall(&mut self, event: Befalls) {
        self.befell = Some(self.world.now());
        match event {
            Befalls::ClockSet(secs) => self.wrong += secs * 1_000_000,
            Befalls::Sleeps(span) => {
                self.world.run_until(self.world.now() + span);
                self.slept = self.slept + span;
                self.no_network_until = self.world.now() + NO_NETWORK;
            }
            Befalls::CredentialsEnd(span) => self.refused_until = self.world.now() + span,
        }
        self.show();
    }
}

impl Account for Machine {
    fn now(&self) -> Time {
        self.show();
        self.clock.borrow_mut().at(self.env.now(), self.env.monotonic())
    }

    fn submit(&mut self, id: CallId, call: Call) {
        self.calls += 1;
        if let Some((_, event)) = self.befalls.filter(|(at, _)| *at == self.calls) {
            self.befall(event);
        }
        let now = self.world.now();
        if now < self.refused_until {
            let message = "ExpiredToken: the security token is expired".to_owned();
            self.own.push_back((id, Err(CallError::Refused { by: RefusedBy::Permission, message })));
        } else if now < self.no_network_until {
            self.own.push_back((id, Err(CallError::Unknown("no network".into()))));
        } else {
            self.world.submit(id, call);
        }
    }

    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)> {
        let answer = self.own.pop_front().or_else(|| {
            let ahead = self.now().micros() - self.world.now().micros();
            let limit = Time::from_micros(until.micros().saturating_sub(ahead));
            // A driver looks at its clocks at least every few seconds, whatever it waits for.
            self.world.next(limit.min(self.world.now() + Span::from_secs(10)))
        });
        self.show();
        answer
    }
}

struct Ran {
    world: World,
    ending: Ending,
    events: Vec<Recorded>,
    calls: usize,
    befell: Option<Time>,
}

/// A run on such a machine; what is left over is rolled back afterwards from its journal, on a machine where all is well.
fn run(plan: &Plan, world: World, befalls: Option<(usize, Befalls)>) -> Ran {
    let mut machine = Machine::new(world, befalls);
    let env = machine.env.clone();
    let (mut store, mut events) = (MemoryStore::new(), Vec::new());
    let around = Surroundings {
        account: &mut machine,
        store: &mut store,
        env: &*env,
        interrupts: Interrupts::none(),
        live: false,
    };
    let mut driver = Driver::begin(around, plan.clone(), "grid".into()).expect("it begins");
    let ending = driver.run(&mut |event| events.push(event.clone())).expect("it ends");
    drop(driver);
    let stored = store.events(&plan.run).expect("a journal");
    assert_eq!(stored, events, "the journal is what was told");
    let Machine { world, calls, befell, .. } = machine;
    Ran { world, ending, events, calls, befell }
}

/// Everything is as before, or each difference is named; gives back how many are.
fn check(before: &BTreeMap<String, String>, world: &mut World, ending: &Ending, what: &str) -> usize {
    let Ending::Closed { left, .. } = ending else { panic!("{what}: not closed") };
    world.run_until(world.now() + ALL_LANDED);
    let after = world.picture();
    for key in before.keys().chain(after.keys()).filter(|key| before.get(*key) != after.get(*key)) {
        let named = left
            .iter()
            .any(|left| key.contains(&left.resource.name) || key.split(' ').any(|word| left.what.ends_with(word)));
        assert!(named, "{what}\n{key}: {:?} before, {:?} after; left: {left:?}", before.get(key), after.get(key));
    }
    left.len()
}

#[test]
fn clocks_sleep_and_credentials_leave_nothing_behind() {
    let (mut points, mut left) = (0, 0);
    for seed in 0..12 * u64::from(effort()) {
        let plan = family::plan(seed, start());
        let world = World::new(&shop_like(), seed, start()).expect("a world");
        let before = world.picture();
        let calls = run(&plan, world.clone(), None).calls;
        for (number, event) in (1..=calls).flat_map(|at| EVENTS.map(|event| (at, event))) {
            let what = format!("{}: {event:?} at call {number} of {calls}", plan.title);
            let mut ran = run(&plan, world.clone(), Some((number, event)));
            let some = check(&before, &mut ran.world, &ran.ending, &what);
            let times = ran.events.iter().map(|recorded| recorded.at);
            assert!(times.is_sorted(), "{what}: a journal goes back in time");
            match event {
                Befalls::ClockSet(_) | Befalls::Sleeps(_) => {
                    assert_eq!(some, 0, "{what}: something was left");
                    stopped_at_once(&ran, event, &what);
                }
                Befalls::CredentialsEnd(_) => left += usize::from(some > 0),
            }
            points += 1;
        }
    }
    println!("weather of time: {points} points, {left} of them with something left and named");
    assert!(left > 0, "credentials that never come back leave something");
    assert!(points >= FLOOR, "{points} points are fewer than {FLOOR}");
}

/// Whatever the clock says, the faults are out within the minutes that their rollback takes: a run does not stand still with them.
fn stopped_at_once(ran: &Ran, event: Befalls, what: &str) {
    let Some(befell) = ran.befell else { return };
    let stop = ran.events.iter().find_map(|recorded| match &recorded.event {
        Event::Stopping { why } => Some(why),
        _ => None,
    });
    let rollback = Event::Entered { phase: Phase::Rollback };
    let rolling_back_already = ran.events.iter().any(|recorded| recorded.event == rollback && recorded.at <= befell);
    let seen = matches!(stop, Some(Stop::ClockJumped { .. } | Stop::Overslept { .. }));
    assert!(seen || rolling_back_already, "{what}: {stop:?}");
    let woke = match event {
        Befalls::Sleeps(span) => befell + span,
        _ => befell,
    };
    // The world's time at the end; a sweep of messages takes the longest.
    let took = (ran.world.now() - ALL_LANDED).since(woke);
    assert!(took <= Span::from_mins(25), "{what}: it took {took} of true time to end");
}

/// A world whose settings are written one in a second at the most, by turns; reads cost nothing.
struct Queued {
    world: World,
    env: Arc<Clocks>,
    turns: Turns,
    waiting: BTreeMap<Ticket, (CallId, Call, Dispatch)>,
    own: VecDeque<(CallId, Outcome)>,
    /// Each write as it went out.
    sent: Vec<(Time, Lane)>,
    /// The world and the journal as a crash at each write would leave them; what waits dies with the process.
    points: Vec<(World, MemoryStore)>,
    store: Option<MemoryStore>,
    interrupt: Option<(usize, Interrupts)>,
}

impl Queued {
    fn new(world: World) -> Queued {
        let queued = Queued {
            world,
            env: Arc::default(),
            turns: Turns::of(1.0, 1),
            waiting: BTreeMap::new(),
            own: VecDeque::new(),
            sent: Vec::new(),
            points: Vec::new(),
            store: None,
            interrupt: None,
        };
        queued.show();
        queued
    }

    fn show(&self) {
        self.env.wall.store(self.world.now().micros(), Ordering::SeqCst);
        self.env.monotonic.store(self.world.now().since(start()).micros(), Ordering::SeqCst);
    }

    /// Sends whose turn it is; when the next one's comes.
    fn send(&mut self) -> Time {
        let (mut next, monotonic) = (Time::NEVER, self.env.monotonic());
        for ticket in self.waiting.keys().copied().collect::<Vec<_>>() {
            let may_go = self.waiting[&ticket].2.may_go(self.world.now(), monotonic);
            let turn = may_go.map(|()| self.turns.ask(ticket, monotonic));
            match turn {
                Ok(Turn::In(wait)) => next = next.min(self.world.now() + wait),
                Ok(Turn::Now) => {
                    let Some((id, call, dispatch)) = self.waiting.remove(&ticket) else { continue };
                    if let Some((after, interrupts)) = &self.interrupt
                        && self.sent.len() == *after
                    {
                        interrupts.raise(Interrupt::Terminate);
                    }
                    self.sent.push((self.world.now(), dispatch.lane));
                    if let Some(store) = &self.store {
                        let mut crashed = store.clone();
                        crashed.crash();
                        self.points.push((self.world.clone(), crashed));
                    }
                    self.world.submit(id, call);
                }
                Err(why) => {
                    self.turns.leave(ticket);
                    let Some((id, ..)) = self.waiting.remove(&ticket) else { continue };
                    let message = why.to_string();
                    self.own.push_back((id, Err(CallError::Refused { by: RefusedBy::NotSent, message })));
                }
            }
        }
        next
    }
}

impl Account for Queued {
    fn now(&self) -> Time {
        self.world.now()
    }

    fn submit(&mut self, id: CallId, call: Call) {
        self.submit_with(id, call, Dispatch::default());
    }

    fn submit_with(&mut self, id: CallId, call: Call, dispatch: Dispatch) {
        if !matches!(call, Call::Write(_)) {
            return self.world.submit(id, call);
        }
        let ticket = self.turns.join(dispatch.lane);
        self.waiting.insert(ticket, (id, call, dispatch));
    }

    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)> {
        self.show();
        let next = self.send();
        let answer = self.own.pop_front().or_else(|| {
            // As the real one does: never for long, so that signals are looked at.
            self.world.next(until.min(next).min(self.world.now() + Span::from_millis(100)))
        });
        self.show();
        answer
    }
}

fn drive(queued: &mut Queued, store: &mut MemoryStore, comes: Result<&Plan, &RunId>, interrupts: Interrupts) -> Ending {
    let env = queued.env.clone();
    let around = Surroundings { account: queued, store, env: &*env, interrupts, live: false };
    let mut driver = match comes {
        Ok(plan) => Driver::begin(around, plan.clone(), "grid".into()).expect("it begins"),
        Err(run) => Driver::take_over(around, run, "undo".into()).expect("it is taken over"),
    };
    driver.run(&mut |_| {}).expect("it ends")
}

/// A signal or a crash at each write that goes out, with others waiting behind it.
#[test]
fn a_queue_with_lanes_leaves_nothing_behind() {
    let (mut signals, mut crashes) = (0, 0);
    for seed in 0..10 * u64::from(effort()) {
        let plan = family::plan(seed, start());
        let world = World::new(&shop_like(), seed, start()).expect("a world");
        let before = world.picture();
        let mut first = Queued::new(world.clone());
        let mut store = MemoryStore::new();
        first.store = Some(store.another_process());
        let ending = drive(&mut first, &mut store, Ok(&plan), Interrupts::none());
        assert_eq!(check(&before, &mut first.world, &ending, &plan.title), 0);
        let points = std::mem::take(&mut first.points);
        for after in 0..first.sent.len() {
            let what = format!("{}: a signal at write {after}", plan.title);
            let mut queued = Queued::new(world.clone());
            let interrupts = Interrupts::none();
            queued.interrupt = Some((after, interrupts.clone()));
            let ending = drive(&mut queued, &mut MemoryStore::new(), Ok(&plan), interrupts);
            let faults = queued.sent.iter().skip(after + 1).filter(|(_, lane)| *lane == Lane::Ordinary).count();
            assert_eq!(faults, 0, "{what}: faults went out after it");
            assert_eq!(check(&before, &mut queued.world, &ending, &what), 0, "{what}");
            signals += 1;
        }
        for (number, (mut world, mut store)) in points.into_iter().enumerate() {
            let what = format!("{}: a crash at write {number}", plan.title);
            world.forget_caller();
            let mut queued = Queued::new(world);
            let ending = drive(&mut queued, &mut store, Err(&plan.run), Interrupts::none());
            assert_eq!(check(&before, &mut queued.world, &ending, &what), 0, "{what}");
            crashes += 1;
        }
    }
    println!("queue with lanes: {signals} signals and {crashes} crashes");
    assert!(signals > 60 && crashes > 60, "{signals} {crashes}");
}
