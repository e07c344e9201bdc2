//! The traffic file: what a template does not say about an application. Who comes how often, how long things take,
//! how often they fail, and what each handler calls. `docs/sandbox.md` is made from the tables here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::app::{
    ApiLimit, App, Arrivals, DEFAULT_CALL, Destination, Duration, Each, Loops, OnPayload, OnPayloads, Outgoing,
    SMALL_MESSAGE, Traffic, TrafficTarget,
};
use super::watch;
use crate::template::app;
use crate::template::{self, Deployment};
use crate::units::{Rate, Share, Span};
use crate::yaml::read::closest;
use crate::yaml::shape::{Shape, listed};
use crate::yaml::tree::{self, Kind, Node};
use crate::yaml::{Code, Finding, Findings, FromNode, Loaded, Place, Reader, Source, Version};

/// How far off a figure of the file may be, unless the file says it: a guess, as most figures in such a file are.
const UNCERTAINTY: Share = Share::percent(20);
/// The standard normal distribution's 0.99 quantile.
const Z99: f64 = 2.326_347_874_040_841;

crate::record! {
    /// A traffic file: how the application described by a template behaves.
    pub struct TrafficFile {
        /// The version of this format.
        pub version: Version,
        /// Values of the template's parameters. Others have their default.
        pub parameters: BTreeMap<String, String> = BTreeMap::new(),
        /// Values from elsewhere, by name: SSM parameters, secrets, and imports of other stacks. Others are unknown.
        pub stores: BTreeMap<String, String> = BTreeMap::new(),
        /// Where the application is deployed: the parts of its ARNs.
        pub deployed: Deployed = Deployed { region: app::REGION.into(), account_id: app::ACCOUNT_ID.into(), partition: "aws".into() },
        /// How inaccurate its rates, durations and shares may be, in either direction. A prediction varies them within
        /// that.
        pub uncertainty: Share = UNCERTAINTY,
        /// The limits of the account as a whole.
        pub account: Limits = Limits { concurrency: 1_000, unreserved: 100, api_requests: 10_000, api_burst: 5_000 },
        /// The traffic from outside.
        pub traffic: Vec<Arrival> = Vec::new(),
        /// How each function of the template behaves, by its name. Others have all defaults.
        pub functions: BTreeMap<String, Behaviour> = BTreeMap::new(),
    }
}

crate::record! {
    /// Where an application is deployed.
    pub struct Deployed {
        /// `AWS::Region`.
        pub region: String = app::REGION.into(),
        /// `AWS::AccountId`: twelve digits, in quotes when they begin with 0.
        pub account_id: String = app::ACCOUNT_ID.into(),
        /// `AWS::Partition`: `aws`, `aws-cn` or `aws-us-gov`.
        pub partition: String = "aws".into(),
    }
}

crate::record! {
    /// Limits of an account. AWS gives the defaults; small and new accounts have less.
    pub struct Limits {
        /// How many invocations may run at the same time.
        pub concurrency: u32 = 1_000,
        /// How many of them no function may reserve.
        pub unreserved: u32 = 100,
        /// How many requests a second API Gateway accepts, for all APIs together.
        pub api_requests: u32 = 10_000,
        /// How many of them at once.
        pub api_burst: u32 = 5_000,
    }
}

crate::record! {
    /// Arrivals from outside.
    pub struct Arrival {
        /// Their target.
        pub to: Target,
        /// How many in what time.
        pub rate: Rate,
        /// Whether they come independently of each other or evenly spaced.
        pub arrivals: Arrivals = Arrivals::Poisson,
        /// For a FIFO queue: its message groups, by name or by number, over which the messages are spread evenly. By
        /// default, all messages of a FIFO queue are in one group.
        pub groups: Option<MessageGroups>,
    }
}

crate::record! {
    /// Where arrivals go: a route of an api, a function, or a queue.
    pub struct Target {
        /// An api of the template.
        pub api: Option<String>,
        /// A route of the api, such as `POST /orders`. An api with one route needs none.
        pub route: Option<String>,
        /// A function of the template, invoked and waited for.
        pub function: Option<String>,
        /// A queue of the template.
        pub queue: Option<String>,
    }
}

