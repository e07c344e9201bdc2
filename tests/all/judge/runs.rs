//! The judge at work: runs on the shop in the sandbox, each with one kind of hypothesis.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;

use squall::account::sandbox::{World, shop};
use squall::driver::{Driver, Ending, Surroundings};
use squall::env::{FixedEnv, Interrupts};
use squall::guard::{Objection, Rules};
use squall::ids::RunId;
use squall::judge::detection::Alarms;
use squall::judge::verdict::{Verdict, VerdictKind};
use squall::planner::{Request, plan};
use squall::run::conclude;
use squall::run::event::Stop;
use squall::run::judging::alarms;
use squall::run::state::State;
use squall::spec::check::Known;
use squall::spec::load::{ExperimentFiles, ProjectFiles};
use squall::store::Store;
use squall::store::memory::MemoryStore;
use squall::units::Time;
use squall::yaml::Style;

/// An experiment with these hypotheses and this fault, as a file.
fn experiment(hypotheses: &str, fault: &str, minutes: u32) -> String {
    format!(
        "version: 1
title: A hypothesis is judged
because: The judge is tested.
targets:
  order: {{ function: OrderFunction }}
  worker: {{ function: PaymentWorker }}
hypotheses:
{hypotheses}
baseline: 6m
faults:
  - inject: {fault}
    for: {minutes}m
recovers_within: 6m
guards:
  longest: 90m
"
    )
}

fn start() -> Time {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

fn project() -> ProjectFiles {
    ProjectFiles::open(Path::new(env!("CARGO_MANIFEST_DIR"))).0.unwrap()
}

fn files(text: &str, project: &ProjectFiles) -> ExperimentFiles {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("judged.yaml");
    std::fs::write(&path, text).unwrap();
    // Warnings are no errors: some of these runs are too short on purpose.
    let (files, findings) = ExperimentFiles::open(&path, project, None, &Known::default());
    files.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain)))
}

fn planned(text: &str) -> Result<squall::plan::Plan, Vec<Objection>> {
    let project = project();
    let files = files(text, &project);
    let mut world = World::new(&shop(), 1, start()).unwrap();
    let rules = Rules::in_model(&project.project);
    let request = Request { files: &files, run: RunId("run-judged".into()), seed: 1, by: "tester@here", rules: &rules };
    plan(&request, &mut world).map(|planned| planned.plan)
}

/// Runs an experiment, and looks whether its journal says the same.
pub fn run(text: &str) -> (Verdict, State) {
    let plan = planned(text).unwrap_or_else(|objections| panic!("{objections:?}"));
    let mut world = World::new(&shop(), 1, start()).unwrap();
    let (mut store, env) = (MemoryStore::new(), FixedEnv::at(start()));
    let around =
        Surroundings { account: &mut world, store: &mut store, env: &env, interrupts: Interrupts::none(), live: false };
    let mut driver = Driver::begin(around, plan, "tester@here".into()).unwrap();
    let ending = driver.run(&mut |_| {}).unwrap();
    drop(driver);
    let Ending::Closed { verdict, .. } = ending else { panic!("not closed") };
    let events = store.events(&RunId("run-judged".into())).unwrap();
    let state = State::replay(events.iter().map(|recorded| (recorded.at, &recorded.event))).unwrap();
    assert_eq!(conclude::verdict(&state), verdict, "a replay says what was said live");
    (verdict, state)
}

#[track_caller]
fn ends(hypotheses: &str, fault: &str, minutes: u32, kind: VerdictKind, words: &[&str]) {
    let (verdict, _) = run(&experiment(hypotheses, fault, minutes));
    assert_eq!(verdict.kind, kind, "{verdict:#?}");
    for word in words {
        assert!(verdict.reasons.iter().any(|reason| reason.contains(word)), "`{word}`: {verdict:#?}");
    }
}

const ORDER_FAILS: &str = "{ lambda.error: { target: order, share: 20 %, message: no } }";
const ORDER_SLOW: &str = "{ lambda.latency: { target: order, delay: 400ms } }";

