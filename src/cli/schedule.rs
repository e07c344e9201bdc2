//! `squall schedule`.

use serde_json::json;

use super::{Context, Ended, Exit, Failure, check};
use crate::env::Env as _;
use crate::schedule::{Schedule, list};
use crate::spec::load::ProjectFiles;
use crate::spec::schedules;
use crate::units::Time;

/// List when scheduled experiments run, and when they do not and why
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
The next 20 occurrences of each schedule, those that run and those that are skipped: what `squall serve` does, as far as it can \
be known beforehand. What is decided at the start only, such as a halt or a hypothesis that does not hold, is not listed.

Examples:
  squall schedule
  squall schedule nightly
  squall schedule --json | jq -r '.schedules[].occurrences[] | select(.kept) | .at'
  squall schedule explain nightly --at 2026-12-24T03:00:00Z"
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
}

/// Say why a schedule runs at a time, or why not
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
        out.line(json!(list::document(&schedules, after)).to_string());
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
        true => out.line(json!(explanation).to_string()),
        false => out.text(explanation.text(schedule.zone.name())),
    }
    Ok(exit)
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
    let missing = || Failure::usage(format!("there is no schedule `{name}`, or it has errors"), "squall schedule");
    schedules.iter().find(|schedule| schedule.name.0 == name).ok_or_else(missing)
}
