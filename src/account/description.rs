//! What resources are, as far as faults, guards and plans need to know.

use serde::{Deserialize, Serialize};

use super::target::Resource;
use crate::units::Span;

/// Who squall is in an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Twelve digits; in the sandbox `000000000000`.
    pub account_id: String,
    pub arn: String,
    /// Names of the roles that squall acts through: its own, and each that it was assumed from.
    pub roles: Vec<String>,
}

/// What a resource is.
#[derive(Clone, Debug, PartialEq)]
pub enum Description {
    Function(FunctionDescription),
    Queue(QueueDescription),
    Role(RoleDescription),
    Parameter(ParameterDescription),
    /// A kind of which only its being there matters.
    Other {
        arn: String,
    },
}

impl Description {
    /// The resource's ARN.
    pub fn arn(&self) -> &str {
        match self {
            Description::Function(function) => &function.arn,
            Description::Queue(queue) => &queue.arn,
            Description::Role(role) => &role.arn,
            Description::Parameter(parameter) => &parameter.arn,
            Description::Other { arn } => arn,
        }
    }
}

/// A Lambda function.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionDescription {
    pub arn: String,
    pub role: Resource,
    pub runtime: String,
    pub timeout: Span,
    /// Reserved concurrency, when set.
    pub reserved: Option<u64>,
    /// What the whole account has left that no function reserves.
    pub account_unreserved: u64,
    /// What must stay unreserved (100, in small accounts less).
    pub unreserved_floor: u64,
    /// The parameter that the function's fault wrapper reads (`FAILURE_INJECTION_PARAM`).
    pub fault_parameter: Option<Resource>,
    /// How long the wrapper keeps what it read (`FAILURE_CACHE_TTL`, 60 s unless set).
    pub fault_cache: Span,
    /// Queues that an event source mapping feeds to the function.
    pub consumes: Vec<Resource>,
}

/// An SQS queue.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueDescription {
    pub arn: String,
    pub fifo: bool,
    pub visibility: Span,
    pub retention: Span,
    pub delay: Span,
    /// Where messages go after `max_receive_count` receives.
    pub dead_letter: Option<Resource>,
    pub max_receive_count: Option<u32>,
    /// Functions that an event source mapping feeds from the queue.
    pub consumers: Vec<Resource>,
    /// Whether a move task (a redrive to the source) is running on the queue.
    pub move_task_running: bool,
}

/// An IAM role.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleDescription {
    pub arn: String,
    /// The functions that run as it.
    pub used_by: Vec<Resource>,
    /// Characters of its inline policies without white space; the service allows 10,240 in all.
    pub inline_size: u32,
    pub service_linked: bool,
}

/// An SSM parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterDescription {
    pub arn: String,
    pub text: String,
    /// A SecureString: squall does not touch it.
    pub secure: bool,
    /// Functions whose fault wrapper reads it: a flag set in it is set for all of them.
    pub read_by: Vec<Resource>,
}
