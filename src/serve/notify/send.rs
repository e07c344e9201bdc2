//! One request for one message: to a checked address, without a redirect, within a time.

use std::sync::Arc;

use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use serde_json::json;

use crate::channel::Channel;
use crate::channel::address::{InnerAddress, may_be_called};
use crate::env::Env;
use crate::mac::Mac;
use crate::units::{Span, Time};

/// A request that takes longer has failed.
pub const TIMEOUT: Span = Span::from_secs(10);

/// Sends a message. The error says why it was not taken; it has neither the address nor a key in it.
pub async fn send(
    channel: &Channel,
    id: &str,
    body: &str,
    listed: &[InnerAddress],
    now: Time,
    env: &dyn Env,
) -> Result<(), String> {
    let variable = |name: &str| env.var(name).ok_or_else(|| format!("the environment has no {name}"));
    let request = match channel {
        Channel::Slack(slack) => {
            Request { url: variable(&slack.url_from_env)?, body: for_slack(body), headers: vec![] }
        }
        Channel::Webhook(webhook) => {
            let key = variable(&webhook.key_from_env)?;
            let stamp = (now.micros() / 1_000_000).to_string();
            let headers = vec![
                ("squall-id", id.to_owned()),
                ("squall-timestamp", stamp.clone()),
                ("squall-signature", format!("v1={}", signature(&key, &stamp, body)?)),
            ];
            Request { url: variable(&webhook.url_from_env)?, body: body.to_owned(), headers }
        }
    };
    match tokio::time::timeout(TIMEOUT.to_std(), exchange(request, listed)).await {
        Ok(sent) => sent.map(drop),
        Err(_) => Err(format!("no answer within {TIMEOUT}")),
    }
}

/// What is sent to an address.
pub struct Request {
    pub url: String,
    pub body: String,
    pub headers: Vec<(&'static str, String)>,
}

/// What came back with a status of 2xx.
pub struct Reply {
    /// As text, at most 16 KiB.
    pub body: String,
    /// The header `Squall-Signature`.
    pub signature: Option<String>,
}

/// More of a reply is not read.
pub const LONGEST_REPLY: usize = 16 * 1024;

/// HMAC with SHA-256 (RFC 2104) over the time-stamp, a point and the body, in hex.
///
/// # Errors
/// The key is empty.
pub fn signature(key: &str, stamp: &str, body: &str) -> Result<String, String> {
    if key.is_empty() {
        return Err("the key of the signature is empty".into());
    }
    Ok(Mac::of(key.as_bytes(), &format!("{stamp}.{body}")).to_string())
}

/// The text of a message, as Slack takes it: three characters have a meaning there
/// (<https://docs.slack.dev/messaging/formatting-message-text/#escaping>).
fn for_slack(body: &str) -> String {
    let message: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let text = message["text"].as_str().unwrap_or_default();
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({ "text": text }).to_string()
}

/// Looks names up, and keeps back addresses that may not be called.
#[derive(Clone, Debug)]
struct Checked(Arc<[InnerAddress]>);

impl ResolveDns for Checked {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let found = tokio::net::lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            let allowed: Vec<_> =
                found.map(|found| found.ip()).filter(|address| may_be_called(*address, &self.0)).collect();
            match allowed.is_empty() {
                true => Err(ResolveDnsError::new(NOT_LISTED)),
                false => Ok(allowed),
            }
        })
    }
}

const NOT_LISTED: &str = "its address is not on the internet, and not listed under `notifications: addresses`";

/// Sends a request to a checked address, and reads what comes back. The error has neither the address nor a key in it.
pub async fn exchange(request: Request, listed: &[InnerAddress]) -> Result<Reply, String> {
    let uri: http::Uri = request.url.parse().map_err(|_| "its address cannot be read".to_owned())?;
    let host = uri.host().ok_or("its address has no host")?.trim_start_matches('[').trim_end_matches(']');
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("its address must have no user and no password".into());
    }
    // A literal address is connected to without being looked up.
    if let Ok(address) = host.parse()
        && !may_be_called(address, listed)
    {
        return Err(NOT_LISTED.into());
    }
    // What is not encrypted stays within what is listed.
    if uri.scheme_str() != Some("https") && !host.parse().is_ok_and(|address| listed_only(address, listed)) {
        return Err("its address must begin with https://, unless it is a listed IP address".into());
    }
    let mut made = HttpRequest::new(SdkBody::from(request.body.as_str()));
    made.set_method("POST").map_err(|error| error.to_string())?;
    made.set_uri(request.url.as_str()).map_err(|_| "its address cannot be read".to_owned())?;
    let length = request.body.len().to_string();
    let usual =
        [("content-type", "application/json".to_owned()), ("content-length", length), ("user-agent", "squall".into())];
    for (name, value) in usual.into_iter().chain(request.headers) {
        made.headers_mut().try_insert(name, value).map_err(|_| "a header cannot be sent".to_owned())?;
    }
    let connector = Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(tls::TlsContext::default())
        .build_with_resolver(Checked(listed.into()));
    let response = connector.call(made).await.map_err(|error| why(&error))?;
    match response.status().as_u16() {
        200..=299 => {}
        status @ 300..=399 => return Err(format!("it answers with {status}, and redirects are not followed")),
        status => return Err(format!("it answers with {status}")),
    }
    let signature = response.headers().get("squall-signature").map(str::to_owned);
    Ok(Reply { body: text(response.into_body()).await?, signature })
}

/// The text of a body that is not too long.
async fn text(body: SdkBody) -> Result<String, String> {
    let read = axum::body::to_bytes(axum::body::Body::new(body), LONGEST_REPLY).await;
    let bytes = read.map_err(|_| format!("its reply broke off, or has more than {LONGEST_REPLY} bytes"))?;
    String::from_utf8(bytes.to_vec()).map_err(|_| "its reply is not text".into())
}

fn listed_only(address: std::net::IpAddr, listed: &[InnerAddress]) -> bool {
    may_be_called(address, listed) && !may_be_called(address, &[])
}

/// What went wrong, from the innermost error on: those around it may name the address.
fn why(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
