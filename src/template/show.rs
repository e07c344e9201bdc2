//! What was understood of a template, for people and programs: `squall template`.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::Stack;
use super::app::{App, Destination, Function};
use super::names::kind_of;
use super::table::{self, PASSIVE};
use super::value::Spot;

/// A template as far as it was understood.
#[derive(Clone, Debug)]
pub struct Understood {
    pub app: App,
    /// Every resource, in the order of the template; those that SAM makes follow the one that they are made for.
    pub resources: Vec<ResourceSeen>,
}

/// Where the lines of each file begin: looked up for every resource, counted once.
#[derive(Default)]
struct Lines {
    starts: BTreeMap<String, Vec<usize>>,
}

impl Lines {
    /// `template.yaml:12:3`.
    fn place(&mut self, at: &Spot) -> String {
        let text = &at.source.text;
        let starts = self.starts.entry(at.source.file.clone()).or_insert_with(|| {
            std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect()
        });
        let line = starts.partition_point(|start| *start <= at.at.start);
        let start = starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let column = text.get(start..at.at.start).map_or(0, |before| before.chars().count()) + 1;
        format!("{}:{line}:{column}", at.source.file)
    }
}

/// One resource, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceSeen {
    /// Its name in the model.
    pub name: String,
    /// Its CloudFormation type.
    pub kind: String,
    /// `template.yaml:12:3`.
    pub place: String,
    /// Whether SAM makes it.
    pub generated: bool,
    pub becomes: Becomes,
}

/// What becomes of a resource in the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// It is in the application, or says how two resources in it work together: its facts, in words.
    Modelled(Vec<String>),
    /// It has no effect here, because ...
    NoEffect(&'static str),
    /// It invokes functions, and is not modelled itself.
    Triggers(Vec<String>),
    /// The application is modelled without it.
    LeftOut,
}

impl Understood {
    pub(super) fn of(stack: &Stack, app: App) -> Understood {
        let application = application(&app);
        let mut lines = Lines::default();
        let resources = stack.items.iter().map(|item| ResourceSeen {
            name: item.name.clone(),
            kind: item.kind.clone(),
            place: lines.place(&item.at),
            generated: item.generated,
            becomes: becomes(&item.kind, &item.name, &app, &application),
        });
        Understood { resources: resources.collect::<Vec<_>>(), app }
    }

    /// For people, resource by resource.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for resource in &self.resources {
            let made = if resource.generated { ", made by SAM" } else { "" };
            text += &format!("{}  {}{made}  {}\n", resource.name, resource.kind, resource.place);
            match &resource.becomes {
                Becomes::Modelled(facts) => facts.iter().for_each(|fact| text += &format!("    {fact}\n")),
                Becomes::NoEffect(because) => text += &format!("    no effect here: {because}\n"),
                Becomes::Triggers(functions) => {
                    text += &format!("    invokes {}; nothing comes from it in the model\n", functions.join(", "));
                }
                Becomes::LeftOut => text += "    not modelled: the application is modelled without it\n",
            }
        }
        text
    }

    /// For programs: the resources, and the application as data.
    pub fn to_json(&self) -> Json {
        let resource = |resource: &ResourceSeen| {
            let (becomes, facts) = match &resource.becomes {
                Becomes::Modelled(facts) => ("modelled", json!(facts)),
                Becomes::NoEffect(because) => ("no_effect", json!([because])),
                Becomes::Triggers(functions) => ("trigger", json!(functions)),
                Becomes::LeftOut => ("left_out", json!([])),
            };
            json!({
                "name": resource.name, "type": resource.kind, "place": resource.place, "generated": resource.generated,
                "becomes": becomes, "facts": facts,
            })
        };
        let resources: Vec<Json> = self.resources.iter().map(resource).collect();
        json!({ "resources": resources, "application": application(&self.app) })
    }
}

fn becomes(kind: &str, name: &str, app: &App, application: &Json) -> Becomes {
    let triggers: Vec<String> = app
        .triggers
        .iter()
        .filter(|(key, _)| key.as_str() == name || key.starts_with(&format!("{name} ")))
        .map(|(_, trigger)| trigger.function.clone())
        .collect();
    if !triggers.is_empty() {
        return Becomes::Triggers(triggers);
    }
    if let Some((_, because)) = PASSIVE.iter().find(|(passive, _)| *passive == kind) {
        return Becomes::NoEffect(because);
    }
    let facts = kind_of(kind).and_then(|kind| {
        let section = match kind.word() {
            "parameter" => "parameters".to_owned(),
            word => format!("{word}s"),
        };
        application.get(section)?.get(name).cloned()
    });
    let facts = facts.or_else(|| application.get("mappings")?.get(name).cloned());
    match facts {
        Some(Json::Object(map)) => Becomes::Modelled(map.iter().filter_map(fact).collect()),
        Some(other) => Becomes::Modelled(vec![format!("value: {other}")]),
        None if table::find(kind).is_some() => Becomes::Modelled(Vec::new()),
        None => Becomes::LeftOut,
    }
}

