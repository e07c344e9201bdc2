//! IAM: what a role is, and its inline policies.

use aws_sdk_iam::types::EntityType;

use super::failure::{Failure, Operation};
use super::lambda;
use super::names;
use super::session::Session;
use crate::account::description::RoleDescription;
use crate::account::gateway::Family;
use crate::account::{CallError, Observed, Resource, Value};

/// A page holds so many roles at the most
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>).
const MOST_ROLES: i32 = 1_000;
/// The path of roles that services own; nobody else may change them.
const SERVICE_LINKED: &str = "/aws-service-role/";

fn operation(session: &Session, action: &'static str, role: &Resource) -> Operation {
    Operation { family: Family::Iam, action, arn: names::arn(session, role), about: role.to_string() }
}

/// A role's ARN, with its path.
pub async fn arn(session: &Session, role: &Resource) -> Result<String, CallError> {
    let operation = operation(session, "iam:GetRole", role);
    let call = || session.iam().get_role().role_name(&role.name).send();
    let found = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
    found.role.map(|role| role.arn).ok_or_else(|| CallError::Gone(role.to_string()))
}

/// What a role is.
pub async fn describe(session: &Session, role: &Resource) -> Result<RoleDescription, CallError> {
    let operation = operation(session, "iam:GetRole", role);
    let call = || session.iam().get_role().role_name(&role.name).send();
    let found = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
    let Some(found) = found.role else { return Err(CallError::Gone(role.to_string())) };
    let mut inline_size = 0;
    for policy in policies(session, role).await? {
        if let Value::Text(document) = read_policy(session, role, &policy).await?.value {
            inline_size += document.chars().filter(|c| !c.is_whitespace()).count();
        }
    }
    let arn = found.arn.clone();
    let (mut used_by, mut looked_in, mut not_looked_in) = (Vec::new(), Vec::new(), Vec::new());
    for region in std::iter::once(&session.config.region).chain(&session.config.other_regions) {
        match lambda::those(session, region, |function| function.role() == Some(&arn)).await {
            Ok(users) => {
                used_by.extend(users);
                looked_in.push(region.clone());
            }
            // In its own region the plan needs the answer; elsewhere the plan says what it does not know.
            Err(error) if *region == session.config.region => return Err(error),
            Err(error) => not_looked_in.push((region.clone(), error.to_string())),
        }
    }
    used_by.sort();
    Ok(RoleDescription {
        used_by,
        looked_in,
        not_looked_in,
        inline_size: u32::try_from(inline_size).unwrap_or(u32::MAX),
        service_linked: found.path.starts_with(SERVICE_LINKED),
        arn,
    })
}

/// The names of the roles with a tag. ListRoles does not answer tags, and asking for those of each role takes a call a role;
/// this answers up to a thousand roles with theirs at once.
pub async fn tagged(session: &Session, key: &str, value: &str) -> Result<Vec<String>, CallError> {
    let operation = Operation {
        family: Family::Iam,
        action: "iam:GetAccountAuthorizationDetails",
        arn: "*".into(),
        about: "roles".into(),
    };
    let (mut tagged, mut marker) = (Vec::new(), None::<String>);
    loop {
        let call = || {
            let call = session.iam().get_account_authorization_details().filter(EntityType::Role);
            call.max_items(MOST_ROLES).set_marker(marker.clone()).send()
        };
        let page = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
        for role in page.role_detail_list() {
            let has_it = role.tags().iter().any(|tag| tag.key() == key && tag.value() == value);
            tagged.extend(role.role_name().filter(|_| has_it).map(str::to_owned));
        }
        match page.marker() {
            Some(next) if page.is_truncated() => marker = Some(next.to_owned()),
            _ => return Ok(tagged),
        }
    }
}

/// The names of a role's inline policies.
pub async fn policies(session: &Session, role: &Resource) -> Result<Vec<String>, CallError> {
    let operation = operation(session, "iam:ListRolePolicies", role);
    let (mut policies, mut marker) = (Vec::new(), None::<String>);
    loop {
        let call = || session.iam().list_role_policies().role_name(&role.name).set_marker(marker.clone()).send();
        let page = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
        policies.extend_from_slice(page.policy_names());
        match page.marker() {
            Some(next) if page.is_truncated() => marker = Some(next.to_owned()),
            _ => return Ok(policies),
        }
    }
}

/// Reads an inline policy: unset when the role is there and the policy is not.
pub async fn read_policy(session: &Session, role: &Resource, policy: &str) -> Result<Observed, CallError> {
    let operation = operation(session, "iam:GetRolePolicy", role);
    let call = || session.iam().get_role_policy().role_name(&role.name).policy_name(policy).send();
    match session.caller.read(&operation, call).await {
        Ok(found) => Ok(Observed::plain(Value::Text(percent_decoded(&found.policy_document)))),
        // One code for both: without the policy, or without the role.
        Err(failure) if failure.is_gone() => {
            policies(session, role).await?;
            Ok(Observed::plain(Value::Unset))
        }
        Err(failure) => Err(session.refuse(&operation)(failure)),
    }
}

/// Writes or deletes an inline policy.
pub async fn write_policy(session: &Session, role: &Resource, policy: &str, value: Value) -> Result<(), CallError> {
    match value {
        Value::Unset => {
            let operation = operation(session, "iam:DeleteRolePolicy", role);
            let call = session.iam().delete_role_policy().role_name(&role.name).policy_name(policy).send();
            match session.caller.write(&operation, call).await {
                Err(failure) if !failure.is_gone() => Err(refused(session, &operation, failure)),
                _ => Ok(()),
            }
        }
        value => {
            let operation = operation(session, "iam:PutRolePolicy", role);
            let call = session.iam().put_role_policy().role_name(&role.name).policy_name(policy);
            let call = call.policy_document(value.to_string()).send();
            session.caller.write(&operation, call).await.map_err(|failure| refused(session, &operation, failure))?;
            Ok(())
        }
    }
}

fn refused(session: &Session, operation: &Operation, failure: Failure) -> CallError {
    session.refuse(operation)(failure)
}

/// IAM answers documents percent-encoded (RFC 3986). What is not encoded stays as it is.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let escaped = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_decoded() {
        assert_eq!(percent_decoded("%7B%22Version%22%3A%20%222012%22%7D"), r#"{"Version": "2012"}"#);
        assert_eq!(percent_decoded("%C3%BC and 100%"), "ü and 100%");
        assert_eq!(percent_decoded(r#"{"plain":"ü"}"#), r#"{"plain":"ü"}"#);
    }
}
