//! The application that the sandbox models: read from a SAM template and a traffic file, then only data.
//!
//! Names are the template's logical ids, or a resource's explicit name where it has one.

mod alarm;

use std::collections::BTreeMap;

use crate::ids::ResourceKind;
use crate::units::{Rate, Share, Span};

pub use alarm::{Alarm, AlarmMetric, Comparison, MissingData, Quiet, Threshold, Values, Watches};

/// The sandbox's account id, as it stands in its ARNs.
pub const ACCOUNT_ID: &str = "000000000000";
/// The region that the sandbox says it is in.
pub const REGION: &str = "eu-west-1";

/// The ARN of a resource of the sandbox where nothing else is said about its place.
pub fn arn(kind: ResourceKind, name: &str) -> String {
    Deployed::default().arn(kind, name)
}

/// Where an application is deployed: what its ARNs begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    pub region: String,
    /// Twelve digits.
    pub account_id: String,
}

impl Default for Deployed {
    fn default() -> Deployed {
        Deployed { partition: "aws".into(), region: REGION.into(), account_id: ACCOUNT_ID.into() }
    }
}

impl Deployed {
    /// The ARN of a resource here, in AWS's form for its kind. Policies of the template name resources by it.
    pub fn arn(&self, kind: ResourceKind, name: &str) -> String {
        let Deployed { partition, region, account_id } = self;
        let of = |service: &str, rest: String| format!("arn:{partition}:{service}:{region}:{account_id}:{rest}");
        match kind {
            ResourceKind::Function => of("lambda", format!("function:{name}")),
            ResourceKind::Queue => of("sqs", name.to_owned()),
            ResourceKind::Role => format!("arn:{partition}:iam::{account_id}:role/{name}"),
            // A parameter's own path begins with the slash that parts it from the word before it.
            ResourceKind::Parameter => of("ssm", format!("parameter/{}", name.trim_start_matches('/'))),
            ResourceKind::Table => of("dynamodb", format!("table/{name}")),
            ResourceKind::Topic => of("sns", name.to_owned()),
            // Policies name an api by what invokes it.
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
    /// Where it is deployed.
    pub location: Deployed,
    /// Concurrent executions that the account allows (AWS: 1,000 unless raised).
    pub account_concurrency: u32,
    /// What reserved concurrency must leave to the others (AWS: 100).
    pub unreserved_floor: u32,
    /// Requests a second that API Gateway takes for all APIs of the account together, and at once.
    pub api_limit: ApiLimit,
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
    /// How far off rates, durations and shares of failures may be, either way.
    pub uncertainty: Share,
    /// Logical ids of the template whose resource has another, explicit name: logical id to name.
    pub logical_ids: BTreeMap<String, String>,
    /// What else invokes functions, and is not modelled: schedules, rules, streams, buckets. By the name of its resource.
    pub triggers: BTreeMap<String, Trigger>,
    /// Tags of resources, by name.
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
}

/// API Gateway's limit of an account in a region: a token bucket that all APIs share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiLimit {
    pub per_second: u32,
    pub burst: u32,
}

impl Default for ApiLimit {
    /// What AWS gives by default: 10,000 a second and a bucket of 5,000
    /// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>).
    fn default() -> ApiLimit {
        ApiLimit { per_second: 10_000, burst: 5_000 }
    }
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
    /// Provisioned concurrency of its versions and aliases together. The model does not tell invocations of an alias from
    /// those of the function: both use it.
    pub provisioned: u32,
    pub environment: BTreeMap<String, String>,
    /// Time that a cold start adds before the handler.
    pub cold_start: Duration,
    /// Time of the handler's own work, once an invocation however large its batch is; calls to others are not counted.
    pub duration: Duration,
    /// The handler's own failures.
    pub errors: Share,
    /// What the handler calls after its own work, in order: first what it calls once for each invocation, then what it
    /// calls once for each message of a batch. A call that fails makes the handler fail (of a batch with partial
    /// responses only this message), unless it is `optional`.
    pub calls: Vec<Outgoing>,
    /// What the handler does with each kind of bad payload.
    pub payloads: OnPayloads,
    /// What happens to events that are invoked asynchronously.
    pub asynchronous: Asynchronous,
    /// Whether Lambda stops the function when it is invoked in a loop.
    pub loops: Loops,
}

/// What Lambda does with the asynchronous events of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asynchronous {
    /// Retries after an error, 0 to 2.
    pub retries: u32,
    /// How long an event may wait before it is given up, 60 s to 6 h.
    pub oldest: Span,
    /// Where the record of an event that was given up goes.
    pub on_failure: Option<Destination>,
    /// Where the record of an event that went well goes.
    pub on_success: Option<Destination>,
    /// Where an event that was given up goes itself; both this and `on_failure` get it.
    pub dead_letter: Option<Destination>,
}

impl Default for Asynchronous {
    /// As Lambda has it without any configuration: two retries, six hours.
    fn default() -> Asynchronous {
        let oldest = Span::from_secs(6 * 3600);
        Asynchronous { retries: 2, oldest, on_failure: None, on_success: None, dead_letter: None }
    }
}

/// Whether Lambda's detection of recursive loops works for a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loops {
    /// `RecursiveLoop: Terminate`, the default: the function is stopped.
    Stopped,
    /// `RecursiveLoop: Allow`.
    Allowed,
    /// The handler's SDK does not pass on the trace by which Lambda counts.
    NotSeen,
}

