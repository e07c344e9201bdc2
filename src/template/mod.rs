//! A SAM or CloudFormation template to an [`App`].
//!
//! Invariant: what the model does not know is a warning with a place, never an error, and never passed over; what the
//! services would refuse is an error. No template, however broken, makes this panic or grow without bound.

mod access;
mod alarms;
pub mod app;
mod functions;
mod intrinsic;
mod messaging;
mod names;
mod properties;

use std::collections::BTreeMap;
use std::sync::Arc;

use intrinsic::{ROOM, Resolver, plain};
use names::{Names, Thing};
use properties::Properties;

use crate::account::ResourceKind;
use crate::spec::yaml::{self, Kind, Node};
use crate::spec::{Code, Finding, Findings, Place, Source};
use crate::units::Span;
use app::{Api, ApiKind, App, Table};

/// Resources of one template, as CloudFormation limits them.
const MOST_RESOURCES: usize = 500;
/// Characters of a parameter's value, as CloudFormation limits them.
const LONGEST_PARAMETER: usize = 4_096;

/// What is said about a template from outside.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    pub stack: String,
    /// Values of the template's parameters; those left out have their defaults.
    pub parameters: BTreeMap<String, String>,
}

/// Reads a template. Arrivals, durations and calls are not in it: every function has defaults for them
/// (`traffic.rs` fills them in). Without an [`App`] the findings hold an error.
pub fn read(source: &Arc<Source>, deployment: &Deployment) -> (Option<App>, Findings) {
    let (root, mut findings) = yaml::parse(source);
    let Some(root) = root else { return (None, findings) };
    let app = Template::resolved(source, &root, deployment, &mut findings).read(&mut findings);
    findings.sort();
    (Some(app).filter(|_| !findings.has_errors()), findings)
}

/// One resource, its functions resolved.
struct Item {
    id: String,
    kind: String,
    id_at: Place,
    properties: Option<Node>,
}

/// A template whose functions are resolved.
struct Template<'a> {
    source: &'a Arc<Source>,
    items: Vec<Item>,
    names: Names,
    /// `Globals`, by section.
    globals: Option<Node>,
    stack: String,
}

