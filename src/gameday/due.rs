//! What follows by itself: from the time, from what people and signals did, and from the end of a fault.

use super::day::{Day, Progress, Stamp};
use super::event::{Event, Faults, Outcome, Phase, ScenarioEnd};
use super::role::{ItemName, Person, Role};
use super::runbook::Scenario;
use super::spec::{ConfirmedBy, ItemKind, Of};
use super::when::{self, Happened, When};
use crate::ids::RunId;
use crate::units::{Span, Time};

/// What is later than this is said to be late: a process was away, or its clock was.
pub const LATE: Span = Span::from_secs(30);

/// What follows by itself.
pub enum Due {
    Event(Event),
    Release(usize, ItemName, Span),
    End(usize, ScenarioEnd),
}

/// A day at an instant.
pub struct Look<'a> {
    pub day: &'a Day,
    /// The day's own name, of which its runs' names are made.
    pub name: &'a str,
    pub at: Time,
}

impl Look<'_> {
    /// The first thing that follows; `None` when nothing does.
    pub fn due(&self) -> Option<Due> {
        let day = self.day;
        if day.phase == Phase::Scenarios && day.open_scenario().is_none() && !day.fault_at_work() {
            if day.aborted.is_some() {
                return Some(Due::Event(Event::Entered { phase: Phase::Debrief }));
            }
            if day.next_scenario().is_none() {
                return Some(Due::Event(Event::Entered { phase: Phase::AllClear }));
            }
        }
        if day.aborted.is_some() && day.phase < Phase::Scenarios {
            return Some(Due::Event(Event::Entered { phase: Phase::Debrief }));
        }
        let number = day.open_scenario()?;
        let (scenario, progress) = (day.scenario(number)?, day.scenarios.get(number)?);
        // What people and signals did counts in a pause as well; what the time does, does not.
        if let Some(name) = self.confirmed(number, scenario, progress) {
            let outcome = Outcome::Succeeded;
            return Some(Due::Event(Event::Settled { scenario: number, name, outcome, by: None }));
        }
        if day.paused.is_some() {
            return self.fault_due(number, scenario, progress);
        }
        self.by_time(number, scenario, progress)
    }

    fn by_time(&self, number: usize, scenario: &Scenario, progress: &Progress) -> Option<Due> {
        let clock = self.day.clock(self.at);
        let expired = |name: &ItemName| {
            Due::Event(Event::Settled { scenario: number, name: name.clone(), outcome: Outcome::Expired, by: None })
        };
        if let Some(due) = self.fault_due(number, scenario, progress) {
            return Some(due);
        }
        let from = counts_from(scenario, progress);
        for expectation in scenario.spec.expectations.iter().filter(|it| !progress.settled.contains_key(&it.name.0)) {
            if from.is_some_and(|from| clock >= from.clock + expectation.within) {
                return Some(expired(&expectation.name.0));
            }
        }
        for item in scenario.spec.items.iter().filter(|it| it.enabled && !progress.settled.contains_key(&it.name.0)) {
            let name = &item.name.0;
            match progress.released.get(name) {
                None => {
                    if let Some(due) = moment(&item.when, progress).filter(|due| clock >= *due) {
                        let late = Some(clock.since(due)).filter(|late| *late > LATE).unwrap_or_default();
                        return Some(Due::Release(number, name.clone(), late));
                    }
                }
                Some(release) => {
                    if item.expires.is_some_and(|expires| clock >= release.stamp.clock + expires) {
                        return Some(expired(name));
                    }
                }
            }
        }
        if progress.began.is_some_and(|began| clock >= began.clock + scenario.spec.longest) {
            return Some(Due::End(number, ScenarioEnd::TimeIsUp));
        }
        nothing_to_wait_for(scenario, progress).then_some(Due::End(number, ScenarioEnd::Done))
    }

    /// The fault's moment came. In a pause it begins only where faults go on.
    fn fault_due(&self, number: usize, scenario: &Scenario, progress: &Progress) -> Option<Due> {
        let held_back = self.day.paused.is_some_and(|(_, faults)| faults == Faults::HoldBack);
        let free = progress.fault.due.is_none() && scenario.spec.experiment.is_some() && !held_back;
        if !free || self.day.fault_at_work() || self.day.aborted.is_some() {
            return None;
        }
        let due = moment(&scenario.spec.starts, progress).filter(|due| self.day.clock(self.at) >= *due);
        due.map(|_| {
            let run = RunId(format!("{}-{}", self.name, number + 1));
            Due::Event(Event::FaultDue { scenario: number, run })
        })
    }

    /// An expectation that a signal or the responders themselves confirm now.
    fn confirmed(&self, number: usize, scenario: &Scenario, progress: &Progress) -> Option<ItemName> {
        let open = scenario.spec.expectations.iter().filter(|it| !progress.settled.contains_key(&it.name.0));
        for expectation in open {
            let met = match &expectation.confirmed_by {
                ConfirmedBy::Alarm(alarm) => {
                    let seen = |change: &&super::day::AlarmChange| change.scenario == Some(number) && change.firing;
                    self.day.alarms.iter().filter(seen).any(|change| change.alarm == *alarm)
                }
                ConfirmedBy::Statement(statement) => {
                    let of_it =
                        |said: &&super::day::Said| said.scenario == Some(number) && said.statement == *statement;
                    let by = |person: &Person| self.day.said.iter().filter(of_it).any(|said| said.by.person == *person);
                    let mut responders =
                        self.day.people.iter().filter(|(_, (role, agent))| *role == Role::Responder && !agent);
                    match expectation.of {
                        Of::All => {
                            self.day.people.values().any(|(role, _)| *role == Role::Responder)
                                && responders.all(|(person, _)| by(person))
                        }
                        Of::AtLeastOne => responders.any(|(person, _)| by(person)),
                    }
                }
                ConfirmedBy::Role(_) => false,
            };
            if met {
                return Some(expectation.name.0.clone());
            }
        }
        None
    }
}

