//! Journals written by hand, for the tests of the formats: each shows an ending that a real run can have.

use std::collections::BTreeMap;

use crate::account::{
    CallError, Location, Metric, Query, Resource, ResourceKind, Sample, SendOutcome, Setting, Value, Window,
};
use crate::ids::{FaultName, RunId};
use crate::judge::bound::Bound;
use crate::judge::verdict::Verdict;
use crate::plan::{
    AbortCondition, Change, ChangeId, Cleanup, DuringFault, Emission, Evidence, LoadPlan, Plan, SignalPlan, Step,
};
use crate::run::Recorded;
use crate::run::event::{Event, Left, MessageAccount, Phase, Settled, Stop, WriteOutcome};
use crate::units::{Rate, Share, Span, Time};

const LOCK_WORKER: ChangeId = ChangeId(1);
const LOCK_QUEUE: ChangeId = ChangeId(2);
const THROTTLE: ChangeId = ChangeId(3);
const POLICY: ChangeId = ChangeId(4);

fn start() -> Time {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

fn at(secs: i64) -> Time {
    start() + Span::from_secs(secs)
}

fn resource(kind: ResourceKind, name: &str) -> Resource {
    Resource::new(&Location::sandbox(), kind, name)
}

fn change(setting: Setting, after: Value) -> Change {
    Change {
        setting,
        before: Value::Unset,
        after,
        whole_before: None,
        expires: None,
        takes_effect_within: Span::ZERO,
        lasts_after: Span::ZERO,
    }
}

fn signal(
    hypothesis: &str,
    metric: Metric,
    name: (ResourceKind, &str),
    bound: Bound,
    during: DuringFault,
) -> SignalPlan {
    let query = Query { metric, resource: resource(name.0, name.1) };
    SignalPlan {
        hypothesis: hypothesis.into(),
        title: format!("{query} {}", super::words::bound(metric, bound)),
        settles: query.metric.delay(),
        query,
        bound,
        every: Span::from_mins(1),
        tolerating: match bound {
            Bound::AtMost(limit) if metric.is_share() || limit == 0.0 => Share::new(limit).unwrap(),
            Bound::FiresWithin(_) | Bound::StaysQuiet => Share::NONE,
            _ => Share::percent(5),
        },
        must_catch: Share::ALL,
        stop_at: None,
        control: None,
        during_fault: during,
    }
}

fn evidence(expect: &str) -> Evidence {
    Evidence { expect: expect.into(), any: Vec::new(), logs: None, within: Span::from_mins(4) }
}

/// What the sample runs are planned to do.
pub fn plan() -> Plan {
    use ResourceKind as K;
    let worker = resource(K::Function, "PaymentWorker");
    let orders = resource(K::Queue, "OrdersQueue");
    let role = resource(K::Role, "PaymentWorkerRole");
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"dynamodb:PutItem","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"2026-03-02T09:32:00Z"}}}]}"#;
    Plan {
        run: RunId("run-20260302-3f9k2m".into()),
        rolls_back: None,
        title: "Orders wait, and none is lost, while the payment worker is throttled".into(),
        because: "Another function's burst, or a wrong deploy, can take this worker's concurrency away.\n\
                  The queue should hold the orders, the alarm should tell us, and the backlog should drain by itself."
            .into(),
        file: "experiments/payment-worker-throttled.yaml".into(),
        file_hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        inputs: BTreeMap::new(),
        accounts: vec![Location::sandbox()],
        made_at: start() - Span::from_secs(2),
        seed: 1,
        baseline: Span::from_mins(5),
        baseline_at_most: Span::from_mins(15),
        recovers_within: Span::from_mins(8),
        alpha: crate::judge::weighing::Alpha::USUAL,
        longest: Span::from_mins(40),
        changes: BTreeMap::from([
            (LOCK_WORKER, change(Setting::Lock { resource: worker.clone() }, Value::Text("{\"run\":\"..\"}".into()))),
            (LOCK_QUEUE, change(Setting::Lock { resource: orders.clone() }, Value::Text("{\"run\":\"..\"}".into()))),
            (THROTTLE, change(Setting::ReservedConcurrency { function: worker.clone() }, Value::Number(0))),
            (
                POLICY,
                Change {
                    expires: Some(at(1920)),
                    takes_effect_within: Span::from_secs(60),
                    lasts_after: Span::ZERO,
                    ..change(
                        Setting::RolePolicy { role, policy: "squall-run-20260302-3f9k2m".into() },
                        Value::Text(document.into()),
                    )
                },
            ),
        ]),
        steps: steps(),
        signals: signals(),
        stops: vec![AbortCondition {
            title: "depth of orders > 5000".into(),
            query: Query { metric: Metric::Depth, resource: resource(K::Queue, "OrdersQueue") },
            bound: Bound::Above(5000.0),
            every: Span::from_secs(30),
        }],
        load: vec![LoadPlan {
            target: resource(K::Api, "shop-api"),
            from: Rate::per_sec(2.0).unwrap(),
            to: Rate::per_sec(2.0).unwrap(),
            at_most: 5000,
        }],
        watches: Vec::new(),
        switches: Vec::new(),
        permissions: Vec::new(),
        warnings: vec![
            "Nothing in the account puts the reserved concurrency back if this machine dies: `squall undo` must be run."
                .into(),
            "failed share of shop-api is known 2m late; a breach is seen at the earliest 3m after it began.".into(),
        ],
    }
}

fn steps() -> Vec<Step> {
    let worker = resource(ResourceKind::Function, "PaymentWorker");
    let orders = resource(ResourceKind::Queue, "OrdersQueue");
    vec![
        Step {
            fault: FaultName("lambda.throttle".into()),
            summary: "PaymentWorker may run 0 at a time".into(),
            at: Span::ZERO,
            lasts: Span::from_mins(10),
            hits: vec![worker.clone()],
            changes: vec![THROTTLE],
            emission: None,
            evidence: evidence("throttles of PaymentWorker above 0, or its concurrency falls to 0"),
        },
        Step {
            fault: FaultName("iam.deny".into()),
            summary: "PaymentWorkerRole may not dynamodb:PutItem on any table".into(),
            at: Span::from_mins(4),
            lasts: Span::from_mins(4),
            hits: vec![worker],
            changes: vec![POLICY],
            emission: None,
            evidence: evidence("errors of PaymentWorker rise, or its writes to PaymentsTable fall to 0"),
        },
        Step {
            fault: FaultName("sqs.poison".into()),
            summary: "5 malformed messages go to OrdersQueue, one every 10s".into(),
            at: Span::from_mins(2),
            lasts: Span::from_secs(50),
            hits: vec![orders.clone()],
            changes: Vec::new(),
            emission: Some(Emission {
                queue: orders,
                first: 1,
                bodies: vec!["{".into(); 5],
                group: None,
                interval: Span::from_secs(10),
                cleanup: Cleanup::Sweep {
                    dead_letter: resource(ResourceKind::Queue, "OrdersDLQ"),
                    arrives_within: Span::from_mins(4),
                    foreign_limit: 100,
                },
            }),
            evidence: evidence("a marked message is received from OrdersQueue"),
        },
    ]
}

fn signals() -> Vec<SignalPlan> {
    use DuringFault::{MayBreak, MustHold};
    use ResourceKind as K;
    vec![
        signal("shoppers-can-order", Metric::FailedShare, (K::Api, "shop-api"), Bound::AtMost(0.01), MustHold),
        signal(
            "shoppers-can-order",
            Metric::SlowShare { limit: Span::from_millis(800) },
            (K::Api, "shop-api"),
            Bound::AtMost(0.05),
            MustHold,
        ),
        signal("no-order-is-lost", Metric::OldestMessage, (K::Queue, "OrdersQueue"), Bound::AtMost(120.0), MayBreak),
        signal("no-order-is-lost", Metric::Depth, (K::Queue, "OrdersDLQ"), Bound::AtMost(0.0), MustHold),
        signal(
            "the backlog is seen",
            Metric::AlarmState,
            (K::Alarm, "OrdersBacklogAlarm"),
            Bound::FiresWithin(Span::from_mins(4)),
            MayBreak,
        ),
    ]
}

/// Events on their way into a journal.
struct Tale(Vec<(Time, Event)>);

impl Tale {
    fn begin() -> Tale {
        let started = Event::Started { plan: Box::new(plan()), by: "ana@laptop".into(), version: "0.1.0".into() };
        let mut tale = Tale(vec![(start(), started)]);
        tale.add(0, Event::Entered { phase: Phase::Baseline });
        tale
    }

    fn add(&mut self, secs: i64, event: Event) {
        self.0.push((at(secs), event));
    }

    /// One signal's windows of a minute from `from` to `to`, known `late` seconds after their end.
    fn windows(
        &mut self,
        signal: usize,
        minutes: std::ops::Range<i64>,
        late: i64,
        sample: impl Fn(i64) -> (Option<f64>, bool),
    ) {
        for minute in minutes {
            let window = Window { from: at(minute * 60), to: at(minute * 60 + 60) };
            let phase = match minute {
                0..7 => Phase::Baseline,
                7..17 => Phase::Fault,
                17 => Phase::Rollback,
                _ => Phase::Recovery,
            };
            let (value, breaks) = sample(minute);
            let of = (signal < 2).then_some(290 + (minute as u64 * 37) % 23);
            let sample = Sample { value, of: of.filter(|_| value.is_some()) };
            self.add(minute * 60 + 60 + late, Event::Sampled { signal, phase, window, sample, breaks });
        }
    }

    fn applied(&mut self, secs: i64, change: ChangeId) {
        self.add(secs, Event::Changing { change });
        self.add(secs, Event::Changed { change, outcome: WriteOutcome::Applied });
    }

    fn restored(&mut self, secs: i64, change: ChangeId, settled: i64) {
        let found = plan().changes[&change].after.clone();
        self.add(secs, Event::Restoring { change, found });
        self.add(secs, Event::Restored { change, outcome: WriteOutcome::Applied });
        self.add(settled, Event::Settled { change, how: Settled::Restored });
    }

    fn sends(&mut self) {
        for number in 1..=5 {
            let secs = 420 + 120 + i64::from(number - 1) * 10;
            self.add(secs, Event::Sending { step: 2, first: number, last: number });
            let outcomes = Ok(vec![SendOutcome::Accepted]);
            self.add(secs, Event::Sent { step: 2, first: number, last: number, outcomes });
        }
    }

    fn end(mut self) -> Vec<Recorded> {
        self.0.sort_by_key(|(at, _)| *at);
        (1..).zip(self.0).map(|(seq, (at, event))| Recorded { seq, at, event }).collect()
    }
}

/// The signals of a shop that stays well: orders wait and none is lost. Up to a minute.
fn steady_signals(tale: &mut Tale, until: i64) {
    tale.windows(0, 0..until, 120, |m| (Some([0.0, 0.0034, 0.0, 0.0031][m as usize % 4]), false));
    tale.windows(1, 0..until, 120, |m| (Some([0.011, 0.018, 0.009, 0.021, 0.014][m as usize % 5]), false));
    tale.windows(2, 0..until, 120, |m| match m {
        12..14 => (None, false),
        7..19 => (Some((m - 7) as f64 * 55.0 + 12.0), (m - 7) * 55 + 12 > 120),
        19 => (Some(260.0), true),
        _ => (Some(2.0 + (m % 2) as f64), false),
    });
    tale.windows(3, 0..until, 0, |_| (Some(0.0), false));
    tale.windows(4, 0..until, 0, |m| (Some(f64::from((10..20).contains(&m))), (18..20).contains(&m)));
}

fn faults_go_in(tale: &mut Tale) {
    tale.add(420, Event::Entered { phase: Phase::Fault });
    tale.applied(420, LOCK_WORKER);
    tale.add(421, Event::StepBegins { step: 0 });
    tale.applied(421, THROTTLE);
    let seen = "throttles of PaymentWorker are 12, above 0".to_owned();
    tale.add(600, Event::Effective { step: 0, since: at(480), seen });
    tale.add(539, Event::StepBegins { step: 2 });
    tale.applied(539, LOCK_QUEUE);
    tale.sends();
    let seen = "message 1 was received from OrdersQueue".to_owned();
    tale.add(575, Event::Effective { step: 2, since: at(570), seen });
    tale.add(660, Event::StepBegins { step: 1 });
    tale.applied(660, POLICY);
    let seen = "writes to PaymentsTable are 0".to_owned();
    tale.add(780, Event::Effective { step: 1, since: at(720), seen });
    for tenth in 0..60 {
        tale.add(421 + tenth * 10, Event::Loaded { load: 0, requests: 20, failed: u32::from(tenth % 19 == 0) });
    }
}

fn account(swept: u32) -> MessageAccount {
    MessageAccount { accepted: 5, swept, not_found: (swept + 1..=5).collect(), ..MessageAccount::default() }
}

/// Everything held, and everything is back.
pub fn held() -> Vec<Recorded> {
    let mut tale = Tale::begin();
    faults_go_in(&mut tale);
    steady_signals(&mut tale, 31);
    tale.restored(900, POLICY, 962);
    tale.add(1021, Event::Entered { phase: Phase::Rollback });
    tale.restored(1021, THROTTLE, 1023);
    tale.restored(1023, LOCK_WORKER, 1024);
    for number in 1..=5 {
        tale.add(1024, Event::Sweeping { step: 2, number });
        tale.add(1025, Event::Swept { step: 2, number });
    }
    tale.add(1026, Event::Accounted { step: 2, account: account(5), why: "every message was seen".into() });
    tale.restored(1026, LOCK_QUEUE, 1027);
    tale.add(1027, Event::FaultGone);
    tale.add(1027, Event::Entered { phase: Phase::Recovery });
    tale.add(1982, Event::Closed { verdict: Verdict::held(), left: Vec::new() });
    tale.end()
}

/// A hypothesis broke in mid-run; a write had no outcome and was found to have landed; everything is back.
pub fn broken() -> Vec<Recorded> {
    let mut tale = Tale::begin();
    faults_go_in(&mut tale);
    tale.windows(0, 0..11, 120, |m| match m {
        7.. => (Some(0.2 + m as f64 / 100.0), true),
        _ => (Some(0.0), false),
    });
    tale.windows(3, 0..12, 0, |_| (Some(0.0), false));
    tale.windows(4, 0..12, 0, |m| (Some(f64::from(m >= 10)), false));
    let query = plan().signals[2].query.clone();
    for minute in 0..9 {
        let window = Window { from: at(minute * 60), to: at(minute * 60 + 60) };
        let error = CallError::Unknown("the request timed out".into());
        tale.add(minute * 60 + 180, Event::Unmeasured { query: query.clone(), window, error });
    }
    let window = Window { from: at(480), to: at(540) };
    tale.add(721, Event::SignalBroken { signal: 0, window });
    tale.add(721, Event::Stopping { why: Stop::Broken { signal: 0 } });
    tale.add(721, Event::Entered { phase: Phase::Rollback });
    let found = Value::Number(0);
    tale.add(721, Event::Restoring { change: THROTTLE, found: found.clone() });
    tale.add(726, Event::Restored { change: THROTTLE, outcome: WriteOutcome::Unknown("timed out".into()) });
    tale.add(727, Event::Restoring { change: THROTTLE, found });
    tale.add(728, Event::Restored { change: THROTTLE, outcome: WriteOutcome::Applied });
    tale.add(790, Event::Settled { change: THROTTLE, how: Settled::Restored });
    tale.restored(721, POLICY, 783);
    tale.restored(791, LOCK_WORKER, 792);
    tale.add(800, Event::Accounted { step: 2, account: account(5), why: "every message was seen".into() });
    tale.restored(800, LOCK_QUEUE, 801);
    tale.add(801, Event::FaultGone);
    tale.add(801, Event::Entered { phase: Phase::Recovery });
    let reason = "`failed share of shop-api at most 1 %` broke at 2026-03-02T09:08:00.000Z";
    tale.add(1281, Event::Closed { verdict: Verdict::broken(reason), left: Vec::new() });
    tale.0.retain(|(when, event)| *when <= at(1021) || matches!(event, Event::Closed { .. }));
    tale.end()
}

/// Others changed the setting in mid-run, a message is lost sight of, and another process finished the rollback.
pub fn left_behind() -> Vec<Recorded> {
    let mut tale = Tale::begin();
    faults_go_in(&mut tale);
    steady_signals(&mut tale, 11);
    tale.0.retain(|(when, _)| *when < at(790));
    let found = Value::Number(25);
    tale.add(790, Event::Stopping { why: Stop::Drifted { change: THROTTLE, found: found.clone() } });
    tale.add(790, Event::Entered { phase: Phase::Rollback });
    tale.add(900, Event::TakenOver { by: "ben@desk".into(), epoch: 2 });
    tale.restored(901, POLICY, 963);
    tale.add(902, Event::Settled { change: THROTTLE, how: Settled::Theirs { found } });
    tale.restored(963, LOCK_WORKER, 964);
    let why = "message 5 did not arrive in OrdersDLQ within 4m";
    tale.add(1100, Event::Accounted { step: 2, account: account(4), why: why.into() });
    tale.restored(1100, LOCK_QUEUE, 1101);
    let left = vec![
        Left {
            resource: resource(ResourceKind::Function, "PaymentWorker"),
            what: "reserved concurrency is 25: others set it during the run".into(),
            remedy: "aws lambda delete-function-concurrency --function-name PaymentWorker".into(),
        },
        Left {
            resource: resource(ResourceKind::Queue, "OrdersQueue"),
            what: "message 5 of this run may still lie in it".into(),
            remedy: "Look into OrdersDLQ for messages with the attribute squall-run = run-20260302-3f9k2m".into(),
        },
    ];
    let verdict = Verdict::unknown("others changed reserved concurrency of function PaymentWorker")
        .merge(Verdict::unknown("the process running it ended unexpectedly"));
    tale.add(1101, Event::Closed { verdict, left });
    tale.end()
}

/// The process died with two changes in the account.
pub fn died() -> Vec<Recorded> {
    let mut events = held();
    events.retain(|recorded| recorded.at <= at(700));
    events
}

/// The baseline did not hold: nothing was touched.
pub fn never_began() -> Vec<Recorded> {
    let mut tale = Tale::begin();
    tale.windows(0, 0..5, 120, |m| (Some(0.031), m > 1));
    let why = "failed share of shop-api at most 1 % did not hold before any fault".to_owned();
    tale.add(421, Event::Stopping { why: Stop::Baseline { why: why.clone() } });
    tale.add(421, Event::Entered { phase: Phase::Rollback });
    tale.add(421, Event::Closed { verdict: Verdict::unknown(why), left: Vec::new() });
    tale.end()
}

/// A run whose file is full of what a report must not take for its own.
pub fn hostile() -> Vec<Recorded> {
    let nasty = "<script>alert('x')</script> & \"quoted\" | `code` *bold* ]]> \u{1b}[31m\u{0}\n# not a heading";
    let mut events = held();
    if let Event::Started { plan, by, .. } = &mut events[0].event {
        plan.title = nasty.into();
        plan.because = nasty.into();
        plan.file = format!("experiments/{nasty}.yaml");
        plan.warnings.push(nasty.into());
        *by = nasty.into();
        for signal in &mut plan.signals {
            signal.title = nasty.into();
            signal.hypothesis = nasty.into();
            signal.query.resource.name = nasty.into();
        }
        for step in &mut plan.steps {
            step.summary = nasty.into();
            step.evidence.expect = nasty.into();
        }
        for change in plan.changes.values_mut() {
            change.after = Value::Text(nasty.into());
        }
    }
    if let Some(Recorded { event: Event::Closed { verdict, left }, .. }) = events.last_mut() {
        *verdict = Verdict::broken(nasty);
        left.push(Left { resource: resource(ResourceKind::Queue, nasty), what: nasty.into(), remedy: nasty.into() });
    }
    events
}

/// All of them, by name.
pub fn all() -> Vec<(&'static str, Vec<Recorded>)> {
    vec![
        ("held", held()),
        ("broken", broken()),
        ("left_behind", left_behind()),
        ("died", died()),
        ("never_began", never_began()),
        ("hostile", hostile()),
    ]
}