impl<'a> Template<'a> {
    fn resolved(
        source: &'a Arc<Source>,
        root: &Node,
        deployment: &Deployment,
        findings: &mut Findings,
    ) -> Template<'a> {
        let mut resolver = Resolver {
            source,
            stack: &deployment.stack,
            parameters: parameters(source, root, deployment, findings),
            names: Names::default(),
            mappings: root.get("Mappings"),
            conditions: root.get("Conditions"),
            depth: 0,
            room: ROOM,
        };
        let resources = resources(source, root, findings);
        name_resources(&mut resolver, resources);
        let mut items = Vec::new();
        for entry in resources {
            let wanted = match entry.value.get("Condition").and_then(|node| Some((node.text()?, node.at))) {
                Some((condition, at)) => resolver.holds(condition, at, findings),
                None => true,
            };
            if wanted {
                items.push(Item {
                    id: entry.key.clone(),
                    kind: entry.value.get("Type").and_then(Node::text).unwrap_or_default().to_owned(),
                    id_at: entry.key_at,
                    properties: entry.value.get("Properties").map(|node| resolver.resolve(node, findings)),
                });
            }
        }
        let globals = root.get("Globals").map(|node| resolver.resolve(node, findings));
        Template { source, items, names: resolver.names, globals, stack: deployment.stack.clone() }
    }

    fn read(&self, findings: &mut Findings) -> App {
        let mut app = App {
            stack: self.stack.clone(),
            account_concurrency: 1_000,
            unreserved_floor: 100,
            logical_ids: self.names.renamed().map(|(id, name)| (id.to_owned(), name.to_owned())).collect(),
            ..App::default()
        };
        // Resources that others point to come first: a function's events need the queues, a policy its role.
        for pass in [Pass::Things, Pass::Functions, Pass::Links] {
            for item in &self.items {
                let mut properties = self.properties(item);
                if self.read_item(pass, item, &mut properties, &mut app) {
                    findings.append(properties.finish());
                }
            }
        }
        self.refuse_circles(&app, findings);
        app
    }

    fn properties<'t>(&'t self, item: &'t Item) -> Properties<'t> {
        // `queue OrdersQueue`, or for what squall does not know `AWS::Logs::LogGroup Log`.
        let word = kind_of(&item.kind).map_or(item.kind.as_str(), |kind| kind.word());
        let global = item.kind.strip_prefix("AWS::Serverless::");
        Properties::new(self.source, format!("{word} {}", item.id), item.id_at, item.properties.as_ref())
            .with_globals(global.and_then(|section| self.globals.as_ref()?.get(section)))
    }

    /// Reads a resource if its pass has come; says whether it had.
    fn read_item(&self, pass: Pass, item: &Item, properties: &mut Properties<'_>, app: &mut App) -> bool {
        let name = self.names.get(&item.id).map_or(item.id.as_str(), |thing| thing.name.as_str()).to_owned();
        match (pass, item.kind.as_str()) {
            (Pass::Things, "AWS::SQS::Queue") => self.queue(name, properties, app),
            (Pass::Things, "AWS::SNS::Topic") => self.topic(name, properties, app),
            (Pass::Things, "AWS::IAM::Role") => self.role(name, properties, app),
            (Pass::Things, "AWS::SSM::Parameter") => parameter(name, properties, app),
            (Pass::Things, "AWS::CloudWatch::Alarm") => alarms::alarm(name, properties, app),
            (Pass::Things, "AWS::CloudWatch::CompositeAlarm") => alarms::composite(name, properties, app),
            (Pass::Things, "AWS::DynamoDB::Table" | "AWS::Serverless::SimpleTable") => table(name, properties, app),
            (Pass::Things, "AWS::Serverless::HttpApi") => self.api(name, ApiKind::Http, properties, app),
            (Pass::Things, "AWS::Serverless::Api") => self.api(name, ApiKind::Rest, properties, app),
            (Pass::Functions, "AWS::Serverless::Function" | "AWS::Lambda::Function") => {
                self.function(item, name, properties, app);
            }
            (Pass::Links, "AWS::SNS::Subscription") => self.subscription(properties, app),
            (Pass::Links, "AWS::Lambda::EventSourceMapping") => self.event_source_mapping(item, properties, app),
            (Pass::Links, "AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy") => self.policy(item, properties, app),
            (Pass::Links, kind) if PASSIVE.contains(&kind) || kind.is_empty() => return false,
            (Pass::Links, kind) if kind_of(kind).is_none() => {
                let what = format!("the sandbox does not model {kind} {}", item.id);
                properties.not_modelled(item.id_at, what, "the application is modelled as if it were not there");
                // One finding is enough: its properties go with it.
                properties.ignore_all();
            }
            _ => return false,
        }
        true
    }

    fn api(&self, name: String, kind: ApiKind, properties: &mut Properties<'_>, app: &mut App) {
        properties.ignore(&["Description", "CorsConfiguration", "Cors", "AccessLogSettings"]);
        // SAM calls a REST API after the stack, unless it has a name.
        let title = properties.text("Name").unwrap_or_else(|| self.stack.clone());
        let stage = properties.text("StageName");
        tag(&name, properties, app);
        let api = self.new_api(kind);
        app.apis.entry(name).or_insert(Api { title, stage, ..api });
    }

    /// An API without routes, as SAM makes one for events that name none.
    fn new_api(&self, kind: ApiKind) -> Api {
        let (timeout, stage) = match kind {
            ApiKind::Http => (HTTP_API_TIMEOUT, None),
            ApiKind::Rest => (REST_API_TIMEOUT, Some("Prod".to_owned())),
        };
        Api { kind, title: self.stack.clone(), stage, routes: BTreeMap::new(), timeout }
    }

    /// A queue that is its own dead-letter queue would send its messages round for ever; SQS refuses it.
    fn refuse_circles(&self, app: &App, findings: &mut Findings) {
        for item in &self.items {
            let name = self.names.get(&item.id).map_or(item.id.as_str(), |thing| thing.name.as_str());
            let redrive = app.queues.get(name).and_then(|queue| queue.redrive.as_ref());
            if let Some(redrive) = redrive.filter(|redrive| redrive.dead_letter == name) {
                let what = format!("queue {} is its own dead-letter queue", redrive.dead_letter);
                findings.push(Finding::new(Code::BadValue, self.source, item.id_at, what).help("name another queue"));
            }
        }
    }
}

