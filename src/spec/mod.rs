//! Experiments and hypotheses: what may be written in their files, and what must hold between them.
//!
//! Invariant: nothing here stops at the first mistake; see [`crate::yaml`].

pub mod check;
pub mod experiment;
pub mod hypothesis;
pub mod left_out;
pub mod load;
pub mod reference;
pub mod runbooks;
pub mod schedules;
pub mod schema;
pub mod sentence;
pub mod signal;
pub mod target;

pub use experiment::{Experiment, Judged};
pub use hypothesis::Hypothesis;
pub use sentence::{Sentence, Subject};
pub use signal::{Condition, Signal};
pub use target::{Take, Target};
