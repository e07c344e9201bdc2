//! Tokens: 256 random bits that name a person. Only their SHA-256 is kept, so a copy of the store opens nothing.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::{Person, PersonName, Role};
use crate::env::Env;
use crate::units::Time;

/// How every token begins, so that a leaked one is recognised.
pub const PREFIX: &str = "squall_";

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    pub name: PersonName,
    pub role: Role,
    pub hash: TokenHash,
    pub made: Time,
    pub made_by: String,
    /// From then on it opens nothing.
    pub expires: Option<Time>,
    /// Since then it opens nothing.
    pub revoked: Option<Time>,
}

/// The SHA-256 of a token's text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

impl TokenHash {
    /// Of a token's text.
    pub fn of(token: &str) -> TokenHash {
        TokenHash(Sha256::digest(token).into())
    }

    /// Whether they are equal, in a time that does not depend on where they differ.
    pub fn matches(&self, other: &TokenHash) -> bool {
        let differ = self.0.iter().zip(other.0).fold(0, |differ, (a, b)| std::hint::black_box(differ | (a ^ b)));
        differ == 0
    }
}

/// A new token: its text, which is shown once, and what is kept of it.
pub fn issue(env: &dyn Env) -> (String, TokenHash) {
    let mut text = PREFIX.to_owned();
    for _ in 0..4 {
        // Writing to a String does not fail.
        let _ = write!(text, "{:016x}", env.entropy());
    }
    let hash = TokenHash::of(&text);
    (text, hash)
}

impl TokenRow {
    /// Whether it opens anything at an instant.
    pub fn is_valid(&self, now: Time) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }
}

/// Whose token it is. Every row is looked at, whichever fits.
pub fn person(rows: &[TokenRow], token: &str, now: Time) -> Option<Person> {
    let hash = TokenHash::of(token);
    let mut found = None;
    for row in rows {
        if row.hash.matches(&hash) && row.is_valid(now) {
            found = Some(Person { name: row.name.clone(), role: row.role });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{FixedEnv, RealEnv};

    fn row(name: &str, hash: TokenHash) -> TokenRow {
        let (name, made_by) = (name.parse().unwrap(), "ana".to_owned());
        TokenRow { name, role: Role::Operator, hash, made: Time::EPOCH, made_by, expires: None, revoked: None }
    }

    #[test]
    fn a_token_has_256_random_bits_and_is_not_kept() {
        let (first, hash) = issue(&RealEnv);
        let (second, _) = issue(&RealEnv);
        assert_eq!(first.len(), PREFIX.len() + 64);
        assert_ne!(first, second);
        assert!(!format!("{:?}", row("ci", hash)).contains(&first[PREFIX.len()..]));
    }

    #[test]
    fn a_token_opens_until_it_expires_or_is_revoked() {
        let (text, hash) = issue(&FixedEnv::at(Time::EPOCH));
        let (_, other) = issue(&RealEnv);
        let mut rows = vec![row("other", other), row("ci", hash)];
        let at = |secs: i64| Time::from_micros(secs * 1_000_000);
        let name = |rows: &[TokenRow], secs| person(rows, &text, at(secs)).map(|person| person.name.to_string());
        assert_eq!(name(&rows, 5), Some("ci".into()));
        rows[1].expires = Some(at(10));
        assert_eq!((name(&rows, 9), name(&rows, 10)), (Some("ci".into()), None));
        (rows[1].expires, rows[1].revoked) = (None, Some(at(0)));
        assert_eq!(name(&rows, 5), None);
        for wrong in ["", PREFIX, &text[..70], &text.to_uppercase()] {
            assert_eq!(person(&rows, wrong, at(5)), None, "{wrong}");
        }
    }

    #[test]
    fn hashes_that_differ_in_any_bit_do_not_match() {
        let (_, hash) = issue(&RealEnv);
        assert!(hash.matches(&hash));
        for bit in 0..256 {
            let mut other = hash;
            other.0[bit / 8] ^= 1 << (bit % 8);
            assert!(!hash.matches(&other), "{bit}");
        }
    }
}
