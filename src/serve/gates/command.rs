//! A command of this machine whose exit code 0 means go.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use super::Question;
use crate::env::{Env, Interrupts};
use crate::schedule::gates::GateCommand;
use crate::units::Span;

/// What a command is told of the environment anyway.
const USUAL: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];
/// How often it is looked whether it has ended.
const LOOK: Span = Span::from_millis(20);

/// Why there is no go, if there is none. When its time is over, or squall is stopped, it is killed with all that it started.
pub fn closed(
    command: &GateCommand,
    question: &Question,
    folder: &Path,
    interrupts: &Interrupts,
    env: &dyn Env,
) -> Option<String> {
    let [program, arguments @ ..] = command.run.as_slice() else { return Some("there is no program".into()) };
    let variables = USUAL.into_iter().chain(command.pass.iter().map(String::as_str));
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(variables.filter_map(|name| Some((name, env.var(name)?))))
        .env("SQUALL_SCHEDULE", &question.schedule)
        .env("SQUALL_EXPERIMENT", &question.experiment)
        .env("SQUALL_RUN", &question.run.0)
        .env("SQUALL_PLAN", &question.plan)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    let mut group = match child {
        Ok(child) => Group(child),
        Err(error) => return Some(format!("{program}: {error}")),
    };
    let until = env.monotonic() + command.timeout;
    loop {
        match group.0.try_wait() {
            Ok(Some(status)) if status.success() => return None,
            Ok(Some(status)) => return Some(format!("{program} ended with {status}")),
            Ok(None) if interrupts.get().is_some() => return Some("squall serve was stopped".into()),
            Ok(None) if env.monotonic() >= until => {
                return Some(format!("{program} did not end within {}", command.timeout));
            }
            Ok(None) => env.sleep(LOOK),
            Err(error) => return Some(format!("{program}: {error}")),
        }
    }
}

/// A command and what it started.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself, with all that it started.
            let _ = kill_process_group(leader, Signal::KILL);
        }
        // Nothing is left of it in the table of processes.
        let _ = self.0.wait();
    }
}
