//! CloudWatch alarms, as they are written. Whether a model follows one is not decided here.

mod refused;

use std::collections::BTreeMap;

use super::tag;
use crate::ids::ResourceKind;
use crate::template::app::{
    Alarm, AlarmMetric, App, Comparison, MissingData, Quiet, Threshold, Values, Watches, dimension_kind,
};
use crate::template::names::Names;
use crate::template::part::Part;
use crate::template::value::{Kind, Unknown, Value};
use crate::units::Span;
use crate::yaml::Code;

/// Period and evaluation periods together, in seconds: a day, and seven where the period is an hour or longer
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>).
const LONGEST: u64 = 86_400;
const LONGEST_BY_THE_HOUR: u64 = 604_800;

/// Everything that decides in which state an alarm is.
const DECIDES: &[&str] = &[
    "Namespace",
    "MetricName",
    "Dimensions",
    "Statistic",
    "ExtendedStatistic",
    "Period",
    "Unit",
    "Metrics",
    "ThresholdMetricId",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "ComparisonOperator",
    "Threshold",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
    "AlarmRule",
];
/// Kinds of alarm that no service's metric and threshold make.
const OTHERS: &[(&str, &str)] = &[
    ("ThresholdMetricId", "anomaly detection"),
    ("EvaluationCriteria", "alarms on PromQL"),
    ("EvaluationWindow", "alarms whose periods follow the clock (`EvaluationWindow`)"),
];

/// Reads an alarm on a metric, or on an expression of metrics.
pub(super) fn alarm(name: String, properties: &mut Part<'_>, names: &Names, app: &mut App) {
    let quiet = disabled(properties);
    let watches = unknown(properties, names).or_else(|| watches(properties, names));
    tag(&name, properties, app);
    if let Some(watches) = watches {
        app.alarms.insert(name, Alarm { watches, quiet });
    }
}

/// Reads an alarm on other alarms.
pub(super) fn composite(name: String, properties: &mut Part<'_>, names: &Names, app: &mut App) {
    let mut quiet = disabled(properties);
    if let Some(by) = properties.get("ActionsSuppressor") {
        let by = names.find(ResourceKind::Alarm, by).map(str::to_owned).or_else(|| by.key());
        quiet.extend(by.map(|by| Quiet::Suppressed { by }));
    }
    let watches =
        unknown(properties, names).or_else(|| properties.needed_text("AlarmRule").map(|rule| Watches::Alarms { rule }));
    tag(&name, properties, app);
    if let Some(watches) = watches {
        app.alarms.insert(name, Alarm { watches, quiet });
    }
}

/// Reads a rule that mutes alarms by the clock. Their states change all the same
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutAlarmMuteRule.html>).
pub(super) fn mute(rule: &str, properties: &mut Part<'_>, names: &Names, app: &mut App) {
    let schedule = properties.part("Rule").and_then(|mut rule| {
        let schedule = rule.part("Schedule").and_then(|mut schedule| {
            let text = (schedule.text("Expression"), schedule.text("Duration"));
            rule.take(schedule);
            Some(format!("{} for {}", text.0?, text.1?))
        });
        properties.take(rule);
        schedule
    });
    let schedule = schedule.unwrap_or_else(|| "a schedule that is not known".into());
    let targets = properties.part("MuteTargets").map(|mut targets| {
        let list = targets.list("AlarmNames");
        properties.take(targets);
        list
    });
    for target in targets.unwrap_or_default() {
        let name = names.find(ResourceKind::Alarm, target);
        if let Some(alarm) = name.and_then(|name| app.alarms.get_mut(name)) {
            alarm.quiet.push(Quiet::Muted { rule: rule.to_owned(), schedule: schedule.clone() });
        }
    }
}

fn disabled(properties: &mut Part<'_>) -> Vec<Quiet> {
    match properties.flag("ActionsEnabled", true) {
        true => Vec::new(),
        false => vec![Quiet::Disabled],
    }
}

/// An alarm of which something that decides its state is not known: nothing can be said of it, so it is not modelled.
fn unknown(properties: &mut Part<'_>, names: &Names) -> Option<Watches> {
    let (key, value, unknown) = DECIDES.iter().find_map(|key| {
        let value = properties.get(key)?;
        Some((key, value, not_known(value, names)?))
    })?;
    let why = unknown.origin().map(|origin| origin.why.clone()).unwrap_or_default();
    let what = format!("`{key}` of {} is not known: {why}", properties.of);
    let help = "the alarm is not modelled; give the value in the traffic file";
    properties.report(Code::UnknownValue, &value.at, what, help);
    Some(Watches::Other(format!("an alarm whose `{key}` is not known ({why})")))
}

