//! The store of one machine: SQLite in a project's `.squall` folder.
//!
//! Durable: WAL with `synchronous=FULL` syncs each commit to the disk before it returns
//! (<https://www.sqlite.org/pragma.html#pragma_synchronous>). Who is alive is told by a file lock that the operating
//! system frees when a process dies, however it dies, and keeps while it is stopped.
//!
//! Invariant: each event's hash covers the one before it, so `events` finds what was changed, lost or put in.

mod access;
mod approvals;
mod chain;
mod days;
mod held;
mod invitations;
mod occurrences;
mod outbox;
mod prune;
mod schema;

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use self::chain::{Head, Link};
use self::held::HeldRuns;

pub use self::held::Alone;
use super::approvals::ApprovalRow;
use super::occurrences::{Fate, OccurrenceKey, OccurrenceRow};
use super::outbox::{Outgoing, Tried, WaitingMail};
use super::prune::Pruned;
use super::{Conflict, Epoch, Readable, RunRow, Store, StoreError, conflict_between};
use crate::access::Act;
use crate::access::token::TokenRow;
use crate::account::Resource;
use crate::format::journal::{self, Unreadable};
use crate::ids::{RunId, ScheduleName};
use crate::private;
use crate::run::event::Recorded;
use crate::units::Time;

/// The journal's name in a project's folder.
pub const FILE: &str = "journal.db";

/// One process's handle on a project's store. Dropping it frees the runs that it holds.
#[derive(Debug)]
pub struct SqliteStore {
    db: Connection,
    held: HeldRuns,
    /// The last write found the file locked for as long as [`schema::PATIENCE`].
    locked: bool,
}

/// What the table of runs says about one.
struct RunRecord {
    number: i64,
    owner: String,
    epoch: Epoch,
    head: Head,
    closed: bool,
}

/// The events of a run.
struct Found {
    /// Those that can be read.
    events: Vec<Recorded>,
    /// Number and format of those of kinds that only a newer squall knows.
    newer: Vec<(u64, u32)>,
}

/// A halt stops every run that has not ended, also when it is lifted before a run has looked.
const HALT_RUNS: &str = "INSERT OR REPLACE INTO asks (run, asked_by) SELECT number, ?1 FROM runs WHERE closed = 0";

impl SqliteStore {
    /// Opens the store in `folder`, or creates both. Fails when the folder cannot be written, or when a newer squall
    /// wrote the journal.
    pub fn open(folder: &Path) -> Result<SqliteStore, StoreError> {
        let unusable = |path: &Path| {
            let path = path.display().to_string();
            move |error| {
                StoreError::Failed(format!("it cannot be opened; check its folder and permissions ({path}: {error})"))
            }
        };
        let held = HeldRuns::in_folder(folder)?;
        let file = folder.join(FILE);
        // SQLite gives the files beside it the same rights.
        private::file(&file).map_err(unusable(&file))?;
        let db = schema::open(&file, &held)?;
        Ok(SqliteStore { db, held, locked: false })
    }

    /// Opens the store in `folder` to read it; nothing is created, and `None` when there is none.
    pub fn open_to_read(folder: &Path) -> Result<Option<SqliteStore>, StoreError> {
        let file = folder.join(FILE);
        if folder.symlink_metadata().is_ok() && !folder.is_dir() {
            return Err(StoreError::Failed(format!("{} is not a folder", folder.display())));
        }
        match file.exists() {
            true => {
                let (db, held) = (schema::open_to_read(&file)?, HeldRuns::to_look_at(folder));
                Ok(Some(SqliteStore { db, held, locked: false }))
            }
            false => Ok(None),
        }
    }

    /// Becomes the one process that serves this store, for as long as the returned value lives. `None`: another one does.
    pub fn serve_alone(&self) -> Result<Option<Alone>, StoreError> {
        self.held.serve_alone()
    }

    /// Becomes the one process that leads a game day, for as long as the returned value lives. `None`: another one does.
    pub fn lead_alone(&self, day: &crate::ids::DayId) -> Result<Option<Alone>, StoreError> {
        self.held.lead_alone(day)
    }

    /// Whether the run is still this process's: by its epoch, and by what a process left that could not write the epoch.
    fn check_owner(&self, run: &RunId, epoch: Epoch, found: &RunRecord) -> Result<(), StoreError> {
        check_epoch(run, epoch, found)?;
        self.held.check_taken(run, found.number, epoch)
    }

