//! `sqs.poison`: messages that the consumer cannot handle are sent to its queue, and looked for afterwards.

use super::{Dependency, Described, Fault, FaultPlan, Flaw, Page, Refusal, SHOWN_WITHIN, Scene, listed};
use crate::account::description::QueueDescription;
use crate::account::{Metric, Resource, ResourceKind};
pub use crate::payload::Payload;
use crate::plan::{Cleanup, Emission, Evidence, Indicator, IndicatorTest};
use crate::record;
use crate::units::{Rate, Span};
use crate::yaml::TargetName;

record! {
    /// Sends messages that a consumer cannot handle, each with the run's id.
    pub struct Poison {
        /// The queue to send to.
        pub target: TargetName,
        /// A kind of payload from squall's library; or give `bodies`.
        pub payload: Option<Payload>,
        /// The experiment's own bodies, sent in turn; or give `payload`.
        pub bodies: Vec<String> = Vec::new(),
        /// How many messages in all, at most 1,000.
        pub count: u32,
        /// How fast, at most 50 a second.
        pub rate: Rate,
        /// The message group to send to; only for a FIFO queue, where a message that fails holds up its group.
        pub fifo_group: Option<String>,
        /// Whether the messages may stay where they end up; then nothing is swept.
        pub leave_in_queue: bool = false,
    }
}

/// The most messages of one fault.
pub const MOST_MESSAGES: u32 = 1_000;
/// The most messages a second.
pub const FASTEST: f64 = 50.0;
/// The most bytes of all bodies of one fault: they stand in the plan and in the journal.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;
/// The longest body in bytes: SQS takes 1 MiB a message, and the run's marker needs a little of that.
pub const LARGEST_BODY: usize = 1024 * 1024 - 1024;
/// After so many messages of others the sweep stops.
pub const FOREIGN_LIMIT: u32 = 100;
/// What a message may need beyond its receives: the poller's wait for a batch (20 s), and its back-off after errors.
const SLACK: Span = Span::from_secs(120);

