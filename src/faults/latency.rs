//! `lambda.latency`: a share of a function's invocations is delayed before its handler.

use serde_json::json;

use super::wrapper::{self, Flag, Wrapped};
use super::{Described, Fault, FaultPlan, Flaw, Page, Refusal, SHOWN_WITHIN, Scene, all, extension};
use crate::account::description::Delivery;
use crate::account::{Injected, Metric, Resource, ResourceKind};
use crate::plan::{Evidence, Indicator, IndicatorTest};
use crate::record;
use crate::units::{Share, Span};
use crate::yaml::tree::{Kind, Node};
use crate::yaml::{FromNode, Reader, Shape, TargetName};

record! {
    /// Delays invocations of a function through its fault wrapper.
    pub struct Latency {
        /// The function to slow down; it has a fault wrapper.
        pub target: TargetName,
        /// How long an invocation is held back: always the same, or drawn evenly between two bounds.
        pub delay: Delay,
        /// Which part of the invocations, in whole percent.
        pub share: Share = Share::ALL,
    }
}

/// How long an invocation is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    Fixed(Span),
    Between { from: Span, to: Span },
}

record! {
    /// The bounds that delays are drawn between.
    struct Bounds {
        /// The shortest delay.
        from: Span,
        /// The longest delay.
        to: Span,
    }
}

impl FromNode for Delay {
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.kind {
            Kind::Map(_) => Bounds::from_node(node, reader).map(|b| Delay::Between { from: b.from, to: b.to }),
            _ => Span::from_node(node, reader).map(Delay::Fixed),
        }
    }

    fn shape() -> Shape {
        Shape::Either(vec![Span::shape(), Bounds::shape()])
    }
}

impl Delay {
    /// The shortest and the longest delay.
    pub fn bounds(self) -> (Span, Span) {
        match self {
            Delay::Fixed(span) => (span, span),
            Delay::Between { from, to } => (from, to),
        }
    }
}

impl std::fmt::Display for Delay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Delay::Fixed(span) => write!(f, "{span}"),
            Delay::Between { from, to } => write!(f, "{from} to {to}"),
        }
    }
}

/// Lambda runs no invocation for longer (Lambda quotas), so no delay is.
const LONGEST: Span = Span::from_secs(900);

impl Latency {
    /// Its page.
    pub const PAGE: &'static Page = &Page {
        name: "lambda.latency",
        summary: "delays a share of a function's invocations",
        kinds: &[ResourceKind::Function],
        does: "If the function has squall's own layer, writes an order with an expiry into the SSM parameter that the \
               layer reads. Otherwise sets the flag `latency` of failure-lambda in the SSM parameter that the \
               function's wrapper reads (for 0.x, which has one fault at a time, the whole document). Both then wait \
               before the handler. A function that chaos-lambda-extension wraps is delayed through its \
               variables instead, by whole seconds. It reproduces a slow dependency or a cold start. The delay counts towards the function's timeout and its bill.",
        evidence: "The share of invocations slower than the shortest delay rises beyond the noise and the trend of the baseline; \
                   or, where the delay reaches the function's timeout, the share that fails. squall's layer counts \
                   the invocations that it delays, and one is enough where the baseline has none. \
                   Where nothing else shows the fault, the function's log is searched once for the lines that failure-lambda \
                   writes, with one query of CloudWatch Logs Insights over the minutes from the baseline to the fault's end.",
        undo: "Restores the flag: the parameter's original bytes if nothing else was written to it, else this one \
               key. The parameter is never deleted, because the layer form of the wrapper would keep the last flags \
               that it read. The rollback counts as complete after the wrapper's cache time (FAILURE_CACHE_TTL, 60 s \
               unless set; 0.x has no cache). Variables are restored and all others left untouched; Lambda accepts an \
               update only of the configuration that was read.",
        alone: "An order of squall's layer expires by itself. A flag of failure-lambda, or a variable, stays until it \
                is restored.",
        actions_do: &[
            "lambda:GetFunction",
            "lambda:UpdateFunctionConfiguration",
            "ssm:GetParameter",
            "ssm:PutParameter",
        ],
        actions_undo: &[
            "lambda:GetFunction",
            "lambda:UpdateFunctionConfiguration",
            "ssm:GetParameter",
            "ssm:PutParameter",
        ],
        refusals: &[
            "The function has no fault wrapper, or runs on an OS-only runtime, where Lambda ignores wrappers.",
            "The parameter does not exist (the command that creates it is printed), is a SecureString, or does not \
             hold a JSON object of flags.",
            "The flag, the fault of 0.x, or the variable is already on.",
            "The function is wrapped by chaos-lambda-extension and the delay is not a fixed number of whole seconds.",
            "The wrapper reads its flags from AppConfig.",
            "The share is not a whole percentage from 1 % to 100 %.",
            "The delay is shorter than a millisecond or longer than 15 minutes, or its bounds are the wrong way round.",
        ],
        example: "\
targets:
  orders: { function: OrderFunction }
faults:
  - inject: { lambda.latency: { target: orders, delay: { from: 1s, to: 3s }, share: 50 % } }
    at: 0m
    for: 10m
",
    };

    fn evidence(&self, target: &Resource, timeout: Span, ramp_up: Span) -> Evidence {
        let (from, to) = self.delay.bounds();
        // An invocation that runs into its timeout is only as slow as that.
        let limit = from.min(Span::from_millis(timeout.millis() * 9 / 10));
        let mut any = vec![Indicator::of(Metric::SlowShare { limit }, target, IndicatorTest::Rises)];
        let mut expect = format!("more invocations are slower than {limit}");
        if to >= timeout {
            any.push(Indicator::of(Metric::FailedShare, target, IndicatorTest::Rises));
            expect += ", or run into the timeout";
        }
        Evidence { expect, any, logs: None, within: ramp_up + SHOWN_WITHIN }
    }
}

