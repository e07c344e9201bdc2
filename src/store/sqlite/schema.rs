//! The tables, and how an older file becomes a newer one.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::failed;
use super::held::HeldRuns;
use crate::store::StoreError;

/// Each script takes a file from the version of its place to the next. Never edit one that was released; add another.
const MIGRATIONS: [&str; 7] = [
    "
    CREATE TABLE runs (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        run    TEXT NOT NULL UNIQUE,
        owner  TEXT NOT NULL,
        epoch  INTEGER NOT NULL,
        last   INTEGER NOT NULL,
        head   BLOB NOT NULL,
        closed INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE events (
        run  INTEGER NOT NULL REFERENCES runs (number),
        seq  INTEGER NOT NULL,
        at   INTEGER NOT NULL,
        body TEXT NOT NULL,
        hash BLOB NOT NULL,
        PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE asks (
        run      INTEGER PRIMARY KEY REFERENCES runs (number),
        asked_by TEXT NOT NULL
    ) STRICT;
    CREATE TABLE claims (
        run      INTEGER NOT NULL REFERENCES runs (number),
        resource TEXT NOT NULL,
        changing INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX claims_of_run ON claims (run);
    CREATE TABLE halt (
        id        INTEGER PRIMARY KEY CHECK (id = 1),
        halted_by TEXT NOT NULL
    ) STRICT;
",
    // The tables are as before. Events have format 2 from here on (src/format), which squall 0.1.0 would take for none.
    "",
    "
    CREATE TABLE schedules (
        schedule   TEXT PRIMARY KEY,
        definition TEXT NOT NULL,
        since      INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE occurrences (
        schedule   TEXT NOT NULL,
        at         INTEGER NOT NULL,
        by_hand    INTEGER NOT NULL,
        decided    INTEGER NOT NULL,
        decided_by TEXT NOT NULL,
        fate       TEXT NOT NULL,
        detail     TEXT NOT NULL,
        PRIMARY KEY (schedule, at, by_hand)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX occurrences_decided ON occurrences (decided);
",
    "
    CREATE TABLE days (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        day    TEXT NOT NULL UNIQUE
    ) STRICT;
    CREATE TABLE day_events (
        day  INTEGER NOT NULL REFERENCES days (number),
        seq  INTEGER NOT NULL,
        at   INTEGER NOT NULL,
        body TEXT NOT NULL,
        hash BLOB NOT NULL,
        PRIMARY KEY (day, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE day_asks (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        day    INTEGER NOT NULL REFERENCES days (number),
        body   TEXT NOT NULL
    ) STRICT;
",
    "
    CREATE TABLE tokens (
        name    TEXT PRIMARY KEY,
        role    TEXT NOT NULL,
        hash    BLOB NOT NULL,
        made    INTEGER NOT NULL,
        made_by TEXT NOT NULL,
        expires INTEGER,
        revoked INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE acts (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at     INTEGER NOT NULL,
        who    TEXT NOT NULL,
        what   TEXT NOT NULL,
        detail TEXT NOT NULL
    ) STRICT;
    CREATE INDEX acts_at ON acts (at);
    CREATE TABLE outbox (
        number  INTEGER PRIMARY KEY AUTOINCREMENT,
        channel TEXT NOT NULL,
        id      TEXT NOT NULL,
        body    TEXT NOT NULL,
        queued  INTEGER NOT NULL,
        tries   INTEGER NOT NULL,
        due     INTEGER NOT NULL,
        state   TEXT NOT NULL,
        why     TEXT NOT NULL,
        UNIQUE (channel, id)
    ) STRICT;
    CREATE INDEX outbox_due ON outbox (state, due);
",
    "
    CREATE TABLE approvals (
        schedule    TEXT NOT NULL,
        plan        TEXT NOT NULL,
        seed        TEXT NOT NULL,
        approved_by TEXT NOT NULL,
        at          INTEGER NOT NULL,
        used        TEXT,
        PRIMARY KEY (schedule, plan, approved_by)
    ) STRICT, WITHOUT ROWID;
  ",
    "
    CREATE TABLE invitations (
        link    BLOB PRIMARY KEY,
        day     TEXT,
        who     TEXT NOT NULL,
        role    TEXT NOT NULL,
        agent   INTEGER NOT NULL,
        made    INTEGER NOT NULL,
        made_by TEXT NOT NULL,
        expires INTEGER NOT NULL,
        revoked INTEGER,
        session BLOB,
        joined  INTEGER
    ) STRICT, WITHOUT ROWID;
",
];

/// How long a call waits for another process that is writing.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Opens the file, made or brought up to date first.
pub fn open(file: &Path, held: &HeldRuns) -> Result<Connection, StoreError> {
    let mut db = Connection::open(file).map_err(failed)?;
    db.busy_timeout(PATIENCE).map_err(failed)?;
    if version(&db)? != MIGRATIONS.len() {
        let _alone = held.while_making()?;
        db.pragma_update(None, "journal_mode", "wal").map_err(failed)?;
        migrate(&mut db)?;
    }
    db.pragma_update(None, "synchronous", "full").map_err(failed)?;
    // On macOS fsync leaves the bytes in the drive's cache; elsewhere these change nothing
    // (<https://www.sqlite.org/pragma.html#pragma_fullfsync>).
    for pragma in ["fullfsync", "checkpoint_fullfsync"] {
        db.pragma_update(None, pragma, true).map_err(failed)?;
    }
    db.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    Ok(db)
}

/// Opens an existing file and refuses to change it.
pub fn open_to_read(file: &Path) -> Result<Connection, StoreError> {
    // Not SQLITE_OPEN_READ_ONLY: such a reader leaves the shared-memory file of the WAL behind.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(file, flags).map_err(failed)?;
    db.busy_timeout(PATIENCE).map_err(failed)?;
    db.pragma_update(None, "query_only", true).map_err(failed)?;
    match version(&db)? {
        // The tables of every version can be read as they are.
        found if (1..=MIGRATIONS.len()).contains(&found) => Ok(db),
        0 => Err(StoreError::Failed(format!("{} is not a squall journal", file.display()))),
        found => Err(wrong_version(found)),
    }
}

fn migrate(db: &mut Connection) -> Result<(), StoreError> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Another process may have done it meanwhile.
    let found = version(&transaction)?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).map_err(failed)?;
    if found == 0 && tables > 0 {
        return Err(StoreError::Failed("it is another program's file, and not a squall journal".into()));
    }
    let missing = MIGRATIONS.get(found..).ok_or_else(|| wrong_version(found))?;
    for script in missing {
        transaction.execute_batch(script).map_err(failed)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len()).map_err(failed)?;
    transaction.commit().map_err(failed)
}

fn version(db: &Connection) -> Result<usize, StoreError> {
    db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)
}

fn wrong_version(found: usize) -> StoreError {
    StoreError::Failed(format!(
        "it has version {found}; this version of squall reads versions up to {}; use the version that wrote it, or a \
         newer one, or roll back from the locks in the account: squall undo --account NAME",
        MIGRATIONS.len()
    ))
}
