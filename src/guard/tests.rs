//! Each guard, and what it refuses.

use super::*;
use crate::account::sandbox::{World, shop_like};
use crate::planner::tests::{DENY, LATENCY, THROTTLE, file, plan_under, world};
use crate::yaml::{Loaded, Source, Style};

/// The sandbox's world under the rules of an account of AWS: its number is twelve zeros.
fn rules(more: &str) -> Rules {
    let text = format!(
        "version: 1\ndefault_account: sandbox\naccounts:\n  sandbox:\n    aws:\n      id: '000000000000'\n      region: eu-west-1\n{more}"
    );
    let (loaded, findings) = Loaded::<Project>::read(&Source::new("squall.yaml", text));
    Rules::in_model(&loaded.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain))).value)
}

const ALLOWED: &str = "      writing: allowed\n      dead_man: none\n";

fn objections(fault: &str, rules: &Rules) -> Vec<String> {
    match plan_under(&mut world(&shop_like()), &file(fault), 7, rules) {
        Ok(_) => Vec::new(),
        Err(objections) => objections.iter().map(ToString::to_string).collect(),
    }
}

/// Exactly one objection, with these words in it.
fn refused(fault: &str, rules: &Rules, words: &[&str]) {
    let objections = objections(fault, rules);
    assert_eq!(objections.len(), 1, "{objections:?}");
    for word in words {
        assert!(objections[0].contains(word), "`{word}` is not in: {}", objections[0]);
    }
}

#[test]
fn an_account_says_that_it_may_be_written_to() {
    assert_eq!(objections(THROTTLE, &rules(ALLOWED)), Vec::<String>::new());
    refused(THROTTLE, &rules("      dead_man: none\n"), &["allows planning only", "writing: allowed"]);
}

#[test]
fn another_accounts_credentials_are_refused() {
    let mut rules = rules(ALLOWED);
    if let Some(AccountRules { spec: AccountSpec::Aws(account), .. }) = rules.accounts.get_mut(&Location::sandbox()) {
        account.id = "111122223333".parse().unwrap();
    }
    refused(THROTTLE, &rules, &["belong to account 000000000000", "squall.yaml says 111122223333"]);
    rules.accounts.clear();
    refused(THROTTLE, &rules, &["in squall.yaml"]);
}

#[test]
fn production_is_opened_by_name() {
    let mut rules = rules(&format!("{ALLOWED}      production: true\n"));
    refused(THROTTLE, &rules, &["production account", "--open-production sandbox"]);
    rules.opened.insert(AccountName("another".into()));
    refused(THROTTLE, &rules, &["production account"]);
    rules.opened.insert(AccountName::sandbox());
    assert_eq!(objections(THROTTLE, &rules), Vec::<String>::new());
}

#[test]
fn an_account_limits_how_long_a_run_may_take() {
    refused(THROTTLE, &rules(&format!("{ALLOWED}      longest: 59m\n")), &["may take 1h", "longest: 59m"]);
}

fn under(fault: &str, rules: &Rules, world: World) -> Result<Plan, Vec<String>> {
    let mut world = world;
    plan_under(&mut world, &file(fault), 7, rules)
        .map_err(|objections| objections.iter().map(ToString::to_string).collect())
}

#[test]
fn what_does_not_end_by_itself_needs_a_dead_man_switch() {
    let mut rules = rules("      writing: allowed\n");
    let without = || world(&shop_like()).without_switch();
    for (fault, setting) in
        [(THROTTLE, "reserved concurrency of function payment-worker"), (LATENCY, "fault flag `latency`")]
    {
        let [objection] = &under(fault, &rules, without()).unwrap_err()[..] else { panic!() };
        let words = [
            setting,
            "no dead-man switch is deployed",
            "squall dead-man template",
            "--without-dead-man",
            "dead_man: none",
        ];
        for word in words {
            assert!(objection.contains(word), "{objection}");
        }
    }
    let plan = under(DENY, &rules, without()).unwrap();
    assert_eq!(plan.switches, [], "it ends by itself");
    rules.without_dead_man = true;
    assert_eq!(under(THROTTLE, &rules, without()).unwrap().switches, []);
}

#[test]
fn a_switch_is_planned_where_one_is_required() {
    let plan = under(THROTTLE, &rules("      writing: allowed\n"), world(&shop_like())).unwrap();
    let [switch] = &plan.switches[..] else { panic!("{:?}", plan.switches) };
    assert_eq!((switch.until, switch.name.as_str()), (plan.latest_end(), "run-20260302-3f9k2m.1"));
    assert!(plan.stays_alone().all(|(id, _)| switch.changes.contains(&id)));
    assert!(
        plan.warnings.iter().any(|warning| warning.contains("the dead-man switch rolls the")),
        "{:?}",
        plan.warnings
    );
    for action in ["DescribeStateMachine", "StartExecution", "StopExecution", "DescribeExecution"] {
        assert!(plan.permissions.iter().any(|needed| needed.action == format!("states:{action}")), "{action}");
    }
    let allowed = under(THROTTLE, &rules(ALLOWED), world(&shop_like())).unwrap();
    assert_eq!(allowed.switches, [], "it may go without");
    assert!(allowed.permissions.iter().all(|needed| !needed.action.starts_with("states:")));
}

