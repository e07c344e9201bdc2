//! The clock of the accounts behind some gateways, as their answers tell it.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Gateway, Offset};
use crate::clock::AccountClock;
use crate::env::Env;
use crate::units::Time;

/// One clock for all of them: accounts of one kind keep the same time, so the first that told it counts.
pub struct GatewayClock {
    env: Arc<dyn Env>,
    gateways: Vec<Arc<Gateway>>,
    clock: Mutex<AccountClock>,
}

impl GatewayClock {
    /// Of these accounts.
    pub fn of(gateways: Vec<Arc<Gateway>>, env: Arc<dyn Env>) -> GatewayClock {
        GatewayClock { env, gateways, clock: Mutex::default() }
    }

    /// What it shows. It never goes back.
    pub fn now(&self) -> Time {
        let local = self.env.now();
        let corrected = self.offset().map_or(local, |offset| offset.correct(local));
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.at(corrected, self.env.monotonic())
    }

    /// By how many seconds this machine's clock is ahead of it at the least; negative when it is behind.
    pub fn is_off(&self) -> Option<i64> {
        self.offset().map(Offset::apart_secs)
    }

    fn offset(&self) -> Option<Offset> {
        self.gateways.iter().find_map(|gateway| gateway.offset())
    }
}
