//! `lambda.throttle`: what shoppers and customers notice of it.
//!
//! MiniStack's count of throttles is wrong, and Lambda's real one comes two minutes late: these runs are over before
//! anything could show the effect, and none of them may pass.

use squall::env::{Env as _, RealEnv};
use squall::units::Time;

use crate::account::Account;
use crate::emulator::ministack;
use crate::shop::Shop;
use crate::short::in_a_run_of;

#[test]
fn shoppers_get_429_while_the_order_function_is_throttled() {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    in_a_run_of("order-function-throttled", "30s", &shop, |day, run| {
        let from = day.now();
        run.until("step_begins");
        let ordinary = day.since(from);
        assert!(ordinary.iter().all(|order| order.status == Some(202)), "{ordinary:?}");
        run.until("changed");
        let from = day.now();
        run.until("restoring");
        let refused = day.since(from);
        assert!(refused.len() >= 5, "{refused:?}");
        for order in refused {
            assert_eq!((order.http, order.error.as_deref()), (429, Some("TooManyRequestsException")), "{order:?}");
        }
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
    in_a_run_of("payment-worker-throttled", "40s", &shop, |day, run| {
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
        let looked = RealEnv.now();
        let restored: Time = run.until("restoring").line["at"].as_str().unwrap().parse().unwrap();
        assert!(looked < restored, "this machine is too slow to look while the fault is in");
        run.until("settled");
        day.everybody_is_told();
    });
}
