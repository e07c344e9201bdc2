//! `lambda.error`: a share of a function's invocations fails before its handler.

use serde_json::json;

use super::wrapper::{self, Flag, Wrapped};
use super::{Described, Fault, FaultPlan, Flaw, Page, Refusal, SHOWN_WITHIN, Scene, all};
use crate::account::{Injected, Metric, Resource, ResourceKind};
use crate::plan::{Evidence, Indicator, IndicatorTest};
use crate::record;
use crate::units::Share;
use crate::yaml::TargetName;

record! {
    /// Makes invocations of a function fail through its fault wrapper.
    pub struct LambdaError {
        /// The function that fails; it has a fault wrapper.
        pub target: TargetName,
        /// Which part of the invocations, in whole percent.
        pub share: Share = Share::ALL,
        /// The text of the exception.
        pub message: String = "injected by squall".to_owned(),
    }
}

impl LambdaError {
    /// Its page.
    pub const PAGE: &'static Page = &Page {
        name: "lambda.error",
        summary: "makes a share of a function's invocations fail",
        kinds: &[ResourceKind::Function],
        does: "If the function has squall's own layer, writes an order with an expiry into the SSM parameter that the \
               layer reads; the layer then answers with an error in the handler's place. Otherwise sets the flag \
               `exception` of failure-lambda in the SSM parameter that the function's wrapper reads (for 0.x, which \
               has one fault at a time, the whole document); the wrapper then raises instead of calling the handler. \
               It reproduces a bad deploy or a dependency that is down. A synchronous caller sees a 5xx; asynchronous \
               events are retried twice; an SQS message becomes visible again after its visibility timeout, and goes \
               to the dead-letter queue after too many receives.",
        evidence: "The failed share of the function's invocations rises beyond the noise and the trend of the baseline. squall's \
                   layer counts the invocations that it fails, and one is enough where the baseline has none. \
                   Where nothing else shows the fault, the function's log is searched once for the lines that failure-lambda \
                   writes, with one query of CloudWatch Logs Insights over the minutes from the baseline to the fault's end.",
        undo: "Restores the flag: the parameter's original bytes if nothing else was written to it, else this one \
               key. The parameter is never deleted. The rollback counts as complete after the wrapper's cache time \
               (FAILURE_CACHE_TTL, 60 s unless set; 0.x has no cache).",
        alone: "An order of squall's layer expires by itself. With failure-lambda, the errors continue until the flag \
                is restored.",
        actions_do: &["ssm:GetParameter", "ssm:PutParameter"],
        actions_undo: &["ssm:GetParameter", "ssm:PutParameter"],
        refusals: &[
            "The function has no fault wrapper, or runs on an OS-only runtime, where Lambda ignores wrappers.",
            "The parameter does not exist (the command that creates it is printed), is a SecureString, or does not \
             hold a JSON object of flags.",
            "The flag, or the fault of 0.x, is already on.",
            "The share is not a whole percentage from 1 % to 100 %.",
        ],
        example: "\
targets:
  orders: { function: OrderFunction }
faults:
  - inject: { lambda.error: { target: orders, share: 20 %, message: the tax service is down } }
    at: 0m
    for: 10m
",
    };
}

impl Fault for LambdaError {
    fn page(&self) -> &'static Page {
        Self::PAGE
    }

    fn target(&self) -> &TargetName {
        &self.target
    }

    fn flaws(&self) -> Vec<Flaw> {
        let message = self.message.contains("{{").then(|| {
            Flaw::new("message", "SSM does not accept `{{` in a parameter's value", "leave `{{` out of the message")
        });
        message.into_iter().chain(wrapper::flawed_share(self.share)).collect()
    }

    fn look(&self, target: &Resource, described: &Described) -> Vec<Resource> {
        let sources = described.function(target).map(|function| function.consumes.clone()).unwrap_or_default();
        wrapper::look(target, described).into_iter().chain(sources).collect()
    }

    fn plan(&self, scene: &Scene<'_>) -> Result<Vec<FaultPlan>, Vec<Refusal>> {
        let percentage = wrapper::percentage(self.share);
        let fault = Flag {
            key: "exception",
            flag: json!({ "enabled": true, "percentage": percentage, "exception_msg": self.message }),
            one_fault: json!({ "failureMode": "exception", "rate": self.share.get(), "exceptionMsg": self.message }),
            order: json!({ "error": { "message": self.message } }),
            share: self.share,
        };
        let plans = all(scene.targets.iter().map(|target| {
            let wrapped = Wrapped::find(target, scene)?;
            let mut warnings = wrapped.warnings(target);
            let mut evidence = Evidence {
                expect: format!("the failed share of {} rises", target.name),
                any: vec![Indicator::of(Metric::FailedShare, target, IndicatorTest::Rises)],
                logs: None,
                within: wrapped.cache + SHOWN_WITHIN,
            };
            wrapped.add_evidence(target, Injected::Error, &mut evidence);
            warnings.extend(wrapped.function.consumes.iter().filter_map(|queue| dead_letters(queue, scene)));
            Ok::<_, Refusal>(FaultPlan {
                summary: format!("{} of the invocations of {} fail", self.share, target.name),
                hits: wrapped.hits(target),
                changes: vec![wrapped.change(&fault)?],
                emission: None,
                evidence,
                warnings,
            })
        }));
        Ok(wrapper::once_each(plans?))
    }
}

/// What a failing consumer does to the good messages of its queue.
fn dead_letters(source: &Resource, scene: &Scene<'_>) -> Option<String> {
    let queue = scene.described.queue(source)?;
    let (dead_letter, receives) = queue.dead_letter.as_ref().zip(queue.max_receive_count)?;
    Some(format!(
        "messages of {} that fail {receives} times go to {}; move them back afterwards with `aws sqs \
         start-message-move-task`",
        source.name, dead_letter.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Setting, Value};
    use crate::faults::stage::{Stage, function, parameter, spec};

    const FIFTH: &str = "lambda.error: { target: worker, share: 20 %, message: the tax service is down }";

    #[test]
    fn the_flag_is_the_one_that_the_wrapper_reads() {
        let plan = Stage::shop(function("Worker")).planned(FIFTH);
        let change = &plan.changes[0];
        assert_eq!(change.setting, Setting::FaultFlag { parameter: parameter(), key: "exception".into() });
        let flag = r#"{"enabled":true,"percentage":20,"exception_msg":"the tax service is down"}"#;
        assert_eq!(change.after, Value::Text(flag.into()));
    }

    #[test]
    fn failures_show_it() {
        let evidence = Stage::shop(function("Worker")).planned(FIFTH).evidence;
        assert_eq!(evidence.any[0].query.metric, Metric::FailedShare);
        assert_eq!(evidence.any[0].test, IndicatorTest::Rises);
    }

    #[test]
    fn where_good_messages_go_is_said() {
        let mut shop = Stage::shop(function("Worker"));
        assert!(shop.planned(FIFTH).warnings[0].contains("Orders that fail 5 times go to OrdersDead"));
        shop.queue("Orders").dead_letter = None;
        assert!(shop.planned(FIFTH).warnings.is_empty());
    }

    #[test]
    fn texts_that_ssm_refuses_are_flaws() {
        let flaws = spec("lambda.error: { target: worker, message: 'a {{b}}', share: 1.5 % }").fault().flaws();
        assert_eq!(flaws.iter().map(|flaw| flaw.key).collect::<Vec<_>>(), ["message", "share"]);
    }
}
