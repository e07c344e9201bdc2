//! Approvals in SQLite.

use rusqlite::{Connection, params};

use super::access::has;
use super::failed;
use crate::ids::{RunId, ScheduleName};
use crate::store::StoreError;
use crate::store::approvals::ApprovalRow;
use crate::units::Time;

/// See [`Store::approve`](crate::store::Store::approve).
pub fn approve(db: &Connection, row: &ApprovalRow) -> Result<(), StoreError> {
    let ApprovalRow { schedule, plan, seed, by, at, used } = row;
    db.execute(
        "INSERT OR REPLACE INTO approvals (schedule, plan, seed, approved_by, at, used) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        // A seed has 64 bits; as text none is lost.
        params![schedule.0, plan, seed.to_string(), by, at.micros(), used.as_ref().map(|run| &run.0)],
    )
    .map(drop)
    .map_err(failed)
}

/// See [`Store::approvals`](crate::store::Store::approvals).
pub fn approvals(db: &Connection, schedule: &ScheduleName) -> Result<Vec<ApprovalRow>, StoreError> {
    if !has(db, "approvals")? {
        return Ok(Vec::new());
    }
    let mut select = db
        .prepare_cached(
            "SELECT plan, seed, approved_by, at, used FROM approvals WHERE schedule = ?1 ORDER BY at, plan, approved_by",
        )
        .map_err(failed)?;
    let mut rows = select.query([&schedule.0]).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let (plan, seed, by): (String, String, String) =
            row.get(0).and_then(|plan| Ok((plan, row.get(1)?, row.get(2)?))).map_err(failed)?;
        let (at, used): (i64, Option<String>) = row.get(3).and_then(|at| Ok((at, row.get(4)?))).map_err(failed)?;
        let seed = seed.parse().map_err(|_| StoreError::Failed("an approval of the store has no seed".into()))?;
        let (schedule, at, used) = (schedule.clone(), Time::from_micros(at), used.map(RunId));
        found.push(ApprovalRow { schedule, plan, seed, by, at, used });
    }
    Ok(found)
}

/// See [`Store::use_approvals`](crate::store::Store::use_approvals).
pub fn use_up(db: &Connection, schedule: &ScheduleName, plan: &str, run: &RunId) -> Result<(), StoreError> {
    db.execute(
        "UPDATE approvals SET used = ?3 WHERE schedule = ?1 AND plan = ?2 AND used IS NULL",
        params![schedule.0, plan, run.0],
    )
    .map(drop)
    .map_err(failed)
}
