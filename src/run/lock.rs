//! The text of a lock: enough to roll back a run when its journal died with its machine.
//!
//! A lock stands on one resource and holds the inverses of everything that its run plans there (DESIGN rule 6).

mod first;
mod signed;
mod text;

use std::collections::{BTreeMap, BTreeSet};

pub use signed::{signature, signed, to_sign};

use super::event::{Event, Recorded};
use crate::account::{Location, Resource, Setting, Value};
use crate::clock::LEASE;
use crate::ids::FaultName;
use crate::ids::RunId;
use crate::judge::weighing::Alpha;
use crate::plan::{Change, ChangeId, Cleanup, Emission, Evidence, Plan, Step};
use crate::units::{Span, Time};

/// The greatest text that a standard SSM parameter holds, in bytes.
pub const LOCK_LIMIT: usize = 4096;

/// What a lock says.
#[derive(Clone, Debug, PartialEq)]
pub struct Lock {
    pub run: RunId,
    pub title: String,
    /// Who runs it, and where.
    pub by: String,
    pub made_at: Time,
    /// The run is over by then, or its process is dead.
    pub latest_end: Time,
    /// How long after its last sign of life its owner counts as gone; none: its owner gives no such signs.
    pub lease: Option<Span>,
    /// What the run changes on the locked resource.
    pub changes: Vec<LockedChange>,
    pub sends: Vec<LockedSends>,
}

/// A change on the locked resource.
#[derive(Clone, Debug, PartialEq)]
pub struct LockedChange {
    pub setting: Setting,
    pub before: Value,
    pub after: Value,
    pub whole_before: Option<String>,
}

impl LockedChange {
    /// Whether the run changed it to where faults do not change it: no fault of squall raises a limit or shortens a delay, so a
    /// lock that says so may be forged.
    pub fn is_against_faults(&self) -> bool {
        match (&self.before, &self.after) {
            (Value::Number(before), Value::Number(after)) if self.setting.faults_raise() => before > after,
            (Value::Number(before), Value::Number(after)) => before < after,
            (Value::Number(_), Value::Unset) => !self.setting.faults_raise(),
            _ => false,
        }
    }
}

/// Messages to the locked queue.
#[derive(Clone, Debug, PartialEq)]
pub struct LockedSends {
    pub first: u32,
    pub count: u32,
    pub cleanup: Cleanup,
}

/// A lock that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lock on {resource} is not squall's: {why}")]
pub struct NotALock {
    pub resource: Box<Resource>,
    pub why: String,
}

impl Lock {
    /// The lock that a plan's changes and emissions on `resource` ask for.
    pub fn of(plan: &Plan, resource: &Resource, by: &str) -> Lock {
        let here = plan.changes.values().filter(|c| !c.setting.is_lock() && c.setting.resource() == resource);
        let emissions = plan.steps.iter().filter_map(|step| step.emission.as_ref()).filter(|e| &e.queue == resource);
        Lock {
            run: plan.run.clone(),
            title: plan.title.chars().take(100).collect(),
            by: by.to_owned(),
            made_at: plan.made_at,
            latest_end: plan.latest_end(),
            lease: Some(LEASE),
            changes: here
                .map(|c| LockedChange {
                    setting: c.setting.clone(),
                    before: c.before.clone(),
                    after: c.after.clone(),
                    whole_before: c.whole_before.clone(),
                })
                .collect(),
            sends: emissions
                .map(|e| LockedSends {
                    first: e.first,
                    count: u32::try_from(e.bodies.len()).unwrap_or(u32::MAX),
                    cleanup: e.cleanup.clone(),
                })
                .collect(),
        }
    }

    /// As the account holds it on this resource. At most [`LOCK_LIMIT`] bytes may be written.
    pub fn text(&self, resource: &Resource) -> String {
        text::write(self, resource)
    }

    /// Who has a resource, as the lock on it says: `run-1 of ana@laptop`.
    pub fn holder(resource: &Resource, text: &str) -> String {
        match Lock::parse(resource, text) {
            Ok(lock) => format!("{} of {}", lock.run, lock.by),
            Err(error) => format!("another run ({})", error.why),
        }
    }

    /// Reads what an account holds.
    ///
    /// # Errors
    /// The text is no lock that squall could have written on this resource, or one of a newer squall.
    pub fn parse(resource: &Resource, text: &str) -> Result<Lock, NotALock> {
        text::read(resource, text)
    }
}

