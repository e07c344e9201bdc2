//! Orders of squall's own layer, as far as squall writes them, each until its end: latency and errors before the handler, other
//! responses, responses that are held until the time-out. Conditions on events, delays after the handler or for each record, and the
//! limits in variables of the function are not modelled.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::chance::Chance;
use super::wrapper::{Injection, Instead, Late, LateAct};
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
    /// The handler does not run.
    Instead(Instead),
    Late(LateAct),
}

/// Reads the orders of a document; of a version other than 1, none.
pub(super) fn read(document: &Map<String, Json>) -> Vec<Order> {
    if document.get("version") != Some(&Json::from(1)) {
        return Vec::new();
    }
    // The layer goes by the order of their keys.
    let orders: BTreeMap<&String, &Json> = document.iter().filter(|(key, _)| *key != "version").collect();
    orders.into_values().filter_map(of).collect()
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
        (None, None) => end(fault)?,
    };
    Some(Order { until, share, act })
}

/// A fault that decides how an invocation ends.
fn end(fault: &Json) -> Option<Act> {
    if fault.get("error").is_some() {
        return Some(Act::Instead(Instead::Exception));
    }
    if let Some(answer) = fault.pointer("/hang/answer").and_then(Json::as_str) {
        let before = answer == "before_deadline";
        return Some(Act::Late(if before { LateAct::HoldBefore } else { LateAct::HoldPast }));
    }
    let response = fault.get("response")?;
    let with = response.get("with")?;
    let status = match (with.get("status").and_then(Json::as_u64), with.get("body").and_then(Json::as_str)) {
        (Some(status), _) => u16::try_from(status).ok()?,
        (None, Some(body)) => status_of(body),
        (None, None) => with.get("truncated").map(|_| MALFORMED)?,
    };
    let runs = response.get("when").and_then(Json::as_str) == Some("after");
    Some(if runs { Act::Late(LateAct::Answer(status)) } else { Act::Instead(Instead::Status(status)) })
}

/// What API Gateway makes of a response that it cannot read
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/handle-errors-in-lambda-integration.html>).
const MALFORMED: u16 = 502;

/// The status that API Gateway gives a response: the one that it says, or 200 for other JSON, as HTTP APIs do
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>).
fn status_of(body: &str) -> u16 {
    let Ok(body) = serde_json::from_str::<Json>(body) else { return MALFORMED };
    let status = body.get("statusCode").and_then(Json::as_u64).unwrap_or(200);
    u16::try_from(status).unwrap_or(MALFORMED)
}

/// What orders do to an invocation that comes now. It has one end, which is the first one's.
pub(super) fn act(orders: &[Order], now: Time, chance: &mut Chance) -> Injection {
    let mut injected = Injection::default();
    for order in orders.iter().filter(|order| now < order.until) {
        if !chance.happens(order.share) {
            continue;
        }
        match order.act {
            Act::Delay(from, to) => injected.delay = injected.delay + chance.between(from, to),
            _ if injected.instead.is_some() || injected.late.is_some() => {}
            Act::Instead(instead) => injected.instead = Some(instead),
            Act::Late(act) => injected.late = Some(Late { until: order.until, act }),
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
            "c": {"run": "r", "until": "2026-03-02T09:08:00Z", "fault": {"hang": {"answer": "past_deadline"}}}}"#;
        let read = |text: &str| read(&serde_json::from_str(text).unwrap());
        let orders = read(document);
        let at = |time: &str| act(&orders, time.parse().unwrap(), &mut Chance::of(1, "test"));
        let delay = Span::from_millis(300);
        let (failed, none) = (Some(Instead::Exception), Injection::default());
        assert_eq!(at("2026-03-02T09:04:59Z"), Injection { delay, instead: failed, ..none });
        let late = Some(Late { until: "2026-03-02T09:08:00Z".parse().unwrap(), act: LateAct::HoldPast });
        assert_eq!(at("2026-03-02T09:05:00Z"), Injection { delay, late, ..none });
        assert_eq!(at("2026-03-02T09:08:00Z"), Injection { delay, ..none });
        assert_eq!(at("2026-03-02T09:10:00Z"), none);
        assert!(read(&document.replace("\"version\": 1", "\"version\": 2")).is_empty());
    }
    #[test]
    fn responses_are_read_as_an_api_reads_them() {
        let act = |fault: &str| {
            let fault: Json = serde_json::from_str(fault).unwrap();
            end(&fault).unwrap()
        };
        let status = |body: &str| match act(&format!(r#"{{"response": {{"with": {{"body": {body}}}}}}}"#)) {
            Act::Instead(Instead::Status(status)) => status,
            other => panic!("{other:?}"),
        };
        assert_eq!(status(r#""{\"statusCode\": 404}""#), 404);
        assert_eq!(status(r#""{\"orders\": []}""#), 200);
        assert_eq!(status(r#""<html>""#), MALFORMED);
        let after = act(r#"{"response": {"when": "after", "with": {"truncated": 3}}}"#);
        assert!(matches!(after, Act::Late(LateAct::Answer(MALFORMED))), "{after:?}");
        let before = act(r#"{"hang": {"answer": "before_deadline"}}"#);
        assert!(matches!(before, Act::Late(LateAct::HoldBefore)), "{before:?}");
    }
}
