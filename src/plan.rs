//! The plan: everything that a run will do, as a list of changes and emissions on a timeline.
//!
//! Invariant: a plan is complete. What the machine does to an account, forward or back, stands in it; what the
//! user is shown, the locks, the `aws` commands and the rollback are all read off the same list.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::account::{Location, LogSearch, Metric, Query, Resource, Setting, Value};
use crate::ids::FaultName;
use crate::ids::RunId;
use crate::judge::bound::Bound;
use crate::judge::recovery::watched_after;
use crate::judge::weighing::Alpha;
use crate::numbers::{percent, tidy};
use crate::units::{Rate, Share, Span, Time};

/// Numbers a change within a run, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangeId(pub u32);

/// A setting with its value before and after: the one thing that a fault does. With `after` unset it deletes what the setting
/// holds, and the rollback creates it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub setting: Setting,
    pub before: Value,
    pub after: Value,
    /// For a key in a document: the document's bytes when the plan was made.
    pub whole_before: Option<String>,
    /// When the change ends by itself, by the service's clock, even if squall is gone.
    pub expires: Option<Time>,
    /// How long after a write, either way, it takes to work everywhere (a wrapper's cache, IAM's propagation). The
    /// rollback counts from then.
    pub takes_effect_within: Span,
    /// How much longer its effect lasts than the change itself: a message that was delayed stays hidden after the delay is
    /// gone. The recovery counts from then.
    pub lasts_after: Span,
}

/// Messages that a fault sends: they cannot be unsent, but accounted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emission {
    pub queue: Resource,
    /// The number of the first message; numbers are unique within a run, over all of its emissions.
    pub first: u32,
    /// The bodies, in the order of sending; each carries the run's id and its number as its marker.
    pub bodies: Vec<String>,
    /// For a FIFO queue: the group of each message.
    pub group: Option<String>,
    /// Between two sends.
    pub interval: Span,
    pub cleanup: Cleanup,
}

/// Where an emission's messages are looked for afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cleanup {
    /// Sweep the dead-letter queue.
    Sweep {
        dead_letter: Resource,
        /// By when a message must have arrived there after it was sent: maxReceiveCount x visibility, and some.
        arrives_within: Span,
        /// Stop after so many messages that are not this run's.
        foreign_limit: u32,
    },
    /// The experiment says that its messages may stay.
    LeaveInQueue,
}

/// What shows that a fault works, and by when. Any one of the indicators is enough.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// In words, for the plan: `throttles counted, or concurrency falls to 0`.
    pub expect: String,
    pub any: Vec<Indicator>,
    /// Lines in logs that show it as well. They are searched once, when the step is over and nothing else has shown it.
    pub logs: Option<LogSearch>,
    /// By when it is usually seen, counted from the step's first write. It is looked for until the last window of the
    /// step is final.
    pub within: Span,
}

/// One measurement that would show the fault at work.
#[derive(Clone, Debug, PartialEq)]
pub struct Indicator {
    pub query: Query,
    pub test: IndicatorTest,
    /// How long after a window's end its value is final.
    pub settles: Span,
}

impl Indicator {
    /// An indicator whose values are final when they are published.
    pub fn of(metric: Metric, resource: &Resource, test: IndicatorTest) -> Indicator {
        Indicator { query: Query { metric, resource: resource.clone() }, test, settles: metric.delay() }
    }

    /// How long a call may still run that began in a window, after the window's end. What happens to it then is stamped with the
    /// window: a window that ends less than this before a fault may hold the fault's own failures.
    pub fn slowest_call(&self) -> Span {
        self.settles - self.query.metric.delay()
    }
}

/// When an indicator shows a fault at work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum IndicatorTest {
    /// Counted in a window, and in none of the baseline.
    Appears,
    /// A share of calls that is higher than the baseline's noise and trend explain ([`rise`](crate::judge::effectiveness)).
    Rises,
    /// A count that is above every window of the baseline, above what its noise and trend explain, and at least so many times
    /// its mean ([`level`](crate::judge::effectiveness::level)).
    RisesTo { times: f64 },
    /// The queue that the step's messages went to was seen empty twice after the last of them was sent: visible, in
    /// flight and delayed. The query is its depth.
    Emptied,
    /// A message of the step lies in the dead-letter queue, as the sweep finds. The query is that queue's depth, which
    /// tells since when.
    Arrives,
}

impl IndicatorTest {
    /// Whether it looks at every window of the run, the baseline's too.
    pub fn is_windowed(self) -> bool {
        matches!(self, IndicatorTest::Appears | IndicatorTest::Rises | IndicatorTest::RisesTo { .. })
    }
}

