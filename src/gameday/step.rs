//! The machine of a day: from what is asked, and from the time, to events. It knows no clock, no disk and no account.
//!
//! Invariants: every phase but the last has a way out that no fault, item or person can block; nothing but an event changes
//! the day; after an abort no fault begins.

use super::command::{Command, World};
use super::day::Day;
use super::due::{Due, Look};
use super::event::{Cause, Event, Faults, Outcome, Phase, ScenarioEnd, StopReason};
use super::role::{Actor, ItemName, Person, Role};
use crate::units::{Span, Time};

/// Why something that was asked is not possible now. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {next}")]
pub struct Refusal {
    pub what: String,
    /// What is possible instead.
    pub next: String,
}

/// A record is read by people.
const LONGEST_TEXT: usize = 4_000;

fn refuse<T>(what: impl Into<String>, next: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { what: what.into(), next: next.into() })
}

/// What happens next to a day.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Time passed.
    Tick,
    Asked(Actor, Command),
    World(World),
}

/// One step: the events of an input and of everything that follows from it at once. `name` is the day's own, of which its
/// runs' names are made.
///
/// # Errors
/// What was asked is not possible, or not this person's to ask.
pub fn step(day: &Day, name: &str, at: Time, input: Input) -> Result<Vec<Event>, Refusal> {
    let mut stepping = Stepping { day: day.clone(), at, name, events: Vec::new() };
    match input {
        Input::Tick => {}
        Input::Asked(by, command) => stepping.asked(by, command)?,
        Input::World(world) => stepping.world(world),
    }
    stepping.follow();
    Ok(stepping.events)
}

struct Stepping<'a> {
    day: Day,
    at: Time,
    name: &'a str,
    events: Vec<Event>,
}

