//! What reading a tree has in common: findings about kinds, keys and words, and the references that it meets.

use std::borrow::Cow;
use std::sync::Arc;

use super::finding::{Code, Finding, Findings};
use super::leaf::{COUNT, NUMBER, SHARE, SPAN};
use super::read::{FromNode, Reference, ReferenceKind, closest};
use super::shape::{Record, Shape, listed, one_of};
use super::source::{Place, Source};
use super::tree::{Entry, InputKind, InputValue, Kind, Node};
use crate::ids::ResourceKind;

/// Takes findings and references while a tree is read.
pub struct Reader<'a> {
    source: &'a Arc<Source>,
    findings: &'a mut Findings,
    references: Vec<Reference>,
}

impl<'a> Reader<'a> {
    /// A reader of one source.
    pub fn new(source: &'a Arc<Source>, findings: &'a mut Findings) -> Reader<'a> {
        Reader { source, findings, references: Vec::new() }
    }

    /// What holds for a whole file of ours: no tags, and the version first.
    pub(super) fn whole(&mut self, tree: &Node) {
        self.refuse_tags(tree);
        self.version_first(tree);
    }

    /// The names that were met.
    pub(super) fn into_references(self) -> Vec<Reference> {
        self.references
    }

    /// Notes a finding.
    pub fn report(&mut self, code: Code, at: Place, what: impl Into<String>, help: impl Into<String>) {
        self.findings.push(Finding::new(code, self.source, at, what).help(help));
    }

    /// Notes a name that must be declared somewhere else.
    pub fn refer(&mut self, kind: ReferenceKind, name: impl Into<String>, at: Place, kinds: &[ResourceKind]) {
        self.references.push(Reference { kind, name: name.into(), at, kinds: kinds.to_vec() });
    }

    /// A scalar's text as it stands in the file: a number keeps its zeros. Anything else is a finding.
    pub fn text<'n>(&mut self, node: &'n Node, wanted: &Shape) -> Option<Cow<'n, str>>
    where
        'a: 'n,
    {
        match &node.kind {
            Kind::Text(text) => Some(text.as_str().into()),
            Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) => Some(self.source.slice(node.at).to_owned().into()),
            Kind::Input(input) => self.fits(node, input, wanted).then(|| input.text.as_str().into()),
            Kind::Null | Kind::List(_) | Kind::Map(_) => {
                self.wrong_kind(node, wanted);
                None
            }
        }
    }

    /// Whether an input can be used where something is wanted: where a whole value of its type belongs. Texts take none, so that
    /// no value gets into a command, an address or a body.
    fn fits(&mut self, node: &Node, input: &InputValue, wanted: &Shape) -> bool {
        let (is, fits) = match (&input.kind, wanted) {
            (InputKind::Unknown, _) => return false,
            (InputKind::WholeNumber, Shape::Leaf(leaf)) => ("a whole number", *leaf == COUNT || *leaf == NUMBER),
            (InputKind::Duration, Shape::Leaf(leaf)) => ("a duration", *leaf == SPAN),
            (InputKind::Share, Shape::Leaf(leaf)) => ("a share", *leaf == SHARE),
            (InputKind::Words(words), Shape::Words(known)) => {
                let known = known().words;
                ("a word", words.iter().all(|word| known.iter().any(|(known, _)| known == word)))
            }
            (InputKind::WholeNumber, _) => ("a whole number", false),
            (InputKind::Duration, _) => ("a duration", false),
            (InputKind::Share, _) => ("a share", false),
            (InputKind::Words(_), _) => ("a word", false),
        };
        if !fits {
            let what = format!("the input `{}` is {is}; expected {}", input.name, wanted.describe());
            let help = match wanted {
                Shape::Leaf(leaf) if [COUNT, NUMBER, SPAN, SHARE].contains(leaf) => "use an input of that type",
                Shape::Words(_) => "use an input whose words are all among these",
                _ => {
                    "write the value itself: inputs are numbers, durations, shares and words, and never part of a text"
                }
            };
            self.report(Code::WrongKind, node.at, what, help);
        }
        fits
    }

    /// The place of a part of a scalar's text, where the file shows the text as it is; else of the whole scalar.
    pub fn part(&self, node: &Node, start: usize, end: usize) -> Place {
        let shown = self.source.slice(node.at);
        let text = node.text().unwrap_or(shown);
        match shown.find(text) {
            Some(offset) if shown.len() <= text.len() + 2 => node.at.part(offset + start, offset + end),
            _ => node.at,
        }
    }

    /// Says that something else belongs here.
    pub fn wrong_kind(&mut self, node: &Node, wanted: &Shape) {
        let what = format!("expected {}{}", wanted.describe(), found(node));
        let help = match wanted.example().as_str() {
            "[...]" => "write each item on a line of its own, after `- `".to_owned(),
            example => format!("write for example `{example}`"),
        };
        self.report(Code::WrongKind, node.at, what, help);
    }

    /// The keys of a record; a key that is none of them is a finding.
    pub fn fields<'r, 'n>(&'r mut self, node: &'n Node, record: Record) -> Option<Fields<'r, 'a, 'n>> {
        let Kind::Map(entries) = &node.kind else {
            let what = format!("expected a mapping{}", found(node));
            let keys = listed(record.fields.iter().map(|field| field.key));
            self.report(Code::WrongKind, node.at, what, format!("its keys are {keys}"));
            return None;
        };
        for entry in entries {
            if self.findings.is_full() {
                break;
            }
            if !record.fields.iter().any(|field| field.key == entry.key) {
                self.unknown_key(entry, record.fields.iter().map(|field| field.key));
            }
        }
        Some(Fields { reader: self, node, entries, record })
    }

    /// The only key of a choice with its value; none, several or an unknown one is a finding.
    pub fn only_key<'n>(&mut self, node: &'n Node, keys: &[&'static str]) -> Option<&'n Entry> {
        let wanted = one_of(keys.iter().copied());
        let Kind::Map(entries) = &node.kind else {
            let what = format!("expected a mapping with exactly one key{}", found(node));
            self.report(Code::WrongKind, node.at, what, format!("write {wanted}, a colon, and its settings"));
            return None;
        };
        match entries.as_slice() {
            [entry] if keys.contains(&entry.key.as_str()) => Some(entry),
            [entry] => {
                self.unknown_key(entry, keys.iter().copied());
                None
            }
            [] => {
                self.report(Code::OneKey, node.at, "expected exactly one key, found none", format!("write {wanted}"));
                None
            }
            [_, second, ..] => {
                let what = format!("expected exactly one key, found {}", entries.len());
                self.report(
                    Code::OneKey,
                    second.key_at,
                    what,
                    format!("write one of {wanted}; put others into separate items"),
                );
                None
            }
        }
    }

    /// Which of several forms a mapping has, by the one of `keys` that it holds; none or several is a finding.
    pub fn form(&mut self, node: &Node, keys: &[&'static str]) -> Option<&'static str> {
        let Kind::Map(entries) = &node.kind else {
            let what = format!("expected a mapping{}", found(node));
            self.report(Code::WrongKind, node.at, what, format!("one of its keys is {}", one_of(keys.iter().copied())));
            return None;
        };
        let found: Vec<(&'static str, Place)> = entries
            .iter()
            .filter_map(|entry| keys.iter().find(|key| **key == entry.key).map(|key| (*key, entry.key_at)))
            .collect();
        match found.as_slice() {
            [(key, _)] => Some(key),
            [(first, _), (_, second), ..] => {
                let what = format!("this cannot be combined with `{first}`");
                self.report(Code::OneKey, *second, what, "keep one of the two; put the other into a separate item");
                None
            }
            [] => {
                let close = entries
                    .iter()
                    .find_map(|entry| closest(&entry.key, keys.iter().copied()).map(|close| (close, entry.key_at)));
                let (at, help) = match close {
                    Some((close, at)) => (at, format!("did you mean `{close}`?")),
                    None => (node.at, format!("one of the keys must be {}", one_of(keys.iter().copied()))),
                };
                self.report(Code::OneKey, at, "missing key", help);
                None
            }
        }
    }

    /// Says that a key has no meaning here, and which one may be meant.
    pub fn unknown_key<'k>(&mut self, entry: &Entry, keys: impl Iterator<Item = &'k str> + Clone) {
        let help = match closest(&entry.key, keys.clone()) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("the keys here are {}", listed(keys)),
        };
        self.report(Code::UnknownKey, entry.key_at, format!("unknown key `{}`", entry.key), help);
    }

    /// One of some words, by its index.
    pub fn word(&mut self, node: &Node, words: &[&'static str], wanted: &Shape) -> Option<usize> {
        let text = self.text(node, wanted)?;
        let found = words.iter().position(|word| *word == text);
        if found.is_none() {
            let help = match closest(&text, words.iter().copied()) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("write {}", one_of(words.iter().copied())),
            };
            self.report(Code::UnknownWord, node.at, format!("unknown value `{text}`"), help);
        }
        found
    }

    fn version_first(&mut self, tree: &Node) {
        if let Some((first, others)) = tree.entries().split_first()
            && first.key != "version"
            && let Some(version) = others.iter().find(|entry| entry.key == "version")
        {
            let help = "move it to the top: it decides how the rest is read";
            self.report(Code::VersionFirst, version.key_at, "`version` is not the first key", help);
        }
    }

    fn refuse_tags(&mut self, node: &Node) {
        if let Some(tag) = &node.tag {
            let shown = tag.replace("tag:yaml.org,2002:", "!!");
            let help = "remove the tag; only templates have tags";
            self.report(Code::Tag, node.at, format!("the tag `{shown}` has no meaning here"), help);
        }
        for child in node.items().iter().chain(node.entries().iter().map(|entry| &entry.value)) {
            self.refuse_tags(child);
        }
    }
}

/// The keys of one record while they are read.
pub struct Fields<'r, 'a, 'n> {
    reader: &'r mut Reader<'a>,
    node: &'n Node,
    entries: &'n [Entry],
    record: Record,
}

