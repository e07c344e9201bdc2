//! JSON Schemas (draft 2020-12) of the formats, made from the same tables that read them: editors complete and check
//! with these.
//!
//! A schema is a little stricter than the reader where editors need it to be (a name that looks like a number wants
//! quotes), and knows nothing of meaning (`squall check` does).

use serde_json::{Map, Value as Json, json};

use super::experiment::Experiment;
use super::hypothesis::Hypothesis;
use crate::inputs::InputName;
use crate::project::Project;
use crate::schedule::spec::ScheduleFile;
use crate::yaml::leaf::{COUNT, NUMBER, SHARE, SPAN};
use crate::yaml::read::{FromKey as _, FromNode};
use crate::yaml::shape::{Choice, Field, Leaf, Presence, Record, Shape, Words};

/// The schema of an experiment's file.
pub fn experiment() -> Json {
    schema::<Experiment>(Definitions { inputs: true, ..Definitions::default() })
}

/// The schema of a hypothesis's file.
pub fn hypothesis() -> Json {
    of::<Hypothesis>()
}

/// The schema of `squall.yaml`.
pub fn project() -> Json {
    of::<Project>()
}

/// The schema of a file of schedules.
pub fn schedule() -> Json {
    of::<ScheduleFile>()
}

/// The schema of a file that holds a `T`.
pub fn of<T: FromNode>() -> Json {
    schema::<T>(Definitions::default())
}

fn schema<T: FromNode>(mut definitions: Definitions) -> Json {
    let root = definitions.shape(&T::shape());
    let mut schema = Map::new();
    schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    if let Json::Object(root) = root {
        schema.extend(root);
    }
    schema.insert("$defs".into(), Json::Object(definitions.all));
    Json::Object(schema)
}

/// The records, choices and words that were met, by name.
#[derive(Default)]
struct Definitions {
    all: Map<String, Json>,
    /// Whether inputs can take the place of values.
    inputs: bool,
}

impl Definitions {
    fn shape(&mut self, shape: &Shape) -> Json {
        match shape {
            Shape::Leaf(leaf) if [COUNT, NUMBER, SPAN, SHARE].contains(leaf) => self.or_input(json_leaf(leaf)),
            Shape::Leaf(leaf) => json_leaf(leaf),
            Shape::Words(words) => {
                let words = self.define(words().name, |_| json_words(&words()));
                self.or_input(words)
            }
            Shape::List(items) => json!({ "type": "array", "items": self.shape(items) }),
            Shape::Map { key, value } => {
                let mut map = json!({ "type": "object", "additionalProperties": self.shape(value) });
                if !key.pattern.is_empty() {
                    map["propertyNames"] = json!({ "pattern": key.pattern });
                }
                map
            }
            Shape::Record(record) => self.define(record().name, |all| all.record(&record())),
            Shape::Choice(choice) => self.define(choice().name, |all| all.choice(&choice())),
            Shape::Either(shapes) => {
                let forms: Vec<Json> = shapes.iter().map(|shape| self.shape(shape)).collect();
                json!({ "anyOf": forms })
            }
        }
    }

    /// A value, or `{ input: NAME }` in its place.
    fn or_input(&mut self, value: Json) -> Json {
        if !self.inputs {
            return value;
        }
        let input = self.define("UseOfInput", |_| {
            json!({
                "type": "object",
                "description": "The value of an input of this experiment.",
                "properties": { "input": { "type": "string", "pattern": InputName::LEAF.pattern } },
                "required": ["input"],
                "additionalProperties": false,
            })
        });
        json!({ "anyOf": [value, input] })
    }

    /// Puts a definition under its name, once, and refers to it.
    fn define(&mut self, name: &str, make: impl FnOnce(&mut Definitions) -> Json) -> Json {
        if !self.all.contains_key(name) {
            self.all.insert(name.to_owned(), Json::Null);
            let made = make(self);
            self.all.insert(name.to_owned(), made);
        }
        json!({ "$ref": format!("#/$defs/{name}") })
    }

