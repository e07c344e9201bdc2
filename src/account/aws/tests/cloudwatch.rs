//! CloudWatch: metrics and alarms.

use super::*;

fn results(values: &[Option<f64>]) -> Recording {
    let at = window().from.micros() / 1_000_000;
    let result = |(id, value): (usize, &Option<f64>)| match value {
        Some(value) => {
            json!({ "Id": format!("m{id}"), "Timestamps": [{ "at": at }], "Values": [value], "StatusCode": "Complete" })
        }
        None => json!({ "Id": format!("m{id}"), "Timestamps": [], "Values": [], "StatusCode": "Complete" }),
    };
    let results: Vec<Json> = values.iter().enumerate().map(result).collect();
    cbor(&json!({ "MetricDataResults": results }))
}

#[test]
fn signals_of_one_window_are_one_call_and_missing_is_not_zero() {
    let tape = Tape::new();
    // Failed share: errors, throttles, invocations; throttles; the 95 % that were fast enough, of 200; an api's mean, as HTTP
    // and as REST.
    let share = [Some(3.0), Some(1.0), Some(59.0)];
    let rest = [None, Some(95.0), Some(200.0), None, Some(250.0), None, Some(40.0)];
    let values = [share.as_slice(), &rest].concat();
    tape.on("GetMetricData", [results(&values)]);
    let function = ResourceKind::Function;
    let outcomes = tape.account().ask_all([
        measure(Metric::FailedShare, function),
        measure(Metric::Throttles, function),
        measure(Metric::SlowShare { limit: Span::from_millis(800) }, function),
        measure(Metric::Duration, ResourceKind::Api),
    ]);
    assert_eq!(tape.asked(), ["GetMetricData"]);
    let sample = |value, of| Ok(Reply::Sample(Sample { value, of }));
    // A throttled call failed, and is none of the invocations.
    assert_eq!(outcomes[..2], [sample(Some(4.0 / 60.0), Some(60)), sample(None, None)]);
    let Ok(Reply::Sample(slow)) = outcomes[2] else { panic!("{outcomes:?}") };
    assert!((slow.value.unwrap() - 0.05).abs() < 1e-9 && slow.of == Some(200));
    assert_eq!(outcomes[3], sample(Some(0.25), Some(40)));
}

#[test]
fn without_calls_there_is_no_share() {
    let tape = Tape::new();
    for values in [[Some(0.0), Some(0.0)], [Some(0.0), None]] {
        tape.on("GetMetricData", [results(&values)]);
        let outcome = tape.account().ask(measure(Metric::FailedShare, ResourceKind::Function));
        assert_eq!(outcome, Ok(Reply::Sample(Sample { value: None, of: None })));
    }
}

#[test]
fn cloudwatch_knows_whole_minutes_alone() {
    let (from, minute) = (window().from, Span::from_secs(60));
    for (from, to) in [(from, from + Span::from_secs(30)), (from + Span::from_secs(1), from + minute), (from, from)] {
        let query = Query { metric: Metric::Calls, resource: pay() };
        let outcome = Tape::new().account().ask(Call::Measure { query, window: Window { from, to } });
        assert_eq!(refused(outcome).0, RefusedBy::Unsupported);
    }
}

#[test]
fn what_cloudwatch_could_not_finish_is_unknown() {
    let tape = Tape::new();
    let broken =
        json!({ "MetricDataResults": [{ "Id": "m0", "Timestamps": [], "Values": [], "StatusCode": "InternalError" }] });
    tape.on("GetMetricData", [cbor(&broken)]);
    let outcome = tape.account().ask(measure(Metric::Throttles, ResourceKind::Function));
    assert!(matches!(outcome, Err(CallError::Unknown(_))), "{outcome:?}");
}

#[test]
fn counts_and_states_are_of_now() {
    let tape = calm();
    let attributes = json!({ "ApproximateNumberOfMessages": "7", "ApproximateNumberOfMessagesNotVisible": "2" });
    tape.on("GetQueueAttributes", [fine(json!({ "Attributes": attributes }))]);
    let alarm = json!({ "MetricAlarms": [{ "AlarmName": "x", "AlarmArn": "arn:x", "StateValue": "ALARM" }] });
    tape.on("DescribeAlarms", [cbor(&alarm)]);
    tape.on("ListAlarmMuteRules", [cbor(&json!({ "AlarmMuteRuleSummaries": [] }))]);
    let account = tape.account();
    let now = account.clock.now();
    let ask = |metric, kind, to: Time| {
        let window = Window { from: to - Span::from_secs(10), to };
        account.ask(Call::Measure { query: Query { metric, resource: resource(kind, "orders") }, window })
    };
    let sample = |value| Ok(Reply::Sample(Sample { value, of: None }));
    assert_eq!(ask(Metric::Depth, ResourceKind::Queue, now), sample(Some(7.0)));
    assert_eq!(ask(Metric::InFlight, ResourceKind::Queue, now), sample(Some(2.0)));
    assert_eq!(ask(Metric::Delayed, ResourceKind::Queue, now), sample(None));
    assert_eq!(ask(Metric::AlarmState, ResourceKind::Alarm, now), sample(Some(1.0)));
    let long_ago = now - Span::from_mins(5);
    assert_eq!(ask(Metric::Depth, ResourceKind::Queue, long_ago), sample(None), "what was then, nobody knows");
    assert_eq!(ask(Metric::AlarmState, ResourceKind::Alarm, long_ago), sample(None));
}

#[test]
fn an_alarm_that_tells_nobody_decides_nothing() {
    let alarm =
        |acts: bool| json!({ "AlarmName": "x", "AlarmArn": "arn:x", "StateValue": "ALARM", "ActionsEnabled": acts });
    let rule = json!([{ "AlarmMuteRuleArn": "arn:aws:cloudwatch:eu-west-1:111122223333:alarm-mute-rule:nightly" }]);
    for (acts, rules, says) in [
        (false, json!([]), Some("are disabled")),
        (true, rule, Some("muted by the rule nightly")),
        (true, json!([]), None),
    ] {
        let tape = calm();
        tape.on("DescribeAlarms", [cbor(&json!({ "MetricAlarms": [alarm(acts)] }))]);
        tape.on("ListAlarmMuteRules", [cbor(&json!({ "AlarmMuteRuleSummaries": rules }))]);
        let account = tape.account();
        let to = account.clock.now();
        let query = Query { metric: Metric::AlarmState, resource: resource(ResourceKind::Alarm, "x") };
        let outcome = account.ask(Call::Measure { query, window: Window { from: to - Span::from_secs(10), to } });
        match says {
            Some(says) => assert!(refused(outcome).1.contains(says), "{says}"),
            None => assert_eq!(outcome, Ok(Reply::Sample(Sample { value: Some(1.0), of: None }))),
        }
    }
    // An endpoint that does not know of mute rules mutes nothing.
    let tape = calm();
    tape.on("DescribeAlarms", [cbor(&json!({ "MetricAlarms": [alarm(true)] }))]);
    tape.on("ListAlarmMuteRules", [error("ListAlarmMuteRules", 400, "UnknownOperationException", "what?")]);
    let account = tape.account();
    let to = account.clock.now();
    let query = Query { metric: Metric::AlarmState, resource: resource(ResourceKind::Alarm, "x") };
    let outcome = account.ask(Call::Measure { query, window: Window { from: to - Span::from_secs(10), to } });
    assert_eq!(outcome, Ok(Reply::Sample(Sample { value: Some(1.0), of: None })));
}
