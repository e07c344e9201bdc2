//! squall: chaos experiments and game days for serverless AWS, with nothing left behind.
//!
//! The design in one sentence: an experiment is a temporary diff to an account. See ARCHITECTURE.md for the map.

pub mod access;
pub mod account;
pub mod channel;
pub mod cli;
pub mod clock;
pub mod conductor;
#[cfg(feature = "serve")]
pub mod console;
pub mod deadman;
pub mod document;
pub mod driver;
#[cfg(test)]
#[path = "../tests/all/effort.rs"]
mod effort;
pub mod env;
pub mod faults;
pub mod format;
pub mod gameday;
pub mod graph;
pub mod guard;
pub mod ids;
pub mod inputs;
pub mod judge;
pub mod layer;
pub mod location;
pub mod mac;
pub mod numbers;
mod outside;
pub mod payload;
pub mod plan;
pub mod planner;
pub mod predict;
pub mod private;
pub mod project;
pub mod reach;
pub mod report;
pub mod run;
pub mod schedule;
pub mod serve;
pub mod spec;
pub mod starter;
pub mod store;
pub mod template;
pub mod units;
pub mod usual;
pub mod yaml;
