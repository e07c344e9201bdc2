//! What each service publishes to CloudWatch, as far as the model counts it: a series is a namespace, a name, an exact set
//! of dimensions and a unit. An alarm on anything else is not modelled, and says why.

use super::app::{AlarmMetric, ApiKind, App};
use super::metrics::Series;
use super::world::World;
use crate::account::{ResourceKind, Window};

/// A statistic of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Statistic {
    Sum,
    Average,
    Minimum,
    Maximum,
    SampleCount,
    /// 0 to 100.
    Percentile(f64),
}

/// A series of the model, and a statistic of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Watched {
    series: Series,
    metric: &'static str,
    statistic: Statistic,
}

/// Which statistics the model knows of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// The sum; in how many samples a service reports it is not documented.
    Sum,
    /// The greatest value of each minute.
    Maximum,
    /// All but percentiles.
    Plain,
    /// All: each value is kept.
    Each,
}

/// A name, its unit, and the statistics that are known of it.
type Entry = (&'static str, &'static str, Known);

/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>
const LAMBDA: &[Entry] = &[
    ("Invocations", "Count", Known::Plain),
    ("Errors", "Count", Known::Plain),
    ("Throttles", "Count", Known::Plain),
    ("Duration", "Milliseconds", Known::Each),
    ("ConcurrentExecutions", "Count", Known::Maximum),
    ("AsyncEventsReceived", "Count", Known::Plain),
    ("AsyncEventAge", "Milliseconds", Known::Plain),
    ("AsyncEventsDropped", "Count", Known::Plain),
    ("DeadLetterErrors", "Count", Known::Plain),
    ("DestinationDeliveryFailures", "Count", Known::Plain),
    ("RecursiveInvocationsDropped", "Count", Known::Plain),
];
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>
const SQS: &[Entry] = &[
    ("NumberOfMessagesSent", "Count", Known::Sum),
    ("NumberOfMessagesReceived", "Count", Known::Sum),
    ("NumberOfMessagesDeleted", "Count", Known::Sum),
    ("ApproximateNumberOfMessagesVisible", "Count", Known::Plain),
    ("ApproximateNumberOfMessagesNotVisible", "Count", Known::Plain),
    ("ApproximateNumberOfMessagesDelayed", "Count", Known::Plain),
    ("ApproximateAgeOfOldestMessage", "Seconds", Known::Plain),
];
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html>
const HTTP_API: &[Entry] = &[
    ("Count", "Count", Known::Plain),
    ("4xx", "Count", Known::Plain),
    ("5xx", "Count", Known::Plain),
    ("Latency", "Milliseconds", Known::Each),
    ("IntegrationLatency", "Milliseconds", Known::Each),
];
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html>
const REST_API: &[Entry] = &[
    ("Count", "Count", Known::Plain),
    ("4XXError", "Count", Known::Plain),
    ("5XXError", "Count", Known::Plain),
    ("Latency", "Milliseconds", Known::Each),
    ("IntegrationLatency", "Milliseconds", Known::Each),
];
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html>
const TABLE: &[Entry] =
    &[("ConsumedWriteCapacityUnits", "Count", Known::Plain), ("WriteThrottleEvents", "Count", Known::Plain)];
/// Of one operation of a table.
const OPERATION: &[Entry] = &[("ThrottledRequests", "Count", Known::Plain)];
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html>
const SNS: &[Entry] =
    &[("NumberOfMessagesPublished", "Count", Known::Plain), ("NumberOfNotificationsDelivered", "Count", Known::Plain)];

