//! SAM: its resources, with their functions computed, become plain CloudFormation ones, with the same logical ids that
//! AWS's own translator gives them. `tests/translator` compares the two.
//!
//! `policies.json` and `connectors.json` are facts from that translator (aws-sam-translator 1.115.0, Apache-2.0): what
//! each policy template and each connector allows. A test compares them with the translator's.

mod apis;
mod connectors;
mod events;
mod function;
pub(super) mod globals;
mod machines;
mod policies;

use std::collections::BTreeMap;

use super::names::Thing;
use super::scope::Scope;
use super::value::{Entry, Kind, Spot, Value};
use super::{Item, Resource};
use crate::ids::ResourceKind;
use crate::yaml::Code;

use apis::{Late, Route};
use connectors::Connector;

/// The api that SAM makes for events of the type `Api` that name none, and for `HttpApi`.
const REST_API: &str = "ServerlessRestApi";
const HTTP_API: &str = "ServerlessHttpApi";

/// Turns resources of SAM into plain ones.
pub(super) struct Sam<'s, 'a> {
    pub scope: &'s mut Scope<'a>,
    pub items: Vec<Item>,
    /// The section `Globals` with its functions computed, for the apis that SAM makes.
    globals: Value,
    /// What functions ask of apis, by the api's name.
    routes: BTreeMap<String, Vec<Route>>,
    late: Vec<Late>,
    connectors: Vec<Connector>,
}

/// Names what SAM will make, so that templates may refer to it.
pub(super) fn name_generated(scope: &mut Scope<'_>) {
    for resource in scope.resources {
        let id = &resource.id;
        let properties = resource.properties();
        match resource.kind.as_str() {
            "AWS::Serverless::Function" => name_of_function(scope, resource),
            "AWS::Serverless::StateMachine" => {
                if properties.some("Role").is_none() {
                    add(scope, &format!("{id}Role"), "AWS::IAM::Role", None);
                }
                name_events(scope, resource);
                for suffix in ["Alias", "Version"] {
                    let generated = format!("{id}{suffix}");
                    add(scope, &generated, "AWS::StepFunctions::StateMachine", None);
                    scope.names.add_dotted(format!("{id}.{suffix}"), &generated);
                }
            }
            "AWS::Serverless::Api" | "AWS::Serverless::HttpApi" | "AWS::Serverless::WebSocketApi" => {
                let stage =
                    properties.some("StageName").map(|value| scope.resolve(value)).and_then(|name| name.plain());
                name_api(scope, id, resource.kind == "AWS::Serverless::Api", stage);
            }
            "AWS::Serverless::GraphQLApi" => add(scope, id, "AWS::AppSync::GraphQLApi", None),
            _ => {}
        }
        for connector in resource.whole.get("Connectors").map(Value::entries).unwrap_or_default() {
            add(scope, &format!("{id}{}", connector.key), "AWS::Serverless::Connector", None);
        }
    }
}

/// Adds a generated resource's name: its logical id, or `name`.
fn add(scope: &mut Scope<'_>, id: &str, type_name: &str, name: Option<String>) {
    if scope.index.contains_key(id) {
        return;
    }
    let name = name.unwrap_or_else(|| format!("{}{id}", scope.prefix));
    let location = scope.location();
    scope.names.add(id, Thing { type_name: type_name.into(), name, real: None }, location);
}

fn name_of_function(scope: &mut Scope<'_>, resource: &Resource) {
    let (id, properties) = (&resource.id, resource.properties());
    let role = properties.some("Role").map(|role| scope.resolve(role));
    if role.is_none_or(|role| role.is_null()) {
        add(scope, &format!("{id}Role"), "AWS::IAM::Role", None);
    }
    let alias = properties.some("AutoPublishAlias").map(|alias| scope.resolve(alias)).and_then(|alias| alias.plain());
    if let Some(alias) = alias.filter(|alias| !alias.is_empty()) {
        let function = scope.thing(id, &resource.at).map_or_else(|| id.clone(), |thing| thing.name);
        let alias_id = alias_id(id, &alias);
        add(scope, &alias_id, "AWS::Lambda::Alias", Some(format!("{function}:{alias}")));
        scope.names.add_dotted(format!("{id}.Alias"), &alias_id);
        let version_id = format!("{id}Version");
        add(scope, &version_id, "AWS::Lambda::Version", Some(format!("{function}:1")));
        scope.names.add_dotted(format!("{id}.Version"), &version_id);
    }
    if properties.some("FunctionUrlConfig").is_some() {
        add(scope, &format!("{id}Url"), "AWS::Lambda::Url", None);
    }
    let destinations = properties.some("EventInvokeConfig").and_then(|config| config.some("DestinationConfig"));
    for outcome in ["OnFailure", "OnSuccess"] {
        let Some(target) = destinations.and_then(|config| config.some(outcome)) else { continue };
        let (word, type_name) = match target.get("Type").and_then(Value::text) {
            Some("SQS") => ("Queue", "AWS::SQS::Queue"),
            Some("SNS") => ("Topic", "AWS::SNS::Topic"),
            _ => continue,
        };
        let given = target.some("Destination").map(|value| scope.resolve(value)).filter(|value| !value.is_null());
        if given.is_none() {
            let generated = format!("{id}EventInvokeConfig{outcome}{word}");
            add(scope, &generated, type_name, None);
            scope.names.add_dotted(format!("{id}.Destination{word}"), &generated);
        }
    }
    name_events(scope, resource);
}

