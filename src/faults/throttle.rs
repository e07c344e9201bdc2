//! `lambda.throttle`: a function may run only so many times at once.

use super::{Described, Fault, FaultPlan, Page, PlannedChange, Refusal, SHOWN_WITHIN, Scene, all};
use crate::account::description::FunctionDescription;
use crate::account::{Metric, Resource, ResourceKind, Setting, Value};
use crate::plan::{Evidence, Indicator, IndicatorTest};
use crate::record;
use crate::units::Span;
use crate::yaml::TargetName;

record! {
    /// Caps how many invocations of a function run at the same time.
    pub struct Throttle {
        /// The function to throttle.
        pub target: TargetName,
        /// How many may run at one time; 0 stops the function.
        pub concurrency: u32,
    }
}

impl Throttle {
    /// Its page.
    pub const PAGE: &'static Page = &Page {
        name: "lambda.throttle",
        summary: "caps how many invocations of a function run at the same time",
        kinds: &[ResourceKind::Function],
        does: "Sets the function's reserved concurrency. With 0 every invocation is throttled; with n, those beyond n \
               at the same time. It reproduces another function's burst, a wrong deploy or an exhausted account limit. \
               A \
               synchronous caller gets 429; asynchronous events wait and are retried for up to six hours (with 0 they \
               go to the function's failure destination at once, or are lost). Running invocations continue.",
        evidence: "Throttles are counted where the baseline has none; or the failed share of the function's calls, throttled \
                   ones among them, rises beyond the noise and the trend of the baseline. With 0, asynchronous events \
                   that are dropped, where the baseline has none, show it too.",
        undo: "Writes the value from before. A function without reserved concurrency is restored by deleting the \
               setting, not by writing a number.",
        alone: "The function stays throttled until the setting is restored.",
        actions_do: &["lambda:GetFunction", "lambda:PutFunctionConcurrency"],
        actions_undo: &["lambda:GetFunction", "lambda:PutFunctionConcurrency", "lambda:DeleteFunctionConcurrency"],
        refusals: &[
            "The function already has this reserved concurrency: nothing would change.",
            "The account would be left with less unreserved concurrency than Lambda requires (100; less in small \
             accounts), by the fault or by its rollback.",
        ],
        example: "\
targets:
  worker: { function: PaymentWorker }
faults:
  - inject: { lambda.throttle: { target: worker, concurrency: 0 } }
    at: 0m
    for: 10m
",
    };

    fn for_function(&self, function: &Resource, described: &FunctionDescription, scene: &Scene<'_>) -> FaultPlan {
        let n = u64::from(self.concurrency);
        let mut warnings = over_pull(described, scene);
        if let Some(before) = described.reserved
            && before > n
        {
            warnings.push(format!(
                "while {} has {n} instead of {before}, others can reserve the difference; Lambda then refuses the \
                 rollback until they release it, and squall keeps trying",
                function.name
            ));
        }
        let mut evidence = Evidence {
            expect: "throttles are counted where the baseline has none, or more calls fail".to_owned(),
            any: vec![
                Indicator::of(Metric::Throttles, function, IndicatorTest::Appears),
                // Where the baseline was throttled now and then.
                Indicator::of(Metric::FailedShare, function, IndicatorTest::Rises),
            ],
            logs: None,
            within: TAKES_EFFECT_WITHIN + SHOWN_WITHIN,
        };
        // With nothing reserved Lambda does not even try asynchronous events; it drops them, and counts no throttle.
        if n == 0 {
            evidence.expect =
                "throttles are counted or events are dropped where the baseline has none, or more calls fail"
                    .to_owned();
            evidence.any.push(Indicator::of(Metric::EventsDropped, function, IndicatorTest::Appears));
        }
        FaultPlan {
            summary: format!("{} may run {n} at a time", function.name),
            hits: vec![function.clone()],
            changes: vec![PlannedChange {
                setting: Setting::ReservedConcurrency { function: function.clone() },
                after: Value::Number(n),
                expires: None,
                takes_effect_within: TAKES_EFFECT_WITHIN,
                lasts_after: Span::ZERO,
            }],
            emission: None,
            evidence,
            warnings,
        }
    }
}

