//! Where a resource is: which account, and which region of it.
//!
//! Invariant: what outlives a process (a journal, a lock, a claim) names an account by its identity. The nicknames of
//! `squall.yaml` belong to one project of one person; two projects may use one nickname for two accounts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The number of an AWS account: twelve digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(String);

/// A part of AWS with accounts, regions and an IAM of its own
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    Commercial,
    China,
    GovCloud,
    EuropeanSovereign,
    Iso,
    IsoB,
    IsoE,
    IsoF,
}

/// Which account this is, the same on every machine and in every project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AccountIdentity {
    /// An account of AWS. `endpoint` is the host (and port) of what answers in place of AWS: emulators share one number.
    Aws { partition: Partition, id: AccountId, endpoint: Option<String> },
    /// A sandbox, by the random id in its file.
    Sandbox { id: String },
    /// Only a nickname is known: squall 0.1.0 wrote nothing else. It has to be resolved before anything is written.
    Nickname { name: String },
}

/// A region's name, such as `eu-west-1`. A sandbox has one region, named [`Region::SANDBOX`].
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

/// A region of an account: where a resource is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    pub account: AccountIdentity,
    pub region: Region,
}

/// A text that names no account or region.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct NotALocation {
    text: String,
    wanted: &'static str,
}

fn not(text: &str, wanted: &'static str) -> NotALocation {
    NotALocation { text: text.chars().take(80).collect(), wanted }
}

impl AccountId {
    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = NotALocation;

    fn from_str(text: &str) -> Result<AccountId, NotALocation> {
        match text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => Ok(AccountId(text.to_owned())),
            false => Err(not(text, "an account id: write its twelve digits")),
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Partition {
    /// Every partition, in the order of this file.
    pub const ALL: [Partition; 8] = [
        Partition::Commercial,
        Partition::China,
        Partition::GovCloud,
        Partition::EuropeanSovereign,
        Partition::Iso,
        Partition::IsoB,
        Partition::IsoE,
        Partition::IsoF,
    ];

    /// As ARNs have it: `aws`.
    pub const fn word(self) -> &'static str {
        match self {
            Partition::Commercial => "aws",
            Partition::China => "aws-cn",
            Partition::GovCloud => "aws-us-gov",
            Partition::EuropeanSovereign => "aws-eusc",
            Partition::Iso => "aws-iso",
            Partition::IsoB => "aws-iso-b",
            Partition::IsoE => "aws-iso-e",
            Partition::IsoF => "aws-iso-f",
        }
    }

    /// The one region in which IAM of the partition works; what is global has its lock there
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>, global services).
    pub const fn global_region(self) -> &'static str {
        match self {
            Partition::Commercial => "us-east-1",
            Partition::China => "cn-north-1",
            Partition::GovCloud => "us-gov-west-1",
            Partition::EuropeanSovereign => "eusc-de-east-1",
            Partition::Iso => "us-iso-east-1",
            Partition::IsoB => "us-isob-east-1",
            Partition::IsoE => "eu-isoe-west-1",
            Partition::IsoF => "us-isof-south-1",
        }
    }

    /// The partition that a region belongs to, by the beginning of its name.
    pub fn of_region(region: &str) -> Partition {
        const BEGINNINGS: [(&str, Partition); 7] = [
            ("cn-", Partition::China),
            ("us-gov-", Partition::GovCloud),
            ("eusc-", Partition::EuropeanSovereign),
            ("us-iso-", Partition::Iso),
            ("us-isob-", Partition::IsoB),
            ("eu-isoe-", Partition::IsoE),
            ("us-isof-", Partition::IsoF),
        ];
        let found = BEGINNINGS.into_iter().find(|(beginning, _)| region.starts_with(beginning));
        found.map_or(Partition::Commercial, |(_, partition)| partition)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Partition {
    type Err = NotALocation;

    fn from_str(text: &str) -> Result<Partition, NotALocation> {
        Partition::ALL.into_iter().find(|known| known.word() == text).ok_or_else(|| not(text, "a partition of AWS"))
    }
}

/// `aws:111122223333`, `aws:000000000000@localhost:4566`, `sandbox:5f3a9c0e12b4`; a nickname stands alone.
impl fmt::Display for AccountIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AccountIdentity::Aws { partition, id, endpoint: None } => write!(f, "{partition}:{id}"),
            AccountIdentity::Aws { partition, id, endpoint: Some(host) } => write!(f, "{partition}:{id}@{host}"),
            AccountIdentity::Sandbox { id } => write!(f, "sandbox:{id}"),
            AccountIdentity::Nickname { name } => f.write_str(name),
        }
    }
}

