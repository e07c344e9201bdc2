//! The crash grid: crash at every effect that writes, and at its neighbours; then at every such point of the rollback; with
//! the call lost, the reply lost, the write landing late; in calm and in weather. Afterwards everything is as before,
//! or what is left is named exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Formatter};
use std::iter::Sum;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::effort::effort;
use squall::driver::Ending;
use squall::env::{Env as _, RealEnv};

use super::family::{self, start};
use super::shipped;
use super::tap::{Comes, Driven, Point, drive};
use squall::account::sandbox::weather::{Act, ThirdParty, Weather, When};
use squall::account::sandbox::{World, shop_like};
use squall::account::{Account as _, Call, Location, Reply, Resource, ResourceKind, Setting, Value, Write, ask};
use squall::ids::RunId;
use squall::plan::{Change, Plan};
use squall::run::event::{Event, Left};
use squall::run::later;
use squall::run::lock::{Lock, journal_of};
use squall::run::state::State;
use squall::store::Store;
use squall::store::aftermath::Aftermath;
use squall::store::memory::MemoryStore;
use squall::units::{Share, Span};

/// The grid is worth nothing when it quietly shrinks.
const FLOOR: usize = 100_000;
/// So many generated plans.
const SEEDS: u64 = 32;
/// So many seeds with third parties.
const OTHERS: u64 = 8;
/// Later than any write in doubt, and any message, can still land.
const ALL_LANDED: Span = Span::from_mins(10);

/// What others do in a world.
#[derive(Default)]
struct Theirs {
    /// What they act on.
    resource: Option<Resource>,
    /// They write the very value that the run had written.
    puts_ours_back: bool,
}

/// Everything is as before, or each difference is named in what is left. What others did is theirs.
fn check(before: &BTreeMap<String, String>, theirs: &Theirs, outcome: &mut Driven, what: &str) {
    let Ending::Closed { journal, .. } = &outcome.ending else { panic!("{what}: not closed") };
    assert_eq!(*journal, None, "{what}");
    outcome.world.run_until(outcome.world.now() + ALL_LANDED);
    if let Some(looked) = looked_again(outcome) {
        *outcome = looked;
    }
    let after = outcome.world.picture();
    if after == *before {
        return;
    }
    let named = |key: &str| {
        let of = |l: &Left| key.contains(&l.resource.name) || key.split(' ').any(|word| l.what.ends_with(word));
        outcome.left().iter().any(of)
    };
    let state = State::replay(outcome.events().iter().map(|recorded| (recorded.at, &recorded.event))).expect("a state");
    // What others set or deleted is as they left it, unless it is the run's own value, which only the run writes.
    let ours = |key: &str| {
        let change = state.plan.changes.values().find(|change| change.setting.describe() == key);
        !theirs.puts_ours_back
            && change.is_some_and(|change| after.get(key).is_some_and(|value| *value == change.after.to_string()))
    };
    let is_theirs = |key: &str| {
        theirs.resource.as_ref().is_some_and(|resource| key.contains(&resource.to_string()))
            && !key.starts_with("lock on ")
            && !ours(key)
    };
    for key in before.keys().chain(after.keys()) {
        if before.get(key) != after.get(key) && !named(key) && !is_theirs(key) {
            let log: Vec<String> = outcome.events().iter().map(|r| format!("{} {:?}", r.at, r.event)).collect();
            let (was, is) = (before.get(key), after.get(key));
            panic!("{what}\n{key}: {was:?} before, {is:?} after; left: {:?}\n{}", outcome.left(), log.join("\n"));
        }
    }
}

/// The later look that a closed journal asks for, where a write of it had no answer.
fn looked_again(outcome: &Driven) -> Option<Driven> {
    let events = outcome.events();
    let asked = events.iter().rev().take(2).find_map(|recorded| match &recorded.event {
        Event::LookAgain { changes, .. } => Some(changes.clone()),
        _ => None,
    });
    let asked = asked.filter(|_| outcome.left().is_empty())?;
    let state = State::replay(events.iter().map(|recorded| (recorded.at, &recorded.event))).expect("a state");
    let key = RunId(format!("{}-again", outcome.run));
    // What it names, and nothing else: a change that it forgets is found in the picture.
    let named = asked.iter().filter_map(|id| state.plan.changes.get(id));
    let resources: BTreeSet<Resource> = named.map(|change| change.setting.resource().clone()).collect();
    let events = later::journal_of(key, &state, &resources, "undo", outcome.world.now());
    Some(drive(Comes::Later(events), outcome.world.clone(), MemoryStore::new(), false))
}

