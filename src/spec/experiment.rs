//! The format of an experiment: `experiments/*.yaml`.

use std::collections::BTreeMap;

use super::hypothesis::{SignalItem, Steadiness};
use super::signal::Condition;
use super::target::Target;
use crate::faults::FaultSpec;
use crate::ids::AccountName;
use crate::inputs::{Input, InputName};
use crate::plan::DuringFault;
use crate::reach::{AtMost, EntryPoints, Never, OneOrMore};
use crate::record;
use crate::units::{Rate, Share, Span};
use crate::yaml::leaf::{AlarmName, HypothesisName, TargetName, Version};
use crate::yaml::read::FromNode;
use crate::yaml::reader::Reader;
use crate::yaml::shape::Shape;
use crate::yaml::tree::{Kind, Node};

record! {
    /// An experiment: what must stay true while something breaks, for how long, and when to stop. Its file is in
    /// `experiments/`.
    pub struct Experiment {
        /// The version of the format, and the first key.
        pub version: Version,
        /// What you expect, in one sentence: `Orders wait, and none is lost, while the payment worker is throttled`.
        pub title: String,
        /// Why this can happen, and why it matters.
        pub because: String,
        /// The account of the targets, unless a target names another. By default the project's `default_account`.
        pub account: Option<AccountName>,
        /// Values that are chosen for each run, by name: `--with NAME=VALUE` on the command line, `with` in a schedule. They
        /// are used with `{ input: NAME }` in the place of a whole number, duration, share or word.
        pub inputs: BTreeMap<InputName, Input> = BTreeMap::new(),
        /// The resources that faults, load and signals refer to, by the names this file gives them.
        pub targets: BTreeMap<TargetName, Target>,
        /// The steady state that must hold. Each is judged in the baseline, during the faults, and in the recovery.
        pub hypotheses: Vec<HypothesisItem>,
        /// How long everything is measured before the first fault. Every hypothesis must hold in it, or nothing is
        /// changed.
        pub baseline: Span,
        /// How long the baseline may last when a hypothesis does not hold at its end: it continues until it does. By
        /// default three times `baseline`.
        pub baseline_at_most: Option<Span>,
        /// What breaks, and when.
        pub faults: Vec<Inject>,
        /// By when every hypothesis must hold again, counted from the verified end of the last fault.
        pub recovers_within: Span,
        /// The false-alarm rate: how often a run may be called broken although every hypothesis holds. All signals
        /// share it.
        pub alpha: Share = ALPHA,
        /// Requests that squall itself sends, from the start of the baseline to the end of the recovery.
        pub load: Vec<Load> = Vec::new(),
        /// Alarms that the report lists when they fire, in addition to those of the hypotheses. They do not affect the
        /// verdict.
        pub watch: Vec<AlarmName> = Vec::new(),
        /// When to stop early.
        pub guards: Guards = Guards::default(),
    }
}

/// One run in a hundred.
const ALPHA: Share = Share::percent(1);

record! {
    /// One fault on the timeline. Faults may follow one another or overlap.
    pub struct Inject {
        /// The fault, from the catalogue (`squall faults` lists it), with its parameters.
        pub fault as "inject": FaultSpec,
        /// When it is injected, counted from the end of the accepted baseline.
        pub at: Span = Span::ZERO,
        /// How long it lasts until its rollback begins; for messages, the time in which they are sent.
        pub lasts as "for": Span,
    }
}

/// One entry of `hypotheses:`.
#[derive(Clone, Debug, PartialEq)]
pub enum HypothesisItem {
    /// A hypothesis file of the project.
    Named(Named),
    /// That an alarm tells us.
    Alarm(AlarmItem),
    /// A signal with its bound, here in the experiment.
    Signal(SignalItem),
}

record! {
    /// A hypothesis file of the project.
    pub struct Named {
        /// The hypothesis: `hypotheses/NAME.yaml`.
        pub name as "named": HypothesisName,
        /// Whether it must hold during the faults, if different from the hypothesis file.
        pub during_fault: Option<DuringFault>,
    }
}

record! {
    /// That an alarm fires: detection is a hypothesis too.
    pub struct AlarmItem {
        /// The alarm and its time.
        pub alarm: Alarm,
        /// Why it should fire.
        pub because: Option<String>,
    }
}

record! {
    /// An alarm that must fire: OK in the baseline, in ALARM in time, and OK again by the end of the recovery.
    pub struct Alarm {
        /// The alarm: its name, or a target.
        pub name: AlarmName,
        /// By when it must be in ALARM, counted from the first effect of the first fault.
        pub fires_within: Span,
    }
}

