//! A view of a day as lines.

use crate::cli::project::short;
use crate::gameday::told::capital;
use crate::gameday::view::View;

/// What a role sees, line by line.
pub fn lines(view: &View) -> Vec<String> {
    let mut lines = vec![format!("{}: {}{}", view.title, view.phase, if view.paused { ", paused" } else { "" })];
    if let Some(why) = &view.aborted {
        lines.push(format!("  ABORTED by {why}"));
    }
    if let Some(safety) = &view.safety {
        lines.push(format!("  fault: {}", safety.fault));
        lines.extend(safety.alarms.iter().map(|alarm| format!("  {alarm} is in ALARM")));
    }
    if let Some(lead) = &view.lead {
        lines.extend(lead.people.iter().map(|person| format!("  {person}")));
        lines.extend(lead.checks.iter().map(|it| format!("  {}: {}; {}", it.finding, it.check, it.detail)));
        for scenario in &lead.scenarios {
            lines.push(format!("  scenario {}: {} ({})", scenario.number, scenario.title, scenario.state));
            if scenario.state != "at work" {
                continue;
            }
            let outcome = |outcome: &Option<String>| outcome.clone().unwrap_or_else(|| "open".into());
            for it in &scenario.expectations {
                lines.push(format!(
                    "    expected ({}, within {}): {}: {}",
                    it.name,
                    it.within,
                    it.text,
                    outcome(&it.outcome)
                ));
            }
            for it in scenario.items.iter().filter(|it| it.enabled && it.released.is_none() && it.outcome.is_none()) {
                lines.push(format!("    to come ({}, {}, {}): {}", it.name, it.kind, it.when, it.text));
            }
            if let Some(hint) = scenario.hints.iter().find(|hint| hint.released.is_none()) {
                lines.push(format!("    next hint: {}", hint.text));
            }
        }
    }
    for message in &view.messages {
        let from = message.from.as_ref().map_or_else(String::new, |from| format!(" from {from}"));
        lines.push(format!("  {}{from}: {}", short(message.at), message.text.as_deref().unwrap_or("(hidden)")));
    }
    for said in &view.said {
        let text = if said.text.is_empty() { String::new() } else { format!(": {}", said.text) };
        let agent = if said.agent { " (an agent)" } else { "" };
        lines.push(format!("  {} {}{agent}: {}{text}", short(said.at), said.person, said.says));
    }
    for note in &view.notes {
        lines.push(format!("  {} note {} by {}: {}", short(note.at), note.number, note.person, note.text));
    }
    lines.extend(view.questions.iter().enumerate().map(|(at, text)| format!("  question {}: {text}", at + 1)));
    if let Some(lead) = view.lead.as_ref().filter(|lead| !lead.next.is_empty()) {
        lines.push(format!("  {}: {}", capital("you can type"), lead.next.join(" | ")));
    }
    lines
}
