//! CloudWatch alarms, metric and composite ones.

use aws_sdk_cloudwatch::types::{AlarmMuteRuleStatus, AlarmType, MetricAlarm, StateValue};

use super::failure::Operation;
use super::names;
use super::session::Session;
use crate::account::gateway::Family;
use crate::account::{CallError, Description, Resource, Sample, Window};
use crate::units::Span;

/// A state is read when it is asked for. It stands for a window that ended no longer ago than this.
const FRESH: Span = Span::from_secs(60);

struct Alarm {
    arn: String,
    state: Option<StateValue>,
    /// Whether its actions are enabled.
    acts: bool,
    queues: Vec<String>,
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
    let metric = found.metric_alarms().first();
    let watched = metric.map(queues).unwrap_or_default();
    let metric = metric.map(|alarm| (alarm.alarm_arn(), alarm.state_value(), alarm.actions_enabled()));
    let composite = found.composite_alarms().first();
    let composite = composite.map(|alarm| (alarm.alarm_arn(), alarm.state_value(), alarm.actions_enabled()));
    match metric.or(composite) {
        Some((arn, state, acts)) => Ok(Alarm {
            arn: arn.unwrap_or(&operation.arn).to_owned(),
            state: state.cloned(),
            acts: acts.unwrap_or(true),
            queues: watched,
        }),
        None => Err(CallError::Gone(operation.about)),
    }
}

/// An alarm, when it is there.
pub async fn describe(session: &Session, alarm: &Resource) -> Result<Description, CallError> {
    let Alarm { arn, queues, .. } = get(session, alarm).await?;
    Ok(Description::Alarm { arn, queues })
}

/// The queues whose metrics an alarm is about.
fn queues(alarm: &MetricAlarm) -> Vec<String> {
    let of_metrics = alarm.metrics().iter().filter_map(|query| query.metric_stat()?.metric());
    let dimensions = alarm.dimensions().iter().chain(of_metrics.flat_map(|metric| metric.dimensions()));
    let queues = dimensions.filter(|dimension| dimension.name() == Some("QueueName"));
    queues.filter_map(|queue| queue.value().map(str::to_owned)).collect()
}

/// The mute rule that is active for an alarm. Its state goes on changing meanwhile, and its actions are not taken
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetAlarmMuteRule.html>).
async fn muted_by(session: &Session, alarm: &Resource) -> Result<Option<String>, CallError> {
    let operation = Operation {
        family: Family::Alarms,
        action: "cloudwatch:ListAlarmMuteRules",
        arn: "*".into(),
        about: alarm.to_string(),
    };
    let call = || {
        let call = session.cloudwatch().list_alarm_mute_rules().alarm_name(&alarm.name);
        call.statuses(AlarmMuteRuleStatus::Active).send()
    };
    match session.caller.read(&operation, call).await {
        Ok(found) => Ok(found.alarm_mute_rule_summaries().first().map(|rule| {
            let arn = rule.alarm_mute_rule_arn().unwrap_or_default();
            arn.rsplit(':').next().unwrap_or_default().to_owned()
        })),
        // An endpoint without mute rules mutes nothing.
        Err(failure) if failure.is_not_implemented() => Ok(None),
        Err(failure) => Err(session.refuse(&operation)(failure)),
    }
}

/// An alarm's state, now: 1 in ALARM, 0 when OK, none while it has too little data or is warming up.
///
/// # Errors
/// Its actions are disabled or muted: its state changes, and nothing is notified.
pub async fn measure(session: &Session, alarm: &Resource, window: Window) -> Result<Sample, CallError> {
    if session.caller.gateway.now().since(window.to) > FRESH {
        return Ok(Sample { value: None, of: None });
    }
    let found = get(session, alarm).await?;
    if !found.acts {
        return super::unsupported(format!(
            "the actions of {alarm} are disabled: nothing is notified, whatever its state"
        ));
    }
    if let Some(rule) = muted_by(session, alarm).await? {
        return super::unsupported(format!(
            "{alarm} is muted by the rule {rule}: nothing is notified, whatever its state"
        ));
    }
    let value = match found.state {
        Some(StateValue::Alarm) => Some(1.0),
        Some(StateValue::Ok) => Some(0.0),
        _ => None,
    };
    Ok(Sample { value, of: None })
}
