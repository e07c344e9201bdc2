//! Policies that AWS manages, as far as the model needs to know them: what they allow of the services in it.

/// What a policy of AWS allows, by its name or its ARN. `None`: it is not known here, and taken to allow everything.
pub fn actions(policy: &str) -> Option<&'static [&'static str]> {
    Some(match policy.rsplit('/').next().unwrap_or(policy) {
        "AWSLambdaBasicExecutionRole"
        | "AWSLambdaBasicDurableExecutionRolePolicy"
        | "CloudWatchLogsFullAccess"
        | "CloudWatchLambdaInsightsExecutionRolePolicy" => &["logs:*"],
        "AWSLambdaSQSQueueExecutionRole" => {
            &["logs:*", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        }
        "AWSLambdaDynamoDBExecutionRole" => &[
            "logs:*",
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
        ],
        "AWSLambdaKinesisExecutionRole" => &["logs:*", "kinesis:*"],
        "AWSLambdaMSKExecutionRole" => &["logs:*", "kafka:*", "ec2:*"],
        "AWSLambdaVPCAccessExecutionRole" | "AWSLambdaENIManagementAccess" => &["logs:*", "ec2:*"],
        "AWSXRayDaemonWriteAccess" | "AWSXrayWriteOnlyAccess" | "AWSXrayFullAccess" => &["xray:*"],
        "AWSLambdaRole" => &["lambda:InvokeFunction"],
        "AWSLambdaExecute" => &["logs:*", "s3:GetObject", "s3:PutObject"],
        "AWSLambda_ReadOnlyAccess" => &["lambda:Get*", "lambda:List*"],
        "AWSLambda_FullAccess" => &["lambda:*", "logs:*", "xray:*", "states:*", "s3:ListAllMyBuckets"],
        "AmazonSQSFullAccess" => &["sqs:*"],
        "AmazonSQSReadOnlyAccess" => {
            &["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListDeadLetterSourceQueues", "sqs:ListQueues"]
        }
        "AmazonSNSFullAccess" => &["sns:*"],
        "AmazonSNSReadOnlyAccess" => &["sns:Get*", "sns:List*"],
        "AmazonDynamoDBFullAccess" | "AmazonDynamoDBFullAccess_v2" => &["dynamodb:*"],
        "AmazonDynamoDBReadOnlyAccess" => &[
            "dynamodb:BatchGetItem",
            "dynamodb:Describe*",
            "dynamodb:GetItem",
            "dynamodb:List*",
            "dynamodb:Query",
            "dynamodb:Scan",
            "dynamodb:PartiQLSelect",
        ],
        "AmazonSSMReadOnlyAccess" => &["ssm:Describe*", "ssm:Get*", "ssm:List*"],
        "AmazonSSMFullAccess" => &["ssm:*"],
        "AmazonS3FullAccess" | "AmazonS3ReadOnlyAccess" => &["s3:*"],
        "SecretsManagerReadWrite" => &["secretsmanager:*"],
        "AmazonEventBridgeFullAccess" => &["events:*", "schemas:*", "scheduler:*", "pipes:*"],
        "AWSStepFunctionsFullAccess" => &["states:*"],
        "AmazonAPIGatewayInvokeFullAccess" => &["execute-api:*"],
        "AmazonAPIGatewayPushToCloudWatchLogs" => &["logs:*"],
        "AmazonKinesisFullAccess" => &["kinesis:*"],
        "AmazonSESFullAccess" => &["ses:*"],
        "AmazonBedrockFullAccess" => &["bedrock:*"],
        "CloudWatchFullAccess" | "CloudWatchFullAccessV2" => &["cloudwatch:*", "logs:*"],
        "AWSCodeDeployRoleForLambda" | "AWSCodeDeployRoleForLambdaLimited" => {
            &["codedeploy:*", "lambda:InvokeFunction", "lambda:UpdateAlias"]
        }
        "AdministratorAccess" => &["*"],
        _ => return None,
    })
}
