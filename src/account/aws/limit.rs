//! One rate limiter an account and API family, so that squall never takes more of an account's API limits than there is,
//! however many calls the engine makes at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::env::Env;
use crate::units::Span;

/// APIs that share a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Lambda's control plane: 15 calls a second for all its operations together, not to be raised
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
    Lambda,
    /// GetFunction has its own: 100 a second (the same page).
    GetFunction,
    Invoke,
    Iam,
    /// GetParameter and its kin share 40 a second (AWS General Reference, Systems Manager quotas).
    SsmRead,
    /// PutParameter: 3 a second as AWS Support says, with some allowance for bursts; no page has it
    /// (github.com/github-aws-runners/terraform-aws-github-runner/issues/2944).
    SsmWrite,
    Sqs,
    /// GetMetricData: 50 a second in older accounts
    /// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>).
    Metrics,
    /// DescribeAlarms: 9 a second (the same page).
    Alarms,
    Tagging,
    /// DescribeTable: 2,500 a second in all; GetTopicAttributes: 30 a second (SNS quotas). They are called once a resource.
    Watched,
    CloudFormation,
    Sts,
    /// StartQuery and GetQueryResults: 5 a second (CloudWatch Logs service quotas).
    Logs,
    Fis,
}

impl Family {
    /// Calls a second, and how many may go out at once after a pause. Where AWS publishes no number, a modest one.
    const fn pace(self) -> (f64, u32) {
        match self {
            Family::Lambda => (15.0, 2),
            Family::GetFunction => (100.0, 10),
            Family::Invoke => (1_000.0, 100),
            Family::Iam => (10.0, 10),
            Family::SsmRead => (40.0, 10),
            Family::SsmWrite => (3.0, 10),
            Family::Sqs => (300.0, 30),
            Family::Metrics => (50.0, 10),
            Family::Alarms => (9.0, 3),
            Family::Tagging | Family::Watched | Family::CloudFormation | Family::Logs => (5.0, 5),
            Family::Sts | Family::Fis => (5.0, 2),
        }
    }
}

#[cfg(test)]
impl Family {
    /// How many calls a second its limit allows.
    pub fn per_second(self) -> f64 {
        self.pace().0
    }
}

/// How long nothing of a family goes out after the service asked to slow down.
const PAUSE: Span = Span::from_secs(1);

/// The limiters of one account.
pub struct Limits {
    env: Arc<dyn Env>,
    slots: Mutex<BTreeMap<Family, Slots>>,
}

impl Limits {
    /// Nothing was used yet.
    pub fn new(env: Arc<dyn Env>) -> Limits {
        Limits { env, slots: Mutex::default() }
    }

    /// Takes a turn: how long until it comes. First come, first served.
    pub fn take(&self, family: Family) -> Span {
        self.with(family, Slots::take)
    }

    /// The service throttled a call of the family: others use the same limit. Everything after waits a while.
    pub fn throttled(&self, family: Family) {
        self.with(family, Slots::pause);
    }

    fn with<T>(&self, family: Family, act: impl FnOnce(&mut Slots, Span) -> T) -> T {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.env.monotonic();
        act(slots.entry(family).or_insert_with(|| Slots::new(family)), now)
    }
}

/// The moments at which calls of one family may go out, evenly spaced (the generic cell rate algorithm).
struct Slots {
    interval: Span,
    /// How far back an unused slot may still be used.
    window: i64,
    next: i64,
}

impl Slots {
    fn new(family: Family) -> Slots {
        let (per_second, burst) = family.pace();
        let interval = Span::from_secs_f64(1.0 / per_second);
        let window = interval.micros() * i64::from(burst.saturating_sub(1));
        Slots { interval, window, next: i64::MIN }
    }

    /// Takes the next slot: how long until it comes.
    fn take(&mut self, now: Span) -> Span {
        let slot = self.next.max(now.micros() - self.window);
        self.next = slot + self.interval.micros();
        Span::from_micros(slot - now.micros())
    }

    fn pause(&mut self, now: Span) {
        self.next = self.next.max(now.micros() + PAUSE.micros());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_hundred_calls_take_what_the_limit_allows_and_not_more() {
        let mut slots = Slots::new(Family::Lambda);
        let now = Span::from_secs(1000);
        let last = (0..300).map(|_| slots.take(now)).last().unwrap();
        let ideal = 300.0 / 15.0;
        assert!((ideal * 0.98..=ideal).contains(&last.secs_f64()), "{last}");
    }

    #[test]
    fn an_unused_limit_allows_a_burst_and_no_more_than_that() {
        let mut slots = Slots::new(Family::Alarms);
        let now = Span::from_secs(50);
        let waits: Vec<_> = (0..5).map(|_| slots.take(now).millis()).collect();
        assert_eq!(waits, [0, 0, 0, 111, 222]);
        // Two of the slots came meanwhile; the burst does not come back at once.
        assert_eq!(slots.take(now + Span::from_millis(222)).millis(), 111);
    }

    #[test]
    fn a_throttled_family_pauses() {
        let mut slots = Slots::new(Family::GetFunction);
        let now = Span::from_secs(50);
        slots.pause(now);
        assert_eq!(slots.take(now), PAUSE);
        assert!(slots.take(now) > PAUSE);
    }
}
