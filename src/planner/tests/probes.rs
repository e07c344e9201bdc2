//! Probes: what their account says of them comes into the plan, with what they need.

use super::*;
use crate::account::target::SelectBy;
use crate::account::{CallId, Description, Metric, Outcome, ResourceKind};

/// The sandbox's world, with the probes of an account of AWS.
struct WithProbes(World, Vec<(CallId, Outcome)>);

impl Account for WithProbes {
    fn now(&self) -> Time {
        self.0.now()
    }

    fn submit(&mut self, id: CallId, call: Call) {
        let answer = match &call {
            Call::Resolve { selector, location } if selector.kind == ResourceKind::Probe => match &selector.by {
                SelectBy::Name(name) => Reply::Resources(vec![Resource::new(location, ResourceKind::Probe, name)]),
                other => panic!("{other:?}"),
            },
            Call::Describe { resource } if resource.kind == ResourceKind::Probe => {
                let (settles, by_the_minute) = match resource.name.as_str() {
                    "share" => (Span::from_secs(120), true),
                    "errors" => (Span::from_secs(30), false),
                    _ => (Span::ZERO, false),
                };
                Reply::Description(Box::new(Description::Probe { name: resource.name.clone(), settles, by_the_minute }))
            }
            _ => return self.0.submit(id, call),
        };
        self.1.push((id, Ok(answer)));
    }

    fn next(&mut self, until: Time) -> Option<(CallId, Outcome)> {
        self.1.pop().or_else(|| self.0.next(until))
    }
}

pub const PROJECT: &str = "version: 1
default_account: sandbox
accounts:
  sandbox:
    aws:
      id: '000000000000'
      region: eu-west-1
      writing: allowed
      dead_man: none
      probes:
        checkout: { http: { url: 'https://shop.example/health' } }
        errors: { logs: { groups: [/aws/lambda/pay], query: stats count(*) } }
        share:
          metric_math:
            expression: failed / all
            metrics:
              failed: { namespace: Shop, name: Failed, statistic: Sum }
              all: { namespace: Shop, name: All, statistic: Sum }
";

fn planned(signals: &str) -> Result<Plan, Vec<Objection>> {
    let (project, findings) = Loaded::<Project>::read(&Source::new("squall.yaml", PROJECT));
    let rules = Rules::in_model(&project.unwrap_or_else(|| panic!("{}", findings.render(Style::Plain))).value);
    let text = file(THROTTLE).replace("  - signal: depth of orders is at most 100\n", signals);
    plan_under(&mut WithProbes(world(&shop_like()), Vec::new()), &text, 7, &rules)
}

#[test]
fn a_probe_brings_along_when_it_is_final_and_what_it_needs() {
    let signals = "  - signal: value of checkout is at least 1\n    every: 10s
  - signal: value of errors is at most 3
  - signal: value of share is below 0.1\n";
    let plan = planned(signals).unwrap();
    let metrics: Vec<Metric> = plan.signals.iter().take(3).map(|signal| signal.query.metric).collect();
    assert_eq!(metrics, [0, 30, 120].map(|settles| Metric::Value { settles: Span::from_secs(settles) }));
    assert_eq!(plan.signals[1].query.to_string(), "value of errors");
    let needs: Vec<(&str, &str)> = plan
        .permissions
        .iter()
        .filter(|need| need.purpose == Purpose::Measure)
        .map(|need| (need.action.as_str(), need.resource.as_str()))
        .collect();
    assert_eq!(
        needs,
        [
            ("cloudwatch:GetMetricData", "*"),
            ("logs:GetQueryResults", "*"),
            ("logs:StartQuery", "arn:aws:logs:*:000000000000:log-group:/aws/lambda/pay:*"),
            ("logs:StopQuery", "*"),
        ]
    );
}

#[test]
fn metric_math_wants_whole_minutes() {
    let objections = planned("  - signal: value of share is below 0.1\n    every: 90s\n").unwrap_err();
    assert_eq!(objections.len(), 1, "{objections:?}");
    assert!(objections[0].to_string().contains("whole minute"), "{}", objections[0]);
}

#[test]
fn the_sandbox_has_no_probes() {
    let text = file(THROTTLE).replace("depth of orders is at most 100", "value of checkout is at least 1");
    refused(&text, "hypotheses/0", &["`checkout` is neither a target nor a resource of account sandbox"]);
}

#[test]
fn a_condition_says_how_long_it_may_hold_before_the_run_stops() {
    let (project, _) = Loaded::<Project>::read(&Source::new("squall.yaml", PROJECT));
    let rules = Rules::in_model(&project.unwrap().value);
    let stops =
        "  stop_when: [age of orders > 15m, depth of orders > 500, value of errors > 9, value of checkout < 1]\n";
    let text = file(THROTTLE) + stops;
    let plan = plan_under(&mut WithProbes(world(&shop_like()), Vec::new()), &text, 7, &rules).unwrap();
    let lines = show::lines(&plan);
    let from = lines.iter().position(|line| line == "What stops it").unwrap();
    insta::assert_snapshot!(lines[from + 1..from + 5].iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n"), @"
    age of orders > 15m (acts within 4m: by whole minutes, published late; messages received three times do not count)
    depth of orders > 500 (acts within 10s: read directly)
    value of errors > 9 (acts within 2m30s: by whole minutes, published late)
    value of checkout < 1 (acts within 10s: read directly)
    ");
}

#[test]
fn load_on_an_api_of_aws_says_what_it_asks_for() {
    let load = "load:\n  - { to: shop, rate: 1/s, at_most: 10000 }\n";
    let text = file(THROTTLE).replace("targets:\n", "targets:\n  shop: { api: ShopApi }\n") + load;
    let text = text.replace("payment-worker", "PaymentWorker").replace("queue: orders", "queue: OrdersQueue");
    let text = text.replace("table: payments", "table: PaymentsTable");
    let (project, _) = Loaded::<Project>::read(&Source::new("squall.yaml", PROJECT));
    let says = |rules: &Rules| {
        let plan = plan_under(&mut world(&shop()), &text, 7, rules).unwrap();
        plan.warnings.iter().any(|warning| warning.contains("`GET /`"))
    };
    assert!(says(&Rules::in_model(&project.unwrap().value)));
    assert!(!says(&Rules::in_model(&Project::default())));
}
