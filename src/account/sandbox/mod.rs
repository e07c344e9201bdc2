//! The sandbox: an application in virtual time that behaves like an account.
//!
//! In reading order: [`app`] (which lies in `template`) is what is modelled, [`world`] is the model as one value, `event` all that can happen in
//! it. Then a file for each service. `control` takes the calls of squall, through the [`weather`]. [`traffic`] reads what a
//! template does not say, [`mod@shop`] is the shipped one. `persistent` is the sandbox of the command line: a world
//! in a file, at a pace.

mod agenda;
mod alarm;
mod arrivals;
mod asynchronous;
mod backlog;
#[cfg(test)]
mod cases;
mod chain;
mod chance;
mod control;
mod describe;
mod event;
mod file;
mod formula;
mod http;
mod iam;
mod invocation;
mod lambda;
mod limit;
mod logs;
mod mapping;
mod message;
mod metrics;
mod model;
mod modelled;
mod order;
mod paced;
mod persistent;
mod policy;
mod published;
mod queue;
mod reasons;
mod rule;
mod settings;
pub mod shop;
pub mod shop_like;
mod sketch;
mod slab;
mod stored;
pub mod switch;
mod table;
#[cfg(test)]
mod testing;
mod topic;
pub mod traffic;
mod watch;
pub mod weather;
mod work;
pub mod world;
mod wrapper;

pub use crate::template::app;
pub use file::SandboxError;
pub use lambda::FunctionTotals;
pub use model::Dangling;
pub use paced::Pace;
pub use persistent::{Opening, Sandbox};
pub use reasons::{GivenUp, Reached, Reason, Why};
pub use shop::shop;
pub use shop_like::shop_like;
pub use weather::{Act, Fate, ThirdParty, Weather, When};
pub use world::World;
