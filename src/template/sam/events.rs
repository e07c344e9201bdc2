//! Events of functions: event source mappings, subscriptions, routes, rules.

use super::apis::{Late, Route};
use super::function::{Making, s3_policy};
use super::{Sam, passed, policy};
use crate::ids::ResourceKind;
use crate::template::value::{Entry, Kind, Spot, Value};
use crate::yaml::Code;

/// Properties of a mapping that an event has too.
const MAPPING: &[(&str, &str)] = &[
    ("BatchSize", "BatchSize"),
    ("StartingPosition", "StartingPosition"),
    ("StartingPositionTimestamp", "StartingPositionTimestamp"),
    ("Enabled", "Enabled"),
    ("MaximumBatchingWindowInSeconds", "MaximumBatchingWindowInSeconds"),
    ("MaximumRetryAttempts", "MaximumRetryAttempts"),
    ("BisectBatchOnFunctionError", "BisectBatchOnFunctionError"),
    ("MaximumRecordAgeInSeconds", "MaximumRecordAgeInSeconds"),
    ("DestinationConfig", "DestinationConfig"),
    ("ParallelizationFactor", "ParallelizationFactor"),
    ("Topics", "Topics"),
    ("Queues", "Queues"),
    ("SourceAccessConfigurations", "SourceAccessConfigurations"),
    ("TumblingWindowInSeconds", "TumblingWindowInSeconds"),
    ("FunctionResponseTypes", "FunctionResponseTypes"),
    ("FilterCriteria", "FilterCriteria"),
    ("KmsKeyArn", "KmsKeyArn"),
    ("ScalingConfig", "ScalingConfig"),
    ("ProvisionedPollerConfig", "ProvisionedPollerConfig"),
    ("MetricsConfig", "MetricsConfig"),
    ("LoggingConfig", "LoggingConfig"),
];

impl Sam<'_, '_> {
    pub(super) fn event(&mut self, making: &mut Making<'_>, entry: &Entry) {
        let id = format!("{}{}", making.resource.id, entry.key);
        let nothing = entry.value.at.value(Kind::Map(Vec::new()));
        let given = entry.value.some("Properties").unwrap_or(&nothing);
        let at = &entry.key_at;
        let Some(kind) = entry.value.get("Type").and_then(Value::text) else {
            return self.refuse(at, format!("the event {} has no `Type`", entry.key), "SAM refuses it without");
        };
        match kind {
            "SQS" => self.mapping(making, &id, given, "Queue", Some("service-role/AWSLambdaSQSQueueExecutionRole")),
            "Kinesis" => self.mapping(making, &id, given, "Stream", Some("service-role/AWSLambdaKinesisExecutionRole")),
            "DynamoDB" => {
                self.mapping(making, &id, given, "Stream", Some("service-role/AWSLambdaDynamoDBExecutionRole"))
            }
            "MSK" => self.mapping(making, &id, given, "Stream", Some("service-role/AWSLambdaMSKExecutionRole")),
            "MQ" => self.mapping(making, &id, given, "Broker", None),
            "DocumentDB" => self.mapping(making, &id, given, "Cluster", None),
            "SelfManagedKafka" => self.mapping(making, &id, given, "", None),
            "SNS" => self.sns(making, &id, given),
            "Api" => self.route(making, &id, given, "RestApiId", super::REST_API),
            "HttpApi" => self.route(making, &id, given, "ApiId", super::HTTP_API),
            "Schedule" | "CloudWatchEvent" | "EventBridgeRule" => {
                self.rule(&id, kind, given, at, &making.invoked.clone())
            }
            "ScheduleV2" => {
                self.schedule(&id, given, at, &making.invoked.clone(), "lambda:InvokeFunction", "LambdaPolicy")
            }
            "CloudWatchLogs" => {
                let mut made = passed(given, &[("LogGroupName", "LogGroupName"), ("FilterPattern", "FilterPattern")]);
                made.push(("DestinationArn".into(), at.text(making.invoked.clone())));
                self.make(&id, "AWS::Logs::SubscriptionFilter", at, at.map(made));
                self.permit(&id, &making.invoked, "logs.amazonaws.com", None, at);
            }
            "S3" => self.notification(&id, given, at, &making.invoked.clone()),
            "Cognito" => self.trigger(&id, given, at, &making.invoked.clone()),
            "IoTRule" => {
                let action = at.map([("Lambda", at.map([("FunctionArn", at.text(making.invoked.clone()))]))]);
                let payload = at.map([("Actions", at.list([action]))]);
                self.make(&id, "AWS::IoT::TopicRule", at, at.map([("TopicRulePayload", payload)]));
                self.permit(&id, &making.invoked, "iot.amazonaws.com", None, at);
            }
            "AlexaSkill" => self.permit(&id, &making.invoked, "alexa-appkit.amazon.com", None, at),
            other => self.refuse(at, format!("SAM knows no event type `{other}`"), "see SAM's list of event sources"),
        }
    }

