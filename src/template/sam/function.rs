//! `AWS::Serverless::Function`.

use super::{Sam, alias_id, passed, policy, tags};
use crate::ids::ResourceKind;
use crate::template::Resource;
use crate::template::value::{Kind, Spot, Value};
use crate::yaml::Code;

/// Properties that a function of CloudFormation has too.
const SAME: &[(&str, &str)] = &[
    ("FunctionName", "FunctionName"),
    ("Handler", "Handler"),
    ("Runtime", "Runtime"),
    ("PackageType", "PackageType"),
    ("Description", "Description"),
    ("MemorySize", "MemorySize"),
    ("Timeout", "Timeout"),
    ("VpcConfig", "VpcConfig"),
    ("Environment", "Environment"),
    ("KmsKeyArn", "KmsKeyArn"),
    ("ReservedConcurrentExecutions", "ReservedConcurrentExecutions"),
    ("Layers", "Layers"),
    ("EphemeralStorage", "EphemeralStorage"),
    ("FileSystemConfigs", "FileSystemConfigs"),
    ("ImageConfig", "ImageConfig"),
    ("CodeSigningConfigArn", "CodeSigningConfigArn"),
    ("Architectures", "Architectures"),
    ("SnapStart", "SnapStart"),
    ("RuntimeManagementConfig", "RuntimeManagementConfig"),
    ("LoggingConfig", "LoggingConfig"),
    ("RecursiveLoop", "RecursiveLoop"),
    ("TenancyConfig", "TenancyConfig"),
    ("DurableConfig", "DurableConfig"),
    ("InlineCode", "Code"),
    ("CodeUri", "Code"),
    ("ImageUri", "Code"),
];

/// A function under expansion.
pub(super) struct Making<'r> {
    pub resource: &'r Resource,
    pub properties: &'r Value,
    /// What events invoke: the alias where there is one.
    pub invoked: String,
    /// Managed policies and inline policies that the role gets beside its own.
    pub managed: Vec<String>,
    pub policies: Vec<Value>,
}

impl Making<'_> {
    /// Adds a managed policy, once.
    pub fn manage(&mut self, arn: String) {
        if !self.managed.contains(&arn) {
            self.managed.push(arn);
        }
    }

    /// Adds a policy, unless one with the same document is there.
    pub fn allow(&mut self, policy: Value) {
        let document = |policy: &Value| policy.get("PolicyDocument").map(Value::to_json);
        if !self.policies.iter().any(|other| document(other) == document(&policy)) {
            self.policies.push(policy);
        }
    }
}

impl Sam<'_, '_> {
    pub(super) fn function(&mut self, resource: &Resource, properties: &Value) {
        let (id, at) = (&resource.id, &resource.at);
        let mut making = Making {
            resource,
            properties,
            invoked: self.arn(ResourceKind::Function, id),
            managed: vec![self.managed(match properties.some("DurableConfig") {
                Some(_) => "service-role/AWSLambdaBasicDurableExecutionRolePolicy",
                None => "service-role/AWSLambdaBasicExecutionRole",
            })],
            policies: Vec::new(),
        };
        if properties.some("Tracing").is_some_and(|tracing| tracing.text() != Some("Disabled")) {
            let xray = if self.scope.location().partition == "aws" {
                "AWSXrayWriteOnlyAccess"
            } else {
                "AWSXRayDaemonWriteAccess"
            };
            making.managed.push(self.managed(xray));
        }
        if properties.some("VpcConfig").is_some() {
            making.managed.push(self.managed("service-role/AWSLambdaVPCAccessExecutionRole"));
        }
        let mut plain = passed(properties, SAME);
        self.dead_letters(&mut making, &mut plain);
        self.publish(&mut making);
        self.url(&making);
        self.destinations(&mut making);
        for entry in properties.get("Events").map(Value::entries).unwrap_or_default() {
            self.event(&mut making, entry);
        }
        if let Some(tracing) = properties.some("Tracing") {
            plain.push(("TracingConfig".into(), at.map([("Mode", tracing.clone())])));
        }
        plain.push(("Tags".into(), tags(properties.some("Tags"), at, "lambda:createdBy")));
        match properties.some("Role") {
            Some(role) => {
                if resource.properties().some("Policies").is_some() {
                    let what = format!("SAM ignores `Policies` of {id}, because it has a `Role`");
                    self.scope.report(Code::NotModelled, at, what, "put them on the role");
                }
                plain.push(("Role".into(), role.clone()));
            }
            None => {
                let role = self.role(resource, properties, making.managed, making.policies);
                plain.push(("Role".into(), at.text(self.arn(ResourceKind::Role, &role))));
            }
        }
        self.add(id, "AWS::Lambda::Function", at, at.map(plain));
    }

