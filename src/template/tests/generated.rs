//! What tools write: CDK, Serverless Framework, `sam build`; and what SAM and modules make of a template.

use super::*;

/// References to what SAM makes of events and configurations are known when it is made, and errors when it is not.
#[test]
fn what_sam_makes_in_the_end_can_be_referred_to() {
    let text = format!(
        "{SAM}
  F:
    Type: AWS::Serverless::Function
    Properties:
      EventInvokeConfig: {{ MaximumRetryAttempts: 1 }}
      Events:
        Hourly: {{ Type: Schedule, Properties: {{ Schedule: rate(1 hour) }} }}
Outputs:
  Permission: {{ Value: !Ref FHourlyPermission }}
  Config: {{ Value: !Ref FEventInvokeConfig }}
"
    );
    let (_, warnings) = app_and_warnings(&text);
    assert_eq!(warnings.lines().count(), 1, "only that the schedule is not modelled: {warnings}");
    let found = refused(&text.replace("!Ref FHourlyPermission", "!Ref FDailyPermission"));
    assert!(found.contains("the template has no parameter or resource `FDailyPermission`"), "{found}");
}

#[test]
fn resources_of_a_module_are_not_known() {
    let text = "
Resources:
  Store: { Type: Our::Store::Bucket::MODULE, Properties: { Name: x } }
  Jobs: { Type: AWS::SQS::Queue, Properties: { Tags: [{ Key: bucket, Value: !Ref StoreBucket }] } }
  P: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !GetAtt StoreBucket.Arn } }
";
    let (_, warnings) = app_and_warnings(text);
    assert!(warnings.contains("StoreBucket is made by the module Store, which is not read"), "{warnings}");
    assert!(refused(&text.replace("Ref StoreBucket", "Ref SoreBucket")).contains("no parameter or resource"));
}

/// What a deployment needs is not needed by the function: SAM makes a deployment group of it.
#[test]
fn the_alarms_of_a_deployment_may_watch_its_function() {
    let (app, _) = app_and_warnings(&format!(
        "{SAM}
  F:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: live
      DeploymentPreference: {{ Type: Canary10Percent5Minutes, Alarms: [!Ref Errors], Hooks: {{ PreTraffic: !Ref Check }} }}
  Check: {{ Type: AWS::Serverless::Function, Properties: {{ Environment: {{ Variables: {{ NEW: !Ref F.Version }} }} }} }}
  Errors:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/Lambda
      MetricName: Errors
      Dimensions: [{{ Name: FunctionName, Value: !Ref F }}]
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 1
      ComparisonOperator: GreaterThanThreshold
"
    ));
    assert!(app.alarms.contains_key("Errors"));
}

#[test]
fn policies_may_be_json_in_a_text() {
    let app = app(r#"
Resources:
  Dead: { Type: AWS::SQS::Queue, Properties: { RedriveAllowPolicy: '{"redrivePermission": "allowAll"}' } }
  Jobs: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: !Sub '{"deadLetterTargetArn": "${Dead.Arn}", "maxReceiveCount": 4}' } }
  Told: { Type: AWS::SNS::Topic, Properties: { Subscription: [{ Protocol: sqs, Endpoint: !GetAtt Jobs.Arn }] } }
  May:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Jobs]
      PolicyDocument: '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}}'
"#);
    assert_eq!(app.queues["Jobs"].redrive, Some(Redrive { dead_letter: "Dead".into(), max_receive_count: 4 }));
    assert_eq!(app.topics["Told"].to_queues, ["Jobs"]);
    let found = refused("Resources: { Q: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: nothing } } }");
    assert!(found.contains("expected a mapping in `RedrivePolicy` of queue Q"), "{found}");
}

