//! The pages of a day, one for each role, and what their forms ask.

use maud::{Markup, html};

use super::parts::Seen;
use super::shell::{Page, abort as abort_form};
use super::{Console, NOW, Shared, facilitator, member};
use crate::access::invitation::Member;
use crate::gameday::command::{Ask, Command, Placed};
use crate::gameday::event::Action;
use crate::gameday::line;
use crate::gameday::role::Role;
use crate::gameday::step::{Input, step};
use crate::outside::one_line;
use crate::serve::http::{Answer, App, Asked, Refusal};
use crate::units::Span;

/// Who asks; the door has checked that this person may.
pub fn of(asked: &Asked) -> Result<&Member, Refusal> {
    asked.member.as_ref().ok_or_else(|| Refusal::new(401, "this browser is not part of this day"))
}

const ORPHANED: &str = "no process leads this day, and a fault may be in place";
const BY_HAND: &str = "roll it back from a terminal of the project: squall undo";

/// `GET /days/{day}`.
pub fn page(console: &Shared, app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let member = of(asked)?;
    let waiting = waiting(app, member)?;
    let actor = &member.actor;
    let (title, number, main) = console.with_day(app, &member.day, NOW, |projection| {
        let seen = projection.seen(actor.role).map_err(|_| Refusal::new(503, "this day cannot be shown"))?;
        let title = seen.day.runbook.front.title.clone();
        let orphaned =
            knows_of_faults(actor.role) && console.desk.is_orphaned(&member.day, &seen.day).map_err(unavailable)?;
        Ok::<_, Refusal>((title, seen.number, main(member, seen, &waiting, orphaned)))
    })??;
    let who = format!("{}{}, {}", actor.person, if actor.agent { " (an agent)" } else { "" }, actor.role);
    let stream = Some((format!("/days/{}/stream", member.day), number));
    Ok(Page { title: &title, who, nav: html! {}, main, stream }.answer())
}

/// Whether a role may know that a fault is in place.
fn knows_of_faults(role: Role) -> bool {
    matches!(role, Role::Facilitator | Role::Observer | Role::SafetyMonitor)
}

fn main(member: &Member, seen: &Seen, waiting: &[String], orphaned: bool) -> Markup {
    let day = member.day.0.as_str();
    html! {
        h1 { (seen.day.runbook.front.title) }
        @if orphaned {
            p class="waiting" role="alert" { (ORPHANED) ": run " code { "squall undo" } " in a terminal of the project." }
        }
        @if !waiting.is_empty() {
            p class="waiting" { "Asked, and not taken yet: " (waiting.join(", ")) ". If no process leads this day, run "
                code { "squall undo" } " to roll back." }
        }
        @match member.actor.role {
            Role::Facilitator => (facilitator::page(day, seen)),
            Role::Observer => (member::observer(day, seen)),
            Role::Responder => (member::responder(member, seen)),
            Role::Scribe => (member::scribe(day, seen)),
            Role::SafetyMonitor => (member::safety(day, seen)),
        }
        @if member.actor.role != Role::SafetyMonitor {
            (abort_form(day, "Stop the game day", "Everyone may stop at any time, for any reason."))
        }
    }
}

/// What this member asked and no process took yet, in words.
fn waiting(app: &App, member: &Member) -> Result<Vec<String>, Refusal> {
    let asks = app.with_project(|store| store.day_asks(&member.day)).map_err(unavailable)?;
    let own = asks.into_iter().filter(|(_, ask)| ask.by == member.actor);
    Ok(own.map(|(_, ask)| ask.command.words()).collect())
}

/// Why the store cannot be used is not told to members.
fn unavailable(_: Refusal) -> Refusal {
    Refusal::new(503, "the record of this day cannot be used now").next("try again, or tell the facilitator aloud")
}

/// `POST /days/{day}/do`.
pub fn ask(console: &Shared, app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let member = of(asked)?;
    let command = command(console, app, asked, member)?;
    let placed = place(console, app, member, command)?;
    if placed == Placed::RecordedWhileFaultInPlace && knows_of_faults(member.actor.role) {
        return Err(Refusal::new(409, format!("it is recorded, but {ORPHANED}")).next(BY_HAND));
    }
    taken(app, member)?;
    Ok(Answer::See { path: format!("/days/{}", member.day), headers: Vec::new() })
}

