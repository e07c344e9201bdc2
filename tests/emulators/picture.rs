//! All in an account that a run could have changed, to compare before and after.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::QueueAttributeName;

use crate::account::Account;

/// Reserved concurrency and variables of each function, inline policies of each role, parameters byte for byte (squall's
/// locks are parameters), and how many messages are in each queue, in whichever state.
pub fn picture(account: &Account) -> BTreeMap<String, String> {
    let mut picture = BTreeMap::new();
    functions(account, &mut picture);
    roles(account, &mut picture);
    parameters(account, &mut picture);
    queues(account, &mut picture);
    picture
}

fn functions(account: &Account, picture: &mut BTreeMap<String, String>) {
    let functions = account.wait(account.lambda.list_functions().send()).unwrap();
    for function in functions.functions() {
        let name = function.function_name().unwrap();
        let found = account.wait(account.lambda.get_function().function_name(name).send()).unwrap();
        let reserved = found.concurrency().and_then(|concurrency| concurrency.reserved_concurrent_executions());
        picture.insert(format!("function {name} concurrency"), format!("{reserved:?}"));
        let configuration = found.configuration().unwrap();
        let variables = configuration.environment().and_then(|environment| environment.variables());
        let variables: BTreeMap<_, _> = variables.into_iter().flatten().collect();
        picture.insert(format!("function {name} variables"), format!("{variables:?}"));
    }
}

fn roles(account: &Account, picture: &mut BTreeMap<String, String>) {
    let iam = &account.iam;
    for role in account.wait(iam.list_roles().send()).unwrap().roles() {
        let role = role.role_name();
        for policy in account.wait(iam.list_role_policies().role_name(role).send()).unwrap().policy_names() {
            let get = iam.get_role_policy().role_name(role).policy_name(policy).send();
            let document = account.wait(get).unwrap().policy_document;
            picture.insert(format!("role {role} policy {policy}"), document);
        }
    }
}

fn parameters(account: &Account, picture: &mut BTreeMap<String, String>) {
    let (mut token, ssm) = (None, &account.ssm);
    loop {
        let page = ssm.get_parameters_by_path().path("/").recursive(true).set_next_token(token).send();
        let page = account.wait(page).unwrap();
        for parameter in page.parameters() {
            let (name, value) = (parameter.name().unwrap(), parameter.value().unwrap());
            picture.insert(format!("parameter {name}"), value.to_owned());
        }
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            return;
        }
    }
}

fn queues(account: &Account, picture: &mut BTreeMap<String, String>) {
    let listed = account.wait(account.sqs.list_queues().send()).unwrap();
    for url in listed.queue_urls() {
        let messages: u64 = counts(account, url).iter().sum();
        let ask = account.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        let found = account.wait(ask.send()).unwrap();
        for (attribute, value) in found.attributes().into_iter().flatten() {
            // Counts and times change by themselves.
            let attribute = attribute.as_str();
            if !attribute.starts_with("Approximate") && !attribute.ends_with("Timestamp") {
                picture.insert(format!("queue {url} {attribute}"), value.clone());
            }
        }
        picture.insert(format!("queue {} messages", url.rsplit('/').next().unwrap()), messages.to_string());
    }
}

/// Visible, in flight and delayed messages of a queue.
pub fn counts(account: &Account, url: &str) -> [u64; 3] {
    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        QueueAttributeName::ApproximateNumberOfMessagesDelayed,
    ];
    let ask = account.sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec()));
    let found = account.wait(ask.send()).unwrap();
    names.map(|name| found.attributes().unwrap()[&name].parse().unwrap())
}
