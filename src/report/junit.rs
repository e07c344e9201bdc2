//! The report as JUnit XML, for whatever shows test results: one case a signal and one for the rollback. Held passes, broken
//! is a failure, unknown is an error; a run that is not held never shows as passed.

use maud::{Markup, PreEscaped, html};

use super::summary::Summary;
use super::summary::headline::Ending;
use super::summary::signals::SignalStory;
use crate::judge::verdict::VerdictKind;
use crate::units::Span;

/// One test case.
struct Case<'a> {
    group: &'a str,
    name: String,
    time: Span,
    outcome: Outcome,
}

enum Outcome {
    Passed,
    Failed { kind: &'static str, message: String },
    Errored { kind: &'static str, message: String },
}

/// The results of one experiment.
pub struct Suite<'a> {
    name: String,
    /// None of an experiment that was not run.
    summary: Option<&'a Summary>,
    cases: Vec<Case<'a>>,
    time: Span,
}

impl<'a> Suite<'a> {
    /// Of a run.
    pub fn of(summary: &'a Summary) -> Suite<'a> {
        let mut cases: Vec<Case> = summary.signals.iter().filter_map(signal).collect();
        cases.push(undo(summary));
        let passed = |cases: &[Case]| cases.iter().all(|case| matches!(case.outcome, Outcome::Passed));
        if summary.ending != Ending::Held && passed(&cases) {
            // Nothing above says why, so the verdict says it itself.
            cases.push(Case {
                group: "run",
                name: "the verdict is held".into(),
                time: Span::ZERO,
                outcome: Outcome::Errored { kind: "unknown", message: summary.sentence.clone() },
            });
        }
        let time = summary.times.last.since(summary.times.started);
        Suite { name: summary.title.clone(), summary: Some(summary), cases, time }
    }

    /// Of an experiment that was not run: an error, so that it never shows as passed.
    pub fn not_run(name: impl Into<String>, why: impl Into<String>) -> Suite<'a> {
        let outcome = Outcome::Errored { kind: "not-run", message: why.into() };
        let case = Case { group: "run", name: "the experiment is run".into(), time: Span::ZERO, outcome };
        Suite { name: name.into(), summary: None, cases: vec![case], time: Span::ZERO }
    }

    fn count(&self, of: fn(&Outcome) -> bool) -> usize {
        self.cases.iter().filter(|case| of(&case.outcome)).count()
    }
}

fn failed(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed { .. })
}

fn errored(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Errored { .. })
}

/// The whole document of one run.
pub fn document(summary: &Summary) -> String {
    of(&[Suite::of(summary)])
}

/// The whole document of several experiments.
pub fn of(suites: &[Suite]) -> String {
    let all = |of: fn(&Outcome) -> bool| suites.iter().map(|suite| suite.count(of)).sum::<usize>();
    let time = suites.iter().fold(Span::ZERO, |sum, suite| sum + suite.time);
    let xml = html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
        testsuites name="squall" tests=(all(|_| true)) failures=(all(failed)) errors=(all(errored)) time=(seconds(time)) {
            @for suite in suites {
                testsuite name=(suite.name) tests=(suite.cases.len()) failures=(suite.count(failed)) errors=(suite.count(errored)) skipped="0" time=(seconds(suite.time)) timestamp=[suite.summary.map(|summary| summary.times.started)] {
                    @if let Some(summary) = suite.summary { (properties(summary)) }
                    @for case in &suite.cases { (test_case(case)) }
                    @if let Some(summary) = suite.summary {
                        system-out {
                            @for line in &summary.timeline { (line) "\n" }
                        }
                    }
                }
            }
        }
        (PreEscaped("\n"))
    };
    xml.into_string()
}

fn properties(summary: &Summary) -> Markup {
    let environment = &summary.environment;
    let accounts: Vec<String> = environment.accounts.iter().map(ToString::to_string).collect();
    let pairs = [
        ("verdict", summary.ending.word().to_owned()),
        ("run", summary.run.to_string()),
        ("by", environment.by.clone()),
        ("account", accounts.join(",")),
        ("file", environment.file.clone()),
        ("file-sha256", environment.file_sha256.clone()),
        ("seed", environment.seed.to_string()),
        ("squall", environment.squall.clone()),
    ];
    html! {
        properties { @for (name, value) in pairs { property name=(name) value=(value) {} } }
    }
}

/// What is observed only is no test.
fn signal(signal: &SignalStory) -> Option<Case<'_>> {
    let kind = signal.verdict?;
    let message = || if signal.why.is_empty() { kind.to_string() } else { signal.why.clone() };
    Some(Case {
        group: &signal.hypothesis,
        name: signal.title.clone(),
        time: Span::ZERO,
        outcome: match kind {
            VerdictKind::Held => Outcome::Passed,
            VerdictKind::Broken => Outcome::Failed { kind: "broken", message: message() },
            VerdictKind::Unknown => Outcome::Errored { kind: "unknown", message: message() },
        },
    })
}

fn undo(summary: &Summary) -> Case<'_> {
    let times = (summary.times.undo_began, summary.undo.verified_at);
    let message = || summary.undo_sentence.clone();
    Case {
        group: "undo",
        name: "everything is rolled back".into(),
        time: if let (Some(began), Some(verified)) = times { verified.since(began) } else { Span::ZERO },
        outcome: match (summary.ending, summary.needs_attention()) {
            (Ending::Unfinished, _) => Outcome::Errored { kind: "unfinished", message: message() },
            (_, true) => Outcome::Failed { kind: "left-behind", message: message() },
            (_, false) => Outcome::Passed,
        },
    }
}

fn test_case(case: &Case) -> Markup {
    html! {
        testcase classname=(case.group) name=(case.name) time=(seconds(case.time)) {
            @match &case.outcome {
                Outcome::Passed => {},
                Outcome::Failed { kind, message } => failure type=(kind) message=(message) { (message) },
                Outcome::Errored { kind, message } => error type=(kind) message=(message) { (message) },
            }
        }
    }
}

fn seconds(span: Span) -> String {
    format!("{:.3}", span.secs_f64())
}
