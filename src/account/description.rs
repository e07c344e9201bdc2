//! What resources are, as far as faults, guards and plans need to know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::permission::Lasts;
use super::target::Resource;
use crate::location::Region;
use crate::units::Span;

/// Who squall is in an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Twelve digits; in the sandbox `000000000000`.
    pub account_id: String,
    pub arn: String,
    /// Names of the roles that squall acts through: its own, and each that it was assumed from.
    pub roles: Vec<String>,
    /// How long its credentials last.
    pub lasts: Lasts,
    /// By how many seconds this machine's clock is ahead of the account's at the least, negative when it is behind; none where
    /// nothing tells, or where the account has no clock of its own.
    pub clock_is_off: Option<i64>,
}

/// What a resource is.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a plan has a few dozen of them, and most are functions")]
pub enum Description {
    Function(FunctionDescription),
    Queue(QueueDescription),
    Role(RoleDescription),
    Parameter(ParameterDescription),
    /// A number from elsewhere: how long after a window's end it is final, and whether only whole minutes have one.
    Probe {
        name: String,
        settles: Span,
        by_the_minute: bool,
    },
    /// An alarm, and the queues whose messages it counts: the fault's own messages ring it.
    Alarm {
        arn: String,
        queues: Vec<String>,
    },
    /// A kind of which only its being there matters.
    Other {
        arn: String,
    },
}

impl Description {
    /// The resource's ARN; of a probe, which is nothing of AWS, its name.
    pub fn arn(&self) -> &str {
        match self {
            Description::Function(function) => &function.arn,
            Description::Queue(queue) => &queue.arn,
            Description::Role(role) => &role.arn,
            Description::Parameter(parameter) => &parameter.arn,
            Description::Probe { name, .. } => name,
            Description::Alarm { arn, .. } | Description::Other { arn } => arn,
        }
    }
}

/// A Lambda function.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionDescription {
    pub arn: String,
    /// The customer's own key that its variables are encrypted with, by its ARN.
    pub key: Option<String>,
    pub role: Resource,
    /// The log group that it writes to.
    pub log_group: String,
    pub runtime: String,
    pub timeout: Span,
    /// Reserved concurrency, when set.
    pub reserved: Option<u64>,
    /// What the whole account has left that no function reserves.
    pub account_unreserved: u64,
    /// What must stay unreserved (100, in small accounts less).
    pub unreserved_floor: u64,
    /// How faults reach its invocations.
    pub delivery: Delivery,
    /// Aliases that send invocations to published versions, whose configuration is fixed.
    pub aliases: Vec<Alias>,
    /// Queues that an event source mapping feeds to the function.
    pub consumes: Vec<Resource>,
}

/// How faults reach a function's invocations, as the function's own configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Nothing that squall knows wraps it.
    None,
    /// failure-lambda reads flags from an SSM parameter (`FAILURE_INJECTION_PARAM`). 1.x keeps what it read for a while
    /// (`FAILURE_CACHE_TTL`, 60 s unless set); 0.x reads it at every invocation. The parameter's text says which it is.
    Parameter { parameter: Resource, cache: Span },
    /// failure-lambda 1.x reads flags from AppConfig (`FAILURE_APPCONFIG_CONFIGURATION`): application, environment and
    /// profile in one text.
    AppConfig { profile: String },
    /// squall's own layer (`docs/layer.md`) reads orders from an SSM parameter (`SQUALL_FAULTS_PARAM`). Each order has an end.
    Layer { parameter: Resource },
    /// chaos-lambda-extension reads variables of the function; those that are set.
    Variables { set: BTreeMap<String, String> },
}

/// A name for published versions of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    pub name: String,
    /// The versions that it routes to.
    pub versions: Vec<String>,
    /// Whether faults reach all of these versions in the way that they reach `$LATEST`.
    pub delivered_alike: bool,
}

impl FunctionDescription {
    /// The parameter that the function's fault wrapper reads.
    pub fn fault_parameter(&self) -> Option<&Resource> {
        match &self.delivery {
            Delivery::Parameter { parameter, .. } | Delivery::Layer { parameter } => Some(parameter),
            _ => None,
        }
    }
}

/// An SQS queue.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueDescription {
    pub arn: String,
    /// The customer's own key that its messages are encrypted with, by its ARN; a pattern where only an alias is known.
    pub key: Option<String>,
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
    /// The functions that run as it, in the regions that were looked in.
    pub used_by: Vec<Resource>,
    /// The regions whose functions were looked at: those of the project.
    pub looked_in: Vec<Region>,
    /// Regions of the project whose functions could not be looked at, and why.
    pub not_looked_in: Vec<(Region, String)>,
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
