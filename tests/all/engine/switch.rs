//! The dead-man switch beside the run: armed before anything, stopped when all is verified, and alone when the machine died.
//! The crash grid with both: each of them may die, act, or be late, and both may act at once.

use std::collections::BTreeMap;

use super::family::{self, start};
use super::tap::{Comes, Point, drive};
use crate::effort::effort;
use squall::account::sandbox::weather::{Act, ThirdParty, Weather, When};
use squall::account::sandbox::{World, shop_like};
use squall::account::switch::SwitchState;
use squall::account::{Account as _, Location, Resource, ResourceKind, Setting, Value, Write};
use squall::driver::Ending;
use squall::ids::RunId;
use squall::plan::Plan;
use squall::run::event::{Event, Recorded, Stop, SwitchEnd};
use squall::run::state::State;
use squall::run::{later, switch};
use squall::store::Store;
use squall::store::memory::MemoryStore;
use squall::units::{Share, Span, Time};

/// After the switch woke, its work is done within this, however often its calls fail.
const WORKS_FOR: Span = Span::from_mins(45);

/// The plan of a seed, with a switch for all that stays.
fn plan(seed: u64) -> Plan {
    guarded(family::plan(seed, start()))
}

fn guarded(mut plan: Plan) -> Plan {
    // As the planner has it: a policy carries its own end, and no switch is needed for it.
    let ends = plan.made_at + plan.longest;
    for change in plan.changes.values_mut().filter(|change| change.setting.branch().is_none()) {
        change.expires = (!change.setting.is_lock()).then_some(ends);
    }
    let staying = plan.stays_alone().map(|(_, change)| change.setting.resource().clone()).collect();
    plan.switches = switch::needed(&plan, &staying).expect("each setting has a branch");
    plan
}

fn throttle() -> Plan {
    guarded(family::throttle())
}

fn world(seed: u64, weather: Weather) -> World {
    World::new(&shop_like(), seed, start()).expect("a world").with_weather(weather)
}

fn events(store: &MemoryStore, run: &RunId) -> Vec<Recorded> {
    store.events(run).expect("a journal")
}

fn ends(store: &MemoryStore, run: &RunId) -> Vec<SwitchEnd> {
    let ended = |recorded: Recorded| match recorded.event {
        Event::SwitchEnded { how, .. } => Some(how),
        _ => None,
    };
    events(store, run).into_iter().filter_map(ended).collect()
}

#[test]
fn it_is_armed_before_the_first_fault_and_stopped_after_the_last_rollback() {
    let plan = throttle();
    let ran = drive(Comes::Begins(&plan), world(1, Weather::calm()), MemoryStore::new(), false);
    let events = events(&ran.store, &plan.run);
    let at = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(|recorded| wanted(&recorded.event));
    let armed = at(&|event| matches!(event, Event::Armed { .. })).expect("it was armed");
    let first = at(&|event| matches!(event, Event::Changing { .. })).expect("a change");
    let last = events.iter().rposition(|r| matches!(r.event, Event::Settled { .. })).expect("settled");
    let stopped = at(&|event| matches!(event, Event::SwitchEnded { .. })).expect("it ended");
    assert!(armed < first && last < stopped, "{armed} {first} {last} {stopped}");
    assert!(matches!(events[armed].event, Event::Armed { until, .. } if until == plan.latest_end()));
    assert_eq!(ends(&ran.store, &plan.run), [SwitchEnd::Stopped]);
    assert_eq!(ran.world.switch_states(), [("run-grid-0.1".to_owned(), SwitchState::Stopped)]);
}

#[test]
fn without_a_switch_nothing_is_changed() {
    let plan = throttle();
    let calm = world(1, Weather::calm()).without_switch();
    let before = calm.picture();
    let ran = drive(Comes::Begins(&plan), calm, MemoryStore::new(), false);
    let events = events(&ran.store, &plan.run);
    assert!(events.iter().all(|recorded| !matches!(recorded.event, Event::Changing { .. })));
    let stop = |recorded: &&Recorded| matches!(&recorded.event, Event::Stopping { why: Stop::NotArmed { .. } });
    assert!(events.iter().any(|recorded| stop(&recorded)), "{events:?}");
    assert_eq!(ran.world.picture(), before);
}

