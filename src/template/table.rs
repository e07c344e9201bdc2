//! Every property of every resource type that is read, with what becomes of it. What is in no row is a warning: nothing
//! in a template is passed over.

mod events;
mod plain;
mod serverless;

use super::value::{Kind, Spot, Value};
use crate::yaml::read::closest;
use crate::yaml::{Code, Finding, Findings};

/// What becomes of some properties.
#[derive(Clone, Copy, Debug)]
pub(super) enum Row {
    /// The model uses them.
    Read(&'static [&'static str]),
    /// They have no effect here, because ...
    NoEffect(&'static str, &'static [&'static str]),
    /// They have an effect that the model leaves out; a warning says which.
    Warned(&'static str, &'static [&'static str]),
    /// A mapping with rows of its own.
    In(&'static str, &'static [Row]),
    /// A list of mappings, or one of them.
    Each(&'static str, &'static [Row]),
    /// A mapping by names of the author's own, each to a mapping.
    Named(&'static str, &'static [Row]),
}

/// A resource type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Type {
    pub name: &'static str,
    pub rows: &'static [Row],
}

/// Types that change nothing in the model, and why.
pub(super) const PASSIVE: &[(&str, &str)] = &[
    ("AWS::Logs::LogGroup", "logs are not modelled"),
    ("AWS::Logs::MetricFilter", "metrics of an application's own are not modelled"),
    ("AWS::Logs::QueryDefinition", "logs are not modelled"),
    ("AWS::Logs::ResourcePolicy", "logs are not modelled"),
    ("AWS::CloudWatch::Dashboard", "a dashboard only shows"),
    ("AWS::CloudFormation::WaitConditionHandle", "a deployment is not modelled"),
    ("AWS::CloudFormation::WaitCondition", "a deployment is not modelled"),
    ("AWS::CDK::Metadata", "it only tells AWS about the CDK"),
    ("AWS::Lambda::LayerVersion", "what a function is made of is not modelled"),
    ("AWS::Serverless::LayerVersion", "what a function is made of is not modelled"),
    ("AWS::Lambda::LayerVersionPermission", "what a function is made of is not modelled"),
    ("AWS::ApiGateway::Deployment", "a deployment is not modelled"),
    ("AWS::ApiGateway::Account", "logs are not modelled"),
    ("AWS::ApiGateway::Model", "requests are not validated in the model"),
    ("AWS::ApiGateway::DomainName", "names of hosts are not modelled"),
    ("AWS::ApiGateway::BasePathMapping", "names of hosts are not modelled"),
    ("AWS::ApiGatewayV2::Deployment", "a deployment is not modelled"),
    ("AWS::ApiGatewayV2::DomainName", "names of hosts are not modelled"),
    ("AWS::ApiGatewayV2::ApiMapping", "names of hosts are not modelled"),
    ("AWS::Route53::RecordSet", "names of hosts are not modelled"),
    ("AWS::Route53::RecordSetGroup", "names of hosts are not modelled"),
    ("AWS::CertificateManager::Certificate", "encryption is not modelled"),
    ("AWS::KMS::Key", "encryption is not modelled"),
    ("AWS::KMS::Alias", "encryption is not modelled"),
    ("AWS::CodeDeploy::Application", "a deployment is not modelled"),
    ("AWS::CodeDeploy::DeploymentGroup", "a deployment is not modelled"),
    ("AWS::Events::EventBus", "what comes from it is told at its rules"),
    ("AWS::Scheduler::ScheduleGroup", "what comes from it is told at its schedules"),
    ("AWS::S3::BucketPolicy", "access to buckets is not modelled"),
    ("AWS::EC2::SecurityGroup", "networks are not modelled"),
    ("AWS::EC2::VPC", "networks are not modelled"),
    ("AWS::EC2::Subnet", "networks are not modelled"),
    ("AWS::EC2::VPCEndpoint", "networks are not modelled"),
    ("AWS::EC2::RouteTable", "networks are not modelled"),
    ("AWS::EC2::Route", "networks are not modelled"),
    ("AWS::EC2::SubnetRouteTableAssociation", "networks are not modelled"),
    ("AWS::EC2::InternetGateway", "networks are not modelled"),
    ("AWS::EC2::VPCGatewayAttachment", "networks are not modelled"),
];

/// The table of a type.
pub(super) fn find(kind: &str) -> Option<&'static Type> {
    plain::TYPES.iter().chain(serverless::TYPES).find(|known| known.name == kind)
}

/// Every type with a table, in the order of the documentation.
pub(super) fn types() -> impl Iterator<Item = &'static Type> {
    serverless::TYPES.iter().chain(plain::TYPES)
}

