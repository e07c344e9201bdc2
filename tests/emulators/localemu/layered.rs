//! Latency through squall's own layer, which reads orders from a parameter: it is felt, and it goes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, LayerVersionContentInput};
use aws_sdk_ssm::types::ParameterType;
use rustix::process::Signal;
use serde_json::json;

use crate::account::{Account, until};
use crate::emulator::{folder, localemu};
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
fn latency_by_the_layer_is_felt() {
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
    // A slow machine makes any of them slow, but none is faster than the delay while its order is in force and known.
    let fast = || (front() < delay).then_some(());
    until("an answer without the delay", fast);
    let mut run = project.run(&file);
    run.until_one("changed", |changed| changed["outcome"]["kind"] == "applied");
    run.until_one("changed", |changed| changed["outcome"]["kind"] == "applied");
    until("the delay is felt", || (front() >= delay).then_some(()));
    run.signal(Signal::INT);
    let (status, err) = run.rest();
    assert_eq!(status.code(), Some(5), "{}\n{err}", run.story());
    until("the delay is gone", fast);
    assert_eq!(picture(&account), before);
}

/// Gives the front squall's layer, as its users install it.
fn wrap(stack: &Shop<'_>) {
    let (account, name, parameter) = (stack.account, stack.name("Front"), format!("/{}/faults", stack.name("Front")));
    let put = account.ssm.put_parameter().name(&parameter).r#type(ParameterType::String).value(r#"{"version": 1}"#);
    account.wait(put.send()).unwrap();
    let content = LayerVersionContentInput::builder().zip_file(Blob::new(zipped(&opt()))).build();
    let publish = account.lambda.publish_layer_version().layer_name("squall-layer").content(content);
    let published = account.wait(publish.send()).unwrap();
    let variables = Environment::builder()
        .variables("AWS_LAMBDA_EXEC_WRAPPER", "/opt/squall-layer")
        .variables("SQUALL_FAULTS_PARAM", &parameter);
    let update = account.lambda.update_function_configuration().function_name(&name);
    let update = update.layers(published.layer_version_arn().unwrap()).environment(variables.build());
    account.wait(update.send()).unwrap();
    stack.settled("Front");
}

/// The layer as it lies in `/opt`, built for this machine.
fn opt() -> PathBuf {
    let layer = Path::new(env!("CARGO_MANIFEST_DIR")).join("layer");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--locked", "--target-dir", "target"]).current_dir(&layer);
    // What cargo says of this crate would have crates of the layer built again.
    let of_this_crate = |name: &String| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for name in std::env::vars().map(|(name, _)| name).filter(of_this_crate) {
        build.env_remove(name);
    }
    assert!(build.status().unwrap().success());
    let opt = folder().join(format!("layer-{}", std::process::id()));
    std::fs::create_dir_all(opt.join("squall-layer.d")).unwrap();
    std::fs::copy(layer.join("opt/squall-layer"), opt.join("squall-layer")).unwrap();
    std::fs::copy(layer.join("target/debug/squall-layer"), opt.join("squall-layer.d/squall-layer")).unwrap();
    opt
}
