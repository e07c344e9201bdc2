//! Typed values out of a tree, with every finding at once.
//!
//! What may stand there is declared with the macros of [`declare`](super::declare).
//!
//! Invariant: reading never stops at the first finding. A value that cannot be read is `None`, and then there is a
//! finding that says why.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::finding::{Code, Finding, Findings};
use super::foreign;
use super::reader::Reader;
use super::shape::{Leaf, Presence, Shape};
use super::source::{Place, Source};
use super::tree::{Kind, Node, parse};
use crate::ids::ResourceKind;

/// A type that can stand in a file.
pub trait FromNode: Sized + 'static {
    /// Reads it. `None`: it is not there, and a finding says why.
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self>;

    /// What may be written for it.
    fn shape() -> Shape;

    /// What it is without its key. `None`: the key is required.
    fn absent() -> Option<Self> {
        None
    }

    /// As it would be written, to show a default.
    fn to_json(&self) -> Json {
        Json::Null
    }
}

/// A name in a file that must be declared somewhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub kind: ReferenceKind,
    pub name: String,
    pub at: Place,
    /// The kinds of resources that it may mean; empty where that is not known here.
    pub kinds: Vec<ResourceKind>,
}

/// What a name refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReferenceKind {
    /// A target of the experiment.
    Target,
    /// A target of the experiment, or else the name of a resource.
    TargetOrResource,
    /// A hypothesis file.
    Hypothesis,
    /// An experiment's file.
    Experiment,
    /// An account of `squall.yaml`.
    Account,
}

/// A file that was read: the value, and where everything in it stands.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    pub value: T,
    pub source: Arc<Source>,
    pub tree: Node,
    pub references: Vec<Reference>,
}

impl<T: FromNode> Loaded<T> {
    /// Reads a whole file's text. Without errors there is a value.
    pub fn read(source: &Arc<Source>) -> (Option<Loaded<T>>, Findings) {
        Loaded::read_with(source, |_, _| {})
    }

    /// The same, with what `put` makes of the tree before it is read.
    pub fn read_with(
        source: &Arc<Source>,
        put: impl FnOnce(&mut Node, &mut Findings),
    ) -> (Option<Loaded<T>>, Findings) {
        let (tree, mut findings) = parse(source);
        if let Some(foreign) = tree.as_ref().and_then(|tree| foreign::recognised(source, tree)) {
            findings.push(foreign);
            return (None, findings);
        }
        match tree {
            Some(mut tree) => {
                put(&mut tree, &mut findings);
                Loaded::from_tree(source, tree, findings)
            }
            None => (None, findings),
        }
    }

    /// Reads a tree that came of a text, perhaps with other values in it; what was found in the text goes first.
    pub fn from_tree(source: &Arc<Source>, tree: Node, mut findings: Findings) -> (Option<Loaded<T>>, Findings) {
        let mut reader = Reader::new(source, &mut findings);
        reader.whole(&tree);
        let value = T::from_node(&tree, &mut reader);
        let references = reader.into_references();
        findings.sort();
        let loaded = value.map(|value| Loaded { value, source: source.clone(), tree, references });
        (loaded.filter(|_| !findings.has_errors()), findings)
    }

    /// Where a value stands: `faults/0/for`. What is not written gives the place of what would hold it.
    pub fn place(&self, path: &str) -> Place {
        self.walk(path).at
    }

    /// Where a key stands: `targets/worker` is the word `worker`.
    pub fn key_place(&self, path: &str) -> Place {
        let (above, key) = path.rsplit_once('/').unwrap_or(("", path));
        let node = self.walk(above);
        node.entries().iter().find(|entry| entry.key == key).map_or(node.at, |entry| entry.key_at)
    }

