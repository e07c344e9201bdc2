//! Functions, event source mappings, and what happens to asynchronous events.

use std::collections::BTreeMap;

use super::{Reader, tag};
use crate::ids::ResourceKind;
use crate::template::Item;
use crate::template::app::{self, App, Asynchronous, Destination, Function, Loops, Mapping, OnPayloads, Role, Trigger};
use crate::template::part::Part;
use crate::template::value::Value;
use crate::units::Share;
use crate::yaml::Code;

/// Of an environment, in bytes; Lambda refuses more.
const LARGEST_ENVIRONMENT: usize = 4_096;
/// A function's time-out and memory, at most (Lambda, `CreateFunction`: 1,800 s since 2026, 5,400 s for managed
/// instances; 32,768 MB).
const LONGEST_TIMEOUT: u32 = 5_400;
const MOST_MEMORY: u32 = 32_768;

impl<'s> Reader<'s> {
    /// Defaults: <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>.
    pub(super) fn function(&mut self, name: String, item: &Item, part: &mut Part<'s>, app: &mut App) {
        let runtime = part.text("Runtime").unwrap_or_else(|| "image".into());
        let role = self.role_of(item, part, app);
        let dead_letter = part.part("DeadLetterConfig").and_then(|mut config| {
            let target = config.needed("TargetArn").and_then(|target| self.destination(target, &mut config));
            part.take(config);
            target
        });
        let function = Function {
            role,
            memory_mb: part.whole("MemorySize", 128, MOST_MEMORY).unwrap_or(128),
            timeout: part.seconds("Timeout", 1, LONGEST_TIMEOUT, 3),
            reserved: part.whole("ReservedConcurrentExecutions", 0, 1_000_000),
            provisioned: 0,
            environment: environment(part),
            cold_start: app::default_cold_start(&runtime),
            runtime,
            duration: app::DEFAULT_DURATION,
            errors: Share::NONE,
            calls: Vec::new(),
            payloads: OnPayloads::default(),
            asynchronous: Asynchronous { dead_letter, ..Asynchronous::default() },
            loops: match part.text("RecursiveLoop").as_deref() {
                Some("Allow") => Loops::Allowed,
                _ => Loops::Stopped,
            },
        };
        tag(&name, part, app);
        app.functions.insert(name, function);
    }

    /// The name of a function's role. A role that is not in the template is one that may do everything, and that no
    /// fault may touch.
    fn role_of(&mut self, item: &Item, part: &mut Part<'s>, app: &mut App) -> String {
        let unknown = match part.needed("Role") {
            Some(value) => match self.names.find(ResourceKind::Role, value) {
                Some(name) => return name.to_owned(),
                None => match value.unknown().and_then(|unknown| unknown.origin()) {
                    Some(origin) => format!("it is not known: {}", origin.why),
                    None => "it is not in the template".to_owned(),
                },
            },
            None => "there is none".to_owned(),
        };
        // The role may lie in another stack under a name of its own; here it is named after its function.
        let name = format!("{}-role", item.name);
        let help = "the function may do everything in the model, and no fault can change its role";
        if part.get("Role").is_some() {
            part.report(Code::UnknownValue, &item.at, format!("the role of {}: {unknown}", part.of), help);
        }
        app.roles.insert(name.clone(), Role { unknown: Some(unknown), ..Role::default() });
        name
    }

    /// A queue, topic or function that events are sent to; anything else is a warning.
    fn destination(&self, target: &Value, part: &mut Part<'_>) -> Option<Destination> {
        let named = |kind| self.names.find(kind, target).map(str::to_owned);
        let queue = named(ResourceKind::Queue).map(Destination::Queue);
        let topic = || named(ResourceKind::Topic).map(Destination::Topic);
        let function = || named(ResourceKind::Function).map(Destination::FunctionAsync);
        if let Some(found) = queue.or_else(topic).or_else(function) {
            return Some(found);
        }
        let consequence = "events that go there leave the model";
        match target.unknown().and_then(|unknown| unknown.origin()) {
            Some(origin) => {
                let what = format!("the target in {} is not known: {}", part.of, origin.why);
                part.report(Code::UnknownValue, &target.at, what, consequence);
            }
            None => {
                let what =
                    format!("the target `{}` in {} is not modelled", target.plain().unwrap_or_default(), part.of);
                part.not_modelled(&target.at, what, consequence);
            }
        }
        None
    }

    /// Provisioned concurrency of `AWS::Lambda::Alias` and `AWS::Lambda::Version`.
    pub(super) fn provisioned_concurrency(&mut self, part: &mut Part<'s>, app: &mut App) {
        let Some(mut config) = part.part("ProvisionedConcurrencyConfig") else { return };
        let amount = config.whole("ProvisionedConcurrentExecutions", 1, 1_000_000);
        part.take(config);
        let name = part.needed("FunctionName").and_then(|value| self.names.find(ResourceKind::Function, value));
        if let Some(function) = name.and_then(|name| app.functions.get_mut(name)) {
            function.provisioned = function.provisioned.saturating_add(amount.unwrap_or_default());
        }
    }

