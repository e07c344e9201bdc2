//! YAML to typed values: a tree with places, the shapes that may be written, and a finding for everything else.
//!
//! Invariant: nothing here stops at the first mistake or loses its place. A file is read whole; every finding names
//! the file, the line and the column, shows the line, and says what to write instead.

pub mod declare;
pub mod finding;
mod foreign;
pub mod leaf;
pub mod read;
pub mod reader;
pub mod shape;
pub mod source;
pub mod tree;

pub use finding::{Code, Finding, Findings, Severity, Style};
pub use leaf::{AlarmName, HypothesisName, TargetName, Version};
pub use read::{FromNode, Loaded};
pub use reader::Reader;
pub use shape::Shape;
pub use source::{Place, Source};
