//! The Fault Injection Service: the safety lever, with which an operator of the account stops AWS's own experiments. Who pulled
//! it does not want others either.

use aws_sdk_fis::types::SafetyLeverStatus;

use super::failure::Operation;
use super::names;
use super::session::Session;
use crate::account::CallError;
use crate::account::gateway::Family;

/// What the lever says when experiments are stopped.
pub async fn halted(session: &Session) -> Result<Option<String>, CallError> {
    let operation = Operation {
        family: Family::Fis,
        action: "fis:GetSafetyLever",
        arn: names::in_region(session, "fis", "safety-lever/default"),
        about: "the safety lever".into(),
    };
    let call = || session.fis().get_safety_lever().id("default").send();
    let found = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
    let state = found.safety_lever().and_then(|lever| lever.state());
    match state.and_then(|state| state.status()) {
        Some(SafetyLeverStatus::Disengaged) => Ok(None),
        Some(status) => {
            let reason = state.and_then(|state| state.reason()).unwrap_or("no reason given");
            Ok(Some(format!("FIS's safety lever is {status}: {reason}")))
        }
        None => Err(CallError::Unknown("FIS's safety lever has no state".into())),
    }
}
