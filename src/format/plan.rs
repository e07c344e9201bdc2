//! The plan, as it is in what `squall plan --json` prints and as a journal begins with it.

use std::collections::BTreeMap;

use super::account::{Location, LogSearch, Query, Resource, Setting, Value};
use super::{Convert, Seconds, written};
use crate::ids::FaultName;
use crate::ids::RunId;
use crate::judge::weighing::Alpha;
use crate::judge::{bound, budget};
use crate::plan::{self, ChangeId};
use crate::units::{Rate, Share, Time};

/// A setting with its value before and after.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Its number in the run, from 1.
    pub change: ChangeId,
    pub setting: Setting,
    pub before: Value,
    pub after: Value,
    /// For a key in a document: the document when the plan was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_before: Option<String>,
    /// When the change ends by itself, even if squall is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
    pub takes_effect_within_seconds: Seconds,
    /// How much longer its effect lasts than the change itself.
    #[serde(default)]
    pub lasts_after_seconds: Seconds,
}

impl Convert<BTreeMap<ChangeId, plan::Change>> for Vec<Change> {
    fn convert(self) -> BTreeMap<ChangeId, plan::Change> {
        let inside = |written: Change| {
            let Change { change, setting, before, after, whole_before, expires, .. } = written;
            let inside = plan::Change {
                setting: setting.convert(),
                before: before.convert(),
                after: after.convert(),
                whole_before,
                expires,
                takes_effect_within: written.takes_effect_within_seconds.convert(),
                lasts_after: written.lasts_after_seconds.convert(),
            };
            (change, inside)
        };
        self.into_iter().map(inside).collect()
    }
}

impl Convert<Vec<Change>> for BTreeMap<ChangeId, plan::Change> {
    fn convert(self) -> Vec<Change> {
        let written = |(change, inside): (ChangeId, plan::Change)| {
            let plan::Change { setting, before, after, whole_before, expires, takes_effect_within, lasts_after } =
                inside;
            Change {
                change,
                setting: setting.convert(),
                before: before.convert(),
                after: after.convert(),
                whole_before,
                expires,
                takes_effect_within_seconds: takes_effect_within.convert(),
                lasts_after_seconds: lasts_after.convert(),
            }
        };
        self.into_iter().map(written).collect()
    }
}

