//! Evidence that cannot appear: a fault whose effect would not be told from what its target does anyway. Known beforehand where
//! the account is a model, with its traffic.

use super::{Known, KnownAccount};
use crate::account::ResourceKind;
use crate::account::target::SelectBy;
use crate::faults::deny::{Deny, TargetOrArn};
use crate::faults::pattern::{actions_overlap, overlap};
use crate::faults::{FaultSpec, listed};
use crate::judge::foresight::{Expected, Looked, a_minute};
use crate::numbers::percent;
use crate::spec::experiment::Inject;
use crate::spec::load::ExperimentFiles;
use crate::template;
use crate::units::Span;
use crate::usual::{Use, UsualFunction};
use crate::yaml::TargetName;
use crate::yaml::finding::{Code, Findings};

/// What the baseline waits for beyond its length, which belongs to it: two minutes until its values are published.
const PUBLISHED: i64 = 2;
/// Actions by which a consumer takes from a queue; the model does not count them among the calls of a handler.
const TAKES: [&str; 4] =
    ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"];
/// Shares that are tried, in percent, where one is too small.
const SHARES: [u8; 10] = [3, 5, 6, 8, 10, 15, 20, 30, 50, 100];

pub(super) fn check(files: &ExperimentFiles, known: &Known, findings: &mut Findings) {
    // What load adds is not known here.
    if !files.experiment.value.load.is_empty() {
        return;
    }
    for (index, inject) in files.experiment.value.faults.iter().enumerate() {
        let name = inject.fault.fault().target();
        let Some(target) = files.experiment.value.targets.get(name) else { continue };
        let (Some(account), SelectBy::Name(resource)) = (known.get(files.account_of(target)), &target.selector.by)
        else {
            continue;
        };
        let mut faults = Faults { files, account, inject, index, resource, findings };
        match &inject.fault {
            FaultSpec::Error(_)
            | FaultSpec::Latency(_)
            | FaultSpec::Response(_)
            | FaultSpec::Hang(_)
            | FaultSpec::Throttle(_) => faults.on_function(),
            FaultSpec::Deny(deny) => faults.deny(deny, target.selector.kind),
            FaultSpec::QueueDelay(_) | FaultSpec::Poison(_) => faults.on_queue(),
        }
    }
}

/// One fault, and what is known of its target.
struct Faults<'a> {
    files: &'a ExperimentFiles,
    account: &'a KnownAccount,
    inject: &'a Inject,
    index: usize,
    /// The name of its target.
    resource: &'a str,
    findings: &'a mut Findings,
}

