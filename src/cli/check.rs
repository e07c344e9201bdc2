//! `squall check`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Context, Ended, Exit, Failure, accounts, named};
use crate::spec::check::what_it_shows;
use crate::spec::load::{self, CONFIG, ExperimentFiles, ProjectFiles};
use crate::spec::runbooks;
use crate::spec::schedules;
use crate::yaml::{Findings, Severity, Style};

/// Check files: every mistake in them, with its place and what to write instead
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without a file, the whole project is checked: squall.yaml, the sandbox's template and traffic, every hypothesis, \
experiment, schedule and runbook. No account is contacted. Exit code 2 when a file cannot be used; warnings alone are 0.

Examples:
  squall check
  squall check experiments/payment-worker-throttled.yaml
  squall check --json | jq -r '.findings[] | \"\\(.file):\\(.line): \\(.what)\"'")]
pub struct Args {
    /// Experiments, hypotheses, schedules, runbooks or squall.yaml
    #[arg(value_parser = named::file)]
    files: Vec<PathBuf>,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let root = context.project.root.clone();
    let (mut findings, checked, shows) = match args.files.is_empty() {
        true => everything(&root),
        false => each(&root, &args.files),
    };
    if checked.is_empty() {
        let here = if root == Path::new(".") { "this folder".to_owned() } else { root.display().to_string() };
        let what = format!("there is nothing to check: {here} has no {CONFIG} and no experiments");
        return Err(Failure::usage(
            what,
            "change to your project's folder, name it with --project, or start a project: squall init",
        ));
    }
    let fails = findings.has_errors() || context.strict && !findings.is_empty();
    let exit = if fails { Exit::Findings } else { Exit::Fine };
    let mut hidden = 0;
    if context.quiet && !context.strict {
        hidden = findings.take(|finding| finding.code.severity() == Severity::Warning).len();
    }
    let out = &mut context.output.out;
    if context.json {
        out.json(&json!({ "findings": findings.to_json(), "files": checked, "shows": shows }));
    } else if findings.is_empty() {
        let what = if hidden > 0 { "no errors" } else { "no findings" };
        let warnings = match hidden {
            0 => String::new(),
            1 => "; 1 warning is not shown".into(),
            many => format!("; {many} warnings are not shown"),
        };
        let files = if checked.len() == 1 { "file" } else { "files" };
        out.line(format!("{what} in {} {files}{warnings}", checked.len()));
    } else {
        out.text(findings.render(style(out.colour())));
    }
    if !context.json {
        shows.into_iter().for_each(|line| out.line(line));
    }
    Ok(exit)
}

/// For findings.
pub fn style(colour: bool) -> Style {
    if colour { Style::Colour } else { Style::Plain }
}

/// What was found, in which files, and what the traffic of the named experiments can show.
type Checked = (Findings, Vec<PathBuf>, Vec<String>);

fn everything(root: &Path) -> Checked {
    let (files, mut findings) = ProjectFiles::open(root);
    let Some(files) = files else { return (findings, vec![root.join(CONFIG)], Vec::new()) };
    let (known, found) = accounts::known(&files);
    found.into_values().for_each(|found| findings.append(found.findings));
    findings.append(load::everything(root, &known));
    let config = Some(root.join(CONFIG)).filter(|path| path.exists());
    let shown = |path: PathBuf| path.strip_prefix(".").map(Path::to_owned).unwrap_or(path);
    let checked =
        config.into_iter().chain(accounts::files(&files)).chain(files.hypotheses()).chain(files.experiments());
    let checked = checked.chain(files.schedule_files()).chain(files.runbooks());
    (findings, checked.map(shown).collect(), Vec::new())
}

fn each(root: &Path, paths: &[PathBuf]) -> Checked {
    let (files, mut findings) = ProjectFiles::open(root);
    let Some(files) = files else { return (findings, vec![root.join(CONFIG)], Vec::new()) };
    let (known, found) = accounts::known(&files);
    found.into_values().for_each(|found| findings.append(found.findings));
    let mut shows = Vec::new();
    let hypotheses = std::fs::canonicalize(root.join(&files.project.hypotheses)).ok();
    let schedules = std::fs::canonicalize(root.join(&files.project.schedules_in)).ok();
    for path in paths {
        let folder = path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
        let folder = folder.and_then(|folder| std::fs::canonicalize(folder).ok());
        if path.file_name().is_some_and(|name| name == CONFIG) {
            findings.append(ProjectFiles::open(path.parent().unwrap_or(root)).1);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            findings.append(runbooks::runbook(path, &files, &known).1);
        } else if folder.is_some() && folder == hypotheses {
            findings.append(load::hypothesis(path).1);
        } else if folder.is_some() && folder == schedules {
            findings.append(schedules::one_file(path, &files));
        } else {
            let (experiment, found) = ExperimentFiles::open(path, &files, None, &known);
            findings.append(found);
            shows.extend(experiment.iter().flat_map(|experiment| what_it_shows(experiment, &known)));
        }
    }
    (findings, paths.to_vec(), shows)
}
