//! Where a resource is, and which one exactly: regions, aliases and versions, whole ARNs.

use super::*;
use crate::account::aws::worker::Connections;
use crate::account::{Location, Region};

fn resolved(tape: &Tape, kind: ResourceKind, name: &str) -> Vec<Resource> {
    let selector = Selector { kind, by: SelectBy::Name(name.into()) };
    match tape.account().ask(Call::Resolve { location: prod().location(), selector }) {
        Ok(Reply::Resources(resources)) => resources,
        other => panic!("{other:?}"),
    }
}

fn live() -> Resource {
    Resource { qualifier: Some("live".into()), ..pay() }
}

#[test]
fn an_alias_or_a_version_is_looked_up_and_kept() {
    let tape = calm();
    for name in ["pay:live", "arn:aws:lambda:eu-west-1:111122223333:function:pay:live"] {
        assert_eq!(resolved(&tape, ResourceKind::Function, name), [live()], "{name}");
        assert!(tape.uri().contains("Qualifier=live"), "{}", tape.uri());
    }
    assert_eq!(resolved(&tape, ResourceKind::Function, "pay"), [pay()]);
    assert!(!tape.uri().contains("Qualifier"), "{}", tape.uri());
    // Nothing that no alias can be called is asked for.
    let asked = tape.asked().len();
    for name in ["pay:", "pay:a b", "111122223333:function:pay"] {
        assert_eq!(resolved(&tape, ResourceKind::Function, name), [], "{name}");
    }
    assert_eq!(tape.asked().len(), asked);
    tape.on(FUNCTION, [error(FUNCTION, 404, "ResourceNotFoundException", "Function not found: pay:nosuch")]);
    assert_eq!(resolved(&tape, ResourceKind::Function, "pay:nosuch"), []);
}

#[test]
fn a_setting_of_the_whole_function_is_not_written_through_an_alias() {
    let tape = calm();
    let setting = Setting::ReservedConcurrency { function: live() };
    let (by, message) = refused(tape.account().ask(write(setting, Value::Number(0))));
    assert_eq!(by, RefusedBy::Invalid);
    assert!(message.contains("pay:live: reserved concurrency is the whole function's"), "{message}");
}

#[test]
fn metrics_of_an_alias_have_its_dimension() {
    let tape = calm();
    tape.on("GetMetricData", [cbor(&json!({ "MetricDataResults": [] }))]);
    let query = Query { metric: Metric::Throttles, resource: live() };
    let _ = tape.account().ask(Call::Measure { query, window: window() });
    let sent = tape.body("GetMetricData");
    assert!(sent.contains("FunctionName") && sent.contains("Resource") && sent.contains("pay:live"), "{sent}");
}

#[test]
fn arns_are_compared_whole() {
    let tape = calm();
    let role = |path: &str| format!("arn:aws:iam::111122223333:role/{path}worker");
    assert_eq!(resolved(&tape, ResourceKind::Role, &role("team/")), [resource(ResourceKind::Role, "worker")]);
    for path in ["", "other/", "team/inner/"] {
        assert_eq!(resolved(&tape, ResourceKind::Role, &role(path)), [], "{path}");
    }
    tape.on("DescribeTable", [fine(json!({ "Table": {} }))]);
    let table = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";
    assert_eq!(resolved(&tape, ResourceKind::Table, table).len(), 1);
    for wrong in [
        format!("{table}/index/i"),
        table.replace("arn:aws:", "arn:aws-cn:"),
        table.replace("eu-west-1", "eu-west-2"),
        table.replace("111122223333", "111122223334"),
    ] {
        assert_eq!(resolved(&tape, ResourceKind::Table, &wrong), [], "{wrong}");
    }
}

