//! Templates that would not end, or that are no templates.

use super::*;

#[test]
fn a_template_that_multiplies_itself_ends() {
    let big = "x".repeat(4_000);
    let many = "${P}".repeat(20_000);
    let mut text = format!("Parameters: {{ P: {{ Type: String, Default: {big} }} }}\nResources:\n");
    for number in 0..10 {
        text += &format!("  Q{number}: {{ Type: AWS::SQS::Queue, Properties: {{ X: !Sub '{many}' }} }}\n");
    }
    assert!(read_text(&text).1.iter().any(|finding| finding.code == Code::Limit));
    let circle = "Conditions: { A: !Condition B, B: !Not [!Condition A] }\n\
        Resources: { Q: { Type: AWS::SQS::Queue, Condition: A } }\n";
    assert!(read_text(circle).1.has_errors());
    let many: String = (0..600).map(|number| format!("  Q{number}: {{ Type: AWS::SQS::Queue }}\n")).collect();
    assert!(read_text(&format!("Resources:\n{many}")).1.has_errors());
}

#[test]
fn loops_that_write_out_too_much_end_with_a_place() {
    let items: Vec<String> = (0..200).map(|number| format!("N{number}")).collect();
    let items = items.join(", ");
    let text = format!(
        "Transform: AWS::LanguageExtensions
Resources:
  'Fn::ForEach::A':
    - A
    - [{items}]
    - 'Fn::ForEach::B':
        - B
        - [{items}]
        - 'Fn::ForEach::C':
            - C
            - [{items}]
            - 'Q${{A}}${{B}}${{C}}': {{ Type: AWS::SQS::Queue }}
"
    );
    let (app, findings) = read_text(&text);
    assert!(app.is_none());
    let limit = findings.iter().find(|finding| finding.code == Code::Limit).unwrap();
    assert!(limit.at.start > 0, "it has a place");
}

#[test]
fn conditions_that_multiply_themselves_end() {
    let mut text = "Conditions:\n  C0: !Equals [a, b]\n".to_owned();
    for number in 1..31 {
        let before = format!("!Not [!Condition C{}]", number - 1);
        text += &format!("  C{number}: !Or [{before}, {before}, {before}, {before}]\n");
    }
    text += "Resources: { Q: { Type: AWS::SQS::Queue, Condition: C30 } }\n";
    read_text(&text);
}

#[test]
fn resources_that_need_each_other_in_a_circle_are_refused_with_their_names() {
    let found = refused(
        "
Resources:
  A: { Type: AWS::SQS::Queue, Properties: { Tags: [{ Key: k, Value: !Ref B }] } }
  B: { Type: AWS::SQS::Queue, Properties: { Tags: [{ Key: k, Value: !GetAtt C.Arn }] } }
  C: { Type: AWS::SQS::Queue, DependsOn: A }
",
    );
    assert!(
        found.contains("refused-by-aws t.yaml:") && found.contains("circular dependency: A -> B -> C -> A"),
        "{found}"
    );
    // A resource's name that needs itself.
    let found = refused("Resources: { A: { Type: AWS::SQS::Queue, Properties: { QueueName: !Sub '${A}-x' } } }");
    assert!(found.contains("needs itself") || found.contains("circular"), "{found}");
    // What SAM makes of events is needed by nobody.
    app(&format!(
        "{SAM}
  Api: {{ Type: AWS::Serverless::HttpApi }}
  F:
    Type: AWS::Serverless::Function
    Properties:
      Environment: {{ Variables: {{ URL: !GetAtt Api.ApiEndpoint }} }}
      Events: {{ Get: {{ Type: HttpApi, Properties: {{ ApiId: !Ref Api, Path: /, Method: get }} }} }}
"
    ));
}

#[test]
fn files_that_are_not_there_are_findings_with_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yaml");
    let text = "