impl FromNode for HypothesisItem {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if node.text().is_some() {
            return SignalItem::from_node(node, reader).map(HypothesisItem::Signal);
        }
        match reader.form(node, &["named", "alarm", "signal"])? {
            "named" => Named::from_node(node, reader).map(HypothesisItem::Named),
            "alarm" => AlarmItem::from_node(node, reader).map(HypothesisItem::Alarm),
            _ => SignalItem::from_node(node, reader).map(HypothesisItem::Signal),
        }
    }

    fn shape() -> Shape {
        Shape::Either(vec![Named::shape(), AlarmItem::shape(), SignalItem::shape()])
    }
}

record! {
    /// Requests that squall sends. Each has the run's id. A phase without any request is never judged held.
    pub struct Load {
        /// The target: an API gets HTTP calls, a function gets invocations, a queue gets messages.
        pub to: TargetName,
        /// The rate of requests.
        pub rate: LoadRate,
        /// The most requests in total.
        pub at_most: u32,
    }
}

/// A rate of requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LoadRate {
    /// The same throughout.
    Constant(Rate),
    /// In a straight line from the start of the run to its end.
    Ramp { from: Rate, to: Rate },
}

record! {
    /// A rate that changes in a straight line.
    struct Ramp {
        /// At the start of the run.
        from: Rate,
        /// At its end.
        to: Rate,
    }
}

impl FromNode for LoadRate {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.kind {
            Kind::Map(_) => Ramp::from_node(node, reader).map(|ramp| LoadRate::Ramp { from: ramp.from, to: ramp.to }),
            _ => Rate::from_node(node, reader).map(LoadRate::Constant),
        }
    }

    fn shape() -> Shape {
        Shape::Either(vec![Rate::shape(), Ramp::shape()])
    }
}

impl LoadRate {
    /// At the start and at the end of the run.
    pub fn bounds(self) -> (Rate, Rate) {
        match self {
            LoadRate::Constant(rate) => (rate, rate),
            LoadRate::Ramp { from, to } => (from, to),
        }
    }
}

record! {
    /// When a run is refused, or stops early and rolls back, whatever its hypotheses say.
    pub struct Guards {
        /// Stop when this condition is met; one condition, or a list of which any is enough.
        pub stop_when: OneOrMore<Condition> = OneOrMore::default(),
        /// Stop and roll back when the run is older than this. The rollback itself is never cut short.
        pub longest: Span = Span::from_mins(60),
        /// Refuse to start when more resources than this would be hit; a role that five functions share counts as five.
        pub hits_at_most: u32 = 10,
        /// Refuse to start when a target selects a larger part than this of what its tag or stack finds (of three or
        /// more).
        pub share_at_most: Share = SHARE_AT_MOST,
        /// Refuse to start when the faults would reach more of what a target finds, directly or through others: `1 of 3
        /// workers`; one such limit, or a list.
        pub at_most: OneOrMore<AtMost> = OneOrMore::default(),
        /// Refuse to start when the faults would reach, directly or through others, resources with this tag in the
        /// template: `tagged critical`, `tagged tier=1`; one, or a list.
        pub never: OneOrMore<Never> = OneOrMore::default(),
        /// Refuse to start when more entry points for users would fail: `at most 1`.
        pub entry_points: Option<EntryPoints>,
    }
}

/// Half: what is left can still do the work.
const SHARE_AT_MOST: Share = Share::HALF;

impl Default for Guards {
    fn default() -> Guards {
        Guards {
            stop_when: OneOrMore::default(),
            longest: Span::from_mins(60),
            hits_at_most: 10,
            share_at_most: SHARE_AT_MOST,
            at_most: OneOrMore::default(),
            never: OneOrMore::default(),
            entry_points: None,
        }
    }
}

impl Guards {
    /// Whether any of them limits the blast radius.
    pub fn limit_the_reach(&self) -> bool {
        !self.at_most.0.is_empty() || !self.never.0.is_empty() || self.entry_points.is_some()
    }
}

impl Experiment {
    /// How long the baseline may last.
    pub fn baseline_at_most(&self) -> Span {
        self.baseline_at_most.unwrap_or(self.baseline * 3)
    }

    /// When the last fault begins to be undone, counted from the end of the baseline.
    pub fn faults_end(&self) -> Span {
        self.faults.iter().map(|inject| inject.at + inject.lasts).max().unwrap_or_default()
    }
}

/// One signal as it is judged, with everything that its file and its experiment say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The hypothesis that it belongs to: its title, or the sentence itself.
    pub hypothesis: String,
    pub signal: super::sentence::Sentence,
    pub because: Option<String>,
    /// Length of a window.
    pub every: Span,
    /// The smallest breach that the run must be able to detect.
    pub must_catch: Share,
    pub during_fault: DuringFault,
}

impl Judged {
    /// Whether it is judged by evidence, and so has a part of alpha.
    pub fn is_weighed(&self) -> bool {
        self.signal.bound.is_weighed(self.signal.tolerates())
    }
}

