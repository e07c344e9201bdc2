//! The hash of a plan: over what it resolves to, and not over when and by whom it was made. Two plans with the same hash
//! change the same settings of the same resources in the same way, and are judged and guarded alike.
//!
//! It has a part for each [`Section`], so that a hash alone tells which of them resolves differently.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::hex;
use crate::format::account::{Resource as WrittenResource, Setting, Value};
use crate::format::plan::{Load, Signal, Stop};
use crate::format::{Convert, plan as written};
use crate::plan::Plan;

/// What a part of the hash is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Accounts, and everything that feels a fault.
    Targets,
    /// Settings with their values before and after, and messages.
    Changes,
    /// When the faults go in and out; baseline and recovery.
    Timeline,
    /// Signals, how they are judged, and the evidence that shows a fault at work.
    Hypotheses,
    /// What stops a run, alpha, and squall's own load.
    Guards,
}

impl Section {
    /// In the order of the hash.
    pub const ALL: [Section; 5] =
        [Section::Targets, Section::Changes, Section::Timeline, Section::Hypotheses, Section::Guards];

    fn word(self) -> &'static str {
        match self {
            Section::Targets => "targets",
            Section::Changes => "changes",
            Section::Timeline => "timeline",
            Section::Hypotheses => "hypotheses",
            Section::Guards => "guards",
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// So many hexadecimal digits of SHA-256 for each part: 60 in all.
const DIGITS: usize = 12;

/// The hash of a plan: `3f9a2c81be02-...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanHash([String; 5]);

impl PlanHash {
    /// Of a plan.
    pub fn of(plan: &Plan) -> PlanHash {
        PlanHash(Section::ALL.map(|section| {
            let text = lines(plan, section).join("\n");
            let digest = Sha256::digest(text.as_bytes());
            hex(&digest)[..DIGITS].to_owned()
        }))
    }

    /// What of a plan with this hash another one does not have.
    pub fn differs_in(&self, other: &PlanHash) -> Vec<Section> {
        let parts = Section::ALL.into_iter().zip(self.0.iter().zip(&other.0));
        parts.filter(|(_, (one, other))| one != other).map(|(section, _)| section).collect()
    }
}

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("-"))
    }
}

impl FromStr for PlanHash {
    type Err = String;

    fn from_str(text: &str) -> Result<PlanHash, String> {
        let parts: Vec<String> = text.split('-').map(str::to_owned).collect();
        let good = |part: &String| part.len() == DIGITS && part.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
        let wrong =
            || "a plan's hash has five parts of twelve hexadecimal digits, as `squall plan` prints it".to_owned();
        match <[String; 5]>::try_from(parts) {
            Ok(parts) if parts.iter().all(good) => Ok(PlanHash(parts)),
            _ => Err(wrong()),
        }
    }
}

/// What a part of the hash is over, a line for each fact. Lines of two plans can be compared.
pub fn lines(plan: &Plan, section: Section) -> Vec<String> {
    let lines = match section {
        Section::Targets => targets(plan),
        Section::Changes => changes(plan),
        Section::Timeline => timeline(plan),
        Section::Hypotheses => hypotheses(plan),
        Section::Guards => guards(plan),
    };
    lines.into_iter().map(|line| timeless(plan, line)).collect()
}

/// The run's name, and instants in documents such as the end of a policy, are no part of what matters.
fn timeless(plan: &Plan, line: String) -> String {
    let mut line = line.replace(&plan.run.0, "RUN");
    for expires in plan.changes.values().filter_map(|change| change.expires) {
        let text = expires.to_string();
        let to_the_second = text.split('.').next().unwrap_or(&text);
        line = line.replace(&text, "TIME").replace(&format!("{to_the_second}Z"), "TIME");
    }
    line
}

fn json<T: Serialize>(value: &T) -> String {
    // Serializing to memory fails only for maps whose keys are not strings, and these types have none.
    serde_json::to_string(value).unwrap_or_default()
}

fn targets(plan: &Plan) -> Vec<String> {
    let accounts = plan.accounts.iter().map(|account| format!("account {account}"));
    let hits = plan.hits().into_iter().map(|hit| {
        let written: WrittenResource = hit.convert();
        format!("affected: {}", json(&written))
    });
    accounts.chain(hits).collect()
}

fn changes(plan: &Plan) -> Vec<String> {
    let changes = plan.changes.values().filter(|change| !change.setting.is_lock()).map(|change| {
        let setting: Setting = change.setting.clone().convert();
        let (before, after): (Value, Value) = (change.before.clone().convert(), change.after.clone().convert());
        format!("{}: {} -> {}", json(&setting), json(&before), json(&after))
    });
    let messages = plan.steps.iter().filter_map(|step| step.emission.as_ref()).map(|emission| {
        // The bodies may be drawn by the seed; how many there are and how large is what matters.
        let bytes: usize = emission.bodies.iter().map(String::len).sum();
        let queue: WrittenResource = emission.queue.clone().convert();
        let cleanup: written::Cleanup = emission.cleanup.clone().convert();
        format!(
            "{} messages, about {} KB, to {}; {}",
            emission.bodies.len(),
            bytes / 1024,
            json(&queue),
            json(&cleanup)
        )
    });
    changes.chain(messages).collect()
}

fn timeline(plan: &Plan) -> Vec<String> {
    let mut lines = vec![
        format!("baseline {} to {}", plan.baseline, plan.baseline_at_most),
        format!("recovers within {}", plan.recovers_within),
    ];
    lines.extend(plan.steps.iter().map(|step| format!("{} at {} for {}", step.fault, step.at, step.lasts)));
    lines
}

fn hypotheses(plan: &Plan) -> Vec<String> {
    let signals = plan.signals.iter().map(|signal| {
        let signal: Signal = signal.clone().convert();
        json(&signal)
    });
    let evidence = plan.steps.iter().map(|step| {
        let evidence: written::Evidence = step.evidence.clone().convert();
        json(&evidence)
    });
    signals.chain(evidence).collect()
}

fn guards(plan: &Plan) -> Vec<String> {
    let mut lines = vec![format!("longest {}", plan.longest), format!("alpha {}", plan.alpha.get())];
    lines.extend(plan.stops.iter().map(|stop| {
        let stop: Stop = stop.clone().convert();
        json(&stop)
    }));
    let guarded = plan.stays_alone().filter(|(id, _)| plan.switch_of(*id).is_some());
    lines.extend(guarded.map(|(_, change)| format!("dead-man switch for {}", change.setting)));
    lines.extend(plan.load.iter().map(|load| {
        let load: Load = load.clone().convert();
        json(&load)
    }));
    lines
}
