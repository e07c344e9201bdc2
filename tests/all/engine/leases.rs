//! The lease on a run's locks: renewed as long as the run lives, over when it is gone, and an owner that cannot renew stops.

use std::collections::BTreeMap;

use squall::account::sandbox::weather::{Act, ThirdParty, Weather, When};
use squall::account::sandbox::{World, shop_like};
use squall::account::{
    Account, Call, CallError, CallId, Dispatch, Outcome, Reply, Resource, Setting, Value, Write, ask,
};
use squall::clock::{LEASE, RENEW_EVERY, RENEWED_WITHIN};
use squall::driver::{Driver, Ending, Surroundings};
use squall::env::{FixedEnv, Interrupts};
use squall::plan::Plan;
use squall::run::event::{Event, Recorded, Stop};
use squall::store::memory::MemoryStore;
use squall::units::{Span, Time};

use super::family::{self, start};

/// How long the fault is to stay.
const STAYS: Span = Span::from_mins(9);

/// The account as an owner sees it: from a moment on its renewals have no answer.
struct Owned {
    world: World,
    cut_off: Time,
    renewals: BTreeMap<Resource, Vec<Time>>,
    answers: Vec<(CallId, Outcome)>,
    faults: Vec<Time>,
}

impl Account for Owned {
    fn now(&self) -> Time {
        self.world.now()
    }

    fn submit(&mut self, id: CallId, call: Call) {
        let now = self.world.now();
        match call {
            Call::Renew { .. } if now >= self.cut_off => {
                self.answers.push((id, Err(CallError::Unknown("no network".into()))));
            }
            call => {
                match &call {
                    Call::Renew { resource, .. } => self.renewals.entry(resource.clone()).or_default().push(now),
                    Call::Write(write) if !write.setting.is_lock() && write.value != Value::Unset => {
                        self.faults.push(now);
                    }
                    _ => {}
                }
                self.world.submit(id, call);
            }
        }
    }

    fn submit_with(&mut self, id: CallId, call: Call, _: Dispatch) {
        self.submit(id, call);
    }

    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)> {
        self.answers.pop().or_else(|| self.world.next(until))
    }
}

fn throttle() -> Plan {
    let mut plan = family::throttle();
    plan.steps.iter_mut().for_each(|step| step.lasts = STAYS);
    plan
}

fn run(plan: Plan, weather: Weather, cut_off: Time) -> (Owned, Vec<Recorded>) {
    let world = World::new(&shop_like(), 7, start()).expect("a world").with_weather(weather);
    let mut account = Owned { world, cut_off, renewals: BTreeMap::new(), answers: Vec::new(), faults: Vec::new() };
    let (env, mut store) = (FixedEnv::at(start()), MemoryStore::new());
    let interrupts = Interrupts::none();
    let around = Surroundings { account: &mut account, store: &mut store, env: &env, interrupts, live: false };
    let mut driver = Driver::begin(around, plan, "tester@here".into()).expect("it begins");
    let mut events = Vec::new();
    let ending = driver.run(&mut |recorded| events.push(recorded.clone())).expect("it ends");
    assert!(matches!(&ending, Ending::Closed { left, .. } if left.is_empty()), "{ending:?}");
    drop(driver);
    (account, events)
}

fn stopped(events: &[Recorded]) -> Option<(Time, Stop)> {
    events.iter().find_map(|recorded| match &recorded.event {
        Event::Stopping { why } => Some((recorded.at, why.clone())),
        _ => None,
    })
}

fn lock_of(plan: &Plan) -> Setting {
    let mut settings = plan.changes.values().map(|change| change.setting.clone());
    settings.find(Setting::is_lock).expect("a lock")
}

