//! Settings: the things on resources that squall reads, changes and puts back.
//!
//! Invariant: a setting knows everything that undo needs to know about it: its resource, its quiet time, how two
//! values compare, and the `aws` command that writes it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::target::Resource;
use crate::location::Location;
use crate::units::Span;

/// One thing on one resource that can be read and written. Adding a variant makes the compiler ask for its arms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// squall's own mark on a resource: which run has it, and how to undo that run. Written create-only.
    Mark { resource: Resource },
    /// A function's reserved concurrency: unset, or a number that also is a cap.
    ReservedConcurrency { function: Resource },
    /// One flag, by its key, in the JSON document of an SSM parameter that a fault wrapper reads.
    FaultFlag { parameter: Resource, key: String },
    /// The whole JSON document of an SSM parameter that a fault wrapper reads which knows one fault at a time.
    FaultDocument { parameter: Resource },
    /// An inline policy of a role, by its name.
    RolePolicy { role: Resource, policy: String },
    /// The variables of a function whose names begin with a prefix, as one JSON object of texts; unset when there are none.
    /// The account leaves all others alone.
    Variables { function: Resource, prefix: String },
}

/// What a setting holds. That a value is not known is an error of the read, never a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// The setting is not there. Restored by deleting.
    Unset,
    /// A count.
    Number(u64),
    /// A JSON document or a plain text.
    Text(String),
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The setting's own value.
    pub value: Value,
    /// For a key in a document: the whole document, byte for byte.
    pub whole: Option<String>,
}

/// A write of a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    pub setting: Setting,
    pub value: Value,
    /// For a key in a document: the whole document to put. The account writes these bytes and looks no further.
    pub whole: Option<String>,
}

impl Setting {
    /// The resource that the setting is on: for a mark, the marked one.
    pub fn resource(&self) -> &Resource {
        match self {
            Setting::Mark { resource } => resource,
            Setting::ReservedConcurrency { function } => function,
            Setting::FaultFlag { parameter, .. } | Setting::FaultDocument { parameter } => parameter,
            Setting::RolePolicy { role, .. } => role,
            Setting::Variables { function, .. } => function,
        }
    }

    /// Where the setting is.
    pub fn location(&self) -> &Location {
        &self.resource().location
    }

    /// Whether this is a mark.
    pub fn is_mark(&self) -> bool {
        matches!(self, Setting::Mark { .. })
    }

    /// Whether the setting is a key in a document that others share, so that a write needs the whole document.
    pub fn is_key(&self) -> bool {
        matches!(self, Setting::FaultFlag { .. })
    }

    /// How long after a write with an unknown outcome a read that shows the old value settles the question
    /// (DESIGN rule 4): the attempt's time-out plus how long the service may show an older value.
    pub fn quiet(&self) -> Span {
        match self {
            Setting::Mark { .. }
            | Setting::ReservedConcurrency { .. }
            | Setting::FaultFlag { .. }
            | Setting::FaultDocument { .. }
            | Setting::Variables { .. } => Span::from_secs(60),
            // IAM is eventually consistent without a bound; most reports say under a minute.
            Setting::RolePolicy { .. } => Span::from_secs(120),
        }
    }

    /// The setting in words: `reserved concurrency of function PaymentWorker`.
    pub fn describe(&self) -> String {
        match self {
            Setting::Mark { resource } => format!("mark on {resource}"),
            Setting::ReservedConcurrency { function } => format!("reserved concurrency of {function}"),
            Setting::FaultFlag { parameter, key } => format!("fault flag `{key}` in {parameter}"),
            Setting::FaultDocument { parameter } => format!("fault in {parameter}"),
            Setting::RolePolicy { role, policy } => format!("inline policy {policy} of {role}"),
            Setting::Variables { function, prefix } => format!("variables {prefix}* of {function}"),
        }
    }

