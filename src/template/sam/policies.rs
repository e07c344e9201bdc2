//! SAM's policy templates, and the roles that SAM makes.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::{Sam, passed, tags};
use crate::template::Resource;
use crate::template::value::{Kind, Pieces, Spot, Value};
use crate::yaml::Code;
use crate::yaml::read::closest;

/// A policy template: its statements are texts in which parameters are put as `${Name}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct PolicyTemplate {
    parameters: Vec<String>,
    statement: serde_json::Value,
}

fn templates() -> &'static BTreeMap<String, PolicyTemplate> {
    static TEMPLATES: OnceLock<BTreeMap<String, PolicyTemplate>> = OnceLock::new();
    // A test reads the file.
    TEMPLATES.get_or_init(|| serde_json::from_str(include_str!("policies.json")).unwrap_or_default())
}

impl Sam<'_, '_> {
    /// The role of a function or a state machine that names none. `managed` and `policies` are what SAM adds to the
    /// resource's own `Policies`.
    pub(super) fn role(
        &mut self,
        resource: &Resource,
        from: &Value,
        managed: Vec<String>,
        mut policies: Vec<Value>,
    ) -> String {
        let (id, at) = (format!("{}Role", resource.id), &resource.at);
        let mut arns: Vec<Value> = managed.into_iter().map(|arn| at.text(arn)).collect();
        let written = resource.properties().some("Policies").cloned();
        // Items that are `AWS::NoValue` count too: SAM numbers the policies as they were written.
        let items: Vec<Value> = match written {
            Some(value) if matches!(value.kind, Kind::List(_)) => {
                value.items().iter().map(|item| self.scope.resolve(item)).collect()
            }
            Some(value) => {
                let value = self.scope.resolve(&value);
                value.each().to_vec()
            }
            None => Vec::new(),
        };
        for (number, item) in items.iter().enumerate() {
            match &item.kind {
                Kind::Null => {}
                Kind::Map(_) => {
                    if let Some(document) = self.document(item) {
                        let name = at.text(format!("{id}Policy{number}"));
                        policies.push(at.map([("PolicyName", name), ("PolicyDocument", document)]));
                    }
                }
                _ if arns.iter().any(|arn| arn.key() == item.key()) => {}
                _ => arns.push(item.clone()),
            }
        }
        let mut role = passed(
            from,
            &[
                ("AssumeRolePolicyDocument", "AssumeRolePolicyDocument"),
                ("PermissionsBoundary", "PermissionsBoundary"),
                ("RolePath", "Path"),
            ],
        );
        role.push(("ManagedPolicyArns".into(), at.list(arns)));
        role.push(("Policies".into(), at.list(policies)));
        let made_by =
            if resource.kind.ends_with("StateMachine") { "stateMachine:createdBy" } else { "lambda:createdBy" };
        role.push(("Tags".into(), tags(from.some("Tags"), at, made_by)));
        self.make(&id, "AWS::IAM::Role", at, at.map(role));
        id
    }

    /// A policy's document: as it was written, or from a policy template.
    fn document(&mut self, item: &Value) -> Option<Value> {
        if item.get("Statement").is_some() {
            return Some(item.clone());
        }
        let Some(entry) = item.only() else {
            self.scope.report(
                Code::WrongKind,
                &item.at,
                "this is neither a policy nor a policy template",
                "write a `Statement`, or one of SAM's policy templates",
            );
            return None;
        };
        let Some(template) = templates().get(&entry.key) else {
            let help = closest(&entry.key, templates().keys().map(String::as_str));
            let help = help
                .map_or_else(|| "see SAM's list of policy templates".into(), |near| format!("did you mean `{near}`?"));
            self.scope.report(
                Code::UnknownWord,
                &entry.key_at,
                format!("SAM has no policy template `{}`", entry.key),
                help,
            );
            return None;
        };
        for name in &template.parameters {
            if entry.value.some(name).is_none() && entry.value.get(name).is_none() {
                self.refuse(&entry.key_at, format!("{} needs `{name}`", entry.key), "SAM refuses it without");
                return None;
            }
        }
        let statement = self.fill(&template.statement, &entry.value, &item.at);
        Some(item.at.map([("Statement", statement)]))
    }

    /// JSON with `${Name}` filled in, from `given` or from the pseudo parameters.
    pub(super) fn fill(&mut self, json: &serde_json::Value, given: &Value, at: &Spot) -> Value {
        match json {
            serde_json::Value::String(text) => {
                let mut pieces = Pieces::default();
                let mut rest = text.as_str();
                while let Some((before, after)) = rest.split_once("${") {
                    let Some((name, behind)) = after.split_once('}') else { break };
                    pieces.push(before);
                    let value = match given.some(name) {
                        Some(value) => value.clone(),
                        None if name.starts_with("AWS::") => at.value(self.scope.reference(name, at)),
                        None => at.text(""),
                    };
                    // Two templates take a list of values; one alone is what is asked for.
                    if before.is_empty() && behind.is_empty() && value.plain().is_none() {
                        return value;
                    }
                    let _ = pieces.push_value(&value);
                    rest = behind;
                }
                pieces.push(rest);
                at.value(pieces.finish())
            }
            serde_json::Value::Array(items) => {
                at.list(items.iter().map(|item| self.fill(item, given, at)).collect::<Vec<_>>())
            }
            serde_json::Value::Object(map) => {
                at.map(map.iter().map(|(key, value)| (key.clone(), self.fill(value, given, at))).collect::<Vec<_>>())
            }
            other => at.json(other),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_policy_template_is_read() {
        assert_eq!(super::templates().len(), 81);
    }
}
