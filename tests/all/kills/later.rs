//! What happens to a run after its end: late and forged locks, third parties, later rollbacks that are killed themselves, and
//! people who take care of what was left. The run's own journal and report stay as they are.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use squall::account::sandbox::{Opening, Pace, Sandbox, Weather, shop};
use squall::account::{Account, Call, Location, Resource, ResourceKind, Setting, Value, Write, ask};
use squall::env::RealEnv;

use super::bench::{Bench, Running, text};

const EXPERIMENT: &str = "payment-worker-throttled.yaml";

impl Bench {
    /// The account, as a third party works on it.
    fn sandbox(&self) -> Sandbox {
        let start = "2026-03-02T09:00:00Z".parse().unwrap();
        let opening = Opening { seed: 7, start, identity: 7, pace: Pace::Max, weather: Weather::calm() };
        Sandbox::open(&self.state().join("sandbox.db"), &shop(), opening, Arc::new(RealEnv)).unwrap()
    }

    /// A third party writes a setting.
    fn write(&self, setting: Setting, value: Value) {
        let mut account: Box<dyn Account> = Box::new(self.sandbox());
        ask(account.as_mut(), Call::Write(Write { setting, value, whole: None })).unwrap();
    }

    /// The location of the sandbox, as the journal names it, and the run's changes: setting, before, after.
    fn plan(&self) -> Json {
        self.log().remove(0).line["event"]["plan"].clone()
    }

    fn worker(&self) -> Resource {
        let at: Location = Location {
            account: serde_json::from_value(self.plan()["accounts"][0]["account"].clone()).unwrap(),
            region: serde_json::from_value(self.plan()["accounts"][0]["region"].clone()).unwrap(),
        };
        let changes = self.plan()["changes"].clone();
        let reserved = changes.as_array().unwrap().iter().find(|c| c["setting"]["kind"] == "reserved_concurrency");
        let name = reserved.unwrap()["setting"]["function"]["name"].as_str().unwrap().to_owned();
        Resource::new(&at, ResourceKind::Function, name)
    }

    fn reserve(&self, value: Value) {
        self.write(Setting::ReservedConcurrency { function: self.worker() }, value);
    }

    /// The lock of the run on the worker, as it was written.
    fn lock_text(&self) -> String {
        let plan = self.plan();
        let changes = plan["changes"].as_array().unwrap().iter();
        let mut locks = changes.filter(|change| change["setting"]["kind"] == "lock");
        locks.find(|c| c["setting"]["resource"]["kind"] == "function").unwrap()["after"]["value"]
            .as_str()
            .unwrap()
            .into()
    }

    fn log_of(&self, run: &str) -> String {
        let log = self.ended(&["log", run]);
        assert!(log.status.success(), "{}", text(&log.stderr));
        text(&log.stdout)
    }

    fn status_json(&self) -> (Json, Option<i32>) {
        let status = self.ended(&["status", "--json"]);
        (serde_json::from_slice(&status.stdout).unwrap(), status.status.code())
    }

    /// The machine with the journal is gone.
    fn lose_the_journal(&self) {
        let state = self.state();
        for file in std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path()) {
            if file.file_name().unwrap().to_string_lossy().starts_with("journal") {
                std::fs::remove_file(file).unwrap();
            }
        }
        std::fs::remove_dir_all(state.join("locks")).unwrap();
    }

    /// A run to its end.
    fn run_to_its_end(&self) {
        let ended = self.ended(&Bench::run_arguments(&format!("experiments/{EXPERIMENT}"), "max"));
        assert!(ended.status.success(), "{}", text(&ended.stderr));
    }
}

/// Begins a rollback that `arguments` say, and kills it after so many of its events.
fn killed_after(bench: &Bench, arguments: &[&str], events: usize) {
    let mut command = bench.squall(&[arguments, &["--pace", "60x", "--json"]].concat());
    let mut undoing = Running::new(command.stdout(std::process::Stdio::piped()).spawn().unwrap());
    for _ in 0..events {
        undoing.next();
    }
    undoing.kill();
}

