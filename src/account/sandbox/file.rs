//! The sandbox's file: SQLite, one row for the state and one for each message that was received or is locked. It grows with
//! what waits in the queues, never with what went through them.
//!
//! Invariants: a generation is written whole or not at all, and only over the one that its writer had read. `reached` is
//! never before any instant that a process with this file has seen, so that time does not go back when one dies.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, TransactionBehavior, params};

use super::event::MessageId;
use super::message::Body;
use super::stored::{Stored, StoredMessage};
use crate::account::RunMarker;
use crate::ids::RunId;
use crate::units::Time;

/// The tables. A file of another version is refused.
const SCHEMA: &str = "
    CREATE TABLE world (
        one        INTEGER PRIMARY KEY CHECK (one = 1),
        generation INTEGER NOT NULL,
        seed       INTEGER NOT NULL,
        reached    INTEGER NOT NULL,
        state      TEXT NOT NULL
    ) STRICT;
    CREATE TABLE messages (
        id           INTEGER PRIMARY KEY,
        queue        TEXT NOT NULL,
        sent         INTEGER NOT NULL,
        received     INTEGER NOT NULL,
        body         INTEGER NOT NULL,
        run          TEXT,
        number       INTEGER,
        message_group TEXT,
        turn         INTEGER NOT NULL,
        hidden_until INTEGER,
        size         INTEGER NOT NULL,
        chain        TEXT NOT NULL
    ) STRICT;
";
/// Since version 2 a sandbox has an identity: a random id, so that a journal says which sandbox it is about.
const IDENTITY: &str = "
    CREATE TABLE identity (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        id  TEXT NOT NULL
    ) STRICT;
";
/// Since version 3 what waits in a queue is part of the state; in older files it is messages like the others. Since version
/// 4 what was changed is one list of settings, and a message has a size and the chain of requests that it comes from.
/// Before, a body was malformed or not, which had the numbers that these have now.
const SIZE_AND_CHAIN: &str = "
    ALTER TABLE messages RENAME COLUMN malformed TO body;
    ALTER TABLE messages ADD COLUMN size INTEGER NOT NULL DEFAULT 1024;
    ALTER TABLE messages ADD COLUMN chain TEXT NOT NULL DEFAULT '{}';
";
const VERSION: i64 = 4;

/// How long a call waits for another process that is writing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the sandbox's file cannot be used, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SandboxError {
    /// SQLite, or the disk below it.
    #[error(
        "the sandbox's file cannot be used: {0}; free space on the disk, or delete the file to start with a new sandbox"
    )]
    Failed(String),
    /// Another version of squall made the file.
    #[error(
        "the sandbox's file has version {found}; this version of squall reads {VERSION}; delete it to start with a \
         new sandbox"
    )]
    Version { found: i64 },
    /// The application cannot be modelled.
    #[error(transparent)]
    App(#[from] super::model::Dangling),
}

impl From<rusqlite::Error> for SandboxError {
    fn from(error: rusqlite::Error) -> SandboxError {
        SandboxError::Failed(error.to_string())
    }
}

impl From<serde_json::Error> for SandboxError {
    fn from(error: serde_json::Error) -> SandboxError {
        SandboxError::Failed(format!("its state cannot be read: {error}"))
    }
}

/// A generation of the file.
#[derive(Debug)]
pub(super) struct Generation {
    pub number: i64,
    pub seed: u64,
    /// No process has gone further than this.
    pub reached: Time,
    pub stored: Stored,
    pub messages: Vec<StoredMessage>,
}

/// What came of writing a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Yes,
    /// Another process has written since this one read; nothing was changed.
    Overtaken,
}

/// The open file.
#[derive(Debug)]
pub(super) struct File {
    db: Connection,
}

impl File {
    /// Opens the file, or makes it; a sandbox without an identity, such as one of squall 0.1.0, becomes `fresh_id`.
    pub fn open(path: &Path, fresh_id: &str) -> Result<File, SandboxError> {
        let mut db = Connection::open(path)?;
        db.busy_timeout(PATIENCE)?;
        let version = |db: &Connection| db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
        if (0..VERSION).contains(&version(&db)?) {
            db.pragma_update(None, "journal_mode", "wal")?;
        }
        if version(&db)? < VERSION {
            let making = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Another process may have done it in the meantime.
            let found = version(&making)?;
            if found == 0 {
                making.execute_batch(SCHEMA)?;
            }
            if found < 2 {
                making.execute_batch(IDENTITY)?;
                making.execute("INSERT INTO identity VALUES (1, ?)", [fresh_id])?;
            }
            if (1..4).contains(&found) {
                making.execute_batch(SIZE_AND_CHAIN)?;
            }
            making.pragma_update(None, "user_version", VERSION)?;
            making.commit()?;
        }
        match version(&db)? {
            VERSION => Ok(File { db }),
            found => Err(SandboxError::Version { found }),
        }
    }

