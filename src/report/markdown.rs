//! The report as Markdown, for pull requests and job summaries (GitHub's dialect: tables and `<details>`).

use super::sparkline::sparkline;
use super::summary::Summary;
use super::summary::faults::Effect;
use super::summary::headline::Ending;
use super::summary::ledger::LedgerEntry;
use super::summary::signals::{Point, SignalStory};
use super::{line, reproduce, words};
use crate::judge::bound::Bound;
use crate::judge::verdict::VerdictKind;
use crate::numbers::thousands;
use crate::run::event::Phase;
use crate::units::Time;

/// Characters of a sparkline in a table.
const SPARK: usize = 40;

/// The whole document.
pub fn document(summary: &Summary) -> String {
    let sections = [
        head(summary),
        left(summary),
        hypothesis(summary),
        done(summary),
        signals(summary),
        alarms(summary),
        effects(summary),
        ledger(summary),
        recovery(summary),
        messages(summary),
        timeline(summary),
        environment(summary),
        reproduced(summary),
    ];
    sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n\n") + "\n"
}

fn head(summary: &Summary) -> String {
    let sign = match summary.ending {
        Ending::Held => "✅ Held",
        Ending::Broken => "❌ Broken",
        Ending::Unknown => "❔ Unknown",
        Ending::Unfinished => "⏳ Not finished",
    };
    let times = &summary.times;
    let facts = format!(
        "{} · {} · {} · took {}",
        code(&summary.run.0),
        words::instant(times.started),
        code(&summary.environment.by),
        words::span(times.last.since(times.started))
    );
    format!(
        "## {sign}: {}\n\n{} {}\n\n{facts}",
        text(&summary.title),
        prose(&summary.sentence),
        prose(&summary.undo_sentence)
    )
}

fn left(summary: &Summary) -> String {
    let attention = summary.attention();
    if attention.is_empty() {
        return String::new();
    }
    let title =
        if summary.ending == Ending::Unfinished { "In the account when the journal ends" } else { "Left behind" };
    let lines = attention.iter().map(|left| {
        let is_command = ["squall ", "aws "].iter().any(|program| left.remedy.starts_with(program));
        let remedy = if is_command { code(&left.remedy) } else { prose(&left.remedy) };
        format!("\n> - **{}**: {}. Next: {remedy}", text(&left.resource.to_string()), prose(&left.what))
    });
    format!("> [!CAUTION]\n> **{title}**{}", lines.collect::<String>())
}

fn hypothesis(summary: &Summary) -> String {
    let title = if summary.hypotheses.is_empty() { "Why" } else { "Hypothesis" };
    let mut out = format!("### {title}\n\n{}\n", paragraph(&prose(&summary.because)));
    for hypothesis in &summary.hypotheses {
        out += &format!("\n- **{}**", text(&hypothesis.name));
        for signal in summary.signals_of(hypothesis) {
            out += &format!("\n  - {}, {}: {}", text(&signal.title), signal.asked(), kind(signal.verdict));
        }
    }
    out
}

fn done(summary: &Summary) -> String {
    let rows = summary.steps.iter().map(|step| {
        let hits: Vec<String> = step.hits.iter().map(ToString::to_string).collect();
        vec![
            text(&step.fault.0),
            text(&step.summary),
            text(&words::list(&hits)),
            format!("at {}, for {}", step.planned_at, step.planned_to_last),
            offset(summary, step.began),
            offset(summary, step.undone),
        ]
    });
    let table = table(&["Fault", "What it does", "Affected", "Planned", "In", "Undone"], rows);
    let stopped = summary.stopped.as_ref().map_or_else(String::new, |stopped| {
        format!("The run stopped early at {}: {}.\n\n", summary.offset(stopped.at), prose(&stopped.why))
    });
    let warnings: String = summary.warnings.iter().map(|warning| format!("\n- {}", prose(warning))).collect();
    let warned = if warnings.is_empty() { warnings } else { format!("\n\nThe plan warned:\n{warnings}") };
    format!(
        "### Timeline\n\n{stopped}{table}\n\nTimes count from the start of the run, by {}.{warned}",
        code(&summary.environment.by)
    )
}

