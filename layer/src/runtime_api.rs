//! The calls of the Runtime API, as far as a fault needs to tell them apart.

use crate::head::Head;

/// A request of the runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// It waits for the next invocation.
    Next,
    /// It answers the invocation with this id.
    Response(String),
    /// It reports that the invocation with this id failed.
    Error(String),
    /// Anything else, of any API at this address: errors of the initialisation, SnapStart's calls, the Extensions API, and
    /// what AWS adds after this was written.
    Other,
}

/// Which call a request is. The version in the path may be any.
pub fn call(head: &Head) -> Call {
    let mut parts = head.path().split('/').skip(2);
    match (head.method(), [parts.next(), parts.next(), parts.next(), parts.next(), parts.next()]) {
        ("GET", [Some("runtime"), Some("invocation"), Some("next"), None, _]) => Call::Next,
        ("POST", [Some("runtime"), Some("invocation"), Some(id), Some("response"), None]) => Call::Response(id.into()),
        ("POST", [Some("runtime"), Some("invocation"), Some(id), Some("error"), None]) => Call::Error(id.into()),
        _ => Call::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_apart() {
        let of = |line: &str| call(&Head::read(format!("{line} HTTP/1.1\r\n\r\n").as_bytes()).unwrap());
        assert_eq!(of("GET /2018-06-01/runtime/invocation/next"), Call::Next);
        assert_eq!(of("GET /2030-01-01/runtime/invocation/next?x=y"), Call::Next);
        assert_eq!(of("POST /2018-06-01/runtime/invocation/7-a/response"), Call::Response("7-a".into()));
        assert_eq!(of("POST /2018-06-01/runtime/invocation/7-a/error"), Call::Error("7-a".into()));
        for other in [
            "POST /2018-06-01/runtime/init/error",
            "GET /2018-06-01/runtime/restore/next",
            "POST /2018-06-01/runtime/restore/error",
            "POST /2020-01-01/extension/register",
            "PUT /2022-07-01/telemetry",
            "POST /2018-06-01/runtime/invocation/next",
            "GET /2018-06-01/runtime/invocation/7/response",
            "POST /2018-06-01/runtime/invocation/7/response/more",
            "GET /",
        ] {
            assert_eq!(of(other), Call::Other, "{other}");
        }
    }
}
