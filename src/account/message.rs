//! Messages that squall sends and finds again: each carries its run's marker.

use serde::{Deserialize, Serialize};

use crate::ids::RunId;

/// Ties a message or a request to its run: a message attribute `squall-run`, a header of the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunMarker {
    pub run: RunId,
    /// Counts from 1 within the run.
    pub number: u32,
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub marker: RunMarker,
    pub body: String,
    /// The message group of a FIFO queue.
    pub group: Option<String>,
}

/// What came of one message of a send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendOutcome {
    /// The queue has it.
    Accepted,
    /// The queue does not have it, and says why.
    Refused(String),
}

/// Names one receive of a message; the newest one of a message is the one that counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Handle(pub String);

/// A message received from a dead-letter queue. Its body is nobody's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub handle: Handle,
    /// The service's id of the message, the same each time it is received.
    pub id: String,
    /// The marker that it carries, when a squall sent it.
    pub marker: Option<RunMarker>,
}
