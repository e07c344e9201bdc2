//! Files to checked values: experiments, hypotheses and the project's configuration.
//!
//! Invariant: nothing here stops at the first mistake or loses its place. A file is read whole; every finding names
//! the file, the line and the column, shows the line, and says what to write instead.

pub mod check;
pub mod declare;
pub mod experiment;
pub mod finding;
pub mod hypothesis;
pub mod leaf;
pub mod load;
pub mod probe;
pub mod project;
pub mod read;
pub mod reader;
pub mod reference;
pub mod schema;
pub mod sentence;
pub mod shape;
pub mod signal;
pub mod source;
pub mod target;
pub mod yaml;

pub use experiment::{Experiment, Judged};
pub use finding::{Code, Finding, Findings, Severity, Style};
pub use hypothesis::Hypothesis;
pub use leaf::{HypothesisName, TargetName, Version};
pub use project::Project;
pub use read::{FromNode, Loaded};
pub use reader::Reader;
pub use sentence::{Sentence, Subject};
pub use shape::Shape;
pub use signal::{Condition, Signal};
pub use source::{Place, Source};
pub use target::{Take, Target};
