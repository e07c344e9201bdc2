//! The planner on a small application in the sandbox.

mod foresight;
mod keys;
mod probes;

use std::path::Path;

use super::*;
use crate::account::sandbox::app::App;
use crate::account::sandbox::shop::shop;
use crate::account::sandbox::{Weather, World, shop_like};
use crate::account::setting::{same_document, with_key};
use crate::account::{Call, Reply, ResourceKind, Write, ask};
use crate::plan::{Change, ChangeId, Cleanup, Purpose};
use crate::project::Project;
use crate::spec::check::Known;
use crate::spec::load::ProjectFiles;
use crate::units::{Share, Span};
use crate::yaml::{Loaded, Source, Style};

/// An experiment's file with these faults, on the worker behind a queue.
pub fn file(faults: &str) -> String {
    format!(
        "version: 1
title: A test
because: It is one.
targets:
  worker: {{ function: payment-worker }}
  orders: {{ queue: orders }}
  payments: {{ table: payments }}
hypotheses:
  - signal: depth of orders is at most 100
  - signal: failed share of payment-worker is at most 1 %
baseline: 5m
faults:
{faults}
recovers_within: 8m
guards:
  longest: 60m
"
    )
}

/// The experiment with the hypotheses that it names; there are none in these files.
pub fn files(text: &str) -> ExperimentFiles {
    let (loaded, findings) = Loaded::<Experiment>::read(&Source::new("test.yaml", text));
    let experiment = loaded.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain)));
    ExperimentFiles {
        experiment,
        hypotheses: BTreeMap::new(),
        account: AccountName::sandbox(),
        inputs: BTreeMap::new(),
    }
}

pub fn world(app: &App) -> World {
    World::new(app, 1, "2026-03-02T09:00:00Z".parse().unwrap()).unwrap()
}

pub fn plan_in(world: &mut World, text: &str, seed: u64) -> Result<Plan, Vec<Objection>> {
    let rules = Rules::in_model(&Project::default());
    plan_under(world, text, seed, &rules)
}

pub fn plan_under(account: &mut dyn Account, text: &str, seed: u64, rules: &Rules) -> Result<Plan, Vec<Objection>> {
    let files = files(text);
    let request = Request { files: &files, run: RunId("run-20260302-3f9k2m".into()), seed, by: "ana@laptop", rules };
    plan(&request, account)?.runnable()
}

fn planned(faults: &str) -> Plan {
    match plan_in(&mut world(&shop_like()), &file(faults), 7) {
        Ok(plan) => plan,
        Err(objections) => panic!("{objections:?}"),
    }
}

/// The only objection has this path, and says these words.
fn refused(text: &str, path: &str, words: &[&str]) {
    refused_in(&mut world(&shop_like()), text, path, words);
}

fn refused_in(world: &mut World, text: &str, path: &str, words: &[&str]) {
    let objections = plan_in(world, text, 7).expect_err("it is planned");
    assert_eq!(objections.len(), 1, "{objections:?}");
    assert_eq!(objections[0].path, path, "{objections:?}");
    for word in words {
        assert!(objections[0].to_string().contains(word), "`{word}` is not in: {}", objections[0]);
    }
}

pub const THROTTLE: &str = "  - { inject: { lambda.throttle: { target: worker, concurrency: 0 } }, for: 10m }";
pub const POISON: &str =
    "  - { inject: { sqs.poison: { target: orders, payload: malformed, count: 5, rate: 1/s } }, for: 10m }";
pub const DENY: &str =
    "  - { inject: { iam.deny: { target: worker, actions: [dynamodb:PutItem], resources: [payments] } }, for: 10m }";
pub const LATENCY: &str = "  - { inject: { lambda.latency: { target: worker, delay: 1s } }, for: 10m }";
pub const ERROR: &str = "  - { inject: { lambda.error: { target: worker, share: 20 % } }, for: 10m }";

