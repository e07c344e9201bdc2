//! The application as the world computes with it: resources by index, references resolved once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::app::{self, App, Arrivals, Destination, Each, TrafficTarget};
use super::watch::{self, AlarmModel};
use super::wrapper::Wrapper;
use crate::account::ResourceKind;
use crate::units::{Share, Span};

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

impl Target {
    /// The most bytes that it takes at once; a queue has a limit of its own.
    pub fn largest(self) -> u32 {
        match self {
            // Amazon SNS quotas; one item of Amazon DynamoDB; Lambda's payloads, asynchronous and synchronous.
            Target::Topic(_) => 256 * 1024,
            Target::Table(_) => 400 * 1024,
            Target::FunctionAsync(_) => 1024 * 1024,
            Target::Function(_) => 6 * 1024 * 1024,
            Target::Queue(_) | Target::External => u32::MAX,
        }
    }
}

/// A call that a handler makes, with the permission that it takes.
#[derive(Clone, Debug)]
pub(super) struct CallModel {
    pub target: Target,
    pub action: &'static str,
    pub arn: String,
    pub duration: app::Duration,
    pub optional: bool,
    /// How often it fails by itself.
    pub errors: Share,
    pub groups: Groups,
    /// Bytes of what is sent.
    pub size: u32,
    /// The host that it goes to: the service's, or what the traffic file calls it.
    pub host: String,
}

/// The message groups that something sends to.
pub(super) type Groups = Vec<Arc<str>>;

/// A function.
#[derive(Clone, Debug)]
pub(super) struct FunctionModel {
    pub spec: app::Function,
    pub role: usize,
    /// Calls once for each invocation, and then those once for each message.
    pub calls_once: Vec<CallModel>,
    pub calls: Vec<CallModel>,
    pub on_failure: Option<CallModel>,
    pub on_success: Option<CallModel>,
    pub dead_letter: Option<CallModel>,
    /// Whether what it sends can come back to it, so that its chains of requests have to be counted.
    pub in_loop: bool,
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
    /// Of a FIFO queue: the group of every message, when the traffic file names none for the queue, or else of messages
    /// that are sent without one.
    one_group: Option<Arc<str>>,
    only_one_group: bool,
}

impl QueueModel {
    /// The message group that a message gets in this queue.
    pub fn group(&self, sent: Option<Arc<str>>) -> Option<Arc<str>> {
        let one = self.one_group.as_ref()?;
        Some(sent.filter(|_| !self.only_one_group).unwrap_or_else(|| one.clone()))
    }
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
    /// How long a received message is hidden.
    pub hidden_for: Span,
}

/// An HTTP front end.
#[derive(Clone, Debug)]
pub(super) struct ApiModel {
    pub routes: Vec<(String, usize)>,
    pub timeout: Span,
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
    pub groups: Groups,
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
    /// The order in which alarms are looked at: each after those that it is about.
    pub alarm_order: Vec<usize>,
    /// Alarms that are not modelled, and why.
    pub other_alarms: BTreeMap<String, String>,
    pub traffic: Vec<TrafficModel>,
}