/// The order in which resources are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    Things,
    Functions,
    Links,
}

/// Resource types that change nothing in the model: it checks no resource policies, and keeps no logs.
const PASSIVE: &[&str] = &[
    "AWS::SQS::QueuePolicy",
    "AWS::SNS::TopicPolicy",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::CloudWatch::Dashboard",
    "AWS::CloudFormation::WaitConditionHandle",
];

/// An HTTP API answers 504 after this time, fixed (facts: API Gateway limits).
const HTTP_API_TIMEOUT: Span = Span::from_secs(30);
/// A REST API's longest integration time-out, unless raised (facts: API Gateway limits).
const REST_API_TIMEOUT: Span = Span::from_secs(29);

/// The kind of resource that a CloudFormation type is.
fn kind_of(type_name: &str) -> Option<ResourceKind> {
    Some(match type_name {
        "AWS::Serverless::Function" | "AWS::Lambda::Function" => ResourceKind::Function,
        "AWS::Serverless::HttpApi" | "AWS::Serverless::Api" => ResourceKind::Api,
        "AWS::Serverless::SimpleTable" | "AWS::DynamoDB::Table" => ResourceKind::Table,
        "AWS::SQS::Queue" => ResourceKind::Queue,
        "AWS::SNS::Topic" => ResourceKind::Topic,
        "AWS::IAM::Role" => ResourceKind::Role,
        "AWS::SSM::Parameter" => ResourceKind::Parameter,
        "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm" => ResourceKind::Alarm,
        _ => return None,
    })
}

/// The property that gives a resource of a type an explicit name.
fn name_property(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::Function => "FunctionName",
        ResourceKind::Queue => "QueueName",
        ResourceKind::Role => "RoleName",
        ResourceKind::Table => "TableName",
        ResourceKind::Topic => "TopicName",
        ResourceKind::Alarm => "AlarmName",
        ResourceKind::Parameter => "Name",
        // An api's name is only a label; what names it is its id.
        ResourceKind::Api => "ApiId",
        // No resource of a template is one.
        ResourceKind::Probe => "ProbeName",
    }
}

/// The section `Resources`.
fn resources<'n>(source: &Arc<Source>, root: &'n Node, findings: &mut Findings) -> &'n [yaml::Entry] {
    let Some(node) = root.get("Resources").filter(|node| matches!(node.kind, Kind::Map(_))) else {
        let what = "the template has no `Resources`";
        findings.push(
            Finding::new(Code::MissingKey, source, root.at, what).help("is it a SAM or CloudFormation template?"),
        );
        return &[];
    };
    for entry in node.entries() {
        if entry.value.get("Type").and_then(Node::text).is_none() {
            let what = format!("resource {} has no `Type`", entry.key);
            let help = "add one, such as `Type: AWS::SQS::Queue`";
            findings.push(Finding::new(Code::MissingKey, source, entry.key_at, what).help(help));
        }
    }
    if node.entries().len() > MOST_RESOURCES {
        let what = format!("the template has more than {MOST_RESOURCES} resources");
        findings.push(Finding::new(Code::Limit, source, node.at, what).help("CloudFormation refuses it too: split it"));
        return &[];
    }
    node.entries()
}

