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
use crate::inputs::{Chosen, Given, over};
use crate::judge::verdict::VerdictKind;
use crate::plan::Plan;
use crate::planner::{self, Planned};
use crate::report::words;
use crate::spec::check::what_it_shows;
use crate::spec::left_out::LeftOut;
use crate::spec::load::{ExperimentFiles, ProjectFiles};
use crate::store::{JournalKind, RunRow, Store};
use crate::units::Time;
use crate::yaml::{Findings, Severity};

/// What every command that plans an experiment takes beside its file.
#[derive(Clone, Debug, clap::Args)]
pub struct PlanArgs {
    /// Allow this run in a production account, by its name; repeatable
    #[arg(long, value_name = "ACCOUNT")]
    open_production: Vec<String>,
    /// Run without a dead-man switch in an account that requires one
    #[arg(long)]
    without_dead_man: bool,
    /// Run although squall cannot tell beforehand whether the rollback is permitted; see `squall doctor`
    #[arg(long)]
    undo_untested: bool,
    /// The seed of everything random: which targets are picked, payloads, the sandbox's traffic [default: random]
    #[arg(long)]
    seed: Option<u64>,
    /// The start time of a new sandbox's clock [default: now]
    #[arg(long, value_name = "TIME", value_parser = start)]
    start: Option<Time>,
    /// The value of an input that the experiment declares; repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) with: Vec<Given>,
    /// The run's id [default: the date and random letters]
    #[arg(long, value_name = "NAME")]
    run_id: Option<RunId>,
    /// A sandbox begins afresh: what earlier runs left there is forgotten.
    #[arg(skip)]
    afresh: bool,
}

impl PlanArgs {
    /// For a run that no person watches, with what was allowed when the server was started.
    pub fn unattended(run: RunId, allowed: &Allowed) -> PlanArgs {
        PlanArgs {
            open_production: allowed.open_production.clone(),
            without_dead_man: allowed.without_dead_man,
            undo_untested: allowed.undo_untested,
            seed: None,
            start: None,
            with: Vec::new(),
            run_id: Some(run),
            afresh: true,
        }
    }

    /// The same with this name, unless it has one.
    pub fn named(&self, run: RunId) -> (PlanArgs, RunId) {
        let run = self.run_id.clone().unwrap_or(run);
        (PlanArgs { run_id: Some(run.clone()), ..self.clone() }, run)
    }

    /// Whether the run has a name that a person chose.
    pub fn names_a_run(&self) -> bool {
        self.run_id.is_some()
    }

    /// The same in a sandbox that begins afresh.
    pub fn afresh(&self, afresh: bool) -> PlanArgs {
        PlanArgs { afresh, ..self.clone() }
    }

    /// The same with these values of inputs; those that are given already go before them.
    pub fn with(&self, chosen: &[Given]) -> PlanArgs {
        PlanArgs { with: over(chosen, &self.with), ..self.clone() }
    }

    /// The same with this seed.
    pub fn seeded(&self, seed: u64) -> PlanArgs {
        PlanArgs { seed: Some(seed), ..self.clone() }
    }

    /// The same for another plan of the same run.
    pub fn again(&self, plan: &Plan) -> PlanArgs {
        PlanArgs { seed: Some(plan.seed), run_id: Some(plan.run.clone()), ..self.clone() }
    }
}

/// A time at which a sandbox can start: calendars and clocks far from today help no experiment.
fn start(text: &str) -> Result<Time, String> {
    let time: Time = text.parse().map_err(|error| format!("{error}"))?;
    let year = &time.to_string()[..4];
    if ("2000".."2200").contains(&year) { Ok(time) } else { Err("choose a time from 2000 to 2199".into()) }
}

/// What a person allows of every run that a server starts.
#[derive(Clone, Debug, clap::Args)]
pub struct Allowed {
    /// Allow scheduled runs in a production account, by its name; repeatable
    #[arg(long, value_name = "ACCOUNT")]
    open_production: Vec<String>,
    /// Run without a dead-man switch in an account that requires one
    #[arg(long)]
    without_dead_man: bool,
    /// Run although squall cannot tell beforehand whether the rollback is permitted; see `squall doctor`
    #[arg(long)]
    undo_untested: bool,
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
    match look_and_plan(file, args, pace, context)? {
        Looked::Planned(prepared) => Ok(*prepared),
        Looked::Refused(_, refused) => Err(refused),
    }
}

/// What came of looking at an account.
pub enum Looked {
    /// A plan; guards may have something against running it.
    Planned(Box<Prepared>),
    /// Nothing can be planned, for these reasons in sentences.
    Refused(Vec<String>, Failure),
}

