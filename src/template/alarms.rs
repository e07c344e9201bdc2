//! CloudWatch alarms, as they are written. Whether a model follows one is not decided here.

use std::collections::BTreeMap;

use super::intrinsic::plain;
use super::properties::Properties;
use super::tag;
use crate::spec::Code;
use crate::spec::yaml::Node;
use crate::template::app::{Alarm, AlarmMetric, App, Comparison, MissingData, Threshold, Values, Watches};
use crate::units::Span;

/// Period and evaluation periods together, in seconds: a day, and seven where the period is an hour or longer
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>).
const LONGEST: u64 = 86_400;
const LONGEST_BY_THE_HOUR: u64 = 604_800;

/// Reads an alarm on a metric, or on an expression of metrics.
pub(super) fn alarm(name: String, properties: &mut Properties<'_>, app: &mut App) {
    properties.ignore(&["AlarmName", "AlarmDescription", "AlarmActions", "OKActions", "InsufficientDataActions"]);
    let actions = properties.flag("ActionsEnabled", true);
    let watches = watches(properties);
    tag(&name, properties, app);
    if let Some(watches) = watches {
        app.alarms.insert(name, Alarm { watches, actions });
    }
}

/// Reads an alarm on other alarms.
pub(super) fn composite(name: String, properties: &mut Properties<'_>, app: &mut App) {
    properties.ignore(&[
        "AlarmName",
        "AlarmDescription",
        "AlarmActions",
        "OKActions",
        "InsufficientDataActions",
        // A suppressor keeps actions back; the state changes all the same.
        "ActionsSuppressor",
        "ActionsSuppressorExtensionPeriod",
        "ActionsSuppressorWaitPeriod",
    ]);
    let actions = properties.flag("ActionsEnabled", true);
    let rule = properties.needed("AlarmRule");
    tag(&name, properties, app);
    if let Some(rule) = rule {
        app.alarms.insert(name, Alarm { watches: Watches::Alarms { rule }, actions });
    }
}

fn watches(properties: &mut Properties<'_>) -> Option<Watches> {
    let other = |what: &str| Some(Watches::Other(what.to_owned()));
    if properties.get("ThresholdMetricId").is_some() {
        properties.ignore_all();
        return other("anomaly detection");
    }
    if properties.text("EvaluateLowSampleCountPercentile").as_deref() == Some("ignore") {
        properties.ignore_all();
        return other("`EvaluateLowSampleCountPercentile: ignore`");
    }
    let (values, period) = if properties.get("Metrics").is_some() { math(properties)? } else { metric(properties)? };
    let evaluation_periods = properties.whole("EvaluationPeriods", 1, 10_080);
    if evaluation_periods.is_none() && properties.get("EvaluationPeriods").is_none() {
        let what = format!("{} has no `EvaluationPeriods`", properties.of);
        properties.error(Code::MissingKey, properties.at, what, "add `EvaluationPeriods: 1`");
    }
    let evaluation_periods = evaluation_periods?;
    let datapoints_to_alarm = properties.whole("DatapointsToAlarm", 1, 10_080).unwrap_or(evaluation_periods);
    if datapoints_to_alarm > evaluation_periods {
        let what = format!("`DatapointsToAlarm` of {} is larger than `EvaluationPeriods`", properties.of);
        let help = format!("CloudWatch takes 1 to {evaluation_periods}");
        properties.error(Code::BadValue, properties.at, what, help);
    }
    let seconds = u64::from(evaluation_periods) * period.micros().unsigned_abs() / 1_000_000;
    let longest = if period >= Span::from_secs(3_600) { LONGEST_BY_THE_HOUR } else { LONGEST };
    if seconds > longest {
        let what = format!("{} evaluates {seconds} s", properties.of);
        let help = format!("CloudWatch takes at most {longest} s of `Period` times `EvaluationPeriods`");
        properties.error(Code::BadValue, properties.at, what, help);
    }
    let word = properties.needed("ComparisonOperator")?;
    let comparison = match word.as_str() {
        "GreaterThanThreshold" => Comparison::Greater,
        "GreaterThanOrEqualToThreshold" => Comparison::GreaterOrEqual,
        "LessThanThreshold" => Comparison::Less,
        "LessThanOrEqualToThreshold" => Comparison::LessOrEqual,
        _ if word.contains("UpperThreshold") || word.contains("LowerThreshold") => return other("anomaly detection"),
        _ => {
            let help = "write `GreaterThanThreshold`, `GreaterThanOrEqualToThreshold`, `LessThanThreshold` or \
                        `LessThanOrEqualToThreshold`";
            properties.error(Code::UnknownWord, properties.at, format!("unknown comparison `{word}`"), help);
            return None;
        }
    };
    let missing = missing(properties, &values);
    let Some(threshold) = properties.number("Threshold") else {
        if properties.get("Threshold").is_none() {
            let what = format!("{} has no `Threshold`", properties.of);
            properties.error(Code::MissingKey, properties.at, what, "add `Threshold: 0`");
        }
        return None;
    };
    let alarm = Threshold { values, period, evaluation_periods, datapoints_to_alarm, threshold, comparison, missing };
    Some(Watches::Threshold(alarm))
}