Transform: AWS::Serverless-2016-10-31
Resources:
  Child: { Type: AWS::Serverless::Application, Properties: { Location: child/none.yaml } }
  Loop: { Type: AWS::CloudFormation::Stack, Properties: { TemplateURL: t.yaml } }
  Api: { Type: AWS::Serverless::Api, Properties: { StageName: x, DefinitionUri: none.yaml } }
  Far: { Type: AWS::CloudFormation::Stack, Properties: { TemplateURL: 'https://s3.amazonaws.com/b/t.yaml' } }
";
    std::fs::write(&path, text).unwrap();
    let (_, findings) = read(&Source::open(&path).unwrap(), &Deployment { files: true, ..deployment() });
    let found = lines(&findings);
    for what in
        ["`child/none.yaml` cannot be read", "`none.yaml` cannot be read", "nested too deep", "Far is not a local file"]
    {
        assert!(found.contains(what), "{what} is not in {found}");
    }
    assert!(findings.iter().all(|finding| finding.at.end <= finding.source.text.len()));
}

/// Files that name themselves many times, or that never end: a message with a place, and an end.
#[test]
fn files_that_multiply_themselves_or_never_end_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let stack = |number: usize, file: &str| {
        format!("  S{number}: {{ Type: AWS::CloudFormation::Stack, Properties: {{ TemplateURL: {file} }} }}\n")
    };
    let include = |number: usize, file: &str| {
        format!("  I{number}: {{ 'Fn::Transform': {{ Name: AWS::Include, Parameters: {{ Location: {file} }} }} }}\n")
    };
    let stacks: String = (0..40).map(|number| stack(number, "stacks.yaml")).collect();
    let includes: String = (0..40).map(|number| include(number, "includes.yaml")).collect();
    for (file, resources, says) in [
        ("stacks.yaml", stacks, "read more than 400 times"),
        ("includes.yaml", includes, "read more than 400 times"),
        ("socket.yaml", stack(0, "socket"), "`socket` cannot be read: this is not a regular file"),
        ("links.yaml", stack(0, "link"), "`link` cannot be read"),
        (
            "outside.yaml",
            stack(0, "../nothing/here.yaml"),
            "`../nothing/here.yaml` cannot be read: the file does not exist",
        ),
        ("folder.yaml", stack(0, "."), "`.` cannot be read: this is a directory"),
    ] {
        let path = folder.path().join(file);
        std::fs::write(&path, format!("Resources:\n{resources}")).unwrap();
        let _socket =
            (file == "socket.yaml").then(|| std::os::unix::net::UnixListener::bind(folder.path().join("socket")));
        if file == "links.yaml" {
            std::os::unix::fs::symlink("link", folder.path().join("link")).unwrap();
        }
        let (_, findings) = read(&Source::open(&path).unwrap(), &Deployment { files: true, ..deployment() });
        let found = lines(&findings);
        assert!(found.contains(says), "{file}: {found}");
        assert!(findings.iter().all(|finding| finding.at.end <= finding.source.text.len()));
    }
}

#[test]
fn deep_templates_are_read_to_48_levels_and_refused_beyond() {
    let nested = |times: usize| {
        let (open, close) = ("{ a: ".repeat(times), " }".repeat(times));
        format!(
            "Resources: {{ M: {{ Type: AWS::StepFunctions::StateMachine, Properties: {{ Definition: {open}1{close} }} }} }}"
        )
    };
    let (app, warnings) = app_and_warnings(&nested(42));
    assert!(app.functions.is_empty() && warnings.contains("StateMachine M is not modelled"), "{warnings}");
    for times in [200, 100_000] {
        let found = refused(&nested(times));
        assert!(found.contains("nested deeper than 48 levels"), "{found}");
    }
}

/// Texts of a template do not move the cursor of the terminal that they are shown in.
#[test]
fn control_characters_are_not_printed() {
    let text = "Resources: { Q: { Type: AWS::SQS::Queue, Properties: { QueueName: \"\\e[31mred\\n\\u202e\" } } }";
    let (understood, _) = understand(&Source::new("t.yaml", text), &deployment());
    let shown = understood.unwrap().render();
    assert!(shown.contains("name: ?[31mred??\n"), "{shown:?}");
}