/// A lock and a fault that arrive after the run is closed: the account's own state decides, and what the run found stays.
#[test]
fn a_late_lock_of_a_closed_run_is_rolled_back_and_the_run_is_not_changed() {
    let bench = Bench::new();
    let before = bench.picture();
    bench.run_to_its_end();
    let (log, report) = (bench.log_of("run-1"), bench.ended(&["report", "run-1", "--format", "json"]).stdout);
    let (was, _) = bench.status_json();
    bench.write(Setting::Lock { resource: bench.worker() }, Value::Text(bench.lock_text()));
    bench.reserve(Value::Number(0));
    assert_eq!(bench.ended(&["status"]).status.code(), Some(6));

    let undone = bench.ended(&["undo", "--account", "sandbox", "--pace", "max"]);
    assert!(undone.status.success(), "{}\n{}", text(&undone.stdout), text(&undone.stderr));
    assert!(text(&undone.stdout).contains("later rollback of run-1"), "{}", text(&undone.stdout));
    assert_eq!(bench.picture(), before);

    assert_eq!(bench.log_of("run-1"), log);
    assert_eq!(bench.ended(&["report", "run-1", "--format", "json"]).stdout, report);
    let (status, code) = bench.status_json();
    assert_eq!(code, Some(0));
    assert_eq!(status["runs"][0]["verdict"], was["runs"][0]["verdict"]);
    assert_eq!(status["runs"][0]["rollbacks"][0]["run"], "run-1-rollback-1");
    assert_eq!(status["runs"][0]["rollbacks"][0]["closed"], true);
    assert!(bench.log_of("run-1-rollback-1").contains("a later rollback of run-1"));
    let shown = bench.ended(&["log", "run-1"]);
    assert!(text(&shown.stderr).contains("run-1-rollback-1"), "{}", text(&shown.stderr));
}

/// Exit 6 for a third party's change holds until a person says that it may.
#[test]
fn what_a_third_party_set_stays_exit_6_until_it_is_acknowledged() {
    let bench = Bench::new();
    let mut running = bench.begin_held(EXPERIMENT);
    running.kill();
    bench.reserve(Value::Number(3));
    let left = |arguments: &[&str]| {
        let ended = bench.ended(arguments);
        assert_eq!(ended.status.code(), Some(6), "{arguments:?}\n{}\n{}", text(&ended.stdout), text(&ended.stderr));
        ended
    };
    left(&["undo", "--pace", "max"]);
    let log = bench.log_of("run-1");
    left(&["undo", "--pace", "max"]);
    left(&["undo", "--account", "sandbox", "--pace", "max"]);
    left(&["status"]);
    assert_eq!(bench.log_of("run-1"), log, "a closed run is never changed");

    let unknown = bench.ended(&["acknowledge", "run-1", "--resource", "other", "--reason", "x"]);
    assert_eq!(unknown.status.code(), Some(64));
    let acknowledged = bench.ended(&["acknowledge", "run-1", "--reason", "our deploy wants 3"]);
    assert!(acknowledged.status.success(), "{}", text(&acknowledged.stderr));
    assert_eq!(bench.log_of("run-1"), log);
    let undone = bench.ended(&["undo"]);
    assert!(undone.status.success());
    assert!(
        text(&undone.stderr).contains("acknowledged by ana@laptop: our deploy wants 3"),
        "{}",
        text(&undone.stderr)
    );
    let (status, code) = bench.status_json();
    assert_eq!((code, &status["runs"][0]["acknowledged"][0]["reason"]), (Some(0), &json!("our deploy wants 3")));
    assert_eq!(status["runs"][0]["outstanding"], json!([]));
}

/// A run begins with an untouched sandbox, unless something is outstanding there.
#[test]
fn a_sandbox_is_begun_afresh_by_each_run_but_never_over_what_is_outstanding() {
    let bench = Bench::new();
    let run = ["run", "experiments/notifications-poisoned.yaml", "--pace", "max", "--seed", "7"];
    let ended = |arguments: &[&str]| {
        let output = bench.ended(&[&run, arguments].concat());
        (output.status.code(), text(&output.stderr))
    };
    assert_eq!([ended(&[]).0, ended(&[]).0], [Some(4), Some(4)], "the shop has this weakness each time");
    // The messages that died in the run before are still there.
    assert_ne!(ended(&["--keep"]).0, Some(4));
    assert_eq!(ended(&["--keep", "--start", "2026-03-02T09:00:00Z"]).0, Some(64));
    assert_eq!(ended(&[]).0, Some(4));
    let bench = Bench::new();
    let before = bench.picture();
    bench.begin_held("payment-worker-throttled.yaml").kill();
    let changed = bench.picture();
    let again = ["run", "experiments/payment-worker-throttled.yaml", "--pace", "max"];
    let refused = bench.ended(&again);
    assert_eq!(refused.status.code(), Some(3));
    assert!(text(&refused.stderr).contains("what run-1 changed in the sandbox is not rolled back"), "{refused:?}");
    assert!(text(&refused.stderr).contains("squall undo run-1"), "{refused:?}");
    // Nor when only the locks tell of it.
    bench.lose_the_journal();
    let refused = bench.ended(&again);
    assert_eq!(refused.status.code(), Some(3));
    assert!(text(&refused.stderr).contains("squall undo --account sandbox"), "{refused:?}");
    assert_eq!(bench.picture(), changed);
    let undone = bench.ended(&["undo", "--account", "sandbox", "--take-over", "--yes", "--pace", "max"]);
    assert_eq!(undone.status.code(), Some(0), "{}", text(&undone.stderr));
    assert_eq!(bench.picture(), before);
    assert_eq!(bench.ended(&again).status.code(), Some(0));
}