    /// The id in a file, which is only looked at.
    pub fn id_in(path: &Path) -> Option<String> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        db.busy_timeout(PATIENCE).ok()?;
        db.query_row("SELECT id FROM identity", [], |row| row.get(0)).ok()
    }

    /// The sandbox's id.
    pub fn id(&self) -> Result<String, SandboxError> {
        Ok(self.db.query_row("SELECT id FROM identity", [], |row| row.get(0))?)
    }

    /// The newest generation; `None` in a new file.
    pub fn read(&mut self) -> Result<Option<Generation>, SandboxError> {
        // One transaction, so that state and messages are of one generation.
        let reading = self.db.transaction()?;
        let world = reading
            .query_row("SELECT generation, seed, reached, state FROM world", [], |row| {
                Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get(2)?, row.get::<_, String>(3)?))
            })
            .optional()?;
        let Some((number, seed, reached, state)) = world else { return Ok(None) };
        let mut select = reading.prepare_cached(
            "SELECT id, queue, sent, received, body, run, number, message_group, turn, hidden_until, size, chain \
             FROM messages ORDER BY id",
        )?;
        let messages = select.query_map([], message)?.collect::<Result<_, _>>()?;
        Ok(Some(Generation {
            number,
            seed: seed as u64,
            reached: Time::from_micros(reached),
            stored: serde_json::from_str(&state)?,
            messages,
        }))
    }

    /// The number of the newest generation, and how far the clock was promised.
    pub fn newest(&self) -> Result<(i64, Time), SandboxError> {
        let mut select = self.db.prepare_cached("SELECT generation, reached FROM world")?;
        Ok(select.query_row([], |row| Ok((row.get(0)?, Time::from_micros(row.get(1)?))))?)
    }

    /// Makes the first generation, unless another process has.
    pub fn begin(&mut self, seed: u64, stored: &Stored) -> Result<(), SandboxError> {
        let at = stored.at.micros();
        self.db.execute(
            "INSERT OR IGNORE INTO world VALUES (1, 1, ?, ?, ?)",
            params![seed as i64, at, serde_json::to_string(stored)?],
        )?;
        Ok(())
    }

    /// Removes every generation; the identity stays.
    pub fn forget(&mut self) -> Result<(), SandboxError> {
        let forgetting = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        forgetting.execute_batch("DELETE FROM world; DELETE FROM messages;")?;
        Ok(forgetting.commit()?)
    }

    /// Writes the generation after `over`, durably when asked so.
    pub fn write(
        &mut self,
        over: i64,
        durably: bool,
        stored: &Stored,
        messages: impl Iterator<Item = (MessageId, Option<StoredMessage>)>,
    ) -> Result<Written, SandboxError> {
        self.db.pragma_update(None, "synchronous", if durably { "full" } else { "normal" })?;
        let writing = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let changed = writing
            .prepare_cached(
                "UPDATE world SET generation = ?1 + 1, reached = max(reached, ?2), state = ?3 WHERE generation = ?1",
            )?
            .execute(params![over, stored.at.micros(), serde_json::to_string(stored)?])?;
        if changed == 0 {
            return Ok(Written::Overtaken);
        }
        {
            let mut put = writing
                .prepare_cached("INSERT OR REPLACE INTO messages \
                     (id, queue, sent, received, body, run, number, message_group, turn, hidden_until, size, chain) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")?;
            let mut delete = writing.prepare_cached("DELETE FROM messages WHERE id = ?1")?;
            for (id, message) in messages {
                match message {
                    Some(m) => put.execute(params![
                        m.id,
                        m.queue,
                        m.sent.micros(),
                        m.received,
                        m.body.code(),
                        m.marker.as_ref().map(|marker| &marker.run.0),
                        m.marker.as_ref().map(|marker| marker.number),
                        m.group,
                        m.turn as i64,
                        m.hidden_until.map(Time::micros),
                        m.size,
                        serde_json::to_string(&m.chain)?,
                    ])?,
                    None => delete.execute([id])?,
                };
            }
        }
        writing.commit()?;
        Ok(Written::Yes)
    }

    /// Promises that no process goes further than `reached` before it says so. Survives the process, if not the machine.
    pub fn promise(&mut self, reached: Time) -> Result<(), SandboxError> {
        self.db.pragma_update(None, "synchronous", "normal")?;
        let mut update = self.db.prepare_cached("UPDATE world SET reached = max(reached, ?)")?;
        update.execute([reached.micros()])?;
        Ok(())
    }
}

