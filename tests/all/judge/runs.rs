//! The judge at work: runs on the shop in the sandbox, each with one kind of hypothesis.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;

use squall::account::sandbox::{World, shop};
use squall::account::{Account, Call, CallError, CallId, Outcome, RefusedBy, Window};
use squall::driver::{Driver, Ending, Surroundings};
use squall::env::{FixedEnv, Interrupts};
use squall::guard::{Objection, Rules};
use squall::ids::RunId;
use squall::judge::detection::Alarms;
use squall::judge::verdict::{Verdict, VerdictKind};
use squall::planner::{Request, plan};
use squall::run::conclude;
use squall::run::event::{Event, Recorded, Stop};
use squall::run::judging::alarms;
use squall::run::state::State;
use squall::spec::check::Known;
use squall::spec::load::{ExperimentFiles, ProjectFiles};
use squall::store::Store;
use squall::store::memory::MemoryStore;
use squall::units::{Span, Time};
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
    let (verdict, events) = events_of(text);
    let state = State::replay(events.iter().map(|recorded| (recorded.at, &recorded.event))).unwrap();
    assert_eq!(conclude::verdict(&state), verdict, "a replay says what was said live");
    (verdict, state)
}

fn events_of(text: &str) -> (Verdict, Vec<Recorded>) {
    let plan = planned(text).unwrap_or_else(|objections| panic!("{objections:?}"));
    let mut world = World::new(&shop(), 1, start()).unwrap();
    let (mut store, env) = (MemoryStore::new(), FixedEnv::at(start()));
    let around =
        Surroundings { account: &mut world, store: &mut store, env: &env, interrupts: Interrupts::none(), live: false };
    let mut driver = Driver::begin(around, plan, "tester@here".into()).unwrap();
    let ending = driver.run(&mut |_| {}).unwrap();
    drop(driver);
    let Ending::Closed { verdict, .. } = ending else { panic!("not closed") };
    (verdict, store.events(&RunId("run-judged".into())).unwrap())
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
    ends(beside, ORDER_FAILS, 20, VerdictKind::Broken, &["its control "]);
    ends(beside, ORDER_SLOW, 20, VerdictKind::Held, &[]);
    // What is not there cannot be compared with, and what is touched itself measures nothing.
    let objections = planned(&experiment("  - failed share of ShopApi is at most 1 x that of order", ORDER_FAILS, 16));
    assert!(format!("{objections:?}").contains("is hit by the faults itself"), "{objections:?}");
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
    assert!(verdict.reasons.iter().any(|reason| reason.contains("stopped by the abort condition")), "{verdict:#?}");
}

#[test]
fn what_could_not_have_been_seen_is_not_held() {
    // Every request for one minute would have to be caught with a fault of four.
    let asks = "  - signal: failed share of ShopApi is at most 1 %\n    must_catch: 1.5 %";
    ends(asks, ORDER_SLOW, 10, VerdictKind::Unknown, &["too little data to call it held"]);
}

/// A world that does not let its logs be searched, or only after a while; and how often it was asked.
struct Logs {
    world: World,
    answers: Vec<Option<CallError>>,
    asked: Vec<Window>,
    open: Vec<(CallId, Outcome)>,
}

impl Account for Logs {
    fn now(&self) -> Time {
        self.world.now()
    }

    fn submit(&mut self, id: CallId, call: Call) {
        if let Call::SearchLogs { window, .. } = &call {
            self.asked.push(*window);
            if let Some(Some(error)) = self.answers.get(self.asked.len() - 1) {
                return self.open.push((id, Err(error.clone())));
            }
        }
        self.world.submit(id, call);
    }

    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)> {
        self.open.pop().or_else(|| self.world.next(until))
    }
}

/// A permission that nobody uses is denied: nothing shows it, and the logs are searched once, over whole minutes from the baseline
/// to the step's end. What may not be searched is said; what had no answer is asked for again, three times at the most.
#[test]
fn the_logs_are_searched_once_when_nothing_else_shows_a_fault() {
    let idle = "{ iam.deny: { target: worker, actions: ['dynamodb:DeleteItem'], resources: ['arn:aws:dynamodb:eu-west-1:000000000000:table/PaymentsTable'] } }";
    let text = experiment("  - messages done of OrdersQueue keep coming", idle, 10);
    let refused = CallError::Refused { by: RefusedBy::Permission, message: "logs:StartQuery is not allowed".into() };
    let unknown = CallError::Unknown("no answer".into());
    for (answers, asked, blind) in [
        (vec![None], 1, None),
        (vec![Some(refused)], 1, Some("logs:StartQuery")),
        (vec![Some(unknown.clone()), None], 2, None),
        (vec![Some(unknown); 9], 3, Some("no answer")),
    ] {
        let plan = planned(&text).unwrap_or_else(|objections| panic!("{objections:?}"));
        let world = World::new(&shop(), 1, start()).unwrap();
        let mut account = Logs { world, answers, asked: Vec::new(), open: Vec::new() };
        let (mut store, env) = (MemoryStore::new(), FixedEnv::at(start()));
        let interrupts = Interrupts::none();
        let around = Surroundings { account: &mut account, store: &mut store, env: &env, interrupts, live: false };
        let mut events = Vec::new();
        let mut driver = Driver::begin(around, plan, "tester@here".into()).unwrap();
        let ending = driver.run(&mut |recorded| events.push(recorded.clone())).unwrap();
        drop(driver);
        let Ending::Closed { verdict, .. } = ending else { panic!("not closed") };
        assert_eq!(verdict.kind, VerdictKind::Unknown, "{verdict:?}");
        assert_eq!(account.asked.len(), asked, "{:?}", account.asked);
        let window = account.asked[0];
        let minute = Span::from_mins(1);
        assert_eq!((window.from.window_start(minute), window.to.window_start(minute)), (window.from, window.to));
        // Six minutes of baseline and the two in which it is published; ten of the fault.
        let length = window.to.since(window.from);
        assert!(length >= Span::from_mins(15) && length <= Span::from_mins(20), "{length}");
        let said = events.iter().find_map(|recorded| match &recorded.event {
            Event::Blind { what, why, .. } => Some((what.clone(), why.clone())),
            _ => None,
        });
        assert_eq!(said.is_some(), blind.is_some(), "{said:?}");
        if let (Some((what, why)), Some(word)) = (said, blind) {
            assert!(what.contains("the log of PaymentWorker") && why.contains(word), "{what}: {why}");
        }
    }
}

/// When everything is decided nothing is waited for: a broken run ends with its rollback.
#[test]
fn a_broken_run_ends_when_it_is_rolled_back() {
    let breaks = experiment("  - failed share of ShopApi is at most 1 %", ORDER_FAILS, 20);
    let (verdict, events) = events_of(&breaks);
    assert_eq!(verdict.kind, VerdictKind::Broken, "{verdict:?}");
    let gone = events.iter().find(|recorded| recorded.event == Event::FaultGone).unwrap().at;
    let closed = events.last().unwrap().at;
    assert!(closed.since(gone) < Span::from_secs(60), "{closed}, and it was rolled back at {gone}");
}
