//! What the commands of `squall gameday` take.

use std::path::PathBuf;

use crate::cli::accounts::{self, Pace};
use crate::cli::named;
use crate::cli::prepare::PlanArgs;
use crate::conductor::script::Responders;
use crate::gameday::role::{Actor, ItemName, Person, Role};
use crate::ids::DayId;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Check(Check),
    New(New),
    Rehearse(Rehearse),
    Run(Run),
    Status(Status),
    Tell(Tell),
    Note(Note),
    Release(Release),
    Abort(Abort),
    Invite(super::invite::Invite),
    Card(Card),
    Msel(Msel),
    Report(Report),
}

/// Check runbooks: everything that is wrong in them, each with its place and what to write instead
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  squall gameday check
  squall gameday check runbooks/first-game-day.md --json | jq .findings")]
pub(super) struct Check {
    /// Runbooks [default: every one of the project]
    #[arg(value_parser = named::file)]
    pub files: Vec<PathBuf>,
}

/// Write a runbook to start from, with a scenario for each experiment
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Existing files are not overwritten.

Examples:
  squall gameday new runbooks/spring.md experiments/payment-worker-throttled.yaml
  squall gameday new runbooks/spring.md --msel events.csv")]
pub(super) struct New {
    /// The runbook to write
    pub file: PathBuf,
    /// Experiments, each of which becomes a scenario
    #[arg(value_parser = named::file)]
    pub experiments: Vec<PathBuf>,
    /// A master scenario events list as CSV: its rows become items
    #[arg(long, value_name = "FILE", value_parser = named::file)]
    pub msel: Option<PathBuf>,
}

/// Rehearse a day on the sandbox in virtual time, with a script in the place of people
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nothing of it is kept unless you ask for the record. Exit code 5 when something in the runbook could not be done as it says, 6 when \
something would be left changed.

Examples:
  squall gameday rehearse runbooks/first-game-day.md
  squall gameday rehearse runbooks/first-game-day.md --responders absent --record rehearsal.html")]
pub(super) struct Rehearse {
    /// The runbook
    #[arg(value_parser = named::file)]
    pub file: PathBuf,
    /// Whether responders do what is expected of them, halfway through the time that they have
    #[arg(long, value_enum, default_value = "scripted")]
    pub responders: Responders,
    /// Decides all that is left to chance
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Write the record of the rehearsal: HTML, or Markdown where the name ends in .md
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
}

/// Lead a day on the clock from this terminal; a day that was interrupted goes on
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Type `help` for everything that can be typed. Ctrl-C rolls back a fault that is in place and leaves; the same command with the \
day's name goes on.

Examples:
  squall gameday run runbooks/first-game-day.md --person Ada=facilitator --person Grace=responder
  squall gameday run --day day-20260302-3f9k2m")]
pub(super) struct Run {
    /// The runbook
    #[arg(value_parser = named::file, required_unless_present = "day")]
    pub file: Option<PathBuf>,
    /// Go on with this day
    #[arg(long, conflicts_with = "file")]
    pub day: Option<DayId>,
    /// Who takes part, as NAME=ROLE; in place of the people of the runbook
    #[arg(long = "person", value_name = "NAME=ROLE", value_parser = person)]
    pub people: Vec<Actor>,
    /// Which of them types here [default: the first facilitator]
    #[arg(long = "as", value_name = "NAME")]
    pub by: Option<Person>,
    /// The day's name [default: made from the date and random letters]
    #[arg(long, value_name = "NAME", conflicts_with = "day")]
    pub day_id: Option<DayId>,
    #[command(flatten)]
    pub asked: PlanArgs,
    /// How fast the sandbox's time passes: `1x`, `60x` or `max`
    #[arg(long, value_parser = accounts::pace, default_value = "1x")]
    pub pace: Pace,
    /// Do not rehearse the scenarios on the sandbox first; the readiness checks say so
    #[arg(long)]
    pub without_rehearsal: bool,
    /// Do not ask for confirmation before changing an AWS account
    #[arg(long, short)]
    pub yes: bool,
}

/// Show how a day stands, as a role sees it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  squall gameday status
  squall gameday status --role responder --json
  squall gameday status --all             every day of this project")]
pub(super) struct Status {
    #[command(flatten)]
    pub which: Which,
    /// As this role sees it
    #[arg(long, default_value = "facilitator")]
    pub role: Role,
    /// List every day
    #[arg(long)]
    pub all: bool,
}

/// The day that a command is about.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// The day, or a part of its name [default: the newest]
    #[arg(long, value_name = "NAME")]
    pub day: Option<String>,
}

/// Who asks.
#[derive(Debug, clap::Args)]
pub(super) struct By {
    #[command(flatten)]
    pub which: Which,
    /// Who you are on this day [default: the first facilitator]
    #[arg(long = "as", value_name = "NAME")]
    pub by: Option<Person>,
}

/// Ask a day for anything that can be typed in `squall gameday run`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  squall gameday tell hint
  squall gameday tell pause hold
  squall gameday tell --as Grace say cause the queue is poisoned")]
pub(super) struct Tell {
    #[command(flatten)]
    pub by: By,
    /// What is asked, as it is typed
    #[arg(required = true, trailing_var_arg = true)]
    pub words: Vec<String>,
}

/// Write a note into the record of a day; its time is set by squall
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  squall gameday note 'the queue is not looked at yet'
  squall gameday note --correct 12 'the queue was looked at, by Ria'")]
pub(super) struct Note {
    #[command(flatten)]
    pub by: By,
    /// Correct the note of this number; what it said before stays in the record
    #[arg(long, value_name = "N")]
    pub correct: Option<u64>,
    pub text: String,
}

/// Release an item of the scenario at work now, also in a pause
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  squall gameday release ticket")]
pub(super) struct Release {
    #[command(flatten)]
    pub by: By,
    /// The item's name in the runbook
    pub item: ItemName,
}

/// Roll everything back at once and end the scenarios; the record stays
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Everyone who takes part may abort. Where the process that leads the day is gone, `squall undo` rolls back.

Examples:
  squall gameday abort --reason 'customers see errors'")]
pub(super) struct Abort {
    #[command(flatten)]
    pub by: By,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Print role cards and a hand-over sheet for a runbook, as Markdown
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nothing hidden is on them: they can be given to responders.

Examples:
  squall gameday card runbooks/first-game-day.md > cards.md
  squall gameday card runbooks/first-game-day.md --role responder")]
pub(super) struct Card {
    /// The runbook
    #[arg(value_parser = named::file)]
    pub file: PathBuf,
    /// The card of this role alone
    #[arg(long)]
    pub role: Option<Role>,
}

/// Print a runbook as a master scenario events list, as CSV
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Everything hidden is in it: it is for facilitators.

Examples:
  squall gameday msel runbooks/first-game-day.md > events.csv")]
pub(super) struct Msel {
    /// The runbook
    #[arg(value_parser = named::file)]
    pub file: PathBuf,
}

/// Write the record of a day as HTML and Markdown; everything that was hidden is shown in it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  squall gameday report
  squall gameday report --json | jq -r '.event.kind'    every event, line by line")]
pub(super) struct Report {
    #[command(flatten)]
    pub which: Which,
    /// Write a schedule for each action that has a date for its test: a file in schedules/
    #[arg(long)]
    pub schedules: bool,
}

fn person(text: &str) -> Result<Actor, String> {
    let (name, role) = text.rsplit_once('=').ok_or("write NAME=ROLE, such as Ada=facilitator")?;
    Ok(Actor { person: name.parse()?, role: role.parse()?, agent: false })
}
