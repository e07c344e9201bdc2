//! What the last hour of an account says of evidence that cannot appear.

use super::*;
use crate::account::{CallError, CallId, Metric, Outcome, Permitted, RefusedBy, Sample, Window};

/// The sandbox's world with the past of an account of AWS.
struct WithPast {
    world: World,
    past: fn(Metric) -> Option<Sample>,
    may_search: bool,
    answers: Vec<(CallId, Outcome)>,
    /// The windows that were measured.
    asked: Vec<Window>,
}

impl Account for WithPast {
    fn now(&self) -> Time {
        self.world.now()
    }

    fn submit(&mut self, id: CallId, call: Call) {
        let answer = match &call {
            Call::Measure { query, window } if window.to.since(window.from) == Span::from_mins(60) => {
                self.asked.push(*window);
                let denied =
                    CallError::Refused { by: RefusedBy::Permission, message: "cloudwatch:GetMetricData".into() };
                (self.past)(query.metric).map(Reply::Sample).ok_or(denied)
            }
            Call::Permitted { actions, .. } if actions.iter().all(|action| action.action == "logs:StartQuery") => {
                let answer = if self.may_search { Permitted::Yes } else { Permitted::No("implicitDeny".into()) };
                Ok(Reply::Permitted(actions.iter().map(|_| answer.clone()).collect()))
            }
            _ => return self.world.submit(id, call),
        };
        self.answers.push((id, answer));
    }

    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)> {
        self.answers.pop().or_else(|| self.world.next(until))
    }
}

const OF_600: Option<u64> = Some(600);

/// 600 calls in the hour, of which 2 % fail and none is slow, up to five at a time.
fn usual(metric: Metric) -> Option<Sample> {
    Some(match metric {
        Metric::FailedShare => Sample { value: Some(0.02), of: OF_600 },
        Metric::SlowShare { .. } => Sample { value: Some(0.0), of: OF_600 },
        Metric::UndoneShare => Sample { value: Some(0.0), of: OF_600 },
        _ => Sample { value: Some(5.0), of: None },
    })
}

fn warnings_in(account: &mut WithPast, faults: &str) -> Vec<String> {
    let (project, _) = Loaded::<Project>::read(&Source::new("squall.yaml", probes::PROJECT));
    let rules = Rules::in_model(&project.unwrap().value);
    plan_under(account, &file(faults), 7, &rules).unwrap().warnings
}

fn warnings(faults: &str, past: fn(Metric) -> Option<Sample>) -> Vec<String> {
    let world = world(&shop_like());
    let mut account = WithPast { world, past, may_search: true, answers: Vec::new(), asked: Vec::new() };
    let warnings = warnings_in(&mut account, faults);
    let told = ["last whole hour", "last hour"];
    warnings.into_iter().filter(|warning| told.iter().any(|words| warning.contains(words))).collect()
}

fn fault(yaml: &str) -> String {
    format!("  - inject: {{ {yaml} }}\n    at: 0m\n    for: 10m")
}

#[test]
fn a_flag_of_2_percent_beside_2_percent_of_failures_is_said_to_show_in_the_log_alone() {
    let found = warnings(&fault("lambda.error: { target: worker, share: 2 % }"), usual);
    let [warning] = found.as_slice() else { panic!("{found:?}") };
    for part in ["was 2 % of 10 a minute", "it would be 3.96 %", "only lines in the log of payment-worker"] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    assert_eq!(warnings(&fault("lambda.error: { target: worker, share: 50 % }"), usual), [""; 0]);
}

#[test]
fn what_is_slow_anyway_shows_no_delay() {
    let slow = |metric| match metric {
        Metric::SlowShare { .. } => Some(Sample { value: Some(1.0), of: OF_600 }),
        other => usual(other),
    };
    let found = warnings(&fault("lambda.latency: { target: worker, delay: 1s }"), slow);
    assert!(found.len() == 1 && found[0].contains("was 100 %"), "{found:?}");
    assert_eq!(warnings(&fault("lambda.latency: { target: worker, delay: 1s }"), usual), [""; 0]);
}

#[test]
fn without_calls_nothing_is_shown() {
    let idle = |_| Some(Sample { value: None, of: None });
    for yaml in ["lambda.throttle: { target: worker, concurrency: 0 }", "lambda.error: { target: worker }"] {
        let found = warnings(&fault(yaml), idle);
        assert!(found.len() == 1 && found[0].contains("had no call"), "{found:?}");
    }
}

#[test]
fn a_cap_that_was_not_reached_is_said() {
    let found = warnings(&fault("lambda.throttle: { target: worker, concurrency: 9 }"), usual);
    assert!(found.len() == 1 && found[0].contains("at most 5 of payment-worker ran"), "{found:?}");
    assert_eq!(warnings(&fault("lambda.throttle: { target: worker, concurrency: 1 }"), usual), [""; 0]);
}

#[test]
fn what_cannot_be_measured_is_said_and_a_model_has_no_past() {
    let found = warnings(&fault("lambda.error: { target: worker, share: 2 % }"), |_| None);
    assert!(found.len() == 1 && found[0].contains("cloudwatch:GetMetricData"), "{found:?}");
    let plan = planned(&fault("lambda.error: { target: worker, share: 2 % }"));
    assert!(!plan.warnings.iter().any(|warning| warning.contains("hour")), "{:?}", plan.warnings);
}

#[test]
fn few_measurements_of_one_whole_hour_of_the_clock_are_made() {
    let world = world(&shop_like());
    let mut account = WithPast { world, past: usual, may_search: false, answers: Vec::new(), asked: Vec::new() };
    let denied = fault("iam.deny: { target: worker, actions: ['dynamodb:PutItem'], resources: [payments] }");
    let warnings = warnings_in(&mut account, &denied);
    assert!((1..=3).contains(&account.asked.len()), "{:?}", account.asked);
    let hour: Time = "2026-03-02T08:00:00Z".parse().unwrap();
    assert!(account.asked.iter().all(|window| window.to == hour), "{:?}", account.asked);
    let search = warnings.iter().find(|warning| warning.contains("may not search")).unwrap();
    assert!(
        search.contains("log-group:/aws/lambda/payment-worker:*") && search.contains("logs:StartQuery"),
        "{search}"
    );
}