/// The values of the section `Parameters`.
fn parameters(
    source: &Arc<Source>,
    root: &Node,
    deployment: &Deployment,
    findings: &mut Findings,
) -> BTreeMap<String, Kind> {
    let mut values = BTreeMap::new();
    for entry in root.get("Parameters").map(Node::entries).unwrap_or_default() {
        let given = deployment.parameters.get(&entry.key).map(|text| Kind::Text(text.clone()));
        let default = entry.value.get("Default").map(|node| node.kind.clone());
        let value = match given.or(default) {
            Some(kind) if plain(&kind).is_some_and(|text| text.len() <= LONGEST_PARAMETER) => kind,
            Some(_) => {
                let what = format!("the value of parameter {} is not a text of at most 4,096 characters", entry.key);
                findings.push(Finding::new(Code::BadValue, source, entry.key_at, what));
                continue;
            }
            None => {
                let what = format!("parameter {} has no default", entry.key);
                let help = "give it a value under `parameters:` in the traffic file; until then it is empty";
                findings.push(Finding::new(Code::NotModelled, source, entry.key_at, what).help(help));
                Kind::Text(String::new())
            }
        };
        let list = entry.value.get("Type").and_then(Node::text).is_some_and(|name| name.contains("List"));
        let part = |part: &str| Node { kind: Kind::Text(part.trim().into()), tag: None, at: entry.key_at };
        let value = match (list, plain(&value)) {
            (true, Some(text)) => Kind::List(text.split(',').map(part).collect()),
            _ => value,
        };
        values.insert(entry.key.clone(), value);
    }
    values
}

/// Gives every resource its name. A name may use parameters and pseudo parameters, and no other resource's name.
fn name_resources(resolver: &mut Resolver<'_>, resources: &[yaml::Entry]) {
    // Whatever is wrong in a name is reported when the resource's properties are resolved.
    let mut unheard = Findings::default();
    for entry in resources {
        let type_name = entry.value.get("Type").and_then(Node::text).unwrap_or_default();
        let kind = kind_of(type_name);
        let explicit = kind.and_then(|kind| entry.value.get("Properties")?.get(name_property(kind)));
        let explicit = explicit.and_then(|node| plain(&resolver.resolve(node, &mut unheard).kind));
        let name = explicit.filter(|name| !name.is_empty()).unwrap_or_else(|| entry.key.clone());
        resolver.names.add(&entry.key, Thing { kind, name });
        if type_name == "AWS::Serverless::Function" {
            functions::name_implied(&entry.key, &entry.value, &mut resolver.names);
        }
    }
}

fn parameter(name: String, properties: &mut Properties<'_>, app: &mut App) {
    let text = properties.needed("Value").unwrap_or_default();
    properties.ignore(&["Name", "Type", "Description", "Tier", "AllowedPattern", "DataType"]);
    tag(&name, properties, app);
    app.parameters.insert(name, text);
}

fn table(name: String, properties: &mut Properties<'_>, app: &mut App) {
    let on_demand = properties.text("BillingMode").as_deref() == Some("PAY_PER_REQUEST");
    let throughput = properties.part("ProvisionedThroughput").map(|mut part| {
        let writes = part.whole("WriteCapacityUnits", 1, u32::MAX);
        part.ignore(&["ReadCapacityUnits"]);
        properties.take(part);
        writes
    });
    let writes_per_second = throughput.flatten().filter(|_| !on_demand);
    properties.ignore(&[
        "TableName",
        "AttributeDefinitions",
        "KeySchema",
        "PrimaryKey",
        "PointInTimeRecoverySpecification",
        "SSESpecification",
        "TimeToLiveSpecification",
        "DeletionProtectionEnabled",
        "TableClass",
    ]);
    tag(&name, properties, app);
    app.tables.insert(name, Table { writes_per_second });
}

/// Notes a resource's tags.
fn tag(name: &str, properties: &mut Properties<'_>, app: &mut App) {
    let tags = properties.tags();
    if !tags.is_empty() {
        app.tags.entry(name.to_owned()).or_default().extend(tags);
    }
}

#[cfg(test)]
mod tests;
