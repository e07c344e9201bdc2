//! DynamoDB: tables.

use super::{ArnShape, KindDescriptor, up_to_slash};

/// A table.
pub static TABLE: KindDescriptor = KindDescriptor {
    arn: ArnShape::regional("dynamodb", "table/", up_to_slash),
    types: &["AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"],
    physical_id_ends_with_name: false,
    tag_filter: Some("dynamodb:table"),
    metrics: &[("AWS/DynamoDB", "TableName")],
    find: &["dynamodb:DescribeTable"],
    describe: &["dynamodb:DescribeTable"],
    lists: &[],
};