impl Faults<'_> {
    fn find(&mut self, code: Code, key: &str, what: String, help: String) {
        let experiment = &self.files.experiment;
        let path = match key {
            "for" => format!("faults/{}/for", self.index),
            key => format!("faults/{}/inject/{}/{key}", self.index, self.inject.fault.key()),
        };
        self.findings.push(experiment.finding(code, experiment.place(&path), what).help(help));
    }

    /// The minutes that are compared.
    fn looked(&self) -> Looked {
        let value = &self.files.experiment.value;
        let minutes = |span: Span| usize::try_from(span.micros() / Span::from_mins(1).micros()).unwrap_or(0);
        let baseline = minutes(value.baseline + Span::from_mins(PUBLISHED));
        // The fault goes in within a minute.
        Looked { baseline, fault: minutes(self.inject.lasts).saturating_sub(1).max(1), tests: value.faults.len() }
    }

    fn on_function(&mut self) {
        let Some(function) = self.account.usual.function(self.resource).cloned() else { return };
        if function.calls <= 0.0 {
            return self.no_traffic("calls");
        }
        match &self.inject.fault {
            FaultSpec::Error(error) => {
                let share = error.share.get();
                self.too_small(&function, function.failed, share, "fail");
            }
            FaultSpec::Latency(latency) => {
                let (from, to) = latency.delay.bounds();
                let limit = from.min(Span::from_millis(function.timeout.millis() * 9 / 10));
                // What runs into its timeout fails, which shows too.
                if to < function.timeout {
                    let what = format!("take longer than {limit}");
                    self.too_small(&function, function.slower_than(limit), latency.share.get(), &what);
                }
            }
            FaultSpec::Throttle(throttle) => self.throttle(&function, throttle.concurrency),
            _ => {}
        }
    }

    fn no_traffic(&mut self, what: &str) {
        let resource = self.resource;
        let what =
            format!("the traffic file sends no {what} to `{resource}`, so nothing would show the fault's effect");
        self.find(Code::NoEvidence, "target", what, "add traffic, or `load:` to the experiment".into());
    }

    /// A share of calls that the fault adds to those that fail, or are slow, anyway.
    fn too_small(&mut self, function: &UsualFunction, before: f64, share: f64, what: &str) {
        let after = |share: f64| before + share * (1.0 - before);
        let expected = Expected { calls: function.calls, before, after: after(share) };
        let looked = self.looked();
        if expected.is_shown(looked) || looked.baseline < crate::judge::effectiveness::ENOUGH {
            return;
        }
        let shown = |percent: &u8| {
            let share = f64::from(*percent) / 100.0;
            share > self.share() && Expected { after: after(share), ..expected }.is_shown(looked)
        };
        let larger = SHARES.into_iter().find(shown).map(|percent| format!("`share: {percent} %`"));
        let text = format!(
            "{} of the calls of `{}` {what} without the fault, and {} would with it: at {} calls a minute, a fault of \
             {} cannot be told apart",
            percent(before),
            self.resource,
            percent(expected.after),
            a_minute(function.calls),
            self.inject.lasts
        );
        let help = match (larger, before > 0.5) {
            (_, true) => "write a delay longer than the calls take anyway, or choose another function".to_owned(),
            (larger, false) => expected.remedy(looked, larger),
        };
        let key = if before > 0.5 { "delay" } else { "share" };
        let key = if self.inject.fault.key() == "lambda.error" { "share" } else { key };
        self.find(Code::NoEvidence, key, text, help);
    }

    /// The share that the fault hits, where it has one.
    fn share(&self) -> f64 {
        match &self.inject.fault {
            FaultSpec::Error(error) => error.share.get(),
            FaultSpec::Latency(latency) => latency.share.get(),
            _ => 1.0,
        }
    }

    /// A cap that is never reached, or one that no call meets.
    fn throttle(&mut self, function: &UsualFunction, cap: u32) {
        let resource = self.resource;
        let comes = function.calls * self.looked().fault as f64;
        let running = function.running();
        if comes < 1.0 {
            let what = format!(
                "`{resource}` is called {} times a minute, so a fault of {} may meet no call",
                a_minute(function.calls),
                self.inject.lasts
            );
            let enough = Span::from_secs_f64(120.0 / function.calls.max(1e-6)).rounded();
            self.find(Code::NeverHeld, "for", what, format!("write `for: {enough}` or more for the fault"));
        } else if f64::from(cap) > running + 10.0 * running.sqrt() + 10.0 {
            let what = format!(
                "about {running:.1} invocations of `{resource}` run at the same time, so a cap of {cap} is never \
                 reached and has no effect"
            );
            self.find(Code::NeverHeld, "concurrency", what, "write a lower cap".into());
        }
    }

    /// A permission that is not used, not given, or used too rarely to see that it is gone.
    fn deny(&mut self, deny: &Deny, kind: ResourceKind) {
        let role = match kind {
            ResourceKind::Role => self.account.usual.ids.get(self.resource).cloned().or(Some(self.resource.to_owned())),
            _ => self.account.usual.function(self.resource).map(|function| function.role.clone()),
        };
        let Some(role) = role.filter(|role| self.account.roles.contains_key(role)) else { return };
        self.not_given(deny, &role);
        let denied = |action: &str| deny.actions.iter().any(|pattern| actions_overlap(pattern, action));
        let functions: Vec<(String, UsualFunction)> = self
            .account
            .usual
            .functions
            .iter()
            .filter(|(_, f)| f.role == role)
            .map(|(n, f)| (n.clone(), f.clone()))
            .collect();
        let consumes = functions.iter().any(|(_, function)| !function.consumes.is_empty());
        if functions.is_empty() || (consumes && TAKES.into_iter().any(denied)) {
            return;
        }
        if functions.iter().all(|(_, function)| function.calls <= 0.0) {
            return self.no_traffic("calls");
        }
        let taken = |used: &&Use| denied(used.action) && deny.resources.iter().any(|on| self.means(on, &used.arn));
        let using: Vec<(&UsualFunction, Vec<&Use>)> =
            functions.iter().map(|(_, f)| (f, f.uses.iter().filter(taken).collect())).collect();
        let names = listed(functions.iter().map(|(name, _)| format!("`{name}`")));
        if using.iter().all(|(_, uses)| uses.is_empty()) {
            let what = format!(
                "the traffic file has no call of {names} that needs the denied actions, so nothing would show the \
                 fault's effect"
            );
            return self.find(Code::NeverHeld, "actions", what, "deny an action that the handler needs".into());
        }
        if using.iter().all(|(_, uses)| uses.iter().all(|used| used.optional)) {
            let what = format!(
                "{names} can work without the denied calls: no call fails, so nothing would show the fault's effect"
            );
            return self.find(
                Code::NeverHeld,
                "actions",
                what,
                "deny an action that the handler cannot work without".into(),
            );
        }
        let looked = self.looked();
        let hard = using.iter().filter(|(_, uses)| uses.iter().any(|used| !used.optional));
        let expected = hard.map(|(f, _)| Expected { calls: f.calls, before: f.failed, after: 1.0 });
        let Some(best) = expected.max_by(|a, b| a.calls.total_cmp(&b.calls)) else { return };
        if !best.is_shown(looked) && looked.baseline >= crate::judge::effectiveness::ENOUGH {
            let what = format!(
                "at {} calls a minute of {names}, a fault of {} after a baseline of {} shows nothing",
                a_minute(best.calls),
                self.inject.lasts,
                self.files.experiment.value.baseline
            );
            self.find(Code::NoEvidence, "for", what, best.remedy(looked, None));
        }
    }

    /// Actions that no statement of the role allows anyway.
    fn not_given(&mut self, deny: &Deny, role: &str) {
        let Some(given) = self.account.roles.get(role) else { return };
        let plain = |action: &&String| !action.contains(['*', '?']);
        let arns: Vec<String> = self.arns(deny);
        let idle = |action: &&String| !arns.is_empty() && arns.iter().all(|arn| !template::allows(given, action, arn));
        let none: Vec<&String> = deny.actions.iter().filter(plain).filter(idle).collect();
        if !none.is_empty() {
            let what = format!(
                "no statement of the role `{role}` allows {} there, so denying it has no effect",
                listed(none.iter().map(|action| format!("`{action}`")))
            );
            self.find(Code::NeverHeld, "actions", what, "deny an action that the role has".into());
        }
    }

    /// The ARNs without wildcards that a fault names.
    fn arns(&self, deny: &Deny) -> Vec<String> {
        let mut arns = Vec::new();
        for on in &deny.resources {
            match on {
                TargetOrArn::Arn(arn) if !arn.contains(['*', '?']) => arns.push(arn.clone()),
                TargetOrArn::Arn(_) => return Vec::new(),
                TargetOrArn::Target(name) => match self.named(name) {
                    Some((kind, name)) => arns.push(self.account.location.arn(kind, &name)),
                    None => return Vec::new(),
                },
            }
        }
        arns
    }

    /// What a target names, by its real name.
    fn named(&self, name: &TargetName) -> Option<(ResourceKind, String)> {
        let target = self.files.experiment.value.targets.get(name)?;
        let SelectBy::Name(name) = &target.selector.by else { return None };
        Some((target.selector.kind, self.account.usual.ids.get(name).unwrap_or(name).clone()))
    }

    /// Whether what a fault names takes in an ARN. A target that is not known by name may be anything.
    fn means(&self, on: &TargetOrArn, arn: &str) -> bool {
        match on {
            TargetOrArn::Arn(pattern) => overlap(pattern, arn),
            TargetOrArn::Target(name) => {
                self.named(name).is_none_or(|(_, name)| arn.rsplit([':', '/']).next() == Some(name.as_str()))
            }
        }
    }

    /// A queue that receives nothing, or that nothing consumes.
    fn on_queue(&mut self) {
        let usual = &self.account.usual;
        let name = usual.ids.get(self.resource).map_or(self.resource, String::as_str);
        let consumed = usual.functions.values().any(|function| function.consumes.iter().any(|queue| queue == name));
        let comes = usual.calls(ResourceKind::Queue, name).unwrap_or_default();
        let known = self.account.names.get(&ResourceKind::Queue).is_some_and(|names| names.contains(self.resource));
        if !known {
            return;
        }
        match &self.inject.fault {
            FaultSpec::QueueDelay(_) if comes <= 0.0 => self.no_traffic("messages"),
            FaultSpec::Poison(_) if !consumed => {
                let what = format!("no function consumes `{name}`, so the messages would stay in it");
                self.find(Code::NoEvidence, "target", what, "choose a queue that a function consumes".into());
            }
            _ => {}
        }
    }
}
