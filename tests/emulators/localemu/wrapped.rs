//! Latency through a layer with a wrapper at `/opt/bootstrap`, configured by variables: it is felt, and it goes.

use std::path::Path;
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, LayerVersionContentInput};
use rustix::process::Signal;
use serde_json::json;

use crate::account::{Account, until};
use crate::emulator::localemu;
use crate::picture::picture;
use crate::shop::{Shop, zipped};
use crate::squall::Project;

const EXPERIMENT: &str = "\
version: 1
title: The front may be slow for a while
because: Nobody waits for it.
targets: { front: { function: Front } }
hypotheses: [ { signal: depth of DeadLetters stays at 0, every: 10s } ]
baseline: 10s
faults: [ { inject: { lambda.latency: { target: front, delay: 2s } }, at: 0m, for: 5m } ]
recovers_within: 1m
guards: { longest: 30m }
";

#[test]
fn latency_by_a_wrapper_is_felt() {
    let account = Account::new(localemu());
    let stack = super::deploy(&account);
    wrap(&stack);
    let project = Project::new(&account);
    let file = project.write("experiments/front-slow.yaml", EXPERIMENT);
    let (before, delay) = (picture(&account), Duration::from_secs(2));
    let front = || {
        let answer = stack.invoke("Front", &json!({}));
        assert_eq!(answer.http, 200, "{answer:?}");
        answer.took
    };
    // The first one starts the function. A slow machine makes any of them slow, but none is faster than the delay while it is in.
    let fast = || (front() < delay).then_some(());
    until("an answer without the delay", fast);
    let mut run = project.run(&file);
    run.until_one("changed", |changed| changed["outcome"]["kind"] == "applied");
    run.until_one("changed", |changed| changed["outcome"]["kind"] == "applied");
    assert!(front() >= delay, "the delay is felt");
    run.signal(Signal::INT);
    let (status, err) = run.rest();
    assert_eq!(status.code(), Some(5), "{}\n{err}", run.story());
    until("the delay is gone", fast);
    assert_eq!(picture(&account), before);
}

/// Gives the front our layer, as the users of chaos-lambda-extension install theirs.
fn wrap(stack: &Shop<'_>) {
    let (account, name) = (stack.account, stack.name("Front"));
    let layer = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulators/localemu/layer");
    let content = LayerVersionContentInput::builder().zip_file(Blob::new(zipped(&layer))).build();
    let publish = account.lambda.publish_layer_version().layer_name("like-chaos-lambda-extension").content(content);
    let published = account.wait(publish.send()).unwrap();
    let variables = Environment::builder().variables("AWS_LAMBDA_EXEC_WRAPPER", "/opt/bootstrap");
    let update = account.lambda.update_function_configuration().function_name(&name);
    let update = update.layers(published.layer_version_arn().unwrap()).environment(variables.build());
    account.wait(update.send()).unwrap();
    stack.settled("Front");
}
