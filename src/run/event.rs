//! The events of a run: the only truth about it. Terminal, log, report and roll back all read these and nothing else.
//!
//! Invariant: an event that announces a write is durable before the write goes out (DESIGN rule 1).

use crate::account::switch::Acted;
use crate::account::{CallError, Query, Resource, Sample, SendOutcome, Value, Window};
use crate::ids::RunId;
use crate::judge::verdict::Verdict;
use crate::plan::{ChangeId, Plan};
use crate::units::Time;

/// An event as the journal holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// From 1, without gaps.
    pub seq: u64,
    /// By the account's clock.
    pub at: Time,
    pub event: Event,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Before any fault: the hypotheses must hold.
    Baseline,
    /// Faults go in, stay, and go out on the timeline.
    Fault,
    /// Every inverse is issued, then verified.
    Rollback,
    /// After the last fault is seen gone.
    Recovery,
}

/// What came of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The service acknowledged it.
    Applied,
    /// The service said no, and changed nothing.
    Refused(CallError),
    /// It is not known; it may still land.
    Unknown(String),
}

/// How a change ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Rolled back, and read back.
    Restored,
    /// It never took place, or was back already: the value before was read, and nothing of ours can land any more.
    AlreadyBefore,
    /// Others changed the setting; their value was left alone.
    Theirs { found: Value },
    /// Two values of others, each seen at several looks, or ours put back again and again: something else in the account
    /// goes on changing the setting.
    Contested { found: Value, other: Value },
    /// Its resource no longer exists, and nothing of ours can come back with it.
    ResourceGone,
    /// Rolled back; but others published these versions of its function meanwhile, which hold the run's value for good.
    Published { versions: Vec<String> },
    /// Others deleted its resource while it was changed, and the value before with it.
    Deleted,
    /// It could not be put back, or not be read: it is left as it is.
    Left { why: String },
}

impl Settled {
    /// Whether something that this run did may still be there, or a person must look.
    pub fn needs_attention(&self) -> bool {
        match self {
            Settled::Theirs { .. }
            | Settled::Contested { .. }
            | Settled::Published { .. }
            | Settled::Deleted
            | Settled::Left { .. } => true,
            Settled::Restored | Settled::AlreadyBefore | Settled::ResourceGone => false,
        }
    }
}

/// Why a run stops before its timeline ends. All of them roll everything back.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// A hypothesis broke.
    Broken { signal: usize },
    /// A hypothesis seems to be broken, by values that are not final yet. The final ones decide whether it is.
    Suspected { signal: usize, window: Window },
    /// The baseline did not hold, or had no data.
    Baseline { why: String },
    /// The windows just before the faults, final only now, show that a hypothesis was broken before them.
    BeganBefore { why: String },
    /// A guard's condition was met.
    AbortCondition { title: String, value: f64 },
    /// A guard, a changed setting, or the evidence of a step could not be seen since then.
    Blind { what: String, since: Time },
    /// The run is older than `longest`.
    TooLong,
    /// Interrupted: Ctrl-C, SIGTERM, SIGHUP.
    Signal { name: String },
    /// `squall halt`, or `squall undo` of a live run.
    Asked { by: String },
    /// An injection could not be made.
    Failed { change: ChangeId, why: String },
    /// The dead-man switch could not be armed: nothing was changed.
    NotArmed { why: String },
    /// A changed setting was changed by others in mid-run.
    Drifted { change: ChangeId, found: Value },
    /// A tick came more than 30 s late: a closed laptop, a stopped process.
    Overslept { late_secs: u64 },
    /// This machine's clock was set by more than is tolerated; negative when it went back.
    ClockJumped { by_secs: i64 },
    /// This machine's clock is further ahead of the account's than is tolerated; negative when it is behind.
    ClockOff { by_secs: i64 },
    /// The lease on the run's locks could not be renewed since then, or others removed the lock that carried it: another machine
    /// may take this run for dead.
    LeaseLost { since: Time },
    /// The journal could not be written.
    Journal { why: String },
    /// A fault did not show its effect in time.
    NotEffective { step: usize },
    /// The process that ran it died; another one rolls back.
    Died,
    /// It is a later rollback of a closed run and does nothing else.
    RollsBack { run: RunId },
}

/// What became of an execution of the dead-man switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SwitchEnd {
    /// It was stopped before it woke.
    Stopped,
    /// It woke, and did this.
    Acted { resources: Vec<Acted> },
    /// It woke and could not do all of its work.
    Failed { why: String },
    /// It was announced, and there is none of that name.
    NeverArmed,
    /// It could not be stopped, or not be asked. It does no harm: under a lock that is gone it writes nothing.
    Unstopped { why: String },
}

