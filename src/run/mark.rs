//! The text of a mark: enough to undo a run when its journal died with its machine.
//!
//! A mark stands on one resource and holds the inverses of everything that its run plans there (DESIGN rule 6).

mod text;

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Event, Recorded};
use crate::account::{Location, Resource, Setting, Value};
use crate::ids::FaultName;
use crate::ids::RunId;
use crate::judge::weighing::Alpha;
use crate::plan::{Change, ChangeId, Cleanup, Emission, Evidence, Plan, Step};
use crate::units::{Span, Time};

/// The greatest text that a standard SSM parameter holds, in bytes.
pub const MARK_LIMIT: usize = 4096;

/// What a mark says.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    pub run: RunId,
    pub title: String,
    /// Who runs it, and where.
    pub by: String,
    pub made_at: Time,
    /// The run is over by then, or its process is dead.
    pub latest_end: Time,
    /// What the run changes on the marked resource.
    pub changes: Vec<MarkedChange>,
    pub sends: Vec<MarkedSends>,
}

/// A change on the marked resource.
#[derive(Clone, Debug, PartialEq)]
pub struct MarkedChange {
    pub setting: Setting,
    pub before: Value,
    pub after: Value,
    pub whole_before: Option<String>,
}

impl MarkedChange {
    /// Whether rolling it back gives the resource less than what the run gave it: no fault of squall raises a limit, so a
    /// mark that says so may be forged.
    pub fn lowers(&self) -> bool {
        match (&self.before, &self.after) {
            (Value::Number(before), Value::Number(after)) => before < after,
            (Value::Number(_), Value::Unset) => true,
            _ => false,
        }
    }
}

/// Messages to the marked queue.
#[derive(Clone, Debug, PartialEq)]
pub struct MarkedSends {
    pub first: u32,
    pub count: u32,
    pub cleanup: Cleanup,
}

/// A mark that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mark on {resource} is not squall's: {why}")]
pub struct NotAMark {
    pub resource: Resource,
    pub why: String,
}

impl Mark {
    /// The mark that a plan's changes and emissions on `resource` ask for.
    pub fn of(plan: &Plan, resource: &Resource, by: &str) -> Mark {
        let here = plan.changes.values().filter(|c| !c.setting.is_mark() && c.setting.resource() == resource);
        let emissions = plan.steps.iter().filter_map(|step| step.emission.as_ref()).filter(|e| &e.queue == resource);
        Mark {
            run: plan.run.clone(),
            title: plan.title.chars().take(100).collect(),
            by: by.to_owned(),
            made_at: plan.made_at,
            latest_end: plan.latest_end(),
            changes: here
                .map(|c| MarkedChange {
                    setting: c.setting.clone(),
                    before: c.before.clone(),
                    after: c.after.clone(),
                    whole_before: c.whole_before.clone(),
                })
                .collect(),
            sends: emissions
                .map(|e| MarkedSends {
                    first: e.first,
                    count: u32::try_from(e.bodies.len()).unwrap_or(u32::MAX),
                    cleanup: e.cleanup.clone(),
                })
                .collect(),
        }
    }

    /// As the account holds it on this resource. At most [`MARK_LIMIT`] bytes may be written.
    pub fn text(&self, resource: &Resource) -> String {
        text::write(self, resource)
    }

    /// Who has a resource, as the mark on it says: `run-1 of ana@laptop`.
    pub fn holder(resource: &Resource, text: &str) -> String {
        match Mark::parse(resource, text) {
            Ok(mark) => format!("{} of {}", mark.run, mark.by),
            Err(error) => format!("another run ({})", error.why),
        }
    }

    /// Reads what an account holds.
    ///
    /// # Errors
    /// The text is no mark that squall could have written on this resource, or one of a newer squall.
    pub fn parse(resource: &Resource, text: &str) -> Result<Mark, NotAMark> {
        text::read(resource, text)
    }
}

/// Writes the text of every mark that a plan makes; to be called when the rest of the plan stands.
pub fn write_marks(plan: &mut Plan, by: &str) {
    let texts: Vec<(ChangeId, String)> = plan
        .changes
        .iter()
        .filter(|(_, change)| change.setting.is_mark())
        .map(|(id, change)| {
            (*id, {
                let resource = change.setting.resource();
                Mark::of(plan, resource, by).text(resource)
            })
        })
        .collect();
    for (id, text) in texts {
        if let Some(change) = plan.changes.get_mut(&id) {
            change.after = Value::Text(text);
        }
    }
}

