//! `squall status`.

use serde_json::json;

use super::output::Pipe;
use super::project::short;
use super::{Context, Ended, Exit, Failure, accounts, undo};
use crate::account::Resource;
use crate::format::{Convert as _, VERSION, status};
use crate::ids::{AccountName, RunId};
use crate::judge::verdict::VerdictKind;
use crate::run::event::{Event, Left, WriteOutcome};
use crate::run::lock::Lock;
use crate::run::state::State;
use crate::store::aftermath::Aftermath;
use crate::store::{JournalKind, RunRow, Store};

/// Show live runs, how runs ended, and what is outstanding
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit code 6 when something that a run changed may still be there and no process is rolling it back; else 0.

Examples:
  squall status
  squall status --all
  squall status --experiment payment-worker
  squall status --json | jq '.runs[] | select(.outstanding != [])'")]
pub struct Args {
    /// Show every run, not the newest twenty
    #[arg(long)]
    all: bool,
    /// Only runs of experiments whose title or file has these words
    #[arg(long, value_name = "WORDS")]
    experiment: Option<String>,
}

/// How many runs are shown without `--all`. A run with something outstanding is always shown.
const SHOWN: usize = 20;

/// One run, as it is shown, with what came after it.
struct Shown {
    /// Of the run; of its first rollback where its own journal is not here.
    row: RunRow,
    after: Aftermath,
    /// What is, or may be, still in the account because of it.
    outstanding: Vec<String>,
    /// Why a rollback that goes on cannot get any further.
    hindered: Option<String>,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let store = context.project.store_to_read().map_err(undo::cannot_tell)?;
    let halted = store.as_ref().map(Store::halted).transpose()?.flatten();
    let rows = store.as_ref().map(Store::runs).transpose()?.unwrap_or_default();
    let strays = strays(&rows, context)?;
    let mut runs = Vec::new();
    if let Some(store) = &store {
        for after in Aftermath::of_all(&rows) {
            let Some(shown) = Shown::of(after, store) else { continue };
            let all = args.all || args.experiment.is_some();
            if all || runs.len() < SHOWN || !shown.outstanding.is_empty() || !shown.after.look_again.is_empty() {
                runs.push(shown);
            }
        }
    }
    let left = runs.iter().any(|run| run.hindered.is_some() || !run.is_alive() && !run.outstanding.is_empty());
    if let Some(words) = &args.experiment {
        let any = !runs.is_empty();
        runs.retain(|run| run.is_of(words));
        if any && runs.is_empty() {
            let what = format!("no run of an experiment with `{words}` in its title or file");
            return Err(Failure {
                exit: if left { Exit::Left } else { Exit::Usage },
                ..Failure::usage(what, "squall status --all")
            });
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
            context.output.out.json(&json!(document));
        }
        false => print(context, halted.as_deref(), &runs, &strays),
    }
    Ok(if left || !strays.is_empty() { Exit::Left } else { Exit::Fine })
}

/// Names what is locked by runs that this project's journal does not know, and how to roll it back. `false`: nothing is.
pub fn locks_without_journal(runs: &[RunRow], context: &mut Context) -> Result<bool, Failure> {
    let strays = strays(runs, context)?;
    let err = &mut context.output.err;
    for stray in &strays {
        err.line(format!("{}: {}", stray.account, stray.describe()));
    }
    if let Some(stray) = strays.first() {
        err.line(format!("  next: squall undo --account {}", stray.account));
    }
    Ok(!strays.is_empty())
}

/// A lock in an account that no run here stands for.
struct Stray {
    account: AccountName,
    resource: Resource,
    /// What it says, or why it cannot be read.
    lock: Result<Lock, String>,
}

