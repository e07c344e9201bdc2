//! SNS: topics.

use super::{ArnShape, KindDescriptor, up_to_colon};

/// A topic.
pub static TOPIC: KindDescriptor = KindDescriptor {
    arn: ArnShape::regional("sns", "", up_to_colon),
    types: &["AWS::SNS::Topic"],
    // It is the topic's ARN.
    physical_id_ends_with_name: true,
    tag_filter: Some("sns"),
    metrics: &[("AWS/SNS", "TopicName")],
    find: &["sns:GetTopicAttributes"],
    describe: &["sns:GetTopicAttributes"],
    lists: &[],
};