#[test]
fn a_throttle_is_a_mark_and_a_change() {
    let plan = planned(THROTTLE);
    let settings: Vec<String> = plan.changes.values().map(|change| change.setting.describe()).collect();
    let function = "function payment-worker";
    assert_eq!(settings, [format!("lock on {function}"), format!("reserved concurrency of {function}")]);
    assert_eq!(plan.steps[0].changes, [ChangeId(2)]);
    let change = &plan.changes[&ChangeId(2)];
    assert_eq!((&change.before, &change.after), (&Value::Unset, &Value::Number(0)));
    assert_eq!(plan.inverse_order(), [ChangeId(2), ChangeId(1)]);
    assert_eq!(plan.changed_resources().len(), 1);
    assert_eq!(plan.file_hash.len(), 64);
    let watched: Vec<String> = plan.watches.iter().map(ToString::to_string).collect();
    assert_eq!(watched, ["function payment-worker", "queue orders"]);
    assert!(plan.warnings[0].contains("if this machine dies"), "{:?}", plan.warnings);
}

#[test]
fn a_mark_alone_is_enough_to_undo() {
    let plan = planned(&[THROTTLE, POISON, DENY, LATENCY, ERROR].join("\n"));
    let locks: Vec<&Change> = plan.changes.values().filter(|change| change.setting.is_lock()).collect();
    let names: Vec<String> = locks.iter().map(|lock| lock.setting.resource().to_string()).collect();
    let expected = [
        "function payment-worker",
        "queue orders",
        "queue orders-dlq",
        "role payment-worker-role",
        "parameter /shop/faults",
    ];
    assert_eq!(names, expected);
    for (id, change) in plan.changes.iter().filter(|(_, change)| !change.setting.is_lock()) {
        let (lock_id, lock) = plan
            .changes
            .iter()
            .find(|(_, lock)| lock.setting.is_lock() && lock.setting.resource() == change.setting.resource())
            .unwrap();
        assert!(lock_id < id);
        let text = Lock::parse(change.setting.resource(), &lock.after.to_string()).unwrap();
        assert_eq!(text.latest_end, plan.latest_end());
        assert!(text.changes.iter().any(|locked| {
            (&locked.setting, &locked.before, &locked.after, &locked.whole_before)
                == (&change.setting, &change.before, &change.after, &change.whole_before)
        }));
    }
    let source = plan.changes.values().find(|c| c.setting.is_lock() && c.setting.resource().name == "orders").unwrap();
    let sends = Lock::parse(source.setting.resource(), &source.after.to_string()).unwrap().sends;
    assert_eq!((sends[0].first, sends[0].count), (1, 5));
    assert!(matches!(&sends[0].cleanup, Cleanup::Sweep { dead_letter, .. } if dead_letter.name == "orders-dlq"));
}

#[test]
fn a_setting_that_is_so_already_is_refused() {
    let mut app = shop_like();
    app.functions.get_mut("payment-worker").unwrap().reserved = Some(0);
    refused_in(
        &mut world(&app),
        &file(THROTTLE),
        "faults/0/inject",
        &["is already 0 executions", "nothing would change"],
    );
}

#[test]
fn a_target_that_matches_nothing_is_refused() {
    let text = file(THROTTLE).replace("function: payment-worker", "function: missing");
    refused(&text, "targets/worker", &["no function missing", "logical id"]);
    let several = "functions: { tag: { chaos: no }, count: 1 }";
    let text = file(THROTTLE).replace("function: payment-worker", several);
    refused(&text, "targets/worker", &["tagged chaos=no", "check the tag"]);
}

#[test]
fn a_fault_on_another_kind_of_target_is_refused() {
    let text = file("  - { inject: { lambda.throttle: { target: orders, concurrency: 0 } }, for: 10m }");
    refused(&text, "faults/0/inject", &["acts on a function", "queue orders"]);
}

#[test]
fn flaws_are_refused_where_check_was_not_asked() {
    let text = file("  - { inject: { lambda.latency: { target: worker, delay: 1s, share: 0.5 % } }, for: 10m }");
    refused(&text, "faults/0/inject", &["whole percentage"]);
}

