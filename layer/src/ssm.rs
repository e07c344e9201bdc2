//! Reads the parameter with the orders: one signed `GetParameter`, over TLS, with a time-out.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
use serde::Deserialize;
use serde_json::json;

use crate::date;
use crate::faults::Fetched;
use crate::head::{self, Head};
use crate::settings::Settings;
use crate::sigv4::{Credentials, Scope, authorization};

/// A read takes no longer.
const TIME_OUT: Duration = Duration::from_secs(2);

/// No reply is longer: a parameter of 8 KB in JSON, with every character escaped, and what is around it.
const LONGEST_REPLY: usize = 64 << 10;

/// A way to read one parameter.
pub struct Ssm {
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    region: String,
    parameter: String,
    credentials: Credentials,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(rename = "Parameter")]
    parameter: Parameter,
}

#[derive(Deserialize)]
struct Parameter {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Value")]
    value: String,
}

#[derive(Deserialize)]
struct Refused {
    #[serde(rename = "__type", default)]
    kind: String,
}

impl Ssm {
    /// The way that a function's variables describe; credentials are those that Lambda gives it.
    pub fn new(settings: &Settings, variable: impl Fn(&str) -> Option<String>) -> Result<Ssm, String> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty()).ok_or(format!("{name} is not set"));
        let credentials = Credentials {
            id: set("AWS_ACCESS_KEY_ID")?,
            secret: set("AWS_SECRET_ACCESS_KEY")?,
            token: set("AWS_SESSION_TOKEN").ok(),
        };
        let region = settings.function.region.clone();
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let endpoint = settings.endpoint.clone().unwrap_or_else(|| format!("https://ssm.{region}.{suffix}"));
        let (scheme, rest) = endpoint.split_once("://").ok_or_else(|| format!("{endpoint} is no endpoint"))?;
        let authority = rest.split('/').next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| format!("{endpoint} is no endpoint"))?),
            None => (authority, if scheme == "https" { 443 } else { 80 }),
        };
        let tls = match scheme {
            "https" => Some(Arc::new(tls()?)),
            "http" => None,
            _ => return Err(format!("{endpoint} is no endpoint")),
        };
        Ok(Ssm { host: host.into(), port, tls, region, parameter: settings.parameter.clone(), credentials })
    }

    /// Reads the parameter with a request that is signed for a time, in milliseconds since 1970.
    pub fn fetch(&self, wall: i64) -> Result<Fetched, String> {
        let request = self.request(wall);
        let reply = self.exchange(&request).map_err(|error| format!("SSM cannot be reached: {error}"))?;
        fetched(&reply, &self.parameter)
    }

    fn authority(&self) -> String {
        match (self.port, &self.tls) {
            (443, Some(_)) | (80, None) => self.host.clone(),
            (port, _) => format!("{}:{port}", self.host),
        }
    }

    fn request(&self, wall: i64) -> Vec<u8> {
        let body = json!({ "Name": self.parameter }).to_string();
        let (host, time) = (self.authority(), date::amz(wall));
        let mut headers = vec![
            ("content-type", "application/x-amz-json-1.1"),
            ("host", host.as_str()),
            ("x-amz-date", time.as_str()),
        ];
        if let Some(token) = &self.credentials.token {
            headers.push(("x-amz-security-token", token));
        }
        headers.push(("x-amz-target", "AmazonSSM.GetParameter"));
        let scope = Scope { region: &self.region, service: "ssm", wall };
        let authorization = authorization(&self.credentials, &scope, &headers, body.as_bytes());
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        format!(
            "POST / HTTP/1.1\r\n{lines}authorization: {authorization}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }

    fn exchange(&self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        let end = Instant::now() + TIME_OUT;
        let mut addresses = (self.host.as_str(), self.port).to_socket_addrs()?;
        let address = addresses.next().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
        let mut socket = TcpStream::connect_timeout(&address, left(end)?)?;
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(left(end)?))?;
        match &self.tls {
            None => read_all(&mut socket, request, end, |socket| socket),
            Some(config) => {
                let name = ServerName::try_from(self.host.clone()).map_err(std::io::Error::other)?;
                let mut session = ClientConnection::new(config.clone(), name).map_err(std::io::Error::other)?;
                socket.set_read_timeout(Some(left(end)?))?;
                let mut stream = Stream::new(&mut session, &mut socket);
                read_all(&mut stream, request, end, |stream| &mut *stream.sock)
            }
        }
    }
}

