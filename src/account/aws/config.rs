//! What squall must know to reach an account: one entry of `squall.yaml`.

use std::collections::BTreeMap;

use crate::account::AccountName;
use crate::project::AwsAccount;
use crate::project::probe::ProbeSpec;

/// An account in one region, by the name that experiments use. The usual variables of AWS (`AWS_PROFILE`,
/// `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, ...) fill what is left away.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountConfig {
    pub name: AccountName,
    /// Twelve digits. Anything else that the credentials turn out to belong to is refused.
    pub id: String,
    pub region: String,
    pub profile: Option<String>,
    /// The ARN of a role to assume, with the external id and the session's name.
    pub role: Option<String>,
    pub external_id: Option<String>,
    pub session_name: Option<String>,
    pub endpoint_url: Option<String>,
    /// The CloudFormation stack whose logical ids are names.
    pub stack: Option<String>,
    /// Numbers from elsewhere, by name.
    pub probes: BTreeMap<String, ProbeSpec>,
}

impl AccountConfig {
    /// An account that is reached with what the environment says.
    pub fn new(name: impl Into<String>, id: impl Into<String>, region: impl Into<String>) -> AccountConfig {
        AccountConfig {
            name: AccountName(name.into()),
            id: id.into(),
            region: region.into(),
            profile: None,
            role: None,
            external_id: None,
            session_name: None,
            endpoint_url: None,
            stack: None,
            probes: BTreeMap::new(),
        }
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
            probes: account.probes.clone(),
            ..AccountConfig::new(&*name.0, &*account.id.0, &*account.region)
        }
    }
}
