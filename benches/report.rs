//! What a report costs: a shipped experiment in every format, and a journal of 100,000 windows as a page.

#![expect(clippy::expect_used, clippy::panic, reason = "a bench ends at the first failure")]

#[path = "../tests/all/engine/family.rs"]
#[expect(dead_code, reason = "shared with the tests")]
mod family;
#[path = "../tests/all/engine/shipped.rs"]
#[expect(dead_code, reason = "shared with the tests")]
mod shipped;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use squall::account::sandbox::{World, shop};
use squall::account::{Sample, Window};
use squall::driver::{Driver, Surroundings};
use squall::env::{FixedEnv, Interrupts};
use squall::report::{Format, jsonl, line, render};
use squall::run::Recorded;
use squall::run::event::{Event, Phase};
use squall::store::memory::MemoryStore;
use squall::units::{Span, Time};

/// The journal of the experiment that the README begins with.
fn throttled() -> Vec<Recorded> {
    let plans = shipped::plans(1);
    let plan = plans.into_iter().find(|plan| plan.run.0.ends_with("payment-worker-throttled")).expect("it is shipped");
    let mut world = World::new(&shop(), plan.seed, family::start()).expect("a world");
    let env = FixedEnv::at(family::start());
    let mut events = Vec::new();
    let around = Surroundings {
        account: &mut world,
        store: &mut MemoryStore::new(),
        env: &env,
        interrupts: Interrupts::none(),
        live: false,
    };
    let mut driver = Driver::begin(around, plan, "bench@here".into()).expect("it begins");
    driver.run(&mut |recorded| events.push(recorded.clone())).expect("it ends");
    events
}

fn shipped_experiment(bench: &mut Criterion) {
    let events = throttled();
    let mut group = bench.benchmark_group(format!("a shipped experiment of {} events", events.len()));
    for format in Format::ALL {
        group.bench_function(format!("{format:?}"), |bench| {
            bench.iter(|| render(format, black_box(&events)).expect("a report"));
        });
    }
    group.bench_function("lines", |bench| bench.iter(|| line::text(black_box(&events))));
    group.bench_function("JSON lines", |bench| bench.iter(|| jsonl::text(black_box(&events))));
    group.finish();
}

fn long_run(bench: &mut Criterion) {
    let mut events = throttled();
    let begun = events.iter().take(3).cloned().collect::<Vec<_>>();
    let last = events.pop().expect("an end");
    let start = begun[0].at;
    let window = |n: i64| {
        let from = start + Span::from_secs(n * 10);
        let window = Window { from, to: from + Span::from_secs(10) };
        let sample = Sample { value: Some((n % 97) as f64), of: None };
        let event = Event::Sampled { signal: 0, phase: Phase::Baseline, window, sample, breaks: n % 7 == 0 };
        Recorded { seq: n as u64 + 3, at: window.to, event }
    };
    let end: Time = start + Span::from_secs(1_000_000);
    let events: Vec<Recorded> =
        begun.into_iter().chain((1..=100_000).map(window)).chain([Recorded { at: end, ..last }]).collect();
    let mut group = bench.benchmark_group("a journal of 100,000 windows");
    group.sample_size(10);
    group.bench_function("Html", |bench| bench.iter(|| render(Format::Html, black_box(&events)).expect("a report")));
    group.bench_function("lines", |bench| bench.iter(|| line::text(black_box(&events))));
    group.finish();
}

criterion_group!(report, shipped_experiment, long_run);
criterion_main!(report);