/// What a handler does with each kind of bad payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnPayloads {
    pub malformed: OnPayload,
    pub wrong_schema: OnPayload,
    pub too_big: OnPayload,
    pub hostile: OnPayload,
    /// Bodies of an experiment's own.
    pub own: OnPayload,
}

impl Default for OnPayloads {
    /// The handler fails on all of them.
    fn default() -> OnPayloads {
        let fails = OnPayload::Fail;
        OnPayloads { malformed: fails, wrong_schema: fails, too_big: fails, hostile: fails, own: fails }
    }
}

/// What a handler does with a message of some kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPayload {
    /// It raises: the whole batch fails, or with partial batch responses only this message.
    Fail,
    /// It logs it and goes on: the message is deleted.
    Discard,
    /// It handles it like any other message.
    Handle,
}

/// A call from a handler to another resource, checked against the function's role.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    pub to: Destination,
    pub duration: Duration,
    /// A failure of this call is caught.
    pub optional: bool,
    /// Once for each invocation, or once for each message of its batch.
    pub each: Each,
    /// How often the call fails by itself.
    pub errors: Share,
    /// For a FIFO queue: the message groups that its messages are spread over, evenly. None: the queue's only one.
    pub groups: Vec<String>,
    /// Size of what is sent, in bytes.
    pub size: u32,
}

impl Outgoing {
    /// A call once for each message that never fails by itself, of a small message.
    pub fn to(to: Destination, duration: Duration) -> Outgoing {
        let (each, errors) = (Each::Message, Share::NONE);
        Outgoing { to, duration, optional: false, each, errors, groups: Vec::new(), size: SMALL_MESSAGE }
    }
}

/// Size of a message in bytes, unless the traffic file says it. Nothing measured: an ordinary small JSON document.
pub const SMALL_MESSAGE: u32 = 1_024;

/// How often a handler makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Each {
    /// Once for each message of a batch. An invocation without a batch counts as one message.
    Message,
    /// Once for each invocation, however many messages it has.
    Invocation,
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
    /// Something outside of AWS, in the traffic file's words: no permission is needed.
    External(String),
}

/// An SQS queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    pub fifo: bool,
    pub visibility: Span,
    pub delay: Span,
    pub retention: Span,
    /// The longest message, in bytes (SQS: 1,024 to 1,048,576).
    pub largest: u32,
    /// How many sends a second it takes: a FIFO queue without high throughput 300
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>).
    pub sends_per_second: Option<u32>,
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

impl Alarm {
    /// The metrics that it is on; none of an alarm on other alarms.
    pub fn metrics(&self) -> Vec<&AlarmMetric> {
        match &self.watches {
            Watches::Threshold(Threshold { values: Values::Metric(metric), .. }) => vec![metric],
            Watches::Threshold(Threshold { values: Values::Math { metrics, .. }, .. }) => metrics.values().collect(),
            Watches::Alarms { .. } | Watches::Other(_) => Vec::new(),
        }
    }
}

/// The kind of resource that a dimension of a metric holds the name of. APIs are apart: one kind of them is called by its id.
pub fn dimension_kind(dimension: &str) -> Option<ResourceKind> {
    match dimension {
        "FunctionName" => Some(ResourceKind::Function),
        "QueueName" => Some(ResourceKind::Queue),
        "TableName" => Some(ResourceKind::Table),
        "TopicName" => Some(ResourceKind::Topic),
        _ => None,
    }
}

/// An HTTP front end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    pub kind: ApiKind,
    /// What a REST API's metrics call it; HTTP APIs are called by their id.
    pub title: String,
    /// Its stage, where the template names one.
    pub stage: Option<String>,
    /// Route (`POST /orders`) to function.
    pub routes: BTreeMap<String, String>,
    /// After which a request fails with 504, while the function goes on (HTTP API: 30 s).
    pub timeout: Span,
}

/// The two kinds of API that API Gateway has for HTTP. Their metrics have different names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiKind {
    Http,
    Rest,
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

/// Something that invokes a function, and that the sandbox does not drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// `AWS::Events::Rule`.
    pub kind: String,
    pub function: String,
}

/// An IAM role with its policies' documents, in JSON.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Role {
    /// Name of an inline policy to its document.
    pub inline: BTreeMap<String, String>,
    /// Policies that AWS manages, which allow and are never changed here.
    pub managed: Vec<String>,
    /// Documents of the policies that the template manages, and of those of resources that speak of the role.
    pub attached: BTreeMap<String, String>,
    /// The document of its permissions boundary: what it does not allow is not allowed.
    pub boundary: Option<String>,
    /// Why nothing is known of the role: it lies elsewhere. It may do everything then, and no fault can change it.
    pub unknown: Option<String>,
}

/// Arrivals from outside of the application.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    pub to: TrafficTarget,
    pub rate: Rate,
    pub arrivals: Arrivals,
    /// For a FIFO queue: the message groups that the messages are spread over, evenly. None: the queue's only one.
    pub groups: Vec<String>,
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
/// A call to another service, unless the file says it. Nothing measured either: most AWS APIs answer in this order.
pub const DEFAULT_CALL: Duration = Duration::Lognormal { median: Span::from_millis(10), sigma: 0.6 };
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
