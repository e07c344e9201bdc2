//! `sqs.delay`: a queue hides every new message for a while.

use super::{Described, Fault, FaultPlan, Flaw, Page, PlannedChange, Refusal, SHOWN_WITHIN, Scene, all};
use crate::account::description::QueueDescription;
use crate::account::kind::sqs::ATTRIBUTES_SETTLE;
use crate::account::{Metric, Resource, ResourceKind, Setting, Value};
use crate::plan::{Evidence, Indicator, IndicatorTest};
use crate::record;
use crate::units::Span;
use crate::yaml::TargetName;

record! {
    /// Delays every new message of a queue for a while.
    pub struct QueueDelay {
        /// The queue; a standard one.
        pub target: TargetName,
        /// How long each message stays hidden after it was sent, in whole seconds: 1s to 15m.
        pub delay: Span,
    }
}

/// The longest delay of a queue (Amazon SQS quotas).
const LONGEST: Span = Span::from_mins(15);

impl QueueDelay {
    /// Its page.
    pub const PAGE: &'static Page = &Page {
        name: "sqs.delay",
        summary: "delays every new message of a queue for a while",
        kinds: &[ResourceKind::Queue],
        does: "Sets the queue's DelaySeconds. Every message that is sent from then on stays hidden for that long before a \
               consumer can receive it; messages already in the queue are not delayed. It reproduces a slow producer, a relay that falls behind or a consumer that starts late. SQS takes up to 60 s to apply a new delay.",
        evidence: "More messages of the queue are delayed than in any minute of the baseline, beyond its noise and \
                   trend; where the queue had a delay before, at least half of the expected increase.",
        undo: "Writes the delay from before. Messages sent during the fault stay hidden for the rest of their delay: \
               the recovery counts from then.",
        alone: "The queue keeps delaying messages until the delay is restored. No message is lost.",
        actions_do: &["sqs:GetQueueAttributes", "sqs:SetQueueAttributes"],
        actions_undo: &["sqs:GetQueueAttributes", "sqs:SetQueueAttributes"],
        refusals: &[
            "The queue is FIFO: there, a changed delay applies to messages already in the queue.",
            "The queue already delays its messages for as long, or longer: nothing would change.",
            "The delay is as long as the queue keeps its messages: they would expire.",
        ],
        example: "\
targets:
  orders: { queue: OrdersQueue }
faults:
  - inject: { sqs.delay: { target: orders, delay: 90s } }
    at: 0m
    for: 10m
",
    };

    fn seconds(&self) -> u64 {
        u64::try_from(self.delay.millis() / 1_000).unwrap_or(0)
    }

    fn check(&self, target: &Resource, queue: &QueueDescription) -> Result<(), Refusal> {
        if queue.fifo {
            return Err(Refusal::new(
                format!("{target} is FIFO: a changed delay applies to messages already in it"),
                "choose a standard queue, or throttle the consumer with `lambda.throttle`",
            ));
        }
        if queue.delay >= self.delay {
            return Err(Refusal::new(
                format!("{target} already delays its messages by {}", queue.delay),
                "write a longer delay",
            ));
        }
        if self.delay >= queue.retention {
            return Err(Refusal::new(
                format!("{target} keeps messages for {}: they would expire before they are received", queue.retention),
                "write a shorter delay",
            ));
        }
        Ok(())
    }

    fn for_queue(&self, target: &Resource, queue: &QueueDescription) -> FaultPlan {
        // Half of the way from what is usual to what the longer delay makes of it, for the same traffic.
        let times = match queue.delay {
            Span::ZERO => 1.0,
            before => f64::midpoint(1.0, self.delay.secs_f64() / before.secs_f64()),
        };
        FaultPlan {
            summary: format!("{} hides each new message for {}", target.name, self.delay),
            hits: std::iter::once(target).chain(&queue.consumers).cloned().collect(),
            changes: vec![PlannedChange {
                setting: Setting::QueueDelay { queue: target.clone() },
                after: Value::Number(self.seconds()),
                expires: None,
                takes_effect_within: ATTRIBUTES_SETTLE,
                lasts_after: self.delay,
            }],
            emission: None,
            evidence: Evidence {
                expect: format!("more messages of {} are delayed", target.name),
                any: vec![Indicator::of(Metric::Delayed, target, IndicatorTest::RisesTo { times })],
                logs: None,
                within: ATTRIBUTES_SETTLE + SHOWN_WITHIN,
            },
            warnings: vec![format!(
                "messages sent to {} at the end of the fault stay hidden for {} after it",
                target.name, self.delay
            )],
        }
    }
}

