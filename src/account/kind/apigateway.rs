//! API Gateway: apis.

use super::{ArnShape, KindDescriptor, up_to_slash};

/// An api. That one is there is told by its tags or its metrics. Its ARN has no account; the one that it is invoked by has, see [`INVOKED`].
pub static API: KindDescriptor = KindDescriptor {
    arn: ArnShape { service: "apigateway", has_region: true, has_account: false, before: "/apis/", names: up_to_slash },
    types: &["AWS::ApiGatewayV2::Api"],
    physical_id_ends_with_name: false,
    tag_filter: Some("apigateway"),
    // A REST api's carry its name, an HTTP api's its id.
    metrics: &[("AWS/ApiGateway", "ApiId"), ("AWS/ApiGateway", "ApiName")],
    find: &["tag:GetResources", "cloudwatch:ListMetrics"],
    describe: &[],
    lists: &["tag:GetResources", "cloudwatch:ListMetrics"],
};

/// The ARN by which an api is invoked.
pub static INVOKED: ArnShape = ArnShape::regional("execute-api", "", up_to_slash);
