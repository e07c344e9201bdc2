//! Guards: what a plan may not do, wherever it is planned. They are on unless a file says otherwise.
//!
//! Invariant: a guard can refuse and nothing else; each refusal names the next step.

mod reach;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::account::target::SelectBy;
use crate::account::{Identity, Lasts, Location, Permitted, Resource, ResourceKind, Selector};
use crate::clock::OFF_ACCOUNT;
use crate::faults::{Refusal, listed};
use crate::graph::Graph;
use crate::ids::AccountName;
use crate::plan::{Permission, Plan, Purpose};
use crate::project::{AccountSpec, AwsAccount, DeadMan, Project, ProjectGuards, Writing};
use crate::spec::experiment::{Experiment, Guards};
use crate::units::{Share, Span};
use crate::yaml::{Loaded, TargetName};

/// The tag with which a resource says that no experiment may touch it: `squall=never`.
pub const OPT_OUT: (&str, &str) = ("squall", "never");

/// What the project and the person who starts the run allow.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    pub accounts: BTreeMap<Location, AccountRules>,
    /// Production accounts that this run was opened for by name.
    pub opened: BTreeSet<AccountName>,
    /// Said for this run: it may go without a dead-man switch.
    pub without_dead_man: bool,
    /// Said for this run: what its rollback needs may be permitted or not.
    pub undo_untested: bool,
    /// Who halted everything, if it is halted.
    pub halted: Option<String>,
    /// What no experiment of the project may reach.
    pub limits: ProjectGuards,
    /// The application as the project models it; without it no limit of the blast radius can be kept.
    pub graph: Option<Graph>,
}

/// An account of `squall.yaml`: what it is called there, and what it allows.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountRules {
    pub name: AccountName,
    pub spec: AccountSpec,
}

impl Rules {
    /// What a project allows by itself. Of its accounts, those count of which the location is known.
    pub fn of(project: &Project, locations: &BTreeMap<AccountName, Location>) -> Rules {
        let account = |(name, location): (&AccountName, &Location)| {
            let spec = project.accounts.get(name)?.clone();
            Some((location.clone(), AccountRules { name: name.clone(), spec }))
        };
        Rules {
            accounts: locations.iter().filter_map(account).collect(),
            opened: BTreeSet::new(),
            without_dead_man: false,
            undo_untested: false,
            halted: None,
            limits: project.guards.clone(),
            graph: None,
        }
    }

    /// What a project allows in a [`World`](crate::account::sandbox::World) that stands for its account, of whatever kind
    /// that is in `squall.yaml`.
    pub fn in_model(project: &Project) -> Rules {
        Rules::of(project, &project.accounts.keys().map(|name| (name.clone(), Location::sandbox())).collect())
    }

    /// The account that a location belongs to. What is global belongs to the first region of its account.
    pub fn account(&self, location: &Location) -> Option<&AccountRules> {
        let exact = self.accounts.get(location);
        let global = || {
            let of_account = self.accounts.iter().find(|(known, _)| known.account == location.account);
            of_account.filter(|(known, _)| known.global() == *location).map(|(_, rules)| rules)
        };
        exact.or_else(global)
    }

    /// Whether what does not end by itself needs a dead-man switch at this location.
    pub fn needs_switch(&self, location: &Location) -> bool {
        let asked = match self.account(location).map(|rules| &rules.spec) {
            Some(AccountSpec::Aws(account)) => account.dead_man,
            Some(AccountSpec::Sandbox(sandbox)) => sandbox.dead_man,
            None => DeadMan::MayGoWithout,
        };
        asked == DeadMan::Required && !self.without_dead_man
    }

    /// Whether a dead-man switch may read the variables of functions there.
    pub fn switch_may_read_variables(&self, location: &Location) -> bool {
        match self.account(location).map(|rules| &rules.spec) {
            Some(AccountSpec::Aws(account)) => account.dead_man_may_read_variables,
            Some(AccountSpec::Sandbox(_)) => true,
            None => false,
        }
    }

