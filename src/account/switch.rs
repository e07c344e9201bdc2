//! The dead-man switch as an account has it: what is armed, what is deployed, and what became of it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::{AccountIdentity, Location, Resource, Setting, Value};
use crate::deadman::course::How;
use crate::deadman::{CHANGES_LIMIT, INPUT_LIMIT, Place};
use crate::ids::RunId;
use crate::units::Time;

/// One execution of the switch: all that it is told. Nothing of it is a secret: values are those of settings that squall changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    pub location: Location,
    /// The name of the execution. A second order of one name is the first one.
    pub name: String,
    pub run: RunId,
    /// When it wakes. Fixed when it is armed: nothing makes it later.
    pub until: Time,
    pub resources: Vec<OrderedResource>,
}

/// A resource with the run's changes, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderedResource {
    pub resource: Resource,
    /// Whether the lock goes when every change is as before. It stays where the run has sent messages, too.
    pub unlocks: bool,
    pub changes: Vec<OrderedChange>,
}

/// A change that the switch rolls back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderedChange {
    pub setting: Setting,
    pub before: Value,
    pub after: Value,
    /// For a key in a document: the document's bytes from before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_before: Option<String>,
}

/// A switch that is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// What it may touch, by kind and name, as [`in_input`] names it; `None` where it may touch everything.
    pub reach: Option<std::collections::BTreeSet<String>>,
    /// Whether it may read the variables of functions.
    pub reads_variables: bool,
}

/// What is deployed of the switch in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// Nothing.
    Missing,
    /// A state machine of that name which this squall would not print: edited, or of another version.
    Differs,
    Ready(Deployed),
}

/// What became of an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwitchState {
    /// It sleeps, or is at work.
    Armed,
    /// It was stopped.
    Stopped,
    /// It woke and is done: how the changes of each resource ended.
    Acted(Vec<Acted>),
    /// It woke and could not do all of its work, or was ended by its time-out.
    Failed(String),
    /// There is no such execution.
    Missing,
}

/// What the switch did about one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acted {
    /// Kind and name, as [`in_input`] has it.
    pub resource: String,
    /// How its changes ended, newest first.
    pub ends: Vec<String>,
}

impl Acted {
    /// Whether it wrote something back.
    pub fn restored(&self) -> bool {
        self.ends.iter().any(|end| end == How::Restored.word())
    }
}

/// Where the switch of a location is deployed; `None` where that is no account of AWS.
pub fn place(location: &Location) -> Option<Place> {
    let AccountIdentity::Aws { partition, id, .. } = &location.account else { return None };
    Some(Place {
        partition: partition.word().into(),
        region: location.region.as_str().into(),
        account: id.as_str().into(),
    })
}

/// A resource as the switch's input names it: `function PaymentWorker`.
pub fn in_input(resource: &Resource) -> String {
    format!("{} {}", resource.kind.word(), resource.name)
}

/// Why an order cannot be given to a state machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is no setting of the switch's.
    #[error("the dead-man switch cannot roll back the {0}")]
    Setting(String),
    #[error("the values of the {0} are not what the dead-man switch takes")]
    Value(String),
    /// The input would be larger than Step Functions takes.
    #[error("the dead-man switch would be told {bytes} bytes about {resource}, and takes {INPUT_LIMIT}")]
    Large { resource: String, bytes: usize },
    #[error("{resource} has {changes} changes, and one execution of the dead-man switch takes {CHANGES_LIMIT}")]
    Many { resource: String, changes: usize },
}

impl Order {
    /// The input of the execution.
    ///
    /// # Errors
    /// A change is none of the switch's.
    pub fn input(&self) -> Result<Json, Unfit> {
        let resources: Result<Vec<Json>, Unfit> = self.resources.iter().map(OrderedResource::input).collect();
        let until = self.until.to_string();
        // Whole seconds, rounded up: never earlier than it was said.
        let whole = Time::from_micros(self.until.micros().div_euclid(1_000_000) * 1_000_000);
        let whole = if whole == self.until { whole } else { whole + crate::units::Span::from_secs(1) };
        let until = whole.to_string().get(..19).map_or(until, |seconds| format!("{seconds}Z"));
        Ok(json!({ "run": self.run.0, "until": until, "resources": resources? }))
    }

    /// The changes of a run in one place, as the fewest orders that fit: `resources` in the order of their work.
    ///
    /// # Errors
    /// A change is none of the switch's, or a single resource is too much for one execution.
    pub fn split(
        location: &Location,
        run: &RunId,
        until: Time,
        resources: Vec<OrderedResource>,
    ) -> Result<Vec<Order>, Unfit> {
        let mut orders: Vec<Order> = Vec::new();
        let (mut bytes, mut changes) = (0, 0);
        for resource in resources {
            let (more_bytes, more_changes) = (resource.input()?.to_string().len() + 1, resource.changes.len());
            let called = in_input(&resource.resource);
            if more_bytes > INPUT_LIMIT - OVERHEAD {
                return Err(Unfit::Large { resource: called, bytes: more_bytes });
            }
            if more_changes > CHANGES_LIMIT {
                return Err(Unfit::Many { resource: called, changes: more_changes });
            }
            let fits = bytes + more_bytes <= INPUT_LIMIT - OVERHEAD && changes + more_changes <= CHANGES_LIMIT;
            match orders.last_mut().filter(|_| fits) {
                Some(order) => order.resources.push(resource),
                None => {
                    let name = format!("{run}.{}", orders.len() + 1);
                    let (location, run) = (location.clone(), run.clone());
                    orders.push(Order { location, name, run, until, resources: vec![resource] });
                    (bytes, changes) = (0, 0);
                }
            }
            bytes += more_bytes;
            changes += more_changes;
        }
        Ok(orders)
    }
}

