//! A journal as a file, to carry it to another machine: the lines of `squall log --json`, and a last line with their digest, so
//! that a file that was cut or edited is refused.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::jsonl;
use crate::format::{Convert as _, VERSION, journal};
use crate::ids::RunId;
use crate::outside::one_line;
use crate::run::Recorded;
use crate::run::conclude::left_behind;
use crate::run::event::Event;
use crate::run::state::State;

/// The last line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    /// Events before it.
    events: u64,
    /// SHA-256 of the lines before it, line feeds included, in hex.
    sha256: String,
}

/// Why a file is no journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoJournal {
    #[error("its last line, with the digest, is missing: the file was cut off, or is no export")]
    NoSeal,
    #[error("its digest does not match: the file was changed after the export")]
    Changed,
    #[error("line {line} is no event that this version of squall reads: {why}")]
    Line { line: usize, why: String },
    #[error("line {line} has format {format}; this version of squall reads formats up to {VERSION}")]
    Newer { line: usize, format: u32 },
    #[error("line {line} does not follow the line before it")]
    Order { line: usize },
    #[error("it has no events")]
    Empty,
    #[error("`{name}` is no name of a run")]
    Name { name: String },
    #[error("it contradicts itself: {why}")]
    Contradiction { why: String },
}

/// The events of a run as a file.
pub fn write(run: &RunId, events: &[Recorded]) -> String {
    let lines: String = events.iter().map(|recorded| jsonl::line(run, recorded) + "\n").collect();
    let seal = Seal { events: events.len() as u64, sha256: digest(&lines) };
    // Numbers and texts always have a JSON form.
    let seal = serde_json::to_string(&seal).unwrap_or_default();
    lines + &seal + "\n"
}

/// The events of such a file.
///
/// # Errors
/// It was cut or changed, or a newer squall wrote it.
pub fn read(text: &str) -> Result<(RunId, Vec<Recorded>), NoJournal> {
    let body = text.trim_end_matches('\n');
    let (lines, last) = body.rsplit_once('\n').map_or(("", body), |(lines, last)| (lines, last));
    let seal: Seal = serde_json::from_str(last).map_err(|_| NoJournal::NoSeal)?;
    let lines = if lines.is_empty() { String::new() } else { format!("{lines}\n") };
    if seal.sha256 != digest(&lines) || seal.events != lines.lines().count() as u64 {
        return Err(NoJournal::Changed);
    }
    let mut run: Option<RunId> = None;
    let mut events = Vec::new();
    for (number, text) in (1..).zip(lines.lines()) {
        let line = line(number, text)?;
        let follows = line.seq == number as u64 && run.as_ref().is_none_or(|run| *run == line.run);
        if !follows {
            return Err(NoJournal::Order { line: number });
        }
        run = Some(line.run);
        events.push(Recorded { seq: line.seq, at: line.at, event: line.event.convert() });
    }
    let run = run.ok_or(NoJournal::Empty)?;
    if !is_name(&run) {
        return Err(NoJournal::Name { name: one_line(&run.0) });
    }
    agree(&events)?;
    Ok((run, events))
}

/// Whether it is a name as squall gives them: it becomes part of files' names. Later rollbacks are called after their run.
fn is_name(run: &RunId) -> bool {
    let later = ["-rollback-", "-acknowledged-"].into_iter().find_map(|later| run.0.rsplit_once(later));
    let (name, number) = later.unwrap_or((&run.0, "1"));
    name.parse::<RunId>().is_ok() && number.parse::<u32>().is_ok()
}

/// That the events are those of one journal: it begins with what it is of, nothing follows its end, and the end names all that
/// its events left.
fn agree(events: &[Recorded]) -> Result<(), NoJournal> {
    let no = |why: &str| Err(NoJournal::Contradiction { why: why.into() });
    let Some((last, before)) = events.split_last() else { return Err(NoJournal::Empty) };
    if before.iter().any(|recorded| recorded.event.is_last()) {
        return no("events follow its end");
    }
    if before.is_empty() && matches!(last.event, Event::Acknowledged { .. }) {
        return Ok(());
    }
    let replayed = State::replay(events.iter().map(|recorded| (recorded.at, &recorded.event)));
    let Some(state) = replayed else { return no("it does not begin with a plan") };
    if let Event::Closed { left, .. } = &last.event {
        let unnamed =
            left_behind(&state).into_iter().find(|one| !left.iter().any(|named| named.resource == one.resource));
        if let Some(unnamed) = unnamed {
            return no(&format!("its end does not name what its events left: {}: {}", unnamed.resource, unnamed.what));
        }
    }
    Ok(())
}

