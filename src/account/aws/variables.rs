//! Some of a function's environment variables, changed without touching the others.
//!
//! Lambda takes all variables at once, so a write reads them first and names the revision that it read: when another party
//! changed the function meanwhile, Lambda refuses. An update is accepted at once and done some time later; while it is
//! under way Lambda takes no other.

use std::collections::BTreeMap;

use aws_sdk_lambda::types::{Environment, FunctionConfiguration, LastUpdateStatus, State};

use super::lambda::{get, operation};
use super::session::Session;
use crate::account::gateway::Family;
use crate::account::{CallError, Observed, RefusedBy, Resource, Value};
use crate::units::{Span, Time};

/// How often an update is looked at, with GetFunction, as AWS's own waiters do (FunctionUpdatedV2).
const POLL: Span = Span::from_secs(1);
/// An update takes seconds; of a function in a VPC a minute or more.
const PATIENCE: Span = Span::from_secs(150);

/// The variables whose names begin with a prefix.
pub fn with_prefix(configuration: &FunctionConfiguration, prefix: &str) -> BTreeMap<String, String> {
    let all = configuration.environment().and_then(|environment| environment.variables());
    let chosen = all.into_iter().flatten().filter(|(name, _)| name.starts_with(prefix));
    chosen.map(|(name, value)| (name.clone(), value.clone())).collect()
}

async fn configuration(session: &Session, function: &Resource) -> Result<FunctionConfiguration, CallError> {
    let read = operation(session, Family::GetFunction, "lambda:GetFunction", function);
    let found = get(session, &read, function).await.map_err(session.refuse(&read))?;
    let configuration = found.configuration.ok_or_else(|| CallError::Gone(function.to_string()))?;
    // Without their key Lambda answers no variables, and writing some would wipe all others.
    match configuration.environment().and_then(|environment| environment.error()) {
        None => Ok(configuration),
        Some(error) => Err(CallError::Refused {
            by: RefusedBy::Permission,
            message: format!(
                "the variables of {function} cannot be read: {}; allow {} kms:Decrypt on the function's key",
                error.message().unwrap_or("they cannot be decrypted"),
                session.identity.arn
            ),
        }),
    }
}

/// Reads the variables with a prefix.
pub async fn read(session: &Session, function: &Resource, prefix: &str) -> Result<Observed, CallError> {
    let variables = with_prefix(&configuration(session, function).await?, prefix);
    Ok(Observed::plain(match variables.is_empty() {
        true => Value::Unset,
        false => Value::Text(serde_json::json!(variables).to_string()),
    }))
}

/// Writes the variables with a prefix, and waits until the update is done.
pub async fn write(session: &Session, function: &Resource, prefix: &str, value: Value) -> Result<(), CallError> {
    let Some(wanted) = parsed(prefix, &value) else {
        return super::invalid(format!("{value} is no JSON object of texts whose names begin with {prefix}"));
    };
    let current = configuration(session, function).await?;
    if is_under_way(&current) {
        // No waiting here: what goes out late may go out for a run that is not ours any more.
        let message = format!("another update of {function} is under way");
        return Err(CallError::Refused { by: RefusedBy::Busy, message });
    }
    let all = current.environment().and_then(|environment| environment.variables()).cloned().unwrap_or_default();
    let others = all.into_iter().filter(|(name, _)| !name.starts_with(prefix));
    let variables = others.chain(wanted).collect();
    let update = operation(session, Family::Lambda, "lambda:UpdateFunctionConfiguration", function);
    let call = session
        .lambda()
        .update_function_configuration()
        .function_name(&function.name)
        .environment(Environment::builder().set_variables(Some(variables)).build())
        .set_revision_id(current.revision_id);
    session.caller.write(&update, call.send()).await.map_err(session.refuse(&update))?;
    let updated = settled(session, function).await.map_err(|error| unknown(function, &error.to_string()))?;
    match updated.last_update_status() {
        Some(LastUpdateStatus::Failed) => {
            Err(unknown(function, updated.last_update_status_reason().unwrap_or("no reason given")))
        }
        _ if is_under_way(&updated) => Err(unknown(function, "it is still under way")),
        _ => Ok(()),
    }
}

/// How far the service's clock and the account's, as it is known here, may be apart.
const CLOCKS: Span = Span::from_mins(1);

/// The published versions that hold just these variables with a prefix, and were made since then.
pub async fn versions(
    session: &Session,
    function: &Resource,
    prefix: &str,
    value: &Value,
    since: Time,
) -> Result<Vec<String>, CallError> {
    let ours = parsed(prefix, value).filter(|ours| !ours.is_empty());
    let Some(ours) = ours else { return Ok(Vec::new()) };
    let list = operation(session, Family::Lambda, "lambda:ListVersionsByFunction", function);
    let (mut versions, mut marker) = (Vec::new(), None::<String>);
    loop {
        let call = || {
            let call = session.lambda().list_versions_by_function().function_name(&function.name);
            call.set_marker(marker.clone()).send()
        };
        let page = session.caller.read(&list, call).await.map_err(session.refuse(&list))?;
        for version in page.versions() {
            let made = version.last_modified().and_then(time);
            let Some(name) = version.version().filter(|name| *name != "$LATEST") else { continue };
            // What does not say when it was made may have been made meanwhile.
            if made.is_none_or(|made| made + CLOCKS >= since) && with_prefix(version, prefix) == ours {
                versions.push(name.to_owned());
            }
        }
        match page.next_marker() {
            Some(next) if !next.is_empty() => marker = Some(next.to_owned()),
            _ => return Ok(versions),
        }
    }
}

/// `2026-03-02T09:06:00.000+0000`, as Lambda writes an instant.
fn time(text: &str) -> Option<Time> {
    text.replace("+0000", "Z").parse().ok()
}

fn unknown(function: &Resource, why: &str) -> CallError {
    CallError::Unknown(format!("the update of {function} was accepted, but failed: {why}"))
}

fn parsed(prefix: &str, value: &Value) -> Option<BTreeMap<String, String>> {
    match value {
        Value::Unset => Some(BTreeMap::new()),
        Value::Number(_) => None,
        Value::Text(text) => {
            let variables: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
            variables.keys().all(|name| name.starts_with(prefix)).then_some(variables)
        }
    }
}

fn is_under_way(configuration: &FunctionConfiguration) -> bool {
    configuration.last_update_status() == Some(&LastUpdateStatus::InProgress)
        || configuration.state() == Some(&State::Pending)
}

/// The function once no update of it is under way, or as it is when patience ends.
async fn settled(session: &Session, function: &Resource) -> Result<FunctionConfiguration, CallError> {
    let began = session.caller.env.monotonic();
    loop {
        let found = configuration(session, function).await?;
        if !is_under_way(&found) || session.caller.env.monotonic() - began > PATIENCE {
            return Ok(found);
        }
        session.caller.sleep(POLL).await;
    }
}
