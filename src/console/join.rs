//! Joining with a link. Chat tools and mail scanners open links, so that opening one changes nothing: a button joins.

use hyper::header::{HeaderValue, SET_COOKIE};
use maud::html;

use super::Shared;
use super::shell::Page;
use crate::access::invitation::{Invitation, Seat, of_link};
use crate::access::token::issue;
use crate::access::{Act, Person};
use crate::serve::http::{Answer, App, Asked, COOKIE, Refusal};
use crate::units::Span;

/// `GET /`.
pub fn front(_: &Shared, _: &App, _: &Asked) -> Result<Answer, Refusal> {
    let main = html! {
        h1 { "squall" }
        p { "Open the link that you were given for a game day, or go on to the " a href="/console" { "project's runs" } "." }
        p class="soft" { "A facilitator makes links with " code { "squall gameday invite" } "; " code { "squall console" } " prints one for the project." }
    };
    Ok(Page { title: "squall", who: String::new(), nav: html! {}, main, stream: None }.answer())
}

/// The invitation of a link, or why there is nothing behind it. A wrong one costs what a wrong token costs.
fn invitation(app: &App, asked: &Asked, secret: &str) -> Result<Invitation, Refusal> {
    let rows = app.with_project(|store| store.invitations())?;
    let Some(found) = of_link(&rows, secret) else {
        app.wrong_secret(asked);
        return Err(Refusal::new(404, "this link opens nothing").next("ask for a new one"));
    };
    found.check(app.env.now()).map_err(|spent| Refusal::new(410, spent.sentence()).next("ask for a new one"))?;
    Ok(found.clone())
}

/// `GET /join/{link}`.
pub fn look(_: &Shared, app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let secret = asked.part("link");
    let found = invitation(app, asked, secret)?;
    let (title, who, role) = match &found.seat {
        Seat::Day { day, actor } => (format!("Game day {day}"), actor.person.to_string(), actor.role.to_string()),
        Seat::Console(Person { name, role }) => ("The project's console".into(), name.to_string(), role.to_string()),
    };
    let main = html! {
        div class="card" {
            h1 { (title) }
            p { "You join as " strong { (who) } ", " (role) "." }
            form method="post" action="/join" data-plain="" {
                input type="hidden" name="link" value=(secret);
                button id="join" class="primary" { "Join" }
            }
            p class="soft" { "The link works once, for this browser. Are you not " (who) "? Then close this page." }
        }
    };
    Ok(Page { title: "Join", who: String::new(), nav: html! {}, main, stream: None }.answer())
}

/// `POST /join`.
pub fn join(_: &Shared, app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let secret = asked.field("link")?;
    let found = invitation(app, asked, &secret)?;
    let (session, hash) = issue(&*app.env);
    let now = app.env.now();
    if !app.with_project(|store| store.join(&found.link, hash, now))? {
        return Err(Refusal::new(410, "this link was used at the same time").next("ask for a new one"));
    }
    let (by, path) = match &found.seat {
        Seat::Day { day, actor } => (actor.person.to_string(), format!("/days/{day}")),
        Seat::Console(person) => (person.name.to_string(), "/console".to_owned()),
    };
    app.with_store(|store| store.note(&Act { at: now, by, what: "join".into(), detail: path.clone() }))?;
    // It outlives the session by a week, so that a member can still abort: the store says what it opens.
    let age = found.expires.since(now).secs_f64() as u64 + KEPT.secs_f64() as u64;
    let secure = if asked.by_tls { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={session}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    let cookie = HeaderValue::from_str(&cookie).map_err(|error| Refusal::new(500, error.to_string()))?;
    Ok(Answer::See { path, headers: vec![(SET_COOKIE, cookie)] })
}

const KEPT: Span = Span::from_mins(7 * 1_440);
