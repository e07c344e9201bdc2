//! The dead-man switch: what rolls a run's changes back when the machine that runs squall is gone.
//!
//! A run arms an execution of one fixed state machine before its first fault. The execution sleeps until the latest end of the
//! run, then looks at each change, and writes the value from before only where it finds the run's own value, under the run's own
//! lock. [`course`] is that procedure as a table of states. There is one table: [`machine`] prints it for Step Functions, and the
//! sandbox walks it ([`course::Walk`]), so that a prediction and the crash grid meet the switch that is deployed.
//!
//! Invariant: the switch writes nothing that was not read directly before, under a lock of the run, as the run's own value.

pub mod branch;
pub mod course;
pub mod machine;
pub mod template;

use std::collections::BTreeMap;

use crate::units::Span;

/// The name of the state machine, its topic and the beginning of the names of its role and alarm.
pub const NAME: &str = "squall-dead-man";

/// The greatest input that one execution is given, in bytes. Step Functions takes 256 KiB in the input and in each state's
/// output (<https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>); the rest is for the results.
pub const INPUT_LIMIT: usize = 200_000;

/// The most changes of one execution: its history must stay under 25,000 events (the same page). The test
/// `the_history_of_a_full_execution_stays_within_the_limit` counts what the longest course of one change takes.
pub const CHANGES_LIMIT: usize = 16;

/// How many resources an execution works on at once. Lambda's control plane takes 15 calls a second in all.
pub const AT_ONCE: u32 = 5;

/// An execution that is not over by then is ended by Step Functions, and the alarm goes off. It sleeps for as long as the run may
/// take, which is a day at the most where `longest` is 24h, and needs less than a day for the rest.
pub const LIFETIME: Span = Span::from_mins(3 * 24 * 60);

/// What a state machine may touch: each resource as the input names it (`function PaymentWorker`), and the name of the SSM
/// parameter that holds its lock.
pub type Reach = BTreeMap<String, String>;

/// Where a state machine is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `aws`.
    pub partition: String,
    pub region: String,
    /// Twelve digits.
    pub account: String,
}

impl Place {
    /// The ARN of something there.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let Place { partition, region, account } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    /// The ARN of the state machine.
    pub fn machine(&self) -> String {
        self.arn("states", &format!("stateMachine:{NAME}"))
    }

    /// The ARN of an execution of it, by its name; `*` for all of them.
    pub fn execution(&self, name: &str) -> String {
        self.arn("states", &format!("execution:{NAME}:{name}"))
    }

    /// The ARN of the topic that it tells.
    pub fn topic(&self) -> String {
        self.arn("sns", NAME)
    }

    /// The name of its role. IAM has no regions, so the name has one.
    pub fn role(&self) -> String {
        format!("{NAME}-{}", self.region)
    }
}

#[cfg(test)]
mod tests;
