//! What the resources of a template are called, and which one a name, an ARN or a URL means.

use std::collections::BTreeMap;

use super::app::Deployed;
use super::value::{Kind, Pieces, Unknown, Value};
use crate::ids::ResourceKind;

/// A resource of the template.
#[derive(Clone, Debug)]
pub(super) struct Thing {
    /// `AWS::SQS::Queue`; of a resource of SAM the type that it becomes.
    pub type_name: String,
    /// In the model: the explicit name where it is known, or else the logical id.
    pub name: String,
    /// The explicit name as far as it is known, where it is not.
    pub real: Option<Unknown>,
}

/// What `Ref` and `Fn::GetAtt` give for a type, in CloudFormation's own forms: `{name}`, `{region}`, `{account}`,
/// `{partition}` and `{suffix}` are filled in. Attributes that are not listed are not known.
struct Form {
    type_name: &'static str,
    /// The property with the explicit name.
    name: &'static str,
    reference: &'static str,
    attributes: &'static [(&'static str, &'static str)],
}

const fn form(
    type_name: &'static str,
    name: &'static str,
    reference: &'static str,
    attributes: &'static [(&'static str, &'static str)],
) -> Form {
    Form { type_name, name, reference, attributes }
}

const QUEUE_URL: &str = "https://sqs.{region}.{suffix}/{account}/{name}";
const FUNCTION: &str = "arn:{partition}:lambda:{region}:{account}:function:{name}";
const TOPIC: &str = "arn:{partition}:sns:{region}:{account}:{name}";
const TABLE: &str = "arn:{partition}:dynamodb:{region}:{account}:table/{name}";
const STREAM: &str = "arn:{partition}:dynamodb:{region}:{account}:table/{name}/stream/2026-01-01T00:00:00.000";
const MACHINE: &str = "arn:{partition}:states:{region}:{account}:stateMachine:{name}";
const POLICY: &str = "arn:{partition}:iam::{account}:policy/{name}";
const BUCKET: &str = "arn:{partition}:s3:::{name}";
const LAYER: &str = "arn:{partition}:lambda:{region}:{account}:layer:{name}:1";