impl Fault for Latency {
    fn page(&self) -> &'static Page {
        Self::PAGE
    }

    fn target(&self) -> &TargetName {
        &self.target
    }

    fn flaws(&self) -> Vec<Flaw> {
        let (from, to) = self.delay.bounds();
        let delay = (from.millis() < 1 || to > LONGEST || from > to).then(|| {
            Flaw::new(
                "delay",
                format!("a delay of {} cannot be injected", self.delay),
                "write one between 1ms and 15m, or `{ from: 1s, to: 3s }` with the shorter one first",
            )
        });
        delay.into_iter().chain(wrapper::flawed_share(self.share)).collect()
    }

    fn look(&self, target: &Resource, described: &Described) -> Vec<Resource> {
        wrapper::look(target, described)
    }

    fn plan(&self, scene: &Scene<'_>) -> Result<Vec<FaultPlan>, Vec<Refusal>> {
        let plans = scene.targets.iter().map(|target| self.for_function(target, scene));
        Ok(wrapper::once_each(all(plans)?))
    }
}

impl Latency {
    fn for_function(&self, target: &Resource, scene: &Scene<'_>) -> Result<FaultPlan, Refusal> {
        let function = scene.described.function(target).ok_or_else(|| Refusal::absent(target))?;
        let ((_, to), timeout) = (self.delay.bounds(), function.timeout);
        let (change, hits, evidence, mut warnings) = match &function.delivery {
            Delivery::Variables { set } => {
                let change = extension::delay(target, function, set, self.delay, self.share)?;
                let evidence = self.evidence(target, timeout, change.takes_effect_within);
                (change, vec![target.clone()], evidence, extension::warnings(target, function))
            }
            _ => {
                let wrapped = Wrapped::find(target, scene)?;
                let change = wrapped.change(&self.flag())?;
                let mut evidence = self.evidence(target, timeout, change.takes_effect_within);
                wrapped.add_evidence(target, Injected::Latency, &mut evidence);
                (change, wrapped.hits(target), evidence, wrapped.warnings(target))
            }
        };
        if to >= timeout {
            warnings.push(format!(
                "delays of {to} reach the timeout of {target} ({timeout}): such invocations fail instead of being slow"
            ));
        }
        Ok(FaultPlan {
            summary: format!("{} of the invocations of {} take {} longer", self.share, target.name, self.delay),
            hits,
            evidence,
            changes: vec![change],
            emission: None,
            warnings,
        })
    }

