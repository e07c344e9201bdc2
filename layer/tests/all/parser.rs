//! Documents from anywhere: whatever the parameter holds, reading it ends well, and what is read is within its bounds.

use squall_layer::clock::Now;
use squall_layer::head::Head;
use squall_layer::orders::document::{Delay, Document, Fault, LONGEST_DELAY, MOST_ORDERS};
use squall_layer::orders::reading::Reading;

use crate::ends::Chance;

const SEEDS: [&str; 5] = [
    r#"{"version": 1, "latency": {"run": "r-1", "until": "2026-11-28T08:25:00Z", "share": 0.5, "seed": 7, "match": [{"path": "headers.x", "is": {"starts_with": "y"}}], "fault": {"latency": {"when": "after", "delay": {"lognormal": {"median_ms": 200, "sigma": 0.5}}, "per": "record"}}}}"#,
    r#"{"version": 1, "a": {"run": "r", "until": "2026-11-28T08:25:00Z", "fault": {"latency": {"delay": {"uniform": {"from_ms": 1, "to_ms": 900000}}}}}}"#,
    r#"{"version": 1, "error": {"run": "r", "until": "2026-11-28T08:25:00Z", "fault": {"error": {"when": "before", "type": "T", "message": "\u0000m"}}}}"#,
    r#"{"version": 1, "x": {"run": "r", "until": "9999-12-31T23:59:59Z", "fault": {"response": {"when": "after", "with": {"truncated": 18446744073709551615}}}}, "y": {"run": "r", "until": "1970-01-01T00:00:00Z", "fault": {"hang": {"answer": "past_deadline"}}}}"#,
    r#"{"version": 1, "s": {"run": "r", "until": "2026-11-28T08:25:00Z", "fault": {"response": {"with": {"status": 503}}}}}"#,
];

/// A sample with a few bytes changed, taken out, put in or repeated.
fn mutated(chance: &mut Chance) -> Vec<u8> {
    const TOKENS: [&str; 12] = ["{", "}", "[", "]", ",", ":", "\"", "-1", "1e400", "null", "\\ud800", "\"version\":1,"];
    let mut bytes = SEEDS[chance.below(SEEDS.len() as u64) as usize].as_bytes().to_vec();
    for _ in 0..=chance.below(2) {
        let at = chance.below(bytes.len() as u64 + 1) as usize;
        let to = (at + chance.below(30) as usize).min(bytes.len());
        match chance.below(7) {
            0 => drop(bytes.drain(at..to)),
            1 => bytes.insert(at, chance.below(256) as u8),
            2 => drop(bytes.splice(at..at, TOKENS[chance.below(12) as usize].bytes())),
            3 => drop(bytes.splice(at..at, bytes[at..to].to_vec())),
            4 | 5 => {
                let mut digits = bytes.iter_mut().filter(|byte| byte.is_ascii_digit());
                let digit = digits.nth(chance.below(20) as usize);
                digit.into_iter().for_each(|digit| *digit = b'0' + chance.below(10) as u8);
            }
            _ if at < bytes.len() => bytes[at] = chance.below(256) as u8,
            _ => (),
        }
    }
    bytes
}

