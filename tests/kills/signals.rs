//! Signals, a closed terminal, and readers that go away.

use std::io::Read as _;
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::bench::{Bench, Running, pause, text};

const EXPERIMENT: &str = "payment-worker-throttled.yaml";

#[expect(clippy::disallowed_methods, reason = "that it takes under a second is what is tested")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn the_first_inverse_is_out_within_a_second_of_a_signal() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let bench = Bench::new();
        let before = bench.picture();
        // Slow enough that nothing but the signal can have ended the hold.
        let mut running = bench.begin(EXPERIMENT, "300x");
        running.until_the_fault_is_in();
        let sent = now();
        running.signal(signal);
        running.until("restoring");
        let took = sent.elapsed();
        assert!(took < Duration::from_secs(1), "{signal:?}: {took:?}");
        let (rest, status) = running.rest();
        assert_eq!(status.code(), Some(5), "{signal:?}: a run that was stopped knows nothing");
        assert_eq!(rest.last().unwrap().name, "closed");
        assert_eq!(bench.picture(), before, "{signal:?}");
        println!("NOTE: {signal:?}: the first inverse was announced after {took:?}");
    }
}

#[test]
fn further_signals_only_ask_how_far_the_undo_is() {
    let bench = Bench::new();
    let before = bench.picture();
    // So slow that the undo takes a moment.
    let mut running = bench.begin(EXPERIMENT, "300x");
    running.until_the_fault_is_in();
    running.signal(Signal::TERM);
    running.until("stopping");
    for _ in 0..20 {
        running.signal(Signal::TERM);
        running.signal(Signal::HUP);
        pause(Duration::from_millis(2));
    }
    let mut err = running.err.take().unwrap();
    let (_, status) = running.rest();
    let mut said = String::new();
    err.read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(5), "{said}");
    assert!(said.contains("undoing: "), "{said}");
    assert_eq!(bench.picture(), before);
}

#[test]
fn a_signal_before_anything_is_changed_changes_nothing() {
    let bench = Bench::new();
    let before = bench.picture();
    let mut running = bench.begin(EXPERIMENT, "60x");
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
        Bench::run_arguments(&format!("experiments/{EXPERIMENT}"), "300x").join(" ")
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
    // The mark's intent and outcome, then the fault's.
    while seen.matches(r#"{"changed":"#).count() < 2 {
        let read = output.read(&mut piece).unwrap();
        assert!(read > 0, "{seen}");
        seen += &text(&piece[..read]);
    }
    let mut running = RunningTerminal(terminal);
    running.close();
    drop(output);
    wait_until_closed(&bench);
    let log = bench.log();
    let stopped = log.iter().find(|event| event.name == "stopping").unwrap();
    assert_eq!(stopped.line["event"]["stopping"]["why"]["signal"]["name"], "SIGHUP");
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

/// The process that undoes is nobody's child any more.
fn wait_until_closed(bench: &Bench) {
    for _ in 0..600 {
        let log = bench.log();
        if log.last().is_some_and(|last| last.name == "closed") {
            return;
        }
        pause(Duration::from_millis(100));
    }
    panic!("the run goes on a minute after its terminal was closed");
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
    let running = bench.begin(EXPERIMENT, "max");
    let (sender, ended) = channel();
    // Its output is larger than a pipe holds only with a small pipe; nothing is read until the journal is closed.
    let closed = || bench.log().last().is_some_and(|last| last.name == "closed");
    for _ in 0..600 {
        if bench.state().join("journal.db").exists() && bench.ended(&["log", "--json"]).status.success() && closed() {
            sender.send(()).unwrap();
            break;
        }
        pause(Duration::from_millis(50));
    }
    ended.try_recv().unwrap();
    let mut running = running;
    let (events, status) = running.rest();
    assert_eq!((events.len(), status.code()), (bench.log().len(), Some(0)));
}
