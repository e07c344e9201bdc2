use proptest::prelude::*;

use super::app::{Comparison, Destination, Redrive, Values, Watches};
use super::*;
use crate::units::Span;
use crate::yaml::{Code, Style};

mod alarms;
mod generated;
mod hostile;
mod permissions;
mod refused;
mod serverless;
mod table;
mod unknown;

fn deployment() -> Deployment {
    Deployment { stack: "s".into(), ..Deployment::default() }
}

fn read_text(text: &str) -> (Option<App>, Findings) {
    read(&Source::new("t.yaml", text), &deployment())
}

/// The application of a template without findings.
fn app(text: &str) -> App {
    let (app, findings) = read_text(text);
    assert!(findings.is_empty(), "{}", findings.render(Style::Plain));
    app.unwrap()
}

/// The application of a template without errors, and its warnings.
fn app_and_warnings(text: &str) -> (App, String) {
    let (app, findings) = read_text(text);
    assert!(!findings.has_errors(), "{}", findings.render(Style::Plain));
    (app.unwrap(), lines(&findings))
}

/// What is wrong in a template, which must be something that AWS refuses.
fn refused(text: &str) -> String {
    let (app, findings) = read_text(text);
    assert!(app.is_none() && findings.has_errors(), "{}", findings.render(Style::Plain));
    lines(&findings)
}

fn lines(findings: &Findings) -> String {
    findings.iter().map(|finding| format!("{} {finding}\n", finding.code.id())).collect()
}

/// The beginning of a SAM template with a queue and a table; resources follow.
const SAM: &str = "
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Globals: { Function: { Runtime: python3.13, Handler: a.b, CodeUri: code/ } }
Resources:
  Jobs: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: 60 } }
  T: { Type: AWS::Serverless::SimpleTable }
";

#[test]
fn functions_in_short_and_long_form_mean_the_same() {
    for (arn, url) in [
        ("!GetAtt Dead.Arn", "!Ref Q"),
        ("{Fn::GetAtt: [Dead, Arn]}", "{Ref: Q}"),
        ("!GetAtt [Dead, Arn]", "!GetAtt Q.QueueUrl"),
        ("!Sub '${Dead.Arn}'", "!Sub ['${Url}', {Url: !Ref Q}]"),
        (
            "!Sub 'arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:s-dead'",
            "!Sub 'https://sqs.${AWS::Region}.amazonaws.com/${AWS::AccountId}/Q'",
        ),
        (
            "!Join [':', [arn, !Ref AWS::Partition, sqs, !Ref AWS::Region, !Ref 'AWS::AccountId', s-dead]]",
            "!Select [0, !Split [',', !Sub '${Q},other']]",
        ),
        ("!If [Yes, !GetAtt Dead.Arn, !Ref AWS::NoValue]", "!If [No, nowhere, !Ref Q]"),
    ] {
        let app = app(&format!(
            "
Parameters: {{ Stage: {{ Type: String, Default: live }} }}
Conditions:
  Yes: !And [!Equals [!Ref Stage, live], !Not [!Condition No]]
  No: {{ Fn::Or: [{{ Fn::Equals: [a, b] }}, {{ Fn::Equals: [a, c] }}] }}
Resources:
  Q: {{ Type: AWS::SQS::Queue, Properties: {{ RedrivePolicy: {{ deadLetterTargetArn: {arn}, maxReceiveCount: '3' }} }} }}
  Dead: {{ Type: AWS::SQS::Queue, Properties: {{ QueueName: !Sub '${{AWS::StackName}}-dead' }} }}
  F:
    Type: AWS::Serverless::Function
    Properties: {{ Environment: {{ Variables: {{ URL: {url} }} }} }}
"
        ));
        let redrive = Redrive { dead_letter: "s-dead".into(), max_receive_count: 3 };
        assert_eq!(app.queues["Q"].redrive, Some(redrive), "{arn}");
        let url = &app.functions["F"].environment["URL"];
        assert_eq!(url, "https://sqs.eu-west-1.amazonaws.com/000000000000/Q");
    }
}

