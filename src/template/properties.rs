//! The properties of one resource: read with their kinds checked, and those that nobody asked for reported.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::intrinsic::plain;
use crate::spec::yaml::{Entry, Kind, Node};
use crate::spec::{Code, Finding, Findings, Place, Source};
use crate::units::Span;

/// A mapping under reading: a resource's properties, or a part of them.
pub(super) struct Properties<'n> {
    source: &'n Arc<Source>,
    /// What it belongs to, for messages: `queue OrdersQueue`.
    pub of: String,
    pub at: Place,
    node: Option<&'n Node>,
    /// The same from `Globals`, for what the resource leaves out.
    globals: Option<&'n Node>,
    asked: BTreeSet<&'static str>,
    pub findings: Findings,
}

impl<'n> Properties<'n> {
    /// The properties in `node`; none at all is an empty mapping.
    pub fn new(source: &'n Arc<Source>, of: impl Into<String>, at: Place, node: Option<&'n Node>) -> Properties<'n> {
        let mut properties = Properties {
            source,
            of: of.into(),
            at,
            node,
            globals: None,
            asked: BTreeSet::new(),
            findings: Findings::default(),
        };
        if let Some(node) = node.filter(|node| !matches!(node.kind, Kind::Map(_) | Kind::Null)) {
            properties.wrong(node, "a mapping");
        }
        properties
    }

    /// With what `Globals` says for the kind.
    pub fn with_globals(self, globals: Option<&'n Node>) -> Properties<'n> {
        Properties { globals, ..self }
    }

    /// A property that is there and not nothing.
    pub fn get(&mut self, key: &'static str) -> Option<&'n Node> {
        self.asked.insert(key);
        let own = self.node.and_then(|node| node.get(key)).filter(|node| node.kind != Kind::Null);
        own.or_else(|| self.globals.and_then(|node| node.get(key)).filter(|node| node.kind != Kind::Null))
    }

    /// Properties that the model has no use for, and does not mind.
    pub fn ignore(&mut self, keys: &[&'static str]) {
        self.asked.extend(keys);
    }

    /// None of the rest matters: what it belongs to is left out as a whole.
    pub fn ignore_all(&mut self) {
        self.node = None;
    }

    /// A text, or a number or truth value as text.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let node = self.get(key)?;
        let text = plain(&node.kind);
        if text.is_none() {
            self.wrong(node, "a text");
        }
        text
    }

    /// A text that must be there.
    pub fn needed(&mut self, key: &'static str) -> Option<String> {
        // A value that could not be told has been reported where it stands.
        if self.get(key).is_none() && self.node.is_none_or(|node| node.get(key).is_none()) {
            let what = format!("{} has no `{key}`", self.of);
            self.findings
                .push(Finding::new(Code::MissingKey, self.source, self.at, what).help(format!("add `{key}:`")));
        }
        self.text(key).filter(|text| !text.is_empty())
    }

    /// A number, also one that is written as text.
    pub fn number(&mut self, key: &'static str) -> Option<f64> {
        let node = self.get(key)?;
        let number = match &node.kind {
            Kind::Int(number) => Some(*number as f64),
            Kind::Float(number) => Some(*number),
            Kind::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        };
        if number.is_none() {
            self.wrong(node, "a number");
        }
        number
    }

    /// A whole number from `from` to `to`, the service's own limits.
    pub fn whole(&mut self, key: &'static str, from: u32, to: u32) -> Option<u32> {
        let number = self.number(key)?;
        if number.fract() != 0.0 || !(f64::from(from)..=f64::from(to)).contains(&number) {
            let at = self.get(key).map_or(self.at, |node| node.at);
            let what = format!("`{key}` of {} is {number}", self.of);
            let help = format!("the service takes whole numbers from {from} to {to}");
            self.findings.push(Finding::new(Code::BadValue, self.source, at, what).help(help));
            return None;
        }
        Some(number as u32)
    }

    /// A number of seconds from `from` to `to`, the service's own limits.
    pub fn seconds(&mut self, key: &'static str, from: u32, to: u32, default: u32) -> Span {
        Span::from_secs(i64::from(self.whole(key, from, to).unwrap_or(default)))
    }

    /// `true` or `false`, also as a text or with a capital, as CloudFormation takes it.
    pub fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let Some(node) = self.get(key) else { return default };
        match plain(&node.kind).map(|text| text.to_lowercase()).as_deref() {
            Some("true") => true,
            Some("false") => false,
            _ => {
                self.wrong(node, "true or false");
                default
            }
        }
    }

    /// The items of a list; a single item stands for a list of one.
    pub fn list(&mut self, key: &'static str) -> &'n [Node] {
        match self.get(key) {
            Some(node) if matches!(node.kind, Kind::List(_)) => node.items(),
            Some(node) => std::slice::from_ref(node),
            None => &[],
        }
    }

    /// A list's items as texts.
    pub fn texts(&mut self, key: &'static str) -> Vec<String> {
        let items = self.list(key);
        items.iter().filter_map(|item| self.read_text(item)).collect()
    }

    /// A mapping's entries.
    pub fn map(&mut self, key: &'static str) -> &'n [Entry] {
        let Some(node) = self.get(key) else { return &[] };
        if !matches!(node.kind, Kind::Map(_)) {
            self.wrong(node, "a mapping");
        }
        node.entries()
    }

    /// A mapping as properties of its own; its findings come back with [`Properties::take`].
    pub fn part(&mut self, key: &'static str) -> Option<Properties<'n>> {
        let node = self.get(key)?;
        Some(Properties::new(self.source, format!("`{key}` of {}", self.of), node.at, Some(node)))
    }

    /// An item of a list, or an entry of a mapping, as properties of its own.
    pub fn of_item(&self, key: &str, node: &'n Node) -> Properties<'n> {
        Properties::new(self.source, format!("`{key}` of {}", self.of), node.at, Some(node))
    }

    /// A mapping as properties of its own: first that of `Globals`, then the resource's.
    pub fn parts(&mut self, key: &'static str) -> Vec<Properties<'n>> {
        self.asked.insert(key);
        let nodes = [self.globals, self.node].into_iter().flatten().filter_map(|node| node.get(key));
        nodes.map(|node| self.of_item(key, node)).collect()
    }

    /// `Tags`: a list of `Key` and `Value`, or with SAM a mapping; those of `Globals` too.
    pub fn tags(&mut self) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::new();
        let global = self.globals.and_then(|node| node.get("Tags"));
        let own = self.get("Tags");
        for node in global.into_iter().chain(own) {
            for entry in node.entries() {
                tags.insert(entry.key.clone(), plain(&entry.value.kind).unwrap_or_default());
            }
            for item in node.items() {
                let part = |key| item.get(key).and_then(|node| plain(&node.kind));
                match (part("Key"), part("Value")) {
                    (Some(key), Some(value)) => {
                        tags.insert(key, value);
                    }
                    _ => self.wrong(item, "a `Key` and a `Value`"),
                }
            }
        }
        tags
    }

    /// A scalar as text; anything else is a finding.
    pub fn read_text(&mut self, node: &Node) -> Option<String> {
        let text = plain(&node.kind);
        if text.is_none() {
            self.wrong(node, "a text");
        }
        text
    }

    /// Adds the findings of a part.
    pub fn take(&mut self, part: Properties<'n>) {
        self.findings.append(part.finish());
    }

    /// Something that the sandbox leaves out of its model.
    pub fn not_modelled(&mut self, at: Place, what: impl Into<String>, help: &str) {
        self.findings.push(Finding::new(Code::NotModelled, self.source, at, what).help(help));
    }

    /// Something that the template gets wrong.
    pub fn error(&mut self, code: Code, at: Place, what: impl Into<String>, help: impl Into<String>) {
        self.findings.push(Finding::new(code, self.source, at, what).help(help));
    }

    fn wrong(&mut self, node: &Node, wanted: &str) {
        let what = format!("{} stands in {} where {wanted} belongs", node.kind_name(), self.of);
        self.findings.push(Finding::new(Code::WrongKind, self.source, node.at, what));
    }

    /// Everything found, with a warning for each property that nobody asked for.
    pub fn finish(mut self) -> Findings {
        for entry in self.node.map(Node::entries).unwrap_or_default() {
            if !self.asked.contains(entry.key.as_str()) {
                let what = format!("the sandbox does not model `{}` of {}", entry.key, self.of);
                let help = "the application is modelled as if it were not there";
                self.findings.push(Finding::new(Code::NotModelled, self.source, entry.key_at, what).help(help));
            }
        }
        self.findings
    }
}
