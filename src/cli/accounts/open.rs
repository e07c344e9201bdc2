//! Opening accounts: one that stands for all accounts of a kind.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::account::sandbox::{Opening, Pace, Sandbox, SandboxError, Weather};
use crate::account::{Account, AccountIdentity, Location};
use crate::cli::project::Project;
use crate::cli::{Exit, Failure, named};
use crate::env::{Env, RealEnv};
use crate::ids::AccountName;
use crate::private;
use crate::project::{AccountSpec, AwsAccount, SandboxAccount};
use crate::spec::load::ProjectFiles;

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
    Opening { pace, seed: env.entropy(), start: env.now(), identity: env.entropy(), weather: Weather::calm() }
}

/// An account, and what its kind means for the command that works with it.
pub struct Opened {
    pub account: Box<dyn Account>,
    /// Where the accounts are that were asked for, by their nicknames.
    pub locations: BTreeMap<AccountName, Location>,
    /// Time passes for real while it waits.
    pub live: bool,
    /// What is changed there has users.
    pub real: bool,
}

/// One account to open: its nickname, and what it is in `squall.yaml`.
enum Wanted<'a> {
    Sandbox { name: &'a AccountName, account: &'a SandboxAccount, aliases: BTreeSet<Location> },
    Aws { name: &'a AccountName, account: Box<AwsAccount>, aliases: BTreeSet<Location> },
}

/// Opens the accounts with these nicknames, which must be of one kind. Nothing is asked of any network yet.
pub fn open(
    files: &ProjectFiles,
    names: &BTreeSet<AccountName>,
    project: &Project,
    opening: &Opening,
) -> Result<Opened, Failure> {
    let mut wanted = Vec::new();
    for name in names {
        wanted.push(match files.project.accounts.get_key_value(name) {
            Some((name, AccountSpec::Sandbox(account))) => Wanted::Sandbox { name, account, aliases: BTreeSet::new() },
            Some((name, AccountSpec::Aws(account))) => {
                Wanted::Aws { name, account: Box::new(account.clone()), aliases: BTreeSet::new() }
            }
            None => return Err(named::no_account(&name.0, files)),
        });
    }
    open_all(files, wanted, project, opening)
}

/// Opens the accounts at these locations, whatever `squall.yaml` calls them now. `named_by` says which accounts the
/// nicknames meant that squall 0.1.0 wrote in place of locations.
///
/// # Errors
/// No account of `squall.yaml` is at one of them. Something may be changed there, so the exit code says that.
pub fn open_at(
    files: &ProjectFiles,
    locations: &BTreeSet<Location>,
    named_by: &NamedBy,
    project: &Project,
    opening: &Opening,
) -> Result<Opened, Failure> {
    let mut wanted: BTreeMap<Location, Wanted<'_>> = BTreeMap::new();
    for location in locations {
        let (at, found) = match &location.account {
            AccountIdentity::Nickname { name } => named_by.find(name, files, project)?,
            AccountIdentity::Sandbox { .. } => (location.clone(), sandbox_at(location, files, project)?),
            AccountIdentity::Aws { .. } => (location.clone(), aws_at(location, files)?),
        };
        let opened = wanted.entry(at).or_insert(found);
        if location.is_nickname() {
            match opened {
                Wanted::Sandbox { aliases, .. } | Wanted::Aws { aliases, .. } => drop(aliases.insert(location.clone())),
            }
        }
    }
    open_all(files, wanted.into_values().collect(), project, opening)
}

/// What the plan of a journal of squall 0.1.0 says of its accounts: it named them by nicknames, and the ARNs of its
/// permissions hold their numbers and regions.
#[derive(Debug, Default)]
pub struct NamedBy {
    /// Number and region of each ARN that names a lock.
    arns: BTreeSet<(String, String)>,
}

