//! What a route is, and how the table of them becomes a server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{RawPathParams, Request, State};
use axum::http::Extensions;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, on};
use hyper::header::{CONTENT_TYPE, HeaderName, ORIGIN};
use hyper::{HeaderMap, StatusCode};
use schemars::generate::SchemaGenerator;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::address::only;
use super::connection::Peer;
use super::reply::{Answer, Refusal, document, page, see, text};
use super::{App, door, feed};
use crate::access::invitation::Member;
use crate::access::{Permission, Person};
use crate::units::Span;

/// How a route is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Get,
    Post,
}

impl Verb {
    /// As HTTP writes it.
    pub fn word(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
        }
    }
}

/// One route. Its table is the source of the server, of the description of the API and of the tests of permissions.
pub struct Route {
    pub verb: Verb,
    /// With parameters in braces: `/api/v1/runs/{run}`.
    pub path: &'static str,
    /// Who may.
    pub permission: Permission,
    pub speaks: Speaks,
    /// What it does, in a sentence.
    pub says: &'static str,
    /// The parameters after `?`. Any other is refused.
    pub query: &'static [Parameter],
    /// The body; a `POST` without one takes `{}`.
    pub body: Option<Schema>,
    pub reply: Reply,
    pub act: Act,
}

/// How a route is spoken to, and how it answers what it refuses.
#[derive(Clone, Copy)]
pub enum Speaks {
    /// JSON, with a token.
    Json,
    /// Forms and pages, with a session's cookie as well. The function makes the page of a refusal, for the path that was asked.
    Pages(fn(&Refusal, &str) -> String),
}

/// The schema of a written type.
pub type Schema = fn(&mut SchemaGenerator) -> schemars::Schema;

/// What a route does. It may wait for the store; it runs beside the requests of others.
pub type Act = Box<dyn Fn(&App, &Asked) -> Result<Answer, Refusal> + Send + Sync>;

/// A parameter after `?`.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    pub name: &'static str,
    pub says: &'static str,
}

/// What a route answers with.
#[derive(Clone, Copy)]
pub enum Reply {
    /// A document.
    Json(Schema),
    /// A text of a media type.
    Text(&'static str),
    /// A feed of events, each with a document of this schema.
    Events(Schema),
}

/// The schema of a type, for the table.
pub fn schema<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) -> schemars::Schema {
    generator.subschema_for::<T>()
}

/// Who asks: nobody who is known, a person with a role in the project, or a member of a game day.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    pub person: Option<Person>,
    pub member: Option<Member>,
}

/// A request that was let through.
#[derive(Debug, Default)]
pub struct Asked {
    pub person: Option<Person>,
    pub member: Option<Member>,
    /// The page came by TLS, as far as its origin says.
    pub by_tls: bool,
    /// The address of the other side.
    pub peer: Option<Peer>,
    path: BTreeMap<String, String>,
    query: BTreeMap<String, String>,
    body: Vec<u8>,
    /// What the other side of a feed heard last.
    pub heard: Option<String>,
}

/// No body is longer.
const LONGEST_BODY: usize = 16 * 1024;
/// A body that takes longer to come is not waited for.
const BODY_WITHIN: Span = Span::from_secs(10);

impl Asked {
    /// Who asks, for journals and the audit.
    pub fn by(&self) -> String {
        self.person.as_ref().map_or_else(|| "anyone".to_owned(), |person| person.name.to_string())
    }

    /// A part of the path.
    pub fn part(&self, name: &str) -> &str {
        self.path.get(name).map(String::as_str).unwrap_or_default()
    }

    /// A parameter after `?`, read as its type.
    pub fn parameter<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Refusal>
    where
        T::Err: std::fmt::Display,
    {
        let Some(text) = self.query.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|error: T::Err| Refusal::new(400, format!("`{name}`: {error}")))
    }

    /// The body, read as its type. Unknown keys are refused by the types.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let body = if self.body.is_empty() { b"{}" } else { self.body.as_slice() };
        serde_json::from_slice(body)
            .map_err(|error| Refusal::new(400, format!("the body is not what is expected: {error}")))
    }

    /// A field of a form, without blanks around it; empty where it was not sent.
    pub fn field(&self, name: &str) -> Result<String, Refusal> {
        let unreadable = || Refusal::new(400, "the form cannot be read");
        let body = std::str::from_utf8(&self.body).map_err(|_| unreadable())?;
        let uri = format!("/?{body}").parse().map_err(|_| unreadable())?;
        let fields = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).map_err(|_| unreadable())?.0;
        let mut of_name = fields.into_iter().filter(|(known, _)| known == name).map(|(_, value)| value);
        match (of_name.next(), of_name.next()) {
            (value, None) => Ok(value.unwrap_or_default().trim().to_owned()),
            (_, Some(_)) => Err(Refusal::new(400, format!("the field `{name}` comes twice"))),
        }
    }
}

/// The server of some tables of routes.
pub fn router(app: &Arc<App>, routes: Vec<Route>) -> Router {
    let mut router = Router::new();
    for route in routes {
        let filter = match route.verb {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
        };
        let (path, route) = (route.path, Arc::new(route));
        let handler = move |State(app): State<Arc<App>>, path: RawPathParams, request: Request| {
            let route = Arc::clone(&route);
            async move {
                let (speaks, asked) = (route.speaks, request.uri().path().to_owned());
                answer(app, route, path, request).await.unwrap_or_else(|refusal| refused(speaks, refusal, &asked))
            }
        };
        router = router.route(path, on(filter, handler));
    }
    router
        .fallback(|| async { Refusal::new(404, "there is no such route").next("see /openapi.json").into_response() })
        .method_not_allowed_fallback(|| async { Refusal::new(405, "the route has no such method").into_response() })
        .layer(axum::middleware::from_fn_with_state(Arc::clone(app), door::check))
        .with_state(Arc::clone(app))
}

