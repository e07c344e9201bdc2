//! Settings: the things on resources that squall reads, changes and puts back.
//!
//! Invariant: a setting knows everything that rollback needs to know about it: its resource, its quiet time, how two
//! values compare, and the `aws` command that writes it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::kind::{self, Absence, Cli, Sample, SettingDescriptor, Shares, Unit};
use super::target::{Resource, ResourceKind};
use crate::deadman::branch::Branch;
use crate::ids::RunId;
use crate::location::{AccountIdentity, Location};
use crate::units::Span;

pub use super::kind::{quote, same_document};

/// The closed list of settings: what each is on, what else names it, and the file of `account/kind` that has its
/// descriptor, a type of the same name. The enums of all settings, here and as they are written, are made from this list.
/// What is written names a setting by its name here, in snake case: a name never changes.
macro_rules! every_setting {
    ($with:ident) => {
        $with! {
            /// squall's own lock on a resource: which run has it, and how to roll that run back. Written create-only.
            Lock { resource } in ssm,
            /// A function's reserved concurrency: unset, or a number that also is a cap.
            ReservedConcurrency { function } in lambda,
            /// One flag, by its key, in the JSON document of an SSM parameter that a fault wrapper reads.
            FaultFlag { parameter, key } in ssm,
            /// The whole JSON document of an SSM parameter that a fault wrapper reads which knows one fault at a time.
            FaultDocument { parameter } in ssm,
            /// An inline policy of a role, by its name.
            RolePolicy { role, policy } in iam,
            /// The variables of a function whose names begin with a prefix, as one JSON object of texts; unset when there
            /// are none. All others are left alone.
            Variables { function, prefix } in lambda,
            /// How long a queue hides each new message, in seconds.
            QueueDelay { queue } in sqs,
        }
    };
}
pub(crate) use every_setting;

macro_rules! settings {
    ($($(#[$meta:meta])+ $variant:ident { $on:ident $(, $more:ident)* } in $service:ident),+ $(,)?) => {
        /// One thing on one resource that can be read and written.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Setting {
            $($(#[$meta])+ $variant { $on: Resource $(, $more: String)* }),+
        }

        impl Setting {
            /// Looks something up in the setting's descriptor.
            fn look<'a, T>(&'a self, look: impl FnOnce(&dyn SettingDescriptor<'a>) -> T) -> T {
                match self {
                    $(Setting::$variant { $on $(, $more)* } => look(&kind::$service::$variant { $on $(, $more)* })),+
                }
            }

            /// How the dead-man switch rolls back each setting that has to be, in the order of their names.
            pub fn branches() -> Vec<Branch> {
                let anywhere = |kind| Resource::new(&Location::sandbox(), kind, "");
                let samples = Setting::samples(&anywhere);
                let mut all: Vec<Branch> = samples.iter().filter_map(|sample| sample.setting.branch().copied()).collect();
                all.sort_by_key(|branch| branch.setting);
                all
            }

            /// One of each setting, with a value that it may be given, on the resource that `on` says for its kind. What has
            /// to know every setting is tested with these.
            pub fn samples(on: &dyn Fn(ResourceKind) -> Resource) -> Vec<Sample> {
                vec![$(kind::$service::$variant::sample(on)),+]
            }
        }
    };
}
every_setting!(settings);

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

impl Write {
    /// The write that takes a setting from what was just read to `value`. A key in a document goes with the whole document: as it
    /// was read but for the key, and byte for byte as it was before the run where that is the same document.
    ///
    /// # Errors
    /// The document is not a JSON object.
    pub fn over(
        setting: &Setting,
        observed: &Observed,
        value: &Value,
        whole_before: Option<&str>,
    ) -> Result<Write, String> {
        let whole = match (setting.key(), &observed.whole) {
            (Some(key), Some(document)) => Some(with_key(document, key, value)?),
            _ => None,
        };
        let whole = match (whole, whole_before) {
            (Some(new), Some(before)) if same_document(&new, before) => Some(before.to_owned()),
            (whole, _) => whole,
        };
        Ok(Write { setting: setting.clone(), value: value.clone(), whole })
    }
}

impl Setting {
    /// The resource that the setting is on: for a lock, the locked one.
    pub fn resource(&self) -> &Resource {
        self.look(|it| it.resource())
    }

    /// Where the setting is.
    pub fn location(&self) -> &Location {
        &self.resource().location
    }

    /// Whether a published version of its resource holds its value for good.
    pub fn is_published(&self) -> bool {
        matches!(self, Setting::Variables { .. })
    }

    /// Whether this is a lock.
    pub fn is_lock(&self) -> bool {
        matches!(self, Setting::Lock { .. })
    }

    /// The key that it is in a document that others share, if it is one: a write needs the whole document.
    pub fn key(&self) -> Option<&str> {
        match self.look(|it| it.shares()) {
            Shares::Document { key } => Some(key),
            Shares::Nothing | Shares::Others { .. } => None,
        }
    }

    /// Whether it is part of what its resource is described as.
    pub fn is_described(&self) -> bool {
        self.look(|it| it.is_described())
    }

    /// How long after a write with an unknown outcome a read that shows the old value settles the question
    /// (DESIGN rule 4).
    pub fn quiet(&self) -> Span {
        self.look(|it| it.quiet())
    }

    /// Whether faults make it more, as a delay. Of a limit they make less.
    pub fn faults_raise(&self) -> bool {
        self.look(|it| it.faults_raise())
    }

    /// Whether a run of squall could have changed the setting from `before` to `after`, and if not, why. What is outside of
    /// squall may say anything.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence about the setting: `it is a number`.
    pub fn could_be_changed_by(&self, run: &RunId, before: &Value, after: &Value) -> Result<(), &'static str> {
        self.look(|it| it.could_be_changed_by(run, before, after))
    }

    /// What it says about a change when the resource is not there any more.
    pub fn absence(&self) -> Absence {
        self.look(|it| it.absence())
    }

    /// Whether two of its values mean the same.
    pub fn same(&self, a: &Value, b: &Value) -> bool {
        self.look(|it| it.compares()).same(a, b)
    }

    /// How the dead-man switch reads and writes it; `None` for a setting that it never has to roll back.
    pub fn branch(&self) -> Option<&'static Branch> {
        self.look(|it| it.branch())
    }

    /// The setting in words: `reserved concurrency of function PaymentWorker`.
    pub fn describe(&self) -> String {
        self.look(|it| it.title())
    }

    /// A value of it with its unit: `2 executions`.
    pub fn shown(&self, value: &Value) -> String {
        match (value, self.look(|it| it.unit())) {
            (Value::Number(n), Unit::Seconds) => format!("{n} s"),
            (Value::Number(1), Unit::Things(one, _)) => format!("1 {one}"),
            (Value::Number(n), Unit::Things(_, many)) => format!("{n} {many}"),
            (value, _) => value.to_string(),
        }
    }

    /// The name of the SSM parameter that holds a lock.
    pub fn lock_parameter(resource: &Resource) -> String {
        kind::ssm::lock_parameter(resource)
    }

    /// The service that reads and writes it, as its actions have it: `lambda`.
    pub fn service(&self) -> &'static str {
        self.read_actions().first().and_then(|action| action.split(':').next()).unwrap_or_default()
    }

    /// The IAM actions that reading the setting takes.
    pub fn read_actions(&self) -> &'static [&'static str] {
        self.look(|it| it.read_actions())
    }

    /// The IAM action that writes `value`.
    pub fn write_action(&self, value: &Value) -> &'static str {
        self.look(|it| it.write_action(value))
    }

    /// The `aws` command that writes `value`, ready to paste; `whole` is the document for a key in one.
    pub fn aws_command(&self, value: &Value, whole: Option<&str>) -> String {
        let location = self.location();
        let command = self.look(|it| it.write_command(&Cli::of(location), value, whole));
        format!("{command}{}", of_account(location))
    }

    /// The `aws` command that rolls back from `after` to `before`, if the setting still is `after`. The documents are
    /// those for a key in one: as it is while the change is in, and as it is to be.
    pub fn aws_rollback(&self, after: (&Value, Option<&str>), before: (&Value, Option<&str>)) -> String {
        let location = self.location();
        let aws = Cli::of(location);
        let compare = self.look(|it| it.is_command(&aws, after.0, after.1));
        let write = self.look(|it| it.write_command(&aws, before.0, before.1));
        format!("{compare} && {write}{}", of_account(location))
    }
}