/// The return values of the CloudFormation reference
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-template-resource-type-ref.html>).
const FORMS: &[Form] = &[
    form(
        "AWS::SQS::Queue",
        "QueueName",
        QUEUE_URL,
        &[("Arn", "arn:{partition}:sqs:{region}:{account}:{name}"), ("QueueName", "{name}"), ("QueueUrl", QUEUE_URL)],
    ),
    form("AWS::SNS::Topic", "TopicName", TOPIC, &[("TopicArn", TOPIC), ("TopicName", "{name}")]),
    form("AWS::Lambda::Function", "FunctionName", "{name}", &[("Arn", FUNCTION)]),
    form("AWS::Lambda::Version", "", FUNCTION, &[("Version", "1"), ("FunctionArn", FUNCTION)]),
    form("AWS::Lambda::Alias", "", FUNCTION, &[("AliasArn", FUNCTION)]),
    form(
        "AWS::Lambda::Url",
        "",
        FUNCTION,
        &[("FunctionArn", FUNCTION), ("FunctionUrl", "https://{name}.lambda-url.{region}.on.aws/")],
    ),
    form("AWS::Lambda::LayerVersion", "LayerName", LAYER, &[("LayerVersionArn", LAYER)]),
    form("AWS::IAM::Role", "RoleName", "{name}", &[("Arn", "arn:{partition}:iam::{account}:role/{name}")]),
    form("AWS::IAM::ManagedPolicy", "ManagedPolicyName", POLICY, &[("PolicyArn", POLICY)]),
    form("AWS::IAM::User", "UserName", "{name}", &[("Arn", "arn:{partition}:iam::{account}:user/{name}")]),
    form("AWS::IAM::Group", "GroupName", "{name}", &[("Arn", "arn:{partition}:iam::{account}:group/{name}")]),
    form("AWS::DynamoDB::Table", "TableName", "{name}", &[("Arn", TABLE), ("StreamArn", STREAM)]),
    form("AWS::DynamoDB::GlobalTable", "TableName", "{name}", &[("Arn", TABLE), ("StreamArn", STREAM)]),
    form("AWS::SSM::Parameter", "Name", "{name}", &[]),
    form(
        "AWS::CloudWatch::Alarm",
        "AlarmName",
        "{name}",
        &[("Arn", "arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}")],
    ),
    form(
        "AWS::CloudWatch::CompositeAlarm",
        "AlarmName",
        "{name}",
        &[("Arn", "arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}")],
    ),
    form("AWS::CloudWatch::AlarmMuteRule", "Name", "{name}", &[]),
    form("AWS::ApiGateway::RestApi", "", "{name}", &[("RestApiId", "{name}"), ("RootResourceId", "{name}root")]),
    form("AWS::ApiGateway::Resource", "", "{name}", &[("ResourceId", "{name}")]),
    form("AWS::ApiGateway::Stage", "StageName", "{name}", &[]),
    form("AWS::ApiGateway::Deployment", "", "{name}", &[("DeploymentId", "{name}")]),
    form("AWS::ApiGateway::Authorizer", "", "{name}", &[("AuthorizerId", "{name}")]),
    form("AWS::ApiGateway::UsagePlan", "", "{name}", &[("Id", "{name}")]),
    form("AWS::ApiGateway::Model", "Name", "{name}", &[]),
    form("AWS::ApiGateway::RequestValidator", "", "{name}", &[("RequestValidatorId", "{name}")]),
    form(
        "AWS::ApiGatewayV2::Api",
        "",
        "{name}",
        &[("ApiId", "{name}"), ("ApiEndpoint", "https://{name}.execute-api.{region}.{suffix}")],
    ),
    form("AWS::ApiGatewayV2::Stage", "StageName", "{name}", &[]),
    form("AWS::ApiGatewayV2::Integration", "", "{name}", &[("IntegrationId", "{name}")]),
    form("AWS::ApiGatewayV2::Route", "", "{name}", &[("RouteId", "{name}")]),
    form("AWS::ApiGatewayV2::Authorizer", "", "{name}", &[("AuthorizerId", "{name}")]),
    form("AWS::Events::Rule", "Name", "{name}", &[("Arn", "arn:{partition}:events:{region}:{account}:rule/{name}")]),
    form(
        "AWS::Events::EventBus",
        "Name",
        "{name}",
        &[("Arn", "arn:{partition}:events:{region}:{account}:event-bus/{name}"), ("Name", "{name}")],
    ),
    form(
        "AWS::Scheduler::Schedule",
        "Name",
        "{name}",
        &[("Arn", "arn:{partition}:scheduler:{region}:{account}:schedule/default/{name}")],
    ),
    form("AWS::StepFunctions::StateMachine", "StateMachineName", MACHINE, &[("Arn", MACHINE), ("Name", "{name}")]),
    form(
        "AWS::Kinesis::Stream",
        "Name",
        "{name}",
        &[("Arn", "arn:{partition}:kinesis:{region}:{account}:stream/{name}")],
    ),
    form(
        "AWS::KinesisFirehose::DeliveryStream",
        "DeliveryStreamName",
        "{name}",
        &[("Arn", "arn:{partition}:firehose:{region}:{account}:deliverystream/{name}")],
    ),
    form(
        "AWS::S3::Bucket",
        "BucketName",
        "{name}",
        &[
            ("Arn", BUCKET),
            ("DomainName", "{name}.s3.{suffix}"),
            ("RegionalDomainName", "{name}.s3.{region}.{suffix}"),
            ("WebsiteURL", "http://{name}.s3-website-{region}.{suffix}"),
        ],
    ),
    form(
        "AWS::Logs::LogGroup",
        "LogGroupName",
        "{name}",
        &[("Arn", "arn:{partition}:logs:{region}:{account}:log-group:{name}:*")],
    ),
    form(
        "AWS::Cognito::UserPool",
        "",
        "{region}_{name}",
        &[
            ("Arn", "arn:{partition}:cognito-idp:{region}:{account}:userpool/{region}_{name}"),
            ("UserPoolId", "{region}_{name}"),
            ("ProviderName", "cognito-idp.{region}.{suffix}/{region}_{name}"),
            ("ProviderURL", "https://cognito-idp.{region}.{suffix}/{region}_{name}"),
        ],
    ),
    form("AWS::CloudFormation::Stack", "", "arn:{partition}:cloudformation:{region}:{account}:stack/{name}/0", &[]),
];

