//! What is known of a game day after its events: a fold, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::event::{Action, Cause, Event, Faults, Finding, Outcome, Phase, Recorded, ScenarioEnd, StopReason};
use super::role::{Actor, ItemName, Person, Role, Statement};
use super::runbook::{Runbook, Scenario};
use crate::ids::RunId;
use crate::judge::verdict::VerdictKind;
use crate::units::{Span, Time};
use crate::yaml::Source;

/// Two readings of time: by the account's clock, and by the day's own, which stands still in a pause and goes back when the
/// rest of the day is shifted. Whatever is planned counts by the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub at: Time,
    pub clock: Time,
}

/// A game day.
#[derive(Clone, Debug)]
pub struct Day {
    pub runbook: Arc<Runbook>,
    pub people: BTreeMap<Person, (Role, bool)>,
    pub rehearsal: bool,
    pub opened: Time,
    pub opened_by: Person,
    /// Of the last event.
    pub last: Time,
    pub seq: u64,
    pub phase: Phase,
    pub checks: BTreeMap<String, Check>,
    pub decision: Option<(bool, String)>,
    pub scenarios: Vec<Progress>,
    pub paused: Option<(Time, Faults)>,
    /// How far the day's own clock is behind the account's.
    pub behind: Span,
    pub aborted: Option<(Time, String, Actor)>,
    pub ended_early: Option<String>,
    pub said: Vec<Said>,
    pub notes: Vec<Note>,
    pub alarms: Vec<AlarmChange>,
    pub actions: Vec<Action>,
    pub answers: Vec<(String, String, Actor)>,
}

/// A readiness check as it was found last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub finding: Finding,
    pub detail: String,
}

/// What a person said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub at: Time,
    pub statement: Statement,
    pub text: String,
    pub by: Actor,
    /// The scenario that was at work.
    pub scenario: Option<usize>,
}

/// A note, with what it said before it was corrected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub number: u64,
    pub at: Time,
    pub text: String,
    pub by: Actor,
    pub before: Vec<String>,
}

/// An alarm that changed its state within the minute before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmChange {
    pub at: Time,
    pub alarm: String,
    pub firing: bool,
    pub scenario: Option<usize>,
}

/// How far a scenario is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    pub began: Option<Stamp>,
    pub ended: Option<(Time, ScenarioEnd)>,
    pub released: BTreeMap<ItemName, Release>,
    /// Of items and expectations.
    pub settled: BTreeMap<ItemName, Settlement>,
    pub hints: Vec<Time>,
    pub fault: Fault,
}

/// An item that was released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    pub stamp: Stamp,
    pub cause: Cause,
    pub late: Span,
}

/// What became of an item or an expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub stamp: Stamp,
    pub outcome: Outcome,
    pub by: Option<Person>,
}

/// The fault of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Fault {
    pub due: Option<(Time, RunId)>,
    pub refused: Option<String>,
    /// Since when, by both clocks; and how exactly that is known.
    pub effective: Option<(Stamp, Span)>,
    pub stopping: Option<(Time, StopReason)>,
    pub gone: Option<Stamp>,
    pub ended: Option<RunResult>,
}

/// How the run of a scenario ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RunResult {
    pub at: Time,
    pub verdict: VerdictKind,
    pub why: Vec<String>,
    pub left: Vec<String>,
    pub recovered: Option<Span>,
}

impl Fault {
    /// Whether a run may be at work, or is about to be.
    pub fn at_work(&self) -> bool {
        self.due.is_some() && self.refused.is_none() && self.ended.is_none()
    }

    /// Whether something may be changed in the account, or is about to be.
    pub fn in_place(&self) -> bool {
        self.at_work() && self.gone.is_none()
    }
}

impl Progress {
    /// Whether it has begun and not ended.
    pub fn is_open(&self) -> bool {
        self.began.is_some() && self.ended.is_none()
    }
}

/// What has to be done outside. It follows from the day alone, so that a new process knows what the one before it had to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Duty {
    /// Begin this run, or roll it back if it was begun by a process that is gone.
    Run { scenario: usize, run: RunId },
    /// Stop this run: it rolls back and ends.
    Stop { scenario: usize, run: RunId, why: StopReason },
}

