//! What AWS refuses at deployment, across resources.

use super::*;

fn refuses(resources: &str, what: &str) {
    let found = refused(&format!("{SAM}{resources}"));
    let line = found.lines().find(|line| line.starts_with("refused-by-aws t.yaml:") && line.contains(what));
    assert!(line.is_some(), "`{what}` is not in:\n{found}");
}

#[test]
fn times_and_batches_of_a_mapping() {
    let worker = |properties: &str, event: &str| {
        format!("
  W: {{ Type: AWS::Serverless::Function, Properties: {{ {properties} Events: {{ In: {{ Type: SQS, Properties: {{ Queue: !GetAtt Jobs.Arn {event} }} }} }} }} }}
")
    };
    refuses(
        &worker("Timeout: 61,", ""),
        "the visibility timeout of Jobs (1m) is shorter than the time-out of W (1m1s)",
    );
    refuses(&worker("", ", BatchSize: 11"), "a batch of more than 10 messages needs a batching window");
    app(&format!("{SAM}{}", worker("Timeout: 60,", ", BatchSize: 11, MaximumBatchingWindowInSeconds: 1")));
    refuses(
        &(worker("", "")
            + "  Again: { Type: AWS::Lambda::EventSourceMapping, Properties: { FunctionName: !Ref W, EventSourceArn: !GetAtt Jobs.Arn } }\n"),
        "Again maps Jobs to W already",
    );
}

#[test]
fn rules_of_fifo() {
    refuses(
        "  Q: { Type: AWS::SQS::Queue, Properties: { FifoQueue: true, QueueName: q } }\n",
        "`q` cannot be the name of queue Q",
    );
    refuses(
        "  Q: { Type: AWS::SQS::Queue, Properties: { QueueName: q.fifo } }\n",
        "`q.fifo` cannot be the name of queue Q",
    );
    refuses("  Q: { Type: AWS::SQS::Queue, Properties: { ContentBasedDeduplication: true } }\n", "queue Q is not FIFO");
    refuses(
        "  Q: { Type: AWS::SQS::Queue, Properties: { FifoQueue: true, RedrivePolicy: { deadLetterTargetArn: !GetAtt Jobs.Arn, maxReceiveCount: 3 } } }\n",
        "not both FIFO or both standard",
    );
    let fifo = "  Q: { Type: AWS::SQS::Queue, Properties: { FifoQueue: true } }\n";
    let worker = |event: &str| {
        format!(
            "{fifo}  W: {{ Type: AWS::Serverless::Function, Properties: {{ Events: {{ In: {{ Type: SQS, Properties: {{ Queue: !GetAtt Q.Arn, {event} }} }} }} }} }}\n"
        )
    };
    refuses(&worker("BatchSize: 20"), "has at most 10 messages");
    refuses(&worker("MaximumBatchingWindowInSeconds: 5"), "has a batching window");
    let link = |topic: &str, to: &str| {
        format!("{fifo}
  F: {{ Type: AWS::Serverless::Function }}
  May: {{ Type: AWS::Lambda::Permission, Properties: {{ FunctionName: !Ref F, Action: 'lambda:InvokeFunction', Principal: sns.amazonaws.com }} }}
  Topic: {{ Type: AWS::SNS::Topic, Properties: {{ {topic} }} }}
  Link: {{ Type: AWS::SNS::Subscription, Properties: {{ TopicArn: !Ref Topic, {to} }} }}
")
    };
    refuses(
        &link("DisplayName: x", "Protocol: sqs, Endpoint: !GetAtt Q.Arn"),
        "cannot be subscribed to the standard topic",
    );
    refuses(
        &link("FifoTopic: true, TopicName: t.fifo", "Protocol: lambda, Endpoint: !GetAtt F.Arn"),
        "delivers to queues only",
    );
}

#[test]
fn dead_letters_that_are_not_taken() {
    let queues = |allow: &str| {
        format!("
  Dead: {{ Type: AWS::SQS::Queue, Properties: {{ RedriveAllowPolicy: {{ {allow} }} }} }}
  Q: {{ Type: AWS::SQS::Queue, Properties: {{ RedrivePolicy: {{ deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3 }} }} }}
")
    };
    refuses(&queues("redrivePermission: denyAll"), "Dead does not take dead letters from Q");
    refuses(
        &queues("redrivePermission: byQueue, sourceQueueArns: [ !GetAtt Jobs.Arn ]"),
        "Dead does not take dead letters from Q",
    );
    refuses(
        "  Q: { Type: AWS::SQS::Queue, Properties: { QueueName: q, RedrivePolicy: { deadLetterTargetArn: !Sub 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:q', maxReceiveCount: 3 } } }\n",
        "queue Q is its own dead-letter queue",
    );
    app(&format!(
        "{SAM}{}",
        queues("redrivePermission: byQueue, sourceQueueArns: [ 'arn:aws:sqs:eu-west-1:000000000000:Q' ]")
    ));
}

#[test]
fn reservations_beyond_the_account() {
    let functions = |first: u32, second: u32| {
        format!(
            "
  A: {{ Type: AWS::Serverless::Function, Properties: {{ ReservedConcurrentExecutions: {first} }} }}
  B: {{ Type: AWS::Serverless::Function, Properties: {{ ReservedConcurrentExecutions: {second} }} }}
"
        )
    };
    refuses(
        &functions(500, 401),
        "reserved and provisioned concurrency add up to 901; the account has 1000 and keeps 100 unreserved",
    );
    app(&format!("{SAM}{}", functions(500, 400)));
    // A small account has nothing to reserve.
    let small = Deployment { limits: Limits { concurrency: 10, unreserved: 10 }, ..deployment() };
    let (app, findings) = read(&Source::new("t.yaml", format!("{SAM}{}", functions(1, 0))), &small);
    assert!(app.is_none() && lines(&findings).contains("the account has 10 and keeps 10 unreserved"));
}

#[test]
fn provisioned_concurrency() {
    let function = |more: &str, amount: u32| {
        format!(
            "  F: {{ Type: AWS::Serverless::Function, Properties: {{ AutoPublishAlias: live {more}, \
             ProvisionedConcurrencyConfig: {{ ProvisionedConcurrentExecutions: {amount} }} }} }}\n"
        )
    };
    refuses(&function("", 901), "reserved and provisioned concurrency add up to 901");
    refuses(&function(", ReservedConcurrentExecutions: 10", 11), "function F has 11 provisioned, and reserves 10");
    let app = app(&format!("{SAM}{}", function(", ReservedConcurrentExecutions: 10", 10)));
    assert_eq!(app.functions["F"].provisioned, 10);
    let found = refused(&format!("{SAM}{}", function(", SnapStart: { ApplyOn: PublishedVersions }", 1)));
    assert!(found.contains("function F has both SnapStart and provisioned concurrency"), "{found}");
    refuses(
        "  F: { Type: AWS::Serverless::Function }
  A: { Type: AWS::Lambda::Alias, Properties: { FunctionName: !Ref F, FunctionVersion: $LATEST, Name: x, ProvisionedConcurrencyConfig: { ProvisionedConcurrentExecutions: 1 } } }
",
        "the alias A points at $LATEST and has provisioned concurrency",
    );
}

#[test]
fn roles_that_may_not_do_what_lambda_asks_of_them() {
    let role = "
  R: { Type: AWS::IAM::Role, Properties: { AssumeRolePolicyDocument: { Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: 'sts:AssumeRole' }] } } }
";
    refuses(&format!("{role}
  F: {{ Type: AWS::Serverless::Function, Properties: {{ Role: !GetAtt R.Arn, Events: {{ In: {{ Type: SQS, Properties: {{ Queue: !GetAtt Jobs.Arn }} }} }} }} }}
"), "does not allow sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes on");
    refuses(&format!("{role}
  F: {{ Type: AWS::Lambda::Function, Properties: {{ Role: !GetAtt R.Arn, DeadLetterConfig: {{ TargetArn: !GetAtt Jobs.Arn }} }} }}
"), "does not allow sqs:SendMessage");
    refuses(&format!("{role}
  F: {{ Type: AWS::Lambda::Function, Properties: {{ Role: !GetAtt R.Arn }} }}
  C: {{ Type: AWS::Lambda::EventInvokeConfig, Properties: {{ FunctionName: !Ref F, DestinationConfig: {{ OnSuccess: {{ Destination: !GetAtt Jobs.Arn }} }} }} }}
"), "does not allow sqs:SendMessage");
    refuses(
        &format!(
            "{}
  F: {{ Type: AWS::Serverless::Function, Properties: {{ Role: !GetAtt R.Arn }} }}
",
            role.replace("lambda.amazonaws.com", "ec2.amazonaws.com")
        ),
        "does not let Lambda assume it",
    );
}

#[test]
fn a_limit_of_each_group_needs_deduplication_by_group() {
    let queue = |more: &str| {
        format!(
            "  Q: {{ Type: AWS::SQS::Queue, Properties: {{ FifoQueue: true, FifoThroughputLimit: perMessageGroupId {more} }} }}\n"
        )
    };
    refuses(&queue(""), "queue Q has a throughput limit per message group, and deduplicates over the whole queue");
    refuses(&queue(", DeduplicationScope: queue"), "deduplicates over the whole queue");
    app(&format!("{SAM}{}", queue(", DeduplicationScope: messageGroup")));
}

#[test]
fn tables_without_throughput() {
    let table = |properties: &str| {
        format!(
            "  P: {{ Type: AWS::DynamoDB::Table, Properties: {{ KeySchema: [{{ AttributeName: id, KeyType: HASH }}] {properties} }} }}\n"
        )
    };
    refuses(&table(""), "table P is provisioned, and has no `ProvisionedThroughput`");
    refuses(&table(", BillingMode: PROVISIONED"), "has no `ProvisionedThroughput`");
    refuses(&table(", ProvisionedThroughput: { WriteCapacityUnits: 5 }"), "lacks its reads or its writes");
    refuses(
        &table(
            ", BillingMode: PAY_PER_REQUEST, ProvisionedThroughput: { WriteCapacityUnits: 5, ReadCapacityUnits: 5 }",
        ),
        "is on demand and has",
    );
    app(&format!("{SAM}{}", table(", BillingMode: PAY_PER_REQUEST")));
}

#[test]
fn tables_without_a_key_and_environments_over_4_kb() {
    refuses(
        "  P: { Type: AWS::DynamoDB::Table, Properties: { BillingMode: PAY_PER_REQUEST } }\n",
        "has no `KeySchema`",
    );
    let function = |value: &str| {
        format!(
            "  F: {{ Type: AWS::Serverless::Function, Properties: {{ Environment: {{ Variables: {{ A: '{value}' }} }} }} }}\n"
        )
    };
    refuses(&function(&"x".repeat(4_096)), "the environment of function F is larger than 4 KB");
    app(&format!("{SAM}{}", function(&"x".repeat(4_000))));
}

/// The neighbours of what is refused, one thing changed: a rule that refuses too much fails here, and one that is gone fails
/// above.
#[test]
fn what_is_next_to_it_is_accepted() {
    let role = "
  R: { Type: AWS::IAM::Role, Properties: { AssumeRolePolicyDocument: { Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: 'sts:AssumeRole' }] }, Policies: [{ PolicyName: p, PolicyDocument: { Statement: [{ Effect: Allow, Action: 'sqs:*', Resource: '*' }] } }] } }
";
    let fifo = "  Q: { Type: AWS::SQS::Queue, Properties: { FifoQueue: true } }\n";
    let consumer = |queue: &str, event: &str| {
        format!(
            "  W: {{ Type: AWS::Serverless::Function, Properties: {{ Events: {{ In: {{ Type: SQS, Properties: {{ Queue: !GetAtt {queue}.Arn {event} }} }} }} }} }}\n"
        )
    };
    for resources in [
        "  Q: { Type: AWS::SQS::Queue, Properties: { FifoQueue: true, QueueName: q.fifo } }\n".to_owned(),
        "  Q: { Type: AWS::SQS::Queue, Properties: { QueueName: q } }\n".to_owned(),
        "  Q: { Type: AWS::SQS::Queue, Properties: { FifoQueue: true, ContentBasedDeduplication: true } }\n".to_owned(),
        format!("{fifo}  D: {{ Type: AWS::SQS::Queue, Properties: {{ FifoQueue: true, RedrivePolicy: {{ deadLetterTargetArn: !GetAtt Q.Arn, maxReceiveCount: 3 }} }} }}\n"),
        format!("{fifo}{}", consumer("Q", ", BatchSize: 10")),
        consumer("Jobs", ", BatchSize: 10"),
        consumer("Jobs", ", MaximumBatchingWindowInSeconds: 5"),
        format!("  Other: {{ Type: AWS::SQS::Queue, Properties: {{ VisibilityTimeout: 60 }} }}\n{}  Again: {{ Type: AWS::Lambda::EventSourceMapping, Properties: {{ FunctionName: !Ref W, EventSourceArn: !GetAtt Other.Arn }} }}\n", consumer("Jobs", "")),
        format!("{fifo}  T: {{ Type: AWS::SNS::Topic, Properties: {{ FifoTopic: true, TopicName: t.fifo }} }}\n  L: {{ Type: AWS::SNS::Subscription, Properties: {{ TopicArn: !Ref T, Protocol: sqs, Endpoint: !GetAtt Q.Arn }} }}\n"),
        "  F: { Type: AWS::Serverless::Function, Properties: { AutoPublishAlias: live, ProvisionedConcurrencyConfig: { ProvisionedConcurrentExecutions: 900 } } }\n".to_owned(),
        "  F: { Type: AWS::Serverless::Function, Properties: { AutoPublishAlias: live, SnapStart: { ApplyOn: PublishedVersions } } }\n".to_owned(),
        format!("{role}  F: {{ Type: AWS::Serverless::Function, Properties: {{ Role: !GetAtt R.Arn, Events: {{ In: {{ Type: SQS, Properties: {{ Queue: !GetAtt Jobs.Arn }} }} }} }} }}\n"),
        format!("{role}  F: {{ Type: AWS::Lambda::Function, Properties: {{ Role: !GetAtt R.Arn, DeadLetterConfig: {{ TargetArn: !GetAtt Jobs.Arn }} }} }}\n"),
        "  P: { Type: AWS::DynamoDB::Table, Properties: { KeySchema: [{ AttributeName: id, KeyType: HASH }], ProvisionedThroughput: { WriteCapacityUnits: 5, ReadCapacityUnits: 5 } } }\n".to_owned(),
    ] {
        let (app, findings) = read(&Source::new("t.yaml", format!("{SAM}{resources}")), &deployment());
        assert!(app.is_some() && !findings.has_errors(), "{resources}: {}", lines(&findings));
    }
}
