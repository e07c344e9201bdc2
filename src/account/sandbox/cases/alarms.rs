//! Alarms as CloudWatch has them.

use super::{lines, read, world};
use crate::account::sandbox::testing::at;
use crate::account::sandbox::world::World;
use crate::account::target::SelectBy;
use crate::account::{Account, Call, Location, Metric, ResourceKind, Selector, Value, ask};
use crate::yaml::Style;

/// A template with a REST API, an HTTP API, a function behind a topic and alarms.
fn watched(alarms: &str) -> String {
    let functions = concat!(
        "  Rest: { Type: AWS::Serverless::Api, Properties: { Name: shop-api, StageName: live } }\n",
        "  Http: { Type: AWS::Serverless::HttpApi }\n",
        "  Start: { Type: AWS::SNS::Topic }\n",
        function!(
            "Page",
            "Events: { A: { Type: Api, Properties: { RestApiId: !Ref Rest, Path: /, Method: get } }, \
             B: { Type: HttpApi, Properties: { ApiId: !Ref Http, Path: /, Method: get } } }"
        ),
        function!("Work", "Events: { In: { Type: SNS, Properties: { Topic: !Ref Start } } }"),
        function!("Feed", "Policies: [ AmazonSNSFullAccess ]"),
    );
    format!("Resources:\n{functions}{alarms}")
}

fn metric_alarm(name: &str, metric: &str) -> String {
    format!(
        "  {name}: {{ Type: AWS::CloudWatch::Alarm, Properties: {{ {metric}, Period: 60, EvaluationPeriods: 1, \
         Threshold: 0, ComparisonOperator: GreaterThanThreshold, TreatMissingData: notBreaching }} }}\n"
    )
}

const BUSY: &str = "version: 1\ntraffic:\n  - { to: { api: Rest }, rate: 2/s }\n  - { to: { api: Http }, rate: 2/s }\n\
                    \x20 - { to: { function: Feed }, rate: 1/s }\nfunctions: { Feed: { calls: [ { topic: Start } ] } }\n";

fn alarm(world: &World, name: &str) -> Option<f64> {
    world.value(Metric::AlarmState, ResourceKind::Alarm, name, 0..1)
}

#[test]
fn each_kind_of_api_publishes_under_its_own_names() {
    let alarms = [
        metric_alarm(
            "RestErrors",
            "Namespace: AWS/ApiGateway, MetricName: 5XXError, Statistic: Sum, \
                      Dimensions: [ { Name: ApiName, Value: shop-api }, { Name: Stage, Value: live } ]",
        ),
        metric_alarm(
            "HttpErrors",
            "Namespace: AWS/ApiGateway, MetricName: 5xx, Statistic: Sum, \
                      Dimensions: [ { Name: ApiId, Value: !Ref Http } ]",
        ),
    ];
    let mut world = world(&watched(&alarms.concat()), BUSY);
    world.run_until(at(300));
    assert_eq!((alarm(&world, "RestErrors"), alarm(&world, "HttpErrors")), (Some(0.0), Some(0.0)));
    world.reserve("Page", Value::Number(0));
    world.run_until(at(600));
    assert_eq!((alarm(&world, "RestErrors"), alarm(&world, "HttpErrors")), (Some(1.0), Some(1.0)));
}