/// Each difference from before is one that the switch says, by name, or a message: those no switch can take back.
fn all_named(before: &BTreeMap<String, String>, plan: &Plan, world: &World, what: &str) {
    let after = world.picture();
    let said: Vec<(String, String)> = world
        .switch_states()
        .into_iter()
        .flat_map(|(_, state)| match state {
            SwitchState::Acted(acted) => acted,
            SwitchState::Failed(why) => serde_json::from_str(&why).unwrap_or_default(),
            _ => Vec::new(),
        })
        .map(|acted| (acted.resource.clone(), acted.ends.join(" ")))
        .collect();
    let is_before = |ends: &str| ends.split(' ').all(|end| end == "restored" || end == "already_before");
    let named = |key: &str| said.iter().any(|(resource, ends)| key.contains(resource.as_str()) && !is_before(ends));
    // What ends by itself has ended, and its lock and its policy without effect stay; so does the lock of a queue with messages.
    let guarded: Vec<String> = plan
        .switches
        .iter()
        .flat_map(|one| switch::order(plan, one).resources)
        .filter(|ordered| ordered.unlocks)
        .map(|ordered| format!("lock on {}", ordered.resource))
        .collect();
    let stays = |key: &str| {
        key.starts_with("message ")
            || key.starts_with("inline policy ")
            || key.starts_with("lock on ") && !guarded.iter().any(|lock| lock == key)
    };
    for key in before.keys().chain(after.keys()) {
        if before.get(key) != after.get(key) && !stays(key) && !named(key) {
            panic!("{what}\n{key}: {:?} before, {:?} after; the switch says {said:?}", before.get(key), after.get(key));
        }
    }
}

/// squall died at this point, and nobody undoes: the switch acts alone.
fn alone(before: &BTreeMap<String, String>, plan: &Plan, point: &Point, late: Span) {
    let mut world = point.world.clone();
    world.run_until(plan.latest_end() + late + WORKS_FOR);
    all_named(before, plan, &world, &format!("{}: {}, and nobody undoes", plan.title, point.what));
}

/// squall died at this point, and its undo begins at a moment around the waking of the switch. Gives what became of the switch, as
/// the journal has it.
fn both(before: &BTreeMap<String, String>, plan: &Plan, point: &Point, begins: Time) -> Vec<SwitchEnd> {
    let mut world = point.world.clone();
    world.run_until(begins);
    let ran = drive(Comes::Undoes(plan.run.clone()), world, point.store.clone(), false);
    let what = format!("{}: {}, undone at {begins}", plan.title, point.what);
    let Ending::Closed { left, .. } = &ran.ending else { panic!("{what}: not closed") };
    let mut world = ran.world;
    world.run_until(world.now().max(plan.latest_end()) + WORKS_FOR);
    let after = world.picture();
    for key in before.keys().chain(after.keys()) {
        let named = left.iter().any(|left| key.contains(&left.resource.name));
        if before.get(key) != after.get(key) && !named {
            let log: Vec<String> =
                events(&ran.store, &plan.run).iter().map(|r| format!("{} {:?}", r.at, r.event)).collect();
            let switches = world.switch_states();
            panic!(
                "{what}\n{key}: {:?} before, {:?} after; left {left:?}\n{switches:?}\n{}",
                before.get(key),
                after.get(key),
                log.join("\n")
            );
        }
    }
    ends(&ran.store, &plan.run)
}

fn is_open(plan: &Plan, point: &Point) -> bool {
    let events = events(&point.store, &plan.run);
    !events.is_empty() && !matches!(events.last().map(|last| &last.event), Some(Event::Closed { .. }))
}

/// Both actors: at each crash the switch alone, on time and late; and the undo at moments around its waking.
fn grid(seed: u64, weather: &Weather, ended: &mut BTreeMap<&str, usize>) -> usize {
    let plan = plan(seed);
    let calm = world(seed, weather.clone());
    let before = calm.picture();
    let late = weather.switch_late;
    let ran = drive(Comes::Begins(&plan), calm, MemoryStore::new(), true);
    let mut count = 0;
    for (index, point) in ran.points.iter().enumerate() {
        alone(&before, &plan, point, late);
        count += 1;
        // Taken over before, while and after the switch is at work.
        if index % 5 == seed as usize % 5 && is_open(&plan, point) {
            let wakes = plan.latest_end() + late;
            for offset in [-30_000, -2_000, -200, 50, 150, 250, 400, 2_000, 10_500, 120_000] {
                let begins = Time::from_micros(wakes.micros() + offset * 1_000);
                for how in both(&before, &plan, point, begins) {
                    let word = match how {
                        SwitchEnd::Stopped => "stopped",
                        SwitchEnd::Acted { .. } => "acted",
                        SwitchEnd::Failed { .. } => "failed",
                        SwitchEnd::NeverArmed => "never armed",
                        SwitchEnd::Unstopped { .. } => "not stopped",
                    };
                    *ended.entry(word).or_default() += 1;
                }
                count += 1;
            }
        }
    }
    count
}

