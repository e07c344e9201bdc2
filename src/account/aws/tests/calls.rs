//! What every call has in common: reads that are tried again, writes that are not.

use super::*;

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

/// A policy that was just written is not known everywhere at once.
#[test]
fn a_read_that_is_refused_is_tried_once_more() {
    for code in ["AccessDeniedException", "ExpiredTokenException", ""] {
        let tape = Tape::new();
        let denied = error(FUNCTION, 403, code, "not authorized");
        tape.on(FUNCTION, [denied.clone(), function(json!({}))]);
        assert!(tape.account().ask(read(concurrency())).is_ok(), "{code}");
        assert_eq!(tape.asked().len(), 2);
        let tape = Tape::new();
        tape.on(FUNCTION, [denied.clone(), denied, function(json!({}))]);
        assert_eq!(refused(tape.account().ask(read(concurrency()))).0, RefusedBy::Permission, "{code}");
        assert_eq!(tape.asked().len(), 2, "once more and not again");
    }
    let tape = Tape::new();
    tape.on(PUT, [error(PUT, 403, "AccessDeniedException", "no"), fine(json!({}))]);
    assert_eq!(refused(tape.account().ask(write(concurrency(), Value::Number(0)))).0, RefusedBy::Permission);
    assert_eq!(tape.asked().len(), 1, "a write goes out once");
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