/// An alarm on what is never published is not modelled, says why, and can be no hypothesis.
#[test]
fn an_alarm_on_anything_else_says_so_and_is_not_there() {
    for (metric, says) in [
        (
            "Namespace: AWS/ApiGateway, MetricName: 5xx, Statistic: Sum, Dimensions: [ { Name: ApiId, Value: !Ref Rest } ]",
            "a REST API publishes nothing by ApiId; on AWS the alarm never has data. Write `ApiName: shop-api`",
        ),
        (
            "Namespace: AWS/ApiGateway, MetricName: 5xx, Statistic: Sum, Dimensions: [ { Name: ApiName, Value: shop-api } ]",
            "counts no `5xx`, only Count, 4XXError, 5XXError",
        ),
        (
            "Namespace: AWS/ApiGateway, MetricName: Count, Statistic: Sum, Dimensions: [ { Name: ApiName, Value: Rest } ]",
            "no REST API of the template is called `Rest`",
        ),
        (
            "Namespace: AWS/ApiGateway, MetricName: 5XXError, Statistic: Sum, \
             Dimensions: [ { Name: ApiName, Value: shop-api }, { Name: Stage, Value: test } ]",
            "the API's stage is `live`, not `test`",
        ),
        ("Namespace: AWS/Lambda, MetricName: Errors, Statistic: Sum", "by FunctionName, and not by no dimension"),
        (
            "Namespace: AWS/Lambda, MetricName: Errors, Statistic: Sum, Unit: Seconds, \
             Dimensions: [ { Name: FunctionName, Value: !Ref Work } ]",
            "publishes `Errors` in Count, never in Seconds",
        ),
        (
            "Namespace: AWS/Lambda, MetricName: Errors, Statistic: Sum, Dimensions: [ { Name: FunctionName, Value: Gone } ]",
            "no function named `Gone`",
        ),
        ("Namespace: Shop, MetricName: Orders, Statistic: Sum", "publishes nothing in the namespace Shop"),
        (
            "Namespace: AWS/Lambda, MetricName: Duration, ExtendedStatistic: tm99, \
             Dimensions: [ { Name: FunctionName, Value: !Ref Work } ]",
            "does not model the statistic tm99",
        ),
    ] {
        let template = watched(&metric_alarm("Odd", metric));
        let (app, findings) = read(&template, BUSY);
        let found: String = findings.iter().map(ToString::to_string).collect();
        assert!(found.contains(says) && findings.iter().count() == 1, "{metric}: {found}");
        let mut world = World::new(&app.unwrap(), 1, at(0)).unwrap();
        let selector = Selector { kind: ResourceKind::Alarm, by: SelectBy::Name("Odd".into()) };
        let outcome = format!("{:?}", ask(&mut world, Call::Resolve { location: Location::sandbox(), selector }));
        assert!(outcome.contains("does not model the alarm Odd"), "{outcome}");
    }
}

/// With reserved concurrency 0 the function of a topic is never invoked, so nothing but the dropped events tells of it.
#[test]
fn dropped_events_ring_an_alarm() {
    let by_function = "Statistic: Sum, Dimensions: [ { Name: FunctionName, Value: !Ref Work } ]";
    let alarms = [
        metric_alarm("Dropped", &format!("Namespace: AWS/Lambda, MetricName: AsyncEventsDropped, {by_function}")),
        metric_alarm("Throttled", &format!("Namespace: AWS/Lambda, MetricName: Throttles, {by_function}")),
    ];
    let mut world = world(&watched(&alarms.concat()), BUSY);
    world.run_until(at(300));
    assert_eq!(alarm(&world, "Dropped"), Some(0.0));
    world.reserve("Work", Value::Number(0));
    world.run_until(at(600));
    assert_eq!((alarm(&world, "Dropped"), alarm(&world, "Throttled")), (Some(1.0), Some(0.0)));
    world.reserve("Work", Value::Unset);
    world.run_until(at(1_200));
    assert_eq!(alarm(&world, "Dropped"), Some(0.0));
}

/// A job that fails in every second minute has three real points in a range of five, `X - X - X`: three of three. One that
/// fails every fifth minute leaves at most one, which is old enough for ALARM with `missing`, and is not with `notBreaching`.
#[test]
fn sparse_errors_ring_by_the_newest_real_points() {
    let template = concat!("Resources:\n", function!("Job", "Timeout: 5"));
    for (rate, missing, rings) in [
        ("30/h", "missing", true),
        ("30/h", "notBreaching", true),
        ("12/h", "missing", true),
        ("12/h", "notBreaching", false),
    ] {
        let alarms = format!(
            "  Three: {{ Type: AWS::CloudWatch::Alarm, Properties: {{ Namespace: AWS/Lambda, MetricName: Errors, \
             Dimensions: [ {{ Name: FunctionName, Value: !Ref Job }} ], Statistic: Sum, Period: 60, EvaluationPeriods: 3, \
             Threshold: 0, ComparisonOperator: GreaterThanThreshold, TreatMissingData: {missing} }} }}\n"
        );
        let traffic = format!(
            "version: 1\ntraffic: [ {{ to: {{ function: Job }}, rate: {rate}, arrivals: even }} ]\n\
             functions: {{ Job: {{ errors: 100 % }} }}\n"
        );
        let mut world = world(&format!("{template}{alarms}"), &traffic);
        let rang = (5..40).any(|minute| {
            world.run_until(at(minute * 60));
            alarm(&world, "Three") == Some(1.0)
        });
        assert_eq!(rang, rings, "{rate}, {missing}");
    }
}

