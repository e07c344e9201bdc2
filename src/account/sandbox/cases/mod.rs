//! Applications from template and traffic file to what happens in the model: message groups, loops, limits, payloads,
//! destinations and alarms.

/// A function of a SAM template in one line.
macro_rules! function {
    ($name:literal, $more:literal) => {
        concat!(
            "  ",
            $name,
            ": { Type: AWS::Serverless::Function, Properties: { Runtime: python3.13, Handler: a.h, InlineCode: x, ",
            $more,
            " } }\n"
        )
    };
}

mod alarms;

use super::app::App;
use super::chain::Chain;
use super::message::New;
use super::reasons::{GivenUp, Reached, Why};
use super::testing::{at, message, resource};
use super::traffic::read_app;
use super::world::World;
use crate::account::{Call, Metric, ResourceKind, Setting, Value, Write, ask};
use crate::payload::Payload;
use crate::yaml::{Findings, Source, Style};

fn read(template: &str, traffic: &str) -> (Option<App>, Findings) {
    read_app(&Source::new("template.yaml", template), &Source::new("traffic.yaml", traffic), "app")
}

/// A world of an application that is read without a finding.
fn world(template: &str, traffic: &str) -> World {
    let (app, findings) = read(template, traffic);
    assert!(findings.is_empty(), "{}", findings.render(Style::Plain));
    World::new(&app.unwrap(), 1, at(0)).unwrap()
}

/// What is found, a line each.
fn lines(template: &str, traffic: &str) -> String {
    read(template, traffic).1.iter().map(|finding| format!("{finding}\n")).collect()
}

fn ended(world: &World, function: &str) -> u64 {
    world.function_totals(function).unwrap().ended
}

fn depth(world: &World, queue: &str) -> f64 {
    world.value(Metric::Depth, ResourceKind::Queue, queue, 0..1).unwrap()
}

// --- FIFO ---------------------------------------------------------------------------------------------------------

const TICKETS: &str = concat!(
    "Resources:\n",
    "  Tickets: { Type: AWS::SQS::Queue, Properties: { FifoQueue: true, QueueName: t.fifo, VisibilityTimeout: 30, \
     RedrivePolicy: { deadLetterTargetArn: !GetAtt Lost.Arn, maxReceiveCount: 2 } } }\n",
    "  Lost: { Type: AWS::SQS::Queue, Properties: { FifoQueue: true, QueueName: lost.fifo } }\n",
    function!(
        "Printer",
        "Timeout: 20, Events: { In: { Type: SQS, Properties: { Queue: !GetAtt Tickets.Arn, BatchSize: 1 } } }"
    ),
);

/// One message of a group is worked on at a time, and each takes exactly 2 s: g groups make g / 2 a second, once each of
/// them always has a message waiting. 12 messages a second come in, more than eight groups can take.
#[test]
fn the_rate_of_a_fifo_queue_is_that_of_its_groups() {
    for (groups, number) in [("", 1), ("groups: [a], ", 1), ("groups: 3, ", 3), ("groups: 8, ", 8)] {
        let traffic = format!(
            "version: 1\ntraffic: [ {{ to: {{ queue: Tickets }}, rate: 12/s, {groups}arrivals: even }} ]\n\
             functions: {{ Printer: {{ duration: 2s, cold_start: 0ms }} }}\n"
        );
        let mut world = world(TICKETS, &traffic);
        world.run_until(at(120));
        let before = ended(&world, "Printer");
        world.run_until(at(120 + 400));
        let done = ended(&world, "Printer") - before;
        // 400 s of g / 2 a second; one more or less at each end of each group.
        let wanted = 200 * number;
        assert!(done.abs_diff(wanted) <= number, "{number} groups: {done} and not {wanted}");
    }
}