/// A table that has neither tags nor metrics is there all the same.
#[test]
fn what_is_only_watched_is_asked_for_itself() {
    let tape = calm();
    let arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders";
    tape.on("DescribeTable", [fine(json!({ "Table": { "TableArn": arn } }))]);
    tape.on(
        "GetTopicAttributes",
        [xml("<GetTopicAttributesResponse><GetTopicAttributesResult><Attributes/>\
         </GetTopicAttributesResult></GetTopicAttributesResponse>")],
    );
    for kind in [ResourceKind::Table, ResourceKind::Topic] {
        assert_eq!(resolved(&tape, kind, "orders"), [resource(kind, "orders")]);
    }
    tape.on("DescribeTable", [error("DescribeTable", 400, "ResourceNotFoundException", "Table: orders not found")]);
    tape.on("GetTopicAttributes", [error("GetTopicAttributes", 404, "NotFound", "Topic does not exist")]);
    for kind in [ResourceKind::Table, ResourceKind::Topic] {
        assert_eq!(resolved(&tape, kind, "orders"), []);
    }
}

/// IAM is global: the lock on a role is in the partition's own region, wherever the account is worked in.
#[test]
fn the_mark_on_a_role_is_in_the_partitions_own_region() {
    let tape = calm();
    let role = resource(ResourceKind::Role, "worker");
    assert_eq!(role.location.region.as_str(), "us-east-1");
    let account = tape.account();
    for (on, region) in [(role, "us-east-1"), (pay(), "eu-west-1")] {
        account.ask(read(Setting::Lock { resource: on })).unwrap();
        assert!(tape.uri().contains(&format!("ssm.{region}.amazonaws.com")), "{}", tape.uri());
    }
    tape.on(
        "GetParametersByPath",
        [fine(json!({ "Parameters": [
        { "Name": "/squall/marks/role/worker", "Value": "x" }] }))],
    );
    let found = account.ask(Call::ListLocks { location: prod().location().global() });
    assert_eq!(found, Ok(Reply::Locks(vec![(resource(ResourceKind::Role, "worker"), "x".into())])));
    assert!(tape.uri().contains("ssm.us-east-1."), "{}", tape.uri());
}

#[test]
fn users_of_a_role_are_looked_for_in_every_region_of_the_project() {
    let tape = calm();
    let arn = "arn:aws:iam::111122223333:role/team/worker";
    let using = |name: &str| fine(json!({ "Functions": [{ "FunctionName": name, "Role": arn }] }));
    tape.on(FUNCTIONS, [using("here"), using("there")]);
    let region = |name: &str| name.parse::<Region>().unwrap();
    let config = AccountConfig { other_regions: [region("eu-central-1")].into(), ..prod() };
    let role = resource(ResourceKind::Role, "worker");
    let described = |config: AccountConfig| match tape.account_of(config).ask(Call::Describe { resource: role.clone() })
    {
        Ok(Reply::Description(described)) => match *described {
            Description::Role(role) => role,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let found = described(config.clone());
    let there = Location { region: region("eu-central-1"), ..prod().location() };
    let function = |location: &Location, name: &str| Resource::new(location, ResourceKind::Function, name);
    assert_eq!(found.used_by, [function(&there, "there"), function(&prod().location(), "here")]);
    assert_eq!(found.looked_in, [region("eu-west-1"), region("eu-central-1")]);
    let denied = error(FUNCTIONS, 403, "AccessDeniedException", "not authorized");
    tape.on(FUNCTIONS, [using("here"), denied]);
    let found = described(config);
    assert_eq!(found.used_by, [function(&prod().location(), "here")]);
    assert_eq!(found.not_looked_in.len(), 1);
}

/// A call for an account that is not among the open ones goes nowhere, however that account is called.
#[test]
fn another_account_under_the_same_nickname_is_never_asked() {
    let tape = calm();
    let recorded = tape.account();
    let connections = Connections::of([std::sync::Arc::new(recorded.connection)].into_iter());
    let here = prod().location();
    assert!(connections.at(&here).is_some() && connections.at(&here.global()).is_some());
    let moved =
        |id: &str, region: &str, url: Option<&str>| Location::of_aws(id.parse().unwrap(), region.parse().unwrap(), url);
    for elsewhere in [
        moved("444455556666", "eu-west-1", None),
        moved(ACCOUNT, "eu-central-1", None),
        moved(ACCOUNT, "eu-west-1", Some("http://localhost:4566")),
        moved(ACCOUNT, "cn-north-1", None),
    ] {
        assert!(connections.at(&elsewhere).is_none(), "{elsewhere}");
    }
    assert!(tape.asked().is_empty());
}