impl Day {
    /// The day after its first event.
    ///
    /// # Errors
    /// The event is not the first one of a day, or the text in it is no runbook.
    pub fn open(at: Time, event: &Event) -> Result<Day, String> {
        let Event::Opened { file, text, people, by, rehearsal } = event else {
            return Err("its first event does not open a day".into());
        };
        let (runbook, findings) = Runbook::read(&Source::new(file.clone(), text.clone()));
        let runbook = runbook.ok_or_else(|| format!("its runbook has {}", findings.count()))?;
        Ok(Day {
            scenarios: vec![Progress::default(); runbook.scenarios.len()],
            runbook: Arc::new(runbook),
            people: people.iter().map(|actor| (actor.person.clone(), (actor.role, actor.agent))).collect(),
            rehearsal: *rehearsal,
            opened: at,
            opened_by: by.clone(),
            last: at,
            seq: 1,
            phase: Phase::Briefing,
            checks: BTreeMap::new(),
            decision: None,
            paused: None,
            behind: Span::ZERO,
            aborted: None,
            ended_early: None,
            said: Vec::new(),
            notes: Vec::new(),
            alarms: Vec::new(),
            actions: Vec::new(),
            answers: Vec::new(),
        })
    }

    /// The day after all of its events.
    ///
    /// # Errors
    /// As [`Day::open`].
    pub fn replay(events: &[Recorded]) -> Result<Day, String> {
        let (first, rest) = events.split_first().ok_or("it has no event")?;
        let mut day = Day::open(first.at, &first.event)?;
        rest.iter().for_each(|recorded| day.apply(recorded.at, &recorded.event));
        Ok(day)
    }

    /// The checks that were not found ok: squall's own, and those of the runbook that nobody made yet.
    pub fn open_checks(&self) -> Vec<&str> {
        let by_hand = self.runbook.readiness.iter().filter(|check| !self.checks.contains_key(*check));
        let not_ok = self.checks.iter().filter(|(_, check)| check.finding != Finding::Passed);
        not_ok.map(|(name, _)| name.as_str()).chain(by_hand.map(String::as_str)).collect()
    }

    /// The scenario that is at work.
    pub fn open_scenario(&self) -> Option<usize> {
        self.scenarios.iter().position(Progress::is_open)
    }

    /// The first scenario that neither began nor was skipped.
    pub fn next_scenario(&self) -> Option<usize> {
        self.scenarios.iter().position(|progress| progress.began.is_none() && progress.ended.is_none())
    }

    /// Whether a run may be at work.
    pub fn fault_at_work(&self) -> bool {
        self.scenarios.iter().any(|progress| progress.fault.at_work())
    }

    /// What has to be done outside.
    pub fn duty(&self) -> Option<Duty> {
        let at_work = |(_, progress): &(usize, &Progress)| progress.fault.at_work();
        let (scenario, progress) = self.scenarios.iter().enumerate().find(at_work)?;
        let (_, run) = progress.fault.due.clone()?;
        Some(match progress.fault.stopping {
            Some((_, why)) => Duty::Stop { scenario, run, why },
            None => Duty::Run { scenario, run },
        })
    }

    /// What the day's own clock says at an instant.
    pub fn clock(&self, at: Time) -> Time {
        let at = self.paused.map_or(at, |(since, _)| since.min(at));
        at - self.behind
    }

    /// An instant by both clocks.
    pub fn stamp(&self, at: Time) -> Stamp {
        Stamp { at, clock: self.clock(at) }
    }

    /// The runbook's scenario of this number.
    pub fn scenario(&self, number: usize) -> Option<&Scenario> {
        self.runbook.scenarios.get(number)
    }

    /// Who a person is on this day.
    pub fn actor(&self, person: &Person) -> Option<Actor> {
        self.people.get(person).map(|(role, agent)| Actor { person: person.clone(), role: *role, agent: *agent })
    }

