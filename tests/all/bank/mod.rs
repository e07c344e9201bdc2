//! A bank of planted truths: runs with the real planner, machine and judge in virtual time, on an account whose metrics
//! are drawn from a truth that is known. Held is wrong where no fault had an effect, where the true share while the faults
//! worked was one that must be caught, or where something made it unknowable; broken is wrong where the bound was kept.
//!
//! Four seeds each, and up to twenty with more effort. Seeds follow from a scenario's name.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod plant;
mod scenarios;

use std::collections::BTreeMap;
use std::path::Path;

use crate::effort::effort;
use plant::Plant;
use scenarios::{Scenario, bank};
use squall::driver::{Driver, Ending, Surroundings};
use squall::env::{FixedEnv, Interrupts};
use squall::guard::Rules;
use squall::ids::RunId;
use squall::judge::special::binomial_at_most;
use squall::judge::verdict::{Verdict, VerdictKind};
use squall::planner::{Request, plan};
use squall::spec::check::Known;
use squall::spec::load::{ExperimentFiles, ProjectFiles};
use squall::store::memory::MemoryStore;
use squall::units::Time;
use squall::yaml::Style;

/// What is stated of a run's errors.
const STATED: f64 = 0.01;

fn start() -> Time {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

/// Four, and twenty at most.
fn seeds() -> u64 {
    u64::from((4 * effort()).min(20))
}

/// FNV-1a: a scenario keeps its seeds when others come and go.
fn seed_of(name: &str, number: u64) -> u64 {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash.wrapping_add(number)
}

fn run(scenario: &Scenario, files: &ExperimentFiles, project: &ProjectFiles, seed: u64) -> Verdict {
    let mut account = Plant::new(scenario, seed, start());
    let rules = Rules::in_model(&project.project);
    let request = Request { files, run: RunId("run-planted".into()), seed, by: "tester@here", rules: &rules };
    let planned = plan(&request, &mut account).unwrap_or_else(|objections| panic!("{}: {objections:?}", scenario.name));
    let (mut store, env) = (MemoryStore::new(), FixedEnv::at(start()));
    let around = Surroundings {
        account: &mut account,
        store: &mut store,
        env: &env,
        interrupts: Interrupts::none(),
        live: false,
    };
    let mut driver = Driver::begin(around, planned.plan, "tester@here".into()).unwrap();
    match driver.run(&mut |_| {}).unwrap() {
        Ending::Closed { verdict, .. } => verdict,
        _ => panic!("{}: not closed", scenario.name),
    }
}

/// The most wrong runs that chance explains when the stated share of them is wrong: more have a probability of 0.1 %.
fn most_wrong(runs: u64) -> u64 {
    (0..=runs).find(|wrong| binomial_at_most(*wrong, runs, STATED) >= 0.999).unwrap_or(runs)
}

#[test]
fn the_acceptance_is_the_exact_binomial_test() {
    assert_eq!([100, 400, 800, 4000].map(most_wrong), [5, 11, 18, 61]);
}

/// Wrong runs of one kind.
#[derive(Default)]
struct Count {
    runs: u64,
    wrong: Vec<String>,
}

impl Count {
    fn add(&mut self, wrong: bool, name: &str, verdict: &Verdict) {
        self.runs += 1;
        if wrong {
            self.wrong.push(format!("{name}: {} {:?}", verdict.kind, verdict.reasons));
        }
    }

    #[track_caller]
    fn accept(&self, what: &str, most: u64) {
        println!("{what}: {} of {} (at most {most})", self.wrong.len(), self.runs);
        assert!(self.wrong.len() as u64 <= most, "{what}:\n{}", self.wrong.join("\n"));
    }
}

#[test]
fn planted_truths_are_not_mistaken() {
    let project = ProjectFiles::open(Path::new(env!("CARGO_MANIFEST_DIR"))).0.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let scenarios = bank();
    assert!(scenarios.len() >= 200, "{}", scenarios.len());
    let [mut no_effect, mut missed, mut unknowable, mut accused] = [(); 4].map(|()| Count::default());
    let mut table: BTreeMap<String, [u64; 3]> = BTreeMap::new();
    for scenario in &scenarios {
        let path = folder.path().join("planted.yaml");
        std::fs::write(&path, scenario.experiment()).unwrap();
        let (files, findings) = ExperimentFiles::open(&path, &project, None, &Known::default());
        let files = files.unwrap_or_else(|| panic!("{}: {}", scenario.name, findings.render(Style::Plain)));
        for number in 0..seeds() {
            let seed = seed_of(&scenario.name, number);
            let verdict = run(scenario, &files, &project, seed);
            let (held, broken) = (verdict.kind == VerdictKind::Held, verdict.kind == VerdictKind::Broken);
            let name = format!("{} (seed {seed})", scenario.name);
            if scenario.is_unknowable() {
                unknowable.add(held, &name, &verdict);
            } else if scenario.effect == 0.0 {
                no_effect.add(held, &name, &verdict);
            } else if scenario.true_share() >= scenario.must_catch() {
                missed.add(held, &name, &verdict);
            }
            if scenario.keeps_its_bound() {
                accused.add(broken, &name, &verdict);
            }
            let row = table.entry(scenario.class()).or_default();
            row[match verdict.kind {
                VerdictKind::Held => 0,
                VerdictKind::Broken => 1,
                VerdictKind::Unknown => 2,
            }] += 1;
        }
    }
    println!("| truth | held | broken | unknown |\n| :--- | ---: | ---: | ---: |");
    for (class, [held, broken, unknown]) in &table {
        println!("| {class} | {held} | {broken} | {unknown} |");
    }
    let unknown: u64 = table.values().map(|row| row[2]).sum();
    let all: u64 = table.values().flatten().sum();
    println!("unknown: {unknown} of {all}, {} scenarios", scenarios.len());
    no_effect.accept("held though no fault had an effect", most_wrong(no_effect.runs));
    missed.accept("held though what must be caught was there", most_wrong(missed.runs));
    unknowable.accept("held though it could not be known", 0);
    accused.accept("broken though the bound was kept", most_wrong(accused.runs));
}
