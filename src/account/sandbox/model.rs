//! The application as the world computes with it: resources by index, references resolved once.

use std::collections::BTreeMap;

use super::app::{self, App, Arrivals, Destination, TrafficTarget, arn};
use super::metrics::Series;
use super::wrapper::Wrapper;
use crate::account::ResourceKind;

/// Why an application cannot be modelled: something in it names what is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{who} names {what} `{name}`, which is not in the application; add it to the template or correct the name")]
pub struct Dangling {
    who: String,
    what: &'static str,
    name: String,
}

/// Resources of one kind, ordered by name; an index is good for a world's whole life.
#[derive(Clone, Debug)]
pub(super) struct Named<T> {
    names: Vec<String>,
    items: Vec<T>,
}

impl<T> Named<T> {
    fn from<S>(map: &BTreeMap<String, S>, item: impl Fn(&str, &S) -> Result<T, Dangling>) -> Result<Self, Dangling> {
        let items = map.iter().map(|(name, spec)| item(name, spec)).collect::<Result<_, _>>()?;
        Ok(Named { names: map.keys().cloned().collect(), items })
    }

    /// The index of a name.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.names.binary_search_by(|have| have.as_str().cmp(name)).ok()
    }

    /// Every name, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Every item with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.names.iter().map(String::as_str).zip(&self.items)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }
}

impl<T> std::ops::Index<usize> for Named<T> {
    type Output = T;
    fn index(&self, index: usize) -> &T {
        &self.items[index]
    }
}

/// Where a handler's call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Queue(usize),
    Table(usize),
    Topic(usize),
    Function(usize),
    FunctionAsync(usize),
    External,
}

/// A call that a handler makes, with the permission that it takes.
#[derive(Clone, Debug)]
pub(super) struct CallModel {
    pub target: Target,
    pub action: &'static str,
    pub arn: String,
    pub duration: app::Duration,
    pub optional: bool,
}

/// A function.
#[derive(Clone, Debug)]
pub(super) struct FunctionModel {
    pub spec: app::Function,
    pub role: usize,
    pub calls: Vec<CallModel>,
    pub on_failure: Option<CallModel>,
    pub wrapper: Option<Wrapper>,
    pub wrapper_arn: String,
}

/// A queue.
#[derive(Clone, Debug)]
pub(super) struct QueueModel {
    pub spec: app::Queue,
    pub dead_letter: Option<usize>,
    /// Mappings that take from the queue.
    pub consumers: Vec<usize>,
}

/// An event source mapping.
#[derive(Clone, Debug)]
pub(super) struct MappingModel {
    pub spec: app::Mapping,
    pub queue: usize,
    pub queue_arn: String,
    pub function: usize,
    /// The function's role, as which the pollers receive and delete.
    pub role: usize,
}

/// An HTTP front end.
#[derive(Clone, Debug)]
pub(super) struct ApiModel {
    pub routes: Vec<(String, usize)>,
    pub timeout: crate::units::Span,
}

/// A topic and its subscribers.
#[derive(Clone, Debug)]
pub(super) struct TopicModel {
    pub queues: Vec<usize>,
    pub functions: Vec<usize>,
}

/// A role.
#[derive(Clone, Debug)]
pub(super) struct RoleModel {
    pub spec: app::Role,
    pub arn: String,
}

/// An alarm; one on a metric that is not modelled has no series, and never any data.
#[derive(Clone, Debug)]
pub(super) struct AlarmModel {
    pub spec: app::Alarm,
    pub series: Option<Series>,
}

/// Where a request from outside goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    Api { api: usize, function: usize },
    Function(usize),
    Queue(usize),
}

/// A source of traffic.
#[derive(Clone, Debug)]
pub(super) struct TrafficModel {
    pub to: Goal,
    /// Arrivals a second, above zero.
    pub rate: f64,
    pub arrivals: Arrivals,
}

