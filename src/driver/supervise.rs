//! The supervisor: when a driver panics, the run is rolled back from its journal by a fresh one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Driver, Ending, Surroundings};
use crate::ids::RunId;
use crate::run::event::{Event, Recorded};
use crate::store::StoreError;

/// What came of a supervised run.
#[derive(Clone, Debug, PartialEq)]
pub struct Supervised {
    pub ending: Ending,
    /// What the driver's panic said, when it panicked: a bug of squall, reported as one after everything is rolled back.
    pub panic: Option<String>,
}

/// Runs `drive` (a driver from its begin to its end) and rolls back from the journal if it panics.
///
/// # Errors
/// The journal cannot be read back after a panic; `squall undo --account` works from the locks then.
pub fn supervise(
    mut around: Surroundings<'_>,
    run: &RunId,
    by: &str,
    drive: impl FnOnce(Surroundings<'_>, &mut dyn FnMut(&Recorded)) -> Result<Ending, StoreError>,
    tell: &mut dyn FnMut(&Recorded),
) -> Result<Supervised, StoreError> {
    // What a panic leaves half done in memory is thrown away: the rollback starts from the journal and the account.
    let ended = catch_unwind(AssertUnwindSafe(|| drive(around.again(), tell)));
    let panic = match ended {
        Ok(ending) => return Ok(Supervised { ending: ending?, panic: None }),
        Err(panic) => panic,
    };
    let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".into());
    let ending = match Driver::take_over(around.again(), run, by.to_owned()) {
        Ok(mut driver) => driver.run(tell)?,
        // It panicked when everything was done.
        Err(StoreError::Closed(_)) => closed(&around.store.events(run)?, run)?,
        Err(error) => return Err(error),
    };
    Ok(Supervised { ending, panic: Some(said) })
}

/// How a run ended, as its last event says.
fn closed(events: &[Recorded], run: &RunId) -> Result<Ending, StoreError> {
    match events.last().map(|last| last.event.clone()) {
        Some(Event::Closed { verdict, left }) => Ok(Ending::Closed { verdict, left, journal: None }),
        _ => Err(StoreError::Failed(format!("{run} has no last event"))),
    }
}
