//! Names: do they lead to something, and to something of the right kind?

use std::collections::BTreeSet;

use super::{Known, KnownAccount, meant};
use crate::account::ResourceKind;
use crate::account::target::SelectBy;
use crate::faults::FaultSpec;
use crate::ids::AccountName;
use crate::project::{AccountSpec, Project};
use crate::spec::load::ExperimentFiles;
use crate::yaml::Code;
use crate::yaml::Findings;
use crate::yaml::FromNode;
use crate::yaml::TargetName;
use crate::yaml::read::{Loaded, Reference, ReferenceKind, closest};
use crate::yaml::shape::one_of;
use crate::yaml::source::Place;
use crate::yaml::tree::Node;

/// Kinds that load can be sent to.
const LOADABLE: &[ResourceKind] = &[ResourceKind::Api, ResourceKind::Function, ResourceKind::Queue];

pub(super) fn check(files: &ExperimentFiles, project: &Project, known: &Known, findings: &mut Findings) {
    let mut names = Names { files, project, known, findings, used: BTreeSet::new() };
    names.references(&files.experiment);
    for hypothesis in files.hypotheses.values() {
        names.references(hypothesis);
    }
    names.faults();
    names.load();
    names.targets();
}

struct Names<'a> {
    files: &'a ExperimentFiles,
    project: &'a Project,
    known: &'a Known,
    findings: &'a mut Findings,
    used: BTreeSet<String>,
}

