//! When two values of a setting mean the same. Services re-format documents and policies: what is read back need not be
//! byte for byte what was written.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::account::setting::Value;

/// How the values of a setting compare. Unset is the same as unset only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Byte for byte.
    Text,
    /// As numbers.
    Number,
    /// As JSON documents: key order and white space do not count.
    Json,
    /// As IAM policies: neither does the order of statements and of actions, nor whether one value is in a list
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>).
    Policy,
}

impl Comparison {
    /// Whether two values mean the same.
    pub fn same(self, a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Text(a), Value::Text(b)) if a == b => true,
            (Value::Text(a), Value::Text(b)) => match self {
                Comparison::Text => false,
                Comparison::Number => matches!((number(a), number(b)), (Some(a), Some(b)) if a == b),
                Comparison::Json => documents(a, b).is_some_and(|(a, b)| same_json(&a, &b)),
                Comparison::Policy => documents(a, b).is_some_and(|(a, b)| same_json(&policy(&a), &policy(&b))),
            },
            (Value::Number(count), Value::Text(text)) | (Value::Text(text), Value::Number(count)) => {
                self == Comparison::Number && number(text) == Some(*count)
            }
            (a, b) => a == b,
        }
    }
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

fn documents(a: &str, b: &str) -> Option<(Json, Json)> {
    Some((serde_json::from_str(a).ok()?, serde_json::from_str(b).ok()?))
}

/// Whether two texts are the same JSON document.
pub fn same_document(a: &str, b: &str) -> bool {
    documents(a, b).is_some_and(|(a, b)| same_json(&a, &b))
}

/// `1` and `1.0` are one number.
fn same_json(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_json(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, of_a)| b.get(key).is_some_and(|of_b| same_json(of_a, of_b)))
        }
        (a, b) => a == b,
    }
}

/// A policy with everything that does not count made equal.
fn policy(document: &Json) -> Json {
    let Json::Object(document) = document else { return document.clone() };
    let mut plain = document.clone();
    if let Some(statements) = plain.get_mut("Statement") {
        let mut all: Vec<Json> = listed(statements).iter().map(statement).collect();
        all.sort_by_cached_key(super::shell::sorted_text);
        *statements = Json::Array(all);
    }
    Json::Object(plain)
}

fn statement(statement: &Json) -> Json {
    let Json::Object(statement) = statement else { return statement.clone() };
    let part = |(key, value): (&String, &Json)| {
        let plain = match key.as_str() {
            // Names of actions are the same in capitals and small letters.
            "Action" | "NotAction" => set(value, |text| text.to_ascii_lowercase()),
            "Resource" | "NotResource" => set(value, str::to_owned),
            "Principal" | "NotPrincipal" => each(value, |of| set(of, str::to_owned)),
            "Condition" => each(value, |operator| each(operator, |values| set(values, str::to_owned))),
            _ => value.clone(),
        };
        (key.clone(), plain)
    };
    Json::Object(statement.iter().map(part).collect())
}

/// The values of an object, each made plain; anything else is taken as one value.
fn each(json: &Json, plain: impl Fn(&Json) -> Json) -> Json {
    match json {
        Json::Object(object) => {
            let parts: BTreeMap<&String, Json> = object.iter().map(|(key, value)| (key, plain(value))).collect();
            Json::Object(parts.into_iter().map(|(key, value)| (key.clone(), value)).collect())
        }
        other => set(other, str::to_owned),
    }
}

/// One value or a list of them, as a sorted list of texts without doubles. Conditions take `true` for `"true"`.
fn set(json: &Json, plain: impl Fn(&str) -> String) -> Json {
    let text = |json: &Json| match json {
        Json::String(text) => Json::String(plain(text)),
        Json::Bool(_) | Json::Number(_) => Json::String(json.to_string()),
        other => other.clone(),
    };
    let mut all: Vec<Json> = listed(json).iter().map(text).collect();
    all.sort_by_cached_key(Json::to_string);
    all.dedup();
    Json::Array(all)
}

fn listed(json: &Json) -> Vec<Json> {
    match json {
        Json::Array(items) => items.clone(),
        one => vec![one.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn documents_compare_as_documents() {
        let same = |a, b| Comparison::Json.same(&text(a), &text(b));
        assert!(same(r#"{"a": 1, "b": 2}"#, r#"{"b":2,"a":1.0}"#));
        assert!(!same(r#"{"a": 1}"#, r#"{"a": 2}"#));
        assert!(!same(r#"{"a": [1, 2]}"#, r#"{"a": [2, 1]}"#), "the order of a list counts");
        assert!(!same(r#"{"a": 18446744073709551615}"#, r#"{"a": 18446744073709551614}"#), "all digits count");
        assert!(same("not json", "not json") && !same("not json", "not  json"));
        assert!(!Comparison::Text.same(&text(r#"{"a": 1}"#), &text(r#"{"a":1}"#)));
    }

    #[test]
    fn numbers_compare_as_numbers() {
        assert!(Comparison::Number.same(&text("0090"), &Value::Number(90)));
        assert!(!Comparison::Number.same(&Value::Unset, &Value::Number(0)));
        assert!(!Comparison::Json.same(&text("0"), &Value::Number(0)));
    }

    #[test]
    fn policies_compare_as_policies() {
        let ours = r#"{"Version":"2012-10-17","Statement":[
            {"Sid":"a","Effect":"Deny","Action":["sqs:SendMessage","dynamodb:PutItem"],"Resource":"*"},
            {"Effect":"Allow","Action":"s3:*","Resource":["*"],"Condition":{"Bool":{"aws:SecureTransport":"true"}}}]}"#;
        let same = r#"{"Statement":[
            {"Resource":"*","Action":["s3:*"],"Effect":"Allow","Condition":{"Bool":{"aws:SecureTransport":true}}},
            {"Sid":"a","Effect":"Deny","Action":["DynamoDB:putitem","sqs:SendMessage"],"Resource":["*"]}],
            "Version":"2012-10-17"}"#;
        assert!(Comparison::Policy.same(&text(ours), &text(same)));
        assert!(!Comparison::Json.same(&text(ours), &text(same)));
        for (what, with) in [
            (r#""Effect":"Deny""#, r#""Effect":"Allow""#),
            ("sqs:SendMessage", "sqs:*"),
            ("2012-10-17", "2008-10-17"),
            (r#""true""#, r#""false""#),
            (r#""Sid":"a","#, ""),
        ] {
            assert!(!Comparison::Policy.same(&text(ours), &text(&ours.replace(what, with))), "{what}");
        }
        let one = r#"{"Statement":{"Effect":"Deny","Action":"a:B","Resource":"*"}}"#;
        let listed = r#"{"Statement":[{"Effect":"Deny","Action":"a:B","Resource":"*"}]}"#;
        assert!(Comparison::Policy.same(&text(one), &text(listed)));
    }
}
