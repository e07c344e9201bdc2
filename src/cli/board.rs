//! `squall board`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use super::schedule::as_line;
use super::{Context, Ended, Exit, Failure};
use crate::env::Env as _;
use crate::ids::{RunId, ScheduleName};
use crate::judge::verdict::VerdictKind;
use crate::private;
use crate::report::board::{self, Finding, HALF_LIFE};
use crate::report::summary::Summary;
use crate::run::Recorded;
use crate::run::event::Event;
use crate::serve::decided;
use crate::serve::gate::WEEK;
use crate::spec::load::{self, ProjectFiles};
use crate::store::occurrences::{Fate, OccurrenceRow};
use crate::store::{JournalKind, Store as _};
use crate::units::Span;

/// Show when each hypothesis was last proven, by which run, and the confidence in it now
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A run proves its hypotheses when its verdict is held. Confidence is 100 % then, half of that 30 days later, and 0 % \
after a run that broke the hypothesis. Runs with verdict unknown change nothing. The least proven come first.

Examples:
  squall board
  squall board --half-life 90d
  squall board --html board.html
  squall board --json | jq -r '.hypotheses[] | select(.confidence < 0.5) | .hypothesis'")]
pub struct Args {
    /// The time after which half of the confidence is left [default: 30d]
    #[arg(long, value_name = "TIME")]
    half_life: Option<Span>,
    /// Also write the board as a page to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let half_life = args.half_life.unwrap_or(HALF_LIFE);
    if half_life == Span::ZERO {
        return Err(Failure::usage("a half-life must be longer than 0s", "write for example `30d`"));
    }
    let now = context.env.now();
    let (known, (findings, _)) = (titles(context), findings(context)?);
    let rows = board::board(&known, &findings, now, half_life);
    let not_begun = not_begun(context)?;
    let out = &mut context.output.out;
    match context.json {
        true => {
            let not_begun = not_begun.iter().map(decided).collect();
            out.json(&json!(board::document(&rows, now, half_life, not_begun)));
        }
        false if rows.is_empty() => out.line("no hypotheses yet: write one in hypotheses/NAME.yaml"),
        false => {
            out.text(board::text(&rows, now));
            out.line(board::rule(half_life));
        }
    }
    if !context.json && !not_begun.is_empty() {
        let out = &mut context.output.out;
        out.line("");
        out.line("Scheduled runs that wait or did not begin, within seven days:");
        not_begun.iter().for_each(|row| out.line(format!("  {}", as_line(row))));
    }
    if let Some(file) = &args.html {
        private::write_for_others(file, &board::page(&rows, now, half_life)).map_err(|error| {
            Failure::refused(format!("{}: {error}", file.display()), "name another file with --html")
        })?;
        context.output.err.line(format!("page: {}", file.display()));
    }
    Ok(Exit::Fine)
}

/// The last occurrence of each schedule within seven days, where no run began or it waits at a gate.
fn not_begun(context: &Context) -> Result<Vec<OccurrenceRow>, Failure> {
    let Some(store) = context.project.store_to_read()? else { return Ok(Vec::new()) };
    let rows = store.occurrences(context.env.now() - WEEK)?;
    let last: BTreeMap<ScheduleName, OccurrenceRow> =
        rows.into_iter().map(|row| (row.key.schedule.clone(), row)).collect();
    Ok(last.into_values().filter(|row| !matches!(row.fate, Fate::Run(_))).collect())
}

/// The board of the project as it is now.
#[cfg(feature = "serve")]
pub fn rows(context: &mut Context) -> Result<Vec<board::Row>, Failure> {
    let (known, (findings, _)) = (titles(context), findings(context)?);
    Ok(board::board(&known, &findings, context.env.now(), HALF_LIFE))
}

/// The titles of the project's hypothesis files; one with errors is left to `squall check`.
fn titles(context: &Context) -> Vec<String> {
    let files = ProjectFiles::open(&context.project.root).0;
    let paths = files.map(|files| files.hypotheses()).unwrap_or_default();
    paths.iter().filter_map(|path| load::hypothesis(path).0).map(|loaded| loaded.value.title).collect()
}

/// What the runs of this project found, and the runs whose journal cannot be read: they are named, and prove nothing.
pub(super) fn findings(context: &mut Context) -> Result<(Vec<Finding>, Vec<RunId>), Failure> {
    let Some(store) = context.project.store_to_read()? else { return Ok((Vec::new(), Vec::new())) };
    let (mut findings, mut unreadable) = (Vec::new(), Vec::new());
    for row in store.runs()?.iter().filter(|row| row.kind == JournalKind::Run) {
        let Some(verdict) = row.verdict.as_ref().map(|verdict| verdict.kind) else { continue };
        if verdict == VerdictKind::Unknown {
            continue;
        }
        match store.events(&row.run) {
            Ok(events) => findings.extend(finding(&events, verdict)),
            Err(error) => {
                context.output.err.line(format!("{} proves nothing: {error}", row.run));
                unreadable.push(row.run.clone());
            }
        }
    }
    Ok((findings, unreadable))
}

fn finding(events: &[Recorded], verdict: VerdictKind) -> Option<Finding> {
    let first = events.first()?;
    let Event::Started { plan, .. } = &first.event else { return None };
    // A run without a fault is a load test, and proves no hypothesis about faults.
    if plan.steps.is_empty() {
        return None;
    }
    let judged = plan.signals.iter().filter(|signal| signal.is_judged() && !signal.hypothesis.is_empty());
    let names: Vec<String> = judged.map(|signal| signal.hypothesis.clone()).collect();
    let broken = |name: &String, summary: &Summary| {
        let of = |signal: &&crate::report::summary::signals::SignalStory| signal.hypothesis == *name;
        summary.signals.iter().filter(of).any(|signal| signal.verdict == Some(VerdictKind::Broken))
    };
    let hypotheses = match verdict {
        VerdictKind::Held => names.into_iter().map(|name| (name, VerdictKind::Held)).collect(),
        // Those that did not break are not proven: the run may have stopped before they could.
        _ => {
            let summary = Summary::of(events)?;
            names.into_iter().filter(|name| broken(name, &summary)).map(|name| (name, VerdictKind::Broken)).collect()
        }
    };
    Some(Finding { run: plan.run.clone(), at: first.at, accounts: plan.accounts.clone(), hypotheses })
}
