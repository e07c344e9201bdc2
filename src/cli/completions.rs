//! `squall completions`.

use clap::CommandFactory as _;

use super::{Cli, Context, Ended, Exit};

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  squall completions bash > ~/.local/share/bash-completion/completions/squall
  squall completions zsh > ~/.zfunc/_squall
  squall completions fish > ~/.config/fish/completions/squall.fish")]
pub struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

pub fn execute(args: &Args, context: &mut Context) -> Ended {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "squall", &mut script);
    context.output.out.text(String::from_utf8_lossy(&script));
    Ok(Exit::Fine)
}
