//! One run: planned, driven to its end in the model, and folded into its outcome.

use super::outcome::Outcome;
use super::pool::Stop;
use super::{NotPredicted, Subject};
use crate::account::Modelled;
use crate::driver::{Driver, Ending, Surroundings};
use crate::env::{FixedEnv, Interrupts};
use crate::plan::Plan;
use crate::planner::{self, Request};
use crate::run::event::Recorded;
use crate::store::forgetful::ForgetfulStore;
use crate::template::app::App;

/// The plan of one seed on an application. What guards have against running it is no concern of a prediction.
pub(super) fn plan(subject: &Subject<'_>, app: &App, seed: u64) -> Result<Plan, NotPredicted> {
    let mut model = (subject.modeller)(app, seed).map_err(NotPredicted::Model)?;
    planned(subject, model.as_mut(), seed)
}

fn planned(subject: &Subject<'_>, model: &mut dyn Modelled, seed: u64) -> Result<Plan, NotPredicted> {
    let Subject { files, rules, by, .. } = *subject;
    let request = Request { files, run: subject.run.clone(), seed, by, rules };
    planner::plan(&request, model).map(|planned| planned.plan).map_err(NotPredicted::NoPlan)
}

/// Runs one seed on an application. `None`: it was stopped because its result is not needed any more.
pub(super) fn simulate(
    subject: &Subject<'_>,
    app: &App,
    seed: u64,
    stop: &Stop,
) -> Result<Option<Outcome>, NotPredicted> {
    run(subject, app, seed, &|| stop.is_asked(), &mut |_| {})
}

/// The same, and tells each event.
pub(super) fn run(
    subject: &Subject<'_>,
    app: &App,
    seed: u64,
    stop: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(&Recorded),
) -> Result<Option<Outcome>, NotPredicted> {
    let failed = |why: String| NotPredicted::Model(format!("the run of seed {seed} failed: {why}"));
    let mut model = (subject.modeller)(app, seed).map_err(NotPredicted::Model)?;
    let plan = planned(subject, model.as_mut(), seed)?;
    let (env, mut store) = (FixedEnv::at(subject.start), ForgetfulStore);
    let around = Surroundings {
        account: model.as_mut(),
        store: &mut store,
        env: &env,
        interrupts: Interrupts::none(),
        live: false,
    };
    let mut driver = Driver::begin(around, plan, subject.by.to_owned()).map_err(|error| failed(error.to_string()))?;
    let verdict = loop {
        match driver.advance(tell).map_err(|error| failed(error.to_string()))? {
            Some(Ending::Closed { verdict, .. }) => break verdict,
            Some(Ending::TakenOver { .. }) => return Err(failed("another process took it over".into())),
            None if stop() => return Ok(None),
            None => {}
        }
    };
    let state = driver.state().clone();
    drop(driver);
    Ok(Some(Outcome::of(seed, verdict, &state, model.as_ref())))
}
