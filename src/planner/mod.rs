//! From an experiment to a plan: look at the account, ask the faults, and write everything down.
//!
//! Invariant: nothing is changed here. What is wrong is collected, not stopped at, so that one try shows all of it.

mod alarms;
mod arns;
pub mod fingerprint;
mod foresight;
mod permissions;
mod settling;
pub mod show;
mod signals;
mod steps;
pub mod survey;
mod switches;
mod target;
mod timeline;

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::account::{Account, Location, Observed, Permitted, Resource, Setting, Value};
use crate::faults::{Refusal, listed};
use crate::guard::Objection;
use crate::guard::{self, Rules};
use crate::ids::AccountName;
use crate::ids::RunId;
use crate::judge::weighing::Alpha;
use crate::plan::{Change, ChangeId, Permission, Plan, Purpose};
use crate::run::lock::{LOCK_LIMIT, Lock, signed, to_sign, write_locks};
use crate::spec::experiment::Experiment;
use crate::spec::load::ExperimentFiles;
use crate::units::Time;
use crate::yaml::TargetName;
use survey::Survey;
use target::Picked;

/// What a plan is made from, the account apart.
pub struct Request<'a> {
    /// The experiment, and the hypotheses that it names.
    pub files: &'a ExperimentFiles,
    pub run: RunId,
    pub seed: u64,
    /// Who plans, and where: `ana@laptop`.
    pub by: &'a str,
    /// What the project allows.
    pub rules: &'a Rules,
}

/// Everything that is known while a plan is made.
struct Draft<'a, 'b> {
    request: &'a Request<'a>,
    survey: Survey<'b>,
    targets: BTreeMap<TargetName, Picked>,
    plan: Plan,
    /// The fault of the file that each step came from.
    origin: Vec<usize>,
    /// What stands against a plan.
    objections: Vec<Objection>,
    /// What stands against running it.
    refused: Vec<Objection>,
}

/// A plan, and what stands against running it now.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    pub plan: Plan,
    /// Guards that refuse it, and resources that another run has. A plan can be shown all the same.
    pub refused: Vec<Objection>,
}

impl Planned {
    /// The plan, if it may be run.
    ///
    /// # Errors
    /// What stands against running it.
    pub fn runnable(self) -> Result<Plan, Vec<Objection>> {
        match self.refused.is_empty() {
            true => Ok(self.plan),
            false => Err(self.refused),
        }
    }
}

/// Plans an experiment. The account is only looked at.
///
/// # Errors
/// There is no plan: everything that is wrong with the experiment in this account, each with a next step.
pub fn plan(request: &Request<'_>, account: &mut dyn Account) -> Result<Planned, Vec<Objection>> {
    let mut draft = Draft::new(request, account);
    draft.look_at_accounts();
    // An account that does not answer would refuse every look in the same words.
    if draft.objections.is_empty() {
        draft.pick_targets();
    }
    // Faults cannot be asked about targets that are not there.
    if draft.objections.is_empty() {
        draft.plan_signals();
        draft.plan_load();
        draft.plan_steps();
        draft.refuse_absent_arns();
        draft.plan_settling();
        draft.warn_of_alarms();
    }
    if draft.objections.is_empty() {
        draft.finish();
    }
    match draft.objections.is_empty() {
        true => Ok(Planned { plan: draft.plan, refused: draft.refused }),
        false => Err(draft.objections),
    }
}

