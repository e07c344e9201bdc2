//! Tokens and the audit in SQLite.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::failed;
use crate::access::Act;
use crate::access::token::{TokenHash, TokenRow};
use crate::store::StoreError;
use crate::units::Time;

/// See [`Store::put_token`](crate::store::Store::put_token).
pub fn put_token(db: &Connection, row: &TokenRow) -> Result<(), StoreError> {
    let TokenRow { name, role, hash, made, made_by, expires, revoked } = row;
    let micros = |at: &Option<Time>| at.map(Time::micros);
    db.execute(
        "INSERT OR REPLACE INTO tokens (name, role, hash, made, made_by, expires, revoked)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![name.as_str(), role.word(), hash.0, made.micros(), made_by, micros(expires), micros(revoked)],
    )
    .map(drop)
    .map_err(failed)
}

/// See [`Store::tokens`](crate::store::Store::tokens).
pub fn tokens(db: &Connection) -> Result<Vec<TokenRow>, StoreError> {
    if !has(db, "tokens")? {
        return Ok(Vec::new());
    }
    let mut select = db
        .prepare_cached("SELECT name, role, hash, made, made_by, expires, revoked FROM tokens ORDER BY name")
        .map_err(failed)?;
    let mut rows = select.query([]).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let (name, role): (String, String) = row.get(0).and_then(|name| Ok((name, row.get(1)?))).map_err(failed)?;
        let unknown = |why| StoreError::Failed(format!("a token of the store cannot be used: {why}"));
        let time = |column| row.get::<usize, Option<i64>>(column).map(|at| at.map(Time::from_micros)).map_err(failed);
        found.push(TokenRow {
            name: name.parse().map_err(unknown)?,
            role: role.parse().map_err(unknown)?,
            hash: TokenHash(row.get(2).map_err(failed)?),
            made: Time::from_micros(row.get(3).map_err(failed)?),
            made_by: row.get(4).map_err(failed)?,
            expires: time(5)?,
            revoked: time(6)?,
        });
    }
    Ok(found)
}

/// See [`Store::note`](crate::store::Store::note).
pub fn note(db: &Connection, act: &Act) -> Result<(), StoreError> {
    let Act { at, by, what, detail } = act;
    db.execute(
        "INSERT INTO acts (at, who, what, detail) VALUES (?1, ?2, ?3, ?4)",
        params![at.micros(), by, what, detail],
    )
    .map(drop)
    .map_err(failed)
}

/// See [`Store::acts`](crate::store::Store::acts).
pub fn acts(db: &Connection, since: Time) -> Result<Vec<Act>, StoreError> {
    if !has(db, "acts")? {
        return Ok(Vec::new());
    }
    let mut select =
        db.prepare_cached("SELECT at, who, what, detail FROM acts WHERE at >= ?1 ORDER BY number").map_err(failed)?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Act { at: Time::from_micros(row.get(0)?), by: row.get(1)?, what: row.get(2)?, detail: row.get(3)? })
    };
    let rows = select.query_map([since.micros()], read).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

/// Whether there is such a table: a store that is only read may still have those of an older version.
pub fn has(db: &Connection, table: &str) -> Result<bool, StoreError> {
    db.query_row("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1", [table], |_| Ok(()))
        .optional()
        .map(|found| found.is_some())
        .map_err(failed)
}
