//! How a fault acts on the connection of an invocation.

use std::io;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::body::Body;
use crate::faults::{Act, Faults, Injection};
use crate::head::Head;
use crate::orders::document::When;
use crate::proxy::{After, Pair, Sent};
use crate::wire::{broken, readable_within};

/// An event longer than this is not looked at; an order that asks about it does not act.
const LONGEST_EVENT: usize = 1 << 20;

/// While a request is held its order is looked at so often, in milliseconds: it is let go when the order ends.
const SLICE: i64 = 100;

impl Pair {
    /// The runtime's wait for its next invocation. An invocation that a fault answers never reaches the runtime, which then
    /// waits for the one after it.
    pub(crate) fn next(&mut self, head: &Head, faults: &Faults) -> io::Result<After> {
        loop {
            let asked = match self.pass_request(head)? {
                Sent::Whole(After::Tunnel) | Sent::Early => return Ok(After::Tunnel),
                Sent::Whole(after) => after,
            };
            self.await_response()?;
            let Some(response) = self.response_head()? else { return Ok(After::Tunnel) };
            let Some(mut body) = response.response_body(head.method()) else {
                self.client.send(response.bytes())?;
                return Ok(After::Tunnel);
            };
            let mut looked_at = Vec::new();
            if response.status() == Some(200)
                && let Some(request) = response.header("lambda-runtime-aws-request-id")
                && let Some(reading) = faults.arrived()
            {
                let mut event = None;
                if reading.in_force(faults.now()).any(|(_, order)| order.needs_event()) {
                    event = self.look_at(&mut body, &mut looked_at)?;
                }
                let decided = faults.decide(&reading, request, event.as_deref());
                let (before, after): (Vec<_>, Vec<_>) = decided.into_iter().partition(|it| it.when == When::Before);
                if let Some(answer) = self.before(&before, request, faults)? {
                    self.upstream.content(&mut body, 0)?;
                    self.answer(head.path(), request, &answer, faults, None)?;
                    if response.closes() {
                        self.reconnect()?;
                    }
                    continue;
                }
                let deadline = response.header("lambda-runtime-deadline-ms").and_then(|text| text.parse().ok());
                faults.keep(request, resolved(after, deadline));
            }
            let answered = self.pass_response(response, &mut body, &looked_at)?;
            return Ok(if asked == After::Next { answered } else { asked });
        }
    }

    /// Holds an invocation as long as its faults say. What should answer it in the handler's place is given back.
    fn before(&mut self, injections: &[Injection], request: &str, faults: &Faults) -> io::Result<Option<Injection>> {
        let mut answer = None;
        for injection in injections {
            match injection.act {
                Act::Delay(millis) => {
                    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
                    self.hold(millis, request, injection, faults, true)?;
                }
                _ => answer = Some(injection.clone()),
            }
        }
        Ok(answer.filter(|injection| faults.left(injection) > 0))
    }

    /// The runtime's response, or its error, to an invocation.
    pub(crate) fn response(
        &mut self,
        head: &Head,
        request: &str,
        is_error: bool,
        kept: Vec<Injection>,
        faults: &Faults,
    ) -> io::Result<After> {
        let mut end = None;
        for injection in kept {
            if faults.left(&injection) == 0 {
                continue;
            }
            match injection.act {
                Act::Delay(millis) => {
                    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
                    self.hold(millis, request, &injection, faults, false)?;
                }
                Act::Hang(millis) => {
                    let limit = i64::try_from(faults.settings.limits.delay).unwrap_or(i64::MAX);
                    let millis = faults.until(millis).min(limit);
                    self.hold(millis, request, &injection, faults, false)?;
                }
                _ => end = Some(injection),
            }
        }
        // A function that fails by itself has no response to replace.
        let end = end.filter(|injection| !is_error && faults.left(injection) > 0);
        match (end, head.request_body()) {
            (Some(injection), Some(body)) => self.replace(head, body, request, &injection, faults),
            _ => self.exchange(head, false),
        }
    }

