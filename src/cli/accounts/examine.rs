//! Whether an account can be worked with.

use serde_json::{Value as Json, json};

use crate::ids::AccountName;
use crate::project::AccountSpec;
#[cfg(feature = "aws")]
use crate::project::AwsAccount;

/// One line of what was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub account: String,
    pub what: String,
    pub seen: Health,
    pub detail: String,
}

/// Whether it is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Well,
    NotWell,
    CannotTell,
}

impl Health {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Health::Well => "ok",
            Health::NotWell => "problem",
            Health::CannotTell => "cannot tell",
        }
    }
}

impl Row {
    /// For programs.
    pub fn to_json(&self) -> Json {
        let finding = match self.seen {
            Health::Well => "well",
            Health::NotWell => "not_well",
            Health::CannotTell => "cannot_tell",
        };
        json!({ "account": self.account, "what": self.what, "finding": finding, "detail": self.detail })
    }
}

/// Looks at an account. The sandbox is always well.
pub fn examine(name: &AccountName, account: &AccountSpec) -> Vec<Row> {
    match account {
        AccountSpec::Sandbox(_) => Vec::new(),
        #[cfg(feature = "aws")]
        AccountSpec::Aws(account) => examine_aws(name, account),
        #[cfg(not(feature = "aws"))]
        AccountSpec::Aws(_) => vec![Row {
            account: name.0.clone(),
            what: "reachability".into(),
            seen: Health::NotWell,
            detail: "this squall was built without the feature `aws`".into(),
        }],
    }
}

#[cfg(feature = "aws")]
fn examine_aws(name: &AccountName, account: &AwsAccount) -> Vec<Row> {
    use crate::account::aws::{AccountConfig, CheckResult, examine};

    let checks = examine(&AccountConfig::of(name, account), std::sync::Arc::new(crate::env::RealEnv));
    let row = |check: crate::account::aws::Check| Row {
        account: name.0.clone(),
        what: check.what.into(),
        seen: match check.finding {
            CheckResult::Well => Health::Well,
            CheckResult::NotWell => Health::NotWell,
            CheckResult::CannotTell => Health::CannotTell,
        },
        detail: check.detail,
    };
    checks.into_iter().map(row).collect()
}
