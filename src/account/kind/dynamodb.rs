//! DynamoDB: tables.

use super::{ArnShape, KindDescriptor, up_to_slash};

/// A table. Whether one is there that squall only watches, its tags tell, or its metrics.
pub static TABLE: KindDescriptor = KindDescriptor {
    word: "table",
    arn: ArnShape::regional("dynamodb", "table/", up_to_slash),
    types: &["AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"],
    physical_id_ends_with_name: false,
    tag_filter: Some("dynamodb:table"),
    metrics: &[("AWS/DynamoDB", "TableName")],
    find: &["tag:GetResources", "cloudwatch:ListMetrics"],
    describe: &[],
    lists: &["tag:GetResources", "cloudwatch:ListMetrics"],
};