/// One fault on the timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub fault: FaultName,
    /// One sentence: `payment-worker may run 0 at a time`.
    pub summary: String,
    /// Everything that feels it: each function of a shared role, not the role alone.
    pub hits: Vec<Resource>,
    /// From the end of the accepted baseline.
    pub at: Span,
    /// Until its rollback begins; for an emission, until nothing more is sent.
    pub lasts: Span,
    /// Changes of settings, in order; rolled back newest first. Locks are not among them: a resource's lock is made before
    /// the first change or message to it, and deleted after the last one is rolled back.
    pub changes: Vec<ChangeId>,
    pub emission: Option<Emission>,
    pub evidence: Evidence,
}

/// How a signal is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalPlan {
    /// The hypothesis that it belongs to.
    pub hypothesis: String,
    /// One sentence: `failed share of shop-api at most 1 %`.
    pub title: String,
    pub query: Query,
    pub bound: Bound,
    /// Length of a window.
    pub every: Span,
    /// How long after a window's end its value is final; see [`Metric::delay`] for when it is there at all.
    pub settles: Span,
    /// The share that may be outside of the bound: of the requests where the bound is itself a share of them, else of the
    /// windows. Zero: not a single one, and it is judged exactly, without a part of alpha.
    pub tolerating: Share,
    /// The badness, as a share of the same, that a verdict of held must be able to have caught.
    pub must_catch: Share,
    /// A value from which on the run stops at once, as a guard.
    pub stop_at: Option<f64>,
    /// The number of the signal that is its control, where it is compared with one.
    pub control: Option<usize>,
    /// Whether the bound must hold while the fault is in; otherwise it may break then and must have recovered in time.
    pub during_fault: DuringFault,
}

impl SignalPlan {
    /// A signal without a bound.
    pub fn watched(why: &str, title: String, query: Query, every: Span) -> SignalPlan {
        SignalPlan {
            hypothesis: why.to_owned(),
            title,
            settles: query.metric.delay(),
            query,
            bound: Bound::Watched,
            every,
            tolerating: Share::default(),
            must_catch: Share::ALL,
            stop_at: None,
            control: None,
            during_fault: DuringFault::MayBreak,
        }
    }

    /// As [`Indicator::slowest_call`].
    pub fn slowest_call(&self) -> Span {
        self.settles - self.query.metric.delay()
    }

    /// Whether it has a bound that decides something.
    pub fn is_judged(&self) -> bool {
        self.bound != Bound::Watched
    }
}

/// What a hypothesis asks of a signal while the fault is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DuringFault {
    /// It holds throughout: baseline, fault, recovery.
    MustHold,
    /// It may break, and holds again within `recovers_within` of the fault seen gone.
    MayBreak,
}

/// When to stop early, whatever the hypotheses say.
#[derive(Clone, Debug, PartialEq)]
pub struct AbortCondition {
    /// As written: `depth of orders > 5000`.
    pub title: String,
    pub query: Query,
    /// The run stops when this holds.
    pub bound: Bound,
    /// How often it is looked at.
    pub every: Span,
}

impl AbortCondition {
    /// How long after it holds the run stops at the latest, if the account answers at once: what is published late counts
    /// for a whole closed minute.
    pub fn reacts_within(&self) -> Span {
        const PERIOD: Span = Span::from_secs(60);
        match self.query.metric.delay() {
            Span::ZERO => self.every,
            delay => PERIOD + delay + self.every,
        }
    }
}

/// Requests that squall itself makes during the run.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadPlan {
    pub target: Resource,
    /// Reached at the start and at the end of the run, in a straight line between.
    pub from: Rate,
    pub to: Rate,
    /// Never more requests than this in all.
    pub at_most: u32,
}

/// An execution of the dead-man switch, armed before the first fault: it rolls back what would stay if the machine that runs squall
/// died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    pub location: Location,
    /// The name of the execution.
    pub name: String,
    /// When it wakes. It is fixed with the plan, and nothing makes it later.
    pub until: Time,
    /// The changes that it rolls back.
    pub changes: Vec<ChangeId>,
}

/// A permission that the run itself needs. The list of them is the least policy for its role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    pub purpose: Purpose,
    /// `lambda:PutFunctionConcurrency`.
    pub action: String,
    /// An ARN, a pattern of ARNs, or `*` where the service knows no resources for the action.
    pub resource: String,
}

/// What a permission is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// To find and describe, before anything is changed.
    Look,
    /// To put a fault in.
    Inject,
    /// To take it out again, and to verify that. Without one of these no fault may go in.
    Rollback,
    /// To judge.
    Measure,
    /// To make requests.
    Load,
}

