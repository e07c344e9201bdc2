//! The catalogue of faults. A fault reads descriptions and plans changes or an emission; it never acts.
//!
//! To add one: write `faults/x.rs` (parameters, page, `look`, `plan`, tests), and name its module and its line in the
//! catalogue here. The plan, the rollback, the locks, the permissions, the schema and the documentation follow from that.
//!
//! Invariant: nothing here does IO, and a fault cannot express its own rollback. It says what should be, and the planner
//! adds what is.

mod actions;
pub mod delay;
pub mod deny;
pub mod error;
pub mod extension;
pub mod hang;
pub mod latency;
mod layer;
pub mod page;
pub mod pattern;
pub mod poison;
pub mod response;
#[cfg(test)]
pub(crate) mod stage;
pub mod throttle;
mod wrapper;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::account::description::{FunctionDescription, ParameterDescription, QueueDescription, RoleDescription};
use crate::account::{Description, Identity, Resource, Setting, Value};
use crate::ids::{FaultName, RunId};
use crate::plan::{Emission, Evidence};
use crate::units::{Span, Time};
use crate::yaml::TargetName;
pub use page::Page;

/// Declares the closed set of faults: one entry each, its sentence, its parameters and its name.
macro_rules! catalogue {
    ($($(#[doc = $doc:literal])+ $variant:ident($kind:ty) as $name:literal),+ $(,)?) => {
        crate::choice! {
            /// One fault of the catalogue, with its parameters.
            pub enum FaultSpec {
                $($(#[doc = $doc])+ $variant($kind) as $name),+
            }
        }

        impl FaultSpec {
            /// The page of every fault, in the order of the documentation.
            pub const PAGES: &'static [&'static Page] = &[$(<$kind>::PAGE),+];

            /// The fault behind the parameters.
            pub fn fault(&self) -> &dyn Fault {
                match self {
                    $(FaultSpec::$variant(fault) => fault),+
                }
            }
        }
    };
}

catalogue! {
    /// Caps how many invocations of a function run at the same time.
    Throttle(throttle::Throttle) as "lambda.throttle",
    /// Delays a share of a function's invocations.
    Latency(latency::Latency) as "lambda.latency",
    /// Makes a share of a function's invocations fail.
    Error(error::LambdaError) as "lambda.error",
    /// Makes a share of a function's invocations answer something else.
    Response(response::LambdaResponse) as "lambda.response",
    /// Holds a share of a function's responses until its timeout.
    Hang(hang::Hang) as "lambda.hang",
    /// Sends a queue messages that its consumer cannot handle.
    Poison(poison::Poison) as "sqs.poison",
    /// Delays every new message of a queue for a while.
    QueueDelay(delay::QueueDelay) as "sqs.delay",
    /// Denies actions to a role for a while.
    Deny(deny::Deny) as "iam.deny",
}

/// What every fault can do: say what it is, what it must look at, and what it would change.
pub trait Fault {
    /// What it does, what shows it, how it ends: for people.
    fn page(&self) -> &'static Page;

    /// The experiment's name of the target that it acts on.
    fn target(&self) -> &TargetName;

    /// Other targets that its parameters mention.
    fn mentions(&self) -> Vec<&TargetName> {
        Vec::new()
    }

    /// What is wrong with its parameters, whatever the account: `squall check` shows each at its key.
    fn flaws(&self) -> Vec<Flaw> {
        Vec::new()
    }

    /// Whether two of it on one resource change the same setting, so that they must not overlap.
    fn is_exclusive(&self) -> bool {
        true
    }

    /// Resources that must be described before it can plan for `target`, as far as `seen` shows them. It is asked again
    /// until it names nothing new. The target itself and what was mentioned are always described.
    fn look(&self, target: &Resource, described: &Described) -> Vec<Resource>;

    /// Permissions of others that must stay for this fault to end well: no other fault may take them meanwhile.
    fn needs(&self, _target: &Resource, _described: &Described) -> Vec<Dependency> {
        Vec::new()
    }

    /// What it would do, one entry for each resource that it changes. Pure. Only asked when there are no flaws.
    ///
    /// # Errors
    /// Everything that stands against it, as far as it can be told at once.
    fn plan(&self, scene: &Scene<'_>) -> Result<Vec<FaultPlan>, Vec<Refusal>>;
}

/// Resources and what they were described as. One that is not there is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Described(pub BTreeMap<Resource, Description>);

impl Described {
    /// What a resource was described as.
    pub fn get(&self, resource: &Resource) -> Option<&Description> {
        self.0.get(resource)
    }

    /// A function, when it is one and there.
    pub fn function(&self, resource: &Resource) -> Option<&FunctionDescription> {
        match self.0.get(resource) {
            Some(Description::Function(function)) => Some(function),
            _ => None,
        }
    }

    /// A queue, when it is one and there.
    pub fn queue(&self, resource: &Resource) -> Option<&QueueDescription> {
        match self.0.get(resource) {
            Some(Description::Queue(queue)) => Some(queue),
            _ => None,
        }
    }

    /// A role, when it is one and there.
    pub fn role(&self, resource: &Resource) -> Option<&RoleDescription> {
        match self.0.get(resource) {
            Some(Description::Role(role)) => Some(role),
            _ => None,
        }
    }

    /// A parameter, when it is one and there.
    pub fn parameter(&self, resource: &Resource) -> Option<&ParameterDescription> {
        match self.0.get(resource) {
            Some(Description::Parameter(parameter)) => Some(parameter),
            _ => None,
        }
    }
}

/// What a fault may look at when it plans. Everything was read before; planning does no IO.
pub struct Scene<'a> {
    pub run: &'a RunId,
    /// The fault's place in the experiment, from 1: tells two of a kind apart.
    pub number: usize,
    /// When the fault is planned to go in, and when its undo is planned to begin. A run may be late; see [`LATENESS`](crate::plan::LATENESS).
    pub from: Time,
    pub until: Time,
    /// How much later than planned it may go in, and so end: what ends by itself must not end before that.
    pub late: Span,
    /// The resources that its target means, already picked.
    pub targets: &'a [Resource],
    /// What the names mean that its parameters mention.
    pub mentioned: &'a BTreeMap<TargetName, Vec<Resource>>,
    /// What the targets are, and what they point at: roles, parameters, dead-letter queues, consumers.
    pub described: &'a Described,
    /// Who squall is in the account of the targets.
    pub identity: &'a Identity,
    /// What the experiment itself depends on while this fault is in; a fault that takes one of these is refused.
    pub needed: &'a [Dependency],
    /// What every other fault of the experiment does, in the order of the timeline: those before this one and those after
    /// it.
    pub others: &'a [OtherFault],
    /// For payloads and the like.
    pub seed: u64,
}

/// What another fault of the same experiment does.
#[derive(Clone, Debug, PartialEq)]
pub struct OtherFault {
    pub name: FaultName,
    /// Whether it goes in before the one that is asked, or with it and is written before it.
    pub is_earlier: bool,
    pub from: Time,
    pub until: Time,
    pub changes: Vec<PlannedChange>,
    pub emissions: Vec<Emission>,
}

impl<'a> Scene<'a> {
    /// The changes of the faults that go in before this one.
    pub fn earlier_changes(&self) -> impl Iterator<Item = &'a PlannedChange> {
        self.others.iter().filter(|other| other.is_earlier).flat_map(|other| &other.changes)
    }

    /// The changes of all other faults that are in at some time at which this one is.
    pub fn changes_beside(&self) -> impl Iterator<Item = &'a PlannedChange> {
        let (from, until) = (self.from, self.until);
        let beside = self.others.iter().filter(move |other| other.from < until && from < other.until);
        beside.flat_map(|other| &other.changes)
    }
}

/// A permission that the experiment itself depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    pub role: Resource,
    /// `ssm:GetParameter`.
    pub action: String,
    /// On what; `None` when that is not known, which means anything.
    pub arn: Option<String>,
    /// In words: `the fault wrapper of OrderFunction reads its parameter`.
    pub why: String,
}

