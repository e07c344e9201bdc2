//! Whole sessions on the command line, as snapshots: what is typed, what is printed, how it exits.
//!
//! Pinned are the run's name, the seed, the start, the width and who runs it; nothing is taken out of the output.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder in which commands are typed, and what came of them so far.
struct Session {
    folder: TempDir,
    transcript: String,
}

impl Session {
    fn new() -> Session {
        Session { folder: TempDir::new().unwrap(), transcript: String::new() }
    }

    /// A session in a project that `squall init` wrote.
    fn in_a_project() -> Session {
        let session = Session::new();
        assert!(session.run("init").status.success());
        session
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command line without writing it down.
    fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_squall"))
            .args(line.split_whitespace())
            .current_dir(self.path())
            .env("COLUMNS", "100")
            .env("SQUALL_WHO", "ana@laptop")
            .env_remove("SQUALL_LOG")
            .output()
            .unwrap()
    }

    /// Types a command line.
    fn type_(&mut self, line: &str) -> &mut Session {
        let output = self.run(line);
        let _ = writeln!(self.transcript, "$ squall {line}");
        self.transcript += &String::from_utf8(output.stdout).unwrap();
        for line in String::from_utf8(output.stderr).unwrap().lines() {
            let _ = writeln!(self.transcript, "{}", format!("2> {line}").trim_end());
        }
        let code = output.status.code().map_or("a signal".into(), |code| code.to_string());
        let _ = writeln!(self.transcript, "[exit {code}]\n");
        self
    }
}

#[test]
fn a_new_project() {
    let mut session = Session::new();
    session
        .type_("check")
        .type_("status")
        .type_("log")
        .type_("init")
        .type_("init")
        .type_("status --json")
        .type_("log run-1");
    insta::assert_snapshot!(session.transcript);
}

/// What nothing is called is usage error, everywhere, with the nearest name; no command succeeds for want of something
/// to do.
#[test]
fn names_that_nothing_has() {
    let mut session = Session::in_a_project();
    for command in ["check", "plan", "predict", "policy", "run", "doctor"] {
        session.type_(&format!("{command} experiments/payment-worker-throtled.yaml"));
    }
    session.type_("margin experiments --vary traffic.*.rate=x1..x2").type_("template sandbox/shop/tempate.yaml");
    for command in ["doctor", "status", "undo", "check", "plan experiments/payment-worker-throttled.yaml"] {
        session.type_(&format!("{command} --account sandbx"));
    }
    session.type_("status --project nowhere").type_("faults lambda.throtle").type_("report run-9");
    insta::assert_snapshot!(session.transcript);
}

#[test]
fn what_is_already_there_is_kept() {
    let mut session = Session::new();
    let experiment = session.path().join("experiments/payment-worker-throttled.yaml");
    std::fs::create_dir_all(experiment.parent().unwrap()).unwrap();
    std::fs::write(&experiment, "mine").unwrap();
    session.type_("init");
    assert!(session.transcript.contains("kept     experiments/payment-worker-throttled.yaml"));
    assert_eq!(std::fs::read_to_string(&experiment).unwrap(), "mine");
}

#[test]
fn a_project_is_found_upwards() {
    let session = Session::in_a_project();
    assert!(session.run("halt").status.success());
    let below = session.path().join("experiments");
    let output = Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(["status", "--json"])
        .current_dir(&below)
        .env("SQUALL_WHO", "ana@laptop")
        .output()
        .unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains(r#""halted_by":"ana@laptop""#));
    assert!(!below.join(".squall").exists());
}

#[test]
fn wrong_use() {
    let mut session = Session::new();
    session.type_("").type_("statsu").type_("log --since 5").type_("faults lambda.trottle").type_("--version");
    insta::assert_snapshot!(session.transcript);
}

#[test]
fn the_catalogue_of_faults() {
    let mut session = Session::new();
    session.type_("faults").type_("faults lambda.throttle");
    insta::assert_snapshot!(session.transcript);
}

#[test]
fn a_halt_and_its_end() {
    let mut session = Session::in_a_project();
    session.type_("halt").type_("status").type_("halt --lift").type_("status");
    insta::assert_snapshot!(session.transcript);
}

#[test]
fn completions_know_the_commands() {
    let session = Session::new();
    for shell in ["bash", "zsh", "fish"] {
        let output = session.run(&format!("completions {shell}"));
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success());
        assert!(script.contains("completions") && script.contains("halt"), "{shell}");
    }
}