/// Whether everything that a plan needs is permitted. With `prove`, values that are there already may be written.
///
/// # Errors
/// The account did not answer.
pub fn permitted(plan: &Plan, account: &mut dyn Account, prove: bool) -> Result<Vec<(Permission, Permitted)>, Refusal> {
    let mut survey = Survey::of(account);
    plan.accounts.iter().try_for_each(|account| survey.identify(account))?;
    survey.permitted(&plan.accounts, &plan.permissions, prove)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl<'a, 'b> Draft<'a, 'b> {
    fn new(request: &'a Request<'a>, account: &'b mut dyn Account) -> Draft<'a, 'b> {
        let files = request.files;
        let (experiment, source) = (&files.experiment.value, &files.experiment.source);
        let survey = Survey::of(account);
        let names = experiment.targets.values().filter_map(|target| target.account.as_ref()).chain([&files.account]);
        let accounts: BTreeSet<Location> = names.filter_map(|name| request.rules.location(name)).cloned().collect();
        let plan = Plan {
            run: request.run.clone(),
            rolls_back: None,
            title: experiment.title.clone(),
            because: experiment.because.clone(),
            file: source.file.clone(),
            file_hash: hex(&Sha256::digest(source.text.as_bytes())),
            inputs: files.inputs.clone(),
            accounts: accounts.into_iter().collect(),
            made_at: survey.now(),
            seed: request.seed,
            baseline: experiment.baseline,
            baseline_at_most: experiment.baseline_at_most(),
            recovers_within: experiment.recovers_within,
            alpha: Alpha::new(experiment.alpha.get()).unwrap_or(Alpha::USUAL),
            longest: experiment.guards.longest,
            changes: BTreeMap::new(),
            steps: Vec::new(),
            signals: Vec::new(),
            stops: Vec::new(),
            load: Vec::new(),
            watches: Vec::new(),
            switches: Vec::new(),
            permissions: Vec::new(),
            warnings: Vec::new(),
        };
        let (targets, origin) = (BTreeMap::new(), Vec::new());
        Draft { request, survey, targets, plan, origin, objections: Vec::new(), refused: Vec::new() }
    }

    fn experiment(&self) -> &'a Experiment {
        &self.request.files.experiment.value
    }

    fn object(&mut self, path: impl Into<String>, refusal: Refusal) {
        self.objections.push(Objection { path: path.into(), refusal });
    }

    fn look_at_accounts(&mut self) {
        let targets = self.experiment().targets.values().filter_map(|target| target.account.as_ref());
        let names: BTreeSet<&AccountName> = targets.chain([&self.request.files.account]).collect();
        for name in names {
            if let Err(refusal) = self.location(name) {
                self.object("account", refusal);
            }
        }
        for account in self.plan.accounts.clone() {
            if let Err(refusal) = self.survey.identify(&account) {
                self.object("account", refusal);
            }
        }
        // An account with a clock of its own has told it only now.
        if self.survey.identities.values().any(|identity| identity.clock_is_off.is_some()) {
            self.plan.made_at = self.survey.now();
        }
    }

    /// Where the account of a nickname is.
    fn location(&self, name: &AccountName) -> Result<Location, Refusal> {
        let rules = self.request.rules;
        rules.location(name).cloned().ok_or_else(|| {
            let known = listed(rules.accounts.values().map(|account| &account.name));
            Refusal::new(format!("there is no account {name} in squall.yaml"), format!("write one of {known}"))
        })
    }

    fn pick_targets(&mut self) {
        for (name, wanted) in &self.experiment().targets {
            let account = wanted.account.as_ref().unwrap_or(&self.request.files.account);
            let picked = self.location(account).and_then(|location| {
                target::pick(name, wanted, (account, &location), self.request.seed, &mut self.survey)
            });
            let described = picked.and_then(|picked| {
                picked.taken.iter().try_for_each(|resource| self.survey.describe(resource))?;
                Ok(picked)
            });
            match described {
                Ok(picked) => drop(self.targets.insert(name.clone(), picked)),
                Err(refusal) => self.object(format!("targets/{name}"), refusal),
            }
        }
    }

    /// When the faults go in at the earliest: what is counted from there may be late, and never early.
    fn faults_from(&self) -> Time {
        self.plan.made_at + self.plan.baseline_within()
    }

    /// What must hold for the whole: locks, times, guards; then permissions and warnings.
    fn finish(&mut self) {
        self.refuse_locked();
        self.refuse_touched_controls();
        self.objections.extend(timeline::overlaps(&self.plan, &self.origin));
        self.objections.extend(timeline::fits(&self.plan));
        self.plan.warnings.extend(timeline::baseline(&self.plan));
        write_locks(&mut self.plan, self.request.by);
        self.sign_locks();
        self.objections.extend(unwritable_locks(&self.plan));
        let unguarded = self.plan_switches();
        // Looking for opt-outs takes permissions of its own, so it comes before they are counted.
        let (opted_out, picked, halted) = (self.opted_out(), self.picked(), self.halted());
        self.plan.permissions = permissions::of(&self.plan, &self.survey, self.request.rules);
        let permitted = self.permitted();
        self.foresee_evidence();
        self.warn_of_unsearchable_logs();
        let found = self.targets.iter().map(|(name, picked)| (name.clone(), picked.found.clone())).collect();
        let facts = guard::Facts {
            identities: &self.survey.identities,
            picked,
            found,
            halted,
            opted_out,
            permitted,
            unguarded,
        };
        self.refused.extend(guard::check(&self.plan, &self.experiment().guards, self.request.rules, &facts));
        self.plan.watches = self.watches();
        let mut warnings = show::stays(&self.plan);
        warnings.append(&mut self.plan.warnings);
        warnings.extend(timeline::warnings(&self.plan));
        self.plan.warnings = warnings;
    }

    /// Signs the locks in accounts that have a key for it.
    fn sign_locks(&mut self) {
        let rules = self.request.rules;
        let changes = std::mem::take(&mut self.plan.changes);
        let sign = |(id, mut change): (ChangeId, Change)| {
            let location = change.setting.location();
            let key = rules.account(location).and_then(|rules| rules.spec.mark_key());
            if let (Setting::Lock { resource }, Value::Text(text), Some(key)) = (&change.setting, &change.after, key) {
                let mac = to_sign(text).ok_or_else(|| "it cannot be read".to_owned());
                let mac = mac.and_then(|content| self.survey.sign(location, key, content));
                match mac.map(|mac| signed(text, mac)) {
                    Ok(text) => change.after = text.map_or(Value::Unset, Value::Text),
                    Err(why) => {
                        let refusal = Refusal::new(
                            format!("the lock on {resource} cannot be signed: {why}"),
                            "see whether squall may use the key: squall doctor; or take `mark_key` out of squall.yaml",
                        );
                        self.objections.push(Objection { path: "account".into(), refusal });
                    }
                }
            }
            (id, change)
        };
        self.plan.changes = changes.into_iter().map(sign).collect();
    }

    /// A resource that another run has is left to it.
    fn refuse_locked(&mut self) {
        for resource in self.plan.changed_resources() {
            match self.survey.read(&Setting::Lock { resource: resource.clone() }) {
                Ok(Observed { value: Value::Unset, .. }) => {}
                Ok(Observed { value, .. }) => {
                    let refusal = locked(&resource, &value.to_string(), self.request.rules);
                    self.refused.push(Objection { path: "faults".into(), refusal });
                }
                Err(refusal) => self.object("faults", refusal),
            }
        }
    }

    /// The accounts in which an operator stopped every experiment.
    fn halted(&mut self) -> BTreeMap<Location, String> {
        let mut halted = BTreeMap::new();
        for account in self.plan.accounts.clone().into_iter().filter(Location::may_be_halted) {
            match self.survey.halted(&account) {
                Ok(why) => halted.extend(why.map(|why| (account, why))),
                Err(why) => self.plan.warnings.push(format!(
                    "whether an operator of {} has stopped experiments cannot be read, so it does not stop this run: \
                     {why}",
                    self.request.rules.nickname(&account)
                )),
            }
        }
        halted
    }

    /// Everything that feels a fault or is changed, and says that it never may be.
    fn opted_out(&mut self) -> Vec<Resource> {
        let touched: BTreeSet<Resource> = self.plan.changed_resources().into_iter().chain(self.plan.hits()).collect();
        let places: BTreeSet<_> = touched.iter().map(|resource| (resource.location.clone(), resource.kind)).collect();
        let mut opted_out = Vec::new();
        for (account, kind) in places {
            match self.survey.resolve(&account, &guard::opt_out(kind)) {
                Ok(resources) => opted_out.extend(resources.into_iter().filter(|resource| touched.contains(resource))),
                Err(refusal) => self.object("targets", refusal),
            }
        }
        opted_out
    }

    /// Whether what the faults and their rollback need is permitted.
    fn permitted(&mut self) -> Vec<(Permission, Permitted)> {
        let faults = |permission: &&Permission| matches!(permission.purpose, Purpose::Inject | Purpose::Rollback);
        let needed: Vec<Permission> = self.plan.permissions.iter().filter(faults).cloned().collect();
        match self.survey.permitted(&self.plan.accounts, &needed, false) {
            Ok(permitted) => permitted,
            Err(refusal) => {
                self.object("account", refusal);
                Vec::new()
            }
        }
    }

    /// How much each target takes of what it found; one that names its resource takes no share of anything.
    fn picked(&self) -> Vec<guard::Picked> {
        let several = self.targets.iter().filter(|(_, picked)| !picked.by_name);
        several
            .map(|(name, picked)| guard::Picked {
                target: name.to_string(),
                taken: picked.taken.len(),
                found: picked.found.len(),
            })
            .collect()
    }

    fn watches(&self) -> Vec<Resource> {
        let signals = self.plan.signals.iter().map(|signal| &signal.query.resource);
        let stops = self.plan.stops.iter().map(|stop| &stop.query.resource);
        let watched: BTreeSet<Resource> = signals.chain(stops).cloned().collect();
        watched.into_iter().chain(self.plan.changed_resources()).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Names the run that has a resource.
fn locked(resource: &Resource, text: &str, rules: &Rules) -> Refusal {
    let account = rules.nickname(&resource.location);
    match Lock::parse(resource, text) {
        Ok(Lock { run, by, .. }) => Refusal::new(
            format!("{resource} is locked by {run} of {by}"),
            format!(
                "wait for that run to end, or roll it back: squall undo {run}; from another machine: squall undo \
                 --account {account}"
            ),
        ),
        Err(error) => Refusal::new(
            error.to_string(),
            format!("read it with: aws ssm get-parameter --name {}", Setting::lock_parameter(resource)),
        ),
    }
}

/// Locks whose text SSM would not take: it must hold all that the rollback needs.
fn unwritable_locks(plan: &Plan) -> Vec<Objection> {
    let locks = plan.changes.values().filter_map(|change| match (&change.setting, &change.after) {
        (Setting::Lock { resource }, Value::Text(text)) => Some((resource, text)),
        _ => None,
    });
    let refusals = locks.filter_map(|(resource, text)| unwritable(resource, text));
    refusals.map(|refusal| Objection { path: "faults".into(), refusal }).collect()
}

fn unwritable(resource: &Resource, text: &str) -> Option<Refusal> {
    if text.len() > LOCK_LIMIT {
        return Some(Refusal::new(
            format!(
                "the lock on {resource} would have {} bytes; SSM accepts {LOCK_LIMIT}: it holds everything the \
                 rollback needs",
                text.len()
            ),
            "make fewer or smaller changes to it in one experiment: fewer actions and resources to deny, a shorter message, \
             fewer other flags in the parameter",
        ));
    }
    // SSM takes `{{` in a value for a reference to another parameter.
    text.contains("{{").then(|| {
        Refusal::new(
            format!("the lock on {resource} would hold `{{{{`, which SSM does not take"),
            "leave `{{` out of the experiment's title and of the parameter's other flags",
        )
    })
}

#[cfg(test)]
pub(crate) mod tests;
