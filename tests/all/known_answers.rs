//! Known answers: what queueing theory and a measured simulator say, the sandbox's model says too.
//!
//! Each bound is four standard errors, from theory or from independent replications. The seeds are fixed, so a test
//! that passes once passes always.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::collections::BTreeMap;

use squall::account::sandbox::app::{
    App, Arrivals, Asynchronous, Duration, Function, Loops, Mapping, OnPayloads, Queue, Redrive, Role, Traffic,
    TrafficTarget,
};
use squall::account::sandbox::{FunctionTotals, Why, World};
use squall::units::{Rate, Share, Span, Time};

/// One function that is invoked directly, by a Poisson process, and calls nobody.
fn station(rate: f64, duration: Duration, reserved: Option<u32>) -> App {
    let function = Function {
        role: "role".into(),
        runtime: "provided.al2023".into(),
        memory_mb: 128,
        timeout: Span::from_secs(900),
        reserved,
        provisioned: 0,
        environment: BTreeMap::new(),
        cold_start: Duration::Constant(Span::ZERO),
        duration,
        errors: Share::NONE,
        calls: Vec::new(),
        payloads: OnPayloads::default(),
        asynchronous: Asynchronous::default(),
        loops: Loops::Stopped,
    };
    App {
        account_concurrency: 1000,
        unreserved_floor: 100,
        functions: BTreeMap::from([("station".into(), function)]),
        roles: BTreeMap::from([("role".into(), Role::default())]),
        traffic: vec![Traffic {
            to: TrafficTarget::Function("station".into()),
            rate: Rate::per_sec(rate).unwrap(),
            arrivals: Arrivals::Poisson,
            groups: Vec::new(),
        }],
        ..App::default()
    }
}

fn after(app: &App, seed: u64, secs: i64) -> FunctionTotals {
    let mut world = World::new(app, seed, Time::EPOCH).unwrap();
    world.run_until(Time::EPOCH + Span::from_secs(secs));
    world.function_totals("station").unwrap()
}

/// Mean of a few replications and four standard errors of it.
fn mean_and_bound(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, 4.0 * (variance / n).sqrt())
}

/// Erlang's loss formula: the share of arrivals that find all `slots` taken, at offered load `a`.
fn erlang_b(a: f64, slots: u32) -> f64 {
    (1..=slots).fold(1.0, |b, k| a * b / (f64::from(k) + a * b))
}

#[test]
fn the_throttled_share_is_erlangs_for_every_distribution_of_durations() {
    assert!((erlang_b(8.0, 10) - 0.121_661_06).abs() < 1e-8);
    let sigma = 1.0_f64;
    // All three have a mean of two seconds; at four arrivals a second that is a load of eight.
    let median = Span::from_secs_f64(2.0 / (sigma * sigma / 2.0).exp());
    for duration in [
        Duration::Constant(Span::from_secs(2)),
        Duration::Exponential(Span::from_secs(2)),
        Duration::Lognormal { median, sigma },
    ] {
        let app = station(4.0, duration.clone(), Some(10));
        let (mean, bound) = throttled_share(&app);
        assert!(bound < 0.008, "{duration:?}: too few requests to say anything: {bound}");
        assert!((mean - erlang_b(8.0, 10)).abs() < bound, "{duration:?}: {mean} +- {bound}");
    }
}

fn throttled_share(app: &App) -> (f64, f64) {
    let share = |totals: FunctionTotals| totals.throttled as f64 / totals.requests as f64;
    mean_and_bound(&(0..8).map(|seed| share(after(app, seed, 20_000))).collect::<Vec<_>>())
}

#[test]
fn unreserved_functions_share_what_the_account_has_left() {
    let mut app = station(4.0, Duration::Exponential(Span::from_secs(2)), None);
    app.account_concurrency = 25;
    let other = Function { reserved: Some(15), ..app.functions["station"].clone() };
    app.functions.insert("other".into(), other);
    let (mean, bound) = throttled_share(&app);
    assert!((mean - erlang_b(8.0, 10)).abs() < bound, "{mean} +- {bound}");
}