fn signals(summary: &Summary) -> String {
    let rows = summary.signals.iter().map(|signal| {
        vec![
            text(&signal.title),
            code(&spark(signal)),
            evidence(signal),
            in_phase(signal, Phase::Baseline),
            in_phase(signal, Phase::Fault),
            in_phase(signal, Phase::Recovery),
            text(&signal.note(&summary.times)),
            kind(signal.verdict).to_owned(),
        ]
    });
    let head = ["Signal", "Over the run", "Evidence", "In baseline", "In fault", "In recovery", "Seen", "Result"];
    let found = summary.signals.iter().filter(|signal| !signal.why.is_empty());
    let found =
        found.map(|signal| format!("\n- **{}** {}", text(&signal.title), prose(&words::full_stop(&signal.why))));
    format!(
        "### Signals\n\n{}\n\n`│` separates the phases; `·` is a window without data.\n{}",
        table(&head, rows),
        found.collect::<String>()
    )
}

fn alarms(summary: &Summary) -> String {
    let rows = summary.alarms.rows();
    let lines = rows.iter().map(|(what, names)| format!("\n- {what}: {}", text(&words::list(names))));
    if rows.is_empty() { String::new() } else { format!("### Alarms\n{}", lines.collect::<String>()) }
}

/// The evidence against the bound as a line, and how far it came: on a logarithmic scale, up to where it decides.
fn evidence(signal: &SignalStory) -> String {
    let Some(odds) = signal.judgement.odds else { return "–".into() };
    let height = |point: &Point| Some(Point { value: Some(point.odds?.clamp(1.0, 1e9).ln()), ..*point });
    let points: Vec<Point> = signal.windows.iter().filter_map(height).collect();
    let line = match points.is_empty() {
        true => String::new(),
        false => code(&sparkline(&points, Bound::AtMost(odds.decides_at.ln()), SPARK)) + " ",
    };
    match odds.against < 2.0 {
        true => format!("{line}none; broken at 1 in {}", thousands(odds.decides_at)),
        false => format!("{line}1 in {}; broken at 1 in {}", thousands(odds.against), thousands(odds.decides_at)),
    }
}

/// The run as a line, its phases parted by a bar.
fn spark(signal: &SignalStory) -> String {
    let whole = sparkline(&signal.windows, signal.bound, SPARK);
    let cells = whole.chars().count();
    let mut out = String::new();
    let mut last = None;
    for (place, block) in whole.chars().enumerate() {
        let phase = signal.windows.get(place * signal.windows.len() / cells.max(1)).map(|point| point.phase);
        if last.is_some() && last != phase {
            out.push('│');
        }
        last = phase;
        out.push(block);
    }
    out
}

fn in_phase(signal: &SignalStory, phase: Phase) -> String {
    let story = signal.phases.iter().find(|story| story.phase == phase);
    match story.map(|story| (story, story.lowest, story.highest)) {
        None => "–".into(),
        Some((story, Some(low), Some(high))) => {
            let outside = if story.breaking > 0 {
                format!(", {} of {} outside", story.breaking, story.windows)
            } else {
                String::new()
            };
            words::range(signal.metric, low, high) + &outside
        }
        Some(_) => "no data".into(),
    }
}

fn effects(summary: &Summary) -> String {
    let rows = summary.steps.iter().map(|step| {
        let evidence = &step.evidence;
        let found = match evidence.found {
            Effect::Seen => "✅ seen",
            Effect::NotSeen => "❔ not seen",
            Effect::Waiting => "❔ not seen yet",
            Effect::NotTried => "not tried",
        };
        vec![
            text(&step.fault.0),
            format!("{}, within {}", text(&evidence.expect), evidence.within),
            evidence.seen.as_deref().map_or_else(|| "–".into(), text),
            offset(summary, evidence.since),
            found.into(),
        ]
    });
    format!(
        "### Did the faults take effect?\n\n{}",
        table(&["Fault", "Evidence needed", "Seen", "Since", "Result"], rows)
    )
}

