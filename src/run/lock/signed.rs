//! Signatures of locks: which text is signed, and where the signature is.
//!
//! Invariant: what is signed is all that the lock says, in one form, whatever the order and the blanks in which it was found.

use super::text::{SIGNED, Written};
use crate::account::Mac;

/// The text that a signature is of: the lock in the format of signed ones, without a signature. `None`: it is no lock of a version that
/// can be signed.
fn content(text: &str) -> Option<(Written, String)> {
    let mut written: Written = serde_json::from_str(text).ok()?;
    (written.squall, written.mac) = (SIGNED, None);
    let content = serde_json::to_string(&written).ok()?;
    Some((written, content))
}

/// What is to be signed of a lock.
pub fn to_sign(text: &str) -> Option<String> {
    content(text).map(|(_, content)| content)
}

/// The lock with its signature.
pub fn signed(text: &str, mac: Mac) -> Option<String> {
    let (mut written, _) = content(text)?;
    written.mac = Some(mac);
    serde_json::to_string(&written).ok()
}

/// The signature of a lock, and what it has to be of. `None`: it is not signed.
pub fn signature(text: &str) -> Option<(String, Mac)> {
    let mac = serde_json::from_str::<Written>(text).ok()?.mac?;
    Some((to_sign(text)?, mac))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Location, Resource, ResourceKind};
    use crate::run::lock::Lock;

    const TEXT: &str = r#"{"squall":3,"run":"run-1","title":"t","by":"ana@laptop","made_at":"2026-03-02T09:00:00Z","latest_end":"2026-03-02T10:00:00Z","lease_seconds":180,"account":"sandbox:0","region":"sandbox","kind":"function","name":"pay","changes":[{"setting":{"kind":"reserved_concurrency"},"before":{"kind":"unset"},"after":{"kind":"number","number":0}}]}"#;

    fn mac(text: &str) -> Mac {
        Mac::of(b"secret", text)
    }

    #[test]
    fn a_signature_is_of_all_that_a_lock_says() {
        assert_eq!(signature(TEXT), None);
        let text = signed(TEXT, mac(&to_sign(TEXT).unwrap())).unwrap();
        let genuine = |text: &str| signature(text).is_some_and(|(content, code)| mac(&content) == code);
        assert!(genuine(&text));
        // Said in another order, it says the same.
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let reversed: serde_json::Map<_, _> = json.as_object().unwrap().clone().into_iter().rev().collect();
        assert!(genuine(&serde_json::to_string_pretty(&reversed).unwrap()));
        for (from, to) in [
            ("run-1", "run-2"),
            ("T10:00:00", "T11:00:00"),
            (r#""name":"pay""#, r#""name":"log""#),
            (r#"{"kind":"unset"}"#, r#"{"kind":"number","number":1}"#),
            (r#""number":0"#, r#""number":1"#),
            (r#""lease_seconds":180"#, r#""lease_seconds":181"#),
            ("sandbox:0", "sandbox:1"),
        ] {
            let forged = text.replacen(from, to, 1);
            assert!(forged != text && !genuine(&forged), "{from}");
        }
    }

    #[test]
    fn a_signed_lock_says_what_it_said_without() {
        let here = Location { account: "sandbox:0".parse().unwrap(), region: "sandbox".parse().unwrap() };
        let pay = Resource::new(&here, ResourceKind::Function, "pay");
        let text = signed(TEXT, mac("x")).unwrap();
        assert_eq!(Lock::parse(&pay, &text), Lock::parse(&pay, TEXT));
        assert!(Lock::parse(&pay, &text).is_ok());
    }
}
