//! Accounts by their configuration: which kind each is, and how it is opened. With `account/`, the only place that
//! knows the kinds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::project::Project;
use super::{Exit, Failure};
use crate::account::sandbox::World;
use crate::account::sandbox::app::App;
use crate::account::sandbox::shop::shop_sources;
use crate::account::sandbox::traffic::read_app;
use crate::account::{Account, AccountName, ResourceKind};
use crate::env::Env;
use crate::spec::check::Known;
use crate::spec::load::ProjectFiles;
use crate::spec::project::{AccountSpec, SandboxAccount};
use crate::spec::{Findings, Source};
use crate::units::Time;

/// The names of everything in the accounts that can be looked into without asking anybody, and what is wrong in their
/// files.
pub fn known(files: &ProjectFiles) -> (Known, Findings) {
    let mut known = Known::new();
    let mut findings = Findings::default();
    for (name, sandbox) in sandboxes(files) {
        let (app, found) = read(files, sandbox);
        findings.append(found);
        if let Some(app) = app {
            known.insert(name.clone(), names(&app));
        }
    }
    (known, findings)
}

/// The files that describe accounts.
pub fn files(files: &ProjectFiles) -> Vec<PathBuf> {
    let of = |sandbox: &SandboxAccount| [files.root.join(&sandbox.template), files.root.join(&sandbox.traffic)];
    sandboxes(files).flat_map(|(_, sandbox)| of(sandbox)).filter(|path| path.exists()).collect()
}

fn sandboxes(files: &ProjectFiles) -> impl Iterator<Item = (&AccountName, &SandboxAccount)> {
    files.project.accounts.iter().filter_map(|(name, account)| match account {
        AccountSpec::Sandbox(sandbox) => Some((name, sandbox)),
        AccountSpec::Aws(_) => None,
    })
}

/// The application of a sandbox. The shipped shop is part of the binary, for folders that do not have its files.
fn read(files: &ProjectFiles, sandbox: &SandboxAccount) -> (Option<App>, Findings) {
    let (shop, shop_traffic) = shop_sources();
    let open = |path: &str, shipped: Arc<Source>| match files.root.join(path) {
        own if own.exists() || path != shipped.file => Source::open(&own),
        _ => Ok(shipped),
    };
    match (open(&sandbox.template, shop), open(&sandbox.traffic, shop_traffic)) {
        (Ok(template), Ok(traffic)) => read_app(&template, &traffic, &sandbox.stack),
        (template, traffic) => {
            let mut findings = Findings::default();
            let errors = template.err().into_iter().chain(traffic.err());
            errors.for_each(|finding| findings.push(*finding));
            (None, findings)
        }
    }
}

/// Every name by which an experiment may call a resource.
fn names(app: &App) -> BTreeMap<ResourceKind, BTreeSet<String>> {
    let set = |names: &mut dyn Iterator<Item = &String>| -> BTreeSet<String> { names.cloned().collect() };
    let mut names = BTreeMap::from([
        (ResourceKind::Function, set(&mut app.functions.keys())),
        (ResourceKind::Queue, set(&mut app.queues.keys())),
        (ResourceKind::Role, set(&mut app.roles.keys())),
        (ResourceKind::Parameter, set(&mut app.parameters.keys())),
        (ResourceKind::Table, set(&mut app.tables.keys())),
        (ResourceKind::Topic, set(&mut app.topics.keys())),
        (ResourceKind::Api, set(&mut app.apis.keys())),
        (ResourceKind::Alarm, set(&mut app.alarms.keys())),
    ]);
    for names in names.values_mut() {
        let ids = app.logical_ids.iter().filter(|(_, name)| names.contains(*name)).map(|(id, _)| id.clone());
        let ids: Vec<String> = ids.collect();
        names.extend(ids);
    }
    names
}

/// How fast the sandbox's time passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So many times as fast as ours.
    Times(f64),
    /// As fast as it goes.
    Max,
}

impl std::str::FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Pace, String> {
        let times = |text: &str| text.parse::<f64>().ok().filter(|times| times.is_finite() && *times > 0.0);
        match text {
            "max" => Ok(Pace::Max),
            text => {
                times(text.trim_end_matches('x')).map(Pace::Times).ok_or_else(|| "write `60x`, `1x` or `max`".into())
            }
        }
    }
}

/// How an account is opened.
#[derive(Clone, Debug)]
pub struct Opening {
    pub pace: Pace,
    /// For a sandbox that is new.
    pub seed: u64,
    pub start: Time,
}

impl Opening {
    /// To look at what is there.
    pub fn at_pace(pace: Pace, env: &dyn Env) -> Opening {
        Opening { pace, seed: env.entropy(), start: env.now() }
    }
}

/// Opens the accounts of these names, which must be of one kind.
pub fn open(
    files: &ProjectFiles,
    names: &BTreeSet<AccountName>,
    project: &Project,
    opening: &Opening,
) -> Result<Box<dyn Account>, Failure> {
    let mut sandboxes = Vec::new();
    for name in names {
        match files.project.accounts.get(name) {
            Some(AccountSpec::Sandbox(sandbox)) => sandboxes.push(sandbox),
            Some(AccountSpec::Aws(_)) => {
                return Err(Failure::refused(
                    format!("the account {name} is one of AWS, which this version of squall cannot reach yet"),
                    "use an account of the kind `sandbox`",
                ));
            }
            None => {
                let known: Vec<&str> = files.project.accounts.keys().map(|name| name.0.as_str()).collect();
                return Err(Failure::usage(
                    format!("there is no account {name}"),
                    format!("squall.yaml has {}", known.join(", ")),
                ));
            }
        }
    }
    let [sandbox] = sandboxes.as_slice() else {
        return Err(Failure::refused("one experiment can use one sandbox", "put its targets into one account"));
    };
    let (app, findings) = read(files, sandbox);
    let app = app.ok_or_else(|| Failure {
        exit: Exit::Findings,
        what: format!("the sandbox's files cannot be used: {}", findings.count()),
        next: Some("squall check".into()),
    })?;
    let _ = project;
    let world = World::new(&app, opening.seed, opening.start).map_err(|dangling| Failure {
        exit: Exit::Findings,
        what: dangling.to_string(),
        next: Some("squall check".into()),
    })?;
    Ok(Box::new(world))
}