#[test]
fn nothing_starts_while_everything_is_halted() {
    let mut rules = rules(ALLOWED);
    rules.halted = Some("ana@laptop".into());
    refused(THROTTLE, &rules, &["halted by ana@laptop", "squall halt --lift"]);
}

/// What stands against a throttle, given how long the credentials last and what is permitted.
fn refusals(lasts: Lasts, permitted: Vec<(Permission, Permitted)>, rules: &Rules) -> Vec<String> {
    let plan = plan_under(&mut world(&shop_like()), &file(THROTTLE), 7, rules).unwrap();
    let identity = Identity {
        account_id: "000000000000".into(),
        arn: "arn:aws:iam::000000000000:user/ana".into(),
        roles: Vec::new(),
        lasts,
        clock_is_off: None,
    };
    let identities = BTreeMap::from([(Location::sandbox(), identity)]);
    let facts = Facts {
        identities: &identities,
        picked: Vec::new(),
        found: BTreeMap::new(),
        halted: BTreeMap::new(),
        opted_out: Vec::new(),
        unguarded: BTreeMap::new(),
        permitted,
    };
    check(&plan, &Guards::default(), rules, &facts).iter().map(ToString::to_string).collect()
}

#[test]
fn credentials_outlive_the_undo_or_are_renewed() {
    let mut rules = rules(ALLOWED);
    let plan = plan_under(&mut world(&shop_like()), &file(THROTTLE), 7, &rules).unwrap();
    // It may start ten minutes after it was planned, take an hour, and roll back for a quarter of one.
    let enough = plan.made_at + Span::from_mins(10) + plan.longest + Span::from_mins(15);
    assert_eq!(refusals(Lasts::On, Vec::new(), &rules), Vec::<String>::new());
    assert_eq!(refusals(Lasts::Until(enough), Vec::new(), &rules), Vec::<String>::new());
    let [early] = &refusals(Lasts::Until(enough - Span::from_secs(1)), Vec::new(), &rules)[..] else { panic!() };
    assert!(early.contains("get new credentials"), "{early}");
    let [untold] = &refusals(Lasts::CannotTell, Vec::new(), &rules)[..] else { panic!() };
    assert!(untold.contains("AWS_CREDENTIAL_EXPIRATION"), "{untold}");
    assert_eq!(refusals(Lasts::CannotTellAfter(enough), Vec::new(), &rules), Vec::<String>::new());
    let early = Lasts::CannotTellAfter(enough - Span::from_secs(1));
    let [untold] = &refusals(early, Vec::new(), &rules)[..] else { panic!() };
    assert!(untold.contains("could not be determined"), "{untold}");
    rules.undo_untested = true;
    assert_eq!(refusals(Lasts::CannotTell, Vec::new(), &rules), Vec::<String>::new());
    assert_eq!(refusals(early, Vec::new(), &rules), Vec::<String>::new());
}

#[test]
fn the_undo_must_be_permitted_before_the_do() {
    let mut rules = rules(ALLOWED);
    let of = |purpose, permitted| {
        let action = "lambda:DeleteFunctionConcurrency".to_owned();
        vec![(Permission { purpose, action, resource: "arn:x".into() }, permitted)]
    };
    let (no, untold) = (Permitted::No("no policy allows it".into()), Permitted::CannotTell("no simulation".into()));
    assert_eq!(refusals(Lasts::On, of(Purpose::Rollback, Permitted::Yes), &rules), Vec::<String>::new());
    let [refused] = &refusals(Lasts::On, of(Purpose::Rollback, no.clone()), &rules)[..] else { panic!() };
    assert!(refused.contains("DeleteFunctionConcurrency on arn:x") && refused.contains("squall policy"), "{refused}");
    assert_eq!(
        refusals(Lasts::On, of(Purpose::Inject, untold.clone()), &rules),
        Vec::<String>::new(),
        "it is only tried"
    );
    let [refused] = &refusals(Lasts::On, of(Purpose::Rollback, untold.clone()), &rules)[..] else { panic!() };
    assert!(refused.contains("--undo-untested"), "{refused}");
    rules.undo_untested = true;
    assert_eq!(refusals(Lasts::On, of(Purpose::Rollback, untold), &rules), Vec::<String>::new());
    assert_eq!(refusals(Lasts::On, of(Purpose::Rollback, no), &rules).len(), 1, "no is no");
}

#[test]
fn a_share_of_few_is_no_share() {
    let picked = |taken, found| Picked { target: "t".into(), taken, found };
    assert_eq!(too_large_a_share(&picked(2, 2), Share::HALF), None);
    assert_eq!(too_large_a_share(&picked(2, 4), Share::HALF), None);
    assert!(too_large_a_share(&picked(2, 3), Share::HALF).is_some());
}
