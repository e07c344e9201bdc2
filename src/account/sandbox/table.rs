//! DynamoDB tables, as far as writes go.

use super::limit::TokenBucket;
use super::metrics::{Datum, Minute, Minutes};
use super::model::Model;
use super::world::World;
use crate::units::Time;

/// Provisioned capacity that was not used is kept for so many seconds
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html>).
const BURST_SECONDS: f64 = 300.0;

/// What DynamoDB publishes about a table for one minute.
#[derive(Clone, Debug, Default)]
pub(super) struct TableMinute {
    writes: u32,
    throttled: u32,
}

impl Minute for TableMinute {
    fn datum(&self, metric: &str, _: Time) -> Option<Datum> {
        let value = match metric {
            // Items of up to 1 KB, one unit each.
            "ConsumedWriteCapacityUnits" => self.writes,
            "WriteThrottleEvents" | "ThrottledRequests" => self.throttled,
            _ => return None,
        };
        Datum::ones(value, value)
    }
}

/// A table as it is now.
#[derive(Clone, Debug)]
pub(super) struct TableState {
    pub minutes: Minutes<TableMinute>,
    /// Provisioned capacity; on demand there is none to run out of at the rates of a model.
    provisioned: Option<TokenBucket>,
}

/// Every table, in the order of the model.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub tables: Vec<TableState>,
}

impl Tables {
    pub fn new(model: &Model, now: Time) -> Tables {
        let bucket = |writes: u32| TokenBucket::full(f64::from(writes) * BURST_SECONDS, f64::from(writes), now);
        let state = |spec: &super::app::Table| TableState {
            minutes: Minutes::default(),
            provisioned: spec.writes_per_second.map(bucket),
        };
        Tables { tables: model.tables.iter().map(|(_, spec)| state(spec)).collect() }
    }
}

impl World {
    /// A handler writes an item; `false` when the table throttles it.
    pub(super) fn write_item(&mut self, table: usize) -> bool {
        let now = self.now;
        let state = &mut self.tables.tables[table];
        let fits = state.provisioned.as_mut().is_none_or(|bucket| bucket.take(now));
        let minute = state.minutes.at(now);
        minute.writes += u32::from(fits);
        minute.throttled += u32::from(!fits);
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::super::app::Table;
    use super::super::shop_like;
    use super::super::testing::{at, world};
    use crate::account::Metric;
    use crate::account::ResourceKind::Table as TableKind;

    #[test]
    fn provisioned_capacity_has_a_burst_of_five_minutes_and_then_throttles() {
        let mut app = shop_like();
        app.tables.insert("payments".into(), Table { writes_per_second: Some(2) });
        let mut world = world(&app);
        assert_eq!((0..1000).filter(|_| world.write_item(0)).count(), 600);
        world.run_until(at(10));
        assert_eq!((0..1000).filter(|_| world.write_item(0)).count(), 20);
        world.run_until(at(200));
        assert_eq!(world.value(Metric::Writes, TableKind, "payments", 0..1), Some(620.0));
        assert_eq!(world.value(Metric::Writes, TableKind, "payments", 1..2), None);
    }
}
