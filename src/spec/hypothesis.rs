//! The format of a hypothesis: `hypotheses/*.yaml`, the steady state in words that users would use.

use std::fmt;
use std::str::FromStr;

use super::experiment::Judged;
use super::finding::Code;
use super::leaf::Version;
use super::read::FromNode;
use super::reader::Reader;
use super::shape::{Leaf, Shape};
use super::signal::Signal;
use super::yaml::Node;
use crate::plan::DuringFault;
use crate::units::Span;
use crate::{record, words};

record! {
    /// A steady state that users care about, as signals with bounds. Its file lies in `hypotheses/`, and experiments
    /// name it.
    pub struct Hypothesis {
        /// The version of the format, and the first key.
        pub version: Version,
        /// What users can rely on, in one sentence: `Shoppers can order`.
        pub title: String,
        /// Why users care.
        pub because: String,
        /// The signals that show it. Each must hold.
        pub signals: Vec<SignalItem>,
        /// The length of a window: one value of each signal. Metrics that CloudWatch publishes come once a minute.
        pub every: Span = EVERY,
        /// When a signal is broken: at so many of so many windows in a row that have data.
        pub breaks_at: Breaking = Breaking::default(),
        /// Whether it must hold while the faults are in, or may break then and must have recovered in time.
        pub during_fault: DuringFault = DuringFault::MustHold,
    }
}

/// The usual length of a window.
const EVERY: Span = Span::from_secs(60);

record! {
    /// A signal with its bound. The sentence alone is enough; written as a mapping, it can differ from its hypothesis.
    pub struct SignalItem or signal {
        /// The sentence: what is measured, of whom, and its bound.
        pub signal: Signal,
        /// Why the bound is what it is.
        pub because: Option<String>,
        /// The length of a window, if not the hypothesis's (in an experiment `1m`).
        pub every: Option<Span>,
        /// When it is broken, if not the hypothesis's (in an experiment `2 of 3`).
        pub breaks_at: Option<Breaking>,
        /// Whether it must hold while the faults are in, if not the hypothesis's (in an experiment `must_hold`).
        pub during_fault: Option<DuringFault>,
    }
}

impl SignalItem {
    /// The signal as it is judged, with what `steady` says where it says nothing itself.
    pub fn judged(&self, hypothesis: &str, steady: &Steadiness) -> Judged {
        Judged {
            hypothesis: hypothesis.to_owned(),
            signal: self.signal.0.clone(),
            because: self.because.clone(),
            every: self.every.unwrap_or(steady.every),
            breaks: self.breaks_at.unwrap_or(steady.breaks),
            during_fault: self.during_fault.unwrap_or(steady.during_fault),
        }
    }
}

/// How signals are judged that say nothing of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steadiness {
    pub every: Span,
    pub breaks: Breaking,
    pub during_fault: DuringFault,
}

impl Default for Steadiness {
    fn default() -> Steadiness {
        Steadiness { every: EVERY, breaks: Breaking::default(), during_fault: DuringFault::MustHold }
    }
}

impl Hypothesis {
    /// Its signals as they are judged.
    pub fn judged(&self) -> Vec<Judged> {
        let steady = Steadiness { every: self.every, breaks: self.breaks_at, during_fault: self.during_fault };
        self.signals.iter().map(|item| item.judged(&self.title, &steady)).collect()
    }
}

/// When a signal is broken: at `count` of `of` windows in a row that have data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaking {
    pub count: u32,
    pub of: u32,
}

impl Default for Breaking {
    /// One odd minute is no outage, and two in three are.
    fn default() -> Breaking {
        Breaking { count: 2, of: 3 }
    }
}

impl fmt::Display for Breaking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.count, self.of)
    }
}

impl FromStr for Breaking {
    type Err = ();

    /// `2 of 3`.
    fn from_str(text: &str) -> Result<Breaking, ()> {
        let (count, of) = text.split_once(" of ").ok_or(())?;
        let breaking = Breaking { count: count.trim().parse().map_err(drop)?, of: of.trim().parse().map_err(drop)? };
        (breaking.count >= 1 && breaking.count <= breaking.of && breaking.of <= MOST_WINDOWS)
            .then_some(breaking)
            .ok_or(())
    }
}

/// More windows than this, and nothing would ever be seen to break.
const MOST_WINDOWS: u32 = 60;

impl FromNode for Breaking {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, &Self::shape())?;
        text.parse()
            .map_err(|()| {
                let what = format!("`{}` does not say at how many of how many windows", text.trim());
                reader.report(Code::BadValue, node.at, what, "write for example `2 of 3`; at most 60 windows");
            })
            .ok()
    }

    fn shape() -> Shape {
        Shape::Leaf(Leaf {
            name: "so many of so many",
            json_type: "string",
            pattern: "^\\s*[0-9]+ of [0-9]+\\s*$",
            examples: &["2 of 3", "1 of 1"],
        })
    }

    fn to_json(&self) -> serde_json::Value {
        self.to_string().into()
    }
}

words! {
    /// What is asked of a signal while the faults are in.
    DuringFault {
        /// It holds throughout: in the baseline, while the faults are in, and in the recovery.
        MustHold as "must_hold",
        /// It may break while the faults are in, and holds again within `recovers_within` of the last fault seen gone.
        MayBreak as "may_break",
    }
}