/// What a type of SAM becomes.
pub(super) fn plain_type(type_name: &str) -> &str {
    match type_name {
        "AWS::Serverless::Function" => "AWS::Lambda::Function",
        "AWS::Serverless::Api" => "AWS::ApiGateway::RestApi",
        "AWS::Serverless::HttpApi" | "AWS::Serverless::WebSocketApi" => "AWS::ApiGatewayV2::Api",
        "AWS::Serverless::SimpleTable" => "AWS::DynamoDB::Table",
        "AWS::Serverless::StateMachine" => "AWS::StepFunctions::StateMachine",
        "AWS::Serverless::LayerVersion" => "AWS::Lambda::LayerVersion",
        "AWS::Serverless::Application" => "AWS::CloudFormation::Stack",
        other => other,
    }
}

/// The kind of resource that a CloudFormation type is.
pub(super) fn kind_of(type_name: &str) -> Option<ResourceKind> {
    Some(match plain_type(type_name) {
        "AWS::Lambda::Function" => ResourceKind::Function,
        "AWS::ApiGateway::RestApi" | "AWS::ApiGatewayV2::Api" => ResourceKind::Api,
        "AWS::DynamoDB::Table" | "AWS::DynamoDB::GlobalTable" => ResourceKind::Table,
        "AWS::SQS::Queue" => ResourceKind::Queue,
        "AWS::SNS::Topic" => ResourceKind::Topic,
        "AWS::IAM::Role" => ResourceKind::Role,
        "AWS::SSM::Parameter" => ResourceKind::Parameter,
        "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm" => ResourceKind::Alarm,
        _ => return None,
    })
}

/// The property that gives a resource of a type an explicit name.
pub(super) fn name_property(type_name: &str) -> Option<&'static str> {
    match type_name {
        "AWS::Serverless::StateMachine" => Some("Name"),
        _ => find_form(plain_type(type_name)).map(|form| form.name).filter(|name| !name.is_empty()),
    }
}

fn find_form(type_name: &str) -> Option<&'static Form> {
    FORMS.iter().find(|form| form.type_name == type_name)
}

impl Thing {
    /// What `!Ref` of the resource gives; `None` when only AWS knows.
    pub fn reference(&self, location: &Deployed) -> Option<Kind> {
        find_form(&self.type_name).and_then(|form| self.fill(form.reference, location))
    }

    /// What `!GetAtt` of the resource gives; `None` when only AWS knows.
    pub fn attribute(&self, attribute: &str, location: &Deployed) -> Option<Kind> {
        let form = find_form(&self.type_name)?;
        let (_, text) = form.attributes.iter().find(|(name, _)| *name == attribute)?;
        self.fill(text, location)
    }

