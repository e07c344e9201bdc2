//! Signatures of locks: message authentication codes, and the KMS keys that make them.

use std::fmt;
use std::str::FromStr;

use hmac::digest::Key;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::location::Region;

/// The ARN of a KMS key of the spec `HMAC_256`. It says the region in which the key is, which need not be the account's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MarkKey {
    arn: String,
    region: Region,
}

impl MarkKey {
    /// As the regular expression of the ARN, for schemas.
    pub const PATTERN: &str = "^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$";

    /// Where the key is.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The whole ARN.
    pub fn as_str(&self) -> &str {
        &self.arn
    }
}

impl FromStr for MarkKey {
    type Err = String;

    fn from_str(text: &str) -> Result<MarkKey, String> {
        let wrong = || "not the ARN of a KMS key, such as `arn:aws:kms:eu-west-1:111122223333:key/1234abcd`".to_owned();
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, "kms", region, account, key] = parts[..] else { return Err(wrong()) };
        let of = |text: &str, allowed: fn(char) -> bool| !text.is_empty() && text.chars().all(allowed);
        let id = key.strip_prefix("key/").unwrap_or_default();
        let fits = of(partition, |c| c.is_ascii_lowercase() || c == '-')
            && of(region, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && account.len() == 12
            && of(account, |c| c.is_ascii_digit())
            && of(id, |c| c.is_ascii_alphanumeric() || c == '-');
        let region = region.parse().map_err(|_| wrong())?;
        if fits { Ok(MarkKey { arn: text.to_owned(), region }) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for MarkKey {
    type Error = String;

    fn try_from(text: String) -> Result<MarkKey, String> {
        text.parse()
    }
}

impl From<MarkKey> for String {
    fn from(key: MarkKey) -> String {
        key.arn
    }
}

impl fmt::Display for MarkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

/// A message authentication code of HMAC with SHA-256. As text: 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 32]);

impl Mac {
    /// The code of a text under a secret (RFC 2104).
    pub fn of(secret: &[u8], text: &str) -> Mac {
        // A key of a whole block, which is never refused: a shorter one is filled up, of a longer one the digest counts.
        let mut key = Key::<Hmac<Sha256>>::default();
        match secret.len() > key.len() {
            true => key[..32].copy_from_slice(&Sha256::digest(secret)),
            false => key[..secret.len()].copy_from_slice(secret),
        }
        Mac(Hmac::<Sha256>::new(&key).chain_update(text).finalize().into_bytes().into())
    }
}

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Mac, String> {
        let wrong = || "not 64 hexadecimal digits".to_owned();
        let digits: Vec<u8> =
            text.chars().filter_map(|c| c.to_digit(16)).filter_map(|d| u8::try_from(d).ok()).collect();
        if digits.len() != 64 || text.len() != 64 {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
        }
        Ok(Mac(bytes))
    }
}

impl TryFrom<String> for Mac {
    type Error = String;

    fn try_from(text: String) -> Result<Mac, String> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> String {
        mac.to_string()
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test cases 2 and 6 of RFC 4231: a short key, and one that is longer than a block.
    #[test]
    fn the_code_is_that_of_the_standard() {
        let short = Mac::of(b"Jefe", "what do ya want for nothing?");
        assert_eq!(short.to_string(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = Mac::of(&[0xaa; 131], "Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(long.to_string(), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
        assert_eq!(short.to_string().parse(), Ok(short));
        for wrong in ["", "5b", &"g".repeat(64), &"é".repeat(32)] {
            assert!(wrong.parse::<Mac>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_named_by_its_whole_arn() {
        let key: MarkKey = "arn:aws:kms:eu-west-1:111122223333:key/mrk-1a".parse().unwrap();
        assert_eq!(key.region().as_str(), "eu-west-1");
        for wrong in [
            "",
            "alias/squall",
            "arn:aws:kms:eu-west-1:111122223333:alias/squall",
            "arn:aws:kms:eu-west-1:1111:key/1",
            "arn:aws:s3:eu-west-1:111122223333:key/1",
            "arn:aws:kms:eu-west-1:111122223333:key/",
            "arn:aws:kms:eu-west-1:111122223333:key/1:2",
        ] {
            assert!(wrong.parse::<MarkKey>().is_err(), "{wrong}");
        }
    }
}