impl Model {
    /// Resolves every name, or says which one is nowhere.
    pub fn of(app: &App) -> Result<Model, Dangling> {
        let loops = loops(app);
        let (alarms, other_alarms) = watch::alarms(app);
        Ok(Model {
            functions: Named::from(&app.functions, |name, spec| function(app, name, spec, loops.contains(name)))?,
            queues: Named::from(&app.queues, |name, spec| queue(app, name, spec))?,
            mappings: Named::from(&app.mappings, |name, spec| mapping(app, name, spec))?,
            apis: Named::from(&app.apis, |name, spec| api(app, name, spec))?,
            tables: Named::from(&app.tables, |_, spec| Ok(spec.clone()))?,
            topics: Named::from(&app.topics, |name, spec| topic(app, name, spec))?,
            roles: Named::from(&app.roles, |name, spec| {
                Ok(RoleModel { spec: spec.clone(), arn: app.location.arn(ResourceKind::Role, name) })
            })?,
            alarm_order: watch::order(&alarms),
            alarms: Named::from(&alarms, |_, alarm| Ok(alarm.clone()))?,
            other_alarms,
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

fn function(app: &App, name: &str, spec: &app::Function, in_loop: bool) -> Result<FunctionModel, Dangling> {
    let who = || format!("function {name}");
    let wrapper = Wrapper::of(spec);
    let parameter = wrapper.as_ref().map_or("", |wrapper| wrapper.parameter.as_str());
    let at_once = app::Duration::Constant(Span::ZERO);
    let destination = |to: &Option<Destination>| {
        let out = to.as_ref().map(|to| app::Outgoing::to(to.clone(), at_once.clone()));
        out.map(|out| call(app, &out, who)).transpose()
    };
    let calls = |each: Each| {
        let out = spec.calls.iter().filter(move |out| out.each == each);
        out.map(|out| call(app, out, who)).collect::<Result<Vec<_>, _>>()
    };
    Ok(FunctionModel {
        role: find(&app.roles, &spec.role, "role", who)?,
        calls_once: calls(Each::Invocation)?,
        calls: calls(Each::Message)?,
        on_failure: destination(&spec.asynchronous.on_failure)?,
        on_success: destination(&spec.asynchronous.on_success)?,
        dead_letter: destination(&spec.asynchronous.dead_letter)?,
        in_loop,
        wrapper_arn: app.location.arn(ResourceKind::Parameter, parameter),
        wrapper,
        spec: spec.clone(),
    })
}

fn call(app: &App, out: &app::Outgoing, who: impl Fn() -> String) -> Result<CallModel, Dangling> {
    use ResourceKind as K;
    let (target, action, arn) = match &out.to {
        Destination::Queue(name) => {
            (Target::Queue(find(&app.queues, name, "queue", who)?), "sqs:SendMessage", app.location.arn(K::Queue, name))
        }
        Destination::Table(name) => (
            Target::Table(find(&app.tables, name, "table", who)?),
            "dynamodb:PutItem",
            app.location.arn(K::Table, name),
        ),
        Destination::Topic(name) => {
            (Target::Topic(find(&app.topics, name, "topic", who)?), "sns:Publish", app.location.arn(K::Topic, name))
        }
        Destination::Function(name) => {
            let function = find(&app.functions, name, "function", who)?;
            (Target::Function(function), "lambda:InvokeFunction", app.location.arn(K::Function, name))
        }
        Destination::FunctionAsync(name) => {
            let function = find(&app.functions, name, "function", who)?;
            (Target::FunctionAsync(function), "lambda:InvokeFunction", app.location.arn(K::Function, name))
        }
        Destination::External(_) => (Target::External, "", String::new()),
    };
    let host = match &out.to {
        Destination::External(name) => name.clone(),
        _ => format!("{}.{}.amazonaws.com", action.split(':').next().unwrap_or_default(), app::REGION),
    };
    Ok(CallModel {
        target,
        action,
        arn,
        duration: out.duration.clone(),
        optional: out.optional,
        errors: out.errors,
        groups: groups(&out.groups),
        size: out.size,
        host,
    })
}

fn groups(names: &[String]) -> Groups {
    names.iter().map(|name| Arc::from(name.as_str())).collect()
}

/// The functions that can reach themselves through queues, topics and invocations: the loops that Lambda can see
/// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>).
fn loops(app: &App) -> BTreeSet<String> {
    let after: BTreeMap<&str, BTreeSet<&str>> =
        app.functions.iter().map(|(name, function)| (name.as_str(), reached_from(app, function))).collect();
    let comes_back = |start: &&str| {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = after[*start].iter().copied().collect();
        while let Some(next) = open.pop() {
            if seen.insert(next) {
                open.extend(after.get(next).into_iter().flatten());
            }
        }
        seen.contains(*start)
    };
    after.keys().filter(|name| comes_back(name)).map(|name| (*name).to_owned()).collect()
}

/// The functions that something which a function sends may invoke next.
fn reached_from<'a>(app: &'a App, function: &'a app::Function) -> BTreeSet<&'a str> {
    let asynchronous = &function.asynchronous;
    let destinations = [&asynchronous.on_failure, &asynchronous.on_success, &asynchronous.dead_letter];
    let mut functions = BTreeSet::new();
    let mut queues = Vec::new();
    for to in function.calls.iter().map(|call| &call.to).chain(destinations.into_iter().flatten()) {
        match to {
            Destination::Queue(queue) => queues.push(queue),
            Destination::Topic(topic) => {
                let subscribers = app.topics.get(topic);
                queues.extend(subscribers.iter().flat_map(|topic| &topic.to_queues));
                functions.extend(subscribers.iter().flat_map(|topic| &topic.to_functions).map(String::as_str));
            }
            Destination::Function(name) | Destination::FunctionAsync(name) => {
                functions.insert(name.as_str());
            }
            Destination::Table(_) | Destination::External(_) => {}
        }
    }
    let mut seen = BTreeSet::new();
    while let Some(queue) = queues.pop() {
        if seen.insert(queue) {
            functions.extend(app.mappings.values().filter(|m| m.queue == *queue).map(|m| m.function.as_str()));
            let redrive = app.queues.get(queue).and_then(|queue| queue.redrive.as_ref());
            queues.extend(redrive.map(|redrive| &redrive.dead_letter));
        }
    }
    functions
}

fn queue(app: &App, name: &str, spec: &app::Queue) -> Result<QueueModel, Dangling> {
    let who = || format!("queue {name}");
    let dead_letter = spec.redrive.as_ref().map(|r| find(&app.queues, &r.dead_letter, "dead-letter queue", who));
    let consumers = app.mappings.values().enumerate().filter(|(_, mapping)| mapping.queue == name);
    let calls = app.functions.values().flat_map(|function| &function.calls);
    let sends = calls.filter(|call| call.to == Destination::Queue(name.to_owned())).map(|call| &call.groups);
    let arrives = app.traffic.iter().filter(|traffic| traffic.to == TrafficTarget::Queue(name.to_owned()));
    let grouped = sends.chain(arrives.map(|traffic| &traffic.groups)).any(|groups| !groups.is_empty());
    Ok(QueueModel {
        spec: spec.clone(),
        dead_letter: dead_letter.transpose()?,
        consumers: consumers.map(|(index, _)| index).collect(),
        one_group: spec.fifo.then(|| Arc::from("default")),
        only_one_group: !grouped,
    })
}

/// Messages that are gathered in a batch window are hidden for window, timeout and this, where the queue's own visibility
/// timeout is shorter than window and timeout together (Lambda developer guide, Amazon SQS batching behaviour).
const BEYOND_WINDOW: Span = Span::from_secs(30);

fn mapping(app: &App, name: &str, spec: &app::Mapping) -> Result<MappingModel, Dangling> {
    let who = || format!("event source mapping {name}");
    let function = find(&app.functions, &spec.function, "function", who)?;
    let queue = find(&app.queues, &spec.queue, "queue", who)?;
    let of = &app.functions[&spec.function];
    let visibility = app.queues[&spec.queue].visibility;
    let needed = spec.batch_window + of.timeout;
    let longer = spec.batch_window > Span::ZERO && needed > visibility;
    Ok(MappingModel {
        queue,
        queue_arn: app.location.arn(ResourceKind::Queue, &spec.queue),
        function,
        role: find(&app.roles, &of.role, "role", who)?,
        hidden_for: if longer { needed + BEYOND_WINDOW } else { visibility },
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
            let (rate, arrivals) = (traffic.rate.get(), traffic.arrivals);
            sources.push(TrafficModel { to, rate, arrivals, groups: groups(&traffic.groups) });
        }
    }
    Ok(sources)
}
