//! What squall must know to reach an account: one entry of `squall.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use crate::account::{AccountId, Location, MarkKey, Region};
use crate::ids::AccountName;
use crate::project::probe::ProbeSpec;
use crate::project::{AwsAccount, DeadMan};

/// An account in one region, by the name that experiments use. The usual variables of AWS (`AWS_PROFILE`,
/// `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, ...) fill in what is not given.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountConfig {
    /// What `squall.yaml` calls it, for messages.
    pub name: AccountName,
    /// Twelve digits. Anything else that the credentials turn out to belong to is refused.
    pub id: AccountId,
    pub region: Region,
    /// The other regions of the account that the project names: users of a role are looked for in these, too.
    pub other_regions: BTreeSet<Region>,
    /// Other locations that mean this account: nicknames in what squall 0.1.0 wrote.
    pub aliases: BTreeSet<Location>,
    pub profile: Option<String>,
    /// The ARN of a role to assume, with the external id and the session's name.
    pub role: Option<String>,
    pub external_id: Option<String>,
    pub session_name: Option<String>,
    pub endpoint_url: Option<String>,
    /// The CloudFormation stack whose logical ids are names.
    pub stack: Option<String>,
    /// Whether runs there need the dead-man switch, so that `squall doctor` looks at it.
    pub needs_switch: bool,
    /// The key that signs locks, so that `squall doctor` tries it.
    pub mark_key: Option<MarkKey>,
    /// Numbers from elsewhere, by name.
    pub probes: BTreeMap<String, ProbeSpec>,
}

impl AccountConfig {
    /// An account that is reached with what the environment says.
    pub fn new(name: impl Into<String>, id: AccountId, region: Region) -> AccountConfig {
        AccountConfig {
            name: AccountName(name.into()),
            id,
            region,
            other_regions: BTreeSet::new(),
            aliases: BTreeSet::new(),
            profile: None,
            role: None,
            external_id: None,
            session_name: None,
            endpoint_url: None,
            stack: None,
            needs_switch: false,
            mark_key: None,
            probes: BTreeMap::new(),
        }
    }

    /// Where the account is.
    pub fn location(&self) -> Location {
        Location::of_aws(self.id.clone(), self.region.clone(), self.endpoint_url.as_deref())
    }

    /// An account as `squall.yaml` has it.
    pub fn of(name: &AccountName, account: &AwsAccount) -> AccountConfig {
        AccountConfig {
            profile: account.profile.clone(),
            role: account.role.clone(),
            external_id: account.external_id.clone(),
            session_name: account.session_name.clone(),
            endpoint_url: account.endpoint_url.clone(),
            stack: account.stack.clone(),
            needs_switch: account.dead_man == DeadMan::Required,
            mark_key: account.mark_key.clone(),
            probes: account.probes.clone(),
            ..AccountConfig::new(&*name.0, account.id.clone(), account.region.clone())
        }
    }
}
