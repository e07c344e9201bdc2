//! Roles and their policies.

use serde_json::{Value as Json, json};

use super::intrinsic::plain;
use super::properties::Properties;
use super::{Item, Template, tag};
use crate::account::ResourceKind;
use crate::spec::yaml::{Kind, Node};
use crate::template::app::{App, Role, arn};

impl Template<'_> {
    pub(super) fn role(&self, name: String, properties: &mut Properties<'_>, app: &mut App) {
        properties.ignore(&["RoleName", "AssumeRolePolicyDocument", "Description", "Path", "MaxSessionDuration"]);
        let mut role = Role { managed: properties.texts("ManagedPolicyArns"), ..Role::default() };
        for policy in properties.list("Policies") {
            let mut part = properties.of_item("Policies", policy);
            if let (Some(name), Some(document)) = (part.needed("PolicyName"), part.get("PolicyDocument")) {
                role.inline.insert(name, json_of(document).to_string());
            }
            properties.take(part);
        }
        tag(&name, properties, app);
        app.roles.insert(name, role);
    }

    /// A policy of its own, put on roles. A managed one counts as inline: the model changes neither.
    pub(super) fn policy(&self, item: &Item, properties: &mut Properties<'_>, app: &mut App) {
        properties.ignore(&["ManagedPolicyName", "Description", "Path"]);
        let name = properties.text("PolicyName").unwrap_or_else(|| item.id.clone());
        let Some(document) = properties.get("PolicyDocument") else { return };
        let document = json_of(document).to_string();
        for role in properties.texts("Roles") {
            match self.names.find(ResourceKind::Role, &role).and_then(|role| app.roles.get_mut(role)) {
                Some(role) => {
                    role.inline.insert(name.clone(), document.clone());
                }
                None => {
                    let what = format!("the role `{role}` is not in the template");
                    properties.not_modelled(properties.at, what, "the policy does nothing there in the model");
                }
            }
        }
    }

    /// An item of a function's `Policies`: a managed policy's name, a document, or one of SAM's policy templates.
    pub(super) fn sam_policy(&self, name: String, node: &Node, properties: &mut Properties<'_>, role: &mut Role) {
        if let Some(managed) = node.text() {
            role.managed.push(managed.to_owned());
            return;
        }
        if node.get("Statement").is_some() {
            role.inline.insert(name, json_of(node).to_string());
            return;
        }
        for entry in node.entries() {
            match sam_template(&entry.key, &entry.value) {
                Some(statement) => {
                    role.inline.insert(name.clone(), json!({ "Statement": [statement] }).to_string());
                }
                None => {
                    let what = format!("the sandbox does not know the policy template {}", entry.key);
                    properties.not_modelled(
                        entry.key_at,
                        what,
                        "it allows nothing in the model; write a `Statement` instead",
                    );
                }
            }
        }
    }
}

/// SAM's policy templates that allow something which the model checks, as SAM expands them.
fn sam_template(name: &str, given: &Node) -> Option<Json> {
    let text = |key: &str| given.get(key).and_then(|node| plain(&node.kind));
    let of = |kind: ResourceKind, key: &str| text(key).map(|name| arn(kind, &name));
    let (actions, resource): (&[&str], String) = match name {
        "SQSSendMessagePolicy" => (&["sqs:SendMessage*"], of(ResourceKind::Queue, "QueueName")?),
        "SQSPollerPolicy" => (
            &[
                "sqs:ChangeMessageVisibility",
                "sqs:ChangeMessageVisibilityBatch",
                "sqs:DeleteMessage",
                "sqs:DeleteMessageBatch",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
            ],
            of(ResourceKind::Queue, "QueueName")?,
        ),
        "DynamoDBCrudPolicy" => (
            &[
                "dynamodb:GetItem",
                "dynamodb:DeleteItem",
                "dynamodb:PutItem",
                "dynamodb:Scan",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
                "dynamodb:BatchWriteItem",
                "dynamodb:BatchGetItem",
                "dynamodb:DescribeTable",
                "dynamodb:ConditionCheckItem",
            ],
            of(ResourceKind::Table, "TableName")?,
        ),
        "DynamoDBWritePolicy" => (
            &["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem"],
            of(ResourceKind::Table, "TableName")?,
        ),
        "DynamoDBReadPolicy" => (
            &["dynamodb:GetItem", "dynamodb:Scan", "dynamodb:Query", "dynamodb:BatchGetItem", "dynamodb:DescribeTable"],
            of(ResourceKind::Table, "TableName")?,
        ),
        "SNSPublishMessagePolicy" => (&["sns:Publish"], of(ResourceKind::Topic, "TopicName")?),
        "SNSCrudPolicy" => (
            &[
                "sns:ListSubscriptionsByTopic",
                "sns:CreateTopic",
                "sns:SetTopicAttributes",
                "sns:Subscribe",
                "sns:Publish",
            ],
            of(ResourceKind::Topic, "TopicName")? + "*",
        ),
        "LambdaInvokePolicy" => (&["lambda:InvokeFunction"], of(ResourceKind::Function, "FunctionName")? + "*"),
        "SSMParameterReadPolicy" | "SSMParameterWithSlashPrefixReadPolicy" => (
            &["ssm:GetParameters", "ssm:GetParameter", "ssm:GetParametersByPath"],
            of(ResourceKind::Parameter, "ParameterName")?,
        ),
        _ => return None,
    };
    Some(json!({ "Effect": "Allow", "Action": actions, "Resource": resource }))
}

/// A node as JSON.
fn json_of(node: &Node) -> Json {
    match &node.kind {
        Kind::Null => Json::Null,
        Kind::Bool(value) => json!(value),
        Kind::Int(value) => json!(value),
        Kind::Float(value) => json!(value),
        Kind::Text(text) => json!(text),
        Kind::List(items) => items.iter().map(json_of).collect(),
        Kind::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), json_of(&entry.value))).collect(),
    }
}
