//! Limits of the blast radius, as experiments and `squall.yaml` write them: what of the application faults may reach, directly
//! or through others.

use crate::yaml::finding::Code;
use crate::yaml::leaf::TargetName;
use crate::yaml::read::{FromNode, ReferenceKind};
use crate::yaml::reader::Reader;
use crate::yaml::shape::{Leaf, Shape};
use crate::yaml::tree::{Kind, Node};

/// One item, or a list of them.
#[derive(Clone, Debug, PartialEq)]
pub struct OneOrMore<T>(pub Vec<T>);

impl<T> Default for OneOrMore<T> {
    fn default() -> OneOrMore<T> {
        OneOrMore(Vec::new())
    }
}

impl<T: FromNode> FromNode for OneOrMore<T> {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.kind {
            Kind::List(_) => Vec::from_node(node, reader).map(OneOrMore),
            _ => T::from_node(node, reader).map(|item| OneOrMore(vec![item])),
        }
    }

    fn shape() -> Shape {
        Shape::Either(vec![T::shape(), Vec::<T>::shape()])
    }

    fn to_json(&self) -> serde_json::Value {
        self.0.to_json()
    }
}

/// `1 of 3 workers`: of the resources that a target finds, at most so many may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtMost {
    pub reached: u32,
    /// How many the target must find at least; with fewer, one would be a larger part than the limit says.
    pub of: u32,
    pub target: TargetName,
}

/// What must never be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Never {
    /// `tagged critical`, `tagged tier=1`: resources with a tag, with any value or with this one.
    Tagged { key: String, value: Option<String> },
}

/// `at most 1`: how many entry points of users may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryPoints {
    pub at_most: u32,
}

const AT_MOST: Leaf = Leaf {
    name: "how many of a target's resources may be reached",
    json_type: "string",
    pattern: r"^\s*[0-9]+\s+of\s+[0-9]+\s+[A-Za-z][A-Za-z0-9_-]{0,63}\s*$",
    examples: &["1 of 3 workers"],
};
const NEVER: Leaf = Leaf {
    name: "what must never be reached",
    json_type: "string",
    pattern: r"^\s*tagged\s+[^\s=]+(\s*=\s*\S+)?\s*$",
    examples: &["tagged critical", "tagged tier=1"],
};
const ENTRY_POINTS: Leaf = Leaf {
    name: "how many entry points may fail",
    json_type: "string",
    pattern: r"^\s*at\s+most\s+[0-9]+\s*$",
    examples: &["at most 1"],
};

impl FromNode for AtMost {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, &Self::shape())?;
        let words: Vec<&str> = text.split_whitespace().collect();
        let read = match words.as_slice() {
            [reached, "of", of, target] => reached.parse::<u32>().ok().zip(of.parse::<u32>().ok()).zip(Some(*target)),
            _ => None,
        };
        let Some(((reached, of), target)) = read else {
            let what = format!("`{text}` is not a valid limit for how many of a target's resources may be reached");
            reader.report(Code::BadValue, node.at, what, "write for example `1 of 3 workers`");
            return None;
        };
        if reached >= of {
            let what = format!("`{text}` allows all of them");
            reader.report(
                Code::BadValue,
                node.at,
                what,
                "the first number must be smaller than the second; or remove the limit",
            );
            return None;
        }
        let at = text.rfind(target).map_or(node.at, |at| reader.part(node, at, at + target.len()));
        reader.refer(ReferenceKind::Target, target, at, &[]);
        Some(AtMost { reached, of, target: TargetName(target.to_owned()) })
    }

    fn shape() -> Shape {
        Shape::Leaf(AT_MOST)
    }

    fn to_json(&self) -> serde_json::Value {
        self.to_string().into()
    }
}

impl FromNode for Never {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, &Self::shape())?;
        let tag =
            text.trim().strip_prefix("tagged").filter(|rest| rest.starts_with(char::is_whitespace)).map(str::trim);
        let (key, value) = match tag.map(|tag| tag.split_once('=')) {
            Some(Some((key, value))) => (key.trim(), Some(value.trim())),
            Some(None) => (tag.unwrap_or_default(), None),
            None => ("", None),
        };
        if key.is_empty() || value == Some("") {
            let what = format!("`{text}` is not a valid description of what must never be reached");
            reader.report(Code::BadValue, node.at, what, "write `tagged critical`, or `tagged tier=1`");
            return None;
        }
        Some(Never::Tagged { key: key.to_owned(), value: value.map(str::to_owned) })
    }

    fn shape() -> Shape {
        Shape::Leaf(NEVER)
    }

    fn to_json(&self) -> serde_json::Value {
        self.to_string().into()
    }
}

impl FromNode for EntryPoints {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(node, &Self::shape())?;
        let words: Vec<&str> = text.split_whitespace().collect();
        let at_most = match words.as_slice() {
            ["at", "most", number] => number.parse().ok(),
            _ => None,
        };
        if at_most.is_none() {
            let what = format!("`{text}` is not a valid limit for entry points that may fail");
            reader.report(Code::BadValue, node.at, what, "write for example `at most 1`, or `at most 0`");
        }
        at_most.map(|at_most| EntryPoints { at_most })
    }

    fn shape() -> Shape {
        Shape::Leaf(ENTRY_POINTS)
    }

    fn to_json(&self) -> serde_json::Value {
        self.to_string().into()
    }
}

impl std::fmt::Display for AtMost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} {}", self.reached, self.of, self.target)
    }
}

impl std::fmt::Display for Never {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Never::Tagged { key, value: None } => write!(f, "tagged {key}"),
            Never::Tagged { key, value: Some(value) } => write!(f, "tagged {key}={value}"),
        }
    }
}

impl std::fmt::Display for EntryPoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at most {}", self.at_most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::experiment::Guards;
    use crate::yaml::finding::Style;
    use crate::yaml::{Loaded, Source};

    fn read(text: &str) -> Result<Guards, String> {
        let (loaded, findings) = Loaded::<Guards>::read(&Source::new("x.yaml", text));
        loaded.map(|loaded| loaded.value).ok_or_else(|| findings.render(Style::Plain))
    }

    #[test]
    fn guards_on_the_blast_radius_are_read_and_print() {
        let text = "at_most: [1 of 3 workers, 0 of 2 shop]\nnever: tagged critical\nentry_points: at most 1\n";
        let guards = read(text).unwrap();
        let at_most: Vec<String> = guards.at_most.0.iter().map(ToString::to_string).collect();
        assert_eq!(at_most, ["1 of 3 workers", "0 of 2 shop"]);
        assert_eq!(guards.never.0, [Never::Tagged { key: "critical".into(), value: None }]);
        assert_eq!(guards.entry_points, Some(EntryPoints { at_most: 1 }));
        let tier = read("never: [tagged tier = 1, tagged critical]\n").unwrap().never;
        assert_eq!(tier.0.iter().map(ToString::to_string).collect::<Vec<_>>(), ["tagged tier=1", "tagged critical"]);
    }

    #[test]
    fn what_says_nothing_is_refused() {
        for wrong in [
            "at_most: 3 of 3 workers",
            "at_most: 1 workers",
            "at_most: one of 3 workers",
            "at_most: 1 of 3",
            "never: critical",
            "never: tagged",
            "never: taggedcritical",
            "never: tagged tier=",
            "entry_points: 1",
            "entry_points: at most one",
        ] {
            let said = read(&format!("{wrong}\n")).unwrap_err();
            assert!(said.contains("error[bad-value]"), "{wrong}: {said}");
        }
    }
}
