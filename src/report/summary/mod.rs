//! All that a report says of a run, folded once from its events. Every format prints this value and nothing else, so
//! that no two of them can disagree.
//!
//! A journal may be cut at any event, by a crash or because the run goes on; what is not there yet is absent here.

pub mod faults;
pub mod headline;
pub mod ledger;
pub mod signals;

use super::line::{Line, Narrator};
use super::words;
use crate::account::Location;
use crate::ids::RunId;
use crate::judge::detection::Alarms;
use crate::plan::Plan;
use crate::run::event::{Event, Left, Phase};
use crate::run::state::State;
use crate::run::{Recorded, judging};
use crate::units::{Span, Time};
use faults::{LoadStory, MessageStory, StepStory};
use headline::{Ending, Undo};
use ledger::LedgerEntry;
use signals::{Recovery, SignalStory};
use std::collections::BTreeMap;

/// A run, told in the order in which a busy reader wants it. [`super::written`] is
/// how it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The version of the JSON report.
    pub format: u32,
    pub run: RunId,
    pub title: String,
    /// How the run ended, or that it has not.
    pub ending: Ending,
    /// The ending in one sentence.
    pub sentence: String,
    /// Every reason that the verdict gives.
    pub reasons: Vec<String>,
    /// What became of the changes, in all, and in one sentence.
    pub undo: Undo,
    pub undo_sentence: String,
    /// What is left behind, and what to do about each.
    pub left: Vec<Left>,
    /// Why the experiment is made.
    pub because: String,
    pub hypotheses: Vec<Hypothesis>,
    pub steps: Vec<StepStory>,
    pub times: Times,
    /// Why the run stopped before its timeline ended, if it did.
    pub stopped: Option<Stopped>,
    pub signals: Vec<SignalStory>,
    pub ledger: Vec<LedgerEntry>,
    pub recovery: Recovery,
    pub alarms: Alarms,
    pub messages: Vec<MessageStory>,
    pub load: Vec<LoadStory>,
    /// What the plan warned of.
    pub warnings: Vec<String>,
    pub timeline: Vec<Line>,
    pub environment: Environment,
}

/// A hypothesis and the numbers of its signals.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    pub name: String,
    /// Counted from 1, as in the signals themselves.
    pub signals: Vec<usize>,
}

/// When what happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    pub started: Time,
    /// Of the last event.
    pub last: Time,
    /// Each phase in the order of its coming; the last one lasts until `last`.
    pub phases: Vec<PhaseTime>,
    /// When the first fault began to go in, and was first seen to work.
    pub first_fault: Option<Time>,
    pub first_effect: Option<Time>,
    /// When the first inverse went out.
    pub undo_began: Option<Time>,
    /// When every change was back and worked no more.
    pub gone: Option<Time>,
}

/// One phase of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhaseTime {
    pub phase: Phase,
    pub from: Time,
    pub to: Time,
}

/// An early end.
#[derive(Clone, Debug, PartialEq)]
pub struct Stopped {
    pub at: Time,
    pub why: String,
}

/// What a reader needs to know to judge the report, and to make the run again.
#[derive(Clone, Debug, PartialEq)]
pub struct Environment {
    pub squall: String,
    pub by: String,
    pub accounts: Vec<Location>,
    pub file: String,
    pub file_sha256: String,
    /// The values of its inputs, by name, as written.
    pub inputs: BTreeMap<String, String>,
    pub seed: u64,
    pub planned_at: Time,
    pub events: usize,
    /// Who took the run over, and when.
    pub taken_over: Vec<TakenOver>,
    /// Measurements that failed: the signal, how many, the first error.
    pub unmeasured: Vec<Unmeasured>,
    /// The longest that the run might have taken.
    pub longest: Span,
}

/// A change of hands.
#[derive(Clone, Debug, PartialEq)]
pub struct TakenOver {
    pub at: Time,
    pub by: String,
}

/// Measurements of one query that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Unmeasured {
    pub query: String,
    pub times: usize,
    pub first_error: String,
}

/// What [`State`] does not keep, because the machine does not need it.
#[derive(Debug, Default)]
pub(super) struct Extras {
    by: String,
    version: String,
    phases: Vec<PhaseTime>,
    left: Vec<Left>,
    taken_over: Vec<TakenOver>,
    unmeasured: Vec<Unmeasured>,
    changes: ledger::Tries,
    faults: faults::Tries,
}

impl Summary {
    /// The summary of a journal, whole or cut. `None` when it does not begin with the plan: nothing is known then.
    pub fn of(events: &[Recorded]) -> Option<Summary> {
        let mut narrator = Narrator::default();
        let mut extras = Extras::default();
        let mut timeline = Vec::new();
        for recorded in events {
            timeline.extend(narrator.tell(recorded));
            extras.take(recorded.at, &recorded.event);
        }
        let state = narrator.state()?;
        Some(Summary::from(state, extras, timeline, events.len()))
    }