/// The first thing in a value that is not known. A dimension that is called like a resource of the template is known.
fn not_known<'v>(value: &'v Value, names: &Names) -> Option<&'v Unknown> {
    match &value.kind {
        Kind::List(items) => items.iter().find_map(|item| not_known(item, names)),
        Kind::Map(_) if dimension(value, names).is_some() => None,
        Kind::Map(entries) => entries.iter().find_map(|entry| not_known(&entry.value, names)),
        _ => value.unknown(),
    }
}

/// The name and the value of a dimension. A name of a resource that is not known is the one that the model gives it.
fn dimension(item: &Value, names: &Names) -> Option<(String, String)> {
    let (name, value) = (item.get("Name")?.plain()?, item.get("Value")?);
    let named = || dimension_kind(&name).and_then(|kind| names.find(kind, value)).map(str::to_owned);
    let text = value.plain().or_else(named)?;
    Some((name, text))
}

fn watches(properties: &mut Part<'_>, names: &Names) -> Option<Watches> {
    let other = |what: &str| Some(Watches::Other(what.to_owned()));
    if let Some((_, what)) = OTHERS.iter().find(|(key, _)| properties.get(key).is_some()) {
        return other(what);
    }
    if properties.text("EvaluateLowSampleCountPercentile").as_deref() == Some("ignore") {
        return other("`EvaluateLowSampleCountPercentile: ignore`");
    }
    let (values, period) =
        if properties.get("Metrics").is_some() { math(properties, names)? } else { metric(properties, names)? };
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
        properties.fail_at("DatapointsToAlarm", Code::BadValue, what, help);
    }
    let seconds = u64::from(evaluation_periods) * period.micros().unsigned_abs() / 1_000_000;
    let longest = if period >= Span::from_secs(3_600) { LONGEST_BY_THE_HOUR } else { LONGEST };
    if seconds > longest {
        let what = format!("{} evaluates {seconds} s", properties.of);
        let help = format!("CloudWatch takes at most {longest} s of `Period` times `EvaluationPeriods`");
        properties.fail_at("EvaluationPeriods", Code::BadValue, what, help);
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
            properties.fail_at("ComparisonOperator", Code::UnknownWord, format!("unknown comparison `{word}`"), help);
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
fn metric(properties: &mut Part<'_>, names: &Names) -> Option<(Values, Span)> {
    let statistic = match (properties.text("Statistic"), properties.text("ExtendedStatistic")) {
        (Some(_), Some(_)) => {
            let what = format!("{} has both `Statistic` and `ExtendedStatistic`", properties.of);
            properties.fail(Code::BadValue, what, "remove one of them");
            return None;
        }
        (Some(plain), None) => {
            refused::statistic(&plain, properties);
            plain
        }
        (None, Some(extended)) => {
            refused::extended_statistic(&extended, properties);
            extended
        }
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
        dimensions: dimensions(properties, names),
        unit: refused::unit(properties),
        namespace: properties.needed_text("Namespace")?,
        name: properties.needed_text("MetricName")?,
        statistic,
    };
    Some((Values::Metric(metric), period))
}

/// 10, 20, 30, or a multiple of 60 seconds.
fn period(properties: &mut Part<'_>) -> Span {
    let period = properties.seconds("Period", 10, 604_800, 60);
    let seconds = period.micros() / 1_000_000;
    if seconds % 60 != 0 && ![10, 20, 30].contains(&seconds) {
        let what = format!("`Period` of {} is {seconds}", properties.of);
        properties.fail_at("Period", Code::BadValue, what, "CloudWatch takes 10, 20, 30 and multiples of 60");
    }
    period
}

fn dimensions(properties: &mut Part<'_>, names: &Names) -> BTreeMap<String, String> {
    let items = properties.list("Dimensions").iter();
    items.filter_map(|item| dimension(item, names)).collect()
}

/// `Metrics`: metrics and expressions, of which one is compared.
fn math(properties: &mut Part<'_>, names: &Names) -> Option<(Values, Span)> {
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
            let unit = refused::unit(&mut stat);
            let metric = stat.part("Metric").and_then(|mut metric| {
                let read = AlarmMetric {
                    dimensions: dimensions(&mut metric, names),
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
    refused::ids(items, properties);
    refused::expressions(items, properties);
    let [returns] = returns.as_slice() else {
        let what = format!("{} returns {} values", properties.of, returns.len());
        let help = "write `ReturnData: false` at all entries of `Metrics` but one";
        properties.fail_at("Metrics", Code::BadValue, what, help);
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
            properties.fail_at("TreatMissingData", Code::UnknownWord, what, help);
            MissingData::Missing
        }
    }
}
