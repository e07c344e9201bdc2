//! SNS topics: every message goes to each subscribed queue and function.
//!
//! Deliveries to queues and functions of the same account do not fail here: SNS keeps trying them for 23 days
//! (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html>).

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
            "NumberOfMessagesPublished" => Some(Datum::of(f64::from(self.published))),
            "NumberOfNotificationsDelivered" => Some(Datum::of(f64::from(self.delivered))),
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
    /// A message is published. Always succeeds for who may.
    pub(super) fn publish(&mut self, topic: usize) -> bool {
        let model = self.model.clone();
        let of = &model.topics[topic];
        let minute = self.topics.minutes[topic].at(self.now);
        minute.published += 1;
        minute.delivered += (of.queues.len() + of.functions.len()) as u32;
        for queue in &of.queues {
            self.enqueue(*queue, false, None, None);
        }
        for function in &of.functions {
            self.invoke_asynchronously(*function);
        }
        true
    }
}
