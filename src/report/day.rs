//! The record of a game day, as Markdown and as one HTML file without a script. Both are made of the day's events and of nothing else.

use maud::{Markup, html};

use super::html::page_of;
use crate::gameday::day::{Day, Progress};
use crate::gameday::event::{Event, Recorded};
use crate::gameday::runbook::Scenario;
use crate::gameday::times::{Measured, Times, abort_latency, times};
use crate::gameday::told::{capital, line};
use crate::gameday::view::{finding, sentence};
use crate::ids::DayId;
use crate::units::Span;

/// Fewer days than these are listed; only of more is a middle value worth a look.
const ENOUGH_DAYS: usize = 6;

/// The record as one HTML file. `earlier` are days of the same title, newest first.
pub fn html(id: &DayId, day: &Day, events: &[Recorded], earlier: &[(DayId, Day)]) -> String {
    let front = &day.runbook.front;
    page_of(
        &format!("{}: {id}", front.title),
        STYLE,
        &html! {
            header {
                p class="kicker" { (id) " · " (day.opened) @if day.rehearsal { " · a rehearsal" } " · led by " (day.opened_by) }
                h1 { (front.title) }
                p { (front.goal) }
                @if let Some((at, why, by)) = &day.aborted {
                    section class="left" { h2 { "Aborted" } p { "By " (by.person) " at " (at) ": " (why) ". " (abort_sentence(day)) } }
                }
                @if let Some(why) = &day.ended_early { p { "Ended early: " (why) } }
                ul { @for scenario in verdicts(day) { li { (scenario) } } }
            }
            section { h2 { "Roles" } ul { @for person in people(day) { li { (person) } } } }
            section { h2 { "Readiness" } ul { @for check in checks(day) { li { (check) } } } }
            @for (number, (scenario, progress)) in day.runbook.scenarios.iter().zip(&day.scenarios).enumerate() {
                section {
                    h2 { "Scenario " (number + 1) ": " (scenario.title) }
                    p { b { "Hypothesis: " } (scenario.spec.hypothesis) }
                    p { (sentence(&progress.fault)) }
                    @if let Some(ended) = &progress.fault.ended { @for why in &ended.why { p { (why) } } }
                    @if let Some(found) = times(day, number) { (times_table(number, &found, day, earlier)) }
                    @else { p { "No fault was seen to work, so there are no times." } }
                    h3 { "What was expected" }
                    table {
                        tr { th { "Expectation" } th { "Within" } th { "Outcome" } }
                        @for row in expectations(scenario, progress) { tr { @for cell in row { td { (cell) } } } }
                    }
                    h3 { "What was hidden" }
                    table {
                        tr { th { "Item" } th { "When" } th { "What it said" } th { "Released" } th { "Outcome" } }
                        @for row in items(scenario, progress) { tr { @for cell in row { td { (cell) } } } }
                    }
                }
            }
            section {
                h2 { "Timeline" }
                table class="timeline" {
                    tr { th { "Time" } th { "System" } th { "People" } }
                    @for (at, system, text) in timeline(day, events) {
                        tr { td { (at) } @if system { td { (text) } td {} } @else { td {} td { (text) } } }
                    }
                }
            }
            (talk(day))
            footer { "Written by squall " (env!("CARGO_PKG_VERSION")) " from the events of " (id) ", and from nothing else." }
        },
    )
}

/// What people said and agreed on at the end.
fn talk(day: &Day) -> Markup {
    html! {
        section {
            h2 { "Debrief" }
            @if day.answers.is_empty() { p { "Nothing was written down." } }
            @for (question, answer, by) in &day.answers { p { b { (question) } " " (by.person) ": " (answer) } }
            ul { @for note in &day.notes {
                li {
                    (note.at) " " (note.by.person) @if note.by.agent { " (an agent)" } ": " (note.text)
                    @for before in &note.before { " (before: " (before) ")" }
                }
            } }
        }
        section {
            h2 { "Actions" }
            table {
                tr { th { "What" } th { "Who" } th { "Until" } th { "Ticket" } th { "Tested again" } }
                @for row in actions(day) { tr { @for cell in row { td { (cell) } } } }
            }
        }
        section { h2 { "Questions for everybody who took part" } ol { @for question in SURVEY { li { (question) } } } }
    }
}

