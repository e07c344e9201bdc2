//! The command line: reads arguments, calls what lies below, prints. One file a command.
//!
//! Invariant: nothing else in squall prints, and nothing that goes wrong in printing ends a command.

mod accounts;
mod acknowledge;
mod afresh;
mod agreed;
mod approve;
mod board;
mod check;
mod compare;
mod completions;
mod console;
mod dead_man;
mod doctor;
mod exit;
mod faults;
mod gameday;
mod halt;
mod init;
mod layer;
mod live;
mod log;
mod margin;
mod named;
mod output;
mod plan;
mod policy;
mod predict;
mod prepare;
mod project;
mod prune;
mod report;
mod run;
mod schedule;
mod schema;
mod screen;
mod serve;
mod signals;
mod status;
mod tell;
mod template;
mod token;
mod twin;
mod undo;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use self::exit::{Exit, Failure};
use self::output::{Output, QuietStderr};
use self::project::Project;
use crate::env::{Env, RealEnv};
use crate::ids::AccountName;

/// Chaos experiments and game days for serverless AWS, with nothing left behind.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, after_help = EXAMPLES, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  squall init                   create a project to start from
  squall check                  find mistakes in its files
  squall plan experiments/payment-worker-throttled.yaml
                                show what a run would do, without running it
  squall predict experiments/payment-worker-throttled.yaml
                                predict how a run would end
  squall run experiments/payment-worker-throttled.yaml
                                run it
  squall undo                   roll back everything outstanding
  squall acknowledge RUN --reason TEXT
                                record that you handled what it left behind
  squall schedule               list when scheduled experiments run, and when not and why
  squall serve                  run scheduled experiments
  squall gameday rehearse runbooks/first-game-day.md
                                rehearse a game day on the sandbox, with scripted people
  squall halt                   stop every run, and allow no new ones

Exit codes:
  0   held, or done             4   broken             64  usage error
  2   a file has findings       5   unknown            1   a bug in squall
  3   refused before any change
  6   something was left behind; overrides all others";

/// What every command takes.
#[derive(Clone, Debug, Args)]
struct Global {
    /// The project's folder [default: the nearest one above that has a squall.yaml, else this one]
    #[arg(long, global = true, value_name = "DIR")]
    project: Option<PathBuf>,
    /// The account to use, by its name in squall.yaml [default: the experiment's, else the sandbox]
    #[arg(long, global = true, value_name = "NAME")]
    account: Option<String>,
    /// Print JSON on standard output, for programs
    #[arg(long, global = true)]
    json: bool,
    /// Log details to standard error; SQUALL_LOG=debug or =trace logs more
    #[arg(long, short, global = true)]
    verbose: bool,
    /// Print errors only: no warnings about files
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Treat warnings about files as errors, as for CI; `accept` in squall.yaml acknowledges single ones
    #[arg(long, global = true)]
    strict: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Check(check::Args),
    Plan(plan::Args),
    Predict(predict::Args),
    Margin(margin::Args),
    Run(run::Args),
    Undo(undo::Args),
    Acknowledge(acknowledge::Args),
    Halt(halt::Args),
    Status(status::Args),
    Log(log::Args),
    Report(report::Args),
    Compare(compare::Args),
    Board(board::Args),
    Schedule(schedule::Args),
    Approve(approve::Args),
    Serve(serve::Args),
    Gameday(gameday::Args),
    Console(console::Args),
    Token(token::Args),
    Prune(prune::Args),
    Policy(policy::Args),
    DeadMan(dead_man::Args),
    Layer(layer::Args),
    Doctor(doctor::Args),
    Faults(faults::Args),
    Schema(schema::Args),
    Template(template::Args),
    Completions(completions::Args),
}

/// What a command works with.
struct Context {
    env: RealEnv,
    output: Output,
    project: Project,
    /// As given on the command line.
    named_project: Option<PathBuf>,
    account: Option<AccountName>,
    json: bool,
    quiet: bool,
    strict: bool,
}

impl Context {
    /// Who works here, and where.
    fn who(&self) -> String {
        self.env.who()
    }
}

/// What a command returns: how it ended, or why it did not do what was asked.
type Ended = Result<Exit, Failure>;

