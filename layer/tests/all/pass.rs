//! Without an order nothing can tell that the proxy is there.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;

use crate::wires::Stage;

const NEXT: &str = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\nUser-Agent: Own/1\r\n\r\n";
const INVOCATION: &str = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 7\r\nlambda-runtime-deadline-ms: 0\r\nX-Odd:  two  blanks \r\nContent-Length: 2\r\n\r\n{}";
const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";

/// Every documented call, with unusual forms of it: the bytes on both sides are the same.
#[test]
fn every_call_passes_byte_for_byte() {
    let post = |path: &str, headers: &str, body: &str| format!("POST {path} HTTP/1.1\r\n{headers}\r\n{body}");
    let id = "/2018-06-01/runtime/invocation/7";
    let calls = [
        (NEXT.to_owned(), INVOCATION),
        (post(&format!("{id}/response"), "Content-Length: 2\r\n", "{}"), ACCEPTED),
        (post(&format!("{id}/response"), "content-length: 0\r\n", ""), ACCEPTED),
        (post(&format!("{id}/response"), "", ""), ACCEPTED),
        (
            post(
                &format!("{id}/response"),
                "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\nTrailer: Lambda-Runtime-Function-Error-Type\r\n",
                "2;a=b\r\n{}\r\n0\r\nLambda-Runtime-Function-Error-Type: Own\r\nLambda-Runtime-Function-Error-Body: e30=\r\n\r\n",
            ),
            ACCEPTED,
        ),
        (
            post(
                &format!("{id}/error"),
                "LAMBDA-RUNTIME-FUNCTION-ERROR-TYPE: Runtime.Own\r\nLambda-Runtime-Function-XRay-Error-Cause: {\"a\":1}\r\nContent-Length: 3\r\n",
                "bad",
            ),
            ACCEPTED,
        ),
        (
            post(
                "/2018-06-01/runtime/init/error",
                "Lambda-Runtime-Function-Error-Type: Init\r\nContent-Length: 2\r\n",
                "{}",
            ),
            "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ),
        (
            "GET /2018-06-01/runtime/restore/next HTTP/1.1\r\n\r\n".into(),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ),
        (post("/2018-06-01/runtime/restore/error", "Content-Length: 1\r\n", "x"), ACCEPTED),
        (post("/2020-01-01/extension/register", "Lambda-Extension-Name: own\r\nContent-Length: 2\r\n", "{}"), ACCEPTED),
        ("PUT /2022-07-01/telemetry HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}".into(), "HTTP/1.1 204 No Content\r\n\r\n"),
        ("HEAD / HTTP/1.1\r\n\r\n".into(), "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n"),
        (
            "GET / HTTP/1.1\nbare: line feeds\n\n".into(),
            "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        ),
        (NEXT.to_owned(), "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"),
    ];
    let (mut runtime, mut api) = Stage::passing().connection();
    for (request, response) in calls {
        runtime.says(&request);
        api.hears(&request);
        api.says(response);
        runtime.hears(response);
    }
}

#[test]
fn a_call_in_single_bytes_and_two_calls_at_once_pass() {
    let (mut runtime, mut api) = Stage::passing().connection();
    let response = "POST /2018-06-01/runtime/invocation/7/response HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
    for byte in response.bytes() {
        runtime.says([byte]);
    }
    api.hears(response);
    ACCEPTED.bytes().for_each(|byte| api.says([byte]));
    runtime.hears(ACCEPTED);
    runtime.says(format!("{response}{NEXT}"));
    api.hears(response);
    api.says(ACCEPTED);
    runtime.hears(ACCEPTED);
    api.hears(NEXT);
    api.says(INVOCATION);
    runtime.hears(INVOCATION);
}

#[test]
fn each_chunk_of_a_stream_passes_before_the_next_is_sent() {
    let (mut runtime, mut api) = Stage::passing().connection();
    let head = "POST /2018-06-01/runtime/invocation/7/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    runtime.says(head);
    api.hears(head);
    for chunk in ["1\r\na\r\n", "3\r\nbcd\r\n", "0\r\nT: x\r\n\r\n"] {
        runtime.says(chunk);
        api.hears(chunk);
    }
    api.says(ACCEPTED);
    runtime.hears(ACCEPTED);
}

/// The buffer that grows with a long body is not waited for to be full.
#[test]
fn each_piece_of_a_long_body_passes_before_the_next_is_sent() {
    let (mut runtime, mut api) = Stage::passing().connection();
    let head = "POST /2018-06-01/runtime/invocation/7/response HTTP/1.1\r\nContent-Length: 200000\r\n\r\n";
    runtime.says(head);
    api.hears(head);
    for piece in [1, 10, 100_000, 10, 99_879] {
        runtime.says("x".repeat(piece));
        api.hears("x".repeat(piece));
    }
    api.says(ACCEPTED);
    runtime.hears(ACCEPTED);
}

#[test]
fn twenty_megabytes_pass_in_both_directions() {
    let (mut runtime, mut api) = Stage::passing().connection();
    let body: Vec<u8> = (0..20 << 20).map(|at: u32| (at % 251) as u8).collect();
    let head =
        format!("POST /2018-06-01/runtime/invocation/7/response HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
    let (said, heard) = (body.clone(), head.clone());
    let sender = thread::spawn(move || {
        runtime.says(head);
        runtime.says(said);
        runtime
    });
    api.hears(heard);
    let mut got = vec![0; body.len()];
    api.0.read_exact(&mut got).unwrap();
    assert!(got == body);
    let mut runtime = sender.join().unwrap();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let sender = thread::spawn(move || {
        api.says(&answer);
        api.says(got);
        api
    });
    assert!(runtime.head().starts_with("HTTP/1.1 200 OK"));
    let mut got = vec![0; body.len()];
    runtime.0.read_exact(&mut got).unwrap();
    assert!(got == body);
    sender.join().unwrap();
}

/// curl sends a large body only when it was told to.
#[test]
fn an_expected_continue_is_given() {
    let (mut runtime, mut api) = Stage::passing().connection();
    runtime.says(
        "POST /2018-06-01/runtime/invocation/7/response HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    );
    runtime.hears("HTTP/1.1 100 Continue\r\n\r\n");
    runtime.says("{}");
    api.hears("POST /2018-06-01/runtime/invocation/7/response HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}");
    api.says(ACCEPTED);
    runtime.hears(ACCEPTED);
}

/// A response larger than Lambda takes is refused before all of it was sent.
#[test]
fn an_answer_before_the_end_of_the_request_passes() {
    let (mut runtime, mut api) = Stage::passing().connection();
    let head = "POST /2018-06-01/runtime/invocation/7/response HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nab";
    runtime.says(head);
    api.hears(head);
    let refused = "HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 0\r\n\r\n";
    api.says(refused);
    runtime.hears(refused);
    // What is still sent still arrives.
    runtime.says("cd");
    api.hears("cd");
    drop(api);
    runtime.is_closed();
}

/// Otherwise the Runtime API would give the next invocation to a runtime that is gone.
#[test]
fn a_runtime_that_goes_away_takes_its_waiting_call_along() {
    let (mut runtime, mut api) = Stage::passing().connection();
    runtime.says(NEXT);
    api.hears(NEXT);
    drop(runtime);
    api.is_closed();
}

#[test]
fn a_runtime_api_that_closes_closes_the_runtimes_connection() {
    let (mut runtime, mut api) = Stage::passing().connection();
    runtime.says(NEXT);
    api.hears(NEXT);
    api.says(INVOCATION);
    runtime.hears(INVOCATION);
    drop(api);
    runtime.is_closed();
}

#[test]
fn a_runtime_api_that_cannot_be_reached_closes_it_too() {
    let stage = Stage::new(|_| squall_layer::proxy::Proxy::new("127.0.0.1:1"));
    crate::wires::End::connect(stage.proxy).is_closed();
}

#[test]
fn connections_end_where_they_would_end_without_a_proxy() {
    let stage = Stage::passing();
    let (mut runtime, mut api) = stage.connection();
    runtime.says("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    api.hears("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    api.says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    runtime.hears("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    runtime.is_closed();
    api.is_closed();
    let (mut runtime, mut api) = stage.connection();
    runtime.says("GET / HTTP/1.0\r\n\r\n");
    api.hears("GET / HTTP/1.0\r\n\r\n");
    api.says("HTTP/1.0 200 OK\r\n\r\nwhat comes until the end");
    drop(api);
    runtime.hears("HTTP/1.0 200 OK\r\n\r\nwhat comes until the end");
    runtime.is_closed();
}

/// Nothing that this proxy does not understand is refused or changed.
#[test]
fn what_is_not_understood_becomes_a_tunnel() {
    let stage = Stage::passing();
    for first in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\r\n\r\n",
        "POST /x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ] {
        let (mut runtime, mut api) = stage.connection();
        runtime.says(first);
        api.hears(first);
        api.says("one");
        runtime.hears("one");
        runtime.says("two");
        api.hears("two");
        runtime.0.shutdown(Shutdown::Write).unwrap();
        api.is_closed();
        api.says("three");
        runtime.hears("three");
    }
    let (mut runtime, mut api) = stage.connection();
    let upgrade = "GET / HTTP/1.1\r\nUpgrade: own\r\n\r\n";
    runtime.says(upgrade);
    api.hears(upgrade);
    api.says("HTTP/1.1 101 Switching Protocols\r\n\r\nown");
    runtime.hears("HTTP/1.1 101 Switching Protocols\r\n\r\nown");
    runtime.0.write_all(b"own").unwrap();
    api.hears("own");
}

#[test]
fn a_header_of_a_megabyte_passes() {
    let (mut runtime, mut api) = Stage::passing().connection();
    let cause = "x".repeat(1 << 20);
    let call = format!(
        "POST /2018-06-01/runtime/invocation/7/error HTTP/1.1\r\nLambda-Runtime-Function-XRay-Error-Cause: {cause}\r\nContent-Length: 1\r\n\r\nx"
    );
    let said = call.clone();
    let sender = thread::spawn(move || {
        runtime.says(said);
        runtime
    });
    api.hears(call);
    api.says(ACCEPTED);
    sender.join().unwrap().hears(ACCEPTED);
}

#[test]
fn connections_do_not_wait_for_each_other() {
    let stage = Stage::passing();
    let (mut waiting, mut api) = stage.connection();
    waiting.says(NEXT);
    api.hears(NEXT);
    let (mut other, mut other_api) = stage.connection();
    other.says(NEXT);
    other_api.hears(NEXT);
    other_api.says(INVOCATION);
    other.hears(INVOCATION);
    api.says(INVOCATION);
    waiting.hears(INVOCATION);
}
