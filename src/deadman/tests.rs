use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::course::{Answer, Next, Seen, State, Task, Walk};
use super::machine::Definition;
use super::template::Deployment;
use super::*;
use crate::account::Setting;
use crate::account::kind::SettingDescriptor as _;

/// Step Functions ends an execution that has more events than this.
const HISTORY: usize = 25_000;

fn place() -> Place {
    Place { partition: "aws".into(), region: "eu-west-1".into(), account: "111122223333".into() }
}

fn reach() -> Reach {
    let of = |resource: &str, lock: &str| (resource.to_owned(), format!("/squall/marks/{lock}"));
    BTreeMap::from([
        of("function pay", "function/pay"),
        of("parameter /shop/faults", "parameter/_2f_shop_2f_faults"),
        of("queue orders", "queue/orders"),
    ])
}

fn definition() -> Json {
    Definition { place: &place(), branches: &Setting::branches(), reach: &reach() }.to_json()
}

fn template(key: Option<&str>) -> Json {
    let arns = BTreeMap::from([
        ("function pay".to_owned(), "arn:aws:lambda:eu-west-1:111122223333:function:pay".to_owned()),
        ("parameter /shop/faults".to_owned(), "arn:aws:ssm:eu-west-1:111122223333:parameter/shop/faults".to_owned()),
        ("queue orders".to_owned(), "arn:aws:sqs:eu-west-1:111122223333:orders".to_owned()),
    ]);
    let branches: Vec<branch::Branch> =
        Setting::branches().into_iter().filter(|branch| key.is_some() || !branch.reads_variables).collect();
    Deployment { place: &place(), branches: &branches, reach: &reach(), arns: &arns, key }.to_json()
}

/// Every state of a list leads to states of it, and each is reached.
fn closed(machine: &Json) {
    let states = machine["States"].as_object().unwrap();
    let mut reached = vec![machine["StartAt"].as_str().unwrap().to_owned()];
    let mut index = 0;
    while let Some(name) = reached.get(index).cloned() {
        let state = states.get(&name).unwrap_or_else(|| panic!("there is no state {name}"));
        let mut next: Vec<&Json> = vec![&state["Next"], &state["Default"]];
        for list in ["Choices", "Catch"] {
            next.extend(state[list].as_array().into_iter().flatten().map(|rule| &rule["Next"]));
        }
        for to in next.into_iter().filter_map(Json::as_str) {
            if !reached.iter().any(|known| known == to) {
                reached.push(to.to_owned());
            }
        }
        if state["Type"] == "Map" {
            closed(&state["ItemProcessor"]);
        }
        index += 1;
    }
    reached.sort();
    let mut all: Vec<String> = states.keys().cloned().collect();
    all.sort();
    assert_eq!(reached, all);
}

#[test]
fn every_state_leads_on_and_is_reached() {
    closed(&definition());
}

/// A variable that is called as one of JSONata's functions hides it.
#[test]
fn no_variable_hides_a_function() {
    let text = definition().to_string();
    let mut assigned = std::collections::BTreeSet::new();
    for part in text.split("\"Assign\":{").skip(1) {
        let fields: Json =
            serde_json::Deserializer::from_str(&format!("{{{part}")).into_iter().next().unwrap().unwrap();
        assigned.extend(fields.as_object().unwrap().keys().cloned());
    }
    assert!(assigned.len() > 15, "{assigned:?}");
    for name in assigned {
        // What is called with arguments is a function.
        assert!(!text.contains(&format!("${name}(")), "${name}");
    }
}

/// No call of the machine is repeated by itself but looks and the last message, and each has a time-out and a way on.
#[test]
fn only_looks_are_repeated_and_every_failure_is_caught() {
    let definition = definition();
    let states = definition["States"]["Resources"]["ItemProcessor"]["States"].as_object().unwrap();
    let mut tasks = 0;
    for (name, state) in states.iter().filter(|(_, state)| state["Type"] == "Task") {
        tasks += 1;
        let api = state["Resource"].as_str().unwrap().rsplit(':').next().unwrap();
        let looks = api.starts_with("get") || api == "publish";
        assert_eq!(state["Retry"].is_array(), looks, "{name}");
        assert_eq!(state["Catch"].as_array().unwrap().last().unwrap()["ErrorEquals"][0], "States.ALL", "{name}");
        assert!(state["TimeoutSeconds"].as_i64().unwrap() > 0 && state["Arguments"].is_object(), "{name}");
    }
    assert_eq!(tasks, 16);
}

#[test]
fn a_definition_is_known_by_its_own_reach() {
    let (place, branches) = (place(), Setting::branches());
    let text = definition().to_string();
    assert_eq!(Definition::reach_of(&place, &branches, &text), Some(reach()));
    for (was, is) in [
        ("ssm:deleteParameter", "ssm:getParameter"),
        ("\"MaxConcurrency\":5", "\"MaxConcurrency\":50"),
        ("$lock = 'ours'", "true"),
        ("111122223333", "111122223334"),
    ] {
        assert!(text.contains(was), "{was}");
        assert_eq!(Definition::reach_of(&place, &branches, &text.replace(was, is)), None, "{was}");
    }
    assert_eq!(Definition::reach_of(&place, &branches, "{}"), None);
    assert_eq!(Definition::reach_of(&place, &branches[1..], &text), None, "of other settings");
}