impl Fault for QueueDelay {
    fn page(&self) -> &'static Page {
        Self::PAGE
    }

    fn target(&self) -> &TargetName {
        &self.target
    }

    fn flaws(&self) -> Vec<Flaw> {
        let whole = self.delay.micros() % 1_000_000 == 0;
        match whole && self.delay > Span::ZERO && self.delay <= LONGEST {
            true => Vec::new(),
            false => vec![Flaw::new(
                "delay",
                format!("a queue delays messages by whole seconds up to {LONGEST}, not {}", self.delay),
                "write `1s` to `15m`",
            )],
        }
    }

    fn look(&self, _target: &Resource, _described: &Described) -> Vec<Resource> {
        Vec::new()
    }

    fn plan(&self, scene: &Scene<'_>) -> Result<Vec<FaultPlan>, Vec<Refusal>> {
        all(scene.targets.iter().map(|target| {
            let queue = scene.described.queue(target).ok_or_else(|| Refusal::absent(target))?;
            self.check(target, queue)?;
            Ok::<_, Refusal>(self.for_queue(target, queue))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::stage::{Stage, function, queue};
    use crate::plan::Cleanup;

    const DELAY: &str = "sqs.delay: { target: orders, delay: 90s }";

    fn shop() -> Stage {
        Stage::shop(queue("Orders"))
    }

    #[test]
    fn it_sets_the_delay_and_says_how_long_its_effect_lasts() {
        let plan = shop().planned(DELAY);
        assert_eq!(plan.hits, [queue("Orders"), function("Worker")]);
        let [change] = plan.changes.as_slice() else { panic!("{:?}", plan.changes) };
        assert_eq!(change.setting, Setting::QueueDelay { queue: queue("Orders") });
        assert_eq!(change.setting.shown(&change.after), "90 s");
        assert_eq!((change.takes_effect_within, change.lasts_after), (Span::from_secs(60), Span::from_secs(90)));
    }

    #[test]
    fn evidence_is_relative_to_what_is_usual() {
        let mut shop = shop();
        assert_eq!(shop.planned(DELAY).evidence.any[0].test, IndicatorTest::RisesTo { times: 1.0 });
        shop.queue("Orders").delay = Span::from_secs(30);
        assert_eq!(shop.planned(DELAY).evidence.any[0].test, IndicatorTest::RisesTo { times: 2.0 });
    }

    #[test]
    fn what_could_not_work_is_refused() {
        for delay in ["0s", "16m", "500ms"] {
            shop().refused(&format!("sqs.delay: {{ target: orders, delay: {delay} }}"), &["whole seconds"]);
        }
        let mut shop = shop();
        shop.queue("Orders").delay = Span::from_secs(90);
        shop.refused(DELAY, &["already", "longer"]);
        shop.queue("Orders").delay = Span::ZERO;
        shop.queue("Orders").retention = Span::from_secs(60);
        shop.refused(DELAY, &["expire"]);
        shop.queue("Orders").fifo = true;
        shop.refused(DELAY, &["FIFO"]);
    }

    #[test]
    fn poison_waits_for_messages_that_another_fault_hides() {
        let poison = "sqs.poison: { target: orders, count: 1, payload: malformed, rate: 1/s }";
        let arrives = |stage: &Stage| match stage.planned(poison).emission.unwrap().cleanup {
            Cleanup::Sweep { arrives_within, .. } => arrives_within,
            Cleanup::LeaveInQueue => panic!("it is swept"),
        };
        let alone = arrives(&shop());
        for is_earlier in [true, false] {
            let mut beside = shop();
            beside.beside(is_earlier, shop().planned(DELAY).changes);
            assert_eq!(arrives(&beside), alone + Span::from_secs(90));
        }
    }
}
