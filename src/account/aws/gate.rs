//! The last step before the network, below the SDK: a request that changes something is not sent when its signature is too old, or
//! when its run stopped meanwhile; and every answer tells the service's clock.

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

use super::call;
use crate::account::gateway::Gateway;
use crate::env::Env;

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

impl HttpClient for Gate {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Gated { gate: self.clone(), inner: self.inner.http_connector(settings, parts) })
    }
}

impl HttpConnector for Gated {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if let Err(why) = call::may_still_go(&self.gate.gateway, &*self.gate.env) {
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
