//! The catalogue of faults. A fault reads descriptions and plans changes or an emission; it never acts.
//!
//! To add one: write `faults/x.rs` (parameters, `plan`, tests), name its module and its arm in [`FaultSpec`] here.

pub mod throttle;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::account::{Description, Identity, Observed, Resource, Setting, Value};
use crate::plan::{Emission, Evidence};
use crate::run::RunId;
use crate::units::{Span, Time};

/// A fault's name in the catalogue: `lambda.throttle`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultName(pub String);

impl fmt::Display for FaultName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a fault may look at when it plans. Everything was read before; planning does no IO.
pub struct Scene<'a> {
    pub run: &'a RunId,
    /// When the fault is planned to go in, and when its undo is planned to begin.
    pub from: Time,
    pub until: Time,
    /// The resources that its target means, already picked.
    pub targets: &'a [Resource],
    /// What the targets are, and what they point at: roles, parameters, dead-letter queues, consumers.
    pub descriptions: &'a BTreeMap<Resource, Description>,
    /// Values of the settings that the fault named in its first look; a setting that could not be read is absent.
    pub settings: &'a BTreeMap<Setting, Observed>,
    pub identity: &'a Identity,
    /// Roles and actions that squall, the wrapper or a signal of this experiment needs; a fault that takes one is refused.
    pub needed: &'a [Need],
    /// Seeded; for payloads and the like.
    pub seed: u64,
}

/// A permission that the experiment itself depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    pub role: Resource,
    /// `ssm:GetParameter`.
    pub action: String,
    /// In words: `the fault wrapper of OrderFunction reads its parameter`.
    pub why: String,
}

/// What a fault would do to one target.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultPlan {
    /// One sentence for the plan.
    pub summary: String,
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
}

/// Why a fault cannot be planned, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
}
