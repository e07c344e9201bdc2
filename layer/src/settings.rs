//! What the function's variables say. A variable that cannot be read switches the layer off: nothing is guessed.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::orders::document::{Delay, Fault, LONGEST_DELAY, Order};
pub use crate::terms::KINDS;
use crate::terms::{INTERVAL_S, LONGEST_INTERVAL_S, LONGEST_WAIT_MS, MOST_MINUTES, USUAL_MINUTES};

/// The settings of the layer in one function.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Address and port of the Runtime API, or of the proxy before it: `SQUALL_LAYER_UPSTREAM`, else what the runtime would use.
    pub upstream: String,
    /// The port to listen on, `SQUALL_LAYER_PORT`; any free one when it is not set.
    pub port: u16,
    /// The name of the SSM parameter with the orders, `SQUALL_FAULTS_PARAM`.
    pub parameter: String,
    /// How long, in milliseconds, an invocation waits for orders when those known are out of date, as after a cold start:
    /// `SQUALL_LAYER_WAIT_MS`, 0 if it is not set.
    pub wait_for_first: u64,
    /// The orders are read at most once in so many milliseconds: `SQUALL_LAYER_INTERVAL_S`, in seconds, at least 5.
    pub interval: i64,
    /// What no order may exceed.
    pub limits: Limits,
    /// The function.
    pub function: Function,
    /// Where orders are read: `AWS_ENDPOINT_URL_SSM`, `AWS_ENDPOINT_URL`, or SSM in the function's region.
    pub endpoint: Option<String>,
}

/// What Lambda says of the function in its variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its runtime, such as `AWS_Lambda_nodejs24.x`; empty in a container image.
    pub runtime: String,
}

/// The hard limits of a function. An order that exceeds one is refused whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The kinds of faults that are allowed: `SQUALL_LAYER_KINDS`, separated by commas; all if it is not set.
    pub kinds: Vec<String>,
    /// The longest delay in milliseconds: `SQUALL_LAYER_MAX_DELAY_MS`. Delays of one invocation together do not exceed it either.
    pub delay: u64,
    /// The largest share of requests in percent: `SQUALL_LAYER_MAX_PERCENT`.
    pub percent: u32,
    /// How far ahead an order may end, in minutes: `SQUALL_LAYER_MAX_MINUTES`.
    pub minutes: i64,
}

/// Why the layer stays out of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Off {
    /// It was not asked for anything.
    Silent,
    /// A variable is wrong; the sentence says which and how.
    Wrong(String),
}

impl Settings {
    /// Reads the variables of a function.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Settings, Off> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        if set("SQUALL_LAYER").is_some_and(|value| value == "off") {
            return Err(Off::Silent);
        }
        let Some(parameter) = set("SQUALL_FAULTS_PARAM") else { return Err(Off::Silent) };
        let Some(upstream) = set("SQUALL_LAYER_UPSTREAM").or_else(|| set("AWS_LAMBDA_RUNTIME_API")) else {
            return Err(Off::Wrong("AWS_LAMBDA_RUNTIME_API is not set: this is no Lambda environment".into()));
        };
        let text = |name: &str| set(name).unwrap_or_default();
        Ok(Settings {
            upstream,
            port: number(set, "SQUALL_LAYER_PORT", 0, 0..=u16::MAX)?,
            parameter,
            wait_for_first: number(set, "SQUALL_LAYER_WAIT_MS", 0, 0..=u64::from(LONGEST_WAIT_MS))?,
            interval: i64::from(number(set, "SQUALL_LAYER_INTERVAL_S", INTERVAL_S, INTERVAL_S..=LONGEST_INTERVAL_S)?)
                * 1000,
            limits: Limits {
                kinds: kinds(set("SQUALL_LAYER_KINDS"))?,
                delay: number(set, "SQUALL_LAYER_MAX_DELAY_MS", LONGEST_DELAY, 0..=LONGEST_DELAY)?,
                percent: number(set, "SQUALL_LAYER_MAX_PERCENT", 100, 0..=100)?,
                minutes: i64::from(number(set, "SQUALL_LAYER_MAX_MINUTES", USUAL_MINUTES, 0..=MOST_MINUTES)?),
            },
            function: Function {
                name: text("AWS_LAMBDA_FUNCTION_NAME"),
                region: text("AWS_REGION"),
                runtime: text("AWS_EXECUTION_ENV"),
            },
            endpoint: set("AWS_ENDPOINT_URL_SSM").or_else(|| set("AWS_ENDPOINT_URL")),
        })
    }
}

impl Limits {
    /// No limits beside those of the document.
    pub fn none() -> Limits {
        Limits {
            kinds: KINDS.map(String::from).to_vec(),
            delay: LONGEST_DELAY,
            percent: 100,
            minutes: MOST_MINUTES.into(),
        }
    }