#[test]
fn a_bad_message_holds_up_its_group_until_it_is_dead() {
    let traffic = "version: 1\ntraffic: [ { to: { queue: Tickets }, rate: 12 per minute, arrivals: even } ]\n\
                   functions: { Printer: { duration: 100ms, cold_start: 0ms } }\n";
    let mut held_up = world(TICKETS, traffic);
    held_up.run_until(at(61));
    let before = ended(&held_up, "Printer");
    // The queue has one group, whatever squall calls it.
    let mut bad = message(1, &Payload::Malformed.bodies(1, 0)[0]);
    bad.group = Some("customer-7".into());
    let queue = resource(ResourceKind::Queue, "t.fifo");
    ask(&mut held_up, Call::Send { queue, messages: vec![bad] }).unwrap();
    // Two receives with 30 s of visibility each, and the third moves it away.
    held_up.run_until(at(119));
    assert_eq!(ended(&held_up, "Printer") - before, 2, "only the bad one was tried, twice");
    assert_eq!(depth(&held_up, "lost.fifo"), 0.0);
    held_up.run_until(at(130));
    assert_eq!(depth(&held_up, "lost.fifo"), 1.0);
    assert!(ended(&held_up, "Printer") - before >= 13, "then the others go on");
    assert_eq!(held_up.count_of("t.fifo", Why::ReceivedTooOften), 1);
    // A group of its own holds up nobody else.
    let traffic = traffic.replace("arrivals: even", "groups: [customer-1], arrivals: even");
    let mut apart = world(TICKETS, &traffic);
    apart.run_until(at(61));
    let before = ended(&apart, "Printer");
    let mut bad = message(1, &Payload::Malformed.bodies(1, 0)[0]);
    bad.group = Some("customer-7".into());
    let queue = resource(ResourceKind::Queue, "t.fifo");
    ask(&mut apart, Call::Send { queue, messages: vec![bad] }).unwrap();
    apart.run_until(at(119));
    assert!(ended(&apart, "Printer") - before >= 11 + 2);
}

#[test]
fn only_a_fifo_queue_has_groups() {
    let template = "Resources: { Q: { Type: AWS::SQS::Queue } }";
    let found = lines(template, "version: 1\ntraffic: [ { to: { queue: Q }, rate: 1/s, groups: 3 } ]\n");
    assert!(found.contains("only a FIFO queue has message groups"), "{found}");
    let found = lines(template, "version: 1\ntraffic: [ { to: { queue: Q }, rate: 1/s, groups: 0 } ]\n");
    assert!(found.contains("1 to 10000 message groups"), "{found}");
}

// --- loops --------------------------------------------------------------------------------------------------------

const RETRIED: &str = concat!(
    "Resources:\n",
    "  Again: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: 30, DelaySeconds: 2, \
     RedrivePolicy: { deadLetterTargetArn: !GetAtt GivenUp.Arn, maxReceiveCount: 4 } } }\n",
    "  GivenUp: { Type: AWS::SQS::Queue }\n",
    function!(
        "Asker",
        "Timeout: 5, RecursiveLoop: LOOP, Policies: [ { SQSSendMessagePolicy: { QueueName: !GetAtt Again.QueueName } } ], \
         Events: { In: { Type: SQS, Properties: { Queue: !GetAtt Again.Arn, BatchSize: 1 } } }"
    ),
);

/// Lambda runs 16 invocations of a chain and stops the next one. Its message is tried again after each visibility timeout,
/// four receives in all, and then it is in the dead-letter queue.
#[test]
fn a_loop_is_stopped_after_sixteen_invocations() {
    let traffic = "version: 1\nfunctions: { Asker: { duration: 50ms, calls: [ { queue: Again } ], traced: true } }\n";
    let mut world = world(&RETRIED.replace("LOOP", "Terminate"), traffic);
    world.enqueue(0, New::default());
    world.run_until(at(300));
    assert_eq!(ended(&world, "Asker"), 16);
    assert_eq!(depth(&world, "GivenUp"), 1.0);
    assert_eq!(world.count_of("Asker", Why::LoopStopped), 4);
    assert_eq!(world.function_totals("Asker").unwrap().requests, 16 + 4);
}