    /// A permission to invoke a function.
    pub(super) fn permit(&mut self, id: &str, function: &str, principal: &str, source: Option<Value>, at: &Spot) {
        let mut made = vec![
            ("Action", at.text("lambda:InvokeFunction")),
            ("FunctionName", at.text(function)),
            ("Principal", at.text(principal)),
        ];
        made.extend(source.map(|source| ("SourceArn", source)));
        self.make(&format!("{id}Permission"), "AWS::Lambda::Permission", at, at.map(made));
    }

    /// An event source mapping; the role gets what it takes to read the source.
    fn mapping(&mut self, making: &mut Making<'_>, id: &str, given: &Value, source: &str, managed: Option<&str>) {
        let at = &given.at;
        let mut made = passed(given, MAPPING);
        match given.get(source) {
            Some(value) => made.push(("EventSourceArn".into(), value.clone())),
            None if source.is_empty() => {
                let servers = given.some("KafkaBootstrapServers").cloned().unwrap_or_else(|| at.list([]));
                let endpoints = at.map([("KafkaBootstrapServers", servers)]);
                made.push(("SelfManagedEventSource".into(), at.map([("Endpoints", endpoints)])));
            }
            None => {
                let what = format!("an event of {} has no `{source}`", making.resource.id);
                self.scope.report(Code::MissingKey, at, what, format!("add `{source}:`"));
            }
        }
        made.push(("FunctionName".into(), at.text(making.invoked.clone())));
        if let Some(managed) = managed {
            making.manage(self.managed(managed));
        }
        self.secrets(making, id, given, source);
        let failure = given.some("DestinationConfig").and_then(|config| config.some("OnFailure"));
        if let (Some(kind), Some(arn)) = (
            failure.and_then(|failure| failure.get("Type")?.text()),
            failure.and_then(|failure| failure.some("Destination")),
        ) {
            match kind {
                "SQS" => making.allow(policy(at, &format!("{id}SQSPolicy"), "sqs:SendMessage", arn.clone())),
                "SNS" => making.allow(policy(at, &format!("{id}SNSPolicy"), "sns:publish", arn.clone())),
                "S3" => making.allow(s3_policy(at, &format!("{id}S3Policy"), arn)),
                _ => {}
            }
        }
        self.make(id, "AWS::Lambda::EventSourceMapping", at, at.map(made));
    }

