//! Calibration: predictions against truths that are not the model's own.
//!
//! The truth is an application whose rates, durations and shares of failures are drawn within the uncertainty that its traffic
//! file states; a prediction sees the file alone. Experiments lie around their breaking point, where a prediction can be wrong.

#![expect(clippy::expect_used, clippy::panic, reason = "these are tests")]

use std::collections::BTreeMap;

use squall::account::Modelled;
use squall::account::sandbox::World;
use squall::account::sandbox::traffic::read_app;
use squall::guard::Rules;
use squall::ids::{AccountName, RunId};
use squall::judge::verdict::VerdictKind;
use squall::predict::figures::Figures;
use squall::predict::outcome::Outcome;
use squall::predict::{self, Asked, Subject};
use squall::project::Project;
use squall::spec::experiment::Experiment;
use squall::spec::load::ExperimentFiles;
use squall::template::app::App;
use squall::units::Time;
use squall::yaml::{Loaded, Source, Style};

use crate::effort::effort;

/// A queue, and a worker of which three run at once, two seconds a message: ninety a minute.
const TEMPLATE: &str = r#"
Transform: AWS::Serverless-2016-10-31
Resources:
  DeadLetters: { Type: AWS::SQS::Queue }
  Work:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 300
      RedrivePolicy: { deadLetterTargetArn: !GetAtt DeadLetters.Arn, maxReceiveCount: 10 }
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      Handler: bootstrap
      InlineCode: x
      Timeout: 50
      ReservedConcurrentExecutions: 3
      Events:
        Work: { Type: SQS, Properties: { Queue: !GetAtt Work.Arn, BatchSize: 1 } }
"#;

/// The worker cannot run for six minutes; its queue must be short again eight minutes later.
const EXPERIMENT: &str = "version: 1
title: The worker catches up
because: It was throttled.
targets:
  worker: { function: Worker }
hypotheses:
  - { signal: depth of Work is at most 15, during_fault: may_break }
baseline: 6m
faults:
  - { inject: { lambda.throttle: { target: worker, concurrency: 0 } }, for: 6m }
recovers_within: 8m
";

/// The application with so many messages a minute, as its files say it.
fn application(a_minute: f64) -> App {
    let traffic = format!(
        "version: 1\nuncertainty: 20 %\ntraffic:\n  - {{ to: {{ queue: Work }}, rate: {a_minute}/min, arrivals: poisson \
         }}\nfunctions:\n  Worker:\n    duration: {{ mean: 2s }}\n    cold_start: 100ms\n"
    );
    let (app, findings) =
        read_app(&Source::new("template.yaml", TEMPLATE), &Source::new("traffic.yaml", traffic), "calibration");
    app.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain)))
}

fn with<T>(app: &App, then: impl FnOnce(&Subject<'_>) -> T) -> T {
    let (experiment, findings) = Loaded::<Experiment>::read(&Source::new("experiment.yaml", EXPERIMENT));
    let experiment = experiment.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain)));
    let files = ExperimentFiles {
        experiment,
        hypotheses: BTreeMap::new(),
        account: AccountName::sandbox(),
        inputs: BTreeMap::new(),
    };
    let start: Time = "2026-01-01T00:00:00Z".parse().expect("an instant");
    let modeller = move |app: &App, seed: u64| {
        let world = World::new(app, seed, start).map_err(|dangling| dangling.to_string())?;
        Ok(Box::new(world) as Box<dyn Modelled>)
    };
    let rules = Rules::in_model(&Project::default());
    let run = RunId("prediction".into());
    then(&Subject { files: &files, rules: &rules, app, modeller: &modeller, start, run, by: "test", left_out: &[] })
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn runs(app: &App, seeds: std::ops::Range<u64>) -> Vec<Outcome> {
    with(app, |subject| predict::outcomes(subject, seeds, threads(), &|| false)).expect("runs")
}

fn held(runs: &[Outcome]) -> f64 {
    runs.iter().filter(|run| run.verdict.kind == VerdictKind::Held).count() as f64 / runs.len() as f64
}

/// What predictions of one kind come to.
#[derive(Default)]
struct Score {
    /// Of each experiment: the predicted probability of holding, and the part of the fresh runs that held.
    pairs: Vec<(f64, f64)>,
}

impl Score {
    /// Mean squared distance of the predicted probability from what each fresh run came to (Brier, 1950). 0.25 is what a
    /// coin gets that is thrown each time.
    fn brier(&self) -> f64 {
        let of = |(said, held): &(f64, f64)| held * (1.0 - said).powi(2) + (1.0 - held) * said.powi(2);
        self.pairs.iter().map(of).sum::<f64>() / self.pairs.len() as f64
    }

