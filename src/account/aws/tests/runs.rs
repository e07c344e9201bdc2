//! Whole runs over services that remember, in virtual time: what the limits of AWS allow, and what goes wrong on the way.

use std::sync::{Arc, Mutex};

use super::moments::{InMoments, Moments};
use super::service::{Seen, Service};
use super::*;
use crate::account::aws::Shared;
use crate::account::gateway::Family;
use crate::driver::{Driver, Ending, Surroundings};
use crate::env::Interrupts;
use crate::guard::{Objection, Rules};
use crate::plan::Plan;
use crate::planner::tests::files;
use crate::planner::{Request, plan};
use crate::project::Project;
use crate::run::event::{Event, Recorded};
use crate::store::memory::MemoryStore;
use crate::yaml::{Loaded, Source, Style};

/// A project with these accounts, each in its own region.
pub fn project(accounts: &[(&str, &str)], probes: &str) -> Project {
    let mut text = format!("version: 1\ndefault_account: {}\naccounts:\n", accounts[0].0);
    for (name, region) in accounts {
        text += &format!(
            "  {name}:\n    aws:\n      id: '{ACCOUNT}'\n      region: {region}\n      writing: allowed\n      \
             dead_man: none\n{probes}"
        );
    }
    let (loaded, findings) = Loaded::<Project>::read(&Source::new("squall.yaml", text));
    loaded.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain))).value
}

/// What a run was: its events, and its ending.
pub struct Run {
    pub events: Vec<Recorded>,
    ending: Ending,
}

impl Run {
    pub fn at(&self, which: impl Fn(&Event) -> bool) -> Time {
        let found = self.events.iter().find(|recorded| which(&recorded.event));
        found.unwrap_or_else(|| panic!("no such event")).at
    }

    pub fn nothing_is_left(&self) {
        match &self.ending {
            Ending::Closed { left, .. } => assert_eq!(*left, []),
            other => panic!("{other:?}"),
        }
    }
}

/// Plans an experiment and runs it to its end.
fn run(project: &Project, service: &Service, clock: &Arc<Moments>, experiment: &str) -> Run {
    let process = Process { shared: &Shared::default(), interrupts: Interrupts::none(), run: "run-20260302-3f9k2m" };
    run_in(process, project, service, clock, experiment)
}

/// What a run has from its process.
pub struct Process<'a> {
    pub shared: &'a Shared,
    pub interrupts: Interrupts,
    /// The run's name.
    pub run: &'a str,
}

/// The same in a process that may have other runs.
pub fn run_in(
    process: Process<'_>,
    project: &Project,
    service: &Service,
    clock: &Arc<Moments>,
    experiment: &str,
) -> Run {
    let (planned, mut account) = planned(&process, project, service, clock, experiment);
    let planned = planned.unwrap_or_else(|objections| panic!("{objections:?}"));
    let mut store = MemoryStore::new();
    let around = Surroundings {
        account: &mut account,
        store: &mut store,
        env: &**clock,
        interrupts: process.interrupts,
        live: true,
    };
    let mut driver = Driver::begin(around, planned, "ana@laptop".into()).unwrap();
    let mut events = Vec::new();
    let ending = driver.run(&mut |recorded| events.push(recorded.clone())).unwrap();
    Run { events, ending }
}

/// Plans an experiment that is to be run.
pub fn plan_in(
    project: &Project,
    service: &Service,
    clock: &Arc<Moments>,
    experiment: &str,
) -> Result<Plan, Vec<Objection>> {
    let process = Process { shared: &Shared::default(), interrupts: Interrupts::none(), run: "run-1" };
    planned(&process, project, service, clock, experiment).0
}

fn planned(
    process: &Process<'_>,
    project: &Project,
    service: &Service,
    clock: &Arc<Moments>,
    experiment: &str,
) -> (Result<Plan, Vec<Objection>>, InMoments) {
    let configs = project.accounts.iter().filter_map(|(name, account)| match account {
        crate::project::AccountSpec::Aws(account) => Some(AccountConfig::of(name, account)),
        crate::project::AccountSpec::Sandbox(_) => None,
    });
    let mut account = InMoments::new(configs, clock.clone(), process.shared, service);
    let mut files = files(experiment);
    files.account = project.default_account.clone();
    let locations = project.accounts.iter().filter_map(|(name, account)| match account {
        crate::project::AccountSpec::Aws(account) => Some((name.clone(), account.location())),
        crate::project::AccountSpec::Sandbox(_) => None,
    });
    let rules = Rules::of(project, &locations.collect());
    let request = Request { files: &files, run: RunId(process.run.into()), seed: 7, by: "ana@laptop", rules: &rules };
    let planned = plan(&request, &mut account).and_then(crate::planner::Planned::runnable);
    (planned, account)
}

