//! SQS: what a queue is, its counts, and messages.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};

use super::failure::Operation;
use super::session::Session;
use super::{lambda, names};
use crate::account::description::QueueDescription;
use crate::account::gateway::Family;
use crate::account::{
    CallError, Handle, Message, Metric, Observed, Query, Received, Resource, ResourceKind, RunMarker, Sample,
    SendOutcome, Value, Window,
};
use crate::ids::RunId;
use crate::units::Span;

/// The message attributes of a run's marker.
pub const RUN: &str = "squall-run";
/// The message's number within the run.
pub const NUMBER: &str = "squall-number";
/// A batch holds so many messages ...
const BATCH: usize = 10;
/// ... and so many bytes, attributes included (Amazon SQS quotas: 1 MiB). Some are left for the attributes.
const BATCH_BYTES: usize = 1_048_576 - 4_096;
/// How long a receive waits: from one second on SQS asks all of its servers, and finds what is there.
const WAIT_SECONDS: i32 = 1;
/// SQS hides a message for twelve hours at the most.
const LONGEST_HIDE: i64 = 43_200;
/// A count is read when it is asked for. It stands for a window that ended no longer ago than this.
const FRESH: Span = Span::from_secs(60);

fn operation(session: &Session, action: &'static str, queue: &Resource) -> Operation {
    Operation { family: Family::Sqs, action, arn: names::arn(session, queue), about: queue.to_string() }
}

/// A queue's URL. It never changes while the queue is there.
pub async fn url(session: &Session, queue: &Resource) -> Result<String, CallError> {
    let known = |urls: &BTreeMap<String, String>| urls.get(&queue.name).cloned();
    if let Some(url) = known(&session.queue_urls.lock().unwrap_or_else(PoisonError::into_inner)) {
        return Ok(url);
    }
    let operation = operation(session, "sqs:GetQueueUrl", queue);
    let call = || session.sqs().get_queue_url().queue_name(&queue.name).send();
    let found = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
    let url = found.queue_url.unwrap_or_default();
    let mut urls = session.queue_urls.lock().unwrap_or_else(PoisonError::into_inner);
    urls.insert(queue.name.clone(), url.clone());
    Ok(url)
}

/// A queue's attributes.
struct Attributes(BTreeMap<String, String>);

impl Attributes {
    async fn of(session: &Session, queue: &Resource) -> Result<Attributes, CallError> {
        let url = url(session, queue).await?;
        let operation = operation(session, "sqs:GetQueueAttributes", queue);
        let call =
            || session.sqs().get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::All).send();
        let found = session.caller.read(&operation, call).await.map_err(session.refuse(&operation))?;
        let attributes = found.attributes.unwrap_or_default();
        Ok(Attributes(attributes.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect()))
    }

    fn get(&self, name: QueueAttributeName) -> Option<&str> {
        self.0.get(name.as_str()).map(String::as_str)
    }

    fn number(&self, name: QueueAttributeName) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    fn span(&self, name: QueueAttributeName) -> Span {
        Span::from_secs(self.number(name).and_then(|secs| i64::try_from(secs).ok()).unwrap_or(0))
    }

    /// Where messages go that were received too often, and after how many receives.
    fn redrive(&self) -> Option<(String, u32)> {
        let policy: serde_json::Value = serde_json::from_str(self.get(QueueAttributeName::RedrivePolicy)?).ok()?;
        // SQS answers a number, whatever it was given; emulators answer what they were given.
        let count = &policy["maxReceiveCount"];
        let count = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
        Some((names::last_part(policy["deadLetterTargetArn"].as_str()?).to_owned(), u32::try_from(count).ok()?))
    }
}

/// What a queue is.
pub async fn describe(session: &Session, queue: &Resource) -> Result<QueueDescription, CallError> {
    let attributes = Attributes::of(session, queue).await?;
    let redrive = attributes.redrive();
    Ok(QueueDescription {
        key: attributes.get(QueueAttributeName::KmsMasterKeyId).and_then(|key| own_key(session, key)),
        arn: names::arn(session, queue),
        fifo: attributes.get(QueueAttributeName::FifoQueue) == Some("true"),
        visibility: attributes.span(QueueAttributeName::VisibilityTimeout),
        retention: attributes.span(QueueAttributeName::MessageRetentionPeriod),
        delay: attributes.span(QueueAttributeName::DelaySeconds),
        dead_letter: redrive.as_ref().map(|(name, _)| queue.beside(ResourceKind::Queue, name)),
        max_receive_count: redrive.map(|(_, count)| count),
        consumers: lambda::consumers(session, queue).await?,
        move_task_running: move_task_running(session, queue).await?,
    })
}

/// The ARN of a queue's own key, which SQS answers as it was given: an id, an ARN, or an alias, of which the key is not known.
/// AWS's own key needs no permission.
fn own_key(session: &Session, key: &str) -> Option<String> {
    let in_region = |resource: &str| names::in_region(session, "kms", resource);
    match key {
        "" => None,
        key if key.ends_with("alias/aws/sqs") => None,
        key if key.contains("alias/") => Some(in_region("key/*")),
        key if key.starts_with("arn:") => Some(key.to_owned()),
        id => Some(in_region(&format!("key/{id}"))),
    }
}