    /// Where the account with this nickname is.
    pub fn location(&self, name: &AccountName) -> Option<&Location> {
        self.accounts.iter().find(|(_, rules)| rules.name == *name).map(|(location, _)| location)
    }

    /// What `squall.yaml` calls a location; one that it does not have is said in full.
    pub fn nickname(&self, location: &Location) -> String {
        self.account(location).map_or_else(|| location.to_string(), |rules| rules.name.to_string())
    }
}

/// Why there is no plan, or why it may not be run: at which place of the experiment's file, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Objection {
    /// Keys and indexes from the file's root, `faults/0/inject`; see [`Loaded::place`].
    pub path: String,
    pub refusal: Refusal,
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path, self.refusal.what, self.refusal.remedy)
    }
}

impl Objection {
    /// Where in the experiment's file it stands: `experiments/x.yaml:12:5`.
    pub fn place(&self, experiment: &Loaded<Experiment>) -> String {
        let source = &experiment.source;
        let position = source.position(experiment.place(&self.path).start);
        format!("{}:{}:{}", source.file, position.line, position.column)
    }
}

/// What was seen of the accounts.
pub struct Facts<'a> {
    pub identities: &'a BTreeMap<Location, Identity>,
    /// For each target that was found by a tag or a stack: how many are taken, and how many were found.
    pub picked: Vec<Picked>,
    /// For each target: everything that it finds.
    pub found: BTreeMap<TargetName, Vec<Resource>>,
    /// Accounts in which an operator stopped every experiment, and what says so.
    pub halted: BTreeMap<Location, String>,
    /// Resources of the plan that carry [`OPT_OUT`].
    pub opted_out: Vec<Resource>,
    /// Resources with a change that stays if this machine dies, which no dead-man switch rolls back, and why not.
    pub unguarded: BTreeMap<Resource, String>,
    /// Whether what the faults and their rollback need is permitted.
    pub permitted: Vec<(Permission, Permitted)>,
}

/// How many resources a target takes of those that it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    pub target: String,
    pub taken: usize,
    pub found: usize,
}

/// The selector of everything of a kind that opted out.
pub fn opt_out(kind: ResourceKind) -> Selector {
    let (key, value) = OPT_OUT;
    Selector { kind, by: SelectBy::Tag { key: key.into(), value: value.into() } }
}

/// Everything that stands against a plan.
pub fn check(plan: &Plan, limits: &Guards, rules: &Rules, facts: &Facts<'_>) -> Vec<Objection> {
    let mut objections = Vec::new();
    let mut object = |path: &str, refusal: Refusal| objections.push(Objection { path: path.to_owned(), refusal });
    if let Some(by) = &rules.halted {
        object(
            "",
            Refusal::new(format!("everything is halted by {by}"), "when the reason is gone: squall halt --lift"),
        );
    }
    for (location, why) in &facts.halted {
        let what = format!("experiments are stopped in {}: {why}", rules.nickname(location));
        object("account", Refusal::new(what, "ask the account's operator; a live run would stop as well"));
    }
    if !facts.opted_out.is_empty() {
        let (key, value) = OPT_OUT;
        object(
            "targets",
            Refusal::new(
                format!(
                    "{} has the tag {key}={value}, or is hit through a resource that has it",
                    listed(&facts.opted_out)
                ),
                "choose another target; its owner has excluded it with this tag",
            ),
        );
    }
    if let Some(refusal) = too_many_hits(plan, limits.hits_at_most) {
        object("guards/hits_at_most", refusal);
    }
    for picked in &facts.picked {
        if let Some(refusal) = too_large_a_share(picked, limits.share_at_most) {
            object(&format!("targets/{}", picked.target), refusal);
        }
    }
    for (path, refusal) in reach::check(plan, limits, rules, &facts.found) {
        object(&path, refusal);
    }
    for refusal in not_permitted(&facts.permitted, rules) {
        object("account", refusal);
    }
    for location in &plan.accounts {
        for refusal in check_account(location, plan, rules, facts) {
            object("account", refusal);
        }
    }
    objections
}

