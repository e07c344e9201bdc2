//! What AWS refuses when a template is deployed, across resources. A value that is not known refuses nothing.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::Item;
use super::app::{App, Destination, Role};
use super::managed;
use super::pattern::{like, like_ignoring_case};
use super::read::Reader;
use super::value::{Kind, Value};
use crate::ids::ResourceKind;
use crate::yaml::{Code, Finding};

/// Messages of a batch from a queue that needs no batching window.
const BATCH_WITHOUT_WINDOW: u32 = 10;

/// Everything that is refused.
pub(super) fn check(reader: &Reader<'_>, app: &App) -> Vec<Finding> {
    let mut rules = Rules { reader, app, found: Vec::new() };
    for item in reader.items {
        match item.kind.as_str() {
            "AWS::SQS::Queue" => rules.queue(item),
            "AWS::SNS::Subscription" => rules.subscription(item),
            "AWS::Lambda::EventSourceMapping" => rules.mapping(item),
            "AWS::Lambda::Function" => rules.function(item),
            "AWS::Lambda::EventInvokeConfig" => rules.destinations(item),
            "AWS::Lambda::Alias" | "AWS::Lambda::Version" => rules.provisioned(item),
            _ => {}
        }
    }
    rules.reservations();
    rules.found
}

struct Rules<'r, 's> {
    reader: &'r Reader<'s>,
    app: &'r App,
    found: Vec<Finding>,
}

impl Rules<'_, '_> {
    fn refuse(&mut self, item: &Item, key: &str, what: String, help: &str) {
        let at = item.properties.get(key).map_or(&item.at, |value| &value.at);
        self.found.push(self.reader.finding(Code::Refused, at, what, help));
    }

