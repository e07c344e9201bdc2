//! Every test that needs no emulator, in one program: what is built once is linked once.
//!
//! A part is chosen by its name: `cargo test --test all tidy::`, `cargo test --test all engine::crash_grid`.

mod bad_input;
mod bank;
#[cfg(feature = "serve")]
mod browser;
mod calibration;
#[cfg(feature = "serve")]
mod console;
mod dead_man;
mod effort;
mod engine;
mod findings;
mod first_hour;
mod forged;
mod formats;
mod gameday;
mod hostile;
mod judge;
mod kills;
mod kinds;
mod known_answers;
mod layer;
mod planner;
mod predict;
mod private;
mod reference;
mod reports;
mod schema;
mod sessions;
mod shipped;
mod team;
mod tidy;
mod told;
mod translator;
