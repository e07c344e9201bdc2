//! Approvals of plans as the store keeps them.

use crate::ids::{RunId, ScheduleName};
use crate::units::Time;

/// That a person approved a plan of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRow {
    pub schedule: ScheduleName,
    /// The hash of the plan.
    pub plan: String,
    /// The seed that gives that plan.
    pub seed: u64,
    /// The name of the person's token.
    pub by: String,
    pub at: Time,
    /// The run that began with it. It counts for no other.
    pub used: Option<RunId>,
}