/// The tables of events, by the events' types.
#[cfg(test)]
pub(super) fn event_types() -> &'static [(&'static [&'static str], &'static [Row])] {
    events::TYPES
}

/// Sections of a template.
const SECTIONS: &[Row] = &[
    Row::Read(&["Resources", "Mappings", "Conditions", "Globals", "Outputs"]),
    Row::Named(
        "Parameters",
        &[
            Row::Read(&["Type", "Default", "AllowedValues"]),
            Row::NoEffect(
                "values are taken as they are",
                &[
                    "Description",
                    "AllowedPattern",
                    "ConstraintDescription",
                    "MinLength",
                    "MaxLength",
                    "MinValue",
                    "MaxValue",
                    "NoEcho",
                ],
            ),
        ],
    ),
    Row::NoEffect(
        "they say nothing about resources",
        &["AWSTemplateFormatVersion", "Description", "Metadata", "Rules", "Hooks"],
    ),
    Row::Read(&["Transform", "Fn::Transform"]),
];

/// Attributes of a resource, beside its properties.
const ATTRIBUTES: &[Row] = &[
    Row::Read(&["Type", "Properties", "Condition", "DependsOn", "Fn::Transform"]),
    Row::NoEffect(
        "the model has no deployments",
        &["DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy", "CreationPolicy", "Metadata"],
    ),
];

/// Attributes that resources of SAM have beside those.
const SAM_ATTRIBUTES: &[Row] = &[
    Row::Read(&["IgnoreGlobals"]),
    Row::Named(
        "Connectors",
        &[Row::In("Properties", serverless::CONNECTOR), Row::In("SourceReference", serverless::END)],
    ),
];

/// Reports keys of a template and its resources that no row has.
pub(super) fn check_template(root: &Value, findings: &mut Findings) {
    walk(SECTIONS, &[], "the template", root, findings);
    for entry in root.get("Resources").map(Value::entries).unwrap_or_default() {
        if matches!(entry.value.kind, Kind::Map(_)) && !entry.key.starts_with("Fn::") {
            walk(ATTRIBUTES, SAM_ATTRIBUTES, &format!("resource {}", entry.key), &entry.value, findings);
        }
    }
    for entry in root.get("Outputs").map(Value::entries).unwrap_or_default() {
        const OUTPUT: &[Row] =
            &[Row::Read(&["Value", "Condition"]), Row::NoEffect("nothing here imports it", &["Export", "Description"])];
        walk(OUTPUT, &[], &format!("output {}", entry.key), &entry.value, findings);
    }
}

/// Reports properties of a resource that no row has, and those whose effect is left out.
pub(super) fn check(kind: &str, label: &str, properties: &Value, findings: &mut Findings) {
    let Some(known) = find(kind) else { return };
    walk(known.rows, &[], label, properties, findings);
    if matches!(kind, "AWS::Serverless::Function" | "AWS::Serverless::StateMachine") {
        for entry in properties.get("Events").map(Value::entries).unwrap_or_default() {
            let of = format!("event {} of {label}", entry.key);
            walk(events::EVENT, &[], &of, &entry.value, findings);
            let kind = entry.value.get("Type").and_then(Value::text).unwrap_or_default();
            if let (Some(rows), Some(given)) = (events::rows(kind), entry.value.some("Properties")) {
                walk(rows, &[], &of, given, findings);
            }
        }
    }
}

