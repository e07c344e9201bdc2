//! The dead-man switch in Step Functions: what is deployed of it, and its executions.

use aws_sdk_sfn::types::{EncryptionType, ExecutionStatus, HistoryEventType, StateMachineStatus, StateMachineType};
use serde::Deserialize;

use super::failure::{Failure, Operation};
use super::session::Session;
use crate::account::gateway::Family;
use crate::account::switch::{self, Acted, Deployed, Deployment, Order, SwitchState};
use crate::account::{CallError, Location, RefusedBy, Setting};
use crate::deadman::Place;
use crate::deadman::branch::Branch;
use crate::deadman::machine::Definition;
use crate::units::Span;

fn place(location: &Location) -> Result<Place, CallError> {
    switch::place(location).ok_or_else(|| {
        let message = format!("{location} is no account of AWS");
        CallError::Refused { by: RefusedBy::Invalid, message }
    })
}

/// What is deployed: current only when it is, to the letter, what this squall prints for the resources that it lists.
pub async fn find(session: &Session, location: &Location) -> Result<Deployment, CallError> {
    let place = place(location)?;
    let operation = Operation {
        family: Family::StepFunctions,
        action: "states:DescribeStateMachine",
        arn: place.machine(),
        about: "the dead-man switch".into(),
    };
    let call = || session.sfn().describe_state_machine().state_machine_arn(place.machine()).send();
    let found = match session.caller.read(&operation, call).await {
        Ok(found) => found,
        Err(failure) if is_missing(&failure) => return Ok(Deployment::Missing),
        Err(failure) => return Err(session.refuse(&operation)(failure)),
    };
    // Emulators leave the status out.
    let is_active = found.status().is_none_or(|status| *status == StateMachineStatus::Active);
    if !is_active || *found.r#type() != StateMachineType::Standard {
        return Ok(Deployment::Differs);
    }
    let own_key =
        |of: &aws_sdk_sfn::types::EncryptionConfiguration| *of.r#type() == EncryptionType::CustomerManagedKmsKey;
    let has_key = found.encryption_configuration().is_some_and(own_key);
    let with_variables = Setting::branches();
    let without: Vec<Branch> = with_variables.iter().filter(|branch| !branch.reads_variables).copied().collect();
    for (branches, reads_variables) in [(&without, false), (&with_variables, true)] {
        let Some(reach) = Definition::reach_of(&place, branches, found.definition()) else { continue };
        // Without a key of its own, the variables can be read by everyone who can read the history.
        if reads_variables && !has_key {
            return Ok(Deployment::Differs);
        }
        return Ok(Deployment::Ready(Deployed { reach: Some(reach.into_keys().collect()), reads_variables }));
    }
    Ok(Deployment::Differs)
}

/// Starts an execution, and sees that it waits. Step Functions takes the same name with the same input for the same execution, as long as it runs.
pub async fn arm(session: &Session, order: &Order) -> Result<(), CallError> {
    let place = place(&order.location)?;
    let invalid = |why: String| CallError::Refused { by: RefusedBy::Invalid, message: why };
    let input = order.input().map_err(|unfit| invalid(unfit.to_string()))?.to_string();
    let operation = Operation {
        family: Family::StepFunctions,
        action: "states:StartExecution",
        arn: place.machine(),
        about: "the dead-man switch".into(),
    };
    let start = session.sfn().start_execution().state_machine_arn(place.machine()).name(&order.name).input(input);
    session.caller.write(&operation, start.send()).await.map_err(session.refuse(&operation))?;
    until_it_waits(session, &place, &order.name).await
}

/// How often it is looked, and after how long, whether an execution waits. One on AWS does so within a second.
const LOOKS: u32 = 50;
const BETWEEN: Span = Span::from_millis(200);

