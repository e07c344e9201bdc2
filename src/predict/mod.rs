//! Prediction: an experiment run many times in virtual time, before anything is touched.
//!
//! Every run is the whole thing: the planner, the machine, the judge and the model of the account that `squall run` uses,
//! with a seed of its own. Nothing is written, and each run is folded into a small [`Outcome`] as soon as it ends.
//!
//! Invariant: the run of seed `s` without changed figures ends as `squall run --seed s` does, event for event.

pub mod figures;
pub mod influence;
pub mod margin;
pub mod margin_show;
pub mod outcome;
pub mod page;
mod pool;
pub mod prediction;
pub mod sequential;
pub mod share;
pub mod show;
mod simulate;
pub mod vary;
pub mod written;

use crate::account::Modelled;
use crate::guard::{Objection, Rules};
use crate::ids::RunId;
use crate::run::event::Recorded;
use crate::spec::load::ExperimentFiles;
use crate::template::app::App;
use crate::units::{Share, Time};
use outcome::Outcome;
use prediction::Prediction;

/// Makes a model of an application in which the seed decides everything that is left to chance.
pub type Modeller<'a> = dyn Fn(&App, u64) -> Result<Box<dyn Modelled>, String> + Sync + 'a;

/// What is predicted.
pub struct Subject<'a> {
    pub files: &'a ExperimentFiles,
    pub rules: &'a Rules,
    pub app: &'a App,
    pub modeller: &'a Modeller<'a>,
    /// When the model's clock starts.
    pub start: Time,
    /// What the runs are called.
    pub run: RunId,
    pub by: &'a str,
    /// What of the application's template the model does not know.
    pub left_out: &'a [String],
}

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    /// The seed of the first run; the others count up from it.
    pub seed: u64,
    /// How many seeds.
    pub runs: usize,
    /// How far off the application's figures may be. Above zero each seed is run twice: as the files say, and with figures
    /// drawn within this.
    pub uncertainty: Share,
    pub threads: usize,
}

/// Why nothing can be predicted.
#[derive(Debug, thiserror::Error)]
pub enum NotPredicted {
    /// There is no plan: why it is refused.
    #[error("the experiment cannot be planned on the model")]
    NoPlan(Vec<Objection>),
    /// The application cannot be modelled, or the model failed.
    #[error("{0}")]
    Model(String),
}

/// A job of a prediction: one seed, as the files say or with changed figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Job {
    seed: u64,
    changed: bool,
}

impl Asked {
    fn jobs(&self) -> usize {
        self.runs * self.per_seed()
    }

    fn per_seed(&self) -> usize {
        if self.uncertainty > Share::NONE { 2 } else { 1 }
    }

    fn job(&self, number: usize) -> Job {
        let seed = self.seed.wrapping_add((number / self.per_seed()) as u64);
        Job { seed, changed: number % self.per_seed() == 1 }
    }
}

/// How far a prediction is.
pub struct Progress<'a> {
    /// Outcomes of the runs as the files say, in the order of their seeds, without a gap.
    pub so_far: &'a [Outcome],
    pub runs: usize,
}

/// Runs some seeds as the files say, and gives their outcomes in the order of the seeds; of those that ended before
/// `enough` said so.
///
/// # Errors
/// The experiment cannot be planned on the application.
pub fn outcomes(
    subject: &Subject<'_>,
    seeds: std::ops::Range<u64>,
    threads: usize,
    enough: &dyn Fn() -> bool,
) -> Result<Vec<Outcome>, NotPredicted> {
    let runs = usize::try_from(seeds.end.saturating_sub(seeds.start)).unwrap_or(usize::MAX);
    let mut ended: Vec<Option<Outcome>> = vec![None; runs];
    let work = |number: usize, stop: &pool::Stop| {
        simulate::simulate(subject, subject.app, seeds.start + number as u64, stop).transpose()
    };
    pool::each(threads, runs, enough, &work, &mut |number, outcome| {
        ended[number] = Some(outcome?);
        Ok(())
    })?;
    Ok(ended.into_iter().map_while(|outcome| outcome).collect())
}

/// Predicts. It ends early when `enough` says so, with what is known by then: the runs of the first seeds, all of them, so
/// that no run counts for having been quick.
///
/// # Errors
/// The experiment cannot be planned on the application, or not a single run ended.
pub fn predict(
    subject: &Subject<'_>,
    asked: &Asked,
    enough: &dyn Fn() -> bool,
    heard: &mut dyn FnMut(&Progress<'_>),
) -> Result<Prediction, NotPredicted> {
    let plan = simulate::plan(subject, subject.app, asked.seed)?;
    let mut ended: Vec<Option<Result<Outcome, NotPredicted>>> = Vec::new();
    ended.resize_with(asked.jobs(), || None);
    let mut prefix = Prefix::default();
    let work = |number: usize, stop: &pool::Stop| {
        let job = asked.job(number);
        let figures = figures::Figures::drawn(asked.uncertainty, job.seed);
        let app = if job.changed { &figures.of(subject.app) } else { subject.app };
        simulate::simulate(subject, app, job.seed, stop).transpose()
    };
    pool::each(asked.threads, asked.jobs(), enough, &work, &mut |number, outcome| {
        ended[number] = Some(outcome);
        prefix.advance(&mut ended, asked)?;
        heard(&Progress { so_far: &prefix.as_written, runs: asked.runs });
        Ok(())
    })?;
    if prefix.as_written.is_empty() {
        return Err(NotPredicted::Model("no run ended within the time limit".into()));
    }
    Ok(Prediction::of(&plan, asked, subject, &prefix.as_written, &prefix.changed))
}

/// One run as the files say, with its events.
///
/// # Errors
/// The experiment cannot be planned on the application.
pub fn replay(subject: &Subject<'_>, seed: u64) -> Result<(Outcome, Vec<Recorded>), NotPredicted> {
    let mut events = Vec::new();
    let outcome = simulate::run(subject, subject.app, seed, &|| false, &mut |event| events.push(event.clone()))?;
    Ok((outcome.ok_or_else(|| NotPredicted::Model("it was left".into()))?, events))
}

/// The outcomes up to the first job that has not ended.
#[derive(Default)]
struct Prefix {
    next: usize,
    as_written: Vec<Outcome>,
    changed: Vec<Outcome>,
}

impl Prefix {
    fn advance(
        &mut self,
        ended: &mut [Option<Result<Outcome, NotPredicted>>],
        asked: &Asked,
    ) -> Result<(), NotPredicted> {
        while let Some(outcome) = ended.get_mut(self.next).and_then(Option::take) {
            match asked.job(self.next).changed {
                true => self.changed.push(outcome?),
                false => self.as_written.push(outcome?),
            }
            self.next += 1;
        }
        Ok(())
    }
}
