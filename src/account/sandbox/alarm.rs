//! CloudWatch alarms: M out of N data points over a threshold, looked at every minute
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html>).
//!
//! An alarm sees what is published, so it changes one period and the publication's delay after the fact at the soonest.

use super::app::{Comparison, MissingData, Threshold};
use super::metrics::{PERIOD, PUBLISHED_AFTER};
use super::watch::{ThresholdModel, Watch};
use super::world::World;
use crate::account::Window;
use crate::units::{Span, Time};

/// CloudWatch looks at more periods than the alarm evaluates, in case some have no data. AWS gives no formula, only that
/// it is five for three evaluation periods
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>): two more.
pub(super) const EXTRA_PERIODS: u32 = 2;
/// An alarm whose evaluation periods are longer than a day together is looked at once an hour, others every minute.
const DAY: Span = Span::from_secs(86_400);
const HOUR: Span = Span::from_secs(3_600);
/// The longest time that an alarm of the model may look back; its metrics are kept for as long.
pub(super) const LONGEST_LOOK: Span = Span::from_secs(7 * 86_400);

/// The states of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AlarmState {
    Ok,
    Alarm,
    InsufficientData,
}

/// Every alarm, in the order of the model.
#[derive(Clone, Debug)]
pub(super) struct Alarms {
    states: Vec<AlarmState>,
    /// What was before is not known; alarms stay as they are until enough is.
    born: Time,
}

impl Alarms {
    pub fn new(number: usize, born: Time) -> Alarms {
        Alarms { states: vec![AlarmState::Ok; number], born }
    }

    /// 1 in ALARM, 0 when OK, nothing when the alarm itself does not know.
    pub fn value(&self, index: usize) -> Option<f64> {
        match self.states[index] {
            AlarmState::Alarm => Some(1.0),
            AlarmState::Ok => Some(0.0),
            AlarmState::InsufficientData => None,
        }
    }

    /// The state of an alarm.
    pub fn state(&self, index: usize) -> AlarmState {
        self.states[index]
    }
}

/// What the data points of the evaluation range make of an alarm: the newest comes first, and `None` is missing.
///
/// The rules are those of AWS's page on missing data: as many of the newest real points as there are evaluation periods;
/// only where there are fewer, the missing ones are filled in as the alarm says.
fn judge(alarm: &Threshold, before: AlarmState, range: &[Option<f64>]) -> AlarmState {
    let breaches = |value: f64| match alarm.comparison {
        Comparison::Greater => value > alarm.threshold,
        Comparison::GreaterOrEqual => value >= alarm.threshold,
        Comparison::Less => value < alarm.threshold,
        Comparison::LessOrEqual => value <= alarm.threshold,
    };
    let wanted = alarm.evaluation_periods.max(1) as usize;
    let to_alarm = alarm.datapoints_to_alarm.max(1) as usize;
    // How many periods ago each point was, counted from one, and whether it breaches.
    let points = (1..).zip(range).filter_map(|(age, value)| value.map(|value| (age, breaches(value))));
    let points: Vec<(usize, bool)> = points.take(wanted).collect();
    let breaching = points.iter().filter(|(_, breaching)| *breaching).count();
    let filled = wanted - points.len();
    let counted = if alarm.missing == MissingData::Breaching { breaching + filled } else { breaching };
    if counted >= to_alarm {
        return AlarmState::Alarm;
    }
    let only_breaching = breaching == points.len();
    match alarm.missing {
        // Nothing was filled in that could matter.
        _ if filled == 0 || !only_breaching => AlarmState::Ok,
        MissingData::Breaching | MissingData::NotBreaching => AlarmState::Ok,
        MissingData::Ignore => before,
        MissingData::Missing => match points.last() {
            None => AlarmState::InsufficientData,
            // "Premature": the oldest point breaches and no newer one contradicts it.
            Some((age, _)) if *age >= to_alarm => AlarmState::Alarm,
            // The next point may still be fine. AWS says that it does not go to ALARM, and not what it does.
            Some(_) => before,
        },
    }
}

