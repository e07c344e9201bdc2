//! Whether the locks of an account were signed with its `mark_key`.

use super::locks::wait;
use crate::account::{Account, Call, CallError, Location, MarkKey, Reply, ask};
use crate::run::lock::signature;
use crate::units::Span;

/// A key that does not answer is asked again, with pauses, for about a minute in all.
const LONGEST_PAUSE: Span = Span::from_secs(30);

/// Whether a lock at this location was signed with the key.
///
/// # Errors
/// It was not, or nobody can tell: why.
pub fn check(text: &str, location: &Location, key: &MarkKey, account: &mut dyn Account) -> Result<(), String> {
    let Some((text, mac)) = signature(text) else {
        return Err("it is not signed, and squall.yaml has a `mark_key` for this account".into());
    };
    let mut pause = Span::from_secs(1);
    loop {
        let call = Call::Verify { location: location.clone(), key: key.clone(), text: text.clone(), mac };
        match ask(account, call) {
            Ok(Reply::Genuine(true)) => return Ok(()),
            Ok(Reply::Genuine(false)) => return Err(format!("its signature is not that of {key}")),
            Err(CallError::Throttled | CallError::Unknown(_)) if pause <= LONGEST_PAUSE => {
                wait(account, pause);
                pause = pause * 2;
            }
            Ok(other) => return Err(format!("its signature cannot be verified: {other:?}")),
            Err(error) => return Err(format!("its signature cannot be verified: {error}")),
        }
    }
}