    fn fill(&self, form: &str, location: &Deployed) -> Option<Kind> {
        let mut pieces = Pieces::default();
        let mut rest = form;
        while let Some((before, after)) = rest.split_once('{') {
            let (word, after) = after.split_once('}')?;
            pieces.push(before);
            match word {
                "region" => pieces.push(&location.region),
                "account" => pieces.push(&location.account_id),
                "partition" => pieces.push(&location.partition),
                "suffix" => pieces.push(location.suffix()),
                // A name that is not known is the model's in what it becomes: both sides of a reference say the same.
                _ => match self.name.strip_prefix('/') {
                    Some(name) if before.ends_with("parameter/") => pieces.push(name),
                    _ => pieces.push(&self.name),
                },
            }
            rest = after;
        }
        pieces.push(rest);
        Some(pieces.finish())
    }
}

/// Every resource by its logical id, with a way back.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    things: BTreeMap<String, Thing>,
    /// `Fn.Alias`, as SAM's templates write it, to the logical id that SAM makes.
    dotted: BTreeMap<String, String>,
    /// Kind and name, ARN or URL, to name.
    back: BTreeMap<(ResourceKind, String), String>,
}

impl Names {
    /// Adds a resource; of two with one logical id the first stays.
    pub fn add(&mut self, id: &str, thing: Thing, location: &Deployed) {
        if self.things.contains_key(id) {
            return;
        }
        if let Some(kind) = kind_of(&thing.type_name) {
            let mut texts = vec![thing.name.clone(), location.arn(kind, &thing.name)];
            if kind == ResourceKind::Queue {
                texts.push(location.queue_url(&thing.name));
            }
            if let Some(real) = &thing.real {
                let key = real.key();
                texts.push(location.arn(kind, &key));
                if kind == ResourceKind::Queue {
                    texts.push(location.queue_url(&key));
                }
                texts.push(key);
            }
            for text in texts {
                self.back.entry((kind, text)).or_insert_with(|| thing.name.clone());
            }
        }
        self.things.insert(id.to_owned(), thing);
    }

    /// Gives a resource a second name: `Fn.Alias`.
    pub fn add_dotted(&mut self, dotted: String, id: &str) {
        self.dotted.entry(dotted).or_insert_with(|| id.to_owned());
    }

    /// The resource with a logical id, or with one of SAM's names.
    pub fn get(&self, id: &str) -> Option<&Thing> {
        self.things.get(self.dotted.get(id).map_or(id, String::as_str))
    }

    /// Every logical id.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.things.keys().map(String::as_str)
    }

    /// Every logical id whose resource has another name.
    pub fn renamed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.things
            .iter()
            .filter(|(id, thing)| **id != thing.name && kind_of(&thing.type_name).is_some())
            .map(|(id, thing)| (id.as_str(), thing.name.as_str()))
    }

    /// The name of the resource of a kind that a value means: its name, an ARN, a URL; of a function also with the
    /// name of an alias or a version behind it, or within the URI of an integration.
    pub fn find(&self, kind: ResourceKind, value: &Value) -> Option<&str> {
        let key = value.key()?;
        let exact = |text: &str| self.back.get(&(kind, text.to_owned())).map(String::as_str);
        if let Some(name) = exact(&key) {
            return Some(name);
        }
        match kind {
            ResourceKind::Function => {
                let inner = key.split_once("/functions/").map_or(key.as_str(), |(_, arn)| arn);
                let inner = inner.split_once("/invocations").map_or(inner, |(arn, _)| arn);
                let name = inner.split_once(":function:").map_or(inner, |(_, name)| name);
                exact(inner).or_else(|| exact(name.split_once(':').map_or(name, |(name, _)| name)))
            }
            // A policy names roles by their path and name, an ARN has both.
            ResourceKind::Role => key.rsplit_once('/').and_then(|(_, name)| exact(name)),
            ResourceKind::Table => key.split_once(":table/").and_then(|(_, rest)| exact(rest.split('/').next()?)),
            _ => None,
        }
    }

    /// Takes in the names of a nested stack.
    pub fn absorb(&mut self, others: &Names, prefix: &str, location: &Deployed) {
        for (id, thing) in &others.things {
            self.add(&format!("{prefix}{id}"), thing.clone(), location);
        }
    }
}
