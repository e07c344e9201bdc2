//! Types of SAM.

use super::{Row, Type};
use Row::{In, NoEffect, Read, Warned};

const NETWORK: &str = "networks are not modelled";
const ENCRYPTION: &str = "encryption is not modelled";
const CODE: &str = "what a function is made of is not modelled";
const LOGS: &str = "logs are not modelled";
const LABEL: &str = "it only labels or describes";
const DEPLOYMENT: &str = "a deployment is not modelled";
const SHAPE: &str = "the shape of data is not modelled";

const DESTINATION: &[Row] = &[Read(&["Type", "Destination"])];

/// One end of a connector.
pub(super) const END: &[Row] =
    &[Read(&["Id", "Qualifier", "Type", "Arn", "RoleName", "QueueUrl", "ResourceId", "Name"])];

pub(super) const CONNECTOR: &[Row] = &[
    Read(&["Permissions"]),
    Row::Each("Source", END),
    Row::Each("Destination", END),
    Row::Each("SourceReference", END),
];

pub(super) const TYPES: &[Type] = &[
    Type {
        name: "AWS::Serverless::Function",
        rows: &[
            Read(&[
                "FunctionName",
                "Runtime",
                "Role",
                "Policies",
                "MemorySize",
                "Timeout",
                "ReservedConcurrentExecutions",
                "RecursiveLoop",
                "Tags",
                "AutoPublishAlias",
                "PermissionsBoundary",
                "Tracing",
                "VpcConfig",
                "PackageType",
                "AssumeRolePolicyDocument",
                "Events",
            ]),
            In("Environment", &[Read(&["Variables"])]),
            In("DeadLetterQueue", &[Read(&["Type", "TargetArn"])]),
            In(
                "EventInvokeConfig",
                &[
                    Read(&["MaximumRetryAttempts", "MaximumEventAgeInSeconds"]),
                    In("DestinationConfig", &[In("OnFailure", DESTINATION), In("OnSuccess", DESTINATION)]),
                ],
            ),
            In(
                "FunctionUrlConfig",
                &[NoEffect(
                    "drive the function with `traffic:` in the traffic file",
                    &["AuthType", "Cors", "InvokeMode"],
                )],
            ),
            NoEffect(
                CODE,
                &[
                    "Handler",
                    "CodeUri",
                    "InlineCode",
                    "ImageUri",
                    "ImageConfig",
                    "Layers",
                    "Architectures",
                    "CodeSigningConfigArn",
                    "EphemeralStorage",
                    "FileSystemConfigs",
                    "RuntimeManagementConfig",
                ],
            ),
            NoEffect(ENCRYPTION, &["KmsKeyArn", "SourceKMSKeyArn"]),
            NoEffect(LOGS, &["LoggingConfig"]),
            NoEffect(LABEL, &["Description", "VersionDescription", "PropagateTags", "RolePath"]),
            NoEffect(
                DEPLOYMENT,
                &[
                    "DeploymentPreference",
                    "AutoPublishCodeSha256",
                    "AutoPublishAliasAllProperties",
                    "VersionDeletionPolicy",
                    "PublishToLatestPublished",
                ],
            ),
            Warned("cold starts take as long as without it", &["SnapStart"]),
            In("ProvisionedConcurrencyConfig", super::plain::PROVISIONED),
            Warned("executions that last beyond one invocation are not modelled", &["DurableConfig"]),
            Warned("all tenants share one pool of environments in the model", &["TenancyConfig"]),
            Warned(
                "it scales like an ordinary function in the model",
                &["CapacityProviderConfig", "FunctionScalingConfig"],
            ),
        ],
    },
    Type {
        name: "AWS::Serverless::Api",
        rows: &[
            Read(&["Name", "StageName", "DefinitionBody", "DefinitionUri", "MergeDefinitions", "Tags"]),
            NoEffect(
                LABEL,
                &["Description", "OpenApiVersion", "FailOnWarnings", "Mode", "PropagateTags", "ApiKeySourceType"],
            ),
            NoEffect(
                NETWORK,
                &[
                    "EndpointConfiguration",
                    "Domain",
                    "Cors",
                    "DisableExecuteApiEndpoint",
                    "SecurityPolicy",
                    "EndpointAccessMode",
                ],
            ),
            NoEffect(SHAPE, &["BinaryMediaTypes", "MinimumCompressionSize", "Models", "GatewayResponses"]),
            NoEffect(LOGS, &["AccessLogSetting", "TracingEnabled"]),
            NoEffect(DEPLOYMENT, &["CanarySetting", "AlwaysDeploy"]),
            Warned("no request is refused by an authorizer, a key or a policy in the model", &["Auth"]),
            Warned("every request reaches its function", &["CacheClusterEnabled", "CacheClusterSize"]),
            Warned("integrations that use stage variables are not known", &["Variables"]),
            Warned("the stage has no limits of its own in the model", &["MethodSettings"]),
        ],
    },
    Type {
        name: "AWS::Serverless::HttpApi",
        rows: &[
            Read(&["Name", "StageName", "DefinitionBody", "DefinitionUri", "Tags"]),
            NoEffect(LABEL, &["Description", "FailOnWarnings", "PropagateTags"]),
            NoEffect(NETWORK, &["CorsConfiguration", "Domain", "DisableExecuteApiEndpoint"]),
            NoEffect(LOGS, &["AccessLogSettings"]),
            Warned("no request is refused by an authorizer in the model", &["Auth"]),
            Warned("integrations that use stage variables are not known", &["StageVariables"]),
            Warned("the stage has no limits of its own in the model", &["DefaultRouteSettings", "RouteSettings"]),
        ],
    },
    Type {
        name: "AWS::Serverless::SimpleTable",
        rows: &[
            Read(&["TableName", "Tags"]),
            In("ProvisionedThroughput", &[Read(&["ReadCapacityUnits", "WriteCapacityUnits"])]),
            NoEffect(SHAPE, &["PrimaryKey"]),
            NoEffect(ENCRYPTION, &["SSESpecification"]),
            NoEffect("nothing is deleted here", &["PointInTimeRecoverySpecification"]),
        ],
    },
    Type {
        name: "AWS::Serverless::StateMachine",
        rows: &[
            Read(&[
                "Name",
                "Role",
                "Policies",
                "Tags",
                "PermissionsBoundary",
                "Tracing",
                "AssumeRolePolicyDocument",
                "Events",
            ]),
            NoEffect(
                "what state machines do is not modelled",
                &[
                    "Definition",
                    "DefinitionUri",
                    "DefinitionSubstitutions",
                    "Type",
                    "Logging",
                    "AutoPublishAlias",
                    "UseAliasAsEventTarget",
                    "DeploymentPreference",
                ],
            ),
            NoEffect(LABEL, &["RolePath", "PropagateTags"]),
        ],
    },
    Type { name: "AWS::Serverless::Connector", rows: CONNECTOR },
    Type {
        name: "AWS::Serverless::Application",
        rows: &[Read(&["Location", "Parameters"]), NoEffect(LABEL, &["Tags", "NotificationARNs", "TimeoutInMinutes"])],
    },
];
