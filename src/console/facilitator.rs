//! The facilitator's page: how the day stands, what comes next, everything that is hidden from others, and who did what when.

use maud::{Markup, PreEscaped, html};

use super::member::{action, clock, line, list, part, shown};
use super::parts::{Part, Seen, entry};
use crate::gameday::day::Day;
use crate::gameday::due::to_come;
use crate::gameday::event::{Event, Phase, Recorded};
use crate::gameday::role::Role;
use crate::gameday::told::{self, capital};
use crate::gameday::view::{CheckView, ExpectationView, HintView, ItemView, Lead, ScenarioView};
use crate::ids::DayId;
use crate::units::Time;

/// A line of the day's story.
#[derive(Clone)]
pub struct Told {
    at: Time,
    text: String,
    /// How it is shown: what people did, what the system did, or a warning.
    kind: &'static str,
}

/// What an event says to the facilitator.
pub fn told(recorded: &Recorded, day: &Day) -> Option<Told> {
    let kind = match &recorded.event {
        Event::Said { .. } | Event::Answered { .. } => "said",
        Event::Noted { .. } | Event::Corrected { .. } | Event::Agreed { .. } => "note",
        Event::Released { .. } | Event::Hinted { .. } | Event::Tested { .. } => "message",
        Event::Aborted { .. } | Event::Refused { .. } | Event::FaultRefused { .. } => "bad",
        _ => "system",
    };
    // A line that begins with a name keeps it as it is.
    let named = matches!(recorded.event, Event::Settled { .. } | Event::FaultDue { .. } | Event::AlarmChanged { .. });
    let shown = |text: String| if named { text } else { capital(&text) };
    told::line(&recorded.event, day).map(|text| Told { at: recorded.at, text: shown(text), kind })
}

/// Every part of the page.
pub fn parts(id: &DayId, day: &Day, story: &[Told]) -> Vec<Part> {
    let view = day.view(Role::Facilitator);
    let mut parts = super::member::parts(id, &view, Role::Facilitator);
    parts.retain(|(name, _)| !name.starts_with("timeline-") && !name.starts_with("scenario-") && name != "checks");
    parts.push(part("next", &next(id, day)));
    parts.push(part("coming", &coming(day)));
    if let Some(lead) = &view.lead {
        let by_hand = day.runbook.readiness.iter().filter(|check| !day.checks.contains_key(*check));
        let by_hand: Vec<&str> = by_hand.map(String::as_str).filter(|_| day.phase < Phase::Scenarios).collect();
        parts.push(checks_part(id, lead, &by_hand));
        parts.extend(lead.scenarios.iter().map(|scenario| scenario_part(id, scenario, true)));
    }
    for (number, told) in (1..).zip(story) {
        let name = entry("timeline", number);
        let row = html! { li id=(name) class=(told.kind) { (clock(told.at)) div { p { (told.text) } } } };
        parts.push(part(&name, &row));
    }
    parts
}

/// The buttons that help now.
fn next(id: &DayId, day: &Day) -> Markup {
    let open = day.open_scenario().is_some();
    let buttons: &[(&str, &str)] = match (day.phase, open, day.paused.is_some()) {
        (Phase::Closed, ..) => &[],
        (Phase::GoNoGo, ..) => &[("go", "Go: both ways are clear")],
        (Phase::Scenarios, _, true) => &[("resume", "Go on")],
        (Phase::Scenarios, true, false) => &[
            ("hint", "Release the next hint"),
            ("pause", "Pause; the fault stays"),
            ("pause hold", "Pause; roll the fault back"),
            ("stop", "Roll the fault back"),
            ("next", "End this scenario"),
        ],
        (Phase::Scenarios, false, false) if day.fault_at_work() => &[],
        (Phase::Scenarios, false, false) if day.next_scenario().is_some() => {
            &[("next", "Begin the next scenario"), ("skip-scenario", "Skip the next scenario")]
        }
        (Phase::Actions, ..) => &[("next", "Close the day")],
        _ => &[("next", "Next phase")],
    };
    html! {
        section id="next" aria-labelledby="next-title" {
            h2 id="next-title" { "What you can do now" }
            @if buttons.is_empty() { p class="soft" { "Nothing has to be done now." } }
            form method="post" action={ "/days/" (id) "/do" } class="buttons" {
                @for (command, label) in buttons {
                    button id={ "do-" (slug(command)) } name="do" value=(command) class=[(*command == "next" || *command == "go").then_some("primary")] { (label) }
                }
            }
        }
    }
}

