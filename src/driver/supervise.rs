//! The supervisor: when a driver panics, the run is rolled back from its journal by a fresh one. When the code that tells events
//! panics, nothing ends: the run goes on, and says nothing any more.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Driver, Ending, Surroundings};
use crate::ids::RunId;
use crate::judge::verdict::Verdict;
use crate::run::event::{Event, Recorded};
use crate::store::StoreError;

/// What came of a supervised run.
#[derive(Clone, Debug, PartialEq)]
pub struct Supervised {
    pub ending: Ending,
    /// What the driver's panic said, when it panicked: a bug of squall, reported as one after everything is rolled back.
    pub panic: Option<String>,
    /// What the panic of the code that tells events said; from then on events were recorded and not told.
    pub mute: Option<String>,
}

/// Runs `drive` (a driver from its begin to its end) and rolls back from the journal if it panics.
///
/// # Errors
/// The journal cannot be read back after a panic, or rolling back panics as well; `squall undo --account` works from the locks
/// then.
pub fn supervise(
    mut around: Surroundings<'_>,
    run: &RunId,
    by: &str,
    drive: impl FnOnce(Surroundings<'_>, &mut dyn FnMut(&Recorded)) -> Result<Ending, StoreError>,
    tell: &mut dyn FnMut(&Recorded),
) -> Result<Supervised, StoreError> {
    let mut mute = None;
    let mut tell = |recorded: &Recorded| {
        if mute.is_none() {
            mute = catch_unwind(AssertUnwindSafe(|| tell(recorded))).err().map(said);
        }
    };
    // What a panic leaves half done in memory is thrown away: the rollback starts from the journal and the account.
    let ended = catch_unwind(AssertUnwindSafe(|| drive(around.again(), &mut tell)));
    let (ending, panic) = match ended {
        Ok(ending) => (ending?, None),
        Err(panic) => {
            let rolled_back = catch_unwind(AssertUnwindSafe(|| roll_back(around, run, by, &mut tell)));
            let again = |panic| Err(StoreError::Failed(format!("rolling back panicked as well: {}", said(panic))));
            (rolled_back.unwrap_or_else(again)?, Some(said(panic)))
        }
    };
    Ok(Supervised { ending, panic, mute })
}

/// Rolls back from the journal.
fn roll_back(
    mut around: Surroundings<'_>,
    run: &RunId,
    by: &str,
    tell: &mut dyn FnMut(&Recorded),
) -> Result<Ending, StoreError> {
    if around.store.to_roll_back(run)?.events.is_empty() {
        // Nothing was announced, so nothing was done.
        around.store.release(run)?;
        let verdict = Verdict::unknown("squall panicked before it did anything");
        return Ok(Ending::Closed { verdict, left: Vec::new(), journal: None });
    }
    let taken = Driver::take_over(around.again(), run, by.to_owned()).map(|mut driver| driver.run(tell));
    match taken {
        Ok(ending) => ending,
        // It panicked when everything was done.
        Err(StoreError::Closed(_)) => closed(&around.store.events(run)?, run),
        Err(error) => Err(error),
    }
}

/// The message of a panic.
fn said(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".into())
}

/// How a run ended, as its last event says.
fn closed(events: &[Recorded], run: &RunId) -> Result<Ending, StoreError> {
    match events.last().map(|last| last.event.clone()) {
        Some(Event::Closed { verdict, left }) => Ok(Ending::Closed { verdict, left, journal: None }),
        _ => Err(StoreError::Failed(format!("{run} has no last event"))),
    }
}
