//! A look into an event for the one value that an order asks about, without keeping the rest of it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::document::{Condition, Test};

/// What is at a place in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A text.
    Text(String),
    /// A number, `true`, `false` or `null`, as it is written.
    Plain(String),
    /// A list with so many items.
    List(usize),
    /// An object.
    Object,
}

/// What is at `path`; `None` if nothing is, or if the event is no JSON.
pub fn find(event: &[u8], path: &str) -> Option<Found> {
    let parts: Vec<&str> = path.split('.').collect();
    let mut deserializer = serde_json::Deserializer::from_slice(event);
    let found = Seek { rest: &parts, any_case: false }.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    found
}

/// Whether a condition is true of an event.
pub fn holds(event: &[u8], condition: &Condition) -> bool {
    let found = find(event, &condition.path);
    match (&condition.is, found) {
        (Test::Exists(exists), found) => *exists == found.is_some(),
        (Test::Equals(text), Some(Found::Text(found) | Found::Plain(found))) => found == *text,
        (Test::StartsWith(start), Some(Found::Text(found))) => found.starts_with(start),
        _ => false,
    }
}

/// The number of records in a batch, at least 1.
pub fn records(event: &[u8]) -> u64 {
    match find(event, "Records") {
        Some(Found::List(count)) => (count as u64).max(1),
        _ => 1,
    }
}

#[derive(Clone, Copy)]
struct Seek<'a> {
    rest: &'a [&'a str],
    /// Below `headers`, whose names have no case.
    any_case: bool,
}

impl Seek<'_> {
    fn plain(self, value: impl fmt::Display) -> Option<Found> {
        self.rest.is_empty().then(|| Found::Plain(value.to_string()))
    }
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Option<Found>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Found>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Option<Found>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Option<Found>, M::Error> {
        let Some((first, rest)) = self.rest.split_first() else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Some(Found::Object));
        };
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == *first || (self.any_case && key.eq_ignore_ascii_case(first)) {
                found = map.next_value_seed(Seek { rest, any_case: key == "headers" })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Option<Found>, S::Error> {
        let wanted = self.rest.split_first().and_then(|(first, rest)| Some((first.parse::<usize>().ok()?, rest)));
        let (mut found, mut count) = (None, 0);
        loop {
            match wanted {
                Some((index, rest)) if index == count => {
                    let Some(at) = seq.next_element_seed(Seek { rest, any_case: false })? else { break };
                    found = at;
                }
                _ if seq.next_element::<IgnoredAny>()?.is_none() => break,
                _ => (),
            }
            count += 1;
        }
        Ok(if self.rest.is_empty() { Some(Found::List(count)) } else { found })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<Found>, E> {
        Ok(self.rest.is_empty().then(|| Found::Text(text.to_owned())))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Option<Found>, E> {
        Ok(self.plain(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Option<Found>, E> {
        Ok(self.plain(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Option<Found>, E> {
        Ok(self.plain(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Option<Found>, E> {
        Ok(self.plain(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Option<Found>, E> {
        Ok(self.plain("null"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &[u8] = br#"{"headers": {"X-Chaos": "yes"}, "requestContext": {"http": {"path": "/orders"}}, "n": 7,
        "none": null, "Records": [{"body": "a"}, {"body": "b"}]}"#;

    #[test]
    fn values_are_found_by_their_paths() {
        let text = |text: &str| Some(Found::Text(text.into()));
        assert_eq!(find(EVENT, "requestContext.http.path"), text("/orders"));
        assert_eq!(find(EVENT, "headers.x-chaos"), text("yes"));
        assert_eq!(find(EVENT, "Records.1.body"), text("b"));
        assert_eq!(find(EVENT, "Records"), Some(Found::List(2)));
        assert_eq!(find(EVENT, "headers"), Some(Found::Object));
        assert_eq!(find(EVENT, "n"), Some(Found::Plain("7".into())));
        assert_eq!(find(EVENT, "none"), Some(Found::Plain("null".into())));
        for absent in ["", "REQUESTCONTEXT", "Records.2.body", "Records.x", "n.m", "requestContext.http.path.x"] {
            assert_eq!(find(EVENT, absent), None, "{absent}");
        }
        assert_eq!(
            (find(b"no json", "n"), find(b"{\"n\": 1} x", "n"), records(EVENT), records(b"{}")),
            (None, None, 2, 1)
        );
    }

    #[test]
    fn conditions_compare() {
        let holds = |path: &str, is: Test| holds(EVENT, &Condition { path: path.into(), is });
        assert!(holds("n", Test::Equals("7".into())) && !holds("n", Test::Equals("8".into())));
        assert!(holds("requestContext.http.path", Test::StartsWith("/ord".into())));
        assert!(!holds("n", Test::StartsWith("7".into())) && !holds("absent", Test::Equals(String::new())));
        assert!(holds("none", Test::Exists(true)) && holds("absent", Test::Exists(false)));
    }
}
