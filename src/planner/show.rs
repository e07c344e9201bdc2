//! A plan as text: what changes, when, with which commands and permissions, and what stays if it is not rolled back.
//!
//! Pure: the lines are for the plan command and the reports to print; a program reads the plan's JSON instead.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::account::setting::{same_document, with_key};
use crate::account::{Metric, Resource, Value};
use crate::judge::bound::Bound;
use crate::outside::flat;
use crate::plan::{AbortCondition, Change, ChangeId, Cleanup, Plan, Purpose, SignalPlan};
use crate::units::Span;

/// One change as it is shown: `before -> after`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    pub change: ChangeId,
    /// `reserved concurrency of function PaymentWorker`.
    pub setting: String,
    pub before: String,
    pub after: String,
    /// `ends by itself at ...`, or nothing.
    pub note: String,
}

/// Longer values are cut: a policy is shown whole by its command.
const LONGEST_VALUE: usize = 100;

/// Every change of a setting, in the order of doing; locks are not the user's concern here.
pub fn diffs(plan: &Plan) -> Vec<Diff> {
    let settings = plan.changes.iter().filter(|(_, change)| !change.setting.is_lock());
    settings
        .map(|(id, change)| Diff {
            change: *id,
            setting: change.setting.describe(),
            before: shown(change, &change.before),
            after: shown(change, &change.after),
            note: change.expires.map(|at| format!("ends by itself at {at}")).unwrap_or_default(),
        })
        .collect()
}

fn shown(change: &Change, value: &Value) -> String {
    let text = change.setting.shown(value);
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text,
    }
}

/// What happens when, from the start of the run, the baseline counted as it is written.
pub fn timeline(plan: &Plan) -> Vec<(Span, String)> {
    let start = plan.baseline;
    let mut points = vec![(Span::ZERO, format!("baseline: every hypothesis must hold for {}", plan.baseline))];
    for step in &plan.steps {
        points.push((start + step.at, format!("{}: {}", step.fault, step.summary)));
        points.push((
            start + step.at,
            format!("  takes effect within {}; shown by: {}", step.evidence.within, step.evidence.expect),
        ));
        if let Some(search) = &step.evidence.logs {
            let text = format!(
                "  if only its lines can tell, the log of {} is searched once at the end, from the baseline on",
                search.functions()
            );
            points.push((start + step.at, text));
        }
        let ends = match (&step.emission, step.changes.is_empty()) {
            (Some(emission), _) => match &emission.cleanup {
                Cleanup::Sweep { dead_letter, arrives_within, foreign_limit } => format!(
                    "nothing more is sent; {} is swept until {arrives_within} after the last message, or until \
                     {foreign_limit} messages of others were seen",
                    dead_letter.name
                ),
                Cleanup::LeaveInQueue => "nothing more is sent; the messages stay".to_owned(),
            },
            (None, _) => {
                let changes = || step.changes.iter().filter_map(|id| plan.changes.get(id));
                let within = changes().map(Change::rolled_back_within).max().unwrap_or(Span::ZERO);
                let undo = format!("rollback of {}, which may take {within}", step.fault);
                match changes().map(|change| change.lasts_after).max() {
                    Some(after) if after > Span::ZERO => format!("{undo}; its effect lasts {after} longer"),
                    _ => undo,
                }
            }
        };
        points.push((start + step.ends(), ends));
    }
    let gone = start + plan.timeline();
    points.push((
        gone,
        format!("recovery: every hypothesis must hold again within {} of the last fault's end", plan.recovers_within),
    ));
    points.push((plan.longest, "stopped and rolled back, if it has not ended".into()));
    points.sort_by_key(|(at, _)| *at);
    points
}

/// The `aws` commands that do by hand what the run does, in its order. Locks are left out: who works by hand has none.
pub fn commands_do(plan: &Plan) -> Vec<String> {
    let mut documents = Documents::default();
    let changes = plan.changes.values().filter(|change| !change.setting.is_lock());
    let mut commands: Vec<String> = Vec::new();
    for change in changes {
        documents.write(change, &change.after);
        commands.push(change.setting.aws_command(&change.after, documents.now(change)));
    }
    commands.extend(plan.steps.iter().filter_map(|step| step.emission.as_ref()).map(|emission| {
        format!(
            "# {} messages to {}, each with the message attribute squall-run={}: `squall run` sends them",
            emission.bodies.len(),
            flat(&emission.queue.name),
            plan.run
        )
    }));
    commands
}

