//! Orders: which faults, for whom, until when.

pub mod document;
pub mod draw;
pub mod event;
pub mod reading;
