//! The store: journals, ownership of runs, claims on resources, and the halt switch.
//!
//! Invariant: an append is durable when it returns, and is refused when another process has taken the run over.

pub mod aftermath;
pub mod approvals;
#[cfg(test)]
mod contract;
pub mod days;
pub mod forgetful;
pub mod invitations;
pub mod memory;
pub mod occurrences;
pub mod outbox;
pub mod prune;
pub mod sqlite;

use std::collections::BTreeSet;

use self::approvals::ApprovalRow;
use self::occurrences::{Fate, OccurrenceKey, OccurrenceRow};
use self::outbox::{Outgoing, Tried, WaitingMail};
use self::prune::Pruned;
use crate::access::Act;
use crate::access::token::TokenRow;
use crate::account::Resource;
use crate::ids::{RunId, ScheduleName};
use crate::judge::verdict::Verdict;
use crate::run::event::{Event, Left, Recorded};
use crate::units::Time;

/// Rises each time that a run changes hands; only the newest may append.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// Why the store did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process took the run over; the process that gets this writes nothing any more.
    #[error("run {run} was taken over by {by}")]
    EpochLost { run: RunId, by: String },
    /// There is no such run.
    #[error("there is no run {0}; `squall status` lists them")]
    NoSuchRun(RunId),
    /// Disk full, file unreadable, database gone.
    #[error("the journal cannot be used: {0}")]
    Failed(String),
    /// A newer squall wrote an event, and this one cannot read it.
    #[error(
        "event {seq} of {run} has format {format}; this version of squall reads formats up to {}; use the version \
         that wrote it, or roll back from the locks in the account: squall undo --account NAME",
        crate::format::VERSION
    )]
    Newer { run: RunId, seq: u64, format: u32 },
    /// The run has its last event: nothing is added to its journal any more.
    #[error("run {0} has ended; later work on it has its own journal")]
    Closed(RunId),
    /// The journal's chain does not hold: an event was changed, lost or put in from outside.
    #[error("the journal of {run} is damaged at event {seq}: {why}")]
    Damaged { run: RunId, seq: u64, why: String },
}

impl StoreError {
    /// Only what has ended is removed.
    fn not_closed(run: &RunId) -> StoreError {
        StoreError::Failed(format!("{run} has not ended, and stays"))
    }

    fn exists(run: &RunId) -> StoreError {
        StoreError::Failed(format!("run {run} already exists"))
    }

    /// Refuses events that do not follow the last one of a journal without a gap.
    fn check_numbers(run: &RunId, last: u64, events: &[Recorded]) -> Result<(), StoreError> {
        match (last + 1..).zip(events).find(|(expected, event)| *expected != event.seq) {
            None => Ok(()),
            Some((expected, event)) => Err(StoreError::Failed(format!(
                "event {} of {run} was to be written at position {expected}; this is a bug in squall",
                event.seq
            ))),
        }
    }
}

/// A claim that another run's claim forbids.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("run {run} {does} {resource}")]
pub struct Conflict {
    pub run: RunId,
    /// `changes` or `watches`.
    pub does: String,
    pub resource: Box<Resource>,
}

/// One run in the store's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    pub run: RunId,
    pub title: String,
    /// The experiment's file.
    pub file: String,
    /// SHA-256 of its experiment's text, in hex.
    pub file_hash: String,
    /// Of its first event.
    pub started: Option<Time>,
    /// Who runs it now.
    pub owner: String,
    /// How often it changed hands, from 1.
    pub epoch: Epoch,
    /// Whether a process holds it at this moment.
    pub alive: bool,
    /// From its last event, when it is closed.
    pub verdict: Option<Verdict>,
    /// What its last event says is left.
    pub left: Vec<Left>,
    /// What is to be looked at once more, because a write had no answer.
    pub look_again: Option<LookAgain>,
    /// What its journal is of.
    pub kind: JournalKind,
}

/// What a closed journal wants looked at once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookAgain {
    pub resources: BTreeSet<Resource>,
    /// Before that, a write may still take effect.
    pub from: Time,
}

/// What a journal is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalKind {
    /// A run; also what wrote nothing yet, and what cannot be read.
    Run,
    /// A later rollback of a closed run, or of one whose journal is not here.
    Rollback {
        of: RunId,
        /// Everything that it looks at.
        covers: BTreeSet<Resource>,
    },
    /// A person took care of what a run left.
    Acknowledgement { of: RunId, by: String, reason: String, left: Vec<Left> },
}

