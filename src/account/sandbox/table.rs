//! DynamoDB tables, as far as writes go.

use super::limit::TokenBucket;
use super::metrics::{Datum, Minute, Minutes};
use super::model::Model;
use super::world::World;
use crate::units::Time;

/// Provisioned capacity that was not used is kept for so many seconds
/// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html).
const BURST_SECONDS: f64 = 300.0;

/// What DynamoDB publishes about a table for one minute.
#[derive(Clone, Debug, Default)]
pub(super) struct TableMinute {
    writes: u32,
    throttled: u32,
}

impl Minute for TableMinute {
    fn datum(&self, metric: &str) -> Option<Datum> {
        let value = match metric {
            // Items of up to 1 KB, one unit each.
            "ConsumedWriteCapacityUnits" => self.writes,
            "WriteThrottleEvents" | "ThrottledRequests" => self.throttled,
            _ => return None,
        };
        (value > 0).then(|| Datum::of(f64::from(value)))
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
