//! Functions, their events, and event source mappings.

use super::names::{Names, Thing};
use super::properties::Properties;
use super::{Item, Template, tag};
use crate::account::ResourceKind;
use crate::spec::Code;
use crate::spec::yaml::Node;
use crate::template::app::{self, ApiKind, App, Asynchronous, Destination, Function, Loops, Mapping, OnPayloads, Role};
use crate::units::{Share, Span};

/// Of an environment, in bytes; Lambda refuses more.
const LARGEST_ENVIRONMENT: usize = 4_096;
/// The managed policy that SAM gives every function without a role, and the one for a function that reads a queue.
const BASIC_EXECUTION: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
const QUEUE_EXECUTION: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole";

/// What SAM adds to a template for a function: a role, when it names none, and the api of an event that names none.
pub(super) fn name_implied(id: &str, resource: &Node, names: &mut Names) {
    let properties = resource.get("Properties");
    let part = |key: &str| properties.and_then(|properties| properties.get(key));
    if part("Role").is_none() {
        let role = format!("{id}Role");
        names.add(&role, Thing { kind: Some(ResourceKind::Role), name: role.clone() });
    }
    for event in part("Events").map(Node::entries).unwrap_or_default() {
        let implied = match event.value.get("Type").and_then(Node::text) {
            Some("HttpApi") => "ServerlessHttpApi",
            Some("Api") => "ServerlessRestApi",
            _ => continue,
        };
        let named = event.value.get("Properties").is_some_and(|p| p.get("ApiId").or(p.get("RestApiId")).is_some());
        if !named {
            names.add(implied, Thing { kind: Some(ResourceKind::Api), name: implied.into() });
        }
    }
}

