//! The report as one JSON document: the [`Summary`] itself. Its `schema` rises when a reader of the old form would go
//! wrong; new fields may come at any time.

use super::summary::Summary;

/// The whole document.
pub fn document(summary: &Summary) -> String {
    // Serializing to memory fails only for maps whose keys are not strings, and a summary has none.
    serde_json::to_string_pretty(summary).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}")) + "\n"
}
