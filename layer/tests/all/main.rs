//! The tests of the layer that need sockets or the whole of it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod pass;
mod script;
mod wires;
