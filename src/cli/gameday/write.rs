//! `squall gameday new`: a runbook to start from.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::{Context, Ended, Exit, Failure, prepare};
use crate::gameday::msel::{self, Row};
use crate::gameday::spec::ItemKind;
use crate::gameday::when::When;
use crate::units::Span;

/// Writes a runbook with a scenario for each experiment, and with the items of a list.
pub fn new(file: &Path, experiments: &[PathBuf], list: Option<&Path>, context: &mut Context) -> Ended {
    if file.exists() {
        return Err(Failure::refused(format!("{} is there already", file.display()), "name another file"));
    }
    let rows = match list {
        None => Vec::new(),
        Some(list) => {
            let unusable = |what: String| Failure {
                exit: Exit::Findings,
                what: format!("{}: {what}", list.display()),
                next: None,
            };
            let source = crate::yaml::Source::open(list).map_err(|finding| unusable(finding.to_string()))?;
            msel::read(&source.text).map_err(unusable)?
        }
    };
    let mut scenarios = String::new();
    for (number, path) in experiments.iter().enumerate() {
        let prepare::Read { experiment, .. } = prepare::read(path, &[], context)?;
        let (name, value) =
            (path.file_stem().map(|name| name.to_string_lossy().into_owned()), &experiment.experiment.value);
        let longest = value.guards.longest + Span::from_mins(10);
        let mine = |row: &&Row| row.scenario.is_empty() && number == 0 || row.scenario == value.title;
        let items: Vec<&Row> = rows.iter().filter(mine).collect();
        scenarios += &scenario(&value.title, name.as_deref(), longest, &items);
    }
    let known = |row: &Row| scenarios.contains(&format!("### {}\n", row.scenario));
    let unnamed = |row: &Row| row.scenario.is_empty() && !experiments.is_empty();
    let rest: Vec<&Row> = rows.iter().filter(|row| !known(row) && !unnamed(row)).collect();
    let mut titles: Vec<&str> = rest.iter().map(|row| row.scenario.as_str()).collect();
    titles.dedup();
    for title in titles {
        let items: Vec<&Row> = rest.iter().copied().filter(|row| row.scenario == title).collect();
        scenarios +=
            &scenario(if title.is_empty() { "The scenario" } else { title }, None, Span::from_mins(60), &items);
    }
    if scenarios.is_empty() {
        scenarios = scenario("The scenario", None, Span::from_mins(60), &[]);
    }
    let text = format!("{HEAD}{scenarios}{TAIL}");
    if !super::parsed(&text) {
        return Err(Failure {
            exit: Exit::Bug,
            what: "the new runbook cannot be read; please report this".into(),
            next: None,
        });
    }
    let cannot = |error: std::io::Error| {
        Failure::refused(format!("{}: {error}", file.display()), "look at the rights of the folder")
    };
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(cannot)?;
    }
    std::fs::write(file, text).map_err(cannot)?;
    context.output.out.line(format!("written  {}", file.display()));
    context.output.out.line(format!("next: fill in what is in brackets, then squall gameday check {}", file.display()));
    Ok(Exit::Fine)
}

fn scenario(title: &str, experiment: Option<&str>, longest: Span, rows: &[&Row]) -> String {
    let mut text =
        format!("### {}\n\n[What the facilitator should know about it.]\n\n```yaml\n", crate::outside::one_line(title));
    if let Some(experiment) = experiment {
        let _ = writeln!(text, "experiment: {experiment}");
    }
    let _ = writeln!(text, "hypothesis: {}", yaml(title));
    let _ = writeln!(text, "longest: {longest}");
    text += "expectations:\n  - name: noticed\n    text: A responder says that something is wrong.\n    counts: detection\n    \
             confirmed_by: { responders_say: noticed }\n    within: 10m\n";
    text += "  - name: cause\n    text: \"[The right cause.]\"\n    counts: diagnosis\n    confirmed_by: { role: facilitator }\n    within: 20m\n";
    text += "hints:\n  - \"[A nudge.]\"\n  - \"[A pointer to a dashboard.]\"\n  - \"[The answer.]\"\n";
    text += "items:\n  - name: begin\n    kind: information\n    when: 0m\n    text: The scenario has begun.\n";
    for (number, row) in rows.iter().enumerate() {
        let kind = row.item_kind();
        let when = row.when.parse::<When>().ok().filter(|_| kind != ItemKind::Contingency);
        let _ = writeln!(text, "  - name: event-{}\n    kind: {}", number + 1, kind.word());
        let simple =
            when.filter(|when| when.causes().iter().all(|cause| cause.from == crate::gameday::when::From::Scenario));
        let _ = writeln!(text, "    when: {}", simple.map_or_else(|| "by hand".into(), |when| when.to_string()));
        for (key, value) in [("from", &row.from), ("text", &row.text), ("expected", &row.expected)] {
            if !value.is_empty() {
                let _ = writeln!(text, "    {key}: {}", yaml(value));
            }
        }
    }
    text + "```\n\n"
}

/// A text as YAML on one line: a JSON text is one.
fn yaml(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

const HEAD: &str = "---
version: 1
title: \"[What the day is called]\"
goal: \"[What the team wants to have learned at its end]\"
lasts: 120m
roles: { facilitator: 1, responder: 2, scribe: 1, safety_monitor: 1 }
people:
  Facilitator: facilitator
  Responder: responder
success:
  - A responder noticed without being told.
abort:
  - A real incident begins.
thresholds: { detect: 10m, diagnose: 20m, mitigate: 30m }
---

## Briefing

[What everybody hears at the start.]

Everyone may say \"stop\" at any time, for any reason. Then everything is rolled back at once.

A person who knows AWS could see what squall changes, in CloudTrail and in names that begin with `squall`. Please do not look
there.

## Readiness

- [ ] Everybody can open the dashboards.
- [ ] No real incident is open.

## Scenarios

";

const TAIL: &str = "## Debrief

- What surprised you?
- What helped, and what was in the way?
- What do we change, who does it, and until when?
";
