//! What only LocalEmu shows: true metrics of AWS/Lambda and AWS/SQS, alarms that fire and return, layers at `/opt`.
//!
//! `./test.sh` leaves these out where there is no Python 3.13 or no root, and says so. The runs take minutes, because
//! AWS's metrics have periods of a minute and come two minutes late; they take them side by side.

mod broken;
mod dead_man;
mod held;
mod layered;
mod traffic;
mod wrapped;

use std::collections::BTreeMap;

use crate::account::Account;
use crate::contract;
use crate::emulator::localemu;
use crate::picture::picture;
use crate::shop::Shop;

#[test]
fn the_contract_holds() {
    contract::check(localemu(), contract::LOCALEMU);
}

/// The stack of `stack.yaml`, under the name that a project has for its own.
fn deploy(account: &Account) -> Shop<'_> {
    Shop::deploy_template::<&str>(
        account,
        &account.stack(),
        &include_str!("stack.yaml").replace("{here}", &account.url),
        &[],
    )
}

/// All that a run could have changed, but for the messages, which the traffic makes.
fn settings(account: &Account) -> BTreeMap<String, String> {
    let mut settings = picture(account);
    settings.retain(|what, _| !what.ends_with(" messages"));
    settings
}
