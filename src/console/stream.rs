//! What changes on a page, as it changes. A message has every part that changed since the reader's number; its id is the number of the
//! last change, so that a reader that comes back gets what it has not, and nothing twice.

use serde_json::json;

use super::day::of;
use super::parts::Part;
use super::{SHARED, Shared, project};
use crate::access::invitation::Member;
use crate::ids::RunId;
use crate::serve::http::{Answer, App, Asked, Feed, Message, Refusal};
use crate::units::Span;

/// How often a page of a day is looked at: an event should reach everybody within a quarter of a second.
const LOOK: Span = Span::from_millis(100);
/// How often it is looked whether the reader may still read.
const STILL: Span = Span::from_secs(2);

/// Where the reader is: by the header of a stream that was cut, else by the page.
fn heard(asked: &Asked) -> Result<u64, Refusal> {
    match asked.heard.as_deref().filter(|heard| !heard.is_empty()) {
        Some(heard) => heard.parse().map_err(|_| Refusal::new(400, "`Last-Event-ID` is the number of a change")),
        None => Ok(asked.parameter("after")?.unwrap_or(0)),
    }
}

fn message(number: u64, parts: &[Part]) -> Message {
    Message { id: number.to_string(), event: "parts", data: json!(parts).to_string() }
}

/// Someone who follows a day.
pub struct Following {
    console: Shared,
    member: Member,
    heard: u64,
    looked: Span,
}

/// `GET /days/{day}/stream`.
pub fn day(console: &Shared, app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let (member, heard) = (of(asked)?.clone(), heard(asked)?);
    let looked = app.env.monotonic();
    Ok(Answer::Feed(Box::new(Following { console: Shared::clone(console), member, heard, looked })))
}

impl Feed for Following {
    fn at(&self) -> String {
        self.heard.to_string()
    }

    fn next(&mut self, app: &App) -> Result<Vec<Message>, Refusal> {
        let now = app.env.monotonic();
        if now - self.looked >= STILL {
            self.looked = now;
            let known = app.invitation_of(&self.member.session)?;
            if known.is_none_or(|invitation| app.env.now() >= invitation.expires) {
                return Err(Refusal::new(401, "your session has ended"));
            }
        }
        let role = self.member.actor.role;
        let after = self.heard;
        let changed = self.console.with_day(app, &self.member.day, SHARED, |projection| {
            let seen = projection.seen(role).map_err(|_| Refusal::new(503, "this day cannot be shown"))?;
            // A number of a page that this record never had: the whole page comes.
            let after = if after > seen.number { 0 } else { after };
            Ok::<_, Refusal>((seen.number > after).then(|| (seen.number, seen.changed_after(after))))
        })??;
        let Some((number, parts)) = changed else { return Ok(Vec::new()) };
        self.heard = number;
        Ok(vec![message(number, &parts)])
    }

    fn is_over(&self) -> bool {
        false
    }

    fn look(&self) -> Span {
        LOOK
    }
}

/// Someone who follows a run.
struct FollowingRun {
    run: RunId,
    heard: u64,
    over: bool,
}

/// `GET /console/runs/{run}/stream`.
pub fn run(_: &Shared, app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let (run, heard) = (project::named(asked)?, heard(asked)?);
    app.with_store(|store| store.is_alive(&run))?;
    Ok(Answer::Feed(Box::new(FollowingRun { run, heard, over: false })))
}

impl Feed for FollowingRun {
    fn at(&self) -> String {
        self.heard.to_string()
    }

    fn next(&mut self, app: &App) -> Result<Vec<Message>, Refusal> {
        // The last event's number, before the whole story is told again.
        let newer = app.with_store(|store| store.events_after(&self.run, self.heard, 1))?;
        if newer.is_empty() {
            return Ok(Vec::new());
        }
        let story = project::story(app, &self.run)?;
        let parts: Vec<Part> =
            story.parts.into_iter().filter(|(seq, _)| *seq > self.heard).map(|(_, part)| part).collect();
        (self.heard, self.over) = (story.last, story.over);
        Ok(vec![message(self.heard, &parts)])
    }

    fn is_over(&self) -> bool {
        self.over
    }
}