#[test]
fn an_untouched_function_is_a_control() {
    let beside = "  - failed share of order is at most 1 x that of PaymentWorker";
    ends(beside, ORDER_FAILS, 20, VerdictKind::Broken, &["its control's"]);
    ends(beside, ORDER_SLOW, 20, VerdictKind::Held, &[]);
    // What is not there cannot be compared with, and what is touched itself measures nothing.
    let objections = planned(&experiment("  - failed share of ShopApi is at most 1 x that of order", ORDER_FAILS, 16));
    assert!(format!("{objections:?}").contains("feels the faults itself"), "{objections:?}");
}

#[test]
fn a_share_of_the_error_budget_is_counted() {
    // Four of ten thousand requests fail in a month's budget of 0.1 %: a fifth of them for twelve minutes is 5.5 %.
    let spends = |part| format!("  - failed share of ShopApi spends at most {part} % of the budget of 99.9 % over 30d");
    ends(
        &spends("2"),
        ORDER_FAILS,
        12,
        VerdictKind::Broken,
        &["of the budget of 99.9 % over 30d was spent", "times as fast"],
    );
    ends(&spends("20"), ORDER_FAILS, 12, VerdictKind::Held, &[]);
}

#[test]
fn a_bound_may_be_relative_to_the_baseline() {
    let relative = "  - duration of order is at most 2 x baseline";
    ends(relative, ORDER_SLOW, 30, VerdictKind::Broken, &["Against the baseline it moved by"]);
}

#[test]
fn data_has_to_keep_coming() {
    ends("  - messages done of OrdersQueue keep coming", ORDER_SLOW, 10, VerdictKind::Held, &[]);
}

#[test]
fn alarms_are_told_apart_by_who_expected_them() {
    let expected = "  - alarm: { name: OrderErrorsAlarm, fires_within: 6m }";
    let nothing = "  - depth of OrdersDeadLetters stays at 0";
    let throttled = "{ lambda.throttle: { target: order, concurrency: 0 } }";
    let watch = |text: String| text.replace("baseline:", "watch: [OrderErrorsAlarm, LostOrdersAlarm]\nbaseline:");
    let (_, state) = run(&watch(experiment(expected, ORDER_FAILS, 10)));
    let (fired, quiet) = (vec!["OrderErrorsAlarm".to_owned()], vec!["LostOrdersAlarm".to_owned()]);
    assert_eq!(alarms(&state), Alarms { fired: fired.clone(), quiet: quiet.clone(), ..Alarms::default() });
    let (_, state) = run(&watch(experiment(expected, throttled, 10)));
    assert_eq!(alarms(&state), Alarms { silent: fired.clone(), quiet: quiet.clone(), ..Alarms::default() });
    let (verdict, state) = run(&watch(experiment(nothing, ORDER_FAILS, 10)));
    assert_eq!(alarms(&state), Alarms { others: fired, quiet, ..Alarms::default() });
    assert_eq!(verdict.kind, VerdictKind::Held, "what is observed only does not decide: {verdict:#?}");
}

#[test]
fn a_hard_limit_stops_and_is_a_guard() {
    let guarded = experiment("  - failed share of ShopApi is at most 1 %, stop at 10 %", ORDER_FAILS, 10);
    // With so little alpha the evidence is not enough when the guard is hit.
    let (verdict, state) = run(&guarded.replace("baseline:", "alpha: 0.0001 %\nbaseline:"));
    assert_eq!(verdict.kind, VerdictKind::Unknown, "{verdict:#?}");
    assert!(matches!(state.stopping, Some((_, Stop::AbortCondition { .. }))), "{:?}", state.stopping);
    assert!(verdict.reasons.iter().any(|reason| reason.contains("stopped by the guard")), "{verdict:#?}");
}

#[test]
fn what_could_not_have_been_seen_is_not_held() {
    // Every request for one minute would have to be caught with a fault of four.
    let asks = "  - signal: failed share of ShopApi is at most 1 %\n    must_catch: 1.5 %";
    ends(asks, ORDER_SLOW, 10, VerdictKind::Unknown, &["too little was seen to call it held"]);
}