impl FromStr for AccountIdentity {
    type Err = NotALocation;

    fn from_str(text: &str) -> Result<AccountIdentity, NotALocation> {
        let refused = || not(text, "the identity of an account");
        let plain = |word: &str, more: &str| {
            !word.is_empty() && word.len() <= 253 && word.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        match text.split_once(':') {
            None if plain(text, "-_.") => Ok(AccountIdentity::Nickname { name: text.to_owned() }),
            None => Err(refused()),
            Some(("sandbox", id)) if plain(id, "") => Ok(AccountIdentity::Sandbox { id: id.to_owned() }),
            Some((partition, rest)) => {
                let partition = partition.parse().map_err(|_| refused())?;
                let (id, endpoint) = match rest.split_once('@') {
                    None => (rest, None),
                    Some((id, host)) if plain(host, "-.:[]") => (id, Some(host.to_owned())),
                    Some(_) => return Err(refused()),
                };
                Ok(AccountIdentity::Aws { partition, id: id.parse().map_err(|_| refused())?, endpoint })
            }
        }
    }
}

impl TryFrom<String> for AccountIdentity {
    type Error = NotALocation;

    fn try_from(text: String) -> Result<AccountIdentity, NotALocation> {
        text.parse()
    }
}

impl From<AccountIdentity> for String {
    fn from(identity: AccountIdentity) -> String {
        identity.to_string()
    }
}

impl AccountIdentity {
    /// The account's number; of a sandbox, the twelve zeros that its ARNs have.
    pub fn number(&self) -> &str {
        match self {
            AccountIdentity::Aws { id, .. } => id.as_str(),
            AccountIdentity::Sandbox { .. } => "000000000000",
            AccountIdentity::Nickname { .. } => "*",
        }
    }

    /// The partition of its ARNs.
    pub fn partition(&self) -> Partition {
        match self {
            AccountIdentity::Aws { partition, .. } => *partition,
            AccountIdentity::Sandbox { .. } | AccountIdentity::Nickname { .. } => Partition::Commercial,
        }
    }
}

impl Region {
    /// The region of a sandbox.
    pub const SANDBOX: &str = "sandbox";

    /// As AWS writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = NotALocation;

    fn from_str(text: &str) -> Result<Region, NotALocation> {
        let plain = text.len() <= 64 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        match plain {
            true => Ok(Region(text.to_owned())),
            false => Err(not(text, "the name of a region")),
        }
    }
}

impl TryFrom<String> for Region {
    type Error = NotALocation;

