//! Reports say what happened: each test is an example of a kind of report that did not.

use crate::kinds::{Project, function};

/// Two functions, of which the first calls the second, and a queue.
fn two() -> Project {
    let template = "  Store: { Type: AWS::Serverless::SimpleTable }\n".to_owned()
        + &function(
            "First",
            ", Timeout: 10, Policies: [ AWSLambdaRole, { DynamoDBCrudPolicy: { TableName: !Ref Store } } ]",
        )
        + &function("Second", "")
        + "  Fails: { Type: AWS::CloudWatch::Alarm, Properties: { Namespace: AWS/Lambda, MetricName: Errors, \
           Dimensions: [ { Name: FunctionName, Value: !Ref First } ], Statistic: Sum, Period: 60, EvaluationPeriods: 1, \
           Threshold: 20, ComparisonOperator: GreaterThanThreshold, TreatMissingData: notBreaching } }\n";
    let traffic = "traffic: [ { to: { function: First }, rate: 3/s } ]\nfunctions: { First: { errors: 1 %, \
         calls: [ { function: Second }, { table: Store } ] } }\n";
    Project::of(&template, traffic)
}

const TARGETS: &str = "targets: { first: { function: First }, second: { function: Second }, store: { table: Store } }\nbaseline: 7m\n\
     recovers_within: 5m\n";
/// A permission that no handler uses.
const UNUSED: &str = "inject: { iam.deny: { target: first, actions: [ 'dynamodb:Query' ], resources: [ store ] } }";

/// Signals with data in every window are neither held nor without data in a run whose fault had no effect, and the first
/// thing that is said is that.
#[test]
fn a_fault_without_effect_is_the_reason() {
    let project = two();
    let experiment = format!(
        "{TARGETS}hypotheses: [ failed share of First is at most 5 %, errors of First are at most 50, \
         invocations of First keep coming ]\nfaults: [ {{ {UNUSED}, for: 10m }} ]\n"
    );
    let said = project.run(&experiment, 1);
    assert_eq!(said.exit, Some(5), "{}", said.text);
    let report = project.report();
    let headline = report.lines().nth(2).unwrap_or_default();
    assert!(headline.starts_with("iam.deny was not seen to take effect."), "{headline}");
    for wrong in ["held", "too few", "no data", "not seen yet"] {
        assert!(!report.contains(wrong), "`{wrong}` is in: {report}");
    }
    assert_eq!(
        report.matches("not judged: no fault was seen to take effect in any of its windows").count(),
        3,
        "{report}"
    );
    // What must not be missing is shown at its lowest.
    let row = report.lines().find(|line| line.contains("keep coming") && line.starts_with('|')).unwrap_or_default();
    let number = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>().parse::<u32>().unwrap_or(0);
    let columns: Vec<&str> = row.split('|').collect();
    let lowest = |column: &&&str| column.contains(" to ");
    let least = columns.iter().filter(lowest).filter_map(|range| range.split(" to ").next()).map(number).min();
    let shown = columns.iter().find_map(|column| column.split("lowest ").nth(1)).map(number);
    assert_eq!(shown, least, "{row}");
}

/// What another fault breaks is no proof of one that breaks nothing.
#[test]
fn the_failures_of_another_fault_are_no_proof() {
    let project = two();
    let experiment = format!(
        "{TARGETS}hypotheses: [ {{ signal: failed share of First is at most 5 %, during_fault: may_break }} ]\nfaults:\n\
         \x20 - {{ inject: {{ lambda.throttle: {{ target: second, concurrency: 0 }} }}, for: 12m }}\n\
         \x20 - {{ {UNUSED}, at: 2m, for: 10m }}\n"
    );
    let said = project.run(&experiment, 1);
    assert_eq!(said.exit, Some(5), "{}", said.text);
    assert!(said.text.contains("lambda.throttle in effect since"), "{}", said.text);
    assert!(said.text.contains("iam.deny: no evidence of an effect"), "{}", said.text);
    assert!(!said.text.contains("iam.deny in effect"), "{}", said.text);
}

/// An alarm is in ALARM, and is not 1.
#[test]
fn a_broken_alarm_is_in_alarm() {
    let project = two();
    let experiment = format!(
        "{TARGETS}hypotheses: [ alarm Fails stays quiet ]\n\
         faults: [ {{ inject: {{ lambda.throttle: {{ target: second, concurrency: 0 }} }}, for: 10m }} ]\n"
    );
    let said = project.run(&experiment, 1);
    assert_eq!(said.exit, Some(4), "{}", said.text);
    let report = project.report();
    assert!(report.contains("it was in ALARM at +"), "{report}");
    assert!(!report.contains("it was 1 at"), "{report}");
}

/// Who repeats a run until it holds has shown less than one run shows, so a repeated run says how often and how it ended.
#[test]
fn a_file_that_was_run_before_says_how_often_and_how() {
    let project = two();
    let experiment =
        format!("{TARGETS}hypotheses: [ failed share of First is at most 5 % ]\nfaults: [ {{ {UNUSED}, for: 8m }} ]\n");
    let first = project.run(&experiment, 1);
    assert!(!first.text.contains("was run"), "{}", first.text);
    let again = project.again();
    assert!(again.text.contains("this file was run once before: 1 unknown"), "{}", again.text);
    let third = project.again();
    assert!(third.text.contains("this file was run 2 times before: 2 unknown"), "{}", third.text);
}
