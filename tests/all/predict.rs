//! Prediction: that it predicts what would happen, and that it can be ended at any time.

#![expect(clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use squall::account::sandbox::{Opening, Pace, Sandbox, Weather, World, shop};
use squall::account::{Location, Modelled};
use squall::driver::{Driver, Ending, Surroundings};
use squall::env::{FixedEnv, Interrupts};
use squall::guard::{AccountRules, Rules};
use squall::ids::RunId;
use squall::judge::verdict::Verdict;
use squall::planner::{Request, plan};
use squall::predict::{self, Asked, Subject};
use squall::report::line;
use squall::run::event::Recorded;
use squall::spec::check::Known;
use squall::spec::load::{ExperimentFiles, ProjectFiles};
use squall::store::Store;
use squall::store::memory::MemoryStore;
use squall::template::app::App;
use squall::units::{Share, Time};
use squall::yaml::Style;

const RUN: &str = "run-20260302-predic";

fn start() -> Time {
    "2026-03-02T09:00:00Z".parse().expect("an instant")
}

fn project() -> ProjectFiles {
    let (project, findings) = ProjectFiles::open(Path::new(env!("CARGO_MANIFEST_DIR")));
    project.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain)))
}

fn experiment(name: &str) -> ExperimentFiles {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("experiments/{name}.yaml"));
    let (files, findings) = ExperimentFiles::open(&path, &project(), None, &Known::default());
    files.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain)))
}

fn rules(location: &Location, files: &ExperimentFiles) -> Rules {
    let project = project().project;
    let spec = project.accounts[&files.account].clone();
    let account = AccountRules { name: files.account.clone(), spec };
    Rules { accounts: BTreeMap::from([(location.clone(), account)]), ..Rules::of(&project, &BTreeMap::new()) }
}

/// What `squall run` does with a new sandbox: its verdict and its events.
fn run(files: &ExperimentFiles, seed: u64) -> (Verdict, Vec<Recorded>, Location) {
    let folder = tempfile::tempdir().expect("a folder");
    let opening = Opening { seed, start: start(), identity: 7, pace: Pace::Max, weather: Weather::calm() };
    let env = FixedEnv::at(start());
    let path = folder.path().join("sandbox.db");
    let mut sandbox = Sandbox::open(&path, &shop(), opening, Arc::new(FixedEnv::at(start()))).expect("a sandbox");
    let location = sandbox.location().clone();
    let rules = rules(&location, files);
    let request = Request { files, run: RunId(RUN.into()), seed, by: "tester@here", rules: &rules };
    let planned = plan(&request, &mut sandbox).expect("a plan");
    let mut store = MemoryStore::new();
    let around = Surroundings {
        account: &mut sandbox,
        store: &mut store,
        env: &env,
        interrupts: Interrupts::none(),
        live: false,
    };
    let mut driver = Driver::begin(around, planned.plan, "tester@here".into()).expect("it begins");
    let Ok(Ending::Closed { verdict, .. }) = driver.run(&mut |_| {}) else { panic!("not closed") };
    drop(driver);
    (verdict, store.events(&RunId(RUN.into())).expect("its events"), location)
}

fn with<T>(files: &ExperimentFiles, location: &Location, then: impl FnOnce(&Subject<'_>) -> T) -> T {
    let rules = rules(location, files);
    let modeller = |app: &App, seed: u64| {
        let world = World::new(app, seed, start()).map_err(|dangling| dangling.to_string())?;
        Ok(Box::new(world.at_location(location.clone())) as Box<dyn Modelled>)
    };
    let (app, run) = (shop(), RunId(RUN.into()));
    then(&Subject {
        files,
        rules: &rules,
        app: &app,
        modeller: &modeller,
        start: start(),
        run,
        by: "tester@here",
        left_out: &[],
    })
}

fn asked(runs: usize, threads: usize) -> Asked {
    Asked { seed: 5, runs, uncertainty: Share::NONE, threads }
}

#[test]
fn a_predicted_run_is_the_run_event_for_event() {
    for (name, seed) in [("payment-worker-throttled", 5), ("notifications-poisoned", 9)] {
        let files = experiment(name);
        let (verdict, events, location) = run(&files, seed);
        let (outcome, predicted) = with(&files, &location, |subject| predict::replay(subject, seed)).expect("a run");
        assert_eq!(line::text(&predicted), line::text(&events));
        assert_eq!(predicted, events);
        assert_eq!(outcome.verdict, verdict);
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let files = experiment("order-function-throttled");
    let asked = |threads| Asked { uncertainty: Share::percent(20), ..asked(2, threads) };
    let predict = |threads| {
        with(&files, &Location::sandbox(), |subject| {
            predict::predict(subject, &asked(threads), &|| false, &mut |_| {}).expect("a prediction")
        })
    };
    let one = predict(1);
    assert_eq!(one.as_written.broken.hits, 2, "{one:?}");
    assert_eq!(one, predict(3));
}

#[test]
fn it_ends_early_with_the_first_seeds() {
    let files = experiment("order-function-throttled");
    let heard = std::cell::Cell::new(0);
    let prediction = with(&files, &Location::sandbox(), |subject| {
        let mut hear = |progress: &predict::Progress<'_>| heard.set(progress.so_far.len());
        predict::predict(subject, &asked(1000, 1), &|| heard.get() >= 2, &mut hear).expect("a prediction")
    });
    assert!(prediction.is_partial());
    let runs = prediction.as_written.runs();
    assert_eq!(runs, 2, "one thread ends where it is told to");
    let (low, high) = prediction.as_written.held.interval();
    assert!(low == 0.0 && high > 0.5, "few runs say little: {high}");
}

/// A project that `squall init` wrote, and commands in it.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Bench {
        let bench = Bench(tempfile::tempdir().expect("a folder"));
        assert_eq!(bench.squall(&["init"]).0, 0);
        bench
    }

    /// The exit code, and what is printed on both.
    fn squall(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_squall"));
        let output = command.current_dir(self.0.path()).env("SQUALL_WHO", "you@laptop").args(args).output();
        let output = output.expect("it starts");
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (output.status.code().unwrap_or(-1), out, err)
    }

    fn rewrite(&self, file: &str, from: &str, to: &str) {
        let path = self.0.path().join(file);
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(text.contains(from), "{file}: {from}");
        std::fs::write(&path, text.replace(from, to)).expect("written");
    }
}

