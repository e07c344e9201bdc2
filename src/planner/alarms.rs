//! What can be known of alarms beforehand: one that notifies nothing does not decide, and one that watches a queue to
//! which the
//! run itself sends rings for that.

use super::Draft;
use crate::account::{Description, Metric, Query, ResourceKind};
use crate::judge::bound::Bound;
use crate::plan::{Cleanup, DuringFault, SignalPlan};

impl Draft<'_, '_> {
    /// Warns of the alarms that the hypotheses are about.
    pub(super) fn warn_of_alarms(&mut self) {
        let of_alarms = |signal: &&SignalPlan| signal.query.metric == Metric::AlarmState;
        let alarms: Vec<SignalPlan> = self.plan.signals.iter().filter(of_alarms).cloned().collect();
        for alarm in &alarms {
            if let Some(why) = self.survey.unmeasurable(&alarm.query) {
                let what = if alarm.is_judged() { ", so `" } else { "; `" };
                let decides = if alarm.is_judged() { "` does not decide" } else { "` is not shown" };
                self.plan.warnings.push(format!("{why}{what}{}{decides}", alarm.title));
            }
            if let Some(warning) = self.rung_by_own_messages(alarm) {
                self.plan.warnings.push(warning);
            }
        }
    }

    /// An alarm that has to stay quiet, and counts the messages that the run sends.
    fn rung_by_own_messages(&mut self, signal: &SignalPlan) -> Option<String> {
        let Query { resource: alarm, .. } = &signal.query;
        if matches!(signal.bound, Bound::FiresWithin(_) | Bound::Watched)
            || signal.during_fault == DuringFault::MayBreak
        {
            return None;
        }
        let emissions = self.plan.steps.iter().filter_map(|step| Some((&step.fault, step.emission.as_ref()?)));
        let queues: Vec<_> = emissions
            .flat_map(|(fault, emission)| {
                let dead_letter = match &emission.cleanup {
                    Cleanup::Sweep { dead_letter, .. } => Some(dead_letter),
                    Cleanup::LeaveInQueue => None,
                };
                [Some(&emission.queue), dead_letter].into_iter().flatten().map(|queue| (fault.clone(), queue.clone()))
            })
            .collect();
        if queues.is_empty() || self.survey.describe(alarm).is_err() {
            return None;
        }
        let Some(Description::Alarm { queues: watched, .. }) = self.survey.described.get(alarm) else { return None };
        let (fault, queue) = queues.into_iter().find(|(_, queue)| {
            queue.kind == ResourceKind::Queue && queue.location == alarm.location && watched.contains(&queue.name)
        })?;
        Some(format!(
            "{alarm} watches {queue}, which receives the messages of {fault}: they may set it off and break `{}`; \
             write `fires within` for an alarm that must fire, or `during_fault: may_break`",
            signal.title
        ))
    }
}
