//! Connectors: permissions between two resources, by what they are.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::Sam;
use crate::ids::ResourceKind;
use crate::template::names::plain_type;
use crate::template::value::{Kind, Spot, Value};

/// What a connector from one type to another makes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Profile {
    r#type: ProfileType,
    /// Whether the policy is put on the source, or else on the destination.
    source_policy: bool,
    access_categories: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum ProfileType {
    #[serde(rename = "AWS_IAM_ROLE_MANAGED_POLICY")]
    Role,
    #[serde(rename = "AWS_SQS_QUEUE_POLICY")]
    Queue,
    #[serde(rename = "AWS_SNS_TOPIC_POLICY")]
    Topic,
    #[serde(rename = "AWS_LAMBDA_PERMISSION")]
    Permission,
}

fn profiles() -> &'static BTreeMap<String, Profile> {
    static PROFILES: OnceLock<BTreeMap<String, Profile>> = OnceLock::new();
    // A test reads the file.
    PROFILES.get_or_init(|| serde_json::from_str(include_str!("connectors.json")).unwrap_or_default())
}

/// A connector that waits until every resource is there.
pub(super) struct Connector {
    id: String,
    at: Spot,
    properties: Value,
    /// The resource that it is an attribute of.
    source: Option<String>,
}

/// One end of a connector.
struct End {
    type_name: String,
    arn: Value,
    url: Option<Value>,
    role: Option<Value>,
    id: Value,
    name: Value,
    qualifier: Value,
}

impl Sam<'_, '_> {
    /// Notes a connector.
    pub(super) fn connector(&mut self, id: &str, at: &Spot, properties: &Value, source: Option<&str>) {
        let source = source.map(str::to_owned);
        self.connectors.push(Connector { id: id.into(), at: at.clone(), properties: properties.clone(), source });
    }

    /// Makes the policies of every connector.
    pub(super) fn connect_roles(&mut self) {
        for connector in std::mem::take(&mut self.connectors) {
            let at = &connector.at;
            let own = connector.properties.some("Source").cloned();
            let reference = connector.properties.some("SourceReference");
            let source = match &connector.source {
                Some(id) => {
                    let mut source = reference.cloned().unwrap_or_else(|| at.value(Kind::Map(Vec::new())));
                    source.set("Id", at.text(id.clone()));
                    Some(source)
                }
                None => own,
            };
            let (Some(source), Some(destinations)) = (source, connector.properties.some("Destination")) else {
                self.refuse(
                    at,
                    format!("the connector {} needs a `Source` and a `Destination`", connector.id),
                    "SAM refuses it without",
                );
                continue;
            };
            let several = matches!(destinations.kind, Kind::List(_));
            for (number, destination) in destinations.each().iter().enumerate() {
                let suffix = if several { format!("Destination{number}") } else { String::new() };
                self.connect(&connector, &source, destination, &suffix);
            }
        }
    }

