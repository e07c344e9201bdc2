//! `squall status`.

use serde_json::json;

use super::project::short;
use super::{Context, Ended, Exit, Failure, accounts, undo};
use crate::account::Resource;
use crate::ids::{AccountName, RunId};
use crate::run::event::Event;
use crate::run::mark::Mark;
use crate::run::state::State;
use crate::store::{RunRow, Store};

/// Show what runs, how runs ended, and what is outstanding
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit code 6 when something that a run changed may still be there and no process is undoing it; else 0.

Examples:
  squall status
  squall status --all
  squall status --json | jq '.runs[] | select(.outstanding != [])'")]
pub struct Args {
    /// Show every run, not the newest twenty
    #[arg(long)]
    all: bool,
}

/// How many runs are shown without `--all`. A run with something outstanding is always shown.
const SHOWN: usize = 20;

/// One run, as it is shown.
struct Shown {
    row: RunRow,
    /// What is, or may be, still in the account because of it.
    outstanding: Vec<String>,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let store = context.project.store_to_read()?;
    let halted = store.as_ref().map(Store::halted).transpose()?.flatten();
    let rows = store.as_ref().map(Store::runs).transpose()?.unwrap_or_default();
    let strays = strays(&rows, context)?;
    let mut runs = Vec::new();
    if let Some(store) = &store {
        for row in rows {
            let outstanding = outstanding(store, &row);
            if args.all || runs.len() < SHOWN || !outstanding.is_empty() {
                runs.push(Shown { row, outstanding });
            }
        }
    }
    match context.json {
        true => {
            let runs: Vec<_> = runs.iter().map(Shown::to_json).collect();
            let strays: Vec<_> = strays.iter().map(Stray::to_json).collect();
            context.output.out.line(json!({ "halted_by": halted, "runs": runs, "marks": strays }).to_string());
        }
        false => print(context, halted.as_deref(), &runs, &strays),
    }
    let left = runs.iter().any(|run| !run.row.alive && !run.outstanding.is_empty());
    Ok(if left || !strays.is_empty() { Exit::Left } else { Exit::Fine })
}

/// A mark in an account that no run here stands for.
struct Stray {
    account: AccountName,
    resource: Resource,
    /// What it says, or why it cannot be read.
    mark: Result<Mark, String>,
}

/// The marks of runs that this project's journal does not hold, or holds as ended. Without `--account` only a sandbox
/// is looked into: nobody waits for a network who did not ask for one.
fn strays(runs: &[RunRow], context: &mut Context) -> Result<Vec<Stray>, Failure> {
    let account = match (&context.account, accounts::own_sandbox(&context.project)) {
        (Some(named), _) => named.clone(),
        (None, Some(sandbox)) => sandbox,
        (None, None) => return Ok(Vec::new()),
    };
    let here = |run: &RunId| runs.iter().any(|row| row.run == *run && row.started.is_some() && row.verdict.is_none());
    let stray = |(resource, text): (Resource, String)| {
        let mark = Mark::parse(&resource, &text).map_err(|error| error.to_string());
        Stray { account: account.clone(), resource, mark }
    };
    let marks = undo::marks_in(&account, context)?.into_iter().map(stray);
    Ok(marks.filter(|stray| !stray.mark.as_ref().is_ok_and(|mark| here(&mark.run))).collect())
}

fn print(context: &mut Context, halted: Option<&str>, runs: &[Shown], strays: &[Stray]) {
    let out = &mut context.output.out;
    if let Some(by) = halted {
        out.line(format!("halted by {by}: no run starts until `squall halt --lift`"));
    }
    if runs.is_empty() {
        out.line("nothing was run here yet; `squall run FILE` runs an experiment");
    }
    let width = |column: fn(&Shown) -> String| runs.iter().map(|run| column(run).chars().count()).max().unwrap_or(0);
    let (names, states) = (width(|run| run.row.run.0.clone()), width(Shown::state));
    for run in runs {
        let started = run.row.started.map_or_else(|| " ".repeat(20), short);
        out.line(format!("{:names$}  {:states$}  {started}  {}", run.row.run.0, run.state(), run.row.title));
        for outstanding in &run.outstanding {
            out.line(format!("  {outstanding}"));
        }
        match (run.outstanding.is_empty(), run.row.alive) {
            (false, false) => out.line(format!("  next: squall undo {}", run.row.run)),
            (false, true) => {
                out.line(format!("  {} is at work; `squall undo {}` stops it", run.row.owner, run.row.run))
            }
            (true, _) => {}
        }
    }
    for stray in strays {
        out.line(format!("{}: {}", stray.account, stray.describe()));
    }
    if let Some(stray) = strays.first() {
        out.line(format!("  next: squall undo --account {}", stray.account));
    }
}

impl Stray {
    fn describe(&self) -> String {
        match &self.mark {
            Ok(mark) => format!(
                "{} is marked by {} of {}, at the latest until {}; its journal is not here",
                self.resource,
                mark.run,
                mark.by,
                short(mark.latest_end)
            ),
            Err(why) => why.clone(),
        }
    }

    fn to_json(&self) -> serde_json::Value {
        let mark = self.mark.as_ref().ok();
        json!({
            "account": self.account,
            "resource": self.resource,
            "run": mark.map(|mark| &mark.run),
            "by": mark.map(|mark| &mark.by),
            "latest_end": mark.map(|mark| mark.latest_end),
            "what": self.describe(),
        })
    }
}

impl Shown {
    fn state(&self) -> String {
        match (&self.row.verdict, self.row.alive) {
            (Some(verdict), _) => verdict.finding.to_string(),
            (None, true) => "running".into(),
            (None, false) if self.row.started.is_none() => "never began".into(),
            (None, false) => "died".into(),
        }
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "run": self.row.run,
            "title": self.row.title,
            "state": self.state(),
            "started": self.row.started,
            "owner": self.row.owner,
            "alive": self.row.alive,
            "verdict": self.row.verdict,
            "outstanding": self.outstanding,
        })
    }
}

/// What a run has, or may have, left in the account, in words.
pub fn outstanding(store: &dyn Store, row: &RunRow) -> Vec<String> {
    if row.started.is_none() || row.verdict.is_some() && row.left == 0 {
        return Vec::new();
    }
    let events = match store.events(&row.run) {
        Ok(events) => events,
        // What cannot be read may hold anything.
        Err(error) => return vec![error.to_string()],
    };
    if let Some(Event::Closed { left, .. }) = events.last().map(|last| &last.event) {
        return left.iter().map(|left| format!("{}: {}", left.resource, left.what)).collect();
    }
    let Some(state) = State::replay(events.iter().map(|recorded| (recorded.at, &recorded.event))) else {
        return Vec::new();
    };
    let changes =
        state.outstanding().filter_map(|id| state.plan.changes.get(&id)).map(|change| match change.setting.is_mark() {
            true => change.setting.describe(),
            false => format!("{}: {} -> {}", change.setting, change.before, change.after),
        });
    let messages = state.unaccounted().filter_map(|step| state.plan.steps.get(step)).map(|step| {
        let queue = step.emission.as_ref().map(|emission| emission.queue.to_string()).unwrap_or_default();
        format!("messages sent to {queue} are not accounted for")
    });
    changes.chain(messages).collect()
}
