//! Every way out of a run ends in the rollback, and the rollback touches nothing that is not the run's.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use squall::account::sandbox::weather::{Act, ThirdParty, Weather, When};
use squall::account::sandbox::{World, shop_like};
use squall::account::{
    Account, Call, CallId, Location, Message, Outcome, Resource, ResourceKind, RunMarker, Setting, Value, Write,
};
use squall::driver::{Driver, Ending, NotBegun, Surroundings};
use squall::env::{Env, FixedEnv, Interrupts};
use squall::ids::RunId;
use squall::judge::verdict::VerdictKind;
use squall::plan::Plan;
use squall::run::event::{Event, Phase, Recorded, Stop};
use squall::run::state::State;
use squall::store::Store;
use squall::store::memory::MemoryStore;
use squall::units::{Span, Time};

use super::family::{self, start};

pub(super) fn world() -> World {
    World::new(&shop_like(), 7, start()).expect("a world")
}

/// Looks at each call on its way, and at what the account does.
pub(super) struct Watched<'a, F: FnMut(&mut World, &Call)> {
    world: World,
    before: F,
    changing: &'a Cell<usize>,
}

impl<F: FnMut(&mut World, &Call)> Account for Watched<'_, F> {
    fn now(&self) -> Time {
        self.world.now()
    }
    fn submit(&mut self, id: CallId, call: Call) {
        (self.before)(&mut self.world, &call);
        self.changing.set(self.changing.get() + usize::from(call.changes_something()));
        self.world.submit(id, call);
    }
    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)> {
        self.world.next(until)
    }
}

/// A clock that a test can turn.
#[derive(Default)]
struct Turned(std::sync::atomic::AtomicI64);