#[test]
fn looking_writes_nothing() {
    let session = Session::new();
    for line in ["status", "status --json", "log", "faults", "--help"] {
        session.run(line);
    }
    assert_eq!(std::fs::read_dir(session.path()).unwrap().count(), 0);
}

/// Nothing is left to chance or to the clock.
const PINNED: &str = "--seed 1 --start 2026-03-02T09:00:00Z --run-id run-1 --pace max";
const EXPERIMENT: &str = "experiments/payment-worker-throttled.yaml";

#[test]
fn an_experiment_from_its_check_to_its_end() {
    let mut session = Session::in_a_project();
    session
        .type_("check")
        .type_(&format!("run {EXPERIMENT} {PINNED}"))
        .type_("status")
        .type_("undo")
        .type_(&format!("run {EXPERIMENT} {PINNED}"));
    insta::assert_snapshot!(session.transcript);
}

#[test]
fn a_plan() {
    let mut session = Session::in_a_project();
    session.type_(&format!("plan {EXPERIMENT} --seed 1 --start 2026-03-02T09:00:00Z --run-id run-1"));
    insta::assert_snapshot!(session.transcript);
    assert!(session.run("status --json").status.success());
}

#[test]
fn a_file_with_findings_and_a_plan_that_is_refused() {
    let mut session = Session::in_a_project();
    let shipped = std::fs::read_to_string(session.path().join(EXPERIMENT)).unwrap();
    let broken = shipped.replace("PaymentWorker", "PaymentWorkr").replace("baseline: 6m", "baseline: 6");
    std::fs::write(session.path().join("experiments/broken.yaml"), broken).unwrap();
    let refused = shipped.replace("concurrency: 0", "concurrency: 5000");
    std::fs::write(session.path().join("experiments/refused.yaml"), refused).unwrap();
    session
        .type_("check")
        .type_("run experiments/broken.yaml")
        .type_("run experiments/refused.yaml")
        .type_("run experiments/none.yaml")
        .type_("status");
    insta::assert_snapshot!(session.transcript);
}

#[test]
fn what_was_printed_live_is_what_the_journal_tells() {
    for json in ["", " --json"] {
        let session = Session::in_a_project();
        let live = session.run(&format!("run {EXPERIMENT} {PINNED}{json}"));
        let log = session.run(&format!("log run-1{json}"));
        assert!(live.status.success() && log.status.success());
        assert!(live.stdout.len() > 500);
        assert_eq!(String::from_utf8(live.stdout).unwrap(), String::from_utf8(log.stdout).unwrap());
    }
}

#[test]
fn the_reports_of_a_run_are_those_of_its_journal() {
    let session = Session::in_a_project();
    assert!(session.run(&format!("run {EXPERIMENT} {PINNED}")).status.success());
    assert!(session.run("report --to again").status.success());
    for (format, ending) in [("html", "html"), ("markdown", "md"), ("junit", "xml"), ("json", "json")] {
        let read = |folder: &str| std::fs::read(session.path().join(folder).join(format!("report.{ending}"))).unwrap();
        let written = read(".squall/reports/run-1");
        assert!(written.len() > 500, "{format}");
        assert_eq!(written, read("again"), "{format}");
        assert_eq!(written, session.run(&format!("report run-1 --format {format}")).stdout, "{format}");
    }
}

#[test]
fn the_same_seed_start_and_name_give_the_same_journal() {
    let journal = || {
        let session = Session::in_a_project();
        assert!(session.run(&format!("run {EXPERIMENT} {PINNED}")).status.success());
        session.run("log --json").stdout
    };
    assert_eq!(journal(), journal());
}