    /// `DeadLetterQueue`, with the permission to send to it.
    fn dead_letters(&mut self, making: &mut Making<'_>, plain: &mut Vec<(String, Value)>) {
        let Some(queue) = making.properties.some("DeadLetterQueue") else { return };
        let action = match queue.get("Type").and_then(Value::text) {
            Some("SQS") => "sqs:SendMessage",
            Some("SNS") => "sns:Publish",
            _ => {
                return self.refuse(
                    &queue.at,
                    "`DeadLetterQueue` needs a `Type`: SQS or SNS",
                    "SAM refuses it without",
                );
            }
        };
        let Some(target) = queue.some("TargetArn") else {
            return self.refuse(&queue.at, "`DeadLetterQueue` needs a `TargetArn`", "SAM refuses it without");
        };
        making.policies.push(policy(&queue.at, "DeadLetterQueuePolicy", action, target.clone()));
        plain.push(("DeadLetterConfig".into(), queue.at.map([("TargetArn", target.clone())])));
    }

    /// The version and the alias of `AutoPublishAlias`.
    fn publish(&mut self, making: &mut Making<'_>) {
        let (id, at) = (&making.resource.id, &making.resource.at);
        let Some(alias) = making.properties.some("AutoPublishAlias") else {
            if making.properties.some("ProvisionedConcurrencyConfig").is_some() {
                let what = format!("`ProvisionedConcurrencyConfig` of {id} needs `AutoPublishAlias`");
                self.refuse(at, what, "SAM refuses it without");
            }
            return;
        };
        let Some(name) = alias.plain().filter(|name| !name.is_empty()) else { return };
        let function = self.arn(ResourceKind::Function, id);
        let function_name = at.text(self.scope.names.get(id).map_or(id.as_str(), |thing| thing.name.as_str()));
        self.make(
            &format!("{id}Version"),
            "AWS::Lambda::Version",
            at,
            at.map([("FunctionName", function_name.clone())]),
        );
        let mut properties =
            passed(making.properties, &[("ProvisionedConcurrencyConfig", "ProvisionedConcurrencyConfig")]);
        properties.push(("FunctionName".into(), function_name));
        properties.push(("Name".into(), at.text(name.clone())));
        properties.push(("FunctionVersion".into(), at.text("1")));
        self.make(&alias_id(id, &name), "AWS::Lambda::Alias", at, at.map(properties));
        making.invoked = format!("{function}:{name}");
        let deploys = making.properties.some("DeploymentPreference").filter(|preference| {
            preference.some("Role").is_none() && preference.some("Enabled").and_then(Value::truth) != Some(false)
        });
        let role = "CodeDeployServiceRole";
        if deploys.is_some() && !self.items.iter().any(|item| item.id == role) {
            let managed = at.list([at.text(self.managed("service-role/AWSCodeDeployRoleForLambda"))]);
            self.make(role, "AWS::IAM::Role", at, at.map([("ManagedPolicyArns", managed)]));
        }
    }

    /// `FunctionUrlConfig`.
    fn url(&mut self, making: &Making<'_>) {
        let Some(config) = making.properties.some("FunctionUrlConfig") else { return };
        let mut url = passed(config, &[("AuthType", "AuthType"), ("Cors", "Cors"), ("InvokeMode", "InvokeMode")]);
        url.push(("TargetFunctionArn".into(), config.at.text(making.invoked.clone())));
        self.make(&format!("{}Url", making.resource.id), "AWS::Lambda::Url", &config.at, config.at.map(url));
    }

