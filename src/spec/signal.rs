//! Sentences as they stand in files: the signals of a hypothesis, and the conditions of a guard.

use super::sentence::{Sentence, sentence};
use crate::account::signal::Metric;
use crate::judge::bound::Bound;
use crate::units::Share;
use crate::yaml::finding::Code;
use crate::yaml::read::{FromNode, ReferenceKind};
use crate::yaml::reader::Reader;
use crate::yaml::shape::{Leaf, Shape};
use crate::yaml::tree::Node;

/// A sentence of a hypothesis: what is steady. Broken when the bound does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal(pub Sentence);

/// A sentence of a guard: when to stop. Met when the bound holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition(pub Sentence);

const SIGNAL: Leaf = Leaf {
    name: "a signal sentence",
    json_type: "string",
    pattern: r"\S",
    examples: &[
        "failed share of ShopApi is at most 1 %",
        "share of ShopApi slower than 800 ms is at most 5 %",
        "depth of OrdersDeadLetters stays at 0",
        "alarm OrdersBacklogAlarm stays quiet",
        "failed share of orders is at most 2 x that of catalogue",
        "depth of orders < 5000 tolerating 10 % of windows",
        "failed share of ShopApi is at most 1 %, stop at 50 %",
    ],
};
const CONDITION: Leaf = Leaf {
    name: "an abort condition",
    json_type: "string",
    pattern: r"\S",
    examples: &["depth of orders > 5000", "age of orders > 15m", "alarm CheckoutDown fires"],
};

impl Reader<'_> {
    fn sentence(&mut self, node: &Node, wanted: &Shape) -> Option<Sentence> {
        let text = self.text(node, wanted)?;
        match sentence(&text) {
            Ok(sentence) => {
                for subject in [Some(&sentence.subject), sentence.control.as_ref()].into_iter().flatten() {
                    let name = &subject.name;
                    // The name stands in the text as it is; of several places the last is never a metric's word.
                    let at = text.rfind(name.as_str()).map_or(node.at, |at| self.part(node, at, at + name.len()));
                    self.refer(ReferenceKind::TargetOrResource, name.clone(), at, &sentence.kinds_of(subject));
                }
                Some(sentence)
            }
            Err(error) => {
                let at = self.part(node, error.at.start, error.at.end);
                self.report(Code::Sentence, at, error.what, error.help);
                None
            }
        }
    }
}

impl FromNode for Signal {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let sentence = reader.sentence(node, &Self::shape())?;
        if sentence.metric == Metric::AlarmState && sentence.bound == Bound::AtLeast(1.0) {
            let help = "write `fires within 4m`, counted from the fault's first effect, or `stays quiet`";
            reader.report(Code::Sentence, node.at, "a hypothesis says by when an alarm fires", help);
            return None;
        }
        Some(Signal(sentence))
    }

    fn shape() -> Shape {
        Shape::Leaf(SIGNAL)
    }
}

impl FromNode for Condition {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let sentence = reader.sentence(node, &Self::shape())?;
        if matches!(sentence.bound, Bound::FiresWithin(_) | Bound::StaysQuiet) {
            let help = format!("write `alarm {} fires`", sentence.subject.name);
            reader.report(Code::Sentence, node.at, "an abort condition on an alarm is met when it fires", help);
            return None;
        }
        let weighs = Bound::is_weighed(&sentence.bound, Share::default());
        if weighs
            || matches!(sentence.bound, Bound::Spends { .. })
            || sentence.tolerating.is_some()
            || sentence.stop_at.is_some()
        {
            let help = format!("write a plain limit: `depth of {} > 5000`", sentence.subject.name);
            reader.report(
                Code::Sentence,
                node.at,
                "an abort condition is met at a value, with nothing tolerated",
                help,
            );
            return None;
        }
        Some(Condition(sentence))
    }

    fn shape() -> Shape {
        Shape::Leaf(CONDITION)
    }
}
