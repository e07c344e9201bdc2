//! `squall status`.

use serde_json::json;

use super::project::short;
use super::{Context, Ended, Exit, Failure, accounts, undo};
use crate::account::Resource;
use crate::format::{Convert as _, VERSION, status};
use crate::ids::{AccountName, RunId};
use crate::judge::verdict::VerdictKind;
use crate::run::event::Event;
use crate::run::lock::Lock;
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
            let document = status::Document {
                format: VERSION,
                halted_by: halted,
                runs: runs.iter().map(Shown::written).collect(),
                locks: strays.iter().map(Stray::written).collect(),
            };
            context.output.out.line(json!(document).to_string());
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
    lock: Result<Lock, String>,
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
        let lock = Lock::parse(&resource, &text).map_err(|error| error.to_string());
        Stray { account: account.clone(), resource, lock }
    };
    let locks = undo::locks_in(&account, context)?.into_iter().map(stray);
    Ok(locks.filter(|stray| !stray.lock.as_ref().is_ok_and(|lock| here(&lock.run))).collect())
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
    let (names, states) = (width(|run| run.row.run.0.clone()), width(Shown::shown_state));
    for run in runs {
        let started = run.row.started.map_or_else(|| " ".repeat(20), short);
        out.line(format!("{:names$}  {:states$}  {started}  {}", run.row.run.0, run.shown_state(), run.row.title));
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
        match &self.lock {
            Ok(lock) => format!(
                "{} is marked by {} of {}, at the latest until {}; its journal is not here",
                self.resource,
                lock.run,
                lock.by,
                short(lock.latest_end)
            ),
            Err(why) => why.clone(),
        }
    }

    fn written(&self) -> status::Lock {
        let lock = self.lock.as_ref().ok();
        status::Lock {
            account: self.account.0.clone(),
            resource: self.resource.clone().convert(),
            run: lock.map(|lock| lock.run.clone()),
            by: lock.map(|lock| lock.by.clone()),
            latest_end: lock.map(|lock| lock.latest_end),
            what: self.describe(),
        }
    }
}

impl Shown {
    fn state(&self) -> status::State {
        match (self.row.verdict.as_ref().map(|verdict| verdict.kind), self.row.alive) {
            (Some(VerdictKind::Held), _) => status::State::Held,
            (Some(VerdictKind::Broken), _) => status::State::Broken,
            (Some(VerdictKind::Unknown), _) => status::State::Unknown,
            (None, true) => status::State::Running,
            (None, false) if self.row.started.is_none() => status::State::NeverBegan,
            (None, false) => status::State::Died,
        }
    }

    /// The state in words.
    fn shown_state(&self) -> String {
        match self.state() {
            status::State::Held => "held",
            status::State::Broken => "broken",
            status::State::Unknown => "unknown",
            status::State::Running => "running",
            status::State::NeverBegan => "never began",
            status::State::Died => "died",
        }
        .to_owned()
    }

    fn written(&self) -> status::Run {
        let RunRow { run, title, file_hash: _, started, owner, alive, verdict, left: _ } = self.row.clone();
        let (state, outstanding) = (self.state(), self.outstanding.clone());
        status::Run { run, title, state, started, owner, alive, verdict: verdict.convert(), outstanding }
    }
}

/// What a run has, or may have, left in the account, in words.
pub fn outstanding(store: &dyn Store, row: &RunRow) -> Vec<String> {
    if row.started.is_none() || row.verdict.is_some() && row.left == 0 {
        return Vec::new();
    }
    let events = match store.to_roll_back(&row.run) {
        Ok(readable) => readable.events,
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
        state.outstanding().filter_map(|id| state.plan.changes.get(&id)).map(|change| match change.setting.is_lock() {
            true => change.setting.describe(),
            false => {
                let [before, after] = [&change.before, &change.after].map(|value| change.setting.shown(value));
                format!("{}: {before} -> {after}", change.setting)
            }
        });
    let messages = state.unaccounted().filter_map(|step| state.plan.steps.get(step)).map(|step| {
        let queue = step.emission.as_ref().map(|emission| emission.queue.to_string()).unwrap_or_default();
        format!("messages sent to {queue} are not accounted for")
    });
    changes.chain(messages).collect()
}
