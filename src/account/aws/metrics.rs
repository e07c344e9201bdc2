//! CloudWatch metrics: which ones stand for a signal, and their values in closed periods.

use super::batch::{Statistic, Wanted};
use super::session::Session;
use crate::account::signal::METRIC_PERIOD;
use crate::account::{CallError, Injected, Metric, Query, Resource, ResourceKind, Sample, Window};
use crate::project::probe::MetricMathProbe;
use crate::units::Span;

/// The writing operations of DynamoDB whose successes are counted.
const TABLE_WRITES: [&str; 5] = ["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"];

/// How a signal follows from statistics.
#[derive(Clone, Debug, PartialEq)]
enum Formula {
    /// The first one that has a value, times a factor.
    First(Vec<Statistic>, f64),
    /// The sum of those that have one.
    Sum(Vec<Statistic>),
    /// What fails of a function's calls: its errors and what is throttled, of its invocations and what is throttled. The
    /// three statistics in this order.
    Failed([Statistic; 3]),
    /// What was not done of what was sent.
    Undone { done: Statistic, sent: Statistic },
    /// The first that has a value; 0 where all of which it could be have one and it has none.
    OutOf { some: Vec<Statistic>, all: Vec<Statistic> },
    /// The first that has a value, over the first whole that has one.
    Share { part: Vec<Statistic>, whole: Vec<Statistic> },
    /// What is missing to a whole in a percentage, of so many.
    Rest { percent: Vec<Statistic>, of: Vec<Statistic> },
    /// A mean in milliseconds, of so many.
    Mean { millis: Vec<Statistic>, of: Vec<Statistic> },
}

impl Formula {
    /// `None`: CloudWatch has nothing for it.
    fn of(query: &Query) -> Option<Formula> {
        let resource = &query.resource;
        let of = |metric, statistic: &str| statistics(resource, metric, statistic);
        Some(match (query.metric, resource.kind) {
            (Metric::OldestMessage, _) => Formula::First(of("ApproximateAgeOfOldestMessage", "Maximum"), 1.0),
            (Metric::MessagesDone, _) => Formula::First(of("NumberOfMessagesDeleted", "Sum"), 1.0),
            (Metric::Calls, _) => Formula::First(calls(resource), 1.0),
            (Metric::Errors, _) => Formula::First(errors(resource), 1.0),
            (Metric::FailedShare, ResourceKind::Function) => {
                let one = |metric: &'static str| of(metric, "Sum").into_iter().next();
                Formula::Failed([one("Errors")?, one("Throttles")?, one("Invocations")?])
            }
            (Metric::FailedShare, _) => Formula::Share { part: errors(resource), whole: calls(resource) },
            (Metric::SlowShare { limit }, _) => Formula::Rest {
                // The part of values up to the limit, in percent (CloudWatch statistics definitions: PR).
                percent: durations(resource, &format!("PR(:{})", limit.micros() as f64 / 1_000.0)),
                of: durations(resource, "SampleCount"),
            },
            (Metric::Duration, _) => {
                Formula::Mean { millis: durations(resource, "Average"), of: durations(resource, "SampleCount") }
            }
            (Metric::UndoneShare, _) => Formula::Undone {
                done: of("NumberOfMessagesDeleted", "Sum").into_iter().next()?,
                sent: calls(resource).into_iter().next()?,
            },
            (Metric::Throttles, _) => Formula::First(of("Throttles", "Sum"), 1.0),
            (Metric::Concurrency, _) => Formula::First(of("ConcurrentExecutions", "Maximum"), 1.0),
            (Metric::EventsDropped, _) => {
                Formula::OutOf { some: of("AsyncEventsDropped", "Sum"), all: of("AsyncEventsReceived", "Sum") }
            }
            (Metric::FaultsInjected { fault }, _) => Formula::First(vec![injections(resource, fault)], 1.0),
            (Metric::Writes, ResourceKind::Table) => {
                Formula::Sum(TABLE_WRITES.map(|name| write(resource, name)).into())
            }
            _ => return None,
        })
    }

    fn statistics(&self) -> Vec<Statistic> {
        match self {
            Formula::First(all, _) | Formula::Sum(all) => all.clone(),
            Formula::Failed(all) => all.to_vec(),
            Formula::Undone { done, sent } => vec![done.clone(), sent.clone()],
            Formula::OutOf { some: a, all: b }
            | Formula::Share { part: a, whole: b }
            | Formula::Rest { percent: a, of: b }
            | Formula::Mean { millis: a, of: b } => [a.as_slice(), b].concat(),
        }
    }

