//! What outlives a process: everything that programs read fits its schema and has one shape, and what earlier versions of
//! squall left behind is still read and rolled back. `tests/formats` holds samples of each version, written by its binary.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Output;

use rusqlite::Connection;
use serde_json::Value as Json;
use squall::format::{VERSION, schema};
use squall::report::json;

use crate::kills::bench::{Bench, text};
use crate::schema::misfits;

/// Runs of 0.1.0 that were killed with something outstanding, and how many changes and sends that is.
const KILLED: [&str; 4] = ["killed-throttle", "killed-flag", "killed-policy", "killed-messages"];

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/0.1.0").join(name)
}

/// A project with the store and the sandbox of a sample.
fn project_of(name: &str) -> Bench {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.state()).unwrap();
    for file in ["journal.db", "sandbox.db"] {
        let from = sample(name).join(file);
        if from.exists() {
            std::fs::copy(from, bench.state().join(file)).unwrap();
        }
    }
    bench
}

/// The sandbox as the samples' runs found it.
fn untouched() -> BTreeMap<String, String> {
    Bench::new().picture()
}

fn parsed(output: &Output) -> Json {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stdout)))
}

#[track_caller]
fn code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// Renames the sandbox in `squall.yaml`.
fn rename_account(bench: &Bench, to: &str) {
    let file = bench.folder.path().join("squall.yaml");
    let yaml = std::fs::read_to_string(&file).unwrap();
    let renamed = yaml
        .replace("default_account: sandbox", &format!("default_account: {to}"))
        .replace("\n  sandbox:\n", &format!("\n  {to}:\n"));
    assert_ne!(renamed, yaml);
    std::fs::write(file, renamed).unwrap();
}

