//! Systems Manager: parameters, what fault wrappers read in them, and squall's locks.

use super::{ArnShape, Cli, Comparison, KindDescriptor, Sample, SettingDescriptor, Shares};
use super::{json_is, json_text, quote, text_is};
use crate::account::setting::{Setting, Value, with_key};
use crate::account::target::{Resource, ResourceKind};
use crate::deadman::branch::{ApiCall, Branch, Look, Shape};

/// A parameter. Its ARN does not tell a name from a path of one part.
pub static PARAMETER: KindDescriptor = KindDescriptor {
    arn: ArnShape::regional("ssm", "parameter/", |rest| match rest.contains('/') {
        true => vec![format!("/{rest}")],
        false => vec![rest.to_owned(), format!("/{rest}")],
    }),
    types: &["AWS::SSM::Parameter"],
    physical_id_ends_with_name: false,
    tag_filter: Some("ssm:parameter"),
    metrics: &[],
    find: &["ssm:GetParameter"],
    describe: &["ssm:GetParameter"],
    // Who reads it.
    lists: &["lambda:ListFunctions"],
};

const READ: &[&str] = &["ssm:GetParameter"];

fn get(aws: &Cli, parameter: &str) -> String {
    aws.call(&format!("ssm get-parameter --name {} --query Parameter.Value --output text", quote(parameter)))
}

fn overwrite(aws: &Cli, parameter: &str, document: &str) -> String {
    let name = quote(parameter);
    aws.call(&format!("ssm put-parameter --name {name} --type String --overwrite --value {}", quote(document)))
}

/// The name of the parameter that holds a resource's lock. Resource names may hold characters that a parameter name may
/// not, and a parameter's own path begins with a slash: both are kept apart by escaping.
pub fn lock_parameter(resource: &Resource) -> String {
    let mut name = String::new();
    for c in resource.name.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' => name.push(c),
            other => name += &format!("_{:x}_", other as u32),
        }
    }
    format!("/squall/marks/{}/{name}", resource.kind.word())
}

/// squall's own lock on a resource.
pub struct Lock<'a> {
    pub resource: &'a Resource,
}

impl<'a> SettingDescriptor<'a> for Lock<'a> {
    fn resource(&self) -> &'a Resource {
        self.resource
    }

    fn title(&self) -> String {
        format!("lock on {}", self.resource)
    }

    fn compares(&self) -> Comparison {
        Comparison::Json
    }

    fn is_described(&self) -> bool {
        false
    }

    fn read_actions(&self) -> &'static [&'static str] {
        READ
    }

    fn write_action(&self, value: &Value) -> &'static str {
        match value {
            Value::Unset => "ssm:DeleteParameter",
            _ => "ssm:PutParameter",
        }
    }

    /// A lock is long: that it is the run's own is enough.
    fn is_command(&self, aws: &Cli, value: &Value, _whole: Option<&str>) -> String {
        let get = get(aws, &lock_parameter(self.resource));
        let text = match value {
            Value::Unset => return text_is(&format!("{get} 2>/dev/null"), ""),
            value => value.to_string(),
        };
        let run = serde_json::from_str::<serde_json::Value>(&text)
            .ok()
            .and_then(|lock| lock["run"].as_str().map(str::to_owned));
        match run {
            Some(run) => text_is(&format!("{get} | jq -r .run"), &run),
            None => text_is(&get, &text),
        }
    }

    fn write_command(&self, aws: &Cli, value: &Value, _whole: Option<&str>) -> String {
        let name = quote(&lock_parameter(self.resource));
        aws.call(&match value {
            Value::Unset => format!("ssm delete-parameter --name {name}"),
            value => format!(
                "ssm put-parameter --name {name} --type String --no-overwrite --value {}",
                quote(&value.to_string())
            ),
        })
    }

    fn sample(on: &dyn Fn(ResourceKind) -> Resource) -> Sample {
        Sample::plain(
            Setting::Lock { resource: on(ResourceKind::Function) },
            Value::Text(r#"{"run":"run-sample"}"#.into()),
        )
    }
}

const NO_PARAMETER: &str = "Ssm.ParameterNotFoundException";
const GET: ApiCall = ApiCall { api: "ssm:getParameter", arguments: r#"{ "Name": "{% $name %}" }"# };

/// The document is written without the flag, or with the flag from before; the bytes from before where that is the same document.
/// JSONata keeps 15 digits of a number, so a document with longer ones is taken for another party's and left alone.
static FAULT_FLAG: Branch = Branch {
    setting: "fault_flag",
    kind: "parameter",
    shape: Shape::Json,
    has_key: true,
    has_document: true,
    reads: &[Look {
        call: GET,
        assigns: &[
            (
                "found",
                "$contains($states.result.Parameter.Value, /[0-9.]{16}/) ? {'unreadable': true} : \
                 ($document := $parse($states.result.Parameter.Value); $flag := $lookup($document, $change.key); \
                 $exists($flag) ? {'value': $flag} : {})",
            ),
            ("document", "$states.result.Parameter.Value"),
        ],
    }],
    write: ApiCall {
        api: "ssm:putParameter",
        arguments: r#"{
            "Name": "{% $name %}",
            "Value": "{% ($before := $change.before.value; $key := $change.key; $all := $parse($document); $rest := $sift($all, function($v, $k) { $k != $key }); $new := $exists($before) ? $merge([$all, {$key: $before}]) : $exists($rest) ? $rest : {}; $new = $parse($change.document) ? $change.document : $string($new)) %}",
            "Overwrite": true
        }"#,
    },
    delete: None,
    gone: NO_PARAMETER,
    reads_variables: false,
};

