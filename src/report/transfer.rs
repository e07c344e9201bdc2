//! A journal as a file, to carry it to another machine: the lines of `squall log --json`, and a last line with their digest, so
//! that a file that was cut or edited is refused.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::jsonl;
use crate::format::{Convert as _, VERSION, journal};
use crate::ids::RunId;
use crate::run::Recorded;

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
    Ok((run.ok_or(NoJournal::Empty)?, events))
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
    }
}
