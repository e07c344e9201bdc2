//! Resources by name, ARN, tag, and CloudFormation stack.

use super::failure::{Failure, Operation};
use super::names::{self, Arn, last_part};
use super::session::Session;
use super::{lambda, worker};
use crate::account::gateway::Family;
use crate::account::target::SelectBy;
use crate::account::{CallError, Resource, ResourceKind, Selector};

/// The resources that a selector means, by name. None is an empty list.
pub async fn resolve(session: &Session, selector: &Selector) -> Result<Vec<Resource>, CallError> {
    let kind = selector.kind;
    let mut names = match &selector.by {
        SelectBy::Name(text) => return Ok(by_name(session, kind, text).await?.into_iter().collect()),
        SelectBy::Tag { key, value } => by_tag(session, kind, key, value).await?,
        SelectBy::Stack(stack) => of_stack(session, kind, stack).await?,
    };
    names.sort();
    names.dedup();
    Ok(names.into_iter().map(|name| resource(session, kind, name)).collect())
}

fn resource(session: &Session, kind: ResourceKind, name: impl Into<String>) -> Resource {
    Resource::new(&session.location, kind, name)
}

/// By ARN, by logical id in the account's stack, or by the service's own name.
async fn by_name(session: &Session, kind: ResourceKind, text: &str) -> Result<Option<Resource>, CallError> {
    if let Some(arn) = Arn::parse(text) {
        return by_arn(session, kind, text, arn).await;
    }
    let (text, qualifier) = match text.split_once(':') {
        Some((function, qualifier)) if kind == ResourceKind::Function => (function, Some(qualifier.to_owned())),
        _ => (text, None),
    };
    if qualifier.as_deref().is_some_and(|qualifier| !is_qualifier(qualifier)) {
        return Ok(None);
    }
    let name = match logical(session, text).await? {
        Some((of, physical)) if types(kind).contains(&of.as_str()) => name_of(kind, &physical),
        // The stack has this name for something of another kind.
        Some(_) => return Ok(None),
        None => text.to_owned(),
    };
    let found = Resource { qualifier, ..resource(session, kind, name) };
    Ok(is_there(session, &found).await?.then_some(found))
}

