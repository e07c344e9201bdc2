//! What is well and what is not about reaching an account, for `squall doctor`. Nothing here changes anything.

use std::sync::Arc;

use super::awake::Awake;
use super::call::RealTime;
use super::session::{Connection, Session};
use super::{AccountConfig, Shared, fis, kms, switch};
use crate::account::switch::{Deployed, Deployment};
use crate::account::{CallError, Lasts, MarkKey};
use crate::clock::OFF_ACCOUNT;
use crate::env::Env;
use crate::units::Span;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What: `identity`.
    pub what: &'static str,
    pub finding: CheckResult,
    /// What was seen, and what to do when it is problem.
    pub detail: String,
}

/// Whether it is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckResult {
    Well,
    NotWell,
    CannotTell,
}

/// More than this, and AWS does not accept signatures
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/signing-elements.html>).
const SKEW_REFUSED: Span = Span::from_mins(5);
/// Credentials that end must last at least so long to be of use for a run of an hour.
const LASTS: Span = Span::from_mins(75);

/// Looks at an account. Blocks for as long as the account takes to answer; each call has its time-outs.
pub fn examine(config: &AccountConfig, env: Arc<dyn Env>) -> Vec<Check> {
    let awake = Arc::new(Awake::new(env.clone()));
    let connection = Connection::new(config.clone(), env, &Shared::of_process(), awake, Arc::new(RealTime), None);
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(checks(config, &connection)),
        Err(error) => vec![check("reachability", CheckResult::CannotTell, format!("no thread to ask from: {error}"))],
    }
}

fn check(what: &'static str, finding: CheckResult, detail: impl Into<String>) -> Check {
    Check { what, finding, detail: detail.into() }
}

/// The checks, on a connection.
pub async fn checks(config: &AccountConfig, connection: &Connection) -> Vec<Check> {
    let session = match connection.session().await {
        Ok(session) => session,
        Err(error) => return vec![unreached(&error)],
    };
    let place = config.endpoint_url.as_deref().unwrap_or(config.region.as_str());
    let identity = &session.identity;
    let mut checks = vec![
        check("reachability", CheckResult::Well, format!("STS answers in {place}")),
        check("identity", CheckResult::Well, format!("{} in account {}", identity.arn, identity.account_id)),
        credentials(session),
        clock(session),
        safety_lever(session).await,
    ];
    if config.needs_switch {
        checks.push(dead_man_switch(session).await);
    }
    if let Some(key) = &config.mark_key {
        checks.push(mark_key(session, key).await);
    }
    checks
}

/// Whether the key signs, and knows its own signature.
async fn mark_key(session: &Session, key: &MarkKey) -> Check {
    let (what, text) = ("mark key", "squall doctor".to_owned());
    let verified = match kms::sign(session, key, text.clone()).await {
        Ok(mac) => kms::verify(session, key, text, mac).await,
        Err(error) => Err(error),
    };
    match verified {
        Ok(true) => check(what, CheckResult::Well, format!("{key} signs and verifies")),
        Ok(false) => check(what, CheckResult::NotWell, format!("{key} does not know its own signature")),
        Err(error @ CallError::Unknown(_) | error @ CallError::Throttled) => {
            check(what, CheckResult::CannotTell, error.to_string())
        }
        Err(error) => check(what, CheckResult::NotWell, error.to_string()),
    }
}

/// Nothing else can be looked at.
fn unreached(error: &CallError) -> Check {
    match error {
        CallError::Refused { message, .. } => check("identity", CheckResult::NotWell, message),
        other => check("reachability", CheckResult::NotWell, other.to_string()),
    }
}

fn credentials(session: &Session) -> Check {
    let what = "credentials";
    match session.identity.lasts {
        Lasts::On => check(what, CheckResult::Well, "they do not expire, or are renewed"),
        Lasts::CannotTell => check(
            what,
            CheckResult::CannotTell,
            "temporary, without an expiry time; they must outlive a run and its rollback by 15 minutes",
        ),
        Lasts::CannotTellAfter(end) => {
            let left = end.since(session.caller.gateway.now());
            check(
                what,
                CheckResult::CannotTell,
                format!("they are valid until {end}, for {left}; whether they are renewed then is not known"),
            )
        }
        Lasts::Until(end) => {
            let left = end.since(session.caller.gateway.now());
            match left >= LASTS {
                true => check(what, CheckResult::Well, format!("they expire at {end}, in {left}")),
                false => check(what, CheckResult::NotWell, format!("they expire at {end}, in {left}: get new ones")),
            }
        }
    }
}

fn clock(session: &Session) -> Check {
    let what = "clock";
    let Some(offset) = session.caller.gateway.offset() else {
        return check(what, CheckResult::CannotTell, "no response had a date");
    };
    let off = offset.apart();
    let side = if offset.apart_secs() > 0 { "ahead of" } else { "behind" };
    match off {
        off if off <= OFF_ACCOUNT => check(what, CheckResult::Well, format!("within {OFF_ACCOUNT} of AWS's")),
        off if off <= SKEW_REFUSED => check(
            what,
            CheckResult::NotWell,
            format!("{off} {side} AWS's; runs start with at most {OFF_ACCOUNT}: synchronise it by NTP"),
        ),
        off => check(
            what,
            CheckResult::NotWell,
            format!("{off} {side} AWS's, which will reject signatures; synchronise it by NTP"),
        ),
    }
}

/// Whether an operator of the account stopped experiments.
async fn safety_lever(session: &Session) -> Check {
    let what = "FIS safety lever";
    match fis::halted(session).await {
        Ok(None) => check(what, CheckResult::Well, "disengaged"),
        Ok(Some(why)) => {
            check(what, CheckResult::NotWell, format!("{why}; ask its operator before running an experiment"))
        }
        Err(error) => check(what, CheckResult::CannotTell, error.to_string()),
    }
}

/// Whether the dead-man switch is deployed, and is what this squall deploys.
async fn dead_man_switch(session: &Session) -> Check {
    let what = "dead-man switch";
    let deploy = "deploy what `squall dead-man template` prints for your experiments";
    match switch::find(session, &session.config.location()).await {
        Ok(Deployment::Ready(Deployed { reach, .. })) => {
            let reach = reach.unwrap_or_default().into_iter().collect::<Vec<_>>().join(", ");
            check(what, CheckResult::Well, format!("deployed and current; it covers {reach}"))
        }
        Ok(Deployment::Missing) => check(what, CheckResult::NotWell, format!("not deployed: {deploy}")),
        Ok(Deployment::Differs) => check(
            what,
            CheckResult::NotWell,
            format!("it is not the one of this version: it was edited, or is of another version; {deploy}"),
        ),
        Err(error) => check(what, CheckResult::CannotTell, error.to_string()),
    }
}