/// Whether messages are being moved out of a dead-letter queue.
async fn move_task_running(session: &Session, queue: &Resource) -> Result<bool, CallError> {
    let operation = operation(session, "sqs:ListMessageMoveTasks", queue);
    let call = || session.sqs().list_message_move_tasks().source_arn(&operation.arn).max_results(BATCH as i32).send();
    match session.caller.read(&operation, call).await {
        Ok(tasks) => {
            let moves = |status: Option<&str>| matches!(status, Some("RUNNING" | "CANCELLING"));
            Ok(tasks.results().iter().any(|task| moves(task.status())))
        }
        // A queue that is no queue's dead-letter queue has none, and not every emulator knows them.
        Err(failure) if failure.is_gone() || failure.is_not_implemented() || failure.is_invalid() => Ok(false),
        Err(failure) => Err(session.refuse(&operation)(failure)),
    }
}

/// Reads an attribute that is a number and always there.
pub async fn read_number(session: &Session, queue: &Resource, name: QueueAttributeName) -> Result<Observed, CallError> {
    let attributes = Attributes::of(session, queue).await?;
    // SQS answers every attribute that it was asked for; what leaves the default out means zero.
    Ok(Observed::plain(Value::Number(attributes.number(name).unwrap_or(0))))
}

/// Writes an attribute that is a number, and no other one.
pub async fn write_number(
    session: &Session,
    queue: &Resource,
    name: QueueAttributeName,
    value: &Value,
) -> Result<(), CallError> {
    let Value::Number(number) = value else {
        return super::invalid(format!("{} of {queue} is a number, not {value}", name.as_str()));
    };
    let url = url(session, queue).await?;
    let operation = operation(session, "sqs:SetQueueAttributes", queue);
    let call = session.sqs().set_queue_attributes().queue_url(url).attributes(name, number.to_string()).send();
    session.caller.write(&operation, call).await.map_err(session.refuse(&operation))?;
    Ok(())
}

/// Counts messages, now.
pub async fn measure(session: &Session, query: &Query, window: Window) -> Result<Sample, CallError> {
    let asked = session.caller.gateway.now();
    if asked.since(window.to) > FRESH {
        return Ok(Sample { value: None, of: None });
    }
    let attributes = Attributes::of(session, &query.resource).await?;
    let count = attributes.number(match query.metric {
        Metric::InFlight => QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        Metric::Delayed => QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        _ => QueueAttributeName::ApproximateNumberOfMessages,
    });
    Ok(Sample { value: count.map(|count| count as f64), of: None })
}