/// All that a run will do and look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The name of its journal.
    pub run: RunId,
    /// The closed run that this is a later rollback of: nothing goes in, what is left of that run goes out.
    pub rolls_back: Option<RunId>,
    pub title: String,
    pub because: String,
    /// The experiment's file, as given.
    pub file: String,
    /// SHA-256 of the experiment's text, in hex.
    pub file_hash: String,
    /// The values of the experiment's inputs, by name, as written.
    pub inputs: BTreeMap<String, String>,
    /// The accounts of its targets, each in its region.
    pub accounts: Vec<Location>,
    /// When the plan was made, by the account's clock.
    pub made_at: Time,
    pub seed: u64,
    pub baseline: Span,
    /// How long the baseline may last when its end does not hold: it goes on until it does.
    pub baseline_at_most: Span,
    /// After the last fault is seen gone.
    pub recovers_within: Span,
    /// The probability that is allowed to a false alarm, shared by the signals that are judged by evidence.
    pub alpha: Alpha,
    /// The whole run, rollback included, is stopped when it is older.
    pub longest: Span,
    /// Every change of the run, locks included. A resource's lock has a lower number than its changes.
    pub changes: BTreeMap<ChangeId, Change>,
    pub steps: Vec<Step>,
    pub signals: Vec<SignalPlan>,
    pub stops: Vec<AbortCondition>,
    pub load: Vec<LoadPlan>,
    /// Resources that the run watches or changes; no other run may change those meanwhile.
    pub watches: Vec<Resource>,
    /// What is armed before the first fault; empty where nothing stays, or where the account does without.
    pub switches: Vec<Switch>,
    /// The least that squall must be allowed to do.
    pub permissions: Vec<Permission>,
    /// What the user should know before saying yes, in the order of weight.
    pub warnings: Vec<String>,
}

/// How long a rollback that the service refuses or does not answer is tried before its change is reported as left behind.
pub const ROLLBACK_PATIENCE: Span = Span::from_mins(15);
/// How long a run of this length is in the account at the longest, when its rollback takes as long as it can: `rolls_back` by its
/// own changes, [`ROLLBACK_PATIENCE`] where a service refuses them.
pub fn with_rollback(longest: Span, rolls_back: Span) -> Span {
    longest + rolls_back.max(ROLLBACK_PATIENCE)
}

/// How much later than planned a fault may still end: what ends by itself must not end before that. See
/// [`Plan::start_by`].
pub const LATENESS: Span = Span::from_mins(10);
/// How long after its answer was lost a message may still arrive in its queue.
pub const LATE_SEND: Span = Span::from_secs(60);

impl Change {
    /// How long its rollback takes at the worst, with a service that answers: until nothing of ours can land any more, and
    /// until the value from before works everywhere.
    pub fn rolled_back_within(&self) -> Span {
        self.setting.quiet() + self.takes_effect_within
    }

    /// How long after its rollback began nothing of its effect is left, at the worst.
    pub fn effect_gone_within(&self) -> Span {
        self.rolled_back_within() + self.lasts_after
    }
}

impl Emission {
    /// Whether its messages are looked for in that queue afterwards.
    pub fn is_swept_from(&self, queue: &Resource) -> bool {
        matches!(&self.cleanup, Cleanup::Sweep { dead_letter, .. } if dead_letter == queue)
    }

    /// How long after the last message was sent its messages are accounted for at the worst.
    pub fn accounted_within(&self) -> Span {
        match &self.cleanup {
            Cleanup::Sweep { arrives_within, .. } => *arrives_within + LATE_SEND,
            Cleanup::LeaveInQueue => Span::ZERO,
        }
    }
}

impl Step {
    /// When its rollback begins, counted from the end of the baseline.
    pub fn ends(&self) -> Span {
        self.at + self.lasts
    }
}

impl Plan {
    /// Every resource that it changes, sends to or sweeps.
    pub fn touched(&self) -> BTreeSet<Resource> {
        let changed = self.changes.values().map(|change| change.setting.resource().clone());
        let emissions = self.steps.iter().filter_map(|step| step.emission.as_ref());
        let queues = emissions.flat_map(|emission| match &emission.cleanup {
            Cleanup::Sweep { dead_letter, .. } => vec![emission.queue.clone(), dead_letter.clone()],
            Cleanup::LeaveInQueue => vec![emission.queue.clone()],
        });
        changed.chain(queues).collect()
    }

    /// The run that made the changes and sent the messages: this one, or the one that this rolls back.
    pub fn origin(&self) -> &RunId {
        self.rolls_back.as_ref().unwrap_or(&self.run)
    }

    /// By how much the baseline may last longer than planned.
    pub fn longer_baseline(&self) -> Span {
        self.baseline_at_most.max(self.baseline) - self.baseline
    }

