//! The `aws` commands that do by hand what squall does: words for a POSIX shell with `jq`.

use serde_json::Value as Json;

use crate::location::{Location, Region};

/// How `aws` is called for one location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cli {
    pub region: Option<String>,
}

impl Cli {
    /// For a location. A sandbox has no region; its commands are there to be read.
    pub fn of(location: &Location) -> Cli {
        let region = Some(location.region.as_str()).filter(|region| !matches!(*region, "" | Region::SANDBOX));
        Cli { region: region.map(str::to_owned) }
    }

    /// `aws lambda get-function ... --region eu-west-1`.
    pub fn call(&self, words: &str) -> String {
        match &self.region {
            Some(region) => format!("aws {words} --region {}", quote(region)),
            None => format!("aws {words}"),
        }
    }
}

/// Holds while a command prints this text.
pub(super) fn text_is(command: &str, text: &str) -> String {
    format!("test \"$({command})\" = {}", quote(text))
}

/// Holds while a command prints this JSON, through a `jq` filter; key order and white space do not count. An empty text
/// is no output at all.
pub(super) fn json_is(command: &str, filter: &str, json: &str) -> String {
    text_is(&format!("{command} | jq -cS {}", quote(filter)), &canonical(json))
}

/// A JSON text as `jq -cS` prints it; what is no JSON stays.
fn canonical(text: &str) -> String {
    match serde_json::from_str::<Json>(text) {
        Ok(json) => sorted(&json).to_string(),
        Err(_) => text.to_owned(),
    }
}

fn sorted(json: &Json) -> Json {
    match json {
        Json::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            Json::Object(entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Json::Array(items) => Json::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// A text as a JSON string, which is how `jq` takes one.
pub(super) fn json_text(text: &str) -> String {
    Json::from(text).to_string()
}

/// A JSON object for a program of `jq`; what is none, and might be a program, is an empty one.
pub(super) fn object(text: &str) -> String {
    serde_json::from_str::<serde_json::Map<String, Json>>(text).map_or_else(|_| "{}".into(), |_| text.to_owned())
}

/// Quotes a word for a POSIX shell.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// A JSON value as a text that does not depend on the order of its keys.
pub(super) fn sorted_text(json: &Json) -> String {
    sorted(json).to_string()
}