    /// What SAM lets functions do that read from brokers and clusters with secrets.
    fn secrets(&mut self, making: &mut Making<'_>, id: &str, given: &Value, source: &str) {
        let at = &given.at;
        let configurations = given.get("SourceAccessConfigurations").map(Value::items).unwrap_or_default();
        let of = |kind: &str| {
            let found = configurations.iter().find(|item| item.get("Type").and_then(Value::text) == Some(kind));
            found.and_then(|item| item.some("URI")).cloned()
        };
        let statement = |action: &str, resource: Value| {
            let actions = at.list(action.split(' ').map(|action| at.text(action)));
            at.map([("Action", actions), ("Effect", at.text("Allow")), ("Resource", resource)])
        };
        let secret = |uri: Value| statement("secretsmanager:GetSecretValue", uri);
        let (name, statements) = match source {
            "Broker" => {
                let dynamic = given.get("DynamicPolicyName").and_then(Value::truth) == Some(true);
                let name = if dynamic { format!("{id}AMQPolicy") } else { "SamAutoGeneratedAMQPolicy".into() };
                let broker = given.some("Broker").map(|broker| statement("mq:DescribeBroker", broker.clone()));
                (name, of("BASIC_AUTH").map(secret).into_iter().chain(broker).collect())
            }
            "Cluster" => {
                let location = self.scope.location();
                let of_rds = |kind: &str| {
                    let arn =
                        format!("arn:{}:rds:{}:{}:{kind}:*", location.partition, location.region, location.account_id);
                    at.text(arn)
                };
                let mut statements: Vec<Value> = of("BASIC_AUTH").map(secret).into_iter().collect();
                statements.push(statement("rds:DescribeDBClusterParameters", of_rds("cluster-pg")));
                statements.push(statement("rds:DescribeDBSubnetGroups", of_rds("subgrp")));
                statements
                    .extend(given.some("Cluster").map(|cluster| statement("rds:DescribeDBClusters", cluster.clone())));
                statements.push(statement(
                    "ec2:CreateNetworkInterface ec2:DescribeNetworkInterfaces ec2:DeleteNetworkInterface ec2:DescribeVpcs \
                     ec2:DescribeSubnets ec2:DescribeSecurityGroups",
                    at.text("*"),
                ));
                ("SamAutoGeneratedDocumentDBPolicy".into(), statements)
            }
            "" => {
                let found: Vec<Value> =
                    configurations.iter().filter_map(|item| item.some("URI").cloned().map(secret)).collect();
                ("SelfManagedKafkaExecutionRolePolicy".to_owned(), found)
            }
            _ => ("MSKExecutionRolePolicy".into(), of("CLIENT_CERTIFICATE_TLS_AUTH").map(secret).into_iter().collect()),
        };
        if !statements.is_empty() {
            let document = at.map([("Statement", at.list(statements))]);
            making.allow(at.map([("PolicyName", at.text(name)), ("PolicyDocument", document)]));
        }
    }

    /// A subscription, with a queue in between where the event asks for one.
    fn sns(&mut self, making: &mut Making<'_>, id: &str, given: &Value) {
        let at = &given.at;
        let Some(topic) = given.some("Topic").cloned() else {
            if given.get("Topic").is_none() {
                self.scope.report(
                    Code::MissingKey,
                    at,
                    format!("an SNS event of {} has no `Topic`", making.resource.id),
                    "add `Topic:`",
                );
            }
            return;
        };
        let mut made = passed(
            given,
            &[
                ("Region", "Region"),
                ("FilterPolicy", "FilterPolicy"),
                ("FilterPolicyScope", "FilterPolicyScope"),
                ("RedrivePolicy", "RedrivePolicy"),
            ],
        );
        made.push(("TopicArn".into(), topic.clone()));
        let queue = given.some("SqsSubscription").filter(|value| value.truth() != Some(false));
        let Some(queue) = queue else {
            made.push(("Protocol".into(), at.text("lambda")));
            made.push(("Endpoint".into(), at.text(making.invoked.clone())));
            self.permit(id, &making.invoked, "sns.amazonaws.com", Some(topic), at);
            return self.make(id, "AWS::SNS::Subscription", at, at.map(made));
        };
        let (arn, url) = match (queue.some("QueueArn"), queue.some("QueueUrl")) {
            (Some(arn), Some(url)) => (arn.clone(), url.clone()),
            _ if queue.truth() == Some(true) => {
                let queue_id = format!("{id}Queue");
                let fifo = topic.text().is_some_and(|topic| topic.ends_with(".fifo"));
                let own = fifo.then(|| ("FifoQueue", at.value(Kind::Bool(true))));
                self.make(&queue_id, "AWS::SQS::Queue", at, at.map(own));
                let name = self.scope.names.get(&queue_id).map_or(queue_id.clone(), |thing| thing.name.clone());
                (at.text(self.arn(ResourceKind::Queue, &queue_id)), at.text(self.scope.location().queue_url(&name)))
            }
            _ => {
                return self.refuse(
                    at,
                    "`SqsSubscription` needs `QueueArn` and `QueueUrl`",
                    "or `true`, and SAM makes a queue",
                );
            }
        };
        made.push(("Protocol".into(), at.text("sqs")));
        made.push(("Endpoint".into(), arn.clone()));
        self.make(id, "AWS::SNS::Subscription", at, at.map(made));
        self.admit(&format!("{id}QueuePolicy"), "sns.amazonaws.com", &arn, url, topic, at);
        let mut mapping = vec![("Queue", arn), ("Enabled", at.value(Kind::Bool(true)))];
        mapping.push(("BatchSize", queue.some("BatchSize").cloned().unwrap_or_else(|| at.value(Kind::Int(10)))));
        let mapping = at.map(mapping);
        self.mapping(
            making,
            &format!("{id}EventSourceMapping"),
            &mapping,
            "Queue",
            Some("service-role/AWSLambdaSQSQueueExecutionRole"),
        );
    }

