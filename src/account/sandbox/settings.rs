//! The settings of a world: how each is kept, read and written. A new setting adds its arms here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::app::App;
use super::event::{Event, Ticket};
use super::queue::Attribute;
use super::world::World;
use super::wrapper::Flags;
use crate::account::{CallError, Observed, RefusedBy, Resource, ResourceKind, Setting, Value, Write};
use crate::units::{Span, Time};

/// Longest text of a standard SSM parameter (Systems Manager quotas: 4 KB).
const PARAMETER_LIMIT: usize = 4096;

/// Longest delay of a queue, in seconds (Amazon SQS quotas: 15 minutes).
const LONGEST_DELAY: u64 = 900;

fn seconds(span: Span) -> u64 {
    u64::try_from(span.millis() / 1_000).unwrap_or(0)
}

/// A resource of this world by kind and name: there is one location in it, and one world has no need to name it.
pub(super) type Named = (ResourceKind, String);

/// Kind and name of a resource.
pub(super) fn named(resource: &Resource) -> Named {
    (resource.kind, resource.name.clone())
}

/// What the settings hold as they were written; what works by now may lag behind.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// squall's locks: SSM parameters of their own.
    pub locks: BTreeMap<Named, Arc<str>>,
    /// When each was made, or last renewed.
    pub alive: BTreeMap<Named, Time>,
    /// SSM parameters by name.
    pub parameters: BTreeMap<String, Arc<str>>,
    /// The flags in them, for the fault wrappers that read them.
    pub flags: BTreeMap<String, Arc<Flags>>,
    /// Resources of the application that a third party deleted.
    pub deleted: BTreeSet<Named>,
    /// Settings that were written and do not work yet.
    pub settling: BTreeMap<Ticket, Setting>,
    pub next_ticket: Ticket,
    /// Every setting as the application has it.
    pub template: Arc<BTreeMap<Setting, Value>>,
}

/// Refuses a call, in the service's words.
pub(super) fn refused<T>(by: RefusedBy, message: impl Into<String>) -> Result<T, CallError> {
    Err(CallError::Refused { by, message: message.into() })
}

impl Settings {
    /// Those of an application, before any change.
    pub fn new(app: &App) -> Settings {
        let mut settings = Settings::default();
        app.parameters.iter().for_each(|(name, text)| settings.put_parameter(name, text));
        settings
    }

    /// Keeps the text of a parameter, and the flags in it.
    pub fn put_parameter(&mut self, name: &str, text: &str) {
        self.parameters.insert(name.to_owned(), text.into());
        self.flags.insert(name.to_owned(), Arc::new(Flags::read(text)));
    }
}

impl World {
    /// The index of a resource of the application, or [`CallError::Gone`].
    pub(super) fn index_of(&self, resource: &Resource) -> Result<usize, CallError> {
        if resource.qualifier.is_some() {
            // Its functions have no versions or aliases.
            return Err(CallError::Gone(resource.to_string()));
        }
        let found = match resource.kind {
            ResourceKind::Function => self.model.functions.index(&resource.name),
            ResourceKind::Queue => self.model.queues.index(&resource.name),
            ResourceKind::Role => self.model.roles.index(&resource.name),
            ResourceKind::Parameter => self.settings.parameters.contains_key(&resource.name).then_some(0),
            ResourceKind::Table => self.model.tables.index(&resource.name),
            ResourceKind::Topic => self.model.topics.index(&resource.name),
            ResourceKind::Api => self.model.apis.index(&resource.name),
            ResourceKind::Alarm => self.model.alarms.index(&resource.name),
            ResourceKind::Probe => None,
        };
        let gone = !self.settings.deleted.is_empty() && self.settings.deleted.contains(&named(resource));
        found.filter(|_| !gone).ok_or_else(|| CallError::Gone(resource.to_string()))
    }

