//! What `squall template --json` prints: apart from the types inside, with a version and a JSON Schema.
//!
//! Lengths of time are in seconds and their keys end in `_seconds`; what is absent is null.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use super::app::{self, App, Comparison, Destination, MissingData, Values, Watches};
use super::show::{Becomes, Understood};
use crate::units::Span;
use crate::yaml::{Findings, Severity};

/// The version of the form. It counts with the other forms that squall writes (docs/formats.md).
pub const VERSION: u32 = 2;

/// Defines written types, all of one kind: a closed set of keys.
macro_rules! written {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? })*) => {$(
        #[derive(Clone, Debug, Serialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        $(#[$meta])*
        $vis struct $name { $($(#[$field_meta])* pub $field: $type),* }
    )*};
}

written! {
    /// What was understood of a template, and what was not.
    pub struct Document {
        format: u32,
        /// Every resource, in the order of the template; those that SAM makes follow the one that they are made for.
        resources: Vec<Resource>,
        /// The application that the sandbox models; null when the file is no template.
        application: Option<Application>,
        findings: Vec<Finding>,
    }

    /// One resource, and what became of it.
    pub struct Resource {
        /// Its logical id in its template.
        id: String,
        /// Its name in the model.
        name: String,
        r#type: String,
        /// `template.yaml:12:3`
        place: String,
        /// Whether SAM makes it.
        generated: bool,
        becomes: Fate,
        /// In words: what is modelled of it, why it has no effect, or which functions it invokes.
        facts: Vec<String>,
    }

    /// What is wrong in a template, or left out of the model.
    pub struct Finding {
        code: String,
        severity: Level,
        file: String,
        line: usize,
        column: usize,
        /// From and to.
        bytes: [usize; 2],
        what: String,
        help: Option<String>,
    }

    /// The application, by the names of its resources in the model.
    pub struct Application {
        stack: String,
        region: String,
        account_id: String,
        functions: BTreeMap<String, Function>,
        queues: BTreeMap<String, Queue>,
        mappings: BTreeMap<String, Mapping>,
        apis: BTreeMap<String, Api>,
        tables: BTreeMap<String, Table>,
        topics: BTreeMap<String, Topic>,
        parameters: BTreeMap<String, Parameter>,
        roles: BTreeMap<String, Role>,
        alarms: BTreeMap<String, Alarm>,
        /// What else invokes functions, and is not modelled.
        triggers: BTreeMap<String, Trigger>,
        tags: BTreeMap<String, BTreeMap<String, String>>,
        /// Logical ids of the template whose resource has another, explicit name.
        logical_ids: BTreeMap<String, String>,
    }

    /// A Lambda function.
    pub struct Function {
        role: String,
        runtime: String,
        memory_mb: u32,
        timeout_seconds: f64,
        reserved: Option<u32>,
        provisioned: Option<u32>,
        /// Names of its variables.
        environment: Vec<String>,
        async_retries: u32,
        oldest_event_seconds: f64,
        on_failure: Option<String>,
        on_success: Option<String>,
        dead_letter: Option<String>,
    }

    /// An SQS queue.
    pub struct Queue {
        fifo: bool,
        visibility_seconds: f64,
        delay_seconds: f64,
        retention_seconds: f64,
        largest_message_bytes: u32,
        sends_per_second: Option<u32>,
        dead_letter: Option<String>,
        max_receive_count: Option<u32>,
    }

    /// An event source mapping from a queue to a function.
    pub struct Mapping {
        queue: String,
        function: String,
        enabled: bool,
        batch_size: u32,
        batch_window_seconds: f64,
        maximum_concurrency: Option<u32>,
        partial_batch: bool,
    }

    /// An HTTP or REST API.
    pub struct Api {
        title: String,
        stage: Option<String>,
        /// Route to function.
        routes: BTreeMap<String, String>,
        timeout_seconds: f64,
    }

    /// A DynamoDB table.
    pub struct Table {
        billing: Billing,
        writes_per_second: Option<u32>,
    }

    /// An SNS topic.
    pub struct Topic {
        to_queues: Vec<String>,
        to_functions: Vec<String>,
    }

    /// An SSM parameter.
    pub struct Parameter {
        value: String,
    }

    /// An IAM role, with the documents of its policies.
    pub struct Role {
        /// Names of policies to their documents.
        inline: BTreeMap<String, Json>,
        attached: BTreeMap<String, Json>,
        managed: Vec<String>,
        boundary: Option<Json>,
        /// Why nothing is known of it.
        unknown: Option<String>,
    }

    /// A CloudWatch alarm.
    pub struct Alarm {
        /// Why its state is not modelled; then nothing else is said of it.
        not_modelled: Option<String>,
        /// Of a composite alarm.
        rule: Option<String>,
        /// Metrics by their ids; the only one of an alarm without metric math is `metric`.
        metrics: BTreeMap<String, Metric>,
        expressions: BTreeMap<String, String>,
        /// The id of what is compared.
        returns: Option<String>,
        period_seconds: Option<f64>,
        evaluation_periods: Option<u32>,
        datapoints_to_alarm: Option<u32>,
        /// `>`, `>=`, `<` or `<=`.
        comparison: Option<String>,
        threshold: Option<f64>,
        /// `missing`, `notBreaching`, `breaching` or `ignore`.
        missing_data: Option<String>,
        /// Why its actions may not run, although its state changes.
        actions_may_not_run: Vec<String>,
    }

    /// A metric as an alarm names it.
    pub struct Metric {
        namespace: String,
        name: String,
        dimensions: BTreeMap<String, String>,
        statistic: String,
        unit: Option<String>,
    }

    /// What invokes a function, and is not modelled.
    pub struct Trigger {
        r#type: String,
        function: String,
    }
}

/// What becomes of a resource in the model.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    Modelled,
    NoEffect,
    Trigger,
    /// A nested stack: its resources follow.
    Nested,
    LeftOut,
}

/// Whether a template can be used with it.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Error,
    Warning,
}

