//! A throttle that a queue bears: orders wait, come again and again, and are all done afterwards. The fault's evidence is
//! AWS/Lambda Throttles, and an alarm on them fires and returns.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use squall::env::{Env as _, RealEnv};
use squall::units::{Span, Time};

use super::settings;
use super::traffic::{beside, minute};
use crate::account::{Account, until};
use crate::emulator::localemu;
use crate::shop::Shop;
use crate::squall::Project;

const EXPERIMENT: &str = "\
version: 1
title: No order is lost while the worker is throttled
because: The queue holds them.
targets: { worker: { function: Worker } }
hypotheses:
  - { signal: depth of DeadLetters stays at 0, every: 10s }
  - { signal: alarm Throttled fires within 4m, every: 10s }
baseline: 4m
faults: [ { inject: { lambda.throttle: { target: worker, concurrency: 0 } }, at: 0m, for: 250s } ]
recovers_within: 2m
guards: { longest: 30m }
";

#[test]
fn a_throttle_that_a_queue_bears_is_held() {
    let account = Account::new(localemu());
    let stack = super::deploy(&account);
    let project = Project::new(&account);
    let file = project.write("experiments/worker-throttled.yaml", EXPERIMENT);
    let before = settings(&account);
    let mut sent: BTreeMap<u64, Time> = BTreeMap::new();
    let note = |order: u32, at| {
        sent.insert(order.into(), at);
    };
    let (told, _) = beside(&stack, Time::EPOCH, note, || {
        wait_for_a_minute_with_data(&stack);
        let mut run = project.run(&file);
        let (status, err) = run.rest();
        assert_eq!(status.code(), Some(0), "{}\n{err}", run.story());
        run.told.clone()
    });
    let evidence = told.iter().find(|event| event.name == "effective").unwrap();
    assert!(evidence.what["seen"].as_str().unwrap().starts_with("throttles of"), "{evidence:?}");
    // Every order is done at least once: none is lost, and none is in doubt.
    let receives = until("every order is done", || done(&stack, sent.len()));
    assert!(sent.keys().all(|order| receives.contains_key(order)), "{sent:?} {receives:?}");
    let time_of = |event: &str| -> Time {
        let found = told.iter().find(|told| told.name == event).unwrap();
        found.line["at"].as_str().unwrap().parse().unwrap()
    };
    let (begun, over) = (time_of("changed"), time_of("restoring"));
    let of = |counts: &dyn Fn(Time) -> bool| -> Vec<u64> {
        sent.iter().filter(|(_, at)| counts(**at)).map(|(order, _)| receives[order]).collect()
    };
    let (early, throttled) = (of(&|at| at < begun - Span::from_secs(30)), of(&|at| at > begun && at < over));
    let again = |receives: &[u64]| receives.iter().filter(|receives| **receives > 1).count();
    println!("NOTE: received again: {} of {} orders before", again(&early), early.len());
    println!("NOTE: received again: {} of {} orders under the throttle", again(&throttled), throttled.len());
    // The pollers go on under the throttle, as AWS's do: orders that they cannot hand on come again. That other orders come
    // once is promised by nobody: a queue delivers at least once, and on a slow machine some are done too late.
    assert!(!early.is_empty() && again(&throttled) > 0, "{early:?} {throttled:?}");
    assert_eq!(settings(&account), before);
}

/// The fault's evidence is compared with the last whole minute before the end of the baseline, so there must be something in
/// it: an invocation now, and the baseline ends early in the next minute.
fn wait_for_a_minute_with_data(stack: &Shop<'_>) {
    let now = RealEnv.now();
    let within = now.since(minute(now));
    let (early, late) = (Span::from_secs(10), Span::from_secs(40));
    if !(early..late).contains(&within) {
        let next = if within < early { minute(now) } else { minute(now) + Span::from_mins(1) };
        RealEnv.sleep((next + early).since(now));
    }
    let nothing = stack.invoke("Worker", &serde_json::json!({ "Records": [] }));
    assert_eq!(nothing.http, 200, "{nothing:?}");
}

/// How often each order was received, once so many of them are done.
fn done(stack: &Shop<'_>, orders: usize) -> Option<BTreeMap<u64, u64>> {
    let mut receives = BTreeMap::new();
    let account = stack.account;
    while receives.len() < orders {
        let receive = account.sqs.receive_message().queue_url(stack.physical("Done")).max_number_of_messages(10);
        let page = account.wait(receive.visibility_timeout(5).wait_time_seconds(1).send()).unwrap();
        if page.messages().is_empty() {
            return None;
        }
        for message in page.messages() {
            let done: Json = serde_json::from_str(message.body().unwrap()).unwrap();
            let order = done["order"].as_str().unwrap().parse().unwrap();
            receives.insert(order, done["receives"].as_u64().unwrap());
        }
    }
    Some(receives)
}
