//! What of a world outlives its process: what squall or anybody changed, the messages in the queues, the calls that have
//! not landed yet, and the clock.
//!
//! Settings are kept as differences from the application, so that an edited template shows where nothing was changed.
//! Running invocations are not kept: their messages become visible again when their visibility ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::app::App;
use super::backlog::Block;
use super::chain::Chain;
use super::event::MessageId;
use super::message::{Body, Held, Place};
use super::model::Dangling;
use super::settings::{Named, named};
use super::world::World;
use crate::account::switch::{Order, SwitchState};
use crate::account::{Call, Location, Resource, ResourceKind, RunMarker, Setting, Value};
use crate::units::Time;

/// Everything but the messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    pub at: Time,
    next_message: MessageId,
    /// What waits in each queue and was never received.
    #[serde(default)]
    waiting: BTreeMap<String, Vec<Block>>,
    /// Settings that are not the template's.
    #[serde(default)]
    settings: Vec<(Setting, Value)>,
    /// Settings as files before version 4 have them: locks, reserved concurrency, parameters and policies, of which `None`
    /// is unset.
    #[serde(default, skip_serializing)]
    #[serde(rename = "marks")]
    locks: Vec<(Resource, String)>,
    #[serde(default, skip_serializing)]
    reserved: BTreeMap<String, Option<u64>>,
    #[serde(default, skip_serializing)]
    parameters: BTreeMap<String, String>,
    #[serde(default, skip_serializing)]
    policies: BTreeMap<String, BTreeMap<String, Option<String>>>,
    deleted: BTreeSet<Resource>,
    /// The executions of the dead-man switch, and what became of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    switches: Vec<(Order, SwitchState)>,
    /// When each lock was made, or last renewed.
    #[serde(default)]
    alive: Vec<(Resource, Time)>,
    /// Calls that change something and have not reached their service yet, and when they will.
    late: Vec<(Time, Call)>,
}

/// A message with its queue.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StoredMessage {
    pub id: MessageId,
    pub queue: String,
    pub sent: Time,
    pub received: u32,
    pub body: Body,
    /// In bytes.
    pub size: u32,
    /// How often each function was invoked in its chain of requests.
    pub chain: BTreeMap<String, u32>,
    pub marker: Option<RunMarker>,
    pub group: Option<String>,
    /// Its turn among the messages of its queue; a delayed one has none yet.
    pub turn: u64,
    /// When it becomes visible; `None`: it is.
    pub hidden_until: Option<Time>,
}

impl Stored {
    /// The settings of a file before version 4.
    fn older_settings(&self, location: &Location) -> Vec<(Setting, Value)> {
        let on = |kind, name: &str| Resource::new(location, kind, name);
        let mut settings = Vec::new();
        for (resource, text) in &self.locks {
            settings.push((Setting::Lock { resource: resource.clone() }, Value::Text(text.clone())));
        }
        for (name, reserved) in &self.reserved {
            let setting = Setting::ReservedConcurrency { function: on(ResourceKind::Function, name) };
            settings.push((setting, reserved.map_or(Value::Unset, Value::Number)));
        }
        for (name, text) in &self.parameters {
            let parameter = on(ResourceKind::Parameter, name);
            settings.push((Setting::FaultDocument { parameter }, Value::Text(text.clone())));
        }
        for (name, policies) in &self.policies {
            for (policy, text) in policies {
                let setting = Setting::RolePolicy { role: on(ResourceKind::Role, name), policy: policy.clone() };
                settings.push((setting, text.clone().map_or(Value::Unset, Value::Text)));
            }
        }
        settings
    }
}

impl World {
    /// What is to be kept, messages apart.
    pub(super) fn stored(&self) -> Stored {
        let on = |(kind, name): &Named| Resource::new(&self.location, *kind, name.as_str());
        let queues = self.model.queues.names().iter().zip(&self.queues.queues);
        let waiting = queues.map(|(name, state)| (name.to_owned(), state.waiting()));
        Stored {
            at: self.now,
            next_message: self.queues.next_message,
            waiting: waiting.filter(|(_, blocks)| !blocks.is_empty()).collect(),
            settings: self.changed_settings(),
            locks: Vec::new(),
            reserved: BTreeMap::new(),
            parameters: BTreeMap::new(),
            policies: BTreeMap::new(),
            deleted: self.settings.deleted.iter().map(on).collect(),
            switches: self.switches.stored(),
            alive: self.settings.alive.iter().map(|(of, at)| (on(of), *at)).collect(),
            late: self.changes_under_way(),
        }
    }