#[test]
fn sam_adds_globals_roles_apis_and_policies() {
    let app = app("
Globals:
  Function: { Timeout: 7, Environment: { Variables: { A: global, B: global } }, Tags: { app: x } }
Resources:
  T: { Type: AWS::Serverless::SimpleTable }
  Q: { Type: AWS::SQS::Queue }
  F:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Environment: { Variables: { B: own } }
      Policies:
        - AmazonSQSReadOnlyAccess
        - DynamoDBWritePolicy: { TableName: !Ref T }
        - Statement: [{ Effect: Allow, Action: 'sqs:*', Resource: '*' }]
      Events:
        Get: { Type: HttpApi, Properties: { Path: /x, Method: get } }
        All: { Type: Api, Properties: { Path: /y, Method: any } }
        Work: { Type: SQS, Properties: { Queue: !GetAtt Q.Arn, Enabled: False, ScalingConfig: { MaximumConcurrency: 5 } } }
");
    let function = &app.functions["F"];
    assert_eq!((function.timeout, function.role.as_str()), (Span::from_secs(7), "FRole"));
    assert_eq!(function.environment["A"], "global");
    assert_eq!(function.environment["B"], "own");
    assert_eq!(app.tags["F"]["app"], "x");
    assert_eq!(app.apis["ServerlessHttpApi"].routes["GET /x"], "F");
    assert_eq!(app.apis["ServerlessHttpApi"].timeout, Span::from_secs(30));
    assert_eq!(app.apis["ServerlessRestApi"].routes["ANY /y"], "F");
    let mapping = &app.mappings["FWork"];
    assert_eq!((mapping.maximum_concurrency, mapping.enabled), (Some(5), false));
    let role = &app.roles["FRole"];
    assert_eq!(role.managed.len(), 3, "{:?}", role.managed);
    assert_eq!(role.inline.len(), 2);
    assert!(role.inline["FRolePolicy1"].contains("table/T"), "{:?}", role.inline);
}

#[test]
fn plain_cloudformation_is_read_too() {
    let app = app(r#"{"Resources": {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r"}},
        "Allow": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "p", "Roles": [{"Ref": "Role"}],
            "PolicyDocument": {"Statement": {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}}}},
        "May": {"Type": "AWS::Lambda::Permission", "Properties":
            {"Action": "lambda:InvokeFunction", "FunctionName": {"Ref": "F"}, "Principal": "sns.amazonaws.com"}},
        "F": {"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Timeout": 5}},
        "Q": {"Type": "AWS::SQS::Queue"},
        "M": {"Type": "AWS::Lambda::EventSourceMapping", "Properties":
            {"EventSourceArn": {"Fn::GetAtt": ["Q", "Arn"]}, "FunctionName": {"Ref": "F"}, "BatchSize": 5}},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties":
            {"Subscription": [{"Protocol": "lambda", "Endpoint": {"Fn::GetAtt": ["F", "Arn"]}}]}},
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties":
            {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
             "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2}}},
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {
            "Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible", "Statistic": "Maximum",
            "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["Q", "QueueName"]}}],
            "Period": 60, "EvaluationPeriods": 3, "Threshold": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold"}}
    }}"#);
    assert_eq!(app.functions["F"].role, "r");
    assert!(app.roles["r"].inline.contains_key("p"));
    assert_eq!(app.mappings["M"].batch_size, 5);
    assert_eq!(app.topics["Topic"].to_functions, ["F"]);
    assert_eq!(app.tables["Table"].writes_per_second, Some(2));
    let Watches::Threshold(alarm) = &app.alarms["Alarm"].watches else { panic!() };
    let Values::Metric(metric) = &alarm.values else { panic!() };
    assert_eq!((metric.dimensions["QueueName"].as_str(), alarm.datapoints_to_alarm), ("Q", 3));
    assert_eq!(alarm.comparison, Comparison::GreaterOrEqual);
}

#[test]
fn what_the_model_leaves_out_is_a_warning() {
    let (app, findings) = read_text(
        "
Parameters: { Key: { Type: String } }
Resources:
  Bus: { Type: AWS::Events::EventBus, Properties: { Name: b } }
  F:
    Type: AWS::Serverless::Function
    Properties:
      SnapStart: { ApplyOn: PublishedVersions }
      Environment: { Variables: { KEY: !Ref Key, OTHER: !ImportValue other } }
      Policies: [{ S3ReadPolicy: { BucketName: b } }]
      Events:
        Tick: { Type: Schedule, Properties: { Schedule: rate(1 minute) } }
        Far: { Type: SQS, Properties: { Queue: 'arn:aws:sqs:eu-west-1:111122223333:far' } }
",
    );
    assert!(app.is_some());
    insta::assert_snapshot!(lines(&findings));
}

#[test]
fn what_the_services_would_refuse_is_an_error() {
    let (app, findings) = read_text(
        "
Resources:
  Q:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 90000
      DelaySeconds: soon
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Ded.Arn, maxReceiveCount: 0 }
      Tags: { app: shop }
  Dead: { Type: AWS::SQS::Queue, Properties: [] }
  F: { Type: AWS::Serverless::Function, Properties: { Timeout: 1.5, Environment: { Variables: [] } } }
  M: { Type: AWS::Lambda::EventSourceMapping, Properties: { FunctionName: !Ref F, BatchSize: 100 } }
  X: { Properties: {} }
  A: { Type: AWS::CloudWatch::Alarm, Condition: Missing }
",
    );
    assert!(app.is_none());
    insta::assert_snapshot!(lines(&findings));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000 * crate::effort::effort()))]

    /// Words of a template in any order and nesting.
    #[test]
    fn no_tree_panics(words in proptest::collection::vec(prop_oneof![
        Just("Resources"), Just("Type: "), Just("AWS::SQS::Queue"), Just("AWS::Serverless::Function"), Just("Properties"),
        Just("Events"), Just("Policies"), Just("!Ref "), Just("!Sub "), Just("!GetAtt "), Just("!If "), Just("Fn::Join"),
        Just("[a, b]"), Just("{a: b}"), Just(": "), Just("\n  "), Just("\n    "), Just("\n- "), Just("X"), Just("X.Arn"),
        Just("Conditions"), Just("Globals"), Just("Function"), Just("Environment"), Just("1"), Just("'${X}'"), Just("Role"),
    ], 0..60)) {
        let (app, findings) = read_text(&words.concat());
        prop_assert_eq!(app.is_none(), findings.has_errors());
    }
}
