//! Game days: the shipped runbooks are rehearsed, what is written is read for ever, and a day outlives its process.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;
use squall::format::{day, schema};
use squall::gameday::day::Day;
use squall::gameday::event::{Phase, Recorded};
use squall::gameday::role::Role;
use squall::gameday::view::View;
use squall::units::{Span, Time};

use crate::kills::bench::{Bench, Running, text};
use crate::schema::misfits;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn squall(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command
        .args(arguments)
        .current_dir(root())
        .env("SQUALL_WHO", "ana@laptop")
        .env_remove("SQUALL_LOG")
        .output()
        .unwrap()
}

pub fn runbooks() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("runbooks")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
    files.sort();
    files
}

/// The events of a rehearsal, each of which fits its schema.
pub fn rehearsed(file: &Path, responders: &str) -> (Output, Vec<Recorded>) {
    let output = squall(&["gameday", "rehearse", file.to_str().unwrap(), "--json", "--responders", responders]);
    let schema = schema::of::<day::Line>();
    let mut events = Vec::new();
    for line in text(&output.stdout).lines() {
        let value: Json = serde_json::from_str(line).unwrap();
        assert_eq!(misfits(&schema, &schema, &value, ""), Vec::<String>::new());
        let event = day::read(&serde_json::json!({ "format": 1, "event": value["event"] }).to_string()).unwrap();
        let at: Time = value["at"].as_str().unwrap().parse().unwrap();
        events.push(Recorded { seq: value["seq"].as_u64().unwrap(), at, event });
    }
    (output, events)
}

#[test]
fn every_shipped_runbook_goes_as_it_says() {
    let files = runbooks();
    assert_eq!(files.len(), 4);
    for file in files {
        let (output, events) = rehearsed(&file, "scripted");
        assert_eq!(output.status.code(), Some(0), "{}: {}", file.display(), text(&output.stderr));
        let day = Day::replay(&events).unwrap();
        assert_eq!(day.phase, Phase::Closed);
        let lasts = day.runbook.front.lasts;
        let took = day.last.since(day.opened);
        assert!(took <= lasts, "{} takes {took} and says {lasts}", file.display());
        for (scenario, progress) in day.runbook.scenarios.iter().zip(&day.scenarios) {
            for expectation in &scenario.spec.expectations {
                let settled = progress.settled.get(&expectation.name.0).map(|settled| settled.outcome.is_good());
                assert_eq!(settled, Some(true), "{}: {}", file.display(), expectation.name.0);
            }
            if scenario.spec.experiment.is_some() {
                let fault = &progress.fault;
                assert!(fault.effective.is_some() && fault.gone.is_some(), "{}", file.display());
                assert!(fault.ended.as_ref().is_some_and(|ended| ended.left.is_empty()));
            }
        }
    }
}

/// The same command gives the same day; without responders what was expected of them expires, and contingencies come.
#[test]
fn a_rehearsal_without_responders_is_the_same_each_time_and_ends_by_itself() {
    let file = root().join("runbooks/first-game-day.md");
    let (output, events) = rehearsed(&file, "absent");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(output.stdout, rehearsed(&file, "absent").0.stdout);
    let day = Day::replay(&events).unwrap();
    let outcome = |name: &str| {
        day.scenarios[0].settled.iter().find(|(known, _)| known.0 == name).map(|(_, it)| it.outcome.word())
    };
    assert_eq!(
        (outcome("noticed"), outcome("cause"), outcome("alarm")),
        (Some("expired"), Some("expired"), Some("succeeded"))
    );
    assert!(day.scenarios[0].released.keys().any(|name| name.0 == "nudge"));
    let responder = serde_json::to_string(&day.view(Role::Responder)).unwrap();
    assert!(!responder.contains("Payments stop") && !responder.contains("payment-worker-throttled"));
    assert!(!responder.contains("Do not say so"), "a reminder for the facilitator");
}

#[test]
fn every_view_fits_its_schema_and_the_record_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = root().join("runbooks/first-game-day.md");
    let (_, events) = rehearsed(&file, "scripted");
    let schema = schema::of::<View>();
    for count in [1, 9, events.len()] {
        let day = Day::replay(&events[..count]).unwrap();
        for role in Role::ALL {
            let view = serde_json::to_value(day.view(role)).unwrap();
            assert_eq!(misfits(&schema, &schema, &view, ""), Vec::<String>::new());
        }
    }
    for name in ["record.html", "record.md"] {
        let record = folder.path().join(name);
        let output = squall(&["gameday", "rehearse", file.to_str().unwrap(), "--record", record.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0));
        let written = std::fs::read_to_string(record).unwrap();
        for said in ["Payments stop", "Held", "Look at the reserved concurrency", "longer than", "coffee machine"] {
            assert!(written.contains(said), "{name} does not say {said}");
        }
        assert!(!written.contains("<script") && !written.contains("src="), "{name}");
    }
}

