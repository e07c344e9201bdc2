//! What the resources of a world are, and which ones a selector means.

use super::app::{Alarm, arn};
use super::iam::INLINE_LIMIT;
use super::model::FunctionModel;
use super::settings::named;
use super::world::World;
use crate::account::description::{
    Delivery, FunctionDescription, ParameterDescription, QueueDescription, RoleDescription,
};
use crate::account::logs::usual_log_group;
use crate::account::target::SelectBy;
use crate::account::{CallError, Description, RefusedBy, Resource, ResourceKind, Selector};

impl World {
    /// The resources that a selector means, by name.
    ///
    /// # Errors
    /// It names an alarm that is not modelled: no verdict may depend on it.
    pub(super) fn resolve(&self, selector: &Selector) -> Result<Vec<Resource>, CallError> {
        let app = &self.model.app;
        if let (ResourceKind::Alarm, SelectBy::Name(name)) = (selector.kind, &selector.by)
            && let Some(why) = self.model.other_alarms.get(app.logical_ids.get(name).unwrap_or(name))
        {
            let message = format!("the sandbox does not model the alarm {name}: {why}");
            return Err(CallError::Refused { by: RefusedBy::Unsupported, message });
        }
        let names = self.names(selector.kind).into_iter();
        let tagged = |name: &String, key: &String, value: &String| {
            app.tags.get(name).and_then(|tags| tags.get(key)).is_some_and(|have| have == value)
        };
        let meant: Vec<String> = match &selector.by {
            SelectBy::Name(given) => {
                let wanted = app.logical_ids.get(given).unwrap_or(given);
                names.filter(|name| name == wanted || arn(selector.kind, name) == *given).collect()
            }
            SelectBy::Tag { key, value } => names.filter(|name| tagged(name, key, value)).collect(),
            SelectBy::Stack(stack) => names.filter(|_| *stack == app.stack).collect(),
        };
        let resources = meant.into_iter().map(|name| Resource::new(&self.location, selector.kind, name));
        Ok(resources.filter(|resource| !self.settings.deleted.contains(&named(resource))).collect())
    }

    fn names(&self, kind: ResourceKind) -> Vec<String> {
        let app = &self.model.app;
        match kind {
            ResourceKind::Function => app.functions.keys().cloned().collect(),
            ResourceKind::Queue => app.queues.keys().cloned().collect(),
            ResourceKind::Role => app.roles.keys().cloned().collect(),
            ResourceKind::Parameter => self.settings.parameters.keys().cloned().collect(),
            ResourceKind::Table => app.tables.keys().cloned().collect(),
            ResourceKind::Topic => app.topics.keys().cloned().collect(),
            ResourceKind::Api => app.apis.keys().cloned().collect(),
            ResourceKind::Alarm => self.model.alarms.names().to_vec(),
            // They ask a real application.
            ResourceKind::Probe => Vec::new(),
        }
    }

    /// What a resource is.
    ///
    /// # Errors
    /// [`CallError::Gone`] when it is not there.
    pub(super) fn describe(&self, resource: &Resource) -> Result<Description, CallError> {
        let index = self.index_of(resource)?;
        let arn = arn(resource.kind, &resource.name);
        Ok(match resource.kind {
            ResourceKind::Function => Description::Function(self.describe_function(resource, index, arn)),
            ResourceKind::Queue => Description::Queue(self.describe_queue(resource, index, arn)),
            ResourceKind::Role => Description::Role(self.describe_role(resource, index, arn)),
            ResourceKind::Parameter => Description::Parameter(ParameterDescription {
                arn,
                text: self.settings.parameters[&resource.name].to_string(),
                secure: false,
                read_by: self.wrapped_by(resource),
            }),
            ResourceKind::Alarm => Description::Alarm { arn, queues: self.watched_queues(&resource.name) },
            ResourceKind::Table | ResourceKind::Topic | ResourceKind::Api | ResourceKind::Probe => {
                Description::Other { arn }
            }
        })
    }

    /// The queues that an alarm watches.
    fn watched_queues(&self, alarm: &str) -> Vec<String> {
        let metrics = self.model.app.alarms.get(alarm).map(Alarm::metrics).unwrap_or_default();
        metrics.into_iter().filter_map(|metric| metric.dimensions.get("QueueName").cloned()).collect()
    }

    /// The functions whose fault wrapper reads a parameter.
    fn wrapped_by(&self, parameter: &Resource) -> Vec<Resource> {
        let reads = |of: &FunctionModel| of.wrapper.as_ref().is_some_and(|w| w.parameter == parameter.name);
        let readers = self.model.functions.iter().filter(|(_, of)| reads(of));
        readers.map(|(name, _)| parameter.beside(ResourceKind::Function, name)).collect()
    }

    fn describe_function(&self, function: &Resource, index: usize, arn: String) -> FunctionDescription {
        let app = &self.model.app;
        let of = &self.model.functions[index];
        let spec = &of.spec;
        let beside = |kind, name: &str| function.beside(kind, name);
        let feeds = app.mappings.values().filter(|m| m.function == function.name && m.enabled);
        FunctionDescription {
            key: None,
            arn,
            role: beside(ResourceKind::Role, &spec.role),
            log_group: usual_log_group(&function.name),
            runtime: spec.runtime.clone(),
            timeout: spec.timeout,
            reserved: self.lambda.functions[index].reserved.map(u64::from),
            account_unreserved: u64::from(app.account_concurrency.saturating_sub(self.lambda.reserved())),
            unreserved_floor: u64::from(app.unreserved_floor),
            delivery: of.wrapper.as_ref().map_or(Delivery::None, |w| {
                let parameter = beside(ResourceKind::Parameter, &w.parameter);
                match w.is_layer {
                    true => Delivery::Layer { parameter },
                    false => Delivery::Parameter { parameter, cache: w.cache },
                }
            }),
            aliases: Vec::new(),
            consumes: feeds.map(|m| beside(ResourceKind::Queue, &m.queue)).collect(),
        }
    }

    fn describe_queue(&self, queue: &Resource, index: usize, arn: String) -> QueueDescription {
        let spec = &self.model.queues[index].spec;
        let beside = |kind, name: &str| queue.beside(kind, name);
        let consumers = self.model.app.mappings.values().filter(|m| m.queue == queue.name && m.enabled);
        QueueDescription {
            key: None,
            arn,
            fifo: spec.fifo,
            visibility: spec.visibility,
            retention: spec.retention,
            delay: self.queues.queues[index].delay.written,
            dead_letter: spec.redrive.as_ref().map(|r| beside(ResourceKind::Queue, &r.dead_letter)),
            max_receive_count: spec.redrive.as_ref().map(|r| r.max_receive_count),
            consumers: consumers.map(|m| beside(ResourceKind::Function, &m.function)).collect(),
            move_task_running: false,
        }
    }

    fn describe_role(&self, role: &Resource, index: usize, arn: String) -> RoleDescription {
        let users = self.model.app.functions.iter().filter(|(_, function)| function.role == role.name);
        let size = self.iam.roles[index].inline_size().min(INLINE_LIMIT);
        RoleDescription {
            arn,
            used_by: users.map(|(name, _)| role.beside(ResourceKind::Function, name)).collect(),
            looked_in: vec![self.location.region.clone()],
            not_looked_in: Vec::new(),
            inline_size: size as u32,
            service_linked: false,
        }
    }
}