/// Lambda publishes no figure; seconds are usual, so this is a generous allowance.
const TAKES_EFFECT_WITHIN: Span = Span::from_secs(10);

impl Fault for Throttle {
    fn page(&self) -> &'static Page {
        Self::PAGE
    }

    fn target(&self) -> &TargetName {
        &self.target
    }

    fn look(&self, target: &Resource, described: &Described) -> Vec<Resource> {
        described.function(target).map(|function| function.consumes.clone()).unwrap_or_default()
    }

    fn plan(&self, scene: &Scene<'_>) -> Result<Vec<FaultPlan>, Vec<Refusal>> {
        // What the faults of this run reserve beyond what is reserved now, this one's functions included.
        let mut taken: u64 = scene.earlier_changes().map(|change| more_reserved(change, scene.described)).sum();
        all(scene.targets.iter().map(|target| {
            let function = scene.described.function(target).ok_or_else(|| Refusal::absent(target))?;
            let plan = self.for_function(target, function, scene);
            taken += plan.changes.iter().map(|change| more_reserved(change, scene.described)).sum::<u64>();
            self.head_room(target, function, taken)?;
            Ok::<_, Refusal>(plan)
        }))
    }
}

impl Throttle {
    /// Lambda must accept the cap, and accept the value from before again.
    fn head_room(&self, target: &Resource, function: &FunctionDescription, taken: u64) -> Result<(), Refusal> {
        let (left, floor) = (function.account_unreserved, function.unreserved_floor);
        let before = function.reserved.unwrap_or(0);
        let n = u64::from(self.concurrency);
        if n > before && left.saturating_sub(taken) < floor {
            let room = left.saturating_sub(floor).saturating_sub(taken - (n - before)) + before;
            return Err(Refusal::new(
                format!(
                    "the account cannot reserve {n} for {target}: {left} are unreserved, and Lambda keeps {floor} of \
                     them free"
                ),
                format!("set `concurrency` to {room} or less, or request a higher concurrency limit for the account"),
            ));
        }
        // The rollback leads back to what is unreserved now; where that is under the floor already, Lambda refuses it.
        if before > n && left < floor {
            return Err(Refusal::new(
                format!(
                    "Lambda would refuse to restore {before} for {target}: only {left} are unreserved in the account, \
                     below the {floor} that must stay free"
                ),
                "request a higher concurrency limit for the account, or free reserved concurrency elsewhere first",
            ));
        }
        Ok(())
    }
}

/// How much more a change reserves than its function has now.
fn more_reserved(change: &PlannedChange, described: &Described) -> u64 {
    match (&change.setting, &change.after) {
        (Setting::ReservedConcurrency { function }, Value::Number(n)) => {
            n.saturating_sub(described.function(function).and_then(|f| f.reserved).unwrap_or(0))
        }
        _ => 0,
    }
}

