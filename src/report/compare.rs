//! Two runs side by side: what was planned differently, how each ended, and each signal in both.

use schemars::JsonSchema;
use serde::Serialize;

use super::summary::Summary;
use super::summary::signals::SignalStory;
use super::words;
use crate::judge::verdict::VerdictKind;
use crate::plan::Plan;
use crate::planner::fingerprint::PlanHash;
use crate::planner::show::{changed, does};
use crate::units::Time;

/// The version of what is printed for programs.
const VERSION: u32 = 1;

/// Two runs, the earlier one first.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Version of this form.
    pub format: u32,
    pub runs: [Side; 2],
    /// What the plans say differently: lines of the first begin with `-`, of the second with `+`.
    pub plan: Vec<String>,
    pub figures: Vec<Row>,
    /// Signals that both runs or one of them had.
    pub signals: Vec<Row>,
}

/// One of the runs.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Side {
    pub run: String,
    pub title: String,
    pub started: Time,
    /// `held`, `broken`, `unknown` or `not finished`.
    pub verdict: String,
    /// Why, in a sentence.
    pub sentence: String,
    /// The experiment's file and its SHA-256.
    pub file: String,
    pub file_sha256: String,
    pub seed: u64,
}

/// One line of figures: the same of both.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub what: String,
    /// Absent where a run has no such thing.
    pub values: [Option<String>; 2],
    pub differs: bool,
}

impl Row {
    fn of(what: impl Into<String>, values: [Option<String>; 2]) -> Row {
        Row { what: what.into(), differs: values[0] != values[1], values }
    }
}

/// Compares two runs, each with the plan that it followed.
pub fn compare(first: (&Plan, &Summary), second: (&Plan, &Summary)) -> Comparison {
    let both = [first.1, second.1];
    let of = |tell: fn(&Summary) -> String| both.map(|summary| Some(tell(summary)));
    let (before, after) = (PlanHash::of(first.0), PlanHash::of(second.0));
    let mut plan = changed(&does(first.0), &does(second.0));
    if plan.is_empty() && first.0.accounts == second.0.accounts {
        // What no line of a plan says. Of different accounts all parts of the hash differ.
        plan = before.differs_in(&after).iter().map(|section| format!("{section}: different")).collect();
    }
    Comparison {
        format: VERSION,
        runs: both.map(side),
        plan,
        figures: vec![
            Row::of("verdict", of(|summary| summary.ending.word().into())),
            Row::of("rollback", of(|summary| summary.undo_sentence.clone())),
            Row::of("first effect after the fault began", of(first_effect)),
            Row::of("steady again after the fault ended", of(|summary| summary.recovery.found.short())),
            Row::of(
                "stopped early",
                of(|summary| summary.stopped.as_ref().map_or("no".into(), |stopped| stopped.why.clone())),
            ),
        ],
        signals: signals(both),
    }
}

fn side(summary: &Summary) -> Side {
    let environment = &summary.environment;
    Side {
        run: summary.run.0.clone(),
        title: summary.title.clone(),
        started: summary.times.started,
        verdict: summary.ending.word().into(),
        sentence: summary.sentence.clone(),
        file: environment.file.clone(),
        file_sha256: environment.file_sha256.clone(),
        seed: environment.seed,
    }
}

fn first_effect(summary: &Summary) -> String {
    match (summary.times.first_fault, summary.times.first_effect) {
        (Some(began), Some(effect)) => words::span(effect.since(began)),
        (Some(_), None) => "was not seen to take effect".into(),
        (None, _) => "no fault began".into(),
    }
}

/// Every signal of the first run, then those that only the second one has; two are the same where their titles are.
fn signals(both: [&Summary; 2]) -> Vec<Row> {
    let [first, second] = both;
    let mut titles: Vec<&str> = first.signals.iter().map(|signal| signal.title.as_str()).collect();
    for signal in &second.signals {
        if !titles.contains(&signal.title.as_str()) {
            titles.push(&signal.title);
        }
    }
    let told = |summary: &Summary, title: &str| {
        let signal = summary.signals.iter().find(|signal| signal.title == title)?;
        Some(signal_told(signal, summary))
    };
    titles.iter().map(|title| Row::of(*title, both.map(|summary| told(summary, title)))).collect()
}

fn signal_told(signal: &SignalStory, summary: &Summary) -> String {
    let verdict = match signal.verdict {
        Some(VerdictKind::Held) => "held",
        Some(VerdictKind::Broken) => "broken",
        Some(VerdictKind::Unknown) => "unknown",
        None => "observed",
    };
    format!("{verdict}: {}", signal.note(&summary.times))
}

impl Comparison {
    /// For people.
    pub fn text(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (mark, side) in ["-", "+"].iter().zip(&self.runs) {
            lines.push(format!(
                "{mark} {}  {}  {}  {}",
                side.run,
                words::instant(side.started),
                side.verdict,
                side.title
            ));
        }
        let [first, second] = &self.runs;
        lines.push(String::new());
        lines.push(match (first.file_sha256 == second.file_sha256, first.seed == second.seed) {
            (true, true) => "the same file and the same seed".into(),
            (true, false) => "the same file, with another seed".into(),
            (false, _) => format!("the experiment's text differs: {} and {}", first.file, second.file),
        });
        match self.plan.is_empty() {
            true => lines.push("both plans resolve to the same changes, hypotheses and guards".into()),
            false => {
                lines.push("what the plans say differently:".into());
                lines.extend(self.plan.iter().map(|line| format!("  {line}")));
            }
        }
        lines.push(String::new());
        lines.extend(self.figures.iter().flat_map(Row::lines));
        lines.push(String::new());
        lines.extend(self.signals.iter().flat_map(Row::lines));
        lines
    }
}

impl Row {
    /// One line where both are the same, else one of each.
    fn lines(&self) -> Vec<String> {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "not in this run".into());
        let [first, second] = &self.values;
        match self.differs {
            false => vec![format!("  {}: {}", self.what, shown(first))],
            true => {
                vec![format!("* {}:", self.what), format!("    - {}", shown(first)), format!("    + {}", shown(second))]
            }
        }
    }
}
