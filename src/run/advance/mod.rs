//! What the machine does at each step, one file a concern: putting faults in, taking them out, messages, signals, the end.

pub(super) mod emission;
pub(super) mod evidence;
pub(super) mod finish;
pub(super) mod guards;
pub(super) mod halted;
pub(super) mod injection;
pub(super) mod late;
pub(super) mod lease;
pub(super) mod load;
pub(super) mod logged;
pub(super) mod provisional;
pub(super) mod rollback;
pub(super) mod sight;
pub(super) mod switch;
pub(super) mod timeline;
pub(super) mod versions;
pub(super) mod watch;

use crate::units::Span;

/// Waiting times between tries of one call: 1 s, doubled up to 30 s.
fn backoff(tries: u32) -> Span {
    Span::from_secs(1_i64 << tries.min(5)).min(Span::from_secs(30))
}
