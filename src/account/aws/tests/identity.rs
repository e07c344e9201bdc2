//! Who squall is in an account.

use super::*;

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
    let who = account.ask(Call::Identify { location: prod().location() });
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
        ..prod()
    });
    let who = account.ask(Call::Identify { location: prod().location() });
    let Ok(Reply::Identity(who)) = who else { panic!("{who:?}") };
    assert_eq!(who.roles, ["chaos", "squall"]);
    let body = tape.body("AssumeRole");
    assert!(body.contains("ExternalId=secret-handshake") && body.contains("RoleSessionName=friday"), "{body}");
}

#[test]
fn credentials_that_are_not_accepted_are_told_from_permissions() {
    for code in ["ExpiredTokenException", "InvalidSignatureException", "UnrecognizedClientException"] {
        let tape = Tape::new();
        tape.on(FUNCTION, [error(FUNCTION, 403, code, "no")]);
        let (by, message) = refused(tape.account().ask(read(concurrency())));
        assert_eq!(by, RefusedBy::Permission);
        assert!(message.contains("new credentials") && !message.contains("Effect"), "{message}");
    }
}

#[test]
fn how_long_credentials_last_is_known_or_not() {
    use crate::account::Lasts;
    let lasts = |variables: &[(&'static str, &'static str)]| {
        let clock = tape::Clock { variables: variables.iter().copied().collect(), ..tape::Clock::default() };
        let account = Tape::new().account_in(prod(), clock);
        match account.ask(Call::Identify { location: prod().location() }) {
            Ok(Reply::Identity(who)) => who.lasts,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(lasts(&[]), Lasts::On);
    assert_eq!(lasts(&[("AWS_SESSION_TOKEN", "t")]), Lasts::CannotTell);
    let end = ("AWS_CREDENTIAL_EXPIRATION", "2026-03-02T10:00:00Z");
    assert_eq!(lasts(&[("AWS_SESSION_TOKEN", "t"), end]), Lasts::Until(end.1.parse().unwrap()));
    assert_eq!(lasts(&[("AWS_SESSION_TOKEN", "t"), ("AWS_CREDENTIAL_EXPIRATION", "soon")]), Lasts::CannotTell);
}