fn line(number: usize, text: &str) -> Result<journal::Line, NoJournal> {
    let malformed = |error: serde_json::Error| NoJournal::Line { line: number, why: error.to_string() };
    let value: serde_json::Value = serde_json::from_str(text).map_err(malformed)?;
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(format) if format > u64::from(VERSION) => {
            Err(NoJournal::Newer { line: number, format: u32::try_from(format).unwrap_or(u32::MAX) })
        }
        _ => serde_json::from_value(value).map_err(malformed),
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_journal_comes_back_as_it_was_and_no_changed_file_does() {
        let run = RunId("run-1".into());
        for (name, events) in sample::all() {
            let text = write(&run, &events);
            assert_eq!(read(&text), Ok((run.clone(), events.clone())), "{name}");
            let cut = text.trim_end().rsplit_once('\n').unwrap().0;
            assert_eq!(read(cut), Err(NoJournal::NoSeal), "{name}");
            assert_eq!(read(&text.replacen("run-1", "run-2", 1)), Err(NoJournal::Changed), "{name}");
            let without_one: String = text.split_inclusive('\n').skip(1).collect();
            assert_eq!(read(&without_one), Err(NoJournal::Changed), "{name}");
        }
    }

    #[test]
    fn a_file_that_is_none_says_why() {
        let sealed = |lines: &str| {
            let seal = Seal { events: lines.lines().count() as u64, sha256: digest(lines) };
            format!("{lines}{}\n", serde_json::to_string(&seal).unwrap())
        };
        let events = sample::held();
        let line = jsonl::line(&RunId("run-1".into()), &events[0]) + "\n";
        assert_eq!(read(""), Err(NoJournal::NoSeal));
        assert_eq!(read(&sealed("")), Err(NoJournal::Empty));
        assert_eq!(read(&sealed(&format!("{line}{line}"))), Err(NoJournal::Order { line: 2 }));
        let newer = line.replacen(&format!("\"format\":{VERSION}"), "\"format\":99", 1);
        assert_eq!(read(&sealed(&newer)), Err(NoJournal::Newer { line: 1, format: 99 }));
        assert!(matches!(read(&sealed("{}\n")), Err(NoJournal::Line { line: 1, .. })));
        let of = |run: &str, events: &[Recorded]| read(&write(&RunId(run.into()), events));
        for name in ["../../evil", "..", "", "l\u{1b}[31mx", "run-1/x", "run-1-rollback-x", "Run"] {
            assert!(matches!(of(name, &events), Err(NoJournal::Name { .. })), "{name}");
        }
        assert!(of("run-1-rollback-2", &events).is_ok());
    }

    /// A journal that says that nothing is left while its events say otherwise would hide it.
    #[test]
    fn a_journal_that_contradicts_itself_is_refused() {
        let numbered = |events: Vec<Recorded>| -> Vec<Recorded> {
            (1..).zip(events).map(|(seq, recorded)| Recorded { seq, ..recorded }).collect()
        };
        let held = sample::held();
        let no = |events: Vec<Recorded>| {
            matches!(read(&write(&RunId("run-1".into()), &numbered(events))), Err(NoJournal::Contradiction { .. }))
        };
        let without =
            |is: fn(&Event) -> bool| held.iter().filter(|recorded| !is(&recorded.event)).cloned().collect::<Vec<_>>();
        assert!(no(without(|event| matches!(event, Event::Settled { .. }))), "changes are still in");
        assert!(no(without(|event| matches!(event, Event::Started { .. }))), "it has no plan");
        let twice = [held.clone(), vec![held.last().unwrap().clone()]].concat();
        assert!(no(twice), "something follows its end");
    }
}
