//! The rollback ledger: every change, what it was before and after, and how it was put back.

use std::collections::BTreeMap;

use crate::account::{Resource, Setting, Value};
use crate::plan::ChangeId;
use crate::report::words;
use crate::run::event::{Event, Settled, WriteOutcome};
use crate::run::state::State;
use crate::units::Time;

/// One change of the plan and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerEntry {
    pub change: ChangeId,
    pub setting: String,
    /// The setting itself, which knows the unit of its values.
    pub on: Setting,
    pub resource: Resource,
    /// Whether it is squall's own lock on a resource, which users of the application never see.
    pub is_lock: bool,
    /// The step that it belongs to, from 1; a lock belongs to none.
    pub step: Option<usize>,
    pub before: Value,
    pub after: Value,
    /// When the write was announced, and when its outcome came.
    pub announced: Option<Time>,
    pub written: Option<Time>,
    /// When the first inverse was announced, and how many were.
    pub undo_began: Option<Time>,
    pub undo_tries: u32,
    /// When the change was settled: for a restored one, when the value before was read back.
    pub settled_at: Option<Time>,
    pub status: Status,
}

/// Where a change stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// Its time never came.
    NotMade,
    /// The service refused it, and nothing was changed.
    Refused,
    /// It is, or may be, in the account.
    Outstanding,
    /// It has ended.
    Settled(Settled),
}

/// When changes were tried, which the state does not keep.
#[derive(Debug, Default)]
pub struct Tries(BTreeMap<ChangeId, Try>);

#[derive(Debug, Default)]
struct Try {
    announced: Option<Time>,
    written: Option<Time>,
    undo_began: Option<Time>,
    undo_tries: u32,
}

impl Tries {
    /// Takes in an event; those that are not about a change do nothing.
    pub fn take(&mut self, at: Time, event: &Event) {
        match event {
            Event::Changing { change } => {
                self.0.entry(*change).or_default().announced.get_or_insert(at);
            }
            Event::Changed { change, outcome: WriteOutcome::Applied } => {
                self.0.entry(*change).or_default().written.get_or_insert(at);
            }
            Event::Restoring { change, .. } => {
                let tried = self.0.entry(*change).or_default();
                tried.undo_began.get_or_insert(at);
                tried.undo_tries = tried.undo_tries.saturating_add(1);
            }
            _ => {}
        }
    }
}

/// The ledger of a run, in the order of its changes.
pub fn of(state: &State, tries: &Tries) -> Vec<LedgerEntry> {
    let nothing = Try::default();
    let plan = &state.plan;
    let entry = |(id, change): (&ChangeId, &crate::plan::Change)| {
        let tried = tries.0.get(id).unwrap_or(&nothing);
        let life = state.lives.get(id);
        let settled = life.and_then(|life| life.settled.clone());
        let status = match (&settled, life) {
            (Some((_, how)), _) => Status::Settled(how.clone()),
            (None, Some(life)) if life.outstanding() => Status::Outstanding,
            (None, Some(life)) if life.intended.is_some() => Status::Refused,
            (None, _) => Status::NotMade,
        };
        LedgerEntry {
            change: *id,
            setting: words::one_line(&change.setting.describe()),
            on: change.setting.clone(),
            resource: change.setting.resource().clone(),
            is_lock: change.setting.is_lock(),
            step: plan.steps.iter().position(|step| step.changes.contains(id)).map(|index| index + 1),
            before: change.before.clone(),
            after: change.after.clone(),
            // A rollback of another run knows what that may have written, and not when.
            announced: tried.announced.filter(|_| plan.rolls_back.is_none()),
            written: tried.written.filter(|_| plan.rolls_back.is_none()),
            undo_began: tried.undo_began,
            undo_tries: tried.undo_tries,
            settled_at: settled.map(|(at, _)| at),
            status,
        }
    };
    plan.changes.iter().map(entry).collect()
}

impl LedgerEntry {
    /// What became of it, in a few words.
    pub fn sentence(&self) -> String {
        match &self.status {
            Status::NotMade => "not made".into(),
            Status::Refused => "refused; nothing changed".into(),
            Status::Outstanding => "outstanding: it may be in the account".into(),
            Status::Settled(how) => words::settled(&self.on, how),
        }
    }
}

impl Status {
    /// Whether somebody must look: it may still be there, or somebody else changed it.
    pub fn needs_attention(&self) -> bool {
        match self {
            Status::NotMade | Status::Refused => false,
            Status::Outstanding => true,
            Status::Settled(how) => how.needs_attention(),
        }
    }

    /// Whether it took place, or may have.
    pub fn was_made(&self) -> bool {
        !matches!(self, Status::NotMade | Status::Refused)
    }
}
