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
use super::{App, Caller, connection::Peer};
use crate::access::invitation::{Member, Seat};
use crate::access::token::TokenHash;
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
    /// A browser sends a session's cookie.
    Session(TokenHash),
}

/// The cookie of a session. Its path is the day's, or the console's, so that one browser can have several.
pub const COOKIE: &str = "squall";

/// The session that a browser names. Of several cookies of the name, the first is the one with the longest path (RFC 6265, 5.4).
pub fn session(headers: &HeaderMap) -> Option<TokenHash> {
    let lines = headers.get_all(hyper::header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, secret)| TokenHash::of(secret)).next()
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
    // Everybody behind a proxy has its address; they are told apart by name. So are members of a day, whose office may have one
    // address: where that has no request left, who sends a session is let through to be looked at.
    let mut request = request;
    let taken = app.doors.proxies.contains(&peer) || take(&app, &peer.to_string(), 1);
    if !taken && session(request.headers()).is_none() {
        return too_many().into_response();
    }
    request.extensions_mut().insert(OnCredit(!taken));
    next.run(request).await
}

/// The address has no request left: only a member of a day, or of the console, is answered.
#[derive(Clone, Copy)]
struct OnCredit(bool);

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
pub fn caller(app: &App, claim: &Claim, extensions: &Extensions) -> Result<Caller, Refusal> {
    let on_credit = extensions.get::<OnCredit>().is_some_and(|credit| credit.0);
    let person = |person| Caller { person, member: None };
    match claim {
        Claim::Session(session) => of_session(app, session, on_credit, extensions),
        _ if on_credit => Err(too_many()),
        Claim::Nobody => Ok(person(None)),
        Claim::Token(token) => match app.person_of_token(token)? {
            Some(known) => Ok(person(Some(known))),
            None => {
                wrong(app, peer(extensions));
                Err(Refusal::new(401, "the token is not known, has expired or was revoked").next("squall token list"))
            }
        },
        Claim::User(user) => {
            let found = app.doors.users.iter().find(|(name, _)| name == user);
            let known = found.map(|(name, role)| Person { name: name.clone(), role: *role });
            let stranger = || {
                Refusal::new(403, format!("{user} has no role here"))
                    .next("add them under `serve: users` in squall.yaml")
            };
            known.ok_or_else(stranger).map(|known| person(Some(known)))
        }
    }
}

/// A wrong secret has been sent.
pub fn wrong(app: &App, peer: IpAddr) {
    let mut rate = app.rate.lock().unwrap_or_else(PoisonError::into_inner);
    rate.charge(&peer.to_string(), WRONG_TOKEN, app.env.monotonic());
}

/// Who has a session. It counts requests of its own, and not those of its address.
fn of_session(app: &App, session: &TokenHash, on_credit: bool, extensions: &Extensions) -> Result<Caller, Refusal> {
    let Some(invitation) = app.invitation_of(session)? else {
        wrong(app, peer(extensions));
        // A page that anyone may see is shown all the same.
        return if on_credit { Err(too_many()) } else { Ok(Caller::default()) };
    };
    if !on_credit {
        let mut rate = app.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.give_back(&peer(extensions).to_string());
    }
    let bucket: String = session.0.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    if !take(app, &format!("session {bucket}"), 1) {
        return Err(too_many());
    }
    let expired = app.env.now() >= invitation.expires;
    Ok(match invitation.seat {
        Seat::Day { day, actor } => {
            Caller { person: None, member: Some(Member { day, actor, session: *session, expired }) }
        }
        Seat::Console(person) => Caller { person: Some(person).filter(|_| !expired), member: None },
    })
}

/// Whether they may.
pub fn permit(app: &App, permission: Permission, caller: &Caller, extensions: &Extensions) -> Result<(), Refusal> {
    let person = caller.person.as_ref();
    if let Some(member) = &caller.member {
        return match permission.given_to_member(member) {
            true => Ok(()),
            false if member.expired => Err(Refusal::new(401, "your session has expired").next("ask for a new link")),
            false => Err(Refusal::new(403, "a member of a game day may not do this")),
        };
    }
    if matches!(permission, Permission::TakePart | Permission::Abort) {
        return Err(Refusal::new(401, "this browser is not part of this day").next("open the link that you were given"));
    }
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

/// What a form may send: itself, from a page of ours. Browsers say where a form comes from (`Origin`), which was compared with this
/// server's name before.
pub fn check_form(head: &Parts) -> Result<(), Refusal> {
    let kind = only(&head.headers, hyper::header::CONTENT_TYPE).ok().flatten().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Refusal::new(415, "this is a form of a page"));
    }
    match head.headers.contains_key(ORIGIN) {
        true => Ok(()),
        false => Err(Refusal::new(403, "a form must say which page it comes from").next("open the page again")),
    }
}
