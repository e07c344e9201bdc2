//! SQS: queues.

use super::{ArnShape, Cli, Comparison, KindDescriptor, Sample, SettingDescriptor, Unit, quote, text_is, whole};
use crate::account::setting::{Setting, Value};
use crate::account::target::{Resource, ResourceKind};
use crate::deadman::branch::{ApiCall, Branch, Look, Shape};
use crate::ids::RunId;
use crate::units::Span;

/// A queue.
pub static QUEUE: KindDescriptor = KindDescriptor {
    arn: ArnShape::regional("sqs", "", whole),
    types: &["AWS::SQS::Queue"],
    // It is the queue's URL.
    physical_id_ends_with_name: true,
    tag_filter: Some("sqs"),
    metrics: &[("AWS/SQS", "QueueName")],
    find: &["sqs:GetQueueUrl"],
    describe: &["sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ListMessageMoveTasks"],
    // Which functions it feeds.
    lists: &["lambda:ListEventSourceMappings"],
};

/// SQS takes up to 60 s until a changed attribute works everywhere
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>).
pub const ATTRIBUTES_SETTLE: Span = Span::from_secs(60);

static QUEUE_DELAY: Branch = Branch {
    setting: "queue_delay",
    kind: "queue",
    shape: Shape::Count,
    has_key: false,
    has_document: false,
    reads: &[
        Look {
            call: ApiCall { api: "sqs:getQueueUrl", arguments: r#"{ "QueueName": "{% $name %}" }"# },
            assigns: &[("url", "$states.result.QueueUrl")],
        },
        Look {
            call: ApiCall {
                api: "sqs:getQueueAttributes",
                arguments: r#"{ "QueueUrl": "{% $url %}", "AttributeNames": ["DelaySeconds"] }"#,
            },
            assigns: &[("found", "{'value': $number($states.result.Attributes.DelaySeconds)}")],
        },
    ],
    write: ApiCall {
        api: "sqs:setQueueAttributes",
        arguments: r#"{
            "QueueUrl": "{% $url %}", "Attributes": { "DelaySeconds": "{% $string($change.before.value) %}" }
        }"#,
    },
    // It is never unset.
    delete: None,
    gone: "Sqs.QueueDoesNotExistException",
    reads_variables: false,
};

/// How long a queue hides each new message, in seconds (`DelaySeconds`, 0 to 900). It is never unset.
pub struct QueueDelay<'a> {
    pub queue: &'a Resource,
}

impl QueueDelay<'_> {
    fn url(&self, aws: &Cli) -> String {
        let get = format!("sqs get-queue-url --queue-name {} --query QueueUrl --output text", quote(&self.queue.name));
        format!("--queue-url \"$({})\"", aws.call(&get))
    }
}

impl<'a> SettingDescriptor<'a> for QueueDelay<'a> {
    fn resource(&self) -> &'a Resource {
        self.queue
    }

    fn title(&self) -> String {
        format!("delivery delay of {}", self.queue)
    }

    fn quiet(&self) -> Span {
        ATTRIBUTES_SETTLE + Span::from_secs(15)
    }

    fn compares(&self) -> Comparison {
        Comparison::Number
    }

    fn unit(&self) -> Unit {
        Unit::Seconds
    }

    fn faults_raise(&self) -> bool {
        true
    }

    fn could_be_changed_by(&self, _run: &RunId, before: &Value, after: &Value) -> Result<(), &'static str> {
        match (before, after) {
            (Value::Number(_), Value::Number(_)) => Ok(()),
            _ => Err("it is a number"),
        }
    }

    fn read_actions(&self) -> &'static [&'static str] {
        &["sqs:GetQueueAttributes"]
    }

    fn write_action(&self, _value: &Value) -> &'static str {
        "sqs:SetQueueAttributes"
    }

    fn is_command(&self, aws: &Cli, value: &Value, _whole: Option<&str>) -> String {
        let get = format!(
            "sqs get-queue-attributes {} --attribute-names DelaySeconds --query Attributes.DelaySeconds --output text",
            self.url(aws)
        );
        text_is(&aws.call(&get), &value.to_string())
    }

    fn write_command(&self, aws: &Cli, value: &Value, _whole: Option<&str>) -> String {
        let delay = quote(&format!("DelaySeconds={value}"));
        aws.call(&format!("sqs set-queue-attributes {} --attributes {delay}", self.url(aws)))
    }

    fn branch(&self) -> Option<&'static Branch> {
        Some(&QUEUE_DELAY)
    }

    fn sample(on: &dyn Fn(ResourceKind) -> Resource) -> Sample {
        Sample::plain(Setting::QueueDelay { queue: on(ResourceKind::Queue) }, Value::Number(3))
    }
}
