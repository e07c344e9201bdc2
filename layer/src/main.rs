//! The binary in the layer. `opt/squall-layer` calls `start`; the other commands are its own.

use std::process::ExitCode;

use squall_layer::settings::Settings;
use squall_layer::{report, start};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let runtime = arguments.next().unwrap_or_default();
    let settings = Settings::read(|name| std::env::var(name).ok());
    let done = match (command.as_str(), settings) {
        ("start", settings) => start::start(&runtime, settings),
        ("guard", _) => start::guard(&runtime),
        ("serve" | "pass", Ok(settings)) => start::serve(&runtime, settings, command == "serve"),
        ("serve" | "pass", Err(_)) => return ExitCode::SUCCESS,
        _ => {
            report::problem("the wrapper script squall-layer starts this program; it is not for the command line");
            return ExitCode::FAILURE;
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::problem(&format!("{command}: {error}"));
            ExitCode::FAILURE
        }
    }
}
