//! What each fault does on the wire. The clocks stand, so that nothing here depends on the speed of the machine.

use std::io::ErrorKind;
use std::io::Read;

use serde_json::json;

use crate::orders::{EIGHT, Injecting, document};
use crate::wires::End;

const NEXT: &str = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n";
const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";

fn invocation(id: &str, event: &str) -> String {
    let deadline = EIGHT + 30_000;
    format!(
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: {id}\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\nContent-Length: {}\r\n\r\n{event}",
        event.len()
    )
}

fn response(id: &str, body: &str) -> String {
    format!(
        "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The runtime has the invocation.
fn invoked(runtime: &mut End, api: &mut End, id: &str) {
    runtime.says(NEXT);
    api.hears(NEXT);
    api.says(invocation(id, "{}"));
    runtime.hears(invocation(id, "{}"));
}

/// Nothing has come yet.
#[track_caller]
fn waits(end: &mut End) {
    end.0.set_nonblocking(true).unwrap();
    let read = end.0.read(&mut [0]);
    assert!(matches!(&read, Err(error) if error.kind() == ErrorKind::WouldBlock), "{read:?}");
    end.0.set_nonblocking(false).unwrap();
}

/// What the Runtime API is told in the handler's place: the first line, the headers and the body.
fn answered(api: &mut End) -> (String, String) {
    let head = api.head();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    api.0.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

const SECOND: &str = r#"{"latency": {"delay": {"fixed": {"ms": 1000}}}}"#;

#[test]
fn latency_before_holds_the_invocation_and_is_reported() {
    let it = Injecting::new(&document(SECOND, ""), &[]);
    let (mut runtime, mut api) = it.stage.connection();
    runtime.says(NEXT);
    api.hears(NEXT);
    api.says(invocation("7", "{}"));
    let line = it.said();
    assert_eq!(
        line,
        json!({ "source": "squall-layer", "action": "inject", "Function": "worker", "Run": "r", "Order": "o", "requestId": "7",
            "fault": "latency", "when": "before", "FaultsInjected": 1, "InjectedDelay": 1000,
            "_aws": { "Timestamp": EIGHT, "CloudWatchMetrics": [{ "Namespace": "SquallLayer", "Dimensions": [["Function", "Run"], ["Function", "Order"]],
                "Metrics": [{ "Name": "FaultsInjected", "Unit": "Count" }, { "Name": "InjectedDelay", "Unit": "Milliseconds" }] }] } })
    );
    waits(&mut runtime);
    it.clocks.pass(1000);
    runtime.hears(invocation("7", "{}"));
    // The response is not touched.
    runtime.says(response("7", "ok"));
    api.hears(response("7", "ok"));
}

#[test]
fn latency_after_holds_the_response() {
    let it = Injecting::new(&document(r#"{"latency": {"when": "after", "delay": {"fixed": {"ms": 1000}}}}"#, ""), &[]);
    let (mut runtime, mut api) = it.stage.connection();
    invoked(&mut runtime, &mut api, "7");
    runtime.says(response("7", "ok"));
    assert_eq!(it.said()["when"], "after");
    waits(&mut api);
    it.clocks.pass(1000);
    api.hears(response("7", "ok"));
    api.says(ACCEPTED);
    runtime.hears(ACCEPTED);
}

/// A stream is held before its first byte, and not between its chunks.
#[test]
fn a_stream_passes_chunk_by_chunk_while_a_latency_fault_is_on() {
    let it = Injecting::new(&document(SECOND, ""), &[]);
    let (mut runtime, mut api) = it.stage.connection();
    runtime.says(NEXT);
    api.hears(NEXT);
    api.says(invocation("7", "{}"));
    it.said();
    it.clocks.pass(1000);
    runtime.hears(invocation("7", "{}"));
    let head = "POST /2018-06-01/runtime/invocation/7/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    runtime.says(head);
    api.hears(head);
    for chunk in ["1\r\na\r\n", "3\r\nbcd\r\n", "0\r\nLambda-Runtime-Function-Error-Type: Own\r\n\r\n"] {
        runtime.says(chunk);
        api.hears(chunk);
    }
}

/// The order that holds a request ends, or is withdrawn: the request goes on.
#[test]
fn a_held_request_is_let_go_when_its_order_ends() {
    let held = |it: &Injecting| {
        let (mut runtime, mut api) = it.stage.connection();
        runtime.says(NEXT);
        api.hears(NEXT);
        api.says(invocation("7", "{}"));
        it.said();
        waits(&mut runtime);
        (runtime, api)
    };
    let long = document(r#"{"latency": {"delay": {"fixed": {"ms": 900000}}}}"#, "");
    let it = Injecting::new(&long.replace("T09:00:00Z", "T08:00:09Z"), &[]);
    let (mut runtime, _api) = held(&it);
    it.clocks.pass(9_000);
    runtime.hears(invocation("7", "{}"));
    for after in [r#"{"version": 1}"#, "{}", "", r#"{"version": 2}"#] {
        let it = Injecting::new(&long, &[]);
        let (mut runtime, _api) = held(&it);
        it.reads(after);
        runtime.hears(invocation("7", "{}"));
    }
    // A clock that jumps, and orders that were not read for long, end it as well.
    for (wall, mono) in [(3_600_000, 0), (-3_600_000, 0), (0, 40_000), (40_000, 40_000)] {
        let it = Injecting::new(&long, &[]);
        let (mut runtime, _api) = held(&it);
        {
            let mut now = it.clocks.0.lock().unwrap();
            now.wall += wall;
            now.mono += mono;
        }
        runtime.hears(invocation("7", "{}"));
    }
}

#[test]
fn a_runtime_that_goes_away_while_it_is_held_takes_its_call_along() {
    let it = Injecting::new(&document(SECOND, ""), &[]);
    let (mut runtime, mut api) = it.stage.connection();
    runtime.says(NEXT);
    api.hears(NEXT);
    api.says(invocation("7", "{}"));
    it.said();
    drop(runtime);
    api.is_closed();
}

#[test]
fn an_error_before_the_handler_takes_its_place() {
    let it = Injecting::new(&document(r#"{"error": {"type": "Own", "message": "no \"tax\"\r\n"}}"#, ""), &[]);
    let (mut runtime, mut api) = it.stage.connection();
    runtime.says(NEXT);
    for id in ["7", "8"] {
        api.hears(NEXT);
        api.says(invocation(id, &"x".repeat(100_000)));
        let (head, body) = answered(&mut api);
        assert!(
            head.starts_with(&format!("POST /2018-06-01/runtime/invocation/{id}/error HTTP/1.1\r\nHost: 127.0.0.1:")),
            "{head}"
        );
        assert!(head.contains("\r\nLambda-Runtime-Function-Error-Type: Own\r\n"), "{head}");
        assert_eq!(body, r#"{"errorMessage":"no \"tax\"\r\n","errorType":"Own","trace":[]}"#);
        api.says("HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok");
        assert_eq!((it.said()["fault"].as_str(), &it.faults.kept(id)[..]), (Some("error"), &[][..]));
    }
    // The order is withdrawn: the runtime, which has waited all the time, gets the next invocation.
    api.hears(NEXT);
    it.reads("{}");
    api.says(invocation("9", "{}"));
    runtime.hears(invocation("9", "{}"));
}

#[test]
fn an_error_after_the_handler_takes_the_place_of_its_response() {
    let it = Injecting::new(&document(r#"{"error": {"when": "after", "message": "m"}}"#, ""), &[]);
    let (mut runtime, mut api) = it.stage.connection();
    invoked(&mut runtime, &mut api, "7");
    runtime.says(response("7", "the handler's"));
    let (head, body) = answered(&mut api);
    assert!(head.starts_with("POST /2018-06-01/runtime/invocation/7/error "), "{head}");
    assert_eq!(body, r#"{"errorMessage":"m","errorType":"Injected","trace":[]}"#);
    api.says(ACCEPTED);
    runtime.hears(ACCEPTED);
    // A handler that fails by itself is left alone.
    invoked(&mut runtime, &mut api, "8");
    let error = response("8", "own").replace("/response", "/error");
    runtime.says(&error);
    api.hears(&error);
}

#[test]
fn a_response_is_replaced_before_or_after_the_handler() {
    let it = Injecting::new(&document(r#"{"response": {"with": {"status": 503}}}"#, ""), &[]);
    let (mut runtime, mut api) = it.stage.connection();
    runtime.says(NEXT);
    api.hears(NEXT);
    api.says(invocation("7", "{}"));
    let (head, body) = answered(&mut api);
    assert!(head.starts_with("POST /2018-06-01/runtime/invocation/7/response "), "{head}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["statusCode"], 503);

    let it = Injecting::new(&document(r#"{"response": {"when": "after", "with": {"body": "other"}}}"#, ""), &[]);
    let (mut runtime, mut api) = it.stage.connection();
    invoked(&mut runtime, &mut api, "7");
    runtime.says("POST /2018-06-01/runtime/invocation/7/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n");
    assert_eq!(answered(&mut api).1, "other");
    api.says(ACCEPTED);
    runtime.hears(ACCEPTED);
    assert_eq!(it.said()["bytes"], 5);
}

#[test]
fn a_stream_with_a_status_has_it_in_front() {
    let it = Injecting::new(&document(r#"{"response": {"when": "after", "with": {"status": 500}}}"#, ""), &[]);
    let (mut runtime, mut api) = it.stage.connection();
    invoked(&mut runtime, &mut api, "7");
    runtime.says("POST /2018-06-01/runtime/invocation/7/response HTTP/1.1\r\nContent-Type: application/vnd.awslambda.http-integration-response\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    let (head, body) = answered(&mut api);
    assert!(head.contains("Lambda-Runtime-Function-Response-Mode: streaming"), "{head}");
    assert!(
        body.starts_with('{') && body.contains(r#""statusCode":500"#) && body.contains("\0\0\0\0\0\0\0\0{"),
        "{body}"
    );
}

#[test]
fn a_response_is_truncated_in_its_own_frame() {
    let it = Injecting::new(&document(r#"{"response": {"when": "after", "with": {"truncated": 4}}}"#, ""), &[]);
    let (mut runtime, mut api) = it.stage.connection();
    let mut passes = |said: &str, heard: &str| {
        invoked(&mut runtime, &mut api, "7");
        runtime.says(said);
        api.hears(heard);
        api.says(ACCEPTED);
        runtime.hears(ACCEPTED);
    };
    passes(&response("7", "0123456789"), &response("7", "0123"));
    passes(&response("7", "01"), &response("7", "01"));
    passes(&response("7", ""), &response("7", ""));
    let head = "POST /2018-06-01/runtime/invocation/7/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    passes(
        &format!("{head}3\r\n012\r\n3\r\n345\r\n0\r\nT: x\r\n\r\n"),
        &format!("{head}3\r\n012\r\n1\r\n3\r\n0\r\n\r\n"),
    );
}

#[test]
fn a_hang_answers_at_the_deadline() {
    for (answer, held) in [("before_deadline", 29_900), ("past_deadline", 31_000)] {
        let it = Injecting::new(&document(&format!(r#"{{"hang": {{"answer": "{answer}"}}}}"#), ""), &[]);
        let (mut runtime, mut api) = it.stage.connection();
        invoked(&mut runtime, &mut api, "7");
        runtime.says(response("7", "ok"));
        assert_eq!(it.said()["heldUntil"], EIGHT + held);
        // Half a second is what a server's date leaves open.
        for _ in 0..3 {
            it.clocks.pass((held - 501) / 3);
            it.reads(&document(&format!(r#"{{"hang": {{"answer": "{answer}"}}}}"#), ""));
        }
        waits(&mut api);
        it.clocks.pass(502);
        api.hears(response("7", "ok"));
    }
}

#[test]
fn only_what_matches_is_hit() {
    let condition = r#", "match": [{"path": "headers.X-Chaos", "is": {"equals": "yes"}}]"#;
    let it = Injecting::new(&document(r#"{"error": {"message": "m"}}"#, condition), &[]);
    let (mut runtime, mut api) = it.stage.connection();
    runtime.says(NEXT);
    api.hears(NEXT);
    api.says(invocation("7", r#"{"headers": {"x-chaos": "yes"}}"#));
    assert!(answered(&mut api).0.contains("/7/error"));
    api.says(ACCEPTED);
    api.hears(NEXT);
    let long = format!(r#"{{"headers": {{"x-chaos": "yes"}}, "padding": "{}"}}"#, "x".repeat(2 << 20));
    for other in [r#"{"headers": {"x-chaos": "no"}}"#, "no json", "", &long] {
        let bytes = invocation("8", other);
        let sent = bytes.clone();
        let mut sender = End::of(api.0.try_clone().unwrap());
        let sender = std::thread::spawn(move || sender.says(sent));
        runtime.hears(bytes);
        sender.join().unwrap();
        runtime.says(NEXT);
        api.hears(NEXT);
    }
}

#[test]
fn a_delay_per_record_adds_up_to_the_functions_limit() {
    let per_record = r#"{"latency": {"delay": {"fixed": {"ms": 100}}, "per": "record"}}"#;
    for (limit, expected) in [("900000", 300), ("250", 250)] {
        let it = Injecting::new(&document(per_record, ""), &[("SQUALL_LAYER_MAX_DELAY_MS", limit)]);
        let (mut runtime, mut api) = it.stage.connection();
        runtime.says(NEXT);
        api.hears(NEXT);
        let event = r#"{"Records": [{}, {}, {}]}"#;
        api.says(invocation("7", event));
        assert_eq!(it.said()["InjectedDelay"], expected);
        it.clocks.pass(expected);
        runtime.hears(invocation("7", event));
    }
}

#[test]
fn an_order_beyond_the_functions_limits_is_refused_aloud() {
    let it = Injecting::new("{}", &[("SQUALL_LAYER_KINDS", "latency")]);
    it.reads(&document(r#"{"error": {"message": "m"}}"#, ""));
    assert_eq!(it.said()["refused"][0], "order o is refused: SQUALL_LAYER_KINDS does not allow error");
    let (mut runtime, mut api) = it.stage.connection();
    invoked(&mut runtime, &mut api, "7");
    // What is known already is not said again.
    it.reads(&document(r#"{"error": {"message": "m"}}"#, ""));
    assert!(it.is_silent());
}

#[test]
fn a_document_that_is_not_understood_counts_as_none() {
    let it = Injecting::new(&document(SECOND, ""), &[]);
    it.reads(&document(r#"{"disk": {"mb": 100}}"#, ""));
    let problem = it.said()["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("the orders count as none: unknown variant `disk`"), "{problem}");
    let (mut runtime, mut api) = it.stage.connection();
    invoked(&mut runtime, &mut api, "7");
}

#[test]
fn a_share_hits_the_same_requests_each_time() {
    let text = document(r#"{"error": {"message": "m"}}"#, r#", "share": 0.25, "seed": 5"#);
    let hit = |text: &str| -> Vec<bool> {
        let it = Injecting::new(text, &[]);
        let reading = it.faults.arrived().unwrap();
        (0..4_000).map(|id| !it.faults.decide(&reading, &format!("request-{id}"), None).is_empty()).collect()
    };
    let first = hit(&text);
    assert_eq!(first, hit(&text));
    assert_ne!(first, hit(&text.replace("\"seed\": 5", "\"seed\": 6")));
    // Four standard errors of a share of 0.25 in 4,000 are 0.027.
    let share = first.iter().filter(|hit| **hit).count() as f64 / 4_000.0;
    assert!((share - 0.25).abs() < 0.027, "{share}");
}