    /// The events of a run, its chain checked.
    fn read(&self, run: &RunId) -> Result<Found, StoreError> {
        // One transaction, so that the head and the events are of one moment.
        let snapshot = self.db.unchecked_transaction().map_err(failed)?;
        let found = record(&snapshot, run)?;
        let mut select = snapshot
            .prepare_cached("SELECT seq, at, body, hash FROM events WHERE run = ?1 ORDER BY seq")
            .map_err(failed)?;
        let mut rows = select.query([found.number]).map_err(failed)?;
        let mut head = Head::start(run);
        let mut newer = Vec::new();
        let mut events = Vec::with_capacity(usize::try_from(found.head.seq).unwrap_or_default());
        while let Some(row) = rows.next().map_err(failed)? {
            let damaged = |why: &str| StoreError::Damaged { run: run.clone(), seq: head.seq + 1, why: why.to_owned() };
            let (seq, at, body, hash) = chain::columns(row).map_err(|_| damaged("it cannot be read"))?;
            if seq != head.seq + 1 {
                return Err(damaged("it is missing"));
            }
            let next = head.follow(&Link { seq, at, body });
            if hash != next.hash {
                return Err(damaged("it is not what was written: changed or damaged"));
            }
            match journal::read(body) {
                Ok(event) => events.push(Recorded { seq, at: Time::from_micros(at), event }),
                Err(Unreadable::Newer { format, skippable: true }) => newer.push((seq, format)),
                Err(Unreadable::Newer { format, .. }) => {
                    return Err(StoreError::Newer { run: run.clone(), seq, format });
                }
                Err(Unreadable::Malformed(error)) => return Err(unreadable(run, seq, &error)),
            }
            head = next;
        }
        match head == found.head {
            true => Ok(Found { events, newer }),
            false => Err(StoreError::Damaged {
                run: run.clone(),
                seq: head.seq + 1,
                why: format!("the journal should end at event {}", found.head.seq),
            }),
        }
    }
}

impl Store for SqliteStore {
    fn create(&mut self, run: &RunId, owner: &str) -> Result<Epoch, StoreError> {
        let transaction = write(&mut self.db)?;
        let exists = transaction
            .query_row("SELECT 1 FROM runs WHERE run = ?1", [&run.0], |_| Ok(()))
            .optional()
            .map_err(failed)?;
        if exists.is_some() {
            return Err(StoreError::exists(run));
        }
        let epoch = Epoch(1);
        transaction
            .execute(
                "INSERT INTO runs (run, owner, epoch, last, head) VALUES (?1, ?2, ?3, 0, ?4)",
                params![run.0, owner, epoch.0, Head::start(run).hash],
            )
            .map_err(failed)?;
        // The lock comes before the commit: a process that sees the run sees it alive.
        self.held.hold(run, transaction.last_insert_rowid(), epoch)?;
        transaction.commit().map_err(failed)?;
        Ok(epoch)
    }

    fn append(&mut self, run: &RunId, epoch: Epoch, events: &[Recorded]) -> Result<(), StoreError> {
        if events.is_empty() {
            return self.check_owner(run, epoch, &record(&self.db, run)?);
        }
        // A process that kept the lock for so long, such as a process that was stopped, is not waited for at each event of
        // a rollback.
        self.db.busy_timeout(if self.locked { Duration::ZERO } else { schema::PATIENCE }).map_err(failed)?;
        self.locked = true;
        self.check_owner(run, epoch, &record(&self.db, run)?)?;
        let transaction = write(&mut self.db)?;
        self.locked = false;
        let found = record(&transaction, run)?;
        check_epoch(run, epoch, &found)?;
        let number = found.number;
        if found.closed {
            return Err(StoreError::Closed(run.clone()));
        }
        StoreError::check_numbers(run, found.head.seq, events)?;
        let mut head = found.head;
        for event in events {
            let body = journal::body(&event.event).map_err(|e| StoreError::Failed(e.to_string()))?;
            head = head.follow(&Link { seq: event.seq, at: event.at.micros(), body: &body });
            transaction
                .prepare_cached("INSERT INTO events (run, seq, at, body, hash) VALUES (?1, ?2, ?3, ?4, ?5)")
                .and_then(|mut insert| {
                    insert.execute(params![found.number, head.seq, event.at.micros(), body, head.hash])
                })
                .map_err(failed)?;
        }
        let closed = events.last().is_some_and(|last| last.event.is_last());
        transaction
            .prepare_cached("UPDATE runs SET last = ?2, head = ?3, closed = ?4 WHERE number = ?1")
            .and_then(|mut update| update.execute(params![found.number, head.seq, head.hash, closed]))
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
        if closed {
            self.held.release(run);
        }
        // This process may have been stopped with the file locked, and the run taken over meanwhile: then what was just
        // announced must not be done.
        self.held.check_taken(run, number, epoch)
    }

