//! CloudWatch alarms: M out of N periods over a threshold, looked at every minute
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html>).
//!
//! An alarm sees what is published, so it rings one period and the publication's delay after the fact at the soonest.

use super::app::{Alarm, Comparison, MissingData};
use super::metrics::{PERIOD, PUBLISHED_AFTER, Series};
use super::world::World;
use crate::account::Window;
use crate::units::{Span, Time};

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
}

/// A statistic by its CloudWatch name.
fn statistic(world: &World, of: Series, alarm: &Alarm, window: Window) -> Option<f64> {
    let name = alarm.metric.statistic.as_str();
    if let Some(percent) = name.strip_prefix('p').and_then(|text| text.parse::<f64>().ok()) {
        return world.durations(of, window).percentile(percent).map(|micros| micros / 1e3);
    }
    let datum = world.datum(of, &alarm.metric.name, window)?;
    Some(match name {
        "Sum" => datum.sum,
        "Minimum" => datum.min,
        "Maximum" => datum.max,
        "SampleCount" => datum.count,
        _ => datum.sum / datum.count,
    })
}

/// What the newest periods make of an alarm; `None` for a period without data.
fn judge(alarm: &Alarm, before: AlarmState, values: &[Option<f64>]) -> AlarmState {
    let breaches = |value: f64| match alarm.comparison {
        Comparison::Greater => value > alarm.threshold,
        Comparison::GreaterOrEqual => value >= alarm.threshold,
        Comparison::Less => value < alarm.threshold,
        Comparison::LessOrEqual => value <= alarm.threshold,
    };
    let breaching = values.iter().filter(|value| match value {
        Some(value) => breaches(*value),
        None => alarm.missing == MissingData::Breaching,
    });
    if breaching.count() >= alarm.datapoints_to_alarm.max(1) as usize {
        return AlarmState::Alarm;
    }
    if values.iter().any(Option::is_some) {
        return AlarmState::Ok;
    }
    match alarm.missing {
        MissingData::Missing => AlarmState::InsufficientData,
        MissingData::Ignore => before,
        MissingData::NotBreaching | MissingData::Breaching => AlarmState::Ok,
    }
}

impl World {
    /// Looks at every alarm.
    pub(super) fn judge_alarms(&mut self) {
        let model = self.model.clone();
        for (index, (_, of)) in model.alarms.iter().enumerate() {
            let alarm = &of.spec;
            let period = alarm.period.max(PERIOD);
            let newest = (self.now - PUBLISHED_AFTER).window_start(period);
            let length = Span::from_micros(period.micros() * i64::from(alarm.evaluation_periods.max(1)));
            if newest < self.alarms.born + length {
                continue;
            }
            let values: Vec<Option<f64>> = (0..i64::from(alarm.evaluation_periods.max(1)))
                .map(|back| {
                    let to = newest - period * back;
                    statistic(self, of.series?, alarm, Window { from: to - period, to })
                })
                .collect();
            self.alarms.states[index] = judge(alarm, self.alarms.states[index], &values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::sandbox::shop_like;

    fn judged(missing: MissingData, before: AlarmState, values: &[Option<f64>]) -> AlarmState {
        let alarm = Alarm {
            evaluation_periods: 3,
            datapoints_to_alarm: 2,
            threshold: 10.0,
            missing,
            ..shop_like().alarms["orders-dlq-alarm"].clone()
        };
        judge(&alarm, before, values)
    }

    #[test]
    fn m_out_of_n_periods_ring() {
        let judged = |values: &[Option<f64>]| judged(MissingData::NotBreaching, AlarmState::Ok, values);
        assert_eq!(judged(&[Some(11.0), Some(1.0), Some(11.0)]), AlarmState::Alarm);
        assert_eq!(judged(&[Some(11.0), Some(10.0), Some(1.0)]), AlarmState::Ok);
    }

    #[test]
    fn missing_data_is_taken_as_the_alarm_says() {
        use AlarmState as S;
        use MissingData as M;
        let nothing = [None, None, None];
        assert_eq!(judged(M::Missing, S::Ok, &nothing), S::InsufficientData);
        assert_eq!(judged(M::NotBreaching, S::Alarm, &nothing), S::Ok);
        assert_eq!(judged(M::Breaching, S::Ok, &nothing), S::Alarm);
        assert_eq!(judged(M::Ignore, S::Alarm, &nothing), S::Alarm);
        assert_eq!(judged(M::Breaching, S::Ok, &[Some(11.0), None, Some(1.0)]), S::Alarm);
        assert_eq!(judged(M::Missing, S::Ok, &[Some(11.0), None, None]), S::Ok);
    }
}

#[cfg(test)]
mod ringing {
    use super::super::shop_like;
    use super::super::testing::{at, world};
    use crate::account::Metric;
    use crate::account::ResourceKind::Alarm;

    #[test]
    fn an_alarm_rings_when_its_metric_is_published_and_stops_by_itself() {
        let mut app = shop_like();
        app.mappings.clear();
        let mut world = world(&app);
        world.run_until(at(310));
        let state = |world: &super::World| world.value(Metric::AlarmState, Alarm, "orders-dlq-alarm", 0..1);
        assert_eq!(state(&world), Some(0.0));
        world.send_to("orders-dlq", &["{}"]);
        // Minute 5 ends at 360, is published at 450, and the alarm looks at 480.
        world.run_until(at(479));
        assert_eq!(state(&world), Some(0.0));
        world.run_until(at(480));
        assert_eq!(state(&world), Some(1.0));
        world.queues.queues[1].messages.keys().copied().collect::<Vec<_>>().into_iter().for_each(|id| {
            world.receive(1, 1, crate::units::Span::from_secs(30));
            assert!(world.delete_message(1, id, 1));
        });
        world.run_until(at(480 + 240));
        assert_eq!(state(&world), Some(0.0));
    }
}
