//! The crash grid: crash at every effect that writes, and at its neighbours; then at every such point of the rollback; with
//! the call lost, the reply lost, the write landing late; in calm and in weather. Afterwards everything is as before,
//! or what is left is named exactly.

use std::collections::BTreeMap;

use crate::effort::effort;
use squall::driver::Driver;
use squall::driver::Ending;
use squall::driver::Surroundings;

use super::family::{self, start};
use super::shipped;
use super::tap::{AccountTap, Point, StoreTap, scene};
use squall::account::sandbox::weather::Weather;
use squall::account::sandbox::{World, shop_like};
use squall::account::{Account, Call, Location, Reply, Resource, ask};
use squall::env::{FixedEnv, Interrupts};
use squall::ids::RunId;
use squall::plan::Plan;
use squall::run::event::{Event, Left, Recorded};
use squall::run::later;
use squall::run::lock::{Lock, journal_of};
use squall::run::state::State;
use squall::store::Store;
use squall::store::memory::MemoryStore;
use squall::units::{Share, Span};

/// The grid is worth nothing when it quietly shrinks.
const FLOOR: usize = 20_000;
/// Later than any write in doubt, and any message, can still land.
const ALL_LANDED: Span = Span::from_mins(10);

struct Outcome {
    world: World,
    points: Vec<Point>,
    ending: Ending,
    log: Vec<String>,
}

/// How a driver comes to a run.
enum Comes<'a> {
    Begins(&'a Plan),
    Undoes(&'a RunId),
    /// The run is closed, or its journal is lost: what is known begins a journal of its own.
    Later(Vec<Recorded>),
}

fn drive(comes: Comes<'_>, world: World, store: MemoryStore, tapping: bool) -> Outcome {
    let shared = scene(world, store, tapping);
    let (mut account, mut tapped) = (AccountTap(shared.clone()), StoreTap::over(shared.clone()));
    let env = FixedEnv::at(start());
    let mut log = Vec::new();
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
            Comes::Undoes(run) => Driver::take_over(around, run, "undo".into()).expect("it is taken over"),
            Comes::Later(events) => Driver::roll_back(around, events, "undo".into()).expect("it begins"),
        };
        driver.run(&mut |event| log.push(format!("{} {:?}", event.at, event.event))).expect("it ends")
    };
    drop((account, tapped));
    let scene = std::rc::Rc::try_unwrap(shared).ok().expect("no tap is left").into_inner();
    Outcome { world: scene.world, points: scene.points, ending, log }
}

/// Everything is as before, or each difference is named in what is left.
fn check(before: &BTreeMap<String, String>, outcome: &mut Outcome, what: &str) {
    let Ending::Closed { left, journal, .. } = &outcome.ending else { panic!("{what}: not closed") };
    assert_eq!(*journal, None, "{what}");
    outcome.world.run_until(outcome.world.now() + ALL_LANDED);
    let after = outcome.world.picture();
    let named = |key: &str, left: &[Left]| {
        left.iter().any(|l| key.contains(&l.resource.name) || key.split(' ').any(|word| l.what.ends_with(word)))
    };
    for key in before.keys().chain(after.keys()) {
        if before.get(key) != after.get(key) && !named(key, left) {
            panic!(
                "{what}\n{key}: {:?} before, {:?} after; left: {left:?}\n{}",
                before.get(key),
                after.get(key),
                outcome.log.join("\n")
            );
        }
    }
}

/// As `squall undo` does: a run without an end is taken over, and what a closed one left is rolled back in a journal of its own.
fn comes<'a>(plan: &'a Plan, point: &Point) -> Comes<'a> {
    let events = point.store.events(&plan.run).expect("a journal");
    if !matches!(events.last().map(|last| &last.event), Some(Event::Closed { .. })) {
        return Comes::Undoes(&plan.run);
    }
    let state = State::replay(events.iter().map(|recorded| (recorded.at, &recorded.event))).expect("a state");
    let key = RunId(format!("{}-rollback-1", plan.run));
    Comes::Later(later::journal_of(key, &state, &plan.touched(), "undo", point.world.now()))
}