impl NamedBy {
    /// From the ARNs of the permissions of a plan.
    pub fn arns<'a>(arns: impl Iterator<Item = &'a str>) -> NamedBy {
        let place = |arn: &str| {
            let mut parts = arn.splitn(6, ':').skip(2);
            let (service, region, id, resource) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            // Other parameters have a region of their own even in a sandbox.
            let names_a_lock = service == "ssm" && resource.starts_with("parameter/squall/marks");
            names_a_lock.then(|| (id.to_owned(), region.to_owned()))
        };
        NamedBy { arns: arns.filter_map(place).collect() }
    }

    /// The account that a nickname meant: of that number and in that region, whatever it is called now.
    fn find<'a>(
        &self,
        nickname: &str,
        files: &'a ProjectFiles,
        project: &Project,
    ) -> Result<(Location, Wanted<'a>), Failure> {
        let accounts = || files.project.accounts.iter();
        let fits =
            |account: &AwsAccount| self.arns.contains(&(account.id.to_string(), account.region.as_str().to_owned()));
        let mut fitting = accounts().filter_map(|(name, spec)| match spec {
            AccountSpec::Aws(account) if fits(account) => Some((name, account)),
            _ => None,
        });
        let of_that_name = fitting.clone().find(|(name, _)| name.0 == nickname);
        // Another nickname is believed only where nothing else can be meant.
        let only = fitting.next().filter(|_| self.arns.len() == 1 && fitting.next().is_none());
        if let Some((name, account)) = of_that_name.or(only) {
            return Ok((
                account.location(),
                Wanted::Aws { name, account: Box::new(account.clone()), aliases: BTreeSet::new() },
            ));
        }
        let was_sandbox = self.arns.is_empty() || self.arns.iter().all(|(_, region)| region == "*");
        let mut sandboxes = accounts().filter_map(|(name, spec)| match spec {
            AccountSpec::Sandbox(account) => Some((name, account)),
            AccountSpec::Aws(_) => None,
        });
        let of_that_name = sandboxes.clone().find(|(name, _)| name.0 == nickname);
        let only = sandboxes.next().filter(|_| sandboxes.next().is_none());
        match of_that_name.or(only).filter(|_| was_sandbox) {
            Some((name, account)) => {
                let id = Sandbox::id_in(&sandbox_file(name, files, project)).unwrap_or_else(|| "new".into());
                Ok((Location::of_sandbox(id), Wanted::Sandbox { name, account, aliases: BTreeSet::new() }))
            }
            None => {
                let ids: Vec<String> = self.arns.iter().map(|(id, region)| format!("{id} in {region}")).collect();
                Err(nowhere(&format!("the account then called {nickname} ({})", ids.join(", "))))
            }
        }
    }
}

fn nowhere(what: &str) -> Failure {
    Failure {
        exit: Exit::Left,
        what: format!("{what} is not in squall.yaml, so nothing was rolled back"),
        next: Some(
            "add that account under `accounts` in squall.yaml, under any name, and run this again; if the account is gone for good: squall \
                    acknowledge RUN --unreachable --reason TEXT"
                .into(),
        ),
    }
}

/// The account of AWS at a location; a region that `squall.yaml` does not name any more is reached as the account's others.
fn aws_at<'a>(location: &Location, files: &'a ProjectFiles) -> Result<Wanted<'a>, Failure> {
    let mut of_account = files.project.accounts.iter().filter_map(|(name, spec)| match spec {
        AccountSpec::Aws(account) if account.location().account == location.account => Some((name, account)),
        _ => None,
    });
    let exact = of_account.clone().find(|(_, account)| account.region == location.region);
    let (name, account) = exact.or_else(|| of_account.next()).ok_or_else(|| nowhere(&format!("account {location}")))?;
    let account = AwsAccount { region: location.region.clone(), ..account.clone() };
    Ok(Wanted::Aws { name, account: Box::new(account), aliases: BTreeSet::new() })
}

/// The sandbox with an id: its file has it.
fn sandbox_at<'a>(location: &Location, files: &'a ProjectFiles, project: &Project) -> Result<Wanted<'a>, Failure> {
    for (name, spec) in &files.project.accounts {
        if let AccountSpec::Sandbox(account) = spec
            && let Some(id) = Sandbox::id_in(&sandbox_file(name, files, project))
            && Location::of_sandbox(id) == *location
        {
            return Ok(Wanted::Sandbox { name, account, aliases: BTreeSet::new() });
        }
    }
    Err(nowhere(&format!("{}, whose file was deleted or belongs to another account,", location.account)))
}

