use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::account::{Sample, Window};
use crate::run::event::Event;
use crate::run::event::Phase;
use crate::store::contract::{self, closed, event};
use crate::units::Span;

fn run() -> RunId {
    RunId("run-1".into())
}

/// A folder with a store that holds `events` of one run.
fn store_with(events: &[Recorded]) -> (TempDir, SqliteStore) {
    let folder = TempDir::new().unwrap();
    let mut store = SqliteStore::open(folder.path()).unwrap();
    let epoch = store.create(&run(), "ana").unwrap();
    store.append(&run(), epoch, events).unwrap();
    (folder, store)
}

fn edit(folder: &Path, sql: &str) {
    let changed = Connection::open(folder.join(FILE)).unwrap().execute(sql, []).unwrap();
    assert!(changed > 0, "{sql}");
}

fn message(result: Result<impl std::fmt::Debug, StoreError>) -> String {
    match result {
        Err(StoreError::Failed(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_keeps_the_contract() {
    let mut folders = Vec::new();
    contract::check_all(&mut || {
        let folder = TempDir::new().unwrap();
        let first = SqliteStore::open(folder.path()).unwrap();
        let second = SqliteStore::open(folder.path()).unwrap();
        folders.push(folder);
        (Box::new(first), Box::new(second))
    });
}

#[test]
fn a_changed_lost_or_added_event_is_found() {
    for (tampering, seq) in [
        ("UPDATE events SET body = replace(body, 'fault', 'Fault') WHERE seq = 2", 2),
        ("UPDATE events SET at = at + 1 WHERE seq = 3", 3),
        ("DELETE FROM events WHERE seq = 2", 2),
        ("DELETE FROM events WHERE seq = 3", 3),
        ("DELETE FROM events", 1),
        ("INSERT INTO events SELECT run, 4, at, body, hash FROM events WHERE seq = 3", 4),
        ("UPDATE events SET hash = zeroblob(32) WHERE seq = 1", 1),
        ("UPDATE events SET body = CAST(x'ff' AS TEXT) WHERE seq = 1", 1),
        ("UPDATE runs SET run = 'run-1', head = zeroblob(32)", 4),
    ] {
        let (folder, store) = store_with(&[event(1), event(2), event(3)]);
        edit(folder.path(), tampering);
        match store.events(&run()) {
            Err(StoreError::Damaged { seq: found, .. }) => assert_eq!(found, seq, "{tampering}"),
            other => panic!("{tampering}: {other:?}"),
        }
    }
}

#[test]
fn one_flipped_byte_in_the_file_is_found() {
    let (folder, store) = store_with(&[event(1), event(2), event(3)]);
    drop(store);
    let file = folder.path().join(FILE);
    let mut bytes = std::fs::read(&file).unwrap();
    let body = br#"{"format":2,"event":{"kind":"entered","phase":"fault"}}"#;
    let place = bytes.windows(body.len()).position(|window| window == body).unwrap();
    bytes[place + 47] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let found = SqliteStore::open(folder.path()).unwrap().events(&run());
    assert!(matches!(found, Err(StoreError::Damaged { .. })), "{found:?}");
}

#[test]
fn events_of_one_run_do_not_fit_into_another() {
    let (folder, store) = store_with(&[event(1)]);
    edit(folder.path(), "UPDATE runs SET run = 'run-2'");
    assert!(matches!(store.events(&RunId("run-2".into())), Err(StoreError::Damaged { seq: 1, .. })));
}

#[test]
fn a_full_disk_refuses_the_append_and_keeps_what_was_written() {
    let (_folder, mut store) = store_with(&[event(1)]);
    store.db.execute_batch("PRAGMA max_page_count = 1").unwrap();
    let big = |seq| Recorded {
        event: Event::Closed { verdict: crate::judge::verdict::Verdict::unknown("x".repeat(100_000)), left: vec![] },
        ..event(seq)
    };
    let refused = message(store.append(&run(), Epoch(1), &[event(2), big(3)]));
    assert!(refused.starts_with("the disk is full"), "{refused}");
    assert_eq!(store.events(&run()).unwrap(), [event(1)]);
    store.db.execute_batch("PRAGMA max_page_count = 1000000").unwrap();
    store.append(&run(), Epoch(1), &[event(2)]).unwrap();
    assert_eq!(store.events(&run()).unwrap(), [event(1), event(2)]);
}

#[test]
fn a_file_that_cannot_be_written_says_so_and_still_reads() {
    let (_folder, mut store) = store_with(&[event(1)]);
    store.db.pragma_update(None, "query_only", true).unwrap();
    let refused = message(store.append(&run(), Epoch(1), &[event(2)]));
    assert!(refused.starts_with("it cannot be written"), "{refused}");
    assert_eq!(store.events(&run()).unwrap(), [event(1)]);
}

#[test]
fn a_file_that_is_no_journal_is_refused() {
    let folder = TempDir::new().unwrap();
    assert!(SqliteStore::open_to_read(folder.path()).unwrap().is_none());
    std::fs::write(folder.path().join(FILE), "not a database, but long enough to be taken for one".repeat(100))
        .unwrap();
    for refused in [message(SqliteStore::open(folder.path())), message(SqliteStore::open_to_read(folder.path()))] {
        assert!(refused.starts_with("the file is damaged"), "{refused}");
    }
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join(FILE)).unwrap();
    let refused = message(SqliteStore::open(folder.path()));
    assert!(refused.starts_with("it cannot be opened"), "{refused}");
}

#[test]
fn a_journal_of_a_newer_squall_is_left_alone() {
    let (folder, store) = store_with(&[event(1)]);
    drop(store);
    Connection::open(folder.path().join(FILE)).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for refused in [message(SqliteStore::open(folder.path())), message(SqliteStore::open_to_read(folder.path()))] {
        assert!(refused.contains("version 99"), "{refused}");
    }
}

#[test]
fn an_event_of_a_newer_squall_is_told_from_damage() {
    let (folder, mut store) = store_with(&[event(1)]);
    let body = r#"{"entered":{"phase":"afterlife"}}"#;
    let head = record(&store.db, &run()).unwrap().head.follow(&Link { seq: 2, at: 0, body });
    store
        .db
        .execute("INSERT INTO events VALUES (1, 2, 0, ?1, ?2)", params![body, head.hash])
        .and_then(|_| store.db.execute("UPDATE runs SET last = 2, head = ?1", [head.hash]))
        .unwrap();
    let refused = message(store.events(&run()));
    assert!(refused.contains("event 2 of run-1 is intact but unknown"), "{refused}");
    // The list of runs is still there.
    assert_eq!(store.runs().unwrap().len(), 1);
    store.append(&run(), Epoch(1), &[closed(3)]).unwrap();
    drop(folder);
}

#[test]
fn a_reader_changes_nothing() {
    let (folder, store) = store_with(&[event(1)]);
    drop(store);
    let mut reader = SqliteStore::open_to_read(folder.path()).unwrap().unwrap();
    assert_eq!(reader.events(&run()).unwrap(), [event(1)]);
    assert!(reader.set_halt(Some("bo")).is_err());
    drop(reader);
    let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["journal.db", "locks"]);
}

fn any_event() -> impl Strategy<Value = Event> {
    let sampled = (0_usize..9, any::<Option<f64>>(), any::<Option<u64>>(), 0_i64..4_000_000_000_000_000, any::<bool>());
    prop_oneof![
        Just(Event::Entered { phase: Phase::Recovery }),
        Just(Event::FaultGone),
        (0_usize..9, "\\PC{0,40}").prop_map(|(step, expect)| Event::Stopping {
            why: crate::run::event::Stop::Failed { change: crate::plan::ChangeId(step as u32), why: expect }
        }),
        sampled.prop_map(|(signal, value, of, from, breaks)| {
            let from = Time::from_micros(from);
            let value = value.filter(|value| value.is_finite());
            let window = Window { from, to: from + Span::from_secs(60) };
            Event::Sampled { signal, phase: Phase::Fault, window, sample: Sample { value, of }, breaks }
        }),
    ]
}

fn any_journal() -> impl Strategy<Value = Vec<Recorded>> {
    let timed = (0_i64..4_000_000_000_000_000, any_event());
    proptest::collection::vec(timed, 1..20).prop_map(|events| {
        let number = |(seq, (at, event))| Recorded { seq, at: Time::from_micros(at), event };
        (1..).zip(events).map(number).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40 * crate::effort::effort()))]

    /// Power is lost at any byte: what is left of the write-ahead log is cut anywhere.
    #[test]
    fn a_journal_cut_anywhere_reads_as_a_prefix(journal in any_journal(), batch in 1_usize..5, kept in 0.0..=1.0_f64) {
        let (folder, store) = store_with(&[]);
        drop(store);
        let mut store = SqliteStore::open(folder.path()).unwrap();
        let epoch = store.take_over(&run(), "ana").unwrap();
        for events in journal.chunks(batch) {
            store.append(&run(), epoch, events).unwrap();
        }
        prop_assert_eq!(&store.events(&run()).unwrap(), &journal);

        let cut = TempDir::new().unwrap();
        std::fs::copy(folder.path().join(FILE), cut.path().join(FILE)).unwrap();
        let log = std::fs::read(folder.path().join("journal.db-wal")).unwrap();
        let length = (log.len() as f64 * kept) as usize;
        std::fs::write(cut.path().join("journal.db-wal"), &log[..length]).unwrap();

        let mut after = SqliteStore::open(cut.path()).unwrap();
        let left = after.events(&run()).unwrap();
        prop_assert!(journal.starts_with(&left));
        prop_assert!(left.len().is_multiple_of(batch) || left.len() == journal.len(), "{} of batches of {}", left.len(), batch);
        // And it goes on from there.
        let epoch = after.take_over(&run(), "bo").unwrap();
        after.append(&run(), epoch, &journal[left.len()..]).unwrap();
        prop_assert_eq!(&after.events(&run()).unwrap(), &journal);
    }
}

/// What macOS needs so that a commit survives a power loss; it has no effect elsewhere, where only the setting can be seen.
#[test]
fn a_commit_reaches_the_disk_on_macos_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    for pragma in ["fullfsync", "checkpoint_fullfsync"] {
        let on: i64 = store.db.pragma_query_value(None, pragma, |row| row.get(0)).unwrap();
        assert_eq!(on, 1, "{pragma}");
    }
}