    /// What a setting holds.
    ///
    /// # Errors
    /// [`CallError::Gone`] when its resource is not there.
    pub fn setting(&self, setting: &Setting) -> Result<Observed, CallError> {
        match setting {
            Setting::Lock { resource } => {
                let lock = self.settings.locks.get(&named(resource));
                Ok(Observed::plain(lock.map_or(Value::Unset, |text| Value::Text(text.to_string()))))
            }
            Setting::ReservedConcurrency { function } => {
                let reserved = self.lambda.functions[self.index_of(function)?].reserved;
                Ok(Observed::plain(reserved.map_or(Value::Unset, |n| Value::Number(u64::from(n)))))
            }
            Setting::FaultFlag { parameter, key } => match self.index_of(parameter) {
                Ok(_) => Observed::key_in(&self.settings.parameters[&parameter.name], key)
                    .or_else(|why| refused(RefusedBy::Invalid, format!("{parameter}: {why}"))),
                Err(gone) => Err(gone),
            },
            Setting::FaultDocument { parameter } => self
                .index_of(parameter)
                .map(|_| Observed::plain(Value::Text(self.settings.parameters[&parameter.name].to_string()))),
            Setting::RolePolicy { role, policy } => {
                let index = self.index_of(role)?;
                if let Some(why) = &self.model.roles[index].spec.unknown {
                    // Whatever a fault did to it, what it changes would not be known.
                    return refused(RefusedBy::Unsupported, format!("{role} is unknown: {why}"));
                }
                let document = self.iam.roles[index].written.get(policy);
                Ok(Observed::plain(document.map_or(Value::Unset, |text| Value::Text(text.to_string()))))
            }
            // Its functions are wrapped by nothing that reads variables.
            Setting::Variables { function, .. } => self.index_of(function).map(|_| Observed::plain(Value::Unset)),
            Setting::QueueDelay { queue } => {
                let delay = self.queues.queues[self.index_of(queue)?].delay.written;
                Ok(Observed::plain(Value::Number(seconds(delay))))
            }
        }
    }

    /// Every setting that holds something. The picture and the file are made of these. A key in a document is there as the
    /// whole document.
    pub(super) fn all_settings(&self) -> BTreeMap<Setting, Value> {
        let on = |kind, name: &str| Resource::new(&self.location, kind, name);
        let text = |text: &Arc<str>| Value::Text(text.to_string());
        let mut held = BTreeMap::new();
        for ((kind, name), lock) in &self.settings.locks {
            held.insert(Setting::Lock { resource: on(*kind, name) }, text(lock));
        }
        for (name, document) in &self.settings.parameters {
            held.insert(Setting::FaultDocument { parameter: on(ResourceKind::Parameter, name) }, text(document));
        }
        for (name, state) in self.model.functions.names().iter().zip(&self.lambda.functions) {
            let setting = Setting::ReservedConcurrency { function: on(ResourceKind::Function, name) };
            held.extend(state.reserved.map(|n| (setting, Value::Number(u64::from(n)))));
        }
        for (name, state) in self.model.roles.names().iter().zip(&self.iam.roles) {
            for (policy, document) in &state.written {
                let role = on(ResourceKind::Role, name);
                held.insert(Setting::RolePolicy { role, policy: policy.clone() }, text(document));
            }
        }
        for (name, state) in self.model.queues.names().iter().zip(&self.queues.queues) {
            let queue = on(ResourceKind::Queue, name);
            held.insert(Setting::QueueDelay { queue }, Value::Number(seconds(state.delay.written)));
        }
        held
    }

    /// Every setting that the application has otherwise, and what it holds.
    pub(super) fn changed_settings(&self) -> Vec<(Setting, Value)> {
        let (template, held) = (&self.settings.template, self.all_settings());
        let gone = template.keys().filter(|setting| !held.contains_key(setting)).cloned();
        let gone: Vec<_> = gone.map(|setting| (setting, Value::Unset)).collect();
        let changed = held.into_iter().filter(|(setting, value)| template.get(setting) != Some(value));
        changed.chain(gone).collect()
    }

