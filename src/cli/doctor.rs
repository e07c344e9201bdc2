//! `squall doctor`.

use std::path::PathBuf;

use owo_colors::Style;
use serde_json::json;

use super::accounts::{self, Health, Pace, Row};
use super::{Context, Ended, Exit, named, prepare};
use crate::account::{Location, Permitted};
use crate::plan::{Permission, Purpose};
use crate::planner;
use crate::spec::load::ProjectFiles;

/// Check that the accounts are ready: credentials, clock, permissions
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Checks every AWS account in squall.yaml, or the one named with --account. With an experiment, also whether everything \
that its run and its rollback need is permitted: simulated by IAM and, where that cannot tell, tried by deleting \
something that does not exist; with --prove also by writing the value that is already set. Exit code 3 when there is \
a problem.

Examples:
  squall doctor
  squall doctor --account staging experiments/payment-worker-throttled.yaml
  squall doctor --json | jq '.checks[] | select(.finding != \"well\")'")]
pub struct Args {
    /// An experiment's file
    #[arg(value_parser = named::file)]
    file: Option<PathBuf>,
    #[command(flatten)]
    asked: prepare::PlanArgs,
    /// Prove permissions by writing the values that are already set, where nothing else can tell
    #[arg(long, requires = "file")]
    prove: bool,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let (files, _) = ProjectFiles::open(&context.project.root);
    let mut rows = Vec::new();
    for (name, account) in files.iter().flat_map(|files| &files.project.accounts) {
        if context.account.as_ref().is_none_or(|only| only == name) {
            rows.extend(accounts::examine(name, account));
        }
    }
    if let Some(file) = &args.file {
        let mut prepared = prepare::prepare(file, &args.asked, Pace::Max, context)?;
        let account = prepared.account.account.as_mut();
        match planner::permitted(&prepared.plan, account, args.prove) {
            Ok(permitted) => rows.extend(permissions(&prepared.plan.accounts, permitted)),
            Err(refusal) => return Err(super::Failure::refused(refusal.what, refusal.remedy)),
        }
    }
    print(&rows, context);
    let well = rows.iter().all(|row| row.seen != Health::NotWell);
    Ok(if well { Exit::Fine } else { Exit::Refused })
}

fn permissions(accounts: &[Location], permitted: Vec<(Permission, Permitted)>) -> Vec<Row> {
    let account = accounts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let row = |(Permission { purpose, action, resource }, permitted)| {
        let (seen, why) = match permitted {
            Permitted::Yes => (Health::Well, String::new()),
            Permitted::No(why) => (Health::NotWell, format!(": {why}")),
            Permitted::CannotTell(why) => (Health::CannotTell, format!(": {why}")),
        };
        let purpose = match purpose {
            Purpose::Look => "look",
            Purpose::Inject => "do",
            Purpose::Rollback => "undo",
            Purpose::Measure => "measure",
            Purpose::Load => "load",
        };
        Row { account: account.clone(), what: format!("{purpose} {action}"), seen, detail: format!("{resource}{why}") }
    };
    permitted.into_iter().map(row).collect()
}

/// Prints what was looked at, one line each.
pub fn print(rows: &[Row], context: &mut Context) {
    let out = &mut context.output.out;
    if context.json {
        let checks: Vec<_> = rows.iter().map(Row::to_json).collect();
        return out.json(&json!({ "checks": checks }));
    }
    if rows.is_empty() {
        return out.line("nothing to check: a sandbox needs no credentials and no permissions");
    }
    let width = |column: fn(&Row) -> &str| rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0);
    let (accounts, whats) = (width(|row| &row.account), width(|row| &row.what));
    for row in rows {
        let style = match row.seen {
            Health::Well => Style::new().green(),
            Health::NotWell => Style::new().red().bold(),
            Health::CannotTell => Style::new().yellow(),
        };
        let seen = out.paint(style, format!("{:11}", row.seen.words()));
        out.line(format!("{seen}  {:accounts$}  {:whats$}  {}", row.account, row.what, row.detail));
    }
}