/// The application, resolved. Never changes; worlds that were cloned share it.
#[derive(Debug)]
pub(super) struct Model {
    pub app: App,
    pub functions: Named<FunctionModel>,
    pub queues: Named<QueueModel>,
    pub mappings: Named<MappingModel>,
    pub apis: Named<ApiModel>,
    pub tables: Named<app::Table>,
    pub topics: Named<TopicModel>,
    pub roles: Named<RoleModel>,
    pub alarms: Named<AlarmModel>,
    pub traffic: Vec<TrafficModel>,
}

impl Model {
    /// Resolves every name, or says which one is nowhere.
    pub fn of(app: &App) -> Result<Model, Dangling> {
        Ok(Model {
            functions: Named::from(&app.functions, |name, spec| function(app, name, spec))?,
            queues: Named::from(&app.queues, |name, spec| queue(app, name, spec))?,
            mappings: Named::from(&app.mappings, |name, spec| mapping(app, name, spec))?,
            apis: Named::from(&app.apis, |name, spec| api(app, name, spec))?,
            tables: Named::from(&app.tables, |_, spec| Ok(spec.clone()))?,
            topics: Named::from(&app.topics, |name, spec| topic(app, name, spec))?,
            roles: Named::from(&app.roles, |name, spec| {
                Ok(RoleModel { spec: spec.clone(), arn: arn(ResourceKind::Role, name) })
            })?,
            alarms: Named::from(&app.alarms, |_, spec| Ok(alarm(app, spec)))?,
            traffic: traffic(app)?,
            app: app.clone(),
        })
    }
}

/// The index of `name`, or who names it in vain.
fn find<S>(
    map: &BTreeMap<String, S>,
    name: &str,
    what: &'static str,
    who: impl Fn() -> String,
) -> Result<usize, Dangling> {
    let at = map.keys().position(|have| have == name);
    at.ok_or_else(|| Dangling { who: who(), what, name: name.to_owned() })
}

fn function(app: &App, name: &str, spec: &app::Function) -> Result<FunctionModel, Dangling> {
    let who = || format!("function {name}");
    let wrapper = Wrapper::of(spec);
    let parameter = wrapper.as_ref().map_or("", |wrapper| wrapper.parameter.as_str());
    let none = app::Duration::Constant(crate::units::Span::ZERO);
    let on_failure = spec.on_failure.as_ref().map(|to| {
        let to = match () {
            () if app.queues.contains_key(to) => Destination::Queue(to.clone()),
            () if app.topics.contains_key(to) => Destination::Topic(to.clone()),
            () => Destination::FunctionAsync(to.clone()),
        };
        call(app, &to, &none, false, who)
    });
    Ok(FunctionModel {
        role: find(&app.roles, &spec.role, "role", who)?,
        calls: spec
            .calls
            .iter()
            .map(|out| call(app, &out.to, &out.duration, out.optional, who))
            .collect::<Result<_, _>>()?,
        on_failure: on_failure.transpose()?,
        wrapper_arn: arn(ResourceKind::Parameter, parameter),
        wrapper,
        spec: spec.clone(),
    })
}

fn call(
    app: &App,
    to: &Destination,
    duration: &app::Duration,
    optional: bool,
    who: impl Fn() -> String,
) -> Result<CallModel, Dangling> {
    use ResourceKind as K;
    let (target, action, arn) = match to {
        Destination::Queue(name) => {
            (Target::Queue(find(&app.queues, name, "queue", who)?), "sqs:SendMessage", arn(K::Queue, name))
        }
        Destination::Table(name) => {
            (Target::Table(find(&app.tables, name, "table", who)?), "dynamodb:PutItem", arn(K::Table, name))
        }
        Destination::Topic(name) => {
            (Target::Topic(find(&app.topics, name, "topic", who)?), "sns:Publish", arn(K::Topic, name))
        }
        Destination::Function(name) => {
            let function = find(&app.functions, name, "function", who)?;
            (Target::Function(function), "lambda:InvokeFunction", arn(K::Function, name))
        }
        Destination::FunctionAsync(name) => {
            let function = find(&app.functions, name, "function", who)?;
            (Target::FunctionAsync(function), "lambda:InvokeFunction", arn(K::Function, name))
        }
        Destination::External => (Target::External, "", String::new()),
    };
    Ok(CallModel { target, action, arn, duration: duration.clone(), optional })
}