pub fn experiment(targets: &str, fault: &str, more: &str) -> String {
    format!(
        "version: 1
title: Many functions have no concurrency left
because: An account's limit takes it from all of them at once.
targets:
{targets}
hypotheses:
  - signal: depth of queue orders is at most 100
    every: 10s
baseline: 1m
faults:
{fault}
recovers_within: 1m
{more}"
    )
}

fn is_undo(event: &Event) -> bool {
    matches!(event, Event::Entered { phase: crate::run::event::Phase::Rollback })
}

/// 300 reservations and their 300 locks: Lambda takes 15 writes a second, Systems Manager 3.
#[test]
fn three_hundred_settings_are_undone_as_fast_as_the_limits_allow() {
    let clock = Arc::new(Moments::default());
    let service = Service::new(&clock, (0..300).map(|number| format!("f{number:03}")));
    let text = experiment(
        "  all: { functions: { tag: { team: shop }, share: 100 % } }",
        "  - inject: { lambda.throttle: { target: all, concurrency: 0 } }\n    for: 5m",
        "guards:\n  hits_at_most: 300\n  share_at_most: 100 %\n  longest: 1h\n",
    );
    let run = run(&project(&[("prod", "eu-west-1")], ""), &service, &clock, &text);
    run.nothing_is_left();
    assert!(service.state.lock().unwrap().functions.values().all(Option::is_none));
    assert!(service.state.lock().unwrap().parameters.is_empty());

    let calls = |what: fn(&Seen) -> bool| {
        let seen = service.seen();
        let of: Vec<&Seen> = seen.iter().filter(|seen| what(seen)).collect();
        (of.len(), of.last().unwrap().at.since(of[0].at))
    };
    let (settings, took) =
        calls(|seen| seen.operation.starts_with("DELETE") && seen.operation.ends_with("/concurrency"));
    let (locks, unlocked) = calls(|seen| seen.operation == "DeleteParameter");
    assert_eq!((settings, locks), (300, 300), "each once");
    let allowed = |count: usize, family: Family| count as f64 / family.per_second();
    let undone = took.secs_f64() / allowed(300, Family::Lambda);
    let all = unlocked.secs_f64() / allowed(300, Family::SsmWrite);
    println!("undo of 300 settings: {took}, {undone:.2} of what Lambda allows; their marks: {unlocked}, {all:.2}");
    assert!(undone <= 1.1 && all <= 1.1, "{undone} {all}");
}

/// The queue is too deep at some moment of the fault. Until the run knows, a query of logs is under way that was answered in
/// the baseline, and CloudWatch has asked to slow down.
#[test]
fn a_breach_is_answered_at_once_whatever_is_under_way() {
    let clock = Arc::new(Moments::default());
    let service = Service::new(&clock, ["pay".to_owned()]);
    let breach = "2026-03-02T09:05:00Z".parse::<Time>().unwrap();
    let deep = service.clone();
    let clock_too = clock.clone();
    service.state.lock().unwrap().mishap = Some(Box::new(move |_, operation| match operation {
        "GetQueueAttributes" if clock_too.now() >= breach => {
            Some((true, fine(json!({ "Attributes": { "ApproximateNumberOfMessages": "5000" } }))))
        }
        "GetQueryResults" if clock_too.now() + Span::from_mins(1) < breach => {
            let row = json!([{ "field": "count(*)", "value": "1" }]);
            Some((false, fine(json!({ "status": "Complete", "results": [row] }))))
        }
        "GetMetricData" if clock_too.now() + Span::from_mins(1) >= breach => {
            Some((false, error("GetMetricData", 400, "Throttling", "Rate exceeded")))
        }
        _ => None,
    }));
    let probes =
        "      probes:\n        slow: { logs: { groups: [g], query: stats count(*), settles: 0s, timeout: 60s } }\n";
    let text = experiment(
        "  worker: { function: pay }",
        "  - inject: { lambda.throttle: { target: worker, concurrency: 0 } }\n    for: 10m",
        "guards:\n  stop_when: [value of slow > 5, depth of queue orders > 1000]\n",
    );
    let run = run(&project(&[("prod", "eu-west-1")], probes), &service, &clock, &text);
    run.nothing_is_left();
    let stopped = run.at(|event| matches!(event, Event::Stopping { .. }));
    let undo = run.at(is_undo);
    let seen = deep.seen();
    let asked = seen.iter().rfind(|seen| seen.at <= stopped && seen.operation == "GetQueueAttributes").unwrap();
    let first = seen.iter().find(|seen| seen.at > stopped && seen.operation == FUNCTION).unwrap();
    let slow = seen.iter().rfind(|seen| seen.at < stopped && seen.operation == "GetQueryResults").unwrap();
    assert!(stopped.since(slow.at) < Span::from_secs(1), "the query was under way");
    assert_eq!(stopped, undo);
    // Half of a call's time back to squall, half of one to Lambda; nothing between.
    assert_eq!(stopped.since(asked.at), Span::from_micros(service::TAKES.micros() / 2));
    assert_eq!(first.at.since(stopped), Span::from_micros(service::TAKES.micros() / 2));
}

