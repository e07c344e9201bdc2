//! Lambda: functions, their reserved concurrency and their environment variables.

use super::{ArnShape, Cli, Comparison, KindDescriptor, Sample, SettingDescriptor, Shares, Unit};
use super::{json_is, json_text, object, quote, text_is, up_to_colon};
use crate::account::setting::{Setting, Value};
use crate::account::target::{Resource, ResourceKind};
use crate::deadman::branch::{ApiCall, Branch, Look, Shape};
use crate::ids::RunId;

/// A function.
pub static FUNCTION: KindDescriptor = KindDescriptor {
    // What follows the name is a version or an alias of the same function.
    arn: ArnShape::regional("lambda", "function:", up_to_colon),
    types: &["AWS::Lambda::Function"],
    physical_id_ends_with_name: false,
    tag_filter: Some("lambda:function"),
    metrics: &[("AWS/Lambda", "FunctionName")],
    find: &["lambda:GetFunction"],
    // Its aliases lead to published versions.
    describe: &["lambda:GetFunction", "lambda:ListAliases"],
    lists: &["lambda:GetAccountSettings", "lambda:ListEventSourceMappings"],
};

/// What Step Functions calls the error that there is no such function.
const NO_FUNCTION: &str = "Lambda.ResourceNotFoundException";

/// `GetFunctionConcurrency` and not `GetFunction`, which would put the function's variables into the execution's history.
static RESERVED_CONCURRENCY: Branch = Branch {
    setting: "reserved_concurrency",
    kind: "function",
    shape: Shape::Count,
    has_key: false,
    has_document: false,
    reads: &[Look {
        call: ApiCall { api: "lambda:getFunctionConcurrency", arguments: r#"{ "FunctionName": "{% $name %}" }"# },
        assigns: &[(
            "found",
            "$exists($states.result.ReservedConcurrentExecutions) ? \
             {'value': $states.result.ReservedConcurrentExecutions} : {}",
        )],
    }],
    write: ApiCall {
        api: "lambda:putFunctionConcurrency",
        arguments: r#"{ "FunctionName": "{% $name %}", "ReservedConcurrentExecutions": "{% $change.before.value %}" }"#,
    },
    delete: Some(ApiCall {
        api: "lambda:deleteFunctionConcurrency",
        arguments: r#"{ "FunctionName": "{% $name %}" }"#,
    }),
    gone: NO_FUNCTION,
    reads_variables: false,
};

/// Lambda takes all variables of a function at once: the others are read and written with them, under the revision that was read.
static VARIABLES: Branch = Branch {
    setting: "variables",
    kind: "function",
    shape: Shape::Texts,
    has_key: false,
    has_document: false,
    reads: &[Look {
        call: ApiCall { api: "lambda:getFunctionConfiguration", arguments: r#"{ "FunctionName": "{% $name %}" }"# },
        assigns: &[
            (
                "found",
                "($ours := $sift($states.result.Environment.Variables, function($v, $k) \
                 { $contains($k, /^CHAOS_EXTENSION__LAMBDA__/) }); $exists($ours) ? {'value': $ours} : {})",
            ),
            (
                "others",
                "($others := $sift($states.result.Environment.Variables, function($v, $k) \
                 { $not($contains($k, /^CHAOS_EXTENSION__LAMBDA__/)) }); $exists($others) ? $others : {})",
            ),
            ("revision", "$states.result.RevisionId"),
        ],
    }],
    write: ApiCall {
        api: "lambda:updateFunctionConfiguration",
        arguments: r#"{
            "FunctionName": "{% $name %}",
            "RevisionId": "{% $revision %}",
            "Environment": { "Variables": "{% $merge([$others, $exists($change.before.value) ? $change.before.value : {}]) %}" }
        }"#,
    },
    delete: None,
    gone: NO_FUNCTION,
    reads_variables: true,
};

/// A function's reserved concurrency: unset, or a number that also is a cap.
pub struct ReservedConcurrency<'a> {
    pub function: &'a Resource,
}