/// As `squall undo` does: a journal without an end is taken over, of the run or of a later rollback of it, and what a closed run
/// left is rolled back in a journal of its own.
fn comes<'a>(run: &RunId, plan: &Plan, point: &Point) -> Comes<'a> {
    let rows = point.store.runs().expect("rows");
    let aftermath = Aftermath::of(&rows, run);
    if let Some(open) = aftermath.open().find(|row| row.started.is_some()) {
        return Comes::Undoes(open.run.clone());
    }
    // Where the run's own journal is lost, that of the rollback from its locks is the one that knows.
    let source = aftermath.run.as_ref().or(aftermath.rollbacks.last()).expect("one of both");
    let events = point.store.events(&source.run).expect("a journal");
    let state = State::replay(events.iter().map(|recorded| (recorded.at, &recorded.event))).expect("a state");
    let key = Aftermath::next_rollback(&rows, run);
    Comes::Later(later::journal_of(key, &state, &plan.touched(), "undo", point.world.now()))
}

/// Rolls back what the locks tell of, once every write in doubt has landed.
fn rollback_from_locks(plan: &Plan, mut world: World, tapping: bool) -> Option<Driven> {
    world.run_until(world.now() + Span::from_secs(60));
    let location = Location::sandbox();
    let reply =
        std::iter::repeat_with(|| ask(&mut world, Call::ListLocks { location: location.clone() })).find(Result::is_ok);
    let Some(Ok(Reply::Locks(found))) = reply else { panic!("no marks: {reply:?}") };
    // Forged locks are refused, and those of other runs are no business of this one.
    let parsed =
        found.iter().filter_map(|(resource, text)| Some((resource.clone(), Lock::parse(resource, text).ok()?)));
    let locks: BTreeMap<Resource, Lock> = parsed.filter(|(_, lock)| lock.run == plan.run).collect();
    let key = Aftermath::next_rollback(&[], &plan.run);
    let events = journal_of(key, &locks, &found.into_iter().collect(), world.now());
    (!events.is_empty()).then(|| drive(Comes::Later(events), world, MemoryStore::new(), tapping))
}

/// What a grid tried.
#[derive(Clone, Copy, Default)]
struct Tally {
    /// Crashes, each at an effect, with what came of it.
    points: usize,
    /// The states that they left: some effects in a row leave the same one, and that is tried once.
    states: usize,
    /// Of them, those with something left and named.
    left: usize,
}

