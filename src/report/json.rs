//! The report as one JSON document: [`super::written`].

use super::summary::Summary;
use super::written::Report;
use crate::outside::escaped_json;

/// The whole document.
pub fn document(summary: &Summary) -> String {
    // Serializing to memory fails only for maps whose keys are not strings, and a report has none.
    let json =
        serde_json::to_string_pretty(&Report::of(summary)).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    escaped_json(&json) + "\n"
}

/// The JSON Schema of the document.
pub fn schema() -> serde_json::Value {
    crate::format::schema::of::<Report>()
}