    /// Why an order that ends in `ahead` milliseconds is forbidden here; `None` if it is not.
    pub fn refuse(&self, order: &Order, ahead: i64) -> Option<String> {
        let kind = order.fault.kind();
        let longest = match &order.fault {
            Fault::Latency(latency) => match latency.delay {
                Delay::Fixed { ms } | Delay::Uniform { to_ms: ms, .. } | Delay::Lognormal { median_ms: ms, .. } => ms.0,
            },
            _ => 0,
        };
        if !self.kinds.iter().any(|allowed| allowed == kind) {
            return Some(format!("SQUALL_LAYER_KINDS does not allow {kind}"));
        }
        if longest > self.delay {
            return Some(format!("SQUALL_LAYER_MAX_DELAY_MS is {}", self.delay));
        }
        if order.share > f64::from(self.percent) / 100.0 {
            return Some(format!("SQUALL_LAYER_MAX_PERCENT is {}", self.percent));
        }
        if ahead > self.minutes * 60_000 {
            return Some(format!("it ends more than {} minutes from now (SQUALL_LAYER_MAX_MINUTES)", self.minutes));
        }
        None
    }
}

/// The kinds in a list.
fn kinds(list: Option<String>) -> Result<Vec<String>, Off> {
    let Some(list) = list else { return Ok(KINDS.map(String::from).to_vec()) };
    let kinds: Vec<String> = list.split(',').map(|kind| kind.trim().to_owned()).collect();
    match kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        Some(unknown) => Err(Off::Wrong(format!("SQUALL_LAYER_KINDS: `{unknown}` is none of {}", KINDS.join(", ")))),
        None => Ok(kinds),
    }
}

/// A number in a variable.
fn number<T: FromStr + PartialOrd + Display>(
    set: impl Fn(&str) -> Option<String>,
    name: &str,
    default: T,
    range: RangeInclusive<T>,
) -> Result<T, Off> {
    let Some(value) = set(name) else { return Ok(default) };
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| Off::Wrong(format!("{name} must be a number from {} to {}", range.start(), range.end())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::document::Document;

    fn read(set: &[(&str, &str)]) -> Result<Settings, Off> {
        let api = [("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"), ("SQUALL_FAULTS_PARAM", "/faults")];
        let find =
            |name: &str| set.iter().chain(&api).find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
        Settings::read(find)
    }

    #[test]
    fn a_variable_that_is_wrong_switches_the_layer_off() {
        assert_eq!(read(&[]).unwrap().limits, Limits { minutes: 60, ..Limits::none() });
        assert_eq!(read(&[("SQUALL_LAYER", "off")]), Err(Off::Silent));
        assert_eq!(read(&[("SQUALL_FAULTS_PARAM", "")]), Err(Off::Silent));
        for (name, value) in [
            ("SQUALL_LAYER_PORT", "65536"),
            ("SQUALL_LAYER_WAIT_MS", "-1"),
            ("SQUALL_LAYER_INTERVAL_S", "4"),
            ("SQUALL_LAYER_KINDS", "latency, disk"),
            ("SQUALL_LAYER_MAX_DELAY_MS", "1s"),
            ("SQUALL_LAYER_MAX_PERCENT", "101"),
            ("SQUALL_LAYER_MAX_MINUTES", "1e3"),
        ] {
            let Err(Off::Wrong(why)) = read(&[(name, value)]) else { panic!("{name}") };
            assert!(why.contains(name), "{why}");
        }
    }

    #[test]
    fn an_order_beyond_a_limit_is_refused() {
        let text = r#"{"version": 1, "o": {"run": "r", "until": "2026-11-28T08:25:00Z", "share": 0.5,
            "fault": {"latency": {"delay": {"uniform": {"from_ms": 1, "to_ms": 500}}}}}}"#;
        let document = Document::read(text).unwrap();
        let order = document.0.values().next().unwrap();
        let refused = |set: &[(&str, &str)]| read(set).unwrap().limits.refuse(order, 10 * 60_000).unwrap_or_default();
        assert_eq!(refused(&[]), "");
        assert_eq!(refused(&[("SQUALL_LAYER_MAX_DELAY_MS", "500"), ("SQUALL_LAYER_MAX_PERCENT", "50")]), "");
        assert!(refused(&[("SQUALL_LAYER_MAX_DELAY_MS", "499")]).contains("499"));
        assert!(refused(&[("SQUALL_LAYER_MAX_PERCENT", "49")]).contains("49"));
        assert!(refused(&[("SQUALL_LAYER_MAX_MINUTES", "9")]).contains("9 minutes"));
        assert!(refused(&[("SQUALL_LAYER_KINDS", "error,hang")]).contains("does not allow latency"));
    }
}