impl RunRow {
    /// A run that wrote nothing yet.
    fn empty(run: RunId, owner: String, epoch: Epoch, alive: bool) -> RunRow {
        RunRow {
            run,
            title: String::new(),
            file: String::new(),
            file_hash: String::new(),
            started: None,
            owner,
            epoch,
            alive,
            verdict: None,
            left: Vec::new(),
            look_again: None,
            kind: JournalKind::Run,
        }
    }

    /// With its first event, when that is known. What cannot be read was begun all the same.
    fn begun(mut self, at: Option<Time>, first: Option<&Event>) -> RunRow {
        self.started = at;
        match first {
            Some(Event::Started { plan, .. }) => {
                self.title.clone_from(&plan.title);
                self.file.clone_from(&plan.file);
                self.file_hash.clone_from(&plan.file_hash);
                if let Some(of) = plan.rolls_back.clone() {
                    self.kind = JournalKind::Rollback { of, covers: plan.touched() };
                }
            }
            Some(Event::Acknowledged { run, by, reason, left }) => {
                let (of, by, reason, left) = (run.clone(), by.clone(), reason.clone(), left.clone());
                self.kind = JournalKind::Acknowledgement { of, by, reason, left };
            }
            _ => {}
        }
        self
    }

    /// The run that its journal is about: itself, or the one that was rolled back or acknowledged.
    pub fn origin(&self) -> &RunId {
        match &self.kind {
            JournalKind::Run => &self.run,
            JournalKind::Rollback { of, .. } | JournalKind::Acknowledgement { of, .. } => of,
        }
    }

    /// Whether its journal has its last event.
    pub fn is_closed(&self) -> bool {
        self.verdict.is_some() || matches!(self.kind, JournalKind::Acknowledgement { .. })
    }

    /// With its first and its last two events.
    fn ended(mut self, first: Option<&Event>, before: Option<&Event>, last: Option<&Event>) -> RunRow {
        if let Some(Event::Closed { verdict, left }) = last {
            (self.verdict, self.left) = (Some(verdict.clone()), left.clone());
            if let (Some(Event::Started { plan, .. }), Some(Event::LookAgain { changes, from })) = (first, before) {
                let changes = changes.iter().filter_map(|id| plan.changes.get(id));
                let resources = changes.map(|change| change.setting.resource().clone()).collect();
                self.look_again = Some(LookAgain { resources, from: *from });
            }
        }
        self
    }
}

/// The events of a run that this squall can read.
#[derive(Clone, Debug, PartialEq)]
pub struct Readable {
    /// In order; where others were skipped, with gaps between their numbers.
    pub events: Vec<Recorded>,
    /// The number of the journal's last event, readable or not.
    pub last: u64,
    /// How many events of a newer squall are not among them.
    pub skipped: usize,
}

/// What stands against a claim: what one run changes, no other changes or watches.
fn conflict_between(
    changes: &[Resource],
    watches: &[Resource],
    other: &RunId,
    other_changes: &[Resource],
    other_watches: &[Resource],
) -> Option<Conflict> {
    let conflict = |does: &str, resource: &Resource| Conflict {
        run: other.clone(),
        does: does.into(),
        resource: Box::new(resource.clone()),
    };
    let changed = changes.iter().chain(watches).find(|resource| other_changes.contains(resource));
    let watched = changes.iter().find(|resource| other_watches.contains(resource));
    changed.map(|resource| conflict("changes", resource)).or(watched.map(|resource| conflict("watches", resource)))
}

/// What every store can do.
pub trait Store {
    /// Creates a run and makes this process its owner, for as long as this store value lives.
    fn create(&mut self, run: &RunId, owner: &str) -> Result<Epoch, StoreError>;

    /// Appends events, durably and all or none; nothing follows the last event of a run.
    /// Their numbers follow those in the journal without a gap.
    fn append(&mut self, run: &RunId, epoch: Epoch, events: &[Recorded]) -> Result<(), StoreError>;

    /// Every event of a run, in order, its chain checked.
    fn events(&self, run: &RunId) -> Result<Vec<Recorded>, StoreError>;

    /// The events of a run after a number, in order, so many at the most. Their chain is not checked: for those who follow a run.
    fn events_after(&self, run: &RunId, seq: u64, most: usize) -> Result<Vec<Recorded>, StoreError> {
        Ok(self.events(run)?.into_iter().filter(|event| event.seq > seq).take(most).collect())
    }

    /// What is needed of a run to roll it back: its events without those of kinds that only a newer squall knows.
    fn to_roll_back(&self, run: &RunId) -> Result<Readable, StoreError> {
        let events = self.events(run)?;
        Ok(Readable { last: events.last().map_or(0, |last| last.seq), events, skipped: 0 })
    }