#[test]
fn a_resource_that_another_run_has_is_left_to_it() {
    let mut world = world(&shop_like());
    let plan = plan_in(&mut world, &file(THROTTLE), 7).unwrap();
    let lock = &plan.changes[&ChangeId(1)];
    let write = Write { setting: lock.setting.clone(), value: lock.after.clone(), whole: None };
    ask(&mut world, Call::Write(write)).unwrap();
    let words =
        ["is locked by run-20260302-3f9k2m of ana@laptop", "squall undo run-20260302-3f9k2m", "--account sandbox"];
    refused_in(&mut world, &file(THROTTLE), "faults", &words);
    // Also when that run has changed it already, so that nothing would change any more.
    let throttle = &plan.changes[&ChangeId(2)];
    let write = Write { setting: throttle.setting.clone(), value: throttle.after.clone(), whole: None };
    ask(&mut world, Call::Write(write)).unwrap();
    let objections = plan_in(&mut world, &file(THROTTLE), 7).expect_err("it is planned");
    assert!(objections.iter().any(|objection| objection.to_string().contains(words[0])), "{objections:?}");
    let write = Write { setting: throttle.setting.clone(), value: throttle.before.clone(), whole: None };
    ask(&mut world, Call::Write(write)).unwrap();
    let strange = Write { setting: lock.setting.clone(), value: Value::Unset, whole: None };
    ask(&mut world, Call::Write(strange)).unwrap();
    let strange = Write { setting: lock.setting.clone(), value: Value::Text("hands off".into()), whole: None };
    ask(&mut world, Call::Write(strange)).unwrap();
    refused_in(&mut world, &file(THROTTLE), "faults", &["is not squall's", "aws ssm get-parameter"]);
}

