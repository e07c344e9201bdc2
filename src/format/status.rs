//! What `squall status --json` prints.

use super::account::Resource;
use super::journal::Verdict;
use crate::ids::RunId;
use crate::units::Time;

/// The whole document.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Version of this form.
    pub format: u32,
    /// Who halted everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted_by: Option<String>,
    /// Newest first.
    pub runs: Vec<Run>,
    /// Locks in the account of runs whose journal is not here, or says that they have ended.
    pub locks: Vec<Lock>,
}

/// One run of the project.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    pub run: RunId,
    pub title: String,
    pub state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Time>,
    /// Who runs it, and where.
    pub owner: String,
    /// Whether a process is at work on it.
    pub alive: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// What is, or may be, still in the account because of it, in words: without what was acknowledged.
    pub outstanding: Vec<String>,
    /// Later rollbacks of it, oldest first. They change nothing of what the run found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollbacks: Vec<Rollback>,
    /// What people took care of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acknowledged: Vec<Acknowledgement>,
    /// A write had no answer: from then on `squall undo` reads its setting once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_again: Option<Time>,
    /// Why the rollback that is going on cannot get any further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hindered: Option<String>,
}

/// A later rollback of a run.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// The name of its journal.
    pub run: RunId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Time>,
    /// Whether a process is at work on it.
    pub alive: bool,
    pub closed: bool,
    /// What it left, in words.
    pub left: Vec<String>,
}

/// A person took care of what was left.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    pub by: String,
    pub reason: String,
    /// What it is about, in words.
    pub left: Vec<String>,
}

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Held,
    Broken,
    Unknown,
    Running,
    /// It ended before its first event, and touched nothing.
    NeverBegan,
    /// Its process ended before the run did.
    Died,
    /// Its journal is on another machine; only a rollback of it was made here.
    Elsewhere,
}

/// A lock in an account.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Its nickname in `squall.yaml`.
    pub account: String,
    pub resource: Resource,
    /// What it says; absent when it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_end: Option<Time>,
    /// In words.
    pub what: String,
}
