//! What squall knows about each kind of resource and about each setting, one file a service.
//!
//! Invariant: such a fact is said once, here. Both accounts, the planner and everything that is printed read it.

pub mod apigateway;
pub mod cloudwatch;
mod compare;
pub mod dynamodb;
pub mod iam;
pub mod lambda;
pub mod probe;
mod shell;
pub mod sns;
pub mod sqs;
pub mod ssm;

use super::setting::{Setting, Value};
use super::target::{Resource, ResourceKind};
use crate::deadman::branch::Branch;
use crate::ids::RunId;
use crate::units::Span;
pub use compare::{Comparison, same_document};
pub use shell::{Cli, quote};
use shell::{json_is, json_text, object, text_is};

/// The facts about one kind of resource.
pub struct KindDescriptor {
    pub arn: ArnShape,
    /// Its types in CloudFormation.
    pub types: &'static [&'static str],
    /// Whether CloudFormation's physical id is a URL or an ARN that ends with the name. Otherwise it is the name.
    pub physical_id_ends_with_name: bool,
    /// What the tagging API calls it; `None` where that does not know it.
    pub tag_filter: Option<&'static str>,
    /// Namespace and dimension of its metrics in CloudWatch.
    pub metrics: &'static [(&'static str, &'static str)],
    /// The actions that tell whether one is there, by its name.
    pub find: &'static [&'static str],
    /// The actions that describe one and are permitted on its own ARN.
    pub describe: &'static [&'static str],
    /// The actions that describe one and know no single resources.
    pub lists: &'static [&'static str],
}

/// How the ARNs of a kind look, and which names are in them.
pub struct ArnShape {
    /// `lambda`; empty for what is not in AWS.
    pub service: &'static str,
    /// Whether the region is in it.
    pub has_region: bool,
    /// Whether the account's id is in it.
    pub has_account: bool,
    /// What precedes the name: `function:`.
    pub before: &'static str,
    /// The names that the rest of an ARN after `before` may mean.
    pub names: fn(&str) -> Vec<String>,
}

impl ArnShape {
    /// An ARN like most: region, account, and the name up to one of these characters.
    const fn regional(service: &'static str, before: &'static str, names: fn(&str) -> Vec<String>) -> ArnShape {
        ArnShape { service, has_region: true, has_account: true, before, names }
    }

    /// The ARN of a name.
    pub fn of(&self, partition: &str, region: &str, account: &str, name: &str) -> String {
        if self.service.is_empty() {
            return name.to_owned();
        }
        let region = if self.has_region { region } else { "" };
        let account = if self.has_account { account } else { "" };
        // A parameter's own path begins with the slash that separates it from the word before it.
        let name = if self.before.ends_with('/') { name.strip_prefix('/').unwrap_or(name) } else { name };
        format!("arn:{partition}:{}:{region}:{account}:{}{name}", self.service, self.before)
    }
}

/// The whole rest of an ARN is the name.
fn whole(rest: &str) -> Vec<String> {
    vec![rest.to_owned()]
}

/// The name ends at the first colon.
fn up_to_colon(rest: &str) -> Vec<String> {
    rest.split(':').take(1).map(str::to_owned).collect()
}

/// The name ends at the first slash.
fn up_to_slash(rest: &str) -> Vec<String> {
    rest.split('/').take(1).map(str::to_owned).collect()
}

impl ResourceKind {
    /// What squall knows about the kind.
    pub const fn descriptor(self) -> &'static KindDescriptor {
        match self {
            ResourceKind::Function => &lambda::FUNCTION,
            ResourceKind::Queue => &sqs::QUEUE,
            ResourceKind::Role => &iam::ROLE,
            ResourceKind::Parameter => &ssm::PARAMETER,
            ResourceKind::Table => &dynamodb::TABLE,
            ResourceKind::Topic => &sns::TOPIC,
            ResourceKind::Api => &apigateway::API,
            ResourceKind::Alarm => &cloudwatch::ALARM,
            ResourceKind::Probe => &probe::PROBE,
        }
    }
}

