//! Unknown in, unknown out.

use super::*;

#[test]
fn functions_of_unknown_values_are_unknown_and_cost_nothing_until_they_are_needed() {
    let app = app(&format!("{SAM}
  F:
    Type: AWS::Serverless::Function
    Properties:
      VpcConfig: {{ SubnetIds: !Split [ ',', !ImportValue nets ], SecurityGroupIds: [ !Select [ 1, !Split [ ',', !ImportValue groups ] ] ] }}
      Environment:
        Variables:
          ZONE: !Select [ 1, !GetAZs {{ Ref: 'AWS::Region' }} ]
          HOST: !Select [ 0, !Split [ '/', !Sub 'https://${{Db.Endpoint.Address}}/x' ] ]
          NET: !Select [ 0, !Cidr [ '10.1.0.0/16', 2, 8 ] ]
          SECRET: '{{{{resolve:secretsmanager:key:SecretString:password}}}}'
          BASE: !Base64 text
          ID: !Ref Db
          KNOWN: yes
          PART: !Select [ 3, !Split [ ':', !GetAtt Jobs.Arn ] ]
").replace("Resources:\n", "Resources:\n  Db: { Type: AWS::Logs::LogGroup, Properties: { LogGroupName: !ImportValue log } }\n"));
    let environment = &app.functions["F"].environment;
    let known: Vec<&str> = environment.keys().map(String::as_str).collect();
    assert_eq!(known, ["ID", "KNOWN", "PART"]);
    assert_eq!((environment["KNOWN"].as_str(), environment["PART"].as_str()), ("yes", "eu-west-1"));
}

#[test]
fn what_the_model_needs_and_cannot_know_is_one_finding_with_origin_and_use() {
    let (app, found) = app_and_warnings(
        "
Transform: AWS::Serverless-2016-10-31
Parameters:
  Cap: { Type: Number }
  Path: { Type: 'AWS::SSM::Parameter::Value<String>', Default: /shared/queue }
Resources:
  Q: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: '{{resolve:ssm:/visibility:2}}' } }
  F:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Timeout: 100
      ReservedConcurrentExecutions: !Ref Cap
      Events:
        Own: { Type: SQS, Properties: { Queue: !GetAtt Q.Arn } }
        Shared: { Type: SQS, Properties: { Queue: !Ref Path } }
",
    );
    assert_eq!(found.lines().count(), 3, "{found}");
    assert!(found.contains("unknown-value t.yaml:7:"), "{found}");
    assert!(
        found
            .contains("`VisibilityTimeout` of queue Q is not known: `{{resolve:ssm:/visibility:2}}` is not known here"),
        "{found}"
    );
    assert!(
        found.contains("`ReservedConcurrentExecutions` of function F is not known: the parameter Cap has no value"),
        "{found}"
    );
    assert!(found.contains("the SSM parameter /shared/queue (parameter Path) is not known here"), "{found}");
    // The path of a stored value is not its value, and an unknown time-out refuses nothing.
    assert_eq!(app.mappings.keys().collect::<Vec<_>>(), ["FOwn"]);
    assert_eq!((app.functions["F"].reserved, app.queues["Q"].visibility), (None, Span::from_secs(30)));
}

#[test]
fn values_from_elsewhere_can_be_given() {
    let stores =
        [("/visibility", "90"), ("/names", "a,b"), ("other-stack-queue", "arn:aws:sqs:us-east-2:111122223333:Q")];
    let stores = stores.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let location = Deployed { region: "us-east-2".into(), account_id: "111122223333".into(), partition: "aws".into() };
    let deployment = Deployment { stores: stores.into(), location, ..deployment() };
    let text = "
Transform: AWS::Serverless-2016-10-31
Parameters: { Names: { Type: 'AWS::SSM::Parameter::Value<List<String>>', Default: /names } }
Resources:
  Q: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: '{{resolve:ssm:/visibility}}' } }
  F:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Environment: { Variables: { NAME: !Select [ 1, !Ref Names ], HERE: !Sub '${AWS::Region} ${AWS::AccountId}' } }
      Events: { In: { Type: SQS, Properties: { Queue: !ImportValue other-stack-queue } } }
";
    let (app, findings) = read(&Source::new("t.yaml", text), &deployment);
    assert!(findings.is_empty(), "{}", findings.render(Style::Plain));
    let app = app.unwrap();
    assert_eq!((app.queues["Q"].visibility, app.mappings["FIn"].queue.as_str()), (Span::from_secs(90), "Q"));
    let environment = &app.functions["F"].environment;
    assert_eq!((environment["NAME"].as_str(), environment["HERE"].as_str()), ("b", "us-east-2 111122223333"));
}

