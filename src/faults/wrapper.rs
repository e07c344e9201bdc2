//! What the faults share that work through a function's fault wrapper: squall's own layer ([`super::layer`]), or failure-lambda
//! (github.com/gunnargrosch/failure-lambda, MIT). Both read an SSM parameter.
//!
//! Facts that shape this: the flags' document must be there and stay there, because the layer form of the wrapper keeps
//! the last flags that it could read. 1.x knows several flags, by key; a flag's `enabled` must be a JSON boolean and
//! `percentage` a whole number from 0 to 100. 0.x knows one fault at a time, and the document is that fault: `isEnabled`,
//! `failureMode`, `rate` from 0 to 1. Neither reads the other's document, so the one that is there says which it is.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::{Described, FaultPlan, Flaw, PlannedChange, Refusal, Scene, layer, listed};
use crate::account::description::{Alias, Delivery, FunctionDescription, ParameterDescription};
use crate::account::setting::{quote, with_key};
use crate::account::{FunctionLog, Injected, LogSearch, Metric, Resource, Setting, Trace, Value};
use crate::plan::{Evidence, Indicator, IndicatorTest};
use crate::units::{Share, Span};

/// A function with the parameter that its wrapper reads, found to be usable.
pub struct Wrapped<'a> {
    pub function: &'a FunctionDescription,
    pub parameter: &'a Resource,
    /// How long the wrapper keeps the flags that it read.
    pub cache: Span,
    format: Format,
    flags: &'a ParameterDescription,
    /// By whom and until when an order is given.
    terms: layer::Terms<'a>,
}

/// What a wrapper reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// failure-lambda 1.x: flags by key.
    Flags,
    /// failure-lambda 0.x: one fault, and nothing is kept from one invocation to the next.
    OneFault,
    /// squall's layer: orders by key.
    Orders,
}

/// A fault in the words of each format.
pub struct Flag {
    /// The key of the flag in 1.x.
    pub key: &'static str,
    /// Its value.
    pub flag: Json,
    /// In 0.x the fault: what it sets beside `isEnabled`.
    pub one_fault: Json,
    /// What an order of squall's layer says under `fault`.
    pub order: Json,
    /// Which part of the invocations.
    pub share: Share,
}

/// SSM's limits on a parameter's value, in bytes: standard and advanced.
const STANDARD: usize = 4 * 1024;
const ADVANCED: usize = 8 * 1024;

/// What must be described before a flag can be planned: the parameter, and the functions that read it too.
pub fn look(target: &Resource, described: &Described) -> Vec<Resource> {
    let Some(parameter) = described.function(target).and_then(|function| function.fault_parameter().cloned()) else {
        return Vec::new();
    };
    let readers = described.parameter(&parameter).map(|p| p.read_by.clone()).unwrap_or_default();
    std::iter::once(parameter).chain(readers).collect()
}

/// The share as the wrapper takes it: a whole percentage from 1 to 100.
pub fn percentage(share: Share) -> u32 {
    (share.get() * 100.0).round() as u32
}

/// A share that the wrapper cannot take.
pub fn flawed_share(share: Share) -> Option<Flaw> {
    let percent = share.get() * 100.0;
    let fits = percent.round() >= 1.0 && (percent - percent.round()).abs() < 1e-6;
    (!fits).then(|| {
        Flaw::new(
            "share",
            format!("a share of {share} cannot be injected: the wrapper takes whole percentages from 1 % to 100 %"),
            "write a whole percentage, such as `share: 50 %`",
        )
    })
}

