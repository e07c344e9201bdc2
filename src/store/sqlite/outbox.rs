//! The outbox in SQLite.

use rusqlite::{Connection, TransactionBehavior, params};

use super::access::has;
use super::failed;
use crate::store::StoreError;
use crate::store::outbox::{Outgoing, Tried, WaitingMail};
use crate::units::Time;

/// See [`Store::queue`](crate::store::Store::queue).
pub fn queue(db: &mut Connection, messages: &[Outgoing]) -> Result<usize, StoreError> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let mut queued = 0;
    for Outgoing { channel, id, body, queued: at, due, .. } in messages {
        queued += transaction
            .prepare_cached(
                "INSERT OR IGNORE INTO outbox (channel, id, body, queued, tries, due, state, why)
                 VALUES (?1, ?2, ?3, ?4, 0, ?5, 'waiting', '')",
            )
            .and_then(|mut insert| insert.execute(params![channel, id, body, at.micros(), due.micros()]))
            .map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    Ok(queued)
}

/// See [`Store::due`](crate::store::Store::due).
pub fn due(db: &Connection, now: Time, most: usize) -> Result<Vec<Outgoing>, StoreError> {
    let mut select = db
        .prepare_cached(
            "SELECT number, channel, id, body, queued, tries, due FROM outbox
             WHERE state = 'waiting' AND due <= ?1 ORDER BY due, number LIMIT ?2",
        )
        .map_err(failed)?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Outgoing {
            number: row.get(0)?,
            channel: row.get(1)?,
            id: row.get(2)?,
            body: row.get(3)?,
            queued: Time::from_micros(row.get(4)?),
            tries: row.get(5)?,
            due: Time::from_micros(row.get(6)?),
        })
    };
    let rows = select.query_map(params![now.micros(), most], read).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

/// See [`Store::tried`](crate::store::Store::tried).
pub fn tried(db: &Connection, number: i64, tried: &Tried) -> Result<(), StoreError> {
    let (state, due, why) = match tried {
        Tried::Delivered => ("delivered", None, ""),
        Tried::Again { at, why } => ("waiting", Some(at.micros()), why.as_str()),
        Tried::GivenUp { why } => ("given up", None, why.as_str()),
    };
    db.execute(
        "UPDATE outbox SET tries = tries + 1, state = ?2, due = coalesce(?3, due), why = ?4 WHERE number = ?1",
        params![number, state, due, why],
    )
    .map(drop)
    .map_err(failed)
}

/// See [`Store::mail`](crate::store::Store::mail).
pub fn mail(db: &Connection) -> Result<WaitingMail, StoreError> {
    if !has(db, "outbox")? {
        return Ok(WaitingMail::default());
    }
    let count = |state: &str| {
        db.query_row("SELECT count(*) FROM outbox WHERE state = ?1", [state], |row| row.get(0)).map_err(failed)
    };
    Ok(WaitingMail { waiting: count("waiting")?, given_up: count("given up")? })
}

/// See [`Store::forget_mail`](crate::store::Store::forget_mail).
pub fn forget(db: &Connection, before: Time) -> Result<usize, StoreError> {
    db.execute("DELETE FROM outbox WHERE state <> 'waiting' AND queued < ?1", [before.micros()]).map_err(failed)
}
