//! SAM as SAM expands it. `tests/translator` compares much more with AWS's own translator.

use super::*;

#[test]
fn everything_that_sam_makes_can_be_referred_to() {
    let app = app(&format!(
        "{SAM}
  Front: {{ Type: AWS::Serverless::Api, Properties: {{ StageName: v1 }} }}
  F:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: live
      FunctionUrlConfig: {{ AuthType: NONE }}
      EventInvokeConfig: {{ DestinationConfig: {{ OnFailure: {{ Type: SQS }}, OnSuccess: {{ Type: SNS }} }} }}
      Events:
        Get: {{ Type: Api, Properties: {{ RestApiId: !Ref Front, Path: /x, Method: get }} }}
        Own: {{ Type: Api, Properties: {{ Path: /y, Method: post }} }}
        Http: {{ Type: HttpApi }}
  G:
    Type: AWS::Serverless::Function
    DependsOn: [ Frontv1Stage, ServerlessRestApiProdStage ]
    Properties:
      Environment:
        Variables:
          ALIAS: !Ref F.Alias
          VERSION: !GetAtt F.Version.Version
          ROLE: !GetAtt FRole.Arn
          URL: !GetAtt FUrl.FunctionUrl
          STAGE: !Ref Front.Stage
          PROD: !Ref ServerlessRestApiProdStage
          QUEUE: !Ref F.DestinationQueue
          TOPIC: !Ref F.DestinationTopic
          MADE: !GetAtt FEventInvokeConfigOnFailureQueue.QueueName
          HTTP: !Sub 'https://${{ServerlessHttpApi}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}'
"
    ));
    let environment = &app.functions["G"].environment;
    for (name, value) in [
        ("ALIAS", "arn:aws:lambda:eu-west-1:000000000000:function:F:live"),
        ("VERSION", "1"),
        ("ROLE", "arn:aws:iam::000000000000:role/FRole"),
        ("STAGE", "v1"),
        ("PROD", "Prod"),
        ("QUEUE", "https://sqs.eu-west-1.amazonaws.com/000000000000/FEventInvokeConfigOnFailureQueue"),
        ("TOPIC", "arn:aws:sns:eu-west-1:000000000000:FEventInvokeConfigOnSuccessTopic"),
        ("MADE", "FEventInvokeConfigOnFailureQueue"),
        ("HTTP", "https://ServerlessHttpApi.execute-api.eu-west-1.amazonaws.com"),
    ] {
        assert_eq!(environment[name], value, "{name}");
    }
    assert_eq!(app.apis["Front"].stage.as_deref(), Some("v1"));
    assert_eq!(app.apis["ServerlessHttpApi"].routes["$default"], "F");
    assert_eq!(app.triggers["FUrl"].function, "F");
}

