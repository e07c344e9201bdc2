//! Whole sessions on the command line, as snapshots: what is typed, what is printed, how it exits.
//!
//! Pinned are the run's name, the seed, the start, the width and who runs it; nothing is taken out of the output.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder in which commands are typed, and what came of them so far.
struct Session {
    folder: TempDir,
    transcript: String,
}

impl Session {
    fn new() -> Session {
        Session { folder: TempDir::new().unwrap(), transcript: String::new() }
    }

    /// A session in a project that `squall init` wrote.
    fn in_a_project() -> Session {
        let session = Session::new();
        assert!(session.run("init").status.success());
        session
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command line without writing it down.
    fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_squall"))
            .args(line.split_whitespace())
            .current_dir(self.path())
            .env("COLUMNS", "100")
            .env("SQUALL_WHO", "ana@laptop")
            .env_remove("SQUALL_LOG")
            .output()
            .unwrap()
    }

    /// Types a command line.
    fn type_(&mut self, line: &str) -> &mut Session {
        let output = self.run(line);
        let _ = writeln!(self.transcript, "$ squall {line}");
        self.transcript += &String::from_utf8(output.stdout).unwrap();
        for line in String::from_utf8(output.stderr).unwrap().lines() {
            let _ = writeln!(self.transcript, "{}", format!("2> {line}").trim_end());
        }
        let code = output.status.code().map_or("a signal".into(), |code| code.to_string());
        let _ = writeln!(self.transcript, "[exit {code}]\n");
        self
    }
}

#[test]
fn a_new_project() {
    let mut session = Session::new();
    session.type_("status").type_("log").type_("init").type_("init").type_("status --json").type_("log run-1");
    insta::assert_snapshot!(session.transcript);
}

#[test]
fn what_is_already_there_is_kept() {
    let mut session = Session::new();
    let experiment = session.path().join("experiments/payment-worker-throttled.yaml");
    std::fs::create_dir_all(experiment.parent().unwrap()).unwrap();
    std::fs::write(&experiment, "mine").unwrap();
    session.type_("init");
    assert!(session.transcript.contains("kept     experiments/payment-worker-throttled.yaml"));
    assert_eq!(std::fs::read_to_string(&experiment).unwrap(), "mine");
}

#[test]
fn a_project_is_found_upwards() {
    let session = Session::in_a_project();
    assert!(session.run("halt").status.success());
    let below = session.path().join("experiments");
    let output = Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(["status", "--json"])
        .current_dir(&below)
        .env("SQUALL_WHO", "ana@laptop")
        .output()
        .unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains(r#""halted_by":"ana@laptop""#));
    assert!(!below.join(".squall").exists());
}

#[test]
fn wrong_use() {
    let mut session = Session::new();
    session.type_("").type_("statsu").type_("log --since 5").type_("faults lambda.trottle").type_("--version");
    insta::assert_snapshot!(session.transcript);
}

#[test]
fn the_catalogue_of_faults() {
    let mut session = Session::new();
    session.type_("faults").type_("faults lambda.throttle");
    insta::assert_snapshot!(session.transcript);
}

#[test]
fn a_halt_and_its_end() {
    let mut session = Session::in_a_project();
    session.type_("halt").type_("status").type_("halt --lift").type_("status");
    insta::assert_snapshot!(session.transcript);
}

#[test]
fn completions_know_the_commands() {
    let session = Session::new();
    for shell in ["bash", "zsh", "fish"] {
        let output = session.run(&format!("completions {shell}"));
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success());
        assert!(script.contains("completions") && script.contains("halt"), "{shell}");
    }
}

#[test]
fn looking_writes_nothing() {
    let session = Session::new();
    for line in ["status", "status --json", "log", "faults", "--help"] {
        session.run(line);
    }
    assert_eq!(std::fs::read_dir(session.path()).unwrap().count(), 0);
}
