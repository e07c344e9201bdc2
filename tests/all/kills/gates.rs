//! Inputs, gates and approvals of scheduled runs, through the real binary.

use std::process::{Child, Stdio};

use serde_json::Value as Json;
use squall::env::{Env as _, RealEnv};
use squall::spec::load::ProjectFiles;
use squall::spec::schedules::schedules;
use squall::store::Store as _;
use squall::store::sqlite::SqliteStore;
use squall::units::Span;

use super::bench::{Bench, text, until};

const EXPERIMENT: &str = "experiments/payment-worker-throttled.yaml";

/// A project with one schedule of this text, whose last occurrence has just come.
fn scheduled(bench: &Bench, more: &str) {
    let folder = bench.folder.path().join("schedules");
    std::fs::create_dir_all(&folder).unwrap();
    let text = format!(
        "version: 1\nschedules:\n  often:\n    experiment: payment-worker-throttled\n    when: {{ cron: '* * * * *' }}\n{more}"
    );
    std::fs::write(folder.join("often.yaml"), text).unwrap();
    let now = RealEnv.now();
    let files = ProjectFiles::open(bench.folder.path()).0.unwrap();
    let (schedules, findings) = schedules(&files, now);
    assert!(findings.is_empty(), "{}", findings.render(squall::yaml::Style::Plain));
    let mut store = SqliteStore::open(&bench.state()).unwrap();
    store.counted_from(&schedules[0].name, &schedules[0].definition, now - Span::from_mins(3)).unwrap();
}

fn add(bench: &Bench, file: &str, more: &str) {
    let path = bench.folder.path().join(file);
    let before = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, before + more).unwrap();
}

/// Declares two inputs in the experiment, and uses them.
fn with_inputs(bench: &Bench) {
    let path = bench.folder.path().join(EXPERIMENT);
    let before = std::fs::read_to_string(&path).unwrap();
    let after = before
        .replace("concurrency: 0 }", "concurrency: { input: concurrency } }")
        .replace("    for: 9m", "    for: { input: lasts }")
        .replace(
            "targets:\n",
            "inputs:\n  concurrency: { whole_number: { from: 0, to: 5, default: 0 } }\n  lasts: { duration: { from: 5m, to: 12m } }\n\
             targets:\n",
        );
    std::fs::write(&path, after).unwrap();
}

/// A server at work; a test that fails leaves none behind.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn begin(bench: &Bench) -> Server {
        let mut command = bench.squall(&["serve", "--json", "--pace", "max"]);
        Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

