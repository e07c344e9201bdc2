//! What `squall doctor` says of an account.

use super::*;
use crate::account::aws::doctor::{Check, CheckResult, checks};

fn looked_at(tape: &Tape) -> Vec<Check> {
    looked_at_with(tape, &[])
}

fn looked_at_with(tape: &Tape, variables: &[(&'static str, &'static str)]) -> Vec<Check> {
    let clock = tape::Clock { variables: variables.iter().copied().collect(), ..tape::Clock::default() };
    let account = tape.account_in(prod(), clock);
    let config = prod();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(checks(&config, &account.connection))
}

pub fn found(checks: &[Check], what: &str) -> (CheckResult, String) {
    let check = checks.iter().find(|check| check.what == what);
    check.map(|check| (check.finding, check.detail.clone())).unwrap_or_else(|| panic!("no {what} in {checks:?}"))
}

/// The caller, with the clock of the service.
fn dated(date: &str) -> Recording {
    let Recording::Answer { status, body, .. } = identity(ACCOUNT) else { panic!() };
    Recording::Answer { status, headers: vec![("date", date.into())], body }
}

fn lever(status: &str) -> Recording {
    fine(json!({ "safetyLever": { "id": "default", "state": { "status": status, "reason": "an outage" } } }))
}

const LEVER: &str = "GET /safetyLevers/default";

#[test]
fn all_is_well() {
    let tape = Tape::new();
    tape.on("GetCallerIdentity", [dated("Mon, 02 Mar 2026 09:00:00 GMT")]).on(LEVER, [lever("disengaged")]);
    let checks = looked_at(&tape);
    let wells: Vec<_> = checks.iter().map(|check| (check.what, check.finding)).collect();
    let whats = ["reachability", "identity", "credentials", "clock", "FIS safety lever"];
    assert_eq!(wells, whats.map(|what| (what, CheckResult::Well)));
}

#[test]
fn a_clock_that_is_off_is_told() {
    for (date, finding, word) in [
        ("Mon, 02 Mar 2026 08:59:57 GMT", CheckResult::Well, "within 5s"),
        ("Mon, 02 Mar 2026 08:59:30 GMT", CheckResult::NotWell, "ahead of AWS's"),
        ("Mon, 02 Mar 2026 09:02:00 GMT", CheckResult::NotWell, "behind AWS's; runs start with"),
        ("Mon, 02 Mar 2026 09:20:00 GMT", CheckResult::NotWell, "will reject signatures"),
        ("nonsense", CheckResult::CannotTell, "no response had a date"),
    ] {
        let tape = Tape::new();
        tape.on("GetCallerIdentity", [dated(date)]).on(LEVER, [lever("disengaged")]);
        let (is, detail) = found(&looked_at(&tape), "clock");
        assert!(is == finding && detail.contains(word), "{date}: {is:?} {detail}");
    }
}

#[test]
fn a_lever_that_somebody_pulled_is_told_with_the_reason() {
    let tape = Tape::new();
    tape.on(LEVER, [lever("engaged")]);
    let (finding, detail) = found(&looked_at(&tape), "FIS safety lever");
    assert!(finding == CheckResult::NotWell && detail.contains("an outage"), "{detail}");
    tape.on(LEVER, [error(LEVER, 403, "AccessDeniedException", "no")]);
    let (finding, detail) = found(&looked_at(&tape), "FIS safety lever");
    assert!(finding == CheckResult::CannotTell && detail.contains(r#""Action":"fis:GetSafetyLever""#), "{detail}");
}

#[test]
fn a_switch_that_is_needed_is_looked_at() {
    let tape = Tape::new();
    tape.on(LEVER, [lever("disengaged")]);
    let needs = AccountConfig { needs_switch: true, ..prod() };
    for (recorded, finding, word) in [
        (error("DescribeStateMachine", 400, "StateMachineDoesNotExist", "none"), CheckResult::NotWell, "not deployed"),
        (
            error("DescribeStateMachine", 400, "AccessDeniedException", "no"),
            CheckResult::CannotTell,
            "DescribeStateMachine",
        ),
    ] {
        tape.on("DescribeStateMachine", [recorded]);
        let account = tape.account_of(needs.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let all = runtime.block_on(checks(&needs, &account.connection));
        let (is, detail) = found(&all, "dead-man switch");
        assert!(is == finding && detail.contains(word), "{is:?} {detail}");
    }
}

#[test]
fn what_cannot_be_reached_is_told_from_what_refuses() {
    let tape = Tape::new();
    tape.on("GetCallerIdentity", [error("GetCallerIdentity", 403, "ExpiredToken", "it expired")]);
    let (finding, detail) = found(&looked_at(&tape), "identity");
    assert!(finding == CheckResult::NotWell && detail.contains("new credentials"), "{detail}");
    tape.on("GetCallerIdentity", [Recording::TimedOut]);
    assert_eq!(found(&looked_at(&tape), "reachability").0, CheckResult::NotWell);
    tape.on("GetCallerIdentity", [identity("999999999999")]);
    let (_, detail) = found(&looked_at(&tape), "identity");
    assert!(detail.contains("999999999999") && detail.contains(ACCOUNT), "{detail}");
}

#[test]
fn credentials_that_end_soon_are_told() {
    let tape = Tape::new();
    tape.on(LEVER, [lever("disengaged")]);
    for (end, finding, word) in [
        ("2026-03-02T09:30:00Z", CheckResult::NotWell, "get new ones"),
        ("2026-03-02T12:00:00Z", CheckResult::Well, "in 3h"),
        ("whenever", CheckResult::CannotTell, "15 minutes"),
    ] {
        let variables = [("AWS_SESSION_TOKEN", "t"), ("AWS_CREDENTIAL_EXPIRATION", end)];
        let (is, detail) = found(&looked_at_with(&tape, &variables), "credentials");
        assert!(is == finding && detail.contains(word), "{end}: {is:?} {detail}");
    }
}
