//! Faults through squall's own layer (`layer/`, `docs/layer.md`), which reads orders from an SSM parameter. Each order carries
//! its end, so a fault ends even if nothing of squall is left to end it.
//!
//! The document: `{"version": 1, "KEY": {"run": .., "until": .., "share": .., "fault": {..}}, ..}`. The layer reads it strictly:
//! one order that it does not understand makes all of them count as none.

use serde_json::{Map, Value as Json, json};

use super::{Refusal, Scene};
use crate::account::Resource;
use crate::account::setting::quote;
use crate::ids::RunId;
pub use crate::layer::EMPTY;
use crate::layer::terms;
use crate::units::{Share, Span, Time};

/// The layer forgets what it read after so long, and while invocations come it reads again sooner: nothing later goes by what the
/// parameter held before.
pub const LEARNT_WITHIN: Span = Span::from_millis(terms::CURRENT_FOR_MS as i64);

/// A run's id goes into an order as letters, digits, `.`, `_` and `-`, at most so many.
const LONGEST_NAME: usize = 64;

/// Unless the function says otherwise (`SQUALL_LAYER_MAX_MINUTES`), the layer refuses an order that ends later than so far ahead.
const USUAL_LIMIT: Span = Span::from_mins(terms::USUAL_MINUTES as i64);

/// By whom and until when orders are given.
pub struct Terms<'a> {
    run: &'a RunId,
    from: Time,
    /// When they end, in whole seconds.
    pub ends: Time,
}

impl<'a> Terms<'a> {
    /// The terms of a fault: it ends when its undo begins, or as much later as the run may be late.
    pub fn of(scene: &Scene<'a>) -> Terms<'a> {
        let up = Span::from_micros(999_999);
        Terms {
            run: scene.run,
            from: scene.from,
            ends: (scene.until + scene.late + up).window_start(Span::from_secs(1)),
        }
    }

    /// What the user should know about them.
    pub fn warning(&self) -> Option<String> {
        (self.ends.since(self.from) > USUAL_LIMIT).then(|| {
            format!(
                "the order expires {} after injection; the layer refuses more than {USUAL_LIMIT} unless the \
                 function's SQUALL_LAYER_MAX_MINUTES allows it",
                self.ends.since(self.from)
            )
        })
    }

    /// The order of a fault.
    pub fn order(&self, fault: &Json, share: Share) -> Json {
        let valid = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let run = self.run.0.chars().map(|c| if valid(c) { c } else { '-' }).take(LONGEST_NAME);
        let until = self.ends.to_string();
        let until = until.split_once('.').map_or(until.clone(), |(seconds, _)| format!("{seconds}Z"));
        json!({ "run": run.collect::<String>(), "until": until, "share": share.get(), "fault": fault })
    }
}

/// Refuses a document to which no order can be added that the layer would read.
pub fn check(parameter: &Resource, document: &Map<String, Json>) -> Result<(), Refusal> {
    if document.get("version") == Some(&json!(1)) {
        return Ok(());
    }
    Err(Refusal::new(
        format!("{parameter} does not hold orders of version 1, the version that squall's layer reads"),
        format!(
            "write an empty document: aws ssm put-parameter --name {} --type String --overwrite --value '{EMPTY}'",
            quote(&parameter.name)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Setting;
    use crate::account::setting::with_key;
    use crate::faults::SHOWN_WITHIN;
    use crate::faults::stage::{Stage, parameter, start};

    const SLOW: &str = "lambda.latency: { target: worker, delay: { from: 1s, to: 3s }, share: 50 % }";
    const FAIL: &str = "lambda.error: { target: worker, message: no tax today }";
    const BROKEN: &str = "lambda.response: { target: worker, with: { truncated: 10 }, share: 5 % }";
    const HANGS: &str = "lambda.hang: { target: worker, share: 1 % }";

    fn shop() -> Stage {
        Stage::with_layer()
    }

    /// The layer's own tests read the same file.
    const ORDERS: &str = include_str!("../../layer/tests/orders/squall.json");

    #[test]
    fn an_order_ends_by_itself_and_is_the_one_that_the_layer_reads() {
        let ends = start() + Span::from_mins(10) + crate::plan::LATENESS;
        let mut document = EMPTY.to_owned();
        for (yaml, key) in [(SLOW, "latency"), (FAIL, "exception"), (BROKEN, "response"), (HANGS, "hang")] {
            let plan = shop().planned(yaml);
            let [change] = &plan.changes[..] else { panic!("{:?}", plan.changes) };
            assert_eq!(change.setting, Setting::FaultFlag { parameter: parameter(), key: key.into() });
            assert_eq!(change.expires, Some(ends));
            assert_eq!(
                (change.takes_effect_within, plan.evidence.within),
                (LEARNT_WITHIN, LEARNT_WITHIN + SHOWN_WITHIN)
            );
            document = with_key(&document, key, &change.after).unwrap();
        }
        assert_eq!(document, ORDERS.trim());
    }

    #[test]
    fn an_order_beyond_the_layers_usual_limit_is_warned_of() {
        let mut shop = shop();
        let limited = |shop: &Stage| shop.planned(SLOW).warnings.iter().any(|w| w.contains("SQUALL_LAYER_MAX_MINUTES"));
        shop.lasts = Span::from_mins(50);
        assert!(!limited(&shop));
        shop.lasts = Span::from_mins(51);
        assert!(limited(&shop));
    }

    #[test]
    fn an_os_only_runtime_can_have_the_layer() {
        let mut shop = shop();
        shop.function("Worker").runtime = "provided.al2023".into();
        assert_eq!(shop.planned(SLOW).changes.len(), 1);
    }

    #[test]
    fn documents_that_the_layer_would_not_read_are_refused() {
        let mut shop = shop();
        for text in ["{}", r#"{"version": 2}"#, r#"{"latency": {"enabled": true}}"#] {
            shop.parameter().text = text.into();
            shop.refused(SLOW, &["orders of version 1", r#"--overwrite --value '{"version": 1}'"#]);
        }
        shop.parameter().text = r#"{"version": 1, "latency": {}}"#.into();
        shop.refused(SLOW, &["already has an order `latency`"]);
        assert_eq!(shop.planned(FAIL).changes.len(), 1);
        shop.described.0.remove(&parameter());
        shop.refused(SLOW, &[r#"--type String --value '{"version": 1}'"#]);
    }
}