/// `timeout: 30s`; nothing for what is empty.
fn fact((key, value): (&String, &Json)) -> Option<String> {
    let key = key.replace('_', " ");
    match value {
        Json::Null => None,
        Json::Array(items) if items.is_empty() => None,
        Json::Object(map) if map.is_empty() => None,
        Json::String(text) => Some(format!("{key}: {text}")),
        Json::Array(items) => {
            let texts: Vec<String> =
                items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect();
            Some(format!("{key}: {}", texts.join(", ")))
        }
        other => Some(format!("{key}: {other}")),
    }
}

/// The application as data. Spans are texts with their units.
fn application(app: &App) -> Json {
    let mut all = Map::new();
    let mut put = |section: &str, values: Map<String, Json>| {
        all.insert(section.into(), Json::Object(values));
    };
    put("functions", section(&app.functions, function_data));
    put(
        "queues",
        section(&app.queues, |queue| {
            json!({
                "fifo": queue.fifo, "visibility": queue.visibility.to_string(), "delay": queue.delay.to_string(),
                "retention": queue.retention.to_string(), "largest_message": queue.largest,
                "dead_letter": queue.redrive.as_ref().map(|redrive| &redrive.dead_letter),
                "max_receive_count": queue.redrive.as_ref().map(|redrive| redrive.max_receive_count),
            })
        }),
    );
    put(
        "mappings",
        section(&app.mappings, |mapping| {
            json!({
                "queue": mapping.queue, "function": mapping.function, "enabled": mapping.enabled, "batch_size": mapping.batch_size,
                "batch_window": mapping.batch_window.to_string(), "maximum_concurrency": mapping.maximum_concurrency,
                "partial_batch": mapping.partial_batch,
            })
        }),
    );
    put(
        "apis",
        section(
            &app.apis,
            |api| json!({ "title": api.title, "stage": api.stage, "routes": api.routes, "timeout": api.timeout.to_string() }),
        ),
    );
    put("tables", section(&app.tables, |table| json!({ "writes_per_second": table.writes_per_second })));
    put(
        "topics",
        section(&app.topics, |topic| json!({ "to_queues": topic.to_queues, "to_functions": topic.to_functions })),
    );
    put("parameters", section(&app.parameters, |value| json!({ "value": value })));
    put(
        "roles",
        section(&app.roles, |role| {
            json!({
                "inline": parsed(&role.inline), "attached": parsed(&role.attached), "managed": role.managed,
                "boundary": role.boundary, "unknown": role.unknown,
            })
        }),
    );
    put("alarms", section(&app.alarms, |alarm| json!({ "watches": format!("{:?}", alarm.watches) })));
    put("triggers", section(&app.triggers, |trigger| json!({ "type": trigger.kind, "function": trigger.function })));
    put("tags", section(&app.tags, |tags| json!(tags)));
    put("logical_ids", section(&app.logical_ids, |name| json!(name)));
    for (key, text) in
        [("stack", &app.stack), ("region", &app.location.region), ("account_id", &app.location.account_id)]
    {
        all.insert(key.into(), json!(text));
    }
    Json::Object(all)
}

fn function_data(function: &Function) -> Json {
    let asynchronous = &function.asynchronous;
    let to = |target: &Option<Destination>| target.as_ref().map(destination);
    json!({
        "role": function.role, "runtime": function.runtime, "memory_mb": function.memory_mb,
        "timeout": function.timeout.to_string(), "reserved": function.reserved,
        "environment": function.environment.keys().collect::<Vec<_>>(),
        "async_retries": asynchronous.retries, "oldest_event": asynchronous.oldest.to_string(),
        "on_failure": to(&asynchronous.on_failure), "on_success": to(&asynchronous.on_success),
        "dead_letter": to(&asynchronous.dead_letter),
    })
}

fn section<T>(map: &BTreeMap<String, T>, value: impl Fn(&T) -> Json) -> Map<String, Json> {
    map.iter().map(|(name, item)| (name.clone(), value(item))).collect()
}

fn parsed(documents: &BTreeMap<String, String>) -> Map<String, Json> {
    documents.iter().map(|(name, text)| (name.clone(), serde_json::from_str(text).unwrap_or_default())).collect()
}

fn destination(to: &Destination) -> String {
    match to {
        Destination::Queue(name) => format!("queue {name}"),
        Destination::Topic(name) => format!("topic {name}"),
        Destination::Table(name) => format!("table {name}"),
        Destination::Function(name) | Destination::FunctionAsync(name) => format!("function {name}"),
        Destination::External(name) => name.clone(),
    }
}
