//! `lambda.latency` and `lambda.error`: what a wrapped Node function really does.

use std::time::Duration;

use crate::account::{Account, pause, until};
use crate::day::Day;
use crate::emulator::ministack;
use crate::shop::{Ordered, Shop};
use crate::short::in_a_run_of;

/// The fastest of some orders. A busy machine makes any of them slower, and none of them faster.
fn fastest(orders: &[Ordered]) -> Duration {
    orders.iter().map(|order| order.took).min().unwrap()
}

/// How often the wrapper says that it injected something.
fn injections(shop: &Shop<'_>) -> usize {
    let injected = |line: &&String| line.contains("\"action\":\"inject\"") || line.contains("Injecting");
    shop.log("OrderFunction").iter().filter(injected).count()
}

/// Waits until one shopper has got the fault's error and another one has ordered as always.
fn some_fail(day: &Day<'_>) {
    let from = day.now();
    let failed = |order: &Ordered| order.error.as_deref() == Some("the tax service is down");
    until("some shoppers fail, and others do not", || {
        let orders = day.since(from);
        (orders.iter().any(failed) && orders.iter().any(|order| order.status == Some(202))).then_some(())
    });
}

#[test]
fn shoppers_wait_longer_for_the_shops_own_wrapper() {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    shop.set_variables("OrderFunction", &[("FAILURE_CACHE_TTL", "1")]);
    in_a_run_of("order-function-slow", &shop, |day, run| {
        run.until("step_begins");
        assert_eq!(injections(&shop), 0);
        run.until("changed");
        // The flags from a second ago still count.
        pause(Duration::from_millis(1_500));
        let slow = day.wait_for(3);
        assert!(fastest(&slow) >= Duration::from_millis(300), "{slow:?}");
        run.end_the_faults();
        run.until("settled");
        day.wait_for(3);
        let before = injections(&shop);
        day.wait_for(5);
        assert_eq!(injections(&shop), before, "no order waits any more");
    });
}

/// Two faults at a time: half of the shoppers wait, the payment worker has one place, and nobody loses an order.
#[test]
fn a_slow_day_costs_nobody_an_order() {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    shop.set_variables("OrderFunction", &[("FAILURE_CACHE_TTL", "1")]);
    in_a_run_of("a-slow-day", &shop, |day, run| {
        run.until("step_begins");
        run.until_all_is_changed();
        let from = day.now();
        until("some of them wait", || (injections(&shop) > 0).then_some(()));
        day.wait_for(3);
        let slow = day.since(from);
        assert!(slow.iter().all(|order| order.status == Some(202)), "{slow:?}");
        run.end_the_faults();
        day.everybody_is_told();
    });
}

#[test]
fn a_fifth_of_the_shoppers_gets_an_error() {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    shop.set_variables("OrderFunction", &[("FAILURE_CACHE_TTL", "1")]);
    in_a_run_of("order-function-fails", &shop, |day, run| {
        run.until("step_begins");
        run.until("changed");
        some_fail(day);
        run.end_the_faults();
        run.until("settled");
        day.wait_for(3);
        let orders = day.wait_for(5);
        assert!(orders.iter().all(|order| order.status == Some(202)), "{orders:?}");
        day.everybody_is_told();
    });
}

/// Somebody's document of failure-lambda 0.x, with white space of their own and more in it than squall sets.
const THEIRS: &str =
    "{ \"isEnabled\" : false, \"failureMode\" : \"denylist\",\n  \"denylist\" : [\"s3.*\"], \"rate\" : 0.5 }";

/// A shop whose order function is wrapped by the npm package `failure-lambda`, version 0.4.4.
fn wrapped_by_0x(account: &Account) -> Shop<'_> {
    let shop = Shop::deploy(account);
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    shop.set_code("OrderFunction", &root.join("tests/emulators/functions/order-0x"));
    let put = account.ssm.put_parameter().name(shop.name("OrderFunctionFaults")).overwrite(true).value(THEIRS);
    account.wait(put.send()).unwrap();
    shop
}

#[test]
fn shoppers_wait_longer_for_failure_lambda_0x() {
    let account = Account::new(ministack());
    let shop = wrapped_by_0x(&account);
    in_a_run_of("order-function-slow", &shop, |day, run| {
        run.until("step_begins");
        assert_eq!(injections(&shop), 0);
        run.until("changed");
        let slow = day.wait_for(3);
        assert!(fastest(&slow) >= Duration::from_millis(300), "{slow:?}");
        run.end_the_faults();
        run.until("settled");
        day.wait_for(1);
        let before = injections(&shop);
        assert!(before >= slow.len(), "the package says so itself");
        let orders = day.wait_for(5);
        assert!(orders.iter().all(|order| order.status == Some(202)), "{orders:?}");
        assert_eq!(injections(&shop), before, "no order waits any more");
    });
}

#[test]
fn shoppers_get_errors_from_failure_lambda_0x() {
    let account = Account::new(ministack());
    let shop = wrapped_by_0x(&account);
    in_a_run_of("order-function-fails", &shop, |day, run| {
        run.until("step_begins");
        run.until("changed");
        some_fail(day);
        run.end_the_faults();
        run.until("settled");
        day.wait_for(1);
        let orders = day.wait_for(5);
        assert!(orders.iter().all(|order| order.status == Some(202)), "{orders:?}");
    });
}