    /// The name of the SSM parameter that holds a mark. Resource names may hold characters that a parameter name may
    /// not, and a parameter's own path begins with a slash: both are kept apart by escaping.
    pub fn mark_parameter(resource: &Resource) -> String {
        let mut name = String::new();
        for c in resource.name.chars() {
            match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' => name.push(c),
                other => name += &format!("_{:x}_", other as u32),
            }
        }
        format!("/squall/marks/{}/{name}", resource.kind.word())
    }

    /// The IAM actions that reading the setting takes.
    pub fn read_actions(&self) -> &'static [&'static str] {
        match self {
            Setting::Mark { .. } | Setting::FaultFlag { .. } | Setting::FaultDocument { .. } => &["ssm:GetParameter"],
            // It answers the reserved concurrency too, and has a limit of its own, far above the control plane's.
            Setting::ReservedConcurrency { .. } | Setting::Variables { .. } => &["lambda:GetFunction"],
            // The list tells a role without the policy from a role that is gone.
            Setting::RolePolicy { .. } => &["iam:GetRolePolicy", "iam:ListRolePolicies"],
        }
    }

    /// The IAM action that writes `value`.
    pub fn write_action(&self, value: &Value) -> &'static str {
        match (self, value) {
            (Setting::Mark { .. }, Value::Unset) => "ssm:DeleteParameter",
            // A flag is taken out by writing the document without it; its parameter is never deleted.
            (Setting::Mark { .. } | Setting::FaultFlag { .. } | Setting::FaultDocument { .. }, _) => "ssm:PutParameter",
            (Setting::ReservedConcurrency { .. }, Value::Unset) => "lambda:DeleteFunctionConcurrency",
            (Setting::ReservedConcurrency { .. }, _) => "lambda:PutFunctionConcurrency",
            (Setting::RolePolicy { .. }, Value::Unset) => "iam:DeleteRolePolicy",
            (Setting::RolePolicy { .. }, _) => "iam:PutRolePolicy",
            (Setting::Variables { .. }, _) => "lambda:UpdateFunctionConfiguration",
        }
    }

    /// The `aws` command that writes `value`, ready to paste; `whole` is the document for a key in one.
    pub fn aws_command(&self, value: &Value, whole: Option<&str>) -> String {
        match (self, value) {
            (Setting::Mark { resource }, Value::Unset) => {
                format!("aws ssm delete-parameter --name {}", quote(&Setting::mark_parameter(resource)))
            }
            (Setting::Mark { resource }, value) => format!(
                "aws ssm put-parameter --name {} --type String --no-overwrite --value {}",
                quote(&Setting::mark_parameter(resource)),
                quote(&value.to_string())
            ),
            (Setting::ReservedConcurrency { function }, Value::Unset) => {
                format!("aws lambda delete-function-concurrency --function-name {}", quote(&function.name))
            }
            (Setting::ReservedConcurrency { function }, value) => format!(
                "aws lambda put-function-concurrency --function-name {} --reserved-concurrent-executions {value}",
                quote(&function.name)
            ),
            (Setting::FaultFlag { parameter, key }, value) => {
                let document = whole.map_or_else(|| with_key("{}", key, value).unwrap_or_default(), str::to_owned);
                overwrite_command(&parameter.name, &document)
            }
            (Setting::FaultDocument { parameter }, value) => overwrite_command(&parameter.name, &value.to_string()),
            (Setting::RolePolicy { role, policy }, Value::Unset) => {
                format!("aws iam delete-role-policy --role-name {} --policy-name {}", quote(&role.name), quote(policy))
            }
            (Setting::RolePolicy { role, policy }, value) => format!(
                "aws iam put-role-policy --role-name {} --policy-name {} --policy-document {}",
                quote(&role.name),
                quote(policy),
                quote(&value.to_string())
            ),
            (Setting::Variables { function, prefix }, value) => variables_command(&function.name, prefix, value),
        }
    }
}

fn overwrite_command(parameter: &str, document: &str) -> String {
    format!("aws ssm put-parameter --name {} --type String --overwrite --value {}", quote(parameter), quote(document))
}

