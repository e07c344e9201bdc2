//! The sandbox's speed: simulated requests a second on SimFaaS's README example, and a clone of the shop's world.
//!
//! `benches/simfaas.sh` measures SimFaaS itself beside it.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use squall::account::sandbox::app::{
    App, Arrivals, Asynchronous, Duration, Function, Loops, OnPayloads, Role, Traffic, TrafficTarget,
};
use squall::account::sandbox::{World, shop};
use squall::units::{Rate, Share, Span, Time};

/// SimFaaS's README example: 0.9 requests a second, 1.991 s warm and 2.244 s cold, instances kept for 600 s.
fn readme_example(requests_per_second: f64) -> App {
    let function = Function {
        role: "role".into(),
        runtime: "provided.al2023".into(),
        memory_mb: 128,
        timeout: Span::from_secs(900),
        reserved: None,
        provisioned: 0,
        environment: BTreeMap::new(),
        cold_start: Duration::Exponential(Span::from_millis(2_244 - 1_991)),
        duration: Duration::Exponential(Span::from_millis(1_991)),
        errors: Share::NONE,
        calls: Vec::new(),
        payloads: OnPayloads::default(),
        asynchronous: Asynchronous { retries: 0, ..Asynchronous::default() },
        loops: Loops::Stopped,
    };
    App {
        account_concurrency: 1000,
        functions: BTreeMap::from([("f".into(), function)]),
        roles: BTreeMap::from([("role".into(), Role::default())]),
        traffic: vec![Traffic {
            to: TrafficTarget::Function("f".into()),
            rate: Rate::per_sec(requests_per_second).unwrap_or_default(),
            arrivals: Arrivals::Poisson,
            groups: Vec::new(),
        }],
        ..App::default()
    }
}

fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("sandbox");
    for (name, rate, secs) in [("simfaas-readme", 0.9, 1_000_000), ("300-a-second", 300.0, 3_000)] {
        let Ok(world) = World::new(&readme_example(rate), 1, Time::EPOCH) else { return };
        let until = Time::EPOCH + Span::from_secs(secs);
        let mut once = world.clone();
        once.run_until(until);
        let requests = once.function_totals("f").map_or(0, |totals| totals.requests);
        group.throughput(Throughput::Elements(requests)).sample_size(10);
        group.bench_function(name, |b| {
            b.iter_batched(|| world.clone(), |mut world| world.run_until(black_box(until)), BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn clone(c: &mut Criterion) {
    let mut app = shop();
    app.traffic.clear();
    let Ok(mut world) = World::new(&app, 1, Time::EPOCH) else { return };
    // Half an hour of minutes in its metrics.
    world.run_until(Time::EPOCH + Span::from_secs(1800));
    c.bench_function("clone-of-the-shop", |b| b.iter(|| black_box(&world).clone()));
}

fn hour_of_the_shop(c: &mut Criterion) {
    let Ok(world) = World::new(&shop(), 1, Time::EPOCH) else { return };
    let until = Time::EPOCH + Span::from_secs(3600);
    let mut group = c.benchmark_group("shop");
    group.sample_size(10).bench_function("hour", |b| {
        b.iter_batched(|| world.clone(), |mut world| world.run_until(until), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, requests, clone, hour_of_the_shop);
criterion_main!(benches);
