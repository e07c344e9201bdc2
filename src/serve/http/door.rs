//! The door: every request's host, origin and rate, who asks, and whether they may.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use axum::extract::{Request, State};
use axum::http::Extensions;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, ORIGIN};

use super::address::only;
use super::reply::Refusal;
use super::route::is_json;
use super::{App, connection::Peer};
use crate::access::{Permission, Person, PersonName};

/// What a wrong token costs, in requests: guessing is slow.
const WRONG_TOKEN: u32 = 30;

/// No headers are longer, all together.
const LONGEST_HEAD: usize = 16 * 1024;

/// What a request says about who asks.
pub enum Claim {
    Nobody,
    Token(String),
    /// A listed proxy names a user.
    User(PersonName),
}

/// Before anything else: is the request for this server, and does its sender ask too much?
pub async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if let Some(why) = app.hosts.why_not(request.uri(), request.headers()) {
        return Refusal::new(403, why).into_response();
    }
    let length: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if length > LONGEST_HEAD {
        return Refusal::new(431, format!("the headers have more than {LONGEST_HEAD} bytes")).into_response();
    }
    let peer = peer(request.extensions());
    // Everybody behind a proxy has its address; they are told apart by name.
    if !app.doors.proxies.contains(&peer) && !take(&app, &peer.to_string(), 1) {
        return too_many().into_response();
    }
    next.run(request).await
}

fn too_many() -> Refusal {
    Refusal::new(429, "too many requests").next("wait a little; the rate is `serve: requests_a_minute` in squall.yaml")
}

fn take(app: &App, who: &str, cost: u32) -> bool {
    let mut rate = app.rate.lock().unwrap_or_else(PoisonError::into_inner);
    rate.take(who, cost, app.env.monotonic())
}

fn peer(extensions: &Extensions) -> IpAddr {
    extensions.get::<Peer>().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0)
}

/// What the headers say about who asks. A user's name is believed of a listed proxy only.
pub fn claim(app: &App, headers: &HeaderMap, extensions: &Extensions) -> Result<Claim, Refusal> {
    let unclear = |_| Refusal::new(400, "it is not clear who asks: a header comes twice, or is not text");
    let token = only(headers, AUTHORIZATION).map_err(unclear)?;
    if let Some(token) = token {
        return match token.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Claim::Token(token.trim().to_owned())),
            _ => Err(Refusal::new(401, "write `Authorization: Bearer TOKEN`").next("squall token create NAME")),
        };
    }
    if app.doors.proxies.contains(&peer(extensions))
        && let Ok(name) = app.doors.user_header.parse::<HeaderName>()
        && let Some(user) = only(headers, name).map_err(unclear)?
    {
        return user.parse().map(Claim::User).map_err(|error: String| Refusal::new(401, error));
    }
    Ok(Claim::Nobody)
}

/// Who asks. An unknown token is an error, even where none is needed.
pub fn person(app: &App, claim: &Claim, extensions: &Extensions) -> Result<Option<Person>, Refusal> {
    match claim {
        Claim::Nobody => Ok(None),
        Claim::Token(token) => match app.person_of_token(token)? {
            Some(person) => Ok(Some(person)),
            None => {
                let mut rate = app.rate.lock().unwrap_or_else(PoisonError::into_inner);
                rate.charge(&peer(extensions).to_string(), WRONG_TOKEN, app.env.monotonic());
                Err(Refusal::new(401, "the token is not known, has expired or was revoked").next("squall token list"))
            }
        },
        Claim::User(user) => {
            let found = app.doors.users.iter().find(|(name, _)| name == user);
            let person = found.map(|(name, role)| Person { name: name.clone(), role: *role });
            let stranger = || {
                Refusal::new(403, format!("{user} has no role here"))
                    .next("add them under `serve: users` in squall.yaml")
            };
            person.ok_or_else(stranger).map(Some)
        }
    }
}

/// Whether they may.
pub fn permit(
    app: &App,
    permission: Permission,
    person: Option<&Person>,
    extensions: &Extensions,
) -> Result<(), Refusal> {
    if let Some(person) = person
        && app.doors.proxies.contains(&peer(extensions))
        && !take(app, person.name.as_str(), 1)
    {
        return Err(too_many());
    }
    match (permission.given_to(person), person) {
        (true, _) => Ok(()),
        (false, None) => Err(Refusal::new(401, "this needs a token").next("squall token create NAME --role ROLE")),
        (false, Some(person)) => {
            let roles: Vec<&str> = permission.roles().iter().map(|role| role.word()).collect();
            Err(Refusal::new(403, format!("{} is {}, and this needs {}", person.name, person.role, roles.join(" or "))))
        }
    }
}

/// What changes something must be JSON. Where the browser itself says who asks, through a proxy, it must also say that the
/// page is ours: a form of another page would come with the same name.
pub fn check_write(app: &App, person: Option<&Person>, head: &Parts) -> Result<(), Refusal> {
    if !is_json(&head.headers) {
        return Err(Refusal::new(415, "write `Content-Type: application/json`"));
    }
    let by_proxy = person.is_some() && !head.headers.contains_key(AUTHORIZATION);
    if by_proxy && app.doors.proxies.contains(&peer(&head.extensions)) && !head.headers.contains_key(ORIGIN) {
        return Err(
            Refusal::new(403, "a write that a proxy signs on needs an Origin").next("use a token from programs")
        );
    }
    Ok(())
}
