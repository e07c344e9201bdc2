//! A newcomer's first hour with an application of their own: from its template to a first verdict, without an edit of the template.
//! Every message on the way is in one snapshot.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::fmt::Write as _;
use std::process::Command;

use tempfile::TempDir;

const TEMPLATE: &str = include_str!("first_hour/template.yaml");

struct Hour {
    folder: TempDir,
    transcript: String,
}

impl Hour {
    fn type_(&mut self, line: &str) -> Option<i32> {
        let output = Command::new(env!("CARGO_BIN_EXE_squall"))
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .env("COLUMNS", "100")
            .env("SQUALL_WHO", "ana@laptop")
            .env_remove("SQUALL_LOG")
            .output()
            .unwrap();
        let _ = writeln!(self.transcript, "$ squall {line}");
        self.transcript += &String::from_utf8(output.stdout).unwrap();
        for line in String::from_utf8(output.stderr).unwrap().lines() {
            let _ = writeln!(self.transcript, "{}", format!("2> {line}").trim_end());
        }
        let _ = writeln!(self.transcript, "[exit {:?}]\n", output.status.code());
        output.status.code()
    }

    fn show(&mut self, file: &str) {
        let text = std::fs::read_to_string(self.folder.path().join(file)).unwrap();
        let _ = writeln!(self.transcript, "$ cat {file}\n{text}");
    }
}

/// A project may lie in another folder than the template.
#[test]
fn a_template_in_another_folder_is_found() {
    let mut hour = Hour { folder: TempDir::new().unwrap(), transcript: String::new() };
    std::fs::create_dir(hour.folder.path().join("a{p}p")).unwrap();
    let template = hour.folder.path().join("a{p}p/it's, [odd]: #1.yaml");
    std::fs::write(&template, TEMPLATE).unwrap();
    let squall = Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(["init", "--project", "chaos", "--from-template"])
        .arg(&template)
        .current_dir(hour.folder.path())
        .output()
        .unwrap();
    assert!(squall.status.success(), "{squall:?}");
    assert_eq!(hour.type_("--project chaos check"), Some(0), "{}", hour.transcript);
}

#[test]
fn a_template_of_ones_own_gets_a_verdict() {
    let mut hour = Hour { folder: TempDir::new().unwrap(), transcript: String::new() };
    std::fs::write(hour.folder.path().join("template.yaml"), TEMPLATE).unwrap();
    assert_eq!(hour.type_("init --from-template template.yaml"), Some(0), "{}", hour.transcript);
    for file in ["squall.yaml", "traffic.yaml", "experiments/take-payment-throttled.yaml", ".gitignore"] {
        hour.show(file);
    }
    assert_eq!(hour.type_("check"), Some(0), "{}", hour.transcript);
    let pinned = "--seed 7 --start 2026-03-02T09:00:00Z --run-id run-20260302-3f9k2m";
    let experiment = "experiments/take-payment-throttled.yaml";
    assert_eq!(hour.type_(&format!("plan {experiment} {pinned}")), Some(0), "{}", hour.transcript);
    assert_eq!(hour.type_(&format!("run {experiment} {pinned}")), Some(0), "{}", hour.transcript);
    assert_eq!(hour.type_("status"), Some(0), "{}", hour.transcript);
    assert_eq!(std::fs::read_to_string(hour.folder.path().join("template.yaml")).unwrap(), TEMPLATE);
    insta::assert_snapshot!(hour.transcript);
}