    /// For each tenth of predicted probability: how many experiments, what was predicted and what held, in the mean.
    fn deciles(&self) -> Vec<(usize, usize, f64, f64)> {
        let tenth = |said: f64| ((said * 10.0) as usize).min(9);
        let of = |number: usize| {
            let here: Vec<&(f64, f64)> = self.pairs.iter().filter(|(said, _)| tenth(*said) == number).collect();
            let mean = |of: fn(&(f64, f64)) -> f64| here.iter().map(|pair| of(pair)).sum::<f64>() / here.len() as f64;
            (number, here.len(), mean(|pair| pair.0), mean(|pair| pair.1))
        };
        (0..10).map(of).filter(|(_, many, ..)| *many > 0).collect()
    }

    fn mean(&self, of: fn(&(f64, f64)) -> f64) -> f64 {
        self.pairs.iter().map(of).sum::<f64>() / self.pairs.len() as f64
    }
}

/// Written to docs/fidelity.md by hand: `cargo test --test all calibration:: -- --nocapture`.
#[test]
fn predictions_with_uncertainty_beat_those_without() {
    let (experiments, predicted, fresh) = (20 * effort() as usize, 50, 60);
    let (mut written, mut uncertain) = (Score::default(), Score::default());
    for number in 0..experiments {
        // Around the breaking point: 300 messages and a surplus of 40 a minute are drained in seven and a half minutes.
        let app = application(42.0 + 16.0 * (number % 20) as f64 / 19.0);
        let truth = Figures::drawn(app.uncertainty, 1_000_000 + number as u64).of(&app);
        let seen = held(&runs(&truth, 500_000..500_000 + fresh as u64));
        let asked =
            Asked { seed: 1_000 * number as u64, runs: predicted, uncertainty: app.uncertainty, threads: threads() };
        let prediction = with(&app, |subject| predict::predict(subject, &asked, &|| false, &mut |_| {}));
        let prediction = prediction.expect("a prediction");
        written.pairs.push((prediction.as_written.held.share(), seen));
        uncertain.pairs.push((prediction.best().held.share(), seen));
    }
    for (name, score) in [("as the files say", &written), ("with their uncertainty", &uncertain)] {
        println!("{name}: Brier score {:.3}", score.brier());
        for (decile, many, said, held) in score.deciles() {
            println!("  {decile}0 % on: {many} experiments, predicted {said:.2}, held {held:.2}");
        }
    }
    assert!(uncertain.brier() < written.brier(), "{} {}", uncertain.brier(), written.brier());
    // Over all of them as many hold as predicted. A truth is a draw of its own that mostly holds or mostly does not: the mean of
    // `n` of them has a standard error of at most 0.5 / sqrt(n), and three of them are allowed.
    let bound = 1.5 / (experiments as f64).sqrt();
    let (said, seen) = (uncertain.mean(|pair| pair.0), uncertain.mean(|pair| pair.1));
    assert!((said - seen).abs() < bound, "predicted {said}, held {seen}");
}

/// A backlog is drained in its length divided by what the worker can do beyond what comes. Three pollers take what three
/// workers can do, so that none is throttled for want of workers.
#[test]
fn a_backlog_drains_in_backlog_by_surplus() {
    let mut app = application(40.0);
    app.functions.values_mut().for_each(|worker| worker.reserved = None);
    app.mappings.values_mut().for_each(|mapping| mapping.maximum_concurrency = Some(3));
    let runs = runs(&app, 1..25);
    let of = |with: fn(&Outcome) -> Option<f64>| {
        let values: Vec<f64> = runs.iter().filter_map(with).collect();
        assert_eq!(values.len(), runs.len(), "every run has it");
        values.iter().sum::<f64>() / values.len() as f64
    };
    let peak = of(|run| Some(f64::from(run.backlog.as_ref()?.peak)));
    let drained = of(|run| Some(run.backlog.as_ref()?.drained?.secs_f64() / 60.0));
    let (arrive, done) = (40.0, 3.0 * 60.0 / 2.0);
    let (backlog, drain) = (6.0 * arrive, 6.0 * arrive / (done - arrive));
    println!("backlog {peak:.0}, closed form {backlog:.0}; drained in {drained:.2} min, closed form {drain:.2}");
    assert!((peak / backlog - 1.0).abs() < 0.1, "{peak}");
    // Throttled pollers are two for a minute, which costs 30 messages or 0.6 min, and a queue is looked at once a minute.
    assert!((drained - drain - 0.6).abs() < 1.0, "{drained}");
}