/// What a request that was not done is answered with.
fn refused(speaks: Speaks, refusal: Refusal, path: &str) -> Response {
    match speaks {
        Speaks::Json => refusal.into_response(),
        Speaks::Pages(show) => {
            let mut response = page(show(&refusal, path));
            *response.status_mut() = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            response
        }
    }
}

/// Lets a request through, reads it, and does what its route does.
async fn answer(app: Arc<App>, route: Arc<Route>, path: RawPathParams, request: Request) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    let path: BTreeMap<String, String> = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut caller = known(&app, route.speaks, &head.headers, &head.extensions).await?;
    // A seat in one day is none in another.
    caller.member = caller.member.filter(|member| path.get("day").is_none_or(|day| *day == member.day.0));
    door::permit(&app, route.permission, &caller, &head.extensions)?;
    let query = parameters(head.uri.query().unwrap_or_default(), route.query)?;
    if route.verb == Verb::Post {
        match route.speaks {
            Speaks::Json => door::check_write(&app, caller.person.as_ref(), &head)?,
            Speaks::Pages(_) => door::check_form(&head)?,
        }
    }
    let body = read(body, route.verb).await?;
    let heard = only(&head.headers, HeaderName::from_static("last-event-id"))
        .map_err(|()| Refusal::new(400, "`Last-Event-ID` must come once, as text"))?
        .map(str::to_owned);
    let origin = only(&head.headers, ORIGIN).ok().flatten().unwrap_or_default();
    let by_tls = origin.starts_with("https://");
    let Caller { person, member } = caller;
    let peer = head.extensions.get::<Peer>().copied();
    let asked = Asked { person, member, by_tls, peer, path, query, body, heard };
    let working = Arc::clone(&app);
    let answered = tokio::task::spawn_blocking(move || (route.act)(&working, &asked)).await;
    match answered.map_err(|_| Refusal::new(500, "a bug of squall; please report it"))?? {
        Answer::Json(json) => Ok(document(&json)),
        Answer::Text { kind, text: body, headers } => {
            let mut response = match kind {
                "text/html" => page(body),
                kind => text(kind, body),
            };
            headers.into_iter().for_each(|(name, value)| drop(response.headers_mut().insert(name, value)));
            Ok(response)
        }
        Answer::See { path, headers } => {
            let mut response = see(&path);
            headers.into_iter().for_each(|(name, value)| drop(response.headers_mut().insert(name, value)));
            Ok(response)
        }
        Answer::Feed(feed) => feed::response(app, feed),
    }
}

/// Who asks. Tokens are in the store, which may make this wait.
async fn known(
    app: &Arc<App>,
    speaks: Speaks,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Caller, Refusal> {
    let claim = match (door::claim(app, headers, extensions)?, speaks) {
        (door::Claim::Nobody, Speaks::Pages(_)) => {
            door::session(headers).map_or(door::Claim::Nobody, door::Claim::Session)
        }
        (claim, _) => claim,
    };
    let working = Arc::clone(app);
    let extensions = extensions.clone();
    tokio::task::spawn_blocking(move || door::caller(&working, &claim, &extensions))
        .await
        .map_err(|_| Refusal::new(500, "a bug of squall; please report it"))?
}

/// The parameters after `?`: each is known and comes once.
fn parameters(query: &str, known: &[Parameter]) -> Result<BTreeMap<String, String>, Refusal> {
    let uri = format!("/?{query}").parse().map_err(|_| Refusal::new(400, "the query cannot be read"))?;
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri)
        .map_err(|_| Refusal::new(400, "the query cannot be read"))?;
    let mut seen = BTreeSet::new();
    for (name, _) in &pairs.0 {
        if !known.iter().any(|parameter| parameter.name == name) {
            return Err(
                Refusal::new(400, "there is a parameter that this route does not have").next("see /openapi.json")
            );
        }
        if !seen.insert(name.clone()) {
            return Err(Refusal::new(400, format!("the parameter `{name}` comes twice")));
        }
    }
    Ok(pairs.0.into_iter().collect())
}

async fn read(body: Body, verb: Verb) -> Result<Vec<u8>, Refusal> {
    if verb == Verb::Get {
        return Ok(Vec::new());
    }
    let read = tokio::time::timeout(BODY_WITHIN.to_std(), to_bytes(body, LONGEST_BODY)).await;
    match read {
        Ok(Ok(bytes)) => Ok(bytes.to_vec()),
        Ok(Err(_)) => Err(Refusal::new(413, format!("the body has more than {LONGEST_BODY} bytes, or broke off"))),
        Err(_) => Err(Refusal::new(408, format!("the body did not come within {BODY_WITHIN}"))),
    }
}

/// Whether a body says that it is JSON. Pages of other origins cannot say so without asking first.
pub fn is_json(headers: &HeaderMap) -> bool {
    let kind = only(headers, CONTENT_TYPE).ok().flatten().unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// For what has no schema of its own.
pub fn any(_: &mut SchemaGenerator) -> schemars::Schema {
    schemars::Schema::try_from(Json::Object(serde_json::Map::new())).unwrap_or_default()
}