    /// Lets a setting hold a value, as if it had done so for long. What the application no longer has is left out.
    pub(super) fn put_setting(&mut self, setting: &Setting, value: &Value) {
        let text = match value {
            Value::Text(text) => Some(text.as_str()),
            Value::Unset | Value::Number(_) => None,
        };
        let number = match value {
            Value::Number(number) => u32::try_from(*number).ok(),
            Value::Unset | Value::Text(_) => None,
        };
        match setting {
            Setting::Lock { resource } => match text {
                Some(text) => drop(self.settings.locks.insert(named(resource), text.into())),
                None => drop(self.settings.locks.remove(&named(resource))),
            },
            Setting::ReservedConcurrency { function } => {
                if let Some(index) = self.model.functions.index(&function.name) {
                    self.lambda.functions[index].reserved = number;
                    self.lambda.apply_reserved(index);
                }
            }
            Setting::FaultDocument { parameter } => {
                if let Some(text) = text {
                    self.settings.put_parameter(&parameter.name, text);
                }
            }
            Setting::RolePolicy { role, policy } => {
                if let Some(index) = self.model.roles.index(&role.name) {
                    self.iam.put_at_once(index, policy, text);
                }
            }
            Setting::QueueDelay { queue } => {
                if let (Some(index), Some(seconds)) = (self.model.queues.index(&queue.name), number) {
                    self.queues.queues[index].delay = Attribute::settled(Span::from_secs(i64::from(seconds)));
                }
            }
            // A flag is in its document; the sandbox's functions read no variables.
            Setting::FaultFlag { .. } | Setting::Variables { .. } => {}
        }
    }

    /// Writes a setting, as a third party may. Behaves as the services do, but cannot fail on the way.
    ///
    /// # Errors
    /// Refused or gone: nothing was changed.
    pub fn set(&mut self, write: &Write) -> Result<(), CallError> {
        if let Ok(shown) = self.setting(&write.setting) {
            self.sky.about_to_write(&write.setting, &shown, self.now);
        }
        match &write.setting {
            Setting::Lock { resource } => self.set_lock(resource, &write.value),
            Setting::ReservedConcurrency { function } => self.set_reserved(function, write),
            Setting::FaultFlag { parameter, .. } => self.set_parameter(parameter, write.whole.as_deref()),
            Setting::FaultDocument { parameter } => self.set_parameter(parameter, Some(&write.value.to_string())),
            Setting::RolePolicy { role, policy } => self.set_policy(role, policy, &write.value),
            Setting::Variables { .. } => {
                refused(RefusedBy::Unsupported, "the sandbox models no wrapper that reads variables")
            }
            Setting::QueueDelay { queue } => self.set_delay(queue, write),
        }
    }

    /// Deletes a resource, as a third party may in mid-run: every call about it is answered with [`CallError::Gone`].
    pub fn delete(&mut self, resource: &Resource) {
        self.settings.deleted.insert(named(resource));
        // The lock is a parameter of its own and stays.
        let held: Vec<Setting> = self.all_settings().into_keys().collect();
        for setting in held.into_iter().filter(|setting| setting.resource() == resource && !setting.is_lock()) {
            let value = match &setting {
                Setting::QueueDelay { .. } => Value::Number(0),
                Setting::FaultDocument { .. } => Value::Text("{}".into()),
                _ => Value::Unset,
            };
            self.put_setting(&setting, &value);
        }
    }

    /// Creates a deleted resource again: nothing is set on it that a fault can set.
    pub fn create(&mut self, resource: &Resource) {
        self.settings.deleted.remove(&named(resource));
    }

    /// Plans when a written setting begins to work.
    pub(super) fn settle_later(&mut self, setting: &Setting) {
        let delay = self.sky.settles_in();
        if delay == Span::ZERO {
            return self.settle(setting);
        }
        let ticket = self.settings.next_ticket;
        self.settings.next_ticket += 1;
        self.settings.settling.insert(ticket, setting.clone());
        self.agenda.at(self.now + delay, Event::Settles(ticket));
    }

    /// A written setting begins to work.
    pub(super) fn settles(&mut self, ticket: Ticket) {
        if let Some(setting) = self.settings.settling.remove(&ticket) {
            self.settle(&setting);
        }
    }

    fn settle(&mut self, setting: &Setting) {
        match setting {
            Setting::ReservedConcurrency { function } => {
                if let Some(index) = self.model.functions.index(&function.name) {
                    self.lambda.apply_reserved(index);
                }
            }
            // A message that is in the queue already stays hidden for as long as it was to be.
            Setting::QueueDelay { queue } => {
                if let Some(index) = self.model.queues.index(&queue.name) {
                    let delay = &mut self.queues.queues[index].delay;
                    delay.works = delay.written;
                }
            }
            // Read where it is used, through the wrapper's cache; policies have a propagation of their own.
            Setting::Lock { .. }
            | Setting::FaultFlag { .. }
            | Setting::FaultDocument { .. }
            | Setting::RolePolicy { .. }
            | Setting::Variables { .. } => {}
        }
    }