/// Sends messages, each with its run's marker. An answer that does not say of each message whether it is in the queue
/// leaves all of them in doubt.
pub async fn send(session: &Session, queue: &Resource, messages: Vec<Message>) -> Result<Vec<SendOutcome>, CallError> {
    if messages.is_empty() || messages.len() > BATCH {
        return super::invalid("a batch holds 1 to 10 messages");
    }
    let url = url(session, queue).await?;
    let mut outcomes: Vec<SendOutcome> = Vec::new();
    for batch in batches(&messages) {
        match send_batch(session, queue, &url, batch).await {
            Ok(of_batch) => outcomes.extend(of_batch),
            // Some of the messages are in the queue already: what is known of the rest alone would be no answer.
            Err(error) if outcomes.contains(&SendOutcome::Accepted) => {
                return Err(CallError::Unknown(format!("only a part of the messages was sent: {error}")));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(outcomes)
}

/// Splits messages so that no batch is too long in bytes.
fn batches(messages: &[Message]) -> Vec<&[Message]> {
    let (mut batches, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (index, message) in messages.iter().enumerate() {
        if index > start && bytes + message.body.len() > BATCH_BYTES {
            batches.push(&messages[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += message.body.len();
    }
    batches.push(&messages[start..]);
    batches
}

async fn send_batch(
    session: &Session,
    queue: &Resource,
    url: &str,
    messages: &[Message],
) -> Result<Vec<SendOutcome>, CallError> {
    let operation = operation(session, "sqs:SendMessage", queue);
    let entries = messages.iter().enumerate().map(|(index, message)| entry(index, message));
    let entries = entries.collect::<Result<Vec<_>, _>>();
    let entries = entries.or_else(|error| super::invalid(error.to_string()))?;
    let call = session.sqs().send_message_batch().queue_url(url).set_entries(Some(entries)).send();
    let reply = session.caller.write(&operation, call).await.map_err(session.refuse(&operation))?;
    let mut outcomes = vec![None; messages.len()];
    for sent in reply.successful() {
        set(&mut outcomes, sent.id(), SendOutcome::Accepted);
    }
    for failed in reply.failed() {
        let why = format!("{}: {}", failed.code(), failed.message().unwrap_or("no reason given"));
        // A failure of the service's own says nothing about what became of the message.
        if failed.sender_fault() || failed.code().contains("Throttl") {
            set(&mut outcomes, failed.id(), SendOutcome::Refused(why));
        }
    }
    let outcomes: Option<Vec<_>> = outcomes.into_iter().collect();
    outcomes.ok_or_else(|| CallError::Unknown(format!("{queue} did not report the result of each message")))
}

fn set(outcomes: &mut [Option<SendOutcome>], id: &str, outcome: SendOutcome) {
    if let Some(place) = id.parse::<usize>().ok().and_then(|index| outcomes.get_mut(index)) {
        *place = Some(outcome);
    }
}

fn entry(
    index: usize,
    message: &Message,
) -> Result<SendMessageBatchRequestEntry, aws_smithy_types::error::operation::BuildError> {
    let RunMarker { run, number } = &message.marker;
    let mut entry = SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(&message.body)
        .message_attributes(RUN, text(&run.0)?)
        .message_attributes(NUMBER, text(&number.to_string())?);
    if let Some(group) = &message.group {
        entry = entry.message_group_id(group).message_deduplication_id(format!("{run}-{number}"));
    }
    entry.build()
}

fn text(value: &str) -> Result<MessageAttributeValue, aws_smithy_types::error::operation::BuildError> {
    MessageAttributeValue::builder().data_type("String").string_value(value).build()
}

/// Receives messages, hidden from others for a while.
pub async fn receive(session: &Session, queue: &Resource, hide: Span) -> Result<Vec<Received>, CallError> {
    let url = url(session, queue).await?;
    let operation = operation(session, "sqs:ReceiveMessage", queue);
    // Whole seconds, rather more than less.
    let hide = (hide.micros().saturating_add(999_999) / 1_000_000).min(LONGEST_HIDE);
    let call = session.sqs().receive_message().queue_url(&url).max_number_of_messages(BATCH as i32);
    let call = call.visibility_timeout(hide as i32).wait_time_seconds(WAIT_SECONDS);
    let call = call.message_attribute_names(RUN).message_attribute_names(NUMBER);
    let call = call.message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount).send();
    let reply = session.caller.write(&operation, call).await.map_err(session.refuse(&operation))?;
    let received = reply.messages.unwrap_or_default().into_iter().filter_map(|message| {
        let attribute = |name: &str| message.message_attributes()?.get(name)?.string_value();
        let marker = attribute(RUN).zip(attribute(NUMBER).and_then(|number| number.parse().ok()));
        Some(Received {
            handle: Handle(message.receipt_handle()?.to_owned()),
            id: message.message_id()?.to_owned(),
            marker: marker.map(|(run, number)| RunMarker { run: RunId(run.to_owned()), number }),
        })
    });
    Ok(received.collect())
}

/// Deletes a received message.
pub async fn delete_message(session: &Session, queue: &Resource, handle: &Handle) -> Result<(), CallError> {
    let url = url(session, queue).await?;
    let operation = operation(session, "sqs:DeleteMessage", queue);
    let call = session.sqs().delete_message().queue_url(url).receipt_handle(&handle.0).send();
    session.caller.write(&operation, call).await.map_err(session.refuse(&operation))?;
    Ok(())
}

/// Makes a received message visible at once. One that is not hidden any more is.
pub async fn release_message(session: &Session, queue: &Resource, handle: &Handle) -> Result<(), CallError> {
    let url = url(session, queue).await?;
    let operation = operation(session, "sqs:ChangeMessageVisibility", queue);
    let call = session.sqs().change_message_visibility().queue_url(url).receipt_handle(&handle.0);
    match session.caller.write(&operation, call.visibility_timeout(0).send()).await {
        Err(failure) if !failure.code.contains("MessageNotInflight") => Err(session.refuse(&operation)(failure)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_never_too_long() {
        let message = |bytes: usize| Message {
            marker: RunMarker { run: RunId("run-1".into()), number: 1 },
            body: "x".repeat(bytes),
            group: None,
        };
        let sizes = |bytes: &[usize]| {
            let messages: Vec<_> = bytes.iter().copied().map(message).collect();
            batches(&messages).iter().map(|batch| batch.len()).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[10; 10]), [10]);
        assert_eq!(sizes(&[600_000, 600_000, 10]), [1, 2]);
        assert_eq!(sizes(&[2_000_000, 1]), [1, 1], "what is too long alone goes alone, and is refused alone");
    }

    #[test]
    fn a_redrive_policy_counts_in_numbers_or_texts() {
        for count in ["3", "\"3\""] {
            let policy = format!(
                r#"{{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:111122223333:dead","maxReceiveCount":{count}}}"#
            );
            let attributes = Attributes([("RedrivePolicy".to_owned(), policy)].into());
            assert_eq!(attributes.redrive(), Some(("dead".to_owned(), 3)));
        }
    }
}