impl<'a> Wrapped<'a> {
    /// Finds the wrapper of `target`, and refuses where a flag would do nothing or could not be taken back.
    pub fn find(target: &Resource, scene: &Scene<'a>) -> Result<Wrapped<'a>, Refusal> {
        let function = scene.described.function(target).ok_or_else(|| Refusal::absent(target))?;
        let name = &target.name;
        let (parameter, cache) = match &function.delivery {
            Delivery::Parameter { parameter, cache } => (parameter, *cache),
            Delivery::Layer { parameter } => (parameter, layer::LEARNT_WITHIN),
            Delivery::AppConfig { profile } => {
                return Err(Refusal::new(
                    format!(
                        "the wrapper of {name} reads its flags from AppConfig ({profile}), to which squall does not \
                         deploy"
                    ),
                    "set FAILURE_INJECTION_PARAM to the name of an SSM parameter that holds `{}` instead",
                ));
            }
            Delivery::Variables { .. } => {
                return Err(Refusal::new(
                    format!(
                        "{target} is wrapped by chaos-lambda-extension, which squall can only use to delay invocations"
                    ),
                    instrument(name),
                ));
            }
            Delivery::None => {
                return Err(Refusal::new(
                    format!("{target} has no fault wrapper: its variable FAILURE_INJECTION_PARAM is not set"),
                    instrument(name),
                ));
            }
        };
        let is_layer = matches!(function.delivery, Delivery::Layer { .. });
        if !is_layer {
            wrappable(target, function)?;
        }
        let empty = if is_layer { layer::EMPTY } else { "{}" };
        let flags = scene.described.parameter(parameter).ok_or_else(|| {
            Refusal::new(
                format!("{parameter}, which the wrapper of {name} reads, does not exist"),
                format!(
                    "create it empty: aws ssm put-parameter --name {} --type String --value '{empty}'",
                    quote(&parameter.name)
                ),
            )
        })?;
        let format = format(parameter, flags, is_layer)?;
        let cache = if format == Format::OneFault { Span::ZERO } else { cache };
        Ok(Wrapped { function, parameter, cache, format, flags, terms: layer::Terms::of(scene) })
    }

    /// The change that sets a fault. One that is on already belongs to another party.
    pub fn change(&self, fault: &Flag) -> Result<PlannedChange, Refusal> {
        match self.format {
            Format::Flags => self.flag(fault.key, &fault.flag),
            Format::OneFault => self.one_fault(&fault.one_fault),
            Format::Orders => self.order(fault.key, &fault.order, fault.share),
        }
    }

    /// The whole document of 0.x, with what is in it beside the fault.
    fn one_fault(&self, fault: &Json) -> Result<PlannedChange, Refusal> {
        let parameter = self.parameter;
        let mut document: Map<String, Json> = serde_json::from_str(&self.flags.text).unwrap_or_default();
        if document.get("isEnabled") == Some(&json!(true)) {
            return Err(Refusal::new(
                format!("a fault is already on in {parameter}: another injection is active"),
                "find out who set it, and switch it off there; `squall status` lists squall's own runs",
            ));
        }
        document.insert("isEnabled".into(), json!(true));
        document.extend(fault.as_object().cloned().unwrap_or_default());
        let text = Json::Object(document).to_string();
        self.fits(&text, "the fault")?;
        Ok(self.planned(Setting::FaultDocument { parameter: parameter.clone() }, Value::Text(text)))
    }

    fn planned(&self, setting: Setting, after: Value) -> PlannedChange {
        PlannedChange { setting, after, expires: None, takes_effect_within: self.cache, lasts_after: Span::ZERO }
    }

    /// A standard parameter stays one, and no document is longer than SSM takes.
    fn fits(&self, document: &str, with: &str) -> Result<(), Refusal> {
        let limit = if self.flags.text.len() > STANDARD { ADVANCED } else { STANDARD };
        if document.len() <= limit {
            return Ok(());
        }
        Err(Refusal::new(
            format!("with {with}, {} would have {} bytes; SSM allows {limit}", self.parameter, document.len()),
            "shorten the message, or remove other flags from the parameter",
        ))
    }
}

/// What the wrapper reads, as far as its parameter says; refused when squall cannot write that.
fn format(parameter: &Resource, flags: &ParameterDescription, is_layer: bool) -> Result<Format, Refusal> {
    if flags.secure {
        return Err(Refusal::new(
            format!("{parameter} is a SecureString, which squall does not change"),
            "keep the flags in a parameter of type String; they are not secret",
        ));
    }
    let empty = if is_layer { layer::EMPTY } else { "{}" };
    let document: Map<String, Json> = serde_json::from_str(&flags.text).map_err(|error| {
        Refusal::new(
            format!("{parameter} does not hold a JSON object: {error}"),
            format!(
                "write an empty one: aws ssm put-parameter --name {} --type String --overwrite --value '{empty}'",
                quote(&parameter.name)
            ),
        )
    })?;
    if is_layer {
        layer::check(parameter, &document)?;
        return Ok(Format::Orders);
    }
    let one_fault = document.contains_key("failureMode") || document.contains_key("isEnabled");
    Ok(if one_fault { Format::OneFault } else { Format::Flags })
}

impl Wrapped<'_> {
    /// One flag of 1.x.
    fn flag(&self, key: &str, flag: &Json) -> Result<PlannedChange, Refusal> {
        let parameter = self.parameter;
        let before: Map<String, Json> = serde_json::from_str(&self.flags.text).unwrap_or_default();
        if before.get(key).and_then(|f| f.get("enabled")) == Some(&json!(true)) {
            return Err(Refusal::new(
                format!("the flag `{key}` in {parameter} is already on: another injection is active"),
                "find out who set it, and switch it off there; `squall status` lists squall's own runs",
            ));
        }
        let after = Value::Text(flag.to_string());
        let document = with_key(&self.flags.text, key, &after)
            .map_err(|error| Refusal::new(format!("{parameter}: {error}"), "set the parameter to `{}`"))?;
        self.fits(&document, &format!("the flag `{key}`"))?;
        Ok(self.planned(Setting::FaultFlag { parameter: parameter.clone(), key: key.to_owned() }, after))
    }

