//! A generated family of plans: random changes and emissions on the small shop, on an overlapping timeline.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use squall::account::{Location, Metric, Query, Resource, ResourceKind, Setting, Value};
use squall::ids::FaultName;
use squall::ids::RunId;
use squall::judge::weighing::Alpha;
use squall::plan::{Change, ChangeId, Cleanup, Emission, Evidence, Plan, Probe, ProbeTest, Step};
use squall::run::mark::write_marks;
use squall::units::{Span, Time};

fn resource(kind: ResourceKind, name: &str) -> Resource {
    Resource::new(&Location::sandbox(), kind, name)
}

fn change(setting: Setting, before: Value, after: Value) -> Change {
    let whole_before = setting.is_key().then(|| "{}".to_owned());
    Change { setting, before, after, whole_before, expires: None, takes_effect_within: Span::ZERO }
}

fn step(fault: &str, target: &Resource, at: Span, lasts: Span, evidence: Query) -> Step {
    Step {
        fault: FaultName(fault.into()),
        summary: fault.into(),
        hits: vec![target.clone()],
        at,
        lasts,
        changes: Vec::new(),
        emission: None,
        // Nothing is traffic here, so that evidence is not what is tested: the step is over before it is asked for.
        evidence: Evidence {
            expect: "nothing".into(),
            any: vec![Probe { query: evidence, test: ProbeTest::Above(1e9) }],
            within: Span::from_mins(60),
        },
    }
}

