//! `squall policy` is enough, and each part of it is needed: somebody who may do nothing else runs the experiment.

use std::path::Path;
use std::process::Command;

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value as Json, json};

use crate::account::{Account, until};
use crate::emulator::ministack;
use crate::picture::picture;
use crate::shop::Shop;
use crate::squall::{Project, shipped};

/// A user who may do what a policy says, and nothing else.
struct User<'a> {
    project: &'a Project,
    account: &'a Account,
    key: String,
    secret: String,
}

impl<'a> User<'a> {
    fn new(project: &'a Project, account: &'a Account) -> User<'a> {
        let iam = &account.iam;
        account.wait(iam.create_user().user_name("squall").send()).unwrap();
        let key = account.wait(iam.create_access_key().user_name("squall").send()).unwrap().access_key.unwrap();
        User { project, account, key: key.access_key_id, secret: key.secret_access_key }
    }

    fn may(&self, policy: &Json) {
        let policy = widened(policy);
        let put = self.account.iam.put_user_policy().user_name("squall").policy_name("squall");
        self.account.wait(put.policy_document(policy.to_string()).send()).unwrap();
    }

    fn squall(&self, arguments: &[&str]) -> Command {
        let mut command = self.project.squall(arguments);
        command.env("AWS_ACCESS_KEY_ID", &self.key).env("AWS_SECRET_ACCESS_KEY", &self.secret);
        command
    }

    /// The exit code, and everything that was said.
    fn ended(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.squall(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code().unwrap(), text)
    }
}

/// MiniStack asks for these on everything, and AWS on the queue of the SourceArn and on the principal of the
/// PolicySourceArn; and where AWS asks for SendMessage, MiniStack asks for SendMessageBatch as well.
fn widened(policy: &Json) -> Json {
    let mut policy = policy.clone();
    let given: Vec<String> = actions(&policy).into_iter().map(|(_, action)| action).collect();
    for (action, asked) in [
        ("sqs:ListMessageMoveTasks", "sqs:ListMessageMoveTasks"),
        ("iam:SimulatePrincipalPolicy", "iam:SimulatePrincipalPolicy"),
        ("sqs:SendMessage", "sqs:SendMessageBatch"),
    ] {
        if given.iter().any(|one| one == action) {
            let everywhere = json!({ "Effect": "Allow", "Action": [asked], "Resource": ["*"] });
            policy["Statement"].as_array_mut().unwrap().push(everywhere);
        }
    }
    policy
}

fn experiment(fault: &str, lasts: &str) -> String {
    format!(
        "version: 1
title: Somebody who may do nothing else runs this
because: What a policy is for is not to be found out in production.
targets:
  worker: {{ function: PaymentWorker }}
  order: {{ function: OrderFunction }}
  payments: {{ table: PaymentsTable }}
  notifications: {{ queue: NotificationQueue }}
  orders: {{ queue: OrdersQueue }}
hypotheses:
  - signal: depth of orders is at most 1000
    every: 10s
baseline: 20s
faults:
  - inject: {fault}
    for: {lasts}
recovers_within: 20s
guards:
  stop_when: [alarm OrdersBacklogAlarm fires, errors of order > 5000]
  longest: 40m
"
    )
}

const THROTTLE: &str = "{ lambda.throttle: { target: worker, concurrency: 0 } }";
const LATENCY: &str = "{ lambda.latency: { target: order, delay: 200ms } }";
const DENY: &str = "{ iam.deny: { target: worker, actions: [dynamodb:PutItem], resources: [payments] } }";
const POISON: &str = "{ sqs.poison: { target: notifications, payload: malformed, count: 2, rate: 60 per minute } }";

/// The policy that squall prints for an experiment, looked at with the rights of the account's root.
fn policy(project: &Project, file: &str) -> Json {
    let printed = project.ended(&["policy", file]).expect(0);
    serde_json::from_str(&printed.out).unwrap()
}

/// Runs an experiment as somebody who may do only that; nothing is refused, nothing is left behind, and there is an event
/// that tells of its rollback.
fn is_enough(fault: &str, lasts: &str, undone: &str) {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    // A message that cannot be read is a dead letter within seconds.
    let url = shop.physical("NotificationQueue");
    let short =
        account.sqs.set_queue_attributes().queue_url(url).attributes(QueueAttributeName::VisibilityTimeout, "1");
    account.wait(short.send()).unwrap();
    let project = Project::new(&account);
    let file = project.write("experiments/x.yaml", &experiment(fault, lasts));
    let user = User::new(&project, &account);
    let before = picture(&account);
    user.may(&policy(&project, &file));

    let (code, said) = user.ended(&["run", &file, "--yes", "--seed", "7", "--json"]);
    assert!([0, 4, 5].contains(&code), "{code}: {said}");
    let events: Vec<Json> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let named = |name: &str| events.iter().filter(|event| event["event"]["kind"] == name).count();
    assert!(named("step_begins") == 1 && named(undone) > 0, "{said}");
    for word in [r#""by":"permission""#, "not authorized", "AccessDenied"] {
        assert!(!said.contains(word), "{word}: {said}");
    }
    // What the account's counters of messages say comes to rest a moment later.
    until("all is as it was", || (picture(&account) == before).then_some(()));
}

#[test]
fn the_policy_of_a_throttle_is_enough() {
    is_enough(THROTTLE, "30s", "restored");
}

#[test]
fn the_policy_of_latency_is_enough() {
    is_enough(LATENCY, "30s", "restored");
}

#[test]
fn the_policy_of_a_lost_permission_is_enough() {
    is_enough(DENY, "30s", "restored");
}

#[test]
fn the_policy_of_poison_is_enough() {
    is_enough(POISON, "60s", "swept");
}

