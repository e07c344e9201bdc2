//! The pages of responders, observers, scribes and safety monitors. They are made of a role's view, and of nothing else.

use maud::{Markup, PreEscaped, html};

use super::facilitator::{checks_part, people_part, scenario_part};
use super::parts::{Part, Seen, entry};
use super::shell::abort;
use crate::access::invitation::Member;
use crate::gameday::role::{Role, Statement};
use crate::gameday::told::capital;
use crate::gameday::view::View;
use crate::ids::DayId;
use crate::outside::printable;
use crate::units::Time;

/// A part's markup, with its id.
pub fn part(id: &str, markup: &Markup) -> Part {
    (id.to_owned(), printable(&markup.0))
}

/// An instant for people: the time of day in UTC, with the whole instant for machines.
pub fn clock(at: Time) -> Markup {
    let text = at.to_string();
    let short = text.get(11..19).unwrap_or(&text);
    html! { time datetime=(text) { (short) } }
}

/// Every part of a page of this role.
pub fn parts(id: &DayId, view: &View, role: Role) -> Vec<Part> {
    let mut parts = vec![part("status", &status(view)), part("briefing", &briefing(view))];
    parts.push(part("questions", &questions(id, view)));
    parts.extend(view.safety.as_ref().map(|safety| {
        part(
            "safety",
            &html! {
                section id="safety" aria-labelledby="safety-title" {
                    h2 id="safety-title" { "Safety" }
                    p class={ "state " (if safety.fault_in_place { "on" } else { "off" }) } { (safety.fault) }
                    @if !safety.alarms.is_empty() { p class="state on" { "In alarm: " (safety.alarms.join(", ")) } }
                    @if !safety.abort_when.is_empty() {
                        p { "Abort when:" }
                        ul { @for when in &safety.abort_when { li { (when) } } }
                    }
                }
            },
        )
    }));
    if let Some(lead) = &view.lead {
        parts.push(people_part(lead));
        parts.push(checks_part(id, lead, &[]));
        parts.extend(lead.scenarios.iter().map(|scenario| scenario_part(id, scenario, false)));
    }
    parts.extend(timeline(id, view, role));
    parts
}

fn status(view: &View) -> Markup {
    html! {
        section id="status" class="status" role="status" aria-label="How the day stands" {
            p class="phase" { (capital(&view.phase)) }
            @if view.paused { p class="flag" { "Paused" } }
            @if let Some(why) = &view.aborted { p class="flag bad" { "Aborted by " (why) } }
        }
    }
}

/// The briefing, and where to look.
fn briefing(view: &View) -> Markup {
    html! {
        section id="briefing" aria-labelledby="briefing-title" {
            @if !view.dashboards.is_empty() {
                h2 { "Dashboards" }
                ul { @for link in &view.dashboards { li { a href=(link) rel="noreferrer noopener" target="_blank" { (link) } } } }
            }
            h2 id="briefing-title" { "Briefing" }
            @for paragraph in view.briefing.split("\n\n").filter(|text| !text.trim().is_empty()) { p { (paragraph) } }
        }
    }
}

/// The questions of the debrief, with a field for an answer to each.
fn questions(id: &DayId, view: &View) -> Markup {
    html! {
        section id="questions" {
            @if !view.questions.is_empty() {
                h2 { "Debrief" }
                @for (number, question) in (1..).zip(&view.questions) {
                    form method="post" action={ "/days/" (id) "/do" } class="line" {
                        label for={ "answer-" (number) } { (question) }
                        input id={ "answer-" (number) } name="text" maxlength="3000" autocomplete="off" required;
                        button name="do" value={ "answer " (number) } { "Answer" }
                    }
                }
            }
        }
    }
}

/// What came to this role, what responders said, and the notes, oldest first.
fn timeline(id: &DayId, view: &View, role: Role) -> Vec<Part> {
    let mut rows: Vec<(Time, &str, Markup)> = Vec::new();
    for message in &view.messages {
        let from = message.from.as_deref().unwrap_or("announcement");
        rows.push((
            message.at,
            "message",
            html! {
                b { (capital(from)) } @if let Some(text) = &message.text { p { (text) } }
                @if let Some(expected) = &message.expected { p class="soft" { "Expected: " (expected) } }
                @if let Some(outcome) = &message.outcome { p class="soft" { (capital(outcome)) } }
            },
        ));
    }
    for said in &view.said {
        let text = if said.text.is_empty() { String::new() } else { format!(": {}", said.text) };
        rows.push((
            said.at,
            "said",
            html! { b { (said.person) @if said.agent { " (an agent)" } } p { (said.says) (text) } },
        ));
    }
    for note in &view.notes {
        rows.push((
            note.at,
            "note",
            html! {
                b { "Note " (note.number) " by " (note.person) @if note.agent { " (an agent)" } }
                p { (note.text) @if note.corrected { " " span class="soft" { "(corrected)" } } }
                @if role == Role::Scribe { (correct(id, note.number, &note.text)) }
            },
        ));
    }
    rows.sort_by_key(|(at, ..)| *at);
    let row = |(number, (at, kind, text)): (usize, (Time, &str, Markup))| {
        let name = entry("timeline", number);
        part(&name, &html! { li id=(name) class=(kind) { (clock(at)) div { (text) } } })
    };
    (1..).zip(rows).map(row).collect()
}

/// A note keeps what it said before in the record.
fn correct(id: &DayId, number: u64, text: &str) -> Markup {
    html! {
        details {
            summary { "Correct" span class="hidden" { " note " (number) } }
            form method="post" action={ "/days/" (id) "/do" } class="line" {
                label for={ "correct-" (number) } { "What note " (number) " should have said" }
                input id={ "correct-" (number) } name="text" maxlength="3000" autocomplete="off" required value=(text);
                button name="do" value={ "correct " (number) } { "Correct" }
            }
        }
    }
}