/// What an input has besides its resources, in bytes, at the most.
const OVERHEAD: usize = 200;

impl OrderedResource {
    fn input(&self) -> Result<Json, Unfit> {
        let changes: Result<Vec<Json>, Unfit> = self.changes.iter().map(OrderedChange::input).collect();
        Ok(json!({ "resource": in_input(&self.resource), "unlock": self.unlocks, "changes": changes? }))
    }
}

impl OrderedChange {
    fn input(&self) -> Result<Json, Unfit> {
        let title = || self.setting.describe();
        let branch = self.setting.branch().ok_or_else(|| Unfit::Setting(title()))?;
        let mut change = Map::new();
        change.insert("setting".into(), branch.setting.into());
        if branch.has_key {
            change.insert("key".into(), self.setting.key().unwrap_or_default().into());
        }
        for (side, value) in [("before", &self.before), ("after", &self.after)] {
            let value = match value {
                Value::Unset => json!({}),
                Value::Number(number) => json!({ "value": number }),
                Value::Text(text) => {
                    let parsed: Json = serde_json::from_str(text).map_err(|_| Unfit::Value(title()))?;
                    json!({ "value": parsed })
                }
            };
            change.insert(side.into(), value);
        }
        if branch.has_document {
            let document = match (&self.whole_before, &self.before) {
                (Some(whole), _) => whole,
                (None, Value::Text(text)) => text,
                (None, _) => return Err(Unfit::Value(title())),
            };
            change.insert("document".into(), document.as_str().into());
        }
        Ok(Json::Object(change))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::ResourceKind;

    fn location() -> Location {
        Location::of_aws("111122223333".parse().unwrap(), "eu-west-1".parse().unwrap(), None)
    }

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn split(resources: Vec<OrderedResource>) -> Result<Vec<Order>, Unfit> {
        Order::split(&location(), &RunId("run-1".into()), at("2026-03-02T10:00:00.25Z"), resources)
    }

    fn throttled(name: &str) -> OrderedResource {
        let function = Resource::new(&location(), ResourceKind::Function, name);
        let setting = Setting::ReservedConcurrency { function: function.clone() };
        let change = OrderedChange { setting, before: Value::Unset, after: Value::Number(0), whole_before: None };
        OrderedResource { resource: function, unlocks: true, changes: vec![change] }
    }

    fn flags(document: &str, count: usize) -> OrderedResource {
        let parameter = Resource::new(&location(), ResourceKind::Parameter, "/shop/faults");
        let change = |number: usize| OrderedChange {
            setting: Setting::FaultFlag { parameter: parameter.clone(), key: format!("flag{number}") },
            before: Value::Text("1".into()),
            after: Value::Text(r#"{"enabled":true}"#.into()),
            whole_before: Some(document.to_owned()),
        };
        OrderedResource { resource: parameter.clone(), unlocks: false, changes: (0..count).map(change).collect() }
    }

    #[test]
    fn an_input_holds_what_is_needed_and_nothing_else() {
        let orders = split(vec![throttled("pay"), flags("{ }", 1)]).unwrap();
        assert_eq!(orders.len(), 1);
        assert_eq!(orders[0].name, "run-1.1");
        let expected = json!({
            "run": "run-1",
            "until": "2026-03-02T10:00:01Z",
            "resources": [
                {
                    "resource": "function pay",
                    "unlock": true,
                    "changes": [{ "setting": "reserved_concurrency", "before": {}, "after": { "value": 0 } }]
                },
                {
                    "resource": "parameter /shop/faults",
                    "unlock": false,
                    "changes": [{
                        "setting": "fault_flag", "key": "flag0", "before": { "value": 1 },
                        "after": { "value": { "enabled": true } }, "document": "{ }"
                    }]
                }
            ]
        });
        assert_eq!(orders[0].input().unwrap(), expected);
    }

    #[test]
    fn many_changes_are_split_and_too_large_ones_refused() {
        let orders = split((0..40).map(|number| throttled(&format!("pay{number}"))).collect()).unwrap();
        let counts: Vec<usize> = orders.iter().map(|order| order.resources.len()).collect();
        assert_eq!(counts, [16, 16, 8]);
        assert_eq!(orders[2].name, "run-1.3");
        // Documents of 4 kB: sixteen of them are 64 kB. Larger ones are split by their size.
        let large = "x".repeat(90_000);
        let orders = split((0..4).map(|_| flags(&large, 1)).collect()).unwrap();
        assert_eq!(orders.iter().map(|order| order.resources.len()).collect::<Vec<_>>(), [2, 2]);
        for order in &orders {
            assert!(order.input().unwrap().to_string().len() <= INPUT_LIMIT);
        }
        let refused = split(vec![flags(&"x".repeat(201_000), 1)]);
        assert!(matches!(refused, Err(Unfit::Large { .. })), "{refused:?}");
        assert!(matches!(split(vec![flags("{}", 17)]), Err(Unfit::Many { .. })));
    }

    #[test]
    fn what_has_no_branch_is_refused() {
        let role = Resource::new(&location(), ResourceKind::Role, "worker");
        let setting = Setting::RolePolicy { role: role.clone(), policy: "squall-run-1".into() };
        let change =
            OrderedChange { setting, before: Value::Unset, after: Value::Text("{}".into()), whole_before: None };
        let refused = split(vec![OrderedResource { resource: role, unlocks: true, changes: vec![change] }]);
        assert!(matches!(refused, Err(Unfit::Setting(_))), "{refused:?}");
    }
}