/// What comes by itself, with its time.
fn coming(day: &Day) -> Markup {
    let coming = to_come(day);
    html! {
        section id="coming" aria-labelledby="coming-title" {
            h2 id="coming-title" { "What comes by itself" }
            p class="soft" {
                "Last event at " (clock(day.last)) " UTC, " (day.last.since(day.opened).rounded()) " after the day was opened."
                @if day.paused.is_some() { " The day is paused: nothing comes by itself." }
            }
            @if coming.is_empty() { p class="soft" { "Nothing; the day waits for you." } }
            @else { ol class="coming" { @for (at, what) in &coming { li { (clock(*at)) " " (what.to_string()) } } } }
        }
    }
}

/// The board of people.
pub fn people_part(lead: &Lead) -> Part {
    part(
        "people",
        &html! {
            section id="people" aria-labelledby="people-title" {
                h2 id="people-title" { "People" }
                ul { @for person in &lead.people { li { (person) } } }
            }
        },
    )
}

/// The readiness checks; with buttons for those that people have still to make.
pub fn checks_part(id: &DayId, lead: &Lead, by_hand: &[&str]) -> Part {
    let row = |check: &CheckView| {
        html! {
            li {
                span class={ "mark " (if check.finding == "ok" { "good" } else { "open" }) } { (check.finding) } " " (check.check)
                @if !check.detail.is_empty() { span class="soft" { " " (check.detail) } }
            }
        }
    };
    part(
        "checks",
        &html! {
            section id="checks" aria-labelledby="checks-title" {
                h2 id="checks-title" { "Readiness" }
                @if lead.checks.is_empty() { p class="soft" { "Nothing was checked yet." } }
                @else { ul class="checks" { @for check in &lead.checks { (row(check)) } } }
                @for (number, check) in (1..).zip(by_hand) {
                    p class="check" {
                        (check)
                        (small(id, &[
                            (format!("check {check} ok"), format!("Ok: check {number}"), "Ok"),
                            (format!("check {check} failed"), format!("Not ok: check {number}"), "Not ok"),
                        ]))
                    }
                }
            }
        },
    )
}

/// A scenario with everything that is hidden; for the facilitator with buttons.
pub fn scenario_part(id: &DayId, scenario: &ScenarioView, leads: bool) -> Part {
    let name = entry("scenario", scenario.number);
    let open = scenario.state == "at work";
    let title = format!("{name}-title");
    part(
        &name,
        &html! {
            section id=(name) class="scenario" aria-labelledby=(title) {
                h2 id=(title) { "Scenario " (scenario.number) ": " (scenario.title) }
                p { span class={ "mark " (if open { "good" } else { "open" }) } { (scenario.state) } " " (scenario.fault) }
                p class="soft" { (scenario.hypothesis) }
                h3 { "Expected" }
                table {
                    thead { tr { th scope="col" { "What" } th scope="col" { "Within" } th scope="col" { "Outcome" } } }
                    tbody { @for it in &scenario.expectations { (expectation(id, it, leads)) } }
                }
                @if !scenario.items.is_empty() {
                    h3 { "Items" }
                    table {
                        thead { tr { th scope="col" { "What" } th scope="col" { "When" } th scope="col" { "State" } } }
                        tbody { @for it in &scenario.items { (item(id, scenario, it, leads)) } }
                    }
                }
                @if !scenario.hints.is_empty() {
                    h3 { "Hints" }
                    ol { @for it in &scenario.hints { (hint(it)) } }
                }
            }
        },
    )
}