    /// FIFO's names and properties, and dead-letter queues
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>).
    fn queue(&mut self, item: &Item) {
        let Some(queue) = self.app.queues.get(&item.name) else { return };
        let label = item.label();
        if item.properties.some("FifoQueue").is_some_and(|value| value.unknown().is_some()) {
            return;
        }
        let named = item.properties.some("QueueName").is_some_and(|name| name.unknown().is_none());
        if named && queue.fifo != item.name.ends_with(".fifo") {
            let help = "SQS refuses it: the name of a FIFO queue, and of no other, ends in `.fifo`";
            self.refuse(item, "QueueName", format!("`{}` cannot be the name of {label}", item.name), help);
        }
        for key in ["ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"] {
            if !queue.fifo && item.properties.some(key).is_some() {
                self.refuse(
                    item,
                    key,
                    format!("{label} is not FIFO and has `{key}`"),
                    "SQS refuses it: add `FifoQueue: true`, or remove it",
                );
            }
        }
        let word = |key: &str| item.properties.some(key).map(|value| value.text().map(str::to_owned));
        if word("FifoThroughputLimit") == Some(Some("perMessageGroupId".into()))
            && !matches!(word("DeduplicationScope"), Some(None))
            && word("DeduplicationScope") != Some(Some("messageGroup".into()))
        {
            let what =
                format!("{label} has a throughput limit per message group, and deduplicates over the whole queue");
            self.refuse(item, "FifoThroughputLimit", what, "SQS refuses it: add `DeduplicationScope: messageGroup`");
        }
        let Some(redrive) = &queue.redrive else { return };
        if redrive.dead_letter == item.name {
            self.refuse(item, "RedrivePolicy", format!("{label} is its own dead-letter queue"), "name another queue");
        }
        let Some(dead) = self.app.queues.get(&redrive.dead_letter) else { return };
        let dead_item =
            self.reader.items.iter().find(|other| other.kind == item.kind && other.name == redrive.dead_letter);
        let fifo_known = dead_item
            .is_none_or(|dead| dead.properties.some("FifoQueue").is_none_or(|value| value.unknown().is_none()));
        if dead.fifo != queue.fifo && fifo_known {
            let what =
                format!("{label} and its dead-letter queue {} are not both FIFO or both standard", redrive.dead_letter);
            self.refuse(item, "RedrivePolicy", what, "SQS refuses it: make them alike");
        }
        if dead_item.is_some_and(|dead| {
            !takes_from(dead, &self.reader.deployment.location.arn(ResourceKind::Queue, &item.name))
        }) {
            let what = format!(
                "{} does not take dead letters from {}: its `RedriveAllowPolicy`",
                redrive.dead_letter, item.id
            );
            self.refuse(item, "RedrivePolicy", what, "SQS refuses it: allow the queue there");
        }
    }

    /// <https://docs.aws.amazon.com/sns/latest/dg/fifo-topic-code-examples.html>: FIFO topics deliver to queues alone.
    fn subscription(&mut self, item: &Item) {
        let name = |kind, key: &str| {
            let value = item.properties.some(key)?;
            self.reader.names.find(kind, value).map(str::to_owned)
        };
        let Some(topic) = name(ResourceKind::Topic, "TopicArn") else { return };
        let fifo_topic = self.is_fifo("AWS::SNS::Topic", "FifoTopic", &topic);
        if let (Some(queue), Some(false)) = (name(ResourceKind::Queue, "Endpoint"), fifo_topic)
            && self.is_fifo("AWS::SQS::Queue", "FifoQueue", &queue) == Some(true)
        {
            let what = format!("the FIFO queue {queue} cannot be subscribed to the standard topic {topic}");
            self.refuse(item, "Endpoint", what, "SNS refuses it: make the topic FIFO, or the queue standard");
        }
        if fifo_topic == Some(true)
            && item.properties.some("Protocol").and_then(Value::text).is_some_and(|protocol| protocol != "sqs")
        {
            let what = format!("the FIFO topic {topic} delivers to queues only");
            self.refuse(item, "Protocol", what, "SNS refuses it: put a queue in between");
        }
    }

    /// Whether a queue or a topic is FIFO; `None` when that is not known.
    fn is_fifo(&self, kind: &str, key: &str, name: &str) -> Option<bool> {
        let item = self.reader.items.iter().find(|item| item.kind == kind && item.name == name)?;
        match item.properties.some(key) {
            None => Some(false),
            Some(value) => value.plain().map(|text| text.eq_ignore_ascii_case("true")),
        }
    }

    /// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>. Rules of SQS are for queues alone.
    fn mapping(&mut self, item: &Item) {
        let Some(mapping) = self.app.mappings.get(&item.name) else { return };
        let (Some(queue), Some(function)) =
            (self.app.queues.get(&mapping.queue), self.app.functions.get(&mapping.function))
        else {
            return;
        };
        let known = |kind: &str, name: &str, key: &str| {
            let item = self.reader.items.iter().find(|item| item.kind == kind && item.name == name);
            item.is_none_or(|item| item.properties.some(key).is_none_or(|value| value.unknown().is_none()))
        };
        let times_known = known("AWS::SQS::Queue", &mapping.queue, "VisibilityTimeout")
            && known("AWS::Lambda::Function", &mapping.function, "Timeout");
        if queue.visibility < function.timeout && times_known {
            let what = format!(
                "the visibility timeout of {} ({}) is shorter than the time-out of {} ({})",
                mapping.queue, queue.visibility, mapping.function, function.timeout
            );
            self.refuse(
                item,
                "EventSourceArn",
                what,
                "Lambda refuses the mapping: AWS recommends six times the function's time-out",
            );
        }
        let windowed = mapping.batch_window > crate::units::Span::ZERO;
        let (batch_known, window_known) = (
            item.properties.some("BatchSize").is_none_or(|value| value.unknown().is_none()),
            item.properties.some("MaximumBatchingWindowInSeconds").is_none_or(|value| value.unknown().is_none()),
        );
        if queue.fifo && windowed {
            let what = format!("the mapping {} from the FIFO queue {} has a batching window", item.id, mapping.queue);
            self.refuse(
                item,
                "MaximumBatchingWindowInSeconds",
                what,
                "Lambda refuses it: remove `MaximumBatchingWindowInSeconds`",
            );
        }
        if mapping.batch_size > BATCH_WITHOUT_WINDOW && batch_known && window_known && (queue.fifo || !windowed) {
            let (what, help) = match queue.fifo {
                true => (
                    format!("a batch from the FIFO queue {} has at most 10 messages", mapping.queue),
                    "write `BatchSize: 10`",
                ),
                false => (
                    "a batch of more than 10 messages needs a batching window".to_owned(),
                    "add `MaximumBatchingWindowInSeconds: 1`, or write `BatchSize: 10`",
                ),
            };
            self.refuse(item, "BatchSize", what, help);
        }
        let same = self.app.mappings.iter().find(|(name, other)| {
            name.as_str() < item.name.as_str() && other.queue == mapping.queue && other.function == mapping.function
        });
        if let Some((other, _)) = same {
            let what = format!("{other} maps {} to {} already", mapping.queue, mapping.function);
            self.refuse(
                item,
                "EventSourceArn",
                what,
                "Lambda refuses a second mapping of the same two: remove one of them",
            );
        }
        let arn = self.reader.deployment.location.arn(ResourceKind::Queue, &mapping.queue);
        let needed = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
        self.needs(item, "EventSourceArn", &mapping.function, &needed, &arn);
    }

    /// The role of a function must be assumable by Lambda, and may send to its dead-letter queue.
    fn function(&mut self, item: &Item) {
        let Some(function) = self.app.functions.get(&item.name) else { return };
        let role = self.reader.items.iter().find(|role| role.kind == "AWS::IAM::Role" && role.name == function.role);
        let trust =
            role.filter(|role| !role.generated).and_then(|role| role.properties.some("AssumeRolePolicyDocument"));
        if let Some(trust) = trust.filter(|trust| {
            trust.first_unknown().is_none() && !trust.to_json().to_string().contains("lambda.amazonaws.com")
        }) {
            let what = format!("the role {} of {} does not let Lambda assume it", function.role, item.label());
            let at = trust.at.clone();
            self.found.push(self.reader.finding(
                Code::Refused,
                &at,
                what,
                "Lambda refuses it: add lambda.amazonaws.com as a principal",
            ));
        }
        self.may_send(item, "DeadLetterConfig", &item.name, function.asynchronous.dead_letter.as_ref());
    }

    fn destinations(&mut self, item: &Item) {
        let Some(value) = item.properties.some("FunctionName") else { return };
        let Some(name) = self.reader.names.find(ResourceKind::Function, value).map(str::to_owned) else { return };
        let Some(function) = self.app.functions.get(&name) else { return };
        for destination in [&function.asynchronous.on_failure, &function.asynchronous.on_success] {
            self.may_send(item, "DestinationConfig", &name, destination.as_ref());
        }
    }

    fn may_send(&mut self, item: &Item, key: &str, function: &str, to: Option<&Destination>) {
        let location = &self.reader.deployment.location;
        let (action, arn) = match to {
            Some(Destination::Queue(name)) => ("sqs:SendMessage", location.arn(ResourceKind::Queue, name)),
            Some(Destination::Topic(name)) => ("sns:Publish", location.arn(ResourceKind::Topic, name)),
            Some(Destination::FunctionAsync(name)) => {
                ("lambda:InvokeFunction", location.arn(ResourceKind::Function, name))
            }
            _ => return,
        };
        self.needs(item, key, function, &[action], &arn);
    }

    /// What a function's role must allow for Lambda to accept a configuration.
    fn needs(&mut self, item: &Item, key: &str, function: &str, actions: &[&str], arn: &str) {
        let Some(role) = self.app.functions.get(function).and_then(|function| self.app.roles.get(&function.role))
        else {
            return;
        };
        let missing: Vec<&str> = actions.iter().copied().filter(|action| !allows(role, action, arn)).collect();
        if !missing.is_empty() {
            let role_name = &self.app.functions[function].role;
            let what =
                format!("the role {role_name} of function {function} does not allow {} on {arn}", missing.join(", "));
            self.refuse(item, key, what, "Lambda refuses it: allow it in a policy of the role");
        }
    }

    /// Provisioned concurrency is for published versions, and a part of what the function reserves
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html>).
    fn provisioned(&mut self, item: &Item) {
        const KEY: &str = "ProvisionedConcurrencyConfig";
        let Some(value) = item.properties.some("FunctionName").filter(|_| item.properties.some(KEY).is_some()) else {
            return;
        };
        let Some(name) = self.reader.names.find(ResourceKind::Function, value) else { return };
        let Some(function) = self.app.functions.get(name) else { return };
        let (name, provisioned, reserved) = (name.to_owned(), function.provisioned, function.reserved);
        if item.properties.get("FunctionVersion").and_then(Value::text) == Some("$LATEST") {
            let what = format!("the alias {} points at $LATEST and has provisioned concurrency", item.id);
            self.refuse(item, KEY, what, "Lambda refuses it: point the alias at a published version");
        }
        if let Some(reserved) = reserved.filter(|reserved| *reserved < provisioned) {
            let what = format!("function {name} has {provisioned} provisioned, and reserves {reserved}");
            self.refuse(item, KEY, what, "Lambda refuses it: reserve as much, or provision less");
        }
        let snaps = |item: &Item| {
            let applies = item.properties.some("SnapStart").and_then(|snap| snap.some("ApplyOn"));
            applies.and_then(Value::text) == Some("PublishedVersions")
        };
        if self
            .reader
            .items
            .iter()
            .any(|other| other.kind == "AWS::Lambda::Function" && other.name == name && snaps(other))
        {
            let what = format!("function {name} has both SnapStart and provisioned concurrency");
            self.refuse(item, KEY, what, "Lambda refuses it: remove one of them");
        }
    }

    /// What is reserved, and what functions without a reservation have provisioned, must leave the floor to the others
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>).
    fn reservations(&mut self) {
        let limits = self.reader.deployment.limits;
        let most = limits.concurrency.saturating_sub(limits.unreserved);
        let mut sum: u32 = 0;
        for item in self.reader.items.iter().filter(|item| item.kind == "AWS::Lambda::Function") {
            let Some(function) = self.app.functions.get(&item.name) else { continue };
            let before = sum;
            sum = sum.saturating_add(function.reserved.unwrap_or(function.provisioned));
            if before <= most && sum > most {
                let what = format!(
                    "reserved and provisioned concurrency add up to {sum}; the account has {} and keeps {} unreserved",
                    limits.concurrency, limits.unreserved
                );
                let help = "Lambda refuses it: reserve less, or set the account's limits in the traffic file";
                self.refuse(item, "ReservedConcurrentExecutions", what, help);
            }
        }
    }
}

