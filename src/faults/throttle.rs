//! `lambda.throttle`: a function may run only so many times at once.

use super::{Fault, FaultPlan, Page, PlannedChange, Refusal, SHOWN_WITHIN, Scene, Seen};
use crate::account::description::FunctionDescription;
use crate::account::{Metric, Query, Resource, ResourceKind, Setting, Value};
use crate::plan::{Evidence, Probe, ProbeTest};
use crate::record;
use crate::spec::TargetName;
use crate::units::Span;

record! {
    /// Caps how many invocations of a function run at one time.
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
        summary: "caps how many invocations of a function run at one time",
        kinds: &[ResourceKind::Function],
        does: "Sets the function's reserved concurrency. With 0 every invocation is throttled; with n, those beyond n at \
               a time. It is what another function's burst, a wrong deploy or a used-up account limit does to it. A \
               synchronous caller gets 429; asynchronous events wait and are retried for up to six hours (with 0 they \
               go to the function's failure destination at once, or are lost). Invocations that are running go on.",
        evidence: "Throttles are counted where the baseline had none, or the concurrency falls to n.",
        undo: "Puts the value from before back. A function without reserved concurrency is restored by deleting the \
               setting, not by writing a number.",
        alone: "The function stays throttled until somebody restores it.",
        actions_do: &["lambda:GetFunctionConcurrency", "lambda:PutFunctionConcurrency"],
        actions_undo: &[
            "lambda:GetFunctionConcurrency",
            "lambda:PutFunctionConcurrency",
            "lambda:DeleteFunctionConcurrency",
        ],
        refusals: &[
            "The function has this reserved concurrency already: nothing would change.",
            "The account would be left with less unreserved concurrency than Lambda demands (100; in small accounts \
             less), by the fault or by its undo.",
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

    fn for_function(&self, function: &Resource, seen: &FunctionDescription, scene: &Scene<'_>) -> FaultPlan {
        let n = u64::from(self.concurrency);
        let probe = |metric, test| Probe { query: Query { metric, resource: function.clone() }, test };
        let mut warnings = over_pull(seen, scene);
        if let Some(before) = seen.reserved
            && before > n
        {
            warnings.push(format!(
                "while {} has {n} instead of {before}, others can reserve the difference; Lambda then refuses to give it \
                 back until they let go, and squall keeps trying",
                function.name
            ));
        }
        FaultPlan {
            summary: format!("{} may run {n} at a time", function.name),
            hits: vec![function.clone()],
            changes: vec![PlannedChange {
                setting: Setting::ReservedConcurrency { function: function.clone() },
                after: Value::Number(n),
                expires: None,
                takes_effect_within: TAKES_EFFECT_WITHIN,
            }],
            emission: None,
            evidence: Evidence {
                expect: format!("throttles are counted, or concurrency falls to {n}"),
                any: vec![
                    // Above nothing, or, where the baseline was throttled now and then, above that.
                    probe(Metric::Throttles, ProbeTest::RisesBy(1.0)),
                    probe(Metric::Concurrency, ProbeTest::FallsTo(n as f64)),
                ],
                within: TAKES_EFFECT_WITHIN + SHOWN_WITHIN,
            },
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

    fn look(&self, target: &Resource, seen: &Seen) -> Vec<Resource> {
        seen.function(target).map(|function| function.consumes.clone()).unwrap_or_default()
    }

    fn plan(&self, scene: &Scene<'_>) -> Result<Vec<FaultPlan>, Refusal> {
        // What the faults of this run reserve beyond what is reserved now, this one's functions included.
        let mut taken: u64 = scene.planned.iter().map(|change| more_reserved(change, scene.seen)).sum();
        let mut plans = Vec::new();
        for target in scene.targets {
            let function = scene.seen.function(target).ok_or_else(|| Refusal::absent(target))?;
            let plan = self.for_function(target, function, scene);
            taken += plan.changes.iter().map(|change| more_reserved(change, scene.seen)).sum::<u64>();
            self.head_room(target, function, taken)?;
            plans.push(plan);
        }
        Ok(plans)
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
                    "the account has no room to reserve {n} for {target}: {left} are unreserved, and Lambda keeps {floor} of \
                     them free"
                ),
                format!("set `concurrency` to {room} or less, or have the account's concurrency limit raised"),
            ));
        }
        // The undo leads back to what is unreserved now; where that is under the floor already, Lambda refuses it.
        if before > n && left < floor {
            return Err(Refusal::new(
                format!(
                    "Lambda would refuse to give {target} its {before} back: only {left} are unreserved in the account, \
                     under the {floor} that must stay free"
                ),
                "have the account's concurrency limit raised, or free reserved concurrency elsewhere first",
            ));
        }
        Ok(())
    }
}

/// How much more a change reserves than its function has now.
fn more_reserved(change: &PlannedChange, seen: &Seen) -> u64 {
    match (&change.setting, &change.after) {
        (Setting::ReservedConcurrency { function }, Value::Number(n)) => {
            n.saturating_sub(seen.function(function).and_then(|f| f.reserved).unwrap_or(0))
        }
        _ => 0,
    }
}

/// SQS pollers do not know of reserved concurrency: they go on receiving, are throttled, and good messages are received
/// too often (AWS knowledge centre, lambda-sqs-scaling).
fn over_pull(seen: &FunctionDescription, scene: &Scene<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    for source in &seen.consumes {
        let Some(queue) = scene.seen.queue(source) else { continue };
        let Some((dead_letter, receives)) = queue.dead_letter.as_ref().zip(queue.max_receive_count) else { continue };
        let after = queue.visibility * i64::from(receives);
        let long = scene.until.since(scene.from);
        let name = &source.name;
        warnings.push(match long >= after {
            true => format!(
                "the pollers of {name} ignore reserved concurrency: good messages that were received {receives} times \
                 ({after}) go to {}; bring them back afterwards with `aws sqs start-message-move-task`",
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
