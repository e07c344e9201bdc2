//! `squall init`.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Context, Ended, Exit, Failure};
use crate::spec::load::CONFIG;

/// Write a project to start from: the shipped shop, an experiment on it, and its hypotheses
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nothing that is there already is overwritten.

Examples:
  squall init
  squall init --project chaos && cd chaos && squall run experiments/payment-worker-throttled.yaml")]
pub struct Args {}

/// What is written, as it is shipped.
const FILES: [(&str, &str); 7] = [
    (CONFIG, include_str!("../../squall.yaml")),
    (EXPERIMENT, include_str!("../../experiments/payment-worker-throttled.yaml")),
    ("hypotheses/no-order-is-lost.yaml", include_str!("../../hypotheses/no-order-is-lost.yaml")),
    ("hypotheses/payments-are-taken.yaml", include_str!("../../hypotheses/payments-are-taken.yaml")),
    ("hypotheses/shoppers-can-order.yaml", include_str!("../../hypotheses/shoppers-can-order.yaml")),
    ("sandbox/shop/template.yaml", include_str!("../../sandbox/shop/template.yaml")),
    ("sandbox/shop/traffic.yaml", include_str!("../../sandbox/shop/traffic.yaml")),
];

const EXPERIMENT: &str = "experiments/payment-worker-throttled.yaml";

pub fn execute(_: &Args, context: &mut Context) -> Ended {
    let root = context.named_project.clone().unwrap_or_else(|| PathBuf::from("."));
    if root.join(CONFIG).exists() {
        let what = format!("there is a project already: {}", root.join(CONFIG).display());
        return Err(Failure::refused(what, "squall check"));
    }
    let out = &mut context.output.out;
    for (name, text) in FILES {
        let path = root.join(name);
        if path.exists() {
            out.line(format!("kept     {name}"));
            continue;
        }
        write(&path, text).map_err(|error| {
            Failure::refused(
                format!("{}: {error}", path.display()),
                "look at the rights of the folder, or name another one",
            )
        })?;
        out.line(format!("written  {name}"));
    }
    out.line("");
    out.line(format!("next: squall run {EXPERIMENT}"));
    Ok(Exit::Fine)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}
