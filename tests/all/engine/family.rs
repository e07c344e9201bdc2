//! A generated family of plans: random changes and emissions on the small shop, on an overlapping timeline.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use squall::account::kind::Sample;
use squall::account::sandbox::{World, shop_like};
use squall::account::{Location, Metric, Query, Resource, ResourceKind, Setting, Value, Write};
use squall::ids::FaultName;
use squall::ids::RunId;
use squall::judge::weighing::Alpha;
use squall::plan::{Change, ChangeId, Cleanup, Emission, Evidence, Indicator, IndicatorTest, Plan, Step};
use squall::run::lock::write_locks;
use squall::units::{Span, Time};

fn resource(kind: ResourceKind, name: &str) -> Resource {
    Resource::new(&Location::sandbox(), kind, name)
}

fn change(setting: Setting, before: Value, after: Value) -> Change {
    let whole_before = setting.key().is_some().then(|| "{}".to_owned());
    Change {
        setting,
        before,
        after,
        whole_before,
        expires: None,
        takes_effect_within: Span::ZERO,
        lasts_after: Span::ZERO,
    }
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
            any: vec![Indicator { settles: evidence.metric.delay(), query: evidence, test: IndicatorTest::Appears }],
            logs: None,
            within: Span::from_mins(60),
        },
    }
}

/// The resource of the small shop that has the settings of a kind.
pub fn in_the_shop(kind: ResourceKind) -> Resource {
    let name = match kind {
        ResourceKind::Function => "payment-worker",
        ResourceKind::Queue => "orders",
        ResourceKind::Role => "payment-worker-role",
        ResourceKind::Parameter => "/shop/faults",
        other => panic!("no {other:?} has a setting so far"),
    };
    resource(kind, name)
}

/// A change of each setting that the sandbox can change, with the value that the small shop has before.
fn changes(run: &RunId, now: Time, rng: &mut Pcg64) -> Vec<Change> {
    let world = World::new(&shop_like(), 0, now).expect("a world");
    let mut changes = Vec::new();
    // A document and a key in it are written by two faults that exclude each other.
    let keys = rng.random_bool(0.5);
    for Sample { mut setting, mut value, whole } in Setting::samples(&in_the_shop) {
        let excluded = if keys { matches!(setting, Setting::FaultDocument { .. }) } else { setting.key().is_some() };
        if setting.is_lock() || excluded {
            continue;
        }
        if let Setting::RolePolicy { policy, .. } = &mut setting {
            *policy = format!("squall-{run}");
        }
        if let Setting::ReservedConcurrency { .. } = setting {
            value = Value::Number(rng.random_range(0..5));
        }
        let write = Write { setting: setting.clone(), value: value.clone(), whole };
        if let (Ok(before), Ok(())) = (world.setting(&setting), world.clone().set(&write)) {
            changes.push(change(setting, before.value, value));
        }
    }
    changes
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
        rolls_back: None,
        title: format!("family {seed}"),
        because: "the crash grid".into(),
        file: "generated".into(),
        file_hash: String::new(),
        inputs: BTreeMap::new(),
        accounts: vec![Location::sandbox()],
        made_at: now,
        seed,
        baseline: Span::from_secs(1),
        baseline_at_most: Span::from_secs(1),
        recovers_within: Span::from_secs(10),
        alpha: Alpha::USUAL,
        longest: Span::from_mins(60),
        changes: BTreeMap::new(),
        steps: Vec::new(),
        signals: Vec::new(),
        stops: Vec::new(),
        load: Vec::new(),
        watches: Vec::new(),
        switches: Vec::new(),
        warnings: Vec::new(),
        permissions: Vec::new(),
    }
}