impl Watched {
    /// The series that a metric is.
    ///
    /// # Errors
    /// Why it is none of the model, as a clause: "the sandbox counts no `X` of AWS/SQS".
    pub fn of(app: &App, metric: &AlarmMetric) -> Result<Watched, String> {
        let (series, entries) = match metric.namespace.as_str() {
            "AWS/Lambda" => (function(app, metric)?, LAMBDA),
            "AWS/SQS" => (named(metric, ResourceKind::Queue, "QueueName", app.queues.keys())?, SQS),
            "AWS/SNS" => (named(metric, ResourceKind::Topic, "TopicName", app.topics.keys())?, SNS),
            "AWS/ApiGateway" => api(app, metric)?,
            "AWS/DynamoDB" => table(app, metric)?,
            other => return Err(format!("the sandbox publishes nothing in the namespace {other}")),
        };
        let Some((name, unit, known)) = entries.iter().find(|(name, ..)| *name == metric.name) else {
            return Err(format!(
                "of {} by {} the sandbox counts no `{}`, only {}",
                metric.namespace,
                dimensions(metric),
                metric.name,
                entries.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ")
            ));
        };
        if let Some(asked) = metric.unit.as_ref().filter(|asked| asked.as_str() != *unit) {
            return Err(format!("{} publishes `{name}` in {unit}, never in {asked}", metric.namespace));
        }
        Ok(Watched { series, metric: name, statistic: statistic(&metric.statistic, name, *known)? })
    }

    /// Whether it is of this series.
    pub fn is_of(&self, series: Series) -> bool {
        self.series == series
    }

    /// The value over a window, of what is published by now; `None` without data.
    pub fn value(&self, world: &World, window: Window) -> Option<f64> {
        if let Statistic::Percentile(percent) = self.statistic {
            return world.durations(self.series, window).percentile(percent).map(|micros| micros / 1e3);
        }
        let datum = world.datum(self.series, self.metric, window)?;
        Some(match self.statistic {
            Statistic::Sum => datum.sum,
            Statistic::Minimum => datum.min,
            Statistic::Maximum => datum.max,
            Statistic::SampleCount => datum.count,
            Statistic::Average | Statistic::Percentile(_) => datum.sum / datum.count,
        })
    }
}

fn statistic(text: &str, metric: &str, known: Known) -> Result<Statistic, String> {
    let statistic = match text {
        "Sum" => Statistic::Sum,
        "Average" => Statistic::Average,
        "Minimum" => Statistic::Minimum,
        "Maximum" => Statistic::Maximum,
        "SampleCount" => Statistic::SampleCount,
        _ => match text.strip_prefix('p').and_then(|digits| digits.parse::<f64>().ok()) {
            Some(percent) if (0.0..=100.0).contains(&percent) => Statistic::Percentile(percent),
            _ => return Err(format!("the sandbox does not model the statistic {text}")),
        },
    };
    let fits = match known {
        Known::Sum => statistic == Statistic::Sum,
        Known::Maximum => statistic == Statistic::Maximum,
        Known::Plain => !matches!(statistic, Statistic::Percentile(_)),
        Known::Each => true,
    };
    match fits {
        true => Ok(statistic),
        false => Err(format!("of `{metric}` the sandbox does not know the statistic {text}")),
    }
}

/// The dimensions as a text: `QueueName`, `TableName and Operation`, `no dimension`.
fn dimensions(metric: &AlarmMetric) -> String {
    match metric.dimensions.is_empty() {
        true => "no dimension".into(),
        false => metric.dimensions.keys().map(String::as_str).collect::<Vec<_>>().join(" and "),
    }
}

/// The values of exactly these dimensions; they come in the order of the alphabet.
fn exactly<'m, const N: usize>(metric: &'m AlarmMetric, names: [&str; N]) -> Option<[&'m str; N]> {
    let mut values = metric.dimensions.values();
    if !metric.dimensions.keys().map(String::as_str).eq(names) {
        return None;
    }
    Some(std::array::from_fn(|_| values.next().map_or("", String::as_str)))
}

fn other_dimensions(metric: &AlarmMetric, modelled: &str) -> String {
    format!("the sandbox models {} by {modelled}, and not by {}", metric.namespace, dimensions(metric))
}

fn find<'k>(kind: ResourceKind, name: &str, mut names: impl Iterator<Item = &'k String>) -> Result<Series, String> {
    let index = names.position(|known| known == name);
    index
        .map(|index| Series { kind, index })
        .ok_or_else(|| format!("the template has no {} named `{name}`", kind.word()))
}