    /// The node at a path, or the last one on the way to it.
    fn walk(&self, path: &str) -> &Node {
        let mut node = &self.tree;
        for step in path.split('/').filter(|step| !step.is_empty()) {
            let item = step.parse::<usize>().ok().and_then(|index| node.items().get(index));
            match item.or_else(|| node.get(step)) {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }

    /// A finding in this file.
    pub fn finding(&self, code: Code, at: Place, what: impl Into<String>) -> Finding {
        Finding::new(code, &self.source, at, what)
    }
}

/// No file needs more names than this in one place; a hostile file may.
const MOST_COMPARED: usize = 200;

/// The known word that an unknown one may be meant for.
pub fn closest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |word: &str| word.to_lowercase().replace(['-', '_', ' '], "");
    let meant = plain(word);
    // A hostile file may have very long words; they are no typing mistakes of ours.
    if meant.len() > 100 {
        return None;
    }
    known
        .take(MOST_COMPARED)
        .map(|known| (strsim::damerau_levenshtein(&meant, &plain(known)), known))
        .filter(|(distance, known)| *distance <= known.len().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

impl<T: FromNode> FromNode for Option<T> {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        T::from_node(node, reader).map(Some)
    }

    fn shape() -> Shape {
        T::shape()
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn to_json(&self) -> Json {
        self.as_ref().map_or(Json::Null, T::to_json)
    }
}

impl<T: FromNode> FromNode for Box<T> {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        T::from_node(node, reader).map(Box::new)
    }

    fn shape() -> Shape {
        T::shape()
    }
}

impl<T: FromNode> FromNode for Vec<T> {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Kind::List(items) = &node.kind else {
            reader.wrong_kind(node, &Self::shape());
            return None;
        };
        // All are read before one that failed counts.
        let read: Vec<Option<T>> = items.iter().map(|item| T::from_node(item, reader)).collect();
        read.into_iter().collect()
    }

    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }

    fn to_json(&self) -> Json {
        self.iter().map(T::to_json).collect()
    }
}

/// A type that can be a key of the user's own.
pub trait FromKey: Sized + Ord + 'static {
    /// What may be written for it.
    const LEAF: Leaf;

    /// Reads it; the error says what is wrong and what to write.
    fn from_key(text: &str) -> Result<Self, (String, String)>;
}

impl<K: FromKey, V: FromNode> FromNode for BTreeMap<K, V> {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            reader.wrong_kind(node, &Self::shape());
            return None;
        };
        let mut complete = true;
        let mut map = BTreeMap::new();
        for entry in entries {
            let key =
                K::from_key(&entry.key).map_err(|(what, help)| reader.report(Code::BadValue, entry.key_at, what, help));
            match (key, V::from_node(&entry.value, reader)) {
                (Ok(key), Some(value)) => drop(map.insert(key, value)),
                _ => complete = false,
            }
        }
        complete.then_some(map)
    }

    fn shape() -> Shape {
        Shape::Map { key: K::LEAF, value: Box::new(V::shape()) }
    }
}