/// The list that grows, newest first.
pub fn list(seen: &Seen, title: &str) -> Markup {
    html! {
        section aria-labelledby="timeline-title" {
            h2 id="timeline-title" { (title) }
            ol id="timeline" class="timeline" reversed aria-live="polite" tabindex="0" aria-labelledby="timeline-title" {
                @for html in seen.entries("timeline") { (PreEscaped(html)) }
            }
        }
    }
}

/// A part as it is now.
pub fn shown(seen: &Seen, name: &str) -> Markup {
    PreEscaped(seen.part(name).to_owned())
}

/// A line with a field, which one button sends.
pub fn line(day: &str, command: &str, label: &str, button: &str, required: bool) -> Markup {
    let id = format!("text-{}", command.replace(' ', "-"));
    html! {
        form method="post" action={ "/days/" (day) "/do" } class="line" {
            label for=(id) { (label) }
            input id=(id) name="text" maxlength="3000" autocomplete="off" required[required];
            button name="do" value=(command) { (button) }
        }
    }
}

fn note(day: &str, label: &str) -> Markup {
    html! { section class="first" { (line(day, "note", label, "Note", true)) } }
}

/// A responder's page.
pub fn responder(member: &Member, seen: &Seen) -> Markup {
    let day = member.day.0.as_str();
    let one = |statement: Statement, label: &str| {
        html! {
            button id={ "say-" (statement.word()) } name="do" value={ "say " (statement.word()) } { (label) }
        }
    };
    let others: Vec<&str> = seen
        .day
        .people
        .iter()
        .filter(|(person, (role, _))| *role == Role::Responder && **person != member.actor.person)
        .map(|(person, _)| person.0.as_str())
        .collect();
    html! {
        (shown(seen, "status"))
        section aria-labelledby="say-title" {
            h2 id="say-title" { "Say it to everybody" }
            form method="post" action={ "/days/" (day) "/do" } class="buttons" {
                (one(Statement::Noticed, "I noticed"))
                (one(Statement::Acknowledged, "I am looking"))
                (one(Statement::Command, "I take command"))
                (one(Statement::Recovered, "All clear"))
            }
            (line(day, "say cause", "The cause is", "Say the cause", true))
            (line(day, "say mitigating", "I am mitigating by", "Mitigating", true))
            form method="post" action={ "/days/" (day) "/do" } class="line" {
                label for="hand-over" { "I hand over to" }
                input id="hand-over" name="text" list="responders" maxlength="64" autocomplete="off" required;
                datalist id="responders" { @for other in &others { option value=(other) {} } }
                button name="do" value="say hand_over" { "Hand over" }
            }
            (line(day, "say status", "Status update", "Send", true))
        }
        (list(seen, "What happened"))
        (shown(seen, "questions"))
        (shown(seen, "briefing"))
    }
}

/// An observer's page: everything, and a note.
pub fn observer(day: &str, seen: &Seen) -> Markup {
    html! {
        (shown(seen, "status"))
        (note(day, "Note"))
        (shown(seen, "safety"))
        @for html in seen.entries("scenario").into_iter().rev() { (PreEscaped(html)) }
        (list(seen, "What happened"))
        (shown(seen, "people"))
        (shown(seen, "checks"))
        (shown(seen, "questions"))
        (shown(seen, "briefing"))
    }
}

/// A scribe's page: a field that is always ready, and the notes.
pub fn scribe(day: &str, seen: &Seen) -> Markup {
    html! {
        (shown(seen, "status"))
        section class="first" {
            form method="post" action={ "/days/" (day) "/do" } class="line" {
                label for="note" { "Note: Enter writes it, squall sets its time" }
                input id="note" name="text" maxlength="3000" autocomplete="off" required autofocus accesskey="n";
                button name="do" value="note" { "Note" }
            }
        }
        (list(seen, "What happened"))
        details {
            summary { "Agree on an action" }
            (action(day))
        }
        (shown(seen, "questions"))
        (shown(seen, "briefing"))
    }
}

/// What is done about it, by whom, until when, and when it is tested again.
pub fn action(day: &str) -> Markup {
    let field = |name: &str, label: &str, kind: &str| {
        html! {
            div { label for={ "action-" (name) } { (label) } input id={ "action-" (name) } name=(name) type=(kind) autocomplete="off"; }
        }
    };
    html! {
        form method="post" action={ "/days/" (day) "/do" } class="fields" {
            div class="whole" { label for="action-text" { "What is done" } input id="action-text" name="text" maxlength="3000" autocomplete="off" required; }
            div { label for="action-owner" { "By whom" } input id="action-owner" name="owner" maxlength="64" autocomplete="off" required; }
            (field("due", "Until", "date"))
            (field("ticket", "Ticket (https link)", "url"))
            (field("scenario", "Of scenario", "number"))
            (field("retest", "Tested again on", "date"))
            button name="do" value="action" { "Agree" }
        }
    }
}

/// A safety monitor's page: one large button, and what it is about.
pub fn safety(day: &str, seen: &Seen) -> Markup {
    html! {
        (shown(seen, "status"))
        div class="large" { (abort(day, "Abort the day", "Press it when customers, data or people are at risk. You need not ask.")) }
        (shown(seen, "safety"))
        form method="post" action={ "/days/" (day) "/do" } class="buttons" {
            button name="do" value="stop" { "Roll the fault back; go on" }
            button name="do" value="pause hold" { "Pause, and roll the fault back" }
        }
        (note(day, "Note"))
        (list(seen, "What happened"))
        (shown(seen, "questions"))
        (shown(seen, "briefing"))
    }
}
