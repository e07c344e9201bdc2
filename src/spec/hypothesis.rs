//! The format of a hypothesis: `hypotheses/*.yaml`, the steady state in words that users would use.

use super::experiment::Judged;
use super::signal::Signal;
use crate::plan::DuringFault;
use crate::units::{Share, Span};
use crate::yaml::leaf::Version;
use crate::{record, words};

record! {
    /// A steady state that users care about, as signals with bounds. Its file is in `hypotheses/`, and experiments
    /// refer to it by name.
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
        /// Whether it must hold during the faults, or may break and must recover in time.
        pub during_fault: DuringFault = DuringFault::MustHold,
    }
}

/// The usual length of a window.
const EVERY: Span = Span::from_secs(60);

record! {
    /// A signal with its bound. The sentence alone is enough; written as a mapping, it can differ from its hypothesis.
    pub struct SignalItem or signal {
        /// The sentence: metric, resource and bound.
        pub signal: Signal,
        /// Why the bound is what it is.
        pub because: Option<String>,
        /// The length of a window, if different from the hypothesis's (in an experiment `1m`).
        pub every: Option<Span>,
        /// The smallest breach that the run must be able to detect; if it could not, the verdict is unknown instead of
        /// held. A share of the requests, or of the windows where the bound is a level. By default ten times what is
        /// tolerated and at least `20 %`; of windows `100 %`.
        pub must_catch: Option<Share>,
        /// Whether it must hold during the faults, if different from the hypothesis (in an experiment `must_hold`).
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
            must_catch: self.must_catch.unwrap_or_else(|| self.signal.0.usual_rise()),
            during_fault: self.during_fault.unwrap_or(steady.during_fault),
        }
    }
}

/// How signals are judged that say nothing of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steadiness {
    pub every: Span,
    pub during_fault: DuringFault,
}

impl Default for Steadiness {
    fn default() -> Steadiness {
        Steadiness { every: EVERY, during_fault: DuringFault::MustHold }
    }
}

impl Hypothesis {
    /// Its signals as they are judged.
    pub fn judged(&self) -> Vec<Judged> {
        let steady = Steadiness { every: self.every, during_fault: self.during_fault };
        self.signals.iter().map(|item| item.judged(&self.title, &steady)).collect()
    }
}

words! {
    /// What is required of a signal during the faults.
    DuringFault {
        /// It holds throughout: in the baseline, during the faults, and in the recovery.
        MustHold as "must_hold",
        /// It may break during the faults, and holds again within `recovers_within` of the last fault's end.
        MayBreak as "may_break",
    }
}
