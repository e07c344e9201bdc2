//! How each setting is read and written. A new setting adds its arms here.

use aws_sdk_sqs::types::QueueAttributeName;

use super::session::Session;
use super::{lambda, queues, roles, ssm, variables};
use crate::account::{CallError, Observed, Setting, Value, Write};
use crate::units::Time;

/// What a setting holds.
pub async fn read(session: &Session, setting: &Setting) -> Result<Observed, CallError> {
    match setting {
        Setting::Lock { resource } => ssm::read_lock(session, resource).await,
        Setting::ReservedConcurrency { function } => lambda::read_concurrency(session, function).await,
        Setting::FaultFlag { parameter, key } => ssm::read_flag(session, parameter, key).await,
        Setting::FaultDocument { parameter } => ssm::read_document(session, parameter).await,
        Setting::RolePolicy { role, policy } => roles::read_policy(session, role, policy).await,
        Setting::Variables { function, prefix } => variables::read(session, function, prefix).await,
        Setting::QueueDelay { queue } => queues::read_number(session, queue, QueueAttributeName::DelaySeconds).await,
    }
}

/// The published versions that hold a value of a setting, made since then.
pub async fn versions(
    session: &Session,
    setting: &Setting,
    value: &Value,
    since: Time,
) -> Result<Vec<String>, CallError> {
    match setting {
        Setting::Variables { function, prefix } => variables::versions(session, function, prefix, value, since).await,
        // Reserved concurrency is the whole function's, and the others are not on functions.
        _ => Ok(Vec::new()),
    }
}

/// Writes a setting, once at the most.
pub async fn write(session: &Session, write: Write) -> Result<(), CallError> {
    match &write.setting {
        Setting::Lock { resource } => ssm::write_lock(session, resource, write.value).await,
        Setting::ReservedConcurrency { function } => lambda::write_concurrency(session, function, write.value).await,
        Setting::FaultFlag { parameter, .. } => ssm::write_flags(session, parameter, write.whole).await,
        Setting::FaultDocument { parameter } => ssm::write_document(session, parameter, &write.value.to_string()).await,
        Setting::RolePolicy { role, policy } => roles::write_policy(session, role, policy, write.value).await,
        Setting::Variables { function, prefix } => variables::write(session, function, prefix, write.value).await,
        Setting::QueueDelay { queue } => {
            queues::write_number(session, queue, QueueAttributeName::DelaySeconds, &write.value).await
        }
    }
}