impl Poison {
    /// Its page.
    pub const PAGE: &'static Page = &Page {
        name: "sqs.poison",
        summary: "sends a queue messages that its consumer cannot handle",
        kinds: &[ResourceKind::Queue],
        does: "Sends a bounded number of marked messages. Payloads: `malformed` is not JSON, `wrong_schema` is JSON of \
               another shape, `too_big` is larger than DynamoDB or EventBridge accept (410 KiB), `hostile` is \
               designed to break parsers and logs; or give your own `bodies`, which are sent in turn. Each message \
               has the run's id and a number as attributes. A send without an answer is never repeated. At most 1,000 \
               messages, 50 a second, 4 MiB in all. \
               It reproduces a broken producer or a wrong deploy upstream; good messages may fail too when the consumer fails whole batches.",
        evidence: "A message with this run's id is found in the dead-letter queue when it is swept; or the queue is \
                   empty twice after the last message was sent (visible, in flight and delayed), so the application \
                   took them; or the failed share of the consumer's calls rises beyond the noise and the trend of the \
                   baseline. Other dead letters are no evidence.",
        undo: "A message cannot be unsent. squall never receives from the source queue; it waits until each message must \
               have reached the dead-letter queue (maxReceiveCount x visibility timeout, and two minutes), then sweeps the dead-letter queue: messages with this run's id are deleted, all others are made visible again at the end, and after 100 messages of others it stops. The report says how many were swept, left, and not found.",
        alone: "The messages that were sent go to the dead-letter queue like any other that fails, and stay there.",
        actions_do: &["sqs:SendMessage"],
        actions_undo: &[
            "sqs:GetQueueAttributes",
            "sqs:ListMessageMoveTasks",
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
        ],
        refusals: &[
            "The queue has no dead-letter queue, unless `leave_in_queue: true`.",
            "The dead-letter queue has a consumer, its own dead-letter queue, or a running move task: the messages \
             would be gone, or be counted wrongly.",
            "The queue is FIFO and `fifo_group` is not given: a message that fails holds up its group.",
            "More than 1,000 messages, 50 a second, 4 MiB in all, or 1 MiB in one body; a body that is empty or has a \
             character that SQS does not accept.",
            "The messages cannot all be sent within `for`.",
        ],
        example: "\
targets:
  orders: { queue: OrdersQueue }
faults:
  - inject: { sqs.poison: { target: orders, payload: malformed, count: 20, rate: 2/s } }
    at: 0m
    for: 15m                                     # long enough to see them reach the dead-letter queue
",
    };

    /// The messages' bodies in the order of sending.
    fn messages(&self, seed: u64) -> Vec<String> {
        match self.payload {
            Some(payload) => payload.bodies(self.count, seed),
            None => self.bodies.iter().cycle().take(self.count as usize).cloned().collect(),
        }
    }

    /// What is wrong with count, rate and bodies.
    fn flawed_messages(&self) -> Vec<Flaw> {
        let (rate, mut flaws) = (self.rate.get(), Vec::new());
        if self.count == 0 || self.count > MOST_MESSAGES {
            let what = format!("{} messages cannot be sent", self.count);
            flaws.push(Flaw::new("count", what, format!("send from 1 to {MOST_MESSAGES}")));
        }
        if rate <= 0.0 || rate > FASTEST {
            let what = format!("messages cannot be sent at {}", self.rate);
            flaws.push(Flaw::new("rate", what, format!("send more than 0 and at most {FASTEST} a second")));
        }
        if self.payload.is_some() != self.bodies.is_empty() {
            let kinds = listed(Payload::ALL.map(Payload::word));
            flaws.push(Flaw::new(
                "payload",
                "a poison needs either a `payload` from the library or its own `bodies`",
                format!("write one of the two; the library has {kinds}"),
            ));
        }
        if let Some(why) = self.bodies.iter().find_map(|body| refused_body(body)) {
            flaws.push(Flaw::new("bodies", format!("SQS would refuse a body: {why}"), "change that entry"));
        }
        if !flaws.is_empty() {
            return flaws;
        }
        let bytes: usize = self.messages(0).iter().map(String::len).sum();
        if bytes > MOST_BYTES {
            let help = format!("send fewer or shorter ones: at most {MOST_BYTES} bytes in one fault");
            flaws.push(Flaw::new("count", format!("{} messages of this kind are {bytes} bytes", self.count), help));
        }
        flaws
    }

    /// Whether all messages can be sent while the fault lasts.
    fn check_time(&self, given: Span) -> Result<(), Refusal> {
        let needed = self.interval() * i64::from(self.count.saturating_sub(1));
        if needed <= given {
            return Ok(());
        }
        Err(Refusal::new(
            format!("{} messages at {} need {needed}, but the fault lasts {given}", self.count, self.rate),
            "send fewer, send faster, or make `for` longer",
        ))
    }

    fn interval(&self) -> Span {
        Span::from_secs_f64(1.0 / self.rate.get())
    }

    /// FIFO only when said, and a group only for FIFO.
    fn check_group(&self, target: &Resource, queue: &QueueDescription) -> Result<(), Refusal> {
        match (queue.fifo, &self.fifo_group) {
            (true, None) => Err(Refusal::new(
                format!("{target} is FIFO: a message that fails blocks all later ones of its group"),
                "name the group that may be blocked: `fifo_group: some-group`",
            )),
            (false, Some(_)) => {
                Err(Refusal::new(format!("{target} is not FIFO, and has no message groups"), "remove `fifo_group`"))
            }
            _ => Ok(()),
        }
    }

    /// Where the messages will be looked for.
    fn cleanup(&self, target: &Resource, queue: &QueueDescription, scene: &Scene<'_>) -> Result<Cleanup, Refusal> {
        if self.leave_in_queue {
            return Ok(Cleanup::LeaveInQueue);
        }
        let leave = "or allow the messages to stay: `leave_in_queue: true`";
        let Some((dead_letter, receives)) = queue.dead_letter.as_ref().zip(queue.max_receive_count) else {
            return Err(Refusal::new(
                format!("{target} has no dead-letter queue: its messages would be retried until they expire"),
                format!("give it a redrive policy, {leave}"),
            ));
        };
        let below = scene.described.queue(dead_letter).ok_or_else(|| Refusal::absent(dead_letter))?;
        let name = &dead_letter.name;
        if !below.consumers.is_empty() {
            let consumers = listed(below.consumers.iter().map(|consumer| &consumer.name));
            return Err(Refusal::new(
                format!(
                    "{name}, the dead-letter queue of {target}, has a consumer ({consumers}) that would take the messages"
                ),
                format!("disable its event source mapping for the experiment, {leave}"),
            ));
        }
        if let Some(next) = &below.dead_letter {
            return Err(Refusal::new(
                format!(
                    "{name}, the dead-letter queue of {target}, has its own redrive policy to {}: sweeping it would \
                     move others' messages on",
                    next.name
                ),
                format!("remove that redrive policy, {leave}"),
            ));
        }
        if below.move_task_running {
            return Err(Refusal::new(
                format!("a move task is moving messages of {name} back: the poison would be moved with them"),
                format!(
                    "wait for it or cancel it (aws sqs list-message-move-tasks --source-arn {}), {leave}",
                    below.arn
                ),
            ));
        }
        // In a FIFO group one message is tried to its end before the next one is.
        // Another fault of the run may hide the messages for longer.
        let beside = scene.changes_beside().filter(|change| change.setting.resource() == target);
        let held_up = beside.map(|change| change.lasts_after).max().unwrap_or(Span::ZERO);
        let in_turn = if queue.fifo { i64::from(self.count) } else { 1 };
        Ok(Cleanup::Sweep {
            dead_letter: dead_letter.clone(),
            arrives_within: queue.delay + held_up + queue.visibility * i64::from(receives) * in_turn + SLACK,
            foreign_limit: FOREIGN_LIMIT,
        })
    }

    fn evidence(&self, target: &Resource, queue: &QueueDescription, cleanup: &Cleanup) -> Evidence {
        let mut any = vec![Indicator::of(Metric::Depth, target, IndicatorTest::Emptied)];
        let mut expect = vec![format!("the messages are gone from {}", target.name)];
        if let Cleanup::Sweep { dead_letter, .. } = cleanup {
            any.push(Indicator::of(Metric::Depth, dead_letter, IndicatorTest::Arrives));
            expect.push(format!("one of them is in {}", dead_letter.name));
        }
        for consumer in &queue.consumers {
            any.push(Indicator::of(Metric::FailedShare, consumer, IndicatorTest::Rises));
            expect.push(format!("more calls of {} fail", consumer.name));
        }
        let arrives_within = match cleanup {
            Cleanup::Sweep { arrives_within, .. } => *arrives_within,
            Cleanup::LeaveInQueue => queue.visibility * i64::from(queue.max_receive_count.unwrap_or(1)) + SLACK,
        };
        Evidence { expect: expect.join(", or "), any, logs: None, within: arrives_within + SHOWN_WITHIN }
    }

    fn warnings(&self, target: &Resource, queue: &QueueDescription, cleanup: &Cleanup) -> Vec<String> {
        let name = &target.name;
        let mut warnings = Vec::new();
        if queue.consumers.is_empty() {
            warnings.push(format!(
                "no event source mapping consumes {name}: unless something else does, the messages stay there and are \
                 not found afterwards"
            ));
        }
        if queue.fifo {
            warnings
                .push(format!("each message that fails blocks its message group in {name} until it is dead-lettered"));
        }
        match cleanup {
            Cleanup::LeaveInQueue => warnings.push(format!(
                "the {} messages stay in {name} or wherever the application puts them; nothing sweeps them",
                self.count
            )),
            Cleanup::Sweep { arrives_within, .. } if *arrives_within >= queue.retention => warnings.push(format!(
                "messages may expire in {name} ({}) before they reach the dead-letter queue ({arrives_within})",
                queue.retention
            )),
            Cleanup::Sweep { .. } => {}
        }
        warnings
    }
}

