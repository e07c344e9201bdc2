//! The properties of one resource, read with their kinds checked.

use std::collections::BTreeMap;

use super::value::{Entry, Kind, Spot, Value};
use crate::units::Span;
use crate::yaml::{Code, Finding, Findings};

/// A mapping under reading: a resource's properties, or a part of them. What is not known becomes a finding when it is
/// asked for, and counts as not there.
pub(super) struct Part<'v> {
    /// What it belongs to, for messages: `queue OrdersQueue`.
    pub of: String,
    pub at: Spot,
    value: Option<&'v Value>,
    pub findings: Findings,
}

impl<'v> Part<'v> {
    /// The properties in `value`; none at all is an empty mapping.
    pub fn new(of: impl Into<String>, at: &Spot, value: Option<&'v Value>) -> Part<'v> {
        let mut part = Part { of: of.into(), at: at.clone(), value, findings: Findings::default() };
        if let Some(value) = value.filter(|value| !matches!(value.kind, Kind::Map(_) | Kind::Null)) {
            part.usable(value, "a mapping");
        }
        part
    }

    /// A property that is there and not nothing, known or not.
    pub fn get(&self, key: &str) -> Option<&'v Value> {
        self.value.and_then(|value| value.some(key))
    }

    /// A property that is known; one that is not is a finding.
    fn known(&mut self, key: &str) -> Option<&'v Value> {
        let value = self.get(key)?;
        match value.unknown() {
            None => Some(value),
            Some(unknown) => {
                let origin = unknown.origin().map(|origin| (origin.why.clone(), origin.at.clone()));
                let why = origin.as_ref().map(|(why, _)| why.as_str()).unwrap_or_default();
                let what = format!("`{key}` of {} is not known: {why}", self.of);
                let help = "the sandbox uses its default; give the value in the traffic file";
                let mut finding = Finding::new(Code::UnknownValue, &value.at.source, value.at.at, what).help(help);
                if let Some((why, at)) = origin.filter(|(_, at)| at.source == value.at.source && at.at != value.at.at) {
                    finding = finding.also(at.at, why);
                }
                self.findings.push(finding);
                None
            }
        }
    }

    /// A text, or a number or truth value as text.
    pub fn text(&mut self, key: &str) -> Option<String> {
        let value = self.known(key)?;
        let text = value.plain();
        if text.is_none() {
            self.usable(value, "a text");
        }
        text
    }

    /// A value that must be there, known or not.
    pub fn needed(&mut self, key: &str) -> Option<&'v Value> {
        let value = self.get(key);
        // A value that could not be computed has been reported where it was written.
        if value.is_none() && self.value.is_none_or(|value| value.get(key).is_none()) {
            let what = format!("{} has no `{key}`", self.of);
            let at = self.at.clone();
            self.report(Code::MissingKey, &at, what, format!("add `{key}:`"));
        }
        value
    }

    /// A text that must be there.
    pub fn needed_text(&mut self, key: &str) -> Option<String> {
        self.needed(key)?;
        self.text(key).filter(|text| !text.is_empty())
    }

    /// A number, also one that is written as text.
    pub fn number(&mut self, key: &str) -> Option<f64> {
        let value = self.known(key)?;
        let number = match &value.kind {
            Kind::Int(number) => Some(*number as f64),
            Kind::Float(number) => Some(*number),
            Kind::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        };
        if number.is_none() {
            self.usable(value, "a number");
        }
        number
    }

    /// A whole number from `from` to `to`, the service's own limits.
    pub fn whole(&mut self, key: &str, from: u32, to: u32) -> Option<u32> {
        let number = self.number(key)?;
        if number.fract() != 0.0 || !(f64::from(from)..=f64::from(to)).contains(&number) {
            let at = self.get(key).map_or(self.at.clone(), |value| value.at.clone());
            let what = format!("`{key}` of {} is {number}", self.of);
            self.report(Code::BadValue, &at, what, format!("AWS takes whole numbers from {from} to {to}"));
            return None;
        }
        Some(number as u32)
    }

    /// A number of seconds from `from` to `to`, the service's own limits.
    pub fn seconds(&mut self, key: &str, from: u32, to: u32, default: u32) -> Span {
        Span::from_secs(i64::from(self.whole(key, from, to).unwrap_or(default)))
    }

    /// `true` or `false`, also as a text or with a capital, as CloudFormation takes it.
    pub fn flag(&mut self, key: &str, default: bool) -> bool {
        let Some(value) = self.known(key) else { return default };
        value.truth().unwrap_or_else(|| {
            self.usable(value, "true or false");
            default
        })
    }

    /// The items of a list; a single item stands for a list of one.
    pub fn list(&mut self, key: &str) -> &'v [Value] {
        self.known(key).map(Value::each).unwrap_or_default()
    }

    /// A mapping's entries.
    pub fn map(&mut self, key: &str) -> &'v [Entry] {
        let Some(value) = self.known(key) else { return &[] };
        if !matches!(value.kind, Kind::Map(_)) {
            self.usable(value, "a mapping");
        }
        value.entries()
    }

    /// A mapping as a part of its own; its findings come back with [`Part::take`].
    pub fn part(&mut self, key: &str) -> Option<Part<'v>> {
        let value = self.known(key)?;
        Some(Part::new(format!("`{key}` of {}", self.of), &value.at, Some(value)))
    }

    /// An item of a list, or an entry of a mapping, as a part of its own.
    pub fn of_item(&self, key: &str, value: &'v Value) -> Part<'v> {
        Part::new(format!("`{key}` of {}", self.of), &value.at, Some(value))
    }

    /// `Tags`: a list of `Key` and `Value`, or a mapping. A tag that is not known is left out.
    pub fn tags(&mut self) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::new();
        let Some(value) = self.get("Tags") else { return tags };
        for entry in value.entries() {
            if let Some(text) = entry.value.plain() {
                tags.insert(entry.key.clone(), text);
            }
        }
        for item in value.items() {
            let part = |key| item.get(key).and_then(Value::plain);
            match (part("Key"), part("Value")) {
                (Some(key), Some(value)) => {
                    tags.insert(key, value);
                }
                _ if item.first_unknown().is_some() => {}
                _ => self.usable(item, "a `Key` and a `Value`"),
            }
        }
        tags
    }

    /// Adds the findings of a part.
    pub fn take(&mut self, part: Part<'v>) {
        self.findings.append(part.findings);
    }

    /// Reports something at a place.
    pub fn report(&mut self, code: Code, at: &Spot, what: impl Into<String>, help: impl Into<String>) {
        self.findings.push(Finding::new(code, &at.source, at.at, what).help(help));
    }

    /// Reports something about the whole.
    pub fn fail(&mut self, code: Code, what: impl Into<String>, help: impl Into<String>) {
        let at = self.at.clone();
        self.report(code, &at, what, help);
    }

    /// Reports something about a property, at its value.
    pub fn fail_at(&mut self, key: &str, code: Code, what: impl Into<String>, help: impl Into<String>) {
        let at = self.get(key).map_or_else(|| self.at.clone(), |value| value.at.clone());
        self.report(code, &at, what, help);
    }

    /// Whether there are properties at all.
    pub fn is_written(&self) -> bool {
        self.value.is_some_and(|value| !value.is_null())
    }

    /// Something that the sandbox leaves out of its model.
    pub fn not_modelled(&mut self, at: &Spot, what: impl Into<String>, help: &str) {
        self.report(Code::NotModelled, at, what, help);
    }

    /// Reports a value that is not of a kind.
    fn usable(&mut self, value: &Value, wanted: &str) {
        let what = match value.unknown().and_then(|unknown| unknown.origin()) {
            Some(origin) => {
                let what = format!("{} is not known: {}", self.of, origin.why);
                self.findings.push(
                    Finding::new(Code::UnknownValue, &value.at.source, value.at.at, what)
                        .help("the sandbox uses its default"),
                );
                return;
            }
            None => format!("expected {wanted} in {}, found {}", self.of, value.kind_name()),
        };
        self.findings.push(Finding::new(Code::WrongKind, &value.at.source, value.at.at, what));
    }
}
