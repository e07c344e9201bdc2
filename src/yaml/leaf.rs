//! The texts and numbers that files are made of: quantities, names, counts.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::finding::Code;
use super::read::{FromKey, FromNode, ReferenceKind};
use super::reader::Reader;
use super::shape::{Leaf, Shape};
use super::tree::{Kind, Node};
use crate::ids::{AccountName, ResourceKind};
use crate::units::{NotAQuantity, Rate, Share, Span};

/// A length of time.
pub const SPAN: Leaf = Leaf {
    name: "a duration",
    json_type: "string",
    pattern: r"^\s*([0-9]+(\.[0-9]+)?\s*(ms|s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)\s*)+$",
    examples: &["10m", "90s", "1h30m", "800ms"],
};
/// A part of a whole.
pub const SHARE: Leaf = Leaf {
    name: "a share",
    json_type: "string",
    pattern: r"^\s*[0-9]+(\.[0-9]+)?\s*%\s*$",
    examples: &["50 %", "0.5 %"],
};
/// Happenings per time.
pub const RATE: Leaf = Leaf {
    name: "a rate",
    json_type: "string",
    pattern: r"^\s*[0-9]+(\.[0-9]+)?\s*(/| per )\s*(s|sec|second|m|min|minute|h|hour)\s*$",
    examples: &["20/s", "5 per minute", "100/h"],
};
/// How many.
pub const COUNT: Leaf = Leaf { name: "a whole number", json_type: "integer", pattern: "", examples: &["5"] };
/// Any number.
pub const NUMBER: Leaf = Leaf { name: "a number", json_type: "number", pattern: "", examples: &["0.5"] };
const BOOL: Leaf = Leaf { name: "`true` or `false`", json_type: "boolean", pattern: "", examples: &["true"] };
const TEXT: Leaf = Leaf { name: "a text", json_type: "string", pattern: r"\S", examples: &["..."] };
/// A name that a file gives, with an example of its kind.
pub const fn name_leaf(name: &'static str, examples: &'static [&'static str]) -> Leaf {
    Leaf { name, json_type: "string", pattern: "^[A-Za-z][A-Za-z0-9_-]{0,63}$", examples }
}
const TARGET: Leaf = name_leaf("a target name", &["worker"]);
const HYPOTHESIS: Leaf = name_leaf("a hypothesis name", &["shoppers-can-order"]);
const EXPERIMENT: Leaf = name_leaf("an experiment name", &["payment-worker-throttled"]);
const ACCOUNT: Leaf = name_leaf("an account name", &["staging"]);
const ALARM: Leaf = Leaf {
    name: "an alarm name, or a target that is an alarm",
    json_type: "string",
    pattern: r"\S",
    examples: &["OrdersBacklogAlarm"],
};
const VERSION: Leaf = Leaf { name: "the version", json_type: "integer", pattern: "", examples: &["1"] };

/// Reads a quantity through its `FromStr`.
macro_rules! quantity {
    ($type:ty, $leaf:ident, $zero:literal) => {
        impl FromNode for $type {
            fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
                let text = reader.text(node, &Self::shape())?;
                text.parse().map_err(|error| reader.quantity(node, &text, error, $zero)).ok()
            }

            fn shape() -> Shape {
                Shape::Leaf($leaf)
            }

            fn to_json(&self) -> Json {
                self.to_string().into()
            }
        }
    };
}

quantity!(Span, SPAN, "m` or `{}s");
quantity!(Share, SHARE, " %");
quantity!(Rate, RATE, "/s` or `{}/min");

impl Reader<'_> {
    /// Says why a text is not a quantity; of a bare number, that only its unit is missing.
    fn quantity(&mut self, node: &Node, text: &str, error: NotAQuantity, units: &str) {
        let text = text.trim();
        if text.len() <= 20 && text.parse::<f64>().is_ok_and(|number| number >= 0.0) {
            let help = format!("write `{text}{}`", units.replace("{}", text));
            self.report(Code::BadValue, node.at, format!("`{text}` has no unit"), help);
            return;
        }
        let (what, help) = error.0.split_once("; ").unwrap_or((&error.0, ""));
        self.report(Code::BadValue, node.at, what, help);
    }
}

/// The version of a file's format; there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version;

impl FromNode for Version {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if node.kind == Kind::Int(1) {
            return Some(Version);
        }
        if node.kind == Kind::Text("1".into()) {
            reader.report(
                Code::BadValue,
                node.at,
                "the version is a number, not a text",
                "remove the quotes: `version: 1`",
            );
            return None;
        }
        let shown = reader.text(node, &Self::shape())?;
        reader.report(Code::BadValue, node.at, format!("version `{shown}` is not known"), "write `version: 1`");
        None
    }

    fn shape() -> Shape {
        Shape::Leaf(VERSION)
    }
}

