//! CloudWatch alarms, metric and composite ones.

use aws_sdk_cloudwatch::types::{AlarmType, StateValue};

use super::failure::Operation;
use super::names;
use super::session::Session;
use crate::account::gateway::Family;
use crate::account::{CallError, Resource, Sample, Window};
use crate::units::Span;

/// A state is read when it is asked for. It stands for a window that ended no longer ago than this.
const FRESH: Span = Span::from_secs(60);

struct Alarm {
    arn: String,
    state: Option<StateValue>,
}

async fn get(session: &Session, alarm: &Resource) -> Result<Alarm, CallError> {
    let operation = Operation {
        family: Family::Alarms,
        action: "cloudwatch:DescribeAlarms",
        arn: names::arn(session, alarm),
        about: alarm.to_string(),
    };
    let call = || {
        let call = session.cloudwatch().describe_alarms().alarm_names(&alarm.name);
        call.alarm_types(AlarmType::MetricAlarm).alarm_types(AlarmType::CompositeAlarm).send()
    };
    let found = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
    let metric = found.metric_alarms().first().map(|alarm| (alarm.alarm_arn(), alarm.state_value()));
    let composite = found.composite_alarms().first().map(|alarm| (alarm.alarm_arn(), alarm.state_value()));
    match metric.or(composite) {
        Some((arn, state)) => Ok(Alarm { arn: arn.unwrap_or(&operation.arn).to_owned(), state: state.cloned() }),
        None => Err(CallError::Gone(operation.about)),
    }
}

/// An alarm's ARN, when it is there.
pub async fn describe(session: &Session, alarm: &Resource) -> Result<String, CallError> {
    Ok(get(session, alarm).await?.arn)
}

/// An alarm's state, now: 1 in ALARM, 0 when OK, none while it has too little data.
pub async fn measure(session: &Session, alarm: &Resource, window: Window) -> Result<Sample, CallError> {
    if session.caller.env.now().since(window.to) > FRESH {
        return Ok(Sample { value: None, of: None });
    }
    let value = match get(session, alarm).await?.state {
        Some(StateValue::Alarm) => Some(1.0),
        Some(StateValue::Ok) => Some(0.0),
        _ => None,
    };
    Ok(Sample { value, of: None })
}
