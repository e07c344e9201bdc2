//! What a template's functions can refer to: parameters, mappings, conditions, resources. `resolve.rs` computes with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::app::Deployed;
use super::files::Files;
use super::names::{Names, Thing, name_property, plain_type};
use super::stack::Within;
use super::value::{Kind, Spot, Unknown, Value};
use super::{Deployment, Item, Resource};
use crate::yaml::{Code, Finding, Findings, Source};

/// What all functions of a template may produce, in bytes. CloudFormation's own limit for a template is 1 MB.
pub(super) const ROOM: usize = 4 << 20;
/// Characters of a parameter's value, as CloudFormation limits them.
const LONGEST_PARAMETER: usize = 4_096;

/// Whether a condition holds.
#[derive(Clone, Debug)]
pub(super) enum Truth {
    Yes,
    No,
    /// It depends on something that is not known.
    Unknown(Unknown),
}

/// A resource that another one needs, as `Ref`, `Fn::GetAtt`, `Fn::Sub` or `DependsOn` say.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub from: String,
    pub to: String,
    pub at: Spot,
}

/// One template's names and values, while its functions are computed.
pub(super) struct Scope<'a> {
    pub deployment: &'a Deployment,
    pub source: Arc<Source>,
    pub files: &'a Files,
    /// What the names of this stack's resources begin with: nothing, or the nested stack's own name.
    pub prefix: String,
    pub depth_of_stack: usize,
    pub parameters: BTreeMap<String, Value>,
    /// The sections `Mappings` and `Conditions`, as they were written.
    pub mappings: Option<&'a Value>,
    pub conditions: Option<&'a Value>,
    pub truths: BTreeMap<String, Truth>,
    /// Every resource, as it was written.
    pub resources: &'a [Resource],
    pub index: BTreeMap<&'a str, usize>,
    pub names: Names,
    /// Resources whose name is being computed: one that needs its own name ends here.
    pub naming: BTreeSet<String>,
    /// Nested stacks that are read, or being read.
    pub nesting: BTreeSet<String>,
    /// Their resources.
    pub nested: Vec<Item>,
    pub nested_names: BTreeSet<String>,
    /// Outputs of nested stacks, by the logical id of the stack.
    pub outputs: BTreeMap<String, BTreeMap<String, Value>>,
    /// References to resources that SAM may make: what it does not make in the end is reported, with this help.
    pub awaited: Vec<(String, Spot, String)>,
    /// The resource whose properties are being computed, when what they refer to counts as needed.
    pub current: Option<String>,
    pub edges: Vec<Edge>,
    /// How deep conditions stand in conditions; a circle ends here.
    pub depth: u32,
    /// How many bytes functions may still produce: a template that multiplies itself ends here.
    pub room: usize,
    pub findings: Findings,
}