    /// A queue's policy that lets a service send to it for one source.
    pub(super) fn admit(&mut self, id: &str, service: &str, arn: &Value, url: Value, source: Value, at: &Spot) {
        // For a topic SAM names no service, only the source.
        let principal = match service {
            "sns.amazonaws.com" => at.text("*"),
            _ => at.map([("Service", at.text(service))]),
        };
        let statement = at.map([
            ("Effect", at.text("Allow")),
            ("Principal", principal),
            ("Action", at.text("sqs:SendMessage")),
            ("Resource", arn.clone()),
            ("Condition", at.map([("ArnEquals", at.map([("aws:SourceArn", source)]))])),
        ]);
        let document = at.map([("Statement", at.list([statement]))]);
        self.make(id, "AWS::SQS::QueuePolicy", at, at.map([("Queues", at.list([url])), ("PolicyDocument", document)]));
    }

    /// A route of an api, written into the api when all functions are known.
    fn route(&mut self, making: &mut Making<'_>, id: &str, given: &Value, key: &str, implied: &str) {
        let at = &given.at;
        let rest = key == "RestApiId";
        let method = given.some("Method").and_then(Value::plain).unwrap_or_else(|| "ANY".into());
        let path = given.some("Path").and_then(Value::plain);
        if rest && path.is_none() {
            let what = format!("an Api event of {} has no `Path`", making.resource.id);
            return self.scope.report(Code::MissingKey, at, what, "add `Path:`");
        }
        let api = match given.some(key) {
            None => implied.to_owned(),
            Some(api) => match self.scope.names.find(ResourceKind::Api, api) {
                Some(name) => name.to_owned(),
                None => {
                    let what = format!("the api of this event of {} is not in the template", making.resource.id);
                    return self.scope.report(Code::NotModelled, at, what, "its route is left out");
                }
            },
        };
        let path = path.unwrap_or_else(|| "$default".into());
        let function = making.invoked.clone();
        let timeout = given.some("TimeoutInMillis").cloned();
        let source = self.scope.location().arn(ResourceKind::Api, &format!("{api}/*/*"));
        self.permit(id, &function, "apigateway.amazonaws.com", Some(at.text(source)), at);
        self.routes.entry(api).or_default().push(Route { method, path, function, timeout, at: at.clone() });
    }

    /// A rule of EventBridge, with the queue that SAM makes for events that cannot be delivered.
    pub(super) fn rule(&mut self, id: &str, kind: &str, given: &Value, at: &Spot, target: &str) {
        let mut made = passed(
            given,
            &[
                ("Schedule", "ScheduleExpression"),
                ("Pattern", "EventPattern"),
                ("EventBusName", "EventBusName"),
                ("State", "State"),
                ("Description", "Description"),
            ],
        );
        made.extend(passed(given, &[(if kind == "Schedule" { "Name" } else { "RuleName" }, "Name")]));
        if given.some("Enabled").and_then(Value::truth) == Some(false) {
            made.push(("State".into(), at.text("DISABLED")));
        }
        let name = self.scope.names.get(id).map_or(id.to_owned(), |thing| thing.name.clone());
        let location = self.scope.location();
        let rule = format!("arn:{}:events:{}:{}:rule/{name}", location.partition, location.region, location.account_id);
        let mut aim = vec![("Arn", at.text(target)), ("Id", at.text(format!("{id}Target")))];
        if let Some(arn) = self.undelivered(id, given, at, Some(&rule)) {
            aim.push(("DeadLetterConfig", at.map([("Arn", arn)])));
        }
        made.push(("Targets".into(), at.list([at.map(aim)])));
        self.make(id, "AWS::Events::Rule", at, at.map(made));
        if target.contains(":function:") {
            self.permit(id, target, "events.amazonaws.com", Some(at.text(rule)), at);
        }
    }

