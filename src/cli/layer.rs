//! `squall layer`.

use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::accounts::{Health, Row};
use super::{Context, Ended, Exit, Failure, doctor};
use crate::account::setting::quote;
use crate::ids::AccountName;
use crate::layer::installed::{Found, Installed};
use crate::layer::snippet::Tool;
use crate::layer::{Architecture, archive, publish};
use crate::project::{AccountSpec, AwsAccount};
use crate::spec::load::ProjectFiles;

/// squall's Lambda layer: build it, publish it, check a function that has it
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Build(Build),
    Publish(Publish),
    Doctor(Doctor),
    Snippet(Snippet),
}

/// Make the layer's zips from its binaries
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The binaries come from `layer/build.sh` in squall's source, which needs Rust, and Python or zig. The zips are the same \
byte for byte whenever they are made from the same binaries. A binary that is not static, or is for another architecture, \
is refused.

Examples:
  layer/build.sh && squall layer build
  squall layer build --architecture arm64 --to dist")]
struct Build {
    /// The folder of the layer's crate, with its binaries and its wrapper script
    #[arg(long, value_name = "DIR", default_value = "layer")]
    from: PathBuf,
    /// The folder for the zips
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    to: PathBuf,
    /// One architecture only
    #[arg(long, value_name = "NAME")]
    architecture: Option<Architecture>,
}

/// Where zips are, unless it is said.
const FOLDER: &str = "layer/target/layer";

/// Publish the zips as layers of an account, or show the commands that would
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --yes nothing is called: the `aws` commands are printed, or with --cloudformation a template for `aws \
cloudformation package`. Each call publishes a new version; versions that functions use stay as they are.

Examples:
  squall layer publish
  squall layer publish --cloudformation > layer.yaml
  squall layer publish --account staging --yes")]
struct Publish {
    /// The folder with the zips
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    from: PathBuf,
    /// One architecture only
    #[arg(long, value_name = "NAME")]
    architecture: Option<Architecture>,
    /// Print a CloudFormation template instead of commands
    #[arg(long, conflicts_with = "yes")]
    cloudformation: bool,
    /// Publish them now, in the account named with --account
    #[arg(long)]
    yes: bool,
}

/// Check that a function has the layer, its wrapper script, its parameter and the right to read it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Reads the function's configuration and its parameter, and asks IAM whether its role may read that. Nothing is changed. \
Exit code 3 when there is a problem.

Examples:
  squall layer doctor shop-order-function --account staging")]
struct Doctor {
    /// The function's name
    function: String,
}

/// Print what to add to a function in a tool of infrastructure
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  squall layer snippet sam
  squall layer snippet terraform")]
struct Snippet {
    /// The tool
    tool: Tool,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    match &args.what {
        What::Build(args) => build(args, context),
        What::Publish(args) => publish(args, context),
        What::Doctor(args) => check(args, context),
        What::Snippet(args) => {
            context.output.out.text(args.tool.snippet());
            Ok(Exit::Fine)
        }
    }
}

fn architectures(one: Option<Architecture>) -> Vec<Architecture> {
    one.map_or_else(|| Architecture::ALL.to_vec(), |one| vec![one])
}

fn read(path: &Path, next: &str) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::refused(format!("{}: {error}", path.display()), next))
}

fn build(args: &Build, context: &mut Context) -> Ended {
    let script = read(&args.from.join("opt/squall-layer"), "name the folder of the layer's crate with --from")?;
    let mut zips = Vec::new();
    for architecture in architectures(args.architecture) {
        let path = args.from.join("target").join(architecture.target()).join("release/squall-layer");
        let binary = read(&path, &format!("build it first: {} {architecture}", args.from.join("build.sh").display()))?;
        let zip = archive::layer(architecture, &binary, &script).map_err(|why| {
            Failure::refused(
                format!("{}: {why}", path.display()),
                format!("build it with layer/build.sh {architecture}"),
            )
        })?;
        zips.push((architecture, zip));
    }
    let cannot = |path: &Path, error: std::io::Error| {
        Failure::refused(
            format!("{}: {error}", path.display()),
            "check the folder's permissions and the free space on its disk",
        )
    };
    std::fs::create_dir_all(&args.to).map_err(|error| cannot(&args.to, error))?;
    let mut made = Vec::new();
    for (architecture, zip) in zips {
        let path = args.to.join(architecture.zip());
        std::fs::write(&path, &zip).map_err(|error| cannot(&path, error))?;
        let sum: String = Sha256::digest(&zip).iter().map(|byte| format!("{byte:02x}")).collect();
        if !context.json {
            context.output.out.line(format!("{}  {} bytes  sha256 {sum}", path.display(), zip.len()));
        }
        made.push(json!({ "architecture": architecture.word(), "path": path, "bytes": zip.len(), "sha256": sum }));
    }
    if context.json {
        context.output.out.json(&json!({ "zips": made }));
    }
    Ok(Exit::Fine)
}

