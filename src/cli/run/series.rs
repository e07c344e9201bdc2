//! Several experiments, one after the other.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Args, Done, one};
use crate::cli::{Context, Ended, Exit, Failure, check, prepare, print_failure};
use crate::ids::RunId;
use crate::inputs::Given;
use crate::outside::one_line;
use crate::private;
use crate::report::junit::{self, Suite};
use crate::report::summary::Summary;
use crate::report::words;
use crate::spec::load::yaml_files;
use crate::store::Store as _;
use crate::yaml::Severity;

/// What became of one experiment.
pub(super) struct Ran {
    pub(super) file: PathBuf,
    pub(super) how: Result<Done, Failure>,
}

/// Checks all files, runs them in order, and prints a summary.
pub(super) fn execute(named: &[PathBuf], args: &Args, context: &mut Context) -> Ended {
    for (given, option) in [(args.plan.is_some(), "--plan"), (args.asked.names_a_run(), "--run-id")] {
        if given {
            return Err(Failure::usage(format!("{option} is of one run"), "name one experiment"));
        }
    }
    let files = files(named)?;
    begin_junit(args.junit.as_deref(), &files)?;
    check_all(&files, &args.asked.with, context)?;
    let mut ran: Vec<Ran> = Vec::new();
    for (number, file) in (1..).zip(&files) {
        let err = &mut context.output.err;
        err.line("");
        err.line(format!("{number} of {}: {}", files.len(), shown(file)));
        let how = one(file, args, context);
        if let Err(failure) = &how {
            print_failure(failure, &mut context.output);
        }
        let stop = ends_the_series(&how);
        ran.push(Ran { file: file.clone(), how });
        if let Some(why) = stop {
            let not_run = |file: &PathBuf| Ran { file: file.clone(), how: Err(Failure::refused(why, "run it again")) };
            ran.extend(files.iter().skip(ran.len()).map(not_run));
            break;
        }
    }
    print_summary(&ran, context);
    write_junit(args.junit.as_deref(), &ran, context);
    Ok(ran.iter().map(Ran::exit).fold(Exit::Fine, Exit::max))
}

/// Why no other experiment starts after this one.
fn ends_the_series(how: &Result<Done, Failure>) -> Option<&'static str> {
    match how {
        Ok(done) if done.exit == Exit::Left => Some("not run: the run before left something behind"),
        Err(failure) if failure.exit == Exit::Left => Some("not run: the run before could not be rolled back"),
        Ok(done) if done.interrupted => Some("not run: a signal stopped the run before"),
        _ => None,
    }
}

/// The files, and those in the folders, in the order in which they were named.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in named {
        match path.is_dir() {
            false => files.push(path.clone()),
            true => match yaml_files(path) {
                none if none.is_empty() => {
                    return Err(Failure::usage(
                        format!("{} has no .yaml file", shown(path)),
                        "name experiments, or a folder of experiments",
                    ));
                }
                found => files.extend(found),
            },
        }
    }
    Ok(files)
}

/// Prints the findings of every file that cannot be used; then nothing is run.
fn check_all(files: &[PathBuf], with: &[Given], context: &mut Context) -> Result<(), Failure> {
    let (mut unusable, mut said) = (0, BTreeSet::new());
    let style = check::style(context.output.err.colour());
    for file in files {
        let (_, findings) = prepare::open(file, with, context);
        if findings.has_errors() {
            unusable += 1;
            said.extend(
                findings
                    .iter()
                    .filter(|finding| finding.code.severity() == Severity::Error)
                    .map(|finding| finding.render(style)),
            );
        }
    }
    if unusable == 0 {
        return Ok(());
    }
    said.into_iter().for_each(|finding| context.output.err.text(finding + "\n\n"));
    Err(Failure {
        exit: Exit::Findings,
        what: format!("{unusable} of {} experiments cannot be used, so none was run", files.len()),
        next: Some("fix the errors above, then run `squall check`".into()),
    })
}

impl Ran {
    fn exit(&self) -> Exit {
        match &self.how {
            Ok(done) => done.exit,
            Err(failure) => failure.exit,
        }
    }

    /// `held`, `broken`, …
    fn word(&self) -> &'static str {
        match (&self.how, self.exit()) {
            (_, Exit::Left) => "left behind",
            (Err(_), _) => "not run",
            (Ok(_), Exit::Fine) => "held",
            (Ok(_), Exit::Broken) => "broken",
            (Ok(_), Exit::Bug) => "bug",
            (Ok(_), _) => "unknown",
        }
    }

    fn detail(&self) -> String {
        match &self.how {
            Ok(done) => done.run.to_string(),
            Err(failure) => one_line(&failure.what),
        }
    }
}

fn print_summary(ran: &[Ran], context: &mut Context) {
    let err = &mut context.output.err;
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for word in ran.iter().map(Ran::word) {
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    let counts: Vec<String> = counts.into_iter().map(|(word, count)| format!("{count} {word}")).collect();
    err.line("");
    err.line(format!("{} experiments: {}", ran.len(), counts.join(", ")));
    let width = ran.iter().map(|ran| shown(&ran.file).chars().count()).max().unwrap_or(0);
    for ran in ran {
        err.line(format!("  {:11}  {:width$}  {}", ran.word(), shown(&ran.file), ran.detail()));
    }
}

/// Writes results that say of every experiment that it was not run: those of an earlier run never pass for this one's, and a place
/// that cannot be written is known before anything runs.
pub(super) fn begin_junit(to: Option<&Path>, files: &[PathBuf]) -> Result<(), Failure> {
    let Some(to) = to else { return Ok(()) };
    if to.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
        return Err(Failure::usage(
            format!("--junit would write over {}", shown(to)),
            "name a file such as results.xml",
        ));
    }
    let suites: Vec<Suite> = files.iter().map(|file| Suite::not_run(shown(file), "it has not ended")).collect();
    private::write_for_others(to, &words::printable(&junit::of(&suites)))
        .map_err(|error| Failure::refused(format!("{}: {error}", shown(to)), "name another file with --junit"))
}

/// Writes one JUnit document of all runs. That it fails does not change how they ended.
pub(super) fn write_junit(to: Option<&Path>, ran: &[Ran], context: &mut Context) {
    let Some(to) = to else { return };
    let summaries: Vec<Option<Summary>> =
        ran.iter().map(|ran| ran.how.as_ref().ok().and_then(|done| summary(&done.run, context))).collect();
    let suites: Vec<Suite> = ran
        .iter()
        .zip(&summaries)
        .map(|(ran, summary)| match summary {
            Some(summary) => Suite::of(summary),
            None => Suite::not_run(shown(&ran.file), ran.detail()),
        })
        .collect();
    if let Err(error) = private::write_for_others(to, &words::printable(&junit::of(&suites))) {
        let what = format!("no results were written to {}: {error}", shown(to));
        print_failure(&Failure::refused(what, "squall report RUN --format junit"), &mut context.output);
    }
}

fn summary(run: &RunId, context: &Context) -> Option<Summary> {
    let store = context.project.store_to_read().ok()??;
    Summary::of(&store.events(run).ok()?)
}

fn shown(path: &Path) -> String {
    one_line(&path.display().to_string())
}
