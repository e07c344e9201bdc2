//! The application that the sandbox models: read from a SAM template and a traffic file, then only data.
//!
//! Names are the template's logical ids, or a resource's explicit name where it has one.

use std::collections::BTreeMap;

use crate::account::ResourceKind;
use crate::units::{Rate, Share, Span};

/// The sandbox's account id, as it stands in its ARNs.
pub const ACCOUNT_ID: &str = "000000000000";
/// The region that the sandbox says it is in.
pub const REGION: &str = "eu-west-1";

/// The ARN of a resource of the sandbox where nothing else is said about its place.
pub fn arn(kind: ResourceKind, name: &str) -> String {
    Location::default().arn(kind, name)
}

/// Where an application is deployed: what its ARNs begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    pub region: String,
    /// Twelve digits.
    pub account_id: String,
}

impl Default for Location {
    fn default() -> Location {
        Location { partition: "aws".into(), region: REGION.into(), account_id: ACCOUNT_ID.into() }
    }
}

impl Location {
    /// The ARN of a resource here, in AWS's form for its kind. Policies of the template name resources by it.
    pub fn arn(&self, kind: ResourceKind, name: &str) -> String {
        let Location { partition, region, account_id } = self;
        let of = |service: &str, rest: String| format!("arn:{partition}:{service}:{region}:{account_id}:{rest}");
        match kind {
            ResourceKind::Function => of("lambda", format!("function:{name}")),
            ResourceKind::Queue => of("sqs", name.to_owned()),
            ResourceKind::Role => format!("arn:{partition}:iam::{account_id}:role/{name}"),
            // A parameter's own path begins with the slash that parts it from the word before it.
            ResourceKind::Parameter => of("ssm", format!("parameter/{}", name.trim_start_matches('/'))),
            ResourceKind::Table => of("dynamodb", format!("table/{name}")),
            ResourceKind::Topic => of("sns", name.to_owned()),
            ResourceKind::Api => of("execute-api", name.to_owned()),
            ResourceKind::Alarm => of("cloudwatch", format!("alarm:{name}")),
            // Nothing of AWS.
            ResourceKind::Probe => name.to_owned(),
        }
    }

    /// The URL of a queue here.
    pub fn queue_url(&self, name: &str) -> String {
        format!("https://sqs.{}.{}/{}/{name}", self.region, self.suffix(), self.account_id)
    }

    /// `AWS::URLSuffix`.
    pub fn suffix(&self) -> &'static str {
        if self.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" }
    }
}

/// An application in one account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct App {
    /// CloudFormation stack name, for selectors.
    pub stack: String,
    /// Concurrent executions that the account allows (AWS: 1,000 unless raised).
    pub account_concurrency: u32,
    /// What reserved concurrency must leave to the others (AWS: 100).
    pub unreserved_floor: u32,
    pub functions: BTreeMap<String, Function>,
    pub queues: BTreeMap<String, Queue>,
    pub mappings: BTreeMap<String, Mapping>,
    pub apis: BTreeMap<String, Api>,
    pub tables: BTreeMap<String, Table>,
    pub topics: BTreeMap<String, Topic>,
    /// SSM parameters by full name, with their first text.
    pub parameters: BTreeMap<String, String>,
    pub roles: BTreeMap<String, Role>,
    pub alarms: BTreeMap<String, Alarm>,
    /// Arrivals from outside.
    pub traffic: Vec<Traffic>,
    /// Logical ids of the template whose resource has another, explicit name: logical id to name.
    pub logical_ids: BTreeMap<String, String>,
    /// Tags of resources, by name.
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
}

/// A distribution of durations.
#[derive(Clone, Debug, PartialEq)]
pub enum Duration {
    Constant(Span),
    /// Mean.
    Exponential(Span),
    /// Median, and sigma of the natural logarithm.
    Lognormal {
        median: Span,
        sigma: f64,
    },
    Uniform {
        from: Span,
        to: Span,
    },
}

/// A Lambda function.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    pub role: String,
    pub runtime: String,
    pub memory_mb: u32,
    pub timeout: Span,
    pub reserved: Option<u32>,
    pub environment: BTreeMap<String, String>,
    /// Time that a cold start adds before the handler.
    pub cold_start: Duration,
    /// Time of the handler's own work, once an invocation however large its batch is; calls to others are not counted.
    pub duration: Duration,
    /// The handler's own failures.
    pub errors: Share,
    /// What the handler calls, in order, after its own work: once for each message of a batch. A call that fails makes
    /// the handler fail (of a batch with partial responses only this message), unless it is `optional`.
    pub calls: Vec<Outgoing>,
    /// How the handler takes a message that is not well-formed.
    pub malformed: OnMalformed,
    /// Asynchronous retries (0 to 2).
    pub async_retries: u32,
    /// Where a failed asynchronous event goes.
    pub on_failure: Option<String>,
}