/// The record as Markdown.
pub fn markdown(id: &DayId, day: &Day, events: &[Recorded], earlier: &[(DayId, Day)]) -> String {
    let front = &day.runbook.front;
    let mut text = format!(
        "# {}\n\n{id}, {}{}, led by {}\n\n{}\n",
        cell(&front.title),
        day.opened,
        if day.rehearsal { ", a rehearsal" } else { "" },
        cell(&day.opened_by.0),
        cell(&front.goal)
    );
    if let Some((at, why, by)) = &day.aborted {
        text += &format!("\n**Aborted** by {} at {at}: {}. {}\n", cell(&by.person.0), cell(why), abort_sentence(day));
    }
    let list = |title: &str, lines: Vec<String>| {
        let lines: String = lines.iter().map(|line| format!("- {}\n", cell(line))).collect();
        format!("\n## {title}\n\n{lines}")
    };
    text += &list("Verdicts", verdicts(day));
    text += &list("Roles", people(day));
    text += &list("Readiness", checks(day));
    for (number, (scenario, progress)) in day.runbook.scenarios.iter().zip(&day.scenarios).enumerate() {
        text += &format!(
            "\n## Scenario {}: {}\n\n**Hypothesis:** {}\n\n{}\n",
            number + 1,
            cell(&scenario.title),
            cell(&scenario.spec.hypothesis),
            cell(&sentence(&progress.fault))
        );
        if let Some(found) = times(day, number) {
            let rows = rows_of_times(number, &found, day, earlier);
            let head: Vec<String> = times_head(earlier);
            text += &table(&head.iter().map(String::as_str).collect::<Vec<_>>(), &rows);
            text += &list_plain(&remarks(&found, earlier));
        }
        text += &table(&["Expectation", "Within", "Outcome"], &expectations(scenario, progress));
        text += &table(&["Item", "When", "What it said", "Released", "Outcome"], &items(scenario, progress));
    }
    let rows: Vec<Vec<String>> = timeline(day, events)
        .into_iter()
        .map(|(at, system, text)| if system { vec![at, text, String::new()] } else { vec![at, String::new(), text] })
        .collect();
    text += "\n## Timeline\n";
    text += &table(&["Time", "System", "People"], &rows);
    text += &list(
        "Debrief",
        day.answers.iter().map(|(question, answer, by)| format!("{question} {}: {answer}", by.person)).collect(),
    );
    text +=
        &list("Notes", day.notes.iter().map(|note| format!("{} {}: {}", note.at, note.by.person, note.text)).collect());
    text += "\n## Actions\n";
    text += &table(&["What", "Who", "Until", "Ticket", "Tested again"], &actions(day));
    text + &list("Questions for everybody who took part", SURVEY.map(str::to_owned).to_vec())
}

/// What squall asks of everybody who took part.
const SURVEY: [&str; 5] = [
    "From 1 to 5: how much did you learn today?",
    "From 1 to 5: how real did it feel?",
    "What should we do again, and what not?",
    "Was there a moment at which you did not know what to do, or felt unsafe?",
    "What should the next game day be about?",
];

const STYLE: &str = "table.timeline td:first-child{white-space:nowrap}td{vertical-align:top}";

fn verdicts(day: &Day) -> Vec<String> {
    let scenarios = day.runbook.scenarios.iter().zip(&day.scenarios);
    scenarios
        .map(|(scenario, progress)| {
            let verdict = match (&progress.fault.ended, &progress.ended) {
                (Some(ended), _) => capital(&ended.verdict.to_string()),
                (None, Some((_, how))) => capital(how.word()),
                (None, None) => "Not played".into(),
            };
            format!("{verdict}: {}", scenario.title)
        })
        .collect()
}

fn abort_sentence(day: &Day) -> String {
    abort_latency(day)
        .map_or_else(|| "No fault was in place.".into(), |took| format!("The fault was gone after {took}."))
}

fn people(day: &Day) -> Vec<String> {
    let agent = |agent: bool| if agent { ", an agent" } else { "" };
    day.people.iter().map(|(person, (role, is))| format!("{person}: {role}{}", agent(*is))).collect()
}