/// SQS pollers do not know of reserved concurrency: they go on receiving, are throttled, and good messages are received
/// too often (AWS knowledge centre, lambda-sqs-scaling).
fn over_pull(described: &FunctionDescription, scene: &Scene<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    for source in &described.consumes {
        let Some(queue) = scene.described.queue(source) else { continue };
        let Some((dead_letter, receives)) = queue.dead_letter.as_ref().zip(queue.max_receive_count) else { continue };
        let after = queue.visibility * i64::from(receives);
        let long = scene.until.since(scene.from);
        let name = &source.name;
        warnings.push(match long >= after {
            true => format!(
                "the pollers of {name} ignore reserved concurrency: good messages received {receives} times ({after}) \
                 go to {}; move them back afterwards with `aws sqs start-message-move-task`",
                dead_letter.name
            ),
            false => format!(
                "the pollers of {name} ignore reserved concurrency: messages are received without being handled, and \
                 after {receives} receives ({after}, longer than this fault) go to {}; one that failed before may get \
                 there sooner",
                dead_letter.name
            ),
        });
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::stage::{Stage, function};

    const STOP: &str = "lambda.throttle: { target: worker, concurrency: 0 }";
    const TEN: &str = "lambda.throttle: { target: worker, concurrency: 10 }";

    fn shop() -> Stage {
        Stage::shop(function("Worker"))
    }

    #[test]
    fn it_sets_reserved_concurrency_and_nothing_else() {
        let plan = shop().planned(STOP);
        assert_eq!(plan.changes.len(), 1);
        assert_eq!(plan.changes[0].setting, Setting::ReservedConcurrency { function: function("Worker") });
        assert_eq!(plan.changes[0].after, Value::Number(0));
        assert_eq!(plan.hits, [function("Worker")]);
        assert_eq!(plan.emission, None);
    }

    #[test]
    fn throttles_or_more_failed_calls_show_it() {
        let evidence = shop().planned(TEN).evidence;
        let metrics: Vec<_> = evidence.any.iter().map(|indicator| (indicator.query.metric, indicator.test)).collect();
        let (appears, rises) = (IndicatorTest::Appears, IndicatorTest::Rises);
        assert_eq!(metrics, [(Metric::Throttles, appears), (Metric::FailedShare, rises)]);
    }

    #[test]
    fn dropped_events_show_that_nothing_is_reserved() {
        let evidence = shop().planned(STOP).evidence;
        let dropped = evidence.any.iter().find(|indicator| indicator.query.metric == Metric::EventsDropped).unwrap();
        assert_eq!(dropped.test, IndicatorTest::Appears);
        assert!(evidence.expect.contains("events are dropped"), "{}", evidence.expect);
    }

    #[test]
    fn what_lambda_keeps_free_is_not_reserved() {
        let mut shop = shop();
        shop.function("Worker").account_unreserved = 110;
        assert!(shop.plan(TEN).is_ok());
        shop.function("Worker").account_unreserved = 109;
        shop.refused(TEN, &["109 are unreserved", "keeps 100", "to 9 or less"]);
        assert!(shop.plan(STOP).is_ok(), "nothing is taken by reserving nothing");
    }

    #[test]
    fn what_the_function_has_already_counts_for_it() {
        let mut shop = shop();
        shop.function("Worker").account_unreserved = 100;
        shop.function("Worker").reserved = Some(10);
        assert!(shop.plan(TEN).is_ok());
        shop.refused("lambda.throttle: { target: worker, concurrency: 11 }", &["to 10 or less"]);
    }

    #[test]
    fn the_undo_must_find_room_too() {
        let mut shop = shop();
        shop.function("Worker").reserved = Some(50);
        let warnings = shop.planned(TEN).warnings.join("\n");
        assert!(warnings.contains("others can reserve the difference"), "{warnings}");
        // An account under its floor: Lambda takes no reservation at all, so the 50 would not come back.
        shop.function("Worker").account_unreserved = 99;
        shop.refused(TEN, &["refuse to restore 50"]);
    }

    #[test]
    fn room_is_shared_by_all_throttles_of_a_run() {
        let mut shop = shop();
        shop.add_function("Other");
        for name in ["Worker", "Other"] {
            shop.function(name).account_unreserved = 115;
        }
        shop.targets.push(function("Other"));
        shop.refused(TEN, &["function Other", "to 5 or less"]);
        shop.targets.pop();
        let mut other = shop.planned(TEN).changes;
        other[0].setting = Setting::ReservedConcurrency { function: function("Other") };
        shop.beside(true, other);
        shop.refused(TEN, &["function Worker", "to 5 or less"]);
    }

    #[test]
    fn the_queue_and_where_its_good_messages_go_are_named() {
        let mut shop = shop();
        let warnings = shop.planned(STOP).warnings.join("\n");
        for word in ["pollers of Orders", "go to OrdersDead", "start-message-move-task"] {
            assert!(warnings.contains(word), "{warnings}");
        }
        shop.lasts = Span::from_mins(2);
        let warnings = shop.planned(STOP).warnings.join("\n");
        assert!(warnings.contains("after 5 receives (2m30s, longer than this fault)"), "{warnings}");
        shop.function("Worker").consumes.clear();
        assert_eq!(shop.planned(STOP).warnings, Vec::<String>::new());
    }

    #[test]
    fn a_function_that_is_not_there_is_refused() {
        Stage::shop(function("Nobody")).refused(STOP, &["function Nobody does not exist"]);
    }
}