    /// The messages that came, went or changed since the file was written: each with what it is now, or nothing. One
    /// that moved to another queue comes twice, first with nothing.
    pub(super) fn changed_messages(&self) -> impl Iterator<Item = (MessageId, Option<StoredMessage>)> {
        let functions = self.model.functions.names();
        let queues = || self.queues.queues.iter().zip(self.model.queues.names());
        let gone = queues().flat_map(|(state, _)| state.changed().filter(|(_, held)| held.is_none()));
        let here = queues().flat_map(move |(state, name)| {
            state.changed().filter_map(move |(id, held)| Some((id, stored_message(id, name, held?, functions))))
        });
        gone.map(|(id, _)| (id, None)).chain(here.map(|(id, message)| (id, Some(message))))
    }

    /// The file has every message as it is now; from now on changes are remembered for [`World::changed_messages`].
    pub(super) fn messages_saved(&mut self) {
        self.queues.queues.iter_mut().for_each(super::queue::QueueState::all_saved);
    }

    /// A world that goes on where another one was stored, and remembers which messages change. What the stored one names
    /// and the application no longer has is left out.
    ///
    /// # Errors
    /// The application names something that is not in it.
    pub(super) fn restored(
        app: &App,
        location: &Location,
        seed: u64,
        stored: &Stored,
        messages: Vec<StoredMessage>,
    ) -> Result<World, Dangling> {
        let mut world = World::new(app, seed, stored.at)?.at_location(location.clone());
        world.queues.next_message = stored.next_message;
        world.settings.deleted = stored.deleted.iter().map(named).collect();
        for (setting, value) in stored.older_settings(location).iter().chain(&stored.settings) {
            world.put_setting(setting, value);
        }
        world.settings.alive = stored.alive.iter().map(|(resource, at)| (named(resource), *at)).collect();
        for message in messages {
            world.put_back(message);
        }
        for (name, blocks) in &stored.waiting {
            if let Some(index) = world.model.queues.index(name) {
                world.put_backlog(index, blocks);
            }
        }
        world.messages_saved();
        for (order, state) in &stored.switches {
            world.put_switch(order.clone(), state.clone());
        }
        for (at, call) in &stored.late {
            world.land_later(*at, call.clone());
        }
        for mapping in 0..world.mappings.len() {
            world.poll(mapping);
        }
        Ok(world)
    }

    fn put_back(&mut self, message: StoredMessage) {
        let Some(queue) = self.model.queues.index(&message.queue) else { return };
        let place = match message.hidden_until {
            None => Place::Visible(message.turn),
            Some(until) if message.turn == 0 => Place::Delayed(until),
            Some(until) => Place::InFlight { until, turn: message.turn },
        };
        let functions = &self.model.functions;
        let chain = message.chain.iter().filter_map(|(name, times)| Some((functions.index(name)?, *times)));
        let held = Held {
            sent: message.sent,
            received: message.received,
            body: message.body,
            size: message.size,
            chain: Chain::of(chain.collect()),
            marker: message.marker.map(Arc::new),
            group: message.group.map(Arc::from),
            place,
            saved: true,
        };
        self.put_message(queue, message.id, held);
    }
}

fn stored_message(id: MessageId, queue: &str, held: &Held, functions: &[String]) -> StoredMessage {
    let (turn, hidden_until) = match held.place {
        Place::Visible(turn) => (turn, None),
        Place::InFlight { until, turn } => (turn, Some(until)),
        Place::Delayed(until) => (0, Some(until)),
    };
    let chain = held.chain.iter().filter_map(|(function, times)| Some((functions.get(function)?.clone(), times)));
    StoredMessage {
        id,
        queue: queue.to_owned(),
        sent: held.sent,
        received: held.received,
        body: held.body,
        size: held.size,
        chain: chain.collect(),
        marker: held.marker.as_deref().cloned(),
        group: held.group.as_deref().map(str::to_owned),
        turn,
        hidden_until,
    }
}