/// What a fault would do to one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultPlan {
    /// One sentence for the plan.
    pub summary: String,
    /// Everything that feels it: a role's every function, not the role alone.
    pub hits: Vec<Resource>,
    pub changes: Vec<PlannedChange>,
    pub emission: Option<Emission>,
    pub evidence: Evidence,
    /// What the user should know before saying yes.
    pub warnings: Vec<String>,
}

/// A change as a fault plans it; the planner adds the value before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedChange {
    pub setting: Setting,
    pub after: Value,
    pub expires: Option<Time>,
    pub takes_effect_within: Span,
    /// How much longer its effect lasts than the change itself.
    pub lasts_after: Span,
}

/// A parameter that no account could take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The parameter's key in the file.
    pub key: &'static str,
    pub what: String,
    /// What to write instead.
    pub help: String,
}

impl Flaw {
    /// A parameter that is wrong, and what to write instead.
    pub fn new(key: &'static str, what: impl Into<String>, help: impl Into<String>) -> Flaw {
        Flaw { key, what: what.into(), help: help.into() }
    }
}

/// Why a fault cannot be planned, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{what}")]
pub struct Refusal {
    pub what: String,
    /// The next step for the user.
    pub remedy: String,
}

impl Refusal {
    /// Refuses, with the next step.
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Refusal {
        Refusal { what: what.into(), remedy: remedy.into() }
    }

    /// A resource that a fault must know is not there.
    pub fn absent(resource: &Resource) -> Refusal {
        Refusal::new(
            format!("{resource} does not exist"),
            format!("create it, or name another {} in `targets`", resource.kind.word()),
        )
    }
}

impl From<Refusal> for Vec<Refusal> {
    fn from(refusal: Refusal) -> Vec<Refusal> {
        vec![refusal]
    }
}

/// Everything, or every reason why not.
pub(crate) fn all<T, E: Into<Vec<Refusal>>>(
    results: impl IntoIterator<Item = Result<T, E>>,
) -> Result<Vec<T>, Vec<Refusal>> {
    let (mut things, mut refusals) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(thing) => things.push(thing),
            Err(why) => refusals.extend(why.into()),
        }
    }
    if refusals.is_empty() { Ok(things) } else { Err(refusals) }
}

impl From<Flaw> for Refusal {
    fn from(flaw: Flaw) -> Refusal {
        Refusal::new(flaw.what, flaw.help)
    }
}

/// How long service metrics take to show an effect: the rest of the window that is open, a whole one, and what
/// CloudWatch needs to publish it (1 to 3 minutes).
pub const SHOWN_WITHIN: Span = Span::from_secs(60 + 60 + 120);

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn listed<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match items.pop() {
        None => String::new(),
        Some(last) if items.is_empty() => last,
        Some(last) => format!("{} and {last}", items.join(", ")),
    }
}
