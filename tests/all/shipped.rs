//! What is shipped with squall: every file is read and checked without a finding, and every experiment is run in the
//! sandbox, with several seeds, and ends as its file says.

#![expect(clippy::expect_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;

use crate::effort::effort;
use squall::account::sandbox::{World, shop};
use squall::driver::{Driver, Ending, Surroundings};
use squall::env::{FixedEnv, Interrupts};
use squall::faults::FaultSpec;
use squall::guard::Rules;
use squall::ids::RunId;
use squall::judge::verdict::{Verdict, VerdictKind};
use squall::planner::{Request, plan};
use squall::report::line;
use squall::run::conclude;
use squall::run::event::{Event, Recorded};
use squall::run::judging::Case;
use squall::run::state::State;
use squall::spec::check::Known;
use squall::spec::load::{ExperimentFiles, ProjectFiles, everything};
use squall::store::Store;
use squall::store::memory::MemoryStore;
use squall::units::{Span, Time};
use squall::yaml::Style;

/// How an experiment ends: most hold, and some are there because they find a weakness of the shop, and say so.
fn ending(file: &Path) -> VerdictKind {
    let text = std::fs::read_to_string(file).expect("an experiment");
    match text.contains("This experiment should end broken") {
        true => VerdictKind::Broken,
        false => VerdictKind::Held,
    }
}

/// So many seeds: an ending that one of them gives by luck is none.
const SEEDS: u32 = 3;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn start() -> Time {
    "2026-03-02T09:00:00Z".parse().expect("an instant")
}

#[test]
fn every_file_is_read_and_checked_without_a_finding() {
    let findings = everything(root(), &Known::default());
    assert!(findings.is_empty(), "{}", findings.render(Style::Plain));
}

struct Run {
    verdict: Verdict,
    left: usize,
    events: Vec<Recorded>,
}

/// Plans and runs an experiment on the shop.
fn run(files: &ExperimentFiles, project: &ProjectFiles, seed: u64) -> Run {
    let mut world = World::new(&shop(), seed, start()).expect("a world");
    let before = world.picture();
    let rules = Rules::in_model(&project.project);
    let run = RunId("run-20260302-shippd".into());
    let request = Request { files, run: run.clone(), seed, by: "tester@here", rules: &rules };
    let planned = plan(&request, &mut world).unwrap_or_else(|objections| panic!("{objections:?}"));
    let planned = planned.runnable().unwrap_or_else(|objections| panic!("{objections:?}"));
    let mut store = MemoryStore::new();
    let env = FixedEnv::at(start());
    let around =
        Surroundings { account: &mut world, store: &mut store, env: &env, interrupts: Interrupts::none(), live: false };
    let mut driver = Driver::begin(around, planned, "tester@here".into()).expect("it begins");
    let ending = driver.run(&mut |_| {}).expect("it ends");
    drop(driver);
    let Ending::Closed { verdict, left, .. } = ending else { panic!("not closed") };
    let settings = |picture: std::collections::BTreeMap<String, String>| {
        // Messages come and go; what the run sent is accounted for by its verdict.
        picture.into_iter().filter(|(key, _)| !key.starts_with("message ")).collect::<Vec<_>>()
    };
    assert_eq!(settings(before), settings(world.picture()), "every setting is as before");
    let events = store.events(&run).expect("its events");
    let replayed = State::replay(events.iter().map(|recorded| (recorded.at, &recorded.event))).expect("a run");
    assert_eq!(conclude::verdict(&replayed), verdict, "a replay says what was said live");
    if verdict.kind == VerdictKind::Held {
        says_what_it_would_have_caught(&replayed);
    }
    Run { verdict, left: left.len(), events }
}

/// Held means that what matters would have been seen.
fn says_what_it_would_have_caught(state: &State) {
    for case in Case::all(state) {
        let (planned, judgement) = (case.planned(), case.judgement());
        let enough = judgement.power.is_some_and(|power| power.is_enough(planned.must_catch.get()));
        assert!(enough || !planned.is_weighed(), "{}: {judgement:?}", planned.title);
    }
}

fn project() -> ProjectFiles {
    let (project, findings) = ProjectFiles::open(root());
    project.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain)))
}

fn open(path: &Path, project: &ProjectFiles) -> ExperimentFiles {
    let (files, findings) = ExperimentFiles::open(path, project, None, &Known::default());
    files.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain)))
}

