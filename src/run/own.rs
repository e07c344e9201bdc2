//! This run's own messages: they are its doing, not the application's, and are not held against a bound.

use super::state::State;
use crate::account::{Metric, Resource};
use crate::judge::bound::Bound;
use crate::plan::SignalPlan;

impl State {
    /// How many of the messages that a signal counts may be this run's own: they are its doing, not the application's,
    /// and are not held against a bound that wants few.
    pub fn own_part(&self, planned: &SignalPlan, value: Option<f64>) -> u32 {
        match (planned.query.metric, planned.bound) {
            (Metric::Depth | Metric::InFlight, Bound::AtMost(_) | Bound::Below(_)) => {
                self.own_messages_in(&planned.query.resource, value)
            }
            _ => 0,
        }
    }

    /// How many of this run's messages may lie in `queue` now, of the so many that are counted in it. A message is in one
    /// queue at a time: in the dead-letter queue, as far as that was last seen to hold so many, and otherwise in its own.
    fn own_messages_in(&self, queue: &Resource, counted: Option<f64>) -> u32 {
        let mut own = 0;
        for (plan, step) in self.plan.steps.iter().zip(&self.steps) {
            let Some(emission) = &plan.emission else { continue };
            let present = step.sends.present();
            if &emission.queue == queue {
                own += present - present.min(step.sends.dead_lettered);
            } else if emission.is_swept_from(queue) {
                own += counted.map_or(present, |counted| present.min(counted.max(0.0) as usize));
            }
        }
        u32::try_from(own).unwrap_or(u32::MAX)
    }

    /// Notes how many of this run's messages a dead-letter queue may hold, where its depth is watched.
    pub(super) fn count_dead_letters(&mut self, planned: &SignalPlan, value: Option<f64>) {
        let (Metric::Depth, Some(value)) = (planned.query.metric, value) else { return };
        let mut counted = value.max(0.0) as usize;
        for (plan, step) in self.plan.steps.iter().zip(&mut self.steps) {
            if plan.emission.as_ref().is_some_and(|emission| emission.is_swept_from(&planned.query.resource)) {
                step.sends.dead_lettered = step.sends.present().min(counted);
                counted -= step.sends.dead_lettered;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::account::{Location, Query, ResourceKind};
    use crate::plan::{Cleanup, Emission};
    use crate::run::state::{Sends, StepState};
    use crate::units::Span;

    fn queue(name: &str) -> Resource {
        Resource::new(&Location::sandbox(), ResourceKind::Queue, name)
    }

    fn depth(name: &str) -> SignalPlan {
        let query = Query { metric: Metric::Depth, resource: queue(name) };
        let watched = SignalPlan::watched("", String::new(), query, Span::from_mins(1));
        SignalPlan { bound: Bound::AtMost(0.0), ..watched }
    }

    /// Ten messages went to `orders`, whose dead-letter queue is swept.
    fn ten_sent() -> State {
        let events = crate::report::sample::never_began();
        let mut state = State::replay(events.iter().map(|recorded| (recorded.at, &recorded.event))).unwrap();
        let mut plan = (*state.plan).clone();
        let cleanup =
            Cleanup::Sweep { dead_letter: queue("dead"), arrives_within: Span::from_mins(5), foreign_limit: 9 };
        plan.steps.truncate(1);
        plan.steps[0].emission = Some(Emission {
            queue: queue("orders"),
            first: 1,
            bodies: vec![String::new(); 10],
            group: None,
            interval: Span::from_secs(1),
            cleanup,
        });
        let sends = Sends { accepted: (1..=10).collect::<BTreeSet<u32>>(), ..Sends::default() };
        state.steps = vec![StepState { sends, ..StepState::default() }];
        state.plan = std::sync::Arc::new(plan);
        state
    }

    #[test]
    fn each_message_is_subtracted_from_one_queue() {
        let mut state = ten_sent();
        let (orders, dead) = (depth("orders"), depth("dead"));
        assert_eq!(state.own_part(&orders, Some(12.0)), 10, "none is dead yet");
        // Four letters are dead, which may be ours: then six are in the queue.
        assert_eq!(state.own_part(&dead, Some(4.0)), 4);
        state.count_dead_letters(&dead, Some(4.0));
        assert_eq!(state.own_part(&orders, Some(12.0)), 6);
        // More are dead than were sent: the rest are others'.
        state.count_dead_letters(&dead, Some(25.0));
        assert_eq!((state.own_part(&dead, Some(25.0)), state.own_part(&orders, Some(3.0))), (10, 0));
        assert_eq!(state.own_part(&depth("others"), Some(3.0)), 0);
    }
}
