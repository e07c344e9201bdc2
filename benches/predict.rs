//! What a prediction costs, and, with the argument `calibration`, how well predictions agree with a truth that is not their own:
//!
//!     cargo bench --no-default-features --bench predict
//!     cargo bench --no-default-features --bench predict -- calibration 20 50 100

#![expect(clippy::expect_used, clippy::panic, reason = "a bench ends at the first failure")]
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::collections::BTreeMap;
use std::path::Path;

use squall::account::sandbox::{World, shop};
use squall::account::{Location, Modelled};
use squall::env::{Env as _, RealEnv};
use squall::guard::{AccountRules, Rules};
use squall::ids::RunId;
use squall::judge::verdict::VerdictKind;
use squall::predict::figures::Figures;
use squall::predict::vary::Vary;
use squall::predict::{self, Asked, Subject};
use squall::spec::check::Known;
use squall::spec::load::{ExperimentFiles, ProjectFiles};
use squall::template::app::App;
use squall::units::{Rate, Share, Span, Time};
use squall::yaml::{Findings, Loaded, Style};

const EXPERIMENT: &str = "experiments/payment-worker-throttled.yaml";

fn project() -> ProjectFiles {
    let (project, findings) = ProjectFiles::open(Path::new(env!("CARGO_MANIFEST_DIR")));
    project.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain)))
}

/// The experiment with its fault lasting so long.
fn experiment(lasts: Option<Span>) -> ExperimentFiles {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(EXPERIMENT);
    let (files, findings) = ExperimentFiles::open(&path, &project(), None, &Known::default());
    let mut files = files.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain)));
    if let Some(lasts) = lasts {
        let vary: Vary = "faults.0.for=1s..60m".parse().expect("a range");
        let mut tree = files.experiment.tree.clone();
        vary.put(&mut tree, lasts.secs_f64()).expect("a place");
        files.experiment =
            Loaded::from_tree(&files.experiment.source, tree, Findings::default()).0.expect("an experiment");
    }
    files
}

/// The shop with so many times its orders.
fn shop_at(times: f64) -> App {
    let mut app = shop();
    for traffic in &mut app.traffic {
        traffic.rate = Rate::per_sec(traffic.rate.get() * times).expect("a rate");
    }
    app
}

fn with<T>(files: &ExperimentFiles, app: &App, then: impl FnOnce(&Subject<'_>) -> T) -> T {
    let start: Time = "2026-01-01T00:00:00Z".parse().expect("an instant");
    let modeller = move |app: &App, seed: u64| {
        let world = World::new(app, seed, start).map_err(|dangling| dangling.to_string())?;
        Ok(Box::new(world) as Box<dyn Modelled>)
    };
    let project = project().project;
    let account = AccountRules { name: files.account.clone(), spec: project.accounts[&files.account].clone() };
    let accounts = BTreeMap::from([(Location::sandbox(), account)]);
    let rules = Rules { accounts, ..Rules::of(&project, &BTreeMap::new()) };
    let run = RunId("prediction".into());
    then(&Subject { files, rules: &rules, app, modeller: &modeller, start, run, by: "bench", left_out: &[] })
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == "calibration") {
        Some(at) => {
            let number = |offset: usize, usual: usize| {
                arguments.get(at + offset).and_then(|text| text.parse().ok()).unwrap_or(usual)
            };
            calibration(number(1, 20), number(2, 50), number(3, 100));
        }
        None => speed(),
    }
}

/// A thousand runs of 24 minutes of the shop.
fn speed() {
    let (env, threads) = (RealEnv, RealEnv.cores());
    let (files, app) = (experiment(None), shop());
    for runs in [100, 1_000] {
        let asked = Asked { seed: 1, runs, uncertainty: Share::NONE, threads };
        let began = env.monotonic();
        let mut first = None;
        let found = with(&files, &app, |subject| {
            predict::predict(subject, &asked, &|| false, &mut |_| {
                first.get_or_insert_with(|| env.monotonic() - began);
            })
        });
        let prediction = found.expect("a prediction");
        let took = env.monotonic() - began;
        println!(
            "{runs} runs on {threads} threads: {took}, {:.1} ms of each thread for a run, first figures after {}, held {}",
            took.secs_f64() * 1e3 * threads as f64 / runs as f64,
            first.unwrap_or_default(),
            prediction.as_written.held
        );
    }
}

/// An experiment around its breaking point: so many times the orders, and how long the fault lasts.
fn around(number: usize) -> (f64, Span) {
    const MIDDLE: f64 = 10.0;
    let place = (number % 20) as f64 - MIDDLE;
    match number % 4 {
        // The worker does not catch up in time from 1.8 times the orders on.
        0 | 1 => (1.77 + place * 0.03, Span::from_mins(9)),
        // Too few orders are seen below 0.56 times of them.
        2 => (0.56 + place * 0.012, Span::from_mins(9)),
        // A fault shorter than six minutes cannot be judged.
        _ => (1.0, Span::from_secs_f64(360.0 + place * 5.0)),
    }
}

/// Truths that differ from the files by their uncertainty, against predictions that see the files only.
fn calibration(experiments: usize, predicted: usize, fresh: usize) {
    let threads = RealEnv.cores();
    let uncertainty = Share::percent(20);
    let (mut brier, mut sure) = ([0.0; 2], [0.0; 2]);
    let mut deciles = [[(0.0, 0.0, 0_usize); 10]; 2];
    for number in 0..experiments {
        let (times, lasts) = around(number);
        let (files, app) = (experiment(Some(lasts)), shop_at(times));
        let truth = Figures::drawn(uncertainty, 1_000_000 + number as u64).of(&app);
        let seeds = 500_000..500_000 + fresh as u64;
        let runs = with(&files, &truth, |subject| predict::outcomes(subject, seeds, threads, &|| false));
        let runs = runs.expect("runs");
        let held = runs.iter().filter(|run| run.verdict.kind == VerdictKind::Held).count() as f64 / runs.len() as f64;
        let asked = Asked { seed: 1 + 1_000 * number as u64, runs: predicted, uncertainty, threads };
        let found = with(&files, &app, |subject| predict::predict(subject, &asked, &|| false, &mut |_| {}));
        let prediction = found.expect("a prediction");
        let written = prediction.as_written.held.share();
        let uncertain = prediction.best().held.share();
        println!("x{times:.2} for {lasts}: truth {held:.2}, as written {written:.2}, uncertain {uncertain:.2}");
        for (which, share) in [written, uncertain].into_iter().enumerate() {
            brier[which] += held * (1.0 - share).powi(2) + (1.0 - held) * share.powi(2);
            sure[which] += f64::from(u8::from((share - held).abs() > 0.5));
            let (predicted, seen, count) = &mut deciles[which][((share * 10.0) as usize).min(9)];
            *predicted += share;
            *seen += held;
            *count += 1;
        }
    }
    for (which, name) in ["as written", "with uncertainty"].into_iter().enumerate() {
        let mean = brier[which] / experiments as f64;
        println!("\n{name}: Brier score {mean:.3}; off by more than a half in {} of {experiments}", sure[which]);
        for (decile, (predicted, seen, count)) in deciles[which].iter().enumerate().filter(|(_, row)| row.2 > 0) {
            let count = *count as f64;
            let (predicted, seen) = (predicted / count, seen / count);
            println!("  {decile}0 %: {count} experiments, predicted {predicted:.2}, held {seen:.2}");
        }
    }
}