    /// Sends something else than the handler's response.
    fn replace(
        &mut self,
        head: &Head,
        mut body: Body,
        request: &str,
        injection: &Injection,
        faults: &Faults,
    ) -> io::Result<After> {
        if head.expects_continue() && !body.is_done() {
            self.client.send(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if let Act::Truncate(bytes) = injection.act {
            faults.report(request, injection);
            self.pass_truncated(head, body, bytes)?;
        } else {
            self.client.content(&mut body, 0)?;
            return self.answer(head.path(), request, injection, faults, Some(head));
        }
        self.pass_answer(head)
    }

    /// Answers an invocation in the handler's place. The Runtime API's reply goes to the runtime if that asked, and nowhere
    /// otherwise.
    fn answer(
        &mut self,
        path: &str,
        request: &str,
        injection: &Injection,
        faults: &Faults,
        asked: Option<&Head>,
    ) -> io::Result<After> {
        faults.report(request, injection);
        let version = path.split('/').nth(1).unwrap_or_default();
        let content_type = asked.and_then(|head| head.header("content-type"));
        let (call, headers, body) = answered(&injection.act, &faults.settings.function.runtime, content_type);
        let host = &faults.settings.upstream;
        let length = body.len();
        let mut bytes = format!(
            "POST /{version}/runtime/invocation/{request}/{call} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {length}\r\n\r\n"
        )
        .into_bytes();
        bytes.extend_from_slice(&body);
        self.upstream.send(&bytes)?;
        if let Some(head) = asked {
            return self.pass_answer(head);
        }
        let head = self.response_head()?.ok_or_else(broken)?;
        let mut body = head.response_body("POST").ok_or_else(broken)?;
        self.upstream.content(&mut body, 0)?;
        if head.closes() {
            self.reconnect()?;
        }
        Ok(After::Next)
    }

    /// Passes on what the Runtime API says to a response.
    fn pass_answer(&mut self, head: &Head) -> io::Result<After> {
        let Some(response) = self.response_head()? else { return Ok(After::Tunnel) };
        let Some(mut body) = response.response_body(head.method()) else { return Err(broken()) };
        let answered = self.pass_response(response, &mut body, &[])?;
        Ok(if head.closes() { After::Close } else { answered })
    }

    /// Passes the first bytes of a response on, in the frame that it came in, and drops the others.
    fn pass_truncated(&mut self, head: &Head, mut body: Body, bytes: u64) -> io::Result<()> {
        let chunked = body.is_chunked();
        let mut left = bytes.min(body.length().unwrap_or(u64::MAX));
        let mut out = head.without("expect");
        if let Some(length) = body.length() {
            let reframed = Head::read(&out).map(|head| head.without("content-length")).ok_or_else(broken)?;
            let end = reframed.len().saturating_sub(2);
            out = reframed.get(..end).unwrap_or_default().to_vec();
            out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", left.min(length)).as_bytes());
        }
        loop {
            let taken = body.take(self.client.data(), |content| {
                let now = usize::try_from(left).unwrap_or(usize::MAX).min(content.len());
                let content = content.get(..now).unwrap_or_default();
                left -= now as u64;
                if chunked && now > 0 {
                    out.extend_from_slice(format!("{now:x}\r\n").as_bytes());
                    out.extend_from_slice(content);
                    out.extend_from_slice(b"\r\n");
                } else {
                    out.extend_from_slice(content);
                }
            });
            let taken = taken.map_err(|_| broken())?;
            self.client.consume(taken);
            if body.is_done() && chunked {
                out.extend_from_slice(b"0\r\n\r\n");
            }
            self.upstream.send(&out)?;
            out.clear();
            if body.is_done() {
                return Ok(());
            }
            if self.client.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads an event, whose bytes go into `bytes` to be passed on later. `None` if it is too long.
    fn look_at(&mut self, body: &mut Body, bytes: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        let mut event = Vec::new();
        loop {
            let taken = body.take(self.upstream.data(), |content| event.extend_from_slice(content));
            let taken = taken.map_err(|_| broken())?;
            bytes.extend_from_slice(self.upstream.data().get(..taken).unwrap_or_default());
            self.upstream.consume(taken);
            if body.is_done() {
                return Ok(Some(event));
            }
            if bytes.len() > LONGEST_EVENT || body.ends_with_connection() {
                return Ok(None);
            }
            if self.upstream.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reports a fault, and waits so many milliseconds, or until the order ends. With `watch`, a runtime that goes away ends it
    /// with an error.
    fn hold(
        &mut self,
        millis: i64,
        request: &str,
        injection: &Injection,
        faults: &Faults,
        watch: bool,
    ) -> io::Result<()> {
        let end = faults.now().mono.saturating_add(millis);
        faults.report(request, injection);
        loop {
            let rest = end.saturating_sub(faults.now().mono).min(faults.left(injection));
            if rest <= 0 {
                return Ok(());
            }
            let slice = Duration::from_millis(u64::try_from(rest.min(SLICE)).unwrap_or_default());
            if !watch || !self.client.data().is_empty() {
                thread::sleep(slice);
            } else if readable_within(&self.client, slice)? {
                if self.client.is_closed() {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                thread::sleep(slice);
            }
        }
    }
}

/// A hang is counted from the deadline, which is known when the invocation comes: what is kept is when it ends, in milliseconds
/// since 1970. Without a deadline there is no hang.
fn resolved(injections: Vec<Injection>, deadline: Option<i64>) -> Vec<Injection> {
    let resolve = |mut injection: Injection| {
        if let Act::Hang(before) = &mut injection.act {
            *before = deadline?.saturating_sub(*before);
        }
        Some(injection)
    };
    injections.into_iter().filter_map(resolve).collect()
}

/// Which call an act makes in the handler's place, its headers and its body.
fn answered(act: &Act, runtime: &str, content_type: Option<&str>) -> (&'static str, String, Vec<u8>) {
    /// The content type of responses that begin with their status, of functions that stream.
    const STREAMED: &str = "application/vnd.awslambda.http-integration-response";
    match act {
        Act::Error(kind, message) => {
            // Node's runtime calls it `trace`, the others `stackTrace`.
            let trace = if runtime.contains("nodejs") { "trace" } else { "stackTrace" };
            let body = json!({ "errorMessage": message, "errorType": kind, trace: [] });
            let headers = format!("Lambda-Runtime-Function-Error-Type: {kind}\r\nContent-Type: application/json\r\n");
            ("error", headers, body.to_string().into_bytes())
        }
        Act::Status(status) => {
            let headers = json!({ "content-type": "application/json" });
            let text = r#"{"message":"injected by squall-layer"}"#;
            if content_type == Some(STREAMED) {
                let mut body = json!({ "statusCode": status, "headers": headers }).to_string().into_bytes();
                body.extend_from_slice(&[0; 8]);
                body.extend_from_slice(text.as_bytes());
                let headers =
                    format!("Content-Type: {STREAMED}\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n");
                return ("response", headers, body);
            }
            let body = json!({ "statusCode": status, "headers": headers, "body": text });
            ("response", "Content-Type: application/json\r\n".into(), body.to_string().into_bytes())
        }
        Act::Body(body) => ("response", "Content-Type: application/json\r\n".into(), body.clone().into_bytes()),
        // These let the handler's response through.
        Act::Delay(_) | Act::Hang(_) | Act::Truncate(_) => ("response", String::new(), Vec::new()),
    }
}