written! {
    /// All that a run will do and look at.
    pub struct Plan = plan::Plan {
        run: RunId,
        /// The closed run that this is a later rollback of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rolls_back: Option<RunId>,
        title: String,
        because: String,
        /// The experiment's file, as given.
        file: String,
        /// SHA-256 of the experiment's text, in hex.
        #[serde(rename = "file_sha256")]
        file_hash: String,
        /// The values of the experiment's inputs, by name, as written.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        inputs: BTreeMap<String, String>,
        accounts: Vec<Location>,
        made_at: Time,
        seed: u64,
        #[serde(rename = "baseline_seconds")]
        baseline: Seconds,
        /// How long the baseline may last when its end does not hold; no longer than planned where it is missing.
        #[serde(rename = "baseline_at_most_seconds", default)]
        baseline_at_most: Seconds,
        #[serde(rename = "recovers_within_seconds")]
        recovers_within: Seconds,
        /// The probability that is allowed to a false alarm.
        alpha: Alpha,
        #[serde(rename = "longest_seconds")]
        longest: Seconds,
        changes: Vec<Change>,
        steps: Vec<Step>,
        signals: Vec<Signal>,
        stops: Vec<Stop>,
        load: Vec<Load>,
        watches: Vec<Resource>,
        /// Executions of the dead-man switch that are armed before the first fault.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        switches: Vec<Switch>,
        permissions: Vec<Permission>,
        warnings: Vec<String>,
    }

    /// An execution of the dead-man switch.
    pub struct Switch = plan::Switch {
        location: Location,
        /// The name of the execution.
        name: String,
        /// When it wakes.
        until: Time,
        /// The changes that it rolls back.
        changes: Vec<ChangeId>,
    }

    /// One fault on the timeline.
    pub struct Step = plan::Step {
        fault: FaultName,
        summary: String,
        /// Everything that feels it.
        hits: Vec<Resource>,
        /// From the end of the accepted baseline.
        #[serde(rename = "at_seconds")]
        at: Seconds,
        #[serde(rename = "lasts_seconds")]
        lasts: Seconds,
        /// The numbers of its changes.
        changes: Vec<ChangeId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        emission: Option<Emission>,
        evidence: Evidence,
    }

    /// Messages that a fault sends.
    pub struct Emission = plan::Emission {
        queue: Resource,
        /// The number of the first message.
        first: u32,
        bodies: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
        /// Between two sends.
        #[serde(rename = "interval_seconds")]
        interval: Seconds,
        cleanup: Cleanup,
    }

    /// Where an emission's messages are looked for afterwards.
    pub enum Cleanup = plan::Cleanup {
        Sweep {
            dead_letter: Resource,
            #[serde(rename = "arrives_within_seconds")]
            arrives_within: Seconds,
            foreign_limit: u32,
        },
        LeaveInQueue,
    }

    /// What shows that a fault works. Any one of the indicators is enough.
    pub struct Evidence = plan::Evidence {
        expect: String,
        any: Vec<Indicator>,
        /// Lines in logs that are searched once where no indicator has shown the fault.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        logs: Option<LogSearch>,
        #[serde(rename = "within_seconds")]
        within: Seconds,
    }

    /// One measurement that would show a fault at work.
    pub struct Indicator = plan::Indicator {
        query: Query,
        test: IndicatorTest,
        /// How long after a window's end its value is final.
        #[serde(rename = "settles_seconds", default)]
        settles: Seconds,
    }

    /// When an indicator's value counts as evidence.
    pub enum IndicatorTest = plan::IndicatorTest {
        /// Counted, and never in the baseline.
        Appears,
        /// A share that is higher than the baseline explains.
        Rises,
        /// A count that is higher than the baseline explains, and at least so many times its mean.
        RisesTo { times: f64 },
        /// The queue is empty after the step's last message.
        Emptied,
        /// A message of the step is in the dead-letter queue.
        Arrives,
    }

    /// How a signal is judged.
    pub struct Signal = plan::SignalPlan {
        hypothesis: String,
        title: String,
        query: Query,
        bound: Bound,
        #[serde(rename = "every_seconds")]
        every: Seconds,
        /// How long after a window's end its value is final.
        #[serde(rename = "settles_seconds", default)]
        settles: Seconds,
        tolerating: Share,
        must_catch: Share,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stop_at: Option<f64>,
        /// The signal that is its control, counted from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        control: Option<usize>,
        during_fault: DuringFault,
    }

    /// What a hypothesis asks of a signal while the fault is in.
    pub words DuringFault = plan::DuringFault {
        MustHold,
        MayBreak,
    }

    /// The side of a limit that is steady.
    pub enum Bound = bound::Bound {
        AtMost(limit: f64),
        AtLeast(limit: f64),
        Below(limit: f64),
        Above(limit: f64),
        FiresWithin(#[serde(rename = "within_seconds")] within: Seconds),
        StaysQuiet,
        TimesBaseline(times: f64),
        TimesControl(times: f64),
        Spends { part: Share, objective: Objective },
        KeepsComing,
        Watched,
    }

    /// A share of requests that must be good over a duration.
    pub struct Objective = budget::Objective {
        good: f64,
        #[serde(rename = "over_seconds")]
        over: Seconds,
    }

    /// When to stop early, whatever the hypotheses say.
    pub struct Stop = plan::AbortCondition {
        title: String,
        query: Query,
        bound: Bound,
        #[serde(rename = "every_seconds")]
        every: Seconds,
    }

    /// Requests that squall itself makes during the run.
    pub struct Load = plan::LoadPlan {
        target: Resource,
        #[serde(rename = "from_per_second")]
        from: Rate,
        #[serde(rename = "to_per_second")]
        to: Rate,
        at_most: u32,
    }

    /// A permission that the run itself needs.
    pub struct Permission = plan::Permission {
        purpose: Purpose,
        action: String,
        resource: String,
    }

    /// What a permission is needed for.
    pub words Purpose = plan::Purpose {
        Look,
        #[serde(rename = "do")]
        Inject,
        #[serde(rename = "undo")]
        Rollback,
        Measure,
        Load,
    }
}
