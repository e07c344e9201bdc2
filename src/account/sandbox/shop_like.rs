//! A small application for tests: one worker behind a queue, with everything that a fault can change.

use std::collections::BTreeMap;

use super::app::{
    Alarm, AlarmMetric, App, Asynchronous, Comparison, Destination, Duration, Function, Loops, Mapping, MissingData,
    OnPayloads, Outgoing, Queue, Redrive, Role, Table, Threshold, Values, Watches, arn,
};
use crate::account::ResourceKind;
use crate::units::{Share, Span};

/// `payment-worker` takes `orders`, a queue with the dead-letter queue `orders-dlq`, and writes to the table `payments`
/// as `payment-worker-role`; its fault wrapper reads `/shop/faults`, which holds `{}`. The alarm `orders-dlq-alarm`
/// watches the dead-letter queue. There is no traffic.
pub fn shop_like() -> App {
    let queue = |visibility, redrive| Queue {
        fifo: false,
        visibility: Span::from_secs(visibility),
        delay: Span::ZERO,
        retention: Span::from_secs(4 * 86_400),
        largest: 1 << 20,
        sends_per_second: None,
        redrive,
    };
    let redrive = Redrive { dead_letter: "orders-dlq".into(), max_receive_count: 5 };
    let mapping = Mapping {
        queue: "orders".into(),
        function: "payment-worker".into(),
        enabled: true,
        batch_size: 10,
        batch_window: Span::ZERO,
        maximum_concurrency: None,
        partial_batch: true,
    };
    App {
        stack: "shop-like".into(),
        account_concurrency: 1000,
        unreserved_floor: 100,
        functions: BTreeMap::from([("payment-worker".into(), worker())]),
        queues: BTreeMap::from([("orders".into(), queue(30, Some(redrive))), ("orders-dlq".into(), queue(30, None))]),
        mappings: BTreeMap::from([("payment-worker-orders".into(), mapping)]),
        tables: BTreeMap::from([("payments".into(), Table::default())]),
        parameters: BTreeMap::from([("/shop/faults".into(), "{}".into())]),
        roles: BTreeMap::from([("payment-worker-role".into(), role())]),
        alarms: BTreeMap::from([("orders-dlq-alarm".into(), alarm())]),
        tags: BTreeMap::from([("payment-worker".into(), BTreeMap::from([("chaos".into(), "yes".into())]))]),
        ..App::default()
    }
}

fn worker() -> Function {
    Function {
        role: "payment-worker-role".into(),
        runtime: "python3.13".into(),
        memory_mb: 256,
        timeout: Span::from_secs(5),
        reserved: None,
        provisioned: 0,
        environment: BTreeMap::from([("FAILURE_INJECTION_PARAM".into(), "/shop/faults".into())]),
        // Python 3.13 from a zip: facts on cold starts, lambda-perf.
        cold_start: Duration::Lognormal { median: Span::from_millis(90), sigma: 0.187 },
        duration: Duration::Lognormal { median: Span::from_millis(120), sigma: 0.3 },
        errors: Share::NONE,
        calls: vec![Outgoing::to(
            Destination::Table("payments".into()),
            Duration::Lognormal { median: Span::from_millis(8), sigma: 0.4 },
        )],
        payloads: OnPayloads::default(),
        asynchronous: Asynchronous::default(),
        loops: Loops::Stopped,
    }
}

fn role() -> Role {
    let allow =
        |action: &str, resource: String| format!(r#"{{"Effect":"Allow","Action":{action},"Resource":"{resource}"}}"#);
    let statements = [
        allow(
            r#"["sqs:ReceiveMessage","sqs:DeleteMessage","sqs:GetQueueAttributes"]"#,
            arn(ResourceKind::Queue, "orders"),
        ),
        allow(r#""dynamodb:PutItem""#, arn(ResourceKind::Table, "payments")),
        allow(r#""ssm:GetParameter""#, arn(ResourceKind::Parameter, "/shop/faults")),
    ];
    let document = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
    Role {
        inline: BTreeMap::from([("work".into(), document)]),
        managed: vec!["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole".into()],
        ..Role::default()
    }
}

fn alarm() -> Alarm {
    let metric = AlarmMetric {
        namespace: "AWS/SQS".into(),
        name: "ApproximateNumberOfMessagesVisible".into(),
        dimensions: BTreeMap::from([("QueueName".into(), "orders-dlq".into())]),
        statistic: "Maximum".into(),
        unit: None,
    };
    let watches = Watches::Threshold(Threshold {
        values: Values::Metric(metric),
        period: Span::from_mins(1),
        evaluation_periods: 1,
        datapoints_to_alarm: 1,
        threshold: 0.0,
        comparison: Comparison::Greater,
        missing: MissingData::NotBreaching,
    });
    Alarm { watches, quiet: Vec::new() }
}