/// Writes the text of every lock that a plan makes; to be called when the rest of the plan stands.
pub fn write_locks(plan: &mut Plan, by: &str) {
    let texts: Vec<(ChangeId, String)> = plan
        .changes
        .iter()
        .filter(|(_, change)| change.setting.is_lock())
        .map(|(id, change)| {
            (*id, {
                let resource = change.setting.resource();
                Lock::of(plan, resource, by).text(resource)
            })
        })
        .collect();
    for (id, text) in texts {
        if let Some(change) = plan.changes.get_mut(&id) {
            change.after = Value::Text(text);
        }
    }
}

/// The journal, named `key`, of a later rollback of the run that these locks are of: everything that they name may have
/// happened.
///
/// The writes are in doubt as of `now`, or as of the latest end of the run when that is past.
pub fn journal_of(
    key: RunId,
    locks: &BTreeMap<Resource, Lock>,
    texts: &BTreeMap<Resource, String>,
    now: Time,
) -> Vec<Recorded> {
    let Some(first) = locks.values().next() else { return Vec::new() };
    let accounts: BTreeSet<Location> = locks.keys().map(|resource| resource.location.clone()).collect();
    let mut plan = empty_plan(key, first, accounts.into_iter().collect());
    let mut next = 0;
    let mut number = |plan: &mut Plan, change: Change| {
        next += 1;
        plan.changes.insert(ChangeId(next), change);
    };
    for (resource, text) in texts.iter().filter(|(resource, _)| locks.contains_key(*resource)) {
        let setting = Setting::Lock { resource: resource.clone() };
        number(&mut plan, change(setting, Value::Unset, Value::Text(text.clone()), None));
    }
    for (resource, lock) in locks {
        for locked in &lock.changes {
            let LockedChange { setting, before, after, whole_before } = locked.clone();
            number(&mut plan, change(setting, before, after, whole_before));
        }
        for sends in &lock.sends {
            // A run locks the dead-letter queue before it sends. Where that lock is missing nothing was sent, or the
            // lock is forged: no other queue is swept.
            match &sends.cleanup {
                Cleanup::Sweep { dead_letter, .. } if !locks.contains_key(dead_letter) => {}
                _ => plan.steps.push(step_of(resource, sends)),
            }
        }
        plan.made_at = plan.made_at.min(lock.made_at);
    }
    let doubt = locks.values().map(|lock| lock.latest_end).max().map_or(now, |end| end.min(now));
    let mut events: Vec<Event> = plan.changes.keys().map(|id| Event::Changing { change: *id }).collect();
    for (step, planned) in plan.steps.iter().enumerate() {
        let Some(emission) = &planned.emission else { continue };
        let count = u32::try_from(emission.bodies.len()).unwrap_or(u32::MAX);
        events.push(Event::Sending { step, first: emission.first, last: emission.first + count.saturating_sub(1) });
    }
    let started =
        Event::Started { by: first.by.clone(), version: env!("CARGO_PKG_VERSION").into(), plan: Box::new(plan) };
    let numbered = std::iter::once(started).chain(events).zip(1_u64..);
    numbered.map(|(event, seq)| Recorded { seq, at: if seq == 1 { now } else { doubt }, event }).collect()
}

fn change(setting: Setting, before: Value, after: Value, whole_before: Option<String>) -> Change {
    Change {
        setting,
        before,
        after,
        whole_before,
        expires: None,
        takes_effect_within: Span::ZERO,
        lasts_after: Span::ZERO,
    }
}

fn step_of(queue: &Resource, sends: &LockedSends) -> Step {
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
        evidence: Evidence { expect: String::new(), any: Vec::new(), logs: None, within: Span::ZERO },
    }
}

fn empty_plan(key: RunId, lock: &Lock, accounts: Vec<Location>) -> Plan {
    Plan {
        run: key,
        rolls_back: Some(lock.run.clone()),
        title: lock.title.clone(),
        because: "a later rollback from the locks in the account".into(),
        file: String::new(),
        file_hash: String::new(),
        inputs: BTreeMap::new(),
        accounts,
        made_at: lock.made_at,
        seed: 0,
        baseline: Span::ZERO,
        baseline_at_most: Span::ZERO,
        recovers_within: Span::ZERO,
        alpha: Alpha::USUAL,
        longest: lock.latest_end.since(lock.made_at),
        changes: BTreeMap::new(),
        steps: Vec::new(),
        signals: Vec::new(),
        stops: Vec::new(),
        load: Vec::new(),
        watches: Vec::new(),
        switches: Vec::new(),
        permissions: Vec::new(),
        warnings: Vec::new(),
    }
}
