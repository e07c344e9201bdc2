//! Removing old journals in SQLite.

use rusqlite::{Connection, TransactionBehavior, params};

use super::{failed, record};
use crate::ids::RunId;
use crate::store::StoreError;
use crate::store::prune::Pruned;
use crate::units::Time;

/// See [`Store::prune`](crate::store::Store::prune).
pub fn prune(db: &mut Connection, runs: &[RunId], before: Time) -> Result<Pruned, StoreError> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let mut pruned = Pruned::default();
    for run in runs {
        let found = record(&transaction, run)?;
        // It was chosen before this transaction began.
        if !found.closed {
            return Err(StoreError::not_closed(run));
        }
        pruned.events += transaction.execute("DELETE FROM events WHERE run = ?1", [found.number]).map_err(failed)?;
        for table in ["asks", "claims"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE run = ?1"), [found.number]).map_err(failed)?;
        }
        pruned.journals += transaction.execute("DELETE FROM runs WHERE number = ?1", [found.number]).map_err(failed)?;
    }
    // The next occurrence of a schedule is counted from its last one.
    pruned.occurrences = transaction
        .execute(
            "DELETE FROM occurrences WHERE decided < ?1 AND (by_hand OR at < (
                 SELECT max(at) FROM occurrences AS other WHERE other.schedule = occurrences.schedule AND NOT other.by_hand
             ))",
            [before.micros()],
        )
        .map_err(failed)?;
    pruned.approvals =
        transaction.execute("DELETE FROM approvals WHERE at < ?1", params![before.micros()]).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(pruned)
}
