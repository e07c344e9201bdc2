//! Values of a template: what YAML gives, and what is left when the functions in it were computed.
//!
//! Invariant: what cannot be known is [`Kind::Unknown`] with its origin, and never a value. It costs nothing until
//! something needs it.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::yaml::tree::{self, Node};
use crate::yaml::{Place, Source};

/// A place in one of the files of an application.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub source: Arc<Source>,
    pub at: Place,
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub kind: Kind,
    pub at: Spot,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Nothing, or `AWS::NoValue`.
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Value>),
    Map(Vec<Entry>),
    Unknown(Unknown),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub key_at: Spot,
    pub value: Value,
}

/// A value that is not known, or a text of which parts are not.
#[derive(Clone, Debug)]
pub(super) struct Unknown {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Known(String),
    Hole(Arc<Origin>),
}

/// Why a value is not known.
#[derive(Debug)]
pub(super) struct Origin {
    /// `the parameter Stage has no value`.
    pub why: String,
    pub at: Spot,
}

impl Unknown {
    /// A value of which nothing is known.
    pub fn new(why: impl Into<String>, at: &Spot) -> Unknown {
        Unknown { parts: vec![Part::Hole(Arc::new(Origin { why: why.into(), at: at.clone() }))] }
    }

    /// The first thing that is not known.
    pub fn origin(&self) -> Option<&Arc<Origin>> {
        self.parts.iter().find_map(|part| match part {
            Part::Hole(origin) => Some(origin),
            Part::Known(_) => None,
        })
    }

    /// The same for equal texts with equal holes, and for nothing else.
    pub fn key(&self) -> String {
        let part = |part: &Part| match part {
            Part::Known(text) => text.clone(),
            Part::Hole(origin) => format!("\u{1}{}\u{2}", origin.why),
        };
        self.parts.iter().map(part).collect()
    }

    /// For people: `{the parameter Stage has no value}-orders`.
    pub fn shown(&self) -> String {
        self.key().replace('\u{1}', "{").replace('\u{2}', "}")
    }

    /// Nothing of it is known, because of the same.
    pub fn whole(&self) -> Unknown {
        Unknown { parts: self.origin().map(|origin| Part::Hole(origin.clone())).into_iter().collect() }
    }
}

/// A text that is put together from parts, of which some may not be known.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    parts: Vec<Part>,
}

impl Pieces {
    /// Adds a known text.
    pub fn push(&mut self, text: &str) {
        if let Some(Part::Known(last)) = self.parts.last_mut() {
            last.push_str(text);
        } else if !text.is_empty() {
            self.parts.push(Part::Known(text.to_owned()));
        }
    }

    /// Adds a scalar; `None` when it is a list or a mapping.
    pub fn push_value(&mut self, value: &Value) -> Option<()> {
        match &value.kind {
            Kind::Unknown(unknown) => {
                for part in &unknown.parts {
                    match part {
                        Part::Known(text) => self.push(text),
                        Part::Hole(_) => self.parts.push(part.clone()),
                    }
                }
            }
            _ => self.push(&value.plain()?),
        }
        Some(())
    }

    /// Bytes of the known parts.
    pub fn len(&self) -> usize {
        let len = |part: &Part| match part {
            Part::Known(text) => text.len(),
            Part::Hole(_) => 16,
        };
        self.parts.iter().map(len).sum()
    }

    /// The text, or what is known of it.
    pub fn finish(mut self) -> Kind {
        match self.parts.len() {
            0 => Kind::Text(String::new()),
            1 if matches!(self.parts[0], Part::Known(_)) => match self.parts.remove(0) {
                Part::Known(text) => Kind::Text(text),
                hole => Kind::Unknown(Unknown { parts: vec![hole] }),
            },
            _ => Kind::Unknown(Unknown { parts: self.parts }),
        }
    }
}

impl Spot {
    /// A value that stands here.
    pub fn value(&self, kind: Kind) -> Value {
        Value { kind, at: self.clone() }
    }

    /// A text that stands here.
    pub fn text(&self, text: impl Into<String>) -> Value {
        self.value(Kind::Text(text.into()))
    }

    /// A mapping that stands here.
    pub fn map(&self, entries: impl IntoIterator<Item = (impl Into<String>, Value)>) -> Value {
        let entry =
            |(key, value): (_, Value)| Entry { key: Into::<String>::into(key), key_at: value.at.clone(), value };
        self.value(Kind::Map(entries.into_iter().map(entry).collect()))
    }

    /// A list that stands here.
    pub fn list(&self, items: impl IntoIterator<Item = Value>) -> Value {
        self.value(Kind::List(items.into_iter().collect()))
    }