/// The shipped experiments speak of resources that are no targets, and take hypotheses from other files.
#[test]
fn the_policies_of_what_is_shipped_are_enough_to_plan_it() {
    let account = Account::new(ministack());
    let _shop = Shop::deploy(&account);
    let project = Project::new(&account);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = |folder: &str| -> Vec<String> {
        let entries = std::fs::read_dir(root.join(folder)).unwrap();
        entries.map(|entry| format!("{folder}/{}", entry.unwrap().file_name().display())).collect()
    };
    for file in [files("hypotheses"), files("experiments")].concat() {
        project.write(&file, &shipped(&file));
    }
    let user = User::new(&project, &account);
    let needs_the_layer =
        |file: &str| ["lambda.hang", "lambda.response"].iter().any(|fault| shipped(file).contains(fault));
    for file in files("experiments") {
        // The shop that is deployed here has no layer.
        if needs_the_layer(&file) {
            let refused = project.ended(&["policy", &file]).expect(3);
            assert!(refused.err.contains("this fault needs squall's layer"), "{file}: {}", refused.err);
            continue;
        }
        user.may(&policy(&project, &file));
        let (code, said) = user.ended(&["plan", &file]);
        assert_eq!(code, 0, "{file}: {said}");
    }
}

/// Every action of a policy, with the number of its statement.
fn actions(policy: &Json) -> Vec<(usize, String)> {
    let statements = policy["Statement"].as_array().unwrap().iter().enumerate();
    let of = |(number, statement): (usize, &Json)| -> Vec<(usize, String)> {
        let actions = statement["Action"].as_array().unwrap().iter();
        actions.map(|action| (number, action.as_str().unwrap().to_owned())).collect()
    };
    statements.flat_map(of).collect()
}

/// The policy without an action: everywhere, for another statement may give it as well.
fn without(policy: &Json, action: &str) -> Json {
    let statements = policy["Statement"].as_array().unwrap().iter().filter_map(|statement| {
        let rest: Vec<&Json> = statement["Action"].as_array().unwrap().iter().filter(|one| *one != action).collect();
        let mut statement = statement.clone();
        statement["Action"] = json!(rest);
        (!rest.is_empty()).then_some(statement)
    });
    json!({ "Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>() })
}

/// What is not missed here: only the rollback from the locks lists them and looks at their leases, and only a run measures. MiniStack asks for no
/// permission where a service speaks CBOR, as CloudWatch does, and for none for the account's settings; that these two
/// are missed in AWS is shown with recorded replies. Lines of a log are one kind of evidence among others: a plan without the right
/// to search them warns. A safety lever that cannot be read is a warning; MiniStack has none.
const NOT_MISSED: [&str; 11] = [
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "cloudwatch:ListAlarmMuteRules",
    "cloudwatch:ListMetrics",
    "fis:GetSafetyLever",
    "lambda:GetAccountSettings",
    "logs:GetQueryResults",
    "logs:StartQuery",
    "logs:StopQuery",
    "ssm:GetParametersByPath",
    "ssm:ListTagsForResource",
];

#[test]
fn no_action_of_a_policy_can_be_left_away() {
    let account = Account::new(ministack());
    let _shop = Shop::deploy(&account);
    let project = Project::new(&account);
    let user = User::new(&project, &account);
    for (name, fault) in [("throttle", THROTTLE), ("deny", DENY)] {
        let file = project.write(&format!("experiments/{name}.yaml"), &experiment(fault, "30s"));
        let whole = policy(&project, &file);
        user.may(&whole);
        let (code, said) = user.ended(&["plan", &file]);
        assert_eq!(code, 0, "{said}");
        let mut tried: Vec<String> = actions(&whole).into_iter().map(|(_, action)| action).collect();
        tried.sort();
        tried.dedup();
        assert!(tried.len() > 10, "{tried:?}");
        let mut not_missed = Vec::new();
        for action in &tried {
            user.may(&without(&whole, action));
            let (code, said) = user.ended(&["plan", &file]);
            match code {
                0 => not_missed.push(action.as_str()),
                _ => assert!(code == 3 && said.contains(action.as_str()), "{name} without {action}: {code} {said}"),
            }
        }
        not_missed.retain(|action| !NOT_MISSED.contains(action));
        assert_eq!(not_missed, Vec::<&str>::new(), "{name}: a plan does without");
    }
}

/// The table of `squall doctor` for somebody who has the policy, and for somebody who may nothing.
#[test]
fn doctor_tells_what_is_permitted() {
    let account = Account::new(ministack());
    let _shop = Shop::deploy(&account);
    let project = Project::new(&account);
    let file = project.write("experiments/x.yaml", &experiment(THROTTLE, "30s"));
    let user = User::new(&project, &account);
    let whole = policy(&project, &file);
    user.may(&whole);
    let (_, said) = user.ended(&["doctor", &file, "--json"]);
    let found: Json = said.lines().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_else(|| panic!("{said}"));
    let checks = found["checks"].as_array().unwrap();
    let of = |what: &str| checks.iter().find(|check| check["what"] == what).unwrap_or_else(|| panic!("{what}: {said}"));
    for well in ["reachability", "identity", "credentials", "clock"] {
        assert_eq!(of(well)["finding"], "well", "{said}");
    }
    let unwell: Vec<&Json> =
        checks.iter().filter(|check| check["finding"] != "well" && check["what"] != "FIS safety lever").collect();
    assert!(unwell.is_empty(), "{unwell:?}");

    user.may(&without(&whole, "lambda:DeleteFunctionConcurrency"));
    let (code, said) = user.ended(&["doctor", &file]);
    let line = said.lines().find(|line| line.contains("lambda:DeleteFunctionConcurrency")).unwrap_or_default();
    assert!(code == 3 && line.contains("problem"), "{said}");
}
