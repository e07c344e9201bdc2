//! Kinds of applications and experiments that a verdict goes wrong on easily, each as a small project: what `squall check`
//! says of it, and how its run ends in the sandbox.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::process::Command;

use tempfile::TempDir;

use crate::effort::effort;

/// A project in a folder of its own.
pub struct Project(TempDir);

/// What a command printed, and how it exited.
pub struct Said {
    pub text: String,
    pub exit: Option<i32>,
}

const HELD: Option<i32> = Some(0);
const FINDINGS: Option<i32> = Some(2);
const REFUSED: Option<i32> = Some(3);
const UNKNOWN: Option<i32> = Some(5);

const HEAD: &str = "version: 1\ntitle: It works on\nbecause: The test says so.\n";

/// A function of a SAM template in one line.
pub fn function(name: &str, more: &str) -> String {
    format!(
        "  {name}: {{ Type: AWS::Serverless::Function, Properties: {{ Runtime: python3.13, Handler: a.h, InlineCode: x{more} \
         }} }}\n"
    )
}

impl Project {
    /// Resources of a SAM template, and what a traffic file says of them.
    pub fn of(resources: &str, traffic: &str) -> Project {
        let project = Project(TempDir::new().unwrap());
        let sandbox = "sandbox: { template: template.yaml, traffic: traffic.yaml, stack: small }";
        project
            .write("squall.yaml", &format!("version: 1\ndefault_account: model\naccounts:\n  model:\n    {sandbox}\n"));
        project.write("template.yaml", &format!("Transform: AWS::Serverless-2016-10-31\nResources:\n{resources}"));
        project.write("traffic.yaml", &format!("version: 1\n{traffic}"));
        project
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn squall(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
        let output = command.args(arguments).current_dir(self.0.path()).env("COLUMNS", "400").output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Said { text, exit: output.status.code() }
    }

    /// What `squall check` says of an experiment.
    fn check(&self, experiment: &str) -> Said {
        self.write("x.yaml", &format!("{HEAD}{experiment}"));
        self.squall(&["check", "x.yaml"])
    }

    /// The experiment, in a sandbox of its own.
    pub fn run(&self, experiment: &str, seed: u32) -> Said {
        self.write("x.yaml", &format!("{HEAD}{experiment}"));
        let _ = std::fs::remove_dir_all(self.0.path().join(".squall"));
        let start = "2026-03-02T09:00:20Z";
        self.squall(&["run", "x.yaml", "--pace", "max", "--yes", "--seed", &seed.to_string(), "--start", start])
    }

    /// The same file once more, in a sandbox that is as it was.
    pub fn again(&self) -> Said {
        self.squall(&["run", "x.yaml", "--pace", "max", "--yes", "--seed", "1", "--start", "2026-03-02T09:00:20Z"])
    }

    /// The Markdown report of the only run.
    pub fn report(&self) -> String {
        let folder = self.0.path().join(".squall/reports");
        let run = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap();
        std::fs::read_to_string(run.path().join("report.md")).unwrap()
    }

    /// The experiment with several seeds: how each ends, and what it says.
    #[track_caller]
    fn ends(&self, experiment: &str, exit: Option<i32>, says: &[&str]) {
        for seed in 1..=2 * effort() {
            let said = self.run(experiment, seed);
            assert_eq!(said.exit, exit, "seed {seed}: {}", said.text);
            for words in says {
                assert!(said.text.contains(words), "seed {seed}: `{words}` is not in: {}", said.text);
            }
        }
    }
}

pub const READER: &str = "  Store: { Type: AWS::Serverless::SimpleTable }\n";

/// Ordinary errors are no evidence of a fault without an effect. At most 1 % of such runs may be held, so that of so few none
/// is.
#[test]
fn a_fault_without_effect_beside_ordinary_errors_is_unknown() {
    let template = READER.to_owned()
        + "  Tasks: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: 60 } }\n"
        + &function(
            "Taker",
            ", Timeout: 5, Policies: [ { DynamoDBCrudPolicy: { TableName: !Ref Store } } ], \
             Events: { In: { Type: SQS, Properties: { Queue: !GetAtt Tasks.Arn, BatchSize: 5 } } }",
        );
    let traffic = "traffic: [ { to: { queue: Tasks }, rate: 4/s } ]\n\
                   functions: { Taker: { errors: 3 %, calls: [ { table: Store } ] } }\n";
    let project = Project::of(&template, traffic);
    for fault in [
        "iam.deny: { target: taker, actions: [ 'dynamodb:DeleteItem' ], resources: [ store ] }",
        "lambda.throttle: { target: taker, concurrency: 700 }",
    ] {
        let experiment = format!(
            "targets: {{ taker: {{ function: Taker }}, store: {{ table: Store }} }}\n\
             hypotheses: [ messages done of Tasks is at least 30 ]\nbaseline: 8m\n\
             faults: [ {{ inject: {{ {fault} }}, for: 10m }} ]\nrecovers_within: 5m\n"
        );
        project.ends(&experiment, UNKNOWN, &["was not seen to take effect"]);
    }
}

const BOXES: &str = "  In: { Type: AWS::SQS::Queue, Properties: { FifoQueue: true, ContentBasedDeduplication: true, \
     VisibilityTimeout: 20, RedrivePolicy: { deadLetterTargetArn: !GetAtt Out.Arn, maxReceiveCount: 3 } } }\n\
  \x20 Out: { Type: AWS::SQS::Queue, Properties: { FifoQueue: true } }\n";

/// Messages that a consumer handles correctly are evidence by being done; dead letters of others are none.
#[test]
fn bad_messages_that_are_handled_are_seen_to_be_done() {
    let mapping = ", Timeout: 5, Events: { In: { Type: SQS, Properties: { Queue: !GetAtt In.Arn, BatchSize: 1 } } }";
    let template = BOXES.to_owned() + &function("Opener", mapping);
    for (does, seen) in [
        ("handles", "taken by the application"),
        ("discards", "taken by the application"),
        ("fails", "4 swept from the dead-letter queue"),
    ] {
        let traffic = format!(
            "traffic: [ {{ to: {{ queue: In }}, rate: 2/s, groups: 20 }} ]\n\
             functions: {{ Opener: {{ duration: 20ms, errors: 2 %, wrong_schema: {does} }} }}\n"
        );
        let project = Project::of(&template, &traffic);
        let experiment = "targets: { in: { queue: In } }\nhypotheses: [ messages done of In is at least 30 ]\nbaseline: 6m\n\
             faults: [ { inject: { sqs.poison: { target: in, payload: wrong_schema, count: 4, rate: 1/s, fifo_group: ours } }, \
             for: 10m } ]\nrecovers_within: 6m\nguards: { longest: 2h }\n";
        project.ends(experiment, HELD, &[seen]);
    }
}

/// A backlog that passes its bound at the end of a long baseline is not the fault's doing, and no fault goes in.
#[test]
fn a_baseline_that_ends_badly_is_not_accepted() {
    let template = "  Work: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: 60 } }\n".to_owned()
        + &function(
            "Slow",
            ", Timeout: 10, ReservedConcurrentExecutions: 5, \
             Events: { In: { Type: SQS, Properties: { Queue: !GetAtt Work.Arn, BatchSize: 1 } } }",
        )
        + &function("Apart", "");
    let traffic = "traffic: [ { to: { queue: Work }, rate: 6/s }, { to: { function: Apart }, rate: 1/s } ]\n\
                   functions: { Slow: { duration: 1s } }\n";
    let project = Project::of(&template, traffic);
    let experiment = "targets: { apart: { function: Apart } }\nhypotheses: [ depth of Work is below 1200 ]\nbaseline: 25m\n\
         baseline_at_most: 30m\nfaults: [ { inject: { lambda.throttle: { target: apart, concurrency: 0 } }, for: 12m } ]\n\
         recovers_within: 5m\nguards: { longest: 2h }\n";
    project.ends(experiment, UNKNOWN, &["did not hold before any fault", "nothing is changed"]);
}

/// Lambda drops the events of a function that may not run, and counts that and nothing else.
#[test]
fn a_function_that_is_invoked_asynchronously_alone_shows_its_throttle() {
    let template = "  News: { Type: AWS::SNS::Topic }\n  Kept: { Type: AWS::SQS::Queue }\n".to_owned()
        + &function("Sender", ", Policies: [ { SNSPublishMessagePolicy: { TopicName: !GetAtt News.TopicName } } ]")
        + &function(
            "Reader",
            ", EventInvokeConfig: { DestinationConfig: { OnFailure: { Type: SQS, Destination: !GetAtt Kept.Arn } } }, \
             Events: { In: { Type: SNS, Properties: { Topic: !Ref News } } }",
        )
        + "  Dropped: { Type: AWS::CloudWatch::Alarm, Properties: { Namespace: AWS/Lambda, MetricName: AsyncEventsDropped, \
           Dimensions: [ { Name: FunctionName, Value: !Ref Reader } ], Statistic: Sum, Period: 60, EvaluationPeriods: 1, \
           Threshold: 0, ComparisonOperator: GreaterThanThreshold, TreatMissingData: notBreaching } }\n";
    let traffic = "traffic: [ { to: { function: Sender }, rate: 1/s } ]\n\
                   functions: { Sender: { calls: [ { topic: News } ] } }\n";
    let project = Project::of(&template, traffic);
    let experiment = "targets: { reader: { function: Reader } }\nhypotheses:\n\
         \x20 - { signal: failed share of Reader is at most 1 %, during_fault: may_break }\n\
         \x20 - alarm: { name: Dropped, fires_within: 6m }\nbaseline: 7m\n\
         faults: [ { inject: { lambda.throttle: { target: reader, concurrency: 0 } }, for: 12m } ]\nrecovers_within: 6m\n";
    project.ends(experiment, HELD, &["dropped events of Reader are"]);
}

/// A permission that is needed six times an hour shows its loss within the hour.
#[test]
fn evidence_waits_for_the_next_call() {
    let template = READER.to_owned()
        + &function("Hand", ", Timeout: 5, Policies: [ { DynamoDBCrudPolicy: { TableName: !Ref Store } } ]");
    let traffic = "traffic: [ { to: { function: Hand }, rate: 12 per hour, arrivals: even } ]\n\
                   functions: { Hand: { calls: [ { table: Store } ] } }\n";
    let project = Project::of(&template, traffic);
    let experiment = |lasts: &str| {
        format!(
            "targets: {{ hand: {{ function: Hand }}, store: {{ table: Store }} }}\nhypotheses:\n\
             \x20 - {{ signal: errors of Hand stay at 0, during_fault: may_break, every: 5m }}\nbaseline: 60m\n\
             faults: [ {{ inject: {{ iam.deny: {{ target: hand, actions: [ 'dynamodb:PutItem' ], resources: [ store ] }} }}, \
             for: {lasts} }} ]\nrecovers_within: 30m\nguards: {{ longest: 6h }}\n"
        )
    };
    project.ends(&experiment("60m"), HELD, &["iam.deny in effect since"]);
    assert!(!project.check(&experiment("60m")).text.contains("have no call"));
    let minutes = experiment("60m").replace(", every: 5m", "");
    let said = project.check(&minutes);
    assert!(
        said.text.contains("about 8 of 10 windows of 1m of `errors of Hand stay at 0` have no call"),
        "{}",
        said.text
    );
    assert!(said.text.contains("write `every: 5m` or more"), "{}", said.text);
}

/// An alarm on a series that its API does not publish is refused, and never judged.
#[test]
fn an_alarm_without_a_series_is_refused() {
    let alarm = |name: &str, metric: &str, dimensions: &str| {
        format!(
            "  {name}: {{ Type: AWS::CloudWatch::Alarm, Properties: {{ Namespace: AWS/ApiGateway, MetricName: {metric}, \
             Dimensions: [ {dimensions} ], Statistic: Sum, Period: 60, EvaluationPeriods: 1, Threshold: 5, \
             ComparisonOperator: GreaterThanThreshold, TreatMissingData: notBreaching }} }}\n"
        )
    };
    let template = "  Door: { Type: AWS::Serverless::HttpApi, Properties: { StageName: live } }\n".to_owned()
        + &function(
            "Porter",
            ", Events: { Get: { Type: HttpApi, Properties: { ApiId: !Ref Door, Path: /in, Method: get } } }",
        )
        + &alarm("ByName", "5XXError", "{ Name: ApiName, Value: small }")
        + &alarm("ByStage", "5xx", "{ Name: ApiId, Value: !Ref Door }, { Name: Stage, Value: other }")
        + &alarm("Right", "5xx", "{ Name: ApiId, Value: !Ref Door }, { Name: Stage, Value: live }");
    let project = Project::of(&template, "traffic: [ { to: { api: Door, route: GET /in }, rate: 5/s } ]\n");
    for (name, exit) in [("ByName", REFUSED), ("ByStage", REFUSED), ("Right", HELD)] {
        let experiment = format!(
            "targets: {{ porter: {{ function: Porter }} }}\nhypotheses:\n\
             \x20 - {{ signal: failed share of Door is at most 1 %, during_fault: may_break }}\n\
             \x20 - alarm: {{ name: {name}, fires_within: 6m }}\nbaseline: 6m\n\
             faults: [ {{ inject: {{ lambda.throttle: {{ target: porter, concurrency: 0 }} }}, for: 9m }} ]\n\
             recovers_within: 6m\n"
        );
        project.ends(&experiment, exit, &[]);
    }
}

/// One message of a group at a time: a worker that takes two seconds does thirty a minute of one group, and a message that
/// fails holds up all of them until it is dead.
#[test]
fn one_message_group_is_as_fast_as_its_messages() {
    let template = BOXES.to_owned()
        + &function(
            "Opener",
            ", Timeout: 10, Events: { In: { Type: SQS, Properties: { Queue: !GetAtt In.Arn, BatchSize: 1 } } }",
        );
    let traffic = "traffic: [ { to: { queue: In }, rate: 20 per minute } ]\nfunctions: { Opener: { duration: 2s } }\n";
    let project = Project::of(&template, traffic);
    let experiment = |least: u32, lasts: &str| {
        format!(
            "targets: {{ in: {{ queue: In }} }}\nhypotheses: [ {{ signal: messages done of In is at least {least}, \
             during_fault: may_break }} ]\nbaseline: 6m\nfaults: [ {{ inject: {{ sqs.poison: {{ target: in, \
             payload: malformed, count: 3, rate: 1/s, fifo_group: any }} }}, for: {lasts} }} ]\nrecovers_within: 12m\n\
             guards: {{ longest: 3h }}\n"
        )
    };
    project.ends(&experiment(31, "10m"), UNKNOWN, &["did not hold before any fault"]);
    project.ends(&experiment(10, "10m"), HELD, &["3 swept from the dead-letter queue"]);
}

/// A worker that asks itself again is stopped by Lambda, and its messages die.
#[test]
fn a_loop_over_the_own_queue_is_stopped() {
    let template = "  Again: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: 30, DelaySeconds: 2, \
         RedrivePolicy: { deadLetterTargetArn: !GetAtt Given.Arn, maxReceiveCount: 2 } } }\n  Given: { Type: AWS::SQS::Queue }\n"
        .to_owned()
        + &function(
            "Asker",
            ", Timeout: 5, Policies: [ { SQSSendMessagePolicy: { QueueName: !GetAtt Again.QueueName } } ], \
             Events: { In: { Type: SQS, Properties: { Queue: !GetAtt Again.Arn, BatchSize: 1 } } }",
        )
        + &function("Apart", "");
    let traffic = "traffic: [ { to: { queue: Again }, rate: 2 per minute }, { to: { function: Apart }, rate: 1/s } ]\n\
                   functions: { Asker: { calls: [ { queue: Again } ] } }\n";
    let experiment = "targets: { apart: { function: Apart } }\nhypotheses: [ depth of Given stays at 0 ]\nbaseline: 20m\n\
         faults: [ { inject: { lambda.throttle: { target: apart, concurrency: 0 } }, for: 7m } ]\nrecovers_within: 5m\n";
    Project::of(&template, traffic).ends(experiment, UNKNOWN, &["Lambda stopped a recursive loop"]);
}

/// What a function may do is what its policies, those of SAM among them, allow.
#[test]
fn permissions_are_those_of_the_template() {
    let template = "  Box: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: 60 } }\n\
        \x20 NoBox: { Type: AWS::IAM::ManagedPolicy, Properties: { PolicyDocument: { Version: '2012-10-17', \
         Statement: [ { Effect: Allow, Action: 's3:*', Resource: '*' } ] } } }\n"
        .to_owned()
        + "  Joined: { Type: AWS::Serverless::Function, Connectors: { To: { Properties: { Destination: { Id: Box }, \
           Permissions: [ Write ] } } }, Properties: { Runtime: python3.13, Handler: a.h, InlineCode: x } }\n"
        + &function("Alone", ", Policies: [ !Ref NoBox ]")
        + &function("Apart", "");
    let traffic = "traffic: [ { to: { function: Joined }, rate: 2/s }, { to: { function: Alone }, rate: 2/s }, \
                   { to: { function: Apart }, rate: 1/s } ]\n\
                   functions: { Joined: { calls: [ { queue: Box } ] }, Alone: { calls: [ { queue: Box } ] } }\n";
    let project = Project::of(&template, traffic);
    for (name, exit) in [("Joined", HELD), ("Alone", UNKNOWN)] {
        let experiment = format!(
            "targets: {{ apart: {{ function: Apart }} }}\nhypotheses: [ failed share of {name} is at most 1 % ]\nbaseline: 6m\n\
             faults: [ {{ inject: {{ lambda.throttle: {{ target: apart, concurrency: 0 }} }}, for: 8m }} ]\n\
             recovers_within: 5m\n"
        );
        project.ends(&experiment, exit, &[]);
    }
}

/// What a fault could not show is refused with what it would take, and what can be said of its chances is said.
#[test]
#[expect(clippy::too_many_lines, reason = "one project after another")]
fn evidence_that_cannot_appear_is_known_before() {
    let template = READER.to_owned()
        + "  Box: { Type: AWS::SQS::Queue }\n"
        + &function(
            "Busy",
            ", Timeout: 20, Policies: [ { DynamoDBWritePolicy: { TableName: !Ref Store } }, \
             { SQSSendMessagePolicy: { QueueName: !GetAtt Box.QueueName } } ]",
        )
        + &function("Rare", ", Timeout: 20, Policies: [ { DynamoDBWritePolicy: { TableName: !Ref Store } } ]")
        + &function("Idle", "");
    let traffic = "traffic: [ { to: { function: Busy }, rate: 5/s }, { to: { function: Rare }, rate: 6 per hour } ]\n\
         functions:\n  Busy: { duration: { median: 3s, p99: 8s }, errors: 2 %, calls: [ { table: Store }, \
         { queue: Box, optional: true } ] }\n  Rare: { calls: [ { table: Store } ] }\n";
    let project = Project::of(&template, traffic);
    let experiment = |fault: &str, baseline: &str, lasts: &str| {
        format!(
            "targets: {{ busy: {{ function: Busy }}, rare: {{ function: Rare }}, idle: {{ function: Idle }}, \
             store: {{ table: Store }}, box: {{ queue: Box }} }}\nhypotheses: [ depth of box is below 100000, \
             {{ signal: writes to store are at least 1, during_fault: may_break }} ]\nbaseline: {baseline}\n\
             faults: [ {{ inject: {{ {fault} }}, for: {lasts} }} ]\nrecovers_within: 5m\nguards: {{ longest: 48h }}\n"
        )
    };
    let writes = |target: &str| {
        format!("iam.deny: {{ target: {target}, actions: [ 'dynamodb:PutItem' ], resources: [ store ] }}")
    };
    for (fault, baseline, lasts, exit, says) in [
        // 2 % beside 2 %: the failures do not about triple.
        ("lambda.error: { target: busy, share: 2 % }".into(), "8m", "10m", FINDINGS, "it takes `share: 5 %`"),
        ("lambda.error: { target: busy, share: 20 % }".into(), "8m", "10m", HELD, ""),
        // As slow as that they are anyway.
        (
            "lambda.latency: { target: busy, delay: 1s }".into(),
            "8m",
            "10m",
            FINDINGS,
            "take longer than 1s without the fault",
        ),
        ("lambda.latency: { target: busy, delay: 9s }".into(), "8m", "10m", HELD, ""),
        ("lambda.error: { target: idle, share: 50 % }".into(), "8m", "10m", FINDINGS, "sends no calls to `Idle`"),
        // Six calls of a baseline, and four of a fault.
        (writes("rare"), "60m", "40m", FINDINGS, "with a baseline of the same length"),
        (writes("rare"), "120m", "120m", HELD, ""),
        (writes("busy"), "8m", "10m", HELD, ""),
        // No effect, though it could be run.
        (writes("busy").replace("PutItem", "GetItem"), "8m", "10m", HELD, "no statement of the role"),
        (
            writes("busy").replace("PutItem", "UpdateItem"),
            "8m",
            "10m",
            HELD,
            "no call of `Busy` that needs the denied actions",
        ),
        (
            "iam.deny: { target: busy, actions: [ 'sqs:SendMessage' ], resources: [ box ] }".into(),
            "8m",
            "10m",
            HELD,
            "can work without the denied calls",
        ),
        (
            "lambda.throttle: { target: busy, concurrency: 900 }".into(),
            "8m",
            "10m",
            HELD,
            "a cap of 900 is never reached",
        ),
        ("lambda.throttle: { target: busy, concurrency: 9 }".into(), "8m", "10m", HELD, ""),
        ("lambda.throttle: { target: rare, concurrency: 0 }".into(), "60m", "8m", HELD, "may meet no call"),
        (
            "sqs.poison: { target: box, payload: malformed, count: 3, rate: 1/s, leave_in_queue: true }".into(),
            "8m",
            "10m",
            FINDINGS,
            "no function consumes `Box`",
        ),
        ("sqs.delay: { target: box, delay: 10s }".into(), "8m", "10m", HELD, ""),
        // A misspelt action and one of no service, both at once.
        (
            "iam.deny: { target: busy, actions: [ 'dynamodb:PutItems', 'dynamodbb:PutItem' ], resources: [ store ] }"
                .into(),
            "8m",
            "10m",
            FINDINGS,
            "did you mean `dynamodb:`?",
        ),
    ] {
        let fault: String = fault;
        let said = project.check(&experiment(&fault, baseline, lasts));
        assert_eq!(said.exit, exit, "{fault}: {}", said.text);
        assert!(said.text.contains(says), "{fault}: `{says}` is not in: {}", said.text);
        let silent = !says.is_empty() || !["no-evidence", "never-held"].iter().any(|code| said.text.contains(code));
        assert!(silent, "{fault}: {}", said.text);
    }
    let both =
        "iam.deny: { target: busy, actions: [ 'dynamodb:PutItems', 'dynamodbb:PutItem' ], resources: [ store ] }";
    assert!(project.check(&experiment(both, "8m", "10m")).text.contains("did you mean `dynamodb:PutItem`?"));
}

/// What the traffic can show is said before: by `check` and by `plan`.
#[test]
fn what_the_traffic_can_show_is_said_before() {
    let template = function("Front", "") + &function("Apart", "");
    let traffic = "traffic: [ { to: { function: Front }, rate: 1/s }, { to: { function: Apart }, rate: 1/s } ]\n";
    let project = Project::of(&template, traffic);
    let experiment = |lasts: &str, must_catch: &str| {
        format!(
            "targets: {{ apart: {{ function: Apart }} }}\nhypotheses: [ {{ signal: failed share of Front is at most 1 %, \
             must_catch: {must_catch} }} ]\nbaseline: 6m\nfaults: [ {{ inject: {{ lambda.throttle: {{ target: apart, \
             concurrency: 0 }} }}, for: {lasts} }} ]\nrecovers_within: 5m\n"
        )
    };
    let said = project.check(&experiment("10m", "10 %"));
    assert!(said.text.contains("at 60 requests a minute, faults of 10m show a rise to 7.5 %"), "{}", said.text);
    assert!(!said.text.contains("never-held"), "{}", said.text);
    let said = project.check(&experiment("6m", "5 %"));
    assert!(said.text.contains("yours last 6m and show a rise to 15 %"), "{}", said.text);
    assert!(said.text.contains("never-held"), "{}", said.text);
    project.write("x.yaml", &format!("{HEAD}{}", experiment("10m", "10 %")));
    let said = project.squall(&["plan", "x.yaml"]);
    assert!(said.text.contains("at 60 requests a minute, faults of 10m show a rise to 7.5 %"), "{}", said.text);
}

/// A resource that is not there is refused by the plan, by its ARN too.
#[test]
fn an_arn_of_nothing_is_refused() {
    let template =
        READER.to_owned() + &function("Writer", ", Policies: [ { DynamoDBWritePolicy: { TableName: !Ref Store } } ]");
    let project = Project::of(
        &template,
        "traffic: [ { to: { function: Writer }, rate: 1/s } ]\nfunctions: { Writer: { calls: [ { table: Store } ] } }\n",
    );
    for (table, exit, says) in [("Store", Some(0), ""), ("Stare", REFUSED, "table/Stare does not exist")] {
        let experiment = format!(
            "targets: {{ writer: {{ function: Writer }} }}\nhypotheses: [ invocations of writer are at least 10 ]\nbaseline: 6m\n\
             faults: [ {{ inject: {{ iam.deny: {{ target: writer, actions: [ 'dynamodb:PutItem' ], \
             resources: [ 'arn:aws:dynamodb:eu-west-1:000000000000:table/{table}' ] }} }}, for: 10m }} ]\nrecovers_within: 5m\n"
        );
        project.write("x.yaml", &format!("{HEAD}{experiment}"));
        let said = project.squall(&["plan", "x.yaml"]);
        assert_eq!(said.exit, exit, "{}", said.text);
        assert!(said.text.contains(says), "{}", said.text);
    }
}

/// An API that is not modelled calls nothing: the functions behind it need traffic of their own.
#[test]
fn an_api_that_is_not_modelled_says_how_to_drive_its_functions() {
    for (api, line) in [
        (
            "  Chat: { Type: AWS::ApiGatewayV2::Api, Properties: { Name: chat, ProtocolType: WEBSOCKET, \
             RouteSelectionExpression: $request.body.action } }\n",
            "no message comes from it in the model; drive its functions with `traffic:`",
        ),
        (
            "  Graph: { Type: AWS::Serverless::GraphQLApi, Properties: { SchemaInline: 'type Query { a: String }', \
             Auth: { Type: AWS_IAM } } }\n",
            "no request comes from it in the model; drive its functions with `traffic:`",
        ),
    ] {
        let project = Project::of(api, "");
        let said = project.squall(&["template", "template.yaml"]);
        assert!(said.exit == HELD && said.text.contains(line), "{}", said.text);
    }
}

/// An alarm that the run's own messages ring, and a baseline that lasts longer than it says, are told in the plan.
#[test]
fn the_plan_says_what_the_run_does_to_its_own_signals() {
    let template = BOXES.to_owned()
        + &function(
            "Opener",
            ", Timeout: 5, Events: { In: { Type: SQS, Properties: { Queue: !GetAtt In.Arn, BatchSize: 1 } } }",
        )
        + "  Letters: { Type: AWS::CloudWatch::Alarm, Properties: { Namespace: AWS/SQS, \
           MetricName: ApproximateNumberOfMessagesVisible, Dimensions: [ { Name: QueueName, Value: !GetAtt Out.QueueName } ], \
           Statistic: Maximum, Period: 60, EvaluationPeriods: 1, Threshold: 0, ComparisonOperator: GreaterThanThreshold } }\n";
    let project = Project::of(&template, "traffic: [ { to: { queue: In }, rate: 1/s } ]\n");
    for (fault, rings) in [
        ("sqs.poison: { target: in, payload: malformed, count: 3, rate: 1/s, fifo_group: a }", true),
        ("lambda.throttle: { target: opener, concurrency: 0 }", false),
    ] {
        let experiment = format!(
            "targets: {{ in: {{ queue: In }}, opener: {{ function: Opener }} }}\nhypotheses: [ alarm Letters stays quiet, failed share of Opener is at most 5 % ]\n\
             baseline: 10s\nfaults: [ {{ inject: {{ {fault} }}, for: 10m }} ]\nrecovers_within: 6m\n\
             guards: {{ longest: 2h }}\n"
        );
        project.write("x.yaml", &format!("{HEAD}{experiment}"));
        let said = project.squall(&["plan", "x.yaml"]);
        assert_eq!(said.text.contains("they may set it off"), rings, "{}", said.text);
        assert!(said.text.contains("the baseline lasts 2m15s to 3m15s"), "{}", said.text);
    }
}

/// A function with a wrapper, which few call: runs an experiment with a fault in it, with so many calls, and looks for what is seen.
#[track_caller]
fn rarely_called((variable, document): (&str, &str), rate: &str, fault: &str, exit: Option<i32>, seen: &str) {
    let parameter = format!(
        "  Faults: {{ Type: AWS::SSM::Parameter, Properties: {{ Name: /rare/faults, Type: String, Value: '{document}' }} }}\n"
    );
    let rare = format!(
        ", Timeout: 20, Environment: {{ Variables: {{ {variable}: /rare/faults, AWS_LAMBDA_EXEC_WRAPPER: /opt/squall-layer }} }}, \
         Policies: [ {{ DynamoDBCrudPolicy: {{ TableName: !Ref Store }} }}, {{ SSMParameterReadPolicy: {{ ParameterName: \
         rare/faults }} }} ]"
    );
    let template = READER.to_owned() + &parameter + &function("Front", "") + &function("Rare", &rare);
    let traffic = "traffic: [ { to: { function: Front }, rate: 2/s } ]\nfunctions: { Rare: { errors: 2 %, calls: [ { table: Store } ] } }\n";
    let experiment = format!(
        "targets: {{ rare: {{ function: Rare }}, store: {{ table: Store }} }}\n\
         hypotheses: [ failed share of Front is at most 10 % ]\nbaseline: 15m\n\
         faults: [ {{ inject: {{ {fault} }}, for: 12m }} ]\nrecovers_within: 5m\nguards: {{ longest: 2h }}\n\
         load: [ {{ to: rare, rate: {rate}, at_most: 10000 }} ]\n"
    );
    let project = Project::of(&template, traffic);
    let said = project.run(&experiment, 1);
    assert_eq!(said.exit, exit, "{variable} {fault}: {}", said.text);
    let text = said.text.clone() + &project.report();
    assert!(text.contains(seen), "{variable} {fault}: `{seen}` is not in: {text}");
}

/// Few calls show nothing by the share of them that fails. A line in a log does: of a denied call, or of the wrapper. Four calls fail
/// after five good ones here.
#[test]
fn a_line_in_a_log_shows_a_fault_that_few_calls_meet() {
    let flags = ("FAILURE_INJECTION_PARAM", "{}");
    let denied = "iam.deny: { target: rare, actions: [ 'dynamodb:PutItem' ], resources: [ store ] }";
    let unused = denied.replace("PutItem", "DeleteItem");
    for (fault, exit, seen) in [
        (denied, HELD, "the log of Rare has "),
        (&unused, UNKNOWN, "was not seen to take effect"),
        ("lambda.error: { target: rare }", HELD, "lines of the wrapper that injects errors"),
        ("lambda.latency: { target: rare, delay: 2s }", HELD, "lines of the wrapper that injects latency"),
    ] {
        rarely_called(flags, "20/h", fault, exit, seen);
    }
}

/// squall's layer counts what it injects: 2 % beside ordinary errors of 2 %, which the share alone could not show. It goes by orders
/// that it read 30 s ago at the most, so that it needs more calls.
#[test]
fn the_layers_count_shows_a_fault_that_few_calls_meet() {
    let layer = ("SQUALL_FAULTS_PARAM", "{\"version\": 1}");
    for (fault, seen) in [
        ("lambda.error: { target: rare, share: 2 % }", "invocations of Rare that its layer failed are "),
        ("lambda.latency: { target: rare, delay: 2s, share: 2 % }", "that its layer delayed are "),
        (
            "lambda.response: { target: rare, with: { status: 503 }, share: 2 % }",
            "invocations of Rare whose response its layer replaced are ",
        ),
        ("lambda.hang: { target: rare, share: 2 % }", "invocations of Rare that its layer held until the timeout are "),
    ] {
        rarely_called(layer, "20/min", fault, HELD, seen);
    }
}
