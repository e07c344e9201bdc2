//! `lambda.response`: a share of a function's invocations answers something else than its handler would.

use serde_json::{Value as Json, json};

use super::wrapper::{self, Wrapped};
use super::{Described, Fault, FaultPlan, Flaw, Page, Refusal, SHOWN_WITHIN, Scene, all};
use crate::account::{Injected, Resource, ResourceKind};
use crate::layer::terms::LONGEST_BODY;
use crate::units::Share;
use crate::yaml::TargetName;
use crate::{choice, record};

record! {
    /// Replaces responses of a function through squall's layer.
    pub struct LambdaResponse {
        /// The function that answers; it has squall's layer.
        pub target: TargetName,
        /// What it answers instead.
        pub with: With,
        /// Which part of the invocations, in whole percent.
        pub share: Share = Share::ALL,
        /// Whether the handler runs, so that only its response is lost. A response can only be truncated if it does.
        pub handler_runs: bool = false,
    }
}

choice! {
    /// What there is instead of the handler's response.
    pub enum With {
        /// An HTTP status from 200 to 599 with a short JSON body, in the form of API Gateway and function URLs.
        Status(u32) as "status",
        /// This text, at most 4096 bytes.
        Body(String) as "body",
        /// The first so many bytes of the handler's response.
        Truncated(u32) as "truncated",
    }
}

impl With {
    /// As an order of the layer writes it.
    fn order(&self) -> Json {
        match self {
            With::Status(status) => json!({ "status": status }),
            With::Body(body) => json!({ "body": body }),
            With::Truncated(bytes) => json!({ "truncated": bytes }),
        }
    }
}

impl std::fmt::Display for With {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            With::Status(status) => write!(f, "answer status {status}"),
            With::Body(body) => write!(f, "answer another body ({} bytes)", body.len()),
            With::Truncated(bytes) => write!(f, "answer the first {bytes} bytes of their response"),
        }
    }
}

impl LambdaResponse {
    /// Its page.
    pub const PAGE: &'static Page = &Page {
        name: "lambda.response",
        summary: "makes a share of a function's invocations answer something else",
        kinds: &[ResourceKind::Function],
        does: "Writes an order with an expiry into the SSM parameter that squall's layer reads; the layer then answers with a \
               status, with another body, or with the first bytes of the handler's response. It reproduces a dependency \
               that answers nonsense or half of a document, and a function that says 503 without failing. Lambda counts \
               such an invocation as a success: nothing is retried, and `Errors` does not rise. With `handler_runs` the \
               handler does its work and only its response is lost, as when a connection breaks.",
        evidence: "squall's layer counts the invocations whose response it replaces, and one is enough where the baseline \
                   has none.",
        undo: "Restores the parameter: its original bytes if nothing else was written to it, else this one key. The \
               rollback counts as complete 30 s later, when every environment has forgotten what it read.",
        alone: "The order expires by itself.",
        actions_do: &["ssm:GetParameter", "ssm:PutParameter"],
        actions_undo: &["ssm:GetParameter", "ssm:PutParameter"],
        refusals: &[
            "The function does not have squall's layer; other wrappers cannot do this.",
            "The parameter does not exist (the command that creates it is printed), is a SecureString, or does not \
             hold a document of orders.",
            "The parameter already has an order of this fault.",
            "The share is not a whole percentage from 1 % to 100 %.",
            "The status is not from 200 to 599, or the body is longer than 4096 bytes or contains `{{`.",
        ],
        example: "\
targets:
  orders: { function: OrderFunction }
faults:
  - inject: { lambda.response: { target: orders, with: { status: 503 }, share: 20 % } }
    at: 0m
    for: 10m
",
    };
}

