//! Access denied, for each action.

use super::*;
use crate::account::kind;

/// Each call with the operation that is denied, what must be answered before, and the action that is missing.
fn denials() -> Vec<(Call, &'static str, &'static str)> {
    let queue = || resource(ResourceKind::Queue, "orders");
    let describe = |kind, name: &str| Call::Describe { resource: resource(kind, name) };
    let handle = || Handle("h".into());
    let marker = RunMarker { run: RunId("run-1".into()), number: 1 };
    let message = Message { marker, body: "x".into(), group: None };
    // Counts and states are of now, when the clock of a tape starts.
    let account = prod().location();
    let minute = Window { from: window().to + Span::from_secs(60), to: window().to + Span::from_secs(120) };
    let measure =
        |metric, kind| Call::Measure { query: Query { metric, resource: resource(kind, "x") }, window: minute };
    let tagged = |kind| Call::Resolve {
        location: account.clone(),
        selector: Selector { kind, by: SelectBy::Tag { key: "team".into(), value: "a".into() } },
    };
    let stack = Call::Resolve {
        location: account.clone(),
        selector: Selector { kind: ResourceKind::Queue, by: SelectBy::Stack("shop".into()) },
    };
    let probe = Call::Measure {
        query: Query {
            metric: Metric::Value { settles: Span::from_secs(30) },
            resource: resource(ResourceKind::Probe, "errors"),
        },
        window: minute,
    };
    vec![
        (describe(ResourceKind::Function, "pay"), SETTINGS, "lambda:GetAccountSettings"),
        (describe(ResourceKind::Function, "pay"), MAPPINGS, "lambda:ListEventSourceMappings"),
        (describe(ResourceKind::Function, "pay"), ALIASES, "lambda:ListAliases"),
        (describe(ResourceKind::Role, "worker"), FUNCTIONS, "lambda:ListFunctions"),
        (describe(ResourceKind::Role, "worker"), "GetRole", "iam:GetRole"),
        (describe(ResourceKind::Role, "worker"), "ListRolePolicies", "iam:ListRolePolicies"),
        (Call::ListLocks { location: account.clone() }, "GetParametersByPath", "ssm:GetParametersByPath"),
        (Call::FindSwitch { location: account.clone() }, "DescribeStateMachine", "states:DescribeStateMachine"),
        (Call::Disarm { location: account.clone(), name: "run-1.1".into() }, "StopExecution", "states:StopExecution"),
        (Call::Renew { resource: pay(), at: Time::EPOCH }, "AddTagsToResource", "ssm:AddTagsToResource"),
        (Call::Halted { location: account.clone() }, "GET /safetyLevers/default", "fis:GetSafetyLever"),
        (describe(ResourceKind::Queue, "orders"), "GetQueueUrl", "sqs:GetQueueUrl"),
        (describe(ResourceKind::Queue, "orders"), "GetQueueAttributes", "sqs:GetQueueAttributes"),
        (describe(ResourceKind::Queue, "orders"), "ListMessageMoveTasks", "sqs:ListMessageMoveTasks"),
        (Call::Send { queue: queue(), messages: vec![message] }, "SendMessageBatch", "sqs:SendMessage"),
        (Call::Receive { queue: queue(), hide: Span::ZERO }, "ReceiveMessage", "sqs:ReceiveMessage"),
        (Call::DeleteMessage { queue: queue(), handle: handle() }, "DeleteMessage", "sqs:DeleteMessage"),
        (
            Call::ReleaseMessage { queue: queue(), handle: handle() },
            "ChangeMessageVisibility",
            "sqs:ChangeMessageVisibility",
        ),
        (measure(Metric::Throttles, ResourceKind::Function), "GetMetricData", "cloudwatch:GetMetricData"),
        (measure(Metric::AlarmState, ResourceKind::Alarm), "DescribeAlarms", "cloudwatch:DescribeAlarms"),
        (measure(Metric::Depth, ResourceKind::Queue), "GetQueueAttributes", "sqs:GetQueueAttributes"),
        (describe(ResourceKind::Table, "orders"), "DescribeTable", "dynamodb:DescribeTable"),
        (describe(ResourceKind::Topic, "orders"), "GetTopicAttributes", "sns:GetTopicAttributes"),
        (describe(ResourceKind::Api, "orders"), "ListMetrics", "cloudwatch:ListMetrics"),
        (describe(ResourceKind::Api, "orders"), "GetResources", "tag:GetResources"),
        (tagged(ResourceKind::Function), "GetResources", "tag:GetResources"),
        (tagged(ResourceKind::Role), "GetAccountAuthorizationDetails", "iam:GetAccountAuthorizationDetails"),
        (stack, "ListStackResources", "cloudformation:ListStackResources"),
        (probe.clone(), "StartQuery", "logs:StartQuery"),
        (probe, "GetQueryResults", "logs:GetQueryResults"),
    ]
}

/// Reading each setting, writing it and taking it away.
fn denials_of_settings() -> Vec<(Call, &'static str, &'static str)> {
    let on = |kind| resource(kind, if kind == ResourceKind::Function { "pay" } else { "x" });
    let mut denials = Vec::new();
    for kind::Sample { setting, value, whole } in Setting::samples(&on) {
        denials.push((read(setting.clone()), setting.read_actions()[0]));
        let (set, unset) = (setting.write_action(&value), setting.write_action(&Value::Unset));
        let write = |value| Call::Write(Write { setting: setting.clone(), value, whole: whole.clone() });
        denials.push((write(value), set));
        if unset != set {
            denials.push((write(Value::Unset), unset));
        }
    }
    let recorded = |action: &'static str| match action {
        "lambda:GetFunction" => FUNCTION,
        "lambda:PutFunctionConcurrency" => PUT,
        "lambda:DeleteFunctionConcurrency" => DELETE,
        "lambda:UpdateFunctionConfiguration" => UPDATE,
        other => other.split_once(':').unwrap().1,
    };
    denials.into_iter().map(|(call, action)| (call, recorded(action), action)).collect()
}

#[test]
fn a_missing_permission_names_its_action_and_the_statement_that_gives_it() {
    for (call, operation, action) in denials().into_iter().chain(denials_of_settings()) {
        let tape = calm();
        let code = if matches!(operation, "GetRole" | "GetAccountAuthorizationDetails" | "GetTopicAttributes") {
            "AccessDenied"
        } else {
            "AccessDeniedException"
        };
        tape.on(operation, [error(operation, 403, code, "User: x is not authorized to perform this")]);
        let (by, message) = refused(tape.account_of(probes::with_probes()).ask(call.clone()));
        assert_eq!(by, RefusedBy::Permission, "{action}: {message}");
        let statement = format!(r#"{{"Effect":"Allow","Action":"{action}","Resource":""#);
        assert!(message.starts_with(action) && message.contains(&statement), "{action}: {message}");
        assert!(message.contains("assumed-role/squall") && message.contains("req-1"), "{message}");
    }
}

#[test]
fn a_denial_that_a_statement_cannot_lift_says_so() {
    let tape = Tape::new();
    let message = "User: x is not authorized with an explicit deny in a service control policy";
    tape.on(PUT, [error(PUT, 403, "AccessDeniedException", message)]);
    let (_, message) = refused(tape.account().ask(write(concurrency(), Value::Number(0))));
    assert!(message.contains("explicitly: remove that first") && !message.contains("Effect"), "{message}");
}
