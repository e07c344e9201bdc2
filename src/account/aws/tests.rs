//! What no emulator does: throttling, failures after the write, lost replies, slow updates, refusals of every kind.

mod calls;
mod clocks;
mod cloudwatch;
mod denied;
mod doctor;
mod find;
mod gateway;
mod iam;
mod identity;
mod kms;
mod lambda;
mod layer;
mod located;
mod moments;
mod permitted;
mod probes;
mod runs;
mod service;
mod sqs;
mod ssm;
mod switch;
mod tape;
mod versions;

use serde_json::{Value as Json, json};
use tape::{ACCOUNT, Reply as Recording, Tape, cbor, error, fine, identity, xml};

use super::AccountConfig;
use crate::account::setting::Value;
use crate::account::target::SelectBy;
use crate::account::{
    Call, CallError, Description, Handle, Message, Metric, Observed, Outcome, Query, RefusedBy, Reply, Resource,
    ResourceKind, RunMarker, Sample, Selector, SendOutcome, Setting, Window, Write,
};
use crate::env::Env as _;
use crate::ids::RunId;
use crate::units::{Span, Time};

const FUNCTION: &str = "GET /2015-03-31/functions/pay";
const PUT: &str = "PUT /2017-10-31/functions/pay/concurrency";
const DELETE: &str = "DELETE /2017-10-31/functions/pay/concurrency";
const UPDATE: &str = "PUT /2015-03-31/functions/pay/configuration";
const ALIASES: &str = "GET /2015-03-31/functions/pay/aliases";
const FUNCTIONS: &str = "GET /2015-03-31/functions";
const MAPPINGS: &str = "GET /2015-03-31/event-source-mappings";
const SETTINGS: &str = "GET /2016-08-19/account-settings";

/// The account of the recordings, as `squall.yaml` has it.
fn prod() -> AccountConfig {
    AccountConfig::new("prod", ACCOUNT.parse().unwrap(), "eu-west-1".parse().unwrap())
}

fn resource(kind: ResourceKind, name: &str) -> Resource {
    Resource::new(&prod().location(), kind, name)
}

fn pay() -> Resource {
    resource(ResourceKind::Function, "pay")
}

fn concurrency() -> Setting {
    Setting::ReservedConcurrency { function: pay() }
}

fn policy() -> Setting {
    Setting::RolePolicy { role: resource(ResourceKind::Role, "worker"), policy: "squall-run-1".into() }
}

fn flag() -> Setting {
    Setting::FaultFlag { parameter: resource(ResourceKind::Parameter, "/shop/faults"), key: "latency".into() }
}

fn variables() -> Setting {
    Setting::Variables { function: pay(), prefix: "CHAOS_".into() }
}

fn lock() -> Setting {
    Setting::Lock { resource: pay() }
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn write(setting: Setting, value: Value) -> Call {
    Call::Write(Write { setting, value, whole: Some("{}".into()) })
}

fn read(setting: Setting) -> Call {
    Call::Read { setting }
}

fn function(more: Json) -> Recording {
    let mut configuration = json!({
        "FunctionName": "pay", "FunctionArn": format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:function:pay"),
        "Role": format!("arn:aws:iam::{ACCOUNT}:role/team/worker"), "Runtime": "nodejs22.x", "Timeout": 20,
        "RevisionId": "r1", "LastUpdateStatus": "Successful", "State": "Active",
    });
    configuration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fine(json!({ "Configuration": configuration, "Concurrency": { "ReservedConcurrentExecutions": 5 } }))
}

fn parameter(text: &str) -> Recording {
    fine(json!({ "Parameter": { "Name": "/shop/faults", "Type": "String", "Value": text, "Version": 3 } }))
}

fn refused(outcome: Outcome) -> (RefusedBy, String) {
    match outcome {
        Err(CallError::Refused { by, message }) => (by, message),
        other => panic!("{other:?}"),
    }
}

/// A tape on which everything that is asked before works.
fn calm() -> Tape {
    let tape = Tape::new();
    let role = "<GetRoleResponse><GetRoleResult><Role><Path>/team/</Path><RoleName>worker</RoleName><RoleId>R</RoleId>\
                <Arn>arn:aws:iam::111122223333:role/team/worker</Arn><CreateDate>2020-01-01T00:00:00Z</CreateDate>\
                </Role></GetRoleResult></GetRoleResponse>";
    tape.on(FUNCTION, [function(json!({}))])
        .on(
            SETTINGS,
            [fine(json!({ "AccountLimit": {
            "ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 995 } }))],
        )
        .on(MAPPINGS, [fine(json!({ "EventSourceMappings": [] }))])
        .on(FUNCTIONS, [fine(json!({ "Functions": [] }))])
        .on(ALIASES, [fine(json!({ "Aliases": [] }))])
        .on("GetParameter", [parameter("{}")])
        .on("GetQueueUrl", [fine(json!({ "QueueUrl": "https://sqs.eu-west-1.amazonaws.com/111122223333/orders" }))])
        .on("GetQueueAttributes", [fine(json!({ "Attributes": {} }))])
        .on("GetRole", [xml(role)])
        .on("ListRolePolicies", [no_policies()])
        .on("GetResources", [fine(json!({ "ResourceTagMappingList": [] }))])
        .on("ListMetrics", [cbor(&json!({ "Metrics": [] }))])
        .on("StartQuery", [fine(json!({ "queryId": "q-1" }))]);
    tape
}

fn no_policies() -> Recording {
    xml("<ListRolePoliciesResponse><ListRolePoliciesResult><PolicyNames/><IsTruncated>false</IsTruncated>\
         </ListRolePoliciesResult></ListRolePoliciesResponse>")
}

fn window() -> Window {
    let to: Time = "2026-03-02T08:58:00Z".parse().unwrap();
    Window { from: to - Span::from_secs(60), to }
}

fn measure(metric: Metric, kind: ResourceKind) -> Call {
    Call::Measure { query: Query { metric, resource: resource(kind, "x") }, window: window() }
}