    fn connect(&mut self, connector: &Connector, source: &Value, destination: &Value, suffix: &str) {
        let at = &connector.at;
        let (Some(from), Some(to)) = (self.end(source, destination, at), self.end(destination, source, at)) else {
            return;
        };
        let Some(profile) = profiles().get(&format!("{} {}", from.type_name, to.type_name)) else {
            let what = format!("SAM has no connector from {} to {}", from.type_name, to.type_name);
            return self.refuse(at, what, "write the policy yourself");
        };
        let asked = connector.properties.get("Permissions").map(Value::each).unwrap_or_default();
        let asked: Vec<String> = asked.iter().filter_map(Value::plain).collect();
        if asked.is_empty() || asked.iter().any(|word| !profile.access_categories.contains_key(word)) {
            let known: Vec<&str> = profile.access_categories.keys().map(String::as_str).collect();
            let what = format!("the connector {} has `Permissions` that SAM does not know", connector.id);
            return self.refuse(at, what, &format!("write {}", known.join(" or ")));
        }
        let given = at.map([
            ("Source.Arn", from.arn.clone()),
            ("Destination.Arn", to.arn.clone()),
            ("Source.ResourceId", from.id.clone()),
            ("Source.Qualifier", from.qualifier.clone()),
            ("Destination.ResourceId", to.id.clone()),
            ("Destination.Qualifier", to.qualifier.clone()),
            ("Source.Name", from.name.clone()),
            ("Destination.Name", to.name.clone()),
        ]);
        let on = if profile.source_policy { &from } else { &to };
        let mut statements = Vec::new();
        for (word, category) in profile.access_categories.iter().filter(|(word, _)| asked.contains(word)) {
            // `%{Source.Arn}` is filled in like a parameter.
            let text = category.to_string().replace("%{", "${");
            let category = serde_json::from_str(&text).unwrap_or_default();
            let filled = self.fill(&category, &given, at);
            match profile.r#type {
                ProfileType::Permission => {
                    let mut permission = filled;
                    permission.set("FunctionName", on.arn.clone());
                    let id = format!("{}{word}LambdaPermission{suffix}", connector.id);
                    self.make(&id, "AWS::Lambda::Permission", at, permission);
                }
                _ => statements.extend(filled.get("Statement").map(Value::each).unwrap_or_default().iter().cloned()),
            }
        }
        let document = at.map([("Version", at.text("2012-10-17")), ("Statement", at.list(statements))]);
        let (id, kind, key, target) = match profile.r#type {
            ProfileType::Permission => return,
            ProfileType::Role => ("Policy", "AWS::IAM::ManagedPolicy", "Roles", on.role.clone()),
            ProfileType::Queue => ("QueuePolicy", "AWS::SQS::QueuePolicy", "Queues", on.url.clone()),
            ProfileType::Topic => ("TopicPolicy", "AWS::SNS::TopicPolicy", "Topics", Some(on.arn.clone())),
        };
        let Some(target) = target else {
            let what = format!("the connector {} finds no role to put its policy on", connector.id);
            return self.refuse(at, what, "the resource's role must be in the template");
        };
        let made = at.map([("PolicyDocument", document), (key, at.list([target]))]);
        self.make(&format!("{}{id}{suffix}", connector.id), kind, at, made);
    }

    /// One end: by its logical id, or as it was written out.
    fn end(&mut self, given: &Value, other: &Value, at: &Spot) -> Option<End> {
        let written = |key: &str| given.some(key).cloned();
        let Some(id) = given.some("Id").and_then(Value::plain) else {
            let Some(type_name) = given.some("Type").and_then(Value::plain) else {
                self.refuse(&given.at, "an end of a connector needs an `Id` or a `Type`", "SAM refuses it without");
                return None;
            };
            return Some(End {
                type_name: plain_type(&type_name).to_owned(),
                arn: written("Arn").unwrap_or_else(|| given.at.text("")),
                url: written("QueueUrl"),
                role: written("RoleName"),
                id: written("ResourceId").unwrap_or_else(|| given.at.text("")),
                name: written("Name").unwrap_or_else(|| given.at.text("")),
                qualifier: written("Qualifier").unwrap_or_else(|| given.at.text("*")),
            });
        };
        let Some(item) = self.items.iter().find(|item| item.id == id).cloned() else {
            self.refuse(
                &given.at,
                format!("the template has no resource `{id}`"),
                "a connector needs both of its ends",
            );
            return None;
        };
        let location = self.scope.location();
        let thing = self.scope.names.get(&id)?;
        let arn = thing.attribute("Arn", location).or_else(|| thing.reference(location));
        let url = (item.kind == "AWS::SQS::Queue").then(|| at.text(location.queue_url(&item.name)));
        let role = match item.kind.as_str() {
            "AWS::Lambda::Function" => item.properties.some("Role").cloned(),
            "AWS::StepFunctions::StateMachine" => item.properties.some("RoleArn").cloned(),
            "AWS::Events::Rule" => rule_role(&item.properties, other, self),
            _ => None,
        };
        let role = role.and_then(|role| self.scope.names.find(ResourceKind::Role, &role)).map(|name| at.text(name));
        Some(End {
            type_name: item.kind,
            arn: at.value(arn.unwrap_or(Kind::Null)),
            url,
            role,
            id: at.text(item.name.clone()),
            name: at.text(item.name),
            qualifier: written("Qualifier").unwrap_or_else(|| at.text("*")),
        })
    }
}

/// The role of the target of a rule that the connector leads to.
fn rule_role(rule: &Value, other: &Value, sam: &Sam<'_, '_>) -> Option<Value> {
    let location = sam.scope.location();
    let thing = sam.scope.names.get(&other.some("Id")?.plain()?)?;
    let arn = thing.attribute("Arn", location).or_else(|| thing.reference(location))?;
    let arn = rule.at.value(arn).key();
    let target = rule.get("Targets")?.items().iter().find(|target| target.get("Arn").and_then(Value::key) == arn)?;
    target.some("RoleArn").cloned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_connector_is_read() {
        assert_eq!(super::profiles().len(), 31);
    }
}
