//! A journal that is carried to another machine, as from a CI job that was killed.

use super::bench::{Bench, text};

#[test]
fn a_killed_run_is_rolled_back_from_a_journal_that_was_carried() {
    let bench = Bench::new();
    let before = bench.picture();
    let mut running = bench.begin_held("payment-worker-throttled.yaml");
    // Alive, it is not carried: two processes would work on it.
    let refused = bench.ended(&["log", "run-1", "--export", "run.jsonl"]);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stderr));
    running.kill();
    assert_ne!(bench.picture(), before);
    assert!(bench.ended(&["log", "run-1", "--export", "run.jsonl"]).status.success());
    // The account is there, the journal is not.
    std::fs::remove_file(bench.state().join("journal.db")).unwrap();
    let imported = bench.ended(&["log", "--import", "run.jsonl"]);
    assert!(imported.status.success() && text(&imported.stderr).contains("squall undo run-1"), "{imported:?}");
    let again = bench.ended(&["log", "--import", "run.jsonl"]);
    assert!(again.status.success() && text(&again.stderr).contains("already"), "{again:?}");
    assert_eq!(bench.ended(&["status"]).status.code(), Some(6));
    bench.undo_all(&before);
    // What is here is never replaced.
    let other = bench.ended(&["log", "--import", "run.jsonl"]);
    assert_eq!(other.status.code(), Some(3), "{}", text(&other.stderr));
    // A file that was cut on the way is none.
    let file = bench.folder.path().join("run.jsonl");
    let whole = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let cut = bench.ended(&["log", "--import", "run.jsonl"]);
    assert!(cut.status.code() == Some(3) && text(&cut.stderr).contains("cut off"), "{cut:?}");
}
