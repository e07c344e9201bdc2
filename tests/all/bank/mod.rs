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
use scenarios::{Scenario, Twist, bank, half_slow};
use squall::driver::{Driver, Ending, Surroundings};
use squall::env::{FixedEnv, Interrupts};
use squall::guard::Rules;
use squall::ids::RunId;
use squall::judge::special::binomial_at_most;
use squall::judge::verdict::{Verdict, VerdictKind};
use squall::planner::{Request, plan};
use squall::run::event::{Event, Recorded, Stop};
use squall::spec::check::Known;
use squall::spec::load::{ExperimentFiles, ProjectFiles};
use squall::store::memory::MemoryStore;
use squall::units::{Span, Time};
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

/// Runs a scenario once; `tell` is given every event.
fn run(
    scenario: &Scenario,
    files: &ExperimentFiles,
    project: &ProjectFiles,
    seed: u64,
    tell: &mut dyn FnMut(&Recorded),
) -> Verdict {
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
    match driver.run(tell).unwrap() {
        Ending::Closed { verdict, .. } => verdict,
        _ => panic!("{}: not closed", scenario.name),
    }
}

/// The scenario's experiment, read from a file.
fn files_of(scenario: &Scenario, folder: &Path, project: &ProjectFiles) -> ExperimentFiles {
    let path = folder.join("planted.yaml");
    std::fs::write(&path, scenario.experiment()).unwrap();
    let (files, findings) = ExperimentFiles::open(&path, project, None, &Known::default());
    files.unwrap_or_else(|| panic!("{}: {}", scenario.name, findings.render(Style::Plain)))
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
    let mut why_unknown: BTreeMap<&str, u64> = BTreeMap::new();
    for scenario in &scenarios {
        let files = files_of(scenario, folder.path(), &project);
        for number in 0..seeds() {
            let seed = seed_of(&scenario.name, number);
            let verdict = run(scenario, &files, &project, seed, &mut |_| {});
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
            if verdict.kind == VerdictKind::Unknown {
                *why_unknown.entry(scenario.why_unknown()).or_default() += 1;
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
    println!("unknown: {unknown} of {all}, {} scenarios: {why_unknown:?}", scenarios.len());
    no_effect.accept("held though no fault had an effect", most_wrong(no_effect.runs));
    missed.accept("held though what must be caught was there", most_wrong(missed.runs));
    unknowable.accept("held though it could not be known", 0);
    accused.accept("broken though the bound was kept", most_wrong(accused.runs));
}

/// Half of the calls fail at once and half run into the time-out of 900 s: what is final is known a quarter of an hour later,
/// and the provisional values take the fault out at once.
#[test]
fn a_provisional_breach_takes_the_fault_out_at_once() {
    let project = ProjectFiles::open(Path::new(env!("CARGO_MANIFEST_DIR"))).0.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let scenario = half_slow(60);
    let files = files_of(&scenario, folder.path(), &project);
    for number in 0..seeds() {
        let mut events: Vec<Recorded> = Vec::new();
        let seed = seed_of(&scenario.name, number);
        let verdict = run(&scenario, &files, &project, seed, &mut |recorded| events.push(recorded.clone()));
        let suspected = events.iter().find_map(|recorded| match &recorded.event {
            Event::Stopping { why: Stop::Suspected { window, .. } } => Some(*window),
            _ => None,
        });
        let published = suspected.unwrap().to + Span::from_mins(2);
        let restoring = events.iter().find(|recorded| matches!(recorded.event, Event::Restoring { .. })).unwrap();
        let took = restoring.at.since(published);
        println!("the first inverse goes out {took} after the provisional values are published");
        assert!(took <= Span::from_millis(100), "{took}");
        assert_eq!(verdict.kind, VerdictKind::Broken, "the final values confirm it: {:?}", verdict.reasons);
        let closed = events.last().unwrap().at;
        assert!(closed >= published + Span::from_secs(900), "it waits for them");
    }
}

/// When the credentials end with the fault, its evidence cannot be seen any more: the run stops after three minutes.
#[test]
fn a_run_that_cannot_see_stops() {
    let project = ProjectFiles::open(Path::new(env!("CARGO_MANIFEST_DIR"))).0.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let scenarios = bank();
    let scenario = scenarios.iter().find(|scenario| scenario.twist == Twist::Blind).unwrap();
    let files = files_of(scenario, folder.path(), &project);
    let mut events: Vec<Recorded> = Vec::new();
    let verdict = run(scenario, &files, &project, 1, &mut |recorded| events.push(recorded.clone()));
    let blind = events.iter().find(|recorded| matches!(recorded.event, Event::Blind { .. })).unwrap().at;
    let stopped = events.iter().find_map(|recorded| match &recorded.event {
        Event::Stopping { why: Stop::Blind { what, since } } => Some((recorded.at, what.clone(), *since)),
        _ => None,
    });
    let (at, what, since) = stopped.unwrap();
    assert_eq!((since, what.as_str()), (blind, "the evidence of lambda.error"));
    // The next look comes within a minute.
    assert!(at.since(since) >= Span::from_mins(3) && at.since(since) <= Span::from_mins(4), "{}", at.since(since));
    assert_eq!(verdict.kind, VerdictKind::Unknown);
    assert!(
        verdict.reasons.iter().any(|reason| reason.contains("could not be measured since")),
        "{:?}",
        verdict.reasons
    );
}