/// What the absence of a setting's resource says about a change of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Nothing of the change is left, and the value before was that there was none.
    Settles,
    /// Others deleted the resource, and with it the value before: a person has to know.
    IsNamed,
}

/// The facts about one setting of one resource.
pub trait SettingDescriptor<'a> {
    /// The resource that it is on: for a lock, the locked one.
    fn resource(&self) -> &'a Resource;

    /// In words: `reserved concurrency of function PaymentWorker`.
    fn title(&self) -> String;

    /// How long after a write with an unknown outcome a read that shows the old value settles the question
    /// (DESIGN rule 4): the attempt's time-out plus how long the service may show an older value.
    fn quiet(&self) -> Span {
        USUAL_QUIET
    }

    /// What it means when its resource is not there any more. A fault that cannot outlive its resource, nor come back with
    /// another one of the same name, is over; everything else is named, because the value before went as well.
    fn absence(&self) -> Absence {
        Absence::IsNamed
    }

    /// When two values mean the same.
    fn compares(&self) -> Comparison;

    /// What its numbers count.
    fn unit(&self) -> Unit {
        Unit::None
    }

    /// Whether faults make it more, as a delay. Of a limit they make less.
    fn faults_raise(&self) -> bool {
        false
    }

    /// What else is written with it.
    fn shares(&self) -> Shares<'a> {
        Shares::Nothing
    }

    /// Whether its value is part of what its resource is described as.
    fn is_described(&self) -> bool {
        true
    }

    /// Whether a run of squall could have changed it from `before` to `after`, and if not, why. A lock is text from outside:
    /// it restores what passes here and nothing else.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence about the setting: `it is a number`.
    fn could_be_changed_by(&self, _run: &RunId, before: &Value, after: &Value) -> Result<(), &'static str> {
        let texts = [before, after].into_iter().any(|value| matches!(value, Value::Text(_)));
        match self.compares() {
            Comparison::Number if texts => Err("it is a number"),
            Comparison::Number | Comparison::Text | Comparison::Json | Comparison::Policy => Ok(()),
        }
    }

    /// The IAM actions that reading it takes.
    fn read_actions(&self) -> &'static [&'static str];

    /// The IAM action that writes a value.
    fn write_action(&self, value: &Value) -> &'static str;

    /// A shell condition that holds while the setting has this value; `whole` is the document for a key in one.
    fn is_command(&self, aws: &Cli, value: &Value, whole: Option<&str>) -> String;

    /// The command that writes a value, ready to paste; `whole` is the document for a key in one.
    fn write_command(&self, aws: &Cli, value: &Value, whole: Option<&str>) -> String;

    /// How the dead-man switch reads and writes it; `None` for a setting that it never has to roll back.
    fn branch(&self) -> Option<&'static Branch> {
        None
    }

    /// One such setting with a value that it may be given, on resources of the caller's. Tests of everything that must
    /// know every setting loop over these.
    fn sample(on: &dyn Fn(ResourceKind) -> Resource) -> Sample
    where
        Self: Sized;
}

/// The time-out of an attempt, and some for a read that is answered from an older copy.
pub const USUAL_QUIET: Span = Span::from_secs(60);

/// What is written together with a setting, because the service takes no less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shares<'a> {
    /// It is written alone.
    Nothing,
    /// It is this key of a JSON document, and the whole document is written. The service has no token for it: what
    /// another writer does between the read and the write is overwritten.
    Document { key: &'a str },
    /// The service takes it with others of its kind. The account reads those first and names what it read by this token, so
    /// that a change in between is refused.
    Others { token: &'static str },
}

/// What the numbers of a setting count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    None,
    Seconds,
    /// A noun: one and many.
    Things(&'static str, &'static str),
}

/// A setting with a value that it may have, for tests.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub setting: Setting,
    pub value: Value,
    /// For a key in a document that is `{}` so far: the whole document to write.
    pub whole: Option<String>,
}

impl Sample {
    /// Of a setting that is written alone.
    pub fn plain(setting: Setting, value: Value) -> Sample {
        Sample { setting, value, whole: None }
    }
}
