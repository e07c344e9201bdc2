//! `AWS::LanguageExtensions`: `Fn::ForEach` written out, before anything else is read.

use std::collections::BTreeMap;

use super::Deployment;
use super::value::{Entry, Kind, Value};
use crate::yaml::{Code, Finding, Findings};

/// What all loops of a template may write out, in bytes.
const ROOM: usize = 4 << 20;

/// Writes out every loop of a template.
pub(super) fn expand(root: Value, deployment: &Deployment, findings: &mut Findings) -> Value {
    let mut parameters = BTreeMap::new();
    for entry in root.get("Parameters").map(Value::entries).unwrap_or_default() {
        let said = deployment.parameters.get(&entry.key).cloned();
        if let Some(text) = said.or_else(|| entry.value.get("Default").and_then(Value::plain)) {
            parameters.insert(entry.key.clone(), text);
        }
    }
    let declared = root.get("Transform").map(Value::each).unwrap_or_default();
    let declared = declared.iter().any(|name| name.text() == Some("AWS::LanguageExtensions"));
    let mappings = root.get("Mappings").cloned();
    let mut loops = Loops { parameters, mappings, variables: BTreeMap::new(), room: ROOM, declared, findings };
    loops.value(root)
}

struct Loops<'f> {
    parameters: BTreeMap<String, String>,
    mappings: Option<Value>,
    /// Loops' own names, with what they stand for now.
    variables: BTreeMap<String, String>,
    room: usize,
    declared: bool,
    findings: &'f mut Findings,
}

impl Loops<'_> {
    fn value(&mut self, value: Value) -> Value {
        let at = value.at;
        let kind = match value.kind {
            Kind::Map(entries) => {
                if let [only] = entries.as_slice()
                    && only.key == "Ref"
                    && let Some(text) = only.value.text().and_then(|name| self.variables.get(name))
                {
                    return at.text(text.clone());
                }
                let mut all = Vec::with_capacity(entries.len());
                for entry in entries {
                    match entry.key.starts_with("Fn::ForEach::") {
                        true => self.each(entry, &mut all),
                        false => {
                            let key = self.text(&entry.key);
                            let value = self.value(entry.value);
                            all.push(Entry { key, key_at: entry.key_at, value });
                        }
                    }
                }
                Kind::Map(all)
            }
            Kind::List(items) => Kind::List(items.into_iter().map(|item| self.value(item)).collect()),
            Kind::Text(text) => Kind::Text(self.text(&text)),
            other => other,
        };
        Value { kind, at }
    }

    /// One loop: `[Name, [items], {key: value}]`.
    fn each(&mut self, entry: Entry, all: &mut Vec<Entry>) {
        let at = entry.key_at;
        let report = |findings: &mut Findings, code, what: &str, help: &str| {
            findings.push(Finding::new(code, &at.source, at.at, what).help(help));
        };
        if !self.declared {
            let what = "`Fn::ForEach` needs the transform `AWS::LanguageExtensions`";
            report(self.findings, Code::MissingKey, what, "add it under `Transform`, before others");
        }
        let [name, list, body] = entry.value.items() else {
            let what = "`Fn::ForEach` has the wrong arguments";
            return report(self.findings, Code::WrongKind, what, "write a name, a list and a mapping");
        };
        let Some(name) = name.text() else {
            return report(self.findings, Code::WrongKind, "the name of a loop is a text", "");
        };
        let Some(items) = self.items(list) else {
            let what = "the list of this loop is not known";
            return report(self.findings, Code::NotModelled, what, "what it writes out is left out; set its parameter");
        };
        let outer = self.variables.get(name).cloned();
        for item in items {
            let size = body.size();
            if self.room < size {
                let what = "the loops of this template write out more than 4 MiB";
                report(self.findings, Code::Limit, what, "split the template");
                break;
            }
            self.room -= size;
            self.variables.insert(name.to_owned(), item);
            let written = self.value(body.clone());
            if let Kind::Map(entries) = written.kind {
                all.extend(entries);
            }
        }
        match outer {
            Some(outer) => self.variables.insert(name.to_owned(), outer),
            None => self.variables.remove(name),
        };
    }

    /// The items of a loop's list.
    fn items(&mut self, list: &Value) -> Option<Vec<String>> {
        if let Some(only) = list.only() {
            if only.key == "Ref" {
                let text = self.parameters.get(only.value.text()?)?;
                return Some(
                    text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect(),
                );
            }
            if only.key == "Fn::FindInMap" {
                let keys: Vec<String> =
                    only.value.items().iter().filter_map(|key| self.value(key.clone()).plain()).collect();
                let found = keys.iter().try_fold(self.mappings.as_ref()?, |value, key| value.get(key))?;
                return found.items().iter().map(Value::plain).collect();
            }
            return None;
        }
        let mut all = Vec::new();
        for item in list.items() {
            let value = self.value(item.clone());
            match value.only() {
                Some(_) => all.extend(self.items(&value)?),
                None => all.push(value.plain()?),
            }
        }
        Some(all)
    }

    /// A text with the loops' names put in: `${Name}`, and `&{Name}` without what a logical id cannot have.
    fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if self.variables.is_empty() || !text.contains('{') {
            return text;
        }
        for (name, item) in &self.variables {
            text = text.replace(&format!("${{{name}}}"), item);
            let plain: String = item.chars().filter(char::is_ascii_alphanumeric).collect();
            text = text.replace(&format!("&{{{name}}}"), &plain);
        }
        text
    }
}