/// Returns when an execution waits for its time: one that was started and fails at its first state rolls nothing back.
async fn until_it_waits(session: &Session, place: &Place, name: &str) -> Result<(), CallError> {
    let arn = place.execution(name);
    let operation = Operation {
        family: Family::StepFunctions,
        action: "states:GetExecutionHistory",
        arn: arn.clone(),
        about: format!("execution {name} of the dead-man switch"),
    };
    // What the states were given may be secret, and is not needed.
    let read = || {
        session.sfn().get_execution_history().execution_arn(&arn).max_results(50).include_execution_data(false).send()
    };
    for _ in 0..LOOKS {
        let events = match session.caller.read(&operation, read).await {
            Ok(history) => history.events,
            Err(failure) if is_missing(&failure) => Vec::new(),
            Err(failure) => return Err(session.refuse(&operation)(failure)),
        };
        for event in events {
            match event.r#type() {
                HistoryEventType::WaitStateEntered => return Ok(()),
                HistoryEventType::ExecutionFailed
                | HistoryEventType::ExecutionAborted
                | HistoryEventType::ExecutionTimedOut => {
                    let message = format!("its execution {name} ended at once instead of waiting; see its history");
                    return Err(CallError::Refused { by: RefusedBy::Invalid, message });
                }
                _ => {}
            }
        }
        session.caller.sleep(BETWEEN).await;
    }
    Err(CallError::Unknown(format!("execution {name} of the dead-man switch was started, and was not seen to wait")))
}

/// Stops an execution, and says what became of it. One that is over stays as it is.
pub async fn disarm(session: &Session, location: &Location, name: &str) -> Result<SwitchState, CallError> {
    let place = place(location)?;
    let arn = place.execution(name);
    let operation = |action| Operation {
        family: Family::StepFunctions,
        action,
        arn: arn.clone(),
        about: format!("execution {name} of the dead-man switch"),
    };
    let stop = operation("states:StopExecution");
    let call = session.sfn().stop_execution().execution_arn(&arn).cause("the rollback is verified");
    match session.caller.write(&stop, call.send()).await {
        Err(failure) if is_missing(&failure) => return Ok(SwitchState::Missing),
        // What is over cannot be stopped; its state tells.
        Err(failure) if !failure.is_invalid() => return Err(session.refuse(&stop)(failure)),
        Ok(_) | Err(_) => {}
    }
    let look = operation("states:DescribeExecution");
    let call = || session.sfn().describe_execution().execution_arn(&arn).send();
    let found = match session.caller.read(&look, call).await {
        Ok(found) => found,
        Err(failure) if is_missing(&failure) => return Ok(SwitchState::Missing),
        Err(failure) => return Err(session.refuse(&look)(failure)),
    };
    Ok(match found.status() {
        ExecutionStatus::Running => SwitchState::Armed,
        ExecutionStatus::Aborted => SwitchState::Stopped,
        ExecutionStatus::Succeeded => acted(found.output().unwrap_or_default()),
        other => SwitchState::Failed(format!(
            "{}{}",
            other.as_str(),
            found.cause().map(|cause| format!(": {cause}")).unwrap_or_default()
        )),
    })
}

fn is_missing(failure: &Failure) -> bool {
    let code = failure.code.rsplit(['.', '#']).next().unwrap_or_default();
    matches!(code, "StateMachineDoesNotExist" | "ExecutionDoesNotExist") || failure.is_gone()
}

/// The output of an execution that is done.
#[derive(Deserialize)]
struct Output {
    resources: Vec<OfResource>,
}

#[derive(Deserialize)]
struct OfResource {
    resource: String,
    ends: String,
}

fn acted(output: &str) -> SwitchState {
    match serde_json::from_str::<Output>(output) {
        Ok(Output { resources }) => SwitchState::Acted(
            resources
                .into_iter()
                .map(|of| Acted { resource: of.resource, ends: of.ends.split(' ').map(str::to_owned).collect() })
                .collect(),
        ),
        Err(_) => SwitchState::Failed("it is done, and what it did cannot be read".into()),
    }
}