fn publish(args: &Publish, context: &mut Context) -> Ended {
    let mut zips = Vec::new();
    for architecture in architectures(args.architecture) {
        let path = args.from.join(architecture.zip());
        let zip = read(&path, "make the zips first: squall layer build")?;
        zips.push((architecture, path, zip));
    }
    if args.cloudformation {
        let zips: Vec<_> = zips.iter().map(|(of, path, _)| (*of, path.display().to_string())).collect();
        context.output.out.text(publish::cloudformation(&zips));
        return Ok(Exit::Fine);
    }
    if !args.yes {
        let commands: Vec<_> =
            zips.iter().map(|(of, path, _)| publish::command(*of, &quote(&path.display().to_string()))).collect();
        match context.json {
            true => context.output.out.json(&json!({ "commands": commands })),
            false => context.output.out.text(commands.join("\n") + "\n"),
        }
        return Ok(Exit::Fine);
    }
    let account = aws_account(context)?;
    let mut published = Vec::new();
    for (architecture, _, zip) in zips {
        let arn = publish_now(&account, architecture, zip)?;
        if !context.json {
            context.output.out.line(&arn);
        }
        published.push(json!({ "architecture": architecture.word(), "arn": arn }));
    }
    if context.json {
        context.output.out.json(&json!({ "published": published }));
    }
    Ok(Exit::Fine)
}

fn check(args: &Doctor, context: &mut Context) -> Ended {
    let account = aws_account(context)?;
    let installed = installed(&account, &args.function)?;
    let row = |check: crate::layer::installed::Check| Row {
        account: account.0.0.clone(),
        what: check.what.into(),
        seen: match check.found {
            Found::Right => Health::Well,
            Found::Wrong => Health::NotWell,
            Found::Unknown => Health::CannotTell,
        },
        detail: check.detail,
    };
    let rows: Vec<Row> = installed.checks().into_iter().map(row).collect();
    doctor::print(&rows, context);
    let well = rows.iter().all(|row| row.seen != Health::NotWell);
    Ok(if well { Exit::Fine } else { Exit::Refused })
}

/// An account of AWS with its name in `squall.yaml`.
type Named = (AccountName, Box<AwsAccount>);

/// The account named on the command line, or the project's default.
fn aws_account(context: &Context) -> Result<Named, Failure> {
    let (files, findings) = ProjectFiles::open(&context.project.root);
    let files = files.ok_or_else(|| Failure {
        exit: Exit::Findings,
        what: format!("squall.yaml cannot be used: {}", findings.count()),
        next: Some("squall check".into()),
    })?;
    let name = context.account.clone().unwrap_or_else(|| files.project.default_account.clone());
    match files.project.accounts.get(&name) {
        Some(AccountSpec::Aws(account)) => Ok((name, account.clone().into())),
        _ => Err(Failure::refused(format!("{} is no AWS account", name.0), "name an AWS account: --account NAME")),
    }
}

#[cfg(feature = "aws")]
fn publish_now((name, account): &Named, architecture: Architecture, zip: Vec<u8>) -> Result<String, Failure> {
    use crate::account::aws::{AccountConfig, layer};
    let config = AccountConfig::of(name, account);
    layer::publish(&config, std::sync::Arc::new(crate::env::RealEnv), architecture, zip).map_err(|error| {
        let next =
            format!("aws lambda list-layer-versions --layer-name {} shows what was published", architecture.layer());
        Failure::refused(error.to_string(), next)
    })
}

#[cfg(feature = "aws")]
fn installed((name, account): &Named, function: &str) -> Result<Installed, Failure> {
    use crate::account::aws::{AccountConfig, layer};
    let config = AccountConfig::of(name, account);
    let found = layer::installed(&config, std::sync::Arc::new(crate::env::RealEnv), function);
    found.map_err(|error| {
        Failure::refused(error.to_string(), format!("check the name, and `squall doctor --account {}`", name.0))
    })
}

#[cfg(not(feature = "aws"))]
fn publish_now((name, _): &Named, _: Architecture, _: Vec<u8>) -> Result<String, Failure> {
    Err(without_aws(name))
}

#[cfg(not(feature = "aws"))]
fn installed((name, _): &Named, _: &str) -> Result<Installed, Failure> {
    Err(without_aws(name))
}

#[cfg(not(feature = "aws"))]
fn without_aws(name: &AccountName) -> Failure {
    let what = format!("{} is an AWS account, and this squall was built without the feature `aws`", name.0);
    Failure::refused(what, "build it with its default features")
}
