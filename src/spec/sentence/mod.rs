//! Sentences about signals: `failed share of ShopApi is at most 1 %`. Their grammar is in `docs/sentences.md`.
//!
//! Invariant: a sentence is read or refused with a place and a next step, whatever the text is; its number has the unit
//! that its metric wants.

mod parser;
mod vocabulary;

use std::fmt;
use std::ops::Range;

use crate::account::{Metric, ResourceKind};
use crate::judge::bound::Bound;
use crate::judge::judgement::usual_rise;
use crate::units::Share;
use crate::yaml::shape::one_of;
pub use parser::sentence;

/// What a sentence says: a measurement of one resource, and a bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Sentence {
    pub metric: Metric,
    pub subject: Subject,
    /// In the metric's own unit: seconds for a duration or an age, 0 to 1 for a share.
    pub bound: Bound,
    /// What it is compared with, at the same time.
    pub control: Option<Subject>,
    /// The share of windows that may be outside of it, where that is said.
    pub tolerating: Option<Share>,
    /// The value from which on a run stops at once, where one is said.
    pub stop_at: Option<f64>,
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
    /// The share of windows that may be outside of the bound of a level, where a sentence does not say: one in twenty.
    pub const USUAL_TOLERANCE: f64 = 0.05;

    /// What is tolerated: of the requests where the bound is a share of them, else of the windows. Nothing, of a bound that
    /// is itself nothing, and of an alarm.
    pub fn tolerates(&self) -> Share {
        let level = self.tolerating.map_or(Self::USUAL_TOLERANCE, Share::get);
        let share = match self.bound {
            Bound::FiresWithin(_) | Bound::StaysQuiet | Bound::Spends { .. } | Bound::Watched => 0.0,
            // What is tolerated follows from what it is compared with.
            Bound::TimesBaseline(_) | Bound::TimesControl(_) => 0.0,
            Bound::AtMost(limit) | Bound::Below(limit) if self.metric.is_share() => limit,
            Bound::AtLeast(limit) | Bound::Above(limit) if self.metric.is_share() => 1.0 - limit,
            Bound::AtMost(0.0) => self.tolerating.map_or(0.0, Share::get),
            _ => level,
        };
        Share::new(share).unwrap_or_default()
    }

    /// The rise that a verdict of held must be able to have caught, by default.
    pub fn usual_rise(&self) -> Share {
        let of_requests = self.metric.is_share() && self.bound != Bound::KeepsComing;
        // A fifth, where what is tolerated is not known yet.
        Share::new(usual_rise(of_requests, self.tolerates().get())).unwrap_or(Share::ALL)
    }

    /// The kinds of resources that a name in it may be of.
    pub fn kinds_of(&self, subject: &Subject) -> Vec<ResourceKind> {
        let said = subject.kind;
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