fn named<'k>(
    metric: &AlarmMetric,
    kind: ResourceKind,
    dimension: &str,
    names: impl Iterator<Item = &'k String>,
) -> Result<Series, String> {
    match exactly(metric, [dimension]) {
        Some([name]) => find(kind, name, names),
        None => Err(other_dimensions(metric, dimension)),
    }
}

fn function(app: &App, metric: &AlarmMetric) -> Result<Series, String> {
    match (exactly(metric, ["FunctionName"]), exactly(metric, ["FunctionName", "Resource"])) {
        (Some([name]), _) => find(ResourceKind::Function, name, app.functions.keys()),
        // `Resource` is the function itself unless an alias or a version is invoked.
        (_, Some([name, resource])) if name == resource => find(ResourceKind::Function, name, app.functions.keys()),
        (_, Some([_, resource])) => Err(format!("the sandbox does not model `{resource}` apart from its function")),
        _ => Err(other_dimensions(metric, "FunctionName")),
    }
}

fn api(app: &App, metric: &AlarmMetric) -> Result<(Series, &'static [Entry]), String> {
    let by_id = exactly(metric, ["ApiId"]).map(|[id]| (id, None));
    let by_id = by_id.or_else(|| exactly(metric, ["ApiId", "Stage"]).map(|[id, stage]| (id, Some(stage))));
    let by_name = exactly(metric, ["ApiName"]).map(|[name]| (name, None));
    let by_name = by_name.or_else(|| exactly(metric, ["ApiName", "Stage"]).map(|[name, stage]| (name, Some(stage))));
    let (name, stage, kind) = match (by_id, by_name) {
        (Some((id, stage)), _) => (id, stage, ApiKind::Http),
        (_, Some((title, stage))) => (title, stage, ApiKind::Rest),
        _ => return Err(other_dimensions(metric, "ApiId (HTTP APIs) or ApiName (REST APIs), with or without Stage")),
    };
    let mut found = app.apis.iter().enumerate().filter(|(_, (id, api))| match kind {
        ApiKind::Http => *id == name,
        ApiKind::Rest => api.kind == ApiKind::Rest && api.title == name,
    });
    let (index, (_, api)) = found.next().ok_or_else(|| match kind {
        ApiKind::Http => format!("the template has no API `{name}`"),
        ApiKind::Rest => format!("no REST API of the template is called `{name}`"),
    })?;
    if found.next().is_some() {
        return Err(format!("two REST APIs are called `{name}`"));
    }
    if kind == ApiKind::Http && api.kind == ApiKind::Rest {
        return Err(format!(
            "a REST API publishes nothing by ApiId; on AWS the alarm never has data. Write `ApiName: {}` and a REST API's \
             names, such as `5XXError`",
            api.title
        ));
    }
    let default = if kind == ApiKind::Http { Some("$default") } else { None };
    if let Some(stage) = stage
        && let Some(own) = api.stage.as_deref().or(default)
        && own != stage
    {
        return Err(format!("the API's stage is `{own}`, not `{stage}`"));
    }
    let entries = if kind == ApiKind::Http { HTTP_API } else { REST_API };
    Ok((Series { kind: ResourceKind::Api, index }, entries))
}

fn table(app: &App, metric: &AlarmMetric) -> Result<(Series, &'static [Entry]), String> {
    match (exactly(metric, ["TableName"]), exactly(metric, ["Operation", "TableName"])) {
        (Some([name]), _) => Ok((find(ResourceKind::Table, name, app.tables.keys())?, TABLE)),
        (_, Some(["PutItem", name])) => Ok((find(ResourceKind::Table, name, app.tables.keys())?, OPERATION)),
        (_, Some([operation, _])) => Err(format!("the sandbox models the operation PutItem only, not {operation}")),
        _ => Err(other_dimensions(metric, "TableName, or TableName and Operation")),
    }
}