/// A sample of format 1, which is never edited.
#[test]
fn days_of_format_1_are_read_for_ever() {
    let sample = std::fs::read_to_string(root().join("tests/formats/days-1.jsonl")).unwrap();
    let mut kinds = BTreeSet::new();
    let mut events = Vec::new();
    for (seq, line) in (1..).zip(sample.lines()) {
        let event = day::read(line).unwrap_or_else(|error| panic!("event {seq}: {error}"));
        let again: Json = serde_json::from_str(&day::body(&event).unwrap()).unwrap();
        let before: Json = serde_json::from_str(line).unwrap();
        assert_eq!(again, before);
        kinds.insert(before["event"]["kind"].as_str().unwrap().to_owned());
        let at = "2026-03-02T09:00:00Z".parse::<Time>().unwrap() + Span::from_mins(seq);
        events.push(Recorded { seq: seq.unsigned_abs(), at, event });
    }
    let schema = schema::of::<day::Line>();
    let known = schema["$defs"]["Event"]["oneOf"].as_array().unwrap();
    let known: BTreeSet<String> =
        known.iter().map(|form| form["properties"]["kind"]["const"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, known, "the sample has every kind");
    let day = Day::replay(&events).unwrap();
    assert_eq!((day.phase, day.notes[0].before.len(), day.actions.len()), (Phase::Closed, 1, 1));
    let newer = day::read(r#"{"format":2,"event":{"kind":"entered","phase":"closed"}}"#);
    assert!(newer.unwrap_err().to_string().contains("format 2"));
}

/// A runbook whose fault stays in until somebody ends it.
fn held() -> (Bench, &'static str) {
    let bench = Bench::new();
    let experiment = bench.held("payment-worker-throttled.yaml");
    let experiment = experiment.strip_suffix(".yaml").unwrap();
    let runbook = format!(
        "---\nversion: 1\ntitle: A day\ngoal: To outlive its process\nlasts: 2h\n\
         roles: {{ facilitator: 1, responder: 1 }}\npeople: {{ Ada: facilitator, Grace: responder, Sam: scribe }}\n---\n\
         ## Briefing\n## Readiness\n## Scenarios\n### One\n```yaml\nexperiment: {experiment}\nhypothesis: It holds\n\
         longest: 40h\n```\n## Debrief\n"
    );
    std::fs::write(bench.folder.path().join("day.md"), runbook).unwrap();
    (bench, "day-1")
}

fn begin(bench: &Bench, arguments: &[&str], typed: &str) -> Running {
    let mut command = bench.squall(&[&["gameday", "run", "--json", "--without-rehearsal"], arguments].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(typed.as_bytes()).unwrap();
    Running::new(child)
}

fn type_(running: &mut Running, typed: &str) {
    running.child.stdin.as_mut().unwrap().write_all(typed.as_bytes()).unwrap();
}

fn recorded(bench: &Bench) -> Vec<String> {
    let output = bench.ended(&["gameday", "report", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(str::to_owned).collect()
}

const TO_THE_SCENARIO: &str = "next\nnext\ngo all is well\nnext\n";

/// Killed when its run is announced, and when its fault works: whether the run had begun or not, the day goes on.
#[test]
fn a_day_outlives_its_process_with_every_note_and_the_fault_is_rolled_back() {
    for moment in ["fault_due", "fault_effective"] {
        let (bench, id) = held();
        let before = bench.picture();
        let mut running = begin(&bench, &["day.md", "--day-id", id, "--pace", "300x"], TO_THE_SCENARIO);
        running.until(moment);
        let noted = bench.ended(&["gameday", "note", "--as", "Sam", "written down before the end"]);
        assert!(noted.status.success(), "{}", text(&noted.stderr));
        running.kill();
        assert!(moment == "fault_due" || bench.picture() != before, "the fault is in");
        let kept = recorded(&bench);
        let mut running = begin(&bench, &["--day", id, "--pace", "max"], "end it is enough\n");
        while running.until("entered").line["event"]["phase"] != "all_clear" {}
        type_(&mut running, "next\nnext\nnext\n");
        let (_, status) = running.rest();
        assert!(status.success(), "{moment}: {status}");
        assert_eq!(bench.picture(), before, "{moment}");
        let whole = recorded(&bench);
        assert_eq!(whole[..kept.len()], kept[..], "what was recorded stays");
        assert!(whole.iter().any(|line| line.contains("written down before the end")), "{moment}");
        assert!(bench.state().join(format!("reports/{id}.html")).exists());
    }
}

#[test]
fn an_abort_from_another_process_rolls_back_and_keeps_the_record() {
    let (bench, id) = held();
    let before = bench.picture();
    let mut running = begin(&bench, &["day.md", "--day-id", id, "--pace", "300x"], TO_THE_SCENARIO);
    running.until("fault_effective");
    let refused = bench.ended(&["gameday", "release", "no-such-item"]);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stderr));
    let second = bench.ended(&["gameday", "run", "--day", id]);
    assert!(text(&second.stderr).contains("another process leads"), "{}", text(&second.stderr));
    let aborted = bench.ended(&["gameday", "abort", "--as", "Grace", "--reason", "customers see errors"]);
    assert!(aborted.status.success(), "{}", text(&aborted.stderr));
    running.until("run_ended");
    assert_eq!(running.until("entered").line["event"]["phase"], "debrief");
    type_(&mut running, "action Grace scenario=1 retest=2027-01-15 add an alarm\nnext\nnext\n");
    let (_, status) = running.rest();
    assert!(status.success(), "{status}");
    assert_eq!(bench.picture(), before);
    let whole = recorded(&bench).join("\n");
    assert!(whole.contains("customers see errors") && whole.contains("\"role\":\"responder\""));
    let schedules = bench.ended(&["gameday", "report", "--schedules"]);
    assert!(schedules.status.success(), "{}", text(&schedules.stderr));
    let listed = bench.ended(&["schedule", "--after", "2027-01-01T00:00:00Z"]);
    assert!(text(&listed.stdout).contains("2027-01-15"), "{}{}", text(&listed.stdout), text(&listed.stderr));
}

/// Without a process that leads the day an abort is recorded, and the fault is still there.
#[test]
fn an_abort_without_a_leader_is_no_success_while_the_fault_is_in_place() {
    let (bench, id) = held();
    let before = bench.picture();
    let mut running = begin(&bench, &["day.md", "--day-id", id, "--pace", "300x"], TO_THE_SCENARIO);
    running.until("fault_effective");
    running.kill();
    let aborted = bench.ended(&["gameday", "abort", "--as", "Grace", "--reason", "customers see errors"]);
    assert_eq!(aborted.status.code(), Some(6), "{}", text(&aborted.stdout));
    // Asked again, the answer is the same; and the status says it.
    let again = bench.ended(&["gameday", "abort", "--as", "Grace", "--reason", "still"]);
    let said = text(&again.stdout);
    assert!(again.status.code() == Some(6) && said.contains("squall undo"), "{said} {}", text(&again.stderr));
    let status = bench.ended(&["gameday", "status"]);
    let (out, err) = (text(&status.stdout), text(&status.stderr));
    assert!(status.status.code() == Some(6) && err.contains("no process leads"), "{out} {err}");
    assert!(!out.contains("is being"), "nothing is done by itself: {out}");
    bench.undo_all(&before);
    assert!(bench.ended(&["gameday", "status"]).status.success());
}

#[test]
fn a_new_runbook_and_a_list_go_in_and_out() {
    let bench = Bench::new();
    let list = "text,when,from,kind\r\n\"Hello, is anybody there?\",5m,support,inject\r\nRemember the time,2m,,facilitation\r\n";
    std::fs::write(bench.folder.path().join("events.csv"), list).unwrap();
    let experiment = "experiments/payment-worker-throttled.yaml";
    let new = ["gameday", "new", "runbooks/spring.md", experiment, "--msel", "events.csv"];
    let written = bench.ended(&new);
    assert!(written.status.success(), "{}", text(&written.stderr));
    assert_eq!(bench.ended(&new).status.code(), Some(3), "nothing is overwritten");
    let checked = bench.ended(&["check", "runbooks/spring.md"]);
    assert!(checked.status.success(), "{}", text(&checked.stdout));
    // People that the runbook does not name yet are invented for a rehearsal.
    let rehearsed = bench.ended(&["gameday", "rehearse", "runbooks/spring.md"]);
    assert_eq!(rehearsed.status.code(), Some(0), "{}{}", text(&rehearsed.stdout), text(&rehearsed.stderr));
    assert!(text(&rehearsed.stdout).contains("for you (event-2): Remember the time"), "{}", text(&rehearsed.stdout));
    let out = bench.ended(&["gameday", "msel", "runbooks/spring.md"]);
    assert!(text(&out.stdout).contains("\"Hello, is anybody there?\",facilitator responder"), "{}", text(&out.stdout));
    let cards = bench.ended(&["gameday", "card", "runbooks/spring.md"]);
    assert!(text(&cards.stdout).contains("Hand-over sheet") && !text(&cards.stdout).contains("Hello"));
}