fn checks(day: &Day) -> Vec<String> {
    let mut lines: Vec<String> = day
        .checks
        .iter()
        .map(|(name, check)| format!("{}: {name}; {}", finding(check.finding), check.detail))
        .collect();
    let open = day.runbook.readiness.iter().filter(|check| !day.checks.contains_key(*check));
    lines.extend(open.map(|check| format!("by hand, not recorded: {check}")));
    lines
}

fn times_head(earlier: &[(DayId, Day)]) -> Vec<String> {
    let before = earlier.iter().take(ENOUGH_DAYS).map(|(id, _)| id.0.clone());
    ["Time", "This day", "Wanted", "Kept"].map(str::to_owned).into_iter().chain(before).collect()
}

/// One row for each time, with those of earlier days beside it.
fn rows_of_times(number: usize, found: &Times, day: &Day, earlier: &[(DayId, Day)]) -> Vec<Vec<String>> {
    let thresholds = &day.runbook.front.thresholds;
    let before: Vec<Option<Times>> = earlier.iter().take(ENOUGH_DAYS).map(|(_, day)| times(day, number)).collect();
    let mut rows = Vec::new();
    for (index, (name, measured, wanted)) in found.compared(thresholds).into_iter().enumerate() {
        let kept = wanted.map_or("", |wanted| match measured.keeps(wanted) {
            Some(true) => "yes",
            Some(false) => "no",
            None if matches!(measured, Measured::LongerThan(_)) => "not known",
            None => "too close to say",
        });
        let wanted = wanted.map_or_else(String::new, |wanted| wanted.to_string());
        let mut row = vec![capital(name), measured.to_string(), wanted, kept.to_owned()];
        row.extend(before.iter().map(|times| {
            times.as_ref().map_or_else(String::new, |times| times.compared(thresholds)[index].1.to_string())
        }));
        rows.push(row);
    }
    rows
}

fn times_table(number: usize, found: &Times, day: &Day, earlier: &[(DayId, Day)]) -> Markup {
    html! {
        h3 { "People's times, from when the fault worked" }
        table {
            tr { @for name in times_head(earlier) { th { (name) } } }
            @for row in rows_of_times(number, found, day, earlier) { tr { @for cell in row { td { (cell) } } } }
        }
        ul { @for remark in remarks(found, earlier) { li { (remark) } } }
    }
}

fn remarks(found: &Times, earlier: &[(DayId, Day)]) -> Vec<String> {
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let mut remarks = vec![
        format!(
            "expected alarms that fired: {}; that did not: {}; others that fired: {}",
            list(&found.alarms.fired),
            list(&found.alarms.missing),
            list(&found.alarms.unexpected)
        ),
        format!(
            "noticed as expected: {} of {}; done as expected: {} of {}",
            found.detections.done, found.detections.of, found.responses.done, found.responses.of
        ),
        format!("hints: {}; wrong turns before the right cause: {}", found.hints, found.wrong_turns),
    ];
    if let Some(effect) = found.effect {
        remarks.push(format!(
            "squall needed {} until the fault worked; nobody's time counts from before",
            effect.rounded()
        ));
    }
    remarks.extend(found.hand_over.iter().map(|took| format!("a hand-over took {took}")));
    if matches!(found.mitigate, Measured::LongerThan(_)) {
        remarks.push(
            "squall ended the fault before the team did, so the time to mitigate is not known; it belongs into no mean"
                .into(),
        );
    }
    match earlier.len() {
        0 => {}
        few if few < ENOUGH_DAYS => remarks.push(format!("{few} earlier days are too few to compare; they are listed")),
        many => remarks.push(format!("of {many} earlier days the newest {ENOUGH_DAYS} are listed")),
    }
    remarks
}

fn expectations(scenario: &Scenario, progress: &Progress) -> Vec<Vec<String>> {
    let row = |it: &crate::gameday::spec::ExpectationSpec| {
        let outcome = progress.settled.get(&it.name.0).map_or("open", |settled| settled.outcome.word());
        vec![it.text.clone(), it.within.to_string(), outcome.to_owned()]
    };
    scenario.spec.expectations.iter().map(row).collect()
}

