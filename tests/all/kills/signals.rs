//! Signals, a closed terminal, and readers that go away.

use std::io::Read as _;
use std::process::Stdio;

use rustix::process::Signal;

use super::bench::{Bench, Event, Running, text, until};

const EXPERIMENT: &str = "payment-worker-throttled.yaml";

/// How long it takes is in `docs/performance.md`; here nothing else comes between the signal and the rollback.
#[test]
fn after_a_signal_the_first_inverse_is_next() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let bench = Bench::new();
        let before = bench.picture();
        let mut running = bench.begin_held(EXPERIMENT);
        running.signal(signal);
        running.until("stopping");
        let (rest, status) = running.rest();
        // Answers that were under way may come first; nothing else may.
        let next = rest.iter().find(|event| event.name != "entered" && event.name != "sampled").unwrap();
        assert_eq!(next.name, "restoring", "{signal:?}: {rest:?}");
        assert_eq!(status.code(), Some(5), "{signal:?}: a run that was stopped knows nothing");
        assert_eq!(rest.last().unwrap().name, "closed");
        assert_eq!(bench.picture(), before, "{signal:?}");
    }
}

#[test]
fn further_signals_only_ask_how_far_the_undo_is() {
    let bench = Bench::new();
    let before = bench.picture();
    let mut running = bench.begin_held(EXPERIMENT);
    // All of them come at once when it is woken, so that it still has everything to roll back, however fast it is.
    running.signal(Signal::STOP);
    for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::CONT] {
        running.signal(signal);
    }
    let mut err = running.err.take().unwrap();
    let (_, status) = running.rest();
    let mut said = String::new();
    err.read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(5), "{said}");
    assert!(said.contains("rolling back: ") || said.contains("stopping: the rollback begins"), "{said}");
    assert_eq!(bench.picture(), before);
}

#[test]
fn a_signal_before_anything_is_changed_changes_nothing() {
    let bench = Bench::new();
    let before = bench.picture();
    // At this pace the baseline takes minutes.
    let mut running = bench.begin(EXPERIMENT, "1x");
    running.until("entered");
    running.signal(Signal::INT);
    let (rest, status) = running.rest();
    assert_eq!(status.code(), Some(5));
    assert!(rest.iter().all(|event| event.name != "changing"));
    assert_eq!(bench.picture(), before);
}

#[test]
fn a_closed_terminal_ends_in_the_undo() {
    let bench = Bench::new();
    let before = bench.picture();
    // `script` gives it a terminal of its own; when it dies, the terminal is closed.
    let line = format!(
        "{} {}",
        env!("CARGO_BIN_EXE_squall"),
        Bench::run_arguments(&format!("experiments/{}", bench.held(EXPERIMENT)), "300x").join(" ")
    );
    let mut terminal = std::process::Command::new("script")
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .current_dir(bench.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = terminal.stdout.take().unwrap();
    let mut seen = String::new();
    let mut piece = [0_u8; 4096];
    // The lock's intent and outcome, then the fault's.
    while seen.matches(r#"{"kind":"changed","#).count() < 2 {
        let read = output.read(&mut piece).unwrap();
        assert!(read > 0, "{seen}");
        seen += &text(&piece[..read]);
    }
    let mut running = RunningTerminal(terminal);
    running.close();
    drop(output);
    // The process that rolls back is nobody's child any more.
    until("the run is closed", || is_closed(&bench.log()));
    let log = bench.log();
    let stopped = log.iter().find(|event| event.name == "stopping").unwrap();
    assert_eq!(stopped.line["event"]["why"]["name"], "SIGHUP");
    assert_eq!(bench.picture(), before);
    assert!(bench.ended(&["status"]).status.success());
}

struct RunningTerminal(std::process::Child);

impl RunningTerminal {
    fn close(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn is_closed(log: &[Event]) -> bool {
    log.last().is_some_and(|last| last.name == "closed")
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_run() {
    let bench = Bench::new();
    let before = bench.picture();
    let mut running = bench.begin(EXPERIMENT, "max");
    for _ in 0..3 {
        running.next();
    }
    let Running { mut child, .. } = running;
    // Both readers are gone now.
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(bench.log().last().unwrap().name, "closed");
    assert_eq!(bench.picture(), before);
}

#[test]
fn a_reader_that_does_not_read_does_not_hold_up_the_run() {
    let bench = Bench::new();
    let mut running = bench.begin(EXPERIMENT, "max");
    // Its output is larger than a pipe holds only with a small pipe; nothing is read until the journal is closed.
    let readable =
        || bench.state().join("journal.db").exists() && bench.ended(&["log", "run-1", "--json"]).status.success();
    until("the run is closed", || readable() && is_closed(&bench.log()));
    let (events, status) = running.rest();
    assert_eq!((events.len(), status.code()), (bench.log().len(), Some(0)));
}