    /// One order of squall's layer, which ends by itself.
    fn order(&self, key: &str, fault: &Json, share: Share) -> Result<PlannedChange, Refusal> {
        let parameter = self.parameter;
        let before: Map<String, Json> = serde_json::from_str(&self.flags.text).unwrap_or_default();
        if before.contains_key(key) {
            return Err(Refusal::new(
                format!("{parameter} already has an order `{key}`"),
                "find the run that wrote it (`squall status`), and remove it if that run has ended",
            ));
        }
        let after = Value::Text(self.terms.order(fault, share).to_string());
        let document = with_key(&self.flags.text, key, &after)
            .map_err(|error| Refusal::new(format!("{parameter}: {error}"), "correct the document in the parameter"))?;
        self.fits(&document, &format!("the order `{key}`"))?;
        let setting = Setting::FaultFlag { parameter: parameter.clone(), key: key.to_owned() };
        Ok(PlannedChange { expires: Some(self.terms.ends), ..self.planned(setting, after) })
    }

    /// The order of a fault that squall's layer alone can inject.
    ///
    /// # Errors
    /// When the function has another wrapper, or the parameter an order of this fault.
    pub fn order_of(&self, fault: Injected, order: &Json, share: Share) -> Result<PlannedChange, Refusal> {
        match self.format {
            Format::Orders => self.order(fault.key(), order, share),
            Format::Flags | Format::OneFault => Err(Refusal::new(
                format!("{} is wrapped by failure-lambda; this fault needs squall's layer", self.function.arn),
                "add squall's layer to the function; `squall layer snippet sam` and docs/layer.md show how",
            )),
        }
    }

    /// Evidence by the layer's own count, which is there so long after the layer learnt of the order.
    pub fn counted(&self, target: &Resource, fault: Injected, published: Span) -> Evidence {
        Evidence {
            expect: format!("the layer of {} counts what it injects", target.name),
            any: vec![Indicator::of(Metric::FaultsInjected { fault }, target, IndicatorTest::Appears)],
            logs: None,
            within: self.cache + published,
        }
    }