fn history(bench: &Bench) -> Vec<Json> {
    let output = bench.ended(&["schedule", "history", "--json"]);
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits until something became of an occurrence whose turn it was, and gives the detail.
fn until_decided(bench: &Bench, fate: &str) -> String {
    // Those before the last one had no turn.
    let find = || {
        let rows = history(bench).into_iter().filter(|row| row["fate"] == fate);
        rows.map(|row| row["detail"].as_str().unwrap().to_owned())
            .find(|detail: &String| !detail.contains("next occurrence"))
    };
    until(fate, || find().is_some());
    find().unwrap()
}

/// Waits until a run has its last event.
fn until_closed(bench: &Bench, run: &str) {
    until("the run has ended", || text(&bench.ended(&["log", run, "--json"]).stdout).contains(r#""kind":"closed""#));
}

fn started_with(bench: &Bench, run: &str) -> Json {
    let log = text(&bench.ended(&["log", run, "--json"]).stdout);
    let first: Json = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    first["event"]["plan"].clone()
}

#[test]
fn values_of_inputs_are_in_the_journal_and_in_the_command_that_makes_the_run_again() {
    let bench = Bench::new();
    with_inputs(&bench);
    // A value that is missing, unknown, or not in bounds is a finding with its place.
    for (arguments, said) in [
        (&[][..], "the input `lasts` has no value"),
        (&["--with", "lasts=1h"][..], "`1h` is outside the bounds of the input `lasts`"),
        (&["--with", "last=9m"][..], "did you mean `lasts`?"),
        (&["--with", "lasts=9m", "--with", "concurrency=x"][..], "--> --with:2:13"),
    ] {
        for command in ["plan", "run", "predict"] {
            let refused = bench.ended(&[&[command, EXPERIMENT], arguments].concat());
            assert_eq!(refused.status.code(), Some(2), "{command}: {}", text(&refused.stderr));
            assert!(text(&refused.stderr).contains(said), "{command}: {}", text(&refused.stderr));
        }
    }
    let margin = ["margin", EXPERIMENT, "--with", "lasts=9m", "--vary", "recovers_within=5m..6m", "--runs", "2"];
    let margin = bench.ended(&margin);
    assert_eq!(margin.status.code(), Some(0), "{}", text(&margin.stderr));
    let run = ["run", EXPERIMENT, "--with", "lasts=8m", "--seed", "7", "--pace", "max", "--run-id", "run-1"];
    let ran = bench.ended(&run);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let plan = started_with(&bench, "run-1");
    assert_eq!(plan["inputs"], serde_json::json!({ "concurrency": "0", "lasts": "8m" }));
    assert_eq!(plan["steps"][0]["lasts_seconds"], 480);
    let report = text(&bench.ended(&["report", "run-1", "--format", "markdown"]).stdout);
    let command = report.lines().find(|line| line.starts_with("squall run ")).unwrap();
    assert!(command.contains(" --with concurrency=0 --with lasts=8m --seed 7 "), "{command}");
    let mut again: Vec<&str> = command.split(' ').skip(1).collect();
    again.extend(["--pace", "max", "--run-id", "run-2"]);
    let again = bench.ended(&again);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
    let events = |run: &str| {
        let log = text(&bench.ended(&["log", run, "--json"]).stdout);
        log.lines().skip(1).map(|line| line.replace(run, "RUN")).collect::<Vec<_>>()
    };
    assert_eq!(events("run-1").len(), events("run-2").len());
    let hash = |with: &str| {
        let plan = bench.ended(&["plan", EXPERIMENT, "--json", "--seed", "7", "--with", with]);
        let plan: Json = serde_json::from_slice(&plan.stdout).unwrap();
        plan["hash"].as_str().unwrap().to_owned()
    };
    assert_eq!(hash("lasts=8m"), hash("lasts=480s"));
    assert_ne!(hash("lasts=8m"), hash("lasts=9m"));
}

#[test]
fn a_closed_gate_skips_the_run_and_says_why() {
    let bench = Bench::new();
    with_inputs(&bench);
    add(&bench, "squall.yaml", "gates:\n  commands:\n    budget: { run: [test, -f, budget-left] }\n");
    scheduled(&bench, "    with: { lasts: 8m }\n    gates: [{ command: budget }]\n");
    let _server = Server::begin(&bench);
    let why = until_decided(&bench, "skipped");
    assert_eq!(why, "`command: budget`: test ended with exit status: 1");
}

#[test]
fn a_run_waits_for_its_gate_and_begins_with_the_schedules_values() {
    let bench = Bench::new();
    with_inputs(&bench);
    add(&bench, "squall.yaml", "gates:\n  commands:\n    budget: { run: [test, -f, budget-left] }\n");
    let more = "    with: { lasts: 8m }\n    gates: [{ command: budget }]\n    when_closed: { wait_at_most: 10m }\n";
    scheduled(&bench, more);
    let _server = Server::begin(&bench);
    let waits = until_decided(&bench, "waits");
    let (run, why) = waits.split_once(": ").unwrap();
    assert!(why.starts_with("`command: budget`"), "{why}");
    std::fs::write(bench.folder.path().join("budget-left"), "").unwrap();
    until_closed(&bench, run);
    assert_eq!(started_with(&bench, run)["inputs"]["lasts"], "8m");
    assert!(history(&bench).iter().any(|row| row["fate"] == "run" && row["detail"] == run));
}

#[test]
fn a_gate_that_fails_the_run_and_one_over_the_weeks_history() {
    let bench = Bench::new();
    let ran = bench.ended(&["run", EXPERIMENT, "--pace", "max", "--seed", "7"]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    // Nine minutes were injected, and nine more would be.
    scheduled(&bench, "    gates: [{ injected_a_week: 17m }]\n    when_closed: fail\n");
    let _server = Server::begin(&bench);
    let why = until_decided(&bench, "failed");
    assert!(why.starts_with("`injected_a_week: 17m`: 9m"), "{why}");
}

#[test]
fn two_people_approve_a_plan_for_one_run() {
    let bench = Bench::new();
    scheduled(&bench, "    gates: [{ approval: { approvers: 2 } }]\n    when_closed: { wait_at_most: 10m }\n");
    let token = |name: &str, role: &str| {
        text(&bench.ended(&["token", "create", name, "--role", role]).stdout).trim().to_owned()
    };
    let (ana, bo, ops) = (token("ana", "approver"), token("bo", "approver"), token("ops", "operator"));
    let approve = |token: &str, more: &[&str]| {
        let mut command = bench.squall(&[&["approve", "often"], more].concat());
        command.env("SQUALL_TOKEN", token).output().unwrap()
    };
    // Without a terminal the plan is confirmed by --yes or by its hash.
    for (token, more) in [(&ops, &["--yes"][..]), (&"squall_0".to_owned(), &["--yes"][..]), (&ana, &[][..])] {
        let refused = approve(token, more);
        assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stderr));
    }
    assert_eq!(bench.ended(&["approve", "often", "--yes"]).status.code(), Some(3));
    for _ in 0..2 {
        let approved = approve(&ana, &["--yes"]);
        assert!(text(&approved.stdout).contains("approved by ana: 1 of 2"), "{}", text(&approved.stderr));
    }
    let _server = Server::begin(&bench);
    let waits = until_decided(&bench, "waits");
    let (run, why) = waits.split_once(": ").unwrap();
    assert_eq!(why, "`approval`: 1 of 2 approvals (ana); run `squall approve`");
    let approved = approve(&bo, &["--yes", "--json"]);
    let approved: Json = serde_json::from_slice(&approved.stdout).unwrap();
    assert_eq!(approved["approved_by"], serde_json::json!(["ana", "bo"]));
    until_closed(&bench, run);
    assert_eq!(started_with(&bench, run)["seed"], approved["seed"]);
    // They are used up: the next run waits for others.
    let again = approve(&ana, &["--yes"]);
    assert!(text(&again.stdout).contains("1 of 2"), "{}", text(&again.stdout));
    let audit = text(&bench.ended(&["token", "audit"]).stdout);
    assert!(audit.contains("approve  often: plan "), "{audit}");
}

#[test]
fn an_approved_plan_that_resolves_differently_is_void() {
    let bench = Bench::new();
    scheduled(&bench, "    gates: [{ approval: {} }]\n");
    let ana = text(&bench.ended(&["token", "create", "ana", "--role", "approver"]).stdout).trim().to_owned();
    let approved = bench.squall(&["approve", "often", "--yes"]).env("SQUALL_TOKEN", &ana).output().unwrap();
    assert_eq!(approved.status.code(), Some(0), "{}", text(&approved.stderr));
    let path = bench.folder.path().join(EXPERIMENT);
    let changed = std::fs::read_to_string(&path).unwrap().replace("    for: 9m", "    for: 8m");
    std::fs::write(&path, changed).unwrap();
    let _server = Server::begin(&bench);
    let why = until_decided(&bench, "skipped");
    assert!(why.contains("now resolves differently in its timeline"), "{why}");
}

#[test]
fn a_run_whose_verdict_is_unknown_is_run_once_more() {
    let bench = Bench::new();
    let path = bench.folder.path().join(EXPERIMENT);
    // The guard stops every run soon after its fault is in.
    let changed = std::fs::read_to_string(&path).unwrap().replace("depth of orders > 5000", "depth of orders > 50");
    std::fs::write(&path, changed).unwrap();
    scheduled(&bench, "    retry_unknown: once\n");
    let mut server = Server::begin(&bench);
    let retried = || -> Vec<Json> {
        let because = |row: &Json| row["by"].as_str().unwrap().starts_with("squall, because ");
        history(&bench).into_iter().filter(because).collect()
    };
    until("it is run again", || retried().iter().any(|row| row["fate"] == "run"));
    let again = retried();
    let run = again.iter().find(|row| row["fate"] == "run").unwrap()["detail"].as_str().unwrap().to_owned();
    until_closed(&bench, &run);
    // That one is unknown too, and is not run again: no retry is because of a retry.
    server.0.kill().unwrap();
    server.0.wait().unwrap();
    let because_of_it = format!("squall, because {run} was unknown");
    assert!(history(&bench).iter().all(|row| row["by"] != because_of_it.as_str()));
}

#[test]
fn a_schedule_that_is_switched_off_runs_now_for_a_reason_only() {
    let bench = Bench::new();
    scheduled(&bench, "    enabled: false\n");
    let run =
        |more: &[&str]| bench.ended(&[&["schedule", "run", "often", "--pace", "max", "--seed", "7"], more].concat());
    for more in [&[][..], &["--anyway"][..], &["--reason", "to see it"][..]] {
        let refused = run(more);
        assert_eq!(refused.status.code(), Some(3), "{more:?}: {}", text(&refused.stderr));
    }
    assert!(text(&run(&["--anyway"]).stderr).contains("is switched off"));
    assert_eq!(history(&bench), Vec::<Json>::new());
    let ran = run(&["--anyway", "--reason", "to see it"]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let audit = text(&bench.ended(&["token", "audit"]).stdout);
    assert!(audit.contains("run now  often, anyway: to see it"), "{audit}");
}

#[test]
fn old_runs_are_pruned_and_a_backup_brings_them_back() {
    let bench = Bench::new();
    for (run, start) in [("run-1", "2026-03-02T09:00:00Z"), ("run-2", "2026-03-03T09:00:00Z")] {
        let ran = bench.ended(&["run", EXPERIMENT, "--pace", "max", "--seed", "7", "--run-id", run, "--start", start]);
        assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    }
    let log = |run: &str| bench.ended(&["log", run, "--json"]);
    let before = log("run-1").stdout;
    // While another process has the store open, as docs/formats.md says.
    let journal = bench.state().join("journal.db");
    let backup = bench.folder.path().join("backup.db");
    let open = SqliteStore::open(&bench.state()).unwrap();
    let db = rusqlite::Connection::open(&journal).unwrap();
    db.execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    drop((db, open));
    assert_eq!(bench.ended(&["prune", "--keep", "7d"]).status.code(), Some(64));
    let dry = text(&bench.ended(&["prune", "--keep", "90d", "--dry-run"]).stdout);
    assert!(dry.contains("would be removed: run-1") && dry.contains("kept: run-2"), "{dry}");
    assert_eq!(log("run-1").stdout, before);
    let pruned = bench.ended(&["prune", "--keep", "90d", "--json"]);
    let pruned: Json = serde_json::from_slice(&pruned.stdout).unwrap();
    assert_eq!((&pruned["journals"], &pruned["removed"]["journals"]), (&serde_json::json!(["run-1"]), &Json::from(1)));
    assert_eq!(pruned["stay"], serde_json::json!([{ "run": "run-2", "because": "newest" }]));
    assert_eq!(log("run-1").status.code(), Some(64));
    assert_eq!(bench.ended(&["status"]).status.code(), Some(0));
    let board = text(&bench.ended(&["board"]).stdout);
    assert!(board.contains("run-2"), "{board}");
    // The restored file takes the place of the whole journal.
    for beside in ["journal.db-wal", "journal.db-shm"] {
        let _ = std::fs::remove_file(bench.state().join(beside));
    }
    std::fs::copy(&backup, &journal).unwrap();
    assert_eq!(log("run-1").stdout, before);
    assert_eq!(log("run-2").status.code(), Some(0));
}