impl Template<'_> {
    /// Limits and defaults: facts, Lambda.
    pub(super) fn function(&self, item: &Item, name: String, properties: &mut Properties<'_>, app: &mut App) {
        properties.ignore(&[
            "FunctionName",
            "Handler",
            "CodeUri",
            "Code",
            "InlineCode",
            "ImageUri",
            "ImageConfig",
            "PackageType",
            "Architectures",
            "Layers",
            "Description",
            "Tracing",
            "TracingConfig",
            "LoggingConfig",
            "EphemeralStorage",
            "KmsKeyArn",
            "AssumeRolePolicyDocument",
            "PermissionsBoundary",
        ]);
        let runtime = properties.text("Runtime").unwrap_or_else(|| "image".into());
        let role = match properties.text("Role") {
            Some(role) => self.names.find(ResourceKind::Role, &role).map(str::to_owned),
            None => Some(self.implied_role(item, properties, app)),
        };
        if role.is_none() {
            let help = "the function is modelled with a role that allows nothing";
            properties.not_modelled(properties.at, format!("the role of {} is not in the template", item.id), help);
        }
        let function = Function {
            role: role.unwrap_or_else(|| format!("{}Role", item.id)),
            memory_mb: properties.whole("MemorySize", 128, 10_240).unwrap_or(128),
            timeout: properties.seconds("Timeout", 1, 900, 3),
            reserved: properties.whole("ReservedConcurrentExecutions", 0, 1_000_000),
            environment: environment(properties),
            cold_start: app::default_cold_start(&runtime),
            runtime,
            duration: app::DEFAULT_DURATION,
            errors: Share::NONE,
            calls: Vec::new(),
            payloads: OnPayloads::default(),
            asynchronous: self.asynchronous(properties),
            loops: match properties.text("RecursiveLoop").as_deref() {
                Some("Allow") => Loops::Allowed,
                _ => Loops::Stopped,
            },
        };
        app.roles.entry(function.role.clone()).or_default();
        app.functions.insert(name.clone(), function);
        for event in properties.map("Events") {
            let mut part = properties.of_item("Events", &event.value);
            self.event(&format!("{}{}", item.id, event.key), &name, &mut part, app);
            properties.take(part);
        }
        tag(&name, properties, app);
    }

    /// `DeadLetterQueue` of SAM, `DeadLetterConfig` of CloudFormation.
    fn dead_letter(&self, properties: &mut Properties<'_>) -> Option<Destination> {
        let mut part = match properties.part("DeadLetterQueue") {
            Some(part) => part,
            None => properties.part("DeadLetterConfig")?,
        };
        part.ignore(&["Type"]);
        let target = part.needed("TargetArn");
        let destination = target.and_then(|target| self.destination(&target, &mut part));
        properties.take(part);
        destination
    }

    /// A queue, topic or function that events are sent to; anything else is a warning.
    fn destination(&self, target: &str, part: &mut Properties<'_>) -> Option<Destination> {
        let named = |kind| self.names.find(kind, target).map(str::to_owned);
        let queue = named(ResourceKind::Queue).map(Destination::Queue);
        let topic = named(ResourceKind::Topic).map(Destination::Topic);
        let function = named(ResourceKind::Function).map(Destination::FunctionAsync);
        let found = queue.or(topic).or(function);
        if found.is_none() {
            let what = format!("the sandbox does not model the destination `{target}`");
            part.not_modelled(part.at, what, "events that go there leave the model");
        }
        found
    }

    /// What happens to asynchronous events: `DeadLetterQueue` and `EventInvokeConfig`.
    fn asynchronous(&self, properties: &mut Properties<'_>) -> Asynchronous {
        let dead_letter = self.dead_letter(properties);
        let plain = Asynchronous { dead_letter, ..Asynchronous::default() };
        let Some(mut part) = properties.part("EventInvokeConfig") else { return plain };
        let retries = part.whole("MaximumRetryAttempts", 0, 2).unwrap_or(2);
        let oldest = part.seconds("MaximumEventAgeInSeconds", 60, 21_600, 21_600);
        let (mut on_failure, mut on_success) = (None, None);
        if let Some(mut destinations) = part.part("DestinationConfig") {
            for (key, destination) in [("OnFailure", &mut on_failure), ("OnSuccess", &mut on_success)] {
                let Some(mut one) = destinations.part(key) else { continue };
                one.ignore(&["Type"]);
                let target = one.text("Destination");
                *destination = target.and_then(|target| self.destination(&target, &mut one));
                destinations.take(one);
            }
            part.take(destinations);
        }
        properties.take(part);
        Asynchronous { retries, oldest, on_failure, on_success, ..plain }
    }

    /// The role that SAM makes from `Policies`.
    fn implied_role(&self, item: &Item, properties: &mut Properties<'_>, app: &mut App) -> String {
        let name = format!("{}Role", item.id);
        let mut role = Role { managed: vec![BASIC_EXECUTION.into()], ..Role::default() };
        let reads_queue = |event: &Node| event.get("Type").and_then(Node::text) == Some("SQS");
        if properties.map("Events").iter().any(|event| reads_queue(&event.value)) {
            role.managed.push(QUEUE_EXECUTION.into());
        }
        for (number, policy) in properties.list("Policies").iter().enumerate() {
            // The name that SAM gives it.
            self.sam_policy(format!("{name}Policy{number}"), policy, properties, &mut role);
        }
        app.roles.insert(name.clone(), role);
        name
    }

    fn event(&self, id: &str, function: &str, event: &mut Properties<'_>, app: &mut App) {
        let Some(kind) = event.needed("Type") else { return };
        let Some(mut part) = event.part("Properties") else { return };
        match kind.as_str() {
            "HttpApi" => self.route(function, ("ApiId", "ServerlessHttpApi", ApiKind::Http), &mut part, app),
            "Api" => self.route(function, ("RestApiId", "ServerlessRestApi", ApiKind::Rest), &mut part, app),
            "SQS" => self.mapping(id, "Queue", function.to_owned(), &mut part, app),
            "SNS" => {
                let topic = part.needed("Topic");
                match topic.and_then(|topic| app.topics.get_mut(self.names.find(ResourceKind::Topic, &topic)?)) {
                    Some(topic) => topic.to_functions.push(function.to_owned()),
                    None => {
                        let what = "the topic of this event is not in the template";
                        part.not_modelled(part.at, what, "nothing comes from it in the model");
                    }
                }
            }
            other => {
                let what = format!("the sandbox does not model the event type {other}");
                part.not_modelled(event.at, what, "drive the function with `traffic:` in the traffic file");
                part.ignore_all();
            }
        }
        event.take(part);
    }

    fn route(&self, function: &str, api: (&'static str, &str, ApiKind), part: &mut Properties<'_>, app: &mut App) {
        let (key, implied, kind) = api;
        part.ignore(&["TimeoutInMillis", "PayloadFormatVersion", "Auth"]);
        let method = part.text("Method").unwrap_or_else(|| "ANY".into()).to_uppercase();
        let route = match part.text("Path") {
            Some(path) => format!("{method} {path}"),
            None => "$default".into(),
        };
        let name = match part.text(key) {
            None => Some(implied.to_owned()),
            Some(id) => self.names.find(ResourceKind::Api, &id).map(str::to_owned),
        };
        match name {
            Some(name) => {
                let api = app.apis.entry(name).or_insert_with(|| self.new_api(kind));
                api.routes.insert(route, function.to_owned());
            }
            None => part.not_modelled(part.at, "the api of this event is not in the template", "its route is left out"),
        }
    }

    pub(super) fn event_source_mapping(&self, item: &Item, properties: &mut Properties<'_>, app: &mut App) {
        let Some(function) = properties.needed("FunctionName") else { return };
        match self.names.find(ResourceKind::Function, &function).map(str::to_owned) {
            Some(function) => self.mapping(&item.id, "EventSourceArn", function, properties, app),
            None => {
                let what = format!("the function `{function}` is not in the template");
                properties.not_modelled(properties.at, what, "the mapping is left out");
            }
        }
    }

    /// An event source mapping from a queue. Limits and defaults: facts, SQS and event source mappings.
    fn mapping(&self, id: &str, key: &'static str, function: String, part: &mut Properties<'_>, app: &mut App) {
        let source = part.needed(key);
        let queue =
            source.as_deref().and_then(|source| self.names.find(ResourceKind::Queue, source)).map(str::to_owned);
        let batch_size = part.whole("BatchSize", 1, 10_000).unwrap_or(10);
        let batch_window = part.seconds("MaximumBatchingWindowInSeconds", 0, 300, 0);
        if batch_size > 10 && batch_window < Span::from_secs(1) {
            let help = "add `MaximumBatchingWindowInSeconds: 1`, or write `BatchSize: 10`";
            part.error(Code::BadValue, part.at, "a batch of more than 10 messages needs a batching window", help);
        }
        let maximum_concurrency = part.part("ScalingConfig").and_then(|mut scaling| {
            let maximum = scaling.whole("MaximumConcurrency", 2, 1_000);
            part.take(scaling);
            maximum
        });
        let partial_batch = part.texts("FunctionResponseTypes").iter().any(|word| word == "ReportBatchItemFailures");
        let enabled = part.flag("Enabled", true);
        match queue {
            Some(queue) => {
                let mapping =
                    Mapping { queue, function, enabled, batch_size, batch_window, maximum_concurrency, partial_batch };
                app.mappings.insert(id.to_owned(), mapping);
            }
            None => {
                if let Some(source) = source {
                    let what = format!("the event source `{source}` is not a queue of the template");
                    part.not_modelled(part.at, what, "nothing comes from it in the model");
                }
            }
        }
    }
}

/// `Environment`, and that of `Globals`; the function's own wins.
fn environment(properties: &mut Properties<'_>) -> std::collections::BTreeMap<String, String> {
    let mut variables = std::collections::BTreeMap::new();
    let mut size = 0;
    for mut part in properties.parts("Environment") {
        for entry in part.map("Variables") {
            if let Some(text) = part.read_text(&entry.value) {
                size += entry.key.len() + text.len();
                if size <= LARGEST_ENVIRONMENT {
                    variables.insert(entry.key.clone(), text);
                }
            }
        }
        properties.take(part);
    }
    if size > LARGEST_ENVIRONMENT {
        let what = format!("the environment of {} is larger than 4 KB", properties.of);
        properties.error(Code::BadValue, properties.at, what, "Lambda refuses it");
    }
    variables
}