impl Tally {
    fn add(&mut self, effects: usize, left: &[Left]) {
        self.points += effects;
        self.states += 1;
        self.left += usize::from(!left.is_empty());
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.points += other.points;
        self.states += other.states;
        self.left += other.left;
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Tally>>(all: I) -> Tally {
        let mut sum = Tally::default();
        all.for_each(|one| sum += one);
        sum
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Tally { points, states, left } = self;
        write!(f, "{points} points in {states} states, {left} of them with something left and named")
    }
}

/// Each crash of a rollback, from the journal or from locks, and the rollback after it, which goes on from the journal of the first.
fn crashed_again(
    before: &BTreeMap<String, String>,
    theirs: &Theirs,
    plan: &Plan,
    points: Vec<Point>,
    what: &str,
) -> Tally {
    let mut tally = Tally::default();
    for point in points {
        let rows = point.store.runs().expect("rows");
        // A rollback from locks that had not begun its journal left nothing to go on from: it begins again from the locks.
        if rows.iter().all(|row| row.started.is_none()) {
            continue;
        }
        let what = format!("{what}, then {}", point.what);
        let run = rows.iter().map(|row| row.origin()).find(|origin| **origin == plan.run).expect("of this run").clone();
        let mut third = drive(comes(&run, plan, &point), point.world, point.store, false);
        check(before, theirs, &mut third, &what);
        tally.add(point.effects, third.left());
    }
    tally
}

/// Every crash of the run, every crash of each rollback after it.
fn grid(plan: &Plan, world: &World, theirs: &Theirs, deep: usize) -> Tally {
    let before = world.picture();
    let mut first = drive(Comes::Begins(plan), world.clone(), MemoryStore::new(), true);
    let points = std::mem::take(&mut first.points);
    check(&before, theirs, &mut first, &format!("{}: no crash", plan.title));
    let mut tally = Tally::default();
    for (index, point) in points.into_iter().enumerate() {
        if point.store.events(&plan.run).expect("a journal").is_empty() {
            // Nothing was announced, so nothing was done.
            assert_eq!(before, point.world.picture());
            continue;
        }
        let what = format!("{}: {}", plan.title, point.what);
        let tapping = index % deep == 0;
        if let Some(mut undone) = rollback_from_locks(plan, point.world.clone(), index % (2 * deep) == 0) {
            let what = format!("{what}, and the journal lost");
            let inner = std::mem::take(&mut undone.points);
            check(&before, theirs, &mut undone, &what);
            tally.add(point.effects, &[]);
            tally += crashed_again(&before, theirs, plan, inner, &what);
        }
        let mut second = drive(comes(&plan.run, plan, &point), point.world, point.store, tapping);
        let inner = std::mem::take(&mut second.points);
        check(&before, theirs, &mut second, &what);
        tally.add(point.effects, second.left());
        tally += crashed_again(&before, theirs, plan, inner, &what);
    }
    tally
}

#[test]
fn a_crash_in_a_shipped_experiment_leaves_nothing_behind() {
    let mut all = Vec::new();
    for mut plan in shipped::plans(1) {
        // Nobody is in the shop, so that a signal about shoppers has no data; the rollback is what is looked at here.
        plan.signals.clear();
        plan.stops.clear();
        for weather in [Weather::calm(), Weather::rough(Share::new(0.03).expect("a share"))] {
            let world = World::new(&shipped::empty_shop(), 1, start()).expect("a world").with_weather(weather);
            let tally = grid(&plan, &world, &Theirs::default(), 4);
            println!("{}: {} points", plan.title, tally.points);
            all.push(tally);
        }
    }
    println!("crash grid of the shipped experiments: {}", all.into_iter().sum::<Tally>());
}

#[test]
fn a_crash_in_a_busy_shop_leaves_nothing_behind() {
    let plans = shipped::plans(1);
    let plan = plans.iter().find(|plan| plan.run.0 == "run-payment-worker-throttled").expect("it is shipped");
    let world = World::new(&shipped::busy_shop(), 1, start()).expect("a world");
    let Tally { points, left, .. } = grid(plan, &world, &Theirs::default(), 4);
    println!("crash grid of the busy shop: {points} points");
    assert!(points > 60, "{points} points");
    assert_eq!(left, 0);
}

/// Runs the grid of each seed, side by side on as many processors as there are.
fn side_by_side(seeds: u64, grid_of: impl Fn(u64) -> Tally + Sync) -> Tally {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let next = AtomicU64::new(0);
    let work = || {
        let seeds = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds));
        seeds.map(&grid_of).sum::<Tally>()
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let tallies = workers.into_iter().map(|worker| match worker.join() {
            Ok(tally) => tally,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        tallies.sum()
    })
}

#[test]
fn a_crash_anywhere_leaves_nothing_behind() {
    let began = RealEnv.monotonic();
    let tally = side_by_side(SEEDS * u64::from(effort()), |seed| {
        let plan = family::plan(seed, start());
        let world = || World::new(&shop_like(), seed, start()).expect("a world");
        let calm = grid(&plan, &world().with_weather(Weather::calm()), &Theirs::default(), 2);
        assert_eq!(calm.left, 0, "{}: something was left in calm weather", plan.title);
        let rough = Weather::rough(Share::new(0.05).expect("a share"));
        [calm, grid(&plan, &world().with_weather(rough), &Theirs::default(), 2)].into_iter().sum()
    });
    let Tally { points, states, left } = tally;
    // In rough weather a sweep may run out of patience: a sixth of all calls has no answer.
    assert!(left * 100 < states, "something was left in {left} of {states} states");
    println!("NOTE: crash grid: {tally}, {}", RealEnv.monotonic() - began);
    assert!(points >= FLOOR, "{points} points are fewer than {FLOOR}");
}

