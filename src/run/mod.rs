//! A run: one execution of a plan, written down event by event.

mod advance;
pub mod conclude;
pub mod event;
mod in_flight;
pub mod judging;
pub mod later;
pub mod lock;
pub mod machine;
mod own;
mod progress;
pub mod state;
pub mod switch;

pub use event::{Event, Recorded};