/// The document goes back byte for byte.
static FAULT_DOCUMENT: Branch = Branch {
    setting: "fault_document",
    kind: "parameter",
    shape: Shape::Json,
    has_key: false,
    has_document: true,
    reads: &[Look { call: GET, assigns: &[("found", "{'value': $parse($states.result.Parameter.Value)}")] }],
    write: ApiCall {
        api: "ssm:putParameter",
        arguments: r#"{ "Name": "{% $name %}", "Value": "{% $change.document %}", "Overwrite": true }"#,
    },
    delete: None,
    gone: NO_PARAMETER,
    reads_variables: false,
};

/// One flag, by its key, in the document of a parameter that a fault wrapper reads.
pub struct FaultFlag<'a> {
    pub parameter: &'a Resource,
    pub key: &'a str,
}

impl<'a> SettingDescriptor<'a> for FaultFlag<'a> {
    fn resource(&self) -> &'a Resource {
        self.parameter
    }

    fn title(&self) -> String {
        format!("fault flag `{}` in {}", self.key, self.parameter)
    }

    fn compares(&self) -> Comparison {
        Comparison::Json
    }

    fn shares(&self) -> Shares<'a> {
        Shares::Document { key: self.key }
    }

    fn read_actions(&self) -> &'static [&'static str] {
        READ
    }

    fn write_action(&self, _value: &Value) -> &'static str {
        // A flag is taken out by writing the document without it; its parameter is never deleted.
        "ssm:PutParameter"
    }

    /// The whole document has to be what it is compared with, because the whole document is written.
    fn is_command(&self, aws: &Cli, value: &Value, whole: Option<&str>) -> String {
        let get = get(aws, &self.parameter.name);
        match (whole, value) {
            (Some(document), _) => json_is(&get, ".", document),
            (None, Value::Unset) => json_is(&get, &format!("has({})", json_text(self.key)), "false"),
            (None, value) => json_is(&get, &format!(".[{}]", json_text(self.key)), &value.to_string()),
        }
    }

    fn write_command(&self, aws: &Cli, value: &Value, whole: Option<&str>) -> String {
        let document = whole.map_or_else(|| with_key("{}", self.key, value).unwrap_or_default(), str::to_owned);
        overwrite(aws, &self.parameter.name, &document)
    }

    fn branch(&self) -> Option<&'static Branch> {
        Some(&FAULT_FLAG)
    }

    fn sample(on: &dyn Fn(ResourceKind) -> Resource) -> Sample {
        let setting = Setting::FaultFlag { parameter: on(ResourceKind::Parameter), key: "exception".into() };
        let (value, whole) = (r#"{"enabled":true}"#, r#"{"exception":{"enabled":true}}"#);
        Sample { setting, value: Value::Text(value.into()), whole: Some(whole.into()) }
    }
}

/// The whole document of a parameter that a fault wrapper reads which knows one fault at a time.
pub struct FaultDocument<'a> {
    pub parameter: &'a Resource,
}

impl<'a> SettingDescriptor<'a> for FaultDocument<'a> {
    fn resource(&self) -> &'a Resource {
        self.parameter
    }

    fn title(&self) -> String {
        format!("fault in {}", self.parameter)
    }

    fn compares(&self) -> Comparison {
        Comparison::Json
    }

    fn read_actions(&self) -> &'static [&'static str] {
        READ
    }

    fn write_action(&self, _value: &Value) -> &'static str {
        "ssm:PutParameter"
    }

    fn is_command(&self, aws: &Cli, value: &Value, _whole: Option<&str>) -> String {
        json_is(&get(aws, &self.parameter.name), ".", &value.to_string())
    }

    fn write_command(&self, aws: &Cli, value: &Value, _whole: Option<&str>) -> String {
        overwrite(aws, &self.parameter.name, &value.to_string())
    }

    fn branch(&self) -> Option<&'static Branch> {
        Some(&FAULT_DOCUMENT)
    }

    fn sample(on: &dyn Fn(ResourceKind) -> Resource) -> Sample {
        let setting = Setting::FaultDocument { parameter: on(ResourceKind::Parameter) };
        Sample::plain(setting, Value::Text(r#"{"is_enabled":true}"#.into()))
    }
}