/// The same, with the reasons where nothing can be planned.
pub fn look_and_plan(file: &Path, args: &PlanArgs, pace: Pace, context: &mut Context) -> Result<Looked, Failure> {
    let Read { files, experiment, left_out } = read(file, &args.with, context)?;
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
        return Err(Failure::refused(format!("run {run} already exists"), "choose another --run-id, or leave it out"));
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
        Err(objections) => {
            let reasons = objections.iter().map(|objection| objection.refusal.what.clone()).collect();
            Ok(Looked::Refused(reasons, refused(&objections, &experiment, context)))
        }
        Ok(Planned { mut plan, refused: objections }) => {
            let rows = store.as_ref().map(Store::runs).transpose()?.unwrap_or_default();
            plan.warnings.extend(what_it_shows(&experiment, &accounts::known(&files).0));
            plan.warnings.extend(left_out.iter().flat_map(LeftOut::warnings));
            plan.warnings.extend(run_before(&rows, &plan));
            let refused = (!objections.is_empty()).then(|| refused(&objections, &experiment, context));
            let refusals = objections.iter().map(|objection| objection.refusal.what.clone()).collect();
            Ok(Looked::Planned(Box::new(Prepared { plan, refused, refusals, account, files, experiment })))
        }
    }
}

/// How often this very file was run before, and how that ended: who repeats a run until it holds has shown less than one
/// run shows.
fn run_before(rows: &[RunRow], plan: &Plan) -> Option<String> {
    let ended = |row: &RunRow| match row.verdict.as_ref().map(|verdict| verdict.kind) {
        Some(VerdictKind::Held) => "held",
        Some(VerdictKind::Broken) => "broken",
        Some(VerdictKind::Unknown) => "unknown",
        None => "not finished",
    };
    let runs = || rows.iter().filter(|row| row.kind == JournalKind::Run && row.started.is_some());
    let same: Vec<&RunRow> = runs().filter(|row| row.file_hash == plan.file_hash).collect();
    let Some(last) = same.iter().max_by_key(|row| row.started) else {
        let last = runs().filter(|row| row.title == plan.title).max_by_key(|row| row.started)?;
        return Some(format!(
            "the experiment's text has changed since its last run, {}, {}; `squall compare` will show the difference",
            last.run,
            ended(last)
        ));
    };
    let count = |wanted: &str| match same.iter().filter(|row| ended(row) == wanted).count() {
        0 => None,
        many => Some(format!("{many} {wanted}")),
    };
    let verdicts: Vec<String> = ["held", "broken", "unknown", "not finished"].into_iter().filter_map(count).collect();
    let times = if same.len() == 1 { "once".to_owned() } else { format!("{} times", same.len()) };
    let when = last.started.map_or_else(String::new, |at| format!(" at {at}"));
    Some(format!(
        "this file was run {times} before: {}; the last run was {}{when}, {}",
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
pub fn read(file: &Path, with: &[Given], context: &mut Context) -> Result<Read, Failure> {
    let (read, findings) = open(file, with, context);
    show(&findings, context);
    let failed = |what: String| Failure {
        exit: Exit::Findings,
        what,
        next: Some("fix the errors above, then run `squall check`".into()),
    };
    let read = match (read, findings.has_errors()) {
        (Some(read), false) => read,
        _ => return Err(failed(format!("{} cannot be used: {}", file.display(), findings.count()))),
    };
    let summaries = read.left_out.iter().flat_map(LeftOut::summary);
    if !context.quiet {
        summaries.for_each(|line| context.output.err.line(line));
    }
    let warnings = findings.len() + read.left_out.iter().map(LeftOut::count).sum::<usize>();
    if context.strict && warnings > 0 {
        let what = words::plural(warnings, "warning, and --strict allows none", "warnings, and --strict allows none");
        return Err(Failure {
            next: Some("fix what `squall check` names, or acknowledge it with `accept` in squall.yaml".into()),
            ..failed(format!("{} has {what}", file.display()))
        });
    }
    Ok(read)
}

/// An experiment with all that it needs.
pub struct Read {
    pub files: ProjectFiles,
    pub experiment: ExperimentFiles,
    /// What the sandboxes that it uses do not model.
    pub left_out: Vec<LeftOut>,
}

/// Reads an experiment and what it needs; what is wrong with it is returned.
pub fn open(file: &Path, with: &[Given], context: &Context) -> (Option<Read>, Findings) {
    let (files, mut findings) = ProjectFiles::open(&context.project.root);
    let Some(files) = files else { return (None, findings) };
    let (known, of_accounts) = accounts::known(&files);
    let (experiment, found) =
        ExperimentFiles::open_with(file, &files, context.account.as_ref(), &known, Chosen::These(with));
    // Only the accounts that the experiment uses matter: a sandbox's template never stops a run on AWS.
    let used = experiment.as_ref().map(names).unwrap_or_default();
    let mut left_out = Vec::new();
    for (name, mut examined) in of_accounts.into_iter().filter(|(name, _)| used.contains(name)) {
        if let Some(sandbox) = accounts::sandbox(&name, &files) {
            left_out.push(LeftOut::take(&mut examined.findings, sandbox, examined.accepted));
        }
        findings.append(examined.findings);
    }
    findings.append(found);
    (experiment.map(|experiment| Read { files, experiment, left_out }), findings)
}

fn show(findings: &Findings, context: &mut Context) {
    let (err, quiet) = (&mut context.output.err, context.quiet);
    for finding in findings.iter().filter(|finding| !quiet || finding.code.severity() == Severity::Error) {
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
