//! The project: the folder with `squall.yaml`, and `.squall` beside it.

use std::path::{Path, PathBuf};

use super::{Context, Failure};
use crate::ids::RunId;
use crate::private;
use crate::spec::load::CONFIG;
use crate::store::aftermath::Aftermath;
use crate::store::sqlite::SqliteStore;
use crate::store::{JournalKind, Store, StoreError};
use crate::units::Time;

/// Where a command works.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder that paths are relative to.
    pub root: PathBuf,
}

impl Project {
    /// In the folder named on the command line; else the nearest one upwards with a `squall.yaml`; else the current one.
    pub fn find(named: Option<&Path>) -> Project {
        let start = named.map_or_else(|| PathBuf::from("."), Path::to_owned);
        let is_root = |folder: &Path| folder.join(CONFIG).is_file();
        if named.is_none() && !is_root(&start) {
            let here = std::env::current_dir().unwrap_or_default();
            if let Some(root) = here.ancestors().skip(1).find(|folder| is_root(folder)) {
                return Project { root: root.to_owned() };
            }
        }
        Project { root: start }
    }

    /// A file of the project, for people: without a leading `./`.
    pub fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        let path = self.root.join(file);
        path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)
    }

    /// The folder for what squall writes: journal, sandbox, reports.
    pub fn folder(&self) -> PathBuf {
        self.path(".squall")
    }

    /// The store, made when it is not there.
    pub fn store(&self) -> Result<SqliteStore, StoreError> {
        let folder = self.folder();
        let store = SqliteStore::open(&folder)?;
        let ignore = folder.join(".gitignore");
        if !ignore.exists() {
            // Nothing in there goes into version control. Failing to say so does no harm.
            let _ = private::write(&ignore, "*\n");
        }
        Ok(store)
    }

    /// The store to look at; `None` when nothing was ever run here.
    pub fn store_to_read(&self) -> Result<Option<SqliteStore>, StoreError> {
        SqliteStore::open_to_read(&self.folder())
    }
}

/// An instant to the second, for lists.
pub fn short(at: Time) -> String {
    let text = at.to_string();
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// The run that is named: by its id or a part of it; without one, the newest that began.
pub fn pick_run(store: &dyn Store, chosen: Option<&str>) -> Result<RunId, Failure> {
    let runs = store.runs()?;
    let Some(chosen) = chosen else {
        return runs
            .into_iter()
            .find(|row| row.started.is_some() && row.kind == JournalKind::Run)
            .map(|row| row.run)
            .ok_or_else(|| Failure::usage("no runs yet in this project", "squall run FILE"));
    };
    if let Some(row) = runs.iter().find(|row| row.run.0 == chosen) {
        return Ok(row.run.clone());
    }
    let alike: Vec<_> = runs.iter().filter(|row| row.run.0.contains(chosen)).collect();
    // A part of a name means the run, and not what came after it.
    let runs_alike: Vec<_> = alike.iter().filter(|row| row.kind == JournalKind::Run).collect();
    if let [only] = runs_alike.as_slice() {
        return Ok(only.run.clone());
    }
    let alike: Vec<String> = alike.into_iter().map(|row| row.run.0.clone()).collect();
    match alike.as_slice() {
        [only] => Ok(RunId(only.clone())),
        [] => Err(Failure::usage(format!("there is no run `{chosen}`"), "squall status --all")),
        several => {
            Err(Failure::usage(format!("`{chosen}` is ambiguous: {}", several.join(", ")), "give the full run id"))
        }
    }
}

/// Says on standard error what came after a run: its own log and report stay as they were.
pub fn tell_aftermath(run: &RunId, store: &dyn Store, context: &mut Context) {
    let Ok(rows) = store.runs() else { return };
    let after = Aftermath::of(&rows, run);
    let err = &mut context.output.err;
    for row in &after.rollbacks {
        err.line(format!("{run} was rolled back later: squall log {0}, squall report {0}", row.run));
    }
    for row in &after.acknowledgements {
        if let JournalKind::Acknowledgement { by, reason, .. } = &row.kind {
            err.line(format!("what {run} left was acknowledged by {by}: {reason}"));
        }
    }
}
