//! The real binary, ended in every way that a process can be ended, on a sandbox whose time passes for real.
//!
//! What holds for each: afterwards, with `squall undo` where nobody else does it, the account is as it was before.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

pub mod bench;
mod carried;
mod disk;
mod gates;
mod later;
mod serve;
mod sigkill;
mod signals;
mod stopped;