impl<'a> Scope<'a> {
    /// The scope of a template.
    pub fn new(source: &Arc<Source>, root: &'a Value, resources: &'a [Resource], within: &'a Within<'_>) -> Scope<'a> {
        let mut scope = Scope {
            deployment: within.deployment,
            source: source.clone(),
            files: within.files,
            prefix: within.prefix.clone(),
            depth_of_stack: within.depth,
            nesting: BTreeSet::new(),
            nested: Vec::new(),
            nested_names: BTreeSet::new(),
            parameters: BTreeMap::new(),
            mappings: root.some("Mappings"),
            conditions: root.some("Conditions"),
            truths: BTreeMap::new(),
            resources,
            index: resources.iter().enumerate().map(|(index, resource)| (resource.id.as_str(), index)).collect(),
            names: Names::default(),
            naming: BTreeSet::new(),
            outputs: BTreeMap::new(),
            awaited: Vec::new(),
            current: None,
            edges: Vec::new(),
            depth: 0,
            room: ROOM,
            findings: Findings::default(),
        };
        scope.read_parameters(root, &within.given);
        scope
    }

    /// Where the application is deployed.
    pub fn location(&self) -> &'a Deployed {
        &self.deployment.location
    }

    /// Reports something.
    pub fn report(&mut self, code: Code, at: &Spot, what: impl Into<String>, help: impl Into<String>) {
        self.findings.push(Finding::new(code, &at.source, at.at, what).help(help));
    }

    fn read_parameters(&mut self, root: &Value, given: &BTreeMap<String, Value>) {
        for entry in root.get("Parameters").map(Value::entries).unwrap_or_default() {
            let value = self.parameter(&entry.key, &entry.key_at, &entry.value, given);
            self.parameters.insert(entry.key.clone(), value);
        }
    }

    fn parameter(&mut self, name: &str, at: &Spot, declared: &Value, given: &BTreeMap<String, Value>) -> Value {
        let said = self.deployment.parameters.get(name).map(|text| at.text(text.clone()));
        let value = given.get(name).cloned().or(said).or_else(|| declared.get("Default").cloned());
        let kind = declared.get("Type").and_then(Value::text).unwrap_or("String");
        let Some(value) = value else {
            let why = format!("the parameter {name} has no value");
            return at.value(Kind::Unknown(Unknown::new(why, at)));
        };
        if value.unknown().is_some() || !value.items().is_empty() {
            return value;
        }
        let Some(text) = value.plain().filter(|text| text.len() <= LONGEST_PARAMETER) else {
            let what = format!("the value of parameter {name} is not a text of at most 4,096 characters");
            self.report(Code::BadValue, &value.at, what, "shorten it");
            return at.value(Kind::Unknown(Unknown::new(format!("the parameter {name} has no usable value"), at)));
        };
        let allowed: Vec<String> = declared
            .get("AllowedValues")
            .map(Value::items)
            .unwrap_or_default()
            .iter()
            .filter_map(Value::plain)
            .collect();
        if !allowed.is_empty() && !allowed.contains(&text) && !kind.contains("List") {
            let what = format!("the value `{text}` of parameter {name} is not one of its `AllowedValues`");
            self.report(Code::BadValue, &value.at, what, format!("write one of {}", allowed.join(", ")));
        }
        if let Some(inner) = kind.strip_prefix("AWS::SSM::Parameter::Value<") {
            return match self.deployment.stores.get(&text) {
                Some(stored) => typed(inner, stored, at),
                None => {
                    let why = format!("the SSM parameter {text} (parameter {name}) is not known here");
                    at.value(Kind::Unknown(Unknown::new(why, at)))
                }
            };
        }
        if kind == "Number" && text.trim().parse::<f64>().is_err() {
            let what = format!("the value `{text}` of parameter {name} is not a number");
            self.report(Code::BadValue, &value.at, what, "its `Type` is Number");
        }
        typed(kind, &text, at)
    }

    /// The resource with a logical id or one of SAM's names, named now if it was not yet.
    pub fn thing(&mut self, id: &str, at: &Spot) -> Option<Thing> {
        if let Some(thing) = self.names.get(id) {
            return Some(thing.clone());
        }
        let resource = self.index.get(id).map(|index| &self.resources[*index])?;
        if !self.naming.insert(id.to_owned()) {
            let what = format!("the name of {id} needs itself");
            self.report(Code::BadValue, at, what, "CloudFormation refuses it: a circular dependency");
            return None;
        }
        let current = self.current.take();
        let thing = self.name(resource);
        self.current = current;
        self.naming.remove(id);
        self.names.add(id, thing.clone(), self.location());
        Some(thing)
    }

    fn name(&mut self, resource: &Resource) -> Thing {
        let type_name = plain_type(&resource.kind).to_owned();
        let written = name_property(&resource.kind).and_then(|key| resource.properties().some(key));
        // Whatever is wrong in a name is reported when the resource's properties are computed.
        let findings = self.findings.clone();
        let value = written.map(|value| self.resolve(value));
        let of = match resource.kind.as_str() {
            "AWS::Lambda::Alias" | "AWS::Lambda::Version" => self.qualified(resource),
            _ => None,
        };
        self.findings = findings;
        let id = format!("{}{}", self.prefix, resource.id);
        let name = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or(id);
        match value.as_ref().map(|value| &value.kind) {
            Some(Kind::Unknown(unknown)) => Thing { type_name, name: name(None), real: Some(unknown.clone()) },
            _ => Thing { type_name, name: name(of.or_else(|| value.and_then(|value| value.plain()))), real: None },
        }
    }

    /// `Fn:live`, `Fn:1`: what an alias or a version is called.
    fn qualified(&mut self, resource: &Resource) -> Option<String> {
        let function = resource.properties().get("FunctionName").map(|value| self.resolve(value))?;
        let function = self.names.find(crate::ids::ResourceKind::Function, &function)?.to_owned();
        let alias = resource.properties().get("Name").map(|value| self.resolve(value)).and_then(|name| name.plain());
        Some(format!("{function}:{}", alias.as_deref().unwrap_or("1")))
    }

    /// Names every resource.
    pub fn name_all(&mut self) {
        for resource in self.resources {
            self.thing(&resource.id, &resource.at);
        }
    }

    /// Notes that the current resource needs another one.
    pub fn need(&mut self, id: &str, at: &Spot) {
        if let Some(from) = self.current.clone().filter(|_| self.index.contains_key(id)) {
            self.edges.push(Edge { from, to: id.to_owned(), at: at.clone() });
        }
    }
}

/// A parameter's text as its type says: a list, or a text.
fn typed(kind: &str, text: &str, at: &Spot) -> Value {
    match kind.contains("List") {
        true if text.is_empty() => at.list([]),
        true => at.list(text.split(',').map(|part| at.text(part.trim()))),
        false => at.text(text),
    }
}
