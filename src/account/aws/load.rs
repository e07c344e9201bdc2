//! Load that squall makes itself: invocations and messages, spread evenly, each marked.

use super::call::{ATTEMPT_TIMEOUT, side_by_side};
use super::failure::Operation;
use super::http::{self, Request};
use super::names;
use super::queues;
use super::session::Session;
use crate::account::gateway::Family;
use crate::account::{Message, Outcome, Reply, Resource, ResourceKind, RunMarker, SendOutcome};
use crate::units::Span;

/// Sends requests, evenly over a time, and counts what came of them.
pub async fn load(session: &Session, target: &Resource, requests: u32, spread: Span, marker: RunMarker) -> Outcome {
    if !matches!(target.kind, ResourceKind::Function | ResourceKind::Queue | ResourceKind::Api) {
        return super::unsupported(format!("squall makes no requests to {target}"));
    }
    let gap = Span::from_micros(spread.micros() / i64::from(requests.max(1)));
    let began = session.caller.env.monotonic();
    let sent = (0..requests).map(|index| {
        let marker = RunMarker { number: marker.number + index, ..marker.clone() };
        async move {
            let due = began + gap * i64::from(index);
            session.caller.sleep(due - session.caller.env.monotonic()).await;
            match target.kind {
                ResourceKind::Function => invoke(session, target, &marker).await,
                ResourceKind::Api => request(session, target, &marker).await,
                _ => send(session, target, marker).await,
            }
        }
    });
    let mut accepted = 0;
    for fine in side_by_side(sent.collect()).await {
        accepted += u32::from(fine);
    }
    Ok(Reply::Loaded { accepted, failed: requests - accepted })
}

/// Invokes a function and waits for its answer: an asynchronous event would stay in Lambda's own queue for hours.
async fn invoke(session: &Session, function: &Resource, marker: &RunMarker) -> bool {
    let operation = Operation {
        family: Family::Invoke,
        action: "lambda:InvokeFunction",
        arn: names::arn(session, function),
        about: function.to_string(),
    };
    let payload = serde_json::json!({ queues::RUN: marker.run.0, queues::NUMBER: marker.number }).to_string();
    let call = session.lambda().invoke().function_name(&function.name);
    let call = call.payload(aws_smithy_types::Blob::new(payload)).send();
    let reply = session.caller.write(&operation, call).await;
    reply.is_ok_and(|reply| reply.function_error().is_none())
}

/// Gets the root of an HTTP api, as its default endpoint has it.
async fn request(session: &Session, api: &Resource, marker: &RunMarker) -> bool {
    let domain = match session.partition.as_str() {
        "aws-cn" => "amazonaws.com.cn",
        _ => "amazonaws.com",
    };
    // An emulator has all apis behind its own address.
    let url = match &session.config.endpoint_url {
        Some(endpoint) => format!("{}/_aws/execute-api/{}/", endpoint.trim_end_matches('/'), api.name),
        None => format!("https://{}.execute-api.{}.{domain}/", api.name, session.config.region),
    };
    let headers = [(queues::RUN, marker.run.0.clone()), (queues::NUMBER, marker.number.to_string())];
    let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let request = Request { method: "GET", url: &url, headers, body: None };
    http::ask(request, ATTEMPT_TIMEOUT).await.is_ok_and(|answer| answer.status < 400)
}

async fn send(session: &Session, queue: &Resource, marker: RunMarker) -> bool {
    let body = serde_json::json!({ queues::RUN: marker.run.0, queues::NUMBER: marker.number }).to_string();
    let group = queue.name.ends_with(".fifo").then(|| marker.run.0.clone());
    let sent = queues::send(session, queue, vec![Message { marker, body, group }]).await;
    sent.is_ok_and(|outcomes| outcomes == [SendOutcome::Accepted])
}
