//! The tables of `docs/judge.md`, as Markdown, from 20,000 runs of each cell.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use crate::grid::{ALPHA, Betting, Cell, Delay, Fault, TOLERATED, Traffic, cells, delay, limit};
use crate::rivals::{Breaches, MannWhitney};

const RUNS: u32 = 20_000;

/// Prints every table.
pub fn print() {
    println!("False alarms of squall's judge, {RUNS} runs a cell, at most {:.4} promised:\n", limit(RUNS, 3.0));
    let single = |cell: &Cell| *cell;
    let missing = |cell: &Cell| Cell { missing: 0.2, ..*cell };
    let ten = |cell: &Cell| Cell { signals: 10, ..*cell };
    let ten_missing = |cell: &Cell| Cell { signals: 10, missing: 0.2, ..*cell };
    let uneven = |cell: &Cell| Cell { traffic: Traffic::Uneven, ..*cell };
    println!(
        "| windows | truth | clustering | a minute | one signal | a fifth missing | ten signals | ten, a fifth missing | uneven windows |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut worst = 0.0_f64;
    for cell in cells() {
        let kinds: [&dyn Fn(&Cell) -> Cell; 5] = [&single, &missing, &ten, &ten_missing, &uneven];
        let alarms = kinds.map(|kind| kind(&cell).false_alarms(RUNS, Betting::new));
        worst = alarms.iter().copied().fold(worst, f64::max);
        let alarms = alarms.map(|share| format!("{share:.4}")).join(" | ");
        let Cell { windows, truth, clustering, rate, .. } = cell;
        println!("| {windows} | {} | {clustering} | {rate} | {alarms} |", percent(truth));
    }
    println!("\nThe worst of all: {worst:.4}.\n");
    side_by_side();
    power();
}

fn percent(share: f64) -> String {
    format!("{} %", (share * 1e4).round() / 1e2)
}

fn hour(rate: u32, truth: f64, clustering: f64) -> Cell {
    Cell { rate, clustering, truth, windows: 60, signals: 1, missing: 0.0, traffic: Traffic::Even }
}

/// False alarms of every rule on the same traffic.
fn side_by_side() {
    println!("False alarms over 60 windows, side by side:\n");
    println!(
        "| truth | clustering | a minute | squall | one breached minute | three in a row | four in all | Mann-Whitney each minute |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for truth in [TOLERATED, 0.3 * TOLERATED] {
        for clustering in [0.0, 0.1] {
            for rate in [10, 60, 600] {
                let cell = hour(rate, truth, clustering);
                let alarms = [
                    cell.false_alarms(RUNS, Betting::new),
                    cell.false_alarms(RUNS, |_, _| Breaches::in_all(1)),
                    cell.false_alarms(RUNS, |_, _| Breaches::in_a_row(3)),
                    cell.false_alarms(RUNS, |_, _| Breaches::in_all(4)),
                    cell.false_alarms(RUNS, MannWhitney::new),
                ];
                let alarms = alarms.map(|share| format!("{share:.4}")).join(" | ");
                println!("| {} | {clustering} | {rate} | {alarms} |", percent(truth));
            }
        }
    }
    println!();
}

fn shown(Delay { median, most }: Delay) -> String {
    let windows = |delay: Option<u32>| delay.map_or("-".to_owned(), |windows| windows.to_string());
    format!("{} / {}", windows(median), windows(most))
}

/// How soon a fault is found.
fn power() {
    println!(
        "Windows until a fault is found, median / 95 % of the runs (a dash: more than 5 % miss it), from {} before:\n",
        percent(0.3 * TOLERATED)
    );
    let faults = [(0.05, 0), (0.2, 0), (0.05, 20), (0.2, 20)].map(|(share, at)| Fault { at, share });
    let heads = faults.map(|fault| format!("{} at window {}", percent(fault.share), fault.at)).join(" | ");
    println!("| rule | clustering | a minute | {heads} |");
    println!("| :--- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for clustering in [0.0, 0.1] {
        for rate in [10, 60, 600] {
            let cell = hour(rate, 0.3 * TOLERATED, clustering);
            let row = |name: &str, find: &dyn Fn(Fault) -> Vec<Option<u32>>| {
                let delays = faults.map(|fault| shown(delay(&find(fault), fault))).join(" | ");
                println!("| {name} | {clustering} | {rate} | {delays} |");
            };
            row("squall, one signal", &|fault| cell.play(RUNS, Some(fault), Betting::new));
            // One of ten signals feels the fault: it has a tenth of alpha.
            row("squall, one of ten", &|fault| {
                cell.play(RUNS, Some(fault), |cell, draw| Betting::new(&Cell { signals: 10, ..*cell }, draw))
            });
            row("four in all", &|fault| cell.play(RUNS, Some(fault), |_, _| Breaches::in_all(4)));
            row("Mann-Whitney", &|fault| cell.play(RUNS, Some(fault), MannWhitney::new));
        }
    }
    println!("\nAlpha is {ALPHA} for the whole run.");
}
