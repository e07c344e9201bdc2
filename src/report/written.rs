//! The JSON report, as it is written: apart from the types inside, as all that [`crate::format`] holds.

use super::line;
use super::summary::{self, faults, headline, ledger, signals};
use crate::account;
use crate::format::account::{Location, Resource, Value};
use crate::format::journal::{Left, MessageAccount, Phase, Settled, VerdictKind};
use crate::format::plan::DuringFault;
use crate::format::{Convert, Seconds};
use crate::ids::{FaultName, RunId};
use crate::judge::{budget, detection, effect, judgement, power};
use crate::plan::ChangeId;
use crate::units::{Rate, Share, Time};
use std::collections::BTreeMap;

/// Defines a written type beside the type inside that it is made from, and the conversion. `without` names what is not
/// written. A field that was forgotten does not compile.
macro_rules! told {
    () => {};
    (
        $(#[$meta:meta])* $vis:vis struct $name:ident = $module:ident::$inside:ident
        $(without { $($without:ident),* })?
        { $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? }
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        $vis struct $name { $($(#[$field_meta])* pub $field: $type),* }

        impl Convert<$name> for $module::$inside {
            fn convert(self) -> $name {
                let $module::$inside { $($field,)* $($($without: _),*)? } = self;
                $name { $($field: $field.convert()),* }
            }
        }

        told! { $($rest)* }
    };
    (
        $(#[$meta:meta])* $vis:vis enum $name:ident = $module:ident::$inside:ident {
            $(
                $(#[$variant_meta:meta])* $variant:ident
                $(( $tuple:ident: $tuple_type:ty ))?
                $({ $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? })?
            ),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, schemars::JsonSchema)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        $vis enum $name {
            $(
                $(#[$variant_meta])* $variant
                $({ $tuple: $tuple_type })?
                $({ $($(#[$field_meta])* $field: $type),* })?
            ),*
        }

        impl Convert<$name> for $module::$inside {
            fn convert(self) -> $name {
                match self {
                    $(
                        $module::$inside::$variant $(($tuple))? $({ $($field),* })? => {
                            $name::$variant $({ $tuple: $tuple.convert() })? $({ $($field: $field.convert()),* })?
                        }
                    ),*
                }
            }
        }

        told! { $($rest)* }
    };
    (
        $(#[$meta:meta])* $vis:vis words $name:ident = $module:ident::$inside:ident {
            $($(#[$variant_meta:meta])* $variant:ident),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        $vis enum $name { $($(#[$variant_meta])* $variant),* }

        impl Convert<$name> for $module::$inside {
            fn convert(self) -> $name {
                match self { $($module::$inside::$variant => $name::$variant),* }
            }
        }

        told! { $($rest)* }
    };
}

impl Report {
    /// A run's summary, as it is written.
    pub fn of(summary: &summary::Summary) -> Report {
        summary.clone().convert()
    }
}

told! {
    /// All that a report says of a run.
    pub struct Report = summary::Summary {
        /// Version of this form.
        format: u32,
        run: RunId,
        title: String,
        ending: Ending,
        /// The ending in one sentence.
        sentence: String,
        /// Every reason that the verdict gives.
        reasons: Vec<String>,
        undo: Undo,
        undo_sentence: String,
        /// What is left behind, and what to do about each.
        left: Vec<Left>,
        /// Why the experiment is made.
        because: String,
        hypotheses: Vec<Hypothesis>,
        steps: Vec<Step>,
        times: Times,
        /// Why the run stopped before its timeline ended.
        stopped: Option<Stopped>,
        signals: Vec<Signal>,
        /// Every change of the plan and what became of it.
        ledger: Vec<LedgerEntry>,
        recovery: Recovery,
        alarms: Alarms,
        messages: Vec<Messages>,
        load: Vec<Load>,
        /// What the plan warned of.
        warnings: Vec<String>,
        timeline: Vec<Line>,
        environment: Environment,
    }

    /// How a run ended.
    pub words Ending = headline::Ending {
        Held,
        Broken,
        Unknown,
        /// It goes on, or its process ended before it did.
        Unfinished,
    }

    /// What became of all changes.
    pub struct Undo = headline::Undo {
        /// Changes that took place, or may have.
        made: usize,
        settled: usize,
        outstanding: usize,
        attention: usize,
        /// Emissions that are not accounted for yet.
        unaccounted: usize,
        verified_at: Option<Time>,
    }

    /// A hypothesis and the numbers of its signals, from 1.
    pub struct Hypothesis = summary::Hypothesis {
        name: String,
        signals: Vec<usize>,
    }

    /// When what happened.
    pub struct Times = summary::Times {
        started: Time,
        /// Of the last event.
        last: Time,
        phases: Vec<PhaseTime>,
        first_fault: Option<Time>,
        first_effect: Option<Time>,
        undo_began: Option<Time>,
        /// When every change was back and worked no more.
        gone: Option<Time>,
    }

    /// One phase of a run.
    pub struct PhaseTime = summary::PhaseTime {
        phase: Phase,
        from: Time,
        to: Time,
    }

    /// An early end.
    pub struct Stopped = summary::Stopped {
        at: Time,
        why: String,
    }

    /// What a reader needs to know to judge the report, and to make the run again.
    pub struct Environment = summary::Environment {
        /// The version of squall that began the run.
        squall: String,
        by: String,
        accounts: Vec<Location>,
        file: String,
        file_sha256: String,
        /// The values of the experiment's inputs, by name, as written.
        inputs: BTreeMap<String, String>,
        seed: u64,
        planned_at: Time,
        events: usize,
        taken_over: Vec<TakenOver>,
        unmeasured: Vec<Unmeasured>,
        #[serde(rename = "longest_seconds")]
        longest: Seconds,
    }

    /// A change of hands.
    pub struct TakenOver = summary::TakenOver {
        at: Time,
        by: String,
    }

    /// Measurements of one query that failed.
    pub struct Unmeasured = summary::Unmeasured {
        query: String,
        times: usize,
        first_error: String,
    }

    /// One fault on the timeline: planned, and done.
    pub struct Step = faults::StepStory {
        /// From 1.
        number: usize,
        fault: FaultName,
        summary: String,
        hits: Vec<Resource>,
        changes: Vec<ChangeId>,
        /// From the end of the accepted baseline.
        #[serde(rename = "planned_at_seconds")]
        planned_at: Seconds,
        #[serde(rename = "planned_to_last_seconds")]
        planned_to_last: Seconds,
        began: Option<Time>,
        undo_began: Option<Time>,
        undone: Option<Time>,
        evidence: Evidence,
    }

    /// Whether a fault was seen to work.
    pub struct Evidence = faults::EvidenceStory {
        expect: String,
        #[serde(rename = "within_seconds")]
        within: Seconds,
        found: Effective,
        seen: Option<String>,
        since: Option<Time>,
    }

    /// What the evidence says.
    pub words Effective = faults::Effect {
        NotTried,
        Waiting,
        Seen,
        NotSeen,
    }

    /// The messages of one step.
    pub struct Messages = faults::MessageStory {
        step: usize,
        queue: Resource,
        planned: usize,
        /// Where they are looked for afterwards.
        dead_letter: Option<Resource>,
        account: MessageAccount,
        ended: Option<String>,
    }

    /// Requests that squall made.
    pub struct Load = faults::LoadStory {
        target: Resource,
        #[serde(rename = "from_per_second")]
        from: Rate,
        #[serde(rename = "to_per_second")]
        to: Rate,
        at_most: u32,
        requests: u64,
        failed: u64,
    }

    /// One change of the plan and what became of it.
    pub struct LedgerEntry = ledger::LedgerEntry without { on } {
        change: ChangeId,
        setting: String,
        resource: Resource,
        #[serde(rename = "is_mark")]
        is_lock: bool,
        step: Option<usize>,
        before: Value,
        after: Value,
        announced: Option<Time>,
        written: Option<Time>,
        undo_began: Option<Time>,
        undo_tries: u32,
        settled_at: Option<Time>,
        status: Status,
    }

    /// Where a change stands.
    pub enum Status = ledger::Status {
        NotMade,
        Refused,
        /// It is, or may be, in the account.
        Outstanding,
        Settled(how: Settled),
    }

    /// One signal of a hypothesis.
    pub struct Signal = signals::SignalStory without { metric, bound } {
        /// From 1.
        number: usize,
        hypothesis: String,
        title: String,
        /// `null` of what is observed only.
        #[serde(rename = "finding")]
        verdict: Option<VerdictKind>,
        why: String,
        query: String,
        /// What its values are: `share` of 1, `count`, `seconds`, or `alarm`, which is 1 in ALARM.
        unit: String,
        expected: String,
        /// The number in what is expected, where there is one.
        limit: Option<f64>,
        #[serde(rename = "every_seconds")]
        every: Seconds,
        tolerating: Share,
        must_catch: Share,
        during_fault: DuringFault,
        /// The number of the signal that is its control.
        control: Option<usize>,
        judgement: Judgement,
        broken: Option<Window>,
        phases: Vec<PhaseOfSignal>,
        windows: Vec<Point>,
    }

    /// A stretch of time.
    pub struct Window = account::Window {
        from: Time,
        to: Time,
    }

    /// One closed window.
    pub struct Point = signals::Point {
        phase: Phase,
        from: Time,
        to: Time,
        /// `null` when there was no data, which is not zero.
        value: Option<f64>,
        of: Option<u64>,
        /// How many of what was counted may be messages of this run.
        own: u32,
        breaks: bool,
        /// The evidence against the bound after this window, as odds against one.
        odds: Option<f64>,
    }

    /// What a signal looked like in one phase.
    pub struct PhaseOfSignal = signals::PhaseStory {
        phase: Phase,
        windows: usize,
        with_data: usize,
        breaking: usize,
        lowest: Option<f64>,
        highest: Option<f64>,
    }

    /// How the signals came back after the fault was gone.
    pub struct Recovery = signals::Recovery {
        gone: Option<Time>,
        #[serde(rename = "within_seconds")]
        within: Seconds,
        found: Recovered,
        /// Of each signal, in the order of the plan.
        signals: Vec<Recovered>,
    }

    /// Whether something is steady again.
    pub enum Recovered = signals::Recovered {
        /// It never left its bound.
        Throughout,
        Steady {
            #[serde(rename = "after_seconds")]
            after: Seconds,
        },
        NotCounted,
        Undecided,
        Watched,
        NoData,
        NotSteady,
    }

    /// What was found of one signal, and how sure that is.
    pub struct Judgement = judgement::Judgement {
        #[serde(rename = "finding")]
        kind: VerdictKind,
        why: String,
        odds: Option<Odds>,
        broken_at: Option<Time>,
        since: Option<Time>,
        weightiest: Vec<Weighty>,
        effect: Option<Shift>,
        power: Option<Power>,
        spent: Option<Spent>,
    }

    /// Evidence as odds against one.
    pub struct Odds = judgement::Odds {
        against: f64,
        decides_at: f64,
    }

    /// A window that weighs.
    pub struct Weighty = judgement::Weighty {
        from: Time,
        to: Time,
        /// By how much it raised the evidence.
        times: f64,
    }

    /// How much a signal moved from its baseline, in its own unit, with its 95 % interval.
    pub struct Shift = effect::Effect {
        shift: f64,
        from: Option<f64>,
        to: Option<f64>,
        higher: f64,
    }

    /// What would have been caught.
    pub struct Power = power::Power {
        caught: Option<f64>,
    }

    /// What a run spent of an error budget.
    pub struct Spent = budget::Spent {
        share: f64,
        at_worst: f64,
        burn_rate: f64,
        highest_burn_rate: f64,
    }

    /// The alarms of a run, by what they did while the faults were in.
    pub struct Alarms = detection::Alarms {
        fired: Vec<String>,
        silent: Vec<String>,
        others: Vec<String>,
        quiet: Vec<String>,
        unknown: Vec<String>,
    }

    /// One line of a run's story.
    pub struct Line = line::Line {
        seq: u64,
        at: Time,
        /// Since the start of the run: `+05:00`.
        offset: String,
        label: Label,
        tone: Tone,
        text: String,
    }

    /// What a line is about.
    pub words Label = line::Label {
        Start,
        Baseline,
        Lock,
        Switch,
        Fault,
        Effect,
        Steady,
        Breaks,
        NoData,
        Broken,
        Stop,
        Undo,
        Undone,
        Left,
        Messages,
        Recovery,
        Owner,
        Verdict,
    }

    /// How much a line asks for attention.
    pub words Tone = line::Tone {
        Quiet,
        Plain,
        Strong,
        Good,
        Warning,
        Bad,
    }
}