crate::record! {
    /// How a function behaves.
    pub struct Behaviour {
        /// What a cold start adds before the handler. By default, the time for an empty function of the runtime.
        pub cold_start: Option<Takes>,
        /// The handler's own work, once per invocation. By default `{ median: 20ms, p99: 81ms }`.
        pub duration: Option<Takes>,
        /// How often the handler fails by itself.
        pub errors: Share = Share::NONE,
        /// What the handler calls, in sequence, each once for each message of a batch unless `each` says otherwise. A
        /// call that fails makes the handler fail.
        pub calls: Vec<CallOut> = Vec::new(),
        /// What the handler does with a message of the payload `malformed`.
        pub malformed: OnPayload = OnPayload::Fail,
        /// What it does with the payload `wrong_schema`.
        pub wrong_schema: OnPayload = OnPayload::Fail,
        /// What it does with the payload `too_big`.
        pub too_big: OnPayload = OnPayload::Fail,
        /// What it does with the payload `hostile`.
        pub hostile: OnPayload = OnPayload::Fail,
        /// What it does with an experiment's own `bodies`.
        pub own_bodies: OnPayload = OnPayload::Fail,
        /// Whether the handler's SDK passes on the trace by which Lambda detects recursive loops. Older SDKs do not.
        pub traced: bool = true,
    }
}

crate::record! {
    /// A call from a handler: to exactly one of a queue, table, topic, function, or something outside.
    pub struct CallOut {
        /// Sends a message to a queue of the template.
        pub queue: Option<String>,
        /// Writes an item to a table of the template.
        pub table: Option<String>,
        /// Publishes to a topic of the template.
        pub topic: Option<String>,
        /// Invokes a function of the template.
        pub function: Option<String>,
        /// Calls something outside AWS; a host name or any name.
        pub external: Option<String>,
        /// For a function: whether the handler waits for the response.
        pub waits: bool = true,
        /// How long the call takes. By default `{ median: 10ms, p99: 40ms }`.
        pub takes: Option<Takes>,
        /// Whether the handler continues when the call fails.
        pub optional: bool = false,
        /// Whether the call is made once for each message of a batch, or once for each invocation.
        pub each: Each = Each::Message,
        /// How often the call fails by itself.
        pub errors: Share = Share::NONE,
        /// Of a FIFO queue: its message groups, over which the messages are spread evenly.
        pub groups: Option<MessageGroups>,
        /// The size in bytes of what is sent. A service with a lower limit refuses it.
        pub size: u32 = SMALL_MESSAGE,
    }
}

crate::record! {
    /// A distribution of times: `median` and `p99` (lognormal), `mean` (exponential), or `from` and `to` (uniform).
    pub struct Spread {
        /// Half are faster.
        pub median: Option<Span>,
        /// All but one in a hundred are faster. Without it, four times the median.
        pub p99: Option<Span>,
        /// The mean of an exponential distribution.
        pub mean: Option<Span>,
        /// The least of a uniform distribution.
        pub from: Option<Span>,
        /// The greatest of a uniform distribution.
        pub to: Option<Span>,
    }
}

crate::words! {
    /// How arrivals are spread over time.
    Arrivals {
        /// Independently of each other, with exponential gaps.
        Poisson as "poisson",
        /// Evenly spaced.
        Even as "even",
    }
}

crate::words! {
    /// What a handler does with a message of some payload.
    OnPayload {
        /// It fails: the message stays in the queue, with the whole batch unless partial batch responses are on.
        Fail as "fails",
        /// It continues: the message is deleted.
        Discard as "discards",
        /// It handles it like any other message.
        Handle as "handles",
    }
}

crate::words! {
    /// How often a call is made.
    Each {
        /// Once for each message of a batch; an invocation without a batch is one message.
        Message as "message",
        /// Once for each invocation, before the calls for its messages.
        Invocation as "invocation",
    }
}

/// The message groups of a FIFO queue: their names, or how many there are.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageGroups(pub Vec<String>);

/// The most message groups of one line of the traffic file.
const MOST_GROUPS: u32 = 10_000;