/// The whole program.
pub fn main() -> ExitCode {
    // A panic is a bug. It is caught here so that its exit code is ours; a run has rolled everything back by then.
    std::panic::catch_unwind(|| run(std::env::args_os().collect())).unwrap_or(Exit::Bug).into()
}

fn run(arguments: Vec<std::ffi::OsString>) -> Exit {
    let mut output = Output::standard();
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&mut output, &error),
    };
    let env = RealEnv;
    log_to_stderr(&env, cli.global.verbose);
    let mut context = Context {
        project: Project::find(cli.global.project.as_deref()),
        named_project: cli.global.project,
        account: cli.global.account.map(AccountName),
        json: cli.global.json,
        quiet: cli.global.quiet,
        strict: cli.global.strict,
        env,
        output,
    };
    // A run's verdict stands whether it can be printed or not.
    let prints_only = !matches!(cli.command, Command::Run(_) | Command::Undo(_) | Command::Serve(_) | Command::Halt(_));
    let exit = execute(cli.command, &mut context).unwrap_or_else(|failure| {
        print_failure(&failure, &mut context.output);
        failure.exit
    });
    match context.output.out.failed().map(str::to_owned) {
        Some(why) => {
            let failure = Failure::refused(format!("not everything was printed: {why}"), "free space on the disk");
            print_failure(&failure, &mut context.output);
            if prints_only { exit.max(failure.exit) } else { exit }
        }
        None => exit,
    }
}

fn print_failure(failure: &Failure, output: &mut Output) {
    let err = &mut output.err;
    let error = err.paint(owo_colors::Style::new().red().bold(), "error");
    err.line(format!("{error}: {}", failure.what));
    if let Some(next) = &failure.next {
        err.line(format!("  next: {next}"));
    }
}

fn execute(command: Command, context: &mut Context) -> Ended {
    if !matches!(command, Command::Init(_)) {
        named::project(context.named_project.as_deref())?;
    }
    named::account(context)?;
    match command {
        Command::Init(args) => init::execute(&args, context),
        Command::Check(args) => check::execute(&args, context),
        Command::Plan(args) => plan::execute(&args, context),
        Command::Predict(args) => predict::execute(&args, context),
        Command::Margin(args) => margin::execute(&args, context),
        Command::Run(args) => run::execute(&args, context),
        Command::Undo(args) => undo::execute(&args, context),
        Command::Acknowledge(args) => acknowledge::execute(&args, context),
        Command::Halt(args) => halt::execute(&args, context),
        Command::Status(args) => status::execute(&args, context),
        Command::Log(args) => log::execute(&args, context),
        Command::Compare(args) => compare::execute(&args, context),
        Command::Report(args) => report::execute(&args, context),
        Command::Board(args) => board::execute(&args, context),
        Command::Schedule(args) => schedule::execute(&args, context),
        Command::Approve(args) => approve::execute(&args, context),
        Command::Serve(args) => serve::execute(&args, context),
        Command::Gameday(args) => gameday::execute(&args, context),
        Command::Prune(args) => prune::execute(&args, context),
        Command::Console(args) => console::execute(&args, context),
        Command::Token(args) => token::execute(&args, context),
        Command::Schema(args) => schema::execute(&args, context),
        Command::Template(args) => template::execute(&args, context),
        Command::Policy(args) => policy::execute(&args, context),
        Command::DeadMan(args) => dead_man::execute(&args, context),
        Command::Layer(args) => layer::execute(&args, context),
        Command::Doctor(args) => doctor::execute(&args, context),
        Command::Faults(args) => faults::execute(&args, context),
        Command::Completions(args) => completions::execute(&args, context),
    }
}

/// Help and version were asked for; anything else is a usage error.
fn not_parsed(output: &mut Output, error: &clap::Error) -> Exit {
    let (pipe, exit) = match error.use_stderr() {
        false => (&mut output.out, Exit::Fine),
        true => (&mut output.err, Exit::Usage),
    };
    let text = error.render();
    pipe.text(if pipe.colour() { text.ansi().to_string() } else { text.to_string() });
    exit
}

fn log_to_stderr(env: &impl Env, verbose: bool) {
    let filter = match (env.var("SQUALL_LOG"), verbose) {
        (Some(filter), _) => filter,
        (None, true) => "squall=info".into(),
        (None, false) => return,
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(|| QuietStderr)
        .with_ansi(false);
    // Fails only when there is one already.
    let _ = log.try_init();
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