fn walk(rows: &[Row], more: &[Row], of: &str, value: &Value, findings: &mut Findings) {
    if super::resolve::function(value).is_some() {
        return;
    }
    for entry in value.entries() {
        let row = rows.iter().chain(more).find(|row| row.has(&entry.key));
        match row {
            None => {
                let known = rows.iter().chain(more).flat_map(|row| row.keys());
                let help = match closest(&entry.key, known) {
                    Some(near) => format!("did you mean `{near}`? The application is modelled without it"),
                    None => "the application is modelled without it".into(),
                };
                report(&entry.key_at, format!("unknown key `{}` in {of}", entry.key), &help, findings);
            }
            Some(Row::Warned(..)) if entry.value.is_null() => {}
            Some(Row::Warned(consequence, _)) => {
                report(&entry.key_at, format!("`{}` of {of} is not modelled", entry.key), consequence, findings);
            }
            Some(Row::In(key, rows)) => walk(rows, &[], &format!("`{key}` of {of}"), &entry.value, findings),
            Some(Row::Each(key, rows)) => {
                for item in entry.value.each() {
                    walk(rows, &[], &format!("`{key}` of {of}"), item, findings);
                }
            }
            Some(Row::Named(_, rows)) => {
                for inner in entry.value.entries() {
                    walk(rows, &[], &format!("`{}` of {of}", inner.key), &inner.value, findings);
                }
            }
            Some(Row::Read(_) | Row::NoEffect(..)) => {}
        }
    }
}

fn report(at: &Spot, what: String, help: &str, findings: &mut Findings) {
    findings.push(Finding::new(Code::NotModelled, &at.source, at.at, what).help(help));
}

impl Row {
    fn has(&self, key: &str) -> bool {
        self.keys().contains(&key)
    }

    /// The properties that it speaks of.
    pub fn keys(&self) -> Vec<&'static str> {
        match self {
            Row::Read(keys) | Row::NoEffect(_, keys) | Row::Warned(_, keys) => keys.to_vec(),
            Row::In(key, _) | Row::Each(key, _) | Row::Named(key, _) => vec![key],
        }
    }
}

/// The page about templates: every type and what becomes of its properties. For `docs/reference/template.md`.
pub(super) fn page() -> String {
    let mut page = String::from(
        "# What is read from a template\n\nMade from the table in `src/template/table.rs`. A key that is not listed is a warning.\n",
    );
    for known in types() {
        page += &format!("\n## {}\n\n| property | |\n| --- | --- |\n", known.name);
        rows_of(known.rows, "", &mut page);
    }
    page += "\n## Events of functions and state machines\n\n| property | |\n| --- | --- |\n";
    rows_of(events::EVENT, "", &mut page);
    for (kinds, rows) in events::TYPES {
        page += &format!("\n### {}\n\n| property | |\n| --- | --- |\n", kinds.join(", "));
        rows_of(rows, "", &mut page);
    }
    page += "\n## Types without effect\n\n| type | no effect here, because |\n| --- | --- |\n";
    for (name, because) in PASSIVE {
        page += &format!("| `{name}` | {because} |\n");
    }
    page + "\nAny other type is a warning.\n"
}

fn rows_of(rows: &[Row], above: &str, page: &mut String) {
    for row in rows {
        let keys: Vec<String> = row.keys().iter().map(|key| format!("`{above}{key}`")).collect();
        let keys = keys.join(", ");
        match row {
            Row::Read(_) => *page += &format!("| {keys} | read |\n"),
            Row::NoEffect(because, _) => *page += &format!("| {keys} | no effect here: {because} |\n"),
            Row::Warned(consequence, _) => *page += &format!("| {keys} | warning: {consequence} |\n"),
            Row::In(key, rows) | Row::Each(key, rows) => rows_of(rows, &format!("{above}{key}."), page),
            Row::Named(key, rows) => rows_of(rows, &format!("{above}{key}.NAME."), page),
        }
    }
}