    /// From the end of the baseline to the begin of the last rollback.
    pub fn timeline(&self) -> Span {
        self.steps.iter().map(Step::ends).max().unwrap_or(Span::ZERO)
    }

    /// From the begin of the baseline to the planned end of the recovery.
    pub fn length(&self) -> Span {
        self.baseline + self.timeline() + self.recovers_within
    }

    /// How long the rollback of everything takes at the worst, with a service that answers.
    pub fn rolled_back_within(&self) -> Span {
        let changes = self.changes.values().map(Change::rolled_back_within);
        let messages = self.steps.iter().filter_map(|step| step.emission.as_ref()).map(Emission::accounted_within);
        changes.chain(messages).max().unwrap_or(Span::ZERO)
    }

    /// How long after its start the end of the baseline is at the latest: its windows begin at a whole minute, and its
    /// last values are published late.
    pub fn baseline_within(&self) -> Span {
        let align = self.signals.iter().map(|signal| signal.every).max().unwrap_or(Span::ZERO);
        align + self.baseline + self.baseline_settles()
    }

    /// How long after the baseline's last window all of its values are final, those that show a fault among them.
    pub fn baseline_settles(&self) -> Span {
        let signals = self.signals.iter().map(|signal| signal.settles);
        let indicators = self.steps.iter().flat_map(|step| &step.evidence.any);
        let indicators = indicators.filter(|indicator| indicator.test.is_windowed()).map(|indicator| indicator.settles);
        signals.chain(indicators).max().unwrap_or(Span::ZERO)
    }

    /// The longest that the run can take when nothing goes wrong: from its start to the last value of the recovery, or
    /// the last message accounted for.
    pub fn fits_into(&self) -> Span {
        let publish = self.signals.iter().map(|signal| signal.settles).max().unwrap_or(Span::ZERO);
        let changes = self.changes.values().map(Change::effect_gone_within).max().unwrap_or(Span::ZERO);
        let every = self.signals.iter().map(|signal| signal.every).max().unwrap_or(Span::ZERO);
        let recovered = self.timeline() + changes + self.recovers_within + watched_after(every) + publish;
        let accounted =
            self.steps.iter().filter_map(|step| Some(step.ends() + step.emission.as_ref()?.accounted_within()));
        self.baseline_within() + accounted.max().unwrap_or(Span::ZERO).max(recovered)
    }

    /// A run that starts later than this needs a new plan: what it read is old, and a change that ends by itself would
    /// end too early.
    pub fn start_by(&self) -> Time {
        self.made_at + LATENESS
    }

    /// After this nothing of the run is in the account any more, unless its machine died or a rollback was refused.
    pub fn latest_end(&self) -> Time {
        self.start_by() + with_rollback(self.longest, self.rolled_back_within())
    }

    /// The changes in the order of their rollback: newest first, locks last.
    pub fn inverse_order(&self) -> Vec<ChangeId> {
        let newest_first = |locks: bool| {
            let ids = self.changes.iter().rev().filter(move |(_, change)| change.setting.is_lock() == locks);
            ids.map(|(id, _)| *id)
        };
        newest_first(false).chain(newest_first(true)).collect()
    }

    /// Every resource that the run changes or sends messages to or sweeps: those that carry its lock.
    pub fn changed_resources(&self) -> BTreeSet<Resource> {
        self.changes.values().map(|change| change.setting.resource().clone()).collect()
    }

    /// Everything that feels a fault.
    pub fn hits(&self) -> BTreeSet<Resource> {
        self.steps.iter().flat_map(|step| step.hits.iter().cloned()).collect()
    }

    /// The value at which a guard was met, as it reads: `21 %` of a share.
    pub fn met_at(&self, guard: &str, value: f64) -> String {
        let stops = self.stops.iter().map(|stop| (&stop.title, &stop.query));
        let rails = self.signals.iter().map(|signal| (&signal.title, &signal.query));
        match stops.chain(rails).find(|(title, _)| *title == guard) {
            Some((_, query)) if query.metric.is_share() => percent(value),
            _ => tidy(value).to_string(),
        }
    }

    /// The dead-man switch that rolls a change back if nothing else does.
    pub fn switch_of(&self, change: ChangeId) -> Option<&Switch> {
        self.switches.iter().find(|switch| switch.changes.contains(&change))
    }

    /// The setting's changes that do not end by themselves: they stay if the machine that runs squall dies.
    pub fn stays_alone(&self) -> impl Iterator<Item = (ChangeId, &Change)> {
        let staying = self.changes.iter().filter(|(_, change)| !change.setting.is_lock() && change.expires.is_none());
        staying.map(|(id, change)| (*id, change))
    }
}
