//! Heads of HTTP/1.1 messages: read as far as a proxy must, and otherwise passed on byte for byte.

use crate::body::Body;

/// A head longer than this is not read; the connection becomes a tunnel. The longest that AWS documents has an X-Ray cause
/// of up to 1 MB in a header.
pub const LONGEST_HEAD: usize = 2 << 20;

/// The head of a request or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    bytes: Vec<u8>,
    first_line: String,
    headers: Vec<(String, String)>,
}

/// How many bytes the head takes at the beginning of `data`, with its empty line; `None` while it is not complete.
pub fn length(data: &[u8]) -> Option<usize> {
    let mut line_start = 0;
    for (at, _) in data.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        let line = data.get(line_start..at).unwrap_or_default();
        if (line.is_empty() || line == b"\r") && line_start > 0 {
            return Some(at + 1);
        }
        line_start = at + 1;
    }
    None
}

impl Head {
    /// Reads a complete head; `None` if it is not one of HTTP/1.
    pub fn read(bytes: &[u8]) -> Option<Head> {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let first_line = lines.next()?.to_owned();
        first_line.split(' ').find(|word| matches!(*word, "HTTP/1.1" | "HTTP/1.0"))?;
        let mut headers = Vec::new();
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            if name.is_empty() || name.contains([' ', '\t']) {
                return None;
            }
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Some(Head { bytes: bytes.to_vec(), first_line, headers })
    }

    /// The bytes as they came.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The bytes as they came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The value of a header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The method of a request.
    pub fn method(&self) -> &str {
        self.first_line.split(' ').next().unwrap_or_default()
    }

    /// The path of a request, without its query.
    pub fn path(&self) -> &str {
        let target = self.first_line.split(' ').nth(1).unwrap_or_default();
        target.split('?').next().unwrap_or_default()
    }

    /// The status of a response.
    pub fn status(&self) -> Option<u16> {
        self.first_line.split(' ').nth(1)?.parse().ok()
    }

    /// Whether the sender closes the connection after this message.
    pub fn closes(&self) -> bool {
        let says = |word: &str| {
            let value = self.header("connection").unwrap_or_default();
            value.split(',').any(|option| option.trim().eq_ignore_ascii_case(word))
        };
        match self.first_line.split(' ').any(|word| word == "HTTP/1.0") {
            true => !says("keep-alive"),
            false => says("close"),
        }
    }

    /// Whether the sender of a request waits for `100 Continue` before its body, as curl does with a large one.
    pub fn expects_continue(&self) -> bool {
        self.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }

    /// The same head without a header, named in lower case.
    pub fn without(&self, name: &str) -> Vec<u8> {
        let mut kept = Vec::with_capacity(self.bytes.len());
        for line in self.bytes.split_inclusive(|byte| *byte == b'\n') {
            let named = line.split(|byte| *byte == b':').next().unwrap_or_default();
            if !named.eq_ignore_ascii_case(name.as_bytes()) {
                kept.extend_from_slice(line);
            }
        }
        kept
    }

    /// The body that follows this head of a request; `None` if its length cannot be told.
    pub fn request_body(&self) -> Option<Body> {
        self.framed().map(|body| body.unwrap_or(Body::none()))
    }

    /// The body that follows this head of a response to a request with `method`; `None` if its length cannot be told.
    pub fn response_body(&self, method: &str) -> Option<Body> {
        let status = self.status()?;
        if method == "HEAD" || status == 204 || status == 304 || (100..200).contains(&status) {
            return Some(Body::none());
        }
        self.framed().map(|body| body.unwrap_or(Body::until_close()))
    }

    /// What the headers say about the body: nothing, a length, or chunks. `None` where they contradict each other.
    fn framed(&self) -> Option<Option<Body>> {
        let coding = self.header("transfer-encoding");
        if let Some(coding) = coding {
            let last = coding.rsplit(',').next().unwrap_or_default().trim();
            return last.eq_ignore_ascii_case("chunked").then(|| Some(Body::chunked()));
        }
        let mut lengths = self.headers.iter().filter(|(name, _)| name == "content-length").map(|(_, value)| value);
        let Some(first) = lengths.next() else { return Some(None) };
        if lengths.any(|other| other != first) || !first.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        first.parse().ok().map(|length| Some(Body::of_length(length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_at_its_empty_line() {
        assert_eq!(length(b"GET / HTTP/1.1\r\nA: b\r\n\r\nrest"), Some(24));
        assert_eq!(length(b"GET / HTTP/1.1\nA: b\n\nrest"), Some(21));
        assert_eq!(length(b"GET / HTTP/1.1\r\nA: b\r\n\r"), None);
        assert_eq!(length(b""), None);
    }

    #[test]
    fn names_of_headers_have_no_case_and_the_bytes_keep_theirs() {
        let bytes = b"HTTP/1.1 200 OK\r\nLAMBDA-Runtime-aws-request-id: 7\r\ncontent-LENGTH: 3\r\n\r\n";
        let head = Head::read(bytes).unwrap();
        assert_eq!(head.header("lambda-runtime-aws-request-id"), Some("7"));
        assert_eq!((head.status(), head.bytes()), (Some(200), &bytes[..]));
        assert_eq!(head.response_body("GET"), Some(Body::of_length(3)));
    }

    #[test]
    fn a_body_that_cannot_be_told_is_not_guessed() {
        let head = |headers: &str| Head::read(format!("POST /x HTTP/1.1\r\n{headers}\r\n").as_bytes()).unwrap();
        assert_eq!(head("").request_body(), Some(Body::none()));
        assert_eq!(head("Content-Length: 3\r\nContent-Length: 3\r\n").request_body(), Some(Body::of_length(3)));
        assert_eq!(head("Content-Length: 3\r\nContent-Length: 4\r\n").request_body(), None);
        assert_eq!(head("Content-Length: +3\r\n").request_body(), None);
        assert_eq!(
            head("Transfer-Encoding: gzip, Chunked\r\nContent-Length: 4\r\n").request_body(),
            Some(Body::chunked())
        );
        assert_eq!(head("Transfer-Encoding: gzip\r\n").request_body(), None);
    }

    #[test]
    fn other_protocols_are_not_read() {
        for bytes in [
            "PRI * HTTP/2.0\r\n\r\n",
            "hello\r\n\r\n",
            "GET / HTTP/1.1\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\na b: c\r\n\r\n",
        ] {
            assert_eq!(Head::read(bytes.as_bytes()), None, "{bytes}");
        }
    }

    #[test]
    fn one_header_can_be_taken_out() {
        let head = Head::read(b"POST /x HTTP/1.1\r\nHost: a\r\nEXPECT: 100-continue\r\nB: c\r\n\r\n").unwrap();
        assert!(head.expects_continue());
        assert_eq!(head.without("expect"), b"POST /x HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n");
    }
}
