//! Files to checked values: experiments, hypotheses and the project's configuration.
//!
//! Invariant: nothing here stops at the first mistake or loses its place. A file is read whole; every finding names
//! the file, the line and the column, shows the line, and says what to write instead.

pub mod finding;
pub mod source;
pub mod yaml;

pub use finding::{Code, Finding, Findings, Severity};
pub use source::{Place, Source};