const FILE: &str = "experiments/payment-worker-throttled.yaml";

#[test]
fn what_predict_and_margin_print_fits_its_schema() {
    let bench = Bench::new();
    let json = |args: &[&str]| -> serde_json::Value {
        let (code, out, err) = bench.squall(args);
        assert_eq!(code, 0, "{err}");
        serde_json::from_str(&out).expect("JSON")
    };
    let predicted = json(&["predict", FILE, "--runs", "2", "--json"]);
    let schema = squall::format::schema::of::<predict::written::Document>();
    assert_eq!(crate::schema::misfits(&schema, &schema, &predicted, ""), Vec::<String>::new());
    assert_eq!(predicted["prediction"]["runs"], 2);
    let vary = "faults.0.inject.lambda.throttle.concurrency=0..1";
    let margin = json(&["margin", FILE, "--vary", vary, "--runs", "2", "--json"]);
    let schema = squall::format::schema::of::<predict::margin_show::Document>();
    assert_eq!(crate::schema::misfits(&schema, &schema, &margin, ""), Vec::<String>::new());
    assert_eq!(margin["points"].as_array().map(Vec::len), Some(2), "{margin}");
    let (code, _, err) = bench.squall(&["margin", FILE, "--vary", "faults.0.form=1m..2m"]);
    assert!(code == 64 && err.contains("there is no `form`"), "{err}");
}

#[test]
fn a_plan_that_was_agreed_on_is_run_and_no_other() {
    let bench = Bench::new();
    let plan = |more: &[&str]| bench.squall(&[&["plan", FILE, "--seed", "7"], more].concat());
    let (_, json, _) = plan(&["--json"]);
    std::fs::write(bench.0.path().join("plan.json"), &json).expect("written");
    let document: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let hash = document["hash"].as_str().expect("a hash").to_owned();
    let (_, again, _) = plan(&["--json", "--run-id", "another", "--start", "2026-03-02T09:00:00Z"]);
    assert!(again.contains(&hash), "neither time nor name is part of it");
    bench.rewrite(FILE, "for: 9m", "for: 8m");
    let run = |agreed: &str| bench.squall(&["run", FILE, "--seed", "7", "--pace", "max", "--plan", agreed]);
    for agreed in [hash.as_str(), "plan.json"] {
        let (code, _, err) = run(agreed);
        assert_eq!(code, 3, "{err}");
        assert!(err.contains("differs in its timeline") && err.contains("lambda.throttle at 0s for 8m"), "{err}");
        assert_eq!(err.contains("- lambda.throttle at 0s for 9m"), agreed == "plan.json", "{err}");
    }
    let (code, out, _) = bench.squall(&["status", "--all"]);
    assert!(code == 0 && !out.contains("run-"), "nothing was begun: {out}");
    bench.rewrite(FILE, "for: 8m", "for: 9m");
    assert_eq!(run(&hash).0, 0);
    assert_eq!(run("no-such-thing").0, 64);
}

#[test]
fn the_plan_is_a_page_and_a_comment() {
    let bench = Bench::new();
    let args = ["plan", FILE, "--seed", "7", "--html", "plan.html", "--markdown", "-"];
    let (code, markdown, err) = bench.squall(&args);
    assert_eq!(code, 0, "{err}");
    for wanted in
        ["### Blast radius", "queue OrdersQueue: messages wait", "### What it costs", "no entry point for users fails"]
    {
        assert!(markdown.contains(wanted), "{wanted}: {markdown}");
    }
    let page = std::fs::read_to_string(bench.0.path().join("plan.html")).expect("a page");
    assert!(page.contains("<svg") && !page.contains("<script") && !page.contains("http://localhost"), "{page}");
}

/// Without a fault the load alone is tested.
#[test]
fn a_load_alone_can_be_tested() {
    let bench = Bench::new();
    let text = "version: 1\ntitle: The shop takes its orders\nbecause: Sales rise.\ntargets:\n  orders: { queue: OrdersQueue }\n\
                hypotheses:\n  - named: shoppers-can-order\nbaseline: 6m\nfaults: []\nrecovers_within: 8m\n";
    std::fs::write(bench.0.path().join("experiments/load.yaml"), text).expect("written");
    let (code, out, err) = bench.squall(&["run", "experiments/load.yaml", "--seed", "3", "--pace", "max"]);
    assert_eq!(code, 0, "{out}{err}");
}
