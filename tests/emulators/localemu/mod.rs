//! What only LocalEmu shows: true metrics of AWS/Lambda and AWS/SQS, alarms that fire and return, layers at `/opt`.
//!
//! `./test.sh` runs these apart from the others, for they need Python 3.12 and root.

use crate::contract;
use crate::emulator::localemu;

#[test]
fn the_contract_holds() {
    contract::check(localemu(), contract::LOCALEMU);
}