/// What events of functions and state machines bring with them.
fn name_events(scope: &mut Scope<'_>, resource: &Resource) {
    let id = &resource.id;
    for entry in resource.properties().get("Events").map(Value::entries).unwrap_or_default() {
        let (event, properties) = (format!("{id}{}", entry.key), entry.value.get("Properties"));
        let given = |key: &str| properties.and_then(|properties| properties.some(key));
        let kind = entry.value.get("Type").and_then(Value::text).unwrap_or_default();
        match kind {
            "Api" if given("RestApiId").is_none() => name_api(scope, REST_API, true, Some("Prod".into())),
            "HttpApi" if given("ApiId").is_none() => name_api(scope, HTTP_API, false, None),
            "SNS" => {
                if given("SqsSubscription").and_then(Value::truth) == Some(true) {
                    add(scope, &format!("{event}Queue"), "AWS::SQS::Queue", None);
                }
                add(scope, &event, "AWS::SNS::Subscription", None);
            }
            "Schedule" | "ScheduleV2" | "CloudWatchEvent" | "EventBridgeRule" => {
                let dead = given("DeadLetterConfig").filter(|config| config.get("Type").is_some());
                if let Some(config) = dead {
                    let own = config.get("QueueLogicalId").and_then(Value::text).map(str::to_owned);
                    add(scope, &own.unwrap_or_else(|| format!("{event}Queue")), "AWS::SQS::Queue", None);
                }
                let (type_name, name) = match kind {
                    "ScheduleV2" => ("AWS::Scheduler::Schedule", given("Name")),
                    "Schedule" => ("AWS::Events::Rule", given("Name")),
                    _ => ("AWS::Events::Rule", given("RuleName")),
                };
                let name = name.map(|name| scope.resolve(name)).and_then(|name| name.plain());
                add(scope, &event, type_name, name);
                add(scope, &format!("{event}Role"), "AWS::IAM::Role", None);
            }
            "SQS" | "Kinesis" | "DynamoDB" | "MSK" | "MQ" | "SelfManagedKafka" | "DocumentDB" => {
                add(scope, &event, "AWS::Lambda::EventSourceMapping", None);
            }
            _ => {}
        }
        if kind == "Api" {
            add(scope, &format!("{event}Role"), "AWS::IAM::Role", None);
        }
    }
}

/// An api's stage and deployment; and the api itself, when SAM makes it.
fn name_api(scope: &mut Scope<'_>, id: &str, rest: bool, stage: Option<String>) {
    let (api, stage_type) = match rest {
        true => ("AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage"),
        false => ("AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage"),
    };
    add(scope, id, api, None);
    let stage_id = stage_id(id, rest, stage.as_deref());
    let name = stage.or_else(|| (!rest).then(|| "$default".to_owned()));
    add(scope, &stage_id, stage_type, name);
    scope.names.add_dotted(format!("{id}.Stage"), &stage_id);
    if rest {
        let deployment = format!("{id}Deployment");
        add(scope, &deployment, "AWS::ApiGateway::Deployment", None);
        scope.names.add_dotted(format!("{id}.Deployment"), &deployment);
    }
}

/// The logical id of an api's stage. SAM puts a hash into that of a name with signs; it is left out here.
fn stage_id(api: &str, rest: bool, stage: Option<&str>) -> String {
    match stage {
        None | Some("$default") if !rest => format!("{api}ApiGatewayDefaultStage"),
        Some(name) if name.chars().all(|c| c.is_ascii_alphanumeric()) => format!("{api}{name}Stage"),
        _ => format!("{api}Stage"),
    }
}

fn alias_id(function: &str, alias: &str) -> String {
    format!("{function}Alias{}", alias.replace('-', "D").replace('_', "U"))
}

impl<'s, 'a> Sam<'s, 'a> {
    /// Begins with nothing read.
    pub fn new(scope: &'s mut Scope<'a>, globals: Option<&Value>) -> Sam<'s, 'a> {
        let nothing = Spot { source: scope.source.clone(), at: crate::yaml::Place::default() };
        let globals = globals.map_or_else(|| nothing.value(Kind::Null), |globals| scope.resolve(globals));
        Sam { scope, items: Vec::new(), globals, routes: BTreeMap::new(), late: Vec::new(), connectors: Vec::new() }
    }

