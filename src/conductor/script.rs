//! The people of a rehearsal: a facilitator who goes on whenever the day allows it, and responders who do what is expected of them
//! halfway through the time that they have, or who are absent.

use std::collections::{BTreeMap, VecDeque};

use super::Asks;
use crate::gameday::command::{Ask, Command};
use crate::gameday::day::{Day, Progress};
use crate::gameday::event::{Outcome, Phase};
use crate::gameday::role::{Actor, ItemName, Person, Role, Statement};
use crate::gameday::runbook::Scenario;
use crate::gameday::spec::{ConfirmedBy, Of};
use crate::gameday::step::Refusal;
use crate::units::{Span, Time};

/// Whether the responders of a rehearsal do anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Responders {
    /// They do what is expected of them, halfway through the time that they have.
    Scripted,
    /// They do nothing: every expectation of people expires.
    Absent,
}

/// Plays everybody.
#[derive(Debug)]
pub struct Script {
    responders: Responders,
    /// What was not possible, and would be asked for again and again.
    pub refused: Vec<String>,
    waiting: VecDeque<Ask>,
    /// When each expectation was acted on, so that it is done once.
    done: BTreeMap<(usize, ItemName), Time>,
}

/// How long everybody listens, decides and talks in the phases around the scenarios.
const TALK: Span = Span::from_mins(5);

impl Script {
    /// With responders, or without.
    pub fn new(responders: Responders) -> Script {
        Script { responders, refused: Vec::new(), waiting: VecDeque::new(), done: BTreeMap::new() }
    }

    /// The first person with a role.
    fn person(day: &Day, role: Role) -> Option<Actor> {
        let fits = |(_, (has, agent)): &(&Person, &(Role, bool))| *has == role && !agent;
        day.people.iter().find(fits).and_then(|(person, _)| day.actor(person))
    }

    /// What the facilitator asks for now.
    fn facilitator(day: &Day, at: Time) -> Option<Command> {
        if at < day.last + TALK && day.phase != Phase::Scenarios {
            return None;
        }
        match day.phase {
            Phase::GoNoGo => Some(Command::Go { go: true, why: "rehearsal: both ways are clear".into() }),
            Phase::Scenarios if day.open_scenario().is_some() || day.fault_at_work() => None,
            Phase::Closed => None,
            _ => Some(Command::Next),
        }
    }

    /// When somebody acts on an expectation.
    fn acts_at(scenario: &Scenario, progress: &Progress, within: Span) -> Option<Time> {
        let from = match scenario.spec.experiment {
            Some(_) => progress.fault.effective.map(|(stamp, _)| stamp),
            None => progress.began,
        };
        // From when it was known: nobody can see an effect before the metrics do.
        from.map(|from| from.clock + Span::from_micros(within.micros() / 2))
    }

    /// Each expectation of people that is still open in the scenario at work, and when it is acted on.
    fn expected<'d>(&self, day: &'d Day) -> Vec<(usize, &'d crate::gameday::spec::ExpectationSpec, Time)> {
        let Some(number) = day.open_scenario() else { return Vec::new() };
        let (Some(scenario), Some(progress)) = (day.scenario(number), day.scenarios.get(number)) else {
            return Vec::new();
        };
        let open = scenario.spec.expectations.iter().filter(|it| {
            !progress.settled.contains_key(&it.name.0) && !self.done.contains_key(&(number, it.name.0.clone()))
        });
        let of_people = open.filter(|it| !matches!(it.confirmed_by, ConfirmedBy::Alarm(_)));
        of_people.filter_map(|it| Some((number, it, Script::acts_at(scenario, progress, it.within)?))).collect()
    }

    /// What people do about an expectation.
    fn act(day: &Day, expectation: &crate::gameday::spec::ExpectationSpec) -> Vec<Ask> {
        let text = "rehearsed".to_owned();
        match &expectation.confirmed_by {
            ConfirmedBy::Alarm(_) => Vec::new(),
            ConfirmedBy::Statement(statement) => {
                let people = day.people.iter().filter(|(_, (role, agent))| *role == Role::Responder && !agent);
                let count = if expectation.of == Of::All { usize::MAX } else { 1 };
                let says = |(person, _)| {
                    let command = Command::Say { statement: *statement, text: text.clone() };
                    day.actor(person).map(|by| Ask { by, command })
                };
                people.take(count).filter_map(says).collect()
            }
            ConfirmedBy::Role(_) => {
                let settle = Command::Settle { item: expectation.name.0.clone(), outcome: Outcome::Succeeded };
                let cause = Command::Say { statement: Statement::Cause, text };
                let said = Script::person(day, Role::Responder).map(|by| Ask { by, command: cause });
                let settled = Script::person(day, Role::Facilitator).map(|by| Ask { by, command: settle });
                let about_the_cause = expectation.counts == crate::gameday::spec::Counts::Diagnosis;
                said.filter(|_| about_the_cause).into_iter().chain(settled).collect()
            }
        }
    }
}

impl Asks for Script {
    fn next(&mut self, day: &Day, at: Time) -> Option<Ask> {
        if let Some(ask) = self.waiting.pop_front() {
            return Some(ask);
        }
        if self.responders == Responders::Scripted
            && let Some((number, expectation, _)) = self.expected(day).into_iter().find(|(.., due)| at >= *due)
        {
            self.done.insert((number, expectation.name.0.clone()), at);
            self.waiting.extend(Script::act(day, expectation));
            return self.waiting.pop_front();
        }
        // One who asks for the impossible would do so for ever.
        let command = Script::facilitator(day, at).filter(|_| self.refused.is_empty())?;
        Script::person(day, Role::Facilitator).map(|by| Ask { by, command })
    }

    fn refused(&mut self, refusal: &Refusal) {
        self.refused.push(refusal.to_string());
    }

    fn wake(&self, day: &Day, at: Time) -> Option<Time> {
        let people = match self.responders {
            Responders::Scripted => self.expected(day).into_iter().map(|(.., due)| due).min(),
            Responders::Absent => None,
        };
        let talk = (day.phase != Phase::Scenarios).then_some(day.last + TALK);
        people.into_iter().chain(talk).min().map(|due| due.max(at))
    }
}
