//! AWS, through its official SDK: one file a service. The core never names it.
//!
//! [`Aws`] is a port: a thread of its own runs every call as a task and sends its answer back through a channel. No
//! client is built, and nothing is asked of the network, before the first call.
//!
//! Invariants: the account's number is checked before anything else is read or written; no call is without
//! time-outs; a write is sent once at the most, and never after the process slept.

mod alarms;
mod awake;
mod batch;
mod call;
mod command;
mod config;
mod doctor;
mod failure;
mod find;
mod fis;
mod gate;
mod http;
mod kms;
mod lambda;
mod lasts;
pub mod layer;
mod load;
mod logs;
mod metrics;
mod names;
mod permitted;
mod probes;
mod queues;
mod roles;
mod session;
mod settings;
mod ssm;
mod switch;
#[cfg(test)]
mod tests;
mod variables;
mod watched;
mod worker;

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::gateway::{GatewayClock, Gateways};
use super::{Account, Call, CallError, CallId, Dispatch, Outcome};
use crate::env::Env;
use crate::units::{Span, Time};
use batch::Batches;
pub use config::AccountConfig;
pub use doctor::{Check, CheckResult, examine};
use worker::Worker;

/// The longest that [`Account::next`] waits at one time.
const TURN: Span = Span::from_millis(100);

/// What all ports of a process share: the gateways of its accounts, and queries of metrics that go out together.
#[derive(Default)]
pub struct Shared {
    gateways: Gateways,
    /// By the account and the credentials that they are asked with.
    batches: Mutex<Vec<(AccountConfig, Arc<Batches>)>>,
}

impl Shared {
    /// The one of this process.
    pub fn of_process() -> Arc<Shared> {
        static SHARED: OnceLock<Arc<Shared>> = OnceLock::new();
        SHARED.get_or_init(Arc::default).clone()
    }

    fn clock(&self, accounts: &[AccountConfig], env: &Arc<dyn Env>) -> GatewayClock {
        let gateway = |account: &AccountConfig| self.gateways.of(&account.location().account, env);
        GatewayClock::of(accounts.iter().map(gateway).collect(), env.clone())
    }

    fn batches(&self, config: &AccountConfig) -> Arc<Batches> {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        match batches.iter().find(|(known, _)| known == config) {
            Some((_, known)) => known.clone(),
            None => {
                let new = Arc::<Batches>::default();
                batches.push((config.clone(), new.clone()));
                new
            }
        }
    }
}

/// Accounts of AWS, or of an emulator of it.
pub struct Aws {
    env: Arc<dyn Env>,
    shared: Arc<Shared>,
    accounts: Vec<AccountConfig>,
    /// Starts with the first call.
    worker: Option<(Worker, Receiver<(CallId, Outcome)>)>,
    clock: GatewayClock,
}

impl Aws {
    /// The accounts of a configuration. Reads and asks nothing yet.
    pub fn open(accounts: Vec<AccountConfig>, env: Arc<dyn Env>) -> Aws {
        let shared = Shared::of_process();
        let clock = shared.clock(&accounts, &env);
        Aws { env, shared, accounts, worker: None, clock }
    }
}

impl Account for Aws {
    /// AWS's clock, as its answers tell it.
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn clock_is_off(&self) -> Option<i64> {
        self.clock.is_off()
    }

    fn submit(&mut self, id: CallId, call: Call) {
        self.submit_with(id, call, Dispatch::default());
    }

    fn submit_with(&mut self, id: CallId, call: Call, dispatch: Dispatch) {
        let (worker, _) = self.worker.get_or_insert_with(|| {
            let (sender, receiver) = channel();
            let shared = self.shared.clone();
            (Worker::start(self.accounts.clone(), self.env.clone(), shared, sender, None), receiver)
        });
        worker.submit(id, call, dispatch);
    }

    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)> {
        let wait = until.since(self.now()).min(TURN);
        match &self.worker {
            Some((_, replies)) => replies.recv_timeout(wait.to_std()).ok(),
            None => {
                self.env.sleep(wait);
                None
            }
        }
    }
}

/// A refusal that no service made: this account cannot do it.
fn unsupported<T>(message: impl Into<String>) -> Result<T, CallError> {
    Err(CallError::Refused { by: super::RefusedBy::Unsupported, message: message.into() })
}

/// A refusal because of a value that no service would take.
fn invalid<T>(message: impl Into<String>) -> Result<T, CallError> {
    Err(CallError::Refused { by: super::RefusedBy::Invalid, message: message.into() })
}