#[test]
fn a_mark_must_hold_all_that_its_undo_needs() {
    let mut app = shop_like();
    let mut with = |document: String| {
        app.parameters.insert("/shop/faults".into(), document);
        plan_in(&mut world(&app), &file(LATENCY), 7)
    };
    let note = |bytes: usize| format!(r#"{{"note":"{}"}}"#, "x".repeat(bytes));
    assert!(with(note(3_000)).is_ok());
    let objections = with(note(3_900)).unwrap_err();
    assert!(objections[0].to_string().contains("SSM accepts 4096"), "{objections:?}");
    refused(&file(THROTTLE).replace("A test", "A {{test}}"), "faults", &["`{{`", "title"]);
}

#[test]
fn one_setting_is_changed_by_one_fault_at_a_time() {
    let second = "  - { inject: { lambda.throttle: { target: worker, concurrency: 3 } }, at: 9m, for: 5m }";
    refused(&file(&[THROTTLE, second].join("\n")), "faults/1/at", &["at the same time", "at: 10m"]);
    let soon = second.replace("at: 9m", "at: 11m9s");
    refused(&file(&[THROTTLE, &soon].join("\n")), "faults/1/at", &["may not be finished", "at: 11m10s"]);
    let later = second.replace("at: 9m", "at: 11m10s");
    assert!(plan_in(&mut world(&shop_like()), &file(&[THROTTLE, &later].join("\n")), 7).is_ok());
    // The order in the file does not matter.
    refused(&file(&[second, THROTTLE].join("\n")), "faults/0/at", &["at the same time"]);
    // Two keys of one document are two settings.
    assert!(plan_in(&mut world(&shop_like()), &file(&[LATENCY, ERROR].join("\n")), 7).is_ok());
}

#[test]
fn the_run_must_fit_into_its_longest() {
    let text = file(THROTTLE).replace("longest: 60m", "longest: 20m");
    let objection = &plan_in(&mut world(&shop_like()), &text, 7).unwrap_err()[0];
    assert_eq!(objection.path, "guards/longest");
    // What it says to write is enough, and a minute less is not.
    let minutes: i64 = objection.refusal.remedy.split(['m', ' ', ':', '`']).find_map(|word| word.parse().ok()).unwrap();
    let with = |minutes: i64| file(THROTTLE).replace("longest: 60m", &format!("longest: {minutes}m"));
    assert!(plan_in(&mut world(&shop_like()), &with(minutes), 7).is_ok());
    assert!(plan_in(&mut world(&shop_like()), &with(minutes - 1), 7).is_err());
    let needed = planned(THROTTLE).fits_into();
    assert!(needed <= Span::from_mins(minutes) && needed > Span::from_mins(minutes - 1));
}

#[test]
fn what_a_wrapper_or_another_fault_needs_is_not_denied() {
    let deny = |action: &str, arn: &str, at: &str| {
        format!(
            "  - {{ inject: {{ iam.deny: {{ target: worker, actions: ['{action}'], resources: ['{arn}'] }} }}, at: {at}, for: 5m }}"
        )
    };
    // No fault of this experiment uses the wrapper; somebody's function still would be left with its last flags.
    let parameter = "arn:aws:ssm:*:*:parameter/shop/*";
    refused(&file(&deny("ssm:Get*", parameter, "0m")), "faults/0/inject", &["fault wrapper of payment-worker"]);
    let queue = "arn:aws:sqs:*:*:orders";
    let receive = deny("sqs:ReceiveMessage", queue, "5m");
    refused(&file(&[POISON, &receive].join("\n")), "faults/1/inject", &["poison in orders must be received"]);
    assert!(plan_in(&mut world(&shop_like()), &file(&receive), 7).is_ok());
    // Over before the poison begins: it takes nothing from it.
    let later = POISON.replace("for: 10m", "at: 10m, for: 10m");
    assert!(
        plan_in(
            &mut world(&shop_like()),
            &file(&[&later, &receive].map(|t| t.replace("at: 5m", "at: 0m")).join("\n")),
            7
        )
        .is_ok()
    );
}

#[test]
fn names_in_sentences_are_targets_or_resources() {
    let plan = planned(THROTTLE);
    let queries: Vec<String> = plan.signals.iter().map(|signal| signal.query.to_string()).collect();
    assert_eq!(queries, ["depth of orders", "failed share of payment-worker"]);
    let by_name = file(THROTTLE).replace("depth of orders", "depth of orders-dlq");
    let plan = plan_in(&mut world(&shop_like()), &by_name, 7).unwrap();
    assert_eq!(plan.signals[0].query.resource.name, "orders-dlq");
    let text = file(THROTTLE).replace("depth of orders", "depth of nothing");
    refused(&text, "hypotheses/0", &["`nothing` is neither a target nor a resource"]);
    let wrong = file(THROTTLE).replace("depth of orders", "depth of worker");
    refused(&wrong, "hypotheses/0", &["not measured on a function", "queue"]);
}

#[test]
fn the_seed_picks_and_only_the_seed() {
    let mut app = shop_like();
    let worker = app.functions["payment-worker"].clone();
    for number in 0..9 {
        let name = format!("worker-{number}");
        app.functions.insert(name.clone(), worker.clone());
        app.tags.insert(name, BTreeMap::from([("chaos".into(), "yes".into())]));
    }
    let several = "functions: { tag: { chaos: yes }, count: 3 }";
    let text = file(THROTTLE).replace("function: payment-worker", several);
    let hits = |text: &str, seed| plan_in(&mut world(&app), text, seed).unwrap().hits();
    let first = hits(&text, 1);
    assert_eq!(first.len(), 3);
    assert_eq!(hits(&text, 1), first);
    let another = text.replace("targets:\n", "targets:\n  aaa: { function: payment-worker }\n");
    assert_eq!(hits(&another, 1), first, "another target changes nothing");
    assert!((2..20).any(|seed| hits(&text, seed) != first));
    // Two targets that find the same draw each for themselves.
    let other = text.replace("worker: {", "other: {").replace("target: worker", "target: other");
    assert!((1..20).any(|seed| hits(&other, seed) != hits(&text, seed)));
    let share = |share: &str| text.replace("count: 3", &format!("share: {share}"));
    assert_eq!(hits(&share("35 %"), 1).len(), 3);
    assert_eq!(hits(&share("1 %"), 1).len(), 1);
    let objections = plan_in(&mut world(&app), &text.replace("count: 3", "count: 11"), 1).unwrap_err();
    assert!(objections[0].to_string().contains("finds 10"), "{objections:?}");
}

#[test]
fn messages_are_numbered_through_the_run() {
    let second = POISON.replace("for: 10m", "at: 2m, for: 10m");
    let plan = planned(&[POISON, &second].join("\n"));
    let first: Vec<u32> = plan.steps.iter().map(|step| step.emission.as_ref().unwrap().first).collect();
    assert_eq!(first, [1, 6]);
}

#[test]
fn a_load_that_runs_out_or_begins_at_nothing_is_warned_of() {
    let load = |rate: &str, at_most: u32| {
        let load = format!("load:\n  - {{ to: worker, rate: {rate}, at_most: {at_most} }}\nguards:");
        let plan = plan_in(&mut world(&shop_like()), &file(THROTTLE).replace("guards:", &load), 7).unwrap();
        assert_eq!(plan.load.len(), 1);
        plan.warnings.iter().filter(|warning| warning.contains("the load on worker")).count()
    };
    assert_eq!(load("1/s", 100_000), 0);
    assert_eq!(load("1/s", 100), 1);
    assert_eq!(load("{ from: 0/s, to: 1/s }", 100_000), 1);
    let to_table = "load:\n  - { to: payments, rate: 1/s, at_most: 10 }\nguards:";
    refused(&file(THROTTLE).replace("guards:", to_table), "load/0/to", &["cannot send load to a table"]);
}

#[test]
fn every_objection_comes_at_once() {
    let text = file(THROTTLE).replace("function: payment-worker", "function: a").replace("queue: orders", "queue: b");
    let objections = plan_in(&mut world(&shop_like()), &text, 7).unwrap_err();
    assert_eq!(objections.iter().map(|o| o.path.as_str()).collect::<Vec<_>>(), ["targets/orders", "targets/worker"]);
}

#[test]
fn a_look_is_tried_again_in_bad_weather() {
    let weather =
        Weather { throttled: Share::new(0.3).unwrap(), lost_reply: Share::new(0.1).unwrap(), ..Weather::calm() };
    for seed in 0..20 {
        let mut world = World::new(&shop_like(), seed, "2026-03-02T09:00:00Z".parse().unwrap()).unwrap();
        world = world.with_weather(weather.clone());
        plan_in(&mut world, &file(THROTTLE), 7).unwrap();
    }
}

#[test]
fn nothing_is_changed_by_planning() {
    let mut world = world(&shop_like());
    let before = world.picture();
    plan_in(&mut world, &file(&[THROTTLE, POISON, DENY, LATENCY, ERROR].join("\n")), 7).unwrap();
    assert_eq!(world.picture(), before);
}

#[test]
fn everything_shipped_is_planned_on_the_shop() {
    let (project, findings) = ProjectFiles::open(Path::new(env!("CARGO_MANIFEST_DIR")));
    let project = project.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain)));
    let rules = Rules::in_model(&project.project);
    let experiments = project.experiments();
    assert!(experiments.len() >= 6);
    for path in experiments {
        let (files, findings) = ExperimentFiles::open(&path, &project, None, &Known::default());
        let files = files.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain)));
        let run = RunId("run-20260302-3f9k2m".into());
        let request = Request { files: &files, run, seed: 7, by: "ana@laptop", rules: &rules };
        let plan = plan(&request, &mut world(&shop())).and_then(Planned::runnable).unwrap_or_else(|objections| {
            panic!("{}", objections.iter().map(|o| format!("{} {o}", o.place(&files.experiment))).collect::<String>())
        });
        assert!(plan.signals.len() >= files.experiment.value.hypotheses.len());
        assert!(!plan.permissions.is_empty() && !plan.watches.is_empty());
    }
}

