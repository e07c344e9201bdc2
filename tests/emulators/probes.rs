//! Probes, asked by a run of the real binary: an HTTP request, a command, a query of logs. MiniStack has no metric math.

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use rustix::process::Signal;

use crate::account::{Account, until};
use crate::emulator::ministack;
use crate::shop::Shop;
use crate::squall::Project;

const EXPERIMENT: &str = "version: 1
title: Numbers from elsewhere
because: Not everything that users care about is a metric of a service.
targets:
  worker: { function: PaymentWorker }
hypotheses:
  - signal: value of up is at least 1
    every: 10s
  - signal: value of down is at most 0
    every: 10s
  - signal: value of counted is at most 100
    every: 10s
  - signal: value of counted-in-logs is at most 100
baseline: 10m
faults:
  - inject: { lambda.throttle: { target: worker, concurrency: 0 } }
    for: 1m
recovers_within: 1m
";

/// What the probes ask, beside the account's own entry.
fn probes(url: &str) -> String {
    format!(
        "      probes:
        up: {{ http: {{ url: '{url}/_ministack/health', contains: services }} }}
        down: {{ http: {{ url: 'http://127.0.0.1:1/' }} }}
        counted: {{ command: {{ run: [sh, -c, 'test -n \"$SQUALL_TO\" && echo 42'] }} }}
        counted-in-logs:
          logs: {{ groups: [probes], query: 'fields @message | filter @message like /^17/', settles: 2s }}
"
    )
}

#[test]
fn a_run_asks_its_probes() {
    let account = Account::new(ministack());
    let _shop = Shop::deploy(&account);
    let project = Project::new(&account);
    let yaml = std::fs::read_to_string(project.folder.path().join("squall.yaml")).unwrap();
    project.write("squall.yaml", &(yaml + &probes(&account.url)));
    let file = project.write("experiments/x.yaml", EXPERIMENT);
    account.wait(account.logs.create_log_group().log_group_name("probes").send()).unwrap();
    let stream = account.logs.create_log_stream().log_group_name("probes").log_stream_name("s");
    account.wait(stream.send()).unwrap();

    let mut run = project.run(&file);
    run.until("started");
    // A line that is a number, for MiniStack's Insights knows no `stats`, in each minute from now on until the run has seen all
    // that it asks for.
    let mut missing: Vec<(usize, f64)> = vec![(0, 1.0), (1, 0.0), (2, 42.0), (3, 17.0)];
    let mut minute = 0;
    while !missing.is_empty() {
        let event = run.until_one("sampled", |_| true);
        let at: jiff::Timestamp = event.line["at"].as_str().unwrap().parse().unwrap();
        let seconds = at.as_second();
        if seconds / 60 != minute {
            minute = seconds / 60;
            happens(&account, seconds);
        }
        let seen = (event.what["signal"].as_u64().unwrap() as usize, event.what["sample"]["value"].as_f64());
        missing.retain(|(signal, value)| (*signal, Some(*value)) != seen);
    }
    run.signal(Signal::TERM);
    let (_, err) = run.rest();
    assert!(!run.story().contains("unmeasured"), "{}\n{err}", run.story());
    until("the run is gone", || run.child.try_wait().unwrap());
}

/// What the application does in a minute.
fn happens(account: &Account, seconds: i64) {
    let line = |text: &str| InputLogEvent::builder().timestamp(seconds * 1000).message(text).build().unwrap();
    let lines = ["fine", "17", "fine"].map(line).to_vec();
    let put = account.logs.put_log_events().log_group_name("probes").log_stream_name("s").set_log_events(Some(lines));
    account.wait(put.send()).unwrap();
}
