//! A fault that deletes: what it took away is created again, whatever the setting, and after a crash anywhere.

use squall::account::kind::Sample;
use squall::account::sandbox::{World, shop_like};
use squall::account::{Account as _, Observed, Setting, Value, Write};
use squall::plan::Plan;
use squall::run::event::{Event, Recorded};
use squall::store::Store as _;
use squall::store::memory::MemoryStore;
use squall::units::Span;

use super::family::{in_the_shop, start, taken_away};
use super::tap::{Comes, Driven, Point, drive};

/// Drives it to an end at which nothing is left.
fn ends_well(comes: Comes<'_>, plan: &Plan, world: World, store: MemoryStore) -> Driven {
    let begins = matches!(comes, Comes::Begins(_));
    let driven = drive(comes, world, store, begins);
    assert!(driven.left().is_empty(), "{}: {:?}", plan.title, driven.left());
    driven
}

#[test]
fn whatever_a_fault_deletes_is_created_again() {
    let (mut points, mut settings) = (0, 0);
    for Sample { setting, value, whole } in Setting::samples(&in_the_shop) {
        let mut world = World::new(&shop_like(), 0, start()).expect("a world");
        // A queue always has a delay, and a parameter always a text: those cannot be taken away.
        let can_be_unset = world.setting(&setting).is_ok_and(|seen| seen.value == Value::Unset);
        let written = Write { setting: setting.clone(), value, whole };
        if setting.is_lock() || !can_be_unset || world.set(&written).is_err() {
            continue;
        }
        settings += 1;
        let Observed { value, whole } = world.setting(&setting).expect("it is read");
        assert_ne!(value, Value::Unset, "{setting} is there");
        let before = world.picture();
        let plan = taken_away(setting.clone(), value.clone(), whole);
        let first = ends_well(Comes::Begins(&plan), &plan, world, MemoryStore::new());
        assert_eq!(first.world.picture(), before, "{}", plan.title);
        let deleted = |recorded: &Recorded| matches!(&recorded.event, Event::Changed { change, .. } if change.0 == 2);
        assert!(first.events().iter().any(deleted), "{}: it was deleted", plan.title);
        let gone = |point: &Point| point.world.setting(&setting).is_ok_and(|seen| seen.value == Value::Unset);
        assert!(first.points.iter().any(gone), "{}: there is a moment in which it is gone", plan.title);
        for point in first.points {
            if point.store.events(&plan.run).expect("a journal").is_empty() {
                continue;
            }
            points += 1;
            let closed = point.store.events(&plan.run).expect("a journal");
            if matches!(closed.last().map(|last| &last.event), Some(Event::Closed { .. })) {
                continue;
            }
            let what = format!("{}: {}", plan.title, point.what);
            let mut after = ends_well(Comes::Undoes(plan.run.clone()), &plan, point.world, point.store).world;
            after.run_until(after.now() + Span::from_mins(10));
            assert_eq!(after.picture(), before, "{what}");
        }
    }
    assert!(settings >= 3 && points > 60, "{settings} settings, {points} points");
}
