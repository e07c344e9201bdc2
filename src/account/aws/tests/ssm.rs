//! Systems Manager: locks and flags.

use super::*;

#[test]
fn a_mark_that_is_there_is_told_from_one_that_cannot_be_made() {
    let tape = calm();
    tape.on("PutParameter", [error("PutParameter", 400, "ParameterAlreadyExists", "it is")]);
    tape.on("GetParameter", [fine(json!({ "Parameter": { "Value": "run 1" } }))]);
    let (by, message) = refused(tape.account().ask(write(lock(), text("run 2"))));
    assert_eq!((by, message.as_str()), (RefusedBy::LockExists, "run 1"));
    tape.on("PutParameter", [fine(json!({ "Version": 1 }))]);
    let account = tape.account();
    assert_eq!(account.ask(write(lock(), text(&"x".repeat(5000)))), Ok(Reply::Done));
    let sent: Json = serde_json::from_str(&tape.body("PutParameter")).unwrap();
    assert_eq!((&sent["Overwrite"], &sent["Tier"]), (&json!(false), &json!("Advanced")));
    tape.on("DeleteParameter", [error("DeleteParameter", 400, "ParameterNotFound", "gone")]);
    assert_eq!(account.ask(write(lock(), Value::Unset)), Ok(Reply::Done));
    tape.on("GetParameter", [error("GetParameter", 400, "ParameterNotFound", "gone")]);
    assert_eq!(account.ask(read(lock())), Ok(Reply::Observed(Observed::plain(Value::Unset))));
    // A flag's parameter must exist, so PutParameter is not even tried.
    let asked = tape.asked().len();
    assert_eq!(account.ask(write(flag(), text("{}"))), Err(CallError::Gone("parameter /shop/faults".into())));
    assert_eq!(tape.asked().len(), asked + 1);
}

/// A lease is a tag: tagging does not make a parameter. What is no time in it says nothing.
#[test]
fn a_lease_is_a_tag_on_the_mark() {
    let tape = calm();
    let at: Time = "2026-03-02T09:06:00Z".parse().unwrap();
    tape.on("AddTagsToResource", [fine(json!({}))]);
    let account = tape.account();
    assert_eq!(account.ask(Call::Renew { resource: pay(), at }), Ok(Reply::Done));
    let sent: Json = serde_json::from_str(&tape.body("AddTagsToResource")).unwrap();
    assert_eq!(
        (&sent["ResourceType"], &sent["ResourceId"]),
        (&json!("Parameter"), &json!("/squall/marks/function/pay"))
    );
    assert_eq!(sent["Tags"][0]["Key"], json!("squall-alive"));
    let tag = |value: &str| fine(json!({ "TagList": [{ "Key": "squall-alive", "Value": value }] }));
    let written = sent["Tags"][0]["Value"].as_str().unwrap().to_owned();
    let made = at.micros() / 1_000_000 - 300;
    let lease = |tags: Recording| {
        tape.on("GetParameter", [fine(json!({ "Parameter": { "Value": "run 1", "LastModifiedDate": made } }))]);
        tape.on("ListTagsForResource", [tags]);
        account.ask(Call::Lease { resource: pay() })
    };
    assert_eq!(lease(tag(&written)), Ok(Reply::Alive(at)));
    let made = Time::from_micros(made * 1_000_000);
    for nothing in [tag("for ever"), tag("2020-01-01T00:00:00Z"), fine(json!({ "TagList": [] }))] {
        assert_eq!(lease(nothing), Ok(Reply::Alive(made)));
    }
    tape.on("AddTagsToResource", [error("AddTagsToResource", 400, "InvalidResourceId", "no")]);
    assert_eq!(account.ask(Call::Renew { resource: pay(), at }), Err(CallError::Gone("lock on function pay".into())));
}
