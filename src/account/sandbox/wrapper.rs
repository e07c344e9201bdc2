//! The fault wrapper of a function: squall's own layer, whose orders are in `order.rs`, or failure-lambda in its code, which reads its flags from an SSM parameter. Which version of it,
//! the parameter's text says: 1.x knows flags, and 0.x one fault at a time, which it reads at every invocation.
//!
//! Flags are evaluated in its order: latency, timeout, (diskspace), denylist, statuscode, exception, (corruption). Those
//! in brackets act inside of the handler, which is not modelled, and do nothing here; a denylist makes the handler's calls
//! to hosts fail that it matches. What cannot be read is no fault:
//! so the npm package does it (<https://github.com/gunnargrosch/failure-lambda>).

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::app::Function;
use super::chance::Chance;
use super::lambda::Instance;
use super::logs::Line;
use super::order::{self, Order};
use super::world::World;
use crate::account::Injected;
use crate::units::{Share, Span, Time};

/// Flags are kept so long unless `FAILURE_CACHE_TTL` says otherwise.
const CACHE: Span = Span::from_secs(60);
/// Reading the parameter takes so long; a guess.
const FETCH: (Span, Span) = (Span::from_millis(5), Span::from_millis(20));

/// How a function reads its flags.
#[derive(Clone, Debug)]
pub(super) struct Wrapper {
    /// The parameter's name.
    pub parameter: String,
    pub cache: Span,
    /// It is squall's layer.
    pub is_layer: bool,
}

impl Wrapper {
    /// The wrapper of a function, when its environment names a parameter.
    pub fn of(function: &Function) -> Option<Wrapper> {
        let variable = |name: &str| function.environment.get(name).cloned();
        let has_layer = crate::layer::runs_in(&function.runtime, variable);
        if let Some(parameter) = variable("SQUALL_FAULTS_PARAM").filter(|_| has_layer) {
            return Some(Wrapper { parameter, cache: order::INTERVAL, is_layer: true });
        }
        let parameter = function.environment.get("FAILURE_INJECTION_PARAM")?.clone();
        let cache = function.environment.get("FAILURE_CACHE_TTL").and_then(|text| text.parse().ok());
        Some(Wrapper { parameter, cache: cache.map_or(CACHE, Span::from_secs), is_layer: false })
    }
}

/// Patterns of hosts that a handler does not reach. Of regular expressions, which the wrapper takes, `.*` is understood and
/// every other sign stands for itself.
#[derive(Clone, Debug)]
pub(super) struct Denied(Vec<Vec<String>>);

impl Denied {
    fn read(patterns: &Json) -> Denied {
        let patterns = patterns.as_array().into_iter().flatten().take(MOST_PATTERNS).filter_map(Json::as_str);
        let pieces = |pattern: &str| pattern.replace('\\', "").split(".*").map(str::to_owned).collect();
        Denied(patterns.map(pieces).collect())
    }

    /// Whether a host is denied: it holds the pieces of a pattern in their order.
    pub fn matches(&self, host: &str) -> bool {
        let holds = |pieces: &Vec<String>| {
            let mut rest = host;
            pieces.iter().all(|piece| match rest.split_once(piece.as_str()) {
                Some((_, after)) => {
                    rest = after;
                    true
                }
                None => false,
            })
        };
        self.0.iter().any(holds)
    }
}

/// More patterns of a denylist are not read.
const MOST_PATTERNS: usize = 100;

/// How often a flag acts, and what it needs to know.
#[derive(Clone, Debug)]
struct Flag<T> {
    share: Share,
    with: T,
}

/// The flags that are enabled.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags {
    latency: Option<Flag<(Span, Span)>>,
    /// How long before the function's time-out the wrapper stops waiting.
    timeout: Option<Flag<Span>>,
    denylist: Option<Flag<Arc<Denied>>>,
    statuscode: Option<Flag<u16>>,
    exception: Option<Flag<()>>,
    /// Those of squall's layer, which are none of the others.
    orders: Vec<Order>,
    /// They are not kept: 0.x.
    read_each_time: bool,
}

