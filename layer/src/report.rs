//! What the layer says: JSON lines on standard error, which Lambda puts into the function's log. The line of an injected fault is
//! in CloudWatch's embedded metric format, so that it is a count as well
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).

use std::io::Write;

use serde_json::{Value, json};

use crate::faults::{Act, Injection};
use crate::orders::document::When;

/// The namespace of the metrics `FaultsInjected` and `InjectedDelay`, by function and run, and by function and order: the first
/// for people, the second for squall, which knows its orders' keys before it knows a run.
pub const NAMESPACE: &str = "SquallLayer";

/// Writes one line. A log that cannot be written changes nothing else.
pub fn line(value: &Value) {
    let _ = std::io::stderr().write_all(format!("{value}\n").as_bytes());
}

/// Writes that something is not as it should be, and what follows.
pub fn problem(what: &str) {
    line(&json!({ "source": "squall-layer", "action": "problem", "problem": what }));
}

/// The line of a fault, written before it acts: an environment that times out writes nothing afterwards. `wall` is in
/// milliseconds since 1970.
pub fn injected(function: &str, wall: i64, request: &str, injection: &Injection) -> Value {
    let Injection { run, order, kind, when, act } = injection;
    let when = if *when == When::Before { "before" } else { "after" };
    let mut metrics = vec![json!({ "Name": "FaultsInjected", "Unit": "Count" })];
    let mut line = json!({
        "source": "squall-layer", "action": "inject", "Function": function, "Run": run.as_str(), "Order": order.as_str(),
        "requestId": request, "fault": kind, "when": when, "FaultsInjected": 1,
    });
    let detail = match act {
        Act::Delay(millis) => {
            metrics.push(json!({ "Name": "InjectedDelay", "Unit": "Milliseconds" }));
            ("InjectedDelay", json!(millis))
        }
        Act::Hang(until) => ("heldUntil", json!(until)),
        Act::Error(kind, _) => ("errorType", json!(kind)),
        Act::Body(body) => ("bytes", json!(body.len())),
        Act::Status(status) => ("status", json!(status)),
        Act::Truncate(bytes) => ("bytes", json!(bytes)),
    };
    let emf = json!({
        "Timestamp": wall,
        "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [["Function", "Run"], ["Function", "Order"]], "Metrics": metrics }],
    });
    if let Some(fields) = line.as_object_mut() {
        fields.insert(detail.0.into(), detail.1);
        fields.insert("_aws".into(), emf);
    }
    line
}
