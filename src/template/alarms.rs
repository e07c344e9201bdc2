//! CloudWatch alarms on one metric.

use super::properties::Properties;
use super::tag;
use crate::spec::yaml::Node;
use crate::template::app::{Alarm, AlarmMetric, App, Comparison, MissingData};

/// Reads an alarm. One on an expression of metrics or on a percentile is left out, with a warning.
pub(super) fn alarm(name: String, properties: &mut Properties<'_>, app: &mut App) {
    properties.ignore(&[
        "AlarmName",
        "AlarmDescription",
        "AlarmActions",
        "OKActions",
        "InsufficientDataActions",
        "ActionsEnabled",
        "Unit",
        "EvaluateLowSampleCountPercentile",
    ]);
    if properties.get("Metrics").is_some() || properties.get("ExtendedStatistic").is_some() {
        let what = format!("the sandbox models alarms on one metric and a plain statistic; {name} is none");
        properties.not_modelled(properties.at, what, "the alarm is left out");
        properties.ignore_all();
        return;
    }
    let evaluation_periods = properties.whole("EvaluationPeriods", 1, 10_080).unwrap_or(1);
    let comparison = properties.needed("ComparisonOperator").and_then(|word| comparison(&word, properties));
    let missing = match properties.text("TreatMissingData").as_deref() {
        None | Some("missing") => MissingData::Missing,
        Some("notBreaching") => MissingData::NotBreaching,
        Some("breaching") => MissingData::Breaching,
        Some("ignore") => MissingData::Ignore,
        Some(other) => {
            let what = format!("`{other}` is no way to treat missing data");
            let help = "write `missing`, `notBreaching`, `breaching` or `ignore`";
            properties.error(crate::spec::Code::UnknownWord, properties.at, what, help);
            MissingData::Missing
        }
    };
    let of = subject(properties);
    let (namespace, metric) = (properties.needed("Namespace"), properties.needed("MetricName"));
    let threshold = properties.number("Threshold");
    let statistic = properties.text("Statistic").unwrap_or_else(|| "Average".into());
    let period = properties.seconds("Period", 10, 86_400, 60);
    let datapoints_to_alarm = properties.whole("DatapointsToAlarm", 1, 10_080).unwrap_or(evaluation_periods);
    tag(&name, properties, app);
    let (Some(namespace), Some(metric), Some(threshold), Some(comparison)) = (namespace, metric, threshold, comparison)
    else {
        return;
    };
    let Some(of) = of else {
        let what = format!("the sandbox finds no resource of the template in the dimensions of {name}");
        properties.not_modelled(properties.at, what, "the alarm never has data in the model");
        return;
    };
    let metric = AlarmMetric { namespace, name: metric, statistic, of };
    app.alarms.insert(
        name,
        Alarm { metric, period, evaluation_periods, datapoints_to_alarm, threshold, comparison, missing },
    );
}

/// The resource that the dimensions name.
fn subject(properties: &mut Properties<'_>) -> Option<String> {
    properties.list("Dimensions").iter().find_map(|dimension| {
        let name = dimension.get("Name").and_then(Node::text)?;
        let known = ["QueueName", "FunctionName", "TableName", "TopicName", "ApiId", "ApiName"].contains(&name);
        dimension.get("Value").and_then(Node::text).filter(|_| known).map(str::to_owned)
    })
}

fn comparison(word: &str, properties: &mut Properties<'_>) -> Option<Comparison> {
    Some(match word {
        "GreaterThanThreshold" => Comparison::Greater,
        "GreaterThanOrEqualToThreshold" => Comparison::GreaterOrEqual,
        "LessThanThreshold" => Comparison::Less,
        "LessThanOrEqualToThreshold" => Comparison::LessOrEqual,
        other => {
            let what = format!("the sandbox does not model the comparison {other}");
            properties.not_modelled(properties.at, what, "the alarm is left out");
            return None;
        }
    })
}
