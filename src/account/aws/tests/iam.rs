//! IAM.

use super::*;

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
