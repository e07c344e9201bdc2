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
