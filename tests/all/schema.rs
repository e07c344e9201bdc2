//! The JSON Schemas: they take every shipped file, and refuse what the reader refuses by shape alone.
//!
//! The validator here knows the part of draft 2020-12 that the schemas use, and stops at a keyword that it does not know.

#![expect(clippy::unwrap_used, clippy::panic, clippy::too_many_lines, reason = "these are tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::{Map, Value as Json, json};
use squall::spec::schema;
use squall::units::Time;
use squall::yaml::tree::{Kind, Node, parse};
use squall::yaml::{Code, Source};

/// Why a value does not fit, and where.
pub fn misfits(root: &Json, schema: &Json, value: &Json, at: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let object = Map::new();
    for (keyword, wanted) in schema.as_object().unwrap_or(&object) {
        let fits = |schema: &Json, value: &Json| misfits(root, schema, value, at).is_empty();
        let entries = value.as_object().into_iter().flatten();
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "examples" => {}
            // Widths of numbers say nothing of JSON; an instant is looked at below.
            "format" if wanted != "date-time" => {}
            "format" => {
                let other = value.as_str().is_some_and(|text| text.parse::<Time>().is_err());
                wrong.extend(other.then(|| format!("{at}: {value} is no instant")));
            }
            "$ref" => {
                let name = wanted.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                wrong.extend(misfits(root, &root["$defs"][name], value, at));
            }
            "type" => {
                let is_of = |wanted: &Json| match wanted.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    other => panic!("the type {other}"),
                };
                let is = wanted.as_array().map_or_else(|| is_of(wanted), |types| types.iter().any(is_of));
                wrong.extend((!is).then(|| format!("{at}: {value} is not of the type {wanted}")));
            }
            "properties" => {
                for (key, value) in entries {
                    if let Some(schema) = wanted.get(key) {
                        wrong.extend(misfits(root, schema, value, &format!("{at}/{key}")));
                    }
                }
            }
            "additionalProperties" => {
                for (key, value) in entries.filter(|(key, _)| schema["properties"].get(key).is_none()) {
                    match wanted {
                        Json::Bool(false) => wrong.push(format!("{at}: {key} is not known")),
                        wanted => wrong.extend(misfits(root, wanted, value, &format!("{at}/{key}"))),
                    }
                }
            }
            "propertyNames" => {
                let names = entries.filter(|(key, _)| !fits(wanted, &json!(key)));
                wrong.extend(names.map(|(key, _)| format!("{at}: {key} is not a name")));
            }
            "required" => {
                let missing =
                    wanted.as_array().unwrap().iter().filter(|key| value.get(key.as_str().unwrap()).is_none());
                wrong.extend(missing.map(|key| format!("{at}: {key} is missing")));
            }
            "items" => {
                for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                    wrong.extend(misfits(root, wanted, value, &format!("{at}/{index}")));
                }
            }
            "anyOf" if !wanted.as_array().unwrap().iter().any(|schema| fits(schema, value)) => {
                wrong.push(format!("{at}: {value} has none of the forms"));
            }
            "anyOf" => {}
            "oneOf" => {
                let fitting = wanted.as_array().unwrap().iter().filter(|schema| fits(schema, value)).count();
                wrong.extend((fitting != 1).then(|| format!("{at}: {fitting} forms fit {value}")));
            }
            "enum" => {
                let known = wanted.as_array().unwrap().contains(value);
                wrong.extend((!known).then(|| format!("{at}: {value} is not one of {wanted}")));
            }
            "uniqueItems" => {
                let items: Vec<String> = value.as_array().into_iter().flatten().map(Json::to_string).collect();
                let unique: BTreeSet<&String> = items.iter().collect();
                wrong.extend((unique.len() != items.len()).then(|| format!("{at}: an item is there twice")));
            }
            "const" => wrong.extend((wanted != value).then(|| format!("{at}: {value} is not {wanted}"))),
            "pattern" => {
                let pattern = Regex::new(wanted.as_str().unwrap()).unwrap();
                wrong.extend(value.as_str().filter(|text| !pattern.is_match(text)).map(|text| format!("{at}: {text}")));
            }
            "minimum" => {
                let small = value.as_f64().is_some_and(|number| number < wanted.as_f64().unwrap());
                wrong.extend(small.then(|| format!("{at}: {value} is too small")));
            }
            "maximum" => {
                let great = value.as_f64().is_some_and(|number| number > wanted.as_f64().unwrap());
                wrong.extend(great.then(|| format!("{at}: {value} is too great")));
            }
            "minProperties" | "maxProperties" => {
                let count = value.as_object().map_or(1, Map::len) as u64;
                wrong.extend((count != wanted.as_u64().unwrap()).then(|| format!("{at}: {count} keys")));
            }
            "minItems" | "maxItems" => {
                let count = value.as_array().map_or(0, Vec::len) as u64;
                let limit = wanted.as_u64().unwrap();
                let fits = if keyword == "minItems" { count >= limit } else { count <= limit };
                wrong.extend((!fits).then(|| format!("{at}: {count} items")));
            }
            other => panic!("the keyword {other}"),
        }
    }
    wrong
}

