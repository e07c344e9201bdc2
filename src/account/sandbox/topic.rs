//! SNS topics: every message goes to each subscribed queue and function.
//!
//! Deliveries to queues and functions of the same account fail here only when a message is larger than its queue takes: SNS
//! keeps trying others for 23 days (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html>).

use super::chain::Chain;
use super::message::New;
use super::metrics::{Datum, Minute, Minutes};
use super::world::World;
use crate::units::Time;

/// What SNS publishes about a topic for one minute.
#[derive(Clone, Debug, Default)]
pub(super) struct TopicMinute {
    published: u32,
    delivered: u32,
}

impl Minute for TopicMinute {
    fn datum(&self, metric: &str, _: Time) -> Option<Datum> {
        match metric {
            "NumberOfMessagesPublished" => Datum::ones(self.published, self.published),
            "NumberOfNotificationsDelivered" => Datum::ones(self.delivered, self.delivered),
            _ => None,
        }
    }
}

/// Every topic, in the order of the model.
#[derive(Clone, Debug, Default)]
pub(super) struct Topics {
    pub minutes: Vec<Minutes<TopicMinute>>,
}

impl Topics {
    pub fn new(number: usize) -> Topics {
        Topics { minutes: vec![Minutes::default(); number] }
    }
}

impl World {
    /// A message of so many bytes is published. Always succeeds for who may.
    pub(super) fn publish(&mut self, topic: usize, size: u32, chain: &Chain) -> bool {
        let model = self.model.clone();
        let of = &model.topics[topic];
        let minute = self.topics.minutes[topic].at(self.now);
        minute.published += 1;
        for queue in &of.queues {
            let delivered = self.enqueue(*queue, New { size, chain: chain.clone(), ..New::default() });
            self.topics.minutes[topic].at(self.now).delivered += u32::from(delivered);
        }
        for function in &of.functions {
            let delivered = self.invoke_asynchronously(*function, chain.clone());
            self.topics.minutes[topic].at(self.now).delivered += u32::from(delivered);
        }
        true
    }
}
