//! A store that keeps nothing: for runs in a model of which only the outcome is asked.

use super::approvals::ApprovalRow;
use super::occurrences::{Fate, OccurrenceKey, OccurrenceRow};
use super::outbox::{Outgoing, Tried, WaitingMail};
use super::prune::Pruned;
use super::{Conflict, Epoch, RunRow, Store, StoreError};
use crate::access::Act;
use crate::access::token::TokenRow;
use crate::account::Resource;
use crate::ids::{RunId, ScheduleName};
use crate::run::event::Recorded;
use crate::units::Time;

/// Takes everything and has nothing. One run at a time may use it; no other is ever known to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForgetfulStore;

impl Store for ForgetfulStore {
    fn create(&mut self, _: &RunId, _: &str) -> Result<Epoch, StoreError> {
        Ok(Epoch(1))
    }

    fn append(&mut self, _: &RunId, _: Epoch, _: &[Recorded]) -> Result<(), StoreError> {
        Ok(())
    }

    fn events(&self, run: &RunId) -> Result<Vec<Recorded>, StoreError> {
        Err(StoreError::NoSuchRun(run.clone()))
    }

    fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        Ok(Vec::new())
    }

    fn is_alive(&self, run: &RunId) -> Result<bool, StoreError> {
        Err(StoreError::NoSuchRun(run.clone()))
    }

    fn take_over(&mut self, run: &RunId, _: &str) -> Result<Epoch, StoreError> {
        Err(StoreError::NoSuchRun(run.clone()))
    }

    fn ask_to_stop(&mut self, run: &RunId, _: &str) -> Result<(), StoreError> {
        Err(StoreError::NoSuchRun(run.clone()))
    }

    fn stop_asked(&self, _: &RunId) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    fn claim(&mut self, _: &RunId, _: &[Resource], _: &[Resource]) -> Result<Result<(), Conflict>, StoreError> {
        Ok(Ok(()))
    }

    fn release(&mut self, _: &RunId) -> Result<(), StoreError> {
        Ok(())
    }

    fn set_halt(&mut self, _: Option<&str>) -> Result<(), StoreError> {
        Ok(())
    }

    fn halted(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    fn counted_from(&mut self, _: &ScheduleName, _: &str, now: Time) -> Result<Time, StoreError> {
        Ok(now)
    }

    fn claim_occurrence(&mut self, _: &OccurrenceRow) -> Result<bool, StoreError> {
        Ok(true)
    }

    fn settle_occurrence(&mut self, _: &OccurrenceKey, _: &Fate) -> Result<(), StoreError> {
        Ok(())
    }

    fn occurrences(&self, _: Time) -> Result<Vec<OccurrenceRow>, StoreError> {
        Ok(Vec::new())
    }

    fn put_token(&mut self, _: &TokenRow) -> Result<(), StoreError> {
        Ok(())
    }

    fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        Ok(Vec::new())
    }

    fn note(&mut self, _: &Act) -> Result<(), StoreError> {
        Ok(())
    }

    fn acts(&self, _: Time) -> Result<Vec<Act>, StoreError> {
        Ok(Vec::new())
    }

    fn approve(&mut self, _: &ApprovalRow) -> Result<(), StoreError> {
        Ok(())
    }

    fn approvals(&self, _: &ScheduleName) -> Result<Vec<ApprovalRow>, StoreError> {
        Ok(Vec::new())
    }

    fn use_approvals(&mut self, _: &ScheduleName, _: &str, _: &RunId) -> Result<(), StoreError> {
        Ok(())
    }

    fn prune(&mut self, _: &[RunId], _: Time) -> Result<Pruned, StoreError> {
        Ok(Pruned::default())
    }

    fn queue(&mut self, _: &[Outgoing]) -> Result<usize, StoreError> {
        Ok(0)
    }

    fn due(&self, _: Time, _: usize) -> Result<Vec<Outgoing>, StoreError> {
        Ok(Vec::new())
    }

    fn tried(&mut self, _: i64, _: &Tried) -> Result<(), StoreError> {
        Ok(())
    }

    fn mail(&self) -> Result<WaitingMail, StoreError> {
        Ok(WaitingMail::default())
    }

    fn forget_mail(&mut self, _: Time) -> Result<usize, StoreError> {
        Ok(0)
    }
}