/// How the messages of an emission were accounted for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MessageAccount {
    /// The queue acknowledged them.
    pub accepted: u32,
    /// The queue said no.
    pub refused: u32,
    /// Sent, with no answer.
    pub unknown: u32,
    /// Deleted from the dead-letter queue.
    pub swept: u32,
    /// Seen in the dead-letter queue and left there.
    pub left: u32,
    /// Numbers of messages that were not seen again while the source queue ran empty: the application took them.
    pub consumed: Vec<u32>,
    /// Numbers of messages that may still lie in a queue.
    pub not_found: Vec<u32>,
    /// Others' messages that the sweep saw and made visible again.
    pub foreign: u32,
}

impl MessageAccount {
    /// Messages that the queue has, or may have, taken.
    pub fn sent(&self) -> usize {
        self.accepted as usize + self.unknown as usize
    }
}

/// One thing that happened, or is about to.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The first event: all that the run will do.
    Started { plan: Box<Plan>, by: String, version: String },
    /// A phase begins.
    Entered { phase: Phase },
    /// A window of a signal closed. `breaks`: its value is outside of the bound; a window without a value never is.
    Sampled { signal: usize, phase: Phase, window: Window, sample: Sample, breaks: bool },
    /// A measurement failed; that is no data.
    Unmeasured { query: Query, window: Window, error: CallError },
    /// What the run relies on cannot be seen, since then: a guard, a changed setting, or the evidence of a step.
    Blind { what: String, since: Time, why: String },
    /// It can be seen again.
    Sighted { what: String },
    /// The end of the baseline did not hold: it goes on until it does, at most to `until`.
    Extended { until: Time, why: String },
    /// Intent: this execution of the dead-man switch is about to be started. Switches are counted from 0, as in the plan.
    Arming { switch: usize },
    /// The account has it: it wakes at `until`.
    Armed { switch: usize, until: Time },
    /// It is over.
    SwitchEnded { switch: usize, how: SwitchEnd },
    /// A step's time has come.
    StepBegins { step: usize },
    /// Intent: the change's `after` is about to be written.
    Changing { change: ChangeId },
    /// What came of it.
    Changed { change: ChangeId, outcome: WriteOutcome },
    /// Intent: the messages with these numbers are about to be sent; none of them is ever sent again.
    Sending { step: usize, first: u32, last: u32 },
    /// What came of them; `Err` when the whole call has no outcome.
    Sent { step: usize, first: u32, last: u32, outcomes: Result<Vec<SendOutcome>, CallError> },
    /// The first evidence that a step's fault works, and since when.
    Effective { step: usize, since: Time, seen: String },
    /// A step's evidence did not come in time.
    NotEffective { step: usize },
    /// squall's own requests of one second.
    Loaded { load: usize, requests: u32, failed: u32 },
    /// A signal is decided: broken.
    SignalBroken { signal: usize, window: Window },
    /// The run stops early. Recorded once, for the first reason.
    Stopping { why: Stop },
    /// Intent of the rollback: the change's `before` is about to be written, over what was found.
    Restoring { change: ChangeId, found: Value },
    /// What came of it.
    Restored { change: ChangeId, outcome: WriteOutcome },
    /// The run's value was read again after the change was settled, because a write without an answer took effect or others put
    /// it back: it is rolled back once more.
    FoundAgain { change: ChangeId },
    /// The rollback cannot go on, and is tried again; recorded at once, and every minute as long as it is so.
    Hindered { why: String },
    /// A change has ended, verified.
    Settled { change: ChangeId, how: Settled },
    /// A message of this run is about to be deleted from the dead-letter queue.
    Sweeping { step: usize, number: u32 },
    /// It is gone.
    Swept { step: usize, number: u32 },
    /// The sweep of a step ended.
    Accounted { step: usize, account: MessageAccount, why: String },
    /// Every change is restored and the wrapper caches and policies have caught up: the recovery counts from here.
    FaultGone,
    /// Another process took the run over; the one before it writes nothing any more.
    TakenOver { by: String, epoch: u64 },
    /// A write had no answer, and it is too early for the last look at these changes: they are to be read again from then on.
    LookAgain { changes: Vec<ChangeId>, from: Time },
    /// A person has looked at what a run left and has taken care of it. The only event of its journal.
    Acknowledged { run: RunId, by: String, reason: String, left: Vec<Left> },
    /// The last event.
    Closed { verdict: Verdict, left: Vec<Left> },
}

impl Event {
    /// Whether nothing may follow it in its journal.
    pub fn is_last(&self) -> bool {
        matches!(self, Event::Closed { .. } | Event::Acknowledged { .. })
    }
}

/// Something that a run leaves behind, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub resource: Resource,
    pub what: String,
    /// A command or a sentence.
    pub remedy: String,
}
