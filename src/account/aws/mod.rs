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
mod http;
mod lambda;
mod limit;
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
#[cfg(test)]
mod tests;
mod variables;
mod watched;
mod worker;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use super::{Account, Call, CallError, CallId, Outcome};
use crate::env::Env;
use crate::units::{Span, Time};
pub use config::AccountConfig;
pub use doctor::{Check, CheckResult, examine};
use worker::Worker;

/// The longest that [`Account::next`] waits at one time.
const TURN: Span = Span::from_millis(100);

/// Accounts of AWS, or of an emulator of it.
pub struct Aws {
    env: Arc<dyn Env>,
    accounts: Vec<AccountConfig>,
    /// Starts with the first call.
    worker: Option<(Worker, Receiver<(CallId, Outcome)>)>,
}

impl Aws {
    /// The accounts of a configuration. Reads and asks nothing yet.
    pub fn open(accounts: Vec<AccountConfig>, env: Arc<dyn Env>) -> Aws {
        Aws { env, accounts, worker: None }
    }
}

impl Account for Aws {
    fn now(&self) -> Time {
        self.env.now()
    }

    fn submit(&mut self, id: CallId, call: Call) {
        let (worker, _) = self.worker.get_or_insert_with(|| {
            let (sender, receiver) = channel();
            (Worker::start(self.accounts.clone(), self.env.clone(), sender, None), receiver)
        });
        worker.submit(id, call);
    }

    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)> {
        let wait = until.since(self.env.now()).min(TURN);
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
