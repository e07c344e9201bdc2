//! What a team does with runs: several of them, compared, counted in CI, with warnings that it has accepted.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::path::Path;
use std::process::Output;

use crate::kills::bench::{Bench, text};

fn write(bench: &Bench, file: &str, words: &str) {
    std::fs::write(bench.folder.path().join(file), words).unwrap();
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn several_experiments_run_one_after_the_other_and_end_with_the_worst_exit_code() {
    let bench = Bench::new();
    let files = [
        "experiments/payment-worker-throttled.yaml",
        "experiments/order-function-throttled.yaml",
        "experiments/orders-poisoned.yaml",
    ];
    let arguments = [&["run"], files.as_slice(), &["--pace", "max", "--seed", "3", "--junit", "results.xml"]].concat();
    let ran = bench.ended(&arguments);
    let said = text(&ran.stderr);
    assert_eq!(code(&ran), 4, "{said}");
    assert!(said.contains("3 experiments: 2 held, 1 broken"), "{said}");
    for file in files {
        assert!(said.lines().any(|line| line.contains(file) && line.contains("  run-")), "{file}: {said}");
    }
    let results = std::fs::read_to_string(bench.folder.path().join("results.xml")).unwrap();
    let results = roxmltree::Document::parse(&results).unwrap();
    let suites = results.descendants().filter(|node| node.has_tag_name("testsuite"));
    let failures: Vec<&str> = suites.map(|suite| suite.attribute("failures").unwrap()).collect();
    assert_eq!(failures, ["0", "1", "0"]);
    assert_eq!(results.root_element().attribute("failures"), Some("1"));
    for option in [["--run-id", "run-1"], ["--plan", "x"]] {
        let refused = bench.ended(&[&["run", "experiments"], option.as_slice()].concat());
        assert_eq!(code(&refused), 64, "{}", text(&refused.stderr));
    }
}

#[test]
fn no_experiment_of_several_runs_when_one_cannot_be_used() {
    let bench = Bench::new();
    write(&bench, "experiments/a-wrong-one.yaml", "title: x\nbasline: 5m\n");
    write(&bench, "results.xml", "results of another day");
    let ran = bench.ended(&["run", "experiments", "--pace", "max", "--junit", "results.xml"]);
    let said = text(&ran.stderr);
    assert_eq!(code(&ran), 2, "{said}");
    let results = std::fs::read_to_string(bench.folder.path().join("results.xml")).unwrap();
    assert!(results.contains("type=\"not-run\"") && !results.contains("another day"), "{results}");
    // Not where an experiment is, and not where nothing can be written: known before anything runs.
    for (file, exit) in [("experiments/orders-poisoned.yaml", 64), ("no/such/folder.xml", 3)] {
        let refused = bench.ended(&["run", "experiments/orders-poisoned.yaml", "--pace", "max", "--junit", file]);
        assert_eq!(code(&refused), exit, "{}", text(&refused.stderr));
    }
    assert!(said.contains("unknown key `basline`") && said.contains("so none was run"), "{said}");
    assert!(text(&bench.ended(&["status"]).stdout).contains("no runs yet"));
    std::fs::create_dir(bench.folder.path().join("empty")).unwrap();
    assert_eq!(code(&bench.ended(&["run", "empty"])), 64);
}

/// One that is refused is an error among the results, and the others run.
#[test]
fn an_experiment_that_is_refused_is_none_that_passed() {
    let bench = Bench::new();
    let config = std::fs::read_to_string(bench.folder.path().join("squall.yaml")).unwrap();
    write(&bench, "squall.yaml", &format!("{config}\nguards:\n  entry_points: at most 0\n"));
    let files = ["experiments/order-function-throttled.yaml", "experiments/payment-worker-throttled.yaml"];
    let ran =
        bench.ended(&[&["run"], files.as_slice(), &["--pace", "max", "--seed", "3", "--junit", "r.xml"]].concat());
    let said = text(&ran.stderr);
    assert_eq!(code(&ran), 3, "{said}");
    assert!(said.contains("2 experiments: 1 not run, 1 held"), "{said}");
    let results = std::fs::read_to_string(bench.folder.path().join("r.xml")).unwrap();
    let results = roxmltree::Document::parse(&results).unwrap();
    assert_eq!(results.root_element().attribute("errors"), Some("1"));
}

#[test]
fn two_runs_are_compared() {
    let bench = Bench::new();
    let file = "experiments/payment-worker-throttled.yaml";
    let run = |name: &str| {
        let at = ["--seed", "7", "--start", "2026-03-02T09:00:00Z", "--pace", "max", "--run-id", name];
        code(&bench.ended(&[&["run", file], at.as_slice()].concat()))
    };
    assert_eq!(run("run-1"), 0);
    let only = bench.ended(&["compare"]);
    assert!(code(&only) == 64 && text(&only.stderr).contains("first run of its experiment"), "{only:?}");
    let experiment = std::fs::read_to_string(bench.folder.path().join(file)).unwrap();
    assert!(experiment.contains("concurrency: 0"), "{experiment}");
    write(&bench, file, &experiment.replace("concurrency: 0", "concurrency: 1"));
    assert_eq!(run("run-2"), 4);
    let compared = bench.ended(&["compare", "run-1", "run-2"]);
    insta::assert_snapshot!(text(&compared.stdout));
    let log = text(&bench.ended(&["report", "run-2", "--format", "markdown"]).stdout);
    assert!(log.contains("has changed since its last run, run-1, held"), "{log}");
    let json: serde_json::Value =
        serde_json::from_slice(&bench.ended(&["compare", "run-1", "run-2", "--json"]).stdout).unwrap();
    assert!(!json["plan"].as_array().unwrap().is_empty(), "{json:#}");
    // Of runs without a difference, no line says one.
    let same = text(&bench.ended(&["compare", "run-1", "run-1"]).stdout);
    assert!(!same.contains('*'), "{same}");
}

#[test]
fn status_shows_the_runs_of_one_experiment() {
    let bench = Bench::new();
    for (name, file) in [("run-1", "payment-worker-throttled"), ("run-2", "orders-poisoned")] {
        let file = format!("experiments/{file}.yaml");
        assert_eq!(code(&bench.ended(&["run", &file, "--seed", "3", "--pace", "max", "--run-id", name])), 0);
    }
    let shown = text(&bench.ended(&["status", "--experiment", "orders-poisoned"]).stdout);
    assert!(shown.contains("run-2") && !shown.contains("run-1"), "{shown}");
    assert_eq!(code(&bench.ended(&["status", "--experiment", "nothing"])), 64);
}

/// A project for a template that has what is not modelled.
fn with_a_template_of_its_own() -> Bench {
    let bench = Bench { folder: tempfile::TempDir::new().unwrap() };
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/first_hour/template.yaml");
    std::fs::copy(template, bench.folder.path().join("template.yaml")).unwrap();
    assert_eq!(code(&bench.ended(&["init", "--from-template", "template.yaml"])), 0);
    bench
}

#[test]
fn what_is_not_modelled_is_told_in_three_lines_and_in_every_report() {
    let bench = with_a_template_of_its_own();
    let file = "experiments/take-payment-throttled.yaml";
    let ran = bench.ended(&["run", file, "--seed", "7", "--pace", "max"]);
    let said = text(&ran.stderr);
    assert_eq!(code(&ran), 0, "{said}");
    assert!(said.starts_with("5 parts of template.yaml are not modelled in the sandbox\n"), "{said}");
    assert_eq!(said.matches("warning[").count(), 0, "{said}");
    for format in ["html", "markdown", "json"] {
        let report = text(&bench.ended(&["report", "--format", format]).stdout);
        assert!(
            report.contains("5 parts of template.yaml are not modelled in the sandbox, and this verdict"),
            "{report}"
        );
        assert!(report.contains("AWS::Cognito::UserPool Users"), "{report}");
    }
    let quiet = bench.ended(&["--quiet", "plan", file]);
    assert!(!text(&quiet.stderr).contains("not modelled"), "{quiet:?}");
    let predicted = text(&bench.ended(&["predict", file, "--runs", "2"]).stdout);
    assert!(predicted.contains("AWS::Cognito::UserPool Users is not modelled"), "{predicted}");
}

#[test]
fn strict_allows_what_squall_yaml_accepts_and_nothing_else() {
    let bench = with_a_template_of_its_own();
    let file = "experiments/take-payment-throttled.yaml";
    for command in [["--strict", "check"].as_slice(), &["--strict", "plan", file], &["--strict", "run", file]] {
        let refused = bench.ended(command);
        assert_eq!(code(&refused), 2, "{command:?} {}", text(&refused.stderr));
    }
    assert!(text(&bench.ended(&["status"]).stdout).contains("no runs yet"));
    let config = std::fs::read_to_string(bench.folder.path().join("squall.yaml")).unwrap();
    let words = ["UserPool Users", "LedgerStream", "NightlyReportNightly", "Bucket Reports", "by email"];
    let accept = |words: &[&str]| {
        let each = words.iter().map(|word| format!("{{ warning: {word}, because: it is elsewhere }}"));
        let accept = format!("accept: [{}]", each.collect::<Vec<_>>().join(", "));
        write(
            &bench,
            "squall.yaml",
            &config.replace("traffic: traffic.yaml", &format!("traffic: traffic.yaml, {accept}")),
        );
    };
    accept(&words);
    assert_ne!(config, std::fs::read_to_string(bench.folder.path().join("squall.yaml")).unwrap());
    let checked = bench.ended(&["--strict", "check"]);
    assert_eq!(code(&checked), 0, "{}", text(&checked.stdout));
    let ran = bench.ended(&["--strict", "run", file, "--seed", "7", "--pace", "max"]);
    assert_eq!(code(&ran), 0, "{}", text(&ran.stderr));
    let report = text(&bench.ended(&["report", "--format", "markdown"]).stdout);
    assert!(report.contains("accepted in squall.yaml, because it is elsewhere"), "{report}");
    // A word that is in every warning accepts none.
    accept(&["model"]);
    assert_eq!(code(&bench.ended(&["--strict", "check"])), 2);
    let quiet = text(&bench.ended(&["--quiet", "check"]).stdout);
    assert!(quiet.starts_with("no errors in") && quiet.contains("6 warnings are not shown"), "{quiet}");
    // What is accepted and is no warning any more is one itself.
    accept(&[words.as_slice(), &["a bucket of ice"]].concat());
    let checked = bench.ended(&["--strict", "check"]);
    let said = text(&checked.stdout);
    assert!(code(&checked) == 2 && said.contains("no warning has the words `a bucket of ice`"), "{said}");
}
