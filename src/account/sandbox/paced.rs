//! Pace: how fast virtual time passes while somebody waits for it.

use crate::env::Env;
use crate::units::{Span, Time};

/// How fast the sandbox's time passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So many virtual seconds in a real one; above zero.
    Times(f64),
    /// As fast as it goes.
    Max,
}

/// A caller gets control back after so much real time at the latest ([`crate::account::Account::next`]).
pub(super) const SLICE: Span = Span::from_millis(80);
/// How long the sandbox sleeps at once.
const NAP: Span = Span::from_millis(10);

/// Ties virtual time to real time from one instant on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacer {
    pace: Pace,
    virtual_start: Time,
    real_start: Span,
}

impl Pacer {
    pub fn new(pace: Pace, now: Time, env: &dyn Env) -> Pacer {
        Pacer { pace, virtual_start: now, real_start: env.monotonic() }
    }

    /// How far virtual time may have come by now.
    pub fn due(&self, env: &dyn Env) -> Time {
        match self.pace {
            Pace::Max => Time::NEVER,
            Pace::Times(times) => {
                let real = env.monotonic() - self.real_start;
                self.virtual_start + Span::from_secs_f64(real.secs_f64() * times)
            }
        }
    }

    /// Sleeps until virtual time has come to `until`, or for a nap, whichever is shorter.
    pub fn nap(&self, until: Time, env: &dyn Env) {
        let ahead = until.since(self.due(env));
        let real = match self.pace {
            Pace::Max => Span::ZERO,
            Pace::Times(times) => Span::from_secs_f64(ahead.secs_f64() / times),
        };
        env.sleep(real.min(NAP));
    }
}