/// Lambda takes all variables of a function at once, so the command reads the others first. It needs `jq`.
fn variables_command(function: &str, prefix: &str, value: &Value) -> String {
    let ours = match value {
        Value::Text(text) => text.as_str(),
        Value::Unset | Value::Number(_) => "{}",
    };
    let name = quote(function);
    let merge = format!(".Variables |= (with_entries(select(.key | startswith(\"{prefix}\") | not)) + {ours})");
    format!(
        "aws lambda get-function-configuration --function-name {name} --query Environment | jq {} \
         | aws lambda update-function-configuration --function-name {name} --environment file:///dev/stdin",
        quote(&merge)
    )
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl Value {
    /// Whether both mean the same: texts that are JSON compare as JSON, because services re-format documents.
    pub fn same_as(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Text(a), Value::Text(b)) => a == b || same_document(a, b),
            (a, b) => a == b,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Unset => f.write_str("unset"),
            Value::Number(number) => write!(f, "{number}"),
            Value::Text(text) => f.write_str(text),
        }
    }
}

impl Observed {
    /// A setting that is not a key in a document.
    pub fn plain(value: Value) -> Observed {
        Observed { value, whole: None }
    }

    /// The value of `key` in a JSON document. An unreadable document is an error with its reason.
    pub fn key_in(document: &str, key: &str) -> Result<Observed, String> {
        let value = match object(document)?.get(key) {
            None => Value::Unset,
            Some(found) => Value::Text(found.to_string()),
        };
        Ok(Observed { value, whole: Some(document.to_owned()) })
    }
}

/// Whether two texts are the same JSON document; key order and white space do not count.
pub fn same_document(a: &str, b: &str) -> bool {
    match (serde_json::from_str::<Json>(a), serde_json::from_str::<Json>(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

/// `document` with `key` set to `value` (a JSON text or a number), or without it for [`Value::Unset`]. Everything else stays.
pub fn with_key(document: &str, key: &str, value: &Value) -> Result<String, String> {
    let mut object = object(document)?;
    match value {
        Value::Unset => {
            object.shift_remove(key);
        }
        Value::Number(number) => {
            object.insert(key.to_owned(), Json::from(*number));
        }
        Value::Text(text) => {
            let json = serde_json::from_str(text).map_err(|e| format!("the flag `{key}` is not JSON: {e}"))?;
            object.insert(key.to_owned(), json);
        }
    }
    Ok(Json::Object(object).to_string())
}

fn object(document: &str) -> Result<serde_json::Map<String, Json>, String> {
    match serde_json::from_str(document) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => Err("the document is not a JSON object".into()),
        Err(error) => Err(format!("the document is not JSON: {error}")),
    }
}

/// Quotes a word for a POSIX shell.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::ResourceKind;

    fn function(name: &str) -> Resource {
        Resource::new(&Location::sandbox(), ResourceKind::Function, name)
    }

    #[test]
    fn unset_is_restored_by_deleting() {
        let setting = Setting::ReservedConcurrency { function: function("pay") };
        assert_eq!(
            setting.aws_command(&Value::Unset, None),
            "aws lambda delete-function-concurrency --function-name pay"
        );
        assert!(setting.aws_command(&Value::Number(0), None).ends_with("--reserved-concurrent-executions 0"));
    }

    #[test]
    fn documents_compare_as_documents() {
        let value = |text: &str| Value::Text(text.into());
        assert!(value(r#"{"a": 1, "b": 2}"#).same_as(&value(r#"{"b":2,"a":1}"#)));
        assert!(!value(r#"{"a": 1}"#).same_as(&value(r#"{"a": 2}"#)));
        assert!(!value("0").same_as(&Value::Number(0)));
    }

    #[test]
    fn a_key_changes_and_the_rest_stays() {
        let document = r#"{"zeta": 1, "latency": {"enabled": false}}"#;
        let set = with_key(document, "latency", &Value::Text(r#"{"enabled":true}"#.into())).unwrap();
        assert_eq!(set, r#"{"zeta":1,"latency":{"enabled":true}}"#);
        assert_eq!(with_key(&set, "latency", &Value::Unset).unwrap(), r#"{"zeta":1}"#);
        assert!(with_key("[]", "latency", &Value::Unset).is_err());
    }

    #[test]
    fn marks_of_different_resources_have_different_names() {
        let names = ["a/b", "a_b", "a.b", "/a/b", "a_2f_b"].map(|n| Setting::mark_parameter(&function(n)));
        let mut unique = names.to_vec();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), names.len(), "{names:?}");
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quote("plain-name_1"), "plain-name_1");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(""), "''");
    }
}