/// The journal that one run's marks stand for: everything that they name may have happened.
///
/// The writes are in doubt as of `now`, or as of the latest end of the run when that is past.
pub fn journal_of(marks: &BTreeMap<Resource, Mark>, texts: &BTreeMap<Resource, String>, now: Time) -> Vec<Recorded> {
    let Some(first) = marks.values().next() else { return Vec::new() };
    let accounts: BTreeSet<Location> = marks.keys().map(|resource| resource.location.clone()).collect();
    let mut plan = empty_plan(first, accounts.into_iter().collect());
    let mut next = 0;
    let mut number = |plan: &mut Plan, change: Change| {
        next += 1;
        plan.changes.insert(ChangeId(next), change);
    };
    for (resource, text) in texts.iter().filter(|(resource, _)| marks.contains_key(*resource)) {
        let setting = Setting::Mark { resource: resource.clone() };
        number(&mut plan, change(setting, Value::Unset, Value::Text(text.clone()), None));
    }
    for (resource, mark) in marks {
        for marked in &mark.changes {
            let MarkedChange { setting, before, after, whole_before } = marked.clone();
            number(&mut plan, change(setting, before, after, whole_before));
        }
        for sends in &mark.sends {
            // A run marks the dead-letter queue before it sends. Where that mark is missing nothing was sent, or the
            // mark is forged: no other queue is swept.
            match &sends.cleanup {
                Cleanup::Sweep { dead_letter, .. } if !marks.contains_key(dead_letter) => {}
                _ => plan.steps.push(step_of(resource, sends)),
            }
        }
        plan.made_at = plan.made_at.min(mark.made_at);
    }
    let doubt = marks.values().map(|mark| mark.latest_end).max().map_or(now, |end| end.min(now));
    let mut events: Vec<Event> = plan.changes.keys().map(|id| Event::Changing { change: *id }).collect();
    for (step, planned) in plan.steps.iter().enumerate() {
        let Some(emission) = &planned.emission else { continue };
        let count = u32::try_from(emission.bodies.len()).unwrap_or(u32::MAX);
        events.push(Event::Sending { step, first: emission.first, last: emission.first + count.saturating_sub(1) });
    }
    let started =
        Event::Started { by: first.by.clone(), version: env!("CARGO_PKG_VERSION").into(), plan: Box::new(plan) };
    let numbered = std::iter::once(started).chain(events).zip(1_u64..);
    numbered.map(|(event, seq)| Recorded { seq, at: doubt, event }).collect()
}

fn change(setting: Setting, before: Value, after: Value, whole_before: Option<String>) -> Change {
    Change { setting, before, after, whole_before, expires: None, takes_effect_within: Span::ZERO }
}

fn step_of(queue: &Resource, sends: &MarkedSends) -> Step {
    // The bodies are not known any more, and never sent again; their number is what counts.
    let bodies = (0..sends.count.min(10_000)).map(|_| String::new()).collect();
    Step {
        fault: FaultName("sqs.poison".into()),
        summary: format!("messages to {queue}"),
        hits: vec![queue.clone()],
        at: Span::ZERO,
        lasts: Span::ZERO,
        changes: Vec::new(),
        emission: Some(Emission {
            queue: queue.clone(),
            first: sends.first,
            bodies,
            group: None,
            interval: Span::ZERO,
            cleanup: sends.cleanup.clone(),
        }),
        evidence: Evidence { expect: String::new(), any: Vec::new(), within: Span::ZERO },
    }
}

fn empty_plan(mark: &Mark, accounts: Vec<Location>) -> Plan {
    Plan {
        run: mark.run.clone(),
        title: mark.title.clone(),
        because: "undone from the marks in the account".into(),
        file: String::new(),
        file_hash: String::new(),
        accounts,
        made_at: mark.made_at,
        seed: 0,
        baseline: Span::ZERO,
        recovers_within: Span::ZERO,
        alpha: Alpha::USUAL,
        longest: mark.latest_end.since(mark.made_at),
        changes: BTreeMap::new(),
        steps: Vec::new(),
        signals: Vec::new(),
        stops: Vec::new(),
        load: Vec::new(),
        watches: Vec::new(),
        permissions: Vec::new(),
        warnings: Vec::new(),
    }
}
