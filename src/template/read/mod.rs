//! Plain resources to an [`App`].

mod access;
mod alarms;
mod apis;
mod functions;
mod messaging;
mod triggers;

use std::collections::BTreeMap;

use super::app::{App, Table};
use super::names::{Names, kind_of};
use super::part::Part;
use super::stack::Stack;
use super::value::{Spot, Value};
use super::{Deployment, Item, deploy, table};
use crate::ids::ResourceKind;
use crate::yaml::{Code, Finding, Findings};

/// A stack under reading.
pub(super) struct Reader<'s> {
    pub deployment: &'s Deployment,
    pub items: &'s [Item],
    pub names: &'s Names,
    /// Policies of resources and permissions of functions: who may do what to them.
    grants: Vec<access::Grant<'s>>,
    /// Documents of policies that the template manages, by their ARN.
    managed: BTreeMap<String, &'s Value>,
    pub findings: Findings,
}

/// The order in which resources are read: those that others point to come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    Things,
    Functions,
    Links,
}

/// Reads the application of a stack.
pub(super) fn app(stack: &Stack, deployment: &Deployment, findings: &mut Findings) -> App {
    let mut reader = Reader {
        deployment,
        items: &stack.items,
        names: &stack.names,
        grants: Vec::new(),
        managed: BTreeMap::new(),
        findings: Findings::default(),
    };
    let mut app = App {
        stack: deployment.stack.clone(),
        location: deployment.location.clone(),
        account_concurrency: 1_000,
        unreserved_floor: 100,
        logical_ids: stack.names.renamed().map(|(id, name)| (id.to_owned(), name.to_owned())).collect(),
        ..App::default()
    };
    reader.read_grants();
    for pass in [Pass::Things, Pass::Functions, Pass::Links] {
        for item in &stack.items {
            reader.item(pass, item, &mut app);
        }
    }
    reader.apis(&mut app);
    reader.policies_of_resources(&mut app);
    deploy::check(&reader, &app).into_iter().for_each(|finding| reader.findings.push(finding));
    // What the names that are given to no resource of the model are called matters to nobody.
    app.logical_ids.retain(|_, name| knows(&stack.items, name));
    findings.append(reader.findings);
    app
}

/// Whether an item of a kind that squall knows has this name.
fn knows(items: &[Item], name: &str) -> bool {
    items.iter().any(|item| item.name == name && kind_of(&item.kind).is_some())
}

impl<'s> Reader<'s> {
    /// Reads a resource if its pass has come.
    fn item(&mut self, pass: Pass, item: &'s Item, app: &mut App) {
        let mut part = Part::new(item.label(), &item.at, Some(&item.properties));
        let name = item.name.clone();
        match (pass, item.kind.as_str()) {
            (Pass::Things, "AWS::SQS::Queue") => self.queue(name, &mut part, app),
            (Pass::Things, "AWS::SNS::Topic") => self.topic(name, &mut part, app),
            (Pass::Things, "AWS::IAM::Role") => self.role(name, &mut part, app),
            (Pass::Things, "AWS::SSM::Parameter") => parameter(name, &mut part, app),
            (Pass::Things, "AWS::CloudWatch::Alarm") => alarms::alarm(name, &mut part, self.names, app),
            (Pass::Things, "AWS::CloudWatch::CompositeAlarm") => alarms::composite(name, &mut part, self.names, app),
            (Pass::Things, "AWS::DynamoDB::Table" | "AWS::DynamoDB::GlobalTable") => {
                provisioned(name, item, &mut part, app)
            }
            (Pass::Links, "AWS::CloudWatch::AlarmMuteRule") => alarms::mute(&name, &mut part, self.names, app),
            (Pass::Links, "AWS::SNS::Topic") => self.own_subscriptions(&name, &mut part, app),
            (Pass::Functions, "AWS::Lambda::Function") => self.function(name, item, &mut part, app),
            (Pass::Links, "AWS::SNS::Subscription") => self.subscription(&mut part, app),
            (Pass::Links, "AWS::Lambda::EventSourceMapping") => self.mapping(item, &mut part, app),
            (Pass::Links, "AWS::Lambda::Alias" | "AWS::Lambda::Version") => {
                self.provisioned_concurrency(&mut part, app);
            }
            (Pass::Links, "AWS::Lambda::EventInvokeConfig") => self.invoke_config(&mut part, app),
            (Pass::Links, "AWS::IAM::Policy" | "AWS::IAM::RolePolicy" | "AWS::IAM::ManagedPolicy") => {
                self.attached_policy(item, &mut part, app);
            }
            (Pass::Links, kind) => self.other(kind, item, &mut part, app),
            _ => return,
        }
        self.findings.append(part.findings);
    }

