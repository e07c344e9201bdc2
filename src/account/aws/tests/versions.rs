//! Versions that others publish while a function's variables are a run's.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::moments::Moments;
use super::runs::{Process, Run, experiment, project, run_in};
use super::service::Service;
use super::*;
use crate::account::aws::Shared;
use crate::env::Interrupts;
use crate::run::event::{Event, Settled};

const LATENCY: &str = "  - inject: { lambda.latency: { target: worker, delay: 3s } }\n    for: 5m";
const SECRET: &str = "s3cret-5f1a";

fn own() -> BTreeMap<String, String> {
    let variables = [
        ("AWS_LAMBDA_EXEC_WRAPPER", "/opt/bootstrap"),
        ("CHAOS_EXTENSION__LAMBDA__ENABLE_LATENCY", "false"),
        ("DB_PASSWORD", SECRET),
    ];
    variables.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// A run of five minutes; others publish a version then.
fn run(publish_at: Option<&str>, denied: bool) -> (Run, Service) {
    let clock = Arc::new(Moments::default());
    let service = Service::new(&clock, ["pay".to_owned()]);
    {
        let mut state = service.state.lock().unwrap();
        state.variables = own();
        state.versions = vec![("7".into(), "2026-03-01T09:00:00Z".parse().unwrap(), own())];
        state.publish_at = publish_at.map(|at| at.parse().unwrap());
        state.mishap = denied.then(|| {
            let no = |operation: &str| {
                operation.ends_with("/versions").then(|| (false, error(operation, 403, "AccessDeniedException", "no")))
            };
            Box::new(move |_: usize, operation: &str| no(operation)) as service::Mishap
        });
    }
    let process = Process { shared: &Shared::default(), interrupts: Interrupts::none(), run: "run-1" };
    let file = experiment("  worker: { function: pay }", LATENCY, "");
    let run = run_in(process, &project(&[("prod", "eu-west-1")], ""), &service, &clock, &file);
    assert_eq!(service.state.lock().unwrap().variables, own(), "the variables are put back");
    let told = format!("{:?}", run.events);
    assert!(!told.contains(SECRET), "what the function's own variables hold is in no event");
    (run, service)
}

fn left(run: &Run) -> Vec<String> {
    match &run.events.last().unwrap().event {
        Event::Closed { left, .. } => left.iter().map(|left| format!("{} {}", left.what, left.remedy)).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_version_that_others_published_with_the_faults_variables_is_named() {
    let (run, _) = run(Some("2026-03-02T09:04:00Z"), false);
    let is_named = |event: &Event| matches!(event, Event::Settled { how: Settled::Published { versions }, .. } if *versions == ["8"]);
    run.at(is_named);
    let left = left(&run);
    assert!(
        left.len() == 1 && left[0].contains("version 8") && left[0].contains("squall acknowledge run-1"),
        "{left:?}"
    );
}

#[test]
fn a_version_without_them_is_nothing_of_the_runs() {
    // Before the fault went in, after it was out, and never.
    for publish_at in [Some("2026-03-02T09:00:30Z"), None] {
        let (run, service) = run(publish_at, false);
        assert_eq!(left(&run), Vec::<String>::new());
        assert!(service.seen().iter().any(|seen| seen.operation.ends_with("/versions")), "they are looked at");
        assert_eq!(service.state.lock().unwrap().versions.len(), if publish_at.is_some() { 2 } else { 1 });
    }
}

#[test]
fn versions_that_cannot_be_looked_at_are_not_taken_for_none() {
    let (run, _) = run(None, true);
    let left = left(&run);
    assert!(left.len() == 1 && left[0].contains("whether a version was published"), "{left:?}");
}
