//! Types of CloudFormation.

use super::{Row, Type};
use Row::{Each, In, NoEffect, Read, Warned};

const NETWORK: &str = "networks are not modelled";
const ENCRYPTION: &str = "encryption is not modelled";
const CODE: &str = "what a function is made of is not modelled";
const LOGS: &str = "logs are not modelled";
const LABEL: &str = "it only labels or describes";
const DEPLOYMENT: &str = "a deployment is not modelled";
const ACTIONS: &str = "actions of alarms are not modelled";
const SHAPE: &str = "the shape of data is not modelled";

const VERSION: &str = "a version is the same code with the same configuration";

pub(super) const PROVISIONED: &[Row] = &[Read(&["ProvisionedConcurrentExecutions"])];

/// A policy document.
const DOCUMENT: &[Row] = &[
    Each(
        "Statement",
        &[
            Read(&[
                "Effect",
                "Action",
                "NotAction",
                "Resource",
                "NotResource",
                "Condition",
                "Principal",
                "NotPrincipal",
            ]),
            NoEffect(LABEL, &["Sid"]),
        ],
    ),
    NoEffect(LABEL, &["Version", "Id"]),
];

pub(super) const TARGET: &[Row] = &[Read(&["Destination"])];

pub(super) const TYPES: &[Type] = &[
    Type {
        name: "AWS::SQS::Queue",
        rows: &[
            Read(&[
                "QueueName",
                "FifoQueue",
                "VisibilityTimeout",
                "DelaySeconds",
                "MessageRetentionPeriod",
                "MaximumMessageSize",
                "DeduplicationScope",
                "FifoThroughputLimit",
                "Tags",
            ]),
            In("RedrivePolicy", &[Read(&["deadLetterTargetArn", "maxReceiveCount"])]),
            In("RedriveAllowPolicy", &[Read(&["redrivePermission", "sourceQueueArns"])]),
            NoEffect(ENCRYPTION, &["KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"]),
            NoEffect("pollers wait as Lambda's do", &["ReceiveMessageWaitTimeSeconds"]),
            NoEffect("no message is sent twice by its sender", &["ContentBasedDeduplication"]),
        ],
    },
    Type { name: "AWS::SQS::QueuePolicy", rows: &[Read(&["Queues"]), In("PolicyDocument", DOCUMENT)] },
    Type {
        name: "AWS::SNS::Topic",
        rows: &[
            Read(&["TopicName", "Tags", "FifoTopic"]),
            Each("Subscription", &[Read(&["Protocol", "Endpoint"])]),
            NoEffect(LABEL, &["DisplayName", "TracingConfig", "SignatureVersion"]),
            NoEffect(ENCRYPTION, &["KmsMasterKeyId", "DataProtectionPolicy"]),
            NoEffect(LOGS, &["DeliveryStatusLogging"]),
            NoEffect("no message is published twice by its publisher", &["ContentBasedDeduplication"]),
            NoEffect("its limits are above what is modelled", &["FifoThroughputScope"]),
            NoEffect("nothing is replayed", &["ArchivePolicy"]),
        ],
    },
    Type { name: "AWS::SNS::TopicPolicy", rows: &[Read(&["Topics"]), In("PolicyDocument", DOCUMENT)] },
    Type {
        name: "AWS::SNS::Subscription",
        rows: &[
            Read(&["TopicArn", "Protocol", "Endpoint"]),
            Warned("every message is delivered, whatever it says", &["FilterPolicy", "FilterPolicyScope"]),
            Warned("deliveries to queues and functions do not fail in the model", &["RedrivePolicy", "DeliveryPolicy"]),
            NoEffect("bodies are not modelled", &["RawMessageDelivery"]),
            NoEffect("one region is modelled", &["Region"]),
            NoEffect("it is for streams of Firehose", &["SubscriptionRoleArn", "ReplayPolicy"]),
        ],
    },
    Type {
        name: "AWS::Lambda::Function",
        rows: &[
            Read(&[
                "FunctionName",
                "Runtime",
                "Role",
                "MemorySize",
                "Timeout",
                "ReservedConcurrentExecutions",
                "RecursiveLoop",
                "Tags",
                "PackageType",
            ]),
            In("Environment", &[Read(&["Variables"])]),
            In("DeadLetterConfig", &[Read(&["TargetArn"])]),
            NoEffect(
                CODE,
                &[
                    "Handler",
                    "Code",
                    "Layers",
                    "ImageConfig",
                    "Architectures",
                    "CodeSigningConfigArn",
                    "EphemeralStorage",
                    "FileSystemConfigs",
                    "RuntimeManagementConfig",
                ],
            ),
            NoEffect(NETWORK, &["VpcConfig"]),
            NoEffect(ENCRYPTION, &["KmsKeyArn"]),
            NoEffect(LOGS, &["LoggingConfig", "TracingConfig"]),
            NoEffect(LABEL, &["Description"]),
            NoEffect(DEPLOYMENT, &["PublishToLatestPublished"]),
            Warned("cold starts take as long as without it", &["SnapStart"]),
            Warned("executions that last beyond one invocation are not modelled", &["DurableConfig"]),
            Warned("all tenants share one pool of environments in the model", &["TenancyConfig"]),
            Warned(
                "it scales like an ordinary function in the model",
                &["CapacityProviderConfig", "FunctionScalingConfig"],
            ),
        ],
    },
    Type {
        name: "AWS::Lambda::Alias",
        rows: &[
            Read(&["FunctionName", "Name", "FunctionVersion"]),
            NoEffect(VERSION, &["RoutingConfig"]),
            NoEffect(LABEL, &["Description"]),
            In("ProvisionedConcurrencyConfig", PROVISIONED),
        ],
    },
    Type {
        name: "AWS::Lambda::Version",
        rows: &[
            Read(&["FunctionName"]),
            NoEffect(VERSION, &["CodeSha256", "RuntimePolicy", "FunctionScalingConfig"]),
            NoEffect(LABEL, &["Description"]),
            In("ProvisionedConcurrencyConfig", PROVISIONED),
        ],
    },
    Type {
        name: "AWS::Lambda::Url",
        rows: &[
            Read(&["TargetFunctionArn"]),
            NoEffect(
                "drive the function with `traffic:` in the traffic file",
                &["AuthType", "Cors", "InvokeMode", "Qualifier"],
            ),
        ],
    },
    Type {
        name: "AWS::Lambda::Permission",
        rows: &[
            Read(&["FunctionName", "Action", "Principal", "SourceArn"]),
            NoEffect(
                "one account is modelled",
                &[
                    "SourceAccount",
                    "PrincipalOrgID",
                    "EventSourceToken",
                    "FunctionUrlAuthType",
                    "InvokedViaFunctionUrl",
                ],
            ),
        ],
    },
    Type {
        name: "AWS::Lambda::EventInvokeConfig",
        rows: &[
            Read(&["FunctionName", "MaximumRetryAttempts", "MaximumEventAgeInSeconds"]),
            NoEffect("events are invoked through one name", &["Qualifier"]),
            In("DestinationConfig", &[In("OnFailure", TARGET), In("OnSuccess", TARGET)]),
        ],
    },
    Type {
        name: "AWS::Lambda::EventSourceMapping",
        rows: &[
            Read(&[
                "EventSourceArn",
                "FunctionName",
                "Enabled",
                "BatchSize",
                "MaximumBatchingWindowInSeconds",
                "FunctionResponseTypes",
                "StartingPosition",
                "SelfManagedEventSource",
                "Tags",
            ]),
            In("ScalingConfig", &[Read(&["MaximumConcurrency"])]),
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
                    "DestinationConfig",
                ],
            ),
            NoEffect(
                "brokers are not modelled",
                &[
                    "Topics",
                    "Queues",
                    "SourceAccessConfigurations",
                    "AmazonManagedKafkaEventSourceConfig",
                    "SelfManagedKafkaEventSourceConfig",
                    "DocumentDBEventSourceConfig",
                ],
            ),
            NoEffect(ENCRYPTION, &["KmsKeyArn"]),
            NoEffect(LOGS, &["MetricsConfig", "LoggingConfig"]),
        ],
    },
    Type {
        name: "AWS::IAM::Role",
        rows: &[
            Read(&["RoleName", "ManagedPolicyArns", "PermissionsBoundary", "AssumeRolePolicyDocument", "Tags"]),
            Each("Policies", &[Read(&["PolicyName"]), In("PolicyDocument", DOCUMENT)]),
            NoEffect(LABEL, &["Description", "Path", "MaxSessionDuration"]),
        ],
    },
    Type {
        name: "AWS::IAM::Policy",
        rows: &[
            Read(&["PolicyName", "Roles"]),
            In("PolicyDocument", DOCUMENT),
            NoEffect("users and groups are not modelled", &["Users", "Groups"]),
        ],
    },
    Type { name: "AWS::IAM::RolePolicy", rows: &[Read(&["PolicyName", "RoleName"]), In("PolicyDocument", DOCUMENT)] },
    Type {
        name: "AWS::IAM::ManagedPolicy",
        rows: &[
            Read(&["ManagedPolicyName", "Roles"]),
            In("PolicyDocument", DOCUMENT),
            NoEffect("users and groups are not modelled", &["Users", "Groups"]),
            NoEffect(LABEL, &["Description", "Path"]),
        ],
    },
    Type { name: "AWS::DynamoDB::Table", rows: TABLE },
    Type { name: "AWS::DynamoDB::GlobalTable", rows: GLOBAL_TABLE },
    Type {
        name: "AWS::SSM::Parameter",
        rows: &[
            Read(&["Name", "Value", "Tags"]),
            NoEffect(LABEL, &["Type", "Description", "Tier", "AllowedPattern", "DataType", "Policies"]),
        ],
    },
    Type {
        name: "AWS::CloudWatch::Alarm",
        rows: &[
            Read(&[
                "AlarmName",
                "Namespace",
                "MetricName",
                "Dimensions",
                "Statistic",
                "ExtendedStatistic",
                "Period",
                "EvaluationPeriods",
                "DatapointsToAlarm",
                "Threshold",
                "ComparisonOperator",
                "TreatMissingData",
                "Unit",
                "ActionsEnabled",
                "Tags",
                "Metrics",
                "ThresholdMetricId",
                "EvaluationCriteria",
                "EvaluationWindow",
            ]),
            NoEffect(ACTIONS, &["AlarmActions", "OKActions", "InsufficientDataActions", "ActionConfiguration"]),
            NoEffect("alarms of the sandbox are older than their warm-up", &["WarmUpConfiguration"]),
            NoEffect("alarms on PromQL are not modelled", &["EvaluationInterval"]),
            NoEffect(LABEL, &["AlarmDescription"]),
            NoEffect("percentiles of few samples are taken as they are", &["EvaluateLowSampleCountPercentile"]),
        ],
    },
    Type {
        name: "AWS::CloudWatch::CompositeAlarm",
        rows: &[
            Read(&["AlarmName", "AlarmRule", "ActionsEnabled", "ActionsSuppressor", "Tags"]),
            NoEffect(
                ACTIONS,
                &[
                    "AlarmActions",
                    "OKActions",
                    "InsufficientDataActions",
                    "ActionsSuppressorExtensionPeriod",
                    "ActionsSuppressorWaitPeriod",
                ],
            ),
            NoEffect(LABEL, &["AlarmDescription"]),
        ],
    },
    Type {
        name: "AWS::CloudWatch::AlarmMuteRule",
        rows: &[
            Read(&["Name"]),
            In("Rule", &[In("Schedule", &[Read(&["Expression", "Duration"]), NoEffect(ACTIONS, &["Timezone"])])]),
            In("MuteTargets", &[Read(&["AlarmNames"])]),
            NoEffect(ACTIONS, &["StartDate", "ExpireDate"]),
            NoEffect(LABEL, &["Description", "Tags"]),
        ],
    },
    Type {
        name: "AWS::ApiGateway::RestApi",
        rows: &[
            Read(&["Name", "Body", "BodyS3Location", "Tags"]),
            NoEffect(LABEL, &["Description", "Mode", "FailOnWarnings", "CloneFrom", "Parameters", "ApiKeySourceType"]),
            NoEffect(SHAPE, &["BinaryMediaTypes", "MinimumCompressionSize"]),
            NoEffect(
                NETWORK,
                &["EndpointConfiguration", "DisableExecuteApiEndpoint", "SecurityPolicy", "EndpointAccessMode"],
            ),
            Warned("no request is refused by it in the model", &["Policy"]),
        ],
    },
    Type { name: "AWS::ApiGateway::Resource", rows: &[Read(&["ParentId", "PathPart", "RestApiId"])] },
    Type {
        name: "AWS::ApiGateway::Method",
        rows: &[
            Read(&["HttpMethod", "ResourceId", "RestApiId", "Integration"]),
            NoEffect(SHAPE, &["MethodResponses", "RequestModels", "RequestParameters", "RequestValidatorId"]),
            NoEffect(LABEL, &["OperationName"]),
            NoEffect(
                "no request is refused by an authorizer in the model",
                &["ApiKeyRequired", "AuthorizationScopes", "AuthorizationType", "AuthorizerId"],
            ),
        ],
    },
    Type { name: "AWS::ApiGateway::Stage", rows: STAGE },
    Type {
        name: "AWS::ApiGatewayV2::Api",
        rows: &[
            Read(&["Name", "Body", "BodyS3Location", "ProtocolType", "Target", "RouteKey", "Tags"]),
            NoEffect(
                LABEL,
                &[
                    "Description",
                    "Version",
                    "FailOnWarnings",
                    "BasePath",
                    "ApiKeySelectionExpression",
                    "DisableSchemaValidation",
                    "RouteSelectionExpression",
                ],
            ),
            NoEffect(NETWORK, &["CorsConfiguration", "DisableExecuteApiEndpoint", "IpAddressType"]),
            NoEffect("API Gateway may invoke what the template lets it", &["CredentialsArn"]),
        ],
    },
    Type {
        name: "AWS::ApiGatewayV2::Route",
        rows: &[
            Read(&["ApiId", "RouteKey", "Target"]),
            NoEffect(
                "no request is refused by an authorizer in the model",
                &["ApiKeyRequired", "AuthorizationScopes", "AuthorizationType", "AuthorizerId"],
            ),
            NoEffect(
                SHAPE,
                &["ModelSelectionExpression", "RequestModels", "RequestParameters", "RouteResponseSelectionExpression"],
            ),
            NoEffect(LABEL, &["OperationName"]),
        ],
    },
    Type {
        name: "AWS::ApiGatewayV2::Integration",
        rows: &[
            Read(&["ApiId", "IntegrationType", "IntegrationUri", "TimeoutInMillis"]),
            NoEffect(
                SHAPE,
                &[
                    "IntegrationMethod",
                    "PayloadFormatVersion",
                    "RequestParameters",
                    "RequestTemplates",
                    "ResponseParameters",
                    "TemplateSelectionExpression",
                    "PassthroughBehavior",
                    "ContentHandlingStrategy",
                    "IntegrationSubtype",
                ],
            ),
            NoEffect(NETWORK, &["ConnectionId", "ConnectionType", "TlsConfig"]),
            NoEffect(LABEL, &["Description"]),
            NoEffect("API Gateway may invoke what the template lets it", &["CredentialsArn"]),
        ],
    },
    Type { name: "AWS::ApiGatewayV2::Stage", rows: STAGE },
];

