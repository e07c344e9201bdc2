//! What an experiment aims at: resources, and the selectors that name them.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use crate::ids::ResourceKind;
use crate::location::{AccountIdentity, Location, Region};

/// One thing in one region of one account. `name` is the service's own name for it (a function's name, a queue's name, a
/// role's name, a parameter's full path), in the sandbox the template's logical id or its explicit name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Resource {
    pub location: Location,
    pub kind: ResourceKind,
    pub name: String,
    /// The alias or version of a function; `None` is the function itself.
    pub qualifier: Option<String>,
}

/// A resource as it is written down. squall 0.1.0 wrote a nickname for the account, and no region.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    account: AccountIdentity,
    #[serde(default)]
    region: Region,
    kind: ResourceKind,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    qualifier: Option<String>,
}

impl From<Written> for Resource {
    fn from(written: Written) -> Resource {
        let Written { account, region, kind, name, qualifier } = written;
        Resource { location: Location { account, region }, kind, name, qualifier }
    }
}

impl From<Resource> for Written {
    fn from(resource: Resource) -> Written {
        let Resource { location: Location { account, region }, kind, name, qualifier } = resource;
        Written { account, region, kind, name, qualifier }
    }
}

impl Resource {
    /// A resource of an account. What has no region, such as a role, is where the account keeps all of these.
    pub fn new(location: &Location, kind: ResourceKind, name: impl Into<String>) -> Resource {
        let location = if kind.is_global() { location.global() } else { location.clone() };
        Resource { location, kind, name: name.into(), qualifier: None }
    }

    /// Another resource of the same account, and of the same region if it has one.
    pub fn beside(&self, kind: ResourceKind, name: impl Into<String>) -> Resource {
        Resource::new(&self.location, kind, name)
    }

    /// The whole resource of which this is an alias or a version.
    pub fn unqualified(&self) -> Resource {
        Resource { qualifier: None, ..self.clone() }
    }

    /// Its name with its qualifier: `pay:live`.
    pub fn qualified_name(&self) -> String {
        match &self.qualifier {
            None => self.name.clone(),
            Some(qualifier) => format!("{}:{qualifier}", self.name),
        }
    }
}

/// `function PaymentWorker`; the account is told apart only where there are several.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.qualified_name())
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