fn message(row: &Row) -> rusqlite::Result<StoredMessage> {
    let run: Option<String> = row.get(5)?;
    let number: Option<u32> = row.get(6)?;
    Ok(StoredMessage {
        id: row.get(0)?,
        queue: row.get(1)?,
        sent: Time::from_micros(row.get(2)?),
        received: row.get(3)?,
        body: Body::of_code(row.get(4)?),
        size: row.get(10)?,
        // Written by squall; what cannot be read is no chain.
        chain: serde_json::from_str(&row.get::<_, String>(11)?).unwrap_or_default(),
        marker: run.zip(number).map(|(run, number)| RunMarker { run: RunId(run), number }),
        group: row.get(7)?,
        turn: row.get::<_, i64>(8)? as u64,
        hidden_until: row.get::<_, Option<i64>>(9)?.map(Time::from_micros),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::shop_like;
    use super::super::testing::{at, world};
    use super::*;
    use crate::payload::Payload;

    /// As squall 0.1.0 made it, with a malformed message that was received twice.
    const VERSION_1: &str = "
        CREATE TABLE world (
            one INTEGER PRIMARY KEY CHECK (one = 1), generation INTEGER NOT NULL, seed INTEGER NOT NULL,
            reached INTEGER NOT NULL, state TEXT NOT NULL
        ) STRICT;
        CREATE TABLE messages (
            id INTEGER PRIMARY KEY, queue TEXT NOT NULL, sent INTEGER NOT NULL, received INTEGER NOT NULL,
            malformed INTEGER NOT NULL, run TEXT, number INTEGER, message_group TEXT, turn INTEGER NOT NULL,
            hidden_until INTEGER
        ) STRICT;
        INSERT INTO messages VALUES (3, 'orders', 0, 2, 1, NULL, NULL, NULL, 5, NULL);
        PRAGMA user_version = 1;
    ";

    fn message() -> StoredMessage {
        StoredMessage {
            id: 3,
            queue: "orders".into(),
            sent: Time::EPOCH,
            received: 2,
            body: Body::Bad(Payload::Malformed),
            size: 1_024,
            chain: BTreeMap::new(),
            marker: None,
            group: None,
            turn: 5,
            hidden_until: None,
        }
    }

    #[test]
    fn a_file_of_squall_0_1_0_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sandbox.db");
        Connection::open(&path).unwrap().execute_batch(VERSION_1).unwrap();
        let mut file = File::open(&path, "fresh").unwrap();
        file.begin(1, &world(&shop_like()).stored()).unwrap();
        assert_eq!(file.read().unwrap().unwrap().messages, [message()]);
        assert_eq!(file.id(), Ok("fresh".into()));
        drop(file);
        assert!(File::open(&path, "another").is_ok_and(|file| file.id() == Ok("fresh".into())));
    }

    #[test]
    fn what_is_in_a_message_and_where_it_comes_from_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = File::open(&folder.path().join("sandbox.db"), "fresh").unwrap();
        let stored = world(&shop_like()).stored();
        file.begin(1, &stored).unwrap();
        let bodies = Payload::ALL.map(Body::Bad).into_iter().chain([Body::Ordinary, Body::Own]);
        let messages: Vec<StoredMessage> = (1..)
            .zip(bodies)
            .map(|(id, body)| StoredMessage {
                id,
                body,
                size: 400_000,
                chain: BTreeMap::from([("payment-worker".into(), id)]),
                hidden_until: Some(at(7)),
                ..message()
            })
            .collect();
        let changes = messages.iter().map(|message| (message.id, Some(message.clone())));
        assert_eq!(file.write(1, true, &stored, changes), Ok(Written::Yes));
        assert_eq!(file.read().unwrap().unwrap().messages, messages);
    }
}