#[test]
fn a_crash_with_the_switch_leaves_nothing_unnamed() {
    let seeds = 12 * u64::from(effort());
    let (mut count, mut ended) = (0, BTreeMap::new());
    for seed in 0..seeds {
        count += grid(seed, &Weather::calm(), &mut ended);
        let rough = Weather::rough(Share::new(0.05).expect("a share"));
        count += grid(seed, &Weather { switch_late: Span::from_secs(600 * (seed as i64 % 2)), ..rough }, &mut ended);
    }
    println!("NOTE: crash grid with the switch: {count} points; where both acted, the journal has it as {ended:?}");
    assert!(count > 5_000, "{count} points");
    assert!(ended["stopped"] > 100 && ended["acted"] > 100, "{ended:?}");
}

/// squall's credentials end with the fault in: it gives up after a quarter of an hour and names what it left. The switch is the next
/// who tries; and a later rollback that comes first stops it.
#[test]
fn what_a_run_left_is_rolled_back_by_its_switch() {
    let plan = throttle();
    let at = |seconds: i64| start() + Span::from_secs(seconds);
    let before = world(1, Weather::calm()).picture();
    let weather = Weather { expired: Some((at(20), at(40 * 60))), ..Weather::calm() };
    let ran = drive(Comes::Begins(&plan), world(1, weather), MemoryStore::new(), false);
    let Ending::Closed { left, .. } = &ran.ending else { panic!("not closed") };
    assert!(!left.is_empty() && ends(&ran.store, &plan.run).is_empty(), "{left:?}");
    let mut alone = ran.world.clone();
    alone.run_until(plan.latest_end() + WORKS_FOR);
    assert_eq!(alone.picture(), before);

    let mut world = ran.world;
    world.run_until(at(41 * 60));
    let closed = events(&ran.store, &plan.run);
    let state = State::replay(closed.iter().map(|recorded| (recorded.at, &recorded.event))).expect("a state");
    let key = RunId(format!("{}-rollback-1", plan.run));
    let journal = later::journal_of(key.clone(), &state, &plan.touched(), "undo", world.now());
    let later = drive(Comes::Later(journal), world, MemoryStore::new(), false);
    assert_eq!(later.world.picture(), before);
    assert_eq!(ends(&later.store, &key), [SwitchEnd::Stopped]);
}

fn payment_worker() -> Resource {
    Resource::new(&Location::sandbox(), ResourceKind::Function, "payment-worker")
}

/// Somebody changes the setting after squall died: at any moment around the switch's work, their value stays.
#[test]
fn a_third_partys_value_is_never_written_over() {
    let plan = throttle();
    let reserved = Setting::ReservedConcurrency { function: payment_worker() };
    let ran = drive(Comes::Begins(&plan), world(1, Weather::calm()), MemoryStore::new(), true);
    let mut point = ran.points.iter().filter(|point| {
        let is_in = point.world.setting(&reserved).is_ok_and(|found| found.value == Value::Number(0));
        is_in && is_open(&plan, point)
    });
    let point = point.next_back().expect("a crash with the fault in");
    let mut kept = 0;
    for offset in (-2_000..40_000).step_by(70) {
        let acts = Time::from_micros(plan.latest_end().micros() + offset * 1_000);
        let theirs = Write { setting: reserved.clone(), value: Value::Number(7), whole: None };
        let party = ThirdParty { when: When::At(acts), act: Act::Set(theirs) };
        let mut world = point.world.clone().with_weather(Weather { third_party: vec![party], ..Weather::calm() });
        world.run_until(plan.latest_end() + WORKS_FOR);
        let found = world.setting(&reserved).expect("it is there").value;
        let (_, state) = &world.switch_states()[0];
        // In the gap between its look and its write, a tenth of a second, no service can tell: that is said where it is promised.
        let in_the_gap = found == Value::Unset;
        kept += usize::from(!in_the_gap);
        assert!(in_the_gap || found == Value::Number(7), "{offset} ms: {found:?}, {state:?}");
    }
    assert!(kept >= 597, "{kept} of 600 kept");
}

/// Another run that has changed the same setting to the same value, under its own lock, is none of the switch's.
#[test]
fn another_runs_fault_is_never_rolled_back() {
    let plan = throttle();
    let reserved = Setting::ReservedConcurrency { function: payment_worker() };
    let ran = drive(Comes::Begins(&plan), world(1, Weather::calm()), MemoryStore::new(), true);
    for point in &ran.points {
        let mut world = point.world.clone();
        world.run_until(world.now() + Span::from_mins(10));
        let lock = Setting::Lock { resource: payment_worker() };
        let set = |world: &mut World, setting: &Setting, value: Value| {
            world.set(&Write { setting: setting.clone(), value, whole: None }).expect("it is written");
        };
        set(&mut world, &lock, Value::Unset);
        set(&mut world, &lock, Value::Text(r#"{"run":"run-other"}"#.into()));
        set(&mut world, &reserved, Value::Number(0));
        let changed = world.picture();
        world.run_until(plan.latest_end() + WORKS_FOR);
        assert_eq!(world.picture(), changed, "{}", point.what);
    }
}
