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
    /// What is, or may be, still in the account because of it, in words.
    pub outstanding: Vec<String>,
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
