//! `lambda.throttle`: what shoppers and customers notice of it.
//!
//! MiniStack's count of throttles is wrong, and Lambda's real one comes two minutes late: these runs are ended before
//! anything shows the effect, and none of them may pass.

use crate::account::Account;
use crate::emulator::ministack;
use crate::shop::Shop;
use crate::short::in_a_run_of;

#[test]
fn shoppers_get_429_while_the_order_function_is_throttled() {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    in_a_run_of("order-function-throttled", &shop, |day, run| {
        let from = day.now();
        run.until("step_begins");
        let ordinary = day.since(from);
        assert!(ordinary.iter().all(|order| order.status == Some(202)), "{ordinary:?}");
        run.until("changed");
        for order in day.wait_for(5) {
            assert_eq!((order.http, order.error.as_deref()), (429, Some("TooManyRequestsException")), "{order:?}");
        }
        run.end_the_faults();
        run.until("settled");
        let served = day.wait_for(3);
        assert!(served.iter().all(|order| order.status == Some(202)), "{served:?}");
        day.everybody_is_told();
    });
}

#[test]
fn orders_wait_while_the_payment_worker_is_throttled_and_are_paid_afterwards() {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    in_a_run_of("payment-worker-throttled", &shop, |day, run| {
        run.until("step_begins");
        run.until("changed");
        let from = day.now();
        let orders = day.wait_for(8);
        assert!(orders.iter().all(|order| order.status == Some(202)), "shoppers notice nothing: {orders:?}");
        let told = shop.told();
        let waiting = day.since(from);
        let paid = |order: &&crate::shop::Ordered| order.order.as_ref().is_some_and(|order| told.contains(order));
        assert_eq!(waiting.iter().filter(paid).count(), 0, "nothing is paid");
        assert!(shop.counts("OrdersQueue").iter().sum::<u64>() >= 8, "the queue holds them");
        run.end_the_faults();
        run.until("settled");
        day.everybody_is_told();
    });
}