    fn try_from(text: String) -> Result<Region, NotALocation> {
        text.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> String {
        region.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Location {
    /// A region of an account of AWS, or of what answers in its place at `endpoint`: a URL, of which the host counts.
    pub fn of_aws(id: AccountId, region: Region, endpoint_url: Option<&str>) -> Location {
        let partition = Partition::of_region(region.as_str());
        let endpoint = endpoint_url.map(host_of).filter(|host| !is_of_aws(host));
        Location { account: AccountIdentity::Aws { partition, id, endpoint }, region }
    }

    /// A sandbox with this id: letters and digits.
    pub fn of_sandbox(id: impl Into<String>) -> Location {
        Location { account: AccountIdentity::Sandbox { id: id.into() }, region: Region(Region::SANDBOX.into()) }
    }

    /// The sandbox of a model that has no file: there is only one of it.
    pub fn sandbox() -> Location {
        Location::of_sandbox("model")
    }

    /// Whether an operator of the account may stop every experiment in it, by something in the account itself.
    pub fn may_be_halted(&self) -> bool {
        matches!(self.account, AccountIdentity::Aws { .. })
    }

    /// Where the account keeps what has no region of its own, such as roles.
    pub fn global(&self) -> Location {
        match &self.account {
            AccountIdentity::Aws { partition, .. } => {
                Location { account: self.account.clone(), region: Region(partition.global_region().into()) }
            }
            AccountIdentity::Sandbox { .. } | AccountIdentity::Nickname { .. } => self.clone(),
        }
    }

    /// Whether it is a sandbox: nothing in it is real.
    pub fn is_sandbox(&self) -> bool {
        // squall 0.1.0 knew the sandbox of a project without squall.yaml by this nickname.
        match &self.account {
            AccountIdentity::Sandbox { .. } => true,
            AccountIdentity::Nickname { name } => name == "sandbox",
            AccountIdentity::Aws { .. } => false,
        }
    }

    /// Whether it is what squall 0.1.0 wrote: a nickname.
    pub fn is_nickname(&self) -> bool {
        matches!(self.account, AccountIdentity::Nickname { .. })
    }
}

/// For people: `111122223333 in eu-west-1`, `000000000000 at localhost:4566 in us-east-1`, `sandbox`.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.account {
            AccountIdentity::Aws { id, endpoint: None, .. } => write!(f, "{id} in {}", self.region),
            AccountIdentity::Aws { id, endpoint: Some(host), .. } => write!(f, "{id} at {host} in {}", self.region),
            AccountIdentity::Sandbox { .. } => f.write_str("sandbox"),
            AccountIdentity::Nickname { name } => f.write_str(name),
        }
    }
}

/// Host and port of a URL, in small letters; what is no URL is taken whole.
fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit('@').next().unwrap_or(authority).to_ascii_lowercase()
}

/// Whether a host is AWS's own, such as a regional or a private endpoint.
fn is_of_aws(host: &str) -> bool {
    let name = host.split(':').next().unwrap_or(host);
    [".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".amazonaws.eu"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aws(id: &str, region: &str, endpoint: Option<&str>) -> Location {
        Location::of_aws(id.parse().unwrap(), region.parse().unwrap(), endpoint)
    }

    #[test]
    fn identities_are_read_back() {
        for text in [
            "aws:111122223333",
            "aws-cn:111122223333",
            "aws:000000000000@localhost:4566",
            "sandbox:5f3a9c0e12b4",
            "staging",
        ] {
            let identity: AccountIdentity = text.parse().unwrap();
            assert_eq!(identity.to_string(), text);
            let json = serde_json::to_string(&identity).unwrap();
            assert_eq!(serde_json::from_str::<AccountIdentity>(&json).unwrap(), identity);
        }
        for text in
            ["", "aws:1", "aws:11112222333x", "mars:111122223333", "sandbox:", "a b", "aws:111122223333@", "x\u{1b}[2J"]
        {
            assert!(text.parse::<AccountIdentity>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_endpoint_that_is_not_aws_is_another_account() {
        let real = aws("111122223333", "eu-west-1", None);
        assert_eq!(aws("111122223333", "eu-west-1", Some("https://lambda.eu-west-1.amazonaws.com")), real);
        let emulator = aws("111122223333", "eu-west-1", Some("http://user:pass@LocalHost:4566/x?token=1"));
        assert_ne!(emulator, real);
        assert_eq!(emulator.account.to_string(), "aws:111122223333@localhost:4566");
        assert_ne!(aws("111122223333", "eu-west-1", Some("http://localhost:5000")), emulator);
    }

    #[test]
    fn what_is_global_is_in_the_partitions_own_region() {
        for (region, global) in
            [("eu-west-1", "us-east-1"), ("cn-northwest-1", "cn-north-1"), ("us-gov-east-1", "us-gov-west-1")]
        {
            assert_eq!(aws("111122223333", region, None).global().region.as_str(), global);
        }
        assert_eq!(Location::sandbox().global(), Location::sandbox());
    }
}
