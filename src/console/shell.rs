//! What every page has: its frame, its style, its script, and how a refusal looks.

use hyper::header::{CACHE_CONTROL, HeaderValue};
use maud::{DOCTYPE, Markup, html};

use super::Shared;
use crate::outside::printable;
use crate::serve::http::{Answer, App, Asked, Refusal};

/// The kind of every page.
pub const HTML: &str = "text/html";
pub const STYLE_AT: &str = "/assets/console.css";
pub const SCRIPT_AT: &str = "/assets/console.js";

const STYLE: &str = concat!(include_str!("../report/style.css"), include_str!("console.css"));
const SCRIPT: &str = include_str!("console.js");

/// A page.
pub struct Page<'a> {
    pub title: &'a str,
    /// Who looks at it, on the right of the bar.
    pub who: String,
    pub nav: Markup,
    pub main: Markup,
    /// Where its changes come from, and the number of the last one that is on it.
    pub stream: Option<(String, u64)>,
}

impl Page<'_> {
    /// The page as an answer.
    pub fn answer(&self) -> Answer {
        Answer::Text { kind: HTML, text: self.text(), headers: Vec::new() }
    }

    fn text(&self) -> String {
        let (stream, after) = match &self.stream {
            Some((path, number)) => (Some(path), Some(number.to_string())),
            None => (None, None),
        };
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · squall" }
                    link rel="stylesheet" href=(STYLE_AT);
                    script src=(SCRIPT_AT) defer {}
                }
                body data-stream=[stream] data-after=[after] {
                    a class="skip" href="#main" { "Skip to the content" }
                    header class="bar" {
                        p class="brand" { "squall" }
                        (self.nav)
                        p class="who" { (self.who) }
                    }
                    main id="main" {
                        p id="answer" class="answer" role="status" {}
                        (self.main)
                        @if stream.is_some() {
                            p id="live" class="live" role="status" { a href="" { "Reload" } " to see what is new." }
                        }
                    }
                }
            }
        };
        printable(&page.into_string())
    }
}

/// The page of a refusal. On the page of a day it can still abort: a session that has ended by time may do that.
pub fn refused(refusal: &Refusal, path: &str) -> String {
    let day = path.strip_prefix("/days/").and_then(|rest| rest.split('/').next()).filter(|day| !day.is_empty());
    let title = match refusal.status {
        401 => "You are not signed in here",
        403 => "This is not for you",
        404 => "There is no such page",
        409 => "Not possible now",
        429 => "Too many requests",
        _ => "This did not work",
    };
    let main = html! {
        h1 { (title) }
        p class="refusal" { (sentence(&refusal.what)) }
        @if let Some(next) = &refusal.next { p { (sentence(next)) } }
        @if let Some(day) = day {
            p { a class="button" href={ "/days/" (day) } { "Back to the day" } }
            @if refusal.status == 401 { (abort(day, "Stop the game day", "If you were part of this day, you can still stop it.")) }
        }
    };
    Page { title, who: String::new(), nav: html! {}, main, stream: None }.text()
}

/// The form that aborts a day. It is plain HTML: it needs no script and no stream.
pub fn abort(day: &str, title: &str, says: &str) -> Markup {
    html! {
        section class="abort" aria-labelledby="abort-title" {
            h2 id="abort-title" { (title) }
            p { (says) " Everything that was changed is rolled back at once; the record stays." }
            form method="post" action={ "/days/" (day) "/abort" } data-plain="" {
                label for="abort-text" { "Why" }
                input id="abort-text" name="text" maxlength="300" autocomplete="off" value="Asked for on the page";
                button id="abort" class="danger" { "Abort: roll everything back" }
            }
        }
    }
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let text = crate::gameday::told::capital(&crate::outside::one_line(text));
    if text.ends_with(['.', '!', '?', ':']) { text } else { format!("{text}.") }
}

/// `GET /assets/console.css`.
pub fn style(_: &Shared, _: &App, _: &Asked) -> Result<Answer, Refusal> {
    Ok(asset("text/css; charset=utf-8", STYLE))
}

/// `GET /assets/console.js`.
pub fn script(_: &Shared, _: &App, _: &Asked) -> Result<Answer, Refusal> {
    Ok(asset("text/javascript; charset=utf-8", SCRIPT))
}

fn asset(kind: &'static str, text: &str) -> Answer {
    let headers = vec![(CACHE_CONTROL, HeaderValue::from_static("private, max-age=300"))];
    Answer::Text { kind, text: text.to_owned(), headers }
}
