//! Resources that squall only watches: whether they are there.

use aws_sdk_cloudwatch::types::DimensionFilter;

use super::failure::Operation;
use super::names;
use super::session::Session;
use crate::account::gateway::Family;
use crate::account::{CallError, Resource, ResourceKind};

/// The ARN of a resource that is there.
///
/// # Errors
/// [`CallError::Gone`] when it is not.
pub async fn describe(session: &Session, resource: &Resource) -> Result<String, CallError> {
    match resource.kind {
        ResourceKind::Table => table(session, resource).await,
        ResourceKind::Topic => topic(session, resource).await,
        _ => seen(session, resource).await.map(|()| names::arn(session, resource)),
    }
}

fn operation(session: &Session, action: &'static str, resource: &Resource) -> Operation {
    let arn = names::arn(session, resource);
    Operation { family: Family::Watched, action, arn, about: resource.to_string() }
}

async fn table(session: &Session, table: &Resource) -> Result<String, CallError> {
    let operation = operation(session, "dynamodb:DescribeTable", table);
    let call = || session.dynamodb().describe_table().table_name(&table.name).send();
    let found = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
    Ok(found.table.and_then(|table| table.table_arn).unwrap_or(operation.arn))
}

async fn topic(session: &Session, topic: &Resource) -> Result<String, CallError> {
    let operation = operation(session, "sns:GetTopicAttributes", topic);
    let call = || session.sns().get_topic_attributes().topic_arn(&operation.arn).send();
    session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
    Ok(operation.arn)
}

/// An api is there when it carries a tag, as everything of a stack does, or CloudWatch
/// had a metric of it in the last two weeks. One of which neither is true could not be watched anyway: it had no request.
async fn seen(session: &Session, resource: &Resource) -> Result<(), CallError> {
    let arn = names::arn(session, resource);
    let operation = |family, action| Operation { family, action, arn: "*".into(), about: resource.to_string() };
    let tags = operation(Family::Tagging, "tag:GetResources");
    let tagged = session.caller.read(&tags, || session.tagging().get_resources().resource_arn_list(&arn).send()).await;
    if tagged.as_ref().is_ok_and(|page| !page.resource_tag_mapping_list().is_empty()) {
        return Ok(());
    }
    let list = operation(Family::Metrics, "cloudwatch:ListMetrics");
    for (namespace, dimension) in resource.kind.descriptor().metrics {
        let filter = DimensionFilter::builder().name(*dimension).value(&resource.name).build();
        let call = || session.cloudwatch().list_metrics().namespace(*namespace).dimensions(filter.clone()).send();
        let page = session.caller.read(&list, call).await.map_err(session.refuse(&list))?;
        if !page.metrics().is_empty() {
            return Ok(());
        }
    }
    // Without leave to look at tags nobody knows.
    tagged.map_err(session.refuse(&tags))?;
    Err(CallError::Gone(resource.to_string()))
}