    fn record(&mut self, record: &Record) -> Json {
        let mut properties = Map::new();
        for field in &record.fields {
            properties.insert(field.key.into(), self.field(field));
        }
        let keys = |presence: &Presence| -> Vec<&str> {
            record.fields.iter().filter(|field| field.presence == *presence).map(|field| field.key).collect()
        };
        let mut schema = json!({
            "type": "object",
            "description": record.doc,
            "properties": properties,
            "additionalProperties": false,
        });
        let required = keys(&Presence::Required);
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        let one_of: Vec<Json> = keys(&Presence::OneOf).into_iter().map(|key| json!({ "required": [key] })).collect();
        if !one_of.is_empty() {
            schema["oneOf"] = json!(one_of);
        }
        schema
    }

    fn field(&mut self, field: &Field) -> Json {
        let mut schema = self.shape(&field.shape);
        schema["description"] = json!(field.doc);
        if let Presence::Default(value) = &field.presence
            && !value.is_null()
        {
            schema["default"] = value.clone();
        }
        schema
    }

    fn choice(&mut self, choice: &Choice) -> Json {
        let mut properties = Map::new();
        for arm in &choice.arms {
            let mut schema = self.shape(&arm.shape);
            schema["description"] = json!(arm.doc);
            properties.insert(arm.key.into(), schema);
        }
        json!({
            "type": "object",
            "description": choice.doc,
            "properties": properties,
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        })
    }
}

fn json_leaf(leaf: &Leaf) -> Json {
    // An account's number is a text, and is often not quoted.
    let types: Vec<&str> = leaf.json_type.split(" or ").collect();
    let mut schema = match types.as_slice() {
        [one] => json!({ "type": one }),
        several => json!({ "type": several }),
    };
    if !leaf.pattern.is_empty() {
        schema["pattern"] = json!(leaf.pattern);
    }
    let examples: Vec<Json> = match leaf.json_type {
        text if text.starts_with("string") => {
            leaf.examples.iter().filter(|example| **example != "...").map(|example| json!(example)).collect()
        }
        _ => leaf.examples.iter().filter_map(|example| serde_json::from_str(example).ok()).collect(),
    };
    if !examples.is_empty() {
        schema["examples"] = json!(examples);
    }
    if leaf.json_type == "integer" {
        schema["minimum"] = json!(0);
    }
    schema
}

fn json_words(words: &Words) -> Json {
    let words_json: Vec<Json> =
        words.words.iter().map(|(word, doc)| json!({ "const": word, "description": doc })).collect();
    json!({ "description": words.doc, "oneOf": words_json })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_tables_share_a_name() {
        // Two with one name would be one definition, and one of them wrong.
        fn walk(shape: &Shape, seen: &mut std::collections::BTreeMap<&'static str, String>) {
            let (name, doc, inner) = match shape {
                Shape::Leaf(_) => return,
                Shape::List(inner) | Shape::Map { value: inner, .. } => return walk(inner, seen),
                Shape::Either(shapes) => return shapes.iter().for_each(|shape| walk(shape, seen)),
                Shape::Words(words) => (words().name, words().doc, Vec::new()),
                Shape::Record(record) => {
                    let record = record();
                    (record.name, record.doc, record.fields.into_iter().map(|field| field.shape).collect())
                }
                Shape::Choice(choice) => {
                    let choice = choice();
                    (choice.name, choice.doc, choice.arms.into_iter().map(|arm| arm.shape).collect())
                }
            };
            match seen.insert(name, doc.clone()) {
                Some(other) => assert_eq!(other, doc, "two tables are called {name}"),
                None => inner.iter().for_each(|shape| walk(shape, seen)),
            }
        }
        for shape in [Experiment::shape(), Hypothesis::shape(), Project::shape(), ScheduleFile::shape()] {
            walk(&shape, &mut std::collections::BTreeMap::new());
        }
    }

    #[test]
    fn a_schema_is_closed_and_says_what_keys_mean() {
        let schema = experiment();
        let inject = &schema["$defs"]["Inject"];
        assert_eq!(inject["additionalProperties"], json!(false));
        assert_eq!(inject["required"], json!(["inject", "for"]));
        assert_eq!(inject["properties"]["at"]["default"], json!("0s"));
        assert!(inject["properties"]["for"]["description"].as_str().unwrap().contains("rollback"));
        assert_eq!(schema["$defs"]["Target"]["oneOf"].as_array().unwrap().len(), 17);
    }
}