impl Env for Turned {
    fn now(&self) -> Time {
        Time::from_micros(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
    fn monotonic(&self) -> Span {
        Span::from_micros(self.0.load(std::sync::atomic::Ordering::SeqCst))
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

pub(super) struct Ran {
    ending: Ending,
    pub(super) events: Vec<Recorded>,
    pub(super) picture: BTreeMap<String, String>,
    changing: usize,
}

impl Ran {
    fn left(&self) -> Vec<String> {
        match &self.ending {
            Ending::Closed { left, .. } => {
                left.iter().map(|left| format!("{}: {}", left.resource, left.what)).collect()
            }
            Ending::TakenOver { .. } => panic!("taken over"),
        }
    }

    fn stop(&self) -> Option<&Stop> {
        self.events.iter().find_map(|recorded| match &recorded.event {
            Event::Stopping { why } => Some(why),
            _ => None,
        })
    }

    fn kind(&self) -> VerdictKind {
        match &self.ending {
            Ending::Closed { verdict, .. } => verdict.kind,
            Ending::TakenOver { .. } => panic!("taken over"),
        }
    }
}

pub(super) fn run_with(
    plan: Plan,
    mut world: World,
    store: &mut dyn Store,
    env: &dyn Env,
    interrupts: Interrupts,
    before: impl FnMut(&mut World, &Call),
) -> Ran {
    let changing = Cell::new(0);
    let mut events = Vec::new();
    let mut account = Watched { world: world.clone(), before, changing: &changing };
    let ending = {
        let around = Surroundings { account: &mut account, store, env, interrupts, live: false };
        let mut driver = Driver::begin(around, plan, "tester@here".into()).expect("it begins");
        driver.run(&mut |recorded| events.push(recorded.clone())).expect("it ends")
    };
    world = account.world;
    Ran { ending, events, picture: world.picture(), changing: changing.get() }
}

fn run(plan: Plan, world: World) -> Ran {
    run_with(plan, world, &mut MemoryStore::new(), &FixedEnv::at(start()), Interrupts::none(), |_, _| {})
}

#[test]
fn a_run_to_its_end_leaves_nothing() {
    let before = world().picture();
    let ran = run(family::throttle(), world());
    assert_eq!(ran.left(), Vec::<String>::new());
    assert_eq!(ran.picture, before);
    assert_eq!(ran.kind(), VerdictKind::Unknown, "no evidence was looked for in time, so nothing can be said");
    assert!(ran.changing >= 4, "mark, throttle and their undo");
}

#[test]
fn what_the_journal_says_is_what_the_machine_knew() {
    let mut store = MemoryStore::new();
    let ran =
        run_with(family::plan(3, start()), world(), &mut store, &FixedEnv::at(start()), Interrupts::none(), |_, _| {});
    let plan = family::plan(3, start());
    let stored = store.events(&plan.run).expect("a journal");
    assert_eq!(stored, ran.events, "live and stored are the same");
    for cut in 1..=stored.len() {
        let state = State::replay(stored[..cut].iter().map(|r| (r.at, &r.event))).expect("a state");
        if cut == stored.len() {
            assert!(state.clean() && state.closed.is_some());
        }
    }
}

/// Somebody sets the concurrency while our throttle is in.
#[test]
fn a_third_partys_change_is_left_alone_and_named() {
    let plan = family::throttle();
    let setting = plan.changes.values().find(|c| !c.setting.is_lock()).expect("a change").setting.clone();
    let theirs = Write { setting, value: Value::Number(42), whole: None };
    let weather = Weather {
        third_party: vec![ThirdParty { when: When::At(start() + Span::from_secs(20)), act: Act::Set(theirs) }],
        ..Weather::calm()
    };
    let ran = run(plan, world().with_weather(weather));
    assert!(ran.left()[0].contains("others set it to 42"), "{:?}", ran.left());
    assert_eq!(ran.picture.get("reserved concurrency of function payment-worker"), Some(&"42".to_owned()));
    assert!(!ran.picture.keys().any(|key| key.starts_with("lock on ")), "the lock goes: nothing of ours is there");
}

#[test]
fn a_drift_in_mid_run_stops_it_and_is_unknown() {
    let mut plan = family::throttle();
    plan.steps[0].lasts = Span::from_mins(30);
    let setting = plan.changes.values().find(|c| !c.setting.is_lock()).expect("a change").setting.clone();
    let theirs = Write { setting, value: Value::Number(42), whole: None };
    let weather = Weather {
        third_party: vec![ThirdParty { when: When::At(start() + Span::from_secs(60)), act: Act::Set(theirs) }],
        ..Weather::calm()
    };
    let ran = run(plan, world().with_weather(weather));
    assert!(matches!(ran.stop(), Some(Stop::Drifted { .. })), "{:?}", ran.stop());
    assert_eq!(ran.kind(), VerdictKind::Unknown);
    let stopped = ran.events.iter().find(|r| matches!(r.event, Event::Stopping { .. })).expect("a stop").at;
    assert!(stopped <= start() + Span::from_secs(120), "seen at {stopped}");
}

#[test]
fn a_change_between_plan_and_run_stops_before_anything_is_written_there() {
    let plan = family::throttle();
    let setting = plan.changes.values().find(|c| !c.setting.is_lock()).expect("a change").setting.clone();
    let theirs = Write { setting, value: Value::Number(42), whole: None };
    let weather =
        Weather { third_party: vec![ThirdParty { when: When::At(start()), act: Act::Set(theirs) }], ..Weather::calm() };
    let ran = run(plan, world().with_weather(weather));
    assert!(matches!(ran.stop(), Some(Stop::Drifted { .. })), "{:?}", ran.stop());
    assert_eq!(ran.left(), Vec::<String>::new(), "nothing of ours was ever there");
    assert_eq!(ran.picture.get("reserved concurrency of function payment-worker"), Some(&"42".to_owned()));
}

#[test]
fn a_marked_resource_is_refused_and_its_run_named() {
    let mut account = world();
    let planned = family::throttle();
    let lock = planned.changes.values().find(|c| c.setting.is_lock()).expect("a mark");
    let theirs = lock.after.to_string().replace(&planned.run.0, "run-other");
    let other = Write { setting: lock.setting.clone(), value: Value::Text(theirs), whole: None };
    squall::account::ask(&mut account, Call::Write(other)).expect("marked");
    let before = account.picture();
    let ran = run(family::throttle(), account);
    assert!(matches!(ran.stop(), Some(Stop::Failed { why, .. }) if why.contains("run-other")), "{:?}", ran.stop());
    assert_eq!(ran.picture, before, "the other run's mark stays, and nothing stacks");
    let recovers = |event: &Recorded| matches!(event.event, Event::Entered { phase: Phase::Recovery });
    assert!(!ran.events.iter().any(recovers), "no fault went in, so there is nothing to recover from");
}

/// A receive shows ten messages at the most, and may show the same ten again and again.
#[test]
fn dead_letters_behind_those_of_others_are_swept_too() {
    let mut account = world();
    let queue = Resource::new(&Location::sandbox(), ResourceKind::Queue, "orders-dlq");
    for number in 1..=15 {
        let marker = RunMarker { run: RunId("run-other".into()), number };
        let messages = vec![Message { marker, body: "theirs".into(), group: None }];
        squall::account::ask(&mut account, Call::Send { queue: queue.clone(), messages }).expect("sent");
    }
    let ran = run(family::poisoning(), account);
    let accounted = ran.events.iter().find_map(|recorded| match &recorded.event {
        Event::Accounted { account, .. } => Some(account.clone()),
        _ => None,
    });
    let accounted = accounted.expect("accounted for");
    assert!(accounted.accepted > 0);
    assert_eq!((accounted.swept, &accounted.consumed, accounted.foreign), (accounted.accepted, &Vec::new(), 15));
    assert_eq!(ran.left(), Vec::<String>::new());
}

#[test]
fn a_journal_that_fails_stops_the_faults_but_never_the_undo() {
    let plan = family::throttle();
    let mut store = MemoryStore::new();
    let mut other = store.another_process();
    let ran = run_with(plan, world(), &mut store, &FixedEnv::at(start()), Interrupts::none(), |_, call| {
        // The disk fills up right after the throttle went in.
        if matches!(
            call,
            Call::Write(Write { setting: Setting::ReservedConcurrency { .. }, value: Value::Number(_), .. })
        ) {
            other.break_disk(Some("disk full"));
        }
    });
    let Ending::Closed { journal, verdict, .. } = &ran.ending else { panic!("taken over") };
    assert!(journal.as_ref().is_some_and(|why| why.contains("disk full")));
    assert_eq!(verdict.kind, VerdictKind::Unknown);
    assert_eq!(ran.picture, world().picture());
}

#[test]
fn a_journal_that_fails_before_the_intent_is_durable_keeps_the_fault_from_going_in() {
    let plan = family::throttle();
    let mut store = MemoryStore::new();
    let mut other = store.another_process();
    let faults = Rc::new(Cell::new(0));
    let counted = faults.clone();
    let ran =
        run_with(plan, world(), &mut store, &FixedEnv::at(start()), Interrupts::none(), move |_, call| match call {
            // The read that comes right before the intent.
            Call::Read { setting: Setting::ReservedConcurrency { .. } } => other.break_disk(Some("disk full")),
            Call::Write(Write { setting: Setting::ReservedConcurrency { .. }, value: Value::Number(_), .. }) => {
                counted.set(counted.get() + 1);
            }
            _ => {}
        });
    assert_eq!(faults.get(), 0, "no fault without a durable intent");
    assert_eq!(ran.picture, world().picture());
}

#[test]
fn a_run_that_was_taken_over_writes_nothing_more() {
    let plan = family::throttle();
    let run_id = plan.run.clone();
    let mut store = MemoryStore::new();
    let mut other = store.another_process();
    let taken = Rc::new(Cell::new(false));
    let after = Rc::new(Cell::new(0));
    let (now_taken, counted) = (taken.clone(), after.clone());
    let changing = Cell::new(0);
    let mut account = Watched {
        world: world(),
        changing: &changing,
        before: move |_: &mut World, call: &Call| {
            if now_taken.get() && call.changes_something() {
                counted.set(counted.get() + 1);
            }
            if matches!(call, Call::Write(Write { setting: Setting::ReservedConcurrency { .. }, .. }))
                && !now_taken.get()
            {
                other.take_over(&run_id, "another").expect("taken");
                now_taken.set(true);
            }
        },
    };
    let env = FixedEnv::at(start());
    let around = Surroundings {
        account: &mut account,
        store: &mut store,
        env: &env,
        interrupts: Interrupts::none(),
        live: false,
    };
    let ending = Driver::begin(around, plan, "one".into()).expect("it begins").run(&mut |_| {}).expect("it ends");
    assert_eq!(ending, Ending::TakenOver { by: "another".into() });
    assert!(taken.get());
    assert_eq!(after.get(), 0);
}

/// A clock that goes on a little each time that it is looked at.
#[derive(Default)]
struct Ticking(Turned);

impl Env for Ticking {
    fn now(&self) -> Time {
        self.0.now()
    }
    fn monotonic(&self) -> Span {
        Span::from_micros(self.0.0.fetch_add(60_000, std::sync::atomic::Ordering::SeqCst))
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

#[test]
fn who_asks_it_to_stop_is_heard() {
    let mut plan = family::throttle();
    plan.steps[0].lasts = Span::from_mins(30);
    let run_id = plan.run.clone();
    let mut store = MemoryStore::new();
    let mut other = store.another_process();
    let ran = run_with(plan, world(), &mut store, &Ticking::default(), Interrupts::none(), |_, call| {
        if matches!(call, Call::Write(Write { setting: Setting::ReservedConcurrency { .. }, .. })) {
            other.ask_to_stop(&run_id, "ana").expect("asked");
        }
    });
    assert!(matches!(ran.stop(), Some(Stop::Asked { by }) if by == "ana"), "{:?}", ran.stop());
    assert_eq!(ran.picture, world().picture());
}

#[test]
fn a_halt_keeps_new_runs_from_beginning() {
    let mut store = MemoryStore::new();
    store.set_halt(Some("ana")).expect("halted");
    let (mut account, env) = (world(), FixedEnv::at(start()));
    let around = Surroundings {
        account: &mut account,
        store: &mut store,
        env: &env,
        interrupts: Interrupts::none(),
        live: false,
    };
    assert!(
        matches!(Driver::begin(around, family::throttle(), "x".into()).err(), Some(NotBegun::Halted(by)) if by == "ana")
    );
}

#[test]
fn a_process_that_overslept_puts_no_fault_in() {
    let plan = family::throttle();
    let env = Turned::default();
    let ran = run_with(plan, world(), &mut MemoryStore::new(), &env, Interrupts::none(), |_, call| {
        if matches!(call, Call::Write(Write { setting: Setting::Lock { .. }, .. })) {
            env.0.fetch_add(40_000_000, std::sync::atomic::Ordering::SeqCst);
        }
    });
    assert!(matches!(ran.stop(), Some(Stop::Overslept { late_secs: 40 })), "{:?}", ran.stop());
    assert!(!ran.events.iter().any(|r| matches!(&r.event, Event::StepBegins { .. })));
    assert_eq!(ran.picture, world().picture());
}
