//! Which names the server answers to. A page of a stranger can make a browser ask a loopback address under a name of the
//! stranger's (DNS rebinding); such a request has that name in `Host`.

use std::net::SocketAddr;

use hyper::HeaderMap;
use hyper::header::{HOST, HeaderName, ORIGIN};

/// The names of a server, in lower case.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// Each with its port.
    exact: Vec<String>,
    /// With any port: a proxy may have another one than the server.
    named: Vec<String>,
}

impl Hosts {
    /// Those of an address, of loopback, and others that were listed.
    pub fn new(address: SocketAddr, listed: &[String]) -> Hosts {
        let port = address.port();
        let mut exact: Vec<String> =
            ["localhost", "127.0.0.1", "[::1]"].iter().map(|host| format!("{host}:{port}")).collect();
        exact.push(address.to_string());
        if port == 80 {
            exact.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
        }
        Hosts { exact, named: listed.iter().map(|host| host.to_ascii_lowercase()).collect() }
    }

    /// Whether an authority is one of the server's.
    fn allow(&self, authority: &str) -> bool {
        let authority = authority.to_ascii_lowercase();
        let name = match authority.rsplit_once(':') {
            Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => authority.as_str(),
        };
        self.exact.contains(&authority) || self.named.iter().any(|named| named == name)
    }

    /// Why a request is not for this server, if it is not. Its origin, where it has one, must be the server itself.
    pub fn why_not(&self, uri: &hyper::Uri, headers: &HeaderMap) -> Option<&'static str> {
        let Ok(Some(host)) = only(headers, HOST) else { return Some("the request must have one Host") };
        if !self.allow(host) || uri.authority().is_some_and(|authority| authority.as_str() != host) {
            return Some("this server has no such name; list it under `serve: hosts` in squall.yaml");
        }
        match only(headers, ORIGIN) {
            Ok(None) => None,
            Ok(Some(origin)) => {
                let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
                match authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host)) {
                    true => None,
                    false => Some("the request comes from a page of another origin"),
                }
            }
            Err(()) => Some("the request has several origins"),
        }
    }
}

/// A header's value, when it comes once at the most and is plain text.
pub fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(drop),
        (Some(_), Some(_)) => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why_not(uri: &str, headers: &[(HeaderName, &str)]) -> Option<&'static str> {
        let hosts = Hosts::new("127.0.0.1:7077".parse().unwrap(), &["Squall.example.com".into()]);
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        hosts.why_not(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn only_the_servers_own_names_are_answered() {
        for host in [
            "localhost:7077",
            "LOCALHOST:7077",
            "127.0.0.1:7077",
            "[::1]:7077",
            "squall.example.com",
            "squall.EXAMPLE.com:8443",
        ] {
            assert_eq!(why_not("/", &[(HOST, host)]), None, "{host}");
        }
        for host in [
            "evil.example",
            "localhost",
            "localhost:7078",
            "127.0.0.1",
            "127.0.0.1.evil.example:7077",
            "localhost:7077.evil.example",
            "squall.example.com.evil.example",
            "evil-squall.example.com",
            "squall.example.com:x",
            "",
            "[::1]",
            "0.0.0.0:7077",
            "localhost:7077@evil.example",
            "evil.example@localhost:7077",
        ] {
            assert!(why_not("/", &[(HOST, host)]).is_some(), "{host}");
        }
        assert!(why_not("/", &[]).is_some());
        assert!(why_not("http://evil.example/", &[(HOST, "localhost:7077")]).is_some());
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        let host = (HOST, "localhost:7077");
        assert_eq!(why_not("/", &[host.clone(), (ORIGIN, "http://localhost:7077")]), None);
        for origin in [
            "null",
            "http://evil.example",
            "http://localhost:8000",
            "localhost:7077",
            "http://127.0.0.1:7077",
            "file://localhost:7077",
        ] {
            assert!(why_not("/", &[host.clone(), (ORIGIN, origin)]).is_some(), "{origin}");
        }
        let mut twice: HeaderMap = [(HOST, "localhost:7077".parse().unwrap())].into_iter().collect();
        for origin in ["http://localhost:7077", "http://evil.example"] {
            twice.append(ORIGIN, origin.parse().unwrap());
        }
        let hosts = Hosts::new("127.0.0.1:7077".parse().unwrap(), &[]);
        assert!(hosts.why_not(&"/".parse().unwrap(), &twice).is_some());
    }
}