    fn events(&self, run: &RunId) -> Result<Vec<Recorded>, StoreError> {
        let Found { events, newer } = self.read(run)?;
        match newer.into_iter().next() {
            None => Ok(events),
            Some((seq, format)) => Err(StoreError::Newer { run: run.clone(), seq, format }),
        }
    }

    fn events_after(&self, run: &RunId, seq: u64, most: usize) -> Result<Vec<Recorded>, StoreError> {
        let number = record(&self.db, run)?.number;
        let mut select = self
            .db
            .prepare_cached("SELECT seq, at, body FROM events WHERE run = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3")
            .map_err(failed)?;
        let mut rows = select.query(params![number, seq, most]).map_err(failed)?;
        let mut events = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let (seq, at, body): (u64, i64, String) =
                row.get(0).and_then(|seq| Ok((seq, row.get(1)?, row.get(2)?))).map_err(failed)?;
            match journal::read(&body) {
                Ok(event) => events.push(Recorded { seq, at: Time::from_micros(at), event }),
                Err(Unreadable::Newer { format, .. }) => {
                    return Err(StoreError::Newer { run: run.clone(), seq, format });
                }
                Err(Unreadable::Malformed(error)) => return Err(unreadable(run, seq, &error)),
            }
        }
        Ok(events)
    }

    fn to_roll_back(&self, run: &RunId) -> Result<Readable, StoreError> {
        let Found { events, newer } = self.read(run)?;
        let numbers = [events.last().map(|event| event.seq), newer.last().map(|(seq, _)| *seq)];
        let last = numbers.into_iter().flatten().max().unwrap_or(0);
        Ok(Readable { events, last, skipped: newer.len() })
    }

    fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        let mut select = self.db.prepare_cached(RUNS).map_err(failed)?;
        let mut rows = select.query([]).map_err(failed)?;
        let mut runs = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let run = RunId(row.get(1).map_err(failed)?);
            let epoch = Epoch(row.get(3).map_err(failed)?);
            let alive = self.held.is_held(row.get(0).map_err(failed)?, epoch)?;
            let started: Option<i64> = row.get(4).map_err(failed)?;
            // A body that cannot be read says nothing here; reading the run's events tells why.
            let event = |column| {
                let body = row.get::<usize, Option<String>>(column).map_err(failed)?;
                Ok::<_, StoreError>(body.and_then(|body| journal::read(&body).ok()))
            };
            let first = event(5)?;
            let row = RunRow::empty(run, row.get(2).map_err(failed)?, epoch, alive)
                .begun(started.map(Time::from_micros), first.as_ref())
                .ended(first.as_ref(), event(7)?.as_ref(), event(6)?.as_ref());
            runs.push(row);
        }
        Ok(runs)
    }

    fn is_alive(&self, run: &RunId) -> Result<bool, StoreError> {
        let found = record(&self.db, run)?;
        self.held.is_held(found.number, found.epoch)
    }

    fn take_over(&mut self, run: &RunId, owner: &str) -> Result<Epoch, StoreError> {
        let found = record(&self.db, run)?;
        if found.closed {
            return Err(StoreError::Closed(run.clone()));
        }
        self.db.busy_timeout(if self.locked { Duration::ZERO } else { schema::PATIENCE }).map_err(failed)?;
        self.locked = true;
        let transaction = match write(&mut self.db) {
            Ok(transaction) => transaction,
            Err(error) => {
                // A stopped process may keep the file locked. When it wakes it must find out all the same.
                self.held.take(found.number, found.epoch, owner)?;
                return Err(error);
            }
        };
        self.locked = false;
        let found = record(&transaction, run)?;
        if found.closed {
            // It closed while this process waited for the file.
            return Err(StoreError::Closed(run.clone()));
        }
        let epoch = Epoch(found.epoch.0 + 1);
        transaction
            .execute("UPDATE runs SET epoch = ?2, owner = ?3 WHERE number = ?1", params![found.number, epoch.0, owner])
            .and_then(|_| transaction.execute("DELETE FROM asks WHERE run = ?1", [found.number]))
            .map_err(failed)?;
        self.held.hold(run, found.number, epoch)?;
        transaction.commit().map_err(failed)?;
        Ok(epoch)
    }

    fn ask_to_stop(&mut self, run: &RunId, by: &str) -> Result<(), StoreError> {
        let transaction = write(&mut self.db)?;
        let found = record(&transaction, run)?;
        transaction
            .execute("INSERT OR IGNORE INTO asks (run, asked_by) VALUES (?1, ?2)", params![found.number, by])
            .map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    fn stop_asked(&self, run: &RunId) -> Result<Option<String>, StoreError> {
        let found = record(&self.db, run)?;
        let asked = self
            .db
            .prepare_cached("SELECT asked_by FROM asks WHERE run = ?1")
            .and_then(|mut select| select.query_row([found.number], |row| row.get(0)).optional())
            .map_err(failed)?;
        match asked {
            Some(by) => Ok(Some(by)),
            None => self.halted(),
        }
    }

    fn claim(
        &mut self,
        run: &RunId,
        changes: &[Resource],
        watches: &[Resource],
    ) -> Result<Result<(), Conflict>, StoreError> {
        let transaction = write(&mut self.db)?;
        let found = record(&transaction, run)?;
        if let Some(conflict) = standing_in_the_way(&transaction, found.number, changes, watches)? {
            return Ok(Err(conflict));
        }
        transaction.execute("DELETE FROM claims WHERE run = ?1", [found.number]).map_err(failed)?;
        for (resources, changing) in [(changes, true), (watches, false)] {
            for resource in resources {
                let resource = serde_json::to_string(resource).map_err(|e| StoreError::Failed(e.to_string()))?;
                transaction
                    .execute(
                        "INSERT INTO claims (run, resource, changing) VALUES (?1, ?2, ?3)",
                        params![found.number, resource, changing],
                    )
                    .map_err(failed)?;
            }
        }
        transaction.commit().map_err(failed)?;
        Ok(Ok(()))
    }

    fn release(&mut self, run: &RunId) -> Result<(), StoreError> {
        let found = record(&self.db, run)?;
        self.db.execute("DELETE FROM claims WHERE run = ?1", [found.number]).map(drop).map_err(failed)
    }

    fn set_halt(&mut self, by: Option<&str>) -> Result<(), StoreError> {
        let transaction = write(&mut self.db)?;
        match by {
            Some(by) => transaction
                .execute("INSERT OR REPLACE INTO halt (id, halted_by) VALUES (1, ?1)", [by])
                .and_then(|_| transaction.execute(HALT_RUNS, [by])),
            None => transaction.execute("DELETE FROM halt", []),
        }
        .map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    fn halted(&self) -> Result<Option<String>, StoreError> {
        self.db
            .prepare_cached("SELECT halted_by FROM halt")
            .and_then(|mut select| select.query_row([], |row| row.get(0)).optional())
            .map_err(failed)
    }

    fn counted_from(&mut self, schedule: &ScheduleName, definition: &str, now: Time) -> Result<Time, StoreError> {
        occurrences::counted_from(&mut self.db, schedule, definition, now)
    }

    fn claim_occurrence(&mut self, row: &OccurrenceRow) -> Result<bool, StoreError> {
        occurrences::claim(&self.db, row)
    }

    fn settle_occurrence(&mut self, key: &OccurrenceKey, fate: &Fate) -> Result<(), StoreError> {
        occurrences::settle(&self.db, key, fate)
    }

    fn occurrences(&self, since: Time) -> Result<Vec<OccurrenceRow>, StoreError> {
        occurrences::since(&self.db, since)
    }

    fn put_token(&mut self, row: &TokenRow) -> Result<(), StoreError> {
        access::put_token(&self.db, row)
    }

    fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        access::tokens(&self.db)
    }

    fn note(&mut self, act: &Act) -> Result<(), StoreError> {
        access::note(&self.db, act)
    }

    fn acts(&self, since: Time) -> Result<Vec<Act>, StoreError> {
        access::acts(&self.db, since)
    }

    fn queue(&mut self, messages: &[Outgoing]) -> Result<usize, StoreError> {
        outbox::queue(&mut self.db, messages)
    }

    fn due(&self, now: Time, most: usize) -> Result<Vec<Outgoing>, StoreError> {
        outbox::due(&self.db, now, most)
    }

    fn tried(&mut self, number: i64, tried: &Tried) -> Result<(), StoreError> {
        outbox::tried(&self.db, number, tried)
    }

    fn mail(&self) -> Result<WaitingMail, StoreError> {
        outbox::mail(&self.db)
    }

    fn approve(&mut self, row: &ApprovalRow) -> Result<(), StoreError> {
        approvals::approve(&self.db, row)
    }

    fn approvals(&self, schedule: &ScheduleName) -> Result<Vec<ApprovalRow>, StoreError> {
        approvals::approvals(&self.db, schedule)
    }

    fn use_approvals(&mut self, schedule: &ScheduleName, plan: &str, run: &RunId) -> Result<(), StoreError> {
        approvals::use_up(&self.db, schedule, plan, run)
    }

    fn prune(&mut self, runs: &[RunId], before: Time) -> Result<Pruned, StoreError> {
        prune::prune(&mut self.db, runs, before)
    }

    fn forget_mail(&mut self, before: Time) -> Result<usize, StoreError> {
        outbox::forget(&self.db, before)
    }
}

