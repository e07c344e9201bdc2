//! SQS: queues.

use super::{ArnShape, KindDescriptor, whole};

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
