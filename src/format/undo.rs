//! What `squall undo RUN --change N --json` prints.

use super::account::{Setting, Value};
use crate::ids::RunId;
use crate::plan::ChangeId;

/// One change, and how to put it back by hand.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Version of this form.
    pub format: u32,
    pub run: RunId,
    pub change: ChangeId,
    pub setting: Setting,
    pub before: Value,
    pub after: Value,
    /// What the account holds now, in words, or why that is not known.
    pub now: String,
    /// Whether something has to be done.
    pub left: bool,
    /// The command that writes `before`.
    pub command: String,
}