/// For whom a command is, behind it.
fn of_account(location: &Location) -> String {
    match &location.account {
        AccountIdentity::Aws { id, endpoint: None, .. } => format!("  # account {id}"),
        AccountIdentity::Aws { id, endpoint: Some(host), .. } => format!("  # account {id} at {host}"),
        AccountIdentity::Sandbox { .. } | AccountIdentity::Nickname { .. } => String::new(),
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
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

#[cfg(test)]
mod tests {
    use super::*;

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

    /// Each `aws` in a command has its region, the account stands behind, and a rollback begins with its condition.
    #[test]
    fn commands_name_their_region_and_account_and_a_rollback_compares() {
        let aws = Location::of_aws("111122223333".parse().unwrap(), "eu-west-1".parse().unwrap(), None);
        let on = |kind| Resource::new(&aws, kind, "x");
        for Sample { setting, value, whole } in Setting::samples(&on) {
            let region = setting.location().region.as_str();
            let written = setting.aws_command(&value, whole.as_deref());
            let back = setting.aws_rollback((&value, whole.as_deref()), (&Value::Unset, Some("{}")));
            for command in [&written, &back] {
                let (calls, regions) = (command.matches("aws ").count(), command.matches("--region ").count());
                assert_eq!(calls, regions, "{command}");
                assert!(command.contains(&format!("--region {region}")), "{command}");
                assert!(command.ends_with("  # account 111122223333"), "{command}");
            }
            assert!(back.starts_with("test \"$(aws ") && back.contains(" && "), "{back}");
        }
        let emulator =
            Location::of_aws("000000000000".parse().unwrap(), "eu-west-1".parse().unwrap(), Some("http://here:1"));
        let function = Resource::new(&emulator, ResourceKind::Function, "x");
        let command = Setting::ReservedConcurrency { function }.aws_command(&Value::Number(1), None);
        assert!(command.ends_with("--region eu-west-1  # account 000000000000 at here:1"), "{command}");
    }

    #[test]
    fn values_have_their_unit() {
        let reserved = Setting::ReservedConcurrency { function: function("pay") };
        let queue = Resource::new(&Location::sandbox(), ResourceKind::Queue, "orders");
        let shown = [Value::Unset, Value::Number(1), Value::Number(2)].map(|value| reserved.shown(&value));
        assert_eq!(shown, ["unset", "1 execution", "2 executions"]);
        assert_eq!(Setting::QueueDelay { queue }.shown(&Value::Number(90)), "90 s");
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
        let names = ["a/b", "a_b", "a.b", "/a/b", "a_2f_b"].map(|n| Setting::lock_parameter(&function(n)));
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
