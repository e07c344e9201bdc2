//! A run: one execution of a plan, written down event by event.

mod advance;
mod asked;
pub mod conclude;
pub mod event;
pub mod judging;
pub mod machine;
pub mod mark;
pub mod state;

pub use event::{Event, Recorded};
