//! Events of functions and state machines.

use super::Row;
use Row::{In, NoEffect, Read, Warned};

const DRIVE: &str = "drive the function with `traffic:` in the traffic file";
const SHAPE: &str = "the shape of data is not modelled";

pub(super) const EVENT: &[Row] = &[Read(&["Type", "Properties"])];

const ROUTE: &[Row] = &[
    Read(&["Path", "Method", "RestApiId", "ApiId", "TimeoutInMillis"]),
    NoEffect("an api has one stage in the model", &["Stage"]),
    NoEffect(
        SHAPE,
        &[
            "RequestModel",
            "RequestParameters",
            "PayloadFormatVersion",
            "ResponseTransferMode",
            "UnescapeMappingTemplate",
            "RoleArn",
        ],
    ),
    Warned("no request is refused by an authorizer or a key in the model", &["Auth"]),
    Warned("the route has no limits of its own in the model", &["RouteSettings"]),
];

const MAPPING: &[Row] = &[
    Read(&[
        "Queue",
        "Stream",
        "Broker",
        "Cluster",
        "Enabled",
        "BatchSize",
        "MaximumBatchingWindowInSeconds",
        "FunctionResponseTypes",
        "StartingPosition",
        "KafkaBootstrapServers",
    ]),
    In("ScalingConfig", &[Read(&["MaximumConcurrency"])]),
    In("DestinationConfig", &[In("OnFailure", &[Read(&["Type", "Destination"])])]),
    Read(&["SourceAccessConfigurations", "DynamicPolicyName"]),
    Warned("every message is handed over, whatever it says", &["FilterCriteria"]),
    Warned("pollers scale like those of an ordinary mapping", &["ProvisionedPollerConfig"]),
    NoEffect(
        "streams are not modelled",
        &[
            "StartingPositionTimestamp",
            "MaximumRetryAttempts",
            "BisectBatchOnFunctionError",
            "MaximumRecordAgeInSeconds",
            "ParallelizationFactor",
            "TumblingWindowInSeconds",
        ],
    ),
    NoEffect(
        "brokers are not modelled",
        &[
            "Topics",
            "Queues",
            "ConsumerGroupId",
            "SecretsManagerKmsKeyId",
            "SchemaRegistryConfig",
            "DatabaseName",
            "CollectionName",
            "FullDocument",
        ],
    ),
    NoEffect("encryption is not modelled", &["KmsKeyArn"]),
    NoEffect("logs are not modelled", &["MetricsConfig", "LoggingConfig"]),
];

const RULE: &[Row] = &[
    In("DeadLetterConfig", &[Read(&["Arn", "Type", "QueueLogicalId"])]),
    Read(&["State", "Enabled", "Name", "RuleName", "RoleArn", "PermissionsBoundary"]),
    NoEffect(
        DRIVE,
        &[
            "Schedule",
            "ScheduleExpression",
            "ScheduleExpressionTimezone",
            "Pattern",
            "EventBusName",
            "Input",
            "InputPath",
            "InputTransformer",
            "Description",
            "RetryPolicy",
            "Target",
            "StartDate",
            "EndDate",
            "FlexibleTimeWindow",
            "GroupName",
            "KmsKeyArn",
            "OmitName",
        ],
    ),
];

/// The tables by the events' types.
pub(super) const TYPES: &[(&[&str], &[Row])] = &[
    (&["Api", "HttpApi"], ROUTE),
    (&["SQS", "Kinesis", "DynamoDB", "MSK", "MQ", "SelfManagedKafka", "DocumentDB"], MAPPING),
    (
        &["SNS"],
        &[
            Read(&["Topic"]),
            In("SqsSubscription", &[Read(&["QueueArn", "QueueUrl", "QueuePolicyLogicalId", "BatchSize", "Enabled"])]),
            Warned("every message is delivered, whatever it says", &["FilterPolicy", "FilterPolicyScope"]),
            Warned("deliveries to queues and functions do not fail in the model", &["RedrivePolicy"]),
            NoEffect("one region is modelled", &["Region"]),
        ],
    ),
    (&["Schedule", "ScheduleV2", "CloudWatchEvent", "EventBridgeRule"], RULE),
    (&["S3"], &[Read(&["Bucket", "Events"]), NoEffect(DRIVE, &["Filter"])]),
    (&["CloudWatchLogs"], &[NoEffect(DRIVE, &["LogGroupName", "FilterPattern"])]),
    (&["Cognito"], &[Read(&["UserPool", "Trigger"])]),
    (&["IoTRule"], &[NoEffect(DRIVE, &["Sql", "AwsIotSqlVersion"])]),
    (&["AlexaSkill"], &[NoEffect(DRIVE, &["SkillId"])]),
];

/// The table of an event's type.
pub(super) fn rows(kind: &str) -> Option<&'static [Row]> {
    TYPES.iter().find(|(kinds, _)| kinds.contains(&kind)).map(|(_, rows)| *rows)
}
