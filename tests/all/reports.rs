//! Real runs in every format: what was told while they ran is what their journals tell.
#![expect(clippy::expect_used, reason = "tests")]

use std::path::Path;

use crate::engine::{family::start, shipped};
use squall::account::sandbox::{World, shop};
use squall::driver::{Driver, Surroundings};
use squall::env::{FixedEnv, Interrupts};
use squall::plan::Plan;
use squall::report::line::Narrator;
use squall::report::{Format, jsonl, line, render};
use squall::run::Recorded;
use squall::store::Store;
use squall::store::sqlite::SqliteStore;

/// Runs a plan on the shop; what was told of it, and the journal.
fn run(plan: Plan, folder: &Path) -> (Vec<Recorded>, Vec<Recorded>) {
    let run = plan.run.clone();
    let mut world = World::new(&shop(), plan.seed, plan.made_at.max(start())).expect("a world");
    let mut store = SqliteStore::open(&folder.join(format!("{run}.sqlite"))).expect("a store");
    let mut live = Vec::new();
    {
        let env = FixedEnv::at(start());
        let around = Surroundings {
            account: &mut world,
            store: &mut store,
            env: &env,
            interrupts: Interrupts::none(),
            live: false,
        };
        let mut driver = Driver::begin(around, plan, "tester@here".into()).expect("it begins");
        driver.run(&mut |recorded| live.push(recorded.clone())).expect("it ends");
    }
    (live, store.events(&run).expect("a journal"))
}

#[test]
fn a_shipped_experiment_is_told_alike_live_and_from_its_journal() {
    let folder = tempfile::tempdir().expect("a folder");
    for plan in shipped::plans(1) {
        let name = plan.run.0.clone();
        let (live, journal) = run(plan, folder.path());
        let mut narrator = Narrator::default();
        let told: String = live.iter().filter_map(|r| narrator.tell(r)).map(|line| format!("{line}\n")).collect();
        assert_eq!(told, line::text(&journal), "{name}");
        assert_eq!(jsonl::text(&live), jsonl::text(&journal), "{name}");
        for format in Format::ALL {
            let report = render(format, &live).expect("a report");
            assert!(report == render(format, &journal).expect("a report"), "{name} as {format:?}");
            let file = format!("{name}.{}", format.extension());
            std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(file), &report).expect("a file to look at");
        }
        let junit = render(Format::Junit, &journal).expect("a report");
        roxmltree::Document::parse(&junit).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