/// Why SQS would not take a body: its length, or a character outside of
/// `#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF` (SQS API reference, SendMessage).
pub(crate) fn refused_body(body: &str) -> Option<String> {
    if body.is_empty() {
        return Some("it is empty".into());
    }
    if body.len() > LARGEST_BODY {
        return Some(format!("it has {} bytes; the limit is {LARGEST_BODY}", body.len()));
    }
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..);
    body.chars().find(|c| !allowed(*c)).map(|c| format!("it has the character U+{:04X}", c as u32))
}

impl Fault for Poison {
    fn page(&self) -> &'static Page {
        Self::PAGE
    }

    fn target(&self) -> &TargetName {
        &self.target
    }

    /// Messages are no setting.
    fn is_exclusive(&self) -> bool {
        false
    }

    fn flaws(&self) -> Vec<Flaw> {
        self.flawed_messages()
    }

    fn look(&self, target: &Resource, described: &Described) -> Vec<Resource> {
        let Some(queue) = described.queue(target) else { return Vec::new() };
        queue.dead_letter.iter().chain(&queue.consumers).cloned().collect()
    }

    /// The consumer must be able to receive the messages: it carries them to the dead-letter queue.
    fn needs(&self, target: &Resource, described: &Described) -> Vec<Dependency> {
        let Some(queue) = described.queue(target) else { return Vec::new() };
        let need = |role: &Resource, action: &str| Dependency {
            role: role.clone(),
            action: action.to_owned(),
            arn: Some(queue.arn.clone()),
            why: format!("the poison in {} must be received to reach the dead-letter queue", target.name),
        };
        let roles = queue.consumers.iter().filter_map(|consumer| described.function(consumer)).map(|f| &f.role);
        roles
            .flat_map(|role| ["sqs:ReceiveMessage", "sqs:GetQueueAttributes"].map(|action| need(role, action)))
            .collect()
    }

    fn plan(&self, scene: &Scene<'_>) -> Result<Vec<FaultPlan>, Vec<Refusal>> {
        let mut against: Vec<Refusal> = self.check_time(scene.until.since(scene.from)).err().into_iter().collect();
        let bodies = self.messages(scene.seed);
        let mut plans = Vec::new();
        for target in scene.targets {
            let Some(queue) = scene.described.queue(target) else {
                against.push(Refusal::absent(target));
                continue;
            };
            against.extend(self.check_group(target, queue).err());
            let cleanup = match self.cleanup(target, queue, scene) {
                Ok(cleanup) => cleanup,
                Err(why) => {
                    against.push(why);
                    continue;
                }
            };
            let kind = self.payload.map_or("own", Payload::word).replace('_', " ");
            plans.push(FaultPlan {
                summary: format!("{} gets {} {kind} messages at {}", target.name, self.count, self.rate),
                hits: std::iter::once(target.clone()).chain(queue.consumers.clone()).collect(),
                changes: Vec::new(),
                evidence: self.evidence(target, queue, &cleanup),
                warnings: self.warnings(target, queue, &cleanup),
                emission: Some(Emission {
                    queue: target.clone(),
                    first: 1,
                    bodies: bodies.clone(),
                    group: self.fifo_group.clone(),
                    interval: self.interval(),
                    cleanup,
                }),
            });
        }
        if against.is_empty() { Ok(plans) } else { Err(against) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::stage::{Stage, function, queue, role, spec};

    const TWENTY: &str = "sqs.poison: { target: orders, payload: malformed, count: 20, rate: 2/s }";

    fn shop() -> Stage {
        Stage::shop(queue("Orders"))
    }

    #[test]
    fn it_sends_and_changes_nothing() {
        let plan = shop().planned(TWENTY);
        assert!(plan.changes.is_empty());
        let emission = plan.emission.unwrap();
        assert_eq!((emission.queue, emission.bodies.len()), (queue("Orders"), 20));
        assert_eq!((emission.interval, emission.group), (Span::from_millis(500), None));
        assert_eq!(plan.hits, [queue("Orders"), function("Worker")]);
    }

    #[test]
    fn the_sweep_waits_for_every_receive() {
        let mut shop = shop();
        shop.queue("Orders").delay = Span::from_secs(10);
        let Cleanup::Sweep { dead_letter, arrives_within, foreign_limit } =
            shop.planned(TWENTY).emission.unwrap().cleanup
        else {
            panic!("it is swept")
        };
        assert_eq!(dead_letter, queue("OrdersDead"));
        assert_eq!(arrives_within, Span::from_secs(10 + 5 * 30) + SLACK);
        assert_eq!(foreign_limit, FOREIGN_LIMIT);
    }

    #[test]
    fn own_bodies_are_sent_in_turn() {
        let plan = shop().planned("sqs.poison: { target: orders, bodies: [a, b], count: 5, rate: 10/s }");
        assert_eq!(plan.emission.unwrap().bodies, ["a", "b", "a", "b", "a"]);
    }

    #[test]
    fn the_dead_letter_queue_or_the_consumer_shows_it() {
        let evidence = shop().planned(TWENTY).evidence;
        let queries: Vec<_> = evidence.any.iter().map(|indicator| indicator.query.to_string()).collect();
        assert_eq!(queries, ["depth of Orders", "depth of OrdersDead", "failed share of Worker"]);
        let tests: Vec<_> = evidence.any.iter().map(|indicator| indicator.test).collect();
        assert_eq!(
            tests,
            [IndicatorTest::Emptied, IndicatorTest::Arrives, IndicatorTest::Rises],
            "others' dead letters are none"
        );
        assert!(evidence.within > Span::from_secs(5 * 30) + SLACK);
    }

    #[test]
    fn without_a_dead_letter_queue_it_must_be_said_that_messages_stay() {
        let mut shop = shop();
        let queue = shop.queue("Orders");
        (queue.dead_letter, queue.max_receive_count) = (None, None);
        shop.refused(TWENTY, &["no dead-letter queue", "leave_in_queue: true"]);
        let plan = shop
            .planned("sqs.poison: { target: orders, payload: malformed, count: 1, rate: 1/s, leave_in_queue: true }");
        assert_eq!(plan.emission.unwrap().cleanup, Cleanup::LeaveInQueue);
        assert!(plan.warnings.iter().any(|w| w.contains("nothing sweeps them")));
    }

    #[test]
    fn a_dead_letter_queue_that_others_work_on_is_not_swept() {
        let mut shop = shop();
        shop.queue("OrdersDead").consumers = vec![function("Replay")];
        shop.refused(TWENTY, &["has a consumer (Replay)", "disable its event source mapping"]);
        shop.queue("OrdersDead").consumers.clear();
        shop.queue("OrdersDead").dead_letter = Some(queue("Morgue"));
        shop.refused(TWENTY, &["its own redrive policy to Morgue"]);
        shop.queue("OrdersDead").dead_letter = None;
        shop.queue("OrdersDead").move_task_running = true;
        shop.refused(TWENTY, &["move task", "list-message-move-tasks"]);
        shop.queue("OrdersDead").move_task_running = false;
        assert!(shop.plan(TWENTY).is_ok());
        shop.described.0.remove(&queue("OrdersDead"));
        shop.refused(TWENTY, &["OrdersDead does not exist"]);
    }

    #[test]
    fn fifo_only_when_said() {
        let grouped = "sqs.poison: { target: orders, payload: hostile, count: 3, rate: 1/s, fifo_group: g1 }";
        let mut shop = shop();
        shop.refused(grouped, &["not FIFO"]);
        shop.queue("Orders").fifo = true;
        shop.refused(TWENTY, &["FIFO", "fifo_group"]);
        let plan = shop.planned(grouped);
        assert!(plan.warnings.iter().any(|w| w.contains("blocks its message group")));
        let emission = plan.emission.unwrap();
        assert_eq!(emission.group.as_deref(), Some("g1"));
        // One after the other: three times the receives of one.
        let Cleanup::Sweep { arrives_within, .. } = emission.cleanup else { panic!("it is swept") };
        assert_eq!(arrives_within, Span::from_secs(3 * 5 * 30) + SLACK);
    }

    #[test]
    fn count_rate_and_bodies_are_bounded() {
        let flaws = |rest: &str| -> Vec<&str> {
            let fault = spec(&format!("sqs.poison: {{ target: orders, {rest} }}"));
            fault.fault().flaws().iter().map(|flaw| flaw.key).collect()
        };
        assert!(flaws("payload: malformed, count: 1000, rate: 50/s").is_empty());
        assert_eq!(flaws("payload: malformed, count: 1001, rate: 50/s"), ["count"]);
        assert_eq!(flaws("payload: malformed, count: 0, rate: 50/s"), ["count"]);
        assert_eq!(flaws("payload: malformed, count: 1, rate: 51/s"), ["rate"]);
        assert_eq!(flaws("payload: malformed, count: 1, rate: 0/s"), ["rate"]);
        assert_eq!(flaws("count: 1, rate: 1/s"), ["payload"]);
        assert_eq!(flaws("payload: malformed, bodies: [a], count: 1, rate: 1/s"), ["payload"]);
        assert_eq!(flaws("bodies: [\"a\\u0000\"], count: 1, rate: 1/s"), ["bodies"]);
        assert!(flaws("payload: too_big, count: 9, rate: 1/s").is_empty());
        assert_eq!(flaws("payload: too_big, count: 10, rate: 1/s"), ["count"]);
        assert_eq!(refused_body(&"x".repeat(LARGEST_BODY)), None);
        assert!(refused_body(&"x".repeat(LARGEST_BODY + 1)).is_some());
    }

    #[test]
    fn all_messages_must_fit_into_the_fault() {
        let mut shop = shop();
        shop.lasts = Span::from_millis(9_500);
        assert!(shop.plan(TWENTY).is_ok());
        shop.lasts = Span::from_secs(9);
        shop.refused(TWENTY, &["need 9.5s", "`for` longer"]);
    }

    #[test]
    fn messages_that_nobody_takes_or_that_expire_are_warned_of() {
        let mut shop = shop();
        assert!(shop.planned(TWENTY).warnings.is_empty());
        shop.queue("Orders").consumers.clear();
        shop.queue("Orders").retention = Span::from_secs(120);
        let warnings = shop.planned(TWENTY).warnings.join("\n");
        assert!(warnings.contains("no event source mapping") && warnings.contains("may expire"), "{warnings}");
    }

    #[test]
    fn its_way_to_the_dead_letter_queue_is_needed() {
        let shop = shop();
        let needs = spec(TWENTY).fault().needs(&queue("Orders"), &shop.described);
        assert!(needs.iter().all(|need| need.role == role("WorkerRole")));
        assert!(needs.iter().any(|need| need.action == "sqs:ReceiveMessage"));
    }
}
