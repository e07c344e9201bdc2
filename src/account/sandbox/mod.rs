//! The sandbox: an application in virtual time that behaves like an account.
//!
//! In reading order: [`app`] is what is modelled, [`world`] is the model as one value, `event` all that can happen in
//! it. Then a file for each service. [`template`] and [`traffic`] read an application, [`shop`] is the shipped one. `control` takes the calls of squall, through the [`weather`].

mod agenda;
pub mod app;
mod chance;
mod control;
mod describe;
mod event;
mod iam;
mod lambda;
mod limit;
mod model;
mod queue;
mod settings;
pub mod shop;
pub mod shop_like;
pub mod template;
pub mod traffic;
pub mod weather;
pub mod world;

pub use model::Dangling;
pub use shop::shop;
pub use shop_like::shop_like;
pub use weather::{Fate, ThirdParty, Weather, When};
pub use world::World;
