//! The CloudFormation template that deploys the switch.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::branch::Branch;
use super::machine::Definition;
use super::{NAME, Place, Reach};

/// What is deployed.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment<'a> {
    pub place: &'a Place,
    pub branches: &'a [Branch],
    /// What it may touch, and the ARN of each of these.
    pub reach: &'a Reach,
    pub arns: &'a std::collections::BTreeMap<String, String>,
    /// The customer-managed key that encrypts the executions' data.
    pub key: Option<&'a str>,
}

impl Deployment<'_> {
    /// The template as JSON, which is YAML too.
    pub fn to_json(&self) -> Json {
        let Place { region, account, .. } = self.place;
        let definition = Definition { place: self.place, branches: self.branches, reach: self.reach }.to_json();
        // No fault of squall may touch what squall itself relies on: it is tagged as everything that no experiment may touch.
        let tags = json!([{ "Key": "squall", "Value": "never" }]);
        let mut machine = json!({
            "StateMachineName": NAME,
            "StateMachineType": "STANDARD",
            "RoleArn": { "Fn::GetAtt": ["Role", "Arn"] },
            "DefinitionString": definition.to_string(),
            "Tags": tags
        });
        if let Some(key) = self.key {
            machine["EncryptionConfiguration"] =
                json!({ "Type": "CUSTOMER_MANAGED_KMS_KEY", "KmsKeyId": key, "KmsDataKeyReusePeriodSeconds": 300 });
        }
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "states.amazonaws.com" },
                "Action": "sts:AssumeRole",
                "Condition": {
                    "ArnEquals": { "aws:SourceArn": self.place.machine() },
                    "StringEquals": { "aws:SourceAccount": account }
                }
            }]
        });
        json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": "squall's dead-man switch: rolls an experiment's changes back when the machine that runs squall is gone",
            "Parameters": {
                "Email": { "Type": "String", "Default": "", "Description": "E-mail address that is notified of what \
                the switch did" }
            },
            "Conditions": { "HasEmail": { "Fn::Not": [{ "Fn::Equals": [{ "Ref": "Email" }, ""] }] } },
            "Resources": {
                "Role": {
                    "Type": "AWS::IAM::Role",
                    "Properties": {
                        "RoleName": self.place.role(),
                        "Description": format!("What squall's dead-man switch may do in {region}"),
                        "AssumeRolePolicyDocument": trust,
                        "Policies": [{ "PolicyName": NAME, "PolicyDocument": self.policy() }],
                        "Tags": tags
                    }
                },
                "Topic": { "Type": "AWS::SNS::Topic", "Properties": { "TopicName": NAME, "Tags": tags } },
                "Subscription": {
                    "Type": "AWS::SNS::Subscription",
                    "Condition": "HasEmail",
                    "Properties": {
                        "TopicArn": { "Ref": "Topic" }, "Protocol": "email", "Endpoint": { "Ref": "Email" }
                    }
                },
                "StateMachine": { "Type": "AWS::StepFunctions::StateMachine", "Properties": machine },
                "Alarm": { "Type": "AWS::CloudWatch::Alarm", "Properties": self.alarm() }
            },
            "Outputs": { "StateMachineArn": { "Value": { "Ref": "StateMachine" } } }
        })
    }

    /// What the role may do, each action on the resources of the branches that need it.
    pub fn policy(&self) -> Json {
        let mut statements = Vec::new();
        for branch in self.branches {
            let of_kind = |resource: &&String| resource.split(' ').next() == Some(branch.kind);
            let arns: BTreeSet<&String> =
                self.reach.keys().filter(of_kind).filter_map(|resource| self.arns.get(resource)).collect();
            if !arns.is_empty() {
                statements.push(json!({ "Effect": "Allow", "Action": branch.actions(), "Resource": arns }));
            }
        }
        let locks: BTreeSet<String> =
            self.reach.values().map(|lock| self.place.arn("ssm", &format!("parameter{lock}"))).collect();
        statements.push(json!({
            "Effect": "Allow", "Action": ["ssm:DeleteParameter", "ssm:GetParameter"], "Resource": locks
        }));
        statements.push(json!({ "Effect": "Allow", "Action": "sns:Publish", "Resource": self.place.topic() }));
        if let Some(key) = self.key {
            statements.push(json!({
                "Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": key
            }));
        }
        json!({ "Version": "2012-10-17", "Statement": statements })
    }

    /// Goes off when an execution failed or was ended by its time-out. Those that squall stops are neither.
    fn alarm(&self) -> Json {
        let metric = |id: &str, name: &str| {
            json!({
                "Id": id,
                "ReturnData": false,
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/States",
                        "MetricName": name,
                        "Dimensions": [{ "Name": "StateMachineArn", "Value": self.place.machine() }]
                    },
                    "Period": 60,
                    "Stat": "Sum"
                }
            })
        };
        json!({
            "AlarmName": NAME,
            "AlarmDescription": "squall's dead-man switch could not roll something back, or could not report it",
            "Metrics": [
                metric("failed", "ExecutionsFailed"),
                metric("late", "ExecutionsTimedOut"),
                { "Id": "both", "Expression": "FILL(failed, 0) + FILL(late, 0)", "Label": "failures", "ReturnData": true }
            ],
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0,
            "EvaluationPeriods": 1,
            "TreatMissingData": "notBreaching",
            "AlarmActions": [{ "Ref": "Topic" }]
        })
    }
}
