//! `lambda.hang`: a share of a function's responses is held until the deadline of its invocation.

use serde_json::json;

use super::wrapper::{self, Wrapped};
use super::{Described, Fault, FaultPlan, Flaw, Page, Refusal, SHOWN_WITHIN, Scene, all};
use crate::account::{Injected, Metric, Resource, ResourceKind};
use crate::layer::terms::BEFORE_DEADLINE_MS;
use crate::plan::{Evidence, Indicator, IndicatorTest};
use crate::units::{Share, Span};
use crate::yaml::TargetName;
use crate::{record, words};

record! {
    /// Holds responses of a function until its timeout through squall's layer.
    pub struct Hang {
        /// The function that hangs; it has squall's layer.
        pub target: TargetName,
        /// On which side of the timeout it answers.
        pub answers: Side = Side::Past,
        /// Which part of the invocations, in whole percent.
        pub share: Share = Share::ALL,
    }
}

/// A side of the timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Before,
    Past,
}

words! {
    /// On which side of the timeout a response comes.
    Side {
        /// Just before it: the invocation is as slow as it can be, and succeeds.
        Before as "before_timeout",
        /// Never: the handler has done its work, and the invocation times out.
        Past as "past_timeout",
    }
}

impl Hang {
    /// Its page.
    pub const PAGE: &'static Page = &Page {
        name: "lambda.hang",
        summary: "holds a share of a function's responses until its timeout",
        kinds: &[ResourceKind::Function],
        does: "Writes an order with an expiry into the SSM parameter that squall's layer reads; the handler runs, and the layer \
               holds its response until just before the function's timeout, or past it. It reproduces a dependency without a \
               client-side timeout. Past the timeout Lambda ends the invocation with an error though its work is done: \
               what retries does the work twice, which shows whether a function is idempotent. Lambda then starts a new \
               environment. The time is billed, and each held invocation takes a place of the function's concurrency.",
        evidence: "squall's layer counts the invocations that it holds, and one is enough where the baseline has none. Or \
                   the failed share of the function's invocations (past the timeout), or the share of those that take nearly \
                   as long as the timeout, rises beyond the noise and the trend of the baseline.",
        undo: "Restores the parameter: its original bytes if nothing else was written to it, else this one key. The \
               rollback counts as complete 30 s later, when every environment has forgotten what it read. A response that \
               is held then is let go when its order ends.",
        alone: "The order expires by itself.",
        actions_do: &["ssm:GetParameter", "ssm:PutParameter"],
        actions_undo: &["ssm:GetParameter", "ssm:PutParameter"],
        refusals: &[
            "The function does not have squall's layer; other wrappers cannot do this.",
            "The parameter does not exist (the command that creates it is printed), is a SecureString, or does not \
             hold a document of orders.",
            "The parameter already has an order of this fault.",
            "The share is not a whole percentage from 1 % to 100 %.",
        ],
        example: "\
targets:
  orders: { function: OrderFunction }
faults:
  - inject: { lambda.hang: { target: orders, answers: before_timeout, share: 10 % } }
    at: 0m
    for: 10m
",
    };

    /// What shows it beside the layer's own count.
    fn shown(&self, target: &Resource, timeout: Span, evidence: &mut Evidence) {
        let metric = match self.answers {
            Side::Past => Metric::FailedShare,
            Side::Before => Metric::SlowShare { limit: Span::from_millis(timeout.millis() * 9 / 10) },
        };
        evidence.any.push(Indicator::of(metric, target, IndicatorTest::Rises));
        evidence.expect += match self.answers {
            Side::Past => ", or more of them fail",
            Side::Before => ", or more of them take nearly as long as the timeout",
        };
    }
}

impl Fault for Hang {
    fn page(&self) -> &'static Page {
        Self::PAGE
    }

    fn target(&self) -> &TargetName {
        &self.target
    }

    fn flaws(&self) -> Vec<Flaw> {
        wrapper::flawed_share(self.share).into_iter().collect()
    }

    fn look(&self, target: &Resource, described: &Described) -> Vec<Resource> {
        wrapper::look(target, described)
    }

    fn plan(&self, scene: &Scene<'_>) -> Result<Vec<FaultPlan>, Vec<Refusal>> {
        let (answer, when) = match self.answers {
            Side::Before => ("before_deadline", format!("{BEFORE_DEADLINE_MS} ms before")),
            Side::Past => ("past_deadline", "past".to_owned()),
        };
        let order = json!({ "hang": { "answer": answer } });
        let plans = all(scene.targets.iter().map(|target| {
            let wrapped = Wrapped::find(target, scene)?;
            let timeout = wrapped.function.timeout;
            let mut evidence = wrapped.counted(target, Injected::Hang, SHOWN_WITHIN);
            self.shown(target, timeout, &mut evidence);
            let held = format!(
                "each held invocation of {} runs for {timeout} and takes a place of its concurrency meanwhile",
                target.name
            );
            Ok::<_, Refusal>(FaultPlan {
                summary: format!(
                    "{} of the responses of {} are held until {when} the timeout ({timeout})",
                    self.share, target.name
                ),
                hits: wrapped.hits(target),
                changes: vec![wrapped.order_of(Injected::Hang, &order, self.share)?],
                emission: None,
                evidence,
                warnings: wrapped.warnings(target).into_iter().chain([held]).collect(),
            })
        }));
        Ok(wrapper::once_each(plans?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Setting;
    use crate::faults::stage::{Stage, function, parameter};

    const PAST: &str = "lambda.hang: { target: worker, share: 10 % }";
    const BEFORE: &str = "lambda.hang: { target: worker, answers: before_timeout }";

    #[test]
    fn an_order_that_expires_holds_responses() {
        for (yaml, fault) in
            [(PAST, r#"{"hang":{"answer":"past_deadline"}}"#), (BEFORE, r#"{"hang":{"answer":"before_deadline"}}"#)]
        {
            let plan = Stage::with_layer().planned(yaml);
            let [change] = &plan.changes[..] else { panic!("{:?}", plan.changes) };
            assert_eq!(change.setting, Setting::FaultFlag { parameter: parameter(), key: "hang".into() });
            let order: serde_json::Value = serde_json::from_str(&change.after.to_string()).unwrap();
            assert_eq!(order["fault"].to_string(), fault);
            assert!(change.expires.is_some() && plan.warnings.iter().any(|w| w.contains("concurrency")), "{plan:?}");
        }
    }

    #[test]
    fn the_count_and_what_lambda_measures_show_it() {
        let metrics = |yaml: &str| -> Vec<Metric> {
            let evidence = Stage::with_layer().planned(yaml).evidence;
            evidence.any.iter().map(|indicator| indicator.query.metric).collect()
        };
        let counted = Metric::FaultsInjected { fault: Injected::Hang };
        assert_eq!(metrics(PAST), [counted, Metric::FailedShare]);
        assert_eq!(metrics(BEFORE), [counted, Metric::SlowShare { limit: Span::from_secs(18) }]);
    }

    #[test]
    fn another_wrapper_cannot_do_it() {
        Stage::shop(function("Worker")).refused(PAST, &["failure-lambda", "squall layer snippet"]);
    }
}