fn expectation(id: &DayId, it: &ExpectationView, leads: bool) -> Markup {
    html! {
        tr {
            td { b { (it.name) } " " (it.text) }
            td { (it.within) }
            td {
                (it.outcome.as_deref().unwrap_or("open"))
                @if leads && it.outcome.is_none() {
                    (small(id, &[
                        (format!("confirm {}", it.name), format!("Confirm {}", it.name), "Confirm"),
                        (format!("confirm {} failed", it.name), format!("Not met: {}", it.name), "Not met"),
                    ]))
                }
            }
        }
    }
}

fn item(id: &DayId, scenario: &ScenarioView, it: &ItemView, leads: bool) -> Markup {
    let state = match (&it.released, &it.outcome) {
        (_, Some(outcome)) => outcome.clone(),
        (Some(_), None) => "released".into(),
        (None, None) if !it.enabled => "switched off".into(),
        (None, None) => "to come".into(),
    };
    let open = it.released.is_none() && it.outcome.is_none();
    html! {
        tr {
            td {
                b { (it.name) } " " span class="soft" { (it.kind) } p { (it.text) }
                @if let Some(expected) = &it.expected { p class="soft" { "Expected: " (expected) } }
            }
            td { (it.when) }
            td {
                @if let Some(at) = it.released { (clock(at)) " " }
                (state)
                @if let Some(late) = &it.late { " (" (late) " late)" }
                @if leads && open {
                    (small(id, &[
                        (format!("release {}", it.name), format!("Release {}", it.name), "Release"),
                        (format!("skip {}", it.name), format!("Skip {}", it.name), "Skip"),
                        (format!("test {} {}", scenario.number, it.name), format!("Test {}", it.name), "Test"),
                    ]))
                }
            }
        }
    }
}

fn hint(it: &HintView) -> Markup {
    html! { li { (it.text) @if let Some(at) = it.released { " " span class="soft" { "(given at " (clock(at)) ")" } } } }
}

/// Small buttons: a command, what it is called aloud, and its label.
fn small(id: &DayId, buttons: &[(String, String, &str)]) -> Markup {
    html! {
        form method="post" action={ "/days/" (id) "/do" } class="small" {
            @for (command, aloud, label) in buttons {
                button id={ "do-" (slug(command)) } name="do" value=(command) aria-label=(aloud) { (label) }
            }
        }
    }
}

/// An id that has no blank.
fn slug(command: &str) -> String {
    command.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}

/// The page.
pub fn page(day: &str, seen: &Seen) -> Markup {
    html! {
        (shown(seen, "status"))
        div class="columns" {
            div {
                (shown(seen, "next"))
                section class="first" { (line(day, "note", "Note", "Note", true)) }
                (shown(seen, "coming"))
                (shown(seen, "safety"))
                @for html in seen.entries("scenario").into_iter().rev() { (PreEscaped(html)) }
                (shown(seen, "checks"))
            }
            div {
                (list(seen, "Who did what, and when"))
                (shown(seen, "people"))
                section aria-labelledby="more-title" {
                    h2 id="more-title" { "More" }
                    (line(day, "go", "Begin although a check is not ok, because", "Go", true))
                    (line(day, "shift", "Move everything that is still to come, by", "Shift", true))
                    (line(day, "end", "End the scenarios early, because", "End early", true))
                    (line(day, "no-go", "Do not begin, because", "No go", true))
                    form method="post" action={ "/days/" (day) "/do" } class="line" {
                        label for="typed" { "Anything that can be typed in the terminal" }
                        input id="typed" name="do" maxlength="3000" autocomplete="off" required placeholder="done ticket";
                        button { "Do it" }
                    }
                    details { summary { "Agree on an action" } (action(day)) }
                }
                (shown(seen, "questions"))
                (shown(seen, "briefing"))
            }
        }
    }
}
