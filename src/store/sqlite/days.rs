//! Game days in SQLite.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::chain::{self, Hash, Head, Link};
use super::{SqliteStore, failed, write};
use crate::format::day::{self as written, Unreadable};
use crate::gameday::command::Ask;
use crate::gameday::event::Recorded;
use crate::ids::DayId;
use crate::store::StoreError;
use crate::store::days::Days;
use crate::units::Time;

impl Days for SqliteStore {
    fn append_day(&mut self, day: &DayId, events: &[Recorded], taken: Option<u64>) -> Result<(), StoreError> {
        let transaction = write(&mut self.db)?;
        let number = match number(&transaction, day)? {
            Some(number) => number,
            None => {
                transaction.execute("INSERT INTO days (day) VALUES (?1)", [&day.0]).map_err(failed)?;
                transaction.last_insert_rowid()
            }
        };
        let mut head = head(&transaction, number)?.unwrap_or_else(|| Head::of(&day.0));
        StoreError::check_day(day, head.seq, events)?;
        for event in events {
            let body = written::body(&event.event).map_err(|error| StoreError::Failed(error.to_string()))?;
            head = head.follow(&Link { seq: event.seq, at: event.at.micros(), body: &body });
            transaction
                .prepare_cached("INSERT INTO day_events (day, seq, at, body, hash) VALUES (?1, ?2, ?3, ?4, ?5)")
                .and_then(|mut insert| insert.execute(params![number, head.seq, event.at.micros(), body, head.hash]))
                .map_err(failed)?;
        }
        if let Some(taken) = taken {
            transaction
                .execute("DELETE FROM day_asks WHERE day = ?1 AND number <= ?2", params![number, taken])
                .map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    fn day_events(&self, day: &DayId) -> Result<Vec<Recorded>, StoreError> {
        let number = number(&self.db, day)?.ok_or_else(|| StoreError::no_day(day))?;
        let mut select = self
            .db
            .prepare_cached("SELECT seq, at, body, hash FROM day_events WHERE day = ?1 ORDER BY seq")
            .map_err(failed)?;
        let mut rows = select.query([number]).map_err(failed)?;
        let mut head = Head::of(&day.0);
        let mut events = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let damaged = |why: &str| {
                StoreError::Failed(format!("the record of {day} is damaged at event {}: {why}", head.seq + 1))
            };
            let (seq, at, body, hash) = chain::columns(row).map_err(|_| damaged("it cannot be read"))?;
            let next = head.follow(&Link { seq, at, body });
            if seq != head.seq + 1 || hash != next.hash {
                return Err(damaged("it is not what was written: changed or damaged"));
            }
            let event = written::read(body).map_err(|error| match error {
                newer @ Unreadable::Newer(_) => StoreError::Failed(format!("event {seq} of {day}: {newer}")),
                Unreadable::Malformed(error) => damaged(&error.to_string()),
            })?;
            events.push(Recorded { seq, at: Time::from_micros(at), event });
            head = next;
        }
        Ok(events)
    }

    fn day_events_after(&self, day: &DayId, seq: u64) -> Result<Vec<Recorded>, StoreError> {
        let number = number(&self.db, day)?.ok_or_else(|| StoreError::no_day(day))?;
        let mut select = self
            .db
            .prepare_cached("SELECT seq, at, body FROM day_events WHERE day = ?1 AND seq > ?2 ORDER BY seq")
            .map_err(failed)?;
        let mut rows = select.query(params![number, seq]).map_err(failed)?;
        let mut events = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let (seq, at): (u64, i64) = row.get(0).and_then(|seq| Ok((seq, row.get(1)?))).map_err(failed)?;
            let body: String = row.get(2).map_err(failed)?;
            let event = written::read(&body)
                .map_err(|error| StoreError::Failed(format!("event {seq} of {day} cannot be read: {error}")))?;
            events.push(Recorded { seq, at: Time::from_micros(at), event });
        }
        Ok(events)
    }

    fn days(&self) -> Result<Vec<DayId>, StoreError> {
        if !has_days(&self.db)? {
            return Ok(Vec::new());
        }
        let mut select = self.db.prepare_cached("SELECT day FROM days ORDER BY number DESC").map_err(failed)?;
        let rows = select.query_map([], |row| row.get(0).map(DayId)).map_err(failed)?;
        rows.collect::<Result<Vec<DayId>, _>>().map_err(failed)
    }

    fn ask_day(&mut self, day: &DayId, ask: &Ask) -> Result<u64, StoreError> {
        let body = written::ask(ask).map_err(|error| StoreError::Failed(error.to_string()))?;
        let transaction = write(&mut self.db)?;
        let number = number(&transaction, day)?.ok_or_else(|| StoreError::no_day(day))?;
        transaction
            .execute("INSERT INTO day_asks (day, body) VALUES (?1, ?2)", params![number, body])
            .map_err(failed)?;
        let asked = transaction.last_insert_rowid();
        transaction.commit().map_err(failed)?;
        Ok(u64::try_from(asked).unwrap_or_default())
    }

    fn day_asks(&self, day: &DayId) -> Result<Vec<(u64, Ask)>, StoreError> {
        let number = number(&self.db, day)?.ok_or_else(|| StoreError::no_day(day))?;
        let mut select = self
            .db
            .prepare_cached("SELECT number, body FROM day_asks WHERE day = ?1 ORDER BY number")
            .map_err(failed)?;
        let mut rows = select.query([number]).map_err(failed)?;
        let mut asks = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let (number, body): (u64, String) = row.get(0).and_then(|it| Ok((it, row.get(1)?))).map_err(failed)?;
            let ask = written::read_ask(&body)
                .map_err(|error| StoreError::Failed(format!("what was asked of {day} cannot be read: {error}")))?;
            asks.push((number, ask));
        }
        Ok(asks)
    }
}

/// A store that is only read may still have the tables of an older version.
fn has_days(db: &Connection) -> Result<bool, StoreError> {
    let found: Option<i64> = db
        .query_row("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'days'", [], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    Ok(found.is_some())
}

fn number(db: &Connection, day: &DayId) -> Result<Option<i64>, StoreError> {
    if !has_days(db)? {
        return Ok(None);
    }
    db.query_row("SELECT number FROM days WHERE day = ?1", [&day.0], |row| row.get(0)).optional().map_err(failed)
}

fn head(db: &Connection, number: i64) -> Result<Option<Head>, StoreError> {
    db.prepare_cached("SELECT seq, hash FROM day_events WHERE day = ?1 ORDER BY seq DESC LIMIT 1")
        .and_then(|mut select| {
            let read = |row: &rusqlite::Row<'_>| Ok(Head { seq: row.get(0)?, hash: row.get::<_, Hash>(1)? });
            select.query_row([number], read).optional()
        })
        .map_err(failed)
}
