//! What was understood of a template, for people and programs: `squall template`.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::Stack;
use super::app::{Alarm, AlarmMetric, App, Values, Watches};
use super::names::kind_of;
use super::table::{self, PASSIVE};
use super::value::Spot;
use super::written::{Application, missing, sign};
use crate::ids::ResourceKind;
use crate::outside::plain;
use crate::units::Span;

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
    /// Its logical id in its template.
    pub id: String,
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
    /// A nested stack: its resources follow.
    Nested,
    /// The application is modelled without it.
    LeftOut,
}

impl Understood {
    pub(super) fn of(stack: &Stack, app: App) -> Understood {
        // Serializing to memory fails only for maps whose keys are not strings, and this has none.
        let application = serde_json::to_value(Application::of(&app)).unwrap_or_default();
        let mut lines = Lines::default();
        let resources = stack.items.iter().map(|item| ResourceSeen {
            id: item.id.clone(),
            name: item.name.clone(),
            kind: item.kind.clone(),
            place: lines.place(&item.at),
            generated: item.generated,
            becomes: match stack.nested.contains(&item.name) {
                true => Becomes::Nested,
                false => becomes(&item.kind, &item.name, &app, &application),
            },
        });
        Understood { resources: resources.collect::<Vec<_>>(), app }
    }

    /// For people, resource by resource.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for resource in &self.resources {
            let made = if resource.generated { ", made by SAM" } else { "" };
            let place = &resource.place;
            text += &format!("{}  {}{made}  {place}\n", plain(&resource.id), plain(&resource.kind));
            if resource.name != resource.id {
                text += &format!("    name: {}\n", plain(&resource.name));
            }
            match &resource.becomes {
                Becomes::Modelled(facts) => facts.iter().for_each(|fact| text += &format!("    {}\n", plain(fact))),
                Becomes::NoEffect(because) => text += &format!("    no effect here: {because}\n"),
                Becomes::Triggers(functions) => {
                    text += &format!("    invokes {}; nothing comes from it in the model\n", functions.join(", "));
                }
                Becomes::Nested => text += "    its resources are listed below\n",
                Becomes::LeftOut => text += "    not modelled: the application is modelled without it\n",
            }
        }
        text
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
    if let Some(alarm) = app.alarms.get(name).filter(|_| kind_of(kind) == Some(ResourceKind::Alarm)) {
        return Becomes::Modelled(alarm_facts(alarm));
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
    if let Some(key) = key.strip_suffix("_seconds") {
        let span = Span::from_micros((value.as_f64()? * 1e6).round() as i64);
        return Some(format!("{}: {span}", key.replace('_', " ")));
    }
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

/// An alarm in words.
fn alarm_facts(alarm: &Alarm) -> Vec<String> {
    let mut facts = match &alarm.watches {
        Watches::Other(what) => vec![format!("not modelled: the sandbox does not model {what}")],
        Watches::Alarms { rule } => vec![format!("rule: {rule}")],
        Watches::Threshold(spec) => {
            let mut facts = match &spec.values {
                Values::Metric(metric) => vec![format!("metric: {}", metric_words(metric))],
                Values::Math { metrics, expressions, returns } => {
                    let mut facts: Vec<String> =
                        metrics.iter().map(|(id, metric)| format!("{id}: {}", metric_words(metric))).collect();
                    facts.extend(expressions.iter().map(|(id, text)| format!("{id}: {text}")));
                    facts.push(format!("compared: {returns}"));
                    facts
                }
            };
            let (sign, threshold) = (sign(spec.comparison), spec.threshold);
            let (some, all) = (spec.datapoints_to_alarm, spec.evaluation_periods);
            facts.push(format!("in ALARM: {some} of {all} data points {sign} {threshold}, period {}", spec.period));
            facts.push(format!("missing data: {}", missing(spec.missing)));
            facts
        }
    };
    facts.extend(alarm.quiet.iter().map(ToString::to_string));
    facts
}

/// `Sum of Errors (AWS/Lambda, FunctionName=work)`.
fn metric_words(metric: &AlarmMetric) -> String {
    let dimensions: String = metric.dimensions.iter().map(|(name, value)| format!(", {name}={value}")).collect();
    let unit = metric.unit.as_ref().map_or_else(String::new, |unit| format!(" in {unit}"));
    format!("{} of {} ({}{dimensions}){unit}", metric.statistic, metric.name, metric.namespace)
}