    /// JSON as a value that stands here.
    pub fn json(&self, json: &Json) -> Value {
        self.value(match json {
            Json::Null => Kind::Null,
            Json::Bool(value) => Kind::Bool(*value),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Kind::Int(whole),
                None => Kind::Float(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Kind::Text(text.clone()),
            Json::Array(items) => Kind::List(items.iter().map(|item| self.json(item)).collect()),
            Json::Object(map) => return self.map(map.iter().map(|(key, value)| (key.clone(), self.json(value)))),
        })
    }
}

impl Value {
    /// The tree of a file. Short functions (`!Ref x`) become long ones (`{Ref: x}`).
    pub fn of(source: &Arc<Source>, node: &Node) -> Value {
        let at = Spot { source: source.clone(), at: node.at };
        let value = |kind| Value { kind, at: at.clone() };
        let function = node.tag.as_deref().and_then(|tag| tag.strip_prefix('!')).filter(|tag| !tag.is_empty());
        let plain = match &node.kind {
            tree::Kind::Null => value(Kind::Null),
            tree::Kind::Bool(truth) => value(Kind::Bool(*truth)),
            tree::Kind::Int(number) => value(Kind::Int(*number)),
            tree::Kind::Float(number) => value(Kind::Float(*number)),
            tree::Kind::Text(text) => value(Kind::Text(text.clone())),
            // Templates have none.
            tree::Kind::Input(input) => value(Kind::Text(input.text.clone())),
            tree::Kind::List(items) => value(Kind::List(items.iter().map(|item| Value::of(source, item)).collect())),
            tree::Kind::Map(entries) => value(Kind::Map(
                entries
                    .iter()
                    .map(|entry| Entry {
                        key: entry.key.clone(),
                        key_at: Spot { source: source.clone(), at: entry.key_at },
                        value: Value::of(source, &entry.value),
                    })
                    .collect(),
            )),
        };
        match function {
            None => plain,
            Some(name) => {
                let key = match name {
                    "Ref" | "Condition" => name.to_owned(),
                    other => format!("Fn::{other}"),
                };
                value(Kind::Map(vec![Entry { key, key_at: at.clone(), value: plain }]))
            }
        }
    }

    /// The value of a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The value of a key, unless it is nothing.
    pub fn some(&self, key: &str) -> Option<&Value> {
        self.get(key).filter(|value| !value.is_null())
    }

    /// A value that must be a mapping, with one key set.
    pub fn set(&mut self, key: &str, value: Value) {
        if let Kind::Map(entries) = &mut self.kind {
            match entries.iter_mut().find(|entry| entry.key == key) {
                Some(entry) => entry.value = value,
                None => entries.push(Entry { key: key.to_owned(), key_at: value.at.clone(), value }),
            }
        }
    }

    /// The entries of a mapping; of anything else none.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; of anything else none.
    pub fn items(&self) -> &[Value] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// The items of a list; a single value counts as a list of one, nothing as an empty one.
    pub fn each(&self) -> &[Value] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Null => &[],
            _ => std::slice::from_ref(self),
        }
    }

    /// The text of a text.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// True or false; also as a text, with a capital, or in the words of YAML 1.1, as CloudFormation takes it.
    pub fn truth(&self) -> Option<bool> {
        match self.plain()?.to_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    /// Whether it is nothing.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// What is not known of it.
    pub fn unknown(&self) -> Option<&Unknown> {
        match &self.kind {
            Kind::Unknown(unknown) => Some(unknown),
            _ => None,
        }
    }

    /// The first thing in it that is not known, however deep.
    pub fn first_unknown(&self) -> Option<&Unknown> {
        match &self.kind {
            Kind::Unknown(unknown) => Some(unknown),
            Kind::List(items) => items.iter().find_map(Value::first_unknown),
            Kind::Map(entries) => entries.iter().find_map(|entry| entry.value.first_unknown()),
            _ => None,
        }
    }

    /// A known scalar as text; nothing is an empty one.
    pub fn plain(&self) -> Option<String> {
        Some(match &self.kind {
            Kind::Null => String::new(),
            Kind::Bool(value) => value.to_string(),
            Kind::Int(value) => value.to_string(),
            Kind::Float(value) => value.to_string(),
            Kind::Text(text) => text.clone(),
            Kind::List(_) | Kind::Map(_) | Kind::Unknown(_) => return None,
        })
    }

    /// A scalar as something to find it by, known or not.
    pub fn key(&self) -> Option<String> {
        match &self.kind {
            Kind::Unknown(unknown) => Some(unknown.key()),
            _ => self.plain(),
        }
    }

    /// The only entry of a mapping with one.
    pub fn only(&self) -> Option<&Entry> {
        match self.entries() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// What it is, for messages.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "true or false",
            Kind::Int(_) | Kind::Float(_) => "a number",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
            Kind::Unknown(_) => "an unknown value",
        }
    }

    /// As JSON; what is not known in words between braces.
    pub fn to_json(&self) -> Json {
        match &self.kind {
            Kind::Null => Json::Null,
            Kind::Bool(value) => json!(value),
            Kind::Int(value) => json!(value),
            Kind::Float(value) => json!(value),
            Kind::Text(text) => json!(text),
            Kind::List(items) => items.iter().map(Value::to_json).collect(),
            Kind::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect(),
            Kind::Unknown(unknown) => json!(unknown.shown()),
        }
    }

    /// About how many bytes it holds.
    pub fn size(&self) -> usize {
        match &self.kind {
            Kind::Text(text) => text.len() + 8,
            Kind::List(items) => items.iter().map(|item| 16 + item.size()).sum(),
            Kind::Map(entries) => entries.iter().map(|entry| 16 + entry.key.len() + entry.value.size()).sum(),
            _ => 8,
        }
    }
}
