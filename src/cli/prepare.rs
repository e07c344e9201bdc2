//! From an experiment's file to its plan, as `plan` and `run` both need it.

use std::collections::BTreeSet;
use std::path::Path;

use owo_colors::Style;

use super::accounts::{self, Opened, Opening, Pace};
use super::twin::Twin;
use super::{Context, Exit, Failure, afresh, check};
use crate::env::Env as _;
use crate::graph::Graph;
use crate::guard::{Objection, Rules};
use crate::ids::{AccountName, RunId};
use crate::judge::verdict::VerdictKind;
use crate::plan::Plan;
use crate::planner::{self, Planned};
use crate::spec::check::what_it_shows;
use crate::spec::load::{ExperimentFiles, ProjectFiles};
use crate::store::{JournalKind, RunRow, Store};
use crate::units::Time;
use crate::yaml::Findings;

/// What every command that plans an experiment takes beside its file.
#[derive(Clone, Debug, clap::Args)]
pub struct PlanArgs {
    /// Open a production account for this run, by its name; may be given several times
    #[arg(long, value_name = "ACCOUNT")]
    open_production: Vec<String>,
    /// Go without a dead-man switch, in an account that needs one
    #[arg(long)]
    without_dead_man: bool,
    /// Run although nobody can tell beforehand whether the undo is permitted; see `squall doctor`
    #[arg(long)]
    undo_untested: bool,
    /// Decides all that is left to chance: which targets are picked, payloads, the sandbox's traffic [default: random]
    #[arg(long)]
    seed: Option<u64>,
    /// Where the clock of a sandbox starts that begins afresh [default: now]
    #[arg(long, value_name = "TIME")]
    start: Option<Time>,
    /// The run's name [default: made from the day and random letters]
    #[arg(long, value_name = "NAME")]
    run_id: Option<RunId>,
    /// A sandbox begins afresh: what earlier runs left there is forgotten.
    #[arg(skip)]
    afresh: bool,
}

impl PlanArgs {
    /// The same in a sandbox that begins afresh.
    pub fn afresh(&self, afresh: bool) -> PlanArgs {
        PlanArgs { afresh, ..self.clone() }
    }

    /// The same for another plan of the same run.
    pub fn again(&self, plan: &Plan) -> PlanArgs {
        PlanArgs { seed: Some(plan.seed), run_id: Some(plan.run.clone()), ..self.clone() }
    }
}

/// A plan, and the account that it was made in.
pub struct Prepared {
    pub plan: Plan,
    /// What the guards have against running it, printed already.
    pub refused: Option<Failure>,
    /// The same in sentences.
    pub refusals: Vec<String>,
    pub account: Opened,
    /// The files that it was made from.
    pub files: ProjectFiles,
    pub experiment: ExperimentFiles,
}

/// Reads, checks, looks at the account, plans. What stands against it is printed.
pub fn prepare(file: &Path, args: &PlanArgs, pace: Pace, context: &mut Context) -> Result<Prepared, Failure> {
    let (files, experiment) = read(file, context)?;
    let seed = args.seed.unwrap_or_else(|| context.env.entropy());
    let start = args.start.unwrap_or_else(|| context.env.now());
    if args.afresh {
        afresh::begin(&files, &names(&experiment), context)?;
    }
    let mut account = accounts::open(
        &files,
        &names(&experiment),
        &context.project,
        &Opening { seed, start, ..accounts::opening(pace, &context.env) }.named_by(args.seed.zip(args.start)),
    )?;
    let store = context.project.store_to_read()?;
    let halted = store.as_ref().map(Store::halted).transpose()?.flatten();
    if let (Some(run), Some(store)) = (&args.run_id, &store)
        && store.is_alive(run).is_ok()
    {
        return Err(Failure::refused(format!("there is a run {run} already"), "give another --run-id, or none"));
    }
    let by = context.env.who();
    let request = planner::Request {
        files: &experiment,
        run: args.run_id.clone().unwrap_or_else(|| RunId::fresh(context.env.now(), context.env.entropy())),
        seed,
        by: &by,
        rules: &Rules {
            opened: args.open_production.iter().cloned().map(AccountName).collect(),
            without_dead_man: args.without_dead_man,
            undo_untested: args.undo_untested,
            halted,
            graph: limited_graph(&files, &experiment, context),
            ..Rules::of(&files.project, &account.locations)
        },
    };
    match planner::plan(&request, account.account.as_mut()) {
        Err(objections) => Err(refused(&objections, &experiment, context)),
        Ok(Planned { mut plan, refused: objections }) => {
            let rows = store.as_ref().map(Store::runs).transpose()?.unwrap_or_default();
            plan.warnings.extend(what_it_shows(&experiment, &accounts::known(&files).0));
            plan.warnings.extend(run_before(&rows, &plan.file_hash));
            let refused = (!objections.is_empty()).then(|| refused(&objections, &experiment, context));
            let refusals = objections.iter().map(|objection| objection.refusal.what.clone()).collect();
            Ok(Prepared { plan, refused, refusals, account, files, experiment })
        }
    }
}