/// Stages of both kinds of API.
const STAGE: &[Row] = &[
    Read(&["StageName", "RestApiId", "ApiId"]),
    NoEffect(LABEL, &["Description", "DocumentationVersion", "Tags"]),
    NoEffect(DEPLOYMENT, &["DeploymentId", "AutoDeploy", "CanarySetting"]),
    NoEffect(LOGS, &["AccessLogSetting", "AccessLogSettings", "TracingEnabled"]),
    NoEffect(NETWORK, &["ClientCertificateId"]),
    Warned("every request reaches its function", &["CacheClusterEnabled", "CacheClusterSize"]),
    Warned("integrations that use stage variables are not known", &["Variables", "StageVariables"]),
    Warned(
        "the stage has no limits of its own in the model",
        &["MethodSettings", "DefaultRouteSettings", "RouteSettings"],
    ),
];

const TABLE: &[Row] = &[
    Read(&["TableName", "BillingMode", "Tags", "KeySchema"]),
    In("ProvisionedThroughput", &[Read(&["ReadCapacityUnits", "WriteCapacityUnits"])]),
    In("StreamSpecification", &[NoEffect("streams are not modelled", &["StreamViewType", "ResourcePolicy"])]),
    NoEffect(SHAPE, &["AttributeDefinitions"]),
    Warned("a full index does not throttle writes in the model", &["GlobalSecondaryIndexes"]),
    NoEffect("an index of its own costs no writes of its own", &["LocalSecondaryIndexes"]),
    NoEffect(ENCRYPTION, &["SSESpecification"]),
    NoEffect(
        "nothing is deleted here",
        &[
            "PointInTimeRecoverySpecification",
            "DeletionProtectionEnabled",
            "TimeToLiveSpecification",
            "TableClass",
            "ContributorInsightsSpecification",
            "KinesisStreamSpecification",
            "ImportSourceSpecification",
        ],
    ),
    NoEffect("it has no limit unless it is provisioned", &["OnDemandThroughput", "WarmThroughput"]),
    NoEffect("roles are looked at", &["ResourcePolicy"]),
];

