//! What the model knows beside its metrics: for predictions.

use super::metrics::{PERIOD, Series};
use super::world::World;
use crate::account::modelled::{Backlog, Modelled, Usage};
use crate::account::{ResourceKind, Window};

impl Modelled for World {
    fn backlogs(&self) -> Vec<Backlog> {
        let queues = self.model.queues.names().iter().zip(&self.queues.queues);
        queues
            .map(|(name, state)| Backlog {
                queue: name.clone(),
                is_dead_letter: self.is_dead_letter(name),
                minutes: state
                    .minutes
                    .each()
                    .filter_map(|(start, minute)| Some((start + PERIOD, minute.waiting()?)))
                    .collect(),
            })
            .collect()
    }

    fn usage(&self, window: Window) -> Usage {
        let sum = |kind: ResourceKind, index: usize, metric: &str| {
            self.datum(Series { kind, index }, metric, window).map_or(0.0, |datum| datum.sum)
        };
        let mut usage = Usage::default();
        for (index, (_, function)) in self.model.functions.iter().enumerate() {
            let of = |metric: &str| sum(ResourceKind::Function, index, metric);
            usage.invocations += of("Invocations");
            // Durations are in milliseconds, memory in megabytes.
            usage.gb_seconds += of("Duration") / 1e3 * f64::from(function.spec.memory_mb) / 1024.0;
        }
        for index in 0..self.queues.queues.len() {
            let of = |metric: &str| sum(ResourceKind::Queue, index, metric);
            usage.queue_requests +=
                of("NumberOfMessagesSent") + of("NumberOfMessagesReceived") + of("NumberOfMessagesDeleted");
        }
        for index in 0..self.http.apis.len() {
            let of = |metric: &str| sum(ResourceKind::Api, index, metric);
            usage.api_requests += of("Count");
            usage.api_failed += of("5xx") + of("4xx");
        }
        for index in 0..self.tables.tables.len() {
            usage.table_writes += sum(ResourceKind::Table, index, "ConsumedWriteCapacityUnits");
        }
        for index in 0..self.topics.minutes.len() {
            usage.published += sum(ResourceKind::Topic, index, "NumberOfMessagesPublished");
        }
        usage
    }
}

impl World {
    fn is_dead_letter(&self, name: &str) -> bool {
        let mut redrives = self.model.app.queues.values().filter_map(|queue| queue.redrive.as_ref());
        redrives.any(|redrive| redrive.dead_letter == name)
    }
}