const RUNS: &str = "
    SELECT runs.number, runs.run, owner, epoch, first.at, first.body, final.body, before.body FROM runs
    LEFT JOIN events AS first ON first.run = runs.number AND first.seq = 1
    LEFT JOIN events AS final ON final.run = runs.number AND final.seq = runs.last
    LEFT JOIN events AS before ON before.run = runs.number AND before.seq = runs.last - 1
    ORDER BY runs.number DESC";

/// Begins a transaction that will write, so that it never has to give way to another in the middle.
fn write(db: &mut Connection) -> Result<Transaction<'_>, StoreError> {
    db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)
}

fn record(db: &Connection, run: &RunId) -> Result<RunRecord, StoreError> {
    db.prepare_cached("SELECT number, owner, epoch, last, head, closed FROM runs WHERE run = ?1")
        .and_then(|mut select| {
            let read = |row: &rusqlite::Row<'_>| {
                Ok(RunRecord {
                    number: row.get(0)?,
                    owner: row.get(1)?,
                    epoch: Epoch(row.get(2)?),
                    head: Head { seq: row.get(3)?, hash: row.get(4)? },
                    closed: row.get(5)?,
                })
            };
            select.query_row([&run.0], read).optional()
        })
        .map_err(failed)?
        .ok_or_else(|| StoreError::NoSuchRun(run.clone()))
}