/// The marks of runs that this project's journal does not hold, or holds as ended. Without `--account` only a sandbox
/// is read: without `--account` no command waits for a network.
fn strays(runs: &[RunRow], context: &mut Context) -> Result<Vec<Stray>, Failure> {
    let account = match (&context.account, accounts::own_sandbox(&context.project)) {
        (Some(named), _) => named.clone(),
        (None, Some(sandbox)) => sandbox,
        (None, None) => return Ok(Vec::new()),
    };
    let here = |run: &RunId| runs.iter().any(|row| row.origin() == run && row.started.is_some() && !row.is_closed());
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
        out.line("no runs yet in this project; `squall run FILE` runs an experiment");
    }
    let width = |column: fn(&Shown) -> String| runs.iter().map(|run| column(run).chars().count()).max().unwrap_or(0);
    let (names, states) = (width(|run| run.origin().0.clone()), width(Shown::shown_state));
    for run in runs {
        let started = run.row.started.map_or_else(|| " ".repeat(20), short);
        out.line(format!("{:names$}  {:states$}  {started}  {}", run.origin().0, run.shown_state(), run.row.title));
        for outstanding in &run.outstanding {
            out.line(format!("  {outstanding}"));
        }
        run.print_aftermath(out);
        if let Some(why) = &run.hindered {
            out.line(format!("  the rollback cannot go on, and is tried again: {why}"));
        }
        match (run.outstanding.is_empty(), run.is_alive()) {
            (false, false) => out.line(format!("  next: squall undo {}", run.origin())),
            (false, true) => {
                out.line(format!("  {} is running; stop it with `squall undo {}`", run.row.owner, run.row.run))
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
                "{} is locked by {} of {}, until {} at the latest; its journal is not here",
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
    fn of(after: Aftermath, store: &dyn Store) -> Option<Shown> {
        let row = after.run.clone().or_else(|| after.rollbacks.first().cloned())?;
        let hindered = after.open().filter(|row| row.alive).find_map(|row| hindered(store, &row.run));
        Some(Shown { outstanding: outstanding(store, &after), hindered, row, after })
    }

    fn origin(&self) -> &RunId {
        self.row.origin()
    }

    /// Whether its experiment has these words in its title or file.
    fn is_of(&self, words: &str) -> bool {
        let words = words.to_lowercase();
        [&self.row.title, &self.row.file].iter().any(|text| text.to_lowercase().contains(&words))
    }

    fn is_alive(&self) -> bool {
        self.after.open().any(|row| row.alive)
    }

    /// What came after the run, which does not change what it found.
    fn print_aftermath(&self, out: &mut Pipe) {
        for row in &self.after.rollbacks {
            let how = match (row.is_closed(), row.left.len()) {
                (false, _) if row.alive => "at work".to_owned(),
                (false, _) => "not finished".to_owned(),
                (true, 0) => "nothing left".to_owned(),
                (true, left) => format!("{left} left"),
            };
            let at = row.started.map_or_else(String::new, short);
            out.line(format!("  later rollback {}  {at}  {how}", row.run));
        }
        for row in &self.after.acknowledgements {
            if let JournalKind::Acknowledgement { by, reason, left, .. } = &row.kind {
                let at = row.started.map_or_else(String::new, short);
                out.line(format!("  {} left behind, acknowledged {at} by {by}: {reason}", left.len()));
            }
        }
        for (_, again) in &self.after.look_again {
            let (at, run) = (short(again.from), self.origin());
            out.line(format!(
                "  a write had no answer: after {at}, `squall undo {run}` reads again whether it took effect"
            ));
        }
    }

    fn state(&self) -> status::State {
        if self.row.kind != JournalKind::Run {
            return status::State::Elsewhere;
        }
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
            status::State::Elsewhere => "elsewhere",
        }
        .to_owned()
    }

    fn written(&self) -> status::Run {
        let RunRow { run, title, started, owner, alive, verdict, .. } = self.row.clone();
        let (state, outstanding) = (self.state(), self.outstanding.clone());
        let rollbacks = self.after.rollbacks.iter().map(|row| status::Rollback {
            run: row.run.clone(),
            started: row.started,
            alive: row.alive,
            closed: row.is_closed(),
            left: row.left.iter().map(shown_left).collect(),
        });
        let acknowledged = self.after.acknowledgements.iter().filter_map(|row| match &row.kind {
            JournalKind::Acknowledgement { by, reason, left, .. } => Some(status::Acknowledgement {
                at: row.started,
                by: by.clone(),
                reason: reason.clone(),
                left: left.iter().map(shown_left).collect(),
            }),
            _ => None,
        });
        status::Run {
            run,
            title,
            state,
            started,
            owner,
            alive,
            verdict: verdict.convert(),
            outstanding,
            rollbacks: rollbacks.collect(),
            acknowledged: acknowledged.collect(),
            look_again: self.after.look_again.iter().map(|(_, again)| again.from).max(),
            hindered: self.hindered.clone(),
        }
    }
}

fn shown_left(left: &Left) -> String {
    format!("{}: {}", left.resource, left.what)
}

/// What was last said to hold a rollback up, unless it has gone on since.
fn hindered(store: &dyn Store, run: &RunId) -> Option<String> {
    let events = store.to_roll_back(run).ok()?.events;
    let at = events.iter().rposition(|recorded| matches!(recorded.event, Event::Hindered { .. }))?;
    let goes_on =
        |event: &Event| matches!(event, Event::Restored { outcome: WriteOutcome::Applied, .. } | Event::Settled { .. });
    if events.iter().skip(at).any(|recorded| goes_on(&recorded.event)) {
        return None;
    }
    events.get(at).and_then(|recorded| match &recorded.event {
        Event::Hindered { why } => Some(why.clone()),
        _ => None,
    })
}

/// What a run has, or may have, left in the account, in words: by its journals that have no end, and by what those that
/// have one say is left and was not taken care of since.
fn outstanding(store: &dyn Store, after: &Aftermath) -> Vec<String> {
    let open = after.open().filter(|row| row.started.is_some()).flat_map(|row| unfinished(store, row));
    open.chain(after.left.iter().map(shown_left)).collect()
}

/// What may be in the account because of a journal without an end.
fn unfinished(store: &dyn Store, row: &RunRow) -> Vec<String> {
    let events = match store.to_roll_back(&row.run) {
        Ok(readable) => readable.events,
        // What cannot be read may hold anything.
        Err(error) => return vec![error.to_string()],
    };
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