/// Two chains at once are counted apart: 32 invocations, two dead messages.
#[test]
fn every_chain_is_counted_for_itself() {
    let traffic = "version: 1\nfunctions: { Asker: { duration: 50ms, calls: [ { queue: Again } ] } }\n";
    let mut world = world(&RETRIED.replace("LOOP", "Terminate"), traffic);
    world.enqueue(0, New::default());
    world.run_until(at(7));
    world.enqueue(0, New::default());
    world.run_until(at(400));
    assert_eq!((ended(&world, "Asker"), depth(&world, "GivenUp")), (32, 2.0));
}

#[test]
fn a_loop_that_is_allowed_or_not_seen_goes_on() {
    for (loops, traced) in [("Allow", "true"), ("Terminate", "false")] {
        let traffic = format!(
            "version: 1\nfunctions: {{ Asker: {{ duration: 50ms, calls: [ {{ queue: Again }} ], traced: {traced} }} }}\n"
        );
        let mut world = world(&RETRIED.replace("LOOP", loops), &traffic);
        world.enqueue(0, New::default());
        world.run_until(at(300));
        assert!(ended(&world, "Asker") > 100, "{loops}, {traced}: {}", ended(&world, "Asker"));
        assert_eq!(world.count_of("Asker", Why::LoopStopped), 0);
    }
}

/// Over a topic, and over another function: each of both functions runs 16 times.
#[test]
fn a_loop_over_a_topic_and_another_function_is_seen() {
    let template = concat!(
        "Resources:\n",
        "  News: { Type: AWS::SNS::Topic }\n",
        "  Kept: { Type: AWS::SQS::Queue }\n",
        function!(
            "Ping",
            "Policies: [ SNSFullAccess, AmazonSQSFullAccess, AWSLambda_FullAccess ], \
             DeadLetterQueue: { Type: SQS, TargetArn: !GetAtt Kept.Arn }, \
             Events: { In: { Type: SNS, Properties: { Topic: !Ref News } } }"
        ),
        function!("Pong", "Policies: [ AmazonSNSFullAccess ]"),
    )
    .replace("SNSFullAccess, Amazon", "AmazonSNSFullAccess, Amazon");
    let traffic = "version: 1\nfunctions:\n  Ping: { calls: [ { function: Pong, waits: false } ] }\n\
                   \x20 Pong: { calls: [ { topic: News } ] }\n";
    let mut world = world(&template, traffic);
    world.publish(0, 100, &Chain::default());
    world.run_until(at(60));
    assert_eq!((ended(&world, "Ping"), ended(&world, "Pong")), (16, 16));
    assert_eq!((world.count_of("Ping", Why::LoopStopped), depth(&world, "Kept")), (1, 1.0));
}

// --- API Gateway --------------------------------------------------------------------------------------------------

/// The token bucket of the account holds b requests and refills r a second: of a steady a > r, b + r t are let through in
/// t seconds, and the gateway itself answers 429 to the rest.
#[test]
fn the_gateway_lets_through_its_burst_and_its_rate() {
    let template = concat!(
        "Resources:\n",
        function!("Front", "Events: { Get: { Type: HttpApi, Properties: { Path: /, Method: get } } }"),
    );
    let traffic = "version: 1\naccount: { api_requests: 40, api_burst: 200 }\n\
                   traffic: [ { to: { api: ServerlessHttpApi }, rate: 60/s, arrivals: even } ]\n\
                   functions: { Front: { duration: 1ms, cold_start: 0ms } }\n";
    let mut limited = world(template, traffic);
    limited.run_until(at(600));
    let through = limited.function_totals("Front").unwrap().requests;
    assert!(through.abs_diff(200 + 40 * 600) <= 1, "{through}");
    let refused = limited.count_of("ServerlessHttpApi", Why::OverApiLimit);
    assert!((through + refused).abs_diff(60 * 600) <= 1, "{refused}");
    // 429 is a 4xx, and no failure of the server.
    let share = limited.value(Metric::FailedShare, ResourceKind::Api, "ServerlessHttpApi", 5..6);
    assert_eq!(share, Some(0.0));
    let (app, _) = read(template, "version: 1\n");
    let limit = app.unwrap().api_limit;
    assert_eq!((limit.per_second, limit.burst), (10_000, 5_000), "what AWS gives");
}