/// A million with `SQUALL_LAYER_INPUTS=1000000`, which `./test.sh --long` sets.
#[test]
fn no_document_does_more_than_it_may() {
    let inputs = std::env::var("SQUALL_LAYER_INPUTS").map_or(20_000, |text| text.parse().unwrap());
    let (mut chance, mut read) = (Chance(1), 0);
    for _ in 0..inputs {
        let bytes = mutated(&mut chance);
        let _ = Head::read(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let Ok(document) = Document::read(&text) else { continue };
        read += 1;
        assert!(document.0.len() <= MOST_ORDERS);
        for order in document.0.values() {
            assert!(order.share > 0.0 && order.share <= 1.0, "{text}");
            if let Fault::Latency(latency) = &order.fault {
                let longest = match latency.delay {
                    Delay::Fixed { ms } | Delay::Lognormal { median_ms: ms, .. } => ms.0,
                    Delay::Uniform { from_ms, to_ms } => to_ms.0.max(from_ms.0),
                };
                assert!(longest <= LONGEST_DELAY, "{text}");
            }
        }
        let any = |chance: &mut Chance| chance.below(u64::MAX) as i64;
        let now = |chance: &mut Chance| Now { wall: any(chance), mono: any(chance) };
        let reading = Reading::new(document, now(&mut chance), any(&mut chance));
        reading.in_force(now(&mut chance)).count();
    }
    // Some of them are documents still: the bounds above were looked at.
    assert!(read > inputs / 20, "{read} of {inputs}");
}

/// squall's own tests write the same file.
#[test]
fn what_squall_writes_is_read() {
    let document = Document::read(include_str!("../orders/squall.json")).unwrap();
    let kinds: Vec<_> = document.0.iter().map(|(id, order)| (id.as_str(), order.fault.kind())).collect();
    assert_eq!(kinds, [("exception", "error"), ("hang", "hang"), ("latency", "latency"), ("response", "response")]);
}

#[test]
fn each_sample_is_read_and_each_mistake_is_named() {
    for text in SEEDS {
        Document::read(text).unwrap();
    }
    let wrong = |text: &str, why: &str| {
        let error = Document::read(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    };
    let order = |more: &str| {
        format!(
            r#"{{"version": 1, "o": {{"run": "r", "until": "2026-11-28T08:25:00Z", "fault": {{"hang": {{"answer": "past_deadline"}}}}{more}}}}}"#
        )
    };
    Document::read(&order("")).unwrap();
    Document::read("{}").unwrap();
    wrong("", "EOF");
    wrong("[]", "an object with `version` and orders");
    wrong(r#"{"version": 2}"#, "this layer reads version 1");
    wrong(r#"{"version": 1, "version": 1}"#, "written once");
    wrong(&order("").replace("\"version\": 1, ", ""), "missing field `version`");
    wrong(&order(", \"more\": 1"), "unknown field `more`");
    wrong(&order(", \"share\": 0"), "over 0 and up to 1");
    wrong(&order(", \"share\": 1.01"), "over 0 and up to 1");
    wrong(&order(", \"share\": \"1\""), "invalid type");
    wrong(&order("").replace("08:25:00Z", "08:25:00"), "written like");
    wrong(&order("").replace("\"r\"", "\"r r\""), "a name has letters");
    wrong(&order("").replace("\"o\":", "\"o\": 1, \"o\":"), "invalid type");
    wrong(&order("").replace("past_deadline", "never"), "unknown variant `never`");
    wrong(&order("").replace("hang", "disk"), "expected one of `latency`, `error`, `response`, `hang`");
    let latency = |delay: &str| {
        order("")
            .replace(r#"{"hang": {"answer": "past_deadline"}}"#, &format!(r#"{{"latency": {{"delay": {delay}}}}}"#))
    };
    wrong(&latency(r#"{"fixed": {"ms": 900001}}"#), "at most 900000 ms");
    wrong(&latency(r#"{"fixed": {"ms": -1}}"#), "invalid value");
    wrong(&latency(r#"{"fixed": {"ms": 1, "s": 2}}"#), "unknown field `s`");
    wrong(&latency(r#"{"uniform": {"from_ms": 2, "to_ms": 1}}"#), "order o: `from_ms` is more than `to_ms`");
    wrong(&latency(r#"{"lognormal": {"median_ms": 2, "sigma": 3.1}}"#), "from 0 to 3");
    let response = |with: &str| {
        order("").replace(r#"{"hang": {"answer": "past_deadline"}}"#, &format!(r#"{{"response": {{"with": {with}}}}}"#))
    };
    wrong(&response(r#"{"truncated": 1}"#), "only the handler's response");
    wrong(&response(r#"{"status": 199}"#), "from 200 to 599");
    wrong(&format!("{}{}", order(""), " ".repeat(8 << 10)), "bytes are more than 8192");
    let many: String = (0..17).map(|id| format!(r#", "o{id}": {{"run": "r", "until": "2026-11-28T08:25:00Z", "fault": {{"hang": {{"answer": "past_deadline"}}}}}}"#)).collect();
    wrong(&format!("{{\"version\": 1{many}}}"), "one of too many");
}