/// A handler's way with a message that it cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMalformed {
    /// It raises: the whole batch fails, or with partial batch responses only this message.
    Fail,
    /// It logs it and goes on: the message is deleted.
    Discard,
}

/// A call from a handler to another resource, checked against the function's role.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    pub to: Destination,
    pub duration: Duration,
    /// A failure of this call is caught.
    pub optional: bool,
}

/// What a handler can call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// `sqs:SendMessage`.
    Queue(String),
    /// `dynamodb:PutItem`.
    Table(String),
    /// `sns:Publish`.
    Topic(String),
    /// `lambda:InvokeFunction`, waiting for the answer.
    Function(String),
    /// `lambda:InvokeFunction`, asynchronously.
    FunctionAsync(String),
    /// Something outside of AWS: no permission is needed.
    External,
}

/// An SQS queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    pub fifo: bool,
    pub visibility: Span,
    pub delay: Span,
    pub retention: Span,
    pub redrive: Option<Redrive>,
}

/// Where a queue's messages go when they were received too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    pub dead_letter: String,
    pub max_receive_count: u32,
}

/// An event source mapping from a queue to a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub queue: String,
    pub function: String,
    pub enabled: bool,
    pub batch_size: u32,
    pub batch_window: Span,
    pub maximum_concurrency: Option<u32>,
    /// `ReportBatchItemFailures`.
    pub partial_batch: bool,
}

/// An HTTP front end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// Route (`POST /orders`) to function.
    pub routes: BTreeMap<String, String>,
    /// After which a request fails with 504, while the function goes on (HTTP API: 30 s).
    pub timeout: Span,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Provisioned writes a second; `None` is on-demand.
    pub writes_per_second: Option<u32>,
}

/// A topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topic {
    pub to_queues: Vec<String>,
    pub to_functions: Vec<String>,
}

/// An IAM role with its policies' documents, in JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Role {
    /// Name of an inline policy to its document.
    pub inline: BTreeMap<String, String>,
    /// Managed policies, which allow and are never changed here.
    pub managed: Vec<String>,
}

/// A CloudWatch alarm on one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    pub metric: AlarmMetric,
    pub period: Span,
    pub evaluation_periods: u32,
    pub datapoints_to_alarm: u32,
    pub threshold: f64,
    pub comparison: Comparison,
    pub missing: MissingData,
}

/// What an alarm looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmMetric {
    /// `AWS/SQS`.
    pub namespace: String,
    /// `ApproximateNumberOfMessagesVisible`.
    pub name: String,
    /// `Sum`, `Average`, `Maximum`, `Minimum`.
    pub statistic: String,
    /// The name of the resource that the metric is about.
    pub of: String,
}

/// How an alarm compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// What an alarm makes of a period without data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingData {
    Missing,
    NotBreaching,
    Breaching,
    Ignore,
}

/// Arrivals from outside of the application.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    pub to: TrafficTarget,
    pub rate: Rate,
    pub arrivals: Arrivals,
}

/// Where traffic goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrafficTarget {
    /// An api and one of its routes.
    Api {
        api: String,
        route: String,
    },
    Function(String),
    Queue(String),
}

/// The process of arrivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// Independent, exponential gaps.
    Poisson,
    /// Evenly spaced.
    Even,
}

/// A handler's own work, unless the file says it: nothing measured, only an ordinary small handler.
pub const DEFAULT_DURATION: Duration = Duration::Lognormal { median: Span::from_millis(20), sigma: 0.6 };
/// What a cold start of an empty function takes before its handler (facts, cold start: medians and sigmas of 590
/// starts for each runtime). A real application adds the time to load its own packages: say so in the traffic file.
pub fn default_cold_start(runtime: &str) -> Duration {
    let (median_micros, sigma) = match runtime {
        "nodejs24.x" => (135_500, 0.140),
        "python3.12" => (84_800, 0.139),
        "java25" => (191_600, 0.259),
        "dotnet10" => (260_000, 0.303),
        _ if runtime.starts_with("nodejs") => (141_500, 0.126),
        _ if runtime.starts_with("python") => (85_800, 0.187),
        _ if runtime.starts_with("java") => (240_900, 0.169),
        _ if runtime.starts_with("ruby") => (225_300, 0.261),
        _ if runtime.starts_with("dotnet") => (255_200, 0.262),
        _ if runtime.starts_with("provided") => (15_900, 0.218),
        // Container images: between Python's 152 ms and Node's 304 ms.
        _ => (200_000, 0.3),
    };
    Duration::Lognormal { median: Span::from_micros(median_micros), sigma }
}