    /// Adds what the wrapper itself says of the faults that it injects: squall's layer counts them, failure-lambda writes a line
    /// for each.
    pub fn add_evidence(&self, target: &Resource, fault: Injected, evidence: &mut Evidence) {
        match self.format {
            Format::Orders => {
                evidence.any.push(Indicator::of(Metric::FaultsInjected { fault }, target, IndicatorTest::Appears));
                evidence.expect += ", or its layer counts what it injects";
            }
            Format::Flags | Format::OneFault => {
                let log = FunctionLog { function: target.clone(), group: self.function.log_group.clone() };
                let (at, trace) = (target.location.clone(), Trace::Injected { fault });
                evidence.logs = Some(LogSearch { at, logs: vec![log], trace });
                evidence.expect += ", or its log has lines of the wrapper that say so";
            }
        }
    }

    /// Every function that reads the parameter.
    pub fn hits(&self, target: &Resource) -> Vec<Resource> {
        let mut hits = self.flags.read_by.clone();
        hits.push(target.clone());
        hits.sort();
        hits.dedup();
        hits
    }

    /// What the user should know: a flag in a shared parameter is set for each of its readers, and a published version may
    /// not read it at all.
    pub fn warnings(&self, target: &Resource) -> Vec<String> {
        let others: Vec<_> = self.hits(target).into_iter().filter(|hit| hit != target).map(|hit| hit.name).collect();
        let shared = (!others.is_empty())
            .then(|| format!("{} is read by {} as well: the fault hits them too", self.parameter, listed(others)));
        let long = if self.format == Format::Orders { self.terms.warning() } else { None };
        shared.into_iter().chain(long).chain(unreached(target, self.function, |alias| alias.delivered_alike)).collect()
    }
}

/// How to make faults reach a function.
fn instrument(name: &str) -> String {
    format!(
        "add squall's layer to {name} (docs/layer.md) and set SQUALL_FAULTS_PARAM; or wrap it with failure-lambda 1.x (its \
         layer, or around a Node handler), set FAILURE_INJECTION_PARAM to the name of an SSM parameter that holds `{{}}`, and \
         allow its role ssm:GetParameter on that"
    )
}

/// Lambda runs wrapper scripts on its own runtimes alone.
pub fn wrappable(target: &Resource, function: &FunctionDescription) -> Result<(), Refusal> {
    match function.runtime.starts_with("provided") {
        true => Err(Refusal::new(
            format!("{target} runs on {}, where Lambda ignores wrapper scripts", function.runtime),
            "throttle it or deny actions to its role instead",
        )),
        false => Ok(()),
    }
}

/// Aliases whose invocations a fault does not reach, one sentence each.
pub fn unreached(target: &Resource, function: &FunctionDescription, reaches: impl Fn(&Alias) -> bool) -> Vec<String> {
    let unreached = function.aliases.iter().filter(|alias| !reaches(alias));
    let sentence = |alias: &Alias| {
        let versions = listed(alias.versions.iter().map(|version| format!("version {version}")));
        format!(
            "invocations of {} through its alias {} run {versions}, which this fault does not reach",
            target.name, alias.name
        )
    };
    unreached.map(sentence).collect()
}

