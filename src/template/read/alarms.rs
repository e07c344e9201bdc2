//! CloudWatch alarms, as they are written. Whether a model follows one is not decided here.

use std::collections::BTreeMap;

use super::tag;
use crate::template::app::{Alarm, AlarmMetric, App, Comparison, MissingData, Threshold, Values, Watches};
use crate::template::part::Part;
use crate::template::value::Value;
use crate::units::Span;
use crate::yaml::Code;

/// Period and evaluation periods together, in seconds: a day, and seven where the period is an hour or longer
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>).
const LONGEST: u64 = 86_400;
const LONGEST_BY_THE_HOUR: u64 = 604_800;

/// Reads an alarm on a metric, or on an expression of metrics.
pub(super) fn alarm(name: String, properties: &mut Part<'_>, app: &mut App) {
    let actions = properties.flag("ActionsEnabled", true);
    let watches = watches(properties);
    tag(&name, properties, app);
    if let Some(watches) = watches {
        app.alarms.insert(name, Alarm { watches, actions });
    }
}

/// Reads an alarm on other alarms.
pub(super) fn composite(name: String, properties: &mut Part<'_>, app: &mut App) {
    let actions = properties.flag("ActionsEnabled", true);
    let rule = properties.needed_text("AlarmRule");
    tag(&name, properties, app);
    if let Some(rule) = rule {
        app.alarms.insert(name, Alarm { watches: Watches::Alarms { rule }, actions });
    }
}

fn watches(properties: &mut Part<'_>) -> Option<Watches> {
    let other = |what: &str| Some(Watches::Other(what.to_owned()));
    if properties.get("ThresholdMetricId").is_some() {
        return other("anomaly detection");
    }
    if properties.text("EvaluateLowSampleCountPercentile").as_deref() == Some("ignore") {
        return other("`EvaluateLowSampleCountPercentile: ignore`");
    }
    let (values, period) = if properties.get("Metrics").is_some() { math(properties)? } else { metric(properties)? };
    let evaluation_periods = properties.whole("EvaluationPeriods", 1, 10_080);
    if evaluation_periods.is_none() && properties.get("EvaluationPeriods").is_none() {
        let what = format!("{} has no `EvaluationPeriods`", properties.of);
        properties.fail(Code::MissingKey, what, "add `EvaluationPeriods: 1`");
    }
    let evaluation_periods = evaluation_periods?;
    let datapoints_to_alarm = properties.whole("DatapointsToAlarm", 1, 10_080).unwrap_or(evaluation_periods);
    if datapoints_to_alarm > evaluation_periods {
        let what = format!("`DatapointsToAlarm` of {} is larger than `EvaluationPeriods`", properties.of);
        let help = format!("CloudWatch takes 1 to {evaluation_periods}");
        properties.fail(Code::BadValue, what, help);
    }
    let seconds = u64::from(evaluation_periods) * period.micros().unsigned_abs() / 1_000_000;
    let longest = if period >= Span::from_secs(3_600) { LONGEST_BY_THE_HOUR } else { LONGEST };
    if seconds > longest {
        let what = format!("{} evaluates {seconds} s", properties.of);
        let help = format!("CloudWatch takes at most {longest} s of `Period` times `EvaluationPeriods`");
        properties.fail(Code::BadValue, what, help);
    }
    let word = properties.needed_text("ComparisonOperator")?;
    let comparison = match word.as_str() {
        "GreaterThanThreshold" => Comparison::Greater,
        "GreaterThanOrEqualToThreshold" => Comparison::GreaterOrEqual,
        "LessThanThreshold" => Comparison::Less,
        "LessThanOrEqualToThreshold" => Comparison::LessOrEqual,
        _ if word.contains("UpperThreshold") || word.contains("LowerThreshold") => return other("anomaly detection"),
        _ => {
            let help = "write `GreaterThanThreshold`, `GreaterThanOrEqualToThreshold`, `LessThanThreshold` or \
                        `LessThanOrEqualToThreshold`";
            properties.fail(Code::UnknownWord, format!("unknown comparison `{word}`"), help);
            return None;
        }
    };
    let missing = missing(properties, &values);
    let Some(threshold) = properties.number("Threshold") else {
        if properties.get("Threshold").is_none() {
            let what = format!("{} has no `Threshold`", properties.of);
            properties.fail(Code::MissingKey, what, "add `Threshold: 0`");
        }
        return None;
    };
    let alarm = Threshold { values, period, evaluation_periods, datapoints_to_alarm, threshold, comparison, missing };
    Some(Watches::Threshold(alarm))
}