/// The rollback must be permitted before the injection.
fn not_permitted(permitted: &[(Permission, Permitted)], rules: &Rules) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let of = |permission: &Permission| format!("{} on {}", permission.action, permission.resource);
    let refused = permitted.iter().filter_map(|(permission, permitted)| match permitted {
        Permitted::No(why) => Some((of(permission), why)),
        _ => None,
    });
    let refused: BTreeMap<String, &String> = refused.collect();
    if let Some(why) = refused.values().next() {
        refusals.push(Refusal::new(
            format!("squall lacks permissions that the run and its rollback need: {} ({why})", listed(refused.keys())),
            "attach the policy that `squall policy` prints",
        ));
    }
    let untold = permitted.iter().filter_map(|(permission, permitted)| match permitted {
        Permitted::CannotTell(why) if permission.purpose == Purpose::Rollback => Some((of(permission), why)),
        _ => None,
    });
    let untold: BTreeMap<String, &String> = untold.collect();
    if !rules.undo_untested
        && let Some(why) = untold.values().next()
    {
        refusals.push(Refusal::new(
            format!("whether the rollback is permitted could not be determined: {} ({why})", listed(untold.keys())),
            "allow squall iam:SimulatePrincipalPolicy, or check with `squall doctor` and then add --undo-untested",
        ));
    }
    refusals
}

/// The credentials must outlive the worst case of the rollback.
fn too_short_lived(location: &Location, plan: &Plan, rules: &Rules, facts: &Facts<'_>) -> Option<Refusal> {
    let (name, needed) = (rules.nickname(location), plan.latest_end());
    match facts.identities.get(location)?.lasts {
        Lasts::CannotTellAfter(end) if end < needed && !rules.undo_untested => Some(Refusal::new(
            format!(
                "the credentials for {name} are valid until {end}; whether they are renewed then could not be \
                 determined, and the rollback may need them until {needed}"
            ),
            "sign in again or get new ones, set a shorter `longest` under `guards`, or add --undo-untested",
        )),
        Lasts::CannotTell if !rules.undo_untested => Some(Refusal::new(
            format!(
                "how long the credentials for {name} last could not be determined, and the rollback may need them \
                 until {needed}"
            ),
            "use a profile or a role, whose credentials are renewed, or set AWS_CREDENTIAL_EXPIRATION; or add \
             --undo-untested",
        )),
        Lasts::Until(end) if end < needed => Some(Refusal::new(
            format!("the credentials for {name} expire at {end}, and the rollback may need them until {needed}"),
            "get new credentials, use ones that are renewed, or set a shorter `longest` under `guards`",
        )),
        _ => None,
    }
}

/// The clocks of this machine and of the account must agree.
fn clock_off(location: &Location, rules: &Rules, facts: &Facts<'_>) -> Option<Refusal> {
    let by_secs = facts.identities.get(location)?.clock_is_off?;
    (Span::from_secs(by_secs.abs()) > OFF_ACCOUNT).then(|| {
        let side = if by_secs > 0 { "ahead of" } else { "behind" };
        let (name, by_secs) = (rules.nickname(location), by_secs.abs());
        Refusal::new(
            format!("the clock of this machine is {by_secs} s {side} that of {name}, and {OFF_ACCOUNT} are tolerated"),
            "synchronise this machine's clock by NTP; deadlines and windows follow the account's clock",
        )
    })
}

fn too_many_hits(plan: &Plan, at_most: u32) -> Option<Refusal> {
    let hits = plan.hits();
    (hits.len() > at_most as usize).then(|| {
        Refusal::new(
            format!("the faults hit {} resources, and {at_most} are allowed: {}", hits.len(), listed(&hits)),
            format!("choose fewer targets, or set `hits_at_most: {}` under `guards`", hits.len()),
        )
    })
}

