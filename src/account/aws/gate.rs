//! The last step before the network, below the SDK: a request that is signed too long ago is not sent, nor one that changes
//! something for a run that stopped meanwhile; and every answer tells the service's clock.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use super::call::{self, CONNECT_TIMEOUT};
use crate::account::gateway::{Gateway, NotSent};
use crate::clock::SIGNED_FOR;
use crate::env::Env;
use crate::units::Time;

/// An HTTP client with the gate before it.
#[derive(Clone)]
pub struct Gate {
    pub inner: SharedHttpClient,
    pub gateway: Arc<Gateway>,
    pub env: Arc<dyn Env>,
}

/// One connector of it.
#[derive(Clone)]
struct Gated {
    gate: Gate,
    inner: SharedHttpConnector,
}

/// [`Env`]'s clock as the SDK takes it, to sign with.
pub struct SigningClock(pub Arc<dyn Env>);

impl Gate {
    /// Whether a request may still be sent. One without a signature is none of AWS's services.
    fn lets_through(&self, request: &HttpRequest) -> Result<(), NotSent> {
        let Some(signed) = request.headers().get("x-amz-date").and_then(signed_at) else { return Ok(()) };
        let age = self.env.now().since(signed);
        // Connecting takes its time, too.
        if age > SIGNED_FOR - CONNECT_TIMEOUT {
            return Err(NotSent::Stale { age });
        }
        call::may_still_go(&self.gateway, &*self.env)
    }
}

impl HttpClient for Gate {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Gated { gate: self.clone(), inner: self.inner.http_connector(settings, parts) })
    }
}

impl HttpConnector for Gated {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if let Err(why) = self.gate.lets_through(&request) {
            return HttpConnectorFuture::ready(Err(ConnectorError::other(why.into(), None)));
        }
        let gate = self.gate.clone();
        let (signed, sent) = (request.headers().get("x-amz-date").is_some(), gate.env.now());
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            let date = answer.headers().get("date").and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
            if let Some(date) = date.filter(|_| signed) {
                gate.gateway.dated(date.timestamp().into(), sent, gate.env.now());
            }
            Ok(answer)
        })
    }
}

/// The time of a signature: `20260302T090000Z`.
fn signed_at(text: &str) -> Option<Time> {
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp().into())
}

impl TimeSource for SigningClock {
    fn now(&self) -> SystemTime {
        self.0.now().to_system()
    }
}

impl fmt::Debug for SigningClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningClock")
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

impl fmt::Debug for Gated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gated")
    }
}

const _: () = assert!(SIGNED_FOR.micros() > CONNECT_TIMEOUT.micros());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_says_when_it_was_made() {
        assert_eq!(signed_at("20260302T090001Z"), Some("2026-03-02T09:00:01Z".parse().unwrap()));
        assert_eq!(signed_at("yesterday"), None);
    }
}
