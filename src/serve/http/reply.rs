//! What is answered: documents, texts, feeds, and refusals that say what to do next.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use super::feed::Feed;
use crate::outside::{escaped_json, one_line};
use crate::store::StoreError;

/// An answer to a request that was let through.
pub enum Answer {
    /// A document.
    Json(Json),
    /// A text of a media type, such as a page; with further headers, which take the place of the usual ones.
    Text { kind: &'static str, text: String, headers: Vec<(HeaderName, HeaderValue)> },
    /// It is done; the browser goes on to another page. With further headers, such as a cookie.
    See { path: String, headers: Vec<(HeaderName, HeaderValue)> },
    /// Messages, as long as the other side listens.
    Feed(Box<dyn Feed>),
}

impl Answer {
    /// A document of a written type.
    pub fn json(document: &impl Serialize) -> Result<Answer, Refusal> {
        let json = serde_json::to_value(document);
        json.map(Answer::Json).map_err(|error| Refusal::new(500, error.to_string()))
    }
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status of HTTP.
    pub status: u16,
    pub what: String,
    /// What to do now.
    pub next: Option<String>,
}

/// What a request that was not done is answered with.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Error {
    /// Why it was not done.
    pub error: String,
    /// What to do now.
    pub next: Option<String>,
}

impl Refusal {
    /// With a status of HTTP.
    pub fn new(status: u16, what: impl Into<String>) -> Refusal {
        Refusal { status, what: what.into(), next: None }
    }

    /// The same with the next step.
    #[must_use]
    pub fn next(self, next: impl Into<String>) -> Refusal {
        Refusal { next: Some(next.into()), ..self }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        let status = match &error {
            StoreError::NoSuchRun(_) => 404,
            StoreError::Closed(_) | StoreError::EpochLost { .. } => 409,
            StoreError::Failed(_) | StoreError::Newer { .. } | StoreError::Damaged { .. } => 503,
        };
        Refusal::new(status, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let error = Error { error: one_line(&self.what), next: self.next };
        let mut response = document(&serde_json::to_value(error).unwrap_or_default());
        *response.status_mut() = status;
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert("www-authenticate", HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert("retry-after", HeaderValue::from_static("10"));
        }
        response
    }
}

/// A document as a response.
pub fn document(json: &Json) -> Response {
    text("application/json", escaped_json(&json.to_string()) + "\n")
}

/// A text as a response, which no cache keeps and no browser takes for something else.
pub fn text(kind: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    usual(response.headers_mut());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A page as a response: what it shows and runs comes from this server. A form sends an `Origin`, which it would not under the
/// usual policy of referrers; only the origin is ever named, so that no address of a page goes anywhere.
pub fn page(html: String) -> Response {
    let mut response = text("text/html; charset=utf-8", html);
    for (name, value) in [
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'",
        ),
        (REFERRER_POLICY, "strict-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Sends a browser on to another page of this server.
pub fn see(path: &str) -> Response {
    let mut response = Response::new(Body::empty());
    usual(response.headers_mut());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(LOCATION, path);
    }
    response
}

/// The headers that every response has.
pub fn usual(headers: &mut HeaderMap) {
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