impl Fault for LambdaResponse {
    fn page(&self) -> &'static Page {
        Self::PAGE
    }

    fn target(&self) -> &TargetName {
        &self.target
    }

    fn flaws(&self) -> Vec<Flaw> {
        let with = match &self.with {
            With::Status(status) if !(200..=599).contains(status) => Some(Flaw::new(
                "with",
                format!("{status} is not an HTTP status of a response"),
                "write one from 200 to 599",
            )),
            With::Body(body) if body.len() > LONGEST_BODY => Some(Flaw::new(
                "with",
                format!("the body has {} bytes; the layer takes {LONGEST_BODY}", body.len()),
                "shorten it, or use `truncated` to break the handler's own response",
            )),
            With::Body(body) if body.contains("{{") => {
                Some(Flaw::new("with", "SSM does not accept `{{` in a parameter's value", "leave `{{` out of the body"))
            }
            _ => None,
        };
        with.into_iter().chain(wrapper::flawed_share(self.share)).collect()
    }

    fn look(&self, target: &Resource, described: &Described) -> Vec<Resource> {
        wrapper::look(target, described)
    }

    fn plan(&self, scene: &Scene<'_>) -> Result<Vec<FaultPlan>, Vec<Refusal>> {
        let after = self.handler_runs || matches!(self.with, With::Truncated(_));
        let when = if after { "after" } else { "before" };
        let order = json!({ "response": { "when": when, "with": self.with.order() } });
        let plans = all(scene.targets.iter().map(|target| {
            let wrapped = Wrapped::find(target, scene)?;
            Ok::<_, Refusal>(FaultPlan {
                summary: format!("{} of the invocations of {} {}", self.share, target.name, self.with),
                hits: wrapped.hits(target),
                changes: vec![wrapped.order_of(Injected::Response, &order, self.share)?],
                emission: None,
                evidence: wrapped.counted(target, Injected::Response, SHOWN_WITHIN),
                warnings: wrapped.warnings(target),
            })
        }));
        Ok(wrapper::once_each(plans?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Metric, Setting};
    use crate::faults::layer::LEARNT_WITHIN;
    use crate::faults::stage::{Stage, function, parameter, spec};

    const BUSY: &str = "lambda.response: { target: worker, with: { status: 503 }, share: 20 % }";

    #[test]
    fn an_order_that_expires_says_what_is_answered() {
        let ordered = |yaml: &str| {
            let plan = Stage::with_layer().planned(yaml);
            let [change] = &plan.changes[..] else { panic!("{:?}", plan.changes) };
            assert_eq!(change.setting, Setting::FaultFlag { parameter: parameter(), key: "response".into() });
            assert!(change.expires.is_some());
            let order: Json = serde_json::from_str(&change.after.to_string()).unwrap();
            order["fault"].to_string()
        };
        assert_eq!(ordered(BUSY), r#"{"response":{"when":"before","with":{"status":503}}}"#);
        assert_eq!(
            ordered("lambda.response: { target: worker, with: { body: '<html>' }, handler_runs: true }"),
            r#"{"response":{"when":"after","with":{"body":"<html>"}}}"#
        );
        assert_eq!(
            ordered("lambda.response: { target: worker, with: { truncated: 10 } }"),
            r#"{"response":{"when":"after","with":{"truncated":10}}}"#
        );
    }

    #[test]
    fn the_layers_own_count_shows_it() {
        let evidence = Stage::with_layer().planned(BUSY).evidence;
        let metrics: Vec<_> = evidence.any.iter().map(|indicator| indicator.query.metric).collect();
        assert_eq!(metrics, [Metric::FaultsInjected { fault: Injected::Response }]);
        assert_eq!((evidence.within, evidence.logs), (LEARNT_WITHIN + SHOWN_WITHIN, None));
    }

    #[test]
    fn another_wrapper_cannot_do_it() {
        Stage::shop(function("Worker")).refused(BUSY, &["failure-lambda", "squall layer snippet"]);
    }

    #[test]
    fn what_the_layer_would_refuse_is_a_flaw() {
        let flaws = |with: &str| {
            let spec = spec(&format!("lambda.response: {{ target: worker, with: {with} }}"));
            spec.fault().flaws().iter().map(|flaw| flaw.key).collect::<Vec<_>>()
        };
        assert!(flaws("{ status: 599 }").is_empty() && flaws("{ truncated: 0 }").is_empty());
        assert_eq!(flaws("{ status: 199 }"), ["with"]);
        assert_eq!(flaws("{ body: 'a {{b}}' }"), ["with"]);
        assert_eq!(flaws(&format!("{{ body: {} }}", "x".repeat(4097))), ["with"]);
    }
}