impl<'a> SettingDescriptor<'a> for ReservedConcurrency<'a> {
    fn resource(&self) -> &'a Resource {
        self.function
    }

    fn title(&self) -> String {
        format!("reserved concurrency of {}", self.function)
    }

    fn compares(&self) -> Comparison {
        Comparison::Number
    }

    fn unit(&self) -> Unit {
        Unit::Things("execution", "executions")
    }

    fn read_actions(&self) -> &'static [&'static str] {
        // It answers the reserved concurrency too, and has a limit of its own, far above the control plane's.
        &["lambda:GetFunction"]
    }

    fn write_action(&self, value: &Value) -> &'static str {
        match value {
            Value::Unset => "lambda:DeleteFunctionConcurrency",
            _ => "lambda:PutFunctionConcurrency",
        }
    }

    fn is_command(&self, aws: &Cli, value: &Value, _whole: Option<&str>) -> String {
        let get = format!(
            "lambda get-function-concurrency --function-name {} --query ReservedConcurrentExecutions --output text",
            quote(&self.function.name)
        );
        let text = match value {
            Value::Unset => "None".to_owned(),
            value => value.to_string(),
        };
        text_is(&aws.call(&get), &text)
    }

    fn write_command(&self, aws: &Cli, value: &Value, _whole: Option<&str>) -> String {
        let name = quote(&self.function.name);
        aws.call(&match value {
            Value::Unset => format!("lambda delete-function-concurrency --function-name {name}"),
            value => format!(
                "lambda put-function-concurrency --function-name {name} --reserved-concurrent-executions {}",
                quote(&value.to_string())
            ),
        })
    }

    fn branch(&self) -> Option<&'static Branch> {
        Some(&RESERVED_CONCURRENCY)
    }

    fn sample(on: &dyn Fn(ResourceKind) -> Resource) -> Sample {
        Sample::plain(Setting::ReservedConcurrency { function: on(ResourceKind::Function) }, Value::Number(2))
    }
}

/// What the names of the variables begin with that chaos-lambda-extension reads for latency. squall writes no others.
pub const WRAPPER_PREFIX: &str = "CHAOS_EXTENSION__LAMBDA__";

/// Whether a value of variables has the wrapper's and no others.
fn is_of_wrapper(value: &Value) -> bool {
    match value {
        Value::Unset => true,
        Value::Number(_) => false,
        Value::Text(text) => serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text)
            .is_ok_and(|map| map.iter().all(|(key, value)| key.starts_with(WRAPPER_PREFIX) && value.is_string())),
    }
}

/// The variables of a function whose names begin with a prefix.
pub struct Variables<'a> {
    pub function: &'a Resource,
    pub prefix: &'a str,
}

impl Variables<'_> {
    fn ours<'v>(&self, value: &'v Value) -> &'v str {
        match value {
            Value::Text(text) => text,
            Value::Unset | Value::Number(_) => "{}",
        }
    }
}

impl<'a> SettingDescriptor<'a> for Variables<'a> {
    fn resource(&self) -> &'a Resource {
        self.function
    }

    fn title(&self) -> String {
        format!("variables {}* of {}", self.prefix, self.function)
    }

    fn compares(&self) -> Comparison {
        Comparison::Json
    }

    fn shares(&self) -> Shares<'a> {
        // (<https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html>)
        Shares::Others { token: "RevisionId" }
    }

    fn could_be_changed_by(&self, _run: &RunId, before: &Value, after: &Value) -> Result<(), &'static str> {
        match self.prefix == WRAPPER_PREFIX && is_of_wrapper(before) && is_of_wrapper(after) {
            true => Ok(()),
            false => Err("these are not variables of the fault wrapper"),
        }
    }

    fn read_actions(&self) -> &'static [&'static str] {
        &["lambda:GetFunction"]
    }

    fn write_action(&self, _value: &Value) -> &'static str {
        "lambda:UpdateFunctionConfiguration"
    }

    fn is_command(&self, aws: &Cli, value: &Value, _whole: Option<&str>) -> String {
        let get = format!(
            "lambda get-function-configuration --function-name {} --query Environment.Variables --output json",
            quote(&self.function.name)
        );
        let filter = format!("(. // {{}}) | with_entries(select(.key | startswith({})))", json_text(self.prefix));
        json_is(&aws.call(&get), &filter, self.ours(value))
    }

    /// Lambda takes all variables of a function at once, so the command reads the others first. It needs `jq`.
    fn write_command(&self, aws: &Cli, value: &Value, _whole: Option<&str>) -> String {
        let name = quote(&self.function.name);
        let merge = format!(
            ".Variables |= (with_entries(select(.key | startswith({}) | not)) + {})",
            json_text(self.prefix),
            object(self.ours(value))
        );
        let get = format!("lambda get-function-configuration --function-name {name} --query Environment");
        let put =
            format!("lambda update-function-configuration --function-name {name} --environment file:///dev/stdin");
        format!("{} | jq {} | {}", aws.call(&get), quote(&merge), aws.call(&put))
    }

    fn branch(&self) -> Option<&'static Branch> {
        Some(&VARIABLES)
    }

    fn sample(on: &dyn Fn(ResourceKind) -> Resource) -> Sample {
        let setting = Setting::Variables { function: on(ResourceKind::Function), prefix: "CHAOS_".into() };
        Sample::plain(setting, Value::Text(r#"{"CHAOS_A":"1"}"#.into()))
    }
}
