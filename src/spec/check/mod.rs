//! What files mean, checked before anything is planned: names that lead nowhere, times that do not fit, runs that could
//! never be judged held.
//!
//! Invariant: no account is asked. What only an account knows is the planner's and the guard's.

mod evidence;
mod names;
mod probes;
mod shows;
mod timing;

use std::collections::{BTreeMap, BTreeSet};

use super::experiment::Experiment;
use super::hypothesis::Hypothesis;
use super::load::ExperimentFiles;
use super::sentence::Sentence;
use crate::account::{Metric, ResourceKind};
use crate::ids::AccountName;
use crate::judge::bound::Bound;
use crate::project::{AccountSpec, AwsAccount, Project};
use crate::schedule::compile::of_calendar;
use crate::template::app::{Deployed, Role};
use crate::units::Span;
use crate::usual::Usual;
use crate::yaml::finding::{Code, Findings};
use crate::yaml::read::{FromNode, Loaded, closest};
use crate::yaml::shape::listed;
use crate::yaml::source::Place;
pub use shows::what_it_shows;

/// Accounts that can be looked into beforehand, such as the embedded one. An account that is absent is not known.
pub type Known = BTreeMap<AccountName, KnownAccount>;

/// What is known of an account without a call.
#[derive(Clone, Debug, Default)]
pub struct KnownAccount {
    /// Every name by which an experiment may call a resource.
    pub names: BTreeMap<ResourceKind, BTreeSet<String>>,
    /// What its application does without a fault.
    pub usual: Usual,
    /// Where it says that it is.
    pub location: Deployed,
    /// Its roles, with their policies.
    pub roles: BTreeMap<String, Role>,
}

/// Checks a project's configuration.
pub fn project(project: &Loaded<Project>, findings: &mut Findings) {
    let value = &project.value;
    let names = || value.accounts.keys().map(|name| name.0.as_str());
    if names().next().is_none() {
        let help = "write for example `local: { sandbox: { template: template.yaml, traffic: traffic.yaml } }`";
        findings.push(project.finding(Code::Empty, project.key_place("accounts"), "there is no account").help(help));
    } else if !value.accounts.contains_key(&value.default_account) {
        let what = format!("there is no account `{}`", value.default_account);
        let at = project.place("default_account");
        findings.push(project.finding(Code::UnknownAccount, at, what).help(meant(&value.default_account.0, names())));
    }
    for problem in of_calendar(&value.scheduling.hours, &value.scheduling.blackouts) {
        let at = project.place(&format!("scheduling/{}", problem.path));
        findings.push(project.finding(problem.code, at, problem.what).help(problem.help));
    }
    if value.scheduling.runs_at_a_time == 0 {
        let at = project.place("scheduling/runs_at_a_time");
        findings.push(project.finding(Code::Zero, at, "with 0, no scheduled run can start").help("write at least 1"));
    }
    for (path, what, help) in crate::schedule::gates::problems(&value.gates) {
        let at = project.place(&format!("gates/{path}"));
        findings.push(project.finding(Code::BadValue, at, what).help(help));
    }
    twins(project, findings);
    probes::check(project, findings);
}

/// An account of AWS is predicted on a sandbox.
fn twins(project: &Loaded<Project>, findings: &mut Findings) {
    let accounts = &project.value.accounts;
    let sandboxes = accounts.iter().filter(|(_, account)| matches!(account, AccountSpec::Sandbox(_)));
    let sandboxes: Vec<&str> = sandboxes.map(|(name, _)| name.0.as_str()).collect();
    for (name, account) in accounts {
        let AccountSpec::Aws(AwsAccount { twin: Some(twin), .. }) = account else { continue };
        if sandboxes.contains(&twin.0.as_str()) {
            continue;
        }
        let what = format!("`{twin}` is not a sandbox of `accounts`");
        let help = match sandboxes.is_empty() {
            true => {
                "add `model: { sandbox: { template: template.yaml, traffic: traffic.yaml } }`, and write `twin: model`"
                    .to_owned()
            }
            false => meant(&twin.0, sandboxes.iter().copied()),
        };
        let at = project.place(&format!("accounts/{name}/aws/twin"));
        findings.push(project.finding(Code::UnknownAccount, at, what).help(help));
    }
}

/// Checks a hypothesis on its own.
pub fn hypothesis(hypothesis: &Loaded<Hypothesis>, findings: &mut Findings) {
    let value = &hypothesis.value;
    if value.signals.is_empty() {
        let help = "write for example `- failed share of ShopApi is at most 1 %`";
        let at = hypothesis.key_place("signals");
        findings.push(hypothesis.finding(Code::Empty, at, "a hypothesis needs at least one signal").help(help));
    }
    for (index, (judged, item)) in value.judged().iter().zip(&value.signals).enumerate() {
        let own = if item.every.is_some() { format!("signals/{index}/every") } else { "every".into() };
        window(hypothesis, &own, judged.every, &judged.signal, findings);
        let at = hypothesis.place(&format!("signals/{index}/signal"));
        bound(hypothesis, at, &judged.signal, findings);
    }
}