impl Names<'_> {
    fn target_kind(&self, name: &str) -> Option<ResourceKind> {
        let targets = &self.files.experiment.value.targets;
        targets.get(&TargetName(name.to_owned())).map(|target| target.selector.kind)
    }

    fn references<T: FromNode>(&mut self, file: &Loaded<T>) {
        for reference in &file.references {
            if self.findings.is_full() {
                return;
            }
            match reference.kind {
                ReferenceKind::Target => self.target(file, reference),
                ReferenceKind::TargetOrResource => self.target_or_resource(file, reference),
                ReferenceKind::Account => self.account(file, reference),
                // Its file was looked for when it was read.
                ReferenceKind::Hypothesis | ReferenceKind::Experiment => {}
            }
        }
    }

    fn target<T: FromNode>(&mut self, file: &Loaded<T>, reference: &Reference) {
        self.used.insert(reference.name.clone());
        if self.target_kind(&reference.name).is_none() {
            let names = self.files.experiment.value.targets.keys().map(|name| name.0.as_str());
            let what = format!("there is no target `{}`", reference.name);
            let help = meant(&reference.name, names);
            self.findings.push(file.finding(Code::UnknownTarget, reference.at, what).help(help));
        }
    }

    fn account<T: FromNode>(&mut self, file: &Loaded<T>, reference: &Reference) {
        if !self.project.accounts.contains_key(&AccountName(reference.name.clone())) {
            let names = self.project.accounts.keys().map(|name| name.0.as_str());
            let what = format!("there is no account `{}` in squall.yaml", reference.name);
            let help = meant(&reference.name, names);
            self.findings.push(file.finding(Code::UnknownAccount, reference.at, what).help(help));
        }
    }

    fn target_or_resource<T: FromNode>(&mut self, file: &Loaded<T>, reference: &Reference) {
        let name = &reference.name;
        if let Some(kind) = self.target_kind(name) {
            self.used.insert(name.clone());
            return self.right_kind(file, reference.at, name, kind, &reference.kinds);
        }
        let account = &self.files.account;
        if reference.kinds == [ResourceKind::Probe] {
            return self.probe(file, reference.at, account, name);
        }
        if self.known.contains_key(account) {
            return self.resource(file, reference.at, account, &reference.kinds, name);
        }
        // Whether a resource exists is not known beforehand. A name that is almost a target's is worth a look.
        let targets = self.files.experiment.value.targets.keys().map(|name| name.0.as_str());
        if let Some(close) = closest(name, targets) {
            let what = format!("no target is called `{name}`, so a resource of that name is looked up");
            let help = format!("did you mean the target `{close}`?");
            self.findings.push(file.finding(Code::DoubtfulName, reference.at, what).help(help));
        }
    }

    /// A resource of one of some kinds must be in an account that can be looked into.
    fn resource<T: FromNode>(
        &mut self,
        file: &Loaded<T>,
        at: Place,
        account: &AccountName,
        kinds: &[ResourceKind],
        name: &str,
    ) {
        let Some(KnownAccount { names: resources, .. }) = self.known.get(account) else { return };
        let of_kinds = || kinds.iter().filter_map(|kind| resources.get(kind)).flatten().map(String::as_str);
        // An ARN's last part is the name.
        let plain = if name.starts_with("arn:") { name.rsplit([':', '/']).next().unwrap_or(name) } else { name };
        if of_kinds().any(|known| known == plain || known == name) {
            return;
        }
        let other = resources.iter().find(|(_, names)| names.contains(plain));
        let kinds_said = one_of(kinds.iter().map(|kind| kind.word()));
        let (code, what) = match other {
            Some((kind, _)) => {
                (Code::WrongResource, format!("`{name}` is of the kind `{}`, not {kinds_said}", kind.word()))
            }
            None => (Code::UnknownResource, format!("the account `{account}` has no {kinds_said} called `{name}`")),
        };
        let targets = self.files.experiment.value.targets.keys().map(|name| name.0.as_str());
        // A target may be called as its own selector says, which is then no other name.
        let close = closest(plain, targets).filter(|close| *close != plain).or_else(|| closest(plain, of_kinds()));
        let help = match close {
            Some(close) => format!("did you mean `{close}`?"),
            None => meant(plain, of_kinds()),
        };
        self.findings.push(file.finding(code, at, what).help(help));
    }

    /// A probe must be in squall.yaml, so that no account needs to be asked.
    fn probe<T: FromNode>(&mut self, file: &Loaded<T>, at: Place, account: &AccountName, name: &str) {
        let (what, help) = match self.project.accounts.get(account) {
            Some(AccountSpec::Aws(spec)) if spec.probes.contains_key(name) => return,
            Some(AccountSpec::Aws(spec)) => {
                let close = closest(name, spec.probes.keys().map(String::as_str));
                let add = || format!("write it under `probes` of `{account}` in squall.yaml");
                let help = close.map_or_else(add, |close| format!("did you mean `{close}`?"));
                (format!("the account `{account}` has no probe called `{name}`"), help)
            }
            Some(AccountSpec::Sandbox(_)) => (
                format!("`{name}` cannot be measured in the sandbox `{account}`: it models no probes"),
                "use `--account` with an account that has this probe, or use a metric that the sandbox models".into(),
            ),
            // That the account is unknown is told where it is named.
            None => return,
        };
        self.findings.push(file.finding(Code::UnknownResource, at, what).help(help));
    }

    fn right_kind<T: FromNode>(
        &mut self,
        file: &Loaded<T>,
        at: Place,
        name: &str,
        kind: ResourceKind,
        wanted: &[ResourceKind],
    ) {
        if wanted.is_empty() || wanted.contains(&kind) {
            return;
        }
        let what = format!(
            "`{name}` is of the kind `{}`; expected {}",
            kind.word(),
            one_of(wanted.iter().map(|kind| kind.word()))
        );
        let targets = &self.files.experiment.value.targets;
        let fitting = targets.iter().find(|(_, target)| wanted.contains(&target.selector.kind));
        let help = fitting.map_or("add such a target".to_owned(), |(name, _)| format!("`{name}` is one"));
        self.findings.push(file.finding(Code::WrongResource, at, what).help(help));
    }

    fn faults(&mut self) {
        let experiment = &self.files.experiment;
        for (index, inject) in experiment.value.faults.iter().enumerate() {
            let fault = inject.fault.fault();
            let path = format!("faults/{index}/inject/{}", inject.fault.key());
            for flaw in fault.flaws() {
                let at = experiment.place(&format!("{path}/{}", flaw.key));
                self.findings.push(experiment.finding(Code::FaultParameter, at, flaw.what).help(flaw.help));
            }
            let Some(target) = experiment.value.targets.get(fault.target()) else { continue };
            let at = experiment.place(&format!("{path}/target"));
            self.right_kind(experiment, at, &fault.target().0, target.selector.kind, fault.page().kinds);
            if let (FaultSpec::Poison(poison), SelectBy::Name(name)) = (&inject.fault, &target.selector.by)
                && name.ends_with(".fifo")
                && poison.fifo_group.is_none()
            {
                let what = "a message that fails blocks its group in a FIFO queue";
                let help = "name the group: `fifo_group: squall`";
                self.findings.push(experiment.finding(Code::FaultParameter, at, what).help(help));
            }
        }
    }

    fn load(&mut self) {
        let experiment = &self.files.experiment;
        for (index, load) in experiment.value.load.iter().enumerate() {
            if let Some(kind) = self.target_kind(&load.to.0) {
                let at = experiment.place(&format!("load/{index}/to"));
                self.right_kind(experiment, at, &load.to.0, kind, LOADABLE);
            }
        }
    }

    fn targets(&mut self) {
        let experiment = &self.files.experiment;
        // A misspelt name is meant for a target that is then without use; one finding is enough for both.
        let misspelt = self.findings.iter().any(|finding| finding.code == Code::UnknownTarget);
        for entry in experiment.tree.get("targets").map(Node::entries).unwrap_or_default() {
            let name = TargetName(entry.key.clone());
            let Some(target) = experiment.value.targets.get(&name) else { continue };
            let at = entry.key_at;
            if !self.used.contains(&name.0) && !misspelt {
                let what = format!("the target `{name}` is not used");
                self.findings.push(experiment.finding(Code::UnusedTarget, at, what).help("remove it, or use it"));
            }
            if let SelectBy::Name(resource) = &target.selector.by {
                let kind = target.selector.kind;
                let at = entry.value.get(kind.word()).map_or(at, |node| node.at);
                if kind == ResourceKind::Probe {
                    self.probe(experiment, at, self.files.account_of(target), resource);
                    continue;
                }
                self.resource(experiment, at, self.files.account_of(target), &[kind], resource);
            }
        }
    }
}
