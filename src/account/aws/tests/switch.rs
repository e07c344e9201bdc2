//! Step Functions: what is deployed of the dead-man switch, and its executions.

use super::*;
use crate::account::switch::{
    Acted, Deployed, Deployment, Order, OrderedChange, OrderedResource, SwitchState, in_input, place,
};
use crate::deadman::Reach;
use crate::deadman::branch::Branch;
use crate::deadman::machine::Definition;

const DESCRIBE: &str = "DescribeStateMachine";

fn definition(with_variables: bool) -> String {
    let place = place(&prod().location()).unwrap();
    let branches: Vec<Branch> =
        Setting::branches().into_iter().filter(|branch| with_variables || !branch.reads_variables).collect();
    let reach = Reach::from([(in_input(&pay()), Setting::lock_parameter(&pay()))]);
    Definition { place: &place, branches: &branches, reach: &reach }.to_json().to_string()
}

fn machine(definition: &str, more: Json) -> Recording {
    let mut found = json!({
        "stateMachineArn": "arn", "name": "squall-dead-man", "status": "ACTIVE", "type": "STANDARD",
        "definition": definition, "roleArn": "arn:aws:iam::111122223333:role/squall-dead-man-eu-west-1",
        "creationDate": 1_700_000_000
    });
    found.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fine(found)
}

fn find(tape: &Tape) -> Outcome {
    tape.account().ask(Call::FindSwitch { location: prod().location() })
}

fn is(deployment: Deployment) -> Outcome {
    Ok(Reply::Deployment(deployment))
}

fn ready(reads_variables: bool) -> Outcome {
    is(Deployment::Ready(Deployed { reach: Some(["function pay".to_owned()].into()), reads_variables }))
}