/// One of one or two is no share to speak of.
fn too_large_a_share(picked: &Picked, at_most: Share) -> Option<Refusal> {
    let share = picked.taken as f64 / picked.found.max(1) as f64;
    (picked.found > 2 && share > at_most.get() + 1e-9).then(|| {
        Refusal::new(
            format!(
                "target {} selects {} of the {} it finds, and {at_most} of them are allowed",
                picked.target, picked.taken, picked.found
            ),
            "select fewer, or raise `share_at_most` under `guards`",
        )
    })
}

fn check_account(location: &Location, plan: &Plan, rules: &Rules, facts: &Facts<'_>) -> Vec<Refusal> {
    match rules.account(location) {
        // Nothing in it is real, and its state is the project's own.
        Some(AccountRules { spec: AccountSpec::Sandbox(_), .. }) => Vec::new(),
        Some(AccountRules { spec: AccountSpec::Aws(account), name }) => {
            check_aws(location, name, account, plan, rules, facts)
        }
        None => vec![Refusal::new(
            format!("{location} is not an account in squall.yaml"),
            format!("add it under `accounts`, or write one of {}", listed(rules.accounts.values().map(|r| &r.name))),
        )],
    }
}

fn check_aws(
    location: &Location,
    name: &AccountName,
    account: &AwsAccount,
    plan: &Plan,
    rules: &Rules,
    facts: &Facts<'_>,
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let found = facts.identities.get(location).map(|identity| identity.account_id.as_str());
    if let Some(found) = found
        && found != account.id.as_str()
    {
        refusals.push(Refusal::new(
            format!("the credentials for {name} belong to account {found}, but squall.yaml says {}", account.id),
            "use the profile or role of that account; only accounts whose id is in squall.yaml are allowed",
        ));
    }
    if account.writing == Writing::Refused {
        refusals.push(Refusal::new(
            format!("account {name} allows planning only"),
            format!("to allow runs, set `writing: allowed` for {name} in squall.yaml"),
        ));
    }
    if account.production && !rules.opened.contains(name) {
        refusals.push(Refusal::new(
            format!("{name} is a production account, and the run was not allowed for it"),
            format!("allow it by name: --open-production {name}"),
        ));
    }
    if plan.longest > account.longest {
        refusals.push(Refusal::new(
            format!("the run may take {}; account {name} allows {}", plan.longest, account.longest),
            format!("set `longest: {}` or less under `guards`", account.longest),
        ));
    }
    refusals.extend(without_dead_man(location, name, plan, rules, facts));
    refusals.extend(too_short_lived(location, plan, rules, facts));
    refusals.extend(clock_off(location, rules, facts));
    refusals
}

/// What does not end by itself needs a switch that ends it when this machine cannot.
fn without_dead_man(
    location: &Location,
    name: &AccountName,
    plan: &Plan,
    rules: &Rules,
    facts: &Facts<'_>,
) -> Option<Refusal> {
    if !rules.needs_switch(location) {
        return None;
    }
    let here = |resource: &Resource| resource.location.account == location.account;
    let unguarded = plan.stays_alone().filter(|(_, change)| here(change.setting.resource()));
    let unguarded = unguarded.filter_map(|(_, change)| Some((change, facts.unguarded.get(change.setting.resource())?)));
    let (mut stays, mut whys) = (Vec::new(), BTreeSet::new());
    for (change, why) in unguarded {
        stays.push(change.setting.describe());
        whys.insert(why.as_str());
    }
    (!stays.is_empty()).then(|| {
        Refusal::new(
            format!(
                "if this machine dies, the {} stays changed in account {name}: it does not expire by itself, and {}",
                listed(stays),
                listed(whys)
            ),
            format!(
                "deploy the switch that `squall dead-man template EXPERIMENT --account {name}` prints; or allow the \
                 run without one: --without-dead-man, or `dead_man: none` for {name} in squall.yaml"
            ),
        )
    })
}

#[cfg(test)]
mod tests;
