//! An ordinary day in the shop: shoppers order, and its alarms ring.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_cloudwatch::types::{ComparisonOperator, StateValue};
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;

use crate::account::{pause, until};
use crate::shop::{Ordered, Shop};

/// An alarm that the shop lacks, and `experiments/order-function-throttled.yaml` asks for.
pub const SHOPPERS_ALARM: &str = "ShoppersSeeFailures";

/// So many waiting orders ring the backlog alarm.
const BACKLOG: u64 = 3;

/// What the shoppers of the day have seen so far, one after the other.
pub struct Day<'a> {
    shop: &'a Shop<'a>,
    orders: Mutex<Vec<Ordered>>,
    over: AtomicBool,
}

/// Some orders of it: those that began after it was made.
#[derive(Clone, Copy)]
pub struct From(usize);

impl Day<'_> {
    /// Lets the day begin, and it is over when `during` is. A shopper orders, waits for the answer, and half a second later
    /// the next one comes.
    pub fn with<T>(shop: &Shop<'_>, during: impl FnOnce(&Day<'_>) -> T) -> T {
        let day = Day::new(shop);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !day.over.load(Ordering::SeqCst) {
                    let ordered = shop.order();
                    day.orders.lock().unwrap().push(ordered);
                    pause(Duration::from_millis(500));
                }
            });
            scope.spawn(|| {
                while !day.over.load(Ordering::SeqCst) {
                    day.ring();
                    pause(Duration::from_secs(1));
                }
            });
            let _over = Over(&day.over);
            during(&day)
        })
    }

    /// Nobody orders, and every alarm is quiet.
    pub fn off(shop: &Shop<'_>) {
        Day::new(shop);
    }

    fn new<'s>(shop: &'s Shop<'s>) -> Day<'s> {
        let metric = shop.account.cloudwatch.put_metric_alarm().alarm_name(SHOPPERS_ALARM).namespace("AWS/ApiGateway");
        let metric = metric.metric_name("5xx").period(60).evaluation_periods(1).threshold(0.0);
        let metric = metric.comparison_operator(ComparisonOperator::GreaterThanThreshold);
        shop.account.wait(metric.send()).unwrap();
        let day = Day { shop, orders: Mutex::default(), over: AtomicBool::new(false) };
        day.ring();
        day
    }

    /// CloudWatch at work. MiniStack evaluates alarms only when somebody publishes a metric, and has no metrics of queues
    /// and apis; so the alarms of the template are set here as they would be, by what was really seen.
    fn ring(&self) {
        let recent = |which: &dyn Fn(&Ordered) -> bool| {
            self.orders.lock().unwrap().iter().rev().take(5).filter(|order| which(order)).count() > 0
        };
        let visible = |queue| self.shop.counts(queue)[0];
        let alarms = [
            (self.shop.name("OrdersBacklogAlarm"), visible("OrdersQueue") > BACKLOG),
            (self.shop.name("LostOrdersAlarm"), visible("OrdersDeadLetters") > 0),
            // Lambda counts a throttled invocation as a throttle and not as an error.
            (self.shop.name("OrderErrorsAlarm"), recent(&|order| order.error.is_some() && order.http == 200)),
            (SHOPPERS_ALARM.to_owned(), recent(&|order| order.status != Some(202))),
        ];
        for (alarm, rings) in alarms {
            let state = if rings { StateValue::Alarm } else { StateValue::Ok };
            let set = self.shop.account.cloudwatch.set_alarm_state().alarm_name(alarm).state_value(state);
            self.shop.account.wait(set.state_reason("as was seen").send()).unwrap();
        }
    }

    /// Twenty notifications a second go to the customers, beside those of the day, while something goes on.
    pub fn announcing<T>(&self, during: impl FnOnce() -> T) -> T {
        let enough = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !enough.load(Ordering::SeqCst) {
                    let entry = |id: u32| {
                        let entry = SendMessageBatchRequestEntry::builder().id(id.to_string());
                        entry.message_body(r#"{"orderId": "of a busy day"}"#).build().unwrap()
                    };
                    let send = self.shop.account.sqs.send_message_batch();
                    let send = send.queue_url(self.shop.physical("NotificationQueue"));
                    self.shop.account.wait(send.set_entries(Some((0..10).map(entry).collect())).send()).unwrap();
                    pause(Duration::from_millis(500));
                }
            });
            let _over = Over(&enough);
            during()
        })
    }

    /// From here on.
    pub fn now(&self) -> From {
        // The order that is on its way began before.
        From(self.orders.lock().unwrap().len() + 1)
    }

    /// What shoppers saw since.
    pub fn since(&self, from: From) -> Vec<Ordered> {
        self.orders.lock().unwrap().iter().skip(from.0).cloned().collect()
    }

    /// Waits until so many shoppers more came.
    pub fn wait_for(&self, shoppers: usize) -> Vec<Ordered> {
        let from = self.now();
        until("shoppers come", || Some(self.since(from)).filter(|orders| orders.len() >= shoppers))
    }

    /// The orders that the shop took.
    pub fn taken(&self) -> Vec<String> {
        self.orders.lock().unwrap().iter().filter_map(|ordered| ordered.order.clone()).collect()
    }

    /// Waits until every customer whose order was taken was told that it is paid.
    pub fn everybody_is_told(&self) {
        let taken = self.taken();
        until("every order is paid and its customer told", || {
            let told = self.shop.told();
            taken.iter().all(|order| told.contains(order)).then_some(())
        });
    }
}

/// Ends the day when a test ends, in whichever way.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