/// A tree as an editor sees it.
fn json(node: &Node) -> Json {
    match &node.kind {
        Kind::Null => Json::Null,
        Kind::Bool(value) => json!(value),
        Kind::Int(value) => json!(value),
        Kind::Float(value) => json!(value),
        Kind::Text(text) => json!(text),
        // Only where values were put into a tree.
        Kind::Input(input) => json!({ "input": input.name }),
        Kind::List(items) => items.iter().map(json).collect(),
        Kind::Map(entries) => {
            Json::Object(entries.iter().map(|entry| (entry.key.clone(), json(&entry.value))).collect())
        }
    }
}

fn tree(path: &Path) -> Option<Json> {
    let source = Source::open(path).ok()?;
    parse(&source).0.map(|node| json(&node))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    files
}

#[test]
fn every_shipped_file_fits_its_schema() {
    let shipped = [
        (schema::experiment(), files("experiments")),
        (schema::hypothesis(), files("hypotheses")),
        (schema::project(), vec!["squall.yaml".into(), "tests/findings/project/squall.yaml".into()]),
        (schema::schedule(), files("schedules")),
    ];
    for (schema, files) in shipped {
        assert!(!files.is_empty());
        for path in files {
            let wrong = misfits(&schema, &schema, &tree(&path).unwrap(), "");
            assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
        }
    }
}

#[test]
fn what_the_reader_refuses_by_shape_the_schema_refuses_too() {
    let by_shape = [Code::UnknownKey, Code::MissingKey, Code::WrongKind, Code::OneKey, Code::UnknownWord].map(Code::id);
    let mut compared = 0;
    for path in files("tests/findings") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // How many keys `tag` and `count` need is said in words only.
        // So is that `mean_gap` needs `starting`.
        let in_words = ["one-key-target-several", "missing-key-starting"];
        if !by_shape.iter().any(|code| name.starts_with(code)) || in_words.iter().any(|start| name.starts_with(start)) {
            continue;
        }
        let schema = match () {
            () if name.ends_with(".hypothesis.yaml") => schema::hypothesis(),
            () if name.ends_with(".project.yaml") => schema::project(),
            () if name.ends_with(".schedule.yaml") => schema::schedule(),
            () => schema::experiment(),
        };
        let value = tree(&path).unwrap();
        assert!(!misfits(&schema, &schema, &value, "").is_empty(), "the schema takes {name}");
        compared += 1;
    }
    assert!(compared >= 10, "{compared}");
}

#[test]
fn every_example_and_default_fits_its_own_schema() {
    fn walk(root: &Json, schema: &Json, seen: &mut usize) {
        let examples = schema["examples"].as_array().cloned().unwrap_or_default();
        for example in examples.iter().chain(schema.get("default")) {
            let wrong = misfits(root, schema, example, "");
            assert!(wrong.is_empty(), "{wrong:?} in {schema}");
            *seen += 1;
        }
        match schema {
            Json::Object(entries) => {
                for (key, inner) in entries.iter().filter(|(key, _)| *key != "examples") {
                    match key.as_str() {
                        // Names of a file's own, which may be words of a schema.
                        "properties" | "$defs" => {
                            inner.as_object().unwrap().values().for_each(|inner| walk(root, inner, seen))
                        }
                        _ => walk(root, inner, seen),
                    }
                }
            }
            Json::Array(items) => items.iter().for_each(|inner| walk(root, inner, seen)),
            _ => {}
        }
    }
    let mut seen = 0;
    for schema in [schema::experiment(), schema::hypothesis(), schema::project(), schema::schedule()] {
        walk(&schema, &schema, &mut seen);
    }
    assert!(seen > 30, "{seen}");
}
