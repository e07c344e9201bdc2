//! A SAM or CloudFormation template to an [`App`].
//!
//! In this order: `files` reads what a template names beside itself, `language` writes loops out, `scope` and `resolve`
//! compute functions, `sam` turns SAM's resources into plain ones, `table` reports what no one reads, `read` makes the
//! application of the plain ones, and `deploy` says what AWS would refuse.
//!
//! Invariant: what the model does not know is a warning with a place, never an error, and never passed over; what AWS
//! would refuse is an error. What cannot be known stays unknown. No template, however broken, makes this panic or grow
//! without bound.

pub mod app;
mod deploy;
mod files;
mod language;
pub mod managed;
mod names;
mod part;
pub mod pattern;
mod read;
mod resolve;
mod sam;
mod scope;
mod show;
mod stack;
mod table;
mod value;
pub mod written;

use std::collections::BTreeMap;
use std::sync::Arc;

use app::{App, Deployed};
use files::Files;
use names::kind_of;
use stack::{Stack, Within};
use value::{Spot, Value};

use crate::yaml::{Findings, Source, tree};
pub use deploy::allows;
pub use show::Understood;

/// What is said about a template from outside.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    pub stack: String,
    /// Values of the template's parameters; those left out have their defaults.
    pub parameters: BTreeMap<String, String>,
    /// Values that lie elsewhere: SSM parameters, secrets and imports of other stacks, by their names.
    pub stores: BTreeMap<String, String>,
    pub location: Deployed,
    pub limits: Limits,
    /// Whether other files that the template names are read. Their paths count from the file that names them.
    pub files: bool,
}

/// Concurrency that an account has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Concurrent executions in all.
    pub concurrency: u32,
    /// Of them, what no function may reserve.
    pub unreserved: u32,
}

impl Default for Limits {
    /// As AWS gives them to a new account that is in use (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
    fn default() -> Limits {
        Limits { concurrency: 1_000, unreserved: 100 }
    }
}

/// Reads a template. Arrivals, durations and calls are not in it: every function has defaults for them, which a traffic
/// file replaces. Without an [`App`] the findings hold an error.
pub fn read(source: &Arc<Source>, deployment: &Deployment) -> (Option<App>, Findings) {
    let (read, findings) = stack_and_app(source, deployment);
    (read.map(|(_, app)| app).filter(|_| !findings.has_errors()), findings)
}

/// Reads a template as far as it can be read, errors or not. `None` only when it is no template at all.
pub fn understand(source: &Arc<Source>, deployment: &Deployment) -> (Option<Understood>, Findings) {
    let (read, findings) = stack_and_app(source, deployment);
    (read.map(|(stack, app)| Understood::of(&stack, app)), findings)
}

fn stack_and_app(source: &Arc<Source>, deployment: &Deployment) -> (Option<(Stack, App)>, Findings) {
    let (root, mut findings) = tree::parse_template(source);
    let Some(root) = root else { return (None, findings) };
    let root = Value::of(source, &root);
    let files = Files::new(deployment.files);
    let within = Within { deployment, files: &files, given: BTreeMap::new(), prefix: String::new(), depth: 0 };
    let stack = stack::read(source, root, &within, &mut findings);
    let app = read::app(&stack, deployment, &mut findings);
    findings.sort();
    (Some((stack, app)), findings)
}

/// The page about what is read, made from the table: `docs/reference/template.md`.
pub fn page() -> String {
    table::page()
}

/// A resource as it is written.
struct Resource {
    id: String,
    at: Spot,
    kind: String,
    /// With what `Globals` adds.
    properties: Value,
    /// With its attributes.
    whole: Value,
}

impl Resource {
    fn properties(&self) -> &Value {
        &self.properties
    }

    fn label(&self) -> String {
        label(&self.kind, &self.id)
    }
}

/// A plain resource whose functions are computed.
#[derive(Clone, Debug)]
struct Item {
    /// Its logical id in its own template.
    id: String,
    /// Its name in the model.
    name: String,
    kind: String,
    at: Spot,
    properties: Value,
    /// Whether SAM makes it.
    generated: bool,
}

impl Item {
    fn label(&self) -> String {
        label(&self.kind, &self.id)
    }
}

/// `queue OrdersQueue`, or for what squall has no word for `AWS::Logs::LogGroup Log`.
fn label(kind: &str, id: &str) -> String {
    format!("{} {id}", kind_of(kind).map_or(kind, |kind| kind.word()))
}

#[cfg(test)]
mod tests;
