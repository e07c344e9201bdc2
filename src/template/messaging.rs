//! Queues, topics and subscriptions.

use super::properties::Properties;
use super::{Template, tag};
use crate::account::ResourceKind;
use crate::spec::Code;
use crate::template::app::{App, Queue, Redrive, Topic};

impl Template<'_> {
    /// Limits and defaults: facts, SQS.
    pub(super) fn queue(&self, name: String, properties: &mut Properties<'_>, app: &mut App) {
        let fifo = properties.flag("FifoQueue", false) || name.ends_with(".fifo");
        let queue = Queue {
            fifo,
            visibility: properties.seconds("VisibilityTimeout", 0, 43_200, 30),
            delay: properties.seconds("DelaySeconds", 0, 900, 0),
            retention: properties.seconds("MessageRetentionPeriod", 60, 1_209_600, 345_600),
            largest: properties.whole("MaximumMessageSize", 1_024, 1_048_576).unwrap_or(1_048_576),
            redrive: self.redrive(properties),
        };
        properties.ignore(&[
            "QueueName",
            "KmsMasterKeyId",
            "KmsDataKeyReusePeriodSeconds",
            "SqsManagedSseEnabled",
            "ReceiveMessageWaitTimeSeconds",
            "ContentBasedDeduplication",
            "RedriveAllowPolicy",
        ]);
        tag(&name, properties, app);
        app.queues.insert(name, queue);
    }

    fn redrive(&self, properties: &mut Properties<'_>) -> Option<Redrive> {
        let mut part = properties.part("RedrivePolicy")?;
        let target = part.needed("deadLetterTargetArn");
        let count = part.whole("maxReceiveCount", 1, 1_000);
        let dead_letter = target.and_then(|target| {
            let found = self.names.find(ResourceKind::Queue, &target).map(str::to_owned);
            if found.is_none() {
                let what = format!("the dead-letter queue `{target}` is not in the template");
                part.not_modelled(part.at, what, "the queue is modelled without one");
            }
            found
        });
        if count.is_none() && part.findings.is_empty() {
            part.error(
                Code::MissingKey,
                part.at,
                "the redrive policy has no `maxReceiveCount`",
                "add it: AWS recommends 5",
            );
        }
        properties.take(part);
        Some(Redrive { dead_letter: dead_letter?, max_receive_count: count? })
    }

    pub(super) fn topic(&self, name: String, properties: &mut Properties<'_>, app: &mut App) {
        properties.ignore(&["TopicName", "DisplayName", "KmsMasterKeyId", "TracingConfig"]);
        let topic = app.topics.entry(name.clone()).or_default();
        for item in properties.list("Subscription") {
            let mut part = properties.of_item("Subscription", item);
            let (protocol, endpoint) = (part.needed("Protocol"), part.needed("Endpoint"));
            if let (Some(protocol), Some(endpoint)) = (protocol, endpoint) {
                self.subscribe(topic, &protocol, &endpoint, &mut part);
            }
            properties.take(part);
        }
        tag(&name, properties, app);
    }

    pub(super) fn subscription(&self, properties: &mut Properties<'_>, app: &mut App) {
        properties.ignore(&["RawMessageDelivery", "Region"]);
        let (Some(topic), Some(protocol)) = (properties.needed("TopicArn"), properties.needed("Protocol")) else {
            return;
        };
        let Some(endpoint) = properties.needed("Endpoint") else { return };
        match self.names.find(ResourceKind::Topic, &topic).and_then(|name| app.topics.get_mut(name)) {
            Some(topic) => self.subscribe(topic, &protocol, &endpoint, properties),
            None => {
                let what = format!("the topic `{topic}` is not in the template");
                properties.not_modelled(properties.at, what, "nothing comes from it in the model");
            }
        }
    }

    /// Adds a queue or a function to a topic.
    fn subscribe(&self, topic: &mut Topic, protocol: &str, endpoint: &str, properties: &mut Properties<'_>) {
        let queue = self.names.find(ResourceKind::Queue, endpoint).map(str::to_owned);
        let function = self.names.find(ResourceKind::Function, endpoint).map(str::to_owned);
        match (protocol, queue, function) {
            ("sqs", Some(queue), _) => topic.to_queues.push(queue),
            ("lambda", _, Some(function)) => topic.to_functions.push(function),
            _ => {
                let what = format!("the sandbox does not model a subscription of `{endpoint}` by {protocol}");
                properties.not_modelled(properties.at, what, "nothing is delivered to it in the model");
            }
        }
    }
}