#[test]
fn an_objection_knows_its_place() {
    let text = file(THROTTLE).replace("longest: 60m", "longest: 20m");
    let files = files(&text);
    let objection = &plan_in(&mut world(&shop_like()), &text, 7).unwrap_err()[0];
    assert_eq!(objection.place(&files.experiment), "test.yaml:16:12");
    assert!(text.lines().nth(15).unwrap().contains("longest: 20m"));
}

#[test]
fn what_is_tagged_never_is_not_touched() {
    let mut app = shop_like();
    let never = BTreeMap::from([("squall".to_owned(), "never".to_owned())]);
    app.tags.insert("orders-dlq".into(), never.clone());
    // The dead-letter queue would be swept.
    refused_in(&mut world(&app), &file(POISON), "targets", &["queue orders-dlq", "squall=never"]);
    assert!(plan_in(&mut world(&app), &file(THROTTLE), 7).is_ok());
    // The function is hit through its role.
    app.tags.insert("payment-worker".into(), never);
    refused_in(&mut world(&app), &file(DENY), "targets", &["function payment-worker", "squall=never"]);
}

#[test]
fn numbers_and_shares_of_targets_are_limited() {
    let mut app = shop_like();
    let worker = app.functions["payment-worker"].clone();
    for number in 0..9 {
        let name = format!("worker-{number}");
        app.functions.insert(name.clone(), worker.clone());
        app.tags.insert(name, BTreeMap::from([("chaos".into(), "yes".into())]));
    }
    // One role, ten functions: all of them count.
    let shared = DENY.replace("resources: [payments]", "resources: [payments], shared_role: accepted");
    let limited = file(&shared).replace("longest: 60m", "longest: 60m\n  hits_at_most: 9");
    refused_in(&mut world(&app), &limited, "guards/hits_at_most", &["hit 10 resources, and 9", "hits_at_most: 10"]);
    assert!(plan_in(&mut world(&app), &limited.replace("most: 9", "most: 10"), 7).is_ok());
    let several = "functions: { tag: { chaos: yes }, share: 60 % }";
    let text = file(THROTTLE).replace("function: payment-worker", several);
    refused_in(&mut world(&app), &text, "targets/worker", &["selects 6 of the 10", "50 %", "share_at_most"]);
    let allowed = text.replace("longest: 60m", "longest: 60m\n  share_at_most: 60 %");
    assert!(plan_in(&mut world(&app), &allowed, 7).is_ok());
}

