//! What no emulator does: throttling, failures after the write, lost replies, slow updates, refusals of every kind.

mod tape;

use serde_json::{Value as Json, json};
use tape::{ACCOUNT, Reply as Recording, Tape, cbor, error, fine, identity, xml};

use super::AccountConfig;
use crate::account::setting::Value;
use crate::account::target::SelectBy;
use crate::account::{
    AccountName, Call, CallError, Description, Handle, Message, Metric, Observed, Outcome, Query, RefusedBy, Reply,
    Resource, ResourceKind, RunMarker, Sample, Selector, SendOutcome, Setting, Window, Write,
};
use crate::env::Env as _;
use crate::run::RunId;
use crate::units::{Span, Time};

const FUNCTION: &str = "GET /2015-03-31/functions/pay";
const PUT: &str = "PUT /2017-10-31/functions/pay/concurrency";
const DELETE: &str = "DELETE /2017-10-31/functions/pay/concurrency";
const UPDATE: &str = "PUT /2015-03-31/functions/pay/configuration";
const ALIASES: &str = "GET /2015-03-31/functions/pay/aliases";
const FUNCTIONS: &str = "GET /2015-03-31/functions";
const MAPPINGS: &str = "GET /2015-03-31/event-source-mappings";
const SETTINGS: &str = "GET /2016-08-19/account-settings";

fn resource(kind: ResourceKind, name: &str) -> Resource {
    Resource::new(&AccountName("prod".into()), kind, name)
}

fn pay() -> Resource {
    resource(ResourceKind::Function, "pay")
}

fn concurrency() -> Setting {
    Setting::ReservedConcurrency { function: pay() }
}

fn policy() -> Setting {
    Setting::RolePolicy { role: resource(ResourceKind::Role, "worker"), policy: "squall-run-1".into() }
}

fn flag() -> Setting {
    Setting::FaultFlag { parameter: resource(ResourceKind::Parameter, "/shop/faults"), key: "latency".into() }
}

fn variables() -> Setting {
    Setting::Variables { function: pay(), prefix: "CHAOS_".into() }
}

