//! Opening accounts: one that stands for all accounts of a kind.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::account::sandbox::{Opening, Pace, Sandbox, SandboxError, Weather};
use crate::account::{Account, AccountName};
use crate::cli::project::Project;
use crate::cli::{Exit, Failure};
use crate::env::{Env, RealEnv};
use crate::project::{AccountSpec, AwsAccount, SandboxAccount};
use crate::spec::load::ProjectFiles;

/// The sandbox's file in a project's folder.
pub const SANDBOX: &str = "sandbox.db";

/// Reads `60x`, `1x` or `max`, for the command line.
pub fn pace(text: &str) -> Result<Pace, String> {
    let times = |text: &str| text.parse::<f64>().ok().filter(|times| times.is_finite() && *times > 0.0);
    match text {
        "max" => Ok(Pace::Max),
        text => times(text.trim_end_matches('x')).map(Pace::Times).ok_or_else(|| "write `60x`, `1x` or `max`".into()),
    }
}

/// How a sandbox is opened, with chance and clock of the outside world should it be new.
pub fn opening(pace: Pace, env: &dyn Env) -> Opening {
    Opening { pace, seed: env.entropy(), start: env.now(), weather: Weather::calm() }
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
    let account = Aws::open(configs, Arc::new(RealEnv));
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
    // Its file lies beside the journal, and neither is ever written in the other's transaction.
    let folder = project.folder();
    let cannot = |what: String| Failure::refused(what, "look at the rights of the folder, and at the room on its disk");
    std::fs::create_dir_all(&folder).map_err(|error| cannot(format!("{}: {error}", folder.display())))?;
    let file = folder.join(SANDBOX);
    match Sandbox::open(&file, &app, opening.clone(), Arc::new(RealEnv)) {
        Ok(sandbox) => Ok(Opened { account: Box::new(sandbox), live: opening.pace != Pace::Max, real: false }),
        Err(SandboxError::App(dangling)) => Err(unusable(dangling.to_string())),
        Err(error) => Err(cannot(format!("{}: {error}", file.display()))),
    }
}