/// `POST /days/{day}/abort`.
pub fn abort(console: &Shared, app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let member = of(asked)?;
    let why = one_line(&asked.field("text")?);
    let why = if why.is_empty() { "asked for on the page".to_owned() } else { why };
    let placed = place(console, app, member, Command::Abort { why })?;
    if placed == Placed::RecordedWhileFaultInPlace {
        return Err(Refusal::new(409, format!("the abort is recorded, but {ORPHANED}")).next(BY_HAND));
    }
    if member.expired {
        let main =
            html! { h1 { "Aborted" } p { "Everything is being rolled back. Tell the facilitator aloud as well." } };
        return Ok(Page { title: "Aborted", who: String::new(), nav: html! {}, main, stream: None }.answer());
    }
    taken(app, member)?;
    Ok(Answer::See { path: format!("/days/{}", member.day), headers: Vec::new() })
}

/// What a form asks: a command as it is typed, and a text that follows it.
fn command(console: &Console, app: &App, asked: &Asked, member: &Member) -> Result<Command, Refusal> {
    let bad = |what: String| Refusal::new(400, what);
    let (typed, text) = (one_line(&asked.field("do")?), one_line(&asked.field("text")?));
    if typed == "action" {
        return action(asked, text).map(|action| Command::Agree { action }).map_err(bad);
    }
    let questions = console.with_day(app, &member.day, NOW, |projection| {
        projection.seen(member.actor.role).map(|seen| seen.day.questions()).unwrap_or_default()
    })?;
    let (person, command) = line::parse(format!("{typed} {text}").trim(), &questions).map_err(bad)?;
    // Somebody else is not spoken for.
    if person.is_some_and(|person| person != member.actor.person) {
        return Err(Refusal::new(403, "a page speaks for its own person alone"));
    }
    // The number of a note tells how much was recorded before it.
    let corrects = matches!(command, Command::Correct { .. });
    if !command.may(member.actor.role) || (corrects && member.actor.role == Role::Responder) {
        return Err(Refusal::new(403, format!("a {} may not do this", member.actor.role)).next("tell the facilitator"));
    }
    Ok(command)
}

/// An action that was agreed on. Its owner may be more than one word here.
fn action(asked: &Asked, text: String) -> Result<Action, String> {
    let field = |name: &str| asked.field(name).map(|value| one_line(&value)).map_err(|refusal| refusal.what);
    let mut typed = "action owner".to_owned();
    for name in ["due", "retest", "scenario", "ticket"] {
        let value = field(name)?;
        if !value.is_empty() {
            typed += &format!(" {name}={value}");
        }
    }
    let owner = field("owner")?.parse::<crate::gameday::role::Person>()?;
    match line::parse(&format!("{typed} {text}"), &[])?.1 {
        Command::Agree { action } => Ok(Action { owner: owner.0, ..action }),
        _ => Err("this is not an action".into()),
    }
}

/// Puts a command before the day. What is impossible now is refused at once.
fn place(console: &Console, app: &App, member: &Member, command: Command) -> Result<Placed, Refusal> {
    if !command.may(member.actor.role) {
        return Err(Refusal::new(403, format!("a {} may not do this", member.actor.role)));
    }
    // Whether a repeated abort is already being carried out, the desk knows.
    let repeated = matches!(command, Command::Abort { .. });
    let looked = console.with_day(app, &member.day, NOW, |projection| {
        let seen = projection.seen(member.actor.role).map_err(|_| Refusal::new(503, "this day cannot be used"))?;
        let input = Input::Asked(member.actor.clone(), command.clone());
        let refused = |refusal: crate::gameday::step::Refusal| Refusal::new(409, refusal.what).next(refusal.next);
        step(&seen.day, &member.day.0, seen.day.last, input).map(drop).map_err(refused)
    })?;
    let refused = match looked {
        Err(refused) if repeated => Some(refused),
        looked => looked.map(|()| None)?,
    };
    let placed = console.desk.ask_day(&member.day, Ask { by: member.actor.clone(), command });
    placed.map_err(|lost| refused.unwrap_or_else(|| unavailable(lost)))
}

/// Waits a little until the process that leads the day has taken what was asked, so that a page without a script shows it.
fn taken(app: &App, member: &Member) -> Result<(), Refusal> {
    for _ in 0..12 {
        if waiting(app, member)?.is_empty() {
            break;
        }
        app.env.sleep(Span::from_millis(25));
    }
    Ok(())
}
