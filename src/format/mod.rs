//! What outlives a process, as it is written: journal, plan, status (and [`crate::report::written`]). Each form has a version
//! and a JSON Schema.
//!
//! The types here are what is written and nothing else; the types that squall works with are converted to and from them,
//! so that renaming a field or a variant inside never changes a file. One shape holds everywhere:
//!
//! - what has several forms is an object with a `kind`; a plain choice is a word;
//! - an instant is RFC 3339 in UTC; a duration ends in `_seconds`, a rate in `_per_second`;
//! - what is absent is left out, except a measured value: no data is `null`.
//!
//! To change a form: raise [`VERSION`], keep a reader of the form before (as [`v1`] is), keep samples of it in
//! `tests/formats`, and run the tests with `UPDATE=1` for the schemas in `docs/schema`.

pub mod account;
mod convert;
pub mod day;
pub mod journal;
pub mod plan;
pub mod schema;
pub mod status;
pub mod undo;
pub mod v1;

pub use convert::Seconds;
pub(crate) use convert::{Convert, written};

/// The version of every form in this module. squall 0.1.0 wrote version 1, which had no number in it.
pub const VERSION: u32 = 2;
