//! `squall schedule`.

use serde_json::json;

use super::accounts::{self, Pace};
use super::prepare::PlanArgs;
use super::project::short;
use super::{Context, Ended, Exit, Failure, check, run};
use crate::access::Act;
use crate::env::Env as _;
use crate::ids::RunId;
use crate::outside::one_line;
use crate::schedule::{Schedule, list};
use crate::serve::decided;
use crate::spec::load::ProjectFiles;
use crate::spec::schedules;
use crate::store::Store as _;
use crate::store::occurrences::{Fate, OccurrenceKey, OccurrenceRow};
use crate::units::{Span, Time};
use crate::yaml::read::closest;

/// List when scheduled experiments run, and when not and why
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
The next 20 occurrences of each schedule, those that run and those that are skipped: what `squall serve` will do, as \
far as it can be known beforehand. What is decided only at the start, such as a halt or a hypothesis that does not \
hold, is not listed.

Examples:
  squall schedule
  squall schedule nightly
  squall schedule --json | jq -r '.schedules[].occurrences[] | select(.kept) | .at'
  squall schedule explain nightly --at 2026-12-24T03:00:00Z
  squall schedule run nightly          now
  squall schedule history              what became of the occurrences so far"
)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The schedule [default: every one]
    name: Option<String>,
    /// List what comes after this time [default: now]
    #[arg(long, value_name = "TIME")]
    after: Option<Time>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Explain(Explain),
    Run(Run),
    History(History),
}

/// Run a schedule's experiment now; its own rhythm is not changed
#[derive(Debug, clap::Args)]
struct Run {
    /// The schedule
    name: String,
    /// Run although the schedule is switched off, or outside the hours, in a blackout or during a calendar's event
    #[arg(long)]
    anyway: bool,
    /// Why, for the audit; a schedule that is switched off needs it
    #[arg(long, value_name = "SENTENCE")]
    reason: Option<String>,
    #[command(flatten)]
    asked: PlanArgs,
    /// How fast the sandbox's time passes: `1x`, `60x` or `max` [default: 60x on a terminal, else max]
    #[arg(long, value_parser = accounts::pace)]
    pace: Option<Pace>,
    /// Do not ask for confirmation before changing an AWS account
    #[arg(long, short)]
    yes: bool,
}

/// Show the outcome of past occurrences
#[derive(Debug, clap::Args)]
struct History {
    /// The schedule [default: every one]
    name: Option<String>,
    /// Show outcomes since this time [default: 30 days ago]
    #[arg(long, value_name = "TIME")]
    since: Option<Time>,
}

/// Explain why a schedule runs at a time, or why not
#[derive(Debug, clap::Args)]
struct Explain {
    /// The schedule
    name: String,
    /// The time [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Time>,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    match &args.command {
        Some(Command::Explain(args)) => explain(args, context),
        Some(Command::Run(args)) => run_now(args, context),
        Some(Command::History(args)) => history(args, context),
        None => show(args, context),
    }
}

fn show(args: &Args, context: &mut Context) -> Ended {
    let after = args.after.unwrap_or_else(|| context.env.now());
    let (mut schedules, exit) = load(after, context)?;
    if let Some(name) = &args.name {
        find(&schedules, name)?;
        schedules.retain(|schedule| schedule.name.0 == *name);
    }
    let out = &mut context.output.out;
    if context.json {
        out.json(&json!(list::document(&schedules, after)));
    } else if schedules.is_empty() {
        out.line("no schedule; write one in schedules/NAME.yaml (docs/schedules.md)");
    } else {
        out.text(list::text(&schedules, after));
    }
    Ok(exit)
}

fn explain(args: &Explain, context: &mut Context) -> Ended {
    let at = args.at.unwrap_or_else(|| context.env.now());
    let (schedules, exit) = load(at, context)?;
    let schedule = find(&schedules, &args.name)?;
    let explanation = list::explain(schedule, at);
    let out = &mut context.output.out;
    match context.json {
        true => out.json(&json!(explanation)),
        false => out.text(explanation.text(schedule.zone.name())),
    }
    Ok(exit)
}