    /// `EventInvokeConfig`, with the queues and topics that SAM makes, and the permissions to send to them.
    fn destinations(&mut self, making: &mut Making<'_>) {
        let Some(config) = making.properties.some("EventInvokeConfig") else { return };
        let (id, at) = (format!("{}EventInvokeConfig", making.resource.id), &config.at);
        let mut made = passed(
            config,
            &[
                ("MaximumEventAgeInSeconds", "MaximumEventAgeInSeconds"),
                ("MaximumRetryAttempts", "MaximumRetryAttempts"),
            ],
        );
        let mut destinations = Vec::new();
        for outcome in ["OnSuccess", "OnFailure"] {
            let target = config.some("DestinationConfig").and_then(|config| config.some(outcome));
            let Some(target) = target else { continue };
            if let Some(arn) = self.destination(making, &format!("{id}{outcome}"), target) {
                destinations.push((outcome, target.at.map([("Destination", arn)])));
            }
        }
        made.push(("DestinationConfig".into(), at.map(destinations)));
        let function = self.arn(ResourceKind::Function, &making.resource.id);
        made.push(("FunctionName".into(), at.text(function)));
        let qualifier = making.properties.some("AutoPublishAlias").and_then(Value::plain);
        made.push(("Qualifier".into(), at.text(qualifier.unwrap_or_else(|| "$LATEST".into()))));
        self.make(&id, "AWS::Lambda::EventInvokeConfig", at, at.map(made));
    }

    /// One destination: its ARN.
    fn destination(&mut self, making: &mut Making<'_>, id: &str, target: &Value) -> Option<Value> {
        let at: &Spot = &target.at;
        let kind = target.get("Type").and_then(Value::text).unwrap_or_default();
        let given = target.some("Destination").cloned();
        let arn = match (given, kind) {
            (Some(arn), _) => arn,
            (None, "SQS") => {
                let queue = format!("{id}Queue");
                self.make(&queue, "AWS::SQS::Queue", at, at.value(Kind::Map(Vec::new())));
                at.text(self.arn(ResourceKind::Queue, &queue))
            }
            (None, "SNS") => {
                let topic = format!("{id}Topic");
                self.make(&topic, "AWS::SNS::Topic", at, at.value(Kind::Map(Vec::new())));
                at.text(self.arn(ResourceKind::Topic, &topic))
            }
            _ => {
                self.refuse(
                    at,
                    "this destination has no `Destination`",
                    "only for the types SQS and SNS does SAM make one",
                );
                return None;
            }
        };
        let (name, action) = match kind {
            "SQS" => ("SQSPolicy", "sqs:SendMessage"),
            "SNS" => ("SNSPolicy", "sns:publish"),
            "EventBridge" => ("EventBridgePolicy", "events:PutEvents"),
            "Lambda" => ("LambdaPolicy", "lambda:InvokeFunction"),
            "S3Bucket" => ("S3Policy", "s3:PutObject"),
            _ => {
                self.refuse(
                    at,
                    "this destination has no `Type` that SAM knows",
                    "write SQS, SNS, EventBridge, Lambda or S3Bucket",
                );
                return None;
            }
        };
        match name {
            "S3Policy" => making.policies.push(s3_policy(at, &format!("{id}{name}"), &arn)),
            _ => making.policies.push(policy(at, &format!("{id}{name}"), action, arn.clone())),
        }
        Some(arn)
    }
}

/// What SAM lets a function do with a bucket that gets its failed events.
pub(super) fn s3_policy(at: &Spot, name: &str, bucket: &Value) -> Value {
    let mut below = crate::template::value::Pieces::default();
    let _ = below.push_value(bucket);
    below.push("/*");
    let statement = |action: &str, resource: Value| {
        at.map([("Action", at.text(action)), ("Effect", at.text("Allow")), ("Resource", resource)])
    };
    let statements = [statement("s3:PutObject", at.value(below.finish())), statement("s3:ListBucket", bucket.clone())];
    at.map([("PolicyName", at.text(name)), ("PolicyDocument", at.map([("Statement", at.list(statements))]))])
}