/// Rolls back what the locks tell of, once every write in doubt has landed.
fn rollback_from_locks(mut world: World) -> Option<Outcome> {
    world.run_until(world.now() + Span::from_secs(60));
    let location = Location::sandbox();
    let reply =
        std::iter::repeat_with(|| ask(&mut world, Call::ListLocks { location: location.clone() })).find(Result::is_ok);
    let Some(Ok(Reply::Locks(found))) = reply else { panic!("no marks: {reply:?}") };
    let locks: BTreeMap<Resource, Lock> =
        found.iter().map(|(resource, text)| (resource.clone(), Lock::parse(resource, text).expect("a mark"))).collect();
    let key = RunId("run-grid-rollback-1".into());
    let events = journal_of(key, &locks, &found.into_iter().collect(), world.now());
    (!events.is_empty()).then(|| drive(Comes::Later(events), world, MemoryStore::new(), false))
}

/// Every crash of the run, every crash of each rollback after it. Counts the points, and those that left something.
fn grid(plan: &Plan, world: &World, deep: usize) -> (usize, usize) {
    let before = world.picture();
    let mut first = drive(Comes::Begins(plan), world.clone(), MemoryStore::new(), true);
    let points = std::mem::take(&mut first.points);
    check(&before, &mut first, &format!("{}: no crash", plan.title));
    let (mut count, mut left) = (0, 0);
    for (index, point) in points.into_iter().enumerate() {
        if point.store.events(&plan.run).expect("a journal").is_empty() {
            // Nothing was announced, so nothing was done.
            assert_eq!(before, point.world.picture());
            continue;
        }
        let what = format!("{}: {}", plan.title, point.what);
        let tapping = index % deep == 0;
        if let Some(mut undone) = rollback_from_locks(point.world.clone()) {
            check(&before, &mut undone, &format!("{what}, and the journal lost"));
            count += 1;
        }
        let mut second = drive(comes(plan, &point), point.world, point.store, tapping);
        let inner = std::mem::take(&mut second.points);
        check(&before, &mut second, &what);
        count += 1;
        left += usize::from(!matches!(&second.ending, Ending::Closed { left, .. } if left.is_empty()));
        for point in inner {
            let what = format!("{what}, then {}", point.what);
            let mut third = drive(comes(plan, &point), point.world, point.store, false);
            check(&before, &mut third, &what);
            count += 1;
            left += usize::from(!matches!(&third.ending, Ending::Closed { left, .. } if left.is_empty()));
        }
    }
    (count, left)
}

#[test]
fn a_crash_in_a_shipped_experiment_leaves_nothing_behind() {
    let (mut points, mut left) = (0, 0);
    for mut plan in shipped::plans(1) {
        // Nobody is in the shop, so that a signal about shoppers has no data; the rollback is what is looked at here.
        plan.signals.clear();
        plan.stops.clear();
        for weather in [Weather::calm(), Weather::rough(Share::new(0.03).expect("a share"))] {
            let world = World::new(&shipped::empty_shop(), 1, start()).expect("a world").with_weather(weather);
            let (count, some) = grid(&plan, &world, 4);
            println!("{}: {count} points", plan.title);
            points += count;
            left += some;
        }
    }
    println!("crash grid of the shipped experiments: {points} points, {left} of them with something left and named");
}

#[test]
fn a_crash_in_a_busy_shop_leaves_nothing_behind() {
    let plans = shipped::plans(1);
    let plan = plans.iter().find(|plan| plan.run.0 == "run-payment-worker-throttled").expect("it is shipped");
    let world = World::new(&shipped::busy_shop(), 1, start()).expect("a world");
    let (points, left) = grid(plan, &world, 4);
    println!("crash grid of the busy shop: {points} points");
    assert!(points > 60, "{points} points");
    assert_eq!(left, 0);
}

#[test]
fn a_crash_anywhere_leaves_nothing_behind() {
    let (mut points, mut left) = (0, 0);
    for seed in 0..32 * u64::from(effort()) {
        let plan = family::plan(seed, start());
        for weather in [Weather::calm(), Weather::rough(Share::new(0.05).expect("a share"))] {
            let calm = weather == Weather::calm();
            let world = World::new(&shop_like(), seed, start()).expect("a world").with_weather(weather);
            let (count, some) = grid(&plan, &world, 2);
            assert!(!calm || some == 0, "{}: something was left in calm weather", plan.title);
            points += count;
            left += some;
        }
    }
    // In rough weather a sweep may run out of patience: a sixth of all calls has no answer.
    assert!(left * 100 < points, "something was left at {left} of {points} points");
    println!("crash grid: {points} points, {left} of them with something left and named");
    assert!(points >= FLOOR, "{points} points are fewer than {FLOOR}");
}