#[test]
fn only_what_is_printed_is_current() {
    let tape = Tape::new();
    tape.on(DESCRIBE, [machine(&definition(false), json!({}))]);
    assert_eq!(find(&tape), ready(false));
    assert!(tape.body(DESCRIBE).contains("arn:aws:states:eu-west-1:111122223333:stateMachine:squall-dead-man"));
    for (was, becomes) in [("$lock = 'ours'", "true"), ("\"Seconds\":10,", "\"Seconds\":1,")] {
        let edited = definition(false).replace(was, becomes);
        assert_ne!(edited, definition(false));
        tape.on(DESCRIBE, [machine(&edited, json!({}))]);
        assert_eq!(find(&tape), is(Deployment::Differs), "{becomes}");
    }
    for more in [json!({ "type": "EXPRESS" }), json!({ "status": "DELETING" })] {
        tape.on(DESCRIBE, [machine(&definition(false), more)]);
        assert_eq!(find(&tape), is(Deployment::Differs));
    }
    tape.on(DESCRIBE, [error(DESCRIBE, 400, "StateMachineDoesNotExist", "none")]);
    assert_eq!(find(&tape), is(Deployment::Missing));
    tape.on(DESCRIBE, [error(DESCRIBE, 400, "AccessDeniedException", "no")]);
    let (by, message) = refused(find(&tape));
    assert!(by == RefusedBy::Permission && message.contains(r#""Action":"states:DescribeStateMachine""#), "{message}");
}

#[test]
fn variables_are_read_only_under_a_key_of_its_own() {
    let tape = Tape::new();
    tape.on(DESCRIBE, [machine(&definition(true), json!({}))]);
    assert_eq!(find(&tape), is(Deployment::Differs));
    let key = json!({ "encryptionConfiguration": { "type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k" } });
    tape.on(DESCRIBE, [machine(&definition(true), key)]);
    assert_eq!(find(&tape), ready(true));
}

fn order() -> Order {
    let change =
        OrderedChange { setting: concurrency(), before: Value::Unset, after: Value::Number(0), whole_before: None };
    Order {
        location: prod().location(),
        name: "run-1.1".into(),
        run: RunId("run-1".into()),
        until: "2026-03-02T10:00:00Z".parse().unwrap(),
        resources: vec![OrderedResource { resource: pay(), unlocks: true, changes: vec![change] }],
    }
}

#[test]
fn an_order_is_started_once_under_its_name() {
    let tape = Tape::new();
    tape.on("StartExecution", [fine(json!({ "executionArn": "arn", "startDate": 1_700_000_000 }))]);
    tape.on(
        HISTORY,
        [history(&["ExecutionStarted"]), history(&["ExecutionStarted", "PassStateEntered", "WaitStateEntered"])],
    );
    assert_eq!(tape.account().ask(Call::Arm(order())), Ok(Reply::Done));
    let sent: Json = serde_json::from_str(&tape.body("StartExecution")).unwrap();
    assert_eq!(sent["name"], "run-1.1");
    assert_eq!(serde_json::from_str::<Json>(sent["input"].as_str().unwrap()).unwrap(), order().input().unwrap());
    // Nobody knows whether it began: the machine starts it again, under the same name.
    tape.on("StartExecution", [Recording::Lost]);
    assert!(matches!(tape.account().ask(Call::Arm(order())), Err(CallError::Unknown(_))));
    tape.on("StartExecution", [error("StartExecution", 400, "ExecutionAlreadyExists", "it is over")]);
    assert_eq!(refused(tape.account().ask(Call::Arm(order()))).0, RefusedBy::Invalid);
}

const HISTORY: &str = "GetExecutionHistory";

fn history(events: &[&str]) -> Recording {
    let event = |(id, kind): (usize, &&str)| json!({ "id": id + 1, "timestamp": 1_700_000_000, "type": kind });
    fine(json!({ "events": events.iter().enumerate().map(event).collect::<Vec<_>>() }))
}

/// Started is not armed: a definition that cannot be evaluated fails at its first state.
#[test]
fn an_execution_that_ends_at_once_is_not_armed() {
    let tape = Tape::new();
    for end in ["ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"] {
        tape.on("StartExecution", [fine(json!({ "executionArn": "arn", "startDate": 1_700_000_000 }))]);
        tape.on(HISTORY, [history(&["ExecutionStarted", "ChoiceStateEntered", end])]);
        let (by, message) = refused(tape.account().ask(Call::Arm(order())));
        assert!(by == RefusedBy::Invalid && message.contains("ended at once"), "{message}");
    }
    assert!(tape.body(HISTORY).contains("execution:squall-dead-man:run-1.1"));
    assert!(tape.body(HISTORY).contains(r#""includeExecutionData":false"#), "{}", tape.body(HISTORY));
    // One that is never seen to wait may yet do so: it is tried again, under the same name.
    tape.on("StartExecution", [fine(json!({ "executionArn": "arn", "startDate": 1_700_000_000 }))]);
    tape.on(HISTORY, [history(&["ExecutionStarted"])]);
    assert!(matches!(tape.account().ask(Call::Arm(order())), Err(CallError::Unknown(_))));
    tape.on("StartExecution", [fine(json!({ "executionArn": "arn", "startDate": 1_700_000_000 }))]);
    tape.on(HISTORY, [error(HISTORY, 400, "AccessDeniedException", "no")]);
    let (by, message) = refused(tape.account().ask(Call::Arm(order())));
    assert!(by == RefusedBy::Permission && message.contains("states:GetExecutionHistory"), "{message}");
}

fn execution(status: &str, more: Json) -> Recording {
    let mut found = json!({
        "executionArn": "arn", "stateMachineArn": "arn", "name": "run-1.1", "status": status, "startDate": 1_700_000_000
    });
    found.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fine(found)
}

#[test]
fn what_became_of_an_execution_is_told() {
    let tape = Tape::new();
    tape.on("StopExecution", [fine(json!({ "stopDate": 1_700_000_000 }))]);
    let output = r#"{"run":"run-1","resources":[{"resource":"function pay","ends":"restored","told":true}]}"#;
    let acted = Acted { resource: "function pay".into(), ends: vec!["restored".into()] };
    let cases = [
        (execution("ABORTED", json!({})), SwitchState::Stopped),
        (execution("RUNNING", json!({})), SwitchState::Armed),
        (execution("SUCCEEDED", json!({ "output": output })), SwitchState::Acted(vec![acted])),
        (execution("FAILED", json!({ "cause": "[]" })), SwitchState::Failed("FAILED: []".into())),
        (execution("TIMED_OUT", json!({})), SwitchState::Failed("TIMED_OUT".into())),
    ];
    let stop = || Call::Disarm { location: prod().location(), name: "run-1.1".into() };
    for (recorded, state) in cases {
        tape.on("DescribeExecution", [recorded]);
        assert_eq!(tape.account().ask(stop()), Ok(Reply::Switch(state)));
    }
    assert!(tape.body("StopExecution").contains("execution:squall-dead-man:run-1.1"));
    tape.on("StopExecution", [error("StopExecution", 400, "ExecutionDoesNotExist", "none")]);
    assert_eq!(tape.account().ask(stop()), Ok(Reply::Switch(SwitchState::Missing)));
    tape.on("StopExecution", [error("StopExecution", 400, "ThrottlingException", "slow")]);
    assert_eq!(tape.account().ask(stop()), Err(CallError::Throttled));
}
