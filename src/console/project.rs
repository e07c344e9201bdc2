//! Pages outside of game days: the halt, runs, days, schedules and the confidence board.

use maud::{Markup, PreEscaped, html};

use super::Shared;
use super::member::{clock, part};
use super::parts::{Part, entry};
use super::shell::Page;
use crate::gameday::day::Day;
use crate::gameday::event::Event as DayEvent;
use crate::ids::RunId;
use crate::outside::{one_line, printable};
use crate::report::board;
use crate::report::html::body;
use crate::report::line::lines;
use crate::report::summary::Summary;
use crate::run::event::Event;
use crate::schedule::list::document;
use crate::serve::http::{Answer, App, Asked, Refusal};
use crate::store::aftermath::Aftermath;
use crate::store::{JournalKind, RunRow};

/// So many runs are listed.
const LISTED: usize = 50;

fn nav() -> Markup {
    html! {
        nav aria-label="Pages" {
            a href="/console" { "Runs" } " " a href="/console/schedules" { "Calendar" } " " a href="/console/board" { "Confidence" }
        }
    }
}

fn page(asked: &Asked, title: &str, main: Markup, stream: Option<(String, u64)>) -> Result<Answer, Refusal> {
    let who = asked.person.as_ref().map_or_else(String::new, |person| format!("{}, {}", person.name, person.role));
    Ok(Page { title, who, nav: nav(), main, stream }.answer())
}

/// `GET /console`.
pub fn overview(_: &Shared, app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let (halted, rows) = app.with_store(|store| Ok((store.halted()?, store.runs()?)))?;
    let days = app.with_project(|store| {
        let newest: Vec<_> = store.days()?.into_iter().take(LISTED).collect();
        newest.into_iter().map(|id| Ok((store.day_events(&id)?, id))).collect::<Result<Vec<_>, _>>()
    })?;
    let main = html! {
        h1 { "Runs and game days" }
        (halt_form(halted.as_deref()))
        section aria-labelledby="runs" {
            h2 id="runs" { "Runs" }
            div class="wide" tabindex="0" role="region" aria-label="The newest runs" {
                table {
                    thead { tr { th scope="col" { "Began" } th scope="col" { "Run" } th scope="col" { "Ended" } } }
                    tbody { @for row in rows.iter().filter(|row| row.kind == JournalKind::Run).take(LISTED) { (run_row(row, &rows)) } }
                }
            }
            @if rows.is_empty() { p class="soft" { "No run yet: " code { "squall run FILE" } } }
        }
        section aria-labelledby="days" {
            h2 id="days" { "Game days" }
            @if days.is_empty() { p class="soft" { "None yet: " code { "squall gameday run runbooks/NAME.md" } } }
            ul { @for (events, id) in &days {
                @if let Ok(day) = Day::replay(events) {
                    li { (day.runbook.front.title) ", " (day.phase.word()) " " span class="soft" { (id) } }
                }
            } }
            @if days.iter().any(|(events, _)| !matches!(events.last().map(|last| &last.event), Some(DayEvent::Entered { phase: crate::gameday::event::Phase::Closed }))) {
                p class="soft" { "A person takes part by a link of their own: " code { "squall gameday invite --role responder --name NAME" } }
            }
        }
    };
    page(asked, "Runs", main, None)
}

fn run_row(row: &RunRow, rows: &[RunRow]) -> Markup {
    let left = Aftermath::of(rows, &row.run).left;
    html! {
        tr {
            td class="time" { @if let Some(at) = row.started { (at.to_string().get(..16).unwrap_or_default().replace('T', " ")) } }
            td { a href={ "/console/runs/" (row.run) } { (if row.title.is_empty() { row.run.0.as_str() } else { row.title.as_str() }) } small { (row.run) } }
            td {
                @match &row.verdict {
                    Some(verdict) => span class={ "chip " (verdict.kind) } { (verdict.kind) },
                    None if row.alive => span class="chip none" { "at work" },
                    None => span class="chip unknown" { "unfinished" },
                }
                @if !left.is_empty() { " " strong { "left behind" } }
            }
        }
    }
}