/// Functions that share a parameter share its flags: the change is planned once, for the first of them.
pub fn once_each(plans: Vec<FaultPlan>) -> Vec<FaultPlan> {
    let mut settings = BTreeSet::new();
    plans.into_iter().filter(|plan| plan.changes.iter().all(|change| settings.insert(change.setting.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use crate::account::Setting;
    use crate::account::description::Delivery;
    use crate::faults::stage::{Stage, function, parameter};
    use crate::units::Span;

    const SLOW: &str = "lambda.latency: { target: worker, delay: 1s }";
    const FAIL: &str = "lambda.error: { target: worker }";

    fn shop() -> Stage {
        Stage::shop(function("Worker"))
    }

    #[test]
    fn a_function_without_a_wrapper_is_refused_with_how_to_get_one() {
        let mut shop = shop();
        let profile = "shop/live/flags".into();
        shop.function("Worker").delivery = Delivery::AppConfig { profile };
        shop.refused(SLOW, &["AppConfig (shop/live/flags)", "set FAILURE_INJECTION_PARAM"]);
        shop.function("Worker").delivery = Delivery::None;
        for fault in [SLOW, FAIL] {
            shop.refused(
                fault,
                &["no fault wrapper", "FAILURE_INJECTION_PARAM", "failure-lambda 1.x", "ssm:GetParameter"],
            );
        }
    }

    #[test]
    fn an_os_only_runtime_ignores_wrappers() {
        let mut shop = shop();
        shop.function("Worker").runtime = "provided.al2023".into();
        shop.refused(SLOW, &["provided.al2023"]);
    }

    #[test]
    fn an_absent_parameter_is_refused_with_the_command_that_creates_it() {
        let mut shop = shop();
        shop.described.0.remove(&parameter());
        shop.refused(SLOW, &["aws ssm put-parameter --name /shop/worker/faults --type String --value '{}'"]);
    }

    #[test]
    fn what_is_secret_unreadable_or_of_another_format_is_not_touched() {
        let mut shop = shop();
        shop.parameter().secure = true;
        shop.refused(SLOW, &["SecureString"]);
        shop.parameter().secure = false;
        for text in ["", "[]", "{", "\"x\""] {
            shop.parameter().text = text.into();
            shop.refused(SLOW, &["does not hold a JSON object"]);
        }
    }

    #[test]
    fn in_the_format_of_0x_the_document_is_the_fault() {
        let mut shop = shop();
        shop.parameter().text =
            r#"{"isEnabled": false, "failureMode": "denylist", "denylist": ["s3.*"], "rate": 0}"#.into();
        let change = |yaml: &str| {
            let plan = shop.planned(yaml);
            let [change] = &plan.changes[..] else { panic!("{:?}", plan.changes) };
            assert_eq!(change.setting, Setting::FaultDocument { parameter: parameter() });
            assert_eq!(change.takes_effect_within, Span::ZERO, "it reads them at every invocation");
            change.after.to_string()
        };
        // What else is in it stays: the fault is off again when the bytes are back.
        assert_eq!(
            change("lambda.latency: { target: worker, delay: { from: 100ms, to: 400ms }, share: 25 % }"),
            r#"{"isEnabled":true,"failureMode":"latency","denylist":["s3.*"],"rate":0.25,"minLatency":100,"maxLatency":400}"#
        );
        assert_eq!(
            change("lambda.error: { target: worker, message: no tax today }"),
            r#"{"isEnabled":true,"failureMode":"exception","denylist":["s3.*"],"rate":1.0,"exceptionMsg":"no tax today"}"#
        );
        shop.parameter().text = r#"{"isEnabled": true, "failureMode": "latency"}"#.into();
        shop.refused(SLOW, &["on in", "already"]);
        shop.refused(FAIL, &["on in", "already"]);
        shop.parameter().text = format!(r#"{{"isEnabled": false, "note": "{}"}}"#, "x".repeat(4_000));
        shop.refused(SLOW, &["SSM allows 4096"]);
    }

    #[test]
    fn a_flag_that_is_on_is_somebody_elses() {
        let mut shop = shop();
        shop.parameter().text = r#"{"latency": {"enabled": true, "percentage": 5}}"#.into();
        shop.refused(SLOW, &["`latency`", "already on"]);
        assert!(shop.plan(FAIL).is_ok(), "the other flag is free");
        shop.parameter().text = r#"{"latency": {"enabled": false}}"#.into();
        assert!(shop.plan(SLOW).is_ok());
    }

    #[test]
    fn the_document_stays_under_ssms_limit() {
        let mut shop = shop();
        let filled = |bytes: usize| format!(r#"{{"note":"{}"}}"#, "x".repeat(bytes));
        shop.parameter().text = filled(3_950);
        assert!(shop.plan(SLOW).is_ok());
        shop.parameter().text = filled(4_050);
        shop.refused(SLOW, &["SSM allows 4096"]);
        // Over 4 KB already: an advanced parameter, which takes 8 KB.
        shop.parameter().text = filled(5_000);
        assert!(shop.plan(SLOW).is_ok());
    }

    #[test]
    fn both_flags_fit_in_one_parameter() {
        let shop = shop();
        assert_ne!(shop.planned(SLOW).changes[0].setting, shop.planned(FAIL).changes[0].setting);
    }
}
