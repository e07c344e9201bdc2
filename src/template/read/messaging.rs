//! Queues, topics and subscriptions.

use super::{Reader, tag};
use crate::ids::ResourceKind;
use crate::template::app::{App, Queue, Redrive, Topic};
use crate::template::part::Part;
use crate::template::value::Value;
use crate::yaml::Code;

/// Sends a second to a FIFO queue that has no high throughput.
const FIFO_SENDS: u32 = 300;

impl<'s> Reader<'s> {
    /// Limits and defaults: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>.
    pub(super) fn queue(&mut self, name: String, part: &mut Part<'s>, app: &mut App) {
        let fifo = part.flag("FifoQueue", false);
        let high_throughput = part.text("DeduplicationScope").as_deref() == Some("messageGroup")
            && part.text("FifoThroughputLimit").as_deref() == Some("perMessageGroupId");
        let queue = Queue {
            fifo,
            sends_per_second: (fifo && !high_throughput).then_some(FIFO_SENDS),
            visibility: part.seconds("VisibilityTimeout", 0, 43_200, 30),
            delay: part.seconds("DelaySeconds", 0, 900, 0),
            retention: part.seconds("MessageRetentionPeriod", 60, 1_209_600, 345_600),
            largest: part.whole("MaximumMessageSize", 1_024, 1_048_576).unwrap_or(1_048_576),
            redrive: self.redrive(part),
        };
        tag(&name, part, app);
        app.queues.insert(name, queue);
    }

    fn redrive(&mut self, part: &mut Part<'s>) -> Option<Redrive> {
        let mut redrive = part.part("RedrivePolicy")?;
        let target = redrive.needed("deadLetterTargetArn");
        let count = redrive.whole("maxReceiveCount", 1, 1_000);
        if count.is_none() && redrive.get("maxReceiveCount").is_none() && redrive.findings.is_empty() {
            redrive.fail(Code::MissingKey, "the redrive policy has no `maxReceiveCount`", "add it: AWS recommends 5");
        }
        let dead_letter = target.and_then(|target| {
            self.named(
                ResourceKind::Queue,
                target,
                "the dead-letter queue",
                "the queue is modelled without one",
                &mut redrive,
            )
        });
        part.take(redrive);
        Some(Redrive { dead_letter: dead_letter?, max_receive_count: count? })
    }

    pub(super) fn topic(&mut self, name: String, part: &mut Part<'s>, app: &mut App) {
        app.topics.entry(name.clone()).or_default();
        tag(&name, part, app);
        // Functions and queues may come later: subscriptions are read with those of their own.
    }

    /// Subscriptions that are written at their topic, and those that are resources.
    pub(super) fn subscription(&mut self, part: &mut Part<'s>, app: &mut App) {
        let (Some(topic), Some(protocol)) = (part.needed("TopicArn"), part.needed_text("Protocol")) else { return };
        let Some(topic) =
            self.named(ResourceKind::Topic, topic, "the topic", "nothing comes from it in the model", part)
        else {
            return;
        };
        let Some(endpoint) = part.needed("Endpoint") else { return };
        self.subscribe(&topic, &protocol, endpoint, part, app);
    }

    /// The property `Subscription` of a topic.
    pub(super) fn own_subscriptions(&mut self, name: &str, part: &mut Part<'s>, app: &mut App) {
        for item in part.list("Subscription") {
            let mut one = part.of_item("Subscription", item);
            if let (Some(protocol), Some(endpoint)) = (one.needed_text("Protocol"), one.needed("Endpoint")) {
                self.subscribe(name, &protocol, endpoint, &mut one, app);
            }
            part.take(one);
        }
    }

    /// Adds a queue or a function to a topic, if it lets the topic in.
    fn subscribe(&mut self, topic: &str, protocol: &str, endpoint: &'s Value, part: &mut Part<'_>, app: &mut App) {
        let source = self.deployment.location.arn(ResourceKind::Topic, topic);
        let kind = match protocol {
            "sqs" => ResourceKind::Queue,
            "lambda" => ResourceKind::Function,
            _ => {
                let what = format!("a subscription by {protocol} is not modelled");
                return part.not_modelled(&endpoint.at, what, "nothing is delivered to it in the model");
            }
        };
        let Some(name) = self.named(kind, endpoint, "the subscriber", "nothing is delivered to it in the model", part)
        else {
            return;
        };
        let action = if kind == ResourceKind::Queue { "sqs:SendMessage" } else { "lambda:InvokeFunction" };
        if !self.admits(kind, &name, "sns.amazonaws.com", action, &source) {
            let what = format!("{} {name} does not let the topic {topic} in", kind.word());
            let help = match kind {
                ResourceKind::Queue => {
                    "nothing is delivered to it: add an AWS::SQS::QueuePolicy that allows sqs:SendMessage to sns.amazonaws.com"
                }
                _ => "nothing is delivered to it: add an AWS::Lambda::Permission for sns.amazonaws.com",
            };
            return part.report(Code::NoPermission, &endpoint.at, what, help);
        }
        let Some(topic) = app.topics.get_mut(topic) else { return };
        let Topic { to_queues, to_functions, .. } = topic;
        let list = if kind == ResourceKind::Queue { to_queues } else { to_functions };
        if !list.contains(&name) {
            list.push(name);
        }
    }
}