impl FromNode for MessageGroups {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<MessageGroups> {
        let names = match node.kind {
            Kind::List(_) => Vec::<String>::from_node(node, reader)?,
            _ => {
                let number = u32::from_node(node, reader)?.min(MOST_GROUPS + 1);
                (1..=number).map(|number| format!("group-{number}")).collect()
            }
        };
        if names.is_empty() || names.len() > MOST_GROUPS as usize {
            let what = format!("a FIFO queue has 1 to {MOST_GROUPS} message groups here");
            reader.report(Code::BadValue, node.at, what, "write a number, or a list of names");
            return None;
        }
        Some(MessageGroups(names))
    }

    fn shape() -> Shape {
        Shape::Either(vec![u32::shape(), Vec::<String>::shape()])
    }
}

/// How long something takes: always the same, as in `20ms`, or a [`Spread`].
#[derive(Clone, Debug, PartialEq)]
pub struct Takes(pub Duration);

impl FromNode for Takes {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Takes> {
        if !matches!(node.kind, Kind::Map(_)) {
            return Span::from_node(node, reader).map(|span| Takes(Duration::Constant(span)));
        }
        let spread = Spread::from_node(node, reader)?;
        let duration = match spread {
            Spread { median: Some(median), p99, mean: None, from: None, to: None } => {
                lognormal(median, p99.unwrap_or(median * 4))
            }
            Spread { mean: Some(mean), median: None, p99: None, from: None, to: None } => {
                Ok(Duration::Exponential(mean))
            }
            Spread { from: Some(from), to: Some(to), median: None, p99: None, mean: None } if from <= to => {
                Ok(Duration::Uniform { from, to })
            }
            _ => Err("this is not one distribution"),
        };
        let help = "write `{ median: 20ms, p99: 80ms }`, `{ mean: 20ms }` or `{ from: 10ms, to: 30ms }`";
        duration.map(Takes).map_err(|what| reader.report(Code::BadValue, node.at, what, help)).ok()
    }

    fn shape() -> Shape {
        Shape::Either(vec![Span::shape(), Spread::shape()])
    }
}

/// The lognormal distribution with a median and a 99th percentile.
fn lognormal(median: Span, p99: Span) -> Result<Duration, &'static str> {
    if median == Span::ZERO || p99 < median {
        return Err("the median must be above zero, and `p99` not below it");
    }
    let sigma = (p99.secs_f64() / median.secs_f64()).ln() / Z99;
    Ok(Duration::Lognormal { median, sigma })
}

/// Reads an application from its template and its traffic file, as it is deployed in the stack `stack`. Without an
/// [`App`] the findings hold an error.
pub fn read_app(template: &Arc<Source>, traffic: &Arc<Source>, stack: &str) -> (Option<App>, Findings) {
    let (loaded, findings) = Loaded::<TrafficFile>::read(traffic);
    with_traffic(template, loaded, findings, stack)
}

/// The same, from a traffic file that was read already, with what was found in it.
pub fn with_traffic(
    template: &Arc<Source>,
    loaded: Option<Loaded<TrafficFile>>,
    mut findings: Findings,
    stack: &str,
) -> (Option<App>, Findings) {
    let deployment = loaded.as_ref().map(|file| deployment(&file.value)).unwrap_or_default();
    let (app, found) = template::read(template, &Deployment { stack: stack.to_owned(), files: true, ..deployment });
    findings.append(found);
    let (Some(mut app), Some(file)) = (app, loaded) else { return (None, findings) };
    Filling { file: &file, app: &mut app, findings: &mut findings }.fill();
    report_other_alarms(template, &app, &mut findings);
    (Some(app).filter(|_| !findings.has_errors()), findings)
}

/// What a traffic file says about how its template is deployed.
pub fn deployment(file: &TrafficFile) -> Deployment {
    let Deployed { region, account_id, partition } = file.deployed.clone();
    Deployment {
        parameters: file.parameters.clone(),
        stores: file.stores.clone(),
        location: app::Deployed { partition, region, account_id },
        limits: template::Limits { concurrency: file.account.concurrency, unreserved: file.account.unreserved },
        ..Deployment::default()
    }
}

