//! The engine in the sandbox: every way out of a run, and a crash at every effect.
#![expect(clippy::expect_used, clippy::panic, reason = "tests")]

mod crash_grid;
mod created_again;
pub mod family;
mod interrupted;
mod leases;
mod new_weather;
pub mod shipped;
mod switch;
mod tap;
mod telling;
mod ways_out;
mod weather;
