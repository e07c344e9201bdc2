//! Latency through chaos-lambda-extension (github.com/aws-cli-tools/chaos-lambda-extension, Apache-2.0), which is
//! configured by variables of the function.
//!
//! Facts that shape this: every change is an update of the function's configuration, after which its invocations run in
//! new sandboxes; only `$LATEST` can be updated; a delay is in whole seconds; its change of responses comes after the
//! handler ran, so that it is no failed invocation and not used here.

use std::collections::BTreeMap;

use serde_json::json;

use super::latency::Delay;
use super::wrapper::{unreached, wrappable};
use super::{PlannedChange, Refusal};
use crate::account::description::FunctionDescription;
use crate::account::kind::lambda::WRAPPER_PREFIX;
use crate::account::{Resource, Setting, Value};
use crate::units::{Share, Span};

const ENABLE: &str = "CHAOS_EXTENSION__LAMBDA__ENABLE_LATENCY";
const SECONDS: &str = "CHAOS_EXTENSION__LAMBDA__LATENCY_VALUE";
const PROBABILITY: &str = "CHAOS_EXTENSION__LAMBDA__LATENCY_PROBABILITY";

/// An update counts as written when Lambda calls it successful; after that new invocations run with it. This is an
/// allowance for those that began before.
const TAKES_EFFECT_WITHIN: Span = Span::from_secs(10);

/// The change that delays a share of the invocations.
pub fn delay(
    target: &Resource,
    function: &FunctionDescription,
    set: &BTreeMap<String, String>,
    delay: Delay,
    share: Share,
) -> Result<PlannedChange, Refusal> {
    wrappable(target, function)?;
    let whole = |span: Span| span.micros() % 1_000_000 == 0;
    let seconds = match delay {
        Delay::Fixed(span) if whole(span) => span.micros() / 1_000_000,
        _ => {
            return Err(Refusal::new(
                format!(
                    "{target} is wrapped by chaos-lambda-extension, which delays by a fixed number of whole seconds"
                ),
                "write one, such as `delay: 2s`, or wrap the function with failure-lambda 1.x instead",
            ));
        }
    };
    if set.get(ENABLE).is_some_and(|enabled| enabled == "true") {
        return Err(Refusal::new(
            format!("{ENABLE} of {target} is already on: another injection is active"),
            "find out who set it, and switch it off there; `squall status` lists squall's own runs",
        ));
    }
    let mut after: BTreeMap<&str, String> = set.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    after.insert(ENABLE, "true".into());
    after.insert(SECONDS, seconds.to_string());
    after.insert(PROBABILITY, share.get().to_string());
    Ok(PlannedChange {
        setting: Setting::Variables { function: target.clone(), prefix: WRAPPER_PREFIX.into() },
        after: Value::Text(json!(after).to_string()),
        expires: None,
        takes_effect_within: TAKES_EFFECT_WITHIN,
        lasts_after: Span::ZERO,
    })
}

/// What the user should know.
pub fn warnings(target: &Resource, function: &FunctionDescription) -> Vec<String> {
    let cold =
        format!("{} is updated, and again by the rollback: after each update its invocations start cold", target.name);
    let latest = |alias: &crate::account::description::Alias| alias.versions.iter().all(|version| version == "$LATEST");
    std::iter::once(cold).chain(unreached(target, function, latest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::description::{Alias, Delivery};
    use crate::faults::stage::{Stage, function};

    fn shop() -> Stage {
        let mut shop = Stage::shop(function("Worker"));
        let set = BTreeMap::from([(SECONDS.to_owned(), "900".to_owned())]);
        shop.function("Worker").delivery = Delivery::Variables { set };
        shop
    }

    #[test]
    fn the_variables_say_how_long_and_how_often() {
        let plan = shop().planned("lambda.latency: { target: worker, delay: 2s, share: 50 % }");
        assert_eq!(plan.changes.len(), 1);
        assert_eq!(
            plan.changes[0].after,
            Value::Text(format!(r#"{{"{ENABLE}":"true","{PROBABILITY}":"0.5","{SECONDS}":"2"}}"#))
        );
        assert!(plan.warnings[0].contains("start cold"), "{:?}", plan.warnings);
    }

    #[test]
    fn what_the_extension_cannot_do_is_refused() {
        let shop = shop();
        shop.refused("lambda.latency: { target: worker, delay: 1500ms }", &["whole seconds"]);
        shop.refused("lambda.latency: { target: worker, delay: { from: 1s, to: 2s } }", &["fixed number"]);
        shop.refused("lambda.error: { target: worker }", &["chaos-lambda-extension", "failure-lambda 1.x"]);
    }

    #[test]
    fn a_delay_that_is_on_is_somebody_elses() {
        let mut shop = shop();
        let set = BTreeMap::from([(ENABLE.to_owned(), "true".to_owned())]);
        shop.function("Worker").delivery = Delivery::Variables { set };
        shop.refused("lambda.latency: { target: worker, delay: 1s }", &["already on"]);
    }

    #[test]
    fn published_versions_keep_their_variables() {
        let mut shop = shop();
        let versions = vec!["7".to_owned()];
        shop.function("Worker").aliases = vec![Alias { name: "live".into(), versions, delivered_alike: true }];
        let warnings = shop.planned("lambda.latency: { target: worker, delay: 2s }").warnings.join("\n");
        assert!(warnings.contains("alias live run version 7, which this fault does not reach"), "{warnings}");
    }
}
