//! Generated files are up to date: the reference pages and the JSON Schemas. `./test.sh --update` writes them.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "these are tests")]

use std::path::Path;

use squall::account::sandbox::traffic::TrafficFile;
use squall::faults::{FaultSpec, page};
use squall::format::schema as written;
use squall::gameday::spec::{Front, ScenarioSpec};
use squall::project::Project;
use squall::report;
use squall::schedule::spec::ScheduleFile;
use squall::spec::experiment::Experiment;
use squall::spec::hypothesis::Hypothesis;
use squall::spec::{reference, schema};
use squall::yaml::FromNode;

fn fresh(file: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, generated).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == generated, "{file} is not what the tables say; write it with ./test.sh --update");
}

#[test]
fn the_reference_pages_are_fresh() {
    fresh("docs/reference/experiment.md", &reference::page("The experiment file", &Experiment::shape()));
    fresh("docs/reference/hypothesis.md", &reference::page("The hypothesis file", &Hypothesis::shape()));
    fresh("docs/reference/project.md", &reference::page("squall.yaml", &Project::shape()));
    fresh("docs/reference/schedule.md", &reference::page("The schedule file", &ScheduleFile::shape()));
    fresh("docs/reference/runbook.md", &reference::page("The front matter of a runbook", &Front::shape()));
    fresh("docs/reference/scenario.md", &reference::page("A scenario of a runbook", &ScenarioSpec::shape()));
    fresh("docs/reference/traffic.md", &reference::page("The traffic file", &TrafficFile::shape()));
    fresh("docs/reference/findings.md", &reference::findings());
    fresh("docs/reference/template.md", &squall::template::page());
}

#[test]
fn the_schemas_are_fresh() {
    for (name, schema) in [
        ("experiment", schema::experiment()),
        ("hypothesis", schema::hypothesis()),
        ("project", schema::project()),
        ("schedule", schema::schedule()),
        ("occurrences", written::of::<squall::schedule::list::Document>()),
        ("board", written::of::<report::board::Document>()),
        ("occurrence", written::of::<squall::schedule::list::Decided>()),
        ("explanation", written::of::<squall::schedule::list::Explanation>()),
        ("traffic", schema::of::<TrafficFile>()),
        ("journal", written::journal()),
        ("plan", written::of::<squall::document::written::Document>()),
        ("prediction", written::of::<squall::predict::written::Document>()),
        ("margin", written::of::<squall::predict::margin_show::Document>()),
        ("report", report::json::schema()),
        ("status", written::status()),
        ("change", written::change()),
        ("template", written::of::<squall::template::written::Document>()),
        ("gameday", written::of::<squall::format::day::Line>()),
        ("gameday-status", written::of::<squall::gameday::view::View>()),
    ] {
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        fresh(&format!("docs/schema/{name}.json"), &text);
    }
}

#[test]
fn the_pages_of_the_faults_are_fresh() {
    fresh("docs/faults/README.md", &page::index());
    for page in FaultSpec::PAGES {
        fresh(&format!("docs/faults/{}.md", page.name), &page.markdown());
    }
}
