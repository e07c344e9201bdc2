//! What may stand where in a file: the one table that messages, JSON Schemas and reference pages are made from.

use serde_json::Value as Json;

/// What may stand in one place.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A text or a number.
    Leaf(Leaf),
    /// One of some words.
    Words(fn() -> Words),
    List(Box<Shape>),
    /// A mapping with names of the user's own as keys.
    Map {
        key: Leaf,
        value: Box<Shape>,
    },
    /// A mapping with known keys.
    Record(fn() -> Record),
    /// A mapping with exactly one of some keys.
    Choice(fn() -> Choice),
    /// Any one of several forms.
    Either(Vec<Shape>),
}

/// A text or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// In words, with its article: `a duration`.
    pub name: &'static str,
    /// JSON Schema's `type`; `string or integer` for a text that looks like a number.
    pub json_type: &'static str,
    /// A regular expression that every one matches, as JSON Schema wants it; empty for none.
    pub pattern: &'static str,
    /// As written in a file.
    pub examples: &'static [&'static str],
}

/// A closed set of words.
#[derive(Clone, Debug)]
pub struct Words {
    pub name: &'static str,
    pub doc: String,
    /// Each with what it means.
    pub words: Vec<(&'static str, String)>,
}

/// A mapping with known keys.
#[derive(Clone, Debug)]
pub struct Record {
    pub name: &'static str,
    pub doc: String,
    pub fields: Vec<Field>,
}

/// One key of a record.
#[derive(Clone, Debug)]
pub struct Field {
    pub key: &'static str,
    pub doc: String,
    pub shape: Shape,
    pub presence: Presence,
}

/// Whether a key must be there.
#[derive(Clone, Debug, PartialEq)]
pub enum Presence {
    Required,
    Optional,
    /// Exactly one of the keys that say this must be there.
    OneOf,
    /// It is optional, and this is its default.
    Default(Json),
}

/// A mapping with exactly one key out of several.
#[derive(Clone, Debug)]
pub struct Choice {
    pub name: &'static str,
    pub doc: String,
    pub arms: Vec<Arm>,
}

/// One key of a choice.
#[derive(Clone, Debug)]
pub struct Arm {
    pub key: &'static str,
    pub doc: String,
    pub shape: Shape,
}

impl Shape {
    /// In words, for messages: `a list`, `one of `a` or `b``.
    pub fn describe(&self) -> String {
        match self {
            Shape::Leaf(leaf) => leaf.name.to_owned(),
            Shape::Words(words) => one_of(words().words.iter().map(|(word, _)| *word)),
            Shape::List(_) => "a list".into(),
            Shape::Map { key, .. } => format!("a mapping whose keys are each {}", key.name),
            Shape::Record(record) => {
                format!("a mapping with the keys {}", listed(record().fields.iter().map(|field| field.key)))
            }
            Shape::Choice(choice) => {
                format!("a mapping with exactly one key, {}", one_of(choice().arms.iter().map(|arm| arm.key)))
            }
            Shape::Either(shapes) => shapes.iter().map(Shape::describe).collect::<Vec<_>>().join(", or "),
        }
    }

    /// Something short that could stand there, on one line.
    pub fn example(&self) -> String {
        match self {
            Shape::Leaf(leaf) => leaf.examples.first().copied().unwrap_or("...").to_owned(),
            Shape::Words(words) => words().words.first().map_or("...", |(word, _)| word).to_owned(),
            Shape::List(_) => "[...]".into(),
            Shape::Map { key, .. } => format!("{{ {}: ... }}", key.examples.first().unwrap_or(&"...")),
            Shape::Record(_) => "{ ... }".into(),
            Shape::Choice(choice) => {
                choice().arms.first().map_or("{ ... }".into(), |arm| format!("{{ {}: ... }}", arm.key))
            }
            Shape::Either(shapes) => shapes.first().map_or("...".into(), Shape::example),
        }
    }
}

impl Presence {
    /// Its default, as it would be written; `None` when that is nothing, or when it must be there.
    pub fn default_text(&self) -> Option<String> {
        match self {
            Presence::Default(value) => flow(value),
            Presence::Required | Presence::Optional | Presence::OneOf => None,
        }
    }
}

/// A value as YAML on one line.
fn flow(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        Json::Array(items) if items.is_empty() => None,
        Json::Array(items) => Some(format!("[{}]", items.iter().filter_map(flow).collect::<Vec<_>>().join(", "))),
        Json::Object(entries) => {
            let entries: Vec<String> =
                entries.iter().filter_map(|(key, value)| Some(format!("{key}: {}", flow(value)?))).collect();
            (!entries.is_empty()).then(|| format!("{{ {} }}", entries.join(", ")))
        }
        Json::Bool(_) | Json::Number(_) => Some(value.to_string()),
    }
}

impl Record {
    /// The shape of a record that may also be written as one of its fields alone.
    pub fn or_short(&self, key: &str, whole: Shape) -> Shape {
        let short = self.fields.iter().find(|field| field.key == key).map(|field| field.shape.clone());
        Shape::Either(short.into_iter().chain([whole]).collect())
    }
}

/// `` `a` or `b` ``.
pub fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    joined(words, "or")
}

/// `` `a`, `b` and `c` ``.
pub fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    joined(words, "and")
}

fn joined<'a>(words: impl IntoIterator<Item = &'a str>, last: &str) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [] => "none".into(),
        [one] => one.clone(),
        [all @ .., end] => format!("{} {last} {end}", all.join(", ")),
    }
}

/// The text of doc comments: the blank before each line taken off.
pub fn doc_text(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n").trim().to_owned()
}
