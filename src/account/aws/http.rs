//! Plain HTTP requests: probes of an application, and load on its api. Through the SDK's own client.

use aws_smithy_http_client::default_connector;
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use crate::env::Env;
use crate::units::Span;

/// An answer with more is none: no probe needs to search a megabyte every minute.
const LONGEST_BODY: usize = 1 << 20;

/// A request as it will be made.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// `GET`.
    pub method: &'static str,
    pub url: &'a str,
    pub headers: Vec<(String, String)>,
    pub body: Option<&'a str>,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// Makes a request. Redirects are answers. An error says why there was none within the time-out; it holds no header, and of the
/// address neither user nor query, for a journal keeps it.
pub async fn ask(request: Request<'_>, timeout: Span) -> Result<Answer, String> {
    let url = without_secrets(request.url);
    match tokio::time::timeout(timeout.to_std(), exchange(request)).await {
        Ok(answer) => answer.map_err(|why| format!("{url}: {why}")),
        Err(_) => Err(format!("{url}: no answer within {timeout}")),
    }
}

/// An address without what may be secret: user and password, query, fragment.
pub fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = host.rsplit('@').next().unwrap_or_default();
    if scheme.is_empty() { format!("{host}{path}") } else { format!("{scheme}://{host}{path}") }
}

async fn exchange(request: Request<'_>) -> Result<Answer, String> {
    let mut made = HttpRequest::new(request.body.map_or_else(SdkBody::empty, SdkBody::from));
    made.set_method(request.method).map_err(|error| error.to_string())?;
    made.set_uri(request.url).map_err(|error| error.to_string())?;
    for (name, value) in request.headers {
        made.headers_mut().try_insert(name, value).map_err(|_| "a header cannot be sent".to_owned())?;
    }
    if let Some(body) = request.body {
        let length = made.headers_mut().try_insert("content-length", body.len().to_string());
        length.map_err(|error| error.to_string())?;
    }
    let connector = default_connector(&HttpConnectorSettings::default(), None).ok_or("there is no HTTP client")?;
    let response = connector.call(made).await.map_err(|error| error.into_source().to_string())?;
    let status = response.status().as_u16();
    let mut stream = ByteStream::new(response.into_body());
    let mut body = Vec::new();
    while let Some(bytes) = stream.try_next().await.map_err(|error| error.to_string())? {
        body.extend_from_slice(&bytes);
        if body.len() > LONGEST_BODY {
            return Err(format!("the answer has more than {LONGEST_BODY} bytes"));
        }
    }
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

/// Headers, and those whose values are in the environment. One that is not there is an error, not an empty header.
pub fn headers<'h>(
    plain: impl IntoIterator<Item = (&'h String, &'h String)>,
    from_env: impl IntoIterator<Item = (&'h String, &'h String)>,
    env: &dyn Env,
) -> Result<Vec<(String, String)>, String> {
    let plain = plain.into_iter().map(|(name, value)| Ok((name.clone(), value.clone())));
    let secret = from_env.into_iter().map(|(name, variable)| match env.var(variable) {
        Some(value) => Ok((name.clone(), value)),
        None => Err(format!("the environment has no {variable}, which supplies the header `{name}`")),
    });
    plain.chain(secret).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_what_may_be_secret() {
        for (url, kept) in [
            ("https://ana:hunter2@shop.example:8443/health?token=t#f", "https://shop.example:8443/health"),
            ("https://shop.example?token=a/b@c", "https://shop.example"),
            ("http://shop.example/a@b/c", "http://shop.example/a@b/c"),
            ("http://a:b@c@shop.example/", "http://shop.example/"),
        ] {
            assert_eq!(without_secrets(url), kept, "{url}");
        }
    }
}