// --- payloads and sizes -------------------------------------------------------------------------------------------

const READER: &str = concat!(
    "Resources:\n",
    "  Mail: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: 20, MaximumMessageSize: SIZE, \
     RedrivePolicy: { deadLetterTargetArn: !GetAtt Bad.Arn, maxReceiveCount: 1 } } }\n",
    "  Bad: { Type: AWS::SQS::Queue }\n",
    function!(
        "Reader",
        "Timeout: 5, Events: { In: { Type: SQS, Properties: { Queue: !GetAtt Mail.Arn, BatchSize: 1 } } }"
    ),
);

/// What becomes of a message is what the traffic file says of its kind, whether or not it parses.
#[test]
fn a_handler_does_with_each_payload_what_the_traffic_file_says() {
    let own = vec!["not json, and fine".to_owned()];
    let kinds = Payload::ALL.map(|kind| (kind.word(), kind.bodies(1, 1)));
    for (key, bodies) in kinds.into_iter().chain([("own_bodies", own)]) {
        for (word, dead) in [("fails", 1.0), ("discards", 0.0), ("handles", 0.0)] {
            let traffic = format!("version: 1\nfunctions: {{ Reader: {{ {key}: {word}, duration: 10ms }} }}\n");
            let mut world = world(&READER.replace("SIZE", "1048576"), &traffic);
            world.send_to("Mail", &[&bodies[0]]);
            world.run_until(at(60));
            assert_eq!(depth(&world, "Bad"), dead, "{key}: {word}");
            assert_eq!(world.held()[1], 0, "{key}: {word}");
            let discarded = world.count_of("Reader", Why::BadMessageDiscarded);
            assert_eq!(discarded, u64::from(word == "discards"), "{key}: {word}");
        }
    }
}

#[test]
fn a_queue_refuses_what_is_larger_than_it_takes() {
    let traffic = "version: 1\ntraffic: [ { to: { function: Reader }, rate: 1/s } ]\n\
                   functions: { Reader: { calls: [ { queue: Mail, size: 70000 } ] } }\n";
    let allowed = READER.replace("Timeout: 5", "Timeout: 5, Policies: [ AmazonSQSFullAccess ]");
    let mut small = world(&allowed.replace("SIZE", "65536"), traffic);
    let queue = resource(ResourceKind::Queue, "Mail");
    let big = message(1, &Payload::TooBig.bodies(1, 0)[0]);
    let outcome = format!("{:?}", ask(&mut small, Call::Send { queue, messages: vec![big] }));
    assert!(outcome.contains("1 to 65536 bytes"), "{outcome}");
    small.run_until(at(100));
    let refused = small.count_of("Mail", Why::RefusedAsTooLarge);
    assert!(refused > 50 && refused == small.function_totals("Reader").unwrap().errors, "{refused}");
    let mut large = world(&allowed.replace("SIZE", "70000"), traffic);
    large.run_until(at(20));
    assert_eq!(large.count_of("Mail", Why::RefusedAsTooLarge), 0);
}

// --- calls --------------------------------------------------------------------------------------------------------

/// A batch of ten takes its invocation's call once and its messages' calls ten times.
#[test]
fn a_slow_dependency_slows_a_batch_once_or_for_each_message() {
    let template =
        READER.replace("SIZE", "1048576").replace("BatchSize: 1", "BatchSize: 10, MaximumBatchingWindowInSeconds: 1");
    for (each, seconds) in [("invocation", 0.3), ("message", 3.0)] {
        let traffic = format!(
            "version: 1\nfunctions: {{ Reader: {{ duration: 0ms, cold_start: 0ms, \
             calls: [ {{ external: rates.example.com, takes: 300ms, each: {each} }} ] }} }}\n"
        );
        let mut world = world(&template, &traffic);
        (0..10).for_each(|_| assert!(world.enqueue(1, New::default())));
        world.run_until(at(300));
        let took = world.value(Metric::Duration, ResourceKind::Function, "Reader", 0..1).unwrap();
        assert!((took - seconds).abs() < 1e-9, "{each}: {took}");
    }
}