/// The file of a sandbox. The only one of a project, and one called `sandbox`, has the name that it always had.
pub fn sandbox_file(name: &AccountName, files: &ProjectFiles, project: &Project) -> PathBuf {
    let sandboxes = files.project.accounts.values().filter(|account| matches!(account, AccountSpec::Sandbox(_)));
    let own = project.folder().join(format!("sandbox-{}.db", name.0));
    match own.exists() || (sandboxes.count() > 1 && *name != AccountName::sandbox()) {
        true => own,
        false => project.folder().join("sandbox.db"),
    }
}

fn open_all(
    files: &ProjectFiles,
    wanted: Vec<Wanted<'_>>,
    project: &Project,
    opening: &Opening,
) -> Result<Opened, Failure> {
    let (mut sandboxes, mut aws) = (Vec::new(), Vec::new());
    for account in wanted {
        match account {
            Wanted::Sandbox { name, account, aliases } => sandboxes.push((name, account, aliases)),
            Wanted::Aws { name, account, aliases } => aws.push((name, *account, aliases)),
        }
    }
    match (sandboxes.pop(), sandboxes.is_empty(), aws.is_empty()) {
        (Some((name, account, aliases)), true, true) => open_sandbox(files, (name, account), aliases, project, opening),
        (None, _, true) => Err(Failure::refused("no account selected", "select one with --account")),
        (None, _, false) => open_aws(files, aws),
        _ => Err(Failure::refused(
            "one experiment can use one sandbox, or accounts of AWS, not both",
            "use targets of one account only",
        )),
    }
}

#[cfg(feature = "aws")]
fn open_aws(
    files: &ProjectFiles,
    accounts: Vec<(&AccountName, AwsAccount, BTreeSet<Location>)>,
) -> Result<Opened, Failure> {
    use crate::account::Region;
    use crate::account::aws::{AccountConfig, Aws};

    let locations = accounts.iter().map(|(name, account, _)| ((*name).clone(), account.location())).collect();
    let config = |(name, account, aliases): (&AccountName, AwsAccount, BTreeSet<Location>)| {
        let here = account.location();
        let regions = files.project.accounts.values().filter_map(|other| match other {
            AccountSpec::Aws(other) if other.location().account == here.account => Some(other.region.clone()),
            _ => None,
        });
        let other_regions: BTreeSet<Region> = regions.filter(|region| *region != here.region).collect();
        AccountConfig { other_regions, aliases, ..AccountConfig::of(name, &account) }
    };
    let account = Aws::open(accounts.into_iter().map(config).collect(), Arc::new(RealEnv));
    Ok(Opened { account: Box::new(account), locations, live: true, real: true })
}

#[cfg(not(feature = "aws"))]
fn open_aws(
    _: &ProjectFiles,
    accounts: Vec<(&AccountName, AwsAccount, BTreeSet<Location>)>,
) -> Result<Opened, Failure> {
    let names: Vec<&str> = accounts.iter().map(|(name, ..)| name.0.as_str()).collect();
    let what = format!("{} is an AWS account, and this squall was built without the feature `aws`", names.join(", "));
    Err(Failure::refused(what, "build it with its default features"))
}