/// A stack of the CDK: parameters and rules of its bootstrap, assets, custom resources, references as texts, and a nested
/// stack whose template lies beside it under the path that its metadata names.
#[test]
fn what_the_cdk_synthesizes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let nested = r#"{"Parameters": {"referencetoParentDlq": {"Type": "String"}}, "Resources": {
        "Inner": {"Type": "AWS::SQS::Queue", "Properties": {"RedrivePolicy": {"deadLetterTargetArn": {"Ref": "referencetoParentDlq"}, "maxReceiveCount": 2}}}},
        "Outputs": {"InnerArn": {"Value": {"Fn::GetAtt": ["Inner", "Arn"]}}}}"#;
    std::fs::write(folder.path().join("Nested.nested.template.json"), nested).unwrap();
    let stack = r#"{
 "Resources": {
  "Dlq0A1B": {"Type": "AWS::SQS::Queue", "UpdateReplacePolicy": "Delete", "DeletionPolicy": "Delete", "Metadata": {"aws:cdk:path": "S/Dlq/Resource"}},
  "WorkRole": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": [{"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}], "Version": "2012-10-17"},
    "ManagedPolicyArns": [{"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]]}]}},
  "WorkPolicy": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "p", "Roles": [{"Ref": "WorkRole"}], "PolicyDocument": {"Statement": [
    {"Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], "Effect": "Allow", "Resource": {"Fn::GetAtt": ["NestedStack", "Outputs.InnerArn"]}}]}}},
  "Work": {"Type": "AWS::Lambda::Function", "DependsOn": ["WorkPolicy", "WorkRole"], "Metadata": {"aws:asset:path": "asset.2819", "aws:asset:property": "Code"},
    "Properties": {"Runtime": "nodejs22.x", "Handler": "i.h", "Role": {"Fn::GetAtt": ["WorkRole", "Arn"]},
    "Code": {"S3Bucket": {"Ref": "AssetParametersabcS3Bucket"}, "S3Key": {"Fn::Join": ["", [{"Fn::Select": [0, {"Fn::Split": ["||", {"Ref": "AssetParametersabcS3VersionKey"}]}]}]]}}}},
  "Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"FunctionName": {"Ref": "Work"}, "EventSourceArn": {"Fn::GetAtt": "NestedStack.Outputs.InnerArn"}}},
  "NestedStack": {"Type": "AWS::CloudFormation::Stack", "Metadata": {"aws:asset:path": "Nested.nested.template.json", "aws:asset:property": "TemplateURL"},
    "Properties": {"Parameters": {"referencetoParentDlq": {"Fn::GetAtt": ["Dlq0A1B", "Arn"]}},
    "TemplateURL": {"Fn::Join": ["", ["https://s3.", {"Ref": "AWS::Region"}, ".", {"Ref": "AWS::URLSuffix"}, "/", {"Fn::Sub": "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"}, "/x.json"]]}}},
  "CDKMetadata": {"Type": "AWS::CDK::Metadata", "Properties": {"Analytics": "v2:deflate64:H4s"}, "Condition": "CDKMetadataAvailable"}
 },
 "Conditions": {"CDKMetadataAvailable": {"Fn::Or": [{"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]}, {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]}]}},
 "Parameters": {"BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk-bootstrap/hnb659fds/version"},
   "AssetParametersabcS3Bucket": {"Type": "String"}, "AssetParametersabcS3VersionKey": {"Type": "String"}},
 "Rules": {"CheckBootstrapVersion": {"Assertions": [{"Assert": {"Fn::Not": [{"Fn::Contains": [["1", "2"], {"Ref": "BootstrapVersion"}]}]}, "AssertDescription": "x"}]}}
}"#;
    let path = folder.path().join("S.template.json");
    std::fs::write(&path, stack).unwrap();
    let (app, findings) = read(&Source::open(&path).unwrap(), &Deployment { files: true, ..deployment() });
    assert!(findings.is_empty(), "{}", findings.render(Style::Plain));
    let app = app.unwrap();
    assert_eq!(app.mappings["Mapping"].queue, "NestedStack-Inner");
    assert_eq!(app.queues["NestedStack-Inner"].redrive.as_ref().unwrap().dead_letter, "Dlq0A1B");
}

/// What `serverless package` writes into `cloudformation-template-update-stack.json`.
#[test]
fn what_the_serverless_framework_packages_is_read() {
    let (app, warnings) = app_and_warnings(
        r#"{"AWSTemplateFormatVersion": "2010-09-09", "Description": "The AWS CloudFormation template for this Serverless application", "Resources": {
  "ServerlessDeploymentBucket": {"Type": "AWS::S3::Bucket", "Properties": {}},
  "CreateLogGroup": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/aws/lambda/orders-dev-create"}},
  "IamRoleLambdaExecution": {"Type": "AWS::IAM::Role", "Properties": {
    "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": ["lambda.amazonaws.com"]}, "Action": ["sts:AssumeRole"]}]},
    "Policies": [{"PolicyName": {"Fn::Join": ["-", ["orders", "dev", "lambda"]]}, "PolicyDocument": {"Version": "2012-10-17", "Statement": [
      {"Effect": "Allow", "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage"], "Resource": [{"Fn::GetAtt": ["OrdersQueue", "Arn"]}]}]}}],
    "Path": "/", "RoleName": {"Fn::Join": ["-", ["orders", "dev", {"Ref": "AWS::Region"}, "lambdaRole"]]}}},
  "CreateLambdaFunction": {"Type": "AWS::Lambda::Function", "DependsOn": ["CreateLogGroup"], "Properties": {"FunctionName": "orders-dev-create", "Handler": "h.create", "Runtime": "nodejs22.x", "MemorySize": 512, "Timeout": 20,
    "Role": {"Fn::GetAtt": ["IamRoleLambdaExecution", "Arn"]}, "Code": {"S3Bucket": {"Ref": "ServerlessDeploymentBucket"}, "S3Key": "serverless/orders/dev/x.zip"}}},
  "CreateLambdaVersionZyzPaaK6SXQNpo7Htd5bmXYtRqgwgYJ58SaS3CW7DE": {"Type": "AWS::Lambda::Version", "DeletionPolicy": "Retain", "Properties": {"FunctionName": {"Ref": "CreateLambdaFunction"}, "CodeSha256": "0+2mx0M2R9LwLVUxEkHr0DoTRzmoL7wAGJLXWFgWTLE="}},
  "CreateProvConcLambdaAlias": {"Type": "AWS::Lambda::Alias", "DependsOn": "CreateLambdaFunction", "Properties": {"FunctionName": {"Ref": "CreateLambdaFunction"}, "Name": "provisioned",
    "FunctionVersion": {"Fn::GetAtt": ["CreateLambdaVersionZyzPaaK6SXQNpo7Htd5bmXYtRqgwgYJ58SaS3CW7DE", "Version"]}, "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 5}}},
  "CreateEventSourceMappingSQSOrdersQueue": {"Type": "AWS::Lambda::EventSourceMapping", "DependsOn": ["IamRoleLambdaExecution", "CreateProvConcLambdaAlias"], "Properties": {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 5,
    "EventSourceArn": {"Fn::GetAtt": ["OrdersQueue", "Arn"]}, "Enabled": true, "FunctionName": {"Ref": "CreateProvConcLambdaAlias"}, "FunctionResponseTypes": ["ReportBatchItemFailures"]}},
  "HttpApi": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "dev-orders", "ProtocolType": "HTTP"}},
  "HttpApiStage": {"Type": "AWS::ApiGatewayV2::Stage", "Properties": {"ApiId": {"Ref": "HttpApi"}, "StageName": "$default", "AutoDeploy": true}},
  "HttpApiIntegrationCreate": {"Type": "AWS::ApiGatewayV2::Integration", "Properties": {"ApiId": {"Ref": "HttpApi"}, "IntegrationType": "AWS_PROXY", "IntegrationUri": {"Ref": "CreateProvConcLambdaAlias"}, "PayloadFormatVersion": "2.0", "TimeoutInMillis": 30000}},
  "HttpApiRoutePostOrders": {"Type": "AWS::ApiGatewayV2::Route", "DependsOn": "HttpApiIntegrationCreate", "Properties": {"ApiId": {"Ref": "HttpApi"}, "RouteKey": "POST /orders", "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "HttpApiIntegrationCreate"}]]}}},
  "CreateLambdaPermissionHttpApi": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": {"Ref": "CreateProvConcLambdaAlias"}, "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com",
    "SourceArn": {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":execute-api:", {"Ref": "AWS::Region"}, ":", {"Ref": "AWS::AccountId"}, ":", {"Ref": "HttpApi"}, "/*"]]}}},
  "OrdersQueue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 180}}
 }, "Outputs": {"ServerlessDeploymentBucketName": {"Value": {"Ref": "ServerlessDeploymentBucket"}, "Export": {"Name": "sls-orders-dev-ServerlessDeploymentBucketName"}}}}"#,
    );
    assert_eq!(warnings.lines().count(), 1, "only the bucket: {warnings}");
    let create = &app.functions["orders-dev-create"];
    assert_eq!((create.provisioned, create.timeout), (5, Span::from_secs(20)));
    assert_eq!(app.mappings["CreateEventSourceMappingSQSOrdersQueue"].function, "orders-dev-create");
    assert_eq!(app.apis["HttpApi"].routes["POST /orders"], "orders-dev-create");
}

