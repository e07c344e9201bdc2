//! What an experiment aims at: resources, and the selectors that name them.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use crate::ids::{AccountName, ResourceKind};

/// One thing in one account. `name` is the service's own name for it (a function's name, a queue's name, a role's
/// name, a parameter's full path), in the sandbox the template's logical id or its explicit name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resource {
    pub account: AccountName,
    pub kind: ResourceKind,
    pub name: String,
}

impl Resource {
    /// A resource of an account.
    pub fn new(account: &AccountName, kind: ResourceKind, name: impl Into<String>) -> Resource {
        Resource { account: account.clone(), kind, name: name.into() }
    }
}

/// `function PaymentWorker`; the account is told apart only where there are several.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.name)
    }
}

/// How an experiment names resources of one kind. The engine picks some of what a selector means afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    pub kind: ResourceKind,
    pub by: SelectBy,
}

/// The ways to name resources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelectBy {
    /// By name, logical id or ARN.
    Name(String),
    /// By a tag.
    Tag { key: String, value: String },
    /// Everything of the kind in a CloudFormation stack.
    Stack(String),
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.word();
        match &self.by {
            SelectBy::Name(name) => write!(f, "{kind} {name}"),
            SelectBy::Tag { key, value } => write!(f, "every {kind} tagged {key}={value}"),
            SelectBy::Stack(stack) => write!(f, "every {kind} of stack {stack}"),
        }
    }
}
