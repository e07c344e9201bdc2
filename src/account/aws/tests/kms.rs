//! KMS: codes of locks.

use std::sync::Arc;

use super::doctor::found;
use super::moments::Moments;
use super::runs::{experiment, plan_in, project};
use super::service::{Service, mac as mac_of};
use super::*;
use crate::account::aws::doctor::{CheckResult, checks};
use crate::account::{Mac, MarkKey};
use crate::guard::Objection;
use crate::plan::{Plan, Purpose};
use crate::run::lock::{signature, to_sign};

/// In another region than the account.
const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd";

fn key() -> MarkKey {
    KEY.parse().unwrap()
}

/// 32 bytes of one value, in base 64.
const SEVENS: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

fn sign() -> Call {
    Call::Sign { location: prod().location(), key: key(), text: "lock".into() }
}

fn verify() -> Call {
    Call::Verify { location: prod().location(), key: key(), text: "lock".into(), mac: Mac([7; 32]) }
}

#[test]
fn a_code_is_made_and_verified_by_the_key_where_the_key_is() {
    let tape = calm();
    tape.on("GenerateMac", [fine(json!({ "Mac": SEVENS, "MacAlgorithm": "HMAC_SHA_256", "KeyId": KEY }))]);
    let account = tape.account();
    assert_eq!(account.ask(sign()), Ok(Reply::Mac(Mac([7; 32]))));
    assert!(tape.uri().starts_with("https://kms.eu-central-1."), "{}", tape.uri());
    let sent: Json = serde_json::from_str(&tape.body("GenerateMac")).unwrap();
    assert_eq!(sent, json!({ "KeyId": KEY, "MacAlgorithm": "HMAC_SHA_256", "Message": "bG9jaw==" }));

    tape.on("VerifyMac", [fine(json!({ "MacValid": true, "MacAlgorithm": "HMAC_SHA_256", "KeyId": KEY }))]);
    assert_eq!(account.ask(verify()), Ok(Reply::Genuine(true)));
    let sent: Json = serde_json::from_str(&tape.body("VerifyMac")).unwrap();
    assert_eq!(sent, json!({ "KeyId": KEY, "MacAlgorithm": "HMAC_SHA_256", "Message": "bG9jaw==", "Mac": SEVENS }));
    tape.on("VerifyMac", [error("VerifyMac", 400, "KMSInvalidMacException", "")]);
    assert_eq!(account.ask(verify()), Ok(Reply::Genuine(false)));
}

/// What cannot be verified is not genuine, and neither is what KMS answers without a code.
#[test]
fn a_key_that_may_not_be_used_says_nothing() {
    let tape = calm();
    let account = tape.account();
    for (code, by) in [("AccessDeniedException", RefusedBy::Permission), ("DisabledException", RefusedBy::Invalid)] {
        tape.on("VerifyMac", [error("VerifyMac", 400, code, "no")]);
        tape.on("GenerateMac", [error("GenerateMac", 400, code, "no")]);
        for call in [sign(), verify()] {
            assert_eq!(refused(account.ask(call)).0, by, "{code}");
        }
    }
    tape.on("GenerateMac", [fine(json!({ "Mac": "BwcH" }))]);
    assert!(matches!(account.ask(sign()), Err(CallError::Unknown(_))));
}

#[test]
fn doctor_tries_the_key() {
    let signs = || fine(json!({ "Mac": SEVENS }));
    let denied = || error("GenerateMac", 400, "AccessDeniedException", "no");
    let wrong = || error("VerifyMac", 400, "KMSInvalidMacException", "");
    for (generated, verified, finding) in [
        (signs(), fine(json!({ "MacValid": true })), CheckResult::Well),
        (signs(), wrong(), CheckResult::NotWell),
        (denied(), wrong(), CheckResult::NotWell),
    ] {
        let tape = calm();
        tape.on("GenerateMac", [generated]).on("VerifyMac", [verified]);
        tape.on("GET /safetyLevers/default", [fine(json!({ "safetyLever": { "state": { "status": "disengaged" } } }))]);
        let config = AccountConfig { mark_key: Some(key()), ..prod() };
        let account = tape.account_of(config.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (is, detail) = found(&runtime.block_on(checks(&config, &account.connection)), "mark key");
        assert!(is == finding && detail.contains(KEY), "{is:?} {detail}");
    }
}

fn planned(service: &Service, clock: &Arc<Moments>) -> Result<Plan, Vec<Objection>> {
    let project = project(&[("prod", "eu-west-1")], &format!("      mark_key: {KEY}\n"));
    let text = experiment(
        "  worker: { function: pay }",
        "  - inject: { lambda.throttle: { target: worker, concurrency: 0 } }\n    for: 6m",
        "",
    );
    plan_in(&project, service, clock, &text)
}

/// The plan asks for the code of each lock, and says what it needs for that.
#[test]
fn a_plan_signs_its_locks() {
    let clock = Arc::default();
    let service = Service::new(&clock, ["pay".to_owned()]);
    let plan = planned(&service, &clock).unwrap();
    let lock = plan.changes.values().find(|change| change.setting.is_lock()).unwrap().after.to_string();
    let (content, mac) = signature(&lock).unwrap();
    assert_eq!(mac, mac_of(KEY, &content));
    assert_eq!(to_sign(&lock), Some(content));
    for action in ["kms:GenerateMac", "kms:VerifyMac"] {
        let needed = plan.permissions.iter().find(|needed| needed.action == action).unwrap();
        assert_eq!((needed.purpose, needed.resource.as_str()), (Purpose::Look, KEY));
    }

    service.state.lock().unwrap().mishap = Some(Box::new(|_, operation| {
        (operation == "GenerateMac").then(|| (false, error(operation, 400, "AccessDeniedException", "no")))
    }));
    let why = planned(&service, &clock).unwrap_err();
    assert!(why[0].to_string().contains("the lock on function pay cannot be signed"), "{why:?}");
}
