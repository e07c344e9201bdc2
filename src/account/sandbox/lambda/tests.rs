//! Instances, concurrency, and what is published about both.

use super::super::app::{App, Duration};
use super::super::shop_like;
use super::super::testing::{at, world};
use super::*;
use crate::account::ResourceKind::Function;
use crate::account::{Metric, Value};

/// One function that takes exactly so long and calls nothing.
fn app(takes: Span) -> App {
    let mut app = shop_like();
    app.mappings.clear();
    app.account_concurrency = 100_000;
    if let Some(worker) = app.functions.get_mut("payment-worker") {
        worker.duration = Duration::Constant(takes);
        worker.cold_start = Duration::Constant(Span::from_millis(100));
        worker.calls.clear();
        worker.environment.clear();
    }
    app
}

fn totals(world: &World) -> FunctionTotals {
    world.function_totals("payment-worker").unwrap()
}

fn invoke(world: &mut World, times: u32) -> usize {
    (0..times).filter(|_| world.invoke(0, Origin::Outside, Chain::default()).is_ok()).count()
}

#[test]
fn a_thousand_instances_start_at_once_and_a_hundred_a_second_after_that() {
    let mut app = app(Span::from_secs(600));
    app.functions.get_mut("payment-worker").unwrap().timeout = Span::from_secs(900);
    let mut world = world(&app);
    assert_eq!(invoke(&mut world, 3000), 1000);
    world.run_until(at(1));
    assert_eq!(invoke(&mut world, 3000), 100);
    world.run_until(at(60));
    assert_eq!(invoke(&mut world, 3000), 1000, "what is not used does not add up");
}

#[test]
fn an_idle_instance_is_taken_again_for_ten_minutes() {
    let mut world = world(&app(Span::from_secs(1)));
    invoke(&mut world, 1);
    world.run_until(at(600));
    invoke(&mut world, 1);
    assert_eq!(totals(&world).cold, 1);
    world.run_until(at(601 + 600));
    invoke(&mut world, 1);
    assert_eq!(totals(&world).cold, 2);
    world.run_until(at(2000));
    // Two lives: until 601 + 600, and 600 s longer than the last invocation took with its cold start.
    let want = 1201.0 + 601.1;
    assert!((totals(&world).instance_secs - want).abs() < 1e-6, "{}", totals(&world).instance_secs);
}

/// Known answers: with 3 provisioned of 5 at once, 3 begin warm and 2 spill over to cold ones; ten hours later the 3
/// are still warm.
#[test]
fn provisioned_concurrency_is_warm_and_the_rest_spills_over() {
    let mut app = app(Span::from_secs(1));
    app.functions.get_mut("payment-worker").unwrap().provisioned = 3;
    let mut world = world(&app);
    assert_eq!(invoke(&mut world, 5), 5);
    assert_eq!(totals(&world).cold, 2);
    world.run_until(at(36_000));
    invoke(&mut world, 3);
    assert_eq!(totals(&world).cold, 2);
    // A time-out does not lose one.
    world.run_until(at(36_010));
    assert_eq!(invoke(&mut world, 4), 4);
    assert_eq!(totals(&world).cold, 3);
}

/// Of an account with 10, a function with 4 provisioned has its 4 and what is left of the 6 that all share.
#[test]
fn provisioned_concurrency_is_set_aside_from_what_functions_share() {
    let mut app = app(Span::from_secs(1));
    (app.account_concurrency, app.unreserved_floor) = (10, 0);
    app.functions.get_mut("payment-worker").unwrap().provisioned = 4;
    let mut other = app.functions["payment-worker"].clone();
    other.provisioned = 0;
    app.functions.insert("zeta".into(), other);
    let mut world = world(&app);
    let zeta = (0..20).filter(|_| world.invoke(1, Origin::Outside, Chain::default()).is_ok()).count();
    assert_eq!((zeta, invoke(&mut world, 20)), (6, 4));
    world.run_until(at(10));
    assert_eq!(invoke(&mut world, 20), 10, "its own 4, then the 6");
    world.run_until(at(20));
    world.reserve("payment-worker", Value::Number(2));
    assert_eq!(invoke(&mut world, 20), 2, "reserved concurrency is the cap of all of it");
}

