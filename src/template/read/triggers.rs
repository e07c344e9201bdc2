//! What invokes functions without being modelled: noted, so that a graph can show it.

use super::Reader;
use crate::ids::ResourceKind;
use crate::template::Item;
use crate::template::app::{App, Trigger};
use crate::template::value::Value;

impl Reader<'_> {
    /// Notes the functions that a resource invokes, and says how many they are.
    pub(super) fn triggers(&self, item: &Item, app: &mut App) -> usize {
        let properties = &item.properties;
        let list = |path: &[&str]| -> Vec<&Value> {
            let found = path.iter().try_fold(properties, |value, key| value.some(key));
            found.map(Value::each).unwrap_or_default().iter().collect()
        };
        let field = |values: Vec<&'_ Value>, key: &str| -> Vec<Value> {
            values.into_iter().filter_map(|value| value.some(key).cloned()).collect()
        };
        let targets: Vec<Value> = match item.kind.as_str() {
            "AWS::Events::Rule" => field(list(&["Targets"]), "Arn"),
            "AWS::Scheduler::Schedule" => field(list(&["Target"]), "Arn"),
            "AWS::Logs::SubscriptionFilter" => list(&["DestinationArn"]).into_iter().cloned().collect(),
            "AWS::Lambda::Url" => list(&["TargetFunctionArn"]).into_iter().cloned().collect(),
            "AWS::S3::Bucket" => field(list(&["NotificationConfiguration", "LambdaConfigurations"]), "Function"),
            "AWS::IoT::TopicRule" => {
                let actions = list(&["TopicRulePayload", "Actions"]);
                field(actions.into_iter().filter_map(|action| action.some("Lambda")).collect(), "FunctionArn")
            }
            "AWS::Cognito::UserPool" => {
                let triggers = properties.some("LambdaConfig").map(Value::entries).unwrap_or_default();
                triggers.iter().map(|entry| entry.value.clone()).collect()
            }
            _ => return 0,
        };
        let mut found = 0;
        for target in &targets {
            if let Some(function) = self.names.find(ResourceKind::Function, target) {
                let key = if found == 0 { item.name.clone() } else { format!("{} {}", item.name, found + 1) };
                app.triggers.insert(key, Trigger { kind: item.kind.clone(), function: function.to_owned() });
                found += 1;
            }
        }
        found
    }
}
