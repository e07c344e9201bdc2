//! What the function's variables say. A variable that cannot be read switches the layer off: nothing is guessed.

use std::fmt::Display;
use std::str::FromStr;

/// The settings of the layer in one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Address and port of the Runtime API, or of the proxy before it: `SQUALL_LAYER_UPSTREAM`, else what the runtime would use.
    pub upstream: String,
    /// The port to listen on, `SQUALL_LAYER_PORT`; any free one when it is not set.
    pub port: u16,
    /// The name of the SSM parameter with the orders, `SQUALL_FAULTS_PARAM`.
    pub parameter: String,
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
        let port = number("SQUALL_LAYER_PORT", set("SQUALL_LAYER_PORT"), 0, 0..=u16::MAX)?;
        Ok(Settings { upstream, port, parameter })
    }
}

/// A number in a variable.
fn number<T: FromStr + PartialOrd + Display>(
    name: &str,
    value: Option<String>,
    default: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, Off> {
    let Some(value) = value else { return Ok(default) };
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| Off::Wrong(format!("{name} must be a number from {} to {}", range.start(), range.end())))
}
