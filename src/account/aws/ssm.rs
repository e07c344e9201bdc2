//! Systems Manager: parameters that hold fault flags, and the locks.

use aws_sdk_ssm::types::{Parameter, ParameterTier, ParameterType, ResourceTypeForTagging, Tag};

use super::failure::Operation;
use super::lambda;
use super::names;
use super::session::Session;
use crate::account::description::ParameterDescription;
use crate::account::gateway::Family;
use crate::account::{CallError, Location, Observed, RefusedBy, Region, Resource, ResourceKind, Setting, Value};
use crate::units::Time;

/// A standard parameter's value is at most so long; a longer one needs the advanced tier
/// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html>).
const STANDARD_BYTES: usize = 4096;

fn operation(
    session: &Session,
    family: Family,
    action: &'static str,
    region: &Region,
    name: &str,
    about: String,
) -> Operation {
    Operation { family, action, arn: names::parameter_arn(session, region, name), about }
}

/// Reads a parameter; a SecureString as it lies there.
pub async fn get(session: &Session, region: &Region, name: &str, about: String) -> Result<Parameter, CallError> {
    let operation = operation(session, Family::SsmRead, "ssm:GetParameter", region, name, about);
    let call = || session.ssm_in(region).get_parameter().name(name).with_decryption(false).send();
    let found = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
    found.parameter.ok_or(CallError::Gone(operation.about))
}

/// What a parameter is.
pub async fn describe(session: &Session, parameter: &Resource) -> Result<ParameterDescription, CallError> {
    let found = get(session, session.region_of(parameter), &parameter.name, parameter.to_string()).await?;
    let reads = |function: &_| {
        let named = ["SQUALL_FAULTS_PARAM", "FAILURE_INJECTION_PARAM"].map(|name| lambda::variable(function, name));
        named.iter().any(|name| name.as_ref() == Some(&parameter.name))
    };
    Ok(ParameterDescription {
        arn: names::arn(session, parameter),
        secure: found.r#type() == Some(&ParameterType::SecureString),
        text: found.value.unwrap_or_default(),
        read_by: lambda::those(session, session.region_of(parameter), reads).await?,
    })
}

/// Reads one flag of a document, and the document's bytes.
pub async fn read_flag(session: &Session, parameter: &Resource, key: &str) -> Result<Observed, CallError> {
    let found = get(session, session.region_of(parameter), &parameter.name, parameter.to_string()).await?;
    let document = found.value.unwrap_or_default();
    Observed::key_in(&document, key).or_else(|why| super::invalid(format!("{parameter}: {why}")))
}

/// Reads a whole document.
pub async fn read_document(session: &Session, parameter: &Resource) -> Result<Observed, CallError> {
    let found = get(session, session.region_of(parameter), &parameter.name, parameter.to_string()).await?;
    Ok(Observed::plain(Value::Text(found.value.unwrap_or_default())))
}

/// Writes the document that a flag is in.
pub async fn write_flags(session: &Session, parameter: &Resource, whole: Option<String>) -> Result<(), CallError> {
    match whole {
        Some(document) => write_document(session, parameter, &document).await,
        None => super::invalid("a flag is written with its whole document"),
    }
}

/// Writes a document's bytes as they are. The parameter's type and tier stay: it exists, and is overwritten.
pub async fn write_document(session: &Session, parameter: &Resource, document: &str) -> Result<(), CallError> {
    // PutParameter would create what is not there; a flag's parameter must exist, or no wrapper reads it.
    get(session, session.region_of(parameter), &parameter.name, parameter.to_string()).await?;
    let (region, about) = (session.region_of(parameter), parameter.to_string());
    let operation = operation(session, Family::SsmWrite, "ssm:PutParameter", region, &parameter.name, about);
    let call = session.ssm_in(region).put_parameter().name(&parameter.name).value(document).overwrite(true).send();
    session.caller.write(&operation, call).await.map_err(session.refuse(&operation))?;
    Ok(())
}

/// Reads the lock on a resource.
pub async fn read_lock(session: &Session, resource: &Resource) -> Result<Observed, CallError> {
    let (region, name) = (session.region_of(resource), Setting::lock_parameter(resource));
    match get(session, region, &name, format!("lock on {resource}")).await {
        Ok(found) => Ok(Observed::plain(found.value.map_or(Value::Unset, Value::Text))),
        Err(CallError::Gone(_)) => Ok(Observed::plain(Value::Unset)),
        Err(other) => Err(other),
    }
}

/// Creates or deletes the lock on a resource. Creating is atomic: of two, one is refused.
pub async fn write_lock(session: &Session, resource: &Resource, value: Value) -> Result<(), CallError> {
    let (name, about) = (Setting::lock_parameter(resource), format!("lock on {resource}"));
    let region = session.region_of(resource);
    match value {
        Value::Unset => {
            let operation = operation(session, Family::SsmWrite, "ssm:DeleteParameter", region, &name, about);
            let call = session.ssm_in(region).delete_parameter().name(&name).send();
            match session.caller.write(&operation, call).await {
                Err(failure) if !failure.is_gone() => Err(session.refuse(&operation)(failure)),
                _ => Ok(()),
            }
        }
        value => {
            let text = value.to_string();
            let operation = operation(session, Family::SsmWrite, "ssm:PutParameter", region, &name, about);
            let tier = (text.len() > STANDARD_BYTES).then_some(ParameterTier::Advanced);
            let call = session.ssm_in(region).put_parameter().name(&name).value(text).overwrite(false).set_tier(tier);
            let call = call.r#type(ParameterType::String).description("squall: a run is changing this resource");
            match session.caller.write(&operation, call.send()).await {
                Err(failure) if failure.code.contains("ParameterAlreadyExists") => {
                    // Whose it is stands in it, unless it is gone again by now.
                    let there = read_lock(session, resource).await.map(|lock| lock.value);
                    let message = match there {
                        Ok(Value::Text(text)) => text,
                        _ => format!("{} is there already", operation.about),
                    };
                    Err(CallError::Refused { by: RefusedBy::LockExists, message })
                }
                Err(failure) => Err(session.refuse(&operation)(failure)),
                Ok(_) => Ok(()),
            }
        }
    }
}

