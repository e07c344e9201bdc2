//! One template to plain resources whose functions are computed; nested ones with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::files::{DEEPEST, Files, Location, location};
use super::names::Names;
use super::sam::{self, Sam};
use super::scope::{Scope, Truth};
use super::table;
use super::value::{Entry, Kind, Value};
use super::{Deployment, Item, Resource, language};
use crate::yaml::{Code, Finding, Findings, Source};

/// Resources of one template, as CloudFormation limits them.
const MOST_RESOURCES: usize = 500;

/// Properties that CloudFormation takes as a mapping or as its JSON in a text (`[object, string]` in its schemas).
const JSON_OR_TEXT: &[&str] = &[
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "PolicyDocument",
    "AssumeRolePolicyDocument",
    "FilterPolicy",
    "DeliveryPolicy",
];

/// Reads JSON in a text. A text that is no JSON stays, and is reported where a mapping is wanted.
fn read_json(entry: &mut Entry) {
    let json = entry.value.text().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    if let Some(json) = json.filter(serde_json::Value::is_object) {
        entry.value = entry.value.at.json(&json);
    }
}

/// What came of a template.
pub(super) struct Stack {
    pub items: Vec<Item>,
    pub names: Names,
    pub outputs: BTreeMap<String, Value>,
    /// Names of the nested stacks whose templates were read.
    pub nested: BTreeSet<String>,
}

/// Where a template is in the application.
pub(super) struct Within<'w> {
    pub deployment: &'w Deployment,
    pub files: &'w Files,
    /// What its parent gives to its parameters.
    pub given: BTreeMap<String, Value>,
    /// What the names of its resources begin with.
    pub prefix: String,
    pub depth: usize,
}

/// Reads a template's tree.
pub(super) fn read(source: &Arc<Source>, root: Value, within: &Within<'_>, findings: &mut Findings) -> Stack {
    let root = within.files.include(root, 0, findings);
    let root = language::expand(root, within.deployment, findings);
    table::check_template(&root, findings);
    let mut resources = resources(&root, findings);
    if let Some(globals) = root.some("Globals") {
        sam::globals::merge_all(globals, &mut resources, findings);
    }
    let mut scope = Scope::new(source, &root, &resources, within);
    sam::name_generated(&mut scope);
    scope.name_all();
    let mut sam = Sam::new(&mut scope, root.some("Globals"));
    for resource in &resources {
        if sam.scope.exists(resource) {
            let properties = sam.scope.properties(resource);
            table::check(&resource.kind, &resource.label(), &properties, &mut sam.scope.findings);
            sam.expand(resource, properties);
        }
    }
    let mut items = sam.finish();
    let outputs = scope.read_outputs(&root);
    for (name, at, help) in std::mem::take(&mut scope.awaited) {
        if !items.iter().any(|item| item.id == name) {
            scope.no_such(&name, &at, help);
        }
    }
    scope.refuse_circles();
    items.append(&mut scope.nested);
    findings.append(scope.findings);
    Stack { items, names: scope.names, outputs, nested: scope.nested_names }
}

/// The section `Resources`.
fn resources(root: &Value, findings: &mut Findings) -> Vec<Resource> {
    let mut report = |code, at: &super::value::Spot, what: String, help: &str| {
        findings.push(Finding::new(code, &at.source, at.at, what).help(help));
    };
    let Some(section) = root.get("Resources").filter(|value| matches!(value.kind, Kind::Map(_))) else {
        let what = "the template has no `Resources`".to_owned();
        report(Code::MissingKey, &root.at, what, "is it a SAM or CloudFormation template?");
        return Vec::new();
    };
    if section.entries().len() > MOST_RESOURCES {
        let what = format!("the template has more than {MOST_RESOURCES} resources");
        report(Code::Limit, &section.at, what, "CloudFormation refuses it too: split it");
        return Vec::new();
    }
    let mut resources = Vec::new();
    for entry in section.entries() {
        if entry.key == "Fn::Transform" || entry.key.starts_with("Fn::ForEach::") {
            let what = format!("`{}` is not written out: what it adds is not known here", entry.key);
            report(Code::NotModelled, &entry.key_at, what, "the application is modelled without it");
            continue;
        }
        let kind = entry.value.get("Type").and_then(Value::text).unwrap_or_default().to_owned();
        if kind.is_empty() {
            let what = format!("resource {} has no `Type`", entry.key);
            report(Code::MissingKey, &entry.key_at, what, "add one, such as `Type: AWS::SQS::Queue`");
        }
        let properties = entry.value.get("Properties").cloned().unwrap_or_else(|| entry.key_at.value(Kind::Null));
        resources.push(Resource {
            id: entry.key.clone(),
            at: entry.key_at.clone(),
            kind,
            properties,
            whole: entry.value.clone(),
        });
    }
    resources
}