/// The halt switch: a reason, and one button.
fn halt_form(halted: Option<&str>) -> Markup {
    html! {
        section class="halt" aria-labelledby="halt-title" {
            h2 id="halt-title" { "Halt" }
            @match halted {
                Some(by) => {
                    p class="flag bad" { "Halted by " (by) }
                    form method="post" action="/console/lift" class="line" data-plain="" {
                        label for="why" { "Why it can be lifted" }
                        input id="why" name="text" maxlength="200" autocomplete="off" required;
                        button { "Lift the halt" }
                    }
                },
                None => {
                    p { "Every run stops and rolls back, and none starts." }
                    form method="post" action="/console/halt" class="line" data-plain="" {
                        label for="why" { "Why" }
                        input id="why" name="text" maxlength="200" autocomplete="off" required;
                        button class="danger" { "Halt everything" }
                    }
                },
            }
        }
    }
}

/// The run that the path names.
pub fn named(asked: &Asked) -> Result<RunId, Refusal> {
    asked.part("run").parse().map_err(|error: String| Refusal::new(404, error))
}

/// A run as parts of a page, each with the number of the event that brought it.
pub struct Story {
    pub parts: Vec<(u64, Part)>,
    /// The number of the last event.
    pub last: u64,
    pub over: bool,
}

/// What is known of a run now.
pub fn story(app: &App, run: &RunId) -> Result<Story, Refusal> {
    let events = app.with_store(|store| store.events(run))?;
    let last = events.last().map_or(0, |event| event.seq);
    let over = events.last().is_some_and(|last| last.event.is_last());
    let mut parts = Vec::new();
    for line in lines(&events) {
        let name = entry("story", usize::try_from(line.seq).unwrap_or_default());
        let row = html! {
            li id=(name) class=(line.tone.word()) { span class="offset" { (line.offset) } div { b { (line.label.word()) } p { (line.text) } } }
        };
        parts.push((line.seq, part(&name, &row)));
    }
    let state = match events.last().map(|last| &last.event) {
        Some(Event::Closed { verdict, .. }) => html! { span class={ "chip " (verdict.kind) } { (verdict.kind) } },
        Some(Event::Acknowledged { .. }) => html! { span class="chip none" { "acknowledged" } },
        _ => html! { span class="chip none" { "not ended" } },
    };
    parts.push((last, part("status", &html! { p id="status" role="status" { (state) } })));
    Ok(Story { parts, last, over })
}

/// `GET /console/runs/{run}`.
pub fn run(_: &Shared, app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let run = named(asked)?;
    let told = story(app, &run)?;
    let events = app.with_store(|store| store.events(&run))?;
    let summary = Summary::of(&events);
    let title = summary.as_ref().map_or_else(|| run.to_string(), |summary| summary.title.clone());
    let of_name =
        |name: &str| told.parts.iter().find(|(_, (known, _))| known == name).map(|(_, (_, html))| html.clone());
    let main = html! {
        @if !told.over { h1 { (title) } }
        @if !told.over { (PreEscaped(of_name("status").unwrap_or_default())) }
        @if !told.over {
            form method="post" action={ "/console/runs/" (run) "/stop" } class="line" data-plain="" {
                label for="why" { "Why it has to stop" }
                input id="why" name="text" maxlength="200" autocomplete="off" required;
                button class="danger" { "Stop the run, and roll back" }
            }
        }
        @if let Some(summary) = summary.as_ref().filter(|_| told.over) { article { (PreEscaped(printable(&body(summary).0))) } }
        section aria-labelledby="story-title" {
            h2 id="story-title" { "Events" }
            ol id="story" class="timeline" reversed tabindex="0" aria-labelledby="story-title" {
                @for (_, (_, html)) in told.parts.iter().rev().filter(|(_, (name, _))| name.starts_with("story-")) { (PreEscaped(html)) }
            }
        }
        @if let Some(summary) = summary.as_ref().filter(|_| !told.over) { article class="report" { (PreEscaped(printable(&body(summary).0))) } }
    };
    let stream = (!told.over).then(|| (format!("/console/runs/{run}/stream"), told.last));
    page(asked, &title, main, stream)
}