#[test]
fn little_holds() {
    // L = lambda W, each of the three measured by itself: the integral of what runs, the rate, the mean sojourn.
    let app = station(20.0, Duration::Lognormal { median: Span::from_secs(1), sigma: 0.8 }, None);
    let secs = 20_000;
    let totals = after(&app, 7, secs);
    let running = totals.running_secs / secs as f64;
    let rate = totals.ended as f64 / secs as f64;
    let sojourn = totals.sojourn_secs / totals.ended as f64;
    // What runs at the end is in the integral and not among those that ended: 28 of 400,000.
    assert!((running - rate * sojourn).abs() / running < 1e-3, "{running} {rate} {sojourn}");
    // And the mean is that of M/G/infinity: 20/s times e^0.32 s. Its standard error over T is sqrt(lambda E[S^2] / T)
    // at the most, with E[S^2] = e^(2 * 0.64): 0.06.
    let want = 20.0 * 0.32_f64.exp();
    assert!((running - want).abs() < 0.24, "{running} {want}");
}

#[test]
fn simfaas_gives_the_same_answers() {
    // The example of SimFaaS's README: 0.9 requests a second, 1.991 s warm, 2.244 s cold, both exponential; an instance
    // expires after 600 s. Long-run values over 1e8 s: 0.001335 cold, 7.7024 instances, 1.7925 running. A cold start
    // here adds to the warm time; it adds the difference of the means, to 0.13 % of the requests.
    let mut app = station(0.9, Duration::Exponential(Span::from_millis(1_991)), None);
    if let Some(station) = app.functions.get_mut("station") {
        station.cold_start = Duration::Exponential(Span::from_millis(2_244 - 1_991));
    }
    const SECS: i64 = 250_000;
    let runs: Vec<FunctionTotals> = (0..8).map(|seed| after(&app, seed, SECS)).collect();
    let check = |what: &str, want: f64, of: fn(&FunctionTotals) -> f64| {
        let (mean, bound) = mean_and_bound(&runs.iter().map(of).collect::<Vec<_>>());
        assert!(bound < want * 0.1, "{what}: too few requests to say anything: {bound}");
        assert!((mean - want).abs() < bound, "{what}: {mean} +- {bound}, wanted {want}");
    };
    check("cold share", 0.001_335, |t| t.cold as f64 / t.requests as f64);
    check("instances", 7.7024, |t| t.instance_secs / SECS as f64);
    check("running", 1.7925, |t| t.running_secs / SECS as f64);
    assert!(runs.iter().all(|totals| totals.throttled == 0));
}

/// A message that nothing can work on is received until it was received too often: then it has waited for its visibility as
/// often as that.
#[test]
fn a_message_is_dead_after_max_receive_count_times_the_visibility() {
    let (visibility, receives) = (60_i64, 4_u32);
    let queue = |redrive| Queue {
        fifo: false,
        visibility: Span::from_secs(visibility),
        delay: Span::ZERO,
        retention: Span::from_secs(4 * 86_400),
        largest: 1 << 20,
        sends_per_second: None,
        redrive,
    };
    // Each message makes the function fail.
    let mut app = station(1.0, Duration::Constant(Span::from_secs(1)), None);
    if let Some(station) = app.functions.get_mut("station") {
        station.errors = Share::ALL;
        station.timeout = Span::from_secs(10);
    }
    let redrive = Redrive { dead_letter: "dead".into(), max_receive_count: receives };
    app.queues = BTreeMap::from([("work".into(), queue(Some(redrive))), ("dead".into(), queue(None))]);
    app.mappings = BTreeMap::from([(
        "work".into(),
        Mapping {
            queue: "work".into(),
            function: "station".into(),
            enabled: true,
            batch_size: 1,
            batch_window: Span::ZERO,
            maximum_concurrency: None,
            partial_batch: false,
        },
    )]);
    app.roles =
        BTreeMap::from([("role".into(), Role { managed: vec!["AdministratorAccess".into()], ..Role::default() })]);
    // One message in ten seconds finds a poller at once, even when they back off.
    app.traffic[0].to = TrafficTarget::Queue("work".into());
    app.traffic[0].rate = Rate::per_sec(0.1).unwrap();
    app.traffic[0].arrivals = Arrivals::Even;
    let mut world = World::new(&app, 7, Time::EPOCH).unwrap();
    world.run_until(Time::EPOCH + Span::from_mins(20));
    let reasons = world.reason_counts();
    let sent =
        reasons.iter().filter(|reason| reason.why == Why::HandlerFailed).map(|reason| reason.first).min().unwrap();
    let dead = reasons.iter().find(|reason| reason.why == Why::ReceivedTooOften).unwrap().first;
    let (waited, want) = (dead.since(sent).secs_f64(), (visibility * i64::from(receives)) as f64);
    println!("dead after {waited} s, closed form {want} s");
    // Its first receive is a moment after it was sent, and a receive that frees it may wait for a poller.
    assert!((waited - want).abs() < 2.0, "{waited} {want}");
}