/// Whether nothing that comes by itself is still to come: no fault, no expectation, no item with a moment. Items that are switched
/// off, that wait for the facilitator's hand, or whose moment cannot come any more keep no scenario open.
fn nothing_to_wait_for(scenario: &Scenario, progress: &Progress) -> bool {
    let fault = &progress.fault;
    let fault_over = match (&scenario.spec.experiment, &fault.due) {
        (None, _) => true,
        (Some(_), Some(_)) => !fault.at_work(),
        // One that waits for a hand, or for what does not come any more, keeps nothing open.
        (Some(_), None) => moment(&scenario.spec.starts, progress).is_none() && !has_fallback(scenario, progress),
    };
    let never_effective = scenario.spec.experiment.is_some() && fault.effective.is_none();
    let expectations_over = scenario
        .spec
        .expectations
        .iter()
        .all(|expectation| progress.settled.contains_key(&expectation.name.0) || (fault_over && never_effective));
    let items_over = scenario.spec.items.iter().all(|item| {
        let name = &item.name.0;
        !item.enabled
            || progress.settled.contains_key(name)
            || (!progress.released.contains_key(name)
                && (item.kind == ItemKind::Contingency || moment(&item.when, progress).is_none()))
    });
    fault_over && expectations_over && items_over
}

/// Whether an item or an expectation that is still open could bring the fault's moment.
fn has_fallback(scenario: &Scenario, progress: &Progress) -> bool {
    scenario.spec.starts.causes().iter().any(|cause| match &cause.from {
        when::From::Item(name, _) => !progress.settled.contains_key(name),
        when::From::Scenario | when::From::FaultEffective | when::From::FaultGone => false,
    })
}

/// When something may happen by itself the next time; `None` when the day waits for people.
pub fn wake(day: &Day) -> Option<Time> {
    to_come(day).into_iter().map(|(at, _)| at).min()
}