/// Whether a dead-letter queue takes letters from a queue.
fn takes_from(dead: &Item, source: &str) -> bool {
    let Some(policy) = dead.properties.some("RedriveAllowPolicy") else { return true };
    match policy.get("redrivePermission").and_then(Value::text) {
        Some("denyAll") => false,
        Some("byQueue") => {
            let sources = policy.get("sourceQueueArns").map(Value::each).unwrap_or_default();
            sources.iter().any(|arn| matches!(arn.kind, Kind::Unknown(_)) || arn.plain().as_deref() == Some(source))
        }
        _ => true,
    }
}

/// Whether a role's policies allow an action, their conditions taken to hold when they allow and not to when they deny.
pub fn allows(role: &Role, action: &str, arn: &str) -> bool {
    if role.unknown.is_some() {
        return true;
    }
    let says = |text: &str| says(text, action, arn);
    let (mut allowed, mut denied) = (false, false);
    for document in role.inline.values().chain(role.attached.values()) {
        let (allow, deny) = says(document);
        allowed |= allow;
        denied |= deny;
    }
    allowed |= role.managed.iter().any(|policy| {
        managed::actions(policy).is_none_or(|actions| actions.iter().any(|pattern| like_ignoring_case(pattern, action)))
    });
    let bounded = role.boundary.as_deref().is_none_or(|boundary| says(boundary).0);
    allowed && !denied && bounded
}