/// The plan of this seed: one to five faults, each setting once, on an overlapping timeline.
pub fn plan(seed: u64, now: Time) -> Plan {
    let mut rng = Pcg64::seed_from_u64(seed);
    let (orders, dead) = (resource(ResourceKind::Queue, "orders"), resource(ResourceKind::Queue, "orders-dlq"));
    let mut plan = empty(seed, now);
    let all = changes(&plan.run, now, &mut rng);
    let poisons = rng.random_bool(0.3);
    let mut chosen: Vec<Change> = all.iter().filter(|_| rng.random_bool(0.5)).cloned().collect();
    if chosen.is_empty() && !poisons {
        chosen.extend(all.first().cloned());
    }
    let mut locked: Vec<Resource> = chosen.iter().map(|change| change.setting.resource().clone()).collect();
    // As the planner does: what is sent to, and what is swept.
    locked.extend(if poisons { vec![orders.clone(), dead.clone()] } else { Vec::new() });
    locked.sort();
    locked.dedup();
    let number = |plan: &mut Plan, change: Change| {
        let id = ChangeId(u32::try_from(plan.changes.len()).expect("few") + 1);
        plan.changes.insert(id, change);
        id
    };
    for resource in locked {
        number(&mut plan, change(Setting::Lock { resource }, Value::Unset, Value::Unset));
    }
    for planned in chosen {
        let (at, lasts) = (Span::from_secs(rng.random_range(0..20)), Span::from_secs(rng.random_range(5..40)));
        let query = Query { metric: Metric::Depth, resource: dead.clone() };
        let mut step = step(planned.setting.service(), planned.setting.resource(), at, lasts, query);
        step.changes.push(number(&mut plan, planned));
        plan.steps.push(step);
    }
    if poisons {
        plan.steps.push(poison(&orders, &dead, &mut rng));
    }
    write_locks(&mut plan, "tester@here");
    plan
}

/// When every test's clock starts.
pub fn start() -> Time {
    static START: LazyLock<Time> = LazyLock::new(|| "2026-03-02T09:00:00Z".parse().expect("an instant"));
    *START
}

/// One throttle for half a minute.
pub fn throttle() -> Plan {
    let mut plan = plan(0, start());
    let worker = resource(ResourceKind::Function, "payment-worker");
    let lock = Setting::Lock { resource: worker.clone() };
    let throttle = Setting::ReservedConcurrency { function: worker.clone() };
    plan.changes = BTreeMap::from([
        (ChangeId(1), change(lock, Value::Unset, Value::Unset)),
        (ChangeId(2), change(throttle, Value::Unset, Value::Number(0))),
    ]);
    let query = Query { metric: Metric::Depth, resource: resource(ResourceKind::Queue, "orders-dlq") };
    let mut step = step("lambda.throttle", &worker, Span::ZERO, Span::from_secs(30), query);
    step.changes = vec![ChangeId(2)];
    plan.steps = vec![step];
    write_locks(&mut plan, "tester@here");
    plan
}

/// What a setting holds is taken away for half a minute. The document that a key is in is `whole`.
pub fn taken_away(setting: Setting, value: Value, whole: Option<String>) -> Plan {
    let mut plan = plan(0, start());
    let on = setting.resource().clone();
    let query = Query { metric: Metric::Depth, resource: resource(ResourceKind::Queue, "orders-dlq") };
    let mut step = step(setting.service(), &on, Span::ZERO, Span::from_secs(30), query);
    step.changes = vec![ChangeId(2)];
    plan.title = format!("{setting} is taken away");
    let deleted = Change { whole_before: whole, ..change(setting, value, Value::Unset) };
    let lock = change(Setting::Lock { resource: on }, Value::Unset, Value::Unset);
    plan.changes = BTreeMap::from([(ChangeId(1), lock), (ChangeId(2), deleted)]);
    plan.steps = vec![step];
    write_locks(&mut plan, "tester@here");
    plan
}

/// Up to three messages that nobody can read, and nothing else.
pub fn poisoning() -> Plan {
    let mut plan = plan(0, start());
    let (orders, dead) = (resource(ResourceKind::Queue, "orders"), resource(ResourceKind::Queue, "orders-dlq"));
    let locks = [&orders, &dead].map(|queue| Setting::Lock { resource: queue.clone() });
    plan.changes = (1..).map(ChangeId).zip(locks.map(|lock| change(lock, Value::Unset, Value::Unset))).collect();
    plan.steps = vec![poison(&orders, &dead, &mut Pcg64::seed_from_u64(0))];
    write_locks(&mut plan, "tester@here");
    plan
}
