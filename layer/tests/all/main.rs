//! The tests of the layer that need sockets or the whole of it.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "these are tests")]

mod clients;
mod ends;
mod inject;
mod orders;
mod parser;
mod pass;
mod script;
mod ssm;
mod wires;