const GLOBAL_TABLE: &[Row] = &[
    Read(&["TableName", "BillingMode", "KeySchema"]),
    In(
        "WriteProvisionedThroughputSettings",
        &[In(
            "WriteCapacityAutoScalingSettings",
            &[
                Read(&["MinCapacity"]),
                Warned(
                    "the table stays at its least capacity",
                    &["MaxCapacity", "SeedCapacity", "TargetTrackingScalingPolicyConfiguration"],
                ),
            ],
        )],
    ),
    NoEffect(
        "one region is modelled",
        &[
            "Replicas",
            "MultiRegionConsistency",
            "GlobalTableWitnesses",
            "GlobalTableSourceArn",
            "GlobalTableSettingsReplicationMode",
        ],
    ),
    NoEffect(SHAPE, &["AttributeDefinitions", "StreamSpecification"]),
    Warned("a full index does not throttle writes in the model", &["GlobalSecondaryIndexes"]),
    NoEffect("an index of its own costs no writes of its own", &["LocalSecondaryIndexes"]),
    NoEffect(ENCRYPTION, &["SSESpecification"]),
    NoEffect("nothing is deleted here", &["TimeToLiveSpecification"]),
    NoEffect(
        "it has no limit unless it is provisioned",
        &[
            "WarmThroughput",
            "WriteOnDemandThroughputSettings",
            "ReadOnDemandThroughputSettings",
            "ReadProvisionedThroughputSettings",
        ],
    ),
];