/// How a table is billed: one on demand has no limit of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Billing {
    OnDemand,
    Provisioned,
}

impl Document {
    /// What was understood, as far as it was, with all that was found.
    pub fn of(understood: Option<&Understood>, findings: &Findings) -> Document {
        let resources = understood.map(|understood| understood.resources.iter().map(Resource::of).collect());
        Document {
            format: VERSION,
            resources: resources.unwrap_or_default(),
            application: understood.map(|understood| Application::of(&understood.app)),
            findings: findings.iter().map(Finding::of).collect(),
        }
    }
}

impl Resource {
    fn of(seen: &super::show::ResourceSeen) -> Resource {
        let (becomes, facts) = match &seen.becomes {
            Becomes::Modelled(facts) => (Fate::Modelled, facts.clone()),
            Becomes::NoEffect(because) => (Fate::NoEffect, vec![(*because).to_owned()]),
            Becomes::Triggers(functions) => (Fate::Trigger, functions.clone()),
            Becomes::Nested => (Fate::Nested, Vec::new()),
            Becomes::LeftOut => (Fate::LeftOut, Vec::new()),
        };
        let (id, name, place) = (seen.id.clone(), seen.name.clone(), seen.place.clone());
        Resource { id, name, r#type: seen.kind.clone(), place, generated: seen.generated, becomes, facts }
    }
}

impl Finding {
    fn of(finding: &crate::yaml::Finding) -> Finding {
        let position = finding.source.position(finding.at.start);
        Finding {
            code: finding.code.id().to_owned(),
            severity: match finding.code.severity() {
                Severity::Error => Level::Error,
                Severity::Warning => Level::Warning,
            },
            file: finding.source.file.clone(),
            line: position.line,
            column: position.column,
            bytes: [finding.at.start, finding.at.end],
            what: finding.what.clone(),
            help: finding.help.clone(),
        }
    }
}

fn seconds(span: Span) -> f64 {
    span.secs_f64()
}

fn all<T, W>(map: &BTreeMap<String, T>, write: impl Fn(&T) -> W) -> BTreeMap<String, W> {
    map.iter().map(|(name, item)| (name.clone(), write(item))).collect()
}

impl Application {
    pub(super) fn of(app: &App) -> Application {
        Application {
            stack: app.stack.clone(),
            region: app.location.region.clone(),
            account_id: app.location.account_id.clone(),
            functions: all(&app.functions, Function::of),
            queues: all(&app.queues, Queue::of),
            mappings: all(&app.mappings, Mapping::of),
            apis: all(&app.apis, Api::of),
            tables: all(&app.tables, |table| Table {
                billing: table.writes_per_second.map_or(Billing::OnDemand, |_| Billing::Provisioned),
                writes_per_second: table.writes_per_second,
            }),
            topics: all(&app.topics, |topic| Topic {
                to_queues: topic.to_queues.clone(),
                to_functions: topic.to_functions.clone(),
            }),
            parameters: all(&app.parameters, |value| Parameter { value: value.clone() }),
            roles: all(&app.roles, Role::of),
            alarms: all(&app.alarms, Alarm::of),
            triggers: all(&app.triggers, |trigger| Trigger {
                r#type: trigger.kind.clone(),
                function: trigger.function.clone(),
            }),
            tags: app.tags.clone(),
            logical_ids: app.logical_ids.clone(),
        }
    }
}

impl Function {
    pub(super) fn of(function: &app::Function) -> Function {
        let asynchronous = &function.asynchronous;
        let to = |target: &Option<Destination>| target.as_ref().map(destination);
        Function {
            role: function.role.clone(),
            runtime: function.runtime.clone(),
            memory_mb: function.memory_mb,
            timeout_seconds: seconds(function.timeout),
            reserved: function.reserved,
            provisioned: Some(function.provisioned).filter(|provisioned| *provisioned > 0),
            environment: function.environment.keys().cloned().collect(),
            async_retries: asynchronous.retries,
            oldest_event_seconds: seconds(asynchronous.oldest),
            on_failure: to(&asynchronous.on_failure),
            on_success: to(&asynchronous.on_success),
            dead_letter: to(&asynchronous.dead_letter),
        }
    }
}

fn destination(to: &Destination) -> String {
    match to {
        Destination::Queue(name) => format!("queue {name}"),
        Destination::Topic(name) => format!("topic {name}"),
        Destination::Table(name) => format!("table {name}"),
        Destination::Function(name) | Destination::FunctionAsync(name) => format!("function {name}"),
        Destination::External(name) => name.clone(),
    }
}

impl Queue {
    pub(super) fn of(queue: &app::Queue) -> Queue {
        Queue {
            fifo: queue.fifo,
            visibility_seconds: seconds(queue.visibility),
            delay_seconds: seconds(queue.delay),
            retention_seconds: seconds(queue.retention),
            largest_message_bytes: queue.largest,
            sends_per_second: queue.sends_per_second,
            dead_letter: queue.redrive.as_ref().map(|redrive| redrive.dead_letter.clone()),
            max_receive_count: queue.redrive.as_ref().map(|redrive| redrive.max_receive_count),
        }
    }
}

impl Mapping {
    pub(super) fn of(mapping: &app::Mapping) -> Mapping {
        Mapping {
            queue: mapping.queue.clone(),
            function: mapping.function.clone(),
            enabled: mapping.enabled,
            batch_size: mapping.batch_size,
            batch_window_seconds: seconds(mapping.batch_window),
            maximum_concurrency: mapping.maximum_concurrency,
            partial_batch: mapping.partial_batch,
        }
    }
}

impl Api {
    pub(super) fn of(api: &app::Api) -> Api {
        let (title, stage, routes) = (api.title.clone(), api.stage.clone(), api.routes.clone());
        Api { title, stage, routes, timeout_seconds: seconds(api.timeout) }
    }
}

impl Role {
    fn of(role: &app::Role) -> Role {
        let document = |text: &String| serde_json::from_str(text).unwrap_or_default();
        Role {
            inline: all(&role.inline, document),
            attached: all(&role.attached, document),
            managed: role.managed.clone(),
            boundary: role.boundary.as_ref().map(document),
            unknown: role.unknown.clone(),
        }
    }
}

impl Metric {
    fn of(metric: &app::AlarmMetric) -> Metric {
        let app::AlarmMetric { namespace, name, dimensions, statistic, unit } = metric.clone();
        Metric { namespace, name, dimensions, statistic, unit }
    }
}

impl Alarm {
    fn of(alarm: &app::Alarm) -> Alarm {
        let mut written = Alarm {
            not_modelled: None,
            rule: None,
            metrics: BTreeMap::new(),
            expressions: BTreeMap::new(),
            returns: None,
            period_seconds: None,
            evaluation_periods: None,
            datapoints_to_alarm: None,
            comparison: None,
            threshold: None,
            missing_data: None,
            actions_may_not_run: alarm.quiet.iter().map(ToString::to_string).collect(),
        };
        let spec = match &alarm.watches {
            Watches::Other(what) => {
                written.not_modelled = Some(format!("the sandbox does not model {what}"));
                return written;
            }
            Watches::Alarms { rule } => {
                written.rule = Some(rule.clone());
                return written;
            }
            Watches::Threshold(spec) => spec,
        };
        match &spec.values {
            Values::Metric(metric) => {
                written.metrics.insert("metric".into(), Metric::of(metric));
                written.returns = Some("metric".into());
            }
            Values::Math { metrics, expressions, returns } => {
                written.metrics = all(metrics, Metric::of);
                written.expressions.clone_from(expressions);
                written.returns = Some(returns.clone());
            }
        }
        written.period_seconds = Some(seconds(spec.period));
        written.evaluation_periods = Some(spec.evaluation_periods);
        written.datapoints_to_alarm = Some(spec.datapoints_to_alarm);
        written.comparison = Some(sign(spec.comparison).to_owned());
        written.threshold = Some(spec.threshold);
        written.missing_data = Some(missing(spec.missing).to_owned());
        written
    }
}

/// `>`, `>=`, `<`, `<=`.
pub(super) fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
    }
}

/// The word of `TreatMissingData`.
pub(super) fn missing(missing: MissingData) -> &'static str {
    match missing {
        MissingData::Missing => "missing",
        MissingData::NotBreaching => "notBreaching",
        MissingData::Breaching => "breaching",
        MissingData::Ignore => "ignore",
    }
}