    /// Resources that the model has no place for: what they invoke is noted, the rest is a warning.
    fn other(&mut self, kind: &str, item: &Item, part: &mut Part<'s>, app: &mut App) {
        let triggers = self.triggers(item, app);
        let read = table::find(kind)
            .is_some_and(|_| kind != "AWS::Serverless::Application" && kind != "AWS::Serverless::StateMachine");
        let passive = kind.is_empty() || table::PASSIVE.iter().any(|(name, _)| *name == kind);
        // Of what SAM makes only what would invoke a function matters.
        let quiet = read || passive || (item.generated && triggers == 0);
        let nested = matches!(kind, "AWS::Serverless::Application" | "AWS::CloudFormation::Stack");
        if quiet || nested || kind_of(kind).is_some() {
            return;
        }
        let help = match triggers {
            0 if kind.ends_with("::GraphQLApi") => {
                "no request comes from it in the model; drive its functions with `traffic:` in the traffic file"
            }
            0 => "the application is modelled without it",
            _ => "nothing comes from it in the model; drive its function with `traffic:` in the traffic file",
        };
        part.not_modelled(&item.at, format!("{kind} {} is not modelled", item.id), help);
    }

    /// The name of a resource that a value means. One that is not in the template is a warning with `consequence`.
    fn named(
        &self,
        kind: ResourceKind,
        value: &Value,
        what: &str,
        consequence: &str,
        part: &mut Part<'_>,
    ) -> Option<String> {
        if let Some(name) = self.names.find(kind, value) {
            return Some(name.to_owned());
        }
        match value.unknown().and_then(|unknown| unknown.origin()) {
            Some(origin) => {
                let what = format!("{what} of {} is not known: {}", part.of, origin.why);
                part.report(Code::UnknownValue, &value.at, what, consequence);
            }
            None => {
                let text = value.plain().unwrap_or_default();
                let what = format!("{what} `{text}` of {} is not in the template", part.of);
                part.report(Code::NotModelled, &value.at, what, consequence);
            }
        }
        None
    }

    /// A finding at a place.
    pub fn finding(&self, code: Code, at: &Spot, what: String, help: &str) -> Finding {
        Finding::new(code, &at.source, at.at, what).help(help)
    }
}

/// Notes the tags in an OpenAPI document, where SAM writes those of an HTTP API.
fn tag_by_body(name: &str, body: Option<&Value>, app: &mut App) {
    for tag in body.and_then(|body| body.get("tags")).map(Value::items).unwrap_or_default() {
        let text = |key: &str| tag.some(key).and_then(Value::plain);
        if let (Some(key), Some(value)) = (text("name"), text("x-amazon-apigateway-tag-value")) {
            app.tags.entry(name.to_owned()).or_default().insert(key, value);
        }
    }
}

/// Notes a resource's tags.
fn tag(name: &str, part: &mut Part<'_>, app: &mut App) {
    let tags = part.tags();
    if !tags.is_empty() {
        app.tags.entry(name.to_owned()).or_default().extend(tags);
    }
}

fn parameter(name: String, part: &mut Part<'_>, app: &mut App) {
    let text = part.needed("Value").and_then(|_| part.text("Value")).unwrap_or_default();
    tag(&name, part, app);
    app.parameters.insert(name, text);
}

/// A table; one that is provisioned, as it is by default, needs its throughput.
fn provisioned(name: String, item: &Item, part: &mut Part<'_>, app: &mut App) {
    let mode = part.get("BillingMode").cloned();
    let on_demand = part.text("BillingMode").as_deref() == Some("PAY_PER_REQUEST");
    let mut writes = None;
    if item.kind == "AWS::DynamoDB::GlobalTable" {
        let scaling = part
            .part("WriteProvisionedThroughputSettings")
            .and_then(|mut settings| settings.part("WriteCapacityAutoScalingSettings"));
        writes = scaling.and_then(|mut scaling| scaling.whole("MinCapacity", 1, u32::MAX));
    } else if let Some(mut throughput) = part.part("ProvisionedThroughput") {
        writes = throughput.whole("WriteCapacityUnits", 1, u32::MAX);
        let reads = throughput.whole("ReadCapacityUnits", 1, u32::MAX);
        let known = throughput.findings.is_empty();
        part.take(throughput);
        if known && (writes.is_none() || reads.is_none()) {
            let what = format!("the throughput of {} lacks its reads or its writes", part.of);
            part.fail(Code::Refused, what, "DynamoDB refuses it: write `ReadCapacityUnits` and `WriteCapacityUnits`");
        }
        if on_demand {
            let what = format!("{} is on demand and has a provisioned throughput", part.of);
            part.fail(Code::Refused, what, "DynamoDB refuses it: remove one of them");
        }
    } else if !on_demand
        && mode.is_none_or(|mode| mode.unknown().is_none())
        && part.get("ProvisionedThroughput").is_none()
    {
        let what = format!("{} is provisioned, and has no `ProvisionedThroughput`", part.of);
        part.fail(Code::Refused, what, "DynamoDB refuses it: add it, or write `BillingMode: PAY_PER_REQUEST`");
    }
    if part.get("KeySchema").is_none() && part.is_written() {
        part.fail(
            Code::Refused,
            format!("{} has no `KeySchema`", part.of),
            "DynamoDB refuses it: name the table's key",
        );
    }
    tag(&name, part, app);
    app.tables.insert(name, Table { writes_per_second: writes.filter(|_| !on_demand) });
}