#[test]
fn every_experiment_ends_as_its_file_says() {
    let project = project();
    let mut wrong = Vec::new();
    for path in project.experiments() {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let files = open(&path, &project);
        let wanted = ending(&path);
        for seed in 1..=u64::from(SEEDS * effort()) {
            let run = run(&files, &project, seed);
            println!("{name}, seed {seed}: {}", run.verdict.kind);
            if wanted != run.verdict.kind || run.left > 0 {
                let reasons: Vec<&String> = run.verdict.reasons.iter().collect();
                wrong.push(format!(
                    "{name}, seed {seed}: {} and not {wanted}, {} left, {reasons:#?}\n{}",
                    run.verdict.kind,
                    run.left,
                    line::text(&run.events)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_fault_has_an_experiment() {
    let plans = crate::engine::shipped::plans(1);
    let shown: BTreeSet<&str> = plans.iter().flat_map(|plan| &plan.steps).map(|step| step.fault.0.as_str()).collect();
    let all: BTreeSet<&str> = FaultSpec::PAGES.iter().map(|page| page.name).collect();
    assert_eq!(shown, all);
}

/// What holds would not hold if it asked for more: each of these is an experiment that holds, with one thing changed.
#[test]
fn what_holds_has_something_to_say() {
    let project = project();
    for (name, asks, asks_more) in [
        // Shoppers are promised 800 ms.
        ("order-function-slow", "{ from: 300ms, to: 600ms }", "{ from: 300ms, to: 900ms }"),
        // The backlog alarm needs two minutes, and CloudWatch some of its own.
        ("payment-worker-throttled", "fires_within: 5m", "fires_within: 1m"),
        // What waited for nine minutes is not drained in half of one.
        ("payment-worker-throttled", "recovers_within: 5m", "recovers_within: 30s"),
        // Payments stop while the worker is throttled.
        (
            "payment-worker-throttled",
            "named: payments-are-taken",
            "{ named: payments-are-taken, during_fault: must_hold }",
        ),
        // A fifth of the shoppers sees an error page.
        ("order-function-fails", "during_fault: may_break", "during_fault: must_hold"),
        // Five receives of an order are used up after ten minutes, and then it is given up.
        ("payment-worker-loses-permission", "for: 7m", "for: 14m"),
        // 2 % fail, the alarm wants more than 3 % of 300.
        ("order-function-fails", "share: 20 %", "share: 2 %"),
    ] {
        let path = root().join(format!("experiments/{name}.yaml"));
        let text = std::fs::read_to_string(path).expect("a file");
        assert!(text.contains(asks), "{name}: {asks}");
        let folder = tempfile::tempdir().expect("a folder");
        let changed = folder.path().join("changed.yaml");
        std::fs::write(&changed, text.replace(asks, asks_more)).expect("written");
        let run = run(&open(&changed, &project), &project, 1);
        assert_eq!(run.verdict.kind, VerdictKind::Broken, "{name}: {asks_more}\n{}", line::text(&run.events));
    }
}

/// The experiment that `docs/experiments.md` builds piece by piece is one.
#[test]
fn the_experiment_of_the_documentation_is_one() {
    let page = std::fs::read_to_string(root().join("docs/experiments.md")).expect("the page");
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("documented.yaml");
    std::fs::write(&path, blocks.collect::<String>()).expect("written");
    let (files, findings) = ExperimentFiles::open(&path, &project(), None, &Known::default());
    assert!(findings.is_empty(), "{}", findings.render(Style::Plain));
    assert_eq!(files.expect("an experiment").experiment.value.faults.len(), 1);
}

/// The session in the README is what the command prints, the plan cut short. `./test.sh --update` writes it.
#[test]
fn the_session_of_the_readme_is_a_real_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let squall = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_squall"));
        let output = command.current_dir(folder.path()).env("SQUALL_WHO", "you@laptop").args(args).output();
        let output = output.expect("it starts");
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(output.status.success(), "{err}");
        (out, err)
    };
    squall(&["init"]);
    let run = ["run", "experiments/payment-worker-throttled.yaml", "--seed", "7"];
    let fixed = ["--start", "2026-03-02T09:00:00Z", "--run-id", "run-20260302-3f9k2m"];
    let (lines, around) = squall(&[&run[..], &fixed[..]].concat());
    let (plan, rest) = around.split_once("\nWhat must hold").expect("a plan");
    let report = rest.lines().find(|line| line.starts_with("report: ")).expect("a report");
    let session = format!("{plan}\n...\n\n{lines}\n{report}\n");

    let path = root().join("README.md");
    let readme = std::fs::read_to_string(&path).expect("the page");
    let (before, rest) = readme.split_once("```session\n").expect("a session");
    let (shown, after) = rest.split_once("```").expect("its end");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, format!("{before}```session\n{session}```{after}")).expect("written");
        return;
    }
    assert!(shown == session, "write it with ./test.sh --update, and look at it:\n{session}");
}

/// Signals of ten seconds, so that the baseline begins anywhere in a minute. CloudWatch keeps what shows the fault by the whole
/// minute, and refuses other windows, as the sandbox does.
const EVERY_TEN_SECONDS: &str = "\
version: 1
title: No order is lost while the worker is throttled
because: The queue holds them.
targets: { worker: { function: PaymentWorker }, dead: { queue: OrdersDeadLetters } }
hypotheses: [ { signal: depth of dead stays at 0, every: 10s } ]
baseline: 5m
faults: [ { inject: { lambda.throttle: { target: worker, concurrency: 0 } }, at: 0m, for: 6m } ]
recovers_within: 2m
guards: { longest: 40m }
";

#[test]
fn a_fault_is_seen_at_work_wherever_in_a_minute_the_baseline_begins() {
    let project = project();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("worker-throttled.yaml");
    std::fs::write(&file, EVERY_TEN_SECONDS).expect("a file");
    let run = run(&open(&file, &project), &project, 1);
    let baseline = run.events.iter().find_map(|recorded| match &recorded.event {
        Event::Sampled { window, .. } => Some(window.from),
        _ => None,
    });
    let baseline = baseline.expect("a window");
    assert_ne!(baseline, baseline.window_start(Span::from_mins(1)), "it begins on a whole minute by chance");
    assert_eq!(run.verdict.kind, VerdictKind::Held, "{}", line::text(&run.events));
}