/// Says which alarms are not modelled, and why; and whose actions may not run.
pub fn report_other_alarms(template: &Arc<Source>, app: &App, findings: &mut Findings) {
    let (_, others) = watch::alarms(app);
    let refused = "a hypothesis about an alarm that is not modelled is refused in the sandbox";
    let others = others.iter().map(|(name, why)| (name, why.clone(), refused));
    let judged = "its state changes all the same, and a hypothesis judges its state";
    let quiet = app.alarms.iter().flat_map(|(name, alarm)| alarm.quiet.iter().map(move |quiet| (name, quiet)));
    let quiet = quiet.map(|(name, quiet)| (name, quiet.to_string(), judged));
    let all: Vec<(&String, String, &str)> = others.chain(quiet).collect();
    if all.is_empty() {
        return;
    }
    // The application does not know its places; only here do they matter.
    let (root, _) = tree::parse_template(template);
    let resources = root.as_ref().and_then(|root| root.get("Resources"));
    for (name, what, help) in all {
        let id = app.logical_ids.iter().find(|(_, named)| *named == name).map_or(name.as_str(), |(id, _)| id);
        let entry = resources.and_then(|resources| resources.entries().iter().find(|entry| entry.key == id));
        let at = entry.map_or_else(|| root.as_ref().map_or(Place::default(), |root| root.at), |entry| entry.key_at);
        let what = format!("alarm {name}: {what}");
        findings.push(Finding::new(Code::NotModelled, template, at, what).help(help));
    }
}

/// Puts a traffic file's values into the application that the template gave.
struct Filling<'a> {
    file: &'a Loaded<TrafficFile>,
    app: &'a mut App,
    findings: &'a mut Findings,
}

