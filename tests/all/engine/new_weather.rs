//! What happens to rollbacks outside of a laboratory: writes that land after their quiet time, others who delete, create again
//! and remediate, credentials that end, and locks that are forged or of others. Nothing loops, nothing stays unnamed.

use std::collections::BTreeSet;

use squall::account::sandbox::weather::{Act, Fate, ThirdParty, Weather, When};
use squall::account::sandbox::{World, shop_like};
use squall::account::{Account as _, Call, Location, Resource, Setting, Value, Write, ask};
use squall::driver::{Driver, Ending, Surroundings};
use squall::env::{FixedEnv, Interrupts};
use squall::ids::RunId;
use squall::plan::Plan;
use squall::run::event::{Event, Recorded, Settled};
use squall::run::later::journal_of;
use squall::run::state::State;
use squall::store::Store;
use squall::store::memory::MemoryStore;
use squall::units::{Span, Time};

use super::family::{self, start};

fn world(weather: Weather) -> World {
    World::new(&shop_like(), 7, start()).expect("a world").with_weather(weather)
}

fn throttled(plan: &Plan) -> (Setting, Resource) {
    let change = plan.changes.values().find(|change| !change.setting.is_lock()).expect("a change");
    (change.setting.clone(), change.setting.resource().clone())
}

fn at(seconds: i64) -> Time {
    start() + Span::from_secs(seconds)
}

fn acts(acts: Vec<(i64, Act)>) -> Weather {
    let parties = acts.into_iter().map(|(seconds, act)| ThirdParty { when: When::At(at(seconds)), act });
    Weather { third_party: parties.collect(), ..Weather::calm() }
}

fn set(setting: &Setting, value: Value) -> Act {
    Act::Set(Write { setting: setting.clone(), value, whole: None })
}

struct Ran {
    world: World,
    events: Vec<Recorded>,
    left: Vec<String>,
}

fn run(plan: Plan, mut world: World, store: &mut MemoryStore) -> Ran {
    let env = FixedEnv::at(start());
    let mut events = Vec::new();
    let interrupts = Interrupts::none();
    let around = Surroundings { account: &mut world, store, env: &env, interrupts, live: false };
    let mut driver = Driver::begin(around, plan, "tester@here".into()).expect("it begins");
    let ending = driver.run(&mut |recorded| events.push(recorded.clone())).expect("it ends");
    let Ending::Closed { left, .. } = ending else { panic!("taken over") };
    drop(driver);
    Ran { world, events, left: left.into_iter().map(|left| left.what).collect() }
}

fn settled(events: &[Recorded], found: impl Fn(&Settled) -> bool) -> bool {
    events.iter().any(|recorded| matches!(&recorded.event, Event::Settled { how, .. } if found(how)))
}

/// The resources that a closed run says are to be looked at again.
fn asked_again(events: &[Recorded]) -> Option<BTreeSet<Resource>> {
    let Event::Started { plan, .. } = &events.first()?.event else { return None };
    let changes = events.iter().find_map(|recorded| match &recorded.event {
        Event::LookAgain { changes, .. } => Some(changes),
        _ => None,
    })?;
    Some(changes.iter().map(|id| plan.changes[id].setting.resource().clone()).collect())
}

/// What `squall undo` does then.
fn looked_again(events: &[Recorded], resources: &BTreeSet<Resource>, mut world: World) -> World {
    let state = State::replay(events.iter().map(|recorded| (recorded.at, &recorded.event))).expect("a run");
    let later = journal_of(RunId("run-1-rollback-1".into()), &state, resources, "ana", world.now());
    let (env, interrupts) = (FixedEnv::at(start()), Interrupts::none());
    let mut store = MemoryStore::new();
    let around = Surroundings { account: &mut world, store: &mut store, env: &env, interrupts, live: false };
    Driver::roll_back(around, later, "ana".into()).expect("it begins").run(&mut |_| {}).expect("it ends");
    world
}

