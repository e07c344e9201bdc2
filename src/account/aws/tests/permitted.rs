//! Whether the rollback is permitted, and what tells when a simulation cannot.

use super::*;
use crate::account::{Action, Permitted};

const ROLE: &str = "arn:aws:iam::111122223333:role/worker";
const PAY: &str = "arn:aws:lambda:eu-west-1:111122223333:function:pay";

fn asked(actions: &[(&str, &str)], prove: bool) -> Call {
    let action = |(action, resource): &(&str, &str)| Action { action: (*action).into(), resource: (*resource).into() };
    Call::Permitted { location: prod().location(), actions: actions.iter().map(action).collect(), prove }
}

fn simulated(results: &[(&str, &str, &str)]) -> Recording {
    let one = |(action, decision, missing): &(&str, &str, &str)| {
        let missing = match *missing {
            "" => String::new(),
            key => format!("<member>{key}</member>"),
        };
        format!(
            "<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision>\
             <MissingContextValues>{missing}</MissingContextValues></member>"
        )
    };
    let all: String = results.iter().map(one).collect();
    xml(&format!(
        "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated>\
         <EvaluationResults>{all}</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
    ))
}

fn answers(outcome: Outcome) -> Vec<Permitted> {
    match outcome {
        Ok(Reply::Permitted(answers)) => answers,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_simulation_says_yes_no_or_that_it_depends() {
    let tape = calm();
    tape.on(
        "SimulatePrincipalPolicy",
        [simulated(&[
            ("iam:PutRolePolicy", "allowed", ""),
            ("iam:GetRolePolicy", "implicitDeny", ""),
            ("iam:GetRole", "explicitDeny", ""),
            ("iam:ListRolePolicies", "implicitDeny", "aws:SourceIp"),
            ("iam:UpdateRole", "allowed", "aws:MultiFactorAuthPresent"),
            ("kms:Decrypt", "implicitDeny", ""),
        ])],
    );
    let actions = [
        "iam:PutRolePolicy",
        "iam:GetRolePolicy",
        "iam:GetRole",
        "iam:ListRolePolicies",
        "iam:TagRole",
        "iam:UpdateRole",
        "kms:Decrypt",
    ];
    let found = answers(tape.account().ask(asked(&actions.map(|action| (action, ROLE)), false)));
    assert_eq!(found[0], Permitted::Yes);
    assert!(matches!(&found[1], Permitted::No(why) if why.contains("no policy allows")));
    assert!(matches!(&found[2], Permitted::No(why) if why.contains("explicitly")));
    assert!(matches!(&found[3], Permitted::CannotTell(why) if why.contains("aws:SourceIp")));
    assert!(matches!(&found[4], Permitted::CannotTell(_)), "what is not answered is not allowed");
    // A deny may depend on it: temporary credentials without MFA are refused where this simulation says yes.
    assert!(matches!(&found[5], Permitted::CannotTell(why) if why.contains("MultiFactorAuthPresent")), "{found:?}");
    assert!(matches!(&found[6], Permitted::CannotTell(why) if why.contains("key's own policy")), "{found:?}");
    // The role of the session is asked about with its path, and the resource by name.
    let asked = tape.body("SimulatePrincipalPolicy");
    assert!(asked.contains("role%2Fteam%2Fworker") && asked.contains("role%2Fworker"), "{asked}");
    for known in
        ["aws%3ARequestedRegion", "eu-west-1", "aws%3APrincipalArn", "aws%3ACurrentTime", "aws%3ASecureTransport"]
    {
        assert!(asked.contains(known), "{known} is not passed: {asked}");
    }
    assert!(!asked.contains("MultiFactorAuthPresent"), "it is not known");
}

#[test]
fn without_a_simulation_what_changes_nothing_is_tried() {
    let tape = calm();
    let denied = |operation: &str| error(operation, 403, "AccessDenied", "not authorized");
    tape.on("SimulatePrincipalPolicy", [denied("SimulatePrincipalPolicy")]);
    tape.on("DeleteRolePolicy", [error("DeleteRolePolicy", 404, "NoSuchEntity", "no such policy")]);
    tape.on("DeleteParameter", [denied("DeleteParameter")]).on(PUT, [fine(json!({}))]);
    let needed = [
        ("iam:DeleteRolePolicy", ROLE),
        ("ssm:DeleteParameter", "arn:aws:ssm:eu-west-1:111122223333:parameter/squall/marks*"),
        ("lambda:PutFunctionConcurrency", PAY),
        ("lambda:DeleteFunctionConcurrency", PAY),
    ];
    let account = tape.account();
    let found = answers(account.ask(asked(&needed, false)));
    assert_eq!(found[0], Permitted::Yes, "the policy is not there, and squall may delete it");
    assert!(matches!(found[1], Permitted::No(_)), "{found:?}");
    assert!(matches!(found[2..], [Permitted::CannotTell(_), Permitted::CannotTell(_)]), "{found:?}");
    assert!(!tape.asked().contains(&PUT.to_owned()), "nothing is written that was not asked for");
    assert!(tape.body("DeleteRolePolicy").contains("squall-permission-probe"));
    assert!(tape.body("DeleteParameter").contains("squall-permission-probe"));

    // What may be true of one lock alone is not found out on another.
    let own = [("ssm:DeleteParameter", "arn:aws:ssm:eu-west-1:111122223333:parameter/squall/marks/function/pay")];
    assert!(matches!(answers(account.ask(asked(&own, true)))[0], Permitted::CannotTell(_)));

    // With leave to prove it, the value that is there is written: 5, so that deleting stays untold.
    let found = answers(account.ask(asked(&needed, true)));
    assert_eq!(found[2], Permitted::Yes);
    assert!(matches!(found[3], Permitted::CannotTell(_)), "{found:?}");
    assert_eq!(tape.body(PUT), r#"{"ReservedConcurrentExecutions":5}"#);
}

/// What writing and reading each setting takes is asked about on its own resource, and one action that is denied is found.
#[test]
fn every_setting_is_permitted_or_not() {
    let on = |kind| resource(kind, if kind == ResourceKind::Function { "pay" } else { "x" });
    for sample in Setting::samples(&on) {
        let setting = &sample.setting;
        let write = setting.write_action(&sample.value);
        let needed: Vec<&str> = setting.read_actions().iter().copied().chain([write]).collect();
        let tape = calm();
        let decision = |action: &&str| if *action == write { "implicitDeny" } else { "allowed" };
        let results: Vec<_> = needed.iter().map(|action| (*action, decision(action), "")).collect();
        tape.on("SimulatePrincipalPolicy", [simulated(&results)]);
        let arn = match setting.resource().kind {
            ResourceKind::Role => ROLE,
            _ => PAY,
        };
        let asking: Vec<_> = needed.iter().map(|action| (*action, arn)).collect();
        let found = answers(tape.account().ask(asked(&asking, false)));
        for (action, answer) in needed.iter().zip(found) {
            assert_eq!(matches!(answer, Permitted::No(_)), *action == write, "{setting}: {action}: {answer:?}");
            assert!(*action == write || answer == Permitted::Yes, "{setting}: {action}: {answer:?}");
        }
    }
}