fn ledger(summary: &Summary) -> String {
    let (locks, changes): (Vec<&LedgerEntry>, Vec<&LedgerEntry>) = summary.ledger.iter().partition(|e| e.is_lock);
    let rows = changes.iter().map(|entry| {
        let sign = match (entry.status.was_made(), entry.status.needs_attention()) {
            (_, true) => "❌ ",
            (true, false) => "✅ ",
            (false, false) => "",
        };
        vec![
            entry.change.0.to_string(),
            text(&entry.setting),
            code(&words::setting_value(&entry.on, &entry.before)),
            code(&words::setting_value(&entry.on, &entry.after)),
            offset(summary, entry.written.or(entry.announced)),
            offset(summary, entry.undo_began),
            offset(summary, entry.settled_at.filter(|_| !entry.status.needs_attention())),
            format!("{sign}{}", text(&entry.sentence())),
        ]
    });
    let head = ["No.", "Setting", "Before", "After", "Written", "Rolled back", "Verified", "Status"];
    format!("### Rollback\n\n{}\n\n{}", table(&head, rows), line::locks_sentence(&locks))
}

fn recovery(summary: &Summary) -> String {
    let recovery = &summary.recovery;
    let Some(gone) = recovery.gone else {
        return "### Recovery\n\nNo fault was seen to end, so recovery was not judged.".into();
    };
    format!("### Recovery\n\n{}", recovery.told(summary.times.started, gone))
}

fn messages(summary: &Summary) -> String {
    if summary.messages.is_empty() {
        return String::new();
    }
    let rows = summary.messages.iter().map(|message| {
        vec![
            text(&message.queue.to_string()),
            message.planned.to_string(),
            text(&line::account_sentence(&message.account)),
            message.ended.as_deref().map_or_else(|| "not accounted for yet".into(), text),
        ]
    });
    format!("### Messages\n\n{}", table(&["Queue", "Planned", "Account", "The sweep ended"], rows))
}

fn timeline(summary: &Summary) -> String {
    let lines: String = summary.timeline.iter().map(|line| format!("{line}\n")).collect();
    format!("<details><summary>Timeline</summary>\n\n{}\n</details>", fenced("text", &lines))
}

fn environment(summary: &Summary) -> String {
    let environment = &summary.environment;
    let accounts: Vec<String> = environment.accounts.iter().map(ToString::to_string).collect();
    let mut rows = vec![
        vec!["Account".to_owned(), text(&words::list(&accounts))],
        vec!["Experiment".into(), code(&environment.file)],
        vec!["Its SHA-256".into(), code(&environment.file_sha256)],
        vec!["Seed".into(), environment.seed.to_string()],
        vec!["squall".into(), text(&environment.squall)],
        vec!["Journal".into(), words::plural(environment.events, "event", "events")],
    ];
    for (name, value) in &environment.inputs {
        rows.push(vec!["Input".into(), code(&format!("{name}={value}"))]);
    }
    for load in &summary.load {
        let requests = words::plural(load.requests as usize, "request", "requests");
        rows.push(vec![
            "Load".into(),
            format!("{requests} to {}, {} failed", text(&load.target.to_string()), words::whole(load.failed)),
        ]);
    }
    for taken in &environment.taken_over {
        rows.push(vec!["Taken over".into(), format!("{} by {}", summary.offset(taken.at), code(&taken.by))]);
    }
    for failed in &environment.unmeasured {
        let times = words::plural(failed.times, "time", "times");
        rows.push(vec![
            "Not measured".into(),
            format!("{}, {times}: {}", text(&failed.query), text(&failed.first_error)),
        ]);
    }
    format!("### Environment\n\n{}", table(&["", ""], rows.into_iter()))
}

fn reproduced(summary: &Summary) -> String {
    // A rollback from locks knows no file.
    if summary.environment.file.is_empty() {
        return String::new();
    }
    let command = fenced("sh", &format!("{}\n", reproduce::command(summary)));
    format!("### How to reproduce\n\n{}\n\n{command}", reproduce::sentence(summary))
}

fn kind(kind: Option<VerdictKind>) -> &'static str {
    match kind {
        Some(VerdictKind::Held) => "✅ held",
        Some(VerdictKind::Broken) => "❌ broken",
        Some(VerdictKind::Unknown) => "❔ unknown",
        None => "observed only",
    }
}