    /// Turns a resource of SAM into plain ones; any other resource stays as it is.
    pub fn expand(&mut self, resource: &Resource, properties: Value) {
        match resource.kind.as_str() {
            "AWS::Serverless::Function" => self.function(resource, &properties),
            "AWS::Serverless::StateMachine" => self.machine(resource, &properties),
            "AWS::Serverless::Api" | "AWS::Serverless::HttpApi" => {
                // When all functions are known.
                self.add(&resource.id, &resource.kind, &resource.at, properties);
            }
            "AWS::Serverless::SimpleTable" => self.simple_table(resource, properties),
            "AWS::Serverless::Connector" => self.connector(&resource.id, &resource.at, &properties, None),
            _ => self.add(&resource.id, &resource.kind, &resource.at, properties),
        }
        for connector in resource.whole.get("Connectors").map(Value::entries).unwrap_or_default() {
            let id = format!("{}{}", resource.id, connector.key);
            let given =
                connector.value.get("Properties").cloned().unwrap_or_else(|| connector.value.at.value(Kind::Null));
            let given = self.scope.resolve(&given);
            self.connector(&id, &connector.key_at, &given, Some(&resource.id));
        }
    }

    /// What can only be made when everything is known: apis with their routes, and connectors' policies.
    pub fn finish(mut self) -> Vec<Item> {
        self.apis();
        self.connect_roles();
        self.items
    }

    /// Adds a plain resource.
    fn add(&mut self, id: &str, kind: &str, at: &Spot, properties: Value) {
        let name =
            self.scope.names.get(id).map_or_else(|| format!("{}{id}", self.scope.prefix), |thing| thing.name.clone());
        self.items.push(Item { id: id.into(), name, kind: kind.into(), at: at.clone(), properties, generated: false });
    }

    /// Adds a plain resource that SAM makes.
    fn make(&mut self, id: &str, kind: &str, at: &Spot, properties: Value) {
        self.add(id, kind, at, properties);
        if let Some(item) = self.items.last_mut() {
            item.generated = true;
        }
    }

    /// Reports something that SAM itself refuses.
    fn refuse(&mut self, at: &Spot, what: impl Into<String>, help: &str) {
        self.scope.report(Code::Refused, at, what, help);
    }

    /// The ARN of a resource by its logical id.
    fn arn(&self, kind: ResourceKind, id: &str) -> String {
        let name = self.scope.names.get(id).map_or(id, |thing| thing.name.as_str());
        self.scope.location().arn(kind, name)
    }

    /// The ARN of a policy that AWS manages.
    fn managed(&self, path: &str) -> String {
        format!("arn:{}:iam::aws:policy/{path}", self.scope.location().partition)
    }

    fn simple_table(&mut self, resource: &Resource, properties: Value) {
        let mut plain = properties.clone();
        if let Kind::Map(entries) = &mut plain.kind {
            entries.retain(|entry| entry.key != "PrimaryKey");
        }
        if plain.is_null() {
            plain.kind = Kind::Map(Vec::new());
        }
        if plain.some("ProvisionedThroughput").is_none() {
            plain.set("BillingMode", resource.at.text("PAY_PER_REQUEST"));
        }
        // What SAM sets, and the model does not look at.
        plain.set("KeySchema", resource.at.list([]));
        self.add(&resource.id, "AWS::DynamoDB::Table", &resource.at, plain);
    }
}

/// Entries of `from` with these keys, under the same or another key.
fn passed(from: &Value, keys: &[(&str, &str)]) -> Vec<(String, Value)> {
    let entry = |(key, to): &(&str, &str)| from.some(key).map(|value| ((*to).to_owned(), value.clone()));
    keys.iter().filter_map(entry).collect()
}

/// Tags as CloudFormation has them, with the one that SAM adds.
fn tags(from: Option<&Value>, at: &Spot, made_by: &str) -> Value {
    let tag = |entry: &Entry| at.map([("Key", at.text(entry.key.clone())), ("Value", entry.value.clone())]);
    let own = from.map(Value::entries).unwrap_or_default().iter().map(tag);
    let by_sam = at.map([("Key", at.text(made_by)), ("Value", at.text("SAM"))]);
    at.list(std::iter::once(by_sam).chain(own))
}

/// A policy with one statement.
fn policy(at: &Spot, name: &str, action: &str, resource: Value) -> Value {
    let statement = at.map([("Action", at.text(action)), ("Effect", at.text("Allow")), ("Resource", resource)]);
    let document = at.map([("Statement", at.list([statement]))]);
    at.map([("PolicyName", at.text(name)), ("PolicyDocument", document)])
}
