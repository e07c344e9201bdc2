//! Journals of squall 0.1.0, read only. This never changes: `tests/formats/0.1.0` holds what it has to read.
//!
//! What has several forms is a word or an object with one key, lengths of time are microseconds, and accounts are the
//! nicknames of one project's `squall.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::Convert;
use crate::account::{self, AccountIdentity, Location, Region, ResourceKind, setting, signal};
use crate::ids::FaultName;
use crate::ids::RunId;
use crate::judge::verdict;
use crate::judge::weighing::Alpha;
use crate::judge::{bound, budget};
use crate::plan::{self, ChangeId};
use crate::run::event;
use crate::units::{Rate, Share, Span, Time};

/// Microseconds.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Micros(i64);

impl Convert<Span> for Micros {
    fn convert(self) -> Span {
        Span::from_micros(self.0)
    }
}

/// The nickname of an account.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Nickname(AccountIdentity);

impl Convert<Location> for Nickname {
    fn convert(self) -> Location {
        Location { account: self.0, region: Region::default() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resource {
    account: Nickname,
    kind: ResourceKind,
    name: String,
}

impl Convert<account::Resource> for Resource {
    fn convert(self) -> account::Resource {
        account::Resource { location: self.account.convert(), kind: self.kind, name: self.name, qualifier: None }
    }
}

/// What came of a call that sends messages; serde's own form of a result.
#[derive(Deserialize)]
pub(super) enum Sent {
    Ok(Vec<SendOutcome>),
    Err(CallError),
}

impl Convert<Result<Vec<account::SendOutcome>, account::CallError>> for Sent {
    fn convert(self) -> Result<Vec<account::SendOutcome>, account::CallError> {
        match self {
            Sent::Ok(outcomes) => Ok(outcomes.convert()),
            Sent::Err(error) => Err(error.convert()),
        }
    }
}

/// Defines a type of version 1 beside the type inside that it is read into. `with` is what version 1 did not know.
macro_rules! read_only {
    () => {};
    (
        $vis:vis struct $name:ident = $module:ident::$inside:ident $(with { $($new:ident: $value:expr),* })? {
            $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)?
        }
        $($rest:tt)*
    ) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        $vis struct $name { $($(#[$field_meta])* $field: $type),* }

        impl Convert<$module::$inside> for $name {
            fn convert(self) -> $module::$inside {
                $(let $field = self.$field.convert();)*
                $module::$inside { $($($new: $value,)*)? $($field),* }
            }
        }

        read_only! { $($rest)* }
    };
    (
        $vis:vis enum $name:ident = $module:ident::$inside:ident {
            $($(#[$variant_meta:meta])* $variant:ident $(($tuple:ident: $tuple_type:ty))? $({ $($field:ident: $type:ty),* $(,)? })?),* $(,)?
        }
        $($rest:tt)*
    ) => {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case", deny_unknown_fields)]
        $vis enum $name { $($(#[$variant_meta])* $variant $(($tuple_type))? $({ $($field: $type),* })?),* }

        impl Convert<$module::$inside> for $name {
            fn convert(self) -> $module::$inside {
                match self {
                    $($name::$variant $(($tuple))? $({ $($field),* })? => {
                        $module::$inside::$variant $(($tuple.convert()))? $({ $($field: $field.convert()),* })?
                    }),*
                }
            }
        }

        read_only! { $($rest)* }
    };
}

read_only! {
    pub(super) enum Event = event::Event {
        Started { plan: Box<Plan>, by: String, version: String },
        Entered { phase: Phase },
        Sampled { signal: usize, phase: Phase, window: Window, sample: Sample, breaks: bool },
        Unmeasured { query: Query, window: Window, error: CallError },
        StepBegins { step: usize },
        Changing { change: ChangeId },
        Changed { change: ChangeId, outcome: WriteOutcome },
        Sending { step: usize, first: u32, last: u32 },
        Sent { step: usize, first: u32, last: u32, outcomes: Sent },
        Effective { step: usize, since: Time, seen: String },
        NotEffective { step: usize },
        Loaded { load: usize, requests: u32, failed: u32 },
        SignalBroken { signal: usize, window: Window },
        Stopping { why: Stop },
        Restoring { change: ChangeId, found: Value },
        Restored { change: ChangeId, outcome: WriteOutcome },
        Settled { change: ChangeId, how: Settled },
        Sweeping { step: usize, number: u32 },
        Swept { step: usize, number: u32 },
        Accounted { step: usize, account: MessageAccount, why: String },
        FaultGone,
        TakenOver { by: String, epoch: u64 },
        Closed { verdict: Verdict, left: Vec<Left> },
    }

    pub(super) enum Phase = event::Phase { Baseline, Fault, #[serde(rename = "undo")] Rollback, Recovery }

    pub(super) enum WriteOutcome = event::WriteOutcome { Applied, Refused(error: CallError), Unknown(why: String) }

    pub(super) enum Settled = event::Settled {
        Restored, AlreadyBefore, Theirs { found: Value }, ResourceGone, Left { why: String },
    }

    pub(super) enum Stop = event::Stop {
        Broken { signal: usize },
        Baseline { why: String },
        #[serde(rename = "guard")]
        AbortCondition { title: String, value: f64 },
        TooLong,
        Signal { name: String },
        Asked { by: String },
        Failed { change: ChangeId, why: String },
        Drifted { change: ChangeId, found: Value },
        Overslept { late_secs: u64 },
        Journal { why: String },
        NotEffective { step: usize },
        Died,
    }

    pub(super) struct MessageAccount = event::MessageAccount {
        accepted: u32,
        refused: u32,
        unknown: u32,
        swept: u32,
        left: u32,
        consumed: Vec<u32>,
        not_found: Vec<u32>,
        foreign: u32,
    }

    pub(super) struct Left = event::Left { resource: Resource, what: String, remedy: String }

    pub(super) struct Verdict = verdict::Verdict {
        #[serde(rename = "finding")]
        kind: VerdictKind,
        reasons: BTreeSet<String>,
    }

    pub(super) enum VerdictKind = verdict::VerdictKind { Held, Unknown, Broken }

    pub(super) enum Setting = setting::Setting {
        #[serde(rename = "mark")]
        Lock { resource: Resource },
        ReservedConcurrency { function: Resource },
        FaultFlag { parameter: Resource, key: String },
        FaultDocument { parameter: Resource },
        RolePolicy { role: Resource, policy: String },
        Variables { function: Resource, prefix: String },
    }

    pub(super) enum Value = setting::Value { Unset, Number(value: u64), Text(value: String) }

    pub(super) enum Metric = signal::Metric {
        Depth, InFlight, Delayed, OldestMessage, MessagesDone, Calls, Errors, FailedShare,
        SlowShare { limit: Micros },
        Duration, Throttles, Concurrency, Writes, AlarmState,
        Value { settles: Micros },
    }

    pub(super) struct Query = signal::Query { metric: Metric, resource: Resource }

    pub(super) struct Window = signal::Window { from: Time, to: Time }

    pub(super) struct Sample = signal::Sample { value: Option<f64>, of: Option<u64> }

    pub(super) enum RefusedBy = account::RefusedBy {
        Permission,
        #[serde(rename = "mark_exists")]
        LockExists,
        Invalid,
        Limit,
        Busy,
        Unsupported,
    }

    pub(super) enum CallError = account::CallError {
        Refused { by: RefusedBy, message: String },
        Throttled,
        Gone(resource: String),
        Unknown(why: String),
    }

    pub(super) enum SendOutcome = account::SendOutcome { Accepted, Refused(why: String) }

    pub(super) struct Plan = plan::Plan with { baseline_at_most: baseline, rolls_back: None, switches: Vec::new(), inputs: BTreeMap::new() } {
        run: RunId,
        title: String,
        because: String,
        file: String,
        file_hash: String,
        accounts: Vec<Nickname>,
        made_at: Time,
        seed: u64,
        baseline: Micros,
        recovers_within: Micros,
        alpha: Alpha,
        longest: Micros,
        changes: BTreeMap<ChangeId, Change>,
        steps: Vec<Step>,
        signals: Vec<SignalPlan>,
        stops: Vec<AbortCondition>,
        load: Vec<LoadPlan>,
        watches: Vec<Resource>,
        permissions: Vec<Permission>,
        warnings: Vec<String>,
    }

    pub(super) struct Step = plan::Step {
        fault: FaultName,
        summary: String,
        hits: Vec<Resource>,
        at: Micros,
        lasts: Micros,
        changes: Vec<ChangeId>,
        emission: Option<Emission>,
        evidence: Evidence,
    }

    pub(super) struct Emission = plan::Emission {
        queue: Resource,
        first: u32,
        bodies: Vec<String>,
        group: Option<String>,
        interval: Micros,
        cleanup: Cleanup,
    }

    pub(super) enum Cleanup = plan::Cleanup {
        Sweep { dead_letter: Resource, arrives_within: Micros, foreign_limit: u32 },
        LeaveInQueue,
    }

    pub(super) struct Evidence = plan::Evidence with { logs: None } { expect: String, any: Vec<Indicator>, within: Micros }

    pub(super) struct Indicator = plan::Indicator with { settles: delay(&query) } { query: Query, test: IndicatorTest }

    pub(super) struct SignalPlan = plan::SignalPlan with { settles: delay(&query) } {
        hypothesis: String,
        title: String,
        query: Query,
        bound: Bound,
        every: Micros,
        tolerating: Share,
        must_catch: Share,
        stop_at: Option<f64>,
        control: Option<usize>,
        during_fault: DuringFault,
    }

    pub(super) enum DuringFault = plan::DuringFault { MustHold, MayBreak }

    pub(super) enum Bound = bound::Bound {
        AtMost(limit: f64),
        AtLeast(limit: f64),
        Below(limit: f64),
        Above(limit: f64),
        FiresWithin(within: Micros),
        StaysQuiet,
        TimesBaseline(times: f64),
        TimesControl(times: f64),
        Spends { part: Share, objective: Objective },
        KeepsComing,
        Watched,
    }

    pub(super) struct Objective = budget::Objective { good: f64, over: Micros }

    pub(super) struct AbortCondition = plan::AbortCondition { title: String, query: Query, bound: Bound, every: Micros }

    pub(super) struct LoadPlan = plan::LoadPlan { target: Resource, from: Rate, to: Rate, at_most: u32 }

    pub(super) struct Permission = plan::Permission { purpose: Purpose, action: String, resource: String }

    pub(super) enum Purpose = plan::Purpose {
        Look,
        #[serde(rename = "do")]
        Inject,
        #[serde(rename = "undo")]
        Rollback,
        Measure,
        Load,
    }
}

/// Version 1 took every value as final when it was published.
fn delay(query: &signal::Query) -> Span {
    query.metric.delay()
}

/// When a probe's value counted as evidence.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum IndicatorTest {
    Above(#[expect(unused, reason = "read, so that what is no number is refused")] f64),
    FallsTo(#[expect(unused, reason = "read, so that what is no number is refused")] f64),
    RisesBy(#[expect(unused, reason = "read, so that what is no number is refused")] f64),
}

impl Convert<plan::IndicatorTest> for IndicatorTest {
    /// No fault of such a run goes in again: it is rolled back, and what it found by these tests is in its events. Evidence
    /// that was not found by then has to pass the strictest test.
    fn convert(self) -> plan::IndicatorTest {
        match self {
            IndicatorTest::Above(_) | IndicatorTest::FallsTo(_) | IndicatorTest::RisesBy(_) => {
                plan::IndicatorTest::Appears
            }
        }
    }
}

/// A change: version 1 knew none whose effect outlasts it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    setting: Setting,
    before: Value,
    after: Value,
    whole_before: Option<String>,
    expires: Option<Time>,
    takes_effect_within: Micros,
}

impl Convert<plan::Change> for Change {
    fn convert(self) -> plan::Change {
        plan::Change {
            setting: self.setting.convert(),
            before: self.before.convert(),
            after: self.after.convert(),
            whole_before: self.whole_before,
            expires: self.expires,
            takes_effect_within: self.takes_effect_within.convert(),
            lasts_after: Span::ZERO,
        }
    }
}