impl Scope<'_> {
    /// Whether a resource's condition lets it be. One that depends on something unknown is there.
    fn exists(&mut self, resource: &Resource) -> bool {
        let needed: Vec<Value> = resource.whole.get("DependsOn").map(Value::each).unwrap_or_default().to_vec();
        for needed in needed {
            let Some(id) = needed.text() else { continue };
            if self.names.get(id).is_none() {
                let what = format!("{} depends on `{id}`, which the template does not have", resource.id);
                self.report(Code::UnknownWord, &needed.at, what, "CloudFormation refuses it: correct the name");
            }
            self.current = Some(resource.id.clone());
            self.need(id, &needed.at);
            self.current = None;
        }
        let Some(condition) = resource.whole.get("Condition") else { return true };
        match self.holds(condition.text().unwrap_or_default(), &condition.at) {
            Truth::Yes => true,
            Truth::No => false,
            Truth::Unknown(unknown) => {
                let why = unknown.origin().map_or_else(String::new, |origin| origin.why.clone());
                let what = format!("whether {} exists is not known: {why}", resource.id);
                self.report(
                    Code::UnknownValue,
                    &condition.at,
                    what,
                    "it is modelled as there; give the value in the traffic file",
                );
                true
            }
        }
    }

    /// A resource's properties, computed. Those that SAM makes other resources of do not count as needed by it.
    fn properties(&mut self, resource: &Resource) -> Value {
        let written = resource.properties();
        let apart: &[&str] = match resource.kind.as_str() {
            "AWS::Serverless::Function" => &["Events", "EventInvokeConfig", "DeploymentPreference"],
            "AWS::Serverless::StateMachine" => &["Events"],
            _ => &[],
        };
        let computed = match &written.kind {
            Kind::Map(entries) if super::resolve::function(written).is_none() => {
                let mut all = Vec::with_capacity(entries.len());
                for entry in entries {
                    self.current = (!apart.contains(&entry.key.as_str())).then(|| resource.id.clone());
                    all.push(Entry { value: self.resolve(&entry.value), ..entry.clone() });
                }
                written.at.value(Kind::Map(all))
            }
            _ => self.resolve(written),
        };
        self.current = None;
        if matches!(resource.kind.as_str(), "AWS::Serverless::Application" | "AWS::CloudFormation::Stack") {
            self.nest(&resource.id);
        }
        let mut computed = computed;
        if let Kind::Map(entries) = &mut computed.kind {
            entries.iter_mut().filter(|entry| JSON_OR_TEXT.contains(&entry.key.as_str())).for_each(read_json);
        }
        computed
    }

    /// Reads a nested stack, once.
    pub fn nest(&mut self, id: &str) {
        let Some(resource) = self.index.get(id).map(|index| &self.resources[*index]) else { return };
        let nests = matches!(resource.kind.as_str(), "AWS::Serverless::Application" | "AWS::CloudFormation::Stack");
        if !nests || !self.nesting.insert(id.to_owned()) {
            return;
        }
        let properties = resource.properties();
        let place = properties.some("Location").or_else(|| properties.some("TemplateURL"));
        let place = place.map(|place| self.resolve(place));
        // Where the CDK left the template that it uploads, beside this one.
        let asset = resource.whole.get("Metadata").and_then(|metadata| metadata.get("aws:asset:path"));
        let local = asset.or(place.as_ref()).and_then(|place| match location(place.text()?) {
            Location::Local(path) => Some((path.to_owned(), place.at.clone())),
            Location::Elsewhere => None,
        });
        let Some((path, at)) = local.filter(|_| self.files.allowed) else {
            let what = format!("the template of the nested stack {id} is not a local file");
            return self.report(
                Code::NotModelled,
                &resource.at,
                what,
                "the application is modelled without its resources",
            );
        };
        if self.depth_of_stack >= DEEPEST {
            return self.report(Code::Limit, &at, "stacks are nested too deep", "does a template name itself?");
        }
        let Some(source) = self.files.open(&path, &at, &mut self.findings) else { return };
        let Some(root) = self.files.tree(&path, &at, &mut self.findings) else { return };
        let mut given = BTreeMap::new();
        for entry in properties.get("Parameters").map(Value::entries).unwrap_or_default() {
            given.insert(entry.key.clone(), self.resolve(&entry.value));
        }
        let prefix = format!("{}{id}-", self.prefix);
        let within =
            Within { deployment: self.deployment, files: self.files, given, prefix, depth: self.depth_of_stack + 1 };
        let stack = read(&source, root, &within, &mut self.findings);
        let location = self.location();
        self.names.absorb(&stack.names, &format!("{id}-"), location);
        self.nested.extend(stack.items);
        self.nested_names.extend(stack.nested);
        self.nested_names.insert(format!("{}{id}", self.prefix));
        self.outputs.insert(id.to_owned(), stack.outputs);
    }

    fn read_outputs(&mut self, root: &Value) -> BTreeMap<String, Value> {
        let mut outputs = BTreeMap::new();
        for entry in root.get("Outputs").map(Value::entries).unwrap_or_default() {
            let condition = entry.value.get("Condition").and_then(Value::text).map(str::to_owned);
            if condition.is_some_and(|name| matches!(self.holds(&name, &entry.key_at), Truth::No)) {
                continue;
            }
            if let Some(value) = entry.value.get("Value") {
                let value = self.resolve(value);
                outputs.insert(entry.key.clone(), value);
            }
        }
        outputs
    }

    /// Resources that need each other in a circle: CloudFormation refuses the template.
    fn refuse_circles(&mut self) {
        let mut needs: BTreeMap<&str, Vec<&super::scope::Edge>> = BTreeMap::new();
        for edge in &self.edges {
            needs.entry(&edge.from).or_default().push(edge);
        }
        let mut done: BTreeSet<&str> = BTreeSet::new();
        let mut found = None;
        for start in needs.keys() {
            if found.is_some() {
                break;
            }
            // Depth first, without recursion: the way from the start, with the next edge to look at.
            let mut way: Vec<(&str, usize)> = vec![(start, 0)];
            while let Some((at, next)) = way.last().copied() {
                if done.contains(at) {
                    way.pop();
                    continue;
                }
                let Some(edge) = needs.get(at).and_then(|edges| edges.get(next)) else {
                    done.insert(at);
                    way.pop();
                    continue;
                };
                if let Some(last) = way.last_mut() {
                    last.1 += 1;
                }
                if let Some(from) = way.iter().position(|(id, _)| *id == edge.to) {
                    let mut names: Vec<&str> = way[from..].iter().map(|(id, _)| *id).collect();
                    names.push(&edge.to);
                    found = Some((edge.at.clone(), names.join(" -> ")));
                    break;
                }
                way.push((&edge.to, 0));
            }
        }
        if let Some((at, circle)) = found {
            let what = format!("circular dependency: {circle}");
            self.report(Code::Refused, &at, what, "CloudFormation refuses it: take one of these references out");
        }
    }
}