/// What the wrapper does to one invocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Injection {
    pub delay: Span,
    pub instead: Option<Instead>,
    pub late: Option<Late>,
}

/// What comes in place of the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instead {
    Status(u16),
    Exception,
}

/// What squall's layer does to the handler's response, if its order has not ended by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Late {
    pub until: Time,
    pub act: LateAct,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LateAct {
    /// A response with this status goes out.
    Answer(u16),
    /// It is held until just before the time-out.
    HoldBefore,
    /// It is held until the time-out has come.
    HoldPast,
}

impl LateAct {
    /// The fault that the layer counts it as.
    pub fn fault(self) -> Injected {
        match self {
            LateAct::Answer(_) => Injected::Response,
            LateAct::HoldBefore | LateAct::HoldPast => Injected::Hang,
        }
    }
}

impl Injection {
    /// What squall's layer counts before the handler.
    pub fn ordered(self) -> impl Iterator<Item = Injected> {
        let answered = matches!(self.instead, Some(Instead::Status(_))).then_some(Injected::Response);
        self.faults().chain(answered)
    }

    /// The faults that failure-lambda writes lines of, as far as they are squall's.
    pub fn faults(self) -> impl Iterator<Item = Injected> {
        let delayed = (self.delay > Span::ZERO).then_some(Injected::Latency);
        let failed = (self.instead == Some(Instead::Exception)).then_some(Injected::Error);
        delayed.into_iter().chain(failed)
    }
}

impl Flags {
    /// Reads the document of a parameter. What is not a flag of this format is no flag.
    pub fn read(document: &str) -> Flags {
        let Ok(document) = serde_json::from_str::<Map<String, Json>>(document) else { return Flags::default() };
        if document.contains_key("version") {
            return Flags { orders: order::read(&document), ..Flags::default() };
        }
        if document.contains_key("isEnabled") || document.contains_key("failureMode") {
            return Flags::read_0x(&document);
        }
        let flag = |name: &str| {
            let flag = document.get(name)?.as_object()?;
            if flag.get("enabled")? != &Json::Bool(true) {
                return None;
            }
            let percentage = flag.get("percentage").map_or(Some(100.0), Json::as_f64)?;
            Some((Share::new(percentage / 100.0)?, flag))
        };
        let millis = |flag: &Map<String, Json>, key: &str, default: i64| {
            Span::from_millis(flag.get(key).and_then(Json::as_i64).unwrap_or(default))
        };
        let latency = |(share, flag): (Share, &Map<String, Json>)| {
            let from = millis(flag, "min_latency", 0);
            Flag { share, with: (from, millis(flag, "max_latency", 0).max(from)) }
        };
        let status = |flag: &Map<String, Json>| flag.get("status_code").and_then(Json::as_u64);
        Flags {
            latency: flag("latency").map(latency),
            timeout: flag("timeout").map(|(share, flag)| Flag { share, with: millis(flag, "timeout_buffer_ms", 0) }),
            denylist: flag("denylist").map(|(share, flag)| {
                let patterns = flag.get("deny_list").unwrap_or(&Json::Null);
                Flag { share, with: Arc::new(Denied::read(patterns)) }
            }),
            statuscode: flag("statuscode").map(|(share, flag)| {
                let code = status(flag).and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
                Flag { share, with: code }
            }),
            exception: flag("exception").map(|(share, _)| Flag { share, with: () }),
            orders: Vec::new(),
            read_each_time: false,
        }
    }