/// `Namespace`, `MetricName` and what goes with them.
fn metric(properties: &mut Properties<'_>) -> Option<(Values, Span)> {
    let statistic = match (properties.text("Statistic"), properties.text("ExtendedStatistic")) {
        (Some(_), Some(_)) => {
            let what = format!("{} has both `Statistic` and `ExtendedStatistic`", properties.of);
            properties.error(Code::BadValue, properties.at, what, "remove one of them");
            return None;
        }
        (Some(plain), None) => {
            plain_statistic(&plain, properties);
            plain
        }
        (None, Some(extended)) => extended,
        (None, None) => {
            let what = format!("{} has no statistic", properties.of);
            properties.error(
                Code::MissingKey,
                properties.at,
                what,
                "add `Statistic: Sum`, or `ExtendedStatistic: p99`",
            );
            return None;
        }
    };
    if properties.get("Period").is_none() {
        let what = format!("{} has no `Period`", properties.of);
        properties.error(Code::MissingKey, properties.at, what, "add `Period: 60`");
    }
    let period = period(properties);
    let metric = AlarmMetric {
        dimensions: dimensions(properties),
        unit: properties.text("Unit").filter(|unit| !unit.is_empty()),
        namespace: properties.needed("Namespace")?,
        name: properties.needed("MetricName")?,
        statistic,
    };
    Some((Values::Metric(metric), period))
}

fn plain_statistic(text: &str, properties: &mut Properties<'_>) {
    if !["Sum", "Average", "Minimum", "Maximum", "SampleCount"].contains(&text) {
        let help = "write `Sum`, `Average`, `Minimum`, `Maximum` or `SampleCount`; percentiles are `ExtendedStatistic`";
        properties.error(Code::UnknownWord, properties.at, format!("unknown statistic `{text}`"), help);
    }
}

/// 10, 20, 30, or a multiple of 60 seconds.
fn period(properties: &mut Properties<'_>) -> Span {
    let period = properties.seconds("Period", 10, 604_800, 60);
    let seconds = period.micros() / 1_000_000;
    if seconds % 60 != 0 && ![10, 20, 30].contains(&seconds) {
        let what = format!("`Period` of {} is {seconds}", properties.of);
        properties.error(Code::BadValue, properties.at, what, "CloudWatch takes 10, 20, 30 and multiples of 60");
    }
    period
}

fn dimensions(properties: &mut Properties<'_>) -> BTreeMap<String, String> {
    let items = properties.list("Dimensions").iter();
    let text = |node: Option<&Node>| node.and_then(|node| plain(&node.kind)).unwrap_or_default();
    items.map(|item| (text(item.get("Name")), text(item.get("Value")))).collect()
}

/// `Metrics`: metrics and expressions, of which one is compared.
fn math(properties: &mut Properties<'_>) -> Option<(Values, Span)> {
    let (mut metrics, mut expressions, mut returns) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let mut longest = Span::ZERO;
    let items = properties.list("Metrics");
    for item in items {
        let mut part = properties.of_item("Metrics", item);
        part.ignore(&["Label", "AccountId"]);
        let id = part.needed("Id");
        // With one entry it is the one that is returned.
        if part.flag("ReturnData", true) {
            returns.extend(id.clone());
        }
        let expression = part.text("Expression");
        let own_period = part.get("Period").is_some().then(|| period(&mut part));
        let stat = part.part("MetricStat").and_then(|mut stat| {
            let statistic = stat.needed("Stat");
            let period = period(&mut stat);
            let unit = stat.text("Unit").filter(|unit| !unit.is_empty());
            let metric = stat.part("Metric").and_then(|mut metric| {
                let read = AlarmMetric {
                    dimensions: dimensions(&mut metric),
                    namespace: metric.needed("Namespace")?,
                    name: metric.needed("MetricName")?,
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
        properties.error(Code::BadValue, properties.at, what, help);
        return None;
    };
    let period = if longest == Span::ZERO { Span::from_secs(60) } else { longest };
    Some((Values::Math { metrics, expressions, returns: returns.clone() }, period))
}

/// `TreatMissingData`; alarms on DynamoDB ignore missing data unless they say something else
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>).
fn missing(properties: &mut Properties<'_>, values: &Values) -> MissingData {
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
            properties.error(Code::UnknownWord, properties.at, what, help);
            MissingData::Missing
        }
    }
}
