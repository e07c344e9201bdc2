//! An account whose alarms are looked at every minute, beside whatever else is asked of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::signal::METRIC_PERIOD;
use super::{Account, Call, CallId, Dispatch, Metric, Outcome, Query, Reason, Reply, Resource, Window};
use crate::units::Time;

/// Ids of these looks are far above those of a driver, and below that of [`crate::account::ask`].
const FIRST: u64 = 1 << 62;

/// An alarm that changed its state within the minute before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmChange {
    pub alarm: String,
    pub firing: bool,
    pub at: Time,
}

/// Alarms that changed, shared with who wants to know.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<Mutex<Vec<AlarmChange>>>);

impl Seen {
    /// What changed since the last time.
    pub fn take(&self) -> Vec<AlarmChange> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, change: AlarmChange) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(change);
    }
}

/// An account, and a look at some alarms in each minute.
pub struct Watching<'a> {
    account: &'a mut dyn Account,
    alarms: &'a [(String, Resource)],
    firing: &'a mut BTreeMap<String, bool>,
    seen: Seen,
    asked: BTreeMap<CallId, (String, Time)>,
    next: Time,
    calls: u64,
}

impl<'a> Watching<'a> {
    /// `alarms` have the names that others give them; `firing` is their state as it was seen last.
    pub fn over(
        account: &'a mut dyn Account,
        alarms: &'a [(String, Resource)],
        firing: &'a mut BTreeMap<String, bool>,
        seen: &Seen,
    ) -> Watching<'a> {
        let next = account.now().window_start(METRIC_PERIOD) + METRIC_PERIOD;
        // A reply to a look of another value of this type is told apart by its number.
        let account_time = account.now().micros().unsigned_abs();
        Watching {
            account,
            alarms,
            firing,
            seen: seen.clone(),
            asked: BTreeMap::new(),
            next,
            calls: FIRST + account_time,
        }
    }

    fn look(&mut self) {
        let now = self.account.now();
        if now < self.next {
            return;
        }
        let to = now.window_start(METRIC_PERIOD);
        for (name, resource) in self.alarms {
            let id = CallId(self.calls);
            self.calls += 1;
            self.asked.insert(id, (name.clone(), to));
            let query = Query { metric: Metric::AlarmState, resource: resource.clone() };
            self.account.submit(id, Call::Measure { query, window: Window { from: to - METRIC_PERIOD, to } });
        }
        self.next = to + METRIC_PERIOD;
    }

    /// Takes a reply to a look in. One that failed says nothing: the state that was seen last stays.
    fn take(&mut self, id: CallId, outcome: &Outcome) -> bool {
        let Some((alarm, at)) = self.asked.remove(&id) else { return (FIRST..u64::MAX).contains(&id.0) };
        if let Ok(Reply::Sample(sample)) = outcome
            && let Some(value) = sample.value
        {
            let firing = value >= 0.5;
            if self.firing.insert(alarm.clone(), firing).unwrap_or(false) != firing {
                self.seen.push(AlarmChange { alarm, firing, at });
            }
        }
        true
    }
}

impl Account for Watching<'_> {
    fn now(&self) -> Time {
        self.account.now()
    }

    fn submit(&mut self, id: CallId, call: Call) {
        self.account.submit(id, call);
    }

    fn submit_with(&mut self, id: CallId, call: Call, dispatch: Dispatch) {
        self.account.submit_with(id, call, dispatch);
    }

    fn clock_is_off(&self) -> Option<i64> {
        self.account.clock_is_off()
    }

    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)> {
        self.look();
        let until = if self.alarms.is_empty() { until } else { until.min(self.next) };
        let (id, outcome) = self.account.next(until)?;
        match self.take(id, &outcome) {
            true => None,
            false => Some((id, outcome)),
        }
    }

    fn reasons(&self) -> Vec<Reason> {
        self.account.reasons()
    }
}
