//! Files to checked values: experiments, hypotheses and the project's configuration.
//!
//! Invariant: nothing here stops at the first mistake or loses its place. A file is read whole; every finding names
//! the file, the line and the column, shows the line, and says what to write instead.

pub mod finding;
pub mod leaf;
pub mod read;
pub mod sentence;
pub mod shape;
pub mod signal;
pub mod source;
pub mod yaml;

pub use finding::{Code, Finding, Findings, Severity, Style};
pub use leaf::{HypothesisName, TargetName, Version};
pub use read::{FromNode, Loaded, Reader};
pub use sentence::{Sentence, Subject};
pub use shape::Shape;
pub use signal::{Condition, Signal};
pub use source::{Place, Source};
