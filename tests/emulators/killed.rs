//! Thirty SIGKILLs in mid-run, one more in the rollback after each, and then a rollback to its end; for ten of them the store is
//! gone too, and the locks in the account are all that is left.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use crate::account::{Account, pause};
use crate::day::Day;
use crate::emulator::ministack;
use crate::picture::picture;
use crate::shop::Shop;
use crate::short::shipped_in;
use crate::squall::Project;

const KILLS: usize = 30;
/// So many kills must meet an account that is changed. On a slow machine more runs end before they are killed, so that it takes
/// more kills than these.
const OUTSTANDING: usize = 20;
/// After these the store is deleted. One of them poisons a queue: how many messages went out stands in no lock, so that its
/// rollback waits for all of them, for more than four minutes.
const WITHOUT_STORE: [usize; 10] = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10];

/// Experiments of different kinds: a setting, a key in a document, a policy, messages; how long it stays, and how many
/// events come between the first lock and the end of the rollback.
const EXPERIMENTS: [(&str, &str, usize); 4] = [
    ("payment-worker-throttled", "10s", 12),
    ("order-function-slow", "10s", 12),
    ("payment-worker-loses-permission", "10s", 12),
    ("orders-poisoned", "60s", 40),
];

/// One kill: what it was, and whether it met something outstanding.
fn kill(number: usize, seed: u64) -> (String, bool) {
    let mut chance = Pcg64::seed_from_u64(seed + number as u64);
    let (experiment, stays, events) = EXPERIMENTS[number % EXPERIMENTS.len()];
    let account = Account::new(ministack());
    let shop = Shop::deploy(&account);
    shop.come_back_after("OrdersQueue", 2);
    Day::off(&shop);
    let project = Project::new(&account);
    let file = shipped_in(&project, experiment, stays);
    let before = picture(&account);

    let mut run = project.run(&file);
    run.until("changing");
    let after = chance.random_range(0..events);
    for _ in 0..after {
        run.next();
    }
    // Half of them between two events.
    if chance.random() {
        pause(Duration::from_millis(chance.random_range(0..500)));
    }
    run.kill();
    let outstanding = picture(&account) != before;

    let what = format!("kill {number} of {experiment}, {after} events after the first change, seed {seed}");
    let undo = if WITHOUT_STORE.contains(&number) {
        std::fs::remove_dir_all(project.store()).unwrap();
        ["undo", "--account", "emulated", "--take-over", "--yes"].as_slice()
    } else {
        &["undo"]
    };
    // The rollback is killed as well, and repeated: from the journal that it began, or from the locks again.
    let mut undoing = project.begin(undo);
    let heard = chance.random_range(1..8);
    for _ in 0..heard {
        if undoing.next().is_none() {
            break;
        }
    }
    undoing.kill();
    let what = format!("{what}; the rollback after {} of its events", undoing.told.len());
    let undone = project.ended(undo);
    assert_eq!(undone.code, 0, "{what}\n{}\n{}\n{}", run.story(), undone.out, undone.err);
    assert_eq!(picture(&account), before, "{what}\n{}\n{}\n{}", run.story(), undone.out, undone.err);
    (what, outstanding)
}

#[test]
fn thirty_kills_and_an_undo_after_each() {
    let seed = 20_261_122;
    let mut kills: Vec<(String, bool)> = std::thread::scope(|scope| {
        let kills: Vec<_> = (0..KILLS).map(|number| scope.spawn(move || kill(number, seed))).collect();
        kills.into_iter().map(|kill| kill.join().unwrap()).collect()
    });
    let met = |kills: &[(String, bool)]| kills.iter().filter(|(_, outstanding)| *outstanding).count();
    while met(&kills) < OUTSTANDING {
        assert!(kills.len() < 5 * KILLS, "only {} of {} kills met something outstanding", met(&kills), kills.len());
        kills.push(kill(kills.len(), seed));
    }
    for (what, outstanding) in &kills {
        println!("{what}{}", if *outstanding { ", met something outstanding" } else { "" });
    }
    println!(
        "NOTE: {} SIGKILLs against MiniStack, {} with something outstanding, {} stores deleted",
        kills.len(),
        met(&kills),
        WITHOUT_STORE.len()
    );
}
