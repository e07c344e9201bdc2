//! Alarms: what PutMetricAlarm refuses, what is not known of one, and whose actions may not run.

use super::*;
use crate::template::app::{Alarm, Quiet};

const METRIC: &str = "Namespace: AWS/SQS, MetricName: ApproximateNumberOfMessagesVisible, Dimensions: [{ Name: QueueName, Value: !GetAtt Jobs.QueueName }]";
const RULE: &str = "EvaluationPeriods: 1, Threshold: 1, ComparisonOperator: GreaterThanThreshold";

fn alarm(properties: &str) -> String {
    format!(
        "Parameters: {{ N: {{ Type: Number }}, S: {{ Type: String }} }}
Resources:
  Jobs: {{ Type: AWS::SQS::Queue, Properties: {{ QueueName: !Sub '${{S}}-jobs' }} }}
  A: {{ Type: AWS::CloudWatch::Alarm, Properties: {{ {properties} }} }}
"
    )
}

fn read_alarm(properties: &str) -> (Alarm, String) {
    let (app, warnings) = app_and_warnings(&alarm(properties));
    (app.alarms["A"].clone(), warnings)
}

#[test]
fn what_put_metric_alarm_refuses_is_an_error_at_its_value() {
    for (properties, what) in [
        (format!("{METRIC}, ExtendedStatistic: p101, Period: 60, {RULE}"), "unknown statistic `p101`"),
        (format!("{METRIC}, ExtendedStatistic: Sum, Period: 60, {RULE}"), "unknown statistic `Sum`"),
        (format!("{METRIC}, Statistic: p99, Period: 60, {RULE}"), "unknown statistic `p99`"),
        (format!("{METRIC}, Statistic: Sum, Period: 45, {RULE}"), "`Period` of alarm A is 45"),
        (format!("{METRIC}, Statistic: Sum, Period: 60, Unit: Pieces, {RULE}"), "unknown unit `Pieces`"),
        (
            format!("{METRIC}, Statistic: Sum, Period: 60, {RULE}, DatapointsToAlarm: 2"),
            "`DatapointsToAlarm` of alarm A",
        ),
        (format!("{METRIC}, Statistic: Sum, Period: 60, {RULE}, TreatMissingData: ok"), "`ok`"),
        (format!("{METRIC}, Statistic: Sum, Period: 60, {}", RULE.replace("GreaterThanThreshold", "Above")), "`Above`"),
        (format!("Metrics: [{{ Id: M1, Expression: '1 + 1' }}], {RULE}"), "`M1` cannot be the id of a metric"),
        (
            format!("Metrics: [{{ Id: e, Expression: m }}, {{ Id: e, Expression: e, ReturnData: false }}], {RULE}"),
            "the id `e` is given twice",
        ),
        (
            format!("Metrics: [{{ Id: e, Expression: 'FILL(lost, 0) / 1e3 + SUM(\"a b\")' }}], {RULE}"),
            "uses `lost`, which is not the id",
        ),
    ] {
        let text = alarm(&properties);
        let found = refused(&text);
        let line = found.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {found}"));
        assert!(!line.contains(" t.yaml:4:3:"), "at the value, not at the resource: {line}");
    }
    for fine in [
        format!("{METRIC}, ExtendedStatistic: p99.95, Period: 60, {RULE}"),
        format!("{METRIC}, ExtendedStatistic: tm90, Period: 60, {RULE}"),
        format!("{METRIC}, ExtendedStatistic: 'PR(:300)', Period: 60, {RULE}"),
        format!("Metrics: [{{ Id: q, Expression: 'SELECT AVG(Duration) FROM \"AWS/Lambda\"', Period: 60 }}], {RULE}"),
    ] {
        read_alarm(&fine);
    }
}