/// One renewal a minute for one place, however many locks there are, from the first lock to the last.
#[test]
fn a_lease_is_renewed_as_long_as_there_are_locks() {
    for (plan, locks) in [(throttle(), 1), (many(), 2)] {
        let (mut account, events) = run(plan.clone(), Weather::calm(), Time::NEVER);
        let why = stopped(&events).map(|(_, why)| why);
        assert!(!matches!(why, Some(Stop::LeaseLost { .. })), "{why:?}");
        assert!(plan.changes.values().filter(|change| change.setting.is_lock()).count() >= locks);
        let mut renewals: Vec<Time> = account.renewals.values().flatten().copied().collect();
        renewals.sort_unstable();
        let made = events.iter().find(|recorded| matches!(recorded.event, Event::Changed { .. })).expect("a lock").at;
        let gone = events.iter().rev().find(|recorded| matches!(recorded.event, Event::Restored { .. }));
        let gone = gone.expect("a rollback").at;
        let signs: Vec<Time> = std::iter::once(made).chain(renewals.iter().copied()).chain([gone]).collect();
        for two in signs.windows(2) {
            assert!(two[1].since(two[0]) <= RENEW_EVERY + Span::from_secs(1), "{two:?}");
        }
        let most = gone.since(made).millis() / RENEW_EVERY.millis() + locks as i64;
        assert!(renewals.len() as i64 <= most, "{} renewals in {}", renewals.len(), gone.since(made));
        // Nothing of it stays.
        let Setting::Lock { resource } = lock_of(&plan) else { panic!("no lock") };
        let lease = ask(&mut account.world, Call::Lease { resource });
        assert!(matches!(lease, Err(CallError::Gone(_))), "{lease:?}");
    }
}

/// Changes on several resources.
fn many() -> Plan {
    let several = |plan: &Plan| plan.changes.values().filter(|change| change.setting.is_lock()).count() > 1;
    let sends = |plan: &Plan| plan.steps.iter().any(|step| step.emission.is_some());
    let mut plans = (0..50).map(|seed| family::plan(seed, start()));
    let mut plan = plans.find(|plan| several(plan) && !sends(plan)).expect("a plan with several locks");
    plan.steps.iter_mut().for_each(|step| step.lasts = STAYS);
    plan
}

/// Two minutes without a renewal, and a minute before others may take it for gone, everything is rolled back.
#[test]
fn an_owner_that_cannot_renew_stops_before_others_may_roll_back() {
    let cut_off = start() + Span::from_mins(4);
    let (mut account, events) = run(throttle(), Weather::calm(), cut_off);
    let (at, why) = stopped(&events).expect("it stops");
    let Stop::LeaseLost { since } = why else { panic!("{why:?}") };
    assert!(since <= cut_off && at.since(since) <= RENEWED_WITHIN + Span::from_secs(1), "{since} {at}");
    assert!(account.faults.iter().all(|fault| *fault < at));
    let rolled_back = events.last().expect("an end").at;
    assert!(rolled_back < since + LEASE, "{rolled_back}");
    assert_eq!(account.world.picture(), World::new(&shop_like(), 7, start()).expect("a world").picture());
    account.world.run_until(account.world.now() + Span::from_mins(10));
}

/// Another machine that took the run for dead has removed the lock: this one puts nothing more in, and makes no new lock.
#[test]
fn an_owner_whose_lock_is_removed_stops() {
    let plan = throttle();
    let removed = start() + Span::from_secs(100);
    let act = Act::Set(Write { setting: lock_of(&plan), value: Value::Unset, whole: None });
    let weather = Weather { third_party: vec![ThirdParty { when: When::At(removed), act }], ..Weather::calm() };
    let (account, events) = run(plan, weather, Time::NEVER);
    let (at, why) = stopped(&events).expect("it stops");
    assert!(matches!(why, Stop::LeaseLost { .. }), "{why:?}");
    assert!(at.since(removed) <= RENEW_EVERY + Span::from_secs(15), "{at}");
    assert_eq!(account.world.picture(), World::new(&shop_like(), 7, start()).expect("a world").picture());
}

/// What says that a run is alive does not make what is not there.
#[test]
fn a_renewal_makes_no_lock() {
    let mut world = World::new(&shop_like(), 7, start()).expect("a world");
    let Setting::Lock { resource } = lock_of(&throttle()) else { panic!("no lock") };
    let before = world.picture();
    let renewed = ask(&mut world, Call::Renew { resource: resource.clone(), at: start() });
    assert!(matches!(renewed, Err(CallError::Gone(_))), "{renewed:?}");
    assert_eq!(world.picture(), before);
    let write =
        Write { setting: Setting::Lock { resource: resource.clone() }, value: Value::Text("x".into()), whole: None };
    ask(&mut world, Call::Write(write)).expect("written");
    let at = world.now() + Span::from_secs(60);
    assert_eq!(ask(&mut world, Call::Renew { resource: resource.clone(), at }), Ok(Reply::Done));
    assert_eq!(ask(&mut world, Call::Lease { resource }), Ok(Reply::Alive(at)));
}
