//! Fifty SIGKILLs and more: half of them at events, half between two, and some into the rollback.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use crate::effort::effort;

use super::bench::{Bench, Event, experiments, pause};

/// Virtual seconds in a real one: a run of half an hour takes some seconds.
const PACE: f64 = 600.0;
/// At least so many.
const KILLS: u32 = 50;
/// So many kills must meet a run that has something in the account. On a slow machine more runs end before they are killed, so
/// that it takes more kills.
const OUTSTANDING: u32 = 30;

/// The events of an undisturbed run; all others with the same seed and start go the same way until they are killed.
fn undisturbed(experiment: &str) -> (Vec<Event>, BTreeMap<String, String>) {
    let bench = Bench::new();
    let before = bench.picture();
    let (events, _) = bench.begin(experiment, "max").rest();
    assert_eq!(bench.picture(), before, "{experiment}");
    (events, before)
}

/// From the first announcement of a write to the last change settled.
fn changed_between(events: &[Event]) -> std::ops::Range<usize> {
    let first = events.iter().position(|event| event.name == "changing").unwrap();
    let last = events.iter().rposition(|event| event.name == "settled").unwrap();
    first..last
}

#[test]
fn fifty_kills_and_an_undo_after_each() {
    let seed = 20_260_302;
    let mut chance = Pcg64::seed_from_u64(seed);
    let experiments = experiments();
    let runs: Vec<_> = experiments.iter().map(|experiment| undisturbed(experiment)).collect();
    let (wanted, floor) = (KILLS * effort(), OUTSTANDING * effort());
    let (mut kills, mut outstanding, mut at_events, mut in_undo) = (0, 0, 0, 0);
    while kills < wanted || outstanding < floor {
        assert!(kills < 10 * wanted, "only {outstanding} of {kills} kills met something outstanding");
        let kill = kills as usize;
        let experiment = &experiments[kill % experiments.len()];
        let (events, before) = &runs[kill % experiments.len()];
        let bench = Bench::new();
        assert_eq!(bench.picture(), *before);
        let mut running = bench.begin(experiment, &format!("{PACE}x"));
        let target = chance.random_range(changed_between(events));
        for _ in 0..=target {
            running.next();
        }
        if kill.is_multiple_of(2) {
            at_events += 1;
        } else {
            let gap = events[target + 1].at.since(events[target].at).secs_f64() / PACE;
            pause(Duration::from_secs_f64(gap.min(1.0) * chance.random::<f64>()));
        }
        running.kill();
        let what = format!("kill {kill} of {experiment} after event {target}, seed {seed}");
        outstanding += u32::from(bench.picture() != *before);

        // A process that rolls back may be killed as well.
        if kill.is_multiple_of(5) {
            let mut undo = bench.squall(&["undo", "--pace", "600x", "--json"]);
            let mut undoing = super::bench::Running::new(undo.stdout(std::process::Stdio::piped()).spawn().unwrap());
            for _ in 0..chance.random_range(1..4) {
                undoing.next();
            }
            undoing.kill();
            in_undo += 1;
        }
        println!("{what}");
        bench.undo_all(before);
        assert_eq!(bench.log().last().unwrap().name, "closed", "{what}");
        kills += 1;
    }
    println!(
        "NOTE: {kills} SIGKILLs, {at_events} at events, {outstanding} with something outstanding; {in_undo} more in the undo"
    );
    assert!(at_events * 2 >= kills);
}