    /// The fault as each wrapper reads it.
    fn flag(&self) -> Flag {
        let (from, to) = self.delay.bounds();
        Flag {
            key: "latency",
            flag: json!({
                "enabled": true,
                "percentage": wrapper::percentage(self.share),
                "min_latency": from.millis(),
                "max_latency": to.millis(),
            }),
            one_fault: json!({
                "failureMode": "latency",
                "rate": self.share.get(),
                "minLatency": from.millis(),
                "maxLatency": to.millis(),
            }),
            order: json!({
                "latency": { "delay": { "uniform": { "from_ms": from.millis(), "to_ms": to.millis() } } },
            }),
            share: self.share,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Setting, Value};
    use crate::faults::stage::{Stage, function, parameter, spec};

    const HALF: &str = "lambda.latency: { target: worker, delay: { from: 1s, to: 3s }, share: 50 % }";

    fn shop() -> Stage {
        Stage::shop(function("Worker"))
    }

    #[test]
    fn the_flag_is_the_one_that_the_wrapper_reads() {
        let plan = shop().planned(HALF);
        let change = &plan.changes[0];
        assert_eq!(change.setting, Setting::FaultFlag { parameter: parameter(), key: "latency".into() });
        let flag = r#"{"enabled":true,"percentage":50,"min_latency":1000,"max_latency":3000}"#;
        assert_eq!(change.after, Value::Text(flag.into()));
        let fixed = shop().planned("lambda.latency: { target: worker, delay: 2s }");
        let flag = r#"{"enabled":true,"percentage":100,"min_latency":2000,"max_latency":2000}"#;
        assert_eq!(fixed.changes[0].after, Value::Text(flag.into()));
    }

    #[test]
    fn it_works_and_ends_with_the_wrappers_cache() {
        let mut shop = shop();
        shop.function("Worker").delivery = Delivery::Parameter { parameter: parameter(), cache: Span::from_secs(7) };
        let plan = shop.planned(HALF);
        assert_eq!(plan.changes[0].takes_effect_within, Span::from_secs(7));
        assert_eq!(plan.evidence.within, Span::from_secs(7) + SHOWN_WITHIN);
    }

    #[test]
    fn slow_invocations_show_it() {
        let evidence = shop().planned(HALF).evidence;
        let limit = Span::from_secs(1);
        assert_eq!(evidence.any.len(), 1);
        assert_eq!(evidence.any[0].query.metric, Metric::SlowShare { limit });
        assert_eq!(evidence.any[0].test, IndicatorTest::Rises);
    }

    #[test]
    fn a_delay_over_the_timeout_is_warned_of_and_shown_by_errors() {
        let plan = shop().planned("lambda.latency: { target: worker, delay: 20s }");
        assert!(plan.warnings.iter().any(|w| w.contains("timeout")), "{:?}", plan.warnings);
        let metrics: Vec<_> = plan.evidence.any.iter().map(|indicator| indicator.query.metric).collect();
        assert_eq!(metrics, [Metric::SlowShare { limit: Span::from_secs(18) }, Metric::FailedShare]);
        assert!(shop().planned(HALF).warnings.is_empty());
    }

    #[test]
    fn delays_and_shares_that_the_wrapper_cannot_take_are_flaws() {
        let flaws = |yaml: &str| -> Vec<&str> { spec(yaml).fault().flaws().iter().map(|flaw| flaw.key).collect() };
        assert!(flaws(HALF).is_empty());
        assert_eq!(flaws("lambda.latency: { target: worker, delay: 0s }"), ["delay"]);
        assert_eq!(flaws("lambda.latency: { target: worker, delay: 16m }"), ["delay"]);
        assert_eq!(flaws("lambda.latency: { target: worker, delay: { from: 3s, to: 1s } }"), ["delay"]);
        assert_eq!(flaws("lambda.latency: { target: worker, delay: 1s, share: 33.3 % }"), ["share"]);
        assert_eq!(flaws("lambda.latency: { target: worker, delay: 1s, share: 0 % }"), ["share"]);
        assert!(flaws("lambda.latency: { target: worker, delay: 1s, share: 29 % }").is_empty());
    }

    #[test]
    fn a_shared_parameter_hits_all_its_readers_and_is_written_once() {
        let mut shop = shop();
        shop.add_function("Other");
        shop.parameter().read_by = vec![function("Other"), function("Worker")];
        shop.targets.push(function("Other"));
        let plan = shop.planned(HALF);
        assert_eq!(plan.hits, [function("Other"), function("Worker")]);
        assert!(plan.warnings.iter().any(|w| w.contains("read by Other as well")), "{:?}", plan.warnings);
    }
}
