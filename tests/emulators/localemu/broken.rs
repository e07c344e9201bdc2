//! A throttle that a hypothesis over AWS/Lambda metrics does not survive, and metrics that say what the application saw.

use std::collections::BTreeMap;

use rustix::process::Signal;
use squall::env::{Env as _, RealEnv};
use squall::units::{Span, Time};

use super::settings;
use super::traffic::{Minute, beside, minute};
use crate::account::Account;
use crate::emulator::localemu;
use crate::squall::{Event, Project};

/// What a signal must be for what the application saw.
type Expected = fn(Minute) -> f64;

const SIGNALS: [(&str, Expected); 7] = [
    ("throttles of front stay at 0", |minute| f64::from(minute.refused)),
    ("value of refused-part is at most 100", |minute| {
        100.0 * f64::from(minute.refused) / f64::from(minute.served + minute.refused)
    }),
    ("calls of front are at least 1", |minute| f64::from(minute.served)),
    // A call that is throttled is one that failed.
    ("failed share of front is at most 5 %", |minute| {
        f64::from(minute.refused) / f64::from(minute.served + minute.refused)
    }),
    ("share of front slower than 5s is at most 5 %", |_| 0.0),
    ("calls of orders are at least 1", |minute| f64::from(minute.ordered)),
    (DONE, |minute| f64::from(minute.ordered)),
];

const DONE: &str = "messages done of orders are at least 1";

/// Metric math, beside the metrics.
const PROBE: &str = "      probes:
        refused-part:
          metric_math:
            expression: 100 * refused / (FILL(served, 0) + refused)
            metrics:
              refused: { namespace: AWS/Lambda, name: Throttles, dimensions: { FunctionName: FRONT }, statistic: Sum }
              served: { namespace: AWS/Lambda, name: Invocations, dimensions: { FunctionName: FRONT }, statistic: Sum }
";

fn experiment() -> String {
    let may_break =
        SIGNALS[1..].iter().map(|(signal, _)| format!("  - {{ signal: {signal}, during_fault: may_break }}\n"));
    format!(
        "version: 1\ntitle: The front is never throttled\nbecause: It is meant to end broken.\n\
         targets: {{ front: {{ function: Front }}, orders: {{ queue: Orders }} }}\n\
         hypotheses:\n  - {}\n{}baseline: 1m\n\
         faults: [ {{ inject: {{ lambda.throttle: {{ target: front, concurrency: 0 }} }}, at: 0m, for: 6m }} ]\n\
         recovers_within: 1m\nguards: {{ longest: 30m }}\n",
        SIGNALS[0].0,
        may_break.collect::<String>(),
    )
}

#[test]
fn a_throttle_breaks_what_lambda_counts() {
    let account = Account::new(localemu());
    let stack = super::deploy(&account);
    let project = Project::new(&account);
    project.configure(|yaml| yaml + &PROBE.replace("FRONT", &stack.name("Front")));
    let file = project.write("experiments/front-throttled.yaml", &experiment());
    let before = settings(&account);
    // The baseline is a whole minute, and its traffic too.
    let first = minute(RealEnv.now()) + Span::from_mins(1);
    let (told, minutes) = beside(
        &stack,
        first,
        |_, _| {},
        || {
            let mut run = project.run(&file);
            run.until("signal_broken");
            run.until("fault_gone");
            // Twice: nobody wants to see the recovery.
            run.signal(Signal::INT);
            run.signal(Signal::INT);
            let (status, err) = run.rest();
            assert_eq!(status.code(), Some(4), "{}\n{err}", run.story());
            run.told.clone()
        },
    );
    agree(&told, &minutes);
    let verdict = &told.last().unwrap().what["verdict"];
    assert_eq!(verdict["finding"], "broken", "{verdict}");
    assert!(verdict["reasons"].to_string().contains("throttles of front stay at 0"), "{verdict}");
    assert_eq!(settings(&account), before);
    assert_eq!(stack.invoke("Front", &serde_json::json!({})).http, 200, "it is served again");
}

/// Every value that squall read of a minute is what the application saw in that minute.
fn agree(told: &[Event], minutes: &BTreeMap<Time, Minute>) {
    let mut compared = [(0.0, 0.0); SIGNALS.len()];
    for event in told.iter().filter(|event| event.name == "sampled") {
        let signal = usize::try_from(event.what["signal"].as_u64().unwrap()).unwrap();
        let from: Time = event.what["window"]["from"].as_str().unwrap().parse().unwrap();
        if let (Some(seen), Some(value)) = (minutes.get(&from), event.what["sample"]["value"].as_f64()) {
            let (name, of) = SIGNALS[signal];
            let expected = of(*seen);
            assert!(name == DONE || value == expected, "{name} at {from} is {value}: {seen:?}");
            compared[signal].0 += value;
            compared[signal].1 += expected;
        }
    }
    for ((name, _), (value, expected)) in SIGNALS.iter().zip(compared) {
        // Orders may be done a minute after they came.
        assert!(
            value == expected || (*name == DONE && 0.0 < value && value <= expected),
            "{name}: {value}, {minutes:?}"
        );
        assert!(value > 0.0 || name.contains("share"), "{name}: {minutes:?}");
    }
}