/// What may happen by itself, as far as its moment is known, in the order of time. Nothing does in a pause.
pub fn to_come(day: &Day) -> Vec<(Time, Coming)> {
    let Some(number) = day.open_scenario().filter(|_| day.paused.is_none()) else { return Vec::new() };
    let (Some(scenario), Some(progress)) = (day.scenario(number), day.scenarios.get(number)) else { return Vec::new() };
    let due = |when: &When| moment(when, progress);
    let mut coming: Vec<(Time, Coming)> = Vec::new();
    coming.extend(progress.began.map(|began| (began.clock + scenario.spec.longest, Coming::LongestTime)));
    for item in scenario.spec.items.iter().filter(|item| item.enabled) {
        let name = &item.name.0;
        match progress.released.get(name) {
            Some(release) if !progress.settled.contains_key(name) => {
                let expires = item.expires.map(|expires| release.stamp.clock + expires);
                coming.extend(expires.map(|at| (at, Coming::Expiry(name.clone()))));
            }
            Some(_) => {}
            None if progress.settled.contains_key(name) => {}
            None => coming.extend(due(&item.when).map(|at| (at, Coming::Release(name.clone())))),
        }
    }
    for expectation in scenario.spec.expectations.iter().filter(|it| !progress.settled.contains_key(&it.name.0)) {
        let from = counts_from(scenario, progress);
        coming.extend(from.map(|from| (from.clock + expectation.within, Coming::Expiry(expectation.name.0.clone()))));
    }
    if progress.fault.due.is_none() && scenario.spec.experiment.is_some() {
        coming.extend(due(&scenario.spec.starts).map(|at| (at, Coming::Fault)));
    }
    coming.iter_mut().for_each(|(clock, _)| *clock = *clock + day.behind);
    coming.sort_by_key(|(at, _)| *at);
    coming
}

/// Something that comes by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coming {
    Release(ItemName),
    /// Of an item or an expectation.
    Expiry(ItemName),
    Fault,
    /// The scenario takes no longer than this.
    LongestTime,
}

impl std::fmt::Display for Coming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Coming::Release(item) => write!(f, "{item} is released"),
            Coming::Expiry(name) => write!(f, "{name} expires"),
            Coming::Fault => f.write_str("the fault begins"),
            Coming::LongestTime => f.write_str("the scenario ends at the latest"),
        }
    }
}

/// By the day's clock, when a condition is met, as far as that is known.
fn moment(when: &When, progress: &Progress) -> Option<Time> {
    let one = |cause: &when::Cause| {
        let from = match &cause.from {
            when::From::Scenario => progress.began,
            when::From::FaultEffective => progress.fault.effective.map(|(stamp, _)| stamp),
            when::From::FaultGone => progress.fault.gone,
            when::From::Item(name, happened) => happened_to(progress, name, *happened),
        };
        from.map(|from| from.clock + cause.after)
    };
    match when {
        When::ByHand => None,
        // One that is not known keeps all of them waiting.
        When::All(causes) => causes.iter().map(one).collect::<Option<Vec<Time>>>()?.into_iter().max(),
        When::Any(causes) => causes.iter().filter_map(one).min(),
    }
}

fn happened_to(progress: &Progress, name: &ItemName, happened: Happened) -> Option<Stamp> {
    let settled = progress.settled.get(name);
    let fits = |outcome: Outcome| match happened {
        Happened::Released => false,
        Happened::Succeeds => outcome == Outcome::Succeeded,
        Happened::Fails => outcome == Outcome::Failed,
        Happened::Completes => matches!(outcome, Outcome::Succeeded | Outcome::Failed | Outcome::Completed),
        Happened::Expires => outcome == Outcome::Expired,
    };
    match happened {
        Happened::Released => progress.released.get(name).map(|release| release.stamp),
        _ => settled.filter(|settled| fits(settled.outcome)).map(|settled| settled.stamp),
    }
}

/// What the time of an expectation counts from.
fn counts_from(scenario: &Scenario, progress: &Progress) -> Option<Stamp> {
    match scenario.spec.experiment {
        Some(_) => progress.fault.effective.map(|(stamp, _)| stamp),
        None => progress.began,
    }
}
