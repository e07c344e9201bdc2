//! What is in the template counts; what cannot be known allows, with a warning.

use super::*;

fn function(properties: &str, more: &str) -> String {
    format!("{SAM}\n  F: {{ Type: AWS::Serverless::Function, Properties: {{ {properties} }} }}\n{more}")
}

#[test]
fn managed_policies_of_the_template_allow_what_their_documents_say() {
    let app = app(&function("Policies: [ !Ref Own ]", "
  Own: { Type: AWS::IAM::ManagedPolicy, Properties: { PolicyDocument: { Statement: [{ Effect: Allow, Action: 'logs:*', Resource: '*' }] } } }
  Other:
    Type: AWS::IAM::ManagedPolicy
    Properties: { Roles: [ !Ref FRole ], PolicyDocument: { Statement: [{ Effect: Allow, Action: 'sqs:*', Resource: !GetAtt Jobs.Arn }] } }
"));
    let role = &app.roles["FRole"];
    assert_eq!(role.managed, ["AWSLambdaBasicExecutionRole"]);
    assert!(role.attached["Own"].contains("logs:*") && role.attached["Other"].contains("sqs:*"), "{:?}", role.attached);
    assert!(role.inline.is_empty());
}

#[test]
fn connectors_give_their_policies() {
    let app = app(&format!("{SAM}
  F:
    Type: AWS::Serverless::Function
    Connectors: {{ ToJobs: {{ Properties: {{ Destination: {{ Id: Jobs }}, Permissions: [ Write ] }} }} }}
  Reads: {{ Type: AWS::Serverless::Connector, Properties: {{ Source: {{ Id: F }}, Destination: {{ Id: T }}, Permissions: [ Read ] }} }}
"));
    let attached = &app.roles["FRole"].attached;
    assert!(attached["FToJobsPolicy"].contains("sqs:SendMessage"), "{attached:?}");
    assert!(attached["ReadsPolicy"].contains("dynamodb:GetItem") && !attached["ReadsPolicy"].contains("PutItem"));
}

#[test]
fn a_topic_needs_the_queues_leave() {
    let text = |policy: &str| {
        format!("
Resources:
  News: {{ Type: AWS::SNS::Topic }}
  Box: {{ Type: AWS::SQS::Queue }}
  Link: {{ Type: AWS::SNS::Subscription, Properties: {{ TopicArn: !Ref News, Protocol: sqs, Endpoint: !GetAtt Box.Arn }} }}
  {policy}
")
    };
    let policy = |statement: &str| {
        text(&format!(
            "May: {{ Type: AWS::SQS::QueuePolicy, Properties: {{ Queues: [ !Ref Box ], PolicyDocument: {{ Statement: {statement} }} }} }}"
        ))
    };
    let admitted = |text: &str| read_text(text).0.unwrap().topics["News"].to_queues.len() == 1;
    let (_, found) = app_and_warnings(&text(""));
    assert!(found.contains("no-permission") && found.contains("queue Box does not let the topic News in"), "{found}");
    let allow = "Effect: Allow, Action: 'SQS:*', Resource: '*'";
    for (statement, expected) in [
        (format!("{{ {allow}, Principal: '*' }}"), true),
        (
            format!(
                "{{ {allow}, Principal: {{ Service: sns.amazonaws.com }}, Condition: {{ ArnLike: {{ 'aws:SourceArn': !Ref News }} }} }}"
            ),
            true,
        ),
        (
            format!(
                "{{ {allow}, Principal: {{ Service: sns.amazonaws.com }}, Condition: {{ ArnEquals: {{ 'aws:SourceArn': 'arn:aws:sns:eu-west-1:000000000000:Other' }} }} }}"
            ),
            false,
        ),
        (format!("{{ {allow}, Principal: {{ Service: events.amazonaws.com }} }}"), false),
        (
            format!(
                "[{{ {allow}, Principal: '*' }}, {{ Effect: Deny, Action: 'sqs:SendMessage', Resource: '*', Principal: '*' }}]"
            ),
            false,
        ),
        (
            format!(
                "[{{ {allow}, Principal: '*' }}, {{ Effect: Deny, Action: 'sqs:*', Resource: '*', Principal: '*', Condition: {{ Bool: {{ 'aws:SecureTransport': 'false' }} }} }}]"
            ),
            true,
        ),
        ("!ImportValue policy".to_owned(), true),
    ] {
        assert_eq!(admitted(&policy(&statement)), expected, "{statement}");
    }
}

#[test]
fn policies_of_queues_are_policies_of_the_roles_that_they_name() {
    let app = app(&function("Timeout: 5", "
  May:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [ !Ref Jobs ]
      PolicyDocument: { Statement: [{ Effect: Allow, Principal: { AWS: !GetAtt FRole.Arn }, Action: 'sqs:SendMessage', Resource: '*' }] }
"));
    let attached: Vec<&String> = app.roles["FRole"].attached.values().collect();
    assert!(attached.len() == 1 && attached[0].contains("arn:aws:sqs:eu-west-1:000000000000:Jobs"), "{attached:?}");
}

#[test]
fn boundaries_limit() {
    let app = app(&function("PermissionsBoundary: !Ref Most", "
  Most: { Type: AWS::IAM::ManagedPolicy, Properties: { PolicyDocument: { Statement: [{ Effect: Allow, Action: 'logs:*', Resource: '*' }] } } }
"));
    assert!(app.roles["FRole"].boundary.as_ref().unwrap().contains("logs:*"));
}

#[test]
fn what_cannot_be_known_allows_with_a_warning() {
    let (app, found) = app_and_warnings(&function(
        "Policies: [ !ImportValue policy, SomebodysPolicy, { Statement: [
            { Effect: Allow, Action: 'sqs:SendMessage', Resource: !ImportValue queue },
            { Effect: Allow, Action: 's3:GetObject', Resource: !ImportValue bucket },
            { Effect: Allow, Action: 'sns:Publish', Resource: '*', Condition: { StringEquals: { 'aws:PrincipalOrgID': o } } },
            { Effect: Deny, Action: 'sqs:*', Resource: '*', Condition: { StringEquals: { 'aws:PrincipalTag/x': y } } }] } ]",
        "
  Foreign: { Type: AWS::Lambda::Function, Properties: { Runtime: python3.13, Role: !ImportValue role } }
",
    ));
    let document = &app.roles["FRole"].inline["FRolePolicy2"];
    assert!(!document.contains("Deny") && !document.contains("PrincipalOrgID"), "{document}");
    assert_eq!(document.matches(r#"["*"]"#).count(), 3, "{document}");
    assert!(app.roles["FRole"].attached.values().any(|document| document.contains(r#""Action":"*""#)));
    let foreign = &app.roles[&app.functions["Foreign"].role];
    assert!(foreign.unknown.as_ref().unwrap().contains("the import role"));
    // The bucket matters to nothing in the model.
    assert!(!found.contains("bucket"), "{found}");
    for what in [
        "the import policy",
        "what the policy SomebodysPolicy of role",
        "the import queue",
        "a condition in a policy",
        "the role of function Foreign",
    ] {
        assert!(found.contains(what), "{what} is not in {found}");
    }
}

#[test]
fn an_api_needs_the_functions_leave() {
    let (app, found) = app_and_warnings(&format!(
        "{SAM}
  F: {{ Type: AWS::Serverless::Function }}
  Http: {{ Type: AWS::ApiGatewayV2::Api, Properties: {{ Name: h, ProtocolType: HTTP, Target: !GetAtt F.Arn }} }}
"
    ));
    assert!(app.apis["Http"].routes.is_empty());
    assert!(found.contains("no-permission") && found.contains("may not invoke F"), "{found}");
}