#[test]
fn a_call_to_something_outside_fails_as_often_as_the_file_says() {
    let template = concat!("Resources:\n", function!("Payer", "Timeout: 3"));
    let traffic = "version: 1\ntraffic: [ { to: { function: Payer }, rate: 20/s } ]\n\
                   functions: { Payer: { calls: [ { external: bank.example.com, errors: 25 % } ] } }\n";
    let mut world = world(template, traffic);
    world.run_until(at(1_000));
    let totals = world.function_totals("Payer").unwrap();
    let share = totals.errors as f64 / totals.ended as f64;
    // 20,000 calls: four standard errors of a share of a quarter are 0.0122.
    assert!((share - 0.25).abs() < 0.0123, "{share}");
    assert_eq!(world.count_of("Payer", Why::CallFailed), totals.errors);
}

/// The wrapper's denylist is a fault on a dependency alone.
#[test]
fn a_denied_host_is_not_reached_and_others_are() {
    let template = concat!(
        "Resources:\n",
        "  Flags: { Type: AWS::SSM::Parameter, Properties: { Name: /payer/faults, Type: String, Value: \"{}\" } }\n",
        function!(
            "Payer",
            "Environment: { Variables: { FAILURE_INJECTION_PARAM: /payer/faults } }, \
             Policies: [ { SSMParameterReadPolicy: { ParameterName: payer/faults } } ]"
        ),
    );
    let traffic = "version: 1\ntraffic: [ { to: { function: Payer }, rate: 5/s } ]\n\
                   functions: { Payer: { calls: [ { external: bank.example.com }, { external: other.example.com } ] } }\n";
    let mut world = world(template, traffic);
    world.put("/payer/faults", r#"{"denylist": {"enabled": true, "deny_list": ["nowhere.*"]}}"#);
    world.run_until(at(300));
    assert_eq!(world.function_totals("Payer").unwrap().errors, 0);
    world.put("/payer/faults", r#"{"denylist": {"enabled": true, "deny_list": ["bank.*com"]}}"#);
    world.run_until(at(400));
    let before = world.function_totals("Payer").unwrap();
    world.run_until(at(500));
    let after = world.function_totals("Payer").unwrap();
    assert_eq!(after.errors - before.errors, after.ended - before.ended);
}

/// With a window of 25 s and a timeout of 5 s, a visibility timeout of 10 s would end while messages are gathered; Lambda
/// hides them for window, timeout and 30 s instead.
#[test]
fn a_batch_window_longer_than_the_visibility_loses_nothing() {
    let template = READER
        .replace("SIZE", "1048576")
        .replace("VisibilityTimeout: 20", "VisibilityTimeout: 10")
        .replace("BatchSize: 1", "BatchSize: 10, MaximumBatchingWindowInSeconds: 25");
    let mut world = world(&template, "version: 1\nfunctions: { Reader: { duration: 10ms } }\n");
    assert!(world.enqueue(1, New::default()));
    world.run_until(at(24));
    assert_eq!((ended(&world, "Reader"), depth(&world, "Mail")), (0, 0.0));
    world.run_until(at(27));
    assert_eq!(ended(&world, "Reader"), 1);
    world.run_until(at(200));
    assert_eq!(world.held(), [0, 0]);
}

// --- asynchronous events ------------------------------------------------------------------------------------------

const EVENTS: &str = concat!(
    "Resources:\n",
    "  Start: { Type: AWS::SNS::Topic }\n",
    "  Box: { Type: AWS::SQS::Queue }\n",
    "  Told: { Type: AWS::SNS::Topic, Properties: { Subscription: [ { Protocol: sqs, Endpoint: !GetAtt Box.Arn } ] } }\n",
    "  BoxMay: { Type: AWS::SQS::QueuePolicy, Properties: { Queues: [ !Ref Box ], PolicyDocument: { Statement: \
     [ { Effect: Allow, Principal: { Service: sns.amazonaws.com }, Action: 'sqs:SendMessage', Resource: '*' } ] } } }\n",
    function!(
        "Work",
        "Policies: [ AmazonSQSFullAccess, AmazonSNSFullAccess, AWSLambda_FullAccess ], HOW, \
         Events: { In: { Type: SNS, Properties: { Topic: !Ref Start } } }"
    ),
    function!("Sweeper", "Timeout: 3"),
);

/// Events that are given up reach a queue, a topic's queue or a function, as a dead letter or as a record of the failure.
#[test]
fn destinations_of_every_kind_get_what_is_given_up() {
    let config = |to: &str| {
        format!("EventInvokeConfig: {{ MaximumRetryAttempts: 0, DestinationConfig: {{ OnFailure: {to} }} }}")
    };
    let (by_record, by_letter) = (Reached::Destination, Reached::DeadLetterQueue);
    for (how, in_box, swept, reached) in [
        (config("{ Type: SQS, Destination: !GetAtt Box.Arn }"), 1.0, 0, by_record),
        (config("{ Type: SNS, Destination: !Ref Told }"), 1.0, 0, by_record),
        (config("{ Type: Lambda, Destination: !GetAtt Sweeper.Arn }"), 0.0, 1, by_record),
        ("DeadLetterQueue: { Type: SQS, TargetArn: !GetAtt Box.Arn }".into(), 1.0, 0, by_letter),
        ("DeadLetterQueue: { Type: SNS, TargetArn: !Ref Told }".into(), 1.0, 0, by_letter),
        (
            format!(
                "DeadLetterQueue: {{ Type: SNS, TargetArn: !Ref Told }}, {}",
                config("{ Type: SQS, Destination: !GetAtt Box.Arn }")
            ),
            2.0,
            0,
            Reached::Both,
        ),
    ] {
        let template = EVENTS.replace("HOW", &how);
        let traffic = "version: 1\nfunctions: { Work: { errors: 100 %, duration: 10ms } }\n";
        let mut failing = world(&template, traffic);
        failing.publish(0, 100, &Chain::default());
        failing.run_until(at(400));
        assert_eq!((depth(&failing, "Box"), ended(&failing, "Sweeper")), (in_box, swept), "{how}");
        assert_eq!(failing.count_of("Work", Why::EventGivenUp(GivenUp::LastRetry, reached)), 1, "{how}");
        let mut stopped = world(&template, traffic);
        stopped.reserve("Work", Value::Number(0));
        stopped.publish(0, 100, &Chain::default());
        stopped.run_until(at(10));
        assert_eq!((depth(&stopped, "Box"), ended(&stopped, "Sweeper")), (in_box, swept), "{how}, concurrency 0");
        assert_eq!(stopped.count_of("Work", Why::EventGivenUp(GivenUp::NoConcurrency, reached)), 1, "{how}");
    }
}

#[test]
fn an_event_that_went_well_is_told_and_one_without_a_destination_is_lost() {
    let how = "EventInvokeConfig: { DestinationConfig: { OnSuccess: { Type: SQS, Destination: !GetAtt Box.Arn } } }";
    let mut world = world(&EVENTS.replace("HOW", how), "version: 1\n");
    world.publish(0, 100, &Chain::default());
    world.run_until(at(10));
    assert_eq!(depth(&world, "Box"), 1.0);
    world.reserve("Work", Value::Number(0));
    world.publish(0, 100, &Chain::default());
    world.run_until(at(20));
    let lost = world.count_of("Work", Why::EventGivenUp(GivenUp::NoConcurrency, Reached::Nothing));
    assert_eq!((depth(&world, "Box"), lost), (1.0, 1));
}

/// What the summary of a run says of an event that was given up: where it went, and "lost" only when it reached nothing.
#[test]
fn an_event_that_reached_its_dead_letter_queue_is_not_called_lost() {
    for (how, says, never) in [
        ("DeadLetterQueue: { Type: SQS, TargetArn: !GetAtt Box.Arn }", "sent to the dead-letter queue", "lost"),
        ("Timeout: 3", "lost: the function has no dead-letter queue", "sent"),
        // The role lost the permission after the deployment.
        (
            "DeadLetterQueue: { Type: SQS, TargetArn: !GetAtt Box.Arn }, Description: denied",
            "lost: it could not be sent",
            "was sent",
        ),
    ] {
        let mut world = world(&EVENTS.replace("HOW", how), "version: 1\n");
        if how.contains("denied") {
            let deny = r#"{"Statement":[{"Effect":"Deny","Action":"sqs:SendMessage","Resource":"*"}]}"#;
            let role = resource(ResourceKind::Role, "WorkRole");
            let setting = Setting::RolePolicy { role, policy: "later".into() };
            world.set(&Write { setting, value: Value::Text(deny.into()), whole: None }).unwrap();
            world.run_until(at(100));
        }
        world.reserve("Work", Value::Number(0));
        world.publish(0, 100, &Chain::default());
        world.run_until(at(120));
        let told: Vec<String> = world.reason_counts().iter().map(ToString::to_string).collect();
        let told = told.join("\n");
        assert!(told.contains(says) && !told.contains(never), "{how}: {told}");
    }
}

/// A throttled event is tried again until it is older than the function's events may become, here 90 s. The other event
/// holds the only slot for longer than that.
#[test]
fn a_throttled_event_is_dropped_when_it_is_too_old() {
    let how = "Timeout: 600, ReservedConcurrentExecutions: 1, EventInvokeConfig: { MaximumEventAgeInSeconds: 90 }, \
               DeadLetterQueue: { Type: SQS, TargetArn: !GetAtt Box.Arn }";
    let mut world = world(&EVENTS.replace("HOW", how), "version: 1\nfunctions: { Work: { duration: 400s } }\n");
    world.publish(0, 100, &Chain::default());
    world.publish(0, 100, &Chain::default());
    world.run_until(at(90));
    assert_eq!(depth(&world, "Box"), 0.0);
    world.run_until(at(91));
    let given_up = Why::EventGivenUp(GivenUp::TooOld, Reached::DeadLetterQueue);
    assert_eq!((depth(&world, "Box"), world.count_of("Work", given_up)), (1.0, 1));
}

/// 300 sends at once, and 300 a second after that; with high throughput no limit that the model reaches
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>).
#[test]
fn a_fifo_queue_takes_300_sends_a_second_without_high_throughput() {
    let queue = |more: &str| format!("Resources: {{ Q: {{ Type: AWS::SQS::Queue, Properties: {{ {more} }} }} }}");
    let sent = |more: &str| {
        let mut world = world(&queue(more), "version: 1\n");
        let mut counts = Vec::new();
        for secs in [0, 1, 100] {
            world.run_until(at(secs));
            counts.push((0..1_000).filter(|_| world.send_message(0, New::default())).count());
        }
        (counts, world.count_of("Q", Why::SendThrottled))
    };
    assert_eq!(sent("FifoQueue: true"), (vec![300, 300, 300], 2_100));
    let high = "FifoQueue: true, DeduplicationScope: messageGroup, FifoThroughputLimit: perMessageGroupId";
    assert_eq!(sent(high), (vec![1_000, 1_000, 1_000], 0));
    assert_eq!(sent("VisibilityTimeout: 30"), (vec![1_000, 1_000, 1_000], 0));
}

// --- what is kept of it -------------------------------------------------------------------------------------------

#[test]
fn an_expired_message_is_told_apart_from_one_that_was_taken() {
    let template = "Resources: { Slow: { Type: AWS::SQS::Queue, Properties: { MessageRetentionPeriod: 60 } } }";
    let mut world = world(template, "version: 1\n");
    (0..3).for_each(|_| assert!(world.enqueue(0, New::default())));
    let taken = world.receive(0, 1, crate::units::Span::from_secs(30));
    assert!(world.delete_message(0, taken[0], 1));
    world.run_until(at(300));
    assert_eq!(world.count_of("Slow", Why::Expired), 2);
    assert_eq!(world.value(Metric::MessagesDone, ResourceKind::Queue, "Slow", 0..1), Some(1.0));
}
