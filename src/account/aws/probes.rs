//! Probes: numbers from elsewhere than the services' own metrics. `squall.yaml` has them, by name.
//!
//! Each is a task of its own with a time-out, so that none of them delays another call.

use super::http::{self, Request};
use super::session::Session;
use super::{command, metrics};
use crate::account::{CallError, Resource, Sample, Window};
use crate::env::Env;
use crate::project::probe::{HttpProbe, Method, ProbeSpec, PrometheusProbe};
use crate::units::Span;

/// A request and a command are of now; they stand for a window that ended no longer ago than this.
const FRESH: Span = Span::from_secs(60);

/// Whether a probe is there.
pub fn find<'a>(session: &'a Session, probe: &Resource) -> Result<&'a ProbeSpec, CallError> {
    session.config.probes.get(&probe.name).ok_or_else(|| CallError::Gone(probe.to_string()))
}

/// The value of a probe for a window.
pub async fn measure(session: &Session, probe: &Resource, window: Window) -> Result<Sample, CallError> {
    let env = &*session.caller.env;
    let late = session.caller.gateway.now().since(window.to) > FRESH;
    let failed = |why: String| CallError::Unknown(format!("{probe}: {why}"));
    let value = match find(session, probe)? {
        ProbeSpec::Http(_) | ProbeSpec::Command(_) if late => None,
        ProbeSpec::Http(http) => Some(self::http(http, env).await.map_err(failed)?),
        ProbeSpec::Command(command) => Some(command::run(command, window, env).await.map_err(failed)?),
        ProbeSpec::Prometheus(prometheus) => self::prometheus(prometheus, window, env).await.map_err(failed)?,
        ProbeSpec::Logs(logs) => super::logs::query(session, logs, window).await?,
        ProbeSpec::MetricMath(math) => metrics::math(session, probe, math, window).await?,
    };
    Ok(Sample { value, of: None })
}

/// 1 when the answer came in time and was the expected one, 0 otherwise: a user without an answer is not served.
async fn http(probe: &HttpProbe, env: &dyn Env) -> Result<f64, String> {
    let method = match probe.method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
    };
    let headers = http::headers(&probe.headers, &probe.headers_from_env, env)?;
    let request = Request { method, url: &probe.url.0, headers, body: probe.body.as_deref() };
    let expected = http::ask(request, probe.timeout).await.is_ok_and(|answer| {
        let status = u32::from(answer.status);
        probe.status.map_or((200..300).contains(&status), |wanted| wanted == status)
            && probe.contains.as_ref().is_none_or(|text| answer.body.contains(text.as_str()))
    });
    Ok(f64::from(u8::from(expected)))
}

/// The value of an instant query at the window's end.
async fn prometheus(probe: &PrometheusProbe, window: Window, env: &dyn Env) -> Result<Option<f64>, String> {
    let seconds = window.to.since(window.from).micros() / 1_000_000;
    let query = probe.query.replace("$window", &format!("{seconds}s"));
    let (server, time) = (probe.url.0.trim_end_matches('/'), window.to.micros() / 1_000_000);
    let url = format!("{server}/api/v1/query?time={time}&query={}", percent_encoded(&query));
    let headers = http::headers([], &probe.headers_from_env, env)?;
    let answer = http::ask(Request { method: "GET", url: &url, headers, body: None }, probe.timeout).await?;
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    match (answer.status, json["error"].as_str()) {
        (200, _) => only_value(&json["data"]),
        (status, error) => {
            let server = http::without_secrets(server);
            Err(format!("{server} answers {status} {}", error.unwrap_or_default()))
        }
    }
}

/// A scalar is its own value; a vector's is that of its only series. What is no number (NaN, no series) is no value.
fn only_value(data: &serde_json::Value) -> Result<Option<f64>, String> {
    let pair = match data["resultType"].as_str() {
        Some("scalar") => &data["result"],
        Some("vector") => match data["result"].as_array().map(Vec::as_slice) {
            Some([]) => return Ok(None),
            Some([one]) => &one["value"],
            _ => return Err("the query returns several series; reduce them to one, for example with `sum(...)`".into()),
        },
        other => {
            return Err(format!("the query returns {}, not a vector or a scalar", other.unwrap_or("nothing known")));
        }
    };
    let value = pair[1].as_str().and_then(|text| text.parse().ok());
    Ok(value.filter(|value: &f64| value.is_finite()))
}

fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encoded = text.bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn prometheus_answers_a_scalar_or_a_vector_of_one() {
        let series = |value: &str| json!({ "metric": {}, "value": [1.5, value] });
        let vector = |series: &[serde_json::Value]| json!({ "resultType": "vector", "result": series });
        assert_eq!(only_value(&vector(&[series("0.25")])), Ok(Some(0.25)));
        assert_eq!(only_value(&vector(&[series("NaN")])), Ok(None));
        assert_eq!(only_value(&vector(&[])), Ok(None));
        assert_eq!(only_value(&json!({ "resultType": "scalar", "result": [1.5, "3"] })), Ok(Some(3.0)));
        assert!(only_value(&vector(&[series("1"), series("2")])).is_err());
        assert!(only_value(&json!({ "resultType": "matrix", "result": [] })).is_err());
        assert!(only_value(&json!(null)).is_err());
    }

    #[test]
    fn a_query_is_encoded() {
        assert_eq!(percent_encoded("rate(x[5m]) > 1"), "rate%28x%5B5m%5D%29%20%3E%201");
    }
}