fn queue(app: &App, name: &str, spec: &app::Queue) -> Result<QueueModel, Dangling> {
    let who = || format!("queue {name}");
    let dead_letter = spec.redrive.as_ref().map(|r| find(&app.queues, &r.dead_letter, "dead-letter queue", who));
    let consumers = app.mappings.values().enumerate().filter(|(_, mapping)| mapping.queue == name);
    Ok(QueueModel {
        spec: spec.clone(),
        dead_letter: dead_letter.transpose()?,
        consumers: consumers.map(|(index, _)| index).collect(),
    })
}

fn mapping(app: &App, name: &str, spec: &app::Mapping) -> Result<MappingModel, Dangling> {
    let who = || format!("event source mapping {name}");
    let function = find(&app.functions, &spec.function, "function", who)?;
    Ok(MappingModel {
        queue: find(&app.queues, &spec.queue, "queue", who)?,
        queue_arn: arn(ResourceKind::Queue, &spec.queue),
        function,
        role: find(&app.roles, &app.functions[&spec.function].role, "role", who)?,
        spec: spec.clone(),
    })
}

fn api(app: &App, name: &str, spec: &app::Api) -> Result<ApiModel, Dangling> {
    let routes = spec.routes.iter().map(|(route, function)| {
        let function = find(&app.functions, function, "function", || format!("route {route} of api {name}"))?;
        Ok((route.clone(), function))
    });
    Ok(ApiModel { routes: routes.collect::<Result<_, _>>()?, timeout: spec.timeout })
}

fn topic(app: &App, name: &str, spec: &app::Topic) -> Result<TopicModel, Dangling> {
    let who = || format!("topic {name}");
    let queues = spec.to_queues.iter().map(|queue| find(&app.queues, queue, "queue", who));
    let functions = spec.to_functions.iter().map(|function| find(&app.functions, function, "function", who));
    Ok(TopicModel { queues: queues.collect::<Result<_, _>>()?, functions: functions.collect::<Result<_, _>>()? })
}

fn alarm(app: &App, spec: &app::Alarm) -> AlarmModel {
    let of = &spec.metric.of;
    let position = |kind, mut names: Vec<&String>| {
        names.sort();
        names.iter().position(|name| *name == of).map(|index| Series { kind, index })
    };
    let series = match spec.metric.namespace.as_str() {
        "AWS/Lambda" => position(ResourceKind::Function, app.functions.keys().collect()),
        "AWS/SQS" => position(ResourceKind::Queue, app.queues.keys().collect()),
        "AWS/ApiGateway" => position(ResourceKind::Api, app.apis.keys().collect()),
        "AWS/DynamoDB" => position(ResourceKind::Table, app.tables.keys().collect()),
        "AWS/SNS" => position(ResourceKind::Topic, app.topics.keys().collect()),
        _ => None,
    };
    AlarmModel { spec: spec.clone(), series }
}

fn traffic(app: &App) -> Result<Vec<TrafficModel>, Dangling> {
    let who = || "the traffic".to_owned();
    let mut sources = Vec::new();
    for traffic in &app.traffic {
        let to = match &traffic.to {
            TrafficTarget::Function(name) => Goal::Function(find(&app.functions, name, "function", who)?),
            TrafficTarget::Queue(name) => Goal::Queue(find(&app.queues, name, "queue", who)?),
            TrafficTarget::Api { api, route } => {
                let index = find(&app.apis, api, "api", who)?;
                find(&app.apis[api].routes, route, "route", who)?;
                let function = find(&app.functions, &app.apis[api].routes[route], "function", who)?;
                Goal::Api { api: index, function }
            }
        };
        if traffic.rate.get() > 0.0 {
            sources.push(TrafficModel { to, rate: traffic.rate.get(), arrivals: traffic.arrivals });
        }
    }
    Ok(sources)
}