    /// Reads the document of failure-lambda 0.x.
    fn read_0x(document: &Map<String, Json>) -> Flags {
        let none = Flags { read_each_time: true, ..Flags::default() };
        let enabled = document.get("isEnabled") == Some(&Json::Bool(true));
        let share = document.get("rate").and_then(Json::as_f64).map(|rate| Share::new(rate.clamp(0.0, 1.0)));
        let (true, Some(Some(share))) = (enabled, share) else { return none };
        let number = |key: &str| document.get(key).and_then(Json::as_i64);
        match document.get("failureMode").and_then(Json::as_str) {
            Some("latency") => {
                let from = Span::from_millis(number("minLatency").unwrap_or(0));
                let to = Span::from_millis(number("maxLatency").unwrap_or(0)).max(from);
                Flags { latency: Some(Flag { share, with: (from, to) }), ..none }
            }
            Some("statuscode") => {
                let code = number("statusCode").and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
                Flags { statuscode: Some(Flag { share, with: code }), ..none }
            }
            Some("exception") => Flags { exception: Some(Flag { share, with: () }), ..none },
            Some("denylist") => {
                let patterns = document.get("denylist").unwrap_or(&Json::Null);
                Flags { denylist: Some(Flag { share, with: Arc::new(Denied::read(patterns)) }), ..none }
            }
            _ => none,
        }
    }

    fn act(&self, timeout: Span, chance: &mut Chance) -> (Injection, Option<Arc<Denied>>) {
        let mut injected = Injection::default();
        if let Some(flag) = &self.latency
            && chance.happens(flag.share)
        {
            injected.delay = chance.between(flag.with.0, flag.with.1);
        }
        if let Some(flag) = &self.timeout
            && chance.happens(flag.share)
        {
            injected.delay = injected.delay.max(timeout - flag.with);
        }
        let denylist = self.denylist.as_ref().filter(|flag| chance.happens(flag.share));
        let denied = denylist.map(|flag| flag.with.clone());
        if let Some(flag) = &self.statuscode
            && chance.happens(flag.share)
        {
            injected.instead = Some(Instead::Status(flag.with));
        } else if let Some(flag) = &self.exception
            && chance.happens(flag.share)
        {
            injected.instead = Some(Instead::Exception);
        }
        (injected, denied)
    }
}

impl World {
    /// What the wrapper of a function does to an invocation in this instance. Reads the parameter when the instance's
    /// copy is too old, as the function's role may.
    pub(super) fn inject(&mut self, function: usize, instance: &mut Instance) -> (Injection, Option<Arc<Denied>>) {
        let model = self.model.clone();
        let of = &model.functions[function];
        let Some(wrapper) = &of.wrapper else { return (Injection::default(), None) };
        if wrapper.is_layer {
            return (self.inject_ordered(function, instance), None);
        }
        let mut fetched = Span::ZERO;
        let fresh =
            |(read, flags): &&(Time, Arc<Flags>)| !flags.read_each_time && self.now.since(*read) < wrapper.cache;
        let kept = instance.flags.as_ref().filter(fresh).map(|(_, flags)| flags.clone());
        let flags = match kept {
            Some(flags) => flags,
            None => {
                let may = self.allowed(of.role, "ssm:GetParameter", &of.wrapper_arn);
                let flags = if may { self.settings.flags.get(&wrapper.parameter).cloned() } else { None };
                fetched = self.lambda.functions[function].chance.between(FETCH.0, FETCH.1);
                // An error is not kept: the next invocation tries again.
                instance.flags = flags.clone().map(|flags| (self.now, flags));
                flags.unwrap_or_default()
            }
        };
        let (mut injected, denied) = flags.act(of.spec.timeout, &mut self.lambda.functions[function].chance);
        for fault in injected.faults() {
            self.log(function, Line::Injected(fault));
        }
        injected.delay = injected.delay + fetched;
        (injected, denied)
    }

