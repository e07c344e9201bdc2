//! A journal that cannot be written any more.

use std::path::Path;
use std::process::Command;

use super::bench::{Bench, text};

/// A small disk, for as long as this value lives.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// Needs the right to mount; `None` without it.
    fn mount(at: &'a Path, kib: u32) -> Option<SmallDisk<'a>> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(at)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(SmallDisk(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

/// The journal alone lies on the full disk: the sandbox takes the place of an account, which is elsewhere. Its files are mounted one
/// by one, since no link is followed; they go with the small disk.
fn sandbox_elsewhere(bench: &Bench) {
    for file in ["sandbox.db", "sandbox.db-wal", "sandbox.db-shm"] {
        let (elsewhere, here) = (bench.folder.path().join(format!("elsewhere-{file}")), bench.state().join(file));
        std::fs::write(&elsewhere, "").unwrap();
        std::fs::write(&here, "").unwrap();
        let mounted = Command::new("mount").arg("--bind").args([&elsewhere, &here]).output().unwrap();
        assert!(mounted.status.success(), "{mounted:?}");
    }
}

#[test]
fn a_full_disk_for_the_journal_ends_in_the_undo() {
    let bench = Bench::new();
    let state = bench.state();
    let Some(_disk) = SmallDisk::mount(&state, 8192) else {
        println!("NOTE: a full disk was not tried, because a small one cannot be mounted here; a locked journal was");
        return;
    };
    sandbox_elsewhere(&bench);
    let before = bench.picture();
    let mut running = bench.begin_held("payment-worker-throttled.yaml");
    // The rest of the disk is taken.
    let ballast = state.join("ballast");
    let full = std::io::copy(&mut std::io::repeat(b'x'), &mut std::fs::File::create(&ballast).unwrap());
    assert_eq!(full.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    let (_, status) = running.rest();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut running.err.take().unwrap(), &mut said).unwrap();
    assert_eq!(status.code(), Some(5), "{said}");
    assert!(said.contains("the journal lacks the last events"), "{said}");
    assert_eq!(bench.picture(), before, "the undo went out without the journal");

    std::fs::remove_file(&ballast).unwrap();
    bench.undo_all(&before);
    assert_eq!(bench.log().last().unwrap().name, "closed");
}

/// The sandbox's own file is on the full disk as well: what it cannot write is changed in this process alone, so that a reading of
/// it proves no rollback. The next rollback waits for no lock of its own.
#[test]
fn a_full_disk_for_the_sandbox_as_well_leaves_something() {
    let bench = Bench::new();
    let state = bench.state();
    let Some(_disk) = SmallDisk::mount(&state, 8192) else {
        println!("NOTE: a full disk was not tried, because a small one cannot be mounted here");
        return;
    };
    let before = bench.picture();
    let mut running = bench.begin_held("payment-worker-throttled.yaml");
    let ballast = state.join("ballast");
    let full = std::io::copy(&mut std::io::repeat(b'x'), &mut std::fs::File::create(&ballast).unwrap());
    assert_eq!(full.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    let (events, status) = running.rest();
    assert_eq!(status.code(), Some(6), "{events:?}");
    // It ends. What the process before it let go of may be room enough; then it did its work.
    let again = bench.ended(&["undo", "--pace", "max"]);
    assert!(matches!(again.status.code(), Some(0 | 6)), "{}", text(&again.stderr));

    std::fs::remove_file(&ballast).unwrap();
    let undone = bench.ended(&["undo", "--pace", "max"]);
    assert!(undone.status.success(), "{}", text(&undone.stderr));
    assert_eq!(bench.picture(), before);
}

#[test]
fn a_locked_journal_ends_in_the_undo() {
    let bench = Bench::new();
    let before = bench.picture();
    let mut running = bench.begin_held("payment-worker-throttled.yaml");
    let mut other = rusqlite::Connection::open(bench.state().join("journal.db")).unwrap();
    let lock = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut running.err.take().unwrap(), &mut said).unwrap();
    let (_, status) = running.rest();
    assert_eq!(status.code(), Some(5), "{said}");
    assert!(said.contains("another process keeps it locked"), "{said}");
    assert_eq!(bench.picture(), before);
    drop(lock);
    bench.undo_all(&before);
}

#[test]
fn without_any_journal_nothing_is_begun() {
    let bench = Bench::new();
    let before = bench.picture();
    std::fs::create_dir_all(bench.state().join("journal.db")).unwrap();
    let (events, status) = bench.begin("payment-worker-throttled.yaml", "max").rest();
    assert_eq!((events.len(), status.code()), (0, Some(3)));
    assert_eq!(bench.picture(), before);
}

#[test]
fn a_journal_that_died_with_its_machine_is_not_needed() {
    let bench = Bench::new();
    let before = bench.picture();
    let mut running = bench.begin_held("payment-worker-loses-permission.yaml");
    running.kill();
    for file in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let _ = std::fs::remove_file(bench.state().join(file));
    }
    let status = bench.ended(&["status"]);
    assert_eq!(status.status.code(), Some(6), "{}", text(&status.stdout));
    assert!(text(&status.stdout).contains("is locked by run-1 of ana@laptop"), "{}", text(&status.stdout));
    // Without a journal nothing is outstanding by it; the locks tell.
    let undone = bench.ended(&["undo"]);
    assert_eq!(undone.status.code(), Some(6), "{}", text(&undone.stderr));
    assert!(text(&undone.stderr).contains("squall undo --account sandbox"), "{}", text(&undone.stderr));
    // It might be live on another machine.
    let early = bench.ended(&["undo", "--account", "sandbox"]);
    assert_eq!(early.status.code(), Some(6), "{}", text(&early.stderr));
    assert!(text(&early.stderr).contains("may be live elsewhere"), "{}", text(&early.stderr));
    // Locks alone are not believed without a yes.
    let asked = bench.ended(&["undo", "--account", "sandbox", "--take-over"]);
    assert_eq!(asked.status.code(), Some(6), "{}", text(&asked.stderr));
    assert!(text(&asked.stderr).contains("is known only from its locks"), "{}", text(&asked.stderr));
    assert!(text(&asked.stderr).contains("inline policy squall-run-1-1"), "{}", text(&asked.stderr));
    let undone = bench.ended(&["undo", "--account", "sandbox", "--take-over", "--yes"]);
    assert!(undone.status.success(), "{}\n{}", text(&undone.stderr), text(&undone.stdout));
    assert_eq!(bench.picture(), before);
    assert!(bench.ended(&["status"]).status.success());
}

#[test]
fn a_journal_that_is_none_is_no_success() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.state()).unwrap();
    std::fs::write(bench.state().join("journal.db"), "hello").unwrap();
    assert_eq!(bench.ended(&["status"]).status.code(), Some(6));
    std::fs::remove_file(bench.state().join("journal.db")).unwrap();
    let other = rusqlite::Connection::open(bench.state().join("journal.db")).unwrap();
    other.execute_batch("CREATE TABLE mine (x)").unwrap();
    drop(other);
    for command in ["status", "undo"] {
        assert_eq!(bench.ended(&[command]).status.code(), Some(6), "{command}");
    }
}

/// Where there is no project, nothing is halted or rolled back.
#[test]
fn the_wrong_folder_is_no_success() {
    let nowhere = tempfile::TempDir::new().unwrap();
    for command in ["halt", "undo"] {
        let mut squall = Command::new(env!("CARGO_BIN_EXE_squall"));
        let ended = squall.arg(command).current_dir(nowhere.path()).output().unwrap();
        assert_eq!(ended.status.code(), Some(64), "{command}: {}", text(&ended.stderr));
    }
    assert_eq!(std::fs::read_dir(nowhere.path()).unwrap().count(), 0);
}

#[test]
fn output_that_is_not_written_is_no_success() {
    let bench = Bench::new();
    for arguments in [&["check"][..], &["schema", "experiment"], &["plan", "experiments/orders-delayed.yaml", "--json"]]
    {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let status = bench.squall(arguments).stdout(full).status().unwrap();
        assert_eq!(status.code(), Some(3), "{arguments:?}");
    }
}
