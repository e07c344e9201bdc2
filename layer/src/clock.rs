//! The environment's two clocks. Neither is trusted alone: one may jump, the other may stand still while Lambda freezes the
//! environment.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What both clocks say at a moment, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since 1970 in UTC.
    pub wall: i64,
    /// Since some moment of its own.
    pub mono: i64,
}

/// Clocks that can be read.
pub trait Clock: Send + Sync {
    /// What they say now.
    fn now(&self) -> Now;
}

/// The clocks of the operating system.
pub struct System(Instant);

impl System {
    /// Clocks of which the monotonic one begins now.
    pub fn new() -> System {
        System(Instant::now())
    }
}

impl Default for System {
    fn default() -> System {
        System::new()
    }
}

impl Clock for System {
    fn now(&self) -> Now {
        let millis = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis);
        Now { wall, mono: millis(self.0.elapsed()) }
    }
}
