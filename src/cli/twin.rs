//! What an experiment is predicted on: the sandbox of its account, or the one that its account of AWS names as its twin.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Context, Exit, Failure, accounts, named};
use crate::account::sandbox::World;
use crate::account::sandbox::traffic::with_traffic;
use crate::account::{Location, Modelled};
use crate::guard::{AccountRules, Rules};
use crate::ids::{AccountName, RunId};
use crate::predict::Subject;
use crate::predict::vary::{Place, Vary};
use crate::project::AccountSpec;
use crate::spec::left_out::LeftOut;
use crate::spec::load::{ExperimentFiles, ProjectFiles};
use crate::template::app::App;
use crate::units::Time;
use crate::yaml::tree::parse;
use crate::yaml::{Findings, Loaded, Source};

/// Where the clock of a prediction starts: always the same, so that the same command gives the same figures.
const START: Time = Time::from_micros(1_767_225_600_000_000);

/// An application, and the experiment as it is planned on it.
#[derive(Clone)]
pub struct Twin {
    pub app: App,
    pub experiment: ExperimentFiles,
    pub rules: Rules,
    pub start: Time,
    location: Location,
    run: RunId,
    by: String,
    stack: String,
    template: Arc<Source>,
    traffic: Arc<Source>,
    left_out: Vec<String>,
}

impl Twin {
    /// The twin of an experiment.
    ///
    /// # Errors
    /// An account has none, or there are several, or its files cannot be used.
    pub fn of(files: &ProjectFiles, experiment: &ExperimentFiles, context: &Context) -> Result<Twin, Failure> {
        let mut twins = BTreeMap::new();
        for name in super::prepare::names(experiment) {
            let (twin, account) = named(files, &name)?;
            twins.insert(twin.clone(), account);
        }
        let (name, account) = match twins.pop_first() {
            Some(only) if twins.is_empty() => only,
            _ => {
                return Err(Failure::refused(
                    "a prediction models one application, and this experiment has targets in several",
                    "name one sandbox as the `twin` of all its accounts",
                ));
            }
        };
        let (app, mut findings) = accounts::read(files, account);
        let left_out = LeftOut::take(&mut findings, account, Vec::new()).parts();
        let (Some(app), Ok((template, traffic))) = (app, accounts::sources(files, account)) else {
            return Err(Failure {
                exit: Exit::Findings,
                what: format!("the files of {name} cannot be used: {}", findings.count()),
                next: Some("squall check".into()),
            });
        };
        let location = Location::sandbox();
        let spec = AccountSpec::Sandbox(account.clone());
        let rules = Rules {
            accounts: BTreeMap::from([(location.clone(), AccountRules { name: name.clone(), spec })]),
            ..Rules::of(&files.project, &BTreeMap::new())
        };
        let mut experiment = experiment.clone();
        experiment.experiment.value.targets.values_mut().for_each(|target| target.account = None);
        experiment.account = name;
        let run = RunId("prediction".into());
        let (by, stack) = (context.who(), account.stack.clone());
        Ok(Twin { app, experiment, rules, start: START, location, run, by, stack, template, traffic, left_out })
    }

    /// The same with other values.
    ///
    /// # Errors
    /// A path leads nowhere, or its file cannot be read with the value.
    pub fn varied(&self, vary: &[Vary], values: &[f64]) -> Result<Twin, String> {
        let mut twin = self.clone();
        let pairs = || vary.iter().zip(values.iter().copied());
        let of = |place: Place| pairs().filter(move |(vary, _)| vary.place() == place);
        if of(Place::Traffic).next().is_some() {
            let (tree, findings) = parse(&self.traffic);
            let mut tree = tree.ok_or("the traffic file cannot be read")?;
            of(Place::Traffic).try_for_each(|(vary, value)| vary.put(&mut tree, value).map(drop))?;
            let (loaded, findings) = Loaded::from_tree(&self.traffic, tree, findings);
            let (app, findings) = with_traffic(&self.template, loaded, findings, &self.stack);
            twin.app = app.ok_or_else(|| first(&findings))?;
        }
        of(Place::Application).try_for_each(|(vary, value)| vary.set(&mut twin.app, value))?;
        if of(Place::Experiment).next().is_some() {
            let experiment = &mut twin.experiment.experiment;
            let mut tree = experiment.tree.clone();
            of(Place::Experiment).try_for_each(|(vary, value)| vary.put(&mut tree, value).map(drop))?;
            let (loaded, findings) = Loaded::from_tree(&experiment.source, tree, Findings::default());
            *experiment = loaded.ok_or_else(|| first(&findings))?;
            experiment.value.targets.values_mut().for_each(|target| target.account = None);
        }
        Ok(twin)
    }

    /// What is predicted.
    pub fn predicted<T>(&self, then: impl FnOnce(&Subject<'_>) -> T) -> T {
        let modeller = |app: &App, seed: u64| self.model(app, seed);
        then(&Subject {
            files: &self.experiment,
            rules: &self.rules,
            app: &self.app,
            modeller: &modeller,
            start: self.start,
            run: self.run.clone(),
            by: &self.by,
            left_out: &self.left_out,
        })
    }

    /// The application as an account.
    ///
    /// # Errors
    /// Something in it leads nowhere.
    pub fn account(&self, seed: u64, start: Time) -> Result<Box<dyn Modelled>, String> {
        Twin { start, ..self.clone() }.model(&self.app, seed)
    }

    /// Where that account is.
    pub fn location(&self) -> Location {
        self.location.clone()
    }

    fn model(&self, app: &App, seed: u64) -> Result<Box<dyn Modelled>, String> {
        let world = World::new(app, seed, self.start).map_err(|dangling| dangling.to_string())?;
        Ok(Box::new(world.at_location(self.location.clone())))
    }
}

/// The first thing that is wrong.
fn first(findings: &Findings) -> String {
    findings.iter().next().map_or_else(|| "it cannot be read".into(), |finding| finding.what.clone())
}

/// The sandbox in the place of an account.
fn named<'a>(
    files: &'a ProjectFiles,
    name: &AccountName,
) -> Result<(AccountName, &'a crate::project::SandboxAccount), Failure> {
    let accounts = &files.project.accounts;
    match accounts.get(name) {
        Some(AccountSpec::Sandbox(account)) => Ok((name.clone(), account)),
        Some(AccountSpec::Aws(aws)) => match aws.twin.as_ref().and_then(|twin| Some((twin, accounts.get(twin)?))) {
            Some((twin, AccountSpec::Sandbox(account))) => Ok((twin.clone(), account)),
            _ => Err(Failure::refused(
                format!("no prediction: {name} is an AWS account, and squall.yaml names no twin for it"),
                HOW_TO_GET_ONE,
            )),
        },
        None => Err(named::no_account(&name.0, files)),
    }
}

/// How to get a model of an application.
pub const HOW_TO_GET_ONE: &str = "under `accounts` add `model: { sandbox: { template: template.yaml, traffic: traffic.yaml } }` \
     with the template that you deploy, describe its traffic in traffic.yaml (docs/sandbox.md), and add `twin: model` to the AWS account; targets are found by logical id, name, tag or stack";
