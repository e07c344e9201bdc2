//! Which runs are alive: one locked file for each run and epoch, in the store's folder.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::super::{Epoch, StoreError};
use crate::ids::{DayId, RunId};
use crate::private;

/// The lock of the one process that serves a store.
#[derive(Debug)]
pub struct Alone(#[expect(dead_code, reason = "the file keeps the lock")] File);

/// The runs that this process holds.
#[derive(Debug)]
pub struct HeldRuns {
    folder: PathBuf,
    locks: BTreeMap<RunId, (File, PathBuf)>,
}

impl HeldRuns {
    /// Makes the folder for the locks, and the store's, when they are not there.
    pub fn in_folder(folder: &Path) -> Result<HeldRuns, StoreError> {
        let locks = folder.join("locks");
        // A folder of squall 0.1.0 may still be open to others.
        if folder.exists() {
            private::folder(folder).map_err(|error| io(folder, &error))?;
        }
        if !locks.is_dir() {
            private::folder(folder).map_err(|error| io(folder, &error))?;
            private::folder(&locks).map_err(|error| io(&locks, &error))?;
            // A folder is durable once the folder that names it is synced.
            for named_by in [folder, folder.parent().unwrap_or(folder)] {
                let named_by = if named_by.as_os_str().is_empty() { Path::new(".") } else { named_by };
                File::open(named_by).and_then(|it| it.sync_all()).map_err(|error| io(named_by, &error))?;
            }
        }
        Ok(HeldRuns::to_look_at(folder))
    }

    /// To ask only; creates nothing.
    pub fn to_look_at(folder: &Path) -> HeldRuns {
        HeldRuns { folder: folder.join("locks"), locks: BTreeMap::new() }
    }

    /// Holds a run until this value is dropped or the process ends. One that is held already stays so: the tables may have
    /// failed to take what the lock announced, as on a full disk.
    pub fn hold(&mut self, run: &RunId, number: i64, epoch: Epoch) -> Result<(), StoreError> {
        let path = self.path(number, epoch);
        if self.locks.get(run).is_some_and(|(_, held)| *held == path) {
            return Ok(());
        }
        let file = private::file(&path).map_err(|error| io(&path, &error))?;
        // The epoch is ours alone, so this waits at most for a process that looks whether it is held.
        file.lock().map_err(|error| io(&path, &error))?;
        self.locks.insert(run.clone(), (file, path));
        Ok(())
    }

    /// Lets go of a run that has ended.
    pub fn release(&mut self, run: &RunId) {
        if let Some((_, path)) = self.locks.remove(run) {
            // A file that stays is not locked any more and means nothing.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Takes a run from the process that holds it in this epoch, where the tables cannot be written. Durable when it returns.
    pub fn take(&self, number: i64, epoch: Epoch, by: &str) -> Result<(), StoreError> {
        let path = self.taken(number, epoch);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(by.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|error| io(&path, &error))
    }

    /// Whether the run is still its owner's in this epoch.
    ///
    /// # Errors
    /// [`StoreError::EpochLost`] when it was taken.
    pub fn check_taken(&self, run: &RunId, number: i64, epoch: Epoch) -> Result<(), StoreError> {
        let path = self.taken(number, epoch);
        match std::fs::read_to_string(&path) {
            Ok(by) => Err(StoreError::EpochLost { run: run.clone(), by }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io(&path, &error)),
        }
    }

    fn taken(&self, number: i64, epoch: Epoch) -> PathBuf {
        self.folder.join(format!("{number}.{}.taken", epoch.0))
    }

    /// Takes a lock for as long as the returned file lives, so that only one process at a time makes the store's tables.
    pub fn while_making(&self) -> Result<File, StoreError> {
        let path = self.folder.join("making");
        let file = private::file(&path).map_err(|error| io(&path, &error))?;
        file.lock().map_err(|error| io(&path, &error))?;
        Ok(file)
    }

    /// Takes the lock of the one process that serves the store. The operating system frees it when the process ends.
    pub fn serve_alone(&self) -> Result<Option<Alone>, StoreError> {
        self.alone("serve")
    }

    /// Takes the lock of the one process that leads a game day.
    pub fn lead_alone(&self, day: &DayId) -> Result<Option<Alone>, StoreError> {
        self.alone(&format!("day.{day}"))
    }

    fn alone(&self, name: &str) -> Result<Option<Alone>, StoreError> {
        let path = self.folder.join(name);
        let file = private::file(&path).map_err(|error| io(&path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Alone(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(io(&path, &error)),
        }
    }

    /// Whether any process, this one included, holds the run in this epoch.
    pub fn is_held(&self, number: i64, epoch: Epoch) -> Result<bool, StoreError> {
        let path = self.path(number, epoch);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(io(&path, &error)),
        };
        // Shared, so that two who look at once do not take each other for the owner.
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(io(&path, &error)),
        }
    }

    fn path(&self, number: i64, epoch: Epoch) -> PathBuf {
        self.folder.join(format!("{number}.{}", epoch.0))
    }
}

impl Drop for HeldRuns {
    fn drop(&mut self) {
        for (_, path) in self.locks.values() {
            // A file that stays is not locked any more and means nothing.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn io(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Failed(format!("{}: {error}", path.display()))
}