/// What is not of the one shape that all forms have: a variant that is no object with a `kind`, a duration or a rate
/// without its unit.
fn misshapen(value: &Json, at: &str, wrong: &mut Vec<String>) {
    match value {
        Json::Object(entries) => {
            for (key, inner) in entries {
                let at = format!("{at}/{key}");
                let spans = ["every", "within", "lasts", "baseline", "recovers_within", "longest", "interval", "after"];
                if spans.contains(&key.as_str()) && inner.is_number() {
                    wrong.push(format!("{at} has no unit"));
                }
                if key == "Ok" || key == "Err" {
                    wrong.push(format!("{at} is Rust's"));
                }
                misshapen(inner, &at, wrong);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| misshapen(item, at, wrong)),
        _ => {}
    }
}

#[track_caller]
fn fits(schema: &Json, value: &Json) {
    let wrong = misfits(schema, schema, value, "");
    assert!(wrong.is_empty(), "{wrong:#?}");
    let mut wrong = Vec::new();
    misshapen(value, "", &mut wrong);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_every_command_prints_fits_its_schema() {
    let bench = Bench::new();
    let mut kinds = BTreeSet::new();
    let experiments = crate::kills::bench::experiments();
    for (number, experiment) in experiments.iter().enumerate() {
        let file = format!("experiments/{experiment}");
        let plan = bench.ended(&["plan", &file, "--json", "--seed", "7"]);
        fits(&schema::of::<squall::document::written::Document>(), &parsed(&plan));
        assert_eq!(parsed(&plan)["format"], VERSION);
        let run = format!("run-{number}");
        let live = bench.ended(&["run", &file, "--json", "--pace", "max", "--seed", "7", "--run-id", &run]);
        for line in text(&live.stdout).lines() {
            let line: Json = serde_json::from_str(line).unwrap();
            fits(&schema::journal(), &line);
            kinds.insert(line["event"]["kind"].as_str().unwrap().to_owned());
        }
        let log = bench.ended(&["log", &run, "--json"]);
        assert_eq!(live.stdout, log.stdout, "{experiment}: a replay gives the same bytes");
        let report = parsed(&bench.ended(&["report", &run, "--json"]));
        fits(&json::schema(), &report);
        assert_eq!(report["format"], VERSION);
    }
    assert!(kinds.len() >= 15, "{kinds:?}");
    let status = parsed(&bench.ended(&["status", "--json"]));
    assert_eq!(status["runs"].as_array().unwrap().len(), experiments.len());
    fits(&schema::status(), &status);
}

#[test]
fn a_schema_refuses_what_is_not_of_its_shape() {
    let bench = project_of("killed-throttle");
    let line: Json =
        serde_json::from_str(text(&bench.ended(&["log", "--json"]).stdout).lines().next().unwrap()).unwrap();
    fits(&schema::journal(), &line);
    for (place, value) in [
        ("/format", Json::Null),
        ("/at", "yesterday".into()),
        ("/event/kind", "begun".into()),
        ("/event/plan/baseline_seconds", (-1).into()),
        ("/event/plan/changes/0/before", serde_json::json!({ "kind": "number" })),
        ("/event/plan/changes/0/before", serde_json::json!({ "kind": "unset", "value": 1 })),
    ] {
        let mut line = line.clone();
        *line.pointer_mut(place).unwrap() = value.clone();
        assert!(!misfits(&schema::journal(), &schema::journal(), &line, "").is_empty(), "{place}: {value}");
    }
}

#[test]
fn a_killed_run_of_an_earlier_version_is_rolled_back() {
    let before = untouched();
    for name in KILLED {
        let bench = project_of(name);
        let status = bench.ended(&["status", "--json"]);
        code(&status, 6);
        fits(&schema::status(), &parsed(&status));
        assert_ne!(parsed(&status)["runs"][0]["outstanding"].as_array().unwrap().len(), 0, "{name}");
        bench.undo_all(&before);
        // One journal in two forms: the events of 0.1.0, and those of the rollback.
        let events = bench.log();
        assert_eq!(events.last().unwrap().name, "closed", "{name}");
        events.iter().for_each(|event| fits(&schema::journal(), &event.line));
    }
}

#[test]
fn a_run_of_an_earlier_version_is_rolled_back_under_another_nickname() {
    let before = untouched();
    for name in KILLED {
        let bench = project_of(name);
        rename_account(&bench, "play");
        bench.undo_all(&before);
    }
}

#[test]
fn a_run_of_an_earlier_version_is_rolled_back_from_its_marks() {
    let before = untouched();
    for name in KILLED {
        let bench = project_of(name);
        std::fs::remove_file(bench.state().join("journal.db")).unwrap();
        code(&bench.ended(&["undo", "--account", "sandbox", "--take-over", "--yes", "--pace", "max"]), 0);
        assert_eq!(bench.picture(), before, "{name}");
    }
}

#[test]
fn a_change_of_an_earlier_version_is_shown() {
    let bench = project_of("killed-throttle");
    let shown = bench.ended(&["undo", "run-1", "--change", "2", "--json"]);
    code(&shown, 6);
    fits(&schema::change(), &parsed(&shown));
    assert_eq!(parsed(&shown)["after"], serde_json::json!({ "kind": "number", "value": 0 }));
}

/// A run of 0.1.0 in an account of AWS names it by nickname; the ARNs in its plan say which account that was.
#[test]
fn the_same_nickname_of_another_account_is_not_believed() {
    let bench = project_of("killed-aws");
    for (id, region) in [("222233334445", "us-east-1"), ("222233334444", "eu-west-1")] {
        let yaml = format!(
            "version: 1\ndefault_account: telemetry\naccounts:\n  telemetry:\n    aws:\n      id: \"{id}\"\n      \
             region: {region}\n      endpoint_url: http://127.0.0.1:9\n      writing: allowed\n      dead_man: none\n"
        );
        std::fs::write(bench.folder.path().join("squall.yaml"), yaml).unwrap();
        let journal = bench.log().len();
        let refused = bench.ended(&["undo"]);
        code(&refused, 6);
        let why = text(&refused.stderr);
        assert!(why.contains("222233334444 in us-east-1") && why.contains("nothing was rolled back"), "{why}");
        assert_eq!(bench.log().len(), journal, "nothing is written, neither here nor there");
    }
}

#[test]
fn every_journal_of_an_earlier_version_still_has_its_reports() {
    for name in ["held", "broken", "killed-aws"].iter().chain(&KILLED) {
        let bench = project_of(name);
        fits(&json::schema(), &parsed(&bench.ended(&["report", "--json"])));
        let told = text(&bench.ended(&["report", "--format", "markdown"]).stdout);
        let ending = name.split('-').next().unwrap();
        assert!(
            told.to_lowercase().contains(if ending == "killed" { "not finished" } else { ending }),
            "{name}: {told:.300}"
        );
        let log = bench.ended(&["log", "--json"]);
        code(&log, 0);
        for line in text(&log.stdout).lines() {
            fits(&schema::journal(), &serde_json::from_str(line).unwrap());
        }
    }
}

/// Rewrites events of a journal as a newer squall would have them, its chain included.
fn rewrite(bench: &Bench, change: impl Fn(Json) -> Json) {
    use sha2::{Digest as _, Sha256};
    let db = Connection::open(bench.state().join("journal.db")).unwrap();
    let mut select = db.prepare("SELECT seq, at, body FROM events ORDER BY seq").unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let rows: Vec<(u64, i64, String)> = rows.map(Result::unwrap).collect();
    let mut head: [u8; 32] = Sha256::digest("run-1").into();
    for (seq, at, body) in rows {
        let body = change(serde_json::from_str(&body).unwrap()).to_string();
        let digest = Sha256::new().chain_update(head).chain_update(seq.to_be_bytes()).chain_update(at.to_be_bytes());
        head = digest.chain_update(&body).finalize().into();
        let values = rusqlite::params![seq, body, head];
        assert_eq!(db.execute("UPDATE events SET body = ?2, hash = ?3 WHERE seq = ?1", values).unwrap(), 1);
    }
    db.execute("UPDATE runs SET head = ?1", [head]).unwrap();
}

/// A run of this version that was killed with its fault in.
fn killed() -> (Bench, BTreeMap<String, String>) {
    let bench = Bench::new();
    let before = bench.picture();
    bench.begin_held("payment-worker-throttled.yaml").kill();
    (bench, before)
}

#[test]
fn a_run_of_a_newer_version_is_rolled_back_as_far_as_it_can_be_read() {
    let (bench, before) = killed();
    let mut thought = 0;
    rewrite(&bench, |mut body| {
        body["format"] = 3.into();
        if body["event"]["kind"] == "sampled" {
            body["event"] = serde_json::json!({ "kind": "pondered", "depth": 4 });
        }
        body
    });
    for line in bench.ended(&["status"]).stdout.split(|byte| *byte == b'\n') {
        thought += usize::from(text(line).contains("reserved concurrency of function PaymentWorker"));
    }
    assert_eq!(thought, 1);
    // What shows a run whole is refused, with the reason.
    let log = bench.ended(&["log"]);
    assert_ne!(log.status.code(), Some(0));
    assert!(
        text(&log.stderr).contains("has format 3; this version of squall reads formats up to 2"),
        "{}",
        text(&log.stderr)
    );
    let undone = bench.ended(&["undo", "--pace", "max"]);
    code(&undone, 0);
    assert!(text(&undone.stderr).contains("of a newer version of squall cannot be read; rolling back without them"));
    assert_eq!(bench.picture(), before);
    code(&bench.ended(&["status"]), 0);
}

#[test]
fn a_run_of_a_newer_version_that_cannot_be_read_names_the_way_by_the_account() {
    let (bench, before) = killed();
    rewrite(&bench, |mut body| {
        body["format"] = 3.into();
        if body["event"]["kind"] == "started" {
            body["event"]["plan"]["weather"] = "squall".into();
        }
        body
    });
    let changed = bench.picture();
    code(&bench.ended(&["status"]), 6);
    let undone = bench.ended(&["undo", "--pace", "max"]);
    code(&undone, 6);
    let why = text(&undone.stderr);
    assert!(why.contains("event 1 of run-1 has format 3") && why.contains("squall undo --account NAME"), "{why}");
    assert_eq!(bench.picture(), changed, "nothing is written");
    code(&bench.ended(&["undo", "--account", "sandbox", "--take-over", "--yes", "--pace", "max"]), 0);
    assert_eq!(bench.picture(), before);
}

#[test]
fn a_store_of_a_newer_version_names_the_way_by_the_account() {
    let (bench, before) = killed();
    Connection::open(bench.state().join("journal.db")).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let undone = bench.ended(&["undo", "--pace", "max"]);
    code(&undone, 6);
    let why = text(&undone.stderr);
    assert!(why.contains("version 99") && why.contains("squall undo --account NAME"), "{why}");
    code(&bench.ended(&["undo", "--account", "sandbox", "--take-over", "--yes", "--pace", "max"]), 0);
    assert_eq!(bench.picture(), before);
}
