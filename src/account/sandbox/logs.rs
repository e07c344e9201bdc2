//! The logs of functions, as far as lines in them show a fault: what a wrapper says of the faults that it injects, and calls that
//! were refused because of an explicit deny. A count for each minute that has any.
//!
//! A handler is taken to log a failure that ends its invocation, because Lambda's runtimes do, and no other.

use std::collections::{BTreeMap, VecDeque};

use super::metrics::PERIOD;
use super::world::World;
use crate::account::{Injected, LogSearch, LoggedMinute, Outcome, Reply, Resource, Trace, Window};
use crate::template::pattern::like_ignoring_case;
use crate::units::{Span, Time};

/// So many minutes with such lines are kept for each function.
const KEPT: usize = 1_500;
/// A line can be found so long after it was written. AWS says seconds, "at most minutes".
const INGESTED_AFTER: Span = Span::from_secs(30);

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Line {
    Injected(Injected),
    /// A call that needed this action was refused because of an explicit deny.
    Denied(&'static str),
}

/// The lines of one minute.
type Minute = (Time, BTreeMap<Line, u64>);

/// The log of each function that has such lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Logs(BTreeMap<usize, VecDeque<Minute>>);

impl World {
    /// A function writes a line into its log.
    pub(super) fn log(&mut self, function: usize, line: Line) {
        let minute = self.now.window_start(PERIOD);
        let log = self.logs.0.entry(function).or_default();
        if log.back().is_none_or(|(at, _)| *at < minute) {
            log.push_back((minute, BTreeMap::new()));
        }
        if let Some((_, lines)) = log.back_mut() {
            *lines.entry(line).or_default() += 1;
        }
        if log.len() > KEPT {
            log.pop_front();
        }
    }

    /// How often a line was written in a window, as far as it can be found by now.
    pub(super) fn lines(&self, function: usize, window: Window, means: impl Fn(Line) -> bool) -> Vec<LoggedMinute> {
        let to = window.to.min(self.now - INGESTED_AFTER);
        let within = |(at, _): &&Minute| *at >= window.from && *at + PERIOD <= to;
        let mut minutes = Vec::new();
        for (from, lines) in self.logs.0.get(&function).into_iter().flatten().filter(within) {
            let lines = lines.iter().filter(|(line, _)| means(**line)).map(|(_, count)| count).sum();
            if lines > 0 {
                minutes.push(LoggedMinute { from: *from, lines });
            }
        }
        minutes
    }

    /// What a search of the logs finds.
    pub(super) fn search_logs(&self, search: &LogSearch, window: Window) -> Outcome {
        let means = |line: Line| match (&search.trace, line) {
            (Trace::Injected { fault }, Line::Injected(injected)) => *fault == injected,
            (Trace::Denied { actions }, Line::Denied(action)) => {
                actions.iter().any(|pattern| like_ignoring_case(pattern, action))
            }
            _ => false,
        };
        let mut found: BTreeMap<Time, u64> = BTreeMap::new();
        for log in &search.logs {
            let function = self.index_of(&Resource { qualifier: None, ..log.function.clone() })?;
            for minute in self.lines(function, window, means) {
                *found.entry(minute.from).or_default() += minute.lines;
            }
        }
        Ok(Reply::Logged(found.into_iter().map(|(from, lines)| LoggedMinute { from, lines }).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::sandbox::shop_like;
    use crate::account::sandbox::testing::{at, resource, world};
    use crate::account::{FunctionLog, Metric, ResourceKind};

    fn found(world: &World, trace: Trace) -> Vec<(i64, u64)> {
        let function = resource(ResourceKind::Function, "payment-worker");
        let log = FunctionLog { function: function.clone(), group: "/aws/lambda/payment-worker".into() };
        let search = LogSearch { at: function.location, logs: vec![log], trace };
        let Ok(Reply::Logged(found)) = world.search_logs(&search, Window { from: at(0), to: at(600) }) else {
            panic!()
        };
        found.iter().map(|minute| (minute.from.since(at(0)).micros() / 60_000_000, minute.lines)).collect()
    }

    #[test]
    fn lines_are_counted_by_the_minute_and_found_when_they_are_ingested() {
        let mut world = world(&shop_like());
        world.put("/shop/faults", r#"{"exception": {"enabled": true}}"#);
        world.run_until(at(61));
        world.load(resource(ResourceKind::Function, "payment-worker"), 3, Span::from_secs(3)).unwrap();
        let of = |fault| Trace::Injected { fault };
        assert_eq!(found(&world, of(Injected::Error)), [], "the minute is not over");
        world.run_until(at(200));
        assert_eq!(found(&world, of(Injected::Error)), [(1, 3)]);
        assert_eq!(found(&world, of(Injected::Latency)), []);
    }

    #[test]
    fn a_denied_call_is_logged_where_it_ends_the_invocation() {
        let mut world = world(&shop_like());
        let deny = r#"{"Statement": [{"Effect": "Deny", "Action": "dynamodb:Put*", "Resource": "*"}]}"#;
        world.iam.put_at_once(0, "deny", Some(deny));
        world.load(resource(ResourceKind::Function, "payment-worker"), 2, Span::from_secs(2)).unwrap();
        world.run_until(at(200));
        let denied = |action: &str| Trace::Denied { actions: vec![action.into()] };
        assert_eq!(found(&world, denied("DynamoDB:PutItem")), [(0, 2)]);
        assert_eq!(found(&world, denied("dynamodb:Get*")), []);
    }

    #[test]
    fn old_minutes_are_forgotten() {
        let mut world = world(&shop_like());
        for minute in 0..2 * i64::try_from(KEPT).unwrap() {
            world.now = at(60 * minute);
            world.log(0, Line::Denied("dynamodb:PutItem"));
        }
        assert_eq!(world.logs.0[&0].len(), KEPT);
    }

    /// Five invocations of a worker with an order of the layer, whose timeout is 30 s: what is counted in the minutes that follow.
    fn ordered(fault: &str) -> World {
        let mut app = shop_like();
        let worker = app.functions.get_mut("payment-worker").unwrap();
        worker.environment = BTreeMap::from([
            ("SQUALL_FAULTS_PARAM".into(), "/shop/faults".into()),
            ("AWS_LAMBDA_EXEC_WRAPPER".into(), crate::layer::WRAPPER.into()),
        ]);
        let order =
            format!(r#"{{"version": 1, "x": {{"run": "r", "until": "2030-01-01T00:00:00Z", "fault": {fault}}}}}"#);
        app.parameters.insert("/shop/faults".into(), order);
        let mut world = world(&app);
        world.load(resource(ResourceKind::Function, "payment-worker"), 5, Span::from_secs(10)).unwrap();
        world.run_until(at(300));
        world
    }

    #[test]
    fn the_layer_counts_what_it_injects() {
        for (fault, injected, failed) in [
            (r#"{"error": {"message": "no"}}"#, Injected::Error, 5.0),
            (r#"{"response": {"with": {"status": 503}}}"#, Injected::Response, 0.0),
            (r#"{"response": {"when": "after", "with": {"truncated": 1}}}"#, Injected::Response, 0.0),
            (r#"{"hang": {"answer": "past_deadline"}}"#, Injected::Hang, 5.0),
            (r#"{"hang": {"answer": "before_deadline"}}"#, Injected::Hang, 0.0),
        ] {
            let world = ordered(fault);
            let value = |metric| world.value(metric, ResourceKind::Function, "payment-worker", 0..2);
            for counted in Injected::ALL {
                let expected = (counted == injected).then_some(5.0);
                assert_eq!(value(Metric::FaultsInjected { fault: counted }), expected, "{fault} {counted:?}");
            }
            assert_eq!(value(Metric::Errors), Some(failed), "{fault}");
            if injected == Injected::Hang {
                let duration = value(Metric::Duration).unwrap();
                let timeout = world.model.functions[0].spec.timeout.secs_f64();
                let expected = if failed > 0.0 { timeout } else { timeout - 0.1 };
                assert!((duration - expected).abs() < 0.001, "{fault}: {duration}");
            }
        }
    }
}