/// Whether a key must be there, for the table.
pub fn presence<T: FromNode>(default: Option<T>) -> Presence {
    match (default, T::absent()) {
        (Some(default), _) => Presence::Default(default.to_json()),
        (None, Some(_)) => Presence::Optional,
        (None, None) => Presence::Required,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Rate, Share, Span};
    use crate::yaml::finding::Style;
    use crate::yaml::leaf::{TargetName, Version};

    crate::record! {
        /// A fault on the timeline.
        struct Item {
            /// The format.
            version: Version,
            /// What to do.
            inject: Thing,
            /// How long it stays. More of it.
            lasts as "for": Span,
            /// From when on.
            at: Span = Span::ZERO,
            /// How many of them.
            share: Option<Share>,
            /// How often.
            rates: Vec<Rate> = vec![],
            /// By name.
            named: BTreeMap<TargetName, u32> = BTreeMap::new(),
            /// Which side.
            side: Side = Side::Left,
            /// Really?
            really: bool = true,
            /// What for.
            because: Option<String>,
        }
    }

    crate::choice! {
        /// The things.
        enum Thing {
            /// Throttles.
            Throttle(Throttle) as "lambda.throttle",
            /// Counts.
            Count(u32) as "count",
        }
    }

    crate::record! {
        /// Throttling.
        struct Throttle {
            /// Which function.
            target: TargetName,
            /// The rate of requests.
            concurrency: u32,
        }
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Side {
        Left,
        Right,
    }

    crate::words! {
        /// A side.
        Side {
            /// This one.
            Left as "left",
            /// That one.
            Right as "right",
        }
    }

    fn read(text: &str) -> (Option<Loaded<Item>>, Findings) {
        Loaded::read(&Source::new("x.yaml", text))
    }

    #[test]
    fn a_whole_file_is_read() {
        let (loaded, findings) = read(
            "version: 1\ninject: { lambda.throttle: { target: worker, concurrency: 0 } }\nfor: 10m\nrates: [20/s, 5 per minute]\nnamed: { a: 1 }\nside: right\nshare: 50%\nbecause: 7\n",
        );
        assert!(findings.is_empty(), "{}", findings.render(Style::Plain));
        let loaded = loaded.unwrap();
        let item = &loaded.value;
        assert_eq!(item.inject, Thing::Throttle(Throttle { target: TargetName("worker".into()), concurrency: 0 }));
        assert_eq!(item.inject.key(), "lambda.throttle");
        assert_eq!((item.lasts, item.at, item.side), (Span::from_mins(10), Span::ZERO, Side::Right));
        assert_eq!((item.share, item.rates.len(), item.because.as_deref()), (Share::new(0.5), 2, Some("7")));
        assert_eq!(loaded.references[0].name, "worker");
        assert_eq!(loaded.source.slice(loaded.references[0].at), "worker");
        assert_eq!(loaded.source.slice(loaded.place("rates/1")), "5 per minute");
        assert_eq!(loaded.source.slice(loaded.key_place("inject/lambda.throttle")), "lambda.throttle");
    }

    #[test]
    fn every_mistake_is_found_at_once() {
        let (loaded, findings) = read(
            "version: 2\ninject: { lambda.throtle: { target: worker } }\nat: 5\nrates: [20, -1/s]\nnamed: { 1: x }\nside: lft\nshare: 120 %\nbecause: ''\nreally: yes\nforr: 5m\n",
        );
        assert!(loaded.is_none());
        let lines: Vec<String> = findings.iter().map(|finding| format!("{} {finding}", finding.code.id())).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        bad-value x.yaml:1:10: version `2` is not known; write `version: 1`
        unknown-key x.yaml:2:11: unknown key `lambda.throtle`; did you mean `lambda.throttle`?
        bad-value x.yaml:3:5: `5` has no unit; write `5m` or `5s`
        bad-value x.yaml:4:9: `20` has no unit; write `20/s` or `20/min`
        bad-value x.yaml:4:13: `-1/s` is not a rate; write `20/s`, `5 per minute` or `100/h`
        bad-value x.yaml:5:10: `1` cannot be a name; a name has up to 64 letters, digits, `-` and `_`, and begins with a letter
        bad-value x.yaml:5:13: `x` is not a valid whole number here; write a number from 0 to 4294967295
        unknown-word x.yaml:6:7: unknown value `lft`; did you mean `left`?
        bad-value x.yaml:7:8: `120 %` is not a share; shares are between `0 %` and `100 %`
        bad-value x.yaml:8:10: the text is empty; write a value, or remove the key
        bad-value x.yaml:9:9: expected `true` or `false`, found `yes`; write one of them
        unknown-key x.yaml:10:1: unknown key `forr`; did you mean `for`?
        "#);
        let (_, findings) = read(
            "version: 1\ninject: { lambda.throttle: { concurrency: many }, count: 1 }\nfor:\nrates: 20/s\nnamed: []\nside: [left]\nat: !Sub 5m\nshare:\n",
        );
        let lines: Vec<String> = findings.iter().map(|finding| format!("{} {finding}", finding.code.id())).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        one-key x.yaml:2:51: expected exactly one key, found 2; write one of `lambda.throttle` or `count`; put others into separate items
        wrong-kind x.yaml:3:1: `for` has no value; write for example `for: 10m`
        wrong-kind x.yaml:4:8: expected a list, found a text; write each item on a line of its own, after `- `
        wrong-kind x.yaml:5:8: expected a mapping whose keys are each a target name, found a list; write for example `{ worker: ... }`
        wrong-kind x.yaml:6:7: expected `left` or `right`, found a list; write for example `left`
        unexpected-tag x.yaml:7:10: the tag `!Sub` has no meaning here; remove the tag; only templates have tags
        wrong-kind x.yaml:8:1: `share` has no value; write for example `share: 50 %`, or remove the key
        "#);
        let (_, findings) = read("- version\n");
        insta::assert_snapshot!(findings.render(Style::Plain), @r#"
        error[wrong-kind]: expected a mapping, found a list
         --> x.yaml:1:1
          |
        1 | - version
          | ^
          |
          = help: its keys are `version`, `inject`, `for`, `at`, `share`, `rates`, `named`, `side`, `really` and `because`

        1 error
        "#);
        let (_, findings) = read("");
        insta::assert_snapshot!(findings.render(Style::Plain), @r#"
        error[wrong-kind]: expected a mapping, found nothing
         --> x.yaml:1:1
          |
        1 |
          | ^
          |
          = help: its keys are `version`, `inject`, `for`, `at`, `share`, `rates`, `named`, `side`, `really` and `because`

        1 error
        "#);
    }

    #[test]
    fn close_words_are_found_and_far_ones_are_not() {
        let known = || ["concurrency", "target", "leave_in_queue"].into_iter();
        assert_eq!(closest("concurency", known()), Some("concurrency"));
        assert_eq!(closest("leave-in-queue", known()), Some("leave_in_queue"));
        assert_eq!(closest("Targets", known()), Some("target"));
        assert_eq!(closest("memory", known()), None);
    }
}