/// The process that has the run is stopped while it keeps the file locked: the run is taken all the same, and what the woken
/// process announces is not done.
#[test]
fn a_run_is_taken_from_a_process_that_keeps_the_file_locked() {
    let folder = TempDir::new().unwrap();
    let mut stopped = SqliteStore::open(folder.path()).unwrap();
    let mut taker = SqliteStore::open(folder.path()).unwrap();
    let epoch = stopped.create(&run(), "ana").unwrap();
    stopped.append(&run(), epoch, &[event(1)]).unwrap();
    // It stops between the begin and the end of a write.
    stopped.db.execute_batch("BEGIN IMMEDIATE").unwrap();
    taker.locked = true;
    assert!(message(taker.take_over(&run(), "bo")).contains("keeps it locked"));
    // It wakes.
    stopped.db.execute_batch("COMMIT").unwrap();
    let lost = StoreError::EpochLost { run: run(), by: "bo".into() };
    assert_eq!(stopped.append(&run(), epoch, &[]), Err(lost.clone()));
    assert_eq!(stopped.append(&run(), epoch, &[event(2)]), Err(lost));
    // Now the file can be written, and the one who took the run has it.
    let newer = taker.take_over(&run(), "bo").unwrap();
    taker.append(&run(), newer, &[event(2)]).unwrap();
}