/// Faults to choose from, each on another setting.
fn changes(run: &RunId, rng: &mut Pcg64) -> Vec<(&'static str, Change)> {
    let worker = resource(ResourceKind::Function, "payment-worker");
    let role = resource(ResourceKind::Role, "payment-worker-role");
    let parameter = resource(ResourceKind::Parameter, "/shop/faults");
    let policy = Setting::RolePolicy { role, policy: format!("squall-{run}") };
    let flag = |key: &str| Setting::FaultFlag { parameter: parameter.clone(), key: key.into() };
    let latency = r#"{"enabled":true,"percentage":100,"min_latency":500,"max_latency":500}"#;
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"dynamodb:PutItem","Resource":"*"}]}"#;
    let text = |text: &str| Value::Text(text.into());
    let slots = Value::Number(rng.random_range(0..5));
    vec![
        ("lambda.throttle", change(Setting::ReservedConcurrency { function: worker }, Value::Unset, slots)),
        ("lambda.latency", change(flag("latency"), Value::Unset, text(latency))),
        ("lambda.error", change(flag("exception"), Value::Unset, text(r#"{"enabled":true}"#))),
        ("iam.deny", change(policy, Value::Unset, text(deny))),
    ]
}

fn poison(orders: &Resource, dead: &Resource, rng: &mut Pcg64) -> Step {
    let query = Query { metric: Metric::Depth, resource: dead.clone() };
    let mut step = step("sqs.poison", orders, Span::ZERO, Span::from_secs(20), query);
    step.emission = Some(Emission {
        queue: orders.clone(),
        first: 1,
        bodies: (0..rng.random_range(1..4)).map(|n| format!("not json {n}")).collect(),
        group: None,
        interval: Span::from_secs(rng.random_range(0..3)),
        cleanup: Cleanup::Sweep { dead_letter: dead.clone(), arrives_within: Span::from_secs(180), foreign_limit: 20 },
    });
    step
}

fn empty(seed: u64, now: Time) -> Plan {
    Plan {
        run: RunId(format!("run-grid-{seed}")),
        title: format!("family {seed}"),
        because: "the crash grid".into(),
        file: "generated".into(),
        file_hash: String::new(),
        accounts: vec![Location::sandbox()],
        made_at: now,
        seed,
        baseline: Span::from_secs(1),
        recovers_within: Span::from_secs(10),
        alpha: Alpha::USUAL,
        longest: Span::from_mins(60),
        changes: BTreeMap::new(),
        steps: Vec::new(),
        signals: Vec::new(),
        stops: Vec::new(),
        load: Vec::new(),
        watches: Vec::new(),
        warnings: Vec::new(),
        permissions: Vec::new(),
    }
}

/// The plan of this seed: one to five faults, each setting once, on an overlapping timeline.
pub fn plan(seed: u64, now: Time) -> Plan {
    let mut rng = Pcg64::seed_from_u64(seed);
    let (orders, dead) = (resource(ResourceKind::Queue, "orders"), resource(ResourceKind::Queue, "orders-dlq"));
    let mut plan = empty(seed, now);
    let all = changes(&plan.run, &mut rng);
    let poisons = rng.random_bool(0.3);
    let mut chosen: Vec<(&str, Change)> = all.iter().filter(|_| rng.random_bool(0.5)).cloned().collect();
    if chosen.is_empty() && !poisons {
        chosen.extend(all.first().cloned());
    }
    let mut marked: Vec<Resource> = chosen.iter().map(|(_, c)| c.setting.resource().clone()).collect();
    // As the planner does: what is sent to, and what is swept.
    marked.extend(if poisons { vec![orders.clone(), dead.clone()] } else { Vec::new() });
    marked.sort();
    marked.dedup();
    let number = |plan: &mut Plan, change: Change| {
        let id = ChangeId(u32::try_from(plan.changes.len()).expect("few") + 1);
        plan.changes.insert(id, change);
        id
    };
    for resource in marked {
        number(&mut plan, change(Setting::Mark { resource }, Value::Unset, Value::Unset));
    }
    for (fault, planned) in chosen {
        let (at, lasts) = (Span::from_secs(rng.random_range(0..20)), Span::from_secs(rng.random_range(5..40)));
        let query = Query { metric: Metric::Depth, resource: dead.clone() };
        let mut step = step(fault, planned.setting.resource(), at, lasts, query);
        step.changes.push(number(&mut plan, planned));
        plan.steps.push(step);
    }
    if poisons {
        plan.steps.push(poison(&orders, &dead, &mut rng));
    }
    write_marks(&mut plan, "tester@here");
    plan
}

/// When every test's clock starts.
pub fn start() -> Time {
    "2026-03-02T09:00:00Z".parse().expect("an instant")
}

/// One throttle for half a minute.
pub fn throttle() -> Plan {
    let mut plan = plan(0, start());
    let worker = resource(ResourceKind::Function, "payment-worker");
    let mark = Setting::Mark { resource: worker.clone() };
    let throttle = Setting::ReservedConcurrency { function: worker.clone() };
    plan.changes = BTreeMap::from([
        (ChangeId(1), change(mark, Value::Unset, Value::Unset)),
        (ChangeId(2), change(throttle, Value::Unset, Value::Number(0))),
    ]);
    let query = Query { metric: Metric::Depth, resource: resource(ResourceKind::Queue, "orders-dlq") };
    let mut step = step("lambda.throttle", &worker, Span::ZERO, Span::from_secs(30), query);
    step.changes = vec![ChangeId(2)];
    plan.steps = vec![step];
    write_marks(&mut plan, "tester@here");
    plan
}

/// Up to three messages that nobody can read, and nothing else.
pub fn poisoning() -> Plan {
    let mut plan = plan(0, start());
    let (orders, dead) = (resource(ResourceKind::Queue, "orders"), resource(ResourceKind::Queue, "orders-dlq"));
    let marks = [&orders, &dead].map(|queue| Setting::Mark { resource: queue.clone() });
    plan.changes = (1..).map(ChangeId).zip(marks.map(|mark| change(mark, Value::Unset, Value::Unset))).collect();
    plan.steps = vec![poison(&orders, &dead, &mut Pcg64::seed_from_u64(0))];
    write_marks(&mut plan, "tester@here");
    plan
}