impl Filling<'_> {
    fn fill(&mut self) {
        let file = &self.file.value;
        self.app.account_concurrency = file.account.concurrency;
        self.app.unreserved_floor = file.account.unreserved;
        self.app.uncertainty = file.uncertainty;
        let Limits { api_requests, api_burst, .. } = file.account;
        self.app.api_limit = ApiLimit { per_second: api_requests, burst: api_burst };
        for (index, arrival) in file.traffic.iter().enumerate() {
            let Some(to) = self.target(&arrival.to, &format!("traffic/{index}/to")) else { continue };
            let queue = match &to {
                TrafficTarget::Queue(queue) => Some(queue.as_str()),
                _ => None,
            };
            let groups = self.groups(arrival.groups.as_ref(), queue, &format!("traffic/{index}"));
            self.app.traffic.push(Traffic { to, rate: arrival.rate, arrivals: arrival.arrivals, groups });
        }
        for (id, behaviour) in &file.functions {
            let path = format!("functions/{id}");
            let at = self.file.key_place(&path);
            let Some(name) = self.known("function", id, at, |app| app.functions.keys().collect()) else { continue };
            let calls: Vec<Outgoing> = behaviour
                .calls
                .iter()
                .enumerate()
                .filter_map(|(index, call)| self.call(call, &format!("{path}/calls/{index}")))
                .collect();
            let Some(function) = self.app.functions.get_mut(&name) else { continue };
            function.errors = behaviour.errors;
            function.payloads = OnPayloads {
                malformed: behaviour.malformed,
                wrong_schema: behaviour.wrong_schema,
                too_big: behaviour.too_big,
                hostile: behaviour.hostile,
                own: behaviour.own_bodies,
            };
            if !behaviour.traced {
                function.loops = Loops::NotSeen;
            }
            function.calls = calls;
            if let Some(Takes(takes)) = &behaviour.cold_start {
                function.cold_start = takes.clone();
            }
            if let Some(Takes(takes)) = &behaviour.duration {
                function.duration = takes.clone();
            }
        }
    }

    fn target(&mut self, to: &Target, path: &str) -> Option<TrafficTarget> {
        let at = |key: &str| self.file.place(&format!("{path}/{key}"));
        let whole = self.file.place(path);
        match to {
            Target { api: Some(api), route, function: None, queue: None } => {
                let (api_at, route_at) = (at("api"), at("route"));
                let api = self.known("api", api, api_at, |app| app.apis.keys().collect())?;
                let routes: Vec<String> = self.app.apis.get(&api)?.routes.keys().cloned().collect();
                let route = match (route, routes.as_slice()) {
                    (Some(route), _) if routes.contains(route) => route.clone(),
                    (None, [only]) => only.clone(),
                    (Some(route), _) => {
                        let what = format!("{api} has no route `{route}`");
                        self.report(
                            Code::UnknownWord,
                            route_at,
                            what,
                            format!("it has {}", listed(routes.iter().map(String::as_str))),
                        );
                        return None;
                    }
                    (None, _) => {
                        let what = format!("{api} has {} routes", routes.len());
                        self.report(Code::MissingKey, whole, what, "say which one: `route: POST /orders`");
                        return None;
                    }
                };
                Some(TrafficTarget::Api { api, route })
            }
            Target { function: Some(function), api: None, route: None, queue: None } => {
                let at = at("function");
                self.known("function", function, at, |app| app.functions.keys().collect()).map(TrafficTarget::Function)
            }
            Target { queue: Some(queue), api: None, route: None, function: None } => {
                let at = at("queue");
                self.known("queue", queue, at, |app| app.queues.keys().collect()).map(TrafficTarget::Queue)
            }
            _ => {
                let help = "write `{ api: ShopApi, route: POST /orders }`, `{ function: ... }` or `{ queue: ... }`";
                self.report(Code::OneKey, whole, "arrivals go to exactly one api, function or queue", help);
                None
            }
        }
    }

    fn call(&mut self, call: &CallOut, path: &str) -> Option<Outgoing> {
        let at = |key: &str| self.file.place(&format!("{path}/{key}"));
        let to = match (&call.queue, &call.table, &call.topic, &call.function, &call.external) {
            (Some(queue), None, None, None, None) => {
                Destination::Queue(self.known("queue", queue, at("queue"), |app| app.queues.keys().collect())?)
            }
            (None, Some(table), None, None, None) => {
                Destination::Table(self.known("table", table, at("table"), |app| app.tables.keys().collect())?)
            }
            (None, None, Some(topic), None, None) => {
                Destination::Topic(self.known("topic", topic, at("topic"), |app| app.topics.keys().collect())?)
            }
            (None, None, None, Some(function), None) => {
                let at = at("function");
                let name = self.known("function", function, at, |app| app.functions.keys().collect())?;
                if call.waits { Destination::Function(name) } else { Destination::FunctionAsync(name) }
            }
            (None, None, None, None, Some(external)) => Destination::External(external.clone()),
            _ => {
                let help = "write one of `queue`, `table`, `topic`, `function` and `external`";
                self.report(Code::OneKey, self.file.place(path), "a call goes to exactly one thing", help);
                return None;
            }
        };
        let duration = call.takes.as_ref().map_or(DEFAULT_CALL, |Takes(takes)| takes.clone());
        let queue = match &to {
            Destination::Queue(queue) => Some(queue.as_str()),
            _ => None,
        };
        let groups = self.groups(call.groups.as_ref(), queue, path);
        let CallOut { optional, each, errors, size, .. } = *call;
        Some(Outgoing { to, duration, optional, each, errors, groups, size })
    }

    /// The message groups of what goes to a queue; only a FIFO queue has any.
    fn groups(&mut self, given: Option<&MessageGroups>, queue: Option<&str>, path: &str) -> Vec<String> {
        let Some(MessageGroups(names)) = given else { return Vec::new() };
        if queue.and_then(|queue| self.app.queues.get(queue)).is_some_and(|queue| queue.fifo) {
            return names.clone();
        }
        let at = self.file.place(&format!("{path}/groups"));
        let help = "remove `groups`, or send to a FIFO queue";
        self.report(Code::BadValue, at, "only a FIFO queue has message groups", help);
        Vec::new()
    }

    /// The name of a resource that the file names by its name or its logical id.
    fn known(&mut self, word: &str, id: &str, at: Place, names: fn(&App) -> Vec<&String>) -> Option<String> {
        let name = self.app.logical_ids.get(id).map_or(id, String::as_str);
        let known = names(self.app);
        if known.iter().any(|known| *known == name) {
            return Some(name.to_owned());
        }
        let names = || known.iter().map(|known| known.as_str());
        let help = match closest(id, names()) {
            Some(close) => format!("did you mean `{close}`?"),
            None if known.is_empty() => format!("it has no {word} at all"),
            None => format!("it has {}", listed(names())),
        };
        self.report(Code::UnknownWord, at, format!("the template has no {word} `{id}`"), help);
        None
    }

    fn report(&mut self, code: Code, at: Place, what: impl Into<String>, help: impl Into<String>) {
        self.findings.push(self.file.finding(code, at, what).help(help));
    }
}

#[cfg(test)]
mod tests;