/// By ARN, which is compared whole: partition, region, account, a role's path, a function's alias or version.
async fn by_arn(
    session: &Session,
    kind: ResourceKind,
    text: &str,
    arn: Arn<'_>,
) -> Result<Option<Resource>, CallError> {
    let Some((of, names)) = arn.names() else { return Ok(None) };
    if of != kind {
        return Ok(None);
    }
    for name in names {
        let found = Resource { qualifier: arn.qualifier().map(str::to_owned), ..resource(session, kind, name) };
        // A role's path is not in its name.
        let in_region = kind == ResourceKind::Role || names::is_arn_of(session, &found, text);
        if !in_region || !is_there(session, &found).await? {
            continue;
        }
        if kind != ResourceKind::Role || super::roles::arn(session, &found).await? == text {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Whether a text can be an alias or a version
/// (<https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html>).
fn is_qualifier(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "$_-".contains(c);
    !text.is_empty() && text.len() <= 128 && text.chars().all(plain)
}

/// Whether a resource is there, by the cheapest call that tells.
async fn is_there(session: &Session, resource: &Resource) -> Result<bool, CallError> {
    let looked = match resource.kind {
        ResourceKind::Function => lambda::read_concurrency(session, resource).await.map(drop),
        ResourceKind::Queue => super::queues::url(session, resource).await.map(drop),
        ResourceKind::Role => super::roles::policies(session, resource).await.map(drop),
        ResourceKind::Parameter => {
            super::ssm::get(session, session.region_of(resource), &resource.name, resource.to_string()).await.map(drop)
        }
        _ => worker::describe(session, resource).await.map(drop),
    };
    match looked {
        Ok(()) => Ok(true),
        Err(CallError::Gone(_)) => Ok(false),
        Err(other) => Err(other),
    }
}

/// CloudFormation's types of a kind.
const fn types(kind: ResourceKind) -> &'static [&'static str] {
    kind.descriptor().types
}

/// The name in CloudFormation's physical id.
fn name_of(kind: ResourceKind, physical: &str) -> String {
    match kind.descriptor().physical_id_ends_with_name {
        true => last_part(physical).to_owned(),
        false => physical.to_owned(),
    }
}

fn stack_operation(action: &'static str, stack: &str) -> Operation {
    Operation { family: Family::CloudFormation, action, arn: "*".into(), about: format!("stack {stack}") }
}

/// CloudFormation answers for an absent stack, and for an absent resource of one, with a validation error.
fn names_nothing(failure: &Failure) -> bool {
    failure.is_gone() || failure.message.contains("does not exist")
}

/// The type and the physical id of a resource of the account's stack, by its logical id.
async fn logical(session: &Session, id: &str) -> Result<Option<(String, String)>, CallError> {
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let Some(stack) = session.config.stack.as_ref().filter(|_| is_id) else { return Ok(None) };
    let operation = stack_operation("cloudformation:DescribeStackResource", stack);
    let call = || session.cloudformation().describe_stack_resource().stack_name(stack).logical_resource_id(id).send();
    match session.caller.read(&operation, call).await {
        Ok(found) => Ok(found.stack_resource_detail.and_then(|it| it.resource_type.zip(it.physical_resource_id))),
        Err(failure) if names_nothing(&failure) => Ok(None),
        Err(failure) => Err(session.refuse(&operation)(failure)),
    }
}

/// The names of everything of a kind in a stack, and in the stacks that it nests.
async fn of_stack(session: &Session, kind: ResourceKind, stack: &str) -> Result<Vec<String>, CallError> {
    let operation = stack_operation("cloudformation:ListStackResources", stack);
    let (mut names, mut stacks) = (Vec::new(), vec![stack.to_owned()]);
    while let Some(stack) = stacks.pop() {
        let mut next = None::<String>;
        loop {
            let call = || {
                session.cloudformation().list_stack_resources().stack_name(&stack).set_next_token(next.clone()).send()
            };
            let page = match session.caller.read(&operation, call).await {
                Ok(page) => page,
                Err(failure) if names_nothing(&failure) => break,
                Err(failure) => return Err(session.refuse(&operation)(failure)),
            };
            for summary in page.stack_resource_summaries() {
                match (summary.resource_type(), summary.physical_resource_id()) {
                    (Some("AWS::CloudFormation::Stack"), Some(nested)) => stacks.push(nested.to_owned()),
                    (Some(of), Some(physical)) if types(kind).contains(&of) => names.push(name_of(kind, physical)),
                    _ => {}
                }
            }
            match page.next_token() {
                Some(token) if !token.is_empty() => next = Some(token.to_owned()),
                _ => break,
            }
        }
    }
    Ok(names)
}

async fn by_tag(session: &Session, kind: ResourceKind, key: &str, value: &str) -> Result<Vec<String>, CallError> {
    let Some(filter) = kind.descriptor().tag_filter else {
        return match kind {
            ResourceKind::Role => super::roles::tagged(session, key, value).await,
            _ => Ok(Vec::new()),
        };
    };
    let operation = Operation {
        family: Family::Tagging,
        action: "tag:GetResources",
        arn: "*".into(),
        about: format!("tag {key}={value}"),
    };
    let tag = aws_sdk_resourcegroupstagging::types::TagFilter::builder().key(key).values(value).build();
    let (mut arns, mut next) = (Vec::new(), None::<String>);
    loop {
        let call = || {
            let call = session.tagging().get_resources().resource_type_filters(filter).tag_filters(tag.clone());
            call.set_pagination_token(next.clone()).send()
        };
        let page = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
        arns.extend(
            page.resource_tag_mapping_list().iter().filter_map(|found| found.resource_arn().map(str::to_owned)),
        );
        match page.pagination_token() {
            Some(token) if !token.is_empty() => next = Some(token.to_owned()),
            _ => break,
        }
    }
    let mut names = Vec::new();
    for arn in &arns {
        let Some((of, found)) = Arn::parse(arn).and_then(|arn| arn.names()) else { continue };
        if of != kind {
            continue;
        }
        match found.as_slice() {
            [only] => names.push(only.clone()),
            // A parameter's ARN may mean a name or a path of one part.
            _ => names.extend(by_name(session, kind, arn).await?.map(|resource| resource.name)),
        }
    }
    Ok(names)
}