#[test]
fn conditions_on_unknown_values_are_unknown() {
    let (app, found) = app_and_warnings("
Parameters: { Stage: { Type: String } }
Conditions:
  Live: !Equals [ !Ref Stage, live ]
  Same: !Equals [ !Ref Stage, !Ref Stage ]
  Either: !Or [ !Condition Live, !Equals [ a, a ] ]
Resources:
  Maybe: { Type: AWS::SQS::Queue, Condition: Live }
  Surely: { Type: AWS::SQS::Queue, Condition: Same }
  Also: { Type: AWS::SQS::Queue, Condition: Either }
  Slow: { Type: AWS::SQS::Queue, Properties: { DelaySeconds: !If [ Live, 5, 9 ], VisibilityTimeout: !If [ Live, 40, '40' ] } }
");
    assert_eq!(app.queues.len(), 4);
    assert_eq!((app.queues["Slow"].delay, app.queues["Slow"].visibility), (Span::ZERO, Span::from_secs(40)));
    assert_eq!(found.lines().count(), 2, "{found}");
    assert!(found.contains("whether Maybe exists is not known: the parameter Stage has no value"), "{found}");
    assert!(found.contains("`DelaySeconds` of queue Slow is not known"), "{found}");
}

#[test]
fn a_name_that_is_not_known_still_means_its_resource() {
    let (app, found) = app_and_warnings("
Transform: AWS::Serverless-2016-10-31
Parameters: { Stage: { Type: String } }
Resources:
  Q: { Type: AWS::SQS::Queue, Properties: { QueueName: !Sub '${Stage}-jobs' } }
  F:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Policies:
        - Statement: [{ Effect: Allow, Action: 'sqs:SendMessage', Resource: !Sub 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:${Stage}-jobs' }]
      Events: { In: { Type: SQS, Properties: { Queue: !Sub 'arn:aws:sqs:eu-west-1:000000000000:${Stage}-jobs' } } }
");
    assert_eq!(found, "");
    assert_eq!(app.mappings["FIn"].queue, "Q");
    assert!(app.roles["FRole"].inline["FRolePolicy0"].contains("arn:aws:sqs:eu-west-1:000000000000:Q"));
}

#[test]
fn the_functions_of_the_language_extensions_work() {
    let text = "
Transform: [ AWS::LanguageExtensions, AWS::Serverless-2016-10-31 ]
Parameters: { Areas: { Type: CommaDelimitedList, Default: 'north, south' } }
Mappings: { Sizes: { live: { memory: 512 } }, Lists: { all: { names: [ Big, Small ] } } }
Conditions: { Kept: !Equals [ a, a ] }
Resources:
  'Fn::ForEach::Area':
    - Area
    - !Ref Areas
    - 'Queue${Area}':
        Type: AWS::SQS::Queue
        DeletionPolicy: !If [ Kept, Retain, Delete ]
        Properties: { QueueName: !Sub '${AWS::StackName}-${Area}', DelaySeconds: !Length [ a, b ] }
      'Fn::ForEach::Size':
        - Size
        - !FindInMap [ Lists, all, names ]
        - '${Area}${Size}': { Type: AWS::SQS::Queue }
  F:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      MemorySize: !FindInMap [ Sizes, test, memory, { DefaultValue: 256 } ]
      Timeout: !Length [ a, b, c, d ]
      Environment: { Variables: { CONFIG: !ToJsonString { a: [ 1, !Ref 'AWS::Region' ] } } }
      Events: { In: { Type: SQS, Properties: { Queue: !GetAtt Queuenorth.Arn } } }
";
    let app = app(text);
    let names: Vec<&str> = app.queues.keys().map(String::as_str).collect();
    assert_eq!(names, ["northBig", "northSmall", "s-north", "s-south", "southBig", "southSmall"]);
    assert_eq!((app.functions["F"].memory_mb, app.functions["F"].timeout), (256, Span::from_secs(4)));
    assert_eq!(app.functions["F"].environment["CONFIG"], r#"{"a":[1,"eu-west-1"]}"#);
    assert_eq!(app.mappings["FIn"].queue, "s-north");
    assert!(
        read_text(&text.replace("AWS::LanguageExtensions, ", "")).1.has_errors(),
        "without the transform CloudFormation refuses it"
    );
}

#[test]
fn templates_are_read_as_cloudformation_reads_them() {
    // Of two keys the last one counts; tabs in JSON; merge keys; the truth values of YAML 1.1.
    let (app, found) = app_and_warnings(
        "
Resources:
  Q: { Type: AWS::SQS::Queue, Properties: { DelaySeconds: 1, DelaySeconds: 2 } }
  P:
    Type: AWS::SQS::Queue
    Properties: { <<: &base { VisibilityTimeout: 70 }, QueueName: p.fifo, FifoQueue: yes }
  R: { Type: AWS::SQS::Queue, Properties: { <<: *base } }
",
    );
    assert_eq!(app.queues["Q"].delay, Span::from_secs(2));
    assert!(app.queues["p.fifo"].fifo);
    assert_eq!(app.queues["R"].visibility, Span::from_secs(70));
    assert!(found.contains("repeated-key t.yaml:3:") && found.lines().count() == 1, "{found}");
    let json = "{\n\t\"Resources\": {\n\t\t\"Q\":\t{\"Type\": \"AWS::SQS::Queue\", \"Properties\": {\"DelaySeconds\": 7}}\n\t}\n}";
    assert_eq!(super::app(json).queues["Q"].delay, Span::from_secs(7));
}

#[test]
fn a_value_that_is_given_must_be_allowed() {
    let text = "
Parameters: { Stage: { Type: String, AllowedValues: [ dev, live ] }, Cap: { Type: Number, Default: many } }
Resources: { Q: { Type: AWS::SQS::Queue } }
";
    let given = Deployment { parameters: [("Stage".to_owned(), "prod".to_owned())].into(), ..deployment() };
    let found = lines(&read(&Source::new("t.yaml", text), &given).1);
    assert!(found.contains("`prod` of parameter Stage is not one of its `AllowedValues`"), "{found}");
    assert!(found.contains("`many` of parameter Cap is not a number"), "{found}");
}
