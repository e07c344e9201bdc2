//! A process that is stopped and woken again: a closed laptop, Ctrl-Z.

use rustix::process::Signal;

use super::bench::{Bench, text};

/// How often the account was written, by whomever.
fn generation(bench: &Bench) -> i64 {
    let file = rusqlite::Connection::open(bench.state().join("sandbox.db")).unwrap();
    file.query_row("SELECT generation FROM world", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_run_that_was_taken_over_while_it_was_stopped_writes_nothing_any_more() {
    let bench = Bench::new();
    let before = bench.picture();
    let mut running = bench.begin_held("payment-worker-throttled.yaml");
    running.signal(Signal::STOP);
    assert_ne!(bench.picture(), before);

    let taken = bench.ended(&["undo", "run-1", "--take-over", "--pace", "max"]);
    assert!(taken.status.success(), "{}", text(&taken.stderr));
    assert_eq!(bench.picture(), before);
    let (log, written) = (bench.ended(&["log", "run-1"]).stdout, generation(&bench));

    running.signal(Signal::CONT);
    let (_, status) = running.rest();
    assert_eq!(status.code(), Some(5));
    assert_eq!(generation(&bench), written, "the woken run wrote to the account");
    assert_eq!(bench.ended(&["log", "run-1"]).stdout, log, "the woken run wrote to the journal");
    assert_eq!(bench.picture(), before);
}

#[test]
fn a_live_run_is_asked_to_stop_and_waited_for() {
    let bench = Bench::new();
    let before = bench.picture();
    let mut running = bench.begin_held("order-function-slow.yaml");
    let undone = bench.ended(&["undo", "--json"]);
    assert!(undone.status.success(), "{}", text(&undone.stderr));
    assert!(text(&undone.stderr).contains("run-1 is live"), "{}", text(&undone.stderr));
    // The one who waits tells what the run tells.
    assert!(text(&undone.stdout).lines().last().unwrap().contains(r#"{"kind":"closed","#));
    assert_eq!(running.rest().1.code(), Some(5));
    assert_eq!(bench.picture(), before);
}

#[test]
fn a_halt_stops_a_live_run_and_lets_none_start() {
    let bench = Bench::new();
    let before = bench.picture();
    let mut running = bench.begin(&bench.held("payment-worker-throttled.yaml"), "300x");
    running.until("step_begins");
    assert!(bench.ended(&["halt"]).status.success());
    let (rest, status) = running.rest();
    assert_eq!(status.code(), Some(5));
    assert!(rest.iter().any(|event| event.line["event"]["why"]["by"] == "ana@laptop"));
    assert_eq!(bench.picture(), before);
    let refused = bench.ended(&["run", "experiments/payment-worker-throttled.yaml"]);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stderr));
    assert!(bench.ended(&["halt", "--lift"]).status.success());
    let allowed = bench.ended(&["run", "experiments/payment-worker-throttled.yaml"]);
    assert_eq!(allowed.status.code(), Some(0), "{}", text(&allowed.stderr));
}
