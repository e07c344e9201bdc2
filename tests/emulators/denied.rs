//! `iam.deny`: AccessDenied inside the function, and the permission back afterwards: by squall, or by itself.

use serde_json::Value as Json;
use squall::env::{Env as _, RealEnv};
use squall::units::{Span, Time};

use crate::account::{Account, until};
use crate::day::Day;
use crate::emulator::ministack;
use crate::picture::picture;
use crate::shop::Shop;
use crate::short::shipped_in;
use crate::squall::Project;

/// What a run may take of memory of its own, in kB.
const MOST_MEMORY: u64 = 20_000;

/// How often the payment worker was refused by IAM.
fn refusals(shop: &Shop<'_>) -> usize {
    let refused = |line: &&String| line.contains("AccessDenied") && line.contains("dynamodb:PutItem");
    shop.log("PaymentWorker").iter().filter(refused).count()
}

/// IAM answers documents percent-encoded.
fn decoded(document: &str) -> String {
    let mut parts = document.split('%');
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| {
        let (code, rest) = part.split_at(2);
        text + &char::from(u8::from_str_radix(code, 16).unwrap()).to_string() + rest
    })
}

#[test]
fn the_worker_is_denied_and_may_again_afterwards() {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    shop.come_back_after("OrdersQueue", 15);
    shop.never_give_up("OrdersQueue");
    let project = Project::new(&account);
    let file = shipped_in(&project, "payment-worker-loses-permission", "2m");
    let before = picture(&account);
    Day::with(&shop, |day| {
        let mut run = project.run(&file);
        run.until("step_begins");
        assert_eq!(refusals(&shop), 0);
        run.until("changed");
        until("the function itself sees AccessDenied", || (refusals(&shop) > 0).then_some(()));
        run.until("settled");
        // Who ordered before has been told, so that no refused invocation is still on its way.
        day.wait_for(1);
        day.everybody_is_told();
        let after = refusals(&shop);
        day.wait_for(3);
        day.everybody_is_told();
        assert_eq!(refusals(&shop), after, "and never again");
        let (status, err) = run.rest();
        assert_eq!(status.code(), Some(5), "{}\n{err}", run.story());
        // MiniStack counts no invocation by an event source mapping, so nothing showed the effect.
        assert!(run.reasons().contains("iam.deny was not seen to take effect"), "{}", run.reasons());
        println!("NOTE: a run against MiniStack takes {:.1} MB of its own at its peak", run.peak as f64 / 1_000.0);
        assert!(run.peak < MOST_MEMORY, "{} kB", run.peak);
    });
    assert_eq!(picture(&account), before);
}

/// squall is killed and nobody rolls back. The deny carries its end.
#[test]
fn the_permission_comes_back_by_itself_when_squall_is_dead() {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    shop.come_back_after("OrdersQueue", 15);
    shop.never_give_up("OrdersQueue");
    let project = Project::new(&account);
    let file = shipped_in(&project, "payment-worker-loses-permission", "40s");
    let before = picture(&account);
    Day::off(&shop);
    let mut run = project.run(&file);
    run.until("step_begins");
    let changed: Time = run.until("changed").line["at"].as_str().unwrap().parse().unwrap();
    run.kill();
    let order = shop.order().order.unwrap();
    until("AccessDenied in the function", || (refusals(&shop) > 0).then_some(()));

    // It ends ten minutes after the fault was planned to end. They pass at once: the same document, its end so much nearer.
    let (role, iam) = (shop.name("PaymentWorkerRole"), &account.iam);
    let policies = account.wait(iam.list_role_policies().role_name(&role).send()).unwrap().policy_names;
    let policy = policies.iter().find(|name| name.starts_with("squall-")).unwrap();
    let found = account.wait(iam.get_role_policy().role_name(&role).policy_name(policy).send()).unwrap();
    let mut document: Json = serde_json::from_str(&decoded(&found.policy_document)).unwrap();
    let end = &mut document["Statement"][0]["Condition"]["DateLessThan"]["aws:CurrentTime"];
    let planned: Time = end.as_str().unwrap().parse().unwrap();
    let left = planned.since(changed);
    assert!(left > Span::from_mins(5) && left < Span::from_mins(11), "{left}");
    let soon = (RealEnv.now() + Span::from_secs(4)).to_string();
    *end = format!("{}Z", soon.split('.').next().unwrap()).into();
    let put = iam.put_role_policy().role_name(&role).policy_name(policy).policy_document(document.to_string());
    account.wait(put.send()).unwrap();
    until("paid, and the customer told", || shop.told().contains(&order).then_some(()));
    let kept = account.wait(iam.list_role_policies().role_name(&role).send()).unwrap().policy_names;
    assert!(kept.contains(policy), "nobody took the policy away");

    // What is left of it is somebody else's now, for it was changed: it is named, and not touched.
    project.ended(&["undo"]).expect(6);
    account.wait(iam.delete_role_policy().role_name(&role).policy_name(policy).send()).unwrap();
    assert_eq!(picture(&account), before);
}
