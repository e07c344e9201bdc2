//! `squall template`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::check::style;
use super::{Context, Ended, Exit, named};
use crate::account::sandbox::traffic::{TrafficFile, deployment, report_other_alarms};
use crate::template::written::Document;
use crate::template::{self, Deployment};
use crate::yaml::{Findings, Loaded, Source};

/// Show what squall understands of a SAM or CloudFormation template, and what it does not
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints each resource with what the sandbox makes of it, then everything that is left out, unknown or refused, with its \
place and its consequence. No account is asked. Exit code 2 when the template cannot be used; warnings alone are 0.

Examples:
  squall template template.yaml
  squall template template.yaml --traffic traffic.yaml
  squall template template.yaml --json | jq .application.queues")]
pub struct Args {
    /// The template: YAML or JSON
    #[arg(value_parser = named::file)]
    file: PathBuf,
    /// A traffic file with values of parameters and stores, and with the account's limits
    #[arg(long, value_name = "FILE", value_parser = named::file)]
    traffic: Option<PathBuf>,
    /// The name of its stack
    #[arg(long, value_name = "NAME", default_value = "sandbox")]
    stack: String,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let mut findings = Findings::default();
    let deployed = args.traffic.as_deref().and_then(|path| traffic(path, &mut findings)).unwrap_or_default();
    let deployed = Deployment { stack: args.stack.clone(), files: true, ..deployed };
    let understood = match Source::open(&args.file) {
        Ok(source) => {
            let (understood, found) = template::understand(&source, &deployed);
            findings.append(found);
            if let Some(understood) = &understood {
                report_other_alarms(&source, &understood.app, &mut findings);
                findings.sort();
            }
            understood
        }
        Err(finding) => {
            findings.push(*finding);
            None
        }
    };
    let exit = if findings.has_errors() { Exit::Findings } else { Exit::Fine };
    let out = &mut context.output.out;
    if context.json {
        out.json(&json!(Document::of(understood.as_ref(), &findings)));
        return Ok(exit);
    }
    if let Some(understood) = understood {
        out.text(understood.render());
    }
    if !findings.is_empty() {
        out.text(format!("\n{}", findings.render(style(out.colour()))));
    }
    Ok(exit)
}

fn traffic(path: &Path, findings: &mut Findings) -> Option<Deployment> {
    match Source::open(path) {
        Ok(source) => {
            let (loaded, found) = Loaded::<TrafficFile>::read(&source);
            findings.append(found);
            loaded.map(|loaded| deployment(&loaded.value))
        }
        Err(finding) => {
            findings.push(*finding);
            None
        }
    }
}
