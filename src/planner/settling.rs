//! How long after a window's end its values are final. A service stamps what it counts by the start of an invocation and
//! publishes it at the end (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics.html>), so that the failures of
//! slow invocations come last: a window is final when its slowest invocation can have ended.

use super::Draft;
use crate::account::{Metric, Query, ResourceKind};
use crate::units::Span;

/// What a gateway waits for its integration at the most, unless it is raised (API Gateway quotas: 29 s and 30 s).
const GATEWAY: Span = Span::from_secs(30);
/// The longest time-out of a function that could not be described (Lambda quotas).
const LONGEST: Span = Span::from_secs(900);
/// A signal that is final only after this is better replaced.
const TOO_LATE: Span = Span::from_mins(20);

impl Draft<'_, '_> {
    /// Plans the settling time of everything that is measured.
    pub(super) fn plan_settling(&mut self) {
        let signals = self.plan.signals.iter().map(|signal| signal.query.clone());
        let indicators =
            self.plan.steps.iter().flat_map(|step| &step.evidence.any).map(|indicator| indicator.query.clone());
        let queries: Vec<Query> = signals.chain(indicators).collect();
        let mut settles = queries.iter().map(|query| self.settles(query)).collect::<Vec<_>>().into_iter();
        for signal in &mut self.plan.signals {
            signal.settles = settles.next().unwrap_or_else(|| signal.query.metric.delay());
        }
        for indicator in self.plan.steps.iter_mut().flat_map(|step| &mut step.evidence.any) {
            indicator.settles = settles.next().unwrap_or_else(|| indicator.query.metric.delay());
        }
        let late = self.plan.signals.iter().filter(|signal| signal.settles > TOO_LATE).map(|signal| {
            format!(
                "the values of `{}` are final only {} after their minute, when its slowest call must have ended, and the verdict waits for that; a signal of its caller, or of its queue, is final sooner",
                signal.title, signal.settles
            )
        });
        let late: Vec<String> = late.collect();
        self.plan.warnings.extend(late);
    }

    /// How long after a window's end a value is final.
    fn settles(&mut self, query: &Query) -> Span {
        let delay = query.metric.delay();
        let waits_for_the_end = matches!(
            query.metric,
            Metric::Calls | Metric::Errors | Metric::FailedShare | Metric::SlowShare { .. } | Metric::Duration
        );
        match query.resource.kind {
            ResourceKind::Function if waits_for_the_end => {
                let described = self.survey.describe(&query.resource).is_ok();
                let function = self.survey.described.function(&query.resource).filter(|_| described);
                delay + function.map_or(LONGEST, |function| function.timeout)
            }
            ResourceKind::Api if waits_for_the_end => delay + GATEWAY,
            _ => delay,
        }
    }
}
