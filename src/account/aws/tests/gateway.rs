//! Runs behind one gateway: in virtual time, what their account sees of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_smithy_runtime_api::client::http::{HttpClient as _, HttpConnector as _, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::shared::IntoShared as _;

use super::moments::Moments;
use super::runs::{Process, experiment, project, run_in};
use super::service::{Seen, Service, TAKES};
use super::*;
use crate::account::aws::Shared;
use crate::account::aws::call::sending;
use crate::account::aws::gate::Gate;
use crate::account::gateway::Family;
use crate::env::{Env, Interrupt, Interrupts};
use crate::run::event::Event;

const THROTTLE: &str = "  - inject: { lambda.throttle: { target: all, concurrency: 0 } }\n    for: 10m";
const WIDE: &str = "guards:\n  hits_at_most: 300\n  share_at_most: 100 %\n  longest: 1h\n";

fn team(name: &str) -> String {
    experiment(&format!("  all: {{ functions: {{ tag: {{ team: {name} }}, share: 100 % }} }}"), THROTTLE, WIDE)
}

/// The calls that share a limit, as the account saw them.
fn calls(seen: &[Seen], family: Family) -> Vec<Time> {
    let of = |seen: &&Seen| {
        let is_function = seen.operation.starts_with("GET /2015-03-31/functions/");
        match family {
            Family::GetFunction => is_function && !seen.operation.ends_with("/aliases"),
            Family::Lambda => seen.operation.contains(" /20") && (!is_function || seen.operation.ends_with("/aliases")),
            Family::SsmRead => seen.operation == "GetParameter",
            Family::SsmWrite => seen.operation == "PutParameter" || seen.operation == "DeleteParameter",
            _ => false,
        }
    };
    seen.iter().filter(of).map(|seen| seen.at).collect()
}

/// The most calls in any stretch of ten seconds, and what the limit allows in it.
fn most_in_ten_seconds(calls: &[Time], family: Family) -> (usize, usize) {
    let stretch = Span::from_secs(10);
    let within = |from: &Time| calls.iter().filter(|at| **at >= *from && at.since(*from) < stretch).count();
    let (per_second, burst) = family.pace();
    (calls.iter().map(within).max().unwrap_or(0), (per_second * 10.0) as usize + burst as usize)
}

#[test]
fn ten_runs_in_one_process_stay_within_one_limit() {
    const RUNS: usize = 10;
    let clock = Arc::new(Moments::default());
    let functions = (0..RUNS).flat_map(|run| (0..12).map(move |number| format!("r{run}-{number:02}")));
    let service = Service::new(&clock, functions);
    clock.shared_by(RUNS);
    let shared = Shared::default();
    std::thread::scope(|scope| {
        for number in 0..RUNS {
            let (clock, service, shared) = (&clock, &service, &shared);
            scope.spawn(move || {
                let name = format!("run-{number}");
                let process = Process { shared, interrupts: Interrupts::none(), run: &name };
                let run = run_in(
                    process,
                    &project(&[("prod", "eu-west-1")], ""),
                    service,
                    clock,
                    &team(&format!("r{number}-")),
                );
                clock.leave();
                run.nothing_is_left();
            });
        }
    });
    let seen = service.seen();
    let state = service.state.lock().unwrap();
    assert!(state.functions.values().all(Option::is_none) && state.parameters.is_empty());
    for (family, at_least) in
        [(Family::Lambda, 240), (Family::GetFunction, 600), (Family::SsmRead, 240), (Family::SsmWrite, 240)]
    {
        let calls = calls(&seen, family);
        let (most, allowed) = most_in_ten_seconds(&calls, family);
        println!("ten runs: {family:?}: {} calls, at most {most} in ten seconds, {allowed} allowed", calls.len());
        assert!(calls.len() >= at_least, "{family:?}: {}", calls.len());
        assert!(most <= allowed, "{family:?}: {most} in ten seconds, {allowed} are allowed");
    }
}

/// A hundred of three hundred throttles are in when the signal comes, and two hundred wait for their turn.
#[test]
fn after_a_stop_no_queued_fault_goes_out_and_the_first_inverse_is_out_within_a_second() {
    let clock = Arc::new(Moments::default());
    let service = Service::new(&clock, (0..300).map(|number| format!("f{number:03}")));
    let interrupts = Interrupts::none();
    let (signal, puts) = (interrupts.clone(), AtomicUsize::new(0));
    service.state.lock().unwrap().mishap = Some(Box::new(move |_, operation| {
        let is_fault = operation.starts_with("PUT") && operation.ends_with("/concurrency");
        if is_fault && puts.fetch_add(1, Ordering::SeqCst) == 100 {
            signal.raise(Interrupt::Terminate);
        }
        None
    }));
    let process = Process { shared: &Shared::default(), interrupts, run: "run-1" };
    let run = run_in(process, &project(&[("prod", "eu-west-1")], ""), &service, &clock, &team("shop"));
    run.nothing_is_left();
    let stopped = run.at(|event| matches!(event, Event::Stopping { .. }));
    let seen = service.seen();
    let state = service.state.lock().unwrap();
    assert!(state.functions.values().all(Option::is_none) && state.parameters.is_empty());
    let of = |method: &str| -> Vec<Time> {
        let of = |seen: &&Seen| seen.operation.starts_with(method) && seen.operation.ends_with("/concurrency");
        seen.iter().filter(of).map(|seen| seen.at).collect()
    };
    let (faults, inverses) = (of("PUT"), of("DELETE"));
    // What was on its way already arrives half of a call's time later.
    let late = faults.iter().filter(|at| at.since(stopped) > Span::from_micros(TAKES.micros() / 2)).count();
    let first = inverses.first().unwrap().since(stopped);
    println!("stopped after {} of 300 faults: {late} later, the first inverse after {first}", faults.len());
    assert_eq!(late, 0, "faults that went out after the stop");
    assert!(faults.len() < 110, "{}", faults.len());
    assert!(first <= Span::from_secs(1), "{first}");
    assert_eq!(inverses.len(), faults.len(), "each fault that went in went out");
    let changing = run.events.iter().filter(|recorded| matches!(recorded.event, Event::Changing { .. })).count();
    assert_eq!(changing, 600, "all of them, and their marks, were announced before the signal");
}

/// A lid that closes between a signature and the network.
#[test]
fn what_was_signed_too_long_ago_is_not_sent() {
    let tape = Tape::new();
    tape.on("GET /", [fine(json!({}))]);
    let recorded = tape.account();
    let gateway = recorded.connection.gateway();
    let env: Arc<dyn Env> = recorded.clock.clone();
    let gate = Gate { inner: tape.clone().into_shared(), gateway, env };
    let parts = RuntimeComponentsBuilder::for_tests().build().unwrap();
    let connector = gate.http_connector(&HttpConnectorSettings::default(), &parts);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let send = |takes: Span| {
        let mut request = HttpRequest::empty();
        request.set_uri("https://lambda.eu-west-1.amazonaws.com/").unwrap();
        let env: Arc<dyn Env> = recorded.clock.clone();
        let sent = sending(&*env, async {
            recorded.clock.sleep(takes);
            connector.call(request).await
        });
        runtime.block_on(sent).map(drop)
    };
    assert!(send(Span::from_secs(1)).is_ok());
    let refused = send(Span::from_secs(6)).unwrap_err();
    assert!(format!("{refused:?}").contains("Stale"), "{refused:?}");
    assert!(send(Span::ZERO).is_ok());
    assert_eq!(tape.asked().len(), 2);
}
