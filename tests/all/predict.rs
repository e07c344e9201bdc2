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
    then(&Subject { files, rules: &rules, app: &app, modeller: &modeller, start: start(), run, by: "tester@here" })
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
        predict::predict(subject, &asked(1000, 2), &|| heard.get() >= 2, &mut hear).expect("a prediction")
    });
    assert!(prediction.is_partial());
    let runs = prediction.as_written.runs();
    assert!((2..1000).contains(&runs), "{runs}");
    let (low, high) = prediction.as_written.held.interval();
    assert!(low == 0.0 && high > 0.5, "few runs say little: {high}");
}
