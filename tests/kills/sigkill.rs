//! Fifty SIGKILLs: half of them at events, half between two, and some more into the undo.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use crate::bench::{Bench, EXPERIMENTS, Event, pause};

/// Virtual seconds in a real one: a run of half an hour takes some seconds.
const PACE: f64 = 600.0;
const KILLS: usize = 50;
/// So many of them must meet a run that has something in the account.
const OUTSTANDING: usize = 30;

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
    let runs: Vec<_> = EXPERIMENTS.iter().map(|experiment| undisturbed(experiment)).collect();
    let (mut outstanding, mut at_events, mut in_undo) = (0, 0, 0);
    for kill in 0..KILLS {
        let experiment = EXPERIMENTS[kill % EXPERIMENTS.len()];
        let (events, before) = &runs[kill % EXPERIMENTS.len()];
        let bench = Bench::new();
        assert_eq!(bench.picture(), *before);
        let mut running = bench.begin(experiment, &format!("{PACE}x"));
        let target = chance.random_range(changed_between(events));
        for _ in 0..=target {
            running.next();
        }
        if kill % 2 == 0 {
            at_events += 1;
        } else {
            let gap = events[target + 1].at.since(events[target].at).secs_f64() / PACE;
            pause(Duration::from_secs_f64(gap.min(1.0) * chance.random::<f64>()));
        }
        running.kill();
        let what = format!("kill {kill} of {experiment} after event {target}, seed {seed}");
        outstanding += usize::from(bench.picture() != *before);

        // A process that undoes may be killed as well.
        if kill % 5 == 0 {
            let mut undo = bench.squall(&["undo", "--pace", "600x", "--json"]);
            let mut undoing = crate::bench::Running::new(undo.stdout(std::process::Stdio::piped()).spawn().unwrap());
            for _ in 0..chance.random_range(1..4) {
                undoing.next();
            }
            undoing.kill();
            in_undo += 1;
        }
        println!("{what}");
        bench.undo_all(before);
        assert_eq!(bench.log().last().unwrap().name, "closed", "{what}");
    }
    println!(
        "NOTE: {KILLS} SIGKILLs, {at_events} at events, {outstanding} with something outstanding; {in_undo} more in the undo"
    );
    assert!(at_events * 2 >= KILLS);
    assert!(outstanding >= OUTSTANDING, "only {outstanding} of {KILLS} kills met something outstanding");
}