    /// The same for squall's layer. It reads while an environment starts and then beside invocations, which cost nothing and go
    /// by what was read before.
    fn inject_ordered(&mut self, function: usize, instance: &mut Instance) -> Injection {
        let model = self.model.clone();
        let of = &model.functions[function];
        let Some(wrapper) = &of.wrapper else { return Injection::default() };
        let age = instance.flags.as_ref().map(|(read, _)| self.now.since(*read));
        let known = instance.flags.clone();
        if age.is_none_or(|age| age >= wrapper.cache) {
            let may = self.allowed(of.role, "ssm:GetParameter", &of.wrapper_arn);
            let flags = if may { self.settings.flags.get(&wrapper.parameter).cloned() } else { None };
            // What cannot be read counts as no orders, and is read again like others.
            instance.flags = Some((self.now, flags.unwrap_or_default()));
        }
        let flags = match age {
            None => instance.flags.clone(),
            Some(age) if age < order::CURRENT_FOR => known,
            Some(_) => None,
        };
        let Some((_, flags)) = flags else { return Injection::default() };
        let injection = order::act(&flags.orders, self.now, &mut self.lambda.functions[function].chance);
        let now = self.now;
        for fault in injection.ordered() {
            self.lambda.functions[function].minutes.at(now).injected(fault);
        }
        injection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(document: &str) -> Injection {
        Flags::read(document).act(Span::from_secs(10), &mut Chance::of(1, "test")).0
    }

    #[test]
    fn a_denylist_is_of_patterns() {
        let document = r#"{"denylist": {"enabled": true, "deny_list": ["payments\\..*", "(", 7]}}"#;
        let (_, denied) = Flags::read(document).act(Span::from_secs(10), &mut Chance::of(1, "test"));
        let denied = denied.unwrap();
        assert!(denied.matches("payments.example.com") && !denied.matches("sqs.eu-west-1.amazonaws.com"));
        let document = r#"{"isEnabled": true, "failureMode": "denylist", "rate": 1, "denylist": ["sqs.*"]}"#;
        let (_, denied) = Flags::read(document).act(Span::from_secs(10), &mut Chance::of(1, "test"));
        assert!(denied.unwrap().matches("sqs.eu-west-1.amazonaws.com"));
    }

    #[test]
    fn only_what_is_enabled_with_a_boolean_acts() {
        assert_eq!(act("{}"), Injection::default());
        assert_eq!(act("no json"), Injection::default());
        assert_eq!(act(r#"{"exception": {"enabled": "true"}}"#), Injection::default());
        assert_eq!(act(r#"{"exception": {"enabled": true, "percentage": 0}}"#), Injection::default());
        let both =
            r#"{"exception": {"enabled": true}, "latency": {"enabled": true, "min_latency": 300, "max_latency": 300}}"#;
        assert_eq!(
            act(both),
            Injection { delay: Span::from_millis(300), instead: Some(Instead::Exception), late: None }
        );
    }

    #[test]
    fn a_status_comes_before_an_exception_and_a_timeout_waits_for_the_end() {
        let document = r#"{"exception": {"enabled": true}, "statuscode": {"enabled": true, "status_code": 503},
            "timeout": {"enabled": true, "timeout_buffer_ms": 500}}"#;
        let injected = act(document);
        assert_eq!(
            injected,
            Injection { delay: Span::from_millis(9_500), instead: Some(Instead::Status(503)), late: None }
        );
    }

    #[test]
    fn the_document_of_0x_holds_one_fault() {
        let with =
            |document: &str| act(&document.replacen('{', r#"{"rate": 1, "minLatency": 300, "maxLatency": 300, "#, 1));
        let latency = Injection { delay: Span::from_millis(300), instead: None, late: None };
        assert_eq!(with(r#"{"isEnabled": true, "failureMode": "latency"}"#), latency);
        assert_eq!(with(r#"{"isEnabled": false, "failureMode": "latency"}"#), Injection::default());
        let failed = Injection { delay: Span::ZERO, instead: Some(Instead::Exception), late: None };
        assert_eq!(with(r#"{"isEnabled": true, "failureMode": "exception"}"#), failed);
        assert!(Flags::read(r#"{"isEnabled": false}"#).read_each_time);
        // 1.x flags beside it are none of 0.x.
        assert_eq!(act(r#"{"isEnabled": false, "exception": {"enabled": true}}"#), Injection::default());
    }

    #[test]
    fn a_percentage_is_a_probability() {
        let flags = Flags::read(r#"{"exception": {"enabled": true, "percentage": 30}}"#);
        let mut chance = Chance::of(1, "test");
        let n = 10_000;
        let hit = (0..n).filter(|_| flags.act(Span::ZERO, &mut chance).0.instead.is_some()).count();
        // Four standard errors of a share of 0.3 in 10,000: 0.0183.
        assert!((hit as f64 / f64::from(n) - 0.3).abs() < 0.0184, "{hit}");
    }
}
