//! Every finding has a pair of files in `tests/findings/`: what somebody wrote, and what squall says. `./test.sh --update`
//! writes the second ones.
//!
//! `NAME.yaml` is an experiment, `NAME.hypothesis.yaml`, `NAME.project.yaml`, `NAME.schedule.yaml`, `NAME.template.yaml` and
//! `NAME.runbook.md` are what they say. Experiments and schedules belong to the project in `tests/findings/project`.

#![expect(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "these are tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use squall::account::ResourceKind;
use squall::ids::AccountName;
use squall::project::{AccountSpec, Project};
use squall::spec::check::{self, Known, KnownAccount};
use squall::spec::left_out::accept as accept_warnings;
use squall::spec::load::{self, ExperimentFiles, ProjectFiles};
use squall::spec::{runbooks, schedules};
use squall::template::{self, Deployment};
use squall::usual::{Usual, UsualFunction};
use squall::yaml::{Code, Findings, Loaded, Source, Style};

const FOLDER: &str = "tests/findings";

/// Files that are better not committed: what they are named after is made here.
const MADE: [&str; 3] = ["nothing-accepted", "too-large", "unreadable-file"];

/// What the account `local` has.
fn known() -> Known {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let resources = BTreeMap::from([
        (ResourceKind::Function, names(&["OrderFunction", "PaymentWorker"])),
        (ResourceKind::Queue, names(&["OrdersQueue", "OrdersDeadLetters"])),
        (ResourceKind::Api, names(&["ShopApi"])),
        (ResourceKind::Table, names(&["PaymentsTable"])),
        (ResourceKind::Alarm, names(&["OrdersBacklogAlarm"])),
    ]);
    let often = UsualFunction { calls: 300.0, failed: 0.02, ..UsualFunction::default() };
    let functions = BTreeMap::from([("OrderFunction".to_owned(), often)]);
    let usual = Usual { functions, ..Usual::default() };
    BTreeMap::from([(AccountName("local".into()), KnownAccount { names: resources, usual, ..KnownAccount::default() })])
}

fn project() -> ProjectFiles {
    let (files, findings) = ProjectFiles::open(Path::new("tests/findings/project"));
    assert!(findings.is_empty(), "{}", findings.render(Style::Plain));
    files.unwrap()
}

/// What squall finds in a file, by what its name says that it is.
fn find(path: &Path, files: &ProjectFiles) -> Findings {
    let name = path.file_name().unwrap().to_string_lossy();
    if name.ends_with(".hypothesis.yaml") {
        return load::hypothesis(path).1;
    }
    if name.ends_with(".project.yaml") {
        let (loaded, mut findings) = Loaded::<Project>::read(&Source::open(path).unwrap());
        if let Some(loaded) = loaded {
            check::project(&loaded, &mut findings);
        }
        return findings;
    }
    if name.ends_with(".runbook.md") {
        return runbooks::runbook(path, files, &known()).1;
    }
    if name.ends_with(".schedule.yaml") {
        return schedules::one_file(path, files);
    }
    if name.ends_with(".template.yaml") {
        return template::read(&Source::open(path).unwrap(), &Deployment::default()).1;
    }
    ExperimentFiles::open(path, files, None, &known()).1
}

/// A file's findings as they are written down.
fn said(name: &str, files: &ProjectFiles) -> (Findings, String) {
    let ending = if name.ends_with(".runbook") { "md" } else { "yaml" };
    let path = Path::new(FOLDER).join(format!("{name}.{ending}"));
    let folder = tempfile::tempdir().unwrap();
    let findings = match name {
        "too-large" => {
            let large = folder.path().join("too-large.yaml");
            std::fs::File::create(&large).unwrap().set_len(100 << 20).unwrap();
            find(&large, files)
        }
        // What a project accepts is compared with its template.
        "nothing-accepted" => {
            let accept = "accept: [{ warning: AWS::S3::Bucket Reports, because: it is not tested }]";
            let sandbox = format!("sandbox: {{ sandbox: {{ template: t.yaml, traffic: traffic.yaml, {accept} }} }}");
            let text = format!("version: 1\ndefault_account: sandbox\naccounts:\n  {sandbox}\n");
            std::fs::write(folder.path().join(load::CONFIG), text).unwrap();
            let files = ProjectFiles::open(folder.path()).0.unwrap();
            let (name, account) = files.project.accounts.first_key_value().unwrap();
            let AccountSpec::Sandbox(sandbox) = account else { panic!("it is a sandbox") };
            let mut findings = Findings::default();
            assert!(accept_warnings(&mut findings, name, sandbox, &files).is_empty());
            findings
        }
        _ => find(&path, files),
    };
    let text = findings.render(Style::Plain).replace(&folder.path().display().to_string(), FOLDER);
    (findings, text)
}

/// The names of the pairs.
fn names() -> Vec<String> {
    let entries = std::fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
    let yaml = entries.filter(|path| path.extension().is_some_and(|ending| ending == "yaml" || ending == "md"));
    let stem = |path: std::path::PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    yaml.map(stem).chain(MADE.map(str::to_owned)).collect::<BTreeSet<_>>().into_iter().collect()
}

#[test]
fn every_file_gives_the_findings_beside_it() {
    let files = project();
    let mut wrong = Vec::new();
    for name in names() {
        let (findings, text) = said(&name, &files);
        assert!(!findings.is_empty(), "{name} has no finding");
        // A file is named after what it shows.
        assert!(
            findings.iter().any(|finding| name.starts_with(finding.code.id())),
            "{name} does not show what it is named after:\n{text}"
        );
        let path = Path::new(FOLDER).join(format!("{name}.txt"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        if std::fs::read_to_string(&path).unwrap_or_default() != text {
            wrong.push(format!("--- {name}\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "not as written down (./test.sh --update writes them):\n{}", wrong.join("\n"));
}

#[test]
fn every_kind_of_finding_has_a_pair() {
    let files = project();
    let shown: BTreeSet<Code> = names()
        .iter()
        .flat_map(|name| said(name, &files).0.iter().map(|finding| finding.code).collect::<Vec<_>>())
        .collect();
    let missing: Vec<&str> = Code::ALL.iter().filter(|code| !shown.contains(code)).map(|code| code.id()).collect();
    assert!(missing.is_empty(), "no file in {FOLDER} shows {missing:?}");
}

#[test]
fn no_expectation_is_left_over() {
    let names = names();
    for entry in std::fs::read_dir(FOLDER).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "txt") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(names.contains(&name), "{} has no file that it is about", path.display());
        }
    }
}

#[test]
fn every_finding_says_what_to_do() {
    let files = project();
    for name in names() {
        for finding in said(&name, &files).0.iter() {
            assert!(finding.help.is_some(), "{name}: {finding}");
        }
    }
}
