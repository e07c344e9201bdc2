//! Sentences about signals: `failed share of ShopApi is at most 1 %`. Their grammar is in `docs/sentences.md`.
//!
//! Invariant: a sentence is read or refused with a place and a next step, whatever the text is; its number has the unit
//! that its metric wants.

mod parser;
mod vocabulary;

use std::fmt;
use std::ops::Range;

use super::shape::one_of;
use crate::account::{Metric, ResourceKind};
use crate::plan::Bound;
pub use parser::sentence;

/// What a sentence says: a measurement of one resource, and a bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Sentence {
    pub metric: Metric,
    pub subject: Subject,
    /// In the metric's own unit: seconds for a duration or an age, 0 to 1 for a share.
    pub bound: Bound,
    /// As it was written, blanks tidied.
    pub text: String,
}

/// Whom a sentence is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// A target of the experiment, or else the name of a resource.
    pub name: String,
    /// Said when several kinds of resources have the name: `calls of function Shop`.
    pub kind: Option<ResourceKind>,
}

/// Why a text is not a sentence: where in it, what is wrong, what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotASentence {
    /// In bytes of the text.
    pub at: Range<usize>,
    pub what: String,
    pub help: String,
}

/// What a metric can be measured on.
pub fn applies(metric: Metric) -> String {
    let kinds = ResourceKind::ALL.into_iter().filter(|kind| metric.applies_to(*kind)).map(ResourceKind::word);
    format!("it is measured on {}", one_of(kinds))
}

impl Sentence {
    /// The kinds of resources that it may be about.
    pub fn kinds(&self) -> Vec<ResourceKind> {
        let said = self.subject.kind;
        let fits = |kind: &ResourceKind| said.is_none_or(|said| said == *kind) && self.metric.applies_to(*kind);
        ResourceKind::ALL.into_iter().filter(fits).collect()
    }
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