/// The inverse has no answer and the value before is read: two minutes later, long after the quiet time, the injection lands.
#[test]
fn a_write_that_lands_after_its_quiet_time_is_found_by_the_last_look() {
    let mut plan = family::throttle();
    plan.recovers_within = Span::from_mins(8);
    let mut found = 0;
    for late in [20, 70, 130, 200, 280] {
        for call in 0..14 {
            let mut account = world(Weather::calm());
            let before = account.picture();
            account.force_fate(call, Fate::LateBy(Span::from_secs(late)));
            let ran = run(plan.clone(), account, &mut MemoryStore::new());
            let mut after = ran.world;
            after.run_until(after.now() + Span::from_mins(10));
            if let Some(asked) = asked_again(&ran.events) {
                after = looked_again(&ran.events, &asked, after);
            }
            assert!(after.picture() == before || !ran.left.is_empty(), "{late} s late, call {call}");
            found += usize::from(ran.events.iter().any(|r| matches!(r.event, Event::FoundAgain { .. })));
        }
    }
    assert!(found > 0, "no write landed after its change was settled");
}

#[test]
fn a_deleted_resource_is_named_and_read_twice() {
    let plan = family::throttle();
    let (_, function) = throttled(&plan);
    let ran = run(plan.clone(), world(acts(vec![(20, Act::Delete(function.clone()))])), &mut MemoryStore::new());
    assert!(settled(&ran.events, |how| *how == Settled::Deleted));
    assert!(ran.left.iter().any(|what| what.contains("deleted by others")), "{:?}", ran.left);
    // Not there for a moment only, as a service may say: created again before the second read.
    let moment = vec![(35, Act::Delete(function.clone())), (45, Act::Create(function))];
    let ran = run(plan, world(acts(moment)), &mut MemoryStore::new());
    assert!(!settled(&ran.events, |how| *how == Settled::Deleted));
    assert_eq!(ran.left, Vec::<String>::new());
}

/// Something puts our value back each time that it is taken out; something else never leaves it alone.
#[test]
fn a_value_that_others_keep_changing_ends_with_both_values() {
    let plan = family::throttle();
    let (setting, _) = throttled(&plan);
    let every = |step: usize, value: fn(i64) -> u64| {
        acts((20..1_800).step_by(step).map(|second| (second, set(&setting, Value::Number(value(second))))).collect())
    };
    for weather in [every(1, |_| 0), every(7, |second| second.unsigned_abs())] {
        let ran = run(plan.clone(), world(weather), &mut MemoryStore::new());
        assert!(settled(&ran.events, |how| matches!(how, Settled::Contested { .. })), "{:?}", ran.left);
        assert!(ran.left.iter().any(|what| what.contains("keeps changing it, between")), "{:?}", ran.left);
    }
}

/// Said at once, every minute, and no more when new credentials work, which are used within half a minute.
#[test]
fn credentials_that_end_are_said_and_new_ones_are_used() {
    let plan = family::throttle();
    let before = world(Weather::calm()).picture();
    let weather = Weather { expired: Some((at(25), at(25 + 400))), ..Weather::calm() };
    let ran = run(plan.clone(), world(weather), &mut MemoryStore::new());
    let said: Vec<Time> =
        ran.events.iter().filter(|r| matches!(r.event, Event::Hindered { .. })).map(|r| r.at).collect();
    let rollback = ran.events.iter().find(|r| matches!(r.event, Event::Restoring { .. })).expect("it goes on").at;
    assert!(said.first().is_some_and(|first| *first <= at(35)), "{said:?}");
    assert!(said.windows(2).all(|two| two[1].since(two[0]) <= Span::from_secs(95)) && said.len() >= 5, "{said:?}");
    assert!(rollback <= at(425 + 31), "{rollback}");
    assert_eq!((ran.left.len(), ran.world.picture()), (0, before));
    // They never come: given up after a quarter of an hour, and named.
    let weather = Weather { expired: Some((at(25), at(90_000))), ..Weather::calm() };
    let ran = run(plan, world(weather), &mut MemoryStore::new());
    assert!(ran.left.iter().any(|what| what.contains("expired")), "{:?}", ran.left);
}