fn open_sandbox(
    files: &ProjectFiles,
    (name, sandbox): (&AccountName, &SandboxAccount),
    aliases: BTreeSet<Location>,
    project: &Project,
    opening: &Opening,
) -> Result<Opened, Failure> {
    let unusable = |what: String| Failure { exit: Exit::Findings, what, next: Some("squall check".into()) };
    let (app, findings) = super::read(files, sandbox);
    let app = app.ok_or_else(|| unusable(format!("the sandbox's files cannot be used: {}", findings.count())))?;
    // Its file lies beside the journal, and neither is ever written in the other's transaction.
    let (folder, file) = (project.folder(), sandbox_file(name, files, project));
    let cannot = |what: String| Failure::refused(what, "check the folder's permissions and the free space on its disk");
    private::folder(&folder).map_err(|error| cannot(format!("{}: {error}", folder.display())))?;
    private::file(&file).map_err(|error| cannot(format!("{}: {error}", file.display())))?;
    match Sandbox::open(&file, &app, opening.clone(), Arc::new(RealEnv)) {
        Ok(sandbox) => {
            let sandbox = sandbox.with_aliases(aliases);
            let locations = BTreeMap::from([(name.clone(), sandbox.location().clone())]);
            Ok(Opened { account: Box::new(sandbox), locations, live: opening.pace != Pace::Max, real: false })
        }
        Err(SandboxError::App(dangling)) => Err(unusable(dangling.to_string())),
        Err(error) => Err(cannot(format!("{}: {error}", file.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "id: '111122223333', region: eu-west-1";

    /// A project with these accounts of AWS, each by its nickname.
    fn files(accounts: &[(&str, &str)]) -> ProjectFiles {
        let folder = tempfile::tempdir().unwrap();
        let entry = |(name, account): &(&str, &str)| format!("  {name}: {{ aws: {{ {account} }} }}\n");
        let entries: String = accounts.iter().map(entry).collect();
        let first = accounts[0].0;
        let yaml = format!("version: 1\ndefault_account: {first}\naccounts:\n{entries}");
        std::fs::write(folder.path().join("squall.yaml"), yaml).unwrap();
        let (files, findings) = ProjectFiles::open(folder.path());
        files.unwrap_or_else(|| panic!("{}", findings.count()))
    }

    fn location(account: &str) -> Location {
        match &files(&[("x", account)]).project.accounts[&AccountName("x".into())] {
            AccountSpec::Aws(account) => account.location(),
            AccountSpec::Sandbox(_) => panic!("no account of AWS"),
        }
    }

    fn found(location: &Location, accounts: &[(&str, &str)]) -> Result<(String, Location), Failure> {
        match aws_at(location, &files(accounts))? {
            Wanted::Aws { name, account, .. } => Ok((name.0.clone(), account.location())),
            Wanted::Sandbox { .. } => panic!("a sandbox"),
        }
    }

    #[test]
    fn an_account_is_found_by_its_identity_under_whatever_nickname() {
        let here = location(HERE);
        let other = "id: '444455556666', region: eu-west-1";
        assert_eq!(found(&here, &[("telemetry", other), ("renamed", HERE)]).unwrap(), ("renamed".into(), here.clone()));
        // The nickname alone says nothing: neither with another id, nor with another endpoint.
        for another in [other, "id: '111122223333', region: eu-west-1, endpoint_url: 'http://localhost:4566'"] {
            let failure = found(&here, &[("telemetry", another)]).unwrap_err();
            assert_eq!(failure.exit, Exit::Left);
            assert!(failure.what.contains("111122223333 in eu-west-1 is not in squall.yaml"), "{}", failure.what);
        }
        // A region that is not named any more is one of the same account.
        let moved = "id: '111122223333', region: us-west-2";
        assert_eq!(found(&here, &[("moved", moved)]).unwrap(), ("moved".into(), here.clone()));
        let china = "id: '111122223333', region: cn-north-1";
        assert!(found(&here, &[("china", china)]).is_err(), "another partition is another account");
    }

    #[test]
    fn a_nickname_of_the_first_version_means_the_account_that_the_arns_name() {
        let project = Project { root: PathBuf::from(".") };
        let named = |accounts: &[(&str, &str)], arns: &[&str]| {
            let files = files(accounts);
            let found = NamedBy::arns(arns.iter().copied()).find("staging", &files, &project);
            found.map(|(location, _)| location).map_err(|failure| (failure.exit, failure.what))
        };
        let arn = "arn:aws:ssm:eu-west-1:111122223333:parameter/squall/marks*";
        let other = "id: '444455556666', region: eu-west-1";
        assert_eq!(named(&[("staging", HERE)], &[arn, "*"]), Ok(location(HERE)));
        assert_eq!(named(&[("staging", other), ("renamed", HERE)], &[arn]), Ok(location(HERE)));
        let (exit, what) = named(&[("staging", other)], &[arn]).unwrap_err();
        assert_eq!(exit, Exit::Left);
        assert!(what.contains("called staging (111122223333 in eu-west-1)"), "{what}");
        // Of several accounts in one run only the one with the old nickname can be told.
        let second = "arn:aws:ssm:eu-west-1:444455556666:parameter/squall/marks*";
        assert_eq!(named(&[("staging", HERE), ("other", other)], &[arn, second]), Ok(location(HERE)));
        assert!(named(&[("renamed", HERE), ("other", other)], &[arn, second]).is_err());
    }
}
