//! Opening accounts: one that stands for all accounts of a kind.

use std::collections::BTreeSet;

use crate::account::sandbox::World;
use crate::account::{Account, AccountName};
use crate::cli::project::Project;
use crate::cli::{Exit, Failure};
use crate::env::Env;
use crate::spec::load::ProjectFiles;
use crate::spec::project::{AccountSpec, AwsAccount, SandboxAccount};
use crate::units::Time;

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

/// How a sandbox is opened.
#[derive(Clone, Debug)]
pub struct Opening {
    pub pace: Pace,
    /// For one that is new.
    pub seed: u64,
    pub start: Time,
}

impl Opening {
    /// With chance and clock of the outside world, should it be new.
    pub fn at_pace(pace: Pace, env: &dyn Env) -> Opening {
        Opening { pace, seed: env.entropy(), start: env.now() }
    }
}

/// An account, and what its kind means for whoever works with it.
pub struct Opened {
    pub account: Box<dyn Account>,
    /// Time passes for real while it waits.
    pub live: bool,
    /// Somebody may feel what is changed there.
    pub real: bool,
}

/// Opens the accounts of these names, which must be of one kind. Nothing is asked of any network yet.
pub fn open(
    files: &ProjectFiles,
    names: &BTreeSet<AccountName>,
    project: &Project,
    opening: &Opening,
) -> Result<Opened, Failure> {
    let mut sandboxes = Vec::new();
    let mut aws = Vec::new();
    for name in names {
        match files.project.accounts.get(name) {
            Some(AccountSpec::Sandbox(sandbox)) => sandboxes.push(sandbox),
            Some(AccountSpec::Aws(account)) => aws.push((name, account)),
            None => return Err(unknown(name, files)),
        }
    }
    match (sandboxes.as_slice(), aws.as_slice()) {
        ([sandbox], []) => open_sandbox(files, sandbox, project, opening),
        ([], []) => Err(Failure::refused("no account is meant", "name one with --account")),
        ([], accounts) => open_aws(accounts),
        _ => Err(Failure::refused(
            "one experiment can use one sandbox, or accounts of AWS, not both",
            "put its targets into one account",
        )),
    }
}

fn unknown(name: &AccountName, files: &ProjectFiles) -> Failure {
    let known: Vec<&str> = files.project.accounts.keys().map(|name| name.0.as_str()).collect();
    Failure::usage(format!("there is no account {name}"), format!("squall.yaml has {}", known.join(", ")))
}

#[cfg(feature = "aws")]
fn open_aws(accounts: &[(&AccountName, &AwsAccount)]) -> Result<Opened, Failure> {
    use crate::account::aws::{AccountConfig, Aws};

    let configs = accounts.iter().map(|(name, account)| AccountConfig::of(name, account)).collect();
    let account = Aws::open(configs, std::sync::Arc::new(crate::env::RealEnv));
    Ok(Opened { account: Box::new(account), live: true, real: true })
}

#[cfg(not(feature = "aws"))]
fn open_aws(accounts: &[(&AccountName, &AwsAccount)]) -> Result<Opened, Failure> {
    let names: Vec<&str> = accounts.iter().map(|(name, _)| name.0.as_str()).collect();
    let what = format!("{} is of AWS, and this squall was built without the feature `aws`", names.join(", "));
    Err(Failure::refused(what, "build it with its default features"))
}

fn open_sandbox(
    files: &ProjectFiles,
    sandbox: &SandboxAccount,
    project: &Project,
    opening: &Opening,
) -> Result<Opened, Failure> {
    let unusable = |what: String| Failure { exit: Exit::Findings, what, next: Some("squall check".into()) };
    let (app, findings) = super::read(files, sandbox);
    let app = app.ok_or_else(|| unusable(format!("the sandbox's files cannot be used: {}", findings.count())))?;
    let _ = project;
    let world = World::new(&app, opening.seed, opening.start).map_err(|dangling| unusable(dangling.to_string()))?;
    Ok(Opened { account: Box::new(world), live: opening.pace != Pace::Max, real: false })
}
