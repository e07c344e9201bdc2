//! `squall init`.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::check::style;
use super::{Context, Ended, Exit, Failure, named};
use crate::report::words;
use crate::spec::load::CONFIG;
use crate::starter;
use crate::template::{self, Deployment};
use crate::yaml::{Findings, Source};

/// Create a project to start from: an example shop, an experiment on it, and its hypotheses
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Existing files are not overwritten.

Examples:
  squall init
  squall init --project chaos --from-template template.yaml
  squall init --project chaos && cd chaos && squall run experiments/payment-worker-throttled.yaml")]
pub struct Args {
    /// Start from this SAM or CloudFormation template: writes a traffic file with guesses to replace, and a first experiment
    #[arg(long, value_name = "FILE", value_parser = named::file)]
    from_template: Option<PathBuf>,
}

/// Written into every project.
const COMMON: [(&str, &str); 2] =
    [(".gitignore", ".squall/\n"), (".github/workflows/squall.yaml", include_str!("init/workflow.yaml"))];

/// The example shop, as it is shipped.
const SHOP: [(&str, &str); 9] = [
    (CONFIG, include_str!("../../squall.yaml")),
    (EXPERIMENT, include_str!("../../experiments/payment-worker-throttled.yaml")),
    ("experiments/order-function-throttled.yaml", include_str!("../../experiments/order-function-throttled.yaml")),
    ("experiments/orders-poisoned.yaml", include_str!("../../experiments/orders-poisoned.yaml")),
    ("hypotheses/no-order-is-lost.yaml", include_str!("../../hypotheses/no-order-is-lost.yaml")),
    ("hypotheses/payments-are-taken.yaml", include_str!("../../hypotheses/payments-are-taken.yaml")),
    ("hypotheses/shoppers-can-order.yaml", include_str!("../../hypotheses/shoppers-can-order.yaml")),
    ("sandbox/shop/template.yaml", include_str!("../../sandbox/shop/template.yaml")),
    ("sandbox/shop/traffic.yaml", include_str!("../../sandbox/shop/traffic.yaml")),
];

const EXPERIMENT: &str = "experiments/payment-worker-throttled.yaml";

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let root = context.named_project.clone().unwrap_or_else(|| PathBuf::from("."));
    if root.join(CONFIG).exists() {
        let what = format!("this folder already has a project: {}", root.join(CONFIG).display());
        return Err(Failure::refused(what, "squall check"));
    }
    let (files, next) = match &args.from_template {
        Some(template) => from_template(template, &root, context)?,
        None => {
            let shipped = SHOP.map(|(name, text)| (name.to_owned(), text.to_owned()));
            (shipped.to_vec(), format!("squall run {EXPERIMENT}"))
        }
    };
    let common = COMMON.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let out = &mut context.output.out;
    for (name, text) in files.into_iter().chain(common) {
        let path = root.join(&name);
        if path.exists() {
            out.line(format!("kept     {name}"));
            continue;
        }
        write(&path, &text).map_err(|error| {
            Failure::refused(
                format!("{}: {error}", path.display()),
                "check the folder's permissions, or name another folder",
            )
        })?;
        out.line(format!("written  {name}"));
    }
    out.line("");
    out.line(format!("next: {next}"));
    Ok(Exit::Fine)
}

/// The files of a project for an application's own template, and the command to go on with.
fn from_template(file: &Path, root: &Path, context: &mut Context) -> Result<(Vec<(String, String)>, String), Failure> {
    let deployment = Deployment { stack: "sandbox".into(), files: true, ..Deployment::default() };
    let (app, findings) = match Source::open(file) {
        Ok(source) => template::read(&source, &deployment),
        Err(finding) => {
            let mut findings = Findings::default();
            findings.push(*finding);
            (None, findings)
        }
    };
    let out = &mut context.output.out;
    let Some(app) = app else {
        out.text(findings.render(style(out.colour())));
        return Err(Failure {
            exit: Exit::Findings,
            ..Failure::refused("the template cannot be used", "fix the errors above")
        });
    };
    // What the model leaves out is a long list for a first look; `squall template` has it, and every report says it.
    let left_out = findings.iter().count();
    if left_out > 0 {
        let what = words::plural(left_out, "part of the template is", "parts of the template are");
        out.line(format!("{what} not modelled: squall template {}", file.display()));
    }
    let path = from(root, file).display().to_string();
    let mut files =
        vec![(CONFIG.to_owned(), starter::config(&path)), ("traffic.yaml".to_owned(), starter::traffic(&app, &path))];
    let next = match starter::experiment(&app) {
        Some((name, text)) => {
            let next = format!("replace the guesses in traffic.yaml, then run: squall run {name}");
            files.push((name, text));
            next
        }
        None => "the template has no function to experiment on; squall faults lists what else can be broken".into(),
    };
    Ok((files, next))
}

/// The path of a file as a project's folder sees it.
fn from(root: &Path, file: &Path) -> PathBuf {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (root, file) = (absolute(root), absolute(file));
    let root: Vec<Component<'_>> = root.components().filter(|part| *part != Component::CurDir).collect();
    let parts: Vec<Component<'_>> = file.components().collect();
    let shared = root.iter().zip(&parts).take_while(|(a, b)| a == b).count();
    let up = root[shared..].iter().map(|_| Component::ParentDir);
    up.chain(parts[shared..].iter().copied()).collect()
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}