/// The tag on a lock's parameter that says when its owner was last alive.
const ALIVE: &str = "squall-alive";

/// Says on a lock that its owner is alive. A tag, because tagging does not make a parameter that is not there.
pub async fn renew(session: &Session, resource: &Resource, at: Time) -> Result<(), CallError> {
    let (region, name) = (session.region_of(resource), Setting::lock_parameter(resource));
    let about = format!("lock on {resource}");
    let operation = operation(session, Family::SsmWrite, "ssm:AddTagsToResource", region, &name, about);
    let tag = Tag::builder().key(ALIVE).value(at.to_string()).build();
    let tag = tag.or_else(|error| super::invalid(error.to_string()))?;
    let call = session.ssm_in(region).add_tags_to_resource();
    let call = call.resource_type(ResourceTypeForTagging::Parameter).resource_id(&name).tags(tag).send();
    session.caller.write(&operation, call).await.map_err(session.refuse(&operation))?;
    Ok(())
}

/// When the owner of a lock was last alive: when it made the lock, by AWS's clock, or as its tag says.
pub async fn lease(session: &Session, resource: &Resource) -> Result<Time, CallError> {
    let (region, name) = (session.region_of(resource), Setting::lock_parameter(resource));
    let about = format!("lock on {resource}");
    let found = get(session, region, &name, about.clone()).await?;
    let made = found.last_modified_date.map_or(Time::EPOCH, |date| Time::from_micros(date.secs() * 1_000_000));
    let operation = operation(session, Family::SsmRead, "ssm:ListTagsForResource", region, &name, about);
    let call = || {
        let call = session.ssm_in(region).list_tags_for_resource();
        call.resource_type(ResourceTypeForTagging::Parameter).resource_id(&name).send()
    };
    let tags = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
    let tag = tags.tag_list().iter().find(|tag| tag.key() == ALIVE);
    // Anyone with the permission may write a tag; what is no time says nothing.
    let renewed = tag.and_then(|tag| tag.value().parse::<Time>().ok());
    Ok(renewed.map_or(made, |renewed| renewed.max(made)))
}

/// Every lock in one region of the account.
pub async fn list_locks(session: &Session, location: &Location) -> Result<Vec<(Resource, String)>, CallError> {
    let region = match location.region.as_str() {
        "" => &session.config.region,
        _ => &location.region,
    };
    let here = Location { account: session.location.account.clone(), region: region.clone() };
    let operation = operation(session, Family::SsmRead, "ssm:GetParametersByPath", region, LOCKS, "marks".into());
    let (mut locks, mut next) = (Vec::new(), None::<String>);
    loop {
        let call = || {
            let call =
                session.ssm_in(region).get_parameters_by_path().path(LOCKS).recursive(true).with_decryption(false);
            call.set_next_token(next.clone()).send()
        };
        let page = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
        for found in page.parameters() {
            let (Some(name), Some(text)) = (found.name(), found.value()) else { continue };
            // What is no name of a lock was not made by squall.
            locks.extend(locked(&here, name).map(|resource| (resource, text.to_owned())));
        }
        match page.next_token() {
            Some(token) if !token.is_empty() => next = Some(token.to_owned()),
            _ => return Ok(locks),
        }
    }
}

/// The path of all locks.
const LOCKS: &str = "/squall/marks";

/// The resource that a lock's parameter is about: [`Setting::lock_parameter`] read backwards.
///
/// The resource is where its lock is: squall 0.1.0 locked roles in the region that it worked in.
fn locked(here: &Location, parameter: &str) -> Option<Resource> {
    let (kind, escaped) = parameter.strip_prefix(LOCKS)?.strip_prefix('/')?.split_once('/')?;
    let kind = ResourceKind::ALL.into_iter().find(|known| known.word() == kind)?;
    Some(Resource { location: here.clone(), kind, name: unescape(escaped)?, qualifier: None })
}

fn unescape(escaped: &str) -> Option<String> {
    let mut name = String::new();
    for (index, part) in escaped.split('_').enumerate() {
        match index % 2 {
            0 => name.push_str(part),
            _ => name.push(char::from_u32(u32::from_str_radix(part, 16).ok()?)?),
        }
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marks_parameter_tells_its_resource() {
        for name in ["pay", "a/b", "/shop/worker/faults", "a_b", "orders.fifo", "ü"] {
            let resource = Resource::new(&Location::sandbox(), ResourceKind::Parameter, name);
            let parameter = Setting::lock_parameter(&resource);
            let escaped = parameter.rsplit('/').next().unwrap();
            assert_eq!(unescape(escaped).as_deref(), Some(name), "{parameter}");
        }
        assert_eq!(unescape("a_zz_"), None);
    }
}