    /// The signal, from the values in the order of [`Formula::statistics`].
    fn sample(&self, values: &[Option<f64>]) -> Sample {
        let first = |values: &[Option<f64>]| values.iter().flatten().next().copied();
        let plain = |value| Sample { value, of: None };
        match self {
            Formula::First(_, factor) => plain(first(values).map(|value| value * factor)),
            Formula::Sum(_) => {
                let there: Vec<f64> = values.iter().flatten().copied().collect();
                plain((!there.is_empty()).then(|| there.iter().sum()))
            }
            Formula::Failed(_) => {
                let [errors, throttles, calls] = [0, 1, 2].map(|at| values.get(at).copied().flatten());
                // Lambda publishes errors with invocations, also none: where they are missing they are still to come.
                if errors.is_none() && calls.is_some_and(|calls| calls > 0.0) {
                    return plain(None);
                }
                let throttled = throttles.unwrap_or(0.0);
                let whole = calls.unwrap_or(0.0) + throttled;
                let share = ((errors.unwrap_or(0.0) + throttled) / whole).clamp(0.0, 1.0);
                let of = Some(whole as u64).filter(|_| whole > 0.0);
                Sample { value: of.map(|_| share), of }
            }
            Formula::Undone { .. } => {
                let [done, sent] = [0, 1].map(|at| values.get(at).copied().flatten());
                let sent = sent.filter(|sent| *sent > 0.0);
                let share = |sent: f64| (1.0 - done.unwrap_or(0.0) / sent).clamp(0.0, 1.0);
                Sample { value: sent.map(share), of: sent.map(|sent| sent as u64) }
            }
            Formula::OutOf { some, .. } => {
                let (some, all) = values.split_at(some.len());
                plain(first(some).or_else(|| first(all).map(|_| 0.0)))
            }
            Formula::Share { part, .. } => {
                let (parts, wholes) = values.split_at(part.len());
                // Without requests there is no share; a service that counts no failures publishes none.
                match first(wholes).filter(|whole| *whole > 0.0) {
                    Some(whole) => {
                        let share = (first(parts).unwrap_or(0.0) / whole).clamp(0.0, 1.0);
                        Sample { value: Some(share), of: Some(whole as u64) }
                    }
                    None => plain(None),
                }
            }
            Formula::Rest { percent, .. } => {
                let (percents, counts) = values.split_at(percent.len());
                let rest = |percent: f64| (1.0 - percent / 100.0).clamp(0.0, 1.0);
                Sample { value: first(percents).map(rest), of: first(counts).map(|count| count as u64) }
            }
            Formula::Mean { millis, .. } => {
                let (means, counts) = values.split_at(millis.len());
                let seconds = first(means).map(|millis| millis / 1_000.0);
                Sample { value: seconds, of: first(counts).map(|count| count as u64) }
            }
        }
    }
}

/// A statistic of a resource's metric. An api may be an HTTP api or a REST api, which name their metrics differently;
/// the caller gives the right name, see [`errors`].
fn statistics(resource: &Resource, metric: &'static str, statistic: &str) -> Vec<Statistic> {
    let one = |namespace, dimension| Statistic {
        namespace,
        metric,
        dimensions: of_resource(resource, dimension),
        statistic: statistic.to_owned(),
    };
    resource.kind.descriptor().metrics.iter().map(|(namespace, dimension)| one(namespace, *dimension)).collect()
}

/// A function's metrics are published for the whole and, with one dimension more, for each alias and version
/// (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-view.html>).
fn of_resource(resource: &Resource, dimension: &'static str) -> Vec<(&'static str, String)> {
    let mut dimensions = vec![(dimension, resource.name.clone())];
    if resource.qualifier.is_some() {
        dimensions.push(("Resource", resource.qualified_name()));
    }
    dimensions
}

fn calls(resource: &Resource) -> Vec<Statistic> {
    match resource.kind {
        ResourceKind::Function => statistics(resource, "Invocations", "Sum"),
        ResourceKind::Queue => statistics(resource, "NumberOfMessagesSent", "Sum"),
        ResourceKind::Topic => statistics(resource, "NumberOfMessagesPublished", "Sum"),
        _ => statistics(resource, "Count", "SampleCount"),
    }
}

fn errors(resource: &Resource) -> Vec<Statistic> {
    match resource.kind {
        ResourceKind::Function => statistics(resource, "Errors", "Sum"),
        _ => {
            let mut both = statistics(resource, "5xx", "Sum");
            if let Some(rest) = both.get_mut(1) {
                rest.metric = "5XXError";
            }
            both
        }
    }
}

fn durations(resource: &Resource, statistic: &str) -> Vec<Statistic> {
    let metric = if resource.kind == ResourceKind::Function { "Duration" } else { "Latency" };
    statistics(resource, metric, statistic)
}

/// What squall's layer counts, by function and order (`layer/src/report.rs`).
fn injections(function: &Resource, fault: Injected) -> Statistic {
    Statistic {
        namespace: "SquallLayer",
        metric: "FaultsInjected",
        dimensions: vec![("Function", function.name.clone()), ("Order", fault.key().to_owned())],
        statistic: "Sum".into(),
    }
}

fn write(table: &Resource, operation: &str) -> Statistic {
    Statistic {
        namespace: "AWS/DynamoDB",
        metric: "SuccessfulRequestLatency",
        dimensions: vec![("TableName", table.name.clone()), ("Operation", operation.to_owned())],
        statistic: "SampleCount".into(),
    }
}

/// Measures a signal over one closed window.
pub async fn measure(session: &Session, query: &Query, window: Window) -> Result<Sample, CallError> {
    let Some(formula) = Formula::of(query) else {
        return super::unsupported(format!("CloudWatch does not know the {query}"));
    };
    by_the_minute(query, window)?;
    let wanted = formula.statistics().into_iter().map(Wanted::Statistic).collect();
    let values = session.batches.ask(session, window, wanted).await?;
    Ok(formula.sample(&values))
}

/// The value of an expression over metrics in one closed window.
pub async fn math(
    session: &Session,
    probe: &Resource,
    math: &MetricMathProbe,
    window: Window,
) -> Result<Option<f64>, CallError> {
    by_the_minute(probe, window)?;
    let values = session.batches.ask(session, window, vec![Wanted::Math(math.clone())]).await?;
    Ok(values.into_iter().next().flatten().filter(|value| value.is_finite()))
}

fn by_the_minute(what: impl std::fmt::Display, window: Window) -> Result<(), CallError> {
    let (length, minute) = (window.to.since(window.from), METRIC_PERIOD.micros());
    match length > Span::ZERO && length.micros() % minute == 0 && window.from.micros() % minute == 0 {
        true => Ok(()),
        false => super::unsupported(format!(
            "CloudWatch keeps the {what} by the minute: it cannot be measured every {length}; set `every` to whole minutes"
        )),
    }
}