/// What the role may do is what the branches do, on the resources that are listed, and nothing that could be used for more.
#[test]
fn its_role_may_do_what_the_branches_do_and_no_more() {
    let template = template(None);
    let role = &template["Resources"]["Role"]["Properties"];
    let text = role["Policies"].to_string();
    for never in ["iam:", "UpdateFunctionCode", "UpdateFunctionConfiguration", "\"*\"", ":*\"", "lambda:GetFunction\""]
    {
        assert!(!text.contains(never), "{never} in {text}");
    }
    for needed in [
        "lambda:DeleteFunctionConcurrency",
        "lambda:GetFunctionConcurrency",
        "lambda:PutFunctionConcurrency",
        "sqs:SetQueueAttributes",
        "ssm:PutParameter",
        "arn:aws:ssm:eu-west-1:111122223333:parameter/squall/marks/parameter/_2f_shop_2f_faults",
        "sns:Publish",
    ] {
        assert!(text.contains(needed), "no {needed} in {text}");
    }
    // A lock is never written, only read and deleted.
    let statements = role["Policies"][0]["PolicyDocument"]["Statement"].as_array().unwrap();
    for statement in statements.iter().filter(|statement| statement.to_string().contains("/squall/marks")) {
        assert_eq!(statement["Action"], serde_json::json!(["ssm:DeleteParameter", "ssm:GetParameter"]));
    }
    let trust = role["AssumeRolePolicyDocument"].to_string();
    assert!(trust.contains(r#""aws:SourceArn":"arn:aws:states:eu-west-1:111122223333:stateMachine:squall-dead-man""#));
    for kept_away in ["Role", "Topic", "StateMachine"] {
        let tags = template["Resources"][kept_away]["Properties"]["Tags"].to_string();
        assert!(tags.contains("never"), "{kept_away}: {tags}");
    }
}

#[test]
fn variables_are_read_only_with_a_key() {
    let plain = template(None).to_string();
    assert!(!plain.contains("getFunctionConfiguration") && !plain.contains("EncryptionConfiguration"));
    let key = "arn:aws:kms:eu-west-1:111122223333:key/1";
    let keyed = template(Some(key));
    let machine = &keyed["Resources"]["StateMachine"]["Properties"];
    assert_eq!(machine["EncryptionConfiguration"]["KmsKeyId"], key);
    assert!(machine["DefinitionString"].as_str().unwrap().contains("lambda:updateFunctionConfiguration"));
}

/// Every setting but a lock and what ends by itself has a branch, of the kind of its resource, with the name that it is written by.
#[test]
fn every_setting_that_stays_has_a_branch() {
    let on = |kind| crate::account::Resource::new(&crate::account::Location::sandbox(), kind, "x");
    for sample in Setting::samples(&on) {
        let setting = &sample.setting;
        let ends_by_itself = matches!(setting, Setting::Lock { .. } | Setting::RolePolicy { .. });
        match setting.branch() {
            None => assert!(ends_by_itself, "{setting} has no branch"),
            Some(branch) => {
                assert!(!ends_by_itself);
                assert_eq!(branch.kind, setting.resource().kind.word());
                let written = serde_json::to_value(setting).unwrap();
                assert!(written.get(branch.setting).is_some(), "{written} and {}", branch.setting);
                assert_eq!(branch.has_key, setting.key().is_some());
                let calls = branch.reads.iter().map(|look| look.call).chain([branch.write]).chain(branch.delete);
                for call in calls {
                    assert!(serde_json::from_str::<Json>(call.arguments).unwrap().is_object(), "{}", call.api);
                }
                assert_eq!(branch.reads.last().unwrap().assigns[0].0, "found");
            }
        }
    }
    // What a descriptor says of itself is what its setting says.
    let function = on(crate::account::ResourceKind::Function);
    assert!(crate::account::kind::lambda::ReservedConcurrency { function: &function }.branch().is_some());
}

/// The events of one state: entered and left, and three for each try of a call.
fn events(state: State) -> usize {
    let tries = match state {
        // Two looks in a row where a name has to become a URL first, each tried three times, after a choice.
        State::Read => return 2 + 2 * (2 + 3 * 3),
        // After two choices.
        State::Write => return 2 + 2 + 2 + 3,
        State::ReadLock | State::ReadLockAgain => 3,
        State::Unlock => 1,
        State::Notify => 5,
        _ => 0,
    };
    2 + 3 * tries
}

/// The longest course: the account fails as often as it may, others' values come and go, and ours comes back after each write.
#[test]
fn the_history_of_a_full_execution_stays_within_the_limit() {
    let (mut walk, mut count, mut reads) = (Walk::new(1, true), 0, 0);
    loop {
        let before = walk.clone();
        let next = walk.next_call();
        // Choices and ends on the way count as well: at most four between two of the others.
        count += events(walk.state()) + if before == walk { 0 } else { 4 * 2 };
        match next {
            Next::Over => break,
            Next::Wait(_) => walk.waited(),
            Next::Call(Task::Read, _) => {
                reads += 1;
                walk.answered(match reads {
                    1..=15 => Answer::Failed,
                    16..=17 => Answer::Done(Seen::Other),
                    18..=23 => Answer::Done(Seen::After),
                    _ => Answer::Done(Seen::Before),
                });
            }
            Next::Call(Task::ReadLock, _) => walk.answered(Answer::Done(Seen::OurLock)),
            Next::Call(Task::Unlock, _) => walk.answered(Answer::Failed),
            Next::Call(_, _) => walk.answered(Answer::Done(Seen::Nothing)),
        }
    }
    assert!(reads == 24 && count > 500, "{reads} reads, {count} events");
    let of_map = 20 + 4 * CHANGES_LIMIT;
    let all = CHANGES_LIMIT * count + of_map;
    assert!(all < HISTORY, "{all} events, {count} for a change");
    assert!((CHANGES_LIMIT * 3 / 2) * count > HISTORY, "more changes would fit: {count} events for one");
}
