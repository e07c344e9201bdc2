//! Occurrences of schedules in SQLite.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::access::has;
use super::failed;
use crate::ids::ScheduleName;
use crate::store::StoreError;
use crate::store::occurrences::{Fate, OccurrenceKey, OccurrenceRow};
use crate::units::Time;

/// See [`Store::counted_from`](crate::store::Store::counted_from).
pub fn counted_from(
    db: &mut Connection,
    schedule: &ScheduleName,
    definition: &str,
    now: Time,
) -> Result<Time, StoreError> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let known: Option<(String, i64)> = transaction
        .query_row("SELECT definition, since FROM schedules WHERE schedule = ?1", [&schedule.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()
        .map_err(failed)?;
    let since = match known {
        Some((known, since)) if known == definition => since,
        _ => {
            transaction
                .execute(
                    "INSERT OR REPLACE INTO schedules (schedule, definition, since) VALUES (?1, ?2, ?3)",
                    params![schedule.0, definition, now.micros()],
                )
                .map_err(failed)?;
            now.micros()
        }
    };
    let last: Option<i64> = transaction
        .query_row("SELECT max(at) FROM occurrences WHERE schedule = ?1 AND NOT by_hand", [&schedule.0], |row| {
            row.get(0)
        })
        .map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(Time::from_micros(last.map_or(since, |last| last.max(since))))
}

/// See [`Store::claim_occurrence`](crate::store::Store::claim_occurrence).
pub fn claim(db: &Connection, row: &OccurrenceRow) -> Result<bool, StoreError> {
    let OccurrenceRow { key, decided, by, fate } = row;
    let inserted = db.execute(
        "INSERT OR IGNORE INTO occurrences (schedule, at, by_hand, decided, decided_by, fate, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![key.schedule.0, key.at.micros(), key.by_hand, decided.micros(), by, fate.word(), fate.detail()],
    );
    inserted.map(|rows| rows == 1).map_err(failed)
}

/// See [`Store::settle_occurrence`](crate::store::Store::settle_occurrence).
pub fn settle(db: &Connection, key: &OccurrenceKey, fate: &Fate) -> Result<(), StoreError> {
    let changed = db.execute(
        "UPDATE occurrences SET fate = ?4, detail = ?5 WHERE schedule = ?1 AND at = ?2 AND by_hand = ?3",
        params![key.schedule.0, key.at.micros(), key.by_hand, fate.word(), fate.detail()],
    );
    match changed.map_err(failed)? {
        1 => Ok(()),
        _ => Err(StoreError::Failed(format!("there is no occurrence of {} at {}", key.schedule, key.at))),
    }
}

/// See [`Store::occurrences`](crate::store::Store::occurrences).
pub fn since(db: &Connection, from: Time) -> Result<Vec<OccurrenceRow>, StoreError> {
    if !has(db, "occurrences")? {
        return Ok(Vec::new());
    }
    let mut select = db
        .prepare_cached(
            "SELECT schedule, at, by_hand, decided, decided_by, fate, detail FROM occurrences
             WHERE decided >= ?1 ORDER BY at, schedule, by_hand",
        )
        .map_err(failed)?;
    let mut rows = select.query([from.micros()]).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let (schedule, at, by_hand): (String, i64, bool) =
            row.get(0).and_then(|schedule| Ok((schedule, row.get(1)?, row.get(2)?))).map_err(failed)?;
        let (decided, by): (i64, String) = row.get(3).and_then(|decided| Ok((decided, row.get(4)?))).map_err(failed)?;
        let (word, detail): (String, String) = row.get(5).and_then(|word| Ok((word, row.get(6)?))).map_err(failed)?;
        let fate = Fate::read(&word, detail)
            .ok_or_else(|| StoreError::Failed(format!("an occurrence of {schedule} has the unknown fate `{word}`")))?;
        let key = OccurrenceKey { schedule: ScheduleName(schedule), at: Time::from_micros(at), by_hand };
        found.push(OccurrenceRow { key, decided: Time::from_micros(decided), by, fate });
    }
    Ok(found)
}