    fn from(state: &State, mut extras: Extras, timeline: Vec<Line>, events: usize) -> Summary {
        let plan = &*state.plan;
        if let Some(phase) = extras.phases.last_mut() {
            phase.to = state.last;
        }
        let ledger = ledger::of(state, &extras.changes);
        let recovery = signals::recovery(state);
        let stopped = state.stopping.as_ref().map(|(at, why)| Stopped { at: *at, why: words::stop(plan, why) });
        let signals = signals::of(state);
        let undo = Undo::of(&ledger, state);
        let messages = faults::messages(state, &extras.faults);
        let ending = Ending::of(state);
        Summary {
            format: crate::format::VERSION,
            run: plan.run.clone(),
            title: words::one_line(&plan.title),
            ending,
            sentence: headline::sentence(state, &signals, &recovery, stopped.as_ref()),
            reasons: state.closed.iter().flat_map(|v| v.reasons.iter().map(|r| words::reason(state, r))).collect(),
            undo_sentence: undo.sentence(state.started, extras.left.len(), &messages),
            undo,
            left: extras.left,
            because: words::one_line(&plan.because),
            hypotheses: hypotheses(plan),
            steps: faults::steps(state, &extras.faults),
            times: times(state, &ledger, extras.phases),
            stopped,
            signals,
            ledger,
            recovery,
            alarms: judging::alarms(state),
            messages,
            load: faults::load(state, &extras.faults),
            warnings: plan.warnings.iter().map(|w| words::one_line(w)).collect(),
            timeline,
            environment: Environment {
                squall: extras.version,
                by: words::one_line(&extras.by),
                accounts: plan.accounts.clone(),
                file: plan.file.clone(),
                file_sha256: plan.file_hash.clone(),
                inputs: plan.inputs.clone(),
                seed: plan.seed,
                planned_at: plan.made_at,
                events,
                taken_over: extras.taken_over,
                unmeasured: extras.unmeasured,
                longest: plan.longest,
            },
        }
    }

    /// Whether anything is, or may be, in the account that this run put there, or somebody must look.
    pub fn needs_attention(&self) -> bool {
        !self.left.is_empty() || self.undo.needs_attention()
    }

    /// What somebody has to look at, with what to do: what the last event says is left; where it says nothing or there
    /// is none, what is or may be in the account now.
    pub fn attention(&self) -> Vec<Left> {
        if !self.left.is_empty() {
            return self.left.clone();
        }
        let remedy = || format!("squall undo {}", self.run);
        let open = self.ledger.iter().filter(|entry| entry.status.needs_attention());
        let changes = open.map(|entry| Left {
            resource: entry.resource.clone(),
            what: format!("{}: {}", entry.setting, entry.sentence()),
            remedy: remedy(),
        });
        let sent = self.messages.iter().filter(|message| message.ended.is_none() && message.account.sent() > 0);
        let messages = sent.map(|message| Left {
            resource: message.queue.clone(),
            what: "messages of this run are not accounted for yet".into(),
            remedy: remedy(),
        });
        changes.chain(messages).collect()
    }

    /// The signals of a hypothesis.
    pub fn signals_of(&self, hypothesis: &Hypothesis) -> Vec<&SignalStory> {
        self.signals.iter().filter(|signal| hypothesis.signals.contains(&signal.number)).collect()
    }

    /// Time since the start of the run: `+05:00`.
    pub fn offset(&self, at: Time) -> String {
        words::offset(self.times.started, at)
    }
}

impl Extras {
    fn take(&mut self, at: Time, event: &Event) {
        if let Some(phase) = self.phases.last_mut() {
            phase.to = at;
        }
        match event {
            Event::Started { by, version, .. } => {
                self.by.clone_from(by);
                self.version.clone_from(version);
            }
            Event::Entered { phase } => self.phases.push(PhaseTime { phase: *phase, from: at, to: at }),
            Event::TakenOver { by, .. } => {
                self.left.clear();
                self.taken_over.push(TakenOver { at, by: words::one_line(by) });
            }
            Event::Unmeasured { query, error, .. } => self.unmeasured(query.to_string(), &error.to_string()),
            Event::Blind { what, why, .. } => self.unmeasured(words::one_line(what), why),
            Event::Closed { left, .. } => self.left.clone_from(left),
            _ => {
                self.changes.take(at, event);
                self.faults.take(at, event);
            }
        }
    }

    fn unmeasured(&mut self, query: String, error: &str) {
        match self.unmeasured.iter_mut().find(|known| known.query == query) {
            Some(known) => known.times += 1,
            None => self.unmeasured.push(Unmeasured { query, times: 1, first_error: words::one_line(error) }),
        }
    }
}

fn hypotheses(plan: &Plan) -> Vec<Hypothesis> {
    let mut known: Vec<Hypothesis> = Vec::new();
    for (number, signal) in (1..).zip(&plan.signals).filter(|(_, signal)| signal.is_judged()) {
        match known.iter_mut().find(|hypothesis| hypothesis.name == signal.hypothesis) {
            Some(hypothesis) => hypothesis.signals.push(number),
            None => known.push(Hypothesis { name: signal.hypothesis.clone(), signals: vec![number] }),
        }
    }
    known
}

fn times(state: &State, ledger: &[LedgerEntry], phases: Vec<PhaseTime>) -> Times {
    let changes = || ledger.iter().filter(|entry| !entry.is_lock);
    let began = state.steps.iter().filter_map(|step| step.began);
    Times {
        started: state.started,
        last: state.last,
        phases,
        first_fault: began.chain(changes().filter_map(|entry| entry.announced)).min(),
        first_effect: state.first_effect(),
        undo_began: changes().filter_map(|entry| entry.undo_began).min(),
        gone: state.gone,
    }
}
