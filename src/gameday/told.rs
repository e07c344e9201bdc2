//! The events of a day as lines, for the person who leads it. A responder's page is made of a view, never of these.

use super::day::Day;
use super::event::{Cause, Event, Faults, Phase};
use super::spec::ItemKind;
use super::view::{finding, shown};
use crate::units::Span;

/// What an event says to the facilitator; nothing where another line says it already.
pub fn line(event: &Event, day: &Day) -> Option<String> {
    let title = |scenario: &usize| day.scenario(*scenario).map_or("?", |scenario| scenario.title.as_str());
    Some(match event {
        Event::Opened { by, rehearsal, .. } => {
            let what = if *rehearsal { "rehearsal of" } else { "game day" };
            format!("{what} \"{}\", opened by {by}", day.runbook.front.title)
        }
        Event::Entered { phase } => {
            format!("{}. {}", capital(phase.word()), hint(*phase)).trim_end_matches(". ").into()
        }
        Event::Checked { check, finding: found, detail, .. } => format!("{}: {check}; {detail}", finding(*found)),
        Event::Decided { go: true, why, by } => format!("{by} says go{}", because(why)),
        Event::Decided { go: false, why, by } => format!("{by} says no go{}", because(why)),
        Event::ScenarioBegan { scenario } => format!("scenario {} begins: {}", scenario + 1, title(scenario)),
        Event::ScenarioEnded { scenario, how } => format!("scenario {}: {}", scenario + 1, how.word()),
        Event::Released { scenario, item, cause, late } => released(*scenario, item, *cause, *late, day)?,
        Event::Hinted { scenario, hint, by } => {
            let text = day.scenario(*scenario).and_then(|it| it.spec.hints.get(*hint)).map_or("", String::as_str);
            format!("{by} gives hint {}: {text}", hint + 1)
        }
        Event::Tested { scenario, item, by } => tested(*scenario, item, by, day)?,
        Event::Settled { scenario, name, outcome, by } => {
            let scenario = day.scenario(*scenario)?;
            // An item that is done with its release was told with it.
            let waited = scenario.item(name).is_none_or(|item| item.expires.is_some()) || by.is_some();
            let who = by.as_ref().map_or_else(String::new, |by| format!(", says {by}"));
            let text = scenario.expectation(name).map_or_else(String::new, |it| format!(": {}", it.text));
            return waited.then(|| format!("{name} {}{who}{text}", outcome.word()));
        }
        Event::Said { statement, text, by } => format!("{}: \"{}{}\"", shown(by), statement.sentence(), colon(text)),
        Event::Noted { text, by } => format!("note {} by {}: {text}", day.seq, shown(by)),
        Event::Corrected { note, text, by } => format!("note {note} corrected by {}: {text}", shown(by)),
        Event::Paused { faults: Faults::GoOn, by } => format!("paused by {by}; a fault that is in place stays"),
        Event::Paused { faults: Faults::HoldBack, by } => format!("paused by {by}; faults are held back"),
        Event::Resumed { by } => format!("resumed by {by}"),
        Event::Shifted { by, who } => format!("{who} moves everything that is still to come by {by}"),
        Event::FaultDue { run, .. } => format!("{run} begins: first its baseline, then the fault"),
        Event::FaultRefused { why, .. } => format!("the run did not begin, and nothing was touched: {why}"),
        Event::FaultEffective { since, seen, .. } => format!("the fault works since {since}: {seen}"),
        Event::FaultStopping { why, .. } => format!("the fault is being rolled back: {}", why.word()),
        Event::FaultGone { .. } => "the fault is gone; everything that was changed is as it was".into(),
        Event::RunEnded { verdict, why, left, .. } => {
            let why = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
            let left = if left.is_empty() { String::new() } else { format!("; LEFT BEHIND: {}", left.join("; ")) };
            format!("the hypothesis of this scenario: {verdict}{why}{left}")
        }
        Event::AlarmChanged { alarm, firing: true, .. } => format!("{alarm} is in ALARM"),
        Event::AlarmChanged { alarm, firing: false, .. } => format!("{alarm} is OK again"),
        Event::EndedEarly { why, by } => format!("ended early by {by}: {why}"),
        Event::Aborted { why, by } => format!("ABORTED by {}: {why}; everything is being rolled back", shown(by)),
        Event::Agreed { action, .. } => {
            let due = action.due.as_ref().map_or_else(String::new, |due| format!(" until {due}"));
            format!("action: {}{due}: {}", action.owner, action.text)
        }
        Event::Answered { question, answer, by } => format!("{question} {}: {answer}", shown(by)),
        Event::Refused { asked, why, by } => format!("{} asked to {asked}: {why}", shown(by)),
    })
}

fn released(scenario: usize, item: &super::role::ItemName, cause: Cause, late: Span, day: &Day) -> Option<String> {
    let item = day.scenario(scenario)?.item(item)?;
    let late = if late > Span::ZERO { format!(", {} late", late.rounded()) } else { String::new() };
    let by_hand = if cause == Cause::ByHand { ", by hand" } else { "" };
    let from = item.from.as_ref().map_or_else(String::new, |from| format!(" from {from}"));
    let what = match item.kind {
        ItemKind::Facilitation => "for you",
        kind => kind.word(),
    };
    Some(format!("{what} ({}{by_hand}{late}){from}: {}", item.name.0, item.text))
}

fn tested(scenario: usize, name: &super::role::ItemName, by: &super::role::Person, day: &Day) -> Option<String> {
    let item = day.scenario(scenario)?.item(name)?;
    let to: Vec<String> =
        super::role::Role::ALL.into_iter().filter(|role| item.receives(*role)).map(|role| role.to_string()).collect();
    let from = item.from.as_ref().map_or_else(String::new, |from| format!(" from {from}"));
    Some(format!("test by {by}: {name} would come{from} to {}: {}", to.join(", "), item.text))
}

fn hint(phase: Phase) -> &'static str {
    match phase {
        Phase::Briefing => "Read the briefing aloud",
        Phase::Readiness => "Go through the checks",
        Phase::GoNoGo => "Look both ways: is any customer, deploy or incident in the way? Then say go or no-go",
        Phase::Scenarios => "Begin the first one: next",
        Phase::AllClear => "Tell everybody that everything is as it was",
        Phase::Debrief => "Ask the questions while it is fresh",
        Phase::Actions => "Who does what, until when?",
        Phase::Closed => "Thank everybody",
    }
}

fn because(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

fn colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// With a capital first letter.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
