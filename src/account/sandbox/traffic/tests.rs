use proptest::prelude::*;

use super::*;
use crate::account::sandbox::shop::shop_sources;
use crate::yaml::Style;

fn lines(findings: &Findings) -> String {
    findings.iter().map(|finding| format!("{} {finding}\n", finding.code.id())).collect()
}

#[test]
fn a_handler_calls_what_the_traffic_file_says() {
    let template = Source::new(
        "t.yaml",
        "Resources: { F: { Type: AWS::Serverless::Function }, G: { Type: AWS::Serverless::Function }, Q: { Type: AWS::SQS::Queue } }",
    );
    let traffic = |text: &str| read_app(&template, &Source::new("traffic.yaml", text), "s");
    let (app, findings) = traffic(
        "version: 1\nfunctions:\n  F: { calls: [{ function: G, waits: false }, { queue: Q }], duration: { median: 10ms, p99: 100ms } }\n",
    );
    assert!(findings.is_empty(), "{}", findings.render(Style::Plain));
    let app = app.unwrap();
    let to: Vec<&Destination> = app.functions["F"].calls.iter().map(|call| &call.to).collect();
    assert_eq!(to, [&Destination::FunctionAsync("G".into()), &Destination::Queue("Q".into())]);
    let (app, findings) = traffic(
        "version: 1
traffic:
  - { to: { queue: q }, rate: 5/s }
  - { to: { api: A, route: GET / }, rate: 5/s }
  - { to: { queue: Q, function: F }, rate: 5/s }
functions:
  H: {}
  F: { calls: [{ queue: Nowhere }, { optional: true }] }
",
    );
    assert!(app.is_none());
    insta::assert_snapshot!(lines(&findings));
    let (_, findings) = traffic(
        "version: 1
traffic: [{ to: { queue: Q }, rate: 5 }]
functions:
  F: { duration: { median: 10ms, mean: 1s }, cold_start: { median: 0s }, malformed: ignores }
",
    );
    insta::assert_snapshot!(lines(&findings));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// However a template is mangled: no panic, and every finding lies within its file.
    #[test]
    fn no_template_panics(
        cuts in proptest::collection::vec((any::<proptest::sample::Index>(), 0usize..40, "[ -~\n]{0,12}"), 1..6),
        in_traffic: bool,
    ) {
        let (template, traffic) = shop_sources();
        let mut text = if in_traffic { traffic.text.clone() } else { template.text.clone() };
        for (at, length, new) in cuts {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.ceil_char_boundary((start + length).min(text.len()));
            text.replace_range(start..end, &new);
        }
        let mangled = Source::new("mangled.yaml", text);
        let (app, findings) = if in_traffic { read_app(&template, &mangled, "s") } else { read_app(&mangled, &traffic, "s") };
        prop_assert_eq!(app.is_none(), findings.has_errors());
        for finding in findings.iter() {
            prop_assert!(finding.at.end <= finding.source.text.len());
            prop_assert!(!finding.what.is_empty());
        }
    }
}
