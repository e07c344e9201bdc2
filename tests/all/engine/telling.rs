//! The code that tells a run's events is no part of the run: when it panics, nothing ends.

use squall::account::sandbox::{World, shop_like};
use squall::driver::supervise::supervise;
use squall::driver::{Driver, Ending, Surroundings};
use squall::env::{FixedEnv, Interrupts};
use squall::store::Store as _;
use squall::store::memory::MemoryStore;

use super::family::{self, start};

#[test]
fn a_panic_in_the_code_that_prints_events_ends_nothing() {
    let undisturbed = told(usize::MAX).1;
    assert!(undisturbed > 10, "{undisturbed} events");
    for at in 0..undisturbed {
        let (mute, told) = told(at);
        assert!(mute.is_some_and(|why| why.contains("a bug of the printer")), "event {at}");
        assert_eq!(told, at, "nothing is told after the panic");
    }
}

/// A run whose teller panics at the event of this number: what the panic said, and how many events were told before.
fn told(panics_at: usize) -> (Option<String>, usize) {
    let world = || World::new(&shop_like(), 7, start()).expect("a world");
    let (mut account, mut store, env) = (world(), MemoryStore::new(), FixedEnv::at(start()));
    let plan = family::throttle();
    let run = plan.run.clone();
    let around = Surroundings {
        account: &mut account,
        store: &mut store,
        env: &env,
        interrupts: Interrupts::none(),
        live: false,
    };
    let mut told = 0;
    let begin = |around: Surroundings<'_>, tell: &mut dyn FnMut(&squall::run::event::Recorded)| {
        Driver::begin(around, plan, "one".into()).expect("it begins").run(tell)
    };
    let supervised = supervise(around, &run, "supervisor", begin, &mut |_| {
        assert!(told != panics_at, "a bug of the printer");
        told += 1;
    });
    let supervised = supervised.expect("supervised");
    assert!(matches!(&supervised.ending, Ending::Closed { left, .. } if left.is_empty()));
    assert_eq!(supervised.panic, None, "the run did not panic");
    assert_eq!(account.picture(), world().picture(), "everything is as before");
    let journal = store.events(&run).expect("a journal");
    assert!(matches!(journal.last().map(|last| &last.event), Some(squall::run::event::Event::Closed { .. })));
    (supervised.mute, told)
}