/// Thirty kills of a rollback, from the journal and from the locks alone, each pair later than the one before; then it is made
/// to its end from the same store.
/// Without the account there is nothing to roll back in: a person ends the run, and what may be left stays on record.
#[test]
fn a_run_whose_account_is_gone_is_ended_by_a_person() {
    let bench = Bench::new();
    let mut running = bench.begin_held("payment-worker-throttled.yaml");
    let alive = bench.ended(&["acknowledge", "run-1", "--unreachable", "--reason", "it is gone"]);
    assert_eq!(alive.status.code(), Some(6), "a live run rolls back by itself: {}", text(&alive.stderr));
    running.kill();
    std::fs::remove_file(bench.state().join("sandbox.db")).unwrap();
    let undone = bench.ended(&["undo"]);
    assert!(undone.status.code() == Some(6) && text(&undone.stderr).contains("--unreachable"), "{undone:?}");
    assert_eq!(bench.ended(&["acknowledge", "run-1", "--reason", "it is gone"]).status.code(), Some(6));
    let ended = bench.ended(&["acknowledge", "run-1", "--unreachable", "--reason", "it is gone"]);
    let said = text(&ended.stdout);
    assert!(ended.status.success() && said.contains("reserved concurrency of function PaymentWorker"), "{ended:?}");
    assert!(bench.ended(&["status"]).status.success());
    let report = text(&bench.ended(&["report", "run-1", "--format", "markdown"]).stdout);
    assert!(report.contains("its account cannot be reached"), "{report}");
    assert!(bench.ended(&["undo"]).status.success());
}

#[test]
fn a_rollback_that_is_killed_is_repeated_from_that_store() {
    for kill in 0..30 {
        let (from_locks, events) = (kill % 2 == 0, 1 + kill / 2 % 8);
        let bench = Bench::new();
        let before = bench.picture();
        let mut running = bench.begin_held(EXPERIMENT);
        running.kill();
        if from_locks {
            bench.lose_the_journal();
        }
        let by_account = ["undo", "--account", "sandbox", "--yes", "--take-over"];
        let arguments = if from_locks { &by_account[..] } else { &["undo"] };
        killed_after(&bench, arguments, events);
        // A rollback that is killed before its first event is durable has only the locks to begin from again.
        for again in [&["undo"][..], &by_account] {
            let ended = bench.ended(&[again, &["--pace", "max"]].concat());
            assert!(ended.status.success(), "{kill}: {}\n{}", text(&ended.stdout), text(&ended.stderr));
        }
        assert_eq!(bench.picture(), before, "kill {kill}, after {events} events");
        assert_eq!(bench.ended(&["status"]).status.code(), Some(0));
    }
}

/// A rollback from the locks alone says what the run may have done, and not that it happens now.
#[test]
fn a_rollback_from_locks_says_whose_changes_they_are() {
    let bench = Bench::new();
    let mut running = bench.begin_held(EXPERIMENT);
    running.kill();
    bench.lose_the_journal();
    let undone = bench.ended(&["undo", "--account", "sandbox", "--yes", "--take-over", "--pace", "max"]);
    assert!(undone.status.success(), "{}", text(&undone.stderr));
    let log = bench.log_of("run-1-rollback-1");
    let faults: Vec<&str> = log.lines().filter(|line| line.contains("  fault ")).collect();
    assert!(!faults.is_empty() && faults.iter().all(|line| line.contains("run-1 may have set it to")), "{log}");
    assert!(!log.contains("is locked by run-1-rollback-1"), "{log}");
    let report = std::fs::read_to_string(bench.state().join("reports/run-1-rollback-1/report.md")).unwrap();
    let rows = report.lines().filter(|line| line.contains("rolled back and verified"));
    let written: Vec<&str> = rows.filter_map(|row| row.split('|').nth(5)).map(str::trim).collect();
    assert!(!written.is_empty() && written.iter().all(|written| !written.contains('+')), "{report}");
    assert!(!report.contains("How to reproduce"), "{report}");
}
