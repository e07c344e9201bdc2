//! What a run leaves in `.squall` is for its owner alone.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::kills::bench::Bench;

/// Everything below a folder, with its rights.
fn rights(folder: &Path, found: &mut Vec<(String, u32)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        found.push((path.display().to_string(), metadata.permissions().mode() & 0o777));
        if metadata.is_dir() {
            rights(&path, found);
        }
    }
}

#[test]
fn nobody_else_may_read_what_a_run_writes() {
    let bench = Bench::new();
    // An older squall left it open.
    fs::create_dir_all(bench.state()).unwrap();
    fs::set_permissions(bench.state(), fs::Permissions::from_mode(0o755)).unwrap();
    let (events, _) = bench.begin("payment-worker-throttled.yaml", "max").rest();
    assert_eq!(events.last().unwrap().name, "closed");
    let state = fs::metadata(bench.state()).unwrap().permissions().mode() & 0o777;
    let mut found = vec![(bench.state().display().to_string(), state)];
    rights(&bench.state(), &mut found);
    assert!(found.iter().any(|(path, _)| path.ends_with("report.html")), "{found:?}");
    assert!(found.iter().any(|(path, _)| path.ends_with("journal.db")), "{found:?}");
    let open: Vec<_> = found.iter().filter(|(_, mode)| mode & 0o077 != 0).collect();
    assert!(open.is_empty(), "open to others: {open:?}");
}

#[test]
fn a_link_in_the_place_of_squalls_folder_is_not_followed() {
    let bench = Bench::new();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), bench.state()).unwrap();
    let (events, status) = bench.begin("payment-worker-throttled.yaml", "max").rest();
    assert_eq!((events.len(), status.code()), (0, Some(3)));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0, "nothing was written there");
}
