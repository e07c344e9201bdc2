//! Somebody else changes in mid-run what squall changed: theirs is left alone, it is said, and the exit code is the worst.

use aws_sdk_ssm::types::ParameterType;
use rustix::process::Signal;

use crate::account::Account;
use crate::day::Day;
use crate::emulator::ministack;
use crate::picture::picture;
use crate::shop::Shop;
use crate::short::{UNTIL_ENDED, shipped_in};
use crate::squall::Project;

/// Runs an experiment until its fault is in, lets somebody change the setting, and sees how it ends. `theirs` is what must
/// differ in the account afterwards, beside the lock that says who was here.
fn somebody_else_changes(experiment: &str, change: impl FnOnce(&Shop<'_>), theirs: &str) {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    Day::off(&shop);
    let project = Project::new(&account);
    let file = shipped_in(&project, experiment, UNTIL_ENDED);
    let before = picture(&account);
    let mut run = project.run(&file);
    run.until("step_begins");
    run.until("changed");
    change(&shop);
    let changed = picture(&account);
    run.signal(Signal::TERM);
    run.until_one("settled", |settled| settled["how"]["kind"] == "theirs");
    let (status, err) = run.interrupt();
    assert_eq!(status.code(), Some(6), "{}\n{err}", run.story());
    assert!(run.closed()["left"].to_string().contains("others"), "{}", run.story());

    // Again, from a fresh process: the same.
    let undone = project.ended(&["undo"]).expect(6);
    assert!(undone.out.contains("others") || undone.err.contains("others"), "{undone:?}");

    let after = picture(&account);
    let key = after.keys().find(|key| key.contains(theirs)).unwrap();
    assert_eq!(after[key], changed[key], "theirs is as they left it");
    assert_ne!(after.get(key), before.get(key));
    for (other, value) in &after {
        assert!(
            other == key || before.get(other) == Some(value) || other.contains("/squall/marks/"),
            "{other}: {value}"
        );
    }
}

#[test]
fn the_concurrency() {
    let reserve = |shop: &Shop<'_>| {
        let put = shop.account.lambda.put_function_concurrency().function_name(shop.name("PaymentWorker"));
        shop.account.wait(put.reserved_concurrent_executions(7).send()).unwrap();
    };
    somebody_else_changes("payment-worker-throttled", reserve, "PaymentWorker");
}

#[test]
fn the_policy() {
    let rewrite = |shop: &Shop<'_>| {
        let (role, iam) = (shop.name("PaymentWorkerRole"), &shop.account.iam);
        let policies = shop.account.wait(iam.list_role_policies().role_name(&role).send()).unwrap().policy_names;
        let policy = policies.iter().find(|name| name.starts_with("squall-")).unwrap();
        let document =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
        let put = iam.put_role_policy().role_name(&role).policy_name(policy).policy_document(document);
        shop.account.wait(put.send()).unwrap();
    };
    somebody_else_changes("payment-worker-loses-permission", rewrite, "policy squall-");
}

#[test]
fn the_parameter() {
    let write = |shop: &Shop<'_>| {
        let put = shop.account.ssm.put_parameter().name(shop.name("OrderFunctionFaults")).r#type(ParameterType::String);
        let flags = r#"{"latency": {"enabled": true, "percentage": 1, "min_latency": 5, "max_latency": 6}}"#;
        shop.account.wait(put.overwrite(true).value(flags).send()).unwrap();
    };
    somebody_else_changes("order-function-slow", write, "order-function/faults");
}
