//! Two accounts, two projects, two regions: a rollback acts on the account of its run and on no other, whatever
//! `squall.yaml` calls it by now.

use std::collections::BTreeMap;

use crate::account::{Account, REGION};
use crate::day::Day;
use crate::emulator::ministack;
use crate::picture::picture;
use crate::shop::Shop;
use crate::short::shipped_in;
use crate::squall::Project;

/// An account of `squall.yaml`.
fn entry(nickname: &str, account: &Account, region: &str, more: &str) -> String {
    format!(
        "  {nickname}:\n    aws:\n      id: \"{}\"\n      region: {region}\n      endpoint_url: {}\n      stack: {}\n{more}",
        account.id,
        account.url,
        account.stack()
    )
}

const ALLOWED: &str = "      writing: allowed\n      dead_man: none\n";
const GUARDED: &str = "      writing: refused\n      production: true\n";

fn yaml(default: &str, entries: &[String]) -> String {
    format!("version: 1\ndefault_account: {default}\naccounts:\n{}", entries.concat())
}

/// A project whose run was killed with a throttle in place, and the pictures of its account before and now.
struct Killed {
    project: Project,
    account: Account,
    before: BTreeMap<String, String>,
    throttled: BTreeMap<String, String>,
}

fn killed() -> Killed {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    Day::off(&shop);
    let project = Project::new(&account);
    let file = shipped_in(&project, "payment-worker-throttled", "10m");
    let before = picture(&account);
    let mut run = project.run(&file);
    run.until_one("changed", |changed| changed["change"] != 1);
    run.kill();
    let throttled = picture(&account);
    assert_ne!(throttled, before);
    Killed { project, account, before, throttled }
}

#[test]
fn a_nickname_that_means_another_account_now_is_not_followed() {
    let Killed { project, account, before, throttled } = killed();
    let other = Account::new(ministack());
    let untouched = picture(&other);
    // The same nickname with another id, another region, another endpoint.
    let elsewhere = entry("emulated", &account, REGION, ALLOWED).replace("http://127.0.0.1", "http://localhost");
    for entry in [
        entry("emulated", &other, REGION, ALLOWED),
        entry("emulated", &account, "eu-west-1", ALLOWED).replace(&account.id, &other.id),
        elsewhere,
    ] {
        project.configure(|_| yaml("emulated", &[entry]));
        let ended = project.ended(&["undo"]).expect(6);
        assert!(ended.err.contains("is not in squall.yaml"), "{}", ended.err);
        assert!(ended.err.contains(&account.id), "it names the account: {}", ended.err);
        assert_eq!(picture(&account), throttled, "{}", ended.err);
        assert_eq!(picture(&other), untouched);
        project.ended(&["status"]).expect(6);
    }
    // Under a nickname that it never had, beside another account with the old one.
    let entries = [entry("emulated", &other, REGION, ALLOWED), entry("renamed", &account, REGION, ALLOWED)];
    project.configure(|_| yaml("emulated", &entries));
    project.ended(&["undo"]).expect(0);
    assert_eq!(picture(&account), before);
    assert_eq!(picture(&other), untouched);
}

/// Another machine has another project: the locks are rolled back in the account that they lie in, within what its
/// `squall.yaml` allows for that account.
#[test]
fn locks_are_rolled_back_in_the_account_that_was_asked_for() {
    let Killed { project, account, before, throttled } = killed();
    let telemetry = Account::new(ministack());
    let untouched = picture(&telemetry);
    let elsewhere = Project::new(&account);
    // What the first project calls `emulated` is `prod-eu` here, and `emulated` is an account that nothing may write to.
    let others = entry("emulated", &telemetry, REGION, GUARDED);
    let undo = ["undo", "--account", "prod-eu", "--take-over", "--yes"];
    let guarded = entry("prod-eu", &account, REGION, GUARDED);
    elsewhere.configure(|_| yaml("prod-eu", &[others.clone(), guarded]));
    let refused = elsewhere.ended(&undo).expect(6);
    assert!(refused.err.contains("--allow-writing prod-eu"), "{}", refused.err);
    let refused = elsewhere.ended(&[&undo[..], &["--allow-writing", "prod-eu"]].concat()).expect(6);
    assert!(refused.err.contains("--open-production prod-eu"), "{}", refused.err);
    assert_eq!(picture(&account), throttled);
    elsewhere.configure(|_| yaml("prod-eu", &[others, entry("prod-eu", &account, REGION, ALLOWED)]));
    let early = elsewhere.ended(&["undo", "--account", "prod-eu", "--take-over"]).expect(6);
    assert!(early.err.contains("--yes"), "{}", early.err);
    elsewhere.ended(&undo).expect(0);
    assert_eq!(picture(&account), before);
    assert_eq!(picture(&telemetry), untouched);
    // The first machine comes back, and finds that nothing is left to do.
    project.ended(&["undo"]).expect(0);
    assert_eq!(picture(&account), before);
}

/// A role has no region: two regions exclude each other, and the lock on it is in the partition's own region.
#[test]
fn a_role_is_locked_for_all_regions() {
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    Day::off(&shop);
    let project = Project::new(&account);
    let file = shipped_in(&project, "payment-worker-loses-permission", "10m");
    let before = picture(&account);
    let mut run = project.run(&file);
    run.until_one("changed", |changed| changed["change"] != 1);
    run.kill();
    let parameter = format!("/squall/marks/role/{}", shop.name("PaymentWorkerRole").replace('_', "_5f_"));
    account.wait(account.ssm.get_parameter().name(&parameter).send()).unwrap();
    let elsewhere = Project::new(&account);
    elsewhere.configure(|_| yaml("europe", &[entry("europe", &account, "eu-west-1", ALLOWED)]));
    let undone = elsewhere.ended(&["undo", "--account", "europe", "--take-over", "--yes"]).expect(0);
    assert_eq!(picture(&account), before, "{}", undone.err);
}

/// One store rolls back from the locks of two accounts, one after the other, though the first rollback is killed.
#[test]
fn locks_of_two_accounts_are_rolled_back_from_one_store() {
    let (one, two) = (killed(), killed());
    let mut elsewhere = Project::new(&one.account);
    let entries = [entry("one", &one.account, REGION, ALLOWED), entry("two", &two.account, REGION, ALLOWED)];
    elsewhere.configure(|_| yaml("one", &entries));
    let undo = |account| ["undo", "--account", account, "--take-over", "--yes"];
    let mut first = elsewhere.begin(&undo("one"));
    first.next().unwrap();
    first.kill();
    for (account, of) in [("two", &two), ("one", &one)] {
        // Credentials are of one account.
        elsewhere.keys.0.clone_from(&of.account.id);
        elsewhere.ended(&undo(account)).expect(0);
        assert_eq!(picture(&of.account), of.before);
    }
    elsewhere.ended(&["undo"]).expect(0);
    elsewhere.ended(&["status"]).expect(0);
}
