//! Orders of squall's own layer, as far as squall writes them: latency and errors before the handler, each until its end. The
//! layer's other kinds are not modelled, and do nothing here.

use serde_json::{Map, Value as Json};

use super::chance::Chance;
use super::wrapper::{Injection, Instead};
use crate::layer::terms;
use crate::units::{Share, Span, Time};

/// The layer reads its orders again after so long, when an invocation comes.
pub(super) const INTERVAL: Span = Span::from_secs(terms::INTERVAL_S as i64);
/// What it read counts for so long.
pub(super) const CURRENT_FOR: Span = Span::from_millis(terms::CURRENT_FOR_MS as i64);

/// One order.
#[derive(Clone, Debug)]
pub(super) struct Order {
    until: Time,
    share: Share,
    act: Act,
}

#[derive(Clone, Debug)]
enum Act {
    Delay(Span, Span),
    Error,
}

/// Reads the orders of a document; of a version other than 1, none.
pub(super) fn read(document: &Map<String, Json>) -> Vec<Order> {
    if document.get("version") != Some(&Json::from(1)) {
        return Vec::new();
    }
    document.iter().filter(|(key, _)| *key != "version").filter_map(|(_, order)| of(order)).collect()
}

fn of(order: &Json) -> Option<Order> {
    let until = order.get("until")?.as_str()?.parse().ok()?;
    let share = Share::new(order.get("share").map_or(Some(1.0), Json::as_f64)?)?;
    let fault = order.get("fault")?;
    let delay = fault.pointer("/latency/delay");
    let millis = |path: &str| delay?.pointer(path)?.as_i64().map(Span::from_millis);
    let act = match (millis("/fixed/ms"), millis("/uniform/from_ms").zip(millis("/uniform/to_ms"))) {
        (Some(span), _) => Act::Delay(span, span),
        (None, Some((from, to))) => Act::Delay(from, to),
        (None, None) => fault.get("error").map(|_| Act::Error)?,
    };
    Some(Order { until, share, act })
}

/// What orders do to an invocation that comes now.
pub(super) fn act(orders: &[Order], now: Time, chance: &mut Chance) -> Injection {
    let mut injected = Injection::default();
    for order in orders.iter().filter(|order| now < order.until) {
        if !chance.happens(order.share) {
            continue;
        }
        match order.act {
            Act::Delay(from, to) => injected.delay = injected.delay + chance.between(from, to),
            Act::Error => injected.instead = Some(Instead::Exception),
        }
    }
    injected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_acts_until_its_end() {
        let document = r#"{"version": 1,
            "a": {"run": "r", "until": "2026-03-02T09:10:00Z", "share": 1.0, "fault": {"latency": {"delay": {"uniform": {"from_ms": 300, "to_ms": 300}}}}},
            "b": {"run": "r", "until": "2026-03-02T09:05:00Z", "fault": {"error": {"message": "m"}}},
            "c": {"run": "r", "until": "2026-03-02T09:10:00Z", "fault": {"hang": {"answer": "past_deadline"}}}}"#;
        let read = |text: &str| read(&serde_json::from_str(text).unwrap());
        let orders = read(document);
        let at = |time: &str| act(&orders, time.parse().unwrap(), &mut Chance::of(1, "test"));
        let delay = Span::from_millis(300);
        assert_eq!(at("2026-03-02T09:04:59Z"), Injection { delay, instead: Some(Instead::Exception) });
        assert_eq!(at("2026-03-02T09:05:00Z"), Injection { delay, instead: None });
        assert_eq!(at("2026-03-02T09:10:00Z"), Injection::default());
        assert!(read(&document.replace("\"version\": 1", "\"version\": 2")).is_empty());
    }
}
