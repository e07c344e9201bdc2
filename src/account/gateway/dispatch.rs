//! On which terms a call is sent: its lane, the last moment for it, and the run that it is made for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::clock::OWNED_FOR;
use crate::units::{Span, Time};

/// Who goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Inverses, and the looks that they need.
    Rollback,
    /// Everything else.
    #[default]
    Ordinary,
}

/// How a call is to be sent. The default is a look that nothing hurries and nothing depends on.
#[derive(Clone, Debug)]
pub struct Dispatch {
    pub lane: Lane,
    /// By the account's clock; a call that changes something is not sent later.
    pub deadline: Time,
    /// The run that a call which changes something is made for.
    pub owner: Option<Owner>,
}

impl Default for Dispatch {
    fn default() -> Dispatch {
        Dispatch { lane: Lane::Ordinary, deadline: Time::NEVER, owner: None }
    }
}

impl Dispatch {
    /// Whether a call that changes something may go out now, by the account's clock and by monotonic time.
    ///
    /// # Errors
    /// Why it is dropped.
    pub fn may_go(&self, now: Time, monotonic: Span) -> Result<(), NotSent> {
        if now > self.deadline {
            return Err(NotSent::TooLate { deadline: self.deadline });
        }
        self.owner.as_ref().map_or(Ok(()), |owner| owner.may_write(self.lane, monotonic))
    }
}

/// Why a call that changes something was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// The run stopped while its fault waited.
    #[error("the run stopped before its turn came")]
    Stopped,
    /// Another process owns the run.
    #[error("another process has taken the run over")]
    TermLost,
    /// The store has not confirmed for [`OWNED_FOR`] that the run is still this process's.
    #[error("the store did not confirm for {OWNED_FOR} that this process still owns the run")]
    Unconfirmed,
    /// Its time was over.
    #[error("its turn came after {deadline}, too late to be useful")]
    TooLate { deadline: Time },
    /// Its signature may be too old: the process was stopped, or credentials took long.
    #[error("{age} passed between its turn and its sending")]
    Stale { age: Span },
}

/// A run and the term for which this process owns it, shared between the driver, which knows, and the gateway, which asks
/// before it sends.
#[derive(Clone, Debug)]
pub struct Owner(Arc<Owned>);

#[derive(Debug)]
struct Owned {
    stopped: AtomicBool,
    lost: AtomicBool,
    /// Monotonic microseconds.
    confirmed: AtomicI64,
}

impl Owner {
    /// A term that began at this monotonic time.
    pub fn since(now: Span) -> Owner {
        Owner(Arc::new(Owned {
            stopped: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            confirmed: AtomicI64::new(now.micros()),
        }))
    }

    /// The store says that the term is still the newest.
    pub fn confirm(&self, now: Span) {
        self.0.confirmed.fetch_max(now.micros(), Ordering::SeqCst);
    }

    /// No fault of the run goes out any more.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
    }

    /// Another process owns the run: nothing of it goes out any more, no inverse either.
    pub fn lose(&self) {
        self.0.lost.store(true, Ordering::SeqCst);
    }

    /// An inverse goes out even when the store cannot be read (DESIGN rule 1); a fault does not.
    fn may_write(&self, lane: Lane, now: Span) -> Result<(), NotSent> {
        if self.0.lost.load(Ordering::SeqCst) {
            return Err(NotSent::TermLost);
        }
        if lane == Lane::Rollback {
            return Ok(());
        }
        if self.0.stopped.load(Ordering::SeqCst) {
            return Err(NotSent::Stopped);
        }
        let confirmed = Span::from_micros(self.0.confirmed.load(Ordering::SeqCst));
        if now - confirmed > OWNED_FOR {
            return Err(NotSent::Unconfirmed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_000_000_000);
    const MONOTONIC: Span = Span::from_secs(100);

    fn fault(owner: &Owner) -> Dispatch {
        Dispatch { lane: Lane::Ordinary, deadline: NOW, owner: Some(owner.clone()) }
    }

    #[test]
    fn a_fault_goes_out_in_time_for_a_run_that_goes_on() {
        let owner = Owner::since(MONOTONIC);
        assert_eq!(fault(&owner).may_go(NOW, MONOTONIC), Ok(()));
        let late = NOW + Span::from_millis(1);
        assert_eq!(fault(&owner).may_go(late, MONOTONIC), Err(NotSent::TooLate { deadline: NOW }));
        let unconfirmed = MONOTONIC + OWNED_FOR + Span::from_millis(1);
        assert_eq!(fault(&owner).may_go(NOW, unconfirmed), Err(NotSent::Unconfirmed));
        owner.confirm(unconfirmed);
        assert_eq!(fault(&owner).may_go(NOW, unconfirmed), Ok(()));
        owner.stop();
        assert_eq!(fault(&owner).may_go(NOW, unconfirmed), Err(NotSent::Stopped));
    }

    #[test]
    fn an_inverse_goes_out_until_another_process_owns_the_run() {
        let owner = Owner::since(MONOTONIC);
        let inverse = Dispatch { lane: Lane::Rollback, deadline: Time::NEVER, owner: Some(owner.clone()) };
        owner.stop();
        assert_eq!(inverse.may_go(NOW, MONOTONIC + Span::from_mins(60)), Ok(()));
        owner.lose();
        assert_eq!(inverse.may_go(NOW, MONOTONIC), Err(NotSent::TermLost));
        assert_eq!(fault(&owner).may_go(NOW, MONOTONIC), Err(NotSent::TermLost));
    }
}
