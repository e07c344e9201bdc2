//! A year of schedules across both clock changes in eight zones is what another program says: `tests/planner/plan.py`, with
//! croniter and Python's zoneinfo. What it printed is in `tests/planner/2025.json`.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use squall::schedule::compile::Rules;
use squall::schedule::spec::{ScheduleFile, Scheduling};
use squall::schedule::{Occurrence, Schedule, Why};
use squall::units::{Span, Time};
use squall::yaml::{Loaded, Source, Style};

const STORED: &str = "tests/planner/2025.json";

/// A year of one schedule, as the other program has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    zone: String,
    cron: String,
    count: usize,
    kept: usize,
    sha256: String,
    /// The lines around the clock changes.
    around: Vec<String>,
}

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

fn schedule(zone: &str, cron: &str) -> Schedule {
    let text = format!(
        "version: 1\nschedules:\n  x:\n    experiment: y\n    when: {{ cron: '{cron}' }}\n    zone: {zone}\n    hours: \
         [mon-thu 09:00-17:00, fri 22:00-05:00, sat 20:00-24:00, sun 00:00-02:30]\n    blackouts:\n      \
         june: {{ from: 2025-06-09, to: 2025-06-11 }}\n      october: {{ from: 2025-10-26, to: 2025-10-26 }}\n"
    );
    let (loaded, findings) = Loaded::<ScheduleFile>::read(&Source::new("x.yaml", text));
    assert!(findings.is_empty(), "{}", findings.render(Style::Plain));
    let file = loaded.unwrap().value;
    let (name, spec) = file.schedules.first_key_value().unwrap();
    let mut rules = Rules::new(&Scheduling::default(), &[], at("2025-01-01T00:00:00Z"));
    let (schedule, problems) = rules.compile(name, spec, &[], Span::from_mins(45));
    assert_eq!(problems, []);
    schedule
}

fn line(occurrence: &Occurrence) -> String {
    let fate = match &occurrence.skipped {
        None => "kept",
        Some(Why::OutOfHours) => "out",
        Some(Why::HoursEnd { .. }) => "end",
        Some(Why::Closed { .. }) => "closed",
        Some(Why::ClosesSoon { .. }) => "soon",
        Some(Why::Disabled) => "off",
    };
    format!("{}Z {fate}", &occurrence.at.to_string()[..16])
}

#[test]
fn a_year_in_eight_zones_is_what_croniter_and_zoneinfo_say() {
    let planned: Vec<Planned> = serde_json::from_str(&std::fs::read_to_string(STORED).unwrap()).unwrap();
    assert_eq!(planned.len(), 80);
    let mut occurrences = 0;
    for other in planned {
        let schedule = schedule(&other.zone, &other.cron);
        let year = schedule.occurrences(at("2025-01-01T00:00:00Z"));
        let lines: Vec<String> = year
            .take_while(|occurrence| occurrence.at < at("2026-01-01T00:00:00Z"))
            .map(|occurrence| line(&occurrence))
            .collect();
        let what = format!("`{}` in {}", other.cron, other.zone);
        for line in &other.around {
            assert!(lines.contains(line), "{what}: {line} is not in ours");
        }
        let kept = lines.iter().filter(|line| line.ends_with(" kept")).count();
        assert_eq!((lines.len(), kept), (other.count, other.kept), "{what}");
        let hash = Sha256::digest(lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, other.sha256, "{what}");
        occurrences += lines.len();
    }
    assert!(occurrences > 300_000, "{occurrences}");
}

#[test]
fn the_stored_list_is_what_the_other_program_prints() {
    let python = Path::new("target/planner/bin/python");
    assert!(python.exists(), "croniter is not there: run tests/planner/setup.sh");
    let output = Command::new(python).arg("tests/planner/plan.py").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout == std::fs::read(STORED).unwrap(), "{STORED} is not what tests/planner/plan.py prints");
}