/// TLS as AWS speaks it, with Mozilla's roots.
fn tls() -> Result<ClientConfig, String> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config =
        builder.map_err(|error| format!("TLS: {error}"))?.with_root_certificates(roots).with_no_client_auth();
    // One server: a further read resumes the session, and spares the function the work of a handshake.
    config.resumption = rustls::client::Resumption::in_memory_sessions(1);
    Ok(config)
}

/// The time that is left, or an error when none is.
fn left(end: Instant) -> std::io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(std::io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Sends a request and reads the reply until the connection ends or the reply is whole.
fn read_all<S: Read + Write>(
    stream: &mut S,
    request: &[u8],
    end: Instant,
    socket: impl Fn(&mut S) -> &mut TcpStream,
) -> std::io::Result<Vec<u8>> {
    stream.write_all(request)?;
    let (mut reply, mut piece) = (Vec::new(), [0; 4096]);
    while content(&reply).is_none() {
        socket(stream).set_read_timeout(Some(left(end)?))?;
        let read = stream.read(&mut piece)?;
        reply.extend_from_slice(piece.get(..read).unwrap_or_default());
        if reply.len() > LONGEST_REPLY {
            return Err(std::io::Error::other("the reply is too long"));
        }
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(reply)
}

/// Head and content of a reply that is whole.
fn content(reply: &[u8]) -> Option<(Head, Vec<u8>)> {
    let length = head::length(reply)?;
    let head = Head::read(reply.get(..length)?)?;
    let mut body = head.response_body("POST")?;
    let mut content = Vec::new();
    body.take(reply.get(length..)?, |bytes| content.extend_from_slice(bytes)).ok()?;
    body.is_done().then_some((head, content))
}

/// What a reply says. A reply without a date counts as unreadable: the end of an order is counted from it.
fn fetched(reply: &[u8], parameter: &str) -> Result<Fetched, String> {
    let (head, body) = content(reply).ok_or("SSM's reply cannot be read")?;
    let status = head.status().unwrap_or_default();
    if status != 200 {
        let refused: Option<Refused> = serde_json::from_slice(&body).ok();
        let kind = refused.map(|refused| refused.kind).unwrap_or_default();
        let kind: String = kind.chars().filter(|c| c.is_ascii_alphanumeric() || ".#".contains(*c)).take(80).collect();
        return Err(format!("SSM refuses to read {parameter}: {status} {kind}"));
    }
    let dated = head.header("date").and_then(date::http).ok_or("SSM's reply has no date")?;
    let reply: Reply = serde_json::from_slice(&body).map_err(|error| format!("SSM's reply cannot be read: {error}"))?;
    if reply.parameter.kind != "String" {
        let kind: String = reply.parameter.kind.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
        return Err(format!("{parameter} is a {kind}; orders are read from a String, for they are no secret"));
    }
    Ok(Fetched { text: reply.parameter.value, dated })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: &str, headers: &str, body: &str) -> Result<String, String> {
        let reply = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len());
        fetched(reply.as_bytes(), "/faults").map(|fetched| format!("{} {}", fetched.dated, fetched.text))
    }

    #[test]
    fn only_a_dated_plain_parameter_is_read() {
        const DATE: &str = "date: Sun, 30 Aug 2015 12:36:00 GMT\r\n";
        let parameter = |kind: &str| {
            format!(r#"{{"Parameter": {{"Name": "/faults", "Type": "{kind}", "Value": "{{}}", "Version": 3}}}}"#)
        };
        assert_eq!(reply("200 OK", DATE, &parameter("String")), Ok("1440938160000 {}".into()));
        let refused = |status, headers, body: &str| reply(status, headers, body).unwrap_err();
        assert!(refused("200 OK", DATE, &parameter("SecureString")).contains("is a SecureString"));
        assert!(refused("200 OK", "", &parameter("String")).contains("no date"));
        assert!(refused("200 OK", DATE, "{}").contains("cannot be read"));
        let denied = refused("400 Bad Request", DATE, r#"{"__type": "AccessDenied\nException", "message": "x"}"#);
        assert_eq!(denied, "SSM refuses to read /faults: 400 AccessDeniedException");
        assert!(fetched(b"HTTP/1.1 200 OK\r\n", "/faults").is_err());
    }
}
