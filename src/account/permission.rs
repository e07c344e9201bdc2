//! Whether squall may do what a plan needs: asked beforehand, because the rollback must be permitted before the injection.

use serde::{Deserialize, Serialize};

/// One action on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Action {
    /// `lambda:PutFunctionConcurrency`.
    pub action: String,
    /// An ARN, a pattern of ARNs, or `*`.
    pub resource: String,
}

/// Whether an action is permitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permitted {
    Yes,
    /// It is not, and why.
    No(String),
    /// Nothing tells, and why.
    CannotTell(String),
}

/// How long squall's credentials last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lasts {
    /// They do not end by themselves, or are renewed by themselves when they do.
    On,
    /// They end, and nothing renews them.
    Until(crate::units::Time),
    /// They are temporary, and do not say how long they last.
    CannotTell,
    /// They are good until then; nothing tells whether they are renewed afterwards.
    CannotTellAfter(crate::units::Time),
}
