//! A run: one execution of a plan, written down event by event.

mod advance;
pub mod conclude;
pub mod driver;
pub mod event;
pub mod machine;
pub mod mark;
pub mod state;
pub mod supervise;
pub mod verdict;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use event::{Event, Recorded};
pub use verdict::Verdict;

/// Names a run: short enough to be said aloud on a game day, `run-20260302-3f9k2m`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
