//! The gateway: one for each account and process, shared by everything there that calls the account.
//!
//! It holds the limits of the account's APIs, so that many runs together take no more than one would; it lets a rollback's
//! calls go first; and it keeps what the account's answers say of its clock. It sends nothing itself: the sender asks for
//! a turn.
//!
//! Invariant: a call that changes something is checked against its deadline and its run right before it is sent
//! ([`Dispatch::may_go`]), however long it waited.

mod clock;
mod dispatch;
mod family;
mod offset;
mod turns;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use clock::GatewayClock;
pub use dispatch::{Dispatch, Lane, NotSent, Owner};
pub use family::Family;
pub use offset::Offset;
pub use turns::{PAUSE, Ticket, Turn, Turns};

use super::{AccountIdentity, Region};
use crate::env::Env;
use crate::units::Time;

/// The gateways of a process, by account.
#[derive(Default)]
pub struct Gateways(Mutex<BTreeMap<AccountIdentity, Arc<Gateway>>>);

impl Gateways {
    /// The gateway of an account; made when it is first asked for, with that caller's clock.
    pub fn of(&self, account: &AccountIdentity, env: &Arc<dyn Env>) -> Arc<Gateway> {
        let mut gateways = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gateways.entry(account.clone()).or_insert_with(|| Arc::new(Gateway::new(env.clone()))).clone()
    }
}

/// The way to one account.
pub struct Gateway {
    env: Arc<dyn Env>,
    /// No region where the limit is the whole account's.
    turns: Mutex<BTreeMap<(Family, Option<Region>), Turns>>,
    offset: Mutex<Option<Offset>>,
}

impl Gateway {
    fn new(env: Arc<dyn Env>) -> Gateway {
        Gateway { env, turns: Mutex::default(), offset: Mutex::default() }
    }

    /// Queues a call for its turn.
    pub fn queue(&self, family: Family, region: &Region, lane: Lane) -> Place<'_> {
        let limit = limit(family, region);
        let ticket = turns_of(&mut self.turns(), &limit).join(lane);
        Place { gateway: self, limit, ticket }
    }

    /// The service throttled a call.
    pub fn throttled(&self, family: Family, region: &Region) {
        let now = self.env.monotonic();
        turns_of(&mut self.turns(), &limit(family, region)).pause(now);
    }

    /// An answer came with the service's clock in it, to the second; `sent` and `came` are by this machine's.
    pub fn dated(&self, date: Time, sent: Time, came: Time) {
        let mut offset = self.offset.lock().unwrap_or_else(PoisonError::into_inner);
        let measured = Offset::of(date, sent, came);
        *offset = Some(offset.map_or(measured, |known| known.and(measured)));
    }

    /// By how much this machine's clock is ahead of the account's, as its answers say.
    pub fn offset(&self) -> Option<Offset> {
        *self.offset.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account's clock: this machine's, corrected by what is known of the difference.
    pub fn now(&self) -> Time {
        let local = self.env.now();
        self.offset().map_or(local, |offset| offset.correct(local))
    }

    fn turns(&self) -> MutexGuard<'_, BTreeMap<(Family, Option<Region>), Turns>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Limit = (Family, Option<Region>);

fn limit(family: Family, region: &Region) -> Limit {
    (family, (!family.is_global()).then(|| region.clone()))
}

fn turns_of<'t>(turns: &'t mut BTreeMap<Limit, Turns>, limit: &Limit) -> &'t mut Turns {
    let (per_second, burst) = limit.0.pace();
    turns.entry(limit.clone()).or_insert_with(|| Turns::of(per_second, burst))
}

/// A call's place in the queue; it is given up when this is dropped.
pub struct Place<'g> {
    gateway: &'g Gateway,
    limit: Limit,
    ticket: Ticket,
}

impl Place<'_> {
    /// Whether it is the call's turn.
    pub fn ask(&self) -> Turn {
        let now = self.gateway.env.monotonic();
        turns_of(&mut self.gateway.turns(), &self.limit).ask(self.ticket, now)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        turns_of(&mut self.gateway.turns(), &self.limit).leave(self.ticket);
    }
}