    /// `AWS::Lambda::EventInvokeConfig`.
    pub(super) fn invoke_config(&mut self, part: &mut Part<'s>, app: &mut App) {
        let Some(value) = part.needed("FunctionName") else { return };
        let found = self.named(ResourceKind::Function, value, "the function", "the configuration is left out", part);
        let retries = part.whole("MaximumRetryAttempts", 0, 2).unwrap_or(2);
        let oldest = part.seconds("MaximumEventAgeInSeconds", 60, 21_600, 21_600);
        let (mut on_failure, mut on_success) = (None, None);
        if let Some(mut destinations) = part.part("DestinationConfig") {
            for (key, destination) in [("OnFailure", &mut on_failure), ("OnSuccess", &mut on_success)] {
                let Some(mut one) = destinations.part(key) else { continue };
                *destination = one.get("Destination").and_then(|target| self.destination(target, &mut one));
                destinations.take(one);
            }
            part.take(destinations);
        }
        if let Some(function) = found.and_then(|name| app.functions.get_mut(&name)) {
            let dead_letter = function.asynchronous.dead_letter.take();
            function.asynchronous = Asynchronous { retries, oldest, on_failure, on_success, dead_letter };
        }
    }

    /// An event source mapping. Only those from queues are modelled; what others invoke is noted.
    /// Limits: <https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html>.
    pub(super) fn mapping(&mut self, item: &Item, part: &mut Part<'s>, app: &mut App) {
        let Some(value) = part.needed("FunctionName") else { return };
        let Some(function) = self.named(ResourceKind::Function, value, "the function", "the mapping is left out", part)
        else {
            return;
        };
        let source = part.get("EventSourceArn");
        if source.is_none() && part.get("SelfManagedEventSource").is_none() {
            part.needed("EventSourceArn");
            return;
        }
        let batch = part.whole("BatchSize", 1, 10_000);
        let batch_window = part.seconds("MaximumBatchingWindowInSeconds", 0, 300, 0);
        let queue = source.and_then(|source| self.names.find(ResourceKind::Queue, source)).map(str::to_owned);
        let Some(queue) = queue else {
            let what = match source.map(|source| (source, source.unknown().and_then(|unknown| unknown.origin()))) {
                Some((_, Some(origin))) => format!("the event source of {} is not known: {}", part.of, origin.why),
                Some((source, None)) => {
                    format!("the event source `{}` of {} is not modelled", source.plain().unwrap_or_default(), part.of)
                }
                None => format!("the event source of {} is not modelled", part.of),
            };
            let code = if source.is_some_and(|source| source.unknown().is_some()) {
                Code::UnknownValue
            } else {
                Code::NotModelled
            };
            let help = "nothing comes from it in the model; drive the function with `traffic:` in the traffic file";
            part.report(code, &item.at, what, help);
            app.triggers.insert(item.name.clone(), Trigger { kind: item.kind.clone(), function });
            return;
        };
        let maximum_concurrency = part.part("ScalingConfig").and_then(|mut scaling| {
            let maximum = scaling.whole("MaximumConcurrency", 2, 1_000);
            part.take(scaling);
            maximum
        });
        let partial_batch =
            part.list("FunctionResponseTypes").iter().any(|word| word.text() == Some("ReportBatchItemFailures"));
        let enabled = part.flag("Enabled", true);
        let mapping = Mapping {
            queue,
            function,
            enabled,
            batch_size: batch.unwrap_or(10),
            batch_window,
            maximum_concurrency,
            partial_batch,
        };
        app.mappings.insert(item.name.clone(), mapping);
    }
}

/// `Environment`. A variable whose value is not known is left out: nothing in the model reads it.
fn environment(part: &mut Part<'_>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut size = 0;
    let Some(mut inner) = part.part("Environment") else { return variables };
    for entry in inner.map("Variables") {
        if let Some(text) = entry.value.plain() {
            size += entry.key.len() + text.len();
            if size <= LARGEST_ENVIRONMENT {
                variables.insert(entry.key.clone(), text);
            }
        } else if entry.value.unknown().is_none() {
            let what = format!("the variable {} of {} is {}", entry.key, part.of, entry.value.kind_name());
            inner.report(Code::WrongKind, &entry.value.at, what, "Lambda takes texts");
        }
    }
    part.take(inner);
    if size > LARGEST_ENVIRONMENT {
        let what = format!("the environment of {} is larger than 4 KB", part.of);
        part.fail(Code::Refused, what, "Lambda refuses it");
    }
    variables
}