#[test]
fn a_weakness_is_found_and_the_exit_code_says_so() {
    let session = Session::in_a_project();
    let hypothesis = include_str!("../../hypotheses/customers-are-told.yaml");
    std::fs::write(session.path().join("hypotheses/customers-are-told.yaml"), hypothesis).unwrap();
    let weakness = include_str!("../../experiments/notifications-poisoned.yaml");
    std::fs::write(session.path().join("experiments/weakness.yaml"), weakness).unwrap();
    let run = session.run(&format!("run experiments/weakness.yaml {PINNED}"));
    assert_eq!(run.status.code(), Some(4), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(session.run("status").status.success(), "nothing is left");
}

#[test]
fn a_folder_without_a_project_has_the_shop() {
    let session = Session::new();
    let experiment = session.path().join("x.yaml");
    let shipped = include_str!("../../experiments/payment-worker-throttled.yaml");
    let hypotheses = shipped.find("hypotheses:").unwrap()..shipped.find("baseline:").unwrap();
    let mut text = shipped.to_owned();
    text.replace_range(hypotheses, "hypotheses:\n  - signal: failed share of ShopApi is at most 1 %\n\n");
    std::fs::write(&experiment, text).unwrap();
    let run = session.run(&format!("run x.yaml {PINNED}"));
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
}

/// A template with something read, something left out, something unknown and something quiet.
const TEMPLATE: &str = "AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Parameters:
  Threshold: { Type: Number }
Resources:
  Orders:
    Type: AWS::SQS::Queue
    Properties: { VisibilityTimeout: 20, RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3 } }
  Dead: { Type: AWS::SQS::Queue, Properties: { QueueName: orders-dead } }
  Work:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: app.handler
      CodeUri: work/
      Timeout: 20
      AutoPublishAlias: live
      ProvisionedConcurrencyConfig: { ProvisionedConcurrentExecutions: 2 }
      SnapStart: { ApplyOn: None }
      Events:
        Orders: { Type: SQS, Properties: { Queue: !GetAtt Orders.Arn } }
        Hourly: { Type: Schedule, Properties: { Schedule: rate(1 hour) } }
  Letters:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/SQS
      MetricName: ApproximateNumberOfMessagesVisible
      Dimensions: [{ Name: QueueName, Value: !GetAtt Dead.QueueName }]
      Statistic: Maximum
      Period: 60
      EvaluationPeriods: 3
      DatapointsToAlarm: 2
      Threshold: 0
      ComparisonOperator: GreaterThanThreshold
      ActionsEnabled: false
  Late:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/SQS
      MetricName: ApproximateAgeOfOldestMessage
      Dimensions: [{ Name: QueueName, Value: !GetAtt Orders.QueueName }]
      Statistic: Maximum
      Period: 60
      EvaluationPeriods: 3
      Threshold: !Ref Threshold
      ComparisonOperator: GreaterThanThreshold
  Photos: { Type: AWS::S3::Bucket }
";

/// What is said of a template: resource by resource, then what is left out, unknown and refused; and as data, which fits its
/// schema.
#[test]
fn a_template_and_what_is_understood_of_it() {
    let mut session = Session::new();
    std::fs::write(session.path().join("template.yaml"), TEMPLATE).unwrap();
    std::fs::write(session.path().join("traffic.yaml"), "version: 1\nparameters: { Threshold: '60' }\n").unwrap();
    std::fs::write(
        session.path().join("refused.yaml"),
        "Resources:
  Orders: { Type: AWS::SQS::Queue, Properties: { QueueName: orders.fifo } }
",
    )
    .unwrap();
    session.type_("template template.yaml").type_("template refused.yaml").type_("template nothing.yaml");
    session.type_("template template.yaml --traffic traffic.yaml --json");
    insta::assert_snapshot!(session.transcript);
    let schema = squall::format::schema::of::<squall::template::written::Document>();
    for line in ["template template.yaml --json", "template refused.yaml --json"] {
        let document: serde_json::Value = serde_json::from_slice(&session.run(line).stdout).unwrap();
        assert_eq!(document["format"], squall::format::VERSION, "{line}");
        let wrong = crate::schema::misfits(&schema, &schema, &document, "");
        assert!(wrong.is_empty(), "{line}: {wrong:?}");
    }
}