impl FromNode for u32 {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let Kind::Int(number) = node.kind
            && let Ok(number) = u32::try_from(number)
        {
            return Some(number);
        }
        let text = reader.text(node, &Self::shape())?;
        if let (Kind::Input(_), Ok(number)) = (&node.kind, text.parse()) {
            return Some(number);
        }
        let help = format!("write a number from 0 to {}", u32::MAX);
        reader.report(Code::BadValue, node.at, format!("`{text}` is not a valid whole number here"), help);
        None
    }

    fn shape() -> Shape {
        Shape::Leaf(COUNT)
    }

    fn to_json(&self) -> Json {
        (*self).into()
    }
}

impl FromNode for f64 {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.kind {
            Kind::Int(number) => Some(number as f64),
            Kind::Float(number) => Some(number),
            _ => {
                let text = reader.text(node, &Self::shape())?;
                if let (Kind::Input(_), Ok(number)) = (&node.kind, text.parse()) {
                    return Some(number);
                }
                reader.report(Code::BadValue, node.at, format!("`{text}` is not a number"), "write for example `0.5`");
                None
            }
        }
    }

    fn shape() -> Shape {
        Shape::Leaf(NUMBER)
    }

    fn to_json(&self) -> Json {
        (*self).into()
    }
}

impl FromNode for bool {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let Kind::Bool(value) = node.kind {
            return Some(value);
        }
        let text = reader.text(node, &Self::shape())?;
        reader.report(
            Code::BadValue,
            node.at,
            format!("expected `true` or `false`, found `{text}`"),
            "write one of them",
        );
        None
    }

    fn shape() -> Shape {
        Shape::Leaf(BOOL)
    }

    fn to_json(&self) -> Json {
        (*self).into()
    }
}

/// A text that is not empty.
impl FromNode for String {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, &Self::shape())?;
        if text.trim().is_empty() {
            reader.report(Code::BadValue, node.at, "the text is empty", "write a value, or remove the key");
            return None;
        }
        Some(text.into_owned())
    }

    fn shape() -> Shape {
        Shape::Leaf(TEXT)
    }

    fn to_json(&self) -> Json {
        self.as_str().into()
    }
}

impl FromKey for String {
    const LEAF: Leaf = TEXT;

    fn from_key(text: &str) -> Result<Self, (String, String)> {
        match text.trim().is_empty() {
            true => Err(("a key is empty".into(), "write a name".into())),
            false => Ok(text.to_owned()),
        }
    }
}

/// Whether a text can be a name in a file; the error says what is wrong and what to write.
pub fn name(text: &str) -> Result<(), (String, String)> {
    let fits = text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match fits {
        true => Ok(()),
        false => Err((
            format!("`{text}` cannot be a name"),
            "a name has up to 64 letters, digits, `-` and `_`, and begins with a letter".into(),
        )),
    }
}

/// Declares a name that refers to something declared elsewhere.
macro_rules! reference {
    ($type:ident, $kind:ident, $leaf:ident) => {
        impl FromNode for $type {
            fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
                let text = reader.text(node, &Self::shape())?;
                match name(&text) {
                    Ok(()) => {
                        reader.refer(ReferenceKind::$kind, text.as_ref(), node.at, &[]);
                        Some($type(text.into_owned()))
                    }
                    Err((what, help)) => {
                        reader.report(Code::BadValue, node.at, what, help);
                        None
                    }
                }
            }

            fn shape() -> Shape {
                Shape::Leaf($leaf)
            }

            fn to_json(&self) -> Json {
                self.0.as_str().into()
            }
        }

        impl FromKey for $type {
            const LEAF: Leaf = $leaf;

            fn from_key(text: &str) -> Result<Self, (String, String)> {
                name(text).map(|()| $type(text.to_owned()))
            }
        }
    };
}

/// The name that an experiment gives to a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TargetName(pub String);

/// The name of an alarm, or of a target that stands for one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlarmName(pub String);

impl FromNode for AlarmName {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let name = String::from_node(node, reader)?;
        reader.refer(ReferenceKind::TargetOrResource, name.clone(), node.at, &[ResourceKind::Alarm]);
        Some(AlarmName(name))
    }

    fn shape() -> Shape {
        Shape::Leaf(ALARM)
    }
}

impl fmt::Display for AlarmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The name of a hypothesis: that of its file, without `.yaml`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HypothesisName(pub String);

/// The name of an experiment: that of its file, without `.yaml`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExperimentName(pub String);

reference!(TargetName, Target, TARGET);
reference!(ExperimentName, Experiment, EXPERIMENT);
reference!(HypothesisName, Hypothesis, HYPOTHESIS);
reference!(AccountName, Account, ACCOUNT);

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for ExperimentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for HypothesisName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
