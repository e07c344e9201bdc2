//! CloudWatch: alarms.

use super::{ArnShape, KindDescriptor, whole};

/// An alarm.
pub static ALARM: KindDescriptor = KindDescriptor {
    arn: ArnShape::regional("cloudwatch", "alarm:", whole),
    types: &["AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"],
    physical_id_ends_with_name: false,
    tag_filter: Some("cloudwatch:alarm"),
    metrics: &[],
    find: &["cloudwatch:DescribeAlarms"],
    describe: &["cloudwatch:DescribeAlarms"],
    lists: &[],
};