fn mark() -> Setting {
    Setting::Mark { resource: pay() }
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn write(setting: Setting, value: Value) -> Call {
    Call::Write(Write { setting, value, whole: Some("{}".into()) })
}

fn read(setting: Setting) -> Call {
    Call::Read { setting }
}

fn function(more: Json) -> Recording {
    let mut configuration = json!({
        "FunctionName": "pay", "FunctionArn": format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:function:pay"),
        "Role": format!("arn:aws:iam::{ACCOUNT}:role/team/worker"), "Runtime": "nodejs22.x", "Timeout": 20,
        "RevisionId": "r1", "LastUpdateStatus": "Successful", "State": "Active",
    });
    configuration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fine(json!({ "Configuration": configuration, "Concurrency": { "ReservedConcurrentExecutions": 5 } }))
}

fn parameter(text: &str) -> Recording {
    fine(json!({ "Parameter": { "Name": "/shop/faults", "Type": "String", "Value": text, "Version": 3 } }))
}

fn refused(outcome: Outcome) -> (RefusedBy, String) {
    match outcome {
        Err(CallError::Refused { by, message }) => (by, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_accounts_credentials_are_refused_before_anything_is_asked() {
    let tape = Tape::new();
    tape.on("GetCallerIdentity", [identity("999999999999")]).on(PUT, [fine(json!({}))]);
    let (by, message) = refused(tape.account().ask(write(concurrency(), Value::Number(0))));
    assert_eq!(by, RefusedBy::Invalid);
    assert!(message.contains(ACCOUNT) && message.contains("999999999999"), "{message}");
    assert_eq!(tape.asked(), Vec::<String>::new());
}

#[test]
fn who_is_asked_once_and_known_with_its_role() {
    let tape = Tape::new();
    tape.on(FUNCTION, [function(json!({}))]);
    let account = tape.account();
    let who = account.ask(Call::Identify { account: AccountName("prod".into()) });
    let Ok(Reply::Identity(who)) = who else { panic!("{who:?}") };
    assert_eq!((who.account_id.as_str(), who.roles.as_slice()), (ACCOUNT, ["squall".to_owned()].as_slice()));
    tape.on("GetCallerIdentity", []);
    assert_eq!(account.ask(read(concurrency())), Ok(Reply::Observed(Observed::plain(Value::Number(5)))));
}

#[test]
fn a_role_is_assumed_with_external_id_and_session_and_both_roles_are_known() {
    let tape = Tape::new();
    let assumed = "<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser><Arn>arn:aws:sts::111122223333:assumed-role/chaos/s\
                   </Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser><Credentials><AccessKeyId>A</AccessKeyId>\
                   <SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>\
                   <Expiration>2099-03-02T10:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
    tape.on("AssumeRole", [xml(assumed)]);
    let role = format!("arn:aws:iam::{ACCOUNT}:role/ops/chaos");
    let account = tape.account_of(AccountConfig {
        role: Some(role),
        external_id: Some("secret-handshake".into()),
        session_name: Some("friday".into()),
        ..AccountConfig::new("prod", ACCOUNT, "eu-west-1")
    });
    let who = account.ask(Call::Identify { account: AccountName("prod".into()) });
    let Ok(Reply::Identity(who)) = who else { panic!("{who:?}") };
    assert_eq!(who.roles, ["chaos", "squall"]);
    let body = tape.body("AssumeRole");
    assert!(body.contains("ExternalId=secret-handshake") && body.contains("RoleSessionName=friday"), "{body}");
}

#[test]
fn a_read_is_tried_again_while_its_failure_may_pass() {
    for passing in [
        error(FUNCTION, 429, "TooManyRequestsException", "Rate exceeded"),
        error(FUNCTION, 503, "ServiceException", "try again"),
        Recording::Lost,
        Recording::TimedOut,
    ] {
        let tape = Tape::new();
        tape.on(FUNCTION, [passing.clone(), passing.clone(), function(json!({}))]);
        let account = tape.account();
        assert!(account.ask(read(concurrency())).is_ok());
        assert_eq!(tape.asked().len(), 3);
        assert!(account.clock.monotonic() > Span::from_millis(500), "with pauses");
        tape.on(FUNCTION, [passing]);
        assert!(matches!(account.ask(read(concurrency())), Err(CallError::Throttled | CallError::Unknown(_))));
        assert_eq!(tape.asked().len(), 3 + 4, "and given up");
    }
}

#[test]
fn a_write_goes_out_once_whatever_comes_back() {
    let unknown = |outcome: &Outcome| matches!(outcome, Err(CallError::Unknown(_)));
    let throttled = |outcome: &Outcome| *outcome == Err(CallError::Throttled);
    type Sorted<'a> = &'a dyn Fn(&Outcome) -> bool;
    let cases: [(Recording, Sorted<'_>); 5] = [
        (error(PUT, 500, "ServiceException", "after the write"), &unknown),
        (error(PUT, 502, "", ""), &unknown),
        (Recording::Lost, &unknown),
        (Recording::TimedOut, &unknown),
        (error(PUT, 429, "TooManyRequestsException", "Rate exceeded"), &throttled),
    ];
    for (reply, sorted) in cases {
        let tape = Tape::new();
        tape.on(PUT, [reply.clone(), fine(json!({}))]);
        let outcome = tape.account().ask(write(concurrency(), Value::Number(0)));
        assert!(sorted(&outcome), "{reply:?}: {outcome:?}");
        assert_eq!(tape.asked(), [PUT], "{reply:?}");
    }
}

#[test]
fn nothing_goes_out_for_a_process_that_slept() {
    let tape = Tape::new();
    tape.on(PUT, [fine(json!({}))]);
    let account = tape.account();
    // Two go out at once, the third waits for its turn.
    let calls = || (0..3).map(|_| write(concurrency(), Value::Number(0)));
    assert_eq!(account.ask_all(calls()), vec![Ok(Reply::Done); 3]);
    account.clock.sleep(Span::from_secs(1));
    // The same, and the clock jumps while the third one waits, as after SIGSTOP and SIGCONT.
    account.clock.jump.store(Span::from_secs(40).micros(), std::sync::atomic::Ordering::SeqCst);
    assert_eq!(account.ask_all(calls()), [Ok(Reply::Done), Ok(Reply::Done), Err(CallError::Throttled)]);
    assert_eq!(tape.asked().len(), 5);
}

#[test]
fn a_reservation_that_leaves_too_little_breaks_a_limit() {
    let tape = Tape::new();
    let message = "Specified ReservedConcurrentExecutions for function decreases account's \
                   UnreservedConcurrentExecution below its minimum value of [50].";
    tape.on(PUT, [error(PUT, 400, "InvalidParameterValueException", message)]);
    let (by, message) = refused(tape.account().ask(write(concurrency(), Value::Number(990))));
    assert_eq!(by, RefusedBy::Limit);
    assert!(message.contains("minimum value of [50]") && message.contains("req-1"), "{message}");
}

#[test]
fn unset_is_written_by_deleting() {
    let tape = Tape::new();
    tape.on(DELETE, [Recording::Answer { status: 204, headers: Vec::new(), body: Vec::new() }]);
    assert_eq!(tape.account().ask(write(concurrency(), Value::Unset)), Ok(Reply::Done));
    assert_eq!(tape.asked(), [DELETE]);
}

/// Each call with the operation that is denied, what must be answered before, and the action that is missing.
fn denials() -> Vec<(Call, &'static str, &'static str)> {
    let queue = || resource(ResourceKind::Queue, "orders");
    let describe = |kind, name: &str| Call::Describe { resource: resource(kind, name) };
    let handle = || Handle("h".into());
    let marker = RunMarker { run: RunId("run-1".into()), number: 1 };
    let message = Message { marker, body: "x".into(), group: None };
    // Counts and states are of now, when the clock of a tape starts.
    let account = AccountName("prod".into());
    let minute = Window { from: window().to + Span::from_secs(60), to: window().to + Span::from_secs(120) };
    let measure =
        |metric, kind| Call::Measure { query: Query { metric, resource: resource(kind, "x") }, window: minute };
    let tagged = |kind| Call::Resolve {
        account: account.clone(),
        selector: Selector { kind, by: SelectBy::Tag { key: "team".into(), value: "a".into() } },
    };
    let stack = Call::Resolve {
        account: account.clone(),
        selector: Selector { kind: ResourceKind::Queue, by: SelectBy::Stack("shop".into()) },
    };
    vec![
        (read(concurrency()), FUNCTION, "lambda:GetFunction"),
        (write(concurrency(), Value::Number(0)), PUT, "lambda:PutFunctionConcurrency"),
        (write(concurrency(), Value::Unset), DELETE, "lambda:DeleteFunctionConcurrency"),
        (write(variables(), Value::Unset), UPDATE, "lambda:UpdateFunctionConfiguration"),
        (describe(ResourceKind::Function, "pay"), SETTINGS, "lambda:GetAccountSettings"),
        (describe(ResourceKind::Function, "pay"), MAPPINGS, "lambda:ListEventSourceMappings"),
        (describe(ResourceKind::Function, "pay"), ALIASES, "lambda:ListAliases"),
        (describe(ResourceKind::Role, "worker"), FUNCTIONS, "lambda:ListFunctions"),
        (describe(ResourceKind::Role, "worker"), "GetRole", "iam:GetRole"),
        (describe(ResourceKind::Role, "worker"), "ListRolePolicies", "iam:ListRolePolicies"),
        (read(policy()), "GetRolePolicy", "iam:GetRolePolicy"),
        (write(policy(), text("{}")), "PutRolePolicy", "iam:PutRolePolicy"),
        (write(policy(), Value::Unset), "DeleteRolePolicy", "iam:DeleteRolePolicy"),
        (read(flag()), "GetParameter", "ssm:GetParameter"),
        (read(mark()), "GetParameter", "ssm:GetParameter"),
        (write(flag(), text("{}")), "PutParameter", "ssm:PutParameter"),
        (write(mark(), text("x")), "PutParameter", "ssm:PutParameter"),
        (write(mark(), Value::Unset), "DeleteParameter", "ssm:DeleteParameter"),
        (Call::ListMarks { account: account.clone() }, "GetParametersByPath", "ssm:GetParametersByPath"),
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
        (describe(ResourceKind::Table, "orders"), "ListMetrics", "cloudwatch:ListMetrics"),
        (tagged(ResourceKind::Function), "GetResources", "tag:GetResources"),
        (tagged(ResourceKind::Role), "ListRoles", "iam:ListRoles"),
        (stack, "ListStackResources", "cloudformation:ListStackResources"),
    ]
}

/// A tape on which everything that is asked before works.
fn calm() -> Tape {
    let tape = Tape::new();
    let role = "<GetRoleResponse><GetRoleResult><Role><Path>/team/</Path><RoleName>worker</RoleName><RoleId>R</RoleId>\
                <Arn>arn:aws:iam::111122223333:role/team/worker</Arn><CreateDate>2020-01-01T00:00:00Z</CreateDate>\
                </Role></GetRoleResult></GetRoleResponse>";
    tape.on(FUNCTION, [function(json!({}))])
        .on(
            SETTINGS,
            [fine(json!({ "AccountLimit": {
            "ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 995 } }))],
        )
        .on(MAPPINGS, [fine(json!({ "EventSourceMappings": [] }))])
        .on(FUNCTIONS, [fine(json!({ "Functions": [] }))])
        .on(ALIASES, [fine(json!({ "Aliases": [] }))])
        .on("GetParameter", [parameter("{}")])
        .on("GetQueueUrl", [fine(json!({ "QueueUrl": "https://sqs.eu-west-1.amazonaws.com/111122223333/orders" }))])
        .on("GetQueueAttributes", [fine(json!({ "Attributes": {} }))])
        .on("GetRole", [xml(role)])
        .on("ListRolePolicies", [no_policies()])
        .on("GetResources", [fine(json!({ "ResourceTagMappingList": [] }))]);
    tape
}

fn no_policies() -> Recording {
    xml("<ListRolePoliciesResponse><ListRolePoliciesResult><PolicyNames/><IsTruncated>false</IsTruncated>\
         </ListRolePoliciesResult></ListRolePoliciesResponse>")
}

#[test]
fn a_missing_permission_names_its_action_and_the_statement_that_gives_it() {
    for (call, operation, action) in denials() {
        let tape = calm();
        let code = if matches!(operation, "GetRole" | "ListRoles") { "AccessDenied" } else { "AccessDeniedException" };
        tape.on(operation, [error(operation, 403, code, "User: x is not authorized to perform this")]);
        let (by, message) = refused(tape.account().ask(call.clone()));
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
    assert!(message.contains("explicitly: take that out first") && !message.contains("Effect"), "{message}");
}

#[test]
fn credentials_that_are_not_accepted_are_told_from_permissions() {
    for code in ["ExpiredTokenException", "InvalidSignatureException", "UnrecognizedClientException"] {
        let tape = Tape::new();
        tape.on(FUNCTION, [error(FUNCTION, 403, code, "no")]);
        let (by, message) = refused(tape.account().ask(read(concurrency())));
        assert_eq!(by, RefusedBy::Permission);
        assert!(message.contains("fresh credentials") && !message.contains("Effect"), "{message}");
    }
}

#[test]
fn what_is_busy_is_told_from_what_is_wrong() {
    for code in ["ResourceConflictException", "PreconditionFailedException"] {
        let tape = calm();
        tape.on(UPDATE, [error(UPDATE, 412, code, "changed meanwhile")]);
        let (by, _) = refused(tape.account().ask(write(variables(), text(r#"{"CHAOS_X":"1"}"#))));
        assert_eq!(by, RefusedBy::Busy, "{code}");
    }
    let tape = calm();
    tape.on("PutRolePolicy", [error("PutRolePolicy", 400, "MalformedPolicyDocument", "no policy")]);
    assert_eq!(refused(tape.account().ask(write(policy(), text("x")))).0, RefusedBy::Invalid);
    tape.on("PutRolePolicy", [error("PutRolePolicy", 409, "LimitExceeded", "10240")]);
    assert_eq!(refused(tape.account().ask(write(policy(), text("x")))).0, RefusedBy::Limit);
    tape.on("PutRolePolicy", [error("PutRolePolicy", 409, "ConcurrentModification", "wait")]);
    assert_eq!(refused(tape.account().ask(write(policy(), text("x")))).0, RefusedBy::Busy);
    tape.on("PutRolePolicy", [error("PutRolePolicy", 404, "NoSuchEntity", "no role")]);
    assert_eq!(tape.account().ask(write(policy(), text("x"))), Err(CallError::Gone("role worker".into())));
}

#[test]
fn variables_are_written_beside_the_others_and_only_over_what_was_read() {
    let tape = calm();
    let environment = json!({ "Variables": { "TABLE": "orders", "CHAOS_OLD": "1" } });
    tape.on(FUNCTION, [function(json!({ "Environment": environment }))]).on(UPDATE, [fine(json!({}))]);
    let account = tape.account();
    assert_eq!(account.ask(write(variables(), text(r#"{"CHAOS_NEW":"2"}"#))), Ok(Reply::Done));
    let sent: Json = serde_json::from_str(&tape.body(UPDATE)).unwrap();
    assert_eq!(sent["Environment"]["Variables"], json!({ "TABLE": "orders", "CHAOS_NEW": "2" }));
    assert_eq!(sent["RevisionId"], json!("r1"));
    let seen = account.ask(read(variables()));
    assert_eq!(seen, Ok(Reply::Observed(Observed::plain(text(r#"{"CHAOS_OLD":"1"}"#)))));
    for wrong in [text(r#"{"TABLE":"x"}"#), text("[]"), Value::Number(1)] {
        assert_eq!(refused(account.ask(write(variables(), wrong))).0, RefusedBy::Invalid);
    }
}

#[test]
fn an_update_is_done_when_lambda_says_so() {
    let under_way = || function(json!({ "LastUpdateStatus": "InProgress" }));
    let tape = calm();
    let minute = (0..60).map(|_| under_way());
    tape.on(FUNCTION, [function(json!({}))].into_iter().chain(minute).chain([function(json!({}))]));
    tape.on(UPDATE, [fine(json!({}))]);
    let account = tape.account();
    assert_eq!(account.ask(write(variables(), text("{}"))), Ok(Reply::Done));
    let took = account.clock.monotonic();
    assert!((Span::from_secs(60)..Span::from_secs(70)).contains(&took), "{took}");

    // Longer than patience, or failed: nobody knows what runs.
    tape.on(FUNCTION, [function(json!({})), under_way()]);
    assert!(matches!(account.ask(write(variables(), text("{}"))), Err(CallError::Unknown(_))));
    let failed = json!({ "LastUpdateStatus": "Failed", "LastUpdateStatusReason": "no subnet" });
    tape.on(FUNCTION, [function(json!({})), function(failed)]);
    let outcome = account.ask(write(variables(), text("{}")));
    assert!(matches!(&outcome, Err(CallError::Unknown(why)) if why.contains("no subnet")), "{outcome:?}");

    // One that is under way already is waited for by the engine, not here.
    tape.on(FUNCTION, [under_way()]);
    let asked = tape.asked().len();
    assert_eq!(refused(account.ask(write(variables(), text("{}")))).0, RefusedBy::Busy);
    assert_eq!(tape.asked().len(), asked + 1);
}

#[test]
fn variables_that_cannot_be_decrypted_are_not_written_over() {
    let tape = calm();
    let error = json!({ "Error": { "ErrorCode": "AccessDeniedException", "Message": "no key" } });
    tape.on(FUNCTION, [function(json!({ "Environment": error }))]);
    let (by, message) = refused(tape.account().ask(write(variables(), text("{}"))));
    assert_eq!(by, RefusedBy::Permission);
    assert!(message.contains("kms:Decrypt"), "{message}");
    assert_eq!(tape.asked(), [FUNCTION]);
}

#[test]
fn how_faults_reach_a_function_is_read_off_its_configuration() {
    use crate::account::description::{Alias, Delivery};
    let described = |variables: Json, layers: Json, versions: &[(&str, Recording)]| {
        let tape = calm();
        let configuration = json!({ "Environment": { "Variables": variables }, "Layers": layers });
        tape.on(FUNCTION, [function(configuration)].into_iter().chain(versions.iter().map(|(_, of)| of.clone())));
        let aliases =
            versions.iter().map(|(version, _)| json!({ "Name": format!("to-{version}"), "FunctionVersion": version }));
        tape.on(ALIASES, [fine(json!({ "Aliases": aliases.collect::<Vec<_>>() }))]);
        match tape.account().ask(Call::Describe { resource: pay() }) {
            Ok(Reply::Description(described)) => match *described {
                Description::Function(function) => function,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    };
    let none = described(json!({}), json!([]), &[]);
    assert_eq!((none.delivery, none.role.name.as_str()), (Delivery::None, "worker"));
    assert_eq!((none.account_unreserved, none.unreserved_floor, none.reserved), (995, 100, Some(5)));

    let parameter = || json!({ "FAILURE_INJECTION_PARAM": "/shop/faults", "FAILURE_CACHE_TTL": "7" });
    let expected =
        Delivery::Parameter { parameter: resource(ResourceKind::Parameter, "/shop/faults"), cache: Span::from_secs(7) };
    let alike = function(json!({ "Environment": { "Variables": parameter() } }));
    let found = described(parameter(), json!([]), &[("7", alike), ("8", function(json!({})))]);
    assert_eq!(found.delivery, expected);
    let alias = |version: &str, delivered_alike| Alias {
        name: format!("to-{version}"),
        versions: vec![version.into()],
        delivered_alike,
    };
    assert_eq!(found.aliases, [alias("7", true), alias("8", false)]);

    let app_config = json!({ "FAILURE_APPCONFIG_CONFIGURATION": "flags", "FAILURE_APPCONFIG_APPLICATION": "shop",
        "FAILURE_APPCONFIG_ENVIRONMENT": "live" });
    let expected = Delivery::AppConfig { profile: "shop/live/flags".into() };
    assert_eq!(described(app_config, json!([]), &[]).delivery, expected);

    let layer = json!([{ "Arn": "arn:aws:lambda:eu-west-1:871265522301:layer:chaos-lambda-extension-x86_64:1" }]);
    let wrapped = json!({ "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap", "CHAOS_EXTENSION__LAMBDA__LATENCY_VALUE": "3" });
    match described(wrapped, layer, &[]).delivery {
        Delivery::Variables { set } => assert_eq!(set["CHAOS_EXTENSION__LAMBDA__LATENCY_VALUE"], "3"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_small_account_keeps_all_that_it_has() {
    let tape = calm();
    tape.on(
        SETTINGS,
        [fine(json!({ "AccountLimit": { "ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10 } }))],
    );
    let Ok(Reply::Description(described)) = tape.account().ask(Call::Describe { resource: pay() }) else { panic!() };
    let Description::Function(function) = *described else { panic!() };
    assert_eq!((function.account_unreserved, function.unreserved_floor), (10, 10));
}

#[test]
fn a_mark_that_is_there_is_told_from_one_that_cannot_be_made() {
    let tape = calm();
    tape.on("PutParameter", [error("PutParameter", 400, "ParameterAlreadyExists", "it is")]);
    assert_eq!(refused(tape.account().ask(write(mark(), text("run 2")))).0, RefusedBy::MarkExists);
    tape.on("PutParameter", [fine(json!({ "Version": 1 }))]);
    let account = tape.account();
    assert_eq!(account.ask(write(mark(), text(&"x".repeat(5000)))), Ok(Reply::Done));
    let sent: Json = serde_json::from_str(&tape.body("PutParameter")).unwrap();
    assert_eq!((&sent["Overwrite"], &sent["Tier"]), (&json!(false), &json!("Advanced")));
    tape.on("DeleteParameter", [error("DeleteParameter", 400, "ParameterNotFound", "gone")]);
    assert_eq!(account.ask(write(mark(), Value::Unset)), Ok(Reply::Done));
    tape.on("GetParameter", [error("GetParameter", 400, "ParameterNotFound", "gone")]);
    assert_eq!(account.ask(read(mark())), Ok(Reply::Observed(Observed::plain(Value::Unset))));
    // A flag's parameter must exist, so PutParameter is not even tried.
    let asked = tape.asked().len();
    assert_eq!(account.ask(write(flag(), text("{}"))), Err(CallError::Gone("parameter /shop/faults".into())));
    assert_eq!(tape.asked().len(), asked + 1);
}

#[test]
fn a_policy_is_decoded_and_its_absence_is_told_from_that_of_its_role() {
    let tape = calm();
    tape.on("GetRolePolicy", [xml(
        "<GetRolePolicyResponse><GetRolePolicyResult><RoleName>worker</RoleName><PolicyName>p</PolicyName>\
         <PolicyDocument>%7B%22Version%22%3A%20%222012-10-17%22%7D</PolicyDocument></GetRolePolicyResult></GetRolePolicyResponse>",
    )]);
    let account = tape.account();
    let seen = account.ask(read(policy()));
    assert_eq!(seen, Ok(Reply::Observed(Observed::plain(text(r#"{"Version": "2012-10-17"}"#)))));
    tape.on("GetRolePolicy", [error("GetRolePolicy", 404, "NoSuchEntity", "no such policy")]);
    assert_eq!(account.ask(read(policy())), Ok(Reply::Observed(Observed::plain(Value::Unset))));
    tape.on("ListRolePolicies", [error("ListRolePolicies", 404, "NoSuchEntity", "no such role")]);
    assert_eq!(account.ask(read(policy())), Err(CallError::Gone("role worker".into())));
    tape.on("DeleteRolePolicy", [error("DeleteRolePolicy", 404, "NoSuchEntity", "gone")]);
    assert_eq!(account.ask(write(policy(), Value::Unset)), Ok(Reply::Done), "deleted, and deleted again");
}

#[test]
fn each_message_of_a_batch_is_accounted_for_or_all_are_in_doubt() {
    let queue = resource(ResourceKind::Queue, "orders.fifo");
    let send = || {
        let message = |number| Message {
            marker: RunMarker { run: RunId("run-1".into()), number },
            body: "{".into(),
            group: Some("g".into()),
        };
        Call::Send { queue: queue.clone(), messages: vec![message(1), message(2)] }
    };
    let sent = |id: &str| json!({ "Id": id, "MessageId": "m", "MD5OfMessageBody": "x" });
    let failed =
        |sender: bool| json!({ "Id": "1", "Code": "InvalidMessageContents", "Message": "no", "SenderFault": sender });
    let tape = calm();
    tape.on("SendMessageBatch", [fine(json!({ "Successful": [sent("0"), sent("1")], "Failed": [] }))]);
    let account = tape.account();
    assert_eq!(account.ask(send()), Ok(Reply::Sent(vec![SendOutcome::Accepted; 2])));
    let body: Json = serde_json::from_str(&tape.body("SendMessageBatch")).unwrap();
    let first = &body["Entries"][0];
    assert_eq!(first["MessageAttributes"]["squall-run"]["StringValue"], "run-1");
    assert_eq!(first["MessageAttributes"]["squall-number"]["StringValue"], "1");
    assert_eq!((&first["MessageGroupId"], &first["MessageDeduplicationId"]), (&json!("g"), &json!("run-1-1")));

    tape.on("SendMessageBatch", [fine(json!({ "Successful": [sent("0")], "Failed": [failed(true)] }))]);
    let refused = SendOutcome::Refused("InvalidMessageContents: no".into());
    assert_eq!(account.ask(send()), Ok(Reply::Sent(vec![SendOutcome::Accepted, refused])));
    for doubtful in [json!([failed(false)]), json!([])] {
        tape.on("SendMessageBatch", [fine(json!({ "Successful": [sent("0")], "Failed": doubtful }))]);
        assert!(matches!(account.ask(send()), Err(CallError::Unknown(_))));
    }
}

fn window() -> Window {
    let to: Time = "2026-03-02T08:58:00Z".parse().unwrap();
    Window { from: to - Span::from_secs(60), to }
}

fn results(values: &[Option<f64>]) -> Recording {
    let at = window().from.micros() / 1_000_000;
    let result = |(id, value): (usize, &Option<f64>)| match value {
        Some(value) => {
            json!({ "Id": format!("m{id}"), "Timestamps": [{ "at": at }], "Values": [value], "StatusCode": "Complete" })
        }
        None => json!({ "Id": format!("m{id}"), "Timestamps": [], "Values": [], "StatusCode": "Complete" }),
    };
    let results: Vec<Json> = values.iter().enumerate().map(result).collect();
    cbor(&json!({ "MetricDataResults": results }))
}

fn measure(metric: Metric, kind: ResourceKind) -> Call {
    Call::Measure { query: Query { metric, resource: resource(kind, "x") }, window: window() }
}

#[test]
fn signals_of_one_window_are_one_call_and_missing_is_not_zero() {
    let tape = Tape::new();
    // Failed share: errors, calls; throttles; the 95 % that were fast enough, of 200; an api's mean, as HTTP and as REST.
    let values = [Some(3.0), Some(60.0), None, Some(95.0), Some(200.0), None, Some(250.0), None, Some(40.0)];
    tape.on("GetMetricData", [results(&values)]);
    let function = ResourceKind::Function;
    let outcomes = tape.account().ask_all([
        measure(Metric::FailedShare, function),
        measure(Metric::Throttles, function),
        measure(Metric::SlowShare { limit: Span::from_millis(800) }, function),
        measure(Metric::Duration, ResourceKind::Api),
    ]);
    assert_eq!(tape.asked(), ["GetMetricData"]);
    let sample = |value, of| Ok(Reply::Sample(Sample { value, of }));
    assert_eq!(outcomes[..2], [sample(Some(0.05), Some(60)), sample(None, None)]);
    let Ok(Reply::Sample(slow)) = outcomes[2] else { panic!("{outcomes:?}") };
    assert!((slow.value.unwrap() - 0.05).abs() < 1e-9 && slow.of == Some(200));
    assert_eq!(outcomes[3], sample(Some(0.25), Some(40)));
}

#[test]
fn without_calls_there_is_no_share() {
    let tape = Tape::new();
    for values in [[Some(0.0), Some(0.0)], [Some(0.0), None]] {
        tape.on("GetMetricData", [results(&values)]);
        let outcome = tape.account().ask(measure(Metric::FailedShare, ResourceKind::Function));
        assert_eq!(outcome, Ok(Reply::Sample(Sample { value: None, of: None })));
    }
}

#[test]
fn cloudwatch_knows_whole_minutes_alone() {
    let (from, minute) = (window().from, Span::from_secs(60));
    for (from, to) in [(from, from + Span::from_secs(30)), (from + Span::from_secs(1), from + minute), (from, from)] {
        let query = Query { metric: Metric::Calls, resource: pay() };
        let outcome = Tape::new().account().ask(Call::Measure { query, window: Window { from, to } });
        assert_eq!(refused(outcome).0, RefusedBy::Unsupported);
    }
}

#[test]
fn what_cloudwatch_could_not_finish_is_unknown() {
    let tape = Tape::new();
    let broken =
        json!({ "MetricDataResults": [{ "Id": "m0", "Timestamps": [], "Values": [], "StatusCode": "InternalError" }] });
    tape.on("GetMetricData", [cbor(&broken)]);
    let outcome = tape.account().ask(measure(Metric::Throttles, ResourceKind::Function));
    assert!(matches!(outcome, Err(CallError::Unknown(_))), "{outcome:?}");
}

#[test]
fn counts_and_states_are_of_now() {
    let tape = calm();
    let attributes = json!({ "ApproximateNumberOfMessages": "7", "ApproximateNumberOfMessagesNotVisible": "2" });
    tape.on("GetQueueAttributes", [fine(json!({ "Attributes": attributes }))]);
    let alarm = json!({ "MetricAlarms": [{ "AlarmName": "x", "AlarmArn": "arn:x", "StateValue": "ALARM" }] });
    tape.on("DescribeAlarms", [cbor(&alarm)]);
    let account = tape.account();
    let now = account.clock.now();
    let ask = |metric, kind, to: Time| {
        let window = Window { from: to - Span::from_secs(10), to };
        account.ask(Call::Measure { query: Query { metric, resource: resource(kind, "orders") }, window })
    };
    let sample = |value| Ok(Reply::Sample(Sample { value, of: None }));
    assert_eq!(ask(Metric::Depth, ResourceKind::Queue, now), sample(Some(7.0)));
    assert_eq!(ask(Metric::InFlight, ResourceKind::Queue, now), sample(Some(2.0)));
    assert_eq!(ask(Metric::Delayed, ResourceKind::Queue, now), sample(None));
    assert_eq!(ask(Metric::AlarmState, ResourceKind::Alarm, now), sample(Some(1.0)));
    let long_ago = now - Span::from_mins(5);
    assert_eq!(ask(Metric::Depth, ResourceKind::Queue, long_ago), sample(None), "what was then, nobody knows");
    assert_eq!(ask(Metric::AlarmState, ResourceKind::Alarm, long_ago), sample(None));
}

#[test]
fn names_are_logical_ids_of_the_accounts_stack_first() {
    let tape = calm();
    let detail = |of: &str, physical: &str| {
        xml(&format!(
            "<DescribeStackResourceResponse><DescribeStackResourceResult><StackResourceDetail><ResourceType>{of}</ResourceType>\
         <PhysicalResourceId>{physical}</PhysicalResourceId><LogicalResourceId>Orders</LogicalResourceId>\
         <LastUpdatedTimestamp>2020-01-01T00:00:00Z</LastUpdatedTimestamp><ResourceStatus>CREATE_COMPLETE</ResourceStatus>\
         </StackResourceDetail></DescribeStackResourceResult></DescribeStackResourceResponse>"
        ))
    };
    let url = "https://sqs.eu-west-1.amazonaws.com/111122223333/shop-orders-1X";
    tape.on("DescribeStackResource", [detail("AWS::SQS::Queue", url)]);
    let stack = Some("shop".to_owned());
    let account = tape.account_of(AccountConfig { stack, ..AccountConfig::new("prod", ACCOUNT, "eu-west-1") });
    let named = |name: &str| Call::Resolve {
        account: AccountName("prod".into()),
        selector: Selector { kind: ResourceKind::Queue, by: SelectBy::Name(name.into()) },
    };
    let queue = |name| Ok(Reply::Resources(vec![resource(ResourceKind::Queue, name)]));
    assert_eq!(account.ask(named("Orders")), queue("shop-orders-1X"));
    // Not in the stack: the service's own name. Of another kind: no queue.
    let absent = error("DescribeStackResource", 400, "ValidationError", "Resource X does not exist for stack shop");
    tape.on("DescribeStackResource", [absent]);
    assert_eq!(account.ask(named("orders")), queue("orders"));
    tape.on("DescribeStackResource", [detail("AWS::SNS::Topic", "arn:aws:sns:eu-west-1:111122223333:t")]);
    tape.on("GetQueueUrl", [error("GetQueueUrl", 400, "QueueDoesNotExist", "no")]);
    assert_eq!(account.ask(named("Other")), Ok(Reply::Resources(Vec::new())));
    // ARNs of elsewhere mean nothing here.
    for arn in ["arn:aws:sqs:eu-west-1:999999999999:orders", "arn:aws:sqs:us-east-1:111122223333:orders"] {
        assert_eq!(account.ask(named(arn)), Ok(Reply::Resources(Vec::new())));
    }
}