/// A process that died with an announced write in flight may have sent it until the moment at which it was taken over.
#[test]
fn quiet_time_counts_from_the_last_moment_at_which_a_write_may_have_been_sent() {
    let plan = family::throttle();
    let mut store = MemoryStore::new();
    let ran = run(plan.clone(), world(Weather::calm()), &mut store);
    let cut = ran.events.iter().rposition(|r| matches!(r.event, Event::Changing { .. })).expect("a change");
    let mut state = State::replay(ran.events[..=cut].iter().map(|r| (r.at, &r.event))).expect("a state");
    let id = *plan.changes.keys().next_back().expect("a change");
    let (announced, taken) = (state.settles_from(id), ran.events[cut].at + Span::from_mins(7));
    state.apply(taken, &Event::TakenOver { by: "another".into(), epoch: 2 });
    assert_eq!(state.settles_from(id).since(announced), Span::from_mins(7));
    let unknown = squall::run::event::WriteOutcome::Unknown("timed out".into());
    let answered = taken + Span::from_secs(10);
    state.apply(taken, &Event::Restoring { change: id, found: Value::Unset });
    state.apply(answered, &Event::Restored { change: id, outcome: unknown });
    assert_eq!(state.settles_from(id), answered + plan.changes[&id].setting.quiet());
}

/// Locks of others and forged ones stay where they are, whatever becomes of the run beside them.
#[test]
fn a_run_touches_no_lock_but_its_own() {
    let plan = family::throttle();
    let mut account = world(Weather::calm());
    let other = Resource::new(&Location::sandbox(), squall::account::ResourceKind::Queue, "orders");
    let forged = Value::Text("{\"squall\":2,\"run\":\"../../pwned\"}".into());
    let write = Write { setting: Setting::Lock { resource: other }, value: forged, whole: None };
    ask(&mut account, Call::Write(write)).expect("written");
    let before = account.picture();
    let mut store = MemoryStore::new();
    let ran = run(plan.clone(), account, &mut store);
    assert_eq!(ran.world.picture(), before);
    assert!(store.events(&plan.run).expect("a journal").len() > 5);
}

/// The same value may be another run's fault by now: a later rollback leaves it to that run, which has it claimed.
#[test]
fn a_later_rollback_leaves_alone_what_another_run_changes() {
    let (plan, mut store) = (family::throttle(), MemoryStore::new());
    let Ran { mut world, events, .. } = run(plan.clone(), world(Weather::calm()), &mut store);
    let (setting, function) = throttled(&plan);
    let state = State::replay(events.iter().map(|recorded| (recorded.at, &recorded.event))).expect("a run");
    // Another run of the same experiment has its fault in.
    let other = RunId("run-other".into());
    store.create(&other, "bo").expect("made");
    store.claim(&other, std::slice::from_ref(&function), &[]).expect("a store").expect("claimed");
    let write = Write { setting: setting.clone(), value: Value::Number(0), whole: None };
    ask(&mut world, Call::Write(write)).expect("written");
    let before = world.picture();
    let mut begin = |store: &mut MemoryStore| {
        let key = RunId("run-1-rollback-1".into());
        let later = journal_of(key, &state, &[function.clone()].into(), "ana", world.now());
        let env = FixedEnv::at(start());
        let interrupts = Interrupts::none();
        let around = Surroundings { account: &mut world, store, env: &env, interrupts, live: false };
        Driver::roll_back(around, later, "ana".into()).map(|mut driver| driver.run(&mut |_| {}).expect("it ends"))
    };
    let refused = begin(&mut store).expect_err("the other run changes it").to_string();
    assert!(refused.contains("run-other changes"), "{refused}");
    // Once that one has given it back, the rollback goes on, under the name that it had.
    store.release(&other).expect("released");
    assert!(begin(&mut store).is_ok());
    assert_ne!(world.picture(), before, "it is rolled back");
}