/// The `aws` commands that put everything back and take the locks off, in the order of the rollback. Each compares first: a
/// setting that is not `after` any more belongs to others, and is left alone.
pub fn commands_undo(plan: &Plan) -> Vec<String> {
    let mut documents = Documents::default();
    for change in plan.changes.values() {
        // The documents as they are when every change is in.
        documents.write(change, &change.after);
    }
    let mut commands = Vec::new();
    for change in plan.inverse_order().into_iter().filter_map(|id| plan.changes.get(&id)) {
        let after = documents.now(change).map(str::to_owned);
        documents.write(change, &change.before);
        let before = (&change.before, documents.now(change));
        commands.push(change.setting.aws_rollback((&change.after, after.as_deref()), before));
    }
    commands
}

/// Documents that hold several keys, as they are after the commands so far.
#[derive(Default)]
struct Documents(BTreeMap<Resource, String>);

impl Documents {
    /// Writes a value, if the setting is a key in a document.
    fn write(&mut self, change: &Change, value: &Value) {
        let Some(key) = change.setting.key() else { return };
        let original = change.whole_before.as_deref().unwrap_or("{}");
        let now = self.0.entry(change.setting.resource().clone()).or_insert_with(|| original.to_owned());
        let next = with_key(now, key, value).unwrap_or_else(|_| now.clone());
        // Back to what it was: the very bytes, not only the same document.
        *now = if same_document(&next, original) { original.to_owned() } else { next };
    }

    /// The document that a change is in.
    fn now(&self, change: &Change) -> Option<&str> {
        change.setting.key().and_then(|_| self.0.get(change.setting.resource())).map(String::as_str)
    }
}

