//! Clocks and levers: what AWS's answers say of the time, and what its operator says of experiments.

use std::sync::Arc;

use super::moments::{InMoments, Moments};
use super::runs::{Process, experiment, plan_in, project, run_in};
use super::service::Service;
use super::*;
use crate::account::Account as _;
use crate::account::ask;
use crate::account::aws::Shared;
use crate::env::Interrupts;
use crate::run::event::{Event, Stop};

const THROTTLE: &str = "  - inject: { lambda.throttle: { target: worker, concurrency: 0 } }\n    for: 10m";

fn throttle() -> String {
    experiment("  worker: { function: pay }", THROTTLE, "")
}

fn service(clock: &Arc<Moments>) -> Service {
    Service::new(clock, ["pay".to_owned()])
}

fn run(service: &Service, clock: &Arc<Moments>) -> runs::Run {
    let process = Process { shared: &Shared::default(), interrupts: Interrupts::none(), run: "run-1" };
    run_in(process, &project(&[("prod", "eu-west-1")], ""), service, clock, &throttle())
}

fn stop(run: &runs::Run) -> Option<&Stop> {
    run.events.iter().find_map(|recorded| match &recorded.event {
        Event::Stopping { why } => Some(why),
        _ => None,
    })
}

#[test]
fn an_operator_who_pulls_the_lever_stops_a_run() {
    let clock = Arc::new(Moments::default());
    let service = service(&clock);
    let pulled = "2026-03-02T09:06:00Z".parse::<Time>().unwrap();
    service.state.lock().unwrap().lever = Some(pulled);
    let run = run(&service, &clock);
    run.nothing_is_left();
    assert!(matches!(stop(&run), Some(Stop::Asked { by }) if by.contains("an outage")), "{:?}", stop(&run));
    let at = run.at(|event| matches!(event, Event::Stopping { .. }));
    assert!(at.since(pulled) <= Span::from_secs(31), "{at}");
    assert!(service.seen().iter().any(|seen| seen.operation == PUT), "a fault was in");
}

#[test]
fn an_operator_who_has_pulled_the_lever_lets_no_run_begin() {
    let clock = Arc::new(Moments::default());
    let service = service(&clock);
    service.state.lock().unwrap().lever = Some(Time::EPOCH);
    let objections = plan_in(&project(&[("prod", "eu-west-1")], ""), &service, &clock, &throttle()).unwrap_err();
    assert!(objections.iter().any(|objection| objection.to_string().contains("an outage")), "{objections:?}");
}

/// Three seconds are tolerated: then everything goes by AWS's clock.
#[test]
fn windows_and_deadlines_go_by_awss_clock() {
    let clock = Arc::new(Moments::default());
    let service = service(&clock);
    service.state.lock().unwrap().behind = Some(|_| 3);
    let run = run(&service, &clock);
    run.nothing_is_left();
    let late = |recorded: &crate::run::event::Recorded| recorded.at.micros() - clock.now().micros();
    let last = run.events.last().unwrap();
    assert!((-3_600_000..=-2_400_000).contains(&late(last)), "the journal is {} behind this machine", -late(last));
}

#[test]
fn a_clock_that_is_far_off_awss_lets_no_run_begin_and_stops_one() {
    let clock = Arc::new(Moments::default());
    let early = service(&clock);
    early.state.lock().unwrap().behind = Some(|_| -60);
    let objections = plan_in(&project(&[("prod", "eu-west-1")], ""), &early, &clock, &throttle()).unwrap_err();
    assert!(
        objections.iter().any(|objection| objection.to_string().contains("s behind that of prod")),
        "{objections:?}"
    );

    let clock = Arc::new(Moments::default());
    let service = service(&clock);
    let wrong_from = |at: Time| if at >= "2026-03-02T09:06:00Z".parse().unwrap() { 60 } else { 0 };
    service.state.lock().unwrap().behind = Some(wrong_from);
    let run = run(&service, &clock);
    run.nothing_is_left();
    assert!(matches!(stop(&run), Some(Stop::ClockOff { by_secs: 57..=60 })), "{:?}", stop(&run));
}

/// Ten calls a second for IAM: one a role would take a hundred seconds.
#[test]
fn a_thousand_roles_take_a_second() {
    let clock = Arc::new(Moments::default());
    let service = service(&clock);
    let mut account = InMoments::new([prod()], clock.clone(), &Shared::default(), &service);
    let by = SelectBy::Tag { key: "team".into(), value: "shop".into() };
    let selector = Selector { kind: ResourceKind::Role, by };
    let before = account.now();
    let found = ask(&mut account, Call::Resolve { location: prod().location(), selector });
    let Ok(Reply::Resources(found)) = found else { panic!("{found:?}") };
    assert_eq!(found.iter().map(|role| role.name.as_str()).collect::<Vec<_>>(), ["role-1000"]);
    let took = account.now().since(before);
    println!("1,001 roles: {took}, {} calls", service.seen().len());
    assert!(took < Span::from_secs(1), "{took}");
}

/// A minute before another machine may take the run for dead, its fault is out.
#[test]
fn a_run_that_may_not_renew_its_lease_stops() {
    let clock = Arc::new(Moments::default());
    let service = service(&clock);
    let denied = |operation: &str| {
        (operation == "AddTagsToResource").then(|| error(operation, 400, "AccessDeniedException", "no"))
    };
    service.state.lock().unwrap().mishap = Some(Box::new(move |_, operation| denied(operation).map(|no| (false, no))));
    let run = run(&service, &clock);
    run.nothing_is_left();
    assert!(matches!(stop(&run), Some(Stop::LeaseLost { .. })), "{:?}", stop(&run));
    let locked = run.at(|event| matches!(event, Event::Changing { .. }));
    let over = run.at(|event| matches!(event, Event::Settled { .. }));
    assert!(over.since(locked) < crate::clock::LEASE, "{over}");
}

/// One a minute, whatever else is called.
#[test]
fn a_lease_is_renewed_once_a_minute() {
    let clock = Arc::new(Moments::default());
    let service = service(&clock);
    let run = run(&service, &clock);
    run.nothing_is_left();
    assert_eq!(stop(&run), None);
    let renewals = service.seen().iter().filter(|seen| seen.operation == "AddTagsToResource").count();
    assert!((9..=11).contains(&renewals), "{renewals} in ten minutes");
}