impl World {
    /// Looks at every alarm: at those on metrics first, then at those on other alarms.
    pub(super) fn judge_alarms(&mut self) {
        let model = self.model.clone();
        for index in &model.alarm_order {
            let before = self.alarms.states[*index];
            self.alarms.states[*index] = match &model.alarms[*index].watch {
                Watch::Threshold(alarm) => self.judge_threshold(alarm, before),
                Watch::Rule(rule) if rule.holds(&self.alarms) => AlarmState::Alarm,
                Watch::Rule(_) => AlarmState::Ok,
            };
        }
    }

    fn judge_threshold(&self, alarm: &ThresholdModel, before: AlarmState) -> AlarmState {
        let spec = &alarm.spec;
        let periods = spec.evaluation_periods.max(1);
        let looks_back = spec.period * i64::from(periods);
        if looks_back > DAY && self.now.window_start(HOUR) != self.now {
            return before;
        }
        // A longer period is a window that moves on every minute.
        let newest = (self.now - PUBLISHED_AFTER).window_start(PERIOD);
        let known = newest.since(self.alarms.born).micros() / spec.period.micros();
        if known < i64::from(periods) {
            return before;
        }
        let range = known.min(i64::from(periods + EXTRA_PERIODS));
        let values: Vec<Option<f64>> = (0..range)
            .map(|back| {
                let to = newest - spec.period * back;
                alarm.values.value(self, Window { from: to - spec.period, to })
            })
            .collect();
        judge(spec, before, &values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::sandbox::app::{Values, Watches};
    use crate::account::sandbox::shop_like;

    /// Three evaluation periods, of which so many must breach: over 10.
    fn alarm(to_alarm: u32, missing: MissingData) -> Threshold {
        let Watches::Threshold(alarm) = shop_like().alarms["orders-dlq-alarm"].watches.clone() else { panic!() };
        assert!(matches!(alarm.values, Values::Metric(_)));
        Threshold { evaluation_periods: 3, datapoints_to_alarm: to_alarm, threshold: 10.0, missing, ..alarm }
    }

    /// AWS's notation: the newest point on the right, `0` does not breach, `X` does, `-` is missing.
    fn points(row: &str) -> Vec<Option<f64>> {
        let point = |sign: &str| match sign {
            "0" => Some(1.0),
            "X" => Some(11.0),
            _ => None,
        };
        row.split(' ').rev().map(point).collect()
    }

    /// What a row of AWS's tables says, for each way to treat missing data. `None`: the state stays as it was.
    type Row = (&'static str, [Option<AlarmState>; 4]);

    const OK: Option<AlarmState> = Some(AlarmState::Ok);
    const ALARM: Option<AlarmState> = Some(AlarmState::Alarm);
    const NO_DATA: Option<AlarmState> = Some(AlarmState::InsufficientData);
    const RETAINED: Option<AlarmState> = None;

    fn holds(to_alarm: u32, rows: &[Row]) {
        use MissingData as M;
        for (row, wanted) in rows {
            for (missing, wanted) in [M::Missing, M::Ignore, M::Breaching, M::NotBreaching].into_iter().zip(wanted) {
                for before in [AlarmState::Ok, AlarmState::Alarm, AlarmState::InsufficientData] {
                    let got = judge(&alarm(to_alarm, missing), before, &points(row));
                    assert_eq!(got, wanted.unwrap_or(before), "{row}, {missing:?}, {to_alarm} of 3, was {before:?}");
                }
            }
        }
    }

    /// The first table of <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>,
    /// row by row: 3 of 3, evaluation range 5; columns missing, ignore, breaching, notBreaching.
    #[test]
    fn the_table_for_three_of_three() {
        holds(
            3,
            &[
                ("0 - X - X", [OK, OK, OK, OK]),
                ("0 - - - -", [OK, OK, OK, OK]),
                ("- - - - -", [NO_DATA, RETAINED, ALARM, OK]),
                ("0 X X - X", [ALARM, ALARM, ALARM, ALARM]),
                ("- - X - -", [ALARM, RETAINED, ALARM, OK]),
            ],
        );
    }

    /// The second table: 2 of 3.
    #[test]
    fn the_table_for_two_of_three() {
        holds(
            2,
            &[
                ("0 - X - X", [ALARM, ALARM, ALARM, ALARM]),
                ("0 0 X 0 X", [ALARM, ALARM, ALARM, ALARM]),
                ("0 - X - -", [OK, OK, ALARM, OK]),
                ("- - - - 0", [OK, OK, ALARM, OK]),
                ("- - - X -", [ALARM, RETAINED, ALARM, OK]),
            ],
        );
    }

    /// "Avoiding premature transitions": one breaching point is not enough while it is younger than the points that the
    /// alarm wants. What the state is then, the page does not say; it stays.
    #[test]
    fn a_single_new_point_is_premature() {
        for row in ["- - - - X", "- - - X -"] {
            let got = judge(&alarm(3, MissingData::Missing), AlarmState::Ok, &points(row));
            assert_eq!(got, AlarmState::Ok, "{row}");
        }
    }

    #[test]
    fn every_comparison_knows_its_boundary() {
        use Comparison as C;
        for (comparison, at, above) in [
            (C::Greater, AlarmState::Ok, AlarmState::Alarm),
            (C::GreaterOrEqual, AlarmState::Alarm, AlarmState::Alarm),
            (C::Less, AlarmState::Ok, AlarmState::Ok),
            (C::LessOrEqual, AlarmState::Alarm, AlarmState::Ok),
        ] {
            let alarm = Threshold { comparison, ..alarm(1, MissingData::Missing) };
            let judged = |value| judge(&alarm, AlarmState::Ok, &[Some(value), Some(value), Some(value)]);
            assert_eq!((judged(10.0), judged(11.0)), (at, above), "{comparison:?}");
        }
    }
}

#[cfg(test)]
mod ringing {
    use super::super::app::{App, Threshold, Watches};
    use super::super::shop_like;
    use super::super::testing::{at, world};
    use crate::account::Metric;
    use crate::account::ResourceKind::Alarm;
    use crate::units::Span;

    fn app(change: impl Fn(&mut Threshold)) -> App {
        let mut app = shop_like();
        app.mappings.clear();
        let alarm = app.alarms.get_mut("orders-dlq-alarm").unwrap();
        let Watches::Threshold(threshold) = &mut alarm.watches else { panic!() };
        change(threshold);
        app
    }

    fn state(world: &super::World) -> Option<f64> {
        world.value(Metric::AlarmState, Alarm, "orders-dlq-alarm", 0..1)
    }

    fn empty(world: &mut super::World) {
        for id in world.queues.queues[1].messages.keys().copied().collect::<Vec<_>>() {
            world.receive(1, 1, Span::from_secs(30));
            assert!(world.delete_message(1, id, 1));
        }
    }

    #[test]
    fn an_alarm_rings_when_its_metric_is_published_and_stops_by_itself() {
        let mut world = world(&app(|_| {}));
        world.run_until(at(310));
        assert_eq!(state(&world), Some(0.0));
        world.send_to("orders-dlq", &["{}"]);
        // Minute 5 ends at 360, is published at 450, and the alarm looks at 480.
        world.run_until(at(479));
        assert_eq!(state(&world), Some(0.0));
        world.run_until(at(480));
        assert_eq!(state(&world), Some(1.0));
        empty(&mut world);
        world.run_until(at(480 + 240));
        assert_eq!(state(&world), Some(0.0));
    }

    /// With a period of five minutes the window ends at every minute, not only at every fifth.
    #[test]
    fn a_longer_period_moves_on_every_minute() {
        let mut world = world(&app(|alarm| alarm.period = Span::from_mins(5)));
        world.run_until(at(420));
        world.send_to("orders-dlq", &["{}"]);
        // The message is there at 480, which is published at 570: the alarm sees minutes 3 to 7 at 600.
        world.run_until(at(599));
        assert_eq!(state(&world), Some(0.0));
        world.run_until(at(600));
        assert_eq!(state(&world), Some(1.0));
        empty(&mut world);
        // Its gauge was above zero at 480 and 540 and 600 only; minute 9 leaves a window of five at 600 + 300.
        world.run_until(at(600 + 420));
        assert_eq!(state(&world), Some(0.0));
    }
}