/// The least policy for the role that squall runs as, as an IAM document.
pub fn policy(plan: &Plan) -> Json {
    let mut statements: Vec<Json> = Vec::new();
    for purpose in [Purpose::Look, Purpose::Inject, Purpose::Rollback, Purpose::Measure, Purpose::Load] {
        // Actions on the same resources go together.
        let mut actions_on: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for permission in plan.permissions.iter().filter(|permission| permission.purpose == purpose) {
            actions_on.entry(&permission.resource).or_default().insert(&permission.action);
        }
        let mut resources_of: BTreeMap<BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
        for (resource, actions) in actions_on {
            resources_of.entry(actions).or_default().push(resource);
        }
        for (number, (actions, resources)) in resources_of.into_iter().enumerate() {
            statements.push(json!({
                "Sid": format!("{}{}", sid(purpose), number + 1),
                "Effect": "Allow",
                "Action": actions,
                "Resource": resources,
            }));
        }
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn sid(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Look => "Look",
        Purpose::Inject => "Do",
        Purpose::Rollback => "Undo",
        Purpose::Measure => "Measure",
        Purpose::Load => "Load",
    }
}

/// What stays if the machine that runs squall dies before the rollback; a sentence for each.
pub fn stays(plan: &Plan) -> Vec<String> {
    let mut lines: Vec<String> = plan
        .stays_alone()
        .map(|(id, change)| match plan.switch_of(id) {
            Some(switch) => format!(
                "if this machine dies, the dead-man switch rolls the {} back after {}",
                change.setting, switch.until
            ),
            None => format!(
                "if this machine dies, the {} stays {} until you run `squall undo --account NAME` on another machine",
                change.setting,
                shown(change, &change.after),
            ),
        })
        .collect();
    let expiring = plan.changes.values().filter_map(|change| Some((change, change.expires?)));
    lines.extend(expiring.map(|(change, at)| {
        format!("if this machine dies, the {} ends by itself at {at} and stays without effect", change.setting)
    }));
    lines
}

/// How a bound is said: `at most 1 %`.
pub fn bound(bound: &Bound, is_share: bool) -> String {
    let number = |value: f64| match is_share {
        true => crate::units::Share::new(value).map_or_else(|| value.to_string(), |share| share.to_string()),
        false => value.to_string(),
    };
    match bound {
        Bound::AtMost(limit) => format!("at most {}", number(*limit)),
        Bound::AtLeast(limit) => format!("at least {}", number(*limit)),
        Bound::Below(limit) => format!("below {}", number(*limit)),
        Bound::Above(limit) => format!("above {}", number(*limit)),
        Bound::FiresWithin(span) => format!("fires within {span}"),
        Bound::StaysQuiet => "stays quiet".into(),
        Bound::TimesBaseline(ratio) => format!("at most {ratio} x baseline"),
        Bound::TimesControl(ratio) => format!("at most {ratio} x its control"),
        Bound::Spends { part, objective } => format!("spends at most {part} of {objective}"),
        Bound::KeepsComing => "keeps arriving".into(),
        Bound::Watched => "observed only".into(),
    }
}

/// The whole plan for a terminal, line by line.
pub fn lines(plan: &Plan) -> Vec<String> {
    let (mut parts, know) = (parts(plan), know(plan));
    parts.push(("By hand: to inject", commands_do(plan)));
    parts.push(("By hand: to roll back", commands_undo(plan)));
    parts.push(know);
    laid_out(plan, parts)
}

/// The plan without its commands: what a person wants to see once more before it is run.
pub fn brief(plan: &Plan) -> Vec<String> {
    let mut parts = parts(plan);
    parts.push(know(plan));
    laid_out(plan, parts)
}

/// What a plan does, without its name, its place and what is to be known of it.
pub fn does(plan: &Plan) -> Vec<String> {
    parts(plan).into_iter().flat_map(|(_, body)| body).collect()
}

/// What reads otherwise in a newer plan of the same experiment: lines that are gone, then lines that are new.
pub fn differences(old: &Plan, new: &Plan) -> Vec<String> {
    let differences = changed(&brief(old), &brief(new));
    match differences.is_empty() {
        true => vec!["nothing else is different".to_owned()],
        false => differences,
    }
}

/// The lines that only the old list has, and those that only the new one has.
pub fn changed(old: &[String], new: &[String]) -> Vec<String> {
    let only = |sign: char, of: &[String], other: &[String]| -> Vec<String> {
        of.iter().filter(|line| !other.contains(line)).map(|line| format!("{sign} {}", line.trim())).collect()
    };
    [only('-', old, new), only('+', new, old)].concat()
}

type Part = (&'static str, Vec<String>);

/// A signal with its hypothesis, unless that is the signal itself.
fn of_hypothesis(signal: &SignalPlan) -> String {
    match signal.title == signal.hypothesis {
        true => signal.title.clone(),
        false => format!("{} ({})", signal.title, signal.hypothesis),
    }
}

fn parts(plan: &Plan) -> Vec<Part> {
    let signals = |judged: bool| plan.signals.iter().filter(move |signal| signal.is_judged() == judged);
    let at = |(at, what): (Span, String)| format!("{:>8}  {what}", at.to_string());
    [
        ("What changes", diffs(plan).iter().map(diff_line).collect()),
        ("Affected", plan.hits().iter().map(ToString::to_string).collect()),
        ("When", timeline(plan).into_iter().map(at).collect()),
        ("What must hold", signals(true).map(of_hypothesis).collect()),
        ("Observed only", signals(false).map(of_hypothesis).collect()),
        ("What stops it", plan.stops.iter().map(stop_line).collect()),
        ("Locked during the run", plan.changed_resources().iter().map(ToString::to_string).collect()),
    ]
    .map(|(title, body): Part| (title, body.iter().map(|line| flat(line)).collect()))
    .into()
}

fn know(plan: &Plan) -> Part {
    ("Before you confirm", plan.warnings.iter().map(|line| flat(line)).collect())
}

fn laid_out(plan: &Plan, parts: Vec<Part>) -> Vec<String> {
    let mut lines = vec![flat(&plan.title), flat(&format!("{} from {}", plan.run, plan.file))];
    for (title, body) in parts.into_iter().filter(|(_, body)| !body.is_empty()) {
        lines.push(String::new());
        lines.push(title.to_owned());
        lines.extend(body.into_iter().map(|line| format!("  {line}")));
    }
    lines
}

/// A condition, and how long it may hold before the run knows.
fn stop_line(stop: &AbortCondition) -> String {
    let within = stop.reacts_within();
    let how = match stop.query.metric {
        Metric::OldestMessage => "by whole minutes, published late; messages received three times do not count",
        metric if metric.delay() == Span::ZERO => "read directly",
        _ => "by whole minutes, published late",
    };
    format!("{} (acts within {within}: {how})", stop.title)
}

fn diff_line(diff: &Diff) -> String {
    let note = if diff.note.is_empty() { String::new() } else { format!(" ({})", diff.note) };
    format!("{}: {} -> {}{note}", diff.setting, diff.before, diff.after)
}