/// Whether a document allows, and whether it denies without a condition.
fn says(document: &str, action: &str, arn: &str) -> (bool, bool) {
    let json: Json = serde_json::from_str(document).unwrap_or_default();
    let list = |value: Option<&Json>| -> Option<BTreeSet<String>> {
        match value? {
            Json::Array(items) => Some(items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()),
            one => Some(one.as_str().into_iter().map(str::to_owned).collect()),
        }
    };
    let statements = match json.get("Statement") {
        Some(Json::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    let (mut allowed, mut denied) = (false, false);
    for statement in &statements {
        let acts = list(statement.get("Action")).map_or_else(
            || {
                list(statement.get("NotAction"))
                    .is_some_and(|not| !not.iter().any(|pattern| like_ignoring_case(pattern, action)))
            },
            |patterns| patterns.iter().any(|pattern| like_ignoring_case(pattern, action)),
        );
        let on = list(statement.get("Resource")).map_or_else(
            || list(statement.get("NotResource")).is_none_or(|not| !not.iter().any(|pattern| like(pattern, arn))),
            |patterns| patterns.iter().any(|pattern| like(pattern, arn)),
        );
        if acts && on {
            match statement.get("Effect").and_then(Json::as_str) {
                Some("Deny") => denied |= statement.get("Condition").is_none(),
                _ => allowed = true,
            }
        }
    }
    (allowed, denied)
}