    /// Takes one event in.
    pub fn apply(&mut self, at: Time, event: &Event) {
        self.seq += 1;
        let stamp = self.stamp(at);
        let open = self.open_scenario();
        match event {
            Event::Opened { .. } | Event::Tested { .. } | Event::Refused { .. } => {}
            Event::Entered { phase } => self.phase = *phase,
            Event::Checked { check, finding, detail, .. } => {
                self.checks.insert(check.clone(), Check { finding: *finding, detail: detail.clone() });
            }
            Event::Decided { go, why, .. } => self.decision = Some((*go, why.clone())),
            Event::Said { statement, text, by } => {
                self.said.push(Said { at, statement: *statement, text: text.clone(), by: by.clone(), scenario: open });
            }
            Event::Noted { text, by } => {
                let (text, by) = (text.clone(), by.clone());
                self.notes.push(Note { number: self.seq, at, text, by, before: Vec::new() });
            }
            Event::Corrected { note, text, .. } => {
                if let Some(note) = self.notes.iter_mut().find(|known| known.number == *note) {
                    note.before.push(std::mem::replace(&mut note.text, text.clone()));
                }
            }
            Event::Paused { faults, .. } => self.paused = Some((at, *faults)),
            Event::Resumed { .. } => {
                if let Some((since, _)) = self.paused.take() {
                    self.behind = self.behind + at.since(since);
                }
            }
            Event::Shifted { by, .. } => self.behind = self.behind + *by,
            Event::AlarmChanged { alarm, firing, at } => {
                self.alarms.push(AlarmChange { at: *at, alarm: alarm.clone(), firing: *firing, scenario: open });
            }
            Event::EndedEarly { why, .. } => self.ended_early = Some(why.clone()),
            Event::Aborted { why, by } => self.aborted = Some((at, why.clone(), by.clone())),
            Event::Agreed { action, .. } => self.actions.push(action.clone()),
            Event::Answered { question, answer, by } => {
                self.answers.push((question.clone(), answer.clone(), by.clone()));
            }
            Event::ScenarioBegan { scenario }
            | Event::ScenarioEnded { scenario, .. }
            | Event::Released { scenario, .. }
            | Event::Hinted { scenario, .. }
            | Event::Settled { scenario, .. }
            | Event::FaultDue { scenario, .. }
            | Event::FaultRefused { scenario, .. }
            | Event::FaultEffective { scenario, .. }
            | Event::FaultStopping { scenario, .. }
            | Event::FaultGone { scenario, .. }
            | Event::RunEnded { scenario, .. } => {
                if let Some(progress) = self.scenarios.get_mut(*scenario) {
                    progress.apply(stamp, event);
                }
            }
        }
        self.last = self.last.max(at);
    }
}

impl Progress {
    fn apply(&mut self, stamp: Stamp, event: &Event) {
        let at = stamp.at;
        match event {
            Event::ScenarioBegan { .. } => self.began = Some(stamp),
            Event::ScenarioEnded { how, .. } => self.ended = Some((at, *how)),
            Event::Released { item, cause, late, .. } => {
                self.released.insert(item.clone(), Release { stamp, cause: *cause, late: *late });
            }
            Event::Hinted { .. } => self.hints.push(at),
            Event::Settled { name, outcome, by, .. } => {
                self.settled.insert(name.clone(), Settlement { stamp, outcome: *outcome, by: by.clone() });
            }
            Event::FaultDue { run, .. } => self.fault.due = Some((at, run.clone())),
            Event::FaultRefused { why, .. } => self.fault.refused = Some(why.clone()),
            Event::FaultEffective { since, within, .. } => {
                // What is planned counts from when it was known: what waits for it cannot be late before it is known.
                self.fault.effective = Some((Stamp { at: *since, clock: stamp.clock }, *within));
            }
            Event::FaultStopping { why, .. } => self.fault.stopping = Some((at, *why)),
            Event::FaultGone { at, .. } => self.fault.gone = Some(Stamp { at: *at, clock: stamp.clock }),
            Event::RunEnded { verdict, why, left, recovered, .. } => {
                let (why, left) = (why.clone(), left.clone());
                self.fault.ended = Some(RunResult { at, verdict: *verdict, why, left, recovered: *recovered });
            }
            _ => {}
        }
    }
}