/// What others do to a resource of a plan, and when credentials end: another kind of it for each seed.
fn others(plan: &Plan, seed: u64) -> (Weather, Theirs) {
    let at = |seconds: i64| start() + Span::from_secs(seconds);
    let faults: Vec<&Change> = plan.changes.values().filter(|change| !change.setting.is_lock()).collect();
    let Some(change) = faults.get(seed as usize % faults.len().max(1)) else {
        return (Weather::calm(), Theirs::default());
    };
    let resource = change.setting.resource().clone();
    let party = |seconds: i64, act: Act| ThirdParty { when: When::At(at(seconds)), act };
    let seconds = 5 + (seed as i64 * 7) % 60;
    let puts_back =
        |value: &Value| Act::Set(Write { setting: change.setting.clone(), value: value.clone(), whole: None });
    let can_be_set = change.setting.key().is_none();
    let puts_ours_back = seed % 4 == 2 && can_be_set;
    let theirs = Theirs { resource: (seed % 4 < 2 || puts_ours_back).then(|| resource.clone()), puts_ours_back };
    let (third_party, expired) = match seed % 4 {
        0 => (vec![party(seconds, Act::Delete(resource))], None),
        1 => (vec![party(seconds, Act::Delete(resource.clone())), party(seconds + 9, Act::Create(resource))], None),
        _ if puts_ours_back => {
            let acts = (seconds..600).step_by(10).map(|second| party(second, puts_back(&change.after)));
            (acts.collect(), None)
        }
        _ => (Vec::new(), Some((at(seconds), at(seconds + 100 * (1 + seed as i64 % 3))))),
    };
    (Weather { third_party, expired, ..Weather::calm() }, theirs)
}

/// Others delete, create again and remediate, credentials end, and locks are forged or belong to another run.
#[test]
fn a_crash_among_others_leaves_nothing_unnamed() {
    let tally = side_by_side(OTHERS * u64::from(effort()), |seed| {
        let plan = family::plan(seed, start());
        let (weather, theirs) = others(&plan, seed);
        let mut world = World::new(&shop_like(), seed, start()).expect("a world").with_weather(weather);
        plant_locks(&mut world, &plan);
        grid(&plan, &world, &theirs, 8)
    });
    println!("NOTE: crash grid among others: {tally}");
    let Tally { points, left, .. } = tally;
    assert!(points >= 500 && left > 0, "{points} points, {left} with something named");
}

/// A forged lock and another run's, on resources that the plan does not touch: they stay as they are.
fn plant_locks(world: &mut World, plan: &Plan) {
    let names = ["orders", "orders-dlq", "payment-worker", "payment-worker-role", "/shop/faults"];
    let kinds =
        [ResourceKind::Queue, ResourceKind::Queue, ResourceKind::Function, ResourceKind::Role, ResourceKind::Parameter];
    let touched = plan.touched();
    let resources = kinds.into_iter().zip(names).map(|(kind, name)| Resource::new(&Location::sandbox(), kind, name));
    for (number, resource) in resources.filter(|resource| !touched.contains(resource)).take(2).enumerate() {
        let text = match number {
            // Another account's: to believe it would be to write there.
            0 => Lock::of(plan, &resource, "mallory").text(&resource).replace("sandbox:", "sandbox:0"),
            _ => Lock::of(&Plan { run: RunId("run-other".into()), ..plan.clone() }, &resource, "bo").text(&resource),
        };
        let write = Write { setting: Setting::Lock { resource }, value: Value::Text(text), whole: None };
        ask(world, Call::Write(write)).expect("a lock");
    }
}