fn items(scenario: &Scenario, progress: &Progress) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for it in &scenario.spec.items {
        let release = progress.released.get(&it.name.0);
        let released = release.map_or_else(
            || if it.enabled { "not released".into() } else { "switched off".to_owned() },
            |release| match release.late {
                Span::ZERO => release.stamp.at.to_string(),
                late => format!("{}, {} late", release.stamp.at, late.rounded()),
            },
        );
        let outcome = progress.settled.get(&it.name.0).map_or("", |settled| settled.outcome.word());
        rows.push(vec![
            format!("{} ({})", it.name.0, it.kind.word()),
            it.when.to_string(),
            it.from.as_ref().map_or_else(|| it.text.clone(), |from| format!("From {from}: {}", it.text)),
            released,
            outcome.into(),
        ]);
    }
    for (number, hint) in scenario.spec.hints.iter().enumerate() {
        let released = progress.hints.get(number).map_or_else(|| "not given".to_owned(), ToString::to_string);
        rows.push(vec![format!("hint {}", number + 1), "by hand".into(), hint.clone(), released, String::new()]);
    }
    rows
}

fn actions(day: &Day) -> Vec<Vec<String>> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let row = |action: &crate::gameday::event::Action| {
        vec![action.text.clone(), action.owner.clone(), text(&action.due), text(&action.ticket), text(&action.retest)]
    };
    day.actions.iter().map(row).collect()
}

/// Time, whether it is the system's, and what happened.
fn timeline(day: &Day, events: &[Recorded]) -> Vec<(String, bool, String)> {
    let mut so_far: Option<Day> = None;
    let mut rows = Vec::new();
    for recorded in events {
        match &mut so_far {
            None => so_far = Day::open(recorded.at, &recorded.event).ok(),
            Some(day) => day.apply(recorded.at, &recorded.event),
        }
        let Some(now) = &so_far else { continue };
        if let Some(text) = line(&recorded.event, now) {
            rows.push((
                format!("+{}", recorded.at.since(day.opened).rounded()),
                is_of_the_system(&recorded.event),
                text,
            ));
        }
    }
    rows
}

fn is_of_the_system(event: &Event) -> bool {
    matches!(
        event,
        Event::FaultDue { .. }
            | Event::FaultRefused { .. }
            | Event::FaultEffective { .. }
            | Event::FaultStopping { .. }
            | Event::FaultGone { .. }
            | Event::RunEnded { .. }
            | Event::AlarmChanged { .. }
    )
}

fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &mut dyn Iterator<Item = String>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    let mut text = String::from("\n");
    text += &line(&mut head.iter().map(|name| (*name).to_owned()));
    text += &line(&mut head.iter().map(|_| "---".to_owned()));
    rows.iter().for_each(|row| text += &line(&mut row.iter().map(|it| cell(it))));
    text
}

fn list_plain(lines: &[String]) -> String {
    format!("\n{}", lines.iter().map(|line| format!("- {}\n", cell(line))).collect::<String>())
}

/// A text from people as one cell: it draws no table, no link and no tag.
fn cell(text: &str) -> String {
    let flat = crate::outside::one_line(text);
    let mut cell = String::with_capacity(flat.len());
    for letter in flat.chars() {
        match letter {
            '|' | '<' | '>' | '[' | ']' | '`' | '*' | '_' | '\\' => {
                cell.push('\\');
                cell.push(letter);
            }
            letter => cell.push(letter),
        }
    }
    cell
}

/// The schedules that the actions of a day ask for, as a file for `schedules/`; `None` when there are none.
pub fn schedules(id: &DayId, day: &Day) -> Option<String> {
    let mut text = format!("# Agreed on at {id}.\nversion: 1\nschedules:\n");
    let mut any = false;
    for (number, action) in day.actions.iter().enumerate() {
        let experiment = action
            .scenario
            .or((day.scenarios.len() == 1).then_some(0))
            .and_then(|it| day.scenario(it)?.spec.experiment.clone());
        let (Some(date), Some(experiment)) = (&action.retest, experiment) else { continue };
        any = true;
        let because = serde_json::Value::from(format!("{} ({id})", action.text));
        text += &format!(
            "  {id}-{}:\n    experiment: {experiment}\n    when: {{ once: {date}T10:00 }}\n    because: {because}\n",
            number + 1
        );
    }
    any.then_some(text)
}