/// Nothing is guessed of an alarm of which something is not known, and it is said once.
#[test]
fn an_alarm_of_which_something_is_not_known_is_not_modelled() {
    for (key, properties) in [
        (
            "Threshold",
            format!("{METRIC}, Statistic: Sum, Period: 60, {}", RULE.replace("Threshold: 1", "Threshold: !Ref N")),
        ),
        ("Period", format!("{METRIC}, Statistic: Sum, Period: !Ref N, {RULE}")),
        ("EvaluationPeriods", format!("{METRIC}, Statistic: Sum, Period: 60, {}", RULE.replace("s: 1", "s: !Ref N"))),
        ("Statistic", format!("{METRIC}, Statistic: !Ref S, Period: 60, {RULE}")),
        ("TreatMissingData", format!("{METRIC}, Statistic: Sum, Period: 60, {RULE}, TreatMissingData: !Ref S")),
        ("Metrics", format!("Metrics: !Ref S, {RULE}")),
        (
            "Dimensions",
            format!(
                "{}, Statistic: Sum, Period: 60, {RULE}",
                METRIC.replace("!GetAtt Jobs.QueueName", "!ImportValue queue")
            ),
        ),
    ] {
        let (alarm, warnings) = read_alarm(&properties);
        let Watches::Other(why) = &alarm.watches else { panic!("{key}: {:?}", alarm.watches) };
        assert!(why.starts_with(&format!("an alarm whose `{key}` is not known (")), "{why}");
        assert_eq!(warnings.lines().count(), 1, "{warnings}");
        assert!(warnings.contains(&format!("`{key}` of alarm A is not known")), "{warnings}");
    }
}

#[test]
fn a_dimension_that_is_written_like_the_name_of_its_queue_means_it() {
    for value in ["!GetAtt Jobs.QueueName", "!Sub '${S}-jobs'"] {
        let metric = METRIC.replace("!GetAtt Jobs.QueueName", value);
        let (alarm, warnings) = read_alarm(&format!("{metric}, Statistic: Maximum, Period: 60, {RULE}"));
        let Watches::Threshold(threshold) = &alarm.watches else { panic!("{:?}", alarm.watches) };
        let Values::Metric(metric) = &threshold.values else { panic!() };
        assert_eq!(metric.dimensions["QueueName"], "Jobs", "{value}");
        assert_eq!(warnings, "");
    }
}

#[test]
fn an_alarm_whose_actions_may_not_run_keeps_its_state() {
    let text = format!(
        "Resources:
  Jobs: {{ Type: AWS::SQS::Queue }}
  A: {{ Type: AWS::CloudWatch::Alarm, Properties: {{ {METRIC}, Statistic: Sum, Period: 60, {RULE}, ActionsEnabled: false }} }}
  B: {{ Type: AWS::CloudWatch::Alarm, Properties: {{ {METRIC}, Statistic: Sum, Period: 60, {RULE}, WarmUpConfiguration: {{ WarmUpPeriodDurationInMinutes: 10 }} }} }}
  Both: {{ Type: AWS::CloudWatch::CompositeAlarm, Properties: {{ AlarmRule: ALARM(B), ActionsSuppressor: !GetAtt A.Arn, ActionsSuppressorWaitPeriod: 60 }} }}
  Nights:
    Type: AWS::CloudWatch::AlarmMuteRule
    Properties:
      Rule: {{ Schedule: {{ Expression: cron(0 2 * * *), Duration: PT4H, Timezone: Europe/London }} }}
      MuteTargets: {{ AlarmNames: [!Ref B, elsewhere] }}
"
    );
    let app = app(&text);
    let quiet = |name: &str| app.alarms[name].quiet.clone();
    assert_eq!(quiet("A"), [Quiet::Disabled]);
    assert_eq!(quiet("Both"), [Quiet::Suppressed { by: "A".into() }]);
    let schedule = "cron(0 2 * * *) for PT4H".to_owned();
    assert_eq!(quiet("B"), [Quiet::Muted { rule: "Nights".into(), schedule }]);
    assert!(app.alarms.values().all(|alarm| !matches!(alarm.watches, Watches::Other(_))), "their states are modelled");
}

#[test]
fn alarms_of_other_kinds_say_what_they_are() {
    for (properties, what) in [
        ("EvaluationCriteria: { PromQLCriteria: { Query: up } }, EvaluationInterval: 60", "PromQL"),
        ("ThresholdMetricId: a, EvaluationPeriods: 1", "anomaly detection"),
    ] {
        let (alarm, _) = read_alarm(properties);
        assert!(matches!(&alarm.watches, Watches::Other(why) if why.contains(what)), "{:?}", alarm.watches);
    }
}
