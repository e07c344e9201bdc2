//! AWS's own translator turns each template of `tests/templates` into plain CloudFormation; reading either gives the same
//! application. `tests/translator/setup.sh` fetches the translator.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;
use squall::template::written::Document;
use squall::template::{self, Deployment};
use squall::yaml::{Source, Style};

const TEMPLATES: &str = "tests/templates";

fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/translator/bin/python");
    assert!(python.exists(), "the translator is not there: run tests/translator/setup.sh");
    python
}

fn translator(arguments: &[&str]) -> String {
    let script = "tests/translator/translate.py";
    let output =
        Command::new(python()).arg(script).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The application of a template without errors, as data. The order of statements and of policies means nothing.
fn application(path: &Path) -> Json {
    let source = Source::open(path).unwrap();
    let deployment = Deployment { stack: "shop".into(), ..Deployment::default() };
    let (understood, findings) = template::understand(&source, &deployment);
    assert!(!findings.has_errors(), "{}:\n{}", path.display(), findings.render(Style::Plain));
    let document = Document::of(understood.as_ref(), &findings);
    let mut application = serde_json::to_value(document.application).unwrap();
    sort(&mut application);
    application
}

fn sort(json: &mut Json) {
    match json {
        Json::Object(map) => {
            for (key, value) in map.iter_mut() {
                sort(value);
                if let (Json::Array(items), "Statement" | "managed") = (value, key.as_str()) {
                    items.sort_by_key(Json::to_string);
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(sort),
        _ => {}
    }
}

#[test]
fn reading_sam_and_reading_its_translation_give_the_same_application() {
    let folder = tempfile::tempdir().unwrap();
    translator(&[TEMPLATES, folder.path().to_str().unwrap()]);
    let mut names: Vec<String> = std::fs::read_dir(TEMPLATES)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 80, "{} templates", names.len());
    let mut different = Vec::new();
    for name in &names {
        let translated = folder.path().join(format!("{name}.json"));
        let refused = std::fs::read_to_string(folder.path().join(format!("{name}.refused"))).unwrap_or_default();
        assert!(translated.exists(), "the translator refuses {name}: {refused}");
        let (sam, plain) = (application(&Path::new(TEMPLATES).join(format!("{name}.yaml"))), application(&translated));
        for (section, value) in sam.as_object().unwrap() {
            if *value != plain[section] {
                different.push(format!("{name}, {section}:\n  SAM   {value}\n  plain {}", plain[section]));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    println!("NOTE: {} templates, each read twice with the same result", names.len());
}

#[test]
fn the_facts_about_policies_and_connectors_are_the_translators() {
    let mut facts: Json = serde_json::from_str(&translator(&["--facts"])).unwrap();
    for (name, text) in [
        ("policies", include_str!("../../src/template/sam/policies.json")),
        ("connectors", include_str!("../../src/template/sam/connectors.json")),
    ] {
        let ours: Json = serde_json::from_str(text).unwrap();
        assert_eq!(ours, facts[name].take(), "{name}");
    }
}