fn run_now(args: &Run, context: &mut Context) -> Ended {
    let now = context.env.now();
    let (schedules, _) = load(now, context)?;
    let schedule = find(&schedules, &args.name)?.clone();
    if let Some(why) = schedule.why_not(now, schedule.length).filter(|_| !args.anyway) {
        return Err(Failure::refused(why.to_string(), "confirm with --anyway"));
    }
    if !schedule.enabled && args.reason.is_none() {
        let what = format!("{} is switched off", schedule.name);
        return Err(Failure::refused(what, "say why it runs all the same: --anyway --reason 'a sentence'"));
    }
    let (files, _) = ProjectFiles::open(&context.project.root);
    let file = files.map(|files| files.experiment(&schedule.experiment)).unwrap_or_default();
    let (asked, run) = args.asked.with(&schedule.with).named(RunId::fresh(now, context.env.entropy()));
    let mut store = context.project.store()?;
    if let Some(by) = store.halted()? {
        return Err(Failure::refused(format!("halted by {by}"), "squall halt --lift"));
    }
    let key = OccurrenceKey { schedule: schedule.name.clone(), at: now, by_hand: true };
    let row = OccurrenceRow { key, decided: now, by: context.who(), fate: Fate::Run(run.clone()) };
    store.claim_occurrence(&row)?;
    if let Some(reason) = &args.reason {
        let detail = format!("{}{}: {}", schedule.name, if args.anyway { ", anyway" } else { "" }, one_line(reason));
        store.note(&Act { at: now, by: context.who(), what: "run now".into(), detail })?;
    }
    let ended = run::execute(
        &run::Args { files: vec![file], asked, pace: args.pace, plan: None, junit: None, keep: false, yes: args.yes },
        context,
    );
    // One that was refused or not confirmed never began.
    if let Err(failure) = &ended
        && failure.exit != Exit::Left
    {
        store.settle_occurrence(&row.key, &Fate::Skipped(failure.what.clone()))?;
    }
    ended
}

fn history(args: &History, context: &mut Context) -> Ended {
    const MONTH: Span = Span::from_mins(30 * 1_440);
    let since = args.since.unwrap_or_else(|| context.env.now() - MONTH);
    let store = context.project.store_to_read()?;
    let mut rows = store.map(|store| store.occurrences(since)).transpose()?.unwrap_or_default();
    rows.retain(|row| args.name.as_ref().is_none_or(|name| row.key.schedule.0 == *name));
    let out = &mut context.output.out;
    for row in &rows {
        match context.json {
            true => out.json(&as_json(row)),
            false => out.line(as_line(row)),
        }
    }
    if rows.is_empty() {
        context.output.err.line(format!("no occurrences since {}", short(since)));
    }
    Ok(Exit::Fine)
}

/// What became of an occurrence, for people.
pub fn as_line(row: &OccurrenceRow) -> String {
    let OccurrenceRow { key, fate, by, .. } = row;
    let asked = if key.by_hand { format!(", asked for by {by}") } else { String::new() };
    let what = match fate {
        Fate::Run(run) => format!("runs as {run}"),
        Fate::Waits(run, why) => format!("waits as {run}: {why}"),
        Fate::Skipped(why) => format!("skipped: {why}"),
        Fate::Missed(why) => format!("missed: {why}"),
        Fate::Failed(why) => format!("failed: {why}"),
    };
    format!("{}  {}{asked}  {what}", short(key.at), key.schedule)
}

/// The same for programs, on one line.
pub fn as_json(row: &OccurrenceRow) -> serde_json::Value {
    json!(decided(row))
}

/// The project's schedules as of a time. What is wrong with others is printed, and is in the exit code.
pub fn load(now: Time, context: &mut Context) -> Result<(Vec<Schedule>, Exit), Failure> {
    let (files, mut findings) = ProjectFiles::open(&context.project.root);
    let loaded = files.map(|files| schedules::schedules(&files, now));
    let schedules = loaded.map(|(schedules, found)| {
        findings.append(found);
        schedules
    });
    let err = &mut context.output.err;
    for finding in findings.iter() {
        err.line(finding.render(check::style(err.colour())) + "\n");
    }
    let exit = if findings.has_errors() { Exit::Findings } else { Exit::Fine };
    let unusable = || Failure {
        exit: Exit::Findings,
        what: format!("squall.yaml cannot be used: {}", findings.count()),
        next: Some("fix the errors above, then run `squall check`".into()),
    };
    Ok((schedules.ok_or_else(unusable)?, exit))
}

/// The schedule of a name.
pub fn find<'a>(schedules: &'a [Schedule], name: &str) -> Result<&'a Schedule, Failure> {
    let missing = || {
        let next = match closest(name, schedules.iter().map(|schedule| schedule.name.0.as_str())) {
            Some(near) => format!("did you mean {near}?"),
            None => "squall schedule".to_owned(),
        };
        Failure::usage(format!("there is no schedule {}, or it has errors", one_line(name)), next)
    };
    schedules.iter().find(|schedule| schedule.name.0 == name).ok_or_else(missing)
}
