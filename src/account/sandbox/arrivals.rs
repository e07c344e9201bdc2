//! Arrivals: the application's traffic from outside, and the load that squall makes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::app::Arrivals;
use super::chain::Chain;
use super::chance::Chance;
use super::event::{Event, Ticket};
use super::invocation::Origin;
use super::message::New;
use super::model::{Goal, Model};
use super::settings::refused;
use super::world::World;
use crate::account::{CallError, CallId, Outcome, RefusedBy, Reply, Resource, ResourceKind, RunMarker};
use crate::units::{Span, Time};

/// A load's answer waits for its last requests, but no longer than this after the load's end: longer than an HTTP api
/// waits for its function.
const LAST_ANSWERS: Span = Span::from_secs(31);

/// The chance of each source of traffic, in the order of the model.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    chances: Vec<Chance>,
}

impl Sources {
    pub fn new(model: &Model, seed: u64) -> Sources {
        let chances = (0..model.traffic.len()).map(|source| Chance::of(seed, &format!("traffic {source}")));
        Sources { chances: chances.collect() }
    }
}

/// Requests that squall makes.
#[derive(Clone, Debug)]
struct Load {
    caller: Option<CallId>,
    goal: Goal,
    marker: Arc<RunMarker>,
    /// Requests to come, the time between two, and when the time for them is over.
    left: u32,
    gap: Span,
    ends: Time,
    /// Requests without an answer, and answers.
    open: u32,
    accepted: u32,
    failed: u32,
}

/// Every load under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Loads {
    loads: BTreeMap<Ticket, Load>,
    next: Ticket,
}

impl Loads {
    /// Nobody waits for their answers any more.
    pub fn forget_caller(&mut self) {
        self.loads.values_mut().for_each(|load| load.caller = None);
    }
}

impl World {
    /// Plans the first arrival of every source.
    pub(super) fn start_traffic(&mut self) {
        for source in 0..self.model.traffic.len() {
            self.plan_arrival(source);
        }
    }

    fn plan_arrival(&mut self, source: usize) {
        let traffic = &self.model.traffic[source];
        let mean = 1.0 / traffic.rate;
        let gap = match traffic.arrivals {
            Arrivals::Even => mean,
            Arrivals::Poisson => self.sources.chances[source].exponential(mean),
        };
        self.agenda.at(self.now + Span::from_secs_f64(gap), Event::Arrival { source: source as u32 });
    }

    /// One arrival of a source, and the plan of its next one.
    pub(super) fn arrival(&mut self, source: usize) {
        self.plan_arrival(source);
        let traffic = &self.model.traffic[source];
        let group = self.sources.chances[source].one_of(&traffic.groups).cloned();
        self.deliver(traffic.to, None, group);
    }

    fn deliver(&mut self, goal: Goal, load: Option<Ticket>, group: Option<Arc<str>>) {
        match goal {
            Goal::Api { api, function } => self.request(api, function, load),
            Goal::Function(function) => {
                let origin = load.map_or(Origin::Outside, Origin::Load);
                if self.invoke(function, origin, Chain::default()).is_err()
                    && let Some(load) = load
                {
                    self.load_answered(load, false);
                }
            }
            Goal::Queue(queue) => {
                let marker = load.and_then(|load| self.loads.loads.get(&load)).map(|load| load.marker.clone());
                let taken = self.send_message(queue, New { marker, group, ..New::default() });
                if let Some(load) = load {
                    self.load_answered(load, taken);
                }
            }
        }
    }

    /// Begins a load. `None`: its answer comes later, under the caller's id.
    pub(super) fn start_load(
        &mut self,
        caller: Option<CallId>,
        target: &Resource,
        requests: u32,
        spread: Span,
        marker: RunMarker,
    ) -> Option<Outcome> {
        let goal = match self.goal(target) {
            Ok(goal) => goal,
            Err(error) => return Some(Err(error)),
        };
        if requests == 0 {
            return Some(Ok(Reply::Loaded { accepted: 0, failed: 0 }));
        }
        self.loads.next += 1;
        let ticket = self.loads.next;
        let gap = Span::from_micros(spread.micros() / i64::from(requests));
        let (marker, ends) = (Arc::new(marker), self.now + spread);
        let load = Load { caller, goal, marker, left: requests, gap, ends, open: 0, accepted: 0, failed: 0 };
        self.loads.loads.insert(ticket, load);
        self.agenda.at(self.now, Event::LoadRequest { load: ticket });
        self.agenda.at(ends, Event::LoadEnds { load: ticket });
        self.agenda.at(ends + LAST_ANSWERS, Event::LoadEnds { load: ticket });
        None
    }

    /// Where requests to a resource go: to an api's route that has traffic, else to its first one.
    fn goal(&self, target: &Resource) -> Result<Goal, CallError> {
        let index = self.index_of(target)?;
        match target.kind {
            ResourceKind::Function => Ok(Goal::Function(index)),
            ResourceKind::Queue => Ok(Goal::Queue(index)),
            ResourceKind::Api => {
                let busy = self.model.traffic.iter().map(|traffic| traffic.to);
                let busy = busy.filter(|goal| matches!(goal, Goal::Api { api, .. } if *api == index));
                let first = self.model.apis[index].routes.first();
                let first = first.map(|(_, function)| Goal::Api { api: index, function: *function });
                busy.chain(first).next().map_or_else(|| refused(RefusedBy::Invalid, "the api has no route"), Ok)
            }
            other => refused(RefusedBy::Unsupported, format!("a {} takes no load", other.word())),
        }
    }

    /// One request of a load goes out.
    pub(super) fn load_request(&mut self, ticket: Ticket) {
        let now = self.now;
        let Some(load) = self.loads.loads.get_mut(&ticket) else { return };
        load.left -= 1;
        load.open += 1;
        let (goal, more, gap) = (load.goal, load.left > 0, load.gap);
        if more {
            self.agenda.at(now + gap, Event::LoadRequest { load: ticket });
        }
        self.deliver(goal, Some(ticket), None);
    }

    /// One request of a load has its answer.
    pub(super) fn load_answered(&mut self, ticket: Ticket, fine: bool) {
        let Some(load) = self.loads.loads.get_mut(&ticket) else { return };
        load.open -= 1;
        load.accepted += u32::from(fine);
        load.failed += u32::from(!fine);
        self.load_ends(ticket);
    }

    /// Answers a load when its time is over and all its requests have an answer. One that has none long after that
    /// counts as failed.
    pub(super) fn load_ends(&mut self, ticket: Ticket) {
        let Some(load) = self.loads.loads.get(&ticket) else { return };
        let patient = self.now < load.ends + LAST_ANSWERS;
        if self.now < load.ends || (load.open > 0 && patient) {
            return;
        }
        if let Some(caller) = load.caller {
            let reply = Reply::Loaded { accepted: load.accepted, failed: load.failed + load.open };
            self.answer_at(self.now, caller, Ok(reply));
        }
        self.loads.loads.remove(&ticket);
    }
}