impl Fields<'_, '_, '_> {
    /// Reads a key's value, or says that it is missing.
    pub fn read<T: FromNode>(&mut self, key: &'static str, default: Option<T>) -> Option<T> {
        match self.entries.iter().find(|entry| entry.key == key) {
            Some(Entry { value: Node { kind: Kind::Null, .. }, key_at, .. }) => {
                let mut help = format!("write for example `{key}: {}`", T::shape().example());
                if default.is_some() || T::absent().is_some() {
                    help += ", or remove the key";
                }
                self.reader.report(Code::WrongKind, *key_at, format!("`{key}` has no value"), help);
                None
            }
            Some(entry) => T::from_node(&entry.value, self.reader),
            None => default.or_else(T::absent).or_else(|| {
                self.missing(key);
                None
            }),
        }
    }

    fn missing(&mut self, key: &'static str) {
        let keys = || self.record.fields.iter().map(|field| field.key);
        let misspelt =
            |entry: &Entry| !keys().any(|known| known == entry.key) && closest(&entry.key, keys()) == Some(key);
        if self.entries.iter().take(100).any(misspelt) {
            return;
        }
        let field = self.record.fields.iter().find(|field| field.key == key);
        let help = field.map_or(String::new(), |field| {
            let why = field.doc.split(['.', ':']).next().unwrap_or_default().replace('\n', " ");
            format!("add `{key}: {}` ({})", field.shape.example(), lower(why.trim()))
        });
        self.reader.report(Code::MissingKey, self.node.at, format!("`{key}` is missing"), help);
    }
}

/// Value instead.
fn found(node: &Node) -> String {
    match node.kind {
        Kind::Null => ", found nothing".into(),
        _ => format!(", found {}", node.kind_name()),
    }
}

/// A sentence as a part of another one.
fn lower(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}
