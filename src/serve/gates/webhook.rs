//! A webhook whose signed reply means go.
//!
//! The request has a fresh nonce, signed as notifications are. The reply must be `{"nonce": ..., "go": true}`, and its signature must
//! cover it: a status of 2xx alone, an old reply, or our own request sent back is no go.

use serde::Deserialize;
use serde_json::json;

use super::Question;
use crate::channel::address::InnerAddress;
use crate::env::Env;
use crate::mac::Mac;
use crate::outside::one_line;
use crate::schedule::gates::GateWebhook;
use crate::serve::notify::{Request, exchange, signature};

/// The reply of a webhook.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    nonce: String,
    go: bool,
    /// Why there is no go.
    #[serde(default)]
    reason: String,
}

/// What the signature of a reply is over; a request's begins with digits, so that neither is ever taken for the other.
fn signed(body: &str) -> String {
    format!("reply.{body}")
}

/// Why there is no go, if there is none. It has neither the address nor the key in it.
pub fn closed(webhook: &GateWebhook, question: &Question, listed: &[InnerAddress], env: &dyn Env) -> Option<String> {
    let waiting = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match waiting {
        Ok(runtime) => runtime.block_on(ask(webhook, question, listed, env)).err(),
        Err(error) => Some(error.to_string()),
    }
}

async fn ask(webhook: &GateWebhook, question: &Question, listed: &[InnerAddress], env: &dyn Env) -> Result<(), String> {
    let variable = |name: &str| env.var(name).ok_or_else(|| format!("the environment has no {name}"));
    let (url, key) = (variable(&webhook.url_from_env)?, variable(&webhook.key_from_env)?);
    let nonce: String = (0..4).map(|_| format!("{:016x}", env.entropy())).collect();
    let Question { schedule, experiment, run, plan } = question;
    let body = json!({
        "format": 1, "nonce": nonce, "schedule": schedule, "experiment": experiment, "run": run.0, "plan": plan,
    })
    .to_string();
    let stamp = (env.now().micros() / 1_000_000).to_string();
    let headers = vec![
        ("squall-timestamp", stamp.clone()),
        ("squall-signature", format!("v1={}", signature(&key, &stamp, &body)?)),
    ];
    let asking = exchange(Request { url, body, headers }, listed);
    let reply = match tokio::time::timeout(webhook.timeout.to_std(), asking).await {
        Ok(reply) => reply?,
        Err(_) => return Err(format!("no reply within {}", webhook.timeout)),
    };
    judged(&reply.body, reply.signature.as_deref(), &key, &nonce)
}

/// Whether a reply is a go for this nonce.
fn judged(body: &str, said: Option<&str>, key: &str, nonce: &str) -> Result<(), String> {
    let said = said.and_then(|said| said.strip_prefix("v1=")).and_then(|said| said.parse::<Mac>().ok());
    let said = said.ok_or("the reply is not signed (`Squall-Signature: v1=HEX`)")?;
    let right = Mac::of(key.as_bytes(), &signed(body));
    // In a time that does not depend on where they differ.
    let differ = right.0.iter().zip(said.0).fold(0, |differ, (a, b)| std::hint::black_box(differ | (a ^ b)));
    if differ != 0 {
        return Err("the signature of the reply is wrong".into());
    }
    let answer: Answer = serde_json::from_str(body).map_err(|_| "the reply cannot be read".to_owned())?;
    match answer {
        Answer { nonce: other, .. } if other != nonce => Err("the reply is to another request".into()),
        Answer { go: true, .. } => Ok(()),
        Answer { reason, .. } if reason.is_empty() => Err("it says no".into()),
        Answer { reason, .. } => {
            Err(format!("it says no: {}", one_line(&reason).chars().take(200).collect::<String>()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(body: &str, key: &str) -> Result<(), String> {
        let signature = format!("v1={}", Mac::of(key.as_bytes(), &signed(body)));
        judged(body, Some(&signature), "secret", "n1")
    }

    #[test]
    fn only_a_signed_go_for_our_nonce_is_a_go() {
        assert_eq!(reply(r#"{"nonce":"n1","go":true}"#, "secret"), Ok(()));
        let why = |body: &str, key: &str| reply(body, key).unwrap_err();
        assert_eq!(why(r#"{"nonce":"n1","go":true}"#, "other"), "the signature of the reply is wrong");
        assert_eq!(why(r#"{"nonce":"n0","go":true}"#, "secret"), "the reply is to another request");
        assert_eq!(why(r#"{"nonce":"n1","go":false,"reason":"peak\nhours"}"#, "secret"), "it says no: peak hours");
        assert_eq!(why(r#"{"nonce":"n1","go":false}"#, "secret"), "it says no");
        for body in
            ["", "ok", r#"{"nonce":"n1"}"#, r#"{"nonce":"n1","go":"true"}"#, r#"{"nonce":"n1","go":true,"x":1}"#]
        {
            assert_eq!(why(body, "secret"), "the reply cannot be read", "{body}");
        }
        for said in [None, Some(""), Some("v1="), Some("v1=00")] {
            assert!(judged(r#"{"nonce":"n1","go":true}"#, said, "secret", "n1").unwrap_err().contains("not signed"));
        }
    }

    #[test]
    fn a_request_sent_back_is_no_go() {
        let body = r#"{"nonce":"n1","go":true}"#;
        // Even with a body that reads as a go, the signature of a request does not fit a reply.
        let as_request = format!("v1={}", signature("secret", "1767225600", body).unwrap());
        assert!(judged(body, Some(&as_request), "secret", "n1").is_err());
    }
}