/// Checks an experiment together with its hypotheses.
pub fn experiment(files: &ExperimentFiles, project: &Project, known: &Known, findings: &mut Findings) {
    let experiment = &files.experiment;
    let value = &experiment.value;
    let lists = [
        ("targets", value.targets.is_empty(), "there is no target", "name what the faults act on"),
        (
            "hypotheses",
            value.hypotheses.is_empty(),
            "there is no hypothesis",
            "write what must hold, such as `- named: ...`",
        ),
    ];
    for (key, empty, what, help) in lists {
        if empty {
            findings.push(experiment.finding(Code::Empty, experiment.key_place(key), what).help(help));
        }
    }
    crate::inputs::check(&value.inputs, experiment, findings);
    sentences(experiment, findings);
    names::check(files, project, known, findings);
    timing::check(files, findings);
    evidence::check(files, known, findings);
    shows::check(files, known, findings);
}

/// The sentences that stand in the experiment itself.
fn sentences(experiment: &Loaded<Experiment>, findings: &mut Findings) {
    use super::experiment::HypothesisItem;
    for (index, item) in experiment.value.hypotheses.iter().enumerate() {
        if let HypothesisItem::Signal(signal) = item {
            let judged = signal.judged("", &super::hypothesis::Steadiness::default());
            window(experiment, &format!("hypotheses/{index}/every"), judged.every, &judged.signal, findings);
            bound(experiment, experiment.place(&format!("hypotheses/{index}/signal")), &judged.signal, findings);
        }
    }
    for (index, condition) in experiment.value.guards.stop_when.0.iter().enumerate() {
        bound(experiment, experiment.place(&format!("guards/stop_when/{index}")), &condition.0, findings);
    }
}

/// Metrics that CloudWatch publishes have a value for each minute; counts that are read directly for each moment.
fn window<T: FromNode>(file: &Loaded<T>, path: &str, every: Span, sentence: &Sentence, findings: &mut Findings) {
    const SHORTEST: Span = Span::from_secs(10);
    const PERIOD: Span = Span::from_secs(60);
    let published = sentence.metric.delay() > Span::ZERO;
    let mut wrong =
        |what: String, help: &str| findings.push(file.finding(Code::Window, file.place(path), what).help(help));
    if every < SHORTEST {
        wrong(format!("a window of {every} is too short"), "write at least `10s`, or `1m` for a metric of CloudWatch");
    } else if published && every.micros() % PERIOD.micros() != 0 {
        let what = format!("`{sentence}` has a value for each whole minute, not for windows of {every}");
        wrong(what, "write `1m`, `2m` or `5m`");
    }
}

/// A bound that says nothing.
fn bound<T: FromNode>(file: &Loaded<T>, at: Place, sentence: &Sentence, findings: &mut Findings) {
    let share = sentence.metric.is_share();
    let says = match sentence.bound {
        _ if sentence.metric == Metric::AlarmState => return,
        // A command's number may well be negative.
        _ if matches!(sentence.metric, Metric::Value { .. }) => return,
        Bound::AtLeast(least) if least <= 0.0 => "always true",
        Bound::AtMost(most) if share && most >= 1.0 => "always true",
        Bound::Below(limit) if limit <= 0.0 => "never true",
        Bound::Above(limit) if share && limit >= 1.0 => "never true",
        // CloudWatch publishes nothing for a minute without a call or a write, and no data is not zero.
        Bound::AtLeast(_) | Bound::Above(_) if matches!(sentence.metric, Metric::Calls | Metric::Writes) => {
            let what = format!("`{sentence}` has no data in a window without any, so a total outage does not break it");
            let what_comes = if sentence.metric == Metric::Writes { "writes to" } else { "calls of" };
            let help = format!("add the signal `{what_comes} {} keep coming`", sentence.subject.name);
            return findings.push(file.finding(Code::BlindAtZero, at, what).help(help));
        }
        _ => return,
    };
    let what = format!("`{sentence}` is {says}");
    findings.push(
        file.finding(Code::EmptyBound, at, what).help("write a bound that bad values break and good values meet"),
    );
}

/// `did you mean ...?`, or what there is.
fn meant<'n>(name: &str, names: impl Iterator<Item = &'n str> + Clone) -> String {
    match closest(name, names.clone()) {
        Some(close) => format!("did you mean `{close}`?"),
        None if names.clone().next().is_none() => String::new(),
        None => format!("there are {}", listed(names)),
    }
}