impl HypothesisItem {
    /// The signals that it stands for. A hypothesis file that is not there stands for none.
    pub fn judged(&self, files: &BTreeMap<HypothesisName, super::hypothesis::Hypothesis>) -> Vec<Judged> {
        match self {
            HypothesisItem::Named(named) => {
                let Some(hypothesis) = files.get(&named.name) else { return Vec::new() };
                let mut judged = hypothesis.judged();
                for signal in &mut judged {
                    signal.during_fault = named.during_fault.unwrap_or(signal.during_fault);
                }
                judged
            }
            HypothesisItem::Alarm(item) => vec![item.judged()],
            HypothesisItem::Signal(item) => vec![item.judged(&item.signal.0.text, &Steadiness::default())],
        }
    }
}

impl AlarmItem {
    fn judged(&self) -> Judged {
        let Alarm { name, fires_within } = &self.alarm;
        let text = format!("alarm {name} fires within {fires_within}");
        let steady = Steadiness::default();
        Judged {
            hypothesis: text.clone(),
            signal: super::sentence::Sentence {
                metric: crate::account::Metric::AlarmState,
                subject: super::sentence::Subject { name: name.0.clone(), kind: None },
                bound: crate::judge::bound::Bound::FiresWithin(*fires_within),
                control: None,
                tolerating: None,
                stop_at: None,
                text,
            },
            because: self.because.clone(),
            every: steady.every,
            must_catch: Share::ALL,
            during_fault: steady.during_fault,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::target::Take;
    use crate::yaml::finding::Style;
    use crate::yaml::{Loaded, Source};

    const EXAMPLE: &str = "\
version: 1
title: Orders wait, and none is lost, while the payment worker is throttled
because: >
  Another function's burst, or a wrong deploy, can take this worker's concurrency away.
targets:
  worker: { function: PaymentWorker }
  orders: { queue: OrdersQueue }
  team: { functions: { tag: { team: payments }, count: 2 }, account: staging }
hypotheses:
  - named: shoppers-can-order
  - alarm: { name: OrdersBacklogAlarm, fires_within: 4m }
  - depth of OrdersDeadLetters stays at 0
  - signal: calls of worker at least 1
    because: Otherwise nothing is measured.
    every: 5m
    must_catch: 50 %
    during_fault: may_break
baseline: 5m
faults:
  - inject: { lambda.throttle: { target: worker, concurrency: 0 } }
    at: 0m
    for: 10m
recovers_within: 8m
load:
  - { to: orders, rate: 5/s, at_most: 10000 }
  - { to: worker, rate: { from: 1/s, to: 20/s }, at_most: 100 }
guards:
  stop_when: depth of orders > 5000
  longest: 40m
";

    fn read(text: &str) -> (Option<Loaded<Experiment>>, crate::yaml::Findings) {
        Loaded::read(&Source::new("x.yaml", text))
    }

    #[test]
    fn an_experiment_is_read() {
        let (loaded, findings) = read(EXAMPLE);
        assert!(findings.is_empty(), "{}", findings.render(Style::Plain));
        let experiment = loaded.unwrap().value;
        assert_eq!(experiment.targets[&TargetName("team".into())].take, Take::Count(2));
        assert_eq!(experiment.faults_end(), Span::from_mins(10));
        assert_eq!(experiment.guards.stop_when.0.len(), 1);
        assert_eq!(experiment.load[1].rate.bounds().1, Rate::per_sec(20.0).unwrap());
        let judged: Vec<Judged> = experiment.hypotheses.iter().flat_map(|item| item.judged(&BTreeMap::new())).collect();
        assert_eq!(judged.len(), 3);
        assert_eq!(judged[0].signal.text, "alarm OrdersBacklogAlarm fires within 4m");
        assert_eq!((judged[2].every, judged[2].during_fault), (Span::from_mins(5), DuringFault::MayBreak));
    }

    #[test]
    fn a_target_says_what_it_is_and_how_many() {
        let wrong = EXAMPLE
            .replace("{ function: PaymentWorker }", "{ function: PaymentWorker, queue: X }")
            .replace("{ queue: OrdersQueue }", "{ quee: OrdersQueue }")
            .replace("{ tag: { team: payments }, count: 2 }", "{ tag: { a: b, c: d } }")
            .replace("  - depth of OrdersDeadLetters stays at 0\n", "  - nmed: x\n  - alarm: X\n    named: Y\n");
        let findings: Vec<String> = read(&wrong).1.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(findings.join("\n"), @r#"
        x.yaml:6:38: this cannot be combined with `function`; keep one of the two; put the other into a separate item
        x.yaml:7:13: missing key; did you mean `queue`?
        x.yaml:8:22: expected exactly one tag; write for example `tag: { team: payments }`
        x.yaml:8:22: missing `count` or `share`; write `count: 1` or `share: 50 %`; all of them are `share: 100 %`
        x.yaml:12:5: missing key; did you mean `named`?
        x.yaml:14:5: this cannot be combined with `alarm`; keep one of the two; put the other into a separate item
        "#);
    }
}