/// `Namespace`, `MetricName` and what goes with them.
fn metric(properties: &mut Part<'_>) -> Option<(Values, Span)> {
    let statistic = match (properties.text("Statistic"), properties.text("ExtendedStatistic")) {
        (Some(_), Some(_)) => {
            let what = format!("{} has both `Statistic` and `ExtendedStatistic`", properties.of);
            properties.fail(Code::BadValue, what, "remove one of them");
            return None;
        }
        (Some(plain), None) => {
            plain_statistic(&plain, properties);
            plain
        }
        (None, Some(extended)) => extended,
        (None, None) => {
            let what = format!("{} has no statistic", properties.of);
            properties.fail(Code::MissingKey, what, "add `Statistic: Sum`, or `ExtendedStatistic: p99`");
            return None;
        }
    };
    if properties.get("Period").is_none() {
        let what = format!("{} has no `Period`", properties.of);
        properties.fail(Code::MissingKey, what, "add `Period: 60`");
    }
    let period = period(properties);
    let metric = AlarmMetric {
        dimensions: dimensions(properties),
        unit: properties.text("Unit").filter(|unit| !unit.is_empty()),
        namespace: properties.needed_text("Namespace")?,
        name: properties.needed_text("MetricName")?,
        statistic,
    };
    Some((Values::Metric(metric), period))
}

fn plain_statistic(text: &str, properties: &mut Part<'_>) {
    if !["Sum", "Average", "Minimum", "Maximum", "SampleCount"].contains(&text) {
        let help = "write `Sum`, `Average`, `Minimum`, `Maximum` or `SampleCount`; percentiles are `ExtendedStatistic`";
        properties.fail(Code::UnknownWord, format!("unknown statistic `{text}`"), help);
    }
}

/// 10, 20, 30, or a multiple of 60 seconds.
fn period(properties: &mut Part<'_>) -> Span {
    let period = properties.seconds("Period", 10, 604_800, 60);
    let seconds = period.micros() / 1_000_000;
    if seconds % 60 != 0 && ![10, 20, 30].contains(&seconds) {
        let what = format!("`Period` of {} is {seconds}", properties.of);
        properties.fail(Code::BadValue, what, "CloudWatch takes 10, 20, 30 and multiples of 60");
    }
    period
}

fn dimensions(properties: &mut Part<'_>) -> BTreeMap<String, String> {
    let items = properties.list("Dimensions").iter();
    // One that is not known is none that any service publishes.
    let text = |value: Option<&Value>| value.and_then(Value::key).unwrap_or_default();
    items.map(|item| (text(item.get("Name")), text(item.get("Value")))).collect()
}

/// `Metrics`: metrics and expressions, of which one is compared.
fn math(properties: &mut Part<'_>) -> Option<(Values, Span)> {
    let (mut metrics, mut expressions, mut returns) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let mut longest = Span::ZERO;
    let items = properties.list("Metrics");
    for item in items {
        let mut part = properties.of_item("Metrics", item);
        let id = part.needed_text("Id");
        // With one entry it is the one that is returned.
        if part.flag("ReturnData", true) {
            returns.extend(id.clone());
        }
        let expression = part.text("Expression");
        let own_period = part.get("Period").is_some().then(|| period(&mut part));
        let stat = part.part("MetricStat").and_then(|mut stat| {
            let statistic = stat.needed_text("Stat");
            let period = period(&mut stat);
            let unit = stat.text("Unit").filter(|unit| !unit.is_empty());
            let metric = stat.part("Metric").and_then(|mut metric| {
                let read = AlarmMetric {
                    dimensions: dimensions(&mut metric),
                    namespace: metric.needed_text("Namespace")?,
                    name: metric.needed_text("MetricName")?,
                    statistic: statistic.unwrap_or_default(),
                    unit,
                };
                stat.take(metric);
                Some(read)
            });
            part.take(stat);
            Some((metric?, period))
        });
        properties.take(part);
        match (id, expression, stat) {
            (Some(id), None, Some((metric, period))) => {
                longest = longest.max(period);
                metrics.insert(id, metric);
            }
            (Some(id), Some(expression), None) => {
                longest = longest.max(own_period.unwrap_or(Span::ZERO));
                expressions.insert(id, expression);
            }
            _ => {}
        }
    }
    let [returns] = returns.as_slice() else {
        let what = format!("{} returns {} values", properties.of, returns.len());
        let help = "write `ReturnData: false` at all entries of `Metrics` but one";
        properties.fail(Code::BadValue, what, help);
        return None;
    };
    let period = if longest == Span::ZERO { Span::from_secs(60) } else { longest };
    Some((Values::Math { metrics, expressions, returns: returns.clone() }, period))
}

/// `TreatMissingData`; alarms on DynamoDB ignore missing data unless they say something else
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>).
fn missing(properties: &mut Part<'_>, values: &Values) -> MissingData {
    match properties.text("TreatMissingData").as_deref() {
        None => match values {
            Values::Metric(metric) if metric.namespace == "AWS/DynamoDB" => MissingData::Ignore,
            _ => MissingData::Missing,
        },
        Some("missing") => MissingData::Missing,
        Some("notBreaching") => MissingData::NotBreaching,
        Some("breaching") => MissingData::Breaching,
        Some("ignore") => MissingData::Ignore,
        Some(other) => {
            let help = "write `missing`, `notBreaching`, `breaching` or `ignore`";
            let what = format!("unknown way to treat missing data `{other}`");
            properties.fail(Code::UnknownWord, what, help);
            MissingData::Missing
        }
    }
}