    /// Every run, newest first.
    fn runs(&self) -> Result<Vec<RunRow>, StoreError>;

    /// Whether a process holds the run now.
    fn is_alive(&self, run: &RunId) -> Result<bool, StoreError>;

    /// Takes a run over that is not closed: raises its epoch, so that the process before can append nothing any more.
    fn take_over(&mut self, run: &RunId, owner: &str) -> Result<Epoch, StoreError>;

    /// Asks a live run to stop and roll back.
    fn ask_to_stop(&mut self, run: &RunId, by: &str) -> Result<(), StoreError>;

    /// Who asked the run to stop, if it was asked: by name, or by the halt switch.
    fn stop_asked(&self, run: &RunId) -> Result<Option<String>, StoreError>;

    /// Claims what a run changes and watches, all or nothing. A resource may be watched by many and changed by one that alone watches it.
    /// Claims of runs that are closed do not count.
    fn claim(
        &mut self,
        run: &RunId,
        changes: &[Resource],
        watches: &[Resource],
    ) -> Result<Result<(), Conflict>, StoreError>;

    /// Gives a run's claims back.
    fn release(&mut self, run: &RunId) -> Result<(), StoreError>;

    /// Halts everything: every live run stops and rolls back, no new one starts. `None` lifts it.
    fn set_halt(&mut self, by: Option<&str>) -> Result<(), StoreError>;

    /// Who halted, if it is halted.
    fn halted(&self) -> Result<Option<String>, StoreError>;

    /// The time after which a schedule's next occurrence comes: that of the last one that was claimed, or when the schedule was
    /// first seen with this definition. Remembers the definition, so that time away is known as such and a changed schedule
    /// is not held against what its old form missed.
    fn counted_from(&mut self, schedule: &ScheduleName, definition: &str, now: Time) -> Result<Time, StoreError>;

    /// Decides an occurrence, durably. `false`: another process or an earlier one has decided it already, and nothing is changed.
    fn claim_occurrence(&mut self, row: &OccurrenceRow) -> Result<bool, StoreError>;

    /// Says what became of a claimed occurrence in the end.
    fn settle_occurrence(&mut self, key: &OccurrenceKey, fate: &Fate) -> Result<(), StoreError>;

    /// The occurrences that were decided since an instant, in the order of their times.
    fn occurrences(&self, since: Time) -> Result<Vec<OccurrenceRow>, StoreError>;

    /// Keeps a token, in place of the one of its name.
    fn put_token(&mut self, row: &TokenRow) -> Result<(), StoreError>;

    /// Every token, by name; those that were revoked as well.
    fn tokens(&self) -> Result<Vec<TokenRow>, StoreError>;

    /// Notes an act of a person, durably.
    fn note(&mut self, act: &Act) -> Result<(), StoreError>;

    /// What was done since an instant, in the order in which it was noted.
    fn acts(&self, since: Time) -> Result<Vec<Act>, StoreError>;

    /// Keeps an approval, in place of the same person's of the same plan.
    fn approve(&mut self, row: &ApprovalRow) -> Result<(), StoreError>;

    /// Every approval of a schedule's plans, in the order of their times; those that are used up or too old as well.
    fn approvals(&self, schedule: &ScheduleName) -> Result<Vec<ApprovalRow>, StoreError>;

    /// A run begins with the approvals of a plan: they count for no other.
    fn use_approvals(&mut self, schedule: &ScheduleName, plan: &str, run: &RunId) -> Result<(), StoreError>;

    /// Removes the journals of these runs, all or none, and occurrences and approvals from before an instant; the last occurrence
    /// of each schedule stays. A run that has not ended is an error. What must stay is for callers to know
    /// ([`prune::choose`]).
    fn prune(&mut self, runs: &[RunId], before: Time) -> Result<Pruned, StoreError>;

    /// Queues messages that are not there yet, by channel and id, all or none. How many were new.
    fn queue(&mut self, messages: &[Outgoing]) -> Result<usize, StoreError>;

    /// The messages that are to be tried by now, so many at the most, the longest due first.
    fn due(&self, now: Time, most: usize) -> Result<Vec<Outgoing>, StoreError>;

    /// Records what came of trying to deliver a message.
    fn tried(&mut self, number: i64, tried: &Tried) -> Result<(), StoreError>;

    /// How many messages were not delivered.
    fn mail(&self) -> Result<WaitingMail, StoreError>;

    /// Forgets messages that were delivered or given up, and were queued before an instant. How many.
    fn forget_mail(&mut self, before: Time) -> Result<usize, StoreError>;
}
