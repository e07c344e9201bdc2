//! What the layer says: JSON lines on standard error, which Lambda puts into the function's log.

use std::io::Write;

use serde_json::{Value, json};

/// Writes one line. A log that cannot be written changes nothing else.
pub fn line(value: &Value) {
    let _ = std::io::stderr().write_all(format!("{value}\n").as_bytes());
}

/// Writes that something is not as it should be, and what follows.
pub fn problem(what: &str) {
    line(&json!({ "source": "squall-layer", "action": "problem", "problem": what }));
}