#[test]
fn an_invocation_ends_at_the_time_out_and_its_instance_with_it() {
    let mut world = world(&app(Span::from_secs(60)));
    invoke(&mut world, 1);
    world.run_until(at(5));
    assert_eq!(totals(&world).ended, 0);
    world.run_until(at(6));
    let FunctionTotals { ended, errors, sojourn_secs, .. } = totals(&world);
    assert_eq!((ended, errors, sojourn_secs), (1, 1, 5.1));
    invoke(&mut world, 1);
    assert_eq!(totals(&world).cold, 2);
}

#[test]
fn reserved_concurrency_is_a_cap_and_zero_stops_everything() {
    let mut world = world(&app(Span::from_secs(1)));
    world.reserve("payment-worker", Value::Number(2));
    assert_eq!(invoke(&mut world, 5), 2);
    world.reserve("payment-worker", Value::Number(0));
    world.run_until(at(10));
    assert_eq!(totals(&world).ended, 2, "what runs is not stopped");
    assert_eq!(invoke(&mut world, 5), 0);
    world.reserve("payment-worker", Value::Unset);
    assert_eq!(invoke(&mut world, 5), 5);
}

#[test]
fn throttles_are_neither_invocations_nor_errors() {
    let mut world = world(&app(Span::from_secs(1)));
    world.reserve("payment-worker", Value::Number(2));
    invoke(&mut world, 5);
    world.run_until(at(300));
    let value = |metric| world.value(metric, Function, "payment-worker", 0..1);
    assert_eq!(value(Metric::Calls), Some(2.0));
    assert_eq!(value(Metric::Errors), Some(0.0));
    assert_eq!(value(Metric::Throttles), Some(3.0));
    assert_eq!(value(Metric::Concurrency), Some(2.0));
    assert_eq!(value(Metric::Duration), Some(1.0));
    assert_eq!(value(Metric::SlowShare { limit: Span::from_millis(999) }), Some(1.0));
    assert_eq!(value(Metric::SlowShare { limit: Span::from_secs(1) }), Some(0.0));
    assert_eq!(value(Metric::FailedShare), Some(0.6), "what is throttled failed for its caller");
}

#[test]
fn slow_failures_come_late_and_count_in_the_minute_in_which_they_began() {
    let mut app = app(Span::from_secs(400));
    app.functions.get_mut("payment-worker").unwrap().timeout = Span::from_secs(250);
    let mut world = world(&app);
    world.run_until(at(10));
    invoke(&mut world, 3);
    world.reserve("payment-worker", Value::Number(0));
    invoke(&mut world, 2);
    let read = |world: &World| {
        let value = |metric| world.value(metric, Function, "payment-worker", 0..1);
        [Metric::Calls, Metric::Errors, Metric::Throttles, Metric::Duration].map(value)
    };
    world.run_until(at(60 + 120));
    assert_eq!(read(&world), [None, None, Some(2.0), None], "two minutes after its end");
    // They end at 260.1 s, after a cold start of 100 ms.
    world.run_until(at(359));
    assert_eq!(read(&world), [None, None, Some(2.0), None]);
    world.run_until(at(360));
    assert_eq!(read(&world), [Some(3.0), Some(3.0), Some(2.0), Some(250.0)]);
    world.run_until(at(60 + 120 + 250));
    let later = world.value(Metric::Calls, Function, "payment-worker", 1..6);
    assert_eq!(later, None, "nothing is counted where it ended");
}

#[test]
fn a_minute_without_invocations_has_no_numbers() {
    let mut world = world(&app(Span::from_secs(1)));
    world.run_until(at(300));
    for metric in [Metric::Calls, Metric::Errors, Metric::FailedShare, Metric::Throttles, Metric::Duration] {
        assert_eq!(world.value(metric, Function, "payment-worker", 0..1), None, "{metric:?}");
    }
}

#[test]
fn slow_settings_work_later_than_they_are_written() {
    let weather = super::super::Weather { slow_settings: Span::from_secs(5), ..super::super::Weather::calm() };
    let mut world = world(&app(Span::from_secs(1))).with_weather(weather);
    world.reserve("payment-worker", Value::Number(0));
    assert_eq!(invoke(&mut world, 1), 1);
    world.run_until(at(6));
    assert_eq!(invoke(&mut world, 1), 0);
}