/// `GET /console/schedules`.
pub fn schedules(_: &Shared, app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let listed = document(&app.backend.schedules(), app.env.now());
    let mut rows: Vec<(&str, &str, &str, Option<&str>)> = Vec::new();
    for schedule in &listed.schedules {
        for occurrence in &schedule.occurrences {
            let why = occurrence.reason.as_ref().map(|reason| reason.what.as_str());
            rows.push((&occurrence.at, &schedule.name, &occurrence.local, why));
        }
    }
    rows.sort_unstable();
    let main = html! {
        h1 { "Calendar" }
        @if rows.is_empty() { p class="soft" { "Nothing is scheduled." } }
        div class="wide" tabindex="0" role="region" aria-label="Occurrences" {
            table {
                thead { tr { th scope="col" { "When" } th scope="col" { "Schedule" } th scope="col" { "Runs" } } }
                tbody { @for (at, name, local, why) in &rows {
                    tr { td class="time" { (at) small { (local) } } td { (name) } td { @match why { Some(why) => { "no: " (why) }, None => "yes" } } }
                } }
            }
        }
    };
    page(asked, "Calendar", main, None)
}

/// `GET /console/board`.
pub fn board(console: &Shared, app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let (rows, now) = (console.desk.board()?, app.env.now());
    let main = html! {
        h1 { "Confidence in each hypothesis" }
        p class="soft" { (board::rule(board::HALF_LIFE)) }
        @if rows.is_empty() { p class="soft" { "No hypotheses yet." } }
        div class="wide" tabindex="0" role="region" aria-label="Hypotheses" { (board::table(&rows, now)) }
        p class="soft" { "As of " (clock(now)) " UTC." }
    };
    page(asked, "Confidence", main, None)
}

/// The reason of a form, on one line.
fn reason(asked: &Asked) -> Result<String, Refusal> {
    let reason = one_line(&asked.field("text")?);
    match (1..=200).contains(&reason.chars().count()) {
        true => Ok(reason),
        false => Err(Refusal::new(400, "a reason has 1 to 200 characters")),
    }
}

fn done(path: String) -> Result<Answer, Refusal> {
    Ok(Answer::See { path, headers: Vec::new() })
}

/// `POST /console/runs/{run}/stop`.
pub fn stop(_: &Shared, app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let (run, reason) = (named(asked)?, reason(asked)?);
    if !app.with_store(|store| store.is_alive(&run))? {
        let next = format!("squall undo {run}");
        return Err(Refusal::new(409, format!("no process is at work on {run}")).next(next));
    }
    let by = format!("{}: {reason}", asked.by());
    // Stopping comes first: a note that cannot be written must not keep it off.
    app.with_store(|store| store.ask_to_stop(&run, &by))?;
    app.note(asked, "stop", format!("{run}: {reason}"))?;
    done(format!("/console/runs/{run}"))
}

/// `POST /console/halt`.
pub fn halt(_: &Shared, app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let reason = reason(asked)?;
    let by = format!("{}: {reason}", asked.by());
    app.with_store(|store| store.set_halt(Some(&by)))?;
    app.note(asked, "halt", reason)?;
    done("/console".into())
}

/// `POST /console/lift`.
pub fn lift(_: &Shared, app: &App, asked: &Asked) -> Result<Answer, Refusal> {
    let reason = reason(asked)?;
    if app.with_store(|store| store.halted())?.is_none() {
        return Err(Refusal::new(409, "nothing is halted"));
    }
    app.note(asked, "lift", reason)?;
    app.with_store(|store| store.set_halt(None))?;
    done("/console".into())
}