fn offset(summary: &Summary, at: Option<Time>) -> String {
    at.map_or_else(|| "–".into(), |at| summary.offset(at))
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let cell = |text: &String| {
        // A bar that is not escaped yet, as in a code span, would end the cell.
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            if c == '|' && !out.ends_with('\\') {
                out.push('\\');
            }
            out.push(c);
        }
        out
    };
    let row = |cells: &[String]| format!("| {} |", cells.iter().map(cell).collect::<Vec<_>>().join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule = format!("|{}", " --- |".repeat(head.len()));
    let rows: String = rows.map(|cells| format!("\n{}", row(&cells))).collect();
    format!("{}\n{rule}{rows}", row(&head))
}

/// A text in which nothing is markup.
pub fn text(plain: &str) -> String {
    let mut out = String::with_capacity(plain.len());
    let plain = words::one_line(plain);
    let mut before = ' ';
    for (at, c) in plain.char_indices() {
        // A forge would notify people who are mentioned, and make links of addresses and of numbers of issues.
        let mentions = c == '@' && !before.is_alphanumeric();
        let links = plain[at..].starts_with("://") || plain[at..].to_ascii_lowercase().starts_with("www.");
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '$' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
        if mentions || links || c == '#' {
            out.push(WORD_JOINER);
        }
        before = c;
    }
    out
}

/// It has no width, and what it parts is no mention, no link and no list.
const WORD_JOINER: char = '\u{2060}';

/// Markdown that stands at the start of a line, where a dash or a number would begin a list.
fn paragraph(markdown: &str) -> String {
    let starts_list = markdown.starts_with(['-', '+', '=']) || markdown.starts_with(|c: char| c.is_ascii_digit());
    if starts_list { format!("{WORD_JOINER}{markdown}") } else { markdown.to_owned() }
}

/// A sentence whose `words in backticks` stay code.
fn prose(plain: &str) -> String {
    let parts = plain.split('`').enumerate();
    parts.map(|(place, part)| if place % 2 == 1 { code(part) } else { text_around(part) }).collect()
}

/// As [`text`], with the spaces at its ends kept.
fn text_around(part: &str) -> String {
    let space = |at_end: bool| if at_end { " " } else { "" };
    let inner = text(part);
    match inner.is_empty() {
        true => space(!part.is_empty()).to_owned(),
        false => {
            format!(
                "{}{inner}{}",
                space(part.starts_with(char::is_whitespace)),
                space(part.ends_with(char::is_whitespace))
            )
        }
    }
}

/// A code span that nothing in it can end.
fn code(plain: &str) -> String {
    let plain = words::one_line(plain);
    let fence = "`".repeat(longest_backticks(&plain) + 1);
    let pad = if plain.starts_with('`') || plain.ends_with('`') { " " } else { "" };
    if plain.is_empty() { String::new() } else { format!("{fence}{pad}{plain}{pad}{fence}") }
}

/// A block that nothing in it can end.
pub fn fenced(language: &str, plain: &str) -> String {
    let fence = "`".repeat(longest_backticks(plain).max(2) + 1);
    format!("{fence}{language}\n{plain}{fence}")
}

fn longest_backticks(plain: &str) -> usize {
    plain.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_not_markup() {
        assert_eq!(text("<b> *a*_b_ | `c` [x](y)"), "&lt;b&gt; \\*a\\*\\_b\\_ \\| \\`c\\` \\[x\\](y)");
        let linked = "@org/team see https://evil.example, www.evil.example and #12, ana@laptop";
        assert_eq!(
            text(linked),
            "@\u{2060}org/team see https:\u{2060}//evil.example, w\u{2060}ww.evil.example and \\#\u{2060}12, ana@laptop"
        );
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
        assert!(table(&["x"], [vec![code("a|b"), text("c|d")]].into_iter()).ends_with("| `a\\|b` | c\\|d |"));
        assert_eq!(prose("run `squall undo` now"), "run `squall undo` now");
        assert_eq!(fenced("", "```\n"), "````\n```\n````");
        assert!(paragraph(&text("- not a list")).starts_with('\u{2060}'));
    }
}
