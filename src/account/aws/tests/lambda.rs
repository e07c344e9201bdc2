//! Lambda.

use super::*;

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

    let layer = |more: serde_json::Value| {
        let mut variables = json!({ "SQUALL_FAULTS_PARAM": "/shop/orders", "FAILURE_INJECTION_PARAM": "/shop/faults" });
        variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        described(variables, json!([]), &[]).delivery
    };
    let orders = Delivery::Layer { parameter: resource(ResourceKind::Parameter, "/shop/orders") };
    assert_eq!(layer(json!({ "AWS_LAMBDA_EXEC_WRAPPER": "/opt/squall-layer" })), orders);
    for without in [
        json!({ "AWS_LAMBDA_EXEC_WRAPPER": "/opt/other", "_": "" }),
        json!({ "SQUALL_LAYER": "off", "AWS_LAMBDA_EXEC_WRAPPER": "/opt/squall-layer" }),
    ] {
        assert!(matches!(layer(without), Delivery::Parameter { .. }));
    }

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

/// What a function's own variables hold goes back to Lambda with an update, and nowhere else: a plan, a journal and a lock hold what
/// these calls answer.
#[test]
fn no_answer_holds_what_others_variables_hold() {
    const SECRET: &str = "s3cret-5f1a";
    let environment = json!({ "Variables": { "DB_PASSWORD": SECRET, "CHAOS_OLD": "1" } });
    let has = || function(json!({ "Environment": environment }));
    let leaves = [json!({}), json!({ "LastUpdateStatus": "InProgress" }), json!({ "LastUpdateStatus": "Failed" })];
    let mut calls = 0;
    for leaves in leaves {
        let tape = calm();
        let mut after = json!({ "Environment": environment });
        after.as_object_mut().unwrap().extend(leaves.as_object().unwrap().clone());
        tape.on(FUNCTION, [has(), has(), function(after)]);
        tape.on(UPDATE, [fine(json!({})), error(UPDATE, 400, "InvalidParameterValueException", "no")]);
        let account = tape.account();
        let describe = Call::Describe { resource: pay() };
        for call in [read(variables()), write(variables(), text(r#"{"CHAOS_NEW":"2"}"#)), describe, read(variables())] {
            let answer = format!("{:?}", account.ask(call.clone()));
            assert!(!answer.contains(SECRET), "{call:?}: {answer}");
            calls += 1;
        }
        assert!(tape.body(UPDATE).contains(SECRET), "it goes back to Lambda");
    }
    assert_eq!(calls, 12);
}