    fn set_lock(&mut self, resource: &Resource, value: &Value) -> Result<(), CallError> {
        match value {
            Value::Unset => {
                self.settings.locks.remove(&named(resource));
                self.settings.alive.remove(&named(resource));
                Ok(())
            }
            Value::Number(_) => refused(RefusedBy::Invalid, "a lock is a text"),
            Value::Text(text) => match self.settings.locks.get(&named(resource)) {
                Some(existing) => refused(RefusedBy::LockExists, existing.to_string()),
                None if text.len() > PARAMETER_LIMIT => {
                    refused(RefusedBy::Limit, format!("a parameter holds at most {PARAMETER_LIMIT} bytes"))
                }
                None => {
                    self.settings.locks.insert(named(resource), text.as_str().into());
                    self.settings.alive.insert(named(resource), self.now);
                    Ok(())
                }
            },
        }
    }

    /// When the owner of a lock last showed that it was alive.
    pub(super) fn lease(&self, resource: &Resource) -> Result<Time, CallError> {
        let of = named(resource);
        let locked = self.settings.locks.contains_key(&of);
        // A lock of an older file has no time of its own.
        let alive = self.settings.alive.get(&of).copied().unwrap_or(Time::EPOCH);
        locked.then_some(alive).ok_or_else(|| CallError::Gone(format!("lock on {resource}")))
    }

    /// Its owner is alive.
    pub(super) fn renew(&mut self, resource: &Resource, at: Time) -> Result<(), CallError> {
        let alive = self.lease(resource)?;
        self.settings.alive.insert(named(resource), alive.max(at));
        Ok(())
    }

    fn set_reserved(&mut self, function: &Resource, write: &Write) -> Result<(), CallError> {
        let index = self.index_of(function)?;
        let reserved = match &write.value {
            Value::Unset => None,
            Value::Number(n) => match u32::try_from(*n) {
                Ok(n) => Some(n),
                Err(_) => return refused(RefusedBy::Invalid, format!("{n} is not a valid concurrency")),
            },
            Value::Text(_) => return refused(RefusedBy::Invalid, "reserved concurrency is a number"),
        };
        if let Some(wanted) = reserved {
            let others = self.lambda.reserved_by_others(index);
            let app = &self.model.app;
            let left = i64::from(app.account_concurrency) - i64::from(others) - i64::from(wanted);
            if left < i64::from(app.unreserved_floor) {
                let floor = app.unreserved_floor;
                return refused(
                    RefusedBy::Limit,
                    format!(
                        "Specified ReservedConcurrentExecutions for function decreases account's \
                         UnreservedConcurrentExecution below its minimum value of [{floor}]."
                    ),
                );
            }
        }
        self.lambda.functions[index].reserved = reserved;
        self.settle_later(&write.setting);
        Ok(())
    }

    fn set_delay(&mut self, queue: &Resource, write: &Write) -> Result<(), CallError> {
        let index = self.index_of(queue)?;
        match &write.value {
            Value::Number(seconds @ 0..=LONGEST_DELAY) => {
                self.queues.queues[index].delay.written = Span::from_secs(*seconds as i64);
                self.settle_later(&write.setting);
                Ok(())
            }
            other => refused(RefusedBy::Invalid, format!("Invalid value for the parameter DelaySeconds: {other}")),
        }
    }

    fn set_parameter(&mut self, parameter: &Resource, document: Option<&str>) -> Result<(), CallError> {
        self.index_of(parameter)?;
        match document {
            None => refused(RefusedBy::Invalid, "a key in a document is written with the whole document"),
            Some(whole) if whole.len() > PARAMETER_LIMIT => {
                refused(RefusedBy::Limit, format!("a parameter holds at most {PARAMETER_LIMIT} bytes"))
            }
            Some(whole) => {
                self.settings.put_parameter(&parameter.name, whole);
                Ok(())
            }
        }
    }
}
