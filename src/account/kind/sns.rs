//! SNS: topics.

use super::{ArnShape, KindDescriptor, up_to_colon};

/// A topic. Whether one is there that squall only watches, its tags tell, or its metrics.
pub static TOPIC: KindDescriptor = KindDescriptor {
    word: "topic",
    arn: ArnShape::regional("sns", "", up_to_colon),
    types: &["AWS::SNS::Topic"],
    // It is the topic's ARN.
    physical_id_ends_with_name: true,
    tag_filter: Some("sns"),
    metrics: &[("AWS/SNS", "TopicName")],
    find: &["tag:GetResources", "cloudwatch:ListMetrics"],
    describe: &[],
    lists: &["tag:GetResources", "cloudwatch:ListMetrics"],
};