    /// The dead-letter queue of a rule or a schedule: given, or made.
    fn undelivered(&mut self, id: &str, given: &Value, at: &Spot, rule: Option<&str>) -> Option<Value> {
        let config = given.some("DeadLetterConfig")?;
        if let Some(arn) = config.some("Arn") {
            return Some(arn.clone());
        }
        let queue =
            config.get("QueueLogicalId").and_then(Value::text).map_or_else(|| format!("{id}Queue"), str::to_owned);
        self.make(&queue, "AWS::SQS::Queue", at, at.value(Kind::Map(Vec::new())));
        let arn = at.text(self.arn(ResourceKind::Queue, &queue));
        if let Some(rule) = rule {
            let name = self.scope.names.get(&queue).map_or(queue.clone(), |thing| thing.name.clone());
            let url = at.text(self.scope.location().queue_url(&name));
            self.admit(&format!("{id}QueuePolicy"), "events.amazonaws.com", &arn, url, at.text(rule), at);
        }
        Some(arn)
    }

    /// A schedule of EventBridge Scheduler, with the role as which it invokes.
    pub(super) fn schedule(&mut self, id: &str, given: &Value, at: &Spot, target: &str, action: &str, suffix: &str) {
        let dead = self.undelivered(id, given, at, None);
        let role = match given.some("RoleArn") {
            Some(role) => role.clone(),
            None => {
                let mut policies = vec![policy(at, &format!("{id}{suffix}"), action, at.text(target))];
                policies.extend(dead.map(|arn| policy(at, &format!("{id}SQSPolicy"), "sqs:SendMessage", arn)));
                let mut role = passed(given, &[("PermissionsBoundary", "PermissionsBoundary")]);
                role.push(("Policies".into(), at.list(policies)));
                let role_id = format!("{id}Role");
                self.make(&role_id, "AWS::IAM::Role", at, at.map(role));
                at.text(self.arn(ResourceKind::Role, &role_id))
            }
        };
        let mut made = passed(given, &[("State", "State"), ("ScheduleExpression", "ScheduleExpression")]);
        made.push(("Target".into(), at.map([("Arn", at.text(target)), ("RoleArn", role)])));
        self.make(id, "AWS::Scheduler::Schedule", at, at.map(made));
    }

    /// A notification of a bucket of this template.
    fn notification(&mut self, id: &str, given: &Value, at: &Spot, function: &str) {
        self.permit(id, function, "s3.amazonaws.com", None, at);
        let bucket = given.some("Bucket").and_then(Value::plain);
        let found = self.scope.resources.iter().find(|resource| {
            resource.kind == "AWS::S3::Bucket"
                && self.scope.names.get(&resource.id).is_some_and(|thing| Some(&thing.name) == bucket.as_ref())
        });
        let Some(found) = found.map(|resource| resource.id.clone()) else {
            return self.refuse(at, "the bucket of an S3 event must be in the same template", "SAM refuses any other");
        };
        let events = given.some("Events").map(Value::each).unwrap_or_default();
        for event in events {
            let function = at.map([("Event", event.clone()), ("Function", at.text(function))]);
            self.extend(&found, &["NotificationConfiguration", "LambdaConfigurations"], function);
        }
    }

    /// A trigger of a user pool of this template.
    fn trigger(&mut self, id: &str, given: &Value, at: &Spot, function: &str) {
        self.permit(id, function, "cognito-idp.amazonaws.com", None, at);
        let pool = given.some("UserPool").and_then(Value::plain);
        let location = self.scope.location();
        let found = self.scope.resources.iter().find(|resource| {
            let thing = self.scope.names.get(&resource.id);
            let reference = thing.and_then(|thing| thing.reference(location));
            resource.kind == "AWS::Cognito::UserPool" && reference.is_some_and(|kind| at.value(kind).plain() == pool)
        });
        let Some(found) = found.map(|resource| resource.id.clone()) else {
            return self.refuse(
                at,
                "the user pool of a Cognito event must be in the same template",
                "SAM refuses any other",
            );
        };
        for trigger in given.some("Trigger").map(Value::each).unwrap_or_default() {
            let word = trigger.plain().unwrap_or_default();
            let path = vec!["LambdaConfig".into(), word];
            self.late.push(Late { id: found.clone(), path, value: at.text(function), joins: false });
        }
    }

    /// Adds to a list of another resource, when all are there.
    fn extend(&mut self, id: &str, path: &[&str], value: Value) {
        let path = path.iter().map(|step| (*step).to_owned()).collect();
        self.late.push(Late { id: id.to_owned(), path, value, joins: true });
    }
}