#[test]
fn a_plan_reads_well() {
    let later = DENY.replace("for: 10m", "at: 2m, for: 10m");
    let faults = [THROTTLE, POISON, &later, LATENCY].join("\n");
    insta::assert_snapshot!(show::lines(&planned(&faults)).join("\n"));
}

#[test]
fn commands_by_hand_give_a_document_its_very_bytes_back() {
    let mut app = shop_like();
    app.parameters.insert("/shop/faults".into(), r#"{ "note":  "kept" }"#.into());
    let plan = plan_in(&mut world(&app), &file(&[LATENCY, ERROR].join("\n")), 7).unwrap();
    let undo = show::commands_undo(&plan);
    // First the newer flag goes, then the older one, and with it everything that squall wrote.
    let (compares, writes) = undo[0].split_once(" && ").unwrap();
    assert!(compares.starts_with("test ") && compares.contains(r#""exception":{"enabled":true"#), "{compares}");
    assert!(writes.contains(r#""note":"kept","latency":{"enabled":true"#), "{writes}");
    assert!(undo[1].ends_with(r#"--value '{ "note":  "kept" }'"#), "{}", undo[1]);
    let done = show::commands_do(&plan);
    assert!(done[1].contains("latency") && done[1].contains("exception"), "{}", done[1]);
}

#[test]
fn the_least_policy_is_complete_and_no_more() {
    let faults = [THROTTLE, POISON, DENY, LATENCY].join("\n");
    let plan = planned(&faults);
    insta::assert_snapshot!(serde_json::to_string_pretty(&show::policy(&plan)).unwrap());
}

#[test]
fn what_may_not_be_run_is_planned_all_the_same() {
    let files = files(&file(THROTTLE));
    let mut rules = Rules::in_model(&Project::default());
    rules.halted = Some("ana".into());
    let request = Request { files: &files, run: RunId("run-1".into()), seed: 1, by: "ana", rules: &rules };
    let planned = plan(&request, &mut world(&shop_like())).unwrap();
    assert_eq!((planned.plan.steps.len(), planned.refused.len()), (1, 1));
}

/// Writes one value of a change, over what is there now, as the run does: a key goes into the document as it is, and a
/// document that is what it was gets its very bytes back.
fn write(world: &mut World, change: &Change, expected: &Value, value: &Value) {
    let read = ask(world, Call::Read { setting: change.setting.clone() });
    let Ok(Reply::Observed(found)) = read else { panic!("{read:?}") };
    assert!(change.setting.same(&found.value, expected), "{}: {} is not {expected}", change.setting, found.value);
    let whole = found.whole.zip(change.whole_before.as_ref()).map(|(document, original)| {
        let key = change.setting.key().unwrap();
        let new = with_key(&document, key, value).unwrap();
        if same_document(&new, original) { original.clone() } else { new }
    });
    ask(world, Call::Write(Write { setting: change.setting.clone(), value: value.clone(), whole })).unwrap();
}

/// One of each setting on the small shop that the sandbox can change, with the value to write.
fn samples(world: &World) -> Vec<(Setting, Value)> {
    let on = |kind: ResourceKind| {
        let names = ["payment-worker", "orders", "payment-worker-role", "/shop/faults"];
        let kinds = [ResourceKind::Function, ResourceKind::Queue, ResourceKind::Role, ResourceKind::Parameter];
        let at = kinds.iter().position(|known| *known == kind).unwrap();
        Resource::new(&Location::sandbox(), kind, names[at])
    };
    let mut samples = Vec::new();
    for sample in Setting::samples(&on) {
        let (setting, value) = (sample.setting.clone(), sample.value.clone());
        let write = Write { setting: sample.setting, value: sample.value, whole: sample.whole };
        if world.clone().set(&write).is_ok() {
            samples.push((setting, value));
        }
    }
    samples
}

#[test]
fn the_sandbox_can_change_nearly_every_setting() {
    let on = |kind| Resource::new(&Location::sandbox(), kind, "x");
    assert_eq!(samples(&world(&shop_like())).len() + 1, Setting::samples(&on).len());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200 * crate::effort::effort()))]

    #[test]
    fn a_plan_and_its_inverse_leave_the_picture_from_before(
        reserved in proptest::option::of(1_u32..50),
        document in proptest::sample::select(vec![
            "{}",
            "{ }",
            "{\"note\":  \"kept\"}",
            "{\"latency\": {\"enabled\": false}, \"zeta\": [1, 2]}",
            "{\"exception\":{\"enabled\":false},\"latency\":{\"enabled\":false}}",
        ]),
        chosen in proptest::sample::subsequence(vec![THROTTLE, DENY, LATENCY, ERROR], 1..=4),
        seed in 0_u64..1000,
    ) {
        let mut app = shop_like();
        app.functions.get_mut("payment-worker").unwrap().reserved = reserved;
        app.parameters.insert("/shop/faults".into(), document.into());
        let mut world = world(&app);
        let before = world.picture();
        let plan = plan_in(&mut world, &file(&chosen.join("\n")), seed).unwrap();
        for change in plan.changes.values() {
            write(&mut world, change, &change.before, &change.after);
        }
        proptest::prop_assert_ne!(&world.picture(), &before);
        for id in plan.inverse_order() {
            let change = &plan.changes[&id];
            write(&mut world, change, &change.after, &change.before);
        }
        proptest::prop_assert_eq!(world.picture(), before);
    }

    /// Whatever settings change one after the other, their inverses, newest first, leave nothing.
    #[test]
    fn every_setting_goes_in_and_out_beside_the_others(
        chosen in proptest::sample::subsequence((0..samples(&world(&shop_like())).len()).collect::<Vec<_>>(), 1..=3),
        document in proptest::sample::select(vec!["{}", "{ \"note\":  \"kept\" }"]),
    ) {
        let mut app = shop_like();
        app.parameters.insert("/shop/faults".into(), document.into());
        let mut world = world(&app);
        let before = world.picture();
        let samples = samples(&world);
        let mut changes = Vec::new();
        for index in chosen {
            let (setting, after) = samples[index].clone();
            let Ok(found) = world.setting(&setting) else { panic!("{setting}") };
            let change = Change {
                setting,
                before: found.value,
                after,
                whole_before: found.whole,
                expires: None,
                takes_effect_within: Span::ZERO,
                lasts_after: Span::ZERO,
            };
            write(&mut world, &change, &change.before, &change.after);
            changes.push(change);
        }
        proptest::prop_assert_ne!(&world.picture(), &before);
        for change in changes.iter().rev() {
            write(&mut world, change, &change.after, &change.before);
        }
        proptest::prop_assert_eq!(world.picture(), before);
    }
}
