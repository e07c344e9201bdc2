//! The shipped example: an ordinary shop, from the files in `sandbox/shop`. They are part of the binary, so that it
//! runs anywhere.

use std::sync::Arc;

use super::app::App;
use super::traffic::read_app;
use crate::yaml::Source;

/// The name of its stack; names of roles and parameters begin with it.
pub const STACK: &str = "shop";

/// The shop's template and its traffic file.
pub fn shop_sources() -> (Arc<Source>, Arc<Source>) {
    (
        Source::new("sandbox/shop/template.yaml", include_str!("../../../sandbox/shop/template.yaml")),
        Source::new("sandbox/shop/traffic.yaml", include_str!("../../../sandbox/shop/traffic.yaml")),
    )
}

/// The shop as an application of the sandbox.
pub fn shop() -> App {
    let (template, traffic) = shop_sources();
    // A test holds that both files are without findings; an empty application is what nobody ever sees.
    read_app(&template, &traffic, STACK).0.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::sandbox::app::{Destination, TrafficTarget, Watches};
    use crate::units::Span;
    use crate::yaml::Style;

    #[test]
    fn the_shop_is_read_without_a_finding() {
        let (template, traffic) = shop_sources();
        let (app, findings) = read_app(&template, &traffic, STACK);
        assert!(findings.is_empty(), "{}", findings.render(Style::Plain));
        assert!(app.is_some());
    }

    #[test]
    fn the_shop_is_what_its_template_says() {
        let shop = shop();
        let worker = &shop.functions["PaymentWorker"];
        assert_eq!((worker.timeout, worker.role.as_str()), (Span::from_secs(20), "shop-payment-worker"));
        assert_eq!(worker.calls[1].to, Destination::Table("PaymentsTable".into()));
        assert_eq!(
            shop.functions["OrderFunction"].environment["FAILURE_INJECTION_PARAM"],
            "/shop/order-function/faults"
        );
        assert_eq!(shop.parameters["/shop/order-function/faults"], "{}");
        let redrive = shop.queues["OrdersQueue"].redrive.as_ref().unwrap();
        assert_eq!((redrive.dead_letter.as_str(), redrive.max_receive_count), ("OrdersDeadLetters", 5));
        assert!(shop.mappings["PaymentWorkerOrders"].partial_batch);
        assert!(!shop.mappings["NotifyFunctionNotifications"].partial_batch);
        assert_eq!(shop.apis["ShopApi"].routes["POST /orders"], "OrderFunction");
        assert_eq!(shop.topics["OrderEvents"].to_queues, ["NotificationQueue"]);
        let Watches::Threshold(backlog) = &shop.alarms["OrdersBacklogAlarm"].watches else { panic!() };
        assert_eq!(backlog.threshold, 100.0);
        assert_eq!(shop.traffic[0].to, TrafficTarget::Api { api: "ShopApi".into(), route: "POST /orders".into() });
        let policy = &shop.roles["shop-payment-worker"].inline["charge-payments"];
        assert!(policy.contains("arn:aws:dynamodb:eu-west-1:000000000000:table/PaymentsTable"), "{policy}");
        assert_eq!(shop.logical_ids["PaymentWorkerRole"], "shop-payment-worker");
    }
}
