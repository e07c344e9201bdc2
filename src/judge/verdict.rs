//! What a run found: held, broken or unknown, with the reasons.

use std::collections::BTreeSet;
use std::fmt;

/// In rising order of weight: the greater one wins when two are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VerdictKind {
    /// Every hypothesis held, with enough data to say so.
    Held,
    /// It cannot be said.
    Unknown,
    /// A hypothesis was seen to break.
    Broken,
}

/// A finding and every reason for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub kind: VerdictKind,
    /// Reasons for the finding; those for a lesser one are dropped when verdicts merge.
    pub reasons: BTreeSet<String>,
}

impl Verdict {
    /// Held, with nothing against it. The neutral element of [`Verdict::merge`].
    pub fn held() -> Verdict {
        Verdict { kind: VerdictKind::Held, reasons: BTreeSet::new() }
    }

    /// Broken, because.
    pub fn broken(reason: impl Into<String>) -> Verdict {
        Verdict { kind: VerdictKind::Broken, reasons: BTreeSet::from([reason.into()]) }
    }

    /// Unknown, because.
    pub fn unknown(reason: impl Into<String>) -> Verdict {
        Verdict { kind: VerdictKind::Unknown, reasons: BTreeSet::from([reason.into()]) }
    }

    /// Broken over unknown over held; equals join their reasons. Associative and commutative.
    #[must_use]
    pub fn merge(mut self, mut other: Verdict) -> Verdict {
        match self.kind.cmp(&other.kind) {
            std::cmp::Ordering::Greater => self,
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Equal => {
                self.reasons.append(&mut other.reasons);
                self
            }
        }
    }
}

impl fmt::Display for VerdictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            VerdictKind::Held => "held",
            VerdictKind::Unknown => "unknown",
            VerdictKind::Broken => "broken",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_verdict() -> impl Strategy<Value = Verdict> {
        let kind = prop_oneof![Just(VerdictKind::Held), Just(VerdictKind::Unknown), Just(VerdictKind::Broken)];
        (kind, proptest::collection::btree_set("[a-c]", 0..3)).prop_map(|(kind, reasons)| Verdict { kind, reasons })
    }

    proptest! {
        #[test]
        fn merge_is_associative(a in any_verdict(), b in any_verdict(), c in any_verdict()) {
            let left = a.clone().merge(b.clone()).merge(c.clone());
            prop_assert_eq!(left, a.merge(b.merge(c)));
        }

        #[test]
        fn merge_is_commutative(a in any_verdict(), b in any_verdict()) {
            prop_assert_eq!(a.clone().merge(b.clone()), b.merge(a));
        }

        #[test]
        fn the_worst_wins(a in any_verdict(), b in any_verdict()) {
            let worst = a.kind.max(b.kind);
            prop_assert_eq!(a.merge(b).kind, worst);
        }
    }
}