fn check_epoch(run: &RunId, epoch: Epoch, found: &RunRecord) -> Result<(), StoreError> {
    match found.epoch == epoch {
        true => Ok(()),
        false => Err(StoreError::EpochLost { run: run.clone(), by: found.owner.clone() }),
    }
}

/// What the claims of the other open runs forbid.
fn standing_in_the_way(
    db: &Connection,
    number: i64,
    changes: &[Resource],
    watches: &[Resource],
) -> Result<Option<Conflict>, StoreError> {
    let mut select = db
        .prepare(
            "SELECT runs.run, resource, changing FROM claims JOIN runs ON runs.number = claims.run
             WHERE runs.number <> ?1 AND NOT closed ORDER BY runs.number, changing DESC, resource",
        )
        .map_err(failed)?;
    let mut rows = select.query([number]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (run, resource, changing): (String, String, bool) =
            row.get(0).and_then(|run| Ok((run, row.get(1)?, row.get(2)?))).map_err(failed)?;
        let resource: Resource = serde_json::from_str(&resource)
            .map_err(|error| StoreError::Failed(format!("a claim of {run} cannot be read: {error}")))?;
        let (changed, watched) = match changing {
            true => (vec![resource], vec![]),
            false => (vec![], vec![resource]),
        };
        let conflict = conflict_between(changes, watches, &RunId(run), &changed, &watched);
        if conflict.is_some() {
            return Ok(conflict);
        }
    }
    Ok(None)
}

fn unreadable(run: &RunId, seq: u64, error: &serde_json::Error) -> StoreError {
    StoreError::Failed(format!(
        "event {seq} of {run} is intact but unknown to this version of squall ({error}); read it with the version \
         that wrote it"
    ))
}

/// SQLite's error, with what to do about it.
fn failed(error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    let advice = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full; free some space and try again",
        Some(ErrorCode::ReadOnly) => "it cannot be written; check the permissions of its folder",
        Some(ErrorCode::CannotOpen) => "it cannot be opened; check its folder and permissions",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "the file is damaged; keep a copy of it, and roll back from the locks in the account: squall undo \
             --account NAME"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another process keeps it locked",
        _ => return StoreError::Failed(error.to_string()),
    };
    StoreError::Failed(format!("{advice} ({error})"))
}

#[cfg(test)]
mod tests;