/// How often this very file was run before, and how that ended: who repeats a run until it holds has shown less than one
/// run shows.
fn run_before(rows: &[RunRow], file_hash: &str) -> Option<String> {
    let same: Vec<&RunRow> =
        rows.iter().filter(|row| row.kind == JournalKind::Run && row.file_hash == file_hash).collect();
    let last = same.iter().max_by_key(|row| row.started)?;
    let ended = |row: &RunRow| match row.verdict.as_ref().map(|verdict| verdict.kind) {
        Some(VerdictKind::Held) => "held",
        Some(VerdictKind::Broken) => "broken",
        Some(VerdictKind::Unknown) => "unknown",
        None => "not finished",
    };
    let count = |wanted: &str| match same.iter().filter(|row| ended(row) == wanted).count() {
        0 => None,
        many => Some(format!("{many} {wanted}")),
    };
    let verdicts: Vec<String> = ["held", "broken", "unknown", "not finished"].into_iter().filter_map(count).collect();
    let times = if same.len() == 1 { "once".to_owned() } else { format!("{} times", same.len()) };
    let when = last.started.map_or_else(String::new, |at| format!(" at {at}"));
    Some(format!(
        "this experiment was run {times} before, from the same file: {}; the last was {}{when}, {}",
        verdicts.join(", "),
        last.run,
        ended(last)
    ))
}

/// The application as a graph, where a guard limits the blast radius and a model of the application is known.
fn limited_graph(files: &ProjectFiles, experiment: &ExperimentFiles, context: &Context) -> Option<Graph> {
    let limited = files.project.guards.limit_the_reach() || experiment.experiment.value.guards.limit_the_reach();
    let twin = limited.then(|| Twin::of(files, experiment, context).ok())??;
    Some(Graph::of(&twin.app))
}

/// Reads an experiment and what it needs, and prints what is wrong with it.
pub fn read(file: &Path, context: &mut Context) -> Result<(ProjectFiles, ExperimentFiles), Failure> {
    let (files, mut findings) = ProjectFiles::open(&context.project.root);
    let experiment = files.as_ref().and_then(|files| {
        let (known, of_accounts) = accounts::known(files);
        let (experiment, found) = ExperimentFiles::open(file, files, context.account.as_ref(), &known);
        // Only the accounts that the experiment uses matter: a sandbox's template never stops a run on AWS.
        let used = experiment.as_ref().map(names).unwrap_or_default();
        for (_, found) in of_accounts.into_iter().filter(|(name, _)| used.contains(name)) {
            findings.append(found);
        }
        findings.append(found);
        experiment
    });
    show(&findings, context);
    match (files, experiment, findings.has_errors()) {
        (Some(files), Some(experiment), false) => Ok((files, experiment)),
        _ => Err(Failure {
            exit: Exit::Findings,
            what: format!("{} cannot be used: {}", file.display(), findings.count()),
            next: Some("mend what is shown above, then look again with `squall check`".into()),
        }),
    }
}

fn show(findings: &Findings, context: &mut Context) {
    let err = &mut context.output.err;
    for finding in findings.iter() {
        err.text(finding.render(check::style(err.colour())) + "\n\n");
    }
}

/// The accounts of an experiment.
pub fn names(files: &ExperimentFiles) -> BTreeSet<AccountName> {
    let elsewhere = files.experiment.value.targets.values().map(|target| files.account_of(target).clone());
    elsewhere.chain([files.account.clone()]).collect()
}

/// Prints every objection at its place; what they come to is the failure.
pub fn refused(objections: &[Objection], files: &ExperimentFiles, context: &mut Context) -> Failure {
    let err = &mut context.output.err;
    let mut said = BTreeSet::new();
    for objection in objections {
        // A remedy that helps against several objections is said once.
        let refused = err.paint(Style::new().red().bold(), "refused");
        err.line(format!("{refused}: {}", objection.refusal.what));
        err.line(format!(" --> {}", objection.place(&files.experiment)));
        if said.insert(&objection.refusal.remedy) {
            err.line(format!("  next: {}", objection.refusal.remedy));
        }
        err.line("");
    }
    Failure { exit: Exit::Refused, what: "not run, and nothing was changed".into(), next: None }
}