impl Stepping<'_> {
    fn record(&mut self, event: Event) {
        self.day.apply(self.at, &event);
        self.events.push(event);
    }

    fn world(&mut self, world: World) {
        let squall = Person("squall".into());
        let at_work = self.day.scenarios.iter().position(|progress| progress.fault.at_work());
        match (world, at_work) {
            (World::Checked { check, finding, detail }, _) => {
                self.record(Event::Checked { check, finding, detail, by: squall });
            }
            (World::Alarm { alarm, firing, at }, _) => self.record(Event::AlarmChanged { alarm, firing, at }),
            (World::Refused { why }, Some(scenario)) => self.record(Event::FaultRefused { scenario, why }),
            (World::Effective { since, within, seen }, Some(scenario)) => {
                if self.day.scenarios[scenario].fault.effective.is_none() {
                    self.record(Event::FaultEffective { scenario, since, within, seen });
                }
            }
            (World::Gone { at }, Some(scenario)) => {
                if self.day.scenarios[scenario].fault.gone.is_none() {
                    self.record(Event::FaultGone { scenario, at });
                }
            }
            (World::RunEnded { verdict, why, left, recovered }, Some(scenario)) => {
                self.record(Event::RunEnded { scenario, verdict, why, left, recovered });
            }
            // News of a run that is over change nothing.
            (_, None) => {}
        }
    }

    fn asked(&mut self, by: Actor, command: Command) -> Result<(), Refusal> {
        if !command.may(by.role) {
            let may: Vec<String> =
                Role::ALL.into_iter().filter(|role| command.may(*role)).map(|role| role.to_string()).collect();
            return refuse(format!("a {} may not {}", by.role, command.words()), format!("ask: {}", may.join(", ")));
        }
        if command.longest_text() > LONGEST_TEXT {
            return refuse(format!("a text has more than {LONGEST_TEXT} bytes"), "write it in several notes");
        }
        let closed = self.day.phase == Phase::Closed;
        if closed && !matches!(command, Command::Note { .. } | Command::Correct { .. }) {
            return refuse("the day is closed", "notes and corrections can still be made");
        }
        let person = by.person.clone();
        match command {
            Command::Next => self.next()?,
            Command::Go { go, why } => self.decide(go, why, person)?,
            Command::Check { check, finding, detail } => {
                self.record(Event::Checked { check, finding, detail, by: person })
            }
            Command::Release { item } => self.release(&item)?,
            Command::Skip { item } => self.settle(item, Outcome::Skipped, person)?,
            Command::Settle { item, outcome } => self.settle(item, outcome, person)?,
            Command::Hint => self.hint(person)?,
            Command::Test { scenario, item } => self.test(scenario, item, person)?,
            Command::SkipScenario => match self.day.next_scenario() {
                Some(scenario) => self.record(Event::ScenarioEnded { scenario, how: ScenarioEnd::Skipped }),
                None => return refuse("every scenario has begun", "end it: next"),
            },
            Command::Pause { faults } => self.pause(faults, person)?,
            Command::Resume => match self.day.paused {
                Some(_) => self.record(Event::Resumed { by: person }),
                None => return refuse("the day is not paused", "pause it first"),
            },
            Command::Shift { by } => self.record(Event::Shifted { by, who: person }),
            Command::StopFault => {
                if !self.stop_fault(StopReason::Asked) {
                    return refuse("no fault is at work", "nothing has to be stopped");
                }
            }
            Command::EndEarly { why } => self.end_early(why, person)?,
            Command::Abort { why } => self.abort(why, by)?,
            Command::Say { statement, text } => self.record(Event::Said { statement, text, by }),
            Command::Note { text } => self.record(Event::Noted { text, by }),
            Command::Correct { note, text } => match self.day.notes.iter().any(|known| known.number == note) {
                true => self.record(Event::Corrected { note, text, by }),
                false => return refuse(format!("there is no note {note}"), "look at their numbers: status"),
            },
            Command::Answer { question, answer } => self.record(Event::Answered { question, answer, by }),
            Command::Agree { action } => self.record(Event::Agreed { action, by: person }),
        }
        Ok(())
    }

    fn enter(&mut self, phase: Phase) {
        self.record(Event::Entered { phase });
    }

    fn next(&mut self) -> Result<(), Refusal> {
        match self.day.phase {
            Phase::Briefing => self.enter(Phase::Readiness),
            Phase::Readiness => self.enter(Phase::GoNoGo),
            Phase::GoNoGo => return refuse("somebody has to decide", "look both ways, then say go or no go"),
            Phase::Scenarios => return self.next_scenario(),
            Phase::AllClear => self.enter(Phase::Debrief),
            Phase::Debrief => self.enter(Phase::Actions),
            Phase::Actions => self.enter(Phase::Closed),
            Phase::Closed => {}
        }
        Ok(())
    }

    fn next_scenario(&mut self) -> Result<(), Refusal> {
        if self.day.paused.is_some() {
            return refuse("the day is paused", "resume it first, end it early, or abort it");
        }
        if let Some(scenario) = self.day.open_scenario() {
            self.end(scenario, ScenarioEnd::ByHand);
            return Ok(());
        }
        if self.day.fault_at_work() {
            return refuse("the fault of the last scenario is still being rolled back or watched", "wait for its end");
        }
        match self.day.next_scenario() {
            Some(scenario) => self.record(Event::ScenarioBegan { scenario }),
            None => self.enter(Phase::AllClear),
        }
        Ok(())
    }

    fn decide(&mut self, go: bool, why: String, by: Person) -> Result<(), Refusal> {
        if self.day.phase != Phase::GoNoGo {
            return refuse("this is not the moment for go or no go", "it comes after the readiness checks");
        }
        let not_ok: Vec<&str> = self.day.open_checks();
        if go && why.is_empty() && !not_ok.is_empty() {
            let next = "make them so, or say `go REASON` to begin all the same";
            return refuse(format!("not every check is ok: {}", not_ok.join(", ")), next);
        }
        self.record(Event::Decided { go, why, by });
        // A day that does not take place has something to tell all the same: why, and what to do about it.
        self.enter(if go { Phase::Scenarios } else { Phase::Debrief });
        Ok(())
    }

    /// The open scenario, or why there is none.
    fn open(&self) -> Result<usize, Refusal> {
        self.day.open_scenario().map_or_else(|| refuse("no scenario is at work", "begin one: next"), Ok)
    }

    fn release(&mut self, item: &ItemName) -> Result<(), Refusal> {
        let number = self.open()?;
        let progress = &self.day.scenarios[number];
        let known = self.day.scenario(number).and_then(|scenario| scenario.item(item));
        match known {
            None => refuse(format!("this scenario has no item `{item}`"), "look at what it has: status"),
            Some(known) if !known.enabled => refuse(format!("`{item}` is switched off"), "switch it on in the runbook"),
            Some(_) if progress.released.contains_key(item) => {
                refuse(format!("`{item}` was released already"), "release another one")
            }
            Some(_) => {
                self.put_out(number, item, Cause::ByHand, Span::ZERO);
                Ok(())
            }
        }
    }

    /// Releases an item. One that waits for nothing is done with that.
    fn put_out(&mut self, scenario: usize, item: &ItemName, cause: Cause, late: Span) {
        self.record(Event::Released { scenario, item: item.clone(), cause, late });
        let waits = self.day.scenario(scenario).and_then(|it| it.item(item)).is_some_and(|it| it.expires.is_some());
        if !waits && !self.day.scenarios[scenario].settled.contains_key(item) {
            self.record(Event::Settled { scenario, name: item.clone(), outcome: Outcome::Completed, by: None });
        }
    }

    fn settle(&mut self, name: ItemName, outcome: Outcome, by: Person) -> Result<(), Refusal> {
        let number = self.open()?;
        let scenario = self.day.scenario(number);
        let is_item = scenario.is_some_and(|scenario| scenario.item(&name).is_some());
        let is_expectation = scenario.is_some_and(|scenario| scenario.expectation(&name).is_some());
        let progress = &self.day.scenarios[number];
        if !is_item && !is_expectation {
            return refuse(format!("this scenario has no `{name}`"), "look at what it has: status");
        }
        let done = progress.settled.get(&name).map(|settled| settled.outcome);
        // A person knows better than the time.
        if let Some(done) = done.filter(|done| *done != Outcome::Expired) {
            return refuse(format!("`{name}` is {} already", done.word()), "write a note if that is wrong");
        }
        if is_item && outcome != Outcome::Skipped && !progress.released.contains_key(&name) {
            return refuse(format!("`{name}` is not released yet"), format!("release it first, or skip it: {name}"));
        }
        self.record(Event::Settled { scenario: number, name, outcome, by: Some(by) });
        Ok(())
    }

    fn hint(&mut self, by: Person) -> Result<(), Refusal> {
        let number = self.open()?;
        let hint = self.day.scenarios[number].hints.len();
        match self.day.scenario(number).and_then(|scenario| scenario.spec.hints.get(hint)) {
            Some(_) => {
                self.record(Event::Hinted { scenario: number, hint, by });
                Ok(())
            }
            None => refuse("there is no other hint", "release an item, or say it yourself"),
        }
    }

    fn test(&mut self, scenario: usize, item: ItemName, by: Person) -> Result<(), Refusal> {
        if self.day.phase >= Phase::Scenarios {
            return refuse(
                "items are tested before the first scenario",
                "release it: it is seen by its receivers then",
            );
        }
        match self.day.scenario(scenario).and_then(|it| it.item(&item)) {
            Some(_) => {
                self.record(Event::Tested { scenario, item, by });
                Ok(())
            }
            None => refuse(format!("scenario {} has no item `{item}`", scenario + 1), "look at the runbook"),
        }
    }

    fn pause(&mut self, faults: Faults, by: Person) -> Result<(), Refusal> {
        if self.day.paused.is_some() {
            return refuse("the day is paused already", "resume it");
        }
        if self.day.phase != Phase::Scenarios {
            return refuse("only scenarios can be paused", "this phase waits for you anyway");
        }
        self.record(Event::Paused { faults, by });
        if faults == Faults::HoldBack {
            self.stop_fault(StopReason::Paused);
        }
        Ok(())
    }

    fn end_early(&mut self, why: String, by: Person) -> Result<(), Refusal> {
        if self.day.phase >= Phase::AllClear {
            return refuse("the scenarios are over", "go on: next");
        }
        self.record(Event::EndedEarly { why, by });
        self.end_all(ScenarioEnd::ByHand, StopReason::ScenarioOver);
        if self.day.phase != Phase::Scenarios {
            self.enter(Phase::Debrief);
        }
        Ok(())
    }

    fn abort(&mut self, why: String, by: Actor) -> Result<(), Refusal> {
        if self.day.aborted.is_some() {
            return refuse("the day was aborted already", "everything is being rolled back");
        }
        self.record(Event::Aborted { why, by });
        self.end_all(ScenarioEnd::Aborted, StopReason::Aborted);
        Ok(())
    }

    fn end_all(&mut self, how: ScenarioEnd, why: StopReason) {
        if let Some((_, _)) = self.day.paused {
            self.record(Event::Resumed { by: Person("squall".into()) });
        }
        self.stop_fault(why);
        if let Some(scenario) = self.day.open_scenario() {
            self.end(scenario, how);
        }
        while let Some(scenario) = self.day.next_scenario() {
            self.record(Event::ScenarioEnded { scenario, how: ScenarioEnd::Skipped });
        }
    }

    fn end(&mut self, scenario: usize, how: ScenarioEnd) {
        // A fault that is gone already is still watched until its run ends.
        if self.day.scenarios[scenario].fault.in_place() {
            self.stop_fault(StopReason::ScenarioOver);
        }
        self.record(Event::ScenarioEnded { scenario, how });
    }

    /// Whether a fault is at work that has to go now. It is told once.
    fn stop_fault(&mut self, why: StopReason) -> bool {
        let at_work = self.day.scenarios.iter().position(|progress| progress.fault.at_work());
        let Some(scenario) = at_work else { return false };
        if self.day.scenarios[scenario].fault.stopping.is_none() {
            self.record(Event::FaultStopping { scenario, why });
        }
        true
    }

    /// What follows by itself, until nothing does. Each of these makes itself impossible, so this ends.
    fn follow(&mut self) {
        while let Some(event) = (Look { day: &self.day, name: self.name, at: self.at }).due() {
            match event {
                Due::Release(scenario, item, late) => self.put_out(scenario, &item, Cause::Moment, late),
                Due::End(scenario, how) => self.end(scenario, how),
                Due::Event(event) => self.record(event),
            }
        }
    }
}
