//! `AWS::Serverless::StateMachine`: its role, and what starts it.

use super::{Sam, passed, policy, tags};
use crate::ids::ResourceKind;
use crate::template::Resource;
use crate::template::value::{Kind, Value};

impl Sam<'_, '_> {
    pub(super) fn machine(&mut self, resource: &Resource, properties: &Value) {
        let (id, at) = (&resource.id, &resource.at);
        let mut plain = passed(
            properties,
            &[("Name", "StateMachineName"), ("Type", "StateMachineType"), ("Definition", "Definition")],
        );
        match properties.some("Role") {
            Some(role) => plain.push(("RoleArn".into(), role.clone())),
            None => {
                let traced = properties.some("Tracing").and_then(|tracing| tracing.some("Enabled"));
                let traced = traced.and_then(Value::truth) == Some(true);
                let xray = if self.scope.location().partition == "aws" {
                    "AWSXrayWriteOnlyAccess"
                } else {
                    "AWSXRayDaemonWriteAccess"
                };
                let managed = if traced { vec![self.managed(xray)] } else { Vec::new() };
                let role = self.role(resource, properties, managed, Vec::new());
                plain.push(("RoleArn".into(), at.text(self.arn(ResourceKind::Role, &role))));
            }
        }
        plain.push(("Tags".into(), tags(properties.some("Tags"), at, "stateMachine:createdBy")));
        self.add(id, "AWS::StepFunctions::StateMachine", at, at.map(plain));
        let machine = self.scope.names.get(id).and_then(|thing| thing.reference(self.scope.location()));
        let arn = machine.and_then(|kind| at.value(kind).plain()).unwrap_or_default();
        for entry in properties.get("Events").map(Value::entries).unwrap_or_default() {
            let event = format!("{id}{}", entry.key);
            let nothing = entry.value.at.value(Kind::Map(Vec::new()));
            let given = entry.value.some("Properties").unwrap_or(&nothing);
            match entry.value.get("Type").and_then(Value::text) {
                Some("ScheduleV2") => {
                    self.schedule(&event, given, &entry.key_at, &arn, "states:StartExecution", "StartExecutionPolicy")
                }
                Some(kind @ ("Schedule" | "CloudWatchEvent" | "EventBridgeRule")) => {
                    self.starter(&event, &arn, given, &entry.key_at);
                    self.rule(&event, kind, given, &entry.key_at, &arn);
                }
                Some("Api") => self.starter(&event, &arn, given, &entry.key_at),
                _ => self.refuse(
                    &entry.key_at,
                    format!("SAM knows no such event of {id}"),
                    "see SAM's list of event sources",
                ),
            }
        }
    }

    /// The role as which something starts a state machine.
    fn starter(&mut self, event: &str, machine: &str, given: &Value, at: &crate::template::value::Spot) {
        if given.some("RoleArn").is_some() {
            return;
        }
        let policy = policy(at, &format!("{event}RoleStartExecutionPolicy"), "states:StartExecution", at.text(machine));
        self.make(&format!("{event}Role"), "AWS::IAM::Role", at, at.map([("Policies", at.list([policy]))]));
    }
}
