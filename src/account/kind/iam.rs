//! IAM: roles and their inline policies.

use super::{
    Absence, ArnShape, Cli, Comparison, KindDescriptor, Sample, SettingDescriptor, json_is, json_text, quote, text_is,
};
use crate::account::setting::{Setting, Value};
use crate::account::target::{Resource, ResourceKind};
use crate::ids::RunId;
use crate::units::Span;

/// A role. It has no region, and its path is in its ARN, not in its name.
pub static ROLE: KindDescriptor = KindDescriptor {
    arn: ArnShape {
        service: "iam",
        has_region: false,
        has_account: true,
        before: "role/",
        names: |rest| rest.rsplit('/').take(1).map(str::to_owned).collect(),
    },
    types: &["AWS::IAM::Role"],
    physical_id_ends_with_name: false,
    // The tagging API does not know roles: `iam:GetAccountAuthorizationDetails` does.
    tag_filter: None,
    metrics: &[],
    find: &["iam:ListRolePolicies"],
    describe: &["iam:GetRole", "iam:ListRolePolicies", "iam:GetRolePolicy"],
    // Who runs as it.
    lists: &["lambda:ListFunctions"],
};

/// An inline policy of a role, by its name.
pub struct RolePolicy<'a> {
    pub role: &'a Resource,
    pub policy: &'a str,
}

impl<'a> SettingDescriptor<'a> for RolePolicy<'a> {
    fn resource(&self) -> &'a Resource {
        self.role
    }

    fn title(&self) -> String {
        format!("inline policy {} of {}", self.policy, self.role)
    }

    fn quiet(&self) -> Span {
        // IAM is eventually consistent without a bound; most reports say under a minute.
        Span::from_secs(120)
    }

    // The policy is squall's own, and was not there before. A role that is created again does not have it.
    fn absence(&self) -> Absence {
        Absence::Settles
    }

    fn compares(&self) -> Comparison {
        Comparison::Policy
    }

    /// squall adds policies of its own, named after the run, and never changes one that was there.
    fn could_be_changed_by(&self, run: &RunId, before: &Value, _after: &Value) -> Result<(), &'static str> {
        let ours = format!("squall-{run}");
        let named = self.policy.strip_prefix(&ours).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        match named && *before == Value::Unset {
            true => Ok(()),
            false => Err("it is not a policy of that run"),
        }
    }

    fn read_actions(&self) -> &'static [&'static str] {
        // The list tells a role without the policy from a role that is gone.
        &["iam:GetRolePolicy", "iam:ListRolePolicies"]
    }

    fn write_action(&self, value: &Value) -> &'static str {
        match value {
            Value::Unset => "iam:DeleteRolePolicy",
            _ => "iam:PutRolePolicy",
        }
    }

    fn is_command(&self, aws: &Cli, value: &Value, _whole: Option<&str>) -> String {
        let (role, policy) = (quote(&self.role.name), quote(self.policy));
        match value {
            Value::Unset => {
                let query = format!("PolicyNames[?@==`{}`] | length(@)", jmespath(self.policy));
                let list = format!("iam list-role-policies --role-name {role} --query {} --output text", quote(&query));
                text_is(&aws.call(&list), "0")
            }
            value => {
                let get = format!(
                    "iam get-role-policy --role-name {role} --policy-name {policy} --query PolicyDocument --output json"
                );
                json_is(&aws.call(&get), ".", &value.to_string())
            }
        }
    }

    fn write_command(&self, aws: &Cli, value: &Value, _whole: Option<&str>) -> String {
        let on = format!("--role-name {} --policy-name {}", quote(&self.role.name), quote(self.policy));
        aws.call(&match value {
            Value::Unset => format!("iam delete-role-policy {on}"),
            value => format!("iam put-role-policy {on} --policy-document {}", quote(&value.to_string())),
        })
    }

    fn sample(on: &dyn Fn(ResourceKind) -> Resource) -> Sample {
        let setting = Setting::RolePolicy { role: on(ResourceKind::Role), policy: "squall-sample".into() };
        // It has ended long ago: written, it denies nothing.
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"dynamodb:PutItem","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}}]}"#;
        Sample::plain(setting, Value::Text(document.into()))
    }
}
/// A text as a JSON literal of JMESPath, in which a backtick would end it.
fn jmespath(text: &str) -> String {
    json_text(text).replace('`', "\\u0060")
}