/// `.aws-sam/build/template.yaml`: local paths, and nested templates under the ids of their applications.
#[test]
fn what_sam_build_writes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let child = "Resources: { Jobs: { Type: AWS::SQS::Queue, Metadata: { SamResourceId: Jobs } } }\n\
        Outputs: { Arn: { Value: !GetAtt Jobs.Arn } }\n";
    std::fs::create_dir(folder.path().join("Child")).unwrap();
    std::fs::write(folder.path().join("Child/template.yaml"), child).unwrap();
    let path = folder.path().join("template.yaml");
    let text = "
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Resources:
  Child: { Type: AWS::Serverless::Application, Properties: { Location: Child/template.yaml }, Metadata: { SamResourceId: Child } }
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: Hello
      Handler: app.handler
      Runtime: python3.13
      Timeout: 30
      Events: { Jobs: { Type: SQS, Properties: { Queue: !GetAtt Child.Outputs.Arn } } }
    Metadata: { SamResourceId: Hello }
  Image:
    Type: AWS::Serverless::Function
    Properties: { PackageType: Image, ImageUri: 'image:latest' }
    Metadata: { DockerContext: .., DockerTag: latest, Dockerfile: Dockerfile, SamResourceId: Image }
";
    std::fs::write(&path, text).unwrap();
    let (understood, findings) = understand(&Source::open(&path).unwrap(), &Deployment { files: true, ..deployment() });
    assert!(findings.is_empty(), "{}", findings.render(Style::Plain));
    let understood = understood.unwrap();
    assert_eq!(understood.app.mappings["HelloJobs"].queue, "Child-Jobs");
    assert!(understood.render().contains("Child  AWS::Serverless::Application"), "{}", understood.render());
    assert!(understood.render().contains("its resources are listed below"), "{}", understood.render());
}
