//! Reading a template of about 1 MB with 500 resources, the most that CloudFormation takes.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use squall::template::{self, Deployment};
use squall::yaml::Source;

/// A hundred functions, each with a queue, its dead-letter queue, a table and an alarm, and descriptions that fill it up.
fn large() -> String {
    let mut text = "Transform: AWS::Serverless-2016-10-31\nGlobals: { Function: { Runtime: python3.13, Handler: a.b } }\nResources:\n".to_owned();
    let filler = "x".repeat(8_800);
    for n in 0..100 {
        text += &format!("
  Dead{n}: {{ Type: AWS::SQS::Queue }}
  Jobs{n}:
    Type: AWS::SQS::Queue
    Properties: {{ VisibilityTimeout: 60, RedrivePolicy: {{ deadLetterTargetArn: !GetAtt Dead{n}.Arn, maxReceiveCount: 5 }} }}
  Table{n}: {{ Type: AWS::Serverless::SimpleTable }}
  Work{n}:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: work/
      Description: {filler}
      Environment: {{ Variables: {{ TABLE: !Ref Table{n}, QUEUE: !Sub 'https://${{AWS::Region}}/${{Jobs{n}}}' }} }}
      Policies: [ {{ DynamoDBCrudPolicy: {{ TableName: !Ref Table{n} }} }}, {{ SQSSendMessagePolicy: {{ QueueName: !GetAtt Jobs{n}.QueueName }} }} ]
      Events:
        Jobs: {{ Type: SQS, Properties: {{ Queue: !GetAtt Jobs{n}.Arn, BatchSize: 5, FunctionResponseTypes: [ ReportBatchItemFailures ] }} }}
        Get: {{ Type: HttpApi, Properties: {{ Path: /jobs/{n}, Method: get }} }}
  Late{n}:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/SQS
      MetricName: ApproximateAgeOfOldestMessage
      Dimensions: [ {{ Name: QueueName, Value: !GetAtt Jobs{n}.QueueName }} ]
      Statistic: Maximum
      Period: 60
      EvaluationPeriods: 3
      Threshold: 60
      ComparisonOperator: GreaterThanThreshold
");
    }
    text
}

fn templates(criterion: &mut Criterion) {
    let text = large();
    let source = Source::new("large.yaml", text.as_str());
    let deployment = Deployment { stack: "large".into(), ..Deployment::default() };
    let (app, findings) = template::read(&source, &deployment);
    assert!(app.is_some_and(|app| app.functions.len() == 100), "{}", findings.count());
    criterion.bench_function(&format!("template of {} KiB, 500 resources", text.len() / 1024), |bencher| {
        bencher.iter(|| template::read(black_box(&source), black_box(&deployment)));
    });
}

criterion_group!(benches, templates);
criterion_main!(benches);