#[test]
fn every_account_is_called_in_its_own_region() {
    let clock = Arc::new(Moments::default());
    let service = Service::new(&clock, ["pay".to_owned(), "order".to_owned()]);
    let text = experiment(
        "  pay: { function: pay }\n  order: { function: order, account: overseas }",
        "  - inject: { lambda.throttle: { target: pay, concurrency: 0 } }\n    for: 3m\n  - inject: { lambda.throttle: { \
         target: order, concurrency: 1 } }\n    for: 3m",
        "",
    );
    let run = run(&project(&[("home", "eu-west-1"), ("overseas", "us-east-1")], ""), &service, &clock, &text);
    run.nothing_is_left();
    let regions = |operation: &str| -> Vec<String> {
        let seen = service.seen();
        let mut of: Vec<String> = seen.iter().filter(|s| s.operation == operation).map(|s| s.region.clone()).collect();
        of.dedup();
        of
    };
    assert_eq!(regions(PUT), ["eu-west-1"]);
    assert_eq!(regions("PUT /2017-10-31/functions/order/concurrency"), ["us-east-1"]);
    assert_eq!(regions("DELETE /2017-10-31/functions/order/concurrency"), ["us-east-1"]);
}

/// Every fifth call throttled, and each kind of write answered once with a failure after it was done.
#[test]
fn throttling_and_failures_after_the_write_leave_nothing_behind() {
    for misfortune in ["throttled", "failed", "lost"] {
        let clock = Arc::new(Moments::default());
        let service = Service::new(&clock, ["pay".to_owned()]);
        let failed_once = Mutex::new(std::collections::BTreeSet::new());
        service.state.lock().unwrap().mishap = Some(Box::new(move |number, operation| {
            let writes =
                ["PUT", "DELETE", "PutParameter", "DeleteParameter"].iter().any(|kind| operation.starts_with(kind));
            match misfortune {
                "throttled" if number % 5 == 0 && operation != "GetCallerIdentity" => {
                    Some((false, error(operation, 400, "ThrottlingException", "Rate exceeded")))
                }
                "failed" if writes && failed_once.lock().unwrap().insert(operation.to_owned()) => {
                    Some((true, error(operation, 500, "ServiceException", "after the write")))
                }
                "lost" if writes && failed_once.lock().unwrap().insert(operation.to_owned()) => {
                    Some((true, Recording::Lost))
                }
                _ => None,
            }
        }));
        let text = experiment(
            "  worker: { function: pay }",
            "  - inject: { lambda.throttle: { target: worker, concurrency: 0 } }\n    for: 6m",
            "",
        );
        let run = run(&project(&[("prod", "eu-west-1")], ""), &service, &clock, &text);
        run.nothing_is_left();
        let state = service.state.lock().unwrap();
        assert_eq!((state.functions["pay"], state.parameters.len()), (None, 0), "{misfortune}");
        assert!(state.seen.iter().any(|seen| seen.operation == PUT), "{misfortune}");
    }
}

/// Somebody reserved what the throttle let go: the restore finds no head-room for two minutes.
#[test]
fn a_restore_without_head_room_is_tried_until_there_is_some() {
    let clock = Arc::new(Moments::default());
    let service = Service::new(&clock, ["pay".to_owned()]);
    service.state.lock().unwrap().functions.insert("pay".into(), Some(50));
    let refused_since = Mutex::new(None);
    let clock_too = clock.clone();
    let puts = Mutex::new(0);
    service.state.lock().unwrap().mishap = Some(Box::new(move |_, operation| {
        if operation != PUT {
            return None;
        }
        *puts.lock().unwrap() += 1;
        // The first one is the throttle itself.
        let now = clock_too.now();
        let since = *refused_since.lock().unwrap().get_or_insert(now);
        let message = "decreases account's UnreservedConcurrentExecution below its minimum value of [100]";
        let refused = *puts.lock().unwrap() > 1 && now.since(since) < Span::from_mins(9);
        refused.then(|| (false, error(PUT, 400, "InvalidParameterValueException", message)))
    }));
    let text = experiment(
        "  worker: { function: pay }",
        "  - inject: { lambda.throttle: { target: worker, concurrency: 0 } }\n    for: 6m",
        "",
    );
    let run = run(&project(&[("prod", "eu-west-1")], ""), &service, &clock, &text);
    run.nothing_is_left();
    assert_eq!(service.state.lock().unwrap().functions["pay"], Some(50));
    let puts = service.seen().iter().filter(|seen| seen.operation == PUT).count();
    assert!(puts > 3, "{puts}");
}