#[test]
fn metric_math_and_composite_alarms_ring() {
    let alarms = "
  Share:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Metrics:
        - { Id: bad, ReturnData: false, MetricStat: { Stat: Sum, Period: 60, Metric: { Namespace: AWS/ApiGateway, \
               MetricName: 5xx, Dimensions: [ { Name: ApiId, Value: !Ref Http } ] } } }
        - { Id: all, ReturnData: false, MetricStat: { Stat: Sum, Period: 60, Metric: { Namespace: AWS/ApiGateway, \
               MetricName: Count, Dimensions: [ { Name: ApiId, Value: !Ref Http } ] } } }
        - { Id: share, Expression: '100 * FILL(bad, 0) / all' }
      EvaluationPeriods: 1
      Threshold: 50
      ComparisonOperator: GreaterThanThreshold
  Slow:
    Type: AWS::CloudWatch::Alarm
    Properties: { Namespace: AWS/Lambda, MetricName: Duration, ExtendedStatistic: p90, Period: 60, EvaluationPeriods: 1, \
                  Dimensions: [ { Name: FunctionName, Value: !Ref Page } ], Threshold: 10000, \
                  ComparisonOperator: GreaterThanThreshold }
  Both:
    Type: AWS::CloudWatch::CompositeAlarm
    Properties: { AlarmRule: 'ALARM(Share) AND NOT ALARM(\"Slow\")' }
  Top: { Type: AWS::CloudWatch::CompositeAlarm, Properties: { AlarmRule: !Sub 'ALARM(${Both}) OR FALSE' } }
";
    let mut world = world(&watched(alarms), BUSY);
    world.run_until(at(300));
    let all = |world: &World| ["Share", "Slow", "Both", "Top"].map(|name| alarm(world, name));
    assert_eq!(all(&world), [Some(0.0); 4]);
    world.reserve("Page", Value::Number(0));
    world.run_until(at(600));
    // Nothing runs any more, so nothing is slow, and after a while nobody knows.
    assert_eq!(all(&world), [Some(1.0), None, Some(1.0), Some(1.0)]);
    let found = lines(
        &watched("  Odd: { Type: AWS::CloudWatch::CompositeAlarm, Properties: { AlarmRule: ALARM(Odd) } }\n"),
        BUSY,
    );
    assert!(found.contains("the alarm `Odd`, which is not modelled"), "{found}");
}

#[test]
fn what_cloudwatch_refuses_is_an_error_and_a_silent_alarm_a_warning() {
    let by = "Namespace: AWS/Lambda, MetricName: Errors, Dimensions: [ { Name: FunctionName, Value: !Ref Work } ]";
    let rest = "Threshold: 0, ComparisonOperator: GreaterThanThreshold";
    for (properties, says) in [
        (format!("{by}, Statistic: Sum, Period: 45, EvaluationPeriods: 1, {rest}"), "10, 20, 30 and multiples of 60"),
        (format!("{by}, Statistic: Sum, Period: 60, EvaluationPeriods: 1441, {rest}"), "at most 86400 s"),
        (format!("{by}, Statistic: Sum, Period: 60, EvaluationPeriods: 2, DatapointsToAlarm: 3, {rest}"), "1 to 2"),
        (
            format!("{by}, Statistic: p99, Period: 60, EvaluationPeriods: 1, {rest}"),
            "percentiles are `ExtendedStatistic`",
        ),
        (format!("{by}, Period: 60, EvaluationPeriods: 1, {rest}"), "has no statistic"),
        (format!("{by}, Statistic: Sum, EvaluationPeriods: 1, {rest}"), "has no `Period`"),
        (format!("{by}, Statistic: Sum, Period: 60, {rest}"), "has no `EvaluationPeriods`"),
        (
            format!("{by}, Statistic: Sum, Period: 60, EvaluationPeriods: 1, Threshold: 0, ComparisonOperator: Above"),
            "unknown comparison `Above`",
        ),
    ] {
        let template = watched(&format!("  A: {{ Type: AWS::CloudWatch::Alarm, Properties: {{ {properties} }} }}\n"));
        let (app, findings) = read(&template, BUSY);
        let found = findings.render(Style::Plain);
        assert!(found.contains(says) && app.is_none(), "{properties}: {found}");
    }
    let quiet = format!(
        "  A: {{ Type: AWS::CloudWatch::Alarm, Properties: {{ {by}, Statistic: Sum, Period: 60, EvaluationPeriods: 1, {rest}, \
         ActionsEnabled: false }} }}\n"
    );
    let found = lines(&watched(&quiet), BUSY);
    assert!(found.contains("its actions are disabled"), "{found}");
}

#[test]
fn a_world_of_all_this_goes_on_as_its_clone() {
    let mut world = world(&watched(""), BUSY);
    world.run_until(at(100));
    let mut twin = world.clone();
    for one in [&mut world, &mut twin] {
        assert_eq!(one.next(at(400)), None);
    }
    assert!(format!("{world:?}") == format!("{twin:?}"));
}