#[test]
fn failures_go_where_the_function_says() {
    let app = app(&format!("{SAM}
  News: {{ Type: AWS::SNS::Topic }}
  Mop: {{ Type: AWS::Serverless::Function }}
  ByTopic: {{ Type: AWS::Serverless::Function, Properties: {{ EventInvokeConfig: {{ MaximumRetryAttempts: 1, DestinationConfig: {{ OnFailure: {{ Type: SNS, Destination: !Ref News }} }} }} }} }}
  ByFunction: {{ Type: AWS::Serverless::Function, Properties: {{ EventInvokeConfig: {{ DestinationConfig: {{ OnFailure: {{ Type: Lambda, Destination: !GetAtt Mop.Arn }} }} }} }} }}
  ByMade: {{ Type: AWS::Serverless::Function, Properties: {{ EventInvokeConfig: {{ DestinationConfig: {{ OnFailure: {{ Type: SQS }} }} }} }} }}
  Dead: {{ Type: AWS::Serverless::Function, Properties: {{ DeadLetterQueue: {{ Type: SNS, TargetArn: !Ref News }} }} }}
"));
    let of = |name: &str| app.functions[name].asynchronous.clone();
    assert_eq!((of("ByTopic").on_failure, of("ByTopic").retries), (Some(Destination::Topic("News".into())), 1));
    assert_eq!(of("ByFunction").on_failure, Some(Destination::FunctionAsync("Mop".into())));
    assert_eq!(of("ByMade").on_failure, Some(Destination::Queue("ByMadeEventInvokeConfigOnFailureQueue".into())));
    assert_eq!(of("Dead").dead_letter, Some(Destination::Topic("News".into())));
    assert!(app.roles["DeadRole"].inline["DeadLetterQueuePolicy"].contains("sns:Publish"));
}

#[test]
fn globals_can_be_ignored_in_whole_and_in_part() {
    let app = app("
Globals: { Function: { Runtime: python3.13, Timeout: 60, MemorySize: 512 } }
Resources:
  All: { Type: AWS::Serverless::Function, IgnoreGlobals: '*', Properties: { Runtime: nodejs22.x } }
  Some: { Type: AWS::Serverless::Function, IgnoreGlobals: [ Timeout ] }
  None: { Type: AWS::Serverless::Function }
");
    let of = |name: &str| (app.functions[name].timeout.micros() / 1_000_000, app.functions[name].memory_mb);
    assert_eq!([of("All"), of("Some"), of("None")], [(3, 128), (3, 512), (60, 512)]);
}

#[test]
fn nested_stacks_beside_the_template_are_read_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("child.yaml", "
Transform: AWS::Serverless-2016-10-31
Parameters: { Seconds: { Type: Number, Default: 1 }, Dead: { Type: String } }
Resources:
  Jobs: { Type: AWS::SQS::Queue, Properties: { DelaySeconds: !Ref Seconds, RedrivePolicy: { deadLetterTargetArn: !Ref Dead, maxReceiveCount: 2 } } }
Outputs: { Arn: { Value: !GetAtt Jobs.Arn } }
");
    write(
        "api.json",
        r#"{"openapi": "3.0.1", "info": {"title": "t", "version": "1"}, "paths": {"/x": {"get": {"x-amazon-apigateway-integration":
        {"uri": {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${F.Arn}/invocations"}}}}}}"#,
    );
    write("more.yaml", "Environment: { Variables: { FROM: include } }\n");
    write("t.yaml", "
Transform: AWS::Serverless-2016-10-31
Resources:
  Lost: { Type: AWS::SQS::Queue }
  Inner: { Type: AWS::Serverless::Application, Properties: { Location: ./child.yaml, Parameters: { Seconds: 9, Dead: !GetAtt Lost.Arn } } }
  Front: { Type: AWS::Serverless::Api, Properties: { StageName: v1, DefinitionUri: api.json } }
  F:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      'Fn::Transform': { Name: AWS::Include, Parameters: { Location: more.yaml } }
      Events:
        In: { Type: SQS, Properties: { Queue: !GetAtt Inner.Outputs.Arn } }
        Get: { Type: Api, Properties: { RestApiId: !Ref Front, Path: /x, Method: get } }
");
    let source = Source::open(&folder.path().join("t.yaml")).unwrap();
    let (app, findings) = read(&source, &Deployment { files: true, ..deployment() });
    assert!(findings.is_empty(), "{}", findings.render(Style::Plain));
    let app = app.unwrap();
    assert_eq!(app.mappings["FIn"].queue, "Inner-Jobs");
    assert_eq!(app.queues["Inner-Jobs"].delay, Span::from_secs(9));
    assert_eq!(app.queues["Inner-Jobs"].redrive.as_ref().unwrap().dead_letter, "Lost");
    assert_eq!(app.apis["Front"].routes["GET /x"], "F");
    assert_eq!(app.functions["F"].environment["FROM"], "include");
}

#[test]
fn apis_are_read_resource_by_resource() {
    let app = app(&format!("{SAM}
  F: {{ Type: AWS::Serverless::Function }}
  May: {{ Type: AWS::Lambda::Permission, Properties: {{ Action: 'lambda:InvokeFunction', FunctionName: !GetAtt F.Arn, Principal: apigateway.amazonaws.com, SourceArn: !Sub 'arn:aws:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{Rest}}/*/GET/*' }} }}
  MayHttp: {{ Type: AWS::Lambda::Permission, Properties: {{ Action: 'lambda:InvokeFunction', FunctionName: !Ref F, Principal: apigateway.amazonaws.com, SourceArn: !Sub 'arn:aws:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{Http}}/*' }} }}
  Rest: {{ Type: AWS::ApiGateway::RestApi, Properties: {{ Name: rest }} }}
  Items: {{ Type: AWS::ApiGateway::Resource, Properties: {{ RestApiId: !Ref Rest, ParentId: !GetAtt Rest.RootResourceId, PathPart: items }} }}
  One: {{ Type: AWS::ApiGateway::Resource, Properties: {{ RestApiId: !Ref Rest, ParentId: !Ref Items, PathPart: '{{id}}' }} }}
  Get:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Rest
      ResourceId: !Ref One
      HttpMethod: GET
      AuthorizationType: NONE
      Integration: {{ Type: AWS_PROXY, IntegrationHttpMethod: POST, TimeoutInMillis: 8000, Uri: !Sub 'arn:aws:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/${{F.Arn}}/invocations' }}
  Live: {{ Type: AWS::ApiGateway::Stage, Properties: {{ RestApiId: !Ref Rest, StageName: live }} }}
  Http: {{ Type: AWS::ApiGatewayV2::Api, Properties: {{ Name: http, ProtocolType: HTTP, Target: !GetAtt F.Arn }} }}
"));
    let rest = &app.apis["Rest"];
    assert_eq!(
        (rest.routes["GET /items/{id}"].as_str(), rest.stage.as_deref(), rest.title.as_str()),
        ("F", Some("live"), "rest")
    );
    assert_eq!(rest.timeout, Span::from_secs(8));
    assert_eq!(app.apis["Http"].routes["$default"], "F");
}

#[test]
fn rules_of_queues_are_not_for_streams() {
    let (app, found) = app_and_warnings(&format!("{SAM}
  Clicks: {{ Type: AWS::Kinesis::Stream, Properties: {{ ShardCount: 1 }} }}
  F: {{ Type: AWS::Serverless::Function }}
  Feed: {{ Type: AWS::Lambda::EventSourceMapping, Properties: {{ BatchSize: 500, StartingPosition: LATEST, EventSourceArn: !GetAtt Clicks.Arn, FunctionName: !Ref F }} }}
"));
    assert!(app.mappings.is_empty());
    assert_eq!(app.triggers["Feed"].function, "F");
    assert_eq!(found.matches("not modelled").count(), 2, "the stream and the mapping: {found}");
}
