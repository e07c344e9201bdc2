//! Game days: runbooks, and the pure machine of a day.
//!
//! A runbook says what a day is about and what happens in it. A day is the list of its events: its state is folded from
//! them, what has to be done outside follows from the state, and everybody sees a projection of it that is made for their
//! role. Nothing here knows a clock, a disk, an account or a page.

pub mod card;
pub mod command;
pub mod day;
pub mod due;
pub mod event;
pub mod line;
pub mod msel;
pub mod role;
pub mod runbook;
pub mod spec;
pub mod step;
#[cfg(test)]
mod tests;
pub mod times;
pub mod told;
pub mod view;
pub mod when;

/// How often alarms are looked at, and so how exactly it is known when one fired.
pub const ALARM_LOOK: crate::units::Span = crate::units::Span::from_mins(1);
