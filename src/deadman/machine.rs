//! The state machine, as Step Functions takes it (<https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html>):
//! the table of [`course`](super::course) with the calls of each branch filled in.
//!
//! Expressions are JSONata. A comparison of two values is made as values and as texts, so that an engine that tells 1 from 1.0
//! still knows its own.

use serde_json::{Map, Value as Json, json};

use super::branch::{ApiCall, Branch, Shape};
use super::course::{Counter, Does, How, State, Task, Test};
use super::{AT_ONCE, LIFETIME, Place, Reach};
use crate::units::Span;

/// Says of a definition which version of this module made it; a change of what a definition does has another number.
const COMMENT: &str = "squall's dead-man switch 1. Made by `squall dead-man template`; do not edit.";
/// After which an API call that gives no answer is given up.
const CALL_TIMEOUT: Span = Span::from_secs(60);
const NO_PARAMETER: &str = "Ssm.ParameterNotFoundException";

/// What a state machine is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition<'a> {
    pub place: &'a Place,
    pub branches: &'a [Branch],
    pub reach: &'a Reach,
}

impl Definition<'_> {
    /// The state machine as JSON.
    pub fn to_json(&self) -> Json {
        let mut resource = Map::new();
        for state in State::all() {
            self.add(state, &mut resource);
        }
        let begin = json!({
            "Type": "Pass",
            "Assign": {
                "run": "{% $states.input.run %}",
                "item": "{% $states.input.item %}",
                "name": "{% $substringAfter($states.input.item.resource, ' ') %}",
                "lock_name": "{% $lookup($reach, $states.input.item.resource) %}",
                "change": "{% $states.input.item.changes[0] %}",
                "turn": 0, "ends": "{% '' %}", "lock": "none", "found": {}, "document": "{% '' %}",
                "looks": 0, "writes": 0, "failures": 0, "unlocks": 0, "told": true
            },
            "Next": name(State::ReadLock)
        });
        resource.insert("Begin".into(), begin);
        json!({
            "Comment": COMMENT,
            "QueryLanguage": "JSONata",
            "TimeoutSeconds": LIFETIME.micros() / 1_000_000,
            "StartAt": "Reach",
            "States": {
                "Reach": { "Type": "Pass", "Assign": { "reach": self.reach }, "Next": "Check" },
                "Check": {
                    "Type": "Choice",
                    "Choices": [{ "Condition": expression(&self.check()), "Next": "Sleep" }],
                    "Default": "Refused"
                },
                "Refused": {
                    "Type": "Fail",
                    "Error": "Refused",
                    "Cause": "The input is not one of squall's, or names what this state machine may not touch."
                },
                "Sleep": { "Type": "Wait", "Timestamp": "{% $states.input.until %}", "Next": "Resources" },
                "Resources": {
                    "Type": "Map",
                    "Items": "{% [$states.input.resources] %}",
                    "ItemSelector": {
                        "run": "{% $states.input.run %}",
                        "item": "{% $states.context.Map.Item.Value %}"
                    },
                    "MaxConcurrency": AT_ONCE,
                    "ItemProcessor": {
                        "ProcessorConfig": { "Mode": "INLINE" },
                        "StartAt": "Begin",
                        "States": resource
                    },
                    "Output": { "run": "{% $states.input.run %}", "resources": "{% [$states.result] %}" },
                    "Next": "Judge"
                },
                "Judge": {
                    "Type": "Choice",
                    "Choices": [{
                        "Condition": "{% $count($states.input.resources[$contains(ends, 'failed') or told = false]) > 0 %}",
                        "Next": "Failed"
                    }],
                    "Default": "Done"
                },
                "Failed": {
                    "Type": "Fail",
                    "Error": "Failed",
                    "Cause": "{% $string($states.input.resources) %}"
                },
                "Done": { "Type": "Succeed" }
            }
        })
    }

    /// Reads which resources a definition may touch, if it is what this squall would print for them: then it is current.
    pub fn reach_of(place: &Place, branches: &[Branch], text: &str) -> Option<Reach> {
        let deployed: Json = serde_json::from_str(text).ok()?;
        let reach: Reach = serde_json::from_value(deployed["States"]["Reach"]["Assign"]["reach"].clone()).ok()?;
        let own = Definition { place, branches, reach: &reach }.to_json();
        (own == deployed).then_some(reach)
    }

    /// The condition that an input has to meet before anything is done with it.
    fn check(&self) -> String {
        let only = |of: &str, keys: &str| format!("$count($keys({of})[$not($ in [{keys}])]) = 0");
        let each: Vec<String> = self.branches.iter().map(change_is_of).collect();
        [
            only("$states.input", "'run', 'until', 'resources'"),
            "$type($states.input.run) = 'string'".into(),
            "$contains($states.input.run, /^[a-z0-9][a-z0-9-]{0,39}$/)".into(),
            "$type($states.input.until) = 'string'".into(),
            "$contains($states.input.until, /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/)".into(),
            "$type($states.input.resources) = 'array'".into(),
            "$count($states.input.resources) > 0".into(),
            format!(
                "$count($states.input.resources[$not({} and $type(resource) = 'string' and $exists($lookup($reach, resource)) \
                 and $type(unlock) = 'boolean' and $type(changes) = 'array' and $count(changes) > 0)]) = 0",
                only("$", "'resource', 'unlock', 'changes'")
            ),
            format!(
                "$count($states.input.resources.($kind := $substringBefore(resource, ' '); \
                 changes[$not({})])) = 0",
                each.join(" or ")
            ),
        ]
        .join(" and ")
    }

    /// Adds what a state of the table is in a state machine: one state, or one for each branch.
    fn add(&self, state: State, states: &mut Map<String, Json>) {
        match state.does() {
            Does::Call { task: Task::Read, done, gone, failed, .. } => {
                self.add_choice(state, failed, states);
                for branch in self.branches {
                    self.add_reads(branch, (done, gone, failed), states);
                }
            }
            // Whatever came of a write, what follows is a look: an error of it is no different.
            Does::Call { task: Task::Write, counts, done, .. } => {
                self.add_choice(state, done, states);
                for branch in self.branches {
                    self.add_writes(branch, counts, done, states);
                }
            }
            Does::Call { task, done, gone, failed, .. } => {
                drop(states.insert(name(state), self.call(task, done, gone, failed)));
            }
            Does::Wait { counts, span, then } => {
                let mut wait = json!({ "Type": "Wait", "Seconds": span.micros() / 1_000_000, "Next": name(then) });
                if let Some(counter) = counts {
                    wait["Assign"] = counted(counter);
                }
                states.insert(name(state), wait);
            }
            Does::Choose { ways, otherwise } => {
                let rule = |(tests, to): &(&[Test], State)| {
                    let all: Vec<String> = tests.iter().map(|test| condition(*test)).collect();
                    json!({ "Condition": expression(&all.join(" and ")), "Next": name(*to) })
                };
                let choices: Vec<Json> = ways.iter().map(rule).collect();
                states.insert(name(state), json!({ "Type": "Choice", "Choices": choices, "Default": name(otherwise) }));
            }
            Does::End { how, then } => {
                let assign = json!({
                    "ends": format!("{{% $ends & ($ends = '' ? '' : ' ') & '{}' %}}", how.word()),
                    "turn": "{% $turn + 1 %}",
                    "change": "{% $turn + 1 < $count($item.changes) ? $item.changes[$turn + 1] : $change %}",
                    "looks": 0, "writes": 0, "failures": 0, "unlocks": 0
                });
                states.insert(name(state), json!({ "Type": "Pass", "Assign": assign, "Next": name(then) }));
            }
            Does::Stop => {
                let output = json!({
                    "resource": "{% $item.resource %}", "ends": "{% $ends %}", "told": "{% $told %}"
                });
                states.insert(name(state), json!({ "Type": "Succeed", "Output": output }));
            }
        }
    }

    /// Leads to the branch of the change's setting.
    fn add_choice(&self, state: State, otherwise: State, states: &mut Map<String, Json>) {
        let rule = |branch: &Branch| {
            let condition = expression(&format!("$change.setting = '{}'", branch.setting));
            let first = match (state, branch.delete) {
                (State::Write, Some(_)) => own(state, branch, "which"),
                (State::Write, None) => own(state, branch, "value"),
                _ => own(state, branch, "1"),
            };
            json!({ "Condition": condition, "Next": first })
        };
        let choices: Vec<Json> = self.branches.iter().map(rule).collect();
        states.insert(name(state), json!({ "Type": "Choice", "Choices": choices, "Default": name(otherwise) }));
    }

    fn add_reads(&self, branch: &Branch, (done, gone, failed): (State, State, State), states: &mut Map<String, Json>) {
        for (number, look) in (1..).zip(branch.reads) {
            let mut state = api_call(&self.place.partition, &look.call);
            let assigns =
                look.assigns.iter().map(|(variable, value)| ((*variable).to_owned(), expression(value).into()));
            state["Assign"] = Json::Object(assigns.collect());
            read_again(&mut state, branch.gone);
            state["Catch"] = catch(Some((branch.gone, gone, json!({}))), failed);
            let last = number == branch.reads.len();
            state["Next"] = if last { name(done) } else { own(State::Read, branch, &(number + 1).to_string()) }.into();
            states.insert(own(State::Read, branch, &number.to_string()), state);
        }
    }

    fn add_writes(&self, branch: &Branch, counts: Option<Counter>, then: State, states: &mut Map<String, Json>) {
        let write = |call: &ApiCall| {
            let mut state = api_call(&self.place.partition, call);
            let assign = counts.map_or(json!({}), counted);
            state["Assign"] = assign.clone();
            state["Catch"] = json!([{ "ErrorEquals": ["States.ALL"], "Assign": assign, "Next": name(then) }]);
            state["Next"] = name(then).into();
            state
        };
        let to_value = own(State::Write, branch, "value");
        states.insert(to_value.clone(), write(&branch.write));
        let Some(delete) = &branch.delete else { return };
        let to_nothing = own(State::Write, branch, "nothing");
        states.insert(to_nothing.clone(), write(delete));
        let which = json!({
            "Type": "Choice",
            "Choices": [{ "Condition": "{% $exists($change.before.value) %}", "Next": to_value }],
            "Default": to_nothing
        });
        states.insert(own(State::Write, branch, "which"), which);
    }

    /// A call that is the same for each setting.
    fn call(&self, task: Task, done: State, gone: State, failed: State) -> Json {
        let partition = &self.place.partition;
        let lock = |api, arguments| ApiCall { api, arguments };
        match task {
            Task::ReadLock => {
                let call = lock("ssm:getParameter", r#"{ "Name": "{% $lock_name %}" }"#);
                let mut state = api_call(partition, &call);
                state["Assign"] = json!({
                    "lock": "{% $parse($states.result.Parameter.Value).run = $run ? 'ours' : 'other' %}"
                });
                let missing = json!({ "lock": "none" });
                read_again(&mut state, NO_PARAMETER);
                state["Catch"] = catch(Some((NO_PARAMETER, gone, missing)), failed);
                state["Next"] = name(done).into();
                state
            }
            Task::Unlock => {
                let call = lock("ssm:deleteParameter", r#"{ "Name": "{% $lock_name %}" }"#);
                let mut state = api_call(partition, &call);
                state["Catch"] = catch(Some((NO_PARAMETER, gone, json!({}))), failed);
                state["Next"] = name(done).into();
                state
            }
            _ => {
                let mut state = json!({
                    "Type": "Task",
                    "Resource": format!("arn:{partition}:states:::sns:publish"),
                    "Arguments": {
                        "TopicArn": self.place.topic(),
                        "Subject": "{% 'squall: the dead-man switch of ' & $run %}",
                        "Message": "{% 'The dead-man switch of ' & $run & ' checked ' & $item.resource & '. Outcome \
                        of its changes: ' & $ends & '. What is theirs, other_run, unlocked, resource_gone or failed \
                        was left as it is: inspect it, then run squall undo ' & $run & '.' %}"
                    },
                    "TimeoutSeconds": CALL_TIMEOUT.micros() / 1_000_000
                });
                state["Retry"] = json!([again(4)]);
                state["Catch"] = json!([{
                    "ErrorEquals": ["States.ALL"], "Assign": { "told": false }, "Next": name(failed)
                }]);
                state["Next"] = name(done).into();
                state
            }
        }
    }
}

/// The name of a state: `ReadLock`, `Ended restored`.
fn name(state: State) -> String {
    match state {
        State::Ended(how) => format!("Ended {}", how.word()),
        other => format!("{other:?}"),
    }
}

/// The name of a state of one branch.
fn own(state: State, branch: &Branch, part: &str) -> String {
    format!("{} {} {part}", name(state), branch.setting)
}

fn expression(text: &str) -> String {
    format!("{{% {text} %}}")
}

fn counted(counter: Counter) -> Json {
    let word = counter.word();
    json!({ word: format!("{{% ${word} + 1 %}}") })
}

/// Whether the setting holds a value.
fn holds(value: &str) -> String {
    format!("($found = {value} or $string($found) = $string({value}))")
}

fn condition(test: Test) -> String {
    match test {
        Test::LockIsOurs => "$lock = 'ours'".into(),
        Test::LockIsOthers => "$lock = 'other'".into(),
        Test::IsBefore => holds("$change.before"),
        Test::IsAfter => holds("$change.after"),
        Test::AtLeast(counter, number) => format!("${} >= {number}", counter.word()),
        Test::MoreChanges => "$turn < $count($item.changes)".into(),
        Test::LockMayGo => {
            let stay = How::ALL.into_iter().filter(|how| !how.is_before()).map(How::word).collect::<Vec<_>>().join("|");
            format!("$item.unlock and $not($contains($ends, /{stay}/))")
        }
    }
}

/// The condition that a change of the input is one of this branch, on a resource of its kind.
fn change_is_of(branch: &Branch) -> String {
    let mut keys = vec!["'setting'", "'before'", "'after'"];
    let mut all = vec![format!("setting = '{}'", branch.setting), format!("$kind = '{}'", branch.kind)];
    if branch.has_key {
        keys.push("'key'");
        all.push("$type(key) = 'string' and $contains(key, /^[A-Za-z0-9_.-]{1,100}$/)".into());
    }
    if branch.has_document {
        keys.push("'document'");
        all.push("$type(document) = 'string'".into());
    }
    all.push(format!("$count($keys($)[$not($ in [{}])]) = 0", keys.join(", ")));
    for side in ["before", "after"] {
        let value = match branch.shape {
            Shape::Count => {
                format!("$type({side}.value) = 'number' and {side}.value >= 0 and $floor({side}.value) = {side}.value")
            }
            Shape::Json => format!("$exists({side}.value)"),
            Shape::Texts => format!(
                "$type({side}.value) = 'object' and $count($each({side}.value, function($v, $k) \
                 {{ $type($v) != 'string' ? $k }})) = 0"
            ),
        };
        all.push(format!(
            "$type({side}) = 'object' and $count($keys({side})[$ != 'value']) = 0 and ($not($exists({side}.value)) or ({value}))"
        ));
    }
    format!("({})", all.join(" and "))
}

/// A call of an AWS API through Step Functions' SDK integrations.
fn api_call(partition: &str, call: &ApiCall) -> Json {
    let arguments: Json = serde_json::from_str(call.arguments).unwrap_or(Json::Null);
    json!({
        "Type": "Task",
        "Resource": format!("arn:{partition}:states:::aws-sdk:{}", call.api),
        "Arguments": arguments,
        "TimeoutSeconds": CALL_TIMEOUT.micros() / 1_000_000
    })
}

/// Tries again so often, at times that differ from those of others.
fn again(tries: u32) -> Json {
    json!({
        "ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "BackoffRate": 2, "MaxAttempts": tries,
        "MaxDelaySeconds": 20, "JitterStrategy": "FULL"
    })
}

/// A look is tried again, unless there is nothing to look at.
fn read_again(state: &mut Json, gone: &str) {
    state["Retry"] = json!([{ "ErrorEquals": [gone], "MaxAttempts": 0 }, again(2)]);
}

fn catch(gone: Option<(&str, State, Json)>, failed: State) -> Json {
    let mut all = Vec::new();
    if let Some((error, to, assign)) = gone {
        let mut of_gone = json!({ "ErrorEquals": [error], "Next": name(to) });
        if assign != json!({}) {
            of_gone["Assign"] = assign;
        }
        all.push(of_gone);
    }
    all.push(json!({ "ErrorEquals": ["States.ALL"], "Next": name(failed) }));
    Json::Array(all)
}
